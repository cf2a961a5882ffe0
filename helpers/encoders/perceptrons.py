"""Perceptrons, and mixtures of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from helpers.arrays import check_count

__all__ = ["ACTIVATIONS", "Experts", "layered"]

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "linear": nn.Identity}
"""What stands between two layers."""


def layered(sizes: Sequence[int], activation: str = "relu") -> nn.Sequential:
    """Linear layers with an activation between them.

    Parameters
    ----------
    sizes
        Numbers of features, from what comes in to what goes out.
    activation
        A name in :data:`ACTIVATIONS`; ``"linear"`` leaves a product of matrices.

    Examples
    --------
    >>> from helpers.encoders.perceptrons import layered
    >>> len(layered([4, 8, 2]))
    3
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation is {activation!r}; it is one of {', '.join(map(repr, ACTIVATIONS))}")
    layers: list[nn.Module] = []
    for a, b in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(a, b), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])


class Experts(nn.Module):
    """A mixture of perceptrons of the same shape: their sum, weighted for each row by a gate.

    Parameters
    ----------
    sizes, activation
        Shape of each expert, as of :func:`layered`.
    n_experts
        Number of experts, at least two.

    Notes
    -----
    Every expert works on every row; the gate is a softmax of a linear map. Jacobs et al. (1991)
    :cite:`jacobs1991adaptive`.
    """

    def __init__(self, sizes: Sequence[int], n_experts: int, activation: str = "relu"):
        super().__init__()
        check_count(n_experts, "n_experts", least=2)
        self.experts = nn.ModuleList(layered(sizes, activation) for _ in range(n_experts))
        self.gate = nn.Linear(sizes[0], n_experts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Rows (n, p) to rows (n, q)."""
        shares = torch.softmax(self.gate(x), dim=1)
        return torch.einsum("ne,enq->nq", shares, torch.stack([expert(x) for expert in self.experts]))
