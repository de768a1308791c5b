"""A log that a dying run leaves behind, and the finding of it by the next one."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import platform
import sys
import threading
import time
import traceback
from collections.abc import Callable
from importlib import metadata
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Any

import platformdirs
from PySide6.QtCore import QLockFile

from ui.state.preferences import CrashReport

_log = logging.getLogger(__name__)

_MOST_TEXT = 64_000
"""Letters of a log that are shown; a fault says what it has to say at the beginning."""
_KEPT = 3
_SILENT = "It left no trace: it was ended from outside, or the machine went off."


class CrashLog:
    """Writes faults of this process into a file that is there only if something went wrong.

    A crash in native code is written by `faulthandler`, with the stacks of all threads; errors that
    nobody caught by Python's own hooks. A run that is closed takes its file away, unless there is
    an error in it.

    Parameters
    ----------
    folder : Path, optional
        The user's folder for state by default.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or crash_logs_folder()
        self._path = self._folder / f"{int(time.time())}-{os.getpid()}.log"
        self._file: TextIOWrapper | None = None
        self._lock: QLockFile | None = None
        self._errors = 0
        self._undo: list[Callable[[], None]] = []

    def begin(self) -> None:
        """Write from now on; that it cannot be written is no reason not to start."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock_of(self._path)
            self._lock.tryLock(0)
            self._file = self._path.open("w", encoding="utf-8")
            self._file.write(_header())
            self._file.flush()
            faulthandler.enable(self._file, all_threads=True)
        except OSError as error:
            _log.warning("no log of this run: %s", error)
            self._file = None
            return
        self._catch_errors()

    def end(self) -> None:
        """The run is closed as it should be."""
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()
        if self._file is None:
            return
        faulthandler.disable()
        self._file.close()
        self._file = None
        if not self._errors:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.unlock()

    def note(
        self,
        kind: type[BaseException],
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write an error down; from any thread."""
        if self._file is None:
            return
        self._errors += 1
        if self._errors > 20:  # one that comes with every frame would fill the disk
            return
        with contextlib.suppress(OSError, ValueError):
            name = threading.current_thread().name
            lines = traceback.format_exception(kind, error, trace)
            self._file.write(f"\nIn the thread {name}:\n{''.join(lines)}")
            self._file.flush()

    def _catch_errors(self) -> None:
        before, before_thread = sys.excepthook, threading.excepthook

        def uncaught(
            kind: type[BaseException], error: BaseException, trace: TracebackType | None
        ) -> None:
            if not issubclass(kind, KeyboardInterrupt):
                self.note(kind, error, trace)
            before(kind, error, trace)

        def uncaught_in_thread(told: Any) -> None:
            self.note(told.exc_type, told.exc_value, told.exc_traceback)
            before_thread(told)

        def restore() -> None:
            sys.excepthook, threading.excepthook = before, before_thread

        sys.excepthook, threading.excepthook = uncaught, uncaught_in_thread
        self._undo.append(restore)


def crash_logs_folder() -> Path:
    """Where runs leave their logs."""
    return platformdirs.user_state_path("pymaf-live", appauthor=False) / "runs"


def latest_crash_report(folder: Path | None = None) -> CrashReport | None:
    """The newest run that ended badly, among those that do not run any more.

    Parameters
    ----------
    folder : Path, optional
        The user's folder for state by default. Of many logs the oldest are taken away.
    """
    folder = folder or crash_logs_folder()
    try:
        logs = sorted(folder.glob("*.log"), key=_start_of, reverse=True)
    except OSError:
        return None
    ended = [path for path in logs if not _is_running(path)]
    for path in ended[_KEPT:]:
        forget(path)
    for path in ended:
        try:
            with path.open("r", encoding="utf-8", errors="replace") as file:
                text = file.read(_MOST_TEXT)
        except OSError:
            continue
        faulted = "Fatal Python error" in text or "Windows fatal exception" in text
        traced = "In the thread" in text
        if not faulted and not traced:
            text = f"{text}\n{_SILENT}\n"
        return CrashReport(path, _start_of(path), text, fatal=faulted or not traced)
    return None


def forget(path: Path) -> None:
    """Take a log away."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        path.with_suffix(".lock").unlink(missing_ok=True)


def _lock_of(path: Path) -> QLockFile:
    lock = QLockFile(str(path.with_suffix(".lock")))
    lock.setStaleLockTime(0)  # only a process that is gone gives its lock up
    return lock


def _is_running(path: Path) -> bool:
    lock = _lock_of(path)
    if lock.tryLock(0):
        lock.unlock()
        return False
    return lock.error() == QLockFile.LockError.LockFailedError


def _start_of(path: Path) -> float:
    start = path.stem.partition("-")[0]
    return float(start) if start.isdecimal() and len(start) < 12 else 0.0


def _header() -> str:
    try:
        version = metadata.version("pymaf-live")
    except metadata.PackageNotFoundError:
        version = "not installed"
    return (
        f"PyMAF Live {version}, Python {platform.python_version()}, {platform.platform()}\n"
        f"Started {time.strftime('%Y-%m-%d %H:%M:%S')}\n"
    )
