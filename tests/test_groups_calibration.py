"""Radii that were tried on drawn groups hold as often as they say, and are left alone where nothing can be told."""

import numpy as np
import pytest
from tolerance import of_a_share

from helpers.groups import centroid, group_regions
from helpers.groups.calibration import _kept, _scales, _ways_back, enough_to_try, radius_factors, tail_index
from helpers.groups.membership import group_codes

NOMINAL = 0.015


def skewed(n_groups, n, p=2, seed=0):
    x = np.random.default_rng(seed).lognormal(size=(n_groups * n, p)) - np.exp(0.5)
    return x, np.repeat(np.arange(n_groups), n)


def held(found):
    return found.contains(np.zeros(found.vectors.shape)).mean()


def test_tails_that_the_law_of_normal_items_does_not_know_are_found_by_trial():
    x, groups = skewed(1000, 20)
    by_law, tried = group_regions(x, groups, n_resamples=0), group_regions(x, groups, n_resamples=6000)
    width = of_a_share(0.95, 1000)
    assert held(by_law) < 0.95 - NOMINAL - width
    assert abs(held(tried) - 0.95) <= NOMINAL + width
    np.testing.assert_allclose(tried.radii, by_law.radii * tried.corrections)
    assert (by_law.corrections == 1).all() and (tried.corrections > 1.1).all()


def test_of_normal_items_hardly_anything_is_changed():
    """A trial of 20 000 groups knows a 95 % quantile of squared radii to some two percent."""
    for n, p in ((5, 3), (20, 30)):
        x = np.random.default_rng(1).normal(size=(300 * n, p))
        found = group_regions(x, np.repeat(np.arange(300), n)).corrections
        assert np.abs(np.log(found)).max() < 0.06


def test_groups_that_differ_in_scale_and_direction_keep_their_coverage():
    rng = np.random.default_rng(2)
    turned = np.linalg.qr(rng.normal(size=(800, 6, 6)))[0]
    items = rng.normal(size=(800, 8, 6)) * [3, 1, 1, 0.3, 0.3, 0.3]
    x = np.exp(rng.normal(size=(800, 1, 1))) * np.einsum("gni,gij->gnj", items, turned)
    found = group_regions(x.reshape(-1, 6), np.repeat(np.arange(800), 8))
    assert abs(held(found) - 0.95) <= NOMINAL + of_a_share(0.95, 800)


def test_far_items_do_not_make_the_spread_of_their_group_larger():
    """Lengths of one law, however heavy, give spreads that differ by chance alone; those that differ are found."""
    rng = np.random.default_rng(5)
    n_groups, n = 2000, 5
    sizes = np.full(n_groups, n)
    heavy = rng.standard_t(2, size=n_groups * n) ** 2
    assert np.log(_scales(sizes, heavy, rng)).std() < 0.1  # where own spreads differ by half
    true = rng.normal(size=n_groups)
    found = np.log(_scales(sizes, heavy * np.exp(2 * np.repeat(true, n)), rng))
    noise = np.var(np.median(np.log(heavy).reshape(n_groups, n), axis=1)) / 4
    slope = found @ true / (true @ true)  # they are drawn towards all by as much as five items are noise
    assert slope == pytest.approx(1 / (1 + noise), abs=5 * np.sqrt(2 / n_groups))  # by a ratio of two variances


@pytest.mark.parametrize("n", [4, 10])
def test_residuals_keep_the_shares_of_higher_moments_that_are_said(n):
    x = np.random.default_rng(6).exponential(size=(400_000, n))
    z = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(1 - 1 / n)
    fourth, third = _kept(n)
    # Of exponential items: skewness 2, excess kurtosis 6. Items of one group are counted as one in the error.
    skewness, kurtosis = np.mean(z**3, axis=1), np.mean(z**4, axis=1) - 3
    assert kurtosis.mean() == pytest.approx(6 * fourth, abs=5 * kurtosis.std() / np.sqrt(len(x)))
    assert skewness.mean() == pytest.approx(2 * np.sqrt(third), abs=5 * skewness.std() / np.sqrt(len(x)))


def test_the_way_back_from_residuals_is_exact_for_the_terms_it_knows():
    fourth, third = _kept(6)
    pool = _kept(20)  # items are residuals from means of twenty, groups of six are drawn
    logs = 0.2 + 0.7 * pool[0] * fourth ** np.arange(3) + 0.5 * pool[1] * third ** np.arange(3)
    ways = _ways_back(6, pool)
    assert ways[2] @ logs == pytest.approx(0.2 + 0.7 + 0.5)
    linear = 0.2 + 0.7 * pool[0] * fourth ** np.arange(3)
    assert ways[1] @ linear == pytest.approx(0.9)
    np.testing.assert_allclose(ways.sum(axis=1), 1)
    np.testing.assert_array_equal(_ways_back(3, _kept(3))[2], _ways_back(3, _kept(3))[1])


def test_the_tail_of_a_power_law_is_its_exponent():
    rng, n_groups, n = np.random.default_rng(7), 50, 200
    x = rng.choice([-1.0, 1.0], size=(n_groups * n, 1)) * rng.random((n_groups * n, 1)) ** (-1 / 3)
    found = tail_index(x, group_codes(np.repeat(np.arange(n_groups), n), len(x)), None)
    assert found == pytest.approx(3, abs=4 * 3 / np.sqrt(np.sqrt(len(x))))  # Hill's from the hundred longest


def test_spreads_of_heavy_tailed_items_are_not_called_nominal():
    rng = np.random.default_rng(8)
    x, groups = rng.normal(size=(10_000, 2)), np.repeat(np.arange(500), 20)
    normal = group_regions(x, groups, "moments", n_resamples=0)
    heavy = group_regions(x / np.sqrt(rng.chisquare(3, size=(10_000, 1)) / 3), groups, "moments", n_resamples=0)
    assert heavy.tail < 6 < normal.tail
    tried = group_regions(x, groups, "moments", n_resamples=400)
    assert tried.nominal.all() and not heavy.nominal.any()
    assert np.isnan(group_regions(x[:100], groups[:100]).tail)


def test_clusters_are_drawn_whole():
    x, groups = skewed(300, 12)
    items = np.repeat(x, 3, axis=0) + 0.01 * np.random.default_rng(3).normal(size=(3 * len(x), 2))
    found = group_regions(items, np.repeat(groups, 3), clusters=np.repeat(np.arange(len(x)), 3), n_resamples=2000)
    single = group_regions(x, groups, n_resamples=2000)
    np.testing.assert_allclose(found.corrections, single.corrections, rtol=0.1)  # other draws
    assert (found.nominal_from, found.nominal.all()) == (single.nominal_from, single.nominal.all())


def test_too_few_groups_tell_nothing_and_the_region_says_so():
    x, groups = skewed(19, 30)
    found = group_regions(x, groups)
    assert (found.corrections == 1).all() and not enough_to_try(group_codes(groups, len(x)), None)
    x, groups = skewed(40, 30)
    assert enough_to_try(group_codes(groups, len(x)), None)
    assert group_regions(x, groups).nominal_from < found.nominal_from
    assert not group_regions(x, groups, centroid).nominal.any()


def test_groups_of_many_sizes_have_factors_between_those_of_the_sizes_that_were_tried():
    x, groups = skewed(600, 40)
    sizes = np.random.default_rng(4).integers(2, 41, 600)
    keep = np.arange(len(x)) % 40 < sizes[groups]
    found = group_regions(x[keep], groups[keep], n_resamples=1000)
    small, large = (found.corrections[(sizes >= a) & (sizes <= b)].mean() for a, b in ((4, 12), (30, 40)))
    assert small > large > 1
    rarely = np.append(np.repeat(np.arange(600), 20), np.full(2000, 600))
    x = skewed(700, 20)[0][: len(rarely)]
    one = group_regions(x, rarely, n_resamples=1000).corrections
    assert one[0] > one[-1] >= 1  # beyond 200 items the correction falls as one over n


def test_the_same_seed_gives_the_same_radii():
    x, groups = skewed(60, 10)
    first, again, other = (group_regions(x, groups, rng=seed, n_resamples=500).radii for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_equal_items_and_groups_of_two_leave_nothing_to_try():
    membership = group_codes(np.repeat(np.arange(200), 2), 400)
    options = {"level": 0.95, "n_resamples": 10, "rng": np.random.default_rng(0)}
    x = np.random.default_rng(0).normal(size=(400, 2))
    assert radius_factors(x, membership, None, None, None, **options).tolist() == [1.0] * 200
    assert group_regions(np.ones((400, 2)), np.repeat(np.arange(40), 10)).radii.tolist() == [0.0] * 40


@pytest.mark.parametrize("chance", [0.01, 0.03, 0.1, 0.2, 0.3])
def test_balls_without_extent_have_no_factor_that_is_not_a_number(chance):
    x = 100.0 * (np.random.default_rng(0).random((2000, 1)) < chance)
    found = group_regions(x, np.repeat(np.arange(200), 10), n_resamples=500)
    assert np.isfinite(found.radii).all() and np.isfinite(found.corrections).all()


@pytest.mark.parametrize("value", [-1, 0.5])
def test_a_number_of_draws_is_a_whole_number(value):
    with pytest.raises((TypeError, ValueError), match="n_resamples"):
        group_regions(*skewed(3, 4), n_resamples=value)
