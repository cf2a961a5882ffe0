"""The blocks of pairs as tasks of a Dask cluster.

A task takes two panels of rows of all representations and brings the same sums as threads of one process would; it
reads its own rows, so that a worker holds two panels and a scratch of fixed size, whatever the number of objects. Few
tasks are under way at a time. What a lost worker was at is computed again elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from helpers.similarity._engine import compiled
from helpers.similarity._engine.features import ProductSums
from helpers.similarity._engine.kernels import Kernels
from helpers.similarity._engine.neighbours import Candidates, settle
from helpers.similarity._engine.passes import run_block
from helpers.similarity._engine.plan import Plan, block_statistics, pairs_of
from helpers.similarity._engine.resources import Progress, one_thread_per_product
from helpers.similarity._engine.sources import Source
from helpers.similarity._engine.state import Locks, Panel, Serial, Space, State

AHEAD = 2  # tasks under way for each thread of the cluster
FAN_IN = 4  # sums combined by one task
ATTEMPTS = 3


@contextlib.contextmanager
def cluster_for(scheduler: Any, sources: list[Source]) -> Iterator[Cluster | None]:
    """The cluster to use: a given client or address, or the one of the environment for Dask arrays."""
    if scheduler is None and any(source.kind == "dask" for source in sources):
        scheduler = os.environ.get("DASK_SCHEDULER_ADDRESS")
    if scheduler is None:
        yield None
        return
    if any(source.device for source in sources):
        raise ValueError("a scheduler and representations on a GPU cannot be combined; pass one of them")
    from distributed import Client

    if isinstance(scheduler, Client):
        yield Cluster(scheduler)
    elif isinstance(scheduler, str):
        with Client(scheduler, set_as_default=False) as client:
            yield Cluster(client)
    else:
        raise TypeError(f"scheduler is a {type(scheduler).__name__}; an address or a distributed.Client is needed")


class Cluster:
    """A Dask client and what the engine asks of it."""

    def __init__(self, client: Any):
        self.client = client

    def threads(self) -> int:
        return max(1, sum(self.client.nthreads().values()))

    def threads_per_worker(self) -> int:
        return max([1, *self.client.nthreads().values()])

    def ordered(self, tasks: Iterable[Any]) -> Iterator[Any]:
        """Results of delayed tasks in their order, few of them under way at a time."""
        running: deque = deque()
        limit = AHEAD * self.threads()
        for task in tasks:
            running.append((task, self.client.compute(task, retries=ATTEMPTS)))
            if len(running) >= limit:
                yield self.result(*running.popleft())
        while running:
            yield self.result(*running.popleft())

    def result(self, task: Any, future: Any) -> Any:
        """The result of a task, submitted again if workers died of other causes while they held it."""
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        for attempt in range(ATTEMPTS + 1):
            try:
                return future.result()
            except (KilledWorker, CancelledError):
                if attempt == ATTEMPTS:
                    raise
                future = self.client.compute(task, retries=ATTEMPTS)
        raise AssertionError

    def statistics(self, sources: list[Source], tasks: list[tuple], dtype: str, marked: bool) -> Iterator[tuple]:
        """Column statistics of blocks of rows."""
        from dask import delayed

        return self.ordered(
            delayed(_statistics, pure=False)(
                rows(sources[task[0]], task[1], task[2]), lean(sources[task[0]]), task, dtype, marked
            )
            for task in tasks
        )

    def runner(self, plan, sources, bar, saved) -> Runner:
        return Runner(self, plan, sources, bar, saved)

    def feature_products(self, sources, layers, dtype, group, chunk) -> tuple[list[float], np.ndarray, np.ndarray]:
        """Squared norms of the products of features of a group of pairs of layers; sums of the Gram diagonals."""
        from dask import delayed

        n = sources[0].shape[0]
        step = max(chunk, -(-n // (4 * self.threads())))
        step = min(step, 8 * chunk)
        parts = [
            delayed(_products, pure=False)(
                [rows(s, start, min(start + step, n)) for s in sources],
                [lean(s) for s in sources],
                layers,
                dtype,
                group,
                chunk,
            )
            for start in range(0, n, step)
        ]
        while len(parts) > 1:
            parts = [delayed(_added, pure=False)(parts[i : i + FAN_IN]) for i in range(0, len(parts), FAN_IN)]
        task = delayed(_squared, pure=False)(parts[0])
        return self.result(task, self.client.compute(task, retries=ATTEMPTS))

    def values(self, measure, options, sources, pairs, progress) -> list[float]:
        """A measure of whole representations, one task for each pair."""
        from dask import delayed

        n = sources[0].shape[0]
        bar = Progress(progress)
        out = []
        with bar:
            bar.start(f"{measure.name}: all pairs", len(pairs))
            tasks = (
                delayed(_value, pure=False)(
                    measure, options, *(rows(sources[m], 0, n) for m in pair), *(sources[m].name for m in pair)
                )
                for pair in pairs
            )
            for result in self.ordered(tasks):
                out.append(result)
                bar.advance(1)
        return out


class Runner:
    """Runs the panels of a pass on the cluster; same interface as :class:`helpers.similarity._engine.passes.Runner`."""

    exact = True  # workers bring the nearest among the objects that they have

    def __init__(self, cluster: Cluster, plan, sources, bar, saved):
        self.cluster, self.plan, self.sources, self.bar, self.saved = cluster, plan, sources, bar, saved

    def run(self, phase: int, cursor: int, state: State, *_: Any) -> None:
        """All pairs of panels from number ``cursor`` on."""
        from dask import delayed

        plan = self.plan
        pairs = plan.panel_pairs()
        bare = [lean(source) for source in self.sources]
        shared = [delayed(plan, pure=False, traverse=False)]
        tables = None
        if phase == 2:
            # The result of a task, not scattered data: a task can be repeated when the worker that holds it is lost.
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Sending large graph")
                tables = self.cluster.client.submit(_same, state.tables, pure=False)
        size = {pair: sum(map(pairs_of, plan.blocks(*pair))) for pair in pairs}
        self.bar.advance(sum(size[pair] for pair in pairs[:cursor]))
        spans = {span: [rows(source, *span) for source in self.sources] for span in plan.panels()}
        tasks = (
            delayed(_panels, pure=False)(
                shared[0], phase, left, right, spans[left], spans[right] if right != left else None, bare, tables
            )
            for left, right in pairs[cursor:]
        )
        done = cursor
        for pair, part in zip(pairs[cursor:], self.cluster.ordered(tasks), strict=True):
            merge(state, part, plan, compiled)
            done += 1
            self.bar.advance(size[pair])
            if self.saved.due():
                self.saved.write(phase, done, state, compiled)


@dataclass
class Part:
    """What a pair of panels brings to the state of the whole run."""

    spans: list[tuple[int, int]]
    products: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray]


def merge(state: State, part: Part, plan: Plan, kernels: Kernels) -> None:
    """Add a worker's share."""
    for name, product in part.products.items():
        state.products[name] = state.products.get(name, 0.0) + product
    for name in ("diagonal", "trace", "sums"):
        getattr(state, name)[...] += part.arrays[name]
    if part.arrays["histogram"].size:  # the second pass brings none
        state.histogram += part.arrays["histogram"].astype(state.histogram.dtype)
    offset = 0
    for start, stop in part.spans:
        here, there = slice(start, stop), slice(offset, offset + stop - start)
        if plan.requirements.distance:
            state.sides[:, here] += part.arrays["sides"][:, there]
        if plan.requirements.neighbours:
            for m in range(len(plan.layers)):
                best, index = part.arrays["best"][m, there], part.arrays["index"][m, there]
                kernels.merge_neighbours(state.best[m, here], state.index[m, here], best, index)
        offset += stop - start


def rows(source: Source, start: int, stop: int) -> Any:
    """Rows of a source as something that Dask computes on a worker."""
    if source.kind == "dask":
        return source.data[start:stop]
    from dask import delayed

    block = source.data[start:stop]
    return delayed(np.asarray(block if source.kind == "numpy" else block.detach().float().numpy()), traverse=False)


def lean(source: Source) -> Source:
    """A source without its data."""
    return Source(source.name, np.empty((0, source.shape[1])), "numpy", source.dtype, source.factor)


def filled(source: Source, data: Any) -> Source:
    """A source with the rows that a worker has."""
    return Source(source.name, np.asarray(data), "numpy", source.dtype, source.factor)


def _statistics(block: Any, bare: Source, task: tuple, dtype: str, marked: bool) -> tuple:
    number, start, stop = task
    source = Shifted(filled(bare, block), start)
    return block_statistics(source, (number, start, stop), dtype, compiled, marked)


class Shifted(Source):
    """Some rows of a source under the numbers that they have in the whole."""

    def __init__(self, source: Source, start: int):
        super().__init__(source.name, source.data, "numpy", source.dtype, source.factor)
        self.start = start

    def rows(self, start: int, stop: int, dtype: str) -> np.ndarray:
        return super().rows(start - self.start, stop - self.start, dtype)


def _panels(plan, phase, left, right, left_rows, right_rows, bare, tables) -> Part:
    """All blocks of a pair of panels."""
    kernels, pool = compiled, Serial()
    spans = [left] if right_rows is None else [left, right]
    state = State(plan, kernels, spans)
    state.tables = tables
    locks = Locks()
    with one_thread_per_product(kernels):
        panels = []
        for span, blocks in zip(spans, (left_rows, right_rows), strict=False):
            panel = Panel(plan, kernels)
            sources = [Shifted(filled(b, block), span[0]) for b, block in zip(bare, blocks, strict=True)]
            panel.load(plan, kernels, sources, span, pool)
            panels.append(panel)
        space = Space(plan, kernels)
        for task in plan.blocks(left, right):
            state.add(run_block(plan, kernels, phase, task, panels[0], panels[-1], space, state, locks))
    state.tables = None
    arrays = state.arrays()
    if plan.requirements.neighbours and phase == 1:
        blocks = [block for block in (left_rows, right_rows) if block is not None]
        arrays["best"], arrays["index"] = _settled(plan, spans, blocks, bare, arrays["best"], arrays["index"])
    if phase == 2:
        arrays["histogram"] = arrays["histogram"][:, :0]
    return Part(spans, state.products, arrays)


def _settled(plan, spans, blocks, bare, keys, names) -> tuple[np.ndarray, np.ndarray]:
    """Exact distances and neighbours of the rows of the panels of a task among themselves."""
    k, metric = plan.requirements.neighbours, plan.requirements.metric
    here = np.concatenate([np.arange(*span) for span in spans])
    best = np.full((len(bare), len(here), k), np.inf)
    index = np.full(best.shape, -1, names.dtype)
    for m, (source, unit) in enumerate(zip(bare, plan.units(metric), strict=True)):
        own = filled(source, np.concatenate([np.asarray(block[m]) for block in blocks]))
        places = np.where(names[m] < 0, -1, np.searchsorted(here, names[m]))
        candidates = Candidates(keys[m], places, None, source.shape[1], unit)
        of = compiled.exact(own, None, metric)
        found, near = settle(compiled, own, metric, min(k, len(here) - 1), candidates, slice(0, len(here)), of)
        best[m, :, : near.shape[1]], index[m, :, : near.shape[1]] = found, here[near]
    return best, index


def _products(blocks, bare, layers, dtype, group, chunk) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    kernels = compiled
    sources = [filled(b, block) for b, block in zip(bare, blocks, strict=True)]
    n = len(blocks[0])
    with one_thread_per_product(kernels):
        sums = ProductSums(layers, dtype, group, chunk, kernels, Serial())
        for start in range(0, n, chunk):
            sums.add(sources, start, min(start + chunk, n))
    return [sums.sums[pair] for pair in group], sums.diagonal, sums.trace


def _added(parts: list) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    out = [array.copy() for array in parts[0][0]]
    for products, _, _ in parts[1:]:
        for total, product in zip(out, products, strict=True):
            total += product
    return out, sum(part[1] for part in parts), sum(part[2] for part in parts)


def _squared(part: tuple) -> tuple[list[float], np.ndarray, np.ndarray]:
    return [float(np.vdot(product, product)) for product in part[0]], part[1], part[2]


def _same(x: Any) -> Any:
    return x


def _value(measure: Any, options: dict, x: Any, y: Any, x_name: str, y_name: str) -> float:
    try:
        return float(measure(np.asarray(x), np.asarray(y), **options))
    except (ValueError, TypeError) as error:
        raise type(error)(f"{measure.name} of x = {x_name} and y = {y_name}: {error}") from error
