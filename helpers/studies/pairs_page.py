"""The chapter "What an encoder does not see": sentences of a corpus, changes of them, encoders before and after."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, generator
from helpers.book.style import INK
from helpers.encoders.stages import Stage, bag_encoder, consistent_negatives, learn_pieces, train_stage
from helpers.inference import Claim, Finding, Interval, absent, paired
from helpers.locations import DATA
from helpers.pairs import (
    CHANGES,
    LIGHT_PAIRS,
    PairCorpus,
    changes_seen,
    check_pairs,
    made_pairs,
    make_changes,
    read_documentation,
    read_sample,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

__all__ = [
    "BAD_PAIRS",
    "CLAIMS",
    "check_pairs_choices",
    "corpus_of_language",
    "distributions_figure",
    "facts",
    "findings",
    "negation_unseen",
    "half_and_others",
    "held_out_source",
    "made_parts",
    "plain_encoders",
    "recorded_pair_facts",
    "recorded_rows",
    "recorded_table",
    "refused_pairs",
    "rows_of_base",
    "seed_finding",
    "seen_rows",
    "seen_table",
    "seen_by",
    "sentences_of",
    "show_changes",
    "changed_story_figure",
    "story_texts",
    "train_on",
    "vectors_by",
]

CLAIMS = {
    "own": Claim(
        "Training on hard negatives made on purpose moves them away from their texts",
        "AUC of positives before negatives gained by it, on texts that were not trained on",
        models="sentence encoders for Russian",
        source="deepvk2024user",
        spec="+.2f",
    ),
    "others": Claim(
        "It generalises: negatives of other sources move away too",
        "AUC of positives before negatives gained by it, on texts of other sources",
        models="sentence encoders for Russian",
        source="deepvk2024user",
        spec="+.2f",
    ),
}
"""What is said of hard negatives that are made on purpose."""

FEW = 5  # pairs of a kind below which nothing is said of it
HELD_OUT = 1000  # sentences that the source has which no training sees, if any has
LIBRARIES = ("networkx",)
"""Whose documentation is read in English."""

STORY = {
    "ru": ("Кошка преследует собаку.", "Если идёт дождь, мы сидим дома."),
    "en": ("The cat is chasing the dog.", "When the bell rings, the shop is closed."),
}
BAD_PAIRS = {
    "ru": (
        ("Вид", "Что видно в окне программы."),
        ("Вид", ""),
        ("Открыть файл", "открыть файл!"),
        ("Открыть файл", "Open a file."),
        ("РћРєРЅРѕ", "Что видно в окне программы."),
        ("Вид", "Что видно в окне программы."),
    ),
    "en": (
        ("View", "What the window shows."),
        ("View", ""),
        ("Open a file", "open a file!"),
        ("Open a file", "Открыть файл."),
        ("ÐžÐºÐ½Ð¾", "What the window shows."),
        ("View", "What the window shows."),
    ),
}
"""Pairs of which the first is good, and each other one is refused for a reason of its own."""


def check_pairs_choices(
    *, language: str, n_sentences: int, width: int, steps: int, n_resamples: int, encoder: str = ""
) -> None:
    """Refuse what the page could not do.

    Parameters
    ----------
    language
        ``"ru"`` or ``"en"``.
    n_sentences
        Sentences that are changed, at least 200: few of the changes keep the sense.
    width
        Features of the bag of word pieces, at least 4.
    steps
        Updates of each training, at least 10.
    n_resamples
        Bootstrap samples, at least 19.
    encoder
        Another encoder, as :func:`helpers.encoders.extraction.resolve_model` finds it; empty for none.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If one of them is out of range, or there is no such encoder.
    """
    from helpers.encoders.extraction import resolve_model

    if language not in STORY:
        raise ValueError(f"language is {language!r}; it is one of {', '.join(map(repr, STORY))}")
    check_count(n_sentences, "n_sentences", least=200)
    check_count(width, "width", least=4)
    check_count(steps, "steps", least=10)
    check_count(n_resamples, "n_resamples", least=19)
    if encoder:
        resolve_model(encoder)


def corpus_of_language(language: str) -> PairCorpus:
    """What the page reads without a download: the Russian sample of the book, or English documentation."""
    return read_sample() if language == "ru" else read_documentation(LIBRARIES)


def refused_pairs(language: str) -> tuple[pd.DataFrame, pd.Series]:
    """What :func:`helpers.pairs.check_pairs` keeps and refuses of :data:`BAD_PAIRS`."""
    return check_pairs([("page", "title", *sides, "") for sides in BAD_PAIRS[language]], language=language)


def sentences_of(corpus: PairCorpus, n: int | None = None, *, rng: int | np.random.Generator = 0) -> pd.DataFrame:
    """Distinct sentences of the paragraphs and pairs of a corpus, those that are long enough to be changed.

    Parameters
    ----------
    corpus
        Corpus in the language of its rules.
    n
        How many are drawn, at most; None for all.
    rng
        Seed or generator of the draw.

    Returns
    -------
    DataFrame
        ``source`` and ``text``: 20 to 140 characters, four words or more, ending with a full stop.
    """
    import pandas as pd

    texts = corpus.paragraphs[["source", "text"]]
    own = corpus.pairs[~corpus.pairs["source"].str.contains(r"\+")]
    sides = [own[["source", "left"]].set_axis(["source", "text"], axis=1)]
    sides += [own.loc[own["kind"] != "translation", ["source", "right"]].set_axis(["source", "text"], axis=1)]
    told = pd.concat([texts, *sides])
    rows = [
        (source, sentence)
        for source, text in zip(told["source"], told["text"], strict=True)
        for sentence in re.split(r"(?<=[.!?])\s+(?=[A-ZА-ЯЁ])", text)
        if 20 <= len(sentence) <= 140 and sentence.endswith(".") and len(sentence.split()) >= 4
    ]
    found = pd.DataFrame(rows, columns=["source", "text"]).drop_duplicates("text", ignore_index=True)
    return _drawn(found, n, rng)


def _drawn(sentences: pd.DataFrame, n: int | None, rng: int | np.random.Generator) -> pd.DataFrame:
    """So many rows of a table in their order, at most."""
    if n is None or n >= len(sentences):
        return sentences
    return sentences.loc[np.sort(generator(rng).permutation(len(sentences))[:n])].reset_index(drop=True)


def held_out_source(sentences: pd.DataFrame, n: int | None = None) -> str:
    """The source that no training shall see: it depends on the corpus alone, so it is one for all seeds.

    Parameters
    ----------
    sentences
        All sentences of a corpus, with their ``source``.
    n
        How many of them will be drawn; None for all.

    Returns
    -------
    str
        The smallest source of which a draw has 1000 sentences on average; if there is none, the largest but one. Empty
        where there is one source only.
    """
    counts = sentences["source"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    if len(counts) < 2:
        return ""
    share = 1 if n is None else min(1, n / len(sentences))
    large = counts[1:][counts[1:] * share >= HELD_OUT]
    return str(large.index[-1] if len(large) else counts.index[1])


def half_and_others(
    sentences: pd.DataFrame, other: str | None = None, *, rng: int | np.random.Generator = 0
) -> pd.Series:
    """Which sentences negatives are made of to train on (``"train"``), and to test: ``"own"`` sources and ``"others"``.

    Parameters
    ----------
    sentences
        Sentences with their ``source``.
    other
        Source that no training sees; None for that of :func:`held_out_source`. Empty: a third of the sentences, of
        whatever source.
    rng
        Seed or generator.

    Returns
    -------
    Series
        Part of each sentence.

    Raises
    ------
    ValueError
        If no sentence is of that source.
    """
    import pandas as pd

    other = held_out_source(sentences) if other is None else other
    chosen = generator(rng).random(len(sentences))
    part = np.where(chosen < 0.6, "train", "own")
    held_out = (sentences["source"] == other).to_numpy() if other else chosen > 0.7
    if not held_out.any():
        known = ", ".join(map(repr, sentences["source"].unique()))
        raise ValueError(f"other is {other!r}; no sentence is of this source, there are {known}")
    return pd.Series(np.where(held_out, "others", part), index=sentences.index, name="part")


def made_parts(sentences: pd.DataFrame, part: pd.Series, language: str, *, each: int = 1) -> dict[str, pd.DataFrame]:
    """Sentences of each part beside their changes, as :func:`helpers.pairs.made_pairs` gives them.

    Parameters
    ----------
    sentences, part
        Sentences, and the part of each as :func:`half_and_others` gives it.
    language, each
        As :func:`helpers.pairs.made_pairs` takes them.

    Raises
    ------
    ValueError
        If the rules make no negatives of a part, or, of a part to test on, no changes that keep the sense, with which
        negatives are compared; the part, its sources and its size are named.
    """
    found = {}
    for name in ("train", "own", "others"):
        some = sentences[part == name]
        found[name] = made_pairs(some["text"], language, each=each)
        positives = int(found[name]["positive"].sum())
        lacking = "negatives" if positives == len(found[name]) else ""
        if not positives and name != "train":
            lacking = "changes that keep the sense" if len(found[name]) else "changes"
        if lacking:
            sources = ", ".join(some["source"].unique())
            raise ValueError(
                f"the rules make no {lacking} of the {len(some)} sentences of part {name!r} ({sources}); "
                "take more sentences, or a corpus with larger sources"
            )
    return found


def show_changes(texts: Sequence[str], language: str) -> pd.DataFrame:
    """All changes of some texts, a row each."""
    import pandas as pd

    rows = [(text, change.kind, change.text) for text in texts for change in make_changes(text, language)]
    return pd.DataFrame(rows, columns=["text", "changed on purpose", "now"]).set_index("text")


# Encoders


def vectors_by(model: SentenceTransformer) -> Callable[[list[str]], np.ndarray]:
    """An encoder as a function from texts to vectors."""
    return lambda texts: model.encode(texts, batch_size=256, show_progress_bar=False)


def plain_encoders(corpus: PairCorpus, *, width: int = 64, encoder: str = "") -> dict[str, Callable]:
    """Encoders that learned nothing of meaning: counts of words and of letters, and word pieces with random vectors.

    Parameters
    ----------
    corpus
        Corpus of the vocabulary.
    width
        Features of the random vectors.
    encoder
        A trained encoder besides, as :func:`helpers.encoders.extraction.resolve_model` finds it.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [*corpus.paragraphs["text"], *corpus.pairs["left"], *STORY[corpus.language]]
    words = TfidfVectorizer().fit(texts)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4)).fit(texts)
    found = {
        "words": lambda told: words.transform(told).toarray(),
        "letters": lambda told: letters.transform(told).toarray(),
        "bag, random": vectors_by(bag_encoder(learn_pieces(texts, 2000), width)),
    }
    if encoder:
        from helpers.encoders.encoder_folders import load_sentence_encoder
        from helpers.encoders.extraction import resolve_model

        found[encoder.rpartition("/")[2]] = vectors_by(load_sentence_encoder(resolve_model(encoder)))
    return found


def train_on(
    corpus: PairCorpus,
    negatives: pd.DataFrame | None,
    *,
    width: int = 64,
    steps: int = 200,
    pieces: int | Tokenizer = 2000,
    batch: int = 8,
    rate: float = 5e-3,
    rng: int = 0,
) -> SentenceTransformer:
    """A bag of word pieces that learned from all pairs of a corpus, and from negatives made on purpose, if given.

    Parameters
    ----------
    corpus, negatives
        Pairs, and texts beside their changes as of :func:`helpers.pairs.made_pairs`; those that contradict a pair are
        left out.
    width
        Features of a vector.
    pieces
        Word pieces of the vocabulary, or one that :func:`helpers.encoders.stages.learn_pieces` has learned.
    steps, batch, rate
        Updates, pairs of a batch and learning rate.
    rng
        Seed of the first vectors and of the batches.
    """
    learned = pieces if hasattr(pieces, "get_vocab_size") else _pieces_of(corpus, pieces)
    kinds = tuple(dict.fromkeys(corpus.pairs["kind"]))
    model = bag_encoder(learned, width, rng=rng)
    stage = Stage(kinds, losses=("contrastive", "angle"), batch=batch, rate=rate)
    made = None if negatives is None else consistent_negatives(negatives, corpus.pairs)
    options = {"steps": steps, "negatives": made, "language": corpus.language, "rng": rng}
    train_stage(model, corpus.pairs, stage, **options)
    return model


def _pieces_of(corpus: PairCorpus, n: int) -> Tokenizer:
    return learn_pieces([*corpus.paragraphs["text"], *corpus.pairs["left"]], n)


def seen_by(encoders: Mapping[str, Callable], made: pd.DataFrame, *, n_resamples: int = 200) -> dict[str, Any]:
    """:func:`helpers.pairs.changes_seen` of several encoders."""
    return {name: changes_seen(encode, made, n_resamples=n_resamples) for name, encode in encoders.items()}


def seen_table(seen: Mapping[str, pd.DataFrame]) -> Any:
    """How often each encoder puts a positive before a negative of a kind, with intervals; 1/2 if it does not see it.

    Kinds with fewer than five negatives have a dash, and all of them where there are no positives.
    """
    import pandas as pd

    some = next(iter(seen.values()))
    kinds = [kind for kind in (*CHANGES, "all negatives") if kind in some.index and not some.loc[kind, "positive"]]
    table = {"n": some.loc[kinds, "n"].map("{:.0f}".format)}
    for name, one in seen.items():
        rows = one.loc[kinds]
        table[name] = [
            "—" if r.n < FEW or np.isnan(r.auc) else f"{r.auc:.2f} [{r.ci_low:.2f}, {r.ci_high:.2f}]"
            for r in rows.itertuples()
        ]
    return pd.DataFrame(table, index=pd.Index(kinds, name="change"))


# Recorded


def seen_rows(
    corpus: PairCorpus,
    *,
    n_sentences: int = 20_000,
    without: Sequence[str] = ("", "negation"),
    width: int = 128,
    pieces: int = 8000,
    steps: int = 600,
    batch: int = 128,
    rng: int = 0,
) -> pd.DataFrame:
    """What bags see of each kind of change before a training, after one on pairs, and after one on negatives too.

    Parameters
    ----------
    corpus
        Pairs and paragraphs.
    n_sentences
        Sentences that are changed, of all sources.
    without
        Kinds of changes that a training on negatives never sees; empty for one that sees all.
    width, pieces, steps, batch
        As :func:`train_on` takes them.
    rng
        Seed of everything.

    Returns
    -------
    DataFrame
        A row for each training (``"none"``, ``"pairs"``, ``"pairs and negatives"``, ``"… without KIND"``), part
        (``"own"``, ``"others"``) and kind of change: ``n``, ``cosine``, ``auc`` with ``ci_low`` and ``ci_high``;
        ``held_out`` is the source of the part ``"others"``, empty where the corpus has one source; ``positives`` and
        ``negatives`` are how many changes of either sign the part has, ``corpus_pairs`` the pairs of the corpus.

    Raises
    ------
    ValueError
        If a part has no changes, or none that keep the sense.
    """
    import pandas as pd

    every = sentences_of(corpus)
    other = held_out_source(every, n_sentences)
    sentences = _drawn(every, n_sentences, rng)
    made = made_parts(sentences, half_and_others(sentences, other, rng=rng), corpus.language)
    learned = _pieces_of(corpus, pieces)
    options = {"width": width, "pieces": learned, "batch": batch, "rng": rng}
    models = {
        "none": bag_encoder(learned, width, rng=rng),
        "pairs": train_on(corpus, None, steps=steps, **options),
    }
    for kind in without:
        name = "pairs and negatives" + (f" without {kind}" if kind else "")
        kept = made["train"][made["train"]["kind"] != kind]
        models[name] = train_on(corpus, kept, steps=steps, **options)
    parts = []
    for training, model in models.items():
        for where in ("own", "others"):
            seen = changes_seen(vectors_by(model), made[where], rng=rng)
            seen.attrs.clear()  # tables with different ones cannot be put below each other
            columns = ["kind", "positive", "n", "cosine", "auc", "ci_low", "ci_high"]
            positives = int(made[where]["positive"].sum())
            about = {"positives": positives, "negatives": len(made[where]) - positives}
            rows = seen.rename_axis("kind").reset_index()[columns]
            parts.append(rows.assign(training=training, part=where, **about))
    found = pd.concat(parts, ignore_index=True).assign(held_out=other, corpus_pairs=len(corpus.pairs))
    return found[["training", "part", *(name for name in found if name not in ("training", "part"))]]


def recorded_rows(name: str) -> pd.DataFrame | None:
    """A recorded table of the book by its file below ``data/``; None where nothing is recorded yet."""
    import pandas as pd

    place = DATA / name
    return pd.read_csv(place, keep_default_na=False, na_values=[""]) if place.is_file() else None


def rows_of_base(found: pd.DataFrame | None, base: str) -> pd.DataFrame | None:
    """Recorded rows of one base, ``"bag"`` or ``"transformer"``; None where there are none."""
    some = None if found is None else found[found["base"] == base]
    return None if some is None or some.empty else some


def recorded_table(found: pd.DataFrame | None) -> pd.DataFrame:
    """Mean AUC over seeds by part, training and kind of change; one row of dashes where nothing is recorded.

    The interval of 95 % is Student's t over the seeds, or that over texts where there is one seed.
    """
    import pandas as pd

    kinds = [kind for kind, (positive, _) in CHANGES.items() if not positive]
    if found is None:
        return pd.DataFrame([["—"] * (len(kinds) + 1)], ["not recorded yet"], [*kinds, "all negatives"])
    some = found[~found["positive"].astype(bool)]
    grouped = some.groupby(["part", "training", "kind"], sort=False)
    cells = grouped[["auc", "ci_low", "ci_high"]].apply(_mean_over_seeds)
    wide = cells.unstack("kind", sort=False).fillna("—")
    order = [kind for kind in (*kinds, "all negatives") if kind in wide]
    return wide[order].rename_axis(columns=None)


def _mean_over_seeds(rows: pd.DataFrame) -> str:
    """Mean AUC of some seeds with its interval, or that of one seed with its own; a dash without any."""
    values = rows["auc"].dropna()
    if len(values) < 2:
        one = rows.loc[values.index]
        return "—" if one.empty else f"{Interval(*one.iloc[0], 0.95):.2f}"
    mean = paired(values, np.zeros(len(values)), overlap=0.0)
    return f"{Interval(mean.difference, max(0, mean.low), min(1, mean.high), 0.95):.2f}"


def seed_finding(claim: Claim, a: Sequence[float], b: Sequence[float], units: str = "seeds") -> Finding:
    """The finding about a mean difference over a few seeds, which are independent: Student's t.

    Parameters
    ----------
    claim
        About the mean of a - b.
    a, b
        Values with the same seeds, two at least.
    units
        What the units are.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    if len(a) < 2:
        return absent(f"{len(a)} of {units} recorded; two at least are needed")
    found = paired(a, b, overlap=0.0)
    effect = paired(a - claim.effect, b, overlap=0.0).p if claim.effect else found.p
    null = paired(a - claim.null, b, overlap=0.0).p if claim.null else found.p
    return Finding(found.difference, found.low, found.high, found.n, units, null, effect)


def findings(found: pd.DataFrame | None) -> dict[str, Finding]:
    """What the recorded trainings say of :data:`CLAIMS`, with seeds as units."""
    if found is None:
        return dict.fromkeys(CLAIMS, absent("not recorded yet"))
    some = found[found["kind"] == "all negatives"].set_index(["part", "training", "seed"])["auc"].sort_index()
    return {
        key: seed_finding(claim, some[key]["pairs and negatives"], some[key]["pairs"]) for key, claim in CLAIMS.items()
    }


def negation_unseen(found: pd.DataFrame | None) -> dict[str, Finding]:
    """What negatives of other kinds teach of negation: AUC by a training that never saw one, less that on pairs alone.

    Parameters
    ----------
    found
        Recorded rows; None where nothing is recorded.

    Returns
    -------
    dict of str to Finding
        By part, ``"own"`` and ``"others"``, with seeds as units; without a finding where a seed lacks one of the two.
    """
    parts = ("own", "others")
    if found is None:
        return dict.fromkeys(parts, absent("not recorded yet"))
    some = found[found["kind"] == "negation"].pivot_table(index=["part", "seed"], columns="training", values="auc")
    columns = ["pairs and negatives without negation", "pairs"]
    both = some.reindex(columns=columns).dropna()
    claim = Claim("", "AUC of negation gained", side="two-sided", spec="+.2f")
    rows = {part: both[both.index.get_level_values("part") == part].to_numpy() for part in parts}
    return {part: seed_finding(claim, *rows[part].T) for part in parts}


# Figures and facts


def story_texts(language: str) -> dict[str, tuple[str, str]]:
    """Two sentences beside what was changed of them, by kind of change: who does it, whether it is, the order."""
    one, joined = STORY[language]
    changes = [(one, change) for change in make_changes(one, language, ["negation", "roles"])]
    changes += [(joined, change) for change in make_changes(joined, language, "clause order")]
    return {change.kind: (text, change.text) for text, change in changes}


def changed_story_figure(encoders: Mapping[str, Callable], language: str) -> Figure:
    """Cosine of a sentence with what was changed of it, by kind of change and encoder."""
    import matplotlib.pyplot as plt

    from helpers.metrics import pair_cosines

    texts = story_texts(language)
    names = sorted(texts, key=lambda kind: CHANGES[kind][0])
    figure, ax = plt.subplots(figsize=(7.2, 0.7 + 0.5 * len(names)))
    for row, (name, encode) in enumerate(encoders.items()):
        vectors = [encode([texts[kind][side] for kind in names]) for side in (0, 1)]
        cosines = pair_cosines(*map(np.asarray, vectors))
        ax.plot(cosines, np.arange(len(names)) + 0.1 * (row - 1), "o", color=f"C{row}", label=name)
    labels = [f"{texts[kind][1]}\n({kind}: {'the same' if CHANGES[kind][0] else 'not the same'})" for kind in names]
    ax.set(yticks=range(len(names)), yticklabels=labels, xlabel="cosine with the sentence that it was made of")
    ax.axvline(1, color=INK, lw=0.8, ls=":")
    ax.legend(loc="center left")
    return figure


def distributions_figure(seen: Mapping[str, Mapping[str, pd.DataFrame]], made: Mapping[str, pd.DataFrame]) -> Figure:
    """Cosines of positives and negatives, by training (rows) and by part of the texts (columns).

    Parameters
    ----------
    seen
        By training, by part: what :func:`helpers.pairs.changes_seen` gives.
    made
        By part: the changed texts.
    """
    import matplotlib.pyplot as plt

    parts = list(next(iter(seen.values())))
    figure, axes = plt.subplots(
        len(seen), len(parts), figsize=(7.6, 1.35 * len(seen) + 0.6), sharex=True, squeeze=False
    )
    bins = np.linspace(0.4, 1, 31)
    for row, (training, by_part) in zip(axes, seen.items(), strict=True):
        for ax, part in zip(row, parts, strict=True):
            cosines = by_part[part].attrs["cosines"]
            positive = made[part]["positive"].to_numpy(bool)
            for mask, name, color in ((positive, "positives", "C0"), (~positive, "negatives", "C1")):
                if mask.any():
                    ax.hist(np.clip(cosines[mask], 0.4, 1), bins, density=True, color=color, alpha=0.55, label=name)
            ax.set(yticks=[])
            ax.text(0.03, 0.8, training, transform=ax.transAxes, color=INK)
    for ax, part in zip(axes[0], parts, strict=True):
        ax.set_title({"own": "other texts of the same source", "others": "another source"}[part])
    for ax in axes[-1]:
        ax.set_xlabel("cosine")
    axes[-1, 0].legend(loc="center left")
    return figure


def facts(
    seen: Mapping[str, pd.DataFrame], trained: Mapping[str, Mapping[str, pd.DataFrame]]
) -> dict[str, float | str]:
    """What the text says in numbers: the kind that each encoder sees least, and AUC of all negatives before and after.

    Parameters
    ----------
    seen
        By encoder: what :func:`helpers.pairs.changes_seen` gives.
    trained
        By training, by part: the same.
    """
    out: dict[str, float | str] = {}
    for name, one in seen.items():
        key = re.sub(r"\W+", "_", name).strip("_")
        rows = one[~one["positive"].astype(bool)].drop(index="all negatives")
        rows = rows[rows["n"] >= min(10, rows["n"].max())]
        told = rows["auc"].notna().any()
        out |= {f"{key}_auc": float(one.loc["all negatives", "auc"]), f"{key}_worst_auc": float(rows["auc"].min())}
        out[f"{key}_worst"] = str(rows["auc"].idxmin()) if told else "nothing"
    for name, parts in trained.items():
        key = re.sub(r"\W+", "_", name).strip("_")
        out |= {f"{key}_{part}": float(one.loc["all negatives", "auc"]) for part, one in parts.items()}
    return out


def recorded_pair_facts(found: pd.DataFrame | None) -> dict[str, str]:
    """Pairs of the light packages, and by part what negatives of other kinds teach of negation, or why it is unknown.

    Parameters
    ----------
    found
        Recorded rows; None where nothing is recorded.
    """
    out = {"light": f"{LIGHT_PAIRS:,}".replace(",", " ")}
    for part, one in negation_unseen(found).items():
        out[f"unseen_{part}"] = one.why or f"{Interval(one.estimate, one.low, one.high, 0.95):+.2f}"
    return out
