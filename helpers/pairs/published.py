"""The data sets of the published recipe, read by their names on the hub, and only when asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from helpers.arrays import check_count
from helpers.pairs.corpus import PairCorpus, read_hub_rows, read_pair_table
from helpers.pairs.heuristics import PAIR_COLUMNS, PUBLISHED_SETS
from helpers.pairs.overlap import EvaluationTexts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HUB_COLUMNS", "HubColumns", "published_sets_table", "read_published_sets"]


class HubColumns(NamedTuple):
    """Where the sides of a pair stand in a data set.

    Attributes
    ----------
    left, right
        Names of columns; ``"translation.ru"`` is an entry of a column, and a list of texts is a pair for each.
    config
        Name of the part of the data set.
    only
        A column and the value that it has in the rows that count; empty for all rows.
    """

    left: str
    right: str
    config: str = ""
    only: tuple[str, str] | tuple[()] = ()


#: Columns of the sets of :data:`helpers.pairs.PUBLISHED_SETS`, as far as they are known.
HUB_COLUMNS: dict[str, HubColumns] = {
    "Helsinki-NLP/opus-100": HubColumns("translation.ru", "translation.en", "en-ru"),
    "s-nlp/ru_paradetox": HubColumns("ru_toxic_comment", "ru_neutral_comment"),
    "deepvk/ru-WANLI": HubColumns("premise", "hypothesis", only=("label", "entailment")),
    "deepvk/ru-HNP": HubColumns("query", "pos"),
    "reciTAL/mlsum": HubColumns("summary", "text", "ru"),
    "csebuetnlp/xlsum": HubColumns("summary", "text", "russian"),
    "IlyaGusev/gazeta": HubColumns("summary", "text"),
    "d0rj/gsm8k-ru": HubColumns("question", "answer"),
}


def published_sets_table() -> pd.DataFrame:
    """The data sets of the published recipe :cite:`deepvk2024user`, and whether they can be read by name.

    Returns
    -------
    DataFrame
        By name: ``kind``, ``pairs`` (as published), ``left`` and ``right`` (columns, empty where they are not known).

    Examples
    --------
    >>> published_sets_table().loc["d0rj/gsm8k-ru", "left"]
    'question'
    """
    import pandas as pd

    rows = []
    for name, kind, n in PUBLISHED_SETS:
        columns = HUB_COLUMNS.get(name)
        rows.append((name, kind, n, columns.left if columns else "", columns.right if columns else ""))
    return pd.DataFrame(rows, columns=["name", "kind", "pairs", "left", "right"]).set_index("name")


def read_published_sets(
    names: Iterable[str] | str | None = None,
    *,
    most: int = 100_000,
    asked: EvaluationTexts | Iterable[str] | None = None,
) -> PairCorpus:
    """Pairs of data sets of the published recipe, downloaded from the hub by the library datasets.

    Parameters
    ----------
    names
        Some of :data:`HUB_COLUMNS`; None for all of them. The folder ``$BOOK_DATA/NAME`` stands for the hub where there
        is one, such as for a set whose loading script the library no longer runs.
    most
        Rows of the split ``train`` of each set that are read, at most.
    asked
        Texts of evaluations: no pair with such a text, or one near it, is kept.

    Returns
    -------
    PairCorpus
        Pairs that pass all checks, with the name of their set as source. Saved in a folder
        (:meth:`PairCorpus.save`), it is a corpus of the recorded runs.

    Raises
    ------
    ValueError
        If a set is unknown, its columns are, or it cannot be read or has other columns; the message names it.
    """
    import pandas as pd

    chosen = [names] if isinstance(names, str) else list(HUB_COLUMNS if names is None else names)
    check_count(most, "most")
    kinds = {name: kind for name, kind, _ in PUBLISHED_SETS}
    for name in chosen:
        if name not in kinds:
            raise ValueError(f"names has {name!r}; the sets are {', '.join(map(repr, kinds))}")
        if name not in HUB_COLUMNS:
            raise ValueError(f"the columns of {name!r} are not known; read_pair_table('hub:{name}') takes their names")
    parts = [_pairs_of(name, HUB_COLUMNS[name], kinds[name], most) for name in chosen]
    if not parts:
        raise ValueError(f"names is empty; the sets are {', '.join(map(repr, HUB_COLUMNS))}")
    return read_pair_table(pd.concat(parts, ignore_index=True), licence="that of the data set", asked=asked)


def _pairs_of(name: str, columns: HubColumns, kind: str, most: int) -> pd.DataFrame:
    """The table of pairs of a data set."""
    import pandas as pd

    rows = read_hub_rows(f"{name}:{columns.config}", most)
    told = [columns.left, columns.right, *columns.only[:1]]
    if absent := [column for column in told if column.partition(".")[0] not in rows.columns]:
        there = ", ".join(map(repr, map(str, rows.columns)))
        raise ValueError(f"{name!r} has no column {', '.join(map(repr, absent))}; its columns are {there}")
    if columns.only:
        name_of, value = columns.only
        if not (rows[name_of] == value).any():
            raise ValueError(
                f"{name!r} has no row with {value!r} in {name_of!r}, such as {rows[name_of].iloc[:3].tolist()}"
            )
        rows = rows[rows[name_of] == value]
    sides = {side: _column(rows, path) for side, path in (("left", columns.left), ("right", columns.right))}
    found = pd.DataFrame(sides).assign(source=name, kind=kind, document="").explode("right", ignore_index=True)
    return found[list(PAIR_COLUMNS)]


def _column(rows: pd.DataFrame, path: str) -> pd.Series:
    """A column, or an entry of one: ``"translation.ru"``."""
    name, _, entry = path.partition(".")
    return rows[name].map(lambda value: value.get(entry)) if entry else rows[name]
