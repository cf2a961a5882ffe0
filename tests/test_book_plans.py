"""A plan says which tables its rows go to, and a sweep brings them there: once, whole, and again when they are lost."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from helpers.__main__ import main
from helpers.book.plans import read_plan, run_names
from notebooks import write

ROOT = Path(__file__).parents[1]

COUNTED = """
import os, time
from pathlib import Path
from helpers.book.rows import keep_rows
import pandas as pd
with open(Path("executed"), "a") as file:
    file.write(f"{n}\\n")
"""
KEEPS = """
keep_rows(
    squares=pd.DataFrame({"n": n, "of": ["n", "half n"], "square": [float(n * n), (n / 2) ** 2 / 3]}),
    sizes=pd.DataFrame({"n": [n], "size": [len(str(n))]}),
)
"""
TABLES = """
tables:
  squares:
    file: results/squares.csv
    key: [n, of]
    replace: [n]
    decimals: 4
    versions: [numpy]
  sizes:
    file: results/sizes.csv
    key: [n]
"""


@pytest.fixture
def sweep(tmp_path, capsys):
    """A plan over n = 0 … 3 in a folder of its own, and the call that executes it."""
    write(tmp_path / "w.ipynb", COUNTED, KEEPS)
    (tmp_path / "plan.yml").write_text("notebook: w.ipynb\ngrid: {n: [0, 1, 2, 3]}" + TABLES)

    def call(*options):
        status = main(["sweep", str(tmp_path / "plan.yml"), "-o", str(tmp_path / "out"), "-j", "2", *options])
        return status, capsys.readouterr()

    return call


def contents(folder):
    return {path.name: path.read_bytes() for path in (folder / "results").glob("[!.]*")}


def command(folder, *options):
    return [sys.executable, "-m", "helpers", "sweep", str(folder / "plan.yml"), "-o", str(folder / "out"), *options]


def executed(folder):
    return sorted((folder / "executed").read_text().split())


@pytest.mark.slow
def test_a_table_that_was_deleted_is_made_again_from_kept_runs_byte_for_byte(tmp_path, sweep):
    status, said = sweep()
    assert status == 0
    first = contents(tmp_path)
    assert set(first) == {"squares.csv", "sizes.csv"}
    assert f"{tmp_path}/results/squares.csv: 8 rows from 4 runs (4 executed now, 0 kept): 8 new" in said.out
    for name in first:
        (tmp_path / "results" / name).unlink()
    status, said = sweep()
    assert status == 0 and contents(tmp_path) == first and executed(tmp_path) == ["0", "1", "2", "3"]
    assert f"{tmp_path}/results/squares.csv: 8 rows from 4 runs (0 executed now, 4 kept): 8 new" in said.out
    assert "8 there already" in sweep()[1].out and contents(tmp_path) == first

    table = pd.read_csv(tmp_path / "results" / "squares.csv")
    assert table["square"].tolist() == [0, 0, 1, 0.0833, 4, 0.3333, 9, 0.75]
    full = pd.read_parquet(tmp_path / "out" / "n=2.rows" / "squares.parquet")
    assert full["square"].tolist() == [4.0, 1 / 3]
    assert table.columns.tolist() == ["n", "of", "square", "versions", "machine", "date", "minutes"]

    # rows that are lost are made again, and rows of other sweeps stay
    (tmp_path / "out" / "n=1.rows" / "sizes.parquet").unlink()
    (tmp_path / "results" / "sizes.csv").write_text("n,size\n1,99\n77,2\n")
    status, said = sweep()
    assert status == 0 and executed(tmp_path) == ["0", "1", "1", "2", "3"]
    assert (tmp_path / "results" / "sizes.csv").read_text() == "n,size\n0,1\n1,1\n2,1\n3,1\n77,2\n"
    assert (
        f"{tmp_path}/results/sizes.csv: 4 rows from 4 runs (1 executed now, 3 kept): "
        "1 in place of older rows, 3 new; of other runs: 1, untouched" in said.out
    )


@pytest.mark.slow
def test_a_run_that_fails_does_not_lose_the_rows_of_the_others(tmp_path, sweep):
    write(tmp_path / "w.ipynb", COUNTED, "assert n != 2 or rate != 0.5, 'diverged'", KEEPS)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "sizes.csv").write_text("n,size\n2,55\n")
    status, said = sweep()
    assert status == 1 and "3 done, 1 failed" in said.out
    assert (tmp_path / "results" / "sizes.csv").read_text() == "n,size\n0,1\n1,1\n2,55\n3,1\n"
    assert "sizes.csv: 3 rows from 3 runs (3 executed now, 0 kept): 3 new; of other runs: 1, untouched" in said.out


#: The first run lasts until a process, left with nothing else, says that it waits for it (or long enough to fail).
UNTIL_AWAITED = """
began = time.monotonic()
while n == 0 and time.monotonic() < began + 200:
    if any("another process is executing n=0" in path.read_text("utf-8") for path in Path().glob("*.said")):
        break
    time.sleep(0.1)
"""


@pytest.mark.slow
def test_two_sweeps_started_at_once_share_the_work(tmp_path):
    write(tmp_path / "w.ipynb", COUNTED, UNTIL_AWAITED, KEEPS)
    (tmp_path / "plan.yml").write_text("notebook: w.ipynb\ngrid: {n: [0, 1, 2, 3]}" + TABLES)
    files = [tmp_path / "first.said", tmp_path / "second.said"]
    both = []
    for path in files:
        with open(path, "w", encoding="utf-8") as out:
            both.append(subprocess.Popen(command(tmp_path, "-j", "1"), stdout=out, stderr=subprocess.STDOUT))
    codes = [process.wait(timeout=600) for process in both]
    said = [path.read_text("utf-8") for path in files]
    assert codes == [0, 0], said
    assert executed(tmp_path) == ["0", "1", "2", "3"]
    done = sorted(int(out.split(" executed now")[0].rpartition("(")[2]) for out in said)
    assert done == [1, 3], said
    assert sum("another process is executing n=0; waiting for it" in out for out in said) == 1, said
    assert len(pd.read_csv(tmp_path / "results" / "squares.csv")) == 8
    assert all("4 done" not in out and "failed" not in out for out in said)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_sweep_keeps_the_rows_of_what_was_finished(tmp_path, sent):
    write(tmp_path / "w.ipynb", COUNTED, "time.sleep(900 if n == 1 and not Path('resumed').exists() else 0)", KEEPS)
    (tmp_path / "plan.yml").write_text("notebook: w.ipynb\ngrid: {n: [0, 1, 2]}" + TABLES)
    process = subprocess.Popen(command(tmp_path, "-j", "1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.time() + 300
    while not (tmp_path / "executed").exists() or executed(tmp_path) != ["0", "1"]:
        assert time.time() < deadline and process.poll() is None
        time.sleep(0.2)
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(sent)
    out, _ = process.communicate(timeout=300)
    _, alive = psutil.wait_procs(below, timeout=120)  # a kernel notices by itself that it was left alone
    assert not alive
    if sent == signal.SIGINT:
        assert process.returncode == 130 and "2 rows from 1 run (1 executed now, 0 kept): 2 new" in out
        assert (tmp_path / "results" / "sizes.csv").read_text() == "n,size\n0,1\n"
    else:
        assert not (tmp_path / "results").exists()
    (tmp_path / "resumed").touch()
    done = subprocess.run(command(tmp_path, "-j", "1"), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "(2 executed now, 1 kept)" in done.stdout and executed(tmp_path) == ["0", "1", "1", "2"]
    assert (tmp_path / "results" / "sizes.csv").read_text() == "n,size\n0,1\n1,1\n2,1\n"


@pytest.mark.slow
def test_rows_that_the_tables_cannot_take_stop_the_sweep_at_the_first_run(tmp_path, sweep):
    plan = tmp_path / "plan.yml"
    plan.write_text(plan.read_text().replace("key: [n, of]", "key: [n, part]"))
    status, said = sweep("-j", "1")
    ran = executed(tmp_path)  # the next run may have begun before the first one was looked at
    assert status == 2 and ran[0] == "0" and len(ran) < 4 and not (tmp_path / "results").exists()
    assert "plan.yml: the table squares names a column 'part'; what n=0 keeps has ['n', 'of', 'square']" in said.err
    assert sweep()[0] == 2 and executed(tmp_path) == ran
    plan.write_text(plan.read_text().replace("key: [n, part]", "key: [n, of]"))
    assert sweep()[0] == 0 and executed(tmp_path) == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    "given, instead, words",
    [
        ("squares:", "squarez:", "has a table 'squarez', but w.ipynb keeps ['sizes', 'squares']"),
        ("    key: [n, of]\n", "", "the table 'squares' has the entries file and key (both required)"),
        ("decimals", "decimal", "replace, decimals, digits and versions, not ['decimal']"),
        ("key: [n]", "key: n", "the table 'sizes' has key: 'n'; a list of names is expected"),
        ("replace: [n]", "replace: [m]", "replaces by ['m'], which is not in its key ['n', 'of']"),
        ("decimals: 4", "decimals: many", "decimals: 'many'; a whole number, or one for each column"),
        ("squares.csv", "squares.xlsx", "its ending has to be .csv or .parquet"),
        ("squares.csv", "sizes.csv", "two tables go to"),
        ("[numpy]", "[numpyy]", "no installed package 'numpyy'"),
        ("key: [n]", "key: [size, m]", "the table sizes names a column 'm'; "),
        ("decimals: 4", "decimals: {cube: 4}", "the table squares names a column 'cube'; "),
        ("tables:", "tables: results", "tables is 'results'; a mapping is expected"),
        ("w.ipynb", "x.ipynb", "there is no notebook"),
    ],
)
def test_a_wrong_plan_is_refused_in_the_first_second(tmp_path, sweep, given, instead, words):
    plan, results = tmp_path / "plan.yml", tmp_path / "results"
    text = plan.read_text().replace(given, instead, 1)
    plan.write_text(text if instead != "tables: results" else text.partition("tables:")[0] + instead)
    results.mkdir()
    (results / "sizes.csv").write_text("n,size\n")
    (results / "squares.csv").write_text("n,of,square,versions,machine,date,minutes\n")
    began = time.process_time()  # of this process, whatever else the machine does
    status, said = sweep()
    assert status == 2 and words in said.err, said.err
    assert time.process_time() - began < 1 and not (tmp_path / "executed").exists()


def test_a_worker_without_rows_is_refused_where_a_table_waits_for_them(tmp_path, sweep):
    write(tmp_path / "w.ipynb", "n")
    status, said = sweep()
    assert status == 2 and "has a table 'squares', but w.ipynb calls no keep_rows" in said.err


@pytest.mark.slow
def test_papermill_shows_the_rows_of_a_worker_and_writes_none(tmp_path):
    write(tmp_path / "w.ipynb", COUNTED, KEEPS)
    papermill = str(Path(sys.executable).with_name("papermill"))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [papermill, "w.ipynb", "out.ipynb"], cwd=tmp_path, env=environment, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    outputs = json.loads((tmp_path / "out.ipynb").read_text())["cells"][-1]["outputs"]
    text = json.dumps(outputs)
    assert "squares: 2 rows, kept by a sweep" in text and "half n" in text
    assert {path.name for path in tmp_path.iterdir()} == {"w.ipynb", "out.ipynb", "executed"}


PLANS = sorted((ROOT / "notebooks" / "runs").glob("*.yml"))


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_a_plan_of_the_book_fits_its_worker_and_its_tables(path, monkeypatch):
    plan = read_plan(path)
    plan.check(plan.runs())
    for table in plan.tables.values():
        if table.file.exists():
            recorded = table.read()
            assert not recorded.duplicated(list(table.key)).any(), f"{table.file.name}: {table.key} is no key"
            behind = ["versions", "machine", "date", "minutes"]
            assert (recorded.columns[-4:].tolist() == behind) == (table.versions is not None)


def test_every_recorded_table_of_runs_has_a_plan_that_makes_it():
    # scripts and --record make these
    by_hand = {"benchmark.csv", "calibration.csv", "chapters.csv", "diagnosis.csv", "extraction.csv"}
    planned = {table.file.name for path in PLANS for table in read_plan(path).tables.values()}
    recorded = {path.name for path in (ROOT / "data" / "results").iterdir() if not path.name.startswith(".")}
    assert recorded - by_hand <= planned


ODD = [
    *[
        "a",
        "A",
        "a/b",
        "a-b",
        "a\\b",
        "{x}",
        "%s",
        "50 %",
        "'q'",
        '"q"',
        " ",
        "",
        ".",
        "..",
        "a\nb",
        "a*?<>|:",
        "CON",
        "a.",
    ],
    *["x" * 500, "x" * 501, "Maße", "MASSE", "é", "e\u0301", "日本" * 100, "\udc80"],
    *["1", 1, 1.0, True, None, "None", [1, 2], "[1, 2]", 1e-3, "0.001"],
]


def test_no_two_values_meet_in_one_file_name_and_every_name_is_one(tmp_path):
    points = [{"value": value, "other": 3} for value in ODD] + [{"value": "x", "other": "y"}, {"value": "x_other=y"}]
    names = run_names(points, "worker")
    assert len({name.casefold() for name in names}) == len(points)
    for name in names:
        assert not set(name) & set("/\\{}%\"'*?<>|:\n") and name == name.strip(" .") and len(name.encode()) < 200
        (tmp_path / f"{name}.ipynb").write_text("")
    assert len(list(tmp_path.iterdir())) == len(points)
    assert names == run_names(points, "worker")


def test_plain_values_are_in_names_as_they_are():
    grid = [dict(zip("ab", of, strict=True)) for of in itertools.product([1, 2.5], ["bert", "data/encoders/bert"])]
    assert run_names(grid, "w") == [
        "a=1_b=bert",
        "a=1_b=data-encoders-bert",
        "a=2.5_b=bert",
        "a=2.5_b=data-encoders-bert",
    ]
    assert run_names([{}], "worker") == ["worker"]


@pytest.mark.slow
def test_runs_of_odd_values_go_beside_each_other(tmp_path):
    write(tmp_path / "w.ipynb", COUNTED, "keep_rows(values=pd.DataFrame({'name': [name]}))")
    values = ["{x}", "%d/1", "it's", "x" * 300]
    (tmp_path / "plan.yml").write_text(
        f"notebook: w.ipynb\ngrid: {{name: {json.dumps(values)}}}\ntables: {{values: {{file: v.csv, key: [name]}}}}"
    )
    assert main(["sweep", str(tmp_path / "plan.yml"), "-o", str(tmp_path / "out")]) == 0
    assert sorted(pd.read_csv(tmp_path / "v.csv")["name"]) == sorted(values)
