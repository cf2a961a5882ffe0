"""Representational similarity analysis: comparing matrices of distances."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array

from helpers.arrays import as_pair, check_count, generator, sum_of_squares, to_numpy
from helpers.similarity._distances import METRICS, condensed, distance_block, distance_matrix, points, row_blocks
from helpers.similarity._engine.levels import rank_scale
from helpers.similarity.streaming import Objects, Requirements, Streamed, Totals, cosines

__all__ = ["MantelTest", "mantel_test", "rsa", "rsm_norm_difference"]

Array = Any


class MantelTest(NamedTuple):
    """What :func:`mantel_test` found."""

    statistic: float
    """The correlation of the two matrices of distances."""
    p_value: float
    """(1 + number of permutations at least as extreme) / (1 + number of permutations)."""
    null: np.ndarray
    """The correlation under each permutation: its quantiles are the chance level of the statistic."""


def rsa(x: Any, y: Any, *, distance: str = "correlation", compare: str = "spearman") -> float:
    """Representational similarity analysis: the correlation of the distances between objects in the two spaces.

    Parameters
    ----------
    x, y
        Representations of shape (n, p) and (n, q).
    distance
        Distance between two rows: ``"correlation"`` (1 - Pearson's r over the features), ``"cosine"``,
        ``"euclidean"``, ``"sqeuclidean"``, or any other metric that ``scipy.spatial.distance.pdist`` knows by name
        (those are computed by SciPy, on the host, in float64).
    compare
        ``"spearman"`` (ranks, with mean ranks for ties) or ``"pearson"``, over the n(n - 1)/2 pairs of objects.

    Returns
    -------
    float
        A similarity in [-1, 1].

    Raises
    ------
    ValueError
        If n < 3, or all distances of one side are equal.

    Notes
    -----
    A row without a direction (zero for cosine, constant for correlation) has similarity 0, so distance 1, to all.
    With Spearman, invariant to whatever keeps the order of the distances. For ``"correlation"``: scaling, permutation
    of the features and one number added to all of them, but neither rotation nor another translation; for
    ``"euclidean"``: orthogonal maps, translation and isotropic scaling; for ``"cosine"``: orthogonal maps and scaling.
    To be ranked, distances of up to 4096 objects are computed in double precision, whatever the type of ``x`` and
    ``y``, and count as multiples of a 2⁻⁴⁰th of the least power of two above the largest. Equal and neighbouring
    multiples are ties, so that rounding breaks none; the value is the same to the last bit in a matrix of many
    representations, for any block size and number of threads.
    Cost: O(n² (p + q + log n)) time within 2 GB (metrics of ``pdist``: vectors of n(n - 1)/2 entries). Beyond 4096
    objects ranks are those of up to 2²² bins of distances, in single precision if both sides are; copies of an object
    are in the same bins, and blocks change no bin, but rounding may break other ties.
    :func:`~helpers.similarity.matrices.similarity_matrix` bounds what the bins leave open.
    Kriegeskorte, Mur and Bandettini (2008), Representational similarity analysis, Frontiers in Systems Neuroscience 2.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.rsa import rsa
    >>> x = np.array([[0.0, 1.0, 2.0], [1.0, 1.0, 0.0], [2.0, 0.0, 1.0], [0.0, 3.0, 1.0]])
    >>> round(rsa(x, 10 * x + 1), 12)
    1.0
    """
    _check_choice(compare, "compare", ("spearman", "pearson"))
    x, y, _ = as_pair(x, y, rows=3)
    if distance in METRICS:
        return STREAMED["rsa"](x, y, distance=distance, compare=compare)
    a, b = (_standardised(z, compare, name, distance) for z, name in ((x, "x"), (y, "y")))
    return _clipped(_inner(a, b))


def mantel_test(
    x: Any,
    y: Any,
    *,
    distance: str = "correlation",
    compare: str = "spearman",
    alternative: str = "greater",
    n_permutations: int = 999,
    rng: int | np.random.Generator = 0,
) -> MantelTest:
    """Permutation test of :func:`rsa`: are the distances more similar than after shuffling the objects of one side?

    Parameters
    ----------
    x, y, distance, compare
        Same meaning as in :func:`rsa`.
    alternative
        ``"greater"``, ``"less"`` or ``"two-sided"`` (larger in absolute value).
    n_permutations
        How many random permutations of the objects.
    rng
        Seed or generator.

    Returns
    -------
    MantelTest
        ``statistic``, which is the value of :func:`rsa`, ``p`` and ``null``, the statistic under each
        permutation. Only whole objects are shuffled, because the n(n - 1)/2 distances are not independent.

    Raises
    ------
    ValueError
        In the same cases as :func:`rsa`; if ``alternative`` is none of the three; if ``n_permutations`` < 1.

    Notes
    -----
    Cost: :func:`rsa` and O(n²) per permutation; two n × n matrices in float64. Mantel (1967), The detection of disease
    clustering and a generalized regression approach, Cancer Research 27.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.rsa import mantel_test
    >>> x = np.random.default_rng(0).normal(size=(20, 5))
    >>> mantel_test(x, x, n_permutations=99).p_value
    0.01
    """
    _check_choice(compare, "compare", ("spearman", "pearson"))
    _check_choice(alternative, "alternative", ("greater", "less", "two-sided"))
    n_permutations = check_count(n_permutations, "n_permutations")
    rng = generator(rng)
    x, y, _ = as_pair(x, y, rows=3)
    n = x.shape[0]
    a, b = (_standardised(z, compare, name, distance) for z, name in ((x, "x"), (y, "y")))
    seen = _clipped(_inner(a, b))
    a, b = _square(a, n), _square(b, n)
    null = np.array([_clipped(_shuffled_inner(a, b, rng.permutation(n))) for _ in range(n_permutations)])
    sign = {"greater": 1, "less": -1}.get(alternative)
    extreme, seen = (np.abs(null), abs(seen)) if sign is None else (sign * null, sign * seen)
    # Permutations that change nothing differ from the statistic by rounding only, and count.
    count = int((extreme >= seen - 1e-12).sum())
    return MantelTest(rsa(x, y, distance=distance, compare=compare), (1 + count) / (1 + n_permutations), null)


def rsm_norm_difference(x: Any, y: Any, *, distance: str = "euclidean", norm: str = "frobenius") -> float:
    """Norm of the difference of the two matrices of distances between objects.

    Parameters
    ----------
    x, y
        Representations of shape (n, p) and (n, q). Distances of float32 are computed in float32.
    distance
        Same meaning as in :func:`rsa`.
    norm
        ``"frobenius"``, the root of the sum of squares over all n² ordered pairs, or ``"spectral"``, the largest
        singular value (which is what the ReSi benchmark computes).

    Returns
    -------
    float
        A distance: 0 for equal matrices of distances; no upper bound, and it grows with n.

    Raises
    ------
    ValueError
        If ``norm`` is neither of the two.

    Notes
    -----
    With the Euclidean distance, invariant to one orthogonal map and translation per side, and to nothing else: the
    scale of the representations matters. Cost: O(n² (p + q)) time and blocks of distances; for ``"spectral"`` an
    n × n matrix and its largest eigenvalue. Klabunde, Schumacher, Strohmaier and Lemmerich (2025), Similarity of
    neural network models: a survey of functional and representational measures, ACM Computing Surveys 57.

    Examples
    --------
    >>> from helpers.similarity.rsa import rsm_norm_difference
    >>> round(rsm_norm_difference([[0.0], [1.0]], [[0.0], [4.0]]), 12) == round(3 * 2**0.5, 12)
    True
    """
    _check_choice(norm, "norm", ("frobenius", "spectral"))
    x, y, xp = as_pair(x, y)
    n = x.shape[0]
    if distance not in METRICS:
        difference = _distances(x, distance) - _distances(y, distance)
        if norm == "frobenius":
            return math.sqrt(2 * float(xp.vecdot(difference, difference)))
        return _largest_eigenvalue(_square(difference, n))
    a, b = points(x, distance), points(y, distance)
    if norm == "spectral":
        return _largest_eigenvalue(distance_matrix(a) - distance_matrix(b))
    total = 0.0
    for start, stop in row_blocks(n):
        difference = distance_block(a, (start, stop), (start, n)) - distance_block(b, (start, stop), (start, n))
        total += 2 * sum_of_squares(difference) - sum_of_squares(difference[:, : stop - start])
    return math.sqrt(total)


def _distances(x: Array, distance: str) -> Array:
    """Condensed distances between the rows."""
    if distance in METRICS:
        return condensed(points(x, distance))
    from scipy.spatial.distance import pdist

    if not isinstance(distance, str):
        raise TypeError(f"distance is {distance!r}; the name of a metric is needed")
    try:
        out = pdist(to_numpy(x).astype(np.float64, copy=False), distance)
    except ValueError as error:
        raise ValueError(f"distance is {distance!r}; {error}") from error
    if not np.isfinite(out).all():
        raise ValueError(f"distance={distance!r} is undefined for {np.count_nonzero(~np.isfinite(out))} pairs of rows")
    return array_namespace(x).asarray(out, device=device(x))


def _standardised(x: Array, compare: str, name: str, distance: str) -> Array:
    """Distances between the rows, or their ranks, less their mean and of unit length, in float64."""
    xp = array_namespace(x)
    distances = _distances(xp.astype(x, xp.float64) if compare == "spearman" else x, distance)
    if bool(xp.all(distances == distances[0])):
        raise ValueError(f"{name}: all {distance} distances between rows are equal; their correlation is undefined")
    out = _ranks(distances) if compare == "spearman" else xp.astype(distances, xp.float64)
    out /= xp.max(out)
    out -= xp.mean(out)
    out /= math.sqrt(_inner(out, out))
    return out


def _ranks(values: Array) -> Array:
    """float64 ranks from 0 of numbers that are not negative, ties by the rule of :func:`rsa` sharing their mean."""
    xp = array_namespace(values)
    size = values.shape[0]
    order = xp.argsort(values, stable=False)
    levels = xp.floor(values[order] * rank_scale(float(xp.max(values))) + 0.5)
    new = levels[1:] - levels[:-1] > 1
    out = xp.empty(size, dtype=xp.float64, device=device(values))
    if bool(xp.all(new)):
        out[order] = xp.arange(size, dtype=xp.float64, device=device(values))
        return out
    starts = xp.concat([xp.zeros(1, dtype=xp.int64, device=device(values)), xp.nonzero(new)[0] + 1])
    counts = xp.diff(starts, append=xp.asarray([size], device=device(values)))
    out[order] = xp.repeat(xp.astype(starts, xp.float64) + (xp.astype(counts, xp.float64) - 1) / 2, counts)
    return out


def _square(distances: Array, n: int) -> Array:
    """The symmetric matrix of condensed entries, with a zero diagonal."""
    xp = array_namespace(distances)
    out = xp.zeros((n, n), dtype=distances.dtype, device=device(distances))
    position = 0
    for i in range(n - 1):
        size = n - i - 1
        out[i, i + 1 :] = out[i + 1 :, i] = distances[position : position + size]
        position += size
    return out


def _shuffled_inner(a: Array, b: Array, order: np.ndarray) -> float:
    """Sum over i < j of a[order[i], order[j]] b[i, j] for symmetric matrices."""
    if is_torch_array(a):
        xp = array_namespace(a)
        order = xp.asarray(order, device=device(a))
        return _inner(a[order, :][:, order], b) / 2
    # Row by row, so that the entries picked stay in the cache.
    return float(sum(a[m].take(order[i + 1 :]) @ b[i, i + 1 :] for i, m in enumerate(order[:-1])))


def _largest_eigenvalue(matrix: Array) -> float:
    """Largest absolute eigenvalue of a symmetric matrix."""
    xp = array_namespace(matrix)
    matrix = xp.astype(matrix, xp.float64, copy=False)
    if is_torch_array(matrix) or matrix.shape[0] < 256 or not np.any(matrix):
        return float(xp.max(xp.abs(xp.linalg.eigvalsh(matrix))))
    from scipy.sparse.linalg import eigsh

    start = np.ones(matrix.shape[0])
    return float(abs(eigsh(matrix, k=1, which="LM", v0=start, return_eigenvectors=False)[0]))


def _inner(a: Array, b: Array) -> float:
    """Inner product of all entries."""
    xp = array_namespace(a)
    return float(xp.vecdot(xp.reshape(a, (-1,)), xp.reshape(b, (-1,))))


def _clipped(value: float) -> float:
    return min(max(value, -1.0), 1.0)


def _check_choice(value: str, name: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(map(repr, choices))}")


def _requires(objects: Objects, distance: str, compare: str) -> Requirements | None:
    """Distances or their ranks; metrics of SciPy are computed pair by pair."""
    _check_choice(compare, "compare", ("spearman", "pearson"))
    objects.check_enough(3, "rsa")
    if distance not in METRICS:
        return None
    if compare == "spearman" and distance == "sqeuclidean":
        distance = "euclidean"  # whose ranks are the same
    return Requirements(dissimilarity=distance, compare=compare)


def _correlations(totals: Totals, **_: Any) -> np.ndarray:
    products, noise = totals.dissimilarity, 0.0
    if totals.dissimilarity_sum is not None:
        pairs = totals.n * (totals.n - 1) / 2
        noise = 1e-14 * np.diag(products)
        products = products - np.outer(totals.dissimilarity_sum, totals.dissimilarity_sum) / pairs
    return cosines(products, totals.names, -1.0, noise, "all distances between objects are equal")


def _rank_error(totals: Totals) -> dict[str, float]:
    """By how much an entry can be away from the correlation of exact ranks."""
    if totals.rank_error is None:
        return {}
    return {"rank_error_bound": float(np.sort(totals.rank_error)[-2:].sum())}


STREAMED = {"rsa": Streamed(_requires, _correlations, _rank_error)}
