"""Vectors of another encoder than the one that a decoder was trained on, and what owners of vectors do against it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.arrays import best_rotation, check_count, check_number, generator, single_precision

__all__ = ["DEFENCES", "align_unpaired", "defended", "pairs_map"]

CUTS = 4
"""Times that both spaces are cut into clusters anew."""

RIDGES = 10.0 ** np.arange(-4, 4)

DEFENCES = ("noise", "rotation", "quantisation", "truncation")
"""What owners of vectors do to them; see :func:`defended`."""


def pairs_map(theirs: Any, own: Any) -> Callable[[Any], np.ndarray]:
    """A map from one space into another, fitted on texts that are known in both.

    Parameters
    ----------
    theirs : array_like of shape (n, p)
        Vectors of somebody's encoder, of at least two texts.
    own : array_like of shape (n, q)
        Vectors of the same texts, in the same order, of the encoder that a decoder was trained on.

    Returns
    -------
    callable
        Maps (m, p) to (m, q), float32: ridge regression between centred spaces, whose penalty is the one with the
        least leave-one-out error.

    Raises
    ------
    ValueError
        If the numbers of rows differ, or an entry is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.inversion.foreign import pairs_map
    >>> x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    >>> to_own = pairs_map(x, x[:, ::-1])
    >>> bool(np.allclose(to_own(x), x[:, ::-1], atol=1e-3))
    True
    """
    from sklearn.linear_model import RidgeCV

    x, y = (single_precision(z, name, rows=2).astype(np.float64) for z, name in ((theirs, "theirs"), (own, "own")))
    if len(x) != len(y):
        raise ValueError(f"theirs has {len(x)} rows and own {len(y)}; the same texts are needed in the same order")
    scale = float(np.sqrt(np.mean((x - x.mean(0)) ** 2))) or 1.0
    model = RidgeCV(alphas=RIDGES * len(x)).fit(x / scale, y)
    return lambda z: model.predict(_of_width(z, x.shape[1]) / scale).astype(np.float32)


def align_unpaired(
    theirs: Any, own: Any, *, n_clusters: int = 24, n_starts: int = 30, steps: int = 30, rng: int = 0
) -> Callable[[Any], np.ndarray]:
    """A map from one space into another, without one text that is known in both.

    Both spaces are cut into clusters; clusters are matched so that their distances agree; the rotation that this match
    gives is refined by nearest neighbours that choose each other.

    Parameters
    ----------
    theirs : array_like of shape (n, p)
        Vectors of somebody's encoder.
    own : array_like of shape (m, q)
        Vectors of other texts, of the same kind, of the encoder that a decoder was trained on.
    n_clusters
        Clusters of each space, at most the smaller number of rows.
    n_starts
        Matches that are tried for each of four cuts into clusters; of the cuts the one is taken after whose refinement
        rows are nearest to rows of the other space.
    steps
        Most steps of the refinement.
    rng
        Seed of clusters and matches.

    Returns
    -------
    callable
        Maps (k, p) to (k, q), float32.

    Raises
    ------
    ValueError
        If there are fewer rows than clusters, or an entry is not finite.

    Notes
    -----
    It rests on both spaces having the same shape up to a rotation, which spaces of unlike encoders or texts have not:
    measure what comes of it. Rows are taken as directions about their mean.
    """
    from scipy.optimize import quadratic_assignment

    spaces = [_Space(theirs, "theirs"), _Space(own, "own")]
    check_count(n_clusters, "n_clusters", least=2, most=min(len(space.x) for space in spaces))
    rng = generator(rng)
    x, y = spaces[0].x, spaces[1].x
    best, turn = -np.inf, np.eye(x.shape[1], y.shape[1])
    for _ in range(CUTS):
        a, b = (space.clusters(n_clusters, int(rng.integers(2**31))) for space in spaces)
        order, fit = np.arange(n_clusters), -np.inf
        for _ in range(check_count(n_starts, "n_starts")):
            options = {"maximize": True, "rng": np.random.default_rng(rng.integers(2**31)), "P0": "randomized"}
            found = quadratic_assignment(a @ a.T, b @ b.T, options=options)
            if found.fun > fit:
                order, fit = found.col_ind, found.fun
        refined = _refined(x, y, best_rotation(a.T @ b[order])[0], steps)
        if (agreed := float(((x @ refined) @ y.T).max(1).mean())) > best:
            best, turn = agreed, refined
    them, us = spaces

    def mapped(z: Any) -> np.ndarray:
        turned = them.directions(_of_width(z, x.shape[1])) @ turn
        return (us.mean + us.length * turned).astype(np.float32)

    return mapped


def _of_width(z: Any, width: int) -> np.ndarray:
    """Vectors, checked, that have the width of those that a map was fitted on."""
    z = single_precision(z, "vectors", rows=1)
    if z.shape[1] != width:
        raise ValueError(f"vectors have {z.shape[1]} columns; this map reads vectors of {width}")
    return z


def _refined(x: np.ndarray, y: np.ndarray, turn: np.ndarray, steps: int) -> np.ndarray:
    """A rotation, fitted again and again to the rows that are each other's nearest ones."""
    before = None
    for _ in range(steps):
        scores = (x @ turn) @ y.T
        there, back = scores.argmax(1), scores.argmax(0)
        mutual = np.flatnonzero(back[there] == np.arange(len(x)))
        if before is not None and np.array_equal(mutual, before[0]) and np.array_equal(there[mutual], before[1]):
            break
        before = mutual, there[mutual]
        turn, _ = best_rotation(x[mutual].T @ y[there[mutual]])
    return turn


class _Space:
    def __init__(self, x: Any, name: str):
        x = single_precision(x, name, rows=2).astype(np.float64)
        self.mean = x.mean(0)
        self.length = float(np.linalg.norm(x - self.mean, axis=1).mean()) or 1.0
        self.x = self.directions(x)

    def directions(self, x: np.ndarray) -> np.ndarray:
        away = x - self.mean
        return away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-12)

    def clusters(self, n: int, seed: int) -> np.ndarray:
        from sklearn.cluster import KMeans

        return KMeans(n, n_init=10, random_state=seed).fit(self.x).cluster_centers_


def defended(vectors: Any, how: str, strength: float, *, rng: int = 0) -> np.ndarray:
    """Vectors after their owner has done something against their being read.

    Parameters
    ----------
    vectors : array_like of shape (n, p)
        Vectors of any encoder.
    how
        ``"noise"``: normal, of ``strength`` times the spread of the vectors; ``"rotation"``: a secret one of the seed,
        of as large a part of the plane angles as ``strength`` in [0, 1] says, 1 being a rotation drawn at random;
        ``"quantisation"``: each number kept in ``strength`` bits, evenly within three spreads about the mean of its
        coordinate; ``"truncation"``: the first ``strength`` coordinates.
    strength
        How much of it.
    rng
        Seed of noise and rotation.

    Returns
    -------
    ndarray of shape (n, p), float32; for ``"truncation"`` (n, strength)

    Raises
    ------
    ValueError
        If the defence is unknown, its strength out of range, or an entry is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.inversion.foreign import defended
    >>> x = np.random.default_rng(0).normal(size=(5, 4))
    >>> defended(x, "truncation", 2).shape, len(np.unique(defended(x[:, :1], "quantisation", 1)))
    ((5, 2), 2)
    """
    if how not in DEFENCES:
        raise ValueError(f"how is {how!r}; it is one of {', '.join(DEFENCES)}")
    x = single_precision(vectors, "vectors", rows=2)
    centre = x.mean(0, dtype=np.float64)
    spread = float(np.sqrt(np.mean((x - centre) ** 2))) or 1.0
    rng = generator(rng)
    if how == "noise":
        check_number(strength, "strength", lambda value: value >= 0, "a number of at least 0")
        return (x + strength * spread * rng.normal(size=x.shape)).astype(np.float32)
    if how == "rotation":
        check_number(strength, "strength", lambda value: 0 <= value <= 1, "a number between 0 and 1")
        return ((x - centre) @ _partial_rotation(x.shape[1], strength, rng) + centre).astype(np.float32)
    if how == "truncation":
        return x[:, : check_count(strength, "strength", most=x.shape[1])].copy()
    levels = 2 ** check_count(strength, "strength", most=16)
    width = 6 * spread / levels
    steps = np.clip(np.floor((x - centre) / width), -levels // 2, levels // 2 - 1) + 0.5
    return (centre + steps * width).astype(np.float32)


def _partial_rotation(p: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """A random rotation with its angles times a share."""
    from scipy.linalg import expm, logm
    from scipy.stats import special_ortho_group

    if p == 1 or share == 0:
        return np.eye(p)
    whole = special_ortho_group.rvs(p, random_state=rng)
    return whole if share == 1 else np.real(expm(share * np.real(logm(whole))))
