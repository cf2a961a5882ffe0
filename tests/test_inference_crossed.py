"""Means over items and runs: formulas by hand, coverage by simulation."""

import numpy as np
import pytest
from tolerance import of_a_share

from helpers.inference import crossed_mean, paired
from helpers.inference.crossed import _both

ITEMS, RUNS = 60, 5


def drawn(rng, of_items, of_runs, noise, nested=False, n_runs=RUNS):
    runs = np.repeat(np.arange(n_runs), ITEMS)
    items = np.arange(n_runs * ITEMS) if nested else np.tile(np.arange(ITEMS), n_runs)
    shared = of_items * rng.normal(size=n_runs * ITEMS)[items] + of_runs * rng.normal(size=n_runs)[runs]
    return shared + noise * rng.normal(size=len(runs)), items, runs


@pytest.mark.parametrize("kind", [(1, 0.3, 1), (0.1, 3, 1), (1, 0.5, 0.5)])
@pytest.mark.parametrize("n_runs", [2, 3, 5])
def test_the_interval_holds_the_mean_as_often_as_it_says_of_two_runs_too(kind, n_runs):
    rng = np.random.default_rng(0)
    found = [crossed_mean(*drawn(rng, *kind, n_runs=n_runs), confidence_level=0.9) for _ in range(300)]
    share = np.mean([one.low <= 0 <= one.high for one in found])
    assert share >= 0.9 - of_a_share(0.9, 300)
    rejected = np.mean([one.p <= 0.1 for one in found])
    assert rejected == pytest.approx(1 - share)


@pytest.mark.parametrize("kind", [(0.1, 3, 1), (1, 3, 1, True)])
def test_where_runs_differ_most_it_holds_the_mean_no_more_often(kind):
    rng = np.random.default_rng(1)
    found = [crossed_mean(*drawn(rng, *kind), confidence_level=0.9) for _ in range(300)]
    share = np.mean([one.low <= 0 <= one.high for one in found])
    assert share == pytest.approx(0.9, abs=of_a_share(0.9, 300))


@pytest.mark.parametrize("nested", [False, True])
def test_where_runs_do_not_differ_it_is_hardly_wider_than_that_of_the_items(nested):
    rng = np.random.default_rng(2)
    ratios = []
    for _ in range(50):
        values, items, runs = drawn(rng, 1, 0, 0 if nested else 0.3, nested)
        of_items = crossed_mean(values, items, np.zeros(len(values)))
        found = crossed_mean(values, items, runs)
        ratios.append((found.high - found.low) / (of_items.high - of_items.low))
    # Of nested runs V_runs is V_items times F(4, 295), whose fiducial draws are divided by χ²(4) / 4.
    assert np.median(ratios) < (2.0 if nested else 1.1)


def test_of_one_run_it_is_students_interval_of_the_items():
    values = np.random.default_rng(1).normal(size=30)
    found = crossed_mean(values, np.arange(30), np.zeros(30))
    expected = paired(values, np.zeros(30), overlap=0.0)
    np.testing.assert_allclose(found[:4], expected[:4])
    assert found.n == 30


def test_its_limits_are_quantiles_of_the_fiducial_distribution():
    values = np.array([[1.0, 2.0, 6.0], [0.0, 5.0, 3.0]])  # two runs of three items
    items, runs = np.tile([0, 1, 2], 2), np.repeat([0, 1], 3)
    found = crossed_mean(values.ravel(), items, runs)
    off = (values - values.mean()) / 6
    by_item, by_run = 3 / 2 * np.sum(off.sum(axis=0) ** 2), 2 * np.sum(off.sum(axis=1) ** 2)
    rest = off - off.mean(axis=0) - off.mean(axis=1, keepdims=True)
    both = 6 / 2 * np.sum(rest**2)  # of six numbers two are free
    rng, n = np.random.default_rng(0), 400_000
    of_items, of_runs = by_item * 2 / rng.chisquare(2, size=n), by_run / rng.chisquare(1, size=n)
    drawn = np.abs(rng.normal(size=n)) * np.sqrt(np.maximum(of_items + np.maximum(of_runs - both, 0), of_runs))
    assert np.mean(drawn > found.high - found.difference) == pytest.approx(0.05, abs=of_a_share(0.05, n))
    assert np.mean(drawn > abs(found.difference)) == pytest.approx(found.p, abs=of_a_share(found.p, n))


@pytest.mark.parametrize("lost", [(), (4,), (0, 7)])
def test_what_both_variances_share_is_the_noise_that_least_squares_leave(lost):
    rng = np.random.default_rng(3)
    items, runs = np.repeat(np.arange(6), 2), np.tile(np.arange(2), 6)
    kept = np.setdiff1d(np.arange(12), lost)
    items, runs, values = items[kept], runs[kept], rng.normal(size=len(kept))
    weights = rng.uniform(0.5, 2, size=len(kept))
    twice = np.bincount(items)[items] == 2
    design = np.hstack([items[:, None] == np.arange(6), runs[:, None] == np.arange(2)])[twice].astype(float)
    root = np.sqrt(weights[twice])
    fitted = design @ np.linalg.lstsq(design * root[:, None], values[twice] * root, rcond=None)[0]
    n_twice = twice.sum() // 2
    expected = np.sum((weights * values)[~twice] ** 2)
    expected += 2 * n_twice / (n_twice - 1) * np.sum((weights[twice] * (values[twice] - fitted)) ** 2)
    assert _both(values, weights, items, runs) == pytest.approx(expected)


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


def test_a_mean_of_zero_has_a_p_of_one_and_not_more():
    rng = np.random.default_rng(0)
    for size in ((2, 3), (3, 7), (5, 4), (9, 2)):
        values = rng.normal(size=size)
        values -= values.mean()
        items, runs = np.indices(size).reshape(2, -1)
        found = crossed_mean(values.ravel(), items, runs)
        assert 0.999 < found.p <= 1
