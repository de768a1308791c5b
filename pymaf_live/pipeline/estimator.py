"""Interface between the pipeline's inference thread and whatever estimates the people."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.types import Frame, FrameResult, SourceFacts


class FrameEstimator(ABC):
    """Turns frames into people, one frame after the other, in one thread.

    Only `estimate` must be implemented; everything else has a default that does nothing.
    """

    backend: str = ""
    """Inference back-end and its version."""
    detector: str = ""
    """Name of the person detector; empty where none is used."""
    model: str = ""
    """Name and version of the network."""
    precision: str = ""
    """Numeric precision of the network, such as 'f32'; empty if unknown."""
    notices: tuple[str, ...] = ()
    """Limitations the user should know of, such as a back-end that had to be replaced."""
    inspect: bool = False
    """Fill `FrameResult.level_traces` with the network's intermediate levels. May be set between
    two frames."""

    @property
    def lookahead_frames(self) -> int:
        """Number of upcoming frames that speed up `estimate` when they are passed to it."""
        return 0

    @abstractmethod
    def estimate(self, frame: Frame, upcoming: Sequence[Frame] = ()) -> FrameResult:
        """Estimate the people in a frame.

        Parameters
        ----------
        frame : Frame
            Frames must be passed in the order of their times.
        upcoming : sequence of Frame
            The next frames, up to `lookahead_frames`, as far as they have been read already. They
            only save time: results do not depend on them.
        """

    def prefetch(self, frames: Sequence[Frame]) -> None:
        """Start work in the background that later frames will need.

        Parameters
        ----------
        frames : sequence of Frame
            Frames that were read already and will be passed to `estimate` later, in order.
        """
        return None

    def adjust(self, options: PipelineOptions) -> None:
        """Apply the smoothing and the field of view of `options` from the next frame on."""
        return None

    def close(self) -> None:
        """Release models; called in the thread that ran `estimate`."""
        return None


EstimatorFactory = Callable[[SourceFacts, PipelineOptions], FrameEstimator]
"""Opens the estimator for a source; `estimator_factory.open_estimator` is the real one."""
