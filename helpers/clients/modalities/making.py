"""A text and a graph of the same clients, drawn or made of their transactions."""

from __future__ import annotations

from collections.abc import Mapping

from helpers.clients.data import Clients
from helpers.clients.modalities.data import Modalities
from helpers.clients.modalities.graph import link_rare_categories, make_payments
from helpers.clients.modalities.texts import describe_categories, write_messages

__all__ = ["make_modalities"]


def make_modalities(
    clients: Clients,
    *,
    messages: tuple[int, int] = (2, 6),
    payments: float = 6.0,
    strength: float | Mapping[str, float] = 1.0,
    rare: float = 0.05,
    rng=0,
) -> Modalities:
    """A text and a graph of the same clients: drawn where they are simulated, else made of their transactions.

    Parameters
    ----------
    clients
        Clients as :func:`helpers.clients.load_clients` gives them; those with a latent truth get drawn modalities.
    messages, payments, strength
        Numbers of the model of simulated clients: see :func:`~helpers.clients.modalities.write_messages` and
        :func:`~helpers.clients.modalities.make_payments`. A mapping gives ``text`` and ``graph`` their own strength.
    rare
        Largest share of the clients that use a rare category, for clients that are not simulated: see
        :func:`~helpers.clients.modalities.link_rare_categories`.
    rng
        Seed, sequence of seeds or ``numpy.random.Generator`` of the draws. The same number as of
        :func:`helpers.clients.simulate` gives other draws than that.

    Returns
    -------
    Modalities

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> from helpers.clients import simulate
    >>> from helpers.clients.modalities import make_modalities
    >>> made = make_modalities(simulate(20, rng=0))
    >>> len(made.texts), list(made.payments.columns)
    (20, ['payer', 'payee', 'payments'])
    """
    if clients.latents is None:
        texts, linked = describe_categories(clients), link_rare_categories(clients, rare=rare)
        n = len(set(linked["payer"]) | set(linked["payee"]))
        found = 10 * n >= len(clients)
        origin = {
            "text": "made of the transactions: which categories a client uses mostly, often and now and then",
            "graph": f"made of the transactions: two clients are linked where they share a category that at most "
            f"{rare:.0%} of the clients have; {n} of {len(clients)} have a link"
            if found
            else f"absent: only {n} of {len(clients)} clients share a category that at most {rare:.0%} of them have",
        }
        return Modalities(texts, linked if found else None, origin)
    given = dict(strength) if isinstance(strength, Mapping) else dict.fromkeys(("text", "graph"), strength)
    if unknown := set(given) - {"text", "graph"}:
        raise ValueError(f"strength names {', '.join(map(repr, sorted(unknown)))}; there are 'text' and 'graph'")
    given = {"text": 1.0, "graph": 1.0} | given
    written = write_messages(clients, messages=messages, strength=given["text"], rng=rng)
    paid, activity = make_payments(clients, payments=payments, strength=given["graph"], rng=rng)
    origin = {
        "text": f"simulated: {messages[0]} to {messages[1]} support messages of each client",
        "graph": f"simulated: payments among the clients, {payments:g} made by each on average",
    }
    texts = written.groupby("client", sort=False)["text"].agg("\n".join).reindex(clients.target.index)
    return Modalities(texts, paid, origin, written, activity, {"payments": payments, "strength": given})
