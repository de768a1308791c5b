"""Real images and videos beside the checkout; tests that need missing ones are skipped."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from pymaf_live.types import Array, Image
from tests.helpers.paths import SHARED

DATA = SHARED / "data"


def video_frames(name: str, every: int) -> list[Image]:
    path = DATA / "videos" / f"{name}.mp4"
    if not path.is_file():
        pytest.skip(f"{path} is missing")
    av = pytest.importorskip("av")
    with av.open(path) as container:
        return [
            frame.to_ndarray(format="rgb24")
            for index, frame in enumerate(container.decode(video=0))
            if index % every == 0
        ]


def lspet_people(count: int, every: int = 1) -> Iterator[tuple[Image, Array]]:
    """Yield image and joints (14, 3) of every `every`-th of the last rows."""
    folder = DATA / "lspet"
    if not folder.is_dir():
        pytest.skip(f"{folder} is missing")
    labels = np.load(folder / "labels.npz", allow_pickle=False)
    for row in range(len(labels["name"]) - count * every, len(labels["name"]), every):
        with zipfile.ZipFile(folder / f"images_{int(labels['shard'][row]):02d}.zip") as archive:
            content = io.BytesIO(archive.read(str(labels["name"][row])))
        image = cv2.imdecode(np.frombuffer(content.getvalue(), np.uint8), cv2.IMREAD_COLOR)
        yield np.ascontiguousarray(image[:, :, ::-1]), labels["joints"][row]
