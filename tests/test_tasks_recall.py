"""Passages found among many others, speed, and the front of quality and cost."""

import time

import numpy as np
import pandas as pd
import pytest

from helpers.tasks.recall import pareto_front, recall_among, texts_per_second


def vectors_of(table):
    return lambda texts: np.array([table[text] for text in texts], float)


PLACES = {"q1": [1, 0], "q2": [0, 1], "p1": [1, 0.1], "p2": [1, 0.9], "d1": [0, 1], "d2": [0.1, 1], "d3": [-1, 0]}


def test_recall_counts_the_right_passage_among_the_nearest():
    found = recall_among(vectors_of(PLACES), ["q1", "q2"], ["p1", "p2"], ["d1", "d2", "d3"], k=[1, 2, 3, 10])
    assert found.attrs["ranks"].tolist() == [1, 3]
    assert found["recall"].tolist() == [0.5, 0.5, 1, 1] and found["chance"].tolist() == [0.2, 0.4, 0.6, 1]
    assert (found["ci_low"] <= found["recall"]).all() and (found["recall"] <= found["ci_high"]).all()


def test_vectors_that_are_all_the_same_find_nothing_but_by_chance():
    texts = [f"p{i}" for i in range(99)]
    found = recall_among(lambda some: np.ones((len(some), 2)), ["q"], ["right"], texts, k=[1, 49, 50, 51])
    assert found.attrs["ranks"].tolist() == [50.5] and found["recall"].tolist() == [0, 0, 0, 1]


def test_passages_of_equal_letters_count_as_one():
    places = PLACES | {"P1": [1, 0.1], "p1 ": [1, 0.1]}
    found = recall_among(vectors_of(places), ["q1", "q1"], ["p1", "P1"], ["p1 ", "d1"], k=[1])
    assert found["recall"].tolist() == [1] and found["chance"].tolist() == [0.5]


def test_instructions_stand_before_queries_and_passages():
    asked = []

    def encode(texts):
        asked.append(texts)
        return np.eye(len(texts), 3)

    recall_among(encode, ["a"], ["b"], ["c"], instructions=("query: ", "passage: "), k=[1])
    assert asked == [["query: a"], ["passage: b", "passage: c"]]


def test_bad_searches_are_refused():
    with pytest.raises(ValueError, match="there are 1 queries and 0 passages"):
        recall_among(vectors_of(PLACES), ["q1"], [])
    with pytest.raises(ValueError, match="k is 0"):
        recall_among(vectors_of(PLACES), ["q1"], ["p1"], k=[0])
    with pytest.raises(ValueError, match=r"shape \(1, 1\) for 2 texts"):
        recall_among(lambda texts: np.ones((1, 1)), ["q1", "q2"], ["p1", "p2"])
    with pytest.raises(ValueError, match="NaN or infinity"):
        recall_among(lambda texts: np.full((len(texts), 2), np.nan), ["q1"], ["p1"])


def test_speed_is_texts_over_seconds():
    import time

    def slow(texts):
        time.sleep(0.001 * len(texts))

    found = texts_per_second(slow, ["a"] * 20)
    assert found["slowest"] <= found["median"] <= found["fastest"] <= 1000  # a pause is never shorter than asked
    with pytest.raises(ValueError, match="texts is empty"):
        texts_per_second(slow, [])


MODELS = pd.DataFrame({"score": [0.6, 0.7, 0.5, 0.6], "ms": [1, 5, 2, 1]}, index=["bag", "large", "slow", "twin"])


def test_the_front_is_what_nothing_beats():
    assert pareto_front(MODELS, "score", "ms").tolist() == ["on", "on", "off", "on"]


def test_intervals_leave_open_what_they_do_not_decide():
    table = MODELS.assign(low=[0.55, 0.6, 0.45, 0.55], high=[0.65, 0.8, 0.5, 0.65])
    assert pareto_front(table, "score", "ms", low="low", high="high").tolist() == ["open", "open", "off", "open"]
    narrow = MODELS.assign(low=MODELS["score"], high=MODELS["score"])
    assert pareto_front(narrow, "score", "ms", low="low", high="high").tolist() == ["on", "on", "off", "on"]


def test_bad_tables_are_refused():
    with pytest.raises(ValueError, match="table has no column 'size'"):
        pareto_front(MODELS, "score", "size")
    with pytest.raises(ValueError, match="score of 'large' is NaN"):
        pareto_front(MODELS.assign(score=[0.6, np.nan, 0.5, 0.6]), "score", "ms")


def test_a_processor_that_waits_for_others_does_not_slow_an_encoder_down():
    def waits(texts):
        time.sleep(0.1)
        return np.ones((len(texts), 1))

    wall, processor = (texts_per_second(waits, ["a", "b"], n_repeats=1, clock=clock) for clock in ("wall", "processor"))
    assert wall["median"] <= 2 / 0.1 < processor["median"]
    with pytest.raises(ValueError, match="clock is 'sun'"):
        texts_per_second(waits, ["a"], clock="sun")
