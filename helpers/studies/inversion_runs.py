"""Trained inverters of Part IV: texts, the runs that are recorded, and what is measured of each."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import check_count
from helpers.inference import format_interval
from helpers.inversion import (
    FACTS,
    Inverter,
    against_floors,
    facts_kept,
    floors,
    inversion_scores,
    learn_names,
    read_headlines,
    split_texts,
    token_accuracy,
)
from helpers.inversion.training import own_weights
from helpers.locations import expand, resolve

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ENCODERS",
    "HEADLINES",
    "POCKET",
    "Texts",
    "about_training",
    "card",
    "check_source",
    "corpus",
    "fit_pocket",
    "headline_inverter",
    "kept_shares",
    "measured",
    "scored",
]

ENCODERS = ("own", "frozen", "trained")
"""Encoders of the recorded runs: one that is trained with the decoder from the beginning; the pocket BERT, as it is;
the same, trained further."""

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
    "precision": "bfloat16",
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
    "precision": "bfloat16",
    "patience": 1000,
}
"""The inverter that comes with the book."""


class Texts(NamedTuple):
    """Texts that share no near duplicates across parts, in random order.

    Attributes
    ----------
    train, validation, test
        Lists of texts.
    groups
        Group of near duplicates of each test text.
    """

    train: list[str]
    validation: list[str]
    test: list[str]
    groups: np.ndarray


def corpus(source: str, n_texts: int | None = None, *, rng: int = 0) -> Texts:
    """Texts of one source, split.

    Parameters
    ----------
    source
        ``"documentation"``: sentences of the installed libraries; ``"headlines"``: those in the folder
        ``financial_headlines`` of ``$BOOK_DATA``; else a file of one text a line.
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
    from helpers.text import read_texts, sentences

    check_source(source)
    if source == "documentation":
        texts = sentences(n_texts, rng=rng, words=(5, 20))
    else:
        folder = resolve("financial_headlines")
        texts = read_headlines(folder)["text"].tolist() if source == "headlines" else list(read_texts(source))
        if n_texts is not None:
            check_count(n_texts, "n_texts", least=20, most=len(texts), why=f"(texts of {source})")
            rows = np.sort(np.random.default_rng(rng).permutation(len(texts))[:n_texts])
            texts = [texts[row] for row in rows]
    split = split_texts(texts, rng=rng)
    mix = np.random.default_rng(rng)
    rows = [mix.permutation(part) for part in (split.train, split.validation, split.test)]
    return Texts(*([texts[row] for row in part] for part in rows), split.groups[rows[2]])


def check_source(source: str) -> None:
    """Refuse a source of :func:`corpus` that is not there.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no headlines; the message says where they would have to be.
    """
    if source == "headlines" and not Path(resolve("financial_headlines")).is_dir():
        raise FileNotFoundError("source is 'headlines', and there is no folder financial_headlines in $BOOK_DATA")
    if source not in ("documentation", "headlines") and not expand(source).is_file():
        raise FileNotFoundError(f"source is {source!r}, and there is no file {source}; or it is documentation")


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


def measured(inverter: Inverter, texts: Texts, *, n_test: int = 300, beams: int = 5, rng: int = 0) -> dict[str, Any]:
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
    rng
        Seed of the order of shuffled vectors.

    Returns
    -------
    dict
        ``top_1``, ``top_5``, ``nats`` under teacher forcing, and the same of shuffled vectors; ``f1``, ``exact``,
        ``chrf`` and ``repetition`` of what is written freely, with one beam (``_greedy``) and several (``_beams``);
        ``f1_shuffled``, ``f1_centre``, ``repetition_text``; those of :func:`kept_shares`; ``tokens`` and
        ``cpu_minutes`` of the training.
    """
    test = texts.test[: check_count(n_test, "n_test")]
    x = inverter.encode(test)
    out: dict[str, Any] = {"n_test": len(test)}
    order = np.roll(np.arange(len(test)), 1)
    for end, rows in (("", slice(None)), ("_shuffled", order)):
        found = token_accuracy(inverter, test, vectors=x[rows], ks=(1, 5)).attrs["all"]
        out |= {f"{name}{end}": found[name] for name in ("top_1", "top_5", "nats")}
    for name, count in (("greedy", 1), ("beams", beams)):
        written = inverter.decode(x, beams=count)
        scores = inversion_scores(test, written, lower=inverter.lower).mean()
        out |= {f"{column}_{name}": scores[column] for column in ("exact", "chrf", "repetition")}
        out[f"f1_{name}"] = scores["token_f1"]
    out["repetition_text"] = inversion_scores(test, test)["repetition"].mean()
    for name, without in floors(inverter, x, beams=1, rng=rng).items():
        out[f"f1_{name}"] = inversion_scores(test, without, lower=inverter.lower)["token_f1"].mean()
    return (
        out | kept_shares(texts, test, written) | {name: inverter.log_[-1][name] for name in ("tokens", "cpu_minutes")}
    )


def kept_shares(texts: Texts, test: Sequence[str], written: Sequence[str]) -> dict[str, float]:
    """Share of the facts of test texts that was kept, by kind: ``kept_number`` and so on; NaN where there are none.

    Parameters
    ----------
    texts
        Texts, from whose training part names are told from other words.
    test, written
        Test texts, and what was written of each.
    """
    found = facts_kept(test, written, learn_names(texts.train)).groupby("kind")[["facts", "kept"]].sum()
    return {f"kept_{kind}": float(found["kept"][kind] / (found["facts"][kind] or np.nan)) for kind in FACTS}


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


def scored(inverter: Inverter, texts: Texts, *, n_test: int = 1000, beams: int = 5, rng: int = 0) -> pd.DataFrame:
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
    rng
        Seed of the intervals.

    Returns
    -------
    DataFrame
        The columns of :func:`helpers.inversion.against_floors` for each ``measure``, and ``n``, the number of texts;
        rows ``seconds`` (of decoding with beams, by the clock, on this machine) and ``top_1``, ``top_5`` (teacher
        forcing) have no floor of vectors at the centre.
    """
    import pandas as pd

    test = texts.test[:n_test]
    x = inverter.encode(test)
    began = time.perf_counter()
    written = inverter.decode(x, beams=beams)
    seconds = time.perf_counter() - began
    below = floors(inverter, x, beams=beams, rng=rng)
    options = {"names": learn_names(texts.train), "groups": texts.groups[:n_test], "rng": rng}
    table = against_floors(test, written, below, lower=inverter.lower, **options)
    forced = [
        token_accuracy(inverter, test, vectors=x[rows], ks=(1, 5)).attrs["all"]
        for rows in (slice(None), np.roll(np.arange(len(test)), 1))
    ]
    more = {name: {"read": forced[0][name], "shuffled": forced[1][name]} for name in ("top_1", "top_5")}
    more["seconds"] = {"read": seconds}
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
