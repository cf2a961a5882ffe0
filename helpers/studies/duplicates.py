"""Anisotropy of embeddings, and what happens to pairs of texts when it is removed.

A *treatment* is an affine map that is learnt from rows without labels and applied to others: centring, principal axes,
whitening. :func:`score_treatments` applies all of them to the layers of an encoder, and to what layers are fused to, on
a task of pairs; :func:`pairs_in_a_cone` makes pairs whose anisotropy is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import as_matrix, check_count, generator, integer_seed
from helpers.inference import Claim, Finding, interval, paired
from helpers.metrics import average_precision, pair_cosines
from helpers.postprocessing import TREATMENTS, treatments

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CLAIMS",
    "Duplicates",
    "FUSED",
    "Pairs",
    "Question",
    "findings",
    "pair_scores",
    "pairs_in_a_cone",
    "score_treatments",
]


class Pairs(NamedTuple):
    """Two representations (n, p) of n pairs, and whether each pair is one of duplicates (n,)."""

    x: np.ndarray
    y: np.ndarray
    labels: np.ndarray


class Duplicates(NamedTuple):
    """What :func:`score_treatments` found: its ``table``, and the ``representations`` that ``encode`` returned."""

    table: pd.DataFrame
    representations: Mapping[str, Any]


class Question(NamedTuple):
    """A claim about one treatment of one representation against another row of :func:`score_treatments`.

    ``against`` is ``"raw"``, ``"centred"`` (of the same representation) or ``"qp"`` (the raw weighted sum).
    """

    representation: str
    treatment: str
    against: str
    claim: Claim
    metric: str = "cosine"


_POINTS = {"statistic": "points of average precision by the cosine, mean over encoders", "smallest": 1.0}
_MADE = {"source": "popov2025automatic", "place": "section 2.6", "models": "BERT, RoBERTa and SimCSE"}
CLAIMS = {
    "pca": Question(
        "QP, concatenated", "pca", "qp", Claim("On duplicates the variant with PCA beats QP", **_POINTS, **_MADE)
    ),
    "pca_best": Question(
        "QP, concatenated",
        "pca",
        "qp",
        Claim("On duplicates the variant with PCA beats QP, by the best of four similarities", **_POINTS, **_MADE),
        "max_ap",
    ),
    "anisotropy": Question(
        "QP", "centred", "raw", Claim("Removing anisotropy alone helps on duplicates: centring", **_POINTS, **_MADE)
    ),
    "explained": Question(
        "QP, concatenated",
        "pca",
        "centred",
        Claim(
            "What PCA gains on duplicates is what centring gains",
            _POINTS["statistic"],
            "equal",
            margin=1.0,
            **_MADE,
        ),
    ),
    "axes": Question("QP", "svd_half", "raw", Claim("Dropping axes helps, without centring", **_POINTS)),
    "whitening": Question("QP", "whitened", "raw", Claim("Evening out directions helps: whitening of QP", **_POINTS)),
    "whitening_mean": Question(
        "mean of layers", "whitened", "raw", Claim("The same of the mean of all layers", **_POINTS)
    ),
}
"""The published explanation of why PCA wins on duplicates, in parts, and rival ones, which have no source.

One point is the smallest gain that counts: the published lead of the variant with PCA is that of one model for the most
part, and no yardstick for others.
"""


def findings(table: pd.DataFrame) -> dict[str, Finding]:
    """What tables of :func:`score_treatments` say of :data:`CLAIMS`, for :func:`helpers.inference.judge`.

    Parameters
    ----------
    table
        Scores of one or several encoders on one task, with a column ``encoder``.

    Returns
    -------
    dict of str to Finding
        Findings in points, with pairs as units: the mean over the encoders of the table. Its limits are the means of
        theirs, which is right if their errors move together, as they do on the same pairs, and too wide if they do not.
    """
    from helpers.inference import absent

    found = {}
    for key, (representation, treatment, against, _, metric) in CLAIMS.items():
        rows = table[
            (table["representation"] == representation)
            & (table["treatment"] == treatment)
            & (table["metric"] == metric)
        ]
        if rows.empty:
            found[key] = absent("not measured")
            continue
        ends = [100 * float(rows[f"diff_{against}{end}"].mean()) for end in ("", "_ci_low", "_ci_high")]
        found[key] = Finding(*ends, int(rows["n_pairs"].min()), "pairs")
    return found


def pairs_in_a_cone(
    n: int,
    p: int,
    *,
    common: float = 0.0,
    rogue: float = 0.0,
    spread: float = 0.0,
    noise: float = 1.0,
    share: float = 1 / 3,
    rng: int | np.random.Generator = 0,
) -> Pairs:
    r"""Pairs of isotropic vectors, to which anisotropy is added at will.

    Every text has a direction that says what it means, of length :math:`\sqrt p` on average over features. The two
    texts of duplicates share it, up to noise; the texts of other pairs have independent ones. Lengths say nothing.

    .. math:: x = l_x\,(u + \sigma\,\epsilon_x) + \sqrt p\,(t\,c + r\,g_x\,d)

    Parameters
    ----------
    n, p
        How many pairs and features there are; p ≥ 3.
    common
        t, the length of a vector c that all texts share, relative to the typical length of u.
    rogue
        r, the deviation along a direction d in which each text has a random coefficient g of its own, on the same
        scale.
    spread
        Standard deviation of the logarithm of the lengths l.
    noise
        Deviation σ of what a text says beside its meaning.
    share
        Share of duplicates among the pairs.
    rng
        Seed or generator. The draws do not depend on ``common``, ``rogue``, ``spread`` and ``noise``: with equal seeds
        nothing but these changes.

    Returns
    -------
    Pairs

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    Examples
    --------
    >>> from helpers.studies.duplicates import pair_scores, pairs_in_a_cone
    >>> wide, narrow = pairs_in_a_cone(300, 16), pairs_in_a_cone(300, 16, common=10)
    >>> [round(pair_scores(*pairs)["cosine"], 2) for pairs in (wide, narrow)]
    [0.9, 0.84]
    """
    n, p = check_count(n, "n", least=2), check_count(p, "p", least=3)
    for name, value in (("common", common), ("rogue", rogue), ("spread", spread), ("noise", noise)):
        if not np.isfinite(value) or value < 0:
            raise ValueError(f"{name} is {value}; a number that is not negative is needed")
    if not 0 < share < 1:
        raise ValueError(f"share is {share}; a number between 0 and 1 is needed")
    rng = generator(rng)
    meaning = rng.normal(size=(2, n, p))
    labels = (np.arange(n) < max(1, round(share * n))).astype(int)
    meaning[1][labels == 1] = meaning[0][labels == 1]
    lengths = np.exp(spread * rng.normal(size=(2, n, 1)))
    texts = lengths * (meaning + noise * rng.normal(size=(2, n, p)))
    c, d = np.linalg.qr(rng.normal(size=(p, 2)))[0].T
    texts = texts + np.sqrt(p) * (common * c + rogue * rng.normal(size=(2, n, 1)) * d)
    return Pairs(texts[0], texts[1], labels)


def pair_scores(x: Any, y: Any, labels: Any) -> dict[str, float]:
    """Average precision with which a similarity finds the duplicates: by ``"cosine"`` and by ``"euclidean"`` distance.

    Raises
    ------
    TypeError, ValueError
        If ``x`` and ``y`` are not finite matrices of one shape, or ``labels`` are not 0 and 1, both of them.

    Examples
    --------
    >>> from helpers.studies.duplicates import pair_scores
    >>> pair_scores([[1, 0], [1, 0]], [[2, 0], [0, 1]], [1, 0])
    {'cosine': 1.0, 'euclidean': 1.0}
    """
    x, y, labels = as_matrix(x, "x"), as_matrix(y, "y"), np.asarray(labels)
    if x.shape != y.shape or labels.shape != (len(x),):
        raise ValueError(f"x, y and labels have shapes {x.shape}, {y.shape} and {labels.shape}; they do not fit")
    if sorted(set(labels.tolist())) != [0, 1]:
        raise ValueError(f"labels are {sorted(set(labels.tolist()))}; 0 and 1 are needed, both of them")
    similar = {"cosine": pair_cosines(x, y), "euclidean": -np.linalg.norm(x - y, axis=1)}
    return {name: average_precision(labels, values) for name, values in similar.items()}


FUSED = ("last layer", "best layer", "mean of layers", "QP", "QP, concatenated")
LAYERWISE = ("raw", "centred", "top_1_removed", "whitened")
METRICS = ("cosine", "euclidean", "max_ap")


def score_treatments(
    encode: Callable[[list[str]], Mapping[str, Any]],
    task: Any,
    *,
    lam: float = 0.1,
    n_fit: int = 2000,
    n_resamples: int = 500,
    confidence_level: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> Duplicates:
    """Score treatments of the layers of an encoder, and of what they are fused to, on a task of pairs.

    Parameters
    ----------
    encode
        Function from texts to representations by name, of which the last is what is used by default: mostly
        ``functools.partial(helpers.encoders.extraction.extract, model)``. Called once, with all texts.
    task
        A pair classification, as :func:`helpers.tasks.load_tasks` gives it, with splits ``"train"``, ``"validation"``
        and ``"test"``.
    lam
        Penalty λ of similarity in the quadratic program.
    n_fit
        Training texts, drawn at random, from which all treatments are learnt; all if there are fewer.
    n_resamples, confidence_level, rng
        Bootstrap draws of the test pairs, level of the intervals, seed of everything that is random.

    Returns
    -------
    Duplicates
        Scores: ``table`` has a row for each ``representation``, ``treatment`` and ``metric``. Representations are the
        layers (four treatments, by cosine) and those of ``FUSED``: the last layer, the best by validation, the mean of
        all, the weighted sum of the quadratic program, and its kept layers times the root of their weights, side by
        side. The latter with ``"pca"``, which keeps as many axes as a layer has features, is the published variant.
        Metrics are the average precision by ``cosine`` and by ``euclidean`` distance, and ``max_ap``, the largest over
        MTEB's four similarities. Other columns: ``score`` with ``ci_low`` and ``ci_high``; paired differences
        ``diff_raw``, ``diff_centred`` (of the same representation) and ``diff_qp`` (of the raw weighted sum), each with
        ``_ci_low``, ``_ci_high``, ``_p``; ``mean_cosine`` and ``rankme`` of the treated test texts, at most 2000 of
        them; ``width``; of layers the ``weight`` in the quadratic program; ``n_pairs``, ``n_fit``, ``best_layer``.

    Raises
    ------
    ValueError
        If the task is no pair classification; as :func:`helpers.tasks.evaluate_task`.

    Notes
    -----
    Pairs are resampled independently although some share a text, which makes intervals slightly too narrow.
    """
    import pandas as pd

    from helpers import tasks
    from helpers.ensembles import QP
    from helpers.quality import mean_cosine, rankme
    from helpers.similarity.matrices import similarity_matrix

    seed = integer_seed(rng)
    if task.metadata.type != "PairClassification":
        raise ValueError(f"{task.metadata.name} is of type {task.metadata.type}; a PairClassification is needed")
    rng = np.random.default_rng(seed)
    train, validation, test = (tasks.texts(task, split) for split in ("train", "validation", "test"))
    train = [train[row] for row in np.sort(rng.permutation(len(train))[: check_count(n_fit, "n_fit", least=3)])]
    everything = list(dict.fromkeys([*train, *validation, *test]))
    at = {text: row for row, text in enumerate(everything)}
    fit, valid, rows = ([at[text] for text in part] for part in (train, validation, test))
    representations = encode(everything)
    layers = {str(name): np.asarray(array, np.float64) for name, array in representations.items()}

    quality = {name: tasks.evaluate_task(task, x[valid], "validation").score for name, x in layers.items()}
    similarity = similarity_matrix({name: x[fit] for name, x in layers.items()}, "cka", progress=False)
    weights = QP(lam).fit({name: x[fit] for name, x in layers.items()}, quality=quality, similarity=similarity).weights_
    kept = [name for name in layers if weights[name] >= 1e-3]
    fused = {
        "last layer": layers[list(layers)[-1]],
        "best layer": layers[max(quality, key=quality.get)],
        "mean of layers": sum(layers.values()) / len(layers),
        "QP": sum(weights[name] * layers[name] for name in layers),
        "QP, concatenated": np.concatenate([np.sqrt(weights[name]) * layers[name] for name in kept], axis=1),
    }
    width = fused["QP"].shape[1]
    found, about, counts = {}, {}, None
    for name, x in (fused | layers).items():
        names = tuple(TREATMENTS) if name in fused else LAYERWISE
        for treatment, change in treatments(x[fit], names=names, width=min(width, x.shape[1])).items():
            treated = change(x[rows])
            evaluation = tasks.evaluate_task(task, treated, "test")
            if counts is None:
                n_pairs = evaluation.n
                counts = rng.multinomial(n_pairs, np.full(n_pairs, 1 / n_pairs), n_resamples).astype(np.float32)
            found[name, treatment] = _scored(evaluation, METRICS if name in fused else METRICS[:1], counts)
            few = treated[:2000]
            shape = {"mean_cosine": mean_cosine(few), "rankme": rankme(few), "width": treated.shape[1]}
            about[name, treatment] = shape | {"weight": weights.get(name)}

    table = []
    for (name, treatment), scores in found.items():
        references = {"raw": found[name, "raw"], "centred": found[name, "centred"], "qp": found["QP", "raw"]}
        for metric, own in scores.items():
            others = {key: reference[metric] for key, reference in references.items()}
            row = {"representation": name, "treatment": treatment, "metric": metric}
            table.append(row | _compared(own, others, confidence_level) | about[name, treatment])
    sizes = {"n_pairs": n_pairs, "n_fit": len(fit), "best_layer": max(quality, key=quality.get)}
    return Duplicates(pd.DataFrame(table).assign(**sizes), representations)


Scored = tuple[float, np.ndarray]  # a score and its bootstrap draws


def _scored(evaluation: Any, metrics: Sequence[str], counts: np.ndarray) -> dict[str, Scored]:
    """Average precision by cosine, by Euclidean distance, and the largest of all, on the same resampled pairs."""
    labels, columns = evaluation.items[:, 0] == 1, {"cosine": 1, "euclidean": 3}
    known: dict[int, Scored] = {}
    for column in range(1, evaluation.items.shape[1]) if "max_ap" in metrics else (columns[name] for name in metrics):
        values = evaluation.items[:, column]
        known[column] = average_precision(labels, values), average_precision(labels, values, counts=counts)
    found = {name: known[column] for name, column in columns.items() if name in metrics}
    if "max_ap" in metrics:
        found["max_ap"] = evaluation.score, np.max([draws for _, draws in known.values()], axis=0)
    return found


def _compared(own: Scored, others: Mapping[str, Scored], confidence_level: float) -> dict[str, float]:
    """The score with its interval, and its differences to others with theirs."""
    limits = interval(own[1], statistic=None, estimate=own[0], confidence_level=confidence_level)
    row = {"score": own[0], "ci_low": limits.low, "ci_high": limits.high}
    for key, (score, draws) in others.items():
        found = paired(own[0], score, draws=(own[1], draws), confidence_level=confidence_level)
        row |= {f"diff_{key}": found.difference, f"diff_{key}_ci_low": found.low, f"diff_{key}_ci_high": found.high}
        row[f"diff_{key}_p"] = found.p
    return row
