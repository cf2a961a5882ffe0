"""Trained inverters of Part IV: texts, the runs that are recorded, and what is measured of each."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import check_count
from helpers.inference import format_interval, interval
from helpers.inversion import (
    Inverter,
    against_floors,
    floors,
    inversion_scores,
    learn_names,
    near_duplicates,
    read_headlines,
    split_texts,
    token_accuracy,
)
from helpers.inversion.language import language_decoder, written_alone
from helpers.inversion.texts import normalise, paraphrased_across
from helpers.inversion.training import own_weights
from helpers.locations import expand, resolve
from helpers.studies.inversion_measures import STATES, fact_counts, meaning_scores, word_scores
from helpers.text import digest_of_texts
from helpers.training import has_bfloat16

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ENCODERS",
    "FLOORS",
    "HEADLINES",
    "KS",
    "POCKET",
    "POSITIONS",
    "Texts",
    "about_training",
    "card",
    "check_source",
    "corpus",
    "fit_pocket",
    "headline_inverter",
    "kept_corpus",
    "kept_language",
    "language_model",
    "measured",
    "paraphrased_in_training",
    "scored",
]

ENCODERS = ("own", "frozen", "trained")
"""Encoders of the recorded runs: one that is trained with the decoder from the beginning; the pocket BERT, as it is;
the same, trained further."""

PRECISION = "bfloat16" if has_bfloat16() else "float32"
"""Products of all recorded runs: one type on one machine, since what is timed may differ between two runs."""

POCKET = {
    "width": 256,
    "hidden": 128,
    "layers": 2,
    "n_heads": 8,
    "n_slots": 8,
    "vocabulary": 2000,
    "length": 48,
    "dropout": 0.0,
    "warmup": 100,
    "batch_tokens": 1024,
    "precision": PRECISION,
}
"""What all recorded runs have in common, unless they say otherwise."""

HEADLINES = {
    "width": 512,
    "hidden": 224,
    "layers": 2,
    "n_heads": 8,
    "n_slots": 8,
    "vocabulary": 4000,
    "length": 48,
    "dropout": 0.0,
    "precision": PRECISION,
    "patience": 1000,
}
"""The inverter that comes with the book."""

KS = (1, 2, 3, 5, 10, 15, 20, 25, 50, 100)
"""Numbers of likeliest tokens among which the right one is sought."""

POSITIONS = (1, 2, 4, 8, 12, 16)
"""Positions of a token, from 1, of which recorded runs keep the share of the likeliest."""

FLOORS = ("shuffled", "centre", "language", "drawn")
"""What writes without the vector of a text: another's vector, the mean vector, a language model by its likeliest text,
and by texts that are drawn from it."""


class Texts(NamedTuple):
    """Texts that share no near duplicates across parts, in random order.

    Attributes
    ----------
    train, validation, test
        Lists of texts.
    groups
        Group of near duplicates of each test text.
    repeated
        Number of texts that were left out, since an earlier one is the same letter for letter but for capitals.
    near
        Number of texts in all parts that have a near duplicate, which lies in the same part.
    """

    train: list[str]
    validation: list[str]
    test: list[str]
    groups: np.ndarray
    repeated: int = 0
    near: int = 0


def corpus(source: str, n_texts: int | None = None, *, rng: int = 0) -> Texts:
    """Texts of one source, split.

    Parameters
    ----------
    source
        ``"documentation"``: sentences of the installed libraries; ``"headlines"``: those in the folder
        ``financial_headlines`` of ``$BOOK_DATA``; else a file of one text a line, or ``FILE.csv:COLUMN``.
    n_texts
        Texts that are drawn from it before they are split; all if None.
    rng
        Seed of draw and split.

    Returns
    -------
    Texts

    Raises
    ------
    FileNotFoundError
        If the headlines or the file are not there.
    ValueError
        If there are fewer texts.
    """
    return split_of(_drawn(source, n_texts, rng), rng)


def kept_corpus(
    source: str, n_texts: int | None = None, folder: str | os.PathLike[str] | None = None, *, rng: int = 0
) -> Texts:
    """The split of :func:`corpus`, kept in a folder, as looking for near duplicates among all headlines takes a minute.

    Parameters
    ----------
    source, n_texts, rng
        Same meaning as in :func:`corpus`.
    folder
        Folder in which the split is kept, by the texts themselves, the seed and the code that splits them; None:
        nowhere.
    """
    texts = _drawn(source, n_texts, rng)
    if folder is None:
        return split_of(texts, rng)
    rules = [inspect.getsource(part) for part in RULES]
    digest = digest_of_texts([str(rng), *rules, *texts])
    file = Path(folder) / f"{Path(source).stem}-{digest[:16]}.json"
    if file.is_file():
        train, validation, test, groups, *counts = json.loads(file.read_text(encoding="utf-8"))
        return Texts(train, validation, test, np.array(groups), *counts)
    found = split_of(texts, rng)
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps([*found[:3], found.groups.tolist(), *found[4:]]), encoding="utf-8")
    os.replace(draft, file)
    return found


def _drawn(source: str, n_texts: int | None, rng: int) -> list[str]:
    """Texts of one source in its order, or as many as are asked for."""
    from helpers.text import read_texts, sentences

    check_source(source)
    if source == "documentation":
        return list(sentences(n_texts, rng=rng, words=(5, 20)))
    folder = resolve("financial_headlines")
    if source == "headlines":
        texts = read_headlines(folder)["text"].tolist()
    else:
        file, column = _file_of(source)
        texts = [normalise(text) or text for text in read_texts(file, column=column)]
    if n_texts is None:
        return texts
    check_count(n_texts, "n_texts", least=20, most=len(texts), why=f"(texts of {source})")
    rows = np.sort(np.random.default_rng(rng).permutation(len(texts))[:n_texts])
    return [texts[row] for row in rows]


def split_of(texts: Sequence[str], rng: int) -> Texts:
    """Texts, split by a seed, in random order."""
    split = split_texts(texts, rng=rng)
    mix = np.random.default_rng(rng)
    rows = [mix.permutation(part) for part in (split.train, split.validation, split.test)]
    sizes = np.bincount(np.delete(split.groups, split.dropped))
    parts = ([texts[row] for row in part] for part in rows)
    return Texts(*parts, split.groups[rows[2]], len(split.dropped), int(sizes[sizes > 1].sum()))


RULES = (split_texts, near_duplicates, split_of)
"""Functions whose code decides which texts lie in which part."""


def paraphrased_in_training(texts: Texts, *, least: float = 0.4) -> np.ndarray:
    """Which test headlines another agency tells of, in other words and on the same day, in the training part.

    The split keeps near duplicates on one side, from a cosine of words of 0.7 on; what is reworded more than that may
    lie on both.

    Parameters
    ----------
    texts
        Headlines, from :func:`corpus`.
    least
        Least cosine of words of two headlines of one event, as in
        :func:`helpers.inversion.texts.natural_paraphrases`.

    Returns
    -------
    ndarray of bool, shape (n_test,)

    Raises
    ------
    FileNotFoundError
        If there are no headlines.
    ValueError
        If a text is no headline of theirs.
    """
    check_source("headlines")
    return paraphrased_across(read_headlines(resolve("financial_headlines")), texts.train, texts.test, least=least)


def check_source(source: str) -> None:
    """Refuse a source of :func:`corpus` that is not there.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no headlines; the message says where they would have to be.
    """
    if source == "headlines" and not Path(resolve("financial_headlines")).is_dir():
        raise FileNotFoundError("source is 'headlines', and there is no folder financial_headlines in $BOOK_DATA")
    if source not in ("documentation", "headlines") and not expand(_file_of(source)[0]).is_file():
        raise FileNotFoundError(f"source is {source!r}, and there is no file {source}; or it is documentation")


def _file_of(source: str) -> tuple[str, str | None]:
    """A file, and the column of it that is named after a colon."""
    file, colon, column = source.rpartition(":")
    named = colon and not expand(source).is_file() and Path(file).suffix in (".csv", ".tsv", ".gz")
    return (file, column) if named else (source, None)


def fit_pocket(
    texts: Texts,
    *,
    encoder: str = "own",
    model: str = "encoders/bert",
    epochs: int = 3,
    rng: int = 0,
    **options: Any,
) -> Inverter:
    """One of the recorded runs: a small inverter, trained on the training texts.

    Parameters
    ----------
    texts
        Texts, from :func:`corpus`.
    encoder
        One of :data:`ENCODERS`.
    model
        Encoder that is frozen, or trained further.
    epochs
        Times that each text is seen.
    rng
        Seed of weights and batches.
    options
        Parameters of :class:`helpers.inversion.Inverter` in place of those of :data:`POCKET`.

    Raises
    ------
    ValueError
        If the encoder is none of them.
    """
    if encoder not in ENCODERS:
        raise ValueError(f"encoder is {encoder!r}; it is one of {', '.join(ENCODERS)}")
    which = {} if encoder == "own" else {"encoder": model, "train_encoder": encoder == "trained"}
    made = Inverter(**{**POCKET, **which, **options}, epochs=epochs, random_state=rng)
    return made.fit(texts.train)


def language_model(texts: Texts, *, epochs: int = 3, rng: int = 0, **options: Any) -> Inverter:
    """What knows the language of texts and no vector: the decoder of a recorded run, all its vectors being alike.

    Parameters
    ----------
    texts
        Texts, from :func:`corpus`.
    epochs
        Times that each text is seen.
    rng
        Seed of weights and batches.
    options
        Parameters of :class:`helpers.inversion.Inverter` in place of those of :data:`POCKET`.

    Returns
    -------
    Inverter
        Without an encoder; its vectors have one number, which says nothing.
    """
    return language_decoder(texts.train, **{**POCKET, **options}, epochs=epochs, random_state=rng)


def kept_language(
    texts: Texts, folder: str | os.PathLike[str], *, epochs: int = 3, rng: int = 0, **options: Any
) -> Inverter:
    """The language model of texts, trained once and kept, so that all runs of the same texts share it.

    Parameters
    ----------
    texts, epochs, rng, options
        Same meaning as in :func:`language_model`.
    folder
        Folder in which it is kept, in ``languages``, by a digest of training texts, epochs, seed and options.
    """
    settings = {**POCKET, **options, "epochs": epochs, "rng": rng, "texts": digest_of_texts(texts.train)}
    name = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]
    home = Path(folder) / "languages" / name
    if not (home / "inverter.json").is_file():
        made = language_model(texts, epochs=epochs, rng=rng, **options)
        home.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=home.parent))
        made.save(draft)
        try:
            os.replace(draft, home)
        except OSError:  # another run was faster
            shutil.rmtree(draft)
    return Inverter.load(home)


def measured(
    inverter: Inverter,
    texts: Texts,
    *,
    n_test: int = 300,
    beams: int = 5,
    language: Inverter | None = None,
    similarity: str | None = None,
    states: str | None = STATES,
    rng: int = 0,
) -> dict[str, Any]:
    """What one run reaches on test texts, and what is reached without their vectors.

    Parameters
    ----------
    inverter
        A fitted inverter with an encoder.
    texts
        Texts, of which the test part is read.
    n_test
        Most test texts.
    beams
        Beams of the search.
    language
        A language model of the same texts, from :func:`kept_language`: a floor; without it that floor is NaN.
    similarity, states
        Encoders that judge meaning, as in :func:`helpers.studies.inversion_measures.meaning_scores`.
    rng
        Seed of the order of shuffled vectors.

    Returns
    -------
    dict
        Under teacher forcing ``top_K`` for each of :data:`KS`, ``nats``, and ``top_1_at_P``, the share of the likeliest
        at position P; the same of shuffled vectors (``_shuffled``) and of the language model (``_language``).

        Written freely, by the likeliest token (``greedy``) and by beams: ``exact_WAY``, ``f1_WAY``, ``bleu_WAY``,
        ``chrf_WAY``, ``repetition_WAY``, ``seconds_WAY`` (of the processor, for all test texts); and with the same
        number of beams those scores of shuffled vectors (``f1_WAY_shuffled``), of the mean vector (``_centre``), of the
        language model's likeliest text (``_language``) and of texts drawn from it (``_drawn``); ``repetition_text`` of
        the texts themselves.

        Of what beams write: facts of :func:`helpers.studies.inversion_measures.fact_counts`, with ``facts_kept`` of
        each floor; similarity and matching of meaning, with that of each floor. ``n_test``; ``tokens`` and
        ``cpu_minutes`` of the training.

    Raises
    ------
    ValueError
        If the language model has other tokens.
    """
    test = texts.test[: check_count(n_test, "n_test")]
    x = inverter.encode(test)
    out: dict[str, Any] = {"n_test": len(test), **_forced(inverter, test, x, language)}
    for way, count in (("greedy", 1), ("beams", beams)):
        began = time.process_time()
        written = {"read": inverter.decode(x, beams=count)}
        out[f"seconds_{way}"] = time.process_time() - began
        written |= floors(inverter, x, beams=count, rng=rng) | written_alone(language, len(test), beams=count)
        for name in ("read", *FLOORS):
            end = "" if name == "read" else f"_{name}"
            scores = dict.fromkeys(("exact", "f1", "bleu", "chrf", "repetition"), np.nan)
            if name in written:
                scores = word_scores(test, written[name], lower=inverter.lower)
            out |= {f"{score}_{way}{end}": value for score, value in scores.items()}
    out["repetition_text"] = inversion_scores(test, test, lower=inverter.lower)["repetition"].mean()
    names = learn_names(texts.train)
    for name, some in written.items():
        counts = fact_counts(test, some, names)
        out |= counts if name == "read" else {f"facts_kept_{name}": counts["facts_kept"]}
    out |= meaning_scores(test, written, similarity=similarity, states=states, lower=inverter.lower)
    return out | {name: inverter.log_[-1][name] for name in ("tokens", "cpu_minutes")}


def _forced(inverter: Inverter, test: list[str], x: np.ndarray, language: Inverter | None) -> dict[str, float]:
    """What is right under teacher forcing: of vectors, of shuffled vectors, of a language model."""
    if language is not None and language.tokens_.tokenizer.to_str() != inverter.tokens_.tokenizer.to_str():
        raise ValueError("language has other tokens than inverter; train both on the same texts and vocabulary")
    order = np.roll(np.arange(len(test)), 1)
    readers = {"": (inverter, x), "_shuffled": (inverter, x[order])}
    if language is not None:
        readers["_language"] = language, np.zeros((len(test), 1), dtype=np.float32)
    out: dict[str, float] = {}
    for end, (reader, vectors) in readers.items():
        found = token_accuracy(reader, test, vectors=vectors, ks=KS)
        whole, at = found.attrs["all"], found.set_index("position")["top_1"]
        out |= {f"{name}{end}": value for name, value in whole.items() if name != "tokens"}
        out |= {f"top_1_at_{place}{end}": float(at.get(place - 1, np.nan)) for place in POSITIONS}
    if language is None:
        out |= {f"{name}_language": np.nan for name in out if not name.endswith("_shuffled")}
    return out


def headline_inverter(
    folder: str | os.PathLike[str], texts: Texts, *, minutes: float, n_validation: int = 1000, **options: Any
) -> Inverter:
    """The inverter that comes with the book: trained on all headlines within a budget.

    Parameters
    ----------
    folder
        Where training is kept, so that it goes on after an interruption.
    texts
        Headlines, from :func:`corpus`.
    minutes
        Budget of training, by the clock.
    n_validation
        Validation texts by whose loss the weights are chosen.
    options
        Parameters of :class:`helpers.inversion.Inverter` in place of those of :data:`HEADLINES`.
    """
    made = Inverter(**{**HEADLINES, **options}, minutes=minutes, folder=folder)
    return made.fit(texts.train, validation=texts.validation[:n_validation])


def scored(
    inverter: Inverter,
    texts: Texts,
    *,
    n_test: int = 1000,
    beams: int = 5,
    language: Inverter | None = None,
    again: np.ndarray | None = None,
    rng: int = 0,
) -> pd.DataFrame:
    """How much of test texts an inverter writes back, beside its floors, with intervals over texts.

    Parameters
    ----------
    inverter
        A fitted inverter with an encoder.
    texts
        Texts, of which the test part is read.
    n_test
        Most test texts.
    beams
        Beams of the search.
    language
        A language model of the same texts, from :func:`kept_language`: two more floors; None for none.
    again
        Which of all test texts are told again in training in other words, from :func:`paraphrased_in_training`.
    rng
        Seed of the intervals.

    Returns
    -------
    DataFrame
        The columns of :func:`helpers.inversion.against_floors` for each ``measure``, and ``n``, the number of texts;
        rows ``seconds`` (of decoding with beams, by the clock, on this machine) and ``top_K`` for each of :data:`KS`
        (teacher forcing) have no floor of vectors at the centre. With ``again``, rows ``told again``, their share, and
        ``token_f1 apart``, of the texts that are not.
    """
    import pandas as pd

    test = texts.test[:n_test]
    x = inverter.encode(test)
    began = time.perf_counter()
    written = inverter.decode(x, beams=beams)
    seconds = time.perf_counter() - began
    below = floors(inverter, x, beams=beams, rng=rng) | written_alone(language, len(test), beams=beams)
    options = {"names": learn_names(texts.train), "groups": texts.groups[:n_test], "rng": rng}
    table = against_floors(test, written, below, lower=inverter.lower, **options)
    forced = _forced(inverter, test, x, language)
    ends = {"read": "", "shuffled": "_shuffled", "language": "_language"}
    more = {f"top_{k}": {column: forced[f"top_{k}{end}"] for column, end in ends.items()} for k in KS}
    more["seconds"] = {"read": seconds}
    if again is not None:
        told = np.asarray(again[:n_test], dtype=bool)
        f1 = inversion_scores(test, written, lower=inverter.lower)["token_f1"].to_numpy()[~told]
        apart = interval(f1, method="percentile", n_resamples=999, rng=rng)
        more["told again"] = {"read": float(told.mean())}
        more["token_f1 apart"] = {"read": apart.estimate, "read_ci_low": apart.low, "read_ci_high": apart.high}
    table = pd.concat([table, pd.DataFrame.from_dict(more, orient="index")])
    return table.rename_axis("measure").assign(n=len(test), beams=beams)


def about_training(inverter: Inverter) -> dict[str, Any]:
    """How an inverter was trained, from its log: ``steps``, ``epochs``, ``tokens``, ``cpu_minutes``."""
    row = inverter.log_[-1]
    return {"steps": row["step"], "epochs": row["epoch"], **{name: row[name] for name in ("tokens", "cpu_minutes")}}


def card(inverter: Inverter, rows: pd.DataFrame, n_train: int) -> str:
    """The README of the inverter that comes with the book: what it is, how it was trained, what it reaches, limits.

    Parameters
    ----------
    inverter
        Fitted inverter that the card is about.
    rows
        What was measured of it, from :func:`scored`.
    n_train
        Number of training texts.
    """
    made, found = about_training(inverter), rows.reset_index()
    found = found[found["beams"] != 1].set_index("measure")
    count = sum(weight.numel() for weight in own_weights(inverter).values()) / 1e6
    shown = {"token_f1": "token F1", "exact": "word for word", "chrf": "chrF", "facts number": "numbers kept"}
    shown |= {"facts name": "names kept", "facts direction": "directions kept"}
    lines = [f"| {words} | {_said(found.loc[name])} |" for name, words in shown.items() if name in found.index]
    said = inverter.get_params()
    options = [f"| {name} | {said[name]} |" for name in HEADLINES if name != "patience"]
    return f"""# An inverter of headlines

One vector of {inverter.width} numbers for a headline, and a decoder that writes the headline from it;
{count:.2f} million parameters, weights in half precision.

```python
from helpers.inversion import Inverter

inverter = Inverter.load(folder)
inverter.decode(inverter.encode(["Oil falls for a third day"]), beams=5)
```

## Training
{n_train} headlines of CNBC, the Guardian and Reuters (2018 to 2020), near duplicates of validation and test headlines
left out: {made["steps"]} steps, {made["tokens"] / 1e6:.1f} million tokens, {made["epochs"]} whole epochs,
{made["cpu_minutes"]:.0f} minutes of one processor core.

## What it reaches
On {int(found["n"].iloc[0])} test headlines, five beams, with 95 % intervals over headlines; in brackets behind them
what the decoder writes of another headline's vector.

| | |
|---|---|
{chr(10).join(lines)}

## Data and limits
The headlines themselves are not part of the book, and their licence is not stated by who collected them; the weights
are given for study. The inverter knows the English of business news of those years, in small letters, and truncates
what is longer than {inverter.length} tokens. What it writes of other sentences is fluent and may be wrong: names and
numbers first.

## Recipe
| parameter | value |
|---|---|
{chr(10).join(options)}
"""


def _said(row: pd.Series) -> str:
    spec = ".1f" if row["read"] > 1 else ".3f"
    text = format_interval(row, "read", ("read_ci_low", "read_ci_high"), spec=spec)
    return text if np.isnan(row.get("shuffled", np.nan)) else f"{text} ({row['shuffled']:{spec}})"
