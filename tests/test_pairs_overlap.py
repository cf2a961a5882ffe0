"""Texts of evaluations are found where they are said again, or nearly."""

import os
from pathlib import Path

import numpy as np
import pytest

from helpers.pairs import EvaluationTexts, texts_in_folder
from helpers.pairs.overlap import STEM

ENCODECHKA = Path(os.environ.get("BOOK_DATA", "nowhere"), "encodechka")
ASKED = ["Мужчина медленно кормит серую мышь большой змее на кухне.", "Погода", "Какая завтра погода в Москве"]


@pytest.mark.parametrize(
    "text, found",
    [
        ("МУЖЧИНА медленно кормит серую мышь большой змее на кухне", "same"),
        ("погода!", "same"),
        ("Мужчины медленно кормили серую мышь большим змеям на кухне", "near"),
        ("На кухне мужчина кормит серую мышь большой змее", "near"),
        ("Вчера я читал: «Мужчина медленно кормит серую мышь большой змее на кухне», и смеялся весь вечер.", "near"),
        ("Какая погода завтра в Москве?", "near"),
        ("Мужчина медленно читает серую книгу", ""),
        ("Погода в Москве завтра не изменится к лучшему", ""),
        ("", ""),
    ],
)
def test_a_text_is_the_same_near_or_far(text, found):
    assert EvaluationTexts(ASKED).find(text) == found


def test_near_texts_are_found_as_by_comparing_all_with_all():
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("абвгдежзик"), 8)) for _ in range(30)]
    assert len({word[:STEM] for word in words}) == 30

    def sentence():
        return " ".join(rng.choice(words, rng.integers(3, 7), replace=False))

    asked, texts = [sentence() for _ in range(60)], [sentence() for _ in range(300)]
    finder = EvaluationTexts(asked, least=0.6)

    def bag(text):
        return set(text.split())

    # sentences of fewer than six words have no runs that count, so that sets decide
    short = [text for text in texts if len(text.split()) < 6]
    expected = [
        any(len(bag(t) & bag(a)) >= 0.6 * len(bag(t) | bag(a)) for a in asked) for t in short
    ]  # fmt: skip
    assert [bool(finder.find(text)) for text in short] == expected and 0 < sum(expected) < len(short)


def test_bad_input_is_refused():
    with pytest.raises(TypeError, match="texts is one string"):
        EvaluationTexts("Погода")
    with pytest.raises(ValueError, match="least"):
        EvaluationTexts(ASKED, least=0)


def test_texts_of_a_folder_come_from_tables_lists_and_lines(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\nодин,1\nдва,0\n", encoding="utf-8")
    (tmp_path / "b.json").write_text('{"texts": ["три", "один"]}', encoding="utf-8")
    (tmp_path / "c.txt").write_text("четыре\n\n", encoding="utf-8")
    (tmp_path / "d.bin").write_bytes(b"\xff")
    assert texts_in_folder(tmp_path) == ["один", "два", "три", "четыре"]
    (tmp_path / "a.csv").write_bytes(b"text\n\xff\n")
    with pytest.raises(ValueError, match="a.csv cannot be read"):
        texts_in_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        texts_in_folder(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="has no texts"):
        texts_in_folder(tmp_path / "empty")


@pytest.mark.skipif(not ENCODECHKA.is_dir(), reason="BOOK_DATA has no encodechka")
def test_every_text_of_the_benchmark_is_found_in_itself():
    texts = texts_in_folder(ENCODECHKA)
    finder = EvaluationTexts(texts)
    assert len(texts) > 20_000
    assert all(finder.find(text) == "same" for text in texts[::97] if any(c.isalpha() for c in text))
