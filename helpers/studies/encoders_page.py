"""What the page about encoders of clients shows: a sweep of this run, its scorers, and the recorded sweep.

The sweep itself is :mod:`helpers.studies.sweep`; encoders beside features made by hand are
:mod:`helpers.studies.counting`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.book.data import table as recorded_table
from helpers.book.style import INK
from helpers.clients import CLASSIFIERS
from helpers.clients.scoring import METRIC_NAMES

if TYPE_CHECKING:
    import pandas as pd

    from helpers.studies.sweep import Sweep

__all__ = [
    "best_runs",
    "facts_of_classifiers",
    "facts_of_recorded_sweep",
    "facts_of_share",
    "facts_of_sweep",
    "figure_recorded_sweep",
    "figure_sweep",
    "guessing",
    "recorded_scorers",
    "recorded_sweep",
    "table_by_features",
    "table_classifiers",
    "table_settings",
    "table_sweep",
]


# The sweep of this run


def table_settings(
    models: int, features: Sequence[str], space: Mapping[str, Sequence[Any]] | None = None, *, rng: int = 0
) -> pd.DataFrame:
    """Settings that the encoders of the first experiment have drawn, a column for each model.

    Parameters
    ----------
    models
        Number of models that are shown.
    features
        Features of the transactions, of which each model sees some.
    space
        Values to draw a setting from where they are others than by default.
    rng
        Seed of the sweep.
    """
    import pandas as pd

    from helpers.clients import coles

    drawn = [
        coles.draw(0, model, rng=rng, features=features, space=coles.SPACE | (space or {})) for model in range(models)
    ]
    shown = pd.DataFrame(drawn).rename_axis("model")
    return shown.assign(features=shown["features"].map(", ".join)).T


def guessing(sweep: Sweep, metric: str = "accuracy") -> float:
    """What guessing the most frequent class reaches by a metric: its share, of the accuracy, the mean over experiments.

    Parameters
    ----------
    sweep
        Sweep with the finished runs.
    metric
        One of :data:`helpers.clients.SCORE_METRICS`.
    """
    if metric == "roc_auc":
        return 0.5
    if metric == "balanced_accuracy":
        return float(np.mean([1 / target.nunique() for target in sweep.target.values()]))
    return float(np.mean([target.value_counts(normalize=True).max() for target in sweep.target.values()]))


def table_sweep(runs: pd.DataFrame) -> pd.DataFrame:
    """Features, cell, last loss and scores of the runs of a sweep."""
    shown = runs[["features", "cell", "loss", "accuracy_validation", "accuracy_test"]]
    shown = shown.rename(columns=lambda name: name.removeprefix("accuracy_")).round(3)
    return shown.replace({"features": {r" \+ ": ",\N{NO-BREAK SPACE}"}}, regex=True)


def facts_of_sweep(sweep: Sweep, runs: pd.DataFrame, failed: int, metric: str = "accuracy") -> dict[str, float]:
    """How many runs there are, what they reach, and what guessing reaches.

    Parameters
    ----------
    sweep
        Sweep with the finished runs.
    runs
        Table of the runs with ``losses`` and, from :func:`helpers.studies.sweep.score_runs`, accuracies.
    failed
        Number of runs that failed.
    metric
        Metric of the accuracies.
    """
    parts = [part.value_counts() for part in sweep.split.values()]
    picked = runs.loc[runs.groupby("experiment")["accuracy_validation"].idxmax()]
    return {
        "n_runs": len(runs),
        "models": int(runs.groupby("experiment").size().max()),
        "n_failed": failed,
        "n_train": int(np.median([part["train"] for part in parts])),
        "n_test": int(np.median([part["test"] for part in parts])),
        "seconds": float(runs["train_seconds"].median()),
        "chance": guessing(sweep, metric),
        "best": picked["accuracy_test"].mean(),
        "half_interval": 50 * float((runs["ci_high_test"] - runs["ci_low_test"]).mean()),
        "falling": int(sum(losses[-1] <= losses[0] for losses in runs["losses"])),
    }


def facts_of_share(runs: pd.DataFrame, chance: float) -> dict[str, str]:
    """What the median run keeps of what its ideal observer gains over guessing, and how well the two axes agree.

    Parameters
    ----------
    runs
        Table with ``accuracy_test`` and, where the truth is known, ``ideal``.
    chance
        What guessing reaches.
    """
    if "ideal" not in runs:
        return {"kept": "an unknown part", "kept_rank": "not known"}
    kept = (runs["accuracy_test"] - chance) / (runs["ideal"] - chance)
    rank = runs["ideal"].corr(runs["accuracy_test"], method="spearman")
    return {"kept": f"{100 * kept.median():.0f} %", "kept_rank": f"{rank:.2f}"}


def figure_sweep(runs: pd.DataFrame, chance: float, metric: str = "accuracy") -> Any:
    """Losses of all runs by epoch, beside their accuracies, against the ideal observer where there is one.

    Parameters
    ----------
    runs
        Table of the runs with ``losses``, accuracies on test clients with their limits and, where the truth is known,
        ``ideal``.
    chance
        What guessing reaches.
    metric
        Metric of the accuracies.
    """
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, 2, figsize=(7.4, 3.6), width_ratios=[1, 1.5])
    left, right = axes
    for (experiment, _), losses in runs["losses"].items():
        left.plot(np.arange(1, len(losses) + 1), losses, color=f"C{experiment % 10}", lw=1, marker=".")
    left.set(xlabel="epoch", ylabel="loss per slice", ylim=(0, None))
    known, experiments = "ideal" in runs, runs.index.get_level_values("experiment").nunique()
    if known:
        x, label = runs["ideal"], "ideal observer of the same features"
        right.axline((0.3, 0.3), slope=1, color=INK, lw=1)
    else:
        x, label = runs["accuracy_test"].rank(method="first"), f"run, by {METRIC_NAMES[metric]}"
    for place, (experiment, own) in enumerate(runs.groupby("experiment")):
        shift = 0.002 * (place - (experiments - 1) / 2) if known else 0
        error = np.abs(own[["ci_low_test", "ci_high_test"]].sub(own["accuracy_test"], axis=0)).to_numpy().T
        look = {"fmt": "o", "ms": 4, "lw": 1, "color": f"C{experiment % 10}"}
        right.errorbar(x.loc[own.index] + shift, own["accuracy_test"], error, **look)
    right.axhline(chance, color=INK, lw=1, ls="--")
    right.set(xlabel=label, ylabel=f"{METRIC_NAMES[metric]} on test clients")
    return axes


# Scorers


def table_classifiers(
    sweep: Sweep,
    classifiers: Sequence[str],
    runs: Sequence[tuple[int, int]] | None = None,
    *,
    metric: str = "accuracy",
    rng: int = 0,
) -> pd.DataFrame:
    """Mean score and median seconds of several classifiers on the same runs.

    Parameters
    ----------
    sweep
        Sweep with the finished runs.
    classifiers
        Names as in :func:`helpers.clients.score`.
    runs
        Which, as (experiment, model); all by default.
    metric, rng
        Metric of the scores, one of :data:`helpers.clients.SCORE_METRICS`, and seed of the classifiers.
    """
    import pandas as pd

    from helpers.studies.sweep import score_runs

    rows = {}
    for name in classifiers:
        scored = score_runs(sweep, classifier=name, on=["test"], runs=runs or None, metric=metric, rng=rng)
        rows[name] = {"runs": len(scored), f"mean {METRIC_NAMES[metric]}": scored["accuracy_test"].mean()}
        rows[name]["median seconds"] = scored["seconds"].median()
    return pd.DataFrame(rows).T.astype({"runs": int}).round(3)


def recorded_scorers() -> pd.DataFrame:
    """The recorded table of runs that every classifier has scored."""
    return recorded_table("results/clients_scorers.csv")


def facts_of_classifiers(scored: pd.DataFrame, agree: pd.DataFrame) -> dict[str, Any]:
    """How well the fast classifier ranks runs as LightAutoML does, and how long both take.

    Parameters
    ----------
    scored
        Table of :func:`recorded_scorers`.
    agree
        Table of :func:`helpers.clients.score_agreement`.
    """
    took = scored[[f"seconds_{name}" for name in CLASSIFIERS]].median()
    wins = scored.groupby("experiment")[list(CLASSIFIERS)].agg(lambda accuracy: accuracy.iloc[-1] > accuracy.iloc[0])
    fast = agree.loc["fast"]
    return {
        "agree": f"{fast['correlation']:.2f} [{fast['ci_low']:.2f}, {fast['ci_high']:.2f}]",
        "agree_pooled": fast["correlation"],
        "agree_order": int((wins["fast"] == wins["lightautoml"]).sum()),
        "agree_n": len(scored),
        "recorded_timeout": int(scored["timeout"].max()),
        "agree_experiments": scored["experiment"].nunique(),
        "agree_difference": 100 * fast["difference"],
        "took_fast": took["seconds_fast"],
        "took_automl": took["seconds_lightautoml"],
    }


# The recorded sweep


def recorded_sweep(ideal: pd.Series) -> pd.DataFrame:
    """The recorded runs, with what an ideal observer of the same features reaches.

    Parameters
    ----------
    ideal
        Accuracy of the ideal observer of the standard bank, by subset of the features.

    Returns
    -------
    DataFrame
        Table ``results/clients_runs.csv`` with the columns ``ideal``, and ``share``: what a run keeps of what its
        observer gains over guessing.
    """
    recorded = recorded_table("results/clients_runs.csv")
    recorded["ideal"] = recorded["features"].map(ideal)
    return recorded.assign(share=(recorded["accuracy_test"] - 0.25) / (recorded["ideal"] - 0.25))


def table_by_features(recorded: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy of the recorded runs and of their observers, by how many features they see."""
    size = (recorded["features"].str.count(r"\+") + 1).rename("features seen")
    found = recorded.groupby(size).agg(
        runs=("model", "size"), accuracy=("accuracy_test", "mean"), ideal=("ideal", "mean")
    )
    return found.round(3)


def best_runs(recorded: pd.DataFrame, part: str) -> pd.DataFrame:
    """The run of each experiment that has the highest accuracy on the clients of a part, ``validation`` or ``test``."""
    return recorded.loc[recorded.groupby("experiment")[f"accuracy_{part}"].idxmax()]


def facts_of_recorded_sweep(recorded: pd.DataFrame) -> dict[str, Any]:
    """Sizes of the recorded sweep, what its runs keep, and what the best of each experiment reach.

    Parameters
    ----------
    recorded
        Table of :func:`recorded_sweep`.
    """
    from helpers.book.runs import read_parameters
    from helpers.studies.sweep import WORKER

    plan = read_parameters(WORKER.with_name("coles_recorded.yml"))
    best, others = best_runs(recorded, "test"), recorded["n_validation"] + recorded["n_test"]
    return {
        "recorded_runs": len(recorded),
        "recorded_failed": int(np.prod([len(values) for values in plan["grid"].values()])) - len(recorded),
        "recorded_models": recorded["model"].nunique(),
        "recorded_train": int((plan["parameters"]["n_clients"] - others).median()),
        "recorded_test": int(recorded["n_test"].median()),
        "recorded_experiments": recorded["experiment"].nunique(),
        "recorded_date": recorded["date"].max(),
        "recorded_share": 100 * recorded["share"].median(),
        "recorded_best": best["accuracy_test"].mean(),
        "recorded_best_ideal": best["ideal"].mean(),
        "recorded_chosen": best_runs(recorded, "validation")["accuracy_test"].mean(),
        "recorded_rank": recorded["ideal"].corr(recorded["accuracy_test"], method="spearman"),
    }


def figure_recorded_sweep(recorded: pd.DataFrame, *, rng: int = 0) -> Any:
    """Accuracy of the recorded runs against the ideal observer of the same features, filled where categories are seen.

    Parameters
    ----------
    recorded
        Table of :func:`recorded_sweep`.
    rng
        Seed of the sideways shifts that keep points apart.
    """
    import matplotlib.pyplot as plt

    sees = recorded["features"].str.contains("category")
    _, ax = plt.subplots(figsize=(6.0, 3.6))
    x = recorded["ideal"] + np.random.default_rng(rng).uniform(-0.003, 0.003, len(recorded))
    for which, face, label in ((sees, "C0", "categories seen"), (~sees, "none", "not seen")):
        look = {"s": 22, "facecolors": face, "edgecolors": "C0", "label": label}
        ax.scatter(x[which], recorded["accuracy_test"][which], **look)
    ax.axline((0.3, 0.3), slope=1, color=INK, lw=1)
    ax.axhline(0.25, color=INK, lw=1, ls="--")
    ax.annotate("ideal observer", (0.62, 0.635), color=INK, fontsize=9, ha="right")
    ax.annotate("guessing", (recorded["ideal"].max(), 0.255), color=INK, fontsize=9, ha="right", va="bottom")
    ax.set(xlabel="ideal observer of the same features", ylabel="accuracy on test clients")
    ax.legend(loc="upper left")
    return ax
