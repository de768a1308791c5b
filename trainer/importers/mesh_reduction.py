"""Downsampling of the mesh to the points that the published network samples."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, issparse
from torch import Tensor

from pymaf_live.body.smpl_file import read_zip_array
from pymaf_live.errors import InputError
from trainer.importers.checkpoint import REDUCTION, TOLERANCE

_MAX_STEPS = 8


def find_reduction(
    weights: Mapping[str, Tensor], path: Path | None, source: Path, vertices: int
) -> csr_matrix:
    """Return the matrix (P, V) from the mesh to the sampled points.

    Parameters
    ----------
    weights : mapping of str to Tensor
        Tensors of the checkpoint.
    path : Path, optional
        npz of the downsampling, for a checkpoint without it.
    source : Path
        The checkpoint, for errors.
    vertices : int
        V of the body.

    Raises
    ------
    InputError
        If there is none, the two differ, or it is for another body.
    """
    buffers = [value for name, value in weights.items() if REDUCTION.fullmatch(name)]
    matrices = [csr_matrix(value.to_dense().numpy().astype(np.float64)) for value in buffers]
    if path is not None:
        matrices.append(_read_reduction(path))
    if not matrices:
        raise InputError(f"{source} has no mesh downsampling: give the file with --downsampling")
    first = matrices[0]
    for other in matrices[1:]:
        if other.shape != first.shape or abs(other - first).max() > TOLERANCE:
            raise InputError(
                f"the mesh downsampling of {path or source} differs from that of {source}"
            )
    if first.shape[1] != vertices:
        raise InputError(
            f"the mesh downsampling of {source} is for {first.shape[1]} vertices; the body has "
            f"{vertices}"
        )
    return first


def _read_reduction(path: Path) -> csr_matrix:
    """Return the product of an npz' first two matrices `D`, finest first."""
    try:
        with zipfile.ZipFile(path) as archive:
            steps = read_zip_array(archive, archive.getinfo("D.npy"), path)
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a file of a mesh's downsampling: {error}") from error
    steps = steps if isinstance(steps, list) else [steps]
    if not 1 <= len(steps) <= _MAX_STEPS or not all(issparse(step) for step in steps):
        raise InputError(f"{path}: its D is not a list of matrices")
    product = csr_matrix(steps[0])
    for step in steps[1:2]:
        if step.shape[1] != product.shape[0]:
            raise InputError(f"{path}: the sizes of its matrices do not match")
        product = csr_matrix(step @ product)
    return product
