"""How far groups are apart, as points or as distributions of their items: a matrix over all pairs of groups.

Each distance takes the items and their groups and returns :class:`GroupDistances`; :data:`DISTANCES` knows them by
name, and :func:`group_distances` takes a name. Few items are compared pair by pair, many through random features whose
error the result states; no matrix of all pairs of items is ever made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from helpers.arrays import check_count, generator
from helpers.groups.covariances import Inferred, covariance_factors, inferred_shapes, nuclear_norms
from helpers.groups.membership import Membership, grouped
from helpers.groups.readouts import centroid

__all__ = [
    "DISTANCES",
    "Distance",
    "GroupDistances",
    "bures",
    "centroid_distance",
    "energy",
    "group_distances",
    "mmd",
    "sliced_wasserstein",
    "wasserstein",
]

EXACT = 10_000  # up to so many items all pairs are measured, unless the caller says otherwise
PAIRS = 1 << 22  # distances in one block
AFFORDED = 5e9  # pairs of groups times the cube of the rank, up to which Bures distances are exact
CANCELLED = 1e-6  # below this share of the two squared lengths a squared distance is taken from the differences
BATCHES = 32  # of random features; their scatter gives the standard error
STRATA = 64  # thresholds along each direction


class GroupDistances(NamedTuple):
    """Distances of all pairs of groups.

    Attributes
    ----------
    distances : ndarray of shape (n_groups, n_groups), float64
        Symmetric, 0 on the diagonal.
    names : ndarray of shape (n_groups,)
        What the groups are called: the labels in ascending order.
    counts : ndarray of shape (n_groups,), int64
        Numbers of items.
    standard_errors : ndarray of shape (n_groups, n_groups), or None
        How far the distances are off, in standard deviations of the random features, or of what is drawn; None where
        they are exact.
    """

    distances: np.ndarray
    names: np.ndarray
    counts: np.ndarray
    standard_errors: np.ndarray | None = None


@dataclass(frozen=True)
class Distance:
    """What is known of a distance between groups; called, it gives the matrix.

    Attributes
    ----------
    function
        The function that computes it.
    metric
        Whether the triangle inequality holds for what is returned by default.
    sees
        What of a group it sees: ``"mean"``, ``"mean and covariance"``, or ``"distribution"``, of which two are at
        distance 0 only if they are equal.
    cost
        How the time grows with n items in G groups, n_g of them in one, p features and D random features.
    reference
        The source of the definition.
    definition
        What is measured, in a phrase.
    """

    function: Callable[..., GroupDistances]
    metric: bool
    sees: str
    cost: str
    reference: str
    definition: str

    def __call__(self, x: Any, groups: Any, **options: Any) -> GroupDistances:
        """The distances of the groups of x; options and errors are those of the function."""
        return self.function(x, groups, **options)


def group_distances(x: Any, groups: Any, metric: str = "energy", **options: Any) -> GroupDistances:
    """Distances of all pairs of groups, by name.

    Parameters
    ----------
    x : array_like of shape (n, p)
        Vectors of the items.
    groups : array_like of shape (n,), or mapping of names to rows
        Which group each item is of; see :func:`~helpers.groups.membership.group_codes`.
    metric
        A name of :data:`DISTANCES`.
    **options
        Options of the function: ``unbiased``, ``bandwidth``, ``n_slices``, ``rng`` …

    Returns
    -------
    GroupDistances
        ``distances``, ``names``, ``counts``, ``standard_errors``.

    Raises
    ------
    ValueError
        If the name is unknown; whatever the distance raises.

    Notes
    -----
    Of 100 000 items with 384 features in 1000 groups, ``"centroid"`` takes less than a second on one core,
    ``"energy"``, ``"mmd"`` and ``"sliced_wasserstein"`` two to three seconds each, ``"bures"`` six, with 64
    features one; ``"wasserstein"`` is for tens of groups.

    Examples
    --------
    >>> from helpers.groups import group_distances
    >>> x = [[-1.0], [1.0], [-1.0], [1.0], [0.0], [0.0]]
    >>> found = group_distances(x, ["a", "a", "b", "b", "c", "c"], "energy")
    >>> found.distances.round(3).tolist()
    [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    """
    if metric not in DISTANCES:
        raise ValueError(f"metric {metric!r} is unknown; it is one of {', '.join(map(repr, DISTANCES))}")
    return DISTANCES[metric](x, groups, **options)


def centroid_distance(x: Any, groups: Any) -> GroupDistances:
    """Euclidean distances between the means of the groups; O(n p + G² p); input and errors as :func:`energy`.

    >>> from helpers.groups.distances import centroid_distance
    >>> centroid_distance([[0.0], [2.0], [5.0]], ["a", "a", "b"]).distances.tolist()
    [[0.0, 4.0], [4.0, 0.0]]
    """
    from scipy.spatial.distance import pdist, squareform

    vectors, names, counts = centroid(x, groups)
    return GroupDistances(squareform(pdist(vectors)), names, counts)


def energy(
    x: Any,
    groups: Any,
    *,
    unbiased: bool = False,
    n_slices: int | str | None = "auto",
    rng: int | np.random.Generator = 0,
) -> GroupDistances:
    r"""Energy distances, :math:`\sqrt{2 E|X - Y| - E|X - X'| - E|Y - Y'|}`.

    Parameters
    ----------
    x : array_like of shape (n, p)
        Vectors of the items.
    groups : array_like of shape (n,), or mapping of names to rows
        Which group each item is of; see :func:`~helpers.groups.membership.group_codes`.
    unbiased
        False: the distance between the items as they are. True: an unbiased estimate of the *squared* distance between
        the distributions that the items were drawn from (pairs of an item with itself are left out), which may be
        negative, is not a metric, and needs two items of every group.
    n_slices
        None measures all pairs of items, exactly. A number takes so many random directions instead, rounded up to a
        multiple of 32. ``"auto"`` is None up to 10 000 items, 256 above.
    rng
        Seed or generator of the directions; the same seed gives the same ones.

    Returns
    -------
    GroupDistances
        In the units of x (squared if ``unbiased``).

    Raises
    ------
    TypeError, ValueError
        As :func:`helpers.arrays.as_matrix` and :func:`~helpers.groups.membership.group_codes`; if ``unbiased`` and a
        group has one item; if ``n_slices`` is out of range.

    Notes
    -----
    Exact: O(n² p) in blocks. Sliced: O(n (p + log n) D + G² D) for D directions. A distance is a mean over directions u
    of :math:`|u^T (x - y)|`, times a constant, and along a direction the squared energy distance is
    :math:`2 \int (F - G)^2` of the distribution functions, taken at one random threshold in each of 64 strata: the
    squared distance is unbiased for the exact one.
    Székely and Rizzo (2013), Energy statistics, Journal of Statistical Planning and Inference 143.

    Examples
    --------
    >>> from helpers.groups.distances import energy
    >>> energy([[0.0], [1.0], [1.0], [0.0]], ["a", "a", "b", "b"]).distances.tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    x, groups = _items_of(x, groups, unbiased)
    n_slices = _features(n_slices, "n_slices", len(x), 256)
    if n_slices is None:
        squared = _from_pairs(x, groups, lambda block: np.negative(np.sqrt(block, out=block), out=block), unbiased)
        return _exact(squared, groups, unbiased)
    return _sampled(_distribution_functions(x, groups, n_slices, generator(rng)), groups, unbiased)


def mmd(
    x: Any,
    groups: Any,
    *,
    bandwidth: float | None = None,
    unbiased: bool = False,
    n_frequencies: int | str | None = "auto",
    rng: int | np.random.Generator = 0,
) -> GroupDistances:
    r"""Maximum mean discrepancy with the Gaussian kernel :math:`\exp(-|x - y|^2 / 2σ^2)`.

    Parameters
    ----------
    x : array_like of shape (n, p)
        Vectors of the items.
    groups : array_like of shape (n,), or mapping of names to rows
        Which group each item is of; see :func:`~helpers.groups.membership.group_codes`.
    bandwidth
        σ, in the units of x; by default the median distance between items, of at most 1000 drawn with ``rng``.
    unbiased
        False: the distance between the kernel means of the items as they are. True: an unbiased estimate of its square
        for the distributions that the items were drawn from, which may be negative and needs two items of every group.
    n_frequencies
        None measures all pairs of items, exactly. A number takes so many random Fourier features instead, rounded up
        to a multiple of 32. ``"auto"`` is None up to 10 000 items, 512 above.
    rng
        Seed or generator of the frequencies and of the items for the bandwidth.

    Returns
    -------
    GroupDistances
        Between 0 and √2, without a unit; if ``unbiased``, squared and from about -1 to 2.

    Raises
    ------
    TypeError, ValueError
        As :func:`helpers.arrays.as_matrix` and :func:`~helpers.groups.membership.group_codes`; if ``bandwidth`` is
        not positive; if ``unbiased`` and a group has one item; if ``n_frequencies`` is out of range.

    Notes
    -----
    Exact: O(n² p) in blocks. Random features: O(n p D + G² D).
    Gretton, Borgwardt, Rasch, Schölkopf and Smola (2012), A kernel two-sample test, JMLR 13. Rahimi and Recht (2007),
    Random features for large-scale kernel machines, NIPS 20.

    Examples
    --------
    >>> from helpers.groups.distances import mmd
    >>> mmd([[0.0], [1000.0]], ["a", "b"], bandwidth=1.0).distances.round(3).tolist()
    [[0.0, 1.414], [1.414, 0.0]]
    """
    x, groups = _items_of(x, groups, unbiased)
    n_frequencies = _features(n_frequencies, "n_frequencies", len(x), 512)
    rng = generator(rng)
    if bandwidth is None:
        bandwidth = _median_distance(x, rng)
    if not (np.isfinite(bandwidth) and bandwidth > 0):
        raise ValueError(f"bandwidth is {bandwidth!r}; a positive number in the units of x is needed")
    if n_frequencies is None:

        def kernel(block: np.ndarray) -> np.ndarray:
            block *= -0.5 / bandwidth**2
            return np.exp(block, out=block)

        return _exact(_from_pairs(x, groups, kernel, unbiased), groups, unbiased)
    return _sampled(_fourier(x, groups, n_frequencies, bandwidth, rng), groups, unbiased)


def sliced_wasserstein(
    x: Any, groups: Any, *, n_slices: int = 128, n_quantiles: int = 100, rng: int | np.random.Generator = 0
) -> GroupDistances:
    r"""Sliced 2-Wasserstein distances: the root mean square, over directions, of those between projections.

    Parameters
    ----------
    x : array_like of shape (n, p)
        Vectors of the items.
    groups : array_like of shape (n,), or mapping of names to rows
        Which group each item is of; see :func:`~helpers.groups.membership.group_codes`.
    n_slices
        Number of random directions, rounded up to a multiple of 32; in one dimension there is one.
    n_quantiles
        Along a direction, the distance is the root mean square difference of so many quantiles, each the mean of its
        share of the items: exact where the size of every group divides it, otherwise a little too small.
    rng
        Seed or generator of the directions, which are the same for all pairs.

    Returns
    -------
    GroupDistances
        In the units of x. The standard errors are those of the directions.

    Raises
    ------
    TypeError, ValueError
        As :func:`helpers.arrays.as_matrix` and :func:`~helpers.groups.membership.group_codes`; if a number is not
        positive.

    Notes
    -----
    O((n p + n log n + G² n_quantiles) D) for D directions. ``ot.sliced_wasserstein_distance`` of POT is the same for
    one pair. In p dimensions a shift by δ counts as δ / √p.
    Bonneel, Rabin, Peyré and Pfister (2015), Sliced and Radon Wasserstein barycenters of measures, JMIV 51.

    Examples
    --------
    >>> from helpers.groups.distances import sliced_wasserstein
    >>> sliced_wasserstein([[0.0], [1.0], [3.0], [4.0]], ["a", "a", "b", "b"]).distances.round(6).tolist()
    [[0.0, 3.0], [3.0, 0.0]]
    """
    x, groups = grouped(x, groups)
    n_slices, n_quantiles = check_count(n_slices, "n_slices"), check_count(n_quantiles, "n_quantiles")
    found = _sampled(_quantiles(x, groups, n_slices, n_quantiles, generator(rng)), groups, False)
    return found._replace(standard_errors=None) if x.shape[1] == 1 else found


def bures(
    x: Any, groups: Any, *, n_pairs: int | str | None = "auto", rng: int | np.random.Generator = 0
) -> GroupDistances:
    r"""Bures–Wasserstein (Fréchet) distances: 2-Wasserstein between normal laws with the groups' means and covariances.

    The square is :math:`|m_1 - m_2|^2 + \operatorname{tr}(S_1 + S_2 - 2 (S_1^{1/2} S_2 S_1^{1/2})^{1/2})`.

    Parameters
    ----------
    x : array_like of shape (n, p)
        Vectors of the items.
    groups : array_like of shape (n,), or mapping of names to rows
        Which group each item is of; see :func:`~helpers.groups.membership.group_codes`.
    n_pairs
        None measures all pairs of groups, exactly. Of a number, so many pairs drawn at random are measured, and the
        others are told by a bound that all pairs have and by what share of it the measured ones are. ``"auto"`` is
        None where all pairs take a few seconds, 2000 above.
    rng
        Seed or generator of the pairs that are measured.

    Returns
    -------
    GroupDistances
        In the units of x; covariances have the divisor n_g, so that a group of one has none. The standard errors are
        those of one distance, from the scatter of the measured pairs about their mean share; 0 for measured pairs.

    Raises
    ------
    TypeError, ValueError
        As :func:`helpers.arrays.as_matrix` and :func:`~helpers.groups.membership.group_codes`; if ``n_pairs`` is no
        positive number.

    Notes
    -----
    Exact: O(n p² + G² min(n_g, p)³). The last trace is the sum of the singular values of :math:`X_1 X_2^T`, of centred
    items over √n_g, so that no covariance matrix is made and p may exceed n_g. Of one pair,
    ``ot.gaussian.bures_wasserstein_distance`` of POT is the same. Half a million pairs of 1000 groups with 64 features
    are as many singular value decompositions of a 64 × 64 matrix, 10¹² operations, a minute or two of one core; to form
    the matrices alone takes a tenth of that.

    Otherwise O(n p² + G² p²), :func:`~helpers.groups.covariances.inferred_shapes`. Of 100 items in each of 60 groups,
    of covariances that are equal but for chance, have features of other scales, or are turned at random, in 16 and in
    64 dimensions, the distances scatter by 0.1 to 0.5 % about their share of the bound, and where five directions hold
    nearly all of the variance and are turned at random, by 2 to 3 %.
    For the nearest groups of each, :func:`~helpers.groups.nearest.nearest_groups` is exact and measures few pairs.
    Dowson and Landau (1982), The Fréchet distance between multivariate normal distributions, Journal of Multivariate
    Analysis 12.

    Examples
    --------
    >>> from helpers.groups.distances import bures
    >>> bures([[-1.0], [1.0], [1.0], [7.0]], ["a", "a", "b", "b"]).distances.round(6).tolist()
    [[0.0, 4.472136], [4.472136, 0.0]]
    """
    x, groups = grouped(x, groups)
    means, factors = covariance_factors(x, groups)
    rank, n = factors.shape[1], len(means)
    if n_pairs == "auto":
        n_pairs = None if n * (n - 1) / 2 * rank**3 <= AFFORDED else 2000
    if n_pairs is not None:
        n_pairs = check_count(n_pairs, "n_pairs")
        return _inferred(means, inferred_shapes(factors, n_pairs, generator(rng)), groups)
    squares = np.einsum("gij,gij->g", factors, factors)
    out = np.zeros((n, n))
    step = max(1, PAIRS // rank**2)
    for g in range(n):
        for h in range(g + 1, n, step):
            apart = np.sum((means[g] - means[h : h + step]) ** 2, axis=1)
            shape = squares[g] + squares[h : h + step] - 2 * nuclear_norms(factors[g], factors[h : h + step])
            out[g, h : h + step] = out[h : h + step, g] = np.sqrt(apart + np.maximum(shape, 0))
    return GroupDistances(out, groups.names, groups.counts)


def _inferred(means: np.ndarray, shapes: Inferred, groups: Membership) -> GroupDistances:
    from scipy.spatial.distance import pdist, squareform

    distances = np.sqrt(squareform(pdist(means, "sqeuclidean")) + shapes.squares)
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = shapes.bounds * shapes.ratio_sd / (2 * distances)
    errors[shapes.measured | (distances == 0)] = 0.0
    return GroupDistances(distances, groups.names, groups.counts, errors)


def wasserstein(x: Any, groups: Any) -> GroupDistances:
    r"""2-Wasserstein distances: the least root mean square way that the items of one group must go to become the other.

    Parameters
    ----------
    x : array_like of shape (n, p)
        Vectors of the items.
    groups : array_like of shape (n,), or mapping of names to rows
        Which group each item is of; see :func:`~helpers.groups.membership.group_codes`.

    Returns
    -------
    GroupDistances
        In the units of x, exact, by POT's network simplex.

    Raises
    ------
    TypeError, ValueError
        As :func:`helpers.arrays.as_matrix` and :func:`~helpers.groups.membership.group_codes`.

    Notes
    -----
    O(G² n_g³ log n_g) at worst: for tens of groups. In p dimensions it approaches the distance of the distributions as
    slowly as :math:`n_g^{-1/p}`. Peyré and Cuturi (2019), Computational optimal transport.

    Examples
    --------
    >>> from helpers.groups.distances import wasserstein
    >>> wasserstein([[0.0], [1.0], [3.0], [4.0]], ["a", "a", "b", "b"]).distances.round(6).tolist()
    [[0.0, 3.0], [3.0, 0.0]]
    """
    import ot
    from scipy.spatial.distance import cdist

    x, groups = grouped(x, groups)
    parts = [x[items].astype(np.float64) for items in groups.members()]
    out = np.zeros((len(parts), len(parts)))
    for g, one in enumerate(parts):
        for h in range(g + 1, len(parts)):
            cost = cdist(one, parts[h], "sqeuclidean")
            weights = [np.full(size, 1 / size) for size in cost.shape]
            out[g, h] = out[h, g] = np.sqrt(max(ot.emd2(*weights, cost, numItermax=10_000_000), 0.0))
    return GroupDistances(out, groups.names, groups.counts)


def _items_of(x: Any, groups: Any, unbiased: bool) -> tuple[np.ndarray, Membership]:
    """Checked items about their middle, and groups that are large enough."""
    x, groups = grouped(x, groups)
    if unbiased and groups.counts.min() < 2:
        one = groups.names[groups.counts < 2].tolist()
        shown = ", ".join(map(repr, one[:5])) + (f" and {len(one) - 5} more" if len(one) > 5 else "")
        raise ValueError(f"unbiased distances need at least 2 items of each group; one item in {shown}")
    return x - np.mean(x, axis=0, dtype=np.float64).astype(x.dtype), groups


def _features(value: int | str | None, name: str, n: int, many: int) -> int | None:
    """How many random features to take, or None for all pairs."""
    if isinstance(value, str):
        if value != "auto":
            raise ValueError(f"{name} is {value!r}; it is a number, None or 'auto'")
        return None if n <= EXACT else many
    return None if value is None else check_count(value, name)


def _median_distance(x: np.ndarray, rng: np.random.Generator, most: int = 1000) -> float:
    """The median distance between items, of at most so many."""
    from scipy.spatial.distance import pdist

    rows = x if len(x) <= most else x[np.sort(rng.choice(len(x), most, replace=False))]
    distances = pdist(rows) if len(rows) > 1 else np.zeros(0)
    if not np.any(distances > 0):
        raise ValueError("bandwidth: all items are equal, so that there is no median distance; pass bandwidth=")
    return float(np.median(distances[distances > 0]))


def _from_pairs(x: np.ndarray, groups: Membership, kernel: Callable, unbiased: bool) -> np.ndarray:
    """Squared distances K_gg + K_hh - 2 K_gh of the mean kernels (squared distances in, kernel out, in place)."""
    order = np.argsort(groups.codes, kind="stable")
    rows, codes = x[order].astype(np.float64), groups.codes[order]
    n_groups, n = len(groups.counts), len(rows)
    square = np.einsum("ij,ij->i", rows, rows)
    within_block = np.zeros((n_groups, n_groups))
    after_block = np.zeros((n_groups, n_groups))
    itself = np.zeros(n_groups)
    start = 0
    while start < n:
        stop = min(start + max(1, PAIRS // (n - start)), n)
        block = kernel(_squared_distances(rows, square, start, stop))
        np.add.at(itself, codes[start:stop], block[np.arange(stop - start), np.arange(stop - start)])
        for totals, first, last in ((within_block, start, stop), (after_block, stop, n)):
            if first < last:
                edges = np.flatnonzero(np.diff(codes[first:last], prepend=-1))
                sums = np.add.reduceat(block[:, first - start : last - start], edges, axis=1)
                np.add.at(totals, (codes[start:stop, None], codes[first + edges]), sums)
        start = stop
    totals = within_block + after_block + after_block.T
    counts = groups.counts.astype(float)
    means = totals / np.outer(counts, counts)
    own = np.diag(means)
    if unbiased:
        own = (np.diag(totals) - itself) / (counts * (counts - 1))
    return own[:, None] + own - 2 * means


def _squared_distances(rows: np.ndarray, square: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Squared distances of rows from start to stop to those from start on, to nearly all digits."""
    block = rows[start:stop] @ rows[start:].T
    block *= -2
    scale = square[start:stop, None] + square[start:]
    block += scale
    near = np.argwhere(block < CANCELLED * scale)
    step = max(1, PAIRS // rows.shape[1])
    for first in range(0, len(near), step):
        i, j = near[first : first + step].T
        gap = rows[start + i] - rows[start + j]
        block[i, j] = np.einsum("ij,ij->i", gap, gap)
    return block


def _exact(squared: np.ndarray, groups: Membership, unbiased: bool) -> GroupDistances:
    """Distances from squares that rounding may have made negative, or not quite symmetric."""
    squared = (squared + squared.T) / 2
    np.fill_diagonal(squared, 0)
    out = squared if unbiased else np.sqrt(np.maximum(squared, 0))
    return GroupDistances(out, groups.names, groups.counts)


Features = Iterator[tuple[np.ndarray, np.ndarray]]  # (n_groups, m) features, (n_groups,) bias of their squared length


def _sampled(features: Features, groups: Membership, unbiased: bool) -> GroupDistances:
    """Distances from batches of random features, with the standard error that the batches show."""
    counts = groups.counts.astype(float)
    mean = scatter = np.zeros((len(counts), len(counts)))
    done = 0
    for values, noise in features:
        values = values - values.mean(axis=0)
        length = np.einsum("ij,ij->i", values, values)
        squared = np.maximum(length[:, None] + length - 2 * values @ values.T, 0)
        if unbiased:
            squared = squared - (noise[:, None] + noise)
        done += 1
        change = squared - mean
        mean = mean + change / done
        scatter = scatter + change * (squared - mean)
    error = np.sqrt(scatter / max(done - 1, 1) / done)
    np.fill_diagonal(mean, 0)
    np.fill_diagonal(error, 0)
    mean = (mean + mean.T) / 2
    if unbiased:
        return GroupDistances(mean, groups.names, groups.counts, error)
    distances = np.sqrt(mean)
    error = np.divide(error, 2 * distances, out=np.zeros_like(error), where=distances > 0)
    return GroupDistances(distances, groups.names, groups.counts, error)


def _projections(x: np.ndarray, n: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Items along random directions, of shape (directions, n_items), in batches of directions."""
    p = x.shape[1]
    if p == 1:
        yield x.T
        return
    for _ in range(BATCHES):
        directions = rng.normal(size=(p, -(-n // BATCHES)))
        yield (x @ (directions / np.linalg.norm(directions, axis=0)).astype(x.dtype)).T


def _distribution_functions(x: np.ndarray, groups: Membership, n: int, rng: np.random.Generator) -> Features:
    """Shares of each group below random thresholds along random directions, weighted for the energy distance."""
    from scipy.special import gammaln

    p, counts = x.shape[1], groups.counts.astype(float)
    # The mean of |uᵀz| over directions u is |z| Γ(p/2) / (√π Γ((p+1)/2)).
    constant = np.sqrt(np.pi) * np.exp(gammaln((p + 1) / 2) - gammaln(p / 2)) if p > 1 else 1.0
    many = BATCHES if p == 1 else 1  # along the only direction, thresholds alone are drawn again
    for lines in (lines for batch in _projections(x, n, rng) for lines in [batch] * many):
        parts, noise = [], np.zeros(len(counts))
        for values in lines:
            sample = values[:: max(1, len(values) // 4096)]
            edges = np.quantile(sample, np.linspace(0, 1, STRATA + 1))
            edges[0], edges[-1] = values.min(), values.max()
            width = np.diff(edges)
            thresholds = edges[:-1] + rng.random(STRATA) * width
            bins = np.searchsorted(thresholds, values, side="left") + groups.codes * (STRATA + 1)
            found = np.bincount(bins, minlength=len(counts) * (STRATA + 1)).reshape(len(counts), -1)
            below = np.cumsum(found, axis=1)[:, :-1] / counts[:, None]
            weight = 2 * constant * width / len(lines)
            noise += (below * (1 - below)) @ weight / np.maximum(counts - 1, 1)
            parts.append(below * np.sqrt(weight))
        yield np.hstack(parts), noise


def _fourier(x: np.ndarray, groups: Membership, n: int, bandwidth: float, rng: np.random.Generator) -> Features:
    """Means over each group of cosines and sines at random frequencies."""
    counts = groups.counts.astype(float)
    order = np.argsort(groups.codes, kind="stable")
    rows, starts = x[order], np.cumsum(groups.counts) - groups.counts
    n = -(-n // BATCHES)
    for _ in range(BATCHES):
        phases = rows @ (rng.normal(size=(x.shape[1], n)) / bandwidth).astype(x.dtype)
        waves = np.hstack([np.cos(phases), np.sin(phases)])
        means = np.add.reduceat(waves, starts, axis=0, dtype=np.float64) / counts[:, None] / np.sqrt(n)
        length = np.einsum("ij,ij->i", means, means)
        yield means, (1 - length) / np.maximum(counts - 1, 1)


def _quantiles(x: np.ndarray, groups: Membership, n: int, levels: int, rng: np.random.Generator) -> Features:
    """Means of the items between successive quantiles of each group, along random directions."""
    counts = groups.counts
    ends = np.cumsum(counts)
    at = np.arange(levels + 1) / levels * counts[:, None]  # positions within each group, in items
    whole = np.minimum(at.astype(np.int64), counts[:, None] - 1)
    place = whole + (ends - counts)[:, None]
    for lines in _projections(x, n, rng):
        parts = []
        for values in lines:
            ordered = values[np.lexsort((values, groups.codes))].astype(np.float64)
            before = np.cumsum(ordered) - ordered
            integral = before[place] + (at - whole) * ordered[place]  # of the quantile function, up to a constant
            parts.append(np.diff(integral, axis=1) / counts[:, None] * levels / np.sqrt(levels * len(lines)))
        yield np.hstack(parts), np.zeros(len(counts))


DISTANCES: dict[str, Distance] = {
    "centroid": Distance(
        centroid_distance,
        metric=True,
        sees="mean",
        cost="n p + G² p",
        reference="folklore",
        definition="Euclidean distance between means",
    ),
    "energy": Distance(
        energy,
        metric=True,
        sees="distribution",
        cost="n² p exact; n p D + G² D sliced",
        reference="Székely and Rizzo (2013), Energy statistics",
        definition="root of twice the mean distance between the groups less those within",
    ),
    "mmd": Distance(
        mmd,
        metric=True,
        sees="distribution",
        cost="n² p exact; n p D + G² D with random features",
        reference="Gretton et al. (2012), A kernel two-sample test",
        definition="distance between mean Gaussian kernels",
    ),
    "sliced_wasserstein": Distance(
        sliced_wasserstein,
        metric=True,
        sees="distribution",
        cost="(n p + n log n + G² q) D for q quantiles",
        reference="Bonneel et al. (2015), Sliced and Radon Wasserstein barycenters of measures",
        definition="root mean square 2-Wasserstein distance of projections",
    ),
    "bures": Distance(
        bures,
        metric=True,
        sees="mean and covariance",
        cost="n p² + G² min(n_g, p)³ exact; n p² + G² p² from few pairs",
        reference="Dowson and Landau (1982), The Fréchet distance between multivariate normal distributions",
        definition="2-Wasserstein distance between normal laws with the same means and covariances",
    ),
    "wasserstein": Distance(
        wasserstein,
        metric=True,
        sees="distribution",
        cost="G² n_g³ log n_g",
        reference="Peyré and Cuturi (2019), Computational optimal transport",
        definition="least root mean square way from the items of one group to those of the other",
    ),
}
"""Distances between groups by name; called with items and groups, each gives :class:`GroupDistances`."""
