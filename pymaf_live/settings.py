"""The user's settings, stored as TOML in the system's settings folder.

The defaults of all options are those of `Settings`. The window binds its state to the fields by
name (`ui.state.setting`): a new setting is a field here and a field of the state.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pymaf_live.errors import OutputError
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.system.regular_file import open_regular
from pymaf_live.types import BodyStyle, Legs, StreamProtocol

_MAX_BYTES = 1 << 20

_OLD_NAMES: Mapping[str, str] = {
    "body": "mesh",
    "live_out": "live_out_address",
    "mirror": "mirror_cameras",
    "out_folder": "export_folder",
    "repeat": "loop",
    "smoothing": "smoothing_strength",
    "window": "window_geometry",
}
"""Names of version 0.1 that are still read, with those that replaced them."""


class ExportSettings(BaseModel):
    """Options of the last export; the names are checked where they are used."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    formats: Annotated[tuple[str, ...], Field(max_length=20)] = ("bvh", "npz")
    rate: Annotated[str, Field(max_length=60)] = ""
    """Frames per second as `export.options.parse_rate` reads it; empty: the take's own."""
    unit: Annotated[str, Field(max_length=20)] = ""
    """Unit of length; empty: the usual one of each format."""
    rig: Annotated[str, Field(max_length=20)] = "smpl"
    world: Annotated[str, Field(max_length=20)] = "ground"
    in_place: bool = False
    rest_first: bool = False
    mesh: bool = True
    camera: bool = False
    one_file: bool = False
    video: bool = False
    """Write a video with the body as well."""
    transparent_video: bool = False
    """The video shows the people alone, on a transparent background."""


class Settings(BaseModel):
    """The user's settings; every value is checked, unknown keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    source: str = "0"
    """Last source: camera number, file, folder or address, as `open_source` reads it."""
    model: str = "auto"
    """'auto' (the most accurate model that keeps up), the name of a shipped model, or a path."""
    model_files: Annotated[tuple[Path, ...], Field(max_length=50)] = ()
    """Model files that the user added."""
    backend: Literal["auto", "openvino", "onnxruntime", "tensorrt", "tensorrt-rtx"] = "auto"
    smoothing_strength: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Strength of the smoothing, 0..1; 0 is off."""
    legs: Legs = "auto"
    """Pose of legs that are not seen."""
    people: Annotated[int, Field(ge=1, le=16)] | None = None
    """Maximum number of people to track; None: one in a live source, several in a file."""
    fov: Annotated[float, Field(gt=1, lt=179)] | None = None
    """Field of view along the frame's diagonal, degrees; None: focal length = diagonal."""
    loop: bool = True
    """Restart files at their end in the window."""
    mirror_cameras: bool = True
    """Mirror the view of cameras; files and recordings are never mirrored."""
    volume: Annotated[float, Field(ge=0, le=1)] = 0.8
    """Volume of the sound in the window."""
    muted: bool = False
    """Play videos and takes without sound."""
    opacity: Annotated[float, Field(ge=0, le=1)] = 0.8
    """Opacity of the mesh over the image."""
    body_style: BodyStyle = "clothed"
    """Appearance of people in the window and in overlays."""
    mesh: bool = True
    """Draw the mesh."""
    skeleton: bool = False
    """Draw the skeleton."""
    points: bool = False
    """Draw the joints as dots."""
    box: bool = False
    """Draw the boxes of the people."""
    ghost: bool = False
    """Draw the body before smoothing."""
    layout: Literal["picture", "3D", "both"] = "picture"
    """Views in the window."""
    theme: Literal["light", "dark", "system"] = "system"
    hints_seen: bool = False
    """The window's hints for beginners have been shown."""
    window_geometry: tuple[int, int, int, int] | None = None
    """Left, top, width and height of the window, logical pixels; None: the system decides."""
    panel: bool = False
    """Show the side panel."""
    panel_page: Annotated[str, Field(max_length=40)] = ""
    """Name of the panel's page."""
    panel_width: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Width of the panel, logical pixels; 0: the page's preferred width."""
    live_out_protocol: StreamProtocol = "vmc"
    """Protocol of the motion stream; streams are off at every start."""
    live_out_address: Annotated[str, Field(max_length=300)] = "127.0.0.1:39539"
    """Receiver of the motion stream, host:port; other machines only after the user agreed."""
    always_on_top: bool = False
    """Keep the window above others."""
    green_background: bool = False
    """Show only the people, on green."""
    framing: bool = True
    """Check the framing of cameras before a recording."""
    count_down: Literal[0, 3, 5, 10, 20, 30] = 0
    """Seconds before a recording starts."""
    pre_roll: Annotated[float, Field(ge=0, le=10)] = 2.0
    """Seconds before the start that become part of a recording."""
    export: ExportSettings = Field(default_factory=lambda: ExportSettings())
    """Options of the last export."""
    export_presets: Annotated[dict[str, ExportSettings], Field(max_length=50)] = Field(
        default_factory=dict
    )
    """Named choices of the export dialog."""
    export_folder: Path = Field(
        default_factory=lambda: platformdirs.user_documents_path() / "PyMAF"
    )
    """Folder of the last export."""
    recent_files: Annotated[tuple[Path, ...], Field(max_length=10)] = ()
    """Files that were opened last in the window, newest first."""
    batch_folder: Path | None = None
    """Folder of the results of a batch; None: not chosen yet."""

    @model_validator(mode="before")
    @classmethod
    def _read_old_names(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        old = {_OLD_NAMES[name]: value for name, value in data.items() if name in _OLD_NAMES}
        return {**old, **{name: value for name, value in data.items() if name not in _OLD_NAMES}}


DEFAULTS = Settings()
"""The default settings."""


def settings_path() -> Path:
    """Return the path of the settings file."""
    return platformdirs.user_config_path("pymaf-live", appauthor=False) / "settings.toml"


def load_settings(path: Path | None = None) -> tuple[Settings, str]:
    """Read the settings; a broken file is set aside and never stops the program.

    Parameters
    ----------
    path : Path, optional
        `settings_path()` by default.

    Returns
    -------
    settings : Settings
        The defaults if there is no usable file.
    notice : str
        What was wrong and where the broken file was moved; empty if all is well.
    """
    path = path or settings_path()
    try:
        with open_regular(path) as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return Settings(), ""
    except OSError as error:
        reason = error.strerror
        return Settings(), f"Cannot read the settings {path}: {reason}. The defaults are used."
    try:
        if len(content) > _MAX_BYTES:
            raise ValueError("the file is too large")
        return Settings.model_validate(tomllib.loads(content.decode())), ""
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (ValueError, RecursionError) as error:  # TOML and UTF-8 errors are ValueErrors
        reason = str(error).splitlines()[0] if str(error) else "nested too deeply"
    return Settings(), _set_aside(path, reason)


def save_settings(settings: Settings, path: Path | None = None) -> None:
    """Write the settings.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    path = path or settings_path()
    make_folder(path.parent)
    with atomic_write(path, private=True) as temporary:
        # TOML has no null: fields that are None are omitted and read as the default
        temporary.write_text(
            tomli_w.dumps(settings.model_dump(mode="json", exclude_none=True)), encoding="utf-8"
        )
        if _read_strictly(temporary) != settings:
            raise OutputError(f"cannot write {path}: the settings read back differently")


def _read_strictly(path: Path) -> Settings:
    """Read a settings file that must be valid; raises the errors of pydantic and tomllib."""
    return Settings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def _set_aside(path: Path, reason: str) -> str:
    aside = path.with_name(path.name + ".broken")
    try:
        os.replace(path, aside)
    except OSError as error:
        return (
            f"The settings file {path} is broken ({reason}) and could not be moved away "
            f"({error.strerror}). The defaults are used."
        )
    return f"The settings file was broken ({reason}) and is now {aside}. The defaults are used."
