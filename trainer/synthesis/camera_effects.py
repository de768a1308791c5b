"""From linear light to an image as a cheap camera records it."""

from __future__ import annotations

import cv2
import numpy as np

from pymaf_live.types import Array, Image


def record_image(canvas: Array, rng: np.random.Generator) -> Image:
    """Apply white balance, exposure, focus, gamma, saturation and noise.

    Parameters
    ----------
    canvas : (H, W, 3) array
        Linear light.
    rng : numpy.random.Generator

    Returns
    -------
    (H, W, 3) uint8 array
        RGB.
    """
    gain = np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.06, 3))
    if rng.random() < 0.05:
        gain = gain * 0.3  # low light
    image: Array = np.clip(canvas * gain.astype(np.float32), 0, 1)
    if rng.random() < 0.9:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.35, 0.9))))
    image = image ** np.float32(1 / (2.2 * np.exp(rng.normal(0, 0.1))))
    grey = image.mean(axis=2, keepdims=True)
    image = grey + (image - grey) * np.float32(rng.uniform(0.55, 1.15))
    noise = float(rng.uniform(0, 1) ** 2 * 0.035)
    image = image + noise * rng.standard_normal(image.shape, dtype=np.float32)
    return np.asarray(np.clip(image * 255 + 0.5, 0, 255), dtype=np.uint8)
