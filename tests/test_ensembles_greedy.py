"""Greedy choice by hand."""

import numpy as np
import pytest

from helpers.ensembles import Greedy


def test_greedy_by_hand():
    s = np.array([[1, 0.8, 0.1, 0.5], [0.8, 1, 0.2, 0.3], [0.1, 0.2, 1, 0.9], [0.5, 0.3, 0.9, 1]])
    q = [0.70, 0.69, 0.50, 0.60]
    fitted = Greedy(3, lam=0.5).fit([np.full((2, 1), float(i)) for i in range(4)], quality=q, similarity=s)
    # First 0. Then 0.69 - 0.4, 0.50 - 0.05, 0.60 - 0.25: 2. Then 0.69 - 0.5 * 0.5, 0.60 - 0.5 * 0.7: 1.
    assert fitted.order_ == ["0", "2", "1"]
    assert fitted.gains_ == pytest.approx([0.7, 0.45, 0.44])
    assert fitted.weights_.tolist() == pytest.approx([6 / 11, 2 / 11, 3 / 11, 0])
    assert fitted.transform(np.arange(4.0).reshape(1, 4, 1)) == pytest.approx(np.array([[8 / 11]]))
