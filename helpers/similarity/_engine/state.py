"""What a pass has gathered so far, the rows and the scratch of its blocks, and its file."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from helpers.similarity._engine.kernels import Kernels
from helpers.similarity._engine.plan import STEP, Plan
from helpers.similarity._engine.sources import Source

__all__ = ["SAVE_EVERY", "Checkpoint", "Locks", "Panel", "Partial", "Serial", "Space", "State", "pool_of"]

SAVE_EVERY = 30.0  # seconds between checkpoints


class State:
    """Accumulators over the rows of a run, or of the two panels of a worker's share.

    Of nearest neighbours these are candidates with lower bounds of their distances, or, where the shares of workers are
    put together, the ``exact`` neighbours among the objects seen so far with their distances.
    """

    def __init__(self, plan: Plan, kernels: Kernels, spans: list[tuple[int, int]], exact: bool = False):
        count, requirements = len(plan.layers), plan.requirements
        rows = sum(stop - start for start, stop in spans)
        self.spans = spans
        self.products: dict[str, np.ndarray] = {}
        self.diagonal = np.zeros((count, count))
        self.trace = np.zeros(count)
        self.sums = np.zeros(count)
        self.sides = np.zeros((count, rows if requirements.distance else 0))
        k = requirements.neighbours if exact else plan.places  # exact neighbours of parts, or candidates
        self.best = kernels.full((count, rows if k else 0, k), np.inf, "float64" if exact else plan.dtype)
        self.index = kernels.full((count, rows if k else 0, k), -1, "int32" if plan.n < 2**31 else "int64")
        self.marks = np.full((count, 3, rows if requirements.neighbours and not exact else 0), np.nan, plan.dtype)
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
        names = ["diagonal", "trace", "sums", "sides", "best", "index", "marks", "store"]
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

    def __init__(self, plan: Plan, kernels: Kernels):
        whole = -(-plan.panel // plan.tile) * plan.tile
        self.rows = [kernels.full((whole, layer.width), 0, plan.dtype) for layer in plan.layers]
        self.vectors = [kernels.full((kernels.VECTORS, plan.panel), 0, plan.dtype) for _ in plan.layers]
        self.span = (0, 0)

    def load(self, plan: Plan, kernels: Kernels, sources: list[Source], span: tuple[int, int], pool: Any) -> None:
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

    def part(self, number: int, start: int, stop: int, tile: int) -> tuple[Any, Any]:
        """Whole tiles of rows, beyond ``stop`` without meaning, and the vectors of those that count."""
        first, last = start - self.span[0], stop - self.span[0]
        whole = first - (first - last) // tile * tile
        return self.rows[number][first:whole], self.vectors[number][:, first:last]


class Space:
    """Scratch of one thread: two stacks of blocks, one for each layer."""

    def __init__(self, plan: Plan, kernels: Kernels):
        self.flat = [kernels.full((len(plan.layers) * plan.block**2,), 0, plan.dtype) for _ in range(2)]

    def stacks(self, count: int, rows: int, columns: int) -> list[Any]:
        """Two stacks of blocks of this size."""
        return [flat[: count * rows * columns].reshape(count, rows, columns) for flat in self.flat]

    def block(self, size: int) -> Any:
        """A square block instead of the second stack."""
        return self.flat[1][: size * size].reshape(size, size)


class Serial:
    """A pool of no threads."""

    def map(self, function: Callable, tasks: Any) -> Iterator:
        return map(function, tasks)


def pool_of(threads: int) -> contextlib.AbstractContextManager[Any]:
    """A pool of several threads, or of none for one."""
    return ThreadPoolExecutor(threads) if threads > 1 else contextlib.nullcontext(Serial())


class Locks:
    """Locks of the accumulators that blocks of different threads share."""

    def __init__(self):
        self.locks: dict[Any, threading.Lock] = {}

    def of(self, *what: Any) -> threading.Lock:
        return self.locks.setdefault(what, threading.Lock())


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

    def write(self, phase: int, done: int, state: State, kernels: Kernels) -> None:
        """Save the state after ``done`` blocks of a pass."""
        arrays = {name: kernels.to_numpy(array) for name, array in state.arrays().items()}
        products = {f"product_{name}": product for name, product in state.products.items()}
        scratch = self.path.with_name(self.path.name + ".part")
        with scratch.open("wb") as file:
            np.savez(file, key=self.key, phase=phase, done=done, **arrays, **products)
        os.replace(scratch, self.path)
        self.last = time.monotonic()

    def restore(self, state: State, kernels: Kernels) -> tuple[int, int]:
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
