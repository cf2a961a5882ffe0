"""The study of the chapter "Reading a stranger's vectors"."""

import itertools

import numpy as np
import pandas as pd
import pytest
from inversion_texts import TEXTS, small_inverter
from scipy.stats import ortho_group

from helpers.inference import judge
from helpers.studies import stranger as study

TURN = ortho_group.rvs(12, random_state=0)


def encode(texts):
    return small_inverter().encode(texts) @ TURN


def recorded(encoders=("a", "b", "c", "d"), seeds=(0, 1), reader="headlines"):
    """Made runs: nothing without pairs, a little with ten, as much with a thousand as with all; corrections help."""
    rows = []
    for (number, encoder), seed, domain in itertools.product(enumerate(encoders), seeds, ("headlines", "code")):
        for pairs, steps in ((0, 0), (10, 0), (100, 0), (1000, 0), (1000, 3), (5000, 0), (5000, 3)):
            gain = {0: 0.0, 10: 0.05, 100: 0.2, 1000: 0.3, 5000: 0.301}[pairs] + 0.1 * (steps > 0)
            gain += 0.001 * (number - 1.5) * (pairs > 0) * (1 + (steps > 0)) + 0.002 * (number % 2) * (pairs == 0)
            gain -= 0.001 * (pairs == 0)
            row = {
                "encoder": encoder,
                "seed": seed,
                "reader": reader,
                "domain": domain,
                "pairs": pairs,
                "steps": steps,
                "n_test": 50,
            }
            row |= {"f1": 0.1 + gain, "f1_ci_low": gain, "f1_ci_high": 0.2 + gain, "gain": gain, "f1_own": 0.8}
            rows.append(row | {"f1_shuffled": 0.1, "f1_centre": 0.05, "found": 0.5, "cosine": np.nan})
    return pd.DataFrame(rows)


def guarded(encoders=("a", "b", "c", "d")):
    """Made defences: the strongest noise that is of use leaves a gain of 0.2, a stronger one nothing."""
    rows = []
    for (number, encoder), knows in itertools.product(enumerate(encoders), ("unchanged", "changed")):
        tried = (
            ("none", 0.0, 0.8, 0.3),
            ("noise", 0.5, 0.75, 0.2),
            ("noise", 2.0, 0.3, 0.0),
            ("rotation", 1.0, 0.8, 0.3),
        )
        for how, strength, sts, gain in tried:
            row = {
                "encoder": encoder,
                "reader": "headlines",
                "seed": 0,
                "defence": how,
                "strength": strength,
                "knows": knows,
                "sts": sts,
            }
            gain += 0.002 * number
            row |= {"f1": 0.1 + gain, "gain": gain, "f1_shuffled": 0.1, "f1_centre": 0.1, "neighbours": sts}
            row |= {"found": 2 * gain, "n_test": 20, "retrieval": sts + 0.05}
            rows.append(row)
    return pd.DataFrame(rows)


def test_claims_are_judged_over_encoders():
    found = study.findings(recorded(), guarded())
    verdicts = judge(study.CLAIMS, found)["verdict"]
    for key in ("few_headlines", "leak_headlines", "correction_headlines", "defence_headlines"):
        assert verdicts[key] == "reproduced"
    assert verdicts["unpaired_headlines"] != "reproduced"
    assert set(verdicts[[key for key in study.CLAIMS if key.endswith("gte-small")]]) == {"not testable here"}
    assert found["leak_headlines"].n == 4 and found["leak_headlines"].units == "encoders"
    assert found["leak_headlines"].estimate == pytest.approx(0.05)
    assert found["defence_headlines"].estimate == pytest.approx(0.203)


def test_readers_are_judged_apart():
    other = recorded(("a", "b", "c"), reader="gte-small")
    other[["f1", "gain"]] += 0.3
    alone, both = study.findings(recorded(), None), study.findings(pd.concat([recorded(), other]), None)
    ours = [key for key in study.CLAIMS if key.endswith("headlines")]
    assert [both[key] for key in ours] == [alone[key] for key in ours]
    assert both["leak_gte-small"].n == 3
    # Of three of the four encoders, whose own gains differ by a thousandth.
    assert both["leak_gte-small"].estimate == pytest.approx(0.35 - 0.0005)
    tried = pd.concat([guarded(), guarded().assign(reader="gte-small", gain=0.9)])
    alone, both = study.findings(None, guarded()), study.findings(None, tried)
    assert both["defence_headlines"] == alone["defence_headlines"]
    assert both["defence_gte-small"].estimate == pytest.approx(0.9)
    table = study.guarded_table(tried)
    assert table.loc["noise, 2 spreads"].to_dict() == {
        "STS": pytest.approx(0.3),
        "retrieval": pytest.approx(0.35),
        "token F1 over the highest floor, the inverter of the book": pytest.approx(0.003),
        "share found, the inverter of the book": pytest.approx(0.006),
        "token F1 over the highest floor, a decoder of gte-small": pytest.approx(0.9),
        "share found, a decoder of gte-small": pytest.approx(0.006),
    }
    assert list(table.index) == ["none", "noise, 0.5 spreads", "noise, 2 spreads", "rotation, share 1"]
    assert list(study.guarded_table(guarded())) == list(table)[:4]
    assert study.guarded_table(None).iloc[0, 0] == "not recorded yet"


def test_a_seed_without_both_sides_moves_nothing():
    whole = recorded(seeds=(0, 1))
    odd = recorded(seeds=(2,)).assign(f1=0.9)
    odd = odd[(odd["pairs"] == 5000) & (odd["steps"] == 0)]
    for key in ("few_headlines", "correction_headlines"):
        assert study.findings(pd.concat([whole, odd]), None)[key] == study.findings(whole, None)[key]


def test_what_is_not_recorded_is_not_testable():
    for rows, tried in ((None, None), (recorded(["a"]), guarded(["a"])), (recorded().query("domain == 'code'"), None)):
        verdicts = judge(study.CLAIMS, study.findings(rows, tried))["verdict"]
        assert set(verdicts) == {"not testable here"}


def test_one_seed_has_an_interval_over_texts_and_several_their_mean():
    table = study.curve_table(recorded(["a"], [0]))
    assert table["10"]["a"] == "0.15 [0.05, 0.25]" and table["seeds"]["a"] == 1
    assert study.curve_table(recorded(["a"]))["10"]["a"] == "0.15"
    three = recorded(["a"], [0, 1, 2])
    three.loc[three["pairs"] == 10, "f1"] = [0.1, 0.2, 0.3] * 2
    # Student's t with two degrees of freedom: 4.303 × 0.1 / √3.
    assert study.curve_table(three)["10"]["a"] == "0.20 [-0.05, 0.45]"
    columns = ["0", "10", "100", "1000", "all", "all, corrected", "floor", "own", "pairs", "texts", "seeds"]
    assert list(table) == columns and table.loc["a", ["pairs", "texts"]].tolist() == ["5000", "50"]
    spoken = recorded(["a"], [0]).assign(f1_language=0.14)
    floors = [study.curve_table(rows)["floor"]["a"] for rows in (spoken, spoken.assign(f1_drawn=0.16))]
    assert (table["floor"]["a"], *floors) == ("0.10", "0.14", "0.16")
    some = recorded(["a"], [0])
    without = pd.concat([some[some["steps"] == 0], recorded(["b"], [0])])
    assert study.curve_table(without)["all, corrected"]["a"] == "–"


def test_a_table_that_is_not_there_is_said_to_be_absent():
    assert study.curve_table(None).iloc[0, 0] == "not recorded yet"
    assert study.curve_table(recorded(), "gte-small").iloc[0, 0] == "not recorded yet"
    assert study.curve_table(recorded().iloc[:0]).iloc[0, 0] == "not recorded yet"
    assert study.recorded_reads("nothing-of-this-name") is None
    nothing = study.facts_of_reads(None)
    assert nothing.pop("encoders_book") == nothing.pop("encoders_semantic") == 0 and set(nothing.values()) == {"—"}
    both = pd.concat([recorded(), recorded(["b"], [0], reader="gte-small").assign(f1_own=0.4)])
    assert study.facts_of_reads(both) == {
        "encoders_book": 4,
        "f1_book": "0.40 [0.40, 0.40]",  # 0.401 and at most 0.0015 beside it
        "own_book": "0.80 [0.80, 0.80]",
        "found_book": "0.50 [0.50, 0.50]",
        "other_book": "—",
        "encoders_semantic": 1,
        "f1_semantic": "0.40",
        "own_semantic": "0.40",
        "found_semantic": "0.50",
        "other_semantic": "—",
    }
    told = recorded(["a", "b"]).replace({"domain": {"code": "documentation"}})
    told.loc[told["domain"] == "documentation", "gain"] = -0.01
    assert study.facts_of_reads(told)["other_book"] == "-0.010"


def test_pictures_have_a_panel_for_each_domain_and_each_reader():
    import matplotlib.pyplot as plt

    live = recorded(["x"], [0]).query("domain == 'headlines'").drop(columns=["seed", "reader", "domain", "encoder"])
    fig = study.curve_figure(None, live)
    assert [ax.get_title() for ax in fig.axes] == ["this page", "real encoders"]
    assert fig.axes[1].texts[0].get_text() == "not recorded yet"
    fig = study.curve_figure(recorded(), live)
    assert [ax.get_title() for ax in fig.axes] == [
        "this page",
        *(f"{what},\nread by the inverter of the book" for what in ("headlines", "code")),
    ]
    (floor,) = (line for line in fig.axes[1].get_lines() if line.get_label() == "highest floor")
    assert set(floor.get_ydata()) == {0.1}
    line = next(line for line in fig.axes[1].get_lines() if line.get_label() == "b")
    assert line.get_ydata() == pytest.approx([0.101, 0.1495, 0.2995, 0.3995, 0.4005])
    both = study.curve_figure(pd.concat([recorded(), recorded(["a"], [0], reader="gte-small")]), live)
    assert [ax.get_visible() for ax in both.axes] == [True] * 5 + [False]
    assert both.get_size_inches()[0] < 10 and both.axes[4].get_title() == "code,\nread by a decoder of gte-small"
    for rows, words in ((None, "share of nearest"), (guarded(), "correlation")):
        fig = study.front_figure(rows, guarded(["x"]).drop(columns=["seed", "encoder"]))
        assert len(fig.axes) == 2 and fig.axes[0].get_xlabel().startswith(words)
    plt.close("all")


@pytest.fixture(scope="module")
def live():
    """Three made-up texts stand for the headlines of the page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "MADE_UP", tuple(TEXTS[:5]))
        return study.live_data(small_inverter(), encode, TEXTS[6], n_pairs=40)


def test_the_own_sentence_is_read_first_and_known_texts_are_made_up(live):
    assert live.texts.test == [TEXTS[6], *TEXTS[:5]]
    assert len(live.theirs) == len(live.own) == len(live.texts.train) <= 40
    # single precision, and batches of other sizes
    assert np.allclose(live.theirs_test, encode(live.texts.test), atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*outside the cloud")
def test_facts_are_numbers_of_the_runs(live):
    from helpers.inversion.correction import corrected
    from helpers.inversion.foreign import pairs_map

    rows = study.live_rows(small_inverter(), live, encode, steps=1, draws=2)
    to_own = pairs_map(live.theirs, live.own)
    better = corrected(small_inverter(), live.theirs_test, to_own, encode, steps=1)
    facts = study.facts(rows, better, live)
    assert facts["n"] == 6 and facts["chance"] == 1 / 6 and facts["known"] == len(live.texts.train)
    assert facts["own"] == 1 >= facts["corrected"] >= 0
    assert facts["cosine_last"] >= facts["cosine_first"]
    table = study.defence_table(study.live_defences(small_inverter(), live))
    assert table["neighbours kept"]["none"] == 1 and "bits of a number, 1" in table.index
    assert "coordinates 24" not in table.index  # the vectors have twelve


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"sentence": " "}, r"sentence\[0\] is blank"),
        ({"encoder": "encoders/none"}, "the encoders of the book are"),
        ({"n_pairs": 10}, "n_pairs is 10; it must be at least 50"),
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"draws": 0}, "draws is 0"),
        ({"beams": 0}, "beams is 0"),
    ],
)
def test_choices_that_cannot_be_are_refused(choice, words):
    fine = {"sentence": "a", "encoder": "encoders/simcse", "n_pairs": 50, "steps": 1, "draws": 1, "beams": 1}
    study.check_stranger_choices(**fine)
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        study.check_stranger_choices(**(fine | choice))


def test_the_recorded_reads_say_that_corrections_help_and_that_no_pair_is_not_enough():
    verdicts = judge(study.CLAIMS, study.findings(study.recorded_reads("stranger"), None))["verdict"]
    assert verdicts["correction_headlines"] == "reproduced"
    assert verdicts["unpaired_headlines"] == verdicts["unpaired_gte-small"] == "not reproduced"
    said = study.facts_of_reads(study.recorded_reads("stranger"))
    words = ("f1_book", "own_book", "f1_semantic", "own_semantic")
    f1, own, semantic, semantic_own = (float(said[name].split()[0]) for name in words)
    assert f1 < semantic < semantic_own < own  # as the page says


def test_the_recorded_noise_does_not_protect_from_a_reader_whose_space_is_alike():
    found = study.findings(None, study.recorded_reads("stranger_defences"))
    assert found["defence_gte-small"].n >= 3 and found["defence_gte-small"].low > 0
    left = study.guarded_table(study.recorded_reads("stranger_defences"))["share found, a decoder of gte-small"]
    assert left["noise, 1 spreads"] > 0.9 > 0.5 > left["coordinates kept, 24"]  # as the page says
