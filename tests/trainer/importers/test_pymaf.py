"""Tests of importing a published checkpoint: same outputs as the published network."""

import os
import pickle
import re

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from scipy.sparse import csc_matrix  # noqa: E402

from pymaf_live.body import default_body  # noqa: E402
from pymaf_live.body.registry import body_by_hash, body_by_name  # noqa: E402
from pymaf_live.errors import InputError  # noqa: E402
from pymaf_live.pipeline.model_check import check_model  # noqa: E402
from pymaf_live.pipeline.model_selection import body_for_model  # noqa: E402
from pymaf_live.pipeline.options import PipelineOptions  # noqa: E402
from tests.body.fake_smpl import small_smpl, write_old_pickle  # noqa: E402
from tests.trainer.importers.reference_pymaf import fake_checkpoint, forward  # noqa: E402
from trainer.__main__ import main  # noqa: E402
from trainer.importers.pymaf import import_pymaf  # noqa: E402

BUFFERS = re.compile(r"regressor\.\d\.init_|maf_extractor\.\d\.Dmap|.*\.smpl\.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("published")


@pytest.fixture(scope="module")
def smpl():
    return small_smpl(default_body())


@pytest.fixture(scope="module")
def weights(smpl):
    torch.set_num_threads(1)
    return fake_checkpoint(smpl)


@pytest.fixture(scope="module")
def smpl_file(folder, smpl):
    return write_old_pickle(folder / "basic_model_neutral.pkl", smpl)


@pytest.fixture(scope="module", autouse=True)
def own_folder(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("platformdirs.user_data_path", lambda *_, **__: folder / "user")
        yield folder / "user"


@pytest.fixture(scope="module")
def imported(folder, weights, smpl_file):
    path = folder / "PyMAF_model_checkpoint.pt"
    # the published file also stores its best score, a NumPy number, beside the weights
    torch.save({"model": weights, "epoch": 3, "best_performance": np.float64(58.9)}, path)
    return import_pymaf(path, smpl=smpl_file)


def session_of(path):
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def test_imported_model_has_the_outputs_of_the_published_network(imported, weights, smpl):
    image = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        levels = forward(weights, smpl, image)
    outputs = session_of(imported[0]).run(
        ["rotations", "shape", "camera"], {"image": image.numpy()}
    )
    for ours, theirs in zip(outputs, levels[-1], strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)
    # the levels change the estimate, which differs between images
    assert (levels[-1][0] - levels[0][0]).abs().max() > 0.05
    assert np.abs(outputs[0][0] - outputs[0][1]).max() > 1e-3


def test_metadata_name_the_crop_rule_and_the_body(imported):
    metadata = session_of(imported[0]).get_modelmeta().custom_metadata_map
    assert metadata["crop_rule"] == "upright 1.20"
    assert "ImageNet" in metadata["normalisation"]
    assert metadata["input_size"] == "224"
    assert body_by_hash(metadata["body_sha256"]).sha256 == body_by_name("pymaf").sha256


def test_program_opens_the_model_with_its_own_body(imported):
    options = PipelineOptions(backend="onnxruntime", threads=1)
    metadata = check_model(imported[0], options)
    assert (metadata.name, metadata.input_size, metadata.levels) == ("pymaf", 224, 1)
    assert body_for_model(imported[0]).sha256 == body_by_name("pymaf").sha256


def test_missing_buffers_come_from_files(folder, weights, smpl, smpl_file, imported, monkeypatch):
    stripped = {name: value for name, value in weights.items() if not BUFFERS.match(name)}
    path, mean, reduced = folder / "stripped.pt", folder / "mean.npz", folder / "downsampling.npz"
    torch.save({"model": stripped}, path)
    start = {"pose": "init_pose", "shape": "init_shape", "cam": "init_cam"}
    np.savez(mean, **{k: weights[f"regressor.0.{n}"].numpy()[0] for k, n in start.items()})
    # two steps, as in the published file: to 60 vertices, then to the points
    full = weights["maf_extractor.0.Dmap"].numpy().astype(np.float64)
    first = np.random.default_rng(0).normal(size=(len(smpl["v_template"]),) * 2)
    steps = np.empty(2, dtype=object)
    steps[:] = [csc_matrix(first), csc_matrix(full @ np.linalg.inv(first))]
    np.savez(reduced, A=steps, D=steps)
    # the export takes long and is not needed here
    monkeypatch.setattr("trainer.importers.pymaf._export", lambda model, *_: models.append(model))
    models = []
    for checkpoint in (path, folder / "PyMAF_model_checkpoint.pt"):
        import_pymaf(
            checkpoint, smpl=smpl_file, mean=mean, downsampling=reduced, name="b", out=folder / "b"
        )
    image = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        one, other = (model(image)[-1].rotations for model in models)
    np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-4)


def changed(weights, drop=(), **more):
    return {name: value for name, value in weights.items() if name not in drop} | more


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: changed(w, ["regressor.1.fc2.bias"]), r"lacks layers.*regressors\.1\.fc2\.bias"),
        (
            lambda w: changed(w, ["feature_extractor.layer3.4.conv2.weight"]),
            r"lacks layers.*encoder\.layer3\.4\.conv2\.weight",
        ),
        (lambda w: changed(w, **{"head.fc.weight": torch.zeros(2)}), r"has not: head\.fc\.weight"),
        (
            lambda w: changed(w, **{"regressor.2.deccam.weight": torch.zeros(4, 1024)}),
            r"regressor\.2\.deccam\.weight is \(4, 1024\), not \(3, 1024\)",
        ),
        (
            lambda w: changed(w, **{"regressor.2.deccam.bias": torch.full((3,), torch.nan)}),
            r"regressor\.2\.deccam\.bias has values that are not finite",
        ),
        (
            lambda w: changed(w, **{"points_grid": w["points_grid"].flip(1)}),
            "points_grid is in another order",
        ),
        (
            lambda w: changed(w, [n for n in w if "init_cam" in n]),
            "has no mean cam: give the file with --mean",
        ),
        (
            lambda w: changed(w, [n for n in w if "Dmap" in n]),
            "give the file with --downsampling",
        ),
        (
            lambda w: {n: v + 0.1 if n.endswith("v_template") else v for n, v in w.items()},
            "is another body than the checkpoint",
        ),
    ],
)
def test_checkpoint_of_another_network_is_rejected_with_the_names(
    folder, weights, smpl_file, change, message
):
    path = folder / "odd.pt"
    torch.save({"model": change(weights)}, path)
    out = folder / "odd" / "odd.onnx"
    with pytest.raises(InputError, match=message) as caught:
        import_pymaf(path, smpl=smpl_file, name="odd", out=out)
    assert "\n" not in str(caught.value)
    assert not out.exists()
    assert not (folder / "user" / "bodies" / "odd.npz").exists()


def test_body_of_another_topology_is_rejected(folder, weights, capsys):
    checkpoint, other = folder / "whole.pt", folder / "other.pkl"
    torch.save({"model": weights}, checkpoint)
    other.write_bytes(pickle.dumps(small_smpl(default_body(), vertices=150)))
    assert main(["import", "pymaf", str(checkpoint), "--smpl", str(other)]) == 3
    error = capsys.readouterr().err
    assert "is for 160 vertices; the body has 150" in error
    assert error.count("\n") == 1


class _MaliciousObject:
    def __reduce__(self):
        return os.mkdir, ("made_by_a_checkpoint",)


def test_checkpoint_with_code_is_rejected(folder, smpl_file, monkeypatch):
    monkeypatch.chdir(folder)
    torch.save({"model": {"a": torch.zeros(1)}, "more": _MaliciousObject()}, folder / "evil.pt")
    with pytest.raises(InputError, match=r"weights alone: it holds \w+\.mkdir"):
        import_pymaf(folder / "evil.pt", smpl=smpl_file)
    assert not (folder / "made_by_a_checkpoint").exists()


def test_smpl_is_imported_from_the_command_line(folder, smpl_file, capsys):
    assert main(["import", "smpl", str(smpl_file), "--name", "mine"]) == 0
    assert "160 vertices, 24 joints, 10 shapes" in capsys.readouterr().out
    assert body_by_name("mine").shape_count == 10
    assert main(["import", "smpl", str(folder / "none.pkl")]) == 3
