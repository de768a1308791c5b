"""Cache of built engines, whose files are verified before use.

An engine is code for one GPU, one driver and one release of the library. A cached file begins with
a line that names them and the hash of the model, and with the hash of the engine; if anything
differs, the engine is built again. Files that other users could have written are not read, because
an engine can execute anything.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from pymaf_live.system.atomic_write import atomic_write, make_folder

_MAGIC = b"PyMAF Live engine 1\n"
_MAX_HEADER_BYTES = 1 << 14
_MAX_ENGINE_BYTES = 1 << 31
_MAX_TUNING_BYTES = 1 << 28


@dataclass(frozen=True)
class EngineKey:
    """Everything that an engine depends on."""

    model_sha256: str
    """Hash of the model file's content."""
    library: str
    """Back-end and version."""
    target: str
    """The GPU, or the compute capabilities that it was built for."""
    driver: str
    """Empty for engines that are built for named capabilities."""
    precision: str
    batch: int

    @property
    def file_name(self) -> str:
        """File name, distinct for distinct keys."""
        digest = hashlib.sha256(self._line()).hexdigest()[:16]
        plain = re.sub("[^A-Za-z0-9]+", "-", f"{self.library} {self.target} {self.precision}")
        return f"{plain.strip('-')[:80].lower()}-{digest}.engine"

    def _line(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True).encode()


def store_engine(folder: Path, key: EngineKey, engine: bytes) -> Path:
    """Write an engine under its key's file name.

    Raises
    ------
    OutputError
        If it cannot be written; no file is left then.
    """
    make_folder(folder)
    path = folder / key.file_name
    header = json.dumps(
        {"key": asdict(key), "sha256": hashlib.sha256(engine).hexdigest(), "bytes": len(engine)}
    )
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        file.write(_MAGIC)
        file.write(header.encode() + b"\n")
        file.write(engine)
    return path


def load_engine(folder: Path, key: EngineKey) -> tuple[bytes | None, str]:
    """Read a cached engine.

    Returns
    -------
    bytes or None
        None if there is none that can be trusted.
    str
        Reason why the cached file is not used; empty if there is none or it is good.
    """
    path = folder / key.file_name
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            if _writable_by_others(facts):
                return None, f"the cached engine {path} could have been written by others"
            if facts.st_size > _MAX_ENGINE_BYTES:
                return None, f"the cached engine {path} is too large"
            if file.read(len(_MAGIC)) != _MAGIC:
                return None, f"the cached engine {path} is damaged"
            header = json.loads(file.readline(_MAX_HEADER_BYTES))
            if header["key"] != asdict(key):
                return None, f"the cached engine {path} is for another model, GPU or version"
            engine = file.read()
            digest = hashlib.sha256(engine).hexdigest()
            if len(engine) != header["bytes"] or digest != header["sha256"]:
                return None, f"the cached engine {path} is damaged"
    except FileNotFoundError:
        return None, ""
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None, f"the cached engine {path} is damaged"
    return engine, ""


def store_tuning_data(path: Path, content: bytes) -> None:
    """Write tuning data that a library measured on a GPU, with its hash.

    Raises
    ------
    OutputError
        If it cannot be written; no file is left then.
    """
    make_folder(path.parent)
    with atomic_write(path) as temporary:
        temporary.write_bytes(file_sha256(content).encode() + content)


def load_tuning_data(path: Path) -> bytes:
    """Return what `store_tuning_data` wrote; empty if nothing can be trusted."""
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            if _writable_by_others(facts) or facts.st_size > _MAX_TUNING_BYTES:
                return b""
            digest, content = file.read(64), file.read()
    except OSError:
        return b""
    return content if digest == file_sha256(content).encode() else b""


def _writable_by_others(facts: os.stat_result) -> bool:
    if not hasattr(os, "getuid"):
        return False
    return facts.st_uid not in (os.getuid(), 0) or bool(facts.st_mode & 0o002)


def file_sha256(content: bytes) -> str:
    """Return the SHA-256 of a file's content as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
