"""Tests of the registry of formats and of the export options."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from pymaf_live.errors import UsageError
from pymaf_live.export.formats import FORMATS, format_for_path, unsupported_options
from pymaf_live.export.options import ExportOptions, parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("source", None),
        ("30", Fraction(30)),
        ("30000/1001", Fraction(30000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        ("23.976", Fraction(24000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("47.952", Fraction(48000, 1001)),
        ("119.88", Fraction(120000, 1001)),
        ("12.5", Fraction(25, 2)),
        ("24.0", Fraction(24)),
        ("30.0", Fraction(30)),
        ("60.", Fraction(60)),
        ("59.9", Fraction(599, 10)),
        ("23.98", Fraction(2398, 100)),
        ("29.970", Fraction(30000, 1001)),
    ],
)
def test_rate_is_parsed_as_a_rational(text: str, rate: Fraction | None) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["fast", "0", "-25", "1/0", "1e9", "nan", "30000/1001/2"])
def test_invalid_rate_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="frame rate"):
        parse_rate(text)


def test_invalid_options_are_usage_errors() -> None:
    for wrong in ({"unit": "ft"}, {"rig": "maya"}, {"world": "moon"}, {"rate": Fraction(0)}):
        with pytest.raises(UsageError):
            ExportOptions(**wrong)  # type: ignore[arg-type]


def test_options_that_no_chosen_format_supports_are_named() -> None:
    assert unsupported_options(ExportOptions(mesh=False), [FORMATS["npz"]]) == ("mesh",)
    assert unsupported_options(ExportOptions(unit="m"), [FORMATS["npz"], FORMATS["bvh"]]) == ()
    assert unsupported_options(ExportOptions(), []) == ()


def test_format_is_selected_by_the_longest_suffix() -> None:
    for name, each in FORMATS.items():
        assert each.name == name
        assert format_for_path(each.target(Path("some/dance.v2"))) is each
    for name in ("dance.xyz", "dance", ".bvh"):
        with pytest.raises(UsageError, match="must end in"):
            format_for_path(Path(name))


def test_existing_files_include_those_of_other_people(tmp_path: Path) -> None:
    for name in ("a.bvh", "a_person3.bvh", "a_person3x.bvh", "ab_person2.bvh", "a.npz"):
        (tmp_path / name).touch()
    found = [path.name for path in FORMATS["bvh"].existing(tmp_path / "a")]
    assert found == ["a.bvh", "a_person3.bvh"]
    assert FORMATS["npz"].existing(tmp_path / "b") == []
    assert FORMATS["bvh"].existing(tmp_path / "no_folder" / "b") == []
