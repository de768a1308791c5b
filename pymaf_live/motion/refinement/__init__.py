"""Take-level refinement: one optimisation over each person's whole motion."""

from pymaf_live.motion.refinement.refine import refine_take

__all__ = ["refine_take"]
