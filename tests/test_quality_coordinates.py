"""Lengths and rogue dimensions: values by hand and bad input."""

import numpy as np
import pytest

from helpers import quality


def test_the_spread_of_lengths_is_that_of_their_logarithm():
    x = np.random.default_rng(0).normal(size=(50, 4))
    lengths = np.exp(np.linspace(-2, 2, 50))
    assert quality.norm_spread(lengths[:, None] * x / np.linalg.norm(x, axis=1, keepdims=True)) == pytest.approx(
        np.linspace(-2, 2, 50).std()
    )
    assert quality.norm_spread(1e200 * x) == pytest.approx(quality.norm_spread(1e-200 * x))


def test_a_rogue_dimension_has_most_of_the_squares():
    x = np.random.default_rng(0).normal(size=(2000, 20))
    x[:, 3] += 30
    # 901 of 901 + 19 in the mean of the squares, and the mean of ratios is near the ratio of means.
    assert quality.rogue_share(x) == pytest.approx(901 / 920, rel=0.01)
    assert quality.rogue_share(np.eye(4)) == pytest.approx(0.25)


@pytest.mark.parametrize("function", [quality.norm_spread, quality.rogue_share])
def test_a_row_of_zeros_is_refused(function):
    with pytest.raises(ValueError, match="row 2 is zero"):
        function([[1.0, 0], [0, 1], [0, 0]])
