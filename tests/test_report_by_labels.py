"""Evaluation by labels: nothing of a fold is known before it is predicted, and verdicts hold their level."""

import numpy as np
import pandas as pd
import pytest
from report_data import halves, small_gains
from scipy.stats import binom
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from helpers.inference import paired
from helpers.report import (
    BEST,
    PLAIN,
    best_ensemble,
    decide,
    evaluate_by_labels,
    find_redundant,
    gains_of_ensembles,
    pairwise_similarity,
    score_spaces,
)
from helpers.report.evaluation import folds_of
from helpers.report.sentences import verdict_in_words


def test_permuted_labels_give_no_verdict_more_often_than_stated_and_a_cheat_would():
    """Per reference, any verdict at all has probability 0.05; a probe tested on what it was fitted on has far more."""
    repetitions, level = 40, 0.05
    false = {BEST: 0, PLAIN: 0}
    cheated = 0
    for seed in range(repetitions):
        rng = np.random.default_rng(seed)
        found = {f"{i}": rng.normal(size=(60, 2)) for i in range(8)}
        labels = rng.integers(0, 2, 60)
        evaluation, table = small_gains(found, labels, seed)
        for reference in false:
            part = table[table["against"] == reference]
            false[reference] += (part["verdict"] != "not distinguishable").any()
        joined = np.concatenate(list(found.values()), axis=1)
        seen = LinearDiscriminantAnalysis().fit(joined, labels).predict(joined) == labels
        cheated += paired(seen, evaluation.items[BEST], n_resamples=499).verdict == "better"
    most = int(binom.ppf(0.999, repetitions, level))
    assert max(false.values()) <= most, false
    assert cheated > most


def test_complementary_halves_of_the_signal_are_found_better():
    found, labels = halves(900, strength=0.7)
    evaluation, table = small_gains(found, labels, 0, width=6, lambdas=(0.2, 1.0), normalize=None)
    verdicts = table.set_index(["method", "against"])["verdict"]
    assert verdicts["QP + selection + PCA", BEST] == "better"
    table_of_scores = score_spaces(evaluation)
    decisions = decide(list(found), find_redundant(found, pairwise_similarity(found)), "labels", evaluation,
                       table_of_scores, table)  # fmt: skip
    assert decisions.verdict == "better" and decisions.use == decisions.ensemble == best_ensemble(table_of_scores)
    words = verdict_in_words(evaluation, table_of_scores, table, decisions)
    assert f"**Take the ensemble {decisions.use}**, which reads" in words
    assert table_of_scores.loc["dice", "ci_low"] < evaluation.chance < table_of_scores.loc["one", "ci_low"]


def test_a_harmful_combination_is_called_worse():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 4
    signal = rng.normal(size=(400, 3)) + 2 * rng.normal(size=(4, 3))[labels]
    noise = {f"noise {i}": 3 * rng.normal(size=(400, 3)) for i in range(4)}
    evaluation = evaluate_by_labels({"signal": signal, **noise}, labels, width=2, folds=3, normalize=None, rng=0)
    row = gains_of_ensembles(evaluation, [BEST]).set_index("method").loc[PLAIN]
    assert row["verdict"] == "worse" and row["ci_high"] < 0


def test_fold_k_is_predicted_by_what_the_other_folds_say_alone():
    """Other labels and other rows in one fold change no weight, quality or choice that this fold is predicted by."""
    found, labels = halves(120)
    before = evaluate_by_labels(found, labels, width=3, folds=3, rng=1)
    fold = folds_of(120, 3, labels=labels, together=np.arange(120), rng=1)
    inside = np.flatnonzero(fold == 0)
    spoiled = {name: x.copy() for name, x in found.items()}
    for x in spoiled.values():
        x[inside] += 5
    after = evaluate_by_labels(spoiled, labels, width=3, folds=3, rng=1)
    assert before.folds.iloc[0].equals(after.folds.iloc[0]) and not before.folds.equals(after.folds)
    assert before.weights.query("fold == 0").equals(after.weights.query("fold == 0"))


def test_no_prediction_depends_on_other_rows_of_its_fold():
    found, _ = halves(120)
    target = found["one"].sum(axis=1) + 0.1
    fold = folds_of(120, 3, together=np.arange(120), rng=1)
    inside = np.flatnonzero(fold == 0)
    spoiled = {name: x.copy() for name, x in found.items()}
    for x in spoiled.values():
        x[inside[::2]] *= -3
    before, after = (
        evaluate_by_labels(x, target, width=3, folds=3, rng=1, normalize=None).items for x in (found, spoiled)
    )
    pd.testing.assert_frame_equal(before.loc[inside[1::2]], after.loc[inside[1::2]])
    assert not np.allclose(before.loc[inside[::2]], after.loc[inside[::2]])


def test_equal_rows_stay_in_one_fold():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    labels = np.arange(40) % 2
    twice = {"x": np.r_[x, x], "y": np.r_[x[:, :2], x[:, :2]] ** 2}
    evaluation = evaluate_by_labels(twice, np.r_[labels, labels], folds=4, width=2, rng=0)
    assert (evaluation.groups[:40] == evaluation.groups[40:]).all()
    assert np.allclose(evaluation.items.iloc[:40], evaluation.items.iloc[40:])


def test_numbers_as_target_give_r_squared():
    found, _ = halves(200)
    target = found["one"].sum(axis=1) + found["other"].sum(axis=1) + 0.1
    evaluation = evaluate_by_labels(found, target, width=6, folds=4, normalize=None)
    table = score_spaces(evaluation)
    assert evaluation.metric == "R²" and table.loc[PLAIN, "score"] > 0.6 > table.loc["one", "score"]


def test_labels_that_cannot_be_learnt_are_refused_or_said():
    found, labels = halves(60)
    with pytest.raises(ValueError, match="one class only, 'a'"):
        evaluate_by_labels(found, ["a"] * 60)
    with pytest.raises(ValueError, match=r"labels has shape \(59,\); one label for each of the 60"):
        evaluate_by_labels(found, labels[:59])
    rare = labels.astype(object).astype(str)
    rare[0] = "alone"
    evaluation = evaluate_by_labels(found, rare, width=3)
    assert "1 classes have fewer than 3 members" in evaluation.notes[0] and len(evaluation.items) == 59
    few = np.where(np.arange(60) < 4, "few", "many")
    evaluation = evaluate_by_labels(found, few, width=3, folds=10)
    assert evaluation.notes == ["10 folds were asked for, but class 'few' has 4 members: 4 folds are used."]
    assert len(evaluation.folds) == 4
    with pytest.raises(ValueError, match="width is 90.*at most"):
        evaluate_by_labels(found, labels, width=90)
    with pytest.raises(ValueError, match="only 1 class"):
        evaluate_by_labels(found, ["a", "b", *["c"] * 58])
