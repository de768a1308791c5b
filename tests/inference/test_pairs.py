"""People are looked at two by two where that is worth what it takes to begin with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.errors import ModelError
from pymaf_live.inference import open_session, openvino_requests
from pymaf_live.inference.openvino_engine import OpenVinoEngine
from pymaf_live.types import Array
from tests.helpers.model import write_fake_model

BODY = default_body()
SIZE = 64


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_model(tmp_path_factory.mktemp("model") / "small.onnx", BODY, SIZE)


def crops(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 3, SIZE, SIZE), dtype=np.float32)


class Runs:
    """How many people each run of the network had."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.people: list[int] = []
        begin = openvino_requests.CompiledBatch.start

        def noted(compiled: openvino_requests.CompiledBatch, images: np.ndarray) -> object:
            self.people.append(len(images))
            return begin(compiled, images)

        monkeypatch.setattr(openvino_requests.CompiledBatch, "start", noted)

    def taken(self) -> list[int]:
        taken, self.people = self.people, []
        return taken


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(monkeypatch)


@pytest.mark.parametrize("streams", [1, 2])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_pairs_see_what_each_alone_sees(model: Path, runs: Runs, count: int, streams: int) -> None:
    alone = open_session(model, "openvino")
    session = open_session(model, "openvino", num_streams=streams, batch_policy="eager")
    assert (alone.preferred_batch, session.preferred_batch) == (1, 2)
    images = crops(count)
    wanted = alone.run(images)
    runs.taken()
    found = session.run(images)
    assert runs.taken() == [2] * (count // 2) + [1] * (count % 2)
    assert len(found) == count
    for one, other in zip(wanted, found, strict=True):
        np.testing.assert_allclose(other[-1].camera, one[-1].camera, atol=1e-6)
        np.testing.assert_allclose(other[-1].joint_score, one[-1].joint_score, atol=1e-6)
    alone.close()
    session.close()


def test_a_film_s_pairs_begin_at_a_run_that_is_told_by_counting(
    model: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_requests, "_COMPILE_AFTER", 2)
    monkeypatch.setattr(openvino_requests, "_USE_AFTER", 5)
    for _ in range(2):
        session = open_session(model, "openvino", num_streams=2, batch_policy="lazy")
        runs.taken()
        taken = []
        for number in range(8):
            session.run(crops(1))  # somebody alone is no reason
            session.run(crops(2, number))
            taken.append(runs.taken())
        assert taken == [[1, 1, 1]] * 4 + [[1, 2]] * 4
        session.close()


def test_nothing_is_made_for_one_person(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_requests, "_COMPILE_AFTER", 1)
    made: list[int] = []
    compiled = OpenVinoEngine._compile

    def noted(engine: OpenVinoEngine, model: object, people: int) -> object:
        made.append(people)
        return compiled(engine, model, people)

    monkeypatch.setattr(OpenVinoEngine, "_compile", noted)
    for policy in ("single", "lazy"):
        session = open_session(model, "openvino", batch_policy=policy)  # type: ignore[arg-type]
        for _ in range(4):
            session.run(crops(1))
        session.close()
    assert made == [1, 1]


def test_where_pairs_cannot_be_made_everybody_is_seen_alone(
    model: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = OpenVinoEngine._compile

    def failing(engine: OpenVinoEngine, model: object, people: int) -> object:
        if people > 1:
            raise ModelError("out of memory")
        return compiled(engine, model, people)

    monkeypatch.setattr(OpenVinoEngine, "_compile", failing)
    monkeypatch.setattr(openvino_requests, "_COMPILE_AFTER", 1)
    monkeypatch.setattr(openvino_requests, "_USE_AFTER", 2)
    for policy in ("eager", "lazy"):
        session = open_session(model, "openvino", batch_policy=policy)  # type: ignore[arg-type]
        runs.taken()
        seen: list[Array] = [session.run(crops(2))[1][-1].camera for _ in range(4)]
        assert runs.taken() == [1] * 8
        assert session.preferred_batch == 1
        np.testing.assert_array_equal(seen[0], seen[-1])
        session.close()


def test_a_pair_that_is_called_off_leaves_its_place_to_the_next(model: Path) -> None:
    session = open_session(model, "openvino", num_streams=2, batch_policy="eager")
    images = crops(4)
    wanted = session.run(images)[3][0].camera
    for _ in range(20):
        session.start(crops(3, 1)).cancel()
        np.testing.assert_array_equal(session.run(images)[3][0].camera, wanted)
    session.close()


def test_the_model_for_two_is_kept_for_the_next_time(
    model: Path, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    compiled = OpenVinoEngine._compile

    def noted(engine: OpenVinoEngine, model: object, people: int) -> object:
        made.append(people)
        return compiled(engine, model, people)

    monkeypatch.setattr(OpenVinoEngine, "_compile", noted)
    cameras = []
    for _ in range(2):
        session = open_session(model, "openvino", cache=tmp_path, batch_policy="eager")
        runs.taken()
        cameras.append(session.run(crops(3))[1][-1].camera)
        assert runs.taken() == [2, 1]
        session.close()
    assert made == [1, 2]
    np.testing.assert_array_equal(*cameras)
