"""Every chapter runs to its end at its smallest size, the book builds from it, and the profiles fit the chapters."""

import re
import shutil
from pathlib import Path

import nbformat
import papermill
import pytest

from helpers.book import costs
from helpers.book.render import build_book, chapters, outside_loads, profile
from helpers.book.runs import Run, execute_all, parameters_of

ROOT = Path(__file__).parents[1]
CHAPTERS = pytest.mark.parametrize("chapter", chapters(), ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def executed(request, tmp_path_factory):
    """The chapters that tests ask for at their smallest size, two at a time; the folder and the outcomes by chapter."""
    folder = tmp_path_factory.mktemp("executed")
    small = profile("smallest")
    asked = [item for item in request.session.items if "executed" in getattr(item, "fixturenames", ())]
    of_one = [item.callspec.params["chapter"] for item in asked if hasattr(item, "callspec")]
    wanted = set(of_one if len(of_one) == len(asked) else chapters())
    runs = [Run(path, folder / path.name, small.get(path.stem, {})) for path in chapters() if path in wanted]
    return folder, {outcome.run.notebook.stem: outcome for outcome in execute_all(runs, n_jobs=2)}


@pytest.mark.slow
@CHAPTERS
def test_chapter_runs(chapter, executed):
    outcome = executed[1][chapter.stem]
    assert outcome.status == "done", outcome.error


@pytest.mark.slow
@CHAPTERS
def test_every_figure_has_alternative_text_and_nothing_warns(chapter, executed):
    for cell in nbformat.read(executed[0] / chapter.name, as_version=4).cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", f"{cell.id}: {output.get('text', '')[:500]}"
            if "image/png" in output.get("data", {}) and "scrapbook" not in output.get("metadata", {}):
                assert cell.metadata.get("mystnb", {}).get("image", {}).get("alt"), (
                    f"cell {cell.id} draws without alt text"
                )


@pytest.mark.slow
def test_the_book_builds_without_a_warning_and_loads_nothing_from_elsewhere(executed, tmp_path):
    for name in ("_config.yml", "_toc.yml", "book", "notebooks", "data"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("encoders", "__pycache__"))
        else:
            shutil.copy(source, tmp_path)
    shutil.copytree(ROOT / "helpers", tmp_path / "helpers", ignore=shutil.ignore_patterns("__pycache__"))
    page = build_book(tmp_path, executed[0], quiet=True)
    html = page.parent
    assert outside_loads(html) == []
    for chapter in chapters():
        text = (html / "notebooks" / f"{chapter.stem}.html").read_text()
        assert not re.search(r'class="[^"]*(?:problematic|system-message)', text)
    students = build_book(tmp_path, executed[0], quiet=True, edition="students").parent
    assert len(list(students.rglob("*.html"))) == len(list(html.rglob("*.html")))


@CHAPTERS
def test_chapter_is_stored_without_outputs_and_with_one_parameters_cell(chapter):
    notebook = nbformat.read(chapter, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not [cell.id for cell in code if cell.outputs or cell.execution_count]
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    assert set(notebook.metadata) <= {"kernelspec"} and notebook.metadata.kernelspec.name == "python3"


@CHAPTERS
def test_every_parameter_is_explained(chapter):
    assert [p.name for p in parameters_of(chapter).values() if not p.help and p.name != "seed"] == []


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").rglob("*.ipynb")), ids=lambda path: path.stem)
def test_papermill_sees_every_parameter(notebook):
    assert list(papermill.inspect_notebook(str(notebook))) == list(parameters_of(notebook))


@CHAPTERS
@pytest.mark.parametrize("name", ["paper", "smallest"])
def test_profiles_name_only_parameters_that_the_chapter_has_and_that_differ_from_its_defaults(chapter, name):
    values = profile(name).get(chapter.stem, {})
    Run(chapter, chapter, values).check()
    defaults = {p.name: p.default for p in parameters_of(chapter).values()}
    assert [key for key, value in values.items() if value == defaults[key]] == []


def test_the_pocket_profile_is_what_every_chapter_does_by_default():
    assert profile("pocket") == {} and not (ROOT / "data" / "profiles" / "pocket").exists()


def test_the_readme_tells_the_recorded_costs(tmp_path):
    page = tmp_path / "README.md"
    shutil.copy(ROOT / "README.md", page)
    costs.update_table(page)
    assert page.read_text() == (ROOT / "README.md").read_text()
    assert {path.stem for path in chapters()} <= set(costs.read_costs())
    assert all(f"(notebooks/{path.name})" in page.read_text() for path in chapters())
