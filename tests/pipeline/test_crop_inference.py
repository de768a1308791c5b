"""Looking ahead changes nothing in what is seen."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.inference import open_session
from pymaf_live.pipeline.crop_inference import Looking
from pymaf_live.tracking import FollowedCrop
from pymaf_live.tracking.crop import crop_about
from pymaf_live.types import Array, Crop, Frame
from tests.helpers.model import write_fake_model

SIDE_BY_SIDE = 2
Places = list[list[Crop]]
"""Of each frame, the crops of its people."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_model(tmp_path_factory.mktemp("model") / "made_up.onnx", default_body())


@pytest.fixture(scope="module")
def film() -> list[Frame]:
    """Noise, so that the grain's running means differ with every crop that was cut."""
    noise = np.random.default_rng(3)
    images = noise.integers(120, 124, (8, 480, 640, 3), np.uint8)
    images[:, 120:360, 280:360] += 100
    return [Frame(index, index / 30, image) for index, image in enumerate(images)]


def crop(x: float = 320.0) -> Crop:
    return crop_about(np.array([x, 240.0]), 400.0, 0.0, 256)


def seen(
    looking: Looking, film: list[Frame], places: Places, told: Places | None, ahead: int = 1
) -> list[Array]:
    """What a film's people look like: their cameras, frame by frame, person by person.

    `told` are the crops that are foreseen for each frame, `ahead` frames before.
    """
    cameras = []
    for number, (frame, crops) in enumerate(zip(film, places, strict=True)):
        spent: dict[str, float] = {}
        next_frames = film[number + 1 : number + 1 + ahead]
        foreseen: Places = []
        if told is not None and number > 0:
            foreseen = told[number + 1 : number + 1 + ahead]
        people = [
            FollowedCrop(
                person,
                one,
                number == 0,
                True,
                coming=tuple(later[person] for later in foreseen if person < len(later)),
            )
            for person, one in enumerate(crops)
        ]
        looks = looking.look(frame, people, spent)
        if told is not None:
            looking.begin_ahead(next_frames, people, spent)
        for one, begun in zip(people, looks, strict=True):
            look = begun.wait(spent)
            assert look.crop is one.crop
            cameras.append(look.levels[-1].camera)
        assert not crops or spent["network"] > 0
    return cameras


STILL, ASIDE, FAR = crop(), crop(340.0), crop(200.0)
WALKED: Places = [[crop(300.0 + 5 * number)] for number in range(8)]


@pytest.mark.parametrize("frames_ahead", [1, 2])
@pytest.mark.parametrize(
    ("places", "told", "used"),
    [
        ([[STILL]] * 8, [[STILL]] * 8, 6),
        (WALKED, WALKED, 6),
        (WALKED, [[STILL]] * 8, 0),
        ([[STILL]] * 4 + [[ASIDE]] * 4, [[STILL]] * 5 + [[ASIDE]] * 3, 5),
        ([[STILL, FAR]] * 4 + [[STILL, ASIDE]] * 4, [[STILL, FAR]] * 8, 8),
        ([[STILL, FAR]] * 3 + [[STILL]] * 5, [[STILL, FAR]] * 8, 7),
        ([[STILL]] * 3 + [[]] * 2 + [[STILL]] * 3, [[STILL]] * 8, 3),
    ],
    ids=["still", "walks", "all wrong", "once wrong", "one of two wrong", "one goes", "away"],
)
def test_a_film_looks_the_same_whether_frames_are_begun_ahead_or_not(
    model: Path, film: list[Frame], places: Places, told: Places, used: int, frames_ahead: int
) -> None:
    session = open_session(model, "openvino", streams=SIDE_BY_SIDE)
    plain, ahead = Looking(session), Looking(session)
    wanted = seen(plain, film, places, None)
    np.testing.assert_array_equal(seen(ahead, film, places, told, frames_ahead), wanted)
    assert (plain.begun_ahead, plain.used_ahead) == (0, 0)
    assert ahead.used_ahead == used
    session.close()


def test_of_a_pair_begun_ahead_the_one_who_is_there_is_used(model: Path, film: list[Frame]) -> None:
    session = open_session(model, "openvino", streams=SIDE_BY_SIDE, pairs="at once")
    places = [[STILL, FAR, crop(500.0)]] * 4 + [[STILL, ASIDE, crop(500.0)]] * 4
    told = [[STILL, FAR, crop(450.0)]] * 8
    plain, ahead = Looking(session), Looking(session)
    wanted = seen(plain, film, places, None)
    np.testing.assert_allclose(seen(ahead, film, places, told), wanted, atol=1e-5)
    # the first in six frames, the second in two
    assert ahead.used_ahead == 8
    session.close()


def test_of_very_many_people_some_are_begun_ahead(model: Path, film: list[Frame]) -> None:
    session = open_session(model, "openvino", streams=SIDE_BY_SIDE)
    places = [[crop(200.0 + 20 * person) for person in range(10)]] * len(film)
    plain, ahead = Looking(session), Looking(session)
    wanted = seen(plain, film, places, None)
    np.testing.assert_array_equal(seen(ahead, film, places, places), wanted)
    assert 0 < ahead.used_ahead < 6 * 10
    session.close()


@pytest.mark.parametrize(("backend", "streams"), [("onnxruntime", 2), ("openvino", 1)])
def test_where_runs_cannot_lie_side_by_side_nothing_is_begun_ahead(
    model: Path, film: list[Frame], backend: str, streams: int
) -> None:
    session = open_session(model, backend, streams=streams)
    looking = Looking(session)
    seen(looking, film, WALKED, WALKED)
    assert looking.begun_ahead == 0
    session.close()


def test_what_is_called_off_leaves_its_place_to_the_next(model: Path) -> None:
    session = open_session(model, "openvino", streams=SIDE_BY_SIDE)
    images = np.full((1, 3, 256, 256), 0.5, np.float32)
    wanted = session.run(images)[0][0].camera
    for _ in range(20):
        session.start(np.zeros_like(images)).call_off()
        np.testing.assert_array_equal(session.run(images)[0][0].camera, wanted)
    session.close()


def test_runs_side_by_side_are_not_told_as_one_after_the_other(
    model: Path, film: list[Frame]
) -> None:
    session = open_session(model, "openvino", streams=SIDE_BY_SIDE, pairs="at once")
    looking = Looking(session)
    people = [FollowedCrop(n, crop(200.0 + 80 * n), True, True) for n in range(4)]
    for frame in film:
        spent: dict[str, float] = {}
        began = time.perf_counter()
        for begun in looking.look(frame, people, spent):
            begun.wait(spent)
        assert 0 < spent["network"] <= 1000 * (time.perf_counter() - began)
    session.close()
