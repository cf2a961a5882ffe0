"""Columns of embeddings that give away what an evaluation will ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from helpers.inputs._files import Part
from helpers.inputs._leftovers import Leftovers

#: Probability, for all columns of an embedding together, that one is reported that only happens to fit.
BY_CHANCE = 1e-3
DRAWN = 1024  # rows in which a column must fit before all of it is looked at
OF_EACH = 4  # … and so many of each class or group, for as many of these as are as many rows
VARYING = 4096  # rows in which something must be left that varies
COUNTED = ("row numbers", "ids")
SHOWN = 3  # embeddings that a message lists
AT_ONCE = 16  # columns that are looked at as a whole
NEAR = 0.01  # of the distance between classes: what noise may be added to a column that tells them
NEAR_RANKS = 1e-5  # 1 − rank correlation that noise of less than 1 % leaves, or rounding
NEARLY = "has nearly one value in each class of what is to be predicted"


class Leak(NamedTuple):
    """A column that gives something away."""

    column: int
    reason: str


def features_of(parts: list[Part]) -> dict[str, list[str]]:
    """The columns of representations of tables, by the names that they have there."""
    return {part.name: list(part.columns) for part in parts if part.columns and part.named}


def leaks_of(part: Part, rows: np.ndarray, values: Mapping[str, np.ndarray], ids: np.ndarray) -> list[Leak]:
    """The columns of a representation from which the labels, groups or ids of these rows can be read off.

    A column gives classes away if it has one value in each class, or values so near each other that what lies between
    two classes is more than a hundred times as far; and numbers if it rises or falls with them throughout, or would but
    for noise of less than 1 %; groups, if groups and values are one to one (and values are whole numbers, where there
    are labels, as what a group has in common may well be known of new objects); ids, if it is equal to them; and
    numbers of rows, if it grows or falls by as much from each row to the next.
    """
    found: dict[int, str] = {}
    counted = part.path is not None or part.array.shape[1] > 1  # else an array of one column that somebody wants
    for role, test, reason, sample in _tests(values, ids, rows):
        if role in COUNTED and not counted:
            continue
        left = [at for at in range(part.array.shape[1]) if at not in found]
        few = np.asarray(part.array[rows[sample]])
        suspects = [at for at in np.flatnonzero(test(few, sample)) if at in set(left)]
        if role == COUNTED[0] and len(suspects) == part.array.shape[1] > 1:  # a made grid, and no table with a counter
            suspects = [at for at in suspects if _is_equal(few[:, [at]], rows[sample])[0]]
        for start in range(0, len(suspects), AT_ONCE):
            some = suspects[start : start + AT_ONCE]
            whole = np.stack([np.asarray(part.array[:, at])[rows] for at in some], axis=1)
            fits = test(whole, np.arange(len(rows)))
            found |= {
                int(at): f"{reason} ({role})"
                for at, fit, column in zip(some, fits, whole.T, strict=True)
                if fit and _unlikely(_heaps(column) if reason == NEARLY else column, part.array.shape[1])
            }
    return [Leak(at, found[at]) for at in sorted(found)]


def without_leaks(
    parts: list[Part],
    rows: list[np.ndarray],
    values: Mapping[str, np.ndarray],
    ids: np.ndarray,
    named: bool,
    leftovers: Leftovers,
    alone: bool = True,
) -> tuple[list[Part], list[np.ndarray]]:
    """The representations, and the rows of them and of the columns, without what gives labels, groups or ids away.

    If they are ``alone``, one at least must be left.
    """
    kept, chosen, gone = [], [], []
    for part, own in zip(parts, rows, strict=False):
        found = leaks_of(part, own, values, ids)
        for column, reason in found:
            leftovers.add(part.file or part.name, f"column {part.column(column)} {reason}")
        keep = np.setdiff1d(np.arange(part.array.shape[1]), [column for column, _ in found])
        few = part.array[own[:VARYING]][:, keep] if found else None
        if found and not (few != few[:1]).any():
            reason = f"nothing in it but what is given; column {part.column(found[0].column)} {found[0].reason}"
            if named:
                raise ValueError(f"{part.name}: {reason}")
            leftovers.add(part.file or part.name, reason)
            gone.append(f"{part.name}: {reason}")
            continue
        kept.append(part.narrowed(keep) if found else part)
        chosen.append(own)
    if alone and gone and not kept:
        listed = "; ".join(gone[:SHOWN]) + f"; and {len(gone) - SHOWN} more" * (len(gone) > SHOWN)
        raise ValueError(
            f"no embedding is left, since each tells what is given and nothing else ({listed}); give embeddings with "
            "other columns, or do without what these columns tell"
        )
    return kept, chosen + rows[len(parts) :]


def _tests(values: Mapping[str, np.ndarray], ids: np.ndarray, rows: np.ndarray) -> Iterator[tuple]:
    """For each role a test of columns of some rows, what it finds in words, and the rows to begin with."""
    n, rng = len(ids), np.random.default_rng(0)
    drawn = rng.choice(n, min(n, DRAWN), replace=False)
    labels = values.get("labels")
    if labels is not None:
        classes, codes = np.unique(labels, return_inverse=True)
        if labels.dtype.kind == "f":
            ends = [int(np.argmin(labels)), int(np.argmax(labels))]
            reason = "rises or falls throughout with what is to be predicted"
            yield "labels", lambda x, at: _is_monotone(x, labels[at]), reason, np.unique([*drawn, *ends])
            reason = "is what is to be predicted, but for very little noise"
            yield "labels", lambda x, at: _is_nearly_monotone(x, labels[at]), reason, np.unique([*drawn, *ends])
        if 2 * len(classes) <= n:
            sample = np.unique([*drawn, *_some_of_each(codes)])
            reason = "has one value in each class of what is to be predicted"
            yield "labels", lambda x, at: _is_function(x, codes[at]), reason, sample
            yield "labels", lambda x, at: _is_nearly_function(x, codes[at]), NEARLY, sample
    for role in ("groups", "pool_by"):
        if role not in values:
            continue
        members = np.unique(values[role], return_inverse=True)[1]
        if 2 * (members.max() + 1) <= n:
            coded = labels is not None or role == "pool_by"
            sample = np.unique([*drawn, *_some_of_each(members)])
            test = partial(_is_one_to_one, members, coded)
            yield role, test, "is one to one with the groups", sample
    drawn.sort()
    yield COUNTED[0], lambda x, at: _counts(x, rows[at]), "counts the rows", drawn
    try:
        numbers = np.array([float(one) for one in ids])
    except ValueError:
        return
    if not np.array_equal(numbers, rows):
        yield COUNTED[1], lambda x, at: _is_equal(x, numbers[at]), "is equal to the ids", drawn


def _some_of_each(codes: np.ndarray) -> np.ndarray:
    """The first rows of each class."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)]))
    return order[place < OF_EACH][: OF_EACH * DRAWN]


def _is_function(x: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Which columns have one value in each class, and not one for all."""
    _, first, place = np.unique(codes, return_index=True, return_inverse=True)
    return (x == x[first][place]).all(axis=0) & (x != x[:1]).any(axis=0)


def _is_nearly_function(x: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Which columns have classes apart by far more than the values within a class."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    with np.errstate(invalid="ignore", over="ignore"):
        sorted_ = x[order].astype(np.float64)
        low, high = np.minimum.reduceat(sorted_, starts), np.maximum.reduceat(sorted_, starts)
        within = (high - low).max(axis=0)
        by_low = np.argsort(low, axis=0)
        low = np.take_along_axis(low, by_low, axis=0)
        high = np.maximum.accumulate(np.take_along_axis(high, by_low, axis=0), axis=0)
        gaps = low[1:] - high[:-1]
        far, near = gaps > within / NEAR, gaps <= within
    return (far | near).all(axis=0) & far.any(axis=0)


def _heaps(column: np.ndarray) -> np.ndarray:
    """For each entry the number of the heap that it lies in, where heaps are far from each other."""
    order = np.argsort(column, kind="stable")
    gaps = np.diff(column[order].astype(np.float64), prepend=column[order[0]])
    heaps = np.empty(len(column), dtype=np.int64)
    heaps[order] = np.cumsum(gaps > NEAR * gaps.max())
    return heaps


def _is_one_to_one(members: np.ndarray, coded: bool, x: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Which columns have one value in each group, and another one in every group."""
    codes = members[at]
    found = _is_function(x, codes)
    if coded:
        found &= (x == np.round(x)).all(axis=0)
    size = len(np.unique(codes))
    found[found] = [len(np.unique(column)) == size for column in x.T[found]]
    return found


def _is_monotone(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which columns never fall, or never rise, from one object to the next in the order of the labels."""
    steps = np.diff(x[np.argsort(labels, kind="stable")], axis=0)
    tied = np.diff(np.sort(labels)) == 0
    level = (steps[tied] == 0).all(axis=0)
    return level & ((steps >= 0).all(axis=0) | (steps <= 0).all(axis=0)) & (steps != 0).any(axis=0)


def _is_nearly_monotone(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which columns have the order of the labels, but for what little noise changes."""
    from scipy.stats import rankdata

    ranks = np.column_stack([rankdata(labels), rankdata(x, axis=0)])
    ranks -= ranks.mean(axis=0)
    sizes = np.sqrt((ranks**2).sum(axis=0))
    sizes[sizes == 0] = np.inf
    return np.abs(ranks[:, 0] @ ranks[:, 1:] / (sizes[0] * sizes[1:])) > 1 - NEAR_RANKS


def _counts(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Which columns change by one number from each row to the next: numbers of rows, or times at regular intervals."""
    eps = np.finfo(x.dtype if x.dtype == np.float16 else np.float32).eps  # texts may have been single precision before
    x, rows = x.astype(np.float64), rows.astype(np.float64)
    low, high = int(rows.argmin()), int(rows.argmax())
    step = (x[high] - x[low]) / max(rows[high] - rows[low], 1)
    expected = x[low] + step * (rows - rows[low])[:, None]
    rounding = 4 * eps * np.abs(x).max(axis=0)
    return (step != 0) & (np.abs(x - expected) <= rounding).all(axis=0)


def _is_equal(x: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Which columns are these numbers, counted from 0 or from 1."""
    return ((x == numbers.astype(x.dtype)[:, None]) | (x == (numbers + 1).astype(x.dtype)[:, None])).all(axis=0)


def _unlikely(column: np.ndarray, columns: int) -> bool:
    """Whether a column would hardly fit if its entries were shuffled."""
    from scipy.special import gammaln

    counts = np.unique(column, return_counts=True)[1]
    orders = gammaln(len(column) + 1) - gammaln(counts + 1).sum()  # logarithm of their number
    return bool(orders > np.log(columns / BY_CHANCE))
