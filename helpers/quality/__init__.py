"""How good one representation is: label-free qualities, and those that need labels, in one table.

Each is a function of arrays; :data:`QUALITIES` knows them by name, with what they need and which way is better, and
:func:`quality` gives all of them beside their intervals and what noise and collapse would give::

    quality(x), rankme(x), QUALITIES["rankme"](x)

:func:`diagnose` says what is wrong, if anything is, and what helps.

================  ======================================================================================================
``spectrum``      the singular values: effective ranks, condition, the law of their decay, evenness, leverage
``geometry``      how objects lie to each other: mean cosine, uniformity, persistence
``coordinates``   lengths, and single dimensions that rule
``neighbours``    who is near whom: hubs, distances, intrinsic dimension, connection, outliers, duplicates
``clusters``      how far they fall into groups
``views``         several views of each object: alignment, LiDAR
``others``        agreement with other representations
``labelled``      what needs labels: probe, neighbours, k-means, silhouette
``registry``      all of them by name; an entry stands in the module of its function
``table``         all of them in one table
``diagnosis``     what is wrong with a space, by thresholds from healthy ones, and what a remedy changes
``healthy``       the population of healthy spaces; ``thresholds``: what is usual in them
``damage``        faults made on purpose
``words``         vectors of words: relatedness, analogies, categories, intruders
``sentences``     alignment beside uniformity, and sentences with two words exchanged
``ranking``       how well they rank models, where labels are there to check
``versions``      two versions of a space: which objects moved
``search``        search judged on a sample of queries
``pictures``      pictures that say how far to believe them
================  ======================================================================================================
"""

from helpers.quality.clusters import clustering
from helpers.quality.coordinates import norm_spread, rogue_share
from helpers.quality.damage import DAMAGES, damaged_space
from helpers.quality.diagnosis import FINDINGS, Diagnosis, diagnose
from helpers.quality.entry import Quality
from helpers.quality.geometry import mean_cosine, persistence_h0, self_clustering, uniformity
from helpers.quality.healthy import healthy_space
from helpers.quality.labelled import (
    adjusted_rand_index,
    cluster_purity,
    knn_accuracy,
    normalized_mutual_information,
    probe_accuracy,
    rand_index,
    silhouette,
)
from helpers.quality.neighbours import (
    antihubs,
    distance_concentration,
    duplicate_share,
    equal_groups,
    hubness,
    knn_connectivity,
    mle_dimension,
    outlyingness,
    two_nn,
)
from helpers.quality.others import agreement
from helpers.quality.pictures import PICTURES, Picture, draw_picture, judge_picture, picture
from helpers.quality.ranking import crossed_rank_correlations, mean_rank_correlations, rank_correlations
from helpers.quality.registry import QUALITIES
from helpers.quality.search import SearchQuality, qrels_from_answers, search_quality
from helpers.quality.spectrum import (
    alpha_req,
    isoscore,
    leverage,
    nesum,
    participation_ratio,
    pseudo_condition_number,
    rankme,
    stable_rank,
)
from helpers.quality.table import collapsed_space, quality
from helpers.quality.versions import Drift, drift
from helpers.quality.views import alignment, dropout_views, lidar

__all__ = [
    "DAMAGES",
    "FINDINGS",
    "PICTURES",
    "QUALITIES",
    "Diagnosis",
    "Drift",
    "Picture",
    "Quality",
    "SearchQuality",
    "adjusted_rand_index",
    "agreement",
    "alignment",
    "alpha_req",
    "antihubs",
    "cluster_purity",
    "clustering",
    "collapsed_space",
    "crossed_rank_correlations",
    "damaged_space",
    "diagnose",
    "distance_concentration",
    "draw_picture",
    "drift",
    "dropout_views",
    "duplicate_share",
    "equal_groups",
    "healthy_space",
    "hubness",
    "isoscore",
    "judge_picture",
    "knn_accuracy",
    "knn_connectivity",
    "leverage",
    "lidar",
    "mean_cosine",
    "mean_rank_correlations",
    "mle_dimension",
    "nesum",
    "norm_spread",
    "normalized_mutual_information",
    "outlyingness",
    "participation_ratio",
    "persistence_h0",
    "picture",
    "probe_accuracy",
    "pseudo_condition_number",
    "qrels_from_answers",
    "quality",
    "rand_index",
    "rank_correlations",
    "rankme",
    "rogue_share",
    "search_quality",
    "self_clustering",
    "silhouette",
    "stable_rank",
    "two_nn",
    "uniformity",
]
