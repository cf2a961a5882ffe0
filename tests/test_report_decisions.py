"""Decisions and sentences of a report: whatever is found, no two of them disagree."""

import re

import numpy as np
import pandas as pd
import pytest
import tolerance
from report_data import halves

from helpers.book.data import table
from helpers.report import (
    BEST,
    PLAIN,
    TargetEvaluation,
    cost_table,
    decide,
    evaluate_by_labels,
    fit_chosen,
    score_spaces,
    scoring,
)
from helpers.report.recipes import FEWER, ONE_EACH
from helpers.report.sentences import no_gain_in_words, redundancy_in_words, verdict_in_words

COLUMNS = ["embedding", "finding", "of", "noise", "evidence"]
VERDICTS = ("better", "not distinguishable", "worse")
RULES = ["copy", "rotated copy", "noise", "partial copy", "narrower copy", "noisy copy", "redundant"]


def made_findings(names, rng):
    """Findings such as the rules give: each embedding at most once, the first never, of one that was not found before
    it."""
    if rng.random() < 0.1:
        rows = [(name, "unrelated", "") for name in names]
    else:
        rows, left = [], list(names[1:])
        for finding in sorted(rng.choice(RULES, rng.integers(len(names))), key=RULES.index):
            name = left.pop(rng.integers(len(left)))
            others = [other for other in names if other != name and other not in {row[0] for row in rows}]
            rows.append((name, finding, "" if finding == "noise" else rng.choice(others)))
    return pd.DataFrame([(*row, 0.5, "evidence") for row in rows], columns=COLUMNS)


def above(score, chance, reach):
    """p of scores that are above chance, all together, if they are so far above it."""
    return np.where(np.asarray(score) > chance + reach, 0.01, 0.5)


def made_target(names, rng):
    """An evaluation with scores and verdicts drawn at random."""
    methods = [PLAIN, "QP + selection + PCA", *FEWER][: rng.integers(2, 5)]
    weights = pd.DataFrame(
        [(m, fold, *np.where(rng.random(len(names)) < 0.5, 0.0, 1.0)) for m in methods for fold in range(3)],
        columns=["method", "fold", *names],
    )
    weights.loc[weights["method"] == PLAIN, list(names)] = 1.0
    weights[rng.choice(names)] = 1.0  # an ensemble of nothing is none
    folds = pd.DataFrame({BEST: rng.choice(names, 3)})
    evaluation = TargetEvaluation("accuracy", 0.5, pd.DataFrame(), np.arange(3), folds, weights)
    rows = [*names, BEST, *methods]
    score, reach = rng.uniform(0.2, 0.9, len(rows)), rng.uniform(0.01, 0.3)
    kinds = ["single"] * (len(names) + 1) + ["ensemble"] * len(methods)
    table = {"kind": kinds, "score": score, "ci_low": score - reach, "ci_high": score + reach, "chance": 0.5}
    table["p"] = above(score, 0.5, 1.2 * reach)
    gains = pd.DataFrame(
        [
            (method, against, 0.1, 0.0, 0.2, 0.03, rng.choice(VERDICTS))
            for against in (BEST, PLAIN, *FEWER)
            for method in methods
            if method != against and against in (BEST, *methods)
        ],
        columns=["method", "against", "gain", "ci_low", "ci_high", "p", "verdict"],
    )
    return evaluation, pd.DataFrame(table, index=rows), gains


def names_in(text):
    """Names of embeddings in a listing."""
    return re.findall(r"\be\d\b", text)


def contradictions(names, said, decisions):
    """Pairs of statements of a page that disagree, read from its sentences alone."""
    out = []
    gone = names_in(found[1]) if (found := re.search(r"\*\*(.*) can go\*\*", said)) else []
    left = names_in(found[1]) if (found := re.search(r"what is left is (.*?) \(rule", said)) else names
    stay = re.findall(r"\*\*(e\d)[^\n]*It stays", said)
    alone = re.findall(r"Stay with (e\d) alone", said)
    reads = names_in(found[1]) if (found := re.search(r"which reads (.*)\.", said)) else []
    above_chance = re.search(r"alone it scores above chance|not above chance", said)
    concatenated = names_in(found[1]) if (found := re.search(r"the concatenation of (.*) with PCA", said)) else []
    ends = [bool(alone), "Take the ensemble" in said, "Nothing here is above chance" in said, bool(concatenated)]
    if sum(ends) != 1:
        out.append(("one end", ends))
    if sorted([*gone, *left]) != sorted(names) and "none of the" not in said:
        out.append(("what goes and what is left are not all", gone, left))
    if not left:
        out.append(("nothing is left",))
    if above_chance and "Nothing here is above chance" in said:
        out.append(("nothing is above chance, and something is",))
    for word, kept in {"stays": stay, "alone": alone, "reads": reads, "concatenated": concatenated}.items():
        if set(kept) & set(gone):
            out.append((word, kept, "goes", gone))
    for copy, of in re.findall(r"\*\*(e\d) is (?:a|redundant|) ?(?:\w+ )?(?:copy of|beside) (e\d)\*\*", said):
        if {copy, of} <= set(gone) and not any(name in left for name in names):
            out.append(("both go", copy, of))
    if decisions.verdict == "better" and not reads:
        out.append(("better, and not taken",))
    return out


@pytest.mark.parametrize("seed", range(10))
def test_no_two_sentences_of_a_page_disagree(seed):
    rng, ends = np.random.default_rng(seed), set()
    for _ in range(100):
        names = [f"e{i}" for i in range(rng.integers(2, 7))]
        found, judged = made_findings(names, rng), rng.random() < 0.8
        target = made_target(names, rng) if judged else ()
        decisions = decide(names, found, "labels" if judged else None, *target)
        verdict = verdict_in_words(*target, decisions) if judged else no_gain_in_words(names, decisions)
        said = redundancy_in_words(names, found, decisions, [], 0.95) + "\n\n" + verdict
        assert contradictions(names, said, decisions) == [], said
        groups = [name for members in decisions.groups.values() for name in members]
        assert len(groups) == len(set(groups)) and not set(decisions.groups) & set(decisions.redundant)
        assert all(name in members for name, members in decisions.groups.items())
        assert set(decisions.reads) <= set(names) - set(decisions.redundant)
        ends.add(verdict.split("\n\n")[-1].split("**")[1].split(" ")[0] if judged else "Without")
    assert ends == {"Stay", "Take", "Nothing", "Without"}


def test_the_check_finds_the_contradictions_that_pages_had():
    decisions = decide(["e0", "e1"], pd.DataFrame(columns=COLUMNS))
    said = "**e1 can go**; what is left is e0 (rule for redundancy).\n\n**Stay with e1 alone**: no ensemble is better."
    assert contradictions(["e0", "e1"], said, decisions) == [("alone", ["e1"], "goes", ["e1"])]
    said = "**e1 can go**; what is left is e0 (rule.).\n\n**Take the ensemble A**, which reads e0 and e1."
    assert contradictions(["e0", "e1"], said, decisions) == [("reads", ["e0", "e1"], "goes", ["e1"])]


def target_of(scores, folds, gains, weights=None, chance=0.2, reach=0.05):
    names = [name for name in scores if name.startswith("e")]
    methods = [name for name in scores if not name.startswith("e")]
    rows = [(m, k, *((weights or {}).get(m) or [1.0] * len(names))) for m in methods for k in range(len(folds))]
    evaluation = TargetEvaluation(
        "accuracy", chance, pd.DataFrame(), np.arange(3), pd.DataFrame({BEST: folds}),
        pd.DataFrame(rows, columns=["method", "fold", *names]),
    )  # fmt: skip
    score = pd.Series(scores)
    kinds = ["single" if name.startswith("e") else "ensemble" for name in scores]
    table = pd.DataFrame(
        {"kind": kinds, "score": score, "ci_low": score - reach, "ci_high": score + reach, "chance": chance,
         "p": above(score, chance, reach)}
    )  # fmt: skip
    rows = [(*pair, 0.1, 0.0, 0.2, 0.03, verdict) for pair, verdict in gains.items()]
    columns = ["method", "against", "gain", "ci_low", "ci_high", "p", "verdict"]
    return evaluation, table, pd.DataFrame(rows, columns=columns)


def findings(*rows):
    return pd.DataFrame([(*row, 0.5, "evidence") for row in rows], columns=COLUMNS)


def test_of_interchangeable_embeddings_the_one_stays_that_the_folds_chose():
    found = findings(("e1", "rotated copy", "e0"), ("e2", "noise", ""))
    target = target_of(
        {"e0": 0.7, "e1": 0.69, "e2": 0.2, PLAIN: 0.6}, ["e1", "e1", "e0"], {(PLAIN, BEST): "not distinguishable"}
    )
    decisions = decide(["e0", "e1", "e2"], found, "labels", *target)
    assert (decisions.use, decisions.redundant, decisions.groups) == ("e1", ["e0", "e2"], {"e1": ["e0", "e1"]})
    said = redundancy_in_words(["e0", "e1", "e2"], found, decisions, [], 0.95)
    assert "**e0 is a rotated copy of e1**" in said and "**e0 and e2 can go**; what is left is e1" in said
    assert "**Stay with e1 alone**" in verdict_in_words(*target, decisions)


def test_what_is_related_to_the_target_is_no_noise():
    found = findings(("e2", "noise", ""), ("e3", "noise", ""))
    target = target_of({"e0": 0.7, "e1": 0.6, "e2": 0.3, "e3": 0.22, PLAIN: 0.6}, ["e0"], {(PLAIN, BEST): "worse"})
    decisions = decide(["e0", "e1", "e2", "e3"], found, "labels", *target)
    assert decisions.redundant == ["e3"] and list(decisions.stays) == ["e2"]
    said = redundancy_in_words(["e0", "e1", "e2", "e3"], found, decisions, [], 0.95)
    assert "It stays: alone it scores above chance" in said and "combining" in verdict_in_words(*target, decisions)


def test_of_unrelated_embeddings_the_target_tells_which_is_noise():
    found = findings(("e0", "unrelated", ""), ("e1", "unrelated", ""))
    target = target_of({"e0": 0.7, "e1": 0.21, PLAIN: 0.6}, ["e0"], {(PLAIN, BEST): "worse"})
    decisions = decide(["e0", "e1"], found, "labels", *target)
    assert (decisions.use, decisions.redundant, decisions.groups) == ("e0", ["e1"], {"e0": ["e0"]})
    assert "not above chance" in redundancy_in_words(["e0", "e1"], found, decisions, [], 0.95)
    assert decide(["e0", "e1"], found).redundant == []
    target = target_of({"e0": 0.21, "e1": 0.21, PLAIN: 0.2}, ["e0"], {(PLAIN, BEST): "worse"})
    assert decide(["e0", "e1"], found, "labels", *target).redundant == []


def test_an_ensemble_of_what_is_left_takes_the_place_of_one_that_reads_what_can_go():
    found, scores = findings(("e2", "noise", "")), {"e0": 0.6, "e1": 0.6, "e2": 0.2, PLAIN: 0.8, ONE_EACH: 0.79}
    gains = {(PLAIN, BEST): "better", (ONE_EACH, BEST): "better", (PLAIN, ONE_EACH): "not distinguishable"}
    target = target_of(scores, ["e0"], gains)
    decisions = decide(["e0", "e1", "e2"], found, "labels", *target)
    assert (decisions.use, decisions.reads, decisions.redundant) == (ONE_EACH, ["e0", "e1"], ["e2"])
    said = verdict_in_words(*target, decisions)
    assert f"**{PLAIN}** scores higher, but reads what can go" in said
    assert f"**Take the ensemble {ONE_EACH}**, which reads e0 and e1." in said
    target = target_of(scores, ["e0"], gains | {(PLAIN, ONE_EACH): "better"})
    decisions = decide(["e0", "e1", "e2"], found, "labels", *target)
    assert (decisions.use, decisions.redundant, list(decisions.stays)) == (PLAIN, [], ["e2"])


def test_weights_on_what_is_left_count_before_equal_ones_that_gain_nothing():
    found = findings(("e2", "noise", ""))
    weighted = FEWER[1]
    scores = {"e0": 0.6, "e1": 0.6, "e2": 0.2, "QP + selection + PCA": 0.8, ONE_EACH: 0.65, weighted: 0.79}
    gains = {("QP + selection + PCA", BEST): "better", (weighted, BEST): "better"}
    gains |= {("QP + selection + PCA", weighted): "not distinguishable", (ONE_EACH, BEST): "not distinguishable"}
    decisions = decide(["e0", "e1", "e2"], found, "labels", *target_of(scores, ["e0"], gains))
    assert (decisions.use, decisions.reads, decisions.redundant) == (weighted, ["e0", "e1"], ["e2"])


def test_a_copy_that_scores_higher_than_its_original_stays():
    found = findings(("e1", "noisy copy", "e0"))
    target = target_of({"e0": 0.5, "e1": 0.7, PLAIN: 0.6}, ["e1"], {(PLAIN, BEST): "worse"})
    decisions = decide(["e0", "e1"], found, "labels", *target)
    assert (decisions.use, decisions.redundant) == ("e1", []) and decisions.stays == {"e1": "it scores higher than e0"}
    target = target_of({"e0": 0.68, "e1": 0.7, PLAIN: 0.6}, ["e1"], {(PLAIN, BEST): "worse"})
    decisions = decide(["e0", "e1"], found, "labels", *target)
    assert (decisions.use, decisions.redundant) == ("e0", ["e1"])


def test_where_nothing_is_above_chance_nothing_is_recommended():
    target = target_of({"e0": 0.22, "e1": 0.2, PLAIN: 0.23}, ["e0"], {(PLAIN, BEST): "not distinguishable"})
    decisions = decide(["e0", "e1"], findings(), "labels", *target)
    assert not decisions.useful and "**Nothing here is above chance**" in verdict_in_words(*target, decisions)


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


def test_a_decision_follows_the_verdict_and_the_sentence_says_it():
    folds = pd.DataFrame({BEST: ["a", "b", "a"]})
    weights = pd.DataFrame({"method": [PLAIN, "QP"], "fold": 0, "a": 0.5, "b": 0.5})
    evaluation = TargetEvaluation("accuracy", 0.5, pd.DataFrame(), np.arange(3), folds, weights)
    table = pd.DataFrame(
        {"kind": ["single", "single", "ensemble", "ensemble"], "score": [0.9, 0.6, 0.7, 0.8], "ci_low": 0.5,
         "ci_high": 0.95, "chance": 0.4, "p": 0.01},
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


def test_two_hundred_recorded_reports_on_permuted_labels_keep_the_level():
    found = table("results/permuted_labels.csv")
    assert len(found) == 200 and not found.duplicated(["seed", "report"]).any()
    wrong = (found["verdict"] != "not distinguishable").mean()
    # All intervals of a report hold together with probability .95, so that fewer may be wrong.
    assert wrong <= 0.05 + tolerance.of_a_share(0.05, 200)
    assert (found["decided"] > 0).mean() <= 0.05 + tolerance.of_a_share(0.05, 200)
    assert found["useful"].mean() <= 0.05 + tolerance.of_a_share(0.05, 200)


def test_the_best_of_many_scores_is_above_chance_at_the_level_of_all(monkeypatch):
    """Of methods that know nothing the best one lies above chance by its own interval far more often than that."""
    monkeypatch.setattr(scoring, "RESAMPLES", 199)
    rng, repetitions, methods, n = np.random.default_rng(0), 150, 12, 60
    folds, weights = pd.DataFrame({BEST: ["m0"]}), pd.DataFrame({"method": []})
    found, alone = 0, 0
    for seed in range(repetitions):
        items = pd.DataFrame({f"m{i}": rng.random(n) < 0.3 for i in range(methods)}, dtype=float)
        scores = score_spaces(TargetEvaluation("accuracy", 0.3, items, np.arange(n), folds, weights), rng=seed)
        found += (scores["p"] <= 0.05).any()
        alone += (scores["ci_low"] > 0.3).any()
    assert found / repetitions <= 0.05 + tolerance.of_a_share(0.05, repetitions) < alone / repetitions
    items["m0"] = 1.0 * (np.arange(n) % 4 > 0)  # eight standard errors above chance
    items["m1"], items["m2"] = 1.0, 0.0
    scores = score_spaces(TargetEvaluation("accuracy", 0.3, items, np.arange(n), folds, weights))
    assert (scores.loc[["m0", "m1"], "p"] <= 1 / 200).all() and scores.loc["m2", "p"] == 1
