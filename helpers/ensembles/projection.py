"""Statistics learnt from blocks of rows: what normalises one representation, and principal axes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from helpers.arrays import unit_rows
from helpers.ensembles.representations import Representations

__all__ = ["NORMALIZE", "Axes", "Normalizer", "streamed_axes"]

NORMALIZE = (None, "center", "standardize", "unit")


class Normalizer(NamedTuple):
    """How each representation is made ready: (block - shift) / scale, or rows of unit length."""

    kind: str | None
    shift: dict[int, np.ndarray]
    scale: dict[int, np.ndarray]

    @classmethod
    def learn(cls, kind: str | None, representations: Representations, used: Iterable[int]) -> Normalizer:
        shift, scale = {}, {}
        if kind in ("center", "standardize"):
            for i in used:
                shift[i], deviation = _moments(representations, i)
                if kind == "standardize":
                    scale[i] = np.where(deviation > 0, deviation, 1)
        return cls(kind, shift, scale)

    def __call__(self, index: int, block: np.ndarray) -> np.ndarray:
        """``block`` of the representation ``index``, normalised, in its own dtype."""
        if self.kind == "unit":
            return unit_rows(block)
        out = block - self.shift[index] if index in self.shift else block
        out = out / self.scale[index] if index in self.scale else out
        return out.astype(block.dtype, copy=False)


class Axes(NamedTuple):
    """Principal axes: (block - mean) @ components; ``variance`` along each of them and in all."""

    mean: np.ndarray
    components: np.ndarray
    variance: np.ndarray
    total: float

    def __call__(self, block: np.ndarray) -> np.ndarray:
        # The mean is taken off first: of two large products little would be left in float32.
        return (block - self.mean.astype(block.dtype)) @ self.components.astype(block.dtype)


def streamed_axes(
    blocks: Callable[[], Iterable[np.ndarray]], n: int, size: int, width: int | None, most: int, whiten: float
) -> Axes:
    """The ``width`` leading principal axes of n rows of ``size`` features that arrive in blocks.

    Exact: from the covariance (float64 sums over blocks) while n > size, else from the matrix of inner products.
    ``width=None`` takes ``most`` axes, or as many as vary. The largest entry of each axis is positive. Axes are scaled
    by variance ** (-whiten / 2).
    """
    if n < 2:
        raise ValueError("representations has 1 row; principal axes need at least 2")
    if n > size:
        mean, covariance = mean_and_covariance(blocks(), n)
        variance, components = leading_eigenvectors(covariance, most if width is None else width)
    else:
        rows = np.concatenate([block.astype(np.float64) for block in blocks()])
        mean = rows.mean(axis=0)
        rows -= mean
        variance, left = leading_eigenvectors(rows @ rows.T / (n - 1), most if width is None else width)
        components = rows.T @ left
        covariance = None
    total = float(np.trace(covariance) if covariance is not None else np.sum(rows * rows) / (n - 1))
    varying = int(np.sum(variance > total * np.finfo(np.float64).eps * max(n, size)))
    if width is not None and varying < width:
        raise ValueError(
            f"width is {width} but only {varying} directions vary among the {n} rows and {size} features given to PCA"
        )
    if varying == 0:
        raise ValueError(f"all {n} rows are equal; nothing varies for PCA to keep")
    variance, components = variance[:varying], components[:, :varying]
    components = components / np.linalg.norm(components, axis=0)
    components *= np.sign(components[np.abs(components).argmax(axis=0), np.arange(varying)])
    return Axes(mean, components * variance ** (-whiten / 2), variance, total)


def leading_eigenvectors(matrix: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest eigenvalues, descending, of a symmetric matrix, and their eigenvectors."""
    from scipy.linalg import eigh

    size = len(matrix)
    width = min(width, size)
    some = {"subset_by_index": (size - width, size - 1)} if 4 * width < size else {"driver": "evd"}
    values, vectors = eigh(matrix, **some)
    return values[::-1][:width], vectors[:, ::-1][:, :width]


def mean_and_covariance(blocks: Iterable[np.ndarray], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance in one pass; the mean of the first block stands in for the mean until the end."""
    first, total, square = None, 0.0, None
    for block in blocks:
        first = block.mean(axis=0, dtype=np.float64).astype(block.dtype) if first is None else first
        block = block - first
        total = total + block.sum(axis=0, dtype=np.float64)
        product = block.T @ block
        square = product.astype(np.float64, copy=False) if square is None else np.add(square, product, out=square)
    shift = total / n
    square -= n * np.outer(shift, shift)
    return first + shift, square / (n - 1)


def _moments(representations: Representations, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature; exactly 0 for a constant one."""
    first, total, square = None, 0.0, 0.0
    for start, stop in representations.starts(representations.widths[index]):
        block = representations.block(index, start, stop)
        first = block[0].astype(np.float64) if first is None else first
        block = block - first
        total, square = total + block.sum(axis=0), square + (block * block).sum(axis=0)
    n = len(representations)
    shift = total / n
    return first + shift, np.sqrt(np.maximum(square / n - shift * shift, 0))
