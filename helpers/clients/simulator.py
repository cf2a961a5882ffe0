r"""A bank whose truth is known: clients simulated from a generative model.

The generative model, for one client, with every table in :func:`bank`:

1. age group :math:`a`, four groups equally frequent;
2. lifestyle :math:`z \mid a`; taste :math:`\theta \mid z \sim \mathrm{Dirichlet}(\kappa \pi_z)`, shares of categories;
3. income :math:`m \mid a \sim N(\mu_a, \tau^2)`, in logarithms;
4. rhythm of the week :math:`w \mid z`; payday :math:`d \mid a`;
5. habit of channels :math:`\varphi \mid a \sim \mathrm{Dirichlet}(\kappa' \rho_a)`;
6. a number of events that tells nothing of the age; each event draws, independently given the above, its category from
   :math:`\theta`, its log-amount from :math:`N(m + b_c, \sigma_c^2)` given the category :math:`c`, its day with weight
   (weekday in :math:`w`) · (days since :math:`d`), and its channel from :math:`\varphi`.

So each feature carries evidence of its own: categories tell the lifestyle, weekdays the same once more and weakly,
amounts the income and only half of it while the category is hidden, days of the month the payday, channels the age.

Given the client, these events are exchangeable: their order tells nothing. With ``bank(order=…)`` it does, as
:mod:`helpers.clients.ordering` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from helpers.clients.ordering import HABITS, Order, arrange, draw_kinds, order_of

if TYPE_CHECKING:
    from helpers.clients.data import Clients

__all__ = [
    "AGES",
    "Bank",
    "as_bank",
    "bank",
    "choose",
    "day_weights",
    "draw_dirichlet",
    "simulate",
]

AGES = ("18 to 30", "31 to 45", "46 to 60", "over 60")

LIFESTYLES = ("student", "night owl", "parent", "commuter", "traveller", "homebody")
CATEGORIES = {  # name: typical amount, spread of its logarithm, share in each lifestyle
    "groceries": (22, 0.6, (14, 10, 20, 14, 10, 26)),
    "fast food": (8, 0.4, (16, 12, 6, 8, 4, 2)),
    "restaurants": (35, 0.5, (6, 14, 5, 6, 12, 3)),
    "bars": (20, 0.5, (8, 14, 2, 3, 5, 1)),
    "transport": (3, 0.5, (14, 8, 4, 10, 6, 6)),
    "taxi": (12, 0.4, (6, 12, 3, 4, 8, 1)),
    "fuel": (45, 0.3, (1, 3, 9, 18, 8, 4)),
    "clothes": (50, 0.7, (7, 7, 7, 5, 8, 4)),
    "children": (30, 0.8, (1, 1, 14, 3, 2, 3)),
    "pharmacy": (15, 0.6, (2, 2, 7, 4, 4, 14)),
    "home and garden": (60, 0.9, (1, 1, 6, 7, 3, 11)),
    "electronics": (150, 0.9, (4, 4, 3, 5, 5, 2)),
    "games and video": (9, 0.5, (14, 8, 4, 4, 4, 1)),
    "travel": (220, 0.8, (2, 3, 3, 3, 16, 2)),
    "utilities": (90, 0.3, (2, 2, 5, 5, 4, 12)),
    "cash": (100, 0.7, (2, 3, 2, 3, 3, 8)),
}
CHANNELS = ("card", "phone", "web", "branch")

_LIFESTYLE_OF_AGE = np.array(
    [
        [0.42, 0.28, 0.08, 0.10, 0.09, 0.03],
        [0.10, 0.16, 0.36, 0.20, 0.12, 0.06],
        [0.03, 0.06, 0.20, 0.36, 0.17, 0.18],
        [0.01, 0.02, 0.08, 0.16, 0.15, 0.58],
    ]
)
_INCOME_OF_AGE = np.array([-0.35, 0.15, 0.35, -0.15])
_WEEKS = np.array(  # Monday to Sunday: workdays, the weekend, all days equal
    [
        [1.2, 1.2, 1.2, 1.2, 1.3, 0.5, 0.4],
        [0.7, 0.7, 0.7, 0.9, 1.4, 1.6, 1.0],
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    ]
)
_WEEK_OF_LIFESTYLE = np.array(
    [[0.3, 0.4, 0.3], [0.1, 0.8, 0.1], [0.2, 0.6, 0.2], [0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [0.2, 0.1, 0.7]]
)
_PAYDAYS = np.array([5, 12, 20, 27])
_PAYDAY_OF_AGE = np.array(
    [[0.10, 0.20, 0.25, 0.45], [0.15, 0.40, 0.35, 0.10], [0.20, 0.40, 0.30, 0.10], [0.70, 0.15, 0.10, 0.05]]
)
_CHANNEL_OF_AGE = np.array(
    [[0.32, 0.48, 0.17, 0.03], [0.40, 0.34, 0.21, 0.05], [0.50, 0.22, 0.19, 0.09], [0.58, 0.12, 0.11, 0.19]]
)


@dataclass(frozen=True)
class Bank:
    """The tables of the generative model.

    Attributes
    ----------
    lifestyle : ndarray of shape (4, 6)
        P(lifestyle | age), rows sum to 1.
    taste : ndarray of shape (6, 16)
        Dirichlet parameters of the shares of categories in each lifestyle.
    income : ndarray of shape (4,)
        Mean log-income of each age, relative to the typical amounts; ``income_spread`` is its standard deviation.
    log_amount, log_spread : ndarray of shape (16,)
        Mean and standard deviation of the log-amount in each category, at income 0.
    week, week_profile : ndarrays of shapes (6, 3) and (3, 7)
        P(rhythm | lifestyle), and the weight of each weekday in a rhythm.
    payday, month_profile : ndarrays of shapes (4, 4) and (4, 31)
        P(payday | age), and the weight of each day of the month given the payday.
    channel : ndarray of shape (4, 4)
        Dirichlet parameters of the shares of channels in each age.
    order : Order or None
        What the order of the events depends on; None where it tells nothing.
    """

    lifestyle: np.ndarray
    taste: np.ndarray
    income: np.ndarray
    income_spread: float
    log_amount: np.ndarray
    log_spread: np.ndarray
    week: np.ndarray
    week_profile: np.ndarray
    payday: np.ndarray
    month_profile: np.ndarray
    channel: np.ndarray
    order: Order | None = None


def bank(
    *,
    strength: float | Mapping[str, float] = 1.0,
    taste: float = 12.0,
    habit: float = 5.0,
    order: float | Mapping[str, float] = 0.0,
) -> Bank:
    """The simulated bank, with as much evidence of the age as wanted.

    Parameters
    ----------
    strength
        How far what depends on the age differs between ages: 1 as documented, 0 not at all, in between linear. One
        number, or a mapping of ``lifestyle``, ``income``, ``payday``, ``channel`` to numbers (1 where absent).
    taste, habit
        Concentration of the tastes around their lifestyle and of the habits of channels around those of the age:
        small values make individuals, large ones make types.
    order
        How far the order of the events depends on the age: 0 not at all, 1 as :mod:`helpers.clients.ordering`
        documents. One number, or a mapping of ``routine``, ``streak``, ``season``, ``drift`` to numbers (0 where
        absent). The counts of all features are the same for every order.

    Raises
    ------
    ValueError
        If a strength or an order is outside [0, 1], a name is unknown, or a concentration is not positive.

    Examples
    --------
    >>> from helpers.clients.simulator import bank
    >>> bank().lifestyle.shape, float(bank(strength=0).income.std())
    ((4, 6), 0.0)
    """
    names = ("lifestyle", "income", "payday", "channel")
    given = dict(strength) if isinstance(strength, Mapping) else dict.fromkeys(names, strength)
    for name, value in given.items():
        if name not in names:
            raise ValueError(f"strength names {name!r}; there are {', '.join(names)}")
        if not 0 <= value <= 1:
            raise ValueError(f"strength of {name} is {value}; a number from 0 to 1 is needed")
    if not (taste > 0 and habit > 0):
        raise ValueError(f"taste is {taste} and habit is {habit}; both must be positive")

    def weakened(table: np.ndarray, name: str) -> np.ndarray:
        part = given.get(name, 1.0)
        return part * table + (1 - part) * table.mean(axis=0)

    shares = np.array([row[2] for row in CATEGORIES.values()], dtype=float).T
    since = (np.arange(1, 32) - _PAYDAYS[:, None]) % 31
    return Bank(
        lifestyle=weakened(_LIFESTYLE_OF_AGE, "lifestyle"),
        taste=taste * shares / shares.sum(axis=1, keepdims=True),
        income=weakened(_INCOME_OF_AGE, "income"),
        income_spread=0.45,
        log_amount=np.log([row[0] for row in CATEGORIES.values()]),
        log_spread=np.array([row[1] for row in CATEGORIES.values()]),
        week=_WEEK_OF_LIFESTYLE,
        week_profile=_WEEKS,
        payday=weakened(_PAYDAY_OF_AGE, "payday"),
        month_profile=1 + 2.0 * np.exp(-since / 3),
        channel=habit * weakened(_CHANNEL_OF_AGE, "channel"),
        order=order_of(order, list(CATEGORIES)),
    )


def as_bank(model: Bank | Mapping | None) -> Bank:
    """A bank, from itself, from arguments of :func:`bank` (as a file of options has them), or the standard one.

    >>> from helpers.clients.simulator import as_bank
    >>> as_bank(None).order is None, as_bank({"order": {"streak": 1}}).order is None
    (True, False)
    """
    if model is None:
        return bank()
    if isinstance(model, Bank):
        return model
    if not isinstance(model, Mapping):
        raise TypeError(f"model is a {type(model).__name__}; a bank, or a mapping of arguments of bank, is needed")
    known = ("strength", "taste", "habit", "order")
    if unknown := [name for name in model if name not in known]:
        raise ValueError(f"model names {unknown[0]!r}; it can name {', '.join(known)}")
    return bank(**model)


def simulate(
    n_clients: int = 2000,
    *,
    events: tuple[int, int] = (40, 120),
    days: int = 365,
    start: str = "2025-01-01",
    model: Bank | Mapping | None = None,
    rng=0,
) -> Clients:
    """Draw clients and their transactions from the model of this module.

    Parameters
    ----------
    n_clients
        Number of clients, at least 1.
    events
        Fewest and most events of a client, each number in between equally likely.
    days, start
        Length of the observed period in days, and its first day.
    model
        Bank to draw from, or a mapping of arguments of :func:`bank`; the standard bank if None.
    rng
        Seed, sequence of seeds or ``numpy.random.Generator`` of all draws.

    Returns
    -------
    Clients
        Events sorted by client and day (in random order within a day, if order tells nothing), targets 0 to 3, and
        the latent truth of each client in ``latents``.

    Raises
    ------
    ValueError
        If a number is out of range.

    Notes
    -----
    Time and memory are linear in the number of events; 5000 clients of 100 events take about half a second.

    Examples
    --------
    >>> from helpers.clients import simulate
    >>> clients = simulate(3, events=(5, 5), rng=1)
    >>> clients.events.shape, list(clients.events.columns)
    ((15, 5), ['client', 'time', 'category', 'amount', 'channel'])
    """
    import pandas as pd

    from helpers.clients.data import Clients

    low, high = events
    if n_clients < 1 or not 1 <= low <= high or days < 1:
        raise ValueError(
            f"n_clients={n_clients}, events={events}, days={days}: at least one client, 1 ≤ fewest ≤ most events and "
            "at least one day are needed"
        )
    model = as_bank(model)
    rng = np.random.default_rng(rng)
    age = rng.integers(len(AGES), size=n_clients)
    lifestyle = choose(model.lifestyle[age], rng)
    taste = draw_dirichlet(model.taste[lifestyle], rng)
    income = rng.normal(model.income[age], model.income_spread)
    week = choose(model.week[lifestyle], rng)
    payday = choose(model.payday[age], rng)
    habit = draw_dirichlet(model.channel[age], rng)

    count = rng.integers(low, high + 1, size=n_clients)
    owner = np.repeat(np.arange(n_clients), count)
    category = choose(taste, rng, owner)
    log_amount = income[owner] + rng.normal(model.log_amount[category], model.log_spread[category])
    channel = choose(habit, rng, owner)
    calendar = pd.date_range(start, periods=days)
    weight = day_weights(model, calendar)[week, payday]
    day = choose(weight / weight.sum(axis=1, keepdims=True), rng, owner)

    order = np.lexsort((day, owner))
    time = calendar.values[day[order]]
    kinds = {} if model.order is None else draw_kinds(model.order, age, rng)
    if model.order is not None:  # the dates stay, the transactions change places
        order = order[arrange(model.order, category[order], owner, kinds, rng)]
    names = pd.Index(range(n_clients), name="client")
    table = pd.DataFrame(
        {
            "client": owner,
            "time": time,
            "category": pd.Categorical.from_codes(category[order], list(CATEGORIES)),
            "amount": np.round(np.exp(log_amount[order]), 2).clip(0.01),
            "channel": pd.Categorical.from_codes(channel[order], list(CHANNELS)),
        }
    )
    latents = pd.DataFrame(
        {
            "age": age,
            "lifestyle": pd.Categorical.from_codes(lifestyle, list(LIFESTYLES)),
            "income": income,
            "week": week,
            "payday": _PAYDAYS[payday],
            **{name: pd.Categorical.from_codes(kind, list(HABITS[name])) for name, kind in kinds.items()},
        },
        index=names,
    )
    latents.attrs["period"] = start, days
    return Clients(table, pd.Series(age, index=names, name="target"), latents=latents)


def choose(shares: np.ndarray, rng: np.random.Generator, rows: np.ndarray | None = None) -> np.ndarray:
    """One column for each row, or for each entry of ``rows`` (sorted numbers of rows), with the given probabilities."""
    edges = np.cumsum(shares, axis=1)
    edges /= edges[:, -1:]
    rows = np.arange(len(shares)) if rows is None else rows
    # Row i of the edges, moved to [i, i + 1], makes one increasing sequence: a single search serves all rows.
    edges = (edges + np.arange(len(edges))[:, None]).ravel()
    found = np.searchsorted(edges, rows + rng.random(len(rows)), side="right") - rows * shares.shape[1]
    return np.clip(found, 0, shares.shape[1] - 1)


def draw_dirichlet(alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One point of the simplex for each row of concentrations."""
    drawn = np.maximum(rng.standard_gamma(alpha), 1e-300)
    return drawn / drawn.sum(axis=1, keepdims=True)


def day_weights(model: Bank, calendar) -> np.ndarray:
    """Weights of the days of a calendar: rhythms × paydays × days."""
    week = model.week_profile[:, calendar.dayofweek]
    month = model.month_profile[:, calendar.day - 1]
    return week[:, None, :] * month[None, :, :]
