"""Encoders of every recorded regime against features made by hand: gaps with intervals, and the losses of training.

A regime may be recorded in part or not at all: :mod:`helpers.studies.regimes` says what there is. Tables say how many
experiments they rest on, give no interval for fewer than six, and a dash where nothing is recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.book.data import table as recorded_table
from helpers.book.style import INK
from helpers.locations import DATA
from helpers.studies.comparing import LEAST_UNITS, least_p, paired_table
from helpers.studies.regimes import PLANNED, RECORDED, REGIMES, SHORT, recorded_regimes

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AGAINST",
    "CURVES",
    "METRICS",
    "NOT_RECORDED",
    "VERDICTS",
    "facts_of_gaps",
    "facts_of_training",
    "figure_gaps",
    "figure_training",
    "gaps_to_counting",
    "recorded_curves",
    "table_gaps",
    "table_gaps_by_metric",
    "table_training",
]

CURVES = "results/clients_regimes_curves.csv"
NOT_RECORDED = "not recorded"
AGAINST = {
    "encoder": ("best", "best encoder less by hand"),
    "both": ("hand_made_best", "both side by side less by hand"),
}
"""What is held against the features made by hand: its name in recorded tables, and what the difference is called."""
VERDICTS = {"better": "beats", "worse": "loses", "not distinguishable": "not distinguishable"}
"""What is said of an encoder whose difference to features made by hand has a verdict."""
UNDECIDED = "too few to tell"
METRICS = {
    "accuracy, four classes": ("accuracy", "classes"),
    "ROC-AUC, four classes": ("roc_auc", "classes"),
    "ROC-AUC, two classes": ("roc_auc", "binary"),
}
"""Metric and target of the recorded scores, by what they are called."""
STOPPED = ("coles_ordered", "coles_unequal")
"""Regimes all of whose trainings validation clients stop."""


def gaps_to_counting(regimes: pd.DataFrame, *, rng: int | np.random.Generator = 0) -> pd.DataFrame:
    """Differences to the features made by hand in every regime, experiments as units.

    Parameters
    ----------
    regimes
        Rows of :func:`helpers.studies.regimes.recorded_regimes`.
    rng
        Seed or generator of the bootstrap.

    Returns
    -------
    DataFrame
        Index ``sweep`` and ``against`` (of :data:`AGAINST`), every one of them: ``n`` experiments that have both,
        ``score`` and ``hand_made`` (means), ``difference`` in points with ``ci_low`` and ``ci_high`` (NaN for fewer
        than six), ``p_holm`` over the regimes that have limits, each of :data:`AGAINST` by itself, and ``said``: a word
        of :data:`VERDICTS`, ``"too few to tell"`` where so few experiments could not decide whatever they show,
        :data:`NOT_RECORDED` for none.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.counting import gaps_to_counting
    >>> rows = [("coles_ordered", e, m, 0.6 + d) for e in range(3) for m, d in (("best", 0.0), ("hand_made", 0.01))]
    >>> made = pd.DataFrame(rows, columns=["sweep", "experiment", "method", "score"])
    >>> gaps_to_counting(made).loc["coles_ordered", ["n", "said"]].to_numpy().tolist()
    [[3, 'too few to tell'], [0, 'not recorded']]
    """
    import pandas as pd

    both = {}
    for sweep in REGIMES:
        wide = regimes[regimes["sweep"] == sweep].pivot(index="experiment", columns="method", values="score")
        for key, (method, _) in AGAINST.items():
            both[sweep, key] = 100 * wide.reindex(columns=[method, "hand_made"]).dropna()
    enough = {key: pair.to_numpy().T for key, pair in both.items() if len(pair) >= LEAST_UNITS}
    families = [{key: pair for key, pair in enough.items() if key[1] == against} for against in AGAINST]
    tables = [paired_table(family, rng=rng) for family in families if family]
    tested = pd.concat(tables) if tables else pd.DataFrame()
    means = pd.DataFrame([pair.mean().to_numpy() / 100 for pair in both.values()], columns=["score", "hand_made"])
    found = means.set_index(pd.MultiIndex.from_tuples(both, names=["sweep", "against"]))
    found.insert(0, "n", [len(pair) for pair in both.values()])
    found["difference"] = 100 * (found["score"] - found["hand_made"])
    found = found.join(tested.reindex(index=found.index, columns=["ci_low", "ci_high", "p_holm"]))
    tests = found["p_holm"].notna().groupby(level="against").sum()
    return found.assign(said=[_said(row, tests[against]) for (_, against), row in found.iterrows()])


def _said(row: pd.Series, n_tests: int) -> str:
    from helpers.inference import verdict_of

    if row["n"] < LEAST_UNITS:
        return UNDECIDED if row["n"] else NOT_RECORDED
    verdict = verdict_of(row["ci_low"], row["ci_high"], row["p_holm"])
    hopeless = least_p(int(row["n"])) * n_tests > 0.05
    return UNDECIDED if hopeless and verdict == "not distinguishable" else VERDICTS[verdict]


def _written(row: pd.Series) -> str:
    from helpers.inference import format_interval

    return format_interval(row, spec="+.1f") or "–"


def _with_word(row: pd.Series) -> str:
    return f"{_written(row)}, {row['said']}" if row["n"] else "–"


def table_gaps(gaps: pd.DataFrame) -> pd.DataFrame:
    """Mean scores and differences in points, a row for each regime; a dash where nothing is recorded.

    Parameters
    ----------
    gaps
        Table of :func:`gaps_to_counting`.
    """
    import pandas as pd

    rows = {}
    for sweep, called in REGIMES.items():
        encoder, both = (gaps.loc[sweep, key] for key in AGAINST)
        n = int(max(encoder["n"], both["n"]))
        row = {"experiments": f"{n} of {PLANNED}" if n else NOT_RECORDED}
        scores = (encoder["score"], np.nanmax([encoder["hand_made"], -1.0]), both["score"])
        for name, score in zip(("best encoder", "by hand", "both"), scores, strict=True):
            row[name] = f"{score:.3f}" if score > 0 else "–"
        for key, one in (("encoder", encoder), ("both", both)):
            row[f"{key} less by hand [95 %]"] = _with_word(one)
        rows[called] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def table_gaps_by_metric(*, rng: int | np.random.Generator = 0) -> pd.DataFrame:
    """Best encoder less features made by hand, in points of each of :data:`METRICS`, a row for each regime.

    Parameters
    ----------
    rng
        Seed or generator of the bootstrap.
    """
    import pandas as pd

    columns = {}
    for called, (metric, target) in METRICS.items():
        gaps = gaps_to_counting(recorded_regimes(metric, target), rng=rng).xs("encoder", level="against")
        words = [_with_word(row) for _, row in gaps.iterrows()]
        columns[called] = pd.Series(words, [REGIMES[sweep] for sweep in gaps.index])
    return pd.DataFrame(columns)


def facts_of_gaps(gaps: pd.DataFrame) -> dict[str, Any]:
    """What the text names of each regime, ``short``, ``long``, ``unequal`` and ``alone``: all of it words.

    Parameters
    ----------
    gaps
        Table of :func:`gaps_to_counting`.

    Returns
    -------
    dict
        ``gap_REGIME`` and ``added_REGIME``, the differences of the encoder and of both in points, with their interval
        from six experiments on, or a dash; ``said_REGIME`` and ``added_said_REGIME``, what that means; ``n_REGIME``;
        ``n_planned``; and numbers of features, ``by_hand_width`` and ``both_width``.
    """
    found: dict[str, Any] = {"n_planned": PLANNED}
    for sweep, short in SHORT.items():
        encoder, both = (gaps.loc[sweep, key] for key in AGAINST)
        found |= {f"gap_{short}": _written(encoder), f"said_{short}": encoder["said"], f"n_{short}": int(encoder["n"])}
        found |= {f"added_{short}": _written(both), f"added_said_{short}": both["said"]}
    found["by_hand_width"] = str(int(recorded_table("results/clients_hand_made.csv")["features"].max()))
    widths = recorded_table(RECORDED) if (DATA / RECORDED).is_file() else None
    beside = None if widths is None else widths.loc[widths["method"] == "hand_made_best", "width"]
    found["both_width"] = "–" if beside is None or beside.empty else str(int(beside.median()))
    return found


def figure_gaps(regimes: pd.DataFrame, gaps: pd.DataFrame) -> Any:
    """Differences to the features made by hand: a small dot an experiment, a large one the mean with its interval.

    Parameters
    ----------
    regimes
        Rows of :func:`helpers.studies.regimes.recorded_regimes`.
    gaps
        Table of :func:`gaps_to_counting` of these rows; a large dot is filled where its verdict is beats or loses.
    """
    import matplotlib.pyplot as plt

    drawn = np.random.default_rng(0)
    wide = regimes.pivot(index=["sweep", "experiment"], columns="method", values="score")
    _, axes = plt.subplots(1, 2, figsize=(7.4, 3.5), sharey=True, width_ratios=[1.5, 1])
    for ax, (key, (method, called)) in zip(axes, AGAINST.items(), strict=True):
        ax.axvline(0, color=INK, lw=1)
        for place, sweep in enumerate(REGIMES):
            row, look = gaps.loc[(sweep, key)], {"color": f"C{place}"}
            if not row["n"]:
                ax.annotate(NOT_RECORDED, (0, place), xytext=(6, 5), textcoords="offset points", fontsize=8)
                continue
            own = 100 * (wide.loc[sweep, method] - wide.loc[sweep, "hand_made"]).dropna()
            ax.plot(own, place + drawn.uniform(-0.18, 0.18, len(own)), ".", ms=6, alpha=0.45, **look)
            if np.isfinite(row["ci_low"]):
                ax.plot(row[["ci_low", "ci_high"]], [place] * 2, lw=2, zorder=3, **look)
            told = row["said"] in (VERDICTS["better"], VERDICTS["worse"])
            face = look["color"] if told else "white"
            ax.plot(row["difference"], place, "o", ms=9, mew=1.5, mec=look["color"], mfc=face, zorder=4)
        ax.set(xlabel="points of accuracy", title=called)
        ax.title.set_fontsize(9)
    names = [f"{called}\n({gaps.loc[(sweep, 'encoder'), 'n']} of {PLANNED})" for sweep, called in REGIMES.items()]
    axes[0].set_yticks(range(len(REGIMES)), names, fontsize=8)
    axes[0].set_ylim(len(REGIMES) - 0.5, -0.5)
    return axes


# The losses of trainings that validation clients stop


def recorded_curves() -> pd.DataFrame | None:
    """Recorded rows of :func:`helpers.studies.regimes.curves_of`, with ``sweep``; None where there are none."""
    return recorded_table(CURVES) if (DATA / CURVES).is_file() else None


def _trainings(curves: pd.DataFrame) -> pd.DataFrame:
    """A row for each training: epochs, the one kept, its loss over that at the start and ten epochs before the end."""
    import pandas as pd

    rows = {}
    curves = curves[curves["sweep"].isin(STOPPED)]
    for key, one in curves.groupby(["sweep", "experiment", "model"]):
        kept = one[one["kept"]].iloc[0]
        start = one.loc[one["epoch"] == 0, "validation"].iloc[0]
        rows[key] = {"epochs": one["epoch"].max(), "kept": kept["epoch"], "left": kept["validation"] / start}
        before = one.loc[one["epoch"] <= one["epoch"].max() - 10, "validation"].min()
        rows[key]["tail"] = 1 - kept["validation"] / before
    found = pd.DataFrame.from_dict(rows, orient="index").rename_axis(["sweep", "experiment", "model"])
    return found.assign(limit=found.index.get_level_values("sweep").map({sweep: _limit(sweep) for sweep in STOPPED}))


def _limit(sweep: str) -> int:
    """Epochs that a training of a sweep may take, by its plan."""
    from helpers.book.runs import read_parameters
    from helpers.studies.sweep import WORKER

    return max(read_parameters(WORKER.with_name(f"{sweep}.yml"))["parameters"]["space"]["epochs"])


def table_training(curves: pd.DataFrame | None) -> pd.DataFrame:
    """How long the trainings of each regime went on, and what ended them.

    Parameters
    ----------
    curves
        Table of :func:`recorded_curves`.

    Returns
    -------
    DataFrame
        A row for each regime that validation clients stop, all of it words: ``trainings``, medians of ``epochs`` and of
        the one that was ``kept``, the median of the ``loss left`` there, per cent of that at the start, and how many
        the limit of epochs ended before validation clients did. A dash where nothing is recorded.
    """
    import pandas as pd

    columns = ["trainings", "epochs", "kept", "loss left", "ended by the limit"]
    rows = {REGIMES[sweep]: dict.fromkeys(columns, "–") for sweep in STOPPED}
    if curves is not None:
        for sweep, own in _trainings(curves).groupby(level="sweep"):
            medians = f"{own['epochs'].median():.0f}", f"{own['kept'].median():.0f}"
            values = (
                str(len(own)),
                *medians,
                f"{100 * own['left'].median():.0f} %",
                f"{(own['epochs'] == own['limit']).sum()}",
            )
            rows[REGIMES[sweep]] = dict(zip(columns, values, strict=True))
    return pd.DataFrame.from_dict(rows, orient="index")


def facts_of_training(curves: pd.DataFrame | None) -> dict[str, Any]:
    """How many trainings are recorded, how many the limit of epochs ended, and what these still gained, as words.

    Parameters
    ----------
    curves
        Table of :func:`recorded_curves`.

    Returns
    -------
    dict
        ``trainings``, ``trainings_cut``, ``trainings_limit``, and ``trainings_tail``: the median share of the loss ten
        epochs before the limit that a training still lost by then, of those that it ended.
    """
    limit = {"trainings_limit": str(max(map(_limit, STOPPED)))}
    if curves is None:
        return {"trainings": "–", "trainings_cut": "–", "trainings_tail": "–"} | limit
    found = _trainings(curves)
    cut = found["epochs"] == found["limit"]
    share = f"{100 * found.loc[cut, 'tail'].median():.0f} %" if cut.any() else "–"
    return {"trainings": str(len(found)), "trainings_cut": str(int(cut.sum())), "trainings_tail": share} | limit


def figure_training(curves: pd.DataFrame | None) -> Any:
    """Loss of validation clients by epoch over that at the start, a line a training, a dot where its weights are kept.

    Parameters
    ----------
    curves
        Table of :func:`recorded_curves`; where there is none, the panels say so.
    """
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, len(STOPPED), figsize=(7.4, 2.8), sharey=True)
    for ax, sweep in zip(axes, STOPPED, strict=True):
        ax.set(title=REGIMES[sweep], xlabel="epoch", yscale="log")
        ax.title.set_fontsize(9)
        own = None if curves is None else curves[curves["sweep"] == sweep]
        if own is None or own.empty:
            ax.annotate(NOT_RECORDED, (0.5, 0.5), xycoords="axes fraction", ha="center", fontsize=9)
            continue
        place = list(REGIMES).index(sweep)
        for _, one in own.groupby(["experiment", "model"]):
            values = one["validation"] / one.loc[one["epoch"] == 0, "validation"].iloc[0]
            ax.plot(one["epoch"], values, color=f"C{place}", lw=0.8, alpha=0.5)
            ax.plot(one["epoch"][one["kept"]], values[one["kept"]], ".", color=INK, ms=4, zorder=3)
    axes[0].set(ylabel="validation loss / start")
    return axes
