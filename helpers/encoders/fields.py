"""Embeddings of the values of categorical fields, learned from clicks through crossings of the fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from helpers.arrays import check_count, check_not_negative, check_number

__all__ = ["CROSSINGS", "CrossedFields", "information_abundance"]

CROSSINGS = ("product", "matrix", "experts")
"""How two fields are crossed: inner product; with a matrix of each pair between; with several of them and a gate."""


def information_abundance(table: Any) -> float:
    r"""Sum of the singular values over the largest: how many directions a table of embeddings uses.

    Parameters
    ----------
    table : array_like of shape (n, p)
        Embeddings of the values of a field, which are not centred.

    Returns
    -------
    float
        Between 1 and min(n, p).

    Notes
    -----
    Guo et al. (2024) :cite:`guo2024collapse`.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.encoders.fields import information_abundance
    >>> information_abundance(np.diag([2.0, 1.0, 1.0]))
    2.0
    """
    values = np.linalg.svd(np.asarray(table, dtype=float), compute_uv=False)
    if not values.size or not values[0] > 0:
        raise ValueError("table is zero or empty; embeddings with a singular value above 0 are needed")
    return float(values.sum() / values[0])


class CrossedFields(BaseEstimator):
    r"""A factorisation machine: the chance of a click from the crossings of all pairs of fields.

    .. math:: \operatorname{logit} P = b + \sum_f w_f + \sum_{f < g} e_f^\top W_{fg} e_g

    Parameters
    ----------
    width
        Features of an embedding, of all tables together.
    n_tables
        Tables of each field, of width ``width / n_tables``, each with crossings of its own (multi-embedding).
    crossing
        ``"product"``: :math:`W_{fg}` is the identity; ``"matrix"``: it is learned; ``"experts"``: it is the sum of
        ``n_experts`` learned matrices, weighted by a gate of both embeddings.
    n_experts
        Matrices of a pair of fields with ``crossing="experts"``.
    regularise
        Weight of :math:`\sum \|W_{fg}^\top W_{fg} - I\|^2 / p`, which keeps crossings from losing directions.
    decorrelate
        Weight of the hinge of deviations and of the covariances (of VICReg) of each table.
    entropy
        Weight of the entropy of the rows of each table of more than ``width`` values, which is maximised.
    loss
        ``"clicks"``: cross-entropy of all rows; ``"align_uniform"``: alignment and uniformity of the embeddings of the
        first two fields where there was a click, without crossings; chances are then fitted to their cosine.
    weight
        Weight λ of the uniformity.
    start : sequence of arrays, optional
        Tables (n_values, width) that training begins with, or None, for each field.
    scale
        Standard deviation of embeddings at the start.
    steps, batch, learning_rate
        Steps of training; rows of a batch; rate of Adam.
    random_state
        Seed of weights and batches.

    Attributes
    ----------
    tables_ : list of ndarray of shape (n_values, width)
        Embeddings of the values of each field, its tables side by side.
    n_parameters_ : int
        Numbers that are learned.

    Notes
    -----
    Rendle (2010) :cite:`rendle2010factorization`; multi-embedding and regularised crossings: Guo et al. (2024)
    :cite:`guo2024collapse`; alignment and uniformity of clicks: Wang et al. (2022) :cite:`wang2022directau`.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.encoders.fields import CrossedFields
    >>> rng = np.random.default_rng(0)
    >>> x = rng.integers([20, 3], size=(500, 2))
    >>> model = CrossedFields(width=4, steps=20).fit(x, x[:, 0] % 3 == x[:, 1])
    >>> model.tables_[0].shape, model.predict_proba(x).shape
    ((20, 4), (500, 2))
    """

    def __init__(
        self,
        width: int = 16,
        *,
        n_tables: int = 1,
        crossing: str = "product",
        n_experts: int = 3,
        regularise: float = 0.0,
        decorrelate: float = 0.0,
        entropy: float = 0.0,
        loss: str = "clicks",
        weight: float = 1.0,
        start: Sequence[Any] | None = None,
        scale: float = 0.1,
        steps: int = 400,
        batch: int = 1024,
        learning_rate: float = 1e-2,
        random_state: int = 0,
    ):
        self.width, self.n_tables, self.crossing, self.n_experts = width, n_tables, crossing, n_experts
        self.regularise, self.decorrelate, self.entropy = regularise, decorrelate, entropy
        self.loss, self.weight, self.start, self.scale = loss, weight, start, scale
        self.steps, self.batch, self.learning_rate, self.random_state = steps, batch, learning_rate, random_state

    def fit(self, x: Any, y: Any) -> CrossedFields:
        """Learn embeddings.

        Parameters
        ----------
        x : array_like of int, shape (n, fields)
            Value of each of at least two fields, counted from 0.
        y : array_like of shape (n,)
            Whether there was a click.

        Raises
        ------
        ValueError
            If values are not whole numbers from 0 on, clicks are not 0 and 1, all are one, or a parameter is out of
            range.
        FloatingPointError
            If the loss is no longer finite.
        """
        self._check_parameters()
        x, y = _values(x), np.asarray(y)
        if y.shape != (len(x),) or y.dtype.kind not in "biuf" or not np.isin(y, (0, 1)).all():
            raise ValueError(f"y has shape {y.shape} and dtype {y.dtype}; 0 or 1 for each of {len(x)} rows is needed")
        if len(np.unique(y)) < 2:
            raise ValueError(f"y is {y[0]} in all rows; clicks and rows without a click are needed")
        self.sizes_ = [int(size) for size in x.max(axis=0) + 1]
        for field, given in enumerate(self.start or ()):
            shape, wanted = np.shape(given), (self.sizes_[field] if field < len(self.sizes_) else 0, self.width)
            if given is not None and shape != wanted:
                raise ValueError(f"start[{field}] has shape {shape}; {wanted} is needed, or None")
        self._train(x, y.astype(np.float32))
        return self

    def decision_function(self, x: Any) -> np.ndarray:
        """Logits of clicks, shape (n,)."""
        import torch

        check_is_fitted(self, "model_")
        x = _values(x)
        if x.shape[1] != len(self.sizes_) or (x.max(axis=0) >= self.sizes_).any():
            raise ValueError(
                f"x has {x.shape[1]} fields of up to {x.max(axis=0) + 1} values; fitted were {self.sizes_}"
            )
        with torch.no_grad():
            return self.model_(torch.from_numpy(x)).numpy()

    def predict_proba(self, x: Any) -> np.ndarray:
        """Chances of no click and of a click, shape (n, 2)."""
        chance = 1 / (1 + np.exp(-self.decision_function(x).astype(float)))
        return np.column_stack([1 - chance, chance])

    def _check_parameters(self) -> None:
        if self.crossing not in CROSSINGS:
            raise ValueError(f"crossing is {self.crossing!r}; it is one of {', '.join(map(repr, CROSSINGS))}")
        if self.loss not in ("clicks", "align_uniform"):
            raise ValueError(f"loss is {self.loss!r}; it is 'clicks' or 'align_uniform'")
        for name in ("width", "n_tables"):
            check_count(getattr(self, name), name)
        if self.width % self.n_tables:
            raise ValueError(f"n_tables is {self.n_tables} and width {self.width}; tables of equal width are needed")
        check_count(self.n_experts, "n_experts", least=2)
        check_count(self.batch, "batch", least=2)
        check_count(self.steps, "steps", least=0)
        for name in ("regularise", "decorrelate", "entropy", "weight", "scale"):
            check_not_negative(getattr(self, name), name)
        check_number(self.learning_rate, "learning_rate", lambda rate: 0 < rate < np.inf, "a number above 0")

    def _train(self, x: np.ndarray, y: np.ndarray) -> None:
        import torch

        from helpers.encoders.field_networks import FieldNetwork
        from helpers.training import shuffled, train

        seed = check_count(self.random_state, "random_state", least=0)
        values, clicks = torch.from_numpy(x), torch.from_numpy(y)
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            model = FieldNetwork(self.sizes_, self.width, self.n_tables, self.crossing, self.n_experts, self.scale)
            for table, given in zip(model.tables, self.start or [], strict=False):
                if given is not None:
                    table.weight.data.copy_(torch.from_numpy(np.asarray(given, dtype=np.float32)))
            self.n_parameters_ = sum(part.numel() for part in model.parameters())
            optimizer = torch.optim.Adam(model.parameters(), lr=self.learning_rate)
            rows = np.flatnonzero(y) if self.loss == "align_uniform" else np.arange(len(x))

            def loss(batch: np.ndarray, step: int) -> torch.Tensor:
                at = rows[batch]
                if self.loss == "align_uniform":
                    return model.pair_loss(values[at], self.weight)
                return model.click_loss(values[at], clicks[at], self.regularise, self.decorrelate, self.entropy)

            if self.steps:
                batches = shuffled(len(rows), min(self.batch, len(rows)), drop_last=True)
                train(model, loss, batches, steps=self.steps, optimizer=optimizer, rng=seed)
            if self.loss == "align_uniform":
                model.judge_by_cosine(values, clicks)
        self.model_ = model.eval()
        self.tables_ = [table.weight.detach().numpy().copy() for table in model.tables]


def _values(x: Any) -> np.ndarray:
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1] < 2 or not len(x) or x.dtype.kind not in "iu" or x.min() < 0:
        raise ValueError(
            f"x has shape {x.shape} and dtype {x.dtype}; whole numbers from 0 on, in a column for each of at least two "
            "fields, are needed"
        )
    return x.astype(np.int64)
