"""What a run says of itself: `log.jsonl`, TensorBoard beside it, and lines on the terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from pymaf_live.system.atomic_write import atomic_write
from pymaf_live.types import Image

_SECONDS_BETWEEN_LINES = 15.0


class RunLog:
    """The log of a run in its folder.

    Parameters
    ----------
    folder : Path
    step : int
        The step that the run goes on from; what an earlier try logged past it is dropped.
    steps : int
        Of the whole run.
    batch : int
        Pictures of a step.
    limit : float, optional
        Seconds of training after which the run ends.
    speaks : bool
        Whether this process writes and speaks; the others of several stay silent.
    """

    def __init__(
        self,
        folder: Path,
        step: int,
        steps: int,
        batch: int,
        *,
        limit: float | None = None,
        speaks: bool = True,
    ) -> None:
        self._file = folder / "log.jsonl"
        self._steps, self._batch, self._limit = steps, batch, limit
        self._console = Console(stderr=True, soft_wrap=True, quiet=not speaks)
        self._board = _open_board(folder, step, self._console) if speaks else None
        self._speaks = speaks
        self._told, self._told_step = time.monotonic(), step
        if speaks:
            _drop_after(self._file, step)

    def say(self, line: str) -> None:
        """A line on the terminal."""
        self._console.print(line)

    def figures(self, step: int, group: str, record: Mapping[str, float]) -> None:
        """Numbers of a step."""
        if not self._speaks:
            return
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **record}) + "\n")
        if self._board is not None:
            for name, value in record.items():
                self._board.add_scalar(f"{group}/{name}", value, step)

    def picture(self, step: int, name: str, image: Image) -> None:
        """A picture (H, W, 3) for TensorBoard."""
        if self._board is not None:
            self._board.add_image(name, image, step, dataformats="HWC")

    def pace(self, step: int, seconds: float, loss: float) -> None:
        """Every quarter of a minute: how far the run is, how fast, and how long it will take.

        Parameters
        ----------
        step : int
        seconds : float
            Time trained so far, earlier tries counted in.
        loss : float
        """
        now = time.monotonic()
        if now - self._told < _SECONDS_BETWEEN_LINES:
            return
        a_step = (now - self._told) / (step - self._told_step)
        left = a_step * (self._steps - step)
        if self._limit is not None:
            left = min(left, self._limit - seconds)
        self.say(
            f"{step}/{self._steps}  loss {loss:.2f}  {self._batch / a_step:.0f} pictures/s  "
            f"{max(left, 0) / 60:.0f} min left"
        )
        if self._board is not None:
            self._board.add_scalar("pace/pictures_per_second", self._batch / a_step, step)
        self.resume_pace(step)

    def resume_pace(self, step: int) -> None:
        """Do not count what was done since as training (a validation)."""
        self._told, self._told_step = time.monotonic(), step

    def close(self) -> None:
        """Write out what TensorBoard's writer still holds."""
        if self._board is not None:
            self._board.close()


def _open_board(folder: Path, step: int, console: Console) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        console.print("tensorboard is not installed: figures go to log.jsonl alone")
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step)


def _drop_after(path: Path, step: int) -> None:
    """Leave out what was logged past a step, and a last line that a kill cut short."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if _step_of(line) <= step]
    if kept != lines:
        with atomic_write(path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
