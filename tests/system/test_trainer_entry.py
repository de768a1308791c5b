"""Functions of the trainer, run in a child process."""

from __future__ import annotations

import threading
import tomllib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from pymaf_live.errors import InputError, Interrupted, ModelError
from pymaf_live.system.reporter import SilentReporter
from pymaf_live.system.trainer_entry import (
    GROUP,
    TrainerMissingError,
    find_entry,
    run_in_trainer,
)
from tests.helpers.paths import ROOT

FAKE_TRAINER = """
import time
from pymaf_live.errors import InputError

def double(value):
    print("a library's line on stdout")
    return {"doubled": 2 * value}

def refuse(value):
    raise InputError(f"{value} cannot be used")

def crash(value):
    raise RuntimeError("out of order")

def sleep(value):
    time.sleep(value)
"""


class Cancelled(SilentReporter):
    """Reporter that is cancelled after some time."""

    def __init__(self, seconds: float) -> None:
        self._event = threading.Event()
        threading.Timer(seconds, self._event.set).start()

    def cancelled(self) -> bool:
        return self._event.is_set()


@pytest.fixture(autouse=True)
def fake_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fake_trainer.py").write_text(FAKE_TRAINER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        "pymaf_live.system.trainer_entry.entry_points",
        lambda *, group, name: (EntryPoint(name, f"fake_trainer:{name}", group),),
    )


def test_the_result_comes_back_apart_from_what_libraries_print() -> None:
    assert run_in_trainer("double", {"value": 21}) == {"doubled": 42}


def test_our_errors_keep_their_class_and_text() -> None:
    with pytest.raises(InputError, match=r"^a\.pt cannot be used$"):
        run_in_trainer("refuse", {"value": "a.pt"})


def test_other_errors_become_a_model_error_of_one_line() -> None:
    with pytest.raises(ModelError, match=r"^RuntimeError: out of order$"):
        run_in_trainer("crash", {"value": 0})


def test_a_cancelled_run_ends_at_once() -> None:
    with pytest.raises(Interrupted):
        run_in_trainer("sleep", {"value": 60}, reporter=Cancelled(0.5))


def test_a_run_past_its_time_limit_ends() -> None:
    with pytest.raises(ModelError, match="longer than 1 s"):
        run_in_trainer("sleep", {"value": 60}, timeout=1)


@pytest.mark.parametrize(
    ("target", "missing"),
    [
        ("pymaf_live.system.trainer_entry.importlib.util.find_spec", "torch"),
        ("pymaf_live.system.trainer_entry.entry_points", "the trainer"),
    ],
)
def test_what_is_missing_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, target: str, missing: str
) -> None:
    monkeypatch.setattr(target, lambda *_, **__: None if missing == "torch" else ())
    with pytest.raises(TrainerMissingError, match=f"^{missing} is not installed; run: pip install"):
        find_entry("double")


def test_the_project_publishes_functions_that_exist() -> None:
    pytest.importorskip("torch")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    published = project["entry-points"][GROUP]
    assert set(published) == {"published_speed", "import_pymaf"}
    for name, value in published.items():
        assert callable(EntryPoint(name, value, GROUP).load())


def test_an_installed_package_has_the_entry_points() -> None:
    if not entry_points(group="console_scripts", name="pymaf-live"):
        pytest.skip("the package is not installed")
    assert {entry.name for entry in entry_points(group=GROUP)} == {
        "published_speed",
        "import_pymaf",
    }
