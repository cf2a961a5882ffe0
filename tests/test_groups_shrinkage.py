"""Shrinkage of small groups: the weights by hand, the gain by simulation, and where nothing is to be gained."""

import numpy as np
import pytest
from scipy import stats
from tolerance import FALSE_ALARM

from helpers.groups import centroid, shrink

EPS = np.finfo(float).eps


def simulated(n_groups, n, p, between, within, seed=0):
    rng = np.random.default_rng(seed)
    true = 5 + np.sqrt(between) * rng.normal(size=(n_groups, p))
    groups = np.repeat(np.arange(n_groups), n)
    return true[groups] + np.sqrt(within) * rng.normal(size=(len(groups), p)), groups, true


def test_weights_are_the_share_of_the_variance_that_is_no_noise():
    x, groups, _ = simulated(6, 4, 3, 1.0, 1.0)
    means = x.reshape(6, 4, 3).mean(axis=1)
    scatter = sum(np.cov(part.T) * 3 for part in x.reshape(6, 4, 3))
    within = np.trace(scatter) / 18
    between = np.sum((means - means.mean(axis=0)) ** 2) / 5 - within / 4
    effective = np.trace(scatter) ** 2 / np.sum(scatter**2)
    off = (1 - 2 / (5 * effective)) * (within / 4) / (between + within / 4)
    found = shrink(x, groups)
    np.testing.assert_allclose(found.weights, 1 - off, rtol=1e4 * EPS)
    np.testing.assert_allclose(found.vectors, (1 - off) * means + off * means.mean(axis=0), rtol=1e4 * EPS)
    assert found.break_even == pytest.approx(within / between, rel=1e4 * EPS)


@pytest.mark.parametrize("between", [0.0, 0.1, 1.0, 10.0])
def test_the_error_is_below_that_of_the_means_and_of_the_centre_and_as_large_as_expected(between):
    x, groups, true = simulated(300, 3, 8, between, 1.0)
    found = shrink(x, groups)
    errors = np.sum((found.vectors - true) ** 2, axis=1)
    own = np.sum((centroid(x, groups).vectors - true) ** 2, axis=1)
    centre = np.sum((true - x.mean(axis=0)) ** 2, axis=1)
    width = stats.norm.isf(FALSE_ALARM) * np.std(errors) / np.sqrt(300)
    estimated = 4 / 300 * own.mean()  # centre and variances come from 300 groups: off by one in 300 or so each
    assert errors.mean() <= min(own.mean(), centre.mean()) + estimated
    # the variance of the true vectors is a difference of two of chi-square laws, with 299 · 8 and 600 · 8 degrees
    unsure = stats.norm.isf(FALSE_ALARM) * (8 * between + own.mean()) * np.sqrt(2 / 2392 + 2 / 4800)
    assert abs(errors.mean() - np.mean(found.errors**2)) <= width + estimated + unsure


def test_from_the_break_even_on_a_mean_is_nearer_to_the_truth_than_the_centre():
    for n, nearer in ((2, False), (8, True)):  # variances of 4 and 1: four items
        x, groups, true = simulated(400, n, 6, 1.0, 4.0)
        found = shrink(x, groups)
        own = np.sum((centroid(x, groups).vectors - true) ** 2)
        centre = np.sum((true - x.mean(axis=0)) ** 2)
        assert (own < centre) == nearer and (n > found.break_even) == nearer


def test_larger_groups_keep_more_of_their_own():
    rng = np.random.default_rng(1)
    sizes = np.array([1, 2, 5, 50] * 20)
    groups = np.repeat(np.arange(80), sizes)
    x = rng.normal(size=(80, 4))[groups] + rng.normal(size=(len(groups), 4))
    found = shrink(x, groups)
    by_size = [set(found.weights[sizes == n].round(12)) for n in (1, 2, 5, 50)]
    assert all(len(weights) == 1 for weights in by_size)
    assert [w.pop() for w in by_size] == sorted(set(found.weights.round(12)))
    assert (found.errors[sizes == 1] > found.errors[sizes == 50]).all()
    own = shrink(x, groups, spread="own")
    assert len(set(own.weights[sizes == 5].round(9))) == 20 and len(set(own.weights[sizes == 1].round(9))) == 1


def test_classes_have_centres_of_their_own_and_a_class_of_one_group_stays():
    x, groups, true = simulated(60, 3, 4, 0.05, 1.0)
    shift = np.repeat([0.0, 30.0], 30)
    classes = np.where(groups < 30, "left", "right")
    x = x + shift[groups][:, None]
    apart, together = shrink(x, groups, classes=classes), shrink(x, groups)
    truth = true + shift[:, None]
    assert np.sum((apart.vectors - truth) ** 2) < 0.6 * np.sum((together.vectors - truth) ** 2)
    alone = shrink(x, groups, classes=np.where(groups == 0, "alone", "others"))
    np.testing.assert_array_equal(alone.vectors[0], centroid(x, groups).vectors[0])
    assert alone.weights[0] == 1 and (alone.weights[1:] < 1).all()


def test_groups_that_do_not_differ_get_the_mean_of_all_and_few_coordinates_are_left_alone():
    x = np.tile([[0.0, 1.0], [2.0, 5.0]], (30, 1))
    found = shrink(x, np.repeat(np.arange(30), 2))
    assert found.break_even == np.inf and (found.weights < 2.1 / 29).all()  # one coordinate of 30 groups
    np.testing.assert_allclose(found.vectors, np.tile(x.mean(axis=0), (30, 1)), rtol=1e3 * EPS)
    assert shrink([[0.0], [1.0], [3.0], [4.0]], [0, 0, 1, 1]).weights.tolist() == [1.0, 1.0]


def test_items_without_noise_stay_where_they_are():
    x, groups = np.repeat([[0.0, 1.0], [2.0, 3.0], [5.0, 5.0]], 2, axis=0), np.repeat([0, 1, 2], 2)
    np.testing.assert_array_equal(shrink(x, groups).vectors, x[::2])


@pytest.mark.parametrize("call, message", [
    (lambda x, g: shrink(x, g, spread="pooled"), "spread is 'pooled'; it is 'shared' or 'own'"),
    (lambda x, g: shrink(x, np.arange(len(x))), "every group has one item"),
    (lambda x, g: shrink(x, g, classes=g), "no class has two groups"),
    (lambda x, g: shrink(x, g, classes=np.arange(len(x)) % 2), "items of group 0 are of 0 and of 1"),
    (lambda x, g: shrink(x, g, classes=g[:-1]), "one label for each"),
])  # fmt: skip
def test_bad_input_is_refused(call, message):
    x, groups, _ = simulated(5, 3, 2, 1.0, 1.0)
    with pytest.raises(ValueError, match=message):
        call(x, groups)
