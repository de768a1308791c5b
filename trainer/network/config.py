"""Configuration of a network: read from a run's TOML file, stored with its weights."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pymaf_live.tracking.crop import CropRule


class NetworkConfig(BaseModel):
    """Choices that make up a network; the defaults are the paper's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    crop_rule: str = "trunk-up 1.75"
    """Crop that the network is trained and used with, see `CropRule`: turned so that the trunk
    points up, or upright as the paper's ('upright 1.20'), and its side in extents of the joints."""
    encoder: Literal["resnet50", "blazepose_lite", "blazepose_full", "blazepose_heavy"] = "resnet50"
    levels: int = 3
    grid: int = 21
    """Points along a side of the grid that level 0 samples."""
    point_widths: tuple[int, ...] = (128, 64)
    """Hidden widths of the point features' MLP."""
    point_channels: int = 5
    """Features of a point."""
    feature_width: int | None = None
    """Width to which a level's point features are reduced before the regressor; None = not."""
    hidden: int = 1024
    dropout: float = 0.5
    activation: bool = False
    """Follow the regressor's two layers with a ReLU (the paper's have none)."""
    landmarks: bool = False
    """Feed the encoder's own landmarks, and the projected body's distance from them, to every level
    beside the point features (BlazePose encoders only)."""
    heatmaps: bool = Field(default=False, validation_alias=AliasChoices("heatmaps", "heat"))
    """Read these landmarks from the encoder's heatmaps where they have a peak."""
    refiner_width: int = Field(default=0, ge=0)
    """Width of the network that corrects the encoder's landmarks, `LandmarkRefiner`; 0 = none."""
    ik_steps: tuple[Annotated[int, Field(ge=1, le=8)], ...] = Field(
        default=(), validation_alias=AliasChoices("ik_steps", "pulls")
    )
    """Steps of inverse kinematics towards the encoder's landmarks after each level's regressor: one
    number per level (or one for all levels), or none."""
    joint_limits: bool = Field(
        default=False, validation_alias=AliasChoices("joint_limits", "limits")
    )
    """Clamp the last level's joints to their range of motion."""
    auxiliary: Literal["none", "parts", "dense"] = "none"
    """Target of a head on the finest map while training: none, the body part that a cell sees, or
    also the coordinates on the part (U, V)."""
    features: Literal["none", "global", "grid", "mesh"] = "mesh"
    """Input of the levels: none (landmarks only), the encoder's global feature at every level (as
    in HMR), its maps on a grid, or its maps under the current mesh."""
    start: Literal["grid", "mesh"] = "grid"
    """Sampling points of the first level: the grid, or the mean pose's mesh."""
    pyramid: bool = True
    """Let every level sample the next finer map; False = the finest map at every level."""
    shared_levels: bool = False
    """Use one set of point features and one regressor for all levels, which then sample the same
    number of points."""
    read: Literal["features", "dense"] = "features"
    """Sample the encoder's maps, or the auxiliary head's prediction from the finest one."""

    @property
    def rule(self) -> CropRule:
        """`crop_rule` as a rule."""
        rule = CropRule.parse(self.crop_rule)
        assert rule is not None
        return rule

    @field_validator("crop_rule")
    @classmethod
    def _check_crop_rule(cls, text: str) -> str:
        if CropRule.parse(text) is None:
            raise ValueError(f"{text!r} is not a crop rule such as 'trunk-up 1.75', 'upright 1.20'")
        return text

    @field_validator("ik_steps", mode="before")
    @classmethod
    def _expand_single_number(cls, steps: Any, info: ValidationInfo) -> Any:
        if isinstance(steps, int):
            return [steps] * info.data.get("levels", 0) if steps else []
        return steps

    @model_validator(mode="after")
    def _check_ik_steps_of_all_levels(self) -> NetworkConfig:
        if self.ik_steps and len(self.ik_steps) != self.levels:
            raise ValueError(
                f"ik_steps has {len(self.ik_steps)} numbers, the network {self.levels} levels"
            )
        return self

    @model_validator(mode="after")
    def _check_dense_input(self) -> NetworkConfig:
        without_points = self.features in ("none", "global")
        if self.read == "dense" and (self.auxiliary == "none" or without_points):
            raise ValueError("read = 'dense' needs an auxiliary head and point features")
        return self

    @model_validator(mode="after")
    def _check_shared_levels(self) -> NetworkConfig:
        if self.shared_levels and self.features == "mesh" and self.start != "mesh":
            raise ValueError("shared_levels needs start = 'mesh': all levels sample the mesh")
        return self

    @model_validator(mode="after")
    def _check_landmarks(self) -> NetworkConfig:
        if self.landmarks and not self.encoder.startswith("blazepose"):
            raise ValueError(f"{self.encoder} has no landmarks")
        if self.ik_steps and not self.landmarks:
            raise ValueError("ik_steps needs landmarks = true")
        if self.features == "none" and not self.landmarks:
            raise ValueError("features = 'none' needs landmarks = true")
        if self.refiner_width and not self.landmarks:
            raise ValueError("refiner_width needs landmarks = true")
        if self.heatmaps and not self.landmarks:
            raise ValueError("heatmaps needs landmarks = true")
        return self
