"""Forms are read as they were meant, runs are those of the command line, and a cancelled run has ended."""

import asyncio
import re
import shutil
import time

import nbformat
import psutil
import pytest

from helpers.book.live import FormError, Jobs, describe_chapter, form_values, parameter_code, parameter_text
from helpers.book.runs import Run, about_run, yaml_value


@pytest.fixture(scope="module")
def book(executed_book, tmp_path_factory):
    """A copy of the small book."""
    return shutil.copytree(executed_book, tmp_path_factory.mktemp("live") / "book")


@pytest.fixture
def lines(book):
    return book / "notebooks" / "01_lines.ipynb"


@pytest.mark.parametrize(
    "value, kind",
    [(0.1, "float"), (1e-12, "float"), (3, "int"), (True, "bool"), (None, "int | None"), ([1, 2.5, "a b"], "list"),
     ("a: {b", "str"), ("", "str"), ("'quoted'", "str"), ("two\nlines", "str"), ("3", "str | None"), ("ä", "str")],
)  # fmt: skip
def test_a_value_survives_the_form(value, kind):
    found = yaml_value(parameter_text(value, kind), kind)
    assert found == value and type(found) is type(value)


def test_a_form_has_what_the_parameters_cell_says(book):
    about = describe_chapter(book, "01_lines")
    assert about["parameters"][0] == {
        "name": "n", "kind": "int", "help": "numbers that are drawn", "default": "4", "value": "4",
    }  # fmt: skip
    assert [field["name"] for field in about["parameters"]] == ["n", "scale", "word"]
    assert [cell["id"] for cell in about["cells"] if cell["parameters"]] == ["parameters"]
    assert next(cell["alt"] for cell in about["cells"] if cell["id"] == "figure") == "A rising line."
    with pytest.raises(KeyError):
        describe_chapter(book, "99_none")


def test_defaults_of_a_form_are_no_parameters_of_the_run(lines):
    assert form_values(lines, {"n": "4", "scale": "1.0", "word": "mean"}) == {}
    assert form_values(lines, {"n": "5", "scale": "1.0"}) == {"n": 5}


def test_wrong_values_are_refused_each_with_the_message_of_the_run(lines):
    with pytest.raises(FormError) as refused:
        form_values(lines, {"n": "many", "scale": "[1", "sacle": "1", "word": "7"})
    errors = refused.value.errors
    assert set(errors) == {"n", "scale", "sacle"}
    with pytest.raises(ValueError) as said:
        Run(lines, lines, {"n": "many"}).check()
    assert errors["n"] and str(said.value).startswith(errors["n"])
    assert "is not YAML" in errors["scale"] and "no parameter 'sacle'" in errors["sacle"]


def test_parameters_are_set_in_a_kernel_as_they_are():
    values = {"n": 5, "word": "it's", "some": None, "list": [1, "a"]}
    found = {}
    exec(parameter_code(values), {}, found)
    assert found == values


async def ended(jobs, job, seconds=60):
    until = time.monotonic() + seconds
    while not job.is_over:
        assert time.monotonic() < until, job.state()
        await asyncio.sleep(0.05)
    return job


def test_what_the_page_shows_is_not_run_again(book):
    async def ask():
        jobs = Jobs(book)
        job = await jobs.start("01_lines", {"n": "4"})
        return job.status, jobs.results(job)

    status, found = asyncio.run(ask())
    assert status == "done" and not any(cell["differ"] for cell in found["cells"].values())
    assert all(old == new is not None for old, new in found["numbers"])


@pytest.mark.slow
def test_a_run_is_that_of_the_command_line_and_kept(book, capsys):
    async def ask():
        jobs = Jobs(book)
        first, same = await asyncio.gather(*(jobs.start("01_lines", {"n": "6"}) for _ in range(2)))
        assert first is same
        await ended(jobs, first)
        assert first.status == "done", first.state()
        began = time.monotonic()
        again = await Jobs(book).start("01_lines", {"n": "6"})
        return first, again, time.monotonic() - began, jobs.results(first)

    first, again, seconds, found = asyncio.run(ask())
    assert again.status == "done" and seconds < 5
    assert about_run(first.run.output)["key"] == first.id
    assert Jobs(book).get(first.id).run.parameters == {"n": 6}

    from helpers.__main__ import main

    lines = str(book / "notebooks" / "01_lines.ipynb")
    assert main(["run", lines, "-p", "n", "6", "-o", str(first.run.output.parent), "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("kept")

    differ = {name for name, cell in found["cells"].items() if cell["differ"]}
    assert differ == {"table", "figure", "answer"}
    assert ["1.50", "2.50"] in found["numbers"] and ["4", "6"] in found["numbers"]
    assert all("scrapbook" not in str(cell["outputs"]) for cell in found["cells"].values())


@pytest.mark.slow
def test_an_error_of_a_cell_is_told_with_its_traceback(book):
    async def ask():
        jobs = Jobs(book)
        job = await ended(jobs, await jobs.start("01_lines", {"n": "1"}))
        return job.state()

    state = asyncio.run(ask())
    assert state["status"] == "failed" and state["cell"] == "draw"
    assert state["error"] == "AssertionError: n has to be 2 or more"
    assert "assert n > 1" in re.sub(r"\x1b\[[\d;]*m", "", state["traceback"])


@pytest.mark.slow
def test_two_run_at_once_and_a_cancelled_one_leaves_no_process(book):
    async def ask():
        jobs = Jobs(book, n_jobs=2)
        slow = await jobs.start("02_slow", {"seconds": "300.0"})
        quick = await jobs.start("02_slow", {"seconds": "0.2"})
        until = time.monotonic() + 200
        while slow.state()["done"] < 2 and time.monotonic() < until:  # the imports are done, the sleep is going on
            await asyncio.sleep(0.05)
        family = [slow.process.pid, *(p.pid for p in psutil.Process(slow.process.pid).children(recursive=True))]
        assert len(family) > 1
        await jobs.cancel(slow)
        await ended(jobs, quick)
        alive = [pid for pid in family if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
        return slow.status, quick.status, alive, Jobs(book).found

    slow, quick, alive, _ = asyncio.run(ask())
    assert (slow, quick, alive) == ("cancelled", "done", [])


@pytest.mark.slow
def test_a_run_that_waits_for_a_place_can_be_cancelled(book):
    async def ask():
        jobs = Jobs(book, n_jobs=1)
        first = await jobs.start("02_slow", {"seconds": "301.0"})
        second = await jobs.start("02_slow", {"seconds": "302.0"})
        await asyncio.sleep(0.1)
        assert second.status == "waiting"
        await jobs.cancel(second)
        await jobs.cancel_all()
        return first, second

    first, second = asyncio.run(ask())
    assert first.status == second.status == "cancelled" and second.process is None
    assert first.process is None or first.process.returncode is not None


def test_a_chapter_of_another_book_is_not_found(book):
    with pytest.raises(KeyError):
        asyncio.run(Jobs(book).start("03_none", {}))
    with pytest.raises(KeyError):
        Jobs(book).get("0123456789abcdef")


def test_runs_of_cut_short_notebooks_are_no_results(book):
    key = "f" * 16
    folder = book / "_build" / "live" / key
    folder.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(), folder / "01_lines.ipynb")
    with pytest.raises(KeyError):
        Jobs(book).get(key)
