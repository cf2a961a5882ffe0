"""How strong a symptom healthy spaces of a shape have: the null distributions of a diagnosis."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from helpers.arrays import check_count, generator
from helpers.quality._nulls import DRAWS, NULLS, OBJECTS, WIDTHS
from helpers.quality._symptoms import SYMPTOMS, Symptoms
from helpers.quality.healthy import healthy_space
from helpers.quality.neighbours import equal_groups

__all__ = ["EXACT", "TESTS", "healthy_symptoms", "null_of_shape", "perplexity_null"]

EXACT = 1e-6
"""Distance over the root mean squared one, below which rows are equal."""

TESTS = 12
"""How many symptoms one diagnosis looks at, at most; each is tested at the level 0.05 over this."""


def healthy_symptoms(n: int, p: int, *, rng: int | np.random.Generator = 0) -> dict[str, float]:
    """The symptoms of one space that :func:`~helpers.quality.healthy_space` draws.

    Parameters
    ----------
    n, p
        Numbers of objects and of features.
    rng
        Seed or generator of the space.

    Returns
    -------
    dict of str to float
        Value of each symptom by name.
    """
    x = healthy_space(n, p, rng=rng)
    groups = equal_groups(x, tolerance=EXACT)
    sizes = np.bincount(groups)
    repeated = float(np.mean(sizes[groups] > 1))
    x = x[np.unique(groups, return_index=True)[1]]
    space = Symptoms(x)
    found = {name: function(space) for name, function in SYMPTOMS.items()} | {"duplicates": repeated}
    found["clump"] = max(found["clump"], float(np.log(sizes.max())))
    for metric in ("dot", "euclidean"):
        found[f"disagreement, {metric}"] = Symptoms(x, metric).disagreement()
    return found


def null_of_shape(n: int, p: int, *, n_draws: int | None = None, rng: int | np.random.Generator = 0) -> dict:
    """Median and threshold of each symptom in healthy spaces of a shape.

    Parameters
    ----------
    n, p
        Numbers of objects and of features.
    n_draws
        How many healthy spaces of this very shape are drawn; the threshold is the largest of them, which one more would
        exceed with probability 1 / (n_draws + 1). By default thresholds are the largest of the recorded ones around
        this shape, for which 239 spaces each were drawn, and medians are taken between them.
    rng
        Seed or generator of the spaces.

    Returns
    -------
    dict of str to tuple of float
        Symptom → median and threshold.

    Examples
    --------
    >>> from helpers.quality.thresholds import null_of_shape
    >>> middle, threshold = null_of_shape(400, 128)["hub"]
    >>> middle < threshold
    True
    """
    check_count(n, "n", least=8)
    check_count(p, "p", least=2)
    if n_draws is not None:
        rng = generator(rng)
        draws = [healthy_symptoms(n, p, rng=rng) for _ in range(check_count(n_draws, "n_draws"))]
        values = {name: np.array([draw[name] for draw in draws]) for name in draws[0]}
        return {name: (float(np.median(each)), float(each.max())) for name, each in values.items()}
    table = middle = np.array(NULLS["values"])  # objects, widths, symptoms, (median, largest)
    for axis, (grid, value) in enumerate(((OBJECTS, n), (WIDTHS, p))):
        place = float(np.clip(np.interp(np.log(value), np.log(grid), np.arange(len(grid))), 0, len(grid) - 1))
        low, high = math.floor(place), math.ceil(place)
        share = place - low
        middle = (1 - share) * middle.take([low], axis) + share * middle.take([high], axis)
        table = np.maximum(table.take([low], axis), table.take([high], axis))
    pairs = zip(middle[0, 0, :, 0], table[0, 0, :, 1], strict=True)
    return {name: tuple(map(float, pair)) for name, pair in zip(NULLS["symptoms"], pairs, strict=True)}


@cache
def perplexity_null(n: int, n_codes: int, n_draws: int = DRAWS) -> tuple[float, float]:
    """Median and threshold of the share of a codebook that is in use, as healthy codebooks are used.

    A healthy usage is drawn from a Dirichlet distribution whose parameter is log-uniform in [0.5, 10]: from uneven, as
    words are, to nearly even. The share is the perplexity of the codes of n objects over their number.

    Parameters
    ----------
    n
        Number of objects.
    n_codes
        Number of codes in the book.
    n_draws
        How many usages are drawn; the threshold is the smallest of them.

    Returns
    -------
    tuple of float
        The median and the threshold, below which a codebook has collapsed.

    Examples
    --------
    >>> from helpers.quality.thresholds import perplexity_null
    >>> 0.2 < perplexity_null(2000, 64)[1] < 0.5
    True
    """
    rng = np.random.default_rng(0)
    found = []
    for _ in range(n_draws):
        usage = rng.dirichlet(np.full(n_codes, np.exp(rng.uniform(np.log(0.5), np.log(10)))))
        share = rng.multinomial(n, usage) / n
        share = share[share > 0]
        found.append(np.exp(-np.sum(share * np.log(share))) / min(n_codes, n))
    return float(np.median(found)), float(np.min(found))
