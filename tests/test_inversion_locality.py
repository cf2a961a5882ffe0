"""Tests of :mod:`helpers.inversion.locality`."""

import numpy as np
import pytest
from inversion_texts import TEXTS, small_inverter

from helpers.inversion import between, noisy_vectors, under_noise


@pytest.fixture(scope="module")
def inverter():
    return small_inverter()


def test_noise_is_measured_in_the_spread_of_the_vectors(inverter):
    x = np.tile(inverter.centre_, (4000, 1))
    noise = noisy_vectors(inverter, x, 0.5, rng=1) - x
    n = noise.size
    # The standard deviation of n normal numbers errs by 1 / sqrt(2 n) of itself.
    assert noise.std() == pytest.approx(0.5 * inverter.spread_, rel=5 / np.sqrt(2 * n))
    twice = noisy_vectors(inverter, x, 1.0, rng=1) - x
    assert np.allclose(twice, 2 * noise, atol=1e-5)


def test_texts_are_lost_as_noise_grows(inverter):
    found = under_noise(inverter, TEXTS, (0.0, 20.0)).groupby("sigma")["exact"].mean()
    assert found[0.0] == 1
    assert found[20.0] < 1
    assert len(under_noise(inverter, TEXTS[:2], (0.0, 1.0))) == 4


def test_the_way_between_two_texts_begins_and_ends_with_them(inverter):
    found = between(inverter, TEXTS[0], TEXTS[-1], steps=5)
    assert found["share"].tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert found["written"].iloc[[0, -1]].tolist() == [TEXTS[0], TEXTS[-1]]


@pytest.mark.parametrize(
    "call", [lambda m: noisy_vectors(m, np.ones((1, 12)), -1), lambda m: between(m, "a", "b", steps=1)]
)
def test_values_out_of_range_are_refused(inverter, call):
    with pytest.raises(ValueError, match="sigma|steps"):
        call(inverter)
