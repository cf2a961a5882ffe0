"""The doors that users know: python -m helpers, papermill, make, jupyter-book."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from helpers.__main__ import _Bar, main
from helpers.book.render import chapters
from helpers.book.runs import Outcome, Run, glued, parameters_of, yaml_value
from notebooks import write

ROOT = Path(__file__).parents[1]


def bin_(name):
    return str(Path(sys.executable).with_name(name))


def test_help_lists_the_commands(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("run", "sweep", "build", "apply", "report"))


def test_a_misspelt_parameter_is_refused_before_anything_runs(capsys):
    assert main(["run", "-p", "sedd", "3"]) == 2
    error = capsys.readouterr().err
    assert "no chapter has a parameter 'sedd'" in error and "01_measures" in error and "seed" in error


def test_an_ill_typed_parameter_is_refused_before_anything_runs(capsys):
    assert main(["run", "01_measures", "-p", "seed", "zero"]) == 2
    assert "parameter seed is 'zero' (str), where int is expected" in capsys.readouterr().err


@pytest.mark.parametrize("seed", ["-1", "4294967296"])
def test_a_seed_that_some_library_would_not_take_is_refused_before_anything_runs(capsys, seed):
    assert main(["run", "01_measures", "-p", "seed", seed]) == 2
    assert f"parameter seed is {seed}, where a whole number from 0 to 4294967295" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text, kind, value",
    [
        ("1e-3", "float", 0.001), ("2E5", "float", 200000.0), ("-1.5e+2", "", -150.0), ("3", "int", 3),
        ("a: {b", "str", "a: {b"), ("100%", "str", "100%"), ("it's", "str", "it's"), ("yes", "str", "yes"),
        ("'quoted'", "str", "quoted"), ("[1e-3, 2]", "list", [0.001, 2]), ("e5", "", "e5"), ("1e", "", "1e"),
    ],
)  # fmt: skip
def test_a_value_is_read_as_it_was_meant(text, kind, value):
    assert yaml_value(text, kind) == value and type(yaml_value(text, kind)) is type(value)


def test_an_unknown_chapter_or_profile_is_refused(capsys):
    assert main(["run", "99_none"]) == 2
    assert "01_measures" in capsys.readouterr().err
    assert main(["run", "--profile", "huge"]) == 2
    assert "'paper', 'pocket', 'smallest'" in capsys.readouterr().err


def test_a_dry_run_tells_parameters_of_the_profile(capsys):
    assert main(["run", "--profile", "paper", "-p", "seed", "7", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    seeded = [path for path in chapters() if "seed" in parameters_of(path)]
    assert len(lines) == len(chapters()) and sum("'seed': 7" in line for line in lines) == len(seeded) > 0


@pytest.mark.parametrize("plan", ["grid: {n: [1]}", "notebook: w.ipynb\ngird: {n: [1]}"])
def test_a_wrong_plan_is_refused(tmp_path, capsys, plan):
    write(tmp_path / "w.ipynb", "n")
    (tmp_path / "plan.yml").write_text(plan)
    assert main(["sweep", str(tmp_path / "plan.yml")]) == 2
    assert (
        "a plan has the entries notebook (required), parameters, grid, resources and tables" in capsys.readouterr().err
    )


@pytest.mark.slow
def test_a_failing_run_fails_the_command_and_loses_nothing(tmp_path, capsys):
    write(tmp_path / "w.ipynb", "assert n != 1, 'one is bad'", "from myst_nb import glue\nglue('square', n * n)")
    (tmp_path / "plan.yml").write_text("notebook: w.ipynb\nparameters: {flag: true}\ngrid: {n: [0, 1, 2]}")
    assert main(["sweep", str(tmp_path / "plan.yml"), "-o", str(tmp_path / "out"), "-j", "2"]) == 1
    out = capsys.readouterr().out
    assert "n=1: FAILED, cell 2 `assert n != 1, 'one is bad'`: AssertionError: one is bad" in out
    assert "2 done, 1 failed" in out
    table = pd.read_csv(tmp_path / "out" / "results.csv")
    assert table["status"].tolist() == ["done", "failed", "done"]
    assert table["square"].tolist()[::2] == [0, 4]


TAKES_TURNS = """
import time
from pathlib import Path
from helpers.waiting import alone

first = Path("met")
with alone("lock", "another process is drawing lots"):
    until = time.monotonic() + 300
    while not first.exists() and not list(Path("out").glob("*.waiting")) and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(1.5 * (not first.exists()))  # the bar looks every half second
    first.touch()
"""


@pytest.mark.slow
def test_runs_that_wait_for_each_other_say_so_on_the_console_and_not_on_the_page(tmp_path, capsys):
    write(tmp_path / "w.ipynb", TAKES_TURNS)
    (tmp_path / "plan.yml").write_text("notebook: w.ipynb\ngrid: {n: [0, 1]}")
    assert main(["sweep", str(tmp_path / "plan.yml"), "-o", str(tmp_path / "out"), "-j", "2"]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "waiting" in line]
    assert len(said) == 1 and said[0] in [f"n={n}: another process is drawing lots; waiting for it" for n in (0, 1)]
    for n in (0, 1):
        executed = nbformat.read(tmp_path / "out" / f"n={n}.ipynb", as_version=4)
        assert not any(cell.get("outputs") for cell in executed.cells)
    assert not list((tmp_path / "out").glob("*.waiting"))


@pytest.mark.slow
def test_the_sweep_of_the_book_runs(tmp_path):
    assert main(["sweep", str(ROOT / "notebooks" / "runs" / "chance.yml"), "-o", str(tmp_path), "-j", "2"]) == 0
    table = pd.read_csv(tmp_path / "results.csv")
    assert len(table) == 8 and table["cka_unbiased"].abs().max() < table["cka"].min()


@pytest.mark.slow
@pytest.mark.parametrize("door", ["-p", "-f"])
def test_papermill_runs_a_notebook_with_a_parameter_or_a_file(tmp_path, door):
    (tmp_path / "p.yml").write_text("n: 50\n")
    given = ["-p", "n", "50"] if door == "-p" else ["-f", str(tmp_path / "p.yml")]
    notebook, out = ROOT / "notebooks" / "runs" / "chance.ipynb", tmp_path / "out.ipynb"
    subprocess.run([bin_("papermill"), notebook, out, *given], check=True, capture_output=True, timeout=120)
    assert glued(out)["n"] == 50


def test_papermill_explains_the_parameters_of_a_chapter():
    command = [bin_("papermill"), "--help-notebook", str(chapters()[0])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert "seed" in done.stdout


@pytest.mark.slow
def test_the_plain_door_renders_and_its_cache_follows_the_helpers(tmp_path):
    """``jupyter-book build .`` executes by itself, and executes again when a helper changes."""
    import shutil

    for name in ("_config.yml", "book/_ext", "book/_static", "book/_templates"):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    (tmp_path / "book" / "references.bib").write_text("")
    (tmp_path / "book" / "intro.md").write_text("# Welcome\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/intro\nchapters:\n  - file: notebooks/a\n")
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers" / "answer.py").write_text("VALUE = 'forty-two'\n")
    (tmp_path / "notebooks").mkdir()
    code = "import pathlib\nprint('it is ' + pathlib.Path('../helpers/answer.py').read_text().split(\"'\")[1])"
    write(tmp_path / "notebooks" / "a.ipynb", "# A", code)

    def page():
        command = [bin_("jupyter-book"), "build", ".", "-W", "-n", "--keep-going"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr[-3000:]
        return (tmp_path / "_build" / "html" / "notebooks" / "a.html").read_text()

    assert "it is forty-two" in page()
    (tmp_path / "helpers" / "answer.py").write_text("VALUE = 'forty-three'\n")
    assert "it is forty-three" in page()


def test_make_help_lists_the_targets():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=120, env=os.environ)
    assert all(target in done.stdout for target in ("book", "test", "students", "clean", "help"))


def test_worker_notebooks_have_parameters_and_no_outputs():
    for path in (ROOT / "notebooks" / "runs").glob("*.ipynb"):
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        assert sum("parameters" in cell.metadata.get("tags", []) for cell in cells) == 1
        assert not any(cell.outputs for cell in cells)


def test_relative_folders_of_several_runs_at_once_are_those_of_the_call(tmp_path, monkeypatch, capsys):
    """For run and for sweep: nothing lands beside the notebooks, nothing runs again."""
    (tmp_path / "books").mkdir()
    for name in "ab":
        write(tmp_path / "books" / f"{name}.ipynb", "import time\ntime.sleep(0.3)")
    (tmp_path / "plan.yml").write_text(f"notebook: {tmp_path / 'books' / 'a.ipynb'}\ngrid:\n  n: [0, 1]\n")
    monkeypatch.chdir(tmp_path)
    calls = [["run", "books/a.ipynb", "books/b.ipynb", "-o", "out"], ["sweep", "plan.yml", "-o", "swept"]]
    for call in calls:
        assert main([*call, "-j", "2"]) == 0 and "2 done" in capsys.readouterr().out
        assert main([*call, "-j", "2"]) == 0 and "2 kept" in capsys.readouterr().out
    made = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.suffix in (".ipynb", ".csv")}
    there = {"books/a.ipynb", "books/b.ipynb", "out/a.ipynb", "out/b.ipynb"}
    assert made == there | {"swept/n=0.ipynb", "swept/n=1.ipynb", "swept/results.csv"} and Path.cwd() == tmp_path


def test_time_left_is_told_by_other_runs_of_the_notebook(tmp_path):
    runs = [Run(tmp_path / "worker.ipynb", tmp_path / f"{seed}.ipynb") for seed in range(4)]
    runs[3].output.write_text('{"metadata": {"book": {"seconds": 500}}}', encoding="utf-8")
    bar = _Bar(runs, "runs", n_jobs=1)
    assert bar.remaining() == 4 * 500  # nothing else is known of the others
    bar.ended(Outcome(runs[0], "done", 100.0))
    assert bar.remaining() == 500 + 2 * 300
    bar.ended(Outcome(runs[1], "failed", 1.0))
    bar.ended(Outcome(runs[3], "kept"))
    assert bar.remaining() == 300
