"""A sentence encoder by the whole recipe: masked words, contrast, two models of two kinds of pairs, merged into one.

:func:`train_sentence_encoder` takes a corpus of pairs and leaves an encoder in a folder. Every stage is resumable, and
stages that several recipes share are trained once::

    corpus = read_packages("packages")
    trained = train_sentence_encoder("encoder", corpus, StagedRecipe(steps=(2000, 2000, 2000)))
    trained.model.encode(["Сегодня дождь."])
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.arrays import check_count, check_number
from helpers.encoders.encoder_folders import load_sentence_encoder, save_sentence_encoder
from helpers.encoders.kept_back import corpus_without, rows_without, split_examples
from helpers.encoders.merging import cocktail_weights, merge_encoders
from helpers.encoders.recipes import Recipe, table_of_paragraphs
from helpers.encoders.stages import (
    INSTRUCTIONS,
    STAGES,
    Stage,
    bag_encoder,
    check_stage_data,
    learn_pieces,
    stage_loss,
    train_stage,
)
from helpers.locations import expand, swap_folder
from helpers.text import digest_of_texts
from helpers.waiting import alone

if TYPE_CHECKING:
    import pandas as pd
    from sentence_transformers import SentenceTransformer

    from helpers.pairs import PairCorpus

__all__ = [
    "LINES",
    "Bag",
    "StagedRecipe",
    "TrainedEncoder",
    "example_losses",
    "train_sentence_encoder",
]

LANGUAGES = {"ru": "Russian", "en": "English"}

#: What each line of the published ablation leaves out, as settings of a :class:`StagedRecipe`.
LINES: dict[str, dict[str, bool]] = {
    "whole": {},
    "without instructions": {"instructions": False},
    "without AnglE": {"angle": False},
    "without splitting and merging": {"split": False},
    "without stage 1": {"first": False},
    "without pre-training": {"pretrained": False},
}


@dataclass(frozen=True)
class Bag:
    """The cheapest encoder: the mean of the vectors of the word pieces of a text, without a pre-training.

    Attributes
    ----------
    pieces
        Word pieces, at most.
    width
        Features of a vector.
    """

    pieces: int = 14_900
    width: int = 384

    def __post_init__(self):
        check_count(self.pieces, "pieces", least=10)
        check_count(self.width, "width")


@dataclass(frozen=True)
class StagedRecipe:
    """Everything that decides the weights of a sentence encoder, besides its corpus.

    Attributes
    ----------
    base
        A :class:`Bag`, or the recipe of a masked language model, which is stage 0.
    steps
        Updates of stage 1, of the symmetric and of the asymmetric model.
    minutes
        Minutes of wall clock of these instead, over all sittings; None to count updates.
    batch, rate, temperature
        Pairs of a batch, highest learning rate, temperature of cosines.
    length
        Tokens of a text that a transformer reads, at most.
    instructions
        Whether the two models of stage 2 read words before a text that say what it is.
    angle
        Whether the symmetric model also learns from the order of angles.
    split
        Whether stage 2 trains two models and merges them with that of stage 1; else one, on all pairs, as long as both.
    first
        Whether there is a stage 1.
    pretrained
        Whether there is a stage 0; else its weights are random, and its word pieces stay.
    negatives
        Whether stage 2 learns from texts that were changed on purpose, where there are any.
    without
        Kinds of pairs that are left out.
    examples
        Pairs of a kind that no stage learns from, at most: half of them choose the weights of the merged models, the
        other half is for scores alone.
    cocktail
        Temperature of these weights.
    english
        Share of English among the paragraphs of stage 0, from translations.
    """

    base: Bag | Recipe = field(default_factory=Bag)
    steps: tuple[int, int, int] = (1000, 1000, 1000)
    minutes: tuple[float, float, float] | None = None
    batch: int = 128
    rate: float = 1e-3
    temperature: float = 0.05
    length: int = 64
    instructions: bool = True
    angle: bool = True
    split: bool = True
    first: bool = True
    pretrained: bool = True
    negatives: bool = True
    without: tuple[str, ...] = ()
    examples: int = 32
    cocktail: float = 0.2
    english: float = 0.15

    def __post_init__(self):
        from helpers.pairs.heuristics import HEURISTICS

        object.__setattr__(self, "without", tuple(self.without))
        if not isinstance(self.base, (Bag, Recipe)):
            raise ValueError(f"base is {self.base!r}; a Bag or a Recipe of a masked language model is needed")
        if isinstance(self.base, Recipe) and self.base.objective == "simcse":
            raise ValueError("base has the objective 'simcse'; stage 0 learns masked words: 'roberta' or 'bert'")
        if unknown := [kind for kind in self.without if kind not in HEURISTICS]:
            raise ValueError(f"without has {', '.join(map(repr, unknown))}; there are {', '.join(HEURISTICS)}")
        for name in ("steps", "minutes"):
            budget = getattr(self, name)
            if budget is not None and (len(budget) != 3 or min(budget) <= 0):
                raise ValueError(
                    f"{name} is {budget!r}; three numbers above 0 are needed: stage 1, symmetric, asymmetric"
                )
            object.__setattr__(self, name, None if budget is None else tuple(budget))
        check_count(self.examples, "examples", least=4)
        check_number(self.cocktail, "cocktail", lambda value: value > 0, "a number above 0")
        check_number(self.english, "english", lambda value: 0 <= value < 1, "a number from 0 to below 1")
        self.stages()

    def stages(self) -> dict[str, Stage]:
        """The stages after stage 0, by name, in the order in which they are trained."""

        def stage(name: str, **more: Any) -> Stage:
            kinds = more.pop("kinds", STAGES[name].kinds)
            shared = {"batch": self.batch, "rate": self.rate, "temperature": self.temperature}
            kinds = tuple(kind for kind in kinds if kind not in self.without)
            return replace(STAGES[name], kinds=kinds, **shared, **more)

        losses = ("contrastive", "angle") if self.angle else ("contrastive",)
        told = {"instructions": self.instructions}
        found = {"query and passage": stage("query and passage")} if self.first else {}
        if self.split:
            found["symmetric"] = stage("symmetric", losses=losses, **told)
            found["asymmetric"] = stage("asymmetric", **told)
        else:
            both = (*STAGES["symmetric"].kinds, *STAGES["asymmetric"].kinds)
            found["both"] = stage("symmetric", kinds=both, losses=losses, **told)
        return found

    def budget(self, name: str) -> dict[str, float]:
        """The budget of a stage, as :func:`helpers.encoders.stages.train_stage` takes it."""
        unit, numbers = ("steps", self.steps) if self.minutes is None else ("minutes", self.minutes)
        order = ("query and passage", "symmetric", "asymmetric")
        return {unit: numbers[1] + numbers[2] if name == "both" else numbers[order.index(name)]}


@dataclass(frozen=True)
class TrainedEncoder:
    """What :func:`train_sentence_encoder` leaves.

    Attributes
    ----------
    done : bool
        Whether all stages came to their end; if not, the same call goes on.
    model : SentenceTransformer or None
        The encoder, if it is done.
    stages : DataFrame
        A row for each stage that is done: ``steps``, ``minutes``, ``cpu_minutes``, ``loss`` at its end, and the
        ``folder`` of its model.
    merged : DataFrame
        A row for each merged model: its ``loss`` on examples and its ``weight``; empty without merging.
    instruction : str
        What stands before a text that is compared with others: empty without instructions.
    card : str
        Text of its ``README.md``, in Markdown; empty if it is not done.
    """

    done: bool
    model: SentenceTransformer | None
    stages: pd.DataFrame
    merged: pd.DataFrame
    instruction: str = ""
    card: str = ""


def train_sentence_encoder(
    folder: str | os.PathLike[str],
    corpus: PairCorpus,
    recipe: StagedRecipe | None = None,
    *,
    negatives: pd.DataFrame | None = None,
    shared: str | os.PathLike[str] | None = None,
    pause_after: float | None = None,
    rng: int = 0,
    base_rng: int | None = None,
    say: Callable[[str], Any] | None = None,
) -> TrainedEncoder:
    """Train a sentence encoder by the whole recipe, or go on with one that was stopped.

    Parameters
    ----------
    folder
        Folder of the encoder, made if need be; in half precision, with a card.
    corpus
        Paragraphs, for the vocabulary and stage 0, and pairs.
    recipe
        What is trained; None for a bag of word pieces and the whole recipe.
    negatives
        Texts that were changed on purpose, as of :func:`helpers.pairs.made_pairs`; those of texts that were kept back
        do not count.
    shared
        Folder in which every stage is kept, so that recipes which begin alike train it once; by default ``stages``
        within ``folder``.
    pause_after
        Minutes of this call after which it returns, to be gone on with; each call gets a step on; None: to the end.
    rng
        Seed of the weights and batches of all stages but stage 0, whose seed its recipe has: stage 0 is shared by all
        seeds.
    base_rng
        Seed of the weights and of stage 1, if it is another one: models that differ by their batches of stage 2 alone.
    say
        Called with a line for each stage, for instance ``print``.

    Returns
    -------
    TrainedEncoder
        The encoder and what each stage took.

    Raises
    ------
    ValueError
        If pairs of a stage are too few for a batch, a pair or a negative is of no use
        (:func:`helpers.encoders.stages.check_stage_data`), or the language has no instructions.

    Notes
    -----
    Pairs that :func:`helpers.encoders.kept_back.split_examples` keeps back, and texts that are near theirs, are in no
    stage: not in the word pieces, the masked words, the pairs or the negatives. The recipe is that of
    :cite:`deepvk2024user`, with pairs of our own; merging is that of :cite:`xiao2024lmcocktail`.
    """
    import pandas as pd

    recipe, folder = recipe or StagedRecipe(), Path(expand(folder))
    check_stage_data(corpus.pairs, negatives)
    choosing, scoring = split_examples(corpus.pairs, recipe.examples)
    seen = corpus_without(corpus, choosing, scoring)
    if negatives is not None:
        far = rows_without(negatives, ("text", "changed"), choosing, scoring)
        negatives = far if len(far) else None
    place = folder / "stages" if shared is None else Path(expand(shared))
    place.mkdir(parents=True, exist_ok=True)
    seeds = (rng, rng if base_rng is None else base_rng)
    run = _Training(recipe, seen, negatives, place, seeds, say, pause_after)
    base = run.base()
    if base is None:
        return TrainedEncoder(False, None, run.table(), pd.DataFrame())
    parent, ends = base, {}
    for name, stage in recipe.stages().items():
        trained = run.stage(name, stage, parent)
        if trained is None:
            return TrainedEncoder(False, None, run.table(), pd.DataFrame())
        if name == "query and passage":
            parent = trained
        else:
            ends[name] = trained
    models = {"before": run.load(parent)} | {name: run.load(end) for name, end in ends.items()}
    merged = pd.DataFrame()
    if recipe.split:
        losses = [example_losses(model, choosing, recipe, corpus.language)["loss"].mean() for model in models.values()]
        shares = cocktail_weights(losses, temperature=recipe.cocktail)
        merged = pd.DataFrame({"loss": losses, "weight": shares}, index=pd.Index(models, name="model"))
        model = merge_encoders([*models.values()], weights=shares.tolist())
    else:
        model = models["both"]
    instruction = INSTRUCTIONS[corpus.language][0] if recipe.instructions else ""
    found = TrainedEncoder(True, model.eval(), run.table(), merged, instruction)
    found = replace(found, card=_card(found, corpus, recipe, negatives))
    save_sentence_encoder(model, folder, card=found.card)
    return found


def example_losses(
    model: SentenceTransformer, examples: pd.DataFrame, recipe: StagedRecipe, language: str
) -> pd.DataFrame:
    """Contrastive losses of an encoder on a few pairs of each kind: what it is worth before anything is evaluated.

    Parameters
    ----------
    model
        Encoder whose losses are measured.
    examples
        Pairs that it was not trained on, as of :func:`helpers.encoders.kept_back.split_examples`; two at least of a
        kind that counts.
    recipe
        Recipe, for temperature and instructions.
    language
        Language of the instructions.

    Returns
    -------
    DataFrame
        By kind: ``loss`` in nats, of each side among those of the other pairs, both ways, and ``n`` pairs. Chance is
        the logarithm of n.

    Raises
    ------
    ValueError
        If no kind has two examples.
    """
    import pandas as pd
    import torch

    from helpers.pairs.heuristics import HEURISTICS

    query, passage = INSTRUCTIONS[language] if recipe.instructions else ("", "")
    rows, was = {}, model.training
    model.eval()
    for kind, pairs in examples.groupby("kind", sort=True):
        if len(pairs) < 2:
            continue
        loss = stage_loss(model, Stage((kind,), temperature=recipe.temperature))
        other = query if HEURISTICS[kind].symmetric else passage
        batch = {"left": [query + text for text in pairs["left"]], "right": [other + text for text in pairs["right"]]}
        with torch.no_grad():
            rows[kind] = {"loss": float(loss(batch)["loss"]), "n": len(pairs)}
    model.train(was)
    if not rows:
        raise ValueError(f"examples has {len(examples)} pairs, and no kind has two; more pairs are needed")
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("kind")


class _Training:
    """The stages of a recipe, each in a folder that is named by everything its weights depend on."""

    def __init__(self, recipe, corpus, negatives, place, seeds, say, pause_after):
        self.recipe, self.corpus, self.place = recipe, corpus, place
        self.seed, self.base_seed = seeds
        self.negatives = negatives if recipe.negatives else None
        self.say, self.pause, self.began, self.worked = say, pause_after, time.monotonic(), False
        self.rows: dict[str, dict[str, Any]] = {}
        self.of_pairs = digest_of_texts(corpus.pairs[["source", "kind", "left", "right"]])
        self.of_negatives = ""
        if self.negatives is not None:
            labels = self.negatives["positive"].map(str)
            self.of_negatives = digest_of_texts(self.negatives[["text", "changed"]].assign(positive=labels))

    def over(self) -> bool:
        """Whether the sitting is over; never before something was done in it, so that each one gets on."""
        if self.pause is None:
            return False
        over, self.worked = self.worked and self.left() <= 0, True
        return over

    def left(self) -> float | None:
        """Minutes of the sitting that are left."""
        return None if self.pause is None else max(0.0, self.pause - (time.monotonic() - self.began) / 60)

    def table(self) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame.from_dict(self.rows, orient="index").rename_axis("stage")

    def load(self, place: Path) -> SentenceTransformer:
        return load_sentence_encoder(place, length=self.recipe.length)

    def tell(self, name: str, row: Mapping[str, Any]) -> None:
        self.rows[name] = dict(row)
        if self.say:
            self.say(f"{name}: {row['steps']} steps, {row['cpu_minutes']:.1f} minutes of processor")

    def base(self) -> Path | None:
        """The folder of the weights that stage 1 begins with; None where stage 0 is to be gone on with."""
        base = self.recipe.base
        if isinstance(base, Bag):
            key = {"base": asdict(base), "corpus": self.corpus.digest, "seed": self.base_seed}
            place = self.place / f"bag-{_digest(key)}"
            if not (place / "modules.json").is_file():
                _saved_whole(bag_encoder(self._pieces(base.pieces), base.width, rng=self.base_seed), place)
            return place
        key = {"base": asdict(base), "corpus": self.corpus.digest, "english": self.recipe.english}
        place = self.place / f"words-{_digest(key)}"
        with alone(self.place / f"{place.name}.lock", "another process learns masked words"):
            found = self._words(base, place)
        if found is None or self.recipe.pretrained:
            return found
        random = self.place / f"random-{_digest(key | {'seed': self.base_seed})}"
        if not (random / "config.json").is_file():
            _random_weights(place, random, self.base_seed)
        return random

    def _tokenizer(self, base: Recipe) -> Path:
        """The folder of a tokeniser with these pieces, in the format of transformers."""
        from transformers import BertTokenizerFast

        place = self.place / f"tokenizer-{base.vocabulary}-{base.length}-{self.corpus.digest[:12]}"
        vocabulary = self._pieces(base.vocabulary).get_vocab()
        told = {"do_lower_case": True, "strip_accents": base.strip_accents, "model_max_length": base.length}
        BertTokenizerFast(vocab=vocabulary, **told).save_pretrained(place)
        return place

    def _pieces(self, size: int) -> Any:
        """Word pieces of the corpus, learned once for all seeds and stages."""
        from tokenizers import Tokenizer

        file = self.place / f"pieces-{size}-{self.corpus.digest[:12]}.json"
        with alone(file.with_suffix(".lock"), "another process is learning word pieces"):
            if not file.is_file():
                english = self.corpus.pairs["right"][self.corpus.pairs["kind"] == "translation"].drop_duplicates()
                texts = [*self.corpus.paragraphs["text"], *english[: len(self.corpus.paragraphs) // 5]]
                learn_pieces(texts, size).save(str(file.with_suffix(".draft")))
                os.replace(file.with_suffix(".draft"), file)
        return Tokenizer.from_file(str(file))

    def _words(self, base: Recipe, place: Path) -> Path | None:
        from helpers.encoders.pretraining import pretrain, read_run

        found = read_run(place)
        if not found.get("done"):
            if self.over():
                return None
            table = table_of_paragraphs(_with_english(self.corpus, self.recipe.english), held_out=base.held_out)
            licence = " AND ".join(dict.fromkeys(self.corpus.licences.values())) or "other"
            words = self._tokenizer(base) if base.word_pieces else None
            options = {
                "text": "Paragraphs",
                "licence": licence,
                "tokenizer": words,
                "minutes": self.left(),
                "say": self.say,
            }
            found = pretrain(place, base, table=table, **options)
        if not found["done"]:
            return None
        numbers = {name: found[name] for name in ("steps", "minutes", "cpu_minutes", "loss")}
        self.tell("masked words", numbers | {"folder": place})
        return place

    def stage(self, name: str, stage: Stage, parent: Path) -> Path | None:
        """Train a stage, or find it; None where the sitting is over before."""
        recipe = self.recipe
        negatives = None if name == "query and passage" else self.negatives
        seed = self.base_seed if name == "query and passage" else self.seed
        key = {"stage": asdict(stage), "parent": _name_of(parent), "seed": seed, "budget": recipe.budget(name)}
        key |= {"pairs": self.of_pairs, "negatives": self.of_negatives if negatives is not None else ""}
        key |= {"length": recipe.length, "language": self.corpus.language}
        place = self.place / f"{name.replace(' ', '-')}-{_digest(key)}"
        log = place / "stage.json"
        place.mkdir(exist_ok=True)
        with alone(place / "lock", f"another process trains the stage {name!r}"):
            if not log.is_file() and not self._trained(name, stage, parent, place, negatives, seed):
                return None
        self.tell(name, json.loads(log.read_text(encoding="utf-8")) | {"folder": place / "model"})
        return place / "model"

    def _trained(self, name, stage, parent, place, negatives, seed) -> bool:
        """Train a stage in its folder; false where the sitting is over before."""
        if self.over():
            return False
        model = self.load(parent)
        trained = train_stage(
            model,
            self.corpus.pairs,
            stage,
            **self.recipe.budget(name),
            negatives=negatives,
            language=self.corpus.language,
            folder=place / "training",
            pause_after=self.left(),
            rng=seed,
        )
        if not trained.done:
            return False
        _saved_whole(model, place / "model")
        numbers = {"steps": trained.step, "minutes": trained.minutes, "cpu_minutes": trained.cpu_minutes}
        numbers["loss"] = trained.losses["loss"]
        draft = place / "stage.tmp"
        draft.write_text(json.dumps(numbers) + "\n", encoding="utf-8")
        os.replace(draft, place / "stage.json")
        shutil.rmtree(place / "training")
        return True


def _name_of(place: Path) -> str:
    """The name of the folder of a stage, which its digest ends: models lie one folder deeper than first weights."""
    return place.parent.name if place.name == "model" else place.name


def _digest(key: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _with_english(corpus: PairCorpus, share: float) -> pd.DataFrame:
    """Paragraphs, and as many English sides of translations that they make the given share, by hash."""
    import pandas as pd

    paragraphs = corpus.paragraphs[["source", "document", "text"]]
    told = corpus.pairs[corpus.pairs["kind"] == "translation"].drop_duplicates("right")
    order = told["right"].map(lambda text: hashlib.sha256(text.encode()).hexdigest()).sort_values().index
    n = min(len(told), round(share / (1 - share) * len(paragraphs)))
    chosen = told.loc[order[:n]].sort_index()
    english = pd.DataFrame({"source": chosen["source"], "document": chosen["document"], "text": chosen["right"]})
    return pd.concat([paragraphs, english], ignore_index=True)


def _random_weights(words: Path, place: Path, seed: int) -> None:
    """An encoder of the shape and with the tokeniser of another one, whose weights are drawn anew."""
    import torch
    from transformers import AutoConfig, AutoModel

    from helpers.encoders.growing import tokenizer_of

    draft = Path(tempfile.mkdtemp(dir=place.parent))
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        AutoModel.from_config(AutoConfig.from_pretrained(words, trust_remote_code=False)).save_pretrained(draft)
    tokenizer_of(words).save_pretrained(draft)
    swap_folder(draft, place)


def _saved_whole(model: SentenceTransformer, place: Path) -> None:
    """Write a model in single precision, so that a folder either has all of it or is not there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=place.parent))
    model.save(str(draft), create_model_card=False)
    swap_folder(draft, place)


def _card(found: TrainedEncoder, corpus: PairCorpus, recipe: StagedRecipe, negatives: pd.DataFrame | None) -> str:
    """The card of an encoder, in Markdown."""
    bag = isinstance(recipe.base, Bag)
    kind = "The mean of the vectors of word pieces" if bag else "A transformer whose vector is the mean over its tokens"
    size = sum(weight.numel() for weight in found.model.parameters()) / 1e6
    licences = "\n".join(f"| {source} | {licence} |" for source, licence in corpus.licences.items())
    stages = "\n".join(
        f"| {name} | {row.steps:.0f} | {row.cpu_minutes:.1f} | {row.loss:.3f} |"
        for name, row in found.stages.drop(columns="folder").iterrows()
    )
    merged = "\n".join(f"| {name} | {row.loss:.3f} | {row.weight:.3f} |" for name, row in found.merged.iterrows())
    settings = {name: value for name, value in asdict(recipe).items() if name != "base"}
    settings |= {f"base: {name}": value for name, value in asdict(recipe.base).items()}
    told = "\n".join(f"| {name} | {value} |" for name, value in settings.items())
    first = f"Before a text: `{found.instruction}`. " if found.instruction else ""
    merging = f"\n| merged model | loss on examples | weight |\n|---|---|---|\n{merged}\n" if merged else ""
    made = 0 if negatives is None or not recipe.negatives else len(negatives)
    return f"""---
language: {corpus.language}
license: other
library_name: sentence-transformers
---
# A sentence encoder for {LANGUAGES.get(corpus.language, corpus.language)}

{kind}: {size:.2f} million parameters, {found.model.get_embedding_dimension()} features, weights in half precision.
{first}Sentences are compared by the cosine of their vectors.

```python
from helpers.encoders.encoder_folders import load_sentence_encoder

model = load_sentence_encoder(folder)
vectors = model.encode(["…"])
```

## Training
| stage | steps | minutes of processor | loss at its end |
|---|---|---|---|
{stages}
{merging}
{len(corpus.paragraphs)} paragraphs, {len(corpus.pairs)} pairs and {made} texts that were changed on purpose; SHA-256 of
the corpus: `{corpus.digest}`.

## Licences of the texts
| source | licence |
|---|---|
{licences}

## Limits
It knows the language of what it has read, which is help, manuals, dictionaries and the like. A mean of the vectors of
word pieces cannot know their order. It repeats what it has read, mistakes included.

## Recipe
| setting | value |
|---|---|
{told}
"""
