"""Working notebooks: no solution for students, numbers of the last run, and JupyterLab shows them."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest

from helpers.__main__ import main
from helpers.book import working
from helpers.book.browser import find_browser, open_tab
from helpers.book.runs import Run, execute

pytestmark = pytest.mark.slow


@pytest.fixture
def book(executed_book):
    return executed_book


def text_of(path):
    return "\n\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)


def test_students_get_numbers_and_no_solutions(book, tmp_path):
    first, _ = working.write_notebooks(tmp_path, book)
    text = text_of(first)
    assert "It is 1.50 here, see Fig. 1.1 and [A chapter that takes its time](02_slow.ipynb)." in text
    assert "**Exercise 1.1 (Twice as many).**" in text and "**Fig. 1.1.** The numbers." in text
    assert "- A. Someone, B. Other. 2020. *Means*. Numbers." in text
    assert "secret" not in text and "range(2 * n)" not in text
    notebook = nbformat.read(first, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    hidden = [cell.id for cell in notebook.cells if cell.metadata.get("jupyter", {}).get("source_hidden")]
    assert hidden == ["setup", "facts"]


def test_teachers_get_solutions_too_and_outputs_if_they_want(book, tmp_path):
    first, _ = working.write_notebooks(tmp_path, book, solutions=True, outputs=True)
    text = text_of(first)
    assert "**Solution of Exercise 1.1.**" in text and "The secret answer" in text and "range(2 * n)" in text
    notebook = nbformat.read(first, as_version=4)
    assert any("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))


def test_a_working_notebook_runs(book, tmp_path):
    first, _ = working.write_notebooks(tmp_path, book, solutions=True)
    assert execute(Run(first, tmp_path / "out" / first.name, {"n": 5})).status == "done"


def test_a_chapter_that_was_not_run_is_named(book, tmp_path):
    with pytest.raises(ValueError, match="not executed, or out of date: 01_lines.ipynb, 02_slow.ipynb"):
        working.write_notebooks(tmp_path, book, tmp_path / "nowhere")


def test_outputs_are_a_matter_of_notebooks(capsys):
    assert main(["students", "--outputs"]) == 2
    assert "--notebooks DIR" in capsys.readouterr().err


@pytest.mark.skipif(find_browser() is None, reason="no Chromium or Chrome is installed")
def test_jupyterlab_shows_boxes_formulas_and_numbers(book, tmp_path):
    working.write_notebooks(tmp_path, book, outputs=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--ServerApp.port={port}", "--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=secret"]
    options += ["--no-browser", "--allow-root", f"--ServerApp.root_dir={tmp_path}", "--ServerApp.log_level=ERROR"]
    options += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    homes = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "spaces",
    }
    environment = os.environ | {name: str(tmp_path / folder) for name, folder in homes.items()}
    lab = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], env=environment)
    try:
        until = time.monotonic() + 300
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=secret", timeout=5).close()
                break
            except OSError:
                assert lab.poll() is None and time.monotonic() < until, "JupyterLab does not start"
                time.sleep(0.2)
        with open_tab(90) as tab:
            tab.call("Emulation.setDeviceMetricsOverride", width=1200, height=3000, deviceScaleFactor=1, mobile=False)
            tab.open(f"http://127.0.0.1:{port}/lab/tree/01_lines.ipynb?token=secret")
            cells = "[...document.querySelectorAll('.jp-MarkdownOutput{}')]"
            formulas = f"{cells.format(' blockquote mjx-container')}.length >= 2"
            tab.wait(formulas, "formulas in boxes")
            shown = "\n".join(tab.run(f"{cells.format('')}.map((one) => one.innerText)"))
            boxes = tab.run(f"{cells.format(' blockquote')}.map((one) => one.innerText)")
            errors = tab.run("document.querySelectorAll('mjx-merror, [data-mml-node=merror]').length")
    finally:
        lab.terminate()
        try:
            lab.wait(60)
        except subprocess.TimeoutExpired:  # how it ends is not ours to test; its kernel notices that it was left alone
            lab.kill()
            lab.wait()
    assert "It is 1.50 here, see Fig. 1.1" in shown and errors == 0
    assert any(box.startswith("In this chapter.") for box in boxes)
    assert any(box.startswith("Definition 1.1 (Mean).") for box in boxes)
    assert not re.search(r"\{[a-z:]+\}`|:::|\\R\b", shown)
