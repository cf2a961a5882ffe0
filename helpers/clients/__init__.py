"""Bank clients: simulated or read, embedded by contrastive learning, scored.

>>> from helpers.clients import simulate, split
>>> clients = simulate(200, rng=0)
>>> clients.events.columns.tolist()
['client', 'time', 'category', 'amount', 'channel']
>>> sorted(split(clients, experiment=0).unique())
['test', 'train', 'validation']
"""

from helpers.clients.reading import Clients, load, read, read_age_groups, read_berka, split, take
from helpers.clients.scoring import CLASSIFIERS, Score, agreement, score
from helpers.clients.simulator import bank, ideal_accuracy, ideal_posterior, ideal_table, simulate

__all__ = [
    "CLASSIFIERS",
    "Clients",
    "Score",
    "agreement",
    "bank",
    "ideal_accuracy",
    "ideal_posterior",
    "ideal_table",
    "load",
    "read",
    "read_age_groups",
    "read_berka",
    "score",
    "simulate",
    "split",
    "take",
]
