"""Sizes of blocks, and what the kernels must know about each representation before they see its rows."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from helpers.similarity._engine.kernels import Kernels
from helpers.similarity._engine.neighbours import places
from helpers.similarity._engine.requirements import Requirements
from helpers.similarity._engine.sources import Source

__all__ = [
    "DOUBLE",
    "STEP",
    "Layer",
    "Plan",
    "block_statistics",
    "check_varies",
    "describe",
    "make_plan",
    "pairs_of",
    "ranked_by_sort",
    "spread",
    "with_ranges",
]

SAMPLE = 512  # objects whose distances set the range of the bins
SORTED = 4096  # up to so many objects all ranks come from one sort, of distances in double precision
DOUBLE = 1024  # up to so many objects double precision costs nothing that one could notice
STEP = 1024  # rows read at a time


@dataclass(frozen=True)
class Layer:
    """What the kernels need to know about one representation before they see its rows."""

    width: int
    mean: np.ndarray
    middle: float
    scale: float
    constant: bool = False
    low: float = 0.0  # of the bins
    step: float = 1.0
    centre: float = 0.0  # subtracted from distances whose products are summed


@dataclass(frozen=True)
class Plan:
    """Sizes and layers of one run; what a worker receives."""

    n: int
    dtype: str
    requirements: Requirements
    layers: tuple[Layer, ...]
    block: int
    tile: int  # side of a matrix product
    panel: int
    bins: int  # 0: ranks by sorting, or none

    @property
    def itemsize(self) -> int:
        return np.dtype(self.dtype).itemsize

    @property
    def places(self) -> int:
        """Candidates kept for the nearest neighbours of an object."""
        return places(self.n, self.requirements.neighbours) if self.requirements.neighbours else 0

    @property
    def pairs(self) -> int:
        return self.n * (self.n - 1) // 2

    def units(self, metric: str) -> list[float]:
        """What lower bounds of distances must be multiplied by to be those of the data, by layer."""
        return [layer.scale**-2 if metric == "euclidean" else 1.0 for layer in self.layers]

    def panels(self) -> list[tuple[int, int]]:
        return [(start, min(start + self.panel, self.n)) for start in range(0, self.n, self.panel)]

    def panel_pairs(self) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        return list(itertools.combinations_with_replacement(self.panels(), 2))

    def blocks(self, left: tuple[int, int], right: tuple[int, int]) -> list[tuple[int, int, int, int]]:
        """Blocks (i0, i1, j0, j1) of the upper half inside a pair of panels."""
        sides = [
            [(start, min(start + self.block, stop)) for start in range(first, stop, self.block)]
            for first, stop in (left, right)
        ]
        return [(*i, *j) for i in sides[0] for j in sides[1] if i <= j]


def pairs_of(task: tuple[int, int, int, int], diagonal: bool = True) -> int:
    """Pairs i < j in a block, and with ``diagonal`` those i = j."""
    i0, i1, j0, j1 = task
    size = i1 - i0
    return size * (size + (1 if diagonal else -1)) // 2 if i0 == j0 else size * (j1 - j0)


def describe(sources, dtype, kernels, pool, marked, bar) -> tuple[tuple[Layer, ...], np.ndarray, list[str]]:
    """Column means and scales of all layers; the norms of their shortest rows; digests if ``marked``."""
    tasks = [
        (number, start, min(start + STEP * 4, source.shape[0]))
        for number, source in enumerate(sources)
        for start in range(0, source.shape[0], STEP * 4)
    ]
    parts: list[list[tuple]] = [[] for _ in sources]
    if hasattr(pool, "statistics"):
        results = pool.statistics(sources, tasks, dtype, marked)
    else:
        results = pool.map(lambda task: block_statistics(sources[task[0]], task, dtype, kernels, marked), tasks)
    for (number, start, stop), result in zip(tasks, results, strict=True):
        parts[number].append(result)
        bar.advance((stop - start) * sources[number].shape[1])
    layers, least, marks = [], [], []
    for source, found in zip(sources, parts, strict=True):
        total, low, high, shortest, _ = found[0]
        for part in found[1:]:
            total, low, high = total + part[0], np.minimum(low, part[1]), np.maximum(high, part[2])
            shortest = np.minimum(shortest, part[3])
        largest = float(max(high.max(), -low.min()))
        if source.factor == 1 and dtype == "float64" and largest > 0 and not 1e-120 < largest < 1e120:
            source.factor = 2.0 ** -math.frexp(largest)[1] if largest > 1e-300 else 2.0**1000
            return describe(sources, dtype, kernels, pool, marked, bar)
        mean = np.where(low == high, low, total / source.shape[0])
        reach = float(np.max(np.maximum(high - mean, mean - low)))
        scale = 2.0 ** -math.frexp(reach)[1] if reach > 0 else 1.0
        layers.append(Layer(source.shape[1], mean, float(mean.mean()), scale, reach == 0))
        least.append(shortest)
        marks.append("".join(part[4] for part in found))
    return tuple(layers), np.array(least), marks


def block_statistics(source: Source, task: tuple[int, int, int], dtype: str, kernels: Kernels, marked: bool) -> tuple:
    """Column sums, minima, maxima, least row norms and digest of some rows."""
    _, start, stop = task
    block = kernels.load(source, start, stop, dtype)
    p = source.shape[1]
    total, low, high = np.zeros(p), np.full(p, np.inf), np.full(p, -np.inf)
    least = np.full(2, np.inf)
    kernels.column_statistics(block, total, low, high, least)
    if not np.isfinite(total).all():  # an entry that is not finite, or only too many huge ones
        finite = kernels.to_numpy(kernels.isfinite(block))
        if not finite.all():
            row, column = (int(where[0]) for where in np.nonzero(~finite))
            value = "NaN" if np.isnan(float(block[row, column])) else "infinite"
            raise ValueError(f"{source.name}[{row + start}, {column}] is {value}; every entry must be finite")
    return total, low, high, least, kernels.digest(block) if marked else ""


def check_varies(sources: list[Source], layers: tuple[Layer, ...], requirements: Requirements) -> None:
    """Refuse representations without variation where the measure is undefined."""
    if not (requirements.gram or requirements.distance):
        return
    for source, layer in zip(sources, layers, strict=True):
        if layer.constant:
            raise ValueError(
                f"{source.name}: every feature is constant over the {source.shape[0]} rows; the measure is undefined"
            )


def spread(layers: tuple[Layer, ...], least: np.ndarray, requirements: Requirements) -> float:
    """How much longer a centred row can be than the row whose direction is wanted."""
    kinds = {requirements.dissimilarity} | ({requirements.metric} if requirements.neighbours else set())
    worst = 1.0
    for layer, (rows, objects) in zip(layers, least, strict=True):
        profile, mean = np.linalg.norm(layer.mean - layer.middle), np.linalg.norm(layer.mean)
        if "correlation" in kinds:
            worst = max(worst, 1 + float(profile / rows))
        if "cosine" in kinds:
            worst = max(worst, 1 + float(mean / objects))
    return worst


def ranked_by_sort(n: int, count: int, requirements: Requirements, memory: int, kernels: Kernels, threads: int) -> int:
    """Bytes for the distances of all pairs and their sort; 0 if there are no ranks, or those of bins must do."""
    if requirements.dissimilarity is None or requirements.compare != "spearman" or n > SORTED:
        return 0
    once = 8 if kernels.NAME == "numpy" else 48
    need = (8 * count + once * min(threads, count)) * (n * (n - 1) // 2)
    return need if need <= memory * 3 // 4 else 0


def make_plan(sources, layers, dtype, requirements, memory, block_rows, kernels, threads, cluster) -> Plan:
    """Block sizes that keep to the memory.

    Raises
    ------
    ValueError
        If even the smallest blocks need more; the message says how much.
    """
    n, count, size = sources[0].shape[0], len(sources), np.dtype(dtype).itemsize
    pairs, width, tile = n * (n - 1) // 2, sum(layer.width for layer in layers), kernels.tile(n, dtype)
    ranked = requirements.dissimilarity is not None and requirements.compare == "spearman"
    row_state = 8 * count * requirements.distance
    if k := requirements.neighbours:
        kept, name = places(n, k), 4 if n < 2**31 else 8
        row_state += count * (kept * (size + name) + 3 * size + (k * (8 + name) if cluster else 0)) + threads * 24
    keep = 0 if cluster else ranked_by_sort(n, count, requirements, memory, kernels, threads)
    bins = 0
    if ranked and not keep:
        bins = 1 << (20 if cluster else 22)
        counter = 4 if pairs < 2**32 and kernels.NAME == "numpy" else 12
        while bins > 1 << 16 and count * bins * counter > memory // 4:
            bins //= 2
        keep = count * bins * counter
    state = (0 if cluster else n * row_state) + keep
    copies, sums = (4, row_state) if cluster else (1, 0)  # a worker also holds rows as they came, and the next task's
    per_row = copies * width * size + kernels.VECTORS * count * size + sums

    def blocks_need(block: int) -> int:
        stacks = (2 * count + kernels.SCRATCH) * block**2
        return threads * (stacks + min(STEP, n) * max(layer.width for layer in layers)) * size

    # Larger panels are read and prepared less often, but that is soon too little to matter; on a cluster there must be
    # several pairs of panels for every thread.
    offered = kernels.blocks(n, dtype)
    unit = offered[-1]
    largest = n / math.sqrt(8 * cluster.threads()) if cluster else min(8 * offered[0], n / 4)
    fair = n if cluster or kernels.NAME == "torch" else n / (5.5 * math.sqrt(threads))
    sizes = [unit * -(-block_rows // unit)] if block_rows else [b for b in offered if b <= fair] or [unit]
    for block in sizes:
        wanted = min(unit * -(-n // unit), block * math.ceil(largest / block))
        room = (memory - state - blocks_need(block)) // (2 * per_row)
        panel = wanted if room >= wanted else room // block * block
        if panel >= min(wanted, 4 * block) or (panel >= block and block == sizes[-1]):
            return Plan(n, dtype, requirements, layers, block, tile or block, panel, bins)
    block = sizes[-1]
    least = state + blocks_need(block) + 2 * block * per_row
    raise ValueError(
        f"max_memory is {memory / 2**20:.0f} MiB; {count} representations of {n} objects need at least "
        f"{math.ceil(least / 2**20)} MiB" + (f" with block_rows={block_rows}" if block_rows else "")
    )


def with_ranges(plan: Plan, sources: list[Source], kernels: Kernels, pool: Any, cluster: Any) -> Plan:
    """Set the range of each layer's bins from the distances of some objects spread over all."""
    chosen = np.unique(np.linspace(0, plan.n - 1, min(plan.n, SAMPLE)).astype(np.int64))
    layers = []
    for source, layer in zip(sources, plan.layers, strict=True):
        block = kernels.sample(source, chosen, plan.dtype)
        m = len(chosen)
        rows = kernels.full((m, layer.width), 0, plan.dtype)
        vectors = kernels.full((kernels.VECTORS, m), 0, plan.dtype)
        values = kernels.full((m, m), 0, plan.dtype)
        kernels.prepare(block, layer.mean, layer.middle, layer.scale, rows, vectors)
        kernels.multiply(rows, rows, values)
        kernels.squares(values, vectors, vectors, rows, rows, kernels.CANCELLED[plan.dtype], True)
        kernels.FILL[plan.requirements.dissimilarity](values, vectors, vectors, values, True)
        found = kernels.to_numpy(values)[np.triu_indices(m, 1)].astype(np.float64)
        low, high = float(found.min()), float(found.max())
        margin = (high - low) / 4 or max(abs(high), 1e-30)
        low, high = max(0.0, low - margin), high + margin
        if plan.requirements.dissimilarity in ("correlation", "cosine"):
            high = min(high, 2.0)
        step = plan.bins / (high - low) if plan.bins else 1.0
        layers.append(replace(layer, low=low, step=step, centre=float(found.mean())))
    return replace(plan, layers=tuple(layers))
