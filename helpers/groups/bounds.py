r"""What a margin on triplets of items promises about the centroids of groups, and what it does not.

D are Euclidean distances of embeddings, c centroids, s² = Σ ‖x - c‖² / (n - 1) the spread of n items around theirs. A
*margin* is the distance from an anchor to the nearest negative less the distance to its farthest positive: all triplets
of that anchor hold by at least this much. Only matrices of two groups are ever in memory, and of them a block of rows.

1. **Within a class** (:func:`within_bounds`): with the worst margin -m of the anchors in a group G₁, positives in G₂ of
   its class and negatives N of another, :math:`\|c_1 - c_2\| \le \overline{D(G_1, G_2)} \le m + \overline{\min_n
   D(a, n)} \le m + M \le 2 \max(m, M)`, M being the largest distance from an anchor to a negative.
2. **Between classes** (:func:`between_bounds`): if anchors of *both* classes have margins of at least μ ≥ 0,
   :math:`\|c_A - c_B\|^2 \ge \mu^2 + \mu (\overline{D_{AA}} + \overline{D_{BB}}) + s_A^2 / n_A + s_B^2 / n_B`, with
   means over pairs of different items.
3. **Order** (:func:`order_ratio`): if all distances between two classes are more than √1.5 times those within them,
   every group is nearer to every other group of its class than to any of the other class; with a smaller factor it need
   not be, though all triplets hold.
4. **Squares** (:func:`squared_margins`): half the sum of the mean squared margins *is* :math:`\|c_A - c_B\|^2`.

Proofs are in the chapter "What a theorem promises".
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import as_matrix, check_count, to_numpy
from helpers.groups.membership import group_codes, grouped

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BetweenBounds",
    "WithinBounds",
    "between_bounds",
    "group_bounds",
    "order_ratio",
    "order_threshold",
    "squared_margins",
    "triplet_margins",
    "triplet_share",
    "within_bounds",
]

ENTRIES = 1 << 22
"""Distances in memory at a time."""


class WithinBounds(NamedTuple):
    """The distance between the centroids of two groups of one class, and what bounds it from above.

    Attributes
    ----------
    distance
        ‖c₁ - c₂‖.
    mean_distance
        Mean distance from an item of the first group to one of the second.
    tight
        m + mean over anchors of the distance to the nearest negative.
    loose
        m + M, M being the largest distance from an anchor to a negative.
    printed
        2 max(m, M), as the theorem was published but for the space of its distances.
    m
        Largest D(a, p) - D(a, n) of all triplets; negative if all of them hold with a margin.
    """

    distance: float
    mean_distance: float
    tight: float
    loose: float
    printed: float
    m: float


class BetweenBounds(NamedTuple):
    """The distance between the centroids of two classes, and what bounds it from below.

    Attributes
    ----------
    distance
        ‖c_A - c_B‖.
    sharp
        Root of the mean of (μ + the larger eccentricity of the two items)² less half the mean squared distances within
        A and within B; an eccentricity is the distance to the farthest item of the same class.
    by_margin
        Root of μ² + μ (mean D_AA + mean D_BB) + s_A²/n_A + s_B²/n_B, means over pairs of different items.
    by_means
        Root of μ² + μ (mean D_AA + mean D_BB), means over all ordered pairs, an item with itself among them.
    margin, margin_a, margin_b
        Worst margin μ of anchors of both classes, of those in A and of those in B alone.

    Notes
    -----
    0 ≤ by_means ≤ by_margin ≤ sharp ≤ distance. A bound that promises nothing is 0: ``by_means`` and ``by_margin`` with
    a negative margin, ``sharp`` where its square is negative.
    """

    distance: float
    sharp: float
    by_margin: float
    by_means: float
    margin: float
    margin_a: float
    margin_b: float


class _Within(NamedTuple):
    """What is needed of the distances within a class."""

    farthest: np.ndarray  # (n,) from each item to the farthest of its class
    mean: float  # over pairs of different items
    mean_all: float  # over ordered pairs, an item with itself among them
    square: float  # mean squared distance over ordered pairs, an item with itself among them
    error: float  # s² / n, of the centroid


def triplet_margins(anchors: Any, positives: Any, negatives: Any) -> np.ndarray:
    r"""For each anchor by how much its worst triplet holds: :math:`\min_n D(a, n) - \max_p D(a, p)`.

    Parameters
    ----------
    anchors, positives, negatives : array_like of shape (n_anchors, p), (n_positives, p), (n_negatives, p)
        Embeddings, at least one of each. Anchors may be among the positives: an item is at distance 0 from itself,
        which makes no margin smaller.

    Returns
    -------
    ndarray of shape (n_anchors,)
        float64, in the unit of the embeddings; larger is better, and a negative one belongs to a triplet that fails.

    Raises
    ------
    TypeError, ValueError
        If an argument is no finite matrix of real numbers, or they differ in width.

    Notes
    -----
    All n_anchors × n_positives × n_negatives triplets are covered by n_anchors × (n_positives + n_negatives) distances.

    Examples
    --------
    >>> from helpers.groups.bounds import triplet_margins
    >>> triplet_margins([[0.0], [1.0]], [[0.0], [1.0]], [[3.0], [5.0]]).tolist()
    [2.0, 1.0]
    """
    a, p, n = _matrices(anchors=anchors, positives=positives, negatives=negatives)
    far = np.concatenate([d.max(axis=1) for d in _blocks(a, p)])
    near = np.concatenate([d.min(axis=1) for d in _blocks(a, n)])
    return near - far


def triplet_share(anchors: Any, positives: Any, negatives: Any, *, margin: float = 0.0) -> float:
    """Share of all triplets in which the negative is farther from the anchor than the positive by at least a margin.

    Parameters
    ----------
    anchors, positives, negatives
        As for :func:`triplet_margins`; an anchor that is a positive too makes triplets with itself, which hold.
    margin
        Finite number, in the unit of the embeddings.

    Returns
    -------
    float
        Between 0 and 1; 1 exactly if every entry of :func:`triplet_margins` is at least the margin.

    Raises
    ------
    TypeError, ValueError
        As for :func:`triplet_margins`, or if the margin is not finite.

    Notes
    -----
    Each anchor's distances to the negatives are sorted and those to the positives looked up: n² log n in place of n³.

    Examples
    --------
    >>> from helpers.groups.bounds import triplet_share
    >>> triplet_share([[0.0]], [[1.0], [4.0]], [[2.0], [5.0]])
    0.75
    """
    a, p, n = _matrices(anchors=anchors, positives=positives, negatives=negatives)
    if not math.isfinite(margin):
        raise ValueError(f"margin is {margin}; a finite number is needed")
    held, rows = 0, max(1, ENTRIES // max(len(p), len(n)))
    for start in range(0, len(a), rows):
        block = a[start : start + rows]
        for positive, negative in zip(_distances(block, p), np.sort(_distances(block, n)), strict=True):
            held += int(np.sum(len(n) - np.searchsorted(negative, positive + margin)))
    return held / (len(a) * len(p) * len(n))


def within_bounds(group: Any, other: Any, negatives: Any) -> WithinBounds:
    """The distance between the centroids of two groups of one class, and its bounds by triplets with items of another.

    Parameters
    ----------
    group, other : array_like of shape (n_1, p), (n_2, p)
        Embeddings of two groups of one class; the items of the first are the anchors.
    negatives : array_like of shape (n, p)
        Embeddings of items of another class, or of all others.

    Returns
    -------
    WithinBounds
        float64, in the unit of the embeddings, each bound at most the next.

    Raises
    ------
    TypeError, ValueError
        If an argument is no finite matrix of real numbers with at least one row, or they differ in width.

    Notes
    -----
    The bounds hold whatever the embeddings, so that they need no assumption to be checked first; what may fail is that
    they say something.

    Examples
    --------
    >>> from helpers.groups.bounds import within_bounds
    >>> found = within_bounds([[0.0]], [[1.0]], [[3.0]])
    >>> found.distance, found.tight, found.printed
    (1.0, 1.0, 6.0)
    """
    a, p, n = _matrices(group=group, other=other, negatives=negatives)
    total, far = 0.0, []
    for d in _blocks(a, p):
        total += float(d.sum())
        far.append(d.max(axis=1))
    ends = [(d.min(axis=1), float(d.max())) for d in _blocks(a, n)]
    near, largest = np.concatenate([least for least, _ in ends]), max(most for _, most in ends)
    m = float(np.max(np.concatenate(far) - near))
    distance = float(np.linalg.norm(_centroid(a) - _centroid(p)))
    mean = total / (len(a) * len(p))
    return WithinBounds(distance, mean, m + float(near.mean()), m + largest, 2 * max(m, largest), m)


def between_bounds(a: Any, b: Any) -> BetweenBounds:
    """The distance between the centroids of two classes (or groups of them), and its bounds by the margin of triplets.

    Parameters
    ----------
    a, b : array_like of shape (n_a, p), (n_b, p)
        Embeddings of the items of two classes. Groups of the classes inherit the margin, so that the bounds hold for
        every pair of them too, with their own means.

    Returns
    -------
    BetweenBounds
        float64, in the unit of the embeddings.

    Raises
    ------
    TypeError, ValueError
        If an argument is no finite matrix of real numbers with at least one row, or they differ in width.

    Examples
    --------
    The centroid of a ring is its middle, whatever the margin of what stands there:

    >>> import numpy as np
    >>> from helpers.groups.bounds import between_bounds
    >>> turns = 2 * np.pi * np.arange(8) / 8
    >>> found = between_bounds([[0.0, 0.0]], np.c_[np.cos(turns), np.sin(turns)])
    >>> found.margin_a, round(found.margin_b, 9), round(found.distance, 9), found.by_margin
    (1.0, -1.0, 0.0, 0.0)
    """
    a, b = _matrices(a=a, b=b)
    of_a, of_b = _within(a), _within(b)
    from_a, from_b = [], np.full(len(b), np.inf)
    for d in _blocks(a, b):
        from_a.append(d.min(axis=1))
        from_b = np.minimum(from_b, d.min(axis=0))
    margin_a = float(np.min(np.concatenate(from_a) - of_a.farthest))
    margin_b = float(np.min(from_b - of_b.farthest))
    margin = min(margin_a, margin_b)
    distance = float(np.linalg.norm(_centroid(a) - _centroid(b)))
    by_means = by_margin = 0.0
    if margin >= 0:
        by_means = math.sqrt(margin**2 + margin * (of_a.mean_all + of_b.mean_all))
        by_margin = math.sqrt(margin**2 + margin * (of_a.mean + of_b.mean) + of_a.error + of_b.error)
    sharp = _mean_of_larger(of_a.farthest, of_b.farthest, margin) - (of_a.square + of_b.square) / 2
    return BetweenBounds(distance, math.sqrt(max(sharp, 0.0)), by_margin, by_means, margin, margin_a, margin_b)


def squared_margins(a: Any, b: Any) -> tuple[float, float]:
    """Mean of D(anchor, negative)² - D(anchor, positive)² over all triplets of two classes, by the class of the anchor.

    Parameters
    ----------
    a, b : array_like of shape (n_a, p), (n_b, p)
        Embeddings of the items of two classes; an item is a positive of itself.

    Returns
    -------
    tuple of float
        With anchors in ``a``, and with anchors in ``b``. Half their sum is the squared distance of the centroids.

    Raises
    ------
    TypeError, ValueError
        If an argument is no finite matrix of real numbers with at least one row, or they differ in width.

    Notes
    -----
    Taken from centroids and spreads, in O(n p): the mean squared distance of two sets is the squared distance of their
    centroids and the mean squared distances of their items from these.

    Examples
    --------
    >>> from helpers.groups.bounds import squared_margins
    >>> squared_margins([[0.0], [2.0]], [[5.0]])
    (15.0, 17.0)
    """
    a, b = _matrices(a=a, b=b)
    spread = [float(np.mean(np.sum((z - _centroid(z)) ** 2, axis=1))) for z in (a, b)]
    apart = float(np.sum((_centroid(a) - _centroid(b)) ** 2)) + sum(spread)
    return apart - 2 * spread[0], apart - 2 * spread[1]


def order_threshold(k: int | None = None) -> float:
    """What :func:`order_ratio` must exceed for the order of centroids of groups to be certain: √(3/2 - 1/(2k)).

    Parameters
    ----------
    k
        Most items in a group of the other class; any number by default.

    Returns
    -------
    float
        1 for one item, √1.25 for two, √1.5 for any number. No smaller factor is enough.

    Raises
    ------
    TypeError, ValueError
        If ``k`` is no whole number of at least 1.

    Examples
    --------
    >>> from helpers.groups.bounds import order_threshold
    >>> round(order_threshold(2), 3), round(order_threshold(), 3)
    (1.118, 1.225)
    """
    return math.sqrt(1.5 if k is None else 1.5 - 0.5 / check_count(k, "k"))


def order_ratio(a: Any, b: Any) -> float:
    """Least distance between two classes over the largest within them: with triplets in order it is above 1 or near it.

    Parameters
    ----------
    a, b : array_like of shape (n_a, p), (n_b, p)
        Embeddings of the items of two classes.

    Returns
    -------
    float
        At least 0; infinite if the items of each class coincide and the classes do not, NaN if all coincide. Above
        :func:`order_threshold` the centroids of groups of one class are nearer to each other than to those of the other
        class, whatever the groups.

    Raises
    ------
    TypeError, ValueError
        If an argument is no finite matrix of real numbers with at least one row, or they differ in width.

    Examples
    --------
    >>> from helpers.groups.bounds import order_ratio
    >>> order_ratio([[0.0], [1.0]], [[3.0], [5.0]])
    1.0
    """
    a, b = _matrices(a=a, b=b)
    least = min(float(d.min()) for d in _blocks(a, b))
    largest = max(float(d.max()) for z in (a, b) for d in _blocks(z, z))
    if largest == 0:
        return math.inf if least > 0 else math.nan
    return least / largest


def group_bounds(x: Any, y: Any, groups: Any) -> pd.DataFrame:
    """The bounds of all pairs of groups of one class, and of all pairs of classes.

    Parameters
    ----------
    x : array_like of shape (n, p)
        Embeddings of items.
    y : array_like of shape (n,)
        The class of each item; at least two classes.
    groups
        The group of each item, as :func:`helpers.groups.group_codes` takes it; all items of a group are of one class.

    Returns
    -------
    DataFrame
        A row for each ordered pair of groups of one class (``kind`` "within", negatives are all items of other classes)
        and for each pair of classes ("between"): ``first``, ``second``, ``distance`` (of the centroids), the other
        fields of :class:`WithinBounds` or of :class:`BetweenBounds`, NaN where they do not apply.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is no finite matrix, labels are missing or of mixed types, there is one class, or a group has items of
        two classes (the message names it).

    Examples
    --------
    >>> from helpers.groups.bounds import group_bounds
    >>> found = group_bounds([[0.0], [1.0], [4.0]], ["a", "a", "b"], [1, 2, 3])
    >>> found[["kind", "first", "second", "distance", "tight", "by_margin"]].values.tolist()
    [['within', 1, 2, 1.0, 1.0, nan], ['within', 2, 1, 1.0, 1.0, nan], ['between', 'a', 'b', 3.5, nan, 2.5]]
    """
    import pandas as pd

    x, membership = grouped(x, groups)
    classes = group_codes(y, len(x))
    if len(classes.names) < 2:
        raise ValueError(f"y has one class, {classes.names.tolist()[0]!r}; bounds by triplets need items of another")
    members = membership.members()
    of_group = [_class_of(rows, name, classes) for rows, name in zip(members, membership.names.tolist(), strict=True)]
    rows, names, labels = [], membership.names.tolist(), classes.names.tolist()
    for i, j in itertools.permutations(range(len(members)), 2):
        if of_group[i] == of_group[j]:
            found = within_bounds(x[members[i]], x[members[j]], x[classes.codes != of_group[i]])
            rows.append({"kind": "within", "first": names[i], "second": names[j]} | found._asdict())
    of_class = classes.members()
    for i, j in itertools.combinations(range(len(of_class)), 2):
        found = between_bounds(x[of_class[i]], x[of_class[j]])
        rows.append({"kind": "between", "first": labels[i], "second": labels[j]} | found._asdict())
    columns = ["kind", "first", "second", *dict.fromkeys(WithinBounds._fields + BetweenBounds._fields)]
    return pd.DataFrame(rows, columns=columns)


def _class_of(rows: np.ndarray, name: Any, classes: Any) -> int:
    """The one class of a group's items."""
    found, names = classes.codes[rows], classes.names.tolist()
    if (found != found[0]).any():
        other = rows[np.argmax(found != found[0])]
        raise ValueError(
            f"groups: {name!r} has item {rows[0]} of class {names[found[0]]!r} and item {other} of class "
            f"{names[classes.codes[other]]!r}; the items of a group must be of one class"
        )
    return int(found[0])


def _within(x: np.ndarray) -> _Within:
    n, total, square, far = len(x), 0.0, 0.0, []
    for d in _blocks(x, x):
        total += float(d.sum())
        square += float(np.sum(d * d))
        far.append(d.max(axis=1))
    pairs = max(n * (n - 1), 1)
    return _Within(np.concatenate(far), total / pairs, total / n**2, square / n**2, square / (2 * pairs * n))


def _mean_of_larger(a: np.ndarray, b: np.ndarray, margin: float) -> float:
    """Mean over all pairs of the square of margin + max(a_i, b_j), where that is positive."""
    both = np.concatenate([a, b])
    order = np.argsort(both, kind="stable")
    from_a = order < len(a)
    # The larger of a pair is the later in this order, and the pairs in which it is are those with an earlier one of the
    # other set: so each value is counted that many times, without a matrix of pairs.
    earlier = np.where(from_a, np.cumsum(~from_a), np.cumsum(from_a))
    values = np.maximum(both[order] + margin, 0.0) ** 2
    return float(np.sum(values * earlier)) / (len(a) * len(b))


def _matrices(**given: Any) -> list[np.ndarray]:
    """The arguments as float64 matrices of one width."""
    found = {name: to_numpy(as_matrix(x, name, rows=1)).astype(np.float64, copy=False) for name, x in given.items()}
    (first, x), *others = found.items()
    for name, other in others:
        if other.shape[1] != x.shape[1]:
            raise ValueError(f"{first} has {x.shape[1]} features and {name} has {other.shape[1]}; they must be alike")
    return list(found.values())


def _centroid(x: np.ndarray) -> np.ndarray:
    return x[0] + np.mean(x - x[0], axis=0)  # a large common offset costs no digits


def _distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return cdist(x, y)


def _blocks(x: np.ndarray, y: np.ndarray) -> Iterator[np.ndarray]:
    """Distances from some rows of x at a time to all of y."""
    rows = max(1, ENTRIES // len(y))
    return (_distances(x[start : start + rows], y) for start in range(0, len(x), rows))
