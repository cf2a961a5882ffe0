"""Paragraphs and pairs: read out of packages, a folder of text, or a table of pairs, with what was left out."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache as memoize
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from helpers.locations import DATA, cache_folder, expand, resolve
from helpers.pairs.archives import sha256_of_file
from helpers.pairs.cleaning import clean_text, decoded_text, in_language, is_broken, is_paragraph, letters_key
from helpers.pairs.documents import Document, Unit, document_pairs
from helpers.pairs.heuristics import HEURISTICS, OVERLAPS, PAIR_COLUMNS, check_pairs
from helpers.pairs.overlap import EvaluationTexts
from helpers.pairs.packages import LIGHT, TextSource, known_sources, package_files
from helpers.pairs.readers import READERS
from helpers.text import LIBRARIES, digest_of_texts, documentation

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CLEANING",
    "PairCorpus",
    "code_of_cleaning",
    "read_documentation",
    "read_packages",
    "read_pair_table",
    "read_sample",
    "read_saved_corpus",
    "read_text_folder",
    "without_evaluation_texts",
]

#: Kinds whose texts are everywhere ("See also", notes of translators): one side stands in so many pairs at most.
MOST = 5
CODE = ("archives", "cleaning", "documents", "markup", "readers", "corpus")

CLEANING = (*CODE, "heuristics", "overlap", "packages")
"""Modules on which the texts of a corpus depend."""


@dataclass(frozen=True)
class PairCorpus:
    """Paragraphs and pairs, and what was left out of them.

    Attributes
    ----------
    paragraphs : DataFrame
        ``source``, ``document``, ``text``; no two texts have the same letters.
    pairs : DataFrame
        ``source``, ``kind``, ``left``, ``right``, ``document``.
    refused : Series
        Numbers of what was left out, by paragraphs or pairs and reason.
    licences : dict of str to str
        Licence of each source.
    language : str
        Language of the texts.
    """

    paragraphs: pd.DataFrame
    pairs: pd.DataFrame
    refused: pd.Series
    licences: dict[str, str] = field(default_factory=dict)
    language: str = "ru"

    @property
    def digest(self) -> str:
        """SHA-256 of all paragraphs and pairs in their order, 64 hexadecimal digits."""
        parts = digest_of_texts(self.paragraphs) + digest_of_texts(self.pairs)
        return hashlib.sha256(parts.encode()).hexdigest()

    def counts(self) -> pd.DataFrame:
        """Paragraphs, millions of characters and pairs of each kind, by source; pairs across sources in a row."""
        import pandas as pd

        text = self.paragraphs
        found = pd.DataFrame(
            {
                "paragraphs": text.groupby("source", sort=False).size(),
                "million_characters": text.assign(n=text["text"].str.len()).groupby("source", sort=False)["n"].sum()
                / 1e6,
            }
        )
        kinds = pd.crosstab(self.pairs["source"].where(~self.pairs["source"].str.contains(r"\+"), "across"),
                            self.pairs["kind"])  # fmt: skip
        order = [kind for kind in HEURISTICS if kind in kinds.columns]
        rows = list(dict.fromkeys([*found.index, *kinds.index]))
        found = found.reindex(rows).join(kinds[order]).fillna(0)
        return found.astype({name: int for name in ("paragraphs", *order)}).rename_axis(None)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the corpus to a folder, from which :func:`read_saved_corpus` reads it in seconds.

        Parameters
        ----------
        folder
            Folder that is made if need be; a corpus in it is replaced.

        Returns
        -------
        Path
            The folder, with ``paragraphs.parquet``, ``pairs.parquet`` and ``corpus.json``, which is written last.
        """
        place = Path(expand(folder))
        place.mkdir(parents=True, exist_ok=True)
        (place / "corpus.json").unlink(missing_ok=True)
        self.paragraphs.to_parquet(place / "paragraphs.parquet", index=False)
        self.pairs.to_parquet(place / "pairs.parquet", index=False)
        refused = {reason: int(n) for reason, n in self.refused.items()}
        about = {"language": self.language, "digest": self.digest, "licences": self.licences, "refused": refused}
        text = json.dumps(about, ensure_ascii=False, indent=1) + "\n"
        (place / "corpus.json").write_text(text, encoding="utf-8")
        return place


def read_packages(
    folder: str | os.PathLike[str],
    sources: Iterable[str] | str = LIGHT,
    *,
    asked: EvaluationTexts | Iterable[str] | None = None,
    versions: Literal["known", "any"] = "known",
    work: str | os.PathLike[str] | bool = True,
    say: Callable[[str], Any] | None = None,
) -> PairCorpus:
    """Paragraphs and pairs out of packages of free documentation.

    Parameters
    ----------
    folder
        Folder with the packages, which :func:`fetch_packages` can fill.
    sources
        Names of :data:`SOURCES`; those of :data:`LIGHT` need 60 MB and give every kind of pair.
    asked
        Texts of evaluations: nothing that is the same as one of them, or near it, is kept.
    versions
        ``"known"``, or ``"any"`` to take whatever versions lie there, as in :func:`package_files`.
    work
        Folder in which the reading of each source is kept as soon as it is done, so that a stopped call goes on with
        the next source; ``True`` for a folder in the user's cache, ``False`` for none.
    say
        Called with a line for each source that is read, for instance ``print``.

    Returns
    -------
    PairCorpus
        The same for the same files, to the byte; its ``digest`` says which.

    Raises
    ------
    FileNotFoundError, ValueError
        If packages are missing, have another version or digest, are truncated or damaged, or have a member that points
        outside their folder; if a source is unknown.
    """
    chosen = known_sources(sources)
    files = package_files(folder, dict.fromkeys(p for s in chosen for p in s.packages), versions=versions)
    languages = {source.language for source in chosen}
    if len(languages) > 1:
        raise ValueError(f"sources are in several languages: {', '.join(sorted(languages))}; read one after the other")
    keep = None if work is False else cache_folder("pairs") if work is True else Path(expand(work))
    items: list[tuple[str, list]] = []
    for source in chosen:
        own = {package.name: files[package.name] for package in source.packages}
        read = _kept(source, own, keep)
        if say:
            say(f"{source.name}: {len(read)} documents and pairs")
        items += [(source.name, item) for item in read]
    licences = {source.name: source.licence for source in chosen}
    return _corpus(items, licences, languages.pop(), asked)


def read_text_folder(
    folder: str | os.PathLike[str],
    *,
    language: str = "ru",
    licence: str = "not stated",
    asked: EvaluationTexts | Iterable[str] | None = None,
) -> PairCorpus:
    """Paragraphs and pairs of a folder of plain text.

    Parameters
    ----------
    folder
        Folder whose files ``.txt`` and ``.md``, at any depth, are read in the order of their names. Paragraphs are
        parted by empty lines; a line with ``#`` before it (Markdown), or a paragraph of one line without a full stop at
        its end before a longer one, is a title.
    language
        Declared language of the texts.
    licence
        Licence of the texts, for the corpus and for cards of models.
    asked
        Texts of evaluations: nothing that is the same as one of them, or near it, is kept.

    Returns
    -------
    PairCorpus
        Pairs are of the kinds ``"title"``, ``"question"`` and ``"neighbour"``; what is in another language is counted.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it has no such files, or a file is in no known encoding (the message names it).
    """
    folder = Path(expand(folder))
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".txt", ".md") and path.is_file())
    if not paths:
        raise ValueError(f"{folder} has no files .txt or .md")
    items = []
    for path in paths:
        try:
            text = decoded_text(path.read_bytes())
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        units = _plain_units(text)
        items.append((folder.name, ["document", path.relative_to(folder).as_posix(), [list(unit) for unit in units]]))
    return _corpus(items, {folder.name: licence}, language, asked)


def read_pair_table(
    table: str | os.PathLike[str] | pd.DataFrame | Iterable[tuple],
    *,
    kind: str | None = None,
    left: str = "left",
    right: str = "right",
    language: str = "ru",
    most: int = 100_000,
    licence: str = "not stated",
    asked: EvaluationTexts | Iterable[str] | None = None,
) -> PairCorpus:
    """Pairs of a table.

    Parameters
    ----------
    table
        A table, or the path of one: ``.csv``, ``.tsv`` (either may be compressed), ``.parquet`` or ``.jsonl``; or pairs
        of texts; or ``"hub:NAME"`` or ``"hub:NAME:CONFIG"``, a data set of the hub, of whose split ``train`` the first
        ``most`` rows are read. The folder ``$BOOK_DATA/NAME`` stands for the hub where there is one.
    kind
        Kind of all pairs, one of :data:`HEURISTICS`; None to take it from a column ``kind``.
    left, right
        Names of the columns of the two sides.
    language
        Declared language of the sides.
    most
        Rows of a data set of the hub that are read, at most.
    licence
        Licence of the texts.
    asked
        Texts of evaluations: no pair with such a text, or one near it, is kept.

    Returns
    -------
    PairCorpus
        Pairs that pass all checks; its paragraphs are their sides that can stand as paragraphs, each once.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no table or not in UTF-8, a column is missing, a row is no pair, an entry is neither text nor
        number, or a kind is unknown; the message names the row, counted from 0.

    Examples
    --------
    >>> found = read_pair_table([("Как открыть файл?", "Выберите «Файл».")], kind="question")
    >>> found.pairs[["kind", "left"]].values.tolist()
    [['question', 'Как открыть файл?']]
    """
    import pandas as pd

    name = "table"
    if isinstance(table, str) and table.startswith("hub:"):
        name = table.removeprefix("hub:")
        table = read_hub_rows(name, most)
    elif isinstance(table, (str, os.PathLike)):
        name = Path(table).name
        table = _read_table(Path(expand(table)))
    elif not isinstance(table, pd.DataFrame):
        told = list(table)
        for number, pair in enumerate(told):
            if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
                raise ValueError(f"{name}, row {number}: {pair!r} is no pair of texts")
        table = pd.DataFrame(told, columns=[left, right])
    absent = [column for column in (left, right, *(() if kind else ("kind",))) if column not in table.columns]
    if absent:
        there = ", ".join(map(repr, map(str, table.columns)))
        raise ValueError(f"{name} has no column {', '.join(map(repr, absent))}; its columns are {there}")
    n = len(table)
    columns = {
        "source": table["source"] if "source" in table else [name] * n,
        "kind": [kind] * n if kind else table["kind"],
        "left": table[left],
        "right": table[right],
        "document": table["document"] if "document" in table else [""] * n,
    }
    sides = {"left": left, "right": right}
    texts = {c: [_entry(v, name, i, sides.get(c, c)) for i, v in enumerate(columns[c])] for c in PAIR_COLUMNS}
    for number, one in enumerate(texts["kind"]):
        if one not in HEURISTICS:
            raise ValueError(f"{name}, row {number}: kind is {one!r}; it is one of {', '.join(map(repr, HEURISTICS))}")
    told = zip(*texts.values(), strict=True)
    items = [(source, ["pair", *rest]) for source, *rest in told]
    licences = dict.fromkeys(dict.fromkeys(source for source, _ in items), licence)
    return _corpus(items, licences, language, asked, from_pairs=True)


def _entry(value: Any, name: str, row: int, column: str) -> str:
    """An entry of a table as text; what is missing is an empty one."""
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, Real) and value != value) or type(value).__name__ in ("NAType", "NaTType"):
        return ""
    if isinstance(value, Real) or column in ("source", "document"):
        return str(value)
    raise ValueError(f"{name}, row {row}, column {column!r}: {value!r} is no text")


def read_hub_rows(name: str, most: int) -> pd.DataFrame:
    """The first rows of the training split of a data set of the hub."""
    import pandas as pd
    from datasets import load_dataset

    name, _, config = name.partition(":")
    place = resolve(name)
    try:
        rows = load_dataset(place, (config or None) if place == name else None, split="train", streaming=True)
        return pd.DataFrame(list(rows.take(most)))
    except Exception as error:
        raise ValueError(f"data set {name!r} cannot be read from {place!r}: {error}") from error


def _read_table(path: Path) -> pd.DataFrame:
    import pandas as pd

    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    kind = next((s for s in reversed(path.suffixes) if s not in (".gz", ".xz", ".bz2", ".zst")), "")
    try:
        if kind == ".parquet":
            return pd.read_parquet(path)
        options = {"sep": "\t" if kind == ".tsv" else ",", "dtype": str, "keep_default_na": False}
        if kind == ".jsonl":
            return pd.read_json(path, lines=True, dtype=False)
        if kind in (".csv", ".tsv"):
            return pd.read_csv(path, **options)
    except UnicodeDecodeError as error:
        if kind in (".csv", ".tsv"):
            raise ValueError(_where_broken(path, pd.read_csv(path, encoding_errors="replace", **options))) from None
        raise ValueError(f"{path} is not in UTF-8: {error}") from None
    except (ValueError, TypeError, EOFError, OSError) as error:
        where = _bad_line(path) if kind == ".jsonl" and path.suffix == ".jsonl" else ""
        raise ValueError(f"{path} is no table: {where or error}") from None
    raise ValueError(f"{path} is no table that can be read; it ends with .csv, .tsv, .parquet or .jsonl")


def _where_broken(path: Path, table: pd.DataFrame) -> str:
    """Which row of a table is not in UTF-8."""
    for number, row in enumerate(table.itertuples(index=False)):
        for column, entry in zip(table.columns, row, strict=True):
            if isinstance(entry, str) and "\ufffd" in entry:
                return f"{path}, row {number}, column {column!r}: {entry!r} is not in UTF-8"
    return f"{path} is not in UTF-8: its columns are {', '.join(map(repr, map(str, table.columns)))}"


def _bad_line(path: Path) -> str:
    """Which line of a file of JSON lines is none, counted as rows are; empty if all are."""
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines()):
        try:
            found = json.loads(line) if line.strip() else {}
        except ValueError as error:
            return f"row {number}: {error}"
        if not isinstance(found, dict):
            return f"row {number}: {line[:40]!r} has no names of columns"
    return ""


def read_documentation(
    libraries: Iterable[str] | str = LIBRARIES, *, asked: EvaluationTexts | Iterable[str] | None = None
) -> PairCorpus:
    """English paragraphs and pairs of the documentation of installed libraries: no download at all.

    Parameters
    ----------
    libraries
        Names under which one imports them, as in :func:`helpers.text.documentation`.
    asked
        Texts of evaluations: nothing that is the same as one of them, or near it, is kept.

    Returns
    -------
    PairCorpus
        Each docstring is a document; its first paragraph is a summary of what follows.

    Raises
    ------
    ModuleNotFoundError
        If libraries are not installed (all of them are named).

    Examples
    --------
    >>> found = read_documentation("networkx")
    >>> set(found.pairs["kind"]) == {"summary", "neighbour"} and found.language
    'en'
    """
    table = documentation(libraries, distinct=False)
    items: list[tuple[str, list]] = []
    owner = None
    columns = (table[name] for name in ("library", "module", "object", "part", "text"))
    for library, module, name, part, text in zip(*columns, strict=True):
        if part == "summary" or owner != (library, module, name):
            owner = (library, module, name)
            items.append((library, ["document", f"{module}.{name}".rstrip("."), []]))
        items[-1][1][2].append(["summary" if part == "summary" else "text", clean_text(text), ""])
    licences = dict.fromkeys(dict.fromkeys(table["library"]), "that of the library")
    return _corpus(items, licences, "en", asked)


def read_sample() -> PairCorpus:
    """The small sample of Russian paragraphs and pairs that comes with the book, licensed CC BY-SA 3.0.

    Returns
    -------
    PairCorpus
        A few hundred paragraphs and pairs of the help of GNOME and the texts of Cataclysm: Dark Days Ahead; who wrote
        them says ``README.md`` beside them.

    Raises
    ------
    FileNotFoundError
        If the package was installed without the book's files.
    """
    import pandas as pd

    folder = DATA / "russian_sample"
    if not (folder / "pairs.tsv").is_file():
        raise FileNotFoundError(f"there is no sample in {folder}; it comes with the book, not with the package alone")
    paragraphs, pairs = (
        pd.read_csv(folder / f"{name}.tsv", sep="\t", dtype=str, keep_default_na=False, quoting=csv.QUOTE_NONE)
        for name in ("paragraphs", "pairs")
    )
    none = pd.Series(dtype=int, name="refused")
    return PairCorpus(paragraphs, pairs, none, dict.fromkeys(paragraphs["source"].unique(), "CC-BY-SA-3.0"))


def read_saved_corpus(folder: str | os.PathLike[str]) -> PairCorpus:
    """The corpus that :meth:`PairCorpus.save` wrote to a folder.

    Parameters
    ----------
    folder
        Folder with ``corpus.json`` and two tables; ``$VARIABLES`` are expanded.

    Returns
    -------
    PairCorpus
        The same, to the digest.

    Raises
    ------
    FileNotFoundError
        If there is no corpus in the folder, or its writing did not come to an end.
    ValueError
        If the texts are not those that were saved.
    """
    import pandas as pd

    place = Path(expand(folder))
    if not (place / "corpus.json").is_file():
        raise FileNotFoundError(f"there is no corpus in {place}: corpus.json is missing")
    about = json.loads((place / "corpus.json").read_text(encoding="utf-8"))
    paragraphs, pairs = (pd.read_parquet(place / f"{name}.parquet") for name in ("paragraphs", "pairs"))
    refused = pd.Series(about["refused"], name="refused", dtype=int)
    found = PairCorpus(paragraphs, pairs, refused, about["licences"], about["language"])
    if found.digest != about["digest"]:
        raise ValueError(f"{place} has other texts than were saved: their digest is {found.digest[:12]}…")
    return found


# From what readers say to a corpus


def _plain_units(text: str) -> Iterator[Unit]:
    """Titles and paragraphs of plain text."""
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n"))]
    for i, block in enumerate(blocks):
        lines = block.split("\n")
        while lines and lines[0].startswith("#"):
            yield Unit("title", clean_text(lines.pop(0).lstrip("#")))
        if not (joined := clean_text(" ".join(lines))):
            continue
        short = len(lines) == 1 and len(joined) <= 100 and not joined.endswith((".", "!", ":", ";", ","))
        longer = i + 1 < len(blocks) and len(blocks[i + 1]) > len(joined)
        yield Unit("title" if short and longer else "text", joined)


def _kept(source: TextSource, files: dict[str, Path], folder: Path | None) -> list[list]:
    """What the reader of a source says of its files, from the folder of work or read now."""
    place = None
    if folder is not None:
        told = [source.reader, repr(source.options), *(sha256_of_file(path) for path in files.values())]
        name = hashlib.sha256("\0".join([*told, _code_digest()]).encode()).hexdigest()[:16]
        place = folder / f"{source.name}-{name}.jsonl"
        if place.is_file() and (found := _whole(place)) is not None:
            return found
    items = []
    for item in READERS[source.reader](files, **source.options):
        if isinstance(item, Document):
            items.append(["document", item.name, [list(unit) for unit in item.units]])
        else:
            items.append(["pair", *item])
    if place is not None:
        _write_whole(place, items)
    return items


def _whole(place: Path) -> list[list] | None:
    """A kept reading, if every line of it is there."""
    try:
        first, _, rest = place.read_bytes().partition(b"\n")
        if hashlib.sha256(rest).hexdigest().encode() == first:
            return [json.loads(line) for line in rest.splitlines()]
    except (OSError, ValueError):
        pass
    return None


def _write_whole(place: Path, items: list[list]) -> None:
    content = b"\n".join(json.dumps(item, ensure_ascii=False).encode() for item in items)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=place.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        os.replace(draft, place)
    except OSError:
        pass  # a folder that cannot be written to costs minutes, not results


@memoize
def _code_digest(modules: tuple[str, ...] = CODE) -> str:
    """Changes whenever the code does that reads packages."""
    found = hashlib.sha256()
    for name in modules:
        found.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return found.hexdigest()


def code_of_cleaning() -> str:
    """SHA-256 of the code that reads, checks and cleans texts: what is kept of a corpus is stale if it changes."""
    return _code_digest(CLEANING)


def without_evaluation_texts(corpus: PairCorpus, asked: EvaluationTexts | Iterable[str]) -> PairCorpus:
    """A corpus without the paragraphs and pairs that are the same as a text of an evaluation, or near one.

    Parameters
    ----------
    corpus
        Corpus that was read with other evaluations in mind, or with none.
    asked
        Texts of evaluations.

    Returns
    -------
    PairCorpus
        What is left, in its order, with what was left out added to ``refused``. Pairs go if one side is near.

    Examples
    --------
    >>> corpus = read_pair_table([("Вид окна", "Что видно в окне."), ("Погода", "Сегодня дождь.")], kind="title")
    >>> without_evaluation_texts(corpus, ["сегодня дождь"]).pairs["left"].tolist()
    ['Вид окна']
    """
    import pandas as pd

    if not isinstance(asked, EvaluationTexts):
        asked = EvaluationTexts(asked)
    told = {text: asked.find(text) for text in dict.fromkeys(corpus.paragraphs["text"])}
    sides = (corpus.pairs["left"], corpus.pairs["right"])
    told |= {text: asked.find(text) for side in sides for text in dict.fromkeys(side) if text not in told}
    near = corpus.paragraphs["text"].map(told)
    first, second = (side.map(told) for side in sides)
    worse = first.where(first == "same", second.where(second != "", first))
    refused = corpus.refused.copy()
    for name, reasons in (("paragraphs", near), ("pairs", worse)):
        for reason, words in OVERLAPS.items():
            key = f"{name}: {words}"
            refused.loc[key] = int(refused.get(key, 0)) + int((reasons == reason).sum())
    return PairCorpus(
        corpus.paragraphs[near == ""].reset_index(drop=True),
        corpus.pairs[worse == ""].reset_index(drop=True),
        pd.Series(refused, name="refused", dtype=int),
        corpus.licences,
        corpus.language,
    )


def _corpus(
    items: list[tuple[str, list]],
    licences: dict[str, str],
    language: str,
    asked: EvaluationTexts | Iterable[str] | None,
    from_pairs: bool = False,
) -> PairCorpus:
    import pandas as pd

    if asked is not None and not isinstance(asked, EvaluationTexts):
        asked = EvaluationTexts(asked)
    texts: list[tuple[str, str, str]] = []
    rows: list[tuple[str, str, str, str, str]] = []
    for source, item in items:
        if item[0] == "pair":
            rows.append((source, *item[1:]))
            if from_pairs:
                texts += [(source, item[4], side) for side in item[2:4]]
            continue
        found = Document(item[1], [Unit(*unit) for unit in item[2]])
        texts += [(source, found.name, unit.text) for unit in found.units]
        rows += [(source, *pair, found.name) for pair in document_pairs(found, language)]
    paragraphs, refused = _paragraphs(texts, language, asked)
    rare = _rare(rows)
    pairs, why = check_pairs(rare, language=language, asked=asked)
    why["a side stands in many pairs"] = len(rows) - len(rare)
    pairs = pd.concat([pairs, _same_english(pairs, language)], ignore_index=True)
    counted = pd.concat([refused.add_prefix("paragraphs: "), why.add_prefix("pairs: ")]).rename("refused")
    return PairCorpus(paragraphs, pairs, counted, licences, language)


def _paragraphs(
    texts: list[tuple[str, str, str]], language: str, asked: EvaluationTexts | None
) -> tuple[pd.DataFrame, pd.Series]:
    """Distinct paragraphs, and how many were left out by each reason; what is too short for one does not count."""
    import pandas as pd

    refused: Counter = Counter({"broken encoding": 0, "other language": 0, "said before": 0})
    refused.update(dict.fromkeys(OVERLAPS.values(), 0))
    seen, kept = set(), []
    for source, document, text in texts:
        text = clean_text(text)
        if not is_paragraph(text, language):
            refused["broken encoding"] += is_broken(text)
            refused["other language"] += len(text) >= 20 and not is_broken(text) and not in_language(text, language)
            continue
        if (key := letters_key(text)) in seen:
            refused["said before"] += 1
            continue
        seen.add(key)
        if asked is not None and (reason := OVERLAPS.get(asked.find(text))):
            refused[reason] += 1
            continue
        kept.append((source, document, text))
    return pd.DataFrame(kept, columns=["source", "document", "text"]), pd.Series(refused, dtype=int)


def _rare(rows: list[tuple[str, str, str, str, str]]) -> list[tuple[str, str, str, str, str]]:
    """Pairs without those of a title, a summary or a neighbour that stands in many pairs of its source."""
    told = {"title", "question", "summary", "neighbour"}
    often: Counter = Counter()
    for source, kind, left, right, _ in rows:
        if kind in told:
            often.update([(source, kind, 0, left), (source, kind, 1, right)])
    return [
        row for row in rows if row[1] not in told or max(often[row[0], row[1], k, row[2 + k]] for k in (0, 1)) <= MOST
    ]


def _same_english(pairs: pd.DataFrame, language: str) -> pd.DataFrame:
    """Pairs of two translations of one English text of three words or more without digits."""
    import pandas as pd

    versions: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    chosen = pairs[pairs["kind"] == "translation"]
    for source, text, english in zip(chosen["source"], chosen["left"], chosen["right"], strict=True):
        key = letters_key(text)
        if len(key.split()) >= 3 and not re.search(r"\d", text):
            versions[english].setdefault(key, (source, text))
    rows = []
    for english, texts in versions.items():
        told = list(texts.values())
        for (one, left), (other, right) in zip(told, told[1:], strict=False):
            rows.append((f"{one}+{other}", "same English", left, right, english[:60]))
    return pd.DataFrame(rows, columns=list(PAIR_COLUMNS))
