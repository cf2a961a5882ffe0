"""Small encoders of items: a perceptron for vectors, convolutions for images, and the group-aware part of GroupFace."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["GroupAware", "UnitLength", "convolutions", "perceptron"]


class UnitLength(nn.Module):
    """Rows divided by their lengths."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Rows (n, p) of length 1; a row of zeros stays."""
        return F.normalize(z, dim=-1)


class _Standardized(nn.Module):
    """Features less their means, over their standard deviations."""

    def __init__(self, center: torch.Tensor, scale: torch.Tensor):
        super().__init__()
        self.register_buffer("center", center)
        self.register_buffer("scale", scale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.center) / self.scale


def perceptron(x: torch.Tensor, hidden: Sequence[int], width: int) -> nn.Module:
    """Standardised features through layers with ReLU between them, onto the unit sphere.

    Parameters
    ----------
    x : tensor of shape (n, p)
        Training items, for means and standard deviations; constant features are only centred.
    hidden
        Widths of the layers between.
    width
        Features of an embedding.
    """
    scale = x.std(dim=0, unbiased=False)
    layers: list[nn.Module] = [_Standardized(x.mean(dim=0), torch.where(scale > 0, scale, 1.0))]
    sizes = [x.shape[1], *hidden]
    for a, b in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], width), UnitLength())


def convolutions(side: tuple[int, int], channels: int, width: int) -> nn.Module:
    """Three convolutions of stride 2 with batch normalisation, then a linear layer, onto the unit sphere.

    Parameters
    ----------
    side
        Height and width of an image in pixels.
    channels
        Channels of the first convolution; the others have two and four times as many.
    width
        Features of an embedding.
    """
    sizes = [1, channels, 2 * channels, 4 * channels]
    layers: list[nn.Module] = [nn.Unflatten(1, (1, side[0]))]
    for i, (a, b) in enumerate(zip(sizes, sizes[1:], strict=False)):
        kernel = 3 if i else 5
        layers += [nn.Conv2d(a, b, kernel, stride=2, padding=kernel // 2), nn.BatchNorm2d(b), nn.ReLU()]
    h, w = (-(-pixels // 8) for pixels in side)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * channels * h * w, width), UnitLength())


class GroupAware(nn.Module):
    r"""An encoder with latent groups: :math:`z + \sum_k p_k(z) W_k z`, of unit length.

    Parameters
    ----------
    encoder
        Gives z (n, width).
    width
        Features of z.
    n_latent
        Number of latent groups.

    Attributes
    ----------
    logits : tensor of shape (n, n_latent)
        Logits of the probabilities p, for the items that came last.

    Notes
    -----
    Kim et al. (2020), GroupFace, CVPR, with the soft ensemble of the group-aware vectors.
    """

    def __init__(self, encoder: nn.Module, width: int, n_latent: int):
        super().__init__()
        self.encoder = encoder
        self.decide = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, n_latent))
        self.maps = nn.Parameter(torch.randn(n_latent, width, width) / width)
        self.logits: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Embeddings (n, width)."""
        z = self.encoder(x)
        self.logits = self.decide(z)
        aware = torch.einsum("nk,kij,nj->ni", torch.softmax(self.logits, dim=1), self.maps, z)
        return F.normalize(z + aware, dim=1)
