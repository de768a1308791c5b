"""Motion of the camera of a run's video, with which feet are held in the world."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pymaf_live.types import FrameResult, SourceFacts

if TYPE_CHECKING:
    from pymaf_live.takes.take import Take
    from pymaf_live.tracking.camera_motion import CameraMotion


class CameraCheck:
    """Finds out how the camera moves while the frames of a video are estimated.

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

    def mark(self, take: Take, notices: list[str]) -> Take:
        """Return a take that tells how its camera moves, if it does, and say so in the notices."""
        motion = self._motion
        if motion is None or not motion.moves:
            return take
        turns = motion.turns(take.camera)
        if len(turns) != len(take.frame_time):
            return take
        notices.append("the camera moves; feet were held in place over the background")
        return replace(take, camera_motion=turns)
