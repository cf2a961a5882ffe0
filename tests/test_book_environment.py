"""One source for the environment: pyproject.toml, lock and environment.yml agree, and all of it imports together."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from helpers.book.environment import conda_file, direct_requirements

ROOT = Path(__file__).parents[1]
PRESCRIBED = {
    "jupyter",
    "jupyter-book",
    "papermill",
    "torch",
    "transformers",
    "mteb",
    "pytorch-lifestream",
    "lightautoml",
    "matplotlib",
    "seaborn",
}


def locked():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {requirement.name: requirement for requirement in requirements}


def test_every_direct_requirement_is_locked_at_a_version_that_it_allows():
    versions = {name: next(iter(r.specifier)).version for name, r in locked().items()}
    for line in direct_requirements():
        requirement = Requirement(line)
        assert requirement.specifier.contains(versions[requirement.name], prereleases=True), line


def test_the_lock_gives_exact_versions():
    assert all(re.fullmatch(r"==[^*]+", str(requirement.specifier)) for requirement in locked().values())


def test_conda_and_pip_install_the_same():
    assert (ROOT / "environment.yml").read_text() == conda_file()
    pip = yaml.safe_load(conda_file())["dependencies"][-1]["pip"]
    assert pip == ["-r requirements.lock", *direct_requirements(), "-e ."]


def test_what_is_prescribed_is_there():
    assert {Requirement(line).name for line in direct_requirements()} >= PRESCRIBED


def test_what_runs_here_is_what_is_locked():
    for line in direct_requirements():
        name = Requirement(line).name
        installed = importlib.metadata.version(name).partition("+")[0]
        assert installed == next(iter(locked()[name].specifier)).version, name


@pytest.mark.slow
def test_all_prescribed_packages_import_together():
    modules = "jupyter_core, jupyter_book, papermill, torch, transformers, mteb, ptls, lightautoml, matplotlib, seaborn"
    code = f"import {modules}, numpy, pandas, helpers; print(numpy.__version__[0], pandas.__version__[0])"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[-2:] == ["2", "2"]


def test_importing_the_package_loads_nothing_heavy():
    heavy = ["torch", "numba", "sklearn", "pandas", "matplotlib", "transformers", "mteb"]
    code = f"import sys, helpers, helpers.similarity; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
