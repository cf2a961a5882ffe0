"""Unit rows: lengths, dtypes, extremes of the range, rows without a direction."""

import numpy as np
import pytest
import tolerance
import torch

from helpers.arrays import unit_rows


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e-38, 1e-30, 1.0, 1e30, 1e37])
def test_rows_have_length_one_in_their_own_type_however_long_they_are(dtype, scale):
    x = (np.random.default_rng(0).uniform(1, 3, size=(40, 7)) * scale).astype(dtype)
    x[3] = 0
    for found in (unit_rows(x), unit_rows(torch.from_numpy(x)).numpy()):
        assert found.dtype == x.dtype and (found[3] == 0).all()
        lengths = np.linalg.norm(np.delete(found, 3, axis=0).astype(float), axis=1)
        assert lengths == pytest.approx(np.ones(39), abs=2 * tolerance.inner(7, dtype))


def test_a_row_does_not_depend_on_the_others():
    x = np.random.default_rng(0).normal(size=(5, 6))
    other = x.copy()
    other[0] = 1e200
    assert np.array_equal(unit_rows(x)[1:], unit_rows(other)[1:])
    assert np.array_equal(unit_rows(x), x / np.linalg.norm(x, axis=1, keepdims=True))
    assert np.array_equal(unit_rows(np.stack([x, other]))[1], unit_rows(other))


def test_a_row_without_direction_is_refused_where_asked():
    with pytest.raises(ValueError, match="views: row 2 is zero and has no direction"):
        unit_rows(np.array([[1.0, 0], [0, 1], [0, 0]]), zero="raise", name="views")
    with pytest.raises(ValueError, match="zero is 'drop'"):
        unit_rows(np.eye(2), zero="drop")
