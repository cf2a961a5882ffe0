"""Paired comparisons: cases by hand, exact enumeration, and error rates by simulation."""

import numpy as np
import pandas as pd
import pytest
import tolerance
from scipy import stats

from helpers.inference import holm, interval, paired
from helpers.inference.paired import two_sided_p


def test_holm_is_the_step_down_by_hand():
    # sorted 0.01, 0.02, 0.03, 0.5 times 4, 3, 2, 1, then made monotone
    p = pd.Series([0.02, 0.5, 0.01, 0.03], list("abcd"))
    assert holm(p).to_dict() == pytest.approx({"a": 0.06, "b": 0.5, "c": 0.04, "d": 0.06})
    assert holm([0.6, 0.7]).tolist() == [1, 1]


def test_sign_flips_of_few_items_are_enumerated():
    d = np.array([1.0, 2.0, 3.0, 4.0])
    found = paired(d, np.zeros(4))
    assert found.p == pytest.approx(2 / 16) and found.verdict == "not distinguishable"
    by_scipy = stats.permutation_test((np.array([1, 2, 3, -1.5]),), np.mean, permutation_type="samples")
    assert paired([1, 2, 3, -1.5], [0, 0, 0, 0]).p == pytest.approx(by_scipy.pvalue)
    assert paired([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])[:5] == (0, 0, 0, 1, "not distinguishable")


@pytest.mark.parametrize("n", [2, 9, 17, 20])
def test_up_to_twenty_items_every_sign_is_tried(n):
    d = np.round(np.random.default_rng(n).normal(0.4, 1, size=n), 1)  # rounded, so that sums tie with the observed one
    flipped = np.array([0])
    for one in np.round(10 * d).astype(int):  # integers have no rounding: the enumeration of reference
        flipped = np.concatenate([flipped + one, flipped - one])
    expected = np.mean(np.abs(flipped) >= abs(np.round(10 * d).sum()))
    assert paired(d, np.zeros(n), n_resamples=99).p == expected


def test_sampled_sign_flips_are_near_the_exact_value():
    d = np.random.default_rng(1).normal(0.4, 1, size=21)
    exact = paired(d, np.zeros(21), n_resamples=2**21).p
    sampled = paired(d, np.zeros(21)).p
    width = tolerance.of_a_share(exact, 9999) + 1 / 10000  # the data themselves count as one more sample
    assert sampled == pytest.approx(exact, abs=width) and sampled != exact


def test_a_and_b_exchanged_turn_the_verdict_around():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.5, 1, 100), rng.normal(0, 1, 100)
    one, other = paired(a, b), paired(b, a)
    assert (one.verdict, other.verdict) == ("better", "worse") and one.p == other.p
    assert one.difference == -other.difference == one.estimate


def test_the_corrected_t_is_as_by_hand():
    d = np.array([0.02, 0.01, 0.03, 0.00, 0.02])
    found = paired(0.7 + d, np.full(5, 0.7), overlap=1 / 4)
    t = d.mean() / np.sqrt((1 / 5 + 1 / 4) * d.var(ddof=1))
    assert found.p == pytest.approx(2 * stats.t.sf(t, 4)) and found.verdict == "not distinguishable"
    plain = paired(0.7 + d, np.full(5, 0.7), overlap=0)
    assert plain.p == pytest.approx(stats.ttest_1samp(d, 0).pvalue) and plain.verdict == "better"


def test_draws_of_two_scores_give_the_interval_of_their_difference():
    draws = np.arange(1, 1000) / 1000
    found = paired(0.8, 0.5, draws=(draws, np.full(999, 0.01)))
    assert found.difference == pytest.approx(0.3) and found.low == pytest.approx(0.01595)  # 24.95 steps above -0.009
    assert found.p == pytest.approx(2 * 11 / 1000) and found.verdict == "better"
    assert f"{interval(draws, None, estimate=0.4):.3f}" == "0.400 [0.026, 0.974]"


def test_the_level_of_every_paired_test_is_held_without_a_difference():
    rng = np.random.default_rng(6)
    n_tests, wrong = 200, {"sign-flip": 0, "bootstrap": 0}
    for _ in range(n_tests):
        a, b = rng.exponential(size=(2, 40))
        for test in wrong:
            wrong[test] += paired(a, b, test=test, n_resamples=299, rng=rng).verdict != "not distinguishable"
    slack = tolerance.of_a_share(0.05, n_tests)
    assert all(count / n_tests < 0.05 + slack for count in wrong.values()), wrong
    assert wrong["sign-flip"] > 0  # which chance alone makes with a probability of 0.95**200 < 1e-4


def test_overlapping_folds_need_the_correction():
    # Folds correlate as n_test / (n_test + n_train), the assumption under which Nadeau and Bengio derive the variance.
    rng, k, n_tests = np.random.default_rng(7), 5, 4000
    rho = 1 / k
    d = np.sqrt(rho) * rng.normal(size=(n_tests, 1)) + np.sqrt(1 - rho) * rng.normal(size=(n_tests, k))
    corrected, naive = (
        np.mean([paired(row, np.zeros(k), overlap=overlap).p <= 0.05 for row in d]) for overlap in (1 / (k - 1), 0)
    )
    assert corrected == pytest.approx(0.05, abs=tolerance.of_a_share(0.05, n_tests))
    inflated = np.sqrt(1 + k * rho / (1 - rho))  # the naive t is so many times a Student's t
    level = 2 * stats.t.sf(stats.t.isf(0.025, k - 1) / inflated, k - 1)
    assert naive == pytest.approx(level, abs=tolerance.of_a_share(level, n_tests)) and level > 0.12


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: paired([1.0, 2.0], [1.0]), ValueError, "a has 2 values and b has 1"),
        (lambda: paired([1.0, np.nan], [1.0, 2.0]), ValueError, r"a\[1\] is nan"),
        (lambda: paired([1.0], [2.0]), ValueError, "at least 2"),
        (lambda: paired(["x", "y"], [1, 2]), TypeError, "a has dtype"),
        (lambda: paired([1.0, 2.0], [1.0, 3.0], overlap=-0.1), ValueError, "overlap is -0.1"),
        (lambda: paired([1.0, 2.0], [1.0, 3.0], overlap=0.1, groups=[0, 1]), ValueError, "exclude"),
        (lambda: paired([1.0, 2.0], [1.0, 3.0], test="z"), ValueError, "sign-flip"),
        (lambda: paired([1.0, 2.0], [1.0, 3.0], groups=[0, 0]), ValueError, "at least 2 groups"),
        (lambda: paired([1.0, 2.0], [1.0, 3.0], groups=[0]), ValueError, "one label for each of the 2 items"),
        (lambda: paired([1.0, 2.0], [1.0, 2.0], draws=([1, 2], [1, 2])), ValueError, "the two scores"),
        (lambda: paired(1.0, 2.0, draws=([1, 2], [1, 2, 3])), ValueError, "lengths 2 and 3"),
        (lambda: holm([0.5, 1.5]), ValueError, r"p\[1\] is 1.5"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_p_value_of_two_sides_is_no_more_than_one_whatever_the_rounding():
    ratios, freedoms = 10.0 ** np.arange(-20, 0, 0.25), 10.0 ** np.arange(-1, 4, 0.25)
    p = np.array([[two_sided_p(sign * ratio, df) for ratio in ratios for sign in (-1, 1)] for df in freedoms])
    assert p.max() <= 1 and p.min() > 0.5
    assert np.array_equal(p[:, ::2], p[:, 1::2])
    raw = 2 * stats.t.sf(ratios[None], freedoms[:, None])
    assert np.array_equal(p[:, ::2], np.minimum(raw, 1))
