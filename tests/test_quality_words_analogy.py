"""Analogies against loops over questions and words."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tolerance import inner

from helpers.quality.words import ANALOGY_METHODS, WordVectors, analogies, analogy_answers
from helpers.quality.words import analogy as module

N = 60
WORDS = [f"w{i}" for i in range(N)]
VECTORS = WordVectors(WORDS, np.random.default_rng(0).normal(size=(N, 6)))


def made_questions(n=50, rng=1):
    rng = np.random.default_rng(rng)
    rows = [[WORDS[i] for i in rng.permutation(N)[:4]] for _ in range(n)]
    return pd.DataFrame(rows, columns=list("abcd")).assign(category=[f"kind {i % 3}" for i in range(n)])


def score(method, x, a, b, c):
    """What is to be largest, by the formula, of one word."""
    if method == "3CosAdd":
        return x @ b - x @ a + x @ c
    if method == "3CosMul":
        return (1 + x @ b) / 2 * (1 + x @ c) / 2 / ((1 + x @ a) / 2 + 1e-3)
    if method == "only c":
        return x @ c
    return -np.inf if x is c else (x - c) @ (b - a) / np.linalg.norm(x - c) / np.linalg.norm(b - a)


def by_hand(questions, method, excluded):
    unit = list(VECTORS.x / np.linalg.norm(VECTORS.x, axis=1, keepdims=True))
    answers = []
    for row in questions.itertuples():
        own = [WORDS.index(word) for word in (row.a, row.b, row.c)]
        scores = [-np.inf if excluded and i in own else score(method, unit[i], *(unit[j] for j in own))
                  for i in range(N)]  # fmt: skip
        answers.append(WORDS[int(np.argmax(scores))])
    return np.array(answers)


@pytest.mark.parametrize("entries", [7, 10**6])
def test_answers_are_those_of_a_loop_by_every_method_and_way(monkeypatch, entries):
    monkeypatch.setattr(module, "ENTRIES", entries)
    questions = made_questions()
    expected = {(m, e): by_hand(questions, m, e) for m in ANALOGY_METHODS for e in (True, False)}
    # some questions are given the answers of some method, so that shares are not all zero
    questions["d"] = [list(expected.values())[i % 8][i] for i in range(len(questions))]
    table, told = analogies(VECTORS, questions), analogy_answers(VECTORS, questions)
    for (method, excluded), answers in expected.items():
        assert told[method if excluded else f"{method}, nothing excluded"].tolist() == answers.tolist()
        row = table.loc[("all", method, excluded)]
        assert row["accuracy"] == np.mean(answers == questions["d"])
        own = [answer in (q.a, q.b, q.c) for answer, q in zip(answers, questions.itertuples(), strict=True)]
        assert row["own_words"] == np.mean(own)
    assert table["accuracy"].max() > 0


def test_a_plane_of_equal_steps_is_completed_by_every_method_but_only_c():
    grid = {f"{r}{c}": [r == "a", r == "b", c == "x", c == "y", c == "z"] for r in "ab" for c in "xyz"}
    grid = {word: np.array(vector, float) for word, vector in grid.items()}
    questions = [("ax", "bx", f"a{c}", f"b{c}") for c in "yz"]
    table = analogies(grid, questions, exclude=True)["accuracy"].droplevel(["category", "excluded"])
    assert table[["3CosAdd", "3CosMul", "PairDirection"]].tolist() == [1, 1, 1]
    without = analogies(grid, questions, methods="only c", exclude=False).iloc[0]
    assert without["accuracy"] == 0 and without["own_words"] == 1


def test_categories_add_up_to_all_and_unknown_words_count_as_wrong():
    questions = made_questions()
    questions["d"] = by_hand(questions, "3CosAdd", True)
    questions.loc[0, "a"], questions.loc[1, "d"] = "zebra", "yak"
    table = analogies(VECTORS, questions, methods="3CosAdd", exclude=True, by_category=True)
    whole, parts = table.loc["all"].iloc[0], table.drop("all")
    assert whole["accuracy"] == 1 and whole["accuracy_all"] == 48 / 50
    assert (whole["questions"], whole["covered"], whole["coverage"]) == (50, 48, 0.96)
    assert parts["questions"].sum() == 50 and parts["covered"].sum() == 48
    assert table.attrs["unknown"] == ["yak", "zebra"]
    told = analogy_answers(VECTORS, questions, methods="3CosAdd", exclude=True)["3CosAdd"]
    assert told[:2].tolist() == [None, None] and (told[2:] == questions["d"][2:]).all()


def test_candidates_are_the_first_words_and_those_of_the_questions():
    table = analogies(VECTORS, [("w50", "w51", "w52", "w53")], n_candidates=10, exclude=(True, False))
    assert table.attrs["candidates"] == 14
    assert table["chance"].tolist() == [1 / 11, 1 / 14] * 4


def test_a_question_whose_answer_is_excluded_is_told():
    found = analogies(VECTORS, [("w1", "w2", "w3", "w2")], methods="3CosAdd", exclude=True).iloc[0]
    assert found["unanswerable"] == 1 and found["accuracy"] == 0


def test_questions_of_a_few_pairs_have_wider_intervals_than_independent_ones():
    pairs = [(f"w{2 * i}", f"w{2 * i + 1}") for i in range(10)]
    rows = [(*one, *other) for one in pairs for other in pairs if one != other]
    questions = pd.DataFrame(rows, columns=list("abcd"))
    # right wherever the second pair is among the first five: what depends on a pair is the same nine times
    questions["d"] = np.where(
        questions["c"].isin([w for w, _ in pairs[:5]]), by_hand(questions, "3CosAdd", True), "w59"
    )
    row = analogies(VECTORS, questions, methods="3CosAdd", exclude=True).iloc[0]
    blind = stats.binomtest(round(row["accuracy"] * 90), 90).proportion_ci(0.95, "wilson")
    assert row["ci_high"] - row["ci_low"] > 1.5 * (blind.high - blind.low)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"methods": "4CosAdd"}, "methods has '4CosAdd'; the methods are 3CosAdd"),
        ({"epsilon": 0}, "epsilon"),
        ({"n_candidates": 100}, "n_candidates"),
        ({"exclude": ()}, "at least one"),
    ],
)
def test_options_out_of_range_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        analogies(VECTORS, made_questions(), **options)


def test_questions_of_unknown_words_alone_are_refused_with_some_of_them():
    with pytest.raises(ValueError, match="none of 1 has four known words; unknown are yak, zebra"):
        analogies(VECTORS, [("w1", "zebra", "w2", "yak")])


def test_single_precision_gives_the_answers_of_double_where_no_two_words_are_as_good():
    questions = made_questions(200)
    single = WordVectors(WORDS, VECTORS.x.astype(np.float32))
    wrong = 0
    for method in ("3CosAdd", "only c"):
        questions["d"] = by_hand(questions, method, True)
        wrong += 1 - analogies(single, questions, methods=method, exclude=True)["accuracy"].iloc[0]
    # of 400 gaps between the best two scores hardly one is as small as the rounding
    assert wrong <= 200 * 60 * inner(6, "float32") + 1 / 200
