"""Stages in which a sentence encoder learns from pairs: contrast, angles, instructions, hard negatives; each resumable.

An encoder is a ``SentenceTransformer``, of the cheapest kind (:func:`bag_encoder`, the mean of the vectors of its word
pieces) or a transformer with mean pooling (:func:`transformer_encoder`). Losses are those of sentence-transformers; the
loop is :func:`helpers.training.train`, so that a stage that was stopped at any moment goes on to the same weights.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, check_number
from helpers.encoders.pieces import SPECIAL, word_pieces
from helpers.locations import expand
from helpers.pairs.heuristics import HEURISTICS
from helpers.text import digest_of_texts

if TYPE_CHECKING:
    import pandas as pd
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

    from helpers.training import Trained

__all__ = [
    "INSTRUCTIONS",
    "STAGES",
    "Stage",
    "bag_encoder",
    "batch_sides",
    "check_stage_data",
    "consistent_negatives",
    "learn_pieces",
    "stage_groups",
    "stage_loss",
    "train_stage",
    "transformer_encoder",
]

#: Words before the sides of a pair, by language: of a query (both sides of a symmetric pair), and of a passage.
INSTRUCTIONS = {"ru": ("запрос: ", "текст: "), "en": ("query: ", "passage: ")}
LOSSES = ("contrastive", "angle", "cosent")


@dataclass(frozen=True)
class Stage:
    """What an encoder learns in a stage.

    Attributes
    ----------
    kinds
        Kinds of pairs that it learns from, as in :data:`helpers.pairs.HEURISTICS`.
    losses
        Some of ``"contrastive"`` (the other texts of a batch are negatives, in both directions), ``"angle"`` and
        ``"cosent"`` (pairs are ordered by their label); their sum is minimised.
    instructions
        Whether sides get words before them that say what they are.
    batch
        Pairs of a batch, all of one source and kind, so that the source gives nothing away.
    rate
        Highest learning rate of AdamW; it rises over ``warmup`` steps and falls with the budget.
    temperature
        Temperature of the cosines, above 0.
    warmup
        Steps over which the rate rises.
    largest
        Pairs of one source and kind that count, at most: a group is drawn in proportion to the root of their number.
    single
        Factor of that for kinds whose sides are single words.
    """

    kinds: tuple[str, ...]
    losses: tuple[str, ...] = ("contrastive",)
    instructions: bool = False
    batch: int = 128
    rate: float = 1e-3
    temperature: float = 0.05
    warmup: int = 30
    largest: int = 30_000
    single: float = 0.3

    def __post_init__(self):
        if unknown := [kind for kind in self.kinds if kind not in HEURISTICS]:
            raise ValueError(f"kinds has {', '.join(map(repr, unknown))}; there are {', '.join(HEURISTICS)}")
        if not self.losses or any(loss not in LOSSES for loss in self.losses):
            raise ValueError(f"losses is {self.losses!r}; some of {', '.join(map(repr, LOSSES))} are needed")
        check_count(self.batch, "batch", least=2)
        for name in ("rate", "temperature", "largest", "single"):
            check_number(getattr(self, name), name, lambda value: value > 0, "a number above 0")


#: Stages of the published recipe, in its order, on the pairs of free documentation.
STAGES: dict[str, Stage] = {
    "query and passage": Stage(("title", "question", "summary", "query", "definition", "example")),
    "symmetric": Stage(
        ("same sense", "same English", "paraphrase", "entailment", "translation", "synonym", "neighbour"),
        losses=("contrastive", "angle"),
    ),
    "asymmetric": Stage(
        ("title", "question", "instruction", "summary", "query", "definition", "example"), instructions=True
    ),
}


# Encoders


def learn_pieces(texts: Iterable[str], size: int = 8000, *, alphabet: int = 300) -> Tokenizer:
    """A vocabulary of word pieces in lower case that leaves й and ё as they are.

    Parameters
    ----------
    texts
        Texts to learn from.
    size
        Pieces, at most.
    alphabet
        Distinct characters, at most.

    Returns
    -------
    tokenizers.Tokenizer
        A tokeniser without special tokens around a text; unknown characters become ``[UNK]``.

    Raises
    ------
    ValueError
        If there are no texts.
    """
    found = word_pieces(texts, size, alphabet=alphabet, strip_accents=False)
    if found.get_vocab_size() <= len(SPECIAL):
        raise ValueError("texts has no words; a vocabulary is learned from some texts")
    return found


def bag_encoder(tokenizer: Tokenizer, width: int = 128, *, rng: int | np.random.Generator = 0) -> SentenceTransformer:
    """The cheapest encoder that can learn from pairs: the mean of the vectors of the word pieces of a text.

    Parameters
    ----------
    tokenizer
        Word pieces, as :func:`learn_pieces` gives.
    width
        Features of a vector.
    rng
        Seed or generator of the first vectors, which are normal of standard deviation 0.1.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    from helpers.arrays import generator

    check_count(width, "width")
    vectors = generator(rng).normal(scale=0.1, size=(tokenizer.get_vocab_size(), width)).astype(np.float32)
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=vectors)], device="cpu")


def transformer_encoder(folder: str | os.PathLike[str], *, length: int = 64) -> SentenceTransformer:
    """A transformer of a folder, such as a masked language model, whose vector is the mean over its tokens.

    Parameters
    ----------
    folder
        Folder with the model and its tokeniser in the format of the library transformers.
    length
        Tokens of a text that count, at most.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    from helpers.encoders.extraction import quiet

    place = Path(expand(folder))
    if not (place / "config.json").is_file():
        raise FileNotFoundError(f"there is no model in {place}: config.json is missing")
    with quiet():
        transformer = Transformer(str(place), max_seq_length=length)
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    return SentenceTransformer(modules=[transformer, pooling], device="cpu")


# Batches


def check_stage_data(pairs: pd.DataFrame, negatives: pd.DataFrame | None = None) -> None:
    """Refuse pairs and negatives that would teach nothing, or the opposite of what they say.

    Parameters
    ----------
    pairs
        Table of pairs with the columns ``source``, ``kind``, ``left`` and ``right``.
    negatives
        Texts beside their changes with the columns ``text``, ``changed`` and ``positive``; None for none.

    Raises
    ------
    ValueError
        If a column is missing; a text is none, or empty; a kind is unknown; both sides are the same text, but for case
        and spaces, as is a change and its text; ``positive`` is neither true nor false; or the change of a text is a
        positive in one row and a negative in another, or a negative and a pair. The row is told, counted from 0.
    """
    left, right = _texts(pairs, "pairs", ("source", "kind"), ("left", "right"))
    for row in np.flatnonzero(~pairs["kind"].isin(list(HEURISTICS)).to_numpy())[:1]:
        kinds = ", ".join(map(repr, HEURISTICS))
        raise ValueError(f"pairs has the kind {pairs['kind'].iloc[row]!r} in row {row}; there are {kinds}")
    for row, source in enumerate(pairs["source"]):
        if not isinstance(source, str):
            raise ValueError(f"pairs has {source!r} for source in row {row}; a text is needed")
    if negatives is None:
        return
    text, changed = _texts(negatives, "negatives", ("positive",), ("text", "changed"))
    if not len(negatives):
        raise ValueError("negatives has no rows; None stands for no negatives")
    for row in np.flatnonzero(~negatives["positive"].isin([True, False]).to_numpy())[:1]:
        told = negatives["positive"].iloc[row]
        raise ValueError(f"negatives has {told!r} for positive in row {row}; it is True or False")
    positive = negatives["positive"].to_numpy(bool)
    wrong = {both: row for row, both in enumerate(zip(text, changed, strict=True)) if not positive[row]}
    for row in np.flatnonzero(positive).tolist():
        if (other := wrong.get((text[row], changed[row]))) is not None:
            rows = sorted((row, other))
            raise ValueError(
                f"negatives has one change in the rows {rows[0]} and {rows[1]}, as positive and as negative"
            )
    for row, (one, other) in enumerate(zip(left, right, strict=True)):
        if (found := wrong.get((one, other), wrong.get((other, one)))) is not None:
            raise ValueError(f"negatives has as a negative in row {found} what is a pair in row {row} of pairs")


def consistent_negatives(negatives: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Changed texts without those that contradict pairs or each other, which rules bring about now and then.

    Of neighbouring entries of a help page, "to the front" and "to the back", one is what a rule makes of the other.

    Parameters
    ----------
    negatives
        Texts beside their changes, as :func:`helpers.pairs.made_pairs` gives.
    pairs
        Table of pairs that are learned from besides.

    Returns
    -------
    DataFrame
        Without rows whose change is their text, changes of a text that are positive and negative, and negatives that
        are a pair, in either direction; but for case and outer spaces.
    """
    import pandas as pd

    def keys(table: pd.DataFrame, *names: str) -> pd.MultiIndex:
        return pd.MultiIndex.from_arrays([table[name].str.strip().str.casefold() for name in names])

    made = keys(negatives, "text", "changed")
    positive = negatives["positive"].to_numpy(bool)
    same = made.get_level_values(0) == made.get_level_values(1)
    both = made.isin(made[positive]) & made.isin(made[~positive])
    told = made.isin(keys(pairs, "left", "right")) | made.isin(keys(pairs, "right", "left"))
    return negatives[~same & ~both & (positive | ~told)]


def _texts(table: pd.DataFrame, name: str, others: Sequence[str], sides: Sequence[str]) -> list[list[str]]:
    """Two columns of texts without case and outer spaces, none of which is empty or the same as its neighbour."""
    if absent := [column for column in (*others, *sides) if column not in table.columns]:
        there = ", ".join(map(repr, map(str, table.columns)))
        raise ValueError(f"{name} has no column {', '.join(map(repr, absent))}; its columns are {there}")
    found = []
    for side in sides:
        texts = list(table[side])
        for row, text in enumerate(texts):
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"{name} has {text!r} for {side} in row {row}; a text is needed")
        found.append([text.strip().casefold() for text in texts])
    for row, (one, other) in enumerate(zip(*found, strict=True)):
        if one == other:
            both = " and ".join(sides)
            raise ValueError(f"{name} has one text for {both} in row {row}: {table[sides[0]].iloc[row]!r}")
    return found


def _some_differ(left: Sequence[str], right: Sequence[str]) -> bool:
    """Whether some two pairs differ on both sides, so that each is a negative of the other."""
    others = {(a != left[0], b != right[0]) for a, b in zip(left, right, strict=True)}
    return (True, True) in others or {(True, False), (False, True)} <= others


def stage_groups(pairs: pd.DataFrame, stage: Stage) -> pd.DataFrame:
    """What a stage learns from, and what it leaves out because no batch can be made of it.

    Parameters
    ----------
    pairs
        Table of pairs.
    stage
        What is learned, as in :data:`STAGES`.

    Returns
    -------
    DataFrame
        A row for each ``source`` (``"across"`` for pairs of two sources) and ``kind`` of the stage: number of ``pairs``
        and whether they are ``learned``. They are if they fill a batch and some two of them differ on both sides.
    """
    import pandas as pd

    rows = [(source, kind, len(rows), usable) for source, kind, rows, usable in _grouped(pairs, stage)]
    return pd.DataFrame(rows, columns=["source", "kind", "pairs", "learned"]).astype({"pairs": int, "learned": bool})


def _grouped(pairs: pd.DataFrame, stage: Stage) -> Iterator[tuple[str, str, pd.DataFrame, bool]]:
    """Source, kind and pairs of each group of a stage, and whether batches can be made of it."""
    chosen = pairs[pairs["kind"].isin(stage.kinds)]
    source = chosen["source"].where(~chosen["source"].str.contains(r"\+"), "across")
    for (name, kind), rows in chosen.groupby([source, chosen["kind"]], sort=True):
        usable = len(rows) >= stage.batch and _some_differ(list(rows["left"]), list(rows["right"]))
        yield name, kind, rows, usable


class _PairGroups:
    """Pairs of one source and kind together, and batches of them in which no text stands twice on one side."""

    def __init__(self, pairs: pd.DataFrame, stage: Stage, language: str, negatives: pd.DataFrame | None):
        self.stage = stage
        self.groups: list[tuple[list[str], list[str], str]] = []
        sizes, total = [], 0
        for _, kind, rows, usable in _grouped(pairs, stage):
            total += len(rows)
            if usable:
                self.groups.append((list(rows["left"]), list(rows["right"]), kind))
                factor = stage.single if HEURISTICS[kind].words and HEURISTICS[kind].symmetric else 1.0
                sizes.append(min(len(rows), stage.largest) ** 0.5 * factor)
        if not self.groups:
            raise ValueError(
                f"no source has {stage.batch} pairs of one of the kinds {', '.join(map(repr, stage.kinds))}: "
                f"pairs has {total} of them in all, of which some two of one source must differ on both sides"
            )
        self.shares = np.array(sizes) / sum(sizes)
        self.words = INSTRUCTIONS[language] if stage.instructions else ("", "")
        self.symmetric = {kind: heuristic.symmetric for kind, heuristic in HEURISTICS.items()}
        self.negatives = None
        if negatives is not None:
            table = negatives[["text", "changed", "positive"]]
            self.negatives = (list(table["text"]), list(table["changed"]), table["positive"].to_numpy(bool))

    def batch(self, rng: np.random.Generator) -> dict[str, Any]:
        """Sides of a batch, and, where there are made pairs, as many of them with their labels."""
        left, right, kind = self.groups[rng.choice(len(self.groups), p=self.shares)]
        rows = self._apart(left, right, rng)
        while len(rows) < 2:  # it began with a pair that shares a side with all that it met
            rows = self._apart(left, right, rng, everywhere=True)
        query, passage = self.words
        other = query if self.symmetric[kind] else passage
        found = {"left": [query + left[i] for i in rows], "right": [other + right[i] for i in rows], "kind": kind}
        if self.negatives is not None:
            texts, changed, positive = self.negatives
            some = rng.choice(len(texts), min(self.stage.batch, len(texts)), replace=False)
            found |= {
                "text": [query + texts[i] for i in some],
                "changed": [query + changed[i] for i in some],
                "positive": positive[some],
            }
        return found

    def _apart(self, left, right, rng, everywhere: bool = False) -> list[int]:
        """Pairs that share no side, out of four times as many as are needed, or out of all."""
        rows: list[int] = []
        seen: tuple[set[str], set[str]] = (set(), set())
        for row in rng.permutation(len(left))[: None if everywhere else 4 * self.stage.batch].tolist():
            if left[row] not in seen[0] and right[row] not in seen[1]:
                rows.append(row)
                seen[0].add(left[row])
                seen[1].add(right[row])
                if len(rows) == self.stage.batch:
                    break
        return rows


def batch_sides(pairs: pd.DataFrame, stage: Stage, language: str, n: int, *, rng: int = 0) -> list[list[str]]:
    """The texts of some batches as a stage draws them, both sides of a batch in one list.

    Parameters
    ----------
    pairs, stage, language
        As :func:`train_stage` takes them.
    n
        Number of batches.
    rng
        Seed of the batches.
    """
    drawn = _Epoch(_PairGroups(pairs, stage, language, None), rng)
    return [batch["left"] + batch["right"] for batch in (drawn[i % _Epoch.LENGTH] for i in range(n))]


class _Epoch(Sequence):
    """A hundred batches, each made when it is asked for by a generator of its own."""

    LENGTH = 100

    def __init__(self, groups: _PairGroups, seed: int):
        self.groups, self.seed = groups, seed

    def __len__(self) -> int:
        return self.LENGTH

    def __getitem__(self, number):
        if not 0 <= number < self.LENGTH:
            raise IndexError(number)
        return self.groups.batch(np.random.default_rng([self.seed, number]))


# Training


def stage_loss(model: SentenceTransformer, stage: Stage) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The loss of a batch of a stage, and each of its parts, by the losses of sentence-transformers.

    Contrast takes the sides of the pairs, and the changed texts as further negatives of their texts. Angles and CoSENT
    order pairs by labels: 1 for the pairs of the batch and for positives made on purpose, 0 for negatives made on
    purpose and for the pairs of each left side with the next right side. Sources: :cite:`li2024angle` for AnglE.
    """
    import torch
    from sentence_transformers.sentence_transformer import losses

    scale = 1 / stage.temperature
    both_ways = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}
    contrast = losses.MultipleNegativesRankingLoss(model, scale=scale, **both_ways)
    against = losses.MultipleNegativesRankingLoss(model, scale=scale)
    ordered = {"angle": losses.AnglELoss(model), "cosent": losses.CoSENTLoss(model)}

    def encoded(texts: Sequence[str]) -> torch.Tensor:
        return model(model.preprocess(list(texts)))["sentence_embedding"]

    def of(batch: dict[str, Any]) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        n = len(batch["left"])
        if n < 2:
            raise ValueError(f"batch has {n} pairs; two at least are needed, each a negative of the other")
        left, right = encoded(batch["left"]), encoded(batch["right"])
        in_order = [name for name in ordered if name in stage.losses]
        positive = np.asarray(batch.get("positive", ()), bool)
        used = np.arange(len(positive)) if in_order else np.flatnonzero(~positive)
        text = changed = left[:0]
        if len(used):
            text, changed = (encoded([batch[side][i] for i in used]) for side in ("text", "changed"))
        if "contrastive" in stage.losses:
            parts["contrastive"] = contrast.compute_loss_from_embeddings([left, right], None)
            rows = np.flatnonzero(~positive[used])
            if len(rows) >= 2:
                # a text is nearer to itself, under another dropout, than to what was changed of it, and to all others
                again = encoded([batch["text"][i] for i in used[rows]])
                parts["changed"] = against.compute_loss_from_embeddings([text[rows], again, changed[rows]], None)
        for name in in_order:
            sides = [torch.cat([left, left, text]), torch.cat([right, right.roll(-1, 0), changed])]
            labels = torch.tensor([1.0] * n + [0.0] * n + positive[used].astype(float).tolist())
            parts[name] = ordered[name].compute_loss_from_embeddings(sides, labels)
        return {"loss": sum(parts.values()), **parts}

    return of


def train_stage(
    model: SentenceTransformer,
    pairs: pd.DataFrame,
    stage: Stage | str,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    negatives: pd.DataFrame | None = None,
    language: str = "ru",
    folder: str | os.PathLike[str] | None = None,
    pause_after: float | None = None,
    rng: int = 0,
    say: Callable[[dict[str, Any]], Any] | None = None,
) -> Trained:
    """Train an encoder, in place, in one stage; the same call goes on with a stage that was stopped.

    Parameters
    ----------
    model
        Encoder to train.
    pairs
        Table of pairs, as :class:`helpers.pairs.PairCorpus` has it.
    stage
        What is learned, or the name of one of :data:`STAGES`.
    minutes, steps
        Budget of the stage, over all sittings: minutes of wall clock, or updates; one of the two at least.
    negatives
        Texts beside their changes, as :func:`helpers.pairs.made_pairs` gives; None for none.
    language
        Language of the instructions, one of :data:`INSTRUCTIONS`.
    folder
        Folder for checkpoints and the log; None keeps neither, and then a stopped stage begins anew.
    pause_after
        Minutes of this call after which it returns, to be gone on with; None: to the end.
    rng
        Seed of the batches.
    say
        Called with each row of the log, a dict.

    Returns
    -------
    Trained
        Whether it is done, steps, minutes, losses and the log, as of :func:`helpers.training.train`.

    Raises
    ------
    ValueError
        If no budget is given, the stage or the language is unknown, a pair or a negative is of no use
        (:func:`check_stage_data`), pairs are too few for one batch of one source and kind, or the folder holds another
        run.
    """
    import torch

    from helpers.training import Checkpoints, Log, Update, train

    if isinstance(stage, str):
        if stage not in STAGES:
            raise ValueError(f"stage is {stage!r}; it is one of {', '.join(map(repr, STAGES))}, or a Stage")
        stage = STAGES[stage]
    if minutes is None and steps is None:
        raise ValueError("minutes and steps are both missing; a budget is needed")
    if language not in INSTRUCTIONS:
        raise ValueError(f"language is {language!r}; instructions are known for {', '.join(map(repr, INSTRUCTIONS))}")
    check_stage_data(pairs, negatives)
    groups = _PairGroups(pairs, stage, language, negatives)
    loss = stage_loss(model, stage)
    keep = None
    if folder is not None:
        about = {**asdict(stage), "language": language, "pairs": digest_of_texts(pairs[["kind", "left", "right"]])}
        if negatives is not None:
            labels = negatives["positive"].map(str)
            about["negatives"] = digest_of_texts(negatives[["text", "changed"]].assign(positive=labels))
        about = {name: list(value) if isinstance(value, tuple) else value for name, value in about.items()}
        keep = Checkpoints(expand(folder), 1.0, pause_after, about)
    bare = [weight for weight in model.parameters() if weight.ndim < 2]
    rest = [weight for weight in model.parameters() if weight.ndim >= 2]
    sparse = all("embedding" in name for name, _ in model.named_parameters())  # vectors of a bag alone: no decay
    decay = [{"params": rest, "weight_decay": 0.0 if sparse else 0.01}, {"params": bare, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW([g for g in decay if g["params"]], lr=stage.rate, betas=(0.9, 0.98), eps=1e-8)
    return train(
        model,
        lambda batch, step: loss(batch),
        lambda generator, number: _Epoch(groups, int(generator.integers(2**31))),
        steps=steps,
        minutes=minutes,
        optimizer=optimizer,
        update=Update("linear", warmup=stage.warmup, clip=1.0),
        rng=rng,
        folder=keep,
        log=Log(50, say),
    )
