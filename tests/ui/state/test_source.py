from __future__ import annotations

from pathlib import Path

import pytest

from ui.state.source import FileQueue, SourceChoice


@pytest.mark.parametrize(
    ("text", "kind", "live"),
    [
        ("0", "camera", True),
        ("0@640x480@30", "camera", True),
        ("rtsp://host/a", "stream", True),
        ("walk.mp4", "file", False),
    ],
)
def test_the_kind_of_a_source_follows_from_its_text(text: str, kind: str, live: bool) -> None:
    choice = SourceChoice.from_text(text)
    assert (choice.kind, choice.text, choice.live) == (kind, text, live)


def test_a_file_is_titled_by_its_name(tmp_path: Path) -> None:
    assert SourceChoice.from_path(tmp_path / "walk.mp4").title == "walk.mp4"
    assert SourceChoice.from_path(Path("/")).title == "/"


def test_the_queue_knows_its_neighbours() -> None:
    choices = tuple(SourceChoice.from_text(f"{name}.mp4") for name in "abc")
    assert (FileQueue(choices, 0).previous, FileQueue(choices, 0).next) == (None, choices[1])
    assert (FileQueue(choices, 2).previous, FileQueue(choices, 2).next) == (choices[1], None)
    assert (FileQueue().previous, FileQueue().next) == (None, None)
