"""TensorRT for RTX builds engines without a GPU; they are not run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pymaf_live.body import default_body
from pymaf_live.errors import Interrupted, ModelError
from pymaf_live.inference.engine_cache import EngineKey, file_sha256, load_engine
from pymaf_live.inference.half_precision import to_half_precision
from pymaf_live.inference.metadata import output_shapes
from pymaf_live.inference.tensorrt_build import (
    MAX_BATCH,
    NetworkSource,
    build_engine,
    prepare,
    quiet_logger,
)
from pymaf_live.inference.tensorrt_library import Library, load_library
from pymaf_live.pipeline.model_selection import shipped_models
from pymaf_live.system.reporter import SilentReporter
from tests.helpers.model import write_fake_model
from tests.inference.test_half_precision import sampling_model

pytest.importorskip("tensorrt_rtx", reason="the extra `tensorrt-rtx` is not installed")

CAPABILITIES = ("SM80", "SM86", "SM89", "SM120")


class Cancelled(SilentReporter):
    """Reporter that cancels at once."""

    def cancelled(self) -> bool:
        return True


@pytest.fixture(scope="module")
def library() -> Library:
    return load_library("tensorrt-rtx")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # of the input size of `sampling_model`, whose graph borrows its metadata below
    return write_fake_model(tmp_path_factory.mktemp("model") / "small.onnx", default_body(), 32)


@pytest.mark.parametrize("precision", ["f32", "f16"])
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_valid_model_is_built_for_each_gpu(
    capability: str, precision: str, library: Library, model: Path
) -> None:
    source = prepare(model, precision)  # type: ignore[arg-type]
    assert len(build_engine(library, source, capabilities=(capability,))) > 1000


@pytest.mark.parametrize("precision", ["f32", "f16"])
def test_convolutions_and_sampling_are_built(precision: str, library: Library, model: Path) -> None:
    graph = sampling_model(32)
    typed = to_half_precision(graph) if precision == "f16" else graph
    source = NetworkSource(typed.SerializeToString(), prepare(model, "f32").metadata)
    assert len(build_engine(library, source, capabilities=("SM86",))) > 1000


@pytest.mark.integration
@pytest.mark.parametrize("precision", ["f32", "f16"])
@pytest.mark.parametrize("name", ["lite", "full"])
def test_the_shipped_models_are_built_for_all_gpus(
    name: str, precision: str, library: Library
) -> None:
    """One engine for all GPUs takes no longer than one for a single GPU."""
    source = prepare(shipped_models()[name], precision)  # type: ignore[arg-type]
    fractions: list[float] = []

    class Collect(SilentReporter):
        def progress(self, fraction: float | None, detail: str = "") -> None:
            assert fraction is not None
            fractions.append(fraction)

    engine = build_engine(library, source, capabilities=CAPABILITIES, reporter=Collect())
    assert len(engine) > len(source.content)
    assert len(fractions) > 100
    assert all(0 <= part <= 1 for part in fractions)


@pytest.mark.parametrize("name", ["lite", "full"])
def test_the_build_of_a_shipped_model_can_be_cancelled_at_once(name: str, library: Library) -> None:
    source, steps = prepare(shipped_models()[name], "f32"), []

    class Cancel(Cancelled):
        def progress(self, fraction: float | None, detail: str = "") -> None:
            steps.append(detail)

    with pytest.raises(Interrupted):
        build_engine(library, source, capabilities=("SM86",), reporter=Cancel())
    assert len(steps) == 1


@pytest.mark.parametrize("precision", ["f32", "f16"])
@pytest.mark.parametrize("name", ["lite", "full"])
def test_inputs_and_outputs_of_the_shipped_models_are_parsed(
    name: str, precision: str, library: Library
) -> None:
    trt = library.module
    source = prepare(shipped_models()[name], precision)  # type: ignore[arg-type]
    logger = quiet_logger(library)
    network = trt.Builder(logger).create_network(0)
    assert trt.OnnxParser(network, logger).parse(source.content), logger.last
    outputs = [network.get_output(number) for number in range(network.num_outputs)]
    expected = output_shapes(source.metadata)
    assert {port.name for port in outputs} == set(expected)
    assert {port.dtype for port in outputs} == {trt.DataType.FLOAT}
    for port in outputs:
        sizes = [size or int(port.shape[-1]) for size in expected[port.name]]
        assert list(port.shape) == [-1, *sizes], port.name


def test_other_files_are_refused_in_one_line(library: Library, model: Path) -> None:
    metadata = prepare(model, "f32").metadata
    with pytest.raises(ModelError, match="refuses the model") as caught:
        build_engine(
            library, NetworkSource(b"nothing of the kind", metadata), capabilities=("SM86",)
        )
    assert "\n" not in str(caught.value)


def test_an_image_of_another_size_is_refused(library: Library, model: Path) -> None:
    graph = sampling_model(48)
    source = NetworkSource(graph.SerializeToString(), prepare(model, "f32").metadata)
    with pytest.raises(ModelError, match="took the image for something else"):
        build_engine(library, source, capabilities=("SM86",))


def test_a_build_can_be_cancelled(library: Library, model: Path) -> None:
    with pytest.raises(Interrupted):
        build_engine(
            library,
            prepare(model, "f32"),
            capabilities=("SM86",),
            reporter=Cancelled(),
        )


def test_engines_built_by_the_trainer_are_found_by_the_program(
    library: Library, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from trainer.__main__ import main

    folder = tmp_path / "engines"
    arguments = ["export", str(model), "--out", str(folder)]
    assert main([*arguments, "--tensorrt", "SM86,SM120"]) == 0
    assert len(list(folder.iterdir())) == 2
    digest = file_sha256(model.read_bytes())
    key = EngineKey(digest, library.title, "SM120", "", "f16", MAX_BATCH)
    engine, reason = load_engine(folder, key)
    assert engine
    assert reason == ""
    assert main([*arguments, "--tensorrt", "SM1"]) == 2
    assert "choose from SM75, SM80" in capsys.readouterr().err
