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
        ("12.5", Fraction(25, 2)),
    ],
)
def test_a_rate_is_read_as_a_rational(text: str, rate: Fraction | None) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["fast", "0", "-25", "1/0", "1e9", "nan", "30000/1001/2"])
def test_what_is_no_rate_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="frame rate"):
        parse_rate(text)


def test_options_outside_what_is_known_are_wrong_usage() -> None:
    for wrong in ({"unit": "ft"}, {"rig": "maya"}, {"world": "moon"}, {"rate": Fraction(0)}):
        with pytest.raises(UsageError):
            ExportOptions(**wrong)  # type: ignore[arg-type]


def test_options_that_no_chosen_format_supports_are_named() -> None:
    assert unsupported_options(ExportOptions(mesh=False), [FORMATS["npz"]]) == ("mesh",)
    assert unsupported_options(ExportOptions(unit="m"), [FORMATS["npz"], FORMATS["bvh"]]) == ()
    assert unsupported_options(ExportOptions(), []) == ()


def test_a_format_is_known_by_the_longest_ending_of_a_name() -> None:
    for name, each in FORMATS.items():
        assert each.name == name
        assert format_for_path(each.target(Path("some/dance.v2"))) is each
    for name in ("dance.xyz", "dance", ".bvh"):
        with pytest.raises(UsageError, match="must end in"):
            format_for_path(Path(name))


def test_what_an_export_would_replace_includes_other_people_s_files(tmp_path: Path) -> None:
    for name in ("a.bvh", "a_person3.bvh", "a_person3x.bvh", "ab_person2.bvh", "a.npz"):
        (tmp_path / name).touch()
    found = [path.name for path in FORMATS["bvh"].existing(tmp_path / "a")]
    assert found == ["a.bvh", "a_person3.bvh"]
    assert FORMATS["npz"].existing(tmp_path / "b") == []
    assert FORMATS["bvh"].existing(tmp_path / "no_folder" / "b") == []
