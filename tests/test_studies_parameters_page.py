"""The study of the chapter "Averaging parameters or vectors"."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from helpers.inference import judge
from helpers.studies import parameters_page
from helpers.studies.russian_runs import DISTANCES, FUSIONS, MERGES

METHODS = [("parent 1", "parent", 1), ("parent 2", "parent", 1)]
METHODS += [(name, "parameters", 1) for name in MERGES] + [(name, "vectors", 2) for name in FUSIONS]


def rows(gains, seeds=6, better=1):
    """Recorded rows in which methods gain so much over parents of 0.5, one of which has the lower example loss."""
    rng = np.random.default_rng(0)
    told = [
        (seed, distance, method, way, n, 1.0 - 0.3 * place, "mean S", 0.5 + gains.get((distance, method), 0.0) + noise)
        for seed in range(seeds)
        for place, distance in enumerate(DISTANCES)
        for (method, way, n), noise in zip(METHODS, rng.normal(scale=1e-3, size=len(METHODS)), strict=True)
    ]
    found = pd.DataFrame(told, columns=["seed", "distance", "method", "way", "encoders", "cka", "task", "honest"])
    loss = found["method"].map({f"parent {better}": 1.0, f"parent {3 - better}": 2.0})
    return found.assign(published=found["honest"], loss=loss, n=7)


def test_gains_are_over_the_better_parent_with_intervals_over_seeds():
    found = rows({("same data", "linear"): 0.02, ("different base", "linear"): -0.2})
    table = parameters_page.gains_by_method(found)
    assert table.loc["parents", list(DISTANCES)].tolist() == ["1.00", "0.70", "0.40"]
    assert table.loc["linear", "same data"].startswith("+0.0") and table.loc["linear", "different base"].startswith(
        "-0.2"
    )
    assert table.loc["concatenation", "encoders"] == "2" and "[" in table.loc["mean", "same data"]
    one = parameters_page.gains_by_method(rows({}, seeds=1))
    assert "[" not in one.loc["linear", "same data"]
    assert table.loc["Procrustes mean", "centred"] == table.loc["centred mean", "centred"] == "yes"
    assert table.loc["mean", "centred"] == "no" and table.loc["linear", "centred"] == ""
    best = parameters_page.best_ways(found)
    assert best.loc["same data", "parameters"] == "linear" and best.loc["different base", "parameters"] != "linear"
    facts = parameters_page.merging_facts(found)
    assert facts["different_base_linear"] == pytest.approx(-0.2, abs=0.01)  # ten spreads of the noise
    assert facts["different_base_cka"] == pytest.approx(0.4) and facts["n_scored"] == 7
    plt.close(parameters_page.gains_figure(found))


def test_the_better_parent_is_the_one_with_the_lower_example_loss_whatever_it_scores():
    gains = {(distance, "parent 2"): 0.1 for distance in DISTANCES} | {("same data", "linear"): 0.05}
    by_loss = [
        parameters_page.gains_by_method(rows(gains, better=better)).loc["linear", "same data"] for better in (1, 2)
    ]
    assert by_loss[0].startswith("+0.0") and by_loss[1].startswith("-0.0")
    facts = parameters_page.merging_facts(rows(gains, better=2))
    assert facts["same_data_linear"] == pytest.approx(-0.05, abs=0.01)  # ten spreads of the noise


def test_as_good_as_the_better_parent_has_the_margin_of_near():
    def verdict(gain):
        found = rows({("same data", "linear"): gain})
        return judge(parameters_page.MERGE_CLAIMS, parameters_page.merge_findings(found)).loc["soup", "verdict"]

    assert [verdict(gain) for gain in (0.0, -0.005, -0.02)] == ["reproduced", "reproduced", "not reproduced"]


def nearness(slope, seeds, noise, rng):
    """Rows in which parameters lose on vectors by the distance of the parents times a slope, and by chance."""
    chance = rng.normal(scale=noise, size=(seeds, len(DISTANCES))) + rng.normal(scale=noise, size=(seeds, 1))
    told = []
    for seed in range(seeds):
        for place, distance in enumerate(DISTANCES):
            near = 1.0 - 0.3 * place + rng.normal(scale=0.02)
            for method, way, n in METHODS:
                ahead = slope * near + chance[seed, place] if way == "parameters" else 0.0
                told.append((seed, distance, method, way, n, near, "mean S", 0.5 + ahead, 1.0))
    columns = ["seed", "distance", "method", "way", "encoders", "cka", "task", "honest", "loss"]
    return pd.DataFrame(told, columns=columns)


def test_nearness_of_parents_tells_the_better_way_where_it_does():
    rng = np.random.default_rng(0)
    for slope in (1.0, -1.0):
        finding = parameters_page.cka_finding(nearness(slope, 6, 1e-3, rng))
        assert finding.n == 6 and np.sign(finding.low) == np.sign(finding.high) == slope
        assert finding.low <= finding.estimate <= finding.high and finding.p < 0.05
    many = [parameters_page.cka_finding(nearness(0.0, 6, 0.1, rng)) for _ in range(60)]
    found = sum(not one.low <= 0 <= one.high for one in many)
    assert found <= 60 * 0.05 + 3 * (60 * 0.05 * 0.95) ** 0.5  # three spreads above the level


def test_one_seed_has_a_rank_correlation_and_no_interval():
    rng = np.random.default_rng(0)
    runs = {"here": nearness(1.0, 1, 1e-3, rng), "six": nearness(1.0, 6, 1e-3, rng), "recorded": None}
    table = parameters_page.cka_table(runs)
    assert table["parents"].tolist() == [3, 18, 0] and table["seeds"].tolist() == [1, 6, 0]
    assert table.loc["here", "rank correlation"] == "+1.00" and "[" in table.loc["six", "rank correlation"]
    assert table.loc["recorded", ["rank correlation", "note"]].tolist() == ["—", "not recorded yet"]
    assert "two at least" in table.loc["here", "note"]


def test_verdicts_follow_from_the_rows():
    found = rows({("same data", "linear"): 0.02, ("same data", "mean"): 0.021, ("different data", "cocktail"): 0.03})
    judged = judge(parameters_page.MERGE_CLAIMS, parameters_page.merge_findings(found))
    assert (judged["verdict"] == "reproduced").all(), judged[["estimate", "ci_low", "ci_high", "verdict"]]
    against = rows({("same data", "linear"): -0.02, ("same data", "mean"): 0.02, ("different data", "cocktail"): -0.03})
    judged = judge(parameters_page.MERGE_CLAIMS, parameters_page.merge_findings(against))
    assert (judged["verdict"] == "not reproduced").all()
    part = found[found["distance"] == "same data"]
    judged = judge(parameters_page.MERGE_CLAIMS, parameters_page.merge_findings(part))
    assert judged.loc["cocktail", "note"] == "not recorded yet" and judged.loc["soup", "verdict"] == "reproduced"


def test_without_recorded_rows_there_are_dashes():
    assert (parameters_page.gains_by_method(None)[list(DISTANCES)] == "—").all(axis=None)
    judged = judge(parameters_page.MERGE_CLAIMS, parameters_page.merge_findings(None))
    assert (judged["verdict"] == "not testable here").all()


def test_bad_choices_are_refused():
    good = {"language": "ru", "width": 4, "steps": [5, 5, 5], "n_texts": 30}
    parameters_page.check_parameters_choices(**good)
    for change in ({"language": "de"}, {"width": 3}, {"steps": [5, 5]}, {"steps": [4, 5, 5]}, {"n_texts": 29}):
        with pytest.raises(ValueError, match=next(iter(change))):
            parameters_page.check_parameters_choices(**good | change)
