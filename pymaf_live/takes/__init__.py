"""Recording, saving, loading and playing takes."""

from pymaf_live.take_file import read_take, write_take
from pymaf_live.takes.playback import camera_of, people_by_frame
from pymaf_live.takes.recorder import TakeRecorder

__all__ = ["TakeRecorder", "camera_of", "people_by_frame", "read_take", "write_take"]
