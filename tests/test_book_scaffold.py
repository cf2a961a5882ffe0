"""A chapter that is begun by the command fits the book, runs, and is tested like any other."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

from helpers.book.render import chapters, profile
from helpers.book.runs import Run, parameters_of
from helpers.book.scaffold import new_chapter

ROOT = Path(__file__).parents[1]


@pytest.fixture
def book(tmp_path):
    """The repository without what was built and recorded."""
    for name in ("_toc.yml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("notebooks", "helpers"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "data" / "profiles", tmp_path / "data" / "profiles")
    (tmp_path / "tests").mkdir()
    return tmp_path


def test_everything_that_belongs_to_a_chapter_is_written(book):
    before = (book / "_toc.yml").read_text().splitlines(), (book / "README.md").read_text().splitlines()
    written = new_chapter("99_hubs", title="Hubs and what they hide", part="Part II.", root=book)
    assert all(path.exists() for path in written)
    after = (book / "_toc.yml").read_text().splitlines(), (book / "README.md").read_text().splitlines()
    assert [len(new) - len(old) for old, new in zip(before, after, strict=True)] == [1, 1]
    parts = {entry["caption"]: entry["chapters"] for entry in yaml.safe_load((book / "_toc.yml").read_text())["parts"]}
    (second,) = [chapters for caption, chapters in parts.items() if caption.startswith("Part II.")]
    assert second[-1] == {"file": "notebooks/99_hubs"}
    notebook = book / "notebooks" / "99_hubs.ipynb"
    assert notebook in chapters(book)
    for name in ("smallest", "paper"):
        values = profile(name, book)["99_hubs"]
        Run(notebook, notebook, values).check()
        assert all(parameters_of(notebook)[key].default != value for key, value in values.items())
    cells = nbformat.read(notebook, as_version=4).cells
    assert [cell.source for cell in cells if "Hubs and what they hide" in cell.source and cell.cell_type == "markdown"]
    assert "(notebooks/99_hubs.ipynb)" in (book / "README.md").read_text()


def test_a_name_that_is_taken_or_no_name_is_refused_before_anything_is_written(book):
    contents = (book / "_toc.yml").read_text()
    with pytest.raises(FileExistsError, match="01_measures"):
        new_chapter("01_measures", root=book)
    for name in ("Hubs", "16-hubs", "16_", "16_lambda", ""):
        with pytest.raises(ValueError, match="name is"):
            new_chapter(name.replace("16_lambda", "16_class"), root=book)
    with pytest.raises(ValueError, match="part is 'Part X'; captions"):
        new_chapter("99_hubs", part="Part X", root=book)
    assert (book / "_toc.yml").read_text() == contents
    assert not (book / "helpers" / "studies" / "hubs.py").exists()


@pytest.mark.slow
def test_a_new_chapter_runs_as_it_is_and_so_do_its_sweep_and_its_test(book):
    environment = os.environ | {"PYTHONPATH": str(book)}

    def call(*words):
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=book, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr

    call("helpers", "new", "chapter", "99_hubs")
    call("helpers", "run", "99_hubs", "--profile", "smallest")
    call("helpers", "sweep", "notebooks/runs/hubs.yml", "-j", "1")
    assert len((book / "data" / "results" / "hubs.csv").read_text().splitlines()) == 1 + 3 * 5
    call("pytest", "-q", "-p", "no:cacheprovider", "tests/test_studies_hubs.py")
    shutil.copy(ROOT / "pyproject.toml", book)
    files = ["helpers/studies/hubs.py", "notebooks/99_hubs.ipynb", "notebooks/runs/hubs.ipynb"]
    call("ruff", "check", *files, "tests/test_studies_hubs.py")
    call("ruff", "format", "--check", *files, "tests/test_studies_hubs.py")
