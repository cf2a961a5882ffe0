"""Order in simulated clients: what it leaves alone, its likelihood by enumeration, and what it tells."""

import hashlib
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
import tolerance
from scipy import stats

from helpers.clients import FEATURES, Clients, hand_made, ideal_accuracy, ideal_posterior, load_clients, simulate
from helpers.clients.ordering import HABITS, arrange, draw_kinds, order_likelihood, order_of
from helpers.clients.simulator import AGES, CATEGORIES, as_bank, bank

NAMES = list(CATEGORIES)
COLUMNS = ["client", "category", "amount", "channel"]
SHORT = ["bars", "taxi", "groceries", "bars", "pharmacy"]


def codes(names):
    return np.array([NAMES.index(name) for name in names])


def probability(order, sequence, kinds):
    """P(sequence | its categories, kinds), step by step as the module's formula says, without any array."""
    left = list(sequence)
    found, before = 1.0, None
    for step, taken in enumerate(sequence):
        place = (step + 0.5) / len(sequence)

        def weight(c, before=before, place=place):
            log = order.season[kinds[2]][int(4 * place)][c] + order.drift[kinds[3]][c] * (2 * place - 1)
            if before is not None:
                log += order.routine[kinds[0]][before][c] + (order.streak[kinds[1]] if c == before else 0.0)
            return np.exp(log)

        found *= left.count(taken) * weight(taken) / sum(weight(c) for c in left)
        left.remove(taken)
        before = taken
    return found


def by_enumeration(order, sequence):
    """P(sequence | its categories, age) for each age, all kinds enumerated."""
    found = np.zeros(len(AGES))
    for kinds in product(*(range(len(names)) for names in HABITS.values())):
        of_age = np.prod([order.of_age[name][:, kind] for name, kind in zip(HABITS, kinds, strict=True)], axis=0)
        found += of_age * probability(order, sequence, kinds)
    return found


def test_without_order_simulated_clients_are_as_they_always_were():
    events = simulate(50, rng=0).events
    seen = np.column_stack([events["category"].cat.codes, events["channel"].cat.codes, events["time"].dt.dayofyear])
    digest = hashlib.sha256(np.ascontiguousarray(seen, dtype="<i4").tobytes()).hexdigest()
    assert digest[:16] == "9965a17756b1b147"
    pd.testing.assert_frame_equal(events, simulate(50, rng=0, model={"order": 0}).events)
    assert "streak" not in simulate(3, rng=0).latents


def test_order_changes_no_date_and_no_client_but_the_places_of_the_transactions():
    plain, ordered = simulate(200, rng=3), simulate(200, rng=3, model={"order": 1})
    assert plain.events[["client", "time"]].equals(ordered.events[["client", "time"]])
    assert plain.target.equals(ordered.target) and not plain.events["category"].equals(ordered.events["category"])
    assert plain.latents.equals(ordered.latents[plain.latents.columns])
    alike = [
        clients.events[COLUMNS].astype({"category": str, "channel": str}).sort_values(COLUMNS, ignore_index=True)
        for clients in (plain, ordered)
    ]
    pd.testing.assert_frame_equal(*alike)


def test_features_made_by_hand_see_nothing_of_the_order():
    plain, ordered = (hand_made(simulate(100, rng=4, model={"order": order})) for order in (0, 1))
    # The same amounts, summed in another order.
    np.testing.assert_allclose(plain, ordered, rtol=0, atol=tolerance.long_sum(120) * float(plain.abs().max(axis=None)))


@pytest.mark.parametrize("strength", [1.0, {"routine": 0.7, "drift": 1.0}, {"season": 1.0}])
def test_the_likelihood_of_a_sequence_is_that_by_enumeration_and_all_sequences_sum_to_one(strength):
    order = order_of(strength, NAMES)
    sequences = sorted(set(permutations(codes(SHORT))))
    assert len(sequences) == 60  # 5! over 2! of the bars
    owner = np.repeat(np.arange(len(sequences)), len(SHORT))
    found = np.exp(order_likelihood(order, np.concatenate(sequences), owner, len(sequences)))
    expected = np.array([by_enumeration(order, list(one)) for one in sequences])
    steps = len(SHORT) * len(NAMES)
    np.testing.assert_allclose(found, expected, rtol=tolerance.apart(steps))
    np.testing.assert_allclose(found.sum(axis=0), 1, rtol=tolerance.apart(steps + len(sequences)))


def test_the_observer_with_order_is_that_without_times_the_likelihood_of_the_order():
    model = bank(order=1)
    clients = simulate(12, events=(4, 5), model=model, rng=8)
    events = clients.events
    kept = events["client"] < 11  # and one without any transaction
    clients = Clients(events[kept], clients.target, latents=clients.latents)
    without, seen = (ideal_posterior(clients, model=model, order=order) for order in (False, True))
    sequences = [codes(events.loc[events["client"] == client, "category"]) for client in range(11)]
    likelihood = np.array([by_enumeration(model.order, one.tolist()) for one in sequences] + [np.ones(4)])
    expected = without * likelihood
    expected = expected.div(expected.sum(axis=1), axis=0)
    np.testing.assert_allclose(seen, expected, rtol=tolerance.apart(5 * len(NAMES)))
    # Where categories are not seen nothing of their order is.
    alone = [ideal_posterior(clients, ["channel", "weekday"], model=model, order=order) for order in (False, True)]
    pd.testing.assert_frame_equal(*alone)


def test_sequences_are_drawn_as_often_as_their_probability_says():
    order = order_of(1.0, NAMES)
    names = ["bars", "taxi", "bars", "groceries"]
    n = 6000
    category, owner = np.tile(codes(names), n), np.repeat(np.arange(n), len(names))
    rng = np.random.default_rng(0)
    kinds = draw_kinds(order, np.zeros(n, dtype=int), rng)
    found = arrange(order, category, owner, kinds, rng)
    assert np.array_equal(np.sort(found), np.arange(len(category))) and np.array_equal(owner[found], owner)
    drawn = pd.Series(list(map(tuple, category[found].reshape(n, -1)))).value_counts()
    sequences = sorted(set(permutations(codes(names))))
    expected = np.array([by_enumeration(order, list(one))[0] for one in sequences])
    p = stats.chisquare(drawn.reindex(sequences, fill_value=0), n * expected).pvalue
    assert p > tolerance.FALSE_ALARM


def test_every_habit_is_a_source_of_its_own_and_the_ceilings_differ():
    options = {"n_clients": 1500, "rng": 2}
    counts = ideal_accuracy(model={"order": 1}, order=False, **options)
    assert ideal_accuracy(**options) == counts  # the counts of a bank without order are the same
    reached = {name: ideal_accuracy(model={"order": {name: 1}}, **options) for name in HABITS}
    # Posteriors of the same clients: the gain of a habit is far above the deviation of its mean.
    assert min(reached.values()) > counts + 0.005
    assert ideal_accuracy(model={"order": 1}, **options) > max(reached.values()) + 0.02


def test_the_observer_with_order_is_as_often_right_as_it_believes():
    clients = simulate(1500, model={"order": 1}, rng=5)
    for features in (["category"], FEATURES):
        posterior = ideal_posterior(clients, features, model={"order": 1})
        right = posterior.to_numpy().argmax(axis=1) == clients.target.to_numpy()
        believed = posterior.max(axis=1).to_numpy()
        # Given what is seen, the hits are independent with the probabilities believed.
        spread = np.sqrt(np.sum(believed * (1 - believed)))
        assert abs(right.sum() - believed.sum()) < stats.norm.isf(tolerance.FALSE_ALARM / 2) * spread


def test_options_of_a_file_make_the_bank():
    from_file = load_clients("simulated", n_clients=5, rng=1, model={"order": {"streak": 1}})
    pd.testing.assert_frame_equal(from_file.events, simulate(5, rng=1, model=bank(order={"streak": 1})).events)
    assert set(HABITS) <= set(from_file.latents)
    same = bank()
    assert as_bank(same) is same and as_bank(None).order is None


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        ({"order": {"streaks": 1}}, ValueError, "order names 'streaks'; there are routine, streak, season, drift"),
        ({"order": 2}, ValueError, "order of routine is 2; a number from 0 to 1"),
        ({"ordered": 1}, ValueError, "model names 'ordered'; it can name strength"),
        (1.0, TypeError, "model is a float; a bank, or a mapping"),
    ],
)
def test_what_is_no_bank_is_refused(model, error, message):
    with pytest.raises(error, match=message):
        simulate(3, model=model)
