"""What a user may set, kept between runs as TOML in the system's folder for settings."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pymaf_live.errors import OutputError
from pymaf_live.system.atomic_write import atomic_write, make_folder

_MOST_BYTES = 1 << 20


class ExportSettings(BaseModel):
    """How takes were exported last; names are checked where they are used."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    formats: Annotated[tuple[str, ...], Field(max_length=20)] = ("bvh", "npz")
    rate: Annotated[str, Field(max_length=60)] = ""
    """Frames a second, as `export.options.parse_rate` reads it; empty: the take's own."""
    unit: Annotated[str, Field(max_length=20)] = ""
    """Empty: what the format's readers expect."""
    rig: Annotated[str, Field(max_length=20)] = "smpl"
    world: Annotated[str, Field(max_length=20)] = "ground"
    in_place: bool = False
    rest_first: bool = False
    mesh: bool = True


class Settings(BaseModel):
    """The user's settings; every value is checked, unknown keys of newer versions are left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    source: str = "0"
    """Camera number, file, folder or address, as `open_source` takes it."""
    model: str = "auto"
    """'auto' (the best that keeps up with the source), a shipped model's name or a path."""
    model_files: Annotated[tuple[Path, ...], Field(max_length=50)] = ()
    """Models that a person added to the shipped ones."""
    backend: Literal["auto", "openvino", "onnxruntime", "tensorrt", "tensorrt-rtx"] = "auto"
    smoothing: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Strength; 0 is off."""
    people: Annotated[int, Field(ge=1, le=16)] | None = None
    """Followed at most; None: of what is live the one in front, several of files."""
    fov: Annotated[float, Field(gt=1, lt=179)] | None = None
    """Of the camera along the diagonal, degrees; None: focal length = diagonal."""
    mirror: bool = True
    """Show cameras as a mirror does; files never start mirrored, and nothing is recorded so."""
    opacity: Annotated[float, Field(ge=0, le=1)] = 0.8
    """Of the body over the picture."""
    skeleton: bool = False
    """Draw the skeleton."""
    repeat: bool = True
    """In the window, files start again at their end."""
    theme: Literal["light", "dark", "system"] = "system"
    hints_seen: bool = False
    """The window's first steps were shown."""
    window: tuple[int, int, int, int] | None = None
    """Left, top, width, height of the window in the desktop's own pixels; None: the system's."""
    layout: Literal["picture", "3D", "both"] = "picture"
    """What the window's stage holds."""
    body: bool = True
    """Draw the bodies in the window; with them points at the joints, boxes, and the body before
    smoothing."""
    points: bool = False
    box: bool = False
    ghost: bool = False
    panel: bool = False
    """In the window, whether the panel beside the picture is unfolded."""
    panel_page: Annotated[str, Field(max_length=40)] = ""
    panel_width: Annotated[int, Field(ge=0, le=10_000)] = 0
    """In the desktop's own pixels; 0: as wide as the page likes."""
    live_out: Annotated[str, Field(max_length=300)] = "127.0.0.1:39539"
    """Where the window streams motion to, host:port; another machine only once a person agreed."""
    count_down: Literal[0, 3, 5] = 0
    """Seconds before a recording begins."""
    pre_roll: Annotated[float, Field(ge=0, le=10)] = 2.0
    """Seconds before its beginning that belong to a recording."""
    export: ExportSettings = Field(default_factory=lambda: ExportSettings())
    """What the window's export sheet shows at first."""
    batch_folder: Path | None = None
    """Where the window's batch writes to; None: it asks."""
    out_folder: Path = Field(default_factory=lambda: platformdirs.user_documents_path() / "PyMAF")


def settings_path() -> Path:
    """Where the settings are kept."""
    return platformdirs.user_config_path("pymaf-live", appauthor=False) / "settings.toml"


def load_settings(path: Path | None = None) -> tuple[Settings, str]:
    """Read the settings; a bad file never stops the program.

    Parameters
    ----------
    path : Path, optional
        `settings_path()` by default.

    Returns
    -------
    settings : Settings
        The defaults where there is no file or no good one.
    notice : str
        What was wrong and where the bad file was put; empty when all is well.
    """
    path = path or settings_path()
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return Settings(), ""
    except OSError as error:
        return Settings(), f"cannot read the settings {path}: {error.strerror}; using the defaults"
    try:
        if len(content) > _MOST_BYTES:
            raise ValueError("it is too large")
        return Settings.model_validate(tomllib.loads(content.decode())), ""
    except ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (ValueError, RecursionError) as error:  # TOML and UTF-8 errors are ValueErrors
        why = str(error).splitlines()[0] if str(error) else "it is nested too deep"
    return Settings(), _set_aside(path, why)


def save_settings(settings: Settings, path: Path | None = None) -> None:
    """Write the settings.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    path = path or settings_path()
    make_folder(path.parent)
    with atomic_write(path) as temporary:
        # TOML has no null: what is None is left out and read as the default
        temporary.write_text(
            tomli_w.dumps(settings.model_dump(mode="json", exclude_none=True)), encoding="utf-8"
        )
        if _read_strictly(temporary) != settings:
            raise OutputError(f"cannot write {path}: the settings came back different")


def _read_strictly(path: Path) -> Settings:
    """Read settings that must be good; raises what pydantic and tomllib raise."""
    return Settings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def _set_aside(path: Path, why: str) -> str:
    aside = path.with_name(path.name + ".broken")
    try:
        os.replace(path, aside)
    except OSError as error:
        return f"the settings {path} are broken ({why}) and stay there ({error.strerror})"
    return f"the settings were broken ({why}) and are now {aside}; using the defaults"
