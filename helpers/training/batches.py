"""The batches of an epoch: rows in a new order, or texts of like length together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from helpers.arrays import check_count

__all__ = ["Batches", "bucketed", "buckets", "shuffled"]

Batches = Callable[[np.random.Generator, int], Iterable[Any]]
"""What gives the batches of an epoch, from a generator and the number of the epoch."""


class _Plan(Sequence):
    """An epoch as groups of rows; a batch is made when it is asked for."""

    def __init__(self, groups: Sequence[np.ndarray], collate: Callable | None, seed: int):
        self.groups, self.collate, self.seed = groups, collate, seed

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, number):
        rows = self.groups[number]
        return rows if self.collate is None else self.collate(rows, np.random.default_rng([self.seed, number]))


def shuffled(
    n: int,
    size: int,
    collate: Callable[[np.ndarray, np.random.Generator], Any] | None = None,
    *,
    drop_last: bool = False,
) -> Batches:
    """Batches of equally many rows, in a new order in every epoch.

    Parameters
    ----------
    n
        Number of rows.
    size
        Rows of a batch; the last of an epoch may have fewer.
    collate
        What makes a batch of an array of row numbers and a generator of its own; None: the batch is the row numbers.
    drop_last
        Leave out a last batch that has fewer rows.

    Returns
    -------
    callable
        Batches for :func:`train`; going on within an epoch makes none of them twice.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.training import shuffled
    >>> [len(rows) for rows in shuffled(10, 4)(np.random.default_rng(0), 0)]
    [4, 4, 2]
    """
    check_count(n, "n")
    check_count(size, "size")
    if drop_last and n < size:
        raise ValueError(f"n is {n} and size {size}: with drop_last no batch is left")

    def batches(rng: np.random.Generator, epoch: int) -> _Plan:
        order = rng.permutation(n)
        stop = n - n % size if drop_last else n
        return _Plan([order[at : at + size] for at in range(0, stop, size)], collate, int(rng.integers(2**63)))

    return batches


def buckets(
    lengths: np.ndarray | Sequence[int], tokens: int, rng: np.random.Generator, *, multiple: int = 8
) -> list[np.ndarray]:
    """Groups of rows of like length, each of at most so many tokens with its padding, in random order.

    Parameters
    ----------
    lengths
        Tokens of each row.
    tokens
        Most tokens of a group: its rows times the longest of them. A row that is longer by itself is a group alone.
    rng
        Decides which rows of like length come together, and the order of the groups.
    multiple
        Lengths count as alike that have the same multiple of this below them.

    Returns
    -------
    list of ndarray of int
        Row numbers; each row is in one group.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.training import buckets
    >>> groups = buckets([3, 50, 4, 48, 5], 100, np.random.default_rng(0))
    >>> sorted(sorted(group.tolist()) for group in groups)
    [[0, 2, 4], [1, 3]]
    """
    lengths = np.asarray(lengths)
    if lengths.ndim != 1 or not len(lengths) or lengths.dtype.kind not in "iu" or lengths.min() < 0:
        raise ValueError(
            f"lengths has shape {lengths.shape} and dtype {lengths.dtype}; at least one whole number of at least 0 is "
            "needed"
        )
    check_count(tokens, "tokens")
    check_count(multiple, "multiple")
    order = np.argsort(lengths // multiple + rng.random(len(lengths)), kind="stable")
    groups, begin, widest = [], 0, 0
    for at, width in enumerate(lengths[order].tolist()):
        if at > begin and max(widest, width) * (at + 1 - begin) > tokens:
            groups.append(order[begin:at])
            begin, widest = at, 0
        widest = max(widest, width)
    groups.append(order[begin:])
    return [groups[i] for i in rng.permutation(len(groups))]


def bucketed(
    lengths: np.ndarray | Sequence[int],
    tokens: int,
    collate: Callable[[np.ndarray, np.random.Generator], Any] | None = None,
    *,
    multiple: int = 8,
) -> Batches:
    """Batches of texts of like length, drawn anew in every epoch: :func:`buckets` for :func:`train`.

    Parameters
    ----------
    lengths, tokens, multiple
        Same meaning as in :func:`buckets`.
    collate
        What makes a batch of an array of row numbers and a generator of its own; None: the batch is the row numbers.

    Returns
    -------
    callable
        Batches for :func:`train`; going on within an epoch makes none of them twice.
    """
    buckets(lengths, tokens, np.random.default_rng(0), multiple=multiple)  # mistakes show here, not in the first epoch

    def batches(rng: np.random.Generator, epoch: int) -> _Plan:
        return _Plan(buckets(lengths, tokens, rng, multiple=multiple), collate, int(rng.integers(2**63)))

    return batches
