"""Variables of MATLAB files: versions 4 to 7 by SciPy, 7.3 as HDF5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from helpers.inputs._arrays import Stored, single_value, text_array
from helpers.inputs._leftovers import UnreadableError


def stored(path: Path, file: str) -> dict[str, Stored]:
    """The variables of a file by name; rows or columns of one are vectors."""
    with path.open("rb") as stream:
        start = stream.read(520)
    if start[512:520] == b"\x89HDF\r\n\x1a\n" or start.startswith((b"\x89HDF", b"MATLAB 7.3")):
        from helpers.inputs._hdf5 import stored_by_matlab

        return stored_by_matlab(path, file)
    from scipy.io import loadmat

    try:
        variables = loadmat(path, chars_as_strings=True)
    except MemoryError:
        raise
    except Exception as error:  # SciPy has no error of its own for damaged files
        raise UnreadableError(f"{file} is damaged or no file of MATLAB: {error}") from error
    out = {}
    for name, value in variables.items():
        if not name.startswith("__"):
            array = _array(value, path, file)
            out[name] = single_value(path, "") if array is None else array
    return out


def _array(value: Any, path: Path, file: str) -> Stored | None:
    """A variable as an array; None for structures and functions."""
    if hasattr(value, "tocsr"):
        from helpers.inputs._sparse import dense

        return dense(value, path, file)
    if not isinstance(value, np.ndarray) or value.dtype.names is not None:
        return None
    value = value.ravel() if value.ndim == 2 and 1 in value.shape else value
    if value.dtype.hasobject:  # a cell array
        words = [np.ravel(cell) for cell in np.ravel(value)]
        if not all(word.size <= 1 and word.dtype.kind in "Uiuf" for word in words):
            return None
        return text_array(path, [str(word[0]) if word.size else "" for word in words])
    return Stored(path, 0, value.shape, value.dtype, array=value)
