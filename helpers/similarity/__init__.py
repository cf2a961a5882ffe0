"""Measures of how alike two representations of the same objects are.

A representation is a matrix of shape (n_objects, n_features); two may differ in width, and their rows are the same
objects in the same order. Every measure is a function ``measure(x, y, *, options) -> float`` of two NumPy arrays or two
torch tensors. :data:`MEASURES` lists them by name with orientation, range and invariances; :func:`compare` applies many
to one pair, :func:`similarity_matrices` many to all pairs of many representations at once.
"""

from helpers.similarity.calibration import calibrate
from helpers.similarity.cca import cca, pwcca, svcca
from helpers.similarity.cka import cka, cka_rbf, cka_sampled_features, cka_unbiased
from helpers.similarity.containment import information_imbalance, probe_transfer
from helpers.similarity.dependence import distance_correlation, distance_correlation_unbiased
from helpers.similarity.graphs import geometry_score, imd
from helpers.similarity.matching import (
    hard_correlation_match,
    partial_soft_matching,
    soft_correlation_match,
    soft_matching,
)
from helpers.similarity.matrices import compare, similarity_matrices, similarity_matrix
from helpers.similarity.neighbour_kernels import cknna, cycle_knn, mka
from helpers.similarity.neighbours import jaccard, mutual_knn, rank_similarity, second_order_cosine
from helpers.similarity.registry import MEASURES
from helpers.similarity.rsa import mantel_test, rsa, rsm_norm_difference
from helpers.similarity.shape import (
    aligned_cosine,
    angular_shape,
    permutation_procrustes,
    procrustes,
    procrustes_normalized,
)
from helpers.similarity.spanning import max_rtd_lite, nts, srtd_lite
from helpers.similarity.statistics import concentricity_difference, magnitude_difference, uniformity_difference
from helpers.similarity.subspace import eigenspace_overlap, gulp, linear_regression
from helpers.similarity.topology import cross_barcode, rtd, rtd_lite, rtd_lite_barcode, rtd_matrix

__all__ = [
    "MEASURES",
    "aligned_cosine",
    "angular_shape",
    "calibrate",
    "cca",
    "cka",
    "cka_rbf",
    "cka_sampled_features",
    "cka_unbiased",
    "cknna",
    "compare",
    "concentricity_difference",
    "cross_barcode",
    "cycle_knn",
    "distance_correlation",
    "distance_correlation_unbiased",
    "eigenspace_overlap",
    "geometry_score",
    "gulp",
    "hard_correlation_match",
    "imd",
    "information_imbalance",
    "jaccard",
    "linear_regression",
    "magnitude_difference",
    "mantel_test",
    "max_rtd_lite",
    "mka",
    "mutual_knn",
    "nts",
    "partial_soft_matching",
    "permutation_procrustes",
    "probe_transfer",
    "procrustes",
    "procrustes_normalized",
    "pwcca",
    "rank_similarity",
    "rsa",
    "rsm_norm_difference",
    "rtd",
    "rtd_lite",
    "rtd_lite_barcode",
    "rtd_matrix",
    "second_order_cosine",
    "similarity_matrices",
    "similarity_matrix",
    "soft_correlation_match",
    "soft_matching",
    "srtd_lite",
    "svcca",
    "uniformity_difference",
]
