"""One look for every figure, readable on the light and on the dark theme."""

from __future__ import annotations

from helpers.drawing import INK, STYLE, heatmap

__all__ = ["INK", "heatmap", "use_book_style"]


def use_book_style() -> None:
    """Make every later figure and table of this kernel one of the book: transparent canvas, whole texts in cells."""
    import matplotlib.pyplot as plt
    import pandas as pd
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
    pd.set_option("display.max_colwidth", None)
