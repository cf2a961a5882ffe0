"""What the pages about combined embeddings of clients share: gains over experiments, claims by two scorers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.clients.scoring import METRIC_NAMES
from helpers.inference import claims_table, format_interval, format_p, judge
from helpers.studies.combining import (
    AboutMethods,
    deciding_findings,
    differences_over_experiments,
    draw_differences,
    findings,
    without_singles,
)
from helpers.studies.headline import difference_agreement

if TYPE_CHECKING:
    import pandas as pd

    from helpers.inference import Finding

__all__ = [
    "facts_of_recording",
    "facts_of_scorer_agreement",
    "facts_of_scorers",
    "figure_method_gains",
    "findings_by_scorer",
    "judge_by_scorer",
    "table_gains",
    "table_scorers",
]

Claims = Mapping[str, AboutMethods]


def findings_by_scorer(
    about: Claims, recorded: pd.DataFrame, headline: pd.DataFrame, **options: Any
) -> dict[str, dict[str, Finding]]:
    """What two scorers say of claims about the same representations.

    Parameters
    ----------
    about
        Claims about two methods, by key.
    recorded
        Recorded comparison, scored by the fast scorer.
    headline
        Recorded table of :func:`helpers.studies.headline.score_by_classifiers`, which has LightAutoML's accuracies and
        those of the fast scorer of the same representations. Encoders may have been trained anew between the two
        tables, so that a claim about methods that both scorers have scored here, in as many experiments as in
        ``recorded``, is judged from this table by both.
    options
        Passed to :func:`helpers.studies.combining.findings`.

    Returns
    -------
    dict of str to dict of str to Finding
        Findings by claim, of ``"LightAutoML"``, the scorer of the publication, and of ``"fast scorer"``.
    """
    slow, same = (findings(headline, about, classifier=name, **options) for name in ("lightautoml", "fast"))
    fast = findings(recorded, about, **options)
    fast |= {key: one for key, one in same.items() if slow[key].n and one.n >= fast[key].n}
    return {"LightAutoML": slow, "fast scorer": fast}


def judge_by_scorer(about: Claims, by_scorer: Mapping[str, Mapping[str, Finding]]) -> pd.DataFrame:
    """Verdicts on claims by the scorer that decides: the first that has scored as many experiments as any other.

    Parameters
    ----------
    about
        Claims about two methods, by key.
    by_scorer
        Findings from :func:`findings_by_scorer`.

    Returns
    -------
    DataFrame
        Table from :func:`helpers.inference.judge`, whose column ``on`` names the scorer.
    """
    chosen, scorer = deciding_findings(by_scorer)
    return judge(_claims(about), chosen, on=scorer)


def table_scorers(about: Claims, by_scorer: Mapping[str, Mapping[str, Finding]]) -> pd.DataFrame:
    """What each scorer found, with its interval: claims × scorers."""
    import pandas as pd

    each = {name: claims_table(judge(_claims(about), found))["here"] for name, found in by_scorer.items()}
    return pd.DataFrame(each)


def table_gains(
    table: pd.DataFrame, names: Mapping[str, str], *, against: str = "best", metric: str = "accuracy"
) -> pd.DataFrame:
    """Accuracy of each method, and what it gains on one of them, over the experiments.

    Parameters
    ----------
    table
        Table with ``experiment``, ``method`` and ``accuracy``.
    names
        Methods to show, in that order, and what they are called; those that are missing are left out.
    against
        Method with which the others are compared.
    metric
        Metric of the scores, one of :data:`helpers.clients.SCORE_METRICS`.

    Returns
    -------
    DataFrame
        Row for each method: the score by its name, ``points above``, ``p, Holm`` and ``experiments won``, written out.
    """
    import pandas as pd

    found = differences_over_experiments(table, against)
    found = found.loc[[name for name in names if name in found.index]]
    columns = {
        METRIC_NAMES[metric]: found["accuracy"].map("{:.3f}".format),
        "points above": found.apply(format_interval, scale=100, axis=1),
        "p, Holm": ["" if np.isnan(p) else format_p(p) for p in found["p_holm"]],
        "experiments won": [f"{wins} of {n}" for wins, n in found[["wins", "n"]].to_numpy()],
    }
    return pd.DataFrame(columns).rename(index=names).rename_axis(None)


def figure_method_gains(
    tables: Mapping[str, pd.DataFrame], names: Mapping[str, str], *, against: str = "best", word: str = "the best model"
) -> Any:
    """Gain of each method on one of them: dots for experiments, the mean with its interval; a panel for each table.

    Parameters
    ----------
    tables
        Tables with ``experiment``, ``method`` and ``accuracy``, by what they are called.
    names
        Methods to show, from top to bottom, and what they are called; those that any table has. Where one has them and
        another has not, its panel has a gap.
    against, word
        Method with which the others are compared, and what the axis calls it.
    """
    import matplotlib.pyplot as plt

    somewhere = set.union(*(set(without_singles(table)["method"]) for table in tables.values()))
    names = {name: called for name, called in names.items() if name in somewhere}
    size = (0.4 + 4 * len(tables), 0.9 + 0.29 * len(names))
    fig, axes = plt.subplots(1, len(tables), figsize=size, sharey=True, squeeze=False)
    for ax, (title, table) in zip(axes[0], tables.items(), strict=True):
        draw_differences(table, against, names=names, ax=ax)
        ax.set(title=f"{title}, {table['experiment'].nunique()} experiments")
    fig.supxlabel(f"points above {word}", fontsize="medium")
    return axes[0]


def facts_of_recording(recorded: pd.DataFrame) -> dict[str, Any]:
    """What a recorded comparison was made of: experiments, models, clients of each split, date, minutes."""
    found = {f"recorded_{split}": int(recorded[f"n_{split}"].iloc[0]) for split in ("train", "validation", "test")}
    return found | {
        "n_recorded": recorded["experiment"].nunique(),
        "recorded_models": int(recorded["models"].max()),
        "recorded_date": recorded["date"].max(),
        "recorded_minutes": recorded.groupby("experiment")["minutes"].first().sum(),
    }


def facts_of_scorers(
    about: Claims,
    by_scorer: Mapping[str, Mapping[str, Finding]],
    headline: pd.DataFrame,
    *,
    told: Collection[str] = (),
) -> dict[str, Any]:
    """How many verdicts the slow scorer changes, what each found, and what it took to score.

    Parameters
    ----------
    about, by_scorer, headline
        Same meaning as in :func:`findings_by_scorer`, and what it returns.
    told
        Keys of claims of which the text says what each scorer found.
    """
    twice = {name: judge(_claims(about), found)["verdict"] for name, found in by_scorer.items()}
    scored = [key for key, one in by_scorer["LightAutoML"].items() if one.n]
    changed = twice["LightAutoML"] != twice["fast scorer"]
    found = {
        "judged_twice": len(scored),
        "changed": int(changed[scored].sum()),
        "slow_experiments": max(one.n for one in by_scorer["LightAutoML"].values()),
        "slow_longest": headline["seconds_lightautoml"].max(),
        "slow_timeout": int(headline["timeout"].iloc[0]),
        "slow_date": headline["date"].max(),
    }
    table = table_scorers(about, by_scorer)
    for short, scorer in (("slow", "LightAutoML"), ("value", "fast scorer")):
        here = dict(zip(about, table[scorer], strict=True))
        found |= {f"{short}_{key}": here[key] for key in told}
    return found


def facts_of_scorer_agreement(headline: pd.DataFrame, against: str = "best") -> dict[str, Any]:
    """How well the fast scorer agrees with LightAutoML about differences to a method, and how far it is off."""
    agree = difference_agreement(headline, against).loc["fast"]
    return {
        "agree": format_interval(agree, "correlation", spec=".2f"),
        "agree_n": int(agree["n"]),
        "agree_shift": 100 * agree["shift"],
        "agree_spread": 100 * agree["spread"],
    }


def _claims(about: Claims) -> dict[str, Any]:
    return {key: one.claim for key, one in about.items()}
