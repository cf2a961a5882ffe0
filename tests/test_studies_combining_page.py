"""What pages about combined embeddings share: gains over experiments and verdicts by two scorers, on a small table."""

import numpy as np
import pandas as pd
import pytest

from helpers.book.data import table
from helpers.inference import Claim
from helpers.studies import combining_page as study
from helpers.studies.combining import AboutMethods
from helpers.studies.hand_made import HAND_MADE, SHOWN
from helpers.studies.replacing import CLAIMS

NAMES = {"mix": "a mixture", "mean": "the mean", "gone": "not there"}
ABOUT = {
    "gain": AboutMethods("mix", "best", Claim("A mixture is better")),
    "often": AboutMethods("mix", "best", Claim("A mixture wins", null=0.5, spec=".0%"), share=True),
}


def scored(gain, slow_gain=None, n=12):
    """Experiments in which a mixture gains about so much by the fast scorer, and the mean nothing."""
    noise = np.random.default_rng(0).normal(scale=0.002, size=(n, 2))
    noise = noise - noise.mean(axis=0)
    rows = []
    for e in range(n):
        accuracies = {"best": 0.5, "mix": 0.5 + gain + noise[e, 0], "mean": 0.5 + noise[e, 1]}
        for method, accuracy in accuracies.items():
            slow = 0.5 + (slow_gain or 0) * (method == "mix") + noise[e, 1] / 2
            rows.append(
                {"experiment": e, "method": method, "accuracy": accuracy, "fast": accuracy, "lightautoml": slow}
            )
    about = {"models": 3, "n_train": 20, "n_validation": 10, "n_test": 30, "date": "2026-01-02", "minutes": 0.5}
    return pd.DataFrame(rows).assign(**about, seconds_lightautoml=7.0, timeout=60)


def test_the_scorer_of_the_publication_decides_where_it_has_scored_as_much():
    recorded, headline = scored(0.02), scored(0.02, slow_gain=-0.02)
    by_scorer = study.findings_by_scorer(ABOUT, recorded, headline, n_resamples=199)
    judged = study.judge_by_scorer(ABOUT, by_scorer)
    assert set(judged["on"]) == {"LightAutoML"} and judged.loc["gain", "verdict"] == "not reproduced"
    found = study.facts_of_scorers(ABOUT, by_scorer, headline, told=ABOUT)
    assert (found["judged_twice"], found["changed"], found["slow_experiments"]) == (2, 2, 12)
    assert found["slow_gain"].startswith("-2.0") and found["value_gain"].startswith("+2.0")
    assert found["slow_often"].startswith("0%") and found["value_often"].startswith("100%")
    few = study.findings_by_scorer(ABOUT, recorded, headline[headline["experiment"] < 6], n_resamples=199)
    assert set(study.judge_by_scorer(ABOUT, few)["on"]) == {"fast scorer"}


def test_both_scorers_are_compared_on_the_same_representations_where_encoders_were_trained_anew():
    """The recorded comparison is of another training: what both scorers have scored, both judge from one table."""
    again, headline = scored(0.05), scored(0.02, slow_gain=0.02)
    again.loc[again["method"] == "mean", "accuracy"] -= 0.03
    about = ABOUT | {"mean": AboutMethods("mean", "best", Claim("The mean is better"))}
    without = headline[headline["method"] != "mean"]
    found = study.findings_by_scorer(about, again, without, n_resamples=199)
    assert found["fast scorer"]["gain"].estimate == pytest.approx(2) and found["LightAutoML"]["gain"].n == 12
    assert found["fast scorer"]["mean"].estimate == pytest.approx(-3) and not found["LightAutoML"]["mean"].n
    few = study.findings_by_scorer(about, again, headline[headline["experiment"] < 8], n_resamples=199)
    assert few["fast scorer"]["gain"].estimate == pytest.approx(5) and few["LightAutoML"]["gain"].n == 8


def test_each_scorer_has_a_column_and_each_claim_a_row():
    by_scorer = study.findings_by_scorer(ABOUT, scored(0.02), scored(0.02), n_resamples=199)
    shown = study.table_scorers(ABOUT, by_scorer | {"this run": {}})
    assert list(shown) == ["LightAutoML", "fast scorer", "this run"]
    assert list(shown.index) == ["A mixture is better", "A mixture wins"]
    assert shown["this run"].tolist() == ["—", "—"]


def test_gains_are_shown_in_the_order_of_the_names_and_missing_methods_left_out():
    shown = study.table_gains(scored(0.02), NAMES)
    assert list(shown.index) == ["a mixture", "the mean"]
    assert shown.loc["a mixture", "experiments won"] == "12 of 12"
    assert shown.loc["a mixture", "points above"].startswith("+2.0")
    alone = study.table_gains(scored(0.02, n=1), NAMES)
    assert alone["p, Holm"].tolist() == ["", ""]


def test_a_figure_has_a_panel_for_each_table_and_a_row_for_each_method():
    import matplotlib.pyplot as plt

    axes = study.figure_method_gains({"this run": scored(0.02, n=3), "recorded": scored(0.02)}, NAMES)
    assert [ax.get_title() for ax in axes] == ["this run, 3 experiments", "recorded, 12 experiments"]
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["the mean", "a mixture"]
    plt.close("all")


def test_a_method_that_one_table_lacks_leaves_a_gap_in_its_panel():
    import matplotlib.pyplot as plt

    live = scored(0.02)
    older = live[live["method"] != "mix"]
    left, right = study.figure_method_gains({"this run": live, "recorded": older}, NAMES)
    assert [label.get_text() for label in left.get_yticklabels()] == ["the mean", "a mixture"]
    rows = [{float(y) for line in ax.lines[:-1] for y in np.atleast_1d(line.get_ydata())} for ax in (left, right)]
    assert rows == [{0.0, 1.0}, {0.0}]
    plt.close("all")


def test_features_made_by_hand_are_a_row_and_not_a_single_model():
    """Encoders are left out of tables of methods; what nobody trained is one more method, and shown as such."""
    rows = scored(0.02).assign(kind="method")
    rows.loc[rows["method"] == "mean", "kind"] = "single"
    made = rows[rows["method"] == "mean"].assign(method=HAND_MADE)
    shown = study.table_gains(pd.concat([rows, made]), NAMES | SHOWN)
    assert list(shown.index) == ["a mixture", SHOWN[HAND_MADE]]


def test_what_was_recorded_is_counted():
    found = study.facts_of_recording(scored(0.02))
    assert (found["n_recorded"], found["recorded_models"], found["recorded_test"]) == (12, 3, 30)
    assert found["recorded_minutes"] == 6 and found["recorded_date"] == "2026-01-02"


def test_scorers_that_say_the_same_agree():
    headline = scored(0.02)
    found = study.facts_of_scorer_agreement(headline.assign(lightautoml=headline["fast"]))
    assert found["agree"] == "1.00 [1.00, 1.00]" and found["agree_n"] == 24
    assert found["agree_shift"] == 0 and found["agree_spread"] == pytest.approx(0)


def test_the_recorded_tables_fit_the_claims():
    recorded, headline = table("results/clients_replacing.csv"), table("results/clients_headline.csv")
    by_scorer = study.findings_by_scorer(CLAIMS, recorded, headline, n_resamples=99)
    there = set(recorded["method"]) & set(headline["method"])
    for key, (first, second, *_) in CLAIMS.items():
        known = [
            first in methods and second in methods for methods in (set(headline["method"]), set(recorded["method"]))
        ]
        assert [found[key].n for found in by_scorer.values()] == [17 * one for one in known], key
    assert {"replacement", "replacement_inverse", "best", "concat"} <= there
