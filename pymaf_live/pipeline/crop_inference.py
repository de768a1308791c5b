"""Inference on people's crops, also ahead of time on the next frames.

While a frame is completed, inference on the next frames of a file has already started, so that two
requests run at once: each on a core of its own, which costs less than one request on all cores. A
further one is queued, so that no core idles between frames. A tracker with a lookahead predicts
where those crops lie (`TrackedCrop.upcoming_crops`); if a prediction turns out wrong, its request
is cancelled and another one started. Results therefore do not depend on what was prefetched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pymaf_live.inference.preprocess import ImagePyramid, cut, network_input
from pymaf_live.system.timing import measure_stage
from pymaf_live.tracking.temporal_denoise import RunningMean, blend
from pymaf_live.types import Crop, Estimate, Frame, Image

if TYPE_CHECKING:
    from pymaf_live.inference import Session
    from pymaf_live.inference.session import PendingBatch
    from pymaf_live.tracking import TrackedCrop

_MAX_BATCH = 8
"""Maximum number of crops per request; more people take several requests, to bound memory."""
_MAX_PREFETCHED = 8
"""Maximum number of people prefetched in all upcoming frames together, for the same reason."""


@dataclass(frozen=True)
class CropEstimate:
    """Result of the network for one crop."""

    crop: Crop
    levels: list[Estimate]
    """Coarsest first."""


class PendingCrop:
    """Inference on one crop that has been started; one share of a `PendingBatch`.

    Parameters
    ----------
    mean : RunningMean
        The denoised crop.
    previous : RunningMean or None
        The mean that it was averaged into.
    batch : PendingBatch
    index : int
        Position in the batch.
    """

    def __init__(
        self, mean: RunningMean, previous: RunningMean | None, batch: PendingBatch, index: int
    ) -> None:
        self.mean, self.batch = mean, batch
        self._previous, self._index = previous, index

    def matches(self, crop: Crop, previous: RunningMean | None) -> bool:
        """Return True if inference on `crop`, denoised with `previous`, would be the same."""
        if self.mean.crop is not crop:
            return False
        restarts = not any(
            mean is not None and mean.crop is crop for mean in (self._previous, previous)
        )
        return restarts or self._previous is previous

    def result(self, timings: dict[str, float]) -> CropEstimate:
        """Wait for the result; the request's run time is added to 'network' of `timings`."""
        return CropEstimate(self.mean.crop, self.batch.result(timings)[self._index])

    def cancel(self) -> None:
        """Give up the result; the request is cancelled once all its crops are."""
        self.batch.release()


class CropInference:
    """Cuts and denoises crops and runs the network on them.

    Parameters
    ----------
    session : Session
        Not closed here.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._means: dict[int, RunningMean] = {}
        """Running mean of each person's crop."""
        self._prefetched: list[tuple[Frame, dict[int, PendingCrop]]] = []
        """Upcoming frames in order, with the inference that was started for each person."""
        self._pyramids: list[ImagePyramid] = []

    def start(
        self, frame: Frame, crops: Sequence[TrackedCrop], timings: dict[str, float]
    ) -> list[PendingCrop]:
        """Start inference on the crops of a frame; prefetched results are used where they match.

        Parameters
        ----------
        frame : Frame
        crops : sequence of TrackedCrop
        timings : dict
            The milliseconds of 'crop' and 'network' are added.

        Returns
        -------
        list of PendingCrop
            One for each crop.
        """
        pending = self._take_prefetched(frame, crops)
        missing = [number for number in range(len(crops)) if number not in pending]
        batch_size, image = self._batch_size(), self._shared_image(frame.image, len(missing))
        for start in range(0, len(missing), batch_size):
            if start >= _MAX_BATCH:
                pending[missing[start - _MAX_BATCH]].result(timings)
            numbers = missing[start : start + batch_size]
            started = self._start_batch(
                image, [crops[number] for number in numbers], self._means, timings
            )
            pending.update(zip(numbers, started, strict=True))
        self._count_concurrent([pending[number] for number in missing])
        for number, crop in enumerate(crops):
            self._means[crop.person] = pending[number].mean
        return [pending[number] for number in range(len(crops))]

    def prefetch(
        self, frames: Sequence[Frame], crops: Sequence[TrackedCrop], timings: dict[str, float]
    ) -> None:
        """Start inference on upcoming frames, as far as their crops are predicted.

        Parameters
        ----------
        frames : sequence of Frame
            The next frames in order.
        crops : sequence of TrackedCrop
            Their `upcoming_crops` begin with the first of `frames`.
        timings : dict
            As for `start`.
        """
        if self._session.num_streams == 1:
            return
        prefetched, room = [], _MAX_PREFETCHED
        means: Mapping[int, RunningMean] = self._means
        for number, frame in enumerate(frames):
            predicted = [each for each in crops if number < len(each.upcoming_crops)][:room]
            room -= len(predicted)
            predicted = [replace(each, crop=each.upcoming_crops[number]) for each in predicted]
            pending = self._prefetch_frame(frame, predicted, means, timings)
            prefetched.append((frame, pending))
            means = {person: each.mean for person, each in pending.items()}
        for old_frame, old in self._prefetched:
            if not any(old_frame is frame for frame, _ in prefetched):
                _cancel_except(old, ())
        self._prefetched = prefetched

    def _prefetch_frame(
        self,
        frame: Frame,
        crops: Sequence[TrackedCrop],
        means: Mapping[int, RunningMean],
        timings: dict[str, float],
    ) -> dict[int, PendingCrop]:
        """Return the inference on an upcoming frame by person: what still matches, else new."""
        pending = self._still_matching(frame, crops, means)
        missing = [each for each in crops if each.person not in pending]
        image = self._shared_image(frame.image, len(missing))
        started: list[PendingCrop] = []
        # in the smallest batches that cost no more, so that a single crop can be cancelled
        batch_size = self._session.preferred_batch
        for start in range(0, len(missing), batch_size):
            batch = missing[start : start + batch_size]
            started += self._start_batch(image, batch, means, timings)
        self._count_concurrent(started)
        new = {crop.person: each for crop, each in zip(missing, started, strict=True)}
        return pending | new

    def _take_prefetched(
        self, frame: Frame, crops: Sequence[TrackedCrop]
    ) -> dict[int, PendingCrop]:
        """Return prefetched inference on a frame that matches, by index in `crops`."""
        pending: dict[int, PendingCrop] = {}
        if not self._prefetched or self._prefetched[0][0] is not frame:
            return pending
        _, prefetched = self._prefetched.pop(0)
        for number, crop in enumerate(crops):
            found = prefetched.get(crop.person)
            mean = self._means.get(crop.person)
            if found is not None and not crop.is_new and found.matches(crop.crop, mean):
                pending[number] = found
        _cancel_except(prefetched, pending.values())
        return pending

    def _still_matching(
        self, frame: Frame, crops: Sequence[TrackedCrop], means: Mapping[int, RunningMean]
    ) -> dict[int, PendingCrop]:
        """Return prefetched inference on an upcoming frame that still matches, by person."""
        for prefetched_frame, prefetched in self._prefetched:
            if prefetched_frame is frame:
                pending = {}
                for crop in crops:
                    found = prefetched.get(crop.person)
                    if found is not None and found.matches(crop.crop, means.get(crop.person)):
                        pending[crop.person] = found
                _cancel_except(prefetched, pending.values())
                return pending
        return {}

    def _count_concurrent(self, pending: Sequence[PendingCrop]) -> None:
        """Let each of several concurrent requests count only its share of the time."""
        batches = list({id(each.batch): each.batch for each in pending}.values())
        for batch in batches:
            batch.concurrent = min(len(batches), self._session.num_streams)

    def _shared_image(self, image: Image, crops: int) -> Image | ImagePyramid:
        """Return a frame for several crops: for one, halving only the part it reads is cheaper."""
        if crops < 2:
            return image
        for pyramid in self._pyramids:
            if pyramid.image is image:
                return pyramid
        # of the current frame and the next one
        self._pyramids = [*self._pyramids[-1:], ImagePyramid(image)]
        return self._pyramids[-1]

    def _batch_size(self) -> int:
        preferred = self._session.preferred_batch
        # with several streams, the network runs on some crops while the next ones are cut
        return preferred if preferred > 1 and self._session.num_streams > 1 else _MAX_BATCH

    def _start_batch(
        self,
        image: Image | ImagePyramid,
        crops: Sequence[TrackedCrop],
        means: Mapping[int, RunningMean],
        timings: dict[str, float],
    ) -> list[PendingCrop]:
        previous = [means.get(crop.person) for crop in crops]
        with measure_stage(timings, "crop"):
            denoised = [
                blend(old, crop.crop, cut(image, crop.crop))
                for old, crop in zip(previous, crops, strict=True)
            ]
            images = network_input(np.stack([mean.image for mean in denoised]))
        # the session reports the run time with the result: time spent waiting does not count
        batch = self._session.start(images)
        batch.shares = len(denoised)
        return [
            PendingCrop(mean, old, batch, index)
            for index, (mean, old) in enumerate(zip(denoised, previous, strict=True))
        ]


def _cancel_except(pending: Mapping[int, PendingCrop], wanted: Iterable[PendingCrop]) -> None:
    keep = list(wanted)
    for crop in pending.values():
        if not any(crop is each for each in keep):
            crop.cancel()
