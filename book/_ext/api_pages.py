"""The reference of the package: made of its docstrings, without the methods that scikit-learn adds to estimators."""

from __future__ import annotations

import re

ROUTING = re.compile(r"set_\w+_request")
FIELD = re.compile(r"^(:ivar |:param )([^:]+)(:.*)$")


def leave_out(app, what, name, member, skip, options):
    return True if ROUTING.fullmatch(name) else None


def keep_names(app, what, name, thing, options, lines):
    """A name that ends in an underscore would be taken for a reference, the first of two names for a type."""
    for at, line in enumerate(lines):
        if field := FIELD.match(line):
            names = re.sub(r"_(?=,|$)", r"\\_", field[2]).replace(", ", ",\N{NO-BREAK SPACE}")
            lines[at] = field[1] + names + field[3]


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.connect("autodoc-skip-member", leave_out)
    app.connect("autodoc-process-docstring", keep_names, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
