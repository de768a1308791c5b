"""Tests of Clothing Co-Parsing in both layouts, with small synthetic images."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

import trainer.data.ccp as ccp
from pymaf_live.errors import InputError
from tests.helpers.paths import SHARED
from trainer.data.ccp import open_ccp, person_box, read_backgrounds

REAL = SHARED / "data" / "ccp"
BOX = (100, 20, 130, 90)


def fake_image(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a uniform grey image, 220 wide, and its person mask."""
    image = np.full((100, 220, 3), 40 + number, np.uint8)
    mask = np.zeros((100, 220), np.uint8)
    mask[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 5
    return image, mask


def write_published(folder: Path, count: int) -> None:
    (folder / "photos").mkdir(parents=True)
    (folder / "annotations" / "pixel-level").mkdir(parents=True)
    for number in range(1, count + 1):
        image, mask = fake_image(number)
        cv2.imwrite(str(folder / "photos" / f"{number:04d}.jpg"), image)
        labels = folder / "annotations" / "pixel-level" / f"{number:04d}.mat"
        savemat(labels, {"groundtruth": mask})


def write_packed(folder: Path, count: int) -> None:
    names = [f"{number:04d}.jpg" for number in range(1, count + 1)]
    masks = [f"{number:04d}_mask.png" for number in range(1, count + 1)]
    with zipfile.ZipFile(folder / "images_00.zip", "w") as archive:
        for number, (name, mask_name) in enumerate(zip(names, masks, strict=True), start=1):
            image, mask = fake_image(number)
            archive.writestr(name, cv2.imencode(".jpg", image)[1].tobytes())
            archive.writestr(
                mask_name, cv2.imencode(".png", (mask > 0) * np.uint8(255))[1].tobytes()
            )
    np.savez(folder / "labels.npz", name=np.array(names), mask_name=np.array(masks))


@pytest.mark.parametrize("write", [write_published, write_packed])
def test_images_masks_and_backgrounds_are_read(
    tmp_path: Path, write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ccp, "HELD_OUT_COUNT", 2)
    folder = tmp_path / "ccp"
    folder.mkdir()
    write(folder, 5)
    people = open_ccp(folder)
    assert people.names == ("0001.jpg", "0002.jpg", "0003.jpg", "0004.jpg", "0005.jpg")
    assert abs(int(people.image(2)[0, 0, 0]) - 43) <= 1
    assert person_box(people.mask(2)).tolist() == list(BOX)
    parts = read_backgrounds(folder)
    assert [part.shape for part in parts] == [(100, 94, 3), (100, 84, 3)] * 3
    assert max(int(part.max()) for part in parts) <= 44
    held = read_backgrounds(folder, held_out=True)
    assert len(held) == 4
    assert min(int(part.min()) for part in held) >= 43


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not the CCP set"):
        open_ccp(tmp_path)
    write_published(tmp_path, 2)
    (tmp_path / "photos" / "0001.jpg").unlink()
    (tmp_path / "photos" / "0002.jpg").write_bytes(b"not an image")
    savemat(
        tmp_path / "annotations" / "pixel-level" / "0001.mat", {"groundtruth": np.zeros((3, 3))}
    )
    people = open_ccp(tmp_path)
    with pytest.raises(InputError, match=r"0001\.jpg is missing"):
        people.image(0)
    with pytest.raises(InputError, match=r"0002\.jpg does not decode"):
        people.image(1)
    with pytest.raises(InputError, match=r"0001\.mat has labels"):
        people.mask(0)
    np.savez(tmp_path / "labels.npz", name=np.array(["a.jpg"]), mask_name=np.array(["a.png"]))
    with pytest.raises(InputError, match="not the packed CCP set"):
        open_ccp(tmp_path)
    with zipfile.ZipFile(tmp_path / "images_00.zip", "w") as archive:
        archive.writestr("a.png", b"")
    with pytest.raises(InputError, match=r"a\.jpg is missing"):
        open_ccp(tmp_path).image(0)
    with pytest.raises(InputError, match=r"a\.png"):
        open_ccp(tmp_path).mask(0)


@pytest.mark.skipif(not REAL.exists(), reason="the shared data are missing (../shared/data)")
def test_real_masks_match_their_labelled_boxes() -> None:
    people = open_ccp(REAL)
    with np.load(REAL / "labels.npz") as labels:
        boxes, shares = labels["fg_bbox"], labels["fg_fraction"]
    assert len(people) == 500
    for row in (0, 123, 499):
        mask = people.mask(row)
        assert mask.shape == people.image(row).shape[:2]
        assert person_box(mask).tolist() == boxes[row].tolist()
        assert mask.mean() == pytest.approx(float(shares[row]), abs=1e-3)
