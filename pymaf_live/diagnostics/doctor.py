"""What works on this machine, and how to mend what does not."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pymaf_live import __version__
from pymaf_live.errors import ModelError, PymafLiveError
from pymaf_live.resources import resource

if TYPE_CHECKING:
    from pymaf_live.inference import Session

_GL_PACKAGES = "Debian, Ubuntu: apt install libegl1 libgl1 libgl1-mesa-dri libosmesa6"
_QT_PACKAGES = "Debian, Ubuntu: apt install libxcb-cursor0 libxkbcommon-x11-0 libegl1"
_INSTALL = "reinstall PyMAF Live"
_LIBRARIES = "Debian, Ubuntu: apt install libgl1 libglib2.0-0 libegl1 libgles2"
_NEEDED = ("body", "model", "people finder")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: Literal["ok", "missing", "broken"]
    """'missing': something is done without; 'broken': the main job cannot be done."""
    detail: str
    mend: str = ""
    """What to do; empty where nothing needs doing."""
    model: bool = False
    """Of a model or back-end, for the exit code."""


def examine() -> list[Check]:
    """Look at everything that the program needs; nothing is left behind, nothing is raised."""
    checks: list[Check] = []
    for name, look in _LOOKS:
        try:
            checks += look()
        except Exception as error:
            # a check that fails in a way nobody foresaw is a finding, not the end of the others
            state: Literal["missing", "broken"] = "broken" if name in _NEEDED else "missing"
            detail = f"could not be looked at: {_reason(error)}"
            cure = _LIBRARIES if _lacks_library(error) else _INSTALL
            checks.append(Check(name, state, detail, cure, model=name in _NEEDED))
    return checks


def _lacks_library(error: Exception) -> bool:
    # OpenCV's wheel links libGL, which a bare server does not have
    return isinstance(error, (ImportError, OSError)) and ".so" in str(error)


def exit_code(checks: Sequence[Check]) -> int:
    """0 when the main job works; 5 when a model or back-end stands in its way, 1 for all else."""
    broken = [check for check in checks if check.state == "broken"]
    if not broken:
        return 0
    return ModelError.exit_code if any(check.model for check in broken) else 1


def _system() -> list[Check]:
    detail = (
        f"PyMAF Live {__version__}, Python {platform.python_version()}, "
        f"{platform.platform(terse=True)}, {os.cpu_count()} cores"
    )
    return [Check("system", "ok", detail)]


def _opencv() -> list[Check]:
    found = [
        name
        for name in (
            "opencv-python",
            "opencv-contrib-python",
            "opencv-python-headless",
            "opencv-contrib-python-headless",
        )
        if _version(name)
    ]
    import cv2

    detail = f"OpenCV {cv2.__version__} ({', '.join(found)})"
    if len(found) > 1:
        # all of them write one cv2/ folder: which files won is chance
        keep = "opencv-contrib-python"
        others = " ".join(name for name in found if name != keep)
        mend = f"pip uninstall -y {others} {keep} && pip install {keep}"
        return [Check("pictures", "missing", f"{detail}: they overwrite each other", mend)]
    return [Check("pictures", "ok", detail)]


def _body() -> list[Check]:
    from pymaf_live.body import default_body

    try:
        body = default_body()
    except ModelError as error:
        return [Check("body", "broken", str(error), _INSTALL, model=True)]
    return [
        Check("body", "ok", f"{len(body.template)} vertices, {body.joint_count} joints, checked")
    ]


def _models() -> list[Check]:
    from pymaf_live.pipeline.model_selection import BETTER, FASTER, shipped_models

    shipped = shipped_models()
    if not {BETTER, FASTER} & set(shipped):
        detail = f"the installation has neither {FASTER} nor {BETTER}"
        return [Check("model", "broken", detail, _INSTALL, model=True)]
    first = FASTER if FASTER in shipped else BETTER
    checks = _first_model(shipped.pop(first))
    for name, path in shipped.items():
        checks.append(_further_model(name, path))
    return checks


def _first_model(path: Path) -> list[Check]:
    """The model that always serves, on every back-end."""
    from pymaf_live.inference import open_session

    name, checks, facts = f"model {path.stem}", [], ""
    for backend, package in (("openvino", "openvino"), ("onnxruntime", "onnxruntime")):
        try:
            session = open_session(path, backend)
        except Exception as error:
            mend = f"pip install {package}"
            checks.append(Check(f"back-end {backend}", "missing", _reason(error), mend))
            continue
        try:
            foreign = _foreign(session)
            if foreign:
                return [Check(name, "broken", f"{path.name} {foreign}", _INSTALL, model=True)]
            facts = facts or _model_facts(session, path)
            detail = f"{session.backend}, version {_version(package)}"
            if session.notice:
                detail += f"; {session.notice}"
            checks.append(Check(f"back-end {backend}", "ok", detail))
        finally:
            session.close()
    checks += _gpu_backends()
    if not facts:
        detail = f"no back-end can run {path}"
        return [Check(name, "broken", detail, _INSTALL, model=True), *checks]
    return [Check(name, "ok", facts), *checks]


def _gpu_backends() -> list[Check]:
    """Whether TensorRT could run; no engine is built for it, which may take minutes."""
    from pymaf_live.inference.tensorrt_library import PACKAGES, complaint, find_device, load_library

    checks = []
    for backend in PACKAGES:
        why = complaint(backend)
        if why:
            mend = (
                "needs an NVIDIA GPU and its driver; the processor serves without"
                if "GPU" in why
                else f"with an NVIDIA GPU: pip install 'pymaf-live[{backend}]'"
            )
            checks.append(Check(f"back-end {backend}", "missing", why, mend))
        else:
            detail = f"{load_library(backend).title} on {find_device().name}; engines are built "
            checks.append(Check(f"back-end {backend}", "ok", detail + "at first use"))
    return checks


def _further_model(name: str, path: Path) -> Check:
    from pymaf_live.inference import open_session

    try:
        session = open_session(path)
    except Exception as error:
        return Check(f"model {name}", "broken", _reason(error), _INSTALL, model=True)
    try:
        foreign = _foreign(session)
        if foreign:
            detail = f"{path.name} {foreign}"
            return Check(f"model {name}", "broken", detail, _INSTALL, model=True)
        return Check(f"model {name}", "ok", _model_facts(session, path))
    finally:
        session.close()


def _foreign(session: Session) -> str:
    """Why a model does not go with this program; empty where it does."""
    from pymaf_live.body.registry import SHIPPED_BODY, body_by_name
    from pymaf_live.tracking.crop import CropRule

    metadata = session.metadata
    ours = body_by_name(SHIPPED_BODY).sha256
    if metadata.body_sha256 == ours and CropRule.read(metadata.crop_rule) == CropRule():
        return ""
    return "belongs to another body or crop rule"


def _model_facts(session: Session, path: Path) -> str:
    from pymaf_live.pipeline.model_selection import measured

    metadata, found = session.metadata, measured(session)
    busy = " while the machine is busy" if found.disturbed else ""
    return (
        f"{metadata.name} {metadata.version}, {metadata.input_size} px, "
        f"{found.milliseconds:.1f} ms a person by {session.backend}{busy}, {path}"
    )


def _detector() -> list[Check]:
    from pymaf_live.tracking import open_detector

    try:
        detector = open_detector("auto")
    except Exception as error:
        return [Check("people finder", "broken", _reason(error), _INSTALL, model=True)]
    name, notice = detector.name, detector.notice
    detector.close()
    if notice:
        mend = "for MediaPipe: Debian, Ubuntu: apt install libegl1 libgles2"
        return [Check("people finder", "missing", notice, mend)]
    return [Check("people finder", "ok", name)]


def _codecs() -> list[Check]:
    import av
    import av.codec

    checks = []
    for name, what, needed in (
        ("h264", "reads H.264", False),
        ("hevc", "reads H.265", False),
        ("libx264", "writes H.264", True),
        ("aac", "writes AAC", False),
    ):
        try:
            av.codec.Codec(name, "w" if what.startswith("writes") else "r")
        except ValueError:
            mend = "pip install --force-reinstall av"
            state: Literal["missing", "broken"] = "broken" if needed else "missing"
            checks.append(Check(f"codec {name}", state, f"PyAV {av.__version__} lacks it", mend))
    if checks:
        return checks
    return [Check("codecs", "ok", f"H.264, H.265, AAC by PyAV {av.__version__}")]


def _drawing() -> list[Check]:
    from pymaf_live.rendering.offscreen import OffscreenContext, OpenGLUnavailable

    try:
        context = OffscreenContext()
    except OpenGLUnavailable as error:
        detail = f"overlays are drawn by the processor: {error}"
        return [Check("drawing", "missing", detail, _GL_PACKAGES)]
    detail = f"vispy by {context.kind} ({context.renderer})"
    context.close()
    return [Check("drawing", "ok", detail)]


def _window() -> list[Check]:
    if not _version("PySide6-Essentials"):
        return [Check("window", "missing", "PySide6 is not installed", _INSTALL)]
    if not sys.platform.startswith("linux"):
        return [Check("window", "ok", f"PySide6 {_version('PySide6-Essentials')}")]
    display = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY")
    if not display and not os.environ.get("QT_QPA_PLATFORM"):
        detail = "no screen (neither DISPLAY nor WAYLAND_DISPLAY is set)"
        mend = "log in on a desktop; `process` and `live` work without one"
        return [Check("window", "missing", detail, mend)]
    lacking = [name for name in ("EGL", "xcb-cursor", "xkbcommon") if not _has_library(name)]
    if lacking:
        names = ", ".join(f"lib{name}" for name in lacking)
        return [Check("window", "missing", f"the system lacks {names}", _QT_PACKAGES)]
    return [Check("window", "ok", f"PySide6 {_version('PySide6-Essentials')}, screen {display}")]


def _cameras() -> list[Check]:
    if sys.platform.startswith("linux"):
        devices = sorted(Path("/dev").glob("video*"))
        if not devices:
            return [
                Check("camera", "missing", "no /dev/video* device", "connect one; files work too")
            ]
        refused = [device for device in devices if not os.access(device, os.R_OK | os.W_OK)]
        if refused:
            mend = "sudo usermod -aG video $USER, then log in again"
            return [Check("camera", "missing", f"{refused[0]} may not be opened", mend)]
        return [Check("camera", "ok", ", ".join(str(device) for device in devices))]
    from pymaf_live.sources import open_source

    # elsewhere devices have no names to look for: try the first
    try:
        open_source("0").close()
    except PymafLiveError as error:
        mend = "connect one and allow its use in the system's privacy settings; files work too"
        return [Check("camera", "missing", str(error), mend)]
    return [Check("camera", "ok", "camera 0 gives pictures")]


def _demo() -> list[Check]:
    try:
        path = resource("demo.mp4")
    except PymafLiveError as error:
        return [Check("demo", "missing", str(error), _INSTALL)]
    return [Check("demo", "ok", str(path))]


def _folders() -> list[Check]:
    import platformdirs

    checks = []
    for what, text in (
        ("settings folder", platformdirs.user_config_dir("pymaf-live", appauthor=False)),
        ("cache folder", platformdirs.user_cache_dir("pymaf-live", appauthor=False)),
        ("temporary folder", tempfile.gettempdir()),
    ):
        folder = Path(text)
        existing = next(part for part in (folder, *folder.parents) if part.exists())
        if existing.is_dir() and os.access(existing, os.W_OK):
            checks.append(Check(what, "ok", str(folder)))
        else:
            mend = f"make {existing} writable for you"
            checks.append(Check(what, "missing", f"{folder} cannot be written", mend))
    return checks


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _has_library(name: str) -> bool:
    import ctypes.util

    return ctypes.util.find_library(name) is not None


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


_LOOKS: tuple[tuple[str, Callable[[], list[Check]]], ...] = (
    ("system", _system),
    ("body", _body),
    ("model", _models),
    ("people finder", _detector),
    ("pictures", _opencv),
    ("codecs", _codecs),
    ("drawing", _drawing),
    ("window", _window),
    ("camera", _cameras),
    ("demo", _demo),
    ("folders", _folders),
)
