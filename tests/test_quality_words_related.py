"""Relatedness against SciPy and simulations, and what it says of words that it does not know."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tolerance import apart, of_a_share

from helpers.quality.words import WordVectors, relatedness
from helpers.quality.words._shares import pair_error, share_interval, spearman_influences, spearman_interval

RNG = np.random.default_rng(0)
WORDS = [f"w{i}" for i in range(40)]
VECTORS = WordVectors(WORDS, RNG.normal(size=(40, 5)))


def made_pairs(n=100, rng=1):
    rng = np.random.default_rng(rng)
    left, right = rng.integers(0, 40, (2, n))
    return pd.DataFrame({"left": [WORDS[i] for i in left], "right": [WORDS[i] for i in right],
                         "score": rng.integers(0, 5, n)})  # fmt: skip


def test_the_correlation_is_that_of_scipy_and_no_score_counts_twice():
    pairs = made_pairs()
    x = VECTORS.x / np.linalg.norm(VECTORS.x, axis=1, keepdims=True)
    left, right = (VECTORS.rows(pairs[side]) for side in ("left", "right"))
    row = relatedness(VECTORS, pairs).iloc[0]
    assert row["spearman"] == pytest.approx(stats.spearmanr((x[left] * x[right]).sum(axis=1), pairs["score"])[0])
    assert row["ci_low"] < row["spearman"] < row["ci_high"]
    assert (row["pairs"], row["covered"], row["coverage"], row["unknown"]) == (100, 100, 1.0, 0)


def test_unknown_words_are_counted_named_and_never_dropped_in_silence():
    pairs = made_pairs(50)
    more = pd.concat([pairs, pd.DataFrame({"left": ["zebra", "w1"], "right": ["w1", "yak"], "score": [4.0, 0.0]})])
    table = relatedness(VECTORS, {"ours": more})
    row = table.loc["ours"]
    assert (row["pairs"], row["covered"], row["unknown"]) == (52, 50, 2)
    assert table.attrs["unknown"]["ours"] == ["yak", "zebra"]
    assert row["spearman"] == pytest.approx(relatedness(VECTORS, pairs)["spearman"].iloc[0])
    x = VECTORS.unit
    cosine = (x[VECTORS.rows(pairs["left"])] * x[VECTORS.rows(pairs["right"])]).sum(axis=1)
    filled = np.append(cosine, [cosine.mean()] * 2)
    assert row["spearman_all"] == pytest.approx(stats.spearmanr(filled, more["score"])[0])


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (made_pairs(4), "4 pairs are covered"),
        (made_pairs().assign(score=1.0), "all scores"),
        (made_pairs().assign(right=lambda t: t["left"]), "all cosines"),
    ],
)
def test_a_correlation_that_is_not_defined_is_missing_with_the_reason(pairs, said):
    row = relatedness(VECTORS, pairs).iloc[0]
    assert math.isnan(row["spearman"]) and said in row["note"]


def test_a_level_out_of_range_and_no_set_are_refused():
    with pytest.raises(ValueError, match="confidence_level"):
        relatedness(VECTORS, made_pairs(), confidence_level=95)
    with pytest.raises(ValueError, match="at least one set"):
        relatedness(VECTORS, {})


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
