"""What there is of clients beside their transactions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KINDS", "Modalities"]


KINDS = ("transactions", "text", "graph")
"""The modalities of a client, in the order of all tables."""


@dataclass(frozen=True)
class Modalities:
    """What there is of clients beside their transactions.

    Attributes
    ----------
    texts : Series or None
        One text for each client, in the order of the clients; None where the source allows none.
    payments : DataFrame or None
        ``payer``, ``payee`` (clients, never the same) and ``payments`` (how many, or how strong the link is), one row
        for each pair that has any; None where the source allows none.
    origin : dict
        One sentence for ``"text"`` and one for ``"graph"``: how it was made, or why it is absent.
    messages : DataFrame or None
        Each message of simulated clients with its client, topic, style and category.
    activity : Series or None
        θ of the model, how active each simulated client is.
    settings : dict
        Numbers that :func:`helpers.clients.modalities.make_modalities` was given.
    """

    texts: pd.Series | None
    payments: pd.DataFrame | None
    origin: dict[str, str]
    messages: pd.DataFrame | None = field(default=None, repr=False)
    activity: pd.Series | None = field(default=None, repr=False)
    settings: dict[str, Any] = field(default_factory=dict, repr=False)
