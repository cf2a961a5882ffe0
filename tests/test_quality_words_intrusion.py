"""Word intrusion: questions by a loop, a judge that knows and one that does not."""

import numpy as np
import pytest
from tolerance import of_a_share

from helpers.quality.words import WordVectors, intrusion, intrusion_questions, pick_intruders

RNG = np.random.default_rng(0)
WORDS = [f"w{i}" for i in range(400)]
SPACE = WordVectors(WORDS, RNG.normal(size=(400, 20)), "space")
OTHER = WordVectors(WORDS, RNG.normal(size=(400, 20)), "other")


def test_questions_have_the_neighbours_of_the_ranks_asked_for():
    questions = intrusion_questions(SPACE, n_questions=20, ranks=(1, 3, 50))
    unit = SPACE.x / np.linalg.norm(SPACE.x, axis=1, keepdims=True)
    for row in questions.itertuples(index=False):
        cosine = unit @ unit[WORDS.index(row[0])]
        order = [WORDS[i] for i in np.argsort(-cosine) if WORDS[i] != row[0]]
        assert list(row[1:]) == [order[0], order[2], order[49]]


def test_targets_are_frequent_words_and_shared_ones_alone_are_neighbours():
    questions = intrusion_questions(SPACE, n_questions=50, ranks=(1, 2, 9), frequent=(100, 200), among=WORDS[50:300])
    rows = np.array([[WORDS.index(word) for word in row] for row in questions.to_numpy()])
    assert ((100 <= rows[:, 0]) & (rows[:, 0] < 200)).all() and ((50 <= rows) & (rows < 300)).all()


def test_the_space_itself_finds_its_intruders_and_an_unrelated_one_finds_a_third():
    options = {"ranks": (1, 2, 399), "n_questions": 400, "frequent": (0, 400)}
    assert intrusion(SPACE, SPACE, **options)["found"].iloc[0] > 0.95
    row = intrusion(SPACE, OTHER, **options).iloc[0]
    assert abs(row["found"] - 1 / 3) < of_a_share(1 / 3, 400)
    assert row["ci_low"] < row["found"] < row["ci_high"] and row["chance"] == pytest.approx(1 / 3)


def test_words_that_the_judge_does_not_know_are_counted():
    row = intrusion(SPACE, OTHER.first(300), ranks=(1, 2, 50)).iloc[0]
    assert (row["words"], row["covered"], row["coverage"]) == (400, 300, 0.75)


def test_the_pick_is_the_word_with_the_least_sum_of_cosines():
    found = pick_intruders(intrusion_questions(SPACE, n_questions=60), OTHER)
    share = intrusion(SPACE, OTHER, n_questions=60)["found"].iloc[0]
    assert share == (found["pick"] == found["intruder"]).mean()
    for row in found.itertuples():
        words = [row.target, row.near, row.next, row.intruder]
        unit = OTHER.unit[OTHER.rows(words)]
        sums = [unit[i] @ unit.sum(axis=0) - unit[i] @ unit[i] for i in (1, 2, 3)]
        assert row.pick == words[1 + int(np.argmin(sums))]


def test_targets_without_a_vector_are_named():
    questions = intrusion_questions(SPACE, targets=["w3", "zebra"])
    assert questions["target"].tolist() == ["w3"] and questions.attrs["unknown"] == ["zebra"]
    with pytest.raises(ValueError, match="none of 1 has a vector; unknown are zebra"):
        intrusion_questions(SPACE, targets=["zebra"])


@pytest.mark.parametrize(("ranks", "said"), [((2, 1, 9), "rise"), ((1, 2, 400), "more than"), ((0, 1, 2), "ranks")])
def test_ranks_that_do_not_rise_or_go_too_far_are_refused(ranks, said):
    with pytest.raises(ValueError, match=said):
        intrusion_questions(SPACE, ranks=ranks)


def test_a_judge_that_lacks_a_word_of_a_question_is_told_which():
    questions = intrusion_questions(SPACE, targets=["w399"])
    with pytest.raises(ValueError, match="row 0: the judge does not know 'w399'"):
        pick_intruders(questions, OTHER.first(399))
