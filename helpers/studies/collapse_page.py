"""Tables, figures, facts and claims of the chapter "How embeddings collapse"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count
from helpers.book.style import INK
from helpers.inference import Claim, Finding, Interval
from helpers.inference.paired import two_sided_p
from helpers.studies.collapse import COLLAPSES, REMEDIES, try_remedy
from helpers.studies.collapse_sweeps import NETWORKS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from helpers.studies.collapse_views import Tried

__all__ = [
    "BEST",
    "CLAIMS",
    "KEPT",
    "TASKS",
    "check_collapse_choices",
    "claim_findings",
    "codes_table",
    "contrast_figure",
    "cost_table",
    "facts",
    "reasons_table",
    "remedy_table",
    "signature_table",
    "spectra_figure",
    "two_trainings",
]

BEST = {
    "complete": "alignment + uniformity",
    "dimensional": "cause removed",
    "cluster": "alignment + uniformity",
    "token": "pre-training",
    "codebook": "restarted codes",
    "crossed fields": "pre-training",
}
"""The remedy of each collapse that is trained on the page."""

KEPT = {
    "complete": "1 less the mean cosine",
    "dimensional": "effective directions over the width",
    "cluster": "share of the variance within classes",
    "token": "spread of rare words over that of common ones",
    "codebook": "perplexity over the number of codes",
    "crossed fields": "information abundance over the width",
}
"""What each collapse takes away, a share between 0 and 1."""

TASKS = {
    "complete": "variance of the latents that is read",
    "dimensional": "variance of the latents that is read",
    "cluster": "variance of the latents within classes that is read",
    "token": "rare words whose topic their neighbours have",
    "codebook": "variance of the objects that codes keep",
    "crossed fields": "variance of the tastes that is read from items",
}
"""What is scored where the truth is known."""


def check_collapse_choices(*, steps: int, n_probe: int) -> None:
    """Refuse what the page could not do.

    Parameters
    ----------
    steps
        Steps of each training: 0 for those of each collapse, else at least 60, in fewer of which nothing collapses.
    n_probe
        Objects of the short examples, at least 100.

    Raises
    ------
    TypeError, ValueError
        If one of them is out of range.
    """
    if steps != 0:
        check_count(steps, "steps", least=60, why="or 0, for those of each collapse")
    check_count(n_probe, "n_probe", least=100)


def two_trainings(*, rng: int = 0, **options: Any) -> dict[str, tuple[Tried, Tried]]:
    """Each collapse, made to happen, and with one remedy.

    Parameters
    ----------
    rng
        Seed of data and training.
    options
        Keyword arguments of all functions of collapses, such as ``steps``.

    Returns
    -------
    dict of str to pair
        Collapse → what doing nothing came to, and what the remedy of :data:`BEST` did.
    """
    return {
        name: tuple(try_remedy(name, each, rng=rng, **options) for each in ("nothing", remedy))
        for name, remedy in BEST.items()
    }


def signature_table(pairs: Mapping[str, tuple[Tried, Tried]]) -> pd.DataFrame:
    """What is seen of each collapse without labels, what the diagnosis says, and what the task lost.

    Parameters
    ----------
    pairs
        What :func:`two_trainings` gives.

    Returns
    -------
    DataFrame
        Two rows for each collapse; columns ``remedy``, ``kept``, ``task``, ``rankme``, ``mean_cosine``, ``uniformity``
        and ``found`` (the findings of :func:`helpers.quality.diagnose`).
    """
    import pandas as pd

    from helpers.quality import diagnose, mean_cosine, rankme, uniformity

    rows = []
    for name, pair in pairs.items():
        for remedy, found in zip(("nothing", BEST[name]), pair, strict=True):
            said = diagnose(found.x, codes=found.codes, n_codes=found.n_codes).findings
            rows.append(
                {
                    "collapse": name,
                    "remedy": remedy,
                    "kept": found.kept,
                    "task": found.task,
                    "rankme": rankme(found.x),
                    "mean_cosine": mean_cosine(found.x),
                    "uniformity": uniformity(found.x),
                    "found": ", ".join(said) or "nothing",
                }
            )
    return pd.DataFrame(rows).set_index(["collapse", "remedy"])


def spectra_figure(pairs: Mapping[str, tuple[Tried, Tried]]) -> list[Axes]:
    """The spectrum of each collapse, with and without its remedy."""
    import matplotlib.pyplot as plt

    axes = plt.gcf().subplots(2, 3, sharey=True).ravel()
    for ax, (name, (before, after)) in zip(axes, pairs.items(), strict=True):
        for found, colour, label in ((before, "C3", "collapsed"), (after, "C0", BEST[name])):
            values = np.maximum(found.spectrum / max(found.spectrum.max(), 1e-12), 1e-4)
            if name == "token":  # against the spread of the common words
                values = np.maximum(found.spectrum, 1e-4)
            ax.plot(np.arange(1, len(values) + 1), values, color=colour, lw=1.8, label=label)
        ax.set(yscale="log", ylim=(5e-4, 1.6), title=name)
        ax.axhline(1, color=INK, lw=0.5, alpha=0.4)
        ax.legend(fontsize=7, loc="lower left")
    for ax in axes[3:]:
        ax.set_xlabel("direction, or code, by rank")
    for ax in axes[::3]:
        ax.set_ylabel("size, over the largest")
    return list(axes)


def remedy_table(tried: pd.DataFrame, column: str = "kept") -> pd.DataFrame:
    """Remedies (rows) against collapses (columns).

    Parameters
    ----------
    tried
        Rows of :func:`helpers.studies.collapse.laboratory` over seeds.
    column
        ``"kept"`` or ``"task"``: means over seeds; ``"found"``: in how many of the seeds the diagnosis still has the
        finding of the collapse.

    Returns
    -------
    DataFrame of str
        "does not apply" where it does not; :func:`reasons_table` says why.
    """
    rows = {}
    for remedy in REMEDIES:
        row = {}
        for name in COLLAPSES:
            part = tried[(tried["collapse"] == name) & (tried["remedy"] == remedy)]
            if not len(part):
                row[name] = "not tried"
            elif not part["applies"].all():
                row[name] = "does not apply"
            elif column == "found":
                row[name] = f"{int(still_found(part).sum())} of {len(part)}"
            else:
                row[name] = f"{part[column].mean():.2f}"
        rows[remedy] = row
    import pandas as pd

    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("remedy")


FINDING = {
    "complete": "complete collapse",
    "dimensional": "dimensional collapse",
    "cluster": "cluster collapse",
    "token": "token collapse",
    "codebook": "codebook collapse",
    "crossed fields": "dimensional collapse",
}


def still_found(rows: pd.DataFrame) -> np.ndarray:
    """Whether the diagnosis has the finding of the collapse, for each row of the laboratory."""
    said = rows["findings"].fillna("").str.split(", ")
    return np.array([FINDING[name] in found for name, found in zip(rows["collapse"], said, strict=True)])


def reasons_table(tried: pd.DataFrame) -> pd.DataFrame:
    """Why remedies do not apply: a row for each reason, with the collapses and the remedies that it is about."""
    rows = tried[~tried["applies"].astype(bool)].drop_duplicates(["collapse", "remedy"])
    by_remedy = rows.groupby(["why", "remedy"], sort=False)["collapse"].agg(", ".join).reset_index()
    joined = by_remedy.groupby(["collapse", "why"], sort=False)["remedy"].agg(", ".join)
    return joined.reset_index().set_index("remedy")[["collapse", "why"]]


def cost_table(spent: pd.DataFrame) -> pd.DataFrame:
    """Seconds of processor of each remedy, and learned numbers over those of doing nothing: medians over seeds.

    Parameters
    ----------
    spent
        Rows of :func:`helpers.studies.collapse.costs` over seeds; whitening trains the same thing again.

    Returns
    -------
    DataFrame of str
        Remedies against collapses, as "0.4 s, 1.1 × size"; "does not apply" where it does not.
    """
    found = spent[spent["seconds"].notna()].groupby(["remedy", "collapse"])[["seconds", "parameters"]].median()
    base = found.xs("nothing", level="remedy")["parameters"]
    sizes = found["parameters"] / base.reindex(found.index.get_level_values("collapse")).to_numpy()
    words = [f"{seconds:.1f} s, {size:.1f} × size" for seconds, size in zip(found["seconds"], sizes, strict=True)]
    shown = found.assign(words=words)["words"].unstack()
    kept = [name for name in REMEDIES if name in shown.index]
    return shown.reindex(index=kept, columns=list(COLLAPSES)).fillna("does not apply")


def contrast_figure(contrast: pd.DataFrame) -> list[Axes]:
    """Effective directions by the strength of views, a panel for each network and a line for each temperature."""
    import matplotlib.pyplot as plt

    axes = plt.gcf().subplots(1, len(NETWORKS), sharey=True)
    for ax, network in zip(axes, NETWORKS, strict=True):
        part = contrast[contrast["network"] == network]
        for i, (temperature, rows) in enumerate(part.groupby("temperature")):
            by = rows.groupby("strength")["directions"]
            ax.errorbar(
                by.mean().index, by.mean(), yerr=by.std().fillna(0), color=f"C{i}", marker="o", ms=4, label=temperature
            )
        ax.axhline(16, color=INK, ls=":", lw=1)
        ax.axhline(4, color=INK, ls=":", lw=1)
        strengths = sorted(part["strength"].unique())
        ax.set(xscale="log", title=network, xlabel="noise of a view", ylim=(0, 17))
        ax.set_xticks(strengths, [f"{value:g}" for value in strengths])
        ax.minorticks_off()
    axes[0].set_ylabel("effective directions")
    axes[-1].legend(title="temperature", fontsize=8, title_fontsize=8)
    return list(axes)


def codes_table(codes: pd.DataFrame) -> pd.DataFrame:
    """Share of the codes in use by start, update, restart and rotation: mean over seeds with its range."""
    rows = codes.assign(
        restart=np.where(codes["restart"] > 0, "restart", "no restart"),
        gradients=np.where(codes["rotation"].astype(bool), "rotation", "straight through"),
    )
    by = rows.groupby(["start", "update", "gradients", "restart"])["used"].agg(["mean", "min", "max"])
    shown = by.apply(lambda row: f"{row['mean']:.0%} ({row['min']:.0%} to {row['max']:.0%})", axis=1)
    return shown.unstack()


_MADE = {"models": "small encoders on made data", "spec": "+.2f"}
_KEPT, _TASK = "share kept, gained by it", "share of the variance read, gained by it"

LEAST_GAIN = 0.05
"""Least gain that counts: of the whole that a collapse takes from, or of a share where shares are compared."""

CLAIMS = {
    "uniform": Claim(
        "Alignment + uniformity reads no less of the latents than InfoNCE does (margin 0.05)",
        "share of the variance of the latents, difference",
        null=-0.05,
        source="wang2020understanding",
        **_MADE,
    ),
    "stop": Claim(
        "A stopped gradient with a predictor keeps views from complete collapse",
        _KEPT,
        source="chen2021simsiam",
        smallest=LEAST_GAIN,
        **_MADE,
    ),
    "strong": Claim(
        "Strong views make InfoNCE collapse dimensions",
        "effective directions over the width, strong less weak",
        side="less",
        source="jing2022understanding",
        **_MADE,
    ),
    "deep": Claim(
        "With weak views more matrices in a row leave fewer directions",
        "effective directions of three matrices less one",
        side="less",
        source="jing2022understanding",
        **_MADE,
    ),
    "temperature": Claim(
        "A lower temperature spreads objects more evenly",
        "uniformity at 0.05 less that at 1",
        side="less",
        source="wang2021behaviour",
        **_MADE,
    ),
    "tables": Claim(
        "Several tables with crossings of their own keep more directions than one",
        _KEPT,
        source="guo2024collapse",
        smallest=LEAST_GAIN,
        **_MADE,
    ),
    "crossings": Claim(
        "Regularised crossings keep more directions", _KEPT, source="guo2024collapse", smallest=LEAST_GAIN, **_MADE
    ),
    "scaling": Claim(
        "A wider table of a recommender uses a smaller share of its width",
        "share of the width in use, over that of the narrow table, less 1",
        side="less",
        source="guo2024collapse",
        smallest=-LEAST_GAIN,
        **_MADE,
    ),
    "larger": Claim("A larger encoder keeps more directions under strong views", _KEPT, smallest=LEAST_GAIN, **_MADE),
    "experts": Claim(
        "A mixture of experts keeps more directions under strong views", _KEPT, smallest=LEAST_GAIN, **_MADE
    ),
    "domain": Claim(
        "Training on text of the domain lets its words be told", "share of the rare words with the right topic", **_MADE
    ),
    "whitening": Claim("Whitening lets a collapsed encoder be read", _TASK, **_MADE),
    "kmeans": Claim("A start from k-means uses more codes", _KEPT, smallest=LEAST_GAIN, **_MADE),
    "restart": Claim("Restarting dead codes uses more codes", _KEPT, smallest=LEAST_GAIN, **_MADE),
    "averages": Claim(
        "Codes that are moving averages use more of the book",
        _KEPT,
        source="oord2017neural",
        smallest=LEAST_GAIN,
        **_MADE,
    ),
    "rotation": Claim(
        "The rotation trick uses more codes", _KEPT, source="fifty2025rotation", smallest=LEAST_GAIN, **_MADE
    ),
    "enough": Claim(
        "With the rotation trick, replacing dead codes adds nothing (margin 0.05)",
        "share of the codes in use, replacing less not",
        side="less",
        null=0.05,
        source="fifty2025rotation",
        **_MADE,
    ),
}
"""What is said of collapse and its remedies; without a source: the article that the part follows."""


def claim_findings(tried: pd.DataFrame, contrast: pd.DataFrame, codes: pd.DataFrame) -> dict[str, Finding]:
    """What the recorded rows say of :data:`CLAIMS`, with seeds as units.

    Parameters
    ----------
    tried, contrast, codes
        Rows of ``data/results/collapse.csv``, ``collapse_contrast.csv`` and ``collapse_codes.csv``.

    Returns
    -------
    dict of str to Finding
        Means of differences within seeds; intervals and tests by Student's t.
    """
    kept, task = (tried.pivot_table(index="seed", columns=["collapse", "remedy"], values=v) for v in ("kept", "task"))

    def gain(values: Any, collapse: str, remedy: str, base: str = "nothing") -> np.ndarray:
        return (values[collapse, remedy] - values[collapse, base]).to_numpy()

    directions = contrast.pivot_table(index="seed", columns=["network", "strength"], values="directions")
    spread = contrast.pivot_table(index="seed", columns=["temperature"], values="uniformity")
    weak, strong = min(contrast["strength"]), max(contrast["strength"])
    used = codes[(codes["start"] == "random") & (codes["rotation"] == 1) & (codes["update"] == "gradient")]
    used = used.assign(again=used["restart"] > 0).pivot_table(index="seed", columns="again", values="used")
    of_codes = {
        "kmeans": "k-means start",
        "restart": "restarted codes",
        "averages": "moving averages",
        "rotation": "rotation trick",
    }
    differences = {
        "uniform": gain(task, "complete", "alignment + uniformity", "cause removed"),
        "stop": gain(kept, "complete", "stop-gradient"),
        "strong": -gain(kept, "dimensional", "cause removed"),
        "deep": (directions["three matrices", weak] - directions["one matrix", weak]).to_numpy(),
        "temperature": (spread[min(spread)] - spread[max(spread)]).to_numpy(),
        "tables": gain(kept, "crossed fields", "several tables"),
        "crossings": gain(kept, "crossed fields", "regularised crossings"),
        "scaling": (kept["crossed fields", "larger encoder"] / kept["crossed fields", "nothing"] - 1).to_numpy(),
        "larger": gain(kept, "dimensional", "larger encoder"),
        "experts": gain(kept, "dimensional", "mixture of experts"),
        "domain": gain(task, "token", "pre-training"),
        "whitening": gain(task, "complete", "whitening"),
        "enough": (used[True] - used[False]).to_numpy(),
        **{key: gain(kept, "codebook", remedy) for key, remedy in of_codes.items()},
    }
    assert strong > weak
    return {key: mean_finding(CLAIMS[key], differences[key]) for key in CLAIMS}


def mean_finding(claim: Claim, values: Sequence[float]) -> Finding:
    """The mean of values of independent seeds, with an interval and tests by Student's t.

    Parameters
    ----------
    claim
        About the mean.
    values
        One number for each seed, at least two; NaN where a seed was not run, which does not count.
    """
    from scipy import stats

    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values)]
    n, mean = len(values), float(np.mean(values))
    error = float(np.std(values, ddof=1) / np.sqrt(n))
    half = error * float(stats.t.isf(0.025, n - 1))
    p, p_effect = (two_sided_p((mean - value) / max(error, 1e-12), n - 1) for value in (claim.null, claim.effect))
    return Finding(mean, mean - half, mean + half, n, "seeds", p, p_effect)


def facts(tried: pd.DataFrame, contrast: pd.DataFrame, codes: pd.DataFrame) -> dict[str, Any]:
    """What the text of the page says in numbers, from the recorded rows."""
    applied = tried[tried["applies"].astype(bool)]
    base = applied[applied["remedy"] == "nothing"]
    others = applied[~applied["remedy"].isin(("nothing", "cause removed"))]
    found = {
        "seeds": int(tried["seed"].nunique()),
        "cells": int(len(others.groupby(["collapse", "remedy"]))),
        "base_found": int(still_found(base).sum()),
        "base_n": len(base),
        "date": str(tried["date"].max()) if "date" in tried else "",
    }
    means = applied.groupby(["collapse", "remedy"])[["kept", "task"]].mean()
    lost, remedies = means.xs("nothing", level="remedy"), means.drop(["nothing", "cause removed"], level="remedy")
    gained = remedies - lost.reindex(remedies.index.get_level_values(0)).to_numpy()
    apart = (gained["kept"] > 0.2) & (gained["task"] < 0.05)
    found |= {"wide": int((gained["kept"] > 0.2).sum()), "empty": int(apart.sum())}
    for key, (collapse, remedy, column) in _SAID.items():
        part = applied[(applied["collapse"] == collapse) & (applied["remedy"] == remedy)][column]
        found[key] = _mean(part.to_numpy())
    hit = contrast[contrast["network"] == "ReLU"].groupby(["strength", "temperature"])["readable_strong"].mean()
    found["hit_weak"], found["hit_strong"] = (
        hit.loc[min(contrast["strength"])].max(),
        hit.loc[max(contrast["strength"])].max(),
    )
    plain = codes[(codes["start"] == "random") & (codes["update"] == "gradient")]
    for name, rotation in (("straight", 0), ("rotated", 1)):
        for end, some in (("", plain["restart"] == 0), ("_again", plain["restart"] > 0)):
            found[f"{name}{end}"] = _mean(100 * plain[some & (plain["rotation"] == rotation)]["used"].to_numpy(), ".0f")
    return found


_SAID = {
    "whitened": ("complete", "whitening", "task"),
    "whitened_kept": ("complete", "whitening", "kept"),
    "contrast": ("complete", "cause removed", "task"),
    "domain": ("token", "pre-training", "task"),
    "spread_words": ("token", "alignment + uniformity", "task"),
    "spread_words_kept": ("token", "alignment + uniformity", "kept"),
    "items": ("crossed fields", "nothing", "task"),
    "items_alone": ("crossed fields", "cause removed", "task"),
    "items_spread": ("crossed fields", "alignment + uniformity", "task"),
    "items_started": ("crossed fields", "pre-training", "task"),
}


def _mean(values: np.ndarray, spec: str = ".2f") -> str:
    """A mean with the interval of Student's t, as text."""
    from scipy import stats

    mean, n = float(np.mean(values)), len(values)
    half = float(np.std(values, ddof=1) / np.sqrt(n) * stats.t.isf(0.025, n - 1)) if n > 1 else float("nan")
    return f"{Interval(mean, mean - half, mean + half, 0.95):{spec}}"
