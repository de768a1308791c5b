"""Tests of the evaluate command: options, the shipped model, videos and takes."""

import json
from itertools import pairwise

import av
import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

import trainer.evaluation.protocols as protocols  # noqa: E402
import trainer.evaluation.run as evaluation  # noqa: E402
from pymaf_live.body import default_body  # noqa: E402
from pymaf_live.errors import InputError, ModelError  # noqa: E402
from pymaf_live.inference import open_session  # noqa: E402
from pymaf_live.resources import resource  # noqa: E402
from pymaf_live.tracking import CropRule  # noqa: E402
from tests.trainer.fake_people import write_people  # noqa: E402
from trainer.__main__ import main  # noqa: E402
from trainer.data.fits import write_fits  # noqa: E402
from trainer.evaluation.end_to_end import read_tracks  # noqa: E402
from trainer.evaluation.jitter import write_still_video  # noqa: E402
from trainer.evaluation.network import OnnxNetwork  # noqa: E402


@pytest.fixture(scope="module")
def shipped():
    return resource("models/lite.onnx")


def last_error(capsys):
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_unknown_protocol_is_rejected(shipped, capsys):
    assert main(["evaluate", str(shipped), "--protocols", "lspet,h37m"]) == 2
    assert "h37m" in last_error(capsys)


def test_requested_protocol_needs_its_data(shipped, tmp_path, capsys):
    assert main(["evaluate", str(shipped), "--protocols", "people"]) == 3
    assert "--people" in last_error(capsys)
    arguments = ["--protocols", "coco", "--coco", str(tmp_path / "none")]
    assert main(["evaluate", str(shipped), *arguments]) == 3
    assert "none" in last_error(capsys)
    for protocol in ("dressed", "dressed_landmarkers"):
        arguments = ["--protocols", protocol, "--dressed", str(tmp_path / "no_set")]
        assert main(["evaluate", str(shipped), *arguments]) == 3
        assert "no_set" in last_error(capsys)


@pytest.mark.parametrize(
    "option", ["--fits", "--lspet", "--synthetic", "--dressed", "--ccp", "--landmarks", "--people"]
)
def test_mistyped_location_is_rejected_without_protocols_too(shipped, tmp_path, option, capsys):
    typed = tmp_path / "mistyped"
    assert main(["evaluate", str(shipped), option, str(typed)]) == 3
    assert last_error(capsys) == f"trainer: {option}: there is no {typed}"


def test_missing_default_locations_are_allowed(shipped, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", str(shipped)]) == 0
    assert "not measured: lspet (no data: --lspet)" in capsys.readouterr().out


def test_file_that_is_not_a_model_is_rejected(tmp_path, capsys):
    assert main(["evaluate", str(tmp_path / "a.onnx")]) == 5
    (tmp_path / "a.onnx").write_bytes(b"not a model")
    assert main(["evaluate", str(tmp_path / "a.onnx")]) == 5
    assert "a.onnx" in last_error(capsys)
    assert "Traceback" not in capsys.readouterr().err


def test_shipped_model_is_measured_and_missing_data_are_reported(
    shipped, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(protocols, "VALIDATION_COUNT", 2)
    write_fits(tmp_path / "fits.npz", write_people(tmp_path, 3))
    places = {
        name: tmp_path / "none" for name in ("ccp", "coco", "synthetic", "videos", "landmarks")
    }
    # the slower protocols have tests of their own
    monkeypatch.setattr(
        evaluation,
        "PROTOCOLS",
        {name: protocols.PROTOCOLS[name] for name in ("lspet", "ccp", "videos", "landmarkers")},
    )
    report = evaluation.evaluate(
        shipped,
        protocols.EvaluationData(lspet=tmp_path, fits=tmp_path / "fits.npz", **places),
        out=tmp_path / "a.json",
        markdown=tmp_path / "a.md",
        sheets=tmp_path / "sheets",
    )
    assert set(report["protocols"]) == {"lspet"}
    assert set(report["not_measured"]) == {"ccp", "videos"}
    read = json.loads((tmp_path / "a.json").read_text())
    assert 0 <= read["protocols"]["lspet"]["pck"][0] <= 1
    assert "Not measured: ccp" in (tmp_path / "a.md").read_text()
    assert (tmp_path / "sheets" / "lspet_worst.jpg").is_file()


def test_missing_fits_are_reported_before_inference(shipped, tmp_path, monkeypatch):
    def estimate(*_, **__):
        raise AssertionError("the network was run")

    monkeypatch.setattr(protocols, "VALIDATION_COUNT", 2)
    monkeypatch.setattr(protocols, "estimate_annotated", estimate)
    write_people(tmp_path, 3)
    data = protocols.EvaluationData(lspet=tmp_path, fits=tmp_path / "none.npz")
    with pytest.raises(InputError, match="contains no fits"):
        evaluation.evaluate(shipped, data, protocols=["lspet"])


def test_trainer_and_pymaf_live_compute_the_same_estimates(shipped):
    images = np.random.default_rng(0).integers(0, 256, (3, 256, 256, 3), dtype=np.uint8)
    found = OnnxNetwork(shipped, default_body(), threads=1).estimate(images)
    session = open_session(shipped, "openvino", threads=1)
    expected = session.run(images.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    session.close()
    for row, levels in enumerate(expected):
        assert found.rotations[-1, row] == pytest.approx(levels[-1].rotations, abs=2e-3)
        assert found.camera[-1, row] == pytest.approx(levels[-1].camera, abs=2e-3)
        assert found.score[row] == pytest.approx(levels[-1].score, abs=2e-3)


def test_model_of_another_body_is_rejected(shipped):
    from dataclasses import replace

    with pytest.raises(ModelError, match="another body"):
        OnnxNetwork(shipped, replace(default_body(), sha256="0" * 64))


@pytest.mark.parametrize(
    ("text", "rule"), [("upright 1.20", CropRule(turned=False, side=1.2)), ("square 1.20", None)]
)
def test_crop_rule_is_read_from_the_model(shipped, tmp_path, text, rule):
    assert OnnxNetwork(shipped, default_body(), threads=1).rule == CropRule()
    model, path = onnx.load(shipped), tmp_path / "a.onnx"
    for entry in model.metadata_props:
        if entry.key == "crop_rule":
            entry.value = text
    onnx.save(model, path)
    if rule is None:
        with pytest.raises(ModelError, match=r"square 1\.20"):
            OnnxNetwork(path, default_body(), threads=1)
    else:
        assert OnnxNetwork(path, default_body(), threads=1).rule == rule


def test_still_video_has_shake_and_noise(tmp_path):
    image = np.zeros((40, 30, 3), np.uint8)
    image[:, 15:] = 200
    write_still_video(tmp_path / "still.mp4", image, frames=6)
    with av.open(str(tmp_path / "still.mp4")) as video:
        frames = [frame.to_ndarray(format="rgb24").astype(float) for frame in video.decode(video=0)]
    assert len(frames) == 6
    assert frames[0].shape == (80, 60, 3)
    change = [np.abs(a - b).mean() for a, b in pairwise(frames)]
    assert 1 < np.mean(change) < 15


def test_tracks_leave_out_predicted_rows(tmp_path):
    rows, joints = 6, 3
    np.savez(
        tmp_path / "take.npz",
        predicted=np.array([False, False, True, False, False, False]),
        person=np.array([1, 0, 0, 0, 1, 0]),
        frame=np.array([2, 0, 1, 3, 0, 2]),
        joints=np.arange(rows)[:, None, None] * np.ones((rows, joints, 3)),
        joints_2d=np.zeros((rows, joints, 2)),
        pose=np.zeros((rows, joints, 3)),
    )
    first, second = read_tracks(tmp_path / "take.npz")
    assert first.frame.tolist() == [0, 2, 3]
    assert first.joints[:, 0, 0].tolist() == [1, 5, 3]
    assert second.frame.tolist() == [0, 2]
    with pytest.raises(InputError, match="nowhere"):
        read_tracks(tmp_path / "nowhere.npz")
