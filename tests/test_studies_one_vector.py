"""The study of the chapter "A sentence in one vector"."""

import numpy as np
import pandas as pd
import pytest
from inversion_texts import TEXTS, small_inverter

from helpers.inference import judge
from helpers.studies import one_vector as study


@pytest.fixture(scope="module")
def recorded():
    """Runs in which attention is better by 0.1 where the encoder is frozen and by nothing where it is trained."""
    rows = []
    for seed in range(3):
        for encoder in ("frozen", "trained", "own"):
            for pooling in ("first", "attention", "heads"):
                top = {"frozen": 0.3, "trained": 0.5, "own": 0.5}[encoder] + 0.001 * seed
                top += 0.1 * (encoder == "frozen" and pooling != "first") + 0.0005 * (pooling != "first") * (seed - 1)
                rows.append({"encoder": encoder, "pooling": pooling, "decoder": "autoregressive", "top_1": top})
                rows[-1] |= {"seed": seed, "top_5": top + 0.2 + 0.001 * seed, "f1_beams": top, "f1_greedy": top}
                rows[-1] |= {"repetition_greedy": 0.1 + 0.001 * seed, "repetition_beams": 0.05, "exact_beams": 0.0}
                rows[-1] |= {"top_1_shuffled": 0.05, "f1_shuffled": 0.1}
        rows.append(rows[-1] | {"decoder": "one_pass", "top_1": 0.1 + 0.002 * seed})
    return pd.DataFrame(rows)


def live():
    """Sentences of which more is among five tokens than is the likeliest, and beams that repeat less."""
    step = 0.01 * np.arange(12)
    shares = pd.DataFrame({"top_1": 0.5 + step, "top_5": 0.7 + 1.5 * step})
    return shares, pd.Series(0.1 + 2 * step), pd.Series(0.05 + step)


def test_claims_are_judged_by_the_recorded_runs(recorded):
    verdicts = judge(study.CLAIMS, study.findings(recorded, *live()))["verdict"]
    assert verdicts["attention"] == verdicts["one_pass"] == verdicts["five"] == verdicts["beams"] == "reproduced"
    assert verdicts["attention_trained"] == "not reproduced"
    assert verdicts["bertscore"] == "not testable here"


def test_what_is_not_recorded_is_not_testable(recorded):
    for rows in (None, recorded[recorded["seed"] == 0]):
        verdicts = judge(study.CLAIMS, study.findings(rows, *live()))["verdict"]
        assert set(verdicts.drop(["five", "beams"])) == {"not testable here"}
        assert set(verdicts[["five", "beams"]]) == {"reproduced"}


def test_words_are_marked_as_often_as_the_sentence_has_them():
    assert study.marked("Oil falls, oil rises", "oil oil oil, gold") == [
        ("oil", True),
        ("oil", True),
        ("oil,", False),
        ("gold", False),
    ]


def test_the_picture_shows_every_word_once():
    import matplotlib.pyplot as plt

    fig = study.written_figure(["Oil falls."], {"read": ["oil falls."], "centre": ["gold"]})
    colours = {text.get_text(): text.get_color() for text in fig.axes[0].texts}
    assert colours["oil"] == colours["falls."] == "C0" and colours["gold"] == "C3"
    study.heads_figure(np.full((3, 2), 1 / 3), ["a", "b", "c"])
    plt.close("all")


def test_tables_have_both_floors():
    made = small_inverter()
    forced = study.forced_table(made, TEXTS)
    assert forced["top_1"].iloc[0] == 1 > forced["top_1"].iloc[1]
    assert forced["bits"].iloc[0] < forced["bits"].iloc[1]
    below = {"shuffled": TEXTS[::-1], "centre": TEXTS[:1] * 8}
    table = study.scores_table(study.against(TEXTS, TEXTS, below).loc[["token_f1"]])
    assert table["from its vector"]["token_f1"] == "1.00 [1.00, 1.00]"
    shares = study.sentence_shares(made, TEXTS[:3])
    assert (shares["top_1"] == 1).all() and (shares["top_5"] == 1).all()
    assert study.side_by_side(TEXTS, {"turned": TEXTS[::-1]}).loc["themselves", "exact"] == 1


def test_facts_are_numbers_of_the_tables():
    texts = list(study.MADE_UP)
    kept = study.facts_table(texts, texts)
    assert (kept["kept"] == kept["facts"]).all() and kept["facts"].min() > 0
    found = study.against(texts, texts, {"shuffled": texts[1:] + texts[:1], "centre": texts[:1] * len(texts)})
    forced = pd.DataFrame({"top_1": [0.9, 0.1]})
    facts = study.facts(found, texts, forced, kept)
    assert facts["f1"] == facts["f1_greedy"] == 1 and facts["kept"] == facts["facts"] and facts["n"] == len(texts)


def test_an_inverter_is_trained_on_sentences_of_the_documentation():
    made, found, examples = study.live_inverter("documentation", n_texts=100, epochs=1, width=8, beams=2)
    assert made.width == 8 and len(examples) > 0
    assert set(study.own_facts(made, found)) == {"tokens", "seconds", "f1", "floor"}


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"sentence": ""}, r"sentence\[0\] is blank"),
        ({"beams": 1}, "beams is 1; it must be at least 2"),
        ({"n_texts": 3}, "n_texts is 3"),
        ({"width": 12}, "width is 12; a multiple of 8"),
        ({"source": "nowhere.txt"}, "there is no file nowhere.txt"),
    ],
)
def test_choices_that_cannot_be_are_refused(choice, words):
    fine = {"sentence": "a", "source": "documentation", "beams": 2, "n_texts": 100, "epochs": 1, "width": 8}
    study.check_vector_choices(**fine)
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        study.check_vector_choices(**(fine | choice))
