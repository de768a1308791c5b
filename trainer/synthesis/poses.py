"""Sources of synthetic people's poses, and their random variation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pymaf_live.body import Body
from pymaf_live.body.rotations import about_x, about_y, about_z, matrix_from_axis_angle
from pymaf_live.errors import InputError
from pymaf_live.types import Array
from trainer.body.joint_limits import violates_joint_limits
from trainer.data.fits import read_fits
from trainer.data.motion.clips import FREE_FORMATS, read_motions
from trainer.synthesis.everyday_poses import EverydayPoses

TEST_ROWS = 500
"""LSPET's last rows, whose fits pose the test set and never a training set."""

TEST_CLIPS = frozenset({
    "cmu_amc/05_07.amc", "cmu_amc/90_08.amc", "cmu_expmap/test_jumping_1.txt",
    "cmu_expmap/test_running_1.txt", "cmu_expmap/basketball_signal_1.txt",
    "cmu_expmap/soccer_3.txt", "cmu_expmap/walking_5.txt", "deepmimic/humanoid3d_dance_b.txt",
    "deepmimic/humanoid3d_getup_faceup.txt", "deepmimic/humanoid3d_kick.txt",
    "bandai_bvh/dataset-1_bow_normal_001.bvh", "bandai_bvh/dataset-1_byebye_happy_001.bvh",
    "bandai_bvh/dataset-1_walk_childish_001.bvh",
})  # fmt: skip
"""Clips that pose the test set and never a training set."""

_STEP_SECONDS = 1 / 15
"""Seconds between the frames that are used; closer ones are alike."""

_SHARES = {"fits": 0.32, "motion": 0.24, "everyday": 0.28, "mixed": 0.16}
_TRIES = 8

# standard deviation of the rotation vectors, degrees; the other joints keep their angles
_NOISE = {
    "spine1": 3, "spine2": 3, "spine3": 3, "neck": 6, "head": 6, "left_hip": 6, "right_hip": 6,
    "left_ankle": 5, "right_ankle": 5, "left_shoulder": 11, "right_shoulder": 11, "left_collar": 3,
    "right_collar": 3, "left_wrist": 9, "right_wrist": 9,
}  # fmt: skip

_LOWER = ("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
          "left_foot", "right_foot")  # fmt: skip

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Pose:
    """A pose in a y-up world, seen from +z by a level camera."""

    rotations: Array
    """(J, 3, 3)"""
    kind: str
    """'sit', 'stand' and so on for everyday poses, otherwise the kind of source."""
    source: str
    """Files and frames, joined by ' + ' for a mixture."""
    grounded: bool
    """True if the world's y axis is the true vertical, so that the camera may be raised."""


@dataclass(frozen=True)
class _Clip:
    rotations: Floats
    source: str
    step: float
    """Frames of the file between two rows."""


class Poses:
    """Draws poses from fits, motion capture and everyday poses.

    Parameters
    ----------
    body : Body
    motion : Path, optional
        A folder that `read_motions` reads.
    fits : (N, J, 3, 3) array, optional
        Fitted poses in their crops' frames (y down).
    fit_rows : (N,) array, optional
        Their rows in the set, for the labels.
    test : bool
        Read the clips of `TEST_CLIPS` instead of all others. Motion that is not free for commercial
        use is read for tests only.
    clean : bool
        Allow no fits, and read only free motion also for tests.

    Raises
    ------
    InputError
        If the motion cannot be read.
    """

    def __init__(
        self,
        body: Body,
        *,
        motion: Path | None,
        fits: Floats | None = None,
        fit_rows: npt.NDArray[np.int64] | None = None,
        test: bool = False,
        clean: bool = False,
    ) -> None:
        if clean and fits is not None:
            raise InputError("fitted poses are not free for commercial use")
        self._body = body
        self._mirror = np.asarray(body.joint_mirror)
        names = list(body.joint_names)
        self._lower = [names.index(name) for name in _LOWER]
        self._noise = np.zeros((len(names), 1))
        for name, degrees in _NOISE.items():
            self._noise[names.index(name)] = np.radians(degrees)
        # a fixed seed: every process makes the same arms
        self._everyday = EverydayPoses(body, np.random.default_rng(20 + test))
        self._fits, self._fit_rows = fits, fit_rows
        # training data of a published model must be free; other clips are used for tests
        formats = None if test and not clean else FREE_FORMATS
        self._clips = _clips(body, motion, formats, test) if motion is not None else []
        lengths = np.array([len(clip.rotations) for clip in self._clips])
        # long clips repeat themselves, so their weight grows more slowly than their length
        self._clip_shares = np.sqrt(lengths) / max(np.sqrt(lengths).sum(), 1e-9)
        shares = dict(_SHARES)
        if fits is None or not len(fits):
            shares["fits"] = 0.0
        if not self._clips:
            shares["motion"] = 0.0
        self._kinds = list(shares)
        self._shares = np.array(list(shares.values())) / sum(shares.values())

    def draw(self, rng: np.random.Generator, shares: Mapping[str, float] | None = None) -> Pose:
        """Draw a pose within the joint limits, turned and mirrored at random.

        Parameters
        ----------
        rng : numpy.random.Generator
        shares : mapping, optional
            Share of each kind of source ('fits', 'motion', 'everyday', 'mixed') instead of the
            usual ones; missing sources are left out.
        """
        wanted = self._shares
        if shares is not None:
            have = [shares.get(k, 0.0) * (s > 0) for k, s in zip(self._kinds, wanted, strict=True)]
            if sum(have) > 0:
                wanted = np.array(have) / sum(have)
        pose = self._one(rng, self._kinds, wanted)
        for _ in range(_TRIES):
            if not violates_joint_limits(self._body, pose.rotations[None], 0.35)[0]:
                break
            pose = self._one(rng, self._kinds, wanted)
        return pose

    def at_desk(self, rng: np.random.Generator) -> Pose:
        """Draw a person who sits at a desk: hands at the keyboard, the face, the head, the lap."""
        while True:
            turned, regions = self._everyday.draw_at_desk(rng)
            pose = self._varied(Pose(turned, "sit", f"desk/{regions}", True), rng)
            if not violates_joint_limits(self._body, pose.rotations[None], 0.35)[0]:
                return pose

    def _one(self, rng: np.random.Generator, kinds: Sequence[str], shares: Array) -> Pose:
        kind = str(rng.choice(list(kinds), p=shares))
        if kind == "mixed":
            pose = self._mixed(rng)
        elif kind == "everyday":
            turned, name = self._everyday.draw(rng)
            pose = Pose(turned, name, f"everyday/{name}", True)
        elif kind == "fits":
            assert self._fits is not None
            assert self._fit_rows is not None
            row = int(rng.integers(len(self._fits)))
            rotations = self._fits[row].astype(np.float64)
            # in crops y is down and z away
            rotations[0] = np.diag([1.0, -1.0, -1.0]) @ rotations[0]
            pose = Pose(rotations, "fits", f"lspet/{self._fit_rows[row]}", False)
        else:
            clip = self._clips[int(rng.choice(len(self._clips), p=self._clip_shares))]
            frame = int(rng.integers(len(clip.rotations)))
            rotations = clip.rotations[frame].astype(np.float64)
            pose = Pose(rotations, "motion", f"{clip.source}:{round(frame * clip.step)}", True)
        return self._varied(pose, rng)

    def _mixed(self, rng: np.random.Generator) -> Pose:
        shares = np.where(np.array(self._kinds) == "mixed", 0.0, self._shares)
        shares /= shares.sum()
        legs, upper = self._one(rng, self._kinds, shares), self._one(rng, self._kinds, shares)
        rotations = upper.rotations.copy()
        for joint in (0, *self._lower):
            rotations[joint] = legs.rotations[joint]
        return Pose(rotations, "mixed", f"{legs.source} + {upper.source}", legs.grounded)

    def _varied(self, pose: Pose, rng: np.random.Generator) -> Pose:
        rotations = pose.rotations
        if rng.random() < 0.5:
            flip = np.diag([-1.0, 1.0, 1.0])
            rotations = flip @ rotations[self._mirror] @ flip
        if rng.random() < 0.6:
            noise = rng.normal(size=(len(rotations), 3)) * self._noise
            rotations = rotations @ matrix_from_axis_angle(noise)
        rotations = rotations.copy()
        turn = about_y(rng.uniform(-np.pi, np.pi))
        # a fit has no known vertical: it is turned about its own trunk
        rotations[0] = turn @ rotations[0] if pose.grounded else rotations[0] @ turn
        return Pose(rotations, pose.kind, pose.source, pose.grounded)


def view_pose(pose: Pose, rng: np.random.Generator, *, webcam: bool = False) -> Array:
    """Return the pose before a camera: rotations (J, 3, 3) with x right, y down, z away.

    The camera is at eye level more often than above or below, and rarely exactly level.
    """
    if webcam:
        elevation = rng.normal(-2, 12)
    elif rng.random() < 0.1:
        elevation = rng.uniform(-50, 75)
    else:
        elevation = rng.normal(6, 14)
    if not pose.grounded:
        elevation *= 0.5
    roll = np.radians(rng.normal(0, 4))
    view = about_z(roll) @ np.diag([1.0, -1.0, -1.0]) @ about_x(np.radians(elevation))
    rotations = pose.rotations.copy()
    rotations[0] = view @ rotations[0]
    return rotations


def _clips(body: Body, folder: Path, formats: frozenset[str] | None, test: bool) -> list[_Clip]:
    out = []
    for motion in read_motions(folder, formats, body):
        if (motion.source in TEST_CLIPS) != test:
            continue
        step = max(1, round(motion.frame_rate * _STEP_SECONDS))
        kept = motion.rotations[::step]
        kept = kept[~violates_joint_limits(body, kept, 0.35)]
        if len(kept):
            out.append(_Clip(kept.astype(np.float32), motion.source, step))
    return out


def kept_fits(path: Path, count: int, *, test: bool) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return the kept fits of a set of `count` people: rotations (N, J, 3, 3) and rows (N,).

    Raises
    ------
    InputError
        If the file contains no fits of that set.
    """
    fits = read_fits(path, count)
    rows = np.flatnonzero(fits.kept)
    rows = rows[rows >= count - TEST_ROWS] if test else rows[rows < count - TEST_ROWS]
    return fits.rotations[rows].astype(np.float32), rows.astype(np.int64)
