"""Values of a measure for the objects of one side in many orders, with what does not depend on the order done once.

A measure is divided in three: what the left representation gives, what the right one gives, and the values of several
left ones with a right one whose objects are put in an order. Shuffled kernels are entries of the kernel at other
places, shuffled neighbours are other names of the same objects, shuffled bases have their rows elsewhere: nothing is
computed again. Measures of which nothing is known are computed anew for each order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from scipy.spatial.distance import squareform

from helpers.arrays import as_matrix, sum_of_squares, unit_rows
from helpers.metrics import average_ranks
from helpers.similarity import containment, neighbour_kernels, shape, spanning, subspace
from helpers.similarity._distances import METRICS, condensed, distance_matrix, points, well_scaled
from helpers.similarity.cka import centred_gram, gram_of
from helpers.similarity.entry import Measure
from helpers.similarity.streaming import Objects, Totals, totals_of

DOUBLE = 4096  # objects up to which kernels are kept in double precision
ROWS = 32  # of a shuffled kernel at a time


class Shuffling(NamedTuple):
    """How a measure is computed for many orders of the objects on the right."""

    left: Callable[[np.ndarray, str], Any]
    right: Callable[[np.ndarray, str], Any]
    values: Callable[[Sequence[Any], Any, np.ndarray | None], np.ndarray]
    dense: bool = False  # whether a left side holds n × n numbers
    wide: bool = False  # whether a right side does, though a left side does not
    #: ``finish(product, left, right)``: the measure, monotone in the inner product of the kernels of both sides.
    finish: Callable[[float, Any, Any], float] | None = None


def shuffling_of(measure: Measure, options: Mapping[str, Any], kept: dict[Any, Any] | None = None) -> Shuffling:
    """The best way for a measure with all its options; ``kept`` holds what several measures need."""
    name, kept = measure.name, {} if kept is None else kept
    if name in _DENSE and (found := _DENSE[name](**options)) is not None:
        return found
    if name in neighbour_kernels.KERNELS:
        return _sparse(name, options, kept)
    if name in _OVERLAPS:
        return _neighbours(name, options, kept)
    if name == "information_imbalance":
        return _imbalance(**options)
    if name == "nts":
        return _pairwise(measure, options, lambda a, b, order: spanning.between_trees(a, b, order))
    if name in _INDIFFERENT:
        return _pairwise(measure, options, lambda a, b, order: measure.between(a, b))
    if name in _CHORDS:
        return _shapes(name, kept, **options)
    if name in _ROWS:
        reorder = _ROWS[name]
        return _pairwise(
            measure, options, lambda a, b, order: measure.between(a, b if order is None else reorder(b, order))
        )
    return _anew(measure, options)


def _pairwise(measure: Measure, options: Mapping[str, Any], value: Callable[[Any, Any, Any], float]) -> Shuffling:
    def state(x: np.ndarray, name: str) -> Any:
        return measure.prepare(x, name=name, **options)

    return Shuffling(state, state, lambda lefts, right, order: np.array([value(left, right, order) for left in lefts]))


def _anew(measure: Measure, options: Mapping[str, Any]) -> Shuffling:
    def values(lefts: Sequence[np.ndarray], right: np.ndarray, order: np.ndarray | None) -> np.ndarray:
        other = right if order is None else right[order]
        return np.array([measure(left, other, **options) for left in lefts])

    return Shuffling(_as_it_is, _as_it_is, values)


def _as_it_is(x: np.ndarray, name: str) -> np.ndarray:
    return as_matrix(x, name)


# Kernels of all pairs of objects


class _Kernel(NamedTuple):
    matrix: np.ndarray
    square: float  # sum of the squares of its entries
    size: float = 1.0


@njit(nogil=True, cache=True)
def _gather(right, order, start, stop, out):
    """Rows ``start`` to ``stop`` of the shuffled matrix, up to the diagonal."""
    for i in range(start, stop):
        at = order[i]
        for j in range(i + 1):
            out[i - start, j] = right[at, order[j]]


@njit(nogil=True, cache=True, fastmath=True)
def _lower_product(left, block, start, stop):
    """What these rows and the columns that mirror them add to the inner product of two symmetric matrices."""
    out = 0.0
    for i in range(start, stop):
        total = left[0, 0] * 0
        for j in range(i):
            total += left[i, j] * block[i - start, j]
        out += 2 * np.float64(total) + np.float64(left[i, i] * block[i - start, i])
    return out


def _products(lefts: Sequence[np.ndarray], right: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Sums over i and j of left[i, j] right[order[i], order[j]] of symmetric matrices."""
    n, out = len(right), np.zeros(len(lefts))
    block = np.empty((min(ROWS, n), n), right.dtype)
    for start in range(0, n, ROWS):
        stop = min(start + ROWS, n)
        _gather(right, order, start, stop, block)
        for m, left in enumerate(lefts):
            out[m] += _lower_product(left, block, start, stop)
    return out


def _dense(
    left: Callable[[np.ndarray, str], _Kernel],
    right: Callable[[np.ndarray, str], _Kernel],
    finish: Callable[[float, _Kernel, _Kernel], float],
) -> Shuffling:
    def values(lefts: Sequence[_Kernel], other: _Kernel, order: np.ndarray | None) -> np.ndarray:
        order = np.arange(len(other.matrix)) if order is None else order
        products = _products([each.matrix for each in lefts], other.matrix, order)
        return np.array([finish(product, each, other) for product, each in zip(products, lefts, strict=True)])

    return Shuffling(left, right, values, dense=True, finish=finish)


def _kept(matrix: Any, size: float = 1.0) -> _Kernel:
    matrix = np.ascontiguousarray(matrix, dtype=np.float64 if len(matrix) <= DOUBLE else np.float32)
    return _Kernel(matrix, sum_of_squares(matrix), size)


def _cosine(product: float, a: _Kernel, b: _Kernel, low: float = 0.0) -> float:
    return float(np.clip(product / math.sqrt(a.square * b.square), low, 1.0))


def _gap(product: float, a: _Kernel, b: _Kernel) -> float:
    return math.sqrt(max(a.square + b.square - 2 * product, 0.0))


def _double(x: np.ndarray) -> np.ndarray:
    return x if len(x) > DOUBLE else x.astype(np.float64, copy=False)


def _cka(kernel: Any = "linear", bandwidth: float = 1.0, unbiased: bool = False) -> Shuffling | None:
    def state(x: np.ndarray, name: str) -> _Kernel:
        x = _double(as_matrix(x, name, rows=4 if unbiased else 2))
        gram = gram_of(x, kernel, bandwidth, name)
        return _kept(centred_gram(gram, unbiased, name))

    return _dense(state, state, partial(_cosine, low=-1.0 if unbiased else 0.0))


def _distance_correlation(unbiased: bool) -> Shuffling:
    def state(x: np.ndarray, name: str) -> _Kernel:
        distances = distance_matrix(points(well_scaled(_double(as_matrix(x, name)), name), "euclidean"))
        return _kept(centred_gram(distances, unbiased, name))

    def finish(product: float, a: _Kernel, b: _Kernel) -> float:
        value = _cosine(product, a, b, low=-1.0 if unbiased else 0.0)
        return value if unbiased else math.sqrt(value)

    return _dense(state, state, finish)


def _rsa(distance: str = "correlation", compare: str = "spearman") -> Shuffling | None:
    if distance not in METRICS:
        return None

    def state(x: np.ndarray, name: str) -> _Kernel:
        values = np.asarray(condensed(points(as_matrix(x, name, rows=3).astype(np.float64), distance)))
        if compare == "spearman":
            # To twelve digits, so that distances that differ by rounding alone share a rank.
            values = average_ranks(np.round(values / values.max(), 12) if values.max() > 0 else values)
        if values.min() == values.max():
            raise ValueError(f"{name}: all distances are equal; rsa is undefined")
        values = values - values.mean()
        return _kept(squareform(values))

    return _dense(state, state, partial(_cosine, low=-1.0))


def _rsm(distance: str = "euclidean", norm: str = "frobenius") -> Shuffling | None:
    if norm != "frobenius" or distance not in METRICS:
        return None

    def state(x: np.ndarray, name: str) -> _Kernel:
        return _kept(distance_matrix(points(_double(as_matrix(x, name)), distance)))

    return _dense(state, state, _gap)


def _weighted(basis: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    return basis @ (basis if weights is None else basis * np.asarray(weights)[None, :]).T


def _regression(predict: str = "x") -> Shuffling:
    def target(x: np.ndarray, name: str) -> _Kernel:
        of = subspace._regression(as_matrix(x, name), name)
        return _kept(_weighted(of.basis, of.weights))

    def predictor(x: np.ndarray, name: str) -> _Kernel:
        return _kept(_weighted(subspace._regression(as_matrix(x, name), name).basis))

    sides = (target, predictor) if predict == "x" else (predictor, target)
    return _dense(*sides, lambda product, a, b: min(max(product, 0.0), 1.0))


def _overlap(normalise: str = "features") -> Shuffling:
    def state(x: np.ndarray, name: str) -> _Kernel:
        of = subspace._overlap(as_matrix(x, name), name, normalise)
        return _kept(_weighted(of.basis), of.width if normalise == "features" else of.basis.shape[1])

    return _dense(state, state, lambda product, a, b: min(max(product, 0.0) / max(a.size, b.size), 1.0))


def _gulp(regularisation: float = 0.0, squared: bool = False) -> Shuffling:
    def state(x: np.ndarray, name: str) -> _Kernel:
        of = subspace._ridge(as_matrix(x, name), name, regularisation, squared)
        return _kept(_weighted(of.basis, of.weights))

    return _dense(state, state, lambda product, a, b: _gap(product, a, b) ** (2 if squared else 1))


_DENSE: dict[str, Callable[..., Shuffling | None]] = {
    "cka": _cka,
    "cka_rbf": partial(_cka, kernel="rbf"),
    "cka_unbiased": partial(_cka, unbiased=True),
    "distance_correlation": partial(_distance_correlation, unbiased=False),
    "distance_correlation_unbiased": partial(_distance_correlation, unbiased=True),
    "rsa": _rsa,
    "rsm_norm_difference": _rsm,
    "linear_regression": _regression,
    "eigenspace_overlap": _overlap,
    "gulp": _gulp,
}


# Neighbours

_OVERLAPS = ("jaccard", "mutual_knn", "rank_similarity", "second_order_cosine")


def _found(name: str, options: Mapping[str, Any], x: np.ndarray, label: str, kept: dict[Any, Any]) -> Totals:
    """The neighbours, looked for once in each array."""
    from helpers.similarity.registry import MEASURES

    requirements = MEASURES[name].declaration.requires(Objects(len(x), label), **options)
    key = id(x), requirements
    if key not in kept:
        kept[key] = x, totals_of({label: as_matrix(x, label)}, requirements)
    return kept[key][1]


def _renamed(near: np.ndarray, order: np.ndarray | None) -> np.ndarray:
    if order is None:
        return near
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    return places[near[order]]


def _sparse(name: str, options: Mapping[str, Any], kept: dict[Any, Any]) -> Shuffling:
    kernel, value = neighbour_kernels.KERNELS[name]

    def state(x: np.ndarray, label: str) -> Any:
        return kernel(_found(name, options, x, label, kept), 0)

    def values(lefts: Sequence[Any], right: Any, order: np.ndarray | None) -> np.ndarray:
        right = right if order is None else neighbour_kernels.reordered(right, order)
        return np.array([value(left, right) for left in lefts])

    return Shuffling(state, state, values)


def _neighbours(name: str, options: Mapping[str, Any], kept: dict[Any, Any]) -> Shuffling:
    from helpers.similarity._engine.compiled import overlaps, rank_agreement
    from helpers.similarity.registry import MEASURES

    def state(x: np.ndarray, label: str) -> Any:
        totals = _found(name, options, x, label, kept)
        near = totals.neighbours[0]
        if name == "second_order_cosine":
            return totals
        return near if name == "rank_similarity" else np.sort(near, axis=1)

    def values(lefts: Sequence[np.ndarray], right: np.ndarray, order: np.ndarray | None) -> np.ndarray:
        other = _renamed(right, order)
        if name == "rank_similarity":
            return np.array([rank_agreement(left, other) for left in lefts])
        other, which = np.sort(other, axis=1), 0 if name == "jaccard" else 1
        return np.array([overlaps(left, other)[which] / len(other) for left in lefts])

    def second(lefts: Sequence[Totals], right: Totals, order: np.ndarray | None) -> np.ndarray:
        order = np.arange(right.n) if order is None else order
        other = _renamed(right.neighbours[0], order)

        def one(left: Totals) -> float:
            def distances(number: int, i: np.ndarray, j: np.ndarray) -> np.ndarray:
                return right.distances(0, order[i], order[j]) if number else left.distances(0, i, j)

            both = Totals(left.n, ["x", "y"], neighbours=np.stack([left.neighbours[0], other]), distances=distances)
            return float(MEASURES[name].declaration.finish(both, **options)[0, 1])

        return np.array([one(left) for left in lefts])

    return Shuffling(state, state, second if name == "second_order_cosine" else values)


def _imbalance(k: int, metric: str) -> Shuffling:
    def left(x: np.ndarray, name: str) -> np.ndarray:
        return containment._neighbours(as_matrix(x, name, rows=3), name, k, metric)

    def right(x: np.ndarray, name: str) -> np.ndarray:
        of = containment._Ranked(as_matrix(x, name, rows=3), metric)
        out = np.empty((of.n, of.n), np.int32)
        for start, ranks in of.blocks():
            out[start : start + len(ranks)] = ranks
        return out

    def values(lefts: Sequence[np.ndarray], ranks: np.ndarray, order: np.ndarray | None) -> np.ndarray:
        order = np.arange(len(ranks)) if order is None else order
        means = np.array([ranks[order[:, None], order[near]].mean() for near in lefts])
        return (2 * means - k - 1) / (len(ranks) - k - 1)

    return Shuffling(left, right, values, wide=True)


#: Measures in which, of objects that are equally near, those in front are taken.
BY_NEAREST = (*_OVERLAPS, *neighbour_kernels.KERNELS, "information_imbalance", "nts")


def has_ties(x: np.ndarray, options: Mapping[str, Any], rows: int = 512) -> bool:
    """Whether an object, of at most so many that are looked at, has two others equally near, among its nearest."""
    n, metric = len(x), options.get("metric", "euclidean")
    k = min(max(options.get("k", 1), 10), n - 2)
    if k < 1:
        return False
    z = np.asarray(x, dtype=np.float64)
    z = z - z.mean(axis=1, keepdims=True) if metric == "correlation" else z
    z = z - z.mean(axis=0) if metric == "euclidean" else unit_rows(z)
    chosen = np.arange(n) if n <= rows else np.random.default_rng(0).choice(n, rows, replace=False)
    squares = np.einsum("ij,ij->i", z, z)
    far = squares[chosen, None] + squares - 2 * z[chosen] @ z.T
    far[np.arange(len(chosen)), chosen] = np.inf
    near = np.sort(np.partition(far, k, axis=1)[:, : k + 1], axis=1)
    # Distances that are equal differ here by the rounding of three sums, in proportion to the squares of both lengths.
    rounding = 4 * z.shape[1] * np.finfo(np.float64).eps * (squares[chosen] + squares.max())
    return bool((np.diff(near, axis=1) <= rounding[:, None]).any())


# Distances of shapes


def _shapes(name: str, kept: dict[Any, Any], centre: bool, alpha: float) -> Shuffling:
    """Three measures of one number, the least distance of two shapes of unit norm, found once for all of them."""

    def state(x: np.ndarray, label: str) -> Any:
        key = id(x), "shape", centre, alpha
        if key not in kept:
            kept[key] = x, shape._shape(as_matrix(x, label), label, centre, alpha)
        of = kept[key][1]
        return of if name == "procrustes" else shape._with_direction(of, label)

    def chord(left: Any, right: Any, order: np.ndarray | None) -> float:
        if not (left.norm and right.norm):
            return 0.0
        key = "chord", id(left), id(right), None if order is None else hash(order.tobytes())
        if key not in kept:
            kept[key] = shape._chord(left, right if order is None else _shape(right, order))
        return kept[key]

    def values(lefts: Sequence[Any], right: Any, order: np.ndarray | None) -> np.ndarray:
        return np.array([_CHORDS[name](chord(left, right, order), left, right) for left in lefts])

    return Shuffling(state, state, values)


_CHORDS: dict[str, Callable[[float, Any, Any], float]] = {
    "procrustes": shape._with_sizes,
    "procrustes_normalized": lambda chord, a, b: chord,
    "angular_shape": shape._angle,
}


# What is prepared of one representation, and its rows in another order


def _array(state: np.ndarray, order: np.ndarray) -> np.ndarray:
    return state[order]


def _shape(state: Any, order: np.ndarray) -> Any:
    return state._replace(array=state.array[order])


def _first_shape(state: tuple, order: np.ndarray) -> tuple:
    return _shape(state[0], order), *state[1:]


def _aligned(state: tuple, order: np.ndarray) -> tuple:
    return _shape(state[0], order), state[1][order], state[2]


def _first(state: tuple, order: np.ndarray) -> tuple:
    return state[0][order], *state[1:]


def _variates(state: tuple, order: np.ndarray) -> tuple:
    return state[0], state[1][order], *state[2:]


def _probe(state: Any, order: np.ndarray) -> Any:
    return state._replace(array=state.array[order], basis=state.basis[order])


_ROWS: dict[str, Callable[[Any, np.ndarray], Any]] = {
    "cca": _array,
    "svcca": _array,
    "pwcca": _variates,
    "cka_sampled_features": _first,
    "hard_correlation_match": _array,
    "soft_correlation_match": _array,
    "soft_matching": _array,
    "partial_soft_matching": _first,
    "permutation_procrustes": _first_shape,
    "aligned_cosine": _aligned,
    "probe_transfer": _probe,
}

#: Measures that do not see which object is which.
_INDIFFERENT = (
    "concentricity_difference",
    "geometry_score",
    "imd",
    "magnitude_difference",
    "uniformity_difference",
)
