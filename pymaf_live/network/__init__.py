"""From a crop to an estimate: preprocessing, sessions, the model's contract."""

from pymaf_live.network.metadata import ModelMetadata
from pymaf_live.network.session import BACKENDS, Session, Variant, backend_complaint, open_session

__all__ = ["BACKENDS", "ModelMetadata", "Session", "Variant", "backend_complaint", "open_session"]
