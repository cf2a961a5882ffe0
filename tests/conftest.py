"""Fixtures that several test files share."""

import signal

import numpy as np
import pytest

# A shell lets its background jobs ignore SIGINT, and whatever they start inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def documentation():
    """The tasks of the documentation of the installed libraries."""
    from helpers import tasks

    return tasks.load_tasks("documentation", size=96)


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory):
    """A folder with every public data set, tiny."""
    from task_data import make_data_folder

    return make_data_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def from_folder(data_folder):
    """The tasks of that folder."""
    from helpers import tasks

    return tasks.load_tasks(data_folder)


@pytest.fixture(scope="session")
def executed_book(tmp_path_factory):
    """The small book of :mod:`mini_book`, executed: a folder that tests leave as it is."""
    from mini_book import make_book

    from helpers.book.render import chapters
    from helpers.book.runs import Run, execute

    root = make_book(tmp_path_factory.mktemp("executed"))
    for chapter in chapters(root):
        execute(Run(chapter, root / "_build" / "executed" / chapter.name))
    return root


@pytest.fixture
def read(tmp_path_factory):
    """:func:`helpers.inputs.read` without progress, its conversions in a folder of the test."""
    from helpers.inputs import read as read_inputs

    work = tmp_path_factory.mktemp("work")
    return lambda *args, **options: read_inputs(*args, work=work, progress=False, **options)


@pytest.fixture
def x():
    """An embedding of a few objects."""
    from embedding_files import N, P

    return np.random.default_rng(0).normal(size=(N, P))


@pytest.fixture(scope="session")
def suspects():
    """Two unlike embeddings with their suspects, the similarities of all, and what is redundant."""
    from report_data import spaces

    from helpers.report import find_redundant, pairwise_similarity

    found = spaces()
    table = pairwise_similarity(found)
    return found, table, find_redundant(found, table)


@pytest.fixture(scope="session")
def built():
    """A report on two embeddings that complement each other, a copy turned, and noise; and what it said meanwhile."""
    from report_data import halves

    from helpers.report import build

    found, labels = halves(150)
    found["turned"] = found["one"] @ np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    said = []
    return build(found, labels=labels, progress=said.append), said, found, labels
