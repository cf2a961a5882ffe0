"""What fusing several encoders gains in a search: their vectors, what their searches find, and the words of the texts.

The corpus has the layout of BEIR: ``corpus.jsonl``, ``queries.jsonl``, ``qrels/test.tsv``. Its documents are embedded
once by each encoder; all options of :func:`helpers.report.keeping.judge_options` are judged on the same queries.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import check_count, generator
from helpers.book.data import table as recorded_table
from helpers.inference import paired
from helpers.locations import ROOT, expand

if TYPE_CHECKING:
    import pandas as pd

    from helpers.inputs import Inputs

__all__ = ["KINDS", "Corpus", "compare_kinds", "encode_corpus", "facts", "read_corpus", "recorded_gains", "show_kinds"]

#: Kinds of options by what they need beside one encoder.
KINDS = {
    "one encoder": "the best single embedding",
    "vectors": "the best fusion of vectors",
    "searches": "the best fusion of searches",
    "words": "BM25 alone",
    "searches and words": "the best fusion of searches with BM25",
}
REFERENCE = "one encoder"


class Corpus(NamedTuple):
    """Documents and queries in one row of texts, documents first, with judgements by row."""

    ids: list[str]
    texts: list[str]
    documents: int
    qrels: pd.DataFrame


def read_corpus(folder: str | os.PathLike[str]) -> Corpus:
    """A corpus of BEIR with the queries of its test part.

    Parameters
    ----------
    folder
        Folder with ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/test.tsv``; may begin with a variable.

    Returns
    -------
    Corpus
        Texts are title and text, with a blank between them. Judgements of documents that the corpus lacks are left out.

    Raises
    ------
    FileNotFoundError
        If one of the files is not there.
    """
    import pandas as pd

    folder = expand(folder)
    documents = _lines(folder / "corpus.jsonl")
    with (folder / "qrels" / "test.tsv").open(encoding="utf-8", newline="") as file:
        judged = list(csv.DictReader(file, delimiter="\t"))
    asked = {row["query-id"] for row in judged}
    queries = [query for query in _lines(folder / "queries.jsonl") if query["_id"] in asked]
    ids = [one["_id"] for one in [*documents, *queries]]
    place = {name: at for at, name in enumerate(ids)}
    rows = [
        (place[row["query-id"]], place[row["corpus-id"]], float(row["score"]))
        for row in judged
        if row["corpus-id"] in place and row["query-id"] in place
    ]
    texts = [" ".join(filter(None, (one.get("title", ""), one["text"]))) for one in [*documents, *queries]]
    return Corpus(ids, texts, len(documents), pd.DataFrame(rows, columns=["query", "document", "relevance"]))


def _lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def encode_corpus(
    corpus: Corpus, encoders: Mapping[str, Mapping[str, Any]], keep: str | os.PathLike[str] | None = None
) -> dict[str, np.ndarray]:
    """The last layer of each encoder for every text.

    Parameters
    ----------
    corpus
        What :func:`read_corpus` gives.
    encoders
        Name → ``model`` (folder or name on the hub) and, as it was trained to be used, ``query`` and ``document`` (put
        in front of the texts) and options of :func:`helpers.encoders.extraction.extract`.
    keep
        Folder for ``NAME.npy``, one row for each text; what is there is read. A relative one lies below the top of the
        checkout. Encoding itself goes on where it stopped.

    Returns
    -------
    dict of str to ndarray
        Arrays of float32 of shape (texts, width).

    Raises
    ------
    ValueError
        If a file that is there has another number of rows.
    """
    from helpers.encoders.extraction import extract

    found = {}
    for name, about in encoders.items():
        options = dict(about)
        model, before = options.pop("model"), (options.pop("document", ""), options.pop("query", ""))
        path = None if keep is None else (ROOT or Path.cwd()) / expand(keep) / f"{name}.npy"
        if path is not None and path.is_file():
            found[name] = np.load(path)
            if len(found[name]) != len(corpus.texts):
                raise ValueError(f"{path} has {len(found[name])} rows; the corpus has {len(corpus.texts)} texts")
            continue
        texts = [before[at >= corpus.documents] + text for at, text in enumerate(corpus.texts)]
        found[name] = np.array(list(extract(model, texts, progress=False, **options).values())[-1], dtype=np.float32)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, found[name])
    return found


def compare_kinds(inputs: Inputs, *, n_splits: int = 50, rng: int = 0) -> pd.DataFrame:
    """What the best option of each kind finds, chosen on other queries than those that it is judged by.

    The queries are halved ``n_splits`` times. Of each kind the option with the highest nDCG@10 on one half is tried on
    the other, by turns; a query's value is its mean over the splits.

    Parameters
    ----------
    inputs
        Embeddings with ``qrels``; with texts BM25 takes part.
    n_splits
        How often the queries are halved.
    rng
        Seed of everything that is drawn.

    Returns
    -------
    pandas.DataFrame
        One row for each of :data:`KINDS` that has an option: ``kind``, ``options`` (how many), ``chosen`` (the most
        frequent choice) and ``share`` of the halves that chose it, ``ndcg``, and against the best single embedding
        ``gain`` with ``ci_low``, ``ci_high``, ``p`` and ``verdict`` over queries; ``queries``, ``documents``.
    """
    import pandas as pd

    from helpers.report.keeping.by_target import judged_by_target

    n_splits, made = check_count(n_splits, "n_splits"), generator(rng)
    judged = judged_by_target(inputs, rng=rng)
    kinds = np.array([_kind(option) for option in judged.options])
    items, n = judged.items.astype(np.float64), len(judged.items)
    values = {kind: np.zeros(n) for kind in KINDS if kind in kinds}
    chosen: dict[str, list[str]] = {kind: [] for kind in values}
    for _ in range(n_splits):
        first = made.permutation(n) < n // 2
        for kind in values:
            columns = np.flatnonzero(kinds == kind)
            for half in (first, ~first):
                best = columns[items[half][:, columns].mean(axis=0).argmax()]
                values[kind][~half] += items[~half, best] / n_splits
                chosen[kind].append(str(judged.options[best]))
    searched = len(next(iter(inputs.representations.values()))) - inputs.qrels["query"].nunique()
    rows = []
    for kind, own in values.items():
        often = pd.Series(chosen[kind]).value_counts(normalize=True)
        row = {"kind": kind, "options": int((kinds == kind).sum()), "chosen": often.index[0], "share": often.iloc[0]}
        row["ndcg"] = own.mean()
        if kind != REFERENCE:
            found = paired(own, values[REFERENCE], rng=rng)
            row |= {"gain": found.difference, "ci_low": found.low, "ci_high": found.high, "p": found.p}
            row["verdict"] = found.verdict
        rows.append(row | {"queries": n, "documents": searched})
    return pd.DataFrame(rows)


def _kind(option: Any) -> str:
    from helpers.report.keeping.options import RANKS, SCORES, SINGLE, TEXT

    if option.fusion == SINGLE:
        return "words" if option.embeddings == (TEXT,) else REFERENCE
    if option.fusion in (RANKS, SCORES):
        return "searches and words" if TEXT in option.embeddings else "searches"
    return "vectors"


def recorded_gains() -> pd.DataFrame:
    """The recorded table of :func:`compare_kinds` on NFCorpus with four encoders, by kind."""
    return recorded_table("results/search_fusion.csv").set_index("kind")


def show_kinds(found: pd.DataFrame) -> pd.DataFrame:
    """Kinds in words, with what they find and gain."""
    from helpers.inference import format_interval

    shown = {
        KINDS[kind]: {
            "options": int(row["options"]),
            "most often": row["chosen"],
            "nDCG@10": f"{row['ndcg']:.3f}",
            "gain": format_interval(row, "gain", spec="+.3f"),
            "verdict": row["verdict"] if isinstance(row["verdict"], str) else "",
        }
        for kind, row in found.to_dict("index").items()
    }
    import pandas as pd

    return pd.DataFrame.from_dict(shown, orient="index")


def facts(found: pd.DataFrame) -> dict[str, Any]:
    """What the text says of the recorded table: gains with their intervals, and verdicts."""
    from helpers.inference import format_interval

    out: dict[str, Any] = {"single": found.loc[REFERENCE, "ndcg"], "queries": int(found["queries"].iloc[0])}
    for kind, row in found.drop(REFERENCE).to_dict("index").items():
        name = kind.replace(" ", "_")
        out |= {f"{name}_gain": format_interval(row, "gain", spec="+.3f"), f"{name}_verdict": row["verdict"]}
    return out
