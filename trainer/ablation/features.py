"""The frozen trunk's maps of all crops, kept on disk and in memory: what every variant learns from.

A crop and its mirror image of every person, without further variation; computed once, in blocks,
so that a kill loses one block at most.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from pymaf_live.body import Body
from pymaf_live.errors import InputError
from pymaf_live.inference.preprocess import network_input
from pymaf_live.system.atomic_write import atomic_write, make_folder
from trainer.commands.progress import followed
from trainer.data.crops import CropDataset, Sample
from trainer.data.fits import Fits
from trainer.data.fitted import FittedPeople
from trainer.data.lspet import JointSet
from trainer.network.blazepose import SIZE, TfliteModule
from trainer.training.losses import Labels

LATERALS = {"lite": (254, 236, 211)}
"""Tensor numbers of the encoder's own maps of 8x8, 16x16 and 32x32, before the pyramid."""

_BLOCK = 100
_AT_ONCE = 20

Halves = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Features:
    """N people, each as they are (0) and mirrored (1)."""

    maps: tuple[Halves, ...]
    """(2, N, C, H, W) a size, coarse to fine."""
    labels: dict[str, npt.NDArray[np.float32]]
    """(2, N, ...) by the names of `Labels`."""

    def __len__(self) -> int:
        """N."""
        return int(self.maps[0].shape[1])

    def batch(
        self, rows: npt.NDArray[np.int64], mirrored: npt.NDArray[np.int64], device: str = "cpu"
    ) -> tuple[list[torch.Tensor], Labels]:
        """Maps and labels of some people; `mirrored` is 0 or 1 for each."""

        def taken(values: npt.NDArray[np.generic]) -> torch.Tensor:
            return torch.from_numpy(values[mirrored, rows].astype(np.float32)).to(device)

        labels = {name: taken(values) for name, values in self.labels.items()}
        return [taken(one) for one in self.maps], Labels(**labels)


def read_features(
    folder: Path,
    joint_set: JointSet,
    fits: Fits,
    body: Body,
    landmark_file: Path,
    rows: Sequence[int],
) -> Features:
    """Read the features of some rows of a set, after making what is not there yet.

    Parameters
    ----------
    folder : Path
        Where they are kept.
    joint_set, fits
        The people and their bodies.
    body : Body
    landmark_file : Path
        BlazePose's `lite` file.
    rows : sequence of int

    Raises
    ------
    InputError
        If the folder has features of other data or is broken.
    """
    make_folder(folder)
    about = _about(joint_set, fits, body, landmark_file, rows)
    _check(folder / "about.json", about)
    crops = CropDataset([FittedPeople(joint_set, fits)], body, SIZE, None)
    taps = {f"map{k}": number for k, number in enumerate(LATERALS["lite"])}
    blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    paths = [folder / f"block_{number:04d}.npz" for number in range(len(blocks))]
    missing = [index for index, path in enumerate(paths) if not path.exists()]
    if missing:
        graph = TfliteModule(landmark_file, taps).eval()
        graph.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for index in followed(missing, "features"):
            with atomic_write(paths[index]) as temporary:
                np.savez(temporary, **_computed(graph, crops, blocks[index]))  # type: ignore[arg-type]
    return _joined(paths, [len(block) for block in blocks])


def _about(
    joint_set: JointSet, fits: Fits, body: Body, landmark_file: Path, rows: Sequence[int]
) -> dict[str, str | int]:
    digest = hashlib.sha256()
    parts = (joint_set.joints, fits.rotations, fits.camera, fits.kept)
    for array in (*parts, np.asarray(rows, dtype=np.int64)):
        digest.update(np.ascontiguousarray(array).tobytes())
    encoder = hashlib.sha256(landmark_file.read_bytes()).hexdigest()
    return {"data": digest.hexdigest(), "body": body.sha256, "encoder": encoder, "version": 1}


def _check(path: Path, about: dict[str, str | int]) -> None:
    if not path.exists():
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(about), encoding="utf-8")
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is broken: {error}") from error
    if found != about:
        raise InputError(f"{path.parent} has features of other data; choose another --out")


@torch.no_grad()
def _computed(
    graph: TfliteModule, crops: CropDataset, rows: Sequence[int]
) -> dict[str, npt.NDArray[np.generic]]:
    random = np.random.default_rng(0)
    plain = [crops.sample(0, row, random) for row in rows]
    samples: list[Sample] = [*plain, *(crops.mirrored(sample) for sample in plain)]
    found: dict[str, list[npt.NDArray[np.float16]]] = {}
    for start in range(0, len(samples), _AT_ONCE):
        images = np.stack([sample.image for sample in samples[start : start + _AT_ONCE]])
        given = torch.from_numpy(network_input(images)).contiguous(
            memory_format=torch.channels_last
        )
        for name, value in graph(given).items():
            found.setdefault(name, []).append(value.numpy().astype(np.float16))

    def both(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return values.reshape(2, len(rows), *values.shape[1:])

    maps = {name: both(np.concatenate(values)) for name, values in found.items()}
    labels = {
        field.name: both(
            np.stack([np.asarray(getattr(s, field.name), np.float32) for s in samples])
        )
        for field in fields(Labels)
    }
    return {**maps, **labels}


def _joined(paths: Sequence[Path], sizes: Sequence[int]) -> Features:
    whole: dict[str, npt.NDArray[np.generic]] = {}
    names = [f"map{k}" for k in range(len(LATERALS["lite"]))]
    names += [field.name for field in fields(Labels)]
    first = 0
    for path, size in zip(paths, sizes, strict=True):
        try:
            with np.load(path, allow_pickle=False) as file:
                for name in names:
                    block = file[name]
                    if name not in whole:
                        shape = (2, sum(sizes), *block.shape[2:])
                        whole[name] = np.empty(shape, block.dtype)
                    whole[name][:, first : first + size] = block
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
            raise InputError(
                f"{path} is broken; delete it to have it made anew: {error}"
            ) from error
        first += size
    maps = tuple(whole.pop(f"map{k}").astype(np.float16, copy=False) for k in range(3))
    labels = {name: values.astype(np.float32, copy=False) for name, values in whole.items()}
    return Features(maps, labels)
