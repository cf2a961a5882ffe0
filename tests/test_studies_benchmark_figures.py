"""Figures of the page with our own table: they show every cell, method and layer."""

import pandas as pd
import pytest
from test_studies_benchmark_page import cell, found_of

from helpers.studies import benchmark_figures as figures
from helpers.studies import fusion


@pytest.fixture(scope="module")
def ours():
    """Two cells in which methods win, one in which they lose, one in which all are equal."""
    made = [cell("e/a", "S", 0.02), cell("e/a", "T", 0.02), cell("e/b", "S", -0.02), cell("e/b", "T")]
    return pd.concat(made, ignore_index=True)


def test_figures_show_every_cell_and_method(ours):
    import matplotlib.pyplot as plt

    one = found_of(cell("e/a", "S", 0.02), [0.5, 0.6, 0.7])
    left, right = figures.figure_cell(("e/a", "S"), one)
    assert len(left.lines[0].get_xdata()) == 3 and len(right.get_yticks()) == 13
    ax = figures.figure_cell_gains(ours)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a, S", "a, T", "b, S", "b, T"]
    texts = {text.get_text() for text in ax.texts}
    assert "(+0.0)" in texts and "(-0.0)" not in texts
    both = figures.figure_gain_spread({"own": ours[ours["encoder"] == "e/a"], "other": ours[ours["encoder"] == "e/b"]})
    drawn = sum(len(points.get_offsets()) for points in both[0].collections)
    assert drawn == 4 * (len(fusion.PUBLISHED) - 1)
    axes = figures.figure_depth_curves(
        {"real": ours[ours["encoder"] == "e/a"], "shipped": ours[ours["encoder"] == "e/b"]}
    )
    styles = {line.get_label(): line.get_linestyle() for line in axes[0, 0].lines}
    assert styles == {"a": "-", "b": "--"}
    plt.close("all")


def test_mean_ranks_of_a_single_cell_are_a_word_and_of_two_a_diagram(ours):
    import matplotlib.pyplot as plt

    lone = figures.figure_mean_ranks(cell("e/a", "S", 0.02))
    assert [text.get_text() for text in lone.texts] == [
        "One cell is too few to compare mean ranks; at least two are needed."
    ]
    both = figures.figure_mean_ranks(ours[ours["encoder"] == "e/a"])
    assert sum(name in text.get_text() for text in both.texts for name in ("masked QP", "last layer")) == 2
    assert len(figures.figure_cell_gains(cell("e/a", "S", 0.02)).get_yticklabels()) == 1
    plt.close("all")
