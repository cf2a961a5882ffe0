"""One vector of the states of many tokens."""

from __future__ import annotations

import torch

from helpers.arrays import check_count

__all__ = ["POOLINGS", "SoftmaxPooling", "FirstPooling", "HeadsPooling", "MeanPooling", "make_pooling"]


class FirstPooling(torch.nn.Module):
    """The state of the first token, through a linear map where the widths differ."""

    def __init__(self, hidden: int, width: int):
        super().__init__()
        self.map = torch.nn.Identity() if hidden == width else torch.nn.Linear(hidden, width)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.map(states[:, 0])


class _Projected(torch.nn.Module):
    """Linear map, GELU and layer norm of each state, then a weighted mean."""

    def __init__(self, hidden: int, width: int):
        super().__init__()
        self.project = torch.nn.Sequential(torch.nn.Linear(hidden, width), torch.nn.GELU(), torch.nn.LayerNorm(width))

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.einsum("nt,ntw->nw", self.weights(states, mask), self.project(states))

    def weights(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


class MeanPooling(_Projected):
    """The mean of the projected states."""

    def weights(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return mask.to(states.dtype) / mask.sum(1, keepdim=True)


class SoftmaxPooling(_Projected):
    """The projected states, weighted by a learned softmax over the tokens."""

    def __init__(self, hidden: int, width: int):
        super().__init__(hidden, width)
        self.score = torch.nn.Linear(hidden, 1)

    def weights(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.score(states)[..., 0].masked_fill(~mask, -torch.inf).softmax(1)


class HeadsPooling(torch.nn.Module):
    """Several heads, each with weights of its own over the tokens and a share of the width; layer norm at the end."""

    def __init__(self, hidden: int, width: int, n_heads: int):
        super().__init__()
        if width % n_heads:
            raise ValueError(f"width is {width} and n_heads {n_heads}; n_heads has to divide width")
        self.score = torch.nn.Linear(hidden, n_heads)
        self.value = torch.nn.Linear(hidden, width)
        self.norm = torch.nn.LayerNorm(width)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        weights = self.score(states).masked_fill(~mask[..., None], -torch.inf).softmax(1)
        values = self.value(states).unflatten(-1, (weights.shape[-1], -1))
        return self.norm(torch.einsum("nth,nthv->nhv", weights, values).flatten(1))


POOLINGS = ("first", "mean", "attention", "heads")
"""What :func:`make_pooling` makes, by name."""


def make_pooling(name: str, hidden: int, width: int, n_heads: int = 4) -> torch.nn.Module:
    """A module that makes one vector of the states of the tokens of a text.

    Parameters
    ----------
    name
        ``"first"``: state of the first token (CLS); ``"mean"``: mean of the projected states (linear map, GELU, layer
        norm); ``"attention"``: the same, weighted by a learned softmax over the tokens; ``"heads"``: several such
        heads side by side, each with a share of the width.
    hidden
        Width of the states.
    width
        Width of the vector.
    n_heads
        Number of heads of ``"heads"``, a divisor of ``width``.

    Returns
    -------
    torch.nn.Module
        Maps states (n, tokens, hidden) and a boolean mask (n, tokens), true where a token stands, to (n, width).

    Raises
    ------
    ValueError
        If ``name`` is unknown, a count is below 1, or ``n_heads`` does not divide ``width``.

    Examples
    --------
    >>> import torch
    >>> make_pooling("heads", 8, 12, n_heads=3)(torch.randn(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)).shape
    torch.Size([2, 12])
    """
    check_count(hidden, "hidden")
    check_count(width, "width")
    check_count(n_heads, "n_heads")
    if name == "heads":
        return HeadsPooling(hidden, width, n_heads)
    kinds = {"first": FirstPooling, "mean": MeanPooling, "attention": SoftmaxPooling}
    if name not in kinds:
        raise ValueError(f"pooling is {name!r}; it is one of {', '.join(POOLINGS)}")
    return kinds[name](hidden, width)
