"""Learned readouts: modules that make one vector of a set of items, whatever their order and number.

Each takes items of shape (sets, items, p) and, where sets have different numbers of items, a mask of those that are
there. :data:`POOLINGS` knows them by name.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from helpers.arrays import check_count

__all__ = ["POOLINGS", "AttentionPooling", "DeepSets", "SetTransformer", "masked_mean"]


def masked_mean(items: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Means over the items of each set.

    Parameters
    ----------
    items : tensor of shape (sets, items, p)
    mask : bool tensor of shape (sets, items), optional
        True where there is an item; by default everywhere.

    Examples
    --------
    >>> import torch
    >>> from helpers.groups.sets import masked_mean
    >>> masked_mean(torch.tensor([[[1.0], [5.0]]]), torch.tensor([[True, False]])).tolist()
    [[1.0]]
    """
    if mask is None:
        return items.mean(dim=1)
    weight = mask.to(items.dtype)
    return (items * weight[..., None]).sum(dim=1) / weight.sum(dim=1, keepdim=True)


class DeepSets(nn.Module):
    r"""ρ(pool φ(zᵢ)) with two perceptrons; the pool is the mean, or the sum.

    Parameters
    ----------
    width
        Features of an item, and of the vector of a set.
    hidden
        Width of the inner layers.
    pool
        ``"mean"``, which forgets how many items there are, or ``"sum"``, which knows.

    Notes
    -----
    Zaheer et al. (2017), Deep sets, NeurIPS.

    Examples
    --------
    >>> import torch
    >>> from helpers.groups.sets import DeepSets
    >>> DeepSets(8)(torch.randn(3, 5, 8)).shape
    torch.Size([3, 8])
    """

    def __init__(self, width: int, hidden: int = 64, *, pool: str = "mean"):
        super().__init__()
        if pool not in ("mean", "sum"):
            raise ValueError(f"pool is {pool!r}; it is 'mean' or 'sum'")
        check_count(width, "width"), check_count(hidden, "hidden")
        self.pool = pool
        self.items = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
        self.sets = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, width))

    def forward(self, items: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Vectors (sets, width) of items (sets, items, width)."""
        inner = self.items(items)
        if self.pool == "mean":
            return self.sets(masked_mean(inner, mask))
        return self.sets((inner if mask is None else inner * mask[..., None]).sum(dim=1))


class AttentionPooling(nn.Module):
    r"""A weighted mean, :math:`\sum_i a_i V z_i` with :math:`a = \mathrm{softmax}_i(w^\top \tanh U z_i)`.

    Parameters
    ----------
    width
        Features of an item, and of the vector of a set.
    hidden
        Rows of U.

    Notes
    -----
    Ilse, Tomczak and Welling (2018), Attention-based deep multiple instance learning, ICML.

    Examples
    --------
    >>> import torch
    >>> from helpers.groups.sets import AttentionPooling
    >>> AttentionPooling(8)(torch.randn(3, 5, 8)).shape
    torch.Size([3, 8])
    """

    def __init__(self, width: int, hidden: int = 64):
        super().__init__()
        check_count(width, "width"), check_count(hidden, "hidden")
        self.score = nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, 1, bias=False))
        self.value = nn.Linear(width, width)

    def weights(self, items: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """The weights a (sets, items), which sum to one over the items of a set."""
        score = self.score(items).squeeze(-1)
        return torch.softmax(score if mask is None else score.masked_fill(~mask, -torch.inf), dim=1)

    def forward(self, items: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Vectors (sets, width) of items (sets, items, width)."""
        return torch.einsum("si,sip->sp", self.weights(items, mask), self.value(items))


class SetTransformer(nn.Module):
    """Items attend to each other, then one learned query attends to all of them.

    Parameters
    ----------
    width
        Features of an item, and of the vector of a set.
    heads
        Heads of attention; they divide ``width``.
    layers
        Blocks in which items attend to each other.

    Notes
    -----
    O(items²) for each set. Lee et al. (2019), Set transformer, ICML: its blocks SAB and PMA, here with normalisation
    before each step.

    Examples
    --------
    >>> import torch
    >>> from helpers.groups.sets import SetTransformer
    >>> SetTransformer(8, heads=2)(torch.randn(3, 5, 8)).shape
    torch.Size([3, 8])
    """

    def __init__(self, width: int, *, heads: int = 4, layers: int = 1):
        super().__init__()
        check_count(width, "width"), check_count(heads, "heads"), check_count(layers, "layers")
        if width % heads:
            raise ValueError(f"width is {width} and heads {heads}; heads must divide the width")
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 2 * width, 0.0, batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.query = nn.Parameter(torch.randn(1, 1, width) * width**-0.5)
        self.pool = nn.MultiheadAttention(width, heads, batch_first=True)
        self.out = nn.Linear(width, width)

    def forward(self, items: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Vectors (sets, width) of items (sets, items, width)."""
        absent = None if mask is None else ~mask
        for block in self.blocks:
            items = block(items, src_key_padding_mask=absent)
        query = self.query.expand(len(items), -1, -1)
        pooled, _ = self.pool(query, items, items, key_padding_mask=absent, need_weights=False)
        return self.out(pooled.squeeze(1))


POOLINGS: dict[str, Callable[[int], nn.Module]] = {
    "deep_sets": DeepSets,
    "attention": AttentionPooling,
    "set_transformer": SetTransformer,
}
"""Modules by name; each is made from the width of the items."""
