"""Vectors and texts that are given: digests of what a training learns from, and a warning of vectors far from it."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from helpers.text import digest_of_texts

__all__ = ["REACH", "digest_of_vectors", "learned_from", "warn_of_far"]

REACH = 0.999
"""Share of the training vectors whose distance from their centre no vector should exceed much."""


def warn_of_far(x: np.ndarray, centre: np.ndarray, reach: float, *, stacklevel: int = 3) -> None:
    """Warn of vectors far outside the cloud of training, whose distances from the centre hardly exceed the reach."""
    far = np.linalg.norm(x - centre, axis=1) / max(reach, np.finfo(np.float32).tiny)
    if (outside := np.flatnonzero(far > 1.5)).size:
        worst = int(far.argmax())
        warnings.warn(
            f"{len(outside)} of {len(x)} vectors lie outside the cloud of training: row {worst} is "
            f"{far[worst]:.1f} times as far from its centre as 99.9 % of the training vectors",
            stacklevel=stacklevel,
        )


def learned_from(
    texts: Sequence[str],
    vectors: np.ndarray | None,
    validation: Sequence[str] | None = None,
    validation_vectors: np.ndarray | None = None,
) -> dict[str, Any]:
    """What a training learns from, in digests: it goes on from a folder only where all of them are the same."""
    out: dict[str, Any] = {
        "texts": digest_of_texts(texts),
        "validation": None if validation is None else digest_of_texts(validation),
    }
    for name, x in (("vectors", vectors), ("validation vectors", validation_vectors)):
        out[name] = None if x is None else {"shape": list(x.shape), "digest": digest_of_vectors(x)}
    return out


def digest_of_vectors(x: np.ndarray) -> str:
    """SHA-256 of the numbers of an array and of their type, row by row, as its first 16 hexadecimal digits."""
    out = hashlib.sha256(f"{x.dtype.str} {x.shape}".encode())
    for at in range(0, len(x), 4096):
        out.update(np.ascontiguousarray(x[at : at + 4096]).tobytes())
    return out.hexdigest()[:16]
