"""Gram sums from products in feature space."""

from __future__ import annotations

import itertools
import math
import queue
from typing import Any

import numpy as np

from helpers.similarity._engine.kernels import Kernels, kernels_for
from helpers.similarity._engine.plan import DOUBLE, STEP, check_varies, describe
from helpers.similarity._engine.requirements import Requirements, Totals
from helpers.similarity._engine.resources import Progress, one_thread_per_product, threads_for
from helpers.similarity._engine.sources import Source, common_dtype
from helpers.similarity._engine.state import pool_of

__all__ = ["ProductSums", "feature_cheaper", "feature_products"]


def feature_cheaper(sources: list[Source], requirements: Requirements) -> bool:
    """Whether the Gram products cost fewer operations in feature space than from pairs of objects."""
    n, widths = sources[0].shape[0], np.array([source.shape[1] for source in sources], dtype=float)
    pairs = len(widths) * (len(widths) + 1) / 2
    features = n * (widths.sum() ** 2 + (widths**2).sum())
    from_blocks = 8.0 * pairs * n**2  # short, fat products run slower than their count of operations
    objects = from_blocks + (0 if requirements.pairwise else n**2 * widths.sum())
    return features < objects


def feature_products(
    sources: list[Source], *, memory: int, progress: bool = True, kernels: Kernels | None = None, cluster: Any = None
) -> Totals:
    """The Gram sums of :class:`Totals` from products in feature space: no pair of objects is ever formed.

    One pass over the rows in chunks; the L(L + 1)/2 products of p × p' entries are summed in float64. If they do not
    fit in the memory together, they are taken in groups, with one pass over the rows for each group.
    """
    kernels = kernels or kernels_for(sources)
    n, count = sources[0].shape[0], len(sources)
    dtype = "float64" if n <= DOUBLE else common_dtype(sources)
    size = np.dtype(dtype).itemsize
    threads = threads_for(kernels, n * sum(source.shape[1] for source in sources) ** 2)
    bar = Progress(progress)
    with one_thread_per_product(kernels), pool_of(threads) as pool, bar:
        bar.start("reading", sum(math.prod(s.shape) for s in sources))
        layers, _, _ = describe(sources, dtype, kernels, cluster or pool, False, bar)
        check_varies(sources, layers, Requirements(gram=True))
        widths = [layer.width for layer in layers]
        chunk = min(n, 4096)
        while chunk > 256 and chunk * sum(widths) * size > memory // 4:
            chunk //= 2
        largest = max(widths) ** 2
        fixed = chunk * sum(widths) * size + threads * (largest + min(STEP, n) * max(widths)) * size
        groups = grouped(widths, memory - fixed, memory, fixed)
        bar.start("products of features", n * sum(widths[i] * widths[j] for group in groups for i, j in group))
        gram, diagonal, trace = np.zeros((count, count)), np.zeros((count, count)), np.zeros(count)
        for number, group in enumerate(groups):
            if cluster:
                squares, norms, sums = cluster.feature_products(sources, layers, dtype, group, chunk)
                bar.advance(n * sum(widths[i] * widths[j] for i, j in group))
            else:
                with ProductSums(layers, dtype, group, chunk, kernels, pool) as products:
                    for start in range(0, n, chunk):
                        products.add(sources, start, min(start + chunk, n), bar)
                    squares, norms, sums = products.squares(), products.diagonal, products.trace
            for (i, j), square in zip(group, squares, strict=True):
                gram[i, j] = gram[j, i] = square
            if number == 0:
                diagonal, trace = norms, sums
    info = {"chunk": chunk, "groups": len(groups), "dtype": dtype}
    return Totals(n, [s.name for s in sources], (gram - diagonal) / 2, diagonal, trace, info=info)


def grouped(widths: list[int], left: int, memory: int, fixed: int) -> list[list[tuple[int, int]]]:
    """Pairs of layers in groups whose products of features fit into ``left`` bytes."""
    if left < 8 * max(widths) ** 2:
        least = math.ceil((fixed + 8 * max(widths) ** 2) / 2**20)
        raise ValueError(
            f"max_memory is {memory / 2**20:.0f} MiB; the products of the features of {len(widths)} representations "
            f"need at least {least} MiB"
        )
    groups: list[list[tuple[int, int]]] = [[]]
    used = 0
    for i, j in itertools.combinations_with_replacement(range(len(widths)), 2):
        need = 8 * widths[i] * widths[j]
        if used + need > left:
            groups.append([])
            used = 0
        groups[-1].append((i, j))
        used += need
    return groups


class ProductSums:
    """Sums in float64 of the products of centred features of some pairs of layers, chunk of rows by chunk of rows."""

    def __init__(self, layers: Any, dtype: str, group: list[tuple[int, int]], chunk: int, kernels: Kernels, pool: Any):
        self.layers, self.dtype, self.group, self.kernels, self.pool = layers, dtype, group, kernels, pool
        self.buffers = [kernels.full((chunk, layer.width), 0, dtype) for layer in layers]
        self.sums = {(i, j): kernels.full((layers[i].width, layers[j].width), 0, "float64") for i, j in group}
        self.scratch: queue.SimpleQueue = queue.SimpleQueue()
        self.diagonal, self.trace = np.zeros((len(layers), len(layers))), np.zeros(len(layers))

    def __enter__(self) -> ProductSums:
        return self

    def __exit__(self, *_: Any) -> None:
        self.sums.clear()

    def add(self, sources: list[Source], start: int, stop: int, bar: Any = None) -> None:
        """Add the rows from ``start`` to ``stop``."""
        rows, kernels = stop - start, self.kernels

        def centre(task: tuple[int, int]) -> None:
            m, first = task
            block = kernels.load(sources[m], first, min(first + STEP, stop), self.dtype)
            out = self.buffers[m][first - start : min(first + STEP, stop) - start]
            kernels.centre(block, self.layers[m].mean, self.layers[m].scale, out)

        def product(pair: tuple[int, int]) -> tuple[int, int]:
            try:
                scratch = self.scratch.get_nowait()
            except queue.Empty:
                scratch = kernels.full((max(layer.width for layer in self.layers) ** 2,), 0, self.dtype)
            left, right = (self.buffers[m][:rows] for m in pair)
            kernels.add_product(self.sums[pair], left, right, scratch)
            self.scratch.put(scratch)
            return pair

        list(self.pool.map(centre, itertools.product(range(len(self.layers)), range(start, stop, STEP))))
        norms = np.stack([kernels.square_norms(buffer[:rows]) for buffer in self.buffers])
        self.diagonal += norms @ norms.T
        self.trace += norms.sum(axis=1)
        for i, j in self.pool.map(product, self.group):
            if bar:
                bar.advance(rows * self.layers[i].width * self.layers[j].width)

    def squares(self) -> list[float]:
        """Squared Frobenius norms of the sums, in the order of the group."""
        return [self.kernels.square_norm(self.sums[pair]) for pair in self.group]
