"""What is wrong with each embedding of a report, found without labels, and how far that bears on the decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import generator, integer_seed
from helpers.quality import diagnose
from helpers.report.decisions import Decisions
from helpers.report.defaults import N_OBJECTS
from helpers.report.spaces import sample_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLLAPSES", "diagnose_spaces", "diagnosis_in_words"]

COLUMNS = ["finding", "found", "symptom", "value", "healthy", "threshold", "remedy", "after", "changes", "sentence"]

COLLAPSES = ("complete collapse", "dimensional collapse", "cluster collapse", "token collapse", "codebook collapse")
"""Findings that are a collapse."""


def diagnose_spaces(
    representations: Mapping[str, Any], *, n_objects: int = N_OBJECTS, rng: int | np.random.Generator = 0
) -> pd.DataFrame:
    """What :func:`helpers.quality.diagnose` finds in each embedding, compared by cosine (flags: by Hamming).

    Parameters
    ----------
    representations
        Name → array of shape (n, p), memory maps included; all entries finite.
    n_objects
        Number of objects, drawn at random, in which duplicates are looked for; the rest is of 500 of them.
    rng
        Seed or generator of the draws.

    Returns
    -------
    DataFrame
        A row per embedding and finding, as in :attr:`helpers.quality.Diagnosis.table`, with ``sentence``, which says
        what was found. An embedding that cannot be diagnosed, as one of a single feature, has one row whose finding is
        empty and whose sentence says why.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.report import diagnose_spaces
    >>> x = np.random.default_rng(0).normal(size=(200, 32))
    >>> table = diagnose_spaces({"x": x, "point": 1 + 1e-5 * x})
    >>> table[table["found"]][["embedding", "finding"]].values.tolist()
    [['point', 'complete collapse']]
    """
    import pandas as pd

    rng = generator(rng)
    rows = sample_rows(representations, n_objects, rng)
    seed, parts = integer_seed(rng), []
    for name, x in representations.items():
        try:
            found = diagnose(np.asarray(x[rows]), metric=None, rng=seed)
        except ValueError as error:
            part = pd.DataFrame([{"finding": "", "found": False, "sentence": f"Not looked at: {error}."}])
        else:
            part = found.table.reset_index()
            part["sentence"] = ""
            part.loc[part["found"], "sentence"] = found.sentences
        part = part.reindex(columns=COLUMNS)
        part.insert(0, "embedding", str(name))
        texts = ["finding", "symptom", "remedy", "changes", "sentence"]
        part[texts] = part[texts].fillna("").astype(str)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def diagnosis_in_words(table: pd.DataFrame, decisions: Decisions) -> str:
    """A few lines for each embedding in which something was found, and what that means for the decisions.

    Parameters
    ----------
    table
        What :func:`diagnose_spaces` gives.
    decisions
        What :func:`helpers.report.decide` gives.

    Returns
    -------
    str
        Markdown. It decides nothing by itself: what is used is what the decisions say, and what it says of an embedding
        that can go is that it can go.
    """
    names = list(dict.fromkeys(table["embedding"]))
    sick = table[table["found"]]
    lines = [f"- **{row.embedding}**: {row.sentence}" for row in sick.itertuples()]
    lines += [f"- **{row.embedding}**: {row.sentence}" for row in table[table["finding"] == ""].itertuples()]
    looked = [name for name in names if name in set(table.loc[table["finding"] != "", "embedding"])]
    healthy = [name for name in looked if name not in set(sick["embedding"])]
    if not len(sick) and looked:
        first = "**Nothing was found** beyond what healthy spaces of the same shape have"
        lines.insert(0, f"{first}{'' if len(looked) == len(names) else ', as far as was looked'}.")
    elif healthy:
        lines.append(f"- Nothing was found in {_listing(healthy)}.")
    collapsed = set(sick.loc[sick["finding"].isin(COLLAPSES), "embedding"])
    needed = decisions.reads or decisions.representatives
    used = [name for name in needed if name in collapsed]
    if used:
        lines.append(
            f"\n{_listing(used)} {'is' if len(used) == 1 else 'are'} used all the same: "
            + (
                "the target decides, and not the shape of a space."
                if decisions.target
                else "without a target a shape alone decides nothing."
            )
        )
    return "\n".join(lines)


def _listing(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
