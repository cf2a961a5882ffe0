"""The runs of the chapter "What a loss asks for"."""

import numpy as np
import pytest
from inversion_texts import SMALL, TEXTS, save_paraphraser, small_inverter

from helpers.inversion import inversion_scores
from helpers.inversion.paraphrases import written_paraphrases
from helpers.studies import loss_runs as study

TINY = {**SMALL, "precision": "float32", "n_slots": 1}
SAME = [[TEXTS[row ^ 1]] for row in range(8)]
WHOLE = study.Rephrased(TEXTS, TEXTS, SAME, [(TEXTS[0], TEXTS[1]), (TEXTS[2], TEXTS[3])])


@pytest.mark.parametrize("loss", list(study.LOSSES))
def test_every_loss_trains_another_inverter(loss):
    made = study.fit_loss(WHOLE, loss, epochs=2, **TINY)
    plain = study.fit_loss(WHOLE, "entropy", epochs=2, **TINY)
    assert np.array_equal(made.encode(TEXTS), plain.encode(TEXTS)) == (loss == "entropy")


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="loss is 'cosine'; it is one of entropy, smoothing"):
        study.fit_loss(WHOLE, "cosine")


def test_paraphrases_of_training_texts_are_training_texts():
    found = study.rephrased("documentation", 300)
    assert not set(found.train) & set(found.test) and len(found.paraphrases) == len(found.train)
    others = {other for some in found.paraphrases for other in some}
    assert others <= set(found.train) and others
    assert {first for first, _ in found.pairs} <= set(found.test)


def test_paraphrases_may_be_written_by_a_model_and_are_no_test_texts(tmp_path, monkeypatch):
    folder = save_paraphraser(tmp_path)
    found, natural = study.rephrased("made up", 100, paraphraser=str(folder)), study.rephrased("made up", 100)
    assert (found.train, found.test, found.pairs) == (natural.train, natural.test, natural.pairs)
    assert found.paraphrases == written_paraphrases(found.train, folder) != natural.paraphrases
    monkeypatch.setattr(study, "written_paraphrases", lambda texts, model: [["another", found.test[0]]] * len(texts))
    leaky = study.rephrased("made up", 100, paraphraser="some-t5")
    assert leaky.paraphrases == [["another"]] * len(found.train)


def test_headlines_with_a_paraphrase_come_first(tmp_path, monkeypatch):
    folder = tmp_path / "financial_headlines"
    folder.mkdir()
    rng = np.random.default_rng(0)
    syllables = np.array([a + b for a in "bcdfglmnprst" for b in ("a", "e", "i", "o", "u")])
    words = ["".join(rng.permutation(syllables)[:3]) for _ in range(900)]
    lines = {agency: [] for agency in ("cnbc", "guardian", "reuters")}
    for day in range(60):
        for agency, count in (("cnbc", 2), ("guardian", 2), ("reuters", 2)):
            lines[agency] += [(day, " ".join(rng.choice(words, 7))) for _ in range(count)]
        event = list(rng.choice(words, 7))
        lines["guardian"].append((day, " ".join(event)))
        lines["reuters"].append((day, " ".join([*event[:4], *rng.choice(words, 3)])))
    for agency, some in lines.items():
        text = "\n".join(f"2020-{1 + day // 28:02d}-{1 + day % 28:02d},{words}" for day, words in some)
        (folder / f"{agency}_headlines.csv").write_text(text + "\n")
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    found = study.rephrased("headlines", 120, least=0.35)
    # All 120 headlines are of pairs; about 0.8 x 0.8 of the pairs lie in the training part whole.
    assert len(found.train) == 96 and sum(map(bool, found.paraphrases)) > 48
    assert found.pairs


def test_the_judge_finds_a_text_nearest_to_itself():
    found = study.meanings(["Oil falls.", "Gold rises."], ["oil falls.", " "], "encoders/simcse")
    assert found[0] > 0.9 > found[1] and found.shape == (2,)


def test_paraphrases_are_counted_against_every_other_text():
    made = small_inverter()
    x = made.encode(TEXTS)
    found = study.pairs_near(made, [(TEXTS[0], TEXTS[1])], TEXTS)
    apart = np.linalg.norm(x - x[0], axis=1)
    assert found == pytest.approx(np.mean(apart[2:] > apart[1]))
    assert np.isnan(study.pairs_near(made, [], TEXTS))


def test_what_a_loss_bought_agrees_with_the_inverter_itself():
    made = small_inverter()
    found = study.bought(made, WHOLE, beams=2, sigmas=(0.0, 2.0))
    written = made.decode(made.encode(TEXTS), beams=2)
    assert found["f1"] == inversion_scores(TEXTS, written)["token_f1"].mean() == found["f1_at_0"] == 1
    assert found["facts"] == 1 and found["meaning"] > found["meaning_floor"] and found["f1_at_2"] < 1
    assert found["nats"] == found["nats_train"] and found["n_paraphrased"] == 8
