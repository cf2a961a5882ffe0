"""Losses that bring groups of one class together: between items, between groups, between items and groups.

All are functions of tensors, with gradients; :mod:`helpers.groups.objectives` makes them into what is trained.
Losses between items come from pytorch-metric-learning, the others are here. Similarities are cosines.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from helpers.arrays import check_count

__all__ = [
    "all_triplets",
    "centroids",
    "group_group",
    "group_item",
    "group_loss",
    "info_nce",
    "medoids",
    "replicator",
    "self_distributed_groups",
]

TINY = 1e-12


def centroids(items: torch.Tensor) -> torch.Tensor:
    """Means (..., p) of items (..., n, p)."""
    return items.mean(dim=-2)


def medoids(items: torch.Tensor) -> torch.Tensor:
    """Of items (..., n, p) the one (..., p) with the least sum of distances to the others.

    Which one it is has no gradient; the gradient of the vector reaches that item alone.

    Examples
    --------
    >>> import torch
    >>> from helpers.groups.losses import medoids
    >>> medoids(torch.tensor([[0.0], [1.0], [9.0]])).tolist()
    [1.0]
    """
    with torch.no_grad():
        best = torch.cdist(items, items).sum(dim=-1).argmin(dim=-1)
    index = best[..., None, None].expand(*best.shape, 1, items.shape[-1])
    return torch.gather(items, -2, index).squeeze(-2)


def info_nce(z: torch.Tensor, labels: torch.Tensor, temperature: float = 0.1) -> torch.Tensor:
    r"""Contrast between items: every other item of the class is a positive, all others of the batch are negatives.

    .. math:: -\frac1{|P_i|} \sum_{j \in P_i} \log \frac{e^{s_{ij} / \tau}}{\sum_{k \ne i} e^{s_{ik} / \tau}},

    averaged over the items i that have a positive. With one positive each it is InfoNCE.

    Parameters
    ----------
    z : tensor of shape (n, p)
    labels : tensor of shape (n,), int
        Class of each item.
    temperature
        τ > 0.

    Returns
    -------
    tensor without dimensions
        At least 0; log(n - 1) where all similarities are equal.

    Notes
    -----
    ``SupConLoss`` of pytorch-metric-learning. Khosla et al. (2020), Supervised contrastive learning, NeurIPS.

    Examples
    --------
    >>> import torch
    >>> from helpers.groups.losses import info_nce
    >>> round(float(info_nce(torch.ones(4, 2), torch.tensor([0, 0, 1, 1])).exp()), 4)
    3.0
    """
    from pytorch_metric_learning.losses import SupConLoss

    return SupConLoss(temperature)(z, labels)


def all_triplets(z: torch.Tensor, labels: torch.Tensor, margin: float = 0.2) -> torch.Tensor:
    r""":math:`\max(0, |z_a - z_p| - |z_a - z_n| + \mu)`, averaged over the triplets of the batch where it is positive.

    Parameters
    ----------
    z : tensor of shape (n, p)
        Items; they are brought to unit length.
    labels : tensor of shape (n,), int
        Class of each item: a and p are two items of one class, n is one of another.
    margin
        Smallest difference μ of the two distances that costs nothing.

    Returns
    -------
    tensor without dimensions
        At least 0.

    Notes
    -----
    ``TripletMarginLoss`` of pytorch-metric-learning.

    Examples
    --------
    >>> import torch
    >>> from helpers.groups.losses import all_triplets
    >>> z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> float(all_triplets(z, torch.tensor([0, 0, 1, 1])))
    0.0
    """
    from pytorch_metric_learning.losses import TripletMarginLoss

    return TripletMarginLoss(margin)(z, labels)


def group_group(a: torch.Tensor, b: torch.Tensor, temperature: float = 0.1) -> torch.Tensor:
    r"""Contrast between groups: the features of two groups of each class, each the other's positive.

    .. math:: -\log \frac{e^{s(a_i, b_i) / \tau}}{\sum_j e^{s(a_i, b_j) / \tau}},

    averaged over the classes i and both directions.

    Parameters
    ----------
    a, b : tensor of shape (classes, p)
        Features of the one and of the other group of each class.
    temperature
        τ > 0.

    Returns
    -------
    tensor without dimensions
        At least 0; log(classes) where all similarities are equal.

    Examples
    --------
    >>> import torch
    >>> from helpers.groups.losses import group_group
    >>> round(float(group_group(torch.ones(3, 2), torch.ones(3, 2)).exp()), 4)
    3.0
    """
    logits = _cosines(a, b) / temperature
    own = torch.arange(len(a), device=a.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def group_item(items: torch.Tensor, features: torch.Tensor, temperature: float = 0.1) -> torch.Tensor:
    r"""Contrast between items and groups: an item against the feature of another group of its class.

    .. math:: -\log \frac{e^{s(z_i, c_{y(i)}) / \tau}}{\sum_j e^{s(z_i, c_j) / \tau}},

    averaged over all items i.

    Parameters
    ----------
    items : tensor of shape (classes, n, p)
        Items of one group of each class.
    features : tensor of shape (classes, p)
        c: features of other groups, of the same classes in the same order.
    temperature
        τ > 0.

    Returns
    -------
    tensor without dimensions
        At least 0; log(classes) where all similarities are equal.

    Notes
    -----
    With characters as classes and centroids as features it is the loss of prototypical networks, with cosines in the
    place of squared distances: Snell, Swersky and Zemel (2017), NeurIPS.

    Examples
    --------
    >>> import torch
    >>> from helpers.groups.losses import group_item
    >>> round(float(group_item(torch.ones(3, 5, 2), torch.ones(3, 2)).exp()), 4)
    3.0
    """
    classes, n, _ = items.shape
    logits = _cosines(items.flatten(0, 1), features) / temperature
    return F.cross_entropy(logits, torch.arange(classes, device=items.device).repeat_interleave(n))


def self_distributed_groups(probabilities: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
    r"""Groups of items such that no group takes all: :math:`\arg\max_k\ (p_k(x) - E\,p_k) / K + 1/K`.

    Parameters
    ----------
    probabilities : tensor of shape (n, K)
        Probability of each latent group for each item.
    expected : tensor of shape (K,)
        Running means of the probabilities: where both are averaged over the data, each group's centred value is 1/K.

    Returns
    -------
    tensor of shape (n,), int64

    Notes
    -----
    Kim et al. (2020), GroupFace, CVPR.

    Examples
    --------
    >>> import torch
    >>> from helpers.groups.losses import self_distributed_groups
    >>> p = torch.tensor([[0.9, 0.1], [0.7, 0.3]])
    >>> p.argmax(dim=1).tolist(), self_distributed_groups(p, p.mean(dim=0)).tolist()
    ([0, 0], [0, 1])
    """
    k = probabilities.shape[1]
    return ((probabilities - expected) / k + 1 / k).argmax(dim=1)


def replicator(probabilities: torch.Tensor, similarity: torch.Tensor, steps: int = 1) -> torch.Tensor:
    r"""Replicator dynamics: :math:`x_{ik} \leftarrow x_{ik} (W X)_{ik} / \sum_l x_{il} (W X)_{il}`.

    Parameters
    ----------
    probabilities : tensor of shape (n, classes)
        X at the beginning; rows sum to one. A row that is all in one class stays there.
    similarity : tensor of shape (n, n)
        W ≥ 0. An item that nobody resembles keeps its row.
    steps
        Number of steps of the dynamics.

    Returns
    -------
    tensor of shape (n, classes)
        Rows sum to one.

    Examples
    --------
    >>> import torch
    >>> from helpers.groups.losses import replicator
    >>> x = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    >>> replicator(x, torch.tensor([[0.0, 1.0], [1.0, 0.0]])).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    for _ in range(check_count(steps, "steps", least=0)):
        grown = probabilities * (similarity @ probabilities)
        total = grown.sum(dim=1, keepdim=True)
        probabilities = torch.where(total > TINY, grown / total.clamp_min(TINY), probabilities)
    return probabilities


def group_loss(
    z: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor, anchors: torch.Tensor, *, steps: int = 1
) -> torch.Tensor:
    r"""Cross-entropy of class probabilities that the batch has refined among itself.

    The probabilities of ``logits``, with those of the anchors set to their classes, go through :func:`replicator`
    dynamics over the similarities of the batch: Pearson correlations of the embeddings, negative ones and those of an
    item with itself set to 0.

    Parameters
    ----------
    z : tensor of shape (n, p), p ≥ 2
        Embeddings of the items of a batch.
    logits : tensor of shape (n, classes)
        Logits that a classifier gives the items.
    labels : tensor of shape (n,), int
    anchors : bool tensor of shape (n,)
        Items whose class is given; the loss is averaged over all others.
    steps
        Number of steps of the dynamics.

    Returns
    -------
    tensor without dimensions
        At least 0.

    Raises
    ------
    ValueError
        If all items are anchors.

    Notes
    -----
    Elezi et al. (2020), The Group Loss for deep metric learning, ECCV.

    Examples
    --------
    >>> import torch
    >>> from helpers.groups.losses import group_loss
    >>> z = torch.tensor([[1.0, 0.0], [2.0, 0.5], [0.0, 1.0], [0.2, 3.0]])
    >>> labels, anchors = torch.tensor([0, 0, 1, 1]), torch.tensor([True, False, True, False])
    >>> round(float(group_loss(z, torch.zeros(4, 2), labels, anchors)), 4)
    0.0
    """
    if bool(anchors.all()):
        raise ValueError("anchors are all items; at least one other is needed, about which something can be learned")
    known = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
    x = torch.where(anchors[:, None], known, torch.softmax(logits, dim=1))
    centred = F.normalize(z - z.mean(dim=1, keepdim=True), dim=1)
    w = F.relu(centred @ centred.T)
    x = replicator(x, w - torch.diag(w.diagonal()), steps)
    return F.nll_loss(x[~anchors].clamp_min(TINY).log(), labels[~anchors])


def _cosines(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T
