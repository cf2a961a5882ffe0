"""Source files of installed libraries, and the docstrings in them, read as text: nothing is imported or executed.

Building the syntax tree of 200 MB takes half a minute; of a docstring one needs to know only which headers stand around
it. One regular expression finds headers and docstrings and steps over strings and comments.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import sysconfig
import tokenize
from collections.abc import Iterator
from functools import cache as memoize
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

__all__ = ["docstrings", "has_sources", "library_version", "read_source", "sources"]


def _distribution(library: str) -> metadata.Distribution:
    """What installed a library."""
    return metadata.distribution({"sklearn": "scikit-learn"}.get(library, library))


def has_sources(library: str) -> bool:
    """Whether there are sources of a library to read."""
    if library == "python":
        return True
    try:
        _distribution(library)
    except (metadata.PackageNotFoundError, ValueError):
        return False
    return True


def library_version(library: str) -> str:
    """The version of a library."""
    return ".".join(map(str, sys.version_info[:3])) if library == "python" else _distribution(library).version


# Not everywhere a part of the standard library: some systems package them apart, later versions dropped some.
_APART = {"distutils", "ensurepip", "idlelib", "lib2to3", "msilib", "tkinter", "turtle", "turtledemo", "venv"}
_TESTS = {"test", "tests", "testing"}


def sources(library: str) -> list[tuple[str, Path]]:
    """The source files of a library, sorted, each with its path from where modules are looked up."""
    if library == "python":
        root = Path(sysconfig.get_path("stdlib"))
        tops = [root / name for name in sys.stdlib_module_names - _APART]
        found = [top.with_suffix(".py") for top in tops] + [path for top in tops for path in top.rglob("*.py")]
        files = [(path.relative_to(root).as_posix(), path) for path in found if path.is_file()]
    else:
        distribution = _distribution(library)
        listed = [str(file).replace("\\", "/") for file in distribution.files or ()]
        files = [(name, Path(distribution.locate_file(name))) for name in listed if name.startswith(f"{library}/")]
        files = [(name, path) for name, path in files if name.endswith(".py")]
        if not files:  # installed from a checkout, or by a packager who keeps no list
            spec = find_spec(library)
            for folder in (spec and spec.submodule_search_locations) or ():
                found = Path(folder).rglob("*.py")
                files += [(f"{library}/{path.relative_to(folder).as_posix()}", path) for path in found]
        if not files:
            raise ModuleNotFoundError(
                f"{library} is installed without Python sources, so its documentation is not here"
            )
    return sorted((name, path) for name, path in set(files) if not _TESTS.intersection(name.split("/")[:-1]))


def read_source(path: Path) -> str:
    """The text of a source file, with the line ends that Python sees."""
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        with tokenize.open(path) as file:
            text = file.read()
    return text.replace("\r\n", "\n") if "\r" in text else text


def _patterns() -> tuple[re.Pattern, re.Pattern]:
    """The docstring of a module, and everything that matters below it."""
    string = (
        r"""(?:"(?:""(?:[^"\\]++|\\.|"(?!""))*+\"""|(?:[^"\\\n]++|\\.)*+")"""
        r"""|'(?:''(?:[^'\\]++|\\.|'(?!''))*+\'''|(?:[^'\\\n]++|\\.)*+'))"""
    )
    comment = r"\#[^\n]*+"
    nested = "(?!)"
    for _ in range(6):
        nested = rf"""(?:[^()\[\]{{}}"'#]++|{string}|{comment}|[(\[{{]{nested}[)\]}}])*+"""
    signature = rf"""(?:[^()\[\]{{}}"'#:\n\\]++|\\\n|{string}|\[{nested}\]|\({nested}\))*+:"""
    literal = rf"(?:(?:[rRuU]?{string}[ \t]*+)++|\((?:[rRuU]?{string}|\s++|{comment})++\))"
    docstring = rf"(?:[ \t\f]*+(?:{comment})?\n)*+[ \t\f]*+({literal})(?=[ \t\f]*+(?:[;\#\n]|\Z))"
    header = rf"(?:async[ \t]+)?(def|class)[ \t]+(\w+)(?:{signature}{docstring})?"
    block = r"(?:if|else|elif|try|except|finally|with|for|while)\b"  # closes what stands deeper, as a header does
    return re.compile(docstring, re.S), re.compile(rf"{string}|{comment}|\n([ \t]*+)(?:{header}|{block})", re.S)


_compiled = memoize(_patterns)


def docstrings(source: str) -> Iterator[tuple[str, str, str]]:
    """Qualified name, kind and docstring of a module and of all that it defines, in the order of the source."""
    top, inner = _compiled()
    if match := top.match(source):
        yield "", "module", _value(match[1])
    around: list[tuple[int, str]] = []
    for match in inner.finditer("\n" + source):
        if match.lastindex is None:  # a string or a comment
            continue
        indent, keyword, name, literal = match.groups()
        while around and around[-1][0] >= len(indent):
            around.pop()
        if keyword is None:
            continue
        if literal:
            kind = "class" if keyword == "class" else "function"
            if kind == "function" and around and not around[-1][1].endswith("<locals>."):
                kind = "method"
            yield "".join(part for _, part in around) + name, kind, _value(literal)
        around.append((len(indent), f"{name}." if keyword == "class" else f"{name}.<locals>."))
    if "add_docstr" in source or "add_newdoc" in source:
        yield from _attached(source)


def _value(literal: str) -> str:
    """The docstring that one or several string literals stand for."""
    literal = literal.strip()
    if literal.startswith('"""') and "\\" not in literal and literal.find('"""', 3) == len(literal) - 3:
        return inspect.cleandoc(literal[3:-3])  # nothing to evaluate, which is four times as fast
    return inspect.cleandoc(ast.literal_eval(literal))


def _attached(source: str) -> Iterator[tuple[str, str, str]]:
    """As :func:`docstrings`, of the calls that give docstrings to objects written in C."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or len(node.args) < 2:
            continue
        called = ast.unparse(node.func).lstrip("_")
        if called not in ("add_docstr", "add_docstr_all", "add_newdoc"):
            continue
        *targets, last = node.args
        if isinstance(last, ast.Tuple) and len(last.elts) == 2:  # add_newdoc(module, class, (method, docstring))
            targets, last = [*targets, last.elts[0]], last.elts[1]
        formatted = isinstance(last, ast.Call) and isinstance(last.func, ast.Attribute) and last.func.attr == "format"
        text = last.func.value if formatted else last
        if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
            continue
        doc = re.sub(r"\{\w*\}", "", text.value).replace("{{", "{").replace("}}", "}") if formatted else text.value
        if called == "add_docstr":
            name, kind = ast.unparse(targets[0]).rpartition(".")[2], "function"
        elif all(isinstance(target, ast.Constant) for target in targets):
            names = [str(target.value) for target in targets]
            names = names[1:] if len(names) > 1 else names  # the first of several is the module
            name, kind = ".".join(names), "method" if called == "add_docstr_all" or len(names) > 1 else "function"
        else:
            continue
        yield name, kind, inspect.cleandoc(doc)
