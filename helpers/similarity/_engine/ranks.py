"""Ranks of all distances: exact from one sort, or the mean ranks of bins with a bound on what they leave open."""

from __future__ import annotations

import math
import queue
from typing import Any

import numpy as np

from helpers.similarity._engine.kernels import Kernels
from helpers.similarity._engine.plan import Plan

__all__ = ["rank_tables", "ranked_products"]


def rank_tables(counts: np.ndarray, plan: Plan, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Centred mean ranks of the bins over the number of pairs (float32), and the bound on each layer's angle.

    The exact ranks are the mean rank of their bin plus a rest that sums to 0 in every bin, so the two parts are
    orthogonal, and the rest is at most that of untied ranks, (c³ - c)/12 in a bin of c.
    """
    pairs = plan.pairs
    tables = counts.view(np.float32) if counts.dtype == np.uint32 else np.empty(counts.shape, np.float32)
    error = np.empty(len(counts))
    for number, of in enumerate(counts):
        c = of.astype(np.float64)
        inside, whole = float((c**3 - c).sum()), float(pairs) ** 3 - pairs
        if not inside < whole:
            raise ValueError(f"{names[number]}: all distances between objects are equal; RSA is undefined")
        error[number] = math.asin(math.sqrt(inside / whole))
        tables[number] = (np.cumsum(c) - c / 2 - pairs / 2) / pairs
    return tables, error


def ranked_products(store: Any, kernels: Kernels, pool: Any, names: list[str]) -> np.ndarray:
    """Inner products of the ranks of all distances, which replace them."""

    scratch: queue.SimpleQueue = queue.SimpleQueue()

    def one(number: int) -> None:
        try:
            words = scratch.get_nowait()
        except queue.Empty:
            words = kernels.words(store.shape[1])
        kernels.rank(store[number], words)
        scratch.put(words)

    list(pool.map(one, range(len(store))))
    out = kernels.cross(store)
    for name, square in zip(names, np.diag(out), strict=True):
        if not square > 0:
            raise ValueError(f"{name}: all distances between objects are equal; RSA is undefined")
    return out
