"""The page stands alone."""

import base64
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from report_data import halves

from helpers.book.render import outside_loads
from helpers.report import (
    build,
)


class _Page(HTMLParser):
    """Texts of headings, images and tags of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.images, self.anchors, self.links = set(), [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.add(tag)
        if tag == "img":
            self.images.append(attributes)
        if tag == "h2" and "id" in attributes:
            self.anchors.append(attributes["id"])
        if tag == "a":
            self.links.append(attributes["href"].removeprefix("#"))


def test_the_page_stands_alone(built, tmp_path):
    page = replace(built[0], title="Report on <mine>", about={"seed": "<0>"}).to_html()
    (tmp_path / "index.html").write_text(page)
    parsed = _Page(page)
    assert outside_loads(tmp_path) == [] and not parsed.tags & {"script", "link", "mine", "0"}
    assert parsed.links == parsed.anchors and len(parsed.anchors) == 8
    assert len(parsed.images) == 3 and all(len(image["alt"]) > 20 for image in parsed.images)
    for image in parsed.images:
        data = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"), validate=True)
        size = int.from_bytes(data[16:20], "big")
        assert data[:4] == b"\x89PNG" and size == pytest.approx(2 * int(image["width"]), abs=2)  # whole pixels of both
    assert "prefers-color-scheme: dark" in page and 'name="viewport"' in page
    assert page.count("dice and turned can go") == 2 and "Report on &lt;mine&gt;" in page


def test_names_of_embeddings_are_no_html():
    found, labels = halves(60)
    report = build({"<script src=x>": found["one"], "b": found["other"]}, labels=labels, folds=3)
    assert "script" not in _Page(report.to_html()).tags
