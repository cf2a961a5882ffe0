"""Rows of runs go into recorded tables: whole, once, in one order, and in place of exactly those that they replace."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest

from helpers.book.records import Kept, Table, installed_versions, merge_rows, provenance, versions, with_provenance
from helpers.book.rows import ROWS, in_front, keep_rows
from helpers.locations import DATA

MADE = {"versions": {"python": "3.11.7", "numpy": "2.4.6+cpu"}, "machine": "M", "date": "2026-01-02", "minutes": 0.5}


@pytest.fixture
def left(tmp_path, monkeypatch):
    """Rows as a run leaves them: ``left("a", DataFrame)``."""

    def write(run, rows, made=MADE):
        folder = tmp_path / "runs" / f"{run}-{len(list(tmp_path.glob('runs/*')))}"
        monkeypatch.setenv(ROWS, str(folder))
        keep_rows(t=rows)
        return Kept(run, folder / "t.parquet", made)

    return write


def table(tmp_path, **options):
    given = {"name": "t", "file": tmp_path / "results" / "t.csv", "key": ("run", "method"), "replace": ("run",)}
    return Table(**given | options)


def rows(run, **values):
    methods = list(values)
    return pd.DataFrame({"run": run, "method": methods, "accuracy": [float(values[name]) for name in methods]})


def test_rows_of_a_run_replace_its_older_ones_and_only_these(tmp_path, left):
    one = table(tmp_path)
    first = merge_rows(one, [left("a", rows("a", mean=0.1, best=0.2, old=0.9)), left("b", rows("b", mean=1 / 3))])
    assert first == (4, 2, 0, 0, 4, 0, 0) and str(first) == "4 new"
    before = one.file.read_text().splitlines()
    again = merge_rows(one, [left("a", rows("a", best=0.2, mean=0.5, more=0.3))])
    assert again == (3, 1, 1, 1, 1, 1, 1)
    assert str(again) == (
        "1 there already, 1 in place of older rows, 1 new; gone: 1 older of these runs; of other runs: 1, untouched"
    )
    after = one.file.read_text().splitlines()
    assert after == [before[0], "a,best,0.2", "a,mean,0.5", "a,more,0.3", before[4]]
    assert before[4] == "b,mean,0.3333333333333333"


def test_without_replace_one_row_takes_the_place_of_one_row(tmp_path, left):
    one = table(tmp_path, replace=())
    merge_rows(one, [left("a", rows("a", mean=0.1, best=0.2))])
    assert merge_rows(one, [left("a", rows("a", mean=0.3))]) == (1, 1, 0, 1, 0, 0, 1)
    assert one.file.read_text() == "run,method,accuracy\na,best,0.2\na,mean,0.3\n"


def test_a_table_is_the_same_in_whatever_order_runs_come_and_however_often(tmp_path, left):
    kept = [left(f"e{n}", rows(n, mean=n / 7, best=n / 3), MADE | {"minutes": n / 4}) for n in (0, 2, 10)]
    texts = set()
    for number, order in enumerate(itertools.permutations(kept)):
        one = table(tmp_path, file=tmp_path / f"{number}.csv", versions=("numpy",))
        merge_rows(one, order)
        texts.add(one.file.read_bytes())
        later = table(tmp_path, file=tmp_path / f"{number}-later.csv", versions=("numpy",))
        for part in (order[:1], order[1:], order[:2]):
            merge_rows(later, part)
        texts.add(later.file.read_bytes())
    assert len(texts) == 1
    text = texts.pop().decode()
    assert [line.split(",")[0] for line in text.splitlines()] == ["run", "0", "0", "2", "2", "10", "10"]
    assert text.splitlines()[0] == "run,method,accuracy,versions,machine,date,minutes"
    assert "python=3.11.7 numpy=2.4.6,M,2026-01-02,2.5" in text


def test_a_table_that_does_not_change_is_not_touched(tmp_path, left):
    one, kept = table(tmp_path), left("a", rows("a", mean=0.1))
    merge_rows(one, [kept])
    before = one.file.stat().st_mtime_ns
    assert merge_rows(one, [kept]).same == 1 and one.file.stat().st_mtime_ns == before


def test_rows_of_other_runs_stay_as_they_are_to_the_byte(tmp_path, left):
    one = table(tmp_path)
    one.file.parent.mkdir()
    odd = 'other,"a, b",0.30000000000000004\nother,"say ""x""",1e-05\nother,none,\n'
    one.file.write_text("run,method,accuracy\n" + odd)
    merge_rows(one, [left("a", rows("a", mean=0.1))])
    assert one.file.read_text() == "run,method,accuracy\na,mean,0.1\n" + odd


def test_numbers_are_rounded_as_the_plan_says_and_else_written_whole(tmp_path, left):
    data = pd.DataFrame({"run": ["a"], "method": ["m"], "x": [1 / 3], "y": [2000 / 3], "n": [7], "none": [np.nan]})
    for options, expected in [
        ({}, "0.3333333333333333,666.6666666666666,7,"),
        ({"decimals": 2}, "0.33,666.67,7,"),
        ({"decimals": {"y": 1}}, "0.3333333333333333,666.7,7,"),
        ({"digits": 3}, "0.333,667.0,7,"),
        ({"digits": {"x": 2}}, "0.33,666.6666666666666,7,"),
    ]:
        one = table(tmp_path, file=tmp_path / "r.csv", **options)
        one.file.unlink(missing_ok=True)
        merge_rows(one, [left("a", data)])
        assert one.file.read_text().splitlines()[1] == f"a,m,{expected}"


def test_a_row_that_two_runs_keep_alike_counts_once_and_two_different_ones_are_refused(tmp_path, left):
    one = table(tmp_path)
    merged = merge_rows(one, [left("r0", rows("a", mean=0.1)), left("r1", rows("a", mean=0.1))])
    assert merged.rows == 1 and one.file.read_text().count("mean") == 1
    with pytest.raises(
        ValueError, match="r0 and r1 keep different rows of the table t with run=a, which would replace"
    ):
        merge_rows(one, [left("r0", rows("a", mean=0.1)), left("r1", rows("a", mean=0.2))])


def test_two_rows_with_one_key_are_refused(tmp_path, left):
    twice = pd.concat([rows("a", mean=0.1), rows("a", mean=0.1)])
    with pytest.raises(ValueError, match="a keeps 2 rows of the table t with one key, such as run=a, method=mean"):
        merge_rows(table(tmp_path), [left("a", twice)])


def test_a_missing_column_is_named(tmp_path, left):
    with pytest.raises(ValueError, match=r"names a column 'task'; what a keeps has \['run', 'method', 'accuracy'\]"):
        merge_rows(table(tmp_path, key=("run", "task")), [left("a", rows("a", mean=0.1))])
    with pytest.raises(ValueError, match="names a column 'score'"):
        merge_rows(table(tmp_path, decimals={"score": 3}), [left("a", rows("a", mean=0.1))])
    assert not table(tmp_path).file.exists()


def test_other_columns_than_those_of_the_table_are_refused(tmp_path, left):
    one = table(tmp_path)
    merge_rows(one, [left("a", rows("a", mean=0.1))])
    before = one.file.read_bytes()
    renamed = rows("b", mean=0.1).rename(columns={"accuracy": "score"})
    with pytest.raises(ValueError, match=r"has no columns \['score'\].* and has the columns \['accuracy'\]"):
        merge_rows(one, [left("b", renamed)])
    with pytest.raises(ValueError, match=r"a has no columns \['score'\], which b have and has the columns"):
        merge_rows(table(tmp_path, file=tmp_path / "new.csv"), [left("a", rows("a", mean=0.1)), left("b", renamed)])
    assert one.file.read_bytes() == before


def test_a_parquet_table_takes_lists(tmp_path, left):
    draws = {run: [np.arange(3, dtype="int16") + run, np.arange(3, dtype="int16")] for run in (0, 1)}
    kept = [left(f"r{run}", pd.DataFrame({"run": run, "method": ["b", "a"], "draws": draws[run]})) for run in draws]
    one = table(tmp_path, file=tmp_path / "t.parquet")
    merge_rows(one, kept[1:])
    merge_rows(one, kept)
    whole = one.file.read_bytes()
    one.file.unlink()
    assert merge_rows(one, kept).new == 4 and one.file.read_bytes() == whole
    assert merge_rows(one, kept) == (4, 2, 4, 0, 0, 0, 0)
    read = pd.read_parquet(one.file)
    assert read["method"].tolist() == ["b", "a", "b", "a"] and read["draws"][2].tolist() == [1, 2, 3]
    assert read["draws"][0].dtype == "int16"
    with pytest.raises(ValueError, match="column 'draws' of the table t holds lists; let its file be .parquet"):
        merge_rows(table(tmp_path), kept)


def test_provenance_is_written_in_one_form():
    made = provenance(90)
    assert made["minutes"] == 1.5 and re.fullmatch(r"\d{4}-\d\d-\d\d", made["date"]) and "cores" in made["machine"]
    row = with_provenance(pd.DataFrame({"x": [1]}), made, ["numpy", "scikit_learn"]).iloc[0]
    assert row["versions"] == versions("numpy", "scikit_learn") and "scikit_learn=" in row["versions"]
    assert row["versions"].startswith(f"python={installed_versions()['python']} numpy={np.__version__}")
    with pytest.raises(ValueError, match="no installed package 'numpyy'"):
        versions("numpyy")
    with pytest.raises(ValueError, match="have a column 'date' already"):
        with_provenance(pd.DataFrame({"date": [1]}), made, ["numpy"])


def test_a_notebook_that_runs_alone_shows_its_rows(monkeypatch, capsys):
    monkeypatch.delenv(ROWS, raising=False)
    keep_rows(scores=rows("a", mean=0.25), others=rows("a", x=1, y=2))
    out = capsys.readouterr().out
    assert "scores: 1 row, kept by a sweep" in out and "0.25" in out and "others: 2 rows" in out


@pytest.mark.parametrize(
    "bad, words",
    [
        (pd.DataFrame({"x": [1]}, index=pd.Index(["a"], name="method")), "index has the name 'method'"),
        (pd.DataFrame([[1, 2]], columns=["x", "x"]), "two columns have the name 'x'"),
        (pd.DataFrame({"x": [1, "a"]}), "column 'x' holds values of several kinds"),
    ],
)
def test_rows_that_would_lose_something_are_refused(tmp_path, monkeypatch, bad, words):
    monkeypatch.setenv(ROWS, str(tmp_path))
    with pytest.raises(ValueError, match=words):
        keep_rows(t=bad)


def test_rows_are_kept_once(left, tmp_path, monkeypatch):
    monkeypatch.setenv(ROWS, str(tmp_path / "x"))
    keep_rows(t=rows("a", mean=0.1))
    with pytest.raises(ValueError, match="call keep_rows once for each table"):
        keep_rows(t=rows("a", mean=0.1))


def test_columns_in_front_do_not_hide_others():
    assert in_front(rows("a", mean=1), seed=0, sizes=[1, 2]).iloc[0].tolist() == [0, "1 2", "a", "mean", 1.0]
    with pytest.raises(ValueError, match="have a column 'run' already"):
        in_front(rows("a", mean=1), run="b")


@pytest.mark.parametrize("path", sorted((DATA / "results").glob("*.csv")), ids=lambda path: path.stem)
def test_a_recorded_table_is_read_and_written_without_a_change(path):
    text = Table("t", path, ("",)).read().to_csv(index=False, lineterminator="\n")
    assert text.encode() == path.read_bytes()
