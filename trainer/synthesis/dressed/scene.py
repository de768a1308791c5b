"""Plans a scene: the person, the camera, other people, furniture; all in one world, y up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body import Body, PointSet
from pymaf_live.body.rotations import about_y
from pymaf_live.types import Array
from trainer.data.base import FACE_NAMES
from trainer.synthesis.backdrops import Backdrops
from trainer.synthesis.dressed.cameras import Camera, onlooker, webcam
from trainer.synthesis.dressed.garments import Clothes
from trainer.synthesis.dressed.outfits import Outfits
from trainer.synthesis.dressed.people import Posed, pose_look
from trainer.synthesis.dressed.props import Prop, Workshop
from trainer.synthesis.poses import Pose, Poses

GROUPS = ("webcam", "everyday", "sport", "several")
SHARES = (0.36, 0.22, 0.24, 0.18)
"""Shares of the groups in training sets; test sets have equal ones."""

_POSES = {
    "webcam": {"everyday": 0.7, "motion": 0.3},
    "everyday": {"everyday": 0.6, "motion": 0.2, "mixed": 0.1, "fits": 0.1},
    "sport": {"motion": 0.5, "fits": 0.3, "mixed": 0.2},
    "several": {"everyday": 0.4, "motion": 0.35, "fits": 0.15, "mixed": 0.1},
}
_NEAREST = 0.13
"""Metres that no part of a person comes nearer to the camera."""
_HEAD, _NECK, _SHOULDERS, _HIPS, _WRISTS = 13, 12, [8, 9], [2, 3], [6, 11]
_KNEES = [1, 4]
_MAX_OTHERS = 3


@dataclass(frozen=True)
class Scene:
    """Everything that stands in a picture."""

    group: str
    pose: Pose
    person: Posed
    points: Array
    """(K, 3) m, the person's key points in the world."""
    others: tuple[tuple[Posed, Array], ...]
    """Other people and where their roots stand (3,) m."""
    props: tuple[Prop, ...]
    camera: Camera
    ground: float
    """Height of the ground, m."""
    truncated: bool


class ScenePlanner:
    """Draws scenes.

    Parameters
    ----------
    body : Body
    clothes : Clothes
    poses : Poses
    backdrops : Backdrops
        Materials of the furniture.
    side : int
        Longer side of the pictures in pixels.
    test : bool
        Dress people in what training sets leave out.
    """

    def __init__(
        self, body: Body, clothes: Clothes, poses: Poses, backdrops: Backdrops, side: int,
        *, test: bool,
    ) -> None:  # fmt: skip
        self.body, self._clothes, self._poses, self._side = body, clothes, poses, side
        self._outfits = Outfits(clothes, test=test)
        self._workshop = Workshop(backdrops)
        self._lsp = PointSet.keypoints(body, "lsp")
        self._coco = PointSet.keypoints(body, "coco")
        weights = clothes.skin.weights
        names = list(body.joint_names)
        own = weights.argmax(axis=1)
        self._pelvis = np.isin(own, [names.index(n) for n in ("pelvis", "left_hip", "right_hip")])
        trunk = ("pelvis", "spine1", "spine2", "spine3")
        self._trunk = np.isin(own, [names.index(n) for n in trunk])

    def keypoints(self, rotations: Array, shape: Array) -> Array:
        """Return the 19 key points (K, 3) m of a body."""
        face = self._coco.pose(rotations, shape)[: len(FACE_NAMES)]
        return np.concatenate([self._lsp.pose(rotations, shape), face])

    def draw(self, group: str, rng: np.random.Generator) -> Scene:
        """Draw a scene of a group."""
        pose, seated = self._pose(group, rng)
        person = self._person(pose, rng)
        points = self.keypoints(person.rotations, person.shape)
        ground = float(person.bounds[0][1])
        facing = _facing(pose)
        truncated = group == "webcam"
        for _ in range(20):
            if group == "webcam":
                head = points[[_HEAD, _NECK, 14]].mean(axis=0)
                chest = points[_SHOULDERS].mean(axis=0)
                camera = webcam(head, chest, facing @ [0.0, 0.0, 1.0], self._side, rng)
            else:
                truncated = rng.random() < (0.3 if group == "everyday" else 0.12)
                camera = onlooker(
                    points, self._side, rng, far=group == "sport", truncated=truncated,
                    grounded=pose.grounded,
                )  # fmt: skip
            if float(camera.seen(person.vertices[0])[:, 2].min()) > _NEAREST:
                break
        props: list[Prop] = []
        if seated:
            props += self._furniture(group, person, points, facing, ground, camera, rng)
        others = self._others(group, pose, points, ground, camera, rng)
        if rng.random() < (0.05 if group == "webcam" else 0.18):
            props += self._obstacles(points, camera, rng)
        return Scene(
            group, pose, person, points, tuple(others), tuple(props), camera, ground, truncated
        )

    def _pose(self, group: str, rng: np.random.Generator) -> tuple[Pose, bool]:
        """Draw a pose; True if the person sits on a chair."""
        if group == "webcam" and rng.random() < 0.7:
            pose = self._poses.at_desk(rng)
        else:
            pose = self._poses.draw(rng, _POSES[group])
            while group == "webcam" and not _is_upright(pose):
                pose = self._poses.draw(rng, _POSES[group])
        if pose.grounded:
            choice = rng.random()
            if group == "webcam" or choice < 0.35:
                pose = _turned(pose, rng.normal(0, 0.25 if group == "webcam" else 0.6))
            elif choice < 0.5:
                pose = _turned(pose, np.pi + rng.normal(0, 0.5))
        return pose, pose.kind == "sit"

    def _person(self, pose: Pose, rng: np.random.Generator) -> Posed:
        shape = rng.normal(size=self.body.shape_count).clip(-2.5, 2.5)
        look = self._outfits.draw(float(shape @ self._clothes.masculine), rng)
        return pose_look(self.body, look, shape, pose.rotations)

    def _others(
        self, group: str, pose: Pose, points: Array, ground: float, camera: Camera,
        rng: np.random.Generator,
    ) -> list[tuple[Posed, Array]]:  # fmt: skip
        """Draw other people beside, behind and, less often, before the person."""
        count = int(rng.integers(1, _MAX_OTHERS + 1)) if group == "several" else 0
        if group != "several" and rng.random() < 0.1:
            count = 1
        right = camera.turn[0] * [1, 0, 1]
        right /= max(float(np.linalg.norm(right)), 1e-6)
        away = np.cross([0, 1, 0], right)
        away = away if float(away @ camera.turn[2]) > 0 else -away
        taken = [np.zeros(2)]
        out = []
        for _ in range(count):
            other = self._poses.draw(rng, _POSES["several"])
            posed = self._person(other, rng)
            for _ in range(6):
                aside = rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 1.5)
                before = rng.random() < (0.22 if group == "several" else 0.0)
                depth = rng.uniform(-0.8, -0.2) if before else rng.uniform(0.0, 2.5)
                if before:
                    aside = np.sign(aside) * rng.uniform(0.45, 1.2)
                flat = np.array([aside, depth])
                if min(float(np.linalg.norm(flat - each)) for each in taken) > 0.5:
                    break
            taken.append(flat)
            place = right * aside + away * depth
            if other.grounded and pose.grounded:
                place[1] = ground - float(posed.bounds[0][1])
            else:
                place[1] += rng.normal(0, 0.1)
            if float(camera.seen(posed.vertices[0] + place)[:, 2].min()) > 0.4:
                out.append((posed, place))
        return out

    def _furniture(
        self, group: str, person: Posed, points: Array, facing: Array, ground: float,
        camera: Camera, rng: np.random.Generator,
    ) -> list[Prop]:  # fmt: skip
        """Return a chair under a sitting person and a desk before them, each with some chance."""
        skin = person.vertices[0] @ facing  # the sitter faces +z
        own = points @ facing
        out: list[Prop] = []
        low = float(np.percentile(skin[self._pelvis, 1], 3))
        hips = own[_HIPS].mean(axis=0)
        if rng.random() < 0.85:
            back = float(skin[self._trunk, 2].min()) - float(hips[2]) - 0.015
            seat = facing @ np.array([hips[0], low + 0.01, hips[2]])
            out += self._workshop.chair(seat, facing, min(back, -0.1), ground, rng)
        if rng.random() > (0.75 if group == "webcam" else 0.4):
            return out
        wrists = own[_WRISTS]
        front = float(skin[self._trunk, 2].max())
        top = low + rng.uniform(0.2, 0.33)
        reaching = (wrists[:, 2] > front + 0.05) & (np.abs(wrists[:, 1] - low - 0.3) < 0.2)
        if reaching.any():
            top = float(wrists[reaching, 1].min()) - 0.045
        thighs = float(own[_KNEES, 1].max()) + 0.07
        top = float(np.clip(max(top, thighs), low + 0.12, low + 0.42))
        edge = front + rng.uniform(0.01, 0.15)
        if reaching.any():
            edge = max(front + 0.01, min(edge, float(wrists[reaching, 2].min()) - 0.02))
        if group == "webcam" and float(camera.place[1]) < top + 0.06:
            return out
        desk, deep = self._workshop.desk(
            facing @ np.array([hips[0], top, edge]), facing, ground, rng
        )
        out += desk
        if group != "webcam" and rng.random() < 0.5:
            at = np.array([hips[0] + rng.normal(0, 0.1), top + 0.3, edge + deep * 0.75])
            out += self._workshop.screen(facing @ at, facing, rng)
        return out

    def _obstacles(self, points: Array, camera: Camera, rng: np.random.Generator) -> list[Prop]:
        """Return one or two solids between the camera and some part of the person."""
        out = []
        for _ in range(int(rng.integers(1, 3))):
            target = points[int(rng.integers(14))]
            share = rng.uniform(0.55, 0.93)
            at = camera.place + (target - camera.place) * share
            size = rng.uniform(0.06, 0.4, 3) * share
            kind = rng.random()
            if kind < 0.5:
                prop = self._workshop.box(size, rng)
            elif kind < 0.75:
                prop = self._workshop.cylinder(size[0] / 2, size[1] * 2.5, rng)
            else:
                prop = self._workshop.ball(size[0] / 2, rng)
            tilt = about_y(rng.uniform(-3, 3))
            out.append(prop.moved(tilt, at))
        return out


def _facing(pose: Pose) -> Array:
    """Return the turn (3, 3) about the vertical that brings +z to where the trunk faces."""
    forward = pose.rotations[0] @ np.array([0.0, 0.0, 1.0])
    return about_y(float(np.arctan2(forward[0], forward[2])))


def _turned(pose: Pose, wanted: float) -> Pose:
    """Return the pose turned about the vertical to face an angle from +z, radians."""
    rotations = pose.rotations.copy()
    rotations[0] = about_y(wanted) @ _facing(pose).T @ rotations[0]
    return Pose(rotations, pose.kind, pose.source, pose.grounded)


def _is_upright(pose: Pose) -> bool:
    """Return True if the trunk is within 40 degrees of the vertical and the vertical is known."""
    return pose.grounded and bool(pose.rotations[0][1, 1] > np.cos(np.radians(40)))
