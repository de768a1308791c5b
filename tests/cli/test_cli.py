"""The command line: what it writes, what it says, and its exit codes."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.cli import app as cli
from pymaf_live.cli import progress
from pymaf_live.system.native_logs import is_log_line
from pymaf_live.takes import read_take
from pymaf_live.workflows.process import result_names
from tests.helpers.clip import SIZE, write_boxes, write_clip
from tests.helpers.model import write_fake_model
from tests.helpers.paths import ROOT
from tests.streaming.vmc_receiver import VmcReceiver


@dataclass(frozen=True)
class Work:
    """A folder with a film, its boxes and a model."""

    folder: Path
    model: Path
    clip: Path
    boxes: Path
    frames: int = 12


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    folder = tmp_path_factory.mktemp("work")
    return Work(
        folder,
        write_fake_model(folder / "made_up.onnx", default_body()),
        write_clip(folder / "walk.mp4", Work.frames),
        write_boxes(folder / "boxes.json", Work.frames),
    )


Run = Callable[..., tuple[int, str, list[str]]]


@pytest.fixture(autouse=True)
def no_progress_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine they would come between the lines that are counted."""
    monkeypatch.setattr(progress, "_LINE_SECONDS", 1e9)


def told(err: str) -> list[str]:
    """Lines of stderr without what MediaPipe's threads log; the program itself filters them.

    Nor the note on the camera's pitch: the made-up people stand upright in their crops and so lean
    before the camera.
    """
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if not is_log_line(line.encode())]
    return [line for line in lines if "corrected the camera" not in line]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], work: Work) -> Run:
    """Run `process` in this process: exit code, stdout, lines of stderr."""

    def process(*arguments: object, model: Path | None = None) -> tuple[int, str, list[str]]:
        given = ["process", *map(str, arguments), "--model", str(model or work.model)]
        code = cli.main(given)
        captured = capfd.readouterr()
        return code, captured.out, told(captured.err)

    return process


def partial_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if ".part" in path.name or ".probe" in path.name]


def frames_in(video: Path) -> int:
    with av.open(str(video)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_film_becomes_an_overlay_a_take_and_a_bvh(run: Run, work: Work, tmp_path: Path) -> None:
    code, out, lines = run(work.clip, "--out", tmp_path / "o", "--boxes", work.boxes)
    assert (code, lines) == (0, [])
    assert "1 person in 12 of 12 frames" in out
    files = sorted(path.name for path in (tmp_path / "o").iterdir())
    assert files == ["walk.bvh", "walk.npz", "walk_overlay.mp4"]
    take = read_take(tmp_path / "o" / "walk.npz")
    assert take.frame_time.tolist() == pytest.approx([i / 30 for i in range(12)], abs=1e-3)
    assert take.model == "fake 0"
    assert take.smoothing == "live"
    assert frames_in(tmp_path / "o" / "walk_overlay.mp4") == 12
    bvh = (tmp_path / "o" / "walk.bvh").read_text()
    assert "Frames: 12" in bvh
    assert "Frame Time: 0.0333333" in bvh


def test_the_overlay_shows_the_body(run: Run, work: Work, tmp_path: Path) -> None:
    picture = tmp_path / "one.png"
    image = np.zeros((480, 640, 3), np.uint8)
    image[120:360, 280:360] = 255
    cv2.imwrite(str(picture), image)
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({"one.png": [[260, 100, 380, 380]]}))
    code, _, _ = run(picture, "--out", tmp_path / "o", "--boxes", boxes)
    assert code == 0
    drawn = cv2.imread(str(tmp_path / "o" / "one_overlay.png"))
    changed = np.abs(drawn.astype(int) - image).max(axis=2) > 30
    take = read_take(tmp_path / "o" / "one.npz")
    x0, y0, x1, y1 = take.box[0]
    inside = np.zeros_like(changed)
    inside[max(0, int(y0) - 60) : int(y1) + 60, max(0, int(x0) - 60) : int(x1) + 60] = True
    assert changed.sum() > 1000
    assert (changed & ~inside).sum() < 0.02 * changed.sum()
    assert take.picture_name == ("one.png",)
    assert take.smoothing == "off"


def test_the_summary_as_json(run: Run, work: Work, tmp_path: Path) -> None:
    code, out, _ = run(
        work.clip, "--out", tmp_path, "--boxes", work.boxes, "--no-overlay", "--json",
        "--export", "npz",
    )  # fmt: skip
    summary = json.loads(out)
    assert code == summary["exit_code"] == 0
    assert summary["errors"] == {}
    assert summary["inputs"][0]["rows"] == 12
    assert summary["inputs"][0]["files"] == [str(tmp_path / "walk.npz")]
    assert set(summary["inputs"][0]["milliseconds"]) >= {"decode", "network", "smooth"}


def test_nobody_in_a_film_is_no_error(run: Run, tmp_path: Path) -> None:
    grey = write_clip(tmp_path / "grey.mp4", 10, figure=False)
    code, out, lines = run(grey, "--out", tmp_path / "o")
    assert (code, lines) == (0, [])
    assert "no people in 10 frames" in out
    take = read_take(tmp_path / "o" / "grey.npz")
    assert len(take.frame) == 0
    assert len(take.frame_time) == 10
    assert frames_in(tmp_path / "o" / "grey_overlay.mp4") == 10
    assert not list((tmp_path / "o").glob("*.bvh"))


@pytest.mark.parametrize("smoothing", ["offline", "live", "off"])
def test_smoothing_is_written_into_the_take(
    run: Run, work: Work, tmp_path: Path, smoothing: str
) -> None:
    code, _, _ = run(
        work.clip, "--out", tmp_path, "--boxes", work.boxes, "--no-overlay", "--smooth", smoothing
    )
    assert code == 0
    assert read_take(tmp_path / "walk.npz").smoothing == smoothing


def test_a_folder_is_one_input_with_an_overlay_a_picture(
    run: Run, work: Work, tmp_path: Path
) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    boxes = {}
    # grey, with alpha, 16 bits, tiny, and two of one stem
    images = {
        "a.jpg": np.full((90, 70), 120, np.uint8),
        "b.png": np.zeros((60, 80, 4), np.uint8),
        "c.png": np.full((50, 50, 3), 40000, np.uint16),
        "d.png": np.zeros((1, 1, 3), np.uint8),
        "e.bmp": np.zeros((64, 64, 3), np.uint8),
        "e.png": np.zeros((64, 64, 3), np.uint8),
    }
    for name, image in images.items():
        cv2.imwrite(str(folder / name), image)
        boxes[name] = [[0, 0, image.shape[1], image.shape[0]]]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    code, _, lines = run(folder, "--out", tmp_path / "o", "--boxes", tmp_path / "boxes.json")
    assert (code, lines) == (0, [])
    take = read_take(tmp_path / "o" / "album.npz")
    assert take.picture_name == tuple(images)
    assert take.picture_camera is not None
    assert take.picture_camera[:, :2].tolist() == [
        [i.shape[1], i.shape[0]] for i in images.values()
    ]
    overlays = sorted(path.name for path in (tmp_path / "o" / "album_overlay").iterdir())
    assert overlays == [
        "a_overlay.jpg", "b_overlay.png", "c_overlay.png", "d_overlay.png", "e_2_overlay.png",
        "e_overlay.png",
    ]  # fmt: skip
    one = cv2.imread(str(tmp_path / "o" / "album_overlay" / "a_overlay.jpg"))
    assert one.shape == (90, 70, 3)


def test_a_large_picture_stays_its_size(run: Run, work: Work, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "large.jpg"), np.full((4320, 7680, 3), 60, np.uint8))
    (tmp_path / "b.json").write_text('{"large.jpg": [[3000, 1000, 4000, 3500]]}')
    code, _, lines = run(
        tmp_path / "large.jpg", "--out", tmp_path / "o", "--boxes", tmp_path / "b.json"
    )
    assert (code, lines) == (0, [])
    assert cv2.imread(str(tmp_path / "o" / "large_overlay.jpg")).shape == (4320, 7680, 3)


def test_inputs_of_one_name_do_not_overwrite_each_other(
    run: Run, work: Work, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = write_clip(tmp_path / "other" / "walk.mp4", 4)
    boxes = write_boxes(tmp_path / "b.json", 4)
    code, _, _ = run(work.clip, other, "--out", tmp_path / "o", "--boxes", boxes, "--no-overlay")
    assert code == 0
    assert len(read_take(tmp_path / "o" / "walk.npz").frame_time) == 12
    assert len(read_take(tmp_path / "o" / "walk_2.npz").frame_time) == 4


def test_result_names_are_safe_and_never_the_same() -> None:
    names = result_names(
        ["a/clip.mp4", "b/CLIP.mov", "clip_2.avi", "dance.mp4", "dance_person3.mp4",
         "http://host/x/live.m3u8?key=1", "shots/*.jpg", "strange:name|.mp4"]
    )  # fmt: skip
    assert names[:3] == ["clip", "CLIP_2", "clip_2_2"]
    assert names[3:5] == ["dance", "dance_person3_2"]
    assert names[5:] == ["live", "shots", "strange_name_"]
    assert len({name.casefold() for name in names}) == len(names)


def test_results_that_exist_are_kept_unless_forced(run: Run, work: Work, tmp_path: Path) -> None:
    arguments = (work.clip, "--out", tmp_path, "--boxes", work.boxes, "--no-overlay")
    (tmp_path / "walk_person2.bvh").write_text("precious")
    code, _, lines = run(*arguments)
    assert code == 4
    assert len(lines) == 1
    assert "walk_person2.bvh" in lines[0]
    assert "--force" in lines[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["walk_person2.bvh"]
    assert run(*arguments, "--force")[0] == 0
    assert (tmp_path / "walk.npz").is_file()


def cut_in_half(path: Path, source: Path) -> Path:
    content = source.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


BAD_INPUTS: dict[str, Callable[[Path, Work], Path]] = {
    "missing": lambda folder, work: folder / "missing.mp4",
    "empty": lambda folder, work: _written(folder / "empty.mp4", b""),
    "truncated": lambda folder, work: cut_in_half(folder / "cut.mp4", work.clip),
    "no video": lambda folder, work: _written(folder / "text.mp4", b"not a video\n" * 100),
    "no picture": lambda folder, work: _written(folder / "text.jpg", b"not a picture\n" * 100),
    "folder without pictures": lambda folder, work: _folder(folder / "nothing"),
}


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    (path / "notes.txt").write_text("no picture")
    return path


@pytest.mark.parametrize("kind", BAD_INPUTS)
def test_an_input_that_cannot_be_used_is_told_in_one_line(
    run: Run, work: Work, tmp_path: Path, kind: str
) -> None:
    bad = BAD_INPUTS[kind](tmp_path, work)
    code, _, lines = run(bad, "--out", tmp_path / "o")
    assert code == 3
    assert len(lines) == 1, lines
    assert bad.name in lines[0]
    assert list((tmp_path / "o").iterdir()) == []


def test_a_line_break_in_a_file_name_does_not_break_the_line(run: Run, tmp_path: Path) -> None:
    code, _, lines = run(tmp_path / "two\nlines\x1b[31m.mp4", "--out", tmp_path / "o")
    assert code == 3
    assert len(lines) == 1
    assert "\x1b" not in lines[0]


def test_one_bad_input_does_not_stop_the_others(run: Run, work: Work, tmp_path: Path) -> None:
    code, _, lines = run(
        tmp_path / "missing.mp4", work.clip, "--out", tmp_path / "o", "--no-overlay",
        "--boxes", work.boxes,
    )  # fmt: skip
    assert code == 1
    assert all("missing.mp4" in line for line in lines)
    assert (tmp_path / "o" / "walk.npz").is_file()


def test_an_unreadable_picture_among_others_is_named(run: Run, work: Work, tmp_path: Path) -> None:
    folder = _folder(tmp_path / "album")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    cv2.imwrite(str(folder / "good.jpg"), np.zeros((40, 40, 3), np.uint8))
    code, _, lines = run(folder, "--out", tmp_path / "o", "--no-overlay")
    assert code == 1
    assert len(lines) == 1
    assert "broken.jpg" in lines[0]
    assert read_take(tmp_path / "o" / "album.npz").picture_name == ("good.jpg",)


BAD_BOXES = {
    "not JSON": "{",
    "a list": "[1, 2]",
    "NaN": '{"0": [[0, 0, NaN, 10]]}',
    "infinite": '{"0": [[0, 0, 1e999, 10]]}',
    "huge": '{"0": [[0, 0, 1e30, 10]]}',
    "many digits": '{"0": [[0, 0, ' + "9" * 5000 + ", 10]]}",
    "three numbers": '{"0": [[0, 0, 10]]}',
    "text": '{"0": [["a", 0, 10, 10]]}',
    "true": '{"0": [[true, 0, 10, 10]]}',
    "no extent": '{"0": [[10, 10, 10, 20]]}',
    "the same box twice": '{"0": [[0, 0, 10, 20], [5, 5, 9, 9], [0, 0, 10, 20]]}',
    "not a list": '{"0": {"x": 1}}',
    "another picture": '{"walk2.jpg": [[0, 0, 10, 10]]}',
    "a frame past the end": '{"12": [[0, 0, 10, 10]]}',
    "deep": "[" * 100_000,
    "too many": json.dumps({"0": [[0, 0, 10, 10]] * 1000}),
}


@pytest.mark.parametrize("kind", BAD_BOXES)
def test_a_boxes_file_that_is_wrong_is_refused_before_any_work(
    run: Run, work: Work, tmp_path: Path, kind: str
) -> None:
    boxes = tmp_path / "boxes.json"
    boxes.write_text(BAD_BOXES[kind])
    code, _, lines = run(work.clip, "--out", tmp_path / "o", "--boxes", boxes)
    assert code == 3
    assert len(lines) == 1, lines
    assert "boxes.json" in lines[0]
    assert len(lines[0]) < 400
    assert not (tmp_path / "o").exists()


def test_an_output_folder_that_cannot_be_is_told(run: Run, work: Work, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, lines = run(work.clip, "--out", tmp_path / "file" / "o")
    assert code == 4
    assert len(lines) == 1


def test_a_model_that_is_none_is_told(run: Run, work: Work, tmp_path: Path) -> None:
    text = _written(tmp_path / "model.onnx", b"no model")
    for model in (text, tmp_path / "missing.onnx"):
        code, _, lines = run(work.clip, "--out", tmp_path / "o", model=model)
        assert code == 5
        assert len(lines) == 1, lines
        assert model.name in lines[0]
    assert partial_files(tmp_path) == []
    assert not list((tmp_path / "o").glob("*")) if (tmp_path / "o").exists() else True


@pytest.mark.parametrize(
    "arguments",
    [
        ["process"],
        ["process", "a.mp4"],
        ["process", "a.mp4", "--out", "o", "--people", "0"],
        ["process", "a.mp4", "--out", "o", "--export", "dwg"],
        ["process", "a.mp4", "--out", "o", "--smooth", "much"],
        ["procces", "a.mp4"],
        ["export", "a.npz", "--to", "a.xyz"],
        ["live", "--record", "a.mp4"],
        ["bench", "--mediapipe-task", "a.task"],
        ["doctor", "--unknown"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_code_2(
    capfd: pytest.CaptureFixture[str], work: Work, arguments: list[str]
) -> None:
    if arguments[0] == "process":
        arguments = [*arguments, "--model", str(work.model)]
    assert cli.main(arguments) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert len(told(captured.err)) == 1


def test_a_take_is_exported_and_read_again(
    run: Run, work: Work, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run(work.clip, "--out", tmp_path, "--boxes", work.boxes, "--no-overlay", "--export", "npz")
    take = tmp_path / "walk.npz"
    targets = [tmp_path / "a.bvh", tmp_path / "b.npz"]
    assert cli.main(["export", str(take), "--to", *map(str, targets)]) == 0
    assert [path.is_file() for path in targets] == [True, True]
    assert read_take(targets[1]).frame_time.tolist() == read_take(take).frame_time.tolist()
    assert cli.main(["export", str(take), "--to", str(targets[0])]) == 4
    assert cli.main(["export", str(take), "--to", str(targets[0]), "--force", "--unit", "m"]) == 0
    assert cli.main(["export", str(take), "--to", str(take), "--force"]) == 2
    assert cli.main(["export", str(tmp_path / "no.npz"), "--to", str(tmp_path / "c.bvh")]) == 3
    capfd.readouterr()


def test_live_records_for_so_long_and_saves(
    work: Work, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    film = write_clip(tmp_path / "long.mp4", 240)
    target = tmp_path / "take.npz"
    code = cli.main(
        ["live", "--source", str(film), "--record", str(target), "--seconds", "1",
         "--model", str(work.model)]
    )  # fmt: skip
    captured = capfd.readouterr()
    assert (code, told(captured.err)) == (0, [])
    take = read_take(target)
    assert 0.9 < take.frame_time[-1] - take.frame_time[0] < 2.5
    assert cli.main(["live", "--source", str(film), "--record", str(target)]) in (4, 5)


def test_live_streams_what_it_sees(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    receiver = VmcReceiver()
    try:
        code = cli.main(
            ["live", "--source", str(ROOT / "resources/demo.mp4"), "--seconds", "2",
             "--model", "lite", "--vmc", f"localhost:{receiver.port}"]
        )  # fmt: skip
        out, err = capfd.readouterr()
        assert (code, told(err)) == (0, [])
        said = re.match(r"(\d+) poses sent to localhost", out)
        assert said is not None, out
        sent = int(said[1])
        assert sent >= 1  # a busy machine drops many
        receiver.wait(lambda: receiver.messages[-2] == ("/VMC/Ext/OK", (1, 3, 0, 0)))
        hips = [values for _, values in receiver.messages if values[0] == "Hips"]
        assert len(hips) == sent
        assert 0.5 < hips[0][2] < 1.3  # above the ground
    finally:
        receiver.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--record"),
        (["--vmc", "127.0.0.1:0"], "1 to 65535"),
        (["--vmc", "http://there"], "no port"),
        (["--vmc", ":39540", "--vmc", "127.0.0.1:39540"], "give each a port"),
    ],
)
def test_live_says_in_one_line_what_it_lacks(
    arguments: list[str], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["live", "--source", "no-such-film.mp4", *arguments]) == 2
    (line,) = told(capfd.readouterr().err)
    assert words in line


def command(*arguments: object) -> list[str]:
    return [sys.executable, str(ROOT / "main.py"), *map(str, arguments)]


LONG = 2000
"""Frames; several times what this machine does before the test interrupts it."""


@pytest.fixture
def running(tmp_path: Path, work: Work) -> Iterator[subprocess.Popen[str]]:
    """`process` on a film that takes a while, its overlay begun."""
    film = write_clip(tmp_path / "long.mp4", LONG, size=(64, 48), noise=60)
    boxes = write_boxes(tmp_path / "b.json", LONG, size=(64, 48), every=50)
    process = subprocess.Popen(
        command("process", film, "--out", tmp_path / "o", "--boxes", boxes, "--model", work.model),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    limit = time.monotonic() + 25
    # the file is there from the start; some kilobytes mean that pictures are in it
    while time.monotonic() < limit and not any(
        path.stat().st_size > 4096 for path in (tmp_path / "o").glob(".long_overlay*")
    ):
        time.sleep(0.1)
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_complete_files_of_what_was_done(
    running: subprocess.Popen[str], tmp_path: Path, number: signal.Signals
) -> None:
    assert running.poll() is None, "the film was too short for this machine"
    running.send_signal(number)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "pymaf-live: " not in err
    told(err)
    files = sorted(path.name for path in (tmp_path / "o").iterdir())
    assert files == ["long.bvh", "long.npz", "long_overlay.mp4"]
    take = read_take(tmp_path / "o" / "long.npz")
    assert 0 < len(take.frame_time) < LONG
    assert frames_in(tmp_path / "o" / "long_overlay.mp4") == len(take.frame_time)


def test_a_second_ctrl_c_gives_up_and_leaves_no_half_file(
    running: subprocess.Popen[str], tmp_path: Path
) -> None:
    running.send_signal(signal.SIGINT)
    time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    start = time.monotonic()
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert time.monotonic() - start < 15
    assert "Traceback" not in err
    assert partial_files(tmp_path) == []


def test_a_full_disk_is_told_and_leaves_nothing(work: Work, tmp_path: Path) -> None:
    film = write_clip(tmp_path / "film.mp4", 60, size=(320, 240))
    boxes = write_boxes(tmp_path / "b.json", 60, size=(320, 240))

    def small_files() -> None:
        # the nearest to a full disk that needs no rights: no file may grow past this
        resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))

    done = subprocess.run(
        command("process", film, "--out", tmp_path / "o", "--boxes", boxes, "--model", work.model),
        capture_output=True,
        text=True,
        preexec_fn=small_files,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        timeout=120,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert len([line for line in told(done.stderr) if line.startswith("pymaf-live: ")]) == 1
    assert list((tmp_path / "o").iterdir()) == []


def test_importing_the_library_loads_nothing_heavy() -> None:
    heavy = ("torch", "PySide6", "vispy", "mediapipe", "openvino", "filterpy", "matplotlib")
    modules = (
        "pymaf_live",
        "pymaf_live.cli.app",
        "pymaf_live.pipeline.pipeline",
        "pymaf_live.workflows.process",
    )
    code = (
        f"import sys, {', '.join(modules)}; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"


def test_without_a_screen_the_window_says_what_works_instead() -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    done = subprocess.run(
        command(), capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "process" in done.stderr


def test_entry_sends_commands_to_the_command_line_and_files_to_the_window(
    monkeypatch: pytest.MonkeyPatch, work: Work
) -> None:
    from ui import entry

    windows: list[Sequence[str]] = []
    commands: list[Sequence[str]] = []
    monkeypatch.setattr(entry, "_open_window", lambda given: windows.append(given) or 0)
    monkeypatch.setattr(cli, "main", lambda given: commands.append(given) or 0)
    for given in ([], [str(work.clip)], ["0"], ["http://a/b"], ["--model", "x.onnx"]):
        entry.main(given)
    assert len(windows) == 5
    for given in (["process", "x"], ["--help"], ["proces"], ["doctor"], ["--version"]):
        entry.main(given)
    assert len(commands) == 5


def test_the_doctor_reports_and_its_exit_code_follows(
    capfd: pytest.CaptureFixture[str],
) -> None:
    code = cli.main(["doctor", "--json"])
    report = json.loads(capfd.readouterr().out)
    assert report["exit_code"] == code
    states = {check["name"]: check["state"] for check in report["checks"]}
    assert states["body"] == "ok"
    assert {"rendering", "window", "camera", "person detector"} <= set(states)
    assert all(check["remedy"] for check in report["checks"] if check["state"] != "ok")
    broken = [name for name, state in states.items() if state == "broken"]
    assert bool(broken) == (code != 0)


def test_clip_and_boxes_belong_together() -> None:
    # guards the fixtures: the figure stays inside the picture
    assert SIZE[0] * 2 // 5 + SIZE[0] // 8 + SIZE[0] // 6 < SIZE[0]


def test_a_missing_system_library_is_told_with_what_to_do(tmp_path: Path) -> None:
    """On a bare server OpenCV's wheel does not load for want of libGL."""
    broken = tmp_path / "cv2"
    broken.mkdir()
    reason = "libGL.so.1: cannot open shared object file: No such file or directory"
    (broken / "__init__.py").write_text(f"raise ImportError({reason!r})")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    picture = tmp_path / "a.png"
    picture.write_bytes(b"x")

    def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "main.py"), *arguments]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    done = ran("process", str(picture), "--out", str(tmp_path / "out"))
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) == 1
    assert "libGL.so.1" in done.stderr
    assert "doctor" in done.stderr
    looked = ran("doctor")
    assert looked.returncode == 5
    assert "apt install libgl1" in looked.stdout


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (EOFError("No data left in file"), "EOFError: No data left in file"),
        (BrokenPipeError(32, "Broken pipe"), "BrokenPipeError"),
        (ConnectionResetError(104, "gone"), "ConnectionResetError"),
        (RuntimeError("strange"), "RuntimeError: strange"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
def test_nothing_that_ends_a_run_ends_it_without_a_word(
    work: Work,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Run,
    error: Exception,
    said: str,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("pymaf_live.workflows.process.process_input", fail)
    code, _, lines = run(work.clip, "--out", tmp_path / "out")
    assert code == 1
    assert len(lines) == 1
    assert said in lines[0]


def test_who_stops_reading_the_output_is_told_nothing(work: Work, tmp_path: Path) -> None:
    command = [sys.executable, "main.py", "export", "--help"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.stderr is not None
        assert running.stderr.read() == b""
        assert running.wait(60) in (0, 1)
