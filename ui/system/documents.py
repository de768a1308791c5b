"""Documents that come with the program: the manual and the licences."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_PAGES = (
    "window.md",
    "getting-started.md",
    "exports.md",
    "multiple-people.md",
    "live-streaming.md",
    "models.md",
    "characters.md",
    "own-bodies.md",
    "troubleshooting.md",
)
_LICENCES = ("LICENSE", "THIRD_PARTY.md")


def manual_pages() -> tuple[Path, ...]:
    """Return the pages of the manual for users of the window; empty if they are not installed."""
    # beside the package in a checkout, inside it where it was installed
    for folder in (_ROOT / "docs", Path(__file__).resolve().parents[1] / "manual"):
        pages = tuple(folder / name for name in _PAGES if (folder / name).is_file())
        if pages:
            return pages
    return ()


def licences() -> str:
    """Return the texts of the licences."""
    texts = []
    for name in _LICENCES:
        path = _ROOT / name
        try:
            text = path.read_text("utf-8") if path.is_file() else _installed(name)
        except OSError:
            text = ""
        texts.append(text or f"{name} is missing in this installation.")
    return "\n\n".join(texts)


def _installed(name: str) -> str:
    try:
        return metadata.distribution("pymaf-live").read_text(f"licenses/{name}") or ""
    except metadata.PackageNotFoundError:
        return ""
