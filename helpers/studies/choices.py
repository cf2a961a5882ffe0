"""What pages refuse in their first seconds: values of parameters with which they could not be written.

A bound is where a sentence of the page, or a check by hand, would lose its object; each says why in its error. What is
refused here would otherwise fail after minutes, in a cell that names another thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from helpers.arrays import check_count, check_not_negative, check_number

__all__ = [
    "check_bound_choices",
    "check_chance_choices",
    "check_client_choices",
    "check_drawing_choices",
    "check_failure_choices",
    "check_group_choices",
    "check_layer_choices",
    "check_measure_choices",
    "check_report_choices",
    "check_scale_choices",
    "check_size_choices",
]


def check_measure_choices(
    *, n_sentences: int, n_few: int, width: int, k: int, rtd_batch: int, rtd_trials: int, n_seeds: int
) -> None:
    """Refuse what the page on measures could not do.

    Parameters
    ----------
    n_sentences, n_few
        Number of sentences, and of those of them on which formulas are checked, at least 60.
    width
        Number of features, from 3 to half of ``n_few``.
    k
        Number of neighbours, from 1 to ``n_few`` - 1.
    rtd_batch, rtd_trials, n_seeds
        Objects of a subset, at least 3; subsets and shuffles, at least 1.

    Raises
    ------
    TypeError, ValueError
        If one of them is out of range.
    """
    check_count(n_sentences, "n_sentences", least=60, why="(20 triangles of sentences are compared)")
    check_count(n_few, "n_few", least=60, most=n_sentences, why="(of n_sentences, and 20 triangles are compared)")
    why = "(of two features all correlations are ±1; more than half of n_few fit almost anything)"
    check_count(width, "width", least=3, most=n_few // 2, why=why)
    _check_neighbours(k, n_few, "n_few")
    check_count(rtd_batch, "rtd_batch", least=3)
    check_count(rtd_trials, "rtd_trials")
    check_count(n_seeds, "n_seeds")


def check_chance_choices(
    *, n_sentences: int, n_few: int, width: int, k: int, n_seeds: int, n_resamples: int, n_shuffles: int
) -> None:
    """Refuse what the page on chance levels could not do.

    Parameters
    ----------
    n_sentences, n_few
        Number of sentences, and of those of them that are measured, at least 80.
    width, k
        Number of features, from 3 to half of ``n_few``, and of neighbours, from 1 and less than a quarter of ``n_few``,
        the fewest objects that are measured.
    n_seeds
        Repetitions of a simulation, at least 4.
    n_resamples, n_shuffles
        Permutations and subsamples, at least 19; permutations of many pairs, at least 19.

    Raises
    ------
    TypeError, ValueError
        If one of them is out of range.
    """
    check_count(n_sentences, "n_sentences", least=80)
    check_count(n_few, "n_few", least=80, most=n_sentences, why="(of n_sentences)")
    check_count(width, "width", least=3, most=n_few // 2, why="(half of n_few)")
    check_count(k, "k", most=n_few // 4 - 2, why="(a quarter of n_few is the fewest objects that are measured)")
    check_count(n_seeds, "n_seeds", least=4)
    why = "(with fewer permutations no p-value is below 0.05)"
    check_count(n_resamples, "n_resamples", least=19, why=why)
    check_count(n_shuffles, "n_shuffles", least=19, why=why)


def check_client_choices(**values: Any) -> None:
    """Refuse what a page on clients could not do once its models are trained.

    Parameters
    ----------
    **values
        Parameters of the page by name. Known are ``classifier`` and ``selection_classifier`` (some of
        :data:`helpers.clients.CLASSIFIERS`; the second may be empty), ``metric`` (of
        :data:`helpers.clients.SCORE_METRICS`, or empty), ``penalties`` (some of
        :data:`helpers.ensembles.decorrelation.PENALTIES`), ``measures`` (names of the registry, or none for all),
        ``views`` (``"dropout"`` or ``"halves"``), shares above 0 (``ps``, ``steps``) or from 0 (``alphas``,
        ``strength``) to 1, numbers of at least 0 (``lam``, ``lambdas``, ``ridges``, ``mus``), and counts, each with its
        least value.

    Raises
    ------
    KeyError
        If a parameter is unknown.
    TypeError, ValueError
        If a value is out of range; the message names the parameter and what is accepted.
    """
    from helpers.clients import CLASSIFIERS, SCORE_METRICS
    from helpers.ensembles.decorrelation import PENALTIES
    from helpers.similarity import MEASURES

    names = {
        "classifier": CLASSIFIERS,
        "selection_classifier": ("", *CLASSIFIERS),
        "metric": ("", *SCORE_METRICS),
        "penalties": tuple(PENALTIES),
        "measures": tuple(MEASURES),
        "views": ("dropout", "halves"),
    }
    for name, value in values.items():
        several = isinstance(value, (list, tuple))
        if several and not value and name != "measures":
            raise ValueError(f"{name} is empty; at least one value is needed")
        for one in value if several else [value]:
            what = f"a value of {name}" if several else name
            if name in names:
                if one not in names[name]:
                    raise ValueError(f"{what} is {one!r}; it is one of {', '.join(map(repr, names[name]))}")
            elif name in _SHARES:
                check_number(one, what, lambda share: 0 < share <= 1, "a number above 0, up to 1,")
            elif name in _SHARES_FROM_ZERO:
                check_number(one, what, lambda share: 0 <= share <= 1, "a number from 0 to 1")
            elif name in _PRICES:
                check_not_negative(one, what)
            else:
                check_count(one, what, least=_LEAST[name])


_SHARES = ("ps", "steps")
_SHARES_FROM_ZERO = ("alphas", "strength")
_PRICES = ("lam", "lambdas", "ridges", "mus")
#: The least of what is counted: draws that give a p-value below 0.05, models that a pair has, objects of a measure, …
_LEAST = {
    "automl_runs": 0,
    "epochs": 1,
    "graph_width": 2,
    "models": 2,
    "n_ideal": 10,
    "n_jobs": 1,
    "n_measured": 20,
    "n_permutations": 19,
    "n_resamples": 19,
    "n_similar": 20,
    "n_slow": 20,
    "n_studies": 2,
    "n_toy": 2,
    "text_width": 2,
}


def check_failure_choices(
    *,
    n_points: int,
    n_features: int,
    n_seeds: int,
    k: int,
    rtd_batch: int,
    rtd_trials: int,
    n_sentences: int,
    width: int,
) -> None:
    """Refuse what the page on failures could not do.

    Parameters
    ----------
    n_points
        Objects of a pair, at least 120: a tenth of them is moved, and duplicates have thirty copies.
    n_features
        Features of a pair, from 4 to a quarter of ``n_points``.
    n_seeds, rtd_trials
        Repetitions and subsets, at least 1.
    k
        Number of neighbours, from 1 to a twelfth of ``n_points``: those of a cluster.
    rtd_batch
        Objects of a subset, at least 36.
    n_sentences, width
        Real sentences, at least 100, and their features, from 17 to a quarter of them: sixteen are removed.

    Raises
    ------
    TypeError, ValueError
        If one of them is out of range.
    """
    check_count(n_points, "n_points", least=120, why="(a tenth is moved, and duplicates have 30 copies)")
    check_count(n_features, "n_features", least=4, most=n_points // 4, why="(a quarter of n_points)")
    check_count(k, "k", most=n_points // 12 - 1, why="(neighbours lie in one of 12 clusters of n_points)")
    check_count(rtd_batch, "rtd_batch", least=36, why="(points of a circle)")
    check_count(rtd_trials, "rtd_trials")
    check_count(n_seeds, "n_seeds")
    check_count(n_sentences, "n_sentences", least=100)
    check_count(width, "width", least=17, most=n_sentences // 4, why="(16 leading components are removed)")


def check_scale_choices(
    *,
    n_sentences: int,
    width: int,
    k: int,
    subset_sizes: Sequence[int],
    n_subsets: int,
    grids: Mapping[str, Sequence[int]],
    rtd_batch: int,
    rtd_trials: int,
    max_memory: int | str,
) -> None:
    """Refuse what the page on large n could not do.

    Parameters
    ----------
    n_sentences, width
        Number of sentences, at least 400, and of features, at least 2.
    k
        Number of neighbours, from 1, and fewer than a subset has objects.
    subset_sizes, n_subsets
        Sizes of subsets, of which one at least is below ``n_sentences``; subsets of each size,
        at least 2.
    grids
        Name of a parameter → its sizes on the cost curve, at least two different ones.
    rtd_batch, rtd_trials
        Objects of a subset, at least 3, and subsets, at least 1.
    max_memory
        Bytes, or a text such as ``"1GB"``, at least 100 MB.

    Raises
    ------
    TypeError, ValueError
        If one of them is out of range.
    """
    from dask.utils import parse_bytes

    try:
        enough = parse_bytes(max_memory) >= 100e6
    except ValueError:
        enough = False
    if not enough:
        raise ValueError(f"max_memory is {max_memory!r}; a text such as '2GB' is needed, of at least 100MB")
    check_count(n_sentences, "n_sentences", least=400)
    check_count(width, "width", least=3, why="(of two features all correlations are ±1)")
    _check_neighbours(k, min(subset_sizes, default=n_sentences), "the smallest of subset_sizes")
    if not any(size < n_sentences for size in subset_sizes):
        raise ValueError(f"subset_sizes is {list(subset_sizes)}; a size below n_sentences = {n_sentences} is needed")
    check_count(n_subsets, "n_subsets", least=2, why="(their spread is shown)")
    for name, sizes in grids.items():
        for size in sizes:
            check_count(size, f"a size in {name}", least=2)
        if len(set(sizes)) < 2:
            raise ValueError(f"{name} is {list(sizes)}; two different sizes are needed for a growth of cost")
    check_count(rtd_batch, "rtd_batch", least=3)
    check_count(rtd_trials, "rtd_trials")


def check_layer_choices(
    encoders: Sequence[str],
    *,
    n_sentences: int,
    k: int,
    rtd_batch: int,
    rtd_trials: int,
    n_halves: int,
    n_permutations: int,
) -> None:
    """Refuse within seconds what the page on layers could not do: every encoder reads one short text.

    Parameters
    ----------
    encoders
        Folders or names on the hub, at least one.
    n_sentences, k
        Number of sentences, at least 20, and of neighbours, at least 1.
    rtd_batch, rtd_trials, n_halves, n_permutations
        Sentences of a subset, at least 3; subsets and halves, at least 2; permutations of layers, at least 1.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If there is no encoder, one of them is not there or cannot be read, or a number is out of range.
    """
    from helpers.encoders.extraction import extract

    if not encoders:
        raise ValueError("encoders is empty; at least one folder or name on the hub is needed")
    check_count(n_sentences, "n_sentences", least=20, why="(halves of ten)")
    check_count(k, "k")
    check_count(rtd_batch, "rtd_batch", least=3)
    why = "(intervals come from their spread)"
    check_count(rtd_trials, "rtd_trials", least=2, why=why)
    check_count(n_halves, "n_halves", least=2, why=why)
    check_count(n_permutations, "n_permutations")
    for encoder in encoders:
        extract(encoder, ["One short text."], progress=False)


def check_report_choices(*, n_sentences: int, n_objects: int, folds: int) -> None:
    """Refuse what the page on embeddings of one's own could not do.

    Parameters
    ----------
    n_sentences, n_objects
        Objects of the input, at least 300, and of them those that are compared, at least 100; more than there are is
        all.
    folds
        Folds of the cross-validation, from 3 to 10.

    Raises
    ------
    TypeError, ValueError
        If one of them is out of range.
    """
    check_count(n_sentences, "n_sentences", least=300, why="(of five libraries, with 64 features)")
    check_count(n_objects, "n_objects", least=100)
    check_count(folds, "folds", least=3, most=10)


def check_group_choices(*, methods: Sequence[str], steps: int, n_resamples: int) -> None:
    """Refuse what the page on groups could not do.

    Parameters
    ----------
    methods
        Names of ways to train, at least one.
    steps, n_resamples
        Steps of each training, at least 1, and draws of tests and intervals, at least 99.

    Raises
    ------
    TypeError, ValueError
        If one of them is out of range or there is no such method.
    """
    from helpers.studies.groups import METHODS

    if not methods or (unknown := [name for name in methods if name not in METHODS]):
        told = "is empty" if not methods else f"has {unknown[0]!r}"
        raise ValueError(f"methods {told}; it takes some of {', '.join(map(repr, METHODS))}")
    check_count(steps, "steps")
    check_count(n_resamples, "n_resamples", least=99, why="(p-values below 0.05 after correction)")


def check_drawing_choices(drawn: Mapping[str, int], least: Mapping[str, int]) -> None:
    """Refuse drawings from which a page could make no groups.

    Parameters
    ----------
    drawn
        How many ``alphabets``, ``characters`` and ``drawers`` are drawn; those that are not named have defaults.
    least
        The least numbers that the page needs, for each of the three.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range, or a name unknown.
    """
    for name, value in drawn.items():
        if name not in least:
            raise ValueError(f"drawn has {name!r}; it takes {', '.join(least)}")
        check_count(value, name, least=least[name], why="(groups are compared within alphabets and between them)")


def check_bound_choices(*, steps: int, every: int, n_cases: int) -> None:
    """Refuse what the page on bounds could not do.

    Parameters
    ----------
    steps, every
        Steps of training, and between two looks at the bounds, from 1 to all.
    n_cases
        Random cases, at least 10.

    Raises
    ------
    TypeError, ValueError
        If one of them is out of range.
    """
    check_count(steps, "steps")
    check_count(every, "every", most=steps, why="(of steps)")
    check_count(n_cases, "n_cases", least=10)


def check_size_choices(
    *, p: int, sizes: Sequence[int], n_groups: int, precision: float, pilot: int, n_digits: int
) -> None:
    """Refuse what the page on sizes of groups could not do.

    Parameters
    ----------
    p
        Number of features, at least 3: with fewer nothing is gained by shrinking.
    sizes
        Items in a group, at least one size, none below 1.
    n_groups, n_digits
        Groups, at least 30, and draws of digits, at least 1.
    precision
        Wanted distance, above 0 and below half of that of a single item, which is √p.
    pilot
        Items from which the needed number is told, at least 5.

    Raises
    ------
    TypeError, ValueError
        If one of them is out of range.
    """
    check_count(p, "p", least=3, why="(with fewer features nothing is gained by shrinking)")
    for size in sizes:
        check_count(size, "a size in sizes")
    if not sizes:
        raise ValueError("sizes is empty; at least one number of items is needed")
    check_count(n_groups, "n_groups", least=30, why="(shares of groups are compared with their levels)")
    needed = f"a number above 0 and below √p / 2 = {p**0.5 / 2:.3g}, half of the distance of a single item,"
    check_number(precision, "precision", lambda value: 0 < value < p**0.5 / 2, needed)
    check_count(pilot, "pilot", least=5, why="(a spread of items is estimated)")
    check_count(n_digits, "n_digits")


def _check_neighbours(k: int, n: int, of: str) -> None:
    check_count(k, "k", most=n - 1, why=f"(below {of})")
