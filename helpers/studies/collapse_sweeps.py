"""Closer looks: where InfoNCE itself collapses and what its temperature does; what keeps codes in use."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

from helpers.quality import uniformity
from helpers.studies.collapse_tables import codebook_collapse
from helpers.studies.collapse_views import (
    effective_directions,
    latent_objects,
    readable,
    strong_views,
    view_encoder,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NETWORKS", "codes_sweep", "contrast_sweep"]

NETWORKS = {
    "one matrix": {"hidden": (), "activation": "linear"},
    "three matrices": {"hidden": (64, 64), "activation": "linear"},
    "ReLU": {"hidden": (64,), "activation": "relu"},
}
"""Encoders that are trained by InfoNCE: a linear map, a product of three, a perceptron."""


def contrast_sweep(
    strengths: Sequence[float] = (0.3, 1.0, 3.0),
    temperatures: Sequence[float] = (0.05, 0.2, 1.0),
    networks: Sequence[str] = tuple(NETWORKS),
    *,
    n_strong: int = 12,
    steps: int = 300,
    rng: int = 0,
) -> pd.DataFrame:
    """Encoders trained by InfoNCE, by the strength of the views and the temperature.

    What the temperature does: Wang and Liu (2021) :cite:`wang2021behaviour`.

    Parameters
    ----------
    strengths
        Standard deviations of the noise of views along most latents, which have 1.
    temperatures
        What cosines are divided by.
    networks
        Names in :data:`NETWORKS`.
    n_strong
        How many of the 16 latents the noise hits.
    steps, rng
        Steps of training; seed of objects and training.

    Returns
    -------
    DataFrame
        Columns ``strength``, ``temperature``, ``network``, ``directions`` (effective ones, of 16), ``uniformity``,
        ``readable_weak`` and ``readable_strong`` (of the latents that the noise spares and of those that it hits).
    """
    import pandas as pd

    given, rows = latent_objects(rng=rng), []
    for strength, temperature, network in product(strengths, temperatures, networks):
        views = strong_views(given.axes[:n_strong], strength)
        options = {"loss": "info_nce", "options": {"temperature": temperature}, "views": views}
        encoder, _ = view_encoder(given, steps=steps, rng=rng, **options, **NETWORKS[network])
        x = encoder.transform(given.x_test)
        row = {"strength": float(strength), "temperature": float(temperature), "network": network}
        row |= {"directions": effective_directions(x)[0], "uniformity": uniformity(x)}
        row["readable_weak"] = readable(x, given.latents_test[:, n_strong:])
        row["readable_strong"] = readable(x, given.latents_test[:, :n_strong])
        rows.append(row)
    return pd.DataFrame(rows)


def codes_sweep(*, n_codes: int = 256, restart: float = 0.2, steps: int = 300, rng: int = 0) -> pd.DataFrame:
    """All combinations of four remedies of a codebook.

    Parameters
    ----------
    n_codes
        Codes of the book.
    restart
        Threshold of the restart, where codes are restarted.
    steps, rng
        Steps of training; seed of objects and training.

    Returns
    -------
    DataFrame
        Columns ``start``, ``update``, ``restart``, ``rotation``, ``used`` (share of the codes that an object of the
        test takes), ``perplexity`` (over the number of codes) and ``task`` (share of the variance that codes keep).
    """
    import numpy as np
    import pandas as pd

    rows = []
    for start, update, again, rotation in product(("random", "kmeans"), ("gradient", "ema"), (0.0, restart), (0, 1)):
        options = {"start": start, "update": update, "restart": again, "rotation": bool(rotation)}
        found = codebook_collapse(n_codes=n_codes, steps=steps, rng=rng, **options)
        used = len(np.unique(found.codes)) / n_codes
        rows.append(options | {"used": used, "perplexity": found.kept, "task": found.task})
    return pd.DataFrame(rows)
