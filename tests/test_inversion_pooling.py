"""Tests of :mod:`helpers.inversion.pooling`."""

import numpy as np
import pytest
import torch

from helpers.inversion.pooling import POOLINGS, make_pooling


@pytest.fixture
def states():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 5, 8, generator=generator), torch.arange(5)[None] < torch.tensor([[5], [3], [1]])


@pytest.mark.parametrize("name", POOLINGS)
def test_no_pooling_reads_what_stands_at_padding(name, states):
    x, mask = states
    pooling = make_pooling(name, 8, 12)
    changed = torch.where(mask[..., None], x, x + 100)
    assert torch.equal(pooling(x, mask), pooling(changed, mask))
    assert pooling(x, mask).shape == (3, 12)


@pytest.mark.parametrize("name", ["mean", "attention"])
def test_projected_poolings_weigh_what_the_formula_says(name, states):
    x, mask = states
    pooling = make_pooling(name, 8, 6)
    for row in range(3):
        real = x[row, mask[row]]
        weights = torch.full((len(real),), 1 / len(real))
        if name == "attention":
            scores = (real @ pooling.score.weight[0] + pooling.score.bias).exp()
            weights = scores / scores.sum()
        wanted = sum(weight * pooling.project(state) for weight, state in zip(weights, real, strict=True))
        # Sums of five products of entries below 10 in single precision.
        assert torch.allclose(pooling(x, mask)[row], wanted, atol=5 * 10 * 2**-23)


def test_each_head_has_weights_of_its_own_and_a_share_of_the_width(states):
    x, mask = states
    pooling = make_pooling("heads", 8, 6, n_heads=3)
    row = x[0]
    parts = []
    for head in range(3):
        weights = (row @ pooling.score.weight[head] + pooling.score.bias[head]).softmax(0)
        values = row @ pooling.value.weight[2 * head : 2 * head + 2].T + pooling.value.bias[2 * head : 2 * head + 2]
        parts.append(weights @ values)
    wanted = pooling.norm(torch.cat(parts))
    assert torch.allclose(pooling(x, mask)[0], wanted, atol=1e-5)  # layer norm divides by a spread of some 0.1


def test_the_first_state_is_taken_as_it_is_where_the_widths_are_equal(states):
    x, mask = states
    assert torch.equal(make_pooling("first", 8, 8)(x, mask), x[:, 0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("max", 8, 8), "pooling is 'max'; it is one of first, mean, attention, heads"),
        (("mean", 8, 0), "width"),
        (("heads", 8, 10, 4), "width is 10 and n_heads 4; n_heads has to divide width"),
    ],
)
def test_what_cannot_be_pooled_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        make_pooling(*arguments)


def test_weights_are_drawn_by_torch_so_that_a_seed_decides_them():
    made = []
    for _ in range(2):
        torch.manual_seed(3)
        made.append(make_pooling("heads", 4, 4).value.weight.detach().numpy())
    assert np.array_equal(*made)
