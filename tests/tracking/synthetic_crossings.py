"""People who cross, drawn as clothed figures, with truth: who is where, and whom a number showed.

The doubles err as the real ones do: a detector misses whoever is mostly hidden, a network shows the
person in front when the one it was sent to is behind, and both tremble.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pymaf_live.tracking import Following, Seen
from pymaf_live.tracking.detector import Detector
from pymaf_live.types import Array, Crop, Detection, Frame, Image

WIDTH, HEIGHT = 640, 360
RATE = 15.0

Path = Callable[[float], float]
"""Seconds to x in pixels."""


@dataclass(frozen=True)
class Walker:
    """One person of a scene."""

    path: Path
    height: float
    """Pixels; whoever is taller is nearer."""
    shirt: tuple[int, int, int]
    trousers: tuple[int, int, int]

    def keypoints(self, time: float) -> Array:
        """LSP's 14 (14, 2), pixels."""
        x, swing = self.path(time), 0.09 * np.sin(2 * np.pi * time)
        points = np.array(
            [
                [-0.05 - swing, -0.04], [-0.06 - swing / 2, -0.28], [-0.08, -0.52],
                [0.08, -0.52], [0.06 + swing / 2, -0.28], [0.05 + swing, -0.04],
                [-0.17 + swing, -0.47], [-0.17, -0.64], [-0.13, -0.82],
                [0.13, -0.82], [0.17, -0.64], [0.17 - swing, -0.47], [0, -0.85], [0, -1.0],
            ]
        )  # fmt: skip
        ground = 150 + 0.65 * self.height
        return points * self.height + (x, ground)


@dataclass(frozen=True)
class Crossing:
    """A scene and how long it lasts."""

    name: str
    people: tuple[Walker, ...]
    seconds: float


def picture(people: Sequence[Walker], time: float, background: Image) -> Image:
    """Everybody drawn, the farthest first."""
    image = background.copy()
    for person in sorted(people, key=lambda one: one.height):
        _draw(image, person, person.keypoints(time))
    return image


def _draw(image: Image, person: Walker, points: Array) -> None:
    def at(index: int) -> tuple[int, int]:
        return int(points[index, 0]), int(points[index, 1])

    thick = max(2, int(0.085 * person.height))
    for one, other in ((0, 1), (1, 2), (3, 4), (4, 5)):
        cv2.line(image, at(one), at(other), person.trousers, thick, cv2.LINE_AA)
    trunk = np.rint(points[[8, 9, 3, 2]]).astype(np.int32)
    cv2.fillPoly(image, [trunk], person.shirt, cv2.LINE_AA)
    cv2.polylines(image, [trunk], True, person.shirt, max(2, thick // 2), cv2.LINE_AA)
    for one, other in ((6, 7), (7, 8), (9, 10), (10, 11)):
        cv2.line(image, at(one), at(other), person.shirt, max(2, int(0.7 * thick)), cv2.LINE_AA)
    middle = points[[12, 13]].mean(axis=0)
    cv2.circle(
        image, (int(middle[0]), int(middle[1])), int(0.07 * person.height), (205, 160, 135), -1
    )


def shown_share(people: Sequence[Walker], time: float) -> list[float]:
    """How much of each person is in the picture and not behind somebody nearer, 0..1."""
    shares = []
    for person in people:
        own = person.keypoints(time)
        low, high = own.min(axis=0), own.max(axis=0)
        across = np.linspace(low[0], high[0], 40)
        free = (across > 0) & (across < WIDTH)
        for other in people:
            if other.height > person.height:
                points = other.keypoints(time)
                free &= ~((across > points[:, 0].min()) & (across < points[:, 0].max()))
        shares.append(float(free.mean()))
    return shares


class SeenInScene(Detector):
    """Doubles of detector and network for one scene."""

    name, notice = "made-up", ""

    def __init__(self, people: Sequence[Walker], seed: int) -> None:
        self.people = people
        self.time = 0.0
        self._rng = np.random.default_rng(seed)

    def _trembling(self, person: Walker, share: float) -> Array:
        points = person.keypoints(self.time)
        noise = self._rng.normal(0, 0.012 + 0.02 * (1 - share), points.shape)
        return points + noise * person.height

    def detect(self, image: Image) -> list[Detection]:
        found = []
        for person, share in zip(self.people, shown_share(self.people, self.time), strict=True):
            if share > 0.55 and self._rng.random() > 0.1:
                points = _as_blazepose(self._trembling(person, share))
                body = points[11:]
                box = np.concatenate([body.min(axis=0), body.max(axis=0)])
                trunk = np.stack([points[[23, 24]].mean(axis=0), points[[11, 12]].mean(axis=0)])
                found.append(Detection(box, 0.9, trunk, points))
        return found

    def look(self, crop: Crop) -> tuple[Array, float]:
        """Key points and score of whoever a network would see in a crop."""
        shares = shown_share(self.people, self.time)

        def pull(number: int) -> float:
            middle = self.people[number].keypoints(self.time).mean(axis=0)
            off = float(np.hypot(*(middle - crop.centre))) / crop.side
            return shares[number] * float(np.exp(-((off / 0.15) ** 2)))

        best = max(range(len(self.people)), key=pull)
        if pull(best) < 0.05:
            noise = self._rng.normal(0, 0.1 * crop.side, (14, 2))
            return crop.centre + noise, 0.15
        return self._trembling(self.people[best], shares[best]), 0.5 + 0.45 * shares[best]

    def close(self) -> None: ...


def _as_blazepose(lsp: Array) -> Array:
    points = np.tile(lsp[12], (33, 1))
    points[[28, 26, 24, 23, 25, 27, 16, 14, 12, 11, 13, 15]] = lsp[:12]
    points[:11] = (lsp[13] + 0.6 * lsp[12]) / 1.6
    return points


@dataclass(frozen=True)
class Outcome:
    """What became of one crossing."""

    name: str
    seen: bool
    """Everybody was seen before."""
    switched: bool
    """Somebody has another number afterwards, or a number shows somebody else."""
    lost: bool
    """Somebody is not shown any more at the end."""
    doubled: int
    """Frames in which two numbers showed one person."""


def judged(name: str, shown: Sequence[dict[int, int]], people: int, rate: float) -> Outcome:
    """Compare the numbers of everybody in the first and the last second.

    Parameters
    ----------
    name : str
    shown : sequence of dict
        A frame each: number to whom it showed.
    people : int
    rate : float
        Frames a second.
    """
    second = int(rate)
    early, late = _numbers(shown[second // 2 : 2 * second]), _numbers(shown[-second:])
    # who was not seen before has no number to lose, but must not have somebody else's
    known = {number: who for who, number in early.items()}
    switched = any(
        late[who] != early.get(who, late[who]) or known.get(late[who], who) != who for who in late
    )
    doubled = sum(len(set(frame.values())) < len(frame) for frame in shown)
    return Outcome(name, len(early) == people, switched, len(late) < people, doubled)


def _numbers(shown: Sequence[dict[int, int]]) -> dict[int, int]:
    counts: dict[int, dict[int, int]] = {}
    for frame in shown:
        for number, who in frame.items():
            own = counts.setdefault(who, {})
            own[number] = own.get(number, 0) + 1
    return {who: max(own, key=lambda n: own[n]) for who, own in counts.items()}


def followed_through(crossing: Crossing, seed: int = 0) -> Outcome:
    """Run a scene through the following with doubles for detector and network."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 190, (9, 16, 3), dtype=np.uint8)
    background = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    double = SeenInScene(crossing.people, seed)
    following = Following(double, 256, people=len(crossing.people))
    grain = [rng.integers(-6, 7, (HEIGHT, WIDTH, 3), dtype=np.int16) for _ in range(3)]
    shown = []
    for index in range(int(crossing.seconds * RATE)):
        double.time = index / RATE
        image = picture(crossing.people, double.time, background)
        image = np.clip(image + grain[index % 3], 0, 255).astype(np.uint8)
        crops = following.crops(Frame(index, double.time, image))
        seen = []
        for one in crops:
            points, score = double.look(one.crop)
            again = following.second_look(one, points)
            if again is not None:
                one = again
                points, score = double.look(one.crop)
            seen.append(Seen(one, points, score))
        frame = {}
        for one, number in zip(seen, following.settle(seen), strict=True):
            if number is not None:
                frame[number] = _whose(one.keypoints, crossing.people, double.time)
        shown.append(frame)
    return judged(crossing.name, shown, len(crossing.people), RATE)


def _whose(points: Array, people: Sequence[Walker], time: float) -> int:
    def off(number: int) -> float:
        return float(np.abs(people[number].keypoints(time) - points).mean())

    return min(range(len(people)), key=off)


RED, BLUE, GREEN, WHITE = (190, 50, 45), (50, 70, 170), (60, 130, 70), (225, 225, 220)
JEANS, BLACK, BEIGE = (70, 90, 130), (35, 35, 40), (190, 170, 130)


def _straight(start: float, end: float, seconds: float) -> Path:
    return lambda t: start + (end - start) * min(t / seconds, 1.0)


def _there_and_back(start: float, turn: float, seconds: float) -> Path:
    def path(t: float) -> float:
        half = seconds / 2
        return start + (turn - start) * (t / half if t < half else max(0.0, 2 - t / half))

    return path


def _waits(start: float, stop: float, end: float, arrives: float, leaves: float) -> Path:
    def path(t: float) -> float:
        if t < arrives:
            return start + (stop - start) * t / arrives
        return stop if t < leaves else stop + (end - stop) * min((t - leaves) / arrives, 1.0)

    return path


def _still(x: float) -> Path:
    return lambda t: x + 4 * np.sin(t)


def crossings() -> list[Crossing]:
    """Crossings of different kinds, in clothes that differ much and little."""
    scenes = []
    wardrobes = [
        ("unlike", (RED, JEANS), (BLUE, BLACK)),
        ("like trousers", (GREEN, JEANS), (WHITE, JEANS)),
        ("like shirts", (WHITE, BLACK), (WHITE, BEIGE)),
    ]
    for clothes, one, other in wardrobes:
        near, far = 210.0, 170.0

        def pair(
            path: Path, other_path: Path, heights: tuple[float, float] = (near, far),
            one: tuple[tuple[int, int, int], tuple[int, int, int]] = one,
            other: tuple[tuple[int, int, int], tuple[int, int, int]] = other,
        ) -> tuple[Walker, ...]:  # fmt: skip
            return Walker(path, heights[0], *one), Walker(other_path, heights[1], *other)

        scenes += [
            Crossing(
                f"opposite, {clothes}",
                pair(_straight(90, 560, 4.5), _straight(550, 80, 4.5)), 5.5,
            ),
            Crossing(
                f"opposite and slow, {clothes}",
                pair(_straight(200, 450, 5), _straight(440, 210, 5), (190, 180)), 6,
            ),
            Crossing(
                f"one overtakes the other, {clothes}",
                pair(_straight(60, 580, 4), _straight(160, 380, 4)), 5,
            ),
            Crossing(
                f"they meet and turn back, {clothes}",
                pair(_there_and_back(120, 300, 4), _there_and_back(520, 340, 4)), 5,
            ),
            Crossing(
                f"one stands, {clothes}",
                pair(_straight(60, 590, 4.5), _still(320)), 5.5,
            ),
            Crossing(
                f"hidden for half a second, {clothes}",
                pair(_waits(100, 320, 560, 1.5, 2.0), _still(320)), 5,
            ),
            Crossing(
                f"hidden for a second and more, {clothes}",
                pair(_waits(100, 320, 560, 1.5, 2.8), _still(320)), 5.5,
            ),
            Crossing(
                f"out at the edge and back, {clothes}",
                pair(_still(200), _waits(450, 720, 430, 1.6, 2.6)), 6,
            ),
        ]  # fmt: skip
    return scenes
