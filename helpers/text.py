"""Real text without a download: the documentation of the installed libraries, and readers of your own files.

Every machine that can run this book holds tens of thousands of English docstrings. :func:`documentation` reads them
where they are installed, without importing anything, and :func:`sentences` draws sentences from them or from a file.
The text is never copied into the repository; :func:`digest` says in one line which corpus a result was computed on.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import inspect
import io
import json
import os
import re
import sys
import sysconfig
import tempfile
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache as memoize
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LIBRARIES", "digest", "documentation", "read_hub", "read_texts", "sentences", "split_sentences"]

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
        its version and on the code of this module; a damaged one is made again, and a folder that cannot be written to
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
    absent = [name for name in names if not _installed(name)]
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
            for part, prose in (("summary", summary), *(("body", rest) for rest in body)):
                for text in prose.split(between):
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


def sentences(
    n: int | None = None,
    *,
    seed: int = 0,
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
        How many; ``None`` for all, in the order of the source. The sample of n is the beginning of every larger sample
        with the same seed, so results at two sizes are nested.
    seed
        Of the sample.
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
        As in :func:`documentation`.

    Raises
    ------
    ValueError
        If there are fewer than ``n`` distinct sentences (the message says how many), if ``n`` is not a positive whole
        number, or as :func:`read_texts` and :func:`read_hub`.

    Examples
    --------
    >>> sentences(3, source=["One is odd.", "Two is even.", "one is ODD.", "Three is prime."], seed=1)
    ['Two is even.', 'One is odd.', 'Three is prime.']
    """
    import numpy as np

    if n is not None and (isinstance(n, bool) or n != int(n) or n < 1):
        raise ValueError(f"n is {n!r}; it is a whole number of sentences, at least 1, or None for all")
    if source is None or (isinstance(source, str) and not source):
        shortest, longest = words
        table = documentation(libraries, unit="sentence", missing=missing, cache=cache)
        texts = [t for t in table["text"] if shortest <= t.count(" ") + 1 <= longest and _is_sentence(t)]
        where = f"the documentation of {len(table['library'].unique())} libraries"
    elif isinstance(source, str) and source.startswith("hub:"):
        name, _, config = source.removeprefix("hub:").partition(":")
        found = (t for d in read_hub(name, config or None, column=column or "text") for t in split_sentences(d))
        texts = [t for t in found if words[0] <= t.count(" ") + 1 <= words[1] and _is_sentence(t)]
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
    return [distinct[i] for i in np.random.default_rng(seed).permutation(len(distinct))[: int(n)]]


def digest(texts: pd.DataFrame | Iterable[str]) -> str:
    """The SHA-256, as 64 hexadecimal digits, of a table of strings or of a sequence of texts.

    Two corpora have one digest exactly if every text (and every other column) is the same, in the same order.

    Examples
    --------
    >>> digest(["One.", "Two."])[:12]
    'df43c64fc53e'
    >>> digest(["One.", "Two."]) == digest(["One. Two."])
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
        In the order of the file, duplicates kept, without white space around.

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
    path = Path(path)
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
        Such as ``"allenai/c4"`` and ``"en"``. The folder ``$BOOK_DATA/allenai/c4``, with files of Parquet, JSON lines
        or text, stands for the hub where there is one.
    column
        Of the text.
    documents
        How many, of the split ``validation`` if there is one, else ``test``, else ``train``.

    Raises
    ------
    ValueError
        If the data set cannot be read (the message says why), has none of these splits or no such column.
    """
    from datasets import load_dataset

    from helpers.locations import resolve

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


def split_sentences(paragraph: str) -> list[str]:
    """Cut a paragraph after full stops, question and exclamation marks that end a sentence.

    A mark ends a sentence if white space and then a capital letter, a digit, a quotation mark or an opening bracket
    follow, and the word before is neither an abbreviation (``e.g.``, ``Fig.``, ``et al.``), nor an initial
    (``J. Tukey``), nor the number of a list. Full stops within numbers, names and code (``3.5``, ``np.linalg``) are
    followed by no space. White space becomes single blanks, so joining by blanks gives the paragraph back.

    Examples
    --------
    >>> split_sentences("It uses float64, e.g. 3.5. See np.sort (cf. Fig. 2). Done? Yes.")
    ['It uses float64, e.g. 3.5.', 'See np.sort (cf. Fig. 2).', 'Done?', 'Yes.']
    """
    text, start, parts = " ".join(paragraph.split()), 0, []
    for match in _BOUNDARY.finditer(text):
        end = match.end() - 1
        if match[0] == ". " and _ABBREVIATION.search(text[max(start, end - 20) : end]):
            continue
        parts.append(text[start:end])
        start = match.end()
    return [*parts, text[start:]] if text else []


_BOUNDARY = re.compile(r"""[.!?]+["'”’)\]]* (?=["'“‘(\[]*[A-Z0-9])""")
_ABBREVIATION = re.compile(
    r"(?<![\w.])(?:e\.g|eg|i\.e|ie|cf|vs|viz|al|resp|approx|ca|[Ff]igs?|[Ee]qs?|[Ss]ecs?|Sect|Ch|Chap|Refs?|Tab|No|Nr|"
    r"[Vv]ol|pp?|Eds?|Dr|Mrs?|Ms|Prof|St|Jr|Inc|Ltd|Corp|Univ|Proc|Trans|Conf|Phys|Rev|Math|Statist|Sci|Soc|J)\.$"
    r"|(?:^|[A-Z][\w.-]* |\bby |, )[A-Z]\.$"  # an initial: at the beginning, after a name, another initial or a comma
    r"|^\(?[0-9]{1,2}\.$"  # the number of a list
)


def _is_sentence(text: str) -> bool:
    """Whether a sentence of the documentation is whole and is prose."""
    return bool(_WHOLE.match(text)) and not _CODE.search(text)


_WHOLE = re.compile(r"""["'(]?[A-Z].*[a-z0-9)"'\]%][.!?]+["')]*$""")
_CODE = re.compile(r"[\\{}<>|=_^#@$`]|::|->|://|\w\(|\.\.\.")


# Where the sources lie


def _distribution(library: str) -> metadata.Distribution:
    """What installed a library."""
    return metadata.distribution({"sklearn": "scikit-learn"}.get(library, library))


def _installed(library: str) -> bool:
    """Whether there are sources of a library to read."""
    if library == "python":
        return True
    try:
        _distribution(library)
    except (metadata.PackageNotFoundError, ValueError):
        return False
    return True


def library_version(library: str) -> str:
    """The version of a library."""
    return ".".join(map(str, sys.version_info[:3])) if library == "python" else _distribution(library).version


# Not everywhere a part of the standard library: some systems package them apart, later versions dropped some.
_APART = {"distutils", "ensurepip", "idlelib", "lib2to3", "msilib", "tkinter", "turtle", "turtledemo", "venv"}
_TESTS = {"test", "tests", "testing"}


def _sources(library: str) -> list[tuple[str, Path]]:
    """The source files of a library, sorted, each with its path from where modules are looked up."""
    if library == "python":
        root = Path(sysconfig.get_path("stdlib"))
        tops = [root / name for name in sys.stdlib_module_names - _APART]
        found = [top.with_suffix(".py") for top in tops] + [path for top in tops for path in top.rglob("*.py")]
        files = [(path.relative_to(root).as_posix(), path) for path in found if path.is_file()]
    else:
        distribution = _distribution(library)
        listed = [str(file).replace("\\", "/") for file in distribution.files or ()]
        files = [(name, Path(distribution.locate_file(name))) for name in listed if name.startswith(f"{library}/")]
        files = [(name, path) for name, path in files if name.endswith(".py")]
        if not files:  # installed from a checkout, or by a packager who keeps no list
            spec = find_spec(library)
            for folder in (spec and spec.submodule_search_locations) or ():
                found = Path(folder).rglob("*.py")
                files += [(f"{library}/{path.relative_to(folder).as_posix()}", path) for path in found]
        if not files:
            raise ModuleNotFoundError(
                f"{library} is installed without Python sources, so its documentation is not here"
            )
    return sorted((name, path) for name, path in set(files) if not _TESTS.intersection(name.split("/")[:-1]))


def _read_source(path: Path) -> str:
    """The text of a source file, with the line ends that Python sees."""
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        with tokenize.open(path) as file:
            text = file.read()
    return text.replace("\r\n", "\n") if "\r" in text else text


# Docstrings. Building the syntax tree of 200 MB takes half a minute; of a docstring one needs to know only which
# headers stand around it. One regular expression finds headers and docstrings and steps over strings and comments.


def _patterns() -> tuple[re.Pattern, re.Pattern]:
    """The docstring of a module, and everything that matters below it."""
    string = (
        r"""(?:"(?:""(?:[^"\\]++|\\.|"(?!""))*+\"""|(?:[^"\\\n]++|\\.)*+")"""
        r"""|'(?:''(?:[^'\\]++|\\.|'(?!''))*+\'''|(?:[^'\\\n]++|\\.)*+'))"""
    )
    comment = r"\#[^\n]*+"
    nested = "(?!)"
    for _ in range(6):
        nested = rf"""(?:[^()\[\]{{}}"'#]++|{string}|{comment}|[(\[{{]{nested}[)\]}}])*+"""
    signature = rf"""(?:[^()\[\]{{}}"'#:\n\\]++|\\\n|{string}|\[{nested}\]|\({nested}\))*+:"""
    literal = rf"(?:(?:[rRuU]?{string}[ \t]*+)++|\((?:[rRuU]?{string}|\s++|{comment})++\))"
    docstring = rf"(?:[ \t\f]*+(?:{comment})?\n)*+[ \t\f]*+({literal})(?=[ \t\f]*+(?:[;\#\n]|\Z))"
    header = rf"(?:async[ \t]+)?(def|class)[ \t]+(\w+)(?:{signature}{docstring})?"
    block = r"(?:if|else|elif|try|except|finally|with|for|while)\b"  # closes what stands deeper, as a header does
    return re.compile(docstring, re.S), re.compile(rf"{string}|{comment}|\n([ \t]*+)(?:{header}|{block})", re.S)


def _docstrings(source: str) -> Iterator[tuple[str, str, str]]:
    """Qualified name, kind and docstring of a module and of all that it defines, in the order of the source."""
    top, inner = _compiled()
    if match := top.match(source):
        yield "", "module", _value(match[1])
    around: list[tuple[int, str]] = []
    for match in inner.finditer("\n" + source):
        if match.lastindex is None:  # a string or a comment
            continue
        indent, keyword, name, literal = match.groups()
        while around and around[-1][0] >= len(indent):
            around.pop()
        if keyword is None:
            continue
        if literal:
            kind = "class" if keyword == "class" else "function"
            if kind == "function" and around and not around[-1][1].endswith("<locals>."):
                kind = "method"
            yield "".join(part for _, part in around) + name, kind, _value(literal)
        around.append((len(indent), f"{name}." if keyword == "class" else f"{name}.<locals>."))
    if "add_docstr" in source or "add_newdoc" in source:
        yield from _attached(source)


_compiled = memoize(_patterns)


def _value(literal: str) -> str:
    """The docstring that one or several string literals stand for."""
    literal = literal.strip()
    if literal.startswith('"""') and "\\" not in literal and literal.find('"""', 3) == len(literal) - 3:
        return inspect.cleandoc(literal[3:-3])  # nothing to evaluate, which is four times as fast
    return inspect.cleandoc(ast.literal_eval(literal))


def _attached(source: str) -> Iterator[tuple[str, str, str]]:
    """As :func:`_docstrings`, of the calls that give docstrings to objects written in C."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or len(node.args) < 2:
            continue
        called = ast.unparse(node.func).lstrip("_")
        if called not in ("add_docstr", "add_docstr_all", "add_newdoc"):
            continue
        *targets, last = node.args
        if isinstance(last, ast.Tuple) and len(last.elts) == 2:  # add_newdoc(module, class, (method, docstring))
            targets, last = [*targets, last.elts[0]], last.elts[1]
        formatted = isinstance(last, ast.Call) and isinstance(last.func, ast.Attribute) and last.func.attr == "format"
        text = last.func.value if formatted else last
        if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
            continue
        doc = re.sub(r"\{\w*\}", "", text.value).replace("{{", "{").replace("}}", "}") if formatted else text.value
        if called == "add_docstr":
            name, kind = ast.unparse(targets[0]).rpartition(".")[2], "function"
        elif all(isinstance(target, ast.Constant) for target in targets):
            names = [str(target.value) for target in targets]
            names = names[1:] if len(names) > 1 else names  # the first of several is the module
            name, kind = ".".join(names), "method" if called == "add_docstr_all" or len(names) > 1 else "function"
        else:
            continue
        yield name, kind, inspect.cleandoc(doc)


# From docstrings to prose

_RULE = re.compile(r"[-=~^*#+\"'`.:_ ]{3,}$")  # below a heading, around a table
_START = re.compile(  # what begins a paragraph of its own within a block, and is no part of its text
    r"(?:[-*+•] |\(?[0-9a-z]{1,2}[.)] "  # the entry of a list
    r"|:\w+[^:`]*:(?![\w`])"  # :param x:
    r"|\*{0,2}[\w.\[\]`]++(?:, ?\*{0,2}[\w.\[\]`]++)*+ ?(?:\([^)]*\))?:(?= |$))\s*"  # x (int):
)
_HEADING = re.compile(r"[A-Z][A-Za-z]*(?: [A-Za-z]+){0,2}:{1,2}$")
_DIRECTIVE = re.compile(r"\.\. (?:\w+:)?([\w-]+)::\s*(.*)")
_ADMONITIONS = {"admonition", "attention", "caution", "hint", "important", "note", "seealso", "tip", "topic", "warning"}
_TERMS = {"parameters", "other parameters", "returns", "yields", "receives", "raises", "warns", "attributes", "methods"}
_TERMS |= {"keyword arguments", "arguments", "inputs", "outputs", "properties"}
_UNREAD = {"see also", "references"}
_ROLE = re.compile(r":[a-zA-Z][\w:+-]*:`([^`]*)`")
_TARGET = re.compile(r"\s*<[^<>]*>$")
_MARKUP = (
    ("`", re.compile(r"`([^`<]*?)\s*<[^>`]*>`__?"), r"\1"),  # links
    ("[`", re.compile(r"\[`(?:~(?:\w+\.)*)?([^\]`]+)`\](?:\([^)\s]*\))?"), r"\1"),
    ("](", re.compile(r"\[([^\]]+)\]\([^)\s]+\)"), r"\1"),
    ("]_", re.compile(r" ?\[[\w#-]+\]_"), ""),  # citations
    ("`", re.compile(r"`{1,2}([^`]*)`{1,2}_{0,2}"), r"\1"),
    ("*", re.compile(r"(?<![\w)\]*])(\*{1,2})(?=\w)([^*]+?)(?<=[\w.:!?)])\1(?![\w*])"), r"\2"),  # emphasis
    ("\\", re.compile(r"\\(?=[*_|` ])"), ""),
)
_SIGNATURE = re.compile(r"[\w.]+ ?\(.*\)(?: ?(?:->|→|:) ?\S.{0,60})?$")
_PLACEHOLDER = re.compile(r"%\(\w+\)s|(?<![\w\\^_}])\{\w*\}|(?<!\w)\$\w*")


def _named(match: re.Match) -> str:
    """The text of a role such as ``:func:`~numpy.sort```."""
    text = match[1]
    if text.startswith("~"):
        return text.rpartition(".")[2].lstrip("~")
    return _TARGET.sub("", text).lstrip("!")


def _blocks(doc: str) -> Iterator[str]:
    """The runs of prose in a docstring, each with its lines joined."""
    lines = [line.rstrip() for line in doc.split("\n")]
    indents = [len(line) - len(line.lstrip()) if line else -1 for line in lines]
    blocks: list[list[str]] = [[]]
    left, hangs = 0, False  # where the last block begins; whether as an entry, whose other lines may stand deeper
    code: int | None = None  # what stands deeper than this is code
    fenced = doctest = False
    section, base = "", 0
    for line, indent, following, below in zip(lines, indents, [*lines[1:], ""], [*indents[1:], -1], strict=True):
        text = line.lstrip()
        if text.startswith("```"):
            fenced ^= text.count("```") == 1
            text = ""
        elif fenced or (text and (doctest or (code is not None and indent > code))):
            continue
        elif text:
            code = None
        doctest = text.startswith((">>>", "In [", "$ "))
        if below == indent and 0 < len(text) < 60 and _RULE.match(following.lstrip()):
            section, base, text = text.lower().rstrip(":"), indent, ""
        if not text or doctest or _RULE.match(text):
            blocks.append([])
            continue
        if section in _UNREAD:
            continue
        if section in _TERMS and indent == base and (below > indent or " : " in text or " " not in text):
            blocks.append([])  # the name and the type of a parameter
            continue
        ended = not blocks[-1] or indent < left or (hangs and indent <= left)
        ended = ended or (blocks[-1][-1][-1] in ".:!?" and (indent > left and not hangs))
        start = _START.match(text) if ended or blocks[-1][-1].endswith(":") else None
        if text.startswith(".."):
            directive, start, ended = _DIRECTIVE.match(text), None, True
            text = directive[2] if directive and directive[1].lower() in _ADMONITIONS else ""
            code = None if directive and directive[1].lower() in _ADMONITIONS else indent
        elif start:
            code, ended = (indent if text.startswith((":type", ":rtype")) else None), True
            text = text[start.end() :] if code is None else ""
        elif (ended or " " not in text) and _HEADING.match(text) and (below > indent or text.endswith("::")):
            code, text, ended = (indent if text.endswith("::") else None), "", True
        if ended:
            blocks.append([])
            left, hangs = indent, bool(start)
        if text.endswith("::"):
            text, code = text[:-1], indent
        if text:
            blocks[-1].append(text)
    return (" ".join(block) for block in blocks if block)


@memoize
def _prose(doc: str) -> str:
    """A docstring as prose: a line for each sentence, a blank line after each paragraph; nothing for anything else."""
    paragraphs: list[str] = []
    for text in _blocks(doc):
        if ":`" in text:
            text = _ROLE.sub(_named, text)
        for sign, pattern, replacement in _MARKUP:
            if sign in text:
                text = pattern.sub(replacement, text)
        text = " ".join(text.split())
        if paragraphs or not _is_signature(text):
            paragraphs.append("\n".join(split_sentences(text)) if _is_prose(text) else "")
    return "\n\n".join(paragraphs) if any(paragraphs) else ""


def _is_signature(text: str) -> bool:
    """Whether a docstring begins with how to call the object rather than with what it does."""
    return "(" in text and bool(_SIGNATURE.match(text)) or not any(map(str.isalpha, text))


_LETTERS = {ord(letter): None for letter in " ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"}


def _is_prose(text: str) -> bool:
    """Whether a paragraph has at least 20 characters and 3 words, three quarters letters, and no gap to be filled."""
    if len(text) < 20 or text.count(" ") < 2 or len(text.translate(_LETTERS)) > 0.25 * len(text):
        return False
    return not (("{" in text or "%" in text or "$" in text) and _PLACEHOLDER.search(text))


# The cache: one file for each library, its SHA-256 first

Record = tuple[str, str, str, str]  # module, object, kind, prose


def _parse(library: str) -> list[Record]:
    """All docstrings of a library that hold any prose."""
    records = []
    for name, path in _sources(library):
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for qualified, kind, doc in _docstrings(_read_source(path)):
            if prose := _prose(doc):
                records.append((module, qualified, kind, prose))
    _prose.cache_clear()
    return records


def _cache_folder(cache: str | os.PathLike | bool) -> Path | None:
    """Where the cache lies."""
    if cache is True:
        from platformdirs import user_cache_path

        return user_cache_path("comparing-representations") / "documentation"
    return Path(cache) if cache is not False else None


@memoize
def _parser_version() -> str:
    """Changes whenever the code above does."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]


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


# Files of texts


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
