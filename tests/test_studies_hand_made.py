"""Hand-made features beside encoders: the same experiments, the same test clients, a gain with its interval."""

import pandas as pd
import pytest

from helpers.clients import SCORE_METRICS, simulate, split
from helpers.studies import hand_made


def tables(gain):
    """Twelve experiments of two encoders: hand-made features are ``gain`` above the one chosen on validation."""
    rows = [(e, m, 0.5 + 0.1 * m, 0.6 + 0.001 * e - 0.02 * m, 100) for e in range(12) for m in range(2)]
    names = ["experiment", "model", "accuracy_validation", "accuracy_test", "n_test"]
    runs = pd.DataFrame(rows, columns=names)
    by_hand = runs[runs["model"] == 1].assign(classifier="fast", accuracy_test=lambda t: t["accuracy_test"] + gain)
    return by_hand, runs


def test_each_experiment_has_its_chosen_and_its_best_encoder():
    found = hand_made.beside_encoders(*tables(0.03))
    assert found["chosen"].tolist() == pytest.approx([0.58 + 0.001 * e for e in range(12)])
    assert found["best"].tolist() == pytest.approx([0.6 + 0.001 * e for e in range(12)])
    facts = hand_made.gain_facts(found)
    assert facts["gain"] == pytest.approx(3) and facts["verdict"] == "better" and facts["beaten"] == 12
    assert hand_made.gain_facts(hand_made.beside_encoders(*tables(0.01)))["beaten"] == 0


def test_other_experiments_or_clients_are_refused():
    by_hand, runs = tables(0.0)
    with pytest.raises(ValueError, match=r"experiments \[11\] are in one table only"):
        hand_made.beside_encoders(by_hand[by_hand["experiment"] < 11], runs)
    with pytest.raises(ValueError, match="other numbers of test clients"):
        hand_made.beside_encoders(by_hand.assign(n_test=99), runs)


def test_scores_are_of_every_metric_and_part():
    clients = simulate(200, rng=0)
    found = hand_made.score_by_hand(clients, split(clients), scorers=["logistic"])
    names = {f"{metric}_{part}" for metric in SCORE_METRICS for part in ("validation", "test")}
    assert names <= set(found) and found[sorted(names)].stack().between(0, 1).all()


def test_the_recorded_tables_belong_together():
    found = hand_made.recorded_beside_encoders()
    assert len(found) == 17 and found.notna().all(axis=None)
