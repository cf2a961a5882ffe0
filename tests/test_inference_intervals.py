"""Intervals: agreement with SciPy, resampling of rows and groups, and coverage by simulation."""

import numpy as np
import pytest
import tolerance
from scipy import stats

from helpers.inference import Interval, interval, paired


def test_intervals_agree_with_scipy_and_degenerate_to_a_point():
    values = np.random.default_rng(3).exponential(size=60)
    ours = interval(values, n_resamples=999, rng=np.random.default_rng(5))
    theirs = stats.bootstrap((values,), np.mean, n_resamples=999, rng=np.random.default_rng(5)).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    assert interval(np.ones(20))[:3] == (1, 1, 1)


def test_rows_are_resampled_whole_and_groups_too():
    rng = np.random.default_rng(4)
    x = rng.normal(size=80)
    pairs = np.column_stack([x, x + rng.normal(size=80)])
    found = interval(pairs, lambda rows: np.corrcoef(rows.T)[0, 1], n_resamples=499)
    assert found.low < found.estimate < found.high and found.estimate == pytest.approx(np.corrcoef(pairs.T)[0, 1])
    copies = interval(np.repeat(x, 4), groups=np.repeat(np.arange(80), 4), n_resamples=1999)
    once = interval(x, n_resamples=1999)
    assert copies.high - copies.low == pytest.approx(once.high - once.low)
    assert paired(np.repeat(x, 4), np.zeros(320), groups=np.repeat(np.arange(80), 4)).p == pytest.approx(
        paired(x, np.zeros(80)).p
    )


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng, n_tests = np.random.default_rng(8), 400
    for level in (0.8, 0.95):
        found = [
            interval(rng.exponential(size=50), confidence_level=level, n_resamples=299, rng=rng) for _ in range(n_tests)
        ]
        covered = np.mean([low <= 1 <= high for _, low, high, _ in found])
        # Intervals of the second order err in the order of 1 / n; here by 0.02, in ten times as many simulations.
        assert covered == pytest.approx(level, abs=1 / 50 + tolerance.of_a_share(level, n_tests))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: interval([1.0, 2.0], confidence_level=1.0), ValueError, "level is 1.0"),
        (lambda: interval([1.0, 2.0], n_resamples=-1), ValueError, "n_resamples is -1"),
        (lambda: interval([1.0, 2.0], method="student"), ValueError, "bca"),
        (lambda: interval([[[1.0]]]), ValueError, "shape"),
        (lambda: interval([1.0, 2.0], estimate=1.0), ValueError, "estimate is for draws"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_zero_that_is_written_has_no_sign():
    found = Interval(-0.001, -0.004, 0.2, 0.95)
    assert f"{found:+.2f}" == "0.00 [0.00, +0.20]" and f"{found:.1f}" == "0.0 [0.0, 0.2]"
    assert f"{found:.0%}" == "0% [0%, 20%]" and f"{found:+.3f}" == "-0.001 [-0.004, +0.200]"
    assert f"{Interval(-10, -np.inf, np.nan, 0.95):+.0f}" == "-10 [-inf, +nan]"
