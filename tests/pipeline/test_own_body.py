"""With an imported body, every result of the program uses that body."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.body.registry import body_by_name, import_body
from pymaf_live.cli.app import main
from pymaf_live.takes.npz_file import read_take
from tests.body.fake_smpl import fake_smpl, write_old_pickle
from tests.helpers.model import write_fake_model


@pytest.fixture(scope="module")
def imported_body(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("imported")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("platformdirs.user_data_path", lambda *_, **__: folder / "user")
        patch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(folder / "cache"))
        entries, _ = fake_smpl(default_body(), pose_directions=False)
        yield import_body(write_old_pickle(folder / "model.pkl", entries), "smpl")


@pytest.fixture
def results(imported_body: Body, tmp_path: Path) -> Path:
    """Return the results of `process` on an image with a model of the imported body."""
    model = write_fake_model(
        tmp_path / "imported.onnx",
        imported_body,
        224,
        metadata={"crop_rule": "upright 1.20", "scores": "none"},
    )
    image = np.zeros((320, 240, 3), np.uint8)
    image[60:260, 80:160] = 220
    cv2.imwrite(str(tmp_path / "person.png"), image)
    (tmp_path / "boxes.json").write_text('{"person.png": [[80, 60, 160, 260]]}')
    out = tmp_path / "out"
    arguments = ["process", str(tmp_path / "person.png"), "--out", str(out), "--model", str(model)]
    arguments += ["--boxes", str(tmp_path / "boxes.json"), "--export", "npz,csv"]
    assert main(arguments) == 0
    return out


def test_images_are_processed_drawn_and_exported(results: Path, imported_body: Body) -> None:
    (take_file,) = results.glob("*.npz")
    take = read_take(take_file)
    assert take.body_sha256 == imported_body.sha256 != default_body().sha256
    assert len(take.pose) == 1
    (overlay,) = (p for p in results.iterdir() if p.suffix in (".jpg", ".png"))
    before = np.zeros((320, 240, 3), np.uint8)
    before[60:260, 80:160] = 220
    after = cv2.imread(str(overlay))
    assert (np.abs(after.astype(int) - before).max(axis=2) > 30).mean() > 0.02


def test_takes_are_exported_with_the_imported_body(
    results: Path, imported_body: Body, tmp_path: Path
) -> None:
    (take,) = results.glob("*.npz")
    targets = [tmp_path / name for name in ("a.glb", "a.bvh", "a.amass.npz")]
    assert main(["export", str(take), "--to", *map(str, targets)]) == 0
    import pygltflib

    gltf = pygltflib.GLTF2().load(str(targets[0]))
    positions = gltf.meshes[0].primitives[0].attributes.POSITION
    assert gltf.accessors[positions].count >= len(imported_body.template)
    with np.load(targets[2]) as file:
        assert str(file["body_sha256"]) == imported_body.sha256


def test_takes_are_refused_without_their_body(
    results: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (take,) = results.glob("*.npz")
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path / "empty")
    assert main(["export", str(take), "--to", str(tmp_path / "b.bvh")]) != 0
    assert "another body file" in capsys.readouterr().err
    assert body_by_name("open").sha256 == default_body().sha256
