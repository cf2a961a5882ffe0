"""The chapter "Averaging parameters or vectors": two parents merged in all ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from helpers.arrays import check_count
from helpers.book.style import INK
from helpers.inference import Claim, Finding, absent
from helpers.studies.pairs_page import seed_finding
from helpers.studies.russian_runs import (
    CENTRED,
    DISTANCES,
    FUSIONS,
    MERGES,
    check_staged_choices,
    merging_rows,
    recipe_from,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from helpers.pairs import PairCorpus

__all__ = [
    "MERGE_CLAIMS",
    "best_ways",
    "check_parameters_choices",
    "cka_finding",
    "cka_table",
    "gains_by_method",
    "gains_figure",
    "live_merging",
    "merge_findings",
    "merging_facts",
]

NOT_YET = "not recorded yet"
MERGE_CLAIMS = {
    "soup": Claim(
        "The mean of the parameters of two models of one base is as good as the better of them, or better",
        "mean score gained over the better parent, same data",
        null=-0.01,
        models="networks that were fine-tuned from one model",
        source="wortsman2022soups",
        spec="+.3f",
    ),
    "ensemble": Claim(
        "It comes near the ensemble of their outputs",
        "mean score of the mean of vectors less that of the mean of parameters",
        side="less",
        null=0.01,
        models="networks that were fine-tuned from one model",
        source="wortsman2022soups",
        spec="+.3f",
    ),
    "cocktail": Claim(
        "Weights by losses on a few examples are better than equal ones",
        "mean score gained over equal weights, different data",
        models="language models",
        source="xiao2024lmcocktail",
        spec="+.3f",
    ),
}
"""What is said of averages of parameters."""


def check_parameters_choices(*, language: str, width: int, steps: Sequence[int], n_texts: int) -> None:
    """Refuse what the page could not do.

    Parameters
    ----------
    language
        ``"ru"`` or ``"en"``.
    width
        Features of the encoders, at least 4.
    steps
        Updates of stage 1, the symmetric and the asymmetric model: three numbers of at least 5.
    n_texts
        Texts on which parents are compared and fusions fitted, at least 30.

    Raises
    ------
    TypeError, ValueError
        If one of them is out of range.
    """
    check_staged_choices(language, width, steps)
    check_count(n_texts, "n_texts", least=30)


def live_merging(
    corpus: PairCorpus, folder: str, *, width: int, steps: Sequence[int], n_texts: int, rng: int = 0
) -> pd.DataFrame:
    """Parents at all distances, merged and fused in all ways, on the pairs that were kept back.

    Parameters
    ----------
    corpus
        Pairs to train on, some of which are kept back.
    folder
        Folder in which stages are kept.
    width, steps
        Features; updates of the three stages.
    n_texts
        Texts on which parents are compared and fusions fitted.
    rng
        Seed of everything.

    Returns
    -------
    DataFrame
        As :func:`helpers.studies.russian_runs.merging_rows` gives, with ``seed``.
    """
    import pandas as pd

    made = {"language": corpus.language, "width": width, "steps": tuple(steps), "line": "without instructions"}
    recipe = recipe_from(base="bag", pieces=1500, batch=8, rate=5e-3, examples=24, **made)
    options = {"negatives": 50, "n_texts": n_texts, "rng": rng}
    parts = [merging_rows(corpus, recipe, distance, folder, **options) for distance in DISTANCES]
    return pd.concat(parts, ignore_index=True).assign(seed=rng)


def _means(found: pd.DataFrame, rule: str = "honest") -> pd.DataFrame:
    """Mean score by distance and seed (rows) and method (columns), and of the parent with the lower example loss."""
    mean = found[found["task"].isin(["mean S", "mean"])]
    keys = {"index": ["distance", "seed"], "columns": "method"}
    wide = mean.pivot_table(values=rule, **keys)
    loss = mean[mean["way"] == "parent"].pivot_table(values="loss", **keys)
    first = loss["parent 1"] <= loss["parent 2"]
    return wide.assign(better=wide["parent 1"].where(first, wide["parent 2"]))


def gains_by_method(found: pd.DataFrame | None, rule: str = "honest") -> pd.DataFrame:
    """What each method gains over the better parent, by distance; how near the parents are, and what a method costs.

    Parameters
    ----------
    found
        Rows of :func:`live_merging` or recorded ones; None where nothing is recorded.
    rule
        Rule of choice of the scores.

    Returns
    -------
    DataFrame
        By method: ``way``, ``encoders`` (that run for a text), ``centred`` (whether vectors are), and a column for each
        distance with the gain, and its interval over seeds where there are two or more. The first row is the CKA of the
        parents. The better parent is the one with the lower loss on the pairs that choose, which are not scored.
    """
    import pandas as pd

    methods = [(name, "parameters", "1", "") for name in MERGES]
    methods += [(name, "vectors", "2", "yes" if name in CENTRED else "no") for name in FUSIONS]
    table = pd.DataFrame(methods, columns=["method", "way", "encoders", "centred"]).set_index("method")
    near = {"way": "CKA of the parents", "encoders": "", "centred": ""}
    if found is None:
        return table.assign(**dict.fromkeys(DISTANCES, "—"))
    means = _means(found, rule)
    for distance in DISTANCES:
        own = found[found["distance"] == distance]
        near[distance] = f"{own['cka'].mean():.2f}" if len(own) else "—"
        here = means.loc[distance] if distance in means.index.get_level_values(0) else means[:0]
        table[distance] = [_gain(here, method) for method in table.index]
    first = pd.DataFrame([near], index=pd.Index(["parents"], name="method"))
    return pd.concat([first, table])


def _gain(means: pd.DataFrame, method: str) -> str:
    """A gain over the better parent in words."""
    from helpers.inference import paired

    if not len(means) or method not in means:
        return "—"
    both = means[[method, "better"]].dropna()
    if len(both) < 2:
        return f"{float((both[method] - both['better']).iloc[0]):+.3f}"
    one = paired(both[method].to_numpy(), both["better"].to_numpy(), overlap=0.0)
    return f"{one.difference:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"


def best_ways(found: pd.DataFrame | None, rule: str = "honest") -> pd.DataFrame:
    """The best method of each way at each distance, by mean score, and how near the parents are.

    Parameters
    ----------
    found
        As :func:`gains_by_method` takes it.
    rule
        Rule of choice of the scores.

    Returns
    -------
    DataFrame
        By distance: ``cka``, the best ``parameters`` and ``vectors`` with their ``gain`` over the better parent; dashes
        where nothing is recorded.
    """
    import pandas as pd

    if found is None:
        columns = ["cka", "parameters", "parameters gain", "vectors", "vectors gain"]
        return pd.DataFrame("—", index=pd.Index(DISTANCES, name="distance"), columns=columns)
    means = _means(found, rule).groupby(level="distance").mean()
    rows = {}
    for distance in (name for name in DISTANCES if name in means.index):
        row = {"cka": float(found.loc[found["distance"] == distance, "cka"].mean())}
        for way, names in (("parameters", MERGES), ("vectors", FUSIONS)):
            own = means.loc[distance, list(names)]
            row |= {way: own.idxmax(), f"{way} gain": float(own.max() - means.loc[distance, "better"])}
        rows[distance] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("distance")


def _both_ways(found: pd.DataFrame, rule: str) -> pd.DataFrame:
    """CKA of each two parents (rows: distance and seed), and the best of parameters less the best of vectors."""
    means = _means(found, rule)
    gap = means[list(MERGES)].max(axis=1) - means[list(FUSIONS)].max(axis=1)
    return found.groupby(["distance", "seed"])[["cka"]].mean().assign(gap=gap)


def cka_finding(found: pd.DataFrame | None, rule: str = "honest") -> Finding:
    """Whether the CKA of the parents tells which way is better.

    Parameters
    ----------
    found
        As :func:`gains_by_method` takes it, with two seeds or more.
    rule
        Rule of choice of the scores.

    Returns
    -------
    Finding
        The rank correlation, over distances and seeds, of the CKA of the parents with the best mean score of merged
        parameters less the best of fused vectors. What one seed gives hangs together: the interval is Student's t with
        the error of a jackknife that leaves out a seed at a time, cut at -1 and 1.
    """
    from scipy import stats

    from helpers.metrics import spearman

    if found is None:
        return absent(NOT_YET)
    both = _both_ways(found, rule)
    seeds = both.index.get_level_values("seed")
    n = seeds.nunique()
    if n < 2:
        return absent("one seed: an interval needs two at least")
    told = spearman(both["cka"], both["gap"], undefined=0.0)
    without = np.array([spearman(*both[seeds != seed].to_numpy().T, undefined=0.0) for seed in seeds.unique()])
    error = float(np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2)))
    half = stats.t.isf(0.025, n - 1) * error
    p = 2 * stats.t.sf(abs(told) / error, n - 1) if error else float(told == 0)
    return Finding(float(told), float(max(-1, told - half)), float(min(1, told + half)), n, "seeds", float(p))


def cka_table(found: Mapping[str, pd.DataFrame | None], rule: str = "honest") -> pd.DataFrame:
    """:func:`cka_finding` of several runs in words, a row each; a dash where nothing is recorded.

    Parameters
    ----------
    found
        Rows, or None, by what they are called.
    rule
        Rule of choice of the scores.
    """
    import pandas as pd

    from helpers.metrics import spearman

    rows = {}
    for name, one in found.items():
        finding = cka_finding(one, rule)
        both = None if one is None else _both_ways(one, rule)
        row = {"parents": 0 if both is None else len(both), "seeds": finding.n}
        if not finding.why:
            row["rank correlation"] = f"{finding.estimate:+.2f} [{finding.low:+.2f}, {finding.high:+.2f}]"
        elif both is None:
            row["rank correlation"] = "—"
        else:
            row |= {"seeds": 1, "rank correlation": f"{spearman(both['cka'], both['gap'], undefined=0.0):+.2f}"}
        rows[name] = row | {"note": finding.why}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("runs")


def gains_figure(found: pd.DataFrame, rule: str = "honest") -> Figure:
    """Gain over the better parent by distance of the parents: parameters (left) and vectors (right), by method."""
    import matplotlib.pyplot as plt

    means = _means(found, rule)
    near = found.groupby("distance")["cka"].mean()
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.6), sharey=True)
    for ax, names, marker, title in zip(
        axes, (MERGES, FUSIONS), "os", ("one encoder: parameters", "two encoders: vectors"), strict=True
    ):
        for number, method in enumerate(names):
            gain = means[method] - means["better"]
            places = [DISTANCES.index(distance) for distance in gain.index.get_level_values("distance")]
            ax.plot(
                np.array(places) + 0.1 * (number - len(names) / 2),
                gain,
                marker,
                color=f"C{number}",
                label=method,
                alpha=0.8,
            )
        ax.axhline(0, color=INK, lw=0.8, ls=":")
        labels = [f"{name}\nCKA {near[name]:.2f}" if name in near else name for name in DISTANCES]
        ax.set(xticks=range(len(DISTANCES)), xticklabels=labels, title=title)
        ax.legend(fontsize=7, loc="best")
    axes[0].set_ylabel("gain over the better parent")
    return figure


def merge_findings(found: pd.DataFrame | None, rule: str = "honest") -> dict[str, Finding]:
    """What recorded seeds say of :data:`MERGE_CLAIMS`."""
    if found is None:
        return dict.fromkeys(MERGE_CLAIMS, absent(NOT_YET))
    means = _means(found, rule)
    asked = {
        "soup": ("same data", "linear", "better"),
        "ensemble": ("same data", "mean", "linear"),
        "cocktail": ("different data", "cocktail", "linear"),
    }
    out = {}
    for key, (distance, one, other) in asked.items():
        there = distance in means.index.get_level_values(0)
        both = means.loc[distance][[one, other]].dropna() if there else means[:0].assign(better=0.0)[["better"] * 2]
        out[key] = seed_finding(MERGE_CLAIMS[key], *both.to_numpy().T) if len(both) else absent(NOT_YET)
    return out


def merging_facts(found: pd.DataFrame, rule: str = "honest") -> dict[str, float]:
    """What the text says in numbers: CKA of parents; gains of three means over the better parent, near and far."""
    means = _means(found, rule)
    gains = means.sub(means["better"], axis=0).groupby(level="distance").mean()
    near = found.groupby("distance")["cka"].mean()
    out = {f"{distance.replace(' ', '_')}_cka": float(near[distance]) for distance in DISTANCES}
    for distance in ("same data", "different base"):
        for name in ("linear", "centred mean", "Procrustes mean"):
            out[f"{distance.replace(' ', '_')}_{name.split()[0]}"] = float(gains.loc[distance, name])
    scored = found[(found["task"] != "mean") & (found["method"] == "linear")]
    return out | {"n_scored": float(scored.groupby(["distance", "seed"])["n"].sum().iloc[0])}
