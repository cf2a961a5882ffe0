"""All measures by name, with what is known about each: orientation, range, invariances, cost, source.

Importing this module loads none of them; a measure's own module is imported when it is first used.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helpers.similarity.streaming import Streamed

__all__ = ["INVARIANCES", "MEASURES", "Measure"]

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


class _Registry(Mapping[str, Measure]):
    """A read-only mapping whose error names the closest keys."""

    def __init__(self, measures: list[Measure]) -> None:
        self._measures = {measure.name: measure for measure in measures}

    def __getitem__(self, name: str) -> Measure:
        try:
            return self._measures[name]
        except KeyError:
            close = difflib.get_close_matches(str(name), self._measures, cutoff=0.4)
            hint = f"did you mean {', '.join(close)}?" if close else f"there are {', '.join(self._measures)}"
            raise KeyError(f"no measure is called {name!r}; {hint}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._measures)

    def __len__(self) -> int:
        return len(self._measures)

    def __repr__(self) -> str:
        return f"MEASURES({', '.join(self)})"


def _measure(
    path: str,
    orientation: str,
    span: tuple[float, float],
    invariances: str,
    cost: str,
    reference: str,
    summary: str,
    *,
    metric: bool = False,
    symmetric: bool = True,
    stochastic: bool = False,
    streamed: bool = False,
) -> Measure:
    module, name = path.split(".")
    letters = {"r": "rotation", "p": "permutation", "s": "isotropic scale", "i": "invertible map", "t": "translation"}
    return Measure(
        name,
        orientation,
        span,
        metric,
        symmetric,
        frozenset(letters[letter] for letter in invariances),
        stochastic,
        cost,
        reference,
        summary,
        f"helpers.similarity.{module}",
        streamed,
    )


_UNIT, _SIGNED, _POSITIVE = (0.0, 1.0), (-1.0, 1.0), (0.0, math.inf)
_SIMILARITY, _DISTANCE = "similarity", "distance"
_PROCRUSTES_COST = "time npq + pq² (p, q at most n)"
_PAIRS_COST = "time n²p, blocks of some million distances"

#: Every measure by name: ``MEASURES["cka"](x, y)``.
MEASURES: Mapping[str, Measure] = _Registry(
    [
        _measure(
            "cca.cca",
            _SIMILARITY,
            _UNIT,
            "rpsit",
            "time np²",
            "hotelling1936relations",
            "Mean canonical correlation.",
        ),
        _measure(
            "cca.svcca",
            _SIMILARITY,
            _UNIT,
            "rpst",
            "time np·min(n, p)",
            "raghu2017svcca",
            "Mean canonical correlation of the principal components that hold 99 % of the variance.",
        ),
        _measure(
            "cca.pwcca",
            _SIMILARITY,
            _UNIT,
            "pst",
            "time np²",
            "morcos2018insights",
            "Canonical correlations weighted by what their variates explain of x.",
            symmetric=False,
        ),
        _measure(
            "cka.cka",
            _SIMILARITY,
            _UNIT,
            "rpst",
            "time min(np², n²p)",
            "kornblith2019similarity",
            "Cosine between the centred linear kernel matrices.",
            streamed=True,
        ),
        _measure(
            "cka.cka_rbf",
            _SIMILARITY,
            _UNIT,
            "rpst",
            "time n²p, memory n²",
            "kornblith2019similarity",
            "Cosine between the centred Gaussian kernel matrices.",
        ),
        _measure(
            "cka.cka_unbiased",
            _SIMILARITY,
            _SIGNED,
            "rpst",
            "time min(np², n²p)",
            "song2012feature",
            "Linear CKA from unbiased estimates of HSIC: 0 on average for independent data.",
            streamed=True,
        ),
        _measure(
            "rsa.rsa",
            _SIMILARITY,
            _SIGNED,
            "ps",
            "time n²(p + log n)",
            "kriegeskorte2008representational",
            "Spearman correlation of the correlation distances between objects.",
            streamed=True,
        ),
        _measure(
            "rsa.rsm_norm_difference",
            _DISTANCE,
            _POSITIVE,
            "rpt",
            _PAIRS_COST,
            "yin2018dimensionality",
            "Frobenius norm of the difference of the matrices of Euclidean distances.",
            metric=True,
        ),
        _measure(
            "neighbours.jaccard",
            _SIMILARITY,
            _UNIT,
            "rps",
            _PAIRS_COST,
            "wang2022towards",
            "Mean Jaccard similarity of the sets of ten nearest neighbours by cosine.",
            streamed=True,
        ),
        _measure(
            "neighbours.mutual_knn",
            _SIMILARITY,
            _UNIT,
            "rps",
            _PAIRS_COST,
            "huh2024platonic",
            "Mean share of common neighbours among the ten nearest by cosine.",
            streamed=True,
        ),
        _measure(
            "neighbours.rank_similarity",
            _SIMILARITY,
            _UNIT,
            "rps",
            _PAIRS_COST,
            "wang2022towards",
            "Agreement of the ranks of the common nearest neighbours.",
            streamed=True,
        ),
        _measure(
            "neighbours.second_order_cosine",
            _SIMILARITY,
            _UNIT,
            "rps",
            _PAIRS_COST,
            "hamilton2016cultural",
            "Mean cosine between the vectors of distances to the nearest neighbours of either side.",
            streamed=True,
        ),
        _measure(
            "dependence.distance_correlation",
            _SIMILARITY,
            _UNIT,
            "rpst",
            _PAIRS_COST,
            "szekely2007measuring",
            "Correlation of the doubly centred Euclidean distances (square root, V-statistic).",
            streamed=True,
        ),
        _measure(
            "dependence.distance_correlation_unbiased",
            _SIMILARITY,
            _SIGNED,
            "rpst",
            _PAIRS_COST,
            "szekely2013distance",
            "Bias-corrected squared distance correlation: 0 on average for independent data.",
            streamed=True,
        ),
        _measure(
            "shape.procrustes",
            _DISTANCE,
            _POSITIVE,
            "rpt",
            _PROCRUSTES_COST,
            "williams2021generalized",
            "Frobenius distance after centring and the best orthogonal map.",
            metric=True,
        ),
        _measure(
            "shape.procrustes_normalized",
            _DISTANCE,
            (0.0, math.sqrt(2)),
            "rpst",
            _PROCRUSTES_COST,
            "ding2021grounding",
            "Procrustes distance of centred representations of unit norm.",
            metric=True,
        ),
        _measure(
            "shape.angular_shape",
            _DISTANCE,
            (0.0, math.pi / 2),
            "rpst",
            _PROCRUSTES_COST,
            "williams2021generalized",
            "Angle between centred representations after the best orthogonal map.",
            metric=True,
        ),
        # A metric between representations of one width only: padding breaks the triangle inequality across widths.
        _measure(
            "shape.permutation_procrustes",
            _DISTANCE,
            _POSITIVE,
            "p",
            "time npq + pq²",
            "williams2021generalized",
            "Frobenius distance after the best matching of the features.",
        ),
        _measure(
            "shape.aligned_cosine",
            _SIMILARITY,
            _SIGNED,
            "rps",
            _PROCRUSTES_COST,
            "hamilton2016diachronic",
            "Mean cosine between the rows after the best orthogonal map.",
        ),
        _measure(
            "matching.hard_correlation_match",
            _SIMILARITY,
            _SIGNED,
            "pst",
            "time npq + pq²",
            "li2015convergent",
            "Mean correlation of features matched one to one.",
        ),
        _measure(
            "matching.soft_correlation_match",
            _SIMILARITY,
            _SIGNED,
            "pst",
            "time npq",
            "li2015convergent",
            "Mean correlation of every feature with its best partner.",
        ),
        _measure(
            "subspace.linear_regression",
            _SIMILARITY,
            _UNIT,
            "rpst",
            "time np·min(n, p)",
            "kornblith2019similarity",
            "Share of the variance of x that a linear regression on y explains (R²).",
            symmetric=False,
        ),
        _measure(
            "subspace.eigenspace_overlap",
            _SIMILARITY,
            _UNIT,
            "rpsi",
            "time np·min(n, p)",
            "may2019downstream",
            "Overlap of the spans of the features, not centred, over the larger width.",
        ),
        _measure(
            "subspace.gulp",
            _DISTANCE,
            _POSITIVE,
            "rpsit",
            "time np·min(n, p)",
            "boixadsera2022gulp",
            "Root mean squared difference of the linear regressions on x and on y over all targets.",
            metric=True,
        ),
        _measure(
            "statistics.concentricity_difference",
            _DISTANCE,
            (0.0, 2.0),
            "rps",
            "time np",
            "wang2022towards",
            "Difference of the mean cosines between the rows and the mean row.",
            metric=True,
        ),
        _measure(
            "statistics.magnitude_difference",
            _DISTANCE,
            _POSITIVE,
            "rp",
            "time np",
            "wang2022towards",
            "Difference of the lengths of the mean rows.",
            metric=True,
        ),
        _measure(
            "statistics.uniformity_difference",
            _DISTANCE,
            _POSITIVE,
            "rpt",
            _PAIRS_COST,
            "wang2020understanding",
            "Difference of the log mean Gaussian potentials of the points.",
            metric=True,
        ),
        _measure(
            "graphs.imd",
            _DISTANCE,
            (0.0, 1e6 * math.exp(-4)),
            "rpst",
            "time n²p + n³ (above n = 3000: n²p), memory n² (above: n)",
            "tsitsulin2020shape",
            "Largest weighted difference of the heat traces of the neighbour graphs.",
            metric=True,
            stochastic=True,
        ),
        _measure(
            "graphs.geometry_score",
            _DISTANCE,
            (0.0, 2.0),
            "rpst",
            "time n²p + 64 000 n, at most 128 MB of distances",
            "khrulkov2018geometry",
            "Squared distance between the mean living times of holes in random witness complexes.",
            stochastic=True,
        ),
        _measure(
            "topology.rtd",
            _DISTANCE,
            _POSITIVE,
            "rpst",
            "10 barcodes a direction of 500 objects each, whatever n",
            "barannikov2022representation",
            "Total length of the bars by which the topology of two joined distance graphs differs.",
            stochastic=True,
        ),
        _measure(
            "topology.rtd_lite",
            _DISTANCE,
            _POSITIVE,
            "rpst",
            "time n²p",
            "tulchinskii2025rtdlite",
            "Length that the minimum spanning trees lose when the two distance graphs are joined.",
            metric=True,  # thresholded graphs: the rank of a union of edges is submodular
        ),
        _measure(
            "cka.cka_sampled_features",
            _SIMILARITY,
            (-math.inf, math.inf),
            "pst",
            "time n(p + q)²",
            "chun2025estimating",
            "Linear CKA estimated over pairs of different objects and of different features.",
        ),
        _measure(
            "neighbour_kernels.cknna",
            _SIMILARITY,
            _SIGNED,
            "rps",
            _PAIRS_COST,
            "huh2024platonic",
            "Unbiased CKA of the cosines between mutual nearest neighbours alone.",
            streamed=True,
        ),
        _measure(
            "neighbour_kernels.cycle_knn",
            _SIMILARITY,
            _UNIT,
            "rps",
            _PAIRS_COST,
            "huh2024platonic",
            "Share of the objects that a step to a neighbour in y and one in x can bring back.",
            symmetric=False,
            streamed=True,
        ),
        _measure(
            "neighbour_kernels.mka",
            _SIMILARITY,
            _SIGNED,
            "rpst",
            _PAIRS_COST,
            "islam2025manifold",
            "CKA of the kernels of the neighbour graphs, with a scale for every object.",
            streamed=True,
        ),
        _measure(
            "containment.information_imbalance",
            _DISTANCE,
            (0.0, 2.0),
            "rpst",
            _PAIRS_COST,
            "glielmo2022ranking",
            "How far away in y the nearest neighbours in x are: 0 if x holds what y knows of nearness.",
            symmetric=False,
        ),
        _measure(
            "containment.probe_transfer",
            _SIMILARITY,
            (-math.inf, 1.0),
            "rpst",
            "time np·min(n, p) + npq",
            "golub1979generalized",
            "Share of the variance of y that ridge regressions on x explain of objects left out.",
            symmetric=False,
        ),
        _measure(
            "matching.soft_matching",
            _SIMILARITY,
            _SIGNED,
            "pst",
            "time npq, and a transport of p to q features",
            "khosla2024soft",
            "Mean correlation of features under the optimal transport between them.",
        ),
        _measure(
            "matching.partial_soft_matching",
            _SIMILARITY,
            _SIGNED,
            "pst",
            "time npq, and a transport of p to q features",
            "kapoor2026partial",
            "Mean correlation of the four fifths of the features that a partial transport matches best.",
        ),
        _measure(
            "spanning.nts",
            _SIMILARITY,
            _SIGNED,
            "rpst",
            "time n²p",
            "wang2026symmetric",
            "Rank correlation of the scales at which objects join, over the edges of both spanning trees.",
        ),
        _measure(
            "spanning.srtd_lite",
            _DISTANCE,
            _POSITIVE,
            "rpst",
            "time n²p",
            "wang2026symmetric",
            "Length of the spanning tree of the larger distances less that of the smaller ones.",
        ),
        _measure(
            "spanning.max_rtd_lite",
            _DISTANCE,
            _POSITIVE,
            "rpst",
            "time n²p",
            "wang2026symmetric",
            "Length of the spanning tree of the larger distances less those of the two.",
        ),
    ]
)
