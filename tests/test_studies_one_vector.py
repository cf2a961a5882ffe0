"""The study of the chapter "A sentence in one vector"."""

import numpy as np
import pandas as pd
import pytest
from inversion_texts import TEXTS

from helpers.book.data import table
from helpers.inference import judge
from helpers.studies import one_vector as study
from helpers.studies import one_vector_runs as trainings
from helpers.studies.inversion_runs import POSITIONS


def runs(seeds=range(3), **more):
    """Runs in which attention is better by 0.1 where the encoder is frozen and by nothing where it is trained."""
    rows = []
    for seed in seeds:
        for encoder in ("frozen", "trained", "own"):
            for pooling in ("first", "attention", "heads"):
                jitter = 0.001 if encoder == "trained" else 0.0005
                top = {"frozen": 0.3, "trained": 0.5, "own": 0.5}[encoder] + 0.001 * seed
                top += 0.1 * (encoder == "frozen" and pooling != "first") + jitter * (pooling != "first") * (seed - 1)
                rows.append({"encoder": encoder, "pooling": pooling, "decoder": "autoregressive", "top_1": top})
                rows[-1] |= {"seed": seed, "top_5": top + 0.2 + 0.001 * seed, "f1_beams": top, "f1_greedy": top}
                rows[-1] |= {"repetition_greedy": 0.1 + 0.001 * seed, "repetition_beams": 0.05, "width": 256}
                rows[-1] |= {"n_train": 800, "facts_all": 50, "facts_kept": 40, "facts_changed": 5}
        rows.append(rows[-1] | {"decoder": "one_pass", "top_1": 0.1 + 0.002 * seed})
    return pd.DataFrame(rows).assign(**more)


def shipped():
    """What is recorded of the inverter of the book: one beam, and five."""
    values = {"top_1": 0.9, "top_5": 0.99, "token_f1": 0.88, "exact": 0.46, "repetition": 0.03, "seconds": 2.0}
    values |= {"facts number": 0.8, "facts name": 0.9, "facts direction": 0.95}
    rows = []
    for beams, more in ((1, 0.0), (5, 0.04)):
        for measure, value in values.items():
            forced = measure.startswith("top") or measure == "seconds"
            row = {"measure": measure, "beams": beams, "n": 1000, "cpu_minutes": 39.2, "shuffled": 0.05, "centre": 0.04}
            for name, number in (("read", value + more * (not forced)), ("shuffled", 0.05), ("centre", 0.04)):
                row |= {name: number, f"{name}_ci_low": number - 0.01, f"{name}_ci_high": number + 0.01}
            rows.append(row | ({"read_ci_low": np.nan, "centre": np.nan} if forced else {}))
    return pd.DataFrame(rows)


def test_claims_are_judged_by_the_recorded_runs():
    verdicts = judge(study.CLAIMS, study.findings(runs()))["verdict"]
    assert verdicts["attention"] == verdicts["one_pass"] == verdicts["five"] == verdicts["beams"] == "reproduced"
    assert verdicts["attention_trained"] == "not reproduced" and verdicts["freezing"] == "reproduced"
    gap = study.findings(runs())["freezing"]
    assert gap.estimate == pytest.approx(0.1) and gap.n == 3 and gap.units == "seeds"
    assert verdicts["bertscore"] == "not testable here"


def test_what_is_not_recorded_is_not_testable():
    lonely = pd.concat([runs([0]), runs([1]).query("pooling == 'first'"), runs([2]).query("pooling == 'heads'")])
    for rows in (None, runs([0]), lonely):
        verdicts = judge(study.CLAIMS, study.findings(rows))["verdict"]
        assert set(verdicts.drop("one_pass")) == {"not testable here"}
    assert study.findings(lonely)["one_pass"].n == 2
    without = runs().drop(columns=["repetition_beams"])
    assert study.findings(without)["beams"].n == 0 and study.findings(without)["five"].n == 3


def test_runs_of_another_width_are_another_kind():
    wide = runs(width=1024, top_1=0.9, top_5=0.1)
    both = study.findings(pd.concat([runs(), wide]))
    assert both == study.findings(runs())
    assert study.findings(wide)["attention"].n == 0


def test_trainings_stand_with_what_is_recorded_of_them():
    nothing = trainings.runs_table(None)
    assert list(nothing.index) == ["not recorded yet"] and set(nothing.iloc[0]) == {"–"}
    one = trainings.runs_table(runs([0]))
    assert one.loc[("one pass", "attention, several heads", "own", 256), "tokens right, all before given"] == "0.100"
    three = trainings.runs_table(pd.concat([runs(), runs([0], width=512)]))
    by_width = three["seeds"].groupby(level="width")
    assert by_width.agg(list).to_dict() == {256: [3] * 10, 512: [1] * 10} and "by a language model" not in three
    assert three.loc[("cross-attention", "CLS", "frozen", 256), "token F1, beams"].startswith("0.301 [")
    places = [row[:3] for row in three.index]
    assert places[0] == ("cross-attention", "CLS", "own") and places[-1] == (
        "one pass",
        "attention, several heads",
        "own",
    )
    said = trainings.runs_table(runs(), what="said")
    assert set(said["facts kept"]) == {"0.80 [0.80, 0.80]"} and set(said["changed"]) == {"0.10 [0.10, 0.10]"}
    prompted = {"model": "small", "lora": [0, 8], "encoder": "bert", "n_train": 2000, "seed": 0, "f1": [0.1, 0.2]}
    prompted = pd.DataFrame({**prompted, "f1_shuffled": 0.05, "cpu_minutes": 25.0})
    both = trainings.runs_table(runs([0]), prompted)
    assert [name for name, *_ in both.index[-2:]] == ["small, frozen", "small, updates of rank 8"]
    assert both["token F1, likeliest token"].iloc[-1] == "0.200" and both["token F1, beams"].iloc[-1] == "–"
    assert len(trainings.runs_table(None, prompted)) == 2


def test_the_inverter_of_the_book_stands_with_both_ways_and_its_floors():
    table = study.shipped_table(shipped())
    assert list(table) == ["likeliest token", "5 beams", "another's vector", "mean vector"]
    assert table.loc["token F1", "likeliest token"] == "0.88 [0.87, 0.89]"
    assert table.loc["tokens among the five likeliest", "5 beams"] == "0.99"
    assert table.loc["seconds", "mean vector"] == "–"
    facts = study.facts_of_runs(shipped())
    assert facts["f1_greedy"] == 0.88 and facts["f1"] == pytest.approx(0.92) and facts["f1_floor"] == 0.05
    assert facts["names"] == pytest.approx(0.94) and facts["n"] == 1000


def test_places_of_tokens_stand_with_their_floors():
    told = {f"top_1_at_{place}{floor}": 0.1 * place for place in POSITIONS for floor in ("", "_language")}
    found = trainings.places_table(runs().assign(**told))
    rows = ["frozen, attention", "frozen, attention: no vector", "own, heads", "own, heads: no vector"]
    assert list(found.index) == rows and list(found) == list(POSITIONS)
    assert found.loc["own, heads", 4] == "0.40 [0.40, 0.40]"
    for rows in (None, runs(), runs([0]).query("encoder == 'trained'").assign(**told)):
        assert list(trainings.places_table(rows).index) == ["not recorded yet"]


def test_a_few_passes_are_compared_with_one_within_each_seed():
    once = runs().query("decoder == 'one_pass'")
    few = once.assign(decoder="iterative", f1_greedy=once["f1_greedy"] - 0.02)
    told = trainings.trainings_facts(pd.concat([runs(), few]))
    assert told["iterative"] == "-0.020 [-0.020, -0.020]" and told["heads_own"] == "+0.000 [+0.000, +0.000]"
    assert set(trainings.trainings_facts(None).values()) == {trainings.trainings_facts(runs())["iterative"]} == {"–"}


def test_bertscore_is_judged_where_its_encoder_is_named():
    examples = pd.DataFrame({"text": ["oil falls", "gold rises", "tin"], "read": ["oil falls", "gold rises", "tin"]})
    assert study.bertscores(examples, "") is None
    same = study.bertscores(examples, "encoders/bert", 1)
    assert same == pytest.approx(1)
    near = judge(study.CLAIMS, study.findings(None, np.array([0.7, 0.71, 0.72])))["verdict"]["bertscore"]
    far = judge(study.CLAIMS, study.findings(None, np.array([0.2, 0.21, 0.22])))["verdict"]["bertscore"]
    assert (near, far) == ("reproduced", "not reproduced")
    assert study.findings(None, same)["bertscore"].units == "sentences"


def test_likeliest_tokens_are_drawn_of_whatever_is_recorded():
    import matplotlib.pyplot as plt

    published = pd.DataFrame({"dim": [768, 768], "k": [1, 5], "share": [0.5, 0.7]})
    for rows, n_lines in ((None, 2), (runs([0]), 6), (runs(), 10), (runs().query("encoder == 'trained'"), 2)):
        ax = study.likeliest_figure(rows, shipped(), published)
        assert len(ax.get_lines()) == n_lines  # published, the book's, and of two kinds each seed and the mean
        assert ax.get_lines()[1].get_ydata() == pytest.approx([0.9, 0.99])
    floors = {f"top_{k}_{floor}": 0.1 * k for k in (1, 5) for floor in ("shuffled", "language")}
    assert len(study.likeliest_figure(runs([0]).assign(**floors), shipped(), published).get_lines()) == 6 + 4
    plt.close("all")


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


def test_scores_stand_beside_both_floors():
    below = {"shuffled": TEXTS[::-1], "centre": TEXTS[:1] * 8}
    table = study.scores_table(study.against(TEXTS, TEXTS, below).loc[["token_f1"]])
    assert table["from its vector"]["token_f1"] == "1.00 [1.00, 1.00]"
    whole = study.scores_table(study.against(TEXTS, TEXTS, below))
    assert whole["gain over the higher floor"]["repetition"] == "–"
    assert whole["the sentences themselves"][["exact", "repetition", "facts direction"]].tolist() == [
        "1.00",
        "0.00",
        "1.00",
    ]
    assert "facts direction lost" not in whole.index


def test_facts_are_numbers_of_the_tables():
    texts = list(study.MADE_UP)
    kept = study.facts_table(texts, texts)
    assert (kept["kept"] == kept["facts"]).all() and kept["facts"].min() > 0
    found = study.against(texts, texts, {"shuffled": texts[1:] + texts[:1], "centre": texts[:1] * len(texts)})
    facts = study.facts(found, kept)
    assert facts["f1"] == facts["exact"] == 1 and facts["kept"] == facts["facts"] and facts["n"] == len(texts)


@pytest.mark.parametrize("encoder", ["own", "encoders/bert"])
def test_an_inverter_is_trained_on_sentences_of_the_documentation(encoder):
    options = {"n_texts": 100, "epochs": 1, "width": 8, "beams": 2, "encoder": encoder}
    made, found, examples = study.live_inverter("documentation", **options)
    assert made.width == 8 and len(examples) > 0 and made.encoder == encoder
    facts = study.own_facts(made, found, "documentation")
    assert facts["source"] == "sentences of the documentation of Python's libraries" and facts["tokens"] > 0
    texts = study.corpus("documentation", 100)
    assert (facts["repeated"], facts["near"]) == (texts.repeated, texts.near)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"bertscore": "encoders/none"}, "the encoders of the book are"),
        ({"bertscore_layer": 3}, "bertscore_layer is 3 and bertscore is empty"),
        ({"bertscore": "encoders/bert", "bertscore_layer": -1}, "bertscore_layer is -1; it must be at least 0"),
        ({"sentence": ""}, r"sentence\[0\] is blank"),
        ({"beams": 1}, "beams is 1; it must be at least 2"),
        ({"n_texts": 3}, "n_texts is 3"),
        ({"width": 12}, "width is 12; a multiple of 8"),
        ({"source": "nowhere.txt"}, "there is no file nowhere.txt"),
        ({"encoder": "encoders/none"}, "the encoders of the book are"),
        ({"train_encoder": True}, "encoder 'own', which is trained anyway"),
        ({"train_encoder": 1}, "train_encoder is 1; True or False"),
    ],
)
def test_choices_that_cannot_be_are_refused(choice, words):
    fine = {"sentence": "a", "source": "documentation", "beams": 2, "n_texts": 100, "epochs": 1, "width": 8}
    study.check_vector_choices(**fine)
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=words):
        study.check_vector_choices(**(fine | choice))


def test_the_recorded_trainings_say_that_freezing_makes_the_gap_of_attention_pooling():
    verdicts = judge(study.CLAIMS, found := study.findings(table("results/inversion.csv")))["verdict"]
    assert verdicts[["attention", "freezing", "five", "beams"]].tolist() == ["reproduced"] * 4
    assert verdicts["attention_trained"] == "not reproduced" and found["freezing"].n >= 3


def test_the_recorded_trainings_gain_by_attention_and_by_several_heads_with_an_encoder_of_their_own():
    rows = table("results/inversion.csv").query("encoder == 'own' and decoder == 'autoregressive'")
    top = rows.pivot(index="seed", columns="pooling", values="top_1")
    assert len(top) >= 3 and (top["first"] < top["attention"]).all() and (top["attention"] < top["heads"]).all()


def test_the_headlines_that_training_tells_again_do_not_make_the_score_of_the_book():
    facts = study.facts_of_runs(table("results/inverter.csv"))
    assert 0 < facts["again"] < 0.02 and abs(facts["f1_apart"] - facts["f1"]) < facts["again"]
    assert np.isnan(study.facts_of_runs(shipped())["again"])


def test_no_recorded_encoder_gives_all_texts_one_vector():
    recorded = table("results/inversion.csv")
    assert (recorded["f1_beams"] > recorded["f1_beams_shuffled"]).all()
