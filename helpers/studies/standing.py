"""What is recorded for the chapter on where encoders stand: floors and bags of word pieces, their scores and costs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, unit_rows
from helpers.locations import expand
from helpers.studies.russian_runs import encoder_scores

if TYPE_CHECKING:
    import pandas as pd
    from sentence_transformers import SentenceTransformer

    from helpers.encoders.universal import StagedRecipe
    from helpers.pairs import PairCorpus
    from helpers.quality.words import WordVectors

__all__ = [
    "FLOORS",
    "RECALLS",
    "bag_outputs",
    "find_navec",
    "floor_encoder",
    "mean_word_encoder",
    "ship_encoder",
    "standing_rows",
    "titles_and_distractors",
    "training_tokens",
]

FLOORS = (
    "hashed words, 300",
    "hashed words, 1000",
    "hashed letters, 1000",
    "TF-IDF of words",
    "TF-IDF of letters",
    "word vectors",
    "word vectors, runs of letters",
    "navec",
)
"""Encoders that learned from no pair, the cheapest first."""

RECALLS = (1, 10, 100)
"""Numbers of nearest passages that are looked at."""

HASHED = {
    "hashed words, 300": {"n_features": 300},
    "hashed words, 1000": {"n_features": 1000},
    "hashed letters, 1000": {"n_features": 1000, "analyzer": "char", "ngram_range": (2, 4)},
}
MOST_TEXTS = 50_000  # paragraphs that TF-IDF and word vectors are fitted on
WIDTH = 300  # features that are left of counts, and of word vectors
BUCKETS = 20_000  # of hashed runs of letters

Encode = Callable[[list[str]], Any]
Outputs = Encode | Mapping[str, Encode]


# Floors


def floor_encoder(name: str, corpus: PairCorpus, *, navec: str = "") -> tuple[Encode, float]:
    """An encoder that learned from no pair, and how large it is.

    Parameters
    ----------
    name
        One of :data:`FLOORS`.
    corpus
        Corpus on whose paragraphs counts and word vectors are fitted; hashing needs none of it.
    navec
        Archive of word vectors, as :func:`find_navec` finds it.

    Returns
    -------
    encode : callable
        Function from texts to vectors.
    megabytes : float
        Weights in half precision; 0 where nothing was fitted, and of navec the size of its file.

    Raises
    ------
    ValueError
        If the name is unknown.
    FileNotFoundError
        If there is no archive of navec.
    """
    if name not in FLOORS:
        raise ValueError(f"name is {name!r}; it is one of {', '.join(map(repr, FLOORS))}")
    texts = list(corpus.paragraphs["text"][:MOST_TEXTS])
    if name in HASHED:
        from sklearn.feature_extraction.text import HashingVectorizer

        return HashingVectorizer(**HASHED[name]).transform, 0.0
    if name.startswith("TF-IDF"):
        return _reduced_counts(texts, letters=name.endswith("letters"))
    from helpers.quality.words import as_word_vectors, corpus_vectors

    if name == "navec":
        place = find_navec(navec)
        if place is None:
            raise FileNotFoundError("there is no archive of navec; name one, or put it into $BOOK_MODELS or $BOOK_DATA")
        return mean_word_encoder(as_word_vectors(place, drop=True)), round(place.stat().st_size / 1e6, 1)
    words = corpus_vectors(texts, width=WIDTH, min_count=5 if len(texts) > 1000 else 2)
    runs = name.endswith("letters")
    size = words.x.size + (BUCKETS * words.x.shape[1] if runs else 0)
    return mean_word_encoder(words, runs=runs), 2 * size / 1e6


def find_navec(named: str = "") -> Path | None:
    """The archive of word vectors that is named, or one whose name begins with ``navec`` in a folder of the reader's.

    Parameters
    ----------
    named
        Path of an archive; empty to look in ``$BOOK_MODELS`` and ``$BOOK_DATA``, and one folder below.

    Returns
    -------
    Path or None
        The first by name; None where there is none.

    Raises
    ------
    FileNotFoundError
        If an archive is named and not there.
    """
    if named:
        place = Path(expand(named))
        if not place.is_file():
            raise FileNotFoundError(f"there is no file {place}")
        return place
    for variable in ("BOOK_MODELS", "BOOK_DATA"):
        folder = Path(os.environ.get(variable) or os.devnull)
        for pattern in ("navec*.tar", "*/navec*.tar"):
            if folder.is_dir() and (found := sorted(folder.glob(pattern))):
                return found[0]
    return None


def _reduced_counts(texts: list[str], *, letters: bool) -> tuple[Encode, float]:
    """TF-IDF of words, or of runs of letters within words, cut to few features by SVD."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    told = {"analyzer": "char_wb", "ngram_range": (2, 4), "max_features": 20_000} if letters else {"min_df": 2}
    counts = TfidfVectorizer(sublinear_tf=True, **told).fit(texts)
    matrix = counts.transform(texts)
    width = min(WIDTH, min(matrix.shape) - 1)
    reduce = TruncatedSVD(width, n_iter=4, random_state=0).fit(matrix)
    return lambda some: reduce.transform(counts.transform(some)), 2 * reduce.components_.size / 1e6


def mean_word_encoder(vectors: WordVectors, *, runs: bool = False) -> Encode:
    """An encoder that means the vectors of the words of a text.

    Parameters
    ----------
    vectors
        Words with their vectors.
    runs
        Whether a word without a vector gets one from its runs of three to five letters, each of which has the mean of
        the vectors of the words that it stands in, much as :cite:`bojanowski2017enriching` has it. Else such words do
        not count.

    Returns
    -------
    callable
        Function from texts to an array of shape (n_texts, n_features): zero for a text of which nothing is known.

    Examples
    --------
    >>> from helpers.quality.words import as_word_vectors
    >>> words = as_word_vectors({"дом": [1.0, 0.0], "домик": [0.8, 0.2], "лес": [0.0, 1.0]})
    >>> mean_word_encoder(words)(["Дом, лес", "домики"]).tolist()
    [[0.5, 0.5], [0.0, 0.0]]
    >>> mean_word_encoder(words, runs=True)(["домики"]).argmax()
    np.int64(0)
    """
    table = of_runs = counter = None
    if runs:
        from sklearn.feature_extraction.text import HashingVectorizer

        told = {"analyzer": "char_wb", "ngram_range": (3, 5), "alternate_sign": False, "norm": None}
        counter = HashingVectorizer(n_features=BUCKETS, **told)
        of_runs = counter.transform(vectors.words)
        often = np.maximum(np.asarray(of_runs.sum(axis=0)).ravel(), 1)
        table = (of_runs.T @ vectors.x) / often[:, None]

    def encode(texts: list[str]) -> np.ndarray:
        words = [re.findall(r"\w+", text.lower()) for text in texts]
        distinct = list(dict.fromkeys(word for own in words for word in own))
        at = vectors.rows(distinct)
        x = np.where(at[:, None] >= 0, vectors.x[at], 0.0)
        missing = np.flatnonzero(at < 0)
        known = at >= 0
        if runs and len(missing):
            counts = counter.transform([distinct[i] for i in missing])
            x[missing] = (counts @ table) / np.maximum(np.asarray(counts.sum(axis=1)), 1)
            known[missing] = True
        row = {word: i for i, word in enumerate(distinct)}
        out = np.zeros((len(texts), vectors.x.shape[1]))
        for number, own in enumerate(words):
            if places := [row[word] for word in own if known[row[word]]]:
                out[number] = x[places].mean(axis=0)
        return out

    return encode


# A bag's outputs


def bag_outputs(model: SentenceTransformer) -> dict[str, Encode]:
    """Several vectors that one bag of word pieces has for a text, as a benchmark counts poolings of one encoder.

    Parameters
    ----------
    model
        Bag of word pieces, as of :func:`helpers.encoders.stages.bag_encoder`.

    Returns
    -------
    dict of str to callable
        ``"mean"``; ``"mean, largest and smallest"``, three vectors of unit length side by side, the last two of the
        largest and the smallest number of each feature :cite:`ruckle2018concatenated`; ``"mean and hashed letters"``,
        the mean beside a thousand hashed runs of letters, which take no weights.

    Raises
    ------
    ValueError
        If the model is no bag of word pieces.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    bag = model[0]
    if not hasattr(bag, "embedding") or not hasattr(bag, "tokenizer"):
        raise ValueError(f"model is a {type(bag).__name__}; a bag of word pieces is needed")
    letters = HashingVectorizer(**HASHED["hashed letters, 1000"])

    def mean(texts: list[str]) -> np.ndarray:
        return model.encode(list(texts), batch_size=256, show_progress_bar=False)

    def ends(texts: list[str]) -> np.ndarray:
        weight = bag.embedding.weight.detach().cpu().numpy()
        told = bag.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        out = np.zeros((2, len(told), weight.shape[1]), weight.dtype)
        for number, one in enumerate(told):
            if one.ids:
                own = weight[one.ids]
                out[:, number] = own.max(axis=0), own.min(axis=0)
        return np.hstack([unit_rows(part) for part in (mean(texts), *out)])

    def beside(texts: list[str]) -> np.ndarray:
        return np.hstack([unit_rows(mean(texts)), letters.transform(texts).toarray().astype(np.float32)])

    return {"mean": mean, "mean, largest and smallest": ends, "mean and hashed letters": beside}


# What is recorded


def titles_and_distractors(
    corpus: PairCorpus, examples: int = 32, most: int = 20_000
) -> tuple[list[str], list[str], list[str]]:
    """Titles that no stage trains on, the texts that they stand above, and other texts of the corpus.

    Parameters
    ----------
    corpus
        Corpus with pairs of the kinds ``"title"`` or ``"summary"``.
    examples
        Pairs of a kind that are kept back, as a recipe has it.
    most
        Other texts, at most.

    Returns
    -------
    titles, texts, others : list of str
        Queries, the passage of each, and distractors.

    Raises
    ------
    ValueError
        If no such pair is kept back.
    """
    from helpers.encoders.kept_back import split_examples

    held = split_examples(corpus.pairs, examples)[1]
    held = held[held["kind"].isin(("title", "summary"))]
    if held.empty:
        raise ValueError("the corpus keeps back no title or summary; pairs of these kinds are needed")
    others = dict.fromkeys(
        [*corpus.pairs.loc[corpus.pairs["kind"] != "translation", "right"], *corpus.paragraphs["text"]]
    )
    return list(held["left"]), list(held["right"]), list(others)[:most]


def training_tokens(corpus: PairCorpus, recipe: StagedRecipe, model: SentenceTransformer, n_batches: int = 20) -> float:
    """Millions of word pieces of the pairs that the stages of a recipe read, from some batches of each.

    Parameters
    ----------
    corpus, recipe
        What is trained on, and how.
    model
        Encoder with the tokeniser.
    n_batches
        Batches of each stage in which they are counted; those that are trained on are as many as there are steps.

    Returns
    -------
    float
        Millions of word pieces of the sides of pairs; changed texts are not counted.
    """
    from helpers.encoders.stages import batch_sides

    check_count(n_batches, "n_batches")
    tokenizer, total = model[0].tokenizer, 0.0
    for name, stage in recipe.stages().items():
        counts = [
            sum(len(one.ids) for one in tokenizer.encode_batch(sides, add_special_tokens=False))
            for sides in batch_sides(corpus.pairs, stage, corpus.language, n_batches)
        ]
        total += recipe.budget(name)["steps"] * float(np.mean(counts))
    return total / 1e6


def standing_rows(
    encoders: Mapping[str, Outputs],
    megabytes: Mapping[str, float],
    evaluation: str,
    speed_texts: Sequence[str],
    *,
    tasks: Sequence[str] = (),
    titles: tuple[Sequence[str], Sequence[str], Sequence[str]] | None = None,
    n_resamples: int = 200,
) -> pd.DataFrame:
    """Scores of encoders by task, what their outputs and titles find, and what they cost.

    Parameters
    ----------
    encoders
        By name: a function from texts to vectors, or several by the name of an output, of which one is chosen for each
        task; the speed is that of the slowest, and titles are looked for by the first.
    megabytes
        Size of each encoder that has weights.
    evaluation, tasks
        As :func:`helpers.studies.russian_runs.encoder_scores` takes them; without a folder only titles are looked for.
    speed_texts
        Texts by which speed is measured.
    titles
        Queries, passages and distractors of :func:`titles_and_distractors`; None for no retrieval.
    n_resamples
        Bootstrap samples of texts, for standard errors.

    Returns
    -------
    DataFrame
        ``encoder``, ``megabytes`` (0 without weights), ``per_second`` of a processor, ``slowest`` and ``fastest`` (of
        three), the columns of :func:`helpers.studies.russian_runs.encoder_scores`, ``se_published``, ``se_honest`` and
        what was ``chosen``. Beside tasks there are ``"mean S"`` of the first output alone (``"mean S, one output"``),
        and ``"recall@k"``.
    """
    import pandas as pd

    from helpers.tasks.recall import texts_per_second

    parts = []
    for name, outputs in encoders.items():
        several = dict(outputs) if isinstance(outputs, Mapping) else {"": outputs}
        first = next(iter(several.values()))
        speeds = [texts_per_second(one, speed_texts, clock="processor") for one in several.values()]
        speed = min(speeds, key=lambda found: found["median"])
        own = []
        if evaluation:
            own.append(encoder_scores(several, evaluation, tasks, n_resamples=n_resamples))
            if len(several) > 1:
                own.append(_of_one_output(first, evaluation, tasks, n_resamples))
        if titles is not None:
            own.append(_recall_rows(first, titles, n_resamples))
        if not own:
            own.append(pd.DataFrame({"task": ["none"]}))
        rows = pd.concat(own, ignore_index=True)
        about = {"encoder": name, "megabytes": megabytes.get(name, 0.0), "per_second": speed["median"]}
        parts.append(rows.assign(**about, slowest=speed["slowest"], fastest=speed["fastest"]))
    found = pd.concat(parts, ignore_index=True)
    costs = ["megabytes", "per_second", "slowest", "fastest"]
    return found[["encoder", *(name for name in found if name not in ("encoder", *costs)), *costs]].round(
        dict.fromkeys(costs[1:], 1)
    )


def _of_one_output(encode: Encode, evaluation: str, tasks: Sequence[str], n_resamples: int) -> pd.DataFrame:
    """The mean of an encoder without its other outputs, by the published rule alone."""
    from helpers.tasks.encodechka import encodechka_scores, mean_scores

    found = encodechka_scores(encode, evaluation, tasks or None, choice="published", n_resamples=n_resamples)
    table, name = (found.mean(numeric_only=True).to_frame().T, "mean") if tasks else (mean_scores(found)[:1], "mean S")
    return table.assign(task=f"{name}, one output", n=found["n"].sum()).drop(columns="chance", errors="ignore")


def _recall_rows(encode: Encode, titles: tuple[Sequence[str], ...], n_resamples: int) -> pd.DataFrame:
    """Recall among distractors, as rows beside those of tasks."""
    import pandas as pd

    from helpers.tasks.recall import recall_among

    def dense(texts: Iterable[str]) -> np.ndarray:
        vectors = encode(list(texts))
        return vectors.toarray() if hasattr(vectors, "toarray") else np.asarray(vectors)

    found = recall_among(dense, *map(list, titles), k=RECALLS, n_resamples=n_resamples)
    recall, n = found["recall"].to_numpy(), len(titles[0])
    error = np.sqrt(recall * (1 - recall) / n)
    return pd.DataFrame(
        {
            "task": [f"recall@{k}" for k in found.index],
            "n": n,
            "chance": found["chance"].to_numpy(),
            "published": recall,
            "honest": recall,
            "se_published": error,
            "se_honest": error,
        }
    )


# What comes with the book


def ship_encoder(
    model: SentenceTransformer, card: str, found: pd.DataFrame, folder: str | os.PathLike[str], *, largest: float = 3.5
) -> Path:
    """Write an encoder to a folder that comes with the book, with a card that says what it reaches.

    Parameters
    ----------
    model
        Bag of word pieces.
    card
        Text of its card, as of :class:`helpers.encoders.universal.TrainedEncoder`.
    found
        What was measured of it, rows of :func:`standing_rows`.
    folder
        Folder that is made if need be; an encoder in it is replaced.
    largest
        Largest size of a file of weights, in megabytes.

    Returns
    -------
    Path
        The folder that was written.

    Raises
    ------
    ValueError
        If the card has no section on the training, or nothing was measured.
    """
    from helpers.encoders.encoder_folders import save_sentence_encoder

    if "## Training" not in card or not len(found):
        raise ValueError("card has no section '## Training', or found has no rows; a trained encoder has both")
    lines = []
    for row in found.itertuples():
        both = [(row.published, row.se_published), (row.honest, row.se_honest)]
        told = " | ".join("" if np.isnan(score) else f"{score:.3f} ± {error:.3f}" for score, error in both)
        lines.append(f"| {row.task} | {told} |")
    table = "\n".join(lines)
    reached = f"""## What it reaches
On the eight sentence tasks of encodechka, with standard errors over the texts of the tests. The benchmark chooses one
of three vectors of the encoder and one of two classifiers for each task on the test part; the last column chooses on
the training part. "One output" is the mean of the word pieces alone, and recall is that of texts by their titles.

| task | chosen on the test part | chosen on the training part |
|---|---|---|
{table}

## Training"""
    name = os.fspath(folder).removeprefix("data/")
    told = card.replace("## Training", reached, 1).replace(
        "load_sentence_encoder(folder)", f'load_sentence_encoder("{name}")'
    )
    return save_sentence_encoder(model, folder, card=told, largest=largest)
