"""Readers: from the files of packages to documents, and from dictionaries to pairs at once."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from helpers.pairs.archives import archive_members
from helpers.pairs.cleaning import clean_text, decoded_text, in_language, is_paragraph, letters_key
from helpers.pairs.documents import Block, Document, Unit, document_of
from helpers.pairs.markup import catalogue_messages, help_blocks, html_blocks, manual_blocks, plain_message

__all__ = ["READERS", "Item", "Reader"]

#: What a reader yields: a document, or kind, left side, right side and document of a pair.
Item = Document | tuple[str, str, str, str]
#: A reader gets the files of its source by the name of their package, and the options of the source.
Reader = Callable[..., Iterator[Item]]

PARSERS: dict[str, Callable[[bytes], list[Block]]] = {
    "html": html_blocks,
    "html by name": lambda data: html_blocks(data, names=True),
    "mallard": help_blocks,
    "man": manual_blocks,
}


def read_twins(
    files: Mapping[str, Path],
    *,
    parser: str,
    packages: tuple[str, ...],
    where: str,
    twins: tuple[str, ...] = (),
    there: str = "",
) -> Iterator[Item]:
    """Files of packages beside those of their English twins that have the same name behind another folder.

    Parameters
    ----------
    files
        Packages by name.
    parser
        One of :data:`PARSERS`.
    packages, twins
        Names of the packages of the language, and of those of the twins.
    where, there
        Regular expressions of the folders, which are cut off the names.
    """

    def found(names: tuple[str, ...], pattern: str) -> dict[str, bytes]:
        members: dict[str, bytes] = {}
        for package in names:
            for name, data in archive_members(files[package], lambda n: re.search(pattern, n) is not None):
                data = gzip.decompress(data) if name.endswith(".gz") else data
                members[re.sub(r"\.(ru|en)(?=\.html)", "", re.sub(pattern, "", name))] = data
        return members

    english = found(twins, there or where) if twins else {}
    for name, data in sorted(found(packages, where).items()):
        twin = PARSERS[parser](english[name]) if name in english else []
        yield document_of(name, PARSERS[parser](data), twin)


def read_catalogues(files: Mapping[str, Path], *, where: str = r"/ru(?:_RU)?/LC_MESSAGES/[^/]*\.mo$") -> Iterator[Item]:
    """Message catalogues of programs, each message a document of its own, since a catalogue has no order."""
    for path in files.values():
        for name, data in archive_members(path, lambda n: re.search(where, n) is not None):
            yield from _catalogue(Path(name).stem, data)


def _catalogue(name: str, data: bytes) -> Iterator[Document]:
    for english, other in catalogue_messages(data):
        parts = [re.split(r"\n\s*\n", text) for text in (other, english)]
        if len(parts[0]) != len(parts[1]):
            parts = [[other], [english]]
        units = [Unit("text", plain_message(a), plain_message(b)) for a, b in zip(*parts, strict=True)]
        if units := [unit for unit in units if unit.text]:
            yield Document(f"{name}: {english[:60]!r}", units)


def read_fortunes(files: Mapping[str, Path], *, where: str) -> Iterator[Item]:
    """Aphorisms, parted by lines with ``%``; who said one is cut off."""
    for path in files.values():
        for name, data in archive_members(path, lambda n: where in n and not n.endswith((".dat", ".u8"))):
            for number, record in enumerate(re.split(r"(?m)^%\s*$", decoded_text(data))):
                text = clean_text(re.split(r"\n\s*(?:--|©|\(c\))", record)[0])
                yield Document(f"{Path(name).name} {number}", [Unit("text", text)])


def read_descriptions(files: Mapping[str, Path], *, language: str = "ru") -> Iterator[Item]:
    """Translated descriptions of packages: the index of a language of apt beside the English one."""

    def entries(path: Path, code: str) -> Iterator[tuple[tuple[str, str], str, list[str]]]:
        for entry in path.read_text(encoding="utf-8").split("\n\n"):
            fields = re.match(rf"Package: (.*)\nDescription-md5: (.*)\nDescription-{code}: (.*)\n?", entry)
            if fields:
                body = re.sub(r"(?m)^ ", "", entry[fields.end() :])
                blocks = [clean_text(b) for b in re.split(r"(?m)^\.\s*$|\n(?=\s+[-*] )", body)]
                yield (fields[1], fields[2]), clean_text(fields[3]), [b for b in blocks if b]

    english = {key: (short, body) for key, short, body in entries(files["Translation-en"], "en")}
    for key, short, blocks in entries(files[f"Translation-{language}"], language):
        title, body = english.get(key, ("", []))
        body = body if len(body) == len(blocks) else [""] * len(blocks)
        units = [Unit("text", text, twin) for text, twin in zip(blocks, body, strict=True)]
        yield Document(key[0], [Unit("summary", short, title), *units])


def read_things(files: Mapping[str, Path], *, catalogue: str, where: str) -> Iterator[Item]:
    """Things of a game: their names and descriptions stand in English in JSON files, both translated in a catalogue."""

    def objects(value: Any) -> Iterator[dict]:
        if isinstance(value, dict):
            yield value
        elif isinstance(value, list):
            for item in value:
                yield from objects(item)

    for path in files.values():
        data = _only(path, catalogue)
        yield from _catalogue(Path(catalogue).stem, data)
        known: dict[str, str] = {}
        for english, other in catalogue_messages(data):
            known.setdefault(english, other)
        for name, content in archive_members(path, lambda n: n.endswith(".json") and where in n):
            for thing in objects(json.loads(content)):
                title, text = (thing.get(key) for key in ("name", "description"))
                title = title.get("str") or title.get("str_sp") if isinstance(title, dict) else title
                if isinstance(title, str) and isinstance(text, str) and title in known and text in known:
                    units = [Unit("title", plain_message(known[title])), Unit("text", plain_message(known[text]))]
                    yield Document(f"{Path(name).stem} {title}", units)


def read_entries(files: Mapping[str, Path], *, where: str, language: str = "ru") -> Iterator[Item]:
    """Texts in files of entries parted by ``%%%%``, each with a name, beside the English file of the same name."""

    def entries(data: bytes) -> dict[str, list[str]]:
        found = {}
        for entry in re.split(r"(?m)^%%%%\s*$", decoded_text(data)):
            name, _, body = entry.strip().partition("\n")
            found[name] = [clean_text(block) for block in re.split(r"\n\s*\n", body) if clean_text(block)]
        return found

    for path in files.values():
        members = dict(archive_members(path, lambda n: where in n and n.endswith(".txt")))
        for name in (n for n in members if f"/{language}/" in n):
            english = entries(members.get(name.replace(f"/{language}/", "/"), b""))
            for title, blocks in entries(members[name]).items():
                twin = english.get(title, [])
                twin = twin if len(twin) == len(blocks) else [""] * len(blocks)
                units = [Unit("text", text, other) for text, other in zip(blocks, twin, strict=True)]
                yield Document(f"{Path(name).stem} {title}", units)


def read_dialogues(files: Mapping[str, Path], *, where: str) -> Iterator[Item]:
    """Remarks of dialogues with their English: each a document of its own."""
    pattern = r'dialogId\("[^"]*", "[^"]*", "([^"]*)"\)\s*dialogStr\("([^"]*)"\)'
    for path in files.values():
        for name, data in archive_members(path, lambda n: n.endswith(where)):
            for english, text in re.findall(pattern, decoded_text(data)):
                yield Document(name.split("/")[-2], [Unit("text", clean_text(text), clean_text(english))])


def read_string_table(files: Mapping[str, Path], *, where: str, language: str = "ru") -> Iterator[Item]:
    """A table of strings by name; what ends with ``_DESC`` describes what its name without that says."""

    def strings(data: bytes) -> dict[str, str]:
        found, lines = {}, iter(decoded_text(data).splitlines())
        for line in lines:
            if re.fullmatch(r"[A-Z][A-Z0-9_]+", line):
                value = next(lines, "")
                if value.startswith("'''"):
                    while value.count("'''") < 2:
                        value += "\n" + next(lines, "'''")
                found[line] = value.replace("'''", "")
        return found

    def plain(text: str) -> str:
        text = re.sub(r"\[\[[^\]]*\]\]|<[^<>]*>", " ", text)
        return "" if "%" in text else clean_text(text)

    for path in files.values():
        members = archive_members(path, lambda n: re.search(rf"{where}/({language}|en)\.txt$", n) is not None)
        tables = {Path(name).stem: strings(data) for name, data in members}
        own, english = tables.get(language, {}), tables.get("en", {})
        for name, text in own.items():
            unit = Unit("text", plain(text), plain(english.get(name, "")))
            title = own.get(name[:-5]) if name.endswith("_DESC") else None
            yield Document(name, [Unit("title", plain(title)), unit] if title else [unit])


# Dictionaries


def read_wordnet(files: Mapping[str, Path], *, database: str, templates: int = 3) -> Iterator[Item]:
    """Definitions and examples of the Russian Wiktionary, which wiki-ru-wordnet groups into senses.

    Parameters
    ----------
    files
        The package, by name.
    database
        End of the name of the database.
    templates
        How many texts may differ from each other in the described word alone ("a resident of …").
    """
    for path in files.values():
        data = _only(path, database)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "words.db"
            place.write_bytes(data)
            connection = sqlite3.connect(place)
            try:
                query = "SELECT synset_id, lemma, definition FROM synsets ORDER BY 1, 2, 3"
                rows = connection.execute(query).fetchall()
            except sqlite3.DatabaseError as error:
                raise ValueError(f"{path}: {database} is no database of senses: {error}") from None
            finally:
                connection.close()
        yield from _senses(rows, templates)


def _senses(rows: list[tuple], templates: int) -> Iterator[Item]:
    senses: dict[Any, list[tuple[str, str]]] = defaultdict(list)
    seen: Counter = Counter()

    def fresh(text: str, lemma: str) -> bool:
        stem = lemma.lower()[: max(3, min(5, len(lemma) - 2))]
        shape = " ".join("_" if word.startswith(stem) else word for word in letters_key(text).split())
        seen[shape] += 1
        return seen[shape] <= templates

    for synset, lemma, entry in rows:
        text = "~".join(entry.split("~")[4:-2]) if entry.count("~") >= 6 else ""
        written = re.findall(r"\{\{пример\|((?:[^{}|]|\{\{[^{}]*\}\})*)", text)
        gloss = clean_text(_without_wiki(re.sub(r"\{\{пример.*", "", text, flags=re.S)).strip(" ,;#\n"))
        if in_language(gloss, words=2) and len(gloss) >= 15 and "|" not in gloss and fresh(gloss, lemma):
            yield "definition", lemma, gloss, lemma
            senses[synset].append((lemma, gloss))
            yield Document(lemma, [Unit("text", gloss)])
        for example in dict.fromkeys(clean_text(_without_wiki(one)) for one in written):
            if "|" in example or not fresh(example, lemma):
                continue
            yield Document(lemma, [Unit("text", example)])
            if in_language(gloss, words=3) and is_paragraph(example):
                yield "example", f"{lemma}: {gloss}", example, lemma
    for group in senses.values():
        for (one, left), (other, right) in zip(group, group[1:], strict=False):
            if one != other:
                yield "synonym", one, other, one
            if in_language(left, words=3) and in_language(right, words=3):
                yield "same sense", left, right, one


def _without_wiki(text: str) -> str:
    text = re.sub(r"\{\{выдел\|([^{}|]*)[^{}]*\}\}", r"\1", text)
    text = re.sub(r"\{\{=\|([^{}|]*)\|?([^{}]*)\}\}", lambda m: f"{m[1]}; {m[2]}" if m[2] else m[1], text)
    for _ in range(3):  # templates stand within templates
        text = re.sub(r"\{\{[^{}]*\}\}", " ", text)
    text = re.sub(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]", r"\1", text)
    return re.sub(r"<[^<>]*>|'''?|&\w+;|\{\{|\}\}", " ", text)


def read_thesaurus(files: Mapping[str, Path], *, where: str = ".dat", mark: str = "синоним") -> Iterator[Item]:
    """Synonyms of a thesaurus of LibreOffice (MyThes)."""
    for path in files.values():
        word = ""
        for line in _only(path, where).decode("utf-8-sig").splitlines()[1:]:
            if line.startswith("("):
                said, *others = line.split("|")
                if mark in said:
                    yield from (("synonym", word, other, word) for other in others if other and other != word)
            else:
                word = line.partition("|")[0]


def _only(path: Path, end: str) -> bytes:
    """The one member of a package whose name ends so."""
    found = [data for _, data in archive_members(path, lambda n: n.endswith(end))]
    if len(found) != 1:
        raise ValueError(f"{path} has {len(found)} files that end with {end!r}; one is needed")
    return found[0]


#: Readers by the names that the table of sources uses.
READERS: dict[str, Reader] = {
    "twins": read_twins,
    "catalogues": read_catalogues,
    "fortunes": read_fortunes,
    "descriptions": read_descriptions,
    "things": read_things,
    "entries": read_entries,
    "dialogues": read_dialogues,
    "string table": read_string_table,
    "wordnet": read_wordnet,
    "thesaurus": read_thesaurus,
}
