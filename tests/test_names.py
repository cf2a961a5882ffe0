"""Public functions and classes have names that say which they are: no two of one floor share one."""

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "helpers"

#: Words that say nothing without what they are done to.
EMPTY = set(
    "agreement build compare compute describe do evaluate experiment get load main make merge process read record run "
    "save study write".split()
)

#: Names that several modules share, or that are one empty word, and why.
REASONS = {
    "agreement": "a quality has the name under which its registry has it",
    "build": "report.build is called by the name of its package",
    "claims": "every study that takes its claims from a published table gives them by this name",
    "compare": "similarity.compare is called by the name of its package",
    "findings": "every study gives what judge takes by this name",
    "main": "what python -m helpers calls",
    "read": "inputs.read and clients.read are called by the names of their packages",
}


def public(package=PACKAGE, kinds=(ast.FunctionDef, ast.ClassDef)):
    """Floor → name → the modules that define it; private modules and packages do not count."""
    found = defaultdict(lambda: defaultdict(list))
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        if any(part.startswith("_") and not part.startswith("__") for part in parts):
            continue
        floor = parts[0] if parts[0] in ("studies", "book") else "library"
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, kinds) and not node.name.startswith("_"):
                found[floor][node.name].append(".".join(parts))
    return found


def test_no_two_public_names_of_one_floor_are_the_same_but_for_a_reason():
    shared = {
        name: modules
        for names in public().values()
        for name, modules in names.items()
        if len(modules) > 1 and name not in REASONS
    }
    assert shared == {}


def test_no_public_function_is_one_word_that_says_nothing_but_for_a_reason():
    names = public(kinds=ast.FunctionDef).values()
    empty = {name: modules for floor in names for name, modules in floor.items() if name in EMPTY - set(REASONS)}
    assert empty == {}


def test_every_reason_is_needed():
    names = public().values()
    needed = {name for floor in names for name, modules in floor.items() if len(modules) > 1 or name in EMPTY}
    assert set(REASONS) - needed == set()


def test_equal_names_are_seen(tmp_path):
    for folder in ("tasks", "clients", "studies", "clients/_tables"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "sources.py").write_text("def load(): ...\ndef _own(): ...\nclass Plan: ...\n")
    found = public(tmp_path)
    assert found["library"]["load"] == ["clients.sources", "tasks.sources"] and found["studies"]["load"]
    assert "_own" not in found["library"]
