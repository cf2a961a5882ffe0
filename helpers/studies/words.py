"""Vectors of words judged by public sets of words: what is recorded for the chapter "How good is it?"."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.locations import resolve
from helpers.quality.words import (
    WordVectors,
    analogies,
    categorisation,
    corpus_vectors,
    intrusion,
    read_scored_pairs,
    relatedness,
    token_vectors,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SOURCES", "judge_vectors", "public_sets", "public_table", "source_vectors"]

SOURCES = ("documentation", "news and articles", "encoders/bert", "encoders/roberta", "gte-small")
"""Vectors that are judged: of two corpora, and three token tables."""


def source_vectors(name: str, *, width: int = 200, text_of: str = "") -> WordVectors:
    """Vectors of one of :data:`SOURCES`.

    Parameters
    ----------
    name
        Name among them; any other is taken for a model whose token table is read.
    width
        Features of vectors of a corpus.
    text_of
        Folder of public text, by default ``$BOOK_DATA``: ``wikitext2`` and ``financial_headlines`` below it are the
        news and articles.

    Raises
    ------
    FileNotFoundError
        If a corpus or a model is not there.
    """
    from helpers.text import documentation

    if name == "documentation":
        texts = documentation()["text"]
    elif name == "news and articles":
        texts = _public_texts(text_of)
    else:
        return token_vectors(name, name=name)
    return corpus_vectors(texts, width=width, name=name)


def judge_vectors(name: str, judge: str = "", *, width: int = 200, text_of: str = "") -> WordVectors:
    """The space that finds intruders of another one, made of another text and in another way.

    Parameters
    ----------
    name
        Name of the space that is judged.
    judge
        Name of the judge; by default the token table of ``gte-small``, and vectors of the documentation for that.
    width, text_of
        Same meaning as in :func:`source_vectors`.
    """
    return source_vectors(
        judge or ("documentation" if name == "gte-small" else "gte-small"), width=width, text_of=text_of
    )


def public_sets(folder: str = "") -> dict[str, Any]:
    """Public sets of words, where they lie below ``$BOOK_DATA`` or the folder given.

    Returns
    -------
    dict
        ``relatedness``, pairs by name of the set; ``analogies`` and ``categories``, paths.

    Raises
    ------
    FileNotFoundError
        If ``word_similarity``, ``google_analogies`` or ``semcat`` is not there.
    """
    places = {name: _place(name, folder) for name in ("word_similarity", "google_analogies", "semcat")}
    files = sorted(places["word_similarity"].glob("EN-*.txt"))
    return {
        "relatedness": {file.stem.removeprefix("EN-"): read_scored_pairs(file) for file in files},
        "analogies": places["google_analogies"] / "questions-words.txt",
        "categories": places["semcat"] / "Categories",
    }


def public_table(vectors: WordVectors, judge: WordVectors, sets: dict[str, Any], *, rng: int = 0) -> pd.DataFrame:
    """One space judged by all public sets, in rows that say what was covered.

    Parameters
    ----------
    vectors
        The space that is judged.
    judge
        The space that finds intruders.
    sets
        Sets from :func:`public_sets`.
    rng
        Seed of clusters and targets.

    Returns
    -------
    DataFrame
        ``kind``, ``set``, ``measure``, ``value`` with ``ci_low``, ``ci_high`` and ``chance``; ``items`` of the set,
        ``covered``; ``value_all``, where what is not covered counts as wrong, or as any other pair; ``questions``, how
        many pairs, questions, words or targets the value is of.
    """
    import pandas as pd

    rows = []
    for name, row in relatedness(vectors, sets["relatedness"]).iterrows():
        values = [row["spearman"], row["ci_low"], row["ci_high"], 0.0, row["pairs"], row["covered"]]
        rows.append(("relatedness", name, "spearman", *values, row["spearman_all"], row["covered"]))
    found = analogies(vectors, sets["analogies"], by_category=True)
    for (name, method, excluded), row in found.iterrows():
        measure = method if excluded else f"{method}, nothing excluded"
        values = [row[key] for key in ("accuracy", "ci_low", "ci_high", "chance", "questions", "covered")]
        rows.append(
            (
                "analogies",
                "Google" if name == "all" else f"Google, {name}",
                measure,
                *values,
                row["accuracy_all"],
                row["covered"],
            )
        )
    for measure, row in categorisation(vectors, sets["categories"], rng=rng, n_words=1000).iterrows():
        values = [row[key] for key in ("value", "ci_low", "ci_high", "chance", "words", "covered")]
        rows.append(("categories", "SEMCAT", measure, *values, float("nan"), row["clustered"]))
    row = intrusion(vectors, judge, rng=rng).iloc[0]
    values = [row[key] for key in ("found", "ci_low", "ci_high", "chance", "words", "covered")]
    rows.append(("intrusion", f"judge: {judge.name}", "found", *values, float("nan"), row["questions"]))
    columns = ["kind", "set", "measure", "value", "ci_low", "ci_high", "chance", "items", "covered", "value_all",
               "questions"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _place(name: str, folder: str) -> Path:
    place = Path(folder) / name if folder else Path(resolve(name))
    if not place.is_dir():
        raise FileNotFoundError(f"{name} is not in {folder or '$BOOK_DATA'}")
    return place


def _public_texts(folder: str) -> list[str]:
    """Paragraphs of articles and headlines of news."""
    import pandas as pd

    texts = []
    for file in sorted(_place("wikitext2", folder).glob("*.txt")):
        texts += [line for line in file.read_text(encoding="utf-8").split("\n") if len(line) > 20]
    for file in sorted(_place("financial_headlines", folder).glob("*.csv")):
        named = file.name.startswith("cnbc")
        table = pd.read_csv(file, header=0 if named else None, dtype=str, keep_default_na=False)
        texts += table.iloc[:, -1].tolist()
    return texts
