"""Overlay videos and images, drawn and written while the next frames are estimated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pymaf_live.errors import OutputError
from pymaf_live.pipeline.background_stage import BackgroundStage
from pymaf_live.pipeline.frame_reader import queue_capacity
from pymaf_live.settings import DEFAULTS
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.types import BodyStyle, FrameResult, Image, SourceFacts

if TYPE_CHECKING:
    from pymaf_live.body import Body

_JPEG_QUALITY = 92
_JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})

Renderer = Literal["auto", "gl", "cpu"]


class OverlayWriter:
    """Draws the body over the frames in one thread and writes them in another.

    Videos become ``NAME_overlay.mp4`` with the sound of the source, separate images a folder
    ``NAME_overlay``, a single image one file.

    Parameters
    ----------
    facts : SourceFacts
    body : Body
    out : Path
        Folder of the results.
    name : str
        Stem of the results.
    renderer : {'auto', 'gl', 'cpu'}
    body_style : BodyStyle
    force : bool
        Replace existing files.
    """

    def __init__(
        self,
        facts: SourceFacts,
        body: Body,
        out: Path,
        name: str,
        *,
        renderer: Renderer = "auto",
        body_style: BodyStyle = DEFAULTS.body_style,
        force: bool = False,
    ) -> None:
        self._facts = facts
        self._body = body
        self._out = out
        self._name = name
        self._renderer = renderer
        self._body_style = body_style
        self._force = force
        self.notices: list[str] = []
        self._files: list[Path] = []
        self._image_names: set[str] = set()
        capacity = queue_capacity(facts)
        write = self._write_images if facts.kind == "images" else self._write_video
        self._writing: BackgroundStage[tuple[FrameResult, Image]] = BackgroundStage(
            "write overlay", write, capacity=capacity
        )
        self._drawing: BackgroundStage[FrameResult] = BackgroundStage(
            "draw overlay", self._draw, capacity=capacity
        )

    def add(self, result: FrameResult) -> None:
        """Queue a result, waiting for room in the queue."""
        self._drawing.put(result)

    def finish(self) -> list[Path]:
        """Wait until everything is written; return the files.

        Raises
        ------
        OutputError
            If a file cannot be written.
        """
        self._drawing.finish()
        self._writing.finish()
        return self._files

    def close(self) -> None:
        """Stop within 2 s; an unfinished video is removed. No effect after `finish`."""
        # the writer first: the drawing may be waiting for it
        self._writing.close()
        self._drawing.close()

    @property
    def milliseconds(self) -> dict[str, float]:
        """Mean time per frame of drawing and writing."""
        return {"draw": self._drawing.milliseconds, "write": self._writing.milliseconds}

    @contextmanager
    def _draw(self) -> Iterator[Callable[[FrameResult], None]]:
        from pymaf_live.rendering import OverlayStyle, open_overlay

        # images of other sizes may follow; the size only allocates buffers for the first
        overlay = open_overlay(
            self._body,
            self._facts.size or (16, 16),
            self._renderer,
            OverlayStyle(body=self._body_style),
        )

        def draw(result: FrameResult) -> None:
            image = result.frame.image
            if result.people and result.camera is not None:
                image = overlay.draw(image, result.people, result.camera)
            if overlay.notice and overlay.notice not in self.notices:
                self.notices.append(overlay.notice)
            self._writing.put((result, image))

        try:
            yield draw
        finally:
            overlay.close()

    @contextmanager
    def _write_video(self) -> Iterator[Callable[[tuple[FrameResult, Image]], None]]:
        from pymaf_live.export.video import OverlayVideo

        facts = self._facts
        assert facts.size is not None
        target = self._out / f"{self._name}_overlay.mp4"
        with OverlayVideo(
            target,
            facts.size,
            facts.frame_rate,
            facts.path if facts.has_audio else None,
            force=self._force,
        ) as video:
            yield lambda drawn: video.add(drawn[1], drawn[0].frame.time)
        if video.notice:
            self.notices.append(video.notice)
        self._files.append(target)

    @contextmanager
    def _write_images(self) -> Iterator[Callable[[tuple[FrameResult, Image]], None]]:
        folder = self._out
        several = self._facts.frame_count != 1
        if several:
            folder = folder / f"{self._name}_overlay"
            make_folder(folder)

        def write(drawn: tuple[FrameResult, Image]) -> None:
            result, image = drawn
            source = Path(result.frame.name)
            suffix = ".jpg" if source.suffix.lower() in _JPEG_SUFFIXES else ".png"
            stem, number = source.stem if several else self._name, 1
            name = stem
            while (name + suffix).casefold() in self._image_names:
                number += 1
                name = f"{stem}_{number}"
            self._image_names.add((name + suffix).casefold())
            target = folder / f"{name}_overlay{suffix}"
            _write_image(target, image, force=self._force)
            self._files.append(target)

        yield write


def _write_image(target: Path, image: Image, *, force: bool) -> None:
    import cv2

    encoded, content = cv2.imencode(
        target.suffix, image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    if not encoded:
        raise OutputError(f"cannot write {target}: the image cannot be encoded")
    with atomic_write(target, force=force) as temporary:
        temporary.write_bytes(content.tobytes())
