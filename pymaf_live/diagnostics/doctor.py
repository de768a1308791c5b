"""Checks of this machine, each with a remedy for what does not work."""

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
_REINSTALL = "reinstall PyMAF Live"
_LIBRARIES = "Debian, Ubuntu: apt install libgl1 libglib2.0-0 libegl1 libgles2"
_REQUIRED = ("body", "model", "person detector")


@dataclass(frozen=True)
class Check:
    """Result of one check."""

    name: str
    state: Literal["ok", "missing", "broken"]
    """'missing': the program works without it; 'broken': the program cannot do its main job."""
    detail: str
    remedy: str = ""
    """Action to take; empty if none is needed."""
    model: bool = False
    """True for a model or a back-end, which have an exit code of their own."""


def run_checks() -> list[Check]:
    """Check everything that the program needs; raises nothing and leaves nothing behind."""
    checks: list[Check] = []
    for name, check in _CHECKS:
        try:
            checks += check()
        except Exception as error:
            # an unexpected failure of one check is a finding and must not hide the others
            state: Literal["missing", "broken"] = "broken" if name in _REQUIRED else "missing"
            detail = f"the check failed: {_reason(error)}"
            remedy = _LIBRARIES if _lacks_library(error) else _REINSTALL
            checks.append(Check(name, state, detail, remedy, model=name in _REQUIRED))
    return checks


def _lacks_library(error: Exception) -> bool:
    # OpenCV's wheel links to libGL, which a bare server does not have
    return isinstance(error, (ImportError, OSError)) and ".so" in str(error)


def exit_code(checks: Sequence[Check]) -> int:
    """Return 0 if nothing is broken, 5 if a model or back-end is, 1 otherwise."""
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
        # all of them install into one cv2/ folder; which files remain depends on the order
        keep = "opencv-contrib-python"
        others = " ".join(name for name in found if name != keep)
        remedy = f"pip uninstall -y {others} {keep} && pip install {keep}"
        return [
            Check(
                "images", "missing", f"{detail}: the packages overwrite each other's files", remedy
            )
        ]
    return [Check("images", "ok", detail)]


def _body() -> list[Check]:
    from pymaf_live.body import default_body

    try:
        body = default_body()
    except ModelError as error:
        return [Check("body", "broken", str(error), _REINSTALL, model=True)]
    return [Check("body", "ok", f"{len(body.template)} vertices, {body.joint_count} joints")]


def _models() -> list[Check]:
    from pymaf_live.pipeline.model_selection import ACCURATE_MODEL, FAST_MODEL, shipped_models

    shipped = shipped_models()
    if not {ACCURATE_MODEL, FAST_MODEL} & set(shipped):
        detail = f"the installation has neither {FAST_MODEL} nor {ACCURATE_MODEL}"
        return [Check("model", "broken", detail, _REINSTALL, model=True)]
    first = FAST_MODEL if FAST_MODEL in shipped else ACCURATE_MODEL
    checks = _first_model(shipped.pop(first))
    for name, path in shipped.items():
        checks.append(_other_model(name, path))
    return checks


def _first_model(path: Path) -> list[Check]:
    """Check the model that is always shipped, on every back-end."""
    from pymaf_live.inference import open_session

    name, checks, facts = f"model {path.stem}", [], ""
    for backend, package in (("openvino", "openvino"), ("onnxruntime", "onnxruntime")):
        try:
            session = open_session(path, backend)
        except Exception as error:
            remedy = f"pip install {package}"
            checks.append(Check(f"back-end {backend}", "missing", _reason(error), remedy))
            continue
        try:
            mismatch = _mismatch(session)
            if mismatch:
                return [Check(name, "broken", f"{path.name} {mismatch}", _REINSTALL, model=True)]
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
        return [Check(name, "broken", detail, _REINSTALL, model=True), *checks]
    return [Check(name, "ok", facts), *checks]


def _gpu_backends() -> list[Check]:
    """Check if TensorRT can run; building an engine may take minutes and is left out."""
    from pymaf_live.inference.cuda import find_device
    from pymaf_live.inference.tensorrt_library import PACKAGES, load_library, unavailable_reason

    checks = []
    for backend in PACKAGES:
        why = unavailable_reason(backend)
        if why:
            remedy = (
                "needs an NVIDIA GPU and its driver; the CPU is used without one"
                if "GPU" in why
                else f"with an NVIDIA GPU: pip install 'pymaf-live[{backend}]'"
            )
            checks.append(Check(f"back-end {backend}", "missing", why, remedy))
        else:
            detail = f"{load_library(backend).title} on {find_device().name}; engines are built "
            checks.append(Check(f"back-end {backend}", "ok", detail + "at first use"))
    return checks


def _other_model(name: str, path: Path) -> Check:
    from pymaf_live.inference import open_session

    try:
        session = open_session(path)
    except Exception as error:
        return Check(f"model {name}", "broken", _reason(error), _REINSTALL, model=True)
    try:
        mismatch = _mismatch(session)
        if mismatch:
            detail = f"{path.name} {mismatch}"
            return Check(f"model {name}", "broken", detail, _REINSTALL, model=True)
        return Check(f"model {name}", "ok", _model_facts(session, path))
    finally:
        session.close()


def _mismatch(session: Session) -> str:
    """Return the reason why a model does not fit this program; empty if it does."""
    from pymaf_live.body.registry import SHIPPED_BODY, body_by_name
    from pymaf_live.tracking.crop import CropRule

    metadata = session.metadata
    ours = body_by_name(SHIPPED_BODY).sha256
    if metadata.body_sha256 == ours and CropRule.parse(metadata.crop_rule) == CropRule():
        return ""
    return "was made for another body or crop rule"


def _model_facts(session: Session, path: Path) -> str:
    from pymaf_live.pipeline.latency import measure_latency

    metadata, found = session.metadata, measure_latency(session)
    busy = " on a busy machine" if found.disturbed else ""
    return (
        f"{metadata.name} {metadata.version}, {metadata.input_size} px, "
        f"{found.milliseconds:.1f} ms per person on {session.backend}{busy}, {path}"
    )


def _detector() -> list[Check]:
    from pymaf_live.tracking import open_detector

    try:
        detector = open_detector("auto")
    except Exception as error:
        return [Check("person detector", "broken", _reason(error), _REINSTALL, model=True)]
    name, notice = detector.name, detector.notice
    detector.close()
    if notice:
        remedy = "for MediaPipe: Debian, Ubuntu: apt install libegl1 libgles2"
        return [Check("person detector", "missing", notice, remedy)]
    return [Check("person detector", "ok", name)]


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
            remedy = "pip install --force-reinstall av"
            state: Literal["missing", "broken"] = "broken" if needed else "missing"
            checks.append(Check(f"codec {name}", state, f"PyAV {av.__version__} lacks it", remedy))
    if checks:
        return checks
    return [Check("codecs", "ok", f"H.264, H.265, AAC by PyAV {av.__version__}")]


def _rendering() -> list[Check]:
    from pymaf_live.rendering.offscreen import OffscreenContext, OpenGLUnavailable

    try:
        context = OffscreenContext()
    except OpenGLUnavailable as error:
        detail = f"overlays are drawn on the CPU: {error}"
        return [Check("rendering", "missing", detail, _GL_PACKAGES)]
    detail = f"vispy on {context.kind} ({context.renderer})"
    context.close()
    return [Check("rendering", "ok", detail)]


def _window() -> list[Check]:
    if not _version("PySide6-Essentials"):
        return [Check("window", "missing", "PySide6 is not installed", _REINSTALL)]
    if not sys.platform.startswith("linux"):
        return [Check("window", "ok", f"PySide6 {_version('PySide6-Essentials')}")]
    display = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY")
    if not display and not os.environ.get("QT_QPA_PLATFORM"):
        detail = "no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"
        remedy = "log in to a desktop; the commands process and live work without one"
        return [Check("window", "missing", detail, remedy)]
    lacking = [name for name in ("EGL", "xcb-cursor", "xkbcommon") if not _has_library(name)]
    if lacking:
        names = ", ".join(f"lib{name}" for name in lacking)
        return [Check("window", "missing", f"the system lacks {names}", _QT_PACKAGES)]
    return [Check("window", "ok", f"PySide6 {_version('PySide6-Essentials')}, display {display}")]


def _cameras() -> list[Check]:
    if sys.platform.startswith("linux"):
        devices = sorted(Path("/dev").glob("video*"))
        if not devices:
            return [
                Check(
                    "camera",
                    "missing",
                    "no /dev/video* device",
                    "connect a camera; files work without one",
                )
            ]
        refused = [device for device in devices if not os.access(device, os.R_OK | os.W_OK)]
        if refused:
            remedy = "sudo usermod -aG video $USER, then log in again"
            return [
                Check("camera", "missing", f"{refused[0]} cannot be opened (no permission)", remedy)
            ]
        return [Check("camera", "ok", ", ".join(str(device) for device in devices))]
    from pymaf_live.sources import open_source

    # other systems have no device files to list: try the first camera
    try:
        open_source("0").close()
    except PymafLiveError as error:
        remedy = (
            "connect a camera and allow its use in the privacy settings; files work without one"
        )
        return [Check("camera", "missing", str(error), remedy)]
    return [Check("camera", "ok", "camera 0 delivers frames")]


def _demo() -> list[Check]:
    try:
        path = resource("demo.mp4")
    except PymafLiveError as error:
        return [Check("demo", "missing", str(error), _REINSTALL)]
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
            remedy = f"get write permission for {existing}"
            checks.append(Check(what, "missing", f"{folder} cannot be written", remedy))
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


_CHECKS: tuple[tuple[str, Callable[[], list[Check]]], ...] = (
    ("system", _system),
    ("body", _body),
    ("model", _models),
    ("person detector", _detector),
    ("images", _opencv),
    ("codecs", _codecs),
    ("rendering", _rendering),
    ("window", _window),
    ("camera", _cameras),
    ("demo", _demo),
    ("folders", _folders),
)
