"""Memory allocator settings for training."""

from __future__ import annotations

import ctypes


def keep_freed_memory() -> None:
    """Keep large freed blocks in the process; glibc returning them every step halves the speed."""
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, 2**31 - 1)
    libc.mallopt(top_pad, 256 * 2**20)
