r"""A bank whose truth is known: simulated clients, and what an ideal observer can tell of their age.

The generative model, for one client, with every table in :func:`bank`:

1. age group :math:`a`, four groups alike frequent;
2. lifestyle :math:`z \mid a`; taste :math:`\theta \mid z \sim \mathrm{Dirichlet}(\kappa \pi_z)`, shares of categories;
3. income :math:`m \mid a \sim N(\mu_a, \tau^2)`, in logarithms;
4. rhythm of the week :math:`w \mid z`; payday :math:`d \mid a`;
5. habit of channels :math:`\varphi \mid a \sim \mathrm{Dirichlet}(\kappa' \rho_a)`;
6. a number of events that tells nothing of the age; each event draws, independently given the above, its category from
   :math:`\theta`, its log-amount from :math:`N(m + b_c, \sigma_c^2)` given the category :math:`c`, its day with weight
   (weekday in :math:`w`) · (days since :math:`d`), and its channel from :math:`\varphi`.

So each feature carries evidence of its own: categories tell the lifestyle, weekdays the same once more and weakly,
amounts the income and only half of it while the category is hidden, days of the month the payday, channels the age.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from helpers.arrays import integer_seed

if TYPE_CHECKING:
    import pandas as pd

    from helpers.clients.reading import Clients

__all__ = [
    "AGES",
    "FEATURES",
    "Bank",
    "bank",
    "ideal_accuracy",
    "ideal_posterior",
    "ideal_table",
    "simulate",
    "subsets",
]

AGES = ("18 to 30", "31 to 45", "46 to 60", "over 60")
FEATURES = ("category", "amount", "channel", "weekday", "monthday")
"""What an observer may see of an event; the number of events is always seen, and tells nothing."""

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
_WEEKS = np.array(  # Monday to Sunday: workdays, the weekend, all alike
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


def bank(*, strength: float | Mapping[str, float] = 1.0, taste: float = 12.0, habit: float = 5.0) -> Bank:
    """The simulated bank, with as much evidence of the age as wanted.

    Parameters
    ----------
    strength
        How far what depends on the age differs between ages: 1 as documented, 0 not at all, in between linear. One
        number, or a mapping of ``lifestyle``, ``income``, ``payday``, ``channel`` to numbers (1 where absent).
    taste, habit
        Concentration of the tastes around their lifestyle and of the habits of channels around those of the age:
        small values make individuals, large ones make types.

    Raises
    ------
    ValueError
        If a strength is outside [0, 1], a name is unknown, or a concentration is not positive.

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
    )


def simulate(
    n_clients: int = 2000,
    *,
    events: tuple[int, int] = (40, 120),
    days: int = 365,
    start: str = "2025-01-01",
    model: Bank | None = None,
    rng=0,
) -> Clients:
    """Draw clients and their transactions from the model of this module.

    Parameters
    ----------
    n_clients
        How many clients, at least 1.
    events
        Fewest and most events of a client, each number in between alike likely.
    days, start
        Length of the observed period in days, and its first day.
    model
        What to draw from; :func:`bank` with its defaults if absent.
    rng
        An integer, a sequence of integers, or a ``numpy.random.Generator``.

    Returns
    -------
    Clients
        Events sorted by client and day (in random order within a day), targets 0 to 3, and the latent truth of each
        client in ``latents``.

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

    from helpers.clients.reading import Clients

    seed = integer_seed(rng)
    low, high = events
    if n_clients < 1 or not 1 <= low <= high or days < 1:
        raise ValueError(
            f"n_clients={n_clients}, events={events}, days={days}: at least one client, 1 ≤ fewest ≤ most events and "
            "at least one day are needed"
        )
    model = model or bank()
    rng = np.random.default_rng(seed)
    age = rng.integers(len(AGES), size=n_clients)
    lifestyle = _choose(model.lifestyle[age], rng)
    taste = _dirichlet(model.taste[lifestyle], rng)
    income = rng.normal(model.income[age], model.income_spread)
    week = _choose(model.week[lifestyle], rng)
    payday = _choose(model.payday[age], rng)
    habit = _dirichlet(model.channel[age], rng)

    count = rng.integers(low, high + 1, size=n_clients)
    owner = np.repeat(np.arange(n_clients), count)
    category = _choose(taste, rng, owner)
    log_amount = income[owner] + rng.normal(model.log_amount[category], model.log_spread[category])
    channel = _choose(habit, rng, owner)
    calendar = pd.date_range(start, periods=days)
    weight = _day_weights(model, calendar)[week, payday]
    day = _choose(weight / weight.sum(axis=1, keepdims=True), rng, owner)

    order = np.lexsort((day, owner))
    names = pd.Index(range(n_clients), name="client")
    table = pd.DataFrame(
        {
            "client": owner,
            "time": calendar.values[day[order]],
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
        },
        index=names,
    )
    latents.attrs["period"] = start, days
    return Clients(table, pd.Series(age, index=names, name="target"), latents=latents)


def ideal_posterior(
    clients: Clients, features: Iterable[str] = FEATURES, *, model: Bank | None = None, draws: int = 300, rng=0
) -> pd.DataFrame:
    r"""P(age | what is seen of the events), by Bayes' rule in the model that made them.

    No classifier that sees the same features of the same number of events can be right more often than this one.

    Parameters
    ----------
    clients
        Simulated clients (the names of categories and channels must be those of the model).
    features
        What the observer sees, of ``category``, ``amount``, ``channel``, ``weekday``, ``monthday``.
    model
        The bank that the clients were drawn from, :func:`bank` by default.
    draws
        Tastes drawn for each lifestyle, where amounts are seen without categories; ignored otherwise.
    rng
        Of those draws.

    Returns
    -------
    DataFrame of shape (clients, 4)
        Rows sum to 1.

    Raises
    ------
    ValueError
        If no feature or an unknown one is named, or if the events are not of this bank.

    Notes
    -----
    Exact wherever amounts are not seen without their categories: the tastes and habits are integrated out
    (Dirichlet–multinomial), the income too (normal), rhythm, payday and lifestyle are summed over. Amounts alone are a
    mixture over the unseen categories: the income is then integrated on a grid, with an error far below that of the
    average over ``draws`` tastes for each lifestyle, which :func:`ideal_table` states.

    Examples
    --------
    >>> from helpers.clients import simulate
    >>> from helpers.clients.simulator import ideal_posterior
    >>> ideal_posterior(simulate(3, rng=1), ["category"]).shape
    (3, 4)
    """
    seed = integer_seed(rng)
    (posterior,) = _posteriors(clients, [_checked_features(features)], model or bank(), draws, seed)
    return posterior


def ideal_accuracy(
    features: Iterable[str] = FEATURES, *, n_clients: int = 2000, model: Bank | None = None, rng=0, **options
) -> float:
    """Accuracy of the ideal observer that sees these features: the mean over fresh clients of its largest posterior.

    ``options`` are those of :func:`simulate` (``events``, ``days``, ``start``). Its standard error and that of the
    numerical integration, where there is one, are in :func:`ideal_table`.

    Examples
    --------
    >>> from helpers.clients.simulator import bank, ideal_accuracy
    >>> round(ideal_accuracy(["category"], n_clients=50, model=bank(strength=0)), 6)
    0.25
    """
    clients = simulate(n_clients, model=model, rng=rng, **options)
    return float(ideal_posterior(clients, features, model=model, rng=rng).max(axis=1).mean())


def ideal_table(
    subsets_: Iterable[Iterable[str]] | None = None,
    *,
    n_clients: int = 2000,
    model: Bank | None = None,
    draws: int = 300,
    rng=0,
    **options,
) -> pd.DataFrame:
    """What an ideal observer reaches with each subset of the features.

    Parameters
    ----------
    subsets_
        The subsets; all 31 by default.
    n_clients, rng, options
        The fresh clients over which the accuracy is averaged: see :func:`simulate`.
    draws
        As in :func:`ideal_posterior`.

    Returns
    -------
    DataFrame
        One row per subset (its names joined by ``" + "``), largest accuracy first. ``accuracy`` is the mean largest
        posterior and ``error`` its standard error over clients; ``hits`` is how often the observer was right, the same
        number in expectation and noisier; ``exact`` tells whether the posterior is exact, and ``integration`` is, where
        it is not, the difference in accuracy between two independent halves of the draws.

    Notes
    -----
    About ten seconds on one core for 2000 clients, nearly all of it for amounts without categories.

    Examples
    --------
    >>> from helpers.clients.simulator import ideal_table
    >>> list(ideal_table([["channel"], ["category", "channel"]], n_clients=50).index)
    ['category + channel', 'channel']
    """
    import pandas as pd

    seed = integer_seed(rng)
    chosen = [_checked_features(s) for s in (subsets() if subsets_ is None else subsets_)]
    model = model or bank()
    clients = simulate(n_clients, model=model, rng=seed, **options)
    rng = np.random.default_rng(seed)
    hard = [s for s in chosen if _is_integrated(s)]
    halves = [_posteriors(clients, hard, model, max(1, draws // 2), rng) for _ in range(2 if hard else 0)]
    easy = iter(_posteriors(clients, [s for s in chosen if not _is_integrated(s)], model, 1, rng))
    rows = {}
    for subset in chosen:
        number = hard.index(subset) if subset in hard else None
        both = [half[number] for half in halves] if number is not None else [next(easy)]
        best = sum(both).to_numpy() / len(both)
        sure = best.max(axis=1)
        rows[" + ".join(subset)] = {
            "accuracy": sure.mean(),
            "error": sure.std(ddof=1) / np.sqrt(n_clients) if n_clients > 1 else np.nan,
            "hits": (best.argmax(axis=1) == clients.target.to_numpy()).mean(),
            "exact": number is None,
            "integration": abs(np.subtract(*(b.max(axis=1).mean() for b in both))) if number is not None else 0.0,
        }
    return pd.DataFrame.from_dict(rows, orient="index").sort_values("accuracy", ascending=False)


def subsets(features: Iterable[str] = FEATURES) -> list[tuple[str, ...]]:
    """All non-empty subsets, small ones first.

    >>> subsets(["amount", "category"])
    [('amount',), ('category',), ('amount', 'category')]
    """
    features = tuple(features)
    return [chosen for size in range(1, len(features) + 1) for chosen in combinations(features, size)]


def _checked_features(features: Iterable[str]) -> tuple[str, ...]:
    features = (features,) if isinstance(features, str) else tuple(features)
    if not features or set(features) - set(FEATURES):
        raise ValueError(f"features are {features}; name one or more of {', '.join(FEATURES)}")
    return tuple(name for name in FEATURES if name in features)


def _is_integrated(features: tuple[str, ...]) -> bool:
    return "amount" in features and "category" not in features


def _choose(shares: np.ndarray, rng: np.random.Generator, rows: np.ndarray | None = None) -> np.ndarray:
    """One column for each row, or for each entry of ``rows`` (sorted numbers of rows), with the given probabilities."""
    edges = np.cumsum(shares, axis=1)
    edges /= edges[:, -1:]
    rows = np.arange(len(shares)) if rows is None else rows
    # Row i of the edges, moved to [i, i + 1], makes one increasing sequence: a single search serves all rows.
    edges = (edges + np.arange(len(edges))[:, None]).ravel()
    found = np.searchsorted(edges, rows + rng.random(len(rows)), side="right") - rows * shares.shape[1]
    return np.clip(found, 0, shares.shape[1] - 1)


def _dirichlet(alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    drawn = np.maximum(rng.standard_gamma(alpha), 1e-300)
    return drawn / drawn.sum(axis=1, keepdims=True)


def _day_weights(model: Bank, calendar) -> np.ndarray:
    """Weights of the days of a calendar: rhythms × paydays × days."""
    week = model.week_profile[:, calendar.dayofweek]
    month = model.month_profile[:, calendar.day - 1]
    return week[:, None, :] * month[None, :, :]


def _posteriors(clients: Clients, chosen: list[tuple[str, ...]], model: Bank, draws: int, seed) -> list[pd.DataFrame]:
    """The posterior for each subset; what several subsets share is computed once."""
    import pandas as pd
    from scipy.special import logsumexp

    evidence = _Evidence(clients, model, draws, np.random.default_rng(seed))
    found = []
    for features in chosen:
        log = np.log(model.lifestyle.T)[None] + evidence.purchases(features)  # clients × lifestyles × ages
        log = logsumexp(log + evidence.days(features), axis=1)
        if "channel" in features:
            log = log + evidence.channels
        log -= logsumexp(log, axis=1, keepdims=True)
        found.append(pd.DataFrame(np.exp(log), index=clients.target.index, columns=list(AGES)))
    return found


class _Evidence:
    """Log-likelihoods of what is seen, given lifestyle and age, up to terms that are the same for all ages."""

    def __init__(self, clients: Clients, model: Bank, draws: int, rng: np.random.Generator):
        import pandas as pd

        events = clients.events
        self.model, self.draws, self.rng = model, draws, rng
        self.owner = pd.Index(clients.target.index).get_indexer(events["client"])
        self.n = len(clients.target)
        self.category = _codes(events, "category", tuple(CATEGORIES))
        self.channel = _codes(events, "channel", CHANNELS)
        self.log_amount = np.log(events["amount"].to_numpy())
        self.time = pd.DatetimeIndex(events["time"])
        start, days = (clients.latents.attrs if clients.latents is not None else {}).get("period", (None, None))
        self.calendar = pd.date_range(start, periods=days) if start else pd.date_range(self.time.min(), self.time.max())
        self._kept: dict = {}

    def _once(self, name, compute):
        if name not in self._kept:
            self._kept[name] = compute()
        return self._kept[name]

    def _counts(self, codes: np.ndarray, size: int) -> np.ndarray:
        return np.bincount(self.owner * size + codes, minlength=self.n * size).reshape(self.n, size)

    @property
    def channels(self) -> np.ndarray:
        counts = self._counts(self.channel, len(CHANNELS))
        return self._once("channels", lambda: _dirichlet_multinomial(counts, self.model.channel))

    def purchases(self, features: tuple[str, ...]) -> np.ndarray:
        """Categories and amounts, as far as they are seen."""
        if "category" not in features:
            return self._once("amounts", self._amounts) if "amount" in features else np.zeros((1, 1, 1))
        categories = self._once("categories", self._categories)[:, :, None]
        return categories + self._once("residuals", self._residuals)[:, None, :] if "amount" in features else categories

    def _categories(self) -> np.ndarray:
        return _dirichlet_multinomial(self._counts(self.category, len(CATEGORIES)), self.model.taste)

    def _residuals(self) -> np.ndarray:
        """Amounts of known category: independent measurements of a normal income, which is integrated out."""
        model = self.model
        precision = model.log_spread[self.category] ** -2
        total = np.bincount(self.owner, precision, self.n)
        residual = self.log_amount - model.log_amount[self.category]
        mean = np.bincount(self.owner, precision * residual, self.n) / np.maximum(total, 1e-300)
        # What does not depend on the age is left out.
        variance = model.income_spread**2 + 1 / np.maximum(total, 1e-300)
        return -0.5 * (mean[:, None] - model.income) ** 2 / variance[:, None]

    def _amounts(self) -> np.ndarray:
        """Amounts of unknown category: a mixture, averaged over drawn tastes and over a grid of incomes."""
        from scipy.special import logsumexp

        model, step = self.model, 0.06
        reach = 5 * model.income_spread
        low = np.floor((model.income.min() - reach) / step)
        incomes = step * 3 * np.arange(low // 3, (model.income.max() + reach) // (3 * step) + 1)
        log_prior = -0.5 * ((incomes[:, None] - model.income) / model.income_spread) ** 2
        log_prior -= logsumexp(log_prior, axis=0)
        bins = np.round(self.log_amount / step).astype(int)
        first = bins.min()
        counts = self._counts(bins - first, bins.max() - first + 1).astype(np.float32)
        grid = step * (first + np.arange(counts.shape[1]))
        z = (grid[None, :, None] - incomes[:, None, None] - model.log_amount) / model.log_spread
        density = np.exp(-0.5 * z**2) / model.log_spread  # incomes × bins × categories
        found = np.empty((self.n, len(LIFESTYLES), len(AGES)))
        for lifestyle, alpha in enumerate(model.taste):
            tastes = _dirichlet(np.tile(alpha, (self.draws, 1)), self.rng)
            log = np.full((self.n, len(incomes)), -np.inf)
            for part in np.array_split(tastes, max(1, self.draws // 50)):
                mixture = np.log(np.maximum(np.einsum("ibc,tc->bti", density, part, optimize=True), 1e-30))
                table = mixture.reshape(counts.shape[1], -1).astype(np.float32)
                seen = (counts @ table).reshape(self.n, len(part), len(incomes)).astype(float)
                log = np.logaddexp(log, logsumexp(seen, axis=1))
            found[:, lifestyle] = logsumexp(log[:, :, None] + log_prior, axis=1)
        return found

    def days(self, features: tuple[str, ...]) -> np.ndarray:
        seen = tuple(name for name in ("weekday", "monthday") if name in features)
        return self._once(seen, lambda: self._days(seen)) if seen else np.zeros((1, 1, 1))

    def _days(self, seen: tuple[str, ...]) -> np.ndarray:
        """Days of the week and of the month, rhythm and payday summed out."""
        from scipy.special import logsumexp

        def symbols(calendar) -> np.ndarray:
            week = calendar.dayofweek.to_numpy() if "weekday" in seen else 0
            return week + 7 * (
                calendar.day.to_numpy() - 1 if "monthday" in seen else np.zeros(len(calendar), dtype=int)
            )

        weight = _day_weights(self.model, self.calendar)
        weight = weight / weight.sum(axis=2, keepdims=True)
        size = 7 * 31
        share = np.zeros((*weight.shape[:2], size))
        np.add.at(share, (slice(None), slice(None), symbols(self.calendar)), weight)
        counts = self._counts(symbols(self.time), size)
        log = np.einsum("ns,wds->nwd", counts, np.log(np.where(share > 0, share, 1.0)), optimize=True)
        log = logsumexp(
            log[:, None] + np.log(self.model.week)[None, :, :, None], axis=2
        )  # clients, lifestyles, paydays
        return logsumexp(log[:, :, None, :] + np.log(self.model.payday)[None, None], axis=3)


def _codes(events: pd.DataFrame, column: str, names: tuple[str, ...]) -> np.ndarray:
    import pandas as pd

    if column not in events:
        raise ValueError(f"the events have no column {column!r}; the ideal observer is of simulated clients")
    codes = pd.Index(names).get_indexer(events[column].astype(object))
    if (codes < 0).any():
        raise ValueError(f"{events[column].iloc[int(codes.argmin())]!r} is no {column} of the simulated bank")
    return codes


def _dirichlet_multinomial(counts: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Log-likelihood of counts (n, k) under each row of alpha (m, k), the multinomial coefficient left out: (n, m)."""
    from scipy.special import gammaln

    each = sum(
        gammaln(counts[:, None, j] + alpha[None, :, j]) - gammaln(alpha[None, :, j]) for j in range(counts.shape[1])
    )
    total = alpha.sum(axis=1)
    return each + gammaln(total) - gammaln(counts.sum(axis=1)[:, None] + total)
