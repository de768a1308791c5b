"""Video of a take with the body drawn over the images that it was made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pymaf_live.rendering.overlay import Overlay
from pymaf_live.settings import DEFAULTS
from pymaf_live.system.reporter import SILENT, Reporter, raise_if_cancelled
from pymaf_live.takes.editing import trim_of
from pymaf_live.takes.playback import camera_at, people_at
from pymaf_live.takes.take import Take
from pymaf_live.types import BodyStyle, Camera, Person
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
    """The MP4 file, or the MOV file of a transparent video."""
    file: Path | None = None
    """Video or folder that the take was made of; None or missing: see `copies`."""
    copies: Path | None = None
    """Small copies of the images; without them the background is plain."""
    body_style: BodyStyle = DEFAULTS.body_style
    transparent: bool = False
    """Show the people alone, on a transparent background; the target is a .mov then."""
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
    transparent = request.transparent
    images = None if transparent else open_take_images(take, request.file, request.copies)
    style = OverlayStyle(body=request.body_style)
    if transparent:  # nothing is to be seen through the people
        style = replace(style, opacity=1.0)
    overlay = open_overlay(body, size, request.renderer, style)
    video = OverlayVideo(
        request.target, size, take.frame_rate, sound, transparent=transparent, force=request.force
    )
    try:
        for frame in range(first, last + 1):
            raise_if_cancelled(reporter, "the video was not written")
            image = images.image(frame) if images is not None else None
            image = plain_background(size) if image is None else resized_to_frame(image, size)
            people, camera = people_at(take, frame), camera_at(take, frame)
            if transparent:
                image = people_with_alpha(overlay, people, camera)
            elif people:
                image = overlay.draw(image, people, camera)
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


def people_with_alpha(
    overlay: Overlay, people: tuple[Person, ...], camera: Camera
) -> npt.NDArray[np.uint8]:
    """Draw people on a transparent background, (H, W, 4) RGBA with straight alpha.

    What is drawn over black and over white differs by 1 - alpha of white.
    """
    width, height = camera.size
    rgba = np.zeros((height, width, 4), np.uint8)
    if not people:
        return rgba
    black = np.zeros((height, width, 3), np.uint8)
    over_black = overlay.draw(black, people, camera).astype(np.float32)
    over_white = overlay.draw(np.full_like(black, 255), people, camera).astype(np.float32)
    alpha = np.clip(1 - (over_white - over_black).mean(axis=2) / 255, 0, 1)
    color = over_black / np.maximum(alpha, 1 / 255)[..., None]
    rgba[..., :3] = np.rint(np.clip(color, 0, 255))
    rgba[..., 3] = np.rint(255 * alpha)
    return rgba
