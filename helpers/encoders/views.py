"""An encoder that is trained on two views of each object, by one of six losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from helpers.arrays import check_count, check_not_negative, check_number, single_precision

__all__ = ["VIEW_LOSSES", "ViewEncoder", "noisy_views"]

VIEW_LOSSES = ("info_nce", "align_uniform", "barlow_twins", "vicreg", "stop_gradient", "alignment")
"""What a :class:`ViewEncoder` can be trained by; ``"alignment"`` has nothing that drives objects apart."""


def noisy_views(scale: Any = 0.5) -> Callable:
    """Views that are an object with normal noise.

    Parameters
    ----------
    scale : float or array_like of shape (p,)
        Standard deviation of the noise, of all features or of each.

    Returns
    -------
    callable
        Function of a tensor of rows (n, p) and a NumPy generator that gives two tensors, for :class:`ViewEncoder`.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from helpers.encoders.views import noisy_views
    >>> a, b = noisy_views([0.0, 1.0])(torch.zeros(3, 2), np.random.default_rng(0))
    >>> a[:, 0].tolist(), bool((a[:, 1] == b[:, 1]).any())
    ([0.0, 0.0, 0.0], False)
    """
    width = np.asarray(scale, dtype=np.float32)
    if width.ndim > 1 or not np.isfinite(width).all() or (width < 0).any():
        raise ValueError(f"scale is {scale!r}; one finite number of at least 0, or one for each feature, is needed")

    def views(rows: Any, rng: np.random.Generator) -> tuple:
        import torch

        noise = torch.from_numpy(rng.standard_normal((2, *rows.shape), dtype=np.float32) * width)
        return rows + noise[0], rows + noise[1]

    return views


class ViewEncoder(BaseEstimator):
    """A perceptron whose outputs agree on two views of an object, trained so that objects stay apart, or not.

    Parameters
    ----------
    loss
        ``"info_nce"``, ``"align_uniform"``, ``"barlow_twins"``, ``"vicreg"``, ``"stop_gradient"`` (with a predictor)
        or ``"alignment"``, which collapses; see :mod:`helpers.encoders.view_losses`.
    options : mapping, optional
        Keyword arguments of the loss, such as ``{"temperature": 0.1}`` or ``{"weight": 2.0}``.
    views
        Function of a tensor of rows and a NumPy generator that gives two tensors of views of them, such as
        :func:`noisy_views` gives. Not asked if second views are given to :meth:`fit`.
    width
        Features of an embedding.
    hidden
        Widths of the hidden layers.
    activation
        ``"relu"``, ``"tanh"`` or ``"linear"``.
    n_experts
        Perceptrons whose sum, weighted by a gate, is the encoder; 1: no mixture.
    entropy
        Weight of the entropy of the embeddings of a batch, which is added to what is maximised.
    teacher
        Share that a moving average of the encoder, which sees the second view and gets no gradient, keeps at each step;
        0: both views pass through the encoder itself.
    pretraining_steps
        Steps of reconstruction, with a decoder of the same shape, before the loss begins.
    steps, batch, learning_rate
        Steps of training with the loss; objects of a batch; rate of Adam, which falls with a cosine.
    random_state
        Seed of weights, batches and views.

    Attributes
    ----------
    network_ : torch module
        The encoder, of standardised features.
    n_parameters_ : int
        Numbers that are learned, those of predictor and decoder too.
    log_ : list of dict
        Rows of the log of the training, see :class:`helpers.training.Trained`.

    Notes
    -----
    Views of which objects are compared are made anew at each step. Features are standardised over the rows of
    :meth:`fit`; constant ones are only centred.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.encoders.views import ViewEncoder
    >>> x = np.random.default_rng(0).normal(size=(200, 8))
    >>> ViewEncoder("vicreg", width=4, steps=20).fit(x).transform(x).shape
    (200, 4)
    """

    def __init__(
        self,
        loss: str = "info_nce",
        *,
        options: Mapping[str, Any] | None = None,
        views: Callable | None = None,
        width: int = 32,
        hidden: Sequence[int] = (64,),
        activation: str = "relu",
        n_experts: int = 1,
        entropy: float = 0.0,
        teacher: float = 0.0,
        pretraining_steps: int = 0,
        steps: int = 300,
        batch: int = 256,
        learning_rate: float = 3e-3,
        random_state: int = 0,
    ):
        self.loss, self.options, self.views, self.width, self.hidden = loss, options, views, width, hidden
        self.activation, self.n_experts, self.entropy, self.teacher = activation, n_experts, entropy, teacher
        self.pretraining_steps, self.steps, self.batch = pretraining_steps, steps, batch
        self.learning_rate, self.random_state = learning_rate, random_state

    def fit(self, x: Any, y: Any = None) -> ViewEncoder:
        """Train the encoder.

        Parameters
        ----------
        x : array_like of shape (n, p)
            Objects, at least two.
        y : array_like of shape (n, p), optional
            A second view of each object. Without it two views are made by ``views``, by default with normal noise of
            half the standard deviation of a feature.

        Raises
        ------
        TypeError, ValueError
            If an array is no finite real matrix, the two do not have one shape, or a parameter is out of range.
        FloatingPointError
            If the loss is no longer finite.
        """
        self._check_parameters()
        x = single_precision(x, "x")
        second = None if y is None else single_precision(y, "y")
        if second is not None and second.shape != x.shape:
            raise ValueError(f"y has shape {second.shape} and x {x.shape}; two views of the same objects are needed")
        self.n_features_in_ = x.shape[1]
        self._train(x, second)
        return self

    def transform(self, x: Any) -> np.ndarray:
        """Embeddings.

        Parameters
        ----------
        x : array_like of shape (n, p)
            Objects with the features of :meth:`fit`.

        Returns
        -------
        ndarray of shape (n, width), float32
            Rows as the network gives them, which losses other than VICReg and Barlow Twins compare by directions alone.
        """
        import torch

        check_is_fitted(self, "network_")
        x = single_precision(x, "x", rows=1)
        if x.shape[1] != self.n_features_in_:
            raise ValueError(f"x has {x.shape[1]} features; expected {self.n_features_in_}, as in fit")
        with torch.no_grad():
            return self.network_(torch.from_numpy((x - self._centre) / self._scale)).numpy()

    def _check_parameters(self) -> None:
        if self.loss not in VIEW_LOSSES:
            raise ValueError(f"loss is {self.loss!r}; it is one of {', '.join(map(repr, VIEW_LOSSES))}")
        for name in ("width", "n_experts"):
            check_count(getattr(self, name), name)
        check_count(self.batch, "batch", least=2)
        for name in ("steps", "pretraining_steps"):
            check_count(getattr(self, name), name, least=0)
        for size in self.hidden:
            check_count(size, "hidden")
        check_not_negative(self.entropy, "entropy")
        check_number(self.teacher, "teacher", lambda share: 0 <= share < 1, "a number of at least 0 and below 1")
        check_number(self.learning_rate, "learning_rate", lambda rate: 0 < rate < np.inf, "a number above 0")

    def _train(self, x: np.ndarray, second: np.ndarray | None) -> None:
        import torch

        from helpers.encoders.perceptrons import Experts, layered
        from helpers.encoders.view_losses import ViewObjective
        from helpers.training import Update, shuffled, train

        self._centre, spread = x.mean(axis=0), x.std(axis=0)
        self._scale = np.where(spread > 0, spread, 1).astype(np.float32)
        raw, sizes = torch.from_numpy(x), [x.shape[1], *self.hidden, self.width]
        other = None if second is None else torch.from_numpy((second - self._centre) / self._scale)
        seed, views = check_count(self.random_state, "random_state", least=0), self.views
        centre, scale = torch.from_numpy(self._centre), torch.from_numpy(self._scale)

        def pair(batch: tuple[np.ndarray, np.random.Generator]) -> tuple[torch.Tensor, torch.Tensor]:
            rows, rng = batch
            if other is not None:
                return (raw[rows] - centre) / scale, other[rows]
            if views is None:
                return noisy_views(0.5)((raw[rows] - centre) / scale, rng)
            return tuple((view - centre) / scale for view in views(raw[rows], rng))

        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            mixed = self.n_experts > 1
            network = Experts(sizes, self.n_experts, self.activation) if mixed else layered(sizes, self.activation)
            objective = ViewObjective(
                network, self.width, self.loss, self.options, entropy=self.entropy, teacher=self.teacher
            )
            decoder = layered(sizes[::-1], self.activation) if self.pretraining_steps else None
            batches = shuffled(len(x), min(self.batch, len(x)), lambda rows, rng: (rows, rng), drop_last=True)
            model = torch.nn.ModuleList([objective] if decoder is None else [objective, decoder])
            self.n_parameters_ = sum(part.numel() for part in model.parameters())
            options = {"rng": seed, "update": Update(schedule="cosine")}
            if decoder is not None:
                train(
                    model,
                    lambda batch, step: (decoder(network(pair(batch)[0])) - pair(batch)[1]).square().mean(),
                    batches,
                    steps=self.pretraining_steps,
                    optimizer=torch.optim.Adam(model.parameters(), lr=self.learning_rate),
                    **options,
                )
                objective.restart()
            self.log_ = []
            if self.steps:
                self.log_ = train(
                    objective,
                    lambda batch, step: objective(*pair(batch)),
                    batches,
                    steps=self.steps,
                    optimizer=torch.optim.Adam(objective.parameters(), lr=self.learning_rate),
                    after_step=objective.after_step,
                    **options,
                ).log
        self.network_ = network.eval()
