r"""Does difference pay? Correlations of what pairs of embeddings gain with how similar they are.

For models i and j of one experiment with accuracies :math:`a_i, a_j` and the accuracy :math:`a_{ij}` of their
combination, the *gain* is :math:`\Delta_{ij} = a_{ij} - \max(a_i, a_j)`. What is left of it after a linear regression
on :math:`\min(a_i, a_j)` and :math:`\max(a_i, a_j)` is correlated with each measure. Pairs that share a model are not
independent, so the unit of every interval is the experiment, and of every test the model. The *table of pairs* is that
of :mod:`helpers.studies.pair_gains`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from helpers import metrics
from helpers.inference import Claim
from helpers.studies.pair_gains import COMBINATIONS

if TYPE_CHECKING:
    import pandas as pd

    from helpers.inference import Finding

__all__ = [
    "PUBLISHED_NAMES",
    "claims",
    "detection_power",
    "findings",
    "gain_correlations",
    "noise_share",
    "null_correlations",
    "stability",
    "stability_finding",
]


PUBLISHED_NAMES = {
    "OrthogonalAngularShapeMetricCentered": "angular_shape",
    "PermutationProcrustes": "permutation_procrustes",
    "OrthogonalProcrustesCenteredAndNormalized": "procrustes_normalized",
    "RSMNormDifference": "rsm_norm_difference",
    "JaccardSimilarity": "jaccard",
    "RSA": "rsa",
    "SoftCorrelationMatch": "soft_correlation_match",
    "RankSimilarity": "rank_similarity",
    "HardCorrelationMatch": "hard_correlation_match",
    "CKA": "cka",
    "DistanceCorrelation": "distance_correlation",
}
"""Name of a measure in the published table → its name here."""

ROWS = 1 << 21


def gain_correlations(
    pairs: pd.DataFrame,
    measures: Sequence[str],
    *,
    combinations: Sequence[str] = COMBINATIONS,
    within: bool = False,
    confidence_level: float = 0.95,
    n_resamples: int = 2000,
    n_permutations: int = 1999,
    n_deciding: int | None = None,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    r"""Correlation of each measure with what a combination gains beyond what the two accuracies predict.

    Parameters
    ----------
    pairs
        A table of pairs: see the module.
    measures
        Columns of the table to correlate.
    combinations
        Ways of combining whose gains are correlated.
    within
        Whether the means of the experiments are taken away from everything first. By default all pairs are pooled, as
        published.
    confidence_level
        Confidence level of the intervals.
    n_resamples, n_permutations, rng
        Number of bootstrap resamples of experiments, number of random relabellings of models, and seed or generator.
    n_deciding
        Number of new relabellings for ``p`` where the first ones leave open on which side of its limit in Holm's
        procedure the p-value lies; ten times ``n_permutations`` by default.

    Returns
    -------
    DataFrame
        One row per combination and measure: ``pearson`` and ``spearman`` with their limits (``pearson_ci_low``, …), the
        permutation p-values ``p`` (of Pearson's) and ``p_spearman``, ``p_holm`` (``p`` corrected for the measures of
        this combination), ``p_floor``, the least value that ``p`` can have by its number of relabellings, so that a
        p-value there is known as "at most", ``toward`` (Pearson's, with its sign turned for similarities, so that
        above 0 difference pays), ``n_pairs``, ``n_experiments``. Limits are missing with fewer than three experiments.

    Raises
    ------
    KeyError, ValueError
        If a column is missing, a value is not finite, an experiment does not have every pair of its models, or there
        are too few pairs for the regression (5).

    Notes
    -----
    *Interval*: whole experiments are drawn with replacement and everything, regression and ranks included, is computed
    again; percentiles, expanded for the small number G of experiments: the confidence_level is that of the quantiles of
    Student's t with G - 1 degrees of freedom, times √(G / (G - 1)), on the scale of the normal (Hesterberg 2015, What
    teachers should know about the bootstrap, The American Statistician 69).

    *Test*: the models of each experiment are relabelled at random for the measure alone, which keeps whatever each
    model brings to all of its pairs, as in Mantel's test. Before that, the measure too is regressed on the two
    accuracies, and what is left of it is relabelled (double semi-partialling; Dekker, Krackhardt and Snijders 2007,
    Sensitivity of MRQAP tests, Psychometrika 72). The null hypothesis: given the two accuracies, gain and measure are
    related by no more than chance labels would bring about.

    Simulated without a relation (400 tables of each kind: models that bring something to all of their pairs, accuracies
    related to the measure, heavy tails, unequal spreads, levels that differ between experiments), the test at 0.05
    rejected 4.0 to 7.5 % of the tables of 17 experiments, 5.6 % on average, and 3.7 to 6.2 % of those of 4; intervals
    of 95 % covered in 92 to 95 %, and with 4 experiments in 91 to 95 %, 93 % on average.

    O((resamples + permutations) · pairs) for each measure.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from itertools import combinations
    >>> from helpers.studies.gain_correlations import gain_correlations
    >>> rng = np.random.default_rng(0)
    >>> rows = [(e, i, j) for e in range(9) for i, j in combinations(range(5), 2)]
    >>> pairs = pd.DataFrame(rows, columns=["experiment", "model_a", "model_b"])
    >>> pairs["accuracy_a"], pairs["accuracy_b"] = rng.uniform(size=(2, 90))
    >>> pairs["cka"] = rng.uniform(size=90)
    >>> pairs["gain_sum"] = 0.1 * pairs["accuracy_a"] - 0.2 * pairs["cka"] + 0.01 * rng.normal(size=90)
    >>> found = gain_correlations(pairs, ["cka"], combinations=["sum"]).iloc[0]
    >>> bool(found["pearson"] < -0.7), bool(found["toward"] > 0.7), bool(found["p"] < 0.01)
    (True, True, True)
    """
    import pandas as pd

    from helpers.arrays import check_count, generator
    from helpers.inference import holm
    from helpers.similarity.registry import MEASURES

    measures, rng = list(measures), generator(rng)
    n_resamples, n_permutations = check_count(n_resamples, "n_resamples"), check_count(n_permutations, "n_permutations")
    data = _arranged(pairs, measures, combinations, within)
    draws = _draws(data, n_resamples, rng) if data.n_experiments > 2 else None
    relabelled = _relabelled(data, n_permutations, rng)
    basis = _basis(data.accuracies)
    n_deciding = check_count(10 * n_permutations if n_deciding is None else n_deciding, "n_deciding")
    tables, more = [], None
    for c, how in enumerate(combinations):
        left = _without(data.gains[:, c], basis)
        if not np.ptp(left) > 1e-12:
            raise ValueError(f"the gains of {how!r} are a linear function of the two accuracies; nothing is left of it")
        ranked, rows = metrics.average_ranks(left), {}
        for k, name in enumerate(measures):
            values = data.measures[:, k]
            row = {"combination": how, "measure": name, "pearson": metrics.pearson(left, values, undefined=0.0)}
            row |= {"spearman": metrics.pearson(ranked, metrics.average_ranks(values), undefined=0.0)}
            for kind, name_of in enumerate(("pearson", "spearman")):
                limits = (
                    (np.nan, np.nan)
                    if draws is None
                    else _limits(draws[kind][:, c, k], data.n_experiments, confidence_level)
                )
                row |= {f"{name_of}_ci_low": limits[0], f"{name_of}_ci_high": limits[1]}
            row["p"] = _relabelling_p(left, values, basis, relabelled)
            row["p_spearman"] = _relabelling_p(ranked, metrics.average_ranks(values), basis, relabelled)
            known = MEASURES[name].orientation if name in MEASURES else ""
            row["orientation"] = known
            row["toward"] = -row["pearson"] if known == "similarity" else row["pearson"]
            rows[name] = row | {"n_pairs": len(left), "n_experiments": data.n_experiments}
        table = pd.DataFrame(rows.values()).assign(p_floor=1 / (1 + n_permutations))
        unsettled = np.flatnonzero(_unsettled(table["p"].to_numpy(), n_permutations, 1 - confidence_level))
        if len(unsettled) and n_deciding > n_permutations:
            more = _relabelled(data, n_deciding, rng) if more is None else more
            table.loc[unsettled, "p"] = [_relabelling_p(left, data.measures[:, k], basis, more) for k in unsettled]
            table.loc[unsettled, "p_floor"] = 1 / (1 + n_deciding)
        table.insert(table.columns.get_loc("p_spearman"), "p_holm", holm(table["p"]))
        tables.append(table)
    front = ["combination", "measure", "orientation", "toward", "pearson", "pearson_ci_low", "pearson_ci_high"]
    found = pd.concat(tables, ignore_index=True)
    return found[[*front, *found.columns.drop(front)]]


def claims(published: pd.DataFrame) -> dict[str, Claim]:
    """The published correlations as claims, by the names of the measures here, and ``"stable"``: that of CKA is
    nowhere as small as those of the others are somewhere.

    Parameters
    ----------
    published
        Columns ``measure`` (keys of :data:`PUBLISHED_NAMES`) and ``correlation``.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.gain_correlations import claims
    >>> claims(pd.DataFrame({"measure": ["CKA"], "correlation": [-0.339]}))["cka"].text
    'The larger cka, the smaller the gain'
    """
    made = {"source": "popov2025automatic", "place": "section 3.2", "models": "CoLES encoders of bank clients"}
    found = {}
    for label, value in zip(published["measure"], published["correlation"], strict=True):
        name = PUBLISHED_NAMES[label]
        side, words = ("greater", "larger") if value > 0 else ("less", "smaller")
        found[name] = Claim(
            f"The larger {name.replace('_', ' ')}, the {words} the gain",
            "correlation with the gain that the two accuracies do not predict",
            side,
            published=value,
            spec="+.2f",
            **made,
        )
    found["stable"] = Claim(
        "CKA is the most stable over concatenation, sum and product",
        "how much larger the least of its three correlations is, without sign, than that of its strongest rival",
        spec="+.2f",
        **made,
    )
    return found


def findings(
    found: pd.DataFrame,
    published: pd.DataFrame,
    *,
    combination: str = "concatenation",
    confidence_level: float = 0.95,
) -> dict[str, Finding]:
    """What correlations say of the published ones, for :func:`helpers.inference.judge`.

    Parameters
    ----------
    found
        Table of :func:`gain_correlations`.
    published
        Published correlations, as for :func:`claims`.
    combination
        Way of combining whose correlations are judged; which one was published is not said.
    confidence_level
        Confidence level of the intervals.

    Returns
    -------
    dict of str to Finding
        Findings by key, with experiments as units; the test of the null is that of relabelled models. Fewer than three
        experiments have no interval.

    Raises
    ------
    KeyError, ValueError
        If a published measure is unknown or was not correlated.
    """
    from helpers.inference import Finding, p_from_interval

    ours = found[found["combination"] == combination].set_index("measure")
    names = [PUBLISHED_NAMES[name] for name in published["measure"]]
    if missing := [name for name in names if name not in ours.index]:
        raise ValueError(f"{', '.join(missing)} of the published measures are not among those of {combination!r}")
    said = {}
    for name, value in zip(names, published["correlation"], strict=True):
        row = ours.loc[name]
        limits = row["pearson"], row["pearson_ci_low"], row["pearson_ci_high"]
        p_effect = p_from_interval(
            *limits, value, confidence_level=confidence_level
        )  # limits allow for few experiments already
        tested = {"p": row["p"], "p_effect": p_effect, "p_floor": row.get("p_floor", np.nan)}
        said[name] = Finding(*limits, int(row["n_experiments"]), "experiments", **tested)
    return said


def stability_finding(
    pairs: pd.DataFrame,
    measures: Sequence[str],
    name: str = "cka",
    *,
    combinations: Sequence[str] = COMBINATIONS,
    n_resamples: int = 2000,
    confidence_level: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> Finding:
    """By how much the least of the correlations of one measure, without sign, is above that of each other measure.

    Parameters
    ----------
    pairs, measures, combinations, n_resamples, confidence_level, rng
        Arguments of :func:`stability`.
    name
        The measure that is said to be the most stable.

    Returns
    -------
    Finding
        The least of the measure less that of the strongest rival; fewer than three experiments have no interval.
    """
    from helpers.arrays import generator
    from helpers.inference import Finding, p_from_interval, weakest

    measures = list(measures)
    own = measures.index(name)
    data = _arranged(pairs, measures, combinations, False)
    one = _least(_weighted(data, np.ones((1, data.n_experiments)), by_ranks=False)[0][0])
    ahead = np.delete(one[own] - one, own)
    if data.n_experiments < 3:
        return Finding(float(ahead.min()), np.nan, np.nan, data.n_experiments, "experiments")
    least = _least(_draws(data, n_resamples, generator(rng), by_ranks=False)[0])
    drawn = np.delete(least[:, [own]] - least, own, axis=1)
    parts = []
    for estimate, draws in zip(ahead, drawn.T, strict=True):
        limits = _limits(draws, data.n_experiments, confidence_level)
        p = p_from_interval(
            estimate, *limits, confidence_level=confidence_level
        )  # the limits allow for few experiments already
        parts.append(Finding(float(estimate), *limits, data.n_experiments, "experiments", p, p))
    return weakest(Claim(name), parts, confidence_level=confidence_level)


def stability(
    pairs: pd.DataFrame,
    measures: Sequence[str],
    *,
    combinations: Sequence[str] = COMBINATIONS,
    n_resamples: int = 2000,
    confidence_level: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """How small the correlation of a measure gets over the ways of combining: the weakest of them counts.

    Returns
    -------
    DataFrame
        One row per measure, the most stable first: ``least``, the least absolute value of its Pearson correlations over
        the combinations, below 0 where their signs differ, with limits ``ci_low`` and ``ci_high`` over resampled
        experiments; ``most_stable``, the share of the resamples in which no other of these measures has a larger one;
        and ``range``, the largest less the smallest correlation. With fewer than three experiments limits and share
        are missing.
    """
    import pandas as pd

    from helpers.arrays import generator

    measures = list(measures)
    data = _arranged(pairs, measures, combinations, False)
    one = _weighted(data, np.ones((1, data.n_experiments)), by_ranks=False)[0]
    table = pd.DataFrame({"least": _least(one[0])}, index=pd.Index(measures, name="measure"))
    table[["ci_low", "ci_high", "most_stable"]] = np.nan
    table["range"] = np.ptp(one[0], axis=0)
    if data.n_experiments > 2:
        drawn = _least(_draws(data, n_resamples, generator(rng), by_ranks=False)[0])
        drawn = drawn[np.isfinite(drawn).all(axis=1)]
        limits = np.array([_limits(column, data.n_experiments, confidence_level) for column in drawn.T])
        table["ci_low"], table["ci_high"] = limits.T
        table["most_stable"] = (drawn == drawn.max(axis=1, keepdims=True)).mean(axis=0)
    return table.sort_values("least", ascending=False)


def null_correlations(
    pairs: pd.DataFrame,
    measure: str,
    *,
    combination: str = "concatenation",
    unit: str = "models",
    within: bool = False,
    n_permutations: int = 1999,
    rng: int | np.random.Generator = 0,
) -> tuple[float, np.ndarray]:
    """The partial correlation of gain and measure given the two accuracies, and what it is when labels are shuffled.

    Parameters
    ----------
    pairs, measure, combination, within, n_permutations, rng
        Arguments of :func:`gain_correlations`, whose test this is.
    unit
        ``"models"``: models of an experiment are relabelled. ``"pairs"``: all pairs are shuffled as if they were
        independent, which they are not; to see what that would say.

    Returns
    -------
    float, ndarray of shape (permutations,)
        The correlation of the table, and those of its shuffled copies.
    """
    from helpers.arrays import generator

    if unit not in ("models", "pairs"):
        raise ValueError(f"unit is {unit!r}; it can be 'models' or 'pairs'")
    data, rng = _arranged(pairs, [measure], [combination], within), generator(rng)
    basis = _basis(data.accuracies)
    left = _without(data.gains[:, 0], basis)
    if unit == "models":
        moved = _relabelled(data, n_permutations, rng)
    else:
        moved = rng.permuted(np.tile(np.arange(len(left)), (n_permutations, 1)), axis=1)
    return _null(left, data.measures[:, 0], basis, moved)


def noise_share(pairs: pd.DataFrame, *, combinations: Sequence[str] = COMBINATIONS) -> pd.DataFrame:
    r"""How much of what the regression leaves of the gains is chance in the choice of test clients.

    Returns
    -------
    DataFrame
        A row for each combination: ``gain`` (mean over pairs), ``spread`` (standard deviation of what the regression
        leaves), ``error`` (root mean squared standard error of a gain), ``share`` (of the variance; at most 1) and
        ``ceiling``: with a correlation ρ to the gain on endless test clients, the one that can be seen is
        :math:`ρ\sqrt{1 - share}`.

    Notes
    -----
    The errors are those of each pair alone, regression and the choice of the better model taken as given.
    """
    import pandas as pd

    data = _arranged(pairs, [], combinations, False)
    basis, rows = _basis(data.accuracies), {}
    for c, how in enumerate(combinations):
        left = _without(data.gains[:, c], basis)
        spread = np.sqrt((left**2).sum() / max(1, len(left) - basis.shape[1]))
        error = float(np.sqrt((pairs[f"error_{how}"] ** 2).mean()))
        share = min(1.0, error**2 / spread**2) if spread > 0 else 1.0
        rows[how] = {"gain": pairs[f"gain_{how}"].mean(), "spread": spread, "error": error, "share": share}
        rows[how]["ceiling"] = np.sqrt(1 - share)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("combination")


def detection_power(
    pairs: pd.DataFrame,
    measure: str,
    correlations: Sequence[float],
    experiments: Sequence[int],
    *,
    combination: str = "concatenation",
    models: int | None = None,
    confidence_level: float = 0.95,
    studies: int = 300,
    n_permutations: int = 199,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """How often a study of so many experiments would tell a correlation from 0, if pairs were like those of this table.

    Parameters
    ----------
    pairs, measure, combination
        A table of pairs, and which measure and gain of it.
    correlations
        True correlations to plant.
    experiments
        Numbers of experiments.
    models
        Models of each experiment, at most as many as the smallest experiment of the table has; that many by default.
    confidence_level, studies, n_permutations, rng
        Confidence level of the permutation test, number of simulated studies of each size, number of relabellings in
        each, and seed or generator.

    Returns
    -------
    DataFrame
        Index ``experiments``, columns ``correlation``: the share of the studies whose p-value is at most 1 - level.

    Raises
    ------
    KeyError, ValueError
        In the same cases as :func:`gain_correlations`; also if ``models`` is out of range or a correlation not inside
        (-1, 1).

    Notes
    -----
    A study draws experiments from the table with replacement. In each, models are drawn and relabelled at random for
    the measure, which breaks whatever relation there is and keeps what a model brings to all of its pairs; the planted
    part of the gain is then ρ · measure + √(1 - ρ²) · gain, both standardised.
    """
    import pandas as pd

    from helpers.arrays import check_count, generator

    rng = generator(rng)
    if wrong := [r for r in correlations if not -1 < r < 1]:
        raise ValueError(f"correlations hold {wrong[0]}; each must lie between -1 and 1")
    data = _arranged(pairs, [measure], [combination], True)
    basis = _basis(data.accuracies)
    gain, like = (_without(column, basis) for column in (data.gains[:, 0], data.measures[:, 0]))
    most = min(map(len, data.blocks))
    size = check_count(most if models is None else models, "models", least=3)
    if size > most:
        raise ValueError(f"models is {size}; the smallest experiment of the table has {most}")
    here, there = np.triu_indices(size, 1)
    cells = {}
    for number in experiments:
        p = np.empty((studies, len(correlations)))
        for s in range(studies):
            x, y, relabel = [], [], []
            for block in (data.blocks[i] for i in rng.integers(len(data.blocks), size=number)):
                first, second = rng.permutation(len(block))[:size], rng.permutation(len(block))[:size]
                y.append(gain[block[first[here], first[there]]])
                x.append(like[block[second[here], second[there]]])
                labels = rng.permuted(np.tile(np.arange(size), (n_permutations, 1)), axis=1)
                place = np.zeros((size, size), dtype=int)
                place[here, there] = place[there, here] = np.arange(len(here))
                relabel.append(len(relabel) * len(here) + place[labels[:, here], labels[:, there]])
            x, y = (_scaled(np.concatenate(part)) for part in (x, y))
            shuffled = x[np.hstack(relabel)]
            for c, correlation in enumerate(correlations):
                planted = correlation * x + np.sqrt(1 - correlation**2) * y
                seen = abs(planted @ x)
                p[s, c] = (1 + np.count_nonzero(np.abs(shuffled @ planted) >= seen * (1 - 1e-12))) / (
                    1 + n_permutations
                )
        cells[number] = (p <= 1 - confidence_level + 1e-12).mean(axis=0)
    return pd.DataFrame.from_dict(
        cells, orient="index", columns=pd.Index(correlations, name="correlation")
    ).rename_axis("experiments")


class _Data(NamedTuple):
    """A checked table of pairs.

    Rows × (1, min, max), rows × combinations, rows × measures, rows → experiment, and for each experiment the square
    matrix that tells the row of each two of its models.
    """

    accuracies: np.ndarray
    gains: np.ndarray
    measures: np.ndarray
    codes: np.ndarray
    blocks: list[np.ndarray]

    @property
    def n_experiments(self) -> int:
        return len(self.blocks)


def _arranged(pairs: pd.DataFrame, measures: Sequence[str], combinations: Sequence[str], within: bool) -> _Data:
    import pandas as pd

    own = ["accuracy_a", "accuracy_b", *(f"gain_{how}" for how in combinations), *measures]
    if absent := [name for name in ["experiment", "model_a", "model_b", *own] if name not in pairs]:
        raise KeyError(f"the table of pairs has no column {absent[0]!r}; its columns are {', '.join(map(str, pairs))}")
    values = pairs[own].to_numpy(dtype=float)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(f"row {row} of the pairs, column {own[column]!r}: {values[row, column]} is not finite")
    if len(pairs) < 5:
        raise ValueError(f"there are {len(pairs)} pairs; at least 5 are needed for the regression on two accuracies")
    codes, sides = pd.factorize(pairs["experiment"])[0], pairs[["model_a", "model_b"]].to_numpy()
    blocks = []
    for experiment in range(codes.max() + 1):
        at = np.flatnonzero(codes == experiment)
        models, names = pd.factorize(sides[at].ravel())
        a, b = models.reshape(-1, 2).T
        rows = np.full((len(names), len(names)), -1)
        rows[a, b] = rows[b, a] = at
        if len(at) != len(names) * (len(names) - 1) // 2 or (rows[np.triu_indices(len(names), 1)] < 0).any():
            label = pairs["experiment"].iloc[at[0]]
            raise ValueError(f"experiment {label} has {len(at)} rows for {len(names)} models; each pair once is needed")
        blocks.append(rows)
    low, high = values[:, :2].min(axis=1), values[:, :2].max(axis=1)
    columns = np.column_stack([low, high, values[:, 2:]])
    if within:
        means = np.array([columns[codes == e].mean(axis=0) for e in range(len(blocks))])
        columns = columns - means[codes]
    last = 2 + len(combinations)
    accuracies = np.column_stack([np.ones(len(columns)), columns[:, :2]])
    return _Data(accuracies, columns[:, 2:last], columns[:, last:], codes, blocks)


def _basis(columns: np.ndarray) -> np.ndarray:
    """An orthonormal basis of what the columns span."""
    from helpers.arrays import svd

    u, s, _ = svd(columns)
    return u[:, s > 1e-10 * s[0]]


def _without(values: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """What a linear regression leaves, of values along the last axis."""
    return values - (values @ basis) @ basis.T


def _scaled(columns: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and spread 1, so that what is left of rounding can be told from what varies."""
    spread = columns.std(axis=0)
    return (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def _relabelled(data: _Data, n_permutations: int, rng: np.random.Generator) -> np.ndarray:
    """For each relabelling of the models of every experiment, the row whose measure each row gets."""
    found = np.empty((n_permutations, len(data.codes)), dtype=np.int64)
    for block in data.blocks:
        here, there = np.triu_indices(len(block), 1)
        labels = rng.permuted(np.tile(np.arange(len(block)), (n_permutations, 1)), axis=1)
        found[:, block[here, there]] = block[labels[:, here], labels[:, there]]
    return found


def _null(left: np.ndarray, values: np.ndarray, basis: np.ndarray, relabelled: np.ndarray) -> tuple[float, np.ndarray]:
    """The partial correlation, and those after relabelling of what the regression leaves of the measure."""
    own = _without(values, basis)
    if not np.ptp(own) > 1e-9 * np.ptp(values):
        return 0.0, np.zeros(len(relabelled))
    centred = left - left.mean()
    drawn = []
    step = max(1, ROWS // len(left))
    for start in range(0, len(relabelled), step):
        shuffled = _without(own[relabelled[start : start + step]], basis)
        size = np.sqrt(np.einsum("pn,pn->p", shuffled, shuffled))
        drawn.append(shuffled @ centred / np.maximum(size * np.sqrt(centred @ centred), 1e-300))
    return metrics.pearson(left, own, undefined=0.0), np.concatenate(drawn)


def _relabelling_p(left: np.ndarray, values: np.ndarray, basis: np.ndarray, relabelled: np.ndarray) -> float:
    """Two-sided p-value of the partial correlation."""
    seen, drawn = _null(left, values, basis, relabelled)
    return (1 + int(np.count_nonzero(np.abs(drawn) >= abs(seen) - 1e-12))) / (1 + len(drawn))


def _unsettled(p: np.ndarray, n_permutations: int, alpha: float) -> np.ndarray:
    """Where the limit of Holm's procedure lies in the 99 % interval of a p-value of so many permutations.

    No shuffle as extreme is settled if even the least p-value is within the limit.
    """
    from scipy import stats

    limit = np.empty(len(p))
    limit[np.argsort(p, kind="stable")] = alpha / np.arange(len(p), 0, -1)
    extreme = np.round(p * (1 + n_permutations)) - 1
    low = np.where(extreme > 0, stats.beta.ppf(0.005, np.maximum(extreme, 1), n_permutations - extreme + 1), 0.0)
    high = stats.beta.ppf(0.995, extreme + 1, np.maximum(n_permutations - extreme, 1))
    return (low <= limit) & (limit <= high) & ~((extreme == 0) & (p <= limit))


def _least(correlations: np.ndarray) -> np.ndarray:
    """Least absolute value over the combinations, which are the last but one axis; below 0 where signs differ."""
    return (np.sign(correlations.sum(axis=-2, keepdims=True)) * correlations).min(axis=-2)


def _draws(data: _Data, n_resamples: int, rng: np.random.Generator, *, by_ranks: bool = True) -> np.ndarray:
    """Pearson's and Spearman's correlations of resampled experiments: 2 × resamples × combinations × measures."""
    number = data.n_experiments
    counts = rng.multinomial(number, np.full(number, 1 / number), size=n_resamples).astype(float)
    step = max(1, ROWS // len(data.codes))
    parts = [_weighted(data, counts[start : start + step], by_ranks) for start in range(0, n_resamples, step)]
    return np.stack([np.concatenate([part[kind] for part in parts]) for kind in range(1 + by_ranks)])


def _weighted(data: _Data, counts: np.ndarray, by_ranks: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Both correlations with experiments weighted by each row of counts; missing where nothing varies."""
    z, gains, measures = data.accuracies, *map(_scaled, (data.gains, data.measures))
    k, c, shape = z.shape[1], gains.shape[1], (len(counts), gains.shape[1], measures.shape[1])
    columns = np.hstack([z, gains, measures])
    products = np.stack([(part := columns[data.codes == e]).T @ part for e in range(data.n_experiments)])
    sums = np.tensordot(counts, products, 1)  # the regression needs no more than these
    zz, zy, zm = sums[:, :k, :k], sums[:, :k, k : k + c], sums[:, :k, k + c :]
    beta = np.linalg.pinv(zz, rcond=1e-12, hermitian=True) @ zy
    total = np.einsum("bii->bi", sums)
    left = total[:, k : k + c] - (beta * zy).sum(axis=1)
    varies = total[:, k + c :] - zm[:, 0] ** 2 / zz[:, :1, 0]
    product = sums[:, k : k + c, k + c :] - beta.transpose(0, 2, 1) @ zm
    fine = (left > 1e-9 * total[:, k : k + c])[:, :, None] & (varies > 1e-9 * total[:, k + c :])[:, None]
    size = np.sqrt(np.where(fine, left[:, :, None] * varies[:, None], 1.0))
    pearson, spearman = np.where(fine, product / size, np.nan), np.full(shape, np.nan)
    if by_ranks:
        weight = counts[:, data.codes]
        measured = [metrics.average_ranks(column, counts=weight) for column in measures.T]
        for number in range(c):
            ranked = metrics.average_ranks(gains[:, number] - beta[:, :, number] @ z.T, counts=weight)
            for j, places in enumerate(measured):
                spearman[:, number, j] = metrics.pearson(ranked, places, counts=weight)
        spearman[~fine] = np.nan
    return pearson, spearman


def _limits(draws: np.ndarray, experiments: int, confidence_level: float) -> tuple[float, float]:
    """Expanded percentiles; missing if most draws are."""
    from scipy import stats

    draws = draws[np.isfinite(draws)]
    if len(draws) < 20:
        return np.nan, np.nan
    t = stats.t.ppf((1 - confidence_level) / 2, experiments - 1) * np.sqrt(experiments / (experiments - 1))
    tail = stats.norm.cdf(t)
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)
