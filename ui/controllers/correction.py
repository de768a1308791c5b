"""Re-estimate a person of the open take from a box that the user drew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pymaf_live.pipeline.estimator import EstimatorFactory
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.takes.library import StoredTake
from pymaf_live.types import Array
from pymaf_live.workflows.reestimate import ReestimateOptions, ReestimateResult, reestimate
from ui.controllers.messages import Messages
from ui.controllers.take_review import TakeReviewController
from ui.controllers.take_store import TakeStore
from ui.controllers.take_tasks import TakeTasks
from ui.state.commands import CorrectionCommands
from ui.state.take import TakesState
from ui.system.task import Task


class CorrectionController(CorrectionCommands):
    """Runs the re-estimation in a thread and applies its result as an edit.

    Parameters
    ----------
    state : TakesState
    take_tasks : TakeTasks
    store : TakeStore
    review : TakeReviewController
    options : callable
        Returns the current pipeline options.
    smoothing_strength : callable
        Returns the strength of the offline smoothing, 0..1.
    open_estimator : EstimatorFactory
    messages : Messages
    """

    def __init__(
        self,
        state: TakesState,
        take_tasks: TakeTasks,
        store: TakeStore,
        review: TakeReviewController,
        options: Callable[[], PipelineOptions],
        smoothing_strength: Callable[[], float],
        open_estimator: EstimatorFactory,
        messages: Messages,
    ) -> None:
        self._state = state
        self._take_tasks = take_tasks
        self._store = store
        self._review = review
        self._options = options
        self._smoothing_strength = smoothing_strength
        self._open_estimator = open_estimator
        self._messages = messages

    def reestimate(self, box: Array) -> None:
        """See `CorrectionCommands.reestimate`."""
        opened = self._state.opened.value
        if opened is None or not opened.has_images or self._take_tasks.has_cancellable:
            return
        self._review.pause()
        stored = opened.stored
        options = ReestimateOptions(
            self._state.playhead.value.frame,
            np.asarray(box, np.float64),
            pipeline=self._options(),
            smoothing_strength=self._smoothing_strength(),
            image_copies=self._store.library.image_copies(opened.id),
            open_estimator=self._open_estimator,
        )

        def done(result: ReestimateResult) -> None:
            current = self._state.opened.value
            if current is None or current.id != opened.id:
                return
            edited = current.stored.take  # trim and markers may have changed meanwhile
            take = replace(
                result.stored.take,
                trim=edited.trim,
                marker_frame=edited.marker_frame,
                marker_name=edited.marker_name,
            )
            corrections = result.stored.about.corrections
            about = current.stored.about.model_copy(update={"corrections": corrections})
            self._review.edit("correction", StoredTake(about, take, result.stored.raw))

        task = Task("Re-estimating…", can_cancel=True)
        self._take_tasks.submit(
            task, lambda task: reestimate(stored, options, task), done, self._messages.error
        )

    def cancel(self) -> None:
        """See `CorrectionCommands.cancel`."""
        self._take_tasks.cancel()
