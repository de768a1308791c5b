"""Video of a take with the body drawn over the images that it was made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pymaf_live.settings import DEFAULTS
from pymaf_live.system.reporter import SILENT, Reporter, raise_if_cancelled
from pymaf_live.takes.editing import trim_of
from pymaf_live.takes.playback import camera_at, people_at
from pymaf_live.takes.take import Take
from pymaf_live.types import BodyStyle
from pymaf_live.workflows.overlay_writer import Renderer
from pymaf_live.workflows.take_images import open_take_images, plain_background, resized_to_frame

_SYNC = 0.05
"""Seconds; a take that starts later in its file than this gets no sound."""


@dataclass(frozen=True)
class BodyVideoRequest:
    """Video to write of a take."""

    take: Take
    """Frames outside its trim are left out."""
    target: Path
    """The MP4 file."""
    file: Path | None = None
    """Video or folder that the take was made of; None or missing: see `copies`."""
    copies: Path | None = None
    """Small copies of the images; without them the background is plain."""
    body_style: BodyStyle = DEFAULTS.body_style
    renderer: Renderer = "auto"
    force: bool = False
    """Replace an existing file."""


def write_body_video(request: BodyVideoRequest, reporter: Reporter = SILENT) -> str:
    """Write the video; the file is complete or not there. Return a notice, '' if there is none.

    The sound of the file is copied if the take starts where the file does.

    Raises
    ------
    OutputError
        If the file exists and `request.force` is false, or cannot be written.
    InputError
        If the body of the take is not installed.
    Interrupted
        If the user cancelled; no file is left.
    """
    from pymaf_live.body.registry import body_by_hash
    from pymaf_live.export.video import OverlayVideo
    from pymaf_live.rendering import OverlayStyle, open_overlay

    take = request.take
    body = body_by_hash(take.body_sha256)
    first, last = trim_of(take)
    size = camera_at(take, first).size
    start = float(take.frame_time[first])
    in_sync = take.file_time is None and not take.picture_name and start < _SYNC
    sound = request.file if in_sync and request.file and request.file.is_file() else None
    images = open_take_images(take, request.file, request.copies)
    overlay = open_overlay(body, size, request.renderer, OverlayStyle(body=request.body_style))
    video = OverlayVideo(request.target, size, take.frame_rate, sound, force=request.force)
    try:
        for frame in range(first, last + 1):
            raise_if_cancelled(reporter, "the video was not written")
            image = images.image(frame) if images is not None else None
            image = plain_background(size) if image is None else resized_to_frame(image, size)
            people = people_at(take, frame)
            if people:
                image = overlay.draw(image, people, camera_at(take, frame))
            time = float(take.frame_time[frame])
            video.add(np.ascontiguousarray(image), time if in_sync else time - start)
            done = (frame - first + 1) / (last - first + 1)
            reporter.progress(done, f"writing {request.target.name}")
        video.close()
    finally:
        video.abort()
        overlay.close()
        if images is not None:
            images.close()
    return video.notice
