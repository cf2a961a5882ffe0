"""Public data sets in a folder: splits, protocols, and files that are refused with row and column."""

import csv
import os
from pathlib import Path

import pytest
from task_data import SPLITS, by_mteb, encode, of_mteb, write_table

from helpers import tasks
from helpers.tasks import evaluation

REAL = os.environ.get("BOOK_DATA")

needs_data = pytest.mark.skipif(not REAL, reason="BOOK_DATA names no folder of data sets")


def test_a_folder_gives_tasks_with_three_splits_that_share_no_text(from_folder):
    shared = tasks.task_names("hub")[:3]
    assert list(from_folder) == [*shared, "NFCorpus", "QuoraDuplicates", "QuoraDuplicatesRetrieval"]
    for name, task in from_folder.items():
        data = evaluation._splits(task)
        assert set(data) == set(SPLITS)
        if name == "NFCorpus":  # its splits share the corpus
            queries = [set(data[split]["queries"]["text"]) for split in SPLITS]
        elif name == "QuoraDuplicatesRetrieval":
            queries = [set(data[split]["corpus"]["text"]) for split in SPLITS]
        else:
            columns = [c for c in data["test"].column_names if c.startswith(("text", "sentence"))]
            queries = [{text for column in columns for text in data[split][column]} for split in SPLITS]
        assert not queries[0] & queries[2] and not queries[1] & (queries[0] | queries[2])


def test_validation_is_the_published_split_or_a_part_of_train(from_folder):
    banking, tweets = (from_folder[name].dataset for name in list(from_folder)[:2])
    assert [len(banking[split]) for split in SPLITS] == [60, 60, 30]
    assert sorted(banking["validation"]["label"]) == ["card"] * 20 + ["cash"] * 20 + ["fee"] * 20
    assert [len(tweets[split]) for split in SPLITS] == [702, 1998, 36]  # the row without text is left out
    assert [len(from_folder["STSBenchmark"].dataset[split]) for split in SPLITS] == [30, 30, 30]


@pytest.mark.parametrize("name", ["Banking77Classification", "STSBenchmark", "NFCorpus", "QuoraDuplicatesRetrieval"])
def test_scores_on_a_folder_are_those_of_mteb(from_folder, name):
    for split in ("validation", "test")[name.startswith("Banking") :]:
        task, found = from_folder[name], tasks.evaluate_task(from_folder[name], encode, split)
        assert found.score == pytest.approx(by_mteb(task, split), abs=of_mteb(task, found))


def test_protocols_are_those_of_mteb(from_folder):
    import mteb

    for name in ("Banking77Classification", "TweetSentimentExtractionClassification", "STSBenchmark", "NFCorpus"):
        ours, theirs = from_folder[name], mteb.get_task(name)
        assert isinstance(ours, type(theirs)) and ours.metadata.main_score == theirs.metadata.main_score
        assert getattr(ours, "samples_per_label", 0) == getattr(theirs, "samples_per_label", 0)


def test_whole_groups_of_duplicates_stay_together_and_negatives_are_of_other_groups(data_folder, from_folder):
    with (data_folder / "quora_pairs/eval.csv").open(newline="") as file:
        known = {frozenset((row["question1"], row["question2"])) for row in csv.DictReader(file)}
    for data in from_folder["QuoraDuplicates"].dataset.values():
        pairs = [
            (frozenset((a, b)), y) for a, b, y in zip(data["sentence1"], data["sentence2"], data["labels"], strict=True)
        ]
        assert all((pair in known) == (label == 1) for pair, label in pairs)
        assert sum(label for _, label in pairs) * 3 == len(pairs)


def replaced(file, old, new):
    """A change of the first occurrence in a file."""

    def change(folder):
        path = folder / file
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new, 1))

    return change


REPLACED = {  # task and file: what is wrong, what stands there, what is put in its place, the message
    ("Banking77Classification", "banking77/train.csv"): [
        (
            "a column is missing",
            b"category",
            b"intent",
            r"train.csv has no column 'category'; its columns are \['text', 'intent'\]",
        ),
        ("a row is too long", b",cash", b",,cash", "train.csv, row 41: 3 cells under 2 columns"),
    ],
    ("TweetSentimentExtractionClassification", "tweet_sentiment_extraction/test.csv"): [
        (
            "a label is unknown",
            b",neutral\r\n",
            b",bored\r\n",
            "row 13: sentiment is 'bored', which no row of train has",
        ),
    ],
    ("STSBenchmark", "stsbenchmark/sts-dev.csv"): [
        (
            "a score is no number",
            b"2012\t1\t",
            b"2012\t1\tabout ",
            "sts-dev.csv, row 1: field 5, the score, is 'about .*'; a number from 0 to 5",
        ),
    ],
    ("STSBenchmark", "stsbenchmark/sts-test.csv"): [
        ("a field is missing", b"news\ta\t2012\t1\t", b"", "sts-test.csv, row 1: 5 fields; at least 7"),
    ],
    ("NFCorpus", "nfcorpus_beir_format/queries.jsonl"): [
        ("a line is no JSON", b'"}\n', b'"\n', "queries.jsonl, line 1: "),
    ],
    ("NFCorpus", "nfcorpus_beir_format/corpus.jsonl"): [
        ("a key is missing", b'"text"', b'"body"', "corpus.jsonl, line 1: no text under 'text'"),
    ],
    ("NFCorpus", "nfcorpus_beir_format/qrels/dev.tsv"): [
        ("a document is unknown", b"\td", b"\tnone", "dev.tsv, row 1: there is no corpus-id 'none"),
    ],
    ("QuoraDuplicates", "quora_pairs/eval.csv"): [
        ("a label is neither 0 nor 1", b",1\r\n", b",yes\r\n", "eval.csv, row 1: is_duplicate is 'yes'; it is 0 or 1"),
    ],
    ("QuoraDuplicatesRetrieval", "quora_pairs/eval.csv"): [
        ("a file is not UTF-8", b"why", b"\xff\xfe", "eval.csv, line 2: byte 0xff is not UTF-8"),
    ],
}

BAD = {
    "a file is missing": (
        "Banking77Classification",
        lambda folder: (folder / "banking77/test.csv").unlink(),
        "needs banking77/test.csv below",
    ),
    "a text is blank": (
        "TweetSentimentExtractionClassification",
        lambda folder: write_table(
            folder / "tweet_sentiment_extraction/test.csv", ("text", "sentiment"), [("a", "neutral"), (" ", "neutral")]
        ),
        "test.csv, row 2: text is blank",
    ),
}

for (task, file), changes in REPLACED.items():
    BAD |= {what: (task, replaced(file, old, new), message) for what, old, new, message in changes}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_folder_is_refused_with_file_row_and_column(data_folder, tmp_path, case):
    import shutil

    name, spoil, message = BAD[case]
    shutil.copytree(data_folder, tmp_path, dirs_exist_ok=True)
    spoil(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        tasks.load_tasks(tmp_path, name)


@needs_data
def test_the_public_data_sets_are_as_published():
    found = tasks.load_tasks(Path(REAL))
    table = tasks.describe_tasks(found)
    assert table.loc["Banking77Classification", ["validation", "test"]].tolist() == [1540, 3080]
    assert table.loc["TweetSentimentExtractionClassification", ["validation", "test"]].tolist() == [1998, 3534]
    assert table.loc["STSBenchmark", ["train", "validation", "test"]].tolist() == [5749, 1500, 1379]
    assert table.loc["NFCorpus", ["train", "validation", "test"]].tolist() == [2563, 324, 323]
    banking = found["Banking77Classification"].dataset
    parts = [{text.strip().lower() for text in banking[split]["text"]} for split in SPLITS]
    assert not parts[0] & parts[2] and not parts[1] & (parts[0] | parts[2])
