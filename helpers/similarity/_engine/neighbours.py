"""From candidates to the nearest neighbours: one rule for their order, whatever found the candidates.

A pass keeps for every object the candidates with the smallest lower bounds of their distance, some more than are
asked for (:func:`places`). Here their exact distances (:mod:`~helpers.similarity._engine.exact`) put them in order, the
nearest first and equal distances by index. Where the last candidate may be as near as the last neighbour, as among many
copies of one object or on a lattice, more objects could belong to the neighbours, and all are looked at once more.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from typing import Any, NamedTuple

import numpy as np

from helpers.similarity._engine.bounds import above
from helpers.similarity._engine.kernels import ExactDistances, Kernels
from helpers.similarity._engine.sources import Source

__all__ = ["Candidates", "PairDistances", "exact_neighbours", "places", "settle"]

ROWS = 512  # whose candidates are put in order at a time
GATHERED = 1 << 22  # bytes of rows that are read for that where a representation is not in memory as it is
QUERIES, TARGETS = 256, 1024  # rows of a block of the second look


def places(n: int, k: int) -> int:
    """How many candidates a pass keeps for the k nearest of n objects."""
    return min(n - 1, k + max(4, k // 4))


class Candidates(NamedTuple):
    """What a pass has found for the objects of one representation."""

    keys: np.ndarray  # (n, places) lower bounds of distances, ascending
    names: np.ndarray  # (n, places) the objects that they belong to, -1 for none
    marks: np.ndarray | None  # (3, n) what bounds the errors; None if every distance is wanted
    width: int
    unit: float  # times a key, this is a lower bound of the exact distance

    def doubtful(self, metric: str, k: int, rows: slice) -> np.ndarray:
        """Rows where the bounds leave the k nearest or their order open."""
        keys, names = self.keys[rows], self.names[rows]
        if self.marks is None or keys.shape[1] <= k:
            return np.arange(len(keys))
        upper = above(metric, self.width, keys, self.marks[:, rows, None], self.marks[:, names])
        upper = np.maximum.accumulate(upper[:, :k], axis=1)
        return np.flatnonzero(~((keys[:, 1 : k + 1] > upper) | (names[:, 1 : k + 1] < 0)).all(axis=1))


def exact_neighbours(
    kernels: Kernels,
    sources: list[Source],
    metric: str,
    k: int,
    candidates: list[Candidates],
    pool: Any,
    threads: int,
) -> None:
    """Put the k nearest neighbours of every layer's candidates into the first k places of their names, in order."""
    for first in range(0, len(sources), threads):
        numbers = range(first, min(first + threads, len(sources)))
        ready = list(pool.map(lambda number: _exact_if_resident(kernels, sources[number], metric), numbers))

        def part(task: tuple[tuple[int, ExactDistances | None], int]) -> None:
            (number, exact), start = task
            found = candidates[number]
            rows = slice(start, min(start + ROWS, len(found.names)))
            found.names[rows, :k] = settle(kernels, sources[number], metric, k, found, rows, exact)[1]

        starts = range(0, len(candidates[0].names), ROWS)
        list(pool.map(part, itertools.product(zip(numbers, ready, strict=True), starts)))


def settle(
    kernels: Kernels,
    source: Source,
    metric: str,
    k: int,
    candidates: Candidates,
    rows: slice,
    exact: ExactDistances | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Distances and indices (rows, k) of the nearest neighbours of some rows.

    ``exact`` are the distances of all rows, or None where rows must be read for them. Where the bounds of the
    candidates decide by themselves, distances are left out (NaN).
    """
    keys, names = candidates.keys[rows], candidates.names[rows]
    best, index = np.full((len(names), k), np.nan), names[:, :k].astype(np.int64)
    open_rows = candidates.doubtful(metric, k, rows)
    complete = np.ones(len(names), bool)
    step = max(1, len(open_rows))
    if exact is None:
        step = max(1, GATHERED // ((names.shape[1] + 1) * source.shape[1] * np.dtype(source.dtype).itemsize))
    for low in range(0, len(open_rows), step):
        own = open_rows[low : low + step]
        at, others, of = own + rows.start, names[own], exact
        if of is None:
            read = np.union1d(at, np.where(others < 0, at[0], others))  # -1 stands for no candidate
            of = kernels.exact(source, read, metric)
            at, others = np.searchsorted(read, at), np.searchsorted(read, others)
        best[own], index[own], complete[own] = of.settle(at, others, keys[own], names[own], candidates.unit, k)
    if names.shape[1] < source.shape[0] - 1 and not complete.all():
        left = np.flatnonzero(~complete)
        best[left], index[left] = look_again(kernels, source, metric, k, left + rows.start, best[left, -1])
    return best, index


class PairDistances:
    """``distances(layer, i, j)``: exact distances of pairs of objects in the metric of their neighbours, float64."""

    def __init__(self, kernels: Kernels, sources: list[Source], metric: str):
        self.kernels, self.sources, self.metric = kernels, sources, metric
        self.ready = functools.cache(lambda number: _exact_if_resident(kernels, sources[number], metric))

    def __call__(self, number: int, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        source, exact = self.sources[number], self.ready(number)
        out = np.empty(len(i))
        step = len(i) if exact else max(1, GATHERED // (2 * source.shape[1] * np.dtype(source.dtype).itemsize))
        for start in range(0, len(i), step):
            rows = slice(start, start + step)
            of, a, b = exact, i[rows], j[rows]
            if of is None:
                read = np.union1d(a, b)
                of = self.kernels.exact(source, read, self.metric)
                a, b = np.searchsorted(read, a), np.searchsorted(read, b)
            out[rows] = of.distances(a, b)
        return np.sqrt(out) / source.factor if self.metric == "euclidean" else out


def look_again(
    kernels: Kernels, source: Source, metric: str, k: int, rows: np.ndarray, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of some rows among all, none of them further than ``limits``; equal rows are looked at once."""
    same = _representatives(source)
    order = np.argsort(same, kind="stable")
    copies = dict(zip(*_split(same[order], order), strict=True))
    targets = np.array(sorted(copies))
    asked = dict(zip(*_split(*_sorted(same[rows], np.arange(len(rows)))), strict=True))
    best, index = np.empty((len(rows), k)), np.empty((len(rows), k), np.int64)
    queries = np.array(sorted(asked))
    for first in range(0, len(queries), QUERIES):
        chosen = queries[first : first + QUERIES]
        most = np.array([limits[asked[query]].max() for query in chosen])
        found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        void = np.zeros(len(chosen), bool)
        for start in range(0, len(targets), TARGETS):
            part = targets[start : start + TARGETS]
            read = np.union1d(chosen, part)
            of = kernels.exact(source, read, metric)
            at, others = np.searchsorted(read, chosen), np.searchsorted(read, part)
            void = of.void(at)
            near, there, apart = of.within(at, others, most)
            found.append((near, part[there], apart))
        near, there, apart = (np.concatenate(z) for z in zip(*found, strict=True))
        by_query = np.argsort(near, kind="stable")
        ends = np.searchsorted(near[by_query], np.arange(len(chosen) + 1))
        for number, query in enumerate(chosen):
            if void[number]:  # at distance 1 from every object, its own copies too
                for row in asked[query]:
                    best[row], index[row] = 1.0, np.delete(np.arange(k + 1), rows[row] if rows[row] <= k else k)
                continue
            of_query = by_query[ends[number] : ends[number + 1]]
            members = [copies[target][: k + 1] for target in there[of_query]]
            distances = np.repeat(apart[of_query], [len(group) for group in members])
            names = np.concatenate(members)
            ordered = np.lexsort((names, distances))[: k + 1]
            names, distances = names[ordered], distances[ordered]
            for row in asked[query]:
                others = names != rows[row]
                best[row], index[row] = distances[others][:k], names[others][:k]
    return best, index


def _exact_if_resident(kernels: Kernels, source: Source, metric: str) -> ExactDistances | None:
    """Exact distances of all rows where the kernels can read them without a copy."""
    return kernels.exact(source, None, metric) if source.resident(kernels.NAME) else None


def _representatives(source: Source) -> np.ndarray:
    """For every row the index of the first row that is equal to it."""
    n = source.shape[0]
    first: dict[bytes, int] = {}
    out = np.empty(n, np.int64)
    for start in range(0, n, TARGETS):
        rows = np.ascontiguousarray(source.rows(start, min(start + TARGETS, n), source.dtype)) + 0.0  # no -0
        for number, row in enumerate(rows, start):
            out[number] = first.setdefault(hashlib.blake2b(row.data, digest_size=16).digest(), number)
    return out


def _sorted(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(keys, kind="stable")
    return keys[order], values[order]


def _split(keys: np.ndarray, values: np.ndarray) -> tuple[list[int], list[np.ndarray]]:
    """Different keys, sorted as they come, and the values of each."""
    unique, first = np.unique(keys, return_index=True)
    return unique.tolist(), np.split(values, first[1:])
