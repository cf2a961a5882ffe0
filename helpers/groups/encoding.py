"""An encoder that is trained so that groups of one class come together, and gives each group a vector."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from helpers.arrays import as_matrix, check_count, to_numpy, unit_rows
from helpers.groups.membership import Membership, group_codes
from helpers.groups.readouts import READOUTS

__all__ = ["LEARNED", "LOSSES", "GroupEncoder"]

LOSSES = ("group_item", "group_group", "info_nce", "triplet", "momentum_groups", "group_face", "group_loss", "none")
"""What a :class:`GroupEncoder` can be trained by; ``"none"`` leaves its network as it was drawn."""

LEARNED = ("deep_sets", "attention", "set_transformer")
"""Readouts that are trained with the encoder; see :mod:`helpers.groups.sets`."""

ROWS = 1024  # that pass through the network at a time


class GroupEncoder(BaseEstimator):
    r"""Vectors of groups of items, trained so that groups of one class are near each other.

    A network f takes items onto the unit sphere, and a readout makes one vector of the items of a group. Training draws
    batches of two groups of each of several classes; what it minimises is ``loss``.

    Parameters
    ----------
    loss
        ``"group_item"``: items against groups of their class; ``"group_group"``: groups against groups;
        ``"info_nce"``, ``"triplet"``: items against items; ``"momentum_groups"``: items against groups that clustering
        finds, whatever the classes; ``"group_face"``, ``"group_loss"``: classifiers with latent groups, or with a batch
        that refines its own probabilities; ``"none"``: no training. See :mod:`helpers.groups.objectives`.
    readout
        A name in :data:`helpers.groups.READOUTS` (``"centroid"``, ``"medoid"``, …), or one that is trained with the
        encoder, by ``"group_item"`` or ``"group_group"``: ``"deep_sets"``, ``"attention"``, ``"set_transformer"``.
    training_readout
        ``"centroid"`` or ``"medoid"``: what training takes as a group's feature. By default the readout, or the
        centroid where the readout has no gradient. A learned readout is always its own.
    encoder
        ``"auto"``: a perceptron for vectors and convolutions for images; or a function that gives a torch module of
        items to (n, width).
    width
        Features of an embedding.
    hidden
        Widths of the hidden layers of the perceptron.
    channels
        Channels of the first of three convolutions, for images.
    steps
        Steps of training.
    batch_classes, batch_items
        Classes of a batch, and items of each of their two groups.
    learning_rate
        Learning rate of Adam at the first step; it falls to 0 along a cosine.
    options
        Further parameters of the loss, such as ``{"temperature": 0.2}``; see :mod:`helpers.groups.objectives`.
    single_group
        A class with one group in training, where the loss compares two: ``"refuse"`` it, or ``"halve"`` it at random
        for each batch.
    folder
        Where training is kept, so that it goes on after an interruption; None: nowhere.
    device
        Name of the torch device.
    random_state
        Seed of weights and batches: on one machine with one thread the result is the same each time.

    Attributes
    ----------
    network_ : torch.nn.Module
        f, in evaluation mode.
    pooling_ : torch.nn.Module or None
        The learned readout.
    objective_ : torch.nn.Module or None
        The loss with what it keeps, such as the groups of ``"momentum_groups"``.
    classes_ : ndarray
        Classes of the training items, in ascending order.
    n_features_in_ : int
        Features of a vector, or pixels of an image.
    log_ : list of dict
        Rows of :class:`helpers.training.Trained`: ``step``, ``loss``, ``rate``, minutes.

    Notes
    -----
    Group features of training are means over ``batch_items`` items, whatever the size of the groups. 300 steps of 128
    images of 28 × 28 pixels take some 5 s of one core.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.groups import GroupEncoder
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["a", "b", "c"], 40)
    >>> groups = np.repeat([f"{name}{i}" for name in "abc" for i in range(4)], 10)
    >>> x = rng.normal(size=(120, 5)) + np.repeat(np.eye(3, 5), 40, axis=0)
    >>> fitted = GroupEncoder(loss="group_item", readout="centroid", steps=20, random_state=0).fit(x, y, groups)
    >>> fitted.transform(x, groups).shape
    (12, 64)
    """

    def __init__(
        self,
        *,
        loss: str = "group_item",
        readout: str = "centroid",
        training_readout: str | None = None,
        encoder: str | Callable[[], Any] = "auto",
        width: int = 64,
        hidden: Sequence[int] = (128,),
        channels: int = 16,
        steps: int = 300,
        batch_classes: int = 8,
        batch_items: int = 8,
        learning_rate: float = 0.003,
        options: Mapping[str, Any] | None = None,
        single_group: str = "refuse",
        folder: str | os.PathLike[str] | None = None,
        device: str = "cpu",
        random_state: int = 0,
    ):
        self.loss = loss
        self.readout = readout
        self.training_readout = training_readout
        self.encoder = encoder
        self.width = width
        self.hidden = hidden
        self.channels = channels
        self.steps = steps
        self.batch_classes = batch_classes
        self.batch_items = batch_items
        self.learning_rate = learning_rate
        self.options = options
        self.single_group = single_group
        self.folder = folder
        self.device = device
        self.random_state = random_state

    def fit(self, x: Any, y: Any, groups: Any) -> GroupEncoder:
        """Train the encoder.

        Parameters
        ----------
        x : array_like of shape (n, p), or (n, height, width)
            Items: vectors, embeddings included, or images.
        y : array_like of shape (n,)
            Class of each item.
        groups : array_like of shape (n,), or mapping of names to rows
            Group of each item; groups share no item, and the items of a group are of one class.

        Raises
        ------
        TypeError
            If labels are of several types, or an entry is no number.
        ValueError
            If shapes do not fit; an entry is NaN or infinite; a label is missing; a group has no item, shares items
            with another, or has items of two classes; there is one class; a class has one group where two are needed;
            or a parameter is out of range. Messages name rows, groups and classes.
        FloatingPointError
            If the loss is no longer finite.
        """
        self._check_parameters()
        x = _items(x)
        membership, codes = group_codes(groups, len(x)), _class_codes(y, len(x))
        self.classes_, classes = codes.names, codes.codes
        of_group = _class_of_group(classes, membership, self.classes_)
        if len(self.classes_) < 2 and self.loss != "none":
            raise ValueError(f"y is {self.classes_.tolist()[0]!r} in all rows; at least two classes are needed")
        if self.single_group == "refuse" and self._two_groups():
            _refuse_single(np.bincount(of_group, minlength=len(self.classes_)), of_group, membership, self)
        self.n_features_in_, self._shape, self._trained_readout = int(np.prod(x.shape[1:])), x.shape[1:], self.readout
        self._train(x, classes, membership.codes)
        return self

    def transform(self, x: Any, groups: Any) -> np.ndarray:
        """Vectors of groups, which need not be of classes that were trained on.

        Parameters
        ----------
        x : array_like of shape (n, p), or (n, height, width)
            Items like those of :meth:`fit`.
        groups : array_like of shape (n,), or mapping of names to rows
            Group of each item.

        Returns
        -------
        ndarray of shape (n_groups, width), float64
            Groups in the order of :func:`helpers.groups.group_codes`: ascending labels, or the order of the mapping.
            Width 2 × ``width`` for ``readout="moments"``; of unit length with a learned readout.

        Raises
        ------
        TypeError, ValueError
            As :meth:`fit`, and if items have another shape than there.
        """
        return self.read(self.embed(x), groups)

    def embed(self, x: Any) -> np.ndarray:
        """Items through the network, before any readout.

        Parameters
        ----------
        x : array_like of shape (n, p), or (n, height, width)
            Items like those of :meth:`fit`.

        Returns
        -------
        ndarray of shape (n, width), float32
            Rows have unit length, unless ``encoder`` is a function that gives something else.
        """
        import torch

        check_is_fitted(self, "network_")
        x = _items(x)
        if x.shape[1:] != self._shape:
            raise ValueError(f"x has items of shape {x.shape[1:]}; expected {self._shape}, as in fit")
        with torch.no_grad():
            parts = [
                self.network_(torch.from_numpy(x[at : at + ROWS]).to(self.device)).cpu()
                for at in range(0, len(x), ROWS)
            ]
        return torch.cat(parts).numpy()

    def read(self, z: Any, groups: Any) -> np.ndarray:
        """Vectors of groups of embedded items: the readout alone.

        Parameters
        ----------
        z : array_like of shape (n, width)
            Items as :meth:`embed` gives them.
        groups : array_like of shape (n,), or mapping of names to rows
            Group of each item.

        Returns
        -------
        ndarray of shape (n_groups, width), float64
            Groups in the order of :meth:`transform`.
        """
        check_is_fitted(self, "network_")
        if not self._pools():
            return READOUTS[self.readout](z, groups).vectors
        z = to_numpy(as_matrix(z, "z", rows=1)).astype(np.float32, copy=False)
        return self._pooled(z, group_codes(groups, len(z)).members())

    def transform_items(self, x: Any) -> np.ndarray:
        """Vectors of items, in the space of the vectors of groups.

        Parameters
        ----------
        x : array_like of shape (n, p), or (n, height, width)
            Items like those of :meth:`fit`.

        Returns
        -------
        ndarray of shape (n, width), float32
            Rows have unit length; with a learned readout each is the vector of the group that the item alone is.
        """
        z = self.embed(x)
        return z if not self._pools() else self._pooled(z, list(np.arange(len(z))[:, None])).astype(np.float32)

    def score(self, x: Any, y: Any, groups: Any) -> float:
        """Share of the groups whose nearest other group is of their class; classes need not be those of training.

        Raises
        ------
        TypeError, ValueError
            As :meth:`fit`, and if a class has one group, for which there is nothing to find.
        """
        from helpers.groups.evaluation import retrieval

        x = _items(x)
        membership, codes = group_codes(groups, len(x)), _class_codes(y, len(x))
        of_group = _class_of_group(codes.codes, membership, codes.names)
        single = np.flatnonzero(np.bincount(of_group) == 1)
        if len(single):
            raise ValueError(
                f"y: class {codes.names.tolist()[single[0]]!r} has one group, which has no other to be near to"
            )
        return float(retrieval(self.transform(x, membership), of_group).mean())

    def _pools(self) -> bool:
        """Whether the readout is a learned one, which must be that of the training."""
        if self.readout not in (*READOUTS, *LEARNED):
            self._check_parameters()
        if self.readout in LEARNED and self.readout != self._trained_readout:
            raise ValueError(
                f"readout is {self.readout!r}, which is learned, and the encoder was fitted with "
                f"{self._trained_readout!r}; fit it again"
            )
        return self.readout in LEARNED

    def _two_groups(self) -> bool:
        """Whether the loss has nothing to learn from a class with one group."""
        return self.loss in ("group_group", "group_item")

    def _check_parameters(self) -> None:
        if self.loss not in LOSSES:
            raise ValueError(f"loss is {self.loss!r}; it is one of {', '.join(map(repr, LOSSES))}")
        if self.readout not in (*READOUTS, *LEARNED):
            raise ValueError(f"readout is {self.readout!r}; it is one of {', '.join(map(repr, (*READOUTS, *LEARNED)))}")
        if self.readout in LEARNED and not self._two_groups() and self.loss != "none":
            raise ValueError(
                f"readout {self.readout!r} is learned, and loss {self.loss!r} trains none; 'group_group' and "
                "'group_item' do"
            )
        if self.training_readout not in (None, "centroid", "medoid"):
            raise ValueError(f"training_readout is {self.training_readout!r}; it is 'centroid', 'medoid' or None")
        if self.single_group not in ("refuse", "halve"):
            raise ValueError(f"single_group is {self.single_group!r}; it is 'refuse' or 'halve'")
        if not callable(self.encoder) and self.encoder != "auto":
            raise ValueError(f"encoder is {self.encoder!r}; it is 'auto' or a function that gives a torch module")
        check_count(self.steps, "steps", least=0)
        check_count(self.batch_classes, "batch_classes", least=2)
        for name in ("width", "channels", "batch_items"):
            check_count(getattr(self, name), name)
        for value in self.hidden:
            check_count(value, "hidden")
        if not isinstance(self.learning_rate, (int, float)) or not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate!r}; a number above 0 is needed")

    def _train(self, x: np.ndarray, classes: np.ndarray, groups: np.ndarray) -> None:
        import torch
        from torch import nn

        from helpers.groups.losses import centroids, medoids
        from helpers.groups.objectives import OBJECTIVES
        from helpers.groups.sets import POOLINGS
        from helpers.training import Checkpoints, Update, train

        seed, device = check_count(self.random_state, "random_state", least=0), torch.device(self.device)
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            network = self._network(x)
            self.pooling_ = POOLINGS[self.readout](self.width) if self.readout in LEARNED else None
            medoid = (self.training_readout or self.readout) == "medoid"
            pooling = self.pooling_ or (medoids if medoid else centroids)
            self.objective_, self.log_ = None, []
            if self.loss != "none":
                options = dict(self.options or {})
                self.objective_ = OBJECTIVES[self.loss](pooling, self.width, len(self.classes_), **options)
                network = self.objective_.prepared(network, self.width)
            parts = {"network": network, "pooling": self.pooling_, "objective": self.objective_}
            model = nn.ModuleDict({name: part for name, part in parts.items() if part is not None}).to(device)
            self.network_ = network
            if self.objective_ is not None and self.steps:
                objective, n = self.objective_, len(x)
                sizes = {"n_classes": self.batch_classes, "n_items": self.batch_items, "alone": self.single_group}
                batches = objective.batches(classes, groups, **sizes)

                def items(rows: np.ndarray) -> torch.Tensor:
                    return torch.from_numpy(x[rows]).to(device)

                objective.start(network, items, n, seed)
                about = {"loss": self.loss, "readout": self.readout, "items": list(x.shape)}
                trained = train(
                    model,
                    lambda batch, step: objective(network, items, batch),
                    batches,
                    steps=self.steps,
                    optimizer=torch.optim.Adam(model.parameters(), lr=self.learning_rate),
                    update=Update(schedule="cosine"),
                    after_step=lambda step: objective.after_step(network, items, n, seed, step),
                    folder=None if self.folder is None else Checkpoints(self.folder, about=about),
                    rng=seed,
                )
                self.log_ = trained.log
            model.eval()

    def _network(self, x: np.ndarray) -> Any:
        import torch

        from helpers.groups.networks import convolutions, perceptron

        if callable(self.encoder):
            return self.encoder()
        if x.ndim == 3:
            return convolutions(x.shape[1:], self.channels, self.width)
        return perceptron(torch.from_numpy(x), self.hidden, self.width)

    def _pooled(self, z: np.ndarray, members: list[np.ndarray]) -> np.ndarray:
        """Embeddings of groups through the learned readout, groups of like size together."""
        import torch

        sizes = np.array([len(rows) for rows in members])
        order = np.argsort(sizes, kind="stable")
        out = np.empty((len(members), self.width))
        first = 0
        while first < len(order):
            last = first + 1
            while last < len(order) and sizes[order[last]] * (last + 1 - first) <= 16 * ROWS:
                last += 1
            here = order[first:last]
            padded = np.zeros((len(here), sizes[here[-1]]), dtype=np.int64)
            mask = np.arange(padded.shape[1]) < sizes[here][:, None]
            padded[mask] = np.concatenate([members[i] for i in here])
            with torch.no_grad():
                items, known = torch.from_numpy(z[padded]).to(self.device), torch.from_numpy(mask).to(self.device)
                out[here] = self.pooling_(items, known).cpu().numpy()
            first = last
        return unit_rows(out)  # training compares directions only


def _items(x: Any) -> np.ndarray:
    """Checked vectors (n, p) or images (n, height, width), float32."""
    shape = tuple(getattr(x, "shape", np.shape(x)))
    if len(shape) not in (2, 3):
        raise ValueError(f"x has shape {shape}; vectors (n, p) or images (n, height, width) are needed")
    flat = x.reshape(shape[0], -1) if len(shape) == 3 and hasattr(x, "reshape") else x
    if len(shape) == 3 and flat is x:
        flat = np.asarray(x).reshape(shape[0], -1)
    flat = to_numpy(as_matrix(flat, "x", rows=1))
    with np.errstate(over="ignore"):
        small = np.ascontiguousarray(flat, dtype=np.float32)
    if not np.isfinite(small).all():
        row, column = np.argwhere(~np.isfinite(small))[0]
        raise ValueError(f"x[{row}, {column}] is {flat[row, column]:g}, beyond single precision; scale x down")
    return small.reshape(shape)


def _class_codes(y: Any, n: int) -> Membership:
    """Checked classes of items; messages speak of y."""
    try:
        return group_codes(y, n)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace("groups", "y")) from error


def _class_of_group(classes: np.ndarray, groups: Membership, names: np.ndarray) -> np.ndarray:
    """The code of the class of each group, if its items agree."""
    found = np.full(len(groups.names), -1)
    found[groups.codes] = classes
    odd = np.flatnonzero(found[groups.codes] != classes)
    if len(odd):
        row = int(odd[0])
        group = groups.codes[row]
        raise ValueError(
            f"group {groups.names.tolist()[group]!r} has items of class {names.tolist()[found[group]]!r} and, in row "
            f"{row}, of {names.tolist()[classes[row]]!r}; the items of a group are of one class"
        )
    return found


def _refuse_single(counts: np.ndarray, of_group: np.ndarray, groups: Membership, encoder: GroupEncoder) -> None:
    single = np.flatnonzero(counts == 1)
    if len(single):
        name = encoder.classes_.tolist()[single[0]]
        group = groups.names.tolist()[int(np.flatnonzero(of_group == single[0])[0])]
        more = f", and {len(single) - 1} more classes have one" if len(single) > 1 else ""
        raise ValueError(
            f"class {name!r} has one group, {group!r}{more}; loss {encoder.loss!r} compares two groups of a class: add "
            "groups, leave the class out, or pass single_group='halve'"
        )
