"""Processing of the demo and of real videos: accuracy, overlay and identities."""

import json

import av
import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.cli.app import main
from pymaf_live.resources import resource
from pymaf_live.takes.npz_file import read_take
from pymaf_live.takes.take import Take
from tests.helpers.bvh import bvh_joint_error
from tests.helpers.paths import DATA, SHARED

SHARED = SHARED / "data"
TRUTH = DATA / "demo_truth.npz"

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    assert main(["process", str(resource("demo.mp4")), "--out", str(out)]) == 0
    return out


def procrustes_error(found, true):
    """Return the mean distance after the best similarity transform, by Kabsch's method."""
    errors = []
    for a, b in zip(found, true, strict=True):
        a, b = a - a.mean(axis=0), b - b.mean(axis=0)
        u, s, vt = np.linalg.svd(a.T @ b)
        flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
        scale = np.trace(np.diag(s) @ flip) / (a**2).sum()
        errors.append(np.linalg.norm(scale * a @ u @ flip @ vt - b, axis=-1).mean())
    return float(np.mean(errors))


def rows_with_truth(take: Take):
    with np.load(TRUTH) as truth:
        times, joints, flat = truth["time"], truth["joints"], truth["joints_2d"]
    nearest = np.abs(take.frame_time[take.frame][:, None] - times).argmin(axis=1)
    return joints[nearest], flat[nearest]


def test_the_demo_is_tracked_throughout(demo):
    take = read_take(demo / "demo.npz")
    assert len(np.unique(take.frame)) >= 0.95 * len(take.frame_time)
    assert len(np.unique(take.person)) == 1


def test_the_demos_joints_are_within_80_mm_of_the_truth(demo):
    take = read_take(demo / "demo.npz")
    joints, _ = rows_with_truth(take)
    assert procrustes_error(take.joints, joints) < 0.080


def test_the_body_covers_the_person_in_the_image(demo):
    take = read_take(demo / "demo.npz")
    _, flat = rows_with_truth(take)
    height = np.ptp(flat[..., 1], axis=1)
    miss = np.linalg.norm(take.joints_2d - flat, axis=-1).mean(axis=1) / height
    assert np.median(miss) < 0.06


def test_the_bvh_contains_the_joints_of_the_take(demo):
    take = read_take(demo / "demo.npz")
    assert (
        bvh_joint_error(demo / "demo.bvh", take, int(take.person[0]), default_body(), "cm") < 1e-3
    )


def test_the_overlay_keeps_size_rate_frames_and_sound(demo):
    with (
        av.open(str(resource("demo.mp4"))) as source,
        av.open(str(demo / "demo_overlay.mp4")) as made,
    ):
        given, found = source.streams.video[0], made.streams.video[0]
        assert (found.width, found.height) == (given.width, given.height)
        assert found.codec_context.name == "h264"
        assert found.average_rate == given.average_rate
        assert len(made.streams.audio) == 1
        frames = list(made.decode(video=0))
    with av.open(str(resource("demo.mp4"))) as source:
        pairs = list(zip(source.decode(video=0), frames, strict=True))
    changed = 0
    for before, after in pairs[::30]:
        assert after.time == pytest.approx(before.time, abs=1e-3)
        first, second = (f.to_ndarray(format="rgb24").astype(int) for f in (before, after))
        changed += int((np.abs(first - second).max(axis=-1) > 40).mean() > 0.005)
    assert changed >= 0.9 * len(pairs[::30])


@pytest.mark.parametrize("name", ["dancer_single", "dance_three_portrait_audio"])
def test_real_people_are_tracked(name, tmp_path, capsys):
    path = SHARED / "videos" / f"{name}.mp4"
    if not path.is_file():
        pytest.skip(f"{path} is not present")
    assert main(["process", str(path), "--out", str(tmp_path), "--no-overlay", "--json"]) == 0
    json.loads(capsys.readouterr().out)
    take = read_take(tmp_path / f"{name}.npz")
    assert len(np.unique(take.frame)) >= 0.95 * len(take.frame_time)
    # upright people: head above the hips in the image, plausible distance
    head, pelvis = (take.joint_names.index(n) for n in ("head", "pelvis"))
    above = take.joints_2d[:, head, 1] < take.joints_2d[:, pelvis, 1]
    assert above.mean() > 0.98
    assert (take.translation[:, 2] > 1).all()
    assert (take.translation[:, 2] < 20).all()


def test_a_person_who_leaves_and_returns(tmp_path):
    """Rows stop while the person is absent, and continue with the same number afterwards."""
    path = tmp_path / "leaves.mp4"
    with av.open(str(resource("demo.mp4"))) as source:
        present = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)][:90]
    empty = [np.full_like(present[0], 120)] * 40
    frames = [*present[:45], *empty, *present[45:]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.height, stream.width = present[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    out = tmp_path / "out"
    assert main(["process", str(path), "--out", str(out), "--no-overlay"]) == 0
    take = read_take(out / "leaves.npz")
    assert len(take.frame_time) == len(frames)
    seen = set(take.frame.tolist())
    assert len(seen & set(range(45))) >= 42
    # gaps are filled for at most a quarter of a second
    assert not seen & set(range(45 + 12, 85))
    assert len(seen & set(range(85, len(frames)))) >= 38
    assert len(np.unique(take.person)) == 1
    assert (
        bvh_joint_error(out / "leaves.bvh", take, int(take.person[0]), default_body(), "cm") < 1e-3
    )
