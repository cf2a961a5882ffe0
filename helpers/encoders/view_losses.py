"""Losses of two views of each object: what brings the views together, and what keeps all objects from one point.

Functions of tensors, with gradients. :class:`helpers.encoders.views.ViewEncoder` trains an encoder by them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

__all__ = [
    "ViewObjective",
    "align_uniform_loss",
    "alignment_loss",
    "barlow_twins_loss",
    "decorrelation_penalty",
    "nearest_neighbour_entropy",
    "stop_gradient_loss",
    "uniformity_loss",
    "vicreg_loss",
    "view_contrast",
]

TINY = 1e-6


def alignment_loss(a: torch.Tensor, b: torch.Tensor, power: float = 2.0) -> torch.Tensor:
    r""":math:`\operatorname{mean}_i \|u_i - v_i\|^\alpha` of unit rows: least, 0, if all rows are one point too.

    Parameters
    ----------
    a, b : tensor of shape (n, p)
        Two views of the same objects.
    power
        Exponent α > 0.

    Returns
    -------
    tensor without dimensions
        Between 0 and :math:`2^\alpha`.

    Notes
    -----
    Wang and Isola (2020) :cite:`wang2020understanding`.

    Examples
    --------
    >>> import torch
    >>> from helpers.encoders.view_losses import alignment_loss
    >>> float(alignment_loss(torch.eye(2), -torch.eye(2)))
    4.0
    """
    return (F.normalize(a, dim=1) - F.normalize(b, dim=1)).norm(dim=1).pow(power).mean()


def uniformity_loss(z: torch.Tensor, t: float = 2.0) -> torch.Tensor:
    r""":math:`\log \operatorname{mean}_{i < j} e^{-t \|u_i - u_j\|^2}` of unit rows: 0 at one point, less when spread.

    Parameters
    ----------
    z : tensor of shape (n, p)
        Objects of a batch, at least two.
    t
        Sharpness of the kernel, above 0.

    Returns
    -------
    tensor without dimensions
        At most 0 and at least -4t.

    Notes
    -----
    Wang and Isola (2020) :cite:`wang2020understanding`; :func:`helpers.quality.uniformity` is the number for arrays.

    Examples
    --------
    >>> import torch
    >>> from helpers.encoders.view_losses import uniformity_loss
    >>> round(float(uniformity_loss(torch.tensor([[1.0, 0], [-1, 0]]))), 3)
    -8.0
    """
    squares = torch.pdist(F.normalize(z, dim=1)).square()
    return torch.logsumexp(-t * squares, dim=0) - torch.log(torch.tensor(float(len(squares))))


def align_uniform_loss(
    a: torch.Tensor, b: torch.Tensor, *, weight: float = 1.0, power: float = 2.0, t: float = 2.0
) -> torch.Tensor:
    r""":math:`L_\text{align} + \lambda L_\text{uniform}`, the uniformity of both views averaged.

    Parameters
    ----------
    a, b : tensor of shape (n, p)
        Two views of the same objects.
    weight
        Weight λ of the uniformity.
    power, t
        Exponent of the alignment; sharpness of the uniformity.

    Returns
    -------
    tensor without dimensions
        At least -4tλ; 0 if all rows are one point.

    Notes
    -----
    Wang and Isola (2020) :cite:`wang2020understanding`.
    """
    return alignment_loss(a, b, power) + weight * (uniformity_loss(a, t) + uniformity_loss(b, t)) / 2


def view_contrast(a: torch.Tensor, b: torch.Tensor, temperature: float = 0.1) -> torch.Tensor:
    r"""InfoNCE of two views: the other view of an object is to be told from both views of all other objects.

    Parameters
    ----------
    a, b : tensor of shape (n, p)
        Two views of the same objects.
    temperature
        What the cosines are divided by, above 0.

    Returns
    -------
    tensor without dimensions
        At least 0; log(2n - 1) if all rows are one point.

    Notes
    -----
    Chen et al. (2020) :cite:`chen2020simclr`. :func:`helpers.groups.losses.info_nce` takes any number of views.

    Examples
    --------
    >>> import torch
    >>> from helpers.encoders.view_losses import view_contrast
    >>> round(float(view_contrast(torch.ones(2, 3), torch.ones(2, 3)).exp()), 4)
    3.0
    """
    z = F.normalize(torch.cat([a, b]), dim=1)
    logits = z @ z.T / temperature
    logits.fill_diagonal_(-torch.inf)
    n = len(a)
    return F.cross_entropy(logits, torch.arange(2 * n, device=z.device).roll(n))


def barlow_twins_loss(a: torch.Tensor, b: torch.Tensor, *, weight: float = 5e-3) -> torch.Tensor:
    r""":math:`\sum_j (1 - C_{jj})^2 + \lambda \sum_{j \ne k} C_{jk}^2`, with the correlations C of two views.

    Parameters
    ----------
    a, b : tensor of shape (n, p)
        Two views of the same objects.
    weight
        Weight λ of the correlations of different features.

    Returns
    -------
    tensor without dimensions
        At least 0; a feature that is constant over the batch costs 1.

    Notes
    -----
    Zbontar et al. (2021) :cite:`zbontar2021barlow`.

    Examples
    --------
    >>> import torch
    >>> from helpers.encoders.view_losses import barlow_twins_loss
    >>> x = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    >>> round(float(barlow_twins_loss(x, x)), 6), round(float(barlow_twins_loss(x, -x)), 3)
    (0.0, 8.0)
    """
    products = (_standard(a).T @ _standard(b)) / len(a)
    own = torch.diagonal(products)
    return (1 - own).square().sum() + weight * (products.square().sum() - own.square().sum())


def vicreg_loss(
    a: torch.Tensor, b: torch.Tensor, *, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0
) -> torch.Tensor:
    r"""Views together, each feature with a deviation of at least 1, and features uncorrelated.

    .. math:: \lambda \operatorname{mean} (a - b)^2 + \mu \operatorname{mean}_j \max(0, 1 - s_j) + \frac{\nu}{p}
        \sum_{j \ne k} \Sigma_{jk}^2

    with the mean over both views in the second term and the sum over both in the third.

    Parameters
    ----------
    a, b : tensor of shape (n, p)
        Two views of the same objects, at least two; not brought to unit length.
    invariance, variance, covariance
        Weights λ, μ and ν of the three terms.

    Returns
    -------
    tensor without dimensions
        At least 0; about μ if all rows are one point.

    Notes
    -----
    Bardes et al. (2022) :cite:`bardes2022vicreg`.

    Examples
    --------
    >>> import torch
    >>> from helpers.encoders.view_losses import vicreg_loss
    >>> round(float(vicreg_loss(torch.ones(4, 3), torch.ones(4, 3))), 2)
    24.75
    """
    both = decorrelation_penalty(a, variance / 2, covariance) + decorrelation_penalty(b, variance / 2, covariance)
    return invariance * F.mse_loss(a, b) + both


def decorrelation_penalty(z: torch.Tensor, variance: float = 1.0, covariance: float = 0.04) -> torch.Tensor:
    """The two terms of VICReg that need no second view: features vary, and not together.

    Parameters
    ----------
    z : tensor of shape (n, p)
        Objects of a batch, at least two.
    variance, covariance
        Weights of the hinge of the deviations and of the squared covariances.

    Returns
    -------
    tensor without dimensions
        At least 0, which uncorrelated features of variance 1 have.
    """
    off = z - z.mean(dim=0)
    products = off.T @ off / (len(z) - 1)
    spread = torch.diagonal(products).add(1e-4).sqrt()
    others = products.square().sum() - torch.diagonal(products).square().sum()
    return variance * F.relu(1 - spread).mean() + covariance * others / z.shape[1]


def stop_gradient_loss(
    predicted: tuple[torch.Tensor, torch.Tensor], targets: tuple[torch.Tensor, torch.Tensor]
) -> torch.Tensor:
    """Minus the mean cosine of what is predicted of each view with the other view, which gets no gradient.

    Parameters
    ----------
    predicted : tensors of shape (n, p)
        What a predictor makes of the first and of the second view.
    targets : tensors of shape (n, p)
        The first and the second view.

    Returns
    -------
    tensor without dimensions
        Between -1 and 1.

    Notes
    -----
    Chen and He (2021) :cite:`chen2021simsiam`.
    """
    crossed = zip(predicted, reversed(targets), strict=True)
    return -sum(F.cosine_similarity(p, target.detach()).mean() for p, target in crossed) / 2


def nearest_neighbour_entropy(z: torch.Tensor) -> torch.Tensor:
    r""":math:`\operatorname{mean}_i \log \min_{j \ne i} \|u_i - u_j\|` of unit rows: their entropy, up to a constant.

    Parameters
    ----------
    z : tensor of shape (n, p)
        Objects of a batch, at least two.

    Returns
    -------
    tensor without dimensions
        At most log 2; distances below a millionth count as that.

    Notes
    -----
    The estimator of Kozachenko and Leonenko, per dimension, as Sablayrolles et al. (2019)
    :cite:`sablayrolles2019spreading` maximise it.

    Examples
    --------
    >>> import torch
    >>> from helpers.encoders.view_losses import nearest_neighbour_entropy
    >>> round(float(nearest_neighbour_entropy(torch.tensor([[1.0, 0], [-1, 0]])).exp()), 3)
    2.0
    """
    u = F.normalize(z, dim=1)
    with torch.no_grad():
        cosines = u @ u.T
        cosines.fill_diagonal_(-2)
        nearest = cosines.argmax(dim=1)
    return (u - u[nearest]).square().sum(dim=1).clamp_min(TINY**2).log().mean() / 2


LOSSES = {
    "info_nce": view_contrast,
    "align_uniform": align_uniform_loss,
    "barlow_twins": barlow_twins_loss,
    "vicreg": vicreg_loss,
    "alignment": alignment_loss,
    "stop_gradient": stop_gradient_loss,
}


class ViewObjective(nn.Module):
    """A loss of two views of an encoder, with the predictor and the teacher that it needs.

    Parameters
    ----------
    network
        The encoder that is trained, of rows to rows (n, width).
    width
        Features of an embedding.
    loss
        A name in :data:`helpers.encoders.views.VIEW_LOSSES`.
    options
        Keyword arguments of the loss.
    entropy
        Weight of :func:`nearest_neighbour_entropy`, which is maximised besides.
    teacher
        Share that a moving average of the network, which sees the second view, keeps at each step; 0: no such average.
    """

    def __init__(
        self,
        network: nn.Module,
        width: int,
        loss: str,
        options: Mapping[str, Any] | None = None,
        *,
        entropy: float = 0.0,
        teacher: float = 0.0,
    ):
        super().__init__()
        self.network, self.function, self.options = network, LOSSES[loss], dict(options or {})
        self.entropy, self.keep = entropy, teacher
        self.predictor = None
        if loss == "stop_gradient":
            half = max(2, width // 2)  # a bottleneck, as in the paper
            self.predictor = nn.Sequential(
                nn.Linear(width, half), nn.BatchNorm1d(half), nn.ReLU(), nn.Linear(half, width)
            )
        self.teacher: nn.Module | None = None
        self.restart()

    def restart(self) -> None:
        """Make the teacher a copy of the network."""
        if self.keep:
            self.teacher = copy.deepcopy(self.network).requires_grad_(False)

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Move the teacher towards the network."""
        if self.teacher is not None:
            for old, new in zip(self.teacher.parameters(), self.network.parameters(), strict=True):
                old.lerp_(new, 1 - self.keep)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """The loss of two views (n, p) of the same objects."""
        z, other = self.network(a), (self.network if self.teacher is None else self.teacher)(b)
        if self.predictor is not None:
            loss = self.function((self.predictor(z), self.predictor(other)), (z, other))
        else:
            loss = self.function(z, other, **self.options)
        return loss - self.entropy * nearest_neighbour_entropy(z) if self.entropy else loss


def _standard(z: torch.Tensor) -> torch.Tensor:
    off = z - z.mean(dim=0)
    return off / off.square().mean(dim=0).add(1e-10).sqrt()
