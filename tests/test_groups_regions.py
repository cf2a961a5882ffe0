"""Regions about the vectors of groups: formulas by hand, coverage by simulation, and how many items are needed."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats
from tolerance import of_a_share

from helpers.groups import READOUTS, centroid, geometric_median, group_regions, items_needed, medoid
from helpers.groups.influence import influences
from helpers.groups.membership import batches, group_codes

EPS = np.finfo(float).eps
NOMINAL = 0.015  # what a region may be off by its approximations


def items(n_groups, n, p, law="normal", seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_groups, n, p))
    if law == "heavy":
        x *= np.sqrt(5 / rng.chisquare(5, size=(n_groups, n, 1)))
    elif law == "flat":
        x *= 1 / np.sqrt(np.arange(1, p + 1))
    elif law == "clustered":
        x += 3 * np.where(rng.random((n_groups, n, 1)) < 0.5, 1, -1)
    elif law == "scaled":
        x *= np.exp(rng.normal(size=(n_groups, 1, 1)))
    return x.reshape(-1, p), np.repeat(np.arange(n_groups), n)


@pytest.mark.parametrize("covariance", ["shape", "own", "shared"])
@pytest.mark.parametrize("n, p", [(3, 12), (5, 3), (8, 40), (30, 2)])
@pytest.mark.parametrize("law", ["normal", "heavy", "flat", "scaled"])
def test_a_region_of_a_centroid_holds_the_true_mean_as_often_as_it_says(law, n, p, covariance):
    x, groups = items(600, n, p, law)
    if (covariance == "shared" and law in ("scaled", "heavy")) or (covariance == "own" and n < 4):
        return  # spreads that differ are what the one leaves out; the other is wide, see below
    found = group_regions(x, groups, covariance=covariance, confidence_level=0.9)
    share = found.contains(np.zeros((600, p))).mean()
    above = 0.1 if law == "heavy" and n == 3 else of_a_share(0.9, 600) + NOMINAL  # of three items it is too wide
    assert -of_a_share(0.9, 600) - NOMINAL <= share - 0.9 <= above


@pytest.mark.parametrize("readout, n, low, high", [
    ("geometric_median", 30, -NOMINAL, NOMINAL), ("trimmed_mean", 20, -NOMINAL, NOMINAL),
    ("medoid", 20, -NOMINAL, NOMINAL), ("moments", 50, -NOMINAL, NOMINAL),
])  # fmt: skip
def test_so_do_the_regions_of_other_readouts(readout, n, low, high):
    x, groups = items(400, n, 4)
    found = group_regions(x, groups, readout, n_resamples=2000)
    true = np.hstack([np.zeros((400, 4)), np.ones((400, 4))])[:, : found.vectors.shape[1]]
    share, width = found.contains(true).mean(), of_a_share(0.95, 400)
    assert low - width <= share - 0.95 <= high + width
    # As near to itself as a geometric median stops.
    np.testing.assert_allclose(found.vectors, READOUTS[readout](x, groups).vectors, rtol=0, atol=1e-6)


def test_clustered_items_have_regions_if_the_clusters_are_named():
    x, groups = items(400, 6, 3)
    rng = np.random.default_rng(1)
    many = np.repeat(x, 5, axis=0) + 0.3 * rng.normal(size=(5 * len(x), 3))  # five items of each drawer
    drawers = np.repeat(np.arange(len(x)), 5)
    labels = np.repeat(groups, 5)
    blind = group_regions(many, labels).contains(np.zeros((400, 3))).mean()
    seeing = group_regions(many, labels, clusters=drawers)
    assert blind < 0.8
    assert abs(seeing.contains(np.zeros((400, 3))).mean() - 0.95) <= of_a_share(0.95, 400) + NOMINAL


def test_items_that_are_said_several_times_tell_no_more_than_once():
    x, groups = items(20, 7, 3)
    once = group_regions(x, groups)
    twice = group_regions(
        np.repeat(x, 3, axis=0), np.repeat(groups, 3), clusters=[f"item {i}" for i in np.repeat(np.arange(len(x)), 3)]
    )
    np.testing.assert_allclose(twice.radii, once.radii, rtol=1e4 * EPS)


def test_the_radius_is_that_of_dempster_with_dimensions_from_distinct_items():
    """The squares of traces are means over ordered choices of four different items."""
    x, groups = items(1, 6, 3, "flat")
    one = two = 0.0
    for i, j, k, m in permutations(range(6), 4):
        a, b = x[i] - x[j], x[k] - x[m]
        one += (a @ a) * (b @ b) / 4
        two += (a @ b) ** 2 / 4
    trace = np.sum((x - x.mean(axis=0)) ** 2) / 5
    freedom = 6 * 3 / 2
    inverse = two / 360 / trace**2 * (stats.t.ppf(0.95, freedom) / stats.norm.ppf(0.95)) ** 2
    dimension = 1 / min(max(inverse, 1e-6), 1)
    radius = np.sqrt(trace / 6 * stats.f.ppf(0.95, dimension, 5 * dimension))
    found = group_regions(x, groups, covariance="own")
    assert found.dimensions[0] == pytest.approx(dimension, rel=1e4 * EPS)
    assert found.radii[0] == pytest.approx(radius, rel=1e4 * EPS)
    from helpers.groups.regions import _moments

    assert _moments((x - x.mean(axis=0))[None])[2, 0] == pytest.approx(one / 360, rel=1e4 * EPS)


def test_many_groups_tell_in_how_many_directions_their_items_vary():
    for p, law, expected in ((16, "normal", 16), (16, "scaled", 16), (3, "flat", (11 / 6) ** 2 / (49 / 36))):
        x, groups = items(2000, 5, p, law)
        found = group_regions(x, groups).dimensions
        # each group's own four degrees of freedom are little beside the common 50
        assert np.median(found) == pytest.approx(expected, rel=0.15)


def test_a_group_of_one_is_unknown_unless_all_share_their_spread():
    x, groups = items(30, 6, 4)
    x, groups = np.vstack([x, [[9.0] * 4]]), np.append(groups, 99)
    for readout in ("centroid", "geometric_median", "medoid", "trimmed_mean"):
        found = group_regions(x, groups, readout)
        assert found.radii[-1] == np.inf and np.isfinite(found.radii[:-1]).all()
        assert found.contains(found.vectors + 1e9)[-1]
    shared = group_regions(x, groups, covariance="shared")
    assert np.isfinite(shared.radii).all()
    assert shared.radii[-1] == pytest.approx(shared.radii[0] * np.sqrt(6))
    assert group_regions([[1.0, 2.0]], ["a"]).radii.tolist() == [np.inf]
    assert items_needed(x, groups, 0.1).needed[-1] == np.inf


@pytest.mark.parametrize("n", [2, 3])
def test_two_or_three_items_alone_have_a_wide_region_that_holds_at_least_as_often(n):
    x, _ = items(300, n, 5)
    held = [group_regions(part, [0] * n).contains(np.zeros((1, 5)))[0] for part in x.reshape(300, n, 5)]
    assert np.mean(held) >= 0.95 - of_a_share(0.95, 300)


def test_along_a_line_the_region_of_a_median_is_that_of_the_order_statistics():
    rng = np.random.default_rng(2)
    x = rng.standard_cauchy(size=(500 * 9, 1))
    groups = np.repeat(np.arange(500), 9)
    found = group_regions(x, groups, "geometric_median")
    # between the second and the eighth of nine: 1 - 2 (1 + 9) / 2^9, and the ball about the median is no smaller
    assert found.contains(np.zeros((500, 1))).mean() >= 1 - 20 / 512 - of_a_share(1 - 20 / 512, 500)
    first = np.sort(x[:9, 0])
    assert found.radii[0] == max(first[4] - first[1], first[7] - first[4])
    assert group_regions(x, groups, "medoid").radii[0] == found.radii[0]  # of nine, the median is the medoid
    assert group_regions(x[:5], [0] * 5, "geometric_median").radii[0] == np.inf


def test_regions_move_and_grow_with_the_items():
    x, groups = items(30, 8, 3)
    for readout in ("centroid", "geometric_median", "medoid", "trimmed_mean"):
        found, moved = (group_regions(z, groups, readout, n_resamples=200) for z in (x, 4 * x + 7))
        # As near to itself as a geometric median stops.
        np.testing.assert_allclose(moved.vectors, 4 * found.vectors + 7, rtol=0, atol=1e-6)
        np.testing.assert_allclose(moved.radii, 4 * found.radii, rtol=1e-5)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_median_on_most_of_its_items_has_a_region_without_a_warning():
    x = np.array([[0, 0], [0, 0], [0, 0], [0, 0], [1, 0], [0, 2]])
    assert np.isfinite(group_regions(x, np.zeros(6), "geometric_median").radii).all()


def test_items_that_are_all_equal_leave_no_doubt():
    x, groups = np.ones((10, 3)), np.repeat([0, 1], 5)
    for readout in ("centroid", "geometric_median", "trimmed_mean", "medoid"):
        assert group_regions(x, groups, readout).radii.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("readout", ["centroid", "geometric_median", "medoid", "trimmed_mean", "moments"])
@pytest.mark.parametrize("covariance", ["shape", "own", "shared"])
def test_groups_of_any_sizes_have_a_radius_that_is_a_number_or_infinite(readout, covariance):
    rng = np.random.default_rng(5)
    line = np.outer(rng.normal(size=8), [1.0, 2.0])
    groups = np.repeat(np.arange(7), [1, 2, 3, 4, 8, 5, 5])
    x = np.vstack([rng.normal(size=(10, 2)), line, np.ones((5, 2)), rng.normal(size=(5, 2))])
    for data in (x, x[:, :1]):
        found = group_regions(data, groups, readout, covariance=covariance)
        assert (found.radii >= 0).all() and (found.dimensions >= 1).all()
        assert covariance == "shared" or found.radii[0] == np.inf


@pytest.mark.parametrize("readout", ["centroid", "trimmed_mean", "geometric_median", "moments"])
def test_influences_sum_to_zero_and_are_what_leaving_an_item_out_changes(readout):
    """To first order: the jackknife of n items is off by a share of the order of one over n."""
    x, groups = items(2, 150, 3, seed=3)
    membership = group_codes(groups, len(x))
    batch = next(batches(x, membership))
    vectors, found = influences(batch, readout)
    _, jackknife = influences(batch, lambda x, groups: READOUTS[readout](x, groups))
    # A geometric median stops so near to itself; leaving one of some 150 items out is off by several times 1 / 150.
    np.testing.assert_allclose(batch.sums(found), 0, atol=1e-9 * len(x))
    np.testing.assert_allclose(vectors, READOUTS[readout](x, groups).vectors, rtol=0, atol=1e-6)
    if readout == "centroid":
        np.testing.assert_allclose(found, jackknife, rtol=0, atol=1e4 * EPS)
    # Both are sums over items: off by the order of 1 / n.
    by_formula, by_leaving = np.sum(found**2), np.sum(jackknife**2)
    assert by_formula == pytest.approx(by_leaving, rel=0.1)
    assert np.sum(found * jackknife) > 0.95 * np.sqrt(by_formula * by_leaving)


def test_a_function_of_the_caller_has_regions_by_the_jackknife():
    x, groups = items(40, 12, 3)
    np.testing.assert_allclose(group_regions(x, groups, centroid).radii, group_regions(x, groups).radii, rtol=1e5 * EPS)


def test_so_many_items_are_within_the_precision_as_often_as_promised():
    rng = np.random.default_rng(4)
    pilot, groups = items(500, 6, 3)
    needed = items_needed(pilot, groups, 0.6)
    assert (needed.needed >= 6).all() and np.isfinite(needed.needed).all()
    more = np.maximum(needed.needed - 6, 0).astype(int)
    sums = pilot.reshape(500, 6, 3).sum(axis=1) + np.sqrt(more)[:, None] * rng.normal(size=(500, 3))
    within = np.linalg.norm(sums / needed.needed[:, None], axis=1) <= 0.6
    assert within.mean() >= 0.95 - of_a_share(0.95, 500)
    finer = items_needed(pilot, groups, 0.3).needed
    assert (np.abs(finer - 4 * needed.needed) <= 4)[needed.needed > 6].all()  # each is rounded up


def test_coverage_of_a_shared_covariance_was_not_tried_and_is_not_called_nominal():
    x, groups = items(20, 60, 3)
    assert group_regions(x, groups, covariance="own").nominal.all()
    found = group_regions(x, groups, covariance="shared")
    assert not found.nominal.any() and found.nominal_from == np.inf


def test_the_medoid_stays_as_far_as_an_item_is():
    x, groups = items(60, 40, 30)
    medoids = np.linalg.norm(medoid(x, groups).vectors, axis=1)
    medians = np.linalg.norm(geometric_median(x, groups).vectors, axis=1)
    assert (medoids > 3 * medians).all()
    found = group_regions(x, groups, "medoid", n_resamples=400)
    assert (found.radii > medoids).mean() > 0.9 and found.radii.mean() < 1.5 * medoids.mean()


@pytest.mark.parametrize("name, call, message", [
    ("level", lambda x, g: group_regions(x, g, confidence_level=95), "confidence_level is 95"),
    ("covariance", lambda x, g: group_regions(x, g, covariance="pooled"), "covariance is 'pooled'; it must be one of"),
    ("readout", lambda x, g: group_regions(x, g, "mode"), "readout 'mode' has no known influences"),
    ("clusters", lambda x, g: group_regions(x, g, clusters=g[:-1]), "one label for each"),
    ("points", lambda x, g: group_regions(x, g).contains(np.zeros(3)), r"points has shape \(3,\); one for each group"),
    ("precision", lambda x, g: items_needed(x, g, 0), "precision is 0; a positive distance"),
    ("precision", lambda x, g: items_needed(x, g, [0.1, 0.2]), r"precision is \[0.1, 0.2\]; a positive distance"),
    ("medoid", lambda x, g: items_needed(x, g, 1.0, "medoid"), "does not shrink with n"),
])  # fmt: skip
def test_bad_input_is_refused(name, call, message):
    x, groups = items(5, 6, 3)
    with pytest.raises(ValueError, match=message):
        call(x, groups)
