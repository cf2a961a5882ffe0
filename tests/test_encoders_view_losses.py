"""Losses of two views, against formulas by hand and another package."""

import math

import numpy as np
import pytest
import torch
from tolerance import inner
from torch.nn import functional as F

from helpers.encoders.view_losses import (
    ViewObjective,
    align_uniform_loss,
    alignment_loss,
    barlow_twins_loss,
    decorrelation_penalty,
    nearest_neighbour_entropy,
    stop_gradient_loss,
    uniformity_loss,
    vicreg_loss,
    view_contrast,
)
from helpers.groups.losses import info_nce
from helpers.quality import alignment, uniformity


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(40, 6))
    return torch.from_numpy(a), torch.from_numpy(a + 0.3 * rng.normal(size=a.shape))


def test_alignment_and_uniformity_are_the_numbers_that_judge_arrays(pair):
    a, b = pair
    assert float(alignment_loss(a, b)) == pytest.approx(alignment([a.numpy(), b.numpy()]))
    assert float(uniformity_loss(a, 3.0)) == pytest.approx(uniformity(a.numpy(), t=3.0))
    both = alignment_loss(a, b, 1.5) + 0.7 * (uniformity_loss(a) + uniformity_loss(b)) / 2
    assert float(align_uniform_loss(a, b, weight=0.7, power=1.5)) == pytest.approx(float(both))


def test_the_contrast_of_two_views_is_info_nce_of_objects(pair):
    a, b = pair
    labels = torch.arange(len(a)).repeat(2)
    assert float(view_contrast(a, b, 0.2)) == pytest.approx(float(info_nce(torch.cat([a, b]), labels, 0.2)))


def test_vicreg_is_that_of_another_package(pair):
    from pytorch_metric_learning.losses import VICRegLoss

    a, b = pair
    peer = VICRegLoss(invariance_lambda=10, variance_mu=5, covariance_v=2)(a, ref_emb=b)
    ours = vicreg_loss(a, b, invariance=10, variance=5, covariance=2)
    assert float(ours) == pytest.approx(float(peer))


def test_barlow_twins_by_hand(pair):
    a, b = pair
    c = np.corrcoef(a.numpy().T, b.numpy().T)[:6, 6:]
    off = c[~np.eye(6, dtype=bool)]
    by_hand = np.sum((1 - np.diag(c)) ** 2) + 0.01 * np.sum(off**2)
    assert float(barlow_twins_loss(a, b, weight=0.01)) == pytest.approx(by_hand)


def test_decorrelated_features_of_variance_one_cost_nothing():
    corners = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]).double() * math.sqrt(3 / 4)
    # A variance of 1 gets 1e-4 added and stays above the hinge; sums of four terms.
    assert float(decorrelation_penalty(corners)) == pytest.approx(0, abs=inner(4))
    assert float(decorrelation_penalty(torch.ones(4, 2))) == pytest.approx(1 - math.sqrt(1e-4))


def test_what_is_predicted_gets_a_gradient_and_its_target_none(pair):
    a, b = (x.clone().requires_grad_() for x in pair)
    loss = stop_gradient_loss((2 * a, b), (a.detach(), b))
    by_hand = -(F.cosine_similarity(a, b).mean() + F.cosine_similarity(b, a).mean()) / 2
    assert float(loss.detach()) == pytest.approx(float(by_hand.detach()))
    loss.backward()
    assert a.grad.abs().sum() > 0
    only_targets = [x.clone().requires_grad_() for x in pair]
    stop_gradient_loss((a.detach().requires_grad_(), b.detach()), tuple(only_targets)).backward()
    assert all(x.grad is None for x in only_targets)


def test_the_entropy_of_one_point_is_least_and_gradients_stay_finite():
    z = torch.ones(5, 3, requires_grad=True)
    found = nearest_neighbour_entropy(z)
    found.backward()
    assert float(found) == pytest.approx(math.log(1e-6)) and torch.isfinite(z.grad).all()
    assert nearest_neighbour_entropy(torch.randn(50, 3, generator=torch.Generator().manual_seed(0))) > found


def test_a_teacher_follows_the_network_and_learns_nothing_itself(pair):
    network = torch.nn.Linear(6, 3).double()
    objective = ViewObjective(network, 3, "vicreg", teacher=0.75)
    before = objective.teacher.weight.clone()
    objective(*pair).backward()
    assert objective.teacher.weight.grad is None
    with torch.no_grad():
        network.weight += 1
    objective.after_step(1)
    assert torch.allclose(objective.teacher.weight, before + 0.25)
