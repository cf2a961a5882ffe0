"""Whether near vectors say near things: noise in units of the vectors' own spread, and ways between two texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from helpers.arrays import check_count, check_not_negative, single_precision
from helpers.inversion.inverter import Inverter, checked_texts
from helpers.inversion.measures import inversion_scores

__all__ = ["between", "noisy_vectors", "under_noise"]


def noisy_vectors(inverter: Inverter, vectors: Any, sigma: float, *, rng: int = 0) -> np.ndarray:
    """Vectors with normal noise whose standard deviation in each coordinate is ``sigma`` times their own spread.

    A sigma of 1 is as far as vectors lie from their centre, whatever their width: an absolute sigma would mean another
    thing for every encoder.

    Parameters
    ----------
    inverter
        A fitted inverter, which knows the spread of its training vectors.
    vectors : array_like of shape (n, width)
        Vectors of any texts.
    sigma
        At least 0.
    rng
        Seed of the noise; one seed gives the same directions at every sigma.

    Returns
    -------
    ndarray of shape (n, width), float32
    """
    check_not_negative(sigma, "sigma")
    x = single_precision(vectors, "vectors", rows=1)
    noise = np.random.default_rng(rng).normal(size=x.shape).astype(np.float32)
    return x + np.float32(sigma * inverter.spread_) * noise


def under_noise(
    inverter: Inverter,
    texts: Sequence[str],
    sigmas: Sequence[float] = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0),
    *,
    vectors: Any = None,
    beams: int = 1,
    rng: int = 0,
) -> pd.DataFrame:
    """What is written from vectors with more and more noise.

    Parameters
    ----------
    inverter
        A fitted inverter.
    texts
        Texts, not those of training.
    sigmas
        Noise in units of the spread; see :func:`noisy_vectors`.
    vectors : array_like of shape (n, width), optional
        Vectors of the texts; by default those of its encoder.
    beams
        Beams of the search.
    rng
        Seed of the noise.

    Returns
    -------
    DataFrame
        A row for each sigma and text: ``sigma``, ``row``, ``written`` and the columns of
        :func:`helpers.inversion.inversion_scores`.
    """
    import warnings

    texts = checked_texts(texts, "texts")
    x = inverter.encode(texts) if vectors is None else np.asarray(vectors, dtype=np.float32)
    parts = []
    for sigma in sigmas:
        with warnings.catch_warnings():
            # Vectors far from those of training are what is asked for here.
            warnings.filterwarnings("ignore", message=".*outside the cloud of training")
            written = inverter.decode(noisy_vectors(inverter, x, sigma, rng=rng), beams=beams)
        scores = inversion_scores(texts, written, lower=inverter.lower)
        parts.append(scores.assign(sigma=float(sigma), row=np.arange(len(texts)), written=written))
    table = pd.concat(parts, ignore_index=True)
    return table[["sigma", "row", "written", *[c for c in table if c not in ("sigma", "row", "written")]]]


def between(inverter: Inverter, first: str, second: str, *, steps: int = 7, beams: int = 5) -> pd.DataFrame:
    """What is written on the straight way from the vector of one text to that of another.

    Parameters
    ----------
    inverter
        A fitted inverter with an encoder.
    first, second
        Texts at the two ends of the way.
    steps
        Vectors on the way, both ends included, at least 2.
    beams
        Beams of the search.

    Returns
    -------
    DataFrame
        ``share`` of the way, in [0, 1], and what is ``written`` there.
    """
    check_count(steps, "steps", least=2)
    a, b = inverter.encode([first, second])
    shares = np.linspace(0, 1, steps)
    way = a + shares[:, None].astype(np.float32) * (b - a)
    return pd.DataFrame({"share": shares, "written": inverter.decode(way, beams=beams)})
