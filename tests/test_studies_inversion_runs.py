"""The recorded runs of Part IV: texts, trainings, and what is measured of them."""

import numpy as np
import pytest
from inversion_texts import TEXTS, small_inverter

from helpers.inversion import Inverter, against_floors, floors
from helpers.studies import inversion_runs as runs

TINY = {"width": 16, "n_heads": 2, "hidden": 32, "layers": 1, "n_slots": 1, "vocabulary": 300, "precision": "float32"}


def texts_of(rows):
    return runs.Texts(TEXTS, TEXTS[:2], [TEXTS[row] for row in rows], np.arange(len(rows)))


@pytest.fixture(scope="module")
def sentences_of_the_book():
    return runs.corpus("documentation", 120)


def test_parts_of_a_corpus_share_no_text(sentences_of_the_book):
    train, validation, test, groups = sentences_of_the_book
    assert len({*train, *validation, *test}) == len(train) + len(validation) + len(test) <= 120
    assert len(groups) == len(test) > 0


def test_texts_of_a_file_are_drawn_by_the_seed(tmp_path):
    rng = np.random.default_rng(0)
    words = np.array("one two three four five six seven eight nine ten eleven twelve thirteen fourteen".split())
    (tmp_path / "texts.txt").write_text("\n".join(" ".join(rng.permutation(words)[:7]) for _ in range(60)))
    first, again, other = (runs.corpus(str(tmp_path / "texts.txt"), 40, rng=seed) for seed in (0, 0, 1))
    assert first.train == again.train != other.train
    with pytest.raises(ValueError, match="n_texts is 61"):
        runs.corpus(str(tmp_path / "texts.txt"), 61)


def test_a_source_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no folder financial_headlines in"):
        runs.corpus("headlines")
    with pytest.raises(FileNotFoundError, match="there is no file nowhere.txt"):
        runs.corpus("nowhere.txt")


def test_what_is_measured_agrees_with_the_inverter_itself():
    found = runs.measured(small_inverter(), texts_of(range(8)), beams=2)
    assert found["f1_greedy"] == found["f1_beams"] == found["exact_beams"] == found["top_1"] == 1
    assert found["f1_shuffled"] < 1 and found["top_1_shuffled"] < 1
    assert found["kept_direction"] == 1 and found["n_test"] == 8


def test_scores_stand_beside_their_floors():
    made, texts = small_inverter(), texts_of(range(8))
    table = runs.scored(made, texts, beams=2)
    x = made.encode(TEXTS)
    below = floors(made, x, beams=2)
    again = against_floors(TEXTS, made.decode(x, beams=2), below)
    assert table["read"]["token_f1"] == again["read"]["token_f1"] == 1
    assert table["gain"]["token_f1"] == 1 - max(again["shuffled"]["token_f1"], again["centre"]["token_f1"])
    assert table["read"]["seconds"] > 0


def test_encoders_of_the_runs_are_those_that_are_named(sentences_of_the_book):
    made = runs.fit_pocket(sentences_of_the_book, encoder="frozen", epochs=1, **TINY)
    assert made.encoder == "encoders/bert" and not made.train_encoder
    with pytest.raises(ValueError, match="encoder is 'new'; it is one of own, frozen, trained"):
        runs.fit_pocket(sentences_of_the_book, encoder="new")


def test_the_card_says_what_was_measured():
    made, texts = small_inverter(), texts_of(range(8))
    table = runs.scored(made, texts, beams=2)
    words = runs.card(made, table, 8)
    assert "token F1 | 1.000 [1.000, 1.000]" in words and "8 headlines of" in words


def test_the_inverter_of_the_book_is_as_large_as_is_promised():
    from helpers.book.data import path

    files = list(path("inverters/headlines").glob("*"))
    assert sum(file.stat().st_size for file in files if file.suffix == ".safetensors") < 8e6
    assert max(file.stat().st_size for file in files) < 4e6
    made = Inverter.load(path("inverters/headlines"))
    assert made.width == 512
