"""Smooth a take of the library again from its measurement, in another way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pymaf_live.settings import DEFAULTS
from pymaf_live.system.reporter import SILENT, Reporter, raise_if_cancelled
from pymaf_live.takes.library import StoredTake
from pymaf_live.types import Legs
from pymaf_live.workflows.recoverable import finished_take


@dataclass(frozen=True)
class MotionOptions:
    """Processing of a take's measurement."""

    smoothing: Literal["refine", "offline", "off"] = "refine"
    """Optimise the motion as a whole, smooth it, or keep the measurement."""
    lock_feet: bool = False
    """Hold standing feet still where contact is certain."""
    strength: float = 0.5
    """Strength of the smoothing, 0..1."""
    legs: Legs = DEFAULTS.legs
    """Pose of legs that are not seen."""


def resmooth(stored: StoredTake, options: MotionOptions, reporter: Reporter = SILENT) -> StoredTake:
    """Return the take processed again from its measurement; trim, markers and names are kept.

    Parameters
    ----------
    stored : StoredTake
    options : MotionOptions
    reporter : Reporter

    Raises
    ------
    InputError
        If the body of the take is not installed.
    Interrupted
        If the user cancelled.
    """
    from pymaf_live.body.registry import body_by_hash
    from pymaf_live.motion import lock_feet

    body = body_by_hash(stored.raw.body_sha256)
    take = finished_take(
        stored.raw, options.smoothing, body, options.strength, reporter, options.legs
    )
    raise_if_cancelled(reporter, "the take was kept as it is")
    if options.lock_feet:
        take = lock_feet(take, body, "auto")
    shown = stored.take
    take = replace(
        take,
        smoothing=options.smoothing,
        trim=shown.trim,
        marker_frame=shown.marker_frame,
        marker_name=shown.marker_name,
        person_number=shown.person_number,
        person_name=shown.person_name,
    )
    about = stored.about.model_copy(update={"feet_locked": options.lock_feet})
    return StoredTake(about, take, stored.raw)
