"""The laboratory of the chapter "How embeddings collapse": six collapses, remedies, and what each changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from helpers.studies.collapse_tables import codebook_collapse, crossed_collapse, token_collapse
from helpers.studies.collapse_views import Tried, cluster_collapse, complete_collapse, dimensional_collapse

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["APPLIED", "COLLAPSES", "REMEDIES", "costs", "laboratory", "try_remedy", "warm_up"]

COLLAPSES: dict[str, Callable[..., Tried]] = {
    "complete": complete_collapse,
    "dimensional": dimensional_collapse,
    "cluster": cluster_collapse,
    "token": token_collapse,
    "codebook": codebook_collapse,
    "crossed fields": crossed_collapse,
}
"""Collapses by name, each a function that makes it happen."""

REMEDIES = (
    "nothing",
    "cause removed",
    "pre-training",
    "larger encoder",
    "several tables",
    "regularised crossings",
    "mixture of experts",
    "residual quantisation",
    "product quantisation",
    "k-means start",
    "restarted codes",
    "moving averages",
    "entropy term",
    "rotation trick",
    "whitening",
    "Barlow Twins",
    "VICReg",
    "stop-gradient",
    "alignment + uniformity",
)
"""What is tried against each collapse, after doing nothing and, for comparison, training without its cause."""

_NO_TABLE = "the encoder is a network and has no table"
_NO_CROSSING = "no fields are crossed"
_NO_CODES = "nothing is quantised"
_NO_VIEWS = "there are no two views of one object"
_OF_ENCODERS = {
    "several tables": _NO_TABLE,
    "regularised crossings": _NO_CROSSING,
    **dict.fromkeys(
        ("residual quantisation", "product quantisation", "k-means start", "restarted codes", "rotation trick"),
        _NO_CODES,
    ),
    "whitening": {"whiten": True},
}
_OF_VIEWS = _OF_ENCODERS | {
    "pre-training": {"pretraining_steps": 150},
    "larger encoder": {"hidden": (256, 256)},
    "mixture of experts": {"n_experts": 4},
    "moving averages": {"teacher": 0.98},
    "entropy term": {"entropy": 0.5},
    "Barlow Twins": {"loss": "barlow_twins"},
    "VICReg": {"loss": "vicreg"},
    "stop-gradient": {"loss": "stop_gradient"},
    "alignment + uniformity": {"loss": "align_uniform"},
}

APPLIED: dict[str, dict[str, Mapping[str, Any] | str]] = {
    "complete": _OF_VIEWS | {"cause removed": {"loss": "info_nce"}},
    "dimensional": _OF_VIEWS | {"cause removed": {"strength": 0.3}},
    "cluster": _OF_ENCODERS
    | {
        "cause removed": {"labelled": False, "term": "info_nce"},
        "pre-training": {"pretraining_steps": 300},
        "larger encoder": {"hidden": (256, 256)},
        "mixture of experts": {"n_experts": 4},
        "moving averages": "the targets are labels, which no average moves",
        "entropy term": {"entropy": 0.5},
        "Barlow Twins": {"term": "barlow_twins", "weight": 0.1},
        "VICReg": {"term": "vicreg", "weight": 0.1},
        "stop-gradient": {"term": "stop_gradient"},
        "alignment + uniformity": {"term": "align_uniform"},
    },
    "token": _OF_ENCODERS
    | {
        "cause removed": {"rare": 0.2},
        "pre-training": {"domain_steps": 150},
        "larger encoder": {"width": 128},
        "several tables": {"n_tables": 4},
        "mixture of experts": "a word has one row, and nothing that a gate could read",
        "moving averages": "what a word predicts is another word, which no average moves",
        "entropy term": {"entropy": 0.5},
        "Barlow Twins": {"loss": "barlow_twins"},
        "VICReg": {"loss": "vicreg"},
        "stop-gradient": {"loss": "stop_gradient"},
        "alignment + uniformity": {"loss": "align_uniform"},
    },
    "codebook": {
        "cause removed": "the start is the cause, and one from k-means is among the remedies",
        "pre-training": {"pretraining_steps": 150},
        "larger encoder": {"hidden": (256, 256)},
        "several tables": "several books are residual or product quantisation",
        "regularised crossings": _NO_CROSSING,
        "mixture of experts": {"n_experts": 4},
        "residual quantisation": {"n_books": 4, "n_codes": 64},
        "product quantisation": {"n_books": 4, "n_codes": 64, "books": "product"},
        "k-means start": {"start": "kmeans"},
        "restarted codes": {"restart": 0.2},
        "moving averages": {"update": "ema"},
        "entropy term": {"entropy": 0.1},
        "rotation trick": {"rotation": True},
        "whitening": {"whiten": True},
        **dict.fromkeys(("Barlow Twins", "VICReg", "stop-gradient", "alignment + uniformity"), _NO_VIEWS),
    },
    "crossed fields": {
        "cause removed": {"small": ()},
        "pre-training": {"pretrained": True},
        "larger encoder": {"width": 128},
        "several tables": {"n_tables": 4, "crossing": "matrix"},
        "regularised crossings": {"crossing": "matrix", "regularise": 0.1},
        "mixture of experts": {"crossing": "experts"},
        "moving averages": "the targets are clicks, which no average moves",
        "entropy term": {"entropy": 0.05},
        "whitening": "users are crossed with items as they are: a table that is whitened alone no longer fits",
        "Barlow Twins": "a user and an item are two objects, not two views of one",
        "VICReg": "a user and an item are two objects, not two views of one",
        "stop-gradient": "a user and an item are two objects, not two views of one",
        "alignment + uniformity": {"loss": "align_uniform", "batch": 256},
        **{name: why for name, why in _OF_ENCODERS.items() if why == _NO_CODES},
    },
}
"""Collapse → remedy → keyword arguments of the function that makes the collapse, or why the remedy does not apply."""


def try_remedy(collapse: str, remedy: str = "nothing", *, rng: int = 0, **options: Any) -> Tried:
    """One collapse with one remedy.

    Parameters
    ----------
    collapse
        A name in :data:`COLLAPSES`.
    remedy
        A name in :data:`REMEDIES` that applies to it.
    rng
        Seed of data and training, which the remedies of one collapse share.
    options
        Other keyword arguments of the function of the collapse, such as ``steps``.

    Raises
    ------
    ValueError
        If the collapse or the remedy is unknown, or the remedy does not apply; the message says why.
    """
    if collapse not in COLLAPSES:
        raise ValueError(f"collapse is {collapse!r}; it is one of {', '.join(map(repr, COLLAPSES))}")
    if remedy not in REMEDIES:
        raise ValueError(f"remedy is {remedy!r}; it is one of {', '.join(map(repr, REMEDIES))}")
    given = {} if remedy == "nothing" else APPLIED[collapse][remedy]
    if isinstance(given, str):
        raise ValueError(f"remedy {remedy!r} does not apply to the {collapse} collapse: {given}")
    return COLLAPSES[collapse](rng=rng, **{**given, **options})


def warm_up(collapses: Sequence[str] = tuple(COLLAPSES), remedies: Sequence[str] = REMEDIES) -> None:
    """Take one step of every training, so that none pays for what a process loads when it is first needed."""
    for collapse in collapses:
        for remedy in remedies:
            given = {} if remedy == "nothing" else APPLIED[collapse][remedy]
            if not isinstance(given, str):
                before = {name: 1 for name in ("pretraining_steps", "domain_steps") if name in given}
                try_remedy(collapse, remedy, steps=1, **before)


def costs(
    collapses: Sequence[str] = tuple(COLLAPSES), remedies: Sequence[str] = REMEDIES, *, rng: int = 0, **options: Any
) -> pd.DataFrame:
    """What remedies cost: every training once in full, after one step of each has loaded what it needs.

    Parameters
    ----------
    collapses, remedies, rng, options
        As of :func:`laboratory`.

    Returns
    -------
    DataFrame
        Columns ``collapse``, ``remedy``, ``seconds`` of processor and ``parameters``; no row where a remedy does not
        apply.
    """
    import pandas as pd

    warm_up(collapses, remedies)
    rows = []
    for collapse in collapses:
        for remedy in remedies:
            if remedy == "nothing" or not isinstance(APPLIED[collapse][remedy], str):
                found = try_remedy(collapse, remedy, rng=rng, **options)
                about = {"collapse": collapse, "remedy": remedy, "seconds": found.seconds}
                rows.append(about | {"parameters": float(found.parameters)})
    return pd.DataFrame(rows)


def laboratory(
    collapses: Sequence[str] = tuple(COLLAPSES),
    remedies: Sequence[str] = REMEDIES,
    *,
    rng: int = 0,
    **options: Any,
) -> pd.DataFrame:
    """Remedies against collapses, with what the diagnosis says of each.

    Parameters
    ----------
    collapses, remedies
        Names in :data:`COLLAPSES` and in :data:`REMEDIES`.
    rng
        Seed of data and training.
    options
        Keyword arguments of all functions of collapses, such as ``steps``.

    Returns
    -------
    DataFrame
        Columns ``collapse``, ``remedy``, ``applies``, ``why`` (a remedy does not apply, else empty), ``kept`` (what the
        collapse takes away, between 0 and 1), ``task`` (score where the truth is known), ``findings`` of
        :func:`helpers.quality.diagnose`, joined by commas, ``seconds`` of processor and ``parameters``.
    """
    import pandas as pd

    from helpers.quality import diagnose

    warm_up(collapses, remedies)
    rows = []
    for collapse in collapses:
        for remedy in remedies:
            row: dict[str, Any] = {"collapse": collapse, "remedy": remedy}
            given = {} if remedy == "nothing" else APPLIED[collapse][remedy]
            if isinstance(given, str):
                rows.append(row | {"applies": False, "why": given})
                continue
            found = try_remedy(collapse, remedy, rng=rng, **options)
            said = diagnose(found.x, codes=found.codes, n_codes=found.n_codes).findings
            row |= {"applies": True, "why": "", "kept": found.kept, "task": found.task, "findings": ", ".join(said)}
            rows.append(row | {"seconds": found.seconds, "parameters": float(found.parameters)})
    shown = ["collapse", "remedy", "applies", "why", "kept", "task", "findings", "seconds", "parameters"]
    return pd.DataFrame(rows, columns=shown).fillna({"findings": ""})
