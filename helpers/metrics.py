"""Scores of rankings: ranks, rank correlation, average precision, nDCG and purity, each of them once.

Most take ``counts``, how often each item is in a resample: a resample with repeated items is then scored without
building it, and all resamples of a bootstrap at once. Whatever the counts, the value is the one of the items repeated
so often. Larger is better everywhere, ties never depend on the order of the items unless that is said, and NaN among
values is refused, so that NaN in a result means one thing only: the score is not defined for that sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from helpers.arrays import check_count, unit_rows

__all__ = [
    "average_precision",
    "average_ranks",
    "discounted_gain",
    "ndcg",
    "ndcg_of_ranking",
    "pair_cosines",
    "pearson",
    "purity",
    "roc_auc",
    "spearman",
    "top_k",
]


def average_ranks(values: Any, *, counts: Any = None) -> np.ndarray:
    """Ranks from 1 for the smallest value; equal values share the mean of their ranks.

    Parameters
    ----------
    values : array_like of shape (..., n)
        Numbers, ranked along the last axis.
    counts : array_like of shape (..., n), optional
        How often each item is in a sample; once by default. Leading axes are those of several samples and broadcast
        with those of ``values``. Any weights that are not negative will do.

    Returns
    -------
    ndarray of shape (..., n)
        float64, between 1 and the number of items in the sample. Of an item that a sample has not, the entry is where
        between the others it would stand.

    Raises
    ------
    ValueError
        If a value is NaN, or counts are negative, not finite or of another length.

    Examples
    --------
    >>> from helpers.metrics import average_ranks
    >>> average_ranks([10, 30, 30, 20]).tolist()
    [1.0, 3.5, 3.5, 2.0]

    A sample in which the first item is three times:

    >>> average_ranks([10, 30, 30, 20], counts=[3, 1, 1, 1]).tolist()
    [2.0, 5.5, 5.5, 4.0]
    """
    values = _numbers(values, "values")
    if counts is None:
        from scipy.stats import rankdata

        return rankdata(values, axis=-1)
    counts = _checked_counts(counts, values.shape[-1])
    order = np.argsort(values, axis=-1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=-1)
    first = np.ones(ordered.shape, bool)
    first[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    if values.ndim == 1:  # one order for all samples
        taken = counts[..., order]
        ends = np.flatnonzero(np.append(first[1:], True))
        through = np.cumsum(taken, axis=-1, dtype=np.float64)[..., ends]
        middle = (through + np.concatenate([np.zeros_like(through[..., :1]), through[..., :-1]], axis=-1) + 1) / 2
        run = np.empty(len(values), dtype=np.int64)
        run[order] = np.cumsum(first) - 1
        return middle[..., run]
    values, counts, order, first = np.broadcast_arrays(values, counts, order, first)
    taken = np.take_along_axis(counts, order, axis=-1)
    through = np.cumsum(taken, axis=-1, dtype=np.float64)
    last = np.roll(first, -1, axis=-1)
    before = np.maximum.accumulate(np.where(first, through - taken, 0), axis=-1)
    after = np.minimum.accumulate(np.where(last, through, np.inf)[..., ::-1], axis=-1)[..., ::-1]
    out = np.empty(values.shape)
    np.put_along_axis(out, order, (before + after + 1) / 2, axis=-1)
    return out


def pearson(x: Any, y: Any, *, counts: Any = None, undefined: float = np.nan) -> Any:
    """Pearson's correlation.

    Parameters
    ----------
    x, y : array_like of shape (..., n), n ≥ 2
        Two finite values of each item; leading axes broadcast, so that many correlations are computed at once.
    counts : array_like of shape (..., n), optional
        How often each item is in a sample; leading axes broadcast as well. A bootstrap passes (n_resamples, n).
    undefined
        The value where one side is the same for all items of a sample, up to the rounding of their mean, so that there
        is no correlation.

    Returns
    -------
    float or ndarray of shape (...)
        In [-1, 1]; 1 on a rising and -1 on a falling line. Unchanged by shifts and positive factors of either side.

    Raises
    ------
    ValueError
        If the lengths differ or there are fewer than two items, a value is NaN, or counts are negative, not finite or
        of another length.

    Examples
    --------
    >>> from helpers.metrics import pearson
    >>> round(pearson([1, 2, 3], [1, 3, 2]), 6)
    0.5
    """
    x, y = _numbers(x, "x"), _numbers(y, "y")
    n = x.shape[-1]
    if y.shape[-1] != n or n < 2:
        raise ValueError(f"x has {n} items and y {y.shape[-1]}; both need the same, and two at least")
    counts = np.ones(n) if counts is None else _checked_counts(counts, n)
    total = counts.sum(axis=-1, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = [_inner(side, counts) / total for side in (x, y)]
        a, b = (side - mean[..., None] for side, mean in zip((x, y), means, strict=True))
        weighted = a * counts
        ab, aa, bb = _inner(weighted, b), _inner(weighted, a), _inner(counts, b, b)
        found = np.clip(ab / np.sqrt(aa * bb), -1, 1)
    rounding = (n * np.finfo(np.float64).eps) ** 2
    varies = [square > rounding * (square + total * mean**2) for square, mean in zip((aa, bb), means, strict=True)]
    return _plain(np.where(varies[0] & varies[1], found, undefined))


def spearman(x: Any, y: Any, *, counts: Any = None, undefined: float = np.nan) -> Any:
    """Spearman's rank correlation: :func:`pearson` of the :func:`average_ranks`.

    Parameters
    ----------
    x, y : array_like of shape (..., n), n ≥ 2
        Two values of each item; leading axes broadcast, so that many correlations are computed at once.
    counts : array_like of shape (..., n), optional
        How often each item is in a sample; leading axes broadcast as well. A bootstrap passes (n_resamples, n).
    undefined
        The value where one side is the same for all items of a sample, so that there is no correlation.

    Returns
    -------
    float or ndarray of shape (...)
        In [-1, 1]; 1 if both sides order the items, ties included, in the same way. Unchanged by increasing maps of
        either side.

    Raises
    ------
    ValueError
        In the same cases as :func:`pearson`.

    Notes
    -----
    O(n log n) for each pair of rows; of one row and many samples one sort. Spearman (1904), The proof and measurement
    of association between two things, American Journal of Psychology 15.

    Examples
    --------
    >>> from helpers.metrics import spearman
    >>> spearman([1, 2, 3, 4], [1, 8, 27, 64])
    1.0
    >>> spearman([1, 2, 3], [1, 3, 2], counts=[[1, 1, 1], [2, 1, 0]]).tolist()
    [0.5, 1.0]
    >>> spearman([1, 2, 3], [5, 5, 5], undefined=0.0)
    0.0
    """
    x, y = (average_ranks(_numbers(side, name), counts=counts) for side, name in ((x, "x"), (y, "y")))
    return pearson(x, y, counts=counts, undefined=undefined)


def average_precision(labels: Any, scores: Any, *, counts: Any = None) -> Any:
    r"""Average precision: the precision at each positive item, from the highest score down, averaged over them.

    .. math:: \sum_t (R_t - R_{t-1})\,P_t

    with precision P and recall R of all items that score at least the t-th distinct score: items that are tied are
    found together, as in scikit-learn, so that no order among them can help or harm.

    Parameters
    ----------
    labels : array_like of shape (n,)
        True or 1 for the items to be found, False or 0 for the others.
    scores : array_like of shape (n,)
        The larger, the sooner an item is found.
    counts : array_like of shape (..., n), optional
        How often each item is in a sample. float32 will do for whole counts.

    Returns
    -------
    float or ndarray of shape (...)
        In (0, 1]; 1 if all positive items score above all others. Scores that say nothing give about the share of
        positive items. NaN where a sample has no positive item. Unchanged by increasing maps of the scores.

    Raises
    ------
    ValueError
        If the lengths differ, labels are not 0 and 1, a score is NaN, or counts are negative, not finite or of another
        length.

    Notes
    -----
    One sort for all samples, then O(n) for each. Buckley and Voorhees (2000), Evaluating evaluation measure stability,
    SIGIR.

    Examples
    --------
    >>> from helpers.metrics import average_precision
    >>> round(average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]), 6)
    0.833333
    >>> average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1], counts=[[1, 0, 1, 1], [0, 1, 1, 0]]).tolist()
    [1.0, 0.5]
    """
    labels, scores = _labelled_scores(labels, scores)
    counts = np.ones(len(scores)) if counts is None else _checked_counts(counts, len(scores))
    if counts.dtype.kind == "f" and counts.dtype.itemsize < 8 and np.max(counts.sum(axis=-1), initial=0) >= 2**24:
        counts = counts.astype(np.float64)  # beyond this float32 cannot count by ones
    order = np.argsort(-scores, kind="stable")
    falling, hits = -scores[order], np.flatnonzero(labels[order])
    ends = np.searchsorted(falling, falling[hits], side="right") - 1  # the last item that is tied with each hit
    taken = counts[..., order]
    right = taken[..., hits]
    seen = np.cumsum(taken, axis=-1)[..., ends]
    found = np.cumsum(right, axis=-1)[..., np.searchsorted(hits, ends, side="right") - 1]
    precision = np.divide(found, np.where(seen > 0, seen, 1), dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return _plain(_inner(precision, right) / right.sum(axis=-1, dtype=np.float64))


def roc_auc(labels: Any, scores: Any, *, counts: Any = None) -> Any:
    r"""Area under the ROC curve: how often a positive item scores above a negative one, ties counting one half.

    Parameters
    ----------
    labels : array_like of shape (n,)
        True or 1 for positive items, False or 0 for the others.
    scores : array_like of shape (n,)
        Finite numbers; the larger, the likelier an item is positive.
    counts : array_like of shape (..., n), optional
        How often each item is in a sample.

    Returns
    -------
    float or ndarray of shape (...)
        In [0, 1]; 1 if all positive items score above all others, 1/2 for scores that say nothing. NaN where a sample
        has no positive or no negative item. Unchanged by increasing maps of the scores.

    Raises
    ------
    ValueError
        If the lengths differ, labels are not 0 and 1, a score is NaN, or counts are negative, not finite or of another
        length.

    Notes
    -----
    By the sum of the ranks of positive items: Hanley and McNeil (1982), The meaning and use of the area under a ROC
    curve, Radiology 143.

    Examples
    --------
    >>> from helpers.metrics import roc_auc
    >>> roc_auc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
    0.75
    """
    labels, scores = _labelled_scores(labels, scores)
    counts = np.ones(len(scores)) if counts is None else _checked_counts(counts, len(scores))
    ranks, positive = average_ranks(scores, counts=counts), labels * counts
    ones, total = positive.sum(axis=-1, dtype=np.float64), counts.sum(axis=-1, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return _plain((_inner(ranks, positive) - ones * (ones + 1) / 2) / (ones * (total - ones)))


def discounted_gain(gains: Any, *, k: int | None = None) -> Any:
    r"""Discounted cumulative gain :math:`\sum_{i \le k} g_i / \log_2(i + 1)` of gains in the order of a ranking.

    Parameters
    ----------
    gains : array_like of shape (..., n)
        What is gained at each place, the first place first.
    k
        How many places count; all by default.

    Returns
    -------
    float or ndarray of shape (...)
        0 if nothing is gained; larger is better.

    Raises
    ------
    TypeError, ValueError
        If a gain is NaN, or k is not a whole number of at least 1.

    Notes
    -----
    Järvelin and Kekäläinen (2002), Cumulated gain-based evaluation of IR techniques, ACM TOIS 20, in the form of
    Burges et al. (2005) with the grade itself as gain.

    Examples
    --------
    >>> from helpers.metrics import discounted_gain
    >>> discounted_gain([3, 0, 1])
    3.5
    """
    gains = _numbers(gains, "gains")[..., : None if k is None else check_count(k, "k")]
    return _plain(_inner(gains, _discounts(gains.shape[-1])))


def ndcg_of_ranking(found: Any, judged: Sequence[Any], *, k: int = 10) -> np.ndarray:
    """nDCG at k of rankings that are given: :func:`discounted_gain` over that of the best possible ranking.

    Parameters
    ----------
    found : array_like of shape (n_queries, m)
        The grade of the document at each place of the ranking of each query, 0 for one that was not judged. With m < k
        there are no more documents.
    judged : sequence of n_queries array_like
        All grades that were given for each query, of documents that were found or not; only those above 0 matter.
    k
        Places that count.

    Returns
    -------
    ndarray of shape (n_queries,)
        In [0, 1]; 1 for a ranking that no other one surpasses. NaN for a query without any relevant document.

    Raises
    ------
    TypeError, ValueError
        If the numbers of queries differ, a grade is NaN or negative, or k is not a whole number of at least 1.

    Examples
    --------
    >>> from helpers.metrics import ndcg_of_ranking
    >>> ndcg_of_ranking([[0, 1, 2], [1, 0, 0]], [[1, 2], [1]]).round(3).tolist()
    [0.62, 1.0]
    """
    found, k = _numbers(found, "found"), check_count(k, "k")
    if found.ndim != 2 or len(found) != len(judged):
        raise ValueError(f"found has shape {found.shape} for {len(judged)} queries; a row for each of them is needed")
    if found.size and found.min() < 0:
        raise ValueError(f"found has the grade {found.min():g}; grades are not negative")
    ideal = np.empty(len(found))
    for row, grades in enumerate(judged):
        grades = _numbers(grades, f"judged[{row}]")
        ideal[row] = discounted_gain(np.sort(grades[grades > 0])[::-1], k=k)
    with np.errstate(invalid="ignore"):
        return np.atleast_1d(discounted_gain(found, k=k)) / np.where(ideal > 0, ideal, np.nan)


def ndcg(grades: Any, scores: Any, *, k: int = 10) -> Any:
    """nDCG at k of documents that are ranked by scores; tied documents gain their mean at each of their places.

    Parameters
    ----------
    grades : array_like of shape (..., n)
        How relevant each document is, 0 for not at all.
    scores : array_like of shape (..., n)
        The larger, the further to the front.
    k
        Places that count; all of them if there are fewer documents.

    Returns
    -------
    float or ndarray of shape (...)
        In [0, 1]; 1 if no document has a higher grade than one before it. NaN for a query without any relevant
        document. Unchanged by increasing maps of the scores and by a factor of the grades.

    Raises
    ------
    TypeError, ValueError
        If the shapes differ, a number is NaN, a grade is negative, or k is not a whole number of at least 1.

    Notes
    -----
    The mean over all orders of the tied documents: McSherry and Najork (2008), Computing information retrieval
    performance measures efficiently in the presence of tied scores, ECIR. Where a search engine breaks ties by a rule,
    use :func:`top_k` and :func:`ndcg_of_ranking`.

    Examples
    --------
    >>> from helpers.metrics import ndcg
    >>> round(ndcg([0, 1, 2], [0.3, 0.2, 0.1]), 3)
    0.62
    >>> round(ndcg([1, 0], [0.5, 0.5]), 3)  # the mean of 1 and 1 / log2(3)
    0.815
    """
    grades, scores, k = _numbers(grades, "grades"), _numbers(scores, "scores"), check_count(k, "k")
    if grades.shape != scores.shape:
        raise ValueError(f"grades have shape {grades.shape} and scores {scores.shape}; they must be the same")
    if grades.size and grades.min() < 0:
        raise ValueError(f"grades have the value {grades.min():g}; grades are not negative")
    n = grades.shape[-1]
    best = discounted_gain(-np.sort(-grades, axis=-1), k=k)
    # At each place stands the mean of the grades that share it: an average over the run of equal scores.
    order = np.argsort(-scores, axis=-1, kind="stable")
    ordered, gains = (np.take_along_axis(side, order, axis=-1).reshape(-1, n) for side in (scores, grades))
    run = np.zeros(ordered.shape, dtype=np.int64)
    np.cumsum(ordered[:, 1:] != ordered[:, :-1], axis=-1, out=run[:, 1:])
    run += n * np.arange(len(run))[:, None]
    size, total = (np.bincount(run.ravel(), weights) for weights in (None, gains.ravel()))
    shared = (total[run] / size[run]).reshape(grades.shape)
    with np.errstate(invalid="ignore"):
        return _plain(np.asarray(discounted_gain(shared, k=k)) / np.where(np.asarray(best) > 0, best, np.nan))


def top_k(scores: Any, k: int, *, order: Any = None) -> np.ndarray:
    """The columns of the k largest scores of each row, the largest first.

    Parameters
    ----------
    scores : array_like of shape (..., n)
        Finite, or -inf for what is to stand behind everything else.
    k
        How many, at most n.
    order : array_like of shape (n,) or (..., n), optional
        Decides ties: of equal scores the one with the smaller ``order`` comes first. By default the column itself.

    Returns
    -------
    ndarray of int64, of shape (..., k)

    Raises
    ------
    TypeError, ValueError
        If k is not a whole number between 1 and n, or a score is NaN.

    Notes
    -----
    O(n + k log k) for each row, more where ties reach beyond the k-th place.

    Examples
    --------
    >>> from helpers.metrics import top_k
    >>> top_k([0.2, 0.9, 0.5, 0.9], 3).tolist()
    [1, 3, 2]
    """
    scores = np.asarray(scores)
    n = scores.shape[-1]
    k = check_count(k, "k", most=n, why="(as many as there are scores)")
    order = np.broadcast_to(np.arange(n) if order is None else np.asarray(order), scores.shape)
    rows, places = scores.reshape(-1, n), order.reshape(-1, n)
    top = np.argpartition(-rows, k - 1, axis=1)[:, :k].astype(np.int64)
    values = np.take_along_axis(rows, top, axis=1)
    if np.isnan(values).any() or np.isnan(rows).any():
        row, column = np.argwhere(np.isnan(rows))[0]
        raise ValueError(f"scores: NaN in row {row}, column {column}; every score must be a number")
    least = values.min(axis=1, keepdims=True)
    for row in np.flatnonzero((rows >= least).sum(axis=1) > k):  # a tie across the border: which of them are in?
        near = np.flatnonzero(rows[row] >= least[row])
        top[row] = near[np.lexsort((places[row, near], -rows[row, near]))[:k]]
        values[row] = rows[row, top[row]]
    within = np.lexsort((np.take_along_axis(places, top, axis=1), -values), axis=-1)
    return np.take_along_axis(top, within, axis=1).reshape(*scores.shape[:-1], k)


def purity(labels: Any, clusters: Any, *, counts: Any = None) -> Any:
    """Purity of a clustering: the share of items that have the most frequent label of their cluster.

    Parameters
    ----------
    labels : array_like of shape (n,)
        The class of each item, of any type that can be compared.
    clusters : array_like of shape (n,)
        The cluster of each item.
    counts : array_like of shape (..., n), optional
        How often each item is in a sample.

    Returns
    -------
    float or ndarray of shape (...)
        Between the share of the most frequent label, which one single cluster has, and 1. It grows with the number of
        clusters, up to 1 for clusters of one item: compare it between clusterings of equally many. NaN for a sample
        without items.

    Raises
    ------
    ValueError
        If the lengths differ, there are no items, or counts are negative, not finite or of another length.

    Notes
    -----
    Manning, Raghavan and Schütze (2008), Introduction to information retrieval, section 16.3.

    Examples
    --------
    >>> from helpers.metrics import purity
    >>> purity(["a", "a", "b", "b"], [0, 0, 0, 1])
    0.75
    """
    labels, clusters = np.asarray(labels), np.asarray(clusters)
    if labels.ndim != 1 or labels.shape != clusters.shape or not len(labels):
        raise ValueError(f"labels have shape {labels.shape} and clusters {clusters.shape}; one of each item is needed")
    (names, label), (groups, cluster) = (np.unique(side, return_inverse=True) for side in (labels, clusters))
    counts = np.ones(len(labels)) if counts is None else _checked_counts(counts, len(labels))
    cell = cluster * len(names) + label
    table = np.zeros((*counts.shape[:-1], len(groups) * len(names)))
    for code in np.unique(cell):
        table[..., code] = counts[..., cell == code].sum(axis=-1)
    table = table.reshape(*counts.shape[:-1], len(groups), len(names))
    with np.errstate(invalid="ignore"):
        return _plain(table.max(axis=-1).sum(axis=-1) / table.sum(axis=(-2, -1)))


def pair_cosines(x: Any, y: Any) -> np.ndarray:
    r"""The cosine of each row with the row of the same number, as :math:`1 - \|u - v\|^2 / 2` of the unit rows.

    Parameters
    ----------
    x, y : array_like of shape (n, p)
        Rows that belong together.

    Returns
    -------
    ndarray of shape (n,)
        float64, in [-1, 1] up to rounding; exactly 1 for equal rows, so that copies are tied. 0 where a row is zero.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> from helpers.metrics import pair_cosines
    >>> pair_cosines([[3.0, 4.0], [1.0, 0.0]], [[3.0, 4.0], [0.0, 2.0]]).tolist()
    [1.0, 0.0]
    """
    x, y = (side if side.dtype.kind == "f" else side.astype(np.float64) for side in map(np.asarray, (x, y)))
    if x.ndim != 2 or x.shape != y.shape:
        raise ValueError(f"x has shape {x.shape} and y {y.shape}; two matrices of one shape are needed")
    u, v = unit_rows(x), unit_rows(y)
    cosine = 1 - 0.5 * ((u - v) ** 2).sum(axis=1, dtype=np.float64)
    return np.where(u.any(axis=1) & v.any(axis=1), cosine, 0.0)


def _numbers(values: Any, name: str) -> np.ndarray:
    """An array of real numbers without NaN and of one dimension at least."""
    values = np.asarray(values)
    if values.ndim == 0 or values.dtype.kind not in "biuf":
        raise ValueError(f"{name} has shape {values.shape} and dtype {values.dtype}; a sequence of numbers is needed")
    if values.dtype.kind in "bu":
        values = values.astype(np.float64)  # their negatives are others
    if values.dtype.kind == "f" and np.isnan(values).any():
        place = ", ".join(map(str, np.argwhere(np.isnan(values))[0]))
        raise ValueError(f"{name}[{place}] is NaN; every entry must be a number")
    return values


def _labelled_scores(labels: Any, scores: Any) -> tuple[np.ndarray, np.ndarray]:
    """Labels as booleans and scores, one of each item."""
    scores, labels = _numbers(scores, "scores"), np.asarray(labels)
    if scores.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(f"labels have shape {labels.shape} and scores {scores.shape}; one of each item is needed")
    if labels.dtype != bool:
        if not np.isin(labels, (0, 1)).all():
            odd = labels[~np.isin(labels, (0, 1))][0]
            raise ValueError(f"labels have the value {odd!r}; 1 is needed for an item to be found and 0 for others")
        labels = labels == 1
    return labels, scores


def _checked_counts(counts: Any, n: int) -> np.ndarray:
    counts = np.asarray(counts)
    if counts.ndim == 0 or counts.shape[-1] != n or counts.dtype.kind not in "biuf":
        raise ValueError(f"counts have shape {counts.shape} and dtype {counts.dtype}; (..., {n}) numbers are needed")
    if counts.dtype.kind in "bu":
        counts = counts.astype(np.int64)
    if counts.size and not (counts.min() >= 0 and np.isfinite(counts.max())):
        raise ValueError("counts have an entry that is negative or not finite; each says how often an item is there")
    return counts


def _inner(*arrays: np.ndarray) -> np.ndarray:
    """The sum of products along the last axis, in float64."""
    return np.einsum(",".join(["...i"] * len(arrays)) + "->...", *arrays, dtype=np.float64)


def _discounts(n: int) -> np.ndarray:
    return 1 / np.log2(np.arange(2, n + 2))


def _plain(values: np.ndarray) -> Any:
    """A float in place of an array without dimensions."""
    return float(values) if np.ndim(values) == 0 else np.asarray(values)
