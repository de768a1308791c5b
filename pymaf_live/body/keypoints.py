"""Joint orders of key-point conventions.

LSP's 14 joints (Johnson and Everingham, BMVC 2010) run from the right ankle up to the hips and down
the left leg, likewise along the arms, then neck and head top. Sides are the person's own.
"""

from __future__ import annotations

LSP_NAMES = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    "neck", "head_top",
)  # fmt: skip
"""LSP's joints in its order; the rows of the body's key-point set `lsp`."""

LSP_HIPS = (2, 3)
"""Right and left hip in LSP's order."""
LSP_SHOULDERS = (8, 9)
"""Right and left shoulder in LSP's order."""

BLAZEPOSE_LSP_LIMBS = (28, 26, 24, 23, 25, 27, 16, 14, 12, 11, 13, 15)
"""BlazePose landmarks of LSP's first twelve joints; BlazePose has no neck and no head top."""
