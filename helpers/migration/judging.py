"""How much of a new model's search is kept when its corpus is made by a map from an old model."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from helpers.arrays import as_matrix, check_count, unit_rows
from helpers.inference import Interval, interval
from helpers.metrics import top_k
from helpers.similarity.neighbours import nearest

__all__ = ["SearchKept", "found_by", "overlap_of_mapped", "overlap_of_searches", "search_kept"]

#: Queries at a time: of each the scores of the whole corpus are held.
BLOCK = 512


class SearchKept(NamedTuple):
    """What :func:`search_kept` measures; one value for each object where it is an array.

    Attributes
    ----------
    overlap : ndarray of shape (n,)
        Share of the k nearest neighbours in the new space that are found, in [0, 1].
    found_itself : ndarray of shape (n,) of bool
        Whether the object's own mapped vector is the nearest to its new vector.
    cosine : ndarray of shape (n,)
        Between the mapped vector and the new one, in [-1, 1].
    mean : Interval
        Mean overlap, with an interval over objects as queries.
    chance : float
        Overlap of a random ranking, k / (n - 1).
    mapped_share : float
        Share of mapped vectors among what is found if each half of the corpus, at random, is mapped and new; 0.5 if
        mapped vectors are neither favoured nor hidden.
    """

    overlap: np.ndarray
    found_itself: np.ndarray
    cosine: np.ndarray
    mean: Interval
    chance: float
    mapped_share: float


def search_kept(new: Any, mapped: Any, *, k: int = 10, n_resamples: int = 999, rng: int = 0) -> SearchKept:
    """Search with the new model's queries in a corpus of mapped vectors, beside search in the new model's own corpus.

    Each object is a query by its new vector; the others are the corpus. Objects on which the map was fitted flatter it:
    give held-out ones.

    Parameters
    ----------
    new, mapped : array_like of shape (n, q)
        Vectors of the same objects by the new model, and by the map; compared by cosine.
    k
        Neighbours, less than n.
    n_resamples, rng
        Number of resamples of the bootstrap over queries, and its seed; the seed also divides the mixed corpus.

    Returns
    -------
    SearchKept

    Raises
    ------
    ValueError
        If the shapes differ, k is not below n, or a row is zero or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.migration import search_kept
    >>> x = np.random.default_rng(0).normal(size=(40, 8))
    >>> search_kept(x, x, k=5).mean.estimate
    1.0
    """
    new, mapped = (_directions(x, name) for x, name in ((new, "new"), (mapped, "mapped")))
    if new.shape != mapped.shape:
        raise ValueError(f"new has shape {new.shape} and mapped {mapped.shape}; the same objects and width are needed")
    n = len(new)
    check_count(k, "k", most=n - 1, why="(the other objects)")
    mixed = np.random.default_rng(rng).permutation(n) < n / 2
    both = np.where(mixed[:, None], mapped, new)
    overlap = overlap_of_mapped(new, mapped, k=k)
    itself = np.concatenate([(new[rows] @ mapped.T).argmax(1) == rows for rows in _blocks(n)])
    share = float(mixed[found_by(new, both, k)].mean())
    mean = interval(overlap, n_resamples=n_resamples, method="percentile", rng=rng)
    return SearchKept(overlap, itself, np.sum(new * mapped, axis=1), mean, k / (n - 1), share)


def overlap_of_mapped(new: Any, mapped: Any, *, k: int = 10) -> np.ndarray:
    """Share of the k nearest neighbours of each object in the new space that search in mapped vectors finds.

    Parameters
    ----------
    new, mapped : array_like of shape (n, q)
        Vectors of the same objects by the new model, and by the map; compared by cosine.
    k
        Neighbours, less than n.

    Returns
    -------
    ndarray of shape (n,)
        In [0, 1]; k / (n - 1) by chance.
    """
    new, mapped = _directions(new, "new"), _directions(mapped, "mapped")
    return _overlap(found_by(new, mapped, k), nearest(new, k))


def overlap_of_searches(a: Any, b: Any, *, k: int = 10) -> np.ndarray:
    """Share of the k nearest neighbours of each object in one space that are so in another, too.

    Parameters
    ----------
    a : array_like of shape (n, p)
    b : array_like of shape (n, q)
        Vectors of the same objects; compared by cosine within each space.
    k
        Neighbours, less than n.

    Returns
    -------
    ndarray of shape (n,)
        In [0, 1]; k / (n - 1) by chance.
    """
    a, b = _directions(a, "a"), _directions(b, "b")
    if len(a) != len(b):
        raise ValueError(f"a has {len(a)} rows and b {len(b)}; the same objects are needed")
    return _overlap(nearest(a, k), nearest(b, k))


def found_by(queries: np.ndarray, corpus: np.ndarray, k: int) -> np.ndarray:
    """Row numbers of the k vectors of the corpus nearest to each query, its own row left out; unit rows are taken."""
    found = np.empty((len(queries), k), dtype=np.int64)
    for rows in _blocks(len(queries)):
        scores = queries[rows] @ corpus.T
        scores[np.arange(len(rows)), rows] = -np.inf
        found[rows] = top_k(scores, k)
    return found


def _directions(x: Any, name: str) -> np.ndarray:
    return unit_rows(np.asarray(as_matrix(x, name, rows=3), dtype=np.float32), zero="raise", name=name)


def _blocks(n: int) -> list[np.ndarray]:
    return [np.arange(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]


def _overlap(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    blocks = _blocks(len(found))
    return np.concatenate([(found[rows, :, None] == truth[rows, None, :]).any(1).mean(1) for rows in blocks])
