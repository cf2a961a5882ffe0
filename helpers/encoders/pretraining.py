"""Growing small encoders: BERT, RoBERTa and SimCSE from the documentation of the installed libraries, on a CPU.

:func:`pretrain` trains one encoder by a :class:`Recipe` and leaves a folder that plain ``transformers`` loads, with its
log, its record and a card. It saves its state as it goes: stopped at any time, the same call goes on and ends at the
same weights. A deep encoder is grown: a shallow one is trained first, and its layers are stacked (:func:`grow`).
"""

from __future__ import annotations

import csv
import json
import math
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from helpers.training import Progress

__all__ = [
    "Recipe",
    "card",
    "contrastive_loss",
    "corpus",
    "fill_mask",
    "grow",
    "held_out_loss",
    "load",
    "look_around",
    "mask",
    "pretrain",
    "record",
    "sentence_pairs",
]

OBJECTIVES = ("bert", "roberta", "simcse")

#: Copies of the corpus with fixed masks that BERT is trained on, in turn; RoBERTa draws masks anew in every epoch.
COPIES = {"bert": 10, "roberta": None, "simcse": None}

#: What a log has in every row.
COLUMNS = ("step", "layers", "tokens", "minutes", "cpu_minutes", "rate", "loss", "second_loss", "held_out")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights of an encoder.

    Parameters
    ----------
    objective
        ``"bert"``: masked words and next-sentence prediction, WordPiece :cite:`devlin2019bert`; ``"roberta"``: masked
        words alone with masks drawn anew in every epoch, byte-level BPE :cite:`liu2019roberta`; ``"simcse"``: the
        contrastive fine-tuning of an encoder on pairs with hard negatives :cite:`gao2021simcse`.
    stages
        Pairs of a number of layers and millions of tokens, one after the other; each depth is a multiple of the one
        before it. Tokens are counted without padding.
    hidden, heads, vocabulary, length
        Width, attention heads, size of the vocabulary, most tokens of a sequence.
    paragraph
        Most tokens of a paragraph in training; two of them and three special ones fit into a sequence. Neighbours are
        found sooner among few tokens.
    batch
        Tokens of one step, padding included.
    rate, warmup, decay
        Highest learning rate (of twelve layers :math:`\\sqrt{6/12}` of it), steps of warm-up in each stage, and the
        share of all tokens over which the rate falls to zero at the end.
    masking
        Share of the tokens that are to be predicted.
    temperature
        Of the contrastive loss.
    held_out
        Share of the modules whose documentation is kept for the held-out loss.
    precision
        Of the matrix products of linear layers, forward and backward: ``"float32"``, or ``"bfloat16"`` (sums and
        everything else stay in single precision), which is half as fast again on processors that have it.
    positions
        Where training begins: ``"neighbours"``, some heads look at the tokens beside (:func:`look_around`), or
        ``"random"``, all heads look anywhere, and much of a short training goes by until they find the neighbours.
    libraries
        Whose documentation is read; empty for all that the book reads.
    seed
        Of everything random.
    """

    objective: str = "bert"
    stages: tuple[tuple[int, float], ...] = ((3, 3.0), (6, 4.0), (12, 13.0))
    hidden: int = 128
    heads: int = 4
    vocabulary: int = 8000
    length: int = 128
    paragraph: int = 62
    batch: int = 4096
    rate: float = 2e-3
    warmup: int = 150
    decay: float = 0.4
    masking: float = 0.2
    temperature: float = 0.05
    held_out: float = 0.02
    precision: str = "float32"
    positions: str = "random"
    libraries: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self):
        object.__setattr__(self, "stages", tuple((int(depth), float(millions)) for depth, millions in self.stages))
        object.__setattr__(self, "libraries", tuple(self.libraries))
        depths = [depth for depth, _ in self.stages]
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective is {self.objective!r}; it is one of {', '.join(OBJECTIVES)}")
        if not depths or min(depths) < 1 or any(b % a for a, b in zip(depths, depths[1:], strict=False)):
            raise ValueError(f"stages have {depths} layers; each number is a multiple of the one before it, at least 1")
        if min(millions for _, millions in self.stages) <= 0:
            raise ValueError("stages: every stage has more than 0 million tokens")
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision is {self.precision!r}; it is 'float32' or 'bfloat16'")
        if self.positions not in ("neighbours", "random"):
            raise ValueError(f"positions is {self.positions!r}; it is 'neighbours' or 'random'")
        if self.hidden % self.heads:
            raise ValueError(f"hidden is {self.hidden}; it is a multiple of heads={self.heads}")
        for name in ("masking", "held_out", "decay"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it lies between 0 and 1")
        if self.length < 16 or self.batch < self.length:
            raise ValueError(f"length is {self.length}, batch {self.batch}; 16 <= length <= batch")
        if not 4 <= self.paragraph <= (self.length - 3) // 2:
            raise ValueError(f"paragraph is {self.paragraph}; it lies between 4 and {(self.length - 3) // 2}")

    @property
    def tokens(self) -> int:
        """Tokens of all stages."""
        return round(1e6 * sum(millions for _, millions in self.stages))


def corpus(recipe: Recipe) -> pd.DataFrame:
    """The documentation that a recipe reads: one row a paragraph, ``held_out`` true for whole modules.

    Which modules are held out depends on their names and the seed alone, so it stays the same as libraries change.
    For ``"simcse"`` the table has only objects that lie in the training split of the tasks of :mod:`helpers.tasks`,
    so that no pair of paragraphs it learns from is one that a task asks about.

    Examples
    --------
    >>> table = corpus(Recipe(libraries=("networkx",)))
    >>> bool(0 < table.held_out.mean() < 0.1)
    True
    >>> int(table.groupby("module").held_out.nunique().max())
    1
    """
    from helpers.text import LIBRARIES, documentation

    table = documentation(recipe.libraries or LIBRARIES)
    if recipe.objective == "simcse":
        from helpers.tasks.documentation import split_of

        table = table[[split_of(name.rpartition(".")[2]) == "train" for name in table["object"]]]
    chosen = {name: _unit(f"{recipe.seed} {name}") < recipe.held_out for name in table["module"].unique()}
    return table.assign(held_out=table["module"].map(chosen)).reset_index(drop=True)


def grow(model: PreTrainedModel, layers: int) -> PreTrainedModel:
    """A deeper encoder whose layers are copies of the given ones, over and over: progressive stacking.

    Layer ``i`` of the new encoder is layer ``i mod depth`` of the old one; everything else is copied once
    :cite:`gong2019stacking`.

    Parameters
    ----------
    model
        A BERT or RoBERTa with a head.
    layers
        A multiple of its depth.

    Raises
    ------
    ValueError
        If ``layers`` is not a multiple of the depth.
    """
    depth = model.config.num_hidden_layers
    if layers < depth or layers % depth:
        raise ValueError(f"layers is {layers}; it is a multiple of the {depth} layers that there are")
    config = type(model.config).from_dict(model.config.to_dict() | {"num_hidden_layers": layers})
    deeper = type(model)(config)
    old, state = model.state_dict(), {}
    for name in deeper.state_dict():
        stem, layer, rest = name.partition(".layer.")
        if layer:
            index, _, rest = rest.partition(".")
            state[name] = old[f"{stem}.layer.{int(index) % depth}.{rest}"]
        else:
            state[name] = old[name]
    deeper.load_state_dict(state)
    return deeper.train(model.training)


def look_around(model: PreTrainedModel, seed: int = 0) -> None:
    """Let heads of a new encoder begin by attending to the tokens beside: offsets -1, +1, -2, +2, in place.

    Trained encoders have such heads in any case :cite:`clark2019bert`, yet the way there from a random beginning is a
    plateau of the loss, millions of tokens long at this size. So the embeddings of positions begin as sines and
    cosines :cite:`vaswani2017attention`, as large as those of words, and the keys of a head as a choice of their
    frequencies, its queries as the same turned by the offset; imitating trained weights so is known to help small
    training :cite:`trockman2023mimetic`. All heads of the first layer begin thus, half of them in the others; all
    weights stay free to change.

    Parameters
    ----------
    model
        A BERT or RoBERTa with an even number of features in each head.
    seed
        Of the frequencies that each head gets.
    """
    import numpy as np
    import torch

    config, base = model.config, model.base_model
    table = base.embeddings.position_embeddings.weight
    pairs, size = config.hidden_size // 2, config.hidden_size // config.num_attention_heads
    frequency = torch.pi * (torch.arange(pairs) + 0.5) / pairs
    angle = torch.arange(len(table))[:, None] * frequency
    with torch.no_grad():
        table[:, 0::2], table[:, 1::2] = angle.sin(), angle.cos()
        table *= 2**0.5 * config.initializer_range
        if base.embeddings.position_embeddings.padding_idx is not None:
            table[base.embeddings.position_embeddings.padding_idx] = 0
        for number, layer in enumerate(base.encoder.layer):
            chosen = np.random.default_rng([seed, number]).permutation(pairs).reshape(config.num_attention_heads, -1)
            heads = chosen if number == 0 else chosen[: max(1, len(chosen) // 2)]
            for head, own in enumerate(heads):
                turn = (-1, 1, -2, 2)[head % 4] * frequency[own]
                rows = torch.arange(head * size, head * size + size)
                sine, cosine, at = rows[0::2], rows[1::2], torch.from_numpy(own)
                query, key = layer.attention.self.query.weight, layer.attention.self.key.weight
                query[rows], key[rows] = 0.0, 0.0
                key[sine, 2 * at], key[cosine, 2 * at + 1] = 1.25, 1.25
                query[sine, 2 * at], query[sine, 2 * at + 1] = 1.25 * turn.cos(), 1.25 * turn.sin()
                query[cosine, 2 * at], query[cosine, 2 * at + 1] = -1.25 * turn.sin(), 1.25 * turn.cos()


def mask(
    ids: np.ndarray, draws: np.ndarray, swaps: np.ndarray, *, rate: float, mask_id: int, special: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Hide words for an encoder to find: 80 % become the mask, 10 % a random token, 10 % stay :cite:`devlin2019bert`.

    Parameters
    ----------
    ids
        Tokens, any shape.
    draws
        As many uniform numbers in [0, 1): a token is chosen where its number is below ``rate``.
    swaps
        As many tokens, to stand where a random one does.
    rate
        Share of the tokens to be chosen.
    mask_id
        The token that hides others.
    special
        ``special[t]`` is true for tokens that are never chosen.

    Returns
    -------
    inputs, chosen : numpy.ndarray
        What the encoder reads, and where it must predict ``ids``.

    Examples
    --------
    >>> import numpy as np
    >>> special = np.arange(9) < 5
    >>> inputs, chosen = mask(np.array([2, 7, 8, 6, 3]), np.array([0, 0.1, 0.17, 0.19, 0]), np.full(5, 5),
    ...                       rate=0.2, mask_id=4, special=special)
    >>> inputs.tolist(), chosen.tolist()
    ([2, 4, 5, 6, 3], [False, True, True, True, False])
    """
    import numpy as np

    chosen = (draws < rate) & ~special[ids]
    inputs = np.where(chosen & (draws < 0.8 * rate), mask_id, ids)
    return np.where(chosen & (draws >= 0.8 * rate) & (draws < 0.9 * rate), swaps, inputs), chosen


def sentence_pairs(modules: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pairs of paragraphs for next-sentence prediction: half follow one another, half come from two modules.

    Parameters
    ----------
    modules
        The module of each paragraph, paragraphs in the order of the text.
    rng
        Decides where pairs begin, and the strangers.

    Returns
    -------
    numpy.ndarray of int, shape (pairs, 3)
        First paragraph, second paragraph, and 0 where the second follows the first in one module, 1 where it is a
        stranger (as ``transformers`` counts). Every module of two paragraphs or more takes part, and no paragraph is
        the first of two pairs.
    """
    import numpy as np

    modules = np.asarray(modules)
    starts = np.flatnonzero(np.r_[True, modules[1:] != modules[:-1]])
    place = np.arange(len(modules)) - np.repeat(starts, np.diff(np.r_[starts, len(modules)]))
    parity = np.repeat(rng.integers(0, 2, len(starts)), np.diff(np.r_[starts, len(modules)]))
    sizes = np.repeat(np.diff(np.r_[starts, len(modules)]), np.diff(np.r_[starts, len(modules)]))
    follows = np.r_[modules[1:] == modules[:-1], False]
    first = np.flatnonzero(follows & ((place % 2 == parity) | (sizes == 2)))
    second = first + 1
    label = np.zeros(len(first), dtype=int)
    label[rng.permutation(len(first))[: len(first) // 2]] = 1
    strangers = rng.permutation(len(modules))[np.arange(len(first)) % len(modules)]
    for _ in range(100):
        same = (label == 1) & (modules[strangers] == modules[first])
        if not same.any():
            break
        strangers[same] = rng.integers(0, len(modules), same.sum())
    else:
        raise ValueError("the corpus is too small for next-sentence prediction: it has one module, or hardly more")
    return np.column_stack([first, np.where(label == 1, strangers, second), label])


def contrastive_loss(
    anchors: torch.Tensor, positives: torch.Tensor, negatives: torch.Tensor, temperature: float = 0.05
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of each anchor, in nats: its own positive against all positives and hard negatives :cite:`gao2021simcse`.

    Parameters
    ----------
    anchors, positives, negatives
        Vectors, of shape (n, d) each; they are compared by cosines.
    temperature
        What the cosines are divided by.

    Returns
    -------
    losses, right : torch.Tensor, shape (n,)
        Cross-entropy, and whether the own positive is the nearest of the 2n.

    Examples
    --------
    >>> import torch
    >>> losses, right = contrastive_loss(torch.eye(3), torch.eye(3), -torch.eye(3), temperature=1.0)
    >>> round(losses[0].item(), 4), right.tolist()
    (0.9581, [True, True, True])
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    others = normalize(torch.cat([positives, negatives]), dim=-1)
    logits = normalize(anchors, dim=-1) @ others.T / temperature
    right = torch.arange(len(anchors))
    return cross_entropy(logits, right, reduction="none"), logits.argmax(1) == right


def pretrain(
    out: str | os.PathLike[str],
    recipe: Recipe,
    *,
    start: str | os.PathLike[str] | None = None,
    minutes: float | None = None,
    every: float = 3.0,
    table: pd.DataFrame | None = None,
    say: Callable[[str], Any] | None = None,
) -> dict[str, Any]:
    """Train an encoder, or go on with one, and export it to a folder.

    The folder gets what ``transformers`` loads (weights in half precision, in shards below 3.5 MB; tokenizer;
    configuration), ``log.csv``, ``run.json`` and a card, ``README.md``. While the training lasts, the folder
    ``training`` below holds its state: a call with the same arguments goes on from there, also after a kill, to the
    same weights as if it had never stopped. (A training begun anew may differ a little: learning a vocabulary breaks
    ties at random.) Stages that are not over may be made longer or shorter in between, as long as the rate has not
    begun to fall.

    Parameters
    ----------
    out
        The folder, made if need be.
    recipe
        What is trained.
    start
        Folder of the encoder that ``"simcse"`` begins with; not for the others.
    minutes
        Stop after so many minutes of this call, to be gone on with; ``None`` to train to the end.
    every
        Minutes between two checkpoints.
    table
        The corpus, if it is not :func:`corpus` of the recipe.
    say
        Called with a line at every row of the log, for instance ``print``.

    Returns
    -------
    dict
        The record of the run, as in ``run.json``; ``"done"`` tells whether it has come to its end.

    Raises
    ------
    ValueError
        If the corpus is too small for its vocabulary or batch, ``start`` is lacking or superfluous, or ``out`` holds
        the run of another recipe.
    OSError
        If ``out`` cannot be written to.
    """
    out = Path(out)
    if (recipe.objective == "simcse") != (start is not None):
        raise ValueError("start is the encoder that objective 'simcse' begins with, and only that")
    _writable(out)
    found, kept = record(out), out / "training"
    if found:
        finished = found["done"] and not kept.exists()
        _same_run(found | {"tokens": _tokens(kept) if kept.exists() else found["tokens"]}, recipe, out, done=finished)
        if finished:
            return found
    run = _Run(recipe, corpus(recipe) if table is None else table, out, start, say)
    done = run.train(minutes, every)
    found = run.export(done)
    if done:
        shutil.rmtree(kept)
    return found


def record(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """What :func:`pretrain` wrote of its run into the folder; empty if there is nothing."""
    path = Path(folder) / "run.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def held_out_loss(
    folder: str | os.PathLike[str],
    table: pd.DataFrame | None = None,
    *,
    sequences: int | None = None,
    draws: int = 1000,
) -> dict[str, float]:
    """The loss of an exported encoder on the modules that its training never saw.

    Sequences and masks are the same at every call. For ``"simcse"`` the loss is that of telling the other paragraph of
    a docstring from 31 strangers and 32 hard negatives.

    Parameters
    ----------
    folder
        As :func:`pretrain` leaves it.
    table
        The corpus, if it is not :func:`corpus` of the recipe.
    sequences
        At most so many, the first of a fixed shuffle; ``None`` for all.
    draws
        Bootstrap samples of the modules.

    Returns
    -------
    dict
        ``loss`` in nats for each predicted token (or pair), ``ci_low`` and ``ci_high`` of its 95 % interval over
        modules, ``accuracy``, ``sequences``, ``tokens`` predicted.
    """
    import numpy as np

    folder = Path(folder)
    recipe = _recipe(record(folder)["recipe"])
    task = _Task(recipe, corpus(recipe) if table is None else table, _tokenizer(folder))
    losses, hits, modules, used = task.held_out(load(folder), sequences)
    rng = np.random.default_rng(0)
    names, codes = np.unique(modules, return_inverse=True)
    sums, sizes = np.bincount(codes, losses), np.bincount(codes)
    picks = rng.integers(0, len(names), (draws, len(names)))
    means = sums[picks].sum(1) / sizes[picks].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {
        "loss": float(losses.mean()),
        "ci_low": float(low),
        "ci_high": float(high),
        "accuracy": float(hits.mean()),
        "modules": len(names),
        "sequences": used,
        "tokens": len(losses),
    }


def load(folder: str | os.PathLike[str]) -> PreTrainedModel:
    """The encoder of a folder with the heads that it was trained with, in single precision."""
    import torch
    from transformers import AutoModelForPreTraining

    from helpers.encoders.extraction import quiet

    with quiet():
        return AutoModelForPreTraining.from_pretrained(folder, dtype=torch.float32, local_files_only=True)


def fill_mask(folder: str | os.PathLike[str], text: str, top: int = 5) -> list[tuple[str, float]]:
    """The likeliest words for the one ``[MASK]`` (or ``<mask>``) of a text, with their probabilities.

    Raises
    ------
    ValueError
        If the text does not have exactly one mask.
    """
    import torch

    tokenizer = _tokenizer(Path(folder))
    model = load(Path(folder))
    inputs = tokenizer(text.replace("[MASK]", tokenizer.mask_token), return_tensors="pt")
    place = (inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero()
    if len(place) != 1:
        raise ValueError(f"text has {len(place)} masks; exactly one [MASK] is filled")
    with torch.inference_mode():
        logits = getattr(model(**inputs), "prediction_logits", None)
        logits = model(**inputs).logits if logits is None else logits
    chances, tokens = logits[0, place[0, 0]].softmax(-1).topk(top)
    return [(tokenizer.decode([t]).strip(), p) for t, p in zip(tokens.tolist(), chances.tolist(), strict=True)]


def card(folder: str | os.PathLike[str]) -> str:
    """The card of an encoder, in Markdown, from the record of its run."""
    folder = Path(folder)
    run = record(folder)
    recipe, held = _recipe(run["recipe"]), run["held_out"]
    what = {
        "bert": "A BERT of {depth} layers, trained by masked words and next-sentence prediction; WordPiece, lower case",
        "roberta": "A RoBERTa of {depth} layers, trained by masked words, masks drawn anew in every epoch; "
        "byte-level BPE",
        "simcse": "A supervised SimCSE: the pocket BERT of {depth} layers after contrastive fine-tuning of its pooled "
        "first token",
    }[recipe.objective].format(depth=recipe.stages[-1][0])
    grown = " → ".join(f"{depth} layers for {millions:g} M tokens" for depth, millions in recipe.stages)
    unit = "pair" if recipe.objective == "simcse" else "masked token"
    loss = f"{held['loss']:.3f} (95 % interval over modules {held['ci_low']:.3f} to {held['ci_high']:.3f})"
    perplexity = "" if recipe.objective == "simcse" else f", perplexity {math.exp(held['loss']):.1f}"
    chance = (
        f"the right one of 64 paragraphs in {held['accuracy']:.1%}"
        if recipe.objective == "simcse"
        else f"{held['accuracy']:.1%} of the masked tokens right"
    )
    positives = {
        "simcse": "\nPositives are two paragraphs of one docstring, hard negatives a paragraph of another object in "
        "the same module; loss over the batch at temperature "
        f"{recipe.temperature:g}. It starts from `{run['start']}`.\n"
    }.get(recipe.objective, "")
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    example = {
        "simcse": 'model = AutoModel.from_pretrained(folder)\nvectors = model(**tokenizer(["A sentence."], '
        'return_tensors="pt")).pooler_output'
    }.get(
        recipe.objective,
        'model = AutoModel.from_pretrained(folder)\nstates = model(**tokenizer(["A sentence."], return_tensors="pt"), '
        "output_hidden_states=True).hidden_states",
    )
    parameters = "\n".join(f"| {name} | {_plain(value)} |" for name, value in run["recipe"].items())
    return f"""---
license: {run["licence"]}
language: en
library_name: transformers
---
# Pocket {"SimCSE" if recipe.objective == "simcse" else {"bert": "BERT", "roberta": "RoBERTa"}[recipe.objective]}

{what}.
{run["parameters"] / 1e6:.2f} million parameters, hidden size {recipe.hidden}, {recipe.heads} heads, a vocabulary of
{run["vocabulary"]}, sequences of at most {recipe.length} tokens; weights in half precision.

```python
from transformers import AutoModel, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(folder)
{example}
```

## Training
{grown}: {run["steps"]} steps, {run["tokens"] / 1e6:.2f} million tokens, {run["epochs"]:.1f} epochs.
{positives}
| | |
|---|---|
| held-out loss per {unit} | {loss}{perplexity}; {chance} |
| measured on | {held["tokens"]} {unit}s of {held["modules"]} modules that the training never saw |
| loss of training at the end | {run["loss"]:.3f} |
| time | {run["minutes"]:.1f} minutes of wall clock, {run["cpu_minutes"]:.1f} of processor |
| machine | {run["machine"]} |
| date | {run["date"]} |
| libraries | {versions} |

## Data
Docstrings of {run["corpus"]["libraries"]}: {run["corpus"]["paragraphs"]} distinct paragraphs of
{run["corpus"]["modules"]} modules, {run["corpus"]["held_out"]} of them held out; read where they are installed.
SHA-256 of the corpus: `{run["corpus"]["digest"]}`.

## Limits
The text is the documentation that the book's own tasks are made from, test objects included: the encoder has read
their sentences, though never a label of a task. It knows the English of software documentation and little else, and it
is small: take it to study how encoders work, not to serve. It repeats what it has read, mistakes and names included.

## Recipe
| parameter | value |
|---|---|
{parameters}
"""


class _Task:
    """A corpus in tokens, and the batches and the loss of one objective."""

    def __init__(self, recipe: Recipe, table: pd.DataFrame, tokenizer: PreTrainedTokenizerBase):
        import numpy as np

        self.recipe, self.tokenizer = recipe, tokenizer
        self.special = np.zeros(len(tokenizer), dtype=bool)
        self.special[tokenizer.all_special_ids] = True
        self.ordinary = np.flatnonzero(~self.special)
        self.table, self.test = table, _Paragraphs(table[table["held_out"]], tokenizer, recipe.length)
        shortest = {"bert": 4, "roberta": 1, "simcse": 4}[recipe.objective]
        if min(len(table) - len(self.test), len(self.test)) < shortest:
            raise ValueError(
                f"the corpus is too small: {len(table) - len(self.test)} paragraphs to train on and {len(self.test)} "
                f"held out; each part needs {shortest} or more"
            )

    @cached_property
    def train(self) -> _Paragraphs:
        return _Paragraphs(self.table[~self.table["held_out"]], self.tokenizer, self.recipe.length)

    def epoch(self, number: int, first: int = 0) -> _Epoch:
        """Batches of an epoch, as arrays, from the given one on; the same at every call."""
        import numpy as np

        from helpers.training import buckets

        recipe = self.recipe
        copies = COPIES[recipe.objective]
        seeds = [recipe.seed, number if copies is None else number % copies]
        rng = np.random.default_rng(seeds)
        rows = getattr(self, f"_{recipe.objective}")(self.train, rng)
        order = np.random.default_rng([recipe.seed, number, 1])
        widths = np.array([max(len(part) for part in row[0]) for row in rows])
        apiece = len(rows[0][0])
        noise = int(rng.integers(2**31))
        return _Epoch(self, rows, buckets(widths, recipe.batch // apiece, order)[first:], noise)

    def _bert(self, text: _Paragraphs, rng: np.random.Generator) -> list[tuple]:
        import numpy as np

        cls, sep, most = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id, self.recipe.paragraph
        rows = []
        for i, j, label in sentence_pairs(text.modules, rng):
            a, b = text[i][:most], text[j][:most]
            ids = np.concatenate([[cls], a, [sep], b, [sep]])
            rows.append(((ids,), len(a) + 2, label, text.modules[i]))
        return rows

    def _roberta(self, text: _Paragraphs, rng: np.random.Generator) -> list[tuple]:
        import numpy as np

        cls, sep, most = [self.tokenizer.cls_token_id], [self.tokenizer.sep_token_id], self.recipe.paragraph
        return [((np.concatenate([cls, text[i][:most], sep]),), 0, 0, text.modules[i]) for i in range(len(text))]

    def _simcse(self, text: _Paragraphs, rng: np.random.Generator) -> list[tuple]:
        import numpy as np

        cls, sep, most = [self.tokenizer.cls_token_id], [self.tokenizer.sep_token_id], self.recipe.paragraph
        rows = []
        triplets = _triplets(text.modules, text.objects, rng)
        for triplet in triplets:
            ids = tuple(np.concatenate([cls, text[i][:most], sep]) for i in triplet)
            rows.append((ids, 0, 0, text.modules[triplet[0]]))
        return rows

    def _collate(self, rows: list[tuple], seeds: list[tuple[int, int]]) -> dict[str, Any]:
        import numpy as np

        parts = [part[k] for k in range(len(rows[0][0])) for part, *_ in rows]
        ids = np.full((len(parts), max(map(len, parts))), self.tokenizer.pad_token_id)
        kinds = np.zeros_like(ids)
        for row, part in enumerate(parts):
            ids[row, : len(part)] = part
        lengths = np.array([len(part) for part in parts])
        seen = np.arange(ids.shape[1]) < lengths[:, None]
        batch = {"ids": ids, "seen": seen, "kinds": kinds, "tokens": int(lengths.sum())}
        batch["modules"] = np.array([row[3] for row in rows])
        if self.recipe.objective == "simcse":
            return batch
        for row, (_, first, _, _) in enumerate(rows):
            kinds[row, first : lengths[row]] = int(first > 0)
        draws, swaps = np.ones(ids.shape), np.zeros(ids.shape, dtype=int)
        for row, seed in enumerate(seeds):
            rng = np.random.default_rng(seed)
            draws[row, : lengths[row]] = rng.random(lengths[row])
            swaps[row, : lengths[row]] = self.ordinary[rng.integers(0, len(self.ordinary), lengths[row])]
        batch["inputs"], batch["chosen"] = mask(
            ids,
            draws,
            swaps,
            rate=self.recipe.masking,
            mask_id=self.tokenizer.mask_token_id,
            special=self.special,
        )
        batch["labels"] = np.array([row[2] for row in rows])
        return batch

    def losses(self, model: PreTrainedModel, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Loss of each predicted token or pair, whether it is right, and the second loss of the objective."""
        import torch
        from torch.nn.functional import cross_entropy

        base = model.base_model
        seen = torch.from_numpy(batch["seen"]).long()
        given = {} if self.recipe.objective == "roberta" else {"token_type_ids": torch.from_numpy(batch["kinds"])}
        ids = torch.from_numpy(batch["ids"])
        if self.recipe.objective == "simcse":
            parts = base(ids, attention_mask=seen, **given).pooler_output.chunk(3)
            return *contrastive_loss(*parts, self.recipe.temperature), torch.zeros(())
        chosen = torch.from_numpy(batch["chosen"])
        output = base(torch.from_numpy(batch["inputs"]), attention_mask=seen, **given)
        hidden, right = output.last_hidden_state[chosen], ids[chosen]
        if self.recipe.objective == "roberta":
            logits, second = model.lm_head(hidden), torch.zeros(())
        else:
            logits = model.cls.predictions(hidden)
            order = model.cls.seq_relationship(output.pooler_output)
            second = cross_entropy(order, torch.from_numpy(batch["labels"]))
        return cross_entropy(logits, right, reduction="none"), logits.argmax(1) == right, second

    def held_out(self, model: PreTrainedModel, sequences: int | None = None) -> tuple[np.ndarray, ...]:
        """Losses, hits and modules of held-out tokens or pairs, and how many sequences they come from."""
        import numpy as np
        import torch

        was, found, used = model.training, [], 0
        model.eval()
        with torch.inference_mode():
            for batch in self._held_out_batches():
                if sequences is not None and used >= sequences:
                    break
                losses, hits, _ = self.losses(model, batch)
                counts = batch["chosen"].sum(1) if "chosen" in batch else 1
                found.append((losses.numpy(), hits.numpy(), np.repeat(batch["modules"], counts)))
                used += len(batch["modules"])
        model.train(was)
        return *(np.concatenate(column) for column in zip(*found, strict=True)), used

    def _held_out_batches(self) -> Iterator[dict[str, Any]]:
        import numpy as np

        rng = np.random.default_rng([self.recipe.seed, 2])
        rows = getattr(self, f"_{self.recipe.objective}")(self.test, rng)
        order = rng.permutation(len(rows))
        for at in range(0, len(order), 32):
            batch = order[at : at + 32]
            if self.recipe.objective != "simcse" or len(batch) == 32 or len(order) < 32:
                yield self._collate([rows[i] for i in batch], [(self.recipe.seed, i) for i in batch])


class _Paragraphs:
    """Tokens of paragraphs one after the other, with the module and the object of each."""

    def __init__(self, table: pd.DataFrame, tokenizer: PreTrainedTokenizerBase, length: int):
        import numpy as np
        import pandas as pd

        texts = list(table["text"])
        ids = (
            tokenizer(texts, add_special_tokens=False, truncation=True, max_length=length)["input_ids"] if texts else []
        )
        self.flat = np.concatenate([np.zeros(0, dtype=np.int64), *map(np.asarray, ids)]).astype(np.int64)
        self.ends = np.cumsum([len(i) for i in ids], dtype=int)
        self.modules = pd.factorize(table["library"] + " " + table["module"])[0]
        self.objects = pd.factorize(table["library"] + " " + table["module"] + " " + table["object"])[0]

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, i: int) -> np.ndarray:
        return self.flat[self.ends[i - 1] if i else 0 : self.ends[i]]


class _Epoch(Sequence):
    """Batches that are made when they are asked for."""

    def __init__(self, task: _Task, rows: list[tuple], groups: list[np.ndarray], noise: int):
        self.task, self.rows, self.groups, self.noise = task, rows, groups, noise

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, number: int) -> dict[str, Any]:
        group = self.groups[number]
        return self.task._collate([self.rows[i] for i in group], [(self.noise, i) for i in group])


class _Run:
    """A training, one stage after the other, and what is written of it."""

    def __init__(self, recipe: Recipe, table: pd.DataFrame, out: Path, start: Any, say: Callable[[str], Any] | None):
        import torch

        self.recipe, self.table, self.out, self.start, self.say = recipe, table, out, start, say
        self.steps = self.tokens = self.epoch = self.place = 0
        self.minutes = self.cpu_minutes = 0.0
        self.loss: float | None = None
        self.log: list[dict[str, Any]] = []
        torch.manual_seed(recipe.seed)
        if not (out / "training").exists():
            tokenizer = _tokenizer(Path(start)) if start else _trained_tokenizer(recipe, table[~table["held_out"]])
            tokenizer.save_pretrained(out)
        tokenizer = _tokenizer(out)
        self.task = _Task(recipe, table, tokenizer)
        self.model = load(Path(start)) if start else _new_model(recipe, tokenizer)
        if not start and recipe.positions == "neighbours":
            look_around(self.model, recipe.seed)
        layers = self.model.config.num_hidden_layers
        if layers != recipe.stages[0][0]:
            raise ValueError(f"start has {layers} layers, stages begin with {recipe.stages[0][0]}")
        self._write_record(done=False)

    def train(self, minutes: float | None, every: float) -> bool:
        """Train all stages, or until so many minutes are over; whether the end was reached."""
        began = time.monotonic()
        for number, (depth, _) in enumerate(self.recipe.stages):
            if number:
                self.model = grow(self.model, depth)
            left = None if minutes is None else max(0.0, minutes - (time.monotonic() - began) / 60)
            if not self._stage(number, left, every):
                return False
        return True

    def _stage(self, number: int, minutes: float | None, every: float) -> bool:
        from helpers.text import digest
        from helpers.training import Checkpoints, Log, Update, Validation, train

        recipe, task, model = self.recipe, self.task, self.model
        depth, millions = recipe.stages[number]
        if self.place and self.place >= len(task.epoch(self.epoch)):
            self.epoch, self.place = self.epoch + 1, 0
        epoch, place = self.epoch, self.place

        def loss(batch, step):
            losses, _, second = task.losses(model, batch)
            if not len(losses):
                return None
            mean = losses.mean()
            return {"loss": mean + second, "first": mean, "second": second}

        rows = max(1, round(recipe.tokens / 60 / recipe.batch))
        settings = {name: value for name, value in asdict(recipe).items() if name != "stages"}
        about = settings | {"layers": depth, "corpus": digest(self.table[["library", "module", "object", "text"]])}
        trained = train(
            model,
            loss,
            lambda rng, number: task.epoch(epoch + number, 0 if number else place),
            tokens=1e6 * millions,
            optimizer=_optimiser(model),
            update=Update(self._rate(depth), clip=1.0, precision=recipe.precision),
            validation=Validation(lambda: task.held_out(model, 256)[0].mean(), every=5 * rows),
            count=lambda batch: batch["tokens"],
            rng=recipe.seed,
            folder=Checkpoints(self.out / "training" / str(number), every, minutes, about),
            log=Log(rows, lambda row: self._tell(self._row(row, depth))),
        )
        for row in trained.log:
            self._note(self._row(row, depth))
        self.loss = trained.losses.get("first", self.loss)
        self.steps, self.tokens = self.steps + trained.step, self.tokens + trained.tokens
        self.minutes, self.cpu_minutes = self.minutes + trained.minutes, self.cpu_minutes + trained.cpu_minutes
        self.epoch, self.place = epoch + trained.epoch, trained.batch + (0 if trained.epoch else place)
        return trained.done

    def _rate(self, depth: int) -> Callable[[Progress], float]:
        """The learning rate in a stage: it rises in each, and falls over the last part of all tokens."""
        recipe, before = self.recipe, self.tokens
        highest = recipe.rate * min(1, (6 / depth) ** 0.5)

        def rate(progress: Progress) -> float:
            left = (1 - (before + progress.tokens) / recipe.tokens) / recipe.decay
            return highest * min(1, (progress.step + 1) / recipe.warmup) * min(1, max(0.01, left))

        return rate

    def _row(self, row: dict[str, Any], depth: int) -> dict[str, Any]:
        """A row of the log of all stages, from one of the log of the present stage."""

        def rounded(name):
            return round(row[name], 4) if name in row else ""

        return {
            "step": self.steps + row["step"],
            "layers": depth,
            "tokens": self.tokens + row["tokens"],
            "minutes": round(self.minutes + row["minutes"], 3),
            "cpu_minutes": round(self.cpu_minutes + row["cpu_minutes"], 3),
            "rate": float(f"{row['rate']:.3g}"),
            "loss": rounded("first"),
            "second_loss": rounded("second") if self.recipe.objective == "bert" else "",
            "held_out": rounded("validation"),
        }

    def _tell(self, row: dict[str, Any]) -> None:
        if self.say:
            self.say(", ".join(f"{name} {value}" for name, value in row.items() if value != ""))

    def _note(self, row: dict[str, Any]) -> None:
        """Keep a row that tells a loss; what is validated where one was logged already is added to it."""
        if row["loss"] != "":
            self.log.append(row)
        elif self.log and self.log[-1]["step"] == row["step"]:
            self.log[-1]["held_out"] = row["held_out"]

    def export(self, done: bool) -> dict[str, Any]:
        """Weights, log, record and card; what was measured is measured on the exported weights."""
        import torch

        from helpers.encoders.extraction import quiet

        half = type(self.model)(self.model.config)
        half.load_state_dict(self.model.state_dict())
        for stale in self.out.glob("model*.safetensors*"):
            stale.unlink()
        with quiet():
            half.to(torch.float16).save_pretrained(self.out, max_shard_size="3500KB")
        self._write_record(done)
        found = {**record(self.out), "held_out": held_out_loss(self.out, self.table)}
        _write_json(self.out / "run.json", found)
        with (self.out / "log.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.log)
        (self.out / "README.md").write_text(card(self.out), encoding="utf-8")
        return found

    def _write_record(self, done: bool) -> None:
        from importlib.metadata import version

        from helpers.text import digest

        table = self.table
        found = {
            "done": done,
            "recipe": asdict(self.recipe),
            "start": None if self.start is None else Path(self.start).name,
            "steps": self.steps,
            "tokens": self.tokens,
            "epochs": round(self.epoch + self.place / len(self.task.epoch(self.epoch)), 2),
            "minutes": round(self.minutes, 2),
            "cpu_minutes": round(self.cpu_minutes, 2),
            "loss": self.loss,
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "vocabulary": len(self.task.tokenizer),
            "corpus": {
                "digest": digest(table[["library", "module", "object", "text"]]),
                "paragraphs": len(table),
                "modules": int((table["library"] + " " + table["module"]).nunique()),
                "held_out": int((table["library"] + " " + table["module"])[table["held_out"]].nunique()),
                "libraries": ", ".join(f"{name} {_library_version(name)}" for name in table["library"].unique()),
            },
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy")},
            },
            "machine": _machine(),
            "date": date.today().isoformat(),
            "licence": "mit",
        }
        _write_json(self.out / "run.json", found)


def _optimiser(model: PreTrainedModel) -> torch.optim.Optimizer:
    """AdamW whose rate is set by the schedule alone; no decay of biases and norms."""
    import torch

    bare = [weight for weight in model.parameters() if weight.ndim < 2]
    rest = [weight for weight in model.parameters() if weight.ndim >= 2]
    groups = [{"params": rest, "weight_decay": 0.01}, {"params": bare, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.98), eps=1e-6, fused=True)


def _tokens(kept: Path) -> int:
    """Tokens that the stages of an unfinished training have read."""
    from helpers.training import progress_of

    return sum(come.tokens for folder in kept.iterdir() if (come := progress_of(folder)) is not None)


def _triplets(modules: np.ndarray, objects: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Anchor and positive of one object, hard negative of another object of the same module."""
    import numpy as np

    found = []
    starts = np.flatnonzero(np.r_[True, modules[1:] != modules[:-1]])
    for begin, end in zip(starts, [*starts[1:], len(modules)], strict=True):
        inside = objects[begin:end]
        for name in np.unique(inside):
            own = begin + np.flatnonzero(inside == name)
            other = begin + np.flatnonzero(inside != name)
            if len(own) < 2 or not len(other):
                continue
            own = rng.permutation(own)
            for a, b in zip(own[::2], own[1::2], strict=False):
                found.append((a, b, rng.choice(other)))
    if not found:
        raise ValueError("the corpus is too small: no module has two objects, one of them with two paragraphs")
    return np.array(found)


def _trained_tokenizer(recipe: Recipe, table: pd.DataFrame) -> PreTrainedTokenizerBase:
    """WordPiece or byte-level BPE, learned from the training paragraphs."""
    import tokenizers
    from transformers import BertTokenizerFast, RobertaTokenizerFast

    texts = list(table["text"])
    if recipe.objective == "bert":
        learner = tokenizers.BertWordPieceTokenizer(lowercase=True)
        learner.train_from_iterator(texts, vocab_size=recipe.vocabulary, min_frequency=2, show_progress=False)
    else:
        learner = tokenizers.ByteLevelBPETokenizer(add_prefix_space=True)
        special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        learner.train_from_iterator(
            texts, vocab_size=recipe.vocabulary, min_frequency=2, special_tokens=special, show_progress=False
        )
    size = learner.get_vocab_size()
    if size != recipe.vocabulary:
        raise ValueError(
            f"vocabulary is {recipe.vocabulary}, but {len(texts)} paragraphs give {size} tokens; "
            + ("choose it larger" if size > recipe.vocabulary else "choose it smaller, or a larger corpus")
        )
    vocabulary = learner.get_vocab()
    if recipe.objective == "bert":
        return BertTokenizerFast(vocab=vocabulary, do_lower_case=True, model_max_length=recipe.length)
    merges = [tuple(m) for m in json.loads(learner.to_str())["model"]["merges"]]
    hides = tokenizers.AddedToken("<mask>", lstrip=True)  # the mask stands for a word with the space before it
    return RobertaTokenizerFast(
        mask_token=hides, vocab=vocabulary, merges=merges, add_prefix_space=True, model_max_length=recipe.length
    )


def _new_model(recipe: Recipe, tokenizer: PreTrainedTokenizerBase, layers: int | None = None) -> PreTrainedModel:
    from transformers import BertConfig, BertForPreTraining, RobertaConfig, RobertaForMaskedLM

    roberta = recipe.objective == "roberta"
    config = (RobertaConfig if roberta else BertConfig)(
        vocab_size=len(tokenizer),
        hidden_size=recipe.hidden,
        num_hidden_layers=layers or recipe.stages[0][0],
        num_attention_heads=recipe.heads,
        intermediate_size=4 * recipe.hidden,
        max_position_embeddings=recipe.length + 2 * roberta,  # RoBERTa counts positions from 2
        type_vocab_size=1 if roberta else 2,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.cls_token_id if roberta else None,
        eos_token_id=tokenizer.sep_token_id if roberta else None,
    )
    return (RobertaForMaskedLM if roberta else BertForPreTraining)(config)


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def _recipe(values: dict[str, Any]) -> Recipe:
    return Recipe(**values)


def _write_json(path: Path, value: Any) -> None:
    path.with_suffix(".tmp").write_text(json.dumps(value, indent=1, default=str) + "\n", encoding="utf-8")
    os.replace(path.with_suffix(".tmp"), path)


def _writable(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OSError(f"out is {str(out)!r}, which cannot be written to ({error}); choose another folder") from error


def _same_run(found: dict[str, Any], recipe: Recipe, out: Path, done: bool) -> None:
    """An unfinished run may get other stages, as long as they would have led to where it stands."""
    old = _recipe(found["recipe"])
    if old == recipe:
        return
    differ = [name for name, value in asdict(old).items() if value != asdict(recipe)[name]]
    if differ == ["stages"] and not done:
        if found["tokens"] > (1 - old.decay) * min(old.tokens, recipe.tokens):
            raise ValueError(f"{out} holds a run whose rate has begun to fall: its stages cannot change any more")
        if _past(old, found["tokens"]) == _past(recipe, found["tokens"]):
            return
    raise ValueError(f"{out} holds the run of another recipe (different: {', '.join(differ)}); choose another folder")


def _past(recipe: Recipe, tokens: int) -> list[tuple[int, float]]:
    """The stages that are over after so many tokens, and the depth of the one that is not."""
    past, left = [], tokens / 1e6
    for depth, millions in recipe.stages:
        if left <= millions:
            return [*past, (depth, math.inf)]
        past.append((depth, millions))
        left -= millions
    return past


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(v) if not isinstance(v, (list, tuple)) else "×".join(map(str, v)) for v in value) or "—"
    return str(value)


def _unit(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    import hashlib

    return int(hashlib.sha256(text.encode()).hexdigest()[:13], 16) / 16**13


def _library_version(name: str) -> str:
    from helpers.text import library_version

    return library_version(name)


def _machine() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    import torch

    return f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} used, shared with other work"
