"""Inference: preprocessing of crops, sessions on several back-ends, the model file's contract."""

from pymaf_live.inference.backends import (
    BACKENDS,
    ModelVariant,
    backend_unavailable_reason,
    open_session,
)
from pymaf_live.inference.metadata import ModelMetadata
from pymaf_live.inference.session import Session

__all__ = [
    "BACKENDS",
    "ModelMetadata",
    "ModelVariant",
    "Session",
    "backend_unavailable_reason",
    "open_session",
]
