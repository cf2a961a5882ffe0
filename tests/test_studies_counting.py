"""Encoders against counting by hand: right for any number of recorded experiments, and silent where there are none."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from helpers.inference import paired
from helpers.studies import counting as study
from helpers.studies.regimes import REGIMES

SPREAD = 0.004
GAPS = {"best": -0.02, "hand_made_best": 0.01}


def recorded(sizes, gaps=GAPS):
    """So many experiments of each regime, in each of which the methods differ from counting by gaps with some noise."""
    rng = np.random.default_rng(0)
    rows = []
    for sweep, n in zip(REGIMES, (*sizes, 0)[: len(REGIMES)], strict=True):
        for e in range(n):
            by_hand = 0.65 + 0.01 * rng.normal()
            rows.append((sweep, e, "hand_made", by_hand))
            rows += [(sweep, e, name, by_hand + gap + SPREAD * rng.normal()) for name, gap in gaps.items()]
    return pd.DataFrame(rows, columns=["sweep", "experiment", "method", "score"])


@pytest.mark.parametrize("n", [0, 1, 2, 5, 6, 7, 17])
def test_every_number_of_recorded_experiments_has_its_words(n):
    regimes = recorded((17, n, 0))
    gaps = study.gaps_to_counting(regimes)
    assert gaps["n"].tolist() == [17, 17, n, n, 0, 0, 0, 0]
    row = gaps.loc[("coles_ordered", "encoder")]
    assert np.isfinite(row["ci_low"]) == np.isfinite(row["p_holm"]) == (n >= 6)
    assert gaps.loc[("coles_unequal", "encoder"), "said"] == study.NOT_RECORDED
    facts, shown = study.facts_of_gaps(gaps), study.table_gaps(gaps).loc[REGIMES["coles_ordered"]]
    if n == 0:
        assert facts["gap_long"] == shown["best encoder"] == shown["encoder less by hand [95 %]"] == "–"
        assert facts["said_long"] == shown["experiments"] == study.NOT_RECORDED
    else:
        wide = regimes[regimes["sweep"] == "coles_ordered"].pivot(index="experiment", columns="method", values="score")
        difference = 100 * (wide["best"] - wide["hand_made"]).mean()
        assert facts["gap_long"].startswith(f"{difference:+.1f}") and shown["experiments"] == f"{n} of 17"
        assert ("[" in facts["gap_long"]) == (n >= 6) and shown["by hand"] == f"{wide['hand_made'].mean():.3f}"
    # The least p of six experiments is 1 / 32, and of the two tests of a question the other one has less.
    assert facts["said_long"] == {0: "not recorded", 6: "loses", 7: "loses", 17: "loses"}.get(n, "too few to tell")
    axes = study.figure_gaps(regimes, gaps)
    words = [text.get_text() for text in axes[0].texts]
    assert words == [study.NOT_RECORDED] * (2 + (n == 0)) and f"({n} of 17)" in axes[0].get_yticklabels()[1].get_text()
    plt.close("all")


def test_intervals_are_those_of_paired_differences_and_words_follow_their_sign():
    up = recorded((17, 17, 17, 17), {"best": 0.02, "hand_made_best": 0.0})
    gaps = study.gaps_to_counting(up, rng=5)
    wide = up[up["sweep"] == "coles_unequal"].pivot(index="experiment", columns="method", values="score")
    expected = paired(100 * wide["best"], 100 * wide["hand_made"], rng=5)
    row = gaps.loc[("coles_unequal", "encoder")]
    assert np.allclose(row[["difference", "ci_low", "ci_high"]].astype(float), expected[:3])
    assert gaps.xs("encoder", level="against")["said"].tolist() == ["beats"] * 4
    assert gaps.loc[("coles_recorded", "both"), "said"] == "not distinguishable"


@pytest.mark.parametrize(("n", "said"), [(6, "too few to tell"), (7, "loses")])
def test_a_clear_difference_of_so_few_experiments_that_no_test_could_tell_is_not_called_a_draw(n, said):
    """Two regimes of six experiments have p = 1 / 32 each, which the correction doubles; of seven 1 / 64."""
    gaps = study.gaps_to_counting(recorded((17, n, n))).xs("encoder", level="against")
    assert gaps["said"].tolist() == ["loses", said, said, study.NOT_RECORDED]
    assert (gaps["ci_high"].dropna() < 0).all() and gaps["ci_high"].notna().sum() == 3


def test_a_method_that_a_regime_has_not_recorded_has_a_dash_and_the_others_stay():
    gaps = study.gaps_to_counting(recorded((17, 0, 0), {"best": -0.04}))
    shown = study.table_gaps(gaps).loc[REGIMES["coles_recorded"]]
    assert shown["both"] == "–" == shown["both less by hand [95 %]"] and shown["experiments"] == "17 of 17"
    assert shown["encoder less by hand [95 %]"].endswith("], loses")


def test_the_recorded_first_regime_loses_and_every_metric_has_a_column():
    shown = study.table_gaps_by_metric()
    assert list(shown) == list(study.METRICS) and list(shown.index) == list(REGIMES.values())
    assert all(said.endswith("], loses") for said in shown.iloc[0])
    facts = study.facts_of_gaps(study.gaps_to_counting(recorded((17, 0, 0))))
    assert facts["by_hand_width"] == "46"


def curves(n):
    """Trainings of as many experiments: one that validation clients stopped, one that the limit of 30 epochs ended."""
    rows = []
    for e in range(n):
        for model, losses in enumerate(([1.0, 0.4, 0.2, 0.3, 0.3, 0.3], np.linspace(2, 0.5, 31))):
            best = int(np.argmin(losses))
            rows += [("coles_ordered", e, model, i, value, i == best) for i, value in enumerate(losses)]
    return pd.DataFrame(rows, columns=["sweep", "experiment", "model", "epoch", "validation", "kept"])


@pytest.mark.parametrize("n", [1, 2, 17])
def test_trainings_say_what_ended_them(n):
    found = study.table_training(curves(n)).loc[REGIMES["coles_ordered"]]
    assert found.tolist() == [str(2 * n), "18", "16", f"{100 * (0.2 + 0.25) / 2:.0f} %", str(n)]
    facts = study.facts_of_training(curves(n))
    assert facts == {
        "trainings": str(2 * n),
        "trainings_cut": str(n),
        "trainings_limit": "30",
        "trainings_tail": "50 %",  # a loss that falls from 2 to 0.5 in 30 equal steps is 1 at the twentieth
    }
    left, right = study.figure_training(curves(n))
    assert len(left.lines) == 4 * n and [text.get_text() for text in right.texts] == [study.NOT_RECORDED]
    plt.close("all")


def test_where_no_training_is_recorded_the_page_says_so():
    assert (study.table_training(None) == "–").all(axis=None) and study.facts_of_training(None)["trainings"] == "–"
    words = [text.get_text() for ax in study.figure_training(None) for text in ax.texts]
    assert words == [study.NOT_RECORDED] * 2
    plt.close("all")


def test_the_page_names_no_fact_that_is_not_made():
    """Facts are words, so that a dash needs no format."""
    facts = study.facts_of_gaps(study.gaps_to_counting(recorded((17, 0, 0)))) | study.facts_of_training(None)
    assert all(isinstance(value, str) for name, value in facts.items() if not name.startswith("n_"))
