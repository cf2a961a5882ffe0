"""Claims as pages show them."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from helpers.book import claims as page
from helpers.inference import Claim, Finding, absent, judge

CLAIMS = {"mix": Claim("A mixture gains"), "bert": Claim("BERT has blocks")}


@pytest.fixture()
def glued(monkeypatch):
    found = {}
    monkeypatch.setattr(page, "_glue", found.__setitem__)
    return found


def test_what_other_pages_need_is_kept_beside_the_table(glued):
    own = judge(CLAIMS, {"mix": Finding(0.5, 0.1, 0.9, 40, "tasks"), "bert": absent("no BERT here")}, on="small models")
    far = judge({"mix": CLAIMS["mix"]}, {"mix": Finding(-0.5, -0.9, -0.1, 40, "tasks")}, on="others", transfer=True)
    html = page.show_claims(pd.concat([own, far]), "chapter").to_html()
    assert glued["chapter_claims"].to_html() == html
    assert "transfer: others" in html and "no BERT here" in html and "&gt; 0" in html
    counts = {name: glued[f"chapter_claims_{name}"] for name in ("n", "reproduced", "not_reproduced", "not_testable")}
    assert counts == {"n": 2, "reproduced": 1, "not_reproduced": 0, "not_testable": 1}
    assert glued["chapter_claims_exceeded"] == 0
    assert glued["chapter_verdict_mix"] == "reproduced" and glued["chapter_verdict_mix_transfer"] == "not reproduced"
    assert glued["chapter_found_mix"] == "+0.5 [+0.1, +0.9]" and glued["chapter_found_bert"] == "—"


def test_a_claim_that_is_exceeded_is_counted_and_said(glued):
    claims = {
        "mix": Claim("A mixture gains", published=2.0),
        "half": Claim("B", side="equal", margin=1.0, better="less"),
    }
    found = {
        name: Finding(value, value - 0.5, value + 0.5, 40, "tasks") for name, value in (("mix", 4.0), ("half", -3.0))
    }
    html = page.show_claims(judge(claims, found), "chapter").to_html()
    assert glued["chapter_claims_exceeded"] == 2 and glued["chapter_claims_reproduced"] == 1
    assert glued["chapter_verdict_mix"] == "reproduced, and exceeded" and "reproduced, and exceeded" in html
    assert glued["chapter_verdict_half"] == "not reproduced, but exceeded"


def test_a_claim_has_one_verdict(glued):
    twice = pd.concat([judge(CLAIMS, {}, on="one study"), judge(CLAIMS, {}, on="another")])
    with pytest.raises(ValueError, match="claim 'mix' is judged twice"):
        page.show_claims(twice, "chapter")
    assert not glued


ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_the_page_of_claims_shows_the_table_of_every_chapter_that_judges_some():
    page_text = (ROOT / "book" / "claims.md").read_text(encoding="utf-8")
    judging = {}
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        for name in re.findall(r'show_claims\(.*?"(\w+)"(?:,\s*detail=\w+)?\s*\)', code, re.DOTALL):
            judging[path.name] = name
            assert "../book/claims" in "".join("".join(cell["source"]) for cell in cells), f"{path.name} has no link"
    assert len(judging) >= 11
    for chapter, name in judging.items():
        assert f"{{glue:any}} {name}_claims\n:doc: ../notebooks/{chapter}\n" in page_text
        for count in ("n", *page.COUNTS, "exceeded"):
            assert f"../notebooks/{chapter}::{name}_claims_{count}:.0f`" in page_text


def test_there_is_one_set_of_verdicts():
    others = ("not testable at this scale", "not decided", "cannot be decided")
    pages = [*NOTEBOOKS, *sorted((ROOT / "book").glob("*.md")), *sorted((ROOT / "helpers").rglob("*.py"))]
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert not [word for word in others if word in text], path
