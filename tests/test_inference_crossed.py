"""Means over items and runs: formulas by hand, coverage by simulation."""

import numpy as np
import pytest
from tolerance import of_a_share

from helpers.inference import crossed_mean, paired

ITEMS, RUNS = 60, 5


def drawn(rng, of_items, of_runs, noise, nested=False):
    runs = np.repeat(np.arange(RUNS), ITEMS)
    items = np.arange(RUNS * ITEMS) if nested else np.tile(np.arange(ITEMS), RUNS)
    shared = of_items * rng.normal(size=RUNS * ITEMS)[items] + of_runs * rng.normal(size=RUNS)[runs]
    return shared + noise * rng.normal(size=len(runs)), items, runs


@pytest.mark.parametrize("kind", [(1, 0.3, 1), (1, 0, 1), (0.1, 3, 1), (1, 0.2, 1, True)])
def test_the_interval_holds_the_mean_as_often_as_it_says_whatever_varies(kind):
    rng = np.random.default_rng(0)
    found = [crossed_mean(*drawn(rng, *kind), confidence_level=0.9) for _ in range(400)]
    share = np.mean([one.low <= 0 <= one.high for one in found])
    assert -of_a_share(0.9, 400) - 0.02 <= share - 0.9 <= of_a_share(0.9, 400) + 0.03  # runs are five
    rejected = np.mean([one.p <= 0.1 for one in found])
    assert rejected == pytest.approx(1 - share)


def test_of_one_run_it_is_students_interval_of_the_items():
    values = np.random.default_rng(1).normal(size=30)
    found = crossed_mean(values, np.arange(30), np.zeros(30))
    expected = paired(values, np.zeros(30), overlap=0.0)
    np.testing.assert_allclose(found[:4], expected[:4])
    assert found.n == 30


def test_its_variance_is_that_of_the_formula():
    values = np.array([[1.0, 2.0, 6.0], [0.0, 5.0, 3.0]])  # two runs of three items
    items, runs = np.tile([0, 1, 2], 2), np.repeat([0, 1], 3)
    found = crossed_mean(values.ravel(), items, runs)
    off = (values - values.mean()) / 6
    by_item, by_run = 3 / 2 * np.sum(off.sum(axis=0) ** 2), 2 * np.sum(off.sum(axis=1) ** 2)
    both = 6 / 5 * np.sum(off**2)
    variance = max(by_item + by_run - both, by_item, by_run)
    freedom = variance**2 / (by_item**2 / 2 + by_run**2)
    from scipy import stats

    assert found.high - found.difference == pytest.approx(stats.t.isf(0.025, freedom) * np.sqrt(variance))


def test_weights_count_and_equal_methods_are_not_distinguishable():
    found = crossed_mean([1.0, 3.0, 100.0], [0, 1, 2], [0, 0, 0], weights=[3, 1, 0])
    assert found.difference == pytest.approx(1.5)
    none = crossed_mean(np.zeros(6), np.tile([0, 1, 2], 2), np.repeat([0, 1], 3))
    assert (none.low, none.high, none.p, none.verdict) == (0, 0, 1, "not distinguishable")


def test_items_and_runs_without_weight_change_nothing():
    rng = np.random.default_rng(0)
    values, items, runs = rng.normal(size=24), np.repeat(np.arange(8), 3), np.tile(np.arange(3), 8)
    weights = rng.uniform(0.5, 2, size=24) * (items < 4) * (runs < 2)
    some = weights > 0
    alone = crossed_mean(values[some], items[some], runs[some], weights=weights[some])
    assert alone == crossed_mean(values, items, runs, weights=weights) and alone.n == 4
    with pytest.raises(ValueError, match="weights are above 0 for 1 item; at least 2"):
        crossed_mean([1.0, 2.0], [0, 1], [0, 0], weights=[1, 0])


@pytest.mark.parametrize("options, message", [
    ({"items": [0, 0, 0]}, "items has 1 distinct label; at least 2 items"),
    ({"items": [0, None, 1]}, r"items\[1\] is missing; every difference"),
    ({"runs": [0, 1]}, "runs has shape .* one label for each of the 3 differences"),
    ({"weights": [1, -1, 1]}, "none may be negative"),
    ({"weights": [1, 1]}, "weights has 2 entries; one for each of the 3"),
    ({"differences": [0.0, np.nan, 1.0]}, "differences"),
    ({"confidence_level": 95}, "confidence_level is 95"),
])  # fmt: skip
def test_bad_input_is_refused(options, message):
    given = {"differences": [1.0, 2.0, 3.0], "items": [0, 1, 2], "runs": [0, 1, 0]} | options
    with pytest.raises(ValueError, match=message):
        crossed_mean(**given)
