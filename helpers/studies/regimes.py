"""Regimes of a sweep: encoders cut short, trained long, of unequal strength, and one strong among weak ones.

One recorded experiment gives what single encoders, their plain mean, other ensembles and features made by hand reach,
for all classes and for two, by accuracy and by area: ``notebooks/runs/clients_regimes.yml``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import integer_seed
from helpers.book.data import table as recorded_table
from helpers.book.style import INK
from helpers.locations import DATA
from helpers.studies.aligning import PUBLISHED_NAMES, aligning_methods
from helpers.studies.combining import compare_methods
from helpers.studies.comparing import LEAST_UNITS, paired_table
from helpers.studies.hand_made import HAND_MADE, as_one_more_model

if TYPE_CHECKING:
    import pandas as pd

    from helpers.studies.sweep import Sweep

__all__ = [
    "COMPARED",
    "METHODS",
    "RECORDED",
    "REGIMES",
    "SHORT",
    "curves_of",
    "facts_of_regimes",
    "facts_of_remedy",
    "facts_of_aligned",
    "figure_mean_against_best",
    "mean_against_best",
    "published_beside_ours",
    "published_difference",
    "recorded_regimes",
    "score_regime",
    "table_beside_hand_made",
    "table_by_metric",
    "table_differences",
]

RECORDED = "results/clients_regimes.csv"
REGIMES = {
    "coles_recorded": "a few epochs, no order",
    "coles_ordered": "trained long, with order",
    "coles_unequal": "strong and unequal, with order",
    "coles_one_strong": "one strong, five weak, with order",
}
"""Sweeps, and what they are called on pages."""

SHORT = {"coles_recorded": "short", "coles_ordered": "long", "coles_unequal": "unequal", "coles_one_strong": "alone"}
"""Sweeps, and what they are called in names of facts."""

METHODS = ("concat_pca", "mean", "mean_standardized", "qp_cka", "procrustes_mean", "procrustes_qp")
"""Ensembles that are recorded, of :func:`helpers.studies.aligning.aligning_methods`."""

BESIDE = ("concat", "concat_pca", "qp_cka", "mean_standardized")
"""What can be recorded of encoders and features made by hand as one more model, under names that end in _by_hand."""

PLANNED = 17
"""Experiments of each regime in the plans."""

COMPARED = {
    "mean less best": ("mean", "best"),
    "mean after Procrustes less mean": ("procrustes_mean", "mean"),
    "mean after Procrustes less best": ("procrustes_mean", "best"),
    "QP, CKA less best": ("qp_cka", "best"),
    "QP after Procrustes less best": ("procrustes_qp", "best"),
    "concatenation + PCA less best": ("concat_pca", "best"),
    "by hand less best": ("hand_made", "best"),
    "by hand beside the best less by hand": ("hand_made_best", "hand_made"),
    "by hand among all, concatenated, less by hand": ("concat_by_hand", "hand_made"),
    "by hand among all, QP, less by hand": ("qp_cka_by_hand", "hand_made"),
}
"""Differences of methods that are compared between regimes."""

REMEDY = "coles_one_strong"
"""The regime in which the mean has something to lose, and alignment something to win back."""

TARGETS = {"classes": ("accuracy", "roc_auc"), "binary": ("accuracy", "roc_auc")}
"""Targets and the metrics that are recorded of them."""


def score_regime(
    representations: Mapping[str, Any],
    by_hand: pd.DataFrame,
    targets: Mapping[str, pd.Series],
    split: pd.Series,
    *,
    methods: Sequence[str] = METHODS,
    beside: Sequence[str] = (),
    classifier: str = "fast",
    selection_classifier: str = "logistic",
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Single encoders, ensembles and features made by hand on the test clients of one experiment.

    Parameters
    ----------
    representations
        Embeddings of the encoders by name, at least two, with a row for each client.
    by_hand
        Features made by hand of the same clients: :func:`helpers.clients.hand_made`.
    targets
        Targets by name, some of :data:`TARGETS`.
    split
        Part of each client.
    methods
        Names of ensembles, some of :data:`METHODS`; what validation chooses, it chooses by the metric.
    beside
        Names of ensembles, some of :data:`BESIDE`, that are scored once more with features made by hand, as
        :func:`helpers.studies.hand_made.as_one_more_model` scales them, as one more model beside the encoders; their
        width is still that of the best encoder.
    classifier, selection_classifier, rng
        Arguments of :func:`helpers.studies.combining.compare_methods`.

    Returns
    -------
    DataFrame
        A row for each ``target``, ``metric`` and ``method``: the encoders by their names, ``best`` and
        ``best_on_test``, ``concat``, the ensembles, ``hand_made``, ``hand_made_best``, the features made by hand
        beside the best encoder, and ``METHOD_by_hand`` for those of ``beside``; ``kind``, ``width``, ``validation`` and
        test ``score``.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.regimes import score_regime
    >>> rng = np.random.default_rng(0)
    >>> target = pd.Series(rng.integers(0, 2, 120))
    >>> split = pd.Series((["train"] * 2 + ["validation", "test"] * 2) * 20)
    >>> models = {name: target.to_numpy()[:, None] + rng.normal(size=(120, 3)) for name in "ab"}
    >>> found = score_regime(models, pd.DataFrame(models["a"]), {"binary": target}, split, methods=["mean"])
    >>> found["method"].unique().tolist()
    ['a', 'b', 'best', 'best_on_test', 'concat', 'mean', 'hand_made', 'hand_made_best']
    """
    import pandas as pd

    from helpers.clients.scoring import score_splits

    seed = integer_seed(rng)
    for what, names, there in (
        ("targets", targets, TARGETS),
        ("methods", methods, METHODS),
        ("beside", beside, BESIDE),
    ):
        if unknown := [name for name in names if name not in there]:
            raise ValueError(f"{what} has {unknown[0]!r}; it can have {', '.join(map(repr, there))}")
    several = representations | {HAND_MADE: as_one_more_model(by_hand, representations, split)} if beside else {}
    rows = []
    for name, target in targets.items():
        known: dict = {}
        for metric in TARGETS[name]:
            options = {"classifier": classifier, "selection_classifier": selection_classifier, "metric": metric}
            options |= {"rng": seed, "known": known}
            table = _compared_methods(representations, target, split, methods, **options)
            chosen = table.loc[table["kind"] == "single"].set_index("method")["validation"].idxmax()
            both = np.hstack([np.asarray(by_hand), np.asarray(representations[chosen])])
            for method, x in (("hand_made", by_hand), ("hand_made_best", pd.DataFrame(both, index=by_hand.index))):
                scored = score_splits(x, target, split, classifier=classifier, metric=metric, rng=seed)
                values = {"validation": scored["validation"].value, "score": scored["test"].value}
                table.loc[len(table)] = {"method": method, "kind": "by hand", "width": x.shape[1], **values}
            if beside:
                width = np.shape(representations[chosen])[1]
                more = _compared_methods(several, target, split, beside, width=width, **options)
                more = more[more["method"].isin(beside)]
                more = more.assign(method=more["method"] + "_by_hand", kind="by hand")
                table = pd.concat([table, more], ignore_index=True)
            rows.append(table.assign(target=name, metric=metric))
    whole = pd.concat(rows, ignore_index=True)
    return whole[["target", "metric", "method", "kind", "width", "validation", "score"]]


def _compared_methods(
    models: Mapping[str, Any],
    target: pd.Series,
    split: pd.Series,
    names: Sequence[str],
    *,
    width: int = 0,
    **options: Any,
) -> pd.DataFrame:
    """Single models, references and ensembles of that width, or of the best model's: kind, width and scores."""

    def few(best: int, *, n_train: int | None, rng: Any) -> dict:
        known = aligning_methods(width or best, lambdas=[0.1, 0.3, 1.0], n_train=n_train, rng=rng)
        return {name: known[name] for name in names if name in known}

    found = compare_methods(models, target, split, few, n_resamples=2, **options).table
    return found.rename(columns={"accuracy": "score"})[["method", "kind", "width", "validation", "score"]]


def curves_of(sweep: Sweep) -> pd.DataFrame:
    """Losses along the trainings of a sweep, those that validation clients stop.

    Parameters
    ----------
    sweep
        Finished runs with ``patience``.

    Returns
    -------
    DataFrame
        A row for each ``experiment``, ``model`` and ``epoch``, from 0 for the start: ``features`` of the run, its
        ``loss`` per slice in training (missing at the start) and on ``validation`` clients, and whether the weights of
        this epoch were ``kept``, being those of the least validation loss.

    Raises
    ------
    ValueError
        If a run has no validation losses.
    """
    import pandas as pd

    rows = []
    for (experiment, model), run in sweep.runs.iterrows():
        seen = run.get("validation")
        if not isinstance(seen, list) or not seen:
            raise ValueError(f"model {model} of experiment {experiment} has no validation losses; it had no patience")
        losses = [np.nan, *run["losses"]]
        about = {"experiment": experiment, "model": model, "features": " + ".join(run["features"])}
        for epoch, (loss, value) in enumerate(zip(losses, seen, strict=True)):
            kept = epoch == int(np.argmin(seen))
            rows.append(about | {"epoch": epoch, "loss": loss, "validation": value, "kept": kept})
    return pd.DataFrame(rows)


def recorded_regimes(metric: str = "accuracy", target: str = "classes") -> pd.DataFrame:
    """Recorded rows of all regimes that there are: ``sweep``, ``experiment``, ``method``, ``score``.

    Parameters
    ----------
    metric, target
        Names in :data:`TARGETS`. By the accuracy of all classes the first regime is that of
        ``results/clients_aligning.csv``, its features made by hand are in ``results/clients_hand_made.csv``; by the
        area, and of both side by side, it is the same sweep trained once more.
    """
    import pandas as pd

    columns, parts = ["sweep", "experiment", "method", "score"], []
    if (metric, target) == ("accuracy", "classes"):
        first = recorded_table("results/clients_aligning.csv").rename(columns={"accuracy": "score"})
        parts.append(first[columns])
    if target == "classes":
        by_hand = recorded_table("results/clients_hand_made.csv")
        by_hand = by_hand[by_hand["classifier"] == "fast"].assign(sweep="coles_recorded", method="hand_made")
        parts.append(by_hand.rename(columns={f"{metric}_test": "score"})[columns])
    if (DATA / RECORDED).is_file():
        more = recorded_table(RECORDED)
        more = more[(more["metric"] == metric) & (more["target"] == target)]
        parts.append(more[columns])
    if not parts:
        return pd.DataFrame(columns=columns)
    whole = pd.concat(parts, ignore_index=True)
    return whole.drop_duplicates(["sweep", "experiment", "method"], keep="first", ignore_index=True)


def mean_against_best(regimes: pd.DataFrame) -> pd.DataFrame:
    """The plain mean of the encoders less the best single one, which validation clients choose.

    Parameters
    ----------
    regimes
        Rows of :func:`recorded_regimes`.

    Returns
    -------
    DataFrame
        A row for each ``sweep`` and ``experiment``: ``best`` and ``mean`` scores, their ``difference`` (mean − best),
        and ``spread``, the standard deviation of the scores of its single encoders.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.regimes import mean_against_best
    >>> rows = [("s", 0, "0", 0.5), ("s", 0, "1", 0.7), ("s", 0, "best", 0.7), ("s", 0, "mean", 0.6)]
    >>> found = mean_against_best(pd.DataFrame(rows, columns=["sweep", "experiment", "method", "score"]))
    >>> found["difference"].round(3).tolist()
    [-0.1]
    """
    keys = ["sweep", "experiment"]
    wide = regimes[regimes["method"].isin(["best", "mean"])].pivot(index=keys, columns="method", values="score")
    single = regimes[regimes["method"].str.fullmatch(r"\d+")]
    wide["spread"] = single.groupby(keys)["score"].std()
    wide["difference"] = wide["mean"] - wide["best"]
    return wide.reset_index()[[*keys, "best", "mean", "difference", "spread"]].rename_axis(columns=None)


def published_difference(published: pd.DataFrame, confidence_level: float = 0.95, n: int = 17) -> dict[str, float]:
    """What the published table says of mean − best, in points: the estimate and its widest interval.

    Parameters
    ----------
    published
        Columns ``measure``, ``against`` (``"mean"`` or ``"best"``), ``mean_percent`` and ``std_percent``: differences
        of the same mixtures to the mean and to the best, over ``n`` experiments.
    confidence_level
        Confidence level of the interval.
    n
        Number of experiments of the published means and standard deviations.

    Returns
    -------
    dict
        ``estimate``: the mean over measures of (mixture − best) − (mixture − mean); ``ci_low`` and ``ci_high`` for the
        largest standard deviation that the two can have together, their sum, averaged over measures.
    """
    from scipy import stats

    wide = published.pivot(index="measure", columns="against", values=["mean_percent", "std_percent"])
    estimate = float((wide["mean_percent"]["best"] - wide["mean_percent"]["mean"]).mean())
    deviation = float((wide["std_percent"]["best"] + wide["std_percent"]["mean"]).mean())
    reach = stats.t.isf((1 - confidence_level) / 2, n - 1) * deviation / np.sqrt(n)
    return {"estimate": estimate, "ci_low": estimate - reach, "ci_high": estimate + reach}


def published_beside_ours(published: pd.DataFrame, regimes: pd.DataFrame, *, n: int = 17) -> pd.DataFrame:
    """Published differences with the interval of their standard deviation, beside ours of each regime.

    Parameters
    ----------
    published
        Published differences of mixtures to the mean and to the best model: ``published/client_qp_ensemble.csv``.
    regimes
        Rows of :func:`recorded_regimes`.
    n
        Number of published experiments.

    Returns
    -------
    DataFrame
        Points with 95 % intervals of Student's t over experiments; rows are measure and reference (``mean`` or
        ``best``), columns ``published`` and the regimes; a dash where a regime has not recorded the measure.
    """
    import pandas as pd
    from scipy import stats

    def said(mean: float, std: float, n: int) -> str:
        reach = stats.t.isf(0.025, n - 1) * std / np.sqrt(n)
        return f"{mean:+.1f} [{mean - reach:+.1f}, {mean + reach:+.1f}]"

    wide = regimes.pivot(index=["sweep", "experiment"], columns="method", values="score")
    rows = {}
    for row in published.to_dict("records"):
        method, against = PUBLISHED_NAMES[row["measure"]], row["against"]
        cells = {"published": said(row["mean_percent"], row["std_percent"], n)}
        for sweep, name in REGIMES.items():
            cells[name] = "–"
            if method in wide and sweep in wide.index.get_level_values("sweep"):
                difference = 100 * (wide.loc[sweep, method] - wide.loc[sweep, against]).dropna()
                if len(difference) > 5:
                    cells[name] = said(difference.mean(), difference.std(ddof=1), len(difference))
        rows[method.removeprefix("qp_").replace("_", " "), against] = cells
    found = pd.DataFrame.from_dict(rows, orient="index")
    found.index = pd.MultiIndex.from_tuples(found.index, names=["similarity", "less"])
    return found.loc[:, (found != "–").any()]


def table_beside_hand_made(regimes: pd.DataFrame) -> pd.DataFrame:
    """Mean score of the best encoder, of ensembles and of features made by hand, a column for each recorded regime.

    Parameters
    ----------
    regimes
        Rows of :func:`recorded_regimes`.
    """
    shown = {
        "best": "best encoder, by validation",
        "best_on_test": "best encoder on test clients",
        "mean": "plain mean",
        "procrustes_mean": "mean after Procrustes",
        "qp_cka": "QP, CKA",
        "procrustes_qp": "QP after Procrustes",
        "concat_pca": "concatenation + PCA",
        "concat": "concatenation",
        "hand_made": "features made by hand",
        "hand_made_best": "by hand, beside the best encoder",
        "concat_by_hand": "concatenation, by hand among all",
        "concat_pca_by_hand": "concatenation + PCA, by hand among all",
        "mean_standardized_by_hand": "mean, standardised, by hand among all",
        "qp_cka_by_hand": "QP, CKA, by hand among all",
    }
    mean = regimes.groupby(["sweep", "method"])["score"].mean().unstack("sweep")
    found = mean.reindex(index=list(shown), columns=[sweep for sweep in REGIMES if sweep in mean]).dropna(how="all")
    number = regimes.groupby("sweep")["experiment"].nunique()
    found.columns = [f"{REGIMES[sweep]} ({number[sweep]})" for sweep in found]
    return found.rename(index=shown).rename_axis(None)


def table_by_metric() -> pd.DataFrame:
    """:func:`table_beside_hand_made` by accuracy and area of all classes and by area of two, as far as recorded."""
    import pandas as pd

    asked = {
        "accuracy": ("accuracy", "classes"),
        "ROC-AUC": ("roc_auc", "classes"),
        "two classes": ("roc_auc", "binary"),
    }
    tables = {}
    for words, (metric, target) in asked.items():
        found = recorded_regimes(metric, target)
        if (found["method"] == "best").any():
            encoders = set(found.loc[found["method"] == "best", "sweep"])
            tables[words] = table_beside_hand_made(found[found["sweep"].isin(encoders)])
    return pd.concat(tables, axis=1)


def table_differences(regimes: pd.DataFrame, *, rng: int | np.random.Generator = 0) -> pd.DataFrame:
    """Differences of methods in points with their 95 % intervals over experiments, a column for each recorded regime.

    Parameters
    ----------
    regimes
        Rows of :func:`recorded_regimes`.
    rng
        Seed or generator of the bootstrap.

    Returns
    -------
    DataFrame
        Rows are :data:`COMPARED`; a column says how many of the planned experiments are recorded. A dash where a
        method is not recorded, or where there are fewer than six experiments. A star follows where interval
        and test tell the difference from 0, the tests corrected by Holm for the rows of a column.
    """
    import pandas as pd

    columns = {}
    for sweep, name in REGIMES.items():
        own = regimes[regimes["sweep"] == sweep]
        if own.empty:
            continue
        cells = dict.fromkeys(COMPARED, "–")
        for words, (interval, verdict) in _compared(own, rng).items():
            cells[words] = interval + "\N{NO-BREAK SPACE}*" * (verdict in ("better", "worse"))
        columns[f"{name} ({own['experiment'].nunique()} of {PLANNED})"] = cells
    table = pd.DataFrame(columns, index=list(COMPARED))
    return table.loc[(table != "–").any(axis=1)]


def _compared(own: pd.DataFrame, rng: int | np.random.Generator) -> dict[str, tuple[str, str]]:
    """Differences of :data:`COMPARED` of one regime that have enough experiments: points with interval, and verdict."""
    from helpers.inference import format_interval, verdict_of

    wide = 100 * own.pivot(index="experiment", columns="method", values="score")
    both = {words: wide.reindex(columns=pair).dropna() for words, pair in COMPARED.items()}
    enough = {words: pair.to_numpy().T for words, pair in both.items() if len(pair) >= LEAST_UNITS}
    rows = paired_table(enough, rng=rng).iterrows() if enough else ()
    said = {words: (row, verdict_of(row["ci_low"], row["ci_high"], row["p_holm"])) for words, row in rows}
    return {words: (format_interval(row, spec="+.1f"), verdict) for words, (row, verdict) in said.items()}


def facts_of_remedy(regimes: pd.DataFrame, *, rng: int | np.random.Generator = 0) -> dict[str, str]:
    """What the mean loses where one encoder is strong and the others weak, and what wins it back: all of it words.

    Parameters
    ----------
    regimes
        Rows of :func:`recorded_regimes`.
    rng
        Seed or generator of the bootstrap.

    Returns
    -------
    dict
        ``remedy_n`` experiments; of the differences ``mean``, ``aligned``, ``aligned_best``, ``weights``,
        ``weights_aligned`` and ``pca`` (rows of :data:`COMPARED`) ``remedy_NAME``, points with a 95 % interval, and
        ``remedy_NAME_said``, a verdict with the correction of :func:`table_differences`; dashes for fewer than six.
    """
    names = {
        "mean": "mean less best",
        "aligned": "mean after Procrustes less mean",
        "aligned_best": "mean after Procrustes less best",
        "weights": "QP, CKA less best",
        "weights_aligned": "QP after Procrustes less best",
        "pca": "concatenation + PCA less best",
    }
    own = regimes[regimes["sweep"] == REMEDY]
    compared, found = _compared(own, rng), {"remedy_n": str(own["experiment"].nunique())}
    for name, words in names.items():
        interval, verdict = compared.get(words, ("–", "not recorded"))
        found |= {f"remedy_{name}": interval, f"remedy_{name}_said": verdict}
    return found


def facts_of_aligned(*, rng: int | np.random.Generator = 0) -> dict[str, str]:
    """What Procrustes adds to the plain mean in every regime, by accuracy and by the area of two classes, as words.

    Parameters
    ----------
    rng
        Seed or generator of the bootstrap.

    Returns
    -------
    dict
        For each of :data:`SHORT` ``adds_NAME`` (points of accuracy with a 95 % interval) and ``adds_NAME_area``, and
        both with ``_said``, a verdict with the correction of :func:`table_differences`.
    """
    found = {}
    for ending, asked in (("", ("accuracy", "classes")), ("_area", ("roc_auc", "binary"))):
        regimes = recorded_regimes(*asked)
        for sweep, short in SHORT.items():
            compared = _compared(regimes[regimes["sweep"] == sweep], rng)
            interval, verdict = compared.get("mean after Procrustes less mean", ("–", "not recorded"))
            found |= {f"adds_{short}{ending}": interval, f"adds_{short}{ending}_said": verdict}
    return found


def figure_mean_against_best(differences: pd.DataFrame, published: Mapping[str, float] | None = None) -> Any:
    """Mean − best of each experiment in points, against the score of the best, a colour for each regime.

    Parameters
    ----------
    differences
        Table of :func:`mean_against_best`.
    published
        What :func:`published_difference` gives, drawn as a band.
    """
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(6.4, 3.8))
    for place, (sweep, name) in enumerate(REGIMES.items()):
        own = differences[differences["sweep"] == sweep]
        if len(own):
            look = {"marker": "os^D"[place], "color": f"C{place}", "ls": "", "ms": 5}
            ax.plot(own["best"], 100 * own["difference"], **look, label=name)
    ax.axhline(0, color=INK, lw=1)
    if published:
        ax.axhspan(published["ci_low"], published["ci_high"], color=INK, alpha=0.1, lw=0)
        ax.axhline(published["estimate"], color=INK, lw=1, ls="--", label="published, with its widest interval")
    ax.set(xlabel="score of the best encoder", ylabel="mean less best, points")
    ax.legend(fontsize=8)
    return ax


def facts_of_regimes(differences: pd.DataFrame, published: Mapping[str, float]) -> dict[str, Any]:
    """Spearman's correlation of mean − best with the score of the best, and how often the mean loses.

    Parameters
    ----------
    differences
        Table of :func:`mean_against_best`.
    published
        What :func:`published_difference` gives.
    """
    from helpers import metrics

    both = differences["best"].to_numpy(), differences["difference"].to_numpy()
    first = differences[differences["sweep"] == "coles_recorded"]
    return {
        "regimes_rank": metrics.spearman(*both),
        "regimes_rank_first": metrics.spearman(first["best"].to_numpy(), first["difference"].to_numpy()),
        "regimes_n": len(differences),
        "regimes_lost": int((differences["difference"] < 0).sum()),
        "regimes_published": f"{published['estimate']:+.1f}",
        "regimes_published_low": f"{published['ci_low']:+.1f}",
        "regimes_published_high": f"{published['ci_high']:+.1f}",
        "regimes_lowest": f"{100 * differences['difference'].min():+.1f}",
    }
