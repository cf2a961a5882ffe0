"""Made cases that fool ensembles: what one representation, or all side by side, would have told is lost."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from helpers.arrays import generator
from helpers.ensembles.registry import ENSEMBLES

__all__ = ["ENSEMBLE_CASES", "EnsembleCase", "EnsembleVerdict", "held_out_accuracy", "judge_ensemble"]

N, P = 240, 6  # objects and features


@dataclass(frozen=True)
class EnsembleCase:
    """Representations of the same objects in two classes.

    Attributes
    ----------
    layers
        How the representations are made.
    lesson
        What is lost, in a phrase.
    make
        Function of a generator that gives the representations by name and the class of each object.
    """

    layers: str
    lesson: str
    make: Callable[[np.random.Generator], tuple[dict[str, np.ndarray], np.ndarray]]


@dataclass(frozen=True)
class EnsembleVerdict:
    """What an ensemble makes of a case, in held-out accuracies of a linear classifier.

    Attributes
    ----------
    combined
        Accuracy on the combination.
    best
        Accuracy on the best representation alone.
    together
        Accuracy on all representations side by side.
    fooled
        Whether the combination is behind the better of the two by more than a tenth.
    """

    combined: float
    best: float
    together: float
    fooled: bool


def judge_ensemble(ensemble: str, case: str, *, rng: int | np.random.Generator = 0) -> EnsembleVerdict:
    """Whether an ensemble, at its defaults, is fooled by a case: whether it loses what was there.

    Qualities, where it uses any, are the accuracies of the representations on half of the objects; the other half
    judges.

    Parameters
    ----------
    ensemble
        Name in :data:`~helpers.ensembles.registry.ENSEMBLES`.
    case
        Name in :data:`ENSEMBLE_CASES`.
    rng
        Seed or generator of the representations.

    Returns
    -------
    EnsembleVerdict
        Accuracies of the combination and of what it was made from, and whether it is fooled.

    Raises
    ------
    KeyError
        If there is no such ensemble or case.

    Examples
    --------
    >>> from helpers.ensembles.cases import judge_ensemble
    >>> judge_ensemble("MeanOfLayers", "opposite").fooled, judge_ensemble("ConcatPCA", "opposite").fooled
    (True, False)
    """
    if case not in ENSEMBLE_CASES:
        raise KeyError(f"no case is called {case!r}; there are {', '.join(ENSEMBLE_CASES)}")
    layers, y = ENSEMBLE_CASES[case].make(generator(rng))
    alone = {name: held_out_accuracy(x, y) for name, x in layers.items()}
    fitted = fit_on_first_half(ensemble, layers, y)
    combined = held_out_accuracy(fitted.transform(layers), y)
    together = held_out_accuracy(np.hstack(list(layers.values())), y)
    best = max(alone.values())
    return EnsembleVerdict(combined, best, together, bool(combined < max(best, together) - 0.1))


def fit_on_first_half(ensemble: str, layers: Mapping[str, np.ndarray], y: np.ndarray) -> Any:
    """An ensemble with its defaults, fitted to the first half of the objects, with accuracies as qualities."""
    half = len(y) // 2
    first = {name: x[:half] for name, x in layers.items()}
    quality = {name: held_out_accuracy(x, y[:half]) for name, x in first.items()}
    estimator = ENSEMBLES[ensemble].estimator
    options = {"importance": "variance"} if "importance" in inspect.signature(estimator).parameters else {}
    return estimator(**options).fit(first, y[:half], quality=quality)


def held_out_accuracy(x: np.ndarray, y: np.ndarray) -> float:
    """Accuracy on the second half of the objects of ridge regression to the classes, fitted to the first half.

    Parameters
    ----------
    x
        Representation of shape (n, p), whose features are standardised first.
    y
        Two classes, 0 and 1, of shape (n,).
    """
    half = len(x) // 2
    spread = x[:half].std(axis=0)
    z = (x - x[:half].mean(axis=0)) / np.where(spread > 1e-12 * np.abs(x).max(), spread, np.inf)
    target = 2.0 * y[:half] - 1
    level = target.mean()
    weights = np.linalg.solve(z[:half].T @ z[:half] + np.eye(z.shape[1]), z[:half].T @ (target - level))
    return float(np.mean((z[half:] @ weights + level > 0) == (y[half:] == 1)))


def _classes(rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(np.repeat([0, 1], N // 2))


def _telling(y: np.ndarray, rng: np.random.Generator, *, strength: float = 2.0) -> np.ndarray:
    """Normal features, of which the first tells the classes apart."""
    x = rng.normal(size=(N, P))
    x[:, 0] += strength * (2 * y - 1)
    return x


def _last_is_noise(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    y = _classes(rng)
    first = _telling(y, rng) * np.linspace(2, 0.2, P)
    copies = first + 0.3 * rng.normal(size=(2, N, P))
    return {"first": first, "second": copies[0], "third": copies[1], "last": rng.normal(size=(N, P))}, y


def _halves(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    y = _classes(rng)
    hidden = 3 * rng.normal(size=(N, P))
    layers = {"sum": _telling(y, rng, strength=1.0) + hidden, "hidden": hidden + 0.3 * rng.normal(size=(N, P))}
    return layers | {f"noise {i}": 3 * rng.normal(size=(N, P)) for i in range(2)}, y


def _opposite(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    y = _classes(rng)
    x = _telling(y, rng)
    noise = 0.5 * rng.normal(size=(4, N, P))
    return {str(i): (1 - 2 * (i % 2)) * x + noise[i] for i in range(4)}, y


def _loud_noise(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    y = _classes(rng)
    quiet, loud = _telling(y, rng), 30 * rng.normal(size=(N, P))
    loud[:, 0] += 15 * (2 * y - 1)
    return {"quiet": quiet} | {f"loud {i}": loud + 10 * rng.normal(size=(N, P)) for i in range(3)}, y


def _private(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    y = _classes(rng)
    shared = 3 * rng.normal(size=(N, P))
    layers = {name: shared + 0.3 * rng.normal(size=(N, P)) for name in ("first", "second", "third", "fourth")}
    own = layers["third"] @ np.linalg.qr(rng.normal(size=(P, P)))[0]
    own[:, 0] = 0.5 * (2 * y - 1) + 0.1 * rng.normal(size=N)
    return layers | {"third": own}, y


ENSEMBLE_CASES: Mapping[str, EnsembleCase] = {
    "last is noise": EnsembleCase(
        "three similar representations that tell the classes apart, and a last one that is noise in all directions",
        "the last, and the richest by its spectrum, knows nothing",
        _last_is_noise,
    ),
    "halves": EnsembleCase(
        "a representation of the classes under strong noise, one of that noise alone, and two of other noise",
        "only the first two side by side show the classes, by their difference",
        _halves,
    ),
    "opposite": EnsembleCase(
        "four representations of the same content, two of them with the sign turned",
        "added up, they cancel",
        _opposite,
    ),
    "loud noise": EnsembleCase(
        "a representation that tells the classes apart, and three thirty times larger ones that hardly do",
        "variance decides which directions are kept, and variance depends on the unit",
        _loud_noise,
    ),
    "private": EnsembleCase(
        "four representations that share all directions but one, of the third, and the classes are in that direction",
        "what only one of them knows is taken for noise",
        _private,
    ),
}
"""Cases by name."""
