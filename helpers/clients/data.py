"""Clients, their transactions, and what is to be predicted of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FEATURES", "Clients"]

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
