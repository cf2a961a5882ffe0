"""What decides the outputs of a notebook, as one digest: its *key*.

The key of a run covers the notebook's code, its parameters (a file that a parameter names counts by its contents), the
functions, classes and constants of this package that the code reaches, the files under ``data/`` that any of this code
names, and the versions of the libraries that it imports. Prose, comments and formatting of the package, and helpers
that the chapter does not reach do not enter, so that correcting them costs no new run.

The code is read, never imported. What is reached is found by following names:

* ``from helpers.x import f``, ``import helpers.x``, ``from helpers import x`` and the attributes taken of them, at any
  depth of nesting, and through re-exports; a module that is passed around whole counts whole;
* a dotted path in a string, such as ``"helpers.similarity.cka:cka"``, counts as an import of what it names, and an
  f-string that begins so counts for every module under its fixed part;
* of a module that is reached, statements that act by themselves (bare calls, ``if``, loops, decorated definitions)
  always count.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
import re
import sys
import threading
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from helpers.locations import CACHE_TAG, expand

__all__ = ["Dependencies", "key", "dependencies", "parse_code", "without_magics"]

PACKAGE = Path(__file__).resolve().parents[1]
DATA = PACKAGE.parent / "data"
_ONE_AT_A_TIME = threading.Lock()


class Dependencies:
    """Everything that a piece of code reaches.

    Attributes
    ----------
    definitions
        ``"helpers.module:name"`` → the source of that definition, normalised (no comments, no formatting).
    libraries
        Name of each library that is imported, or named in a string → its version.
    files
        Files under ``data/`` that a string constant names.
    """

    def __init__(self, sources: Iterable[str], package: Path = PACKAGE, data: Path = DATA):
        self.package, self.data = package, data
        self.definitions: dict[str, str] = {}
        self.libraries: dict[str, str] = {}
        self.files: set[Path] = set()
        self._modules: dict[str, _Module | None] = {}
        self._entered: set[str] = set()
        self._aliases: dict[str, dict[str, str]] = {}
        # One tree: what a cell imports is used in those that follow.
        parts = [parse_code(without_magics(source)) for source in sources]
        tree = ast.Module([statement for part in parts for statement in part.body], [])
        self._follow(tree, _Module(tree, "", False))

    def _module(self, name: str) -> _Module | None:
        """The module of that dotted name, if it is one of this package."""
        if name not in self._modules:
            first, *rest = name.split(".")
            path = self.package.joinpath(*rest)
            found = [p for p in (path / "__init__.py", path.with_suffix(".py")) if p.is_file()] if path.name else []
            module = None
            if first == self.package.name and found:
                stamp = found[0].stat()
                module = _parsed(found[0], name, stamp.st_mtime_ns, stamp.st_size)
            self._modules[name] = module
        return self._modules[name]

    def _enter(self, name: str) -> _Module | None:
        """Count the statements of a module, and of the packages around it, that act when it is imported."""
        module = self._module(name)
        if module and name not in self._entered:
            self._entered.add(name)
            if "." in name:
                self._enter(name.rpartition(".")[0])
            for number, statement in enumerate(module.active):
                self._add(f"{name}:#{number}", statement, module)
        return module

    def _whole(self, name: str) -> None:
        if module := self._enter(name):
            for bound in module.bindings:
                self._symbol(name, bound)

    def _symbol(self, module_name: str, name: str) -> None:
        """Count one name of one module, or the submodule of that name."""
        module = self._enter(module_name)
        if module is None:
            return
        if name == "*":
            self._whole(module_name)
        elif name in module.bindings:
            for number, statement in enumerate(module.bindings[name]):
                if isinstance(statement, (ast.Import, ast.ImportFrom)):
                    self._imported(statement, module, only=name)
                else:
                    self._add(f"{module_name}:{name}" + f"#{number}" * bool(number), statement, module)
        elif self._module(f"{module_name}.{name}"):
            self._whole(f"{module_name}.{name}")
        elif "__getattr__" in module.bindings:
            self._whole(module_name)

    def _add(self, label: str, statement: ast.stmt, module: _Module) -> None:
        if label not in self.definitions:
            self.definitions[label] = module.text(statement)
            self._follow(statement, module)

    def _imported(self, node: ast.Import | ast.ImportFrom, module: _Module, only: str | None = None) -> None:
        """Follow an import statement; of a statement that binds several names, ``only`` one."""
        for alias in node.names:
            bound = alias.asname or (alias.name if isinstance(node, ast.ImportFrom) else alias.name.split(".")[0])
            if only not in (None, bound):
                continue
            if isinstance(node, ast.ImportFrom):
                source = module.absolute(node)
                self._symbol(source, alias.name) if self._module(source) else self._library(source)
            elif self._module(alias.name):
                self._enter(alias.name)  # what is used of it shows in the attributes
            else:
                self._library(alias.name)

    def _library(self, name: str) -> None:
        top = name.split(".")[0]
        if (version := _version(top)) and top != self.package.name:
            self.libraries[top] = version

    def _follow(self, tree: ast.AST, module: _Module) -> None:
        """Follow every import, name, attribute and telling string inside ``tree``."""
        if module.name not in self._aliases:
            self._aliases[module.name] = _module_aliases(module.imports, module, self._module)
        nodes = module.nodes(tree)
        aliases = self._aliases[module.name] | _module_aliases(nodes, module, self._module)
        qualified = set()
        for node in nodes:
            if isinstance(node, ast.ImportFrom):
                names = [a for a in node.names if (a.asname or a.name) not in aliases]
                self._imported(ast.ImportFrom(node.module, names, node.level), module) if names else None
            elif isinstance(node, ast.Import):
                self._imported(node, module)
            elif isinstance(node, ast.Attribute):
                chain = _dotted(node)
                if chain and chain[0] in aliases and id(node) not in qualified:
                    qualified.update(id(part) for part in ast.walk(node))
                    self._attribute(aliases[chain[0]], chain[1:])
            elif isinstance(node, ast.Name) and id(node) not in qualified:
                if node.id in aliases:
                    self._whole(aliases[node.id])
                elif module.name and node.id in module.bindings:
                    self._symbol(module.name, node.id)
            elif isinstance(node, ast.JoinedStr):
                first = node.values[0].value if node.values and isinstance(node.values[0], ast.Constant) else ""
                if str(first).startswith(f"{self.package.name}."):
                    self._below(str(first).rpartition(".")[0])
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200:
                self._string(node.value)

    def _attribute(self, module_name: str, chain: list[str]) -> None:
        """``module.a.b``: down to the first name that is not a module."""
        while chain:
            deeper = f"{module_name}.{chain[0]}"
            module = self._module(module_name)
            if module and chain[0] in module.bindings or not self._module(deeper):
                self._symbol(module_name, chain[0])
                return
            module_name, chain = deeper, chain[1:]
        self._whole(module_name)

    def _below(self, package_name: str) -> None:
        """Every module of a subpackage."""
        folder = self.package.joinpath(*package_name.split(".")[1:])
        self._whole(package_name)
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(self.package).with_suffix("").parts
            self._whole(".".join([self.package.name, *(parts[:-1] if parts[-1] == "__init__" else parts)]))

    def _string(self, value: str) -> None:
        if re.fullmatch(rf"{self.package.name}(\.\w+)+(:\w+)?", value):
            name, _, symbol = value.partition(":")
            if not symbol and not self._module(name):
                name, _, symbol = name.rpartition(".")
            self._symbol(name, symbol) if symbol else self._whole(name)
        elif value.isidentifier():
            self._library(value)
        elif re.fullmatch(r"[\w./ -]+", value) and ("/" in value or "." in value) and ".." not in value:
            self.files.update(_files(self.data / value.removeprefix("data/").strip("/"), self.data))


class _Module:
    """The top-level statements of one file: those that bind a name, and those that act."""

    def __init__(self, tree: ast.Module, name: str, is_package: bool):
        self.name, self.is_package = name, is_package
        self.bindings: dict[str, list[ast.stmt]] = {}
        self.active: list[ast.stmt] = []
        for statement in tree.body if name else []:
            names = _names_bound_by(statement)
            for bound in names:
                self.bindings.setdefault(bound, []).append(statement)
            if not names and not _is_docstring(statement) or getattr(statement, "decorator_list", None):
                self.active.append(statement)
        bound = (statement for group in self.bindings.values() for statement in group)
        self.imports = [statement for statement in bound if isinstance(statement, (ast.Import, ast.ImportFrom))]
        self.tree = tree  # kept, so that the numbers below stay those of its nodes
        self._nodes: dict[int, list[ast.AST]] = {}
        self._texts: dict[int, str] = {}

    def nodes(self, tree: ast.AST) -> list[ast.AST]:
        """Everything inside a part of this module."""
        if id(tree) not in self._nodes:
            self._nodes[id(tree)] = list(ast.walk(tree))
        return self._nodes[id(tree)]

    def text(self, statement: ast.stmt) -> str:
        """The source of a part of this module, without comments and formatting."""
        if id(statement) not in self._texts:
            self._texts[id(statement)] = ast.unparse(statement)
        return self._texts[id(statement)]

    def absolute(self, node: ast.ImportFrom) -> str:
        """The dotted name that a ``from`` import starts at, relative ones resolved."""
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        base = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*base, *([node.module] if node.module else [])])


def dependencies(sources: Iterable[str]) -> Dependencies:
    """What pieces of Python code reach in this package and beyond; see :class:`Dependencies`."""
    return Dependencies(sources)


def key(code: Iterable[str], parameters: Mapping[str, Any], reached: Dependencies | None = None) -> str:
    """Digest of everything that decides the outputs of ``code`` run with ``parameters``; 16 hexadecimal digits."""
    code = list(code)
    reached = reached or dependencies(code)
    parts = {
        "code": code,
        "parameters": {name: [value, *_contents(value)] for name, value in parameters.items()},
        "definitions": reached.definitions,
        "libraries": reached.libraries,
        "files": {str(path.relative_to(reached.data)): _digest(path) for path in sorted(reached.files)},
        "python": list(sys.version_info[:2]),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _files(path: Path, data: Path) -> list[Path]:
    """The file, or all files of the folder, if it lies below ``data``; hidden ones do not count."""
    if path.is_file():
        return [path]
    found = sorted(path.rglob("*")) if path.is_dir() and path != data else []
    return [p for p in found if p.is_file() and not any(part.startswith(".") for part in p.relative_to(data).parts)]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _contents(value: Any) -> list[str]:
    """What stands in the files or folders that a parameter names, one, or a list or mapping of them."""
    if isinstance(value, Mapping):
        return _contents(list(value.values()))
    if isinstance(value, (list, tuple)):
        return [content for item in value for content in _contents(item)]
    if not isinstance(value, str) or len(value) > 1000 or "\0" in value:
        return []
    if any(len(part.encode("utf-8", "surrogatepass")) > 255 for part in value.split("/")):  # no name of a file
        return []
    if not any(map(str.isalnum, value)):  # a decimal point or a separator, and neither this folder nor the home folder
        return []
    try:
        path = expand(value)
    except ValueError:  # of a variable that is not set: the notebook will say so
        return []
    if not path.is_absolute() and "/" in value and (inside := _files(DATA / path, DATA)):
        return [_digest(p) for p in inside]
    below = PACKAGE.parent / path
    if not path.exists() and (below.is_file() or "/" in value):  # as loaders find it, wherever a kernel runs
        path = below
    if path.is_file():
        return [_digest(path)]
    if path.is_dir():
        kept = {tag.parent for tag in path.rglob(CACHE_TAG)}  # by runs, which are not to change their own key
        files = sorted(p for p in path.rglob("*") if p.is_file() and kept.isdisjoint(p.parents))
        shown = [(p, p.relative_to(path)) for p in files]
        told = [(p, name) for p, name in shown if not any(part.startswith(".") for part in name.parts)]
        return [f"{name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p, name in told]
    return []


def parse_code(source: str) -> ast.Module:
    """The tree of Python code, as :func:`ast.parse` makes it, one thread at a time.

    In Python 3.11 the depth that the parser counts belongs to the interpreter: two threads whose parsing overlaps, as
    that of several runs at once may, end in "SystemError: AST constructor recursion depth mismatch".

    Parameters
    ----------
    source
        Code without magics.

    Raises
    ------
    SyntaxError
        If the code is none.
    """
    with _ONE_AT_A_TIME:
        return ast.parse(source)


def without_magics(source: str) -> str:
    """Cells may hold IPython's own lines (``%time``, ``!ls``, ``?name``), which Python does not parse."""
    lines = source.splitlines()
    if lines and lines[0].lstrip().startswith("%%"):
        lines = lines[1:] if lines[0].split()[0] in ("%%time", "%%capture", "%%timeit") else []
    kept = (re.sub(r"^(\s*)%(?:time|timeit|prun)\s+", r"\1", line) for line in lines)
    return "\n".join(re.sub(r"^(\s*)[%!?].*$", r"\1pass", line) for line in kept)


def _names_bound_by(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [statement.name]
        case ast.Import():
            return [alias.asname or alias.name.split(".")[0] for alias in statement.names]
        case ast.ImportFrom(module="__future__"):
            return ["annotations"]
        case ast.ImportFrom():
            return [alias.asname or alias.name for alias in statement.names]
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            return _targets(statement)
    return []


def _targets(statement: ast.stmt) -> list[str]:
    """Names that an assignment binds; empty if it sets an item or an attribute, which is an effect."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    names = [node for target in targets for node in ast.walk(target)]
    if any(isinstance(node, (ast.Attribute, ast.Subscript)) for node in names):
        return []
    return [node.id for node in names if isinstance(node, ast.Name)]


@lru_cache(maxsize=512)
def _parsed(path: Path, name: str, changed: int, size: int) -> _Module:
    """The module of a file as it is since its last change: many keys are asked for, and most reach the same files."""
    return _Module(parse_code(path.read_text(encoding="utf-8")), name, path.name == "__init__.py")


def _module_aliases(nodes: Iterable[ast.AST], module: _Module, lookup) -> dict[str, str]:
    """Names that stand for modules of the package: ``import helpers.x as m``, ``from helpers import x``."""
    aliases = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if lookup(alias.name):
                    aliases[alias.asname or alias.name.split(".")[0]] = (
                        alias.name if alias.asname else alias.name.split(".")[0]
                    )
        elif isinstance(node, ast.ImportFrom):
            source = module.absolute(node)
            origin = lookup(source)
            for alias in node.names:
                if origin and alias.name not in origin.bindings and lookup(f"{source}.{alias.name}"):
                    aliases[alias.asname or alias.name] = f"{source}.{alias.name}"
    return aliases


def _dotted(node: ast.expr) -> list[str]:
    """``a.b.c`` as its names, or nothing if it does not begin with a plain name."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *reversed(names)] if isinstance(node, ast.Name) else []


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


@cache
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


@cache
def _version(module: str) -> str:
    """Version of the distribution that provides a top-level module, without its build label; '' if there is none."""
    if module in sys.stdlib_module_names:
        return ""
    names = _distributions().get(module, [])
    return ",".join(sorted(importlib.metadata.version(name).partition("+")[0] for name in set(names)))
