"""Growing small encoders: BERT, RoBERTa and SimCSE from the documentation of the installed libraries, on a CPU.

:func:`pretrain` trains one encoder by a :class:`helpers.encoders.recipes.Recipe` and leaves a folder that plain
``transformers`` loads, with its log, its record and a card. It saves its state as it goes: stopped at any time, the
same call goes on and ends at the same weights. A deep encoder is grown: a shallow one is trained first, and its layers
are stacked (:func:`helpers.encoders.growing.grow`).
"""

from __future__ import annotations

import csv
import json
import math
import os
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.encoders.growing import (
    grow,
    load_encoder,
    new_model,
    start_with_local_attention,
    tokenizer_of,
    trained_tokenizer,
)
from helpers.encoders.objectives import Task
from helpers.encoders.recipes import Recipe, read_corpus

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from transformers import PreTrainedModel

    from helpers.training import Progress

__all__ = ["model_card", "fill_mask", "held_out_loss", "pretrain", "read_run"]

#: What a log has in every row.
COLUMNS = ("step", "layers", "tokens", "minutes", "cpu_minutes", "rate", "loss", "second_loss", "held_out")
#: What a run that was begun without them did not have.
ADDED = {"tokenizer": "", "strip_accents": True, "language": "en"}
#: What of a corpus decides its digest.
READ_COLUMNS = ["library", "module", "object", "text"]


def pretrain(
    out: str | os.PathLike[str],
    recipe: Recipe,
    *,
    start: str | os.PathLike[str] | None = None,
    minutes: float | None = None,
    every: float = 3.0,
    table: pd.DataFrame | None = None,
    tokenizer: str | os.PathLike[str] | None = None,
    text: str = "Docstrings",
    licence: str = "mit",
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
        The corpus, if it is not :func:`helpers.encoders.recipes.read_corpus` of the recipe;
        :func:`helpers.encoders.recipes.table_of_paragraphs` makes one of any paragraphs.
    tokenizer
        Folder of the tokeniser that encoders share; None to learn one from the corpus, or take that of ``start``.
    text, licence
        What the paragraphs are, and the licence of the weights, for the card.
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
    found, kept = read_run(out), out / "training"
    if found:
        finished = found["done"] and not kept.exists()
        _same_run(found | {"tokens": _tokens(kept) if kept.exists() else found["tokens"]}, recipe, out, done=finished)
        if finished:
            return found
    run = _Run(recipe, read_corpus(recipe) if table is None else table, out, start, say, tokenizer)
    run.about = {"text": text, "licence": licence}
    done = run.train(minutes, every)
    found = run.export(done)
    if done:
        shutil.rmtree(kept)
    return found


def read_run(folder: str | os.PathLike[str]) -> dict[str, Any]:
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
    a docstring from 31 unrelated sentences and 32 hard negatives.

    Parameters
    ----------
    folder
        What :func:`pretrain` leaves.
    table
        The corpus, if it is not :func:`helpers.encoders.recipes.read_corpus` of the recipe.
    sequences
        At most so many, the first of a fixed shuffle; ``None`` for all.
    draws
        Bootstrap samples of the modules.

    Returns
    -------
    dict
        ``loss`` in nats for each predicted token (or pair), ``ci_low`` and ``ci_high`` of its 95 % interval over
        modules, ``accuracy``, ``sequences``, ``tokens`` predicted.

    Raises
    ------
    ValueError
        If the table is missing and the encoder read something else than libraries.
    """
    import numpy as np

    folder = Path(folder)
    run = read_run(folder)
    recipe = Recipe(**run["recipe"])
    strange = [name for name in run["corpus"]["libraries"].split(", ") if " " not in name]
    if table is None and strange:
        raise ValueError(f"table is missing: the encoder read {', '.join(strange)}, which are no installed libraries")
    task = Task(recipe, read_corpus(recipe) if table is None else table, tokenizer_of(folder))
    losses, hits, modules, used = task.held_out(load_encoder(folder), sequences)
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


def fill_mask(folder: str | os.PathLike[str], text: str, top: int = 5) -> list[tuple[str, float]]:
    """The likeliest words for the one ``[MASK]`` (or ``<mask>``) of a text, with their probabilities.

    Raises
    ------
    ValueError
        If the text does not have exactly one mask.
    """
    import torch

    tokenizer = tokenizer_of(Path(folder))
    model = load_encoder(Path(folder))
    inputs = tokenizer(text.replace("[MASK]", tokenizer.mask_token), return_tensors="pt")
    place = (inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero()
    if len(place) != 1:
        raise ValueError(f"text has {len(place)} masks; exactly one [MASK] is filled")
    with torch.inference_mode():
        logits = getattr(model(**inputs), "prediction_logits", None)
        logits = model(**inputs).logits if logits is None else logits
    chances, tokens = logits[0, place[0, 0]].softmax(-1).topk(top)
    return [(tokenizer.decode([t]).strip(), p) for t, p in zip(tokens.tolist(), chances.tolist(), strict=True)]


def model_card(folder: str | os.PathLike[str]) -> str:
    """The card of an encoder, in Markdown, from the record of its run."""
    folder = Path(folder)
    run = read_run(folder)
    recipe, held = Recipe(**run["recipe"]), run["held_out"]
    what = _described(recipe)
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
    limits = LIMITS if recipe.language == "en" else LIMITS_OF_OTHERS
    parameters = "\n".join(f"| {name} | {_plain(value)} |" for name, value in run["recipe"].items())
    return f"""---
license: {run["licence"]}
language: {recipe.language}
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
{run.get("text", "Docstrings")} of {run["corpus"]["libraries"]}: {run["corpus"]["paragraphs"]} distinct paragraphs of
{run["corpus"]["modules"]} modules, {run["corpus"]["held_out"]} of them held out; read where they are installed.
SHA-256 of the corpus: `{run["corpus"]["digest"]}`.

## Limits
{limits}

## Recipe
| parameter | value |
|---|---|
{parameters}
"""


def _described(recipe: Recipe) -> str:
    """What an encoder is, in a sentence of its card."""
    told = {
        "bert": "A BERT of {depth} layers, trained by masked words and next-sentence prediction; {tokens}",
        "roberta": "A RoBERTa of {depth} layers, trained by masked words, masks drawn anew in every epoch; {tokens}",
        "simcse": "A supervised SimCSE: the pocket BERT of {depth} layers after contrastive fine-tuning of its pooled "
        "first token",
    }
    return told[recipe.objective].format(
        depth=recipe.stages[-1][0],
        tokens="byte-level BPE"
        if not recipe.word_pieces
        else "WordPiece, lower case" + ("" if recipe.strip_accents else ", accents kept"),
    )


LIMITS = """\
The text is the documentation that the book's own tasks are made from, test objects included: the encoder has read
their sentences, though never a label of a task. It knows the English of software documentation and little else, and it
is small: take it to study how encoders work, not to serve. It repeats what it has read, mistakes and names included."""
LIMITS_OF_OTHERS = """\
It knows the language of the texts that it has read and little else, and it is small: take it to study how encoders
work, not to serve. It repeats what it has read, mistakes and names included."""


class _Run:
    """A training, one stage after the other, and what is written of it."""

    def __init__(self, recipe: Recipe, table: pd.DataFrame, out: Path, start: Any, say: Any, words: Any = None):
        import torch

        self.recipe, self.table, self.out, self.start, self.say = recipe, table, out, start, say
        self.about = {"text": "Docstrings", "licence": "mit"}
        self.steps = self.tokens = self.epoch = self.place = 0
        self.minutes = self.cpu_minutes = 0.0
        self.loss: float | None = None
        self.log: list[dict[str, Any]] = []
        torch.manual_seed(recipe.seed)
        if not (out / "training").exists():
            taken = start or words
            tokenizer = tokenizer_of(Path(taken)) if taken else trained_tokenizer(recipe, table[~table["held_out"]])
            tokenizer.save_pretrained(out)
        tokenizer = tokenizer_of(out)
        self.task = Task(recipe, table, tokenizer)
        self.model = load_encoder(Path(start)) if start else new_model(recipe, tokenizer)
        if not start and recipe.positions == "neighbours":
            start_with_local_attention(self.model, recipe.seed)
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
        from helpers.text import digest_of_texts
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
        later = {name for name, usual in ADDED.items() if getattr(recipe, name) == usual}
        settings = {name: value for name, value in asdict(recipe).items() if name not in {"stages", *later}}
        about = settings | {
            "layers": depth,
            "corpus": digest_of_texts(self.table[READ_COLUMNS]),
        }
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
            return highest * min(1, (progress.step + 1) / max(recipe.warmup, 1)) * min(1, max(0.01, left))

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
        found = {**read_run(self.out), "held_out": held_out_loss(self.out, self.table)}
        _write_json(self.out / "run.json", found)
        with (self.out / "log.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.log)
        (self.out / "README.md").write_text(model_card(self.out), encoding="utf-8")
        return found

    def _write_record(self, done: bool) -> None:
        from importlib.metadata import version

        from helpers.text import digest_of_texts

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
                "digest": digest_of_texts(table[READ_COLUMNS]),
                "paragraphs": len(table),
                "modules": int((table["library"] + " " + table["module"]).nunique()),
                "held_out": int((table["library"] + " " + table["module"])[table["held_out"]].nunique()),
                "libraries": ", ".join(
                    f"{name} {_library_version(name)}".strip() for name in table["library"].unique()
                ),
            },
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy")},
            },
            "machine": _machine(),
            "date": date.today().isoformat(),
            **self.about,
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
    old = Recipe(**found["recipe"])
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


def _library_version(name: str) -> str:
    """The version of an installed library; nothing for another source of text, whose training must not end here."""
    from importlib.metadata import PackageNotFoundError

    from helpers.text import library_version

    try:
        return library_version(name)
    except (PackageNotFoundError, ValueError):  # an empty name is a ValueError
        return ""


def _machine() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    import torch

    return f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} used, shared with other work"
