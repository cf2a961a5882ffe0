"""What fusing encoders gains in a search: a made corpus whose answer is known, and the recorded table."""

import json

import numpy as np
import pandas as pd
import pytest

from helpers.inputs import read
from helpers.studies import search_fusion as study


def made_search(seed=0, halves=True):
    """Sixty queries among 240 documents; each of two embeddings knows one half of what a topic is."""
    rng = np.random.default_rng(seed)
    topics = rng.normal(size=(20, 8))
    topic = np.r_[np.repeat(np.arange(20), 12), np.repeat(np.arange(20), 3)]
    z = topics[topic] + 0.5 * rng.normal(size=(300, 8))
    spaces = {"a": z[:, :4], "b": z[:, 4:]} if halves else {"a": z, "b": rng.normal(size=(300, 4))}
    judged = [(q, d, 1.0) for q in range(240, 300) for d in range(240) if topic[q] == topic[d]]
    return spaces, pd.DataFrame(judged, columns=["query", "document", "relevance"]), topic


def test_what_two_halves_gain_together_is_found_and_what_noise_gains_is_not():
    spaces, qrels, topic = made_search()
    texts = [f"word{t} common" for t in topic]
    found = study.compare_kinds(read(spaces, qrels=qrels, text=texts), n_splits=5).set_index("kind")
    assert list(found.index) == list(study.KINDS)
    assert found.loc["vectors", "verdict"] == found.loc["searches", "verdict"] == "better"
    assert found.loc["words", "ndcg"] == pytest.approx(1)  # the words name the topic
    assert np.isnan(found.loc["one encoder", "gain"]) and (found["queries"] == 60).all()
    shown, facts = study.show_kinds(found), study.facts(found)
    assert shown.loc["the best single embedding", "gain"] == "" and shown.loc["BM25 alone", "nDCG@10"] == "1.000"
    assert facts["vectors_verdict"] == "better" and facts["vectors_gain"].startswith("+0.")
    spaces, qrels, _ = made_search(halves=False)
    found = study.compare_kinds(read(spaces, qrels=qrels), n_splits=5).set_index("kind")
    assert "words" not in found.index and not (found["verdict"] == "better").any()


def test_a_corpus_is_read_encoded_once_and_checked(tmp_path):
    documents = [{"_id": f"d{i}", "title": "", "text": f"text {i} of many"} for i in range(4)]
    queries = [{"_id": "q0", "text": "which text"}, {"_id": "q1", "text": "not asked in this part"}]
    for name, rows in {"corpus": documents, "queries": queries}.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq0\td2\t2\nq0\tgone\t1\n")
    corpus = study.read_corpus(tmp_path)
    assert (corpus.ids[-1], corpus.documents, corpus.texts[0]) == ("q0", 4, "text 0 of many")
    assert corpus.qrels.to_numpy().tolist() == [[4, 2, 2.0]]
    encoders = {"bert": {"model": "encoders/bert", "query": "query: ", "store": tmp_path / "store"}}
    found = study.encode_corpus(corpus, encoders, tmp_path / "kept")["bert"]
    assert found.dtype == np.float32 and len(found) == 5
    np.testing.assert_array_equal(
        study.encode_corpus(corpus, {"bert": {"model": "gone"}}, tmp_path / "kept")["bert"], found
    )
    plain = study.encode_corpus(corpus, {"bert": {"model": "encoders/bert", "store": tmp_path / "store"}})["bert"]
    assert np.array_equal(plain[:4], found[:4]) and not np.array_equal(plain[4], found[4])
    with pytest.raises(ValueError, match="has 5 rows; the corpus has 4 texts"):
        study.encode_corpus(corpus._replace(texts=corpus.texts[:4]), encoders, tmp_path / "kept")
