"""Motion: live and off-line smoothing, take-level refinement, foot locking, legs at rest."""

from pymaf_live.motion.foot_lock import FootLock, lock_feet
from pymaf_live.motion.offline import smooth_offline
from pymaf_live.motion.refinement import refine_take
from pymaf_live.motion.resting_take import rest_legs
from pymaf_live.motion.smoother import Smoother

__all__ = ["FootLock", "Smoother", "lock_feet", "refine_take", "rest_legs", "smooth_offline"]
