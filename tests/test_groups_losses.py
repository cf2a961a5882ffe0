"""Each loss has the value that its formula gives by hand, in NumPy, on a small batch."""

import numpy as np
import pytest
import torch
from tolerance import inner, unit

from helpers.groups.losses import (
    all_triplets,
    group_group,
    group_item,
    group_loss,
    info_nce,
    medoids,
    replicator,
    self_distributed_groups,
)

CLASSES, ITEMS, P, TAU = 3, 4, 5, 0.2


@pytest.fixture
def z():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(CLASSES, ITEMS, P)))


def unit_rows(a):
    a = np.asarray(a)
    return a / np.linalg.norm(a, axis=-1, keepdims=True)


def cross_entropy(logits, own):
    return float(np.mean([np.log(np.exp(row).sum()) - row[k] for row, k in zip(logits, own, strict=True)]))


def close(found, by_hand, terms=P):
    """Cosines are off by at most ``inner(p)``; divided by the temperature they enter logarithms of sums."""
    assert float(found) == pytest.approx(by_hand, abs=4 * inner(terms) / TAU + 16 * unit() * abs(by_hand))


def test_info_nce_is_the_mean_over_positives_of_log_shares(z):
    items, labels = z.flatten(0, 1), torch.arange(CLASSES).repeat_interleave(ITEMS)
    s, y = unit_rows(items) @ unit_rows(items).T / TAU, labels.numpy()
    rows = []
    for i in range(len(y)):
        others = np.arange(len(y)) != i
        log_share = s[i] - np.log(np.exp(s[i][others]).sum())
        rows.append(-log_share[others & (y == y[i])].mean())
    close(info_nce(items, labels, TAU), np.mean(rows))


def test_triplets_average_the_hinge_where_it_is_positive(z):
    items, labels = z.flatten(0, 1), np.repeat(np.arange(CLASSES), ITEMS)
    u = unit_rows(items)
    d = np.linalg.norm(u[:, None] - u, axis=2)
    n = range(len(u))
    hinge = [
        d[a, p] - d[a, x] + 0.3
        for a in n
        for p in n
        for x in n
        if a != p and labels[a] == labels[p] and labels[a] != labels[x]
    ]
    hinge = np.array(hinge)
    found = all_triplets(items, torch.from_numpy(labels), 0.3)
    # A distance by way of a Gram matrix is the root of a square that is off by inner(p): least distances decide.
    least = d[d > 1e-6].min()
    assert float(found) == pytest.approx(hinge[hinge > 0].mean(), abs=4 * inner(P) / least + 1e-6)


def test_group_group_is_the_mean_of_both_directions(z):
    a, b = np.asarray(z[:, :2].mean(dim=1)), np.asarray(z[:, 2:].mean(dim=1))
    s = unit_rows(a) @ unit_rows(b).T / TAU
    by_hand = (cross_entropy(s, range(CLASSES)) + cross_entropy(s.T, range(CLASSES))) / 2
    close(group_group(torch.from_numpy(a), torch.from_numpy(b), TAU), by_hand)


def test_group_item_asks_each_item_for_the_other_group_of_its_class(z):
    items, features = z[:, :2], np.asarray(z[:, 2:].mean(dim=1))
    s = unit_rows(np.asarray(items).reshape(-1, P)) @ unit_rows(features).T / TAU
    by_hand = cross_entropy(s, np.repeat(np.arange(CLASSES), 2))
    close(group_item(items, torch.from_numpy(features), TAU), by_hand)


def test_items_in_the_place_of_groups_make_group_item_the_group_group_loss_of_one_direction(z):
    a, b = z[:, 0], z[:, 1]
    both = (group_item(a[:, None], b, TAU) + group_item(b[:, None], a, TAU)) / 2
    assert float(both) == pytest.approx(float(group_group(a, b, TAU)), abs=4 * inner(P) / TAU)


def test_the_medoid_has_the_least_sum_of_distances_and_gradients_reach_it_alone(z):
    z = z.clone().requires_grad_()
    found = medoids(z)
    for group, medoid in zip(z.detach().numpy(), found.detach().numpy(), strict=True):
        sums = np.linalg.norm(group[:, None] - group, axis=2).sum(axis=1)
        np.testing.assert_array_equal(medoid, group[np.argmin(sums)])
    found.sum().backward()
    assert (z.grad.abs().sum(dim=2) > 0).sum(dim=1).tolist() == [1] * CLASSES


def test_self_distribution_centres_by_the_running_means_and_averages_one_over_k():
    p = np.random.default_rng(0).dirichlet([5.0, 1.0, 1.0], size=200)
    expected = p.mean(axis=0)
    k = p.shape[1]
    centred = (p - expected) / k + 1 / k
    found = self_distributed_groups(torch.from_numpy(p), torch.from_numpy(expected)).numpy()
    np.testing.assert_array_equal(found, centred.argmax(axis=1))
    np.testing.assert_allclose(centred.mean(axis=0), 1 / k)
    plain, balanced = (np.bincount(g, minlength=k).max() / len(p) for g in (p.argmax(axis=1), found))
    assert plain > 0.85 > balanced


def test_a_step_of_the_replicator_is_growth_by_support_and_normalisation():
    rng = np.random.default_rng(0)
    x, w = rng.dirichlet(np.ones(3), size=6), rng.uniform(size=(6, 6))
    by_hand = x.copy()
    for _ in range(2):
        by_hand = by_hand * (w @ by_hand)
        by_hand /= by_hand.sum(axis=1, keepdims=True)
    found = replicator(torch.from_numpy(x), torch.from_numpy(w), 2).numpy()
    np.testing.assert_allclose(found, by_hand, rtol=32 * unit() * 6)


def test_an_item_that_nobody_resembles_keeps_its_probabilities():
    x = torch.tensor([[0.3, 0.7], [0.5, 0.5]])
    assert replicator(x, torch.zeros(2, 2), 3).tolist() == x.tolist()


def test_the_group_loss_is_cross_entropy_after_the_dynamics_over_correlations(z):
    items, labels = z.flatten(0, 1), np.repeat(np.arange(CLASSES), ITEMS)
    logits = np.random.default_rng(1).normal(size=(len(labels), CLASSES))
    anchors = np.arange(len(labels)) % ITEMS == 0
    w = np.maximum(np.corrcoef(np.asarray(items)), 0)
    np.fill_diagonal(w, 0)
    x = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    x[anchors] = np.eye(CLASSES)[labels[anchors]]
    x = x * (w @ x)
    x /= x.sum(axis=1, keepdims=True)
    by_hand = -np.log(x[~anchors, labels[~anchors]]).mean()
    tensors = (items, torch.from_numpy(logits), torch.from_numpy(labels), torch.from_numpy(anchors))
    close(group_loss(*tensors), by_hand, terms=len(labels) * P)
    with pytest.raises(ValueError, match="anchors are all items"):
        group_loss(*tensors[:3], torch.ones(len(labels), dtype=torch.bool))


@pytest.mark.parametrize("loss", ["info_nce", "triplet", "group_group", "group_item", "group_loss"])
def test_gradients_are_those_of_differences(loss, z):
    labels = torch.arange(CLASSES).repeat_interleave(ITEMS)
    anchors = torch.arange(CLASSES * ITEMS) % ITEMS == 0
    head = torch.from_numpy(np.random.default_rng(2).normal(size=(P, CLASSES)))
    losses = {
        "info_nce": lambda x: info_nce(x.flatten(0, 1), labels, TAU),
        "triplet": lambda x: all_triplets(x.flatten(0, 1), labels, 0.3),
        "group_group": lambda x: group_group(x[:, :2].mean(dim=1), x[:, 2:].mean(dim=1), TAU),
        "group_item": lambda x: group_item(x[:, :2], x[:, 2:].mean(dim=1), TAU),
        "group_loss": lambda x: group_loss(x.flatten(0, 1), x.flatten(0, 1) @ head, labels, anchors),
    }
    # Differences over 1e-6 have six digits left of rounding, and temperatures divide.
    assert torch.autograd.gradcheck(losses[loss], (z.clone().requires_grad_(),), atol=1e-4)
