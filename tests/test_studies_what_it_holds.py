"""The study of the chapter "What one vector holds"."""

import numpy as np
import pandas as pd
import pytest
from inversion_texts import SMALL, TEXTS, small_inverter
from test_studies_vector_runs import ranks_of

from helpers.inference import judge
from helpers.inversion import Inverter, between, text_bits
from helpers.studies import what_it_holds as study
from helpers.studies.vector_runs import FORMS, SIGMAS, rank_rows, state_facts, width_rows


@pytest.fixture(scope="module")
def pair():
    return study.Pair(small_inverter(), Inverter(**SMALL, epochs=60).fit(TEXTS, vectors=np.zeros((8, 1))), TEXTS)


@pytest.fixture(scope="module")
def scores():
    """Noise of a tenth costs nothing, of one a half."""
    step = 0.01 * np.arange(12)
    names = [("precision", form) for form in FORMS] + [("noise", f"{sigma:g}") for sigma in SIGMAS]
    return pd.DataFrame({name: (0.7 + step) * (0.5 if name == ("noise", "1") else 1) for name in names})


@pytest.fixture(scope="module")
def crammed():
    """Mixed-up tokens take more steps, and one pass has everything right."""
    steps = 20 + np.arange(10)
    found = pd.DataFrame({"steps": steps, "mixed_steps": 2 * steps, "once_right": 0.99 + 0.001 * (steps % 3)})
    return found.assign(
        bits_encoded=9.0,
        bits=1.0,
        right=1.0,
        once_bits=2.0,
        tokens=9,
        mixed_tokens=8,
        mixed_bits=1.0,
        mixed_right=1.0,
        once_steps=30,
        mixed_encoded=40.0,
    )


def test_bits_of_tokens_add_up_to_those_of_the_text(pair):
    found = study.bits_of_tokens(pair.inverter, pair.language, TEXTS[0])
    assert found["with"].sum() == pytest.approx(text_bits(pair.inverter, TEXTS[:1])[0], rel=1e-5)  # float32
    assert found["without"].sum() > found["with"].sum() and "".join(found["token"][:-1]) == "oilfallsnow."


def test_forms_lose_what_they_take_away(pair):
    import matplotlib.pyplot as plt

    bits = {kind: study.forms_table(pair, kind=kind) for kind in ("precision", "noise")}
    assert list(bits["precision"].index) == list(FORMS)
    assert bits["noise"]["bits"]["2"] < bits["noise"]["bits"]["0.1"] <= bits["precision"]["bits_without"].iloc[0]
    scores = study.forms_scores(pair.inverter, TEXTS)
    assert scores["precision", "float32"].mean() == scores["precision", "float16"].mean() == 1
    assert scores["noise", "2"].mean() < 1
    study.forms_figure(bits, scores)
    study.bits_figure(pd.DataFrame({"token": ["a"], "without": [3.0], "with": [0.1]}))
    plt.close("all")
    assert list(study.noise_table(pair.inverter, TEXTS[0], [0.1, 4.0], beams=1).index) == [0.1, 4.0]


def test_neighbours_stand_from_near_to_far():
    found = study.neighbours_table(small_inverter(), TEXTS, beams=1)
    assert found["distance"].is_monotonic_increasing and set(found["text"]) == set(TEXTS[1:])
    x = small_inverter().encode([TEXTS[0], found["text"][0]])
    assert found["distance"][0] == pytest.approx(
        float(np.linalg.norm(x[1] - x[0])) / (small_inverter().spread_ * np.sqrt(2 * 12))
    )


def test_a_direction_turns_what_is_written():
    table = study.direction_table(small_inverter(), TEXTS[:2], [0.0, 0.5], beams=1)
    assert table.loc[0.0, "down"] == 1 == table.loc[0.0, "others"]
    assert np.allclose(table[["up", "down", "neither"]].sum(axis=1), 1)


def test_searches_are_of_texts_and_of_the_same_tokens_mixed_up():
    found = study.searched(small_inverter(), TEXTS[:3], steps=60)
    assert (found["bits"] < 5).all() and (found["steps"] <= 60).all() and found["once_right"].between(0, 1).all()
    short = study.searched(small_inverter(), TEXTS[:3], steps=2, n_once=1)
    assert short["once_right"].notna().tolist() == [True, False, False]
    table = study.crammed_table(found)
    assert table.loc["headline, encoder's vector", "steps"] == "–"
    assert table.loc["headline, vector searched for", "tokens right"].startswith("1.00")


def test_a_pair_is_trained_on_sentences_of_the_documentation():
    found = study.holding_pair("documentation", n_texts=100, epochs=1, width=8)
    assert found.inverter.width == 8 and len(found.language.centre_) == 1
    assert found.inverter.tokens_.tokenizer.to_str() == found.language.tokens_.tokenizer.to_str()


def test_claims_follow_from_the_rows(scores, crammed):
    tops = {(16, 0.2): 0, (256, 0.5): 1, (1024, 0.56): 2}
    rows = [
        {"width": width, "kind": "precision", "form": "float32", "seed": seed, "top_1": top + 0.001 * seed * place}
        | {"bits_left": 100 * (1 - top)}
        for (width, top), place in tops.items()
        for seed in range(3)
    ]
    ranks = full_ranks(range(3))
    verdicts = judge(study.CLAIMS, study.findings(scores, crammed, pd.DataFrame(rows), ranks))["verdict"]
    refuted = ["state_delta", "rank_mamba", "rank_delta"]
    assert set(verdicts[refuted]) == {"not reproduced"}
    assert set(verdicts.drop(refuted)) == {"reproduced"}
    short = pd.DataFrame(rows).assign(bits_left=lambda table: table["width"])
    assert study.findings(scores, crammed, short)["wider"].why == study.UNFINISHED


def full_ranks(seeds):
    """Both decoders by rank: mamba is as good as cross-attention, delta is not, and rank 4 is worse for both."""
    ranks = ranks_of(seeds)
    ranks["f1_beams"] += 0.001 * ranks["seed"] * (ranks["decoder"] == "mamba")
    lower = {"rank": 4, "f1_beams": lambda table: table["f1_beams"] - 0.2 - table["seed"] / 99}
    return pd.concat([ranks, ranks[ranks["rank"] == 32].assign(**lower)])


RANKS = [key for key in study.CLAIMS if key.startswith(("state", "rank"))]


def test_what_is_not_recorded_is_not_testable(scores, crammed):
    for recorded in (
        (None, None),
        (pd.DataFrame(columns=["form", "seed", "width", "top_1", "bits_left"]), ranks_of((0,))),
    ):
        verdicts = judge(study.CLAIMS, study.findings(scores, crammed, *recorded))["verdict"]
        assert set(verdicts[["wider", *RANKS]]) == {"not testable here"}
        assert set(verdicts.drop(["wider", *RANKS])) == {"reproduced"}


def test_a_seed_without_both_sides_moves_nothing(scores, crammed):
    whole = study.findings(scores, crammed, None, full_ranks(range(3)))
    # A fourth seed, of which only one decoder and one rank are there, each far from the others.
    for left in (("mamba", 32), ("delta", 4), ("autoregressive", 0)):
        odd = full_ranks([3]).assign(f1_beams=0.01)
        odd = odd[(odd["decoder"] == left[0]) & (odd["rank"] == left[1])]
        assert len(odd) == 1
        assert study.findings(scores, crammed, None, pd.concat([full_ranks(range(3)), odd])) == whole
    assert {whole[key].n for key in RANKS} == {3}


def test_each_decoder_is_judged_by_its_own_runs(scores, crammed):
    ranks = full_ranks(range(3))
    alone = study.findings(scores, crammed, None, ranks[ranks["decoder"] != "mamba"])
    both = study.findings(scores, crammed, None, ranks)
    assert alone["state_delta"] == both["state_delta"] and alone["rank_delta"] == both["rank_delta"]
    assert alone["state_mamba"].n == alone["rank_mamba"].n == 0


def test_the_way_says_how_near_it_is_to_both_ends():
    way = between(small_inverter(), TEXTS[0], TEXTS[7], steps=5, beams=1)
    found = study.way_scores(way, TEXTS[0], TEXTS[7])
    assert found["first"].iloc[0] == found["second"].iloc[-1] == 1
    mixed = study.way_scores(pd.DataFrame({"share": [0.5], "written": ["oil rises again."]}), TEXTS[0], TEXTS[7])
    # Of four tokens "oil falls now." has two and "gold rises again." has three.
    assert mixed["first"][0] == 0.5 and mixed["second"][0] == 0.75


def test_searches_that_ended_at_their_limit_decide_nothing(scores, crammed):
    found = study.findings(scores, crammed.assign(once_steps=60, once_right=0.1))["once"]
    assert found.n == 0 and found.why == "all searches ended at their limit of steps"


def test_facts_are_numbers_of_the_tables(pair, scores, crammed):
    tokens = study.bits_of_tokens(pair.inverter, pair.language, TEXTS[0])
    bits = study.forms_table(pair)
    way = study.way_scores(pd.DataFrame({"share": [0.0], "written": TEXTS[:1]}), TEXTS[0], TEXTS[1])
    found = study.facts(tokens, bits, scores, crammed, way, "documentation")
    assert found["way_first"] == 1 > found["way_second"] == found["way_apart"]
    assert found.pop("source") == "sentences of the documentation of Python's libraries"
    assert found["f1_plain"] == pytest.approx(scores["precision", "float32"].mean())
    assert (
        found["per_number"] == pytest.approx(found["saved"] / 12)
        and found["cram_mixed_steps"] == 49
        and found["cram_mixed_encoded"] == 40
    )
    assert all(np.isfinite(value) for value in found.values())


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"sentence": " "}, r"sentence\[0\] is blank"),
        ({"other": ""}, r"other\[0\] is blank"),
        ({"sigmas": [1.0]}, "at least two numbers"),
        ({"sigmas": [1.0, 0.0]}, "a number of sigmas is 0.0"),
        ({"steps": 0}, "steps is 0"),
        ({"width": 12}, "width is 12; a multiple of 8"),
        ({"source": "nowhere.txt"}, "there is no file nowhere.txt"),
    ],
)
def test_choices_that_cannot_be_are_refused(choice, words):
    fine = {"sentence": "a", "other": "b", "beams": 1, "sigmas": [0.5, 1.0], "steps": 1}
    fine |= {"source": "documentation", "n_texts": 100, "epochs": 1, "width": 8}
    study.check_held_choices(**fine)
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        study.check_held_choices(**(fine | choice))


def test_the_recorded_states_of_mamba_write_what_cross_attention_does_and_those_of_linear_attention_do_not(
    scores, crammed
):
    found = study.findings(scores, crammed, width_rows(), rank_rows())
    assert all(found[key].n == 3 for key in ("state_mamba", "state_delta", "rank_mamba", "rank_delta"))
    assert found["wider"].why == study.UNFINISHED
    words = state_facts(rank_rows())
    assert words["state_delta"].startswith(f"{found['state_delta'].estimate:+.3f} [")
    assert found["state_mamba"].high < study.CLAIMS["state_mamba"].null < found["state_delta"].low
