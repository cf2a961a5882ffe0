"""Tests of :mod:`helpers.encoders.pieces`."""

import subprocess
import sys

import pytest
from tokenizers import BertWordPieceTokenizer

from helpers.encoders.pieces import SPECIAL, word_pieces

TEXTS = [
    "Ёжик и его друзья идут по лесу: тихий вечер, жёлтый лист.",
    "A hedgehog and its friends walk through the woods; a quiet evening.",
    "Файл не найден, файлы не найдены, файлов не найдено.",
] * 3


def test_pieces_are_the_same_in_every_training_and_process():
    first = word_pieces(TEXTS, 150).get_vocab()
    assert all(word_pieces(TEXTS, 150).get_vocab() == first for _ in range(5))
    code = f"from helpers.encoders import pieces; print(sorted(pieces.word_pieces({TEXTS!r}, 150).get_vocab().items()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(sorted(first.items()))


@pytest.mark.parametrize("accents", [None, False])
def test_pieces_are_those_of_the_library_but_for_ties(accents):
    ours = word_pieces(TEXTS, 2000, strip_accents=accents)
    theirs = BertWordPieceTokenizer(lowercase=True, strip_accents=accents)
    theirs.train_from_iterator(TEXTS, vocab_size=2000, show_progress=False)
    # Without a limit everything that occurs twice is merged: whole words are pieces whichever tie was broken how.
    assert ours.get_vocab_size() == pytest.approx(theirs.get_vocab_size(), rel=0.1)
    for text in TEXTS:
        assert ours.encode(text).tokens == theirs.encode(text).tokens
    assert ("ё" in ours.get_vocab()) == (accents is False)


def test_special_tokens_come_first_and_stand_around_no_text():
    found = word_pieces(TEXTS, 150)
    assert [found.token_to_id(token) for token in SPECIAL] == list(range(len(SPECIAL)))
    assert not set(found.encode("ёжик 漢字").tokens) & {"[CLS]", "[SEP]"}
    assert "[UNK]" in found.encode("漢").tokens


def test_of_too_many_characters_the_most_frequent_stay():
    found = word_pieces(["aaaa bbb cc d"], 50, alphabet=2)
    assert {token for token in found.get_vocab() if len(token) == 1} == {"a", "b"}


def test_texts_without_words_give_the_special_tokens_alone():
    assert set(word_pieces(["  "], 50).get_vocab()) == set(SPECIAL)
