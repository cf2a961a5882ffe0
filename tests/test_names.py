"""Public functions and classes have names that say which they are, and what refers to one by name finds it."""

import ast
import re
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "helpers"

#: Words that say nothing without what they are done to.
EMPTY = set(
    "agreement build compare compute describe do evaluate experiment get load main make merge process read record run "
    "save study write".split()
)

#: What every study may give by these names: a page calls it by the name of the study, as in ``hubs.table()``.
STUDY = {"claims", "facts", "figure", "findings", "table"}

#: Other names that several modules share, or that are one empty word, and why.
REASONS = {
    "agreement": "a quality has the name under which its registry has it",
    "build": "report.build is called by the name of its package",
    "compare": "similarity.compare is called by the name of its package",
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
        for floor, names in public().items()
        for name, modules in names.items()
        if len(modules) > 1 and name not in REASONS and not (floor == "studies" and name in STUDY)
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


# References in docstrings

REFERENCE = re.compile(r":(?:func|class|meth|attr|data|mod):`[~!]?([\w.]+)`")


def defined(source):
    """What a module defines or imports at its top, members of its classes as ``Class.member``."""
    found = set()

    def look(body, prefix):
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                look(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found.update(
                    prefix + name.id for target in targets for name in ast.walk(target) if "id" in name._fields
                )
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                found.update(prefix + (alias.asname or alias.name).split(".")[0] for alias in node.names)
            elif isinstance(node, (ast.If, ast.Try)):
                look(node.body + node.orelse, prefix)

    look(ast.parse(source).body, "")
    return found


def lost(sources):
    """References of the docstrings of ``{module: source}`` to names of the package that are nowhere.

    A bare name is looked for in its module, in the modules beside it, and among the members of classes; a dotted one in
    the module that it names and, since packages show what is theirs, in those inside.
    """
    names = {module: defined(source) for module, source in sources.items()}
    problems = []
    for module, source in sources.items():
        package = module if any(other.startswith(f"{module}.") for other in sources) else module.rpartition(".")[0]
        near = set().union(*(found for other, found in names.items() if other.rpartition(".")[0] == package))
        near |= names[module] | names.get(package, set())
        members = {name.partition(".")[2] for name in names[module]}
        for reference in REFERENCE.findall(source):
            if reference.startswith("helpers"):
                parts = reference.split(".")
                cut = max(i for i in range(1, len(parts) + 1) if ".".join(parts[:i]) in sources)
                inside = [
                    found for other, found in names.items() if f"{other}.".startswith(".".join(parts[:cut]) + ".")
                ]
                there = cut == len(parts) or any(".".join(parts[cut:]) in found for found in inside)
            else:
                owner = reference.partition(".")[0]
                foreign = "." in reference and not any(name.startswith(f"{owner}.") for name in near)
                there = foreign or reference in near | members
            if not there:
                problems.append(f"{module}: {reference}")
    return problems


def test_every_reference_in_a_docstring_finds_what_it_names():
    sources = {}
    for path in PACKAGE.rglob("*.py"):
        parts = ("helpers", *path.relative_to(PACKAGE).with_suffix("").parts)
        sources[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    assert lost(sources) == []


def test_a_lost_reference_is_seen():
    sources = {
        "helpers": "",
        "helpers.a": "",
        "helpers.a.x": "class A:\n    m: int\n    def f(self): ...\n",
        "helpers.a.y": '""":class:`A` :meth:`A.f` :attr:`A.m` :func:`helpers.a.x.A` :class:`torch.nn.Linear`"""',
        "helpers.b": '""":class:`A` :func:`helpers.a.x.gone` :mod:`helpers.a`"""',
    }
    assert lost(sources) == ["helpers.b: A", "helpers.b: helpers.a.x.gone"]
