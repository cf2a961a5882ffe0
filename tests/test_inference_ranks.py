"""Ranks of methods: Demšar's worked example, hand-computed cases, and error rates by simulation."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
import tolerance
from scipy import stats

from helpers.inference import (
    bootstrap_mean_ranks,
    critical_difference,
    critical_difference_diagram,
    friedman,
    mean_ranks,
    nemenyi,
    ranks,
)

matplotlib.use("Agg")

#: Demšar (2006), table 6: AUC of C4.5 with four settings on 14 data sets. The paper ranks 0.975 of the third setting
#: before 0.975 of the fourth, so they differ behind the printed digits.
DEMSAR = pd.DataFrame(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.97501, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ],
    columns=["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"],
)


TWO, FOUR = 0.005, 5e-5  # half a unit of the decimals that are printed there


def test_demsars_example_has_his_mean_ranks_and_statistics():
    found = mean_ranks(DEMSAR)
    assert found.round(3).tolist() == [3.143, 2.0, 2.893, 1.964]
    n, k = DEMSAR.shape
    without_ties = 12 * n / (k * (k + 1)) * (np.sum(found**2) - k * (k + 1) ** 2 / 4)
    assert without_ties == pytest.approx(9.28, abs=TWO)
    test = friedman(DEMSAR)
    assert test.chi_squared == pytest.approx(stats.friedmanchisquare(*DEMSAR.to_numpy().T).statistic)
    assert test.chi_squared > without_ties  # ties are corrected for
    assert test.f_df == (3, 39) and test.f_p < 0.05
    assert stats.f.isf(0.05, *test.f_df) == pytest.approx(2.85, abs=TWO)


def test_iman_and_davenport_is_as_in_demsars_example_where_no_ranks_are_tied():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(14, 4))
    test = friedman(table)
    assert test.f == pytest.approx(13 * test.chi_squared / (14 * 3 - test.chi_squared))
    assert 13 * 9.28 / (14 * 3 - 9.28) == pytest.approx(3.69, abs=TWO)
    assert test.kendall_w == pytest.approx(test.chi_squared / 42)
    # F of ranks is the F of a two-way analysis of variance of the ranks
    r = ranks(table).to_numpy()
    between = 14 * np.sum((r.mean(0) - 2.5) ** 2) / 3
    within = np.sum((r - r.mean(0)) ** 2) / 39
    assert test.f == pytest.approx(between / within)


def test_critical_differences_are_those_of_demsars_table():
    # q for alpha = 0.05: 1.960, 2.343, 2.569, 2.728, 2.850 ... for k = 2, 3, 4, 5, 6
    for k, q in zip(range(2, 11), (1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164), strict=True):
        scale = np.sqrt(k * (k + 1) / 6)  # three decimals of the studentised range, divided by √2, and three again
        assert critical_difference(k, 1) == pytest.approx(q * scale, abs=5e-4 * (1 + 1 / np.sqrt(2)) * scale)
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=TWO)
    assert critical_difference(4, 14, confidence_level=0.9) == pytest.approx(1.12, abs=TWO)


def test_nemenyi_decides_demsars_example_as_he_does():
    at_five = nemenyi(DEMSAR).pairs
    assert set(at_five.verdict) == {"not distinguishable"}  # 3.143 - 1.964 = 1.18 < 1.25
    pairs = nemenyi(DEMSAR, confidence_level=0.9).pairs.set_index(["a", "b"])  # 1.143 and 1.179 > 1.12
    assert pairs.verdict["C4.5", "C4.5+m"] == pairs.verdict["C4.5", "C4.5+m+cf"] == "worse"
    assert (pairs.verdict == "not distinguishable").sum() == 4
    assert ((pairs.p < 0.1) == (pairs.verdict != "not distinguishable")).all()
    assert pairs.difference["C4.5", "C4.5+m"] == pytest.approx(3.1429 - 2.0, abs=FOUR)


def test_ties_share_the_mean_of_their_ranks_and_every_row_has_the_same_sum():
    assert ranks([[1, 3, 3, 2], [5, 5, 5, 5]]).to_numpy().tolist() == [[4, 1.5, 1.5, 3], [2.5] * 4]
    assert (ranks(DEMSAR).sum(axis=1) == 10).all()


def test_missing_cells_are_refused_or_treated_as_asked():
    table = pd.DataFrame({"a": [3.0, 3.0, 1.0], "b": [2.0, np.nan, 2.0], "c": [1.0, 1.0, 3.0]}, index=["x", "y", "z"])
    with pytest.raises(ValueError, match=r"cell 'y', method 'b' is missing.*missing="):
        mean_ranks(table)
    assert mean_ranks(table, missing="rows").tolist() == [2, 2, 2]
    assert mean_ranks(table, missing="columns").to_dict() == pytest.approx({"a": 4 / 3, "c": 5 / 3})
    assert mean_ranks(table, missing="present").to_dict() == pytest.approx({"a": 5 / 3, "b": 2, "c": 2})
    for test in (friedman, nemenyi):
        with pytest.raises(ValueError, match="complete cells"):
            test(table, missing="present")
    assert nemenyi(table, missing="rows").cells == 2


def test_friedman_is_extreme_where_all_cells_agree_and_undefined_where_all_tie():
    unanimous = friedman(np.tile([3.0, 2.0, 1.0], (5, 1)))
    assert unanimous.kendall_w == pytest.approx(1) and unanimous.f == np.inf and unanimous.f_p == 0
    with pytest.raises(ValueError, match="equal scores in every cell"):
        friedman(np.ones((4, 3)))


def test_friedman_and_nemenyi_hold_their_level():
    rng, n_tests = np.random.default_rng(9), 600
    tables = rng.normal(size=(n_tests, 18, 6)) + rng.normal(size=(n_tests, 18, 1))
    rejected = np.mean([friedman(table).f_p <= 0.05 for table in tables])
    assert rejected == pytest.approx(0.05, abs=tolerance.of_a_share(0.05, n_tests))
    limit = critical_difference(6, 18)
    spread = [np.ptp(mean_ranks(table)) for table in tables]
    assert np.mean(np.array(spread) >= limit) <= 0.05 + tolerance.of_a_share(0.05, n_tests)


def test_mean_ranks_are_drawn_by_cells_by_groups_and_by_both_ways():
    index = pd.MultiIndex.from_product([list("mno"), list("stuv")], names=["model", "task"])
    table = pd.DataFrame(np.random.default_rng(10).normal(size=(12, 3)), index, ["a", "b", "c"])
    for by in (None, "model", "task", ["model", "task"], list(range(12))):
        draws = bootstrap_mean_ranks(table, by=by, n_resamples=1500)
        assert draws.shape == (1500, 3) and np.allclose(draws.sum(axis=1), 6)
        assert (abs(draws.mean() - mean_ranks(table)) <= tolerance.of_a_mean(draws.std(), 1500)).all()
    by_model = bootstrap_mean_ranks(table, by="model", n_resamples=500)
    assert len(by_model.round(9).drop_duplicates()) <= 10  # multisets of 3 from 3 models
    with pytest.raises(ValueError, match="levels of the index"):
        bootstrap_mean_ranks(table, by="language")
    with pytest.raises(ValueError, match="1 group"):
        bootstrap_mean_ranks(table, by=["x"] * 12)


def test_bootstrap_of_mean_ranks_respects_missing_methods():
    table = pd.DataFrame({"a": [2.0, 2.0, 2.0], "b": [1.0, np.nan, 3.0]}, index=list("xyz"))
    draws = bootstrap_mean_ranks(table.assign(c=0.0), missing="present", n_resamples=1000)
    assert draws["b"].isna().mean() == pytest.approx(1 / 27, abs=tolerance.of_a_share(1 / 27, 1000))
    assert draws["a"].between(1, 2).all()


@pytest.mark.parametrize("width", [3.0, 6.0])
@pytest.mark.parametrize("k", [2, 6, 12])
def test_labels_of_the_diagram_never_overlap_and_stay_on_the_canvas(k, width):
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(k)
    table = pd.DataFrame(rng.normal(size=(20, k)), columns=[f"method number {i}" for i in range(k)])
    table.iloc[:, : k // 2] *= 0.01  # several almost equal mean ranks
    ax = critical_difference_diagram(table, width=width)
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts if text.get_text()]
    assert len(boxes) == k + 1
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
        assert box.x0 >= 0 and box.x1 <= ax.figure.bbox.x1 and box.y0 >= 0 and box.y1 <= ax.figure.bbox.y1
    plt.close(ax.figure)


def test_bars_of_the_diagram_join_exactly_what_cannot_be_told_apart():
    import matplotlib.pyplot as plt

    from helpers.inference.ranks import _cliques

    assert _cliques(np.array([1.0, 2.0, 2.5, 4.0]), 1.6) == [(0, 2), (2, 3)]
    assert _cliques(np.array([1.0, 3.0, 5.0]), 1.0) == []
    assert _cliques(np.array([1.0, 1.0, 1.5]), 1.0) == [(0, 2)]
    fig, ax = plt.subplots(layout="constrained")
    assert critical_difference_diagram(DEMSAR, ax, labels={"C4.5": "plain"}) is ax
    assert any(text.get_text().endswith("plain") or text.get_text().startswith("plain") for text in ax.texts)
    plt.close(fig)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mean_ranks([[1.0], [2.0]]), ValueError, "2 cells and 1 methods"),
        (lambda: mean_ranks([[1.0, np.inf]]), ValueError, "cell 0, method 1 is infinite"),
        (lambda: mean_ranks([["a", "b"]]), TypeError, "dtype"),
        (lambda: mean_ranks(pd.DataFrame([[1, 2]], columns=["a", "a"])), ValueError, "'a' occurs twice"),
        (lambda: mean_ranks([[1, 2]], missing="skip"), ValueError, "missing is 'skip'"),
        (lambda: friedman([[1, 2], [2, 1]]), ValueError, "at least 3"),
        (lambda: nemenyi([[1, 2, 3]]), ValueError, "1 cell"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
