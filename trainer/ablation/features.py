"""Maps of the frozen trunk for all crops, cached on disk: the training data of every variant.

There are a crop and its mirror image of every person, without further augmentation. They are
computed once, in blocks, so that a kill loses at most one block.
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
from pymaf_live.system.reporter import SILENT, Reporter, report_each
from trainer.data.crops import CropDataset, Sample
from trainer.data.fits import Fits
from trainer.data.fitted import FittedDataset
from trainer.data.lspet import JointSet
from trainer.network.blazepose import SIZE, TfliteModule
from trainer.training.losses import Labels

LATERALS = {"lite": (254, 236, 211)}
"""Tensor numbers of the encoder's own maps of 8x8, 16x16 and 32x32, before the pyramid."""

_BLOCK = 100
_BATCH = 20

Halves = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Features:
    """Maps and labels of N people, original (0) and mirrored (1)."""

    maps: tuple[Halves, ...]
    """(2, N, C, H, W) per size, coarse to fine."""
    labels: dict[str, npt.NDArray[np.float32]]
    """(2, N, ...) by field name of `Labels`."""

    def __len__(self) -> int:
        """Return N."""
        return int(self.maps[0].shape[1])

    def batch(
        self, rows: npt.NDArray[np.int64], mirrored: npt.NDArray[np.int64], device: str = "cpu"
    ) -> tuple[list[torch.Tensor], Labels]:
        """Return maps and labels of some people; `mirrored` is 0 or 1 for each."""

        def select(values: npt.NDArray[np.generic]) -> torch.Tensor:
            return torch.from_numpy(values[mirrored, rows].astype(np.float32)).to(device)

        labels = {name: select(values) for name, values in self.labels.items()}
        return [select(one) for one in self.maps], Labels(**labels)


def read_features(
    folder: Path,
    joint_set: JointSet,
    fits: Fits,
    body: Body,
    landmark_file: Path,
    rows: Sequence[int],
    reporter: Reporter = SILENT,
) -> Features:
    """Read the features of some rows of a set, and compute missing ones first.

    Parameters
    ----------
    folder : Path
        Cache of the features.
    joint_set, fits
        The people and their bodies.
    body : Body
    landmark_file : Path
        BlazePose's `lite` file.
    rows : sequence of int
    reporter : Reporter

    Raises
    ------
    InputError
        If the folder has features of other data or is damaged.
    """
    make_folder(folder)
    source = _source(joint_set, fits, body, landmark_file, rows)
    _check_source(folder / "about.json", source)
    crops = CropDataset([FittedDataset(joint_set, fits)], body, SIZE, None)
    taps = {f"map{k}": number for k, number in enumerate(LATERALS["lite"])}
    blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    paths = [folder / f"block_{number:04d}.npz" for number in range(len(blocks))]
    missing = [index for index, path in enumerate(paths) if not path.exists()]
    if missing:
        graph = TfliteModule(landmark_file, taps).eval()
        graph.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for index in report_each(missing, reporter, "features"):
            with atomic_write(paths[index]) as temporary:
                np.savez(temporary, **_compute(graph, crops, blocks[index]))  # type: ignore[arg-type]
    return _read_blocks(paths, [len(block) for block in blocks])


def _source(
    joint_set: JointSet, fits: Fits, body: Body, landmark_file: Path, rows: Sequence[int]
) -> dict[str, str | int]:
    digest = hashlib.sha256()
    parts = (joint_set.joints, fits.rotations, fits.camera, fits.kept)
    for array in (*parts, np.asarray(rows, dtype=np.int64)):
        digest.update(np.ascontiguousarray(array).tobytes())
    encoder = hashlib.sha256(landmark_file.read_bytes()).hexdigest()
    return {"data": digest.hexdigest(), "body": body.sha256, "encoder": encoder, "version": 2}


def _check_source(path: Path, source: dict[str, str | int]) -> None:
    if not path.exists():
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(source), encoding="utf-8")
        return
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error}") from error
    if stored != source:
        raise InputError(f"{path.parent} has features of other data; choose another --out")


@torch.no_grad()
def _compute(
    graph: TfliteModule, crops: CropDataset, rows: Sequence[int]
) -> dict[str, npt.NDArray[np.generic]]:
    random = np.random.default_rng(0)
    plain = [crops.sample(0, row, random) for row in rows]
    samples: list[Sample] = [*plain, *(crops.mirrored(sample) for sample in plain)]
    values: dict[str, list[npt.NDArray[np.float16]]] = {}
    for start in range(0, len(samples), _BATCH):
        images = np.stack([sample.image for sample in samples[start : start + _BATCH]])
        batch = torch.from_numpy(network_input(images)).contiguous(
            memory_format=torch.channels_last
        )
        for name, value in graph(batch).items():
            values.setdefault(name, []).append(value.numpy().astype(np.float16))

    def split(stacked: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return stacked.reshape(2, len(rows), *stacked.shape[1:])

    maps = {name: split(np.concatenate(parts)) for name, parts in values.items()}
    labels = {
        field.name: split(
            np.stack([np.asarray(getattr(s, field.name), np.float32) for s in samples])
        )
        for field in fields(Labels)
    }
    return {**maps, **labels}


def _read_blocks(paths: Sequence[Path], sizes: Sequence[int]) -> Features:
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
                f"{path} is damaged; delete it to compute it again: {error}"
            ) from error
        first += size
    maps = tuple(whole.pop(f"map{k}").astype(np.float16, copy=False) for k in range(3))
    labels = {name: values.astype(np.float32, copy=False) for name, values in whole.items()}
    return Features(maps, labels)
