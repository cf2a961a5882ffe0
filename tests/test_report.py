"""A report on several embeddings: what it finds, what it refuses, that nothing leaks, that it goes on where it was."""

import base64
import time
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import tolerance
from scipy.stats import binom
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.metrics import ndcg_score

from helpers.book.render import outside_loads
from helpers.ensembles import Representations
from helpers.inference import paired
from helpers.inputs import read
from helpers.report import (
    BEST,
    PLAIN,
    StepProgress,
    Steps,
    TargetEvaluation,
    best_ensemble,
    build,
    candidate_ensembles,
    cost_table,
    decide,
    describe_spaces,
    evaluate_by_labels,
    evaluate_by_pairs,
    evaluate_by_qrels,
    evaluate_target,
    find_redundant,
    fit_chosen,
    gains_of_ensembles,
    matrix_of,
    pairwise_similarity,
    redundancy_groups,
    score_spaces,
)
from helpers.report import by_cosine as by_cosine_module
from helpers.report import moments as moments_module
from helpers.report import targets as targets_module
from helpers.report.decisions import ONE_EACH
from helpers.report.evaluation import folds_of
from helpers.report.folder import prepare
from helpers.report.moments import FoldMoments, fit_probe, leading_axes
from helpers.report.recipes import linear_map, mixing_of
from helpers.report.sentences import TRUST, TRUST_EXPERIMENTS, redundancy_in_words, trust_in_words, verdict_in_words
from helpers.report.targets import qrels_of_groups

LEFT = {"index.html", "tables", "ensemble", "combined.npy", "combined.ids.txt", "report.json"}


def spaces(n=300, seed=0):
    """Two unlike embeddings with decaying spectra and their suspects."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 12)) * 0.8 ** np.arange(12)
    x = np.tanh(hidden @ rng.normal(size=(12, 10))) + 0.5
    y = np.tanh(hidden @ rng.normal(size=(12, 8)) * 2) - 0.2
    turn = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    suspects = {
        "turned": 3 * x @ turn + 1,
        "noisy": x + 0.6 * x.std() * rng.normal(size=x.shape),
        "turned and noisy": x @ turn + 0.5 * x.std() * rng.normal(size=x.shape),
        "dice": rng.normal(size=(n, 9)),
    }
    return {"x": x, "y": y} | suspects


def halves(n, seed=0, strength=1.3, classes=3):
    """Two embeddings that hold complementary halves of what tells the classes apart, a third that holds nothing."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    z = rng.normal(size=(n, 6)) + strength * rng.normal(size=(classes, 6))[labels]
    return {"one": z[:, :3], "other": z[:, 3:], "dice": rng.normal(size=(n, 3))}, labels


@pytest.fixture(scope="module")
def suspects():
    found = spaces()
    table = pairwise_similarity(found)
    return found, table, find_redundant(found, table)


def test_rotated_noisy_and_random_embeddings_are_named(suspects):
    found = suspects[2].set_index("embedding")
    assert found["finding"].to_dict() == {
        "dice": "noise",
        "turned": "rotated copy",
        "noisy": "noisy copy",
        "turned and noisy": "noisy copy",
    }
    assert (found.loc[["turned", "noisy", "turned and noisy"], "of"] == "x").all()
    x, noisy = suspects[0]["x"], suspects[0]["noisy"]
    share = np.sum((noisy - x).var(axis=0)) / np.sum(noisy.var(axis=0))
    off = share * tolerance.of_a_mean(np.sqrt(2), x.size)  # of a variance of so many entries
    assert found.loc["noisy", "noise"] == pytest.approx(share, abs=off)
    names = list(suspects[0])
    words = redundancy_in_words(names, suspects[2], decide(names, suspects[2]), [], 0.95)
    assert "**turned is a rotated copy of x**, or the other way round" in words and "what is left is x and y" in words


def test_groups_leave_out_noise_and_noisy_copies(suspects):
    assert redundancy_groups(list(suspects[0]), suspects[2]) == {"x": ["x", "turned"], "y": ["y"]}


def test_a_plain_copy_is_not_called_rotated():
    x = spaces()["x"]
    two = {"x": x, "again": 2 * x + 3}
    assert find_redundant(two, pairwise_similarity(two))["finding"].tolist() == ["copy"]


def test_a_rerun_is_the_yardstick_of_redundancy():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6)) * 0.7 ** np.arange(6)
    runs = {name: np.tanh(x @ rng.normal(size=(6, 40))) for name in ("run 1", "run 2", "third")}
    found = runs | {"far": np.tanh(rng.normal(size=(200, 6)) + 0.3 * x)}
    table = pairwise_similarity(found)
    by_threshold = find_redundant(found, table, threshold=0.999)
    assert "third" not in set(by_threshold["embedding"])
    low = table.assign(ci_low=np.where((table["a"] == "run 1") & (table["b"] == "run 2"), 0.5, table["ci_low"]))
    by_same_model = find_redundant(found, low, same_model=["run 1", "run 2"])
    assert ("third", "redundant") in set(zip(by_same_model["embedding"], by_same_model["finding"], strict=True))
    assert "run 2" not in set(by_same_model.loc[by_same_model["of"] == "run 1", "embedding"])
    with pytest.raises(ValueError, match="same_model is .*two of the embeddings"):
        find_redundant(found, table, same_model=["run 1", "nobody"])


def test_similarities_have_intervals_and_chance(suspects):
    table = suspects[1]
    assert (table["ci_low"] <= table["value"]).all() and (table["value"] <= table["ci_high"]).all()
    apart = table[(table["b"] == "dice") & (table["measure"] == "cka")]
    assert np.allclose(apart["value"], apart["chance"], atol=0.03)  # as wide as their intervals
    cka = matrix_of(table, "cka")
    assert np.allclose(cka, cka.T) and (np.diag(cka) == 1).all()
    with pytest.raises(ValueError, match="only one embedding"):
        pairwise_similarity({"x": suspects[0]["x"]})


def test_what_was_read_is_described():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5)).astype(np.float32)
    table = describe_spaces({"even": x, "cone": x + 9})
    assert table.loc["cone", "anisotropy"] > 0.9 > 0.1 > abs(table.loc["even", "anisotropy"])
    even = table.loc["even"]
    spread = 2 * (even["effective_rank"] - even["effective_rank_ci_low"])  # four standard deviations
    assert even["effective_rank"] == pytest.approx(even["isotropic_rank"], abs=spread) and spread < 0.1
    assert (table["effective_rank_ci_low"] <= table["effective_rank"]).all()


@pytest.mark.parametrize("normalize", ["unit", None])
def test_maps_from_moments_are_those_of_the_fitted_ensembles(normalize):
    found, labels = halves(90)
    found["other"] = np.c_[found["other"], found["one"][:, 0]]
    data = Representations(found)
    fold = folds_of(90, 3, labels=labels)
    moments = FoldMoments(data, fold, labels, normalize)
    train = np.flatnonzero(fold != 0)
    quality, similarity = np.array([0.5, 0.6, 0.3]), np.array([[1, 0.2, 0.1], [0.2, 1, 0.1], [0.1, 0.1, 1]])
    recipes = candidate_ensembles(
        data.names,
        data.widths,
        quality,
        {"one": ["one"], "other": ["other"]},
        width=4,
        lam=0.1,
        normalize=normalize,
        allow_sums=True,
    )
    assert len(recipes) == 8
    rows = moments.rows(np.arange(90)) - moments.origin - moments.mean([1, 2])
    for label, (subset, estimator) in recipes.items():
        at = [data.names.index(name) for name in subset]
        widths = [data.widths[i] for i in at]
        weights, mixing = mixing_of(estimator, subset, widths, quality[at], similarity[np.ix_(at, at)])
        linear = linear_map(estimator, mixing, at, moments.scatter([1, 2]), moments.edges, len(train), {})
        part = Representations({name: found[name] for name in subset})
        estimator.fit(part[train], quality=quality[at], similarity=similarity[np.ix_(at, at)])
        expected = estimator.transform(part)
        expected = expected - expected[train].mean(axis=0)
        # Moments square the condition of what is whitened.
        size = np.linalg.norm(expected, 2) ** 2
        off = tolerance.apart(90, condition=tolerance.condition(np.hstack(list(found.values()))) ** 2) * max(1, size)
        assert np.allclose(rows @ linear @ (rows @ linear).T, expected @ expected.T, rtol=0, atol=off), label
        assert np.allclose(weights, estimator.weights_)


def test_few_axes_of_many_features_are_nearly_the_best(monkeypatch):
    monkeypatch.setattr(moments_module, "EXACT", 10)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 120)) @ np.diag(1.0 / np.arange(1, 121)) @ rng.normal(size=(120, 120))
    scatter = x.T @ x
    values, axes = leading_axes(scatter, 20, [0, 60, 120])
    best = np.linalg.eigvalsh(scatter)[::-1][:20].sum()
    single = tolerance.apart(120, "float32")
    assert np.trace(axes.T @ scatter @ axes) == pytest.approx(values.sum(), rel=single)
    assert best * 0.995 < values.sum() <= best * (1 + single)
    assert np.allclose(axes.T @ axes, np.eye(20), rtol=0, atol=single)


def test_the_probe_is_discriminant_analysis_and_ridge_regression():
    found, labels = halves(120)
    x = found["one"] - found["one"].mean(axis=0)
    counts = np.bincount(labels).astype(float)
    probe = fit_probe(x.T @ x, x.T @ np.eye(3)[labels], counts=counts)
    shrunk = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=_Within(probe.penalty)).fit(x, labels)
    ours = x @ probe.coefficients + probe.intercept
    theirs = shrunk.decision_function(x)
    assert np.allclose(ours - ours.mean(axis=1, keepdims=True), theirs - theirs.mean(axis=1, keepdims=True))
    y = x @ [1.0, 2.0, 3.0] + np.random.default_rng(0).normal(size=120)
    ridge = fit_probe(x.T @ x, (x.T @ y)[:, None], numbers=(120, y.sum(), np.sum(y * y)))
    same = Ridge(alpha=ridge.penalty).fit(x, y)
    assert np.allclose(ridge.coefficients[:, 0], same.coef_) and np.isclose(ridge.intercept[0], same.intercept_)


class _Within:
    """Covariance of a class such that the pooled one is (within-class scatter + penalty) / (n - classes)."""

    def __init__(self, penalty):
        self.penalty = penalty

    def get_params(self, deep=True):
        return {"penalty": self.penalty}

    def set_params(self, **_):
        return self

    def fit(self, x):
        n, groups = 120, 3  # priors are 1/3, so the pooled covariance is the mean of these
        scatter = (x - x.mean(axis=0)).T @ (x - x.mean(axis=0)) * groups
        self.covariance_ = (scatter + self.penalty * np.eye(x.shape[1])) / (n - groups)
        return self


def small_gains(found, labels, seed, **options):
    evaluation = evaluate_by_labels(found, labels, folds=3, rng=seed, **{"width": 3, "lambdas": (0.2,)} | options)
    return evaluation, gains_of_ensembles(evaluation, rng=seed)


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


def test_pairs_are_scored_by_rank_correlation_of_cosines():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(300, 8))
    pairs = rng.permutation(300).reshape(-1, 2)
    given = np.sum(z[pairs[:, 0]] * z[pairs[:, 1]], axis=1)
    found = {"one": z[:, :4] + 1, "other": z[:, 4:], "dice": rng.normal(size=(300, 4))}
    evaluation = evaluate_by_pairs(found, pairs, given, width=8, folds=3, lambdas=(0.2,))
    table, gain = score_spaces(evaluation), gains_of_ensembles(evaluation).set_index(["method", "against"])
    assert gain.loc[("QP + selection + PCA", BEST), "verdict"] == "better"
    assert table.loc["dice", "ci_low"] < 0 < table.loc["one, centred", "ci_low"]
    chained = np.c_[np.arange(299), np.arange(1, 300)]
    assert (
        "chained" in evaluate_by_pairs(found, chained, rng.normal(size=299), width=4, folds=3, lambdas=(0.2,)).notes[0]
    )
    with pytest.raises(ValueError, match="pairs name rows 0 to 300; there are rows 0 to 299"):
        evaluate_by_pairs(found, np.c_[np.zeros(40, int), np.full(40, 300)], np.arange(40))


def test_judgements_are_scored_by_ndcg():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 30, 240)
    z = rng.normal(size=(30, 8))[groups] + 0.4 * rng.normal(size=(240, 8))
    found = {"one": z[:, :4], "other": z[:, 4:], "dice": rng.normal(size=(240, 3))}
    asked, others = np.arange(60), np.arange(60, 240)
    judged = pd.DataFrame(
        [(q, d, 1.0 + (d % 2)) for q in asked for d in others if groups[q] == groups[d]],
        columns=["query", "document", "relevance"],
    )
    evaluation = evaluate_by_qrels(found, judged, width=8, folds=3, lambdas=(0.2,))
    queries = np.unique(judged["query"])
    unit = found["one"] / np.linalg.norm(found["one"], axis=1, keepdims=True)
    truth = np.zeros((len(queries), 180))
    place = {q: i for i, q in enumerate(queries)}
    for q, d, g in judged.itertuples(index=False):
        truth[place[q], d - 60] = g
    assert evaluation.items["one"].mean() == pytest.approx(ndcg_score(truth, unit[queries] @ unit[60:].T, k=10))
    gain = gains_of_ensembles(evaluation).set_index(["method", "against"])
    assert gain.loc[("QP + selection + PCA", BEST), "verdict"] == "better"
    assert (
        score_spaces(evaluation).loc["dice", "ci_low"]
        < evaluation.chance
        < score_spaces(evaluation).loc["one", "ci_low"]
    )


def test_a_search_in_blocks_finds_what_a_search_at_once_finds(monkeypatch):
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 12, 150)
    x = rng.normal(size=(12, 5))[groups] + rng.normal(size=(150, 5))
    judged = qrels_of_groups(groups)
    whole = evaluate_by_qrels({"x": x, "y": x[:, :3]}, judged, width=5, folds=3, lambdas=(0.2,)).items
    monkeypatch.setattr(by_cosine_module, "STEP", 4)
    parts = evaluate_by_qrels({"x": x, "y": x[:, :3]}, judged, width=5, folds=3, lambdas=(0.2,)).items
    assert np.allclose(whole, parts)


def test_groups_of_many_objects_are_searched_in_a_sample(monkeypatch):
    from types import SimpleNamespace

    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 10)
    x = rng.normal(size=(30, 4))[groups] + 0.3 * rng.normal(size=(300, 4))
    given = {"representations": {"x": x, "y": x[:, :2]}, "groups": groups}
    inputs = SimpleNamespace(labels=None, pairs=None, qrels=None, **given)
    options = {"width": 4, "folds": 3, "lambdas": (0.2,)}
    whole = evaluate_target(inputs, **options)
    monkeypatch.setattr(targets_module, "SEARCHED", 200)
    part = evaluate_target(inputs, **options)
    assert not whole.notes and part.notes == ["The search is among 200 of the 300 objects, drawn at random."]
    assert len(part.items) < len(whole.items) == 300
    found = score_spaces(part)["score"]
    assert found["x"] > found["y"] > 2 * part.chance


def test_the_trust_in_qualities_without_labels_is_the_one_of_the_recorded_table():
    from helpers.book.data import table
    from helpers.quality import mean_rank_correlations

    names = {"rankme": "the effective rank", "mean_cosine": "low anisotropy", "validation": "labels of other clients"}
    found = mean_rank_correlations(table("results/clients_unlabelled_models.csv"), list(names), n_resamples=999)
    assert set(names.values()) == set(TRUST) and set(found["experiments"]) == {TRUST_EXPERIMENTS}
    for name, words in names.items():
        recorded = found.loc[name, ["spearman", "ci_low", "ci_high"]].astype(float)
        assert TRUST[words] == tuple(recorded.round(2)), words
    assert "labels of other clients +0.93 [+0.88, +0.97]" in trust_in_words()


def test_the_final_ensemble_is_the_one_of_the_evaluation():
    found, labels = halves(150)
    groups = {"one": ["one"], "other": ["other"]}
    evaluation = evaluate_by_labels(found, labels, groups=groups, width=4, folds=3)
    for label in evaluation.methods:
        fitted = fit_chosen(found, groups, label=label, evaluation=evaluation, width=4)
        assert fitted.transform({name: found[name] for name in fitted.names_}).shape[1] in (3, 4)
    bare = fit_chosen(found, groups, width=4)
    assert bare.names_ == ["one", "other"]
    table = cost_table(["one", "other"], [3, 3], {"both": (["one", "other"], 4)})
    assert table.loc["both"].to_dict() == {"width": 4, "bytes_per_object": 16, "encoders": 2}


def test_without_a_target_nothing_is_evaluated():
    class Bare:
        representations, labels, pairs, qrels, groups = halves(60)[0], None, None, None, None

    assert evaluate_target(Bare()) is None


def test_groups_alone_are_judgements_and_beside_labels_stay_together():
    found, labels = halves(90)

    class Grouped:
        representations, labels, pairs, qrels, groups = found, None, None, None, np.arange(90) % 9

    assert evaluate_target(Grouped(), width=3, folds=3, lambdas=(0.2,)).metric == "nDCG@10"
    Grouped.labels = labels
    evaluation = evaluate_target(Grouped(), width=3, folds=3, lambdas=(0.2,))
    assert len(np.unique(evaluation.groups)) == 9


def test_steps_are_kept_and_go_on_where_they_were(tmp_path):
    found, labels = halves(90)
    ran = []

    def step_of(steps):
        return lambda what, function: steps(what, lambda: (ran.append(what), function())[1])

    def stopped(what, function):
        if "fold 2" in what:
            raise KeyboardInterrupt
        return step_of(Steps(tmp_path, "a"))(what, function)

    with pytest.raises(KeyboardInterrupt):
        evaluate_by_labels(found, labels, width=3, folds=3, step=stopped)
    assert len(ran) == 2
    resumed = evaluate_by_labels(found, labels, width=3, folds=3, step=step_of(Steps(tmp_path, "a")))
    assert len(ran) == 4, "the steps before the stop ran once"
    whole = evaluate_by_labels(found, labels, width=3, folds=3)
    assert np.array_equal(resumed.items, whole.items) and resumed.folds.equals(whole.folds)
    evaluate_by_labels(found, labels, width=3, folds=3, step=step_of(Steps(tmp_path, "another input")))
    assert len(ran) == 8
    table = Steps(tmp_path, "a")("scores", lambda: score_spaces(whole))
    again = Steps(tmp_path, "a")("scores", lambda: None)
    pd.testing.assert_frame_equal(table, again)
    evaluation = Steps(tmp_path, "a")("all", lambda: whole)
    loaded = Steps(tmp_path, "a")("all", lambda: None)
    assert loaded.metric == evaluation.metric and loaded.items.equals(evaluation.items)


def test_steps_say_what_they_do_and_what_is_left(tmp_path):
    said = []
    steps = Steps(tmp_path, "a", {"first": 10.0, "second": 10.0}, said.append)
    steps("first", lambda: time.sleep(0.2))
    assert 0.1 < steps.remaining() < 1
    assert said[0] == StepProgress("first", "running", 20.0) and said[1] == StepProgress(
        "first", "done", steps.remaining()
    )
    Steps(tmp_path, "a", {}, said.append)("first", lambda: 1 / 0)
    assert [state for _, state, _ in said] == ["running", "done", "kept"]


def test_the_folder_is_refused_unless_it_is_empty_or_its_own_unfinished(tmp_path):
    out = prepare(tmp_path / "new", {"source": "a"})
    kept = out / ".steps" / "a step" / "value.json"
    kept.parent.mkdir()
    kept.touch()
    assert prepare(out, {"source": "a"}) == out and kept.exists()
    with pytest.raises(FileExistsError, match="unfinished report of another call.*overwrite=True"):
        prepare(out, {"source": "b"})
    prepare(out, {"source": "b"}, overwrite=True)
    assert not kept.exists()
    assert prepare(out, {"source": "c"}) == out, "nothing was kept of b"
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match="other files"):
        prepare(other, {})
    prepare(other, {}, overwrite=True)
    assert (other / "thesis.tex").exists()
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="is a file"):
        prepare(tmp_path / "file", {})
    with pytest.raises(ValueError, match="cannot be written to"):
        prepare(tmp_path / "file" / "below", {})


@pytest.fixture(scope="module")
def built():
    """A report on two embeddings that complement each other, a copy turned, and noise; and what it said meanwhile."""
    found, labels = halves(150)
    found["turned"] = found["one"] @ np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    said = []
    return build(found, labels=labels, progress=said.append), said, found, labels


def test_a_report_is_what_its_steps_give(built):
    report, _, found, labels = built
    assert report.decisions.redundant == ["dice", "turned"] and report.decisions.target == "labels"
    groups = {"one": ["one", "turned"], "other": ["other"]}
    assert report.decisions.groups == groups
    evaluation = evaluate_by_labels(found, labels, groups=groups)
    pd.testing.assert_frame_equal(report.tables["quality"], score_spaces(evaluation))
    pd.testing.assert_frame_equal(report.tables["gains"], gains_of_ensembles(evaluation, [BEST, PLAIN, ONE_EACH]))
    pd.testing.assert_frame_equal(report.tables["similarity"], pairwise_similarity(found))
    label = best_ensemble(report.tables["quality"])
    fitted = fit_chosen(found, groups, label=label, evaluation=evaluation)
    given = {name: found[name] for name in fitted.names_}
    assert np.allclose(report.combined, fitted.transform(given)) and report.ensemble.used_ == fitted.used_
    assert report.tables["cost"].loc[label, "width"] == report.combined.shape[1]


def test_progress_tells_each_step_and_the_time_left(built):
    said = built[1]
    assert said[0] == StepProgress("reading", "running") and said[1] == StepProgress("reading", "done")
    assert [p.state for p in said[2:]] == ["running", "done"] * (len(said) // 2 - 1)
    steps = [p.step for p in said[2::2]]
    assert steps[0] == "what was read" and steps[-1] == "the ensemble of all objects" and "gains" in steps
    assert said[2].seconds_left > said[-2].seconds_left > said[-1].seconds_left == 0


def test_a_decision_follows_the_verdict_and_the_sentence_says_it():
    folds = pd.DataFrame({BEST: ["a", "b", "a"]})
    weights = pd.DataFrame({"method": [PLAIN, "QP"], "fold": 0, "a": 0.5, "b": 0.5})
    evaluation = TargetEvaluation("accuracy", 0.5, pd.DataFrame(), np.arange(3), folds, weights)
    table = pd.DataFrame(
        {"kind": ["single", "single", "ensemble", "ensemble"], "score": [0.9, 0.6, 0.7, 0.8], "ci_low": 0.5,
         "ci_high": 0.95, "chance": 0.4},
        index=["a", "b", PLAIN, "QP"],
    )  # fmt: skip
    found = pd.DataFrame(columns=["embedding", "finding", "of", "noise", "evidence"])
    told = {
        "better": "Take the ensemble QP**, which reads a and b.",
        "not distinguishable": "Stay with a alone",
        "worse": "does harm",
    }
    for verdict, words in told.items():
        row = {"gain": 0.1, "ci_low": 0.0, "ci_high": 0.2, "p": 0.02}
        gain = pd.DataFrame(
            [{"method": "QP", "against": BEST, "verdict": verdict, **row},
             {"method": PLAIN, "against": BEST, "verdict": "better", **row},
             {"method": "QP", "against": PLAIN, "verdict": "better", **row}]
        )  # fmt: skip
        decisions = decide(["a", "b"], found, "labels", evaluation, table, gain)
        assert (decisions.ensemble, decisions.best_single, decisions.verdict) == ("QP", "a", verdict)
        assert decisions.use == ("QP" if verdict == "better" else "a")
        said = verdict_in_words(evaluation, table, gain, decisions)
        assert words in said.split("\n\n")[-1] and f"a (2 of 3 folds) and b (1 of 3 folds): **{verdict}**" in said


def test_without_a_target_the_report_chooses_nothing_and_says_why():
    report = build(halves(60)[0])
    assert report.decisions.use == "one of each group + PCA" and report.decisions.verdict is None
    assert "no gain can be measured" in report.summary[1] and "not its use" in report.sentences["quality"]
    assert list(report.tables["quality"]) == ["effective_rank", "isotropic_rank", "anisotropy"]
    assert not len(report.tables["gains"]) and "scores" not in report.to_html()
    with pytest.raises(KeyError, match="no figure 'scores'"):
        report.figure("scores")


def test_reports_of_pairs_qrels_and_groups_are_on_their_targets(tmp_path):
    found, _ = halves(90)
    rng = np.random.default_rng(0)
    left, right = rng.permutation(90).reshape(2, -1)
    pairs = pd.DataFrame({"left": left, "right": right, "score": rng.normal(size=45)})
    qrels = pd.DataFrame({"query": np.arange(45), "document": np.arange(45, 90), "relevance": 1})
    qrels.to_csv(tmp_path / "qrels.csv", index=False)
    given = {"pairs": pairs, "qrels": tmp_path / "qrels.csv", "groups": np.arange(90) % 30}
    metrics = {"pairs": "Spearman", "qrels": "nDCG@10", "groups": "nDCG@10"}
    for name, value in given.items():
        report = build(found, width=3, folds=3, n_objects=60, **{name: value})
        assert report.evaluation.metric == metrics[name]
        assert report.decisions.target == ("pairs" if name == "pairs" else "qrels")


def test_inputs_that_were_read_are_taken_and_no_arguments_of_reading_beside_them(built):
    report, _, found, labels = built
    inputs = read(found, labels=labels)
    again = build(inputs)
    pd.testing.assert_frame_equal(again.tables["gains"], report.tables["gains"])
    with pytest.raises(ValueError, match="labels given, but inputs were read before"):
        build(inputs, labels=labels)


def test_wrong_arguments_are_refused_before_anything_is_read(tmp_path):
    for wrong, words in [
        ({"folds": 2}, "folds is 2"),
        ({"n_objects": 3}, "n_objects is 3"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"width": 0}, "width is 0"),
        ({"normalize": "cubes"}, "normalize is 'cubes'"),
    ]:
        with pytest.raises(ValueError, match=words):
            build(tmp_path / "nowhere", **wrong)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        build(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="same_model is .*two of the embeddings"):
        build(halves(30)[0], same_model=["one", "nobody"])


class _Page(HTMLParser):
    """Texts of headings, images and tags of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.images, self.anchors, self.links = set(), [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.add(tag)
        if tag == "img":
            self.images.append(attributes)
        if tag == "h2" and "id" in attributes:
            self.anchors.append(attributes["id"])
        if tag == "a":
            self.links.append(attributes["href"].removeprefix("#"))


def test_the_page_stands_alone(built, tmp_path):
    page = replace(built[0], title="Report on <mine>", about={"seed": "<0>"}).to_html()
    (tmp_path / "index.html").write_text(page)
    parsed = _Page(page)
    assert outside_loads(tmp_path) == [] and not parsed.tags & {"script", "link", "mine", "0"}
    assert parsed.links == parsed.anchors and len(parsed.anchors) == 7
    assert len(parsed.images) == 3 and all(len(image["alt"]) > 20 for image in parsed.images)
    for image in parsed.images:
        data = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"), validate=True)
        size = int.from_bytes(data[16:20], "big")
        assert data[:4] == b"\x89PNG" and size == pytest.approx(2 * int(image["width"]), abs=2)  # whole pixels of both
    assert "prefers-color-scheme: dark" in page and 'name="viewport"' in page
    assert page.count("dice and turned can go") == 2 and "Report on &lt;mine&gt;" in page


def test_names_of_embeddings_are_no_html():
    found, labels = halves(60)
    report = build({"<script src=x>": found["one"], "b": found["other"]}, labels=labels, folds=3)
    assert "script" not in _Page(report.to_html()).tags


def test_a_notebook_shows_the_same_sections_as_the_page(built):
    report = built[0]
    shown = report._repr_html_()
    for section in report.sections:
        assert report.section(section.name)._repr_html_().removesuffix("</div>").split(">", 1)[1] in shown
        assert section.heading in shown
    with pytest.raises(KeyError, match="no section 'nothing'; there are .*'input'"):
        report.section("nothing")
    said = repr(report)
    assert "**" not in said and "dice and turned can go" in said and max(map(len, said.splitlines())) <= 88


def test_a_saved_report_holds_everything_and_is_not_overwritten(built, tmp_path):
    report = built[0]
    page = report.save(tmp_path / "out")
    assert page == tmp_path / "out" / "index.html" and {path.name for path in page.parent.iterdir()} == LEFT
    assert np.array_equal(np.load(tmp_path / "out" / "combined.npy"), report.combined)
    read_csv = partial(pd.read_csv, float_precision="round_trip")
    tables = {path.stem: read_csv(path) for path in (tmp_path / "out" / "tables").iterdir()}
    assert {name for name, table in report.tables.items() if len(table)} == set(tables)
    assert np.array_equal(tables["gains"]["gain"], report.tables["gains"]["gain"])
    with pytest.raises(FileExistsError, match="finished report.*overwrite=True"):
        report.save(tmp_path / "out")
    report.save(tmp_path / "out", overwrite=True)


def test_an_interrupted_report_goes_on_in_its_folder(built, tmp_path):
    report, _, found, labels = built

    def stop(progress):
        if progress == ("gains", "running", progress.seconds_left):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(found, labels=labels, folder=tmp_path, progress=stop)
    said = []
    again = build(found, labels=labels, folder=tmp_path, progress=said.append)
    states = {p.step: p.state for p in said}
    assert states["similarity"] == states["scores"] == "kept" and states["gains"] == "done"
    pd.testing.assert_frame_equal(again.tables["gains"], report.tables["gains"])
    assert {path.name for path in tmp_path.iterdir()} == LEFT
    assert isinstance(again.combined, np.memmap) and np.allclose(again.combined, report.combined)
    with pytest.raises(FileExistsError, match="finished report"):
        build(found, labels=labels, folder=tmp_path)
