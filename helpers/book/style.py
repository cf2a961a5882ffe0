"""One look for every figure, readable on the light and on the dark theme."""

from __future__ import annotations

from helpers.drawing import INK, STYLE, heatmap

__all__ = ["INK", "heatmap", "use_book_style"]


def use_book_style() -> None:
    """Make every later figure of this kernel a figure of the book: transparent canvas, colour-blind-safe palette."""
    import matplotlib.pyplot as plt
    import seaborn as sns
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    sns.set_theme(
        context="notebook",
        style="ticks",
        palette="colorblind",
        rc=STYLE,
    )
    set_matplotlib_formats("retina", facecolor="none")
    plt.rcParams["figure.dpi"] = 110
