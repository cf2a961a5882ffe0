"""What all ensembles share: fitting, mixing in blocks, saving; and weights that trade quality for similarity."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from helpers.arrays import check_count, check_number
from helpers.ensembles.arguments import as_lambda, as_quality, as_similarity
from helpers.ensembles.projection import NORMALIZE, Normalizer, streamed_axes
from helpers.ensembles.representations import Representations

__all__ = ["Ensemble", "Penalised"]


class Ensemble(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""What all ensembles share: L representations of the same n objects become one of shape (n, width).

    Every ensemble is one linear scheme. Each representation :math:`v_i` is normalised; part g of the result is
    :math:`\sum_i C_{gi} v_i`; the parts are concatenated, and some ensembles then project on principal axes. They
    differ in how ``fit`` finds the matrix C (``mixing_``).

    Representations are a mapping from names to arrays (n, p_i), a list of arrays, one array (n, L, p), or
    :class:`Representations`, which scikit-learn can cut into folds. ``transform`` wants the names and widths of ``fit``
    in the same order, all of them or only the ones with a part in the result (``used_``).

    Quality and similarity go to ``fit``, which takes them by name where they have names; ensembles that do not need
    them ignore them. In a ``Pipeline`` or a cross-validation give the constructor a rule instead, so that they are
    computed from the rows of each training fold alone:

    quality
        ``"rankme"``, ``"stable_rank"``, ``"isotropy"`` or a function ``f(x, y) -> float`` (larger is better) of a
        representation and of the ``y`` that ``fit`` received; also the numbers themselves.
    similarity
        ``"cka"`` or another symmetric similarity of :mod:`helpers.similarity`, or a function ``f(x, y) -> float`` of
        two representations; also the matrix itself.

    Both see the representations as they come, before ``normalize``:

    normalize
        ``None`` (default: representations as they are); ``"center"`` takes off the mean of each feature,
        ``"standardize"`` also divides by its standard deviation (a constant feature becomes 0), both learnt in ``fit``;
        ``"unit"`` scales each row to length 1 (a zero row stays).
    align
        Where representations are added: ``None`` demands equal widths, ``"pad"`` fills the narrower with zero features.
    width
        Of a projection: a number, or ``None`` for the width of the widest representation, or for as many directions as
        vary if these are fewer.
    whiten
        Of a projection: 0 leaves the variance of each principal axis, 1 makes all of them 1, between is between:
        axes are scaled by variance ** (-whiten / 2).

    Attributes
    ----------
    weights_ : pandas.Series
        The weight of each representation, by name.
    names_, widths_, used_ : list
        Names and widths in ``fit``, and the names of those that ``transform`` reads.
    mixing_ : ndarray of shape (G, L)
    normalizer_, axes_
        What was learnt from the rows: plain arrays (``axes_`` is None without projection).
    features_ : dict
        Names of the features of representations whose columns have names; empty if none have. ``transform`` brings the
        columns of data frames into this order.
    fitted_on_ : dict
        The number of ``rows`` and their ``digest``, see :meth:`Representations.digest`.
    """

    normalize: str | None = None
    align: str | None = None
    features_: Mapping[str, Sequence[str]] = MappingProxyType({})
    _projects = False

    def fit(self, representations: Any, y: Any = None, *, quality: Any = None, similarity: Any = None) -> Ensemble:
        """Find the weights and learn the statistics of the rows; ``y`` is only handed to a quality function.

        Raises
        ------
        TypeError, ValueError
            If the input does not fit together or a parameter is out of range; the message names what and where.
        """
        representations = Representations(representations)
        self._check_parameters()
        weights, mixing = self._mix(representations, y, quality, similarity)
        return self._learn(representations, weights, mixing)

    def transform(self, representations: Any) -> np.ndarray:
        """The combined representation, shape (n, width); float32 if all that it is made of is, else float64.

        After ``set_output(transform="pandas")`` it has the row labels of the data frames that came in.
        """
        check_is_fitted(self, "mixing_")
        representations = Representations(representations).ordered(self.features_)
        columns = self._columns(representations)
        width = int(self._n_features_out)
        out = None
        for start, stop in representations.starts(sum(self.widths_[i] for i in columns)):
            block = self._mixed(representations, start, stop, columns)
            if self.axes_ is not None:
                block = self.axes_(block)
            out = np.empty((len(representations), width), block.dtype) if out is None else out
            out[start:stop] = block
        out = np.empty((0, width)) if out is None else out
        return out if representations.index is None else self._labelled(out, representations.index)

    def _labelled(self, out: np.ndarray, index: Any) -> Any:
        """The result with row labels, if data frames are wanted."""
        from sklearn.utils._set_output import _get_output_config

        if _get_output_config("transform", self)["dense"] != "pandas":
            return out
        import pandas as pd

        return pd.DataFrame(out, index=index, columns=self.get_feature_names_out())

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False, digest: str | None = None) -> Path:
        """Write the fitted ensemble to a folder, see :func:`helpers.ensembles.saving.save_ensemble`."""
        from helpers.ensembles.saving import save_ensemble

        return save_ensemble(self, folder, overwrite=overwrite, digest=digest)

    @property
    def weights_(self) -> Any:
        check_is_fitted(self, "mixing_")
        import pandas as pd

        return pd.Series(self._weights, index=pd.Index(self.names_, name="representation"), name="weight")

    @property
    def used_(self) -> list[str]:
        return [self.names_[i] for i in self._used()]

    def _mix(self, representations: Representations, y: Any, quality: Any, similarity: Any) -> tuple:
        """Weights (L,) and mixing matrix (G, L)."""
        raise NotImplementedError

    def _check_parameters(self) -> None:
        if self.normalize not in NORMALIZE:
            raise ValueError(f"normalize is {self.normalize!r}; it must be one of {NORMALIZE}")
        if self.align not in (None, "pad"):
            raise ValueError(f"align is {self.align!r}; it must be None or 'pad'")
        if self._projects:
            if self.width is not None:
                check_count(self.width, "width")
            needed = "a number between 0 (not at all) and 1 (fully)"
            check_number(self.whiten, "whiten", lambda whiten: 0 <= whiten <= 1, needed)

    def _quality(self, representations: Representations, y: Any, quality: Any) -> np.ndarray:
        quality = self.quality if quality is None else quality
        if quality is None:
            raise ValueError(
                f"{type(self).__name__} needs quality: one number for each of {representations.names} in fit(), or a "
                "rule in the constructor"
            )
        self.quality_ = as_quality(quality, representations, y)
        return self.quality_

    def _similarity(self, representations: Representations, similarity: Any) -> np.ndarray:
        similarity = self.similarity if similarity is None else similarity
        self.similarity_ = as_similarity(similarity, representations)
        return self.similarity_

    def _learn(self, representations: Representations, weights: np.ndarray, mixing: np.ndarray) -> Ensemble:
        self._remember(representations)
        self._weights, self.mixing_ = np.asarray(weights, np.float64), np.asarray(mixing, np.float64)
        self._part_widths = [self._part_width(part) for part in self.mixing_]
        for part in self.mixing_:
            self._check_features(np.flatnonzero(part))
        self.normalizer_ = Normalizer.learn(self.normalize, representations, self._used())
        self.axes_ = None
        size = sum(self._part_widths)
        if self._projects:
            n, columns = len(representations), self._columns(representations)
            available = min(n - 1, size)
            if self.width is not None and self.width > available:
                raise ValueError(
                    f"width is {self.width} but {n} rows of {size} combined features have at most {available} "
                    "principal axes"
                )

            def blocks():
                return (self._mixed(representations, *bounds, columns) for bounds in representations.starts(size))

            most = min(max(self.widths_[i] for i in self._used()), available)
            self.axes_ = streamed_axes(blocks, n, size, self.width, most, self.whiten)
            size = self.axes_.components.shape[1]
        self._n_features_out = size
        self.fitted_on_ = {"rows": len(representations), "digest": representations.digest(self._used())}
        return self

    def _remember(self, representations: Representations) -> None:
        """What the rows of fit are called, and their columns where data frames name them."""
        self.names_, self.widths_ = list(representations.names), list(representations.widths)
        if representations.features:
            self.features_ = dict(representations.features)

    def _check_features(self, members: Sequence[int]) -> None:
        """Refuse to add columns of data frames that carry the same names in another order."""
        named = [(self.names_[i], self.features_[self.names_[i]]) for i in members if self.names_[i] in self.features_]
        for name, columns in named[1:]:
            first, wanted = named[0]
            if columns != wanted and sorted(columns) == sorted(wanted):
                raise ValueError(
                    f"representations {first!r} and {name!r} carry the same column names in another order, and columns "
                    f"are added by position; bring one into the order of the other, as {name}[{first}.columns] does, "
                    f"or pass arrays, as {name}.to_numpy()"
                )

    def _used(self) -> list[int]:
        return [int(i) for i in np.flatnonzero(self.mixing_.any(axis=0))]

    def _part_width(self, part: np.ndarray) -> int:
        members = np.flatnonzero(part)
        widths = [self.widths_[i] for i in members]
        for i, width in zip(members, widths, strict=True):
            if width != widths[0] and self.align is None:
                raise ValueError(
                    f"representation {self.names_[i]!r} is {width} wide and {self.names_[members[0]]!r} {widths[0]}; "
                    "to add them they must be equally wide, or align='pad' fills the narrower with zeros"
                )
        return max(widths)

    def _columns(self, representations: Representations) -> dict[int, int]:
        """For each representation in use its place in ``representations``, whose names and widths are checked."""
        names, used = representations.names, self.used_
        if names != self.names_ and names != used:
            subset = "" if used == self.names_ else f", or only those in use, {used}"
            raise ValueError(f"representations are {names}; expected {self.names_} in this order, as in fit{subset}")
        columns = {i: names.index(self.names_[i]) for i in self._used()}
        for i, column in columns.items():
            if representations.widths[column] != self.widths_[i]:
                raise ValueError(
                    f"representation {self.names_[i]!r} is {representations.widths[column]} wide; "
                    f"expected {self.widths_[i]}, as in fit"
                )
        return columns

    def _mixed(self, representations: Representations, start: int, stop: int, columns: dict[int, int]) -> np.ndarray:
        """Rows ``start`` to ``stop`` of the concatenated parts."""
        dtype = np.result_type(*(representations.block(column, 0, 0) for column in columns.values()))
        out = np.zeros((stop - start, sum(self._part_widths)), dtype)
        lefts = np.cumsum([0, *self._part_widths])
        for i, column in columns.items():
            block = self.normalizer_(i, representations.block(column, start, stop))
            for g in np.flatnonzero(self.mixing_[:, i]):
                out[:, lefts[g] : lefts[g] + self.widths_[i]] += dtype.type(self.mixing_[g, i]) * block
        return out


class Penalised(Ensemble):
    """Ensembles whose weights trade quality for similarity at the rate ``lam``."""

    def lambda_path(self, lambdas: Any = None) -> Any:
        """Weights as λ grows: a ``DataFrame`` with one row for each λ, one column for each representation.

        ``lambdas`` are the λ to try; by default 0 and 81 values from 0.01 to 100 times the range of the qualities,
        equally spaced in the logarithm (from 0.01 to 100 if all qualities are equal).
        """
        check_is_fitted(self, "quality_")
        import pandas as pd

        if lambdas is None:
            lambdas = np.r_[0, np.geomspace(0.01, 100, 81) * (np.ptp(self.quality_) or 1)]
        lambdas = [as_lambda(lam) for lam in np.asarray(lambdas, dtype=np.float64)]
        rows = [self._weights_at(self.quality_, self.similarity_, lam) for lam in lambdas]
        return pd.DataFrame(
            rows, index=pd.Index(lambdas, name="lam"), columns=pd.Index(self.names_, name="representation")
        )

    def _weights_at(self, q: np.ndarray, s: np.ndarray, lam: float) -> np.ndarray:
        raise NotImplementedError

    def _qualities_and_similarities(self, representations, y, quality, similarity):
        q = self._quality(representations, y, quality)
        return q, self._similarity(representations, similarity)
