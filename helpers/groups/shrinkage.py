"""Vectors of small groups, drawn towards their class or the whole by as much as they are noise."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from helpers.groups.membership import Membership, batches, group_codes, grouped
from helpers.groups.readouts import centroid

__all__ = ["ShrunkVectors", "shrink"]


class ShrunkVectors(NamedTuple):
    """One vector for each group, between its own mean and the centre of its class.

    Attributes
    ----------
    vectors : ndarray of shape (n_groups, p), float64
        weight × own mean + (1 - weight) × centre.
    names : ndarray of shape (n_groups,)
        What the groups are called.
    counts : ndarray of shape (n_groups,), int64
        Numbers of items.
    weights : ndarray of shape (n_groups,), float64
        Weight of the group's own mean, from 0 to 1.
    errors : ndarray of shape (n_groups,), float64
        Expected root mean square distance from the true vector, in the units of the items.
    break_even : float
        Items from which a group's own mean is nearer to the true vector, on average, than the centre is: the variance
        of items within groups over the variance of groups. Infinite if groups do not differ more than by chance.
    """

    vectors: np.ndarray
    names: np.ndarray
    counts: np.ndarray
    weights: np.ndarray
    errors: np.ndarray
    break_even: float


def shrink(x: Any, groups: Any, *, classes: Any = None, spread: str = "shared") -> ShrunkVectors:
    r"""Means of groups, drawn towards the centre of their class or of all groups.

    Parameters
    ----------
    x : array_like of shape (n, p)
        Vectors of the items.
    groups : array_like of shape (n,), or mapping of names to rows
        Which group each item is of; see :func:`~helpers.groups.membership.group_codes`.
    classes : array_like of shape (n,), optional
        The class of each item, one for all items of a group; by default there is one class.
    spread
        ``"shared"``: the variance of items within groups is one for all. ``"own"``: each group's own, with the shared
        one for groups of one.

    Returns
    -------
    ShrunkVectors
        ``vectors``, ``names``, ``counts``, ``weights``, ``errors``, ``break_even``. A class of one group is its own
        centre, so that nothing changes.

    Raises
    ------
    TypeError, ValueError
        As :func:`helpers.arrays.as_matrix` and :func:`~helpers.groups.membership.group_codes`; if items of one group
        are of several classes; if no group has two items, so that nothing tells their noise; if no class has two
        groups; if ``spread`` is unknown.

    Notes
    -----
    O(n p). With s the summed variances of an item within its group and b those of the true vectors about their
    centres, the weight is b / (b + s / n_g), the best linear one. b is estimated without bias, from the squared
    distances of the means less their noise, and set to 0 where that is negative; the centre is the mean with these
    weights. As in James and Stein (1961) the share that is taken off is lessened, by 2 / k for k effective
    coordinates of groups, and nothing is taken off where k is below 2.
    James and Stein (1961), Estimation with quadratic loss. Efron and Morris (1973), Stein's estimation rule and its
    competitors: an empirical Bayes approach, JASA 68.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.groups import centroid, shrink
    >>> rng = np.random.default_rng(0)
    >>> true = rng.normal(size=(100, 16))
    >>> groups = np.repeat(np.arange(100), 3)
    >>> x = true[groups] + 3 * rng.normal(size=(300, 16))
    >>> found = shrink(x, groups)
    >>> bool(np.sum((found.vectors - true) ** 2) < 0.4 * np.sum((centroid(x, groups).vectors - true) ** 2))
    True
    >>> 5 < found.break_even < 16  # it is 9
    True
    """
    if spread not in ("shared", "own"):
        raise ValueError(f"spread is {spread!r}; it is 'shared' or 'own'")
    x, groups = grouped(x, groups)
    of_class = _classes(groups, classes)
    means = centroid(x, groups).vectors
    variance, effective = _variances(x, groups, means, spread)
    noise = variance / groups.counts
    sizes = np.bincount(of_class)
    if sizes.max() < 2:
        raise ValueError("no class has two groups; there is nothing to be drawn towards")
    free = np.sum(sizes - 1)
    centres = _centres(means, np.ones(len(means)), of_class)
    apart = np.sum((means - centres[of_class]) ** 2)
    between = max((apart - np.sum(noise * (1 - 1 / sizes[of_class]))) / free, 0.0)
    lessened = max(1 - 2 / (free * effective), 0.0)
    off = lessened * np.divide(noise, between + noise, out=np.zeros_like(noise), where=noise > 0)
    weights = np.where(sizes[of_class] > 1, 1 - off, 1.0)
    # Where groups do not differ, the centre is the mean of all items.
    own = 1 / np.where(between + noise > 0, between + noise, 1.0)
    centres = _centres(means, own, of_class)
    vectors = weights[:, None] * means + (1 - weights[:, None]) * centres[of_class]
    errors = np.sqrt(weights**2 * noise + (1 - weights) ** 2 * between)
    even = float(np.mean(variance) / between) if between > 0 else np.inf
    return ShrunkVectors(vectors, groups.names, groups.counts, weights, errors, even)


def _classes(groups: Membership, classes: Any) -> np.ndarray:
    """The class of each group."""
    if classes is None:
        return np.zeros(len(groups.counts), dtype=np.int64)
    found = group_codes(classes, len(groups.codes))
    pairs = np.unique(np.column_stack([groups.codes, found.codes]), axis=0)
    several = np.flatnonzero(np.bincount(pairs[:, 0]) > 1)
    if len(several):
        of = found.names[pairs[pairs[:, 0] == several[0], 1]].tolist()
        raise ValueError(
            f"classes: items of group {groups.names[several[0]].item()!r} are of {of[0]!r} and of {of[1]!r}; "
            "a group is of one class"
        )
    return pairs[:, 1]


def _variances(x: np.ndarray, groups: Membership, means: np.ndarray, spread: str) -> tuple[np.ndarray, float]:
    """Summed variances of an item of each group, and in how many directions they vary, effectively."""
    sums = np.zeros(len(means))
    scatter = np.zeros((x.shape[1], x.shape[1]))
    for batch in batches(x, groups):
        centred = batch.rows - means[batch.groups][batch.within]
        sums[batch.groups] = batch.sums(np.einsum("ij,ij->i", centred, centred))
        scatter += centred.T @ centred
    free = groups.counts - 1
    if not free.sum():
        raise ValueError("every group has one item; nothing tells their noise, give at least one group two items")
    shared = sums.sum() / free.sum()
    own = np.where(free > 0, sums / np.maximum(free, 1), shared)
    square = np.sum(scatter**2)
    effective = np.trace(scatter) ** 2 / square if square > 0 else 1.0
    return (own if spread == "own" else np.full(len(means), shared)), float(effective)


def _centres(means: np.ndarray, weights: np.ndarray, of_class: np.ndarray) -> np.ndarray:
    """Weighted means of the groups of each class."""
    total = np.bincount(of_class, weights)
    out = np.zeros((len(total), means.shape[1]))
    np.add.at(out, of_class, means * weights[:, None])
    return out / total[:, None]
