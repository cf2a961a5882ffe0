"""What the page about weights without labels shows: weightings, rankings and winners, of a run and recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.book.data import table as recorded_table
from helpers.book.style import INK
from helpers.inference import format_interval, paired
from helpers.quality import QUALITIES
from helpers.studies.hand_made import HAND_MADE, SHOWN, recorded_by_hand
from helpers.studies.headline import difference_by_classifier
from helpers.studies.label_free import FURTHER, PUBLISHED, differences_to, views_of, weigh_models
from helpers.studies.label_free_ranking import CALLED, VIEWED, experiments_seen_twice

if TYPE_CHECKING:
    import pandas as pd

    from helpers.inference import Paired
    from helpers.studies.sweep import Sweep

__all__ = [
    "BEST_SINGLE",
    "PLAIN_MEAN",
    "Weightings",
    "accuracies_by_penalty",
    "at_fixed_penalty",
    "against_sum",
    "beside_hand_made",
    "facts",
    "facts_of_five",
    "facts_of_hand_made",
    "facts_of_penalties",
    "facts_of_scales",
    "facts_of_weightings",
    "facts_of_winners",
    "fair_gains",
    "figure_label_free",
    "name_method",
    "published_weightings",
    "recorded_weightings",
    "seen_no_label",
    "table_five_published",
    "table_label_free",
    "table_scales",
    "table_scorers_of_width",
    "table_sweep_settings",
    "weigh_sweep",
    "winner_elsewhere",
]

PLAIN_MEAN = {"quality": "equal", "combine": "sum"}
"""Columns and values that name the plain mean among the weightings."""
BEST_SINGLE = {"quality": "validation", "combine": "best"}
"""Columns and values that name the model that validation labels choose."""
SCORED_WIDTHS = {"concat": "side by side", "concat_pca": "side by side + PCA", "mean": "equal weights, sum"}
WAYS = {"sum": "sum", "concat": "side by side + PCA", "side by side": "side by side", "best": "best one"}


class Weightings(NamedTuple):
    """Models and weightings of several experiments.

    Attributes
    ----------
    models, methods : DataFrame
        Tables of :class:`helpers.studies.label_free.QualityStudy` with a column ``experiment``; ``models`` has
        ``columns``, too, how many columns of an event a model was given.
    """

    models: pd.DataFrame
    methods: pd.DataFrame


def weigh_sweep(
    sweep: Sweep,
    experiments: Iterable[int],
    *,
    views: str = "dropout",
    source: str = "simulated",
    options: Mapping[str, Any] | None = None,
    n_clients: int = 2000,
    lam: float = 1.0,
    classifier: str = "fast",
    metric: str = "accuracy",
    rng: int = 0,
) -> Weightings:
    """All weightings of the models of each experiment, by :func:`helpers.studies.label_free.weigh_models`.

    Parameters
    ----------
    sweep, experiments
        Sweep that :func:`helpers.studies.sweep.read_sweep` gives, and the numbers of experiments of two models or more.
    views
        ``"dropout"`` of features, or ``"halves"``: every model is trained again and embeds two halves of each history,
        which gives two more qualities.
    source, options, n_clients
        Arguments that the sweep was given.
    lam, classifier, metric, rng
        Arguments of :func:`helpers.studies.label_free.weigh_models`.

    Raises
    ------
    ValueError
        If there is no such experiment.
    """
    import pandas as pd

    experiments, models, methods = list(experiments), [], []
    if not experiments:
        raise ValueError("no experiment of the sweep has two models to weigh; models = 2 or more are needed")
    for e in experiments:
        extra = None
        if views == "halves":
            seen, _ = views_of(sweep, e, source=source, options=options, n_clients=n_clients, rng=rng)
            extra = {f"{name}_halves": {m: QUALITIES[name](views=v) for m, v in seen.items()} for name in VIEWED}
            extra = pd.DataFrame(extra)
        here = {m: sweep.embeddings[e, m] for m in sweep.runs.loc[e].index}
        weighing = {"extra": extra, "lam": lam, "classifier": classifier, "metric": metric, "rng": rng}
        one = weigh_models(here, sweep.target[e], sweep.split[e], **weighing)
        given = sweep.runs.loc[e, "features"].map(len).to_numpy()
        models.append(one.models.assign(experiment=e, columns=given))
        methods.append(one.methods.assign(experiment=e))
    return Weightings(pd.concat(models), pd.concat(methods))


def recorded_weightings() -> Weightings:
    """The recorded study of the sweep with most experiments, with every weighting that was recorded."""
    names = ("results/clients_unlabelled_models.csv", "results/clients_unlabelled.csv")
    models, methods = (recorded_table(name) for name in names)
    largest = methods.groupby("sweep")["experiment"].nunique().idxmax()
    models, methods = (part[part["sweep"] == largest].reset_index(drop=True) for part in (models, methods))
    given = recorded_table("results/clients_runs.csv")
    given = given[given["sweep"] == largest].set_index(["experiment", "model"])["features"]
    columns = (given.str.count(r"\+") + 1).rename("columns")
    return Weightings(models.join(columns, on=["experiment", "model"]), methods)


def at_fixed_penalty(methods: pd.DataFrame) -> pd.DataFrame:
    """Weightings with λ = 1, without λ, or without a quality: what is fixed before a label is seen."""
    return methods[methods["lam"].isna() | (methods["lam"] == 1) | (methods["scale"] == "none")]


def published_weightings() -> pd.DataFrame:
    """The published table of weights without labels, under the names of the qualities here."""
    names = {"coherence": "mean_cosine", "persistent_homology_h0": "persistence_h0"}
    return recorded_table("published/client_unsupervised_weights.csv").set_index("quality").rename(index=names)


def beside_hand_made(methods: pd.DataFrame) -> pd.DataFrame:
    """Recorded weightings, and a row in each experiment for features made by hand, by the scorer of the weightings.

    Parameters
    ----------
    methods
        Recorded weightings of one scorer.

    Raises
    ------
    ValueError
        If that scorer has not scored features made by hand.
    """
    import pandas as pd

    by_hand = recorded_by_hand(methods["classifier"].iloc[0]).drop(columns="method")
    by_hand = by_hand[by_hand["experiment"].isin(methods["experiment"])]
    named = {"quality": HAND_MADE, "combine": "features", "scale": methods["scale"].iloc[0]}
    return pd.concat([methods, by_hand.assign(**named)], ignore_index=True)


def against_sum(methods: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """The published qualities and validation labels as weights of the sum, against the plain mean.

    Parameters
    ----------
    methods
        Weightings with λ = 1, or without λ.
    options
        Passed to :func:`helpers.studies.label_free.differences_to`.

    Returns
    -------
    DataFrame
        Rows of that function by quality, of qualities that were brought to [0, 1].
    """
    found = differences_to(methods[methods["scale"] != "raw"], PLAIN_MEAN, **options)
    found = found[(found["combine"] == "sum") & (found["scale"] == "unit")].set_index("quality")
    return found.loc[[*PUBLISHED, "validation"]]


def seen_no_label(differences: pd.DataFrame) -> pd.DataFrame:
    """Methods into which no label entered, by their names, best first.

    Parameters
    ----------
    differences
        Table of :func:`helpers.studies.label_free.differences_to`.
    """
    free = differences[~differences["quality"].isin(["validation", "test"])].copy()
    free.index = free.apply(name_method, axis=1)
    return free.sort_values("percent", ascending=False)


def name_method(row: Mapping[str, Any]) -> str:
    """A weighting in few words: what decides, and how models are combined."""
    if row["quality"] == HAND_MADE:
        return SHOWN[HAND_MADE]
    return f"{CALLED.get(row['quality'], row['quality'])}, {WAYS[row['combine']]}"


def winner_elsewhere(methods: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Of each experiment the method without labels that is best on all *other* experiments.

    Parameters
    ----------
    methods
        Weightings, no two of one name in an experiment.

    Returns
    -------
    Series, Series
        Names of the winners and their accuracies, by experiment.
    """
    import pandas as pd

    free = methods[~methods["quality"].isin(["validation", "test"])]
    free = free.assign(method=free.apply(name_method, axis=1))
    wide = free.pivot(index="experiment", columns="method", values="accuracy").dropna(axis=1)
    elsewhere = (wide.sum() - wide).idxmax(axis=1)
    return elsewhere, pd.Series([wide.loc[e, method] for e, method in elsewhere.items()], wide.index)


def accuracies_by_penalty(
    sweep: Sweep, models: pd.DataFrame, strengths: Sequence[float], *, experiments: Iterable[int]
) -> pd.DataFrame:
    """Training and test accuracy of the best model and of all side by side, by C of a logistic regression.

    Parameters
    ----------
    sweep, experiments
        Sweep and the numbers of its experiments, over which accuracies are averaged.
    models
        Models with ``experiment``, ``model`` and ``validation`` accuracy, which names the best.
    strengths
        Values of C, the inverse of the penalty.

    Returns
    -------
    DataFrame
        A row for each C; columns ``best model, training``, ``best model, test``, and the same for ``side by side``.
    """
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def accuracies(e, strength):
        target, parts = sweep.target[e].dropna(), sweep.split[e]
        rated = models[models["experiment"] == e].set_index("model")["validation"]
        here = {str(m): sweep.embeddings[e, m].loc[target.index] for m in sweep.runs.loc[e].index}
        rows = {split: target.index[parts[target.index] == split] for split in ("train", "test")}
        found = {}
        for name, x in (("best model", here[rated.idxmax()]), ("side by side", pd.concat(here, axis=1))):
            x = x.set_axis(range(x.shape[1]), axis=1)
            model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
            model.fit(x.loc[rows["train"]], target[rows["train"]])
            for split, which in {"train": "training", "test": "test"}.items():
                found[f"{name}, {which}"] = model.score(x.loc[rows[split]], target[rows[split]])
        return pd.Series(found)

    experiments = list(experiments)
    means = {c: sum(accuracies(e, c) for e in experiments) / len(experiments) for c in strengths}
    return pd.DataFrame(means).T.rename_axis("C", axis=1)


# Tables


def table_sweep_settings(sweep: Sweep, n: int = 6) -> pd.DataFrame:
    """Settings of the first models of a sweep, in words."""
    settings = {
        "features": "columns of an event",
        "cell": "network",
        "projector": "width of the projector",
        "noise": "noise",
        "learning_rate": "learning rate",
        "epochs": "epochs",
    }
    runs = sweep.runs.head(n)
    runs = runs.assign(features=runs["features"].map(", ".join), cell=runs["cell"].str.upper())
    numbers = [f"{experiment}, {model}" for experiment, model in runs.index]
    shown = runs.rename(columns=settings)[list(settings.values())].set_axis(numbers, axis=0)
    return shown.rename_axis("experiment, model", axis=1)


def table_five_published(five: Mapping[str, pd.DataFrame], published: pd.DataFrame) -> pd.DataFrame:
    """Accuracy relative to the plain mean, in percent, as published and here.

    Parameters
    ----------
    five
        Tables of :func:`against_sum` by where they are from; the last one tells the share of experiments won.
    published
        Index quality, columns ``mean_percent``, ``std_percent`` and ``win_percent``.
    """
    import pandas as pd

    recorded = list(five)[-1]
    columns = {"published": published.apply("{mean_percent:+.2f} ± {std_percent:.2f}".format_map, axis=1)}
    columns |= {where: rows.apply(format_interval, value="percent", axis=1) for where, rows in five.items()}
    columns["won, published"] = published["win_percent"].map("{:.1f}".format)
    columns[f"won, {recorded}"] = five[recorded]["win"].map("{:.1f}".format)
    shown = pd.DataFrame(columns).loc[[*PUBLISHED, "validation"]].fillna("").rename(index=CALLED)
    return shown.rename_axis("percent", axis=1)


def table_scales(methods: pd.DataFrame) -> pd.DataFrame:
    """Percent above the plain mean by how the qualities are scaled and by λ, means over the experiments.

    Parameters
    ----------
    methods
        Weightings, with all values of λ.

    Returns
    -------
    DataFrame
        Index quality; ``own units``, then a column for each λ with qualities brought to [0, 1].
    """
    part = methods[(methods["combine"] == "sum") & methods["quality"].isin([*PUBLISHED, "validation"])]
    base = methods[(methods["quality"] == "equal") & (methods["combine"] == "sum")]
    base = base.set_index("experiment")["accuracy"]
    relative = part.assign(percent=100 * (part["accuracy"] / part["experiment"].map(base) - 1))
    at = "λ = " + relative["lam"].map("{:g}".format)
    relative["setting"] = np.where(relative["scale"] == "raw", "own units", at)
    return relative.pivot_table(index="quality", columns="setting", values="percent", sort=False)


def table_label_free(to_mean: pd.DataFrame, to_best: pd.DataFrame, n: int = 8) -> pd.DataFrame:
    """The best methods without labels, and a model at random, against the mean and against the best single model.

    Parameters
    ----------
    to_mean, to_best
        Tables of :func:`seen_no_label` against each of the two, with a row of features made by hand or without.
    n
        Number of methods shown, beside the model at random and features made by hand.
    """
    import pandas as pd

    by_hand = SHOWN[HAND_MADE]
    leaders = [*to_mean.index.drop(by_hand, errors="ignore")[:n], "one at random, best one"]
    leaders += [by_hand] * (by_hand in to_mean.index)
    both = {"mean": to_mean, "best single": to_best}
    columns = {
        f"against {name}, %": part.reindex(leaders).apply(format_interval, value="percent", axis=1)
        for name, part in both.items()
    }
    return pd.DataFrame(columns | {"accuracy": to_mean.reindex(leaders)["accuracy"].map("{:.4f}".format)})


def fair_gains(methods: pd.DataFrame, fair: pd.Series, *, rng: int = 0) -> dict[str, Paired]:
    """Percent by which fairly chosen winners are above the mean, and above what labels choose, over experiments.

    Parameters
    ----------
    methods
        Weightings, no two of one name in an experiment.
    fair
        Accuracies of the winners, from :func:`winner_elsewhere`.
    rng
        Seed of the intervals.

    Returns
    -------
    dict of str to Paired
        Differences to ``"the mean"``, to the ``"best single, by validation labels"``, and by test labels.
    """
    references = {
        "the mean": PLAIN_MEAN,
        "best single, by validation labels": BEST_SINGLE,
        "best single, by test labels": {"quality": "test", "combine": "best"},
    }
    found = {}
    for name, reference in references.items():
        named = (methods[list(reference)] == list(reference.values())).all(axis=1)
        other = methods[named].set_index("experiment")["accuracy"].loc[fair.index]
        found[name] = paired(100 * (fair / other - 1), np.zeros(len(fair)), rng=rng)
    return found


def table_scorers_of_width(headline: pd.DataFrame) -> pd.DataFrame:
    """Points from the best single model by each scorer: all side by side, with PCA, and the plain mean.

    Parameters
    ----------
    headline
        Recorded table of :func:`helpers.studies.headline.score_by_classifiers`.
    """
    import pandas as pd

    rows = {
        called: difference_by_classifier(headline, name, "best").apply(_points, axis=1, experiments=headline)
        for name, called in SCORED_WIDTHS.items()
    }
    shown = pd.DataFrame(rows).rename({"lightgbm": "LightGBM", "lightautoml": "LightAutoML"})
    return shown.rename_axis(None).rename_axis("points", axis=1)


def _points(row: pd.Series, experiments: pd.DataFrame) -> str:
    """A difference in points with its interval, and the number of experiments if not all."""
    if row["n"] < 2:
        return "not scored"
    few = row["n"] < experiments["experiment"].nunique()
    return format_interval(row, scale=100) + (f" (n = {row['n']:.0f})" if few else "")


# Figures


def figure_label_free(to_best: pd.DataFrame, top: str) -> Any:
    """Methods without labels against the single model that labels choose, and in orange what labels give.

    Parameters
    ----------
    to_best
        Table of :func:`helpers.studies.label_free.differences_to` against the best single model.
    top
        Quality that ranks best, which is shown beside the usual ones.
    """
    import matplotlib.pyplot as plt

    named = ["equal", "difference", "validation", "random", "agreement", "rankme", top, HAND_MADE]
    drawn = to_best[to_best["quality"].isin(named)].copy()
    drawn.index = drawn.apply(name_method, axis=1)
    drawn = drawn.sort_values("percent")
    _, ax = plt.subplots(figsize=(6.4, 0.7 + 0.26 * len(drawn)))
    for y, (_, row) in enumerate(drawn.iterrows()):
        color = "C1" if row["quality"] == "validation" else "C0"
        ax.plot([row["ci_low"], row["ci_high"]], [y, y], color=color, lw=1.6)
        filled = color if row["verdict"] != "not distinguishable" else "none"
        ax.plot(row["percent"], y, "o", color=color, mfc=filled, ms=6)
    ax.axvline(0, color=INK, lw=1)
    ax.set_yticks(range(len(drawn)), drawn.index, fontsize=9)
    ax.set(xlabel="accuracy against the best single model, %")
    return ax


# Facts


def facts(recorded: Weightings, n_experiments: int, n_runs: int) -> dict[str, Any]:
    """What was studied, in the run and recorded: experiments, models, clients, qualities.

    Parameters
    ----------
    recorded
        Weightings from :func:`recorded_weightings`.
    n_experiments, n_runs
        Experiments and models of the run.
    """
    models, methods = recorded
    return {
        "n_experiments": n_experiments,
        "n_runs": n_runs,
        "n_tried": len(PUBLISHED + FURTHER),
        "rec_scorer": methods["classifier"].iloc[0],
        "rec_experiments": methods["experiment"].nunique(),
        "rec_models": len(models),
        "rec_date": methods["date"].max(),
        "rec_test": round(methods["n_test"].mean()),
        "rec_train": round(methods["n_train"].mean()),
        "rec_minutes": float(methods.groupby("experiment")["minutes"].first().sum()),
        "seen_twice": experiments_seen_twice(models),
        "spread": models.groupby("experiment")["test"].agg(np.ptp).mul(100).mean(),
        "noise": 100 * np.sqrt(0.24 / methods["n_test"].mean()),
    }


def facts_of_five(five: pd.DataFrame) -> dict[str, Any]:
    """What the published qualities gain on the plain mean, and what validation labels do, from :func:`against_sum`."""
    ideal, five = five.loc["validation"], five.loc[list(PUBLISHED)]
    best, worst = five["percent"].idxmax(), five["percent"].idxmin()
    return {
        "five_better": int(((five["ci_low"] > 0) & (five["p"] <= 0.05)).sum()),
        "five_worse": int(((five["ci_high"] < 0) & (five["p"] <= 0.05)).sum()),
        "five_best": CALLED[best],
        "five_best_said": format_interval(five.loc[best], "percent"),
        "five_worst": CALLED[worst],
        "five_worst_said": format_interval(five.loc[worst], "percent"),
        "ideal_said": format_interval(ideal, "percent"),
        "ideal_word": ideal["verdict"],
    }


def facts_of_scales(methods: pd.DataFrame) -> dict[str, float]:
    """How often a quality in its own units puts all weight on one model, and for how many a smaller λ is worse."""
    scales = table_scales(methods)
    raw = methods[(methods["combine"] == "sum") & (methods["scale"] == "raw")]
    single = raw["weights"].str.split().map(lambda weights: max(map(float, weights)) > 0.999)
    alone = single.groupby(raw["quality"]).mean().mul(100)
    found = {f"raw_single_{name}": float(alone[name]) for name in ("pseudo_condition_number", "persistence_h0")}
    worse = scales["λ = 0.1"] < scales["λ = 1"]
    return found | {"lams_worse": int(worse.loc[list(PUBLISHED)].sum())}


def facts_of_winners(winners: pd.Series, fair: Mapping[str, Paired]) -> dict[str, Any]:
    """Which method wins elsewhere, in what share of the experiments, and what it gains on the mean and on labels.

    Parameters
    ----------
    winners, fair
        Names from :func:`winner_elsewhere`, and what :func:`fair_gains` found.
    """
    usual = winners.mode().iloc[0]
    found = {"winner": usual, "winner_share": 100 * (winners == usual).mean()}
    for key, name in (("mean", "the mean"), ("single", "best single, by validation labels")):
        found |= {f"fair_{key}_said": f"{fair[name]:+.2f}", f"fair_{key}_verdict": fair[name].verdict}
    return found


def facts_of_weightings(methods: pd.DataFrame, to_best: pd.DataFrame, **options: Any) -> dict[str, Any]:
    """What equal weights gain on the best single model, and what weights gain on equal ones, side by side.

    Parameters
    ----------
    methods
        Weightings with λ = 1, or without λ, none in its own units.
    to_best
        Table of :func:`seen_no_label` against the best single model.
    options
        Passed to :func:`helpers.studies.label_free.differences_to`.
    """
    found = {}
    names = {
        "pca": "equal weights, side by side + PCA",
        "wide": "equal weights, side by side",
        "mean": "equal weights, sum",
        "random": "one at random, best one",
    }
    for key, name in names.items():
        found[f"single_{key}"] = to_best.loc[name, "percent"]
        if key != "random":
            found[f"single_{key}_said"] = format_interval(to_best.loc[name], "percent")
    pca = differences_to(methods, {"quality": "equal", "combine": "concat"}, **options)
    pca = pca[pca["combine"] == "concat"].set_index("quality")
    ideal = pca.loc["validation"]
    pca = pca[pca["scale"] == "unit"].drop(index="validation")
    top = pca["percent"].idxmax()
    return found | {
        "pca_tried": len(pca),
        "pca_better": int(((pca["p_holm"] <= 0.05) & (pca["percent"] > 0)).sum()),
        "pca_worse": int(((pca["p_holm"] <= 0.05) & (pca["percent"] < 0)).sum()),
        "pca_top": CALLED[top],
        "pca_top_said": format_interval(pca.loc[top], "percent"),
        "ideal_pca_said": format_interval(ideal, "percent"),
    }


def facts_of_penalties(penalties: pd.DataFrame, headline: pd.DataFrame) -> dict[str, Any]:
    """What a stronger penalty does to all models side by side, and what each scorer says of them.

    Parameters
    ----------
    penalties, headline
        Table of :func:`accuracies_by_penalty`, weakest penalty first, and the recorded table of the scorers.
    """
    weak, strong = penalties.iloc[0], penalties.iloc[-1]
    found = {
        "gap_weak": 100 * (weak["side by side, test"] - weak["best model, test"]),
        "gap_strong": 100 * (strong["side by side, test"] - strong["best model, test"]),
        "fit_weak": 100 * weak["side by side, training"],
        "fit_strong": 100 * strong["side by side, training"],
        "test_weak": 100 * weak["side by side, test"],
    }
    told = {"concat": ("logistic", "lightgbm", "lightautoml"), "mean": ("logistic", "lightautoml")}
    most = 0
    for name, classifiers in told.items():
        differences = difference_by_classifier(headline, name, "best")
        found |= {f"{name}_{which}": _points(differences.loc[which], headline) for which in classifiers}
        most = max(most, int(differences["n"].max()))
    return found | {"headline_experiments": most}


def facts_of_hand_made(to_best: pd.DataFrame) -> dict[str, str]:
    """What features made by hand are worth against the single model that labels choose, in percent.

    Parameters
    ----------
    to_best
        Table of :func:`helpers.studies.label_free.differences_to` of :func:`beside_hand_made`.
    """
    return {"hand_made": format_interval(to_best.set_index("quality").loc[HAND_MADE], "percent")}
