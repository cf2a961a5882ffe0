"""The commands report and apply: their options, their errors, interruption, and life without a checkout."""

import ctypes
import html
import inspect
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_data import LEFT, halves

from helpers.__main__ import main
from helpers.book.render import outside_loads
from helpers.ensembles.applying import apply
from helpers.inputs import read
from helpers.report import Steps, build
from helpers.report.command import Bar

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("user")
    found, labels = halves(150)
    (folder / "mine").mkdir()
    rng = np.random.default_rng(0)
    found["turned"] = found["one"] @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    for name, x in found.items():
        np.save(folder / "mine" / f"{name}.npy", x.astype(np.float32))
    pd.DataFrame({"label": labels}).to_csv(folder / "labels.csv", index=False)
    return folder


def parsers():
    from helpers.__main__ import _parser

    return _parser("report")[1]


#: Options of the command line itself: what it shows, and with which status it ends.
APART = ("help", "quiet", "inputs", "require")


@pytest.mark.parametrize("command, functions", [("report", (build, read)), ("apply", (apply, read))])
def test_every_option_is_an_argument_of_the_function_behind_it(command, functions):
    known = set().union(*(inspect.signature(function).parameters for function in functions))
    actions = [action for action in parsers()[command]._actions if action.dest not in APART]
    assert len(actions) > 5 and {action.dest for action in actions} - known - {"ensemble"} == set()


def test_the_help_tells_the_defaults_of_the_function(capsys):
    with pytest.raises(SystemExit):
        main(["report", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    defaults = {name: p.default for name, p in inspect.signature(build).parameters.items()}
    for flag, name in [("--sample N", "n_objects"), ("--threshold", "threshold"), ("--folds", "folds")]:
        assert f"(default: {defaults[name]})" in said[said.rindex(flag) :][:120]


def test_the_command_leaves_what_the_function_gives(mine, monkeypatch, capsys):
    monkeypatch.chdir(mine)
    options = ["--folds", "3", "--sample", "100", "--seed", "3", "--normalize", "none", "--same-model", "one", "turned"]
    assert main(["report", "mine", "--labels", "labels.csv", "--out", "given", *options]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "reading …" and said[-1] == f"The report is at {mine / 'given' / 'index.html'}"
    settings = {"folds": 3, "n_objects": 100, "rng": 3, "normalize": None, "same_model": ["one", "turned"]}
    report = build("mine", labels="labels.csv", **settings)
    read_csv = pd.read_csv(mine / "given" / "tables" / "gains.csv", float_precision="round_trip")
    pd.testing.assert_frame_equal(read_csv, report.tables["gains"])
    assert np.array_equal(np.load(mine / "given" / "combined.npy"), report.combined)
    assert main(["apply", "given/ensemble", "mine", "--out", "applied.npy", "-q"]) == 0
    assert capsys.readouterr().out == "applied.npy: 150 rows\n"
    assert np.array_equal(np.load("applied.npy"), report.combined)


def test_page_and_console_say_what_was_not_read_and_which_rows_were_left_out(tmp_path, capsys):
    place, (found, labels) = tmp_path / "mine", halves(60)
    place.mkdir()
    for name, x in found.items():
        np.save(place / f"{name}.npy", x)
    for name in ("model.pt", "cut.npz"):
        (place / name).write_bytes(b"x")
    target = pd.DataFrame({"label": pd.Series(labels).where(np.arange(60) > 1)})
    target.to_csv(tmp_path / "y.csv", index=False)
    options = ["--labels", str(tmp_path / "y.csv"), "--missing", "drop"]
    assert main(["report", str(place), "--out", str(tmp_path / "out"), *options]) == 0
    said, page = capsys.readouterr().out, (tmp_path / "out" / "index.html").read_text()
    assert "\nnot read: cut.npz and model.pt (cut.npz: cannot be read" in said
    assert "\nlabels: 2 rows left out, such as 0 (no label)\n" in said
    assert "Not read: cut.npz and model.pt" in page and "pickles are never loaded" in page and "no label" in page
    assert pd.read_csv(tmp_path / "out" / "tables" / "not_read.csv")["file"].tolist() == ["cut.npz", "model.pt"]
    assert main(["apply", str(tmp_path / "out" / "ensemble"), str(place), "-o", str(tmp_path / "new.npy"), "-q"]) == 0
    assert "not read: cut.npz and model.pt" in capsys.readouterr().out


@pytest.mark.parametrize(
    "what, change, words",
    [
        ("a label that is missing", lambda y: y.astype(object).where(np.arange(150) > 0), "--missing drop"),
        (
            "a class of one",
            lambda y: y.where(np.arange(150) > 0, 7),
            "pass --min-class-size 2 to leave",
        ),
    ],
)
def test_errors_advise_options_of_the_command_and_arguments_of_the_function(mine, capsys, what, change, words):
    labels = pd.read_csv(mine / "labels.csv")
    labels.assign(label=change(labels["label"])).to_csv(mine / "odd.csv", index=False)
    target, out = str(mine / "odd.csv"), str(mine / "odd")
    assert main(["report", str(mine / "mine"), "--labels", target, "--out", out]) == 2
    assert words in capsys.readouterr().err
    with pytest.raises(ValueError, match="missing='drop'|min_class_size=2"):
        build(mine / "mine", labels=target)


def test_the_commands_overwrite_only_when_told(mine, tmp_path, capsys):
    (tmp_path / "thesis.tex").touch()
    assert main(["report", str(mine / "mine"), "--out", str(tmp_path)]) == 2
    assert "other files; name another folder, or pass --overwrite" in capsys.readouterr().err
    (tmp_path / "there.npy").touch()
    assert main(["apply", "ensemble", "mine", "--out", str(tmp_path / "there.npy")]) == 2
    assert "there.npy is there; to replace it, pass --overwrite" in capsys.readouterr().err


def test_a_wrong_call_is_refused_in_a_line(mine, tmp_path, capsys):
    for wrong, words in [
        ([], "name the folder or file of the embeddings, or models that read --text"),
        (["nowhere"], "there is no such file or folder"),
        ([str(mine / "mine"), "--same-model", "one", "nobody"], "two of the embeddings are needed"),
        ([str(mine / "mine"), "--folds", "2"], "folds is 2"),
        ([str(mine / "mine"), "--normalize", "cubes"], "normalize is 'cubes'"),
    ]:
        assert main(["report", *wrong, "--out", str(tmp_path / "out"), "--overwrite"]) == 2
        said = capsys.readouterr().err
        assert words in said and said.startswith("python -m helpers report: ") and said.count("\n") == 1


def command(*more):
    return [sys.executable, "-m", "helpers", "report", "mine", "--labels", "labels.csv", "--out", "out", *more]


def stopped(folder, environment, sign, *more):
    """Start a report, stop it by a signal once two steps are kept, and return how it ended."""
    out = folder / "out"
    process = subprocess.Popen(
        command(*more), cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    began = time.time()
    while len(list(out.glob(".steps/[!.]*/value.json"))) < 2 and time.time() - began < 900:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    process.send_signal(sign)
    said = process.communicate(timeout=300)
    assert len(list(out.glob(".steps/[!.]*/value.json"))) >= 2 and not (out / "index.html").exists(), said
    return process.returncode, said[1]


def test_an_interruption_that_a_callback_loses_ends_the_report_before_the_next_step(tmp_path, monkeypatch):
    lost = ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    ran, ignored = [], []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: ignored.append(told.exc_type))
    with pytest.raises(KeyboardInterrupt), Bar() as bar:
        step = Steps(tmp_path, "a", {"first": 1.0, "second": 1.0}, bar)
        step("first", lambda: (lost(), ran.append("first")))
        step("second", lambda: ran.append("second"))
    assert ran == ["first"] and len(list(tmp_path.glob("*/value.json"))) == 1
    assert signal.getsignal(signal.SIGINT) is before and ignored == [KeyboardInterrupt]


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_report_goes_on_and_leaves_a_folder(mine, sign):
    out, environment = mine / "out", os.environ | {"PYTHONPATH": str(ROOT)}
    more = ["--overwrite"] if out.exists() else []
    code, said = stopped(mine, environment, sign, *more)
    if sign == signal.SIGINT:
        assert code == 130 and "the same command goes on from there" in said and "Traceback" not in said
    again = subprocess.run(command(), cwd=mine, env=environment, capture_output=True, text=True, timeout=900)
    assert again.returncode == 0, again.stderr
    assert "what was read" not in again.stdout, "the first step is not done twice"
    assert outside_loads(out) == [] and {path.name for path in out.iterdir()} == LEFT
    page = (out / "index.html").read_text()
    assert "is a rotated copy of" in page and "dice is related to none of the others" in page
    assert len(np.load(out / "combined.npy")) == 150
    assert {"gains.csv", "similarity.csv", "quality.csv"} <= {path.name for path in (out / "tables").iterdir()}
    refused = subprocess.run(command(), cwd=mine, env=environment, capture_output=True, text=True, timeout=600)
    assert refused.returncode == 2 and "finished report" in refused.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with nothing but this package, installed from its wheel."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    for how in (["--no-build-isolation"], []):  # with the build backend of this environment, else with its own
        made = subprocess.run(
            [*pip, "wheel", str(ROOT), "--no-deps", "--wheel-dir", str(folder / "wheels"), *how],
            capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        if made.returncode == 0:
            break
    else:
        pytest.skip(f"no wheel can be built here: {made.stderr.strip().splitlines()[-1]}")
    (wheel,) = (folder / "wheels").glob("*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", str(folder / "site"), str(wheel)], check=True, timeout=300
    )
    return folder / "site"


@pytest.mark.slow
def test_report_and_apply_run_from_a_wheel_in_any_folder(installed, mine, tmp_path):
    (tmp_path / "empty").mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BOOK_")}
    environment |= {"PYTHONPATH": str(installed), "HOME": str(tmp_path)}

    def run(*arguments):
        return subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path / "empty", env=environment, capture_output=True, text=True,
            timeout=600,
        )  # fmt: skip

    where = run("-c", "import helpers.locations as l; print(l.__file__, l.ROOT)").stdout.split()
    assert where == [str(installed / "helpers" / "locations.py"), "None"]
    done = run("-m", "helpers", "report", str(mine / "mine"), "--labels", str(mine / "labels.csv"), "--out", "out")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "empty" / "out").iterdir()} == LEFT
    done = run("-m", "helpers", "apply", "out/ensemble", str(mine / "mine"), "--out", "combined.npy")
    assert done.returncode == 0, done.stderr
    combined = np.load(tmp_path / "empty" / "combined.npy")
    assert np.array_equal(combined, np.load(tmp_path / "empty" / "out" / "combined.npy"))
    refused = run("-m", "helpers", "run")
    assert refused.returncode == 2 and "needs a checkout of the book" in refused.stderr
    imported = set(re.findall(r"helpers[.\w]*", run("-X", "importtime", "-m", "helpers", "report", "--help").stderr))
    assert "helpers.report.building" in imported
    assert [name for name in imported if name.startswith(("helpers.book", "helpers.studies"))] == []


@pytest.mark.parametrize("odd", ["{0} {x}", "100%s %d", 'it\'s a "quote"', "[a] * $HOME ~", "grün 中"])
def test_braces_percent_signs_blanks_and_quotes_in_any_path_do_no_harm(tmp_path, capsys, monkeypatch, odd):
    found, labels = halves(60)
    place = tmp_path / odd
    place.mkdir()
    for name, x in found.items():
        np.save(place / f"{name} {odd}.npy", x)
    pd.DataFrame({f"y {odd}": labels}).to_csv(tmp_path / f"labels {odd}.csv", index=False)
    monkeypatch.chdir(tmp_path)
    out = f"out {odd}"
    assert main(["report", odd, "--labels", f"labels {odd}.csv:y {odd}", "-o", out, "--folds", "3"]) == 0
    page = html.unescape((tmp_path / out / "index.html").read_text(encoding="utf-8"))
    assert f"python -m helpers apply {shlex.quote(out + '/ensemble')} " in page
    assert main(["apply", f"{out}/ensemble", odd, "-o", f"{odd}.npy", "-q"]) == 0
    assert np.load(f"{odd}.npy").shape[0] == 60 and "60 rows" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name, words", [("y.docx", "which cannot be read"), ("y.pkl", "pickle"), ("y.csv", "no such file")]
)
def test_a_file_of_labels_that_cannot_be_read_is_named(mine, tmp_path, capsys, name, words):
    if name != "y.csv":
        (tmp_path / name).write_bytes(b"x")
    assert main(["report", str(mine / "mine"), "--labels", str(tmp_path / name), "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert name in said and words in said and "Traceback" not in said


RUBBISH = {
    "b.npy": b"\x93NUMPY rubbish", "d.csv": b"\xff\xfe\x00 1,2\n3", "f.parquet": b"PAR1 and no more", "h.json": b"{",
    "j.safetensors": b"\x00" * 30, "l.h5": b"HDF no", "n.xlsx": b"PK", "p.pt": b"\x80\x04.", "r.npz": b"PK\x03\x04",
}  # fmt: skip


def test_of_a_folder_in_which_every_second_file_is_unreadable_the_others_are_reported(tmp_path, capsys):
    found, labels = halves(90)
    folder = tmp_path / "mine"
    folder.mkdir()
    for letter, x in zip("acegikmoq", [*found.values()] * 9, strict=False):
        np.save(folder / f"{letter}.npy", x + 0.3 * np.random.default_rng(ord(letter)).normal(size=x.shape))
    for name, content in RUBBISH.items():
        (folder / name).write_bytes(content)
    pd.DataFrame({"label": labels}).to_csv(tmp_path / "labels.csv", index=False)
    given = [
        "report",
        str(folder),
        "--labels",
        str(tmp_path / "labels.csv"),
        "-o",
        str(tmp_path / "out"),
        "--folds",
        "3",
    ]
    assert main(given) == 0
    said = capsys.readouterr().out
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    told = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))["result"]["tables"]
    assert len(told["spaces"]) == 9 and {row["file"] for row in told["not_read"]} == set(RUBBISH)
    assert all(row["reason"] for row in told["not_read"]) and all(html.escape(name) in page for name in RUBBISH)
    assert "\nnot read: b.npy" in said
    assert main([*given, "--overwrite", "--require", "nothing-lost"]) == 3
