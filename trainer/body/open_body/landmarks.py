"""Named vertices of the left side and the midline, located on the middle adult."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pymaf_live.types import Array
from trainer.body.open_body.base_mesh import HalfSkin
from trainer.body.open_body.makehuman import SKIN_VERTICES, MakeHumanMesh
from trainer.body.open_body.rig import Rig

_FINGERS = ("thumb", "index", "middle", "ring", "pinky")


class LandmarkLocator:
    """Locates landmarks on one body in MakeHuman's rest pose.

    Parameters
    ----------
    mesh : MakeHumanMesh
    skin : HalfSkin
    rig : Rig
    body : (V, 3) array
        The middle adult.
    """

    def __init__(self, mesh: MakeHumanMesh, skin: HalfSkin, rig: Rig, body: Array) -> None:
        self._mesh, self._skin, self._rig, self._body = mesh, skin, rig, body

    def locate(self) -> dict[str, int]:
        """Return the vertices of face, finger tips and foot by name."""
        return self._head() | self._hand() | self._foot()

    def joint(self, name: str) -> Array:
        """Return the centre (3,) of one of MakeHuman's joint cubes."""
        return np.asarray(self._body[self._mesh.group("joint-" + name)].mean(0))

    def _head(self) -> dict[str, int]:
        body, skin = self._body, self._skin
        used = np.unique(skin.faces)
        midline = used[skin.on_midline[used]]
        mouth, eye, loop = skin.mouth_corner, self.joint("l-eye"), skin.eye_loop
        face = midline[
            (body[midline, 2] > eye[2])
            & (body[midline, 1] > body[mouth, 1])
            & (body[midline, 1] < eye[1])
        ]
        found = {
            "nose": int(face[body[face, 2].argmax()]),
            "left_eye": skin.cornea,
            "left_mouth": mouth,
            "left_eye_inner": loop[int(body[loop, 0].argmin())],
            "left_eye_outer": loop[int(body[loop, 0].argmax())],
            "head_top": int(midline[body[midline, 1].argmax()]),
        }
        # the one of the highest vertices that lies above the head's joint
        top = midline[body[midline, 1] > body[found["head_top"], 1] - 0.004]
        joint = self.joint("head")
        found["head_top"] = int(min(top, key=lambda vertex: abs(body[vertex, 2] - joint[2])))
        head = used[self._rig.weights[used, self._rig.bones.index("head")] > 0.5]
        found["left_ear_rim"] = int(head[body[head, 0].argmax()])
        height = body[midline, 1]
        chin = midline[(height < body[mouth, 1]) & (height > body[mouth, 1] - 0.07)]
        found["chin"] = int(chin[(body[chin, 2] - 0.6 * body[chin, 1]).argmax()])
        return found

    def _hand(self) -> dict[str, int]:
        found = {}
        for number, name in enumerate(_FINGERS, start=1):
            last = self.joint(f"l-finger-{number}-4") - self.joint(f"l-finger-{number}-3")
            found[f"left_{name}_tip"] = self._tip([f"finger{number}-3.L"], last)
        return found

    def _foot(self) -> dict[str, int]:
        return {
            "left_big_toe_tip": self._tip(["toe1-2.L"], [0, 0, 1]),
            "left_small_toe_tip": self._tip(["toe5-3.L"], [0.3, 0, 1]),
            "left_second_toe_tip": self._tip(["toe2-3.L"], [0, 0, 1]),
            "left_heel": self._tip(["foot.L", "lowerleg02.L"], [0, -0.6, -1]),
        }

    def _tip(self, bones: list[str], direction: Array | Sequence[float]) -> int:
        """Return the skin vertex of some bones that is farthest along a direction (3,)."""
        columns = [self._rig.bones.index(bone) for bone in bones]
        owned = self._rig.weights[:SKIN_VERTICES][:, columns].sum(1) > 0.6
        rows = np.flatnonzero(owned & (self._mesh.vertices[:SKIN_VERTICES, 0] >= -1e-9))
        return int(rows[(self._body[rows] @ np.asarray(direction)).argmax()])
