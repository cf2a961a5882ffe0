"""The floors of the package keep their borders; every import counts, those inside functions and in strings too."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "helpers"
FILES = sorted(PACKAGE.rglob("*.py"))
SUBPACKAGES = {path.parent.name for path in FILES if path.name == "__init__.py"} - {"helpers"}


def name_of(path, package=PACKAGE):
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source, module, *, is_package=False):
    """``(target module, name or None, whether it runs at import time)`` of everything that ``source`` imports."""
    tree = ast.parse(source)
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING")
        for node in ast.walk(block)
    }
    lazy = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }
    found = []
    for node in ast.walk(tree):
        n_jobs = id(node) not in typing_only | lazy
        if isinstance(node, ast.Import):
            found += [(alias.name, None, n_jobs) for alias in node.names if alias.name.split(".")[0] == "helpers"]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                parts = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parts, *([node.module] if node.module else [])])
            if base.split(".")[0] == "helpers":
                found += [(base, alias.name, n_jobs) for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if match := re.fullmatch(r"(helpers(?:\.\w+)+)(?::(\w+))?", node.value):
                found.append((match[1], match[2], False))
    return found


def floor_of(module):
    """``library``, ``studies`` or ``book``; the command line stands above them all."""
    second = module.split(".")[1] if "." in module else ""
    return second if second in ("studies", "book") else "command" if second == "__main__" else "library"


MAY_IMPORT = {
    "library": {"library"},
    "book": {"library", "book"},
    "studies": {"library", "book", "studies"},
    "command": {"library", "book", "studies"},
}


@cache
def modules():
    return {name_of(path) for path in FILES}


def resolved(base, name):
    """The module that an import reaches: a submodule where the name is one."""
    return f"{base}.{name}" if name and f"{base}.{name}" in modules() else base


def crossings(source, module, *, is_package=False):
    """What of an own import breaks a border, in words."""
    problems = []
    for base, name, _ in imports(source, module, is_package=is_package):
        target = resolved(base, name)
        if floor_of(target) not in MAY_IMPORT[floor_of(module)]:
            problems.append(f"{module} ({floor_of(module)}) imports {target} ({floor_of(target)})")
        package = module if is_package else module.rpartition(".")[0]
        names = [*target.split("."), *([name] if name and target == base else [])]
        for position, part in enumerate(names):
            private = part.startswith("_") and not part.startswith("__")
            if private and not f"{package}.".startswith(".".join(names[:position]) + "."):
                problems.append(f"{module} imports the private {'.'.join(names)}")
            elif private and name and name.startswith("_") and target == base and base != module:
                if base.rpartition(".")[0] != package and base != package:
                    problems.append(f"{module} imports the private {'.'.join(names)}")
    return sorted(set(problems))


def circles(edges):
    """Each strongly connected group of more than one module, found by removing what nothing or no one depends on."""
    edges = {module: set(targets) - {module} for module, targets in edges.items()}
    while True:
        used = set().union(*edges.values()) if edges else set()
        ends = {m for m, targets in edges.items() if not targets & set(edges)} | {m for m in edges if m not in used}
        if not ends:
            return sorted(edges)
        edges = {m: targets - ends for m, targets in edges.items() if m not in ends}


def test_floors_import_only_what_is_below_them_and_no_private_name():
    problems = [
        problem
        for path in FILES
        for problem in crossings(path.read_text(), name_of(path), is_package=path.name == "__init__.py")
    ]
    assert problems == [], "\n".join(problems)


def graph(at_once_only):
    edges = {}
    for path in FILES:
        module, is_package = name_of(path), path.name == "__init__.py"
        edges[module] = {
            resolved(base, name)
            for base, name, n_jobs in imports(path.read_text(), module, is_package=is_package)
            if n_jobs or not at_once_only
        }
    return edges


def test_no_modules_import_each_other_in_a_circle_lazy_imports_included():
    """A package that re-exports its modules is no circle: what imports the package is outside of it."""
    edges = graph(at_once_only=False)
    inner = {m: {t for t in targets if not m.startswith(f"{t}.")} for m, targets in edges.items()}
    assert circles(inner) == []


@pytest.mark.parametrize(
    "module, source",
    [
        ("helpers.similarity.cka", "from helpers.studies.fusion import score_methods"),
        ("helpers.similarity.cka", "def f():\n    from helpers.book import runs"),
        ("helpers.book.runs", "import helpers.studies.fusion"),
        ("helpers.quality", "from helpers.similarity._distances import points"),
        ("helpers.inference.paired", "x = 'helpers.book.style:INK'"),
        ("helpers.clients.coles", "if TYPE_CHECKING:\n    from helpers.studies.sweep import Sweep"),
        ("helpers.ensembles.replacing", "from helpers.similarity.cka import _kernel"),
    ],
)
def test_a_broken_border_is_seen(module, source):
    assert crossings(source, module)


def test_a_circle_is_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c"]
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []
