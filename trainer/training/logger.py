"""Log of a run: `log.jsonl`, TensorBoard beside it, and lines on the terminal."""

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


class TrainingLogger:
    """Log of a run in its folder.

    Parameters
    ----------
    folder : Path
    step : int
        Step that the run resumes from; records of later steps are removed.
    steps : int
        Steps of the whole run.
    batch : int
        Images of a step.
    limit : float, optional
        Seconds of training after which the run ends.
    enabled : bool
        False for all processes but the main one, which log nothing.
    """

    def __init__(
        self,
        folder: Path,
        step: int,
        steps: int,
        batch: int,
        *,
        limit: float | None = None,
        enabled: bool = True,
    ) -> None:
        self._file = folder / "log.jsonl"
        self._steps, self._batch, self._limit = steps, batch, limit
        self._console = Console(stderr=True, soft_wrap=True, quiet=not enabled)
        self._board = _open_tensorboard(folder, step, self._console) if enabled else None
        self._enabled = enabled
        self._last_time, self._last_step = time.monotonic(), step
        if enabled:
            _truncate(self._file, step)

    def message(self, line: str) -> None:
        """Print a line on the terminal."""
        self._console.print(line)

    def scalars(self, step: int, group: str, values: Mapping[str, float]) -> None:
        """Record values of a step."""
        if not self._enabled:
            return
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{group}/{name}", value, step)

    def image(self, step: int, name: str, image: Image) -> None:
        """Record an image (H, W, 3) for TensorBoard."""
        if self._board is not None:
            self._board.add_image(name, image, step, dataformats="HWC")

    def progress(self, step: int, seconds: float, loss: float, *, early: bool = False) -> None:
        """Print the progress, the rate and the remaining time, at most every 15 seconds.

        Parameters
        ----------
        step : int
        seconds : float
            Training time so far, including earlier parts of a resumed run.
        loss : float
        early : bool
            Print at once.
        """
        now = time.monotonic()
        if now - self._last_time < _SECONDS_BETWEEN_LINES and not early:
            return
        step_seconds = (now - self._last_time) / (step - self._last_step)
        remaining = step_seconds * (self._steps - step)
        if self._limit is not None:
            remaining = min(remaining, self._limit - seconds)
        rate = self._batch / step_seconds
        self.message(
            f"{step}/{self._steps}  loss {loss:.2f}  {rate:.0f} images/s  "
            f"{max(remaining, 0) / 60:.0f} min left"
        )
        if self._board is not None:
            self._board.add_scalar("pace/images_per_second", rate, step)
        self.restart_timer(step)

    def restart_timer(self, step: int) -> None:
        """Exclude the time since the last line, such as a validation, from the rate."""
        self._last_time, self._last_step = time.monotonic(), step

    def close(self) -> None:
        """Flush TensorBoard's writer."""
        if self._board is not None:
            self._board.close()


def _open_tensorboard(folder: Path, step: int, console: Console) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        console.print("TensorBoard is not installed; figures are written to log.jsonl only")
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step)


def _truncate(path: Path, step: int) -> None:
    """Remove records past a step, and a last line that a kill cut short."""
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
