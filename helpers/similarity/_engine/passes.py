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
import math
import queue
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from helpers.similarity._engine.kernels import Kernels, kernels_for
from helpers.similarity._engine.neighbours import Candidates, PairDistances, exact_neighbours
from helpers.similarity._engine.plan import (
    DOUBLE,
    Plan,
    check_varies,
    describe,
    make_plan,
    pairs_of,
    ranked_by_sort,
    spread,
    with_ranges,
)
from helpers.similarity._engine.ranks import rank_tables, ranked_products
from helpers.similarity._engine.requirements import Requirements, Totals
from helpers.similarity._engine.resources import Progress, one_thread_per_product, threads_for
from helpers.similarity._engine.sources import Source, common_dtype
from helpers.similarity._engine.state import Checkpoint, Locks, Panel, Partial, Space, State, pool_of

__all__ = ["stream"]

# Single precision is enough while no row is so much shorter than the mean that its direction drowns in rounding.
WIDE_SPREAD = 32.0


def stream(
    sources: list[Source],
    requirements: Requirements,
    *,
    memory: int,
    block_rows: int | None = None,
    progress: bool = True,
    checkpoint: Path | None = None,
    kernels: Kernels | None = None,
    cluster: Any = None,
) -> Totals:
    """Gather what ``requirements`` asks for from all layers and all pairs of objects.

    Up to :data:`~helpers.similarity._engine.plan.DOUBLE` objects everything is computed in double precision. Ranks are
    exact (one sort of all distances, in double precision) up to :data:`SORTED` objects where they fit in the memory;
    ties are those of :mod:`~helpers.similarity._engine.levels`. Beyond, a
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
        Objects on each side of a block, in place of the size that fits the memory; rounded up to whole tiles.
    checkpoint
        File for the state of the run, written every 30 seconds, read at the start, removed at the end.
    cluster
        Cluster of workers, a :class:`helpers.similarity._engine.cluster.Cluster`.
    """
    kernels = kernels or kernels_for(sources)
    threads = threads_for(kernels, sources[0].shape[0] ** 2 * sum(source.shape[1] for source in sources))
    bar = Progress(progress)
    with one_thread_per_product(kernels), pool_of(threads) as pool, bar:
        n, count = sources[0].shape[0], len(sources)
        sort = not cluster and ranked_by_sort(n, count, requirements, memory, kernels, threads)
        dtype = "float64" if n <= DOUBLE or sort else common_dtype(sources)
        bar.start("reading", sum(math.prod(s.shape) for s in sources))
        layers, least, marks = describe(sources, dtype, kernels, cluster or pool, checkpoint is not None, bar)
        check_varies(sources, layers, requirements)
        if dtype == "float32" and spread(layers, least, requirements) > WIDE_SPREAD:
            dtype = "float64"
            layers, least, _ = describe(sources, dtype, kernels, cluster or pool, False, bar)
        if cluster:  # every thread of a worker runs a task of its own
            memory, threads = memory // cluster.threads_per_worker(), 1
        plan = make_plan(sources, layers, dtype, requirements, memory, block_rows, kernels, threads, cluster)
        if plan.bins or (requirements.dissimilarity and requirements.compare == "pearson"):
            plan = with_ranges(plan, sources, kernels, pool, cluster)
        saved = Checkpoint(checkpoint, plan, marks, [s.name for s in sources])
        runner = cluster.runner(plan, sources, bar, saved) if cluster else Runner(plan, sources, kernels, bar, saved)
        return finish(plan, sources, kernels, runner, pool, bar, saved, threads)


def finish(plan, sources, kernels, runner, pool, bar, saved, threads) -> Totals:
    """Both passes and what comes out of them."""
    requirements = plan.requirements
    state = State(plan, kernels, [(0, plan.n)], exact=runner.exact)
    phase, cursor = saved.restore(state, kernels)
    passes = 2 if plan.bins else 1
    if phase == 1:
        bar.start(f"pass 1 of {passes}" if passes > 1 else "pairs of objects", plan.pairs + plan.n)
        runner.run(1, cursor, state, pool, threads)
        cursor = 0
    out = Totals(plan.n, [source.name for source in sources])
    if plan.bins:
        if state.tables is None:
            tables, state.error = rank_tables(kernels.to_numpy(state.histogram), plan, out.names)
            state.tables, state.histogram = kernels.from_numpy(tables), None
        bar.start("pass 2 of 2: ranks", plan.pairs + plan.n)
        runner.run(2, cursor, state, pool, threads)
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
        out.neighbours = nearest_of(plan, kernels, sources, state, runner.exact, pool, threads)
        out.distances = PairDistances(kernels, sources, requirements.metric)
    out.info = {"block": plan.block, "panel": plan.panel, "bins": plan.bins, "dtype": plan.dtype, "passes": passes}
    saved.remove()
    return out


def nearest_of(plan, kernels, sources, state, exact, pool, threads) -> np.ndarray:
    """The nearest neighbours (L, n, k) from the candidates of a finished pass."""
    names, k, metric = kernels.to_numpy(state.index), plan.requirements.neighbours, plan.requirements.metric
    if not exact:
        keys = kernels.to_numpy(state.best)
        candidates = [
            Candidates(*of, layer.width, unit)
            for *of, layer, unit in zip(keys, names, state.marks, plan.layers, plan.units(metric), strict=True)
        ]
        exact_neighbours(kernels, sources, metric, k, candidates, pool, threads)
    state.best = None
    return np.ascontiguousarray(names[:, :, :k])


class Runner:
    """Runs the blocks of a pass with threads of this process."""

    exact = False  # blocks leave candidates for nearest neighbours

    def __init__(self, plan: Plan, sources: list[Source], kernels: Kernels, bar: Progress, saved: Checkpoint):
        self.plan, self.sources, self.kernels, self.bar, self.saved = plan, sources, kernels, bar, saved
        self.panels: list[Panel] | None = None
        self.locks = Locks()

    def run(self, phase: int, cursor: int, state: State, pool: Any, threads: int) -> None:
        """All blocks from number ``cursor`` on; their sums are added in order, whichever thread finishes first."""
        plan, kernels = self.plan, self.kernels
        self.panels = self.panels or [Panel(plan, kernels) for _ in range(2 if len(plan.panels()) > 1 else 1)]
        spaces: queue.SimpleQueue = queue.SimpleQueue()
        for _ in range(threads):
            spaces.put(Space(plan, kernels))
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
                return run_block(plan, kernels, phase, task, left, right, space, state, self.locks)
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
                part = pool.submit(work, task, first, second) if threads > 1 else work(task, first, second)
                running.append((task, part))
                settle(2 * threads if threads > 1 else 0)
                if self.saved.due():
                    settle(0)  # blocks under way write into the state
                    self.saved.write(phase, done, state, kernels)
        settle(0)


def multiply(kernels, rows, columns, out, product, diagonal) -> None:
    """Products of two groups of objects, tile by tile; in a diagonal block those above the diagonal.

    All tiles have the same shape, so that an entry has the same bits in whatever block it is; what reaches beyond
    ``out`` is left out.
    """
    tile = len(product)
    for i in range(0, len(rows), tile):
        for j in range(i if diagonal else 0, len(columns), tile):
            part = out[i : i + tile, j : j + tile]
            whole = part.shape == product.shape
            kernels.multiply(rows[i : i + tile], columns[j : j + tile], part if whole else product)
            if not whole:
                part[...] = product[: part.shape[0], : part.shape[1]]


def run_block(plan, kernels, phase, task, left, right, space, state, locks) -> Partial:
    """One block of pairs of objects, all layers, all measures."""
    i0, i1, j0, j1 = task
    requirements, diagonal, count = plan.requirements, i0 == j0, len(plan.layers)
    squares, work = space.stacks(count, i1 - i0, j1 - j0)
    sides = [(left.part(m, i0, i1, plan.tile), right.part(m, j0, j1, plan.tile)) for m in range(count)]
    cancelled = kernels.CANCELLED[plan.dtype]
    vectors = [(kernels.packed(a), kernels.packed(b)) for (_, a), (_, b) in sides]
    for m, ((rows, _), (columns, _)) in enumerate(sides):
        multiply(kernels, rows, columns, squares[m], space.block(plan.tile), diagonal)
        kernels.squares(squares[m], *vectors[m], rows, columns, cancelled, diagonal)
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
        for m, layer in enumerate(plan.layers):
            fill(requirements.dissimilarity, m, work[m])
            if plan.bins:
                with locks.of("histogram", m):
                    kernels.count(work[m], layer.low, layer.step, state.histogram[m], diagonal)
            else:
                kernels.pack(work[m], state.store[m], i0, j0, plan.n, diagonal)
    if requirements.neighbours:
        i, j = state.at(i0), state.at(j0)
        here, there = slice(i, i + i1 - i0), slice(j, j + j1 - j0)
        guards = sorted({i0 // plan.block, j0 // plan.block})
        for m in range(count):
            if diagonal:
                state.marks[m][:, here] = kernels.marks(requirements.metric, vectors[m][0])
            with contextlib.ExitStack() as held:
                for guard in guards:
                    held.enter_context(locks.of(guard, m))
                best, index = state.best[m], state.index[m]
                lists = best[here], index[here], best[there], index[there], i0, j0
                width = plan.layers[m].width
                kernels.nearest(requirements.metric, squares[m], work[m], *vectors[m], width, *lists, diagonal)
    return out
