"""Smoothing of people's motion: live, and off-line without delay."""

from pymaf_live.motion.offline import smooth_offline
from pymaf_live.motion.smoother import Smoother

__all__ = ["Smoother", "smooth_offline"]
