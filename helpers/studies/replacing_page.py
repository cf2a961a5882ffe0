"""What the page about replaced coordinates shows: steps, curves, gains and what they say in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.book.data import table as recorded_table
from helpers.book.style import INK
from helpers.inference import format_interval, format_p
from helpers.studies.combining import differences_over_experiments
from helpers.studies.combining_page import facts_of_recording
from helpers.studies.comparing import paired_table
from helpers.studies.hand_made import HAND_MADE, SHOWN

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

__all__ = [
    "SHOWN_METHODS",
    "facts",
    "facts_of_importances",
    "facts_of_replacements",
    "facts_of_starts",
    "facts_of_steps_taken",
    "facts_of_won",
    "figure_replacements",
    "figure_step_gains",
    "gains_along_steps",
    "recorded_starts",
    "show_steps_chosen",
    "table_recorded_gains",
    "table_spaces",
    "table_starts",
]

SHOWN_METHODS = {
    "mean": "mean of all",
    "replacement": "replacement",
    "replacement_inverse": "replacement, 1 / CKA",
    "replacement_capped": "… p caps, steps 1 / t",
    "replacement_agreement": "replacement, from agreement",
    "replacement_tuned": "replacement, tuned",
    "quality_replacement": "with quality",
    "quality_replacement_harmonic": "… steps 1 / t",
    "quality_replacement_tuned": "with quality, tuned",
    "concat_pca": "concatenation + PCA",
    "concat": "concatenation, all columns",
    "best_on_test": "best on test",
} | SHOWN
"""Methods that the page compares with the best model, and what they are called."""

STARTS = {"rankme": "RankMe", "agreement": "agreement", "validation": "validation labels"}
"""Columns of the recorded qualities from which a start may be chosen, and what they are called."""
ENDS = {"RankMe": "replacement", "agreement": "replacement_agreement", "validation labels": "quality_replacement"}
"""Method that takes all its steps from each start."""
TOLD = (
    "replacement",
    "replacement_inverse",
    "replacement_capped",
    "replacement_agreement",
    "quality_replacement",
    "concat_pca",
    HAND_MADE,
)
"""Methods whose recorded differences to the best model the text tells."""
RULES = {"replacement_tuned": "p", "quality_replacement_tuned": "alpha"}


def table_spaces(layers: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Columns of each model, how many directions it uses, and its similarity to the first.

    Parameters
    ----------
    layers
        Arrays (clients, columns) by the name of the model.
    """
    import pandas as pd

    from helpers.quality import rankme
    from helpers.similarity.cka import cka

    first = next(iter(layers.values()))
    columns = {
        "columns": {name: x.shape[1] for name, x in layers.items()},
        "RankMe": {name: rankme(x) for name, x in layers.items()},
        "CKA with the first": {name: cka(first, x) for name, x in layers.items()},
    }
    return pd.DataFrame(columns).rename_axis("model", axis=1)


def show_steps_chosen(curves: pd.DataFrame) -> Styler:
    """What validation chose for each rule in each experiment: p, α and the number of steps, with its score."""
    chosen = curves[curves["chosen"] & curves["steps"].notna()]
    shown = chosen.assign(method=chosen["method"].map(SHOWN_METHODS), steps=chosen["steps"].astype(int))
    shown = shown.rename(columns={"alpha": "α", "validation": "on validation clients"})
    shown = shown.sort_values(["method", "experiment"])[
        ["method", "experiment", "p", "α", "steps", "on validation clients"]
    ]
    styled = shown.style.hide(axis="index").format("{:g}", na_rep="", subset=["p", "α"])
    return styled.format("{:.3f}", subset=["on validation clients"])


def table_recorded_gains(recorded: pd.DataFrame) -> pd.DataFrame:
    """Points above the best model and above concatenation + PCA with intervals over experiments, and experiments won.

    Parameters
    ----------
    recorded
        Table with ``experiment``, ``method`` and ``accuracy``.
    """
    import pandas as pd

    best, pca = (differences_over_experiments(recorded, against) for against in ("best", "concat_pca"))
    rows = {}
    for name, called in _recorded(best).items():
        above_pca = "" if name == "concat_pca" else format_interval(pca.loc[name], scale=100)
        rows[called] = {
            "above the best model": format_interval(best.loc[name], scale=100),
            "experiments won": f"{best.loc[name, 'wins']} of {best.loc[name, 'n']}",
            "above concatenation + PCA": above_pca,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("points of accuracy", axis=1)


def recorded_starts() -> pd.DataFrame:
    """Test accuracy of the model that each rule would start from: recorded experiments × rules."""
    import pandas as pd

    models = recorded_table("results/clients_unlabelled_models.csv").set_index("model")
    by_experiment = models.groupby("experiment")
    rows = {
        number: {called: float(each.loc[each[name].idxmax(), "test"]) for name, called in STARTS.items()}
        for number, each in by_experiment
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def table_starts(starts: pd.DataFrame, recorded: pd.DataFrame, *, rng: int = 0) -> pd.DataFrame:
    """What each rule for the start gives, and where its steps end, in points with intervals over experiments.

    Parameters
    ----------
    starts
        Table of :func:`recorded_starts`.
    recorded
        Recorded comparison of methods, from which the ends are: :data:`ENDS`.
    rng
        Seed of intervals and tests.
    """
    import pandas as pd

    first = starts.columns[0]
    pairs = {name: (starts[name], starts[first]) for name in starts.columns[1:]}
    found = paired_table(pairs, rng=rng)
    ends = differences_over_experiments(recorded, "best")
    ended = {start: format_interval(ends.loc[name], scale=100) for start, name in ENDS.items() if name in ends.index}
    return pd.DataFrame(
        {
            "accuracy of the start": starts.mean().map("{:.3f}".format),
            f"start, above {first}'s": found.apply(format_interval, scale=100, axis=1),
            "p, Holm": found["p_holm"].map(format_p),
            "end of the steps, above the best model": ended,
        },
        index=starts.columns,
    ).fillna("")


def gains_along_steps(curves: pd.DataFrame, method: str) -> pd.DataFrame:
    """Validation accuracy at each step less that of the start, in points, by experiment and value of the parameter.

    Parameters
    ----------
    curves
        Rows with ``experiment``, ``method``, ``p``, ``alpha``, ``steps`` and ``validation``.
    method
        ``"replacement_tuned"``, by p, or ``"quality_replacement_tuned"``, by α at the middle p.

    Returns
    -------
    DataFrame
        Index (experiment, value), columns steps; a path that ended keeps its last value.
    """
    rows = curves[curves["method"] == method]
    if method == "quality_replacement_tuned":
        rows = rows[rows["p"] == _middle(rows["p"])]
    wide = rows.pivot_table(index=["experiment", RULES[method]], columns="steps", values="validation")
    wide = wide.ffill(axis=1)
    return 100 * wide.sub(wide[0], axis=0)


# Figures


def figure_replacements(paths: Mapping[str, Any]) -> Any:
    """Share of the columns that come from each model, step by step, a panel for each fitted replacement.

    Parameters
    ----------
    paths
        Fitted :class:`helpers.ensembles.GreedyReplacement` by what the panel is called.
    """
    import matplotlib.pyplot as plt
    import pandas as pd

    fig, axes = plt.subplots(1, len(paths), figsize=(2.6 * len(paths) + 2.0, 3.0), sharey=True, squeeze=False)
    for ax, (title, fitted) in zip(axes[0], paths.items(), strict=True):
        steps = range(len(fitted.steps_) + 1)
        shares = pd.DataFrame({step: fitted.up_to(step).weights_ for step in steps}).T
        palette, bottom = plt.get_cmap("viridis")(np.linspace(0, 0.95, shares.shape[1])), np.zeros(len(shares))
        for colour, (name, share) in zip(palette, shares.items(), strict=True):
            ax.bar(shares.index, share, bottom=bottom, color=colour, width=0.8, label=f"model {name}")
            bottom += share.to_numpy()
        ax.set(xlabel="step", xticks=shares.index, title=title)
    axes[0, 0].set(ylabel="share of the columns", ylim=(0, 1))
    handles, labels = axes[0, -1].get_legend_handles_labels()
    fig.legend(handles[::-1], labels[::-1], loc="outside right center", fontsize="small")  # as the bars are stacked
    return axes[0]


def figure_step_gains(curves: pd.DataFrame) -> Any:
    """Gain in validation accuracy along the steps: without labels by p, with quality by α; a band for one line."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 2, figsize=(7.4, 3.1))
    titles = {"replacement_tuned": ("without labels", "p"), "quality_replacement_tuned": ("with quality", "α")}
    for ax, (method, (title, letter)) in zip(axes, titles.items(), strict=True):
        for position, (value, line) in enumerate(gains_along_steps(curves, method).groupby(level=1)):
            middle, error = line.mean(), 2 * line.std(ddof=1) / np.sqrt(len(line))
            ax.plot(line.columns, middle, "o-", color=f"C{position}", ms=4, label=f"{letter} = {value:g}")
            if position == 1:
                ax.fill_between(line.columns, middle - error, middle + error, color="C1", alpha=0.2, lw=0)
        ax.axhline(0, color=INK, lw=1)
        ax.set(xlabel="step", title=title)
        ax.legend()
    axes[0].set(ylabel="gain in points")
    return axes


# Facts


def facts(layers: Mapping[str, np.ndarray], n_experiments: int, *, rng: int = 0) -> dict[str, Any]:
    """What is combined: models, their widths, how similar they are to the first, and what chance gives.

    Parameters
    ----------
    layers
        Arrays (clients, columns) by the name of the model.
    n_experiments, rng
        Number of experiments of the run, and seed of the shuffled rows.
    """
    from helpers.similarity.cka import cka

    first, *others = layers.values()
    similar = [cka(first, x) for x in others]
    return {
        "alike": f"{min(similar):.2f} to {max(similar):.2f}" if similar else "—",
        "alike_chance": cka(first, np.random.default_rng(rng).permutation(first)),
        "models": len(layers),
        "width": first.shape[1],
        "together": sum(x.shape[1] for x in layers.values()),
        "n_experiments": n_experiments,
        "n_train": len(first),
    }


def facts_of_replacements(complement: Any, inverse: Any, capped: Any) -> dict[str, Any]:
    """Percent of its columns that the start keeps with each reading of the rule, from fitted replacements."""
    kept = {"complement": complement.weights_, "inverse": inverse.weights_, "capped": capped.weights_}
    found = {f"kept_{gain}": 100 * shares[complement.start_] for gain, shares in kept.items()}
    return found | {"start": complement.start_}


def facts_of_starts(starts: pd.DataFrame, *, rng: int = 0) -> dict[str, Any]:
    """Points by which the start of highest agreement is above that of highest RankMe, with their interval.

    Parameters
    ----------
    starts, rng
        Same meaning as in :func:`table_starts`.
    """
    found = paired_table({"agreement": (starts["agreement"], starts["RankMe"])}, rng=rng).loc["agreement"]
    return {"start_above": format_interval(found, scale=100)}


def facts_of_importances(x: np.ndarray, target: Any, start: str, *, rng: int = 0) -> dict[str, Any]:
    """Whether variance says which columns matter, and how much of the importance the best fifth of them has.

    Parameters
    ----------
    x, target
        Array (clients, columns) of a model, and the class of each client.
    start
        Name of the model.
    rng
        Seed of the importances.
    """
    import pandas as pd

    from helpers.ensembles.replacing import importances

    worth = importances(x, target, rng=rng)
    order = np.sort(worth)[::-1]
    return {
        "informed_start": start,
        "top_share": 100 * order[: max(1, len(order) // 5)].sum() / order.sum(),
        "worth_variance": pd.Series(worth).corr(pd.Series(x.var(axis=0)), method="spearman"),
    }


def facts_of_steps_taken(recorded: pd.DataFrame, curves: pd.DataFrame) -> dict[str, Any]:
    """How many steps validation chose in the recorded experiments, and what the curves gain at most.

    Parameters
    ----------
    recorded, curves
        Recorded comparison and the validation accuracy of its candidates.
    """
    chosen, found = curves[curves["chosen"]], facts_of_recording(recorded)
    for method, short in (("replacement_tuned", "plain"), ("quality_replacement_tuned", "informed")):
        steps = chosen.loc[chosen["method"] == method, "steps"]
        found |= {f"steps_{short}": steps.mean(), f"zero_{short}": int((steps == 0).sum())}
    for method, name in (("replacement_tuned", "peak_gain"), ("quality_replacement_tuned", "peak_informed")):
        found[name] = gains_along_steps(curves, method).groupby(level=1).mean().to_numpy().max()
    plain = curves[(curves["method"] == "replacement_tuned") & (curves["steps"] == 0)]
    start = plain.groupby("experiment")["validation"].first()
    best = recorded[recorded["method"] == "best"].set_index("experiment")["validation"]
    return found | {"start_gap": 100 * (best - start).mean()}


def facts_of_won(recorded: pd.DataFrame, n_experiments: int) -> dict[str, Any]:
    """What each method gains on the best model and on concatenation + PCA, and what single experiments can tell.

    Parameters
    ----------
    recorded
        Recorded comparison, with intervals over test clients.
    n_experiments
        Number of experiments of the run.
    """
    best, pca = (differences_over_experiments(recorded, against) for against in ("best", "concat_pca"))
    found = {"best_accuracy": 100 * recorded.loc[recorded["method"] == "best", "accuracy"].mean()}
    for name in TOLD:
        said = format_interval(best.loc[name], scale=100) if name in best.index else "–"
        found[f"{name.replace(' ', '_')}_difference"] = said
    for name in ("replacement", "quality_replacement"):
        found[f"{name}_pca"] = format_interval(pca.loc[name], scale=100)
    low, high = (
        recorded.loc[recorded["method"] == "quality_replacement", f"diff_best_ci_{end}"] for end in ("low", "high")
    )
    tuning = differences_over_experiments(recorded, "quality_replacement").loc["quality_replacement_tuned"]
    return (
        found
        | _facts_of_agreement(recorded)
        | {
            "half_width": 100 * ((high - low) / 2).mean(),
            "apart": int(((low > 0) | (high < 0)).sum()),
            "tuning": format_interval(tuning, scale=100),
            "least_p": 2.0 ** (1 - n_experiments),
        }
    )


def _facts_of_agreement(recorded: pd.DataFrame) -> dict[str, str]:
    """What the start from agreement is worth once all steps are taken, against the start from RankMe; dashes."""
    from helpers.inference import verdict_of

    found = differences_over_experiments(recorded, "replacement")
    if "replacement_agreement" not in found.index:
        return {"agreement_gain": "–", "agreement_said": "not recorded"}
    row = found.loc["replacement_agreement"]
    said = verdict_of(row["ci_low"], row["ci_high"], row["p"])
    return {"agreement_gain": format_interval(row, scale=100), "agreement_said": said}


def _recorded(differences: pd.DataFrame) -> dict[str, str]:
    """Of the methods that are shown those that a table has."""
    return {name: called for name, called in SHOWN_METHODS.items() if name in differences.index}


def _middle(values: pd.Series) -> Any:
    """The middle of the different values, the upper one of two."""
    return sorted(values.unique())[values.nunique() // 2]
