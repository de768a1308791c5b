"""``python -m trainer mediapipe-task``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def mediapipe_task(
    detection: Annotated[Path, typer.Argument(help="BlazePose's pose_detection.tflite.")],
    landmark: Annotated[Path, typer.Argument(help="A pose_landmark_*.tflite.")],
    out: Annotated[Path, typer.Argument(help="Bundle to write.")],
    any_size: Annotated[
        bool,
        typer.Option("--any-size", help="Allow a bundle too large to ship, for comparisons."),
    ] = False,
) -> None:
    """Assemble the detector bundle for MediaPipe.

    The bundle is what MediaPipe's Tasks API reads.
    """
    from trainer.export.mediapipe_task import MAX_BYTES, write_bundle

    write_bundle(detection, landmark, out, max_bytes=None if any_size else MAX_BYTES)
    print(f"{out}: {out.stat().st_size} bytes")
