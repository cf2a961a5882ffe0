"""What the page about simulated clients shows: what an ideal observer knows, and who the clients of a run are."""

import pandas as pd
import pytest

from helpers.clients import FEATURES, ideal_accuracy, load_clients
from helpers.clients.simulator import bank
from helpers.studies import clients_page as study


def test_the_ideal_observer_is_told_by_features_and_by_what_they_add():
    accuracy = {name: 0.3 + 0.01 * i for i, name in enumerate(FEATURES)}
    accuracy |= {"category + amount": 0.5, "category + weekday": 0.4, " + ".join(FEATURES): 0.7}
    ideal = pd.DataFrame({"accuracy": accuracy, "error": 0.01}).sort_values("accuracy", ascending=False)
    by_habit = pd.DataFrame({"all features": {"counts alone": 0.7, "and streak": 0.75, "and all four": 0.8}})
    facts = study.facts_of_ideal(ideal, by_habit)
    assert facts["order_without"] == 0.7 and facts["order_with"] == 0.8
    assert facts["ideal_all"] == 0.7 and facts["ideal_category"] == accuracy["category"]
    assert facts["gain_amount"] == pytest.approx(0.5 - accuracy["category"])
    upper, lower = study.figure_ideal(ideal)
    seen = [len(points.get_offsets()) for points in lower.collections[1::2]]
    assert seen == [sum(feature in name.split(" + ") for name in ideal.index) for feature in FEATURES]
    assert [label.get_text() for label in lower.get_yticklabels()] == list(FEATURES)


def test_the_evidence_has_a_line_for_each_age():
    import matplotlib.pyplot as plt

    axes = study.figure_evidence(bank())
    assert len(axes) == 5 and {len(panel.lines) for panel in axes[1:]} == {4}
    plt.close("all")


def test_the_population_is_described_and_one_class_is_refused():
    here = load_clients("simulated", n_clients=30, rng=0)
    shown = study.table_population(here, "/somewhere/simulated")["what the encoders see"]
    assert shown["source"] == "simulated" and shown["clients"].startswith("30, of which 30")
    assert shown["features"] == ", ".join(FEATURES)
    here.target[:] = here.target.iloc[0]
    with pytest.raises(ValueError, match="1 classes of clients are known; two are needed: options name them"):
        study.table_population(here, "simulated")


def test_order_adds_to_what_counts_tell_and_counts_are_the_same():
    found = study.table_order(n_clients=150, rng=0)
    assert found.index[0] == "counts alone" and found.iloc[0]["gain"] == 0 and len(found) == 6
    single = found.loc[["and routine", "and streak", "and season", "and drift"], "categories"]
    assert found.loc["and all four", "categories"] > single.max() > found.loc["counts alone", "categories"]


def test_order_is_judged_on_the_clients_of_the_ideal_observer():
    found = study.table_order(n_clients=60, rng=3)
    expected = ideal_accuracy(["category"], n_clients=60, model={"order": {"streak": 1}}, rng=3)
    assert found.loc["and streak", "categories"] == expected


def test_the_metric_and_the_target_of_a_run_are_said_in_words():
    here = load_clients("simulated", n_clients=60, rng=0)
    assert study.facts_of_target(here) == {"metric": "accuracy", "target": "4 classes"}
    two = study.facts_of_target(here, binary_from="2")
    assert two == {"metric": "ROC-AUC", "target": "two classes, from 2 on or below"}
