"""Separate images: formats, EXIF orientation, damage, folders and patterns."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image as Pillow

from pymaf_live.errors import InputError
from pymaf_live.sources import expand, open_source
from pymaf_live.sources.image_headers import image_header
from tests.helpers.paths import SHARED


def scene(width: int = 40, height: int = 24) -> np.ndarray:
    """Return an RGB image: red, with a green upper left quarter and a blue last row."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:] = (200, 20, 30)
    image[: height // 2, : width // 2] = (10, 180, 40)
    image[-1] = (0, 0, 250)
    return image


def save(path: Path, image: np.ndarray) -> Path:
    if image.ndim == 3 and image.shape[2] == 3:
        image = image[:, :, ::-1]
    elif image.ndim == 3 and image.shape[2] == 4:
        image = image[:, :, [2, 1, 0, 3]]
    assert cv2.imwrite(str(path), image)
    return path


def read(path: Path) -> np.ndarray:
    (frame,) = open_source(str(path)).frames()
    assert frame.image.dtype == np.uint8
    assert frame.image.ndim == 3
    assert frame.image.shape[2] == 3
    assert not frame.image.flags.writeable
    return frame.image


def exif(orientation: int) -> bytes:
    tag = struct.pack(">HHIHH", 274, 3, 1, orientation, 0)
    return b"MM\0*" + struct.pack(">IH", 8, 1) + tag + struct.pack(">I", 0)


# position of row 0 and column 0 of the stored image according to EXIF 2.3
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_is_turned_by_its_exif_tag(tmp_path: Path, orientation: int) -> None:
    data = cv2.imencode(".jpg", scene()[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    block = b"Exif\0\0" + exif(orientation)
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:])
    plain = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert (read(path) == UPRIGHT[orientation](plain)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_transparent_png_is_turned_and_blended_onto_white(tmp_path: Path, orientation: int) -> None:
    image = np.dstack([scene(), np.full((24, 40), 255, np.uint8)])
    image[:, 30:, 3] = 0
    image[:, 20:30, 3] = 51  # a fifth
    path = save(tmp_path / "a.png", image)
    data = path.read_bytes()
    body = b"eXIf" + exif(orientation)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(data[:33] + chunk + data[33:])  # after IHDR
    wanted = scene().astype(float)
    wanted[:, 30:] = 255
    wanted[:, 20:30] = wanted[:, 20:30] * 0.2 + 255 * 0.8
    assert np.abs(read(path) - UPRIGHT[orientation](wanted)).max() <= 0.5


def test_gray_is_expanded_to_three_channels(tmp_path: Path) -> None:
    grey = np.arange(200, dtype=np.uint8).reshape(10, 20)
    for name in ("a.png", "a.bmp", "a.pgm", "a.tif"):
        assert (read(save(tmp_path / name, grey)) == grey[:, :, None]).all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_are_scaled_to_8(tmp_path: Path, suffix: str) -> None:
    deep = np.zeros((4, 6, 3), np.uint16)
    deep[..., 0] = 65535
    deep[..., 1] = 257 * 100
    deep[:, 3:, 2] = 257 * 3
    image = read(save(tmp_path / f"a{suffix}", deep))
    assert image[0, 0].tolist() == [255, 100, 0]
    assert image[0, 5].tolist() == [255, 100, 3]
    grey = read(save(tmp_path / f"g{suffix}", deep[..., 1]))
    assert (grey == 100).all()


def test_16_bits_with_alpha(tmp_path: Path) -> None:
    deep = np.full((3, 3, 4), 65535, np.uint16)
    deep[..., :2] = 0
    deep[0, :, 3] = 0
    image = read(save(tmp_path / "a.png", deep))
    assert image[2, 2].tolist() == [0, 0, 255]
    assert image[0, 0].tolist() == [255, 255, 255]


def test_float_tiff(tmp_path: Path) -> None:
    image = np.zeros((3, 4, 3), np.float32)
    image[..., 0], image[..., 1] = 1.0, 7.0
    image[0, 0, 2] = np.nan
    assert (read(save(tmp_path / "a.tif", image)) == [255, 255, 0]).all()


def test_smallest_and_8k(tmp_path: Path) -> None:
    assert read(save(tmp_path / "a.png", scene(1, 1))).shape == (1, 1, 3)
    assert read(save(tmp_path / "b.jpg", scene(7680, 4320))).shape == (4320, 7680, 3)


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def test_an_image_that_claims_gigapixels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(30_000, 30_000))
    with pytest.raises(InputError, match="30000x30000"):
        open_source(str(path))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif"])
def test_sizes_are_known_from_the_header(suffix: str) -> None:
    data = cv2.imencode(suffix, scene(300, 70))[1].tobytes()
    header = image_header(data)
    assert header is not None
    assert (header.width, header.height) == (300, 70)
    for cut in range(0, 60, 3):
        part = image_header(data[:cut])  # never an exception
        assert part is None or (part.width, part.height) == (300, 70)


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "head"])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_single_damaged_image_is_one_line(tmp_path: Path, suffix: str, damage: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (100, 100, 3), dtype=np.uint8)
    data = save(tmp_path / f"a{suffix}", noise).read_bytes()
    bad = tmp_path / f"bad{suffix}"
    bad.write_bytes(
        {"cut": data[: len(data) // 2], "text": b"not an image", "empty": b"", "head": data[:20]}[
            damage
        ]
    )
    with pytest.raises(InputError, match=f"bad{suffix}") as caught:
        list(open_source(str(bad)).frames())
    assert "\n" not in str(caught.value)


def test_damaged_images_among_others_are_listed(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        save(tmp_path / f"shot{number}.png", scene(20 + number, 20))
    (tmp_path / "shot3.png").write_bytes(b"not an image")
    (tmp_path / "shot4.JPG").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("ignored")
    (tmp_path / "._shot1.png").write_bytes(b"left by another system")
    source = open_source(str(tmp_path))
    assert source.facts.kind == "images"
    assert source.facts.frame_count == 5
    assert source.facts.frame_rate is None
    frames = list(source.frames())
    assert [frame.name for frame in frames] == ["shot1.png", "shot2.png", "shot10.png"]
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [frame.time for frame in frames] == [0.0, 1.0, 2.0]
    assert [frame.image.shape[1] for frame in frames] == [21, 22, 30]
    assert [name for name, _ in source.failures] == ["shot3.png", "shot4.JPG"]
    assert all("\n" not in why for _, why in source.failures)


def test_a_folder_of_damaged_images_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"not an image")
    source = open_source(str(tmp_path))
    with pytest.raises(InputError, match="none of the images"):
        list(source.frames())
    assert len(source.failures) == 1


def test_folder_and_pattern_without_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images in the folder"):
        open_source(str(tmp_path))
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match="no images in the folder"):
        open_source(str(tmp_path))
    with pytest.raises(InputError, match="no file matches"):
        open_source(str(tmp_path / "*.jpg"))


def test_pattern_and_names_with_brackets(tmp_path: Path) -> None:
    for name in ("a1.png", "a2.png", "b.png", "c[1].png"):
        save(tmp_path / name, scene())
    names = [frame.name for frame in open_source(str(tmp_path / "a*.png")).frames()]
    assert names == ["a1.png", "a2.png"]
    assert len(list(open_source(str(tmp_path / "c[1].png")).frames())) == 1


def test_an_image_without_a_suffix_is_recognized_by_its_content(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", scene()).rename(tmp_path / "image")
    assert (read(path) == scene()).all()


def test_a_pattern_of_videos_expands_to_one_source_per_file(tmp_path: Path) -> None:
    for name in ("a10.mp4", "a9.mp4"):
        (tmp_path / name).write_bytes(b"x")
    save(tmp_path / "p.png", scene())
    assert expand(str(tmp_path / "*.mp4")) == [str(tmp_path / n) for n in ("a9.mp4", "a10.mp4")]
    for same in (str(tmp_path / "*.png"), str(tmp_path), "0", "rtsp://host/*"):
        assert expand(same) == [same]


def save_heic(path: Path, image: np.ndarray, exif_block: bytes = b"") -> Path:
    heif = pillow_heif.from_bytes("RGB", image.shape[1::-1], image.tobytes())
    heif.save(str(path), quality=-1, chroma=444, **({"exif": exif_block} if exif_block else {}))
    return path


def test_heic_is_read_whatever_its_name(tmp_path: Path) -> None:
    wanted = scene(64, 48)
    path = save_heic(tmp_path / "IMG_0001.HEIC", wanted)
    assert np.abs(read(path).astype(int) - wanted).max() <= 8
    assert (read(path.rename(tmp_path / "renamed.jpg")) == read(save_heic(path, wanted))).all()
    source = open_source(str(tmp_path))
    assert [frame.name for frame in source.frames()] == ["IMG_0001.HEIC", "renamed.jpg"]


def test_heic_is_turned_once() -> None:
    """The container's rotation counts, or the EXIF tag where it has none: never both."""
    pictures = SHARED / "cases" / "media"
    if not pictures.exists():
        pytest.skip(f"{pictures} is not there")
    straight = read(pictures / "pics" / "phone.heic").astype(int)
    turned = read(pictures / "pics" / "phone6.heic").astype(int)
    assert np.abs(straight - turned).mean() < 2
    assert read(pictures / "iphone_grid.heic").shape == (720, 1280, 3)  # six tiles


def test_damaged_heic_is_one_line(tmp_path: Path) -> None:
    data = save_heic(tmp_path / "a.heic", scene(64, 48)).read_bytes()
    for cut in (20, len(data) // 2):
        (tmp_path / "a.heic").write_bytes(data[:cut])
        with pytest.raises(InputError, match=r"a\.heic"):
            list(open_source(str(tmp_path / "a.heic")).frames())


def test_avif_is_turned_by_its_container(tmp_path: Path) -> None:
    image = Pillow.fromarray(scene(64, 48))
    image.save(tmp_path / "a.avif", quality=100, subsampling="4:4:4", exif=b"Exif\0\0" + exif(6))
    found = read(tmp_path / "a.avif").astype(int)
    assert found.shape == (64, 48, 3)
    assert np.abs(found - UPRIGHT[6](scene(64, 48))).mean() < 3


def test_images_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    save(tmp_path / "a.png", scene())
    (tmp_path / "b.CR3").write_bytes(b"raw")
    (tmp_path / "c.gif").write_bytes(b"GIF89a")
    (tmp_path / ".d.psd").write_bytes(b"hidden")
    (tmp_path / "notes.txt").write_text("no image")
    source = open_source(str(tmp_path))
    assert [frame.name for frame in source.frames()] == ["a.png"]
    assert [name for name, _ in source.failures] == ["b.CR3", "c.gif"]
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match=r"no images in the folder .*; b\.CR3 is in a format"):
        open_source(str(tmp_path))


@pytest.mark.parametrize("suffix", [".webp", ".png"])
def test_animations_are_videos(tmp_path: Path, suffix: str) -> None:
    frames = [Pillow.new("RGBA", (32, 24), (50 * k, 0, 0, 255)) for k in range(4)]
    frames[3] = Pillow.new("RGBA", (32, 24), (0, 0, 0, 0))
    path = tmp_path / f"a{suffix}"
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=[40, 40, 80, 40], lossless=True
    )
    source = open_source(str(path))
    assert (source.facts.kind, source.facts.frame_rate, source.facts.size) == (
        "video",
        25,
        (32, 24),
    )
    found = list(source.frames())
    assert [frame.time for frame in found] == pytest.approx([0.0, 0.04, 0.08, 0.16])
    assert [frame.image[5, 5].tolist() for frame in found] == [
        [0, 0, 0], [50, 0, 0], [100, 0, 0], [255, 255, 255],
    ]  # fmt: skip
    # beside others it is an image, and that is said
    save(tmp_path / "b.jpg", scene())
    folder = open_source(str(tmp_path))
    assert len(list(folder.frames())) == 2
    assert folder.notices == [f"of the animation {path} only the first image is used"]


def test_numbered_images_are_a_video_where_a_rate_is_given(tmp_path: Path) -> None:
    for number in (1, 2, 3, 9, 10, 100):
        save(tmp_path / f"shot{number}.png", scene(40, 24))
    (tmp_path / "shot9.png").write_bytes(b"damaged")
    save(tmp_path / "shot.png", scene())
    source = open_source(str(tmp_path / "shot%d.png"), image_rate=Fraction(24))
    assert (source.facts.kind, source.facts.frame_rate) == ("video", 24)
    assert (source.facts.size, source.facts.frame_count) == ((40, 24), 6)
    assert source.facts.duration == pytest.approx(0.25)
    found = [(frame.name, round(24 * frame.time, 6)) for frame in source.frames()]
    numbers = [("shot1", 0), ("shot2", 1), ("shot3", 2), ("shot10", 4), ("shot100", 5)]
    assert found == [(f"{name}.png", time) for name, time in numbers]
    assert [name for name, _ in source.failures] == ["shot9.png"]
    # the same pattern without a rate: separate images
    assert open_source(str(tmp_path / "shot%d.png")).facts.kind == "images"


def test_padded_numbers(tmp_path: Path) -> None:
    for name in ("a0001.png", "a0002.png", "a3.png", "a0010.png", "a12345.png"):
        save(tmp_path / name, scene())
    found = [frame.name for frame in open_source(str(tmp_path / "a%04d.png")).frames()]
    assert found == ["a0001.png", "a0002.png", "a0010.png", "a12345.png"]
    with pytest.raises(InputError, match="no file matches"):
        open_source(str(tmp_path / "b%04d.png"))


def test_limits_count_what_a_decoder_allocates(tmp_path: Path) -> None:
    jpeg = cv2.imencode(".jpg", scene())[1].tobytes()
    at = jpeg.index(b"\xff\xc0")
    huge = jpeg[: at + 5] + struct.pack(">HH", 30_000, 30_000) + jpeg[at + 9 :]
    png = struct.pack(">IIBBBBB", 12_000, 12_000, 16, 6, 0, 0, 0)
    size = struct.pack(">HHIIII", 47, 0, 32_000, 32_000, 0, 0) + bytes(16) + b"\0\3"
    contents = {
        "stray.jpg": huge[:2] + b"\x00" + huge[2:],
        "deep.png": b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + b"IHDR"
        + png
        + bytes(99)
        + b"IEND",
        "a.jp2": b"\xff\x4f\xff\x51" + size + bytes(100),
        "a.ppm": b"P6 # comment\n20000 20000 255\n" + bytes(100),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="the limit is"):
            list(open_source(str(tmp_path / name)).frames())
    header = image_header(cv2.imencode(".tif", np.zeros((5, 7, 3), np.uint16))[1].tobytes())
    assert header is not None
    assert (header.width, header.height, header.pixel_bytes) == (7, 5, 6)
