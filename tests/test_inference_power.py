"""Power: the level without a difference, and growth with the number of cells."""

import numpy as np
import pandas as pd
import pytest
import tolerance
from scipy import stats

from helpers.inference import power


def test_power_is_the_level_without_a_difference_and_grows_to_one_with_it():
    rng = np.random.default_rng(11)
    table = pd.DataFrame(rng.normal(size=(40, 3)), columns=["a", "b", "c"])
    table["c"] += 1.0
    for test in ("nemenyi", "t"):
        found = power(table, [5, 20, 80], test=test, n_resamples=500)
        assert found.index.tolist() == [5, 20, 80]
        assert found["a", "c"].is_monotonic_increasing and found["a", "c"].iloc[-1] > 0.95
    even = pd.DataFrame(np.vstack([np.eye(3), 1 - np.eye(3)]), columns=list("abc"))
    exact = level_of_t_on_thirds(30)
    width = tolerance.of_a_share(exact, 4000)
    assert power(even, [30], test="t", n_resamples=4000).to_numpy() == pytest.approx(exact, abs=width)


def level_of_t_on_thirds(n):
    """Of the t-test of n differences that are -1, 0 and 1 equally often, by going through all their numbers."""
    law, level = stats.multinomial(n, [1 / 3] * 3), 0.0
    for up in range(n + 1):
        for down in range(n + 1 - up):
            d = np.repeat([1.0, -1.0, 0.0], [up, down, n - up - down])
            rejected = abs(d.mean()) > stats.t.isf(0.025, n - 1) * d.std(ddof=1) / np.sqrt(n)
            level += rejected * law.pmf([up, down, n - up - down])
    return level


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="sizes is 1"):
        power([[1, 2], [2, 1]], [1])
