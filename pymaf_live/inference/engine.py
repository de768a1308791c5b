"""Interface of a back-end with a model loaded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.inference.metadata import ModelMetadata

Images = npt.NDArray[np.float32]
"""(B, 3, S, S), 0..1 RGB."""
Outputs = dict[str, npt.NDArray[np.float32]]
"""Output arrays by name; the first axis is the batch."""


class Engine(ABC):
    """A model loaded by one back-end.

    Only `infer` must be implemented. A back-end that can run inference in the background also
    implements `submit`, `collect` and `cancel`; by default `submit` does nothing and `collect` runs
    inference.
    """

    metadata: ModelMetadata
    """Metadata of the model file, checked."""
    name: str
    """Back-end and its version."""
    precision: str = ""
    """Numeric precision, such as 'f32'; empty if the back-end does not report it."""
    notice: str = ""
    """Limitation the user should know of; empty if there is none."""
    num_streams: int = 1
    """Number of requests that run at the same time; 1 if inference does not run in the
    background."""

    @property
    def preferred_batch(self) -> int:
        """Number of people per request at which inference is most efficient."""
        return 1

    @abstractmethod
    def infer(self, images: Images) -> Outputs:
        """Run inference on images (B, 3, S, S), B >= 1.

        Raises
        ------
        ModelError
            If the back-end fails.
        """

    def submit(self, images: Images) -> Any:
        """Start inference on images (B, 3, S, S), B >= 1, and return a ticket for `collect`.

        Raises
        ------
        ModelError
            If the back-end fails.
        """
        return images

    def collect(self, ticket: Any) -> tuple[Outputs, float]:
        """Wait for the outputs of a ticket; called once.

        Returns
        -------
        dict
            Outputs by name.
        float
            Run time in milliseconds, without time spent waiting for other requests; 0 if unknown.

        Raises
        ------
        ModelError
            If the back-end fails.
        """
        return self.infer(ticket), 0.0

    def cancel(self, ticket: Any) -> None:
        """Stop the requests of a ticket as soon as possible; `collect` will not be called."""
        return None

    def close(self) -> None:
        """Release memory and threads."""
        return None
