"""What the page about label-free numbers shows: how far each ranks models, family by family, and what few models tell.

The rows are those of :mod:`helpers.studies.calibration`, recorded in ``results/quality_models.csv``, with the models of
clients that Part III recorded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, generator
from helpers.book.style import INK
from helpers.inference import Claim, Finding, absent, format_interval, interval, judge
from helpers.metrics import spearman
from helpers.quality import crossed_rank_correlations
from helpers.studies.calibration import LABEL_FREE
from helpers.studies.label_free_ranking import CALLED

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CLAIMS",
    "DESIGNS",
    "KNOWN",
    "PUBLISHED_FEW",
    "TOGETHER",
    "all_models",
    "best_of_few",
    "calibrate_families",
    "calibration_facts",
    "calibration_findings",
    "calibration_judged",
    "calibration_table",
    "display_name",
    "check_calibration_choices",
    "chosen_elsewhere",
    "figure_calibration",
    "figure_few",
    "fisher_interval",
    "table_choices",
    "table_families",
    "told_beyond",
]

TOGETHER = "all texts"
"""Models of texts of all families, side by side on each data set."""

DESIGNS: dict[str, dict[str, Any]] = {
    "pocket layers": {"clusters": "encoder", "within": True},
    "real layers": {"clusters": "encoder", "within": True},
    "classical": {"clusters": "encoder"},
    "clients": {},
    "groups": {"clusters": "encoder"},
    TOGETHER: {"clusters": "encoder"},
}
"""What is compared in a family (layers within their encoder, else all models of a data set), and what models share."""

KNOWN = {"depth": "number of the layer", "wide": "width of the vectors"}
"""What is known of a model without a look at its vectors, beside which qualities stand."""

PUBLISHED_FEW = {"models": 8, "rho": 0.9}
"""A published ranking over few models: Jiang et al. (2026), by their abstract."""

_ACROSS = "mean rank correlation with the score, layers of an encoder"
CLAIMS = {
    "rankme": Claim(
        "RankMe ranks models", _ACROSS, source="garrido2023rankme", models="self-supervised image encoders", spec="+.2f"
    ),
    "alpha_req": Claim(
        "An exponent α near 1 goes with a better score",
        _ACROSS,
        source="agrawal2022alpha",
        models="self-supervised image encoders",
        spec="+.2f",
    ),
    "uniformity": Claim(
        "More uniform is better",
        _ACROSS,
        source="wang2020understanding",
        models="contrastive encoders of images and sentences",
        spec="+.2f",
    ),
    "lidar": Claim(
        "LiDAR ranks models",
        "mean rank correlation with the score, layers of an encoder, on stand-ins for views",
        source="thilak2024lidar",
        models="self-supervised image encoders",
        spec="+.2f",
    ),
    "hubness": Claim(
        "Fewer hubs go with a better score",
        _ACROSS,
        source="radovanovic2010hubs",
        models="vectors of data",
        spec="+.2f",
    ),
    "flows": Claim(
        "A label-free number ranks embedders nearly as labels do",
        "rank correlation with the supervised ranking",
        published=PUBLISHED_FEW["rho"],
        source="jiang2026flare",
        place="abstract",
        models="eight text embedders",
        spec=".2f",
    ),
}
"""What is published of label-free numbers as rankings of models."""


def all_models(recorded: pd.DataFrame, clients: pd.DataFrame, live: pd.DataFrame | None = None) -> pd.DataFrame:
    """All models with their qualities and scores: recorded ones, those of clients that Part III recorded, live ones.

    Parameters
    ----------
    recorded
        The recorded table ``results/quality_models.csv``.
    clients
        Table ``results/clients_unlabelled_models.csv``; qualities that it lacks are NaN there.
    live
        Layers of pocket encoders as :func:`helpers.studies.calibration.layer_rows` gives them; they take the place of
        recorded rows of the same encoder and data set.

    Returns
    -------
    DataFrame
        Columns of the first, with what :data:`KNOWN` names: ``depth``, NaN where a model has none, and ``wide``.
    """
    import pandas as pd

    known = [name for name in LABEL_FREE if name in clients]
    part = clients[known].assign(
        family="clients",
        type="Classification",
        data=[f"recorded experiment {experiment}" for experiment in clients["experiment"]],
        encoder=[f"recorded {e}, {m}" for e, m in zip(clients["experiment"], clients["model"], strict=True)],
        n=clients["n_train"],
        metric="accuracy",
        score=clients["test"],
        scored="recorded",
    )
    part["model"] = part["encoder"]
    parts = [recorded, part] if live is None else [live.assign(family="pocket layers"), recorded, part]
    models = pd.concat(parts, ignore_index=True).drop_duplicates(["family", "encoder", "data", "model"])
    return models.reset_index(drop=True).assign(depth=lambda t: t["layer"], wide=lambda t: t["width"])


def check_calibration_choices(
    encoders: Sequence[str], tasks: Sequence[str], *, n_objects: int, n_resamples: int, n_draws: int
) -> None:
    """Refuse what the page could not do: intervals for other encoders and data sets take two of each.

    Parameters
    ----------
    encoders, tasks
        Folders below ``encoders/`` and names of tasks, at least two of each, none of them twice; no tasks are all.
    n_objects, n_resamples, n_draws
        Objects, at least 50, draws of encoders, at least 2, and studies of few models, at least 2.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If one of them is out of range, or there is no such encoder or task.
    """
    from helpers.encoders.extraction import resolve_model
    from helpers.tasks import task_names

    for given, what in ((encoders, "encoders"), (tasks, "tasks")):
        least = 0 if what == "tasks" and not given else 2
        if isinstance(given, str) or not least <= len(set(given)) == len(given):
            raise ValueError(f"{what} is {given!r}; a list of at least two different names is needed")
    for name in encoders:
        resolve_model(f"encoders/{name}")
    if unknown := sorted(set(tasks) - set(task_names("documentation"))):
        known = ", ".join(map(repr, task_names("documentation")))
        raise ValueError(f"tasks has {unknown[0]!r}; it takes some of {known}")
    check_count(n_objects, "n_objects", least=50)
    check_count(n_resamples, "n_resamples", least=2)
    check_count(n_draws, "n_draws", least=2)


def calibrate_families(
    models: pd.DataFrame, names: Sequence[str] = LABEL_FREE, *, n_resamples: int = 999, rng: int = 0
) -> pd.DataFrame:
    """How well qualities rank the models of each family, and of all texts together.

    Parameters
    ----------
    models
        Rows as :func:`all_models` gives them; families that are not there are left out.
    names
        Qualities. What :data:`KNOWN` names is added, corrected by itself.
    n_resamples, rng
        Arguments of :func:`helpers.quality.crossed_rank_correlations`.

    Returns
    -------
    DataFrame
        Columns of that function, with ``family`` and ``quality`` in front; p-values are corrected within a family.
    """
    import pandas as pd

    parts = []
    for family, design in DESIGNS.items():
        part = _family(models, family)
        if part.empty:
            continue
        options = {**design, "n_resamples": n_resamples, "rng": rng}
        parts.append(crossed_rank_correlations(part, list(names), **options).assign(family=family))
        for name in KNOWN:
            there = part[part[name].notna()] if name in part else part.iloc[:0]
            if not there.empty and there.groupby("data")[name].nunique().max() > 1:
                parts.append(crossed_rank_correlations(there, [name], **options).assign(family=family))
    found = pd.concat(parts).reset_index()
    return found[["family", "quality", *[name for name in found if name not in ("family", "quality")]]]


def told_beyond(models: pd.DataFrame, names: Sequence[str] = LABEL_FREE, known: str = "depth") -> pd.DataFrame:
    """Rank correlations of qualities within encoders with the number of the layer held fixed.

    Parameters
    ----------
    models
        Rows as :func:`all_models` gives them; of these the layers of encoders.
    names
        The columns of qualities.
    known
        The column that is held fixed.

    Returns
    -------
    DataFrame
        A row per quality: mean partial ``spearman`` over encoders and data sets, ``ci_low``, ``ci_high``, ``p`` and
        ``p_holm``, by :func:`helpers.inference.crossed_mean`.
    """
    import pandas as pd

    from helpers.inference import crossed_mean, holm
    from helpers.quality import rank_correlations

    layers = models[models["family"].isin(["pocket layers", "real layers"])]
    cells = layers.assign(cell=layers["encoder"] + " | " + layers["data"])
    found, rows = rank_correlations(cells, list(names), by="cell", score="score", given=known), {}
    for name, each in found.items():
        each = each.dropna()
        encoder, data = zip(*(key.split(" | ") for key in each.index), strict=True)
        mean = crossed_mean(each.to_numpy(), data, encoder)
        rows[name] = {"spearman": mean.difference, "ci_low": mean.low, "ci_high": mean.high, "p": mean.p}
    out = pd.DataFrame.from_dict(rows, orient="index").rename_axis("quality")
    return out.assign(p_holm=holm(out["p"]))


def chosen_elsewhere(models: pd.DataFrame, names: Sequence[str] = LABEL_FREE) -> pd.DataFrame:
    """The quality that ranks best on all other data sets, judged on the one that is left out.

    Parameters
    ----------
    models, names
        Rows as :func:`all_models` gives them, and qualities; those that a family does not have everywhere do not stand
        for choice there.

    Returns
    -------
    DataFrame
        A row per family and data set: ``chosen``, its ``spearman`` and ``captured`` there, and ``best``, the largest
        correlation that any of the qualities has there.
    """
    import pandas as pd

    rows = []
    for family, design in DESIGNS.items():
        part = _family(models, family)
        if part.empty:
            continue
        whole = [name for name in names if part[name].notna().all()]
        by = ["data", "encoder"] if design.get("within") else ["data"]
        each = {}
        for key, cell in part.groupby(by):
            if len(cell) >= 3 and cell["score"].nunique() > 1:
                each[key] = {name: (_rho(cell, name), _way(cell, name)) for name in whole}
        table = pd.DataFrame({key: {name: two[0] for name, two in row.items()} for key, row in each.items()}).T
        table.index = [key[0] for key in each]
        gains = pd.DataFrame({key: {name: two[1] for name, two in row.items()} for key, row in each.items()}).T
        gains.index = table.index
        means, ways = table.groupby(level=0).mean(), gains.groupby(level=0).mean()
        for data in means.index if len(means) > 2 else ():
            best = means.drop(index=data).mean().idxmax()
            about = {"family": family, "data": data, "chosen": best, "spearman": means.loc[data, best]}
            rows.append(about | {"captured": ways.loc[data, best], "best": means.loc[data].max()})
    return pd.DataFrame(rows)


def fisher_interval(rho: float, n: int, confidence_level: float = 0.95) -> tuple[float, float]:
    """Interval of a correlation over n independent models, by Fisher's transform; of ranks it is a little too short.

    Examples
    --------
    >>> from helpers.studies.calibration_page import fisher_interval
    >>> [round(limit, 2) for limit in fisher_interval(0.9, 8)]
    [0.53, 0.98]
    """
    from scipy import stats

    reach = stats.norm.isf((1 - confidence_level) / 2) / math.sqrt(check_count(n, "n", least=4) - 3)
    low, high = np.tanh(np.arctanh(rho) + np.array([-reach, reach]))
    return float(low), float(high)


def best_of_few(
    models: pd.DataFrame,
    names: Sequence[str] = LABEL_FREE,
    *,
    size: int = 8,
    n_draws: int = 2000,
    shuffled: bool = False,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """What a study of few models would find: rank correlations over some models of texts on one data set, many times.

    Parameters
    ----------
    models, names
        Rows as :func:`all_models` gives them; qualities that all models of texts have.
    size
        Models of a study, drawn without replacement from all of a data set, which is drawn too.
    n_draws
        How many such studies.
    shuffled
        Whether the scores are put in random order, so that nothing is there to find.
    rng
        Seed or generator of the draws.

    Returns
    -------
    DataFrame
        Studies × qualities, with ``best``, the largest of a row.

    Raises
    ------
    ValueError
        If no data set has so many models.
    """
    import pandas as pd

    rng, part = generator(rng), _family(models, TOGETHER)
    names = [name for name in names if part[name].notna().all()]
    sets = [one for _, one in part.groupby("data") if len(one) >= check_count(size, "size", least=3)]
    if not sets:
        raise ValueError(f"size is {size}; no data set has so many models of texts")
    draws = np.empty((check_count(n_draws, "n_draws"), len(names)))
    which = rng.integers(len(sets), size=n_draws)
    for i, one in enumerate(sets):
        mine = np.flatnonzero(which == i)
        rows = np.argsort(rng.random((len(mine), len(one))), axis=1)[:, :size]
        score = one["score"].to_numpy()[rng.permuted(rows, axis=1) if shuffled else rows]
        for j, name in enumerate(names):
            draws[mine, j] = spearman(score, one[name].to_numpy()[rows], undefined=0.0)
    return pd.DataFrame(draws, columns=names).assign(best=draws.max(axis=1))


# Tables


def table_families(models: pd.DataFrame) -> pd.DataFrame:
    """How many rows, models, encoders and data sets each family has, and what is compared."""
    import pandas as pd

    rows = {}
    for family, design in DESIGNS.items():
        part = _family(models, family)
        if not part.empty:
            compared = "layers of one encoder" if design.get("within") else "all models of a data set"
            shared = {"classical": "kind", "groups": "method"}.get(family, "encoder") if design else "nothing"
            rows[family] = {
                "models": _count(part),
                "data sets": part["data"].nunique(),
                "rows": len(part),
                "compared": compared,
                "models share": shared,
                "encoders": part["encoder"].nunique() if design else _count(part),
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def calibration_table(found: pd.DataFrame) -> pd.DataFrame:
    """Rank correlations with their intervals, a column per family, the largest mean first; * after correction.

    Parameters
    ----------
    found
        Table of :func:`calibrate_families`.
    """
    shown = found.assign(said=found.apply(_said, axis=1)).pivot(index="quality", columns="family", values="said")
    families = [family for family in DESIGNS if family in shown]
    return shown.loc[_order(found)[::-1], families].fillna("").rename(index=display_name).rename_axis(None)


def table_choices(chosen: pd.DataFrame, *, n_resamples: int = 999, rng: int = 0) -> pd.DataFrame:
    """What the quality chosen on other data sets is worth on a new one, by family.

    Parameters
    ----------
    chosen
        Table of :func:`chosen_elsewhere`.
    n_resamples, rng
        Bootstrap draws of data sets, and their seed.
    """
    import pandas as pd

    rows = {}
    for family, part in chosen.groupby("family", sort=False):
        means = {
            name: f"{interval(part[name].to_numpy(), n_resamples=n_resamples, rng=rng):.2f}"
            for name in ("spearman", "captured")
        }
        most = part["chosen"].value_counts()
        rows[family] = {
            "chosen most often": f"{display_name(most.index[0])} ({most.iloc[0]} of {len(part)})",
            "its correlation on the new data set": means["spearman"],
            "of the way to the best model": means["captured"],
            "best there, seen afterwards": f"{part['best'].mean():.2f}",
        }
    return pd.DataFrame.from_dict(rows, orient="index")


# Figures


def figure_calibration(found: pd.DataFrame) -> Any:
    """Rank correlation of each quality with the score in each family, with its interval.

    Parameters
    ----------
    found
        Table of :func:`calibrate_families`.
    """
    import matplotlib.pyplot as plt

    order = _order(found)
    families = [family for family in DESIGNS if family in set(found["family"])]
    figure, axes = plt.subplots(
        1, len(families), figsize=(1.2 + 1.5 * len(families), 0.9 + 0.24 * len(order)), sharey=True, squeeze=False
    )
    for ax, family in zip(axes[0], families, strict=True):
        rows = found[found["family"] == family].set_index("quality")
        ax.axvline(0, color=INK, lw=0.8)
        for y, name in enumerate(order):
            if name not in rows.index or math.isnan(rows.loc[name, "spearman"]):
                continue
            row = rows.loc[name]
            sure = row["p_holm"] <= 0.05
            color = INK if name in KNOWN else ("C0" if row["spearman"] > 0 else "C3") if sure else "0.65"
            ax.plot([row["ci_low"], row["ci_high"]], [y, y], color=color, lw=1.8 if sure else 1.0)
            ax.plot(row["spearman"], y, "o", color=color, ms=5, mfc=color if sure else "white")
        ax.set_title(family, fontsize=9)
        ax.set(xlim=(-1.05, 1.05), xticks=[-1, 0, 1])
    axes[0, 0].set_yticks(range(len(order)), [display_name(name) for name in order], fontsize=8)
    figure.supxlabel("mean rank correlation with the score", fontsize=9)
    return axes[0]


def figure_few(few: pd.DataFrame, chance: pd.DataFrame, name: str = "rankme") -> Any:
    """What studies of few models find of one quality, and of the best of all, beside the same without any relation.

    Parameters
    ----------
    few, chance
        Tables of :func:`best_of_few`, the second with scores in random order.
    name
        The quality of the first panel.
    """
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, 2, figsize=(7.2, 2.4), sharex=True, sharey=True)
    bins = np.linspace(-1, 1, 41)
    for ax, column, title in zip(axes, (name, "best"), (display_name(name), "the best of all qualities"), strict=True):
        for values, color, label in ((few, "C0", "as it is"), (chance, "0.6", "scores in random order")):
            ax.hist(values[column], bins, density=True, histtype="step", color=color, lw=1.5, label=label)
        ax.axvline(PUBLISHED_FEW["rho"], color="C1", lw=1.2, ls="--")
        ax.set_title(title, fontsize=10)
        ax.set(xlabel="rank correlation over eight models", yticks=[])
    axes[0].legend(fontsize=8, frameon=False, loc="upper left")
    return axes


# Facts and claims


def calibration_findings(found: pd.DataFrame) -> tuple[dict[str, Finding], str]:
    """What layers of text encoders say of :data:`CLAIMS`, for :func:`helpers.inference.judge`, and of which family.

    Parameters
    ----------
    found
        Table of :func:`calibrate_families`; real layers speak if they are there, else pocket layers.
    """
    family = "real layers" if "real layers" in set(found["family"]) else "pocket layers"
    rows = found[found["family"] == family].set_index("quality")
    out = {}
    for key in CLAIMS:
        if key == "flows":
            out[key] = absent("neither its code nor its eight embedders are here")
            continue
        row = rows.loc[key]
        n = int(min(row["data"], row["clusters"]))
        units = "encoders" if row["clusters"] < row["data"] else "data sets"
        out[key] = Finding(row["spearman"], row["ci_low"], row["ci_high"], n, units, row["p"], row["p"])
    return out, family


def calibration_judged(found: pd.DataFrame) -> pd.DataFrame:
    """The claims, judged: whether those on models of another kind transfer to texts, and the one on texts itself.

    Parameters
    ----------
    found
        Table of :func:`calibrate_families`.
    """
    import pandas as pd

    (findings, family), parts = calibration_findings(found), []
    for own in (True, False):
        claims = {key: claim for key, claim in CLAIMS.items() if (key == "flows") == own}
        options = {"transfer": not own, "on": "" if own else family}
        parts.append(judge(claims, {key: findings[key] for key in claims}, **options))
    return pd.concat(parts)


def calibration_facts(
    models: pd.DataFrame, found: pd.DataFrame, chosen: pd.DataFrame, few: pd.DataFrame, chance: pd.DataFrame
) -> dict[str, Any]:
    """What the text says in numbers.

    Parameters
    ----------
    models, found, chosen
        Tables of :func:`all_models`, :func:`calibrate_families` and :func:`chosen_elsewhere`.
    few, chance
        Tables of :func:`best_of_few`, the second with scores in random order.
    """
    qualities = found[~found["quality"].isin(KNOWN)]
    sure = qualities[qualities["p_holm"] <= 0.05]
    plus, minus = (sure[sign * sure["spearman"] > 0].groupby("quality")["family"].nunique() for sign in (1, -1))
    both = sorted(set(plus.index) & set(minus.index))
    limits = fisher_interval(PUBLISHED_FEW["rho"], PUBLISHED_FEW["models"])
    facts: dict[str, Any] = {
        "n_models": sum(_count(part) for _, part in models.groupby("family")),
        "n_rows": len(models),
        "n_qualities": len(LABEL_FREE),
        "n_sure": len(sure),
        "n_tried": len(qualities),
        "n_good": int((sure["spearman"] > 0).sum()),
        "n_bad": int((sure["spearman"] < 0).sum()),
        "both_signs": ", ".join(map(display_name, both)) or "none",
        "fisher_low": limits[0],
        "fisher_high": limits[1],
        "few_low": float(few["rankme"].quantile(0.025)),
        "few_high": float(few["rankme"].quantile(0.975)),
        "few_best": 100 * float((few["best"] >= PUBLISHED_FEW["rho"]).mean()),
        "chance_best": 100 * float((chance["best"] >= PUBLISHED_FEW["rho"]).mean()),
        "chance_median": float(chance["best"].median()),
    }
    clients = models.loc[models["family"] == "clients", [name for name in LABEL_FREE if name in models]]
    whole = clients.notna().all(axis=1)
    facts |= {"clients_whole": int(whole.sum()), "clients_part": int((~whole).sum())}
    facts["clients_few"] = int(clients[~whole].notna().any().sum())
    for family, part in qualities.groupby("family"):
        key, top = family.replace(" ", "_"), part.loc[part["spearman"].idxmax()]
        good = sure[(sure["family"] == family) & (sure["spearman"] > 0)].sort_values("spearman", ascending=False)
        facts |= {f"{key}_top": display_name(top["quality"]), f"{key}_top_said": format_interval(top, "spearman")}
        facts |= {f"{key}_captured": 100 * top["captured"], f"{key}_n": int(len(good))}
        facts |= {f"{key}_good": ", ".join(map(display_name, good["quality"])) or "none"}
        facts |= {f"{key}_rankme": _of(part, "rankme")}
        there = chosen[chosen["family"] == family] if len(chosen) else chosen
        facts |= {
            f"{key}_elsewhere": there["spearman"].mean() if len(there) else float("nan"),
            f"{key}_elsewhere_way": 100 * there["captured"].mean() if len(there) else float("nan"),
        }
    for name in KNOWN:
        for family, part in found[found["quality"] == name].groupby("family"):
            facts[f"{family.replace(' ', '_')}_{name}"] = format_interval(part.iloc[0], "spearman")
    return facts


def _family(models: pd.DataFrame, family: str) -> pd.DataFrame:
    """The rows of a family."""
    texts = ["pocket layers", "real layers", "classical"]
    return models[models["family"].isin(texts if family == TOGETHER else [family])]


def _count(part: pd.DataFrame) -> int:
    """Models of a family: those of clients and of drawings are trained anew on each data set."""
    apart = part["family"].isin(["clients", "groups"])
    return int(apart.sum()) + part.loc[~apart, "model"].nunique()


def _rho(cell: pd.DataFrame, name: str) -> float:
    return float(spearman(cell["score"].to_numpy(), cell[name].to_numpy(), undefined=0.0))


def _way(cell: pd.DataFrame, name: str) -> float:
    """Part of the way from the mean score to the best that the first by a quality goes."""
    scores = cell["score"]
    first = scores[cell[name] == cell[name].max()].mean()
    return float((first - scores.mean()) / (scores.max() - scores.mean()))


def _order(found: pd.DataFrame) -> list[str]:
    """Qualities by their mean over families, the lowest first, below them what is known anyway."""
    means = found.groupby("quality")["spearman"].mean().sort_values()
    return [name for name in KNOWN if name in means] + [name for name in means.index if name not in KNOWN]


def _said(row: Mapping[str, Any]) -> str:
    return format_interval(row, "spearman") + ("*" if row["p_holm"] <= 0.05 else "")


def _of(part: pd.DataFrame, name: str) -> str:
    return format_interval(part.set_index("quality").loc[name], "spearman")


def display_name(name: str) -> str:
    """What the page calls a quality, or what is known anyway."""
    return KNOWN.get(name) or CALLED.get(name, name.replace("_", " "))
