"""What a network is made of, as data: read from a run's configuration, stored with its weights."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class NetworkConfig(BaseModel):
    """The choices that make up a network; the defaults are the paper's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: Literal["resnet50", "blazepose_lite", "blazepose_full"] = "resnet50"
    levels: int = 3
    grid: int = 21
    """Points a side of the grid read at level 0."""
    point_widths: tuple[int, ...] = (128, 64)
    """Hidden widths of the point features' MLP."""
    point_channels: int = 5
    """Numbers that are left of each point."""
    feature_width: int | None = None
    """Width to which a level's point features are brought before the regressor; None = not."""
    hidden: int = 1024
    dropout: float = 0.5
    activation: bool = False
    """Whether the regressor's two layers are followed by a ReLU (the paper's are not)."""
    landmarks: bool = False
    """Whether the encoder's own landmarks, and how the projected body misses them, are fed to every
    level beside the point features (BlazePose encoders only)."""
    heat: bool = False
    """Whether these landmarks are read from the encoder's heat maps where they have a peak."""
    pulls: tuple[Annotated[int, Field(ge=1, le=8)], ...] = ()
    """Steps of inverse kinematics after each level's regressor, to the encoder's landmarks: one
    number a level (or one for all), or none at all."""

    limits: bool = False
    """Whether the last level's joints are held within what joints can do."""

    auxiliary: Literal["none", "parts", "dense"] = "none"
    """What a head on the finest map learns to predict while training: nothing, which of the body's
    parts a cell sees, or also where on the part (U, V)."""
    features: Literal["none", "global", "grid", "mesh"] = "mesh"
    """What the levels read: nothing (but landmarks), the encoder's summary, the same every time (as
    HMR's loop), its maps on a grid, or its maps under the present mesh."""
    start: Literal["grid", "mesh"] = "grid"
    """Where the first level reads: on the grid, or under the mean pose's mesh."""
    pyramid: bool = True
    """Whether every level reads the next finer map; False = the finest at every level."""
    read: Literal["features", "dense"] = "features"
    """Whether the maps themselves are read or what the auxiliary head makes of the finest one."""

    @model_validator(mode="before")
    @classmethod
    def _one_number_of_pulls_is_for_all_levels(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(pulls := values.get("pulls"), int):
            levels = values.get("levels", cls.model_fields["levels"].default)
            return values | {"pulls": [pulls] * levels if pulls else []}
        return values

    @model_validator(mode="after")
    def _pulls_are_of_all_levels(self) -> NetworkConfig:
        if self.pulls and len(self.pulls) != self.levels:
            raise ValueError(
                f"pulls are of {len(self.pulls)} levels, the network has {self.levels}"
            )
        return self

    @model_validator(mode="after")
    def _predictions_need_their_head(self) -> NetworkConfig:
        pointless = self.features in ("none", "global")
        if self.read == "dense" and (self.auxiliary == "none" or pointless):
            raise ValueError("reading predicted maps takes an auxiliary head, and points")
        return self

    @model_validator(mode="after")
    def _landmarks_need_their_encoder(self) -> NetworkConfig:
        if self.landmarks and not self.encoder.startswith("blazepose"):
            raise ValueError(f"{self.encoder} has no landmarks to feed")
        if self.pulls and not self.landmarks:
            raise ValueError("pulls need the encoder's landmarks")
        if self.features == "none" and not self.landmarks:
            raise ValueError("without features there must be landmarks to feed")
        if self.heat and not self.landmarks:
            raise ValueError("heat maps are read for the landmarks")
        return self
