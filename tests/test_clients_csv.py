"""A table of transactions that somebody brings along runs through the loader and all chapters of Part III."""

import inspect
import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml

from helpers.__main__ import main
from helpers.book.own_data import as_own_page
from helpers.book.render import chapters
from helpers.book.runs import glued, parameters_of
from helpers.clients import load_clients, read
from helpers.clients.options import GROUPS, as_group
from helpers.locations import ROOT

PART = [path for path in chapters() if re.match(r"(09b?|1[0-5])_", path.stem)]
NAMES = {
    "client": "Kunden Nr",
    "time": "Buchung am",
    "category": "MCC-Text",
    "amount": "Betrag (EUR)",
    "target": "Tarif",
}
OPTIONS = {"columns": NAMES}
SHOPS = ["Grocery & Food", "salary", "rent", "Fuel", "Café", "travel", "ATM", "pharmacy", "vet", "golf", "opera"]


def foreign(folder: Path, n: int = 160) -> pd.DataFrame:
    """Three unbalanced classes, no channel, times, amounts of both signs, unsorted, one column more; a CSV file."""
    rng = np.random.default_rng(7)
    label = rng.choice(3, size=n, p=[0.6, 0.28, 0.12])
    names = [f"C-{number:05d}" for number in rng.permutation(90_000)[:n]]
    count = rng.integers(12, 40, size=n)
    count[:3] = 4  # too few
    owner = np.repeat(np.arange(n), count)
    taste = rng.dirichlet(np.full(len(SHOPS), 0.5), size=3)[label] + 0.05
    shop = np.array([rng.choice(len(SHOPS), p=taste[i] / taste[i].sum()) for i in owner])
    amount = -np.exp(rng.normal(2.5 + 0.4 * label[owner], 0.9)).round(2)
    amount[shop == 1] *= -50
    when = pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 200 * 86400, size=len(owner)), unit="s")
    table = pd.DataFrame(
        {
            "Kunden Nr": np.array(names)[owner],
            "Buchung am": when.strftime("%Y-%m-%dT%H:%M:%S"),
            "MCC-Text": np.array(SHOPS)[shop],
            "Betrag (EUR)": amount.round(2),
            "Währung": "EUR",
            "Tarif": np.array(["basic", "silver", "platinum plus"], dtype=object)[label[owner]],
        }
    )
    table.loc[table["Kunden Nr"] == names[3], "Tarif"] = None
    table = table.sample(frac=1, random_state=1)
    table.to_csv(folder / "umsaetze.csv", index=False)
    return table


def test_a_foreign_table_is_read_the_same_from_csv_and_parquet(tmp_path):
    table = foreign(tmp_path)
    table.to_parquet(tmp_path / "umsaetze.parquet")
    found, same = (load_clients(tmp_path / f"umsaetze.{kind}", **OPTIONS) for kind in ("csv", "parquet"))
    pd.testing.assert_frame_equal(found.events, same.events)
    pd.testing.assert_series_equal(found.target, same.target)
    assert len(found) == 157 and found.target.isna().sum() == 1 and found.target.nunique() == 3
    assert found.report.loc["clients with few events", "found"] == 3
    assert (found.events["amount"] < 0).mean() > 0.5 and "channel" not in found.events
    assert found.events["time"].dt.hour.nunique() == 24


def test_the_page_names_options_and_parameters_that_there_are():
    """Each option stands in the table of its group, with its default."""
    page = (ROOT / "book" / "transactions.md").read_text(encoding="utf-8")
    known = set().union(*(parameters_of(path) for path in PART))
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    assert len(blocks) == 4
    for block in blocks:
        assert set(block) <= known
        for name, value in block.get("options", {}).items():
            assert as_group(name, value) if name in GROUPS else name in inspect.signature(read).parameters
    tables = re.split(r"^\| option of `(\w+)` .*$", page, flags=re.MULTILINE)[1:]
    assert tables[::2] == list(GROUPS)
    for name, table in zip(tables[::2], tables[1::2], strict=True):
        defaults = {field.name: field.default for field in fields(GROUPS[name])}
        rows = [line.split("|")[1:] for line in re.findall(r"^\| `.*$", table.partition("\n\n")[0], re.M)]
        assert {option for row in rows for option in re.findall(r"`(\w+)`", row[0])} == set(defaults)
        for options, said, _, _ in rows:
            for option in re.findall(r"`(\w+)`", options):
                # None, and what the names of the columns themselves say, are told in words.
                assert defaults[option] in (None, "", option) or str(defaults[option]) in said, option


def test_one_file_serves_one_chapter_too_and_a_misspelt_name_is_refused(tmp_path, capsys):
    file, head = tmp_path / "mine.yml", f"source: {tmp_path / 'umsaetze.csv'}\noptions: {OPTIONS}\n"
    foreign(tmp_path)
    file.write_text(f"{head}automl_runs: 0\n")  # of one chapter alone
    assert main(["run", "12", "-f", str(file), "-o", str(tmp_path), "--dry-run"]) == 0
    assert "umsaetze.csv: 157 clients, 156 of them with a class: basic (" in capsys.readouterr().out
    assert main(["run", "12", "-f", str(file), "-p", "automl_runs", "1", "-o", str(tmp_path), "--dry-run"]) == 2
    file.write_text(f"{head}automl_run: 0\n")
    assert main(["run", "12", "-f", str(file), "-o", str(tmp_path), "--dry-run"]) == 2
    assert "no chapter has a parameter 'automl_run'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source": "nowhere.csv"}, "no source 'nowhere.csv'"),
        (
            {"options": {"columns": NAMES | {"target": "Tarife"}}},
            "umsaetze.csv has no column 'Tarife'; its columns",
        ),
        ({"options": {"columns": NAMES | {"time": "MCC-Text"}}}, "time and category are both column 'MCC-Text'"),
        ({"options": OPTIONS | {"format": {"date_format": "%d.%m.%Y"}}}, "line 2, column 'Buchung am'"),
        ({"options": OPTIONS | {"classes": {"min_class_size": 60}}}, "1 classes of clients are known; two are needed"),
        ({"binary_from": "gold"}, "binary_from is 'gold'; it can be 'platinum plus', 'silver'"),
        ({"fractions": [0.97, 0.01, 0.02]}, "none would be in the part 'validation'"),
    ],
)
def test_a_mistake_in_a_table_is_told_before_anything_runs(tmp_path, capsys, change, words):
    foreign(tmp_path)
    given = {"source": str(tmp_path / "umsaetze.csv"), "options": OPTIONS, "n_clients": 0}
    (tmp_path / "mine.yml").write_text(yaml.safe_dump(given | change))
    for way in (["--dry-run"], []):
        assert main(["run", "09", "12", "-f", str(tmp_path / "mine.yml"), "-o", str(tmp_path / "out"), *way]) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_table_is_read_once_for_all_chapters_and_found_from_the_folder_of_the_call(tmp_path, capsys, monkeypatch):
    foreign(tmp_path)
    (tmp_path / "mine.yml").write_text(yaml.safe_dump({"source": "umsaetze.csv", "options": OPTIONS, "n_clients": 0}))
    monkeypatch.chdir(tmp_path)
    assert main(["run", "09", "10", "12", "-f", "mine.yml", "-o", "out", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert out.count("157 clients") == 1 and out.count(f"'source': '{tmp_path / 'umsaetze.csv'}'") == 3
    assert "clients with few events: 3 (1.9%), dropped (fewer than 10)" in out


def spoken(path: Path) -> str:
    """The prose of an executed chapter as its page shows it, with its numbers in place."""
    values = glued(path)

    def said(match: re.Match) -> str:
        return format(values[match[1]], match[2] or "")

    cells = as_own_page(nbformat.read(path, as_version=4), path.stem).cells
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    text = "\n".join(texts + [data["text/markdown"] for data in outputs if "text/markdown" in data])
    return re.sub(r"\{glue:text\}`(\w+)(?::([^`]*))?`", said, text)


def run_chapters(parameters: dict, folder: Path, chapters: list[Path] = PART) -> dict[str, str]:
    """The documented command at the smallest size; the prose of each chapter."""
    name = f"test-csv-{os.getpid()}"
    (folder / "mine.yml").write_text(yaml.safe_dump(parameters | {"n_clients": 0, "out": name}))
    command = [
        sys.executable,
        "-m",
        "helpers",
        "run",
        *(path.stem.partition("_")[0] for path in chapters),
        "-f",
        folder / "mine.yml",
    ]
    command += ["-o", folder / "out", "--profile", "smallest", "-j", "2"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    finally:
        for kind in ("runs", "embeddings"):
            shutil.rmtree(ROOT / "_build" / kind / name, ignore_errors=True)
    assert done.returncode == 0 and "KeyboardInterrupt" not in done.stderr, done.stdout[-3000:] + done.stderr[-3000:]
    for path in chapters:
        for cell in nbformat.read(folder / "out" / path.name, as_version=4).cells:
            noise = [out.get("text", "") for out in cell.get("outputs", []) if out.get("name") == "stderr"]
            assert not noise, f"{path.stem}, {cell.id}: {noise[0][:500]}"
        answered(folder / "out" / path.name)
    return {path.stem: spoken(folder / "out" / path.name) for path in chapters}


def answered(path: Path) -> None:
    """On top stands what was found of these clients; nothing that is not folded away calls their score an accuracy."""
    page = as_own_page(nbformat.read(path, as_version=4), path.stem)
    shown = page.cells[1].outputs[0].data["text/html"]
    assert "Your clients" in shown and "ROC-AUC" in shown
    if path.stem == "09_clients":  # reads the table and trains nothing
        assert "found wrong with it" in shown and "test clients" in shown
    else:
        assert "Not decided" in shown and "experiments: 6" in shown
    assert not re.search(r"\bnan\b", shown)
    for cell in page.cells:
        tags = cell.metadata.get("tags", [])
        if (
            "published" not in tags and cell.cell_type == "code" and cell.id != "by-hand-two-lines"
        ):  # which has all three
            data = [output.get("data", {}) for output in cell.outputs if "scrapbook" not in output.metadata]
            texts = [value for one in data for kind, value in one.items() if kind.startswith("text/")]
            assert not any("accurac" in text.lower() for text in texts), (path.stem, cell.id)


@pytest.mark.slow
def test_all_eight_chapters_run_on_a_foreign_table_by_parameters_alone(tmp_path):
    foreign(tmp_path)
    told = run_chapters({"source": str(tmp_path / "umsaetze.csv"), "options": OPTIONS}, tmp_path)
    for chapter, text in told.items():
        assert not re.search(r"\bnan\b", text), (chapter, re.findall(r".*\bnan\b.*", text))
    assert "calibrated" not in told["09_clients"] and "nobody can say" in told["09b_encoders"]
    assert "Clients of a table are the same in all experiments" in told["09_clients"]
    assert "157 clients of 3 classes" in told["15_modalities"]


@pytest.mark.slow
@pytest.mark.skipif(not Path(os.environ.get("BOOK_DATA", ""), "berka_feup").is_dir(), reason="needs BOOK_DATA")
def test_chapters_run_on_real_accounts(tmp_path):
    """The file as the bank left it, columns named by parameters; the class is the frequency of statements."""
    chapters = [path for path in PART if path.stem.partition("_")[0] in ("09", "09b", "10", "15")]
    folder = Path(os.environ["BOOK_DATA"], "berka_feup")
    columns = {
        "client": "account_id",
        "time": "date",
        "category": ["operation", "k_symbol"],
        "amount": "amount",
        "channel": "type",
        "target": "frequency",
    }
    options = {"columns": columns, "format": {"date_format": "%y%m%d"}, "targets": str(folder / "account.csv")}
    told = run_chapters({"source": str(folder / "trans_test.csv"), "options": options}, tmp_path, chapters)
    for chapter, text in told.items():
        assert not re.search(r"\bnan\b", text), (chapter, re.findall(r".*\bnan\b.*", text))
    assert "353 clients of 3 classes" in told["15_modalities"]
