"""What a run depends on is found exactly: everything it reaches, and nothing else."""

import ast
import gc
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from helpers.book import fingerprint
from helpers.book.fingerprint import Dependencies, dependencies, key, without_magics
from helpers.book.render import chapters
from helpers.locations import mark_as_cache

FILES = {
    "__init__.py": '"""Nothing here."""',
    "measures/__init__.py": "from toolbox.measures.near import near\nfrom .far import far, LIMIT\n",
    "measures/near.py": """
        import numpy as np
        from toolbox._base import check

        def near(x):
            return np.sum(check(x)) + scale()

        def scale():
            return 2

        def unused():
            return "far away"
        """,
    "measures/far.py": """
        from .._base import check as looked_at

        LIMIT = 3

        def far(x):
            return looked_at(x) * LIMIT
        """,
    "_base.py": """
        SEEN = []

        def check(x):
            '''Check x.'''
            return x
        """,
    "table.py": """
        REGISTRY = {"near": "toolbox.measures.near:near"}

        def load(name):
            return open("results/table.csv")
        """,
    "effects.py": """
        def touch():
            return 1

        def install():
            return 2

        install()
        """,
}


@pytest.fixture
def package(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "toolbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    (tmp_path / "data" / "results").mkdir(parents=True)
    (tmp_path / "data" / "results" / "table.csv").write_text("a,b\n")
    return tmp_path / "toolbox"


def reached(package, source):
    return Dependencies([source], package, package.parent / "data")


def names(package, source):
    return {label.removeprefix("toolbox.") for label in reached(package, source).definitions}


@pytest.mark.parametrize(
    "source",
    [
        "from toolbox.measures import near\nnear(1)",
        "from toolbox.measures.near import near as n",
        "import toolbox.measures\ntoolbox.measures.near(1)",
        "from toolbox import measures as m\nm.near(1)",
        "def later():\n    from toolbox.measures.near import near\n    return near",
    ],
)
def test_a_function_brings_what_it_calls_and_nothing_else(package, source):
    assert names(package, source) == {"measures.near:near", "measures.near:scale", "_base:check"}


def test_relative_and_renamed_imports_are_followed(package):
    assert names(package, "from toolbox.measures import far") == {
        "measures.far:far",
        "measures.far:LIMIT",
        "_base:check",
    }


def test_a_module_passed_around_counts_whole(package):
    assert {"effects:touch", "effects:install"} <= names(package, "from toolbox import effects\nprint(effects)")
    assert {"measures.near:near", "measures.far:far"} <= names(package, "import toolbox.measures as m\nprint(m)")


@pytest.mark.parametrize("other", ["x = 1", "m.far(2)"])
def test_what_one_cell_imports_is_followed_in_the_next(package, other):
    cells = [f"from toolbox import measures as m\n{other}", "%time\n!ls", "def use():\n    return m.near(1)"]
    found = Dependencies(cells, package, package.parent / "data").definitions
    assert {"toolbox.measures.near:near", "toolbox.measures.near:scale"} <= set(found)
    assert ("toolbox.measures.far:far" in found) == ("far" in other)
    assert "toolbox.measures.near:unused" not in found


def test_the_key_of_each_chapter_covers_all_of_its_study_that_it_calls():
    for notebook in chapters():
        cells = [cell.source for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "code"]
        code = "\n".join(map(without_magics, cells))
        assert dependencies(cells).definitions == dependencies([code]).definitions, notebook.stem


def test_a_star_import_counts_whole(package):
    assert "measures.near:unused" in names(package, "from toolbox.measures.near import *")


def test_a_dotted_path_in_a_string_is_an_import(package):
    assert "measures.near:near" in names(package, "from toolbox.table import REGISTRY")


def test_an_f_string_of_module_names_counts_for_all_of_them(package):
    found = names(package, 'name = "near"\nimport_module(f"toolbox.measures.{name}")')
    assert {"measures.near:near", "measures.far:far"} <= found


def test_statements_that_act_on_import_count(package):
    assert names(package, "from toolbox.effects import touch") == {"effects:touch", "effects:#0", "effects:install"}


def test_a_data_file_named_in_the_code_counts_by_its_contents(package):
    assert [path.name for path in reached(package, "from toolbox.table import load").files] == ["table.csv"]


def test_a_folder_below_data_counts_by_the_contents_of_its_files(package):
    folder = package.parent / "data" / "models" / "small"
    (folder / ".cache").mkdir(parents=True)
    (folder / "weights.bin").write_bytes(b"1")
    source = "from toolbox.measures import near\nMODEL = 'models/small'"
    before = digest(package, source)
    assert [path.name for path in reached(package, source).files] == ["weights.bin"]
    (folder / ".cache" / "lock").write_bytes(b"")
    (folder / "weights.bin").touch()
    assert digest(package, source) == before
    (folder / "weights.bin").write_bytes(b"2")
    assert digest(package, source) != before


def test_files_of_one_name_in_two_folders_both_count(package):
    for name in ("first", "second"):
        (package.parent / "data" / name).mkdir()
        (package.parent / "data" / name / "table.csv").write_text(name)
    source = "A, B = 'first/table.csv', 'second/table.csv'"
    before = digest(package, source)
    (package.parent / "data" / "first" / "table.csv").write_text("changed")
    assert digest(package, source) != before


def test_what_runs_keep_in_a_folder_that_they_are_told_does_not_change_their_key(tmp_path):
    """Files of the folder count, those in a cache below it and hidden ones, such as locks, do not."""
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "one.deb").write_bytes(b"1")
    before = key(["1"], {"corpus": str(folder)})
    (mark_as_cache(folder / "corpus-1") / "pairs.parquet").write_bytes(b"kept")
    (folder / ".corpus.lock").touch()
    assert key(["1"], {"corpus": str(folder)}) == before
    (folder / "two.deb").write_bytes(b"2")
    assert key(["1"], {"corpus": str(folder)}) != before


def test_a_mark_as_a_parameter_names_no_folder(package, tmp_path, monkeypatch):
    """A decimal point is not the folder one is in, nor a tilde that of the user."""
    monkeypatch.chdir(tmp_path)
    marks = {"options": {"thousands": ".", "decimal": ",", "separator": "~"}}
    before = key(["1"], marks)
    (tmp_path / "new.txt").write_text("new")
    assert key(["1"], marks) == before != key(["1"], {"options": marks["options"] | {"separator": "/"}})


def test_a_list_of_files_as_a_parameter_counts_by_contents(package, tmp_path):
    file = tmp_path / "one.csv"
    file.write_text("1")
    before = digest(package, inputs=[str(file)])
    file.write_text("2")
    assert digest(package, inputs=[str(file)]) != before


def test_versions_of_imported_libraries_count(package):
    assert set(reached(package, "from toolbox.measures import near").libraries) == {"numpy"}
    assert "papermill" in reached(package, "NAMES = ('papermill', 'no_such_library')").libraries


def digest(package, source="from toolbox.measures import near", **parameters):
    return key([source], parameters, reached(package, source))


def edit(package, name, old, new):
    path = package / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_an_edit_of_what_is_reached_changes_the_key(package):
    before = digest(package)
    edit(package, "measures/near.py", "return 2", "return 3")
    assert digest(package) != before


def test_an_edit_of_another_function_of_the_module_does_not(package):
    before = digest(package)
    edit(package, "measures/near.py", "far away", "elsewhere")
    edit(package, "measures/far.py", "LIMIT = 3", "LIMIT = 4")
    assert digest(package) == before


def test_a_comment_or_other_formatting_does_not(package):
    before = digest(package)
    edit(package, "measures/near.py", "return 2", "return   2  # two")
    assert digest(package) == before


def test_parameters_and_the_files_they_name_change_the_key(package, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("one")
    assert digest(package, n=1) != digest(package, n=2)
    before = digest(package, text=str(text))
    text.write_text("two")
    assert digest(package, text=str(text)) != before


def test_ipython_lines_do_not_disturb(package):
    source = "%matplotlib inline\n!ls\n%time from toolbox.measures import near\nnear(1)"
    assert "measures.near:near" in names(package, source)


class Cycle:
    """Garbage whose end lets another thread in."""

    def __init__(self):
        self.me = self

    def __del__(self):
        time.sleep(0.0005)


def test_threads_that_parse_at_once_do_not_upset_each_other():
    """With the parser alone these threads fail within a second on Python 3.11."""
    source = Path(fingerprint.__file__).read_text(encoding="utf-8")
    expected, found, until = ast.dump(ast.parse(source)), [], time.monotonic() + 1

    def work():
        while time.monotonic() < until:
            [Cycle() for _ in range(3)]
            found.append(ast.dump(fingerprint.parse_code(source)) == expected)

    before = gc.get_threshold()
    gc.set_threshold(50)
    try:
        with ThreadPoolExecutor(3) as pool:
            for one in [pool.submit(work) for _ in range(3)]:
                one.result()
    finally:
        gc.set_threshold(*before)
    assert found and all(found)
