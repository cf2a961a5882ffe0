"""Maps from one space into another, fitted on objects that both have.

All maps take rows as directions: rows are divided by their lengths first, since search by cosine knows nothing else,
and mapped rows have length 1.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from helpers.arrays import as_matrix, best_rotation, check_count, generator, row_slices, unit_rows

__all__ = ["MAPS", "LowRankMap", "Map", "ProcrustesMap", "ResidualMap", "load_map"]

DESCRIPTION, ARRAYS = "map.json", "map.safetensors"
FORMAT = 1
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


class Map(TransformerMixin, BaseEstimator):
    """What all maps share: checked rows in, rows of length 1 out, and a folder without pickles."""

    #: Names of the fitted arrays.
    ARRAYS: tuple[str, ...] = ()

    def fit(self, x: Any, y: Any) -> Map:
        """Learn the map.

        Parameters
        ----------
        x : array_like of shape (n, p)
            Rows of the old space.
        y : array_like of shape (n, q)
            Rows of the same objects in the new space.

        Raises
        ------
        ValueError
            If the numbers of rows differ, an entry is not finite, or a row is zero (the message says which).
        """
        x, y = self._rows(x, "x"), self._rows(y, "y")
        if len(x) != len(y):
            raise ValueError(f"x has {len(x)} rows and y {len(y)}; the same objects are needed in the same order")
        self.n_features_in_, self.width_, self.n_rows_ = x.shape[1], y.shape[1], len(x)
        self._fit(x, y)
        return self

    def transform(self, x: Any) -> np.ndarray:
        """Rows of the old space in the new one.

        Parameters
        ----------
        x : array_like of shape (m, p)

        Returns
        -------
        ndarray of float32, of shape (m, q)
            Rows of length 1.

        Raises
        ------
        ValueError
            If the width differs from that of ``fit``, an entry is not finite, or a row is zero.
        """
        check_is_fitted(self, "n_features_in_")
        x = np.asarray(x) if not isinstance(x, np.memmap) else x
        if x.ndim != 2 or x.shape[1] != self.n_features_in_:
            raise ValueError(f"x has shape {x.shape}; the map was fitted on rows of width {self.n_features_in_}")
        out = np.empty((len(x), self.width_), dtype=np.float32)
        for rows in row_slices(x):
            name = f"x[{rows.start}:{min(rows.stop, len(x))}]"
            out[rows] = unit_rows(self._map(self._rows(x[rows], name, least=1)))
        return out

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write ``map.json`` and ``map.safetensors`` to a folder, made with its parents; :func:`load_map` reads it."""
        from safetensors.numpy import save_file

        check_is_fitted(self, "n_features_in_")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: np.ascontiguousarray(getattr(self, name)) for name in self.ARRAYS}, folder / ARRAYS)
        about = {
            "format": FORMAT,
            "class": type(self).__name__,
            "parameters": self.get_params(),
            "width_in": self.n_features_in_,
            "width_out": self.width_,
            "rows": self.n_rows_,
        }
        (folder / DESCRIPTION).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        return folder

    @staticmethod
    def _rows(x: Any, name: str, least: int = 2) -> np.ndarray:
        return unit_rows(np.asarray(as_matrix(x, name, rows=least), dtype=np.float64), zero="raise", name=name)

    def _fit(self, x: np.ndarray, y: np.ndarray) -> None:
        raise NotImplementedError

    def _map(self, x: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class ProcrustesMap(Map):
    """Rotation with reflection, the most careful map: it keeps all angles of the centred old rows.

    Between spaces of unequal widths the matrix has orthonormal rows or columns instead.

    Attributes
    ----------
    rotation_ : ndarray of shape (p, q)
        The maximiser of the trace of Rᵀ Xᵀ Y among such matrices, for centred unit rows X and Y (Schönemann, 1966),
        times the scale that least squares gives.
    mean_in_, mean_out_ : ndarray of shape (p,) and (q,)
        Means of the unit rows.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.migration import ProcrustesMap
    >>> x = np.random.default_rng(0).normal(size=(50, 4))
    >>> turned = x[:, [1, 0, 3, 2]] * [1, -1, 1, 1] / np.linalg.norm(x, axis=1, keepdims=True)
    >>> bool(np.allclose(ProcrustesMap().fit(x, turned).transform(x), turned, atol=1e-6))
    True
    """

    ARRAYS = ("rotation_", "mean_in_", "mean_out_")

    def _fit(self, x: np.ndarray, y: np.ndarray) -> None:
        self.mean_in_, self.mean_out_ = x.mean(0), y.mean(0)
        x, y = x - self.mean_in_, y - self.mean_out_
        turned, trace = best_rotation(x.T @ y)
        spread = float(np.sum((x @ turned) ** 2))
        self.rotation_ = turned * (trace / spread if spread else 1.0)

    def _map(self, x: np.ndarray) -> np.ndarray:
        return (x - self.mean_in_) @ self.rotation_ + self.mean_out_


class LowRankMap(Map):
    """Affine map of limited rank: reduced-rank ridge regression.

    Parameters
    ----------
    rank
        Largest rank of the matrix; None: chosen among the full one, 1/2, 1/4 and 1/8 of it on a fifth of the rows.
    ridge
        Penalty on the squared entries, in units of the mean eigenvalue of the covariance of the old rows; None: chosen
        among 10⁻⁴ … 1 on the same fifth.
    random_state
        Seed of the choice of that fifth.

    Attributes
    ----------
    matrix_ : ndarray of shape (p, q)
        Matrix of the full-rank ridge regression, projected on the leading directions of what it explains of the new
        rows (Izenman, 1975).
    rank_, ridge_ : int, float
        What was chosen: by the mean cosine between mapped and new rows.
    """

    ARRAYS = ("matrix_", "mean_in_", "mean_out_")

    def __init__(self, rank: int | None = None, ridge: float | None = None, random_state: int = 0):
        self.rank = rank
        self.ridge = ridge
        self.random_state = random_state

    def _fit(self, x: np.ndarray, y: np.ndarray) -> None:
        full = min(x.shape[1], y.shape[1])
        if self.rank is not None:
            check_count(self.rank, "rank", most=full, why="(the smaller width)")
        if self.ridge is not None and not 0 <= self.ridge < np.inf:
            raise ValueError(f"ridge is {self.ridge!r}; a number of at least 0 is needed")
        ranks = [self.rank or full] if self.rank else sorted({max(1, full // k) for k in (1, 2, 4, 8)})
        ridges = [self.ridge] if self.ridge is not None else list(RIDGES)
        if len(ranks) * len(ridges) > 1 and len(x) >= 10:
            seen, kept = _divided(len(x), 0.2, self.random_state)
            scores = {}
            for rank, ridge, matrix in _reduced(x[seen], y[seen], ranks, ridges):
                mapped = (x[kept] - x[seen].mean(0)) @ matrix + y[seen].mean(0)
                scores[rank, ridge] = float(np.mean(np.sum(unit_rows(mapped) * y[kept], axis=1)))
            # Of equals the simpler: less rank, then more penalty.
            best = max(scores, key=lambda pair: (round(scores[pair], 6), -pair[0], pair[1]))
        else:
            best = ranks[-1], ridges[0] if self.ridge is not None else 1e-2
        self.rank_, self.ridge_ = best
        self.mean_in_, self.mean_out_ = x.mean(0), y.mean(0)
        ((_, _, self.matrix_),) = _reduced(x, y, [self.rank_], [self.ridge_])

    def _map(self, x: np.ndarray) -> np.ndarray:
        return (x - self.mean_in_) @ self.matrix_ + self.mean_out_


class ResidualMap(Map):
    """Affine map plus a small network that learns what the affine one leaves over.

    The network, one hidden layer whose output begins at zero, is trained on the mean of 1 − cosine, and stopped early
    on a fifth of the rows; it is never worse there than the affine map that it begins as.

    Parameters
    ----------
    hidden
        Width of the hidden layer.
    epochs
        Passes over the rows at most.
    minutes
        Minutes at most.
    patience
        Epochs without improvement on the held-out fifth before the training stops.
    learning_rate
        Step size of AdamW, falling to 0 over the epochs as a cosine.
    random_state
        Seed of the start, the order of the rows and the choice of the fifth.

    Attributes
    ----------
    matrix_, into_, bias_, out_ : ndarray
        Affine map, and the layers of the network: x ↦ x A + gelu(x U + b) V + mean.
    losses_ : list of float
        Mean of 1 − cosine on the held-out fifth, after each epoch.
    """

    ARRAYS = ("matrix_", "mean_in_", "mean_out_", "into_", "bias_", "out_")

    def __init__(
        self,
        hidden: int = 512,
        epochs: int = 30,
        minutes: float = 2.0,
        patience: int = 3,
        learning_rate: float = 1e-3,
        random_state: int = 0,
    ):
        self.hidden = hidden
        self.epochs = epochs
        self.minutes = minutes
        self.patience = patience
        self.learning_rate = learning_rate
        self.random_state = random_state

    def _fit(self, x: np.ndarray, y: np.ndarray) -> None:
        import torch

        from helpers.training import Update, Validation, shuffled, train

        check_count(self.hidden, "hidden")
        seen, kept = _divided(len(x), 0.2, self.random_state)
        start = LowRankMap(random_state=self.random_state).fit(x[seen], y[seen])
        self.mean_in_, self.mean_out_, self.matrix_ = start.mean_in_, start.mean_out_, start.matrix_
        rng = generator(self.random_state)
        p, q = x.shape[1], y.shape[1]
        # Unit rows have entries of about 1/√p, so that weights of size 1 give hidden units of variance 1.
        into = torch.nn.Parameter(torch.tensor(rng.normal(size=(p, self.hidden)), dtype=torch.float32))
        bias = torch.nn.Parameter(torch.zeros(self.hidden))
        out = torch.nn.Parameter(torch.zeros(self.hidden, q))
        model = torch.nn.ParameterDict({"into": into, "bias": bias, "out": out})
        rows = torch.tensor(x - self.mean_in_, dtype=torch.float32)
        affine = torch.tensor((x - self.mean_in_) @ self.matrix_ + self.mean_out_, dtype=torch.float32)
        target = torch.tensor(y, dtype=torch.float32)

        def loss(chosen, step=0):
            mapped = affine[chosen] + torch.nn.functional.gelu(rows[chosen] @ into + bias) @ out
            return 1 - torch.nn.functional.cosine_similarity(mapped, target[chosen]).mean()

        self.losses_ = []

        def held_out():
            self.losses_.append(float(loss(kept)))
            return self.losses_[-1]

        train(
            model,
            lambda chosen, step: loss(seen[chosen]),
            shuffled(len(seen), 256),
            epochs=self.epochs,
            minutes=self.minutes,
            optimizer=torch.optim.AdamW(model.parameters(), lr=self.learning_rate, weight_decay=1e-2),
            update=Update(schedule="cosine"),
            validation=Validation(held_out, patience=self.patience),
            rng=int(rng.integers(2**31)),
        )
        self.into_, self.bias_, self.out_ = (
            parameter.detach().numpy().astype(np.float64) for parameter in (into, bias, out)
        )

    def _map(self, x: np.ndarray) -> np.ndarray:
        from scipy.special import erf

        x = x - self.mean_in_
        hidden = x @ self.into_ + self.bias_
        hidden *= 0.5 * (1 + erf(hidden / np.sqrt(2)))
        return x @ self.matrix_ + self.mean_out_ + hidden @ self.out_


#: Maps by the names that the command line takes.
MAPS: dict[str, type[Map]] = {"procrustes": ProcrustesMap, "low-rank": LowRankMap, "residual": ResidualMap}


def load_map(folder: str | os.PathLike[str]) -> Map:
    """A map that :meth:`Map.save` wrote.

    Raises
    ------
    FileNotFoundError
        If the folder holds no map.
    ValueError
        If it holds one of another format or class, or its arrays do not fit the description.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    folder = Path(folder)
    if not (folder / DESCRIPTION).is_file():
        raise FileNotFoundError(f"{folder} holds no {DESCRIPTION}; a folder that Map.save wrote is needed")
    try:
        about = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        arrays = load_file(folder / ARRAYS)
    except (ValueError, SafetensorError, OSError) as error:
        raise ValueError(f"{folder} holds a map that cannot be read: {error}") from None
    classes = {kind.__name__: kind for kind in MAPS.values()}
    if about.get("format") != FORMAT or about.get("class") not in classes:
        raise ValueError(
            f"{folder / DESCRIPTION} is of format {about.get('format')!r} and class {about.get('class')!r}; "
            f"format {FORMAT} and one of {sorted(classes)} are needed"
        )
    found = classes[about["class"]](**about["parameters"])
    if set(arrays) != set(found.ARRAYS) or len(arrays["mean_in_"]) != about["width_in"]:
        raise ValueError(f"{folder / ARRAYS} does not fit {DESCRIPTION}")
    for name, array in arrays.items():
        setattr(found, name, array)
    found.n_features_in_, found.width_, found.n_rows_ = about["width_in"], about["width_out"], about["rows"]
    return found


def _divided(n: int, share: float, random_state: Any) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers to learn from and held-out ones, both sorted."""
    order = generator(random_state).permutation(n)
    size = max(1, int(round(share * n)))
    if n - size < 2:
        raise ValueError(f"the map has {n} rows to learn from; at least 4 are needed")
    return np.sort(order[size:]), np.sort(order[:size])


def _reduced(
    x: np.ndarray, y: np.ndarray, ranks: list[int], ridges: list[float]
) -> Iterator[tuple[int, float, np.ndarray]]:
    """Matrices of reduced-rank ridge regression, for each rank and penalty, from one decomposition."""
    x, y = x - x.mean(0), y - y.mean(0)
    values, vectors = np.linalg.eigh(x.T @ x)
    values = np.maximum(values, 0.0)
    unit = values.mean()
    cross = vectors.T @ (x.T @ y)
    # Directions that no row has: a penalty of 0 would divide by them.
    there = values > len(values) * np.finfo(float).eps * values[-1]
    for ridge in ridges:
        inverse = np.divide(1.0, values + ridge * unit, out=np.zeros_like(values), where=there)
        matrix = vectors @ (inverse[:, None] * cross)
        explained = cross.T @ (inverse[:, None] * cross)
        _, leading = np.linalg.eigh(explained)
        for rank in ranks:
            kept = leading[:, ::-1][:, :rank]
            yield rank, ridge, matrix if rank == y.shape[1] else matrix @ kept @ kept.T
