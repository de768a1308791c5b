"""The public Python API."""

from __future__ import annotations

import doctest
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import pymaf_live as pl
from pymaf_live.body import default_body
from pymaf_live.system.bounded_queue import THREAD_PREFIX
from pymaf_live.workflows import api, track
from tests.helpers.clip import SIZE, write_boxes, write_clip
from tests.helpers.model import write_fake_model
from tests.helpers.paths import ROOT

FRAMES = 12


def running_threads() -> list[str]:
    """Names of the pipeline's threads that still run, after a moment to end."""
    limit = time.monotonic() + 3
    while time.monotonic() < limit:
        names = [t.name for t in threading.enumerate() if t.name.startswith(THREAD_PREFIX)]
        if not names:
            return []
        time.sleep(0.02)
    return names


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("api")
    write_fake_model(folder / "model.onnx", default_body())
    write_clip(folder / "walk.mp4", FRAMES)
    return folder


@pytest.fixture(scope="module")
def boxes(folder: Path) -> dict[str, np.ndarray]:
    content = json.loads(write_boxes(folder / "boxes.json", FRAMES).read_text())
    return {name: np.array(value, dtype=float) for name, value in content.items()}


@pytest.fixture(scope="module")
def take(folder: Path, boxes: dict[str, np.ndarray]) -> pl.Take:
    return pl.process(folder / "walk.mp4", model=folder / "model.onnx", boxes=boxes)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert running_threads() == []


def demo() -> pl.Tracking:
    return pl.track(ROOT / "resources" / "demo.mp4", model="lite")


def test_a_processed_video_is_a_take(take: pl.Take) -> None:
    assert take.joints.shape == (FRAMES, 24, 3)
    assert take.vertices(3).shape == (len(default_body().template), 3)
    assert take.faces.max() < len(default_body().template)
    assert take.camera.size == SIZE
    assert take.smoothing == "refine"
    json.dumps(take.to_dict())


def test_progress_rises_to_the_end(folder: Path, boxes: dict[str, np.ndarray]) -> None:
    reported: list[float | None] = []
    pl.process(
        folder / "walk.mp4",
        model=folder / "model.onnx",
        boxes=boxes,
        progress=lambda fraction, text: reported.append(fraction),
    )
    fractions = [each for each in reported if each is not None]
    assert fractions == sorted(fractions)
    assert fractions[-1] > 0.9


def test_an_exception_in_the_progress_callback_ends_the_work(
    folder: Path, boxes: dict[str, np.ndarray]
) -> None:
    def stop(fraction: float | None, text: str) -> None:
        raise TimeoutError("enough")

    with pytest.raises(TimeoutError, match="enough"):
        pl.process(folder / "walk.mp4", model=folder / "model.onnx", boxes=boxes, progress=stop)
    assert running_threads() == []


def test_a_take_is_exported_and_loaded(take: pl.Take, tmp_path: Path) -> None:
    reported: list[tuple[float | None, str]] = []
    files = pl.export(take, tmp_path / "a.npz", progress=lambda *each: reported.append(each))
    assert files == [tmp_path / "a.npz"]
    assert reported[-1] == (1.0, "writing a.npz")
    loaded = pl.load(str(files[0]))
    np.testing.assert_allclose(loaded.pose, take.pose, atol=1e-6)
    bvh = pl.export(take, str(tmp_path / "a.bvh"), rig="mixamo", rate=29.97)
    assert "mixamorig:Hips" in bvh[0].read_text()
    with pytest.raises(pl.OutputError):
        pl.export(take, tmp_path / "a.bvh")
    pl.export(take, tmp_path / "a.bvh", force=True)


def test_export_is_a_function_whatever_was_imported_before() -> None:
    code = (
        "import pymaf_live.export.formats, pymaf_live as pl; assert callable(pl.export);"
        "from pymaf_live import export; assert callable(export)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_an_image_gives_people(folder: Path) -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[120:360, 280:360] = 255
    model = folder / "model.onnx"
    (person,) = pl.estimate(image, model=model, boxes=np.array([[260, 100, 380, 380]]))
    assert isinstance(person, pl.Person)
    assert person.joints.shape == (24, 3)
    assert pl.estimate(np.full((48, 64, 3), 90, np.uint8), model=model) == []


def test_a_tracked_file_returns_every_frame_and_closes() -> None:
    results = list(zip(demo(), range(5), strict=False))
    assert [result.frame.index for result, _ in results] == [0, 1, 2, 3, 4]
    assert isinstance(results[0][0], pl.FrameResult)
    assert running_threads() == []


def test_a_loop_that_is_left_ends_the_threads() -> None:
    tracking = demo()
    for _result in tracking:
        break
    assert running_threads() == []
    assert list(tracking) == []


def test_an_exception_in_the_loop_ends_the_threads() -> None:
    def fail() -> None:
        for _result in demo():
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fail()
    assert running_threads() == []


def test_in_a_block_a_second_loop_continues() -> None:
    with demo() as tracking:
        seen = [next(tracking).frame.index]
        for _ in range(2):
            for result in tracking:
                seen.append(result.frame.index)
                break
        assert tracking.health.frames >= 3
    assert seen == [0, 1, 2]
    assert running_threads() == []


def test_a_tracker_that_was_never_iterated_ends() -> None:
    tracking = demo()
    del tracking
    assert running_threads() == []


def test_two_trackers_at_once_agree() -> None:
    with demo() as first, demo() as second:
        for _ in range(3):
            a, b = next(first), next(second)
            assert a.frame.index == b.frame.index
            np.testing.assert_allclose(a.people[0].joints, b.people[0].joints, atol=1e-4)


def test_a_tracker_works_in_another_thread() -> None:
    results: list[pl.FrameResult] = []

    def run() -> None:
        results.extend(result for result, _ in zip(demo(), range(3), strict=False))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    assert len(results) == 3


def test_realtime_plays_a_file_at_its_own_rate() -> None:
    tracking = pl.track(ROOT / "resources" / "demo.mp4", model="lite", realtime=True)
    times = [result.frame.time for result, _ in zip(tracking, range(4), strict=False)]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda folder: pl.process(folder / "missing.mp4"), pl.InputError),
        (lambda folder: pl.track(folder / "missing.mp4"), pl.InputError),
        (lambda folder: pl.process(folder / "walk.mp4", model="missing.onnx"), pl.ModelError),
        (lambda folder: pl.load(folder / "missing.npz"), pl.InputError),
        (lambda folder: pl.estimate(np.zeros((4, 4))), pl.InputError),
        (lambda folder: pl.estimate(np.zeros((0, 4, 3), np.uint8)), pl.InputError),
    ],
)
def test_errors_are_ours(folder: Path, call: object, error: type[pl.PymafLiveError]) -> None:
    assert issubclass(error, pl.PymafLiveError)
    with pytest.raises(error):
        call(folder)  # type: ignore[operator]


def test_export_errors_are_ours(take: pl.Take, tmp_path: Path) -> None:
    with pytest.raises(pl.UsageError):
        pl.export(take, tmp_path / "a.blend")
    with pytest.raises(pl.UsageError):
        pl.export(take, tmp_path / "a.npz", rig="unity")
    with pytest.raises(pl.UsageError):
        pl.export(take, tmp_path / "a.bvh", rate="often")


def test_ctrl_c_ends_a_script_and_its_threads() -> None:
    code = (
        "import threading, pymaf_live as pl\n"
        "try:\n"
        "    for result in pl.track('resources/demo.mp4', model='lite', realtime=True):\n"
        "        print('frame', flush=True)\n"
        "except KeyboardInterrupt:\n"
        "    print(len([t for t in threading.enumerate() if t.name.startswith('pymaf-live')]))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "frame\n"
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert output.splitlines()[-1] == "0"
    assert process.returncode == 0


_LEAVING = """
import pymaf_live as pl
from pymaf_live.resources import resource
tracking = pl.track(resource("demo.mp4"), model="lite")
next(tracking)
{}
"""


@pytest.mark.parametrize(("last", "code"), [("", 0), ("raise SystemExit(7)", 7), ("1 / 0", 1)])
def test_a_script_may_end_while_it_tracks(last: str, code: int) -> None:
    # the interpreter waited forever for a thread, or aborted (134)
    script = [sys.executable, "-c", _LEAVING.format(last)]
    finished = subprocess.run(script, cwd=ROOT, capture_output=True, timeout=300)
    assert finished.returncode == code, finished.stderr


def test_every_public_name_is_there() -> None:
    assert set(pl.__all__) <= set(dir(pl))
    for name in pl.__all__:
        assert getattr(pl, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pl.nothing


def test_the_examples_of_the_docstrings_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for module in (api, track, pl):
        assert doctest.testmod(module).failed == 0
