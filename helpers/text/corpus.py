"""The documentation of the installed libraries as a corpus of paragraphs or sentences, cached for each library."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from functools import cache as memoize
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from helpers.locations import cache_folder
from helpers.text.prose import prose_of
from helpers.text.sources import docstrings, has_sources, library_version, read_source, sources

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LIBRARIES", "Missing", "documentation"]


#: The libraries of the corpus by the name one imports them under; ``python`` is the standard library.
LIBRARIES = (
    "numpy",
    "scipy",
    "pandas",
    "sklearn",
    "torch",
    "matplotlib",
    "sympy",
    "networkx",
    "IPython",
    "sphinx",
    "transformers",
    "dask",
    "distributed",
    "seaborn",
    "mteb",
    "sentence_transformers",
    "python",
)
COLUMNS = ("library", "module", "object", "kind", "part", "text")
Missing = Literal["error", "skip"]


def documentation(
    libraries: Iterable[str] | str = LIBRARIES,
    *,
    unit: Literal["paragraph", "sentence"] = "paragraph",
    distinct: bool = True,
    missing: Missing = "error",
    cache: str | os.PathLike | bool = True,
) -> pd.DataFrame:
    """The docstrings of the installed libraries, cleaned and cut into paragraphs or sentences.

    Source files are read as text and never imported. Markup is removed; doctests, code, formulas, tables, directives,
    headings, names and types of parameters, cross-references and citations are left out, so that English prose remains.
    Objects written in C count too, where a library attaches their docstrings by ``add_docstr`` or ``add_newdoc``.
    Files below folders named ``test``, ``tests`` or ``testing`` are left out, and of the standard library the parts
    that some systems package apart (``tkinter``, ``idlelib``, …).

    Parameters
    ----------
    libraries
        Names under which one imports the libraries, ``"python"`` for the standard library; their order decides which
        of two equal paragraphs is kept.
    unit
        One row per ``"paragraph"`` or per ``"sentence"``.
    distinct
        Keep only the first of the rows whose text differs by letter case at most.
    missing
        ``"error"``, or ``"skip"`` to do without the libraries that are not installed (which is another corpus).
    cache
        ``True``: the user's cache folder; a path: that folder; ``False``: none. Files are kept per library, keyed on
        its version and on the code that reads them; a damaged one is made again, and a folder that cannot be written to
        is done without.

    Returns
    -------
    pandas.DataFrame
        String columns ``library``, ``module`` (dotted), ``object`` (qualified name within the module, empty for the
        module itself), ``kind`` (``"module"``, ``"class"``, ``"function"`` or ``"method"``), ``part`` (``"summary"``,
        the first paragraph of a docstring, or ``"body"``) and ``text``; sorted by library, file and line, so that equal
        versions give equal tables.

    Raises
    ------
    ModuleNotFoundError
        If libraries are not installed (all of them are named).
    ValueError
        If an option is unknown.

    Examples
    --------
    >>> table = documentation(["networkx"])
    >>> list(table.columns)
    ['library', 'module', 'object', 'kind', 'part', 'text']
    >>> row = table[table.object == "pagerank"].iloc[0]
    >>> row.kind, row.part, row.text
    ('function', 'summary', 'Returns the PageRank of the nodes in the graph.')
    """
    import numpy as np
    import pandas as pd

    if unit not in ("paragraph", "sentence"):
        raise ValueError(f"unit is {unit!r}; it is 'paragraph' or 'sentence'")
    if missing not in ("error", "skip"):
        raise ValueError(f"missing is {missing!r}; it is 'error' or 'skip'")
    names = list(dict.fromkeys([libraries] if isinstance(libraries, str) else libraries))
    absent = [name for name in names if not has_sources(name)]
    if absent and missing == "error":
        raise ModuleNotFoundError(
            f"the documentation corpus reads {', '.join(absent)}, not installed here; install what is missing, "
            "or pass missing='skip' and work on another corpus"
        )
    folder = _cache_folder(cache)
    between = "\n" if unit == "sentence" else "\n\n"
    documented: list[tuple[str, ...]] = []
    owners: list[int] = []
    parts: list[str] = []
    texts: list[str] = []
    seen: set[str] = set()
    for library in names:
        for module, name, kind, doc in _library(library, folder) if library not in absent else ():
            summary, *body = doc.split("\n\n", 1)
            for part, written in (("summary", summary), *(("body", rest) for rest in body)):
                for text in written.split(between):
                    if not text:
                        continue
                    if unit == "paragraph":
                        text = text.replace("\n", " ")
                    if distinct:
                        folded = text.lower()
                        if folded in seen:
                            continue
                        seen.add(folded)
                    owners.append(len(documented))
                    parts.append(part)
                    texts.append(text)
            documented.append((library, module, name, kind))
    columns = np.array(documented, dtype=object).reshape(-1, 4).T[:, owners]
    return pd.DataFrame({**dict(zip(COLUMNS, columns, strict=False)), "part": parts, "text": texts}, dtype=object)


Record = tuple[str, str, str, str]  # module, object, kind, prose


def _library(library: str, folder: Path | None) -> list[Record]:
    """The records of a library, from its cache or parsed now."""
    if folder is None:
        return _parse(library)
    path = folder / f"{library}-{library_version(library)}-{_parser_version()}.json"
    try:
        expected, content = path.read_bytes().split(b"\n", 1)
        if hashlib.sha256(content).hexdigest().encode() == expected:
            return json.loads(content)
    except (OSError, ValueError):
        pass
    records = _parse(library)
    content = json.dumps(records, ensure_ascii=False).encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError:
        pass  # a folder that cannot be written to costs seconds, not results
    return records


def _parse(library: str) -> list[Record]:
    """All docstrings of a library that hold any prose."""
    records = []
    for name, path in sources(library):
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for qualified, kind, doc in docstrings(read_source(path)):
            if written := prose_of(doc):
                records.append((module, qualified, kind, written))
    prose_of.cache_clear()
    return records


def _cache_folder(cache: str | os.PathLike | bool) -> Path | None:
    """Where the cache lies."""
    if cache is True:
        return cache_folder("documentation")
    return Path(cache) if cache is not False else None


@memoize
def _parser_version() -> str:
    """Changes whenever the code does that makes the records."""
    found = hashlib.sha256()
    for module in (corpus := Path(__file__), corpus.with_name("prose.py"), corpus.with_name("sources.py")):
        found.update(module.read_bytes())
    return found.hexdigest()[:12]
