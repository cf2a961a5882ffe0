"""No module is longer than 700 lines and no body of a function longer than 80, but for a reason that stands here."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "helpers"
FILES = sorted(PACKAGE.rglob("*.py"))
MODULE, BODY = 700, 80

#: What may be longer, and why.
REASONS: dict[str, str] = {
    "helpers.similarity._cone._presentation": "one compiled loop whose steps share its arrays",
}

#: What is still to be divided; nothing may be added.
KNOWN: set[str] = set()


def name_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def body_length(function):
    """Lines from the first statement after the docstring to the last one."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return function.end_lineno - body[0].lineno + 1 if body else 0


def too_long(source, module):
    """The module, if it is too long, and its functions whose bodies are, methods and inner functions included."""
    found = {module} if len(source.splitlines()) > MODULE else set()

    def look(node, name):
        for child in ast.iter_child_nodes(node):
            inner = name
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                inner = f"{name}.{child.name}"
                if not isinstance(child, ast.ClassDef) and body_length(child) > BODY:
                    found.add(inner)
            look(child, inner)

    look(ast.parse(source), module)
    return found


def test_modules_and_functions_are_short_or_there_is_a_reason():
    found = set().union(*(too_long(path.read_text(encoding="utf-8"), name_of(path)) for path in FILES))
    assert found <= KNOWN | set(REASONS), sorted(found - KNOWN - set(REASONS))
    assert set(REASONS) <= found, f"no longer too long: {sorted(set(REASONS) - found)}"


def test_a_long_module_a_long_function_and_a_long_method_are_seen():
    body = "\n".join(["        x = 1"] * (BODY + 1))
    assert too_long("x = 1\n" * (MODULE + 1), "m") == {"m"}
    assert too_long("x = 1\n" * MODULE, "m") == set()
    assert too_long(f"class A:\n    def f(self):\n{body}\n", "m") == {"m.A.f"}
    assert too_long(f"def f():\n    def g():\n{body}\n    return g\n", "m") == {"m.f", "m.f.g"}


def test_a_docstring_does_not_count():
    lines = "\n".join(["    word"] * (BODY + 1))
    assert too_long(f'def f():\n    """First.\n{lines}\n    """\n    return 1\n', "m") == set()
