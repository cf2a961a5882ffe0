"""What an ideal observer of transactions, text and graph can tell."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from helpers.clients.data import FEATURES, Clients
from helpers.clients.modalities._drawing import latents_of
from helpers.clients.modalities.data import KINDS, Modalities
from helpers.clients.modalities.graph import graph_evidence
from helpers.clients.modalities.texts import text_evidence
from helpers.clients.observer import Evidence
from helpers.clients.simulator import Bank, bank

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ceilings"]


def ceilings(clients: Clients, made: Modalities, *, model: Bank | None = None) -> pd.DataFrame:
    r"""What an ideal observer tells of the age from each set of modalities, and from all together.

    Parameters
    ----------
    clients, made
        Simulated clients, and what :func:`helpers.clients.modalities.make_modalities` made of them.
    model
        Bank that they were drawn from; :func:`helpers.clients.bank` by default.

    Returns
    -------
    DataFrame
        One row for each of the seven sets of ``transactions`` (all five features), ``text`` and ``graph``:
        ``accuracy``, the mean largest posterior, its standard error ``error``, and ``hits``, how often the observer was
        right. ``exact`` is False where the graph is seen: that observer is told the age and lifestyle of all *other*
        clients, which nobody knows, so that the number is an upper bound.

    Raises
    ------
    ValueError
        If the clients are not simulated.

    Notes
    -----
    Exact Bayesian inference otherwise: likelihoods given age and lifestyle multiply, :math:`P(a \mid x) \propto \sum_z
    P(z \mid a) \prod_m P(x_m \mid z, a)`. The purchases that a text quotes are draws from the transactions: beside
    these they tell nothing, and alone they are counted by the Dirichlet-multinomial distribution.

    Examples
    --------
    >>> from helpers.clients import bank, simulate
    >>> from helpers.clients.modalities import ceilings, make_modalities
    >>> blind = simulate(30, model=bank(strength=0), rng=0)
    >>> found = ceilings(blind, make_modalities(blind, strength=0), model=bank(strength=0))
    >>> found.loc["transactions + text", "accuracy"].round(6), len(found)
    (np.float64(0.25), 7)
    """
    import pandas as pd
    from scipy.special import logsumexp

    latents_of(clients)
    model = model or bank()
    evidence = Evidence(clients, model, 1, np.random.default_rng(0))
    seen = evidence.purchases(FEATURES) + evidence.days(FEATURES) + evidence.channels[:, None, :]
    words, quoted = text_evidence(clients, made, model)
    likelihood = {"transactions": seen, "text": words, "graph": graph_evidence(clients, made)}
    rows = {}
    for chosen in (names for size in (1, 2, 3) for names in combinations(KINDS, size)):
        log = np.log(np.maximum(model.lifestyle.T, 1e-300))[None] + sum(likelihood[name] for name in chosen)
        if "text" in chosen and "transactions" not in chosen:
            log = log + quoted
        log = logsumexp(log, axis=1)
        posterior = np.exp(log - logsumexp(log, axis=1, keepdims=True))
        sure = posterior.max(axis=1)
        rows[" + ".join(chosen)] = {
            "accuracy": sure.mean(),
            "error": sure.std(ddof=1) / np.sqrt(len(sure)),
            "hits": (posterior.argmax(axis=1) == clients.target.to_numpy()).mean(),
            "exact": "graph" not in chosen,
        }
    return pd.DataFrame.from_dict(rows, orient="index")
