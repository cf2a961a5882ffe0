"""The look of figures, readable on a light and on a dark page."""

from __future__ import annotations

from typing import Any

__all__ = ["INK", "STYLE", "heatmap"]

#: Mid grey: contrast of more than 4:1 on white and on the book's dark theme.
INK = "#7a7a7a"
#: Settings of Matplotlib on top of seaborn's style "ticks" and its palette "colorblind".
STYLE: dict[str, Any] = {
    "figure.figsize": (6.0, 3.4),
    "figure.constrained_layout.use": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": "medium",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "image.cmap": "viridis",
}


def heatmap(matrix, ax=None, *, low=0.0, high=1.0, digits: int = 2, title: str = "", bar: bool = False):
    """Draw a labelled square matrix with its values written in the cells.

    Parameters
    ----------
    matrix
        A ``pandas.DataFrame`` of shape (L, L).
    ax
        Axes to draw on; the current ones by default.
    low, high
        Ends of the colour scale.
    digits
        Decimals of the written values; a negative number writes none.
    title
        Written above the matrix.
    bar
        Whether to draw the colour bar.

    Returns
    -------
    matplotlib.axes.Axes
    """
    import seaborn as sns

    ax = sns.heatmap(
        matrix,
        ax=ax,
        vmin=low,
        vmax=high,
        cmap="viridis",
        square=True,
        annot=digits >= 0,
        fmt=f".{max(digits, 0)}f",
        annot_kws={"size": 8},
        cbar=bar,
        linewidths=0.5,
        linecolor="none",
    )
    ax.set(title=title, xlabel="", ylabel="")
    ax.tick_params(length=0)
    return ax
