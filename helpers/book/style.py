"""One look for every figure, readable on the light and on the dark theme."""

from __future__ import annotations

__all__ = ["INK", "heatmap", "use_book_style"]

#: Mid grey: contrast of more than 4:1 on white and on the dark theme's page.
INK = "#7a7a7a"


def use_book_style() -> None:
    """Make every later figure of this kernel a figure of the book: transparent canvas, colour-blind-safe palette."""
    import matplotlib.pyplot as plt
    import seaborn as sns
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    sns.set_theme(
        context="notebook",
        style="ticks",
        palette="colorblind",
        rc={
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
        },
    )
    set_matplotlib_formats("retina", facecolor="none")
    plt.rcParams["figure.dpi"] = 110


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
