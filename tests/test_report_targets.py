"""Which target an input has, and what is evaluated by it."""

import numpy as np
from report_data import halves

from helpers.report import (
    evaluate_target,
    score_spaces,
)
from helpers.report import targets as targets_module


def test_groups_of_many_objects_are_searched_in_a_sample(monkeypatch):
    from types import SimpleNamespace

    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 10)
    x = rng.normal(size=(30, 4))[groups] + 0.3 * rng.normal(size=(300, 4))
    given = {"representations": {"x": x, "y": x[:, :2]}, "groups": groups}
    inputs = SimpleNamespace(labels=None, pairs=None, qrels=None, **given)
    options = {"width": 4, "folds": 3, "lambdas": (0.2,)}
    whole = evaluate_target(inputs, **options)
    monkeypatch.setattr(targets_module, "SEARCHED", 200)
    part = evaluate_target(inputs, **options)
    assert not whole.notes and part.notes == ["The search is among 200 of the 300 objects, drawn at random."]
    assert len(part.items) < len(whole.items) == 300
    found = score_spaces(part)["score"]
    assert found["x"] > found["y"] > 2 * part.chance


def test_without_a_target_nothing_is_evaluated():
    class Bare:
        representations, labels, pairs, qrels, groups = halves(60)[0], None, None, None, None

    assert evaluate_target(Bare()) is None


def test_groups_alone_are_judgements_and_beside_labels_stay_together():
    found, labels = halves(90)

    class Grouped:
        representations, labels, pairs, qrels, groups = found, None, None, None, np.arange(90) % 9

    assert evaluate_target(Grouped(), width=3, folds=3, lambdas=(0.2,)).metric == "nDCG@10"
    Grouped.labels = labels
    evaluation = evaluate_target(Grouped(), width=3, folds=3, lambdas=(0.2,))
    assert len(np.unique(evaluation.groups)) == 9
