"""The study of the chapter "How many items?"."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tolerance import FALSE_ALARM, of_a_mean, of_a_share

from helpers.book.data import table
from helpers.groups import geometric_median
from helpers.groups.regions import FEW, MOMENTS_NEEDED, NOMINAL_FROM
from helpers.studies import group_size
from helpers.studies.group_size import LAWS, READOUTS_HERE


@pytest.mark.parametrize("law", LAWS)
def test_items_of_every_law_have_mean_zero_and_the_spread_that_is_said(law):
    x = group_size.draw(law, 40, 500, 6, rng=1).reshape(-1, 6)
    off = np.abs(x.mean(axis=0))
    assert (off <= of_a_mean(x.std(axis=0), len(x), false_alarm=1e-5)).all()
    if law in ("normal", "non-spherical"):
        variances = x.var(axis=0)
        assert np.mean(variances) == pytest.approx(1, abs=of_a_mean(np.sqrt(2 / 6) * 1.5, len(x)))
        assert (variances[0] / variances[-1] > 4) == (law == "non-spherical")


def test_true_vectors_are_those_of_many_items():
    truth = group_size.true_vectors("clustered", 3)
    assert not truth["centroid"].any() and not truth["geometric_median"].any()
    x = group_size.draw("clustered", 1, 20_000, 3, rng=7)[0]
    found = geometric_median(x, np.zeros(len(x), dtype=int)).vectors[0]
    assert np.linalg.norm(found) < 6 * np.sqrt(x.var(axis=0).sum() / len(x))  # its variance is some times the mean's
    assert np.linalg.norm(group_size.true_vectors("skewed", 3)["geometric_median"]) > 0.5
    assert set(truth) == {*READOUTS_HERE, "moments"}


@pytest.mark.parametrize("law", LAWS)
def test_true_moments_are_those_of_many_items(law):
    x = group_size.draw(law, 1, 200_000, 3, rng=3)[0]
    truth = group_size.true_vectors(law, 3)["moments"]
    # a variance is off by the root of its fourth moment over n; tails of the third degree have none, but some digits
    np.testing.assert_allclose(np.concatenate([x.mean(axis=0), x.std(axis=0)]), truth, rtol=0.05, atol=0.05)


def test_coverage_is_the_share_of_regions_that_hold_the_truth():
    found = group_size.coverage("normal", 4, (6, 12), n_groups=300, methods=[("centroid", "own"), ("medoid", "shape")])
    assert found["readout"].tolist() == ["centroid", "medoid"] * 2 and found["n"].tolist() == [6, 6, 12, 12]
    assert (found["ci_low"] <= found["coverage"]).all() and (found["coverage"] <= found["ci_high"]).all()
    means = found[found["readout"] == "centroid"]
    assert (means["coverage"].sub(0.95).abs() <= of_a_share(0.95, 300) + 0.015).all()
    expected = np.sqrt(4 / means["n"])
    np.testing.assert_allclose(means["error"], expected, rtol=5 / np.sqrt(2 * 4 * 300))


def test_the_recorded_coverage_is_what_the_documentation_says():
    found = table("results/groups_coverage.csv")
    assert set(found["law"]) == set(LAWS) and set(found["p"]) == {2, 16, 64} and (found["n_groups"] == 2000).all()
    ours = found[found["covariance"] == "shape"].set_index(["readout", "law", "p", "n"]).sort_index()
    out = ours[(ours["ci_low"] > 0.965) | (ours["ci_high"] < 0.935)]["coverage"]
    assert set(out.drop("moments").index) == {
        ("geometric_median", "clustered", 2, 10), ("medoid", "clustered", 2, 10), ("medoid", "heavy-tailed", 16, 5),
        ("medoid", "non-spherical", 2, 5),
        ("trimmed_mean", "skewed", 16, 5), ("trimmed_mean", "skewed", 64, 5),
    }  # fmt: skip
    assert out[out.index.get_level_values("law") == "clustered"].round(2).between(0.90, 0.91).all()
    moments = out.loc["moments"]
    light = moments.loc["non-spherical"]
    assert set(light.index) == {(64, 5)} and light.round(2).tolist() == [0.97]
    moments = moments.drop("non-spherical")
    assert set(moments.index.get_level_values("law")) == {"heavy-tailed", "skewed"} and len(moments) == 9
    assert moments.index.get_level_values("n").max() == 20 and moments.round(2).between(0.88, 0.92).all()
    tails = ours.loc["moments"].loc[moments.index, "tail"]
    assert (tails >= MOMENTS_NEEDED["moments"]).sum() == 1


def test_the_tail_tells_heavy_tailed_and_skewed_laws_from_the_others():
    spreads = table("results/groups_coverage.csv").query("readout == 'moments'")
    refused = spreads["tail"] < MOMENTS_NEEDED["moments"]
    assert refused[spreads["law"] == "heavy-tailed"].all()
    assert not refused[spreads["law"].isin(["normal", "clustered", "non-spherical"])].any()
    cells = group_size.coverage_by_cell(table("results/groups_coverage.csv"))
    assert (
        cells.loc[("moments", "heavy-tailed", 2), 5].endswith("?") and "?" not in cells.loc[("moments", "normal", 2), 5]
    )


def test_regions_know_from_how_many_items_their_coverage_was_found_nominal():
    found = group_size.reached(table("results/groups_coverage.csv"))
    for (name, covariance), row in found.iterrows():
        few, many = NOMINAL_FROM.get((name, covariance), (np.inf, np.inf))
        assert (few, many) == (row[2], max(row[16], row[64])), name
    assert set(NOMINAL_FROM) <= set(found.index) and FEW == 16


def test_the_least_number_is_that_from_which_all_laws_hold():
    rows = [
        {"readout": "centroid", "covariance": "own", "p": 2, "n": n, "law": law, "ci_low": low, "ci_high": low + 0.02}
        | {"tail": 9.0}
        for law, lows in {"normal": (0.90, 0.94, 0.94), "skewed": (0.94, 0.90, 0.94)}.items()
        for n, low in zip((5, 10, 20), lows, strict=True)
    ]
    assert group_size.reached(pd.DataFrame(rows)).loc[("centroid", "own"), 2] == 20
    rows[-1] |= {"ci_low": 0.97, "ci_high": 0.98}
    assert group_size.reached(pd.DataFrame(rows)).loc[("centroid", "own"), 2] == np.inf


@pytest.mark.parametrize("law, p", [("skewed", 2), ("clustered", 16)])
def test_recorded_coverage_is_what_the_code_gives(law, p):
    """The smallest groups are drawn first, so that they come out alike whatever sizes follow."""
    recorded = table("results/groups_coverage.csv").query("law == @law and p == @p and n == 5")
    methods = [("centroid", "own"), ("centroid", "shape"), ("trimmed_mean", "shape")]  # the draws of a trial start anew
    found = group_size.coverage(law, p, (5,), methods=methods, rng=[0, p])
    both = found.merge(recorded, on=["readout", "covariance"], suffixes=("", "_recorded"))
    assert len(both) == 3
    # one group of 2000 may lie on the edge of its region, to the rounding of another processor
    np.testing.assert_allclose(both["coverage"], both["coverage_recorded"], rtol=0, atol=1.01 / 2000)
    np.testing.assert_allclose(both["radius"], both["radius_recorded"], rtol=1e-3)  # recorded to four digits


def test_errors_fall_with_the_root_of_the_number_of_items_but_for_the_medoid():
    found = group_size.error_by_size("normal", 8, (5, 80), n_groups=60).pivot(
        index="n", columns="readout", values="error"
    )
    falls = found.loc[5] / found.loc[80]
    assert (falls.drop("medoid") > 3).all() and falls["medoid"] < 2.5


def test_heavy_tails_need_fewer_items_for_a_median_and_normal_ones_for_a_mean():
    found = group_size.needed_by_readout(8, 0.5, pilot=30, n_groups=40, laws=("normal", "heavy-tailed"))
    assert found.loc["normal", "centroid"] <= found.loc["normal", "geometric_median"]
    assert found.loc["heavy-tailed", "geometric_median"] < 0.8 * found.loc["heavy-tailed", "centroid"]


def test_the_vector_between_is_nearest_and_says_how_near():
    found = group_size.shrinkage_by_size(8, (3, 20), n_groups=200)
    assert (found["shrunk"] < found[["own", "centre"]].min(axis=1)).all()
    assert found.loc[3, "own"] > found.loc[3, "centre"] and found.loc[20, "own"] < found.loc[20, "centre"]
    # both are of 200 groups with 8 features: squares to the root of 2 over 1600, and so are the variances they rest on
    scatter = stats.norm.isf(FALSE_ALARM / 4) * np.sqrt(2 / 1592 + 2 / (200 * 2 * 8))
    off = np.abs(found["expected"] ** 2 - found["shrunk"] ** 2)
    assert (off <= scatter * (found["own"] ** 2 + found["centre"] ** 2 + found["shrunk"] ** 2)).all()


def test_figures_and_tables_show_what_they_are_given():
    import matplotlib.pyplot as plt

    recorded = table("results/groups_coverage.csv")
    plt.figure()
    axes = group_size.coverage_figure(recorded)
    assert [len(ax.lines) for ax in axes] == [15] * 5
    plt.figure()
    ax = group_size.error_figure(group_size.error_by_size("normal", 2, (5, 10), n_groups=10), 0.5)
    assert len(ax.lines) == 6
    plt.figure()
    assert len(group_size.shrinkage_figure(group_size.shrinkage_by_size(2, (3, 5), n_groups=10)).lines) == 4
    plt.close("all")
    shown = group_size.coverage_table(recorded)
    assert isinstance(shown, pd.DataFrame) and shown.notna().to_numpy()[:4].all()
    assert list(group_size.known_readouts().index[:2]) == ["centroid", "medoid"]


def test_regions_of_handwritten_digits_hold_the_vector_of_all_images():
    found = group_size.digits_coverage((10,), n_draws=20)
    assert (found.loc[10].sub(0.95).abs() <= of_a_share(0.95, 200) + 0.015).all()


def test_an_unknown_law_is_refused():
    with pytest.raises(ValueError, match="law 'cauchy' is unknown; it is one of 'normal'"):
        group_size.draw("cauchy", 2, 3, 4)
