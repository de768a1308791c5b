"""From a crop to an estimate: preprocessing, sessions, the model's contract."""

from pymaf_live.inference.metadata import ModelMetadata
from pymaf_live.inference.session import BACKENDS, Session, Variant, backend_complaint, open_session

__all__ = ["BACKENDS", "ModelMetadata", "Session", "Variant", "backend_complaint", "open_session"]
