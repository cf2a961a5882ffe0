"""One training loop for every loss: it resumes to the step, stops by a budget or by validation, and writes a log.

:func:`train` takes a module, a function that gives the loss of a batch, and a function that gives the batches of an
epoch. Everything that decides the weights is in its checkpoint (optimiser, averages, samplers, random states, place in
the data), so that a run that was killed at any moment goes on to the same weights as one that never stopped.
``tests/training_kinds.py`` has a small training of every kind: masked words, sequence to sequence, contrast with a
momentum teacher and with mined negatives, metric learning, quantisation.

>>> import torch
>>> from helpers.training import shuffled, train
>>> x, model = torch.arange(12.0)[:, None] / 12, torch.nn.Linear(1, 1)
>>> trained = train(model, lambda rows, step: (model(x[rows]) - x[rows]).square().mean(), shuffled(12, 4), epochs=2)
>>> trained.step, trained.stopped
(6, 'epochs')
"""

from helpers.training._keeping import progress_of
from helpers.training.batches import Batches, bucketed, buckets, shuffled
from helpers.training.loop import train
from helpers.training.precision import bfloat16_products, has_bfloat16
from helpers.training.settings import Checkpoints, Log, Progress, Trained, Update, Validation

__all__ = [
    "Batches",
    "Checkpoints",
    "Log",
    "Progress",
    "Trained",
    "Update",
    "Validation",
    "bfloat16_products",
    "has_bfloat16",
    "bucketed",
    "buckets",
    "progress_of",
    "shuffled",
    "train",
]
