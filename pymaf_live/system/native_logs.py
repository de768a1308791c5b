"""Keeping the log lines of native libraries off the terminal.

MediaPipe, TensorFlow Lite, absl, OpenCV's decoders, Qt and Mesa write to file descriptor 2
themselves; neither Python's logging nor their environment variables stop all of them.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator

# absl's "W0000 00:00:17...", TensorFlow Lite's "INFO: ...", absl's notice about itself
_LOG_LINE = re.compile(
    rb"(?:[IWE]\d{4} |INFO: |WARNING: Logging before |WARNING: All log messages)"
)

# the last words of a process that aborts
_FATAL_LINE = re.compile(
    rb"terminate called|\s*what\(\):|FATAL|Fatal |Assert|malloc|free\(|double free|corrupted|"
    rb".*(?:Qt platform plugin|could not connect to display|stack smashing|std::bad_alloc)"
)


def is_log_line(line: bytes) -> bool:
    """Return True if a line of the standard error stream is a native library's log line."""
    return _LOG_LINE.match(line) is not None


@contextlib.contextmanager
def suppress_native_logs() -> Iterator[None]:
    """Drop native log lines written inside the block; pass everything else on afterwards.

    For one short call. It swaps descriptor 2 for the whole process, so that other threads' output
    is held back too until the block ends.
    """
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:
        # no standard error stream, nothing to keep clean
        yield
        return
    try:
        with tempfile.TemporaryFile() as written:
            os.dup2(written.fileno(), 2)
            try:
                yield
            finally:
                with contextlib.suppress(OSError, ValueError, AttributeError):
                    sys.stderr.flush()
                os.dup2(saved, 2)
                written.seek(0)
                rest = b"".join(line for line in written if not is_log_line(line))
                if rest:
                    os.write(2, rest)
    finally:
        os.close(saved)


@contextlib.contextmanager
def filter_native_logs() -> Iterator[None]:
    """Keep the output of native code off the standard error stream while the block runs.

    For a whole program: MediaPipe's threads log at any time. `sys.stderr` bypasses the filter, so
    that it remains a terminal; a background thread passes on only the last words of a process that
    aborts.
    """
    try:
        saved = os.dup(2)
        read_end, write_end = os.pipe()
    except OSError:
        # no standard error stream, nothing to keep clean
        yield
        return
    previous = sys.stderr
    sys.stderr = open(  # noqa: SIM115
        saved,
        "w",
        buffering=1,
        # of the stream it stands in for, which PYTHONIOENCODING may have set
        encoding=getattr(previous, "encoding", None),
        errors="backslashreplace",
        closefd=False,
    )
    os.dup2(write_end, 2)
    os.close(write_end)

    def pass_on() -> None:
        with open(read_end, "rb") as lines:
            for line in lines:
                if _FATAL_LINE.match(line):
                    os.write(saved, line)

    filter_thread = threading.Thread(target=pass_on, name="stderr filter", daemon=True)
    filter_thread.start()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        # this closed the pipe's last write end, unless a native thread duplicated descriptor 2
        filter_thread.join(0.5)
        sys.stderr = previous
