"""Pairs that are kept back: what chooses, what scores and what is learned have no text in common."""

from itertools import combinations

import pandas as pd
import pytest

from helpers.encoders.kept_back import corpus_without, rows_without, split_examples
from helpers.pairs import EvaluationTexts, PairCorpus, read_sample

WORDS = "кошка собака лошадь корова курица утка мышь белка лиса волк заяц медведь чайка сова рыба ёжик".split()


def corpus_of(rows, paragraphs=()):
    pairs = pd.DataFrame(rows, columns=["kind", "left", "right"]).assign(source="one", document="")
    text = pd.DataFrame({"source": "one", "document": "", "text": list(paragraphs)})
    return PairCorpus(text, pairs, pd.Series({"pairs: empty side": 3}), {"one": "CC0-1.0"})


def sides(*tables):
    return {text for table in tables for side in ("left", "right") for text in table[side]}


def titles():
    """120 pairs of which no two are near: those of two words that share one have half of their words in common."""
    two = combinations(WORDS, 2)
    return [("title", f"{one} или {other}", f"{one[::-1]} {one}, {other[::-1]} {other}") for one, other in two]


@pytest.mark.parametrize("most, parts", [(20, (10, 10)), (7, (3, 4)), (1000, (15, 15))])
def test_what_chooses_and_what_scores_share_no_text_and_are_halves(most, parts):
    pairs = corpus_of(titles()).pairs
    choosing, scoring = split_examples(pairs, most)
    assert not sides(choosing) & sides(scoring) and (len(choosing), len(scoring)) == parts


def test_a_pair_near_one_that_scores_does_not_choose():
    rows = titles()
    pairs = corpus_of([*rows, *(("title", f"{left}!", f"Вот: {right}.") for _, left, right in rows)]).pairs
    choosing, scoring = split_examples(pairs, 1000)
    asked = EvaluationTexts(sides(scoring))
    assert len(scoring) == 30 and 0 < len(choosing) < 30
    assert not any(asked.find(text) for text in sides(choosing))


def test_pairs_are_kept_back_by_their_texts_and_not_by_their_place():
    pairs = corpus_of(titles()).pairs
    mixed = pairs.sample(frac=1, random_state=0)
    for part, again in zip(split_examples(pairs, 20), split_examples(mixed, 20), strict=True):
        assert set(part.index) == set(again.index)


def test_a_pair_that_stands_twice_does_not_both_choose_and_score():
    pairs = corpus_of(titles() * 2).pairs
    choosing, scoring = split_examples(pairs, 40)
    assert (len(choosing), len(scoring)) == (40, 40) and not sides(choosing) & sides(scoring)


def test_nothing_of_a_corpus_is_the_same_as_or_near_what_was_kept_back():
    corpus = corpus_of(titles(), [f"{right.upper()}!" for *_, right in titles()] + ["Дождь будет к вечеру."])
    kept = split_examples(corpus.pairs, 40)
    left = corpus_without(corpus, *kept)
    asked = EvaluationTexts(sides(*kept))
    assert not any(asked.find(text) for text in [*left.paragraphs["text"], *sides(left.pairs)])
    assert any(asked.find(text) for text in corpus.paragraphs["text"]) and len(left.pairs) > 0
    assert left.paragraphs["text"].iloc[-1] == "Дождь будет к вечеру."
    assert left.refused["paragraphs: kept back"] == len(corpus.paragraphs) - len(left.paragraphs)
    assert left.refused["pairs: kept back"] == len(corpus.pairs) - len(left.pairs)
    assert left.refused["pairs: empty side"] == 3 and left.licences == corpus.licences
    assert left.paragraphs.index.tolist() == list(range(len(left.paragraphs)))


def test_changes_of_a_text_that_was_kept_back_are_left_out():
    kept = pd.DataFrame({"left": ["Кошка не спит на диване", "2 + 2"], "right": ["Она там", "4"]})
    told = ["кошка не спит на диване.", "Собака спит", "Рыба плавает", "2 + 2"]
    made = pd.DataFrame({"text": told, "changed": ["Кошка спит", "Она там!", "Рыба не плавает", "2 + 3"]})
    assert rows_without(made, ("text", "changed"), kept)["text"].tolist() == ["Рыба плавает"]


def test_the_sample_of_the_book_has_pairs_for_both_parts():
    choosing, scoring = split_examples(read_sample().pairs, 24)
    assert (choosing["kind"].value_counts() >= 2).any()  # a loss needs two of a kind, a task four
    assert (scoring["kind"].value_counts() >= 4).sum() >= 2
