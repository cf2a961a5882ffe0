"""How many objects and shuffles each measure can have within so many seconds, from what it takes of a few objects."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from helpers.similarity._engine.resources import available_threads
from helpers.similarity.registry import MEASURES

__all__ = ["NULLS", "Choice", "Planner"]

#: How chance is found: from shares of shuffles, from moments of few shuffles, from moments in closed form.
NULLS = ("shuffles", "fitted", "closed form")
COUNTS = (99, 39, 19, 9, 4)  # of shuffles, where not all that are asked for
FEWEST_OBJECTS = 250
PROBES = (128, 500, 1500)  # objects; the first ones to load and compile
MANY_PROBES = (1500, 3000)  # of forms of many objects, whose skewness is that of few in either
PATIENCE = 0.3  # seconds of a probe beyond which no larger one is made
STEEPEST, FLATTEST = 3.0, 1.0  # powers of n that times grow with


class Choice(NamedTuple):
    """How one measure is calibrated."""

    n_objects: int
    n_permutations: int
    null: str


class _Seconds(NamedTuple):
    left: float
    right: float
    value: float
    shuffle: float


class Planner:
    """Choices for measures that share a time; the cheapest ones first, so that the others know what is left."""

    def __init__(
        self,
        bound: Mapping[str, Mapping[str, Any]],
        lefts: Mapping[str, np.ndarray],
        rights: Mapping[str, np.ndarray],
        pairs: Mapping[str, int],
        n_permutations: int,
    ) -> None:
        from helpers.similarity._closed_forms import closed_forms_of, largest_number_of_objects
        from helpers.similarity._shuffling import DOUBLE

        self.n = len(next(iter(lefts.values())))
        self.sides, self.pairs, self.n_permutations = (len(lefts), len(rights)), pairs, n_permutations
        self.threads = available_threads()
        first = next(iter(lefts.values())), next(iter(rights.values()))
        kept: dict[Any, Any] = {}
        self.most = {name: largest_number_of_objects(MEASURES[name], options) for name, options in bound.items()}
        self.closed = {name: closed_forms_of(MEASURES[name], options) is not None for name, options in bound.items()}
        self.probes, self.probes_of_many, self.few = {}, {}, DOUBLE
        for name, options in bound.items():
            if not self.closed[name]:
                self.probes[name] = _probed(partial(_timed, name, options, kept=kept), *first)
                continue
            timed = partial(_timed_form, name, options)
            self.probes[name] = _probed(partial(timed, many=False), *first)
            if min(self.n, self.most[name]) > DOUBLE:
                self.probes_of_many[name] = _probed(partial(timed, many=True), *first, MANY_PROBES)

    def next(self, waiting: Sequence[str], seconds: float) -> tuple[str, Choice]:
        """The measure to take now, and how, where so many seconds are left for all that wait."""
        options = {name: self._options(name) for name in waiting}
        low, high = 0.0, max(seconds, 1e-9)
        for _ in range(50):  # the largest share that all can have
            level = (low + high) / 2
            needs = [_first_below(each, level)[0] for each in options.values()]
            total = sum(seconds for seconds in needs if math.isfinite(seconds))  # what could not be timed comes last
            low, high = (level, high) if total <= seconds else (low, level)
        chosen = {name: _first_below(each, low) for name, each in options.items()}
        name = min(chosen, key=lambda one: chosen[one][0])
        return name, chosen[name][1]

    def _options(self, name: str) -> list[tuple[float, Choice]]:
        """Choices from the best to the cheapest, with the seconds that each takes."""
        sizes, n = [], self.n
        while n >= FEWEST_OBJECTS or not sizes:
            sizes.append(n)
            n //= 2
        if self.closed[name]:
            sizes = sorted({min(size, self.most[name]) for size in sizes}, reverse=True)
            return [(self._seconds(name, n, 0), Choice(int(n), 0, "closed form")) for n in sizes]
        counts = [self.n_permutations, *(count for count in COUNTS if count < self.n_permutations)]
        choices = [Choice(n, b, "shuffles" if b == self.n_permutations else "fitted") for n in sizes for b in counts]
        return [(self._seconds(name, each.n_objects, each.n_permutations), each) for each in choices]

    def _seconds(self, name: str, n: int, shuffles: int) -> float:
        times = _at((self.probes_of_many if self.closed[name] and n > self.few else self.probes)[name], n)
        prepared = times.left * self.sides[0] + times.right * self.sides[1]
        return prepared + self.pairs[name] * (times.value + shuffles * times.shuffle / self.threads)


def _first_below(options: list[tuple[float, Choice]], level: float) -> tuple[float, Choice]:
    return next((each for each in options if each[0] <= level), min(options, key=lambda each: each[0]))


def _probed(
    timed: Callable[[np.ndarray, np.ndarray], _Seconds],
    x: np.ndarray,
    y: np.ndarray,
    sizes: Sequence[int] = PROBES,
) -> list[tuple[int, _Seconds]]:
    """What one pair took of a few objects; empty where no few will do."""
    out: list[tuple[int, _Seconds]] = []
    for size in sizes:
        n = min(size, len(x))
        try:
            found = timed(x[:n], y[:n])
        except (ValueError, TypeError):  # too few for its options; what is wrong with all objects is said when it runs
            continue
        out = [*out[1:], (n, found)] if len(out) > 1 or (out and out[0][0] == PROBES[0]) else [*out, (n, found)]
        if n == len(x) or sum(found) > PATIENCE and size > PROBES[0]:
            break
    return out


def _timed(name: str, options: Mapping[str, Any], x: np.ndarray, y: np.ndarray, kept: dict[Any, Any]) -> _Seconds:
    from helpers.similarity._shuffling import shuffling_of

    way = shuffling_of(MEASURES[name], options, kept)
    marks = [time.perf_counter()]
    left = way.left(x, "x")
    marks.append(time.perf_counter())
    right = way.right(y, "y")
    marks.append(time.perf_counter())
    way.values([left], right, None)
    marks.append(time.perf_counter())
    way.values([left], right, np.arange(len(x))[::-1].copy())
    marks.append(time.perf_counter())
    return _Seconds(*np.diff(marks).tolist())


def _timed_form(name: str, options: Mapping[str, Any], x: np.ndarray, y: np.ndarray, many: bool) -> _Seconds:
    from helpers.similarity._closed_forms import closed_forms_of

    forms = closed_forms_of(MEASURES[name], options)
    forms.many = many
    return _Seconds(*forms.seconds(x, y), 0.0)


def _at(probes: list[tuple[int, _Seconds]], n: int) -> _Seconds:
    """Seconds of so many objects, by the power law between the last two probes."""
    if not probes:
        return _Seconds(math.inf, 0.0, 0.0, 0.0)
    size, last = probes[-1]
    if len(probes) == 1:
        return _Seconds(*(t * (n / size) ** 2 for t in last))
    before, first = probes[-2]

    def grown(early: float, late: float) -> float:
        power = math.log(max(late, 1e-9) / max(early, 1e-9)) / math.log(size / before) if size > before else 2.0
        return late * (n / size) ** min(max(power, FLATTEST), STEEPEST)

    return _Seconds(*(grown(early, late) for early, late in zip(first, last, strict=True)))
