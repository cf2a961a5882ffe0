"""Bank clients: simulated or read, embedded by contrastive learning, scored.

>>> from helpers.clients import simulate, split
>>> clients = simulate(200, rng=0)
>>> clients.events.columns.tolist()
['client', 'time', 'category', 'amount', 'channel']
>>> sorted(split(clients, experiment=0).unique())
['test', 'train', 'validation']
"""

from helpers.clients.aggregates import hand_made
from helpers.clients.data import FEATURES, Clients, binary_target
from helpers.clients.observer import ideal_accuracy, ideal_posterior, ideal_table
from helpers.clients.options import Classes, Columns, Format, Handling
from helpers.clients.reading import read
from helpers.clients.scoring import CLASSIFIERS, SCORE_METRICS, Score, score, score_agreement
from helpers.clients.simulator import bank, simulate
from helpers.clients.sources import load_clients, read_age_groups, read_berka
from helpers.clients.splitting import split, take

__all__ = [
    "CLASSIFIERS",
    "FEATURES",
    "Classes",
    "Clients",
    "Columns",
    "Format",
    "Handling",
    "SCORE_METRICS",
    "Score",
    "score_agreement",
    "bank",
    "binary_target",
    "hand_made",
    "ideal_accuracy",
    "ideal_posterior",
    "ideal_table",
    "load_clients",
    "read",
    "read_age_groups",
    "read_berka",
    "score",
    "simulate",
    "split",
    "take",
]
