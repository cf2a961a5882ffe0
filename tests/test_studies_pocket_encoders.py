"""The trainings of the pocket encoders: recipes from a page's parameters, costs and facts from logs."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from helpers.studies import pocket_encoders as study

ROOT = Path(__file__).parents[1]


def parameters():
    """Default parameters of the chapter."""
    cells = json.loads((ROOT / "notebooks" / "encoders.ipynb").read_text(encoding="utf-8"))["cells"]
    names: dict = {}
    exec("".join(next(c for c in cells if "parameters" in c["metadata"].get("tags", []))["source"]), names)
    return names


@pytest.fixture
def log():
    """Two layers at 10 µs a token, then four at 30 µs, with the loss on the way down."""
    tokens = [0, 100, 200, 300, 400]
    minutes = [0.0, 100 * 10 / 60e6, 200 * 10 / 60e6, 0.001, 0.001 + 100 * 30 / 60e6]
    return pd.DataFrame(
        {"tokens": tokens, "cpu_minutes": minutes, "layers": [2, 2, 2, 4, 4]}
        | {"loss": [5.0, 4.0, 3.5, 3.0, 2.5], "held_out": [None, 4.5, None, None, 3.0]}
    )


def test_recipes_take_the_parameters_of_the_page():
    names = parameters()
    made = study.recipes(names | {"rate": 1e-3, "simcse_rate": 1e-4, "roberta_positions": "random"})
    assert list(made) == ["bert", "roberta", "simcse"]
    assert [recipe.rate for recipe in made.values()] == [1e-3, 1e-3, 1e-4]
    assert [recipe.objective for recipe in made.values()] == list(made)
    assert made["bert"].positions == names["bert_positions"] and made["roberta"].positions == "random"
    assert made["simcse"].batch == names["simcse_batch"] and made["bert"].batch == names["batch"]


def test_a_token_costs_what_the_steps_within_a_depth_took(log):
    costs = study.cost_of_token({"bert": log})
    assert costs["bert"].to_dict() == pytest.approx({2: 10, 4: 30})  # the step that adds layers belongs to neither
    assert study.cost_of_depth(costs) == pytest.approx({"ratio_bert": 3})


def test_facts_and_summary_come_from_the_record(log):
    held = {"loss": 3.0, "accuracy": 0.25, "ci_low": 2.9, "ci_high": 3.1}
    run = {"tokens": 4e6, "cpu_minutes": 7, "steps": 5, "held_out": held, "machine": "a machine"}
    run |= {"recipe": {"stages": [[12, 1.0]], "vocabulary": 9}, "parameters": 2e6, "epochs": 0.5, "minutes": 9}
    facts = study.facts(dict.fromkeys(study.SHIPPED, run), dict.fromkeys(study.SHIPPED, log))
    assert (facts["first_bert"], facts["last_bert"], facts["late_bert"]) == (4.5, 3.0, 0.0)
    assert (facts["right_simcse"], facts["planned"], facts["vocabulary"]) == (25, 0, 9)
    shown = study.show_trainings({"bert": run, "simcse": run})
    assert shown.loc["held-out perplexity"].tolist() == ["20", ""]
    assert shown.loc["95 % interval", "bert"] == "2.90 to 3.10"


def test_the_encoders_of_the_book_are_whole_and_drawn():
    runs, known = study.shipped(), study.logs()
    assert set(runs) == set(known) == set(study.SHIPPED)
    figure = study.loss_figure(known)
    assert [len(ax.lines) > 1 for ax in figure.axes] == [True, True]
    plt.close(figure)


def test_an_encoder_that_was_not_trained_to_its_end_is_named(monkeypatch):
    from helpers.encoders import pretraining

    monkeypatch.setattr(pretraining, "read_run", lambda folder: {"done": False, "recipe": {"stages": [[12, 1]]}})
    with pytest.raises(ValueError, match="encoders/bert was not trained to its end"):
        study.shipped()


def test_masked_words_have_a_column_an_encoder():
    found = study.masked_words(["The number of [MASK] in the graph."], top=2)
    assert found.shape == (1, 2) and found.map(lambda words: words.count(",")).eq(1).all(axis=None)
