"""Public data sets from a folder, as MTEB tasks.

The folder has the layout that their publishers gave them::

    banking77/{train,test}.csv                     text, category
    tweet_sentiment_extraction/{train,test}.csv    text, sentiment; of train also selected_text
    stsbenchmark/sts-{train,dev,test}.csv          tab-separated, no header, no quoting; fields 5 to 7: score, sentences
    nfcorpus_beir_format/corpus.jsonl              _id, title, text
    nfcorpus_beir_format/queries.jsonl             _id, text
    nfcorpus_beir_format/qrels/{train,dev,test}.tsv  query-id, corpus-id, score
    quora_pairs/eval.csv                           qid1, qid2, question1, question2, is_duplicate

Where MTEB has the task, class, name and protocol are MTEB's own; only the data come from the folder, and there is a
validation split: the published one, or one taken out of train by hashes of the texts, never out of test.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict
from mteb.abstasks import AbsTaskPairClassification, AbsTaskRetrieval
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.tasks import Banking77Classification, NFCorpus, STSBenchmarkSTS, TweetSentimentExtractionClassification

from helpers.tasks._drawing import SPLITS, digest, held_out, nearest
from helpers.tasks._files import FolderTask, filled_rows, lines_of, number_within, records_of, table_of

__all__ = ["TASKS", "Banking77", "NFCorpusFromFolder", "QuoraDuplicates", "QuoraDuplicatesRetrieval"]


# Classification


def _with_validation(train: list[tuple[str, str]], test: list[tuple[str, str]], n: int) -> DatasetDict:
    """Rows (text, label) in three splits: n of the train rows become validation."""
    stay, out = held_out([text for text, _ in train], [label for _, label in train], [text for text, _ in test], n)
    parts = {"train": [train[i] for i in stay], "validation": [train[i] for i in out], "test": test}
    return DatasetDict(
        {
            split: Dataset.from_dict({"text": [text for text, _ in rows], "label": [label for _, label in rows]})
            for split, rows in parts.items()
        }
    )


def _check_labels(path: Path, train: list[tuple[str, str]], test: list[tuple[str, str]], column: str) -> None:
    """Every label of test is one of train."""
    known = {label for _, label in train}
    for number, (_, label) in enumerate(test, 1):
        if label not in known:
            raise ValueError(f"{path}, row {number}: {column} is {label!r}, which no row of train has")


class Banking77(FolderTask, Banking77Classification):
    """Intents of bank customers' questions (Casanueva et al., 2020); 20 questions of each intent are validation.

    The probes learn from train without them, and without the questions that are also in test.
    """

    files = ("banking77/train.csv", "banking77/test.csv")

    def _read(self) -> DatasetDict:
        train, test = (
            [
                (r["text"], r["category"])
                for r in filled_rows(path, table_of(path, ("text", "category")), ("text", "category"))
            ]
            for path in (self.folder / name for name in self.files)
        )
        _check_labels(self.folder / self.files[1], train, test, "category")
        return _with_validation(train, test, 20 * len({label for _, label in train}))


class TweetSentiment(FolderTask, TweetSentimentExtractionClassification):
    """Sentiment of tweets (negative, neutral, positive); 1998 tweets of train are validation, 666 of each sentiment.

    One row of the published train file has neither text nor selected text: such rows are left out.
    """

    files = ("tweet_sentiment_extraction/train.csv", "tweet_sentiment_extraction/test.csv")

    def _read(self) -> DatasetDict:
        first, second = (self.folder / name for name in self.files)
        rows = table_of(first, ("text", "selected_text", "sentiment"))
        for number, row in enumerate(rows, 1):
            if not row["text"].strip() and row["selected_text"].strip():
                raise ValueError(f"{first}, row {number}: text is blank and selected_text is not")
        train = [(row["text"], row["sentiment"]) for row in rows if row["text"].strip()]
        tested = filled_rows(second, table_of(second, ("text", "sentiment")), ("text", "sentiment"))
        test = [(row["text"], row["sentiment"]) for row in tested]
        _check_labels(second, train, test, "sentiment")
        return _with_validation(train, test, 1998)


class STSBenchmark(FolderTask, STSBenchmarkSTS):
    """Semantic textual similarity (Cer et al., 2017): pairs of sentences with a human score from 0 to 5."""

    files = ("stsbenchmark/sts-train.csv", "stsbenchmark/sts-dev.csv", "stsbenchmark/sts-test.csv")

    def _read(self) -> DatasetDict:
        return DatasetDict(
            {split: self._pairs(self.folder / name) for split, name in zip(SPLITS, self.files, strict=True)}
        )

    @staticmethod
    def _pairs(path: Path) -> Dataset:
        found: dict[str, list] = {"sentence1": [], "sentence2": [], "score": []}
        for number, line in enumerate(lines_of(path), 1):
            if not line.strip():
                continue
            cells = line.rstrip("\r").split("\t")
            if len(cells) < 7:
                raise ValueError(f"{path}, row {number}: {len(cells)} fields; at least 7, parted by tabs, are needed")
            found["score"].append(number_within(path, number, "field 5, the score,", cells[4], 0, 5))
            for name, place in (("sentence1", 5), ("sentence2", 6)):
                if not cells[place].strip():
                    raise ValueError(f"{path}, row {number}: field {place + 1}, {name}, is blank")
                found[name].append(cells[place])
        if not found["score"]:
            raise ValueError(f"{path} has no rows")
        return Dataset.from_dict(found)


# Retrieval


def _searches(corpus: dict[str, str], queries: dict[str, str], relevant: dict[str, dict[str, int]]) -> dict[str, Any]:
    """A split of a retrieval task."""
    asked = {name: text for name, text in queries.items() if name in relevant}
    return {
        "corpus": Dataset.from_dict({"id": list(corpus), "text": list(corpus.values())}),
        "queries": Dataset.from_dict({"id": list(asked), "text": list(asked.values())}),
        "relevant_docs": relevant,
        "top_ranked": None,
    }


class NFCorpusFromFolder(FolderTask, NFCorpus):
    """Medical articles for laymen's questions (Boteva et al., 2016), graded relevance; all splits share the corpus.

    A distribution may lack documents or have them without stop words, as some in BEIR's format do: then the scores are
    not comparable with published ones.
    """

    files = (
        "nfcorpus_beir_format/corpus.jsonl",
        "nfcorpus_beir_format/queries.jsonl",
        "nfcorpus_beir_format/qrels/train.tsv",
        "nfcorpus_beir_format/qrels/dev.tsv",
        "nfcorpus_beir_format/qrels/test.tsv",
    )

    def _read(self) -> dict:
        paths = [self.folder / name for name in self.files]
        corpus = {
            row["_id"]: f"{row.get('title') or ''} {row['text']}".strip()
            for row in records_of(paths[0], ("_id", "text"))
        }
        queries = {row["_id"]: row["text"] for row in records_of(paths[1], ("_id", "text"))}
        for path, texts in zip(paths, (corpus, queries), strict=False):
            blank = next((name for name, text in texts.items() if not text.strip()), None)
            if blank is not None:
                raise ValueError(f"{path}: the text of {blank!r} is blank")
        splits = {}
        for split, path in zip(SPLITS, paths[2:], strict=True):
            relevant: dict[str, dict[str, int]] = {}
            for number, row in enumerate(table_of(path, ("query-id", "corpus-id", "score"), "\t"), 1):
                for column, known in (("query-id", queries), ("corpus-id", corpus)):
                    if row[column] not in known:
                        raise ValueError(f"{path}, row {number}: there is no {column} {row[column]!r}")
                score = int(number_within(path, number, "score", row["score"], 0, 100))
                relevant.setdefault(row["query-id"], {})[row["corpus-id"]] = score
            splits[split] = _searches(corpus, queries, relevant)
        return {"default": splits}


# Duplicates


def _quora(folder: Path) -> dict[str, dict[str, Any]]:
    """For each split its questions by number and the pairs of duplicates, whole groups of duplicates together."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    path = folder / QUORA
    columns = ("qid1", "qid2", "question1", "question2", "is_duplicate")
    rows = filled_rows(path, table_of(path, columns), columns)
    questions: dict[str, str] = {}
    pairs = []
    for number, row in enumerate(rows, 1):
        if row["is_duplicate"] not in ("0", "1"):
            raise ValueError(f"{path}, row {number}: is_duplicate is {row['is_duplicate']!r}; it is 0 or 1")
        for qid, question in ((row["qid1"], row["question1"]), (row["qid2"], row["question2"])):
            if questions.setdefault(qid, question) != question:
                raise ValueError(f"{path}, row {number}: question {qid} has two wordings")
        if row["is_duplicate"] == "1":
            pairs.append((row["qid1"], row["qid2"]))
    by_text: dict[str, str] = {}
    equal = [(qid, by_text.setdefault(" ".join(text.lower().split()), qid)) for qid, text in questions.items()]
    place = {qid: i for i, qid in enumerate(questions)}
    links = np.array([(place[a], place[b]) for a, b in [*pairs, *equal]])
    graph = coo_array((np.ones(len(links), bool), links.T), shape=(len(place),) * 2)
    group = dict(zip(questions, connected_components(graph, directed=False)[1].tolist(), strict=True))
    members: dict[int, list[str]] = {}
    for qid in questions:
        members.setdefault(group[qid], []).append(qid)
    shares = {"train": 0.4, "validation": 0.6, "test": 1.0}  # upper ends of the parts of the groups
    part = {number: int(digest(*sorted(qids))[:8], 16) / 16**8 for number, qids in members.items()}
    split_of = {number: next(s for s in SPLITS if share < shares[s]) for number, share in part.items()}
    return {
        split: {
            "questions": {qid: text for qid, text in questions.items() if split_of[group[qid]] == split},
            "group": group,
            "pairs": [
                (a, b)
                for a, b in dict.fromkeys(pairs)
                if split_of[group[a]] == split and questions[a].lower() != questions[b].lower()
            ],
        }
        for split in SPLITS
    }


QUORA = "quora_pairs/eval.csv"
_QUORA = {
    "reference": "https://quoradata.quora.com/First-Quora-Dataset-Release-Question-Pairs",
    "category": "t2t",
    "modalities": ["text"],
    "eval_splits": ["test"],
    "eval_langs": ["eng-Latn"],
    "date": ("2017-01-01", "2017-12-31"),
    "domains": ["Written", "Web", "Blog"],
    "license": "not specified",
    "annotations_creators": "human-annotated",
    "dialect": [],
    "sample_creation": "found",
    "bibtex_citation": "",
    "dataset": {"path": "quora_pairs, from a folder", "revision": "not read yet"},
}


class QuoraDuplicates(FolderTask, AbsTaskPairClassification):
    """Whether two questions were marked as duplicates on Quora.

    The file holds duplicates; the other pairs are drawn. For each pair of duplicates (label 1) there are two of label
    0: its first question with the lexically nearest question of another group of duplicates (by TF-IDF, with a cosine
    below 0.6, among as many questions in each split), and its second with one at random. A hard negative was never
    marked as a duplicate, which is not the same as being none. At most 1500 pairs of duplicates are in test, half as
    many in validation.
    """

    files = (QUORA,)
    pairs = {"train": 1500, "validation": 750, "test": 1500}
    metadata = TaskMetadata(
        name="QuoraDuplicates",
        description=" ".join(__doc__.split()),
        type="PairClassification",
        main_score="max_ap",
        task_subtypes=["Duplicate Detection"],
        **_QUORA,
    )

    def _read(self) -> DatasetDict:
        splits, self.groups, found = {}, {}, _quora(self.folder)
        pool = min(len(data["questions"]) for data in found.values())
        for split, data in found.items():
            questions, group = data["questions"], data["group"]
            pairs = sorted(data["pairs"], key=lambda pair: digest(*pair))[: self.pairs[split]]
            names = sorted(questions, key=lambda qid: digest(questions[qid], qid))
            groups, one, two = (np.array([group[q] for q in qids]) for qids in (names, *zip(*pairs, strict=True)))
            hard = nearest(
                [questions[a] for a, _ in pairs],
                [questions[q] for q in names[:pool]],
                lambda i, groups=groups[:pool], one=one: groups == one[i],
                below=0.6,
            )
            start = [int(digest(b, a)[:12], 16) % len(names) for a, b in pairs]
            random = [
                next(((j + s) % len(names) for s in range(len(names)) if groups[(j + s) % len(names)] != own), -1)
                for j, own in zip(start, two.tolist(), strict=True)
            ]
            rows = [(a, b, 1) for a, b in pairs]
            rows += [(a, names[j], 0) for (a, _), j in zip(pairs, hard, strict=True) if j >= 0]
            rows += [(b, names[j], 0) for (_, b), j in zip(pairs, random, strict=True) if j >= 0]
            self.groups[split] = [group[a] for a, _, _ in rows]
            first, second = ([questions[row[side]] for row in rows] for side in (0, 1))
            labels = [label for _, _, label in rows]
            splits[split] = Dataset.from_dict({"sentence1": first, "sentence2": second, "labels": labels})
        return DatasetDict(splits)


class QuoraDuplicatesRetrieval(FolderTask, AbsTaskRetrieval):
    """From a question to its duplicates, among the questions of its split.

    As MTEB's QuoraRetrieval, on fewer questions and therefore easier: a query is in the corpus and left out of what it
    finds. One question of each group of duplicates is a query, of at most 1000 groups in test, half as many in
    validation.
    """

    files = (QUORA,)
    queries = {"train": 1000, "validation": 500, "test": 1000}
    ignore_identical_ids = True
    metadata = TaskMetadata(
        name="QuoraDuplicatesRetrieval",
        description=" ".join(__doc__.split()),
        type="Retrieval",
        main_score="ndcg_at_10",
        task_subtypes=["Question answering"],
        **_QUORA,
    )

    def _read(self) -> dict:
        splits = {}
        for split, data in _quora(self.folder).items():
            members: dict[int, list[str]] = {}
            for qid in data["questions"]:
                members.setdefault(data["group"][qid], []).append(qid)
            groups = [sorted(qids, key=lambda q: digest(q)) for qids in members.values() if len(qids) > 1]
            chosen = sorted(groups, key=lambda qids: digest(qids[0]))[: self.queries[split]]
            relevant = {qids[0]: dict.fromkeys(qids[1:], 1) for qids in chosen}
            splits[split] = _searches(data["questions"], data["questions"], relevant)
        return {"default": splits}


TASKS = {
    task.metadata.name: task
    for task in (Banking77, TweetSentiment, STSBenchmark, NFCorpusFromFolder, QuoraDuplicates, QuoraDuplicatesRetrieval)
}
