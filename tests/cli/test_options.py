"""Option groups, and options that several commands share."""

from __future__ import annotations

import doctest

import pytest

from pymaf_live.cli import app as cli
from pymaf_live.cli import option_groups
from pymaf_live.cli.options import MotionOptions
from pymaf_live.errors import UsageError


def help_of(command: str, capfd: pytest.CaptureFixture[str]) -> str:
    assert cli.main([command, "--help"]) == 0
    return capfd.readouterr().out


def test_a_group_of_options_becomes_one_option_per_field() -> None:
    assert doctest.testmod(option_groups).failed == 0


@pytest.mark.parametrize("command", ["process", "live"])
def test_commands_that_estimate_share_options(
    command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    text = help_of(command, capfd)
    assert all(option in text for option in ("--people", "--fov", "--model", "--backend"))


@pytest.mark.parametrize("command", ["process", "export"])
def test_commands_that_export_share_options(
    command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    text = help_of(command, capfd)
    names = ("--rate", "--unit", "--rig", "--world", "--in-place", "--rest-first", "--no-mesh")
    assert all(option in text for option in names)


def test_the_former_name_of_smoothing_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    text = help_of("process", capfd)
    assert "--smoothing" in text
    assert "--smooth " not in text


def test_an_option_without_effect_is_rejected_by_its_flag() -> None:
    with pytest.raises(UsageError, match=r"--no-mesh"):
        MotionOptions(mesh=False).export_options(("npz",))
