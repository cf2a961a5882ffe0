"""Every parameter of every chapter can be used: what cannot be is refused in the first cells, in words."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.__main__ import main
from helpers.book.render import chapters
from helpers.book.runs import parameters_of
from helpers.book.unusual import FIRST_CELLS, Case, read_cases, refusal, try_cases
from notebooks import write

ROOT = Path(__file__).parents[1]
CASES = read_cases()
#: What decides only the order of chance, a place on the disk, or a form that the reader of a table judges.
NOT_TRIED = {"seed", "column", "options"}
#: What chapters on clients hand to the one function that trains, which 09b_encoders tries for all of them.
TRAINING = {"source", "n_clients", "fractions", "experiments", "models", "space", "out"}


def test_every_chapter_has_values_that_run_and_values_that_are_refused():
    for chapter in chapters():
        kinds = {bool(case.says) for case in CASES if case.chapter == chapter}
        assert kinds == {True, False}, chapter.stem


def test_no_case_stands_twice_and_every_one_differs_from_the_smallest_size():
    words = [str(case) for case in CASES]
    assert len(set(words)) == len(words)
    assert [str(case) for case in CASES if not case.values] == []


SAYS = """
import json, warnings
from helpers.book.unusual import read_cases, refusal
warnings.simplefilter("ignore")
cases = [case for case in read_cases() if case.says and not case.missing]
print(json.dumps({str(case): refusal(case) for case in cases}))
"""


@pytest.fixture(scope="module")
def said():
    """Case → the error that refuses it; found in a process of its own, whose settings the cells may change."""
    environment = os.environ | {"MPLBACKEND": "Agg", "HF_HUB_OFFLINE": "1"}
    found = subprocess.run([sys.executable, "-c", SAYS], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr[-3000:]
    return json.loads(found.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("chapter", chapters(), ids=lambda path: path.stem)
def test_what_cannot_be_is_refused_in_the_first_cells(chapter, said):
    cases = [case for case in CASES if case.chapter == chapter and str(case) in said]
    wrong = {str(case): said[str(case)] for case in cases if case.says not in said[str(case)]}
    assert cases and wrong == {}


@pytest.fixture
def small(tmp_path):
    """A notebook that refuses 0 in its first cell and fails late on 1."""
    late = ["x = 2"] * FIRST_CELLS
    return write(
        tmp_path / "small.ipynb",
        "if n == 0:\n    raise ValueError('n is 0; at least 1')",
        *late,
        "assert n > 1, 'n is 1'",
    )


def case_of(notebook, says="", **values):
    return Case(notebook, values, says)


def test_a_refusal_is_found_without_a_kernel_and_a_late_error_is_none(small):
    assert refusal(case_of(small, n=0)) == "ValueError: n is 0; at least 1"
    assert refusal(case_of(small, n=1)) == "" == refusal(case_of(small, n=2))


@pytest.mark.slow
def test_a_sweep_tells_what_did_not_do_as_expected(small, tmp_path):
    cases = [
        case_of(small, n=2),
        case_of(small, n=3, says="n is 3"),
        case_of(small, n=0, says="n is 0; at least 1"),
        case_of(small, n=0, says="n is nothing", rate=0.1),
        case_of(small, n=0, rate=0.2),
        case_of(small, n=1, says="n is 1"),
    ]
    found = {str(verdict.case): verdict for verdict in try_cases(cases, tmp_path / "out")}
    faults = [found[str(case)].fault for case in cases]
    assert faults == [
        "",
        "expected to be refused: n is 3",
        "",
        "expected the words: n is nothing",
        "expected to run",
        f"refused too late; one of the first {FIRST_CELLS} cells has to do it",
    ]
    assert found[str(cases[2])].told.startswith("refused in cell 1 after 0 s: ")
    assert {verdict.told for verdict in try_cases(cases[:1], tmp_path / "out")} == {"runs, kept"}


def test_a_table_with_a_mistake_is_refused(tmp_path, capsys):
    table = tmp_path / "unusual.yml"
    for text, words in [
        ("99_none: [{n: 1}]", "there is no chapter '99_none'"),
        ("01_measures: [{wdth: 1}]", "has no parameter 'wdth'"),
        ("01_measures: [{width: wide}]", "parameter width is 'wide' (str), where int is expected"),
    ]:
        table.write_text(text)
        assert main(["unusual", "--table", str(table)]) == 2
        assert words in capsys.readouterr().err


def test_data_that_are_not_there_leave_a_case_out_with_a_word(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    table = tmp_path / "unusual.yml"
    table.write_text('01_measures: [{text_file: "$BOOK_DATA/none.txt"}]')
    assert main(["unusual", "01_measures", "--table", str(table)]) == 0
    out = capsys.readouterr().out
    assert "left out" in out and "there is no $BOOK_DATA/none.txt" in out and "0 cases" in out


@pytest.mark.parametrize("value", [None, ""])
def test_the_folder_of_all_data_is_missing_where_the_variable_names_none(value, monkeypatch):
    monkeypatch.delenv("BOOK_DATA", raising=False)
    if value is not None:
        monkeypatch.setenv("BOOK_DATA", value)
    assert Case(Path("x.ipynb"), {"source": "$BOOK_DATA"}).missing == "$BOOK_DATA"
    assert Case(Path("x.ipynb"), {"source": "nowhere"}).missing == ""


def test_every_parameter_that_is_not_left_out_is_tried():
    tried = {(case.chapter.stem, name) for case in CASES for name in case.values}
    missing = {
        f"{chapter.stem}: {name}"
        for chapter in chapters()
        for name in parameters_of(chapter)
        if name not in NOT_TRIED and (chapter.stem, name) not in tried
    }
    missing = {name for name in missing if not (re.match(r"1[0-5]_", name) and name.partition(": ")[2] in TRAINING)}
    assert missing == set()
