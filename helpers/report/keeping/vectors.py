"""The vectors of each option, learnt from training rows alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from helpers.arrays import unit_rows
from helpers.ensembles.aligning import OrthogonalProcrustes
from helpers.ensembles.programs import QPSelectionPCA
from helpers.quantization import QUANTIZERS
from helpers.report.defaults import LAMBDAS
from helpers.report.keeping.options import CONCATENATION, RANKS, SCORES, SINGLE, TEXT, Option
from helpers.report.moments import leading_axes, linear_cka
from helpers.report.recipes import mixing_of

__all__ = ["Vectors"]


#: Training rows that quantisers look at, about.
CALIBRATED = 2048


class Vectors:
    """Makes the vectors of options for all rows, from what some of the rows say.

    Parameters
    ----------
    blocks
        Name → array (n, p), float32; rows are brought to length 1.
    train
        Row numbers to learn axes, rotations, weights and quantisers from.
    quality
        How good each embedding is on training items, in [0, 1]; it enters the weights of the quadratic program alone.
    """

    def __init__(self, blocks: Mapping[str, np.ndarray], train: np.ndarray, quality: Mapping[str, float]):
        self.names = list(blocks)
        self.blocks = {name: unit_rows(np.asarray(x, dtype=np.float32)) for name, x in blocks.items()}
        self.train, self.quality = train, quality
        self.calibration = train[:: max(1, len(train) // CALIBRATED)]
        edges = np.cumsum([0, *(x.shape[1] for x in self.blocks.values())])
        self.parts = {name: slice(a, b) for name, a, b in zip(self.names, edges, edges[1:], strict=False)}
        joined = np.concatenate([x[train] for x in self.blocks.values()], axis=1)
        self.mean = joined.mean(axis=0, dtype=np.float64)
        joined -= self.mean.astype(np.float32)
        self.scatter = (joined.T @ joined).astype(np.float64)
        self.similarity = linear_cka(self.scatter, edges)
        self.known: dict = {}

    def made(self, options: Sequence[Option]) -> Iterator[tuple[Option, np.ndarray]]:
        """Each option of one vector for each object, with the vectors (n, width) of all rows, quantised."""
        before, full = None, None
        for option in options:
            if option.fusion in (RANKS, SCORES) or TEXT in option.embeddings:
                continue
            key = option.embeddings, option.fusion
            if key != before:
                before = key
                widest = max(one.width for one in options if (one.embeddings, one.fusion) == key)
                full = self._full(option, widest)
                plain = self._plain(option) if option.fusion == SINGLE else None
            x = plain if plain is not None and option.width == plain.shape[1] else full[:, : option.width]
            quantizer = QUANTIZERS[option.storage]().fit(x[self.calibration])
            yield option, quantizer(x)

    def _plain(self, option: Option) -> np.ndarray:
        return np.concatenate([self.blocks[name] for name in option.embeddings], axis=1)

    def _full(self, option: Option, width: int) -> np.ndarray:
        """Vectors of which the first columns are those of any smaller width."""
        names = list(option.embeddings)
        if option.fusion == CONCATENATION:
            return self._plain(option)
        if option.fusion == "Procrustes mean":
            return self._procrustes(names, width)
        scale = np.ones(len(names))
        every = self._plain(option)
        if option.fusion == "QP + PCA":
            at = [self.names.index(name) for name in names]
            widths = [self.blocks[name].shape[1] for name in names]
            quality = np.array([self.quality[name] for name in names])
            estimator = QPSelectionPCA(LAMBDAS[0], width)
            weights, _ = mixing_of(estimator, names, widths, quality, self.similarity[np.ix_(at, at)])
            scale = np.sqrt(np.asarray(weights, dtype=np.float64))
            # What has no weight has no axes either.
            chosen = [i for i, weight in enumerate(scale) if weight > 1e-6]
            names, scale = [names[i] for i in chosen], scale[chosen]
            every = np.concatenate([self.blocks[name] for name in names], axis=1)
        columns = np.concatenate([np.arange(self.parts[name].start, self.parts[name].stop) for name in names])
        widths = [self.blocks[name].shape[1] for name in names]
        each = np.repeat(scale, widths)
        combined = self.scatter[np.ix_(columns, columns)] * each * each[:, None]
        axes = leading_axes(combined, min(width, sum(widths)), np.cumsum([0, *widths]), self.known)[1]
        linear = (axes * each[:, None]).astype(np.float32)
        return _padded((every - self.mean[columns].astype(np.float32)) @ linear, width)

    def _procrustes(self, names: list[str], width: int) -> np.ndarray:
        blocks = {name: self.blocks[name] for name in names}
        # To the most central of them: one decomposition each, where turns about a common mean need hundreds.
        fitted = OrthogonalProcrustes(width=width).fit({name: x[self.train] for name, x in blocks.items()})
        mean = fitted.transform(blocks).astype(np.float32)
        mean -= mean[self.train].mean(axis=0)
        kept = mean[self.train].astype(np.float64)
        axes = np.linalg.eigh(kept.T @ kept)[1][:, ::-1]
        return mean @ axes.astype(np.float32)


def _padded(x: np.ndarray, width: int) -> np.ndarray:
    """Columns of zeros where rows vary in fewer directions than asked for."""
    return x if x.shape[1] == width else np.pad(x, ((0, 0), (0, width - x.shape[1])))
