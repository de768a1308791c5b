"""Benchmark of the smoothing against ground truth, compared with no filter and with One-Euro.

``python -m tests.motion.benchmark [--plot docs/notes/smoothing.svg]`` takes five minutes. It reads
the CMU clips (../shared/data/mocap, or --mocap DIR) and adds errors like the network's; the demo's
errors are the network's own.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, default_body, pose_joints, project, rest_joints
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.motion import FootLock, Smoother, lock_feet, smooth_offline
from pymaf_live.motion.root_position_filter import bearing_from_position, position_from_bearing
from pymaf_live.takes.take import Take
from tests.helpers.paths import SHARED
from tests.helpers.take import UPRIGHT, make_take, people_by_frame
from tests.motion.measures import (
    acceleration_error,
    at_true_depth,
    contacts,
    delay,
    foot_slide,
    joint_error,
    reprojection_error,
)
from tests.motion.network_errors import TRUTH, measured, recorded, with_outliers
from tests.motion.one_euro import OneEuro, filtered, filtered_rotations

MOCAP = SHARED / "data" / "mocap"
CLIPS = (
    "cmu_amc/11_01.amc", "cmu_bvh/131_01.bvh", "cmu_amc/01_01.amc",
    "cmu_expmap/jumping_1.txt", "cmu_expmap/jumping_3.txt", "cmu_expmap/running_1.txt",
    "cmu_expmap/directing_traffic_1.txt", "cmu_expmap/basketball_1.txt",
    "cmu_expmap/soccer_3.txt", "cmu_expmap/walking_4.txt", "cmu_amc/90_02.amc",
    "cmu_bvh/scaled_131_03.bvh",
)  # fmt: skip
IMPOSSIBLE = "cmu_amc/05_06.amc"
"""Clip without a valid truth: its right hip flips by 178 degrees between frames thirty times."""
RATE = 30.0
_LONGEST = 6.0
_REDRAWS = 6
_DRAWS = 2
"""Random draws of errors per clip; a single draw changes its joint error by 0.2 mm."""
STRENGTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Case:
    """True motion of a person, the motion as measured, and the outlier frames in it."""

    name: str
    truth: Take
    measured: Take
    wild: np.ndarray
    """(F,) 1 in an outlier frame, 2 in a left-right confusion, 0 elsewhere."""
    clean: Take
    """Measured motion without outliers, with the same gaps."""
    redrawn: tuple[Take, ...] = ()
    """Variants of `clean` with other ordinary errors in the outlier frames of `measured`."""


@dataclass(frozen=True)
class Figures:
    """Means over the cases; 'own' has the root at its true depth (`measures.at_true_depth`)."""

    error: float
    """mm"""
    acceleration: float
    """mm/frame^2"""
    own_acceleration: float
    """mm/frame^2"""
    delay: float
    """ms, own."""
    depth_delay: float
    """ms"""
    slide: float
    """mm/frame"""
    miss: float
    """Distance of the joints from the true ones in the image, px."""


def cmu_truths(body: Body, mocap: Path, clips: Sequence[str] = CLIPS) -> list[tuple[str, Take]]:
    """Return the CMU clips at 30 frames per second, each seen by a camera from a random side."""
    from trainer.data.motion.clips import read_motions
    from trainer.data.motion.retarget import resample

    random = np.random.default_rng(11)
    root = rest_joints(body, np.zeros(body.shape_count))[0]
    truths = []
    for motion in read_motions(mocap, body=body, sources=clips):
        last = min((len(motion) - 1) / motion.frame_rate, _LONGEST)
        times = np.arange(0, last, 1 / RATE)
        turns, places = resample(motion.rotations, motion.translation, motion.frame_rate, times)
        side = Rotation.from_euler("y", random.uniform(0, 2 * np.pi)).as_matrix()
        turned = UPRIGHT @ side
        turns[:, 0] = turned @ turns[:, 0]
        places = (places + root) @ turned.T
        places += [0, 0, 5 + np.ptp(places[:, 2]) / 2] - places.mean(axis=0)
        truths.append((motion.source, make_take(body, times, {1: turns}, {1: places - root})))
    return truths


def cmu_cases(body: Body, mocap: Path, *, spoil: bool, clips: Sequence[str] = CLIPS) -> list[Case]:
    """Return the CMU clips as the network would measure them, with several draws of errors."""
    random, errors, cases = np.random.default_rng(5), recorded(), []
    again = np.random.default_rng(3)
    for name, truth in _DRAWS * cmu_truths(body, mocap, clips):
        own = errors.like(len(truth.frame_time), random)
        clean = measured(body, truth, own)
        take, wild = clean, np.zeros(len(clean.frame), dtype=bool)
        redrawn: list[Take] = []
        if spoil:
            take, wild = with_outliers(body, clean, random)
            clean = _rows(clean, take.frame)
            redrawn += [
                _rows(measured(body, truth, own.redrawn(wild > 0, again)), take.frame)
                for _ in range(_REDRAWS)
            ]
        cases.append(Case(name, truth, take, wild, clean, tuple(redrawn)))
    return cases


def _rows(take: Take, rows: np.ndarray) -> Take:
    names = ("frame", "person", "pose", "shape", "translation", "joints", "joints_2d", "box",
             "score", "joint_score", "predicted")  # fmt: skip
    return replace(take, **{name: getattr(take, name)[rows] for name in names})


def demo_case(body: Body) -> Case:
    """Return the demo as the network measured it."""
    with np.load(TRUTH) as file:
        times, count = file["time"], len(file["time"])
        truth = make_take(
            body,
            times,
            {1: matrix_from_axis_angle(file["pose"])},
            {1: file["translation"].astype(np.float64)},
            shapes={1: np.broadcast_to(file["shape"], (count, body.shape_count))},
            rate=Fraction(30),
        )
    take = measured(body, truth, recorded())
    return Case("demo", truth, take, np.zeros(count, dtype=bool), take)


def held(take: Take) -> np.ndarray:
    """Return joints (F, J, 3); frames without a measurement repeat the one before."""
    rows = np.searchsorted(take.frame, np.arange(len(take.frame_time)), side="right") - 1
    return np.asarray(take.joints[np.maximum(rows, 0)], dtype=np.float64)


def live(take: Take, body: Body, strength: float) -> np.ndarray:
    """Return joints (F, J, 3) as the live filter shows them."""
    smoother, camera, joints = Smoother(body, strength), take.camera, []
    for time, people in zip(take.frame_time, people_by_frame(take), strict=True):
        smooth = smoother.update(float(time), people, camera)
        joints.append(smooth[0].joints if smooth else joints[-1])
    return np.array(joints)


def figures(cases: Sequence[Case], joints: Sequence[np.ndarray], body: Body) -> Figures:
    feet = [body.joint_names.index(name) for name in ("left_foot", "right_foot")]
    rows, pairs, depths = [], [], []
    for case, own in zip(cases, joints, strict=True):
        true, camera = np.asarray(case.truth.joints), case.truth.camera
        standing = contacts(true, feet, np.array([0.0, -1.0, 0.0]), RATE)
        placed = at_true_depth(own, true)
        rows.append(
            (
                joint_error(own, true),
                acceleration_error(own, true),
                acceleration_error(placed, true),
                foot_slide(own, feet, standing),
                reprojection_error(project(own, camera), project(true, camera)),
            )
        )
        pairs.append((placed, true))
        depths.append((own[:, 0, 2], true[:, 0, 2]))
    error, acceleration, own_acceleration, slide, miss = np.nanmean(rows, axis=0)
    return Figures(
        error, acceleration, own_acceleration, delay(pairs, RATE), delay(depths, RATE), slide, miss
    )


def one_euro_grid(cases: Sequence[Case], body: Body) -> dict[tuple[OneEuro, ...], Figures]:
    """Return figures of One-Euro filters of rotations and bearing; the depth is as measured."""
    pose = [OneEuro(*p) for p in itertools.product((0.3, 1, 2, 3), (0.3, 0.7, 1.5, 3), (1, 3))]
    across = [OneEuro(*p) for p in ((2, 20, 3), (1, 20, 1), (1, 80, 1), (2, 80, 3), (1, 5, 1))]
    held_rows = [
        np.maximum(
            np.searchsorted(c.measured.frame, np.arange(len(c.truth.frame_time)), "right") - 1, 0
        )
        for c in cases
    ]
    seen = [
        bearing_from_position(c.measured.joints[r, 0])
        for c, r in zip(cases, held_rows, strict=True)
    ]
    turns = [
        matrix_from_axis_angle(c.measured.pose[r]) for c, r in zip(cases, held_rows, strict=True)
    ]
    shape = [c.measured.shape.mean(axis=0) for c in cases]
    times = [c.truth.frame_time for c in cases]
    count = range(len(cases))
    ways = {p: [filtered(seen[i][:, :2], times[i], p) for i in count] for p in across}
    found = {}
    for p in pose:
        bodies = []
        for i in count:
            smooth = filtered_rotations(turns[i], times[i], p)
            own = pose_joints(body, smooth, shape[i])
            bodies.append(own - own[:, :1])
        for a in across:
            roots = [position_from_bearing(np.c_[ways[a][i], seen[i][:, 2:]]) for i in count]
            joints = [bodies[i] + roots[i][:, None] for i in count]
            found[p, a] = figures(cases, joints, body)
    return found


@dataclass(frozen=True)
class Traces:
    """Traces of N outliers of a kind, and of other ordinary errors in their frames.

    Largest distance from the run without outliers, averaged over the joints, from the outlier's
    first frame until 0.2 s after its last.
    """

    mm: np.ndarray
    """(N,) with the root at its true depth, the visible part."""
    px: np.ndarray
    """(N,) in the image."""
    ordinary_mm: np.ndarray
    """(N, D) for D other draws of the errors."""
    ordinary_px: np.ndarray
    """(N, D)"""


def traces_of_outliers(
    cases: Sequence[Case], body: Body, strength: float
) -> dict[tuple[int, int], Traces]:
    """Return the traces by kind and length of the outliers."""
    found: dict[tuple[int, int], list[np.ndarray]] = {}
    for case in cases:
        true, camera = np.asarray(case.truth.joints), case.truth.camera
        without = live(case.clean, body, strength)
        # (2, 1 + D, F): mm and px, of the outliers and of the draws
        off = np.empty((2, 1 + len(case.redrawn), len(true)))
        for index, take in enumerate((case.measured, *case.redrawn)):
            joints = live(take, body, strength)
            apart = at_true_depth(joints, true) - at_true_depth(without, true)
            off[0, index] = 1000 * np.linalg.norm(apart, axis=-1).mean(axis=1)
            seen = project(joints, camera) - project(without, camera)
            off[1, index] = np.linalg.norm(seen, axis=-1).mean(axis=1)
        borders = np.flatnonzero(np.diff(np.r_[0, case.wild, 0]))
        for first, after in itertools.pairwise(borders):
            if case.wild[first]:
                key = int(case.wild[first]), int(after - first)
                found.setdefault(key, []).append(off[..., first : after + 6].max(axis=-1))
    traces = {}
    for key in sorted(found):
        mm, px = np.moveaxis(np.array(found[key]), 1, 0)
        traces[key] = Traces(mm[:, 0], px[:, 0], mm[:, 1:], px[:, 1:])
    return traces


def _three(values: np.ndarray, unit: str) -> str:
    middle, most = np.percentile(values, (50, 95))
    return f"{middle:.1f}, {most:.1f}, {values.max():.1f} {unit}"


def _table(name: str, cases: Sequence[Case], body: Body) -> list[tuple[str, Figures]]:
    raw = figures(cases, [held(case.measured) for case in cases], body)
    rows: list[tuple[str, Figures]] = [("raw", raw)]
    for strength in STRENGTHS:
        joints = [live(case.measured, body, strength) for case in cases]
        rows.append((f"live {strength:.1f}", figures(cases, joints, body)))
    offline = [smooth_offline(case.measured, body) for case in cases]
    rows.append(("offline", figures(cases, [held(take) for take in offline], body)))
    modes: tuple[FootLock, ...] = ("auto", "always")
    for mode in modes:
        locked = [held(lock_feet(take, body, mode)) for take in offline]
        rows.append((f"+ {mode}", figures(cases, locked, body)))
    print(f"\n{name}\n{'':10}  error    acceleration error     delay  depth's  slide   miss")
    print(f"{'':10}     mm    mm/frame^2    own mm/f^2     ms     ms   mm/frame px")
    for label, f in rows:
        less = 100 * (1 - f.acceleration / raw.acceleration)
        own_less = 100 * (1 - f.own_acceleration / raw.own_acceleration)
        print(
            f"{label:10} {f.error:6.1f}  {f.acceleration:5.1f} {-less:+4.0f} %  "
            f"{f.own_acceleration:5.1f} {-own_less:+4.0f} %  {f.delay:5.1f} {f.depth_delay:6.1f} "
            f"{f.slide:7.2f} {f.miss:5.1f}"
        )
    return rows


def _best(
    found: dict[tuple[OneEuro, ...], Figures], most_error: float
) -> list[tuple[tuple[OneEuro, ...], Figures]]:
    """Return the One-Euro filters on the Pareto front of delay and jitter.

    Excludes filters that are smooth only because they hardly follow, which have a large error.
    """
    front, least = [], np.inf
    for key, f in sorted(found.items(), key=lambda item: item[1].delay):
        if f.own_acceleration < least and f.error <= most_error:
            least = f.own_acceleration
            front.append((key, f))
    return front


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mocap", type=Path, default=MOCAP)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args(arguments)
    body = default_body()
    groups: list[tuple[str, Callable[[], list[Case]]]] = [
        ("CMU clips, errors like the network's", lambda: cmu_cases(body, given.mocap, spoil=False)),
        ("the same with wild frames, mix-ups and gaps",
         lambda: cmu_cases(body, given.mocap, spoil=True)),
        ("demo, the network's own errors", lambda: [demo_case(body)]),
    ]  # fmt: skip
    curves = []
    for name, make in groups:
        cases = make()
        rows = _table(name, cases, body)
        front = _best(one_euro_grid(cases, body), 1.15 * dict(rows)["raw"].error)
        print("One-Euro, the best for its delay: error, own, delay; parameters of rotations, place")
        for key, f in front:
            text = "  ".join(f"{p.cutoff:g}/{p.beta:g}/{p.derivative_cutoff:g}" for p in key)
            print(f"{f.error:6.1f} {f.own_acceleration:6.1f} {f.delay:6.1f}   {text}")
        if any(case.wild.any() for case in cases):
            print("Traces of outliers (and of other ordinary errors): median, 95 %, most; how many "
                  "are further off than 95 % of those")  # fmt: skip
            for (kind, length), t in traces_of_outliers(cases, body, 0.5).items():
                name_of = {1: "wild frame", 2: "mix-up"}[kind]
                beyond = (t.mm > np.percentile(t.ordinary_mm, 95)).mean()
                print(f"{name_of} of {length}: {len(t.mm)}, {_three(t.mm, 'mm')} "
                      f"({_three(t.ordinary_mm, 'mm')}), {_three(t.px, 'px')} "
                      f"({_three(t.ordinary_px, 'px')}), {beyond:.0%}")  # fmt: skip
        curves.append((name, rows, front))
    if given.plot:
        _plot(given.plot, curves)


def _plot(path: Path, curves: list) -> None:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(curves), figsize=(4.2 * len(curves), 3.8))
    for axis, (name, rows, front) in zip(axes, curves, strict=True):
        ours = [f for label, f in rows if label.startswith("live")]
        axis.plot([f.delay for _, f in front], [f.own_acceleration for _, f in front], "o--",
                  color="tab:orange", ms=3, label="One-Euro, best of 160")  # fmt: skip
        axis.plot([f.delay for f in ours], [f.own_acceleration for f in ours], "o-",
                  color="tab:blue", ms=4, label="live, strength 0.1 to 1")  # fmt: skip
        default = dict(rows)["live 0.5"]
        axis.plot(default.delay, default.own_acceleration, "o", color="tab:blue", ms=9, mfc="none")
        offline = dict(rows)["offline"]
        axis.plot(offline.delay, offline.own_acceleration, "s", color="tab:green", label="off-line")
        axis.axvline(33.3, color="grey", lw=0.7, ls=":")
        axis.set(title=name, xlabel="delay, ms", xlim=(-8, 50), ylim=(0, None))
        axis.title.set_fontsize(8)
    axes[0].set_ylabel("acceleration error, mm/frame²")
    axes[0].legend(fontsize=7, frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
