"""Tests of the sources of a synthetic set: faults are found before anything is written."""

from pathlib import Path

import pytest

from pymaf_live.errors import InputError, OutputError, UsageError
from trainer.synthesis.generate import SynthesisOptions, synthesize


def options(data: Path, **changes: object) -> SynthesisOptions:
    settings: dict[str, object] = {"count": 1, "seed": 5, "size": 64, "data": str(data)}
    return SynthesisOptions(**{**settings, **changes})  # type: ignore[arg-type]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return an empty data folder: everyday poses in front of procedural backgrounds."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def test_fits_that_are_missing_or_cannot_be_used_are_refused(data: Path, tmp_path: Path) -> None:
    out, fits = tmp_path / "set", tmp_path / "fits.npz"
    with pytest.raises(InputError, match=r"no file .*fits\.npz"):
        synthesize(out, options(data, fits=str(fits)))
    fits.touch()
    with pytest.raises(InputError, match="needs the set lspet"):
        synthesize(out, options(data, fits=str(fits)))
    with pytest.raises(UsageError, match="--clean uses no fits"):
        synthesize(out, options(data, fits=str(fits), clean=True))
    assert not out.exists()


def test_failed_run_does_not_block_its_folder(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    (data / "lspet").mkdir()
    (tmp_path / "fits.npz").touch()
    with pytest.raises(InputError, match="labels"):
        synthesize(out, options(data, fits=str(tmp_path / "fits.npz")))
    (data / "lspet").rmdir()
    synthesize(out, options(data))
    assert (out / "labels.npz").is_file()


def test_shards_of_a_set_with_other_options_are_not_overwritten(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    out.mkdir()
    (out / "settings.json").write_text("{}")
    (out / "part_00.npz").touch()
    with pytest.raises(OutputError, match="other options"):
        synthesize(out, options(data))
    assert (out / "settings.json").read_text() == "{}"
