"""The shipped demo clip agrees with its ground truth."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pymaf_live.body import default_body, pose_joints
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.types import Array, Camera
from tests.helpers.paths import ROOT
from trainer.synthesis.clothing import DEMO_PALETTE, DressedBody
from trainer.synthesis.demo_clip import DemoMotion, Soles, ground_truth, music, write_video

DEMO = ROOT / "resources" / "demo.mp4"
TRUTH = ROOT / "tests" / "data" / "demo_truth.npz"


@pytest.fixture(scope="module")
def known() -> dict[str, Array]:
    with np.load(TRUTH, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def test_the_joints_follow_from_the_pose(known: dict[str, Array]) -> None:
    body = default_body()
    rotations = matrix_from_axis_angle(known["pose"])
    shapes = np.broadcast_to(known["shape"], (len(rotations), body.shape_count))
    joints = pose_joints(body, rotations, shapes, known["translation"])
    np.testing.assert_allclose(joints, known["joints"], atol=2e-6)
    assert tuple(known["joint_names"]) == body.joint_names


def test_the_joints_project_to_their_pixels(known: dict[str, Array]) -> None:
    # by hand: x = f X / Z + (w - 1) / 2, with the frame's diagonal as focal length
    assert float(known["focal_length"]) == pytest.approx(np.sqrt(1280**2 + 720**2))
    joints = known["joints"].astype(np.float64)
    pixels = joints[..., :2] / joints[..., 2:] * float(known["focal_length"]) + [639.5, 359.5]
    np.testing.assert_allclose(pixels, known["joints_2d"], atol=2e-3)


def test_the_person_is_whole_in_the_picture_and_large(known: dict[str, Array]) -> None:
    points = known["joints_2d"]
    inside = (points > 5).all(axis=-1) & (points < [1275, 715]).all(axis=-1)
    assert inside.all(axis=1).mean() > 0.95
    extent = np.ptp(points, axis=1).max(axis=1) / 720
    assert 0.45 < np.median(extent) < 0.85


def test_the_clip_is_what_it_should_be(known: dict[str, Array]) -> None:
    assert DEMO.stat().st_size <= 2_500_000
    assert TRUTH.stat().st_size < 300_000
    with av.open(str(DEMO)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.width, video.height) == (1280, 720)
        assert video.average_rate == Fraction(30)
        times = [frame.time for frame in container.decode(video)]
    np.testing.assert_allclose(times, known["time"], atol=1e-6)
    assert 6 <= times[-1] + 1 / 30 <= 8


def test_the_drawn_person_is_where_the_truth_says(known: dict[str, Array]) -> None:
    with av.open(str(DEMO)) as container:
        chosen = {}
        for number, frame in enumerate(container.decode(video=0)):
            if number % 14 == 0:
                chosen[number] = frame.to_ndarray(format="rgb24").astype(float)
    # the scene does not move, so the median of frames far apart is the scene without the person
    scene = np.median(np.stack(list(chosen.values())), axis=0)
    names = list(known["joint_names"])
    trunk = [
        names.index(n) for n in ("pelvis", "spine2", "neck", "left_knee", "right_knee", "head")
    ]
    hit, chance = [], []
    for number, image in chosen.items():
        moved = np.abs(image - scene).max(axis=-1) > 24
        at = np.round(known["joints_2d"][number, trunk]).astype(int)
        hit.append(moved[at[:, 1], at[:, 0]].mean())
        chance.append(moved.mean())
    assert np.mean(hit) > 0.85
    assert np.mean(chance) < 0.15


def small_dance(frames: int) -> tuple[DemoMotion, DressedBody]:
    body = default_body()
    shape = np.zeros(body.shape_count)
    dressed = DressedBody(body, shape, DEMO_PALETTE, np.random.default_rng(0))
    rotations = np.tile(np.eye(3), (frames, body.joint_count, 1, 1))
    rotations[:, 0] = np.diag([1.0, -1.0, -1.0])
    return DemoMotion(
        np.arange(frames) / 30,
        rotations,
        shape,
        np.tile([0.1, 0.0, 5.0], (frames, 1)),
        Camera.for_frame((1280, 720)),
    ), dressed


def test_truth_has_the_frames_and_joints() -> None:
    play, _ = small_dance(3)
    body = default_body()
    arrays = ground_truth(play, body)
    assert arrays["joints"].shape == arrays["pose"].shape == (3, body.joint_count, 3)
    head = body.joint_names.index("head")
    assert (arrays["joints_2d"][:, head, 1] < arrays["joints_2d"][:, 0, 1]).all()


def test_clothes_lie_outside_the_skin_and_leave_the_face() -> None:
    _, dressed = small_dance(1)
    moved = np.linalg.norm(dressed.vertices - dressed.skin, axis=1)
    body = dressed.body
    assert moved.max() < 0.06
    nose = body.keypoint_names.index("nose")
    face = body.keypoint_regressor[nose].indices
    assert moved[face].max() < 1e-3
    colours = dressed.paint(dressed.attributes, np.zeros(0, dtype=np.int64))
    assert colours.min() >= 0
    assert colours.max() <= 1.2
    chest = np.argmin(np.linalg.norm(dressed.skin - dressed.rest[9] - [0, 0, 0.12], axis=1))
    knee = np.argmin(np.linalg.norm(dressed.skin - dressed.rest[4] - [0, 0, 0.05], axis=1))
    assert colours[chest, 0] > 1.2 * colours[chest, 2]
    assert colours[knee, 2] > 1.2 * colours[knee, 0]


def test_a_foot_on_its_heel_is_laid_flat() -> None:
    play, dressed = small_dance(9)
    ankle = dressed.body.joint_names.index("left_ankle")
    # toes up is a turn about -x
    play.rotations[:, ankle] = matrix_from_axis_angle(np.array([-0.25, 0.0, 0.0]))
    soles = Soles(dressed.body, dressed)
    heights = soles.heights(dressed, play.rotations, play.translation)
    heights += 0.97 - heights[:, 0].max()
    before = (heights[:, 0, 0] - heights[:, 0, 1]).mean()
    soles.flatten(play.rotations, heights)
    after = soles.heights(dressed, play.rotations, play.translation)
    assert before > 0.03
    assert abs((after[:, 0, 0] - after[:, 0, 1]).mean()) < 0.4 * before


def test_video_and_sound_are_written_completely(tmp_path: Path) -> None:
    images = (np.full((720, 1280, 3), 40 + 60 * k, np.uint8) for k in range(3))
    sound = music(1.0)
    assert 0.02 < np.abs(sound).max() < 0.9
    target = tmp_path / "clip.mp4"
    write_video(target, images, sound, 21.0)
    with av.open(str(target)) as container:
        assert container.streams.video[0].average_rate == 30
        levels = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
        container.seek(0)
        samples = sum(frame.samples for frame in container.decode(audio=0))
    np.testing.assert_allclose(levels, [40, 100, 160], atol=3)
    assert samples >= 48_000
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
