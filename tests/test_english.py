"""Pages, notebooks, docstrings, messages and help say things in the words that a reader of the field expects."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: What must not be said, and what to say in its place.
INSTEAD = {
    r"foret(?:ell|old)": "predict",
    r"(?:un)?likeness": "similarity, dissimilarity",
    r"alike (?:frequent|likely|strong|often|large|long|wide|many)": "equally",
    r"mend(?:s|ed|ing)?": "correct, fix",
    r"(?:do|does|did) not compare(?=[.,;:]|$)": "are not comparable",
    r"st(?:ands|and|ood|anding) still": "has converged",
    r"(?:is|are) said (?:twice|again)": "is reported twice",
    r"(?<!-)strangers?(?!'s|-|\.csv)": "unrelated, random pairs",
    r"are relatives": "are not independent",
    r"price of similarity": "similarity penalty λ",
    r"lost (?:its|their) ends?": "were truncated",
    r"in(?:to)? the places? of (?:the|it|them|one|ids|validation)": "replacing, instead of",
    r"would rather": "to …, pass …",
    r"(?:is|are) to be refused": "raises, or what was found",
    r"(?:leaves?|left|leaving) out zero": "excludes zero",
    r"(?:holds?|held|holding) (?:zero|the truth)": "contains zero, contains the true value",
    r"surely": "significantly (interval and test agree), or leave it out",
    r"whoever": "anyone who, or the thing itself",
    r"(?:the )?dearest": "the most expensive",
    r"(?:is|are|was|were|still) undecided|(?:is|are|was|were) not decided": "not testable at this scale",
}

WORDS = re.compile(r"\b(?:" + "|".join(f"({word})" for word in INSTEAD) + r")(?!\w)", re.IGNORECASE)

#: How an entry of a docstring must not begin: without what it is an entry of, it says nothing.
BEGINNINGS = r"(?:Of|Likewise|As there|As above|That|Those|Their|Its|Whose|See|Ditto)\b"
SECTIONS = ("Parameters", "Other Parameters", "Attributes", "Returns", "Yields", "Raises")

ROLE = re.compile(r"\{[\w:.]+\}`[^`]*`|\$[^$]*\$|`[^`\n]*`|\[[^\]]*\]\([^)]*\)")


def wrong(text):
    """What ``text`` says that it must not, with what to say; roles, formulas and code do not count."""
    prose = re.sub(r"\s+", " ", ROLE.sub(" x ", text))
    return [f"{match[0]!r}: say {list(INSTEAD.values())[match.lastindex - 1]}" for match in WORDS.finditer(prose)]


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def said_in_code(source):
    """Docstrings, strings of more than one word, and comments."""
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.value
    for line in lines:
        yield from re.findall(r"(?:^|\s)#:? (.+)$", line)


def said_in_notebook(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        yield from [text] if cell["cell_type"] == "markdown" else said_in_code(text)
        yield from strings(cell["metadata"])


def said_in(path):
    if path.suffix == ".ipynb":
        return said_in_notebook(path)
    text = path.read_text(encoding="utf-8")
    return said_in_code(text) if path.suffix == ".py" else [text]


PAGES = [*sorted((ROOT / "book").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
MODULES = sorted((ROOT / "helpers").rglob("*.py"))


@pytest.mark.parametrize("paths", [PAGES, NOTEBOOKS, MODULES], ids=["pages", "notebooks", "package"])
def test_what_is_said_is_said_in_plain_words(paths):
    found = [
        f"{path.relative_to(ROOT)}: {problem}" for path in paths for text in said_in(path) for problem in wrong(text)
    ]
    assert found == [], "\n".join(found)


def entries(docstring):
    """``(section, name, text)`` of each entry of a docstring in NumPy's style."""
    lines, section, position = docstring.splitlines(), None, 0
    while position < len(lines):
        if position + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[position + 1]):
            section, position = lines[position], position + 2
        elif section in SECTIONS and lines[position].strip() and not lines[position].startswith(" "):
            end = position + 1
            while end < len(lines) and (not lines[end].strip() or lines[end].startswith(" ")):
                end += 1
            yield section, lines[position], " ".join(" ".join(lines[position + 1 : end]).split())
            position = end
        else:
            position += 1


def unfinished(source):
    """Entries of docstrings that do not stand alone: fewer than three words, or a beginning that leans on the name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and (docstring := ast.get_docstring(node)):
            for _, name, text in entries(docstring):
                if text and (len(text.split()) < 3 or re.match(BEGINNINGS, text)):
                    yield f"{node.name}, {name}: {text[:60]}"


def test_entries_of_docstrings_are_phrases_that_stand_alone():
    found = [f"{path.relative_to(ROOT)}: {entry}" for path in MODULES for entry in unfinished(path.read_text("utf-8"))]
    assert found == [], "\n".join(found)


def helps(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "help" and isinstance(node.value, ast.Constant):
            yield node.value.value


def test_the_help_of_an_option_stands_alone():
    found = [text for path in MODULES for text in helps(path.read_text("utf-8")) if re.match("of ", text)]
    assert found == []


@pytest.mark.parametrize(
    "text, number",
    [
        ("What the accuracies foretell.", 1),
        ("Four groups, alike frequent; the interval leaves\nout zero.", 2),
        ("Whoever mended it would rather not say so.", 3),
        ("The interval excludes zero, and the values are not comparable.", 0),
        ("{glue:text}`difference_foretold:.0f` % and `likeness`, $strangers$", 0),
        ("Recommended, amended; holds zeros in place.", 0),
        ("These do not compare rows with columns.", 0),
    ],
)
def test_words_are_found_as_words_and_outside_of_roles_and_code(text, number):
    assert len(wrong(text)) == number


def test_entries_that_lean_on_others_are_seen():
    source = '''
def f(x, y, z):
    """Summary.

    Parameters
    ----------
    x : float
        Of the interval, in points.
    y
        Rows.
    z
        Number of rows that are
        drawn.

    Returns
    -------
    float
    """
'''
    assert [entry.split(":")[0] for entry in unfinished(source)] == ["f, x ", "f, y"]


def test_no_sentence_holds_an_escape_that_was_read_as_a_character():
    typed = {path: path.read_text(encoding="utf-8") for path in (ROOT / "book").rglob("*.md")}
    for path in (ROOT / "notebooks").rglob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        typed[path] = "\n".join("".join(cell["source"]) for cell in cells)
    assert len(typed) > 60
    found = {path.name: re.findall(r"[^\S\n ]\w*|[\x00-\x08\x0e-\x1f\x7f]\w*", text) for path, text in typed.items()}
    assert {name: words for name, words in found.items() if words} == {}
