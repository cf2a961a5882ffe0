"""What the page about encoders of clients shows: by hand on small sweeps, and the recorded tables."""

import numpy as np
import pandas as pd
import pytest

from helpers.studies import encoders_page as study
from helpers.studies.sweep import Sweep


@pytest.fixture(scope="module")
def runs():
    """Four runs, the second of each experiment better on test clients, the first on validation clients."""
    index = pd.MultiIndex.from_product([[0, 1], [0, 1]], names=["experiment", "model"])
    test = np.array([0.4, 0.5, 0.45, 0.55])
    columns = {
        "features": ["category", "category + amount"] * 2,
        "cell": "gru",
        "losses": [[0.5, 0.3], [0.5, 0.6], [0.4, 0.4], [0.3, 0.2]],
        "train_seconds": [1.0, 2.0, 3.0, 4.0],
        "accuracy_validation": [0.6, 0.5, 0.6, 0.5],
        "accuracy_test": test,
        "ci_low_test": test - 0.05,
        "ci_high_test": test + 0.05,
    }
    return pd.DataFrame(columns, index).assign(loss=lambda table: table["losses"].str[-1])


@pytest.fixture(scope="module")
def sweep(runs):
    parts = pd.Series(["train"] * 6 + ["validation"] * 2 + ["test"] * 2)
    targets = {0: pd.Series([0] * 6 + [1] * 4), 1: pd.Series([0] * 5 + [1] * 5)}
    return Sweep(runs, {}, {0: parts, 1: parts}, targets)


def test_settings_are_those_that_the_worker_draws():
    from helpers.clients import coles

    shown = study.table_settings(2, ["category", "amount"], {"epochs": [7]}, rng=3)
    drawn = coles.draw(0, 1, rng=3, features=["category", "amount"], space=coles.SPACE | {"epochs": [7]})
    assert shown.loc["epochs"].tolist() == [7, 7]
    assert shown.loc["features", 1] == ", ".join(drawn["features"])
    assert shown.loc["hidden", 1] == drawn["hidden"]


def test_a_sweep_tells_what_the_runs_reach_that_validation_chooses(sweep, runs):
    facts = study.facts_of_sweep(sweep, runs, 3)
    assert (facts["n_runs"], facts["models"], facts["n_failed"]) == (4, 2, 3)
    assert (facts["n_train"], facts["n_test"], facts["falling"]) == (6, 2, 3)
    assert facts["best"] == pytest.approx((0.4 + 0.45) / 2) and facts["chance"] == pytest.approx(0.55)
    assert facts["half_interval"] == pytest.approx(5)
    shown = study.table_sweep(runs)
    assert shown.loc[(0, 1), "features"] == "category,\N{NO-BREAK SPACE}amount"
    assert list(shown.columns) == ["features", "cell", "loss", "validation", "test"]


def test_what_is_kept_is_known_only_where_there_is_an_ideal_observer(runs):
    assert study.facts_of_share(runs, 0.25) == {"kept": "an unknown part", "kept_rank": "not known"}
    known = study.facts_of_share(runs.assign(ideal=0.25 + 2 * (runs["accuracy_test"] - 0.25)), 0.25)
    assert known == {"kept": "50 %", "kept_rank": "1.00"}


def test_the_recorded_sweep_has_an_observer_for_each_run():
    from helpers.book.data import table

    features = table("results/clients_runs.csv")["features"].unique()
    ideal = pd.Series(np.linspace(0.7, 0.8, len(features)), features)
    recorded = study.recorded_sweep(ideal)
    reached = ideal[recorded["features"]].to_numpy()
    assert np.allclose(recorded["share"], (recorded["accuracy_test"] - 0.25) / (reached - 0.25))
    facts = study.facts_of_recorded_sweep(recorded)
    assert facts["recorded_best"] >= facts["recorded_chosen"] and 0.7 <= facts["recorded_best_ideal"] <= 0.8
    assert facts["recorded_runs"] + facts["recorded_failed"] == 102
    assert len(study.best_runs(recorded, "test")) == facts["recorded_experiments"]
    assert study.table_by_features(recorded)["runs"].sum() == len(recorded)


def test_recorded_scorers_rank_alike_by_their_own_table():
    from helpers.clients import CLASSIFIERS, score_agreement

    scored = study.recorded_scorers()
    facts = study.facts_of_classifiers(scored, score_agreement(scored[list(CLASSIFIERS)], rng=0))
    assert facts["agree"].startswith(f"{facts['agree_pooled']:.2f} [") and facts["agree_n"] == len(scored)
    assert 0 < facts["took_fast"] < facts["took_automl"]


def test_scorers_stand_beside_each_other_on_the_same_runs(sweep, monkeypatch):
    from helpers.studies import sweep as sweeps

    def score(sweep, *, classifier, on, runs, metric, rng):
        assert (on, metric, rng) == (["test"], "roc_auc", 5)
        return pd.DataFrame({"accuracy_test": [0.5, 0.7], "seconds": [1.0, 3.0]})

    monkeypatch.setattr(sweeps, "score_runs", score)
    shown = study.table_classifiers(sweep, ["fast", "logistic"], metric="roc_auc", rng=5)
    assert (
        list(shown)[1] == "mean ROC-AUC"
        and shown.loc["fast"].tolist() == [2, 0.6, 2]
        and list(shown.index) == ["fast", "logistic"]
    )


def test_figures_have_a_point_for_each_run_with_and_without_truth(runs):
    import matplotlib.pyplot as plt

    for table, label in ((runs, "run, by accuracy"), (runs.assign(ideal=0.6), "ideal observer of the same features")):
        left, right = study.figure_sweep(table, 0.3)
        assert len(left.lines) == len(runs) and right.get_xlabel() == label
    recorded = runs.reset_index().assign(ideal=0.6)
    ax = study.figure_recorded_sweep(recorded.assign(features=["category", "amount"] * 2))
    assert [len(points.get_offsets()) for points in ax.collections] == [2, 2]
    plt.close("all")


@pytest.mark.parametrize(("metric", "chance"), [("accuracy", 0.55), ("balanced_accuracy", 0.5), ("roc_auc", 0.5)])
def test_what_guessing_reaches_depends_on_the_metric(sweep, metric, chance):
    assert study.guessing(sweep, metric) == pytest.approx(chance)


def test_a_page_says_what_is_scored_and_by_what(sweep):
    assert sweep.setting("roc_auc") == {"metric": "ROC-AUC", "target": "2 classes"}
    assert sweep.setting("accuracy", "1")["target"] == "two classes, from 1 on or below"
    with pytest.raises(ValueError, match="metric is 'auc'; it can be 'accuracy'"):
        sweep.setting("auc")


@pytest.mark.parametrize(
    ("counts", "metric"),
    [([25, 25, 25, 25], "accuracy"), ([40, 30, 15, 15], "accuracy"), ([85, 11, 4], "roc_auc"), ([50, 50], "roc_auc")],
)
def test_the_metric_suits_the_classes_unless_one_is_asked_for(counts, metric):
    target = pd.Series(np.repeat(range(len(counts)), counts))
    made = Sweep(pd.DataFrame(), {}, {}, {0: target, 1: target})
    assert made.metric() == metric
    assert made.metric("balanced_accuracy") == "balanced_accuracy"
