"""Measures that are monotone in a sum over all pairs of objects: their value and chance level without a shuffle.

Up to ``DOUBLE`` objects the kernel matrices themselves give what is needed. Of more objects those that are products of
features do, and distances by one pass over blocks of pairs; the others are left to fewer objects. The skewness of more
than ``FEW`` objects is that of so many of them, drawn at random: it depends on the spectra of the two kernels, which
more objects do not change much. Few objects have their orders themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from helpers.arrays import as_matrix, generator
from helpers.similarity import subspace
from helpers.similarity._distances import well_scaled
from helpers.similarity._moments import (
    FEWEST,
    Form,
    Null,
    Orders,
    form_of_factor,
    form_of_matrix,
    form_of_sums,
    null_of,
    orders_of,
    shape_of,
)
from helpers.similarity._shuffling import DOUBLE, Shuffling, shuffling_of
from helpers.similarity.registry import Measure

__all__ = ["ClosedForms", "closed_forms_of", "largest_number_of_objects"]

FEW = 1024  # objects that the skewness is taken from

_FACTORS: dict[str, Callable[..., tuple[np.ndarray, float]]] = {}


def _factor(*names: str) -> Callable:
    def register(function: Callable) -> Callable:
        return _FACTORS.update(dict.fromkeys(names, function)) or function

    return register


@dataclass
class ClosedForms:
    """One measure of many pairs of representations of the same objects."""

    measure: Measure
    options: Mapping[str, Any]
    way: Shuffling
    kept: dict[Any, Any]
    many: bool | None = None  # whether there are too many objects for matrices; None: by their number
    lefts: dict[str, Form] = field(default_factory=dict)
    rights: dict[str, Form] = field(default_factory=dict)
    products: np.ndarray | None = None

    def results(
        self,
        lefts: Mapping[str, np.ndarray],
        rights: Mapping[str, np.ndarray],
        pairs: list[tuple[str, str]],
        memory: int,
    ) -> list[tuple[float, float, Null | Orders, Callable[[float], float]]]:
        """T, the measure, the moments under shuffling and the measure that another T gives, of every pair."""
        n, of = len(next(iter(lefts.values()))), {}
        if self._are_many(n) and self.measure.name in _DISTANCES:
            self._pass(lefts, rights)
            return [self._result(a, b) for a, b in pairs]
        at_once = len(lefts) if self._are_many(n) else max(1, memory // (8 * n * n) - 1)
        for start in range(0, len(lefts), at_once):
            group = [name for name in list(lefts)[start : start + at_once] if any(name == a for a, _ in pairs)]
            self.lefts = {name: self.form(lefts[name], name, "left") for name in group}
            for right, y in rights.items():
                chosen = [name for name in group if (name, right) in set(pairs)]
                if chosen:
                    self.rights[right] = self.form(y, right, "right")
                    of |= {(a, right): self._result(a, right) for a in chosen}
                    del self.rights[right]
        return [of[pair] for pair in pairs]

    def seconds(self, x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
        """How long one representation takes on the left, one on the right, and a pair of them."""
        if self._are_many(len(x)) and self.measure.name in _DISTANCES:  # all in one pass, pairs of one side too
            marks = [time.perf_counter()]
            for sides in (({"x": x}, {"y": y}), ({"x": x, "z": x}, {"y": y, "z": y})):
                self._pass(*sides)
                marks.append(time.perf_counter())
            two, four = np.diff(marks).tolist()
            pair = max((four - 2 * two) / 4, 0.0)  # 10 products of four and 3 of two
            return max((two - 3 * pair) / 2, 0.0), max((two - 3 * pair) / 2, 0.0), 4 * pair
        marks = [time.perf_counter()]
        self.lefts = {"x": self.form(x, "x", "left")}
        marks.append(time.perf_counter())
        self.rights = {"y": self.form(y, "y", "right")}
        marks.append(time.perf_counter())
        self._result("x", "y")
        marks.append(time.perf_counter())
        return tuple(np.diff(marks).tolist())

    def _result(self, a: str, b: str) -> tuple[float, float, Null | Orders, Callable[[float], float]]:
        left, right = (of._replace(data=None) for of in (self.lefts[a], self.rights[b]))
        return *self.value(a, b), self.null(a, b), lambda t: self.way.finish(t, left, right)

    def form(self, x: np.ndarray, name: str, side: str) -> Form:
        """What one representation gives."""
        skew = self._skew(x, name, side)
        if not self._are_many(len(x)):
            kernel = getattr(self.way, side)(x, name)
            return form_of_matrix(kernel.matrix, kernel.size, skew)
        u, size = _FACTORS[self.measure.name](as_matrix(x, name), name, side, **self.options)
        form = form_of_factor(u, skew, size)
        return _u_centred(form) if self.measure.name == "cka_unbiased" else form

    def _are_many(self, n: int) -> bool:
        return n > DOUBLE if self.many is None else self.many

    def _skew(self, x: np.ndarray, name: str, side: str) -> tuple[np.ndarray, int] | None:
        if len(x) <= FEW and not self._are_many(len(x)):
            return None
        rows = np.sort(generator(0).choice(len(x), min(FEW, len(x)), replace=False))
        return shape_of(getattr(self.way, side)(x[rows], name).matrix)

    def value(self, a: str, b: str) -> tuple[float, float]:
        """T, and the measure."""
        left, right = self.lefts[a], self.rights[b]
        if self.products is not None:
            t = float(self.products[list(self.lefts).index(a), list(self.rights).index(b)])
        elif not self._are_many(left.n):
            t = float(np.einsum("ij,ij->", left.data, right.data, dtype=np.float64))
        else:
            t = float(np.sum((left.data.T @ right.data).astype(np.float64) ** 2))
        if self.measure.name == "cka_unbiased" and self._are_many(left.n):
            t = _u_product(t, left, right)
        return t, self.way.finish(t, left, right)

    def null(self, a: str, b: str) -> Null | Orders:
        """T under shuffling."""
        left, right = self.lefts[a], self.rights[b]
        if left.n <= FEWEST and not self._are_many(left.n):
            return orders_of(left.data, right.data)
        return null_of(left, right)

    def _pass(self, lefts: Mapping[str, np.ndarray], rights: Mapping[str, np.ndarray]) -> None:
        """Distances of many objects: one pass gives all products, and the sums of the rows."""
        from helpers.similarity.streaming import Requirements, totals_of

        both = {f"x {name}": x for name, x in lefts.items()}
        same = lefts is rights
        both |= {} if same else {f"y {name}": y for name, y in rights.items()}
        key = "distances", *(id(x) for x in both.values())
        if key not in self.kept:
            self.kept[key] = both, totals_of(both, Requirements(distance=True))
        totals = self.kept[key][1]
        n, rows, unbiased = totals.n, totals.distance_rows, self.measure.name.endswith("unbiased")
        sums = rows.sum(axis=1)
        by, whole = (n - 2, (n - 1) * (n - 2)) if unbiased else (n, n * n)
        products = 2 * totals.distance - 2 / by * (rows @ rows.T) + np.outer(sums, sums) / whole
        diagonals = np.zeros_like(rows) if unbiased else sums[:, None] / whole - 2 / by * rows
        for named, side, forms in ((lefts, "left", self.lefts), (rights, "right", self.rights)):
            for number, (name, x) in enumerate(named.items()):
                at = number if same or side == "left" else len(lefts) + number
                skew = self._skew(x, name, side)
                forms[name] = form_of_sums(diagonals[at], np.zeros(n), float(products[at, at]), skew)
        self.products = products[: len(lefts), (0 if same else len(lefts)) :]


_DISTANCES = ("distance_correlation", "distance_correlation_unbiased")


def closed_forms_of(
    measure: Measure, options: Mapping[str, Any], kept: dict[Any, Any] | None = None
) -> ClosedForms | None:
    """How to calibrate a measure without shuffles, or None where that is not known."""
    way = shuffling_of(measure, options, kept)
    return ClosedForms(measure, options, way, {} if kept is None else kept) if way.finish is not None else None


def largest_number_of_objects(measure: Measure, options: Mapping[str, Any]) -> float:
    """Of how many objects a closed form is known."""
    if measure.name in _DISTANCES:
        return np.inf
    linear = not measure.name.startswith("cka") or options.get("kernel", "linear") == "linear"
    linear = linear and measure.name != "cka_rbf"
    # The trace of an unbiased kernel of other options is not known from its features.
    plain = measure.name == "cka_unbiased" or not options.get("unbiased", False)
    return np.inf if measure.name in _FACTORS and linear and plain else DOUBLE


@_factor("cka", "cka_unbiased")
def _centred_features(x: np.ndarray, name: str, side: str, **_: Any) -> tuple[np.ndarray, float]:
    return well_scaled(x, name), 1.0


@_factor("linear_regression")
def _regression(x: np.ndarray, name: str, side: str, predict: str = "x") -> tuple[np.ndarray, float]:
    of = subspace._regression(x, name)
    weighted = (side == "left") == (predict == "x")
    return (of.basis * np.sqrt(np.asarray(of.weights))[None, :].astype(of.basis.dtype) if weighted else of.basis), 1.0


@_factor("eigenspace_overlap")
def _overlap(x: np.ndarray, name: str, side: str, normalise: str = "features") -> tuple[np.ndarray, float]:
    of = subspace._overlap(x, name, normalise)
    return of.basis, float(of.width if normalise == "features" else of.basis.shape[1])


@_factor("gulp")
def _gulp(
    x: np.ndarray, name: str, side: str, regularisation: float = 0.0, squared: bool = False
) -> tuple[np.ndarray, float]:
    of = subspace._ridge(x, name, regularisation, squared)
    return of.basis * np.sqrt(np.asarray(of.weights))[None, :].astype(of.basis.dtype), 1.0


def _u_product(t: float, a: Form, b: Form) -> float:
    """The inner product of two U-centred matrices from that of the centred ones, whose diagonals the forms keep."""
    n = a.n
    u, v = a.diagonal, b.diagonal
    return t - n / (n - 2) * float(u @ v) + float(u.sum()) * float(v.sum()) / ((n - 1) * (n - 2))


def _u_centred(of: Form) -> Form:
    """The form of the U-centred matrix, with the features and the diagonal of the centred one."""
    square = _u_product(of.square, of, of)
    plain = form_of_sums(np.zeros(of.n), np.zeros(of.n), square, (of.skew, of.few))
    return plain._replace(data=of.data, diagonal=of.diagonal)
