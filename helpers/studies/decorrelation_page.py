"""What the page about learning to disagree shows: what maps change, the front, halves of clients, what is not seen.

The maps and their scores are :mod:`helpers.studies.decorrelation`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.book.data import table as recorded_table
from helpers.book.style import INK
from helpers.clients.scoring import METRIC_NAMES
from helpers.ensembles.decorrelation import PENALTIES
from helpers.inference import format_interval, holm
from helpers.studies.comparing import paired_or_open
from helpers.studies.decorrelation import choose_pair, map_settings, score_maps
from helpers.studies.hand_made import recorded_by_hand

if TYPE_CHECKING:
    import pandas as pd

    from helpers.studies.sweep import Sweep

__all__ = [
    "DEPENDENCE",
    "MAIN",
    "PENALTY_WORDS",
    "facts_of_dependence",
    "facts_of_front",
    "facts_of_halves",
    "facts_of_maps",
    "facts_of_nothing",
    "facts_of_other_penalties",
    "figure_front",
    "figure_penalties",
    "front_price",
    "half_effects",
    "is_beaten",
    "map_effects",
    "recorded_decorrelators",
    "score_sweep_maps",
    "table_dependence",
    "table_effects",
    "table_first_maps",
    "table_halves",
    "table_kept",
]

DEPENDENCE = "distance_correlation_unbiased"
"""Measure by which the dependence of every map is judged."""
MAIN = "modified_distance_correlation"
"""Penalty of the published map."""
PENALTY_WORDS = {
    "modified_distance_correlation": "modified distance correlation",
    "distance_correlation": "distance correlation",
    "cka": "CKA",
    "cka_rbf": "Gaussian CKA",
    "none": "X as it is",
}
"""Penalties as the page calls them."""
_KEPT = [
    ("nothing", "nothing kept", "X"),
    ("reconstruction", "reconstruction kept", "o"),
    ("labels", "labels kept", "s"),
]
_CHANGES = {"dependence": "dependence", "alone": "X′ − X, points", "union": "X′ ∪ Y − X ∪ Y, points"}


# Maps


def score_sweep_maps(
    sweep: Sweep,
    mus: Sequence[float],
    penalties: Sequence[str],
    *,
    classifier: str = "fast",
    metric: str = "accuracy",
    rng: int = 0,
    **shared: Any,
) -> pd.DataFrame:
    """All maps of the two best models of each experiment of a sweep.

    Parameters
    ----------
    sweep
        Finished runs; experiments with fewer than two models are left out.
    mus, penalties
        Same meaning as in :func:`helpers.studies.decorrelation.map_settings`.
    classifier, metric, rng
        Classifier and metric that choose the pair and score, and the seed.
    shared
        Parameters of all maps.

    Returns
    -------
    DataFrame
        Tables of :func:`helpers.studies.decorrelation.score_maps`, one below the other, with the columns
        ``experiment`` and, for the two models, ``x`` and ``y``.
    """
    import pandas as pd

    scoring, tables = {"classifier": classifier, "metric": metric, "rng": rng}, []
    trained = sweep.runs.groupby("experiment").size()
    for e in trained.index[trained >= 2]:
        here = {m: sweep.embeddings[e, m] for m in sweep.runs.loc[e].index}
        target, parts = sweep.target[e], sweep.split[e]
        x, y = choose_pair(here, target, parts, **scoring)
        settings = map_settings(mus, penalties)
        found = score_maps(here[x], here[y], target, parts, settings=settings, **scoring, **shared)
        tables.append(found.assign(experiment=e, x=x, y=y))
    return pd.concat(tables, ignore_index=True)


def recorded_decorrelators() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The recorded maps of the largest sweep.

    Returns
    -------
    all : DataFrame
        Maps and classifiers that have learnt from all training clients.
    halves : DataFrame
        Maps and classifiers that have learnt from a half of the clients each.
    """
    recorded = recorded_table("results/clients_decorrelation.csv").fillna({"halved": ""})
    recorded = recorded[recorded["sweep"] == recorded.groupby("sweep")["experiment"].nunique().idxmax()]
    halved = recorded["halved"] != ""
    return recorded[~halved].reset_index(drop=True), recorded[halved].reset_index(drop=True)


def table_first_maps(maps: pd.DataFrame, *, metric: str = "accuracy") -> pd.DataFrame:
    """Maps of the first experiment: what each lowers and keeps, and what becomes of X′.

    Parameters
    ----------
    maps
        Table of :func:`score_sweep_maps`.
    metric
        Metric of the scores, one of :data:`helpers.clients.SCORE_METRICS`.
    """
    columns = {
        "keep": "kept",
        "mu": "μ",
        DEPENDENCE: "dependence",
        "accuracy": f"{METRIC_NAMES[metric]} of X′",
        "accuracy_union": "of X′ ∪ Y",
        "epochs": "epochs",
    }
    here = maps[maps["experiment"] == maps["experiment"].iloc[0]]
    here = here.set_index(here["penalty"].map(PENALTY_WORDS).rename("lowered"))
    shown = here[list(columns)].rename(columns=columns).round(3)
    return shown.assign(**{"μ": ["" if np.isnan(mu) else f"{mu:g}" for mu in here["mu"]]})


def map_effects(maps: pd.DataFrame, by: str = "", *, n_resamples: int = 2000, rng: int = 0) -> pd.DataFrame:
    """What each map changes, over experiments: dependence, and points of accuracy of X′ and of X′ ∪ Y.

    Parameters
    ----------
    maps
        Table of :func:`score_sweep_maps` or :func:`recorded_decorrelators`. Maps that were not tried in every
        experiment are left out.
    by
        End of the names of the columns of a further scorer, such as ``"_fast"``.
    n_resamples, rng
        Same meaning as in :func:`helpers.inference.paired`.

    Returns
    -------
    DataFrame
        A row for each map: ``penalty``, ``keep``, ``mu``, ``n`` (experiments); the changes ``dependence``, ``alone``
        and ``union`` with ``_ci_low``, ``_ci_high`` and ``_p``; ``level``, the dependence after the map; means of
        ``cka``, ``cca`` and ``chance_cca``; ``union_holm`` and ``alone_holm``, p-values corrected for all maps.
    """
    import pandas as pd

    maps = maps.assign(mu=maps["mu"].astype(float))
    base = maps[maps["penalty"] == "none"].set_index("experiment")
    changes = {"dependence": (DEPENDENCE, 1), "alone": (f"accuracy{by}", 100), "union": (f"accuracy_union{by}", 100)}
    rows = []
    for (penalty, kept, mu), part in maps[maps["penalty"] != "none"].groupby(["penalty", "keep", "mu"], sort=False):
        part = part.set_index("experiment")
        if len(part) < len(base):
            continue
        row = {"penalty": penalty, "keep": kept, "mu": mu, "n": len(part)}
        for name, (column, scale) in changes.items():
            after, before = part[column].fillna(0), base.loc[part.index, column]  # a constant depends on nothing
            one = paired_or_open(scale * after, scale * before, n_resamples=n_resamples, rng=rng)
            row |= {name: one.difference, f"{name}_ci_low": one.low, f"{name}_ci_high": one.high, f"{name}_p": one.p}
        row["level"] = part[DEPENDENCE].fillna(0).mean()
        rows.append(row | {name: part[name].mean() for name in ("cka", "cca", "chance_cca")})
    found = pd.DataFrame(rows)
    corrected = {f"{name}_holm": found[f"{name}_p"] for name in ("union", "alone")}
    return found.assign(**{name: p if p.isna().any() else holm(p) for name, p in corrected.items()})


def _written(row: Any, name: str, spec: str = "+.2f") -> str:
    return format_interval(row, name, (f"{name}_ci_low", f"{name}_ci_high"), spec=spec)


def table_effects(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Changes by maps that keep nothing, with their intervals, by set of experiments and penalty.

    Parameters
    ----------
    parts
        Tables of :func:`map_effects`, by what they are called.
    """
    import pandas as pd

    shown = {}
    for name, found in parts.items():
        alone = found[found["keep"] == "nothing"]
        alone = alone.set_index(alone["penalty"].map(PENALTY_WORDS))
        columns = {title: [_written(row, key) for _, row in alone.iterrows()] for key, title in _CHANGES.items()}
        shown[name] = pd.DataFrame(columns, alone.index)
    return pd.concat(shown, names=["", "lowered"])


def facts_of_maps(recorded: pd.DataFrame) -> dict[str, Any]:
    """Sizes of the recorded experiments, what is known before any map, and what features made by hand add to it.

    Parameters
    ----------
    recorded
        First table of :func:`recorded_decorrelators`.
    """
    before = recorded[recorded["penalty"] == "none"]
    by_hand = recorded_by_hand(recorded["classifier"].iloc[0]).set_index("experiment")["accuracy"]
    both = before.set_index("experiment")["accuracy_y"]
    hand_made = paired_or_open(100 * by_hand.loc[both.index], 100 * both)
    return {
        "hand_made": f"{hand_made:+.1f}",
        "rec_experiments": recorded["experiment"].nunique(),
        "rec_date": recorded["date"].max(),
        "rec_train": round(recorded["n_train"].mean()),
        "rec_test": round(recorded["n_test"].mean()),
        "rec_scorer": recorded["classifier"].iloc[0],
        "rec_minutes": float(recorded.groupby("experiment")["minutes"].first().sum()),
        "level_before": before[DEPENDENCE].mean(),
        "chance": abs(before[f"chance_{DEPENDENCE}"].mean()),
        "accuracy_x": 100 * before["accuracy"].mean(),
        "accuracy_y": 100 * before["accuracy_y"].mean(),
        "accuracy_xy": 100 * before["accuracy_union"].mean(),
    }


def facts_of_nothing(found: pd.DataFrame) -> dict[str, str]:
    """What the published map, which keeps nothing, changes.

    Parameters
    ----------
    found
        Table of :func:`map_effects`.
    """
    row = found[(found["keep"] == "nothing") & (found["penalty"] == MAIN)].iloc[0]
    return {f"nothing_{name}": _written(row, name, "+.1f" if name == "alone" else "+.2f") for name in _CHANGES}


# The front


def is_beaten(row: Any, maps: pd.DataFrame, name: str) -> bool:
    """Whether another map depends less on Y and has a higher mean, so that one is not on the Pareto front.

    Parameters
    ----------
    row
        Row of ``maps``.
    maps
        Table of :func:`map_effects`, of one penalty.
    name
        ``"alone"`` or ``"union"``.
    """
    return bool(((maps["level"] < row["level"]) & (maps[name] > row[name])).any())


def _error(part: pd.DataFrame, name: str) -> np.ndarray:
    """Distances of the limits from the values, as ``errorbar`` takes them."""
    return np.abs(part[[f"{name}_ci_low", f"{name}_ci_high"]].sub(part[name], axis=0).to_numpy().T)


def figure_front(found: pd.DataFrame, recorded: pd.DataFrame) -> Any:
    """Change of the accuracy of X′, and of X′ ∪ Y, against the dependence that a map leaves.

    Parameters
    ----------
    found
        Table of :func:`map_effects` of the recorded maps.
    recorded
        The recorded maps, with X as it is.
    """
    import matplotlib.pyplot as plt

    maps, before = found[found["penalty"] == MAIN], recorded[recorded["penalty"] == "none"]
    _, axes = plt.subplots(1, 2, figsize=(7.4, 3.6))
    for ax, name in zip(axes, ("alone", "union"), strict=True):
        for i, (kept, text, marker) in enumerate(_KEPT):
            part = maps[maps["keep"] == kept].sort_values("mu")
            line = {"fmt": "-", "color": f"C{i}", "lw": 1.2, "elinewidth": 1}
            ax.errorbar(part["level"], part[name], _error(part, name), **line)
            for place, (_, row) in enumerate(part.iterrows()):
                look = {"color": f"C{i}", "ms": 6, "mfc": "none" if is_beaten(row, maps, name) else f"C{i}"}
                ax.plot(row["level"], row[name], marker, label=None if place else text, **look)
        ax.plot(before[DEPENDENCE].mean(), 0, "D", color=INK, ms=6, label="X as it is")
        ax.axhline(0, color=INK, lw=0.8)
        ax.axvline(before[f"chance_{DEPENDENCE}"].mean(), color=INK, ls=":", lw=1)
        ax.set_xscale("symlog", linthresh=0.1)
        ax.set(xlabel="dependence of X′ on Y", xlim=(-0.01, 1.0), ylabel=_CHANGES[name])
        ticks = [0, 0.05, 0.1, 0.3, 0.7]
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
    axes[0].legend(fontsize=8)
    return axes


def table_kept(found: pd.DataFrame) -> pd.DataFrame:
    """Changes by maps that keep something, by what they lower, what they keep and its price.

    Parameters
    ----------
    found
        Table of :func:`map_effects`.
    """
    import pandas as pd

    kept = found[found["keep"] != "nothing"]
    names = ["lowered", "kept", "μ"]
    values = kept["penalty"].map(PENALTY_WORDS), kept["keep"], kept["mu"].map("{:g}".format)
    columns = {title: [_written(row, key) for _, row in kept.iterrows()] for key, title in _CHANGES.items()}
    columns["Holm, union"] = kept["union_holm"].round(3).to_list()
    return pd.DataFrame(columns, pd.MultiIndex.from_arrays(values, names=names))


def front_price(found: pd.DataFrame) -> float:
    """The price of the published penalty that is nearest to 1, on a logarithmic scale, at which something is kept."""
    finite = found[(found["penalty"] == MAIN) & np.isfinite(found["mu"])]
    return min(finite["mu"].unique(), key=lambda mu: abs(math.log(mu)) if mu > 0 else math.inf)


def facts_of_front(found: pd.DataFrame) -> dict[str, Any]:
    """What can be had at which price, how large the front is, and how many maps improve the union.

    Parameters
    ----------
    found
        Table of :func:`map_effects`.
    """
    maps = found[found["penalty"] == MAIN]
    finite, price = maps[np.isfinite(maps["mu"])], front_price(found)
    few = finite[finite["mu"] == finite.loc[finite["mu"] > 0, "mu"].min()].set_index("keep")
    at_price = finite[finite["mu"] == price].set_index("keep")
    best, sure = found.loc[found["union"].idxmax()], found["union_holm"] <= 0.05
    facts = {
        "n_designs": len(found),
        "union_better": int((sure & (found["union"] > 0)).sum()),
        "union_worse": int((sure & (found["union"] < 0)).sum()),
        "best_keep": best["keep"],
        "best_mu": f"{best['mu']:g}".replace("inf", "∞"),
        "best_penalty": PENALTY_WORDS[best["penalty"]],
        "best_union": _written(best, "union"),
        "best_holm": best["union_holm"],
        "price": f"{price:g}",
        "least_price": f"{few['mu'].iloc[0]:g}",
        "front_size": sum(not is_beaten(row, maps, "alone") for _, row in maps.iterrows()),
        "maps": len(maps),
    }
    for kept in ("labels", "reconstruction"):
        facts[f"{kept}_level"] = at_price.loc[kept, "level"]
        facts[f"{kept}_alone"] = _written(at_price.loc[kept], "alone", "+.1f")
        facts[f"{kept}_few"] = _written(few.loc[kept], "alone", "+.1f")
    return facts


# Halves


def half_effects(halves: pd.DataFrame, *, n_resamples: int = 2000, rng: int = 0) -> pd.DataFrame:
    """Change of the union where map and classifier learn from the same half of the clients, and from different ones.

    Parameters
    ----------
    halves
        Second table of :func:`recorded_decorrelators`.
    n_resamples, rng
        Same meaning as in :func:`helpers.inference.paired`.

    Returns
    -------
    DataFrame
        Index (``kept``, ``μ``); columns ``same half``, ``other half`` and ``gain``, of
        :class:`helpers.inference.Paired`, in points.
    """
    import pandas as pd

    unions = {}
    for half, part in halves.groupby("halved"):
        base = part[part["penalty"] == "none"].set_index("experiment")["accuracy_union"]
        part = part[part["penalty"] != "none"].assign(mu=lambda rows: rows["mu"].astype(float))
        change = 100 * (part["accuracy_union"] - part["experiment"].map(base))
        unions[half] = change.set_axis(pd.MultiIndex.from_frame(part[["keep", "mu", "experiment"]]))
    rows = {}
    for (kept, mu), same in unions["same"].groupby(level=[0, 1], sort=False):
        apart = unions["other"].loc[same.index]
        columns = {"same half": same, "other half": apart, "gain": apart - same}
        rows[kept, f"{mu:g}"] = {
            name: paired_or_open(values, np.zeros(len(values)), n_resamples=n_resamples, rng=rng)
            for name, values in columns.items()
        }
    return pd.DataFrame(rows).T.rename_axis(["kept", "μ"])


def _holm_of_gains(effects: pd.DataFrame) -> pd.Series:
    return holm(effects["gain"].map(lambda one: one.p))


def table_halves(effects: pd.DataFrame) -> pd.DataFrame:
    """Changes of :func:`half_effects` with their intervals, and p-values of the gains corrected by Holm."""
    return effects.map("{:+.2f}".format).assign(**{"Holm, gain": _holm_of_gains(effects).round(3)})


def facts_of_halves(effects: pd.DataFrame, price: float) -> dict[str, Any]:
    """What the other half gains where labels are kept, and how many unions are better than before.

    Parameters
    ----------
    effects
        Table of :func:`half_effects`.
    price
        Price whose row is told.
    """
    labels = effects.loc["labels"]
    one = labels.loc[f"{price:g}"]
    words = {"gain": "gain", "same": "same half", "other": "other half"}
    return {
        "halves_labels": len(labels),
        "halves_sure": int((_holm_of_gains(effects).loc["labels"] <= 0.05).sum()),
        "halves_better": sum(one.verdict == "better" for one in effects["other half"]),
        "halves_n": len(effects),
    } | {f"halves_{short}": f"{one[name]:+.2f}" for short, name in words.items()}


# What the measure does not see


def table_dependence(found: pd.DataFrame, recorded: pd.DataFrame) -> pd.DataFrame:
    """Dependence on Y by three measures, of X as it is and after each map of the published penalty.

    Parameters
    ----------
    found
        Table of :func:`map_effects` of the recorded maps.
    recorded
        The recorded maps, with X as it is.
    """
    import pandas as pd

    before = recorded[recorded["penalty"] == "none"]
    first = {"keep": "X as it is", "level": before[DEPENDENCE].mean(), "alone": 0.0}
    first |= {name: before[name].mean() for name in ("cka", "cca", "chance_cca")}
    rows = pd.concat([pd.DataFrame([first]), found[found["penalty"] == MAIN].sort_values(["keep", "mu"])])
    columns = {
        "keep": "kept",
        "mu": "μ",
        "level": "modified dCor",
        "cka": "CKA",
        "cca": "CCA",
        "chance_cca": "CCA by chance",
        "alone": "X′ − X, points",
    }
    rows["mu"] = ["" if np.isnan(mu) else f"{mu:g}" for mu in rows["mu"]]
    return rows[list(columns)].rename(columns=columns).set_index("kept").round(3)


def facts_of_dependence(found: pd.DataFrame, recorded: pd.DataFrame) -> dict[str, float]:
    """How much of the dependence is left, by the penalty and by canonical correlations, where labels are kept.

    Parameters
    ----------
    found
        Table of :func:`map_effects` of the recorded maps.
    recorded
        The recorded maps, with X as it is.
    """
    before, price = recorded[recorded["penalty"] == "none"], front_price(found)
    row = found[(found["penalty"] == MAIN) & (found["keep"] == "labels") & (found["mu"] == price)].iloc[0]
    return {
        "quiet_share": 100 * row["level"] / before[DEPENDENCE].mean(),
        "quiet_cca": row["cca"],
        "quiet_cca_before": before["cca"].mean(),
        "quiet_cca_chance": row["chance_cca"],
    }


def figure_penalties(found: pd.DataFrame, recorded: pd.DataFrame) -> Any:
    """Change of the union against the dependence that a map leaves, a colour for each penalty.

    Parameters
    ----------
    found
        Table of :func:`map_effects` of the recorded maps.
    recorded
        The recorded maps, with X as it is.
    """
    import matplotlib.pyplot as plt

    before = recorded[recorded["penalty"] == "none"]
    _, ax = plt.subplots(figsize=(6.0, 3.4))
    for i, penalty in enumerate(PENALTIES):
        own = found[found["penalty"] == penalty]
        part = own[(own["keep"] == "labels") & np.isfinite(own["mu"])].sort_values("mu")
        if part.empty:
            continue
        look = {"color": f"C{i}", "elinewidth": 1}
        dots = {"fmt": "o-", "ms": 5, "lw": 1.2, "label": PENALTY_WORDS[penalty]}
        ax.errorbar(part["level"], part["union"], _error(part, "union"), **dots, **look)
        alone = own[own["keep"] == "nothing"]
        ax.errorbar(alone["level"], alone["union"], _error(alone, "union"), fmt="x", ms=7, **look)
    ax.axhline(0, color=INK, lw=0.8)
    ax.axvline(before[f"chance_{DEPENDENCE}"].mean(), color=INK, ls=":", lw=1)
    ax.legend(fontsize=8, loc="upper right", bbox_to_anchor=(1, 0.93))
    ax.set(xlabel="dependence of X′ on Y", ylabel=_CHANGES["union"])
    return ax


def facts_of_other_penalties(found: pd.DataFrame) -> dict[str, Any]:
    """Range of what penalties alone leave of the dependence, and of what they do to the union.

    Parameters
    ----------
    found
        Table of :func:`map_effects`.
    """
    alone = found[found["keep"] == "nothing"].set_index("penalty")
    return {
        "penalty_ci_low": PENALTY_WORDS[alone["level"].idxmin()],
        "penalty_low_level": alone["level"].min(),
        "penalty_ci_high": PENALTY_WORDS[alone["level"].idxmax()],
        "penalty_high_level": alone["level"].max(),
        "penalty_union_ci_low": alone["union"].min(),
        "penalty_union_ci_high": alone["union"].max(),
    }
