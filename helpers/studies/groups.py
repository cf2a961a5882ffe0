"""Groups of drawings: every way to train their vectors on the same alphabets, and what the source says of some."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count
from helpers.groups import LEARNED, GroupEncoder, group_codes
from helpers.groups.alphabets import GROUPINGS, Drawings, groups_of, rotated, split_alphabets, split_drawers
from helpers.groups.evaluation import few_shot, item_accuracy, retrieval, subsample_error, within_between
from helpers.inference import Claim

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from helpers.inference import Finding

__all__ = [
    "CLAIMS",
    "FEW",
    "LEAST_DRAWN",
    "METHODS",
    "PROTOCOLS",
    "PUBLISHED",
    "compare_groupings",
    "compare_switches",
    "few_shot_table",
    "findings",
    "gains",
    "method_encoder",
    "methods_for",
    "one_split",
    "readouts_table",
    "show_alphabets",
    "show_methods",
    "summary",
    "turned_views",
]

PROTOCOLS = ("drawers", "alphabets")
"""What is held out: drawers who never drew for training, or alphabets of which no character was trained on."""

LEAST_DRAWN = {"alphabets": 2, "characters": 2, "drawers": 5}
"""The fewest alphabets, characters of each and drawers from which the page makes groups."""

_SMOG = {"loss": "momentum_groups"}
METHODS: dict[str, dict[str, Any]] = {
    "untrained": {"loss": "none"},
    "item-item, InfoNCE": {"loss": "info_nce"},
    "item-item, triplets": {"loss": "triplet"},
    "group-group": {"loss": "group_group"},
    "group-item": {"loss": "group_item"},
    "group-group, medoids": {"loss": "group_group", "training_readout": "medoid"},
    "group-item, medoids": {"loss": "group_item", "training_readout": "medoid"},
    "group-group, Deep Sets": {"loss": "group_group", "readout": "deep_sets"},
    "group-group, attention": {"loss": "group_group", "readout": "attention"},
    "group-group, Set Transformer": {"loss": "group_group", "readout": "set_transformer", "learning_rate": 0.001},
    "group-item, attention": {"loss": "group_item", "readout": "attention"},
    "GroupFace": {"loss": "group_face"},
    "Group Loss": {"loss": "group_loss"},
    "momentum grouping": _SMOG,
    "… random start": {**_SMOG, "options": {"start": "random"}},
    "… no momentum": {**_SMOG, "options": {"momentum": 0.0}},
    "… no gradients through groups": {**_SMOG, "options": {"gradients": False}},
    "… never regrouped": {**_SMOG, "options": {"regroup_every": 0}},
    "… no teacher": {**_SMOG, "options": {"teacher": 0.0}},
    "… not normalised": {**_SMOG, "options": {"normalize": False}},
    "group-item, characters": {"loss": "group_item", "batch_classes": 20, "batch_items": 4},
}
"""Parameters of :class:`helpers.groups.GroupEncoder` by the name of a method. The classes of the last one are
characters in place of alphabets, what few-shot learners are trained on; it has three times as many steps."""

FEW = ("untrained", "item-item, InfoNCE", "group-group", "group-item")
"""Methods that are also tried on groups by drawers and by characters."""

PUBLISHED = {"prototypical networks": (0.988, 0.960), "matching networks": (0.981, 0.938)}
"""Published accuracies on the whole of Omniglot: 5 ways and 20 ways, of one shot each; Snell et al. (2017), table 1."""

_MADE = {"source": "karimov2023groups", "models": "convolutional encoders of Omniglot"}
CLAIMS = {
    "items": Claim(
        "Unseen drawers: items are told better by group-item than by group-group", "points of item accuracy", **_MADE
    ),
    "groups": Claim(
        "Unseen drawers: group-item is as good for groups (within 10 %)",
        "percent by which within / between is larger than that of group-group",
        side="less",
        null=10.0,
        **_MADE,
    ),
    "collapse": Claim(
        "Unseen drawers: regrouping keeps momentum grouping from collapse", "effective rank gained by it", **_MADE
    ),
    "items_new": Claim(
        "Unseen alphabets: items are told better by group-item than by group-group", "points of item accuracy", **_MADE
    ),
    "groups_new": Claim(
        "Unseen alphabets: group-item is as good for groups (within 10 %)",
        "percent by which within / between is larger than that of group-group",
        side="less",
        null=10.0,
        **_MADE,
    ),
    "collapse_new": Claim(
        "Unseen alphabets: regrouping keeps momentum grouping from collapse", "effective rank gained by it", **_MADE
    ),
}
"""What the source says of training by groups, asked under both protocols."""


def turned_views(x: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """Two views of images (n, height, width): all turned by one, and all by another, of the four quarter turns."""
    import torch

    return tuple(torch.rot90(x, int(turns), (1, 2)) for turns in rng.choice(4, 2, replace=False))


def methods_for(protocol: str, by: str = "rotation") -> list[str]:
    """Names of the methods that are recorded: few where groups are not by rotation, and characters as classes only
    where few-shot learning is about characters that training has not seen.

    >>> from helpers.studies.groups import methods_for
    >>> methods_for("drawers", by="characters")
    ['untrained', 'item-item, InfoNCE', 'group-group', 'group-item']
    """
    if by != "rotation":
        return list(FEW)
    return [name for name in METHODS if protocol == "alphabets" or not name.endswith("characters")]


def method_encoder(method: str, *, by: str = "rotation", **parameters: Any) -> GroupEncoder:
    """The encoder of a method.

    Parameters
    ----------
    method
        A name in :data:`METHODS`.
    by
        What tells groups of an alphabet apart: by rotation, momentum grouping has turned images as its views.
    parameters
        Further parameters of :class:`helpers.groups.GroupEncoder`.

    Raises
    ------
    ValueError
        If the method is unknown.

    Examples
    --------
    >>> from helpers.studies.groups import method_encoder
    >>> method_encoder("group-item", steps=10).loss
    'group_item'
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; it is one of {', '.join(map(repr, METHODS))}")
    made = {**parameters, **METHODS[method]}
    if made["loss"] == "momentum_groups" and by == "rotation":
        made["options"] = {"views": turned_views, **made.get("options", {})}
    return GroupEncoder(**made)


def one_split(
    drawings: Drawings,
    protocol: str,
    methods: Sequence[str],
    *,
    by: str = "rotation",
    n_groups: int = 4,
    rng: int = 0,
    **parameters: Any,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Methods trained and tested on one division of the drawings.

    Parameters
    ----------
    drawings
        Drawings of all alphabets.
    protocol
        ``"drawers"`` or ``"alphabets"``: what is held out; see :data:`PROTOCOLS`.
    methods
        Names in :data:`METHODS`.
    by, n_groups
        Groups, as :func:`helpers.groups.alphabets.groups_of` has them; by rotation every drawing is turned into four.
    rng
        Whole number that decides the division, the groups, weights and batches.
    parameters
        Further parameters of every :class:`helpers.groups.GroupEncoder`.

    Returns
    -------
    encoders : DataFrame
        A row for each method and readout (a learned one, or centroid and medoid): ``method``, ``readout``; ``within``,
        ``between``, ``ratio``, ``retrieval`` and ``item_accuracy``, means over alphabets; ``few_5`` and ``few_20``,
        accuracy of one shot among 5 and 20 characters (NaN if there are fewer); ``rank`` (RankMe with ε = 0 of the
        items), ``sub_10`` (:func:`~helpers.groups.evaluation.subsample_error` of ten items) and ``seconds`` of training
        on the processor.
    alphabets : DataFrame
        The same by ``alphabet``: ``within``, ``between``, ``ratio``, ``retrieval``, ``item_accuracy`` and ``rank``.

    Raises
    ------
    ValueError
        If the protocol or a method is unknown, or as the functions that are called raise.
    """
    import pandas as pd

    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol is {protocol!r}; it is one of {', '.join(map(repr, PROTOCOLS))}")
    seed = check_count(rng, "rng", least=0)
    split = split_drawers if protocol == "drawers" else split_alphabets
    parts = split(drawings, rng=seed)
    if by == "rotation":
        parts = tuple(rotated(part) for part in parts)
    train, test = parts
    groups = [groups_of(part, by, n_groups=n_groups, rng=seed) for part in parts]
    encoders, alphabets = [], []
    for method in methods:
        encoder = method_encoder(method, by=by, random_state=seed, **parameters)
        began = time.process_time()
        if method.endswith("characters"):
            encoder.set_params(steps=3 * encoder.steps).fit(train.images, *_characters(train))
        else:
            encoder.fit(train.images, train.alphabet, groups[0])
        seconds = time.process_time() - began
        z = encoder.embed(test.images)
        for readout in (encoder.readout,) if encoder.readout in LEARNED else ("centroid", "medoid"):
            whole, each = _judged(encoder.set_params(readout=readout), z, test, groups[1], seed)
            about = {"method": method, "readout": readout}
            encoders.append(about | whole | {"seconds": seconds})
            alphabets.append(each.assign(**about))
    alphabets = pd.concat(alphabets, ignore_index=True)
    return pd.DataFrame(encoders), alphabets[["method", "readout", *alphabets.columns[:-2]]]


def _characters(drawings: Drawings) -> tuple[np.ndarray, np.ndarray]:
    """Characters (turned ones are others) as classes, and two halves of the drawers of each as its groups."""
    turned = np.strings.add(np.strings.add(drawings.character, "/"), drawings.rotation.astype(str))
    names, drawer = np.unique(drawings.drawer, return_inverse=True)
    half = (drawer < len(names) / 2).astype(int).astype(str)
    return turned, np.strings.add(np.strings.add(turned, "/"), half)


def _judged(
    encoder: GroupEncoder, z: np.ndarray, test: Drawings, groups: np.ndarray, seed: int
) -> tuple[dict[str, float], pd.DataFrame]:
    """All measures of one encoder with its readout, and those that there are for each alphabet."""
    import pandas as pd

    from helpers.quality import rankme

    found = group_codes(groups, len(groups))
    classes = test.alphabet[[rows[0] for rows in found.members()]]
    vectors = encoder.read(z, found)
    items = encoder.read(z, np.arange(len(z))) if encoder.readout in LEARNED else z
    apart = within_between(vectors, classes)
    right = {
        "retrieval": pd.Series(retrieval(vectors, classes)).groupby(classes).mean(),
        "item_accuracy": pd.Series(item_accuracy(items, found.codes, vectors, classes)).groupby(test.alphabet).mean(),
    }
    each = pd.DataFrame({"within": apart.within, "between": apart.between, "ratio": apart.ratio}, index=apart.names)
    each = each.assign(**right, rank=[rankme(items[test.alphabet == name], epsilon=0) for name in apart.names])
    upright = test.rotation == 0
    shots = {}
    for ways in (5, 20):
        characters = len(np.unique(test.character))
        options = {"ways": ways, "rng": seed}
        known = few_shot(items[upright], test.character[upright], **options).mean() if characters >= ways else math.nan
        shots[f"few_{ways}"] = float(known)
    whole = each.drop(columns="rank").mean().to_dict() | shots | {"rank": rankme(items, epsilon=0)}

    whole["sub_10"] = float(subsample_error(z, groups, encoder.read, [10], rng=seed)[0])
    return whole, each.rename_axis("alphabet").reset_index()


MEASURES = ("within", "between", "ratio", "retrieval", "item_accuracy", "few_5", "few_20", "rank", "sub_10", "seconds")


def summary(encoders: pd.DataFrame, protocol: str, *, readout: str = "centroid") -> pd.DataFrame:
    """Means over divisions.

    Parameters
    ----------
    encoders
        Rows of :func:`one_split` with columns ``protocol`` and ``seed``.
    protocol
        A name in :data:`PROTOCOLS`.
    readout
        Readout of the methods that learn none.

    Returns
    -------
    DataFrame
        A row for each method in the order of :data:`METHODS`; columns as those of :func:`one_split`, and ``n``, the
        number of divisions.
    """
    kept = encoders[(encoders["protocol"] == protocol) & encoders["readout"].isin((readout, *LEARNED))]
    groups = kept.groupby("method", sort=False)
    found = groups[list(MEASURES)].mean().assign(n=groups["seed"].nunique())
    return found.loc[[name for name in METHODS if name in found.index]]


def readouts_table(encoders: pd.DataFrame, protocol: str) -> pd.DataFrame:
    """Training with centroids or medoids as features, read out as either: means over divisions.

    Parameters
    ----------
    encoders
        Rows of :func:`one_split` with columns ``protocol`` and ``seed``.
    protocol
        A name in :data:`PROTOCOLS`.

    Returns
    -------
    DataFrame
        A row for each of the four trainings; columns (measure, readout) for ``ratio``, ``retrieval`` and
        ``item_accuracy``.
    """
    four = [f"{kind}{end}" for kind in ("group-group", "group-item") for end in ("", ", medoids")]
    kept = encoders[(encoders["protocol"] == protocol) & encoders["method"].isin(four)]
    values = ["ratio", "retrieval", "item_accuracy"]
    found = kept.pivot_table(index="method", columns="readout", values=values, aggfunc="mean", sort=False)
    return found.loc[four, values]


def compare_groupings(drawings: Drawings, methods: Sequence[str], *, rng: int = 0, **parameters: Any) -> pd.DataFrame:
    """The same methods with groups by rotation, by drawers and by characters, tested on drawers who are held out.

    Parameters
    ----------
    drawings
        Drawings of all alphabets.
    methods
        Names in :data:`METHODS`.
    rng, parameters
        As for :func:`one_split`.

    Returns
    -------
    DataFrame
        A row for each grouping and method, with the centroid: ``ratio``, ``retrieval`` and ``item_accuracy``.
    """
    import pandas as pd

    held = len(np.unique(drawings.drawer)) // 3
    found = {}
    for by in GROUPINGS:
        rows, _ = one_split(drawings, "drawers", methods, by=by, n_groups=max(2, min(4, held)), rng=rng, **parameters)
        found[by] = rows[rows["readout"] == "centroid"].set_index("method")[["ratio", "retrieval", "item_accuracy"]]
    return pd.concat(found, names=["groups by"])


def gains(
    alphabets: pd.DataFrame, protocol: str, pair: tuple[str, str], column: str, *, readout: str = "centroid"
) -> pd.DataFrame:
    """Two methods, alphabet by alphabet.

    Parameters
    ----------
    alphabets
        Rows by alphabet of :func:`one_split` with columns ``protocol`` and ``seed``.
    protocol
        A name in :data:`PROTOCOLS`.
    pair
        The method, and the one that it is compared with.
    column
        What is compared.
    readout
        Readout of both methods.

    Returns
    -------
    DataFrame
        By ``alphabet`` a column for each of the two: the mean over the divisions in which it was tested.

    Raises
    ------
    ValueError
        If one of the two was not tested.
    """
    kept = alphabets[(alphabets["protocol"] == protocol) & (alphabets["readout"] == readout)]
    table = kept.pivot_table(index="alphabet", columns="method", values=column, aggfunc="mean")
    if gone := [name for name in pair if name not in table]:
        raise ValueError(f"alphabets has no row of {gone[0]!r} with protocol {protocol!r} and readout {readout!r}")
    return table[list(pair)]


def findings(alphabets: pd.DataFrame, *, n_resamples: int = 9999, rng: int = 0) -> dict[str, Finding]:
    """What rows by alphabet say of :data:`CLAIMS`, for :func:`helpers.inference.judge`; alphabets are the units.

    Parameters
    ----------
    alphabets
        Rows by alphabet of :func:`one_split` with columns ``protocol`` and ``seed``. A protocol that is not there
        has no findings.
    n_resamples, rng
        As for :func:`helpers.inference.paired_finding`.
    """
    from helpers.inference import paired_finding

    options = {"n_resamples": n_resamples, "rng": rng}
    both, regrouped = ("group-item", "group-group"), ("momentum grouping", "… never regrouped")
    found = {}
    for protocol, end in zip(PROTOCOLS, ("", "_new"), strict=True):
        if protocol not in set(alphabets["protocol"]):
            continue
        items = 100 * gains(alphabets, protocol, both, "item_accuracy")
        ratio = gains(alphabets, protocol, both, "ratio")
        rank = gains(alphabets, protocol, regrouped, "rank")
        percent = 100 * (ratio[both[0]] / ratio[both[1]] - 1)
        values = {
            "items": (items[both[0]], items[both[1]]),
            "groups": (percent, 0 * percent),
            "collapse": (rank[regrouped[0]], rank[regrouped[1]]),
        }
        for key, (a, b) in values.items():
            found[key + end] = paired_finding(CLAIMS[key + end], a, b, "alphabets", **options)
    return found


def compare_switches(
    alphabets: pd.DataFrame, protocol: str = "drawers", *, column: str = "item_accuracy", n_resamples: int = 9999
) -> pd.DataFrame:
    """Momentum grouping without each of its parts, less the whole of it.

    Parameters
    ----------
    alphabets
        Rows by alphabet of :func:`one_split` with columns ``protocol`` and ``seed``.
    protocol, column
        As for :func:`gains`.
    n_resamples
        As for :func:`helpers.inference.paired`.

    Returns
    -------
    DataFrame
        As :func:`helpers.studies.comparing.paired_table` gives it, by switch.
    """
    from helpers.studies.comparing import paired_table

    switches = [name for name in METHODS if name.startswith("…") and name in set(alphabets["method"])]
    pairs = {name: gains(alphabets, protocol, (name, "momentum grouping"), column) for name in switches}
    return paired_table({name: tuple(both.to_numpy().T) for name, both in pairs.items()}, n_resamples=n_resamples)


def few_shot_table(encoders: pd.DataFrame, *, protocol: str = "alphabets") -> pd.DataFrame:
    """One-shot accuracy of encoders trained for alphabets and for characters, beside what was published.

    Parameters
    ----------
    encoders
        Rows of :func:`one_split` with columns ``protocol`` and ``seed``.
    protocol
        A name in :data:`PROTOCOLS`; published numbers are those of characters that training has not seen.

    Returns
    -------
    DataFrame
        Columns ``5 ways`` and ``20 ways``, means over divisions.
    """
    import pandas as pd

    names = ["untrained", "group-group", "group-item", "item-item, InfoNCE", "group-item, characters"]
    here = summary(encoders, protocol).reindex(names).dropna(how="all")[["few_5", "few_20"]]
    there = pd.DataFrame.from_dict(PUBLISHED, orient="index", columns=["few_5", "few_20"]).rename(
        "{}, published".format
    )
    return pd.concat([here, there]).set_axis(["5 ways", "20 ways"], axis=1)


def show_alphabets(drawings: Drawings, *, characters: int = 6) -> Figure:
    """Some characters of each alphabet: to the left by one drawer, to the right by another."""
    import matplotlib.pyplot as plt

    names = np.unique(drawings.alphabet)
    fig, axes = plt.subplots(len(names), 1, figsize=(6.4, 0.52 * len(names)), layout="constrained")
    side = drawings.images.shape[1]
    for ax, name in zip(np.atleast_1d(axes), names, strict=True):
        here = drawings[(drawings.alphabet == name) & (drawings.rotation == 0)]
        shown = np.unique(here.character)[:characters]
        row = []
        for drawer in np.unique(here.drawer)[:2]:
            row += [here.images[(here.character == c) & (here.drawer == drawer)][0] for c in shown]
            row.append(np.zeros((side, side)))
        ax.imshow(np.hstack(row[:-1]), cmap="Greys", vmin=0, vmax=1.3)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    return fig


KINDS = {
    "item-item": ("C0", "item-item"),
    "group-group": ("C1", "group-group"),
    "group-item": ("C2", "group-item"),
    "Group": ("C3", "GroupFace, Group Loss"),
    "momentum": ("C4", "momentum grouping"),
    "…": ("C4", "momentum grouping"),
    "untrained": ("C7", "untrained"),
}


def show_methods(found: pd.DataFrame) -> Figure:
    """Item accuracy of each method against what it does to groups: the norm within classes, and within / between.

    Parameters
    ----------
    found
        Table of :func:`summary`.
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    fig, axes = plt.subplots(1, 2, figsize=(7.2, 4.0), sharey=True, layout="constrained")
    words = ("norm of differences within a class", "within / between")
    for ax, column, label in zip(axes, ("within", "ratio"), words, strict=True):
        named = set()
        for method, row in found.iterrows():
            color, kind = next(value for start, value in KINDS.items() if method.startswith(start))
            hollow = method.startswith("…")
            style = {"mfc": "none" if hollow else color, "label": None if kind in named or hollow else kind}
            ax.plot(row[column], row["item_accuracy"], "o", color=color, ms=6, **style)
            named |= set() if hollow else {kind}
        for method in ("group-group", "group-item", "… not normalised"):
            if method in found.index:
                at = (found.loc[method, column], found.loc[method, "item_accuracy"])
                ax.annotate(method.removeprefix("… "), at, xytext=(5, 5), textcoords="offset points", fontsize=8)
        ax.set(xscale="log", xlabel=label)
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
    axes[0].set_ylabel("item accuracy")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, fontsize=7, loc="outside lower center", ncols=3)
    return fig
