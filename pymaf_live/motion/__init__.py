"""Motion filtering: live smoothing, offline smoothing without delay, and foot locking."""

from pymaf_live.motion.foot_lock import FootLock, lock_feet
from pymaf_live.motion.offline import smooth_offline
from pymaf_live.motion.smoother import Smoother

__all__ = ["FootLock", "Smoother", "lock_feet", "smooth_offline"]
