"""Many inputs side by side, on the cores of this machine or of several, by Ray.

A task is one input. Its results come back to the machine that asked, which alone writes: a worker
that is lost in the middle leaves nothing, and Ray has another do its input again. Inputs are read
where the worker runs, so on several machines they must lie under the same path or at an address.
Each task takes one core; what a file becomes does not hang on how many there are.
"""

from __future__ import annotations

import logging
import os
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from pymaf_live import __version__, errors
from pymaf_live.errors import InputError, ModelError, PymafLiveError, UsageError
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.workflows.process import ProcessOptions, Summary, process_input

LOCAL = "local"
"""The address of a cluster that is begun here, of this machine alone."""

_AGAIN = 3
"""How often an input is begun anew after its worker was lost."""
_TELL_SECONDS = 0.5
_REACHED_SECONDS = 5.0


class ClusterWatcher(Protocol):
    """Is told how far each input is, and tells whether to stop."""

    def advance(self, name: str, frames: int, fraction: float | None) -> None:
        """`frames` of an input are done; `fraction` of it, where its length is known."""

    def again(self, name: str) -> None:
        """The worker of an input was lost; another begins with it."""

    def done(self, name: str) -> None:
        """An input is done, or cannot be."""

    def asked_to_stop(self) -> bool:
        """Whether to finish with what is there."""


@dataclass
class Outcome:
    """What became of all inputs."""

    done: list[Summary] = field(default_factory=list)
    """In the order of the inputs, of those that were processed."""
    errors: dict[str, str] = field(default_factory=dict)
    """Why an input could not be, by what the user called it."""


@dataclass(frozen=True)
class _Made:
    """What a worker made of an input: an end of the work, or why there is none."""

    summary: Summary | None = None
    files: tuple[tuple[str, bytes], ...] = ()
    """Path below the folder for results, and content."""
    failure: tuple[str, str] | None = None
    """Name of the error's kind, and its text."""


def process_on_cluster(
    work: Sequence[tuple[str, str]],
    options: ProcessOptions,
    address: str,
    watcher: ClusterWatcher,
) -> Outcome:
    """Process inputs on a Ray cluster; the results are those of `process_input` on one machine.

    Parameters
    ----------
    work : sequence of (str, str)
        Inputs as the user called them, and the names of their results.
    options : ProcessOptions
    address : str
        'local', 'auto' or what Ray takes.
    watcher : ClusterWatcher

    Returns
    -------
    Outcome

    Raises
    ------
    UsageError
        If Ray is not installed or there is no such cluster.
    OutputError, ModelError
        The first that ended an input; what is done by then stays.
    """
    ray = _begun(address)
    try:
        board = ray.remote(num_cpus=0)(_Board).remote()
        task = ray.remote(num_cpus=1, max_retries=_AGAIN)(_made)
        outcome = Outcome()
        found: dict[str, Summary] = {}
        waiting: dict[Any, tuple[str, str]] = {}
        for text, name in work:
            try:
                settled = _settled(text, options)
            except InputError as error:
                outcome.errors[text] = str(error)
                watcher.done(name)
                continue
            waiting[task.remote(text, name, settled, __version__, board)] = (text, name)
        told = _Told(watcher)
        while waiting:
            ready, _ = ray.wait(list(waiting), timeout=_TELL_SECONDS)
            told.pass_on(ray.get(board.look.remote(watcher.asked_to_stop())))
            for reference in ready:
                text, name = waiting.pop(reference)
                summary = _kept(ray, reference, text, options, outcome)
                if summary is not None:
                    found[name] = summary
                watcher.done(name)
        outcome.done = [found[name] for _, name in work if name in found]
        return outcome
    finally:
        ray.shutdown()


def _begun(address: str) -> Any:
    """Ray, joined to a cluster."""
    # it would tell its makers that it runs, and write to the terminal
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError("--cluster needs Ray: pip install 'pymaf-live[cluster]'") from error
    common: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address == LOCAL:
            from pymaf_live.system.cpu import available_cores

            ray.init(num_cpus=available_cores(), include_dashboard=False, **common)
        else:
            _require_reached(address)
            ray.init(address=address, **common)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(f"there is no Ray cluster at {address} ({reason})") from error
    return ray


def _require_reached(address: str) -> None:
    """Ray itself would try for minutes to reach what is not there.

    Raises
    ------
    OSError
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), _REACHED_SECONDS).close()


def _settled(text: str, options: ProcessOptions) -> ProcessOptions:
    """The options with what a machine would choose for itself chosen here: all choose the same."""
    from pymaf_live.pipeline.model_selection import chosen_model, shipped_models
    from pymaf_live.sources import open_source

    source = open_source(text)
    try:
        if source.facts.live:
            raise InputError(f"{text} is live and has no end; record it with `live` instead")
        path = chosen_model(source.facts, options.pipeline)
    finally:
        source.close()
    # by its name where every machine has it, which need not be in the same place
    names = {shipped: name for name, shipped in shipped_models().items()}
    pipeline = replace(options.pipeline, model=names.get(path, path), threads=1, cache=None)
    return replace(options, pipeline=pipeline, told=None)


def _kept(
    ray: Any, reference: Any, text: str, options: ProcessOptions, outcome: Outcome
) -> Summary | None:
    """Write what a worker made; its summary, or None where it failed or had not begun."""
    try:
        made: _Made = ray.get(reference)
    except ray.exceptions.RayError as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        outcome.errors[text] = f"{text}: its worker was lost again and again ({lines[0]})"
        return None
    if made.failure is not None:
        failure = _error_of(*made.failure)
        if not isinstance(failure, InputError):
            raise failure
        outcome.errors[text] = str(failure)
        return None
    if made.summary is None:
        return None
    for relative, content in made.files:
        target = options.out / relative
        make_folder(target.parent)
        with atomic_write(target, force=options.force) as temporary:
            temporary.write_bytes(content)
    files = [options.out / file for file in made.summary.files]
    return replace(made.summary, files=files)


def _error_of(kind: str, text: str) -> PymafLiveError:
    found: Any = getattr(errors, kind, None)
    known = isinstance(found, type) and issubclass(found, PymafLiveError)
    error: PymafLiveError = found(text) if known else ModelError(text)
    return error


class _Told:
    """Passes on what is new of the board."""

    def __init__(self, watcher: ClusterWatcher) -> None:
        self._watcher = watcher
        self._begun: dict[str, int] = {}

    def pass_on(self, seen: dict[str, tuple[int, int, float | None]]) -> None:
        for name, (begun, frames, fraction) in seen.items():
            if begun > self._begun.get(name, 1):
                self._watcher.again(name)
            self._begun[name] = begun
            self._watcher.advance(name, frames, fraction)


class _Board:
    """Where workers tell how far they are and hear whether to stop; an actor of the cluster."""

    def __init__(self) -> None:
        self._stop = False
        self._seen: dict[str, tuple[int, int, float | None]] = {}
        """Of each input how often it was begun, its frames, and the part that is done."""

    def begin(self, name: str) -> bool:
        """An input is begun; whether it should not be."""
        self._seen[name] = self._seen.get(name, (0, 0, None))[0] + 1, 0, None
        return self._stop

    def note(self, name: str, frames: int, fraction: float | None) -> bool:
        """How far an input is; whether to stop."""
        self._seen[name] = self._seen[name][0], frames, fraction
        return self._stop

    def look(self, stop: bool) -> dict[str, tuple[int, int, float | None]]:
        """What was told."""
        self._stop |= stop
        return self._seen


class _Reporter:
    """Tells the board now and then; what `process_input` tells and asks, in a worker."""

    def __init__(self, board: Any, name: str) -> None:
        import time

        import ray

        self._ray, self._board, self._name = ray, board, name
        self._clock = time.monotonic
        self._next = 0.0
        self._stop = False

    def advance(self, frames: int, fraction: float | None) -> None:
        now = self._clock()
        if now >= self._next:
            self._next = now + _TELL_SECONDS
            self._stop |= self._ray.get(self._board.note.remote(self._name, frames, fraction))

    def exporting(self, file: str, fraction: float) -> None:
        pass

    def asked_to_stop(self) -> bool:
        return self._stop


def _made(text: str, name: str, options: ProcessOptions, version: str, board: Any) -> _Made:
    """The work on one input, in a worker."""
    import ray

    from pymaf_live.resources import cache_folder
    from pymaf_live.sources import open_source

    if ray.get(board.begin.remote(name)):
        return _Made()
    if version != __version__:
        reason = f"a machine of the cluster has PyMAF Live {__version__}, this one {version}"
        return _Made(failure=("ModelError", reason))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        pipeline = replace(options.pipeline, cache=cache_folder())
        mine = replace(options, out=out, force=True, pipeline=pipeline)
        try:
            summary = process_input(open_source(text), text, name, mine, _Reporter(board, name))
        except PymafLiveError as error:
            return _Made(failure=(type(error).__name__, str(error)))
        files = [path for path in sorted(out.rglob("*")) if path.is_file()]
        relative = [file.relative_to(out) for file in summary.files]
        return _Made(
            replace(summary, files=relative),
            tuple((path.relative_to(out).as_posix(), path.read_bytes()) for path in files),
        )
