"""Sums over all pairs of objects when the objects of one side are shuffled: mean, variance and skewness in closed form.

With T = Σ a_ij b_σ(i)σ(j) and σ a random order, moments of T are sums over the ways in which indices can coincide: for
each partition of the indices of the first, second or third power, the sum of the products of entries of a over distinct
indices, times that of b, over the number of ways to choose them. Sums over distinct indices follow from sums over all
indices by inversion on the lattice of partitions, and those from a few numbers of each matrix.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

__all__ = [
    "FEWEST", "Form", "Null", "Orders", "form_of_factor", "form_of_matrix", "form_of_sums", "null_of", "orders_of",
    "shape_of",
]  # fmt: skip

FEWEST = 32  # objects up to which T takes few values and orders are tried
TRIED = 5040  # orders that are tried: all of 7 objects
#: Sums of products of Gaussian features have at most √8; beyond, few objects decide, and T jumps where they meet.
MOST_SKEWED = 4.0
MOST_OF_ONE = 0.1  # of the trace: the share of one object beyond which it decides

#: Connected graphs of up to three edges, each with the number of a symmetric matrix that sums products along its edges.
_GRAPHS: dict[tuple[tuple[int, int], ...], str] = {
    ((0, 0),): "trace",
    ((0, 1),): "total",
    ((0, 0), (0, 0)): "dd",
    ((0, 0), (0, 1)): "dr",
    ((0, 1), (0, 1)): "aa",
    ((0, 1), (0, 2)): "rr",
    ((0, 0), (0, 0), (0, 0)): "ddd",
    ((0, 0), (0, 0), (0, 1)): "ddr",
    ((0, 0), (0, 1), (1, 1)): "dad",
    ((0, 0), (0, 1), (0, 1)): "dq",
    ((0, 0), (0, 1), (0, 2)): "drr",
    ((0, 0), (0, 1), (1, 2)): "dar",
    ((0, 1), (0, 1), (0, 1)): "aaa",
    ((0, 1), (0, 1), (0, 2)): "qr",
    ((0, 1), (0, 2), (1, 3)): "rar",
    ((0, 1), (0, 2), (0, 3)): "rrr",
    ((0, 1), (0, 2), (1, 2)): "cycle",
}


class Form(NamedTuple):
    """A symmetric matrix of all pairs of objects, as far as chance needs it."""

    n: int
    trace: float
    total: float
    pairs: np.ndarray  # sums over distinct indices of products of two entries, by partition
    square: float  # sum of squares of the entries
    size: float  # what the measure divides by besides
    skew: np.ndarray  # the same of two and three entries, of a matrix of few objects
    few: int
    data: np.ndarray | None  # the matrix, or columns u with matrix u uᵀ
    diagonal: np.ndarray


class Null(NamedTuple):
    """The first three moments of T: a Pearson distribution of type III has them.

    Where few objects decide, no smooth distribution is near T: then p is at least Cantelli's bound, which no
    distribution with this mean and variance exceeds.
    """

    mean: float
    deviation: float
    skewness: float
    jumps: bool = False

    def p(self, value: float) -> float:
        """Probability of a T at least as large."""
        if not self.deviation > 0:
            return 1.0
        beyond = (value - self.mean) / self.deviation
        least = (1 / (1 + beyond**2) if beyond > 0 else 1.0) if self.jumps else 0.0
        return float(np.clip(self._standard().sf(beyond), least, 1.0))

    def quantiles(self, levels: np.ndarray) -> np.ndarray:
        """Quantiles of T."""
        if not self.deviation > 0:
            return np.full(len(levels), self.mean)
        return self.mean + self.deviation * self._standard().ppf(levels)

    def _standard(self):
        from scipy.stats import norm, pearson3

        return pearson3(self.skewness) if abs(self.skewness) > 1e-6 else norm()


class Orders(NamedTuple):
    """T of all orders of few objects, or of so many of them."""

    values: np.ndarray
    whole: bool

    def p(self, value: float) -> float:
        """Share of the orders, the given one among them, with a T at least as large."""
        reached = value - 1e-9 * (abs(value) + float(np.ptp(self.values)))
        if not np.ptp(self.values) > 1e-12 * abs(value):
            return 1.0
        count = int((self.values >= reached).sum())
        return count / len(self.values) if self.whole else (1 + count) / (1 + len(self.values))

    def quantiles(self, levels: np.ndarray) -> np.ndarray:
        """Quantiles of T."""
        return np.quantile(self.values, levels)


def orders_of(a: np.ndarray, b: np.ndarray) -> Orders:
    """T of two symmetric matrices of few objects: of all orders up to 7 objects, else of as many drawn ones."""
    n = len(a)
    if whole := math.factorial(n) <= TRIED:
        orders = np.array(list(itertools.permutations(range(n))))
    else:
        orders = np.random.default_rng(0).permuted(np.tile(np.arange(n), (TRIED, 1)), axis=1)
    moved = np.asarray(b, dtype=np.float64)[orders[:, :, None], orders[:, None, :]]
    return Orders(np.einsum("ij,kij->k", np.asarray(a, dtype=np.float64), moved), whole)


def form_of_matrix(matrix: np.ndarray, size: float = 1.0, skew: tuple[np.ndarray, int] | None = None) -> Form:
    """Of a symmetric matrix; ``skew`` is what :func:`shape_of` gives of one like it, by default of itself."""
    diagonal = np.diagonal(matrix).astype(np.float64)
    rows = matrix.sum(axis=1, dtype=np.float64)
    square = float(np.einsum("ij,ij->", matrix, matrix, dtype=np.float64))
    return form_of_sums(diagonal, rows, square, skew or shape_of(matrix), size, matrix)


def form_of_factor(u: np.ndarray, skew: tuple[np.ndarray, int], size: float = 1.0) -> Form:
    """Of u uᵀ, without an n × n matrix."""
    diagonal = np.einsum("ij,ij->i", u, u, dtype=np.float64)
    rows = (u @ u.sum(axis=0, dtype=np.float64).astype(u.dtype)).astype(np.float64)
    square = float(np.sum((u.T @ u).astype(np.float64) ** 2))
    return form_of_sums(diagonal, rows, square, skew, size, u)


def shape_of(matrix: np.ndarray) -> tuple[np.ndarray, int]:
    """Sums over distinct indices of products of two and of three entries, of a matrix of few objects, and how many."""
    matrix = np.asarray(matrix, dtype=np.float64)
    n, trace = len(matrix), float(np.trace(matrix))
    off = (float(matrix.sum()) - trace) / (n * (n - 1))
    matrix = matrix - off
    matrix[np.diag_indices(n)] += off - trace / n
    scale = float(np.sqrt(np.einsum("ij,ij->", matrix, matrix)))
    matrix /= scale or 1.0
    d, r, q = np.diagonal(matrix), matrix.sum(axis=1), np.einsum("ij,ij->i", matrix, matrix)
    powers = matrix @ matrix
    sums = {
        "trace": 0.0, "total": 0.0, "dd": d @ d, "dr": d @ r, "aa": q.sum(), "rr": r @ r,
        "ddd": np.sum(d**3), "ddr": d**2 @ r, "dad": d @ matrix @ d, "dq": d @ q, "drr": d @ r**2,
        "dar": d @ matrix @ r, "aaa": np.einsum("ij,ij,ij->", matrix, matrix, matrix), "qr": q @ r,
        "rar": r @ matrix @ r, "rrr": np.sum(r**3), "cycle": np.einsum("ij,ij->", powers, matrix),
    }  # fmt: skip
    return np.concatenate([_distinct(sums, 2), _distinct(sums, 3)]), n


def null_of(a: Form, b: Form) -> Null:
    """Moments of T of two forms."""
    n = a.n
    mean = a.trace * b.trace / n + (a.total - a.trace) * (b.total - b.trace) / (n * (n - 1))
    variance = float(a.pairs @ (b.pairs / _ways(2, n)))
    deviation = math.sqrt(max(variance, 0.0))
    noise = 1e-12 * math.sqrt(a.square * b.square)
    if not deviation > noise:
        return Null(mean, 0.0, 0.0)
    split = len(_partitions(4))
    few = min(a.few, b.few)
    second = float(a.skew[:split] @ (b.skew[:split] / _ways(2, few)))
    third = float(a.skew[split:] @ (b.skew[split:] / _ways(3, few)))
    skewness = third / second**1.5 if second > 0 else 0.0
    return Null(mean, deviation, skewness, skewness > MOST_SKEWED or all(map(_is_of_one, (a, b))))


def _is_of_one(form: Form) -> bool:
    """Whether one object makes up much of a form whose skewness is that of a part of the objects."""
    sizes = np.abs(form.diagonal)
    return form.n > form.few and bool(sizes.max() > MOST_OF_ONE * sizes.sum())


def form_of_sums(
    diagonal: np.ndarray,
    rows: np.ndarray,
    square: float,
    skew: tuple[np.ndarray, int],
    size: float = 1.0,
    data: np.ndarray | None = None,
) -> Form:
    """From the diagonal of the matrix, the sums of its rows and the sum of its squares."""
    # With the mean of the diagonal and that of the other entries taken off, T has mean 0.
    n, trace, total = len(diagonal), float(diagonal.sum()), float(rows.sum())
    off = -(total - trace) / (n * (n - 1))
    on = -trace / n - off
    sums = {
        "trace": 0.0,
        "total": 0.0,
        "dd": float(diagonal @ diagonal) - trace**2 / n,
        "dr": float(diagonal @ rows) - trace * total / n,
        "rr": float(rows @ rows) - total**2 / n,
        "aa": square + 2 * on * trace + 2 * off * total + n * on**2 + 2 * n * on * off + n**2 * off**2,
    }
    return Form(n, trace, total, _distinct(sums, 2), square, size, *skew, data, diagonal)


def _distinct(sums: dict[str, float], power: int) -> np.ndarray:
    """Sums over distinct indices of products of ``power`` entries, by partition of their indices."""
    whole = np.array([math.prod(sums[name] for name in names) for names in _products(power)])
    return _inversion(2 * power) @ whole


@lru_cache(maxsize=4)
def _partitions(size: int) -> list[tuple[int, ...]]:
    """Partitions of so many indices: the block of each, blocks by first index."""

    def extended(start: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(start) == size:
            yield start
            return
        for block in range(max(start, default=-1) + 2):
            yield from extended((*start, block))

    return list(extended(()))


@lru_cache(maxsize=4)
def _products(power: int) -> list[list[str]]:
    """For each partition of the indices of ``power`` entries the numbers whose product is the sum over all indices."""
    out = []
    for blocks in _partitions(2 * power):
        edges = [tuple(sorted(blocks[2 * e : 2 * e + 2])) for e in range(power)]
        out.append([_GRAPHS[_canonical(part)] for part in _connected(edges)])
    return out


def _connected(edges: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    parts: list[list[tuple[int, int]]] = []
    for edge in edges:
        touched = [part for part in parts if any(set(edge) & set(other) for other in part)]
        parts = [part for part in parts if part not in touched] + [sum(touched, [edge])]
    return parts


def _canonical(edges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The least of all ways to number the vertices."""
    vertices = sorted({v for edge in edges for v in edge})
    numbered = (dict(zip(vertices, order, strict=True)) for order in itertools.permutations(range(len(vertices))))
    return min(tuple(sorted(tuple(sorted((of[i], of[j]))) for i, j in edges)) for of in numbered)


@lru_cache(maxsize=4)
def _inversion(size: int) -> np.ndarray:
    """The Möbius function of the lattice of partitions: sums over distinct indices from sums over all."""
    partitions = _partitions(size)
    place = {blocks: number for number, blocks in enumerate(partitions)}
    out = np.zeros((len(partitions), len(partitions)))
    for row, blocks in enumerate(partitions):
        for merged in _partitions(max(blocks) + 1):
            coarser = _numbered(tuple(merged[block] for block in blocks))
            counts = np.bincount(merged)
            out[row, place[coarser]] += math.prod((-1) ** (k - 1) * math.factorial(k - 1) for k in counts.tolist())
    return out


def _numbered(blocks: tuple[int, ...]) -> tuple[int, ...]:
    first = dict.fromkeys(blocks)
    names = {block: number for number, block in enumerate(first)}
    return tuple(names[block] for block in blocks)


@lru_cache(maxsize=64)
def _ways(power: int, n: int) -> np.ndarray:
    """In how many ways the blocks of each partition can be distinct objects; endless where there are too few."""
    counts = np.array([math.prod(range(n - max(blocks), n + 1)) for blocks in _partitions(2 * power)], dtype=float)
    return np.where(counts > 0, counts, np.inf)
