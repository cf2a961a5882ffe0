"""Tests of :mod:`helpers.inversion.paraphrases`."""

import pytest
from inversion_texts import TEXTS, save_paraphraser

from helpers.inversion import paraphrases
from helpers.inversion.paraphrases import written_paraphrases


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_paraphraser(tmp_path_factory.mktemp("t5"))


def test_what_a_model_writes_is_other_than_the_text_and_is_the_same_in_every_batch(model):
    found = written_paraphrases(TEXTS, model, n=3, length=12)
    assert len(found) == 8 and any(found) and max(map(len, found)) <= 3
    for text, some in zip(TEXTS, found, strict=True):
        assert len({other.lower() for other in some}) == len(some) and text not in some
        assert all(other.strip() for other in some)
    assert [written_paraphrases([text], model, n=3, length=12)[0] for text in TEXTS] == found


def test_blank_equal_and_repeated_ones_are_left_out():
    assert paraphrases._others("Oil falls", ["oil  falls", "", "Oil drops", "oil DROPS", " oil sinks "]) == [
        "Oil drops",
        "oil sinks",
    ]


def test_what_does_not_fit_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="n is 0"):
        written_paraphrases(TEXTS, model, n=0)
    with pytest.raises(ValueError, match=r"texts\[0\] is blank"):
        written_paraphrases([" "], model)
    with pytest.raises((OSError, ValueError), match="encoders/bert"):
        written_paraphrases(TEXTS, "encoders/bert")
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        written_paraphrases(TEXTS, tmp_path / "nothing")
