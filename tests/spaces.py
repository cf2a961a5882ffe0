"""Representations that many tests share: pairs of related ones, random rotations, five layers with their qualities."""

import numpy as np


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def correlated(n=60, p=6, q=9, seed=0):
    x = normal(n, p, seed=seed)
    return x, np.tanh(x @ normal(p, q, seed=seed + 1)) + 0.5 * normal(n, q, seed=seed + 2)


def random_pair(seed=0, n=30, p=4, q=6):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) + 0.5
    return x, 0.7 * x @ rng.normal(size=(p, q)) + rng.normal(size=(n, q))


def rotation(p, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(p, p)))[0]


def five_layers():
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=(60, 4)) + i for i, name in enumerate("abcde")}


def five_qualities():
    return {"b": 0.6, "a": 0.5, "c": 0.8, "d": 0.7, "e": 0.65}


def two_classes():
    return np.arange(60) % 2


def label(estimator):
    return repr(estimator).replace(" ", "")
