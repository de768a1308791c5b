"""Synthetic scenes of people who cross, with ground truth.

People are drawn as clothed figures. The fake detector and network err like the real ones: the
detector misses people who are mostly occluded, the network estimates the person in front when it
gets the crop of the one behind, and both are noisy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pymaf_live.tracking import Detector, PersonTracker, TrackerConfig, TrackObservation
from pymaf_live.types import Array, Crop, Detection, Frame, Image

WIDTH, HEIGHT = 640, 360
RATE = 15.0

Path = Callable[[float], float]
"""Position x in pixels as a function of time in seconds."""


@dataclass(frozen=True)
class Walker:
    """One person of a scene."""

    path: Path
    height: float
    """Pixels; a taller person is nearer to the camera."""
    shirt: tuple[int, int, int]
    trousers: tuple[int, int, int]

    def keypoints(self, time: float) -> Array:
        """Return LSP's 14 key points (14, 2), pixels."""
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
    """A scene and its duration."""

    name: str
    people: tuple[Walker, ...]
    seconds: float


def draw_people(people: Sequence[Walker], time: float, background: Image) -> Image:
    """Return an image of all people, the nearest in front."""
    image = background.copy()
    for person in sorted(people, key=lambda each: each.height):
        _draw(image, person, person.keypoints(time))
    return image


def _draw(image: Image, person: Walker, points: Array) -> None:
    def at(index: int) -> tuple[int, int]:
        return int(points[index, 0]), int(points[index, 1])

    thickness = max(2, int(0.085 * person.height))
    for start, end in ((0, 1), (1, 2), (3, 4), (4, 5)):
        cv2.line(image, at(start), at(end), person.trousers, thickness, cv2.LINE_AA)
    trunk = np.rint(points[[8, 9, 3, 2]]).astype(np.int32)
    cv2.fillPoly(image, [trunk], person.shirt, cv2.LINE_AA)
    cv2.polylines(image, [trunk], True, person.shirt, max(2, thickness // 2), cv2.LINE_AA)
    for start, end in ((6, 7), (7, 8), (9, 10), (10, 11)):
        width = max(2, int(0.7 * thickness))
        cv2.line(image, at(start), at(end), person.shirt, width, cv2.LINE_AA)
    head = points[[12, 13]].mean(axis=0)
    cv2.circle(image, (int(head[0]), int(head[1])), int(0.07 * person.height), (205, 160, 135), -1)


def visible_shares(people: Sequence[Walker], time: float) -> list[float]:
    """Return which share of each person is in the image and not occluded, 0..1."""
    shares = []
    for person in people:
        own = person.keypoints(time)
        low, high = own.min(axis=0), own.max(axis=0)
        across = np.linspace(low[0], high[0], 40)
        visible = (across > 0) & (across < WIDTH)
        for other in people:
            if other.height > person.height:
                points = other.keypoints(time)
                visible &= ~((across > points[:, 0].min()) & (across < points[:, 0].max()))
        shares.append(float(visible.mean()))
    return shares


class FakeScene(Detector):
    """Fake detector and network for one scene."""

    name = "fake"

    def __init__(self, people: Sequence[Walker], seed: int) -> None:
        self.people = people
        self.time = 0.0
        self._rng = np.random.default_rng(seed)

    def _noisy_keypoints(self, person: Walker, share: float) -> Array:
        points = person.keypoints(self.time)
        noise = self._rng.normal(0, 0.012 + 0.02 * (1 - share), points.shape)
        return points + noise * person.height

    def detect(self, image: Image) -> list[Detection]:
        found = []
        for person, share in zip(self.people, visible_shares(self.people, self.time), strict=True):
            if share > 0.55 and self._rng.random() > 0.1:
                points = _as_blazepose(self._noisy_keypoints(person, share))
                body = points[11:]
                box = np.concatenate([body.min(axis=0), body.max(axis=0)])
                trunk = np.stack([points[[23, 24]].mean(axis=0), points[[11, 12]].mean(axis=0)])
                found.append(Detection(box, 0.9, trunk, points))
        return found

    def estimate(self, crop: Crop) -> tuple[Array, float]:
        """Return key points and score of the person whom a network would see in a crop."""
        shares = visible_shares(self.people, self.time)

        def weight(number: int) -> float:
            centre = self.people[number].keypoints(self.time).mean(axis=0)
            distance = float(np.hypot(*(centre - crop.centre))) / crop.side
            return shares[number] * float(np.exp(-((distance / 0.15) ** 2)))

        best = max(range(len(self.people)), key=weight)
        if weight(best) < 0.05:
            noise = self._rng.normal(0, 0.1 * crop.side, (14, 2))
            return crop.centre + noise, 0.15
        points = self._noisy_keypoints(self.people[best], shares[best])
        return points, 0.5 + 0.45 * shares[best]


def _as_blazepose(lsp: Array) -> Array:
    points = np.tile(lsp[12], (33, 1))
    points[[28, 26, 24, 23, 25, 27, 16, 14, 12, 11, 13, 15]] = lsp[:12]
    points[:11] = (lsp[13] + 0.6 * lsp[12]) / 1.6
    return points


@dataclass(frozen=True)
class Outcome:
    """Tracking result of one crossing."""

    name: str
    all_seen: bool
    """Everybody was tracked before the crossing."""
    switched: bool
    """Somebody has another id afterwards, or an id shows somebody else."""
    lost: bool
    """Somebody is not shown any more at the end."""
    doubled: int
    """Frames in which two ids showed one person."""


def evaluate(name: str, shown: Sequence[dict[int, int]], people: int, rate: float) -> Outcome:
    """Compare everybody's ids in the first and the last second.

    Parameters
    ----------
    name : str
    shown : sequence of dict
        For each frame: id -> index of the person it showed.
    people : int
    rate : float
        Frames per second.
    """
    second = int(rate)
    early, late = _ids(shown[second // 2 : 2 * second]), _ids(shown[-second:])
    # a person not seen before has no id to lose, but must not have somebody else's
    owner = {each: person for person, each in early.items()}
    switched = any(
        late[person] != early.get(person, late[person]) or owner.get(late[person], person) != person
        for person in late
    )
    doubled = sum(len(set(frame.values())) < len(frame) for frame in shown)
    return Outcome(name, len(early) == people, switched, len(late) < people, doubled)


def _ids(shown: Sequence[dict[int, int]]) -> dict[int, int]:
    """Return the most frequent id of each person."""
    counts: dict[int, dict[int, int]] = {}
    for frame in shown:
        for person_id, person in frame.items():
            own = counts.setdefault(person, {})
            own[person_id] = own.get(person_id, 0) + 1
    return {person: max(own, key=lambda each: own[each]) for person, own in counts.items()}


def track_crossing(crossing: Crossing, seed: int = 0) -> Outcome:
    """Run the tracker on a scene with the fake detector and network."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 190, (9, 16, 3), dtype=np.uint8)
    background = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    scene = FakeScene(crossing.people, seed)
    tracker = PersonTracker(scene, 256, TrackerConfig(people=len(crossing.people)))
    grain = [rng.integers(-6, 7, (HEIGHT, WIDTH, 3), dtype=np.int16) for _ in range(3)]
    shown = []
    for index in range(int(crossing.seconds * RATE)):
        scene.time = index / RATE
        image = draw_people(crossing.people, scene.time, background)
        image = np.clip(image + grain[index % 3], 0, 255).astype(np.uint8)
        observations = []
        for crop in tracker.begin_frame(Frame(index, scene.time, image)):
            points, score = scene.estimate(crop.crop)
            refined = tracker.refine_crop(crop, points)
            if refined is not None:
                crop = refined
                points, score = scene.estimate(crop.crop)
            observations.append(TrackObservation(crop, points, score))
        frame = {}
        for each, person_id in zip(observations, tracker.update(observations), strict=True):
            if person_id is not None:
                frame[person_id] = _nearest(each.keypoints, crossing.people, scene.time)
        shown.append(frame)
    return evaluate(crossing.name, shown, len(crossing.people), RATE)


def _nearest(points: Array, people: Sequence[Walker], time: float) -> int:
    def distance(number: int) -> float:
        return float(np.abs(people[number].keypoints(time) - points).mean())

    return min(range(len(people)), key=distance)


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
    """Return crossings of different kinds, in clothes that differ much and little."""
    scenes = []
    wardrobes = [
        ("different", (RED, JEANS), (BLUE, BLACK)),
        ("similar trousers", (GREEN, JEANS), (WHITE, JEANS)),
        ("similar shirts", (WHITE, BLACK), (WHITE, BEIGE)),
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
                f"opposite, slow, {clothes}",
                pair(_straight(200, 450, 5), _straight(440, 210, 5), (190, 180)), 6,
            ),
            Crossing(
                f"one overtakes the other, {clothes}",
                pair(_straight(60, 580, 4), _straight(160, 380, 4)), 5,
            ),
            Crossing(
                f"both turn back, {clothes}",
                pair(_there_and_back(120, 300, 4), _there_and_back(520, 340, 4)), 5,
            ),
            Crossing(
                f"one stands still, {clothes}",
                pair(_straight(60, 590, 4.5), _still(320)), 5.5,
            ),
            Crossing(
                f"occluded for half a second, {clothes}",
                pair(_waits(100, 320, 560, 1.5, 2.0), _still(320)), 5,
            ),
            Crossing(
                f"occluded for more than a second, {clothes}",
                pair(_waits(100, 320, 560, 1.5, 2.8), _still(320)), 5.5,
            ),
            Crossing(
                f"one leaves the image and returns, {clothes}",
                pair(_still(200), _waits(450, 720, 430, 1.6, 2.6)), 6,
            ),
        ]  # fmt: skip
    return scenes
