"""Three collapses of encoders of vectors, made to happen: one point, few directions, one point for each class."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from helpers.arrays import generator, unit_rows
from helpers.encoders.views import ViewEncoder, noisy_views
from helpers.postprocessing import whitening
from helpers.quality import mean_cosine

__all__ = [
    "Tried",
    "cluster_collapse",
    "complete_collapse",
    "dimensional_collapse",
    "effective_directions",
    "latent_objects",
    "readable",
    "strong_views",
    "view_encoder",
    "whitened",
]

N_LATENT, N_FEATURES, WIDTH = 16, 32, 16
N_CLASSES = 5
RIDGE = 1e-3  # of the mean squared length: a direction with less of it is not read


class Tried(NamedTuple):
    """What a training came to.

    Attributes
    ----------
    x : ndarray of shape (n, p)
        Embeddings of objects that were not trained on, or of words or items.
    kept : float
        What the collapse takes away, as a share between 0 and 1.
    task : float
        Score of the task whose truth is known.
    seconds : float
        Seconds of processor that training took, and whitening if there was one.
    parameters : int
        Numbers that were learned.
    codes : ndarray of shape (n, q), or None
        Codes of the objects.
    n_codes : int, or None
        Codes of a book.
    spectrum : ndarray
        What the collapse takes away, sorted: singular values of the centred unit rows, those of a table, or the shares
        of the codes, over the largest.
    """

    x: np.ndarray
    kept: float
    task: float
    seconds: float
    parameters: int
    codes: np.ndarray | None = None
    n_codes: int | None = None
    spectrum: np.ndarray | None = None


class Objects(NamedTuple):
    """Objects of known latents: those that are trained on, then those that judge.

    Attributes
    ----------
    x, latents, classes : ndarray
        Features (n, 32), latents (n, 16) and classes (n,) of the training objects.
    x_test, latents_test, classes_test : ndarray
        Features, latents and classes of as many others.
    axes : ndarray of shape (16, 32)
        Directions of the latents.
    """

    x: np.ndarray
    latents: np.ndarray
    classes: np.ndarray
    x_test: np.ndarray
    latents_test: np.ndarray
    classes_test: np.ndarray
    axes: np.ndarray


def latent_objects(n: int = 1000, *, classes: float = 0.0, rng: int | np.random.Generator = 0) -> Objects:
    """Objects whose features are a rotation of 16 normal latents, with a little noise in all 32 features.

    Parameters
    ----------
    n
        Objects that are trained on; as many judge.
    classes
        Distance of the centres of five classes from zero, in the first four latents; 0: no classes.
    rng
        Seed or generator of all draws.

    Returns
    -------
    Objects
        Latents without the centres of their classes, of variance 1.
    """
    rng = generator(rng)
    axes = np.linalg.qr(rng.normal(size=(N_FEATURES, N_FEATURES)))[0][:N_LATENT]
    latents, of = rng.normal(size=(2 * n, N_LATENT)), rng.integers(N_CLASSES, size=2 * n)
    corners = np.linalg.svd(np.eye(N_CLASSES) - 1 / N_CLASSES)[0][:, : N_CLASSES - 1]
    centres = np.zeros((N_CLASSES, N_LATENT))
    centres[:, : N_CLASSES - 1] = classes * unit_rows(corners)
    x = (latents + centres[of]) @ axes + 0.1 * rng.normal(size=(2 * n, N_FEATURES))
    return Objects(x[:n], latents[:n], of[:n], x[n:], latents[n:], of[n:], axes)


def readable(x: np.ndarray, truth: np.ndarray) -> float:
    """Share of the variance of latents that a linear probe reads from embeddings, on objects that it was not fitted to.

    Parameters
    ----------
    x : ndarray of shape (n, p)
        Embeddings, scaled to a mean squared length of 1; the penalty of the probe is a thousandth of it, so that
        differences far below the length of the rows do not count. The first half of the objects is learnt from.
    truth : ndarray of shape (n, q)
        Latents of the objects.

    Returns
    -------
    float
        At most 1; about 0 if nothing can be read.
    """
    half, x = len(x) // 2, np.asarray(x, dtype=float)
    x = x / np.sqrt(np.mean(np.sum(x**2, axis=1)))
    middle, mean = x[:half].mean(axis=0), truth[:half].mean(axis=0)
    off = x - middle
    products = off[:half].T @ off[:half] + RIDGE * half * np.eye(x.shape[1])
    weights = np.linalg.solve(products, off[:half].T @ (truth[:half] - mean))
    left = truth[half:] - mean - off[half:] @ weights
    return float(1 - np.sum(left**2) / np.sum((truth[half:] - mean) ** 2))


def effective_directions(x: np.ndarray) -> tuple[float, np.ndarray]:
    """Exponential of the entropy of the variances along principal axes, of unit rows; and the singular values."""
    rows = unit_rows(np.asarray(x, dtype=float))
    values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    share = values**2 / max(float(np.sum(values**2)), 1e-300)
    share = share[share > 0]
    return float(np.exp(-np.sum(share * np.log(share)))), values / max(float(values[0]), 1e-300)


def strong_views(axes: np.ndarray, scale: float, *, noise: float = 0.1) -> Callable:
    """Views whose noise is along given directions, as an augmentation that destroys what lies there.

    Parameters
    ----------
    axes : ndarray of shape (q, p)
        Orthonormal directions along which views are noisy.
    scale
        Standard deviation of the noise along each of them; objects have 1.
    noise
        Standard deviation of the noise of every feature besides.
    """
    import torch

    along = torch.from_numpy(np.ascontiguousarray(axes, dtype=np.float32))

    def views(rows: Any, rng: np.random.Generator) -> tuple:
        strong = torch.from_numpy(rng.standard_normal((2, len(rows), len(along)), dtype=np.float32)) * scale
        weak = torch.from_numpy(rng.standard_normal((2, *rows.shape), dtype=np.float32)) * noise
        return rows + strong[0] @ along + weak[0], rows + strong[1] @ along + weak[1]

    return views


def view_encoder(given: Objects, *, steps: int, rng: int, **options: Any) -> tuple[ViewEncoder, float]:
    """An encoder trained on objects, and the seconds of processor that this took."""
    began = time.process_time()
    encoder = ViewEncoder(width=WIDTH, steps=steps, random_state=rng, **options).fit(given.x)
    return encoder, time.process_time() - began


def whitened(train: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, float]:
    """Embeddings whitened as those of the training objects say, and the seconds of processor that this took."""
    began = time.process_time()
    return whitening(train)(x), time.process_time() - began


def complete_collapse(*, whiten: bool = False, steps: int = 300, rng: int = 0, **options: Any) -> Tried:
    """Views of an object are drawn together, and nothing drives objects apart.

    Parameters
    ----------
    whiten
        Whether embeddings are whitened afterwards, as the training objects say.
    steps
        Steps of training.
    rng
        Seed of objects and training.
    options
        Keyword arguments of :class:`~helpers.encoders.views.ViewEncoder`.

    Returns
    -------
    Tried
        ``kept``: 1 less the mean cosine; ``task``: :func:`readable` of the latents.
    """
    given = latent_objects(rng=rng)
    options = {"loss": "alignment", "views": noisy_views(0.3)} | options
    encoder, seconds = view_encoder(given, steps=steps, rng=rng, **options)
    x = encoder.transform(given.x_test)
    if whiten:
        x, more = whitened(encoder.transform(given.x), x)
        seconds += more
    kept = min(1.0, 1 - mean_cosine(x))
    return Tried(x, kept, readable(x, given.latents_test), seconds, encoder.n_parameters_, spectrum=_lengths(x))


def _lengths(x: np.ndarray) -> np.ndarray:
    """Singular values of unit rows, not centred, over the first: of one point nothing but the first is left."""
    values = np.linalg.svd(unit_rows(np.asarray(x, dtype=float)), compute_uv=False)
    return values / values[0]


def dimensional_collapse(
    *, strength: float = 3.0, n_strong: int = 12, whiten: bool = False, steps: int = 300, rng: int = 0, **options: Any
) -> Tried:
    """Views are so noisy along most directions of the objects that agreeing on the others is all that pays.

    Jing et al. (2022) :cite:`jing2022understanding`.

    Parameters
    ----------
    strength, n_strong
        Standard deviation of the noise of views, in that of the objects, along so many of 16 directions.
    whiten, steps, rng, options
        As of :func:`complete_collapse`; the loss is InfoNCE by default.

    Returns
    -------
    Tried
        ``kept``: effective directions over the width; ``task``: :func:`readable` of all latents.
    """
    given = latent_objects(rng=rng)
    views = strong_views(given.axes[:n_strong], strength)
    encoder, seconds = view_encoder(given, steps=steps, rng=rng, **{"loss": "info_nce", "views": views} | options)
    x = encoder.transform(given.x_test)
    if whiten:
        x, more = whitened(encoder.transform(given.x), x)
        seconds += more
    directions, spectrum = effective_directions(x)
    task = readable(x, given.latents_test)
    return Tried(x, directions / WIDTH, task, seconds, encoder.n_parameters_, spectrum=spectrum)


def cluster_collapse(
    *,
    labelled: bool = True,
    term: str | None = None,
    weight: float = 1.0,
    entropy: float = 0.0,
    hidden: tuple[int, ...] = (64,),
    n_experts: int = 1,
    pretraining_steps: int = 0,
    whiten: bool = False,
    steps: int = 600,
    rng: int = 0,
) -> Tried:
    """A classifier is trained until all objects of a class are one point before its last layer.

    Papyan et al. (2020) :cite:`papyan2020prevalence`.

    Parameters
    ----------
    labelled
        Whether the classes are learned; otherwise the added loss is all there is.
    term
        A loss of two views that is added, by its name in :data:`~helpers.encoders.views.VIEW_LOSSES`.
    weight
        Weight of the added loss.
    entropy
        Weight of the entropy of the embeddings of a batch, which is maximised besides.
    hidden, n_experts
        Shape of the encoder.
    pretraining_steps
        Steps of InfoNCE of two views before the classifier; the steps with the classifier are then a quarter, and the
        rate of the encoder a tenth.
    whiten, steps, rng
        As of :func:`complete_collapse`.

    Returns
    -------
    Tried
        ``kept``: share of the variance of unit rows within classes; ``task``: :func:`readable` of the latents, from
        which the centres of classes were left out.
    """
    given = latent_objects(2000, classes=4.5, rng=rng)
    began = time.process_time()
    network, parameters = _classifier(
        given, labelled, term, weight, entropy, hidden, n_experts, pretraining_steps, steps=steps, rng=rng
    )
    seconds = time.process_time() - began
    x = network(given.x_test)
    if whiten:
        x, more = whitened(network(given.x), x)
        seconds += more
    rows = unit_rows(np.asarray(x, dtype=float))
    within = rows.copy()
    for one in range(N_CLASSES):
        within[given.classes_test == one] -= rows[given.classes_test == one].mean(axis=0)
    kept = float(np.sum(within**2) / np.sum((rows - rows.mean(axis=0)) ** 2))
    spectrum = effective_directions(x)[1]
    return Tried(x, kept, readable(x, given.latents_test), seconds, parameters, spectrum=spectrum)


def _classifier(
    given: Objects,
    labelled: bool,
    term: str | None,
    weight: float,
    entropy: float,
    hidden: tuple[int, ...],
    n_experts: int,
    pretraining_steps: int,
    *,
    steps: int,
    rng: int,
) -> tuple[Callable, int]:
    """The part of a classifier before its last layer, as a function of arrays, and its number of parameters."""
    import torch
    from torch.nn import functional as F

    from helpers.encoders.perceptrons import Experts, layered
    from helpers.encoders.view_losses import ViewObjective, nearest_neighbour_entropy
    from helpers.training import Update, shuffled, train

    x, y = torch.from_numpy(given.x.astype(np.float32)), torch.from_numpy(given.classes)
    views, sizes = noisy_views(0.3), [N_FEATURES, *hidden, WIDTH]
    with torch.random.fork_rng([]):
        torch.manual_seed(rng)
        network = Experts(sizes, n_experts) if n_experts > 1 else layered(sizes)
        last = torch.nn.Linear(WIDTH, N_CLASSES)
        added = None if term is None else ViewObjective(network, WIDTH, term)
        first = ViewObjective(network, WIDTH, "info_nce") if pretraining_steps else None
        parts = [part for part in (network, last, added) if part is not None]
        batches = shuffled(len(x), 256, lambda rows, draw: (rows, draw), drop_last=True)
        if first is not None:
            train(
                first,
                lambda batch, step: first(*views(x[batch[0]], batch[1])),
                batches,
                steps=pretraining_steps,
                optimizer=torch.optim.Adam(first.parameters(), lr=3e-3),
                rng=rng,
            )
            steps = max(1, steps // 4)

        def loss(batch: tuple, step: int) -> Any:
            rows, draw = batch
            z = network(x[rows])
            found = F.cross_entropy(last(z), y[rows]) if labelled else 0 * z.sum()
            if added is not None:
                found = found + weight * added(*views(x[rows], draw))
            return found - entropy * nearest_neighbour_entropy(z) if entropy else found

        slow = 0.1 if pretraining_steps else 1.0
        own = {id(weight) for weight in network.parameters()}
        model = torch.nn.ModuleList(parts)
        others = [weight for weight in model.parameters() if id(weight) not in own]
        groups: list[Mapping[str, Any]] = [
            {"params": list(network.parameters()), "lr": 3e-3 * slow},
            {"params": others, "lr": 3e-3},
        ]
        optimizer = torch.optim.AdamW(groups, weight_decay=0.05)
        train(model, loss, batches, steps=steps, optimizer=optimizer, update=Update(schedule="cosine"), rng=rng)
    network.eval()

    def embed(rows: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(rows.astype(np.float32))).numpy()

    return embed, sum(part.numel() for part in model.parameters())
