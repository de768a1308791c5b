"""Motion filtering: live smoothing, offline smoothing, take-level refinement and foot locking."""

from pymaf_live.motion.foot_lock import FootLock, lock_feet
from pymaf_live.motion.offline import smooth_offline
from pymaf_live.motion.refinement import refine_take
from pymaf_live.motion.smoother import Smoother

__all__ = ["FootLock", "Smoother", "lock_feet", "refine_take", "smooth_offline"]
