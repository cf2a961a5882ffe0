"""Search judged on a sample of queries, against definitions by hand, scikit-learn and random orders."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import ndcg_score

from helpers.quality import qrels_from_answers, search_quality

RNG = np.random.default_rng(0)
QUERIES, DOCUMENTS = RNG.normal(size=(7, 5)), RNG.normal(size=(12, 5))
GRADES = (2, 1, 1, 3)
QRELS = {
    row: {int(at): grade for at, grade in zip(RNG.permutation(12)[:many], GRADES[:many], strict=True)}
    for row, many in enumerate([1, 2, 3, 4, 1, 2, 3])
}


def test_every_measure_agrees_with_its_definition():
    k = 4
    found = search_quality(QUERIES, DOCUMENTS, QRELS, k=k, n_resamples=9)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (QUERIES, DOCUMENTS)]
    scores = unit[0] @ unit[1].T
    for row, line in found.queries.set_index("query").iterrows():
        order = np.argsort(-scores[row])[:k]
        right = [int(at) in QRELS[row] for at in order]
        many = len(QRELS[row])
        precision = [sum(right[: i + 1]) / (i + 1) for i in range(k)]
        total = sum(p for p, v in zip(precision, right, strict=True) if v)
        grades = np.array([[QRELS[row].get(at, 0) for at in range(12)]])
        expected = {
            "mrr": 1 / (right.index(True) + 1) if any(right) else 0,
            "recall": sum(right) / many,
            "precision": sum(right) / k,
            "map": total / min(many, k),
            "hit rate": float(any(right)),
            "context precision": total / sum(right) if any(right) else 0,
            "ndcg": ndcg_score(grades, scores[row][None], k=k),
        }
        for name, value in expected.items():
            assert line[name] == pytest.approx(value), name
    assert found.table.value.to_dict() == pytest.approx(found.queries[found.table.index].mean().to_dict())


def test_chance_is_the_mean_over_random_orders():
    n_draws, k = 4000, 4
    rng = np.random.default_rng(1)
    queries = rng.normal(size=(n_draws, 5))
    # Of a query in a random direction with random relevant documents the order says nothing.
    relevant = [rng.permutation(12)[:3].tolist() for _ in range(n_draws)]
    qrels = {row: dict(zip(named, (2, 1, 1), strict=True)) for row, named in enumerate(relevant)}
    found = search_quality(queries, DOCUMENTS, qrels, k=k, n_resamples=9)
    error = found.queries[found.table.index].std() / np.sqrt(n_draws)
    assert (np.abs(found.table.value - found.table.chance) < 4 * error).all()


def test_names_frames_and_lists_say_the_same():
    frame = pd.DataFrame([{"query": f"q{q}", "document": f"d{d}"} for q in (0, 1) for d in (q, q + 2)])
    by_frame = search_quality(
        QUERIES, DOCUMENTS, frame, query_ids=[f"q{i}" for i in range(7)], document_ids=[f"d{i}" for i in range(12)], k=3
    )
    by_list = search_quality(QUERIES, DOCUMENTS, {0: [0, 2], 1: (1, 3)}, k=3)
    pd.testing.assert_frame_equal(by_frame.table, by_list.table)
    assert by_frame.queries["query"].tolist() == ["q0", "q1"] and by_frame.found[0][0].startswith("d")


def test_queries_without_a_relevant_document_are_counted_and_not_judged():
    found = search_quality(QUERIES, DOCUMENTS, {0: [1], 1: {2: 0}, 2: []}, k=3)
    assert found.table["ci_low"].isna().all() and found.left_out == [1, 2, 3, 4, 5, 6]
    assert "6 queries without a relevant document are left out" in str(found)


def test_a_sample_of_queries_is_drawn():
    assert len(search_quality(QUERIES, DOCUMENTS, QRELS, k=3, n_queries=4).queries) == 4


@pytest.mark.parametrize(
    ("qrels", "options", "message"),
    [
        ({0: [99]}, {}, "names the document 99"),
        ({99: [0]}, {}, "names the query 99"),
        ({0: {1: -1}}, {}, "grade of 1 for 0 is -1"),
        ({0: []}, {}, "no query has a relevant document"),
        ({0: [1]}, {"k": 13}, "k is 13"),
        ({0: [1]}, {"document_ids": [0] * 12}, "document_ids: 0 is there more than once"),
        (pd.DataFrame({"query": [0], "passage": [1]}), {}, "qrels has the columns"),
    ],
)
def test_bad_judgements_are_named(qrels, options, message):
    with pytest.raises(ValueError, match=message):
        search_quality(QUERIES, DOCUMENTS, qrels, **{"k": 3} | options)


def test_passages_hold_an_answer_whatever_its_case_and_spaces():
    texts = ["The capital is  Oslo.", "Osloer live there.", "In OSLO, 1905"]
    assert qrels_from_answers({"q": "oslo", "r": ["Bergen", "1905"]}, texts) == {"q": {0, 2}, "r": {2}}
    assert qrels_from_answers(["oslo"], texts, whole_words=False) == {0: {0, 1, 2}}
    with pytest.raises(ValueError, match="answers\\['q'\\] is ' '"):
        qrels_from_answers({"q": " "}, texts)
