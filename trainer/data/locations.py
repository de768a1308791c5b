"""Default locations of data sets and other files, relative to the working folder."""

from __future__ import annotations

from pathlib import Path

SHARED_DATA = Path("../shared/data")
"""Folder of the packed data sets."""
LSPET = SHARED_DATA / "lspet"
CCP = SHARED_DATA / "ccp"
COCO = SHARED_DATA / "coco_mini"
VIDEOS = SHARED_DATA / "videos"
MOCAP = SHARED_DATA / "mocap"
BLAZEPOSE = Path("../shared/assets/blazepose")
"""Folder of BlazePose's ``.tflite`` files."""

RUNS = Path("runs")
"""Output folder of the trainer."""
LIFTER = RUNS / "lifter.safetensors"
"""Network from 2D key points to 3D poses, for the fit."""
FITS = RUNS / "fits_lspet.npz"
NATURAL_FITS = RUNS / "fits_lspet_natural.npz"
"""Fits of LSPET refined with a pose prior, for synthesis and the ablation."""
SYNTHETIC = RUNS / "synthetic"
SYNTHETIC_TEST = RUNS / "synthetic_test"
DRESSED_TEST = RUNS / "dressed_test"


def landmark_file(encoder: str, folder: Path) -> Path | None:
    """Return the BlazePose file of an encoder in a folder, None for encoders of other kinds."""
    if not encoder.startswith("blazepose_"):
        return None
    return folder / f"pose_landmark_{encoder.removeprefix('blazepose_')}.tflite"
