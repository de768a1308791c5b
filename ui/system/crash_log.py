"""Log of a run that crashes, and its discovery by the next run."""

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

import platformdirs
from PySide6.QtCore import QLockFile

from ui.state.preferences import CrashReport

_log = logging.getLogger(__name__)

_MAX_TEXT = 64_000
"""Characters of a log that are shown; the cause of a crash is at the beginning."""
_MAX_ERRORS = 20
"""Errors per run that are written: one that comes with every frame would fill the disk."""
_MAX_LOGS = 3
_SEEN = ".seen"
"""Suffix of a log that the user has dismissed."""
_NO_TRACE = "The run left no trace: it was killed, or the computer was switched off."
_ERROR_MARK = "In the thread"


class CrashLog:
    """Log file of this process, which remains only if something went wrong.

    Crashes in native code are written by `faulthandler` with the stacks of all threads, uncaught
    exceptions by Python's hooks. Closing the program removes the file, unless it holds an error.

    Parameters
    ----------
    folder : Path, optional
        The user's state folder by default.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or crash_logs_folder()
        self._path = self._folder / f"{int(time.time())}-{os.getpid()}.log"
        self._file: TextIOWrapper | None = None
        self._lock: QLockFile | None = None
        self._errors = 0
        self._restore_hooks: Callable[[], None] | None = None

    def start(self) -> None:
        """Write from now on; a failure to create the file is logged and does not raise."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock_of(self._path)
            self._lock.tryLock(0)
            # it contains paths and the program's state: for its owner alone
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            self._file = os.fdopen(descriptor, "w", encoding="utf-8")
            self._file.write(_header())
            self._file.flush()
            faulthandler.enable(self._file, all_threads=True)
        except OSError as error:
            _log.warning("no crash log is written: %s", error)
            self._file = None
            return
        self._install_hooks()

    def stop(self) -> None:
        """End the log: the program is closed normally."""
        if self._restore_hooks is not None:
            self._restore_hooks()
            self._restore_hooks = None
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

    def add(
        self,
        kind: type[BaseException],
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write an exception; callable from any thread."""
        if self._file is None:
            return
        self._errors += 1
        if self._errors > _MAX_ERRORS:
            return
        with contextlib.suppress(OSError, ValueError):
            name = threading.current_thread().name
            lines = traceback.format_exception(kind, error, trace)
            self._file.write(f"\n{_ERROR_MARK} {name}:\n{''.join(lines)}")
            self._file.flush()

    def _install_hooks(self) -> None:
        hook, thread_hook = sys.excepthook, threading.excepthook

        def on_exception(
            kind: type[BaseException], error: BaseException, trace: TracebackType | None
        ) -> None:
            if not issubclass(kind, KeyboardInterrupt):
                self.add(kind, error, trace)
            hook(kind, error, trace)

        def on_thread_exception(arguments: threading.ExceptHookArgs) -> None:
            self.add(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
            thread_hook(arguments)

        def restore() -> None:
            sys.excepthook, threading.excepthook = hook, thread_hook

        sys.excepthook, threading.excepthook = on_exception, on_thread_exception
        self._restore_hooks = restore


def crash_logs_folder() -> Path:
    """Return the folder of the logs."""
    return platformdirs.user_state_path("pymaf-live", appauthor=False) / "runs"


def latest_crash_report(folder: Path | None = None) -> CrashReport | None:
    """Return the report of the newest run that ended badly; None if there is none.

    Logs of running processes are skipped, and all but the newest are deleted.

    Parameters
    ----------
    folder : Path, optional
        The user's state folder by default.
    """
    folder = folder or crash_logs_folder()
    try:
        logs = sorted(folder.glob("*.log"), key=_start_time, reverse=True)
    except OSError:
        return None
    ended = [path for path in logs if not _is_running(path)]
    seen = sorted(folder.glob(f"*{_SEEN}"), key=_start_time, reverse=True)
    for path in (*ended[_MAX_LOGS:], *seen[_MAX_LOGS:]):
        delete_log(path)
    for path in ended:
        try:
            with path.open("r", encoding="utf-8", errors="replace") as file:
                text = file.read(_MAX_TEXT)
        except OSError:
            continue
        crashed = "Fatal Python error" in text or "Windows fatal exception" in text
        has_exception = _ERROR_MARK in text
        if not crashed and not has_exception:
            text = f"{text}\n{_NO_TRACE}\n"
        return CrashReport(path, _start_time(path), text, fatal=crashed or not has_exception)
    return None


def mark_seen(path: Path) -> None:
    """Report a log no more; it stays beside the others until newer ones replace it."""
    with contextlib.suppress(OSError):
        path.replace(path.with_suffix(_SEEN))
        path.with_suffix(".lock").unlink(missing_ok=True)


def newest_log(folder: Path | None = None) -> Path | None:
    """Return the newest log of a run that ended badly, reported or not; None if there is none."""
    folder = folder or crash_logs_folder()
    logs = [path for path in folder.glob("*.log") if not _is_running(path)]
    return max([*logs, *folder.glob(f"*{_SEEN}")], key=_start_time, default=None)


def delete_log(path: Path) -> None:
    """Delete a log and its lock."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        path.with_suffix(".lock").unlink(missing_ok=True)


def _lock_of(path: Path) -> QLockFile:
    lock = QLockFile(str(path.with_suffix(".lock")))
    lock.setStaleLockTime(0)  # stale only once its process is gone
    return lock


def _is_running(path: Path) -> bool:
    lock = _lock_of(path)
    if lock.tryLock(0):
        lock.unlock()
        return False
    return lock.error() == QLockFile.LockError.LockFailedError


def _start_time(path: Path) -> float:
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
