"""Options of the crop augmentation, chosen for robustness with webcams."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Augmentation(BaseModel):
    """Augmentation options of a crop; amounts are standard deviations unless stated otherwise.

    Effects are applied in the order of an imaging pipeline: crop placement and image border,
    objects in the scene, optics, light, sensor, compression. Lengths in pixels refer to a crop of
    256.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    turn: Amount = 10.0
    """Degrees, clipped at three deviations."""
    scale: Amount = 0.1
    """Relative, log-normal, clipped at 0.7..1.4."""
    shift: Amount = 0.04
    """Relative to the crop's side."""
    flip: Probability = 0.5
    """Probability of a mirror image."""
    lost: Probability = 0.03
    """Probability of a crop as from a lost track: rotated, scaled and shifted by `lost_times` the
    amounts, clipped at 0.5..2.0 of the scale."""
    lost_times: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 4.0
    upside_down: Probability = 0.01
    """Probability of an additional rotation by 180 degrees."""

    truncate: Probability = 0.1
    """Probability that the image ends at the chest, the waist, the knees or beside the trunk; in
    half of these cases the crop is placed around the visible part, as a detector places it."""
    truncated_weight: Probability = 1.0
    """Factor on the weight of key points outside the crop or the image."""

    others: Probability = 0.05
    """Probability of another person at the edge, in front of or behind this one."""
    occlude: Probability = 0.15
    """Probability of one to three occluders over parts of the person."""
    background: Probability = 0.06
    """Fraction of crops without a person."""

    blur: Probability = 0.15
    """Probability of a blur of up to 2 pixels."""
    motion_blur: Probability = 0.05
    """Probability of linear motion blur of 4 to 16 pixels."""
    dark: Probability = 0.05
    """Probability of low light, with its sensor noise."""
    colour: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.25
    """Range of the channel gains: 1 - colour .. 1 + colour."""
    contrast: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.15
    """Range of the contrast gain about middle grey: 1 - contrast .. 1 + contrast."""
    grey: Probability = 0.02
    """Probability of a greyscale image."""
    coarse: Probability = 0.1
    """Probability of a low-resolution sensor: 0.3 to 0.8 of the crop's pixels along a side."""
    noise: Probability = 0.1
    """Probability of sensor noise in good light."""
    jpeg: Probability = 0.15
    """Probability of JPEG artefacts, quality 20..80."""
