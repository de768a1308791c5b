"""Turn a recording in the take library into a stored take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.settings import DEFAULTS
from pymaf_live.system.reporter import SILENT, Reporter, raise_if_cancelled
from pymaf_live.takes.editing import trim_of
from pymaf_live.takes.journal import read_journal
from pymaf_live.takes.library import JOURNAL, StoredTake, TakeEntry, TakeLibrary
from pymaf_live.takes.playback import camera_at, people_at
from pymaf_live.takes.take import Take
from pymaf_live.tracking.take_tracks import tidy_tracks
from pymaf_live.types import Camera, Image, Legs
from pymaf_live.workflows.recoverable import finished_take
from pymaf_live.workflows.take_images import TakeImages, open_take_images, plain_background

if TYPE_CHECKING:
    from pymaf_live.body import Body

_THUMBNAIL_SIZE = 192
"""Longer side of a thumbnail, pixels."""


@dataclass(frozen=True)
class FinalizeOptions:
    """Smoothing and body of the finished take."""

    smoothing_strength: float = 0.5
    """Strength 0..1 of the offline smoothing; 0 keeps the measurements."""
    body: Body | None = None
    """Body of the recording; None finds it among the installed ones."""
    legs: Legs = DEFAULTS.legs
    """Pose of legs that are not seen."""


def finalize(
    library: TakeLibrary, take_id: str, options: FinalizeOptions, reporter: Reporter = SILENT
) -> TakeEntry:
    """Make the take of a recording in the library, smoothed; then remove the recording.

    Broken tracks are joined, and people who were seen only briefly left out, as in `process`,
    unless the measurements are kept.

    Parameters
    ----------
    library : TakeLibrary
    take_id : str
        From `TakeLibrary.begin` or `TakeLibrary.unfinished`.
    options : FinalizeOptions
    reporter : Reporter

    Returns
    -------
    TakeEntry

    Raises
    ------
    InputError
        If the recording has no frame, or its body is not installed.
    OutputError
        If the take cannot be written; the recording is kept.
    Interrupted
        If the user cancelled; the recording is kept.
    """

    def step(fraction: float) -> None:
        raise_if_cancelled(reporter, "the recording was kept as it is")
        reporter.progress(fraction, "smoothing the take")

    step(0.0)
    recorded = read_journal(library.folder(take_id) / JOURNAL)
    raw = recorded.take
    if options.smoothing_strength > 0:
        raw = tidy_tracks(raw).take
    step(0.15)
    body = options.body
    if body is None:
        from pymaf_live.body.registry import body_by_hash

        body = body_by_hash(raw.body_sha256)
    smoothed = finished_take(
        raw, recorded.smoothing, body, options.smoothing_strength, legs=options.legs
    )
    step(0.75)
    about = library.about(take_id)
    thumbnail = b""
    try:
        images = open_take_images(raw, about.file, library.image_copies(take_id))
        try:
            thumbnail = thumbnail_jpeg(smoothed, body, images)
        finally:
            if images is not None:
                images.close()
    except InputError:
        pass  # a take without a thumbnail is still a take
    step(0.85)
    entry = library.save(take_id, StoredTake(about, smoothed, raw), thumbnail)
    reporter.progress(1.0)
    return entry


def scaled_camera(camera: Camera, size: tuple[int, int]) -> Camera:
    """Return the camera of the same view in images of another size (width, height)."""
    scale = np.array(size) / np.array(camera.size)
    return Camera(
        camera.focal_length * float(scale[0]), (camera.principal_point + 0.5) * scale - 0.5, size
    )


def thumbnail_jpeg(take: Take, body: Body, images: TakeImages | None) -> bytes:
    """Return a small JPEG of the middle of a take, with the body drawn over it."""
    from pymaf_live.rendering import OverlayStyle, open_overlay
    from pymaf_live.takes.image_copies import small_jpeg

    first, last = trim_of(take)
    frame = (first + last) // 2
    inside = (take.frame >= first) & (take.frame <= last)
    if inside.any():
        # the frame with a person that is nearest to the middle
        frames = take.frame[inside]
        frame = int(frames[np.argmin(np.abs(frames - frame))])
    camera = camera_at(take, frame)
    source = images.image(frame) if images is not None else None
    width, height = camera.size
    scale = _THUMBNAIL_SIZE / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = plain_background(size) if source is None else _reduced(source, size)
    people = people_at(take, frame)
    if people:
        # OpenGL belongs to the window's thread
        overlay = open_overlay(body, size, "cpu", OverlayStyle(body=DEFAULTS.body_style))
        try:
            image = overlay.draw(image, people, scaled_camera(camera, size))
        finally:
            overlay.close()
    return small_jpeg(image, _THUMBNAIL_SIZE)


def _reduced(image: Image, size: tuple[int, int]) -> Image:
    import cv2

    step = max(1, min(image.shape[1] // (2 * size[0]), image.shape[0] // (2 * size[1])))
    thinned = np.ascontiguousarray(image[::step, ::step])
    return np.asarray(cv2.resize(thinned, size, interpolation=cv2.INTER_AREA), np.uint8)
