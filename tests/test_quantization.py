"""Fewer bytes: what is decoded is as near as the grid allows, and bits are Hamming distances."""

import numpy as np
import pytest

from helpers.arrays import unit_rows
from helpers.quantization import QUANTIZERS, Binary, Int8, bytes_of


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(500, 13)).astype(np.float32)


def test_a_byte_is_off_by_half_a_step_at_most(x):
    made = Int8(tail=0).fit(x)
    # Half a step of the grid, and the rounding of the place on it, up to 255, in single precision.
    assert np.all(np.abs(made(x) - x) <= made.step_ * (0.5 + 255 * np.finfo(np.float32).eps))


def test_what_lies_beyond_the_grid_is_cut_to_its_end(x):
    made = Int8(tail=0.01).fit(x)
    ends = np.array([[-1e6] * 13, [1e6] * 13], dtype=np.float32)
    assert made.encode(ends).tolist() == [[-128] * 13, [127] * 13]


def test_a_constant_column_keeps_its_value(x):
    x[:, 3] = 2.5
    assert np.all(Int8().fit(x)(x)[:, 3] == 2.5)


def test_cosines_of_bits_are_hamming_distances(x):
    made = Binary().fit(x)
    codes, vectors = made.encode(x), unit_rows(made(x).astype(np.float64))
    hamming = np.unpackbits(codes[:1] ^ codes, axis=1, count=13).sum(axis=1)
    np.testing.assert_allclose(vectors[0] @ vectors.T, 1 - 2 * hamming / 13, atol=13 * np.finfo(float).eps)


@pytest.mark.parametrize("storage", list(QUANTIZERS))
def test_codes_take_the_bytes_that_are_stated(storage, x):
    codes = QUANTIZERS[storage]().fit(x).encode(x)
    assert codes.nbytes == len(x) * bytes_of(storage, 13)


def test_bad_arguments_are_named(x):
    with pytest.raises(ValueError, match="storage is 'int4'"):
        bytes_of("int4", 8)
    with pytest.raises(ValueError, match="tail is 0.5"):
        Int8(tail=0.5).fit(x)
