"""Learned readouts do not see order, do not see what is masked, and have the values of their formulas."""

import numpy as np
import pytest
import torch
from tolerance import inner

from helpers.groups.sets import POOLINGS, AttentionPooling, DeepSets, SetTransformer, masked_mean

P = 8


@pytest.fixture
def items():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(3, 6, P)))


@pytest.fixture(params=POOLINGS)
def pooling(request):
    torch.manual_seed(0)
    return POOLINGS[request.param](P).double().eval()


#: Layers in a row, each an inner product of at most 64 terms, of numbers that are not far from 1.
CLOSE = {"rtol": 0, "atol": 64 * inner(64)}


def test_the_order_of_items_does_not_count(pooling, items):
    order = torch.from_numpy(np.random.default_rng(1).permutation(items.shape[1]))
    torch.testing.assert_close(pooling(items[:, order]), pooling(items), **CLOSE)


def test_items_that_are_masked_do_not_count(pooling, items):
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2, [True] + [False] * 5])
    found = pooling(torch.where(mask[..., None], items, 100.0), mask)
    for one, here, known in zip(found, items, mask, strict=True):
        torch.testing.assert_close(one, pooling(here[known][None])[0], **CLOSE)


def test_what_an_item_is_does_count_and_gradients_reach_all_of_them(pooling, items):
    items = items.clone().requires_grad_()
    pooling(items).square().sum().backward()
    assert (items.grad.abs().sum(dim=2) > 0).all()


def test_masked_means_are_means_of_what_is_there():
    items = torch.arange(12.0).reshape(2, 3, 2)
    mask = torch.tensor([[True, True, False], [False, True, False]])
    assert masked_mean(items, mask).tolist() == [[1.0, 2.0], [8.0, 9.0]]
    assert masked_mean(items).tolist() == items.mean(dim=1).tolist()


def test_a_sum_knows_how_many_items_there_are_and_a_mean_does_not(items):
    torch.manual_seed(0)
    twice = torch.cat([items, items], dim=1)
    mean, total = DeepSets(P).double(), DeepSets(P, pool="sum").double()
    torch.testing.assert_close(mean(twice), mean(items), **CLOSE)
    assert (total(twice) - total(items)).abs().max() > 1e-3


def test_attention_is_a_mean_of_values_with_weights_that_sum_to_one(items):
    torch.manual_seed(0)
    pooling = AttentionPooling(P).double()
    u, w = (pooling.score[i].weight.detach().numpy() for i in (0, 2))
    z = items[0].numpy()
    score = np.exp(np.tanh(z @ u.T + pooling.score[0].bias.detach().numpy()) @ w[0])
    weights = score / score.sum()
    np.testing.assert_allclose(pooling.weights(items)[0].detach().numpy(), weights, atol=64 * inner(64))
    value = z @ pooling.value.weight.detach().numpy().T + pooling.value.bias.detach().numpy()
    np.testing.assert_allclose(pooling(items)[0].detach().numpy(), weights @ value, atol=64 * inner(64))


def test_parameters_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="pool is 'max'"):
        DeepSets(P, pool="max")
    with pytest.raises(ValueError, match="heads must divide"):
        SetTransformer(P, heads=3)
