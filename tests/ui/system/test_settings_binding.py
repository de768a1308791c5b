from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from pymaf_live.export.options import ExportOptions
from pymaf_live.pipeline.options import PipelineOptions, pipeline_options
from pymaf_live.settings import DEFAULTS, ExportSettings, Settings, load_settings, save_settings
from ui.state.observable import Observable
from ui.state.setting import UNCHANGED, bound_settings, setting
from ui.state.source import SourceChoice
from ui.state.view import Layout
from ui.state.window import WindowState
from ui.system.settings_binding import SettingsBinding

NOT_BOUND: frozenset[str] = frozenset()
"""Settings that the window does not use."""


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "settings.toml"
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: file)
    return file


def test_every_setting_is_bound_to_the_state_or_listed_as_unused() -> None:
    bound = {each.name for each in bound_settings(WindowState())}
    assert bound | NOT_BOUND == set(Settings.model_fields)
    assert not bound & NOT_BOUND


def test_every_bound_observable_starts_with_the_default_of_its_setting() -> None:
    state, applied = WindowState(), WindowState()
    for each in bound_settings(applied):
        each.load(getattr(DEFAULTS, each.name))
    initial_values = {"hints_seen", "source"}  # set only once the settings are applied
    for first, second in zip(bound_settings(state), bound_settings(applied), strict=True):
        if first.name not in initial_values:
            assert first.observable.value == second.observable.value, first.name


def test_all_settings_are_restored_through_the_state(settings_file: Path, tmp_path: Path) -> None:
    settings = Settings(
        source=str(tmp_path / "walk.mp4"),
        model="lite",
        model_files=(tmp_path / "mine.onnx",),
        backend="openvino",
        smoothing_strength=0.25,
        legs="seated",
        volume=0.25,
        muted=True,
        people=3,
        fov=70.5,
        loop=False,
        mirror_cameras=False,
        opacity=0.5,
        mesh=False,
        skeleton=True,
        points=True,
        box=True,
        ghost=True,
        layout="both",
        theme="light",
        hints_seen=True,
        window_geometry=(10, 20, 900, 600),
        panel=True,
        panel_page="takes",
        panel_width=400,
        live_out_protocol="vrchat",
        live_out_address="192.0.2.1:4000",
        count_down=3,
        always_on_top=True,
        green_background=True,
        framing=False,
        body_style="grey",
        export_presets={"Web": ExportSettings(formats=("glb",))},
        pre_roll=5.0,
        export=ExportSettings(formats=("glb",), rate="24", in_place=True),
        export_folder=tmp_path,
        batch_folder=tmp_path,
        recent_files=(tmp_path / "dance.mp4",),
    )
    different = {
        name for name in Settings.model_fields if getattr(settings, name) != getattr(DEFAULTS, name)
    }
    assert different == set(Settings.model_fields)  # fails if a new setting is missing above
    save_settings(settings)
    state = WindowState()
    SettingsBinding().apply(state)
    assert state.view.layout.value is Layout.BOTH
    assert state.export.options.value == ExportOptions(rate=24, in_place=True)
    settings_file.unlink()
    binding = SettingsBinding()
    state.models.chosen_by_user.set(True)
    binding.save(state)
    assert load_settings() == (settings, "")


def test_nothing_is_written_while_nothing_has_changed(settings_file: Path) -> None:
    state, binding = WindowState(), SettingsBinding()
    binding.apply(state)
    binding.save(state)  # the hints have been seen now
    assert binding.pending_write(state) is None
    state.skeleton.set(True)
    assert binding.pending_write(state) is not None


def test_a_model_from_the_command_line_is_not_stored(settings_file: Path) -> None:
    state, binding = WindowState(), SettingsBinding()
    state.models.model.set("full")
    binding.save(state)
    assert load_settings()[0].model == "auto"
    state.models.chosen_by_user.set(True)
    binding.save(state)
    assert load_settings()[0].model == "full"


def test_the_demo_is_not_stored_as_the_last_source(settings_file: Path) -> None:
    state, binding = WindowState(), SettingsBinding()
    state.sources.last_choice.set(SourceChoice("demo", "/demo.mp4", "Demo"))
    binding.save(state)
    assert load_settings()[0].source == DEFAULTS.source


def test_a_new_setting_needs_only_a_field_of_the_state() -> None:
    @dataclass
    class Inner:
        loop: Observable[bool] = setting("loop", to_setting=lambda owner, value: UNCHANGED)

    @dataclass
    class Outer:
        people: Observable[int | None] = setting("people")
        inner: Inner | None = None

    outer = Outer(inner=Inner())
    people, loop = bound_settings(outer)
    people.load(5)
    assert outer.people.value == 5
    assert people.value() == 5
    assert loop.value() is UNCHANGED


def test_pipeline_options_have_the_names_and_defaults_of_the_settings() -> None:
    options = pipeline_options(Settings(people=2, fov=60.0, smoothing_strength=0.0), model="lite")
    assert (options.people, options.fov, options.smoothing) == (2, 60.0, "off")
    assert (options.model, options.backend) == ("lite", "auto")
    defaults = PipelineOptions()
    for name in ("model", "backend", "people", "fov", "legs", "smoothing_strength"):
        assert getattr(defaults, name) == getattr(DEFAULTS, name)


def test_no_observable_is_shared_between_two_states() -> None:
    def observables(state: Any) -> list[int]:
        found: list[int] = []
        for field in fields(state):
            value = getattr(state, field.name)
            found += observables(value) if is_dataclass(value) else [id(value)]
        return found

    first, second = WindowState(), WindowState()
    assert not set(observables(first)) & set(observables(second))
