"""A page that scores by another metric calls nothing of its own run an accuracy."""

import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from helpers.book.render import chapters
from helpers.clients.scoring import METRIC_NAMES
from helpers.studies import (
    combining_page,
    decorrelation_page,
    difference_page,
    encoders_page,
    modalities_page,
    replacing_page,
)
from helpers.studies.modalities import METHODS

PART = [path for path in chapters() if re.match(r"(09b?|1[0-5])_", path.stem)]
OTHERS = [metric for metric in METRIC_NAMES if metric != "accuracy"]
WORD = re.compile(r"accurac", re.I)


def without_its_name(text, metric):
    """A text without the name of the metric, which may itself hold the word."""
    return text.replace(METRIC_NAMES[metric], "")


@pytest.mark.parametrize("chapter", PART, ids=lambda path: path.stem)
def test_prose_and_captions_of_a_run_do_not_say_accuracy(chapter):
    """What is published, recorded, or known of simulated clients alone, is accuracy, and says so."""
    found = []
    for cell in json.loads(chapter.read_text(encoding="utf-8"))["cells"][1:]:
        tags, figure = set(cell["metadata"].get("tags", [])), cell["metadata"].get("mystnb", {})
        if tags & {"simulated", "published", "parameters"} or cell["id"] == "keep":
            continue
        texts = "".join(cell["source"]).splitlines() if cell["cell_type"] == "markdown" else []
        texts += [figure.get("figure", {}).get("caption", ""), figure.get("image", {}).get("alt", "")]
        found += [f"{cell['id']}: {text}" for text in texts if WORD.search(text) and "recorded" not in text]
    assert found == []


@pytest.mark.parametrize("chapter", PART, ids=lambda path: path.stem)
def test_a_page_says_what_differs_from_the_study_and_by_what_its_run_is_scored(chapter):
    texts = ["".join(cell["source"]) for cell in json.loads(chapter.read_text(encoding="utf-8"))["cells"]]
    boxes = [text for text in texts if ":::{admonition} What differs from the study\n" in text]
    assert len(boxes) == 1 and re.search(r"\{glue:text\}`\w+_metric` of \{glue:text\}`\w+_target`", boxes[0])
    assert all(word in boxes[0] for word in ("popov2025automatic", "binary", "ROC-AUC", "real bank"))


def words_of(axes):
    """All texts of the figure that axes belong to."""
    figure = np.ravel(np.array(axes, dtype=object))[0].figure
    while figure.get_figure(root=False) not in (None, figure):
        figure = figure.get_figure(root=False)
    texts = [text.get_text() for text in figure.findobj(Text)]
    plt.close("all")
    return " | ".join(texts)


def scored_runs():
    index = pd.MultiIndex.from_product([range(2), range(2)], names=["experiment", "model"])
    limits = {"accuracy_test": 0.6, "ci_low_test": 0.5, "ci_high_test": 0.7, "accuracy_validation": 0.6}
    return pd.DataFrame(limits | {"features": "amount", "cell": "gru", "loss": 0.1}, index=index).assign(
        losses=[[0.2, 0.1]] * 4
    )


def by_method():
    rows = [(e, m, 0.5 + 0.01 * e) for e in range(4) for m in ("best", *replacing_page.SHOWN_METHODS)]
    return pd.DataFrame(rows, columns=["experiment", "method", "accuracy"])


def modality_runs(metric):
    rows = [("accuracy", "transactions", m, 0.6, 0) for m in METHODS]
    rows = pd.DataFrame(rows, columns=["kind", "set", "method", "value", "experiment"])

    class Comparison:
        table = rows

    class Experiment:
        comparison = Comparison()

    return modalities_page.ModalityRuns({0: Experiment()}, rows, metric)


@pytest.mark.parametrize("metric", OTHERS)
def test_figures_of_a_run_name_the_metric_that_was_asked_for(metric):
    drawn = {
        "runs": encoders_page.figure_sweep(scored_runs(), 0.5, metric),
        "sets": modalities_page.figure_sets(modality_runs(metric), 0.5),
    }
    for name, axes in drawn.items():
        words = words_of(axes)
        assert METRIC_NAMES[metric] in words and not WORD.search(without_its_name(words, metric)), name
    gains = combining_page.figure_method_gains({"this run": by_method()}, replacing_page.SHOWN_METHODS)
    assert not WORD.search(words_of(gains))


@pytest.mark.parametrize("metric", OTHERS)
def test_tables_of_a_run_name_the_metric_that_was_asked_for(metric):
    maps = {"experiment": [0], "penalty": "none", "keep": "everything", "mu": np.nan, "accuracy": 0.6}
    maps |= {"accuracy_union": 0.6, "epochs": 1, decorrelation_page.DEPENDENCE: 0.1}
    curves = {"experiment": [0], "method": "replacement_tuned", "p": 0.2, "alpha": np.nan, "steps": 1, "chosen": True}
    shown = [
        encoders_page.table_sweep(scored_runs()),
        combining_page.table_gains(by_method(), replacing_page.SHOWN_METHODS, metric=metric),
        decorrelation_page.table_first_maps(pd.DataFrame(maps), metric=metric),
        replacing_page.show_steps_chosen(pd.DataFrame(curves | {"validation": 0.6})).data,
        pd.DataFrame(columns=["accuracy_a", "accuracy_concatenation"]).rename(columns=difference_page.as_score),
    ]
    for table in shown:
        words = " | ".join(map(str, [*table.columns, *table.index]))
        assert not WORD.search(without_its_name(words, metric)), words


def test_the_check_sees_the_word():
    assert WORD.search(words_of(encoders_page.figure_sweep(scored_runs(), 0.5)))
    assert WORD.search(" ".join(combining_page.table_gains(by_method(), replacing_page.SHOWN_METHODS)))
