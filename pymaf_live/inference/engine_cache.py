"""Built engines, kept so that they need not be built again; what is found is checked, not believed.

An engine is code for one GPU, one driver and one release of the library. A kept one begins with a
line that names them and the model's content, and with the hash of what follows; whatever differs
is set aside and built anew. Others' files are not read: an engine could do anything.
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
_MOST_HEADER = 1 << 14
_MOST_BYTES = 1 << 31
_MOST_LEARNED = 1 << 28


@dataclass(frozen=True)
class EngineKey:
    """Everything that an engine hangs on."""

    model_sha256: str
    """Of the model file's content."""
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
        """Distinct for distinct keys."""
        digest = hashlib.sha256(self._line()).hexdigest()[:16]
        plain = re.sub("[^A-Za-z0-9]+", "-", f"{self.library} {self.target} {self.precision}")
        return f"{plain.strip('-')[:80].lower()}-{digest}.engine"

    def _line(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True).encode()


def keep_engine(folder: Path, key: EngineKey, engine: bytes) -> Path:
    """Write an engine under its key's name.

    Raises
    ------
    OutputError
        If it cannot be written; then there is no file.
    """
    make_folder(folder)
    path = folder / key.file_name
    head = json.dumps(
        {"key": asdict(key), "sha256": hashlib.sha256(engine).hexdigest(), "bytes": len(engine)}
    )
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        file.write(_MAGIC)
        file.write(head.encode() + b"\n")
        file.write(engine)
    return path


def kept_engine(folder: Path, key: EngineKey) -> tuple[bytes | None, str]:
    """Find an engine.

    Returns
    -------
    bytes or None
        None where there is none that can be trusted.
    str
        Why the one that lies there is not used; empty where there is none or it is good.
    """
    path = folder / key.file_name
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            if _of_others(facts):
                return None, f"the kept engine {path} could have been written by others"
            if facts.st_size > _MOST_BYTES:
                return None, f"the kept engine {path} is too large"
            if file.read(len(_MAGIC)) != _MAGIC:
                return None, f"the kept engine {path} is damaged"
            head = json.loads(file.readline(_MOST_HEADER))
            if head["key"] != asdict(key):
                return None, f"the kept engine {path} is of another model, GPU or version"
            engine = file.read()
            digest = hashlib.sha256(engine).hexdigest()
            if len(engine) != head["bytes"] or digest != head["sha256"]:
                return None, f"the kept engine {path} is damaged"
    except FileNotFoundError:
        return None, ""
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None, f"the kept engine {path} is damaged"
    return engine, ""


def keep_learned(path: Path, content: bytes) -> None:
    """Write what a library learned about a GPU, so that damage shows.

    Raises
    ------
    OutputError
        If it cannot be written; then there is no file.
    """
    make_folder(path.parent)
    with atomic_write(path) as temporary:
        temporary.write_bytes(file_sha256(content).encode() + content)


def kept_learned(path: Path) -> bytes:
    """What `keep_learned` wrote; empty where there is nothing that can be trusted."""
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            if _of_others(facts) or facts.st_size > _MOST_LEARNED:
                return b""
            digest, content = file.read(64), file.read()
    except OSError:
        return b""
    return content if digest == file_sha256(content).encode() else b""


def _of_others(facts: os.stat_result) -> bool:
    if not hasattr(os, "getuid"):
        return False
    return facts.st_uid not in (os.getuid(), 0) or bool(facts.st_mode & 0o002)


def file_sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
