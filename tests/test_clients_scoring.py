"""Splits are fixed and disjoint, scores see what they may see, agreement of classifiers is of ranks."""

import numpy as np
import pandas as pd
import pytest
import tolerance

from helpers.clients import (
    SCORE_METRICS,
    Score,
    binary_target,
    score,
    score_agreement,
    simulate,
    split,
)
from helpers.clients.scoring import score_splits


@pytest.fixture(scope="module")
def clients():
    return simulate(600, rng=3)


# Parts


@pytest.mark.parametrize("experiment", range(3))
def test_parts_are_disjoint_fixed_and_alike_in_their_mixture(clients, experiment):
    parts = split(clients, experiment=experiment)
    assert parts.index.equals(clients.target.index)
    assert parts.equals(split(clients.target, experiment=experiment))
    assert not parts.equals(split(clients, experiment=experiment + 1))
    counts = pd.crosstab(clients.target, parts)[["train", "validation", "test"]]
    exact = np.outer(counts.sum(axis=1), [0.6, 0.2, 0.2])
    assert abs(counts - exact).max(axis=None) < 1  # cut to the nearest clients


def test_fractions_must_sum_to_one(clients):
    with pytest.raises(ValueError, match="sum to 1"):
        split(clients, fractions=(0.5, 0.2, 0.2))


# Scores


def test_scores_reach_what_is_there_and_chance_where_nothing_is(clients):
    parts, rng = split(clients), np.random.default_rng(0)
    told = np.eye(4)[clients.target] + rng.normal(scale=0.1, size=(600, 4))
    for classifier in ("logistic", "lightgbm", "fast"):
        found = score(told, clients.target, parts, classifier=classifier)
        assert found.accuracy > 0.97 and len(found.correct) == (parts == "test").sum()
        assert np.allclose(found.probabilities.sum(axis=1), 1)
        noise = score(rng.normal(size=(600, 4)), clients.target, parts, classifier=classifier)
        assert noise.accuracy < 0.25 + 4 * np.sqrt(0.25 * 0.75 / len(noise.correct))


def test_a_score_sees_the_training_clients_and_those_asked_for_only(clients):
    parts, target = split(clients), clients.target
    x = pd.DataFrame(np.random.default_rng(0).normal(size=(600, 5)), index=target.index)
    before = score(x, target, parts, on="validation").probabilities
    shuffled = target.where(parts != "test", (target + 1) % 4)
    changed = x.copy()
    changed[parts == "test"] = 7.0
    after = score(changed.sample(frac=1, random_state=0), shuffled, parts, on="validation").probabilities
    pd.testing.assert_frame_equal(before, after)


def test_scores_refuse_what_does_not_fit(clients):
    parts, x = split(clients), np.zeros((600, 2))
    for arguments, message in [
        ((x[:5], clients.target, parts), "one row for each of the 600 clients"),
        ((x * np.nan, clients.target, parts), r"embeddings\[0, 0\] is nan"),
        ((x, clients.target * 0, parts), "of 1 classes"),
        ((x, clients.target, parts.iloc[:9]), "591 clients of the target are in no part"),
        ((x, clients.target, pd.concat([parts, parts.iloc[:1]])), "split has client .* twice"),
        ((x[:2], clients.target.iloc[[0, 0]], parts), "target has client .* twice"),
        ((pd.DataFrame(x[[0, 0]], index=parts.index[[0, 0]]), clients.target, parts), "embeddings has client .* twice"),
    ]:
        with pytest.raises(ValueError, match=message):
            score(*arguments)
    with pytest.raises(ValueError, match="classifier is 'slow'"):
        score(x, clients.target, parts, classifier="slow")
    few = clients.target.where(parts != "train", 0)
    few[parts.index[parts == "train"][:4]] = 3
    with pytest.raises(ValueError, match="class 3 has 4 training clients; LightAutoML needs 5"):
        score(x, few, parts, classifier="lightautoml")


def test_one_part_may_be_named_without_a_list(clients):
    parts, told = split(clients), np.eye(4)[clients.target]
    assert list(score_splits(told, clients.target, parts, on="test", classifier="logistic")) == ["test"]


def test_agreement_is_of_ranks_within_groups():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 6)
    level = rng.normal(size=30)[groups]
    scores = pd.DataFrame({"a": level + rng.normal(size=180) / 9})
    scores["same"], scores["only level"] = scores["a"] / 2, level + rng.normal(size=180) / 9
    found = score_agreement(scores, "a", groups=groups, n_resamples=200)
    assert found.loc["same", "correlation"] > 0.8
    assert found.loc["only level", "ci_low"] < 0 < found.loc["only level", "ci_high"]
    assert score_agreement(scores, "a", n_resamples=50).loc["only level", "correlation"] > 0.7
    with pytest.raises(ValueError, match="all scores of 'same'"):
        score_agreement(scores.assign(same=1.0), "a")


@pytest.mark.slow
def test_lightautoml_scores_with_its_classes_in_the_right_order(clients):
    parts = split(clients)
    names = clients.target.map({0: "d", 1: "c", 2: "b", 3: "a"})
    told = np.eye(4)[clients.target][:, :3] + np.random.default_rng(0).normal(scale=0.2, size=(600, 3))
    found = score(told, names, parts, classifier="lightautoml", timeout=30)
    assert found.accuracy > 0.9 and list(found.probabilities) == ["a", "b", "c", "d"]


# Metrics


def test_metrics_are_those_of_scikit_learn(clients):
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score

    parts, rng = split(clients), np.random.default_rng(0)
    told = np.eye(4)[clients.target] + rng.normal(size=(600, 4))
    found = score(told, clients.target, parts, classifier="logistic")
    p, y = found.probabilities, found.truth
    assert y.equals(clients.target[parts == "test"]) and found.by("accuracy") == found.accuracy
    assert found.by("roc_auc") == pytest.approx(roc_auc_score(y, p, multi_class="ovr"))
    assert found.by("balanced_accuracy") == pytest.approx(balanced_accuracy_score(y, p.idxmax(axis=1)))


def test_of_two_classes_the_area_is_that_of_either(clients):
    from sklearn.metrics import roc_auc_score

    parts, old = split(clients), clients.target >= 2
    told = np.random.default_rng(0).normal(size=(600, 1)) + old.to_numpy()[:, None]
    found = score(told, old, parts, classifier="logistic")
    assert found.by("roc_auc") == pytest.approx(roc_auc_score(found.truth, found.probabilities[True]))


def made_score(truth, probabilities, metric="roc_auc"):
    """A score of given probabilities."""
    shares = pd.DataFrame(probabilities)
    truth = pd.Series(truth)
    correct = pd.Series(shares.to_numpy().argmax(axis=1) == truth.to_numpy())
    return Score(float(correct.mean()), correct, shares, truth, "made", "test", 0.0, metric)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("metric", SCORE_METRICS)
def test_what_clients_contribute_has_the_score_as_its_mean(n_classes, metric):
    rng = np.random.default_rng(n_classes)
    truth = rng.choice(n_classes, size=80, p=[0.7, 0.3] if n_classes == 2 else [0.6, 0.3, 0.1])
    # Rounded, so that there are ties.
    shares = np.round(rng.dirichlet(np.ones(n_classes), 80) + 0.5 * np.eye(n_classes)[truth], 1)
    found = made_score(truth, shares / shares.sum(axis=1, keepdims=True), metric)
    assert found.value == found.by(metric) and found.contributions.index.equals(found.truth.index)
    np.testing.assert_allclose(found.contributions.mean(), found.value, rtol=tolerance.apart(len(truth)))


def test_the_spread_of_contributions_to_an_area_is_that_of_delong():
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1], [40, 15])
    values = np.round(truth + rng.normal(size=55), 1)
    shares = np.column_stack([-values, values])
    # Against the definition: every pair of a client of one class and one of the other.
    above = np.sign(values[truth == 1][:, None] - values[truth == 0]) / 2 + 0.5
    of_one, of_other = above.mean(axis=1), above.mean(axis=0)
    expected = of_one.var() / 15 + of_other.var() / 40
    each = made_score(truth, shares).contributions
    np.testing.assert_allclose(each.mean(), above.mean(), rtol=tolerance.apart(55))
    np.testing.assert_allclose(each.var(ddof=0) / 55, expected, rtol=tolerance.apart(55))


def test_shares_of_hits_by_class_spread_as_independent_shares():
    truth = np.repeat([0, 1, 2], [30, 20, 10])
    right = np.random.default_rng(1).random(60) < 0.6
    shares = np.eye(3)[np.where(right, truth, (truth + 1) % 3)]
    each = made_score(truth, shares, "balanced_accuracy").contributions
    expected = sum(right[truth == k].var() / (truth == k).sum() for k in range(3)) / 9
    np.testing.assert_allclose(each.var(ddof=0) / 60, expected, rtol=tolerance.apart(60))


def test_two_classes_are_made_of_many_by_their_order():
    target = pd.Series(["c", "a", None, "b"], index=list("wxyz"))
    found = binary_target(target, "b")
    assert found.tolist()[:2] == [1, 0] and found.isna().tolist() == [False, False, True, False] and found["z"] == 1
    assert binary_target(pd.Series([0, 1, 2, 3]), 2).equals(binary_target(pd.Series([0, 1, 2, 3]), "2"))
    for wrong in ("a", "d"):
        with pytest.raises(ValueError, match=f"binary_from is '{wrong}'; it can be 'b', 'c'"):
            binary_target(target, wrong)


def test_a_metric_that_is_unknown_or_a_class_without_clients_is_refused(clients):
    parts, target = split(clients), clients.target
    told = np.eye(4)[target]
    with pytest.raises(ValueError, match="metric is 'auc'; it can be 'accuracy', 'balanced_accuracy', 'roc_auc'"):
        score(told, target, parts, classifier="logistic").by("auc")
    few = target.where((parts == "train") | (target != 3))
    found = score(told, few, parts, classifier="logistic")
    with pytest.raises(ValueError, match=r"class 3(\.0)? has no client among the \d+ of test"):
        found.by("roc_auc")
    assert 0 < found.by("balanced_accuracy") <= 1
