"""Silhouettes: a folder of PNGs, one a frame, white where a body is; the picture's own size."""

from __future__ import annotations

import multiprocessing
import os
import secrets
import shutil
import signal
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.body import Body
from pymaf_live.errors import OutputError, OutputExistsError
from pymaf_live.export.options import ExportedFile, ExportOptions
from pymaf_live.export.person_motion import finite_rows
from pymaf_live.export.png_1bit import BilevelFiles
from pymaf_live.rendering.silhouettes import SilhouetteRenderer
from pymaf_live.system.atomic_write import make_folder
from pymaf_live.system.cpu import available_cores
from pymaf_live.system.reporter import Reporter, report_progress
from pymaf_live.takes.npz_file import require_body
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Camera, Ints

_CHUNK = 32
"""Frames that are drawn at one go."""
_SHARED = 300
"""Frames from which on starting processes takes less than it saves."""
_MOST_PROCESSES = 16
_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""Of the environment, read by NumPy's linear algebra when it is loaded."""


@dataclass(frozen=True)
class _Chunk:
    """Some of a take's frames."""

    pose: Array
    """(R, J, 3)"""
    shape: Array
    """(R, S)"""
    translation: Array
    """(R, 3) m"""
    frame: Ints
    """(R,) counted from the first of these."""
    cameras: tuple[Camera, ...]
    paths: tuple[Path, ...]


def export_masks(
    take: Take, body: Body, path: Path, options: ExportOptions, *, force: bool, reporter: Reporter
) -> list[ExportedFile]:
    """As `formats.Writer`; `path` is the folder. Frames in which nobody was seen are black."""
    require_body(take, body)
    take = finite_rows(take)
    count = len(take.frame_time)
    if not count:
        return []
    report_progress(reporter, 0.0)
    with _folder_written_whole(path, force=force) as temporary:
        done = 0
        # close at once if cancelled: nothing may be written into the folder any more
        with closing(_written(list(_chunks(take, temporary)), body)) as parts:
            for written in parts:
                done += written
                report_progress(reporter, done / count)
    return [ExportedFile(path, rate=None)]


def _chunks(take: Take, folder: Path) -> Iterator[_Chunk]:
    names = _names(take)
    first_rows = np.searchsorted(take.frame, np.arange(len(names) + 1))
    for start in range(0, len(names), _CHUNK):
        frames = range(start, min(start + _CHUNK, len(names)))
        begin, end = int(first_rows[frames.start]), int(first_rows[frames.stop])
        yield _Chunk(
            take.pose[begin:end],
            take.shape[begin:end],
            take.translation[begin:end],
            take.frame[begin:end] - start,
            tuple(camera_of(take, frame) for frame in frames),
            tuple(folder / names[frame] for frame in frames),
        )


def _written(chunks: list[_Chunk], body: Body) -> Generator[int, None, None]:
    """Write the pictures of chunks; gives how many, as they are done."""
    processes = min(available_cores(), _MOST_PROCESSES, len(chunks))
    if processes < 2 or sum(len(chunk.paths) for chunk in chunks) < _SHARED:
        silhouettes, files = SilhouetteRenderer(body), BilevelFiles()
        for chunk in chunks:
            yield from _drawn(chunk, silhouettes, files)
        return
    yield from _shared(chunks, body, processes)


def _shared(chunks: list[_Chunk], body: Body, count: int) -> Generator[int, None, None]:
    """As `_written`, by several processes, each of which gets a chunk when it has written one."""
    # not forked: this process has threads
    context = multiprocessing.get_context("spawn")
    waiting = iter(chunks)
    workers: list[BaseProcess] = []
    # of each worker, whether it knows the body; Connection has another name on Windows
    lines: dict[Any, bool] = {}
    try:
        with _interrupts_waiting(), _a_thread_each():
            for _ in range(count):
                ours, theirs = context.Pipe()
                workers.append(context.Process(target=_work, args=(theirs,), daemon=True))
                workers[-1].start()
                # else its end would not be noticed here
                theirs.close()
                lines[ours] = False
        while lines:
            ready: list[Any] = wait(list(lines))
            for line in ready:
                yield _told(line)
                if not lines[line]:
                    line.send(body)
                    lines[line] = True
                chunk = next(waiting, None)
                line.send(chunk)
                if chunk is None:
                    del lines[line]
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def _told(line: Any) -> int:
    try:
        told: int | str = line.recv()
    except (EOFError, ConnectionError) as error:
        raise OutputError("a process that drew masks ended before its work was done") from error
    if isinstance(told, str):
        raise OutputError(told)
    return told


def _work(line: Any) -> None:
    """Write chunks until there are no more; in a process of its own.

    Tells how many pictures it has written, or in words why it could not.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # the other side may end without a word
    with suppress(EOFError, ConnectionError):
        line.send(0)
        silhouettes, files = SilhouetteRenderer(line.recv()), BilevelFiles()
        while (chunk := line.recv()) is not None:
            try:
                written = sum(_drawn(chunk, silhouettes, files))
            except (OutputError, OSError) as error:
                line.send(str(error))
                return
            line.send(written)


@contextmanager
def _interrupts_waiting() -> Iterator[None]:
    """Ctrl-C comes after this; to processes that are started meanwhile it does not come at all.

    It reaches every process of a terminal; the one that has the others draw ends them.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _a_thread_each() -> Iterator[None]:
    """Processes that are started meanwhile do their sums in one thread: so many are enough."""
    ours = {name: "1" for name in _THREADS if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


def _drawn(chunk: _Chunk, silhouettes: SilhouetteRenderer, files: BilevelFiles) -> Iterator[int]:
    """Write a chunk's pictures; gives 1 for each."""
    pictures = silhouettes.render(
        chunk.pose, chunk.shape, chunk.translation, chunk.frame, chunk.cameras
    )
    for path, bits, camera in zip(chunk.paths, pictures, chunk.cameras, strict=True):
        files.write(path, bits, camera.size)
        yield 1


def camera_of(take: Take, frame: int) -> Camera:
    """The camera of a frame; separate pictures have one each."""
    if take.picture_camera is None:
        return Camera(take.focal_length, take.principal_point, take.frame_size)
    width, height, focal, x, y = take.picture_camera[frame]
    return Camera(float(focal), np.array([x, y]), (int(width), int(height)))


def _names(take: Take) -> list[str]:
    if not take.picture_name:
        digits = max(6, len(str(len(take.frame_time))))
        return [f"{frame:0{digits}d}.png" for frame in range(len(take.frame_time))]
    names: list[str] = []
    taken: set[str] = set()
    for picture in take.picture_name:
        # a take's names are not trusted to stay inside the folder
        stem = Path(picture.replace("\\", "/")).stem.strip(". ") or "picture"
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name.casefold())
        names.append(f"{name}.png")
    return names


@contextmanager
def _folder_written_whole(target: Path, *, force: bool) -> Iterator[Path]:
    """Write a folder atomically, as `atomic_write` does a file."""
    if target.exists() and not force:
        raise OutputExistsError(target)
    if target.exists() and (
        not target.is_dir() or any(p.suffix != ".png" for p in target.iterdir())
    ):
        raise OutputError(f"{target} holds more than silhouettes: choose another name")
    make_folder(target.parent)
    token = secrets.token_hex(4)
    temporary = target.with_name(f".{target.name}.{token}.part")
    aside = target.with_name(f".{target.name}.{token}.old")
    try:
        try:
            temporary.mkdir()
            yield temporary
            if target.exists():
                os.replace(target, aside)
            os.replace(temporary, target)
        except OSError as error:
            if aside.exists() and not target.exists():
                os.replace(aside, target)
            raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(aside, ignore_errors=True)
