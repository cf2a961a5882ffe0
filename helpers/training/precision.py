"""Matrix products in half precision on a CPU."""

from __future__ import annotations

from contextlib import contextmanager

import torch

__all__ = ["bfloat16_products", "has_bfloat16"]


class _Products(torch.autograd.Function):
    """x @ weight.T in half precision, forward and backward, of and to tensors in single precision."""

    @staticmethod
    def forward(context, x, weight):
        rows, half = x.bfloat16().flatten(0, -2), weight.bfloat16()
        context.save_for_backward(rows, half)
        context.shape = x.shape
        return (rows @ half.T).float().unflatten(0, x.shape[:-1])

    @staticmethod
    def backward(context, gradient):
        rows, half = context.saved_tensors
        gradient = gradient.flatten(0, -2).bfloat16()
        return (gradient @ half).float().view(context.shape), (gradient.T @ rows).float()


class _Bfloat16Linear(torch.nn.Linear):
    def forward(self, x):
        if x.dtype != torch.float32 or x.dim() < 2:
            return super().forward(x)
        product = _Products.apply(x, self.weight)
        return product if self.bias is None else product + self.bias


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 by instructions of its own; without them it takes many times as long.

    Examples
    --------
    >>> from helpers.training import has_bfloat16
    >>> precision = "bfloat16" if has_bfloat16() else "float32"
    """
    told = torch.cpu.get_capabilities()
    return any(told.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))


@contextmanager
def bfloat16_products(model: torch.nn.Module):
    """Within this context the linear layers of a model multiply in bfloat16, forward and backward.

    Sums, biases, weights and everything else stay in single precision. On processors that have bfloat16 this is half
    as fast again for encoders, while automatic casting costs on a CPU what it gains.

    Parameters
    ----------
    model
        Model whose layers of the class :class:`torch.nn.Linear` itself are changed; subclasses are left alone.

    Examples
    --------
    >>> import torch
    >>> from helpers.training import bfloat16_products
    >>> layer = torch.nn.Linear(2, 1, bias=False)
    >>> torch.nn.init.constant_(layer.weight, 1 + 2**-10).dtype
    torch.float32
    >>> with bfloat16_products(layer):
    ...     layer(torch.ones(1, 2)).item()
    2.0
    """
    layers = [module for module in model.modules() if type(module) is torch.nn.Linear]
    for layer in layers:
        layer.__class__ = _Bfloat16Linear
    try:
        yield
    finally:
        for layer in layers:
            layer.__class__ = torch.nn.Linear
