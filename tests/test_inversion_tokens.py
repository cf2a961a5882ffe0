"""Tests of :mod:`helpers.inversion.tokens`."""

import numpy as np
import pytest

from helpers.inversion.tokens import BOS, EOS, PAD, SPECIAL, TokenTable, padded

TEXTS = ["Oil falls for a third day.", "Gold rises as the dollar falls.", "Shares rise; gold and oil fall."]


@pytest.fixture(scope="module")
def table():
    return TokenTable.train(TEXTS, 300)


@pytest.mark.parametrize("text", ["naïve café №5", "Нефть падает", "日本株 🙂", "a<eos>b <pad>", "tab\tand  spaces"])
def test_every_text_comes_back_whatever_its_characters(table, text):
    import unicodedata

    (row,) = table.rows([text], 200).tokens
    assert row[-1] == EOS
    assert EOS not in row[:-1]
    assert table.texts([row]) == [unicodedata.normalize("NFKC", text).lower().strip()]


def test_capitals_are_kept_where_they_should_be():
    table = TokenTable.train(TEXTS, 300, lower=False)
    assert table.texts(table.rows(["Oil FALLS"], 99).tokens) == ["Oil FALLS"]


def test_what_is_longer_is_truncated_and_counted(table):
    found = table.rows(["oil", "oil falls for a third day and gold rises"], 4)
    assert found.truncated.tolist() == [1]
    assert [len(row) for row in found.tokens][1] == 4
    assert found.tokens[1][-1] == EOS


def test_a_text_that_just_fits_is_not_truncated(table):
    (row,) = table.rows(["oil falls"], 50).tokens
    assert not table.rows(["oil falls"], len(row)).truncated.size
    assert table.rows(["oil falls"], len(row) - 1).truncated.tolist() == [0]


def test_what_follows_the_end_is_not_written(table):
    (row,) = table.rows(["oil"], 9).tokens
    assert table.texts([[BOS, *row, *row, PAD]]) == ["oil"]


def test_a_table_is_read_as_it_was_written(table, tmp_path):
    table.save(tmp_path / "tokens.json")
    again = TokenTable.load(tmp_path / "tokens.json")
    assert len(again) == len(table)
    for own, other in zip(table.rows(TEXTS, 40).tokens, again.rows(TEXTS, 40).tokens, strict=True):
        assert np.array_equal(own, other)


def test_a_table_without_room_for_all_bytes_is_refused():
    with pytest.raises(ValueError, match="vocabulary"):
        TokenTable.train(TEXTS, len(SPECIAL) + 255)


def test_rows_are_filled_at_their_end():
    assert padded([np.array([5, 2]), np.array([2])]).tolist() == [[5, 2], [2, PAD]]


def test_pieces_are_what_the_tokens_stand_for(table):
    (row,) = table.rows(["Oil falls."], 20).tokens
    pieces = table.pieces(row)
    assert "".join(pieces[:-1]) == "oilfalls." and pieces[-1] == SPECIAL[EOS]
