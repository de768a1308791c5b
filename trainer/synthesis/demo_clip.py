"""The demo clip: the open body, dressed, jumping in a park, with exact ground truth.

``python -m trainer demo --out resources/demo.mp4 --truth tests/data/demo_truth.npz``

The motion is from CMU's motion capture (subject 1, trial 1: jumps and turns). The data used
in this project was obtained from mocap.cs.cmu.edu. The database was created with funding from NSF
EIA-0196217. Everything else in the clip, picture and sound, is generated from a seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, default_body, pose_joints, project
from pymaf_live.body.rotations import axis_angle_from_matrix
from pymaf_live.system.atomic_write import atomic_write
from pymaf_live.types import Array, Camera, Image
from trainer.data.motion.amc import read_clip
from trainer.data.motion.retarget import resample, retarget
from trainer.rendering.renderer import render, srgb_from_linear, sun_map
from trainer.synthesis.clothing import DEMO_PALETTE, DressedBody
from trainer.synthesis.scenery import paint_park, shadow_on_ground

SIZE = (1280, 720)
RATE = 30
SECONDS = 7
_SEED = 20
_CLIP, _SKELETON, _START = "cmu_amc/01_01.amc", "cmu_amc/01.asf", 9.5
_YAW = 125.0
"""Degrees about the vertical by which the motion is turned, so that it crosses the image."""
_STANDING = 70
"""Percentile of the lowest point's height that counts as the ground."""
_CAMERA_HEIGHT = 0.97
_SHAPE = (0.35, -0.55, -0.35, 0.3)
_END_PLACE = (-1.0, 4.25)
"""Metres to the right of and in front of the camera at which the motion ends."""
_SOUND_RATE = 48_000


@dataclass(frozen=True)
class DemoMotion:
    """Ground truth of the clip; F frames, camera frame."""

    time: Array
    """(F,) s"""
    rotations: Array
    """(F, J, 3, 3)"""
    shape: Array
    """(S,)"""
    translation: Array
    """(F, 3) m"""
    camera: Camera


class Soles:
    """Heels and balls of the two feet, for laying standing feet flat."""

    def __init__(self, body: Body, dressed: DressedBody) -> None:
        names, rest = body.joint_names, dressed.vertices
        self._ankles = [names.index("left_ankle"), names.index("right_ankle")]
        feet = [names.index("left_foot"), names.index("right_foot")]
        self._parts = []
        for ankle, foot in zip(self._ankles, feet, strict=True):
            own = body.skin_weights[:, ankle] + body.skin_weights[:, foot] > 0.6
            forward = rest[:, 2] - dressed.rest[ankle, 2]
            ball = dressed.rest[foot, 2] - dressed.rest[ankle, 2]
            heel = np.flatnonzero(own & (forward < 0.2 * ball))
            self._parts.append((heel, np.flatnonzero(own & (forward > 0.9 * ball))))
        self._length = 1.2 * ball

    def heights(self, dressed: DressedBody, rotations: Array, translation: Array) -> Array:
        """Return the lowest points of heel and ball, (F, 2 feet, 2) m, y down."""
        out = np.empty((len(rotations), 2, 2))
        for frame, (turned, moved) in enumerate(zip(rotations, translation, strict=True)):
            y = dressed.pose(turned, moved)[:, 1]
            out[frame] = [[y[heel].max(), y[ball].max()] for heel, ball in self._parts]
        return out

    def flatten(self, rotations: Array, heights: Array) -> None:
        """Turn the toes of feet that stand on their heels to the ground, in place."""
        for side, ankle in enumerate(self._ankles):
            heel, ball = (_CAMERA_HEIGHT - heights[:, side, k] for k in range(2))
            standing = np.clip((0.07 - heel) / 0.05, 0, 1)
            raised = np.arcsin(np.clip((ball - heel) / self._length, 0, 0.5)) * standing
            raised = gaussian_filter1d(raised, RATE / 15, mode="nearest")
            rotations[:, ankle] = (
                rotations[:, ankle] @ Rotation.from_euler("x", raised[:, None]).as_matrix()
            )


def stage_motion(body: Body, dressed: DressedBody, shape: Array, mocap: Path) -> DemoMotion:
    """Place the motion before the camera, its lowest point on the ground.

    Parameters
    ----------
    body : Body
    dressed : DressedBody
        Its padded soles touch the ground.
    shape : (S,) array
    mocap : Path
        Folder or zip with the clip and its skeleton.

    Raises
    ------
    InputError
        If the clip cannot be read.
    """
    clip = read_clip(mocap, _CLIP, _SKELETON)
    rotations, translation = retarget(clip, body, shape)
    time = np.arange(RATE * SECONDS) / RATE
    rotations, translation = resample(rotations, translation, clip.frame_rate, time + _START)
    # from the world (y up, facing +z) to a level camera (y down, z forward): half a turn about x
    about = Rotation.from_euler("y", _YAW, degrees=True)
    matrix = (Rotation.from_euler("x", 180, degrees=True) * about).as_matrix()
    root = dressed.rest[0]
    rotations[:, 0] = matrix @ rotations[:, 0]
    translation = (translation + root) @ matrix.T - root
    translation[:, [0, 2]] += np.array(_END_PLACE) - (translation + root)[-1, [0, 2]]
    # the person stands most of the time: a percentile of the lowest point is the ground
    for _ in range(2):
        soles = Soles(body, dressed)
        heights = soles.heights(dressed, rotations, translation)
        ground = float(np.percentile(heights.max(axis=(1, 2)), _STANDING))
        translation[:, 1] += _CAMERA_HEIGHT - ground
        heights += _CAMERA_HEIGHT - ground
        soles.flatten(rotations, heights)
    return DemoMotion(time, rotations, shape, translation, Camera.for_frame(SIZE))


def render_frames(
    motion: DemoMotion, body: Body, dressed: DressedBody, frames: Sequence[int]
) -> Iterator[Image]:
    """Yield rendered frames, (H, W, 3) uint8 RGB each."""
    park = paint_park(motion.camera, _CAMERA_HEIGHT, np.random.default_rng(_SEED))
    grain = np.random.default_rng(_SEED + 1)
    for frame in frames:
        vertices = dressed.pose(motion.rotations[frame], motion.translation[frame])
        person = render(
            vertices,
            body.faces,
            motion.camera,
            dressed.attributes,
            surface=dressed.paint,
            light=park.light,
        )
        sun = sun_map(vertices, body.faces, park.light.to_sun, step=0.012)
        ground = park.image * shadow_on_ground(park, sun, vertices, _CAMERA_HEIGHT)
        image = srgb_from_linear(person.over(ground))
        # less than a grey level of noise, so that 8 bits do not band the sky
        image += grain.uniform(-0.5, 0.5, image.shape) / 255
        yield np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)


def ground_truth(motion: DemoMotion, body: Body) -> dict[str, Array]:
    """Return the arrays of ``tests/data/demo_truth.npz``."""
    shapes = np.broadcast_to(motion.shape, (len(motion.time), len(motion.shape)))
    joints = pose_joints(body, motion.rotations, shapes, motion.translation)
    return {
        "time": motion.time,
        "joints": joints.astype(np.float32),
        "joints_2d": project(joints, motion.camera).astype(np.float32),
        "pose": axis_angle_from_matrix(motion.rotations).astype(np.float32),
        "shape": motion.shape.astype(np.float32),
        "translation": motion.translation.astype(np.float32),
        "focal_length": np.array(motion.camera.focal_length),
        "principal_point": motion.camera.principal_point,
        "frame_size": np.array(SIZE),
        "joint_names": np.array(body.joint_names),
    }


def music(seconds: float) -> Array:
    """Return a quiet tune of plucked notes over a soft pad, (N,) in -1..1 at 48 kHz."""
    count = int(seconds * _SOUND_RATE)
    time = np.arange(count) / _SOUND_RATE
    sound = np.zeros(count)
    rng = np.random.default_rng(_SEED + 2)
    scale = 261.63 * 2.0 ** (np.array([0, 2, 4, 7, 9, 12, 14, 16]) / 12)
    step = 7
    for beat in np.arange(0, seconds - 0.6, 0.25):
        step = int(np.clip(step + rng.integers(-2, 3), 0, len(scale) - 1))
        if rng.uniform() < 0.3:
            continue
        since = np.clip(time - beat, 0, None)
        body = np.exp(-since * 6) * (time >= beat) * np.minimum(since * 400, 1)
        for harmonic, share in ((1, 1.0), (2, 0.35), (3, 0.12)):
            sound += 0.11 * share * body * np.sin(2 * np.pi * scale[step] * harmonic * since)
    for note in (130.81, 196.0, 329.63):
        swell = 0.5 - 0.5 * np.cos(2 * np.pi * time / seconds)
        sound += 0.03 * swell * np.sin(2 * np.pi * note * time)
    return np.asarray(sound * np.minimum(1, (seconds - time) / 0.5))


def write_video(path: Path, images: Iterator[Image], sound: Array, quality: float) -> None:
    """Write H.264 and AAC with one thread and no dates, so that the bytes are reproducible.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import av

    with (
        atomic_write(path) as temporary,
        av.open(
            str(temporary), "w", options={"movflags": "+faststart", "fflags": "+bitexact"}
        ) as container,
    ):
        video = container.add_stream("libx264", rate=Fraction(RATE))
        video.width, video.height = SIZE
        video.pix_fmt = "yuv420p"
        video.thread_count = 1
        video.codec_context.time_base = Fraction(1, RATE)
        video.options = {"crf": f"{quality:g}", "preset": "slower", "threads": "1"}
        context = video.codec_context
        context.color_primaries, context.color_trc, context.colorspace = 1, 1, 1
        context.color_range = 1
        voice = container.add_stream("aac", rate=_SOUND_RATE, layout="mono")
        voice.bit_rate = 64_000
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame = frame.reformat(
                format="yuv420p", src_colorspace="ITU709", dst_colorspace="ITU709"
            )
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            for packet in video.encode(frame):
                container.mux(packet)
        for packet in video.encode():
            container.mux(packet)
        block = voice.codec_context.frame_size or 1024
        for start in range(0, len(sound), block):
            part = np.zeros((1, block), np.float32)
            part[0, : len(sound[start : start + block])] = sound[start : start + block]
            samples = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            samples.sample_rate, samples.pts = _SOUND_RATE, start
            samples.time_base = Fraction(1, _SOUND_RATE)
            for packet in voice.encode(samples):
                container.mux(packet)
        for packet in voice.encode():
            container.mux(packet)


def make_demo(
    out: Path, *, truth: Path | None, mocap: Path, quality: float, stills: int | None
) -> None:
    """Render the demo clip.

    Parameters
    ----------
    out : Path
        Video to write.
    truth : Path, optional
        npz for the ground truth.
    mocap : Path
        Folder of the motion capture clips.
    quality : float
        Rate factor of x264.
    stills : int, optional
        Write every Nth frame as a PNG file beside `out` instead of the video.

    Raises
    ------
    PymafLiveError
        If the motion capture clip cannot be read or a file cannot be written.
    """
    body = default_body()
    shape = np.zeros(body.shape_count)
    shape[: len(_SHAPE)] = _SHAPE
    dressed = DressedBody(body, shape, DEMO_PALETTE, np.random.default_rng(_SEED))
    motion = stage_motion(body, dressed, shape, mocap)
    if truth is not None:
        with atomic_write(truth) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, **ground_truth(motion, body))
    if stills:
        import cv2

        frames = range(0, len(motion.time), stills)
        for frame, image in zip(frames, render_frames(motion, body, dressed, frames), strict=True):
            with atomic_write(out.parent / f"demo_{frame:03d}.png") as temporary:
                cv2.imwrite(str(temporary), image[..., ::-1])
        return
    images = render_frames(motion, body, dressed, range(len(motion.time)))
    write_video(out, images, music(SECONDS), quality)
