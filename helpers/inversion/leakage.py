"""How much of a text its vector gives away: a decoder is trained on vectors with their texts, and read on others."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers.arrays import check_count, check_number, single_precision
from helpers.errors import Argument, OutputExistsError
from helpers.inference import Interval, interval
from helpers.inputs import read
from helpers.inversion.facts import FACTS, facts_kept, learn_names
from helpers.inversion.inverter import Inverter, checked_texts
from helpers.inversion.language import language_decoder, written_alone
from helpers.inversion.measures import SCORES, floors, inversion_scores
from helpers.inversion.texts import split_texts

__all__ = ["Leakage", "against_floors", "leakage", "leakage_of_files"]

REPORT, KEPT = "report.json", "training"

NOT_HIGHER = ("repetition", "changed", "lost", "invented")
"""Measures, and outcomes of facts, of which more is not better."""

FEW = 2000
"""Training texts below which it says little that nothing was read."""

FLOORS = ("shuffled", "centre", "language", "drawn")
"""What is written without the vector of a text: the columns of a table of leakage."""

ALONE = 1 / 3
"""Share of the minutes of training that a language model may take besides."""

LEAST = 200
"""Distinct texts below which nothing is learned and nothing is told."""


@dataclass(frozen=True)
class Leakage:
    """What was read of vectors.

    Attributes
    ----------
    table : DataFrame
        A row for each score (``exact``, ``token_f1``, ``bleu``, ``chrf``, ``repetition``) and each outcome of each kind
        of fact (``facts number``: share kept, ``facts number changed``, …), as :func:`against_floors` gives them:
        ``read`` (the texts from their vectors), ``shuffled`` (from another text's vector), ``centre`` (from the mean
        vector), ``language`` (the likeliest text of a language model that has no vectors) and ``drawn`` (texts drawn
        from it), each with ``_ci_low`` and ``_ci_high``; ``gain``, ``read`` less the highest floor, with its paired
        interval, where higher is better; ``originals``. Units of resampling are groups of near duplicates.
    examples : DataFrame
        ``row``, ``text``, ``read`` and ``token_f1`` of the texts that were read, the best first.
    inverter : Inverter
        What was trained to read the vectors.
    rows : dict of str to ndarray
        Rows of ``train``, ``validation`` and ``test``, those ``dropped`` as repeated, and those among the first three
        whose texts are longer than the decoder writes, ``truncated``.
    """

    table: pd.DataFrame
    examples: pd.DataFrame
    inverter: Inverter
    rows: dict[str, np.ndarray]

    def conclusion(self) -> str:
        """What it comes to, in a sentence."""
        f1, exact = self.table.loc["token_f1"], self.table.loc["exact"]
        floor = max(f1[name] for name in FLOORS)
        if f1["gain_ci_low"] <= 0:
            n = len(self.rows["train"])
            few = f"; a decoder that learned from {n} texts hardly writes, so this is no sign of safety" * (n < FEW)
            return (
                f"Nothing was read beyond what other texts' vectors, the mean vector and no vector give: "
                f"{f1['read']:.0%} of the words came back, and {floor:.0%} from those{few}"
            )
        return (
            f"From a vector alone {f1['read']:.0%} of the words of a text come back "
            f"[{f1['read_ci_low']:.0%}, {f1['read_ci_high']:.0%}] (token F1), where another text's "
            f"vector, the mean vector or no vector gives {floor:.0%}; {exact['read']:.0%} of the texts word for word"
        )


def leakage(
    texts: Sequence[str],
    vectors: Any,
    *,
    minutes: float = 3.0,
    beams: int = 5,
    test: float = 0.1,
    n_test: int = 1000,
    folder: str | os.PathLike[str] | None = None,
    rng: int = 0,
    progress: Callable[[str], Any] = lambda words: None,
    **options: Any,
) -> Leakage:
    """Train a decoder on some vectors with their texts, and read texts that it never saw from their vectors.

    Parameters
    ----------
    texts
        A text for each row.
    vectors : array_like of shape (n, p)
        Vectors of somebody's encoder.
    minutes
        Budget of training. A language model, which is one of the floors, is trained besides: as often over the texts,
        for at most a third of these minutes.
    beams
        Beams of the search.
    test
        Share of the distinct texts to be read, and again as much to stop training by; near duplicates stay on one side.
    n_test
        Most texts that are read.
    folder
        Where training is kept, so that it goes on after an interruption.
    rng
        Seed of the split, of training and of the intervals.
    progress
        Called with what is done next.
    options
        Other parameters of :class:`helpers.inversion.Inverter`.

    Returns
    -------
    Leakage

    Warns
    -----
    UserWarning
        If texts are longer than the decoder writes, which ``length=`` among the options sets; the warning counts them.

    Raises
    ------
    ValueError
        If there are fewer than 200 distinct texts, nearly all are near duplicates, lengths differ, a text is blank, or
        a vector is not finite.

    Notes
    -----
    What is not read here may be read by a better decoder with more data: the result is a lower bound of what vectors
    give away.
    """
    _check_budgets(minutes, beams, rng)
    texts = checked_texts(texts, "texts")
    x = single_precision(vectors, "vectors")
    if len(x) != len(texts):
        raise ValueError(f"vectors has {len(x)} rows, and there are {len(texts)} texts; a row for each text is needed")
    progress("looking for near duplicates")
    split = split_texts(texts, validation=test, test=test, rng=rng)
    if (n := len(texts) - len(split.dropped)) < LEAST:
        raise ValueError(f"{n} of {len(texts)} texts are distinct; at least {LEAST} are needed to learn to read them")

    if not min(len(split.train), len(split.validation), len(split.test)):
        raise ValueError(
            f"nearly all of the {n} distinct texts are near duplicates of one another, and those stay on one side of "
            "the split, so that one side is empty; texts of more kinds are needed"
        )

    def taken(rows: np.ndarray) -> list[str]:
        return [texts[i] for i in rows]

    progress(f"training a decoder on {len(split.train)} texts for up to {minutes:g} minutes")
    inverter = Inverter(minutes=minutes, folder=folder, random_state=rng, **options)
    held = split.validation[:2000]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\d+ of \d+ texts are longer")  # told below, by the rows given here
        inverter.fit(taken(split.train), vectors=x[split.train], validation=taken(held), validation_vectors=x[held])
    chosen = np.sort(np.random.default_rng(rng).permutation(split.test)[:n_test])
    progress(f"reading {len(chosen)} texts from their vectors")
    wanted = taken(chosen)
    written, below = inverter.decode(x[chosen], beams=beams), floors(inverter, x[chosen], beams=beams, rng=rng)
    progress(f"training a language model, which sees no vector, for up to {ALONE * minutes:.2g} minutes")
    alone = language_decoder(
        taken(split.train), **_beside(inverter), folder=None if folder is None else Path(folder) / "language"
    )
    below |= written_alone(alone, len(chosen), beams=beams)
    options = {"names": learn_names(taken(split.train)), "groups": split.groups[chosen], "lower": inverter.lower}
    table = against_floors(wanted, written, below, **options, rng=rng)
    f1 = inversion_scores(wanted, written, lower=inverter.lower)["token_f1"]
    examples = pd.DataFrame({"row": chosen, "text": wanted, "read": written, "token_f1": f1})
    rows = {"train": split.train, "validation": held, "test": chosen, "dropped": split.dropped}
    rows["truncated"] = _too_long(inverter, texts, np.concatenate([split.train, held, chosen]))
    order = examples["token_f1"].argsort(kind="stable")[::-1]
    return Leakage(table, examples.iloc[order].reset_index(drop=True), inverter, rows)


def _beside(inverter: Inverter) -> dict[str, Any]:
    """Parameters of a language model that is trained as an inverter was: as many epochs, a share of its minutes."""
    options = inverter.get_params() | {"minutes": ALONE * inverter.minutes}
    options["epochs"] = max(1, inverter.log_[-1]["epoch"])
    del options["folder"]
    return options


def _check_budgets(minutes: float, beams: int, rng: int) -> None:
    """Refuse, before anything is computed, what would be refused after it."""
    check_number(minutes, "minutes", lambda value: 0 < value < np.inf, "a number above 0")
    check_count(beams, "beams")
    check_count(rng, "rng", least=0)


def _too_long(inverter: Inverter, texts: Sequence[str], rows: np.ndarray) -> np.ndarray:
    """Those of some rows whose texts are longer than the decoder writes; a warning counts them."""
    found = np.sort(rows[inverter.tokens_.rows([texts[i] for i in rows], inverter.length).truncated])
    if len(found):
        warnings.warn(
            f"{len(found)} of {len(rows)} texts are longer than the {inverter.length} tokens that the decoder writes, "
            f"the first of them row {found[0]}; their ends count as not read. Pass a larger length to read them whole",
            stacklevel=3,
        )
    return found


def against_floors(
    texts: Sequence[str],
    read: Sequence[str],
    below: Mapping[str, Sequence[str]],
    *,
    names: Collection[str] = (),
    groups: Any = None,
    lower: bool = True,
    rng: int = 0,
) -> pd.DataFrame:
    """What was read of vectors, beside what is written of vectors that say nothing of the text.

    Parameters
    ----------
    texts, read
        Texts, and what was written of their vectors.
    below
        What was written without them, by the name of the floor, as :func:`helpers.inversion.floors` gives it.
    names
        Words that are names; see :func:`helpers.inversion.learn_names`.
    groups
        Group of near duplicates of each text: the units of resampling; by default each text is one.
    lower
        Whether capitals are disregarded.
    rng
        Seed of the intervals.

    Returns
    -------
    DataFrame
        A row for each score of :func:`helpers.inversion.inversion_scores`, and four for each kind of fact that the
        texts have, in shares of these facts: ``facts KIND`` (kept), ``facts KIND changed``, ``facts KIND lost`` (these
        three sum to 1) and ``facts KIND invented``, which may exceed 1. Columns ``read`` and one for each floor, each
        with ``_ci_low`` and ``_ci_high``; ``gain``, ``read`` less the highest floor, with its paired interval, NaN
        where higher is not better (repetition, and facts changed, lost and invented); and ``originals``, what the texts
        themselves would have.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    groups = np.arange(len(texts)) if groups is None else np.asarray(groups)
    found = {"read": read, **below, "originals": texts}
    values = {name: _values(texts, written, names, lower) for name, written in found.items()}
    options: dict[str, Any] = {"groups": groups, "n_resamples": 999, "method": "percentile", "rng": rng}
    rows = {}
    for measure in values["read"]:
        by_name = {name: of[measure] for name, of in values.items()}
        if not by_name["read"][:, 1].sum():
            continue
        row: dict[str, float] = {}
        for name in ("read", *below):
            row |= _said(name, interval(by_name[name], _share, **options))
        gain = Interval(np.nan, np.nan, np.nan, np.nan)
        if measure not in NOT_HIGHER and measure.rpartition(" ")[2] not in NOT_HIGHER:
            floor = max(below, key=lambda name: row[name])
            both = np.column_stack([by_name["read"], by_name[floor][:, 0]])
            gain = interval(both, _gain, **options)
        rows[measure] = row | _said("gain", gain) | {"originals": _share(by_name["originals"])}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("measure")


def _values(texts: Sequence[str], written: Sequence[str], names: Collection[str], lower: bool) -> dict[str, np.ndarray]:
    """For each measure an array (n, 2): what counts for a text, and its weight."""
    scores = inversion_scores(texts, written, lower=lower)
    out = {name: np.column_stack([scores[name], np.ones(len(texts))]) for name in SCORES}
    kept = facts_kept(texts, written, names)
    for kind in FACTS:
        of_kind = kept[kept["kind"] == kind]
        for outcome in ("kept", "changed", "lost", "invented"):
            name = f"facts {kind}" if outcome == "kept" else f"facts {kind} {outcome}"
            out[name] = of_kind[[outcome, "facts"]].to_numpy(dtype=float)
    return out


def _share(pairs: np.ndarray) -> float:
    return float(pairs[:, 0].sum() / max(pairs[:, 1].sum(), 1e-12))


def _gain(rows: np.ndarray) -> float:
    return float((rows[:, 0] - rows[:, 2]).sum() / max(rows[:, 1].sum(), 1e-12))


def _plain(table: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    """Rows of a table as JSON has them, null for what is missing."""
    rows = table.to_dict(orient="index")
    return {str(row): {name: None if np.isnan(x) else x for name, x in values.items()} for row, values in rows.items()}


def _said(name: str, found: Interval) -> dict[str, float]:
    return {name: found.estimate, f"{name}_ci_low": found.low, f"{name}_ci_high": found.high}


def leakage_of_files(
    source: Any,
    folder: str | os.PathLike[str],
    *,
    text: str,
    overwrite: bool = False,
    progress: Callable[[str], Any] = lambda words: None,
    minutes: float = 3.0,
    beams: int = 5,
    length: int = 48,
    rng: int = 0,
    **reading: Any,
) -> dict[str, Leakage]:
    """Read texts from the vectors of embeddings in files, each by a decoder of its own.

    Parameters
    ----------
    source
        Embeddings, as :func:`helpers.inputs.read` takes them.
    folder
        Folder that is made, or gone on with after an interruption: for each embedding ``NAME/table.csv``,
        ``NAME/examples.csv`` and ``NAME/decoder``, which :meth:`helpers.inversion.Inverter.load` reads; and
        ``report.json`` with the conclusions at the end.
    text
        Column, array or file of the texts, as for :func:`helpers.inputs.read`.
    overwrite
        Whether to replace a finished folder.
    progress
        Called with what is done next.
    minutes, beams, rng
        As of :func:`leakage`; minutes for each embedding.
    length
        Most tokens of a text that the decoder writes.
    reading
        ``names``, ``ids`` and ``missing`` of :func:`helpers.inputs.read`.

    Returns
    -------
    dict of str to Leakage

    Raises
    ------
    FileExistsError
        If the folder is finished, or holds something else.
    ValueError
        As :func:`helpers.inputs.read` and :func:`leakage`.
    """
    _check_budgets(minutes, beams, rng)
    check_count(length, "length", least=2)
    folder = Path(folder).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; name a folder that is empty or not there")
    if (folder / REPORT).is_file() and not overwrite:
        raise OutputExistsError(f"{folder} is finished; to replace it, pass ", Argument("overwrite", True))
    if folder.is_dir() and any(folder.iterdir()) and not (folder / REPORT).is_file() and not (folder / KEPT).is_dir():
        raise FileExistsError(f"{folder} is there and was not made by this; name a folder that is empty or not there")
    progress("reading")
    inputs = read(source, text=text, **reading)
    (folder / KEPT).mkdir(parents=True, exist_ok=True)
    (folder / REPORT).unlink(missing_ok=True)
    found, said = {}, {}
    for name, x in inputs.representations.items():
        result = leakage(
            inputs.texts.tolist(),
            x,
            minutes=minutes,
            beams=beams,
            length=length,
            rng=rng,
            folder=folder / KEPT / name,
            progress=lambda words, name=name: progress(f"{name}: {words}"),
        )
        out = folder / name
        out.mkdir(parents=True, exist_ok=True)
        result.table.to_csv(out / "table.csv", float_format="%.4f")
        examples = result.examples.assign(id=inputs.ids[result.examples["row"]])
        examples[["id", "text", "read", "token_f1"]].to_csv(out / "examples.csv", index=False, float_format="%.4f")
        result.inverter.save(out / "decoder")
        found[name] = result
        said[name] = {
            "conclusion": result.conclusion(),
            "scores": _plain(result.table),
            "rows": {part: len(rows) for part, rows in result.rows.items()},
        }
    (folder / REPORT).write_text(json.dumps(said, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    shutil.rmtree(folder / KEPT)
    return found
