"""Qualities and similarities as they come from the user, brought to the order of the representations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from helpers.arrays import check_not_negative
from helpers.ensembles.representations import Representations

__all__ = ["as_lambda", "as_quality", "as_similarity"]


def as_lambda(lam: Any) -> float:
    """``lam`` as a finite float of at least 0."""
    return check_not_negative(lam, "lam")


def as_quality(quality: Any, representations: Representations, y: Any = None) -> np.ndarray:
    """One finite quality per representation: given by name or by position, or computed by name or by ``f(x, y)``."""
    names = representations.names
    if isinstance(quality, str):
        from helpers.quality import QUALITIES

        if quality not in QUALITIES:
            known = [name for name, entry in QUALITIES.items() if entry.needs != "labels"]
            raise ValueError(f"quality is {quality!r}; the label-free qualities are {', '.join(known)}")
        function = QUALITIES[quality]
        blocks = [representations.block(i) for i in range(len(names))]
        beside = [blocks[:i] + blocks[i + 1 :] if function.needs == "others" else None for i in range(len(names))]
        values = [function(x, others=others) for x, others in zip(blocks, beside, strict=True)]
    elif callable(quality):
        values = [quality(representations.block(i), y) for i in range(len(names))]
    elif isinstance(quality, Mapping) or _is_labelled(quality, 1):
        values = _by_name(dict(quality.items()), names)
    else:
        values = quality
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"quality has dtype {values.dtype}; one number for each representation is needed")
    if values.shape != (len(names),):
        raise ValueError(
            f"quality has shape {values.shape}; one number for each of {len(names)} representations is needed"
        )
    wrong = [name for name, value in zip(names, values, strict=True) if not np.isfinite(value)]
    if wrong:
        raise ValueError(f"quality of {', '.join(map(repr, wrong))} is not finite")
    return values.astype(np.float64)


def as_similarity(similarity: Any, representations: Representations) -> np.ndarray:
    """The symmetric (L, L) matrix of similarities: given, as a frame with names, or computed by name or ``f(x, y)``."""
    names = representations.names
    if isinstance(similarity, str) or callable(similarity):
        matrix = np.asarray(_computed(similarity, representations))
    else:
        if _is_labelled(similarity, 2):
            rows, columns = ([str(label) for label in axis] for axis in (similarity.index, similarity.columns))
            for axis, labels in (("rows", rows), ("columns", columns)):
                if sorted(labels) != sorted(names):
                    raise ValueError(f"similarity has {axis} {labels}; exactly {names} are needed, in any order")
            matrix = np.asarray(similarity)[np.ix_(*([at.index(name) for name in names] for at in (rows, columns)))]
        else:
            matrix = np.asarray(similarity)
        if matrix.dtype.kind not in "biuf":
            raise TypeError(f"similarity has dtype {matrix.dtype}; a matrix of numbers is needed")
    size = len(names)
    if matrix.shape != (size, size):
        raise ValueError(f"similarity has shape {matrix.shape}; ({size}, {size}) is needed, as in {names}")
    matrix = matrix.astype(np.float64)
    if not np.isfinite(matrix).all():
        i, j = np.argwhere(~np.isfinite(matrix))[0]
        raise ValueError(f"similarity of {names[i]!r} and {names[j]!r} is not finite")
    difference = np.abs(matrix - matrix.T)
    if difference.max() > 1e-6 * np.abs(matrix).max():
        i, j = np.unravel_index(difference.argmax(), difference.shape)
        raise ValueError(
            f"similarity is not symmetric: {names[i]!r} to {names[j]!r} is {matrix[i, j]:.6g} and back "
            f"{matrix[j, i]:.6g}; pass (S + S.T) / 2 if the mean is meant"
        )
    return (matrix + matrix.T) / 2


def _computed(measure: str | Callable, representations: Representations) -> np.ndarray:
    """All pairs by a measure of :mod:`helpers.similarity` or by any symmetric function of two representations."""
    if isinstance(measure, str):
        from helpers.similarity.registry import MEASURES

        known = [name for name, entry in MEASURES.items() if entry.symmetric and entry.orientation == "similarity"]
        if measure not in known:
            raise ValueError(f"similarity is {measure!r}; the symmetric similarities known by name are {known}")
        from helpers.similarity.matrices import similarity_matrix

        arrays = {name: representations.whole(i) for i, name in enumerate(representations.names)}
        return similarity_matrix(arrays, measure, progress=False).to_numpy()
    size = len(representations.names)
    out = np.empty((size, size))
    for i in range(size):
        x = representations.block(i)
        for j in range(i, size):
            try:
                out[i, j] = out[j, i] = measure(x, representations.block(j))
            except ValueError as error:
                error.add_note(f"x is representation {representations.names[i]!r}, y {representations.names[j]!r}")
                raise
    return out


def _is_labelled(value: Any, ndim: int) -> bool:
    """Whether ``value`` is a pandas object of ``ndim`` dimensions."""
    return hasattr(value, "iloc") and value.ndim == ndim


def _by_name(values: dict, names: list[str]) -> list:
    values = {str(name): value for name, value in values.items()}
    missing = [name for name in names if name not in values]
    unknown = [name for name in values if name not in names]
    if missing or unknown:
        parts = [f"lacks {missing}"] * bool(missing) + [f"has {unknown} besides"] * bool(unknown)
        raise ValueError(f"quality {' and '.join(parts)}; the representations are {names}")
    return [values[name] for name in names]
