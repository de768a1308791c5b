"""Videos of takes with the body drawn over the images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.errors import Interrupted, OutputExistsError
from pymaf_live.rendering import OverlayStyle
from pymaf_live.system.reporter import SilentReporter
from pymaf_live.takes.editing import with_trim
from pymaf_live.takes.take import Take
from pymaf_live.workflows.body_video import BodyVideoRequest, write_body_video
from tests.helpers.clip import SIZE, write_clip
from tests.helpers.take import make_take, standing, walking_past


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=8)


@pytest.fixture(scope="module")
def take() -> Take:
    body, times = default_body(), np.arange(8) / 30
    made = make_take(body, times, {1: standing(body, 8)}, {1: walking_past(times)})
    scale = SIZE[0] / made.frame_size[0]
    return replace(
        made,
        frame_size=SIZE,
        focal_length=made.focal_length * scale,
        principal_point=(np.array(SIZE) - 1) / 2,
    )


def frames_of(path: Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        return [
            (float(frame.time or 0), frame.to_ndarray(format="rgb24").astype(int))
            for frame in container.decode(video=0)
        ]


def test_the_body_is_drawn_over_each_image_at_its_time(
    take: Take, clip: Path, tmp_path: Path
) -> None:
    target = tmp_path / "a_overlay.mp4"
    write_body_video(BodyVideoRequest(take, target, clip, renderer="cpu"))
    written, original = frames_of(target), frames_of(clip)
    assert [time for time, _ in written] == pytest.approx(list(take.frame_time), abs=1e-3)
    for (_, drawn), (_, image) in zip(written, original, strict=True):
        changed = np.abs(drawn - image).max(axis=2) > 40
        assert 0.002 < changed.mean() < 0.5
        assert not changed[:5].any()


def test_a_trimmed_take_starts_at_zero_and_lost_images_are_plain(
    take: Take, tmp_path: Path
) -> None:
    target = tmp_path / "b.mp4"
    trimmed = with_trim(take, 3, 6)
    write_body_video(BodyVideoRequest(trimmed, target, tmp_path / "gone.mp4", renderer="cpu"))
    written = frames_of(target)
    assert len(written) == 4
    assert written[0][0] == 0
    assert np.abs(written[0][1][2, 2] - (38, 41, 46)).max() < 6


def test_a_cancelled_video_leaves_no_file_and_an_existing_one_is_kept(
    take: Take, tmp_path: Path
) -> None:
    class Cancelled(SilentReporter):
        def cancelled(self) -> bool:
            return True

    target = tmp_path / "c.mp4"
    with pytest.raises(Interrupted):
        write_body_video(BodyVideoRequest(take, target, renderer="cpu"), Cancelled())
    assert list(tmp_path.iterdir()) == []
    target.write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        write_body_video(BodyVideoRequest(take, target, renderer="cpu"))
    assert target.read_bytes() == b"mine"


def test_a_transparent_video_lies_over_any_image_as_the_body_does(
    take: Take, clip: Path, tmp_path: Path
) -> None:
    solid, target = tmp_path / "d.mp4", tmp_path / "d_people.mov"
    write_body_video(BodyVideoRequest(take, solid, clip, renderer="cpu"))
    request = BodyVideoRequest(take, target, clip, renderer="cpu", transparent=True)
    write_body_video(request)
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "prores"
        layers = [each.to_ndarray(format="rgba").astype(int) for each in container.decode(video=0)]
    assert len(layers) == 8
    drawn_frames, images, opacity = frames_of(solid), frames_of(clip), OverlayStyle().opacity
    for layer, (_, drawn), (_, image) in zip(layers, drawn_frames, images, strict=True):
        alpha = layer[..., 3:] / 255
        assert alpha[:5].max() < 0.02
        assert alpha.max() > 0.98
        alpha = alpha * opacity  # over the images one sees through the people a little
        laid_over = layer[..., :3] * alpha + image * (1 - alpha)
        # two lossy codecs, one with half the color resolution
        assert np.abs(laid_over - drawn).mean() < 4
        assert np.abs(image - drawn).mean() > np.abs(laid_over - drawn).mean()
