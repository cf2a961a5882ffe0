"""Every ensemble stands in the registry, with what it needs and a made case that it gets wrong."""

import inspect
from pathlib import Path

import numpy as np
import pytest

import helpers.ensembles
from helpers.ensembles import Ensemble
from helpers.ensembles.cases import ENSEMBLE_CASES, fit_on_first_half, held_out_accuracy, judge_ensemble
from helpers.ensembles.registry import ENSEMBLES, LABELS

SLOW = {"SharedAutoencoder"}


def test_every_public_ensemble_is_registered_under_its_name():
    public = (getattr(helpers.ensembles, name) for name in helpers.ensembles.__all__)
    classes = {thing.__name__ for thing in public if inspect.isclass(thing) and issubclass(thing, Ensemble)}
    assert set(ENSEMBLES) == classes - {"Ensemble"}
    assert all(entry.estimator.__name__ == name for name, entry in ENSEMBLES.items())


@pytest.mark.parametrize("name", ENSEMBLES)
def test_every_ensemble_is_fooled_by_the_case_that_it_names(name):
    for seed in range(1 if name in SLOW else 3):
        found = judge_ensemble(name, ENSEMBLES[name].fooled, rng=seed)
        assert found.fooled and found.combined < max(found.best, found.together) - 0.1


@pytest.mark.parametrize("name", [name for name in ENSEMBLES if name not in SLOW])
def test_what_is_said_of_labels_and_width_is_so(name):
    entry = ENSEMBLES[name]
    layers, y = ENSEMBLE_CASES["opposite"].make(np.random.default_rng(0))
    fitted = fit_on_first_half(name, layers, y)
    assert fitted.transform(layers).shape[1] == 6
    assert entry.labels in LABELS and entry.formula.count("{") == entry.formula.count("}")
    if entry.labels == "none":
        half = {key: x[: len(y) // 2] for key, x in layers.items()}
        assert np.allclose(entry.estimator().fit(half).transform(layers), fitted.transform(layers))


def test_every_case_is_used_and_spares_some_ensemble():
    assert {entry.fooled for entry in ENSEMBLES.values()} == set(ENSEMBLE_CASES)
    spared = {"last is noise": "BestLayer", "opposite": "ConcatPCA", "loud noise": "BestLayer", "private": "BestLayer"}
    assert [case for case, name in spared.items() if judge_ensemble(name, case).fooled] == []
    found = judge_ensemble("BestLayer", "halves")
    assert found.together > found.best + 0.1  # nothing that mixes or selects is spared; side by side shows it
    with pytest.raises(KeyError, match="no case is called 'bent'; there are last is noise"):
        judge_ensemble("QP", "bent")


def test_accuracy_is_one_where_a_feature_is_the_class_and_a_half_where_nothing_tells():
    y = np.tile([0, 1], 100)
    assert held_out_accuracy(np.column_stack([y, np.ones(200)]).astype(float), y) == 1
    noise = np.random.default_rng(0).normal(size=(200, 3))
    assert abs(held_out_accuracy(noise, y) - 0.5) < 4 * np.sqrt(0.25 / 100)  # four standard errors of 100 objects


def test_sources_are_in_the_bibliography():
    text = (Path(__file__).parents[1] / "book" / "references.bib").read_text(encoding="utf-8")
    assert [entry.citation for entry in ENSEMBLES.values() if f"{{{entry.citation}," not in text] == []
