"""Clients, their transactions, and what is to be predicted of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FEATURES", "Clients", "binary_target"]

FEATURES = ("category", "amount", "channel", "weekday", "monthday")
"""What may be seen of an event; weekday and day of the month are taken from its time."""


@dataclass(frozen=True)
class Clients:
    """Transactions of clients, and what is to be predicted of each client.

    Attributes
    ----------
    events : DataFrame
        Columns ``client``, ``time`` (datetime64), ``category`` (categorical), ``amount`` (float64) and, where the
        source has it, ``channel`` (categorical); sorted by client and time, numbered from 0.
    target : Series
        Class of each client, by client, in the order of the events; missing where it is not known.
    report : DataFrame
        What was wrong with the source and what was done about it; see :func:`helpers.clients.read`.
    latents : DataFrame or None
        The latent truth of simulated clients.
    """

    events: pd.DataFrame
    target: pd.Series
    report: pd.DataFrame | None = field(default=None, repr=False)
    latents: pd.DataFrame | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.target)


def binary_target(target: pd.Series, first: object) -> pd.Series:
    """Two classes: those from one on, in their order, against those before it, as an age above or below a limit.

    Parameters
    ----------
    target
        Class of each client; missing ones stay missing.
    first
        Name of the first class that counts as 1, as it is or as text.

    Returns
    -------
    Series
        0 and 1, by client.

    Raises
    ------
    ValueError
        If there is no such class, or it is the first of all, so that nothing is left on the other side.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.clients.data import binary_target
    >>> binary_target(pd.Series([0, 1, 2, 3]), "2").tolist()
    [0, 0, 1, 1]
    """
    import pandas as pd

    codes, classes = pd.factorize(target, sort=True)
    names = [str(name) for name in classes]
    if str(first) not in names[1:]:
        raise ValueError(f"binary_from is {first!r}; it can be {', '.join(map(repr, names[1:]))}")
    found = pd.Series((codes >= names.index(str(first))).astype(int), index=target.index, name=target.name)
    return found if (codes >= 0).all() else found.where(codes >= 0)
