"""The figures of a report, drawn from its tables alone."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from helpers.drawing import INK, STYLE, heatmap
from helpers.report.evaluation import BEST
from helpers.report.spaces import MEASURES, matrix_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from helpers.report.keeping import Options

__all__ = ["draw_dendrogram", "draw_drift", "draw_options", "draw_scores", "draw_similarity", "png"]

DPI = 220
SHOWN = 110  # pixels of the page for an inch of the figure


def draw_similarity(table: pd.DataFrame) -> Figure:
    """Four heat maps of :func:`helpers.report.pairwise_similarity`; values are written for 10 embeddings at most."""
    count = len(matrix_of(table, "cka"))
    size = min(5.2, 1.8 + 0.42 * count)
    with _styled():
        figure, axes = _figure(2 * size, 2 * size, 2, 2)
        for ax, (measure, title) in zip(axes.flat, MEASURES.items(), strict=True):
            values = matrix_of(table, measure).round(2) + 0.0  # no minus before a zero
            heatmap(values, ax, digits=2 if count <= 10 else -1, title=title)
    return figure


def draw_drift(objects: pd.DataFrame) -> Figure:
    """Displacement against overlap of each object of :class:`helpers.quality.Drift`; circles where an object moved."""
    moved = objects["moved"].to_numpy()
    shared = objects["overlap"].to_numpy()
    values = np.unique(shared)  # shares of k neighbours: many dots would lie on each other
    step = np.diff(values).min() if len(values) > 1 else 0.1
    height = shared + np.random.default_rng(0).uniform(-0.3, 0.3, len(objects)) * step
    with _styled():
        figure, axes = _figure(5.6, 3.6)
        ax = axes[0, 0]
        ax.scatter(objects["displacement"], height, s=9, lw=0, alpha=0.7)
        ax.scatter(objects["displacement"][moved], height[moved], s=42, facecolor="none", edgecolor=INK, lw=0.8)
        ax.set(xlabel="displacement", ylabel="neighbours that stayed", ylim=(-0.06, 1.06))
    return figure


def draw_dendrogram(table: pd.DataFrame) -> Figure:
    """Average linkage of 1 − CKA."""
    from scipy.cluster.hierarchy import dendrogram, linkage

    cka = matrix_of(table, "cka")
    distances = np.clip(1 - cka.to_numpy()[np.triu_indices(len(cka), 1)], 0, None)
    with _styled():
        figure, axes = _figure(6.0, 0.9 + 0.3 * len(cka))
        ax: Axes = axes[0, 0]
        dendrogram(
            linkage(distances, "average"),
            labels=list(cka),
            orientation="right",
            ax=ax,
            color_threshold=0,
            above_threshold_color=INK,
        )
        ax.set(xlabel="1 − CKA")
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)
    return figure


def draw_scores(scores: pd.DataFrame, metric: str) -> Figure:
    """The table of :func:`helpers.report.score_spaces`: points with intervals, and the chance level."""
    import seaborn as sns

    blue, orange, *_ = sns.color_palette("colorblind")
    with _styled():
        figure, axes = _figure(6.0, 0.9 + 0.28 * len(scores))
        ax: Axes = axes[0, 0]
        for place, (name, row) in enumerate(scores.iloc[::-1].iterrows()):
            colour = blue if row["kind"] == "ensemble" else orange if name == BEST else INK
            ax.plot([row["ci_low"], row["ci_high"]], [place, place], color=colour, lw=1.5)
            ax.plot(row["score"], place, "o", color=colour, ms=5)
        ax.axvline(scores["chance"].iloc[0], color=INK, ls="--", lw=1)
        ax.set(yticks=range(len(scores)), yticklabels=scores.index[::-1])
        ax.set(xlabel=metric)
    return figure


def draw_options(options: Options) -> Figure:
    """Score against bytes of each object; the front by number of encoders, and the option to keep."""
    import seaborn as sns

    table = options.table
    colours = sns.color_palette("viridis", int(table["encoders"].max()) + 1)
    with _styled():
        figure, axes = _figure(6.4, 4.2)
        ax: Axes = axes[0, 0]
        ax.plot(table["bytes"], table["score"], ".", color=INK, alpha=0.25, ms=3)
        for count, rows in table[table["front"]].groupby("encoders"):
            rows = rows.sort_values("bytes")
            words = f"{count} encoder{'s' * (count != 1)}"
            ax.plot(rows["bytes"], rows["score"], "o-", color=colours[count], ms=4, lw=1, label=words)
        for name, marker, words in ((options.reference, "s", "everything"), (options.chosen, "*", "to keep")):
            row = table.loc[name]
            ax.plot(row["bytes"], row["score"], marker, color="#d1495b", ms=11 if marker == "*" else 7, label=words)
        ax.axhline(table.loc[options.reference, "score"] - options.margin, color=INK, ls="--", lw=1)
        ax.set_xscale("log")
        ax.set(xlabel="bytes of each object", ylabel=options.metric)
        ax.legend(frameon=False, fontsize="small", loc="lower right")
    return figure


def png(figure: Figure) -> tuple[str, int]:
    """A figure as base64 of a PNG file with a transparent background, and its width on a page in pixels."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="none")
    return base64.b64encode(buffer.getvalue()).decode(), round(figure.get_figwidth() * SHOWN)


@contextmanager
def _styled() -> Iterator[None]:
    """The look of a report, whatever the caller has set."""
    import matplotlib as mpl
    import seaborn as sns

    palette = {"axes.prop_cycle": mpl.cycler(color=sns.color_palette("colorblind"))}
    with mpl.rc_context(sns.plotting_context("notebook") | sns.axes_style("ticks") | STYLE | palette):
        yield


def _figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, np.ndarray]:
    """A figure that no window or notebook shows by itself, and its axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, sharex=rows > 1, sharey=rows > 1, squeeze=False)
