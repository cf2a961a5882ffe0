"""Where tasks come from: the documentation, a folder, or the hub, by one parameter."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from helpers.locations import expand

if TYPE_CHECKING:
    import pandas as pd
    from mteb.abstasks import AbsTask

__all__ = ["describe_tasks", "load_tasks", "task_names"]

DOCUMENTATION = (
    "DocumentationLibraryClassification",
    "DocumentationSubmoduleClassification",
    "DocumentationRelatednessSTS",
    "DocumentationSameFunctionPairClassification",
    "DocumentationDescriptionRetrieval",
    "DocumentationCrossLibraryRetrieval",
)
FOLDER = (
    "Banking77Classification",
    "TweetSentimentExtractionClassification",
    "STSBenchmark",
    "NFCorpus",
    "QuoraDuplicates",
    "QuoraDuplicatesRetrieval",
)
HUB = (
    "Banking77Classification",
    "TweetSentimentExtractionClassification",
    "STSBenchmark",
    "SprintDuplicateQuestions",
    "QuoraRetrieval",
    "NFCorpus",
)


def load_tasks(
    source: str | os.PathLike, names: str | Iterable[str] | None = None, *, size: int | None = None
) -> dict[str, AbsTask]:
    """Tasks of one source by name, each with splits ``"train"``, ``"validation"`` and ``"test"``, data loaded.

    Parameters
    ----------
    source
        ``"documentation"``: six tasks made of the documentation of the installed libraries, see
        :mod:`helpers.tasks.documentation`; a folder of public data sets, also of a variable as in ``"$BOOK_DATA"``, see
        :mod:`helpers.tasks.folder`; or ``"hub"``: tasks of MTEB, see :mod:`helpers.tasks.hub`.
    names
        Names of the tasks that are wanted; by default all of the source, of the hub the six of the original study.
    size
        How many items the test split of each task of the documentation has at most (600 by default; validation has
        half of it, and the texts number about ten times it); the items of a smaller size are among those of a larger.
        Other sources have no choice of size.

    Returns
    -------
    dict of str to AbsTask
        Task objects of MTEB by name, which ``mteb.evaluate`` runs as they are.

    Raises
    ------
    ValueError
        If a name is unknown (the message lists those there are), a size is asked of another source, or a file of a
        folder is not as it should be (the message names the file, the row and the column).
    FileNotFoundError
        If there is no such folder, or files are missing (all of them are named).
    """
    wanted = _wanted(source, names)
    if size is not None and source != "documentation":
        raise ValueError(
            f"size is {size!r}; only the tasks of 'documentation' have a size, {str(source)!r} has its own"
        )
    if source == "hub":
        from helpers.tasks.hub import load_task

        return {name: load_task(name) for name in wanted}
    if source == "documentation":
        from helpers.tasks.documentation import TASKS

        found = {name: TASKS[name](**({} if size is None else {"size": size})) for name in wanted}
    else:
        from helpers.tasks.folder import TASKS

        found = {name: TASKS[name](expand(source)) for name in wanted}
    for task in found.values():
        task.load_data()
    return found


def task_names(source: str | os.PathLike) -> list[str]:
    """The names of the tasks of a source, as :func:`load_tasks` takes them."""
    if source == "documentation":
        return list(DOCUMENTATION)
    if source == "hub":
        return list(HUB)
    if not expand(source).is_dir():
        raise FileNotFoundError(
            f"source is {str(source)!r}; it is 'documentation', 'hub' or a folder, and there is none"
        )
    return list(FOLDER)


def _wanted(source: str | os.PathLike, wanted: str | Iterable[str] | None) -> list[str]:
    """The names that are asked for, known to the source."""
    there = task_names(source)
    wanted = there if wanted is None else list(dict.fromkeys([wanted] if isinstance(wanted, str) else wanted))
    unknown = [name for name in wanted if name not in there and source != "hub"]  # MTEB has many more
    if unknown:
        raise ValueError(f"no task {', '.join(map(repr, unknown))} in {str(source)!r}; there are {', '.join(there)}")
    return wanted


def describe_tasks(tasks: Mapping[str, AbsTask]) -> pd.DataFrame:
    """What tasks ask, how large they are and what chance would reach.

    Parameters
    ----------
    tasks : mapping from names to tasks
        What :func:`load_tasks` gives, or other tasks that :func:`evaluate_task` takes.

    Returns
    -------
    pandas.DataFrame
        One row per task: ``type``, ``metric``, ``train``, ``validation`` and ``test`` (items: texts, pairs or queries),
        ``corpus`` (documents of the test split), ``texts`` (distinct ones that validation and test need), ``chance``
        (the expected main score of vectors that know nothing, on the test split) and ``label`` (what is asked; the
        description of a task, ``task.metadata.description``, says more).
    """
    import pandas as pd

    from helpers.tasks.evaluation import overview

    rows = {name: overview(task) for name, task in tasks.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("task")
