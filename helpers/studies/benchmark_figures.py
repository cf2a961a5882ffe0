"""Figures of the page with our own table: one cell, all cells, the spread of gains, and layers by depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.book.style import INK
from helpers.studies import fusion
from helpers.studies.benchmark_page import (
    BOTH,
    METHOD_NAMES,
    cell_layers,
    cell_methods,
    gain_verdicts,
    short_name,
    wide_scores,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["figure_cell", "figure_cell_gains", "figure_depth_curves", "figure_gain_spread", "figure_mean_ranks"]


def figure_cell(cell: tuple[str, str], one: fusion.Fusion) -> Any:
    """Scores of the layers of a cell on validation and on test, beside what each method gains over the last layer.

    Parameters
    ----------
    cell
        Encoder and task.
    one
        What was found for them.
    """
    import matplotlib.pyplot as plt

    (valid, test), made = cell_layers(one), cell_methods(one)
    fig, axes = plt.subplots(1, 2, figsize=(7.4, 4.2), width_ratios=[1, 1.1])
    left, right = axes
    depth = np.arange(len(test))
    error = 100 * np.abs(test[["ci_low", "ci_high"]].sub(test["score"], axis=0).to_numpy(float).T)
    left.plot(depth, 100 * valid["score"], "o--", color="C1", ms=4, label="validation")
    look = {"fmt": "o-", "color": "C0", "ms": 4, "lw": 1.5, "elinewidth": 1, "label": "test"}
    left.errorbar(depth, 100 * test["score"], error, **look)
    left.set(xlabel="layer", ylabel=f"{short_name(cell[1])}, score × 100")
    left.legend()
    for y, row in enumerate(made[::-1].itertuples()):
        right.plot([100 * row.diff_last_ci_low, 100 * row.diff_last_ci_high], [y, y], color="C0", lw=1.5, zorder=1)
        filled = "none" if row.verdict == "not distinguishable" else "C0"
        right.plot(100 * row.diff_last, y, "o", color="C0", mfc=filled, ms=6)
    right.axvline(0, color=INK, lw=1)
    right.set_yticks(range(len(made)), made.index[::-1], fontsize=9)
    right.set(xlabel="gain over the last layer, points")
    return axes


def figure_cell_gains(part: pd.DataFrame) -> Any:
    """Heat map of gains over the last layer, cells × methods; in brackets what is not distinguishable from none.

    Parameters
    ----------
    part
        Table as for :func:`wide_scores`.
    """
    import matplotlib.pyplot as plt
    import seaborn as sns

    gain = 100 * wide_scores(part, "diff_last", BOTH).drop(columns="last layer")
    text = (gain.round(1) + 0.0).map("{:+.1f}".format)
    text = text.where(gain_verdicts(part, "last") != "not distinguishable", "(" + text + ")")
    for word, then in ((" + ", "\n+ "), ("mean of ", "mean of\n"), (", ", ",\n"), ("by ", "by\n")):
        gain = gain.rename(columns=lambda name, word=word, then=then: name.replace(word, then))
    _, ax = plt.subplots(figsize=(7.6, max(2.2, 0.9 + 0.33 * len(gain))))
    colors = {"cmap": "PuOr", "center": 0, "vmin": -20, "vmax": 20, "cbar": False}
    lines = {"linewidths": 0.5, "linecolor": "none", "annot_kws": {"size": 7}}
    shown = gain.set_axis([f"{encoder}, {task}" for encoder, task in gain.index])
    sns.heatmap(shown, ax=ax, annot=text.to_numpy(), fmt="", **colors, **lines)
    encoder = gain.index.get_level_values(0)
    for row in np.flatnonzero(encoder[1:] != encoder[:-1]):
        ax.axhline(row + 1, color=INK, lw=1)
    ax.axvline(len(fusion.PUBLISHED) - 1, color=INK, lw=1)
    ax.set(xlabel="", ylabel="")
    ax.tick_params(length=0, labelsize=8)
    ax.tick_params(axis="x", rotation=90)
    return ax


def figure_gain_spread(parts: Mapping[str, pd.DataFrame]) -> Any:
    """Gains of the published methods, a point for each cell: over the last layer, and over the chosen one.

    Parameters
    ----------
    parts
        Tables as for :func:`wide_scores`, by what they are called; each has its colour. Filled points are
        distinguishable from no gain.
    """
    import matplotlib.pyplot as plt
    import seaborn as sns

    shown = [METHOD_NAMES[name] for name in fusion.PUBLISHED[1:]][::-1]
    fig, axes = plt.subplots(1, 2, figsize=(7.4, 3.8), sharex=True, sharey=True)
    titles = {"last": "over the last layer", "best": "over the layer that validation chose"}
    for ax, (against, title) in zip(axes, titles.items(), strict=True):
        for i, (name, part) in enumerate(parts.items()):
            gain, said = 100 * wide_scores(part, f"diff_{against}"), gain_verdicts(part, against, ("published",))
            shift = 0.15 if i else -0.15
            for y, method in enumerate(shown):
                if method not in said:
                    continue
                sure = (said[method] != "not distinguishable").to_numpy()
                jitter = y - shift + 0.13 * np.linspace(-1, 1, len(gain))
                ax.scatter(gain[method][~sure], jitter[~sure], s=12, facecolors="none", edgecolors=f"C{i}", lw=0.5)
                ax.scatter(gain[method][sure], jitter[sure], s=16, color=f"C{i}", lw=0.8)
            ax.scatter([], [], s=16, color=f"C{i}", label=name)
        ax.axvline(0, color=INK, lw=1)
        ax.set(title=title)
        ax.title.set_fontsize(10)
        ax.set_yticks(range(len(shown)), shown, fontsize=9)
        ax.tick_params(axis="y", length=0)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncol=2, fontsize=9)
    fig.supxlabel("gain, points", fontsize=10, color=INK)
    sns.despine(fig, left=True)
    return axes


def figure_mean_ranks(part: pd.DataFrame) -> Any:
    """Mean ranks of the published methods with their critical difference; of a single cell a word in its place.

    Parameters
    ----------
    part
        Table as for :func:`wide_scores`.
    """
    import matplotlib.pyplot as plt

    from helpers.inference import critical_difference_diagram

    cells = wide_scores(part)
    if len(cells) > 1:
        return critical_difference_diagram(cells)
    _, ax = plt.subplots(figsize=(6, 0.8))
    ax.axis("off")
    said = "One cell is too few to compare mean ranks; at least two are needed."
    ax.text(0.5, 0.5, said, ha="center", va="center", color=INK, fontsize=10)
    return ax


def figure_depth_curves(parts: Mapping[str, pd.DataFrame]) -> Any:
    """Test scores of layers by relative depth, a panel for each task and a curve for each encoder.

    Parameters
    ----------
    parts
        Tables as for :func:`wide_scores`; encoders of the part called ``"shipped"`` are dashed.
    """
    import matplotlib.pyplot as plt
    import pandas as pd

    table, own = pd.concat(parts.values()), set(parts["shipped"]["encoder"])
    table = table[(table["split"] == "test") & (table["kind"] == "layer")]
    tasks, encoders = list(table["task"].unique()), list(table["encoder"].unique())
    rows = -(-len(tasks) // 3)
    fig, axes = plt.subplots(rows, 3, figsize=(7.4, 2.5 * rows), squeeze=False, sharex=True)
    for ax, task in zip(axes.flat, tasks, strict=False):
        for (encoder, name), curve in table[table["task"] == task].groupby(["encoder", "task"], sort=False):
            i, depth = encoders.index(encoder), np.linspace(0, 1, len(curve))
            ax.fill_between(depth, 100 * curve["ci_low"], 100 * curve["ci_high"], color=f"C{i % 10}", alpha=0.25, lw=0)
            look = "osD^vP*X<>"[i % 10] + ("--" if encoder in own else "-")
            ax.plot(depth, 100 * curve["score"], look, color=f"C{i % 10}", ms=3, label=short_name(encoder))
            ax.set_title(short_name(name), fontsize=10)
    for ax in axes.flat[len(tasks) :]:
        ax.axis("off")
    for ax in axes[-1]:
        ax.set(xlabel="relative depth")
    for ax in axes[:, 0]:
        ax.set(ylabel="score × 100")
    handles = {}
    for ax in axes.flat:
        handles |= dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
    fig.legend(handles.values(), handles, loc="outside upper center", ncol=min(4, len(handles)), fontsize=9)
    return axes
