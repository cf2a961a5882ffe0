"""From docstrings to English prose: markup goes, and so does what is no prose; paragraphs fall into sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache as memoize

__all__ = ["is_sentence", "prose_of", "split_sentences"]


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


def is_sentence(text: str) -> bool:
    """Whether a sentence of the documentation is whole and is prose."""
    return bool(_WHOLE.match(text)) and not _CODE.search(text)


_WHOLE = re.compile(r"""["'(]?[A-Z].*[a-z0-9)"'\]%][.!?]+["')]*$""")
_CODE = re.compile(r"[\\{}<>|=_^#@$`]|::|->|://|\w\(|\.\.\.")


@memoize
def prose_of(doc: str) -> str:
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


def _named(match: re.Match) -> str:
    """The text of a role such as ``:func:`~numpy.sort```."""
    text = match[1]
    if text.startswith("~"):
        return text.rpartition(".")[2].lstrip("~")
    return _TARGET.sub("", text).lstrip("!")


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


def _is_signature(text: str) -> bool:
    """Whether a docstring begins with how to call the object rather than with what it does."""
    return "(" in text and bool(_SIGNATURE.match(text)) or not any(map(str.isalpha, text))


_SIGNATURE = re.compile(r"[\w.]+ ?\(.*\)(?: ?(?:->|→|:) ?\S.{0,60})?$")


def _is_prose(text: str) -> bool:
    """Whether a paragraph has at least 20 characters and 3 words, three quarters letters, and no gap to be filled."""
    if len(text) < 20 or text.count(" ") < 2 or len(text.translate(_LETTERS)) > 0.25 * len(text):
        return False
    return not (("{" in text or "%" in text or "$" in text) and _PLACEHOLDER.search(text))


_PLACEHOLDER = re.compile(r"%\(\w+\)s|(?<![\w\\^_}])\{\w*\}|(?<!\w)\$\w*")
_LETTERS = {ord(letter): None for letter in " ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"}
