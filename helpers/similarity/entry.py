"""What is known of a measure: its definition, orientation, range, invariances, cost, source, and what fools it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helpers.similarity.streaming import Streamed

__all__ = ["INVARIANCES", "Measure"]

#: What can be done to the features of either representation alone: an orthogonal map, a permutation, a positive factor
#: for all, an invertible linear map, a vector added to every row.
INVARIANCES = ("rotation", "permutation", "isotropic scale", "invertible map", "translation")


@dataclass(frozen=True)
class Measure:
    """One measure, callable: ``MEASURES["cka"](x, y, **options) -> float``.

    What it states holds for the default options and, up to rounding, for all representations on which the measure is
    defined; the tests measure every statement and show a counterexample to everything that is not claimed.

    Attributes
    ----------
    name
        Key in :data:`MEASURES` and name of the function.
    orientation
        ``"similarity"`` (larger is more alike) or ``"distance"`` (smaller is more alike).
    range
        Lowest and highest value that can occur.
    metric
        Whether the triangle inequality holds (of similarities it is not asked). A distance of 0 need not mean equal.
    symmetric
        Whether x and y may be exchanged.
    invariances
        Names in :data:`INVARIANCES` of the maps that change nothing, whichever of the two representations they are
        applied to.
    stochastic
        Whether the measure takes a seed or generator ``rng``.
    cost
        Leading terms of time, and of memory where it exceeds that of the inputs, in n, p and q (p ≥ q).
    reference
        Key of the source in the bibliography.
    summary
        Summary in one line.
    formula
        Definition in LaTeX, without dollars; the page of measures explains the letters.
    fooled
        Name in :data:`helpers.similarity.cases.CASES` of a made case that the measure gets wrong.
    module
        Module in which the function is defined.
    streamed
        Whether one pass over blocks of pairs of objects serves all pairs of representations: the module then declares
        in its ``STREAMED`` what the pass must gather and how the measure follows.
    """

    name: str
    orientation: str
    range: tuple[float, float]
    metric: bool
    symmetric: bool
    invariances: frozenset[str]
    stochastic: bool
    cost: str
    reference: str
    summary: str
    formula: str
    fooled: str
    module: str
    streamed: bool = False

    def __call__(self, x: Any, y: Any, **options: Any) -> float:
        return self.function(x, y, **options)

    @property
    def function(self) -> Callable[..., float]:
        """The function itself."""
        return getattr(import_module(self.module), self.name)

    @property
    def declaration(self) -> Streamed:
        """What a streamed measure requires of a pass and how it finishes."""
        return import_module(self.module).STREAMED[self.name]

    @property
    def whole_matrix(self) -> Callable[..., Any] | None:
        """A way of its own to all pairs at once, or None.

        ``whole_matrix(named, checkpoint=…, progress=…, **options)`` gives an array of shape (L, L), or None where the
        options ask for pairs one by one.
        """
        return getattr(import_module(self.module), "_MATRIX", {}).get(self.name)

    def with_defaults(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """All options of the function, the given ones in place of its defaults; ``TypeError`` if there is none such."""
        known = {
            name: parameter.default
            for name, parameter in inspect.signature(self.function).parameters.items()
            if parameter.kind is parameter.KEYWORD_ONLY
        }
        if stray := set(options) - set(known):
            raise TypeError(
                f"{self.name} has no option {', '.join(map(repr, sorted(stray)))}; "
                + (f"its options are {', '.join(known)}" if known else "it has none")
            )
        return known | dict(options)

    @property
    def prepare(self) -> Callable[..., Any] | None:
        """``prepare(x, name="x", **options)``: all that depends on one representation alone, or None.

        Where it is not None, ``measure(x, y, **options)`` is ``between(prepare(x, **options), prepare(y, **options))``,
        and a matrix of all pairs prepares each representation once.
        """
        state = self._parts[0]
        if state is None:
            return None

        @functools.wraps(state)
        def prepare(x: Any, name: str = "x", **options: Any) -> Any:
            from helpers.arrays import as_matrix

            return state(as_matrix(x, name), name, **options)

        return prepare

    @property
    def between(self) -> Callable[[Any, Any], float] | None:
        """The value of two prepared representations, or None; see :attr:`prepare`."""
        return self._parts[1]

    @property
    def _parts(self) -> tuple[Callable | None, Callable | None]:
        return getattr(import_module(self.module), "_PARTS", {}).get(self.name, (None, None))
