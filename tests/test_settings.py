from __future__ import annotations

from pathlib import Path

import pytest

from pymaf_live.errors import OutputError
from pymaf_live.settings import Settings, load_settings, save_settings


def test_settings_come_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "settings.toml"
    settings = Settings(source="é “clip”.mp4", fov=70.5, people=3, export_folder=tmp_path / "out")
    save_settings(settings, path)
    assert load_settings(path) == (settings, "")
    save_settings(Settings(fov=None), path)  # replaces, and None comes back as None
    assert load_settings(path)[0].fov is None
    assert [p.name for p in path.parent.iterdir()] == ["settings.toml"]


def test_without_a_file_there_are_defaults_and_no_notice(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "none.toml") == (Settings(), "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"people = 'many'",
        b"people = 0",
        b"opacity = nan",
        b"fov = inf",
        b"backend = 'abacus'",
        b"[[[",
        b"\xff\xfe\x00",
        b"a = " + b"[" * 100_000,
        b"#" * (1 << 21),
    ],
)
def test_a_broken_file_is_set_aside_with_a_notice(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    settings, notice = load_settings(path)
    assert settings == Settings()
    assert "broken" in notice
    assert "\n" not in notice
    assert not path.exists()
    assert (tmp_path / "settings.toml.broken").read_bytes() == content
    assert load_settings(path)[1] == ""  # told once


def test_a_key_of_a_newer_version_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("people = 2\nhologram = true\n")
    assert load_settings(path) == (Settings(people=2), "")


def test_a_folder_in_the_file_s_place_is_no_end(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").mkdir()
    settings, notice = load_settings(tmp_path / "settings.toml")
    assert settings == Settings()
    assert "Cannot read" in notice
    with pytest.raises(OutputError):
        save_settings(settings, tmp_path / "settings.toml")


def test_the_names_of_version_0_1_are_still_read(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(
        "smoothing = 0.75\nrepeat = false\nbody = false\nmirror = false\n"
        "live_out = '127.0.0.1:4000'\nout_folder = '/takes'\nwindow = [1, 2, 300, 400]\n"
    )
    settings, notice = load_settings(path)
    assert notice == ""
    assert settings == Settings(
        smoothing_strength=0.75,
        loop=False,
        mesh=False,
        mirror_cameras=False,
        live_out_address="127.0.0.1:4000",
        export_folder=Path("/takes"),
        window_geometry=(1, 2, 300, 400),
    )
    save_settings(settings, path)
    assert "smoothing_strength = 0.75" in path.read_text()
    assert "repeat" not in path.read_text()
    assert load_settings(path) == (settings, "")


def test_a_new_name_wins_over_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("loop = true\nrepeat = false\n")
    assert load_settings(path)[0].loop
