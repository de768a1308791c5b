"""Tests of the command line: every error prints one line and sets the right exit code."""

import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from tests.helpers.paths import ROOT
from tests.trainer.fake_people import write_people
from trainer.__main__ import main
from trainer.data.fits import write_fits
from trainer.evaluation.held_out import unpack_held_out
from trainer.evaluation.lspet import held_out_boxes

CONFIG = ROOT / "trainer" / "configs" / "lite.toml"


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1
    assert lines[0].startswith("trainer: ")
    return lines[0]


def test_missing_data(tmp_path, capsys):
    assert main(["fit", "--lspet", str(tmp_path), "--out", str(tmp_path / "f.npz")]) == 3
    assert "labels.npz" in error_line(capsys)


def test_missing_landmark_files(tmp_path, capsys):
    write_people(tmp_path, 2)
    arguments = ["--lspet", str(tmp_path), "--landmarks", str(tmp_path / "none")]
    assert main(["fit", *arguments, "--out", str(tmp_path / "f.npz")]) == 5
    assert "pose_landmark_heavy.tflite" in error_line(capsys)
    assert not (tmp_path / "f.npz").exists()


def test_missing_fits_configuration_and_checkpoint(tmp_path, capsys):
    write_people(tmp_path, 2)
    run = ["train", "--lspet", str(tmp_path), "--out", str(tmp_path / "run")]
    assert main([*run, "--config", str(tmp_path / "none.toml")]) == 3
    assert "cannot read the configuration" in error_line(capsys)
    fits = ["--fits", str(tmp_path / "none.npz")]
    assert main([*run, "--config", str(CONFIG), *fits]) == 3
    assert "contains no fits" in error_line(capsys)
    checkpoint = str(tmp_path / "none.safetensors")
    assert main(["export", checkpoint, "--out", str(tmp_path / "a.onnx")]) == 3
    assert "not a complete checkpoint" in error_line(capsys)
    assert main(["evaluate", checkpoint]) == 5
    assert "there is no model" in error_line(capsys)


def test_files_of_the_second_round_are_checked_before_the_first(tmp_path, capsys, monkeypatch):
    def first_round(*_, **__):
        raise AssertionError("the first round was started")

    monkeypatch.setattr("trainer.fitting.fit.fit", first_round)
    monkeypatch.setattr("trainer.fitting.teacher.run_teacher", first_round)
    write_people(tmp_path, 2)
    checkpoint, prior = tmp_path / "none.safetensors", tmp_path / "none.npz"
    command = ["fit", "--lspet", str(tmp_path), "--out", str(tmp_path / "f.npz")]
    command += ["--from", str(checkpoint)]
    assert main(command) == 3
    assert "not a complete checkpoint" in error_line(capsys)
    assert main([*command, "--prior", str(prior)]) == 3
    assert "contains no fits" in error_line(capsys)


def test_output_folder_that_cannot_be_created(tmp_path, capsys):
    fits = tmp_path / "fits.npz"
    write_fits(fits, write_people(tmp_path, 2))
    (tmp_path / "file").write_text("")
    arguments = ["--lspet", str(tmp_path), "--fits", str(fits), "--out", str(tmp_path / "file/run")]
    assert main(["train", "--config", str(CONFIG), *arguments]) == 4
    assert "cannot create the folder" in error_line(capsys)


def test_landmarks_need_an_encoder_with_landmarks(tmp_path, capsys):
    config = tmp_path / "a.toml"
    config.write_text('name = "a"\n[network]\nlandmarks = true\n[schedule]\nimages = 1\n')
    assert main(["train", "--config", str(config)]) == 3
    assert "resnet50 has no landmarks" in error_line(capsys)


def test_held_out_images_are_written_with_boxes(tmp_path, monkeypatch):
    import trainer.evaluation.held_out as held_out
    from trainer.data.lspet import read_joint_set

    write_people(tmp_path, 5)
    monkeypatch.setattr(held_out, "VALIDATION_COUNT", 2)
    assert unpack_held_out(tmp_path, tmp_path / "held") == 2
    assert len(list((tmp_path / "held" / "pictures").iterdir())) == 2
    joint_set = read_joint_set(tmp_path)
    boxes = held_out_boxes(joint_set, [len(joint_set) - 1])
    joints = joint_set.joints[-1, :, :2]
    low, high = joints.min(axis=0), joints.max(axis=0)
    margin = 0.1 * (high - low).max()
    assert boxes[joint_set.names[-1]] == [[*(low - margin), *(high + margin)]]


def test_commands_have_help(capsys):
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    commands = ("fit", "train", "pack", "unpack-shards", "evaluate", "unpack", "export", "quantize",
                "precision", "speed", "synthesize", "ablate", "tune-ik", "import", "demo",
                "build-body", "check-body", "mediapipe-task")  # fmt: skip
    for command in commands:
        assert f"\n  {command} " in listed
        assert main([command, "--help"]) == 0
        assert "Usage: python -m trainer" in capsys.readouterr().out
    # the old spelling works, but is not listed
    assert "quantise" not in listed
    assert main(["quantise", "--help"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [[], ["trian"], ["train"], ["fit", "--steps", "many"], ["fit", "--steps", "0"], ["import"],
     ["pack", "--data", "lspet", "--out", "packed"], ["fit", "--set", "kitti=somewhere"]],
)  # fmt: skip
def test_wrong_usage_has_exit_code_2(arguments, capsys):
    assert main(arguments) == 2
    error_line(capsys)


def test_bundle_of_a_file_that_is_not_a_model(tmp_path, capsys):
    (tmp_path / "a.tflite").write_bytes(b"not a model")
    model = str(tmp_path / "a.tflite")
    assert main(["mediapipe-task", model, model, str(tmp_path / "a.task")]) == 3
    assert "a.tflite" in error_line(capsys)


def test_keyboard_interrupt_has_exit_code_130(monkeypatch, capsys):
    import trainer.evaluation.speed as speed

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(speed, "measure", interrupt)
    assert main(["speed"]) == 130
    error_line(capsys)
