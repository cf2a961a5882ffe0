"""Docstrings in source files are those of the syntax tree."""

import ast
import warnings

import pytest

from helpers.text import sources

SOURCE = '''#!/usr/bin/env python
# -*- coding: utf-8 -*-
"""What this module is about, in one line."""
import os

TEXT = """
def not_code():
    "This is in a string and documents nothing."
"""


@decorated(lambda a: {"b": 1})
def outer(a: "dict[str, int]" = {"x": (1, 2)}, *, sep="):", **more) -> "a:b":  # a comment: """ with quotes
    # another comment

    """The outer function does outer things.

    It has a second paragraph, which is longer.
    """
    def inner():
        r"""The inner function escapes no \\alpha at all."""
    class Local: "The local class has a docstring on its line."


if True:
    class Box(list):
        """A box that holds several things."""

        size = "A string that follows no header."

        if os.name:
            async def method(self): \\
                return 1
            async def other(
                self,
                x=[")"],
            ):
                (
                    "The other method is documented "
                    "in two pieces of text."
                )
        else:
            pass

        def silent(self):
            return """A returned string documents nothing."""

        def formatted(self):
            """A formatted string is no docstring {}.""".format(1)


def after():
    'The function after the class stands alone.'
'''


def by_syntax_tree(source):
    """The same as ``_docstrings``, by way of Python's own parser."""

    def visit(node, prefix, inside):
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield from visit(child, prefix, inside)
                continue
            is_class = isinstance(child, ast.ClassDef)
            if (doc := ast.get_docstring(child)) is not None:
                kind = "class" if is_class else "method" if inside == "class" else "function"
                yield prefix + child.name, kind, doc
            name = f"{prefix}{child.name}." + ("" if is_class else "<locals>.")
            yield from visit(child, name, "class" if is_class else "function")

    tree = ast.parse(source)
    if (doc := ast.get_docstring(tree)) is not None:
        yield "", "module", doc
    yield from visit(tree, "", "module")


def test_docstrings_are_those_of_the_syntax_tree():
    found = list(sources.docstrings(SOURCE))
    assert found == list(by_syntax_tree(SOURCE))
    assert [(name, kind) for name, kind, _ in found] == [
        ("", "module"),
        ("outer", "function"),
        ("outer.<locals>.inner", "function"),
        ("outer.<locals>.Local", "class"),
        ("Box", "class"),
        ("Box.other", "method"),
        ("after", "function"),
    ]


@pytest.mark.parametrize("name", ["networkx", "pandas", "torch", "python"])
def test_docstrings_of_real_libraries_are_those_of_the_syntax_tree(name):
    compared = 0
    for _, path in sources.sources(name)[:: 40 if name == "torch" else 8]:
        source = sources.read_source(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = list(by_syntax_tree(source))
        found = list(sources.docstrings(source))[: len(expected)]  # attached docstrings come after
        assert found == expected, path
        compared += len(found)
    assert compared > 100
