"""The bibliography can be read, and whatever is cited stands in it."""

import json
import re
from pathlib import Path

from pybtex.database import parse_file

from helpers.ensembles.registry import ENSEMBLES
from helpers.quality import QUALITIES
from helpers.similarity import MEASURES

ROOT = Path(__file__).parents[1]
CITED = re.compile(r"\{cite(?::[a-z]+)?\}`([^`]+)`|:cite(?::[a-z]+)?:`([^`]+)`")


def texts_of_the_book():
    texts = {path: path.read_text("utf-8") for folder in ("book", "helpers") for path in (ROOT / folder).rglob("*.*")
             if path.suffix in (".md", ".py")}  # fmt: skip
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        texts[path] = "\n".join("".join(cell["source"]) for cell in cells)
    return texts


def keys_of_the_bibliography():
    return {key.lower() for key in parse_file(ROOT / "book" / "references.bib").entries}


def test_every_source_that_is_cited_stands_in_the_bibliography():
    known = keys_of_the_bibliography()
    absent = {
        f"{path.relative_to(ROOT)}: {key.strip()}"
        for path, text in texts_of_the_book().items()
        for found in CITED.findall(text)
        for key in "".join(found).split(",")
        if re.fullmatch(r"[a-z]+\d{4}\w*", key.strip()) and key.strip().lower() not in known
    }
    assert absent == set()


def test_every_source_of_the_bibliography_is_cited_on_a_page_or_a_card():
    cited = {
        key.strip().lower()
        for path, text in texts_of_the_book().items()
        for found in CITED.findall(text)
        for key in "".join(found).split(",")
    }
    cited |= {measure.reference for measure in MEASURES.values()}
    cited |= {entry.citation for entry in [*QUALITIES.values(), *ENSEMBLES.values()]}
    assert sorted(keys_of_the_bibliography() - cited) == []
