"""The ideal observer of the simulated bank: what can be told of the age of its clients, by Bayes' rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from helpers.clients.data import FEATURES, Clients
from helpers.clients.ordering import order_likelihood
from helpers.clients.simulator import (
    AGES,
    CATEGORIES,
    CHANNELS,
    LIFESTYLES,
    Bank,
    as_bank,
    day_weights,
    draw_dirichlet,
    simulate,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Evidence",
    "dirichlet_multinomial",
    "ideal_accuracy",
    "ideal_posterior",
    "ideal_table",
    "subsets_of_features",
]


def ideal_posterior(
    clients: Clients,
    features: Iterable[str] = FEATURES,
    *,
    model: Bank | Mapping | None = None,
    order: bool = True,
    draws: int = 300,
    rng=0,
) -> pd.DataFrame:
    r"""P(age | what is seen of the events), by Bayes' rule in the model that made them.

    No classifier that sees the same features of the same number of events can be right more often than this one.

    Parameters
    ----------
    clients
        Simulated clients (the names of categories and channels must be those of the model).
    features
        What the observer sees of an event: some of ``category``, ``amount``, ``channel``, ``weekday``, ``monthday``.
    model
        Bank that the clients were drawn from, or a mapping of arguments of :func:`helpers.clients.bank`; the standard
        bank by default.
    order
        Whether the observer sees the order of the categories, or counts alone. Where the bank has no order, and where
        categories are not seen, both are the same.
    draws
        Tastes drawn for each lifestyle, where amounts are seen without categories; ignored otherwise.
    rng
        Seed or generator of those draws.

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

    In a bank with order the sequence of categories is taken one after the other, all kinds of habits summed out, which
    is exact. What an order of amounts without categories, or of weekdays without days of the month, would tell is left
    out: such an observer is a little worse than could be.

    Examples
    --------
    >>> from helpers.clients import simulate
    >>> from helpers.clients import ideal_posterior
    >>> ideal_posterior(simulate(3, rng=1), ["category"]).shape
    (3, 4)
    """
    (posterior,) = _posteriors(clients, [_checked_features(features)], as_bank(model), draws, rng, order)
    return posterior


def ideal_accuracy(
    features: Iterable[str] = FEATURES,
    *,
    n_clients: int = 2000,
    model: Bank | Mapping | None = None,
    order: bool = True,
    rng=0,
    **options,
) -> float:
    """Accuracy of the ideal observer that sees these features: the mean over fresh clients of its largest posterior.

    ``model`` and ``order`` are those of :func:`ideal_posterior`, ``options`` those of :func:`helpers.clients.simulate`
    (``events``, ``days``, ``start``). Its standard error and that of the numerical integration, where there is one, are
    in :func:`ideal_table`.

    Examples
    --------
    >>> from helpers.clients import bank, ideal_accuracy
    >>> round(ideal_accuracy(["category"], n_clients=50, model=bank(strength=0)), 6)
    0.25
    """
    clients = simulate(n_clients, model=model, rng=rng, **options)
    return float(ideal_posterior(clients, features, model=model, order=order, rng=rng).max(axis=1).mean())


def ideal_table(
    subsets: Iterable[Iterable[str]] | None = None,
    *,
    n_clients: int = 2000,
    model: Bank | Mapping | None = None,
    order: bool = True,
    draws: int = 300,
    rng=0,
    **options,
) -> pd.DataFrame:
    """What an ideal observer reaches with each subset of the features.

    Parameters
    ----------
    subsets
        Subsets of the features; all 31 by default.
    n_clients, rng, options
        Arguments of :func:`helpers.clients.simulate` for the fresh clients over which the accuracy is averaged.
    model
        Bank that the clients are drawn from, or a mapping of arguments of :func:`helpers.clients.bank`; the standard
        bank by default.
    order
        Whether the observer sees the order of the categories: see :func:`ideal_posterior`.
    draws
        Tastes drawn for each lifestyle, where amounts are seen without categories.

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
    >>> from helpers.clients import ideal_table
    >>> list(ideal_table([["channel"], ["category", "channel"]], n_clients=50).index)
    ['category + channel', 'channel']
    """
    import pandas as pd

    chosen = [_checked_features(s) for s in (subsets_of_features() if subsets is None else subsets)]
    model = as_bank(model)
    clients = simulate(n_clients, model=model, rng=rng, **options)
    rng = np.random.default_rng(rng)
    hard = [s for s in chosen if _is_integrated(s)]
    halves = [_posteriors(clients, hard, model, max(1, draws // 2), rng, order) for _ in range(2 if hard else 0)]
    easy = iter(_posteriors(clients, [s for s in chosen if not _is_integrated(s)], model, 1, rng, order))
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


def subsets_of_features(features: Iterable[str] = FEATURES) -> list[tuple[str, ...]]:
    """All non-empty subsets, small ones first.

    >>> subsets_of_features(["amount", "category"])
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


def _posteriors(
    clients: Clients, chosen: list[tuple[str, ...]], model: Bank, draws: int, rng, order: bool
) -> list[pd.DataFrame]:
    """The posterior for each subset; what several subsets share is computed once."""
    import pandas as pd
    from scipy.special import logsumexp

    evidence = Evidence(clients, model, draws, np.random.default_rng(rng))
    found = []
    for features in chosen:
        log = np.log(model.lifestyle.T)[None] + evidence.purchases(features)  # clients × lifestyles × ages
        log = logsumexp(log + evidence.days(features), axis=1)
        if "channel" in features:
            log = log + evidence.channels
        if order and "category" in features:
            log = log + evidence.order
        log -= logsumexp(log, axis=1, keepdims=True)
        found.append(pd.DataFrame(np.exp(log), index=clients.target.index, columns=list(AGES)))
    return found


class Evidence:
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
        return self._once("channels", lambda: dirichlet_multinomial(counts, self.model.channel))

    @property
    def order(self) -> np.ndarray:
        if self.model.order is None:
            return np.zeros((1, 1))
        return self._once("order", lambda: order_likelihood(self.model.order, self.category, self.owner, self.n))

    def purchases(self, features: tuple[str, ...]) -> np.ndarray:
        """Categories and amounts, as far as they are seen."""
        if "category" not in features:
            return self._once("amounts", self._amounts) if "amount" in features else np.zeros((1, 1, 1))
        categories = self._once("categories", self._categories)[:, :, None]
        return categories + self._once("residuals", self._residuals)[:, None, :] if "amount" in features else categories

    def _categories(self) -> np.ndarray:
        return dirichlet_multinomial(self._counts(self.category, len(CATEGORIES)), self.model.taste)

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
            tastes = draw_dirichlet(np.tile(alpha, (self.draws, 1)), self.rng)
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

        weight = day_weights(self.model, self.calendar)
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
        raise ValueError(f"{events[column].iloc[int(codes.argmin())]!r} is not a {column} of the simulated bank")
    return codes


def dirichlet_multinomial(counts: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Log-likelihood of counts (n, k) under each row of alpha (m, k), the multinomial coefficient left out: (n, m)."""
    from scipy.special import gammaln

    each = sum(
        gammaln(counts[:, None, j] + alpha[None, :, j]) - gammaln(alpha[None, :, j]) for j in range(counts.shape[1])
    )
    total = alpha.sum(axis=1)
    return each + gammaln(total) - gammaln(counts.sum(axis=1)[:, None] + total)
