"""Video files: times, rates, rotation, damage, loops and pacing."""

from __future__ import annotations

import threading
import time
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pymaf_live.errors import InputError
from pymaf_live.sources import open_source, paced
from pymaf_live.sources.video import VideoSource
from tests.helpers.paths import SHARED
from tests.sources.synthetic import frame_image, steady, write_video

REAL = SHARED / "data" / "videos"
UNEVEN = [0, 3000, 4000, 9001, 20000, 20001, 50000, 90000]


def test_times_of_a_variable_rate_are_those_of_the_file(tmp_path: Path) -> None:
    source = open_source(str(write_video(tmp_path / "video.mp4", UNEVEN)))
    frames = list(source.frames())
    assert [frame.index for frame in frames] == list(range(len(UNEVEN)))
    assert [frame.time for frame in frames] == [tick / 90_000 for tick in UNEVEN]


def test_images_are_rgb_and_read_only(tmp_path: Path) -> None:
    frames = list(open_source(str(write_video(tmp_path / "video.mp4", steady(4)))).frames())
    for frame in frames:
        assert frame.image.dtype == np.uint8
        assert not frame.image.flags.writeable
        # 4:2:0 blurs the edge between the colors: compare beside it
        wanted = frame_image(frame.index)
        difference = np.abs(frame.image.astype(int) - wanted)[:, np.r_[0:28, 36:64]]
        assert difference.max() <= 6


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (4, 2), (64, 4)])
def test_decoding_leaves_cores_for_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int, threads: int
) -> None:
    used: list[int] = []
    decoded = VideoSource._frames_of

    def recorded(self, container, stream, *, report_damage):
        used.append(stream.codec_context.thread_count)
        return decoded(self, container, stream, report_damage=report_damage)

    monkeypatch.setattr("pymaf_live.sources.video.available_cores", lambda: cores)
    monkeypatch.setattr(VideoSource, "_frames_of", recorded)
    assert len(list(open_source(str(write_video(tmp_path / "video.mp4", steady(9)))).frames())) == 9
    assert set(used) == {threads}


def test_nominal_rate_is_a_rational(tmp_path: Path) -> None:
    ticks = [3003 * k for k in range(30)]
    facts = open_source(str(write_video(tmp_path / "video.mp4", ticks))).facts
    assert facts.frame_rate == Fraction(30000, 1001)
    assert facts.frame_count == 30
    assert facts.duration == pytest.approx(30 * 1001 / 30000, abs=2e-3)
    assert (facts.kind, facts.live, facts.has_audio) == ("video", False, False)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_applied_as_opencv_does(tmp_path: Path, rotation: int) -> None:
    path = write_video(tmp_path / "video.mp4", steady(3), rotation=rotation)
    source = open_source(str(path))
    first = next(source.frames()).image
    turned = cv2.VideoCapture(str(path)).read()[1][:, :, ::-1]
    assert source.facts.size == turned.shape[1::-1]
    assert first.shape == turned.shape
    assert np.abs(first.astype(int) - turned).max() <= 3


def test_non_square_pixels_become_square(tmp_path: Path) -> None:
    path = write_video(tmp_path / "video.mp4", steady(3), pixel_ratio=Fraction(2))
    source = open_source(str(path))
    assert source.facts.size == (128, 48)
    image = next(source.frames()).image
    assert image.shape == (48, 128, 3)
    assert image[10, 50, 0] > 90  # still red before the middle
    assert image[10, 78, 2] > 90


@pytest.mark.parametrize("rate", [24, 30, 60])
def test_a_raw_stream_has_the_rate_of_its_codec(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "raw.h264"
    with av.open(str(path), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(8):
            image = av.VideoFrame.from_ndarray(frame_image(index), format="rgb24")
            image.pts, image.time_base = index, Fraction(1, rate)
            container.mux(stream.encode(image))
        container.mux(stream.encode(None))
    source = open_source(str(path))
    assert source.facts.frame_rate == rate
    assert [f.time for f in source.frames()] == pytest.approx(np.arange(8) / rate)


def test_a_jump_of_the_stamps_is_closed_up_and_said(tmp_path: Path) -> None:
    ticks = [*steady(12), *(90_000 * 2000 + 3000 * k for k in range(12))]
    source = open_source(str(write_video(tmp_path / "video.mkv", ticks)))
    assert source.facts.frame_rate == 30
    times = [frame.time for frame in source.frames()]
    assert np.diff(times) == pytest.approx(np.full(23, 1 / 30), abs=1e-3)
    (notice,) = source.notices
    assert notice == (
        f"{source.facts.name}: the time stamps are wrong at 1 place and were corrected; 2000 s "
        "without frames were closed up"
    )


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("media/jump2000.ts", 24),
        ("media/jump90000.ts", 24),
        ("media/ptsspike.mkv", 30),
        ("media/adpcm.avi", 30),
        ("media/reschange.ts", 36),
        ("hostile/ts_gap_80000s.ts", 20),
        ("hostile/v040_len.ts", 12),
    ],
)
def test_files_with_bad_stamps_keep_their_length(name: str, frames: int) -> None:
    path = SHARED / "cases" / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    times = [frame.time for frame in open_source(str(path)).frames()]
    # broken frames are left out, and their time stays
    assert frames - 2 <= len(times) <= frames
    assert times[-1] - times[0] == pytest.approx((frames - 1) / 30, abs=3e-2)
    steps = np.round(np.diff(times) * 30, 1)
    assert set(steps) <= {1.0, 2.0, 3.0}


def test_times_count_from_the_containers_start(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "video.ts", steady(10), sound="aac", options={"output_ts_offset": "5"}
    )
    assert av.open(str(path)).start_time > 4 * av.time_base
    times = [frame.time for frame in open_source(str(path)).frames()]
    assert len(times) == 10
    assert 0 <= times[0] < 0.1
    assert np.diff(times) == pytest.approx(np.full(9, 1 / 30), abs=2e-5)


def test_a_truncated_video_is_read_to_its_end(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", steady(60), options={"movflags": "+faststart"})
    data = whole.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) * 2 // 3])
    frames = list(open_source(str(cut)).frames())
    assert 5 < len(frames) < 60
    assert [f.time for f in frames] == [k / 30 for k in range(len(frames))]


def test_damage_in_the_middle_is_skipped(tmp_path: Path) -> None:
    data = bytearray(write_video(tmp_path / "whole.ts", steady(60)).read_bytes())
    half = len(data) // 2
    data[half : half + 2000] = np.random.default_rng(1).bytes(2000)
    damaged = tmp_path / "damaged.ts"
    damaged.write_bytes(data)
    source = open_source(str(damaged))
    times = [frame.time for frame in source.frames()]
    assert 10 < len(times) <= 61
    assert (np.diff(times) > 0).all()
    assert times[-1] > 1.8
    assert any("is damaged" in notice for notice in source.notices)


def test_broken_frames_are_left_out_and_counted() -> None:
    path = SHARED / "cases" / "media" / "corrupt_mid.mp4"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    source = open_source(str(path))
    assert len(list(source.frames())) == 29
    (notice,) = source.notices
    assert "1 broken frame(s) were left out" in notice


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.mp4", b"", "is empty"),
        ("text.mp4", b"not a video" * 100, "not a video"),
        ("text.txt", b"not a video" * 100, "not a video"),
        ("zeros.avi", bytes(5000), "not a video"),
        ("noise.mkv", np.random.default_rng(0).bytes(5000), "not a video"),
        ("list.mp4", b"ffconcat version 1.0\nfile other.mp4\n", None),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n", None),
    ],
)
def test_other_files_are_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes, says: str | None
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=says) as caught:
        list(open_source(str(path)).frames())
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_a_video_without_its_index_is_refused(tmp_path: Path) -> None:
    data = write_video(tmp_path / "whole.mp4", steady(60)).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"start or end is missing"):
        open_source(str(cut))


def test_sound_alone_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match="no video stream"):
        open_source(str(path))


def test_missing_and_special_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file or folder"):
        open_source(str(tmp_path / "nothing.mp4"))
    with pytest.raises(InputError, match="regular file"):
        open_source("/dev/null")
    with pytest.raises(InputError):
        open_source("")
    with pytest.raises(InputError):
        open_source("x" * 5000 + ".mp4")


@pytest.mark.parametrize("name", ["/etc/secret.mp4", "../a.mp4", "file:a.mp4", "C:\\\\a.mp4"])
@pytest.mark.parametrize("kind", ["m3u8", "key", "concat"])
def test_a_playlist_reads_no_files_elsewhere(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / "list.m3u8"
    path.write_text(
        {
            "m3u8": f"#EXTM3U\n#EXTINF:1,\n{name}\n#EXT-X-ENDLIST\n",
            "key": f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{name}"\na.ts\n',
            "concat": f"ffconcat version 1.0\nfile '{name}'\n",
        }[kind]
    )
    with pytest.raises(InputError, match="elsewhere"):
        open_source(str(path))


def test_special_characters_in_names_have_no_meaning(tmp_path: Path) -> None:
    path = write_video(tmp_path / "plain.mp4", steady(3)).rename(tmp_path / "http:%03d [x]*.mp4")
    assert len(list(open_source(str(path)).frames())) == 3


def test_times_increase_over_loops(tmp_path: Path) -> None:
    source = open_source(str(write_video(tmp_path / "video.mp4", steady(5))), loop=True)
    assert source.facts.frame_count is None
    frames = list(islice(source.frames(), 12))
    assert [frame.index for frame in frames] == list(range(12))
    assert np.diff([frame.time for frame in frames]) == pytest.approx(np.full(11, 1 / 30))
    assert (frames[5].image == frames[0].image).all()
    assert (frames[11].image == frames[1].image).all()
    assert not (frames[1].image == frames[0].image).all()


def test_closing_a_waiting_paced_video_from_another_thread(tmp_path: Path) -> None:
    source = paced(open_source(str(write_video(tmp_path / "video.mp4", [0, 90_000 * 60]))))
    assert source.facts.live
    assert source.facts.kind == "video"
    threading.Timer(0.3, source.close).start()
    start = time.monotonic()
    assert len(list(source.frames())) == 1
    assert 0.2 < time.monotonic() - start < 1.3


def test_a_paced_video_keeps_its_rate(tmp_path: Path) -> None:
    source = paced(open_source(str(write_video(tmp_path / "video.mp4", [0, 9000, 36000, 54000]))))
    frames = list(source.frames())
    arrivals = np.array([frame.arrived for frame in frames])
    assert arrivals - arrivals[0] == pytest.approx([0.0, 0.1, 0.4, 0.6], abs=0.15)
    assert arrivals[-1] - arrivals[0] >= 0.59


def test_a_closed_video_yields_nothing(tmp_path: Path) -> None:
    source = open_source(str(write_video(tmp_path / "video.mp4", steady(30))))
    frames = source.frames()
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []


@pytest.mark.parametrize(
    ("name", "size", "sound"),
    [
        ("dance_three_portrait_audio.mp4", (720, 1280), True),
        ("dancer_single.mp4", (1280, 720), False),
        ("street_people_audio.mp4", (1280, 720), True),
    ],
)
def test_real_videos_agree_with_opencv(name: str, size: tuple[int, int], sound: bool) -> None:
    path = REAL / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    source = open_source(str(path))
    assert source.facts.size == size
    assert source.facts.has_audio is sound
    capture = cv2.VideoCapture(str(path))
    count = 0
    for frame in source.frames():
        good, other = capture.read()
        assert good
        assert frame.time == pytest.approx(count / source.facts.frame_rate, abs=1e-6)
        if count % 40 == 0:
            # OpenCV converts YUV to RGB differently, by a few levels
            assert np.abs(frame.image.astype(int) - other[:, :, ::-1]).mean() < 3
        count += 1
    assert not capture.read()[0]
    assert count == source.facts.frame_count
