"""Files and summaries that `process` writes."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.sources import open_source
from pymaf_live.takes import read_take
from pymaf_live.types import FrameResult
from pymaf_live.workflows.boxes_file import read_boxes
from pymaf_live.workflows.overlay_writer import OverlayWriter
from pymaf_live.workflows.process import ProcessOptions, process
from pymaf_live.workflows.result_names import result_names
from tests.cli.helpers import Run, Work, frame_count
from tests.helpers.clip import SIZE, write_boxes, write_clip


def test_a_video_becomes_an_overlay_a_take_and_a_bvh(run: Run, work: Work, tmp_path: Path) -> None:
    code, out, lines = run(work.clip, "--out", tmp_path / "o", "--boxes", work.boxes)
    assert (code, lines) == (0, [])
    assert "1 person in 12 of 12 frames" in out
    files = sorted(path.name for path in (tmp_path / "o").iterdir())
    assert files == ["walk.bvh", "walk.npz", "walk_overlay.mp4"]
    take = read_take(tmp_path / "o" / "walk.npz")
    assert take.frame_time.tolist() == pytest.approx([i / 30 for i in range(12)], abs=1e-3)
    assert take.model == "fake 0"
    assert take.smoothing == "refine"
    assert frame_count(tmp_path / "o" / "walk_overlay.mp4") == 12
    bvh = (tmp_path / "o" / "walk.bvh").read_text()
    assert "Frames: 12" in bvh
    assert "Frame Time: 0.0333333" in bvh


def test_the_overlay_shows_the_body(run: Run, work: Work, tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    image = np.zeros((480, 640, 3), np.uint8)
    image[120:360, 280:360] = 255
    cv2.imwrite(str(path), image)
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({"one.png": [[260, 100, 380, 380]]}))
    code, _, _ = run(path, "--out", tmp_path / "o", "--boxes", boxes)
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


@pytest.mark.parametrize("smoothing", ["refine", "offline", "live"])
def test_the_overlay_of_a_video_draws_the_finished_take(
    run: Run, work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, smoothing: str
) -> None:
    drawn: list[FrameResult] = []
    add = OverlayWriter.add

    def record(writer: OverlayWriter, result: FrameResult) -> None:
        drawn.append(result)
        add(writer, result)

    monkeypatch.setattr(OverlayWriter, "add", record)
    code, _, _ = run(
        work.clip, "--out", tmp_path, "--boxes", work.boxes, "--export", "npz",
        "--smoothing", smoothing,
    )  # fmt: skip
    assert code == 0
    take = read_take(tmp_path / "walk.npz")
    assert [result.frame.index for result in drawn] == list(range(12))
    people = [person for result in drawn for person in result.people]
    assert [person.id for person in people] == take.person.tolist()
    # what the live filter shows moves less than 3 pixels behind in this clip; the take has no lag
    limit = 0.01 if smoothing != "live" else 3.0
    assert np.abs([p.joints_2d for p in people] - take.joints_2d).max() < limit
    # every frame shows its own image: the figure moves to the right
    centres = [
        result.frame.image[:, :, 0].astype(float).sum(0) @ np.arange(SIZE[0]) for result in drawn
    ]
    assert (np.diff(centres) > 0).all()


def test_a_stopped_overlay_leaves_the_exports(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StopsWhileDrawing:
        stopped = False

        def progress(self, fraction: float | None, detail: str = "") -> None:
            self.stopped |= detail == "drawing the overlay"

        def message(self, text: str) -> None:
            raise AssertionError(text)

        def cancelled(self) -> bool:
            return self.stopped

    pipeline = PipelineOptions(model=work.model, boxes=read_boxes(work.boxes))
    options = ProcessOptions(out=tmp_path / "o", pipeline=pipeline, exports=("npz",))
    done = process(open_source(str(work.clip)), options, StopsWhileDrawing())
    assert done.summary.interrupted
    assert [path.name for path in (tmp_path / "o").iterdir()] == [f"{done.summary.name}.npz"]
    assert "stopped; the overlay was not written" in done.summary.notices


@pytest.mark.parametrize("pan", [0, 1])
def test_the_motion_of_the_camera_is_said_and_kept(run: Run, tmp_path: Path, pan: int) -> None:
    width, height = SIZE
    random = np.random.default_rng(1)
    coarse = random.uniform(0, 90, (height // 6, 2 * width // 6)).astype(np.float32)
    wide = cv2.resize(coarse, (2 * width, height), interpolation=cv2.INTER_CUBIC).clip(0, 90)
    clip = tmp_path / "pan.mp4"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(24):
            image = np.repeat(wide[:, pan * index :][:, :width, None], 3, axis=2).astype(np.uint8)
            image[height // 4 : height * 3 // 4, 64:90] = 255
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({str(i): [[54, 20, 100, 90]] for i in range(24)}))
    code, _, lines = run(
        clip, "--out", tmp_path, "--boxes", boxes, "--no-overlay", "--export", "npz",
        "--smoothing", "offline",
    )  # fmt: skip
    assert code == 0
    said = any("the camera moves; feet were held in place over" in line for line in lines)
    assert said is bool(pan)
    motion = read_take(tmp_path / "pan.npz").camera_motion
    if not pan:
        assert motion is None
        return
    # the image moves by a pixel a frame to the left: the camera turns to its right
    assert motion is not None
    # frames this small have hardly enough corners, so that steps are missed
    assert 0.3 < motion[-1, 1] / (23 / np.hypot(*SIZE)) < 1.1
    np.testing.assert_allclose(motion[:, 3], 1, atol=0.02)


def test_the_summary_can_be_printed_as_json(run: Run, work: Work, tmp_path: Path) -> None:
    code, out, _ = run(
        work.clip, "--out", tmp_path, "--boxes", work.boxes, "--no-overlay", "--json",
        "--export", "npz",
    )  # fmt: skip
    summary = json.loads(out)
    assert code == summary["exit_code"] == 0
    assert summary["errors"] == {}
    assert summary["inputs"][0]["rows"] == 12
    assert summary["inputs"][0]["files"] == [str(tmp_path / "walk.npz")]
    assert set(summary["inputs"][0]["milliseconds"]) >= {"decode", "network"}


def test_files_that_a_video_without_people_does_not_give_are_named(
    run: Run, tmp_path: Path
) -> None:
    grey = write_clip(tmp_path / "grey.mp4", 10, figure=False)
    code, out, lines = run(grey, "--out", tmp_path / "o", "--export", "bvh,fbx,mask,npz")
    assert code == 1
    assert [line.rpartition("; ")[2] for line in lines] == [
        "grey.bvh was not written",
        "grey.fbx was not written",
    ]
    assert all("no people" in line for line in lines)
    assert "no people in 10 frames" in out
    masks = sorted((tmp_path / "o" / "grey_masks").glob("*.png"))
    assert len(masks) == 10
    assert not any(cv2.imread(str(mask)).any() for mask in masks)
    take = read_take(tmp_path / "o" / "grey.npz")
    assert len(take.frame) == 0
    assert len(take.frame_time) == 10
    assert frame_count(tmp_path / "o" / "grey_overlay.mp4") == 10
    assert not list((tmp_path / "o").glob("*.bvh"))


def test_a_video_without_people_gives_complete_takes_and_masks(run: Run, tmp_path: Path) -> None:
    grey = write_clip(tmp_path / "grey.mp4", 10, figure=False)
    code, _, lines = run(grey, "--out", tmp_path / "o", "--export", "mask,npz", "--no-overlay")
    assert (code, lines) == (0, [])
    assert {each.name for each in (tmp_path / "o").iterdir()} == {"grey.npz", "grey_masks"}


@pytest.mark.parametrize(
    ("option", "smoothing"),
    [
        ("--smoothing", "offline"),
        ("--smoothing", "refine"),
        ("--smoothing", "live"),
        ("--smooth", "off"),
    ],
)
def test_the_take_states_its_smoothing(
    run: Run, work: Work, tmp_path: Path, option: str, smoothing: str
) -> None:
    code, _, _ = run(
        work.clip, "--out", tmp_path, "--boxes", work.boxes, "--no-overlay", option, smoothing
    )
    assert code == 0
    assert read_take(tmp_path / "walk.npz").smoothing == smoothing


def test_a_folder_is_one_input_with_an_overlay_per_image(
    run: Run, work: Work, tmp_path: Path
) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    boxes = {}
    # grey, with alpha, 16 bits, tiny, and two with the same stem
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
    assert code == 0
    # the images show no one, so legs may well be missing
    assert all("the legs are not seen" in line for line in lines)
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


def test_a_large_image_keeps_its_size(run: Run, work: Work, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "large.jpg"), np.full((4320, 7680, 3), 60, np.uint8))
    (tmp_path / "b.json").write_text('{"large.jpg": [[3000, 1000, 4000, 3500]]}')
    code, _, lines = run(
        tmp_path / "large.jpg", "--out", tmp_path / "o", "--boxes", tmp_path / "b.json"
    )
    assert code == 0
    # the image shows no one, so nothing says how the camera is held
    assert all("the camera was assumed to be level" in line for line in lines)
    assert cv2.imread(str(tmp_path / "o" / "large_overlay.jpg")).shape == (4320, 7680, 3)


def test_inputs_with_the_same_name_do_not_overwrite_each_other(
    run: Run, work: Work, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = write_clip(tmp_path / "other" / "walk.mp4", 4)
    boxes = write_boxes(tmp_path / "b.json", 4)
    code, _, _ = run(work.clip, other, "--out", tmp_path / "o", "--boxes", boxes, "--no-overlay")
    assert code == 0
    assert len(read_take(tmp_path / "o" / "walk.npz").frame_time) == 12
    assert len(read_take(tmp_path / "o" / "walk_2.npz").frame_time) == 4


def test_result_names_are_safe_and_unique() -> None:
    names = result_names(
        ["a/clip.mp4", "b/CLIP.mov", "clip_2.avi", "dance.mp4", "dance_person3.mp4",
         "http://host/x/live.m3u8?key=1", "shots/*.jpg", "strange:name|.mp4"]
    )  # fmt: skip
    assert names[:3] == ["clip", "CLIP_2", "clip_2_2"]
    assert names[3:5] == ["dance", "dance_person3_2"]
    assert names[5:] == ["live", "shots", "strange_name_"]
    assert len({name.casefold() for name in names}) == len(names)


def test_existing_results_are_kept_unless_forced(run: Run, work: Work, tmp_path: Path) -> None:
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


def test_the_figure_stays_inside_the_frame() -> None:
    # guards the fixtures
    assert SIZE[0] * 2 // 5 + SIZE[0] // 8 + SIZE[0] // 6 < SIZE[0]
