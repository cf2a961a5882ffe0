"""Power: the level without a difference, and growth with the number of cells."""

import numpy as np
import pandas as pd
import pytest

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
    assert power(even, [30], test="t", n_resamples=4000).to_numpy() == pytest.approx(0.05, abs=0.02)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="sizes is 1"):
        power([[1, 2], [2, 1]], [1])
