"""Combined representations by hand, and what pairs gain."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from helpers.clients import score
from helpers.similarity.registry import MEASURES
from helpers.studies import pair_gains as pair_gains_of
from helpers.studies.pair_gains import combine_pair, pair_gains, pair_measures
from helpers.studies.sweep import Sweep


def population(n=240, classes=3, seed=0):
    """Targets, parts and three embeddings: two that each know one half of the class, one of noise."""
    rng = np.random.default_rng(seed)
    target = pd.Series(rng.integers(classes, size=n), name="target")
    parts = pd.Series(np.resize(["train", "train", "train", "validation", "test", "test"], n), name="part")
    told = np.eye(classes)[target] + rng.normal(scale=0.7, size=(n, classes))
    noise = rng.normal(size=(n, 3))
    embeddings = {
        "a": np.column_stack([told[:, 0], noise[:, 0]]),
        "b": np.column_stack([told[:, 1:], noise[:, 1:2]]),
        "c": noise[:, 1:],
    }
    return embeddings, target, parts


def test_combinations_by_hand():
    x, y = [[1.0, 0.0], [3.0, 4.0]], [[2.0], [0.0]]
    assert combine_pair(x, y).tolist() == [[-1, -1, 1], [1, 1, -1]]
    assert combine_pair(x, y, "sum").tolist() == [[0, -1], [0, 1]]
    assert combine_pair(x, y, "product").tolist() == [[-1, -1], [-1, 1]]


def test_scales_are_learnt_from_training_clients_only():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 20, 3))
    train = np.arange(20) < 12
    before = combine_pair(x, y, "product", train=train)
    x[15] = 1e6
    after = combine_pair(x, y, "product", train=train)
    assert np.allclose(np.delete(before, 15, axis=0), np.delete(after, 15, axis=0))
    assert np.allclose(combine_pair(5 * x + 3, y, "sum", train=train), combine_pair(x, y, "sum", train=train))


def test_a_coordinate_that_is_constant_in_training_counts_for_nothing():
    assert combine_pair([[1.0], [1.0], [9.0]], [[0.0], [2.0], [1.0]], "sum", train=[True, True, False])[2, 0] == 0


def test_what_cannot_be_combined_is_refused():
    with pytest.raises(ValueError, match="how is 'mean'; it can be 'concatenation', 'sum', 'product'"):
        combine_pair([[1.0]], [[1.0]], "mean")
    with pytest.raises(ValueError, match=r"x has shape \(1, 1\) and y \(2, 1\)"):
        combine_pair([[1.0]], [[1.0], [2.0]])
    with pytest.raises(ValueError, match="names 0 rows"):
        combine_pair([[1.0]], [[1.0]], train=[False])


# Gains


def test_gains_are_the_accuracy_of_the_combination_less_the_better_of_the_two():
    embeddings, target, parts = population(n=720)
    found = pair_gains(embeddings, target, parts, classifier="logistic").set_index(["model_a", "model_b"])
    assert found.index.tolist() == [("a", "b"), ("a", "c"), ("b", "c")]
    row, train = found.loc["a", "b"], (parts == "train").to_numpy()
    single = [score(embeddings[name], target, parts, classifier="logistic") for name in "ab"]
    both = score(combine_pair(embeddings["a"], embeddings["b"], train=train), target, parts, classifier="logistic")
    assert np.isclose(row["gain_concatenation"], both.accuracy - max(one.accuracy for one in single))
    chance = 2 * found.loc["b", "c"]["error_concatenation"]  # of 240 test clients
    assert row["gain_concatenation"] > 2 * row["error_concatenation"]
    assert abs(found.loc["b", "c"]["gain_concatenation"]) < chance
    difference = both.correct.astype(float) - max(single, key=lambda one: one.accuracy).correct
    assert np.isclose(row["error_concatenation"], stats.sem(difference))


def test_gains_by_another_metric_are_differences_of_that_metric():
    embeddings, target, parts = population(n=720)
    found = pair_gains(embeddings, target, parts, classifier="logistic", metric="roc_auc")
    row, train = found.iloc[0], (parts == "train").to_numpy()
    both = score(combine_pair(embeddings["a"], embeddings["b"], train=train), target, parts, classifier="logistic")
    single = [score(embeddings[name], target, parts, classifier="logistic").by("roc_auc") for name in "ab"]
    assert np.allclose(row[["accuracy_a", "accuracy_b"]].astype(float), single)
    assert np.isclose(row["gain_concatenation"], both.by("roc_auc") - max(single))
    assert 0 < row["error_concatenation"] < 0.1


def test_the_targets_of_test_clients_decide_no_probability_and_no_measure():
    """They are permuted: what is fitted, what is chosen on validation clients and what is measured stays."""
    embeddings, target, parts = population()
    test = (parts == "test").to_numpy()
    permuted = target.copy()
    permuted[test] = np.random.default_rng(1).permutation(target[test])
    for on in ("validation", "test"):
        one, two = (score(embeddings["a"], y, parts, classifier="fast", on=on) for y in (target, permuted))
        pd.testing.assert_frame_equal(one.probabilities, two.probabilities)
    chosen = [pair_gains(embeddings, y, parts, classifier="logistic", on="validation") for y in (target, permuted)]
    pd.testing.assert_frame_equal(*chosen)
    hidden = {name: np.where(test[:, None], 7.0, values) for name, values in embeddings.items()}
    pd.testing.assert_frame_equal(
        pair_measures(embeddings, parts, measures=["cka", "procrustes"]),
        pair_measures(hidden, parts, measures=["cka", "procrustes"]),
    )


def test_rows_of_test_clients_decide_no_scale_of_a_sum():
    embeddings, target, parts = population()
    test = (parts == "test").to_numpy()
    rng = np.random.default_rng(2)
    moved = embeddings | {"a": np.where(test[:, None], rng.normal(size=(len(test), 2)) * 1e4, embeddings["a"])}
    both = [
        pair_gains(x, target, parts, classifier="logistic", on="validation", combinations=["sum", "product"])
        for x in (embeddings, moved)
    ]
    pd.testing.assert_frame_equal(*both)


def test_every_measure_is_taken_of_every_pair():
    rng = np.random.default_rng(0)
    parts = pd.Series(np.resize(["train", "validation"], 120))
    # Features that have something in common, without which not every measure is defined.
    embeddings = {name: rng.normal(size=(120, 5)) + rng.normal(size=(120, 1)) for name in "abc"}
    found = pair_measures(embeddings, parts, options={"geometry_score": {"complexes": 20}})
    assert list(found) == list(MEASURES) and len(found) == 3 and not found.attrs["undefined"]
    assert np.isfinite(found.to_numpy()).all()
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(parts == "validation"))
    x, y = embeddings["a"][chosen], embeddings["b"][chosen]
    assert np.isclose(found.loc[("a", "b"), "cka"], MEASURES["cka"](x, y))
    both = MEASURES["linear_regression"](x, y) + MEASURES["linear_regression"](y, x)
    assert np.isclose(found.loc[("a", "b"), "linear_regression"], both / 2)


def test_a_measure_that_is_undefined_is_told_and_missing():
    rng = np.random.default_rng(0)
    parts = pd.Series(["validation"] * 40)
    found = pair_measures({"a": np.ones((40, 3)), "b": rng.normal(size=(40, 3))}, parts, measures=["cka"])
    assert found["cka"].isna().all() and "constant" in found.attrs["undefined"]["cka"]


def test_an_undefined_measure_takes_no_other_of_the_same_pass_with_it():
    rng = np.random.default_rng(0)
    parts = pd.Series(["validation"] * 40)
    pair = {"one column": rng.normal(size=(40, 1)), "three": rng.normal(size=(40, 3))}
    found = pair_measures(pair, parts, measures=["cka", "rsa", "jaccard"])
    assert set(found.attrs["undefined"]) == {"rsa"} and found["rsa"].isna().all()
    assert found[["cka", "jaccard"]].notna().all(axis=None)


def test_the_study_of_a_sweep_has_a_row_for_each_pair_and_leaves_out_lonely_runs():
    embeddings, target, parts = population(120)
    frames = {name: pd.DataFrame(values, index=target.index) for name, values in embeddings.items()}
    sweep = Sweep(
        pd.DataFrame(),
        {(0, 0): frames["a"], (0, 2): frames["b"], (1, 0): frames["c"], (3, 1): frames["a"], (3, 4): frames["c"]},
        dict.fromkeys((0, 1, 3), parts),
        dict.fromkeys((0, 1, 3), target),
    )
    found = pair_gains_of.measure_pairs(sweep, measures=["cka"], combinations=["sum"], classifier="logistic")
    assert found[["experiment", "model_a", "model_b"]].to_numpy().tolist() == [[0, 0, 2], [3, 1, 4]]
    with pytest.raises(ValueError, match=r"no experiment of \[1\] has two finished runs"):
        pair_gains_of.measure_pairs(sweep, experiments=[1])


def test_pairs_are_all_pairs():
    embeddings, target, parts = population(90)
    found = pair_gains(embeddings, target, parts, classifier="logistic", combinations=["sum"])
    assert list(zip(found["model_a"], found["model_b"], strict=True)) == list(combinations("abc", 2))
    with pytest.raises(ValueError, match="there are 1 models"):
        pair_gains({"a": embeddings["a"]}, target, parts)
