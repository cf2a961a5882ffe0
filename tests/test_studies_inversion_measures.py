"""What is measured of everything that is written of vectors."""

import numpy as np
import pytest

from helpers.inversion import inversion_scores, matching_scores
from helpers.studies import inversion_measures as study

TEXTS = ["Oil falls 3 percent", "Boeing does not cut jobs", "gold rises"]
WRITTEN = ["oil rises 3 percent in 2020", "boeing jobs", "gold rises"]


def test_words_are_scored_as_the_library_does():
    found, own = study.word_scores(TEXTS, WRITTEN), inversion_scores(TEXTS, WRITTEN).mean()
    assert found["f1"] == own["token_f1"] and found["chrf"] == own["chrf"] and found["exact"] == pytest.approx(1 / 3)


def test_facts_are_counted_by_what_became_of_them():
    found = study.fact_counts(TEXTS, WRITTEN, {"boeing"})
    assert {name: found[f"number_{name}"] for name in ("facts", *study.OUTCOMES)} == {
        "facts": 1, "kept": 1, "changed": 0, "lost": 0, "invented": 1,
    }  # fmt: skip
    assert [found[f"direction_{name}"] for name in ("facts", *study.OUTCOMES)] == [3, 1, 1, 1, 0]
    assert found["name_kept"] == 1 and found["negation_lost"] == 1
    assert found["facts_all"] == 6 == found["facts_kept"] + found["facts_changed"] + found["facts_lost"]
    assert found["facts_invented"] == 1


def test_meaning_stands_beside_its_floors():
    written = {"read": WRITTEN, "shuffled": WRITTEN[1:] + WRITTEN[:1]}
    found = study.meaning_scores(TEXTS, written, similarity="encoders/simcse")
    assert found["state_f1"] == pytest.approx(matching_scores(TEXTS, WRITTEN)["f1"].mean())
    assert found["state_f1"] > found["state_f1_shuffled"] and found["similarity"] > found["similarity_shuffled"]
    assert (found["similarity_model"], found["states_model"]) == ("simcse", "bert")


def test_an_encoder_that_is_not_there_leaves_nothing_and_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("BOOK_MODELS", str(tmp_path))
    with pytest.warns(UserWarning, match="the encoder gte-small is not on this machine"):
        found = study.meaning_scores(TEXTS, {"read": WRITTEN, "centre": WRITTEN}, similarity="gte-small", states=None)
    assert np.isnan([found["similarity"], found["similarity_centre"], found["state_f1"], found["state_recall"]]).all()
    assert found["similarity_model"] == found["states_model"] == ""
