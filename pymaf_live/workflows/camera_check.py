"""Check of a run's video for a moving camera, which decides about the foot lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymaf_live.types import FrameResult, SourceFacts

if TYPE_CHECKING:
    from pymaf_live.tracking.camera_motion import CameraMotion


class CameraCheck:
    """Finds out if the camera moves while the frames of a video are estimated.

    Parameters
    ----------
    facts : SourceFacts
    wanted : bool
        False where the answer has no effect; nothing is computed then.
    """

    def __init__(self, facts: SourceFacts, *, wanted: bool) -> None:
        self._motion: CameraMotion | None = None
        if wanted and facts.kind == "video":
            from pymaf_live.tracking.camera_motion import CameraMotion

            self._motion = CameraMotion()

    def add(self, result: FrameResult) -> None:
        """Add the next frame and its people."""
        if self._motion is not None:
            boxes = [person.box for person in result.people]
            self._motion.add(result.frame.image, boxes, result.frame.time)

    def moves(self, notices: list[str]) -> bool:
        """Return True, and say so in the notices, if the camera moves."""
        if self._motion is None or not self._motion.moves:
            return False
        notices.append("the camera moves; feet were not held in place")
        return True
