"""How well qualities rank models: means within experiments, levels and intervals without any relation."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from helpers.quality import crossed_rank_correlations, mean_rank_correlations, rank_correlations


def made(rng, relation=0.0, experiments=10):
    test = rng.normal(size=(experiments, 6))
    noise = rng.normal(size=(experiments, 6, 3))
    table = pd.DataFrame((relation * test[..., None] + noise).reshape(-1, 3), columns=["a", "b", "c"])
    # Levels of experiments differ, which says nothing of their models.
    level = np.repeat(np.arange(experiments), 6)
    return table.add(level, axis=0).assign(experiment=level, test=test.ravel() + level)


def test_ranking_is_the_mean_correlation_within_experiments():
    table = made(np.random.default_rng(0), 1.0)
    found = mean_rank_correlations(table, ["a", "b"], n_resamples=999)
    each = [spearmanr(part["a"], part["test"]).statistic for _, part in table.groupby("experiment")]
    assert found.loc["a", "spearman"] == pytest.approx(np.mean(each)) and found.loc["a", "p"] < 0.01
    assert found.loc["a", "ci_low"] < found.loc["a", "spearman"] < found.loc["a", "ci_high"]
    assert spearmanr(table["a"], table["test"]).statistic > found.loc["a", "spearman"]  # levels would flatter it
    assert (found["p_holm"] >= found["p"]).all()


def test_correlations_of_experiments_have_the_mean_of_the_ranking_and_partial_ones_are_those_of_the_formula():
    table = made(np.random.default_rng(1), 1.0)
    found = rank_correlations(table, ["a", "b"])
    assert found.mean().to_numpy() == pytest.approx(mean_rank_correlations(table, ["a", "b"])["spearman"].to_numpy())
    partial = rank_correlations(table, ["a", "c"], given="c")
    for experiment, part in table.groupby("experiment"):
        r, s, t = (spearmanr(part[x], part[y]).statistic for x, y in (("a", "test"), ("a", "c"), ("c", "test")))
        assert partial.loc[experiment, "a"] == pytest.approx((r - s * t) / np.sqrt((1 - s**2) * (1 - t**2)))
    assert (partial["c"] == 0).all()  # nothing is left of what is held fixed
    table.loc[table["experiment"] == 3, "a"] = np.nan
    table.loc[table["experiment"] == 4, "a"] = 1.0
    gaps = rank_correlations(table, ["a"], given="b")["a"]
    assert np.isnan(gaps[3]) and gaps[4] == 0 and len(gaps) == 10


def test_what_hides_in_another_column_is_gone_when_that_is_held_fixed():
    rng = np.random.default_rng(0)
    columns = rng.integers(1, 6, size=(200, 6))
    table = pd.DataFrame({"experiment": np.repeat(np.arange(200), 6), "columns": columns.ravel()})
    table["a"], table["test"] = 2 * columns.ravel() + rng.normal(size=(2, 1200))
    assert rank_correlations(table, ["a"])["a"].mean() > 0.6
    left = rank_correlations(table, ["a"], given="columns")["a"]
    assert abs(left.mean()) < 0.1  # three standard errors of 200 correlations of six rows, of 0.45 each


def test_ranking_holds_its_level_without_any_relation_and_its_intervals_cover():
    rng = np.random.default_rng(0)
    found = [mean_rank_correlations(made(rng, experiments=17), ["a", "b", "c"], n_resamples=199) for _ in range(120)]
    p, holm = (np.array([one[column] for one in found]) for column in ("p", "p_holm"))
    # Three standard errors of 360 tests and of 120 tables; intervals of 17 experiments err by the order of 1 / 17.
    assert (p <= 0.05).mean() < 0.09 and (holm.min(axis=1) <= 0.05).mean() < 0.11
    covered = np.mean([(one["ci_low"] <= 0) & (one["ci_high"] >= 0) for one in found])
    assert 0.88 < covered < 0.98


def relatives(rng, relation=0.0, encoders=8, layers=6, data=6):
    """Layers of encoders on data sets: encoders differ in score and, whatever that is, in quality."""
    encoder, layer, task = (a.ravel() for a in np.meshgrid(*map(np.arange, (encoders, layers, data)), indexing="ij"))
    of_score, of_quality = rng.normal(size=(2, encoders))
    common = rng.normal(size=(encoders, layers))
    score = 2 * of_score[encoder] + common[encoder, layer] + 0.5 * rng.normal(size=len(task))
    quality = (
        2 * of_quality[encoder]
        + relation * common[encoder, layer]
        + rng.normal(size=(encoders, layers))[encoder, layer]
    )
    about = {"data": [f"task {t}" for t in task], "encoder": [f"encoder {e}" for e in encoder]}
    return pd.DataFrame(about | {"quality": quality, "score": score})


def test_among_relatives_correlations_are_means_over_cells_of_what_is_compared():
    table = relatives(np.random.default_rng(0), 1.0)
    across = crossed_rank_correlations(table, ["quality"], clusters="encoder", n_resamples=50).loc["quality"]
    each = [spearmanr(part["quality"], part["score"]).statistic for _, part in table.groupby("data")]
    assert across["spearman"] == pytest.approx(np.mean(each))
    assert across[["cells", "data", "clusters", "left_out"]].tolist() == [6, 6, 8, 0]
    inside = crossed_rank_correlations(table, ["quality"], clusters="encoder", within=True).loc["quality"]
    each = [spearmanr(part["quality"], part["score"]).statistic for _, part in table.groupby(["data", "encoder"])]
    assert inside["spearman"] == pytest.approx(np.mean(each)) and inside["cells"] == 48
    assert inside["p"] < 0.01 < across["p"]  # encoders hide what their layers show
    alone = crossed_rank_correlations(table, ["quality"]).loc["quality"]
    assert (
        alone["spearman"] == across["spearman"]
        and alone["ci_high"] - alone["ci_low"] < across["ci_high"] - across["ci_low"]
    )


def test_intervals_among_relatives_hold_their_level_where_those_over_data_sets_alone_do_not():
    rng, n = np.random.default_rng(1), 60
    alarms = np.zeros(2)
    for _ in range(n):
        table = relatives(rng)
        for which, clusters in enumerate(("encoder", "")):
            options = {"clusters": clusters, "n_resamples": 100, "rng": rng}
            alarms[which] += crossed_rank_correlations(table, ["quality"], **options).loc["quality", "p"] <= 0.05
    # Three standard errors of a share of 5 % in n studies.
    assert alarms[0] / n <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)
    assert alarms[1] / n > 0.5


def test_within_clusters_both_clusters_and_data_sets_count():
    rng, n, alarms = np.random.default_rng(2), 60, 0
    for _ in range(n):
        table = relatives(rng, encoders=3)
        found = crossed_rank_correlations(table, ["quality"], clusters="encoder", within=True)
        alarms += found.loc["quality", "p"] <= 0.05
    assert alarms / n <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)


def test_the_best_by_a_perfect_quality_captures_all_and_a_constant_one_nothing():
    table = relatives(np.random.default_rng(3)).assign(same=1.0, perfect=lambda t: t["score"])
    found = crossed_rank_correlations(table, ["perfect", "same"], clusters="encoder", n_resamples=20)
    assert found.loc["perfect", ["spearman", "captured"]].tolist() == pytest.approx([1.0, 1.0])
    # The mean of all scores less itself, up to rounding.
    assert found.loc["same", "spearman"] == 0 and found.loc["same", "captured"] == pytest.approx(0, abs=1e-12)


def test_missing_qualities_are_counted_and_what_cannot_be_ranked_is_named():
    table = relatives(np.random.default_rng(4))
    table.loc[:4, "quality"] = np.nan
    table["never"] = np.nan
    found = crossed_rank_correlations(table, ["quality", "never"], clusters="encoder", n_resamples=20)
    assert found["left_out"].tolist() == [5, len(table)] and np.isnan(found.loc["never", "p_holm"])
    assert np.isfinite(found.loc["quality", "p_holm"])
    with pytest.raises(KeyError, match="no column 'rankme'; its columns are data, encoder"):
        crossed_rank_correlations(table, ["rankme"])
    with pytest.raises(ValueError, match="within is set without clusters"):
        crossed_rank_correlations(table, ["quality"], within=True)
    with pytest.raises(ValueError, match="'score' is missing in 5 rows"):
        crossed_rank_correlations(table.assign(score=table["quality"]), ["quality"])
    with pytest.raises(ValueError, match="no cell of .* has three models"):
        crossed_rank_correlations(table.assign(score=1.0), ["quality"])
