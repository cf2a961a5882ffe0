"""Tasks that say what a representation is good for, each a real MTEB task, evaluated from vectors made once.

>>> from helpers import tasks
>>> tasks.task_names("documentation")[:2]
['DocumentationLibraryClassification', 'DocumentationSubmoduleClassification']

:func:`load_tasks` gives the tasks of one source: the documentation of the installed libraries, a folder of public data
sets, or the hub. :func:`texts` says what has to be encoded, :func:`evaluate_task` scores the vectors as MTEB would, and
:meth:`TaskScore.bootstrap` says how far the score would move with other test items.

:mod:`helpers.tasks.encodechka` has the eight sentence tasks of a Russian benchmark, by its rules and by honest ones.
"""

from helpers.tasks.evaluation import TaskScore, digest_of_task, evaluate_task, texts
from helpers.tasks.sources import describe_tasks, load_tasks, task_names

__all__ = ["TaskScore", "describe_tasks", "digest_of_task", "evaluate_task", "load_tasks", "task_names", "texts"]
