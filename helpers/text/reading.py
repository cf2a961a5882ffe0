"""Texts from a file, from a data set of the hub, or from the corpus: read, sampled, and told apart by a digest."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from helpers.arrays import generator
from helpers.locations import expand, resolve
from helpers.text.corpus import LIBRARIES, Missing, documentation
from helpers.text.prose import is_sentence, split_sentences

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["digest_of_texts", "read_hub", "read_texts", "sentences"]


def sentences(
    n: int | None = None,
    *,
    rng: int | np.random.Generator = 0,
    source: str | os.PathLike | Iterable[str] | None = None,
    column: str | None = None,
    words: tuple[int, int] = (5, 40),
    libraries: Iterable[str] | str = LIBRARIES,
    missing: Missing = "error",
    cache: str | os.PathLike | bool = True,
) -> list[str]:
    """Distinct sentences: a random sample of ``n``, or all.

    Parameters
    ----------
    n
        How many sentences; ``None`` for all, in the order of the source. The sample of n is the beginning of every
        larger sample with the same seed, so results at two sizes are nested.
    rng
        Seed or generator of the sample.
    source
        ``None`` (or an empty string) for the documentation of the installed libraries; ``"hub:NAME"`` or
        ``"hub:NAME:CONFIG"``, such as ``"hub:allenai/c4:en"``, for the sentences of a data set of the hub, read by
        :func:`read_hub`; else the path of a file, read by :func:`read_texts`, or the texts themselves.
    column
        The column of a table, as in :func:`read_texts`; of a data set of the hub ``"text"``, if None.
    words
        The least and the largest number of words of a sentence of the documentation or the hub. Only whole sentences
        are taken: from a capital letter to a full stop, question or exclamation mark, without code, formulas or
        addresses. Texts from any other source are taken as they are.
    libraries, missing, cache
        Libraries to read, what to do without one, and folder in which the corpus is kept, as in
        :func:`~helpers.text.documentation`.

    Raises
    ------
    ValueError
        If there are fewer than ``n`` distinct sentences (the message says how many), if ``n`` is not a positive whole
        number, or as :func:`read_texts` and :func:`read_hub`.

    Examples
    --------
    >>> sentences(3, source=["One is odd.", "Two is even.", "one is ODD.", "Three is prime."], rng=1)
    ['Two is even.', 'One is odd.', 'Three is prime.']
    """
    if n is not None and (isinstance(n, bool) or n != int(n) or n < 1):
        raise ValueError(f"n is {n!r}; it is a whole number of sentences, at least 1, or None for all")
    if source is None or (isinstance(source, str) and not source):
        shortest, longest = words
        table = documentation(libraries, unit="sentence", missing=missing, cache=cache)
        texts = [t for t in table["text"] if shortest <= t.count(" ") + 1 <= longest and is_sentence(t)]
        where = f"the documentation of {len(table['library'].unique())} libraries"
    elif isinstance(source, str) and source.startswith("hub:"):
        name, _, config = source.removeprefix("hub:").partition(":")
        found = (t for d in read_hub(name, config or None, column=column or "text") for t in split_sentences(d))
        texts = [t for t in found if words[0] <= t.count(" ") + 1 <= words[1] and is_sentence(t)]
        where = source
    elif isinstance(source, (str, os.PathLike)):
        texts, where = read_texts(source, column=column), str(source)
    else:
        texts, where = [str(text) for text in source], "source"
    distinct = list({text.lower(): text for text in reversed(texts)}.values())[::-1]
    if n is None:
        return distinct
    if len(distinct) < n:
        raise ValueError(f"{where} has {len(distinct)} distinct sentences; n = {n} were asked for")
    return [distinct[i] for i in generator(rng).permutation(len(distinct))[: int(n)]]


def digest_of_texts(texts: pd.DataFrame | Iterable[str]) -> str:
    """The SHA-256, as 64 hexadecimal digits, of a table of strings or of a sequence of texts.

    Two corpora have one digest exactly if every text (and every other column) is the same, in the same order.

    Examples
    --------
    >>> digest_of_texts(["One.", "Two."])[:12]
    'df43c64fc53e'
    >>> digest_of_texts(["One.", "Two."]) == digest_of_texts(["One. Two."])
    False
    """
    if isinstance(texts, str):
        raise TypeError("texts is one string; pass a table or a sequence of texts")
    columns = [list(texts[name]) for name in texts.columns] if hasattr(texts, "columns") else [list(texts)]
    return hashlib.sha256(json.dumps(columns, ensure_ascii=False).encode()).hexdigest()


def read_texts(
    path: str | os.PathLike, *, column: str | None = None, empty: Literal["error", "drop"] = "error"
) -> list[str]:
    """The texts of a file in UTF-8: one a line, or one a cell of a column of a table.

    Parameters
    ----------
    path
        ``.csv`` and ``.tsv`` are tables with a header; any other file has one text a line, where blank lines do not
        count. Either may be compressed (``.gz``).
    column
        The name of the column; needed if the table has more than one. A file with another ending is read as CSV
        where a column is named.
    empty
        What empty cells do: ``"error"`` refuses them, ``"drop"`` leaves them out with a warning that counts them (the
        texts then no longer stand beside the table's other columns).

    Returns
    -------
    list of str
        The texts in the order of the file, duplicates kept, without white space around.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is empty or has no text, is not UTF-8 (the message names the line), is not a table, has no such
        column (the message lists those there are) or has empty cells.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.csv").write_text("label,text\\n1,Good morning.\\n0,Good night.\\n")
    >>> read_texts(folder / "a.csv", column="text")
    ['Good morning.', 'Good night.']
    """
    if empty not in ("error", "drop"):
        raise ValueError(f"empty is {empty!r}; it is 'error' or 'drop'")
    path = expand(path)
    content = _decoded(path)
    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if column is None and kind.lower() not in (".csv", ".tsv"):
        texts = [line.strip() for line in content.splitlines()]
        texts = [line for line in texts if line]
    else:
        texts = _column(path, content, column, "\t" if kind.lower() == ".tsv" else ",")
        blank = [i for i, text in enumerate(texts) if not text]
        if blank and empty == "error":
            raise ValueError(
                f"{path}: {len(blank)} of {len(texts)} cells of the column are empty, the first in row {blank[0] + 1}; "
                "fill them, or pass empty='drop'"
            )
        if blank:
            import warnings

            warnings.warn(f"{path}: {len(blank)} of {len(texts)} cells are empty and left out", stacklevel=2)
            texts = [text for text in texts if text]
    if not texts:
        raise ValueError(f"{path} has no text")
    return texts


def read_hub(name: str, config: str | None = None, *, column: str = "text", documents: int = 20_000) -> Iterator[str]:
    """The first documents of a data set of the hub, streamed: no more is loaded than is read.

    Parameters
    ----------
    name, config
        Names of the data set and of its configuration, such as ``"allenai/c4"`` and ``"en"``. The folder
        ``$BOOK_DATA/allenai/c4``, with files of Parquet, JSON lines or text, stands for the hub where there is one.
    column
        The column of the text.
    documents
        How many documents are read, of the split ``validation`` if there is one, else ``test``, else ``train``.

    Raises
    ------
    ValueError
        If the data set cannot be read (the message says why), has none of these splits or no such column.
    """
    from datasets import load_dataset

    place = resolve(name)
    try:
        splits = load_dataset(place, config if place == name else None, streaming=True)
    except Exception as error:
        raise ValueError(f"data set {name!r} cannot be read from {place!r}: {error}") from error
    split = next((one for one in ("validation", "test", "train") if one in splits), None)
    if split is None:
        raise ValueError(f"data set {name!r} has the splits {sorted(splits)}; validation, test or train is needed")
    for row in splits[split].take(documents):
        if not isinstance(row.get(column), str):
            there = sorted(key for key, value in row.items() if isinstance(value, str))
            raise ValueError(f"column is {column!r}; data set {name!r} has the columns of text {there}")
        yield row[column]


def _decoded(path: Path) -> str:
    """The content of a file in UTF-8, compressed or not."""
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name one of its files")
    raw = path.read_bytes()
    if path.suffix == ".gz":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError) as error:
            raise ValueError(f"{path} is not a whole gzip file: {error}") from None
    if not raw.strip():
        raise ValueError(f"{path} is empty")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path} is not UTF-8: byte 0x{raw[error.start]:02x} in line {line}; save it as UTF-8"
        ) from None


def _column(path: Path, content: str, column: str | None, separator: str) -> list[str]:
    """The cells of one column of a table with a header."""
    import pandas as pd

    try:
        table = pd.read_csv(io.StringIO(content), sep=separator, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{path} is not a table: {str(error).strip()}") from None
    names = [str(name) for name in table.columns]
    if column is None and len(names) == 1:
        column = names[0]
    if column not in names:
        asked = "column is needed" if column is None else f"there is no column {column!r}"
        raise ValueError(f"{path}: {asked}; its columns are {', '.join(map(repr, names))}")
    return [text.strip() for text in table.iloc[:, names.index(column)].fillna("")]
