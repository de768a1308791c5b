"""Origin of a take: frames measured of those shown, live or captured, and the model."""

from __future__ import annotations

from dataclasses import dataclass

from pymaf_live.takes.library import StoredTake

_SPARSE = 0.9
"""Part of the frames below which a recording of a video is called sparse."""


@dataclass(frozen=True)
class Provenance:
    """Origin of a take."""

    measured: int
    """Frames that went through the network."""
    shown: int
    """Frames of the source in the same time."""
    captured: bool
    """Every frame of a video was measured; otherwise the take was recorded live."""
    model: str

    @property
    def sparse(self) -> bool:
        """True if more than a tenth of the frames of a live recording are interpolated."""
        return not self.captured and self.measured < _SPARSE * self.shown

    @property
    def text(self) -> str:
        """One line for the user."""
        model = f", model {self.model}" if self.model else ""
        if self.captured:
            return f"Captured: all {self.measured} frames were measured{model}."
        if self.measured >= self.shown:
            return f"Recorded live: {self.measured} frames were measured{model}."
        return (
            f"Recorded live: {self.measured} of {self.shown} frames were measured{model}; "
            "the rest is interpolated."
        )


def provenance_of(stored: StoredTake) -> Provenance:
    """Return the origin of a take."""
    take = stored.raw
    times = take.frame_time
    measured = len(times)
    shown = measured
    if measured > 1 and not take.picture_name:
        shown = max(measured, round(float((times[-1] - times[0]) * take.frame_rate)) + 1)
    return Provenance(measured, shown, stored.about.captured, take.model)
