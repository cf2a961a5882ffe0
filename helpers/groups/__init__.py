"""Groups of items: one vector for many, how far groups are apart, how sure a group's vector is.

Items are the rows of any matrix, embeddings included; each belongs to one group::

    vectors, names, counts = centroid(x, groups)
    READOUTS["geometric_median"](x, groups)
    group_distances(x, groups, "energy").distances

==============  ========================================================================================================
``membership``  which items belong to which group: labels or lists of rows, checked
``readouts``    one vector for each group: centroid, medoid, medians, moments; all of them by name
``distances``   how far groups are apart, as points or as distributions of their items
``bounds``      what a margin on triplets of items promises about centroids, and how far that is from the truth
==============  ========================================================================================================
"""

from helpers.groups.distances import DISTANCES, Distance, GroupDistances, group_distances
from helpers.groups.membership import Membership, group_codes
from helpers.groups.readouts import (
    READOUTS,
    GroupVectors,
    Readout,
    centroid,
    geometric_median,
    medoid,
    medoid_items,
    moments,
    readout,
    trimmed_mean,
)

__all__ = [
    "DISTANCES",
    "READOUTS",
    "Distance",
    "GroupDistances",
    "GroupVectors",
    "Membership",
    "Readout",
    "centroid",
    "geometric_median",
    "group_codes",
    "group_distances",
    "medoid",
    "medoid_items",
    "moments",
    "readout",
    "trimmed_mean",
]
