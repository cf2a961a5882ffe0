"""The recorded runs of the chapter "Reading a stranger's vectors": maps from few pairs to many, and defences."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import check_count, unit_rows
from helpers.inference import Interval, interval
from helpers.inversion import Inverter, inversion_scores, learn_names
from helpers.inversion.correction import corrected
from helpers.inversion.foreign import align_unpaired, defended, pairs_map
from helpers.studies.inversion_measures import fact_counts, meaning_scores
from helpers.studies.inversion_runs import FLOORS, HEADLINES, Texts, kept_corpus, kept_language
from helpers.text import digest_of_texts

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DEFENDED",
    "READER",
    "Rated",
    "Reader",
    "Strange",
    "defence_rows",
    "encoder_of",
    "language_of",
    "made_up_pairs",
    "neighbours_kept",
    "pair_rows",
    "rated_pairs",
    "read",
    "reader_of",
    "strange",
    "unpaired_map",
    "utility",
]

DEFENDED = {
    "none": (0,),
    "noise": (0.1, 0.25, 0.5, 1.0, 2.0),
    "rotation": (0.1, 0.5, 1.0),
    "quantisation": (8, 4, 2, 1),
    "truncation": (192, 96, 48, 24),
}
"""What an owner of vectors does, and how much of it; see :func:`helpers.inversion.foreign.defended`."""

UNPAIRED = 2000
"""Rows of each space at most, between which a map without pairs is sought."""

READER = {**HEADLINES, "dropout": 0.1, "patience": 3}
"""A decoder that is trained on the vectors of an encoder."""

CLUSTERS = 24
"""Clusters of each space that are matched then, where there are enough rows."""


class Strange(NamedTuple):
    """Texts and their vectors in the space of an inverter, and in a stranger's.

    Attributes
    ----------
    texts : Texts
        Texts, of which those of ``train`` are known to who reads, and those of ``test`` are read.
    own, theirs : ndarray of shape (n_train, q) and (n_train, p)
        Vectors of the training texts.
    own_test, theirs_test : ndarray of shape (n_test, q) and (n_test, p)
        Vectors of the test texts; only the second are given to who reads.
    """

    texts: Texts
    own: np.ndarray
    theirs: np.ndarray
    own_test: np.ndarray
    theirs_test: np.ndarray


class Reader(NamedTuple):
    """A decoder and the encoder that it was trained on.

    Attributes
    ----------
    inverter : Inverter
        Decoder from vectors to texts.
    own : callable
        From a list of texts to vectors in its space.
    """

    inverter: Inverter
    own: Callable[[Sequence[str]], Any]


class Rated(NamedTuple):
    """Pairs of sentences that people have rated.

    Attributes
    ----------
    first, second : list of str
        Sentences of each pair.
    score : ndarray
        How alike people found them, from 0 to 5.
    """

    first: list[str]
    second: list[str]
    score: np.ndarray


def encoder_of(model: str | os.PathLike[str]) -> Callable[[Sequence[str]], np.ndarray]:
    """The function from texts to vectors of an encoder, pooled as its folder says, else by the mean over tokens.

    Parameters
    ----------
    model
        Folder, or name on the hub, as :func:`helpers.encoders.extraction.resolve_model` takes it.

    Returns
    -------
    callable
        From n texts to float32 of shape (n, p). What was encoded once is kept in the store of
        :func:`helpers.encoders.extraction.extract`.
    """
    from helpers.encoders.extraction import extract, vectors_of

    pooling, _ = vectors_of(model, None, layers=False)

    def encode(texts: Sequence[str]) -> np.ndarray:
        layers = extract(model, list(texts), pooling=pooling, progress=False)
        return np.array(layers[list(layers)[-1]], dtype=np.float32)

    return encode


def strange(
    reader: Reader,
    encode: Callable[[Sequence[str]], Any],
    domain: str,
    *,
    n_pairs: int = 3000,
    n_test: int = 200,
    folder: str | os.PathLike[str] | None = None,
    rng: int = 0,
) -> Strange:
    """Texts of a domain, split as the inverter of the book was trained, and their vectors in both spaces.

    Parameters
    ----------
    reader
        A decoder with its encoder.
    encode
        Function from texts to a stranger's vectors.
    domain
        Source of the texts, as in :func:`helpers.studies.inversion_runs.corpus`.
    n_pairs
        Most training texts, in an order of the seed; they are the same texts for all seeds.
    n_test
        Most test texts, of the seed.
    folder
        As in :func:`helpers.studies.inversion_runs.kept_corpus`.
    rng
        Seed of that order and of the test texts; the split of the corpus itself has none, since the inverter must not
        have seen test texts in training.
    """
    texts = kept_corpus(domain, None if domain == "headlines" else 2 * n_pairs, folder)
    mix = np.random.default_rng(rng)
    known = texts.train[:n_pairs]
    order = mix.permutation(len(known))
    rows = mix.permutation(min(3 * n_test, len(texts.test)))[:n_test]
    test = [texts.test[row] for row in rows]
    chosen = Texts([known[row] for row in order], [], test, texts.groups[rows])
    # Known texts are encoded in the order of the corpus, so that what a store has of them serves every seed.
    own, theirs = ([np.asarray(of(part), dtype=np.float32) for part in (known, test)] for of in (reader.own, encode))
    return Strange(chosen, own[0][order], theirs[0][order], own[1], theirs[1])


def reader_of(
    name: str, folder: str | os.PathLike[str], *, n_texts: int = 16000, epochs: int = 12, n_validation: int = 500
) -> Reader:
    """The inverter of the book, or a decoder of headlines that is trained on the vectors of an encoder, once, and kept.

    Parameters
    ----------
    name
        ``"headlines"``: the inverter of the book; else an encoder, as for :func:`encoder_of`.
    folder
        Folder in which what is trained, and how far it is, is kept, by the name and a digest of the encoder's folder,
        the texts and the settings; :func:`helpers.studies.inversion_runs.kept_corpus` is there, too.
    n_texts
        Headlines that it learns from, most.
    epochs
        Times that each is seen at most; the weights with the least loss of validation headlines are taken.
    n_validation
        Number of those validation headlines.
    """
    from helpers.book.data import path
    from helpers.encoders.extraction import resolve_model

    if name == "headlines":
        made = Inverter.load(path("inverters/headlines"))
        return Reader(made, made.encode)
    own = encoder_of(name)
    texts = kept_corpus("headlines", None, folder)
    train, held = texts.train[:n_texts], texts.validation[:n_validation]
    settings = {**READER, "epochs": epochs, "encoder": os.fspath(resolve_model(name))}
    digest = digest_of_texts([json.dumps(settings, sort_keys=True), str(len(train)), *train, *held])
    home = Path(folder) / "readers" / f"{Path(name).name}-{digest[:16]}"
    if not (home / "inverter" / "inverter.json").is_file():
        made = Inverter(**READER, epochs=epochs, folder=home / "training")
        made.fit(train, vectors=own(train), validation=held, validation_vectors=own(held))
        made.save(home / "inverter")
    return Reader(Inverter.load(home / "inverter"), own)


def made_up_pairs(inverter: Inverter, n: int, *, rng: int = 0) -> list[str]:
    """Texts that an inverter writes of vectors drawn at random about its centre: known texts, and none of anybody.

    Parameters
    ----------
    inverter
        A fitted inverter with an encoder.
    n
        Vectors that are drawn; equal and blank texts are left out.
    rng
        Seed of the vectors.
    """
    check_count(n, "n")
    z = np.random.default_rng(rng).normal(size=(n, len(inverter.centre_))) * inverter.spread_ + inverter.centre_
    return [text for text in dict.fromkeys(inverter.decode(z.astype(np.float32))) if text.strip()]


def unpaired_map(theirs: Any, own: Any, *, rng: int = 0) -> Callable[[Any], np.ndarray]:
    """A map from vectors of the first half of the texts in one space, and of the second half in the other.

    Parameters
    ----------
    theirs, own : ndarray of shape (n, p) and (n, q)
        Vectors of the same texts in the same order; each text is used in one of the spaces only.
    rng
        Seed of :func:`helpers.inversion.foreign.align_unpaired`.
    """
    half = min(UNPAIRED, len(own) // 2)
    return align_unpaired(theirs[:half], own[-half:], n_clusters=min(CLUSTERS, max(2, half // 4)), rng=rng)


def language_of(
    domain: str, folder: str | os.PathLike[str], *, n_pairs: int = 3000, n_texts: int = 8000, epochs: int = 3
) -> Inverter:
    """A language model of the training texts of a domain, trained once and kept.

    Parameters
    ----------
    domain, n_pairs, folder
        Same meaning as in :func:`strange`.
    n_texts
        Most texts that it learns from, whatever is known in pairs: a floor is to be high.
    epochs
        Times that it sees each.
    """
    texts = kept_corpus(domain, None if domain == "headlines" else 2 * n_pairs, folder)
    return kept_language(texts._replace(train=texts.train[:n_texts]), folder, epochs=epochs)


def read(
    inverter: Inverter,
    data: Strange,
    mapped: np.ndarray,
    written: Sequence[str],
    *,
    beams: int = 1,
    alone: Mapping[str, Sequence[str]] | None = None,
    names: Collection[str] | None = None,
    judges: Mapping[str, Any] | None = None,
    rng: int = 0,
) -> dict[str, Any]:
    """What was read of test vectors, beside floors.

    Parameters
    ----------
    inverter
        The inverter that read.
    data
        Texts that were to be read, and their own vectors.
    mapped : ndarray of shape (n_test, q)
        Vectors in the space of the inverter.
    written
        What was written of them.
    beams
        Beams of the search that wrote them: the mean vector is decoded with as many.
    alone
        What a language model writes without any vector, from
        :func:`helpers.inversion.language.written_alone`; without it that floor is NaN.
    names
        Words that are names; by default those that the training texts tell.
    judges
        ``similarity`` and ``states`` of :func:`helpers.studies.inversion_measures.meaning_scores`; by default nobody
        judges meaning.
    rng
        Seed of the order of shuffled texts and of the intervals.

    Returns
    -------
    dict
        ``f1``, ``exact``, ``chrf``; ``f1_ci_low`` and ``f1_ci_high`` over texts; ``f1_shuffled`` (read of another
        text's vector), ``f1_centre`` (of the mean vector), ``f1_language`` and ``f1_drawn`` (likeliest text of a
        language model, and texts drawn from it); ``gain`` over the highest of these, with its interval; ``names`` and
        ``numbers``, shares that were kept (NaN: there are none), and the counts of
        :func:`helpers.studies.inversion_measures.fact_counts`; ``found``, the share of test texts whose own vector is
        the nearest to the mapped one among those of all test texts (by chance one over their number); ``error`` of the
        mapped vectors, over the variance of the own ones; what the judges say, with the same floors.
    """
    import pandas as pd

    test = data.texts.test
    order = np.random.default_rng(rng).permutation(len(test))
    others = np.empty_like(order)
    others[order] = np.roll(order, 1)
    centre = inverter.decode(inverter.centre_[None], beams=beams) * len(test)
    ways = {"read": written, "shuffled": [written[row] for row in others], "centre": centre, **(alone or {})}
    scores = {name: inversion_scores(test, words, lower=inverter.lower) for name, words in ways.items()}
    f1 = pd.DataFrame({name: table["token_f1"] for name, table in scores.items()})
    f1["gain"] = f1["read"] - f1[f1[list(ways)[1:]].mean().idxmax()]
    sure = {name: _interval(f1[name].to_numpy(), data.texts.groups, rng) for name in ("read", "gain")}
    facts = fact_counts(test, written, learn_names(data.texts.train) if names is None else names)
    centred, away = data.own_test - data.own.mean(0), mapped - data.own.mean(0)
    near = (unit_rows(away.astype(np.float64)) @ unit_rows(centred.astype(np.float64)).T).argmax(1)
    out = {
        "f1": sure["read"].estimate,
        "f1_ci_low": sure["read"].low,
        "f1_ci_high": sure["read"].high,
        **{f"f1_{name}": f1[name].mean() if name in f1 else np.nan for name in FLOORS},
        "gain": sure["gain"].estimate,
        "gain_ci_low": sure["gain"].low,
        "gain_ci_high": sure["gain"].high,
        "exact": scores["read"]["exact"].mean(),
        "chrf": scores["read"]["chrf"].mean(),
        "names": facts["name_kept"] / (facts["name_facts"] or np.nan),
        "numbers": facts["number_kept"] / (facts["number_facts"] or np.nan),
        "found": float(np.mean(near == np.arange(len(test)))),
        "error": float(np.mean((mapped - data.own_test) ** 2) / np.mean(centred**2)),
    }
    if judges is not None:
        out |= meaning_scores(test, ways, lower=inverter.lower, **judges)
    return out | facts


def _remembering(judges: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Judges that read test texts and floors once, and not again in each row."""
    return None if judges is None else {"known": {}, **judges}


def _interval(values: np.ndarray, groups: np.ndarray, rng: int) -> Interval:
    """The mean of values with its interval over groups of near duplicates, drawn whole."""
    _, place = np.unique(groups, return_inverse=True)
    sums, sizes = np.bincount(place, values), np.bincount(place)
    drawn = np.random.default_rng(rng).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=999)
    return interval((drawn @ sums) / (drawn @ sizes), statistic=None, estimate=float(values.mean()))


def pair_rows(
    reader: Reader,
    data: Strange,
    encode: Callable[[Sequence[str]], Any],
    *,
    pairs: Sequence[int] = (0, 10, 100, 1000),
    steps: int = 3,
    draws: int = 4,
    beams: int = 1,
    alone: Mapping[str, Sequence[str]] | None = None,
    names: Collection[str] | None = None,
    judges: Mapping[str, Any] | None = None,
    rng: int = 0,
) -> pd.DataFrame:
    """What is read through maps from few pairs to all, and what corrections add.

    Parameters
    ----------
    reader
        A decoder with its encoder.
    data
        Texts and vectors, from :func:`strange`.
    encode
        The stranger's encoder, for the corrections.
    pairs
        Numbers of pairs; 0: alignment without pairs. All pairs follow by themselves.
    steps
        Corrections of what the map of all pairs, and of the largest number below, gives.
    draws
        Guesses of each correction.
    beams
        Beams of the search.
    alone, names, judges
        As in :func:`read`.
    rng
        Seed of alignment, floors and intervals.

    Returns
    -------
    DataFrame
        Columns ``pairs`` (the number), ``steps``, those of :func:`read`, ``cosine`` (mean cosine of what was read and
        the vector, by the stranger's encoder; NaN without corrections), and ``f1_own``, token F1 of what is read of the
        own vectors of the same texts.
    """
    import pandas as pd

    inverter, n = reader.inverter, len(data.texts.train)
    counts = [count for count in dict.fromkeys(pairs) if count < n] + [n]
    options = {"names": learn_names(data.texts.train) if names is None else names, "rng": rng}
    options |= {"beams": beams, "alone": alone, "judges": _remembering(judges)}
    own = read(inverter, data, data.own_test, inverter.decode(data.own_test, beams=beams), **options)["f1"]
    rows = []
    for count in counts:
        to_own = (
            pairs_map(data.theirs[:count], data.own[:count]) if count else unpaired_map(data.theirs, data.own, rng=rng)
        )
        mapped = to_own(data.theirs_test)
        found = read(inverter, data, mapped, inverter.decode(mapped, beams=beams), **options)
        rows.append({"pairs": count, "steps": 0, **found, "cosine": np.nan, "f1_own": own})
        if steps and count in counts[-2:]:
            search = {"own": reader.own, "steps": steps, "draws": draws, "beams": beams, "rng": rng}
            better = corrected(inverter, data.theirs_test, to_own, encode, **search, centre=data.theirs.mean(0))
            again = np.asarray(reader.own([text if text.strip() else "." for text in better.texts]))
            found = read(inverter, data, again, better.texts, **options)
            rows[-1]["cosine"] = float(better.cosine[:, 0].mean())
            rows.append({"pairs": count, "steps": steps, **found, "cosine": better.cosine[:, -1].mean(), "f1_own": own})
    return pd.DataFrame(rows)


def rated_pairs(source: str = "$BOOK_DATA") -> Rated:
    """Test pairs of the STS benchmark from a folder of public data sets.

    Raises
    ------
    FileNotFoundError
        If the folder, or a file in it, is not there.
    """
    from helpers.tasks.sources import load_tasks

    rows = load_tasks(source, "STSBenchmark")["STSBenchmark"].dataset["test"]
    return Rated(list(rows["sentence1"]), list(rows["sentence2"]), np.asarray(rows["score"], dtype=float))


def utility(
    rated: Rated, first: np.ndarray, second: np.ndarray, *, least: float = 4.0, k: int = 10
) -> dict[str, float]:
    """What vectors are good for.

    Parameters
    ----------
    rated
        Pairs of sentences.
    first, second : ndarray of shape (n, p)
        Vectors of both sentences of each pair.
    least
        Score from which the second sentence answers the first.
    k
        Nearest second sentences that are looked at.

    Returns
    -------
    dict
        ``sts``: Spearman correlation of cosines and scores, in [-1, 1]; ``retrieval``: share of the first sentences
        whose answer is among the k second sentences that are nearest by cosine, in [0, 1].
    """
    from helpers.metrics import pair_cosines, spearman

    asked = np.flatnonzero(rated.score >= least)
    place = {text: row for row, text in reversed(list(enumerate(rated.second)))}
    distinct = np.array(sorted(place.values()))
    scores = unit_rows(first[asked].astype(np.float64)) @ unit_rows(second[distinct].astype(np.float64)).T
    answers = np.searchsorted(distinct, [place[rated.second[row]] for row in asked])
    nearer = (scores > scores[np.arange(len(asked)), answers][:, None]).sum(1)
    sts = float(spearman(pair_cosines(first, second), rated.score))
    return {"sts": sts, "retrieval": float(np.mean(nearer < k))}


def defence_rows(
    inverter: Inverter,
    data: Strange,
    rated: Rated | None,
    rated_vectors: Sequence[np.ndarray] = (),
    *,
    defences: Mapping[str, Sequence[float]] = DEFENDED,
    beams: int = 1,
    alone: Mapping[str, Sequence[str]] | None = None,
    judges: Mapping[str, Any] | None = None,
    rng: int = 0,
) -> pd.DataFrame:
    """What is left to be read, and to be used, of vectors that their owner has changed.

    Two readers try: one with pairs of *unchanged* vectors, who does not know of the change; and one with pairs of
    changed vectors, as many, to whom the owner's service is open.

    Parameters
    ----------
    inverter
        A fitted inverter with an encoder.
    data
        Texts and vectors, from :func:`strange`.
    rated, rated_vectors
        Rated pairs, and the vectors of their first and second sentences; without them utility is only what is kept of
        neighbourhoods.
    defences
        Strengths of each defence, as in :data:`DEFENDED`.
    beams
        Beams of the search.
    alone, judges
        As in :func:`read`.
    rng
        Seed of the defences, of floors and intervals.

    Returns
    -------
    DataFrame
        A row for each defence, strength and reader (``knows``: ``"unchanged"`` or ``"changed"`` pairs), with the
        columns of :func:`read`, ``neighbours`` (share of the ten nearest test texts that stay so, in [0, 1]), and
        ``sts`` and ``retrieval`` of :func:`utility` where there are rated pairs.
    """
    import pandas as pd

    parts = [data.theirs, data.theirs_test, *rated_vectors]
    ends = np.cumsum([len(part) for part in parts])[:-1]
    whole = np.concatenate(parts)
    unchanged = pairs_map(data.theirs, data.own)
    options: dict[str, Any] = {"beams": beams, "alone": alone, "judges": _remembering(judges), "rng": rng}
    options["names"] = learn_names(data.texts.train)
    rows = []
    for how, strengths in defences.items():
        for strength in strengths:
            if how == "truncation" and strength >= whole.shape[1]:
                continue
            changed = whole if how == "none" else defended(whole, how, strength, rng=rng)
            train, test, *pairs = np.split(changed, ends)
            found: dict[str, float] = {"neighbours": neighbours_kept(data.theirs_test, test)}
            if rated is not None:
                found |= utility(rated, *pairs)
            for knows in ("unchanged", "changed"):
                if knows == "unchanged":
                    lost = data.theirs.mean(0)[test.shape[1] :]
                    seen, to_own = np.hstack([test, np.tile(lost, (len(test), 1))]), unchanged
                else:
                    seen, to_own = test, pairs_map(train, data.own)
                mapped = to_own(seen)
                got = read(inverter, data, mapped, inverter.decode(mapped, beams=beams), **options)
                rows.append({"defence": how, "strength": strength, "knows": knows, **found, **got})
    return pd.DataFrame(rows)


def neighbours_kept(before: np.ndarray, after: np.ndarray, *, k: int = 10) -> float:
    """Share of the k nearest rows of each row, by cosine, that are so in both spaces, in [0, 1]."""
    from helpers.similarity.neighbours import nearest

    k = min(k, len(before) - 1)
    near = [nearest(part, k) for part in (before, after)]
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(*near, strict=True)]))
