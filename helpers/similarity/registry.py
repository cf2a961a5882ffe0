"""All measures by name, with what is known about each: see :class:`helpers.similarity.entry.Measure`.

Importing this module loads none of them; a measure's own module is imported when it is first used.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping

from helpers.similarity.entry import INVARIANCES, Measure

__all__ = ["INVARIANCES", "MEASURES", "Measure"]


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
    formula: str,
    fooled: str,
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
        formula,
        fooled,
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
            r"\frac{1}{\min(r_X, r_Y)} \sum_i \rho_i, \quad \rho_i \text{ the singular values of } Q_X^\top Q_Y",
            "stretched",
        ),
        _measure(
            "cca.svcca",
            _SIMILARITY,
            _UNIT,
            "rpst",
            "time np·min(n, p)",
            "raghu2017svcca",
            "Mean canonical correlation of the principal components that hold 99 % of the variance.",
            r"\operatorname{CCA}(X', Y'), \quad X', Y' \text{ the principal components with 99 \% of the variance}",
            "stretched",
        ),
        _measure(
            "cca.pwcca",
            _SIMILARITY,
            _UNIT,
            "pst",
            "time np²",
            "morcos2018insights",
            "Canonical correlations weighted by what their variates explain of x.",
            r"\frac{\sum_i \alpha_i \rho_i}{\sum_i \alpha_i}, "
            r"\quad \alpha_i = \sum_j \lvert h_i^\top H X_{\cdot j} \rvert",
            "stretched",
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
            r"\frac{\lVert Y^\top H X \rVert_F^2}{\lVert X^\top H X \rVert_F \, \lVert Y^\top H Y \rVert_F}",
            "loud",
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
            r"\frac{\langle HKH, HLH \rangle}{\lVert HKH \rVert_F \, \lVert HLH \rVert_F}, "
            r"\quad K_{ij} = e^{-\lVert x_i - x_j \rVert^2 / 2 \sigma^2}, \; \sigma \text{ the median distance}",
            "loud",
        ),
        _measure(
            "cka.cka_unbiased",
            _SIMILARITY,
            _SIGNED,
            "rpst",
            "time min(np², n²p)",
            "song2012feature",
            "Linear CKA from unbiased estimates of HSIC: 0 on average for independent data.",
            r"\frac{\operatorname{HSIC}_1(K, L)}{\sqrt{\operatorname{HSIC}_1(K, K) \operatorname{HSIC}_1(L, L)}}, "
            r"\quad K = XX^\top, \; L = YY^\top",
            "loud",
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
            r"\operatorname{Spearman}_{i < j} (D^X_{ij}, D^Y_{ij}), "
            r"\quad D_{ij} = 1 - \text{Pearson's correlation of rows } i, j",
            "loud",
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
            r"\lVert D^X - D^Y \rVert_F",
            "scaled",
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
            r"\frac1n \sum_i \frac{\lvert N_i \cap N'_i \rvert}{\lvert N_i \cup N'_i \rvert}",
            "rearranged",
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
            r"\frac1n \sum_i \frac{\lvert N_i \cap N'_i \rvert}{k}",
            "rearranged",
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
            r"\frac1n \sum_i \frac{1}{H_{m_i}} \sum_{v \in N_i \cap N'_i} \frac{2}{(1 + \lvert r - r' \rvert)(r + r')}"
            r", \quad m_i = \lvert N_i \cap N'_i \rvert",
            "rearranged",
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
            r"\frac1n \sum_i \cos\bigl( (d_{iv})_v, (d'_{iv})_v \bigr), \quad v \in N_i \cup N'_i",
            "wide",
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
            r"\sqrt{\frac{\langle A, B \rangle}{\lVert A \rVert_F \lVert B \rVert_F}}, "
            r"\quad A = H D^X H, \; B = H D^Y H",
            "loud",
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
            r"\frac{\langle \tilde A, \tilde B \rangle}{\lVert \tilde A \rVert_F \lVert \tilde B \rVert_F}, "
            r"\quad \tilde A, \tilde B \text{ the U-centred distances}",
            "loud",
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
            r"\min_{Q^\top Q = I} \lVert HXQ - HY \rVert_F",
            "scaled",
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
            r"\sqrt{2 - 2 \lVert X^\top Y \rVert_*}, \quad X, Y \text{ centred, of unit norm}",
            "loud",
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
            r"\arccos \lVert X^\top Y \rVert_*, \quad X, Y \text{ centred, of unit norm}",
            "loud",
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
            r"\min_P \lVert XP - Y \rVert_F, \quad P \text{ a permutation of the features}",
            "rotated",
        ),
        _measure(
            "shape.aligned_cosine",
            _SIMILARITY,
            _SIGNED,
            "rps",
            _PROCRUSTES_COST,
            "hamilton2016diachronic",
            "Mean cosine between the rows after the best orthogonal map.",
            r"\frac1n \sum_i \cos(x_i Q, y_i), "
            r"\quad Q \text{ the orthogonal map with the least } \lVert XQ - Y \rVert_F",
            "far",
        ),
        _measure(
            "matching.hard_correlation_match",
            _SIMILARITY,
            _SIGNED,
            "pst",
            "time npq + pq²",
            "li2015convergent",
            "Mean correlation of features matched one to one.",
            r"\max_\pi \frac{1}{\min(p, q)} \sum_j C_{j \pi(j)}, "
            r"\quad C_{ij} = \operatorname{corr}(X_{\cdot i}, Y_{\cdot j})",
            "rotated",
        ),
        _measure(
            "matching.soft_correlation_match",
            _SIMILARITY,
            _SIGNED,
            "pst",
            "time npq",
            "li2015convergent",
            "Mean correlation of every feature with its best partner.",
            r"\frac12 \Bigl( \frac1p \sum_i \max_j C_{ij} + \frac1q \sum_j \max_i C_{ij} \Bigr)",
            "rotated",
        ),
        _measure(
            "subspace.linear_regression",
            _SIMILARITY,
            _UNIT,
            "rpst",
            "time np·min(n, p)",
            "kornblith2019similarity",
            "Share of the variance of x that a linear regression on y explains (R²).",
            r"\frac{\lVert Q_Y^\top H X \rVert_F^2}{\lVert H X \rVert_F^2}",
            "stretched",
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
            r"\frac{\lVert U^\top V \rVert_F^2}{\max(p, q)}, \quad U, V \text{ the left singular vectors of } X, Y",
            "stretched",
        ),
        _measure(
            "subspace.gulp",
            _DISTANCE,
            _POSITIVE,
            "rpsit",
            "time np·min(n, p)",
            "boixadsera2022gulp",
            "Root mean squared difference of the linear regressions on x and on y over all targets.",
            r"\lVert Q_X Q_X^\top - Q_Y Q_Y^\top \rVert_F",
            "stretched",
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
            r"\Bigl\lvert \frac1n \sum_i \cos(x_i, \bar x) - \frac1n \sum_i \cos(y_i, \bar y) \Bigr\rvert",
            "shuffled",
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
            r"\bigl\lvert \lVert \bar x \rVert - \lVert \bar y \rVert \bigr\rvert",
            "shuffled",
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
            r"\lvert u(X) - u(Y) \rvert, \quad u(X) = \log \frac{1}{n^2} \sum_{ij} e^{-2 \lVert x_i - x_j \rVert^2}",
            "shuffled",
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
            r"10^6 \max_t e^{-2(t + 1/t)} \lvert h_X(t) - h_Y(t) \rvert, "
            r"\quad h(t) = \frac1n \operatorname{tr} e^{-tL}",
            "shuffled",
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
            r"\sum_i (m_i - m'_i)^2, \quad m_i \text{ the expected share of scales with } i \text{ holes}",
            "shuffled",
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
            r"\frac12 \sum_{\text{both directions}} \; \sum_{\text{bars of the R-cross-barcode}} (\text{death} - "
            r"\text{birth})",
            "ring",
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
            r"\tfrac12 \bigl( T(r^X) + T(r^Y) \bigr) - T(\min(r^X, r^Y))",
            "ring",
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
            r"\frac{\operatorname{mean}_{ab} h(x_a, y_b)}{\sqrt{\operatorname{mean}_{a \ne b} h(x_a, x_b) \, "
            r"\operatorname{mean}_{a \ne b} h(y_a, y_b)}}, \quad h \text{ the unbiased HSIC of two features}",
            "loud",
        ),
        _measure(
            "neighbour_kernels.cknna",
            _SIMILARITY,
            _SIGNED,
            "rps",
            _PAIRS_COST,
            "huh2024platonic",
            "Unbiased CKA of the cosines between mutual nearest neighbours alone.",
            r"\frac{h(mK, mL)}{\sqrt{h(m^X K, m^X K) \, h(m^Y L, m^Y L)}}, "
            r"\quad h \text{ the unbiased HSIC}, \; m = m^X m^Y",
            "rearranged",
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
            r"\frac1n \, \#\{ i : i \in N_v \text{ for some } v \in N'_i \}",
            "rearranged",
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
            r"\cos(KH, LH), \quad K_{ij} = e^{-(d_{ij} - \rho_i) / \sigma_i} \text{ for neighbours } j \text{ of } i",
            "rearranged",
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
            r"\frac{2 \bar r - k - 1}{n - k - 1}, "
            r"\quad \bar r \text{ the mean rank in } Y \text{ of the } k \text{ nearest in } X",
            "rearranged",
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
            r"1 - \frac{\sum_i \lVert y_i - \hat y_{-i} \rVert^2}{\sum_i \lVert y_i - \bar y_{-i} \rVert^2}, "
            r"\quad \hat y_{-i} \text{ by ridge regression on } X",
            "stretched",
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
            r"\max_T \sum_{ij} T_{ij} C_{ij}, "
            r"\quad T \mathbf 1 = \tfrac1p \mathbf 1, \; T^\top \mathbf 1 = \tfrac1q \mathbf 1",
            "rotated",
        ),
        _measure(
            "matching.partial_soft_matching",
            _SIMILARITY,
            _SIGNED,
            "pst",
            "time npq, and a transport of p to q features",
            "kapoor2026partial",
            "Mean correlation of the four fifths of the features that a partial transport matches best.",
            r"\frac1m \max_T \sum_{ij} T_{ij} C_{ij}, "
            r"\quad T \mathbf 1 \le \tfrac1p \mathbf 1, \; T^\top \mathbf 1 \le \tfrac1q \mathbf 1, "
            r"\; \mathbf 1^\top T \mathbf 1 = m",
            "rotated",
        ),
        _measure(
            "spanning.nts",
            _SIMILARITY,
            _SIGNED,
            "rpst",
            "time n²p",
            "wang2026symmetric",
            "Rank correlation of the scales at which objects join, over the edges of both spanning trees.",
            r"\operatorname{Spearman}_{ij} (\text{scale at which } i, j \text{ join in } X, \text{ in } Y), "
            r"\quad ij \text{ on either spanning tree}",
            "rearranged",
        ),
        _measure(
            "spanning.srtd_lite",
            _DISTANCE,
            _POSITIVE,
            "rpst",
            "time n²p",
            "wang2026symmetric",
            "Length of the spanning tree of the larger distances less that of the smaller ones.",
            r"T(\max(r^X, r^Y)) - T(\min(r^X, r^Y))",
            "ring",
        ),
        _measure(
            "spanning.max_rtd_lite",
            _DISTANCE,
            _POSITIVE,
            "rpst",
            "time n²p",
            "wang2026symmetric",
            "Length of the spanning tree of the larger distances less those of the two.",
            r"T(\max(r^X, r^Y)) - \tfrac12 \bigl( T(r^X) + T(r^Y) \bigr)",
            "ring",
        ),
    ]
)
