"""Objectives: their heads have the values of their formulas, and momentum grouping moves as its switches say."""

import numpy as np
import pytest
import torch
from tolerance import inner, unit
from torch import nn
from torch.nn import functional as F

from helpers.groups.networks import GroupAware, UnitLength, convolutions, perceptron
from helpers.groups.objectives import OBJECTIVES, GroupFace, MomentumGroups, ReplicatorHead
from helpers.groups.sampling import GroupBatch

P = 6


@pytest.fixture
def z():
    return F.normalize(torch.from_numpy(np.random.default_rng(0).normal(size=(3, 2, 4, P))).float(), dim=-1)


CLASSES = torch.arange(3)


def mean_pooling(z):
    return z.mean(dim=-2)


def test_arc_face_adds_the_margin_to_the_angle_of_the_own_class(z):
    torch.manual_seed(0)
    face = GroupFace(mean_pooling, P, 3, scale=8.0, margin=20.0)
    directions = face.arc.W.detach().numpy().astype(float)
    u, v = np.asarray(z, dtype=float).reshape(-1, P), directions / np.linalg.norm(directions, axis=0)
    own = np.repeat(np.arange(3), 8)
    cosine = u / np.linalg.norm(u, axis=1, keepdims=True) @ v
    turned = cosine[np.arange(24), own]
    cosine[np.arange(24), own] = np.cos(np.arccos(turned) + np.deg2rad(20))
    logits = 8 * cosine
    by_hand = np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(24), own])
    # A cosine in single precision is off by inner(p); its angle by that over the sine, which is not small here.
    slack = 8 * 8 * inner(P, "float32") / np.sin(np.arccos(turned)).min()
    assert face.of(z, CLASSES).item() == pytest.approx(by_hand, abs=slack)


def test_group_face_adds_the_cross_entropy_of_self_distributed_groups(z):
    torch.manual_seed(0)
    face = GroupFace(mean_pooling, P, 3, n_latent=4, weight=0.5, momentum=0.9)
    network = face.prepared(nn.Identity(), P)
    rows = np.arange(24).reshape(3, 2, 4)
    found = face(network, lambda rows: z.reshape(-1, P)[rows], GroupBatch(rows, np.arange(3)))
    logits = network.logits.detach()
    p = torch.softmax(logits, dim=1)
    expected = 0.9 / 4 + 0.1 * p.mean(dim=0)
    torch.testing.assert_close(face.expected, expected)
    labels = (p - expected).argmax(dim=1)
    by_hand = face.of(network(z.reshape(-1, P)).reshape(z.shape), CLASSES) + 0.5 * F.cross_entropy(logits, labels)
    torch.testing.assert_close(found, by_hand)


def test_a_group_aware_embedding_adds_maps_by_their_probabilities():
    torch.manual_seed(0)
    x = torch.randn(5, P)
    aware = GroupAware(nn.Identity(), P, 3)
    found = aware(x).detach()
    p = torch.softmax(aware.decide(x), dim=1).detach()
    for i in range(5):
        v = x[i] + sum(p[i, k] * (aware.maps[k].detach() @ x[i]) for k in range(3))
        torch.testing.assert_close(found[i], v / v.norm(), rtol=0, atol=16 * inner(3 * P, "float32"))


def test_the_replicator_head_knows_its_anchors_and_refuses_to_know_all(z):
    torch.manual_seed(0)
    assert float(ReplicatorHead(mean_pooling, P, 3, anchors=2).of(z, CLASSES)) > 0
    with pytest.raises(ValueError, match="anchors is 8, and a batch has 8 items"):
        ReplicatorHead(mean_pooling, P, 3, anchors=8).of(z, CLASSES)


def smog(**options):
    torch.manual_seed(0)
    return MomentumGroups(mean_pooling, 2, 2, **({"n_groups": 2, "teacher": 0.0, "normalize": False} | options))


def test_groups_move_by_momentum_towards_the_items_that_are_nearest_to_them():
    found = smog(momentum=0.8)
    found.groups.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    z = F.normalize(torch.tensor([[2.0, 1.0], [3.0, 1.0]]), dim=1)
    by_hand = 0.8 * np.array([1.0, 0.0]) + 0.2 * z.numpy().mean(axis=0)
    moved = found.moved(z).numpy()
    np.testing.assert_allclose(moved[0], by_hand / np.linalg.norm(by_hand), atol=8 * unit("float32"))
    np.testing.assert_array_equal(moved[1], [0.0, 1.0])  # nobody is nearest to it


def test_the_loss_asks_view_a_for_the_group_of_view_b():
    found = smog(temperature=0.5)
    found.groups.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    a, b = (F.normalize(torch.tensor(v), dim=1) for v in ([[3.0, 1.0]], [[1.0, 2.0]]))
    logits = (a @ found.moved(a).T / 0.5).detach().numpy()[0]
    by_hand = np.log(np.exp(logits).sum()) - logits[1]
    assert found.of(a, b).item() == pytest.approx(by_hand, abs=32 * unit("float32"))


@pytest.mark.parametrize("gradients", [True, False])
def test_gradients_flow_through_the_moved_groups_or_do_not(gradients):
    found = smog(gradients=gradients, momentum=0.5)
    found.groups.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    a = F.normalize(torch.tensor([[3.0, 1.0], [1.0, 5.0]]), dim=1)
    x = a.clone().requires_grad_()
    found.of(x, a).backward()
    y = a.clone().requires_grad_()
    fixed = found.groups.clone()
    found.groups.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    F.cross_entropy(y @ fixed.T / 0.1, torch.tensor([0, 1])).backward()
    assert torch.allclose(x.grad, y.grad) != gradients


def blobs():
    rng = np.random.default_rng(0)
    return torch.from_numpy(np.repeat([[1.0, 0.0], [0.0, 1.0]], 40, axis=0) + rng.normal(size=(80, 2)) / 50).float()


def test_groups_begin_as_clusters_or_as_drawn():
    x = blobs()
    for start, at_clusters in (("kmeans", True), ("random", False)):
        found = smog(start=start)
        found.start(UnitLength(), lambda rows: x[rows], len(x), 0)
        assert (float((found.groups @ torch.eye(2)).max(dim=0).values.min()) > 0.99) == at_clusters


def test_groups_are_made_again_when_it_is_time_and_never_if_so_wished():
    x = blobs()
    for every, steps, again in ((10, 10, True), (10, 11, False), (0, 10, False)):
        found = smog(regroup_every=every)
        before = found.groups.clone()
        found.after_step(UnitLength(), lambda rows: x[rows], len(x), 0, steps)
        assert torch.equal(found.groups, before) != again


def test_a_collapsed_space_is_regrouped_without_an_error():
    found = MomentumGroups(mean_pooling, 2, 2, n_groups=4, teacher=0.0, normalize=False)
    found.start(UnitLength(), lambda rows: torch.ones(len(rows), 2), 50, 0)
    assert torch.isfinite(found.groups).all()


def test_the_teacher_is_a_moving_average_of_the_network():
    found = smog(teacher=0.9)
    network = found.prepared(nn.Linear(3, 2), 2)
    before = found.teacher.weight.clone()
    with torch.no_grad():
        network.weight.add_(1.0)
    found.after_step(network, None, 0, 0, 1)
    torch.testing.assert_close(found.teacher.weight, 0.9 * before + 0.1 * network.weight.detach())


def test_views_are_an_item_and_another_one_of_its_group():
    groups = np.array([0, 0, 1, 2, 2, 2])
    epoch = smog(batch=6).batches(np.zeros(6, dtype=int), groups, per_epoch=20)(np.random.default_rng(0), 0)
    for rows, _ in epoch:
        assert (groups[rows[0]] == groups[rows[1]]).all()
        alone = groups[rows[0]] == 1
        assert (rows[0] == rows[1]).tolist() == alone.tolist()


def test_more_groups_than_items_are_refused():
    with pytest.raises(ValueError, match="n_groups is 9, and x has 6 items"):
        smog(n_groups=9).batches(np.zeros(6, dtype=int), np.arange(6))


@pytest.mark.parametrize(
    "options, words", [({"momentum": 1.0}, "momentum is 1.0"), ({"start": "pca"}, "start is 'pca'")]
)
def test_switches_out_of_range_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        smog(**options)


def test_every_objective_has_gradients_for_the_network():
    torch.manual_seed(0)
    x = torch.randn(24, 5)
    for name, make in OBJECTIVES.items():
        objective = make(mean_pooling, P, 3, **({"n_groups": 4} if name == "momentum_groups" else {}))
        network = objective.prepared(nn.Sequential(nn.Linear(5, P), UnitLength()), P)
        batches = objective.batches(np.repeat([0, 1, 2], 8), np.arange(24) // 4, n_items=2, per_epoch=1)
        objective.start(network, lambda rows: x[rows], 24, 0)
        objective(network, lambda rows: x[rows], batches(np.random.default_rng(0), 0)[0]).backward()
        weights = [w for w in network.parameters() if w.requires_grad]
        assert any(w.grad is not None and w.grad.abs().sum() > 0 for w in weights), name


def test_networks_give_unit_rows_of_the_width_asked_for():
    x = torch.randn(7, 5) * torch.tensor([1.0, 100.0, 0.0, 1.0, 1.0])
    images = torch.rand(7, 28, 20)
    for network, items in ((perceptron(x, (9,), 4), x), (convolutions((28, 20), 2, 4), images)):
        z = network(items)
        assert z.shape == (7, 4)
        torch.testing.assert_close(z.norm(dim=1), torch.ones(7))
