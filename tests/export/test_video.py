"""Tests of the overlay video."""

from __future__ import annotations

import itertools
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pymaf_live.errors import Interrupted, OutputError
from pymaf_live.export.video import OverlayVideo
from pymaf_live.resources import resource
from tests.sources.synthetic import frame_image, steady, write_video

UNEVEN = [0, 3000, 4000, 9001, 20000, 20001, 50000, 90000]
SIZE = (64, 48)
RATE = Fraction(30)


def write(path: Path, ticks: list[int], audio_from: Path | None = None) -> OverlayVideo:
    with OverlayVideo(path, SIZE, RATE, audio_from) as video:
        for index, tick in enumerate(ticks):
            video.add(frame_image(index), tick / 90_000)
    return video


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def sound(path: Path) -> tuple[float, np.ndarray]:
    """Return the time of the first sample and the first channel's samples from -1 to 1."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    if samples.dtype == np.int16:
        samples = samples / 32768
    return float(frames[0].pts * frames[0].time_base), samples


def test_uneven_times_are_exact(tmp_path: Path) -> None:
    write(tmp_path / "o.mp4", UNEVEN)
    assert times(tmp_path / "o.mp4") == [Fraction(tick, 90_000) for tick in UNEVEN]


def test_a_late_start_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "o.mp4", [45_000, 48_000, 51_000])
    assert times(tmp_path / "o.mp4") == [Fraction(1, 2), Fraction(48, 90), Fraction(51, 90)]


def test_duration_of_a_variable_rate_video_is_complete(tmp_path: Path) -> None:
    # players use the duration in the header, which includes the last image
    write(tmp_path / "o.mp4", UNEVEN)
    with av.open(str(tmp_path / "o.mp4")) as container:
        stream = container.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(1 + 1 / 30, abs=1e-4)


def test_is_h264_with_its_index_in_front(tmp_path: Path) -> None:
    write(tmp_path / "o.mp4", steady(5))
    with av.open(str(tmp_path / "o.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == 30
    data = (tmp_path / "o.mp4").read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")


def test_colours_survive(tmp_path: Path) -> None:
    write(tmp_path / "o.mp4", steady(4))
    capture = cv2.VideoCapture(str(tmp_path / "o.mp4"))
    for index in range(4):
        image = capture.read()[1][:, :, ::-1]
        wanted = frame_image(index)
        assert np.abs(image.astype(int) - wanted)[:, np.r_[4:26, 38:60]].max() <= 10


def test_a_video_keeps_its_quality(tmp_path: Path) -> None:
    with av.open(str(resource("demo.mp4"))) as container:
        frames = itertools.islice(container.decode(video=0), 10)
        images = [frame.to_ndarray(format="rgb24") for frame in frames]
    height, width = images[0].shape[:2]
    with OverlayVideo(tmp_path / "o.mp4", (width, height), RATE) as video:
        for index, image in enumerate(images):
            video.add(image, index / 30)
    with av.open(str(tmp_path / "o.mp4")) as container:
        written = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(written) == len(images)
    for image, wanted in zip(written, images, strict=True):
        assert cv2.PSNR(image, wanted) > 38


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (65, 47), (64, 47), (1920, 1080)])
def test_odd_sizes_become_even(tmp_path: Path, size: tuple[int, int]) -> None:
    colour = np.array([200, 100, 50], np.uint8)
    with OverlayVideo(tmp_path / "o.mp4", size, None) as video:
        for k in range(3):
            video.add(np.broadcast_to(colour, (size[1], size[0], 3)), k / 30)
    with av.open(str(tmp_path / "o.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 3
    assert frames[0].shape == (size[1] + size[1] % 2, size[0] + size[0] % 2, 3)
    assert np.abs(frames[0].astype(int) - colour).max() <= 6


def test_audio_is_copied_bit_by_bit_and_cut_to_the_images(tmp_path: Path) -> None:
    source = write_video(tmp_path / "s.mp4", steady(45), sound="aac")  # 1.5 s; its sound is longer
    assert write(tmp_path / "o.mp4", steady(45), source).notice == ""
    packets = []
    for path in (source, tmp_path / "o.mp4"):
        with av.open(str(path)) as container:
            packets.append([bytes(p) for p in container.demux(audio=0) if p.size])
    assert packets[1] == packets[0][: len(packets[1])]
    assert len(packets[1]) < len(packets[0])
    (start, before), (same, after) = sound(source), sound(tmp_path / "o.mp4")
    assert same == start
    assert 1.5 <= len(after) / 48000 < 1.55
    # the last packet would decode together with the one that was cut off
    assert (after[:-1024] == before[: len(after) - 1024]).all()


def test_audio_stays_in_sync_with_a_shifted_source(tmp_path: Path) -> None:
    source = write_video(
        tmp_path / "s.ts", steady(45), sound="aac", options={"output_ts_offset": "5"}
    )
    with av.open(str(source)) as container:
        start = container.start_time / av.time_base
        first_image = next(container.decode(video=0)).time - start
    first_sample, _ = sound(source)
    assert first_sample > 4
    ticks = [round(first_image * 90_000) + tick for tick in steady(45)]
    write(tmp_path / "o.mp4", ticks, source)
    assert sound(tmp_path / "o.mp4")[0] == pytest.approx(first_sample - start, abs=1e-3)


@pytest.mark.parametrize(
    ("suffix", "codec", "kept"),
    [
        (".mov", "pcm_s16le", "aac"),
        (".avi", "pcm_s16le", "aac"),
        (".mkv", "libmp3lame", "mp3float"),
        (".mkv", "libopus", "opus"),
        (".mkv", "flac", "flac"),
    ],
)
def test_audio_of_other_codecs(tmp_path: Path, suffix: str, codec: str, kept: str) -> None:
    source = write_video(tmp_path / f"s{suffix}", steady(45), sound=codec)
    assert write(tmp_path / "o.mp4", steady(45), source).notice == ""
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert container.streams.audio[0].codec_context.name == kept
    start, samples = sound(tmp_path / "o.mp4")
    assert start == pytest.approx(0, abs=0.03)
    assert 1.4 < len(samples) / 48000 < 1.6
    middle = samples[12_000:60_000] * np.hanning(48_000)
    assert np.argmax(np.abs(np.fft.rfft(middle))) == 440
    assert np.abs(samples[12_000:60_000]).max() == pytest.approx(20_000 / 32_768, abs=0.05)


def test_images_and_audio_are_interleaved(tmp_path: Path) -> None:
    source = write_video(tmp_path / "s.mp4", steady(150), sound="aac")
    write(tmp_path / "o.mp4", steady(150), source)
    with av.open(str(tmp_path / "o.mp4")) as container:
        places = sorted(
            (packet.pos, float(packet.dts * packet.time_base), packet.stream.type)
            for packet in container.demux()
            if packet.size
        )
    newest = {"video": 0.0, "audio": 0.0}
    for _, time, kind in places:
        newest[kind] = time
        assert abs(newest["video"] - newest["audio"]) < 1.5


def test_source_with_missing_or_unreadable_audio(tmp_path: Path) -> None:
    silent = write_video(tmp_path / "s.mp4", steady(3))
    assert "no audio" in write(tmp_path / "o.mp4", steady(3), silent).notice
    (tmp_path / "text.mp4").write_text("no video")
    assert "cannot be read" in write(tmp_path / "p.mp4", steady(3), tmp_path / "text.mp4").notice
    assert len(times(tmp_path / "o.mp4")) == len(times(tmp_path / "p.mp4")) == 3


def test_file_appears_only_when_complete(tmp_path: Path) -> None:
    video = OverlayVideo(tmp_path / "o.mp4", SIZE, RATE)
    video.add(frame_image(0), 0.0)
    assert not (tmp_path / "o.mp4").exists()
    video.close()
    video.close()
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"]


def test_error_inside_leaves_no_file(tmp_path: Path) -> None:
    source = write_video(tmp_path / "s.mp4", steady(9), sound="aac")

    def fail() -> None:
        with OverlayVideo(tmp_path / "o.mp4", SIZE, RATE, source) as video:
            video.add(frame_image(0), 0.0)
            raise RuntimeError("elsewhere")

    with pytest.raises(RuntimeError, match="elsewhere"):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["s.mp4"]


def test_abort_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "o.mp4").write_bytes(b"old")
    video = OverlayVideo(tmp_path / "o.mp4", SIZE, RATE, force=True)
    video.add(frame_image(0), 0.0)
    video.abort()
    video.close()
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"]
    assert (tmp_path / "o.mp4").read_bytes() == b"old"


@pytest.mark.parametrize("kind", [Interrupted, KeyboardInterrupt])
def test_stopped_work_is_complete_up_to_there(tmp_path: Path, kind: type[BaseException]) -> None:
    source = write_video(tmp_path / "s.mp4", steady(90), sound="aac")

    def stop() -> None:
        with OverlayVideo(tmp_path / "o.mp4", SIZE, RATE, source) as video:
            for index, tick in enumerate(steady(30)):
                video.add(frame_image(index), tick / 90_000)
            raise kind("stopped")

    with pytest.raises(kind):
        stop()
    assert len(times(tmp_path / "o.mp4")) == 30
    assert 1.0 <= len(sound(tmp_path / "o.mp4")[1]) / 48000 < 1.05


def test_stopping_before_the_first_image_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Interrupted), OverlayVideo(tmp_path / "o.mp4", SIZE, RATE):
        raise Interrupted("stopped")
    with pytest.raises(OutputError, match="no images"):
        OverlayVideo(tmp_path / "o.mp4", SIZE, RATE).close()
    assert list(tmp_path.iterdir()) == []


def test_unwritable_paths_are_output_errors(tmp_path: Path) -> None:
    (tmp_path / "there.mp4").write_bytes(b"mine")
    (tmp_path / "file").write_bytes(b"")
    for path in (
        tmp_path / "there.mp4",
        tmp_path / "nowhere" / "o.mp4",
        tmp_path / "file" / "o.mp4",
        Path("/proc/o.mp4"),
    ):
        with pytest.raises(OutputError) as caught:
            OverlayVideo(path, SIZE, RATE)
        assert "\n" not in str(caught.value)
        assert path.name in str(caught.value)
    assert (tmp_path / "there.mp4").read_bytes() == b"mine"
    with pytest.raises(OutputError, match="20000x10"):
        OverlayVideo(tmp_path / "o.mp4", (20_000, 10), RATE)


def test_wrong_sizes_and_invalid_times_are_refused(tmp_path: Path) -> None:
    video = OverlayVideo(tmp_path / "o.mp4", SIZE, RATE)
    with pytest.raises(ValueError, match="in a video of"):
        video.add(frame_image(0, 32, 32), 0.0)
    with pytest.raises(ValueError, match="time"):
        video.add(frame_image(0), float("nan"))
    video.abort()


@pytest.mark.parametrize("room", [3_000, 60_000])
def test_full_disk_is_an_output_error_and_leaves_nothing(tmp_path: Path, room: int) -> None:
    # a limit of the file size simulates a full disk
    script = f"""
        import resource, signal
        from pathlib import Path
        import numpy as np
        from pymaf_live.errors import OutputError
        from pymaf_live.export.video import OverlayVideo
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))
        noise = np.random.default_rng(0)
        try:
            with OverlayVideo(Path({str(tmp_path / "o.mp4")!r}), (320, 240), None) as video:
                for k in range(20):
                    video.add(noise.integers(0, 255, (240, 320, 3), dtype=np.uint8), k / 30)
        except OutputError as error:
            print("refused:", error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("refused: cannot write")
    assert done.stdout.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
