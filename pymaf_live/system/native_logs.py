"""Keeping a native library's log lines off the terminal."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

# absl's "W0000 00:00:17...", TensorFlow Lite's "INFO: ...", absl's notice about itself
_LOG_LINE = re.compile(
    rb"(?:[IWE]\d{4} |INFO: |WARNING: Logging before |WARNING: All log messages)"
)


def is_log_line(line: bytes) -> bool:
    """Whether a line of the standard error stream is a native library's log."""
    return _LOG_LINE.match(line) is not None


@contextlib.contextmanager
def native_logs_dropped() -> Iterator[None]:
    """Drop log lines that native code writes to the standard error stream meanwhile.

    MediaPipe writes to the descriptor itself and heeds neither Python's logging nor absl's
    environment variables. All else that arrives meanwhile is passed on afterwards.
    """
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:
        # no standard error stream at all: nothing to keep clean
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
                os.dup2(kept, 2)
                written.seek(0)
                rest = b"".join(line for line in written if not is_log_line(line))
                if rest:
                    os.write(2, rest)
    finally:
        os.close(kept)
