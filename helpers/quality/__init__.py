"""Qualities of one representation that need no labels.

Each is a function of arrays; :data:`QUALITIES` knows them by name, with what they need and which way is better::

    rankme(x), QUALITIES["rankme"](x)

=============  =========================================================================================================
``spectrum``   the singular values: effective ranks, condition, the law of their decay, leverage
``geometry``   how objects lie to each other: mean cosine, uniformity, persistence
``clusters``   how far they fall into groups
``views``      several views of each object: alignment, LiDAR
``others``     agreement with other representations
``registry``   all of them by name; an entry stands in the module of its function
``ranking``    how well they rank models, where labels are there to check
=============  =========================================================================================================
"""

from helpers.quality.clusters import clustering
from helpers.quality.entry import Quality
from helpers.quality.geometry import mean_cosine, persistence_h0, self_clustering, uniformity
from helpers.quality.others import agreement
from helpers.quality.ranking import mean_rank_correlations, rank_correlations
from helpers.quality.registry import QUALITIES
from helpers.quality.spectrum import alpha_req, leverage, nesum, pseudo_condition_number, rankme, stable_rank
from helpers.quality.views import alignment, dropout_views, lidar

__all__ = [
    "QUALITIES",
    "Quality",
    "agreement",
    "alignment",
    "alpha_req",
    "clustering",
    "dropout_views",
    "leverage",
    "lidar",
    "mean_cosine",
    "mean_rank_correlations",
    "nesum",
    "persistence_h0",
    "pseudo_condition_number",
    "rank_correlations",
    "rankme",
    "self_clustering",
    "stable_rank",
    "uniformity",
]
