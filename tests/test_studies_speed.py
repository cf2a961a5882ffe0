"""Costs beside the fastest peer: what is compared, counted and drawn."""

import pandas as pd
import pytest

from helpers.similarity import MEASURES
from helpers.studies import speed


def runs():
    """Two measures and the study, with a slow and a fast peer; one contestant was stopped."""
    rows = [
        ("cka", "helpers", 2.0, 1.0),
        ("cka", "slow", 9.0, None),
        ("cka", "fast", 4.0, None),
        ("rsa", "helpers", 3.0, 1.5),
        ("rsa", "fast", 1.5, None),
        ("jaccard", "helpers", 1.0, 0.5),
        ("jaccard", "fast", 5.0, None),
        ("distance_correlation", "helpers", 1.0, 0.5),
        ("distance_correlation", "fast", None, None),
        ("distance_correlation", "slow", 7.0, None),
        ("study", "helpers", 5.0, 2.0),
    ]
    frame = pd.DataFrame(rows, columns=["measure", "package", "seconds", "floor_seconds"])
    return frame.assign(scope="matrix", n=100, peak_mb=10.0)


def test_each_measure_stands_beside_its_fastest_peer_that_ended():
    costs = speed.beside(runs(), 100, "matrix")
    peers = costs["fastest peer"].dropna().to_dict()
    assert peers == {"cka": "fast", "rsa": "fast", "jaccard": "fast", "distance_correlation": "slow"}
    assert costs["times faster"].dropna().tolist() == [2.0, 0.5, 5.0, 7.0]
    assert costs["times the floor"].tolist() == [2.0, 2.0, 2.0, 2.0, 2.5]


def test_contests_are_those_with_a_peer_and_facts_come_from_the_table():
    costs = speed.beside(runs(), 100, "matrix")
    assert speed.wins(costs) == {"wins": 3, "contests": 4}
    facts = speed.matrix_facts(costs)
    assert (facts["least"], facts["least_of"], facts["median"]) == (0.5, "rsa", 3.5)
    assert (facts["together"], facts["apart"], facts["study_ratio"]) == (5.0, 17.5, 3.5)


def test_the_figure_shows_every_measure_and_numbers_have_three_digits():
    costs = speed.beside(runs(), 100, "matrix")
    ax = speed.matrix_figure(costs)
    assert len(ax.get_yticklabels()) == len(costs)
    assert speed.show_seconds(pd.DataFrame({"seconds": [1234.5, 0.12345]})).to_html().count("1,234") == 1


def test_the_calibration_of_all_measures_kept_its_budget():
    shown = speed.calibrated()
    assert set(shown.index) == set(MEASURES) and shown["seconds"].is_monotonic_decreasing
    assert set(shown["chance level"]) <= {"shuffles", "fitted", "closed form"}
    facts = speed.calibrated_facts(shown)
    assert facts["wall_minutes"] <= facts["budget_minutes"] == 15
    assert (facts["sentences"], facts["pairs"]) == (10_000, facts["layers"] ** 2) and facts["layers"] == 13
    assert 2 <= facts["fewest"] <= facts["sentences"] and 0 < facts["whole"] <= facts["measures"]


def test_fewer_objects_than_any_run_had_are_refused():
    with pytest.raises(ValueError, match="most_objects is 10; the smallest recorded runs have"):
        speed.recorded(10)


def test_recorded_machines_and_readings_are_complete():
    found = speed.recorded(30000)
    assert speed.machines(found).notna().all(axis=None)
    facts = speed.reading_facts(speed.reading())
    assert facts["loop"] >= facts["one_pass"] > 0 and facts["tokens_least"] <= facts["tokens_most"]
