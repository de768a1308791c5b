"""Tests of takes with several people in every format."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.export.formats import FORMATS
from pymaf_live.takes import read_take
from pymaf_live.takes.take import Take
from tests.helpers.take import make_take, standing, walking_past

PEOPLE = (0, 2, 5)


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def take(body: Body) -> Take:
    """Return a take of ten frames: person 2 in all, 0 and 5 in the first and last six."""
    frames = {0: np.arange(6), 2: np.arange(10), 5: np.arange(4, 10)}
    return make_take(
        body,
        np.arange(10) / 30,
        {person: standing(body, len(frames[person])) for person in PEOPLE},
        {
            person: walking_past(frames[person] / 30, 0.7 * n - 0.4)
            for n, person in enumerate(PEOPLE)
        },
        frames=frames,
    )


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_all_people_are_exported(body: Body, take: Take, tmp_path: Path, name: str) -> None:
    format_ = FORMATS[name]
    if format_.missing:
        pytest.skip(format_.missing)
    done = format_.write(take, body, format_.target(tmp_path / "three"))
    files = {each.path.name for each in done}
    if format_.per_person:
        endings = ("", "_person0", "_person5")
        assert files == {f"three{ending}{format_.suffix}" for ending in endings}
        assert all(each.joint_error is None or each.joint_error < 1e-3 for each in done)
        # three different motions
        assert len({each.path.read_bytes() for each in done}) == len(PEOPLE)
    else:
        assert len(done) == 1


def test_npz_and_masks_contain_all_people(body: Body, take: Take, tmp_path: Path) -> None:
    (file,) = FORMATS["npz"](take, body, tmp_path / "three.npz")
    assert sorted(set(read_take(file).person.tolist())) == list(PEOPLE)
    (folder,) = FORMATS["mask"](take, body, tmp_path / "three_masks")
    masks = sorted(folder.glob("*.png"))
    assert len(masks) == 10
    for frame, who in ((1, (0, 2)), (5, (0, 2, 5)), (9, (2, 5))):
        mask = cv2.imread(str(masks[frame]), cv2.IMREAD_GRAYSCALE)
        assert mask is not None
        for person in who:
            row = np.flatnonzero((take.person == person) & (take.frame == frame))[0]
            x, y = np.rint(take.joints_2d[row, 0]).astype(int)
            assert mask[y, x] == 255


def test_people_keep_their_relative_positions(body: Body, take: Take, tmp_path: Path) -> None:
    files = FORMATS["csv"](take, body, tmp_path / "three.csv")
    roots = {}
    for file in files:
        with file.open(newline="", encoding="utf-8") as opened:
            row = list(csv.DictReader(opened))[5]
        roots[file.name] = np.array([float(row[f"pelvis_{axis}_m"]) for axis in "xyz"])
    places = {
        person: take.joints[(take.person == person) & (take.frame == 5)][0, 0] for person in PEOPLE
    }
    for one, other, names in (
        (2, 0, ("three.csv", "three_person0.csv")),
        (2, 5, ("three.csv", "three_person5.csv")),
    ):
        apart = np.linalg.norm(roots[names[0]] - roots[names[1]])
        assert apart == pytest.approx(np.linalg.norm(places[one] - places[other]), abs=1e-4)
