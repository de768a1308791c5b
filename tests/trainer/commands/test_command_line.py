"""The trainer's commands end in one line and the right code, whatever they are given."""

import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from tests.helpers.paths import ROOT
from tests.trainer.fake_people import write_people
from trainer.__main__ import main
from trainer.data.fits import write_fits
from trainer.evaluation.lspet import held_out_boxes
from trainer.evaluation.run import unpack_held_out

CONFIG = ROOT / "trainer" / "configs" / "lite.toml"


def told(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1
    assert lines[0].startswith("trainer: ")
    return lines[0]


def test_missing_data(tmp_path, capsys):
    assert main(["fit", "--lspet", str(tmp_path), "--out", str(tmp_path / "f.npz")]) == 3
    assert "labels.npz" in told(capsys)


def test_missing_landmark_files(tmp_path, capsys):
    write_people(tmp_path, 2)
    arguments = ["--lspet", str(tmp_path), "--landmarks", str(tmp_path / "none")]
    assert main(["fit", *arguments, "--out", str(tmp_path / "f.npz")]) == 5
    assert "pose_landmark_heavy.tflite" in told(capsys)
    assert not (tmp_path / "f.npz").exists()


def test_missing_fits_configuration_and_checkpoint(tmp_path, capsys):
    write_people(tmp_path, 2)
    run = ["train", "--lspet", str(tmp_path), "--out", str(tmp_path / "run")]
    assert main([*run, "--config", str(tmp_path / "none.toml")]) == 3
    assert "cannot read the configuration" in told(capsys)
    fits = ["--fits", str(tmp_path / "none.npz")]
    assert main([*run, "--config", str(CONFIG), *fits]) == 3
    assert "holds no fits" in told(capsys)
    checkpoint = str(tmp_path / "none.safetensors")
    assert main(["export", checkpoint, "--out", str(tmp_path / "a.onnx")]) == 3
    assert "not a complete checkpoint" in told(capsys)
    assert main(["evaluate", checkpoint]) == 5
    assert "there is no model" in told(capsys)


def test_an_output_folder_that_cannot_be(tmp_path, capsys):
    fits = tmp_path / "fits.npz"
    write_fits(fits, write_people(tmp_path, 2))
    (tmp_path / "file").write_text("")
    arguments = ["--lspet", str(tmp_path), "--fits", str(fits), "--out", str(tmp_path / "file/run")]
    assert main(["train", "--config", str(CONFIG), *arguments]) == 4
    assert "cannot create the folder" in told(capsys)


def test_landmarks_of_an_encoder_that_has_none(tmp_path, capsys):
    config = tmp_path / "a.toml"
    config.write_text('name = "a"\n[network]\nlandmarks = true\n[schedule]\npictures = 1\n')
    assert main(["train", "--config", str(config)]) == 3
    assert "resnet50 has no landmarks" in told(capsys)


def test_held_out_pictures_become_files_with_boxes(tmp_path, monkeypatch):
    import trainer.evaluation.run as evaluation
    from trainer.data.lspet import read_joint_set

    write_people(tmp_path, 5)
    monkeypatch.setattr(evaluation, "VALIDATION", 2)
    assert unpack_held_out(tmp_path, tmp_path / "held") == 2
    assert len(list((tmp_path / "held" / "pictures").iterdir())) == 2
    joint_set = read_joint_set(tmp_path)
    boxes = held_out_boxes(joint_set, [len(joint_set) - 1])
    joints = joint_set.joints[-1, :, :2]
    low, high = joints.min(axis=0), joints.max(axis=0)
    margin = 0.1 * (high - low).max()
    assert boxes[joint_set.names[-1]] == [[*(low - margin), *(high + margin)]]
