"""Tests of :mod:`helpers.inversion.measures`."""

import numpy as np
import pytest
import torch
from inversion_texts import TEXTS, small_inverter
from sacrebleu.metrics import CHRF

from helpers.inversion import floors, inversion_scores, token_accuracy
from helpers.inversion.measures import words_of


@pytest.fixture(scope="module")
def inverter():
    return small_inverter()


def test_words_are_words_numbers_and_marks():
    assert words_of("U.S. oil's 2.5% (up)") == ["u", ".", "s", ".", "oil", "'", "s", "2.5", "%", "(", "up", ")"]


def test_scores_are_those_of_a_hand_computation():
    found = inversion_scores(["Oil falls again", "gold", "a b"], ["oil falls falls now", "gold", ""])
    assert found["exact"].tolist() == [0, 1, 0]
    assert found["token_f1"].tolist() == [2 * 2 / 7, 1, 0]
    assert found["repetition"].tolist() == [1 / 4, 0, 0]
    assert found["bleu"].iloc[1] == pytest.approx(100)
    assert (
        found["chrf"].iloc[0] == CHRF(lowercase=True).sentence_score("oil falls falls now", ["Oil falls again"]).score
    )


def test_capitals_count_where_they_should():
    assert inversion_scores(["Oil"], ["oil"], lower=False)["exact"].tolist() == [0]


def test_accuracy_under_teacher_forcing_is_counted_by_position(inverter):
    found = token_accuracy(inverter, TEXTS, ks=(1, 4, len(inverter.tokens_)))
    rows = inverter.tokens_.rows(TEXTS, inverter.length).tokens
    assert found["tokens"].sum() == sum(map(len, rows)) == found.attrs["all"]["tokens"]
    assert (found[f"top_{len(inverter.tokens_)}"] == 1).all()
    assert (found["top_1"] <= found["top_4"]).all()
    x = torch.from_numpy(inverter.encode(TEXTS[:1]))
    with torch.inference_mode():
        scores = inverter.network_["decoder"].logits(x, torch.from_numpy(rows[0])[None])[0]
    alone = token_accuracy(inverter, TEXTS[:1], ks=(1,))
    assert alone["top_1"].tolist() == (scores.argmax(-1).numpy() == rows[0]).astype(float).tolist()
    nats = -scores.log_softmax(-1).numpy()[np.arange(len(rows[0])), rows[0]]
    # Logits below 30, sums of 64 terms in single precision, in batches of other shapes.
    assert np.allclose(alone["nats"], nats, atol=1e-4)


def test_vectors_of_other_texts_tell_less(inverter):
    x = inverter.encode(TEXTS)
    own = inversion_scores(TEXTS, inverter.decode(x))["token_f1"].mean()
    found = floors(inverter, x)
    for name in ("shuffled", "centre"):
        assert inversion_scores(TEXTS, found[name])["token_f1"].mean() < own
    assert all(a != b for a, b in zip(inverter.decode(x), found["shuffled"], strict=True))
    assert set(found["centre"]) == {found["centre"][0]}
    shuffled = token_accuracy(inverter, TEXTS, vectors=np.roll(x, 1, axis=0)).attrs["all"]
    assert shuffled["nats"] > token_accuracy(inverter, TEXTS).attrs["all"]["nats"]


def test_ranks_beyond_the_vocabulary_are_refused(inverter):
    with pytest.raises(ValueError, match="ks"):
        token_accuracy(inverter, TEXTS, ks=(10_000,))
    with pytest.raises(ValueError, match="texts has 2 entries and written 1"):
        inversion_scores(["a", "b"], ["a"])
