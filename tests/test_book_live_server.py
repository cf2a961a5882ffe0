"""The live book in a real browser: fill in the form, run, cancel, see the new numbers; and who is let in."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import psutil
import pytest
from axe import axe_script, violations
from mini_book import ROOT

from helpers.book.browser import find_browser, open_tab
from helpers.book.render import build_book

pytestmark = pytest.mark.slow
browser = pytest.mark.skipif(find_browser() is None, reason="no Chromium or Chrome is installed")
SERVE = "import sys; from pathlib import Path; from helpers.book.live_server import serve; "
SERVE += "serve(Path(sys.argv[1]), port=int(sys.argv[2]), n_jobs=2, open_browser=False)"


@pytest.fixture(scope="module")
def server(executed_book, tmp_path_factory):
    """The small book, built and served: (process, base address, token, folder)."""
    root = shutil.copytree(executed_book, tmp_path_factory.mktemp("served") / "book")
    build_book(root, root / "_build" / "executed", quiet=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(root), str(port)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        address = re.search(r"(http://\S+?)/live\?token=(\w+)", process.stdout.readline())
        assert address, "the server does not say its address"
        yield process, address[1], address[2], root
    finally:
        process.terminate()
        process.wait(120)


def ask(server, path, *, method="GET", body=None, token=True, **headers):
    """Status, headers and text of an answer; redirects are not followed."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        headers["Authorization"] = f"token {server[2]}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server[1] + path, data, headers, method=method)
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode(errors="replace")


def test_nothing_is_answered_without_the_token(server):
    status, headers, _ = ask(server, "/live/book/notebooks/01_lines.html", token=False)
    assert status == 302 and "/login" in headers["Location"]
    for method, path in [
        ("GET", "/live/api/chapters/01_lines"), ("POST", "/live/api/runs"), ("POST", "/api/kernels"),
        ("GET", "/api/contents"),
        ("DELETE", "/live/api/runs/0123456789abcdef"), ("GET", "/live/api/runs/0123456789abcdef/results"),
    ]:  # fmt: skip
        assert ask(server, path, method=method, body={} if method == "POST" else None, token=False)[0] == 403, path


def test_it_listens_to_this_machine_alone(server):
    family = [psutil.Process(server[0].pid), *psutil.Process(server[0].pid).children(recursive=True)]
    there = [one.laddr for process in family for one in process.net_connections("inet") if one.status == "LISTEN"]
    assert urlsplit(server[1]).port in {address.port for address in there}
    assert {address.ip for address in there} == {"127.0.0.1"}


def test_other_hosts_and_origins_are_refused(server):
    assert ask(server, "/live/book/index.html", Host="elsewhere.example")[0] == 403
    cookie = ask(server, f"/live?token={server[2]}", token=False)[1].get_all("Set-Cookie")
    jar = "; ".join(one.partition(";")[0] for one in cookie)
    assert ask(server, "/live/api/chapters/01_lines", token=False, Cookie=jar)[0] == 200
    assert (
        ask(server, "/live/api/chapters/01_lines", token=False, Cookie=jar, Origin="http://elsewhere.example")[0] == 404
    )
    form = {"chapter": "01_lines", "parameters": {}}
    assert ask(server, "/live/api/runs", method="POST", body=form, token=False, Cookie=jar)[0] == 403  # no XSRF token


def test_only_files_of_the_book_are_served(server):
    assert ask(server, "/live/book/book/intro.html")[0] == 200
    for path in ("/live/book/../../_toc.yml", "/live/book/%2e%2e/%2e%2e/_toc.yml", "/live/book/notebooks/none.html"):
        assert ask(server, path)[0] in (403, 404), path
    assert ask(server, "/live/api/chapters/99_none")[0] == 404


def test_pages_are_forbidden_to_load_anything_from_elsewhere(server):
    policy = ask(server, "/live/book/notebooks/01_lines.html")[1]["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "https:" not in policy and " *" not in policy


def test_wrong_values_and_bodies_are_refused_with_words(server):
    status, _, text = ask(
        server, "/live/api/runs", method="POST", body={"chapter": "01_lines", "parameters": {"n": "x"}}
    )
    assert status == 422 and "where int is expected" in json.loads(text)["errors"]["n"]
    assert ask(server, "/live/api/runs", method="POST", body=[1])[0] == 400
    assert ask(server, "/live/api/runs", method="POST", body={"chapter": "01_lines", "parameters": 3})[0] == 400
    assert ask(server, "/live/api/runs", method="POST", body={"chapter": "none"})[0] == 404


class Reader:
    """What a reader does on a live page."""

    def __init__(self, tab, server):
        self.tab, self.base = tab, server[1]
        tab.open(f"{server[1]}/live?token={server[2]}")

    def chapter(self, name):
        self.tab.open(f"{self.base}/live/book/notebooks/{name}.html")
        self.tab.wait("document.querySelector('.live-panel form button')", "the form")
        self.tab.run("document.querySelector('.live-panel details').open = true")

    def fill(self, name, text):
        self.tab.run(
            f"(() => {{ const field = document.getElementById('live-{name}'); field.value = {json.dumps(text)};"
            "field.dispatchEvent(new Event('input')); })()"
        )

    def press(self, words):
        found = self.tab.run(
            "(() => { const button = [...document.querySelectorAll('button')].find((one) => "
            f"(one.getAttribute('aria-label') || one.textContent) === {json.dumps(words)} && !one.hidden);"
            "if (button) button.click(); return Boolean(button); })()"
        )
        assert found, f"no button {words!r}"

    def says(self, words, seconds=60):
        places = "[...document.querySelectorAll('.live-status')]"
        script = f"{places}.some((one) => one.textContent.includes({json.dumps(words)}))"
        self.tab.wait(script, f"the page to say {words!r}", seconds)

    def stayed_inside(self):
        port = urlsplit(self.base).port
        outside = [
            address
            for address in self.tab.requests
            if not re.match(rf"(https?|ws)://127\.0\.0\.1:{port}/|data:|blob:|about:", address)
        ]
        assert outside == []


@pytest.fixture
def reader(server):
    with open_tab(90) as tab:
        reader = Reader(tab, server)
        yield reader
        reader.stayed_inside()
        assert tab.errors == []


@browser
def test_a_reader_changes_a_value_and_sees_the_new_beside_the_old(reader):
    reader.chapter("01_lines")
    assert reader.tab.run("document.getElementById('live-n').value") == "4"
    help_ = reader.tab.run("document.getElementById('live-n-help').textContent")
    assert "numbers that are drawn" in help_ and "int" in help_ and "default 4" in help_
    reader.fill("n", "6")
    reader.press("Run")
    reader.says("4 numbers in the text")
    assert reader.tab.run("document.querySelector('.live-old-number').textContent") == "1.50"
    assert reader.tab.run("document.querySelector('.live-new-number').textContent") == " → 2.50"
    pairs = "[...document.querySelectorAll('.live-pair')].map((pair) => pair.innerText)"
    table = next(text for text in reader.tab.run(pairs) if "mean" in text)
    assert "On the page" in table and "1.5" in table and "With n = 6" in table and "2.5" in table
    images = "[...document.querySelectorAll('.live-new img')].map((image) => [image.naturalWidth > 0, image.alt])"
    assert reader.tab.run(images) == [[True, "A rising line."]]

    address = reader.tab.run("location.href")
    assert re.search(r"\?run=[0-9a-f]{16}", address)
    began = time.monotonic()
    reader.tab.open(address)  # the same results after a reload, at once
    reader.says("4 numbers in the text", 30)
    assert time.monotonic() - began < 30
    assert reader.tab.run("document.getElementById('live-n').value") == "6"
    reader.press("Take the new results away")
    assert reader.tab.run("document.querySelectorAll('.live-pair, .live-new-number').length") == 0
    assert "1.5" in reader.tab.run("document.querySelector('.cell-table').innerText")


@browser
def test_a_wrong_value_is_refused_in_the_form_and_nothing_runs(reader, server):
    reader.chapter("01_lines")
    reader.fill("n", "many")
    reader.press("Run")
    reader.says("Not run")
    assert "parameter n is 'many' (str), where int is expected" in reader.tab.run(
        "document.getElementById('live-n-error').textContent"
    )
    assert reader.tab.run("document.getElementById('live-n').getAttribute('aria-invalid')") == "true"
    assert reader.tab.run("document.activeElement.id") == "live-n"
    reader.tab.errors.clear()  # the console notes the answer 422


@browser
def test_an_error_of_a_cell_is_shown(reader):
    reader.chapter("01_lines")
    reader.fill("n", "1")
    reader.press("Run")
    reader.says("AssertionError: n has to be 2 or more")
    assert "assert n > 1" in reader.tab.run("document.querySelector('.live-traceback').textContent")


@browser
def test_a_long_run_is_cancelled_while_another_form_runs(reader, server):
    reader.chapter("02_slow")
    reader.fill("seconds", "250.0")
    reader.press("Run")
    reader.says("Running: cell")
    with open_tab(90) as tab:
        other = Reader(tab, server)
        other.chapter("01_lines")
        other.fill("n", "8")
        other.press("Run")
        other.says("4 numbers in the text")
        assert tab.run("document.querySelector('.live-new-number').textContent") == " → 3.50"
    assert reader.tab.run("document.querySelector('.live-progress').hidden") is False
    reader.press("Cancel")
    reader.says("its kernel has ended", 30)
    kernels = [
        p for p in psutil.Process(server[0].pid).children(recursive=True) if "ipykernel" in " ".join(p.cmdline())
    ]
    assert kernels == []


@browser
def test_cells_run_one_by_one_on_a_kernel_of_the_reader(reader, server):
    reader.chapter("01_lines")
    reader.fill("n", "10")
    reader.press("Run to cell 5 on your kernel")
    reader.says("Your kernel is ready.", 90)
    assert "4.5" in reader.tab.run("document.querySelector('.cell-table .live-own').innerText")
    reader.press("Edit cell 5")
    reader.tab.run("document.getElementById('live-code-table').value = 'n * 111'")
    reader.press("Run cell 5 on your kernel")
    reader.tab.wait("document.querySelector('.cell-table .live-own').innerText.includes('1110')", "the edited cell")
    reader.press("Run cell 6 on your kernel")
    reader.tab.wait("document.querySelector('.cell-figure .live-own img')", "the figure")
    reader.press("End the kernel")
    reader.says("Your kernel has ended.")
    assert json.loads(ask(server, "/api/kernels")[2]) == []


@browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation_in_the_form_its_errors_and_its_results(server, theme):
    axe, found = axe_script(), {}

    def look(state):
        if faults := violations(tab, axe):
            found[state] = faults

    with open_tab(90) as tab:
        tab.choose_theme(theme)
        reader = Reader(tab, server)
        reader.chapter("01_lines")
        assert tab.run("document.documentElement.dataset.theme") == theme
        look("the form")
        reader.fill("n", "many")
        reader.press("Run")
        reader.says("Not run")
        look("a value that is refused")
        reader.fill("n", "1")
        reader.press("Run")
        reader.says("AssertionError: n has to be 2 or more")
        look("an error of a cell")
        reader.fill("n", "6")
        reader.press("Run")
        reader.says("4 numbers in the text")
        look("results beside those of the page")
        reader.press("Run to cell 5 on your kernel")
        reader.says("Your kernel is ready.")
        reader.press("Edit cell 5")
        look("a cell that is edited and one that ran")
        reader.press("End the kernel")
        reader.says("Your kernel has ended.")
        reader.chapter("02_slow")
        reader.fill("seconds", "240.0")
        reader.press("Run")
        reader.says("Running: cell")
        look("a run under way")
        reader.press("Cancel")
        reader.says("its kernel has ended", 30)
        reader.stayed_inside()
    assert found == {}, found
