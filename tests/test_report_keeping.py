"""What to keep: every option on held-out items, intervals that hold for all, and words that follow from the table."""

import numpy as np
import pandas as pd
import pytest
from tolerance import of_a_share, unit

from helpers.inputs import read
from helpers.metrics import spearman
from helpers.quantization import bytes_of
from helpers.report import build
from helpers.report.keeping import judge_options, list_options, options_in_words, options_shown
from helpers.report.keeping.judging import simultaneous
from helpers.report.keeping.searching import Search, bm25

RNG = np.random.default_rng(0)
N = 240
LABELS = RNG.integers(3, size=N)
CENTRES = 2.5 * RNG.normal(size=(3, 6))
SPACES = {
    "good": (CENTRES[LABELS] + RNG.normal(size=(N, 6))).astype(np.float32),
    "other": (CENTRES[LABELS][:, ::-1] + 2 * RNG.normal(size=(N, 6))).astype(np.float32),
    "noise": RNG.normal(size=(N, 8)).astype(np.float32),
}
WORDS = [f"class{label}" for label in LABELS]


@pytest.fixture(scope="module")
def by_labels():
    return judge_options(read(SPACES, labels=WORDS, progress=False), margin=0.05)


def test_all_subsets_fusions_widths_and_kinds_of_storage_are_there(by_labels):
    table = by_labels.table
    assert table.embeddings.nunique() == 7 and table.index.is_unique
    for names, rows in table.groupby("embeddings"):
        fusions = {"single"} if " + " not in names else {"concatenation", *list_fusions()}
        assert set(rows.fusion) == fusions and set(rows.storage) == {"float32", "int8", "binary"}
    pair = table[(table.embeddings == "good + noise") & (table.fusion == "concatenation + PCA")]
    assert sorted(set(pair.width)) == [2, 4, 8]
    assert all(row.bytes == bytes_of(row.storage, row.width) for row in table.itertuples())


def list_fusions():
    from helpers.report.keeping import FUSIONS

    return FUSIONS


def test_the_reference_has_no_gain_over_itself(by_labels):
    row = by_labels.table.loc[by_labels.reference]
    assert by_labels.reference == "good + other + noise, concatenation, 20 × float32"
    assert (row.gain, row.ci_low, row.ci_high, row.p, row.kept) == (0, 0, 0, 1, True)


def test_noise_is_left_out_and_what_is_kept_is_within_the_margin(by_labels):
    chosen = by_labels.table.loc[by_labels.chosen]
    assert "noise" not in chosen.embeddings and chosen.ci_low >= -0.05
    cheaper = by_labels.table[(by_labels.table.encoders < chosen.encoders)]
    assert not cheaper.kept.any()
    assert by_labels.table.loc[by_labels.smallest, "bytes"] <= chosen.bytes


def test_noise_alone_is_at_chance(by_labels):
    rows = by_labels.table[by_labels.table.embeddings == "noise"]
    # Three classes of about a third each; a probe may always name the largest.
    largest = np.bincount(LABELS).max() / N
    assert (rows.score < largest + of_a_share(largest, N)).all()


def test_permuted_labels_decide_nothing():
    shuffled = RNG.permutation(WORDS)
    found = judge_options(read(SPACES, labels=shuffled, progress=False), margin=0)
    assert not ((found.table.ci_low > 0) | (found.table.ci_high < 0)).any()


def test_the_front_is_what_nothing_beats(by_labels):
    rows = by_labels.table
    for name, row in rows.iterrows():
        beaten = (
            (rows.score >= row.score)
            & (rows.bytes <= row.bytes)
            & (rows.encoders <= row.encoders)
            & ((rows.score > row.score) | (rows.bytes < row.bytes) | (rows.encoders < row.encoders))
        ).any()
        assert row.front != beaten, name


def test_intervals_of_all_options_hold_together():
    """Of 400 tables of 30 options with true gains of 0, 95 % have no interval that excludes 0."""
    rng, held = np.random.default_rng(1), 0
    mixing = rng.normal(size=(5, 30))
    for _ in range(400):
        items = rng.normal(size=(200, 5)) @ mixing + rng.normal(size=(200, 30))
        weights = rng.multinomial(200, np.full(200, 1 / 200), size=400) / 200
        found = simultaneous(weights @ items, items.mean(axis=0), 0)
        held += not ((found["ci_low"] > 0) | (found["ci_high"] < 0)).any()
    assert abs(held / 400 - 0.95) < of_a_share(0.95, 400)


def test_a_column_that_equals_the_reference_is_not_distinguished():
    draws = np.random.default_rng(0).normal(size=(50, 3))
    draws[:, 2] = draws[:, 0]
    found = simultaneous(draws, np.array([0.1, 0.5, 0.1]), 0)
    assert found["p"][2] == 1 and found["ci_low"][2] == found["ci_high"][2] == 0


def test_numbers_are_judged_by_r2():
    y = CENTRES[LABELS][:, 0] + 0.1 * RNG.normal(size=N)
    found = judge_options(read({"good": SPACES["good"], "noise": SPACES["noise"]}, labels=y, progress=False))
    assert found.metric == "R²"
    assert found.table.score["good, 6 × float32"] > 0.5 > found.table.score["noise, 8 × float32"]


def test_pairs_are_judged_by_the_rank_correlation_of_their_cosines():
    pairs = pd.DataFrame(RNG.integers(N, size=(150, 2)), columns=["left", "right"])
    pairs["score"] = (LABELS[pairs.left] == LABELS[pairs.right]) + 0.1 * RNG.normal(size=150)
    spaces = {name: SPACES[name] for name in ("good", "noise")}
    found = judge_options(read(spaces, pairs=pairs, progress=False))
    a, b = SPACES["good"][pairs.left].astype(float), SPACES["good"][pairs.right].astype(float)
    cosines = np.sum(a * b, axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    by_hand = spearman(cosines, pairs.score.to_numpy())
    # Cosines of single precision may tie or swap the ranks of neighbours: a rank moves by one, of 150.
    assert abs(found.table.score["good, 6 × float32"] - by_hand) < 12 / 150**2


@pytest.fixture(scope="module")
def search():
    documents, queries = np.arange(40, N), np.arange(40)
    relevances = {int(q): {int(d): 1.0 for d in documents if LABELS[d] == LABELS[q]} for q in queries}
    texts = [f"{WORDS[i]} word{RNG.integers(20)}" for i in range(N)]
    qrels = pd.DataFrame(
        [(q, d, 1) for q, of in relevances.items() for d in of], columns=["query", "document", "relevance"]
    )
    return Search(queries, documents, relevances, texts), qrels, texts


def test_a_search_by_one_embedding_has_the_ndcg_of_mteb(search):
    import pytrec_eval

    made, qrels, _ = search
    x = SPACES["other"].astype(np.float64)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    scores = x[:40] @ x[40:].T
    run = {str(q): {str(d + 40): float(scores[q, d]) for d in range(N - 40)} for q in range(40)}
    judged = {str(q): dict.fromkeys(map(str, rows.document), 1) for q, rows in qrels.groupby("query")}
    theirs = pytrec_eval.RelevanceEvaluator(judged, {"ndcg_cut.10"}).evaluate(run)
    expected = [theirs[str(q)]["ndcg_cut_10"] for q in range(40)]
    ours = made.ndcg(made.scores(SPACES["other"]))
    np.testing.assert_allclose(ours, expected, atol=1e-5)  # both end their sums in single or double precision


def test_words_of_the_texts_find_the_class_and_fusing_never_needs_an_encoder_more(search):
    _, qrels, texts = search
    spaces = {name: SPACES[name] for name in ("good", "noise")}
    found = judge_options(read(spaces, qrels=qrels, progress=False, **_texts(texts)))
    table = found.table
    text = table.loc["BM25, 0 × float32"]
    assert text.encoders == 0 and text.score > table.loc["noise, 8 × float32", "score"]
    assert table.loc["noise + BM25, score fusion, 8 × float32", "encoders"] == 1
    assert {"reciprocal rank fusion", "score fusion"} < set(table.fusion)


def _texts(texts):
    return {"text": np.array(texts, dtype=object)}


def test_where_every_query_is_a_document_searches_are_fused_and_none_finds_itself():
    few = {name: SPACES[name][:60] for name in ("good", "noise")}
    found = judge_options(read(few, groups=[f"g{label}" for label in LABELS[:60]], progress=False))
    fused = found.table[found.table.fusion == "score fusion"]
    assert len(fused) and np.isfinite(found.table.score).all() and fused.score.max() > 0.5
    twice = np.repeat(SPACES["noise"][:30], 2, axis=0)
    copies = {name: twice + 1e-3 * RNG.normal(size=twice.shape) for name in "ab"}  # nearer than any other object
    found = judge_options(read(copies, groups=np.repeat(np.arange(30), 2).astype(str), progress=False))
    # The other copy is the only relevant document, and comes first if the query itself is passed over.
    assert (found.table.score[found.table.storage == "float32"] == 1).all()


def test_notes_tell_how_many_documents_and_queries_judge(monkeypatch):
    from helpers.report.keeping import by_target

    monkeypatch.setattr(by_target, "OBJECTS", 50)
    monkeypatch.setattr(by_target, "QUERIES", 20)
    few = {name: SPACES[name] for name in ("good", "noise")}
    qrels = pd.DataFrame({"query": np.arange(40), "document": np.arange(100, 140), "relevance": 1})
    found = judge_options(read(few, qrels=qrels, progress=False))
    assert found.notes[0] == "Options are judged on 20 of 40 queries, drawn at random."
    assert found.notes[1] == f"Options are judged on 50 of {N - 40} documents, drawn at random but for relevant ones."


def test_bm25_is_the_formula():
    documents, queries = ["one two two", "two three", "four"], ["two three"]
    scores, size = bm25(documents, queries)
    mean = (3 + 2 + 1) / 3

    def part(f, d, length):
        idf = np.log(1 + (3 - d + 0.5) / (d + 0.5))
        return idf * f * 2.2 / (f + 1.2 * (0.25 + 0.75 * length / mean))

    expected = [part(2, 2, 3), part(1, 2, 2) + part(1, 1, 2), 0]
    np.testing.assert_allclose(scores[0], expected, rtol=4 * np.finfo(np.float32).eps)
    assert size == round(8 * 5 / 3)


def test_reciprocal_ranks_are_added(search):
    from helpers.report.keeping.searching import _reciprocal

    scores = np.array([[0.3, 0.9, 0.5]], dtype=np.float32)
    np.testing.assert_allclose(_reciprocal(scores), [[1 / 63, 1 / 61, 1 / 62]], rtol=unit("float32"))


def test_the_report_says_what_to_keep_first_and_keeps_the_step(tmp_path):
    spaces = {name: SPACES[name] for name in ("good", "noise")}
    report = build(spaces, labels=WORDS, what_to_keep=True, margin=0.05, folder=tmp_path / "r")
    assert report.sections[0].name == "options" and report.summary[0].startswith("**If a loss of 0.05 is acceptable")
    assert report.options.chosen in report.summary[0]
    page = (tmp_path / "r" / "index.html").read_text()
    assert "What to keep" in page and report.options.chosen.replace("×", "×") in page
    assert len(pd.read_csv(tmp_path / "r" / "tables" / "options.csv")) == len(report.options.table)


def test_words_say_what_the_table_says(by_labels):
    words = options_in_words(by_labels)
    assert by_labels.chosen in words and "Leave noise out" in words and str(len(by_labels.table)) in words
    assert by_labels.chosen in options_shown(by_labels).index


def test_where_nothing_is_decided_everything_is_kept():
    few = {name: x[:30] for name, x in SPACES.items()}
    found = judge_options(read(few, labels=WORDS[:30], progress=False), margin=0)
    if not found.table.drop(found.reference).kept.any():
        assert "keep everything side by side" in options_in_words(found)
    assert found.table.loc[found.reference, "kept"]


def test_an_embedding_without_weight_leaves_no_trace():
    import warnings

    from helpers.report.keeping.options import Option
    from helpers.report.keeping.vectors import Vectors

    quality = {"good": 1.0, "noise": 0.0}
    spaces = {name: SPACES[name] for name in quality}
    option = Option(("good", "noise"), "QP + PCA", 8, "float32", 32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ((_, x),) = Vectors(spaces, np.arange(N), quality).made([option])
    assert x.shape == (N, 8) and np.isfinite(x).all() and not x[:, 6:].any()


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="nothing says what the embeddings are for"):
        judge_options(read(SPACES, progress=False))
    with pytest.raises(ValueError, match="what_to_keep needs a target"):
        build(SPACES, what_to_keep=True)
    with pytest.raises(ValueError, match="margin is -1"):
        judge_options(read(SPACES, labels=WORDS, progress=False), margin=-1)
    with pytest.raises(ValueError, match="there are 7 embeddings"):
        list_options([str(i) for i in range(7)], [2] * 7, most=5)
