"""Data sets of the hub, with a folder instead of it."""

import numpy as np
import pytest
from task_data import SPLITS, by_mteb, encode, of_mteb, write_lines

from helpers import tasks


def test_names_of_the_hub_are_read_from_a_folder_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    for part, n in (("train", 40), ("test", 5)):
        rows = [{"text": f"{part} question {i} of {label}", "label": label} for label in range(3) for i in range(n)]
        write_lines(tmp_path / f"mteb/banking77/{part}.jsonl", rows)
    task = tasks.load_tasks("hub", "Banking77Classification")["Banking77Classification"]
    assert [len(task.dataset[split]) for split in SPLITS] == [96, 24, 15]
    assert not set(task.dataset["train"]["text"]) & set(task.dataset["validation"]["text"])
    assert task.metadata.dataset["path"] == "mteb/banking77"
    assert 0 <= tasks.evaluate_task(task, encode, "validation").score <= 1


def test_retrieval_of_the_hub_has_its_dev_split_as_validation(tmp_path, monkeypatch):
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    here = tmp_path / "mteb/nfcorpus"
    write_lines(
        here / "corpus.jsonl", [{"_id": f"d{i}", "title": "", "text": f"text {i} of {i % 7}"} for i in range(30)]
    )
    write_lines(here / "queries.jsonl", [{"_id": f"q{i}", "text": f"of {i}"} for i in range(6)])
    for part, queries in (("train", (0, 1)), ("dev", (2, 3)), ("test", (4, 5))):
        rows = [{"query-id": f"q{i}", "corpus-id": f"d{d}", "score": 1} for i in queries for d in range(i, 30, 7)]
        write_lines(here / f"qrels/{part}.jsonl", rows)
    config = [
        *("---", "configs:", "- config_name: default", "  data_files:"),
        *(f"  - {{split: {part}, path: qrels/{part}.jsonl}}" for part in ("train", "dev", "test")),
        *("- config_name: corpus", "  data_files: [{split: corpus, path: corpus.jsonl}]"),
        *("- config_name: queries", "  data_files: [{split: queries, path: queries.jsonl}]", "---"),
    ]
    (here / "README.md").write_text("\n".join(config))
    task = tasks.load_tasks("hub", ["NFCorpus"])["NFCorpus"]
    assert set(task.dataset["default"]) == set(SPLITS)
    assert set(task.dataset["default"]["validation"]["relevant_docs"]) == {"q2", "q3"}
    found = tasks.evaluate_task(task, encode, "validation")
    assert found.score == pytest.approx(by_mteb(task, "validation"), abs=of_mteb(task, found))


def test_pairs_of_the_hub_in_one_row_are_read_as_mteb_does(tmp_path, monkeypatch):
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    rng = np.random.default_rng(0)
    for part in ("validation", "test"):
        row = {"sent1": [f"a {i}" for i in range(30)], "sent2": [f"b {i}" for i in range(30)]}
        write_lines(
            tmp_path / f"mteb/sprintduplicatequestions-pairclassification/{part}.jsonl",
            [{**row, "labels": rng.integers(0, 2, 30).tolist()}],
        )
    task = tasks.load_tasks("hub", "SprintDuplicateQuestions")["SprintDuplicateQuestions"]
    for split in ("validation", "test"):
        result = tasks.evaluate_task(task, encode, split)
        assert result.n == 30 and result.score == pytest.approx(by_mteb(task, split), abs=of_mteb(task, result))
