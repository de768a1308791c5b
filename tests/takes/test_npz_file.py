"""Take files: round trip, documented keys, and refusal of invalid files."""

from __future__ import annotations

import io
import pickle
import zipfile
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.errors import InputError, OutputError
from pymaf_live.takes import read_take, write_take
from pymaf_live.takes.take import Take
from tests.helpers.paths import ROOT
from tests.helpers.take import make_take, moving_limbs, standing, walking_past

OPTIONAL = {
    "file_time",
    "trim",
    "ground",
    "camera_motion",
    "marker_frame",
    "marker_name",
    "person_number",
    "person_name",
}
"""Keys of finished and edited takes and of recordings of a looped file."""


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture
def take(body: Body) -> Take:
    times = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.05, 12))
    return make_take(
        body,
        times,
        {1: moving_limbs(body, times), 7: standing(body, 3)},
        {1: walking_past(times), 7: walking_past(times[:3], 2.0)},
        frames={1: np.arange(12), 7: np.array([4, 5, 9])},
        rate=Fraction(30000, 1001),
    )


def rewrite(path: Path, **changes: Any) -> None:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    for name, value in changes.items():
        if value is None:
            del arrays[name]
        else:
            arrays[name] = np.asarray(value)
    np.savez(path, **arrays)


def test_a_written_take_is_read_back(take: Take, tmp_path: Path) -> None:
    motion = np.c_[np.linspace(0, 0.3, 12), np.zeros((12, 2)), np.linspace(1, 1.5, 12)]
    take = replace(take, ground=np.array([0.0, -0.8, -0.6, -1.5]), camera_motion=motion)
    write_take(tmp_path / "new" / "a.npz", take)
    again = read_take(tmp_path / "new" / "a.npz")
    for field in fields(Take):
        before, after = getattr(take, field.name), getattr(again, field.name)
        if isinstance(before, np.ndarray):
            np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-6, err_msg=field.name)
        else:
            assert after == before, field.name
    assert again.frame_rate == Fraction(30000, 1001)
    np.testing.assert_array_equal(again.frame_time, take.frame_time)  # to the last bit
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.npz"]


def test_the_file_has_exactly_the_documented_keys_and_needs_no_pickle(
    take: Take, tmp_path: Path
) -> None:
    write_take(tmp_path / "a.npz", take)
    table = ROOT / "docs" / "take-format.md"
    cells = [
        line.split("|")[1] for line in table.read_text().splitlines() if line.startswith("| `")
    ]
    documented = {name.strip(" `") for cell in cells for name in cell.split(",")}
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert set(file.files) == documented - OPTIONAL
        assert documented > OPTIONAL
        assert str(file["format"]) == "pymaf-live-take"
        assert int(file["version"]) == 2
        assert file["frame_rate"].tolist() == [30000, 1001]


def test_a_take_may_have_no_people(body: Body, tmp_path: Path) -> None:
    write_take(tmp_path / "a.npz", make_take(body, np.array([0.0, 0.1]), {}, {}))
    again = read_take(tmp_path / "a.npz")
    assert len(again.frame_time) == 2
    assert again.pose.shape == (0, body.joint_count, 3)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"pose": None}, "pose is missing"),
        ({"format": "something"}, "format is not"),
        ({"version": 3}, "newer"),
        ({"extra": 1}, "not part of the format"),
        ({"frame_rate": [30, 0]}, "frame_rate"),
        ({"frame_rate": [30.0, 1.0]}, "type float64"),
        ({"frame_size": [-1, 720]}, "frame_size"),
        ({"frame_time": np.zeros(12)}, "does not increase"),
        ({"frame": np.arange(3, 18)}, "points outside 0..11"),
        ({"frame": np.zeros(15, dtype=int)}, "two rows in one frame"),
        ({"frame": np.zeros(14, dtype=int)}, "should be"),
        ({"person": np.full(15, -1)}, "negative"),
        ({"pose": np.zeros((15, 23, 3))}, "shape"),
        ({"translation": np.full((15, 3), np.nan)}, "not finite"),
        ({"joints": np.full((15, 24, 3), 1e300)}, "not finite"),
        ({"parents": np.full(24, -1)}, "tree"),
        ({"ground": [0.0, -2.0, 0.0, -1.5]}, "not a unit vector"),
        ({"camera_motion": np.zeros((12, 4))}, "not positive"),
        ({"camera_motion": np.ones((11, 4))}, "should be 12"),
        ({"focal_length": 0.0}, "focal_length"),
        ({"body_sha256": "../../etc/passwd"}, "SHA-256"),
        ({"source": np.array({"a": 1}, dtype=object)}, "type object"),
        ({"score": np.array(["a"] * 15)}, "type <U1"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_invalid_files_are_refused_in_one_line(
    take: Take, tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    path = tmp_path / "a.npz"
    write_take(path, take)
    rewrite(path, **changes)
    with pytest.raises(InputError, match=why) as caught:
        read_take(path)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_other_files_are_refused(take: Take, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(InputError, match="there is no take"):
        read_take(path)
    for content in (b"", b"PK\x03\x04", pickle.dumps({"format": 1}), b"x" * 5000):
        path.write_bytes(content)
        with pytest.raises(InputError):
            read_take(path)
    with pytest.raises(InputError):
        read_take(tmp_path)  # a folder


def test_damaged_and_truncated_files_are_refused(take: Take, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_take(path, take)
    whole = path.read_bytes()
    for cut in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError):
            read_take(path)
    position = whole.index(b"pose.npy") + 300
    path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
    with pytest.raises(InputError, match="CRC"):
        read_take(path)


def test_declared_sizes_are_checked(take: Take, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_take(path, take)

    def with_header(name: str, shape: tuple[int, ...], content: bytes) -> None:
        with zipfile.ZipFile(path) as old:
            entries = {info.filename: old.read(info) for info in old.infolist()}
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f4", "fortran_order": False, "shape": shape}
        )
        entries[f"{name}.npy"] = header.getvalue() + content
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
            for entry, data in entries.items():
                new.writestr(entry, data)

    with_header("pose", (1 << 40, 24, 3), b"\0" * 64)  # declares 288 TiB, has 64 bytes
    with pytest.raises(InputError, match="declares"):
        read_take(path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pose.npy", b"\0" * (1 << 20))
    content = path.read_bytes()
    # set the declared size of the entry to 3 GiB
    path.write_bytes(
        content.replace((1 << 20).to_bytes(4, "little"), (3 << 30).to_bytes(4, "little"))
    )
    with pytest.raises(InputError, match="more than the limit"):
        read_take(path)


def test_invalid_takes_are_not_written(take: Take, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="not finite"):
        write_take(tmp_path / "a.npz", replace(take, score=np.full(15, np.nan)))
    write_take(tmp_path / "a.npz", take)
    with pytest.raises(OutputError, match="already exists"):
        write_take(tmp_path / "a.npz", take)
    write_take(tmp_path / "a.npz", replace(take, model="other"), force=True)
    assert read_take(tmp_path / "a.npz").model == "other"
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_take(tmp_path / "file" / "a.npz", take)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "file"]


def test_a_compressed_bomb_is_refused_unread(take: Take, tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    write_take(path, take)
    with np.load(path) as file:
        arrays = dict(file)
    arrays["pose"] = np.zeros((100_000_000, 1, 1), np.float32)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array_header_1_0(
                    entry,
                    {"descr": values.dtype.str, "fortran_order": False, "shape": values.shape},
                )
                if name != "pose":
                    entry.write(values.tobytes())
                    continue
                for _ in range(400):
                    entry.write(bytes(1_000_000))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(InputError, match="more than the limit"):
        read_take(path)
