"""What is recorded for the chapters on a sentence encoder for Russian: ablation and merging."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, generator, unit_rows
from helpers.encoders.encoder_folders import load_sentence_encoder
from helpers.encoders.kept_back import split_examples
from helpers.encoders.merging import cocktail_weights, merge_encoders
from helpers.encoders.recipes import Recipe
from helpers.encoders.stages import consistent_negatives
from helpers.encoders.universal import (
    LINES,
    Bag,
    StagedRecipe,
    TrainedEncoder,
    example_losses,
    train_sentence_encoder,
)
from helpers.locations import expand, mark_as_cache
from helpers.pairs import (
    SOURCES,
    PairCorpus,
    made_pairs,
    package_files,
    read_documentation,
    read_packages,
    read_sample,
    read_saved_corpus,
    texts_in_folder,
    without_evaluation_texts,
)
from helpers.pairs.archives import sha256_of_file
from helpers.pairs.changes import code_of_changes
from helpers.pairs.corpus import code_of_cleaning
from helpers.text import digest_of_texts
from helpers.waiting import alone

if TYPE_CHECKING:
    import pandas as pd
    from sentence_transformers import SentenceTransformer

__all__ = [
    "CENTRED",
    "DISTANCES",
    "FUSIONS",
    "MERGES",
    "ablation_rows",
    "check_staged_choices",
    "corpus_from",
    "encoder_scores",
    "hard_negatives_of",
    "merging_rows",
    "model_encoder",
    "own_tasks",
    "recipe_from",
    "train_line",
]

DISTANCES = ("same data", "different data", "different base")
"""How two parents differ: by batches alone, by the kinds of pairs besides, by all that
comes before besides."""

MERGES = ("linear", "cocktail", "slerp", "task_arithmetic", "ties")
"""How two parents become one encoder."""

FUSIONS = ("mean", "concatenation", "concatenation + PCA", "QP", "centred mean", "Procrustes mean")
"""How the vectors of two parents become one vector."""

CENTRED = ("concatenation + PCA", "centred mean", "Procrustes mean")
"""Those of them that take off the mean of the texts they were fitted on; the last two also
bring both parents to one total variance, and differ by the rotation alone."""

LANGUAGE_OF = {"ru": ("ru",), "en": ("en",)}
LIBRARIES = ("networkx",)
Encode = Callable[[list[str]], Any]


# Corpora


def check_staged_choices(language: str, width: int, steps: Sequence[int]) -> None:
    """Refuse what no page that trains in stages could do.

    Parameters
    ----------
    language
        ``"ru"`` or ``"en"``.
    width
        Features of the encoders, at least 4.
    steps
        Updates of stage 1, the symmetric and the asymmetric model: three numbers of at least 5.

    Raises
    ------
    TypeError, ValueError
        If one of them is out of range.
    """
    if language not in LANGUAGE_OF:
        raise ValueError(f"language is {language!r}; it is one of {', '.join(map(repr, LANGUAGE_OF))}")
    check_count(width, "width", least=4)
    if not isinstance(steps, (list, tuple)) or len(steps) != 3:
        raise ValueError(f"steps is {steps!r}; three numbers are needed: stage 1, symmetric, asymmetric")
    for number in steps:
        check_count(number, "a number in steps", least=5)


def corpus_from(source: str = "", *, language: str = "ru", asked: str = "") -> PairCorpus:
    """The corpus of a recording, from wherever it lies.

    Parameters
    ----------
    source
        Empty for what comes without a download: the Russian sample, or English documentation. Else a folder: of a
        corpus that :meth:`helpers.pairs.PairCorpus.save` wrote, or of packages, which are read once and kept below.
    language
        ``"ru"`` or ``"en"``, where there is no source.
    asked
        Folder with evaluations, whose texts and what is near them the corpus does not have; empty for none.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or the packages of no source are in it.
    ValueError
        If the language is unknown, or the folder begins with a variable that is not set.

    Notes
    -----
    What is read out of packages, and what is left of a saved corpus, is kept in the folder under a digest of the
    packages or the corpus, of the texts of the evaluations and of the code that cleans: nothing that was kept for other
    evaluations is taken for it.
    """
    texts = texts_in_folder(expand(asked)) if asked else None
    if not source:
        if language not in LANGUAGE_OF:
            raise ValueError(f"language is {language!r}; it is one of {', '.join(map(repr, LANGUAGE_OF))}")
        return _usable(read_sample() if language == "ru" else read_documentation(LIBRARIES), texts)
    place = Path(expand(source))
    if not place.is_dir():
        raise FileNotFoundError(f"there is no folder {place}")
    saved = (place / "corpus.json").is_file()
    if saved and texts is None:
        return _usable(read_saved_corpus(place))
    names = [] if saved else _sources_in(place)
    kept = place / f"corpus-{_corpus_digest(place, names, texts)}"
    with alone(place / ".corpus.lock", "another process is reading the texts"):
        if not (kept / "corpus.json").is_file():
            if saved:
                without_evaluation_texts(read_saved_corpus(place), texts).save(kept)
            else:
                read_packages(place, names, asked=texts).save(kept)
            mark_as_cache(kept)
    return _usable(read_saved_corpus(kept))


def _corpus_digest(place: Path, names: Sequence[str], texts: Sequence[str] | None) -> str:
    """What a corpus depends on, as 16 hexadecimal digits: its sources or the saved one, evaluations and code."""
    import hashlib

    files = package_files(place, dict.fromkeys(package for name in names for package in SOURCES[name].packages))
    told = [(name, repr(SOURCES[name])) for name in names]
    told += [(name, sha256_of_file(path)) for name, path in sorted(files.items())]
    told += [] if names else [("saved", sha256_of_file(place / "corpus.json"))]
    told += [("code", code_of_cleaning()), ("asked", "" if texts is None else digest_of_texts(sorted(texts)))]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _sources_in(place: Path) -> list[str]:
    """Sources of Russian text whose packages are in a folder, all of them."""
    found = []
    for name, source in SOURCES.items():
        if source.language == "ru":
            try:
                package_files(place, source.packages)
            except FileNotFoundError:
                continue
            found.append(name)
    if not found:
        raise FileNotFoundError(f"{place} has neither a corpus nor the packages of a source; fetch_packages gets them")
    return found


def _usable(corpus: PairCorpus, asked: Sequence[str] | None = None) -> PairCorpus:
    """A corpus without texts of an evaluation, and without translations of less than four words, most of which are
    names of commands."""
    if asked is not None:
        corpus = without_evaluation_texts(corpus, asked)
    pairs = corpus.pairs
    short = (pairs["kind"] == "translation") & (pairs["left"].str.split().str.len() < 4)
    return replace(corpus, pairs=pairs[~short].reset_index(drop=True))


def hard_negatives_of(corpus: PairCorpus, n: int, *, rng: int = 0) -> pd.DataFrame:
    """Changes of some paragraphs of a corpus that are one sentence, as :func:`helpers.pairs.made_pairs` gives them.

    Those that contradict a pair of the corpus are left out (:func:`helpers.encoders.stages.consistent_negatives`).
    """
    text = corpus.paragraphs["text"]
    text = text[text.str.len().between(20, 140)].to_numpy()
    chosen = np.sort(generator(rng).permutation(len(text))[: check_count(n, "n")])
    return consistent_negatives(made_pairs(list(text[chosen]), corpus.language), corpus.pairs)


# Tasks


def encoder_scores(
    encode: Encode | Mapping[str, Encode], evaluation: str, tasks: Sequence[str] = (), *, n_resamples: int = 0
) -> pd.DataFrame:
    """Scores of an encoder on the sentence tasks of encodechka, and their mean.

    Parameters
    ----------
    encode
        As :func:`helpers.tasks.encodechka.encodechka_scores` takes it.
    evaluation
        Folder of the benchmark.
    tasks
        Some of its tasks, with their ``"mean"``; empty for all, with ``"mean S"`` and ``"mean CLF"``.
    n_resamples
        Bootstrap samples of the test part, for standard errors; 0 for none.

    Returns
    -------
    DataFrame
        ``task``, ``n``, ``chance``, ``published`` (what is best on the test part is chosen) and ``honest``; with
        ``n_resamples`` also ``se_published`` and ``se_honest``, and what was chosen by each rule.
    """
    import pandas as pd

    from helpers.tasks.encodechka import encodechka_scores, mean_scores

    found = encodechka_scores(encode, evaluation, tasks or None, n_resamples=n_resamples)
    more = ["se_published", "se_honest", "chosen_published", "chosen_honest"] if n_resamples else []
    rows = found.reset_index()[["task", "n", "chance", "published", "honest", *more]]
    if tasks:
        mean = rows.mean(numeric_only=True).to_dict() | {"task": "mean", "n": rows["n"].sum()}
        for error in more[:2]:
            mean[error] = float(np.sqrt((rows[error] ** 2).sum())) / len(rows)
        return pd.concat([rows, pd.DataFrame([mean])], ignore_index=True)
    means = mean_scores(found).rename_axis("task").reset_index()
    return pd.concat([rows, means], ignore_index=True)[rows.columns]


def own_tasks(encode: Encode, examples: pd.DataFrame, distractors: Sequence[str] = ()) -> pd.DataFrame:
    """How well an encoder finds the other side of pairs that it was not trained on: tasks where there is no benchmark.

    Parameters
    ----------
    encode
        Function from texts to vectors.
    examples
        Pairs, of which kinds with four or more make a task each.
    distractors
        Texts among which right sides are looked for, besides the other right sides.

    Returns
    -------
    DataFrame
        ``task`` (``"find KIND"``, and ``"mean"``), ``n``, ``chance``, ``published`` and ``honest``, both the mean
        reciprocal rank: nothing is chosen here.
    """
    import pandas as pd

    from helpers.tasks.recall import recall_among

    rows = []
    for kind, pairs in examples.groupby("kind", sort=True):
        if len(pairs) >= 4:
            found = recall_among(encode, list(pairs["left"]), list(pairs["right"]), distractors, k=(1,), n_resamples=1)
            n = round(1 / found.loc[1, "chance"])
            chance = float(np.mean(1 / np.arange(1, n + 1)))
            rows.append((f"find {kind}", len(pairs), chance, float((1 / found.attrs["ranks"]).mean())))
    table = pd.DataFrame(rows, columns=["task", "n", "chance", "published"])
    mean = table.mean(numeric_only=True).to_dict() | {"task": "mean", "n": table["n"].sum()}
    table = pd.concat([table, pd.DataFrame([mean])], ignore_index=True)
    return table.assign(honest=table["published"])[["task", "n", "chance", "published", "honest"]]


def _scores(encode: Encode, corpus: PairCorpus, evaluation: str, examples: int, tasks: Sequence[str]) -> pd.DataFrame:
    if evaluation:
        return encoder_scores(encode, evaluation, tasks)
    chosen = split_examples(corpus.pairs, examples)[1]
    distractors = corpus.pairs["right"].drop_duplicates().tolist()[:2000]
    return own_tasks(encode, chosen, distractors)


def model_encoder(model: SentenceTransformer, before: str = "") -> Encode:
    """A sentence encoder as a function from texts to vectors, with an instruction before each text."""
    return lambda texts: model.encode([before + text for text in texts], batch_size=256, show_progress_bar=False)


# Ablation


def recipe_from(
    *,
    base: str = "bag",
    width: int = 128,
    pieces: int = 8000,
    layers: Sequence[Sequence[float]] = ((3, 3.0), (6, 7.0)),
    length: int = 48,
    steps: Sequence[int] = (600, 600, 600),
    batch: int = 64,
    rate: float = 1e-3,
    line: str = "whole",
    without: str = "",
    language: str = "ru",
    **more: Any,
) -> StagedRecipe:
    """A recipe by plain parameters, as a plan has them.

    Parameters
    ----------
    base
        ``"bag"``, or ``"transformer"`` with masked words before it.
    width, pieces
        Features of a vector, word pieces.
    layers
        Pairs of a number of layers and millions of tokens, of a transformer.
    length, steps, batch, rate
        As in :class:`helpers.encoders.universal.StagedRecipe`.
    line
        One of :data:`helpers.encoders.universal.LINES`.
    without
        A kind of pairs that is left out; empty for none.
    language
        Language of the texts.
    more
        Further settings of the recipe.

    Raises
    ------
    ValueError
        If the base or the line is unknown.
    """
    if line not in LINES:
        raise ValueError(f"line is {line!r}; it is one of {', '.join(map(repr, LINES))}")
    if base == "bag":
        start: Bag | Recipe = Bag(pieces, width)
    elif base == "transformer":
        start = Recipe(
            objective="roberta",
            tokenizer="wordpiece",
            strip_accents=False,
            language=language,
            stages=tuple((int(depth), float(millions)) for depth, millions in layers),
            hidden=width,
            heads=max(1, width // 32),
            vocabulary=pieces,
            positions="neighbours",
        )
    else:
        raise ValueError(f"base is {base!r}; it is 'bag' or 'transformer'")
    settings = {"length": length, "steps": tuple(steps), "batch": batch, "rate": rate, "without": (without,)}
    settings["without"] = (without,) if without else ()
    return StagedRecipe(start, **settings, **LINES[line], **more)


def train_line(
    corpus: PairCorpus, recipe: StagedRecipe, folder: str, *, negatives: int = 0, rng: int = 0, **options: Any
) -> TrainedEncoder:
    """An encoder of one line of the ablation; stages that lines share lie in one folder.

    Parameters
    ----------
    corpus, recipe
        As :func:`helpers.encoders.universal.train_sentence_encoder` takes them.
    folder
        Folder in which stages and encoders are kept; empty for a temporary one.
    negatives
        Paragraphs that are changed on purpose; 0 for no negatives.
    rng
        Seed of everything after stage 0.
    options
        Further options of the training.
    """
    import hashlib
    import tempfile

    place = Path(expand(folder)) if folder else Path(tempfile.mkdtemp())
    made = _kept_negatives(corpus, negatives, place) if negatives else None
    told = f"{recipe} {corpus.digest} {negatives} {rng} {options.get('base_rng')}"
    mark_as_cache(place / "encoders")
    mark_as_cache(place / "stages")
    out = place / "encoders" / hashlib.sha256(told.encode()).hexdigest()[:12]
    return train_sentence_encoder(out, corpus, recipe, negatives=made, shared=place / "stages", rng=rng, **options)


def _kept_negatives(corpus: PairCorpus, n: int, place: Path) -> pd.DataFrame:
    """Changed texts, which take a minute for some tens of thousands, kept beside the stages."""
    import pandas as pd

    file = mark_as_cache(place / "changes") / f"changed-{n}-{corpus.digest[:12]}-{code_of_changes()[:8]}.parquet"
    with alone(file.with_suffix(".lock"), "another process changes texts on purpose"):
        if not file.is_file():
            hard_negatives_of(corpus, n).to_parquet(file.with_suffix(".draft"), index=False)
            file.with_suffix(".draft").replace(file)
    return consistent_negatives(pd.read_parquet(file), corpus.pairs)


def ablation_rows(
    corpus: PairCorpus,
    recipe: StagedRecipe,
    folder: str = "",
    *,
    evaluation: str = "",
    tasks: Sequence[str] = (),
    negatives: int = 0,
    rng: int = 0,
) -> pd.DataFrame:
    """Scores of one line of the ablation with one seed, by task.

    Parameters
    ----------
    corpus, recipe, folder, negatives, rng
        As :func:`train_line` takes them.
    evaluation, tasks
        As :func:`encoder_scores` takes them; without a folder, the pairs of the corpus that were kept back are tasks.

    Returns
    -------
    DataFrame
        A row for each task, as of :func:`encoder_scores`, with ``steps`` and ``cpu_minutes`` of all stages after
        stage 0, shared ones included.
    """
    trained = train_line(corpus, recipe, folder, negatives=negatives, rng=rng)
    rows = _scores(model_encoder(trained.model, trained.instruction), corpus, evaluation, recipe.examples, tasks)
    spent = trained.stages.drop(index="masked words", errors="ignore")
    return rows.assign(steps=int(spent["steps"].sum()), cpu_minutes=round(float(spent["cpu_minutes"].sum()), 2))


# Merging


def merging_rows(
    corpus: PairCorpus,
    recipe: StagedRecipe,
    distance: str,
    folder: str = "",
    *,
    evaluation: str = "",
    tasks: Sequence[str] = (),
    negatives: int = 0,
    n_texts: int = 1000,
    rng: int = 0,
) -> pd.DataFrame:
    """Two parents at a distance, merged into one encoder and fused by their vectors, in all ways.

    Parameters
    ----------
    corpus, recipe, folder, negatives, rng
        As :func:`train_line` takes them.
    distance
        One of :data:`DISTANCES`.
    evaluation, tasks
        As :func:`encoder_scores` takes them.
    n_texts
        Paragraphs on which CKA is measured and fusions are fitted.

    Returns
    -------
    DataFrame
        A row for each method and task, as of :func:`encoder_scores`, with ``method``, ``way`` (``"parent"``,
        ``"parameters"``, ``"vectors"``), ``encoders`` (how many run for a text), ``width``, ``loss`` (of a parent on
        the pairs that choose, by which the better one is known before anything is scored) and ``cka`` of the parents.

    Raises
    ------
    ValueError
        If the distance is unknown, or the recipe does not split its data.
    """
    import pandas as pd

    from helpers.similarity import cka

    base, parents = _parents(corpus, recipe, distance, folder, negatives, rng)
    before = _instruction(corpus, recipe)
    text = corpus.paragraphs["text"].to_numpy()
    chosen = list(text[np.sort(generator(rng).permutation(len(text))[:n_texts])])
    vectors = [model_encoder(model, before)(chosen) for model in parents]
    choosing = split_examples(corpus.pairs, recipe.examples)[0]
    losses = [example_losses(model, choosing, recipe, corpus.language)["loss"].mean() for model in parents]
    merged = _merged(base, parents, losses, recipe.cocktail)
    encoders: dict[tuple[str, str, int], Encode] = {
        (f"parent {i + 1}", "parent", 1): model_encoder(model, before) for i, model in enumerate(parents)
    }
    encoders |= {(name, "parameters", 1): model_encoder(model, before) for name, model in merged.items()}
    quality = np.exp(-np.asarray(losses))
    encoders |= {
        (name, "vectors", 2): fused
        for name, fused in _fused([model_encoder(model, before) for model in parents], vectors, quality).items()
    }
    parts, by_parent = [], {f"parent {i + 1}": float(loss) for i, loss in enumerate(losses)}
    for (method, way, n), encode in encoders.items():
        rows = _scores(encode, corpus, evaluation, recipe.examples, tasks)
        width = int(np.shape(encode(chosen[:1]))[1])
        about = {"method": method, "way": way, "encoders": n, "width": width, "loss": by_parent.get(method, np.nan)}
        parts.append(rows.assign(**about))
    return pd.concat(parts, ignore_index=True).assign(distance=distance, cka=float(cka(*vectors)))


def _instruction(corpus: PairCorpus, recipe: StagedRecipe) -> str:
    from helpers.encoders.stages import INSTRUCTIONS

    return INSTRUCTIONS[corpus.language][0] if recipe.instructions else ""


def _parents(corpus, recipe, distance, folder, negatives, rng) -> tuple[SentenceTransformer, list[SentenceTransformer]]:
    """The encoder before stage 2 of the first parent, and the two parents."""
    import tempfile

    if distance not in DISTANCES:
        raise ValueError(f"distance is {distance!r}; it is one of {', '.join(map(repr, DISTANCES))}")
    if not recipe.split or not recipe.first:
        raise ValueError("recipe has no two models of one stage 1; lines with splitting and stage 1 have parents")
    folder = folder or tempfile.mkdtemp()
    one = train_line(corpus, recipe, folder, negatives=negatives, rng=rng)
    names = ("symmetric", "symmetric") if distance == "same data" else ("symmetric", "asymmetric")
    other = one
    if distance == "same data":
        other = train_line(corpus, recipe, folder, negatives=negatives, rng=rng + 1000, base_rng=rng)
    elif distance == "different base":
        if isinstance(recipe.base, Recipe):  # another stage 0; a bag has other first weights by its seed
            recipe = replace(recipe, base=replace(recipe.base, seed=recipe.base.seed + 1000))
        other = train_line(corpus, recipe, folder, negatives=negatives, rng=rng + 1000)
    places = [one.stages.loc[names[0], "folder"], other.stages.loc[names[1], "folder"]]
    base = load_sentence_encoder(one.stages.loc["query and passage", "folder"], length=recipe.length)
    return base, [load_sentence_encoder(place, length=recipe.length) for place in places]


def _merged(base, parents, losses, temperature) -> dict[str, SentenceTransformer]:
    shares = cocktail_weights(losses, temperature=temperature).tolist()
    return {
        "linear": merge_encoders(parents),
        "cocktail": merge_encoders(parents, weights=shares),
        "slerp": merge_encoders(parents, "slerp"),
        "task_arithmetic": merge_encoders(parents, "task_arithmetic", weights=[1.0, 1.0], base=base),
        "ties": merge_encoders(parents, "ties", weights=[1.0, 1.0], base=base, density=0.5),
    }


def _fused(encoders: Sequence[Encode], vectors: Sequence[np.ndarray], quality: np.ndarray) -> dict[str, Encode]:
    """Fusions of two encoders, fitted on their vectors of some texts; rows have unit length before."""
    from helpers.ensembles import QP, ConcatPCA, MeanOfLayers, OrthogonalProcrustes

    names = ("one", "other")
    told = dict(zip(names, map(unit_rows, vectors), strict=True))
    fitted = {
        "mean": MeanOfLayers(),
        "concatenation + PCA": ConcatPCA(width=min(vectors[0].shape[1], len(vectors[0]) - 1)),
        "QP": QP(lam=0.1),
        "Procrustes mean": OrthogonalProcrustes(),
    }
    for model in fitted.values():
        model.fit(told, quality=dict(zip(names, quality, strict=True)))
    middle = {name: rows.mean(axis=0) for name, rows in told.items()}
    spread = {name: float(np.sqrt(np.var(rows, axis=0, ddof=1).mean())) for name, rows in told.items()}

    def fused(name: str) -> Encode:
        def encode(texts: list[str]) -> np.ndarray:
            own = {key: unit_rows(one(texts)) for key, one in zip(names, encoders, strict=True)}
            if name == "concatenation":
                return np.hstack([*own.values()])
            if name == "centred mean":  # what Procrustes does, but for the rotation
                return sum((own[key] - middle[key]) / spread[key] for key in names) / 2
            return np.asarray(fitted[name].transform(own))

        return encode

    return {name: fused(name) for name in FUSIONS}
