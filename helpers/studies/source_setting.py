"""The study's own setting beside ours: two age groups, ROC-AUC and LightAutoML, step by step from ours to the study's.

What is recorded in the study's setting may be a part of the planned experiments, or nothing: tables say which.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.book.data import table as recorded_table
from helpers.locations import DATA
from helpers.studies.comparing import LEAST_UNITS, paired_table
from helpers.studies.regimes import PLANNED, REGIMES, recorded_regimes
from helpers.studies.replacing import CLAIMS

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ASKED",
    "HEADLINE",
    "NOT_RECORDED",
    "PAIRS",
    "facts_of_settings",
    "recorded_headline",
    "recorded_pairs_by_area",
    "steps_to_the_study",
    "table_correlations_by_area",
    "table_of_settings",
]

HEADLINE = "results/clients_headline_auc.csv"
PAIRS = "results/clients_difference_auc.csv"
NOT_RECORDED = "not recorded yet"
STAR = "\N{NO-BREAK SPACE}*"
ASKED = {
    "concatenation less best": ("concat", "best"),
    "mean less best": ("mean", "best"),
    "concatenation + PCA less best": ("concat_pca", "best"),
    "QP, CKA less mean": ("qp_cka", "mean"),
    "QP, CKA less best": ("qp_cka", "best"),
}
"""Differences of methods that are shown in every setting."""


def recorded_headline() -> pd.DataFrame | None:
    """Combinations scored as in the study, by LightAutoML and by the fast scorer; None where none are recorded."""
    return recorded_table(HEADLINE) if (DATA / HEADLINE).is_file() else None


def steps_to_the_study(headline: pd.DataFrame, by_area: pd.DataFrame | None) -> dict[tuple[str, str, str], Any]:
    """Recorded scores from our setting to that of the study: other encoders, then the metric, then the scorer.

    Parameters
    ----------
    headline
        Combinations of the first regime by the accuracy of four classes, with a column ``fast``:
        ``results/clients_headline.csv``.
    by_area
        Table of :func:`recorded_headline`.

    Returns
    -------
    dict
        (encoders, target and metric, scorer) → table with ``experiment``, ``method`` and ``score``, or None where
        nothing is recorded.
    """
    short, long = REGIMES["coles_recorded"], REGIMES["coles_ordered"]
    four, two = "four classes, accuracy", "two classes, ROC-AUC"

    def regime(metric: str, target: str) -> pd.DataFrame | None:
        rows = recorded_regimes(metric, target)
        rows = rows[(rows["sweep"] == "coles_ordered") & (rows["method"] != "hand_made")]
        return rows if len(rows) else None

    def scored(table: pd.DataFrame | None, classifier: str) -> pd.DataFrame | None:
        if table is None:
            return None
        rows = table[["experiment", "method", classifier]].rename(columns={classifier: "score"}).dropna()
        return rows if len(rows) else None

    return {
        (short, four, "fast"): scored(headline, "fast"),
        (long, four, "fast"): regime("accuracy", "classes"),
        (long, two, "fast"): regime("roc_auc", "binary"),
        (long, two, "LightAutoML"): scored(by_area, "lightautoml"),
    }


def table_of_settings(steps: dict[tuple[str, str, str], Any], published: pd.DataFrame) -> pd.DataFrame:
    """Differences of combinations in points, a column for each setting and, last, what was published.

    Parameters
    ----------
    steps
        What :func:`steps_to_the_study` returns.
    published
        Published differences of the mixture by CKA: ``published/client_qp_ensemble.csv``.

    Returns
    -------
    DataFrame
        Index :data:`ASKED`; a column for each setting, which names the number of recorded experiments, with 95 %
        intervals over experiments from six on. A star marks those that interval and test tell from zero, the tests
        corrected by Holm for their column; a dash is what is not recorded, or not published.
    """
    import pandas as pd

    columns = {}
    for setting, scores in steps.items():
        n = 0 if scores is None else scores["experiment"].nunique()
        name = f"{': '.join(setting[:2])}, {setting[2]} ({f'{n} of {PLANNED}' if n else NOT_RECORDED})"
        columns[name] = _differences(scores)
    mixture = published[published["measure"] == "CKA"].set_index("against")["mean_percent"]
    cells = dict.fromkeys(ASKED, "–") | {f"QP, CKA less {name}": f"{value:+.1f}" for name, value in mixture.items()}
    cells["concatenation less best"] = f"{CLAIMS['concat'].claim.published:+.1f}"
    cells["mean less best"] = "below 0"
    columns["as published"] = cells
    return pd.DataFrame(columns, index=list(ASKED))


def _differences(scores: pd.DataFrame | None) -> dict[str, str]:
    """Each difference in words, and a dash where it is not recorded."""
    from helpers.inference import format_interval, verdict_of

    cells = dict.fromkeys(ASKED, "–")
    if scores is None:
        return cells
    wide = 100 * scores.pivot(index="experiment", columns="method", values="score")
    both = {words: wide.reindex(columns=pair).dropna() for words, pair in ASKED.items()}
    known = {words: pair.to_numpy().T for words, pair in both.items() if len(pair)}
    if not known:
        return cells
    found = paired_table(known)
    for words, row in found.iterrows():
        told = row["n"] >= LEAST_UNITS and verdict_of(row["ci_low"], row["ci_high"], row["p_holm"]) in (
            "better",
            "worse",
        )
        cells[words] = format_interval(row, spec="+.1f") + STAR * told
    return cells


def facts_of_settings(steps: dict[tuple[str, str, str], Any]) -> dict[str, str]:
    """What is recorded in the study's setting, in words: ``source_setting``, and the first two differences there.

    Parameters
    ----------
    steps
        What :func:`steps_to_the_study` returns.

    Returns
    -------
    dict
        ``source_setting`` (a number of experiments, or :data:`NOT_RECORDED`), ``source_concat`` and ``source_mean``
        (points, with an interval from six experiments on, or a dash).
    """
    scores = list(steps.values())[-1]
    cells = _differences(scores)
    n = NOT_RECORDED if scores is None else f"{scores['experiment'].nunique()} of {PLANNED} experiments recorded"
    names = {"source_concat": "concatenation less best", "source_mean": "mean less best"}
    return {"source_setting": n} | {key: cells[name].removesuffix(STAR) for key, name in names.items()}


# Pairs by the area, for the chapter on difference


def recorded_pairs_by_area() -> pd.DataFrame | None:
    """Pairs of encoders that are trained long, two classes by ROC-AUC; None where none are recorded."""
    return recorded_table(PAIRS) if (DATA / PAIRS).is_file() else None


def table_correlations_by_area(
    by_accuracy: pd.DataFrame, pairs: pd.DataFrame | None, measures: Sequence[str], **settings: Any
) -> pd.DataFrame:
    """Correlations of measures with the residual gain of concatenation, by the area beside those by accuracy.

    Parameters
    ----------
    by_accuracy
        Correlations of the recorded pairs by measure, from
        :func:`helpers.studies.gain_correlations.gain_correlations`.
    pairs
        Table of :func:`recorded_pairs_by_area`.
    measures
        Measures to show.
    settings
        Passed to :func:`helpers.studies.gain_correlations.gain_correlations`.

    Returns
    -------
    DataFrame
        A row for each measure, two columns in words, with intervals from six experiments on; dashes where nothing is
        recorded, or a measure has no value for some pair.
    """
    import pandas as pd

    from helpers.studies.difference_page import correlation_words
    from helpers.studies.gain_correlations import gain_correlations

    names = list(measures)
    columns = {"four classes, accuracy": by_accuracy.loc[names].apply(correlation_words, axis=1)}
    if pairs is None:
        columns[f"two classes, ROC-AUC ({NOT_RECORDED})"] = pd.Series("–", names)
    else:
        known = [name for name in names if name in pairs and np.isfinite(pairs[name]).all()]
        no_test = {"n_permutations": 19, "n_deciding": 19}
        found = gain_correlations(pairs, known, combinations=["concatenation"], **no_test, **settings)
        found = found.set_index("measure")
        n = pairs["experiment"].nunique()
        if n < LEAST_UNITS:
            found[["pearson_ci_low", "pearson_ci_high"]] = np.nan
        words = found.apply(correlation_words, axis=1)
        columns[f"two classes, ROC-AUC ({n} of {PLANNED})"] = words.reindex(names).fillna("–")
    return pd.DataFrame(columns).rename(index=lambda name: name.replace("_", " "))
