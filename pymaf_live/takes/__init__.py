"""Recording, saving, loading, playing and editing takes."""

from pymaf_live.takes.editing import trimmed
from pymaf_live.takes.npz_file import read_take, write_take
from pymaf_live.takes.playback import camera_at, camera_of, people_at, people_by_frame
from pymaf_live.takes.recorder import TakeRecorder
from pymaf_live.takes.take import Take

__all__ = [
    "Take",
    "TakeRecorder",
    "camera_at",
    "camera_of",
    "people_at",
    "people_by_frame",
    "read_take",
    "trimmed",
    "write_take",
]
