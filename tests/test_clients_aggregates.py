"""Hand-made features are what an analyst would count, client by client, and see nothing else."""

import numpy as np
import pandas as pd
import pytest

from helpers.clients import Clients, hand_made, ideal_accuracy, score, simulate, split


@pytest.fixture(scope="module")
def clients():
    return simulate(400, rng=1)


def made(**columns):
    """Clients a, b (one transaction) and c (none), with three transactions of a."""
    times = pd.to_datetime(["2025-01-01 08:00", "2025-01-01 20:00", "2025-01-22 08:00", "2025-01-05 00:00"])
    events = pd.DataFrame({"client": ["a", "a", "a", "b"], "time": times})
    events["category"] = pd.Categorical(["food", "food", "fuel", "fuel"], categories=["food", "fuel", "travel"])
    events["amount"] = [np.e - 1, -(np.e**3 - 1), np.e**2 - 1, 0.0]
    target = pd.Series([0, 1, 0], index=pd.Index(["c", "a", "b"], name="client"))
    return hand_made(Clients(events.assign(**columns), target))


def test_shares_counts_amounts_and_gaps_of_three_clients_by_hand():
    found = made()
    assert found.index.tolist() == ["c", "a", "b"] and (found.loc["c"] == 0).all()
    a = found.loc["a"]
    assert a[["category food", "category fuel", "category travel"]].tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    assert (a["weekday 2"], a["month days 1-7"], a["month days 22-31"]) == pytest.approx((1, 2 / 3, 1 / 3))
    amounts = a[["amount min", "amount median", "amount max", "amount mean", "amount incoming"]]
    assert amounts.tolist() == pytest.approx([-3, 1, 2, 0, 1 / 3])
    assert a["amount sd"] == pytest.approx(np.std([1, -3, 2]))
    total = np.e - 1 - (np.e**3 - 1) + np.e**2 - 1
    assert a["amount total"] == pytest.approx(-np.log1p(-total))
    assert (a["count"], a["rate"]) == pytest.approx((np.log(4), np.log1p(90 / 22)))
    gaps = np.log1p([0.5, 20.5])
    assert a[["gap mean", "gap sd", "gap max"]].tolist() == pytest.approx([gaps.mean(), gaps.std(), gaps.max()])
    assert a["gap none"] == 0.5
    b = found.loc["b"]
    assert b.filter(like="gap").eq(0).all() and b["weekday 6"] == 1 and b["category fuel"] == 1


def test_without_any_transaction_all_are_zero(clients):
    found = hand_made(Clients(clients.events.iloc[:0], clients.target))
    assert list(found) == list(hand_made(clients)) and len(found) == len(clients) and (found == 0).all(axis=None)


def test_channels_are_counted_where_there_are_any():
    channels = pd.Categorical(["card", "web", "card", "web"])
    found = made(channel=channels)
    assert found.loc["a", ["channel card", "channel web"]].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert not made().columns.str.startswith("channel").any()


def test_a_client_is_described_by_that_client_alone(clients):
    whole = hand_made(clients)
    chosen = clients.target.index[::3]
    events = clients.events[clients.events["client"].isin(chosen)].reset_index(drop=True)
    alone = hand_made(Clients(events, clients.target.loc[chosen]))
    assert np.array_equal(alone, whole.loc[chosen]) and list(alone) == list(whole)


def test_they_tell_the_target_and_no_more_than_can_be_known(clients):
    features = hand_made(clients)
    assert np.isfinite(features.to_numpy()).all()
    found = score(features, clients.target, split(clients), classifier="logistic")
    three_errors = 3 * np.sqrt(0.25 / len(found.correct))
    assert found.accuracy > 0.25 + three_errors
    assert found.accuracy < ideal_accuracy(n_clients=400, rng=1) + three_errors
