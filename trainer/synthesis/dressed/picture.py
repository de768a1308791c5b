"""One picture of dressed people, and the exact truth about its person."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.body import Body, rest_joints
from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.types import Array, Image
from trainer.data.base import FACE_NAMES
from trainer.data.synthetic import HIDDEN, OUTSIDE, VISIBLE
from trainer.rendering.textured import Canvas, Part
from trainer.synthesis.backdrops import Backdrops, linear_mean
from trainer.synthesis.camera_effects import record_image
from trainer.synthesis.dressed.cameras import Camera
from trainer.synthesis.dressed.garments import Clothes, Floats
from trainer.synthesis.dressed.lighting import (
    Lights,
    ShadowMap,
    draw_lights,
    occlusion,
    shade,
    shadow_map,
)
from trainer.synthesis.dressed.people import person_parts
from trainer.synthesis.dressed.rooms import Rooms, as_linear
from trainer.synthesis.dressed.scene import GROUPS, SHARES, Scene, ScenePlanner
from trainer.synthesis.poses import Poses
from trainer.synthesis.render_sample import CROP_SIZE, SKIN_DEPTHS
from trainer.synthesis.truth import DressedTruth, Labelled, Truth, crop_labels

SAMPLES = 2
"""Samples a pixel along each side."""
_MAX_MISFIT = 0.45
_LEAST_SEEN = 5
"""LSP joints that must be visible."""
_OUTSIDE_WEIGHT = 0.002
"""Legs out of sight, perhaps beside the camera, must not pull the label's camera."""
_PAINTED = 0.1
"""Weight of painted places among the backgrounds."""
_CLOTH = 0.03
"""Metres that cloth lies above the skin at most."""


class DressedRenderer:
    """Renders pictures of dressed people.

    Parameters
    ----------
    body : Body
    clothes : Clothes
    poses : Poses
    backdrops : Backdrops
    side : int
        Longer side of the pictures in pixels.
    test : bool
        Equal shares of the groups, and clothes that training sets leave out.
    """

    def __init__(
        self, body: Body, clothes: Clothes, poses: Poses, backdrops: Backdrops, side: int = 352,
        *, test: bool = False,
    ) -> None:  # fmt: skip
        self.planner = ScenePlanner(body, clothes, poses, backdrops, side, test=test)
        self.backdrops = backdrops
        self._rooms = Rooms(backdrops)
        self._shares = [1 / len(GROUPS)] * len(GROUPS) if test else list(SHARES)
        names = [*LSP_NAMES, *FACE_NAMES]
        self._skin_depth = np.array([
            next(depth for part, depth in SKIN_DEPTHS.items() if part in name) for name in names
        ])  # fmt: skip

    def render(self, rng: np.random.Generator) -> tuple[Image, Truth]:
        """Return a picture (H, W, 3) uint8 RGB and its truth.

        Scenes are drawn again while their person is hidden or so near that no weak perspective
        fits. The order of the draws from `rng` decides which picture a seed gives.
        """
        group = str(rng.choice(GROUPS, p=self._shares))
        while True:
            scene = self.planner.draw(group, rng)
            flat = scene.camera.view.pixels(scene.camera.seen(scene.points))
            size = np.array(scene.camera.view.size)
            inside = np.asarray(((flat > -0.5) & (flat < size - 0.5)).all(axis=1))
            if inside[:14].sum() < _LEAST_SEEN or not inside[[8, 9, 12]].any():
                continue
            found = self._labels(scene, flat, inside, rng)
            if found.misfit > _MAX_MISFIT:
                continue
            parts = scene_parts(scene)
            canvas = draw_parts(parts, scene.camera)
            visibility = self._visibility(scene, canvas, flat, inside)
            if (visibility[:14] == VISIBLE).sum() < _LEAST_SEEN:
                continue
            image, backdrop = self._picture(scene, parts, canvas, rng)
            return image, self._truth(scene, canvas, flat, visibility, found, backdrop)

    def _labels(
        self, scene: Scene, flat: Array, inside: npt.NDArray[np.bool_], rng: np.random.Generator
    ) -> Labelled:
        rotations = scene.person.rotations.copy()
        rotations[0] = scene.camera.turn @ rotations[0]
        around = None
        if scene.truncated:
            # trackers crop around what the picture shows and what they guess a little beyond
            size = np.array(scene.camera.view.size)
            margin = 0.0 if rng.random() < 0.55 else rng.uniform(0, 0.55) * size.max()
            near = ((flat > -margin) & (flat < size + margin)).all(axis=1)
            around = (near & (scene.camera.seen(scene.points)[:, 2] > 0.1))[:14]
        return crop_labels(
            flat, inside, rotations,
            lambda turned: self.planner.keypoints(turned, scene.person.shape), CROP_SIZE,
            around=around, outside_weight=_OUTSIDE_WEIGHT,
        )  # fmt: skip

    def _visibility(
        self, scene: Scene, canvas: Canvas, flat: Array, inside: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.uint8]:
        """Return how each key point (K,) is seen: hidden by anything before the skin over it."""
        fine = np.round((flat + 0.5) * SAMPLES - 0.5)
        height, width = canvas.depth.shape
        x, y = np.clip(fine, 0, np.array([width, height]) - 1).astype(np.int64).T
        depth = scene.camera.seen(scene.points)[:, 2]
        own = canvas.owner[y, x] == 1
        margin = self._skin_depth + np.where(own, _CLOTH, 0.0)
        shown = np.where(canvas.depth[y, x] < depth - margin, HIDDEN, VISIBLE)
        return np.where(inside, shown, OUTSIDE).astype(np.uint8)

    def _picture(
        self, scene: Scene, parts: list[Part], canvas: Canvas, rng: np.random.Generator
    ) -> tuple[Image, str]:
        camera, view = scene.camera, scene.camera.view
        room = scene.pose.grounded and rng.random() < _ROOM_SHARES[scene.group]
        lights = draw_lights(camera, rng, indoors=room)
        shadows = shadow_map(parts, lights.to_sun)
        scale = view.focal * SAMPLES / float(np.median(camera.seen(scene.points)[:, 2]))
        layer = shade(canvas, camera, SAMPLES, lights, shadows, occlusion(canvas.depth, scale))
        if room:
            keep = np.concatenate([scene.person.vertices[0][::50]] + [
                posed.vertices[0][::50] + place for posed, place in scene.others
            ])  # fmt: skip
            light = (lights.sky + 0.3 * lights.sun, lights.ground + 0.2 * lights.sun, lights.sun)
            behind = self._rooms.paint(
                view, camera.turn, camera.place, scene.ground, keep, light, rng
            )
            source = "room"
        else:
            image, source = self.backdrops.draw(view.size, rng, _PAINTED)
            behind = as_linear(image)
            layer[..., :3] *= _matching_gain(layer, image, rng)
        if scene.pose.grounded:
            behind = _shadowed(behind, scene, lights, shadows, parts, rng)
        if rng.random() < 0.3:
            behind = np.asarray(cv2.GaussianBlur(behind, (0, 0), rng.uniform(0.5, 3)), np.float32)
        layer = _motion(layer, rng)
        mixed: Array = layer[..., :3] + behind * (1 - layer[..., 3:])
        if room:
            level = 0.2 * np.exp(rng.normal(0, 0.35)) / max(float(mixed.mean()), 0.02)
            mixed = mixed * np.float32(np.clip(level, 0.3, 3.0))
        return _degraded(_developed(record_image(mixed, rng), rng), rng), source

    def _truth(
        self, scene: Scene, canvas: Canvas, flat: Array, visibility: npt.NDArray[np.uint8],
        found: Labelled, backdrop: str,
    ) -> Truth:  # fmt: skip
        owner = canvas.owner[::SAMPLES, ::SAMPLES]
        mask = np.where(owner == 1, 1, np.where(owner > 1, 2, 0)).astype(np.uint8)
        camera = scene.camera
        seen = camera.seen(scene.points)
        # the body turns about its pelvis, which is not at the origin
        pelvis = rest_joints(self.planner.body, scene.person.shape)[0]
        translation = camera.translation + camera.turn @ pelvis - pelvis
        return Truth(
            keypoints=flat,
            visibility=visibility,
            joints_3d=found.joints_3d,
            rotations=found.rotations,
            shape=scene.person.shape,
            camera=found.camera,
            crop=found.crop,
            distance=float(seen[[2, 3, 8, 9], 2].mean()),
            kind="truncated" if scene.truncated else "whole",
            pose=scene.pose.source,
            backdrop=backdrop,
            misfit=found.misfit,
            dressed=DressedTruth(
                group=scene.group,
                focal=camera.view.focal,
                principal=camera.view.centre,
                translation=translation,
                mask=mask,
                look=" + ".join(scene.person.look.names),
            ),
        )


_ROOM_SHARES = {"webcam": 0.6, "everyday": 0.45, "sport": 0.15, "several": 0.35}


def scene_parts(scene: Scene) -> list[Part]:
    """Return the parts of a scene's people and furniture; the person is owner 1."""
    camera = scene.camera
    parts = [prop.part(camera.turn, camera.translation) for prop in scene.props]
    people = [(scene.person, np.zeros(3)), *scene.others]
    for number, (posed, place) in enumerate(people, start=1):
        translation = camera.translation + camera.turn @ place
        parts += person_parts(posed, camera.turn, translation, number)
    return parts


def draw_parts(parts: list[Part], camera: Camera) -> Canvas:
    """Rasterize parts as a camera sees them, `SAMPLES` times as fine as the picture."""
    view = camera.view
    canvas = Canvas((view.size[0] * SAMPLES, view.size[1] * SAMPLES))
    # the skin comes last: most of it lies under cloth
    for part in reversed(parts):
        depth = np.maximum(part.vertices[:, 2:], 1e-3)
        flat = part.vertices[:, :2] / depth * view.focal + view.centre
        canvas.draw(part, ((flat + 0.5) * SAMPLES - 0.5).astype(np.float32))
    return canvas


def _shadowed(
    behind: Floats, scene: Scene, lights: Lights, shadows: ShadowMap, parts: list[Part],
    rng: np.random.Generator,
) -> Floats:  # fmt: skip
    """Return the background with the people's shadows on the ground."""
    camera, view = scene.camera, scene.camera.view
    # shadows are soft: every second pixel will do
    width, height = (side // 2 for side in view.size)
    x = ((np.arange(width) + 0.5) * view.size[0] / width - 0.5 - view.centre[0]) / view.focal
    y = ((np.arange(height) + 0.5) * view.size[1] / height - 0.5 - view.centre[1]) / view.focal
    x, y = x[None, :], y[:, None]
    rays = np.stack(np.broadcast_arrays(x, y, np.ones((1, 1))), axis=-1)
    up = lights.up
    # points p of the ground in the camera frame have p . up = level
    level = scene.ground + float(camera.translation @ up)
    along = rays @ up
    if level > -0.2:
        return behind  # seen from below the ground
    with np.errstate(divide="ignore"):
        far = level / along
    feet = np.concatenate([p.vertices[::7] for p in parts if p.owner > 0])
    heights = feet @ up - level
    low, high = feet[:, 2].min() - 1.0, feet[:, 2].max() + 2.5
    hit = (along < -1e-3) & (far > low) & (far < high)
    if not hit.any():
        return behind
    points = rays[hit] * far[hit][:, None]
    lit = shadows.lit(points, 0.03, 1.6)
    contact = _contact(points, feet[heights < 0.22], camera)
    direct = lights.sun * max(float(lights.to_sun @ up), 0.05)
    share = (direct / (direct + lights.sky)).astype(np.float32)
    strength = rng.uniform(0.6, 1.0)
    left = np.ones((height, width, 3), np.float32)
    left[hit] = (1 - strength * share * (1 - lit[:, None])) * (
        1 - rng.uniform(0.4, 0.8) * contact[:, None]
    )
    full = cv2.resize(left, view.size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(behind * full, np.float32)


def _contact(points: Array, feet: Array, camera: Camera) -> Array:
    """Return how much of the sky's light (N,) what stands close above the ground takes away."""
    if not len(feet):
        return np.zeros(len(points))
    step = 0.025
    ground = feet @ camera.turn  # the world's x and z
    low = ground[:, [0, 2]].min(axis=0) - 0.4
    count = np.minimum(((ground[:, [0, 2]].max(axis=0) + 0.4 - low) / step).astype(int) + 1, 400)
    grid = np.zeros(count, np.float32)
    at = np.clip(((ground[:, [0, 2]] - low) / step).astype(int), 0, count - 1)
    grid[at[:, 0], at[:, 1]] = 1.0
    grid = np.asarray(cv2.dilate(grid, np.ones((3, 3))))
    grid = np.asarray(cv2.GaussianBlur(grid, (0, 0), 2.2))
    world = points @ camera.turn
    cell = ((world[:, [0, 2]] - low) / step).astype(int)
    inside = ((cell >= 0) & (cell < count)).all(axis=1)
    cell = np.clip(cell, 0, count - 1)
    return np.where(inside, np.clip(grid[cell[:, 0], cell[:, 1]], 0, 1), 0.0)


def _matching_gain(layer: Floats, backdrop: Image, rng: np.random.Generator) -> Floats:
    """Return a gain (3,) that brings people near to the light of a photographed background."""
    cover = float(layer[..., 3].sum())
    if cover < 1:
        return np.ones(3, np.float32)
    mean = float((layer[..., :3].reshape(-1, 3).sum(axis=0) / cover).mean())
    behind = linear_mean(backdrop)
    wanted = np.clip(behind.mean(), 0.04, 0.5) * np.exp(rng.normal(0, 0.4))
    gain = np.clip(wanted / max(mean, 1e-3), 0.35, 3.0) ** 0.7
    tint = (behind + 0.05) / (behind.mean() + 0.05)
    return np.asarray(gain * tint ** rng.uniform(0, 0.4), np.float32)


def _motion(layer: Floats, rng: np.random.Generator) -> Floats:
    """Return the people as a moving camera or a moving person blurs them, now and then."""
    if rng.random() > 0.14:
        return layer
    length, angle = rng.uniform(2, 9), rng.uniform(0, np.pi)
    side = int(length) // 2 * 2 + 3
    kernel = np.zeros((side, side), np.float32)
    middle = side // 2
    reach = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    ends = [np.round((middle + s * reach) * 16).astype(int).tolist() for s in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
    kernel /= max(float(kernel.sum()), 1e-6)
    return np.asarray(cv2.filter2D(layer, -1, kernel), np.float32)


def _developed(image: Image, rng: np.random.Generator) -> Image:
    """Return the picture with the contrast, colour and sharpening that cameras add, mostly."""
    if rng.random() < 0.3:
        return image
    values = image.astype(np.float32)
    grey = values.mean(axis=2, keepdims=True)
    values = grey + (values - grey) * np.float32(rng.uniform(0.9, 1.5))
    middle = float(grey.mean())
    values = middle + (values - middle) * np.float32(rng.uniform(0.95, 1.4))
    values += np.float32(np.clip(rng.normal(115, 25) - middle, -40, 60) * rng.uniform(0, 1))
    if rng.random() < 0.4:
        soft = cv2.GaussianBlur(values, (0, 0), 1.0)
        values += (values - soft) * np.float32(rng.uniform(0.2, 0.9))
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def _degraded(image: Image, rng: np.random.Generator) -> Image:
    """Return the picture after a small sensor and a coarse JPEG, each now and then."""
    height, width = image.shape[:2]
    if rng.random() < 0.2:
        share = rng.uniform(0.4, 0.85)
        small = (max(int(width * share), 16), max(int(height * share), 16))
        coarse = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        method = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(coarse, (width, height), interpolation=method), np.uint8)
    if rng.random() < 0.35:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(18, 70))]
        encoded = cv2.imencode(".jpg", image[..., ::-1], quality)[1]
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        if decoded is not None:
            image = np.ascontiguousarray(decoded[..., ::-1], np.uint8)
    return image
