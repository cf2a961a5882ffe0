"""All ensembles by name, with what is known of each: definition, labels, width, cost, source, and what fools it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
from helpers.ensembles.scalar_mix import ScalarMix

__all__ = ["ENSEMBLES", "LABELS", "EnsembleEntry"]

LABELS = ("none", "for the qualities", "in fit")
"""Where an ensemble may see labels."""


@dataclass(frozen=True)
class EnsembleEntry:
    """What is known of an ensemble.

    Attributes
    ----------
    estimator
        Class of the ensemble, which takes its options.
    definition
        What the combination is, in a phrase.
    formula
        Definition in LaTeX, without dollars; the page of ensembles explains the letters.
    labels
        Where it may see labels, one of :data:`LABELS`. A quality may be one without labels, too.
    width
        How many features the combination has, of representations with p features each.
    cost
        Leading terms of time of ``fit``, in objects n, features p and representations L.
    citation
        Key of the source in the bibliography.
    fooled
        Name in :data:`helpers.ensembles.cases.ENSEMBLE_CASES` of a made case that it gets wrong.
    """

    estimator: type[Ensemble]
    definition: str
    formula: str
    labels: str
    width: str
    cost: str
    citation: str
    fooled: str


_NONE, _QUALITY, _FIT = LABELS
_SIMILARITIES = "time L² n p², for the similarities"

_ENTRIES = (
    EnsembleEntry(
        LastLayer, "the last representation", "v_L", _NONE, "p", "time n p", "devlin2019bert", "last is noise"
    ),
    EnsembleEntry(
        CentredLast,
        "the last representation less its mean",
        r"v_L - \bar v_L",
        _NONE,
        "p",
        "time n p",
        "mu2018allbutthetop",
        "last is noise",
    ),
    EnsembleEntry(
        WhitenedLast,
        "the last representation on its principal axes, all of the same variance",
        r"(v_L - \bar v_L) W, \quad W^\top \Sigma W = I",
        _NONE,
        "p, or as asked",
        "time n p²",
        "su2021whitening",
        "last is noise",
    ),
    EnsembleEntry(
        BestLayer,
        "the one representation of highest quality",
        r"v_b, \quad b = \arg\max_i q_i",
        _QUALITY,
        "p",
        "time of the qualities",
        "peters2018deep",
        "halves",
    ),
    EnsembleEntry(
        BestUnsupervised,
        "the one representation that is best by a quality without labels",
        r"v_b, \quad b = \arg\max_i q_i, \quad q \text{ without labels}",
        _NONE,
        "p",
        "time L n p², for RankMe",
        "garrido2023rankme",
        "last is noise",
    ),
    EnsembleEntry(
        MeanOfLayers,
        "the mean of all representations",
        r"\frac1L \sum_i v_i",
        _NONE,
        "p",
        "time L n p",
        "huang2021whiteningbert",
        "opposite",
    ),
    EnsembleEntry(
        MeanOfLastFour,
        "the mean of the last four representations",
        r"\frac14 \sum_{i > L - 4} v_i",
        _NONE,
        "p",
        "time n p",
        "devlin2019bert",
        "opposite",
    ),
    EnsembleEntry(
        ConcatPCA,
        "all representations side by side, on their leading principal axes",
        r"[v_1 \cdots v_L] \, A, \quad A \text{ the leading principal axes}",
        _NONE,
        "the widest p, or as asked",
        "time n (Lp)²",
        "devlin2019bert",
        "loud noise",
    ),
    EnsembleEntry(
        QP,
        "a weighted sum: quality for, similarity against",
        r"\sum_i w_i v_i, \quad w = \arg\max_{w \ge 0, \, \sum w_i = 1} q^\top w - \lambda \, w^\top S w",
        _QUALITY,
        "p",
        _SIMILARITIES,
        "popov2025automatic",
        "halves",
    ),
    EnsembleEntry(
        MaskedQP,
        "a weighted sum in which only similarity to better representations counts against",
        r"\sum_i w_i v_i, \quad w = \arg\max q^\top w - \lambda \, w^\top A w, \; A_{ij} = S_{ij} [q_i < q_j]",
        _QUALITY,
        "p",
        _SIMILARITIES,
        "popov2025automatic",
        "halves",
    ),
    EnsembleEntry(
        QPSelectionPCA,
        "the representations that the program keeps, side by side, on their leading principal axes",
        r"[\sqrt{w_1} \, v_1 \cdots \sqrt{w_L} \, v_L] \, A, \quad w \text{ as in QP}",
        _QUALITY,
        "the widest p, or as asked",
        "time L² n p² + n (Lp)²",
        "popov2025automatic",
        "halves",
    ),
    EnsembleEntry(
        ClusterPCA,
        "a mean for each group of similar representations, side by side, on their leading principal axes",
        r"[\sqrt{\bar w_1} \, \bar v_1 \cdots \sqrt{\bar w_k} \, \bar v_k] \, A, \quad k \text{ groups by } S",
        _QUALITY,
        "the widest p, or as asked",
        "time L² n p² + n (kp)²",
        "popov2025automatic",
        "halves",
    ),
    EnsembleEntry(
        Greedy,
        "a sum of representations chosen one by one, the t-th with weight 1 / t",
        r"\sum_{t=1}^k \frac{v_{i_t}}{t H_k}, "
        r"\quad i_t = \arg\max_i q_i - \lambda \operatorname{mean}_{s < t} S_{i i_s}",
        _QUALITY,
        "p",
        _SIMILARITIES,
        "popov2025automatic",
        "halves",
    ),
    EnsembleEntry(
        ScalarMix,
        "a weighted sum whose weights are learnt with a linear head",
        r"\sum_i \operatorname{softmax}(a)_i \, v_i, \quad a \text{ minimises the loss of the head}",
        _FIT,
        "p",
        "time n L p a step",
        "peters2018deep",
        "halves",
    ),
    EnsembleEntry(
        OrthogonalProcrustes,
        "the mean after each representation was rotated to one of them",
        r"\frac1L \sum_i v_i Q_i, \quad Q_i = \arg\min_{Q^\top Q = I} \lVert X_i Q - X_r \rVert_F",
        _NONE,
        "the widest p, or as asked",
        "time L² (n p² + p³)",
        "schonemann1966generalized",
        "private",
    ),
    EnsembleEntry(
        GeneralizedProcrustes,
        "the mean after all representations were rotated to it",
        r"\frac1L \sum_i v_i Q_i, \quad Q, M \text{ minimise } \sum_i \lVert X_i Q_i - M \rVert_F^2",
        _NONE,
        "the widest p, or as asked",
        "time L² n p², and L² p³ a round",
        "gower1975generalized",
        "private",
    ),
    EnsembleEntry(
        MultisetCCA,
        "the mean of the canonical variates of all representations",
        r"\frac1L \sum_i v_i V_i, \quad C V = D V \operatorname{diag}(\varrho)",
        _NONE,
        "the widest p, or as asked",
        "time n (Lp)² + (Lp)³",
        "kettenring1971canonical",
        "private",
    ),
    EnsembleEntry(
        SharedLinearAutoencoder,
        "the mean of codes from each of which all representations can be rebuilt linearly",
        r"\frac1L \sum_i v_i E_i, \quad E, D \text{ minimise } \sum_{ij} \lVert X_j - X_i E_i D_j \rVert_F^2",
        _NONE,
        "the widest p, or as asked",
        "time n (Lp)² + (Lp)³",
        "izenman1975reduced",
        "private",
    ),
    EnsembleEntry(
        SharedAutoencoder,
        "the mean of codes by encoders with a hidden layer, from each of which everything can be rebuilt",
        r"\frac1L \sum_i e_i(v_i), \quad e_i(x) = x E_i + \max(0, x U_i + b_i) V_i",
        _NONE,
        "the widest p, or as asked",
        "time n L² p an epoch, and hidden units",
        "ngiam2011multimodal",
        "private",
    ),
    EnsembleEntry(
        GreedyReplacement,
        "one representation whose coordinates of least variance give way to those of the least similar others",
        r"v_s \text{ with coordinates replaced}, \quad s = \arg\max_i \operatorname{RankMe}(X_i)",
        _NONE,
        "p of the start",
        "time L n p² a step",
        "popov2025automatic",
        "private",
    ),
    EnsembleEntry(
        QualityReplacement,
        "one representation whose least important coordinates give way to those of good and different others",
        r"v_s \text{ with coordinates replaced}, \quad s = \arg\max_i q_i, \; \text{score } \alpha g + (1 - \alpha) q",
        _FIT,
        "p of the start",
        "time L n p² and two trainings of trees a step",
        "popov2025automatic",
        "halves",
    ),
)

ENSEMBLES: Mapping[str, EnsembleEntry] = {entry.estimator.__name__: entry for entry in _ENTRIES}
"""Ensembles by the name of their class."""
