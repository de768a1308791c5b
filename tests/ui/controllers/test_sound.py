"""Sound of videos and takes: what a fake device was given, against the images that were shown."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from pymaf_live.body import default_body
from pymaf_live.sources.sound import SAMPLE_RATE, Samples, SoundTrack
from pymaf_live.sources.video import VideoSource
from pymaf_live.takes.journal import TakeJournal
from pymaf_live.takes.library import JOURNAL, TakeLibrary
from pymaf_live.types import FrameResult
from pymaf_live.workflows.finalize import FinalizeOptions, finalize
from tests.helpers.paths import ROOT, SHARED
from tests.ui.conftest import OpenWindow
from tests.ui.fakes import FakeOutput, StandingEstimator, time_of_sample, write_clip_with_sound
from ui.app import WindowParts
from ui.controllers.sample_buffer import SampleBuffer
from ui.controllers.sound_clock import PlaybackClock
from ui.controllers.sound_player import SoundPlayer
from ui.state.window import Drawn, Phase, SourceChoice
from ui.system.sound_output import open_sound_output

LIMIT = 0.06
"""Seconds that sound and image may be apart."""
UNEVEN_LIMIT = 2 * LIMIT
"""Limit in a window on a busy machine, whose own images jump by more than that."""


@pytest.fixture(scope="module")
def loud_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip_with_sound(tmp_path_factory.mktemp("sound") / "loud.mov", frames=150)


class Listener:
    """A window with a fake sound device, and the images that it drew."""

    def __init__(self, open_window: OpenWindow, qtbot: QtBot) -> None:
        self.outputs: list[FakeOutput] = []
        self.drawn: list[tuple[float, float]] = []
        """`time.monotonic()` and time in the file of each image."""
        self.parts: WindowParts = open_window(open_output=self._open)
        self._qtbot = qtbot
        self._positions: dict[int, float] = {}
        state = self.parts.state
        state.sound.volume.set(1.0)
        state.result.watch(self._on_result)
        state.drawn.watch(self._on_drawn)

    def _open(self, fill: Callable[[int], Samples]) -> FakeOutput:
        self.outputs.append(FakeOutput(fill))
        return self.outputs[-1]

    def _on_result(self, result: FrameResult | None) -> None:
        if result is not None:
            frame = result.frame
            position = frame.time if frame.file_time is None else frame.file_time
            self._positions[frame.index] = position

    def _on_drawn(self, drawn: Drawn | None) -> None:
        if drawn is not None:
            self.drawn.append((time.monotonic(), self._positions[drawn.index]))

    def heard(self, since: float) -> list[tuple[float, float]]:
        """Return when and at which position of the file something was heard."""
        times = [(at, time_of_sample(value)) for at, value in self.outputs[-1].heard if at > since]
        return [(at, position) for at, position in times if position is not None]

    def deviation(self) -> float:
        """Return how far the sound is before the images, seconds, once the playback is even."""
        self._qtbot.wait(1000)
        begin = time.monotonic()
        # on a busy machine images are few, and come unevenly
        self._qtbot.waitUntil(
            lambda: len(self.heard(begin)) > 30 and sum(at > begin for at, _ in self.drawn) > 9,
            timeout=20_000,
        )
        speed, end = self.parts.state.speed.value, self.drawn[-1][0]
        images = [position - speed * at for at, position in self.drawn if at > begin]
        sound = [position - speed * at for at, position in self.heard(begin) if at < end]
        return float(np.median(sound) - np.median(images))

    def silent(self) -> bool:
        """Return True if nothing is heard from now on."""
        self._qtbot.wait(200)
        begin = time.monotonic() + FakeOutput.latency
        self._qtbot.wait(200)
        return not self.heard(begin)


def open_loud(listener: Listener, clip: Path, qtbot: QtBot) -> None:
    parts = listener.parts
    parts.window.open_choice(SourceChoice("file", str(clip), clip.name))
    qtbot.waitUntil(lambda: parts.state.sound.available.value, timeout=10_000)
    qtbot.waitUntil(lambda: parts.state.phase.value is Phase.PLAYING, timeout=20_000)


@pytest.mark.window
def test_sound_follows_the_video_through_seek_pause_speed_and_mute(
    open_window: OpenWindow, qtbot: QtBot, loud_clip: Path
) -> None:
    listener = Listener(open_window, qtbot)
    open_loud(listener, loud_clip, qtbot)
    parts = listener.parts
    assert abs(listener.deviation()) < UNEVEN_LIMIT
    control = parts.take_feature.video_bar.sound
    assert control.mute.isVisible()

    parts.controller.playback.pause()
    assert listener.silent()
    parts.controller.playback.seek(1.0)
    parts.state.speed.set(0.5)
    parts.controller.playback.resume()
    assert abs(listener.deviation()) < UNEVEN_LIMIT

    qtbot.mouseClick(control.mute, Qt.MouseButton.LeftButton)
    assert listener.silent()
    assert parts.state.sound.muted.value
    control.volume.setValue(50)
    assert not parts.state.sound.muted.value
    assert parts.state.sound.volume.value == 0.5


@pytest.mark.window
def test_sound_accompanies_the_review_of_a_take(
    open_window: OpenWindow, qtbot: QtBot, loud_clip: Path
) -> None:
    library, body, source = TakeLibrary(), default_body(), VideoSource(loud_clip)
    take = library.begin(loud_clip.name, loud_clip)
    journal = TakeJournal(library.folder(take) / JOURNAL, body, source.facts, model="fake 0")
    for frame in source.frames():
        journal.add(StandingEstimator().estimate(frame))
    journal.close()
    finalize(library, take, FinalizeOptions(0.5, body))
    listener = Listener(open_window, qtbot)
    parts = listener.parts
    parts.controller.takes.open(take)
    qtbot.waitUntil(lambda: parts.state.sound.available.value, timeout=20_000)
    parts.controller.review.seek(30)
    parts.controller.review.play()
    assert abs(listener.deviation()) < UNEVEN_LIMIT
    assert parts.take_feature.timeline.isVisible()
    parts.controller.sources.close()
    assert not parts.state.sound.available.value
    assert not parts.window.actions_.mute.isEnabled()


@pytest.mark.window
def test_without_a_device_or_sound_there_is_no_mute_button(
    open_window: OpenWindow, qtbot: QtBot, loud_clip: Path, clip: SourceChoice
) -> None:
    parts = open_window()  # no device
    for path in (str(loud_clip), clip.text):
        parts.window.open_choice(SourceChoice("file", path, "clip"))
        qtbot.waitUntil(lambda: parts.state.sources.position.value is not None, timeout=20_000)
        assert parts.controller.sound._player is not None
        qtbot.waitUntil(
            lambda: parts.controller.sound._player.available is False,  # type: ignore[union-attr]
            timeout=5000,
        )
        assert not parts.take_feature.video_bar.sound.mute.isVisible()
        assert parts.state.message.value is None


def test_a_missing_device_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    miniaudio = pytest.importorskip("miniaudio")

    def refuse(*_: object, **__: object) -> None:
        raise miniaudio.MiniaudioError("failed to init device", -200)

    monkeypatch.setattr(miniaudio, "PlaybackDevice", refuse)
    assert open_sound_output(lambda count: np.zeros((count, 2), np.float32)) is None


def test_every_sample_is_heard_within_60_ms_of_its_image(loud_clip: Path) -> None:
    now = 50.0
    player = SoundPlayer(loud_clip, lambda fill: _Silent(latency=0.08), clock=lambda: now)
    jitter = np.random.default_rng(0)
    position = 0.5
    worst = 0.0
    try:
        wait_until(lambda: player.available is not None)
        for speed, seek in ((1.0, None), (1.0, 3.0), (0.5, 1.0), (2.0, 1.5), (1.0, 0.2)):
            position = position if seek is None else seek
            for block in range(80):  # blocks of 10 ms, images of 25 per second
                if block % 4 == 0:
                    player.shown(position, now + jitter.uniform(-0.025, 0.025), speed)
                if block > 3:
                    heard = time_of_sample(float(audible(player)[240, 0]))
                    assert heard is not None
                    # half a block and the latency later than now
                    worst = max(worst, abs(heard - (position + speed * (0.08 + 0.005))) / speed)
                now += 0.01
                position += 0.01 * speed
    finally:
        player.close()
    assert worst < LIMIT


def test_the_library_is_quiet_and_asks_for_samples_at_their_rate() -> None:
    pytest.importorskip("miniaudio")
    # the null device of the library keeps time like a real one
    run = subprocess.run(
        [sys.executable, "-c", _REAL_LIBRARY], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert run.stderr == ""
    seconds, after_close = map(float, run.stdout.split())
    assert 0.3 < seconds < 2.0
    assert after_close == 0


_REAL_LIBRARY = """
import time, miniaudio, numpy as np
from ui.system import sound_output
counts = []
def fill(count):
    counts.append(count)
    return np.zeros((count, 2), np.float32)
output = sound_output.open_sound_output(fill)  # prints nothing, whether there is a device or not
if output is not None:
    output.close()
real = miniaudio.PlaybackDevice
miniaudio.PlaybackDevice = lambda **options: real(
    **{**options, "backends": [miniaudio.Backend.NULL]}
)
counts.clear()
output = sound_output.open_sound_output(fill)
time.sleep(0.5)
output.close()
asked = sum(counts)
time.sleep(0.1)
print(asked / 48000, sum(counts) - asked)
"""


@pytest.mark.parametrize("name", ["dance_three_portrait_audio", "street_people_audio"])
def test_a_real_clip_sounds_at_the_position_of_its_images(name: str) -> None:
    path = SHARED / "data/videos" / f"{name}.mp4"
    if not path.exists():
        pytest.skip("the clips are not here")
    now = 100.0

    player = SoundPlayer(path, lambda fill: _Silent(), clock=lambda: now)
    try:
        wait_until(lambda: player.available is not None)
        assert player.available
        played: list[Samples] = []
        begin = 1.0
        jitter = np.random.default_rng(0)
        for block in range(120):  # blocks of 10 ms, images of 25 per second with jitter
            if block % 4 == 0:
                shown = begin + block / 100
                player.shown(shown, now + jitter.uniform(-0.02, 0.02), 1.0)
            played.append(audible(player))
            now += 0.01
    finally:
        player.close()
    sound = np.concatenate(played)[:, 0][24_000:]
    reference = reference_of(path)
    # latency 0: the first sample kept is that of begin + 0.5 s
    start = round((begin + 0.5) * SAMPLE_RATE)
    reach = round(0.2 * SAMPLE_RATE)
    window = reference[start - reach : start + len(sound) + reach]
    match = fft_match(window, sound)
    lag = (int(np.argmax(match)) - reach) / SAMPLE_RATE
    assert abs(lag) < LIMIT


def test_late_images_do_not_shake_the_clock_but_shifts_and_seeks_move_it() -> None:
    clock = PlaybackClock()
    for index in range(50):
        clock.observe(index / 25, 10 + index / 25, 1.0)
    clock.observe(2.0, 12.3, 1.0)  # one image 0.3 s late
    assert clock.position(12.4) == pytest.approx(2.4, abs=0.02)
    for index in range(3):  # all of them are late now
        clock.observe(2.4 + index / 25, 12.7 + index / 25, 1.0)
    assert clock.position(13.0) == pytest.approx(2.7, abs=0.02)
    clock.observe(0.0, 13.0, 1.0)  # the video starts again
    assert clock.position(13.1) == pytest.approx(0.1)
    assert clock.position(15.0) is None  # no image for long


def test_a_gap_in_the_sound_is_silence_of_the_same_length() -> None:
    buffer = SampleBuffer()
    block = np.full((SAMPLE_RATE // 10, 2), 0.5, np.float32)
    buffer.restart(0.0)
    assert buffer.append(0.0, block)
    refused = 0
    while not buffer.append(3.0, block):
        refused += 1
    buffer.end()
    assert refused == 2
    step = 1 / SAMPLE_RATE
    for position, value in ((0.05, 0.5), (2.9, 0.0), (3.05, 0.5), (3.2, 0.0)):
        samples = buffer.read(position, step, 100)
        assert samples is not None
        assert samples[50, 0] == value


def test_a_file_without_sound_has_no_blocks(clip_path: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0" * 1000)
    for path in (clip_path, broken, tmp_path / "missing.mp4"):
        assert list(SoundTrack(path).blocks_from(0.0)) == []


class _Silent:
    def __init__(self, latency: float = 0.0) -> None:
        self.latency = latency

    def close(self) -> None:
        pass


def audible(player: SoundPlayer) -> Samples:
    """Return 10 ms of sound; the decoder needs real time, the fake clock does not."""
    end = time.monotonic() + 10
    while not (samples := player.fill(480)).any():
        assert time.monotonic() < end
        time.sleep(0.01)
    return samples


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def reference_of(path: Path) -> np.ndarray:
    sound = np.zeros(10 * SAMPLE_RATE)
    for seconds, block in SoundTrack(path).blocks_from(0.0):
        start = round(seconds * SAMPLE_RATE)
        part = sound[max(start, 0) : start + len(block)]
        part[:] = block[: len(part), 0]
    return sound


def fft_match(window: np.ndarray, sound: np.ndarray) -> np.ndarray:
    size = 1 << int(np.ceil(np.log2(len(window) + len(sound))))
    product = np.fft.rfft(window, size) * np.conj(np.fft.rfft(sound, size))
    return np.fft.irfft(product, size)[: len(window) - len(sound) + 1]
