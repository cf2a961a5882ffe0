"""Tasks that say what a representation is good for, each a real MTEB task, evaluated from vectors made once.

>>> from helpers import tasks
>>> tasks.names("documentation")[:2]
['DocumentationLibraryClassification', 'DocumentationSubmoduleClassification']

:func:`load` gives the tasks of one source: the documentation of the installed libraries, a folder of public data sets,
or the hub. :func:`texts` says what has to be encoded, :func:`evaluate` scores the vectors as MTEB would, and
:meth:`Evaluation.bootstrap` says how far the score would move with other test items.
"""

from helpers.tasks.evaluation import Evaluation, digest, evaluate, texts
from helpers.tasks.sources import describe, load, names

__all__ = ["Evaluation", "describe", "digest", "evaluate", "load", "names", "texts"]
