"""What a :class:`helpers.groups.GroupEncoder` minimises: losses with their heads, their batches and what they keep.

:data:`OBJECTIVES` knows them by name. Each is a module that is trained with the network: it makes the batches that it
needs, gives the loss of one, and may change something of its own after each step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from helpers.arrays import check_count
from helpers.groups.losses import (
    all_triplets,
    group_group,
    group_item,
    group_loss,
    info_nce,
    self_distributed_groups,
)
from helpers.groups.networks import GroupAware, UnitLength
from helpers.groups.sampling import GroupBatch, GroupBatches

__all__ = [
    "OBJECTIVES",
    "BetweenGroups",
    "BetweenItems",
    "GroupFace",
    "MomentumGroups",
    "Objective",
    "ReplicatorHead",
]

Items = Callable[[np.ndarray], torch.Tensor]  # rows of items to what the network takes
Pooling = Callable[[torch.Tensor], torch.Tensor]  # items (sets, n, p) to vectors (sets, p)


class Objective(nn.Module):
    """A loss of the items of two groups of each class.

    Parameters
    ----------
    pooling
        What makes a feature of the items of a group.
    width
        Features of an embedding.
    n_classes
        Classes of the training items.
    """

    two_groups = False  # whether a class with one group has nothing to learn from
    uses_pooling = False  # whether a learned pooling is trained by it

    def __init__(self, pooling: Pooling, width: int, n_classes: int):
        super().__init__()

    def batches(self, classes: np.ndarray, groups: np.ndarray, **sizes: Any) -> Callable:
        """Batches for :func:`helpers.training.train`; sizes as of :class:`helpers.groups.sampling.GroupBatches`."""
        if not self.two_groups:
            sizes = sizes | {"alone": "halve"}
        return GroupBatches(classes, groups, **sizes)

    def prepared(self, network: nn.Module, width: int) -> nn.Module:
        """The network with what the objective adds to it."""
        return network

    def start(self, network: nn.Module, items: Items, n: int, seed: int) -> None:
        """Called once before the first step."""

    def after_step(self, network: nn.Module, items: Items, n: int, seed: int, step: int) -> None:
        """Called after each step, without gradients."""

    def forward(self, network: nn.Module, items: Items, batch: Any) -> torch.Tensor:
        """The loss of a batch."""
        shape = batch.rows.shape
        z = network(items(batch.rows.ravel()))
        return self.of(z.reshape(*shape, -1), torch.from_numpy(batch.classes).to(z.device))

    def of(self, z: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """The loss of embeddings (classes, 2, n, p)."""
        raise NotImplementedError


def _flat(z: torch.Tensor, classes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Items (m, p) and the class of each."""
    return z.flatten(0, 2), classes.repeat_interleave(z.shape[1] * z.shape[2])


class BetweenItems(Objective):
    """InfoNCE or triplets of items, whatever their groups.

    Parameters
    ----------
    kind
        ``"info_nce"`` or ``"triplet"``.
    temperature, margin
        Temperature of InfoNCE; margin of triplets.
    """

    def __init__(self, pooling, width, n_classes, *, kind: str, temperature: float = 0.1, margin: float = 0.2):
        super().__init__(pooling, width, n_classes)
        self.kind, self.temperature, self.margin = kind, temperature, margin

    def of(self, z, classes):
        """The loss of embeddings (classes, 2, n, p)."""
        items, labels = _flat(z, classes)
        if self.kind == "info_nce":
            return info_nce(items, labels, self.temperature)
        return all_triplets(items, labels, self.margin)


class BetweenGroups(Objective):
    """Groups against groups, or items against groups.

    Parameters
    ----------
    kind
        ``"group_group"`` or ``"group_item"``.
    temperature
        Temperature of the contrast.
    """

    two_groups, uses_pooling = True, True

    def __init__(self, pooling, width, n_classes, *, kind: str, temperature: float = 0.1):
        super().__init__(pooling, width, n_classes)
        self.kind, self.temperature, self.pooling = kind, temperature, pooling

    def of(self, z, classes):
        """The loss of embeddings (classes, 2, n, p)."""
        a, b = (self.pooling(z[:, side]) for side in (0, 1))
        if self.kind == "group_group":
            return group_group(a, b, self.temperature)
        # A learned pooling has a space of its own: items come into it as groups of one.
        one, other = (self._alone(z[:, side]) for side in (0, 1))
        return (group_item(one, b, self.temperature) + group_item(other, a, self.temperature)) / 2

    def _alone(self, z: torch.Tensor) -> torch.Tensor:
        if not isinstance(self.pooling, nn.Module):
            return z
        return self.pooling(z.flatten(0, 1)[:, None]).reshape(z.shape)


class GroupFace(Objective):
    """ArcFace of a group-aware embedding, and cross-entropy of its latent groups with self-distributed labels.

    Parameters
    ----------
    n_latent
        Number of latent groups.
    scale, margin
        Scale of the logits of ArcFace, and its margin in degrees.
    weight
        Weight of the cross-entropy of latent groups.
    momentum
        Share that the running means of the probabilities keep at each step.

    Notes
    -----
    Kim et al. (2020), GroupFace, CVPR; ``ArcFaceLoss`` of pytorch-metric-learning.
    """

    def __init__(
        self,
        pooling,
        width,
        n_classes,
        *,
        n_latent: int = 8,
        scale: float = 16.0,
        margin: float = 17.2,
        weight: float = 0.1,
        momentum: float = 0.9,
    ):
        from pytorch_metric_learning.losses import ArcFaceLoss

        super().__init__(pooling, width, n_classes)
        self.n_latent = check_count(n_latent, "n_latent", least=2)
        self.weight, self.momentum = weight, momentum
        self.arc = ArcFaceLoss(n_classes, width, margin=margin, scale=scale)
        self.register_buffer("expected", torch.full((n_latent,), 1 / n_latent))
        self.logits: torch.Tensor | None = None

    def prepared(self, network, width):
        """The network with its latent groups."""
        return GroupAware(network, width, self.n_latent)

    def forward(self, network, items, batch):
        """The loss of a batch."""
        loss = super().forward(network, items, batch)
        probabilities = torch.softmax(network.logits.detach(), dim=1)
        self.expected.lerp_(probabilities.mean(dim=0), 1 - self.momentum)
        labels = self_distributed_groups(probabilities, self.expected)
        return loss + self.weight * F.cross_entropy(network.logits, labels)

    def of(self, z, classes):
        """ArcFace of embeddings (classes, 2, n, p)."""
        return self.arc(*_flat(z, classes))


class ReplicatorHead(Objective):
    """The Group Loss: a linear classifier whose probabilities the batch refines.

    Parameters
    ----------
    anchors
        Items of each class in a batch whose class is given.
    steps
        Number of steps of the dynamics.
    scale
        What the logits are multiplied by: embeddings have length 1.
    """

    def __init__(self, pooling, width, n_classes, *, anchors: int = 2, steps: int = 1, scale: float = 10.0):
        super().__init__(pooling, width, n_classes)
        self.anchors, self.steps, self.scale = check_count(anchors, "anchors", least=0), steps, scale
        self.head = nn.Linear(width, n_classes)

    def of(self, z, classes):
        """The loss of embeddings (classes, 2, n, p)."""
        items, labels = _flat(z, classes)
        each = z.shape[1] * z.shape[2]
        if self.anchors >= each:
            raise ValueError(f"anchors is {self.anchors}, and a batch has {each} items of a class; fewer are needed")
        # Items of a batch are in random order within their class: the first ones are as good as any.
        anchors = (torch.arange(each, device=z.device) < self.anchors).repeat(len(z))
        return group_loss(items, self.scale * self.head(items), labels, anchors, steps=self.steps)


class MomentumGroups(Objective):
    r"""Synchronous momentum grouping: items against groups that are found by clustering and move with the items.

    Two views a and b of each item of a batch. The group c of an item is the most similar one to its view b; then the
    groups move, :math:`g_k \leftarrow \beta g_k + (1 - \beta)\,\text{mean of the views a that } g_k \text{ is most
    similar to}`; and the loss is the cross-entropy of the similarities of view a to the moved groups, through which
    gradients flow, with c. Classes are not used.

    Parameters
    ----------
    n_groups
        Groups, at most as many as items.
    temperature
        Temperature of the cross-entropy.
    start
        ``"kmeans"``: groups begin as clusters of the items; ``"random"``: as random directions.
    momentum
        β in [0, 1); 0 leaves nothing of what a group was.
    gradients
        Whether gradients flow through the moved groups.
    regroup_every
        Steps after which the groups become clusters of the items again; 0: never.
    teacher
        Share that a moving average of the network, which sees view b, keeps at each step; 0: the network itself.
    normalize
        Whether embeddings are normalised over the batch, feature by feature, before they are brought to unit length.
        Without it all items begin in one narrow cone, where no group is nearer than another.
    views
        Function of a tensor of items and a NumPy generator that gives two tensors of views of them; by default two
        views are an item and another one of its group.
    batch
        Items of a batch.

    Attributes
    ----------
    groups : tensor of shape (n_groups, width)
        Directions of the groups.
    used : tensor of shape (n_groups,)
        Share of the items that each group has taken, a moving average.

    Notes
    -----
    Pang et al. (2022), Unsupervised visual representation learning by synchronous momentum grouping, ECCV.
    """

    def __init__(
        self,
        pooling,
        width,
        n_classes,
        *,
        n_groups: int = 64,
        temperature: float = 0.1,
        start: str = "kmeans",
        momentum: float = 0.9,
        gradients: bool = True,
        regroup_every: int = 50,
        teacher: float = 0.98,
        normalize: bool = True,
        views: Callable | None = None,
        batch: int = 128,
    ):
        super().__init__(pooling, width, n_classes)
        if start not in ("kmeans", "random"):
            raise ValueError(f"start is {start!r}; it is 'kmeans' or 'random'")
        for name, value in (("momentum", momentum), ("teacher", teacher)):
            if not 0 <= value < 1:
                raise ValueError(f"{name} is {value!r}; a number of at least 0 and below 1 is needed")
        self.n_groups, self.size = check_count(n_groups, "n_groups", least=2), check_count(batch, "batch", least=2)
        self.regroup_every = check_count(regroup_every, "regroup_every", least=0)
        self.temperature, self.begin, self.momentum = temperature, start, momentum
        self.gradients, self.keep, self.normalize, self.views = gradients, teacher, normalize, views
        self.teacher: nn.Module | None = None
        self.register_buffer("groups", F.normalize(torch.randn(n_groups, width), dim=1))
        self.register_buffer("used", torch.full((n_groups,), 1 / n_groups))

    def batches(self, classes, groups, *, per_epoch: int = 50, **_: Any):
        """Batches of items, each with another item of its group beside it."""
        if self.n_groups > len(classes):
            raise ValueError(f"n_groups is {self.n_groups}, and x has {len(classes)} items; at most that many can be")
        order = np.argsort(groups, kind="stable")
        counts = np.bincount(groups)
        first = np.cumsum(counts) - counts
        place = np.empty(len(groups), dtype=np.int64)
        place[order] = np.arange(len(groups)) - first[groups[order]]

        def draw(rng: np.random.Generator) -> GroupBatch:
            rows = rng.choice(len(groups), min(self.size, len(groups)), replace=False)
            n = counts[groups[rows]]
            step = np.where(n > 1, 1 + rng.integers(0, np.maximum(n - 1, 1)), 0)
            other = order[first[groups[rows]] + (place[rows] + step) % n]
            return GroupBatch(np.stack([rows, other]), np.array([rng.integers(2**31)]))

        def epoch(rng: np.random.Generator, number: int) -> Sequence[GroupBatch]:
            seeds = rng.integers(2**63, size=per_epoch)
            return [draw(np.random.default_rng(seed)) for seed in seeds]

        return epoch

    def prepared(self, network, width):
        """The network, with normalisation if it is wanted; its moving average is kept beside it."""
        import copy

        if self.normalize:
            network = nn.Sequential(network, nn.BatchNorm1d(width, affine=False), UnitLength())
        if self.keep:
            self.teacher = copy.deepcopy(network).requires_grad_(False)
        return network

    def start(self, network, items, n, seed):
        """Make clusters of the items groups."""
        if self.begin == "kmeans":
            self._regroup(network, items, n, np.random.default_rng([seed, 0]))

    @torch.no_grad()
    def after_step(self, network, items, n, seed, step):
        """Move the teacher, and regroup if it is time."""
        if self.teacher is not None:
            for old, new in zip(self.teacher.parameters(), network.parameters(), strict=True):
                old.lerp_(new, 1 - self.keep)
            for old, new in zip(self.teacher.buffers(), network.buffers(), strict=True):
                old.copy_(new)
        if self.regroup_every and step % self.regroup_every == 0:
            self._regroup(network, items, n, np.random.default_rng([seed, step]))

    @torch.no_grad()
    def _regroup(self, network: nn.Module, items: Items, n: int, rng: np.random.Generator) -> None:
        from sklearn.cluster import KMeans

        rows = rng.choice(n, min(n, max(1024, 4 * self.n_groups)), replace=False)
        training = network.training
        network.eval()
        z = network(items(rows)).cpu().double().numpy()
        network.train(training)
        k = min(self.n_groups, len(np.unique(z, axis=0)))  # a collapsed space has fewer clusters than asked for
        found = KMeans(k, n_init=1, max_iter=50, random_state=int(rng.integers(2**31))).fit(z).cluster_centers_
        self.groups[:k] = F.normalize(torch.from_numpy(found).to(self.groups), dim=1)

    def forward(self, network, items, batch):
        """The loss of a batch."""
        if self.views is None:
            a, b = (items(rows) for rows in batch.rows)
        else:
            a, b = self.views(items(batch.rows[0]), np.random.default_rng(int(batch.classes[0])))
        if self.teacher is not None:
            self.teacher.train(network.training)
        with torch.no_grad():
            target = (network if self.teacher is None else self.teacher)(b)
        return self.of(network(a), target)

    def of(self, z, target):
        """The loss of views a (n, p) with views b (n, p); the groups move."""
        known = (target @ self.groups.T).argmax(dim=1)
        moved = self.moved(z)
        loss = F.cross_entropy(z @ moved.T / self.temperature, known)
        with torch.no_grad():
            self.groups.copy_(moved)
            share = torch.bincount(known, minlength=self.n_groups) / len(known)
            self.used.lerp_(share.to(self.used), 0.05)
        return loss

    def moved(self, z: torch.Tensor) -> torch.Tensor:
        """The groups after a step towards embeddings (n, p)."""
        with torch.no_grad():
            own = F.one_hot((z @ self.groups.T).argmax(dim=1), self.n_groups).to(z.dtype)
        count = own.sum(dim=0)[:, None]
        mean = own.T @ (z if self.gradients else z.detach()) / count.clamp_min(1)
        moved = F.normalize(self.momentum * self.groups + (1 - self.momentum) * mean, dim=1)
        return torch.where(count > 0, moved, self.groups)


def _kind(module: type[Objective], kind: str) -> Callable[..., Objective]:
    def make(*args: Any, **options: Any) -> Objective:
        return module(*args, kind=kind, **options)

    make.two_groups, make.uses_pooling = module.two_groups, module.uses_pooling
    return make


OBJECTIVES: dict[str, Callable[..., Objective]] = {
    "info_nce": _kind(BetweenItems, "info_nce"),
    "triplet": _kind(BetweenItems, "triplet"),
    "group_group": _kind(BetweenGroups, "group_group"),
    "group_item": _kind(BetweenGroups, "group_item"),
    "momentum_groups": MomentumGroups,
    "group_face": GroupFace,
    "group_loss": ReplicatorHead,
}
"""Objectives by name; each is made from a pooling, the width of an embedding, the number of classes, and options."""
