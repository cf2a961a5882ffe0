"""Bounds on the distances of centroids: by brute force over triplets, in random cases, and where they are attained."""

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tolerance import inner

from helpers.groups import bounds
from helpers.groups.bounds import (
    between_bounds,
    group_bounds,
    order_ratio,
    order_threshold,
    squared_margins,
    triplet_margins,
    triplet_share,
    within_bounds,
)


def rounding(*sets):
    """How far a distance, a mean of distances or a root of sums of their squares may be off, in units of the data.

    Each is at most the largest norm times two; a root of a difference that cancels is off by the root of its error.
    """
    size = 2 * max(float(np.abs(z).max()) * math.sqrt(z.shape[1]) for z in sets) + 1e-300
    terms = max(len(z) for z in sets) ** 2 * sets[0].shape[1]
    return size * math.sqrt(8 * inner(terms))


def dist(x, y):
    return np.sqrt(np.sum((x[:, None] - y[None]) ** 2, axis=2))


@st.composite
def sets(draw, count=2):
    """Small sets of points, some far apart and narrow, so that triplets hold, some not."""
    p = draw(st.integers(1, 4))
    values = st.floats(-1, 1, allow_nan=False, width=32)
    found = []
    for _ in range(count):
        x = draw(arrays(np.float64, (draw(st.integers(1, 5)), p), elements=values))
        shift = draw(arrays(np.float64, (p,), elements=st.floats(-4, 4, width=32)))
        found.append(x * draw(st.sampled_from([0.01, 0.3, 1.0])) + shift)
    return found


@settings(max_examples=300, deadline=None)
@given(sets(3))
def test_within_a_class_each_bound_holds_and_is_at_most_the_next(found):
    w, slack = within_bounds(*found), rounding(*found)
    assert w.distance <= w.mean_distance + slack
    assert w.mean_distance <= w.tight + slack
    assert w.tight <= w.loose + slack
    assert w.loose <= w.printed + slack


@settings(max_examples=300, deadline=None)
@given(sets(2))
def test_between_classes_each_bound_holds_and_the_sharper_is_the_larger(found):
    f, slack = between_bounds(*found), rounding(*found)
    assert 0 <= f.by_means <= f.by_margin + slack
    assert f.by_margin <= f.sharp + slack
    assert f.sharp <= f.distance + slack
    assert f.margin >= 0 or f.by_margin == f.by_means == 0


def test_the_property_tests_meet_classes_with_a_margin_and_classes_without():
    rng, positive = np.random.default_rng(0), 0
    for _ in range(200):
        a, b = rng.normal(size=(3, 2)) * rng.uniform(0.01, 1), rng.normal(size=(4, 2)) * 0.3 + rng.normal(size=2) * 2
        found = between_bounds(a, b)
        positive += found.margin > 0
        assert found.by_means <= found.by_margin <= found.sharp <= found.distance + rounding(a, b)
    assert 40 < positive < 160


@settings(max_examples=100, deadline=None)
@given(sets(2))
def test_groups_inherit_the_margin_of_their_classes(found):
    a, b = found
    margin = between_bounds(a, b).margin
    for one, other in ((a[:1], b), (a, b[-1:]), (a[:2], b[:2])):
        assert between_bounds(one, other).margin >= margin - rounding(a, b)


@settings(max_examples=200, deadline=None)
@given(sets(2))
def test_half_the_squared_margins_are_the_squared_distance_of_the_centroids(found):
    a, b = found
    slack = rounding(a, b) ** 2
    by_hand = [
        np.mean(dist(one, other)[:, None, :] ** 2 - dist(one, one)[:, :, None] ** 2) for one, other in ((a, b), (b, a))
    ]
    np.testing.assert_allclose(squared_margins(a, b), by_hand, atol=slack, rtol=0)
    assert abs(sum(by_hand) / 2 - between_bounds(a, b).distance ** 2) <= slack


@pytest.mark.parametrize("entries", [1, 7, 1 << 20])
def test_every_value_is_that_of_all_triplets_however_small_the_blocks(monkeypatch, entries):
    monkeypatch.setattr(bounds, "ENTRIES", entries)
    rng = np.random.default_rng(1)
    a, p, n = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), rng.normal(size=(6, 3)) + 1
    ap, an = dist(a, p), dist(a, n)
    gaps = an[:, None, :] - ap[:, :, None]
    slack = rounding(a, p, n)
    np.testing.assert_allclose(triplet_margins(a, p, n), gaps.min(axis=(1, 2)), atol=slack)
    for margin in (-0.5, 0.0, 0.5):
        assert triplet_share(a, p, n, margin=margin) == np.mean(gaps >= margin)
    w = within_bounds(a, p, n)
    m, largest = -gaps.min(), an.max()
    expected = [np.linalg.norm(a.mean(0) - p.mean(0)), ap.mean(), m + an.min(axis=1).mean(), m + largest]
    np.testing.assert_allclose(w, [*expected, 2 * max(m, largest), m], atol=slack)
    f = between_bounds(a, n)
    aa, nn = dist(a, a), dist(n, n)
    margin_a, margin_n = (an - aa.max(1)[:, None]).min(), (an - nn.max(1)).min()
    larger = np.maximum(min(margin_a, margin_n) + np.maximum.outer(aa.max(1), nn.max(1)), 0) ** 2
    square = larger.mean() - (aa**2).mean() / 2 - (nn**2).mean() / 2
    np.testing.assert_allclose(f[4:], [min(margin_a, margin_n), margin_a, margin_n], atol=slack)
    assert abs(f.sharp - math.sqrt(max(square, 0))) <= slack
    assert abs(order_ratio(a, n) - an.min() / max(aa.max(), nn.max())) <= slack


def test_all_terms_of_the_margin_bound_are_those_of_pairs_of_different_items():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(3, 2)) * 0.1, rng.normal(size=(4, 2)) * 0.1 + 3
    f = between_bounds(a, b)
    aa, bb = dist(a, a)[np.triu_indices(3, 1)], dist(b, b)[np.triu_indices(4, 1)]
    errors = sum(np.trace(np.cov(z.T)) / len(z) for z in (a, b))
    assert f.margin > 0
    expected = math.sqrt(f.margin**2 + f.margin * (aa.mean() + bb.mean()) + errors)
    assert abs(f.by_margin - expected) <= rounding(a, b)


def test_the_tight_bound_and_the_printed_one_are_attained():
    one = within_bounds([[0.0]], [[2.0]], [[1.0]])
    assert one.distance == one.mean_distance == one.tight == one.loose == one.printed == 2


def test_the_theorem_as_printed_with_distances_of_inputs_is_false():
    inputs = [np.array([[0.0]]), np.array([[1.0]]), np.array([[3.0]])]
    found = within_bounds(*[10 * z for z in inputs])
    printed = 2 * max(found.m, dist(inputs[0], inputs[2]).max(), dist(inputs[1], inputs[2]).max())
    assert (found.distance, found.m, printed) == (10, -20, 6)
    assert found.distance > printed


def simplices(k, apart):
    """Two regular simplices of side √2 in orthogonal subspaces, their centres apart."""
    e = np.eye(k) - 1 / k
    zero = np.zeros((k, k))
    return np.c_[e, zero, np.zeros(k)], np.c_[zero, e, np.full(k, apart)]


@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_sharp_bound_and_that_by_the_margin_are_attained_by_regular_simplices(k):
    a, b = simplices(k, 4.0)
    found = between_bounds(a, b)
    assert abs(found.distance - 4) <= rounding(a, b)
    assert abs(found.sharp - 4) <= rounding(a, b)
    assert abs(found.by_margin - 4) <= rounding(a, b)


def test_a_margin_of_anchors_in_one_class_alone_leaves_centroids_together():
    turns = 2 * np.pi * np.arange(8) / 8
    ring = np.c_[np.cos(turns), np.sin(turns)]
    found = between_bounds(np.zeros((1, 2)), ring)
    assert found.margin_a == pytest.approx(1) and found.margin_b < 0
    assert found.distance <= rounding(ring) and found.sharp <= rounding(ring)


def tetrahedra(k, ratio):
    """x and y at one distance from all k corners of a regular simplex of side 1, at distance 1 from each other."""
    corners = (np.eye(k) - 1 / k) / math.sqrt(2)
    height = math.sqrt(ratio**2 - (1 - 1 / k) / 2)
    x, y = np.zeros((2, k + 2))
    x[k:] = math.sqrt(height**2 - 0.25), 0.5
    y[k:] = math.sqrt(height**2 - 0.25), -0.5
    return x[None], y[None], np.c_[corners, np.zeros((k, 2))]


@pytest.mark.parametrize("k", [2, 3, 20])
@pytest.mark.parametrize("beyond", [-1e-3, 1e-3])
def test_order_of_centroids_fails_up_to_the_threshold_and_holds_beyond_it(k, beyond):
    x, y, negatives = tetrahedra(k, order_threshold(k) + beyond)
    both = np.r_[x, y]
    assert between_bounds(both, negatives).margin > 0
    assert order_ratio(both, negatives) == pytest.approx(order_threshold(k) + beyond)
    to_own = np.linalg.norm(x.mean(0) - y.mean(0))
    to_other = np.linalg.norm(x.mean(0) - negatives.mean(0))
    assert (to_own < to_other) == (beyond > 0)


@settings(max_examples=200, deadline=None)
@given(sets(2))
def test_beyond_the_threshold_every_group_is_nearer_to_its_class(found):
    a, b = found
    if not order_ratio(a, b) > order_threshold():
        b = b + 10 * (dist(a, a).max() + dist(b, b).max() + 1)
    assert order_ratio(a, b) > order_threshold()
    parts = [list(itertools.chain(*(itertools.combinations(range(len(z)), r) for r in (1, 2)))) for z in (a, b)]
    for first, second in itertools.combinations(parts[0], 2):
        own = np.linalg.norm(a[list(first)].mean(0) - a[list(second)].mean(0))
        for third in parts[1]:
            other = np.linalg.norm(a[list(first)].mean(0) - b[list(third)].mean(0))
            assert own <= other + rounding(a, b)


def test_the_table_has_every_pair_of_groups_of_a_class_and_every_pair_of_classes():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(24, 3))
    y, groups = np.repeat(["a", "b"], 12), np.repeat(np.arange(6), 4)
    x[12:] += 3
    found = group_bounds(x, y, groups)
    assert found["kind"].value_counts().to_dict() == {"within": 12, "between": 1}
    row = found[(found["first"] == 4) & (found["second"] == 5)].iloc[0]
    assert row["tight"] == within_bounds(x[16:20], x[20:], x[:12]).tight
    assert found.iloc[-1]["by_margin"] == between_bounds(x[:12], x[12:]).by_margin


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: triplet_margins([[1.0]], [[1.0, 2.0]], [[1.0]]), "anchors has 1 features and positives has 2"),
        (lambda: within_bounds(np.empty((0, 2)), [[1.0, 2.0]], [[1.0, 2.0]]), "group has 0 rows"),
        (lambda: between_bounds([[1.0]], [[np.nan]]), "b[0, 0] is NaN"),
        (lambda: triplet_share([[1.0]], [[1.0]], [[1.0]], margin=math.nan), "margin is nan"),
        (lambda: group_bounds([[1.0], [2.0]], ["a", "a"], [0, 1]), "y has one class, 'a'"),
        (lambda: group_bounds([[1.0], [2.0], [3.0]], ["a", "b", "b"], [7, 7, 8]), "item 0 of class 'a' and item 1"),
        (lambda: order_threshold(0), "k is 0"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        call()


def test_distances_of_far_away_points_keep_their_digits():
    a, b = np.array([[0.0], [1.0]]) + 2.0**40, np.array([[5.0]]) + 2.0**40
    assert between_bounds(a, b).distance == 4.5
    assert squared_margins(a, b) == squared_margins(a - 2.0**40, b - 2.0**40)
