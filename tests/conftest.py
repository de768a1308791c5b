"""Shared fixtures; in CI a skipped test fails unless data outside the repository is missing."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest

from pymaf_live.pipeline import latency
from pymaf_live.pipeline.latency import Latency

_DATA = "shared"
"""Part of every skip reason that names data kept outside the repository."""


def _fail_skips_in_ci(report: Any) -> None:
    if os.environ.get("CI") and report.skipped and _DATA not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    report = yield
    _fail_skips_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    report = yield
    _fail_skips_in_ci(report)
    return report


@pytest.fixture(scope="session", autouse=True)
def _data_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep recordings of module-wide fixtures out of the user's take library."""
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def _own_data_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Give each test a take library of its own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the list of latencies (ms) that the next speed measurements report, in order."""
    times: list[float] = []
    monkeypatch.setattr(
        latency, "measure_latency", lambda session: Latency(times.pop(0), disturbed=False)
    )
    return times
