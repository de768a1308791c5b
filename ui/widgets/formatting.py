"""Text formatting for display."""

from __future__ import annotations

import re


def clock(seconds: float) -> str:
    """Return minutes, seconds and tenths: 65.25 becomes '1:05.2'."""
    tenths = int(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def time_left(seconds: float) -> str:
    """Return a remaining time: '12 s left', '3 min left', '1 h 20 min left'."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s left"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min left"
    return f"{minutes // 60} h {minutes % 60} min left"


def sentence(text: str) -> str:
    """Return a text with a capital first letter and a full stop at the end."""
    text = text[:1].upper() + text[1:]
    return text if not text or text[-1] in ".!?" else f"{text}."


def breakable(text: str) -> str:
    """Return a text with invisible break points, so that long names without spaces can wrap."""
    text = re.sub(r"([_./\\-])(?=\w)", "\\1\u200b", text)
    return re.sub(r"([^\s\u200b]{24})(?=\S)", "\\1\u200b", text)
