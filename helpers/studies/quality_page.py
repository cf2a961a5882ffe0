"""The chapter "How good is it?": one call, words, sentences, and what is published of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, check_number, generator
from helpers.book.style import INK
from helpers.inference import Claim, Finding, Interval, absent, share_finding
from helpers.quality.sentences import exchanged_words
from helpers.quality.words import WordVectors, analogies, categorisation, intrusion, relatedness
from helpers.quality.words.corpora import split_words
from helpers.quality.words.documentation import WordSets
from helpers.quality.words.shared_members import pair_error

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = [
    "CLAIMS",
    "ENCODERS",
    "analogy_facts",
    "check_quality_choices",
    "quality_claim_findings",
    "encoded_sentences",
    "label_free",
    "plane_figure",
    "public_relatedness",
    "recorded_analogies",
    "public_facts",
    "sentence_means",
    "sentence_triples",
    "tests_facts",
    "tests_figure",
    "word_tests",
    "words_exchanged",
]

ENCODERS = {"encoders/bert": "mean", "encoders/roberta": "mean", "encoders/simcse": "pooler"}
"""Encoders of the book, with the pooling that each was made for."""

CLAIMS = {
    "excluded": Claim(
        "Without excluding the question's words, analogies by 3CosAdd are mostly lost",
        "percent of the right answers that are lost",
        null=50.0,
        models="word vectors of large corpora",
        source="linzen2016issues",
    ),
    "product": Claim(
        "3CosMul completes more analogies than 3CosAdd",
        "points of accuracy",
        models="explicit and neural word vectors",
        source="levy2014linguistic",
    ),
    "direction": Claim(
        "PairDirection completes fewer analogies than 3CosAdd",
        "points of accuracy",
        side="less",
        models="explicit and neural word vectors",
        source="levy2014linguistic",
    ),
    "coherent": Claim(
        "Intruders among near neighbours are told",
        "share of intruders that the judge picks",
        null=1 / 3,
        models="word vectors of a large corpus",
        source="schnabel2015evaluation",
        spec=".2f",
    ),
    "uniform": Claim(
        "Contrastive fine-tuning makes the space of an encoder more uniform",
        "uniformity of SimCSE less that of the BERT it starts from",
        side="less",
        models="BERT and SimCSE",
        source="gao2021simcse",
        spec="+.2f",
    ),
    "order": Claim(
        "Sentences of the same words are taken for paraphrases",
        "share of sentences whose related one is nearer than the one with two words exchanged",
        side="less",
        null=0.5,
        models="classifiers of paraphrases",
        source="zhang2019paws",
        spec=".2f",
    ),
}
"""Published statements about measures of words and sentences that the chapter judges."""


def check_quality_choices(
    *,
    libraries: Sequence[str],
    width: int,
    narrow: int,
    n_questions: int,
    n_sentences: int,
    alpha: float,
    t: float,
    n_resamples: int,
) -> None:
    """Refuse what the page could not do.

    Parameters
    ----------
    libraries
        Libraries whose documentation is read, at least two, so that pairs of two libraries exist.
    width, narrow
        Features of vectors, at least 2, and of the smaller space, fewer than that.
    n_questions, n_sentences
        Intruders, at least 10, and sentences, at least 20.
    alpha, t
        Power of distances and rate of the potential, both above 0 and at most 50.
    n_resamples
        Bootstrap draws, at least 19.

    Raises
    ------
    TypeError, ValueError
        If one of them is out of range.
    """
    if isinstance(libraries, str) or len(set(libraries)) < 2:
        raise ValueError(f"libraries is {libraries!r}; a list of at least two is needed, for pairs of two libraries")
    check_count(width, "width", least=2, most=1000)
    check_count(narrow, "narrow", most=width - 1, why="(below width)")
    check_count(n_questions, "n_questions", least=10)
    check_count(n_sentences, "n_sentences", least=20)
    for name, value in (("alpha", alpha), ("t", t)):
        check_number(value, name, lambda one: 0 < one <= 50, "a number above 0 and at most 50")
    check_count(n_resamples, "n_resamples", least=19)


def label_free(x: np.ndarray, names: Sequence[str], *, rng: int = 0) -> pd.DataFrame:
    """Value, interval and references of some qualities, rounded for a page."""
    from helpers.quality import quality

    table = quality(x, names=names, rng=rng)
    return table[["value", "ci_low", "ci_high", "better", "noise", "point", "subspace"]].round(2)


def word_tests(
    spaces: Mapping[str, WordVectors], sets: WordSets, judge: WordVectors, *, n_questions: int = 300, rng: int = 0
) -> pd.DataFrame:
    """Four tests of words for each of several spaces.

    Parameters
    ----------
    spaces
        Spaces by name.
    sets
        Pairs, categories and analogies.
    judge
        The space that finds intruders.
    n_questions
        Number of intruders.
    rng
        Seed of clusters and targets.

    Returns
    -------
    DataFrame
        ``space``, ``test``, ``value``, ``ci_low``, ``ci_high``, ``chance``, ``items`` and ``covered``.
    """
    import pandas as pd

    rows = []
    for name, space in spaces.items():
        row = relatedness(space, sets.pairs).iloc[0]
        rows.append((name, "relatedness", *row[["spearman", "ci_low", "ci_high"]], 0.0, *row[["pairs", "covered"]]))
        found = analogies(space, sets.questions, methods="3CosAdd")
        for excluded, test in ((True, "analogies"), (False, "analogies, all words allowed")):
            row = found.loc[("all", "3CosAdd", excluded)]
            ends = row[["accuracy", "ci_low", "ci_high", "chance"]]
            rows.append((name, test, *ends, *row[["questions", "covered"]]))
        row = categorisation(space, sets.categories, rng=rng).loc["purity"]
        rows.append((name, "categories", *row[["value", "ci_low", "ci_high", "chance", "words", "covered"]]))
        row = intrusion(space, judge, n_questions=n_questions, rng=rng).iloc[0]
        rows.append((name, "intruders", *row[["found", "ci_low", "ci_high", "chance", "words", "covered"]]))
    columns = ["space", "test", "value", "ci_low", "ci_high", "chance", "items", "covered"]
    return pd.DataFrame(rows, columns=columns)


def tests_figure(found: pd.DataFrame) -> Axes:
    """Each test in a row: spaces as dots with intervals, and chance as a bar."""
    import matplotlib.pyplot as plt

    ax = plt.gca()
    tests, spaces = list(dict.fromkeys(found["test"])), list(dict.fromkeys(found["space"]))
    for i, (space, rows) in enumerate(found.groupby("space", sort=False)):
        at = np.array([tests.index(test) for test in rows["test"]]) + 0.18 * (i - (len(spaces) - 1) / 2)
        reach = np.abs(rows[["ci_low", "ci_high"]].to_numpy().T - rows["value"].to_numpy())
        ax.errorbar(rows["value"], at, xerr=reach, fmt="o", ms=5, color=f"C{i}", label=space)
    chance = found.groupby("test", sort=False)["chance"].mean()
    ax.plot(chance, range(len(tests)), ls="", marker="|", ms=26, color=INK, zorder=0)
    ax.plot([], [], ls="", marker="|", ms=9, color=INK, label="chance")
    ax.set_yticks(range(len(tests)), tests)
    ax.set(xlabel="value", ylim=(len(tests) - 0.5, -0.5), xlim=(min(-0.15, found["ci_low"].min() - 0.02), 1))
    ax.legend(fontsize=8, loc="center right", bbox_to_anchor=(1, 0.6))
    return ax


def tests_facts(found: pd.DataFrame) -> dict[str, str]:
    """What the text says of :func:`word_tests`: each value with its interval, by ``TEST_SPACE``."""
    out = {}
    for row in found.itertuples():
        name = f"{row.test}_{row.space}".replace(", ", "_").replace(" ", "_")
        out[name] = f"{Interval(row.value, row.ci_low, row.ci_high, 0.95):.2f}"
    return out


def analogy_facts(found: pd.DataFrame) -> dict[str, float]:
    """What the text says of analogies: shares by method, in percent.

    Parameters
    ----------
    found
        Table of :func:`helpers.quality.words.analogies`.

    Returns
    -------
    dict
        ``add`` and ``add_all`` (with all words allowed), ``alone`` (only c) and ``own`` (answers that are words of the
        question, where all are allowed).
    """
    at = found.loc["all"]
    return {
        "add": 100 * at.loc[("3CosAdd", True), "accuracy"],
        "add_all": 100 * at.loc[("3CosAdd", False), "accuracy"],
        "alone": 100 * at.loc[("only c", True), "accuracy"],
        "own": 100 * at.loc[("3CosAdd", False), "own_words"],
    }


def sentence_triples(
    n: int, libraries: Sequence[str], *, rng: int | np.random.Generator = 0
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Sentences of the documentation with the one that follows, and with two words exchanged.

    Parameters
    ----------
    n
        How many sentences are needed.
    libraries
        Libraries whose documentation is read.
    rng
        Seed or generator of the choice and of the exchange.

    Returns
    -------
    table : DataFrame
        ``text``, ``related`` (the next sentence of the same paragraph), ``exchanged``, ``first`` and ``second``; one
        row at most of a paragraph.
    counts : dict of str to int
        How many sentences were ``tried`` and in how many no two words could be exchanged, ``unchanged``.

    Raises
    ------
    ValueError
        If there are not so many.
    """
    from helpers.text import documentation, split_sentences

    n, rng = check_count(n, "n", least=4), generator(rng)
    found = []
    for paragraph in documentation(libraries)["text"]:
        parts = [part for part in split_sentences(paragraph) if 6 <= len(part.split()) <= 30]
        if len(parts) > 1 and parts[0] in paragraph and f"{parts[0]} {parts[1]}" in paragraph:
            found.append((parts[0], parts[1]))
    order = rng.permutation(len(found))[: 3 * n]
    table = exchanged_words([found[i][0] for i in order], rng=rng)
    table["related"] = [found[i][1] for i in order]
    kept = table[table["exchanged"].notna()].head(n)
    if len(kept) < n:
        raise ValueError(
            f"n is {n}, and {len(kept)} sentences have two words that can be exchanged; pass more libraries"
        )
    tried = int(kept.index[-1]) + 1
    columns = ["text", "related", "exchanged", "first", "second"]
    return kept[columns].reset_index(drop=True), {"tried": tried, "unchanged": tried - n}


def sentence_means(vectors: WordVectors, texts: Sequence[str]) -> np.ndarray:
    """Mean of the unit vectors of the words of each text, in alphabetical order so that sums do not depend on theirs.

    Raises
    ------
    ValueError
        If no word of a text is known.
    """
    rows = []
    for i, text in enumerate(texts):
        known = np.sort(vectors.rows(split_words(text)))
        known = known[known >= 0]
        if not len(known):
            raise ValueError(f"texts[{i}] has no known word: {text!r}")
        rows.append(vectors.unit[known].mean(axis=0))
    return np.array(rows)


def encoded_sentences(
    triples: pd.DataFrame, vectors: WordVectors, *, encoders: Mapping[str, str] = ENCODERS
) -> dict[str, dict[str, np.ndarray]]:
    """Vectors of sentences by the mean of their words and by encoders.

    Parameters
    ----------
    triples
        Table of :func:`sentence_triples`.
    vectors
        Vectors of words.
    encoders
        Models, each with its pooling.

    Returns
    -------
    dict
        By the name of the space, vectors of ``text``, ``related`` and ``exchanged``.
    """
    from helpers.encoders.extraction import extract

    sides = ["text", "related", "exchanged"]
    spaces = {"mean of words": {side: sentence_means(vectors, triples[side]) for side in sides}}
    for model, pooling in encoders.items():
        texts = [text for side in sides for text in triples[side]]
        layers = extract(model, texts, pooling=pooling, progress=False)
        last = np.asarray(list(layers.values())[-1], dtype=np.float64).reshape(3, len(triples), -1)
        spaces[model.rpartition("/")[2]] = dict(zip(sides, last, strict=True))
    return spaces


def words_exchanged(spaces: Mapping[str, Mapping[str, np.ndarray]]) -> pd.DataFrame:
    """:func:`helpers.quality.sentences.word_order` of each space, a row each."""
    import pandas as pd

    from helpers.quality.sentences import word_order

    rows = {name: word_order(v["text"], v["exchanged"], v["related"]).iloc[0] for name, v in spaces.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("space")


def plane_figure(found: pd.DataFrame, *, weight: float = 1.0) -> Axes:
    """Representations in the plane of alignment and uniformity, with lines on which their weighted sum is the same.

    Parameters
    ----------
    found
        Table of :func:`helpers.quality.sentences.alignment_and_uniformity`.
    weight
        Weight of the uniformity in the sum.
    """
    import matplotlib.pyplot as plt

    ax = plt.gca()
    for i, (name, row) in enumerate(found.iterrows()):
        reach = [[[row[c] - row[f"{c}_low"]], [row[f"{c}_high"] - row[c]]] for c in ("alignment", "uniformity")]
        reach = np.maximum(reach, 0)
        options = {"xerr": reach[1], "yerr": reach[0], "color": f"C{i}"}
        ax.errorbar(row["uniformity"], row["alignment"], fmt="o", ms=6, **options)
        ends = (row["uniformity"], row["alignment"])
        ax.annotate(name, ends, (8, -12), textcoords="offset points", color=f"C{i}", fontsize=9)
        ax.plot(row["uniformity"], row["random"], marker="x", color=f"C{i}")
        ax.plot([row["uniformity"]] * 2, [row["alignment"], row["random"]], ls=":", lw=1, color=f"C{i}")
    low, high = found[["uniformity", "alignment"]].min() - 0.3, found[["uniformity", "random"]].max()
    u = np.linspace(low["uniformity"], min(high["uniformity"] + 0.3, 0), 50)
    a = np.linspace(max(low["alignment"], 0), high["random"] + 0.15, 50)
    sums = a[:, None] + weight * u
    lines = ax.contour(u, a, sums, levels=8, colors=INK, linewidths=0.7, linestyles="-", alpha=0.6)
    ax.clabel(lines, fontsize=7, fmt="%.1f")
    ax.set(xlabel="uniformity (left: more uniform)", ylabel="alignment (down: closer pairs)")
    return ax


def public_relatedness(recorded: pd.DataFrame, spaces: Sequence[str] | None = None) -> pd.DataFrame:
    """Recorded correlations with people's scores: sets as rows, spaces as columns, each with its coverage.

    Parameters
    ----------
    recorded
        Rows of ``data/results/words.csv``.
    spaces
        Names of the spaces; by default all.
    """
    rows = recorded[recorded["kind"] == "relatedness"].copy()
    if spaces is not None:
        rows = rows[rows["vectors"].isin(list(spaces))]
    share = (100 * rows["covered"] / rows["items"]).round().astype(int)
    rows["cell"] = [
        f"{Interval(v, low, high, 0.95):.2f}, {s} %" if np.isfinite(v) else f"–, {s} %"
        for v, low, high, s in zip(rows["value"], rows["ci_low"], rows["ci_high"], share, strict=True)
    ]
    order = list(dict.fromkeys(rows["vectors"]))
    return rows.pivot(index="set", columns="vectors", values="cell")[order].rename_axis(columns=None)


def recorded_analogies(recorded: pd.DataFrame) -> pd.DataFrame:
    """Recorded accuracies of Google's analogies in percent: spaces as rows; methods, and coverage, as columns."""
    rows = recorded[(recorded["kind"] == "analogies") & (recorded["set"] == "Google")]
    table = 100 * rows.pivot(index="vectors", columns="measure", values="value")
    table = table[list(dict.fromkeys(rows["measure"]))]
    first = rows.drop_duplicates("vectors").set_index("vectors")
    table.insert(0, "covered", 100 * first["covered"] / first["items"])
    return table.loc[first.index].round(1).rename_axis(columns=None)


def public_facts(recorded: pd.DataFrame) -> dict[str, Any]:
    """What the text says of the recorded table: percent of the pairs of rare words that the median space knows."""
    rare = recorded[(recorded["kind"] == "relatedness") & (recorded["set"] == "RW-STANFORD")]
    return {"rare": 100 * (rare["covered"] / rare["items"]).median()}


def quality_claim_findings(
    answers: pd.DataFrame,
    picked: pd.DataFrame,
    spaces: Mapping[str, Mapping[str, np.ndarray]],
    *,
    n_resamples: int = 999,
    rng: int = 0,
) -> dict[str, Finding]:
    """What the words and the sentences of the page say of :data:`CLAIMS`.

    Parameters
    ----------
    answers
        Table of :func:`helpers.quality.words.analogy_answers`, with 3CosAdd in both ways, 3CosMul and PairDirection.
        Units are the pairs of forms; questions that share a pair are not independent.
    picked
        Table of :func:`helpers.quality.words.pick_intruders`.
    spaces
        Vectors of sentences of :func:`encoded_sentences`, with ``bert`` and ``simcse``.
    n_resamples
        Number of bootstrap draws.
    rng
        Seed of the draws.
    """
    found = _of_analogies(answers)
    right = int((picked["pick"] == picked["intruder"]).sum())
    found["coherent"] = share_finding(CLAIMS["coherent"], right, len(picked), "targets")
    if not {"bert", "simcse"} <= set(spaces):
        return found | {key: absent("no SimCSE with its BERT") for key in ("uniform", "order")}
    pair = [spaces[name]["text"] for name in ("simcse", "bert")]
    found["uniform"] = _uniformity_difference(*pair, n_resamples, rng)
    row = words_exchanged({"simcse": spaces["simcse"]}).iloc[0]
    n = int(row["n"])
    return found | {"order": share_finding(CLAIMS["order"], round(row["related_nearer"] * n), n, "sentences")}


def _of_analogies(answers: pd.DataFrame) -> dict[str, Finding]:
    """Differences of shares of right answers, with standard errors that allow for pairs that questions share."""
    from scipy import stats

    covered = answers[answers["3CosAdd"].notna()]
    ends = [covered[one] + " " + covered[other] for one, other in ("ab", "cd")]
    left, right = np.unique(np.concatenate(ends), return_inverse=True)[1].reshape(2, -1)
    names = {"add": "3CosAdd", "all": "3CosAdd, nothing excluded", "product": "3CosMul", "direction": "PairDirection"}
    hit = {key: (covered[name] == covered["d"]).to_numpy(dtype=float) for key, name in names.items()}
    mean = {key: float(value.mean()) for key, value in hit.items()}
    if mean["add"] == 0:
        return {key: absent("3CosAdd completes no analogy") for key in ("excluded", "product", "direction")}
    kept = mean["all"] / mean["add"]
    of_ratio = (hit["all"] - mean["all"] - kept * (hit["add"] - mean["add"])) / mean["add"]
    estimates = {"excluded": (100 * (1 - kept), -100 * of_ratio)}
    for key in ("product", "direction"):
        gain = mean[key] - mean["add"]
        estimates[key] = (100 * gain, 100 * (hit[key] - hit["add"] - gain))
    found = {}
    for key, (estimate, influences) in estimates.items():
        error, units = pair_error(influences, left, right)
        reach = error * float(stats.t.isf(0.025, max(units - 1, 1)))
        found[key] = Finding(estimate, estimate - reach, estimate + reach, units, "pairs of forms")
    return found


def _uniformity_difference(x: np.ndarray, y: np.ndarray, n_resamples: int, rng: int) -> Finding:
    """The difference of two uniformities of the same sentences, with percentiles of a bootstrap of sentences."""
    draws, potentials = [], []
    for side in (x, y):
        unit = side / np.linalg.norm(side, axis=1, keepdims=True)
        potential = np.exp(-2 * np.maximum(2 - 2 * unit @ unit.T, 0))
        np.fill_diagonal(potential, 0)
        potentials.append(potential)
    n, generator_ = len(x), generator(rng)
    for _ in range(n_resamples):
        counts = generator_.multinomial(n, np.full(n, 1 / n)).astype(float)
        first, second = (counts @ potential @ counts for potential in potentials)
        draws.append(np.log(first / second))
    low, high = np.quantile(draws, [0.025, 0.975])
    estimate = float(np.log(potentials[0].sum() / potentials[1].sum()))
    return Finding(estimate, float(low), float(high), n, "sentences")
