"""MkDocs hook: adds the pages that live elsewhere in the repository to the site."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]

PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""Path in the repository -> path in the site."""

LINKS = {"docs/": ""}
"""Prefixes of links in `PAGES` that differ between the repository and the site."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the model cards with their pictures, and the pages kept at the repository's root."""
    for path in sorted((ROOT / "resources" / "models").iterdir()):
        if path.suffix in {".md", ".jpg", ".png"}:
            name = f"models/{path.name}"
            files.append(File.generated(config, name, abs_src_path=str(path)))
    for source, target in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        for prefix, replacement in LINKS.items():
            text = text.replace(f"]({prefix}", f"]({replacement}")
        files.append(File.generated(config, target, content=text))
    return files
