"""Textures with mipmaps, packed flat for the compiled rasterizer."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Mipmaps:
    """All sizes of a texture, each half as wide as the one before; T texels in all."""

    texels: Bytes
    """(T, 4) sRGB and a fourth channel: opacity of hair, ambient light of cloth."""
    starts: npt.NDArray[np.int64]
    """(L,) first texel of each level."""
    sizes: npt.NDArray[np.int64]
    """(L, 2) width, height of each level."""


def build_mipmaps(image: Bytes, *, opacity: bool = False) -> Mipmaps:
    """Return the mipmaps of an image.

    Parameters
    ----------
    image : (H, W, 3) or (H, W, 4) uint8 array
    opacity : bool
        The fourth channel is an opacity: colours are averaged by it, so that the colour of
        transparent texels does not bleed into strands of hair.
    """
    if image.shape[2] == 3:
        image = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    levels = [image]
    level = image.astype(np.float32)
    while min(level.shape[:2]) > 4:
        size = (level.shape[1] // 2, level.shape[0] // 2)
        if opacity:
            weight = level[..., 3:] + 1.0
            weighted = np.dstack([level[..., :3] * weight, level[..., 3]])
            small = np.asarray(cv2.resize(weighted, size, interpolation=cv2.INTER_AREA), np.float32)
            small[..., :3] /= small[..., 3:] + 1.0
            # averaging thins strands out; a little contrast keeps their coverage
            small[..., 3] = np.clip(small[..., 3] * 1.12, 0, 255)
            level = small
        else:
            level = np.asarray(cv2.resize(level, size, interpolation=cv2.INTER_AREA), np.float32)
        levels.append(np.clip(level + 0.5, 0, 255).astype(np.uint8))
    counts = [each.shape[0] * each.shape[1] for each in levels]
    return Mipmaps(
        np.ascontiguousarray(np.concatenate([each.reshape(-1, 4) for each in levels])),
        np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64),
        np.array([[each.shape[1], each.shape[0]] for each in levels], np.int64),
    )
