"""From several embeddings of the same objects to a decision: how similar, which can go, how to combine the rest.

:func:`build` makes a :class:`Report`; the other functions are its steps, each of which can be called alone:

>>> import numpy as np
>>> from helpers.report import evaluate_by_labels, find_redundant, gains_of_ensembles, pairwise_similarity
>>> rng = np.random.default_rng(0)
>>> y = np.arange(120) % 2
>>> x = rng.normal(size=(120, 4)) + 2 * y[:, None]
>>> embeddings = {"x": x, "turned": x[:, ::-1], "bent": np.tanh(x), "noise": rng.normal(size=(120, 4))}
>>> found = find_redundant(embeddings, pairwise_similarity(embeddings))
>>> dict(zip(found["embedding"], found["finding"]))
{'turned': 'rotated copy', 'noise': 'noise'}
>>> verdicts = gains_of_ensembles(evaluate_by_labels(embeddings, y)).set_index(["method", "against"])["verdict"]
>>> verdicts["concatenation + PCA", "best single"]
'not distinguishable'
"""

from helpers.report.building import build
from helpers.report.by_cosine import evaluate_by_pairs, evaluate_by_qrels
from helpers.report.by_labels import evaluate_by_labels
from helpers.report.decisions import Decisions, best_ensemble, cost_table, decide, fit_chosen
from helpers.report.evaluation import BEST, EvaluationPlan, TargetEvaluation
from helpers.report.health import diagnose_spaces
from helpers.report.recipes import PLAIN, candidate_ensembles
from helpers.report.redundancy import find_redundant, redundancy_groups
from helpers.report.reports import Report, Settings
from helpers.report.scoring import gains_of_ensembles, score_spaces
from helpers.report.spaces import describe_spaces, matrix_of, pairwise_similarity
from helpers.report.steps import StepProgress, Steps
from helpers.report.targets import evaluate_target, target_kind

__all__ = [
    "BEST",
    "PLAIN",
    "Decisions",
    "EvaluationPlan",
    "StepProgress",
    "Report",
    "Settings",
    "Steps",
    "TargetEvaluation",
    "best_ensemble",
    "build",
    "candidate_ensembles",
    "cost_table",
    "decide",
    "describe_spaces",
    "diagnose_spaces",
    "evaluate_by_labels",
    "evaluate_by_pairs",
    "evaluate_by_qrels",
    "evaluate_target",
    "find_redundant",
    "fit_chosen",
    "gains_of_ensembles",
    "matrix_of",
    "pairwise_similarity",
    "redundancy_groups",
    "score_spaces",
    "target_kind",
]
