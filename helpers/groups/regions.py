"""How sure a group's vector is: a ball that holds the true one with a given probability; how many items that takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from helpers.arrays import check_count, check_number, generator
from helpers.groups.calibration import enough_to_try, radius_factors, tail_index
from helpers.groups.influence import influences
from helpers.groups.membership import Batch, Membership, batches, grouped
from helpers.groups.readouts import READOUTS, medoid_items

__all__ = ["GroupRegions", "ItemsNeeded", "group_regions", "items_needed"]

COVARIANCES = ("own", "shape", "shared")
FEW = 16  # features, below which few tails average out
NOMINAL_FROM = {
    ("centroid", "shape"): (5, 5),
    ("trimmed_mean", "shape"): (5, 10),
    ("geometric_median", "shape"): (20, 5),
    ("medoid", "shape"): (20, 10),
    ("moments", "shape"): (5, 10),
    ("centroid", "own"): (50, 5),
}
"""Least numbers of items from which recorded coverage (``data/results/groups_coverage.csv``) is nominal for every law
that was tried: of few features and of many; with a trial on drawn groups, or of a group by its own."""
MOMENTS_NEEDED = {"centroid": 2, "moments": 6}
"""Orders of the moments of items that standard errors of readouts take, and by which they can be told."""
PRIOR = 50.0  # degrees of freedom that the shape of the other groups counts for, at most


class GroupRegions(NamedTuple):
    """One vector for each group, with a ball about it that holds the true vector.

    Attributes
    ----------
    vectors : ndarray of shape (n_groups, p), float64
        The centres of the balls.
    names : ndarray of shape (n_groups,)
        What the groups are called.
    counts : ndarray of shape (n_groups,), int64
        Numbers of items.
    radii : ndarray of shape (n_groups,), float64
        In the units of the items; infinite where the items do not tell, as of a group of one.
    spreads : ndarray of shape (n_groups,), float64
        Root of the summed variances of one item's influence: the standard error is this over √n_g.
    dimensions : ndarray of shape (n_groups,), float64
        Effective number of directions in which the items vary, (tr Σ)² / tr Σ², from 1 to p but for the noise of the
        estimate.
    confidence_level : float
        Confidence level of each ball on its own.
    corrections : ndarray of shape (n_groups,), float64
        What the radii were multiplied by after trials on drawn groups; 1 where there were none.
    nominal : ndarray of shape (n_groups,), bool
        Whether the group has so many items that simulation finds the confidence level, 0.95, within 1.5 points for
        every law of the items that was tried, as far as the interval of 2000 groups tells. False where nothing was
        simulated, as for functions of the caller and for a covariance that is shared.
    nominal_from : float
        The least number of items at which ``nominal`` is true; infinite where no number that was tried is enough, and
        where ``tail`` is too low: below 2 for means, whose standard error does not exist then, and below 6 for means
        with spreads, whose standard error takes four moments and is hardly told by items that have fewer than six.
    tail : float
        Order up to which lengths of items have moments, by the longest of all groups; NaN where these are too few.
    """

    vectors: np.ndarray
    names: np.ndarray
    counts: np.ndarray
    radii: np.ndarray
    spreads: np.ndarray
    dimensions: np.ndarray
    confidence_level: float
    corrections: np.ndarray
    nominal: np.ndarray
    nominal_from: float
    tail: float

    def contains(self, points: Any) -> np.ndarray:
        """Whether each group's ball holds its point, of points (n_groups, p): a bool for each group."""
        points = np.asarray(points, dtype=np.float64)
        if points.shape != self.vectors.shape:
            raise ValueError(f"points has shape {points.shape}; one for each group is needed: {self.vectors.shape}")
        return np.linalg.norm(points - self.vectors, axis=1) <= self.radii


class ItemsNeeded(NamedTuple):
    """How many items each group needs.

    Attributes
    ----------
    needed : ndarray of shape (n_groups,), float64
        Whole numbers, those that are there included; infinite where the items do not tell.
    names : ndarray of shape (n_groups,)
        What the groups are called.
    counts : ndarray of shape (n_groups,), int64
        Numbers of items that are there.
    """

    needed: np.ndarray
    names: np.ndarray
    counts: np.ndarray


def group_regions(
    x: Any,
    groups: Any,
    readout: str | Callable[..., Any] = "centroid",
    *,
    confidence_level: float = 0.95,
    covariance: str = "shape",
    clusters: Any = None,
    n_resamples: int = 20_000,
    rng: int | np.random.Generator = 0,
) -> GroupRegions:
    r"""The vector of each group with a ball that holds the true vector with a given probability.

    The true vector is what the readout tends to as items are added: the mean of the distribution for a centroid, its
    geometric median for a geometric median and for a medoid.

    Parameters
    ----------
    x : array_like of shape (n, p)
        Vectors of the items.
    groups : array_like of shape (n,), or mapping of names to rows
        Which group each item is of; see :func:`~helpers.groups.membership.group_codes`.
    readout
        ``"centroid"``, ``"medoid"``, ``"geometric_median"``, ``"trimmed_mean"``, ``"moments"``, or a function ``(x,
        groups) -> GroupVectors`` that is smooth in the items, called for each item left out.
    confidence_level
        Between 0 and 1.
    covariance
        What the groups are taken to share. ``"own"``: nothing. ``"shape"``: about how many directions their items vary
        in and how their lengths are distributed, not how much they vary; this is what makes the coverage of small
        groups right. ``"shared"``: the whole covariance, so that all items tell the spread and a group of one has a
        region too.
    clusters : array_like of shape (n,), optional
        Labels of items that are not independent (of one drawer, of one day); then clusters are counted, not items.
    n_resamples
        Groups of each size that are drawn from the items of all groups to try the radii, at most, and a fifth as many
        for medians and medoids, which take long. It takes ``"shape"``, 20 groups of three or more items and 200 items
        in them. With 0 there is no trial.
    rng
        Seed or generator of these draws.

    Returns
    -------
    GroupRegions
        ``vectors``, ``names``, ``counts``, ``radii``, ``spreads``, ``dimensions``, ``confidence_level``,
        ``corrections``, ``nominal``, ``nominal_from``, ``tail``. The radius of a group of one, or of one cluster, is
        infinite unless ``covariance="shared"``.

    Raises
    ------
    TypeError, ValueError
        As :func:`helpers.arrays.as_matrix` and :func:`~helpers.groups.membership.group_codes`; if an option is out of
        range.

    Notes
    -----
    O(n p min(n_g, p)). With influences :math:`z_i`, Σ their covariance,

    .. math:: n |v - \theta|^2 / \operatorname{tr} \hat\Sigma \sim F(\nu, (n - 1) \nu), \quad
              \nu = (\operatorname{tr} \Sigma)^2 / \operatorname{tr} \Sigma^2,

    exactly for means of normal items that vary alike in ν directions, otherwise with the first two moments right
    (Dempster 1958; Satterthwaite 1946). It needs no inverse, so p may exceed n. tr Σ² is estimated without bias by the
    U-statistic of Himeno and Yamada (2014). Where lengths of items differ more than normal ones do, ν is larger by the
    share that the products of different items' lengths lose.
    A geometric median has influences of equal length, turned by the curvature of the sum of distances; along a line
    its region is that of the order statistics.

    Three items tell tr Σ² only if they are normal (otherwise the region is too wide), two not at all: they take ν from
    the other groups, or 1, the widest, where there are none.

    What this leaves out (tails, skewness, the curvature of a median, the bias of a trimmed mean) is found by trial:
    groups of as many items are drawn from the residuals of all groups, each over the spread of its group as far as
    spreads differ by more than chance; their regions are held against the readout of all residuals, and squared radii
    are multiplied by what makes the share right. Residuals are tamer than items: about the mean of five they keep 65 %
    of the excess of fourth moments and 45 % of squared third ones. So the trial is repeated on the residuals of the
    drawn groups, and what changes in these proportions is carried back to items; a term that is within two standard
    errors of zero is left out. It is a bootstrap, twice iterated, of the law that the groups share up to place and
    scale (:mod:`helpers.groups.calibration`; Hall and Martin 1988).

    Coverage at 0.95, by simulation of 2000 groups (``data/results/groups_coverage.csv``; the chapter "How many
    items?") of normal, heavy-tailed, clustered, log-normal and non-spherical laws in 2, 16 and 64 dimensions, with 5 to
    50 items: within 1.5 points, as far as 2000 groups tell, in all cells of centroids and in all but six of medians,
    medoids and trimmed means. Medians and medoids of ten items in clusters around an empty middle hold in 90 to 91:
    they are not biased, but of groups with most items in one cluster the ball is small and far away. Medoids of five
    heavy-tailed or non-spherical items hold in 92 and 98, by terms of the trial that were chance. A trimmed mean of
    five items is a mean, and of skewed features in many dimensions misses its own limit. ``"moments"`` of normal,
    clustered and non-spherical items are within but for one cell, 97; of five to twenty items of the other laws they
    hold in 88 to 92 in nine cells. There a standard deviation has no, or hardly any, standard error, which ``tail``
    finds in all but one of them. ``nominal`` says of each group whether it has so many items that all laws were within
    that it does not refuse.
    Groups that share no shape, or are fewer than 20, are not tried: see ``"own"`` in the table.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.groups import group_regions
    >>> x = np.random.default_rng(0).normal(size=(400, 8))
    >>> found = group_regions(x, np.arange(400) % 20)
    >>> found.radii.mean().round(1).item(), found.contains(np.zeros((20, 8))).sum().item() >= 17
    (0.9, True)
    """
    level = _checked(confidence_level, covariance)
    check_count(n_resamples, "n_resamples", least=0)
    x, groups = grouped(x, groups)
    units = None if clusters is None else grouped(x, clusters)[1].codes
    found = _by_moments(x, groups, readout, level, covariance, units)
    along_line = x.shape[1] == 1 and readout in ("geometric_median", "medoid") and units is None
    factors, trial = np.ones(len(found.squared)), covariance == "shape" and n_resamples > 0
    if trial and not callable(readout) and not along_line:
        slow = readout in ("geometric_median", "medoid")
        factors = radius_factors(
            x, groups, units, partial(_drawn, readout=readout, level=level), partial(_limit, readout=readout),
            level=level, n_resamples=-(-n_resamples // 5) if slow else n_resamples, rng=generator(rng),
        )  # fmt: skip
        trial = enough_to_try(groups, units)
    tried = "shared" if covariance == "shared" else "shape" if trial else "own"
    tail = tail_index(x, groups, units)
    least = NOMINAL_FROM.get((readout, tried), (np.inf, np.inf))[int(x.shape[1] >= FEW)]
    least = np.inf if tail < MOMENTS_NEEDED.get(readout, 0) else least
    return GroupRegions(
        found.vectors, groups.names, groups.counts, np.sqrt(found.squared * factors), found.spreads, found.dimensions,
        confidence_level, np.sqrt(factors), found.units >= least, least, tail,
    )  # fmt: skip


def _drawn(
    x: np.ndarray, groups: Membership, units: np.ndarray | None, *, readout: str, level: float
) -> tuple[np.ndarray, np.ndarray]:
    found = _by_moments(x, groups, readout, level, "shape", units, tol=1e-4)
    return found.vectors, found.squared


def _limit(x: np.ndarray, *, readout: str) -> np.ndarray:
    """What a readout is of all items, to which it tends: a medoid to where the geometric median does."""
    one = np.zeros(len(x), dtype=np.int64)
    return READOUTS["geometric_median" if readout == "medoid" else readout](x, one).vectors[0]


class _Found(NamedTuple):
    """Regions before any trial; of each group."""

    vectors: np.ndarray
    squared: np.ndarray  # radii
    spreads: np.ndarray
    dimensions: np.ndarray
    units: np.ndarray


def _by_moments(
    x: np.ndarray, groups: Membership, readout: Any, level: float, covariance: str, units: Any, *, tol: float = 1e-8
) -> _Found:
    """Vectors and squared radii from the moments of influences."""
    central = "geometric_median" if readout == "medoid" else readout
    chosen = medoid_items(x, groups) if readout == "medoid" else None
    vectors, shapes, along = _walk(x, groups, central, units, chosen, tol)
    spread, inverse, freedom = _pooled(shapes, covariance)
    scale = np.divide(spread, shapes.units, out=np.full(len(spread), np.inf), where=shapes.units > 0)
    with np.errstate(invalid="ignore"):
        squared = scale * _quantiles(level, 1 / inverse, freedom)
    squared[~np.isfinite(spread) | (freedom <= 0)] = np.inf
    if readout == "medoid":
        medians, vectors = vectors, x[chosen].astype(np.float64)
        way = np.sum((vectors - medians) ** 2, axis=1)
        wide = _about_medoids(way, scale, along / shapes.units, inverse, freedom, level)
        squared = np.where(np.isfinite(squared), wide, np.inf)
    if x.shape[1] == 1 and central == "geometric_median" and units is None:
        squared = _order_statistics(x, groups, vectors, level) ** 2
    return _Found(vectors, squared, np.sqrt(spread), 1 / inverse, shapes.units)


def items_needed(
    x: Any,
    groups: Any,
    precision: float,
    readout: str | Callable[..., Any] = "centroid",
    *,
    confidence_level: float = 0.95,
    covariance: str = "shape",
    clusters: Any = None,
) -> ItemsNeeded:
    r"""The least number of items at which a group's vector is known to a given distance.

    Parameters
    ----------
    x : array_like of shape (n, p)
        The items that are there: a pilot.
    groups : array_like of shape (n,), or mapping of names to rows
        Which group each item is of; see :func:`~helpers.groups.membership.group_codes`.
    precision
        The distance, in the units of x.
    readout, confidence_level, covariance, clusters
        As of :func:`group_regions`; with clusters, clusters are counted. A medoid does not come near with more items,
        and is refused.

    Returns
    -------
    ItemsNeeded
        ``needed``, ``names``, ``counts``.

    Raises
    ------
    TypeError, ValueError
        As :func:`group_regions`; if ``precision`` is not positive, or the readout is the medoid.

    Notes
    -----
    Stein's rule (1945): spread² F(ν, (n - 1) ν) / precision², rounded up, with the n of the pilot in the quantile. The
    vector of so many items, those of the pilot among them, is then within ``precision`` of the true one with the given
    probability although the spread was only estimated. A larger pilot needs fewer.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.groups import items_needed
    >>> x = np.random.default_rng(0).normal(size=(400, 8))
    >>> needed = items_needed(x, np.arange(400) % 20, 0.5).needed
    >>> bool((needed > 40).all() and (needed < 100).all())  # 8 times 1.9 over the square of a half
    True
    """
    if readout == "medoid":
        raise ValueError("readout is 'medoid', whose distance does not shrink with n; take 'geometric_median'")
    check_number(precision, "precision", lambda one: 0 < one < np.inf, "a positive distance in the units of x")
    found = group_regions(
        x, groups, readout, confidence_level=confidence_level, covariance=covariance, clusters=clusters, n_resamples=0
    )  # what corrects a region of the pilot is not what corrects one of many more items
    counts = found.counts if clusters is None else _numbers_of_clusters(x, groups, clusters)
    with np.errstate(invalid="ignore"):
        needed = np.maximum(np.ceil(counts * (found.radii / precision) ** 2), counts)
    return ItemsNeeded(needed, found.names, counts)


def _checked(level: Any, covariance: str) -> float:
    if not isinstance(level, (int, float)) or not 0 < level < 1:
        raise ValueError(f"confidence_level is {level!r}; a number between 0 and 1, such as 0.95, is needed")
    if covariance not in COVARIANCES:
        raise ValueError(f"covariance is {covariance!r}; it must be one of {', '.join(map(repr, COVARIANCES))}")
    return float(level)


def _numbers_of_clusters(x: Any, groups: Any, clusters: Any) -> np.ndarray:
    x, groups = grouped(x, groups)
    pairs = np.unique(np.column_stack([groups.codes, grouped(x, clusters)[1].codes]), axis=0)
    return np.bincount(pairs[:, 0], minlength=len(groups.counts))


class _Shapes(NamedTuple):
    """Moments of the influences of each group, each of shape (n_groups,)."""

    units: np.ndarray  # independent ones: items, or clusters
    trace: np.ndarray  # of their covariance, without bias
    trace_squared: np.ndarray  # the square of the trace, without bias
    square_trace: np.ndarray  # the trace of the square, without bias
    lengths: np.ndarray  # sum of fourth powers of their lengths over the square of the sum of the squares


def _walk(
    x: np.ndarray, groups: Membership, readout: Any, units: np.ndarray | None, chosen: np.ndarray | None, tol: float
) -> tuple[np.ndarray, _Shapes, np.ndarray | None]:
    """Vectors, moments of influences, and the variance towards chosen items (of one influence)."""
    vectors, rows, along = [], [], []
    for batch in batches(x, groups):
        found, influence = influences(batch, readout, tol=tol)
        vectors.append(found)
        if units is None and chosen is None and len(batch.counts) > 1 and (batch.counts == batch.counts[0]).all():
            rows.append(_moments_of(influence, batch, readout))
            continue
        for g, (start, count) in enumerate(zip(batch.starts, batch.counts, strict=True)):
            here = slice(start, start + count)
            labels = np.arange(count) if units is None else units[batch.items[here]]
            part = _unit_sums(influence[here], labels)
            items = _unit_sums(batch.rows[here] - batch.rows[here].mean(axis=0), labels)
            rows.append(_with_dimension(_moments(part[None]), items[None], readout))
            if chosen is not None:
                first = int(np.flatnonzero(batch.items[here] == chosen[batch.groups.start + g])[0])
                along.append(_towards(part, batch.rows[start + first] - found[g], labels, labels[first]))
    return np.concatenate(vectors), _Shapes(*np.concatenate(rows, axis=1)), np.array(along) if along else None


def _towards(part: np.ndarray, way: np.ndarray, labels: np.ndarray, own: Any) -> float:
    """Variance of the influences of all units but one, along a way that this one has chosen."""
    others = part[np.unique(labels) != own]
    with np.errstate(invalid="ignore"):
        return float(np.sum((others @ (way / (np.linalg.norm(way) or 1.0))) ** 2) / max(len(others) - 1, 1))


def _unit_sums(influence: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Influences of independent units, in the order of their labels, on a mean over units."""
    found, codes = np.unique(labels, return_inverse=True)
    if len(found) == len(labels):
        return influence[np.argsort(codes)]
    out = np.zeros((len(found), influence.shape[1]))
    np.add.at(out, codes, influence)
    return out * (len(out) / len(influence))


def _moments_of(influence: np.ndarray, batch: Batch, readout: Any) -> np.ndarray:
    """Moments of the influences of groups of one size, of all together."""
    n = int(batch.counts[0])
    items = batch.rows - batch.means()[batch.within]
    found, items = (rows.reshape(-1, n, rows.shape[1]) for rows in (influence, items))
    return _with_dimension(_moments(found), items, readout)


def _with_dimension(moments: np.ndarray, items: np.ndarray, readout: Any) -> np.ndarray:
    """Moments whose dimension is that of the items, where influences are too alike in length to tell it."""
    if readout != "geometric_median":
        return moments
    _, trace, one, two, _ = _moments(items)
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.where(trace > 0, (moments[1] / trace) ** 2, 0.0)
        moments[2], moments[3] = one * factor, two * factor
    return moments


def _moments(z: np.ndarray) -> np.ndarray:
    """Number of units, tr Σ, (tr Σ)², tr Σ² and the share of fourth powers, from influences that sum to zero.

    Of influences (n_groups, n, q); five rows.
    """
    n = z.shape[1]
    out = np.tile([[float(n)], [np.nan], [0.0], [0.0], [np.nan]], len(z))
    fine = np.isfinite(z).all(axis=(1, 2))
    if n < 2 or not fine.any():
        return out
    squares = np.einsum("gij,gij->gi", z, z)
    out[1, fine] = squares[fine].sum(axis=1) / (n - 1)
    fine &= out[1] > 0
    if n < 3 or not fine.any():
        return out
    z, squares, trace = z[fine], squares[fine], out[1, fine]
    product = z @ z.transpose(0, 2, 1) if n <= z.shape[2] else z.transpose(0, 2, 1) @ z
    total, fourth = np.einsum("gij,gij->g", product, product) / (n - 1) ** 2, np.sum(squares**2, axis=1)
    out[4, fine] = fourth / squares.sum(axis=1) ** 2
    fourth /= n - 1
    if n == 3:  # too few for four different items: without bias for normal ones
        square = total - trace**2 / 2
        out[2, fine], out[3, fine] = trace**2 - square, square
        return out
    factor = (n - 1) / (n * (n - 2) * (n - 3))
    out[2, fine] = factor * (2 * total + (n * n - 3 * n + 1) * trace**2 - n * fourth)
    out[3, fine] = factor * ((n - 1) * (n - 2) * total + trace**2 - n * fourth)
    return out


def _pooled(shapes: _Shapes, covariance: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Summed variances, inverse effective dimensions and degrees of freedom over dimensions of each group."""
    from scipy import stats

    n, trace = shapes.units, shapes.trace.copy()
    known = np.isfinite(shapes.lengths)
    freedom = np.where(known, np.maximum(n * (n - 3) / 2, 1.0), 0.0)  # of an estimate of tr Σ²
    common = _common_inverse(shapes, freedom, known)
    own = np.divide(shapes.square_trace, trace**2, out=np.zeros(len(n)), where=known)
    others = np.zeros(len(n)) if covariance == "own" else np.minimum(freedom.sum() - freedom, PRIOR)
    if covariance == "shared":
        with np.errstate(invalid="ignore"):
            fine = np.isfinite(trace)
        total = np.sum((n - 1)[fine])
        trace = np.full(len(n), np.sum(((n - 1) * trace)[fine]) / total if total else np.nan)
        inverse = np.full(len(n), common)
        return trace, np.clip(inverse, 1e-6, 1), np.full(len(n), total)
    weight = freedom + others
    inverse = np.divide(
        freedom * np.maximum(own, 0) + others * common, weight, out=np.ones(len(n)), where=weight > 0
    )  # of two or three items alone the shape is unknown: one dimension is the widest
    some = weight > 0
    # A quantile is concave in the noisy inverse dimension; Student's quantile over the normal one makes up for it.
    ratio = np.ones(len(n))
    ratio[some] = (stats.t.ppf(0.95, weight[some]) / stats.norm.ppf(0.95)) ** 2
    inverse = np.clip(inverse * ratio, 1e-6, 1)
    if covariance != "own":
        inverse = _with_lengths(inverse, shapes, known & (others > 0))
    return trace, inverse, n - 1


def _common_inverse(shapes: _Shapes, freedom: np.ndarray, known: np.ndarray) -> float:
    """tr Σ² / (tr Σ)² of all groups, scales aside."""
    if not known.any():
        return 1.0
    n, trace, one, two = (values[known] for values in shapes[:4])
    weight = freedom[known]
    rough = np.sum(weight * two) / np.sum(weight * one) if np.sum(weight * one) > 0 else 1.0
    # Scales that differ are divided out; those that differ by chance alone are not, which would bias the ratio.
    noise = 2 / (n - 1) * np.clip(rough, 1e-6, 1)
    log = np.log(trace)
    between = max(np.var(log) - noise.mean(), 0.0)
    scale = np.exp(2 * (log.mean() + (log - log.mean()) * between / (between + noise)))
    return float(np.clip(np.sum(weight * two / scale) / max(np.sum(weight * one / scale), 1e-300), 1e-6, 1))


def _with_lengths(inverse: np.ndarray, shapes: _Shapes, which: np.ndarray) -> np.ndarray:
    """Inverse dimensions less what unequal lengths take from the products of different items."""
    n, out = shapes.units[which], inverse.copy()
    dimension = 1 / inverse[which]
    expected = 1 - (dimension + 2) / (n * dimension + 2)  # of normal items
    out[which] = np.clip(inverse[which] * (1 - shapes.lengths[which]) / expected, 1e-6, 1)
    return out


def _quantiles(level: float, dimension: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Of the F distribution with the dimension and the freedom times the dimension; 1 is its mean, nearly."""
    from scipy import stats

    return stats.f.ppf(level, dimension, np.maximum(freedom, 1e-9) * dimension)


def _order_statistics(x: np.ndarray, groups: Membership, centres: np.ndarray, level: float) -> np.ndarray:
    """Radii about centres along a line that hold the median, from the binomial law of how many items lie below it."""
    from scipy import stats

    out = np.full(len(centres), np.inf)
    for g, items in enumerate(groups.members()):
        n = len(items)
        k = int(stats.binom.ppf((1 - level) / 2, n, 0.5))
        if k >= 1 and 2 * stats.binom.cdf(k - 1, n, 0.5) <= 1 - level:
            ordered = np.sort(x[items, 0].astype(np.float64))
            out[g] = max(centres[g, 0] - ordered[k - 1], ordered[n - k] - centres[g, 0])
    return out


def _about_medoids(way, scale, along, inverse, freedom, level):
    """Squared radii of balls about medoids: their known way from the median, squared, besides its own error."""
    with np.errstate(invalid="ignore"):
        mean = way + scale
        variance = 4 * way * along + 2 * scale**2 * inverse
        known = np.isfinite(variance) & (variance > 0)
        dimension = np.clip(2 * mean[known] ** 2 / variance[known], 1, 1e6)
    out = np.where(np.isfinite(variance), mean, np.inf)
    out[known] *= _quantiles(level, dimension, (freedom / inverse)[known] / dimension)
    return out
