"""How crops are varied, so that what is learned holds up before a webcam."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Augmentation(BaseModel):
    """What may happen to a crop; amounts are standard deviations unless said.

    Effects come in the order in which a camera has them: where the crop lies and where the frame
    ends, what stands in the scene, optics, light, sensor, compression. Pixels are those of a crop
    of 256.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    turn: Amount = 10.0
    """Degrees, clipped at three deviations."""
    scale: Amount = 0.1
    """Relative, log-normal, clipped at 0.7..1.4."""
    shift: Amount = 0.04
    """Of the crop's side."""
    flip: Probability = 0.5
    """Probability of a mirror image."""
    lost: Probability = 0.03
    """Probability of a crop as a lost tracker gives it: turned, scaled and shifted `lost_times` as
    far, within 0.5..2.0 of the scale."""
    lost_times: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 4.0
    upside_down: Probability = 0.01
    """Probability of a half turn on top."""

    truncate: Probability = 0.1
    """Probability that the frame ends at the chest, the waist, the knees or beside the trunk; in
    half of these the crop lies about what is left to see, as a detector's does."""
    truncated_weight: Probability = 1.0
    """Factor on the weight of key points outside the crop or the frame."""

    others: Probability = 0.05
    """Probability of another person at the edge, before or behind this one."""
    occlude: Probability = 0.15
    """Probability of one to three shapes over parts of the person."""
    background: Probability = 0.06
    """Share of crops without a person."""

    blur: Probability = 0.15
    """Probability of a blur of up to 2 pixels."""
    motion_blur: Probability = 0.05
    """Probability of a smear of 4 to 16 pixels along a line."""
    dark: Probability = 0.05
    """Probability of too little light, with the noise that comes with it."""
    colour: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.25
    """Channels are multiplied by 1 - colour .. 1 + colour."""
    contrast: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.15
    """Contrast about the middle grey is multiplied by 1 - contrast .. 1 + contrast."""
    grey: Probability = 0.02
    """Probability of a picture without colours."""
    coarse: Probability = 0.1
    """Probability that the sensor has 0.3 to 0.8 of the crop's pixels along a side."""
    noise: Probability = 0.1
    """Probability of sensor noise at good light."""
    jpeg: Probability = 0.15
    """Probability of JPEG's traces, quality 20..80."""
