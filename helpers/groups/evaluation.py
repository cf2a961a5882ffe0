"""How good vectors of groups are: near within a class and far between, found again, spread out, and stable."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from helpers.arrays import as_matrix, check_count, generator, to_numpy
from helpers.groups.membership import group_codes
from helpers.groups.readouts import readout as by_name

__all__ = [
    "WithinBetween",
    "few_shot",
    "item_accuracy",
    "retrieval",
    "subsample_error",
    "within_between",
]


class WithinBetween(NamedTuple):
    """Distances between groups; made by :func:`within_between`.

    Attributes
    ----------
    within, between : ndarray of shape (classes,)
        Mean Euclidean distance of two groups of the class, and of a group of the class from one of another class.
    ratio : ndarray of shape (classes,)
        The one over the other: no unit, and no way to be small by shrinking. NaN where both are zero.
    names : ndarray of shape (classes,)
        The classes, in ascending order.
    """

    within: np.ndarray
    between: np.ndarray
    ratio: np.ndarray
    names: np.ndarray


def within_between(vectors: Any, classes: Any) -> WithinBetween:
    """How far groups of a class are from each other, and from those of other classes.

    Parameters
    ----------
    vectors : array_like of shape (n_groups, p)
        One vector for each group.
    classes : array_like of shape (n_groups,)
        Class of each group.

    Returns
    -------
    WithinBetween

    Raises
    ------
    ValueError
        If a class has one group, or there is one class.

    Notes
    -----
    ``within`` alone is least where everything is one point: read it beside ``ratio`` and, of the items,
    :func:`helpers.quality.rankme`, which is 1 there.

    Examples
    --------
    >>> from helpers.groups.evaluation import within_between
    >>> found = within_between([[0.0], [1.0], [10.0], [12.0]], ["a", "a", "b", "b"])
    >>> found.within.tolist(), found.between.tolist()
    ([1.0, 2.0], [10.5, 10.5])
    """
    vectors, codes, names = _with_classes(vectors, classes)
    distances, same = _apart(vectors, vectors), codes[:, None] == codes
    off = same & ~np.eye(len(codes), dtype=bool)
    within = np.array([distances[off & (codes == k)[:, None]].mean() for k in range(len(names))])
    between = np.array([distances[~same & (codes == k)[:, None]].mean() for k in range(len(names))])
    with np.errstate(invalid="ignore", divide="ignore"):
        return WithinBetween(within, between, within / between, names)


def retrieval(vectors: Any, classes: Any) -> np.ndarray:
    """Whether the nearest other group of each group is of its class.

    Parameters
    ----------
    vectors : array_like of shape (n_groups, p)
        One vector for each group.
    classes : array_like of shape (n_groups,)
        Class of each group.

    Returns
    -------
    ndarray of shape (n_groups,), float
        1 or 0; where several groups are nearest, the share of them that is of the class, so that a space that is one
        point earns no more than chance.

    Raises
    ------
    ValueError
        If a class has one group, or there is one class.

    Examples
    --------
    >>> from helpers.groups.evaluation import retrieval
    >>> retrieval([[0.0], [1.0], [10.0], [12.0]], ["a", "a", "b", "b"]).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    vectors, codes, _ = _with_classes(vectors, classes)
    distances = _apart(vectors, vectors)
    np.fill_diagonal(distances, np.inf)
    return _share_of_nearest(distances, codes[:, None] == codes)


def item_accuracy(items: Any, groups: Any, vectors: Any, classes: Any) -> np.ndarray:
    """Whether the group nearest to each item, its own left out, is of its class.

    Parameters
    ----------
    items : array_like of shape (n, p)
        Vectors of items, in the space of those of groups.
    groups : array_like of shape (n,), int
        Row of ``vectors`` that is each item's group.
    vectors : array_like of shape (n_groups, p)
        One vector for each group.
    classes : array_like of shape (n_groups,)
        Class of each group.

    Returns
    -------
    ndarray of shape (n,), float
        1 or 0; where several groups are nearest, the share of them that is of the class.

    Raises
    ------
    ValueError
        If shapes do not fit, a class has one group, or there is one class.

    Examples
    --------
    >>> from helpers.groups.evaluation import item_accuracy
    >>> item_accuracy([[0.0], [9.0]], [0, 1], [[0.0], [1.0], [10.0], [12.0]], ["a", "a", "b", "b"]).tolist()
    [1.0, 0.0]
    """
    items, groups = to_numpy(as_matrix(items, "items", rows=1)), np.asarray(groups)
    vectors, codes, _ = _with_classes(vectors, classes)
    if groups.shape != (len(items),) or groups.dtype.kind not in "iu":
        raise ValueError(
            f"groups has shape {groups.shape} and dtype {groups.dtype}; a row of vectors per item is needed"
        )
    if not 0 <= groups.min() <= groups.max() < len(vectors):
        raise ValueError(
            f"groups has rows {groups.min()} to {groups.max()} of vectors; there are 0 to {len(vectors) - 1}"
        )
    out = []
    for at in range(0, len(items), 4096):
        own = groups[at : at + 4096]
        distances = _apart(items[at : at + 4096], vectors)
        distances[np.arange(len(own)), own] = np.inf
        out.append(_share_of_nearest(distances, codes[own][:, None] == codes))
    return np.concatenate(out)


def few_shot(
    items: Any,
    labels: Any,
    *,
    ways: int = 5,
    shots: int = 1,
    episodes: int = 400,
    rng: int | np.random.Generator = 0,
) -> np.ndarray:
    """Accuracy of episodes: a query of each of some classes is given the class whose few items have the nearest mean.

    Parameters
    ----------
    items : array_like of shape (n, p)
        Vectors of items.
    labels : array_like of shape (n,)
        Class of each item; classes that training has not seen, for few-shot learning as it is published.
    ways, shots
        Classes of an episode, and items that are known of each; one more item of each class is the query.
    episodes
        How many are drawn.
    rng
        Seed or generator of the episodes.

    Returns
    -------
    ndarray of shape (episodes,), float
        Share of the queries that are right, in [0, 1]; ties share.

    Raises
    ------
    ValueError
        If fewer than ``ways`` classes have more than ``shots`` items.

    Notes
    -----
    Nearest centroids, as in Snell, Swersky and Zemel (2017), Prototypical networks for few-shot learning, NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.groups.evaluation import few_shot
    >>> few_shot(np.repeat(np.eye(6), 2, axis=0), np.repeat(np.arange(6), 2), episodes=3).tolist()
    [1.0, 1.0, 1.0]
    """
    items = to_numpy(as_matrix(items, "items", rows=2)).astype(np.float64)
    ways, shots = check_count(ways, "ways", least=2), check_count(shots, "shots")
    members = [rows for rows in group_codes(labels, len(items)).members() if len(rows) > shots]
    if len(members) < ways:
        raise ValueError(f"labels: {len(members)} classes have more than {shots} items; ways is {ways}")
    rng, right = generator(rng), np.eye(ways, dtype=bool)
    out = np.empty(check_count(episodes, "episodes"))
    for i in range(episodes):
        drawn = rng.choice(len(members), ways, replace=False)
        rows = np.array([rng.choice(members[k], shots + 1, replace=False) for k in drawn])
        known, asked = items[rows[:, :shots]].mean(axis=1), items[rows[:, shots]]
        out[i] = _share_of_nearest(_apart(asked, known), right).mean()
    return out


def subsample_error(
    items: Any, groups: Any, readout: Any, sizes: Any, *, n_resamples: int = 10, rng: int | np.random.Generator = 0
) -> np.ndarray:
    r"""How far the vector of a group moves when only some of its items are known.

    Parameters
    ----------
    items : array_like of shape (n, p)
        Vectors of items.
    groups : array_like of shape (n,)
        Group of each item.
    readout
        Function of items and groups that gives their vectors, as :meth:`helpers.groups.GroupEncoder.read` does, or a
        name in :data:`helpers.groups.READOUTS`.
    sizes
        Numbers of items that are drawn, without replacement; groups that have no more are left out at that size.
    n_resamples
        Draws at each size.
    rng
        Seed or generator of the draws.

    Returns
    -------
    ndarray of shape (sizes,)
        Root of the mean squared distance from the vector of the whole group, over groups and draws, divided by the same
        between the vectors of all groups and their mean: 1 means that nothing is known. NaN at a size that no group
        exceeds, or where all groups are at one point.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.groups.evaluation import subsample_error
    >>> x, groups = np.random.default_rng(0).normal(size=(90, 2)), np.repeat([0, 1, 2], 30)
    >>> error = subsample_error(x + 5 * groups[:, None], groups, "centroid", [2, 20])
    >>> bool(error[0] > error[1])
    True
    """
    items = to_numpy(as_matrix(items, "items", rows=2))
    membership = group_codes(groups, len(items))
    rng, members = generator(rng), membership.members()

    def read(rows: np.ndarray, which: Any) -> np.ndarray:
        found = readout(rows, which) if callable(readout) else by_name(rows, which, readout).vectors
        return np.asarray(found)

    whole = read(items, membership)
    spread = float(whole.var(axis=0).sum())
    out = np.full(len(sizes), np.nan)
    for place, size in enumerate(sizes):
        larger = [k for k, rows in enumerate(members) if len(rows) > size]
        if not larger or not spread:
            continue
        which = np.repeat(np.arange(len(larger)), size)
        squares = []
        for _ in range(n_resamples):
            rows = np.concatenate([rng.choice(members[k], size, replace=False) for k in larger])
            squares.append(((read(items[rows], which) - whole[larger]) ** 2).sum(axis=1).mean())
        out[place] = np.sqrt(np.mean(squares) / spread)
    return out


def _with_classes(vectors: Any, classes: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors of groups, codes of their classes, of which each has two groups, and the names of those."""
    vectors = to_numpy(as_matrix(vectors, "vectors", rows=3))
    found = group_codes(classes, len(vectors))
    if len(found.names) < 2:
        raise ValueError(f"classes are all {found.names.tolist()[0]!r}; at least two are needed")
    if found.counts.min() < 2:
        single = found.names.tolist()[int(np.argmin(found.counts))]
        raise ValueError(f"class {single!r} has one group; two are needed, so that there is a distance within it")
    return vectors, found.codes, found.names


def _apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Euclidean distances of all rows of a from all rows of b."""
    from scipy.spatial.distance import cdist

    return cdist(a, b)


def _share_of_nearest(distances: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Of each row the share of the nearest columns that are right."""
    nearest = distances <= distances.min(axis=1, keepdims=True)
    return (nearest & right).sum(axis=1) / nearest.sum(axis=1)
