"""Collecting results into a take while they arrive."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.body import Body
from pymaf_live.errors import InputError
from pymaf_live.takes.rows import measured_rate, require_same_size, row_of, row_type
from pymaf_live.takes.take import Take
from pymaf_live.types import Camera, FrameResult, Person, SourceFacts

_FIRST_CAPACITY = 256


class _Column:
    """An array that grows at its end; the room doubles, so that a row costs the same on average."""

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self._values: npt.NDArray[Any] = np.empty((_FIRST_CAPACITY, *shape), dtype)
        self._count = 0

    def append(self, value: npt.ArrayLike) -> None:
        if self._count == len(self._values):
            larger = np.empty((2 * self._count, *self._values.shape[1:]), self._values.dtype)
            larger[: self._count] = self._values
            self._values = larger
        self._values[self._count] = value
        self._count += 1

    def array(self) -> npt.NDArray[Any]:
        return self._values[: self._count].copy()


class TakeRecorder:
    """Collects frame results; gives a take at any moment.

    Rows are kept as float32 (the file's precision), some 1 kB a person and frame.

    Parameters
    ----------
    body : Body
    facts : SourceFacts
        Of the source; its frame rate is measured from the stamps where it is not known.
    model : str
        Name of the network's model, for the record.
    smoothing : str
        What was done to the people that `add` gets: 'off', 'live' or 'offline'.
    raw : bool
        Record the people as they were before smoothing, for smoothing them off-line.
    """

    def __init__(
        self,
        body: Body,
        facts: SourceFacts,
        *,
        model: str = "",
        smoothing: str = "off",
        raw: bool = False,
    ) -> None:
        self._body = body
        self._facts = facts
        self._model = model
        self._smoothing = smoothing
        self._raw = raw
        self._camera: Camera | None = None
        self._pictures = facts.kind == "pictures"
        self._picture_names: list[str] = []
        self._picture_cameras = _Column((5,), np.float64)
        self._times = _Column((), np.float64)
        self._last_time = -np.inf
        self._frame_count = 0
        kept = row_type(body.joint_count, body.shape_count)
        self._columns = {"frame": _Column((), np.int64)}
        for name in kept.names or ():
            self._columns[name] = _Column(kept[name].shape, kept[name].base)

    @property
    def frame_count(self) -> int:
        """Frames recorded so far."""
        return self._frame_count

    def add(self, result: FrameResult) -> bool:
        """Record a frame, with or without people in it.

        Returns
        -------
        bool
            False where the frame was left out because its time is not after the last one's.

        Raises
        ------
        InputError
            If the frame's size differs from the first one's: but for separate pictures, a take
            has one camera.
        """
        if not result.frame.time > self._last_time:
            return False
        height, width = result.frame.image.shape[:2]
        camera = result.camera or Camera.for_frame((width, height))
        if self._camera is None:
            self._camera = camera
        elif not self._pictures:
            require_same_size(self._facts.name, self._camera, camera)
        self._last_time = result.frame.time
        self._times.append(result.frame.time)
        if self._pictures:
            self._picture_names.append(result.frame.name)
            self._picture_cameras.append(
                [*camera.size, camera.focal_length, *camera.principal_point]
            )
        for person in result.raw if self._raw else result.people:
            self._add_person(person)
        self._frame_count += 1
        return True

    def _add_person(self, person: Person) -> None:
        row: dict[str, npt.ArrayLike] = {"frame": self._frame_count, **row_of(person)}
        for name, value in row.items():
            self._columns[name].append(value)

    def take(self) -> Take:
        """What was recorded so far; recording may go on.

        Raises
        ------
        InputError
            If no frame came and the source does not say its size.
        """
        camera = self._camera
        if camera is None:
            if self._facts.size is None:
                raise InputError(f"nothing was recorded from {self._facts.name}: no frame came")
            camera = Camera.for_frame(self._facts.size)
        times = self._times.array()
        columns: dict[str, Any] = {name: column.array() for name, column in self._columns.items()}
        return Take(
            source=self._facts.name,
            frame_size=camera.size,
            frame_rate=self._facts.frame_rate or measured_rate(times),
            frame_time=times,
            focal_length=camera.focal_length,
            principal_point=np.asarray(camera.principal_point, dtype=np.float64),
            joint_names=self._body.joint_names,
            parents=self._body.parents,
            body_sha256=self._body.sha256,
            model=self._model,
            smoothing=self._smoothing,
            picture_name=tuple(self._picture_names),
            picture_camera=self._picture_cameras.array() if self._picture_names else None,
            **columns,
        )
