"""Two people share a request where compiling a model for two is worth it."""

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


class RequestLog:
    """Number of people in each request."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.people: list[int] = []
        start = openvino_requests.CompiledBatch.start

        def logged(model: openvino_requests.CompiledBatch, images: np.ndarray) -> object:
            self.people.append(len(images))
            return start(model, images)

        monkeypatch.setattr(openvino_requests.CompiledBatch, "start", logged)

    def pop(self) -> list[int]:
        popped, self.people = self.people, []
        return popped


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> RequestLog:
    return RequestLog(monkeypatch)


@pytest.mark.parametrize("num_streams", [1, 2])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_pairs_have_the_same_results_as_single_people(
    model: Path, requests: RequestLog, count: int, num_streams: int
) -> None:
    single = open_session(model, "openvino")
    session = open_session(model, "openvino", num_streams=num_streams, batch_policy="eager")
    assert (single.preferred_batch, session.preferred_batch) == (1, 2)
    images = crops(count)
    expected = single.run(images)
    requests.pop()
    found = session.run(images)
    assert requests.pop() == [2] * (count // 2) + [1] * (count % 2)
    assert len(found) == count
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b[-1].camera, a[-1].camera, atol=1e-6)
        np.testing.assert_allclose(b[-1].joint_score, a[-1].joint_score, atol=1e-6)
    single.close()
    session.close()


def test_lazy_pairs_start_after_a_fixed_number_of_requests(
    model: Path, requests: RequestLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_requests, "_COMPILE_AFTER", 2)
    monkeypatch.setattr(openvino_requests, "_USE_AFTER", 5)
    for _ in range(2):
        session = open_session(model, "openvino", num_streams=2, batch_policy="lazy")
        requests.pop()
        popped = []
        for number in range(8):
            session.run(crops(1))  # a single person does not count
            session.run(crops(2, number))
            popped.append(requests.pop())
        assert popped == [[1, 1, 1]] * 4 + [[1, 2]] * 4
        session.close()


def test_no_pair_model_is_compiled_for_one_person(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_requests, "_COMPILE_AFTER", 1)
    batches: list[int] = []
    compile_model = OpenVinoEngine._compile

    def logged(engine: OpenVinoEngine, model: object, batch: int) -> object:
        batches.append(batch)
        return compile_model(engine, model, batch)

    monkeypatch.setattr(OpenVinoEngine, "_compile", logged)
    for policy in ("single", "lazy"):
        session = open_session(model, "openvino", batch_policy=policy)  # type: ignore[arg-type]
        for _ in range(4):
            session.run(crops(1))
        session.close()
    assert batches == [1, 1]


def test_without_a_pair_model_people_run_one_by_one(
    model: Path, requests: RequestLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_model = OpenVinoEngine._compile

    def failing(engine: OpenVinoEngine, model: object, batch: int) -> object:
        if batch > 1:
            raise ModelError("out of memory")
        return compile_model(engine, model, batch)

    monkeypatch.setattr(OpenVinoEngine, "_compile", failing)
    monkeypatch.setattr(openvino_requests, "_COMPILE_AFTER", 1)
    monkeypatch.setattr(openvino_requests, "_USE_AFTER", 2)
    for policy in ("eager", "lazy"):
        session = open_session(model, "openvino", batch_policy=policy)  # type: ignore[arg-type]
        requests.pop()
        cameras: list[Array] = [session.run(crops(2))[1][-1].camera for _ in range(4)]
        assert requests.pop() == [1] * 8
        assert session.preferred_batch == 1
        np.testing.assert_array_equal(cameras[0], cameras[-1])
        session.close()


def test_a_cancelled_pair_does_not_affect_the_next(model: Path) -> None:
    session = open_session(model, "openvino", num_streams=2, batch_policy="eager")
    images = crops(4)
    expected = session.run(images)[3][0].camera
    for _ in range(20):
        session.start(crops(3, 1)).cancel()
        np.testing.assert_array_equal(session.run(images)[3][0].camera, expected)
    session.close()


def test_the_pair_model_is_cached(
    model: Path, requests: RequestLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    compile_model = OpenVinoEngine._compile

    def logged(engine: OpenVinoEngine, model: object, batch: int) -> object:
        batches.append(batch)
        return compile_model(engine, model, batch)

    monkeypatch.setattr(OpenVinoEngine, "_compile", logged)
    cameras = []
    for _ in range(2):
        session = open_session(model, "openvino", cache=tmp_path, batch_policy="eager")
        requests.pop()
        cameras.append(session.run(crops(3))[1][-1].camera)
        assert requests.pop() == [2, 1]
        session.close()
    assert batches == [1, 2]
    np.testing.assert_array_equal(*cameras)
