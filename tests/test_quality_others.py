"""Agreement with other representations, and bad input."""

import numpy as np
import pytest

from helpers import quality
from helpers.similarity.cka import cka


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 5)) @ np.diag([3.0, 2.0, 1.0, 1.0, 0.5]) + 1


def test_agreement_is_the_mean_similarity_with_the_others(x):
    others = [x[:, :2], x**2, np.tanh(x)]
    assert quality.agreement(x, others) == pytest.approx(np.mean([cka(x, other) for other in others]))
    assert quality.agreement(x, others, measure=lambda a, b: b.shape[1]) == pytest.approx(4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quality.agreement(np.eye(3), []), "others is empty"),
        (lambda: quality.agreement(np.eye(3), [np.eye(3)], measure="procrustes"), "measure is 'procrustes'"),
    ],
)
def test_bad_input_is_refused_and_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
