"""Radii that hold as often as they say: regions tried on groups drawn from the items of all groups, and corrected.

The items of every group, less its mean, over its spread, are put together; groups of so many items are drawn from them;
their regions are made like any other, and it is seen by how much these miss. Residuals are tamer than items, the more
so the smaller groups are. So the same is done again with the residuals of the drawn groups, and once more with those of
the groups drawn from these, and the series is carried on backwards by one step, from residuals to items.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from helpers.groups.membership import Membership, batches

__all__ = ["enough_to_try", "radius_factors", "tail_index"]

LEAST_GROUPS = 20  # fewer do not tell the distribution of their items
LEAST_UNITS = 200
MOST_UNITS = 100_000
LARGEST = 200  # items of a group, up to which groups are drawn; beyond, the correction falls as one over n
NUMBERS = 2e7  # in the groups that are drawn of one size
BLOCK = 2e6  # in those that are drawn at once
SIZES = 6  # distinct numbers of items of which groups are drawn, at most; between them is interpolated

Regions = tuple[np.ndarray, np.ndarray]  # vectors (n_groups, q), squared radii (n_groups,)


class _Pool(NamedTuple):
    """Items of independent units, unit after unit."""

    rows: np.ndarray
    starts: np.ndarray
    counts: np.ndarray
    kept: tuple[float, float]  # shares of the items' fourth cumulants, and of their squared third ones


def radius_factors(
    x: np.ndarray,
    groups: Membership,
    units: np.ndarray | None,
    regions: Callable[[np.ndarray, Membership, np.ndarray | None], Regions],
    limit: Callable[[np.ndarray], np.ndarray],
    *,
    level: float,
    n_resamples: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """What squared radii must be multiplied by, so that regions hold as often as they say.

    Parameters
    ----------
    x : ndarray of shape (n, p)
        Vectors of the items, in whose units radii are.
    groups
        Membership of the items in their groups.
    units : ndarray of shape (n,) of int, or None
        Labels of items that are not independent.
    regions
        Gives vectors and squared radii of items, groups and units.
    limit
        Gives the vector (q,) of all items of one group.
    level
        Confidence level of the regions.
    n_resamples
        Groups that are drawn of each size, at most.
    rng
        Generator of the draws.

    Returns
    -------
    ndarray of shape (n_groups,)
        1 where groups are too few to tell.
    """
    sizes = _numbers_of_units(groups, units)
    pool = _pool(x, groups, units, rng)
    if pool is None:
        return np.ones(len(sizes))
    nodes = _nodes(sizes[sizes >= 2])
    logs = [_log_factor(pool, n, regions, limit, level, n_resamples, rng) for n in nodes]
    beyond = np.minimum(nodes[-1] / np.maximum(sizes, 1), 1.0)
    return np.exp(np.interp(np.log(np.maximum(sizes, 1)), np.log(nodes), logs) * beyond)


def enough_to_try(groups: Membership, units: np.ndarray | None) -> bool:
    """Whether there are so many groups of three or more items that they tell the distribution of their items."""
    sizes = _numbers_of_units(groups, units)
    return int((sizes >= 3).sum()) >= LEAST_GROUPS and int(sizes[sizes >= 3].sum()) >= LEAST_UNITS


def tail_index(x: np.ndarray, groups: Membership, units: np.ndarray | None) -> float:
    """How fast the lengths of the items of all groups fall off, about their means and over the spread of their group.

    The estimate of Hill (1975) from as many of the longest as is the root of their number. Moments of a higher order
    than this do not exist: 3 of Student's t with three degrees of freedom, 9 of ten thousand normal items in a plane,
    where it grows with their number. NaN of too few groups or items to tell.
    """
    sizes, lengths = [], []
    for _, _, squares in _residuals(x, groups, units):
        sizes.append(len(squares))
        lengths.append(squares / (1 - 1 / len(squares)))
    if len(sizes) < LEAST_GROUPS or sum(sizes) < LEAST_UNITS:
        return np.nan
    squares, scale = (
        np.concatenate(lengths),
        _scales(np.array(sizes), np.concatenate(lengths), np.random.default_rng(0)),
    )
    k = int(np.ceil(np.sqrt(len(squares))))
    logs = np.log(np.partition(squares / np.repeat(scale, sizes) ** 2, -k - 1)[-k - 1 :]) / 2
    excess = logs.mean() - logs.min()  # the least of them is the threshold
    return float(k / (k + 1) / excess) if excess > 0 else np.inf


def _numbers_of_units(groups: Membership, units: np.ndarray | None) -> np.ndarray:
    if units is None:
        return groups.counts
    pairs = np.unique(np.column_stack([groups.codes, units]), axis=0)
    return np.bincount(pairs[:, 0], minlength=len(groups.counts))


def _nodes(sizes: np.ndarray) -> list[int]:
    """All sizes, or some between the least and the largest."""
    found = np.unique(np.minimum(sizes, LARGEST))
    if len(found) > SIZES:
        found = np.unique(np.geomspace(found[0], found[-1], SIZES).round().astype(int))
    return found.tolist()


def _pool(x: np.ndarray, groups: Membership, units: np.ndarray | None, rng: np.random.Generator) -> _Pool | None:
    """Residuals of all groups, each over the spread of its group as far as spreads differ by more than chance."""
    few = _numbers_of_units(groups, units).sum() <= MOST_UNITS
    sizes, lengths, kept = [], [], []
    for part, names, squares in _residuals(x, groups, units):
        sizes.append(len(squares))
        lengths.append(squares / (1 - 1 / len(squares)))
        if few:
            kept.append((part, names))
    if len(sizes) < LEAST_GROUPS:
        return None
    sizes = np.array(sizes, dtype=np.int64)
    if sizes.sum() < LEAST_UNITS:
        return None
    scale = _scales(sizes, np.concatenate(lengths), rng)
    first = np.cumsum(sizes) - sizes
    chosen = rng.choice(sizes.sum(), MOST_UNITS, replace=False) if sizes.sum() > MOST_UNITS else None
    rows, labels = [], []
    taken = np.ones(sizes.sum(), dtype=bool)
    if chosen is not None:
        taken[:] = False
        taken[chosen] = True
    again = kept if few else ((part, names) for part, names, _ in _residuals(x, groups, units))
    for (part, names), spread, start in zip(again, scale, first, strict=True):
        here = taken[start + names]
        rows.append(part[here] / spread)
        labels.append(start + names[here])
    rows, labels = np.concatenate(rows), np.concatenate(labels)
    shares = tuple(sizes @ np.array([_kept(int(n)) for n in sizes]) / sizes.sum())
    found, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    pool = _Pool(rows[np.argsort(codes, kind="stable")], np.cumsum(counts) - counts, counts, shares)
    if chosen is None:
        return pool
    rows, counts = _of_units(pool, np.searchsorted(found, chosen))
    return _Pool(rows, np.cumsum(counts) - counts, counts, shares)


def _scales(sizes: np.ndarray, squares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Spread of each group, drawn towards that of all by as much as groups of items of all would differ too.

    The median of the logarithms of lengths knows nothing of tails: a group with one far item has no larger spread.
    """
    labels = np.repeat(np.arange(len(sizes)), sizes)
    logs = np.log(np.maximum(squares, np.finfo(float).tiny))
    own = _medians(logs, labels, sizes)
    mixed = np.var(_medians(logs[rng.permutation(len(logs))], labels, sizes))
    # Of variances B between groups and W within, own medians have B + κ W, those of mixed items κ (B + W).
    between = max(np.var(own) - mixed, 0.0) / max(1 - mixed / max(np.var(logs), 1e-12), 1e-12)
    return np.exp((own - own.mean()) * min(between / max(np.var(own), 1e-12), 1.0) / 2)


def _medians(values: np.ndarray, labels: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Median of the values of each group."""
    ordered = values[np.lexsort((values, labels))]
    start = np.cumsum(sizes) - sizes
    return (ordered[start + (sizes - 1) // 2] + ordered[start + sizes // 2]) / 2


def _residuals(
    x: np.ndarray, groups: Membership, units: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Of each group of three or more units that differ: residuals, the unit of each, squared lengths of the units."""
    for batch in batches(x, groups):
        centred = batch.rows - batch.means()[batch.within]
        for a, b in zip(batch.starts, batch.starts + batch.counts, strict=True):
            part, sums = centred[a:b], centred[a:b]
            names = np.arange(b - a) if units is None else np.unique(units[batch.items[a:b]], return_inverse=True)[1]
            n = int(names.max()) + 1
            if n < b - a:
                sums = np.zeros((n, x.shape[1]))
                np.add.at(sums, names, part * (n / (b - a)))
            squares = np.einsum("ij,ij->i", sums, sums)
            if n >= 3 and squares.sum() > 0:
                yield part * np.sqrt(n / (n - 1)), names, squares


def _of_units(pool: _Pool, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Items of units, one unit after the other, and how many there are of each."""
    counts = pool.counts[chosen]
    first = np.cumsum(counts) - counts
    return pool.rows[np.arange(counts.sum()) + np.repeat(pool.starts[chosen] - first, counts)], counts


def _log_factor(
    pool: _Pool, n: int, regions: Callable, limit: Callable, level: float, n_resamples: int, rng: np.random.Generator
) -> float:
    """Logarithm of the factor for groups of n units: that of the items, carried on from that of their residuals."""
    each = n * pool.rows.shape[1] * len(pool.rows) / len(pool.counts)
    n_resamples = int(np.clip(NUMBERS / each, min(400, n_resamples), n_resamples))
    ways, before = _ways_back(n, pool.kept), np.zeros(3)
    logs, errors, total = np.zeros(3), np.zeros(3), 0.0
    for step, way in enumerate(ways):
        logs[step], errors[step], drawn = _missed(pool, n, regions, limit, level, n_resamples, rng)
        change = way - before
        more = _clear(float(change @ logs), float(np.linalg.norm(change * errors)))
        total, before = total + more, way
        pool = _pool(*drawn, rng)
        if not more or pool is None:
            break
    return total


def _kept(n: int) -> tuple[float, float]:
    """What residuals from a mean of n items keep, of the excess of fourth moments and of squared third ones."""
    second, third, fourth = ((1 - 1 / n) ** k + (n - 1) * (-1 / n) ** k for k in (2, 3, 4))
    return fourth / second**2, third**2 / second**3


def _ways_back(n: int, kept: tuple[float, float]) -> np.ndarray:
    """Coefficients of one, two and three logarithms, of residuals of residuals …, in the estimate of that of items.

    To first order the logarithm is a constant and a multiple of the excess of fourth moments, to second order of that
    of squared third moments too; each becomes smaller by the share that residuals keep. Groups of two or three items
    keep so little of third moments that these are left out.
    """
    out, shares = np.zeros((3, 3)), _kept(n)
    out[:, 0] = 1.0
    for k in (1, 2):
        if k == 2 and n <= 3:
            out[2] = out[1]
            continue
        terms = np.array([np.ones(k + 1), *(np.power(share, np.arange(k + 1)) for share in shares[:k])])
        out[k, : k + 1] = np.linalg.solve(terms, [1.0, *(1 / share for share in kept[:k])])
    return out


def _clear(value: float, error: float) -> float:
    """A value drawn towards zero by as much as it may be noise; zero within two standard errors."""
    return value * max(0.0, 1 - 4 * (error / value) ** 2) if value else 0.0


def _missed(
    pool: _Pool, n: int, regions: Callable, limit: Callable, level: float, n_groups: int, rng: np.random.Generator
) -> tuple[float, float, tuple]:
    """Logarithm of the factor that squared radii of drawn groups need, its standard error, and some of the groups."""
    n_units = len(pool.counts)
    turns = -(-n_groups * n // n_units)  # every unit about as often, and hardly ever twice in a group
    chosen = np.concatenate([rng.permutation(n_units) for _ in range(turns)])[: n_groups * n].reshape(n_groups, n)
    true, ratios, first = limit(pool.rows), [], None
    step = max(1, int(BLOCK / (n * pool.rows.shape[1] * len(pool.rows) / n_units)))
    for start in range(0, n_groups, step):
        drawn = _groups_of(pool, chosen[start : start + step])
        first = first or drawn
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a median that is nearly there is near enough
            vectors, squared = regions(*drawn)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratios.append(np.sum((vectors - true) ** 2, axis=1) / squared)
    ratio = np.nan_to_num(np.concatenate(ratios), nan=0.0, posinf=np.inf)
    width = np.sqrt(level * (1 - level) / n_groups)
    if (
        np.mean(np.isinf(ratio)) + 1 / n_groups >= 1 - level - width
    ):  # balls without extent: no factor makes up for them
        return 0.0, 1.0, first
    low, middle, high = np.log(np.maximum(np.quantile(ratio, [level - width, level, min(level + width, 1)]), 1e-12))
    return float(middle), float((high - low) / 2), first


def _groups_of(pool: _Pool, chosen: np.ndarray) -> tuple[np.ndarray, Membership, np.ndarray | None]:
    """Items, groups and units of drawn units, a row of them for each group."""
    n_groups, n = chosen.shape
    x, counts = _of_units(pool, chosen.ravel())
    codes = np.repeat(np.repeat(np.arange(n_groups), n), counts)
    units = None if len(x) == chosen.size else np.repeat(np.arange(chosen.size), counts)
    return x, Membership(codes, np.arange(n_groups), np.bincount(codes, minlength=n_groups)), units
