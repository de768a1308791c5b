"""Close-ups: people of whom the image shows only the upper part."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import pymaf_live as pl
from pymaf_live.resources import resource
from pymaf_live.tracking import PersonTracker, TrackObservation
from pymaf_live.tracking.crop import crop_from_points, trunk_turn
from pymaf_live.types import Array, Crop
from tests.helpers.paths import DATA
from tests.tracking.fakes import CONFIG, FakeDetector, make_frame, person_at

HEIGHT, WIDTH = 480, 640


def crop_of(points: Array) -> Crop:
    """Return the crop that the tracker asks for after a result at `points`."""
    tracker = PersonTracker(FakeDetector(points), 256)
    (first,) = tracker.begin_frame(make_frame(0))
    assert tracker.update([TrackObservation(first, points, 1.0)]) == [1]
    (crop,) = tracker.begin_frame(make_frame(1))
    return crop.crop


def test_the_crop_of_a_close_up_is_centred_on_what_the_image_shows() -> None:
    # head top at 60, hips at 810: the image ends at the chest
    points = person_at(320, 1560, 1500)
    crop = crop_of(points)
    inside = np.clip(points, 0, (WIDTH - 1, HEIGHT - 1))
    np.testing.assert_allclose(crop.centre, (inside.min(0) + inside.max(0)) / 2)
    visible = np.ptp(inside, axis=0).max()
    assert crop.side == pytest.approx(1.5 * 1.75 * visible)
    assert crop.side < 0.7 * 1.75 * 1500


def test_the_crop_of_a_person_in_the_image_follows_the_crop_rule() -> None:
    points = person_at(320, 440, 380)
    expected = crop_from_points(
        points, trunk_turn(points[[2, 3]].mean(0), points[[8, 9]].mean(0)), 256
    )
    crop = crop_of(points)
    np.testing.assert_allclose(crop.frame_from_crop, expected.frame_from_crop)


def test_the_crop_does_not_jump_when_feet_leave_the_image() -> None:
    sides = []
    centres = []
    for feet in np.arange(470.0, 700.0, 5.0):
        crop = crop_of(person_at(320, feet, 400))
        sides.append(crop.side)
        centres.append(crop.centre)
    assert max(np.abs(np.diff(sides)) / sides[0]) < 0.03
    assert np.linalg.norm(np.diff(centres, axis=0), axis=1).max() < 12


@pytest.mark.parametrize(("feet", "shown"), [(1560.0, True), (440.0, False)])
def test_confident_joints_suffice_only_for_a_close_up(feet: float, *, shown: bool) -> None:
    points = person_at(320, feet, feet - 60)
    tracker = PersonTracker(FakeDetector(points), 256)
    (crop,) = tracker.begin_frame(make_frame(0))
    low = TrackObservation(crop, points, CONFIG.new_track_score - 0.2, 0.6)
    assert tracker.update([low]) == [1 if shown else None]


def chest_clip(path: Path, frames: int) -> Array:
    """Write a close-up of the demo, from the head to the chest; return its joints (F, 24, 2) px."""
    truth = np.load(DATA / "demo_truth.npz")
    joints = np.asarray(truth["joints_2d"][:frames], dtype=np.float64)
    neck = joints[:, list(truth["joint_names"]).index("neck")]
    scale = HEIGHT / 115
    with av.open(str(resource("demo.mp4"))) as demo, av.open(str(path), "w") as clip:
        stream = clip.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for middle, frame in zip(neck, demo.decode(video=0), strict=False):
            corner = middle - (WIDTH / scale / 2, 58)
            image = cv2.warpAffine(
                frame.to_ndarray(format="rgb24"),
                np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]]),
                (WIDTH, HEIGHT),
            )
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                clip.mux(packet)
        for packet in stream.encode(None):
            clip.mux(packet)
    corners = neck - (WIDTH / scale / 2, 58)
    return np.asarray(scale * (joints - corners[:, None]))


def test_a_close_up_is_estimated_in_every_frame_and_where_the_person_is(tmp_path: Path) -> None:
    truth = chest_clip(tmp_path / "chest.mp4", 40)
    take = pl.process(tmp_path / "chest.mp4", people=1, model="lite", smoothing="off")
    # 25 frames before crops followed what is visible
    assert len(set(take.frame.tolist())) >= 38
    names = list(take.joint_names)
    seen = [names.index(name) for name in ("neck", "head", "left_shoulder", "right_shoulder")]
    width = np.median(np.linalg.norm(truth[:, seen[2]] - truth[:, seen[3]], axis=1))
    error = np.linalg.norm(take.joints_2d[:, seen] - truth[take.frame][:, seen], axis=2) / width
    # 0.35 before joints outside the image counted less
    assert np.median(error) < 0.25
