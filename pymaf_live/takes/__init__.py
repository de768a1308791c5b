"""Takes: record, save, load, play back and edit them."""

from pymaf_live.takes.editing import trimmed
from pymaf_live.takes.npz_file import read_take, write_take
from pymaf_live.takes.playback import camera_at, people_at
from pymaf_live.takes.take import Take

__all__ = ["Take", "camera_at", "people_at", "read_take", "trimmed", "write_take"]
