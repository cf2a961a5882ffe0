"""Groups of items: one vector for many, how far groups are apart, how sure a group's vector is.

Items are the rows of any matrix, embeddings included; each belongs to one group::

    vectors, names, counts = centroid(x, groups)
    READOUTS["geometric_median"](x, groups)
    group_distances(x, groups, "energy").distances, nearest_groups(x, groups, 5).neighbors
    group_regions(x, groups).radii, items_needed(x, groups, 0.1).needed
    shrink(x, groups).vectors
    GroupEncoder(loss="group_item", random_state=0).fit(x, y, groups).transform(x, groups)

===============  =======================================================================================================
``membership``   which items belong to which group: labels or lists of rows, checked
``readouts``     one vector for each group: centroid, medoid, medians, moments; all of them by name
``distances``    how far groups are apart, as points or as distributions of their items
``covariances``  what Bures distances are made of, and how few pairs tell all of them
``nearest``      the nearest groups of each, without all pairs
``influence``    how much each item moves the vector of its group
``regions``      a ball about each vector that holds the true one, and how many items a precision takes
``calibration``  radii of regions that hold as often as they say, by groups drawn from the items of all
``shrinkage``    vectors of small groups, drawn towards their class or the whole
``bounds``       what a margin on triplets of items promises about centroids, and how far that is from the truth
``encoding``     an encoder of items that is trained so that groups of one class come together
``losses``       what brings them together, as functions of tensors; ``objectives``: with heads, batches and switches
``sets``         learned readouts: Deep Sets, attention, Set Transformer
``evaluation``   within and between, retrieval, few-shot accuracy, stability
``alphabets``    groups to try all that on: alphabets drawn from strokes, or those of Omniglot
===============  =======================================================================================================
"""

from helpers.groups.distances import DISTANCES, Distance, GroupDistances, group_distances
from helpers.groups.encoding import LEARNED, LOSSES, GroupEncoder
from helpers.groups.membership import Membership, group_codes
from helpers.groups.nearest import NearestGroups, nearest_groups
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
from helpers.groups.regions import GroupRegions, ItemsNeeded, group_regions, items_needed
from helpers.groups.shrinkage import ShrunkVectors, shrink

__all__ = [
    "DISTANCES",
    "LEARNED",
    "LOSSES",
    "READOUTS",
    "Distance",
    "GroupDistances",
    "GroupEncoder",
    "GroupRegions",
    "GroupVectors",
    "ItemsNeeded",
    "Membership",
    "NearestGroups",
    "Readout",
    "ShrunkVectors",
    "centroid",
    "geometric_median",
    "group_codes",
    "group_distances",
    "group_regions",
    "items_needed",
    "medoid",
    "medoid_items",
    "moments",
    "nearest_groups",
    "readout",
    "shrink",
    "trimmed_mean",
]
