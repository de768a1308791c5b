"""Facts that stand in several project files agree."""

from __future__ import annotations

import re
import tomllib

import yaml

import pymaf_live
from tests.helpers.paths import ROOT
from tools.check_names import BANNED


def test_the_version_has_one_source() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "pymaf_live/__init__.py"
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == pymaf_live.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert f"[{pymaf_live.__version__}]" in changelog or f"## {pymaf_live.__version__}" in changelog


def test_the_contributing_guide_prints_every_banned_word() -> None:
    rows = (ROOT / "CONTRIBUTING.md").read_text().replace("-", " ").casefold()
    for rule in BANNED:
        shortest = re.compile(rule.pattern.replace(" ", r"\s"), re.IGNORECASE)
        assert shortest.search(rows), rule.pattern


def test_pre_commit_runs_the_static_checks_of_ci() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    script = (ROOT / ".ci" / "run").read_text()
    for hook in hooks:
        assert f"\n{hook['entry']}\n" in script, hook["entry"]
