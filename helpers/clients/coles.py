"""Embeddings of clients by contrastive learning of event sequences (CoLES), with pytorch-lifestream.

Babaev et al. (2022), CoLES: Contrastive learning for event sequences with self-supervision, SIGMOD. Slices of one
client's history are embedded near each other, slices of different clients apart; no label is seen.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import integer_seed
from helpers.clients.data import FEATURES

if TYPE_CHECKING:
    import pandas as pd

    from helpers.clients.data import Clients
    from helpers.training import Checkpoints, Validation

__all__ = [
    "FEATURES",
    "SPACE",
    "Embedded",
    "draw",
    "embed",
    "features_of",
]


LARGEST = 1e6
"""A weight beyond this indicates that training diverged."""

SPACE: dict[str, tuple] = {
    "category_width": (4, 8, 16, 32),
    "other_width": (2, 4, 8),
    "cell": ("gru", "lstm"),
    "hidden": (64,),
    "projector": (0, 16, 32, 64),
    "noise": (0.0, 0.01, 0.03, 0.1),
    "slices": (3, 4, 5, 6),
    "shortest": (5, 10, 15),
    "longest": (20, 30, 40),
    "learning_rate": (0.002, 0.004, 0.008),
    "epochs": (3, 4, 5),
    "batch": (32,),
}
"""From what each setting of a run is drawn, each value equally likely; 0 for no projector."""


def draw(
    experiment: int,
    model: int,
    *,
    rng: int | np.random.Generator = 0,
    features: Sequence[str] = FEATURES,
    space: Mapping[str, Sequence] = SPACE,
    fixed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The settings of one run of a sweep: a point of the space, the same whenever it is asked for.

    Parameters
    ----------
    experiment, model, rng
        Numbers that together decide the point.
    features
        Features of which a subset is drawn: each size equally likely, then each subset of that size; never only days,
        which repeat from client to client.
    space
        Values of the other settings; with an entry ``features``, subsets of them of which one is taken.
    fixed
        Settings that are not drawn. The others are what they would be without it.

    Returns
    -------
    dict
        ``features`` (a list) and a value for each entry of the space.

    Raises
    ------
    ValueError
        If ``fixed`` names what is not a setting, or a feature that is not among ``features``.

    Examples
    --------
    >>> from helpers.clients.coles import draw
    >>> draw(0, 1) == draw(0, 1), draw(0, 1) == draw(0, 2)
    (True, False)
    >>> draw(0, 1, fixed={"cell": "gru"})["cell"]
    'gru'
    """
    seed = integer_seed(rng)
    rng = np.random.default_rng([seed, experiment, model])
    features = list(features)
    carriers = [name for name in features if name not in ("weekday", "monthday")]
    while True:
        size = int(rng.integers(1, len(features) + 1))
        chosen = set(rng.permutation(features)[:size].tolist())
        if chosen & set(carriers) or not carriers:
            break
    point: dict[str, Any] = {"features": [name for name in features if name in chosen]}
    for name, values in space.items():
        point[name] = values[int(rng.integers(len(values)))]
    given = dict(fixed or {})
    if unknown := set(given) - set(point):
        raise ValueError(f"{', '.join(sorted(unknown))} is not a setting; there are {', '.join(point)}")
    point["features"] = [name for name in features if name in point["features"]]
    asked = {name for subset in (*space.get("features", ()), given.get("features", ())) for name in subset}
    if wrong := asked - set(features):
        raise ValueError(f"features {sorted(wrong)} are not in these data, which have {', '.join(features)}")
    return point | given


def training_seed(experiment: int, model: int, *, rng: int | np.random.Generator = 0) -> int:
    """The seed of a run's weights, slices, batches and noise: different for all runs of a sweep.

    >>> training_seed(0, 1) == training_seed(1, 0)
    False
    """
    seed = integer_seed(rng)
    return int(np.random.SeedSequence([seed, experiment, model]).generate_state(1)[0])


def features_of(clients: Clients) -> tuple[str, ...]:
    """The features that these data have: without channels, all but that one."""
    return tuple(name for name in FEATURES if name != "channel" or "channel" in clients.events)


@dataclass(frozen=True)
class Embedded:
    """What one run gives.

    Attributes
    ----------
    embeddings : DataFrame of shape (clients, hidden)
        One row for each client, in the order of the clients; float32.
    losses : list of float
        Mean loss of each epoch, per slice.
    seconds : dict
        Duration of each step: ``prepare``, ``import`` (of the libraries), ``train``, ``encode``.
    validation : list of float
        Loss per slice of validation clients, before training and after each epoch; empty where nobody asked for it.
    """

    embeddings: pd.DataFrame
    losses: list[float]
    seconds: dict[str, float] = field(default_factory=dict)
    validation: list[float] = field(default_factory=list)


def embed(
    clients: Clients,
    split: pd.Series,
    *,
    features: Sequence[str],
    category_width: int = 16,
    other_width: int = 4,
    cell: str = "gru",
    hidden: int = 64,
    projector: int = 0,
    noise: float = 0.0,
    slices: int = 4,
    shortest: int = 10,
    longest: int = 40,
    learning_rate: float = 0.002,
    epochs: int = 5,
    batch: int = 32,
    patience: int = 0,
    packed: bool = False,
    rng: int | np.random.Generator = 0,
    folder: str | os.PathLike[str] | Checkpoints | None = None,
) -> Embedded:
    """Train CoLES on the training clients and embed all clients.

    Parameters
    ----------
    clients, split
        The clients and :func:`helpers.clients.split` of them. Only those of the part ``"train"`` are seen in training:
        their events, the names of their categories and the scale of their amounts; never a target. With ``patience``
        the events of those of the part ``"validation"`` say when to stop.
    features
        Features of an event that the model sees, some of :data:`FEATURES`.
    category_width, other_width
        Widths of the embeddings of categories, and of channels and days.
    cell, hidden
        ``"gru"`` or ``"lstm"``, and the width of its state, which is that of the embeddings.
    projector
        Width of a linear map of each event before the recurrent network; 0 for none.
    noise
        Standard deviation of the noise that is added to the embeddings of categories, channels and days in training.
    slices, shortest, longest
        Number of slices of a history that are compared, and their fewest and most events.
    learning_rate, epochs, batch
        Learning rate of Adam, passes over the training clients (with ``patience`` the most), and clients in a batch.
    patience
        Epochs in a row without a new least loss of validation clients, on slices drawn once, after which training
        stops; the weights are those of the least loss. 0: all epochs are made, and no validation client is looked at.
    packed
        Whether slices are computed without padding, by :mod:`helpers.clients.recurrent`: from the same draws the same
        loss and gradient up to rounding, in a third of the time. A run repeats bit for bit with the value it was made
        with.
    rng
        Seed of weights, slices, batches and noise.
    folder
        Folder in which the training is kept as it goes (see :class:`helpers.training.Checkpoints`), so that the same
        call goes on after a kill, to the same embeddings; None: nowhere.

    Raises
    ------
    ValueError
        If a setting is out of range, the folder holds another run, or there are fewer than 7 validation clients for
        ``patience``.
    FloatingPointError
        If the training diverges: a loss that is not finite, or embeddings that are not or that are all the same.

    Notes
    -----
    The loss is the contrastive one of the paper with margin 0.5 and the five hardest negatives of each slice, on
    embeddings of length 1. A category that no training client has gets an embedding of its own, which is never trained.
    Five epochs of four slices of 1200 training clients took 7 s of one core, and the first import of the libraries 5 s.
    """
    import time
    import warnings

    import pandas as pd

    seed = integer_seed(rng)
    began = time.perf_counter()
    known = clients.target.index
    train = split.reindex(known).eq("train").to_numpy()
    settings = {"category_width": category_width, "other_width": other_width, "hidden": hidden, "slices": slices}
    settings |= {"shortest": shortest, "longest": longest, "batch": batch, "projector": projector}
    _check_settings(
        settings | {"epochs": epochs, "patience": patience},
        {"noise": noise, "learning_rate": learning_rate},
        features,
        clients,
        cell,
        int(train.sum()),
    )
    held_out = split.reindex(known).eq("validation").to_numpy() if patience else np.zeros(len(known), dtype=bool)
    if patience and held_out.sum() < 7:
        raise ValueError(f"patience is {patience}, but there are {held_out.sum()} validation clients; 7 are needed")
    columns, edges, sizes = _columns(clients, train, list(features))
    clock = [began, time.perf_counter()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ptls.frames.coles.split_strategy import SampleSlices
        from ptls.nn import RnnSeqEncoder, TrxEncoder
        from pytorch_lightning import seed_everything
        from pytorch_lightning.utilities.seed import isolate_rng

    clock.append(time.perf_counter())
    widths = {name: category_width if name == "category" else other_width for name in sizes}
    with isolate_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seed_everything(seed, verbose=False)
        events = TrxEncoder(
            embeddings={name: {"in": sizes[name], "out": widths[name]} for name in sizes},
            numeric_values={"amount": "identity"} if "amount" in features else None,
            embeddings_noise=noise,
            use_batch_norm=False,
            linear_projection_size=projector,
        )
        encoder, slicer = RnnSeqEncoder(events, hidden_size=hidden, type=cell), SampleSlices(slices, shortest, longest)
        module, datasets = (_packed if packed else _padded)(encoder, slicer, columns, edges, (train, held_out))
        dataset, others = datasets
        about = settings | {"features": list(features), "cell": cell, "noise": noise, "seed": seed}
        about |= {"clients": len(dataset), "events": int(np.diff(edges[train]).sum())}
        stopping = _stopping(module, others, batch, patience)
        about |= {"patience": patience} if patience else {}
        about |= {"packed": True} if packed else {}
        options = {"learning_rate": learning_rate, "epochs": epochs, "batch": batch}
        log = _fit(module, dataset, stopping, **options, folder=folder, about=about)
        clock.append(time.perf_counter())
        largest = max(float(weight.detach().abs().max()) for weight in module.parameters())
        if not largest < LARGEST:  # gates saturate, so that the embeddings may look sane
            raise FloatingPointError(f"the training diverged: a weight is {largest:.3g}; try a smaller learning_rate")
        values = (_encode_packed if packed else _encode)(module.seq_encoder, columns, edges)
    clock.append(time.perf_counter())
    if not np.isfinite(values).all() or np.ptp(values, axis=0).max() < 1e-6:
        raise FloatingPointError(
            "the training diverged: the embeddings are not finite, or those of all clients the same"
        )
    table = pd.DataFrame(values, index=known, columns=[f"e{i}" for i in range(hidden)])
    steps = zip(("prepare", "import", "train", "encode"), np.diff(clock), strict=True)
    losses = [row["loss"] / row["slices"] for row in log if "loss" in row]
    validated = [row["validation"] for row in log if "validation" in row]
    return Embedded(table, losses, {name: round(float(took), 3) for name, took in steps}, validated)


def _check_settings(counts: dict, numbers: dict, features: Sequence[str], clients, cell: str, n_train: int) -> None:
    for name, value in counts.items():
        least = int(name not in ("projector", "patience"))
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{name} is {value!r}; a whole number, at least {least}, is needed")
    for name, value in numbers.items():
        if not np.isfinite(value) or value < 0:
            raise ValueError(f"{name} is {value!r}; a finite number, at least 0, is needed")
    available = features_of(clients)
    if not features or set(features) - set(available) or len(set(features)) < len(features):
        raise ValueError(f"features are {list(features)}; name some of {', '.join(available)}, each once")
    if cell not in ("gru", "lstm"):
        raise ValueError(f"cell is {cell!r}; it can be 'gru' or 'lstm'")
    if counts["shortest"] > counts["longest"]:
        raise ValueError(f"shortest is {counts['shortest']} and longest {counts['longest']}; slices cannot be drawn")
    if n_train < 7:
        raise ValueError(f"there are {n_train} training clients; 7 are needed, so that each slice has five negatives")


def _columns(
    clients: Clients, train: np.ndarray, features: list[str]
) -> tuple[dict[str, Any], np.ndarray, dict[str, int]]:
    """All events as tensors, first event and the one behind the last of each client, and the sizes of the dictionaries.

    Training clients alone decide the dictionaries.
    """
    import pandas as pd
    import torch

    events = clients.events
    owner = pd.Index(clients.target.index).get_indexer(events["client"])
    seen = train[owner]
    columns, sizes = {}, {}
    for name in features:
        if name == "amount":
            amount = events["amount"].to_numpy()
            value = np.sign(amount) * np.log1p(np.abs(amount))
            value = (value - value[seen].mean()) / max(value[seen].std(), 1e-9)
            columns[name] = torch.from_numpy(value.astype(np.float32))
            continue
        if name in ("weekday", "monthday"):
            time = pd.DatetimeIndex(events["time"])
            codes, size = (time.dayofweek, 7) if name == "weekday" else (time.day - 1, 31)
        else:
            counts = events.loc[seen, name].astype(object).value_counts()
            known = pd.Index(sorted(counts.index, key=lambda label: (-counts[label], label)), dtype=object)
            codes = known.get_indexer(events[name].astype(object))
            size = len(known) + 1
            codes = np.where(codes < 0, len(known), codes)
        # 0 is padding.
        columns[name], sizes[name] = torch.from_numpy(np.asarray(codes, dtype=np.int64) + 1), max(size + 1, 3)
    inner = np.flatnonzero(np.diff(owner)) + 1
    return columns, np.column_stack([[0, *inner], [*inner, len(owner)]]), sizes


def _histories(columns: Mapping[str, Any], edges: np.ndarray) -> list[dict]:
    """The events of each client."""
    return [{name: column[first:last] for name, column in columns.items()} for first, last in edges.tolist()]


def _padded(encoder, slicer, columns: dict, edges: np.ndarray, parts: Sequence[np.ndarray]) -> tuple[Any, list]:
    """What trains, and slices of the clients of each part, filled up to the longest of a batch."""
    from ptls.frames.coles import ColesDataset, CoLESModule

    name = next(iter(columns))
    datasets = [ColesDataset(_histories(columns, edges[part]), slicer, col_time=name) for part in parts]
    return CoLESModule(encoder), datasets


def _packed(encoder, slicer, columns: dict, edges: np.ndarray, parts: Sequence[np.ndarray]) -> tuple[Any, list]:
    """The same without padding."""
    from ptls.frames.coles import CoLESModule
    from ptls.frames.coles.losses import ContrastiveLoss

    from helpers.clients.recurrent import NearestNegatives, PackedEncoder, PackedSlices

    # As CoLESModule has them by default.
    loss = ContrastiveLoss(margin=0.5, sampling_strategy=NearestNegatives(5))
    datasets = [PackedSlices(columns, edges[part], slicer) for part in parts]
    return CoLESModule(PackedEncoder(encoder), loss=loss), datasets


def _stopping(module, dataset, batch: int, patience: int) -> Validation | None:
    """The loss per slice of clients who do not train, on slices that are drawn now, and when it ends the training."""
    from helpers.training import Validation

    if not patience:
        return None
    drawn = [dataset[i] for i in range(len(dataset))]
    # Batches of nearly one size, so that the last is not short of negatives.
    shares = np.array_split(np.arange(len(drawn)), max(1, len(drawn) // batch))
    batches = [dataset.collate_fn([drawn[i] for i in rows]) for rows in shares]

    def loss() -> float:
        device = next(module.parameters()).device
        found = [float(module.training_step(tuple(part.to(device) for part in both), 0)) for both in batches]
        return sum(found) / sum(len(both[1]) for both in batches)

    return Validation(loss, patience=patience)


def _fit(
    module, dataset, validation, *, learning_rate: float, epochs: int, batch: int, folder: Any, about: dict
) -> list[dict[str, Any]]:
    """Rows of the log; order, slices and noise are drawn from the random states as they stand."""
    import torch
    from torch.utils.data import DataLoader

    from helpers.training import Checkpoints, Log, train

    # A last batch of fewer clients could lack the five negatives of a slice.
    last = len(dataset) % batch
    loader = DataLoader(dataset, batch, shuffle=True, collate_fn=dataset.collate_fn, drop_last=0 < last < 7)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module.to(device)

    def loss(both, step):
        return {"loss": module.training_step(tuple(part.to(device) for part in both), step), "slices": len(both[1])}

    if folder is not None:
        folder = folder if isinstance(folder, Checkpoints) else Checkpoints(folder)
        folder = replace(folder, about={**folder.about, **about})
    trained = train(
        module,
        loss,
        lambda rng, epoch: loader,
        epochs=epochs,
        optimizer=torch.optim.Adam(module.parameters(), lr=learning_rate),
        validation=validation,
        rng=None,
        folder=folder,
        log=Log(every=len(loader)),
    )
    return trained.log


def _encode(encoder, columns: Mapping[str, Any], edges: np.ndarray, batch: int = 256) -> np.ndarray:
    """Embeddings of whole histories, those of similar length together."""
    import torch
    from ptls.data_load.utils import collate_feature_dict

    encoder.eval()
    histories = _histories(columns, edges)
    order = np.argsort(np.diff(edges)[:, 0], kind="stable")
    values = np.empty((len(histories), encoder.embedding_size), dtype=np.float32)
    device = next(encoder.parameters()).device
    with torch.no_grad():
        for first in range(0, len(order), batch):
            rows = order[first : first + batch]
            padded = collate_feature_dict([histories[i] for i in rows]).to(device)
            values[rows] = encoder(padded).cpu().numpy()
    return values


def _encode_packed(encoder, columns: Mapping[str, Any], edges: np.ndarray, batch: int = 256) -> np.ndarray:
    """The same without padding."""
    import torch

    from helpers.clients.recurrent import pack

    encoder.eval()
    device = next(encoder.parameters()).device
    with torch.no_grad():
        parts = [
            encoder(pack(columns, of[:, 0], np.diff(of)[:, 0]).to(device)).cpu().numpy()
            for of in np.array_split(edges, max(1, len(edges) // batch))
        ]
    return np.concatenate(parts)
