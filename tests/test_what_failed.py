"""The end of a test run names what failed, one line each, as a command that repeats it."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = """
import pytest

def test_fine():
    pass

@pytest.mark.parametrize("value", [1, 2], ids=["with a space", "it's two"])
def test_bad(value):
    assert value == 1, f"it is {value}"

@pytest.fixture
def broken():
    raise OSError("no such thing")

def test_never_begun(broken):
    pass
"""
MODULE = '''
def half(x):
    """
    >>> half(1)
    0.25
    """
    return x / 2
'''


def run(folder, *arguments):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("processes", [0, 2])
def test_every_failure_is_one_line_that_repeats_it(tmp_path, processes):
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "test_a.py").write_text(TESTS)
    (tmp_path / "test_b.py").write_text("import nothing_of_that_name\n")
    (tmp_path / "module.py").write_text(MODULE)
    options = ("--doctest-modules", "--continue-on-collection-errors", "-n", str(processes), ".")
    done = run(tmp_path, *options)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    start = next(i for i, line in enumerate(lines) if "what failed, and how to repeat it" in line)
    told = [line for line in lines[start + 1 :] if " -m pytest -q " in line]
    assert len(told) == len(lines) - start - 2 == 4  # and the line with the counts
    reasons = {shlex.split(line, comments=True)[-1]: line.split("  # ")[1] for line in told}
    assert reasons == {
        "test_a.py::test_bad[it's two]": "AssertionError: it is 2",
        "test_a.py::test_never_begun": "OSError: no such thing",
        "module.py::module.half": "expected 0.25, got 0.5",
        "test_b.py": "ModuleNotFoundError: No module named 'nothing_of_that_name'",
    }
    for line in told:
        python, *arguments = shlex.split(line, comments=True)
        assert Path(python).samefile(sys.executable) and arguments[:3] == ["-m", "pytest", "-q"]
        again = run(tmp_path, "--doctest-modules", arguments[3])
        assert again.returncode != 0 and "passed" not in again.stdout
        assert line in again.stdout


def test_a_run_without_failures_says_nothing_of_them(tmp_path):
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "test_a.py").write_text("def test_fine():\n    pass\n")
    assert "failed" not in run(tmp_path).stdout
