"""What a streamed measure declares, and how declarations become passes.

A measure whose value follows from sums over all pairs of objects, from nearest neighbours or from moments need not look
at two representations at a time: one pass over blocks of pairs of objects serves all pairs of representations, in
bounded memory, in this process, on a GPU or on a cluster. Such a measure says in its own module what the pass must
gather and how its matrix follows::

    STREAMED = {"my_measure": Streamed(requires=_requires, finish=_finish)}

and bears ``streamed=True`` in the registry. The function itself calls ``STREAMED["my_measure"](x, y, **options)``, so
that the value of a pair and the entry of a matrix come from the same code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from helpers.similarity._engine.features import feature_cheaper, feature_products
from helpers.similarity._engine.passes import stream
from helpers.similarity._engine.requirements import Requirements, Totals
from helpers.similarity._engine.resources import memory_in_bytes
from helpers.similarity._engine.sources import Source, open_sources

__all__ = ["Objects", "Requirements", "Streamed", "Totals", "cosines", "gather", "shared_passes", "totals_of"]

MEMORY = "2GB"  # of one pair


class Objects(NamedTuple):
    """The objects of a call."""

    n: int
    """How many there are."""
    name: str
    """Name of a representation of them, for messages."""

    def check_enough(self, rows: int, measure: str) -> None:
        """Raise ``ValueError`` if a measure needs more objects."""
        if self.n < rows:
            raise ValueError(f"{self.name} has {self.n} rows; {measure} needs at least {rows}")


@dataclass(frozen=True)
class Streamed:
    """How one pass over blocks of pairs of objects gives a measure of all pairs of representations; callable on one.

    Attributes
    ----------
    requires
        ``requires(objects, **options) -> Requirements | None``: what the pass must gather, or None where the options
        ask for something that no pass gives; the measure is then computed pair by pair. It receives every option of
        the measure's function, defaults filled in, and raises ``ValueError`` for those out of range.
    finish
        ``finish(totals, **options) -> ndarray of shape (L, L)``: the values of all pairs of the L representations.
    notes
        ``notes(totals) -> dict``: what the matrix should say beside its values (its ``attrs``), or None.
    """

    requires: Callable[..., Requirements | None]
    finish: Callable[..., np.ndarray]
    notes: Callable[[Totals], dict[str, Any]] | None = None

    def __call__(self, x: Any, y: Any, **options: Any) -> float:
        """The value of one pair: entry (x, y) of the matrix of the two."""
        totals = totals_of({"x": x, "y": y}, self.requires(Objects(x.shape[0], "x"), **options))
        return float(self.finish(totals, **options)[0, 1])


def shared_passes(requirements: Mapping[str, Requirements]) -> list[tuple[Requirements, list[str]]]:
    """Measures in groups that one pass can serve, with what it must gather."""
    groups: list[tuple[Requirements, list[str]]] = []
    for name, own in requirements.items():
        for number, (shared, members) in enumerate(groups):
            both = shared.merged(own)
            if both is not None:
                groups[number] = both, [*members, name]
                break
        else:
            groups.append((own, [name]))
    return groups


def totals_of(representations: Mapping[str, Any], requirements: Requirements) -> Totals:
    """What a pass finds over a few representations, in two gigabytes and in silence."""
    return gather(open_sources(representations), requirements, memory=memory_in_bytes(MEMORY), progress=False)


def gather(
    sources: list[Source],
    requirements: Requirements,
    *,
    memory: int,
    progress: bool,
    block_rows: int | None = None,
    cluster: Any = None,
    checkpoint: Path | None = None,
) -> Totals:
    """What a pass finds, the Gram products by the cheaper way."""
    shared = {"memory": memory, "progress": progress, "cluster": cluster}
    if not (requirements.gram and feature_cheaper(sources, requirements)):
        return stream(sources, requirements, block_rows=block_rows, checkpoint=checkpoint, **shared)
    totals = feature_products(sources, **shared)
    requirements = dataclasses.replace(requirements, gram=False)
    if not requirements.pairwise:
        return totals
    rest = stream(sources, requirements, block_rows=block_rows, checkpoint=checkpoint, **shared)
    fields = ("gram", "gram_diagonal", "gram_trace")
    return dataclasses.replace(rest, **{field: getattr(totals, field) for field in fields})


def cosines(
    products: np.ndarray, names: Iterable[str], low: float, noise: np.ndarray | float, reason: str
) -> np.ndarray:
    """Products over the roots of their diagonal, between ``ci_low`` and 1.

    Raises
    ------
    ValueError
        If an entry of the diagonal does not stand out of ``noise``: the measure is undefined for that ``reason``.
    """
    squares = np.diag(products)
    for name, square, floor in zip(names, squares, np.broadcast_to(noise, squares.shape), strict=True):
        if not square > floor:
            raise ValueError(f"{name}: {reason}; the measure is undefined")
    length = np.sqrt(squares)
    return np.clip((products + products.T) / 2 / np.outer(length, length), low, 1.0)
