"""The published table by itself: sums, parts, tests, luck and the cells that a ranking needs."""

import numpy as np
import pandas as pd
import pytest

from helpers.inference import friedman, ranks
from helpers.studies import reanalysis as study


@pytest.fixture(scope="module")
def scores():
    return study.published_scores()


@pytest.fixture(scope="module")
def summary():
    return study.published_summary()


def test_the_table_has_a_score_everywhere_but_the_best_layer_of_simcse(scores):
    assert scores.shape == (18, 7) and list(scores.columns) == list(study.METHODS.values())
    missing = scores.isna()
    assert set(missing.stack()[lambda cell: cell].index) == {
        ("SimCSE", task, "best layer") for task in study.TASKS.values()
    }
    assert study.facts(scores)["numbers"] == 18 * 7 - 6


def test_the_only_part_that_fits_the_claimed_qualities_lacks_the_duplicates(scores, summary):
    found = study.compare_parts(scores, summary)
    assert len(found) == 7 * 63 and found.is_monotonic_increasing
    assert found.index[0] == ("BERT, RoBERTa, SimCSE", "all but Sprint duplicates")
    assert study.facts_of_parts(scores, found)["matching"] == 1
    whole = (scores.mean()[summary.index] - summary["claimed_mean_quality"]).abs().max()
    everything = ", ".join(study.MODELS.values()), ", ".join(study.TASKS.values())
    assert found[everything] == pytest.approx(whole)


def test_the_recomputed_ranks_lie_between_those_of_two_ways_to_rank_ties(scores, summary):
    sums = study.table_sums(scores, summary)
    assert sums["mean rank"].between(sums["if ties rank low"], sums["if ties rank high"]).all()
    ensembles = scores[list(summary.index)]
    assert sums["mean quality"].to_numpy() == pytest.approx(ensembles.to_numpy().mean(axis=0))
    found = study.facts_of_sums(sums)
    assert found["quality_winner"] == "QP + PCA" and found["quality_best"] > found["quality_qp"]
    swapped = sums.assign(**{"mean rank, claimed": sums["mean rank"].to_numpy()[::-1]})
    assert found["order"] == "the same as" and study.facts_of_sums(swapped)["order"] == "not the same as"


def test_tests_and_differences_are_those_of_the_library(scores):
    tests = study.table_tests(scores)
    assert tests.loc["the five ensembles", "p"] == friedman(scores[study.FUSED]).f_p
    assert tests["cells"].tolist() == [18, 18, 12, 12] and tests["methods"].tolist() == [6, 5, 7, 6]
    differences = study.table_paired(scores, n_resamples=200, rng=0)
    last, best = (differences[f"to the {name} layer"] for name in ("last", "best"))
    assert last.loc["QP", "difference"] == pytest.approx(100 * (scores["QP"] - scores["last layer"]).mean())
    assert (last["n"] == 18).all() and (best["n"] == 12).all()
    words = study.show_paired(differences)
    assert words.loc["QP", ("to the last layer", "points")].startswith(f"{last.loc['QP', 'difference']:+.1f} [")
    found = study.facts_of_tests(scores, tests, differences, confidence_level=0.95)
    assert found["n_pairs"] == 10 and found["cd_among"] == 0 and 0 < found["cd_beat_default"] <= 5


def test_who_ties_for_the_first_place_shares_it():
    draws = pd.DataFrame([[1, 1, 2, 3, 4], [1, 2, 3, 4, 5]], columns=study.FUSED, dtype=float)
    assert study.share_first(draws).tolist() == [0.75, 0.25, 0, 0, 0]


def test_the_luck_of_the_winner_is_its_place_among_shuffled_winners(scores):
    five = ranks(scores[study.FUSED]).mean().min()
    first = pd.DataFrame({"cells": [0.4, 0.6], "tasks": [0.7, 0.3]}, index=["QP", "greedy"])
    found = study.facts_of_luck(scores, np.array([five - 0.1, five, five + 0.1, five + 0.2]), first)
    assert found["luck_share"] == 50 and found["winner_five_rank"] == five
    assert (found["first_qp_ci_low"], found["first_qp_ci_high"]) == (40, 70)


def test_cells_are_enough_from_where_the_power_stays_above_the_target():
    curve = pd.DataFrame({("a", "b"): [0.9, 0.5, 0.8, 0.9], ("a", "c"): [0.1, 0.2, 0.9, 0.7]}, index=[10, 20, 30, 40])
    needed = study.table_needed({"test": curve})
    assert needed["test"].to_dict() == {"a, b": "30", "a, c": "over 40"}
    assert study.table_needed({"test": curve}, target=0.1).loc["a, b", "test"] == "10"


def test_figures_are_drawn_from_the_table(scores, summary):
    import matplotlib.pyplot as plt

    study.figure_gains(scores)
    assert len(study.figure_quality(scores, summary).lines) == 1 + 2 * 4
    study.figure_luck(scores, np.linspace(2, 3, 50))
    complete = scores.drop(columns="best layer")
    draws = pd.DataFrame(np.tile(ranks(complete).mean().to_numpy(), (3, 1)), columns=complete.columns)
    assert len(study.figure_bootstrap(complete, {"cells": draws, "tasks": draws}).lines) == 2 * 2 * 6
    assert list(study.table_leads(scores, {"cells": draws})["cells won"]) == [
        int((scores[name] > scores["last layer"]).sum()) for name in study.FUSED
    ]
    curves = study.study_power(complete, [18, 36], n_resamples=20)
    assert len(study.figure_power(curves, 18)) == 2
    plt.close("all")


def test_choices_that_cannot_work_are_refused_with_what_would_be_accepted():
    least = {"n_resamples": 10, "n_shuffles": 1, "n_studies": 1, "confidence_level": 0.5}
    study.check_reanalysis_choices(**least)
    for name in ("n_resamples", "n_shuffles", "n_studies"):
        with pytest.raises(ValueError, match=f"{name} is 0; it must be at least {least[name]}"):
            study.check_reanalysis_choices(**least | {name: 0})
    with pytest.raises(ValueError, match="confidence_level is 95; a number between 0 and 1 is needed"):
        study.check_reanalysis_choices(**least | {"confidence_level": 95})
