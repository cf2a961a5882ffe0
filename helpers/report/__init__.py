"""From several embeddings of the same objects to a decision: how alike, which can go, how to combine the rest.

The functions are what ``python -m helpers report`` and the chapter "Your own embeddings" are made of:

>>> import numpy as np
>>> from helpers.report import alike, by_labels, gains, relations
>>> rng = np.random.default_rng(0)
>>> y = np.arange(120) % 2
>>> x = rng.normal(size=(120, 4)) + 2 * y[:, None]
>>> embeddings = {"x": x, "turned": x[:, ::-1], "noise": rng.normal(size=(120, 4))}
>>> found = relations(embeddings, alike(embeddings))
>>> dict(zip(found["embedding"], found["finding"]))
{'noise': 'noise', 'turned': 'rotated copy'}
>>> verdicts = gains(by_labels(embeddings, y)).set_index(["method", "against"])["verdict"]
>>> verdicts["concatenation + PCA", "best single"]
'not distinguishable'
"""

from helpers.report.conclusions import (
    chosen_ensemble,
    costs,
    fit_chosen,
    redundancy_in_words,
    trust_in_words,
    verdict_in_words,
)
from helpers.report.evaluation import (
    BEST,
    LAMBDAS,
    PLAIN,
    Evaluation,
    Plan,
    by_labels,
    by_pairs,
    by_qrels,
    ensembles,
    evaluate,
    gains,
    kind_of,
    scores,
)
from helpers.report.folder import save_tables, write_combined
from helpers.report.spaces import alike, describe, matrix_of, relations, same_groups
from helpers.report.steps import Steps, expected_seconds

__all__ = [
    "BEST",
    "LAMBDAS",
    "PLAIN",
    "Evaluation",
    "Plan",
    "Steps",
    "alike",
    "by_qrels",
    "by_labels",
    "by_pairs",
    "chosen_ensemble",
    "costs",
    "describe",
    "ensembles",
    "evaluate",
    "expected_seconds",
    "fit_chosen",
    "gains",
    "kind_of",
    "matrix_of",
    "redundancy_in_words",
    "relations",
    "same_groups",
    "save_tables",
    "scores",
    "trust_in_words",
    "verdict_in_words",
    "write_combined",
]
