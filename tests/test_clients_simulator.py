"""Simulated clients follow their model, and the ideal observer is calibrated."""

import time

import numpy as np
import pandas as pd
import pytest
import tolerance
from scipy import stats

from helpers.clients import (
    FEATURES,
    Clients,
    ideal_posterior,
    ideal_table,
    simulate,
)
from helpers.clients.observer import subsets_of_features
from helpers.clients.simulator import CATEGORIES, CHANNELS, bank


@pytest.fixture(scope="module")
def clients():
    return simulate(600, rng=3)


# The simulator


def test_events_are_sorted_and_every_client_has_a_target(clients):
    events = clients.events
    assert events.sort_values(["client", "time"], kind="stable").index.equals(events.index)
    assert events["client"].unique().tolist() == clients.target.index.tolist() == clients.latents.index.tolist()
    assert events.groupby("client").size().between(40, 120).all()
    assert (events["amount"] > 0).all() and events.notna().all().all()


def test_one_seed_gives_one_population(clients):
    pd.testing.assert_frame_equal(clients.events, simulate(600, rng=3).events)
    assert not clients.events.equals(simulate(600, rng=4).events)


def test_a_large_population_takes_seconds_at_most():
    simulate(10, rng=0)
    began = time.process_time()
    simulate(5000, events=(100, 100), rng=0)
    assert time.process_time() - began < 5


def test_drawn_frequencies_are_those_of_the_tables(clients):
    many = simulate(8000, events=(1, 1), rng=0)
    model = bank()
    of_lifestyle = model.taste / model.taste.sum(axis=1, keepdims=True)
    expected = (model.lifestyle @ of_lifestyle).mean(axis=0)
    seen = many.events["category"].value_counts().reindex(list(CATEGORIES))
    assert stats.chisquare(seen, expected * 8000).pvalue > 1e-3  # of a thousand other streams one would fail
    channel = many.events["channel"].value_counts().reindex(list(CHANNELS))
    expected = (model.channel / model.channel.sum(axis=1, keepdims=True)).mean(axis=0)
    assert stats.chisquare(channel, expected * 8000).pvalue > 1e-3  # likewise
    base = pd.Series(model.log_amount, index=list(CATEGORIES))
    known = np.log(many.events["amount"]) - many.events["category"].map(base).astype(float)
    off = known - many.latents["income"]
    assert abs(off.mean()) <= tolerance.of_a_mean(off.std(), 8000)


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="at least one client"):
        simulate(0)
    with pytest.raises(ValueError, match="fewest ≤ most"):
        simulate(5, events=(9, 3))
    with pytest.raises(ValueError, match="strength of income is 2"):
        bank(strength={"income": 2})
    with pytest.raises(ValueError, match="strength names 'age'"):
        bank(strength={"age": 1})


# The ideal observer


def test_the_posterior_by_hand_on_one_client():
    """One event of known category and amount: lifestyle, taste and income are integrated by brute force."""
    model, one = bank(), simulate(1, events=(2, 2), rng=5)
    rng = np.random.default_rng(0)
    codes = [list(CATEGORIES).index(name) for name in one.events["category"]]
    log = np.log(one.events["amount"].to_numpy())
    likelihood, spread = [], []
    for age in range(4):
        lifestyle = rng.choice(6, size=40000, p=model.lifestyle[age])
        taste = rng.standard_gamma(model.taste[lifestyle])
        taste /= taste.sum(axis=1, keepdims=True)
        income = rng.normal(model.income[age], model.income_spread, size=len(lifestyle))
        value = np.ones(len(lifestyle))
        for code, amount in zip(codes, log, strict=True):
            value *= taste[:, code] * stats.norm.pdf(amount, income + model.log_amount[code], model.log_spread[code])
        likelihood.append(value.mean())
        spread.append(value.std())
    expected = np.array(likelihood) / sum(likelihood)
    moves = (np.eye(4) - expected[:, None]) / sum(likelihood)  # derivatives of the shares by the likelihoods
    width = tolerance.of_a_mean(np.sqrt(moves**2 @ np.square(spread)), 40000)
    found = ideal_posterior(one, ["category", "amount"]).to_numpy()[0]
    assert (abs(found - expected) <= width).all()


def test_amounts_without_categories_by_hand_on_one_event():
    """With one event the mixture has a closed form: the mean taste, and income and noise add up."""
    model, one = bank(), simulate(1, events=(1, 1), rng=6)
    mean = model.taste / model.taste.sum(axis=1, keepdims=True)
    spread = np.hypot(model.income_spread, model.log_spread)

    def density(log):
        return stats.norm.pdf(log, model.income[:, None] + model.log_amount, spread)

    def posterior(log):
        likelihood = (model.lifestyle @ mean * density(log)).sum(axis=1)
        return likelihood / likelihood.sum()

    log = np.log(one.events["amount"].iloc[0])
    expected, d = posterior(log), density(log)
    # The tastes that are drawn have the variance of a Dirichlet distribution, whatever moves together at the worst.
    variance = (mean @ d.T**2 - (mean @ d.T) ** 2) / (model.taste.sum(axis=1)[:, None] + 1)
    of_likelihood = np.sqrt((model.lifestyle.T**2 * variance).sum(axis=0))
    moved = abs(np.eye(4) - expected[:, None]) @ of_likelihood / (model.lifestyle @ mean * d).sum()
    binned = np.max([abs(posterior(log + half) - expected) for half in (-0.03, 0.03)], axis=0)  # amounts, to 0.06
    found = ideal_posterior(one, ["amount"], draws=3000).to_numpy()[0]
    assert (abs(found - expected) <= tolerance.of_a_mean(moved, 3000) + binned).all()


def test_days_by_hand_on_one_event():
    model, one = bank(), simulate(1, events=(1, 1), days=60, rng=7)
    calendar = pd.date_range("2025-01-01", periods=60)
    day = one.events["time"].iloc[0]
    expected = np.zeros(4)
    for week in range(3):
        for pay in range(4):
            weight = model.week_profile[week][calendar.dayofweek] * model.month_profile[pay][calendar.day - 1]
            chance = weight[calendar == day].sum() / weight.sum()
            expected += (model.lifestyle @ model.week[:, week]) * model.payday[:, pay] * chance
    found = ideal_posterior(one, ["weekday", "monthday"]).to_numpy()[0]
    assert np.allclose(found, expected / expected.sum())


def test_the_observer_is_as_often_right_as_it_believes():
    table = ideal_table(
        [["category"], ["category", "amount", "channel", "monthday"], ["amount"]], n_clients=1500, draws=60
    )
    error = np.sqrt(table["accuracy"] * (1 - table["accuracy"]) / 1500)
    assert (abs(table["accuracy"] - table["hits"]) < 4 * error).all()
    assert table["exact"].to_dict() == {
        "category + amount + channel + monthday": True,
        "category": True,
        "amount": False,
    }
    assert (table["integration"] < 0.03).all()  # two halves of the draws: about a standard error of 1500 clients


def test_more_features_never_tell_less(clients):
    accuracy = {
        chosen: ideal_posterior(clients, chosen).max(axis=1).mean()
        for chosen in subsets_of_features(FEATURES)
        if "amount" not in chosen or "category" in chosen
    }
    for chosen, value in accuracy.items():
        for feature in set(FEATURES) - set(chosen):
            larger = tuple(name for name in FEATURES if name in {*chosen, feature})
            assert accuracy.get(larger, 1) > value - 0.015, (chosen, feature)


def test_without_evidence_nothing_is_told():
    model = bank(strength=0)
    clients = simulate(30, model=model, rng=0)
    for chosen in (FEATURES, ["amount"], ["weekday"]):
        assert np.allclose(ideal_posterior(clients, chosen, model=model, draws=10), 0.25)


def test_the_observer_refuses_other_events(clients):
    with pytest.raises(ValueError, match="name one or more of category"):
        ideal_posterior(clients, ["age"])
    other = Clients(clients.events.assign(category="rent"), clients.target)
    with pytest.raises(ValueError, match="'rent' is not a category"):
        ideal_posterior(other, ["category"])
