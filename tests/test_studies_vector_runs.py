"""Recorded runs of the chapter "What one vector holds": forms of vectors, widths, ranks; tables that may be absent."""

import numpy as np
import pandas as pd
import pytest
from inversion_texts import SMALL, TEXTS, small_inverter

from helpers.inversion import text_bits
from helpers.studies import vector_runs as study
from helpers.studies.inversion_runs import Texts

WHOLE = Texts(TEXTS, TEXTS[:2], TEXTS, np.arange(8))
OPTIONS = {name: value for name, value in SMALL.items() if name != "width"} | {"precision": "float32", "n_slots": 1}


def widths_of(seeds, widths=(0, 16, 64)):
    """Vectors that leave 150 bits without, and 2 bits less for each number."""
    rows = []
    for seed in seeds:
        for width in widths:
            names = [("precision", form) for form in study.FORMS] + [("noise", f"{s:g}") for s in study.SIGMAS]
            for kind, form in names if width else [("language", "none")]:
                row = {"width": width, "seed": seed, "kind": kind, "form": form, "f1": 0.5, "top_1": 0.3}
                rows.append(row | {"bits_left": 150.0 + seed - 2 * width})
    return pd.DataFrame(rows)


def ranks_of(seeds):
    """A full state is as good as cross-attention; rank 1 is worse."""
    rows = []
    for seed in seeds:
        for decoder, rank, f1 in (
            ("autoregressive", 0, 0.7),
            ("mamba", 1, 0.5),
            ("mamba", 32, 0.7),
            ("delta", 32, 0.6),
        ):
            row = {"decoder": decoder, "rank": rank, "seed": seed, "f1_beams": f1 + 0.01 * seed, "top_1": f1}
            rows.append(row | {"weights": 0.1, "cpu_minutes": 1.0})
    return pd.DataFrame(rows)


def test_few_bits_have_few_levels_and_the_mean_stays():
    made = small_inverter()
    x = made.centre_ + made.spread_ * np.random.default_rng(0).normal(size=(4000, len(made.centre_)))
    for form, levels in (("8 bits", 256), ("4 bits", 16), ("2 bits", 4), ("1 bit", 2)):
        z = (study.fewer_bits(made, x, form) - made.centre_) / made.spread_
        assert len(np.unique(z.round(4))) <= levels
        # Quantised normal values: the mean of 4000 is within five standard errors of 0.
        assert np.abs(z.mean(axis=0)).max() < 5 / np.sqrt(4000)
    assert np.array_equal(study.fewer_bits(made, x, "float32"), x.astype(np.float32))
    with pytest.raises(ValueError, match="form is '3 bits'"):
        study.fewer_bits(made, x, "3 bits")


def test_one_width_has_a_row_for_each_form_and_the_language_model_one():
    found = study.held(WHOLE, 4, epochs=3, n_heads=2, **{k: v for k, v in OPTIONS.items() if k != "n_heads"})
    assert len(found) == len(study.FORMS) + len(study.SIGMAS)
    assert found["bits_left"].iloc[0] > 0 and found["f1"].between(0, 1).all()
    (row,) = study.held(WHOLE, 0, epochs=3, **OPTIONS).to_dict("records")
    made = study.language_model(WHOLE, epochs=3, **OPTIONS)
    nothing = np.zeros((8, 1))
    assert row["kind"] == "language" and row["bits_left"] == pytest.approx(
        text_bits(made, TEXTS, vectors=nothing).mean()
    )


def test_decoders_of_every_rank_are_measured():
    few = {name: value for name, value in OPTIONS.items() if name not in ("n_heads",)}
    one, full = (study.ranked(WHOLE, "delta", rank, epochs=1, width=8, n_heads=2, **few) for rank in (1, 8))
    assert full["weights"] == pytest.approx(8 * one["weights"])
    beside = study.ranked(WHOLE, "autoregressive", 0, epochs=1, width=8, n_heads=2, **few)
    assert set(beside) == set(one) and beside["n_test"] == 8


def test_bits_explained_are_those_of_the_language_model_less_those_that_are_left():
    import matplotlib.pyplot as plt

    table = study.capacity_table(widths_of((0, 1, 2)))
    assert table.loc[16, "bits of a text"] == "32 [32, 32]" and table.loc[64, "bits of a number"] == "2.00 [2.00, 2.00]"
    assert table["seeds"].tolist() == [3, 3]
    fig = study.capacity_figure(widths_of((0, 1, 2)))
    assert [len(ax.lines) for ax in fig.axes] == [3, 3]  # two widths, and what the text takes without
    plt.close("all")


def test_with_one_seed_there_is_no_interval_and_with_none_a_dash():
    import matplotlib.pyplot as plt

    one = study.capacity_table(widths_of((0,)))
    assert one.loc[16, "bits of a text"] == "32" and one.loc[16, "seeds"] == 1
    assert study.ranks_table(ranks_of((0,))).loc["Mamba 2, rank 32", "token F1, beams"] == "0.700"
    for table in (study.capacity_table(None), study.ranks_table(None), study.capacity_table(widths_of((0,), (0,)))):
        assert list(table.index) == ["not recorded yet"] and set(table.iloc[0]) == {"–"}
    for fig in (study.capacity_figure(None), study.ranks_figure(None)):
        assert [text.get_text() for text in fig.texts] == ["not recorded yet"]
    plt.close("all")


def test_without_the_language_model_of_its_seed_a_width_has_no_bits():
    import matplotlib.pyplot as plt

    rows = widths_of((0,), (16,))
    table = study.capacity_table(rows)
    assert table.loc[16, "bits of a text"] == "–" and table.loc[16, "token F1"] == "0.500"
    assert [text.get_text() for text in study.capacity_figure(rows).texts] == ["not recorded yet"]
    plt.close("all")


def test_ranks_stand_beside_cross_attention():
    import matplotlib.pyplot as plt

    table = study.ranks_table(ranks_of((0, 1)))
    assert list(table.index) == ["cross-attention", "delta rule, rank 32", "Mamba 2, rank 1", "Mamba 2, rank 32"]
    fig = study.ranks_figure(ranks_of((0, 1)))
    assert {text.get_text() for text in fig.axes[0].get_legend().texts} == {"cross-attention", "Mamba 2", "delta rule"}
    study.ranks_figure(ranks_of((0,)).query("decoder != 'autoregressive'"))
    plt.close("all")


def test_a_table_that_is_not_there_is_none_and_another_error_is_not_hidden():
    def missing(name):
        raise FileNotFoundError(name)

    assert study.recorded_as("results/nothing.csv", missing) is None
    assert study.recorded_as("results/nothing.csv", lambda name: pd.DataFrame({"a": [1]})).shape == (1, 1)
    with pytest.raises(ZeroDivisionError):
        study.recorded_as("results/nothing.csv", lambda name: 1 / 0)


def test_what_a_language_model_takes_in_excess_is_not_called_held():
    plain = pd.DataFrame({"bits": [18.6], "bits_without": [18.7]}, index=["float32"])
    made = study.bounds_table(plain, "made up")["bits"]
    assert made["left to be told with the vector"] == "0.10" and made["saved by it"] == "18.60"
    assert float(made["held by the vector, at least"]) == pytest.approx(study.WORLD_BITS - 0.1, abs=0.01)  # two digits
    untrained = study.bounds_table(plain.assign(bits=-2.0), "made up")["bits"]
    assert untrained["held by the vector, at least"] == "0.00"
    other = study.bounds_table(plain, "headlines")["bits"]
    assert other["saved by it"] == "18.60" and other["held by the vector, at least"] == "not known"


def test_sources_have_words():
    assert study.source_words("made up") == "a small world of made-up headlines"
    assert study.source_words("/somewhere/letters.txt") == "lines of letters.txt"
