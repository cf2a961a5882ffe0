"""An autoencoder whose code is a number: vector quantisation, with what keeps codes in use as options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from helpers.arrays import check_count, check_not_negative, check_number, single_precision

__all__ = ["QuantisedAutoencoder", "code_perplexity"]


def code_perplexity(codes: Any) -> float:
    """How many codes are in use, as if all were used equally often: the exponential of the entropy of their shares.

    Parameters
    ----------
    codes : array_like of shape (n,), or (n, q)
        Codes of the objects; several columns, one for each book, are averaged.

    Returns
    -------
    float
        At least 1 and at most the number of different codes.

    Examples
    --------
    >>> from helpers.encoders.codebooks import code_perplexity
    >>> round(code_perplexity([0, 0, 7, 7]), 6), code_perplexity([3, 3, 3])
    (2.0, 1.0)
    """
    codes = np.asarray(codes)
    if codes.ndim not in (1, 2) or not codes.size or codes.dtype.kind not in "iu":
        raise ValueError(f"codes has shape {codes.shape} and dtype {codes.dtype}; whole numbers are needed")
    found = []
    for column in codes.reshape(len(codes), -1).T:
        share = np.unique(column, return_counts=True)[1] / len(column)
        found.append(np.exp(-np.sum(share * np.log(share))))
    return float(np.mean(found))


class QuantisedAutoencoder(BaseEstimator):
    """A perceptron, a book of codes of which each object takes the nearest, and a perceptron back.

    Parameters
    ----------
    n_codes
        Codes of a book.
    width
        Features of what is quantised.
    hidden
        Widths of the hidden layers of the encoder; the decoder has them in the opposite order.
    start
        ``"random"``: codes begin as small random vectors near zero; ``"kmeans"``: as clusters of the first batch.
    update
        ``"gradient"``: codes are learned like weights; ``"ema"``: each moves to the moving average of what took it.
    restart
        Objects of a batch, on average, below which a code is replaced by an object of the batch; 0: never.
    entropy
        Weight of the entropy of the mean use of the codes of a batch, which is maximised besides.
    rotation
        Whether gradients pass the book by a rotation with scaling; otherwise they are copied straight through.
    n_books
        Number of books.
    books
        What several books quantise: ``"residual"``: each what the ones before left over; ``"product"``: each an equal
        part of the features.
    whiten
        Whether features are normalised over the batch before they are quantised.
    n_experts
        Perceptrons whose sum, weighted by a gate, is the encoder; 1: no mixture.
    commitment
        Weight of the squared distance of an object from its code.
    pretraining_steps
        Steps without the book before training with it begins.
    steps, batch, learning_rate
        Steps of training; objects of a batch; rate of Adam.
    random_state
        Seed of weights, codes and batches.

    Attributes
    ----------
    model_ : torch module
        Encoder, books and decoder.
    n_parameters_ : int
        Numbers that are learned, codes included.

    Notes
    -----
    Books are those of ``vector-quantize-pytorch``. Van den Oord et al. (2017) :cite:`oord2017neural`; Fifty et al.
    (2025) :cite:`fifty2025rotation` for the rotation. Features are standardised over the rows of :meth:`fit`.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.encoders.codebooks import QuantisedAutoencoder, code_perplexity
    >>> x = np.random.default_rng(0).normal(size=(256, 8))
    >>> found = QuantisedAutoencoder(16, start="kmeans", update="ema", steps=20).fit(x)
    >>> found.encode(x).shape, code_perplexity(found.encode(x)) > 4
    ((256, 1), True)
    """

    def __init__(
        self,
        n_codes: int = 256,
        *,
        width: int = 8,
        hidden: Sequence[int] = (64,),
        start: str = "random",
        update: str = "gradient",
        restart: float = 0,
        entropy: float = 0.0,
        rotation: bool = False,
        n_books: int = 1,
        books: str = "residual",
        whiten: bool = False,
        n_experts: int = 1,
        commitment: float = 0.25,
        pretraining_steps: int = 0,
        steps: int = 300,
        batch: int = 256,
        learning_rate: float = 3e-3,
        random_state: int = 0,
    ):
        self.n_codes, self.width, self.hidden, self.start, self.update = n_codes, width, hidden, start, update
        self.restart, self.entropy, self.rotation, self.n_books, self.books = restart, entropy, rotation, n_books, books
        self.whiten, self.n_experts, self.commitment = whiten, n_experts, commitment
        self.pretraining_steps, self.steps, self.batch = pretraining_steps, steps, batch
        self.learning_rate, self.random_state = learning_rate, random_state

    def fit(self, x: Any, y: Any = None) -> QuantisedAutoencoder:
        """Train encoder, books and decoder.

        Parameters
        ----------
        x : array_like of shape (n, p)
            Objects, at least two.
        y
            Not used; here because scikit-learn passes it.

        Raises
        ------
        TypeError, ValueError
            If ``x`` is no finite real matrix or a parameter is out of range.
        FloatingPointError
            If the loss is no longer finite.
        """
        self._check_parameters()
        x = single_precision(x)
        self._centre, spread = x.mean(axis=0), x.std(axis=0)
        self._scale = np.where(spread > 0, spread, 1).astype(np.float32)
        self.n_features_in_ = x.shape[1]
        self._train(x)
        return self

    def encode(self, x: Any) -> np.ndarray:
        """Codes of objects.

        Parameters
        ----------
        x : array_like of shape (n, p)
            Objects with the features of :meth:`fit`.

        Returns
        -------
        ndarray of int, shape (n, n_books)
            The number of a code in each book.
        """
        return self._passed(x)[1].reshape(len(np.asarray(x)), -1)

    def transform(self, x: Any) -> np.ndarray:
        """Objects as the decoder makes them from their codes.

        Parameters
        ----------
        x : array_like of shape (n, p)
            Objects with the features of :meth:`fit`.

        Returns
        -------
        ndarray of shape (n, p), float32
            In the units of ``x``.
        """
        return self._passed(x)[0] * self._scale + self._centre

    def latent(self, x: Any) -> np.ndarray:
        """What is quantised of objects, before it is: shape (n, width), float32."""
        return self._passed(x)[2]

    def score(self, x: Any, y: Any = None) -> float:
        """Share of the variance of standardised features that the codes keep, at most 1; larger is better."""
        x = single_precision(x)
        off = (x - self._centre) / self._scale
        return float(1 - np.mean((off - self._passed(x)[0]) ** 2) / np.mean((off - off.mean(axis=0)) ** 2))

    def _passed(self, x: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        import torch

        check_is_fitted(self, "model_")
        x = single_precision(x, rows=1)
        if x.shape[1] != self.n_features_in_:
            raise ValueError(f"x has {x.shape[1]} features; expected {self.n_features_in_}, as in fit")
        with torch.no_grad():
            z = self.model_["encoder"](torch.from_numpy((x - self._centre) / self._scale))
            quantised, codes, _ = self.model_["book"](z[None])
            return self.model_["decoder"](quantised[0]).numpy(), codes[0].numpy(), z.numpy()

    def _check_parameters(self) -> None:
        for name, choices in (
            ("start", ("random", "kmeans")),
            ("update", ("gradient", "ema")),
            ("books", ("residual", "product")),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it is {' or '.join(map(repr, choices))}")
        check_count(self.n_codes, "n_codes", least=2)
        for name in ("width", "n_books", "n_experts"):
            check_count(getattr(self, name), name)
        check_count(self.batch, "batch", least=2)
        for name in ("steps", "pretraining_steps"):
            check_count(getattr(self, name), name, least=0)
        for size in self.hidden:
            check_count(size, "hidden")
        for name in ("restart", "entropy", "commitment"):
            check_not_negative(getattr(self, name), name)
        check_number(self.learning_rate, "learning_rate", lambda rate: 0 < rate < np.inf, "a number above 0")
        if self.books == "product" and self.width % self.n_books:
            raise ValueError(
                f"n_books is {self.n_books} and width {self.width}; equal parts of the features are needed"
            )

    def _book(self) -> Any:
        from vector_quantize_pytorch import ResidualVQ, VectorQuantize

        options = {
            "codebook_size": self.n_codes,
            "kmeans_init": self.start == "kmeans",
            "ema_update": self.update == "ema",
            "learnable_codebook": self.update == "gradient",
            "threshold_ema_dead_code": self.restart,
            "codebook_diversity_loss_weight": self.entropy,
            "codebook_diversity_temperature": 10.0,
            "rotation_trick": self.rotation,
            "commitment_weight": 1.0,
        }
        if self.n_books > 1 and self.books == "residual":
            return ResidualVQ(dim=self.width, num_quantizers=self.n_books, **options)
        if self.n_books > 1:
            several = {"heads": self.n_books, "codebook_dim": self.width // self.n_books}
            return VectorQuantize(self.width, separate_codebook_per_head=True, **several, **options)
        return VectorQuantize(self.width, **options)

    def _train(self, x: np.ndarray) -> None:
        import torch
        from torch import nn

        from helpers.encoders.perceptrons import Experts, layered
        from helpers.training import shuffled, train

        rows = torch.from_numpy((x - self._centre) / self._scale)
        seed = check_count(self.random_state, "random_state", least=0)
        sizes = [x.shape[1], *self.hidden, self.width]
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            encoder = Experts(sizes, self.n_experts) if self.n_experts > 1 else layered(sizes)
            if self.whiten:
                encoder = nn.Sequential(encoder, nn.BatchNorm1d(self.width, affine=False))
            model = nn.ModuleDict({"encoder": encoder, "book": self._book(), "decoder": layered(sizes[::-1])})
            self.n_parameters_ = sum(part.numel() for part in model.parameters())
            self.n_parameters_ += 0 if self.update == "gradient" else self.n_codes * self.n_books * self.width

            def plain(batch: np.ndarray, step: int) -> torch.Tensor:
                return (model["decoder"](encoder(rows[batch])) - rows[batch]).square().mean()

            def quantised(batch: np.ndarray, step: int) -> torch.Tensor:
                z, _, more = model["book"](encoder(rows[batch])[None])
                return (model["decoder"](z[0]) - rows[batch]).square().mean() + self.commitment * more.sum()

            for loss, steps in ((plain, self.pretraining_steps), (quantised, self.steps)):
                if steps:
                    rate = torch.optim.Adam(model.parameters(), lr=self.learning_rate)
                    batches = shuffled(len(x), min(self.batch, len(x)), drop_last=True)
                    train(model, loss, batches, steps=steps, optimizer=rate, rng=seed)
        self.model_ = model.eval()
