"""Which of several embeddings say nothing that another one does not say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import generator
from helpers.report.copies import JUDGED, Arrays, copy_of, narrower_copy_of, noisy_copy_of, partial_copy_of
from helpers.report.defaults import CONFIDENCE_LEVEL, THRESHOLD
from helpers.report.relations import Relation, Sides, relation_of, sides_of
from helpers.report.spaces import MEASURES, sample_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["APART", "SAME", "check_same_model", "check_threshold", "find_redundant", "redundancy_groups"]

#: Findings by which two embeddings are interchangeable, so that either of them can stay.
SAME = ("copy", "rotated copy", "redundant")
#: Findings by which an embedding is in no group of interchangeable ones.
APART = ("noise", "noisy copy", "partial copy")
#: Similarity that is none, however significant it is.
NEGLIGIBLE = 0.01
COLUMNS = ["embedding", "finding", "of", "noise", "evidence"]


def find_redundant(
    representations: Mapping[str, Any],
    table: pd.DataFrame,
    *,
    same_model: Sequence[str] = (),
    threshold: float = THRESHOLD,
    n_rotation: int = 2000,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Embeddings that say nothing that another one does not say, and embeddings that are related to nothing.

    Rules, in this order; an embedding is reported by the first that holds, and is not an original for later ones. The
    earlier of two embeddings counts as the original, except where noise tells which of them is the copy.

    - *copy*: linear CKA is within 10⁻⁴ of 1 and the same nearest neighbours are found; that is one space up to one
      factor and one shift (*rotated copy* if a rotation, a reflection or features without content come on top).
    - *noise*: the embedding is related to none of the others, while some of these are related: of all pairs, tested
      together at level 5 %, none with it is significant, or similarity is below 0.01. If no two embeddings are
      related, nothing says which of them is noise, and all are *unrelated*.
    - *partial copy*: some rows are those of another embedding, up to a rotation, and the others are not at all.
    - *narrower copy*: the embedding is a linear map of a wider one.
    - *noisy copy*: what is left of the embedding after the best rotation and scale of the other one is related to
      none of the embeddings: unbiased CKA and unbiased distance correlation are below 0.05, or below 0.15 where the
      rotation had to be estimated. ``noise`` is its share of the variance; above three quarters it must also be the
      same in all directions, as it may be something else that the others lack.
    - *redundant*: at least as similar as two runs of one model are, by every measure (the lower ends of the intervals
      of the pair ``same_model``), if such a pair is named; else CKA, RSA and distance correlation all at least
      ``threshold``.

    Parameters
    ----------
    representations, table
        What :func:`pairwise_similarity` was given, and what it found, with all four measures.
    same_model
        Names of two embeddings from one model trained twice (two seeds), or none.
    threshold
        Similarity, above 0 and up to 1, that counts as redundant where no two runs of one model are named.
    n_rotation
        Objects, half of which find the rotation while residuals are judged on the others (on 1000 of them at most); at
        least four times as many as features, if there are, because a rotation takes many objects to find.
    rng
        Seed for the draw of these objects.

    Returns
    -------
    DataFrame
        ``embedding``, ``finding``, ``of`` (the other one; empty for noise and unrelated ones), ``noise`` (share, of a
        noisy copy or of the rows of a partial one) and ``evidence``, a sentence.

    Raises
    ------
    ValueError
        If ``same_model`` does not name two of the embeddings, or ``threshold`` is not in (0, 1].
    """
    import pandas as pd

    names = [str(name) for name in representations]
    same_model = check_same_model(names, same_model)
    check_threshold(threshold)
    rng = generator(rng)
    widest = max(x.shape[1] for x in representations.values())
    rows = sample_rows(representations, max(n_rotation, 4 * widest), rng)
    rng.shuffle(rows)
    arrays = Arrays({name: x[rows] for name, x in representations.items()})
    pairs = table.pivot(index=["a", "b"], columns="measure", values=["value", "ci_low"])
    found: list[dict[str, Any]] = []

    def left() -> Iterator[tuple[str, str]]:
        for i, a in enumerate(names):
            for b in names[i + 1 :]:
                if not any(entry["embedding"] in (a, b) for entry in found):
                    yield a, b

    for a, b in left():
        if entry := copy_of(a, b, pairs.loc[(a, b), ("value", "cka")], arrays):
            found.append(entry)
    copied = {entry["embedding"] for entry in found}
    relations = _relations([name for name in names if name not in copied], arrays)
    found += _unrelated(relations)
    apart = {name: 1 - max((of.value for of in own.values()), default=0.0) for name, own in relations.items()}
    if any(entry["finding"] == "unrelated" for entry in found):
        return pd.DataFrame(found, columns=COLUMNS)
    for a, b in left():
        rest = {name: _apart_from(relations, name, (a, b), apart) for name in (a, b)}
        if entry := partial_copy_of(a, b, arrays, rest):
            found.append(entry)
    for a, b in left():
        if entry := narrower_copy_of(a, b, arrays):
            found.append(entry)
    noisy = [entry for a, b in left() if (entry := noisy_copy_of(a, b, arrays))]
    best: dict[str, dict[str, Any]] = {}
    for entry in sorted(noisy, key=lambda entry: entry["noise"]):
        if entry["of"] not in best:
            best.setdefault(entry["embedding"], entry)
    found += best.values()
    least = pairs.loc[tuple(sorted(same_model, key=names.index)), "ci_low"] if same_model else None
    for a, b in left():
        if {a, b} != set(same_model):
            found += _as_similar(a, b, pairs.loc[(a, b), "value"], same_model, threshold if least is None else least)
    return pd.DataFrame(found, columns=COLUMNS)


def _as_similar(
    a: str, b: str, value: pd.Series, same_model: Sequence[str], least: float | pd.Series
) -> list[dict[str, Any]]:
    """Whether two embeddings are as similar as a threshold, or as two runs of one model."""
    compared = value if same_model else value.drop("jaccard")
    if not (compared >= least).all():
        return []
    runs = " and ".join(same_model)
    bar = f"as similar as {runs}, two runs of one model" if same_model else f"all at least {least:g}"
    evidence = f"{_listed(compared)}: {bar}"
    return [{"embedding": b, "finding": "redundant", "of": a, "noise": np.nan, "evidence": evidence}]


def _relations(names: Sequence[str], arrays: Arrays) -> dict[str, dict[str, Relation]]:
    """How related each embedding is to each other one, on as many objects as can be judged."""
    few = slice(0, JUDGED)
    sides: dict[str, Sides] = {name: sides_of(arrays[name][few]) for name in names}
    out: dict[str, dict[str, Relation]] = {name: {} for name in names}
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            out[a][b] = out[b][a] = relation_of(sides[a], sides[b])
    return out


def _unrelated(relations: Mapping[str, Mapping[str, Relation]]) -> list[dict[str, Any]]:
    """Embeddings that are related to none: noise beside related ones, else no telling."""
    count = len(relations) * (len(relations) - 1) / 2
    if not count:
        return []
    bar = (1 - CONFIDENCE_LEVEL) / count
    alone = [
        name
        for name, own in relations.items()
        if not any(found.p <= bar and found.value >= NEGLIGIBLE for found in own.values())
    ]
    finding = "noise" if len(alone) < len(relations) else "unrelated"
    out = []
    for name in alone:
        other, found = min(relations[name].items(), key=lambda item: (item[1].p, -item[1].value))
        evidence = (
            f"unbiased CKA and distance correlation to each other one at most {max(found.value, 0):.3f} (to {other}; "
            f"p = {min(found.p * count, 1):.2g} over all {count:.0f} pairs)"
        )
        out.append({"embedding": name, "finding": finding, "of": "", "noise": 1.0, "evidence": evidence})
    return out


def _apart_from(
    relations: Mapping[str, Mapping[str, Relation]], name: str, pair: Sequence[str], apart: Mapping[str, float]
) -> float:
    """How unrelated an embedding is to all but a pair; to all if there is nothing else."""
    rest = [found.value for other, found in relations[name].items() if other not in pair]
    return 1 - max(rest) if rest else apart[name]


def check_same_model(names: Iterable[str], same_model: Sequence[str]) -> list[str]:
    """Two names of embeddings, or none."""
    names, pair = [str(name) for name in names], [str(name) for name in same_model]
    if pair and (len(pair) != 2 or pair[0] == pair[1] or set(pair) - set(names)):
        raise ValueError(f"same_model is {pair}; two of the embeddings are needed: {names}")
    return pair


def check_threshold(threshold: float) -> None:
    """A similarity above 0 and up to 1."""
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold is {threshold!r}; a similarity above 0 and up to 1 is needed")


def redundancy_groups(names: Sequence[str], found: pd.DataFrame) -> dict[str, list[str]]:
    """Groups of embeddings that :func:`find_redundant` links: the first name of each → its members, in order.

    Noise, noisy and partial copies, and copies of these, are in no group.
    """
    leader = {str(name): str(name) for name in names}
    noise = set(found.loc[found["finding"].isin(APART), "embedding"])
    linked = found[~found["finding"].isin((*APART, "unrelated"))]
    for a, b in zip(linked["of"], linked["embedding"], strict=True):
        old, new = sorted((leader[a], leader[b]), key=[str(name) for name in names].index, reverse=True)
        leader = {name: new if of == old else of for name, of in leader.items()}
    groups: dict[str, list[str]] = {}
    for name, of in leader.items():
        groups.setdefault(of, []).append(name)
    return {of: members for of, members in groups.items() if not noise.intersection(members)}


def _listed(scores: pd.Series) -> str:
    return ", ".join(f"{MEASURES[name]} {value:.2f}" for name, value in scores.items())
