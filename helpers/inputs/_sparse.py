"""Sparse matrices, which become dense in blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from helpers.inputs._arrays import Stored
from helpers.inputs._files import bounds, real_dtype
from helpers.inputs._leftovers import UnreadableError

LARGEST = 4 << 30  # bytes of a sparse matrix once it is dense


def in_npz(path: Path, file: str) -> dict[str, Stored]:
    """The matrix that ``scipy.sparse.save_npz`` wrote."""
    from scipy import sparse

    try:
        matrix = sparse.load_npz(path)
    except (ValueError, KeyError, IndexError) as error:
        raise UnreadableError(f"{file} is no complete sparse matrix of SciPy: {error}") from error
    return {path.stem: dense(matrix, path, file)}


def dense(matrix: Any, path: Path, file: str) -> Stored:
    """A sparse matrix as a dense one, made a block of rows at a time."""
    rows, width = matrix.shape
    real = real_dtype(matrix.dtype)
    if (size := rows * width * real.itemsize) > LARGEST:
        raise UnreadableError(
            f"{file} is sparse, {rows} x {width}, and would have {size / 2**30:.1f} GB as numbers; reduce it first: "
            f"np.save('{path.stem}.npy', TruncatedSVD(300).fit_transform(matrix)), with TruncatedSVD of "
            "sklearn.decomposition"
        )
    compressed = matrix.tocsr()
    share = compressed.nnz / max(1, rows * width)
    note = f"sparse, {100 * share:.3g} % of the entries are not 0; filled with zeros"
    return Stored(path, 0, (rows, width), compressed.dtype, source=_blocks(compressed), note=note)


def _blocks(matrix: Any) -> Callable[[], Iterator[np.ndarray]]:
    return lambda: (matrix[start:stop].toarray() for start, stop in bounds(*matrix.shape))
