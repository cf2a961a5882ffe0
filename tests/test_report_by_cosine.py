"""Evaluation by pairs and by search."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import ndcg_score

from helpers.report import (
    BEST,
    evaluate_by_pairs,
    evaluate_by_qrels,
    gains_of_ensembles,
    score_spaces,
)
from helpers.report import by_cosine as by_cosine_module
from helpers.report.targets import qrels_of_groups


def test_pairs_are_scored_by_rank_correlation_of_cosines():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(300, 8))
    pairs = rng.permutation(300).reshape(-1, 2)
    given = np.sum(z[pairs[:, 0]] * z[pairs[:, 1]], axis=1)
    found = {"one": z[:, :4] + 1, "other": z[:, 4:], "dice": rng.normal(size=(300, 4))}
    evaluation = evaluate_by_pairs(found, pairs, given, width=8, folds=3, lambdas=(0.2,))
    table, gain = score_spaces(evaluation), gains_of_ensembles(evaluation).set_index(["method", "against"])
    assert gain.loc[("QP + selection + PCA", BEST), "verdict"] == "better"
    assert table.loc["dice", "ci_low"] < 0 < table.loc["one, centred", "ci_low"]
    chained = np.c_[np.arange(299), np.arange(1, 300)]
    assert (
        "chained" in evaluate_by_pairs(found, chained, rng.normal(size=299), width=4, folds=3, lambdas=(0.2,)).notes[0]
    )
    with pytest.raises(ValueError, match="pairs name rows 0 to 300; there are rows 0 to 299"):
        evaluate_by_pairs(found, np.c_[np.zeros(40, int), np.full(40, 300)], np.arange(40))


def test_judgements_are_scored_by_ndcg():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 30, 240)
    z = rng.normal(size=(30, 8))[groups] + 0.4 * rng.normal(size=(240, 8))
    found = {"one": z[:, :4], "other": z[:, 4:], "dice": rng.normal(size=(240, 3))}
    asked, others = np.arange(60), np.arange(60, 240)
    judged = pd.DataFrame(
        [(q, d, 1.0 + (d % 2)) for q in asked for d in others if groups[q] == groups[d]],
        columns=["query", "document", "relevance"],
    )
    evaluation = evaluate_by_qrels(found, judged, width=8, folds=3, lambdas=(0.2,))
    queries = np.unique(judged["query"])
    unit = found["one"] / np.linalg.norm(found["one"], axis=1, keepdims=True)
    truth = np.zeros((len(queries), 180))
    place = {q: i for i, q in enumerate(queries)}
    for q, d, g in judged.itertuples(index=False):
        truth[place[q], d - 60] = g
    assert evaluation.items["one"].mean() == pytest.approx(ndcg_score(truth, unit[queries] @ unit[60:].T, k=10))
    gain = gains_of_ensembles(evaluation).set_index(["method", "against"])
    assert gain.loc[("QP + selection + PCA", BEST), "verdict"] == "better"
    assert (
        score_spaces(evaluation).loc["dice", "ci_low"]
        < evaluation.chance
        < score_spaces(evaluation).loc["one", "ci_low"]
    )


def test_a_search_in_blocks_finds_what_a_search_at_once_finds(monkeypatch):
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 12, 150)
    x = rng.normal(size=(12, 5))[groups] + rng.normal(size=(150, 5))
    judged = qrels_of_groups(groups)
    whole = evaluate_by_qrels({"x": x, "y": x[:, :3]}, judged, width=5, folds=3, lambdas=(0.2,)).items
    monkeypatch.setattr(by_cosine_module, "STEP", 4)
    parts = evaluate_by_qrels({"x": x, "y": x[:, :3]}, judged, width=5, folds=3, lambdas=(0.2,)).items
    assert np.allclose(whole, parts)
