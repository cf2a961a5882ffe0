"""Errors of pairs that share members: against loops over pairs of pairs, and by simulation."""

import math

import numpy as np
import pytest
from scipy import stats
from tolerance import apart, of_a_share

from helpers.quality.words.shared_members import pair_error, share_interval, spearman_influences, spearman_interval


def test_influences_are_those_of_leaving_one_pair_out():
    rng = np.random.default_rng(2)
    x = rng.integers(0, 6, 150).astype(float)
    y = x + rng.integers(0, 8, 150)
    whole = stats.spearmanr(x, y)[0]
    left_out = np.array([stats.spearmanr(np.delete(x, i), np.delete(y, i))[0] for i in range(150)])
    found = spearman_influences(x, y)
    assert abs(found.mean()) < apart(150)
    # the two differ by terms of order 1 / n
    np.testing.assert_allclose(found, 149 * (whole - left_out), atol=0.1)


def by_pairs_of_pairs(e, left, right):
    """The variance, pair of pairs by pair of pairs."""
    n = len(e)
    shared = [[bool({left[i], right[i]} & {left[j], right[j]}) for j in range(n)] for i in range(n)]
    units = len(set(left) | set(right))
    return math.sqrt(max((np.outer(e, e) * shared).sum(), e @ e) * units / (units - 1)) / n


@pytest.mark.parametrize("members", [4, 12, 60])
def test_the_error_of_pairs_adds_all_pairs_of_pairs_that_share_a_member(members):
    rng = np.random.default_rng(members)
    left, right = rng.integers(0, members, (2, 80))
    of = rng.normal(size=members)
    e = of[left] + of[right] + rng.normal(size=80)
    error, units = pair_error(e - e.mean(), left, right)
    assert error == pytest.approx(by_pairs_of_pairs(e - e.mean(), left, right))
    assert units == len(set(left) | set(right))


def test_intervals_of_pairs_that_share_words_contain_the_true_correlation_as_often_as_they_say():
    rng, inside, n = np.random.default_rng(3), 0, 300

    def draw(words, pairs):
        left, right = rng.integers(0, words, (2, pairs))
        u = rng.normal(size=(words, 4))
        v = u + rng.normal(size=(words, 4))
        kept = left != right
        left, right = left[kept], right[kept]
        return (u[left] * u[right]).sum(axis=1), (v[left] * v[right]).sum(axis=1), left, right

    true = np.mean([stats.spearmanr(*draw(4000, 40000)[:2])[0] for _ in range(4)])
    for _ in range(n):
        found = spearman_interval(*draw(100, 500), 0.95)
        inside += found.low <= true <= found.high
    # an approximation: a point and a half below the level at this size
    assert inside / n > 0.95 - 0.015 - of_a_share(0.95, n)


def test_a_share_of_independent_pairs_has_wilsons_interval():
    right = np.arange(50) % 3 == 0
    low, high = share_interval(right, np.arange(50), np.arange(50, 100), 0.95)
    exact = stats.binomtest(int(right.sum()), 50).proportion_ci(0.95, "wilson")
    # the standard error of a sample divides by n - 1 members, Wilson's by n
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=0.5 / 50)
