"""Pages that are made from the registries: a comment in the page says where the generated part goes."""

from __future__ import annotations

import re
from pathlib import Path

from helpers.book.cards import PAGES, digest_of_sources, page_text

PLACE = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def fill(app, docname, source):
    """Put the generated text in its place."""
    cache = Path(app.doctreedir) / "generated"
    source[0] = PLACE.sub(lambda match: page_text(match[1], cache), source[0])


def outdated(app, env, added, changed, removed):
    """The pages are rendered again when what they are made of has changed."""
    now = digest_of_sources()
    before, env.generated_pages = getattr(env, "generated_pages", now), now
    return [f"book/{name}" for name in PAGES if before != now and f"book/{name}" in env.found_docs]


def setup(app):
    app.connect("source-read", fill)
    app.connect("env-get-outdated", outdated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
