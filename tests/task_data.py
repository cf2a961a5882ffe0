"""Texts as vectors, the score that MTEB gives them, and a folder of tiny data sets."""

import csv
import hashlib
import json
from functools import cache

import numpy as np
import tolerance
from scipy.stats import rankdata

from helpers.arrays import unit_rows
from helpers.tasks import evaluation

SPLITS = ("train", "validation", "test")

WIDTH = 24  # of the vectors


@cache
def vector(text, width=WIDTH):
    """A text as the mean of random vectors of its words, in whole numbers so that some scores are equal."""
    words = [int(hashlib.md5(word.encode()).hexdigest()[:8], 16) for word in text.lower().split()]
    return np.sum([np.random.default_rng(word).integers(-3, 4, width) for word in words], axis=0).astype(np.float32)


def encode(texts):
    return np.stack([vector(text) for text in texts])


def lookup():
    """A model of MTEB that gives these vectors."""
    from mteb.models.abs_encoder import AbsEncoder
    from mteb.models.model_meta import ModelMeta

    class Lookup(AbsEncoder):
        mteb_model_meta = ModelMeta.create_empty()

        def __init__(self):
            pass

        def encode(self, inputs, **_):
            return encode([text for batch in inputs for text in batch["text"]])

    return Lookup()


def by_mteb(task, split="test"):
    """What MTEB says of the same vectors."""
    return task.evaluate(lookup(), split, encode_kwargs={"show_progress_bar": False})["default"]["main_score"]


def near(values):
    """How many other cosines (n,) each may change places with: errors of sums, in single precision.

    They are 1 - d² / 2 with a d of at most 2; that of the unit vectors moves d, that of the sum d².
    """
    return (abs(values[:, None] - values) <= 2 * 4 * tolerance.inner(WIDTH, "float32")).sum(axis=1) - 1


def of_mteb(task, result):
    """How far MTEB's score may be: as near ties fall, by the order of sums, and by its decimals.

    Of whole numbers, products, sums and distances are exact. Probes are trained by the same calls.
    """
    sums = 4 * tolerance.inner(10 * result.n)  # ten probes for each item at most
    kind = task.metadata.type
    if kind == "Classification":
        return sums
    if kind == "Retrieval":  # rounded to five digits
        plan = evaluation.scoring_plan(task, result.split)
        queries, corpus = (unit_rows(encode(plan.columns[name])) for name in ("queries", "corpus"))
        first = np.sort(1 - queries @ corpus.T, axis=1)[:, : plan.k + 2]  # one of them may be the query's own text
        unsure = (np.diff(first, axis=1) <= 2 * tolerance.inner(WIDTH, "float32")).any(axis=1)
        return 0.5e-5 + sums + unsure.mean()
    truth, cosine = result.items[:, :2].T
    others = near(cosine)
    if kind == "STS":
        ranks = rankdata(cosine)
        return sums + tolerance.of_correlation(others, ranks - ranks.mean())
    # precision a / b at a positive: a and b both move by others at most
    above = (cosine >= cosine[:, None]).sum(axis=1)
    moved = np.minimum(1, 2 * others / np.maximum(above - others, 1))
    return sums + moved[truth == 1].mean()


def write_table(path, header, rows, delimiter=","):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def make_data_folder(here):
    """Every public data set, tiny, in an empty folder."""
    rng = np.random.default_rng(0)
    words = "red green blue old new fast slow large small kind warm cold".split()

    def phrases(n, topic):
        return [" ".join([topic, *rng.choice(words, 4), str(i)]) for i in range(n)]

    for part, n in (("train", 40), ("test", 10)):
        rows = [(text, label) for label in ("card", "cash", "fee") for text in phrases(n, f"{label} {part}")]
        write_table(here / f"banking77/{part}.csv", ("text", "category"), rows)
    for part, n in (("train", 900), ("test", 12)):
        rows = [
            (text, label) for label in ("negative", "neutral", "positive") for text in phrases(n, f"{label} {part}")
        ]
        cells = [(str(i), text, text, label) for i, (text, label) in enumerate(rows)]
        if part == "train":
            write_table(
                here / "tweet_sentiment_extraction/train.csv",
                ("textID", "text", "selected_text", "sentiment"),
                [*cells, ("x", "", "", "neutral")],
            )
        else:
            cells = [(i, text, label) for i, text, _, label in cells]
            write_table(here / "tweet_sentiment_extraction/test.csv", ("textID", "text", "sentiment"), cells)
    for part in ("train", "dev", "test"):
        lines = [
            "\t".join(("news", "a", "2012", "1", f"{score:.3f}", one, two, "source", "extra"))
            for one, two, score in zip(phrases(30, part), phrases(30, part), rng.uniform(0, 5, 30), strict=True)
        ]
        (here / "stsbenchmark").mkdir(exist_ok=True)
        (here / f"stsbenchmark/sts-{part}.csv").write_text("\n".join(lines) + "\n")
    documents = [
        {"_id": f"d{i}", "title": "A title" if i % 2 else "", "text": t} for i, t in enumerate(phrases(40, "x"))
    ]
    queries = [{"_id": f"q{i}", "text": text} for i, text in enumerate(phrases(31, "x"))]
    write_lines(here / "nfcorpus_beir_format/corpus.jsonl", documents)
    write_lines(here / "nfcorpus_beir_format/queries.jsonl", queries)
    for i, part in enumerate(("train", "dev", "test")):
        rows = [(f"q{q}", f"d{d}", int(rng.integers(0, 3))) for q in range(i, 30, 3) for d in rng.permutation(40)[:15]]
        write_table(here / f"nfcorpus_beir_format/qrels/{part}.tsv", ("query-id", "corpus-id", "score"), rows, "\t")
    texts = phrases(400, "why")
    rows = [(i, 2 * i, 2 * i + 1, texts[2 * i], texts[2 * i + 1], 1) for i in range(200)]
    rows.append((999, 0, 3, texts[0], texts[3], 1))  # groups of more than two
    write_table(here / "quora_pairs/eval.csv", ("id", "qid1", "qid2", "question1", "question2", "is_duplicate"), rows)
    return here


ENCODECHKA_WORDS = "красный зелёный синий большой малый дом кот стол река лес быстро тихо".split()


def write_encodechka(here):
    """Every file of the benchmark, tiny, in a folder: labels show in one word of each text."""
    rng = np.random.default_rng(0)

    def phrase(*first):
        return " ".join([*first, *rng.choice(ENCODECHKA_WORDS, 4)])

    for name, columns, values in (
        ("stsb_dev", ("sentence1", "sentence2", "similarity_score"), [0.0, 1.25, 5.0]),
        ("para_gold", ("text_1", "text_2", "class"), [-1, 0, 1]),
        ("xnli_ru", ("sentence1", "sentence2", "gold_label"), ["contradiction", "entailment", "neutral"]),
    ):
        rows = []
        for i in range(60):
            text = phrase()
            rows.append((text, [phrase(), phrase(*text.split()[:2]), text + " да"][i % 3], values[i % 3]))
        write_table(here / f"{name}.csv", columns, rows)
    for part in ("train", "test"):
        for stem, column, labels in (
            ("SentiRuEval2016_small", "answer", ["-1", "0", "1"]),
            ("toxic", "toxic", ["0", "1"]),
            ("inappropriate", "y", ["0", "1"]),
        ):
            rows = [(phrase(f"знак{i % len(labels)}"), labels[i % len(labels)]) for i in range(60)]
            write_table(here / f"{stem}_{part}.csv", ("text", column), rows)
        rows = [(phrase(f"знак{i % 4}"), phrase(f"знак{i % 4}", "en"), f"intent{i % 4}") for i in range(60)]
        write_table(here / f"intents_{part}.csv", ("text", "answer", "label"), rows)
    return here
