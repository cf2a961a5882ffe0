"""Which clients are taken, and which of them train, validate and test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from helpers.arrays import integer_seed
from helpers.clients.data import Clients

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PARTS", "split", "take"]


PARTS = ("train", "validation", "test")


def take(clients: Clients, n_clients: int | None, *, rng=0) -> Clients:
    """At most ``n_clients`` clients, drawn without replacement; those with a target first."""
    if n_clients is None or n_clients >= len(clients):
        return clients
    if n_clients < 1:
        raise ValueError(f"n_clients is {n_clients}; at least 1 is needed")
    shuffled = np.random.default_rng(rng).permutation(len(clients))
    known = clients.target.notna().to_numpy()[shuffled]
    chosen = np.sort(shuffled[np.argsort(~known, kind="stable")][:n_clients])
    target = clients.target.iloc[chosen]
    events = clients.events[clients.events["client"].isin(target.index)].reset_index(drop=True)
    latents = clients.latents
    return Clients(events, target, clients.report, None if latents is None else latents.loc[target.index])


def split(
    target: pd.Series | Clients,
    *,
    experiment: int = 0,
    rng: int | np.random.Generator = 0,
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
) -> pd.Series:
    """Which clients train, validate and test: disjoint, in the same mixture of classes, fixed by the experiment.

    Parameters
    ----------
    target
        Class of each client. Clients without one go to ``"train"``: encoders may learn from them, scores never do.
    experiment, rng
        Numbers that together decide the split, whatever model is trained.
    fractions
        Shares of the clients of each class for training, validation and test.

    Returns
    -------
    Series
        ``"train"``, ``"validation"`` or ``"test"`` for each client, in the order of ``target``.

    Raises
    ------
    ValueError
        If the fractions are negative or do not sum to 1.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.clients import split
    >>> sorted(split(pd.Series([0, 1] * 5), experiment=1).value_counts().items())
    [('test', 2), ('train', 6), ('validation', 2)]
    """
    import pandas as pd

    target = target.target if isinstance(target, Clients) else target
    if len(fractions) != 3 or min(fractions) < 0 or not np.isclose(sum(fractions), 1):
        raise ValueError(f"fractions are {fractions}; three numbers from 0 that sum to 1 are needed")
    draws = np.random.default_rng([integer_seed(rng), experiment])
    codes = pd.factorize(target, sort=True)[0]
    order = draws.permutation(len(target))
    order = order[np.argsort(codes[order], kind="stable")]
    order = order[codes[order] >= 0]
    # Classes one after the other: the position inside the class decides, so that each class is cut in the same shares.
    size = np.bincount(codes[codes >= 0])
    within = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
    place = (within + draws.random(len(size))[codes[order]]) / size[codes[order]] % 1
    parts = np.zeros(len(target), dtype=int)
    parts[order] = np.searchsorted(np.cumsum(fractions)[:2], place, side="right")
    return pd.Series(np.array(PARTS, dtype=object)[parts], index=target.index, name="part")
