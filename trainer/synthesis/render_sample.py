"""One image of a synthetic person, and the exact truth about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body import Body, PointSet
from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.body.rotations import about_y
from pymaf_live.types import Array, Image
from trainer.data.base import FACE_NAMES
from trainer.data.synthetic import OUTSIDE
from trainer.rendering.renderer import Light
from trainer.synthesis.backdrops import Backdrops
from trainer.synthesis.camera_effects import record_image
from trainer.synthesis.person_layer import Layer, matching_gain, random_light, render_layer
from trainer.synthesis.poses import Pose, Poses, view_pose
from trainer.synthesis.surroundings import add_chair, add_contact_shadow, add_occluders
from trainer.synthesis.truth import Truth, crop_labels, keypoint_visibility
from trainer.synthesis.view import View, random_view
from trainer.synthesis.wardrobe import Figure, Wardrobe, pose_figure

CROP_SIZE = 256
"""Pixels of the crops that the truth refers to."""

_MAX_MISFIT = 0.45
"""Crop units; a few images in a thousand are further off and are drawn again."""
_NEAREST = 0.16
"""Metres that no part of a body comes nearer to the camera."""
_TRUNCATED, _WITH_ANOTHER, _OCCLUDED, _FURNISHED = 0.17, 0.16, 0.26, 0.55
"""Shares of images with a truncated person, a second person, occluders, furniture."""

# depth of a key point under the skin, m; a surface nearer than that hides it
SKIN_DEPTHS = {
    "hip": 0.17, "shoulder": 0.11, "knee": 0.09, "elbow": 0.075, "ankle": 0.08, "wrist": 0.065,
    "neck": 0.13, "head_top": 0.09, "nose": 0.03, "eye": 0.03, "ear": 0.04,
}  # fmt: skip


@dataclass(frozen=True)
class _Subject:
    """The person of an image in the camera frame; V' vertices."""

    pose: Pose
    rotations: Array
    """(J, 3, 3)"""
    shape: Array
    """(S,)"""
    figure: Figure
    vertices: Array
    """(V', 3) m."""
    normals: Array
    """(V', 3)"""
    points: Array
    """(K, 3) m, key points."""
    distance: float
    """Metres to the middle of the body."""
    truncated: bool
    webcam: bool


class SampleRenderer:
    """Renders images of random people, places and light.

    Parameters
    ----------
    body : Body
    poses : Poses
    backdrops : Backdrops
    side : int
        Longest side of the images in pixels.
    """

    def __init__(self, body: Body, poses: Poses, backdrops: Backdrops, side: int = 288) -> None:
        self.body, self.poses, self.backdrops, self.side = body, poses, backdrops, side
        self.wardrobe = Wardrobe(body, backdrops.prints())
        self._lsp = PointSet.keypoints(body, "lsp")
        self._coco = PointSet.keypoints(body, "coco")
        names = [*LSP_NAMES, *FACE_NAMES]
        self._skin_depth = np.array([
            next(depth for part, depth in SKIN_DEPTHS.items() if part in name) for name in names
        ])  # fmt: skip

    def keypoints(self, rotations: Array, shape: Array) -> Array:
        """Return the 19 key points (K, 3) m of a body."""
        face = self._coco.pose(rotations, shape)[: len(FACE_NAMES)]
        return np.concatenate([self._lsp.pose(rotations, shape), face])

    def render(self, rng: np.random.Generator) -> tuple[Image, Truth]:
        """Return an image (H, W, 3) uint8 RGB and its truth.

        Views so steep that no weak perspective comes near are drawn again. The order of the draws
        from `rng` decides which image a seed gives.
        """
        while True:
            image, truth = self._render_once(rng)
            if truth.misfit <= _MAX_MISFIT:
                return image, truth

    def _render_once(self, rng: np.random.Generator) -> tuple[Image, Truth]:
        subject = self._draw_subject(rng)
        view = random_view(
            subject.points, self.side, rng, truncated=subject.truncated, webcam=subject.webcam
        )
        light = random_light(rng)
        backdrop, source = self.backdrops.draw(view.size, rng)
        layer = render_layer(
            self.wardrobe, subject.figure, subject.vertices, subject.normals, view, light, rng
        )
        canvas, cover = self._compose(subject, view, light, backdrop, layer, rng)
        image = record_image(canvas, rng)
        return image, self._truth(subject, view, layer, cover, source, rng)

    def _draw_subject(self, rng: np.random.Generator) -> _Subject:
        truncated = rng.random() < _TRUNCATED
        pose = self.poses.draw(rng)
        webcam = truncated and rng.random() < 0.7
        if webcam:
            # people before a webcam sit or stand upright and face it
            while not _is_upright(pose):
                pose = self.poses.draw(rng)
            pose = _turned_to_camera(pose, rng)
        rotations = view_pose(pose, rng, webcam=webcam)
        shape = rng.normal(size=self.body.shape_count).clip(-2.5, 2.5)
        figure = self.wardrobe.dress(shape, self.wardrobe.draw(rng), rng)
        vertices, normals = pose_figure(self.body, figure, rotations)
        points = self.keypoints(rotations, shape)
        distance = float(np.exp(rng.uniform(np.log(1.3), np.log(8.0))))
        middle = (points[:14].min(axis=0) + points[:14].max(axis=0)) / 2
        if webcam:
            distance = float(np.exp(rng.uniform(np.log(0.7), np.log(2.0))))
            middle = points[[8, 9, 12, 13]].mean(axis=0)
        shift = np.r_[rng.normal(0, 0.02, 2) * distance, distance] - middle
        shift[2] += max(0.0, _NEAREST - float((vertices[:, 2] + shift[2]).min()))
        return _Subject(
            pose, rotations, shape, figure, vertices + shift, normals, points + shift,
            float(shift[2] + middle[2]), truncated, webcam,
        )  # fmt: skip

    def _compose(
        self, subject: _Subject, view: View, light: Light, backdrop: Image, layer: Layer,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:  # fmt: skip
        """Return the canvas (H, W, 3), linear, and the cover (H, W) of what hides the person."""
        points, pose = subject.points, subject.pose
        canvas: Array = (backdrop.astype(np.float32) / 255) ** 2.2
        gain = matching_gain(layer, backdrop, rng)
        another = rng.random() < _WITH_ANOTHER
        in_front = another and rng.random() < 0.35
        other = self._another(points, view, light, gain, rng, in_front) if another else None
        if other is not None and not in_front:
            canvas = other.over(canvas)
        if rng.random() < _FURNISHED and pose.kind == "sit":
            add_chair(canvas, points, view, rng)
        if pose.grounded and not subject.truncated and rng.random() < 0.5:
            add_contact_shadow(canvas, points, view, rng)
        canvas = layer.scaled(gain).over(canvas)
        cover: Array = np.zeros(view.size[::-1], np.float32)
        if other is not None and in_front:
            canvas = other.over(canvas)
            cover = np.maximum(cover, other.alpha)
        desk = pose.kind == "sit" and rng.random() < _FURNISHED
        if desk or rng.random() < _OCCLUDED:
            canvas, shapes = add_occluders(canvas, points, view, self.backdrops, rng, desk=desk)
            cover = np.maximum(cover, shapes)
        return canvas, cover

    def _another(
        self, points: Array, view: View, light: Light, gain: Array, rng: np.random.Generator,
        in_front: bool,
    ) -> Layer | None:  # fmt: skip
        """Render a second person: behind, or at the edge in front; None where too near."""
        pose = self.poses.draw(rng)
        rotations = view_pose(pose, rng)
        shape = rng.normal(size=self.body.shape_count).clip(-2.5, 2.5)
        figure = self.wardrobe.dress(shape, self.wardrobe.draw(rng), rng)
        vertices, normals = pose_figure(self.body, figure, rotations)
        centre = points[:14].mean(axis=0)
        depth = centre[2] + (rng.uniform(-0.3, -0.05) if in_front else rng.uniform(0.25, 2.0))
        if depth < 0.7:
            return None
        # far enough towards an edge that it stays clear which person is meant
        flat = view.pixels(points[:14])
        half = max(float(np.ptp(flat[:, 0])) / 2, 0.12 * view.size[0])
        way = rng.choice([-1.0, 1.0])
        apart = half * (rng.uniform(1.3, 2.0) if in_front else rng.uniform(0.5, 1.8))
        x = (flat[:, 0].mean() + way * apart - view.centre[0]) / view.focal * depth
        y = centre[1] / centre[2] * depth + rng.normal(0, 0.15)
        vertices = vertices + np.array([x, y, depth]) - vertices.mean(axis=0)
        if float(vertices[:, 2].min()) < _NEAREST:
            return None
        layer = render_layer(self.wardrobe, figure, vertices, normals, view, light, rng)
        return layer.scaled(gain)

    def _truth(
        self, subject: _Subject, view: View, layer: Layer, cover: Array, backdrop: str,
        rng: np.random.Generator,
    ) -> Truth:  # fmt: skip
        flat = view.pixels(subject.points)
        visibility = keypoint_visibility(subject.points, self._skin_depth, view, layer, cover)
        inside = visibility != OUTSIDE
        # half of the truncated ones as annotated sets have it: only what the image shows
        only_inside = subject.truncated and rng.random() < 0.5
        found = crop_labels(
            flat, inside, subject.rotations, lambda turned: self.keypoints(turned, subject.shape),
            CROP_SIZE, around=inside[:14] if only_inside else None,
        )  # fmt: skip
        return Truth(
            keypoints=flat,
            visibility=visibility,
            joints_3d=found.joints_3d,
            rotations=found.rotations,
            shape=subject.shape,
            camera=found.camera,
            crop=found.crop,
            distance=subject.distance,
            kind="truncated" if subject.truncated else "whole",
            pose=subject.pose.source,
            backdrop=backdrop,
            misfit=found.misfit,
        )


def _is_upright(pose: Pose) -> bool:
    """Return True if the trunk is within 40 degrees of the vertical."""
    return bool(pose.rotations[0][1, 1] > np.cos(np.radians(40)))


def _turned_to_camera(pose: Pose, rng: np.random.Generator) -> Pose:
    """Return the pose turned to face the camera, to within a random angle."""
    rotations = pose.rotations.copy()
    forward = rotations[0] @ np.array([0.0, 0.0, 1.0])
    now = float(np.arctan2(forward[0], forward[2]))
    wanted = rng.normal(0, 0.5)
    rotations[0] = about_y(wanted - now) @ rotations[0]
    return Pose(rotations, pose.kind, pose.source, pose.grounded)
