"""Validated reading of MATLAB files with SciPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from pymaf_live.errors import InputError
from pymaf_live.types import Array


def read_mat(path: Path, variable: str, **options: Any) -> Any:
    """Return one variable of a MATLAB file (up to version 7.2; 7.3 files are HDF5 and rejected).

    Raises
    ------
    InputError
        If the file is missing, broken, of version 7.3, or lacks the variable.
    """
    if not path.is_file():
        raise InputError(f"there is no {path}")
    try:
        return loadmat(path, appendmat=False, variable_names=[variable], **options)[variable]
    except KeyError as error:
        raise InputError(f"{path} has no variable {variable}") from error
    # SciPy raises many exception types for broken files
    except Exception as error:
        raise InputError(f"{path} is not a MATLAB file that SciPy can read: {error}") from error


def read_mat_array(path: Path, variable: str) -> Array:
    """Return a numeric array of a MATLAB file as finite float64.

    Raises
    ------
    InputError
        If `read_mat` fails, or the variable is not an array of finite numbers.
    """
    array = np.asarray(read_mat(path, variable))
    if array.dtype.kind not in "fiub":
        raise InputError(f"{path}: {variable} is not an array of numbers")
    numbers = array.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise InputError(f"{path}: {variable} has values that are not finite")
    return numbers
