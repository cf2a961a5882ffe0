"""One representation, and what several qualities take from it, each computed once."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from helpers.arrays import as_matrix, check_count, generator, to_numpy, unit_rows
from helpers.quality._blocks import ROWS, singular_values

__all__ = ["METRICS", "Neighbours", "Space", "fitting_metric", "metric_rows"]

METRICS = ("cosine", "euclidean", "dot", "hamming")
"""How objects may be compared: ``"dot"`` by inner product, the largest the nearest."""

MORE = 6  # candidates beyond k, whose distances are computed again from differences


def fitting_metric(x: Any) -> str:
    """``"hamming"`` if all entries are one of two values, as 0 and 1 or -1 and 1, else ``"cosine"``."""
    x = to_numpy(x)
    if x.dtype.kind == "b":
        return "hamming"
    low, high = x.min(), x.max()
    two = (low, high) in ((0, 1), (-1, 1)) and bool(np.all((x == low) | (x == high)))
    return "hamming" if two else "cosine"


def metric_rows(x: np.ndarray, metric: str) -> np.ndarray:
    """Rows whose Euclidean distances order pairs as the metric does (whose inner products, for ``"dot"``)."""
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}; it must be one of {', '.join(map(repr, METRICS))}")
    if metric == "cosine":
        return unit_rows(x, zero="raise", name="x")
    if metric == "hamming":
        low, high = x.min(), x.max()
        if not np.all((x == low) | (x == high)):
            raise ValueError("metric is 'hamming', but x has more than two values; unpack packed bits first")
        return np.where(x == high, x.dtype.type(1), x.dtype.type(0))
    peak = float(np.max(np.abs(x), initial=0))
    return x / x.dtype.type(peak) if peak > 0 else x


class Neighbours:
    """The k nearest other objects of each of m objects, and the mean and spread of all distances.

    Attributes
    ----------
    index : ndarray of shape (m, k)
        Positions of the neighbours, the nearest first.
    distance : ndarray of shape (m, k)
        Distances to them in float64, 0 exactly for equal rows; for ``"dot"`` the inner products with a minus.
    mean, sd : float
        Mean and standard deviation of the distances of all pairs.
    """

    def __init__(self, rows: np.ndarray, k: int, *, dot: bool = False):
        n = len(rows)
        near = rows if dot else rows - rows.mean(axis=0, dtype=np.float64).astype(rows.dtype)
        square = np.einsum("ij,ij->i", near, near)
        most = min(k + MORE, n - 1)
        self.index = np.empty((n, k), dtype=np.intp)
        self.distance = np.empty((n, k))
        total = total_square = 0.0
        step = max(1, (1 << 22) // n)
        for start in range(0, n, step):
            block = slice(start, min(start + step, n))
            apart = -2 * (near[block] @ near.T)
            apart = apart / 2 if dot else np.maximum(apart + square[block, None] + square, 0)
            itself = (np.arange(len(apart)), np.arange(block.start, block.stop))
            if not dot:
                apart[itself] = 0
                total_square += float(apart.sum(dtype=np.float64))
                total += float(np.sqrt(apart).sum(dtype=np.float64))
            apart[itself] = np.inf
            found = np.argpartition(apart, most - 1, axis=1)[:, :most] if most < n - 1 else _others(block, n)
            self.index[block], self.distance[block] = _nearest(near, block, found, k, dot)
        pairs = n * (n - 1)
        self.mean = total / pairs
        self.sd = float(np.sqrt(max(total_square / pairs - self.mean**2, 0)))

    @cached_property
    def occurrence(self) -> np.ndarray:
        """How often each object is among the neighbours of another one."""
        return np.bincount(self.index.ravel(), minlength=len(self.index))


def _others(block: slice, n: int) -> np.ndarray:
    rows = np.arange(block.start, block.stop)[:, None]
    columns = np.arange(n - 1)[None, :]
    return columns + (columns >= rows)


def _nearest(near: np.ndarray, block: slice, found: np.ndarray, k: int, dot: bool) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of the candidates, by distances from differences, equal ones by position."""
    distance = np.empty(found.shape)
    step = max(1, (1 << 22) // (found.shape[1] * near.shape[1]))
    for start in range(0, len(found), step):
        rows = slice(start, min(start + step, len(found)))
        own = near[block][rows].astype(np.float64)
        other = near[found[rows]].astype(np.float64)
        if dot:
            distance[rows] = -np.einsum("ip,ijp->ij", own, other)
        else:
            other -= own[:, None]
            distance[rows] = np.sqrt(np.einsum("ijp,ijp->ij", other, other))
    order = np.lexsort((found, distance), axis=1)[:, :k]
    return np.take_along_axis(found, order, axis=1), np.take_along_axis(distance, order, axis=1)


class Space:
    """A checked representation, with what qualities share.

    Parameters
    ----------
    x
        Representation of shape (n, p).
    metric
        One of :data:`METRICS`.
    k
        Number of neighbours.
    n_objects
        Number of objects, drawn at random, for everything that compares all pairs.
    rng
        Seed or generator of that draw.
    """

    def __init__(self, x: Any, *, metric: str = "cosine", k: int = 10, n_objects: int | None = None, rng: Any = 0):
        self.x = to_numpy(as_matrix(x))
        self.metric = metric
        n = len(self.x)
        self.rows = np.arange(n)
        if n_objects is not None and check_count(n_objects, "n_objects", least=4) < n:
            self.rows = np.sort(generator(rng).choice(n, n_objects, replace=False))
        self.k = check_count(k, "k", most=len(self.rows) - 1, why=f"({len(self.rows)} rows, none its own neighbour)")

    @cached_property
    def sample(self) -> np.ndarray:
        """The rows that were drawn."""
        return self.x if len(self.rows) == len(self.x) else self.x[self.rows]

    @cached_property
    def neighbours(self) -> Neighbours:
        """Neighbours of the drawn rows by the metric."""
        return Neighbours(metric_rows(self.sample, self.metric), self.k, dot=self.metric == "dot")

    @cached_property
    def distinct(self) -> Neighbours:
        """Neighbours of the different rows among the drawn ones by Euclidean distance."""
        rows = self.sample
        if (self.euclidean.distance[:, 0] == 0).any():
            rows = np.unique(rows, axis=0)
            if len(rows) <= self.k:
                raise ValueError(f"x has {len(rows)} different rows; more than k = {self.k} are needed")
            return Neighbours(metric_rows(rows, "euclidean"), self.k)
        return self.euclidean

    @cached_property
    def euclidean(self) -> Neighbours:
        """Neighbours of the drawn rows by Euclidean distance, in units of the largest entry."""
        return Neighbours(metric_rows(self.sample, "euclidean"), self.k)

    @cached_property
    def values(self) -> np.ndarray:
        """Singular values, the largest first."""
        return self._spectra[0]

    @cached_property
    def eigenvalues(self) -> np.ndarray:
        """Eigenvalues of the covariance up to a factor, the largest first."""
        return self._spectra[1] ** 2

    @cached_property
    def _spectra(self) -> tuple[np.ndarray, np.ndarray]:
        """Singular values as they are and centred.

        Of many rows from the inner products of the columns around a mean; what is below 1e-7 of the largest is rounding
        there, and is set to 0.
        """
        n, p = self.x.shape
        if n < 2 * p:
            mean = self.x.mean(axis=0, dtype=np.float64)
            return singular_values(self.x), singular_values(self.x.astype(np.float64) - mean)
        shift = self.sample.mean(axis=0, dtype=np.float64)
        total, gram = np.zeros(p), np.zeros((p, p))
        for start in range(0, n, ROWS):
            block = self.x[start : start + ROWS].astype(np.float64) - shift
            total += block.sum(axis=0)
            gram += block.T @ block
        centred = gram - np.outer(total, total) / n
        cross = np.outer(total, shift)
        whole = gram + cross + cross.T + n * np.outer(shift, shift)
        return _roots(whole), _roots(centred)

    @cached_property
    def directions(self) -> tuple[np.ndarray, np.ndarray]:
        """Sum and inner products of the rows of length 1."""
        n, p = self.x.shape
        total, gram = np.zeros(p), np.zeros((p, p))
        for start in range(0, n, ROWS):
            block = unit_rows(self.x[start : start + ROWS], zero="raise").astype(np.float64)
            total += block.sum(axis=0)
            gram += block.T @ block
        return total, gram


def _roots(gram: np.ndarray) -> np.ndarray:
    """Square roots of the eigenvalues, the largest first, without those that are rounding."""
    found = np.linalg.eigvalsh(gram)[::-1]
    floor = max(float(found[0]), 0) * len(gram) * np.finfo(float).eps
    return np.sqrt(np.where(found > floor, found, 0))
