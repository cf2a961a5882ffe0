"""Measures of groups have the values of their definitions, and a collapsed space does not look good to all of them."""

import numpy as np
import pytest
from tolerance import of_a_mean, of_a_share

from helpers.groups import READOUTS
from helpers.groups.evaluation import few_shot, item_accuracy, retrieval, subsample_error, within_between
from helpers.quality import rankme


@pytest.fixture
def cloud():
    rng = np.random.default_rng(0)
    classes = np.repeat(list("abcd"), 5)
    return rng.normal(size=(20, 3)) + 2 * np.repeat(rng.normal(size=(4, 3)), 5, axis=0), classes


def test_within_and_between_are_means_over_pairs(cloud):
    x, classes = cloud
    found = within_between(x, classes)
    for k, name in enumerate("abcd"):
        inside, outside = [], []
        for i in range(20):
            for j in range(20):
                if i != j and classes[i] == name:
                    (inside if classes[j] == name else outside).append(np.linalg.norm(x[i] - x[j]))
        # Means of at most 75 distances in double precision, with distances that lose a digit or two as products.
        assert found.within[k] == pytest.approx(np.mean(inside), rel=1e-12)
        assert found.between[k] == pytest.approx(np.mean(outside), rel=1e-12)
    np.testing.assert_allclose(found.ratio, found.within / found.between)
    assert found.names.tolist() == list("abcd")


def test_shrinking_a_space_improves_the_norm_within_and_nothing_else(cloud):
    x, classes = cloud
    whole, small = within_between(x, classes), within_between(x / 100, classes)
    assert (small.within < whole.within / 99).all()
    np.testing.assert_allclose(small.ratio, whole.ratio)
    np.testing.assert_array_equal(retrieval(x, classes), retrieval(x / 100, classes))


def test_a_space_that_is_one_point_is_found_out():
    x, classes = np.ones((20, 3)), np.repeat(list("abcd"), 5)
    found = within_between(x, classes)
    assert (found.within == 0).all() and np.isnan(found.ratio).all()
    np.testing.assert_allclose(retrieval(x, classes), 4 / 19)  # chance
    assert rankme(x, epsilon=0) == pytest.approx(1)
    assert np.isnan(subsample_error(np.ones((20, 2)), classes, "centroid", [2])).all()


def test_retrieval_looks_for_the_nearest_other_group(cloud):
    x, classes = cloud
    for i, right in enumerate(retrieval(x, classes)):
        distances = np.linalg.norm(x - x[i], axis=1)
        distances[i] = np.inf
        assert right == (classes[np.argmin(distances)] == classes[i])


def test_items_are_given_to_the_nearest_group_that_is_not_their_own(cloud):
    x, classes = cloud
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 20, size=5000)
    items = x[groups] + rng.normal(size=(5000, 3))
    found = item_accuracy(items, groups, x, classes)
    for i in range(0, 5000, 97):
        distances = np.linalg.norm(x - items[i], axis=1)
        distances[groups[i]] = np.inf
        assert found[i] == (classes[np.argmin(distances)] == classes[groups[i]])


@pytest.mark.parametrize("measure", [within_between, retrieval])
def test_a_class_with_one_group_is_named(measure):
    with pytest.raises(ValueError, match="class 'b' has one group"):
        measure(np.eye(3), ["a", "a", "b"])


def test_few_shots_of_noise_are_chance_and_of_apart_classes_are_right():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(30), 4)
    noise = few_shot(rng.normal(size=(120, 8)), labels, ways=5, episodes=400, rng=0)
    # Five queries of an episode at most share their luck: 400 episodes are worth at least 400 draws.
    assert abs(noise.mean() - 0.2) < of_a_share(0.2, 400)
    apart = few_shot(np.eye(30)[labels] + rng.normal(size=(120, 30)) / 100, labels, ways=20, shots=2, rng=0)
    assert apart.mean() == 1
    with pytest.raises(ValueError, match="30 classes have more than 1 items; ways is 31"):
        few_shot(rng.normal(size=(120, 8)), labels, ways=31)


def test_a_mean_of_some_items_is_off_by_what_sampling_theory_says():
    rng = np.random.default_rng(0)
    n, size, p = 400, 25, 40
    groups = np.repeat(np.arange(6), n)
    x = rng.normal(size=(6 * n, p)) + np.repeat(rng.normal(size=(6, p)), n, axis=0)
    whole = READOUTS["centroid"](x, groups).vectors
    spread = ((whole - whole.mean(axis=0)) ** 2).sum(axis=1).mean()
    variance = sum(x[groups == k].var(axis=0, ddof=1).sum() for k in range(6)) / 6
    squared = variance / size * (1 - size / n)  # without replacement, from a finite group
    found = subsample_error(x, groups, "centroid", [size, n], n_resamples=40, rng=0)
    # A squared norm in p dimensions has a standard deviation of its mean times the root of 2 / p.
    slack = of_a_mean(np.sqrt(2 / p), 6 * 40)
    assert found[0] ** 2 * spread / squared == pytest.approx(1, abs=slack)
    assert np.isnan(found[1])
    np.testing.assert_array_equal(
        subsample_error(x, groups, lambda z, g: READOUTS["centroid"](z, g).vectors, [size], n_resamples=40, rng=0),
        found[:1],
    )


def test_an_unknown_readout_names_the_known_ones():
    with pytest.raises(ValueError, match="readout 'mode' is unknown; it is one of 'centroid'"):
        subsample_error(np.eye(4), [0, 0, 1, 1], "mode", [1])


@pytest.mark.parametrize("groups", [[0, -1], [0, 4]])
def test_an_item_of_a_group_that_is_not_there_is_refused(groups):
    with pytest.raises(ValueError, match="of vectors; there are 0 to 3"):
        item_accuracy([[0.0], [9.0]], groups, [[0.0], [1.0], [2.0], [3.0]], ["a", "a", "b", "b"])
