"""What the engine asks of an implementation of its kernels, and which implementation serves which representations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from helpers.similarity._engine.sources import Source

__all__ = ["Array", "ExactDistances", "Fill", "Kernels", "kernels_for"]

Array = Any  # of the implementation's own library
#: ``fill(squares, left, right, out, diagonal)``: one quantity of all pairs of a block, from their squared distances.
Fill = Callable[[Array, Array, Array, Array, bool], None]


@runtime_checkable
class Kernels(Protocol):
    """Work on blocks of pairs of objects in one library: compiled for NumPy arrays, or on tensors of one device.

    A block has n rows and m columns, objects of two groups; ``left`` and ``right`` are their vectors
    (:meth:`prepare`). With ``diagonal`` both groups are the same and only the entries above the diagonal count; the
    others are 0. What is written goes into the arguments; nothing else is changed, so that blocks may run at once.
    """

    NAME: str  # "numpy" or "torch"
    SCRATCH: int  # temporary blocks that the kernels make
    VECTORS: int  # numbers for each object beside its row
    OBJECTS: int  # which of them is the squared norm of the centred object
    CANCELLED: Mapping[str, float]  # share of the norms below which a squared distance is computed again, by dtype
    FILL: Mapping[str, Fill]  # "gram", "euclidean", "sqeuclidean", "correlation", "cosine"

    def blocks(self, n: int, dtype: str) -> Sequence[int]:
        """Sizes of blocks of n objects to choose from, largest first; the smallest divides all that are allowed."""

    def tile(self, n: int, dtype: str) -> int:
        """Side of every matrix product, of which sizes of blocks are multiples; 0 if blocks are multiplied whole."""

    def packed(self, x: Array) -> Array:
        """The same numbers, laid out for the other kernels."""

    def full(self, shape: tuple[int, ...], value: Any, dtype: str) -> Array:
        """A new array of one value."""

    def to_numpy(self, x: Array) -> np.ndarray:
        """The same numbers on the host."""

    def from_numpy(self, x: np.ndarray) -> Array:
        """The same numbers where the kernels work."""

    def assign(self, out: Array, values: np.ndarray) -> None:
        """Copy saved values back."""

    def isfinite(self, x: Array) -> Array:
        """Which entries are finite."""

    def digest(self, x: Array) -> str:
        """A digest of the bits of a block."""

    def load(self, source: Source, start: int, stop: int, dtype: str) -> Array:
        """Consecutive rows of a source."""

    def sample(self, source: Source, chosen: np.ndarray, dtype: str) -> Array:
        """Chosen rows of a source."""

    def column_statistics(
        self, x: Array, total: np.ndarray, low: np.ndarray, high: np.ndarray, least: np.ndarray
    ) -> None:
        """Add column sums, minima and maxima; ``least``: smallest positive norm of a row, centred and as given."""

    def prepare(self, x: Array, mean: np.ndarray, middle: float, scale: float, out: Array, vectors: Array) -> None:
        """Rows less the column means and their own mean, times ``scale``, and the vectors of the objects."""

    def centre(self, x: Array, mean: np.ndarray, scale: float, out: Array) -> None:
        """Rows less the column means, times ``scale``."""

    def multiply(self, rows: Array, columns: Array, out: Array) -> None:
        """``rows @ columns.T``, by the same algorithm whatever the two are."""

    def squares(
        self, products: Array, left: Array, right: Array, rows: Array, columns: Array, cancelled: float, diagonal: bool
    ) -> None:
        """Turn products of prepared rows into squared distances, in place, computed again where they cancelled."""

    def side_sums(self, values: Array, rows: np.ndarray, columns: np.ndarray) -> None:
        """Add row sums and column sums, in float64."""

    def shifted_sum(self, values: Array, middle: float, diagonal: bool) -> float:
        """Subtract ``middle`` from the entries that count, in place; their sum."""

    def cross(self, stack: Array) -> np.ndarray:
        """Inner products (L, L) in float64 of L blocks, or of L vectors."""

    def count(self, values: Array, low: float, step: float, histogram: Array, diagonal: bool) -> None:
        """Count the entries in equal bins; what lies outside goes to the first or the last."""

    def look_up(self, values: Array, low: float, step: float, table: Array, diagonal: bool) -> None:
        """Replace every entry by the table's value for its bin, in place."""

    def pack(self, values: Array, out: Array, first_i: int, first_j: int, n: int, diagonal: bool) -> None:
        """Copy the entries that count to their places among all pairs i < j, row after row."""

    def words(self, size: int) -> Any:
        """Scratch to rank so many values."""

    def rank(self, values: Array, words: Any) -> None:
        """Replace non-negative values in float64 by their centred average ranks over their number, in place.

        Ties are equal or neighbouring multiples of a 2⁻⁴⁰th of the least power of two above all values.
        """

    def nearest(
        self,
        metric: str,
        squares: Array,
        keys: Array,
        left: Array,
        right: Array,
        width: int,
        best_i: Array,
        index_i: Array,
        best_j: Array,
        index_j: Array,
        first_i: int,
        first_j: int,
        diagonal: bool,
    ) -> None:
        """Keep for every row and every column the objects with the smallest lower bounds of their exact distance."""

    def marks(self, metric: str, vectors: Array) -> np.ndarray:
        """What bounds the errors of the objects' distances (3, n), from their vectors."""

    def exact(self, source: Source, rows: np.ndarray | None, metric: str) -> ExactDistances:
        """Exact distances between chosen rows of a source, or between all."""

    def add_product(self, out: Array, left: Array, right: Array, scratch: Array) -> None:
        """Add ``left.T @ right`` in float64."""

    def square_norms(self, rows: Array) -> np.ndarray:
        """Squared norms of rows, summed in float64."""

    def square_norm(self, x: Array) -> float:
        """Squared Frobenius norm."""


class ExactDistances(Protocol):
    """The distances that decide which objects are nearest (:mod:`~helpers.similarity._engine.exact`), of some rows."""

    def void(self, rows: np.ndarray) -> np.ndarray:
        """Which of the rows have no direction."""

    def distances(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Distances of pairs of rows, float64; squared for the Euclidean metric."""

    def settle(
        self, at: np.ndarray, others: np.ndarray, keys: np.ndarray, names: np.ndarray, unit: float, k: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The k nearest of the rows ``at`` among candidates, and whether no other object can be one of them."""

    def within(self, i: np.ndarray, j: np.ndarray, limits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places in ``i`` and in ``j`` of all pairs not further than ``limits[i]``, and their distances."""


def kernels_for(sources: list[Source]) -> Kernels:
    """The kernels of the device that holds the representations."""
    devices = [source.device for source in sources if source.device is not None]
    if devices:
        from helpers.similarity._engine.tensors import TorchKernels

        return TorchKernels(devices[0])
    from helpers.similarity._engine import compiled

    return compiled
