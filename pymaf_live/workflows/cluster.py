"""Process many inputs in parallel, on the cores of this machine or of several, with Ray.

A task is one input. Workers return their results to the machine that started the cluster run, which
alone writes: a lost worker leaves nothing behind, and Ray gives its input to another. Inputs are
read where the worker runs, so with several machines they must have the same path everywhere, or be
addresses. Each task takes one core; results do not depend on the number of cores.
"""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pymaf_live import __version__
from pymaf_live.errors import (
    EndlessSourceError,
    InputError,
    Interrupted,
    ModelError,
    OutputError,
    PymafLiveError,
    UsageError,
)
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.takes.library import TakeLibrary
from pymaf_live.workflows.process import ProcessOptions, Summary, process
from pymaf_live.workflows.result_names import result_names

LOCAL = "local"
"""Address of a cluster that is started on this machine alone."""

_MAX_RETRIES = 3
"""Number of times an input is started again after its worker was lost."""
_REPORT_SECONDS = 0.5
_CONNECT_SECONDS = 5.0
_ERROR_KINDS = (UsageError, InputError, OutputError, ModelError, Interrupted)


@dataclass(frozen=True)
class ClusterOptions:
    """Cluster and options of a run over many inputs."""

    process: ProcessOptions
    """Options of every input; names are assigned by `result_names`."""
    address: str = LOCAL
    """'local' (this machine), 'auto', or an address that Ray accepts."""


@dataclass
class ClusterResult:
    """Outcome of all inputs."""

    done: list[Summary] = field(default_factory=list)
    """Figures of the processed inputs, in the order of the inputs."""
    errors: dict[str, PymafLiveError] = field(default_factory=dict)
    """Errors of the others, by input."""


@dataclass(frozen=True)
class _TaskResult:
    """Return value of a worker for one input: results, an error, or nothing if not started."""

    summary: Summary | None = None
    files: tuple[tuple[str, bytes], ...] = ()
    """Path relative to the results folder, and content."""
    failure: tuple[str, str] | None = None
    """Name of the error's class, and its message."""


@dataclass(frozen=True)
class _Progress:
    """Progress of one input."""

    starts: int = 0
    """Number of times a worker has started it."""
    detail: str = ""
    fraction: float | None = None


def run_cluster(
    inputs: Sequence[str], options: ClusterOptions, reporter: Reporter = SILENT
) -> ClusterResult:
    """Process inputs on a Ray cluster; results are the same as those of `process`.

    Parameters
    ----------
    inputs : sequence of str
        What `sources.open_source` accepts.
    options : ClusterOptions
    reporter : Reporter
        Cancelling turns the frames so far of each started input into complete results; no other
        input is started.

    Returns
    -------
    ClusterResult

    Raises
    ------
    UsageError
        If Ray is not installed, or there is no such cluster.
    ModelError
        The first that ended an input; results written until then stay.
    """
    names = result_names(inputs)
    ray = _connect(options.address)
    try:
        board = ray.remote(num_cpus=0)(_ProgressBoard).remote()
        task = ray.remote(num_cpus=1, max_retries=_MAX_RETRIES)(_process_input)
        result = ClusterResult()
        summaries: dict[str, Summary] = {}
        pending: dict[Any, tuple[str, str]] = {}
        for text, name in zip(inputs, names, strict=True):
            try:
                resolved = replace(_resolve(text, options.process), name=name)
            except (InputError, EndlessSourceError) as error:
                result.errors[text] = error
                continue
            pending[task.remote(text, resolved, __version__, board)] = text, name
        progress = _ProgressReport(reporter, len(inputs))
        while pending:
            ready, _ = ray.wait(list(pending), timeout=_REPORT_SECONDS)
            seen = ray.get(board.exchange.remote(reporter.cancelled()))
            for reference in ready:
                text, name = pending.pop(reference)
                summary = _collect(ray, reference, text, options.process, result)
                if summary is not None:
                    summaries[name] = summary
            progress.update(seen, len(inputs) - len(pending), {n for _, n in pending.values()})
        result.done = [summaries[name] for name in names if name in summaries]
        return result
    finally:
        ray.shutdown()


def _connect(address: str) -> Any:
    """Return Ray, connected to a cluster."""
    # no telemetry, no output on the terminal
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "processing on a cluster needs Ray: pip install 'pymaf-live[cluster]'"
        ) from error
    common: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address == LOCAL:
            from pymaf_live.system.cpu import available_cores

            ray.init(num_cpus=available_cores(), include_dashboard=False, **common)
        else:
            _require_reachable(address)
            ray.init(address=address, **common)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(f"there is no Ray cluster at {address} ({reason})") from error
    return ray


def _require_reachable(address: str) -> None:
    """Check that something listens at an address; Ray itself would try for minutes.

    Raises
    ------
    OSError
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()


def _resolve(text: str, options: ProcessOptions) -> ProcessOptions:
    """Return options without machine-dependent choices, so that all workers choose the same."""
    from pymaf_live.pipeline.model_selection import select_model, shipped_models
    from pymaf_live.sources import open_source

    source = open_source(text, image_rate=options.image_rate, insecure=options.insecure)
    try:
        if source.facts.live:
            raise EndlessSourceError(text)
        path = select_model(source.facts, options.pipeline)
    finally:
        source.close()
    # shipped models by name: their path may differ between machines
    names = {shipped: name for name, shipped in shipped_models().items()}
    pipeline = replace(options.pipeline, model=names.get(path, path), threads=1, cache=None)
    return replace(options, pipeline=pipeline, on_result=None, library=None)


def _collect(
    ray: Any, reference: Any, text: str, options: ProcessOptions, result: ClusterResult
) -> Summary | None:
    """Write a worker's results; return its figures, or None where it failed or did not start."""
    try:
        done: _TaskResult = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        # the last line of its traceback is the cause
        reason = str(error).strip().splitlines()[-1]
        result.errors[text] = InputError(f"{text}: its worker failed: {reason}")
        return None
    except ray.exceptions.RayError as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        result.errors[text] = InputError(f"{text}: its worker was lost several times ({lines[0]})")
        return None
    if done.failure is not None:
        failure = _error(*done.failure)
        if not isinstance(failure, (InputError, OutputError)):
            raise failure
        result.errors[text] = failure
        return None
    if done.summary is None or options.out is None:
        return done.summary
    try:
        for relative, content in done.files:
            target = options.out / relative
            make_folder(target.parent)
            with atomic_write(target, force=options.force) as temporary:
                temporary.write_bytes(content)
    except OutputError as error:
        result.errors[text] = error
        return None
    files = [options.out / file for file in done.summary.files]
    return replace(done.summary, files=files)


def _error_kind(error: PymafLiveError) -> str:
    """Return the name of the general class of an error, which is made of its message alone."""
    for kind in _ERROR_KINDS:
        if isinstance(error, kind):
            return kind.__name__
    return ModelError.__name__


def _error(kind: str, message: str) -> PymafLiveError:
    kinds: dict[str, type[PymafLiveError]] = {each.__name__: each for each in _ERROR_KINDS}
    return kinds.get(kind, ModelError)(message)


class _ProgressReport:
    """Reports the progress of all inputs as one."""

    def __init__(self, reporter: Reporter, count: int) -> None:
        self._reporter = reporter
        self._count = count
        self._starts: dict[str, int] = {}

    def update(self, seen: dict[str, _Progress], done: int, pending: set[str]) -> None:
        """Report the inputs that are `done`, and the parts of the `pending` ones."""
        parts = 0.0
        detail = ""
        for name, progress in seen.items():
            if progress.starts > self._starts.get(name, 1):
                self._reporter.message(f"the worker of {name} was lost; the input starts again")
            self._starts[name] = progress.starts
            if name in pending:
                parts += progress.fraction or 0.0
                if progress.detail and not detail:  # the first started input that is not done
                    detail = f"; {name}: {progress.detail}"
        fraction = (done + parts) / self._count
        self._reporter.progress(fraction, f"{done} of {self._count} inputs done{detail}")


class _ProgressBoard:
    """Ray actor to which workers report their progress, and which passes on a cancellation."""

    def __init__(self) -> None:
        self._cancelled = False
        self._seen: dict[str, _Progress] = {}

    def start(self, name: str) -> bool:
        """Note that a worker starts an input; return True if it should not."""
        before = self._seen.get(name, _Progress())
        self._seen[name] = _Progress(before.starts + 1)
        return self._cancelled

    def report(self, name: str, fraction: float | None, detail: str) -> bool:
        """Note the progress of an input; return True if it should stop."""
        self._seen[name] = _Progress(self._seen[name].starts, detail, fraction)
        return self._cancelled

    def exchange(self, cancelled: bool) -> dict[str, _Progress]:
        """Pass a cancellation on; return the progress of all inputs."""
        self._cancelled |= cancelled
        return self._seen


class _WorkerReporter:
    """Reporter of a worker: talks to the board now and then."""

    def __init__(self, board: Any, name: str) -> None:
        import ray

        self._ray, self._board, self._name = ray, board, name
        self._next = 0.0
        self._cancelled = False

    def progress(self, fraction: float | None, detail: str = "") -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _REPORT_SECONDS
            report = self._board.report.remote(self._name, fraction, detail)
            self._cancelled |= self._ray.get(report)

    def message(self, text: str) -> None:
        pass  # notices are part of the summary

    def cancelled(self) -> bool:
        return self._cancelled


def _process_input(text: str, options: ProcessOptions, version: str, board: Any) -> _TaskResult:
    """Process one input; runs in a worker."""
    import ray

    from pymaf_live.resources import cache_folder
    from pymaf_live.sources import open_source

    if ray.get(board.start.remote(options.name)):
        return _TaskResult()
    if version != __version__:
        reason = f"a machine of the cluster has PyMAF Live {__version__}, this one {version}"
        return _TaskResult(failure=(ModelError.__name__, reason))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "results"
        options = replace(
            options,
            out=out,
            force=True,
            pipeline=replace(options.pipeline, cache=cache_folder()),
            # an input of a lost worker starts again: nothing is to be recovered
            library=TakeLibrary(Path(folder) / "takes"),
        )
        try:
            source = open_source(text, image_rate=options.image_rate, insecure=options.insecure)
            done = process(source, options, _WorkerReporter(board, options.name))
        except PymafLiveError as error:
            return _TaskResult(failure=(_error_kind(error), str(error)))
        files = [path for path in sorted(out.rglob("*")) if path.is_file()]
        relative = [file.relative_to(out) for file in done.summary.files]
        return _TaskResult(
            replace(done.summary, files=relative),
            tuple((path.relative_to(out).as_posix(), path.read_bytes()) for path in files),
        )
