"""Encoders whose parameters are merged into one: means, spheres, task vectors, soups, weights by losses.

The methods are those of mergekit, by ``SentenceTransformer.merge``; ours are the weights by losses, the soup that only
takes what helps, and the checks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

__all__ = ["MERGING_METHODS", "cocktail_weights", "greedy_soup", "merge_encoders", "merge_states"]

Thing = TypeVar("Thing")
#: Methods by name: what they do, whether they need a base, and how many models they take at most.
MERGING_METHODS: dict[str, tuple[str, bool, int | None]] = {
    "linear": ("weighted mean of the parameters", False, None),
    "slerp": ("a point on the great circle between two models", False, 2),
    "task_arithmetic": ("base plus the weighted sum of the differences from it", True, None),
    "ties": ("task arithmetic on the largest differences whose signs agree", True, None),
}


def cocktail_weights(losses: Sequence[float] | np.ndarray, *, temperature: float = 1.0) -> np.ndarray:
    r"""Weights of models by a softmax over their losses on a few examples, as LM-Cocktail has them.

    .. math:: w_i = \frac{\exp(-L_i / \tau)}{\sum_j \exp(-L_j / \tau)}

    Parameters
    ----------
    losses
        Loss of each model on the same examples, lower is better; shape (n_models,).
    temperature
        τ, above 0: near 0 the best model takes all, far above the spread of the losses all count the same.

    Returns
    -------
    ndarray of shape (n_models,)
        float64, positive (or 0 where that is below the smallest number), with the sum 1. Shifts of all losses change
        nothing.

    Raises
    ------
    ValueError
        If there are no losses, one is not finite, or the temperature is not above 0.

    Notes
    -----
    Source: :cite:`xiao2024lmcocktail`.

    Examples
    --------
    >>> cocktail_weights([1.0, 1.0 + np.log(3)]).round(6).tolist()
    [0.75, 0.25]
    """
    found = np.asarray(losses, dtype=float)
    if found.ndim != 1 or not len(found) or not np.isfinite(found).all():
        raise ValueError(f"losses are {losses!r}; a finite number for each model is needed")
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature is {temperature!r}; a number above 0 is needed")
    powers = np.exp(-(found - found.min()) / temperature)
    return powers / powers.sum()


def merge_states(
    states: Sequence[Mapping[str, torch.Tensor]], weights: Sequence[float] | None = None
) -> dict[str, torch.Tensor]:
    """The weighted mean of the parameters of modules of one shape.

    Parameters
    ----------
    states
        What ``state_dict`` gives of each module; two at least.
    weights
        Weight of each module, with the sum 1; None for equal ones.

    Returns
    -------
    dict of str to Tensor
        Means, in the type of the first module; what is no floating-point number (counters, positions) must be equal.

    Raises
    ------
    ValueError
        If names or shapes differ (the first is named), weights are not one finite number for each module or do not sum
        to 1, or entries that are no floating-point numbers differ.

    Examples
    --------
    >>> import torch
    >>> one, two = {"w": torch.tensor([1.0, 3.0])}, {"w": torch.tensor([3.0, 3.0])}
    >>> merge_states([one, two], [0.25, 0.75])["w"].tolist()
    [2.5, 3.0]
    """
    import torch

    check_same_shapes(states)
    shares = _shares(weights, len(states))
    merged = {}
    for name, first in states[0].items():
        parts = [state[name] for state in states]
        if not first.is_floating_point():
            if not all(torch.equal(first, part) for part in parts):
                raise ValueError(f"{name} is of type {first.dtype} and differs; only floating-point numbers have means")
            merged[name] = first.clone()
            continue
        total = sum(share * part.to(torch.float64) for share, part in zip(shares, parts, strict=True))
        merged[name] = total.to(first.dtype)
    return merged


def check_same_shapes(states: Sequence[Mapping[str, Any]]) -> None:
    """Refuse parameters that cannot be merged, by name and shape."""
    if len(states) < 2:
        raise ValueError(f"{len(states)} models are given; two at least can be merged")
    first = states[0]
    for number, state in enumerate(states[1:], 1):
        absent = [name for name in first if name not in state] or [name for name in state if name not in first]
        if absent:
            without = number if absent[0] in first else 0
            raise ValueError(f"model {without} has no parameter {absent[0]} ({len(absent)} of them differ by name)")
        for name, values in first.items():
            if tuple(values.shape) != tuple(state[name].shape):
                raise ValueError(
                    f"{name} has the shape {tuple(values.shape)} in model 0 and {tuple(state[name].shape)} in model "
                    f"{number}; only parameters of one shape can be merged"
                )


def _shares(weights: Sequence[float] | None, n: int) -> list[float]:
    if weights is None:
        return [1 / n] * n
    found = [float(weight) for weight in weights]
    if len(found) != n or not all(map(math.isfinite, found)):
        raise ValueError(f"weights are {list(weights)!r}; one finite number for each of {n} models is needed")
    if abs(sum(found) - 1) > 1e-6:
        raise ValueError(f"weights sum to {sum(found):g}; they have to sum to 1")
    return found


def merge_encoders(
    models: Sequence[SentenceTransformer],
    method: str = "linear",
    *,
    weights: Sequence[float] | None = None,
    losses: Sequence[float] | None = None,
    temperature: float = 1.0,
    base: SentenceTransformer | None = None,
    **parameters: Any,
) -> SentenceTransformer:
    """One encoder whose parameters are made of those of several.

    Parameters
    ----------
    models
        Encoders of one architecture and vocabulary; two at least, for ``"slerp"`` exactly two.
    method
        One of :data:`MERGING_METHODS`.
    weights
        Weight of each model: with the sum 1 for ``"linear"``; for ``"slerp"`` too, where the second is the place
        between the two; for task vectors the factor of each difference, without a condition. None for equal weights, or
        factors of 1.
    losses
        Loss of each model on a few examples, from which weights follow by :func:`cocktail_weights`; instead of
        ``weights``.
    temperature
        Temperature of these weights.
    base
        What task vectors are differences from; needed for ``"task_arithmetic"`` and ``"ties"``, and for no other.
    **parameters
        Further parameters of the method in mergekit, such as ``density=0.2`` for ``"ties"``.

    Returns
    -------
    SentenceTransformer
        A new encoder in evaluation mode; the given ones stay as they are.

    Raises
    ------
    ValueError
        If the method is unknown, a base is missing or too much, shapes differ (the parameter is named), weights do not
        sum to 1, or both weights and losses are given.

    Notes
    -----
    Weighted means: :cite:`wortsman2022soups`; task arithmetic: :cite:`ilharco2023editing`; TIES:
    :cite:`yadav2023ties`; weights by losses: :cite:`xiao2024lmcocktail`.
    """
    from sentence_transformers import SentenceTransformer

    if method not in MERGING_METHODS:
        raise ValueError(f"method is {method!r}; it is one of {', '.join(map(repr, MERGING_METHODS))}")
    _, needs_base, most = MERGING_METHODS[method]
    if (base is None) == needs_base:
        raise ValueError(f"method {method!r} {'needs a base' if needs_base else 'takes no base'}")
    if weights is not None and losses is not None:
        raise ValueError("weights and losses are both given; losses give the weights")
    check_same_shapes([model.state_dict() for model in ([*models, base] if needs_base else models)])
    if most is not None and len(models) != most:
        raise ValueError(f"method {method!r} merges {most} models, and {len(models)} are given")
    if losses is not None:
        if len(losses) != len(models):
            raise ValueError(f"there are {len(losses)} losses for {len(models)} models")
        weights = cocktail_weights(losses, temperature=temperature).tolist()
    options = dict(parameters)
    if method == "slerp":
        options["t"] = _shares(weights, 2)[1]
    elif method == "linear":
        options["weight"] = _shares(weights, len(models))
    else:
        factors = [1.0] * len(models) if weights is None else [float(weight) for weight in weights]
        if len(factors) != len(models):
            raise ValueError(f"there are {len(factors)} weights for {len(models)} models")
        options["weight"] = factors
    return SentenceTransformer.merge(list(models), method, base_model=base, parameters=options)


def greedy_soup(
    models: Sequence[Thing], score: Callable[[Thing], float], mean: Callable[[Sequence[Thing]], Thing]
) -> tuple[Thing, list[int]]:
    """The mean of those models that, one after the other from the best on, make it no worse on a validation part.

    Parameters
    ----------
    models
        Models of one shape, one at least.
    score
        Quality of a model on a validation part, higher is better.
    mean
        The mean of some models, such as :func:`merge_encoders`; never called with one alone.

    Returns
    -------
    model
        The soup, or the best model if nothing helps it.
    chosen : list of int
        Numbers of the models in it, in the order in which they were taken.

    Notes
    -----
    Source: :cite:`wortsman2022soups`, greedy soup.

    Examples
    --------
    >>> greedy_soup([1.0, 3.5, 2.5], lambda x: -abs(x - 3), lambda some: sum(some) / len(some))
    (3.0, [1, 2])
    """
    if not len(models):
        raise ValueError("models is empty; one model at least is needed")
    values = [score(model) for model in models]
    order = sorted(range(len(models)), key=lambda i: -values[i])
    chosen, soup, best = [order[0]], models[order[0]], values[order[0]]
    for i in order[1:]:
        candidate = mean([models[k] for k in (*chosen, i)])
        if (value := score(candidate)) >= best:
            chosen, soup, best = [*chosen, i], candidate, value
    return soup, chosen
