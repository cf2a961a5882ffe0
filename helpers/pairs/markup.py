"""From the formats of documentation to blocks of text: web pages, help pages, manual pages, message catalogues."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from html.parser import HTMLParser
from xml.etree import ElementTree

from helpers.pairs.cleaning import clean_text, decoded_text
from helpers.pairs.documents import Block

__all__ = ["catalogue_messages", "help_blocks", "html_blocks", "manual_blocks", "plain_message"]

_NUMBERED = re.compile(r"^(?:(?:Глава|Приложение|Часть|Chapter|Appendix|Part) )?[\dA-ZА-Я]{1,3}(?:\.\d+)*\.\s+(?=\S)")
_CAPTION = re.compile(r"(Рисунок|Таблица|Пример|Figure|Table|Example) \d")


class _Page(HTMLParser):
    """Collects the blocks of a web page; code, navigation and captions are left out."""

    BREAKING = set("h1 h2 h3 h4 h5 h6 p li dd dt td th blockquote div title body section article".split())
    SKIPPED = set("script style pre nav head footer svg noscript form".split())
    KEPT = set("h1 h2 h3 h4 h5 h6 p li dd blockquote".split())

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.shape = self.name = ""
        self.text: list[str] = []
        self.skipped: list[str] = []

    def flush(self) -> None:
        text = _NUMBERED.sub("", clean_text("".join(self.text)).rstrip("¶ #"))
        if text and self.shape in self.KEPT and not _CAPTION.match(text):
            self.blocks.append(Block(self.shape, self.name, text))
        self.text = []

    def handle_starttag(self, tag, attrs):
        if tag in self.SKIPPED:
            self.flush()
            self.skipped.append(tag)
        elif tag in self.BREAKING:
            self.flush()
            given = dict(attrs)
            paragraph = tag == "div" and "para" in (given.get("class") or "").split()  # as Publican marks paragraphs
            self.shape, self.name = "p" if paragraph else tag, given.get("id") or ""
        elif tag == "br":
            self.text.append(" ")

    def handle_endtag(self, tag):
        if self.skipped and tag == self.skipped[-1]:
            self.skipped.pop()
        elif tag in self.BREAKING:
            self.flush()
            self.shape, self.name = "div", ""

    def handle_data(self, data):
        if not self.skipped:
            self.text.append(data)


def html_blocks(data: bytes, *, names: bool = False) -> list[Block]:
    """Titles, paragraphs and items of a web page.

    Parameters
    ----------
    data
        Content of the file.
    names
        Whether identifiers are kept; without them a translation is aligned by shapes.

    Examples
    --------
    >>> html_blocks("<h1>Вид</h1><p>Что <b>показывает</b> окно.</p><pre>ls</pre>".encode())
    [Block(shape='h1', name='', text='Вид'), Block(shape='p', name='', text='Что показывает окно.')]
    """
    page = _Page()
    page.feed(decoded_text(data))
    page.close()
    page.flush()
    return page.blocks if names else [block._replace(name="") for block in page.blocks]


def help_blocks(data: bytes) -> list[Block]:
    """Title, summary and paragraphs of a page of GNOME's help (Mallard); credits and code are left out.

    Raises
    ------
    ValueError
        If the file is no XML.
    """
    blocks: list[Block] = []

    def walk(node) -> None:
        tag = node.tag.rpartition("}")[2] if isinstance(node.tag, str) else "comment"
        if tag in ("credit", "revision", "code", "screen", "include", "comment", "license"):
            return
        if tag in ("title", "p", "desc"):
            if text := clean_text("".join(node.itertext())):
                blocks.append(Block({"title": "h2", "desc": "summary"}.get(tag, "p"), "", text))
            return
        for child in node:
            walk(child)

    try:
        walk(ElementTree.fromstring(data))
    except ElementTree.ParseError as error:
        raise ValueError(f"a page of help is no XML: {error}") from None
    first = next((i for i, block in enumerate(blocks) if block.shape == "h2"), None)
    if first:  # the title of a page stands behind its summary
        blocks.insert(0, blocks.pop(first))
    return blocks


# Manual pages

_LEFT_OUT = {
    "TS": "TE",
    "nf": "fi",
    "EX": "EE",
    "PS": "PE",
    "EQ": "EN",
    "ig": ".",
    "de": ".",
}  # tables, examples, pictures
_BREAKS = {"PP", "P", "LP", "TP", "IP", "HP", "RS", "RE", "sp", "br", "TQ", "ad", "in", "ti"}
_ALTERNATING = {"BR", "RB", "BI", "IB", "IR", "RI"}
_FONTS = {"B", "I", "SM", "SB"} | _ALTERNATING


def manual_blocks(data: bytes) -> list[Block]:
    """Titles, summary and paragraphs of a manual page; tables and examples are left out.

    Examples
    --------
    >>> page = '.TH LS 1\\n.SH ИМЯ\\nls \\\\- показывает папку\\n.SH ОПИСАНИЕ\\nПоказывает \\\\fIфайлы\\\\fP.'
    >>> [(block.shape, block.text) for block in manual_blocks(page.encode())]
    [('summary', 'показывает папку'), ('h2', 'Описание'), ('p', 'Показывает файлы.')]
    """
    blocks: list[Block] = []
    text: list[str] = []
    section, until, tag = 0, "", False

    def flush() -> None:
        joined = clean_text(_without_escapes(" ".join(text)))
        text.clear()
        if not joined or not section:
            return
        name, dash, rest = joined.partition(" - ")
        if section == 1:  # NAME: what the page is about
            blocks.append(Block("summary", "", rest) if dash else Block("p", "", joined))
        else:
            blocks.append(Block("p", "", joined))

    for line in decoded_text(data).split("\n"):
        macro = re.match(r"[.']\s*([A-Za-z.\\\"]+)\s*(.*)", line)
        if until:
            until = "" if macro and macro[1] == until else until
        elif not macro or macro[1] in _FONTS:
            said = line if not macro else _arguments(macro[2], joined=macro[1] in _ALTERNATING)
            if tag and said.strip():  # the line behind .TP is what is described
                tag = False
            elif said.strip():
                text.append(said)
            else:
                flush()
        elif macro[1] in ("SH", "SS"):
            flush()
            section += macro[1] == "SH"
            title = clean_text(_without_escapes(macro[2].strip().strip('"')))
            if title and section > 1:
                blocks.append(Block("h2", "", title.capitalize() if title.isupper() else title))
        elif macro[1] in _LEFT_OUT:
            flush()
            until = _LEFT_OUT[macro[1]]
        elif macro[1] in _BREAKS:
            flush()
            tag = macro[1] in ("TP", "TQ")
    flush()
    return blocks


def _arguments(text: str, joined: bool) -> str:
    """The arguments of a macro: side by side where their fonts alternate, else with blanks between them."""
    parts = [a or b for a, b in re.findall(r'"([^"]*)"|(\S+)', text)]
    return ("" if joined else " ").join(parts)


def _without_escapes(text: str) -> str:
    text = re.sub(r'\\f(?:\[\w*\]|\(..|.)|\\s[-+]?\d+|\\m\[\w*\]|\\[&/,:%|^]|\\".*', "", text)
    named = {
        "-": "-",
        "hy": "-",
        "em": "—",
        "en": "–",
        "aq": "'",
        "dq": '"',
        "lq": "«",
        "rq": "»",
        "Fo": "«",
        "Fc": "»",
    }
    text = re.sub(r"\\\[(\w+)\]|\\\((\w\w)", lambda m: named.get(m[1] or m[2], " "), text)
    return text.replace("\\-", "-").replace("\\e", "\\").replace("\\ ", " ").replace("\\~", " ").replace("\\", "")


# Message catalogues


def catalogue_messages(data: bytes) -> Iterator[tuple[str, str]]:
    """Messages of a compiled catalogue of gettext: English and translation, first plural form, without contexts.

    Raises
    ------
    ValueError
        If the content is no catalogue, is truncated, or a message is not in the encoding that the catalogue declares.
    """
    if data[:4] not in (b"\xde\x12\x04\x95", b"\x95\x04\x12\xde") or len(data) < 20:
        raise ValueError("a catalogue does not begin with the number of gettext's format")
    order = "<" if data[:1] == b"\xde" else ">"
    count, left, right = struct.unpack_from(order + "3I", data, 8)
    charset = "utf-8"
    for k in range(count):
        try:
            size, at = struct.unpack_from(order + "2I", data, left + 8 * k)
            length, place = struct.unpack_from(order + "2I", data, right + 8 * k)
        except struct.error:
            raise ValueError(f"a catalogue is truncated: message {k} of {count} lies beyond its end") from None
        if max(at + size, place + length) > len(data):
            raise ValueError(f"a catalogue is truncated: message {k} of {count} ends beyond its end")
        try:
            english, other = data[at : at + size].decode(charset), data[place : place + length].decode(charset)
        except (UnicodeDecodeError, LookupError) as error:
            raise ValueError(f"message {k} of a catalogue is not in {charset}: {error}") from None
        if not size:  # the header
            said = re.search(r"charset=([\w-]+)", other)
            charset = said[1] if said else charset
            continue
        yield english.rpartition("\x04")[2].split("\0")[0], other.split("\0")[0]


def plain_message(text: str) -> str:
    """A message without what is no language (markup, hot keys, colours), placeholders as ``_``; empty if it has many.

    >>> plain_message("Не удалось &открыть файл «%s»")
    'Не удалось открыть файл «_»'
    """
    text = re.sub(r"<[^<>]{1,60}>|\{\{.*?\}\}", " ", text.replace("\\n", " "))
    text = re.sub(r"%\d*\$?[-+ #]?\d*l*[sdiufxgc](?!\w)|\{\w*\}|\$\w+\|?;?|%%", "\x00", text)
    text = re.sub(r"(?<!\w)[&_](?=\w)|(?<=\w)_(?=\w)", "", text)
    return clean_text(text.replace("\x00", "_")) if text.count("\x00") < 3 else ""
