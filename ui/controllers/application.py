"""Create the controllers, connect them and run them on the window's timer.

Controllers know no Qt. The timer calls `ApplicationController.tick`, which takes the newest result
and the outcomes of background tasks and writes them into the state. Anything slow (opening
cameras, files and models, closing them, exporting) runs in a thread of the `TaskRunner`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pymaf_live.body import Body
from pymaf_live.pipeline.estimator import EstimatorFactory
from pymaf_live.pipeline.estimator_factory import open_estimator
from pymaf_live.pipeline.health import Health
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline
from ui.controllers.batch import BatchController
from ui.controllers.cameras import find_cameras
from ui.controllers.capture import CaptureController
from ui.controllers.correction import CorrectionController
from ui.controllers.export import ExportController
from ui.controllers.figures import FiguresController
from ui.controllers.live_out import LiveOutController
from ui.controllers.messages import Messages
from ui.controllers.models import ModelController
from ui.controllers.motion import MotionController
from ui.controllers.people import PeopleController
from ui.controllers.playback import PlaybackController
from ui.controllers.problem_report import ReportController
from ui.controllers.recording import RecordingController
from ui.controllers.smoothing import SmoothingController, offline_strength
from ui.controllers.sound import SoundController
from ui.controllers.source_discovery import SourceDiscovery
from ui.controllers.source_session import OpenPipeline, SessionOpener
from ui.controllers.sources import SourceController
from ui.controllers.take_editing import TakeEditController
from ui.controllers.take_review import TakeReviewController
from ui.controllers.take_store import TakeStore
from ui.controllers.take_tasks import TakeTasks
from ui.controllers.takes import TakesController
from ui.state.window import Phase, SourceChoice, WindowState
from ui.system.sound_output import OpenOutput, open_sound_output
from ui.system.task_runner import TaskRunner

_CLOSE_SECONDS = 2.0


class ApplicationController:
    """All controllers of the window; implements `ui.state.commands.Commands`.

    Parameters
    ----------
    state : WindowState
        Written by the controllers.
    options : PipelineOptions, optional
        Options of the pipelines to open.
    open_pipeline : callable, optional
        Creates the pipeline of an open source without starting it.
    list_cameras : callable, optional
        Returns the cameras of this machine; may take a second.
    open_estimator : callable, optional
        Opens the estimator that re-estimates parts of a take.
    open_output : callable, optional
        Opens the output of sound.
    """

    def __init__(
        self,
        state: WindowState,
        options: PipelineOptions | None = None,
        *,
        open_pipeline: OpenPipeline = Pipeline,
        list_cameras: Callable[[], tuple[SourceChoice, ...]] = find_cameras,
        open_estimator: EstimatorFactory = open_estimator,
        open_output: OpenOutput = open_sound_output,
    ) -> None:
        self._state = state
        self._tasks = tasks = TaskRunner()
        self._messages = messages = Messages(state.message)
        self.discovery = SourceDiscovery(state, tasks, list_cameras, messages)
        self.opener = SessionOpener(open_pipeline)
        self.sources = SourceController(
            state, tasks, options or PipelineOptions(), self.opener, self.discovery, messages
        )
        self.batch = BatchController(
            state.batch,
            tasks,
            self._options,
            body_style=lambda: state.view.body_style.value,
        )
        self.live_out = LiveOutController(
            state.live_out, tasks, lambda target: target.open(state.body.value)
        )
        self.models = ModelController(
            state.models, tasks, self._options, self.sources.reconfigure, tell=messages.done
        )
        self.smoothing = SmoothingController(
            state.preferences, self._options, self.sources.update_parameters
        )
        self._take_tasks = TakeTasks(state.takes, tasks)
        self.store = TakeStore(state.takes, tasks, messages)
        self.recording = RecordingController(
            state, tasks, self._take_tasks, self.store, self._smoothing_strength, messages
        )
        self.review = TakeReviewController(
            state,
            tasks,
            self._take_tasks,
            self.store,
            self.sources.close,
            self.recording.latest_status,
        )
        self.takes = TakesController(
            state.takes,
            tasks,
            self._take_tasks,
            self.store,
            self.review,
            self.recording,
            messages,
        )
        self._create_take_editors(open_estimator)
        self.people = PeopleController(
            state,
            self.editing,
            self.live_out.choose,
            self._options,
            self.sources.reconfigure,
            messages.note,
        )
        self.export = ExportController(state, tasks, self.takes, self.store, messages)
        self.playback = PlaybackController(state.takes, self.sources, self.review)
        self._create_child_process_controllers()
        self.figures = FiguresController(state, self._health)
        self.sound = SoundController(state, tasks, open_output)
        self._connect()

    def _create_take_editors(self, open_estimator: EstimatorFactory) -> None:
        self.editing = TakeEditController(
            self._state.takes, self.review, lambda: self._state.people.selected_id.value
        )
        self.motion = MotionController(
            self._state.takes,
            self._take_tasks,
            self.review,
            self._smoothing_strength,
            lambda: self._state.preferences.legs.value,
            self._messages,
        )
        self.correction = CorrectionController(
            self._state.takes,
            self._take_tasks,
            self.store,
            self.review,
            self._options,
            self._smoothing_strength,
            open_estimator,
            self._messages,
        )

    def _create_child_process_controllers(self) -> None:
        self.capture = CaptureController(
            self._state,
            self._tasks,
            self.store,
            self.playback.pause,
            self.takes.open,
            self._options,
            self._smoothing_strength,
            self._messages,
            self.recording.find_interrupted,
        )
        self.report = ReportController(self._state, self._tasks, self._messages)

    def start(self) -> None:
        """Fill the start page and the list of takes."""
        self.discovery.find_demo()
        self.discovery.find_cameras()
        self.discovery.find_recent()
        self.store.refresh()
        self.recording.find_interrupted()

    @property
    def is_idle(self) -> bool:
        """True while the next tick has nothing urgent to do."""
        still = self._state.phase.value not in (Phase.OPENING, Phase.PLAYING)
        idle = self.recording.is_idle and self.review.is_idle
        return still and idle and not self._tasks.busy

    def tick(self) -> None:
        """Update the state; called up to 60 times per second, never blocks."""
        self._tasks.process_results()
        self.discovery.tick()
        self.live_out.tick()
        self.models.tick()
        self.batch.tick()
        self.capture.tick()
        self.export.tick()
        self.recording.tick()
        self._take_tasks.tick()
        self.review.tick()
        self.sources.tick()
        self.figures.tick()
        self.sound.tick()

    def close(self) -> bool:
        """End all threads within 2 s; return True if all have ended."""
        limit = time.monotonic() + _CLOSE_SECONDS
        self._messages.mute_cancellations()
        self.recording.close()
        self.takes.close()
        self._take_tasks.close()
        self.batch.close()
        self.capture.close()
        self.report.close()
        self.models.close()
        self.export.close()
        self.sources.shut_down()
        self.sound.close()
        self.live_out.close()
        return self._tasks.wait(limit - time.monotonic())

    def _connect(self) -> None:
        self.sources.on_opened += [self.live_out.attach_session, self.recording.source_opened]
        self.sources.on_closed += [
            self.recording.source_closed,
            self.review.put_away,
            self.live_out.detach,
            self.models.cancel_pending_change,
            self.figures.reset,
        ]
        self.sources.on_result.append(self.figures.add)
        self._state.body.watch(self._on_body_change)

    def _on_body_change(self, _: Body) -> None:
        if self._state.live_out.status.value.on:
            self.live_out.start()  # a stream has one body

    def _options(self) -> PipelineOptions:
        return self.sources.options

    def _smoothing_strength(self) -> float:
        return offline_strength(self.sources.options)

    def _health(self) -> Health | None:
        session = self.sources.session
        return session.pipeline.health if session is not None else None
