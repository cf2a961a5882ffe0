"""Maps that make one representation depend less on another: penalties that can be differentiated, and what to keep.

Torch is imported when something is trained; a trained map is plain arrays.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from helpers.arrays import check_count, check_number, single_precision

if TYPE_CHECKING:
    import torch

__all__ = [
    "KEEP",
    "PENALTIES",
    "Decorrelator",
    "cka_loss",
    "cka_rbf_loss",
    "distance_correlation_loss",
    "load_decorrelator",
    "modified_distance_correlation_loss",
]

KEEP = ("nothing", "reconstruction", "labels")
"""What a :class:`Decorrelator` may keep."""


TINY = 1e-12


def distance_correlation_loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """:func:`helpers.similarity.dependence.distance_correlation` of two tensors, with gradients.

    Parameters
    ----------
    x, y : tensor of shape (n, p) and (n, q), n ≥ 2
        Rows of the same objects, of one floating type, in which everything is computed.

    Returns
    -------
    tensor without dimensions
        In [0, 1]; 0 where one side is constant. Its gradient is that of the square over twice the value, and 0 where
        the value is 0.

    Notes
    -----
    O(n² (p + q)) time and several n × n matrices. The value of a batch is *not* that of all rows: it is biased upwards,
    the more so the smaller the batch, which :func:`modified_distance_correlation_loss` corrects.

    Examples
    --------
    >>> import torch
    >>> from helpers.ensembles.decorrelation import distance_correlation_loss
    >>> x = torch.arange(5.0)[:, None]
    >>> round(float(distance_correlation_loss(x, 3 - 2 * x)), 6)
    1.0
    """
    a, b = (_double_centred(_distances(z)) for z in (x, y))
    square = _cosine(a, b)
    positive = square > TINY
    return (square.clamp_min(TINY).sqrt() * positive).sum()


def modified_distance_correlation_loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """:func:`helpers.similarity.dependence.distance_correlation_unbiased` of two tensors (n ≥ 4), with gradients.

    In [-1, 1], on the scale of the *square* of the distance correlation, and 0 in expectation for independent rows
    whatever the size of the batch. Parameters and cost as :func:`distance_correlation_loss`.

    Examples
    --------
    >>> import torch
    >>> from helpers.ensembles.decorrelation import modified_distance_correlation_loss
    >>> x = torch.arange(5.0)[:, None]
    >>> round(float(modified_distance_correlation_loss(x, 3 - 2 * x)), 6)
    1.0
    """
    return _cosine(*(_u_centred(_distances(z)) for z in (x, y)))


def cka_loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Linear :func:`helpers.similarity.cka.cka` of two tensors, with gradients; in [0, 1]; O(n p q).

    Examples
    --------
    >>> import torch
    >>> from helpers.ensembles.decorrelation import cka_loss
    >>> x = torch.arange(5.0)[:, None]
    >>> round(float(cka_loss(x, 3 - 2 * x)), 6)
    1.0
    """
    x, y = (z - z.mean(dim=0) for z in (x, y))
    return (y.T @ x).square().sum() / (x.T @ x).norm().clamp_min(TINY) / (y.T @ y).norm().clamp_min(TINY)


def cka_rbf_loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """:func:`helpers.similarity.cka.cka_rbf`: HSIC with Gaussian kernels, normalised; with gradients, O(n² (p + q)).

    The bandwidth of each side is its median distance between different rows, which gradients pass through.

    Examples
    --------
    >>> import torch
    >>> from helpers.ensembles.decorrelation import cka_rbf_loss
    >>> x = torch.tensor([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [0.0, 3.0]])
    >>> round(float(cka_rbf_loss(x, -5 * x)), 6)
    1.0
    """
    return _cosine(*(_double_centred(_gaussian(z)) for z in (x, y)))


PENALTIES: dict[str, Callable[[Any, Any], Any]] = {
    "modified_distance_correlation": modified_distance_correlation_loss,
    "distance_correlation": distance_correlation_loss,
    "cka": cka_loss,
    "cka_rbf": cka_rbf_loss,
}
"""Measures of dependence of two tensors that a :class:`Decorrelator` can lower, by name."""


class Decorrelator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""A multilayer perceptron f that makes f(X) depend less on Y, and may keep what X is good for.

    .. math:: \min_f\ d(f(X), Y) + \mu\,\ell(f(X))

    with a measure of dependence d, and a loss ℓ of what is to be kept. With ``keep="nothing"`` only d is minimised,
    and nothing stops f from forgetting X.

    Parameters
    ----------
    penalty
        d: a name of :data:`PENALTIES`, or a function of two tensors (n, p) and (n, q) that gives a tensor.
    keep
        ``"nothing"``; ``"reconstruction"``: ℓ is the mean squared error of a second perceptron that predicts X, each
        feature standardised, from f(X), so that 1 is what the mean of X achieves; ``"labels"``: ℓ is the cross-entropy
        of a linear classifier on f(X) over that of the shares of the classes, so that 1 is what knowing nothing
        achieves.
    mu
        Weight μ ≥ 0 of what is kept; ``math.inf`` minimises ℓ alone.
    width
        Width of f(X); that of X if None.
    hidden
        Widths of the hidden layers (of f, and in reverse of what reconstructs), with ReLU between.
    epochs, patience
        Maximum number of passes; after ``patience`` passes without a better objective on the validation rows training
        stops, and the best pass counts.
    batch
        Rows of a mini-batch. d of a batch stands for d of all rows: an unbiased measure allows small batches, a biased
        one is lowered partly by fitting the noise of the batch.
    learning_rate
        Step size of Adam.
    validation
        Share of the rows that validates, drawn by ``random_state``, unless ``fit`` is given validation rows.
    random_state
        Seed or generator of weights, batches and the draw: on one machine with one number of threads the result is the
        same each time.
    device
        Device of torch on which the map is trained.

    Attributes
    ----------
    layers_ : list of (ndarray, ndarray)
        Weights (in, out) and biases, float32, of the map.
    center_, scale_ : ndarray of shape (p,)
        Mean and standard deviation of X, by which it is standardised (1 for constant features).
    history_ : list of dict
        One entry for each pass: ``epoch``, and on the validation rows ``dependence``, ``kept`` (ℓ, NaN if nothing is
        kept) and ``objective``.
    best_epoch_ : int
        Pass whose weights are kept; 0 is before any training.
    classes_ : ndarray
        Classes of the labels, if labels are kept.

    Notes
    -----
    Everything is float32. A step costs O(b² (p + q)) for b rows; 1000 rows of 64 features take some 10 ms a pass.
    The scheme without ℓ is that of the study that this book re-examines; d as a training loss is that of Zhen, Meng,
    Chakraborty and Singh (2022), On the versatile uses of partial distance correlation in deep learning, ECCV.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles.decorrelation import Decorrelator
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 4))
    >>> fitted = Decorrelator(epochs=2, width=3).fit(x, x[:, :2])
    >>> fitted.transform(x).shape
    (200, 3)
    """

    def __init__(
        self,
        *,
        penalty: str | Callable[[Any, Any], Any] = "modified_distance_correlation",
        keep: str = "nothing",
        mu: float = 1.0,
        width: int | None = None,
        hidden: Sequence[int] = (64,),
        epochs: int = 60,
        patience: int = 10,
        batch: int = 256,
        learning_rate: float = 0.003,
        validation: float = 0.2,
        random_state: int = 0,
        device: str = "cpu",
    ):
        self.penalty = penalty
        self.keep = keep
        self.mu = mu
        self.width = width
        self.hidden = hidden
        self.epochs = epochs
        self.patience = patience
        self.batch = batch
        self.learning_rate = learning_rate
        self.validation = validation
        self.random_state = random_state
        self.device = device

    def fit(self, x: Any, y: Any, *, labels: Any = None, validation: tuple | None = None) -> Decorrelator:
        """Train the map.

        Parameters
        ----------
        x, y : array_like of shape (n, p) and (n, q)
            The representation to change and the one that it shall depend on less, of the same objects.
        labels : array_like of shape (n,)
            Labels of the rows, required for ``keep="labels"``.
        validation : tuple of arrays, optional
            (x, y) or (x, y, labels) of the rows by which training is stopped; none of them is trained on.

        Raises
        ------
        TypeError, ValueError
            If arrays do not fit together, an entry is not finite, Y does not vary, labels are missing (or there is one
            class), or a parameter is out of range.
        FloatingPointError
            If the objective is no longer finite.
        """
        penalty = self._check_parameters()
        train = _rows(x, y, labels, self.keep, "")
        if validation is None:
            train, held = _split(train, self.validation, self.random_state)
        else:
            held = _rows(*validation, *[None] * (3 - len(validation)), self.keep, "validation ")
            for at, name in enumerate(("x", "y")):
                if held[at].shape[1] != train[at].shape[1]:
                    raise ValueError(
                        f"validation {name} has {held[at].shape[1]} features and {name} {train[at].shape[1]}"
                    )
        if np.ptp(train[1], axis=0).max() == 0 or np.ptp(held[1], axis=0).max() == 0:
            raise ValueError("y: every feature is constant; nothing can depend on it")
        self.center_ = train[0].mean(axis=0)
        spread = train[0].std(axis=0)
        self.scale_ = np.where(spread > 0, spread, 1).astype(np.float32)
        self.n_features_in_ = train[0].shape[1]
        self._n_features_out = self.n_features_in_ if self.width is None else self.width
        if self.keep == "labels":
            self.classes_ = np.unique(train[2])
            if len(self.classes_) < 2:
                raise ValueError(f"labels are all {self.classes_[0]!r}; there is nothing to keep")
        self._train(penalty, *(self._prepared(rows) for rows in (train, held)))
        return self

    def transform(self, x: Any) -> np.ndarray:
        """The mapped representation, float32 of shape (n, width)."""
        check_is_fitted(self, "layers_")
        x = single_precision(x, "x", rows=0)
        if x.shape[1] != self.n_features_in_:
            raise ValueError(f"x has {x.shape[1]} features; expected {self.n_features_in_}, as in fit")
        out = (x - self.center_) / self.scale_
        for i, (weight, bias) in enumerate(self.layers_):
            out = (np.maximum(out, 0) if i else out) @ weight + bias
        return out

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the map to one ``.npz`` file of arrays, which :func:`load_decorrelator` reads; no code is stored.

        Raises
        ------
        TypeError
            If the penalty is a function, which has no name to store.
        """
        check_is_fitted(self, "layers_")
        parameters = self.get_params() | {"hidden": list(self.hidden)}
        if callable(self.penalty):
            raise TypeError("penalty is a function, which cannot be saved; those that can are " + ", ".join(PENALTIES))
        about = {"parameters": parameters, "history": self.history_, "best_epoch": self.best_epoch_}
        arrays = {f"weight{i}": weight for i, (weight, _) in enumerate(self.layers_)}
        arrays |= {f"bias{i}": bias for i, (_, bias) in enumerate(self.layers_)}
        classes = {"classes": self.classes_} if self.keep == "labels" else {}
        path = Path(path)
        with path.open("wb") as file:
            np.savez(file, about=json.dumps(about), center=self.center_, scale=self.scale_, **arrays, **classes)
        return path

    def _check_parameters(self) -> Callable:
        if not callable(self.penalty) and self.penalty not in PENALTIES:
            raise ValueError(f"penalty is {self.penalty!r}; it can be {', '.join(map(repr, PENALTIES))} or a function")
        if self.keep not in KEEP:
            raise ValueError(f"keep is {self.keep!r}; it can be {', '.join(map(repr, KEEP))}")
        needed = "a number of at least 0 (math.inf keeps, and lowers nothing)"
        check_number(self.mu, "mu", lambda mu: mu >= 0, needed)
        if self.keep == "nothing" and self.mu == math.inf:
            raise ValueError("mu is infinite and keep is 'nothing'; there is nothing to minimise")
        for name in ("epochs", "patience"):
            check_count(getattr(self, name), name)
        check_count(self.batch, "batch", least=8)
        for value in self.hidden:
            check_count(value, "hidden")
        if self.width is not None:
            check_count(self.width, "width")
        check_number(self.learning_rate, "learning_rate", lambda rate: 0 < rate < math.inf, "a number above 0")
        check_number(self.validation, "validation", lambda share: 0 < share < 1, "a share between 0 and 1")
        return self.penalty if callable(self.penalty) else PENALTIES[self.penalty]

    def _prepared(self, rows: tuple) -> tuple:
        """Standardised X, Y, and the codes of the labels, as tensors."""
        import torch

        x, y, labels = rows
        parts = [torch.from_numpy((x - self.center_) / self.scale_), torch.from_numpy(y)]
        if self.keep == "labels":
            codes = np.searchsorted(self.classes_, labels)
            if not np.array_equal(self.classes_[np.minimum(codes, len(self.classes_) - 1)], labels):
                raise ValueError("validation labels have a class that no training row has")
            parts.append(torch.from_numpy(codes))
        return tuple(part.to(self.device) for part in parts)

    def _train(self, penalty: Callable, train: tuple, held: tuple) -> None:
        import torch
        from torch import nn

        from helpers.training import Validation
        from helpers.training import train as train_module

        devices = [torch.device(self.device)] if torch.device(self.device).type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(self.random_state)
            p, width = self.n_features_in_, self._n_features_out
            net = _perceptron([p, *self.hidden, width]).to(self.device)
            back, reference = None, 1.0
            if self.keep == "reconstruction":
                back = _perceptron([width, *reversed(self.hidden), p]).to(self.device)
            elif self.keep == "labels":
                back = nn.Linear(width, len(self.classes_)).to(self.device)
                share = torch.bincount(train[2], minlength=len(self.classes_)) / len(train[2])
                reference = float(-(share * share.log()).sum())
            together = nn.ModuleList([net] if back is None else [net, back])
            order = torch.Generator().manual_seed(self.random_state)

            def parts(rows: tuple) -> tuple:
                """Dependence and what is kept, for some rows."""
                mapped, few = net(rows[0]), slice(2 * self.batch)
                dependence = penalty(mapped[few], rows[1][few]) if self.mu < math.inf else None
                if back is None:
                    return dependence, None
                if self.keep == "labels":
                    return dependence, nn.functional.cross_entropy(back(mapped), rows[2]) / reference
                return dependence, nn.functional.mse_loss(back(mapped), rows[0])

            def objective(dependence, kept):
                if dependence is None:
                    return kept
                return dependence if kept is None else dependence + self.mu * kept

            def held_out() -> dict[str, float]:
                found = parts(held)
                values = [math.nan if part is None else float(part) for part in found]
                return dict(zip(NAMES, values, strict=True)) | {"loss": objective(*found)}

            def batches(rng: Any, epoch: int) -> tuple:
                drawn = torch.randperm(len(train[0]), generator=order).to(self.device)
                return drawn.tensor_split(max(1, round(len(drawn) / self.batch)))

            trained = train_module(
                together,
                lambda rows, step: objective(*parts(tuple(part[rows] for part in train))),
                batches,
                epochs=self.epochs,
                optimizer=torch.optim.Adam(together.parameters(), lr=self.learning_rate),
                validation=Validation(held_out, patience=self.patience),
                rng=None,
            )
        self.best_epoch_ = trained.best["epoch"]
        self.history_ = [
            {"epoch": row["epoch"]}
            | {name: row[f"validation_{name}"] for name in NAMES}
            | {"objective": row["validation"]}
            for row in trained.log
            if "validation" in row
        ]
        self.layers_ = _weights(net)


NAMES = ("dependence", "kept")


def load_decorrelator(path: str | os.PathLike[str]) -> Decorrelator:
    """The map that :meth:`Decorrelator.save` wrote.

    Raises
    ------
    ValueError
        If the file is not one.

    Examples
    --------
    >>> import tempfile
    >>> from helpers.ensembles.decorrelation import Decorrelator, load_decorrelator
    >>> x = np.random.default_rng(0).normal(size=(50, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = load_decorrelator(Decorrelator(epochs=1).fit(x, x).save(f"{folder}/map.npz"))
    >>> again.transform(x).shape
    (50, 2)
    """
    with np.load(Path(path), allow_pickle=False) as arrays:
        if "about" not in arrays or "weight0" not in arrays:
            raise ValueError(f"{path} does not hold a saved map")
        about = json.loads(str(arrays["about"]))
        out = Decorrelator(**about["parameters"])
        out.center_, out.scale_ = arrays["center"], arrays["scale"]
        count = sum(name.startswith("weight") for name in arrays.files)
        out.layers_ = [(arrays[f"weight{i}"], arrays[f"bias{i}"]) for i in range(count)]
        if "classes" in arrays:
            out.classes_ = arrays["classes"]
    out.history_, out.best_epoch_ = about["history"], about["best_epoch"]
    out.n_features_in_, out._n_features_out = len(out.center_), out.layers_[-1][0].shape[1]
    return out


def _rows(x: Any, y: Any, labels: Any, keep: str, prefix: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Checked float32 matrices of the same objects, and their labels where these are kept."""
    x, y = single_precision(x, f"{prefix}x", rows=8), single_precision(y, f"{prefix}y", rows=8)
    if len(x) != len(y):
        raise ValueError(f"{prefix}x has {len(x)} rows and {prefix}y {len(y)}; both must describe the same objects")
    if keep != "labels":
        return x, y, None
    if labels is None:
        raise ValueError(f"keep is 'labels', but no {prefix}labels were given")
    labels = np.asarray(labels)
    if labels.shape != (len(x),):
        raise ValueError(f"{prefix}labels have shape {labels.shape}; one for each of {len(x)} rows is needed")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError(f"{prefix}labels[{int(np.argmin(np.isfinite(labels)))}] is missing; leave such rows out")
    return x, y, labels


def _split(rows: tuple, share: float, seed: int) -> tuple[tuple, tuple]:
    """Rows to train on and rows to validate on."""
    n = len(rows[0])
    held = max(8, round(share * n))
    if n - held < 8:
        raise ValueError(f"x has {n} rows, of which {held} would validate; at least 8 are needed to train on")
    order = np.random.default_rng(seed).permutation(n)
    return tuple(tuple(None if a is None else a[at] for a in rows) for at in (order[held:], order[:held]))


def _perceptron(widths: Sequence[int]):
    from torch import nn

    layers = [nn.Linear(p, q) for p, q in zip(widths[:-1], widths[1:], strict=True)]
    between = [part for layer in layers for part in (layer, nn.ReLU())]
    return nn.Sequential(*between[:-1])


def _weights(net) -> list[tuple[np.ndarray, np.ndarray]]:
    """Copies of the weights of the linear layers, as they are applied from the right."""
    return [
        (part.weight.detach().cpu().numpy().T.copy(), part.bias.detach().cpu().numpy().copy())
        for part in net
        if hasattr(part, "weight")
    ]


def _distances(x: torch.Tensor) -> torch.Tensor:
    """Euclidean distances between all rows; of rows that coincide up to rounding 0, without a gradient."""
    import torch

    x = x - x.mean(dim=0)
    norms = x.square().sum(dim=1)
    squares = norms[:, None] + norms[None, :] - 2 * x @ x.T
    apart = squares > 8 * torch.finfo(x.dtype).eps * (norms[:, None] + norms[None, :])
    apart = apart & ~torch.eye(len(x), dtype=torch.bool, device=x.device)
    return torch.where(apart, squares, 1).sqrt() * apart


def _double_centred(a: torch.Tensor) -> torch.Tensor:
    mean = a.mean(dim=0)
    return a - mean[:, None] - mean[None, :] + mean.mean()


def _u_centred(a: torch.Tensor) -> torch.Tensor:
    """Zero diagonal and zero row sums, the U-centring of Székely and Rizzo (2014); of a with a zero diagonal."""
    import torch

    n = len(a)
    rows = a.sum(dim=0) / (n - 2)
    out = a - rows[:, None] - rows[None, :] + rows.sum() / (n - 1)
    return out * (1 - torch.eye(n, dtype=a.dtype, device=a.device))


def _cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).sum() / a.norm().clamp_min(TINY) / b.norm().clamp_min(TINY)


def _gaussian(x: torch.Tensor) -> torch.Tensor:
    """Gaussian kernel with the median distance between different rows as bandwidth."""
    import torch

    distances = _distances(x)
    i, j = torch.triu_indices(len(x), len(x), 1, device=x.device)
    median = torch.quantile(distances[i, j], 0.5)
    return torch.exp(-0.5 * (distances / median.clamp_min(TINY)).square())
