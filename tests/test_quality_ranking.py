"""How well qualities rank models: means within experiments, levels and intervals without any relation."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from helpers.quality import mean_rank_correlations, rank_correlations


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
