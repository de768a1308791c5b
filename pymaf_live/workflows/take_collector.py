"""Collecting a pipeline's results into a take."""

from __future__ import annotations

from pymaf_live.body import Body
from pymaf_live.takes import TakeRecorder
from pymaf_live.takes.take import Take
from pymaf_live.types import FrameResult, SourceFacts


class Recording:
    """The results of a source, and the take that they make.

    Parameters
    ----------
    body : Body
    facts : SourceFacts
    smoothing : {'live', 'off', 'offline'}
        What the results went through; 'offline' records the measurements and smooths them in
        `take`. Separate pictures are never smoothed.
    """

    def __init__(self, body: Body, facts: SourceFacts, smoothing: str) -> None:
        self._body = body
        self._facts = facts
        self._smoothing = "off" if facts.kind == "pictures" else smoothing
        self._recorder: TakeRecorder | None = None
        self._first = 0.0
        self.frames = 0
        self.seconds = 0.0
        """From the first frame to the last."""

    def add(self, result: FrameResult, model: str) -> None:
        """Add a result; `model` is the name of the network that gave it.

        Raises
        ------
        InputError
            If the frame cannot be part of the take.
        """
        if self._recorder is None:
            # the model's name is known once there is a result
            offline = self._smoothing == "offline"
            self._recorder = TakeRecorder(
                self._body,
                self._facts,
                model=model,
                smoothing="off" if offline else self._smoothing,
                raw=offline,
            )
            self._first = result.frame.time
        if self._recorder.add(result):
            self.frames += 1
            self.seconds = result.frame.time - self._first

    def take(self) -> Take | None:
        """What was recorded so far; None before the first frame."""
        if self._recorder is None:
            return None
        take = self._recorder.take()
        if self._smoothing == "offline" and len(take.frame):
            from pymaf_live.motion import smooth_offline

            take = smooth_offline(take, self._body)
        return take
