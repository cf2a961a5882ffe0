"""Two embeddings of a report that are an old and a new version of one: what changed between them, and which objects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import integer_seed
from helpers.quality import drift
from helpers.report.defaults import COMPARED

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["VersionNames", "Versions", "check_versions", "compare_versions", "named_versions", "versions_in_words",
           "versions_shown"]  # fmt: skip

LEAST = 50  # objects that both versions must have
FOR_A_MAP = 110  # objects from which a map can be learnt, chosen and judged
OLD_AND_NEW = {"old": 0, "new": 1, "before": 0, "after": 1, "previous": 0, "current": 1}
KINDS = {"old": "old", "new": "old", "before": "before", "after": "before", "previous": "previous",
         "current": "previous"}  # fmt: skip
AGAIN = ("rerun", "again", "second", "repeat")
SHOWN = 10  # objects named on the page


class VersionNames(NamedTuple):
    """Which embeddings of a report are versions of one.

    Attributes
    ----------
    old, new : str
        The old and the new version.
    rerun : tuple of str
        Second runs of the old one.
    by_names : bool
        Whether the names told, and nobody said so.
    """

    old: str
    new: str
    rerun: tuple[str, ...] = ()
    by_names: bool = False


@dataclass(frozen=True, eq=False)
class Versions:
    """What changed between two versions, as a report holds it.

    Attributes
    ----------
    names : VersionNames
        Which embeddings they are.
    table : DataFrame
        All objects together, as :attr:`helpers.quality.Drift.table`; empty if they were not compared.
    objects : DataFrame
        Each object, as :attr:`helpers.quality.Drift.objects`.
    map : DataFrame
        The map from old to new, as :attr:`helpers.migration.Migration.table`; empty if there are too few objects.
    numbers : dict
        All numbers for programs, as :attr:`helpers.quality.Drift.numbers`.
    left_out : dict of str to int
        Objects that were not compared, by the reason.
    why : str
        Why nothing was compared; else empty.
    """

    names: VersionNames
    table: pd.DataFrame
    objects: pd.DataFrame
    map: pd.DataFrame
    numbers: dict[str, Any]
    left_out: dict[str, int]
    why: str = ""

    @property
    def result(self) -> dict[str, Any]:
        """What ``report.json`` holds of it beside the tables."""
        about = {"old": self.names.old, "new": self.names.new, "rerun": list(self.names.rerun)}
        said = {"told_by_names": self.names.by_names, "left_out": self.left_out, "not_compared": self.why}
        return about | said | self.numbers


def named_versions(names: Sequence[str]) -> VersionNames | None:
    """The old and the new version, if names tell: two names that differ in *old* and *new* or in a number of version.

    Words for old and new are ``old`` and ``new``, ``before`` and ``after``, ``previous`` and ``current``, or ``v1`` and
    ``v2``. A second run of the old version is what has its name and ``rerun``, ``again``, ``second`` or ``repeat``.

    Parameters
    ----------
    names
        Names of embeddings.

    Returns
    -------
    VersionNames or None
        None where no pair, or more than one, is told.

    Examples
    --------
    >>> from helpers.report.versions import named_versions
    >>> named_versions(["docs-v1", "docs-v2", "docs-v1-rerun"])
    VersionNames(old='docs-v1', new='docs-v2', rerun=('docs-v1-rerun',), by_names=True)
    >>> named_versions(["bert", "roberta-v2"]) is None
    True
    """
    words = {name: _words(name) for name in names}
    plain = [name for name in names if not set(words[name]) & set(AGAIN)]
    told: dict[tuple, dict[Any, list[str]]] = {}
    for name in plain:
        for place, word in enumerate(words[name]):
            kind, order = ("v", tuple(map(int, word[1:].split(".")))) if word[1:2].isdigit() else (
                KINDS.get(word), OLD_AND_NEW.get(word))  # fmt: skip
            if kind is not None:
                rest = (kind, *words[name][:place], None, *words[name][place + 1 :])
                told.setdefault(rest, {}).setdefault(order, []).append(name)
    pairs = [orders for orders in told.values() if len(orders) > 1]
    if len(pairs) != 1 or sum(map(len, pairs[0].values())) != 2:
        return None
    (old,), (new,) = (pairs[0][order] for order in sorted(pairs[0]))
    return VersionNames(old, new, _second_runs(words, old), True)


def _words(name: str) -> list[str]:
    """Words of a name in lower case; a number of version is a word."""
    return re.findall(r"(?<![a-z])v\d+(?:\.\d+)*|[a-z]+|\d+", name.lower())


def _second_runs(words: Mapping[str, Sequence[str]], old: str) -> tuple[str, ...]:
    found = []
    for name, own in words.items():
        rest = [word for word in own if word not in AGAIN]
        numbered = rest[:-1] if rest[-1:] and rest[-1].isdigit() else rest
        if name != old and len(rest) < len(own) and words[old] in (rest, numbered):
            found.append(name)
    return tuple(found)


def check_versions(
    names: Sequence[str], versions: Sequence[str] | None, rerun: Sequence[str] | None
) -> VersionNames | None:
    """Which embeddings are versions of one, as was said or as their names tell.

    Parameters
    ----------
    names
        Names of all embeddings of the report.
    versions
        The old and the new version; None: names tell; empty: none are.
    rerun
        Second runs of the old version; None: names tell.

    Raises
    ------
    ValueError
        If versions are not two of the names, or second runs are not among the others.
    """
    names = [str(name) for name in names]
    if versions is None:
        told = named_versions(names)
        if rerun and told is None:
            raise ValueError("rerun is given without versions; name the old and the new version too")
        return told if told is None or rerun is None else told._replace(rerun=_checked_runs(names, rerun, told[:2]))
    if not len(versions):
        if rerun:
            raise ValueError("rerun is given and versions is empty; name the old and the new version too")
        return None
    if isinstance(versions, str) or len(versions) != 2 or versions[0] == versions[1]:
        raise ValueError(f"versions is {versions!r}; the names of the old and of the new embedding are needed")
    for name in versions:
        if name not in names:
            raise ValueError(f"versions has {name!r}; the embeddings are {', '.join(names)}")
    words = {name: _words(name) for name in names}
    runs = _second_runs(words, versions[0]) if rerun is None else _checked_runs(names, rerun, versions)
    return VersionNames(str(versions[0]), str(versions[1]), tuple(run for run in runs if run != versions[1]))


def _checked_runs(names: Sequence[str], rerun: Sequence[str], versions: Sequence[str]) -> tuple[str, ...]:
    runs = [rerun] if isinstance(rerun, str) else list(rerun)
    for name in runs:
        if name not in names or name in versions:
            others = [other for other in names if other not in versions]
            raise ValueError(
                f"rerun has {name!r}; a second run is another embedding than the two versions: "
                f"{', '.join(others) or 'there is no other'}"
            )
    return tuple(dict.fromkeys(runs))


def compare_versions(
    representations: Mapping[str, Any],
    names: VersionNames,
    ids: Any = None,
    *,
    n_objects: int = COMPARED,
    rng: int | np.random.Generator = 0,
) -> dict[str, Any]:
    """What :func:`helpers.quality.drift` finds between two embeddings of a report.

    Parameters
    ----------
    representations
        Name → array of shape (n, p), memory maps included; all entries finite.
    names
        Which of them are versions.
    ids
        Names of the objects; row numbers by default.
    n_objects
        Objects that are compared; drawn at random if there are more.
    rng
        Seed or generator of all draws.

    Returns
    -------
    dict
        Arguments of :class:`Versions` but ``names``. Objects whose vector is zero in one of the embeddings have no
        direction and are left out.

    Raises
    ------
    ValueError
        If fewer than 50 objects are left, and it was said which embeddings are versions; where names told, ``why``
        says so instead.
    """
    import pandas as pd

    rng = np.random.default_rng(integer_seed(rng))
    every = [representations[name] for name in (names.old, names.new, *names.rerun)]
    n, seed = len(every[0]), int(rng.integers(2**31))
    rows = np.arange(n) if n <= n_objects else np.sort(rng.choice(n, n_objects, replace=False))
    parts = [np.asarray(x[rows]) for x in every]
    pointing = np.all([part.any(axis=1) for part in parts], axis=0)
    left_out = {"not drawn": n - len(rows), "zero": int((~pointing).sum())}
    rows, (old, new, *again) = rows[pointing], [part[pointing] for part in parts]
    none = pd.DataFrame()
    if len(rows) < LEAST:
        why = f"{len(rows)} objects have a direction in both versions; at least {LEAST} are needed"
        if not names.by_names:
            raise ValueError(f"versions {names.old!r} and {names.new!r}: {why}")
        return {"table": none, "objects": none, "map": none, "numbers": {}, "left_out": left_out, "why": why}
    called = rows if ids is None else np.asarray(ids)[rows]
    options = {"ids": called, "map": "low-rank" if len(rows) >= FOR_A_MAP else None, "rng": seed}
    found = drift(old, new, rerun=again or None, **options)
    kept = none if found.migration is None else found.migration.table
    numbers = found.numbers
    return {
        "table": found.table,
        "objects": found.objects,
        "map": kept,
        "numbers": numbers,
        "left_out": left_out,
        "why": "",
    }


def versions_in_words(versions: Versions) -> str:
    """What changed, as Markdown; the last paragraph is the short of it.

    Parameters
    ----------
    versions
        What was found.
    """
    names, numbers = versions.names, versions.numbers
    lines = []
    if names.by_names:
        told = (
            f"Their names tell that **{names.old}** is the old version and **{names.new}** the new one of one embedding"
        )
        lines.append(f"{told}; say which are, or that none is, if that is wrong.")
    if versions.why:
        return "\n\n".join([*lines, f"**{names.old} and {names.new} were not compared**: {versions.why}."])
    lines += ["\n".join(f"- {sentence}" for sentence in numbers["sentences"])]
    if names.rerun:
        lines.append(f"Second runs of the old model, in which nothing was changed: {', '.join(names.rerun)}.")
    else:
        lines.append(
            "No second run of the old model is among the embeddings, so that the noise had to be assumed. Add one "
            "(another seed, another machine), and nothing is assumed."
        )
    left = versions.left_out
    if left["zero"]:
        lines.append(f"{left['zero']} objects whose vector is zero in one of them have no direction and were left out.")
    if left["not drawn"]:
        lines.append(
            f"Compared were {numbers['rows']['common']} objects, drawn at random; `python -m helpers drift` takes all."
        )
    if not len(versions.map):
        lines.append(f"A map from old to new is judged from {FOR_A_MAP} objects on.")
    many, n = numbers["moved"], numbers["rows"]["common"]
    overlap = numbers["table"]["neighbour overlap"]["value"]
    short = f"**{many or 'None'} of {n} objects moved** from {names.old} to {names.new}"
    short += f", and {overlap:.0%} of the neighbours stayed"
    if kept := numbers["search_kept_by_a_map"]:
        short += f"; old vectors, mapped, keep {kept['overlap']:.0%} of the new search"
    return "\n\n".join([*lines, f"{short}."])


def versions_shown(versions: Versions) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of all objects together, and the objects that moved most, for a page."""
    table = versions.table.rename(columns={"ci_low": "low", "ci_high": "high"}).round(4)
    if not versions.names.rerun and len(table):
        table = table.drop(columns="p")
    objects = versions.objects
    moved = objects[objects["moved"]].head(SHOWN).drop(columns="moved") if len(objects) else objects
    return table, moved.round(4)
