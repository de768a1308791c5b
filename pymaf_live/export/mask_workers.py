"""Rendering of silhouettes in one or several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from pymaf_live.body import Body
from pymaf_live.errors import OutputError
from pymaf_live.export.png_1bit import BilevelFiles
from pymaf_live.rendering.silhouettes import SilhouetteRenderer
from pymaf_live.system.cpu import available_cores
from pymaf_live.types import Array, Camera, Ints

_MIN_PARALLEL_FRAMES = 300
"""Number of frames from which starting processes takes less time than it saves."""
_MAX_PROCESSES = 16
_THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""Environment variables that NumPy's linear algebra reads when it is loaded."""


@dataclass(frozen=True)
class MaskChunk:
    """Some consecutive frames of a take; R rows."""

    pose: Array
    """(R, J, 3)"""
    shape: Array
    """(R, S)"""
    translation: Array
    """(R, 3) m"""
    frame: Ints
    """(R,) index of the frame within the chunk."""
    cameras: tuple[Camera, ...]
    """Camera of each frame."""
    paths: tuple[Path, ...]
    """File of each frame."""


def write_chunks(chunks: list[MaskChunk], body: Body) -> Generator[int, None, None]:
    """Render and write chunks; yield the number of images after each step.

    Closing the generator stops all processes.

    Raises
    ------
    OutputError
        If an image cannot be written or a process dies.
    """
    processes = min(available_cores(), _MAX_PROCESSES, len(chunks))
    if processes < 2 or sum(len(chunk.paths) for chunk in chunks) < _MIN_PARALLEL_FRAMES:
        silhouettes, files = SilhouetteRenderer(body), BilevelFiles()
        for chunk in chunks:
            yield from _write_chunk(chunk, silhouettes, files)
        return
    yield from _write_parallel(chunks, body, processes)


def _write_parallel(chunks: list[MaskChunk], body: Body, count: int) -> Generator[int, None, None]:
    """Distribute chunks over processes; each gets the next one when it has finished."""
    # not forked, because this process has threads
    context = multiprocessing.get_context("spawn")
    remaining = iter(chunks)
    workers: list[BaseProcess] = []
    # True for connections whose worker has the body; the connection class depends on the platform
    connections: dict[Any, bool] = {}
    try:
        with _interrupts_blocked(), _single_threaded_children():
            for _ in range(count):
                ours, theirs = context.Pipe()
                workers.append(context.Process(target=_run_worker, args=(theirs,), daemon=True))
                workers[-1].start()
                # otherwise the end of the worker would not be noticed here
                theirs.close()
                connections[ours] = False
        while connections:
            ready: list[Any] = wait(list(connections))
            for connection in ready:
                yield _received_count(connection)
                if not connections[connection]:
                    connection.send(body)
                    connections[connection] = True
                chunk = next(remaining, None)
                connection.send(chunk)
                if chunk is None:
                    del connections[connection]
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def _received_count(connection: Any) -> int:
    try:
        message: int | str = connection.recv()
    except (EOFError, ConnectionError) as error:
        raise OutputError("a process that renders masks ended unexpectedly") from error
    if isinstance(message, str):
        raise OutputError(message)
    return message


def _run_worker(connection: Any) -> None:
    """Receive the body and chunks and write the images, in a process of its own.

    Sends the number of images after each chunk, or an error message.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # the main process may end at any time
    with suppress(EOFError, ConnectionError):
        connection.send(0)
        silhouettes, files = SilhouetteRenderer(connection.recv()), BilevelFiles()
        while (chunk := connection.recv()) is not None:
            try:
                written = sum(_write_chunk(chunk, silhouettes, files))
            except (OutputError, OSError) as error:
                connection.send(str(error))
                return
            connection.send(written)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Delay Ctrl-C until the block ends; child processes started in it never receive it.

    Ctrl-C reaches every process of a terminal; the main process ends its workers itself.
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
def _single_threaded_children() -> Iterator[None]:
    """Make child processes started in the block compute with one thread each."""
    added = {name: "1" for name in _THREAD_VARIABLES if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _write_chunk(
    chunk: MaskChunk, silhouettes: SilhouetteRenderer, files: BilevelFiles
) -> Iterator[int]:
    """Write the images of a chunk; yield 1 for each."""
    images = silhouettes.render(
        chunk.pose, chunk.shape, chunk.translation, chunk.frame, chunk.cameras
    )
    for path, bits, camera in zip(chunk.paths, images, chunk.cameras, strict=True):
        files.write(path, bits, camera.size)
        yield 1
