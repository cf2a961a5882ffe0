"""Ensembles: several representations of the same objects combined into one, as scikit-learn estimators.

>>> import numpy as np
>>> from helpers.ensembles import QP
>>> rng = np.random.default_rng(0)
>>> layers = {"first": rng.normal(size=(8, 3)), "last": rng.normal(size=(8, 3))}
>>> combined = QP(lam=0.1).fit(layers, quality={"first": 0.6, "last": 0.7})
>>> combined.transform(layers).shape
(8, 3)

In a cross-validation the representations are wrapped, so that rows can be selected, and the quality is a rule:

>>> from sklearn.linear_model import LogisticRegression
>>> from sklearn.model_selection import cross_val_score
>>> from sklearn.pipeline import make_pipeline
>>> from helpers.ensembles import Representations
>>> pipeline = make_pipeline(QP(lam=0.1, quality="rankme"), LogisticRegression())
>>> cross_val_score(pipeline, Representations(layers), [0, 1] * 4, cv=2).shape
(2,)
"""

from helpers.ensembles._qp import Solution, maximise
from helpers.ensembles.aligning import (
    GeneralizedProcrustes,
    MultisetCCA,
    OrthogonalProcrustes,
    SharedLinearAutoencoder,
)
from helpers.ensembles.autoencoder import SharedAutoencoder
from helpers.ensembles.base import Ensemble
from helpers.ensembles.baselines import (
    BestLayer,
    BestUnsupervised,
    CentredLast,
    ConcatPCA,
    LastLayer,
    MeanOfLastFour,
    MeanOfLayers,
    WhitenedLast,
)
from helpers.ensembles.greedy import Greedy
from helpers.ensembles.programs import QP, ClusterPCA, MaskedQP, QPSelectionPCA
from helpers.ensembles.replacing import GreedyReplacement, QualityReplacement
from helpers.ensembles.representations import Representations
from helpers.ensembles.saving import load_ensemble
from helpers.ensembles.scalar_mix import ScalarMix
from helpers.ensembles.selection import Selection, select

__all__ = [
    "QP",
    "BestLayer",
    "BestUnsupervised",
    "CentredLast",
    "ClusterPCA",
    "ConcatPCA",
    "Ensemble",
    "GeneralizedProcrustes",
    "Greedy",
    "GreedyReplacement",
    "LastLayer",
    "MaskedQP",
    "MeanOfLastFour",
    "MeanOfLayers",
    "MultisetCCA",
    "OrthogonalProcrustes",
    "QPSelectionPCA",
    "QualityReplacement",
    "Representations",
    "ScalarMix",
    "Selection",
    "SharedAutoencoder",
    "SharedLinearAutoencoder",
    "Solution",
    "WhitenedLast",
    "load_ensemble",
    "maximise",
    "select",
]
