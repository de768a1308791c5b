"""Reporter for tests."""

from __future__ import annotations

from pymaf_live.system.reporter import SilentReporter


class RecordingReporter(SilentReporter):
    """Records the fractions and cancels once one of them exceeds a limit.

    Parameters
    ----------
    cancel_after : float, optional
        Fraction above which the work is cancelled; by default never.
    """

    def __init__(self, cancel_after: float = 1.0) -> None:
        self.fractions: list[float] = []
        self._cancel_after = cancel_after

    def progress(self, fraction: float | None, detail: str = "") -> None:
        """Record the fraction."""
        assert fraction is not None
        self.fractions.append(fraction)

    def cancelled(self) -> bool:
        """Return True once a fraction exceeded the limit."""
        return bool(self.fractions) and max(self.fractions) > self._cancel_after
