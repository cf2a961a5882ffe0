"""Repairs of the rendered pages, and a cache of executions that cannot be stale."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from docutils import nodes

INTERVAL = re.compile(r"(\d) \[([+\-\N{MINUS SIGN}]?\d[\d.]*), ([+\-\N{MINUS SIGN}]?\d[\d.]*)\]")

EMPTY_HEADER = re.compile(r'<th( class="blank[^"]*")?\s*>(?:&nbsp;|\s)*</th>')


def drop_repeated_scripts(app, pagename, templatename, context, doctree):
    """Sphinx registers inline scripts twice; the second ``const`` is an error in the browser's console."""
    seen, kept = set(), []
    for script in context.get("script_files", []):
        key = (script.filename or "", script.attributes.get("body", ""))
        if key not in seen:
            seen.add(key)
            kept.append(script)
    context["script_files"] = kept


def keep_intervals_together(app, pagename, templatename, context, doctree):
    """A value and its interval, ``0.5 [0.4, 0.6]``, stay on one line, in sentences and in tables."""
    if "body" in context:
        context["body"] = INTERVAL.sub("\\1\N{NO-BREAK SPACE}[\\2,\N{NO-BREAK SPACE}\\3]", context["body"])


def name_items_of_lists(app, pagename, templatename, context, doctree):
    """Entries of a bibliography stand in a list; docutils gives them a role that is deprecated instead."""
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def name_no_empty_headers(app, pagename, templatename, context, doctree):
    """The corner of a data frame is no header of anything; read aloud, an empty one would puzzle."""
    if "body" in context:
        context["body"] = EMPTY_HEADER.sub(r"<td\1></td>", context["body"])


def name_cells(app, doctree):
    """Every code cell carries its id as a class, ``cell-ID``: scripts find it, whatever was left out of the page."""
    path = Path(app.env.doc2path(app.env.docname))
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"] if path.suffix == ".ipynb" else []
    for node in doctree.findall(nodes.container):
        if cells and node.get("nb_element") == "cell_code":
            node["classes"].append(f"cell-{cells[node['cell_index']].get('id', node['cell_index'])}")


def write_nodes_of_extensions(app):
    """On the one page that is printed, nodes of extensions are written as on many pages."""
    if app.builder.name == "singlehtml":
        known = app.registry.translation_handlers
        known["singlehtml"] = known.get("html", {}) | known.get("singlehtml", {})


def name_cache_after_helpers(app, config):
    """A plain ``jupyter-book build .`` caches executions by the notebook alone, whatever happens to ``helpers``.

    A cache folder named after the package's contents makes every change of a helper start afresh.
    """
    helpers = Path(app.srcdir) / "helpers"
    if config.nb_execution_mode == "cache" and helpers.is_dir():
        files = [p for folder in (helpers, Path(app.srcdir) / "data") for p in folder.rglob("*") if p.is_file()]
        code = b"".join(p.read_bytes() for p in sorted(files) if p.suffix in (".py", ".csv", ".yml"))
        name = hashlib.sha256(code).hexdigest()[:16]
        config.nb_execution_cache_path = str(Path(app.srcdir) / "_build" / "jupyter_cache" / name)


def pages_that_show_chapters(app, env, added, changed, removed):
    """Pages of prose show tables and numbers of chapters: where a chapter changed they are rendered again."""
    moved = any(name.startswith("notebooks/") for name in {*added, *changed, *removed})
    return [name for name in env.found_docs if moved and name.startswith("book/") and "/api/" not in name]


def setup(app):
    app.connect("config-inited", name_cache_after_helpers, priority=900)
    app.connect("builder-inited", write_nodes_of_extensions)
    app.connect("env-get-outdated", pages_that_show_chapters)
    app.connect("doctree-read", name_cells)
    app.connect("html-page-context", keep_intervals_together)
    app.connect("html-page-context", name_items_of_lists)
    app.connect("html-page-context", name_no_empty_headers)
    app.connect("html-page-context", drop_repeated_scripts, priority=900)
    # A changed repair or style renders all pages again: without a changed page, Sphinx would copy neither.
    book = Path(app.srcdir) / "book"
    files = [path for name in ("_static", "_templates") for path in sorted((book / name).rglob("*")) if path.is_file()]
    files = [Path(__file__), *files]
    this = int(hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:8], 16)
    return {"env_version": this, "parallel_read_safe": True, "parallel_write_safe": True}
