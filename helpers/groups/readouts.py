"""One vector for each group of items: means, medians, members, and moments beyond the mean.

Every readout takes the items and their groups and returns :class:`GroupVectors`; :data:`READOUTS` knows them by name.
None makes a matrix of all pairs of items: they walk through the groups in batches.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from helpers.arrays import check_count, svd
from helpers.groups.membership import Batch, Membership, batches, grouped

__all__ = [
    "READOUTS",
    "GroupVectors",
    "Readout",
    "centroid",
    "geometric_median",
    "medoid",
    "medoid_items",
    "moments",
    "readout",
    "trimmed_mean",
]

PAIRS = 1 << 22  # distances in one block of a large group


class GroupVectors(NamedTuple):
    """One vector for each group.

    Attributes
    ----------
    vectors : ndarray of shape (n_groups, p), float64
        Row by row the groups; ``p`` is the width of the items, except for :func:`moments`.
    names : ndarray of shape (n_groups,)
        What the groups are called: the labels in ascending order.
    counts : ndarray of shape (n_groups,), int64
        Numbers of items.
    """

    vectors: np.ndarray
    names: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class Readout:
    """What is known of a readout; called, it gives the vectors of groups.

    Attributes
    ----------
    function
        The function that computes it.
    moves_with
        The maps of the items that it follows, among ``"translation"``, ``"scale"``, ``"rotation"`` and ``"linear"``
        (every invertible map): the vector of the mapped items is the mapped vector.
    breakdown
        The largest share of the items that may be anything while the vector stays bounded, for a large group.
    same_width
        Whether the vector has the width of the items.
    cost
        How the time grows with n items, n_g of them in a group, and p features.
    reference
        The source of the definition.
    definition
        What the vector is, in a phrase.
    """

    function: Callable[..., GroupVectors]
    moves_with: tuple[str, ...]
    breakdown: float
    same_width: bool
    cost: str
    reference: str
    definition: str

    def __call__(self, x: Any, groups: Any, **options: Any) -> GroupVectors:
        """The vectors of the groups of x; options and errors are those of the function."""
        return self.function(x, groups, **options)


def readout(x: Any, groups: Any, method: str | Callable[..., GroupVectors] = "centroid") -> GroupVectors:
    """One vector for each group, by the name of the readout or by a function of the caller's own.

    Parameters
    ----------
    x : array_like of shape (n, p)
        Vectors of the items.
    groups : array_like of shape (n,), or mapping of names to rows
        Which group each item is of; see :func:`~helpers.groups.membership.group_codes`.
    method
        A name of :data:`READOUTS`, or a function ``(x, groups) -> GroupVectors``.

    Returns
    -------
    GroupVectors
        ``vectors``, ``names``, ``counts``.

    Raises
    ------
    ValueError
        If the name is unknown; whatever the readout raises.

    Examples
    --------
    >>> from helpers.groups import readout
    >>> vectors, names, counts = readout([[0.0, 1.0], [2.0, 3.0], [7.0, 7.0]], ["a", "a", "b"])
    >>> vectors.tolist(), names.tolist(), counts.tolist()
    ([[1.0, 2.0], [7.0, 7.0]], ['a', 'b'], [2, 1])
    """
    if callable(method):
        return method(x, groups)
    if method not in READOUTS:
        raise ValueError(f"readout {method!r} is unknown; it is one of {', '.join(map(repr, READOUTS))}, or a function")
    return READOUTS[method](x, groups)


def _by_batch(x: Any, groups: Any, function: Callable[[Batch], np.ndarray]) -> tuple[np.ndarray, Membership]:
    """Vectors of all groups, computed batch by batch."""
    x, groups = grouped(x, groups)
    return np.concatenate([function(batch) for batch in batches(x, groups)]), groups


def centroid(x: Any, groups: Any) -> GroupVectors:
    r"""The mean of the items, :math:`\frac1{n_g} \sum_i x_i`.

    Parameters
    ----------
    x : array_like of shape (n, p)
        Vectors of the items.
    groups : array_like of shape (n,), or mapping of names to rows
        Which group each item is of; see :func:`~helpers.groups.membership.group_codes`.

    Returns
    -------
    GroupVectors
        Means in float64; a group of one is its item.

    Raises
    ------
    TypeError, ValueError
        As :func:`helpers.arrays.as_matrix` and :func:`~helpers.groups.membership.group_codes`.

    Notes
    -----
    O(n p). One item far away moves it as far as one likes.

    Examples
    --------
    >>> from helpers.groups import centroid
    >>> centroid([[0.0], [4.0], [5.0]], [1, 1, 2]).vectors.tolist()
    [[2.0], [5.0]]
    """
    vectors, groups = _by_batch(x, groups, Batch.means)
    return GroupVectors(vectors, groups.names, groups.counts)


def medoid_items(x: Any, groups: Any) -> np.ndarray:
    """Rows of x (n_groups,) of the medoids: which item stands for each group; as :func:`medoid`.

    >>> from helpers.groups import medoid_items
    >>> medoid_items([[0.0], [1.0], [5.0], [7.0]], ["a", "a", "a", "b"]).tolist()
    [1, 3]
    """
    x, groups = grouped(x, groups)
    found = []
    for batch in batches(x, groups):
        ends = batch.starts + batch.counts
        found += [batch.items[a + _central(batch.rows[a:b])] for a, b in zip(batch.starts, ends, strict=True)]
    return np.array(found, dtype=np.int64)


def medoid(x: Any, groups: Any) -> GroupVectors:
    r"""The member with the least sum of Euclidean distances to the others of its group.

    Parameters
    ----------
    x : array_like of shape (n, p)
        Vectors of the items.
    groups : array_like of shape (n,), or mapping of names to rows
        Which group each item is of; see :func:`~helpers.groups.membership.group_codes`.

    Returns
    -------
    GroupVectors
        Rows of x; of members that tie, such as any two, the one that comes first. :func:`medoid_items` says which.

    Raises
    ------
    TypeError, ValueError
        As :func:`helpers.arrays.as_matrix` and :func:`~helpers.groups.membership.group_codes`.

    Notes
    -----
    O(Σ n_g² p) in blocks: a group of 100 costs nothing, a group of 100 000 some minutes.
    It is a real item, which can be shown, and as noisy as one item in many dimensions.
    Kaufman and Rousseeuw (1990), Finding groups in data, ch. 2.

    Examples
    --------
    >>> from helpers.groups import medoid
    >>> medoid([[0.0], [1.0], [50.0], [7.0]], ["a", "a", "a", "b"]).vectors.tolist()
    [[1.0], [7.0]]
    """
    x, groups = grouped(x, groups)
    return GroupVectors(x[medoid_items(x, groups)].astype(np.float64), groups.names, groups.counts)


def _central(rows: np.ndarray) -> int:
    """The first row with the least sum of distances to all."""
    from scipy.spatial.distance import cdist

    n, p = rows.shape
    if n <= 2:
        return 0
    rows = rows - rows.mean(axis=0)
    rows = rows / (np.abs(rows).max() or 1.0)  # squares of entries near the limits of float64 stay finite
    square = np.einsum("ij,ij->i", rows, rows)
    step = max(1, PAIRS // n)
    sums = np.empty(n)
    for start in range(0, n, step):
        block = square[start : start + step, None] + square - 2 * rows[start : start + step] @ rows.T
        sums[start : start + step] = np.sqrt(np.maximum(block, 0, out=block), out=block).sum(axis=1)
    # A Gram matrix loses digits of short distances: what may still be the first is measured again, from differences.
    slack = 2 * n * np.sqrt(4 * (p + 4) * np.finfo(float).eps * square.max())
    near = np.flatnonzero(sums <= sums.min() + slack)
    if len(near) == 1:
        return int(near[0])
    exact = np.concatenate([cdist(rows[near[i : i + step]], rows).sum(axis=1) for i in range(0, len(near), step)])
    return int(near[np.flatnonzero(exact <= exact.min() * (1 + n * np.finfo(float).eps))[0]])


def geometric_median(x: Any, groups: Any, *, tol: float = 1e-8, max_iter: int = 1000) -> GroupVectors:
    r"""The point with the least sum of Euclidean distances to the items of its group.

    Parameters
    ----------
    x : array_like of shape (n, p)
        Vectors of the items.
    groups : array_like of shape (n,), or mapping of names to rows
        Which group each item is of; see :func:`~helpers.groups.membership.group_codes`.
    tol
        The iteration ends where a step is shorter than this share of the mean distance of the items from the median.
    max_iter
        Steps at most; groups that need more are named in a warning.

    Returns
    -------
    GroupVectors
        Where an item itself is the minimum, exactly that item; of two items their middle.

    Raises
    ------
    TypeError, ValueError
        As :func:`helpers.arrays.as_matrix` and :func:`~helpers.groups.membership.group_codes`; if ``tol`` is not
        positive.

    Warns
    -----
    RuntimeWarning
        If a group has not converged; the message names the first ones.

    Notes
    -----
    O(n p) a step, some ten steps in many dimensions and more in few.
    Weiszfeld's iteration :math:`y ← \sum_i w_i x_i / \sum_i w_i`, :math:`w_i = 1 / |x_i - y|`, has no value at an
    item, and stays there for ever if it is made to have one. An item of multiplicity η is the minimum if and only if
    the pull of the others, :math:`|\sum_{x_i \ne y} (x_i - y) / |x_i - y||`, is at most η; where it is not, the step
    is shortened by that share (Vardi and Zhang). The item nearest to the iterate is tested on the way.
    In one dimension the median of the items is taken.
    Vardi and Zhang (2000), The multivariate L1-median and associated data depth, PNAS 97.

    Examples
    --------
    >>> from helpers.groups import geometric_median
    >>> x = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [100.0, 100.0]]
    >>> geometric_median(x, ["a"] * 4).vectors.round(3).tolist()
    [[0.5, 0.5]]
    """
    if not tol > 0:
        raise ValueError(f"tol is {tol!r}; a positive number, such as 1e-8, is needed")
    check_count(max_iter, "max_iter")
    x, groups = grouped(x, groups)
    vectors, slow = [], []
    for batch in batches(x, groups):
        found, converged = _median(batch, tol, max_iter)
        vectors.append(found)
        slow += groups.names[batch.groups][~converged].tolist()
    if slow:
        shown = ", ".join(map(repr, slow[:5])) + (f" and {len(slow) - 5} more" if len(slow) > 5 else "")
        warnings.warn(
            f"geometric median: {shown} not converged after {max_iter} steps; pass a larger max_iter or tol",
            RuntimeWarning,
            stacklevel=2,
        )
    return GroupVectors(np.concatenate(vectors), groups.names, groups.counts)


def _median(batch: Batch, tol: float, max_iter: int) -> tuple[np.ndarray, np.ndarray]:
    """Geometric medians of the groups of a batch, and which have converged."""
    out = batch.means()
    if batch.rows.shape[1] == 1:
        parts = np.split(batch.rows, batch.starts[1:])
        return np.array([np.median(part, axis=0) for part in parts]), np.ones(len(parts), dtype=bool)
    active = np.flatnonzero(batch.counts > 2)
    rows, within = batch.rows, batch.within
    if len(active) < len(out):
        keep = np.isin(within, active)
        rows, within = rows[keep], within[keep]
    for iteration in range(max_iter):
        if not len(active):
            break
        counts = batch.counts[active]
        starts = np.cumsum(counts) - counts
        place = np.repeat(np.arange(len(active)), counts)
        here = out[active]
        if iteration % 8 == 4:  # now and then: is the nearest item the minimum?
            nearest = _first_least(_distances(rows, here[place])[1], starts, place)
            _, pull, own, _ = _pull(rows, rows[nearest], starts, place, 0.0)
            done = pull <= own
            out[active[done]] = rows[nearest[done]]
        else:
            step, pull, own, spread = _pull(rows, here, starts, place, tol)
            share = np.where(pull > own, 1 - np.divide(own, pull, out=np.zeros_like(pull), where=pull > 0), 0)
            step *= share[:, None]
            out[active] = here + step
            done = (np.linalg.norm(step, axis=1) <= tol * spread) & (own == 0)
        if done.any():
            rows, active = rows[~done[place]], active[~done]
    converged = np.ones(len(out), dtype=bool)
    converged[active] = False
    return out, converged


def _distances(rows: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Differences (m, p) and distances (m,) of rows from centres."""
    difference = rows - centres
    return difference, np.sqrt(np.einsum("ij,ij->i", difference, difference))


def _pull(
    rows: np.ndarray, centres: np.ndarray, starts: np.ndarray, place: np.ndarray, tol: float
) -> tuple[np.ndarray, ...]:
    """Of each group: Weiszfeld's step, the length of the pull, items at the centre, the mean distance."""
    difference, distance = _distances(rows, centres[place])
    counts = np.diff(np.append(starts, len(rows)))
    spread = np.add.reduceat(distance, starts) / counts
    at = distance <= tol * spread[place]  # so near an item every step is short, the minimum or not
    weight = np.divide(1.0, distance, out=np.zeros_like(distance), where=~at)
    difference *= weight[:, None]
    pull = np.add.reduceat(difference, starts, axis=0)
    weights = np.add.reduceat(weight, starts)
    own = np.add.reduceat(at.astype(float), starts)
    step = np.divide(pull, weights[:, None], out=np.zeros_like(pull), where=weights[:, None] > 0)
    return step, np.linalg.norm(pull, axis=1), own, spread


def _first_least(values: np.ndarray, starts: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Of each group the first place with the least value."""
    least = np.flatnonzero(values == np.minimum.reduceat(values, starts)[place])
    return least[np.searchsorted(least, starts)]


def trimmed_mean(x: Any, groups: Any, *, proportiontocut: float = 0.1) -> GroupVectors:
    r"""The mean of each feature without its smallest and its largest values.

    Parameters
    ----------
    x : array_like of shape (n, p)
        Vectors of the items.
    groups : array_like of shape (n,), or mapping of names to rows
        Which group each item is of; see :func:`~helpers.groups.membership.group_codes`.
    proportiontocut
        Share of the items that is left out at each end, at least 0 and below 0.5, rounded down to whole items: at 0.1
        a group of fewer than ten keeps all.

    Returns
    -------
    GroupVectors
        Means, feature by feature, of what is left.

    Raises
    ------
    TypeError, ValueError
        As :func:`helpers.arrays.as_matrix` and :func:`~helpers.groups.membership.group_codes`; if
        ``proportiontocut`` is out of its range.

    Notes
    -----
    O(n p). Each feature leaves out other items, so it does not turn with the axes; :func:`geometric_median` does.
    As ``scipy.stats.trim_mean``, whose words it takes. Tukey (1962), The future of data analysis.

    Examples
    --------
    >>> from helpers.groups import trimmed_mean
    >>> x = [[1.0], [2.0], [3.0], [4.0], [1000.0]]
    >>> trimmed_mean(x, [0] * 5, proportiontocut=0.2).vectors.tolist()
    [[3.0]]
    """
    if not 0 <= proportiontocut < 0.5:
        raise ValueError(f"proportiontocut is {proportiontocut!r}; a share from 0 to below 0.5 is needed")

    def mean(batch: Batch) -> np.ndarray:
        from scipy.stats import trim_mean

        out = batch.means()
        for i in np.flatnonzero((proportiontocut * batch.counts).astype(int)):
            part = batch.rows[batch.starts[i] : batch.starts[i] + batch.counts[i]]
            out[i] = trim_mean(part, proportiontocut, axis=0)
        return out

    vectors, groups = _by_batch(x, groups, mean)
    return GroupVectors(vectors, groups.names, groups.counts)


def moments(x: Any, groups: Any, *, second: str = "sd") -> GroupVectors:
    r"""The mean and the spread of the items side by side: where a group lies and what shape it has.

    Parameters
    ----------
    x : array_like of shape (n, p)
        Vectors of the items.
    groups : array_like of shape (n,), or mapping of names to rows
        Which group each item is of; see :func:`~helpers.groups.membership.group_codes`.
    second
        ``"sd"``: the standard deviation of each feature. ``"root"``: the square root :math:`S^{1/2}` of the
        covariance matrix, its entries on and above the diagonal, those above times √2.

    Returns
    -------
    GroupVectors
        Vectors of width 2p, or p + p(p + 1)/2. All entries have the unit of the items, so that Euclidean distances add
        the two parts as they are: with ``"root"`` the squared distance is :math:`|m_1 - m_2|^2 + \lVert S_1^{1/2} -
        S_2^{1/2} \rVert_F^2`. The divisor is n_g - 1; the spread of a group of one is zero.

    Raises
    ------
    TypeError, ValueError
        As :func:`helpers.arrays.as_matrix` and :func:`~helpers.groups.membership.group_codes`; if ``second`` is
        unknown.

    Notes
    -----
    O(n p), or O(n p² + n_groups p³) for ``"root"``. Roots of small groups are noisy, and of n_g < p items singular.

    Examples
    --------
    >>> from helpers.groups import moments
    >>> moments([[0.0, 1.0], [2.0, 1.0], [5.0, 5.0]], ["a", "a", "b"]).vectors.round(3).tolist()
    [[1.0, 1.0, 1.414, 0.0], [5.0, 5.0, 0.0, 0.0]]
    """
    if second not in ("sd", "root"):
        raise ValueError(f"second is {second!r}; it is 'sd' or 'root'")

    def features(batch: Batch) -> np.ndarray:
        means = batch.means()
        centred = batch.rows - means[batch.within]
        freedom = np.maximum(batch.counts - 1, 1)[:, None]
        if second == "sd":
            return np.hstack([means, np.sqrt(batch.sums(centred**2) / freedom)])
        parts = np.split(centred, batch.starts[1:])
        roots = [_root(part) / np.sqrt(free) for part, free in zip(parts, freedom[:, 0], strict=True)]
        return np.hstack([means, np.array([_upper(root) for root in roots])])

    vectors, groups = _by_batch(x, groups, features)
    return GroupVectors(vectors, groups.names, groups.counts)


def _root(centred: np.ndarray) -> np.ndarray:
    """The square root of the scatter matrix of centred rows, from their singular values."""
    _, values, axes = svd(centred)
    return (axes.T * values) @ axes


def _upper(matrix: np.ndarray) -> np.ndarray:
    """Entries on and above the diagonal, scaled so that their Euclidean norm is the Frobenius norm."""
    i, j = np.triu_indices(len(matrix))
    return matrix[i, j] * np.where(i == j, 1.0, np.sqrt(2.0))


READOUTS: dict[str, Readout] = {
    "centroid": Readout(
        centroid,
        moves_with=("translation", "scale", "rotation", "linear"),
        breakdown=0.0,
        same_width=True,
        cost="n p",
        reference="folklore",
        definition="mean of the items",
    ),
    "medoid": Readout(
        medoid,
        moves_with=("translation", "scale", "rotation"),
        breakdown=0.5,
        same_width=True,
        cost="sum of n_g² p",
        reference="Kaufman and Rousseeuw (1990), Finding groups in data, ch. 2",
        definition="member with the least sum of distances to the others",
    ),
    "geometric_median": Readout(
        geometric_median,
        moves_with=("translation", "scale", "rotation"),
        breakdown=0.5,
        same_width=True,
        cost="n p for each of 10 to 100 steps",
        reference="Vardi and Zhang (2000), PNAS 97",
        definition="point with the least sum of distances to the items",
    ),
    "trimmed_mean": Readout(
        trimmed_mean,
        moves_with=("translation", "scale"),
        breakdown=0.1,
        same_width=True,
        cost="n p",
        reference="Tukey (1962), The future of data analysis",
        definition="mean of each feature without its tenth at either end",
    ),
    "moments": Readout(
        moments,
        moves_with=(),
        breakdown=0.0,
        same_width=False,
        cost="n p",
        reference="folklore",
        definition="means and standard deviations of the features, side by side",
    ),
}
"""Readouts by name; called with items and groups, each gives :class:`GroupVectors`."""
