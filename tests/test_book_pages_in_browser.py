"""The rendered pages in a real browser: no violation of accessibility, nothing from elsewhere, and a PDF on paper."""

import re
import shutil
import zlib

import pytest
from axe import axe_script, violations
from mini_book import ROOT

from helpers.book.browser import find_browser, open_tab
from helpers.book.claims import show_claims
from helpers.book.printing import print_book, print_page
from helpers.book.render import build_book
from helpers.inference import Claim, Finding, judge

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_browser() is None, reason="no Chromium or Chrome is installed"),
]


@pytest.fixture(scope="module")
def book(executed_book, tmp_path_factory):
    """The small book, executed and built, with the first page of this one."""
    root = shutil.copytree(executed_book, tmp_path_factory.mktemp("pages") / "book")
    front = (ROOT / "book" / "intro.md").read_text(encoding="utf-8")
    front = re.sub(r"\{glue:text\}`[^`]*`|\{cite\}`[^`]*`", "31", front)  # what it refers to is not in this book
    front = re.sub(r"\{doc\}`(?:([^<`]*) <)?([^`>]*)>?`", lambda match: match[1] or f"*{match[2]}*", front)
    front = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"*\1*", front)
    (root / "book" / "intro.md").write_text(front, encoding="utf-8")
    build_book(root, root / "_build" / "executed", quiet=True)
    return root


@pytest.fixture(scope="module")
def axe():
    return axe_script()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation_and_nothing_comes_from_elsewhere(book, axe, theme):
    pages = sorted((book / "_build" / "html").rglob("*.html"))
    pages = [page for page in pages if "_static" not in page.parts and page.name != "index.html"]
    assert len(pages) >= 6
    found = {}
    with open_tab() as tab:
        tab.choose_theme(theme)
        for page in pages:
            tab.open(page.as_uri())
            assert tab.run("document.documentElement.dataset.theme") == theme
            if faults := violations(tab, axe):
                found[page.name] = faults
        outside = [address for address in tab.requests if not re.match(r"file://|data:|blob:|about:", address)]
    assert (found, outside) == ({}, []), (found, outside)


def test_axe_sees_a_violation(axe, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text(
        "<html lang=en><title>x</title><main><h1>x</h1><img src=x.png><p style='color:#ccc'>pale</p></main>"
    )
    with open_tab() as tab:
        tab.open(page.as_uri())
        found = {line.partition(":")[0] for line in violations(tab, axe)}
    assert {"image-alt", "color-contrast"} <= found


def test_the_first_page_fits_on_one_screen(book):
    with open_tab() as tab:
        tab.call("Emulation.setDeviceMetricsOverride", width=1440, height=900, deviceScaleFactor=1, mobile=False)
        tab.open((book / "_build" / "html" / "book" / "intro.html").as_uri())
        bottoms = ".map((card) => card.getBoundingClientRect().bottom)"
        cards = tab.run(f"[...document.querySelectorAll('.sd-card')]{bottoms}")
        titles = tab.run(
            "[...document.querySelectorAll('.sd-card-title, .sd-card-header')].map((one) => one.innerText)"
        )
    assert len(cards) == 4 and max(cards) <= 900
    assert titles == ["Read", "Use it on your own data", "Run it again", "Teach with it"]


def test_a_phone_shows_claim_and_verdict_side_by_side(tmp_path):
    claims = {
        "mix": Claim("A mixture by quality is better than the plain mean in most of the experiments", published=1.0)
    }
    claims["half"] = Claim("B wins in half of the experiments", side="equal", null=0.5, margin=0.25, better="greater")
    found = {"mix": Finding(2.0, 1.5, 2.5, 40, "experiments"), "half": Finding(0.9, 0.8, 1.0, 40, "experiments")}
    table = show_claims(judge(claims, found, on="LightAutoML"), "chapter", detail=True).to_html()
    page, style = tmp_path / "claims.html", (ROOT / "book" / "_static" / "book.css").as_uri()
    head = f"<meta name=viewport content='width=device-width'><link rel=stylesheet href='{style}'>"
    body = f"<article class=bd-article style='margin: 0 16px; font-family: sans-serif'>{table}</article>"
    page.write_text(
        f"<!doctype html><html lang=en><title>x</title>{head}<body style='margin: 0'>{body}", encoding="utf-8"
    )
    box = "document.querySelector('tbody {}').getBoundingClientRect()"
    with open_tab() as tab:
        tab.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
        tab.open(page.as_uri())
        left, right = tab.run(box.format("th") + ".left"), tab.run(box.format("td.col0") + ".right")
        words = tab.run("document.querySelector('tbody td.col0').innerText")
        wide = tab.run("document.documentElement.scrollWidth")
    assert 0 <= left and right <= 360 - 16 and wide <= 360, (left, right, wide)
    assert words == "reproduced, and exceeded"


def text_of(pdf):
    """What can be read of a PDF by its streams of text: enough to look for the names of the outline."""
    content = pdf.read_bytes()
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL)
    unpacked = []
    for stream in streams:
        try:
            unpacked.append(zlib.decompress(stream))
        except zlib.error:
            pass
    return content + b"\n".join(unpacked)


def test_the_book_is_printed_without_solutions_and_no_code_is_cut_off(book):
    pdf = print_book(book)
    assert pdf == book / "_build" / "book.pdf" and pdf.read_bytes().startswith(b"%PDF")
    content = text_of(pdf)
    assert len(re.findall(rb"/Type\s*/Page\b", content)) >= 4 and b"/Outlines" in content

    page = book / "_build" / "print" / "index.html"
    assert "The secret answer" not in page.read_text() and "Fig. 1.1" in page.read_text()
    with open_tab() as tab:
        width = round((8.27 - 1.5) * 96)  # what the margins leave of A4, at 96 pixels an inch
        tab.call("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=False)
        tab.call("Emulation.setEmulatedMedia", media="print")
        tab.open(page.as_uri())
        tab.run("document.querySelector('.cell_input pre').textContent = 'name '.repeat(80)")
        wide = "(one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== 'visible'"
        cut = f"[...document.querySelectorAll('pre, table, img')].filter({wide}).length"
        beyond = "document.documentElement.scrollWidth - innerWidth"
        shown = (
            "[...document.querySelectorAll('.bd-sidebar-primary, .bd-header-article, .bd-sidebar-secondary, footer')]"
        )
        shown += ".filter((one) => one.offsetHeight > 0).map((one) => one.className)"
        assert [error for error in tab.errors if "searchindex.js" not in error] == []  # paper is not searched
        assert (tab.run(cut), max(tab.run(beyond), 0), tab.run(shown)) == (0, 0, [])


def test_the_book_is_printed_with_its_solutions_in_an_appendix(book):
    pdf = print_book(book, solutions="appendix")
    assert pdf == book / "_build" / "book-with-solutions.pdf" and pdf.read_bytes().startswith(b"%PDF")
    with open_tab() as tab:
        tab.call("Emulation.setEmulatedMedia", media="print")
        tab.open((book / "_build" / "print-appendix" / "index.html").as_uri())
        text = tab.run("document.querySelector('article').innerText")
        titles = tab.run("[...document.querySelectorAll('article h2')].map((one) => one.innerText)")
    assert sum("Solutions: Means of numbers" in title for title in titles) == 1
    assert text.count("The secret answer: 3.5.") == 1
    assert "Fig. 1.1" in text and "Exercise 1.1 (Twice as many)" in text
    assert "Solutions: Means of numbers" in titles[-1]
    assert re.search(r"Solution to\s+Exercise 1\.1 \(Twice as many\)\s+The secret answer: 3\.5\.\s", text)
    assert "3.5" in text[text.index("The secret answer: 3.5.") + 30 :]  # what its cell shows


def test_solutions_are_printed_nowhere_or_behind_all_chapters(book):
    with pytest.raises(ValueError, match="solutions is 'below'; it is one of 'none', 'appendix'"):
        print_book(book, solutions="below")


def test_a_page_is_printed_with_its_pictures(book, tmp_path):
    with open_tab() as tab:
        pdf = print_page(tab, book / "_build" / "html" / "notebooks" / "01_lines.html", tmp_path / "page.pdf")
    assert re.search(rb"/Subtype\s*/Image", text_of(pdf))


def test_a_page_that_forwards_is_waited_through(tmp_path):
    (tmp_path / "first.html").write_text('<meta http-equiv="refresh" content="1; url=second.html">first')
    (tmp_path / "second.html").write_text("second")
    (tmp_path / "third.html").write_text('third <p id="place">here</p>')
    with open_tab() as tab:
        tab.open((tmp_path / "first.html").as_uri())
        assert tab.run("document.body.innerText") == "second"
        for place in ("", "#place", "#place", ""):
            tab.open((tmp_path / "third.html").as_uri() + place)
            assert tab.run("document.body.innerText").startswith("third")
