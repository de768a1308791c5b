from __future__ import annotations

import os
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pymaf_live.errors import ModelError
from pymaf_live.system.native_logs import suppress_native_logs
from pymaf_live.tracking import open_detector, task_bundle
from pymaf_live.tracking.blazepose_detector import (
    anchor_centres,
    decode,
    landmark_region,
    whole_image_square,
)
from tests.helpers.paths import SHARED
from tests.tracking.real_data import video_frames

MODELS = SHARED / "assets" / "blazepose"


def test_anchors_match_the_networks_output_and_grids() -> None:
    centres = anchor_centres(224)
    assert centres.shape == (2254, 2)
    # first cell of stride 8, last of stride 8, first of stride 16, all six of the last of stride 32
    assert_allclose(centres[0] * 224, [4, 4])
    assert_allclose(centres[2] * 224, [12, 4])
    assert_allclose(centres[28 * 28 * 2 - 1] * 224, [220, 220])
    assert_allclose(centres[28 * 28 * 2] * 224, [8, 8])
    assert_allclose(centres[-6:] * 224, np.full((6, 2), 208))


def test_candidates_of_one_person_are_merged_by_score() -> None:
    values, logits = np.zeros((2254, 12)), np.full(2254, -100.0)

    def candidate(anchor: int, centre: tuple[float, float], score: float) -> None:
        at = anchor_centres(224)[anchor] * 224
        values[anchor, :2] = centre - at
        values[anchor, 2:4] = 40
        for point, shift in enumerate([(0, 10), (0, -60), (0, -20), (0, -50)]):
            values[anchor, 4 + 2 * point : 6 + 2 * point] = np.add(centre, shift) - at
        logits[anchor] = np.log(score / (1 - score))

    candidate(500, (60.0, 60.0), 0.9)
    candidate(501, (66.0, 60.0), 0.6)
    candidate(2000, (170.0, 150.0), 0.7)
    candidate(2100, (20.0, 200.0), 0.3)
    found = decode(values, logits, 224, 0.5, 8)
    assert_allclose(found.score, [0.9, 0.7])
    # (0.9 * 60 + 0.6 * 66) / 1.5 = 62.4; the network counts from the edge, pixels from their centre
    assert_allclose(found.points[0, 0], [61.9, 69.5])
    assert_allclose(found.points[0, 2], [61.9, 39.5])
    assert_allclose(found.box[1], [149.5, 129.5, 189.5, 169.5])
    assert len(decode(values, logits, 224, 0.5, 1).score) == 1
    assert decode(values, logits, 224, 0.95, 8).points.shape == (0, 4, 2)


def test_the_landmark_region_has_the_trunk_upright() -> None:
    # lying to the right: hip at (100, 100), head end of the circle at (160, 100)
    region = landmark_region(np.array([[100.0, 100], [160, 100], [130, 100], [150, 100]]), 256)
    assert region.side == pytest.approx(2 * 1.25 * 60)
    top = region.to_crop(np.array([160.0, 100]))
    assert_allclose(top, [127.5, 127.5 - 60 * 256 / 150])


def test_a_wide_image_is_centred_in_its_square() -> None:
    square = whole_image_square(np.zeros((100, 300, 3), np.uint8), 224)
    corners = square.to_crop(np.array([[-0.5, -0.5], [299.5, 99.5]]))
    assert_allclose(corners[:, 0], [-0.5, 223.5])
    assert_allclose(corners.sum(axis=0)[1], 223.0)


def test_the_bundle_is_aligned_small_and_contains_the_published_models() -> None:
    path = task_bundle.bundle_path()
    assert path.stat().st_size <= 6 * 2**20
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            assert entry.compress_type == zipfile.ZIP_STORED
            name, extra = struct.unpack_from("<HH", content, entry.header_offset + 26)
            start = entry.header_offset + 30 + name + extra
            assert start % 64 == 0
            assert content[start + 4 : start + 8] == b"TFL3"
    if not MODELS.is_dir():
        pytest.skip(f"{MODELS} is missing")
    for entry, plain in (
        (task_bundle.DETECTOR, "pose_detection.tflite"),
        (task_bundle.LANDMARKS, "pose_landmark_lite.tflite"),
    ):
        assert task_bundle.bundled_model(entry).endswith((MODELS / plain).read_bytes())


def test_the_bundle_is_reproducible(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not MODELS.is_dir():
        pytest.skip(f"{MODELS} is missing")
    from trainer.commands.app import main

    command = ["mediapipe-task"]
    models = [str(MODELS / n) for n in ("pose_detection.tflite", "pose_landmark_lite.tflite")]
    assert main([*command, *models, str(tmp_path / "made.task")]) == 0
    assert (tmp_path / "made.task").read_bytes() == task_bundle.bundle_path().read_bytes()
    (tmp_path / "junk.tflite").write_bytes(b"junk that is long enough")
    capsys.readouterr()
    assert (
        main([*command, str(tmp_path / "junk.tflite"), models[1], str(tmp_path / "no.task")]) == 3
    )
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "no.task").exists()


def test_a_damaged_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.task").write_bytes(b"no zip")
    with pytest.raises(ModelError, match="is damaged"):
        task_bundle.bundled_model(task_bundle.DETECTOR, tmp_path / "bad.task")


def test_without_mediapipe_openvino_detects_with_a_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    detector = open_detector("auto")
    assert "OpenVINO" in detector.name
    assert "OpenVINO instead of MediaPipe" in detector.notice
    assert "\n" not in detector.notice
    assert detector.detect(np.zeros((40, 90, 3), np.uint8)) == []
    with pytest.raises(ModelError, match="MediaPipe cannot be used"):
        open_detector("mediapipe")


@pytest.mark.parametrize("prefer", ["mediapipe", "openvino"])
def test_images_of_any_size_without_people_have_no_detections(prefer: str) -> None:
    detector = open_detector(prefer)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    for size in ((1, 1), (3, 700), (480, 640)):
        image = rng.integers(90, 110, (*size, 3)).astype(np.uint8)
        assert detector.detect(image) == []
    detector.close()
    detector.close()


def test_mediapipe_and_openvino_agree(capfd: pytest.CaptureFixture[str]) -> None:
    frames = video_frames("dancer_single", 15)
    pytest.importorskip("mediapipe")
    one, other = open_detector("mediapipe"), open_detector("openvino")
    assert one.notice == other.notice == ""
    for frame in frames:
        a, b = one.detect(frame), other.detect(frame)
        assert len(a) == len(b) == 1
        assert a[0].keypoints is not None
        assert b[0].keypoints is not None
        extent = (a[0].box[2:] - a[0].box[:2]).max()
        # half a percent from resampling (they shrink images differently), rarely more
        assert np.abs(a[0].keypoints - b[0].keypoints).mean() < 0.025 * extent
        assert a[0].trunk is not None
        # a standing person: shoulders above hips by a quarter of the height
        rise = a[0].trunk[0] - a[0].trunk[1]
        assert 0.15 < rise[1] / extent < 0.45
    one.close()
    # nothing of MediaPipe's native log reaches the user
    assert capfd.readouterr().err == ""


def test_only_log_lines_are_suppressed(capfd: pytest.CaptureFixture[str]) -> None:
    with suppress_native_logs():
        os.write(2, b"W0000 00:00:1795.1  9262 manager.cc:121] noise\n")
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
        print("12 of 300 frames", file=sys.stderr)
    os.write(2, b"W0000 after\n")
    assert capfd.readouterr().err == "12 of 300 frames\nW0000 after\n"
