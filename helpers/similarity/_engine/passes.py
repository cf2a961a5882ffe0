r"""All pairs of representations at once: one pass over blocks of pairs of objects feeds every measure of the study.

Let the rows of L representations describe n objects. Four families of measures need sums over all pairs of objects:

- linear CKA: :math:`\sum_{ij} K_{ij} K'_{ij}` of the centred Gram matrices;
- distance correlation: :math:`\sum_{ij} D_{ij} D'_{ij}` and the row sums of the distance matrices, because double
  centring only subtracts products of row sums;
- RSA: :math:`\sum_{i<j} R_{ij} R'_{ij}` of the distances between objects or of their ranks;
- nearest neighbours: the k smallest of every row.

Entry (i, j) of each of these matrices follows from one inner product of two rows and a few numbers per row. So a block
of rows times another block gives a block of every matrix, of all L representations; the sums over all L(L + 1)/2 pairs
of representations are one (L × N)·(N × L) product; and nothing of size n × n is ever held. Symmetry halves the blocks.
Ranks need the distribution of all distances first, so Spearman takes a second pass (see :func:`stream`).
Centred Gram matrices of n objects and p features also meet in feature space: :math:`\sum_{ij} K_{ij} K'_{ij} =
\|X^\top X'\|_F^2`. Of the two ways CKA takes the one with fewer operations (:func:`feature_products`).
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from helpers.similarity._engine.sources import Source, common_dtype

__all__ = ["Totals", "Requirements", "feature_products", "memory_in_bytes", "stream"]

SAMPLE = 512  # objects whose distances set the range of the bins
SORTED = 4096  # up to so many objects all ranks come from one sort
STEP = 1024  # rows read at a time
UNIT = 32  # sizes of blocks are multiples of this
SAVE_EVERY = 30.0  # seconds between checkpoints
# Single precision is enough while no row is so much shorter than the mean that its direction drowns in rounding.
WIDE_SPREAD = 32.0


@dataclass(frozen=True)
class Requirements:
    """What one pass must gather."""

    gram: bool = False
    distance: bool = False
    dissimilarity: str | None = None  # "correlation", "cosine", "euclidean" or "sqeuclidean"
    compare: str = "spearman"  # or "pearson"
    neighbours: int = 0
    metric: str = "cosine"

    def merged(self, other: Requirements) -> Requirements | None:
        """One pass for both, or None if they contradict each other."""
        if self.dissimilarity and other.dissimilarity:
            if (self.dissimilarity, self.compare) != (other.dissimilarity, other.compare):
                return None
        if self.neighbours and other.neighbours:
            if (self.neighbours, self.metric) != (other.neighbours, other.metric):
                return None
        rsa, knn = (self if self.dissimilarity else other), (self if self.neighbours else other)
        return Requirements(
            self.gram or other.gram,
            self.distance or other.distance,
            rsa.dissimilarity,
            rsa.compare,
            knn.neighbours,
            knn.metric,
        )

    @property
    def pairwise(self) -> bool:
        """Whether the pairs of objects are needed in any case."""
        return bool(self.distance or self.dissimilarity or self.neighbours)


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
    panel: int
    bins: int  # 0: ranks by sorting, or none

    @property
    def itemsize(self) -> int:
        return np.dtype(self.dtype).itemsize

    @property
    def pairs(self) -> int:
        return self.n * (self.n - 1) // 2

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


@dataclass
class Totals:
    """What a finished pass knows; sums run over the pairs i < j."""

    n: int
    names: list[str]
    gram: np.ndarray | None = None
    gram_diagonal: np.ndarray | None = None  # (L, L): sums over i of K_ii K'_ii
    gram_trace: np.ndarray | None = None
    distance: np.ndarray | None = None
    distance_rows: np.ndarray | None = None  # (L, n)
    dissimilarity: np.ndarray | None = None
    dissimilarity_sum: np.ndarray | None = None
    rank_error: np.ndarray | None = None  # (L,): angle between the ranks used and the exact ranks
    neighbours: np.ndarray | None = None  # (L, n, k)
    info: dict[str, Any] = field(default_factory=dict)


class State:
    """Accumulators over the rows of a run, or of the two panels of a worker's share."""

    def __init__(self, plan: Plan, kernels: Any, spans: list[tuple[int, int]]):
        count, requirements = len(plan.layers), plan.requirements
        rows = sum(stop - start for start, stop in spans)
        self.spans = spans
        self.products: dict[str, np.ndarray] = {}
        self.diagonal = np.zeros((count, count))
        self.trace = np.zeros(count)
        self.sums = np.zeros(count)
        self.sides = np.zeros((count, rows if requirements.distance else 0))
        k = requirements.neighbours
        self.best = kernels.full((count, rows if k else 0, k), np.inf, plan.dtype)
        self.index = kernels.full((count, rows if k else 0, k), -1, "int32" if plan.n < 2**31 else "int64")
        whole = "uint32" if plan.pairs < 2**32 and kernels.NAME == "numpy" else "int64"
        self.histogram = kernels.full((count, plan.bins), 0, whole)
        ranked = requirements.dissimilarity and requirements.compare == "spearman" and not plan.bins
        self.store = kernels.full((count, plan.pairs if ranked else 0), 0, plan.dtype)
        self.tables: Any = None  # in a second pass, in place of the histogram
        self.error: Any = None

    def at(self, start: int) -> int:
        """Where the rows from ``start`` on are in the accumulators."""
        offset = 0
        for first, stop in self.spans:
            if first <= start < stop:
                return offset + start - first
            offset += stop - first
        raise IndexError(start)

    def add(self, other: Partial) -> None:
        """Add what a block brings."""
        for name, product in other.products.items():
            self.products[name] = self.products.get(name, 0.0) + product
        self.diagonal += other.diagonal
        self.trace += other.trace
        self.sums += other.sums
        for start, rows in other.sides:
            at = self.at(start)
            self.sides[:, at : at + rows.shape[1]] += rows

    def arrays(self) -> dict[str, np.ndarray]:
        names = ["diagonal", "trace", "sums", "sides", "best", "index", "store"]
        names += ["histogram"] if self.tables is None else ["tables", "error"]
        return {name: getattr(self, name) for name in names}


@dataclass
class Partial:
    """What one block brings apart from what it writes in place."""

    products: dict[str, np.ndarray]
    diagonal: np.ndarray | float = 0.0
    trace: np.ndarray | float = 0.0
    sums: np.ndarray | float = 0.0
    sides: list[tuple[int, np.ndarray]] = field(default_factory=list)


class Panel:
    """Rows of all layers, prepared for matrix products."""

    def __init__(self, plan: Plan, kernels: Any):
        whole = -(-plan.panel // plan.block) * plan.block
        self.rows = [kernels.full((whole, layer.width), 0, plan.dtype) for layer in plan.layers]
        self.vectors = [kernels.full((kernels.VECTORS, plan.panel), 0, plan.dtype) for _ in plan.layers]
        self.span = (0, 0)

    def load(self, plan: Plan, kernels: Any, sources: list[Source], span: tuple[int, int], pool: Any) -> None:
        """Read and prepare the rows of ``span``."""
        if span == self.span:
            return
        start, stop = span

        def part(task: tuple[int, int]) -> None:
            number, first = task
            layer, last = plan.layers[number], min(first + STEP, stop)
            block = kernels.load(sources[number], first, last, plan.dtype)
            here = slice(first - start, last - start)
            out, vectors = self.rows[number][here], self.vectors[number][:, here]
            kernels.prepare(block, layer.mean, layer.middle, layer.scale, out, vectors)

        list(pool.map(part, itertools.product(range(len(sources)), range(start, stop, STEP))))
        self.span = span

    def part(self, number: int, start: int, stop: int, block: int) -> tuple[Any, Any]:
        """A whole block of rows, beyond ``stop`` without meaning, and the vectors of those that count."""
        first = start - self.span[0]
        return self.rows[number][first : first + block], self.vectors[number][:, first : stop - self.span[0]]


class Space:
    """Scratch of one thread: two stacks of blocks, one for each layer."""

    def __init__(self, plan: Plan, kernels: Any):
        self.flat = [kernels.full((len(plan.layers) * plan.block**2,), 0, plan.dtype) for _ in range(2)]

    def stacks(self, count: int, rows: int, columns: int) -> list[Any]:
        """Two stacks of blocks of this size."""
        return [flat[: count * rows * columns].reshape(count, rows, columns) for flat in self.flat]

    def block(self, size: int) -> Any:
        """A square block in the place of the second stack."""
        return self.flat[1][: size * size].reshape(size, size)


class Serial:
    """A pool of no threads."""

    def map(self, function: Callable, tasks: Any) -> Iterator:
        return map(function, tasks)


def stream(
    sources: list[Source],
    requirements: Requirements,
    *,
    memory: int,
    block_rows: int | None = None,
    progress: bool = True,
    checkpoint: Path | None = None,
    kernels: Any = None,
    cluster: Any = None,
) -> Totals:
    """Gather what ``requirements`` asks for from all layers and all pairs of objects.

    Ranks are exact (one sort of all distances) up to :data:`SORTED` objects where they fit in the memory. Beyond, a
    first pass counts the distances in up to 2²² equal bins and a second replaces each by the mean rank of its bin. The
    ranks used and the exact ones then differ by an angle that the counts bound from above, and a correlation differs
    by less than the sum of the two angles of its layers: ``Totals.rank_error``.

    Parameters
    ----------
    sources, requirements
        What to read and what to gather.
    memory
        Bytes to use beyond the representations (on each worker of a cluster, or on the GPU).
    block_rows
        Objects on each side of a block, in place of the size that fits the memory; rounded up to a multiple of 32.
    checkpoint
        File for the state of the run, written every 30 seconds, read at the start, removed at the end.
    cluster
        A :class:`helpers.similarity._engine.cluster.Cluster`.
    """
    kernels = kernels or kernels_for(sources)
    threads = 1 if kernels.NAME == "torch" else available_threads()
    bar = Progress(progress)
    with one_thread_per_product(kernels), ThreadPoolExecutor(threads) as executor, bar:
        pool = executor if threads > 1 else Serial()
        dtype = common_dtype(sources)
        bar.start("reading", sum(math.prod(s.shape) for s in sources))
        layers, least, marks = describe(sources, dtype, kernels, cluster or pool, checkpoint is not None, bar)
        check_varies(sources, layers, requirements)
        if dtype == "float32" and _spread(layers, least, requirements) > WIDE_SPREAD:
            dtype = "float64"
            layers, least, _ = describe(sources, dtype, kernels, cluster or pool, False, bar)
        if cluster:  # every thread of a worker runs a task of its own
            memory, threads = memory // cluster.threads_per_worker(), 1
        plan = make_plan(sources, layers, dtype, requirements, memory, block_rows, kernels, threads, cluster)
        if plan.bins or (requirements.dissimilarity and requirements.compare == "pearson"):
            plan = with_ranges(plan, sources, kernels, pool, cluster)
        saved = Checkpoint(checkpoint, plan, marks, [s.name for s in sources])
        runner = cluster.runner(plan, sources, bar, saved) if cluster else Runner(plan, sources, kernels, bar, saved)
        return finish(plan, sources, kernels, runner, pool, bar, saved, executor, threads)


def finish(plan, sources, kernels, runner, pool, bar, saved, executor, threads) -> Totals:
    """Both passes and what comes out of them."""
    requirements = plan.requirements
    state = State(plan, kernels, [(0, plan.n)])
    phase, cursor = saved.restore(state, kernels)
    passes = 2 if plan.bins else 1
    if phase == 1:
        bar.start(f"pass 1 of {passes}" if passes > 1 else "pairs of objects", plan.pairs + plan.n)
        runner.run(1, cursor, state, pool, executor, threads)
        cursor = 0
    out = Totals(plan.n, [source.name for source in sources])
    if plan.bins:
        if state.tables is None:
            tables, state.error = rank_tables(kernels.to_numpy(state.histogram), plan, out.names)
            state.tables, state.histogram = kernels.from_numpy(tables), None
        bar.start("pass 2 of 2: ranks", plan.pairs + plan.n)
        runner.run(2, cursor, state, pool, executor, threads)
        out.dissimilarity, out.rank_error = state.products["rank"], state.error
    elif requirements.dissimilarity and requirements.compare == "spearman":
        out.dissimilarity = ranked_products(state.store, kernels, pool, out.names)
        out.rank_error = np.zeros(len(sources))
    elif requirements.dissimilarity:
        out.dissimilarity, out.dissimilarity_sum = state.products["dissimilarity"], state.sums
    if requirements.gram:
        out.gram, out.gram_diagonal, out.gram_trace = state.products["gram"], state.diagonal, state.trace
    if requirements.distance:
        out.distance, out.distance_rows = state.products["distance"], state.sides
    if requirements.neighbours:
        out.neighbours = kernels.to_numpy(state.index)
    out.info = {"block": plan.block, "panel": plan.panel, "bins": plan.bins, "dtype": plan.dtype, "passes": passes}
    saved.remove()
    return out


class Runner:
    """Runs the blocks of a pass with threads of this process."""

    def __init__(self, plan: Plan, sources: list[Source], kernels: Any, bar: Progress, saved: Checkpoint):
        self.plan, self.sources, self.kernels, self.bar, self.saved = plan, sources, kernels, bar, saved
        self.panels: list[Panel] | None = None
        self.locks = Locks()

    def run(self, phase: int, cursor: int, state: State, pool: Any, executor: Any, threads: int) -> None:
        """All blocks from number ``cursor`` on; their sums are added in order, whichever thread finishes first."""
        plan, kernels = self.plan, self.kernels
        self.panels = self.panels or [Panel(plan, kernels) for _ in range(2 if len(plan.panels()) > 1 else 1)]
        spaces: queue.SimpleQueue = queue.SimpleQueue()
        for _ in range(threads):
            spaces.put(Space(plan, kernels))
        places = store_places(plan) if state.store.shape[1] else {}
        running: deque = deque()
        done = 0

        def settle(limit: int) -> None:
            while len(running) > limit:
                task, future = running.popleft()
                state.add(future.result() if threads > 1 else future)
                self.bar.advance(pairs_of(task))

        def work(task: tuple[int, int, int, int], left: Panel, right: Panel) -> Partial:
            space = spaces.get()
            try:
                at = places.get(task, 0)
                return run_block(plan, kernels, phase, task, left, right, space, state, self.locks, at)
            finally:
                spaces.put(space)

        for left, right in plan.panel_pairs():
            blocks = plan.blocks(left, right)
            if done + len(blocks) <= cursor:
                done += len(blocks)
                self.bar.advance(sum(map(pairs_of, blocks)))
                continue
            settle(0)
            first = self.panels[0]
            second = first if right == left else self.panels[1]
            first.load(plan, kernels, self.sources, left, pool)
            second.load(plan, kernels, self.sources, right, pool)
            for task in blocks:
                done += 1
                if done <= cursor:
                    self.bar.advance(pairs_of(task))
                    continue
                part = executor.submit(work, task, first, second) if threads > 1 else work(task, first, second)
                running.append((task, part))
                settle(2 * threads if threads > 1 else 0)
                if self.saved.due():
                    settle(0)  # blocks under way write into the state
                    self.saved.write(phase, done, state, kernels)
        settle(0)


class Locks:
    """Locks of the accumulators that blocks of different threads share."""

    def __init__(self):
        self.locks: dict[Any, threading.Lock] = {}

    def of(self, *what: Any) -> threading.Lock:
        return self.locks.setdefault(what, threading.Lock())


def run_block(plan, kernels, phase, task, left, right, space, state, locks, place) -> Partial:
    """One block of pairs of objects, all layers, all measures."""
    i0, i1, j0, j1 = task
    requirements, diagonal, count = plan.requirements, i0 == j0, len(plan.layers)
    squares, work = space.stacks(count, i1 - i0, j1 - j0)
    sides = [(left.part(m, i0, i1, plan.block), right.part(m, j0, j1, plan.block)) for m in range(count)]
    cancelled = kernels.CANCELLED[plan.dtype]
    # Every product has the same shape, a multiple of what the libraries compute at a time, so that each entry is summed
    # in the same order wherever it stands.
    product = space.block(plan.block)
    for m, ((rows, a), (columns, b)) in enumerate(sides):
        if squares[m].shape == product.shape:
            kernels.multiply(rows, columns, squares[m])
        else:
            kernels.multiply(rows, columns, product)
            squares[m][...] = product[: i1 - i0, : j1 - j0]
        kernels.squares(squares[m], a, b, rows, columns, cancelled, diagonal)
    vectors = [(a, b) for (_, a), (_, b) in sides]
    out = Partial({})

    def fill(kind: str, m: int, target: Any) -> None:
        kernels.FILL[kind](squares[m], *vectors[m], target, diagonal)

    if phase == 2:
        for m, layer in enumerate(plan.layers):
            fill(requirements.dissimilarity, m, work[m])
            kernels.look_up(work[m], layer.low, layer.step, state.tables[m], diagonal)
        out.products["rank"] = kernels.cross(work)
        return out
    if requirements.gram:
        for m in range(count):
            fill("gram", m, work[m])
        out.products["gram"] = kernels.cross(work)
        if diagonal:
            norms = np.stack([kernels.to_numpy(a[kernels.OBJECTS]).astype(np.float64) for a, _ in vectors])
            out.diagonal, out.trace = norms @ norms.T, norms.sum(axis=1)
    if requirements.distance:
        rows, columns = np.zeros((count, i1 - i0)), np.zeros((count, j1 - j0))
        for m in range(count):
            fill("euclidean", m, work[m])
            kernels.side_sums(work[m], rows[m], columns[m])
        out.products["distance"] = kernels.cross(work)
        out.sides = [(i0, rows), (j0, columns)]
    if requirements.dissimilarity and requirements.compare == "pearson":
        out.sums = np.zeros(count)
        for m, layer in enumerate(plan.layers):
            fill(requirements.dissimilarity, m, work[m])
            out.sums[m] = kernels.shifted_sum(work[m], layer.centre, diagonal)
        out.products["dissimilarity"] = kernels.cross(work)
    elif requirements.dissimilarity:
        size = pairs_of(task, diagonal=False)
        for m, layer in enumerate(plan.layers):
            fill(requirements.dissimilarity, m, work[m])
            if plan.bins:
                with locks.of("histogram", m):
                    kernels.count(work[m], layer.low, layer.step, state.histogram[m], diagonal)
            else:
                kernels.pack(work[m], state.store[m, place : place + size], diagonal)
    if requirements.neighbours:
        i, j = state.at(i0), state.at(j0)
        here, there = slice(i, i + i1 - i0), slice(j, j + j1 - j0)
        guards = sorted({i0 // plan.block, j0 // plan.block})
        for m in range(count):
            fill(requirements.metric, m, work[m])
            with contextlib.ExitStack() as held:
                for guard in guards:
                    held.enter_context(locks.of(guard, m))
                best, index = state.best[m], state.index[m]
                kernels.nearest(work[m], best[here], index[here], best[there], index[there], i0, j0, diagonal)
    return out


def pairs_of(task: tuple[int, int, int, int], diagonal: bool = True) -> int:
    """Pairs i < j in a block, and with ``diagonal`` those i = j."""
    i0, i1, j0, j1 = task
    size = i1 - i0
    return size * (size + (1 if diagonal else -1)) // 2 if i0 == j0 else size * (j1 - j0)


def store_places(plan: Plan) -> dict[tuple[int, int, int, int], int]:
    """Where each block's distances begin when all are kept."""
    tasks = [task for pair in plan.panel_pairs() for task in plan.blocks(*pair)]
    ends = np.cumsum([0] + [pairs_of(task, diagonal=False) for task in tasks])
    return dict(zip(tasks, ends.tolist(), strict=False))


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
        total = np.sum([part[0] for part in found], axis=0)
        low = np.min([part[1] for part in found], axis=0)
        high = np.max([part[2] for part in found], axis=0)
        largest = float(max(high.max(), -low.min()))
        if source.factor == 1 and dtype == "float64" and largest > 0 and not 1e-120 < largest < 1e120:
            source.factor = 2.0 ** -math.frexp(largest)[1] if largest > 1e-300 else 2.0**1000
            return describe(sources, dtype, kernels, pool, marked, bar)
        mean = np.where(low == high, low, total / source.shape[0])
        reach = float(np.max(np.maximum(high - mean, mean - low)))
        scale = 2.0 ** -math.frexp(reach)[1] if reach > 0 else 1.0
        layers.append(Layer(source.shape[1], mean, float(mean.mean()), scale, reach == 0))
        least.append(np.min([part[3] for part in found], axis=0))
        marks.append("".join(part[4] for part in found))
    return tuple(layers), np.array(least), marks


def block_statistics(source: Source, task: tuple[int, int, int], dtype: str, kernels: Any, marked: bool) -> tuple:
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


def _spread(layers: tuple[Layer, ...], least: np.ndarray, requirements: Requirements) -> float:
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


def make_plan(sources, layers, dtype, requirements, memory, block_rows, kernels, threads, cluster) -> Plan:
    """Block sizes that keep to the memory.

    Raises
    ------
    ValueError
        If even the smallest blocks need more; the message says how much.
    """
    n, count, size = sources[0].shape[0], len(sources), np.dtype(dtype).itemsize
    pairs, width = n * (n - 1) // 2, sum(layer.width for layer in layers)
    ranked = requirements.dissimilarity is not None and requirements.compare == "spearman"
    row_state = count * (requirements.neighbours * (size + 4) + 8 * requirements.distance)
    keep = 0
    bins = 0
    if ranked:
        keep = count * pairs * size + threads * pairs * 16
        if cluster or n > SORTED or 2 * keep > memory:
            keep, bins = 0, 1 << (20 if cluster else 22)
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
    largest = n / math.sqrt(8 * cluster.threads()) if cluster else min(8 * max(kernels.BLOCKS), n / 4)
    fair = n if cluster or kernels.NAME == "torch" else n / (5.5 * math.sqrt(threads))
    sizes = [UNIT * -(-block_rows // UNIT)] if block_rows else [b for b in kernels.BLOCKS if b <= fair] or [UNIT]
    for block in sizes:
        wanted = min(UNIT * -(-n // UNIT), block * math.ceil(largest / block))
        room = (memory - state - blocks_need(block)) // (2 * per_row)
        panel = wanted if room >= wanted else room // block * block
        if panel >= min(wanted, 4 * block) or (panel >= block and block == sizes[-1]):
            return Plan(n, dtype, requirements, layers, block, panel, bins)
    block = sizes[-1]
    least = state + blocks_need(block) + 2 * block * per_row
    raise ValueError(
        f"max_memory is {memory / 2**20:.0f} MiB; {count} representations of {n} objects need at least "
        f"{math.ceil(least / 2**20)} MiB" + (f" with block_rows={block_rows}" if block_rows else "")
    )


def with_ranges(plan: Plan, sources: list[Source], kernels: Any, pool: Any, cluster: Any) -> Plan:
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


def ranked_products(store: Any, kernels: Any, pool: Any, names: list[str]) -> np.ndarray:
    """Inner products of the exact ranks of all distances."""

    def one(number: int) -> None:
        kernels.rank(store[number])

    list(pool.map(one, range(len(store))))
    out = np.zeros((len(store), len(store)))
    for start in range(0, store.shape[1], 1 << 18):
        out += kernels.cross(store[:, start : start + (1 << 18)])
    for name, square in zip(names, np.diag(out), strict=True):
        if not square > 0:
            raise ValueError(f"{name}: all distances between objects are equal; RSA is undefined")
    return out


def feature_cheaper(sources: list[Source], requirements: Requirements) -> bool:
    """Whether the Gram products cost fewer operations in feature space than from pairs of objects."""
    n, widths = sources[0].shape[0], np.array([source.shape[1] for source in sources], dtype=float)
    pairs = len(widths) * (len(widths) + 1) / 2
    features = n * (widths.sum() ** 2 + (widths**2).sum())
    from_blocks = 8.0 * pairs * n**2  # short, fat products run slower than their count of operations
    objects = from_blocks + (0 if requirements.pairwise else n**2 * widths.sum())
    return features < objects


def feature_products(
    sources: list[Source], *, memory: int, progress: bool = True, kernels: Any = None, cluster: Any = None
) -> Totals:
    """The Gram sums of :class:`Totals` from products in feature space: no pair of objects is ever formed.

    One pass over the rows in chunks; the L(L + 1)/2 products of p × p' entries are summed in float64. If they do not
    fit in the memory together, they are taken in groups, with one pass over the rows for each group.
    """
    kernels = kernels or kernels_for(sources)
    n, count, dtype = sources[0].shape[0], len(sources), common_dtype(sources)
    size = np.dtype(dtype).itemsize
    threads = 1 if kernels.NAME == "torch" else available_threads()
    bar = Progress(progress)
    with one_thread_per_product(kernels), ThreadPoolExecutor(threads) as pool, bar:
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

    def __init__(self, layers: Any, dtype: str, group: list[tuple[int, int]], chunk: int, kernels: Any, pool: Any):
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


class Checkpoint:
    """The state of a run in a file, replaced as a whole, valid only for the same inputs and options."""

    def __init__(self, path: Path | None, plan: Plan, marks: list[str], names: list[str]):
        self.path, self.last = path, time.monotonic()
        if path is not None:
            described = repr((names, plan.n, plan.dtype, plan.requirements, plan.block, plan.panel, plan.bins, marks))
            self.key = hashlib.blake2b(described.encode(), digest_size=16).hexdigest()

    def due(self) -> bool:
        """Whether it is time to write."""
        return self.path is not None and time.monotonic() - self.last > SAVE_EVERY

    def write(self, phase: int, done: int, state: State, kernels: Any) -> None:
        """Save the state after ``done`` blocks of a pass."""
        arrays = {name: kernels.to_numpy(array) for name, array in state.arrays().items()}
        products = {f"product_{name}": product for name, product in state.products.items()}
        scratch = self.path.with_name(self.path.name + ".part")
        with scratch.open("wb") as file:
            np.savez(file, key=self.key, phase=phase, done=done, **arrays, **products)
        os.replace(scratch, self.path)
        self.last = time.monotonic()

    def restore(self, state: State, kernels: Any) -> tuple[int, int]:
        """Pass and number of blocks to go on from; fills the state."""
        if self.path is None or not self.path.exists():
            return 1, 0
        with np.load(self.path, allow_pickle=False) as saved:
            if str(saved["key"]) != self.key:
                raise ValueError(
                    f"checkpoint {self.path} belongs to other representations or options; remove it or name another"
                )
            if "tables" in saved.files:
                state.tables, state.error = kernels.from_numpy(saved["tables"]), saved["error"]
            for name, array in state.arrays().items():
                kernels.assign(array, saved[name])
            for name in saved.files:
                if name.startswith("product_"):
                    state.products[name.removeprefix("product_")] = saved[name]
            return int(saved["phase"]), int(saved["done"])

    def remove(self) -> None:
        """A finished run needs no checkpoint."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


class Progress:
    """A bar that says what runs and how long it will take, or nothing."""

    def __init__(self, shown: bool):
        self.shown, self.bar = shown, None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: Any) -> None:
        if self.bar is not None:
            self.bar.close()

    def start(self, what: str, total: int) -> None:
        """Begin the next part."""
        self.__exit__()
        if self.shown:
            from tqdm.auto import tqdm

            self.bar = tqdm(total=total, desc=what, unit="", unit_scale=True, leave=False)

    def advance(self, amount: int) -> None:
        """Move on."""
        if self.bar is not None:
            self.bar.update(amount)


def available_threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def kernels_for(sources: list[Source]) -> Any:
    """The kernels of the device that holds the representations."""
    devices = [source.device for source in sources if source.device is not None]
    if devices:
        from helpers.similarity._engine.tensors import TorchKernels

        return TorchKernels(devices[0])
    from helpers.similarity._engine import compiled

    return compiled


@contextlib.contextmanager
def one_thread_per_product(kernels: Any) -> Iterator[None]:
    """Threads of ours run whole blocks each, so a matrix product must not start its own."""
    if kernels.NAME == "torch":
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def memory_in_bytes(value: int | str, name: str = "max_memory") -> int:
    """Bytes from a number or from text such as "3GB" or "500 MiB"."""
    from dask.utils import parse_bytes

    try:
        out = parse_bytes(value) if isinstance(value, str) else int(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} is {value!r}; a number of bytes or text such as '2GB' is needed") from error
    if isinstance(value, bool) or out <= 0:
        raise ValueError(f"{name} is {value!r}; it must be positive")
    return out
