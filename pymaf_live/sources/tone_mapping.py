"""Conversion of HDR and wide-gamut video to the 8-bit RGB that everything else works on.

Networks and screens expect BT.709. An HDR video read as if it were that is grey and flat, and the
body found in it is off by centimetres.

Sources of the constants: PQ from SMPTE ST 2084, HLG and its display mapping from ITU-R BT.2100,
reference white of 203 cd/m2 from ITU-R BT.2408, the display's response from ITU-R BT.1886.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.types import Array, Image

_WHITE = 203.0
"""cd/m2 of diffuse white in HDR video."""
_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2
_PQ_PEAK = 10_000.0
_DISPLAY_GAMMA = 2.4
_SHOULDER = 0.85
"""Part of white from which brighter values are compressed instead of clipped."""
_BRIGHTEST = 8.0
"""Multiple of white that is still told apart from brighter light."""
_INPUT_BITS = 12
_STEPS = 4096
_LUMINANCE_2020 = np.array([[0.2627, 0.6780, 0.0593]], np.float32)
_TO_BT709 = {
    9: ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
    11: ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979)),
    12: ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979)),
}
"""Linear RGB of BT.2020 (9), DCI-P3 (11, taken with the white point of 12) and Display P3 (12) to
BT.709, by the numbers of ITU-T H.273."""


class Transfer(IntEnum):
    """Transfer characteristics by their number in ITU-T H.273."""

    SDR = 1
    PQ = 16
    HLG = 18


class ToneMapper:
    """Converts images of one kind to BT.709.

    Parameters
    ----------
    transfer : Transfer
    primaries : int
        Number in ITU-T H.273.
    """

    def __init__(self, transfer: Transfer, primaries: int) -> None:
        self._transfer = transfer
        self._matrix = np.array(_TO_BT709.get(primaries, np.eye(3)), np.float32)
        self._linear = _linear_table(transfer)
        self._display = _display_table()

    def __call__(self, image: npt.NDArray[np.uint16]) -> Image:
        """Return (H, W, 3) uint8 RGB of an image (H, W, 3) RGB with the full range of 16 bits."""
        linear = self._linear[image >> (16 - _INPUT_BITS)]
        if self._transfer is Transfer.HLG:
            luminance = cv2.transform(linear, _LUMINANCE_2020)
            linear *= np.asarray(cv2.pow(luminance, _HLG_GAMMA - 1))[..., None]
            linear *= _HLG_PEAK / _WHITE
        mapped = np.asarray(cv2.transform(linear, self._matrix))
        # indexed by the root: dark values need finer steps
        np.clip(mapped, 0.0, _BRIGHTEST, out=mapped)
        index = np.sqrt(mapped * np.float32(1 / _BRIGHTEST)) * np.float32(_STEPS - 1) + 0.5
        return np.asarray(self._display[index.astype(np.uint16)])


def tone_mapper(transfer: int, primaries: int) -> ToneMapper | None:
    """Return the conversion for a stream's tags; None where it is BT.709 already or has no tags.

    Parameters
    ----------
    transfer, primaries : int
        Numbers in ITU-T H.273.
    """
    if transfer in (Transfer.PQ, Transfer.HLG):
        return ToneMapper(Transfer(transfer), primaries)
    return ToneMapper(Transfer.SDR, primaries) if primaries in _TO_BT709 else None


@lru_cache
def _linear_table(transfer: Transfer) -> npt.NDArray[np.float32]:
    """Return linear light by the signal's upper bits; white is 1 (of HLG: the scene's peak)."""
    signal = np.arange(1 << _INPUT_BITS) / ((1 << _INPUT_BITS) - 1)
    if transfer is Transfer.PQ:
        light = _pq_light(signal) / _WHITE
    elif transfer is Transfer.HLG:
        light = _hlg_light(signal)
    else:
        light = signal**_DISPLAY_GAMMA
    return light.astype(np.float32)


def _pq_light(signal: Array) -> Array:
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = signal ** (1 / m2)
    light: Array = _PQ_PEAK * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
    return light


def _hlg_light(signal: Array) -> Array:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    light: Array = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return light


@lru_cache
def _display_table() -> Image:
    """Return the 8-bit value by the root of the light, relative to `_BRIGHTEST`."""
    light = (np.arange(_STEPS) / (_STEPS - 1)) ** 2 * _BRIGHTEST
    room = 1 - _SHOULDER
    compressed = _SHOULDER + room * (1 - np.exp(-(light - _SHOULDER) / room))
    light = np.where(light > _SHOULDER, compressed, light)
    return np.rint(255 * light ** (1 / _DISPLAY_GAMMA)).astype(np.uint8)
