"""What is known of a quality: its definition, which way is better, what chance gives, what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from helpers.arrays import check_count, generator

__all__ = ["Quality"]


@dataclass(frozen=True)
class Quality:
    """What is known of a quality; called, it gives a value of which larger counts as better.

    Attributes
    ----------
    function
        The function that gives the value as it is defined.
    better
        ``"larger"``, ``"smaller"``, or ``"near 1"``: what counts as better, decided before any label was seen.
    range
        Between which values it lies; n objects, p features, r the rank, m a number of sampled objects.
    invariances
        The maps that leave the value as it is, among ``"rotation"``, ``"scale"``, ``"translation"`` and ``"linear"``
        (every invertible map).
    cost
        How the time grows with n and p, with q views, k clusters and L other representations.
    reference
        The source of the definition.
    definition
        What is measured, in a phrase.
    needs
        What the function takes: ``"x"``; ``"views"``; ``"others"``, x and the other representations; or ``"labels"``,
        x and a label for each object.
    misses
        What it does not see, in a phrase.
    shared
        How it comes from what several qualities take from a representation, where that saves work.
    sampled
        Whether a table takes it from a sample of the objects.
    citation
        Key of the source in the bibliography; empty where the definition is this package's own.
    formula
        Definition in LaTeX, without dollars; the page of qualities explains the letters.
    fooled
        Name in :data:`helpers.quality.cases.QUALITY_CASES` of a made case that the quality gets wrong.
    """

    function: Callable[..., float]
    better: str
    range: str
    invariances: tuple[str, ...]
    cost: str
    reference: str
    definition: str
    needs: str = "x"
    misses: str = ""
    shared: Callable[[Any], float] | None = None
    sampled: bool = False
    citation: str = field(kw_only=True)
    formula: str = field(kw_only=True)
    fooled: str = field(kw_only=True)

    def value(self, x: Any = None, *, views: Any = None, others: Any = None, labels: Any = None) -> float:
        """The value as it is defined.

        Raises
        ------
        ValueError
            If what the quality needs is not given.
        """
        given = {"views": views, "others": others, "labels": labels}
        if given.get(self.needs, x) is None:
            raise ValueError(f"this quality needs {self.needs}=; one representation alone does not tell it")
        if self.needs == "views":
            return self.function(views)
        return self.function(x) if self.needs == "x" else self.function(x, given[self.needs])

    def __call__(self, x: Any = None, *, views: Any = None, others: Any = None, labels: Any = None) -> float:
        """The value turned so that larger counts as better; errors as :meth:`value`."""
        value = self.value(x, views=views, others=others, labels=labels)
        return {"larger": value, "smaller": -value, "near 1": -abs(value - 1)}[self.better]

    def chance(self, n: int, p: int, *, n_draws: int = 20, rng: int | np.random.Generator = 0) -> np.ndarray:
        """Values of white noise of a shape: what the quality gives where there is nothing to find.

        Parameters
        ----------
        n, p
            Numbers of objects and of features, of independent normal entries; views and other representations are
            noise of the same shape, independent of each other; labels are two, equally frequent.
        n_draws
            How many such spaces are drawn.
        rng
            Seed or generator of the noise.

        Returns
        -------
        ndarray of shape (n_draws,)
            Values in ascending order, as :meth:`value` gives them: the first and the last are limits that noise leaves
            with probability 2 / (n_draws + 1).

        Examples
        --------
        >>> from helpers.quality import QUALITIES
        >>> QUALITIES["rankme"].chance(500, 8).round(1).mean().item()
        8.0
        """
        rng = generator(rng)
        shape = (3, check_count(n, "n", least=2), check_count(p, "p"))
        draws = (rng.normal(size=shape) for _ in range(check_count(n_draws, "n_draws")))
        labels = np.arange(n) % 2
        return np.sort([self.value(x, views=views, others=views, labels=labels) for x, *views in draws])
