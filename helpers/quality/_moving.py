"""How far objects moved between two spaces, and how far they move where nothing was changed."""

from __future__ import annotations

import math

import numpy as np

from helpers.arrays import best_rotation, unit_rows
from helpers.metrics import top_k

__all__ = ["ROUNDING", "common_noise", "displaced", "neighbour_lists", "rank_p", "shared_neighbours", "turned"]

FOLDS = 5
BLOCK = 512
KEPT = 0.75  # of the objects, those that fit best, decide the rotation
IDENTITY = 1e-6  # weight of staying in directions that no object is in
ROUNDING = 1e-5  # distance of single-precision directions that are equal but for rounding
TAIL = 8  # degrees of freedom of the logarithm of an object's factor
WIDER = 3.0  # two standard errors of a spread from two quantiles, times the root of n
STEPS = 40  # halvings of an interval


def turned(old: np.ndarray, new: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Old directions in the new space, each by a rotation that was fitted without it, to three quarters of the rest.

    Parameters
    ----------
    old, new : ndarray of shape (n, p) and (n, q)
        Directions of the same objects, as rows of length 1.
    rng
        Generator of the division into folds.

    Returns
    -------
    ndarray of shape (n, q)
        Unit rows in the dtype of ``new``.
    """
    fold = rng.permutation(len(old)) % FOLDS
    out = np.empty_like(new)
    for number in range(FOLDS):
        rows, rest = fold == number, fold != number
        rotation = _rotation(old[rest], new[rest])
        off = np.einsum("ij,ij->i", old[rest] @ rotation, new[rest])
        best = off >= np.quantile(off, 1 - KEPT)
        rotation = _rotation(old[rest][best], new[rest][best])
        out[rows] = unit_rows(old[rows] @ rotation)
    return out


def _rotation(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    products = old.T.astype(np.float64) @ new.astype(np.float64)
    stay = np.eye(*products.shape) * IDENTITY * np.linalg.norm(products)
    return best_rotation(products + stay)[0].astype(new.dtype)


def displaced(target: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Distance of unit rows, in [0, 2]; 0 where it is no more than rounding."""
    apart = np.sqrt(np.sum((new.astype(np.float64) - target) ** 2, axis=1))
    return np.where(apart < ROUNDING, 0.0, np.minimum(apart, 2.0))


def neighbour_lists(x: np.ndarray, rows: np.ndarray, corpus: np.ndarray, k: int) -> np.ndarray:
    """Row numbers (m, k) of the k nearest members of a corpus to each of m rows, without the row itself.

    Parameters
    ----------
    x : ndarray of shape (n, p)
        Directions of the objects, as rows of length 1.
    rows : ndarray of shape (m,)
        Row numbers of the queries.
    corpus : ndarray of shape (c,)
        Row numbers of the corpus, sorted.
    k
        Neighbours; of equal scores the row with the smaller number is the nearer.
    """
    found, others = np.empty((len(rows), k), dtype=np.int64), x[corpus]
    for start in range(0, len(rows), BLOCK):
        some = rows[start : start + BLOCK]
        scores = x[some] @ others.T
        place = np.searchsorted(corpus, some)
        inside = np.flatnonzero(corpus[np.minimum(place, len(corpus) - 1)] == some)
        scores[inside, place[inside]] = -np.inf
        found[start : start + BLOCK] = corpus[top_k(scores, k)]
    return found


def shared_neighbours(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Share (m,) of the members of each list of ``a`` that are in the same list of ``b``; both have shape (m, k)."""
    return (a[:, :, None] == b[:, None, :]).any(2).mean(1)


def common_noise(
    target: np.ndarray, new: np.ndarray, n_draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, float, float]:
    r"""Shape, size and spread of the noise that all objects have in common.

    Each object is taken to have moved by normal noise of one covariance, times a factor of its own that is
    log-normal. The covariance is that of the half of the objects that moved least; the size is such that half of all
    move farther than the observed median, and the spread of the factor such that the lower half of the distances,
    which objects that were changed do not reach, is as wide as observed.

    Parameters
    ----------
    target, new : ndarray of shape (n, q)
        Directions without a change and as they are, as rows of length 1.
    n_draws
        Objects are drawn at most so many times n for the fit.
    rng
        Generator of the draws.

    Returns
    -------
    tuple of ndarray of shape (q, q), float, float
        Matrix with which independent normal rows become noise; its factor; standard deviation of the logarithm of the
        factor of an object. The factor is 0 where half of the objects did not move.
    """
    apart = displaced(target, new)
    middle = float(np.median(apart))
    if middle == 0:
        return np.zeros((new.shape[1],) * 2), 0.0, 0.0
    off = (new - target)[apart <= middle].astype(np.float64)
    values, vectors = np.linalg.eigh(off.T @ off / len(off))
    shape = (np.sqrt(np.maximum(values, 0))[:, None] * vectors.T).astype(new.dtype)
    repeats = min(n_draws, max(1, 4000 // len(new)))
    rows = np.tile(np.arange(len(new)), repeats)
    noise = rng.normal(size=(len(rows), new.shape[1])).astype(new.dtype) @ shape
    tail = rng.standard_t(TAIL, size=len(rows))
    observed = max(_log_spreads(apart)) * (1 + WIDER / math.sqrt(len(new)))
    size = _sized(target[rows], noise, middle)
    drawn = max(_log_spreads(displaced(target[rows], unit_rows(target[rows] + size * noise))))
    spread = math.sqrt(max(observed**2 - drawn**2, 0.0))
    if spread > 0:
        noise = noise * np.exp(spread * tail)[:, None].astype(new.dtype)
        size = _sized(target[rows], noise, middle)
    return shape, size, spread


def _log_spreads(apart: np.ndarray) -> np.ndarray:
    """Standard deviation of the logarithm below the median and above it, from the quantiles one deviation off."""
    low, middle, high = np.log(np.quantile(apart[apart > 0], [0.158655, 0.5, 0.841345]))
    return np.array([middle - low, high - middle])


def _sized(target: np.ndarray, noise: np.ndarray, wanted: float) -> np.floating:
    """The factor of the noise with which half of the rows move farther than is wanted."""
    low, high = 0.0, 1.0

    def moved(size: float) -> float:
        return float(np.median(displaced(target, unit_rows(target + noise.dtype.type(size) * noise))))

    while moved(high) < wanted and high < 1e6:
        low, high = high, 2 * high
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if moved(middle) < wanted else (low, middle)
        if high - low < 1e-4 * high:
            break
    return noise.dtype.type((low + high) / 2)


def rank_p(apart: np.ndarray, shared: np.ndarray, null_apart: np.ndarray, null_shared: np.ndarray) -> np.ndarray:
    """How rarely an object for which nothing changed is as far off as each of these, by distance or by neighbours.

    Parameters
    ----------
    apart, shared : ndarray of shape (n,)
        Distances moved, and shares of neighbours that stayed.
    null_apart, null_shared : ndarray of shape (m,)
        The same of objects for which nothing changed.

    Returns
    -------
    ndarray of shape (n,)
        In [1 / (m + 1), 1]: the rank, among the m, of the smaller of the two ranks.
    """
    m = len(null_apart)

    def beyond(values: np.ndarray, null: np.ndarray) -> np.ndarray:
        return m - np.searchsorted(np.sort(null), values, side="left")

    null = beyond(null_apart, null_apart), beyond(-null_shared, -null_shared)
    own = beyond(apart, null_apart) + 1, beyond(-shared, -null_shared) + 1  # the object itself is as far off
    here = np.minimum(*own)
    below = np.searchsorted(np.sort(np.minimum(*null)), here, side="left")
    # Of a null object with the same smaller rank, it is passed by this one unless that rank is of the other number.
    level = np.zeros(len(here), dtype=np.int64)
    for one, (rank, other) in enumerate([null, null[::-1]]):
        equal = np.bincount(rank[rank <= other], minlength=m + 2)[here]
        level += np.where(own[one] > here, equal, 0)
    return (1 + below + level) / (m + 1)
