"""The defaults of a report, each in one place: functions, the command and its help take them from here."""

from __future__ import annotations

__all__ = ["COMPARED", "CONFIDENCE_LEVEL", "FOLDS", "LAMBDAS", "MARGIN", "NORMALIZE", "N_OBJECTS", "THRESHOLD"]

#: Objects, drawn at random, on which spaces are described and compared.
N_OBJECTS = 4000
#: Objects, drawn at random, of which two versions of an embedding are compared.
COMPARED = 10_000
#: Similarity that counts as redundant where no two runs of one model are named.
THRESHOLD = 0.95
#: Loss of score that is accepted for fewer bytes or encoders.
MARGIN = 0.01
#: Folds of the cross-validation.
FOLDS = 5
#: Rows of each embedding are scaled to length 1.
NORMALIZE = "unit"
#: The λ of quadratic programs among which the training part of each fold chooses.
LAMBDAS = (0.05, 0.2, 1.0)
#: Of every interval.
CONFIDENCE_LEVEL = 0.95
