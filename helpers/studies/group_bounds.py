"""What a theorem promises about groups: the cases that decide it, and how far from the truth it is along training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import check_count, generator
from helpers.book.style import INK
from helpers.groups.bounds import (
    between_bounds,
    group_bounds,
    order_ratio,
    order_threshold,
    triplet_margins,
    triplet_share,
    within_bounds,
)
from helpers.inference import PROOF, Claim, deduced

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = [
    "CLAIMS",
    "Constructed",
    "LEAST_DRAWN",
    "draw_constructions",
    "draw_training",
    "findings",
    "follow",
    "order_table",
    "printed_gap",
    "random_cases",
    "ring",
    "simplex",
]

CLAIMS = {
    "printed": Claim(
        "‖c₁ − c₂‖ ≤ 2 max(m, max ‖s₁ − s₂‖) for two groups of a class, s₁ and s₂ inputs of two classes",
        "left side less right side, at least; 0 if the theorem is true",
        side="equal",
        margin=1e-9,
        source="karimov2023groups",
        place="theorem",
        spec=".2f",
    ),
    "embedded": Claim(
        "the same with s₁ and s₂ embeddings of items of two classes",
        "left side less right side, at least; 0 if the theorem is true",
        side="equal",
        margin=1e-9,
        source="karimov2023groups",
        place="theorem",
        spec=".2f",
    ),
}
"""The published theorem as it is printed, and with distances of embeddings in place of those of inputs."""


LEAST_DRAWN = {"alphabets": 2, "characters": 2, "drawers": 3}
"""The fewest alphabets, characters of each and drawers from which the page makes groups."""


class Constructed(NamedTuple):
    """Groups that decide a question.

    Attributes
    ----------
    first, second : ndarray of shape (n_i, p)
        Two groups of one class.
    other : ndarray of shape (n, p)
        A group of another class.
    """

    first: np.ndarray
    second: np.ndarray
    other: np.ndarray


def printed_gap(scale: float = 10.0, *, inputs: tuple[float, float, float] = (0.0, 1.0, 3.0)) -> float:
    """By how much the printed theorem is exceeded by one item in each of three groups and the encoder f(x) = scale x.

    Parameters
    ----------
    scale
        Factor of the encoder.
    inputs
        Anchor, positive, negative, numbers.

    Returns
    -------
    float
        ‖c₁ - c₂‖ less 2 max(m, largest distance of *inputs* of two classes); positive if the theorem fails.

    Examples
    --------
    >>> from helpers.studies.group_bounds import printed_gap
    >>> printed_gap(10), printed_gap(1)
    (4.0, -5.0)
    """
    a, p, n = inputs
    found = within_bounds([[scale * a]], [[scale * p]], [[scale * n]])
    return found.distance - 2 * max(found.m, abs(a - n), abs(p - n))


def ring(k: int = 8) -> Constructed:
    """A point, twice, and k points of another class evenly around it: a margin of 1 for anchors in the middle.

    Examples
    --------
    >>> from helpers.studies.group_bounds import ring
    >>> ring(4).other.round().astype(int).tolist()
    [[1, 0], [0, 1], [-1, 0], [0, -1]]
    """
    turns = 2 * np.pi * np.arange(check_count(k, "k", least=2)) / k
    return Constructed(np.zeros((1, 2)), np.zeros((1, 2)), np.c_[np.cos(turns), np.sin(turns)])


def simplex(k: int = 2, ratio: float = 1.05) -> Constructed:
    r"""Two points at distance 1 from each other, and k corners of a regular simplex of side 1, all ``ratio`` from both.

    Parameters
    ----------
    k
        Corners, at least 2.
    ratio
        Distance between the classes over that within them, above 1/2 · √(3 - 2/k); above 1 all triplets hold, and up to
        :func:`helpers.groups.bounds.order_threshold` the centroid of the corners is nearer to each point than the
        points are to each other.

    Returns
    -------
    Constructed
        In k + 2 dimensions: the corners in the first k, the last two hold the points.

    Raises
    ------
    ValueError
        If the distances fit into no space.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.studies.group_bounds import simplex
    >>> x, y, corners = simplex(2, 1.05)
    >>> float(np.linalg.norm(x - y)), round(float(np.linalg.norm(x - corners.mean(axis=0))), 3)
    (1.0, 0.923)
    """
    check_count(k, "k", least=2)
    height = ratio**2 - (1 - 1 / k) / 2
    if height < 0.25:
        raise ValueError(f"ratio is {ratio} and k is {k}; above {math.sqrt(0.75 - 0.5 / k):.3f} is needed")
    corners = np.c_[(np.eye(k) - 1 / k) / math.sqrt(2), np.zeros((k, 2))]
    x, y = np.zeros((2, 1, k + 2))
    x[0, k:], y[0, k:] = (math.sqrt(height - 0.25), 0.5), (math.sqrt(height - 0.25), -0.5)
    return Constructed(x, y, corners)


def random_cases(n_cases: int = 2000, *, rng: int | np.random.Generator = 0) -> pd.DataFrame:
    """The bounds on random groups in one to five dimensions, spread and apart in all proportions.

    Parameters
    ----------
    n_cases
        How many cases are drawn.
    rng
        Seed or generator of all draws.

    Returns
    -------
    DataFrame
        A row per bound: ``cases`` (those in which it says anything), ``violated``, and the median and the extreme of
        its ratio to the truth (for an upper bound the least, for a lower the largest; 1 is attained).
    """
    import pandas as pd

    rng, rows = generator(rng), {}
    for _ in range(check_count(n_cases, "n_cases")):
        p, scale = int(rng.integers(1, 6)), rng.uniform(0.01, 1, 3)
        sizes, apart = rng.integers(1, 6, 3), rng.choice([0.0, 0.3, 1.0, 3.0])
        a, b, c = (s * rng.normal(size=(n, p)) + apart * rng.normal(size=p) for s, n in zip(scale, sizes, strict=True))
        w, f = within_bounds(a, b, c), between_bounds(a, c)
        for name in ("mean_distance", "tight", "loose", "printed"):
            rows.setdefault(("within", name), []).append((getattr(w, name), w.distance))
        for name in ("sharp", "by_margin", "by_means"):
            if getattr(f, name) > 0:
                rows.setdefault(("between", name), []).append((getattr(f, name), f.distance))
    table = {}
    for (kind, name), found in rows.items():
        bound, truth = np.array(found).T
        rounding = 1e-9 * truth.max()  # a million units of the last place of the largest
        wrong = bound < truth - rounding if kind == "within" else bound > truth + rounding
        share = bound / truth
        table[kind, name] = {
            "cases": len(found), "violated": int(wrong.sum()), "median_ratio": float(np.median(share)),
            "extreme_ratio": float(share.min() if kind == "within" else share.max()),
        }  # fmt: skip
    return pd.DataFrame.from_dict(table, orient="index").rename_axis(["kind", "bound"])


def order_table(ks: tuple[int, ...] = (2, 3, 10, 100), ratio: float = 1.05) -> pd.DataFrame:
    """Order of centroids with corners of a simplex as the other class: all triplets hold, and yet.

    Returns
    -------
    DataFrame
        By ``k``: ``triplets`` (share that hold), ``own`` (distance of the two groups of one class), ``other`` (of a
        group from the other class), ``certain_from`` (the ratio from which order is certain).
    """
    import pandas as pd

    rows = {}
    for k in ks:
        x, y, corners = simplex(k, ratio)
        both = np.r_[x, y]
        shares = [triplet_share(both, both, corners), triplet_share(corners, corners, both)]
        rows[k] = {
            "triplets": float(np.mean(shares)),
            "own": float(np.linalg.norm(x - y)),
            "other": float(np.linalg.norm(x[0] - corners.mean(axis=0))),
            "certain_from": order_threshold(k),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("k")


def follow(
    drawings: Any,
    *,
    steps: int = 120,
    every: int = 20,
    margin: float = 0.3,
    width: int = 16,
    classes: int = 4,
    items: int = 16,
    rng: int = 0,
) -> pd.DataFrame:
    """The truth about groups of drawings and every bound, along the training of an encoder by triplets.

    Parameters
    ----------
    drawings : helpers.groups.alphabets.Drawings
        Classes are alphabets. Each of them is trained on in two groups, by two thirds of its drawers in turn; the other
        drawers make two groups that training does not see.
    steps, every
        Steps of training, and after how many of them it is looked at.
    margin
        What the loss asks of each triplet, for embeddings of length 1.
    width
        How many features the embeddings have.
    classes, items
        How many alphabets make a batch, and how many drawings of each, if there are as many.
    rng
        Seed of weights and batches.

    Returns
    -------
    DataFrame
        Means over pairs by ``step`` and ``drawings`` ("trained on", "unseen drawers"): ``within`` (distance of two
        centroids of an alphabet), ``mean_distance``, ``tight``, ``loose``, ``printed``; ``between`` (distance of the
        centroids of two alphabets), ``sharp``, ``by_margin``; ``share`` of the triplets that hold, the worst ``margin``
        of all, ``order`` (share of triplets of groups in order) and ``ratio`` (least distance between alphabets over
        the largest within).
    """
    import pandas as pd
    import torch

    from helpers.groups.losses import all_triplets
    from helpers.groups.networks import convolutions
    from helpers.training import train

    names, y = np.unique(drawings.alphabet, return_inverse=True)
    third = np.unique(drawings.drawer, return_inverse=True)[1] % 3
    seen = third < 2
    groups = 4 * y + third + (third == 2) * (np.unique(drawings.character, return_inverse=True)[1] % 2)
    x, codes = torch.from_numpy(drawings.images), torch.from_numpy(y)
    rows_of = [np.flatnonzero(seen & (y == code)) for code in range(len(names))]
    found: list[dict[str, Any]] = []
    with torch.random.fork_rng():
        torch.manual_seed(rng)
        model = convolutions(drawings.images.shape[1:], 8, width)

    def look(step: int) -> None:
        if step % every and step != steps:
            return
        model.eval()
        with torch.no_grad():
            z = torch.cat([model(x[at : at + 1024]) for at in range(0, len(x), 1024)]).double().numpy()
        model.train()
        for name, rows in (("trained on", seen), ("unseen drawers", ~seen)):
            found.append({"step": step, "drawings": name, **_promises(z[rows], y[rows], groups[rows])})

    def batches(draw: np.random.Generator, epoch: int) -> list[np.ndarray]:
        few = [draw.permutation(len(names))[:classes] for _ in range(20)]
        return [np.concatenate([draw.permutation(rows_of[c])[:items] for c in chosen]) for chosen in few]

    look(0)
    train(
        model,
        lambda rows, step: all_triplets(model(x[rows]), codes[rows], margin),
        batches,
        steps=steps,
        optimizer=torch.optim.Adam(model.parameters(), lr=0.003),
        after_step=look,
        rng=rng,
    )
    return pd.DataFrame(found)


def _promises(z: np.ndarray, y: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    """Means over pairs of groups and of classes of the truth and the bounds."""
    table = group_bounds(z, y, groups)
    within, between = (table[table["kind"] == kind] for kind in ("within", "between"))
    row = {"within": within["distance"].mean(), "between": between["distance"].mean()}
    row |= within[["mean_distance", "tight", "loose", "printed"]].mean().to_dict()
    row |= between[["sharp", "by_margin"]].mean().to_dict()
    classes = [z[y == code] for code in np.unique(y)]
    rest = [z[y != code] for code in np.unique(y)]
    row["share"] = float(np.mean([triplet_share(a, a, b) for a, b in zip(classes, rest, strict=True)]))
    row["margin"] = min(float(triplet_margins(a, a, b).min()) for a, b in zip(classes, rest, strict=True))
    row["order"] = _order(z, y, groups)
    pairs = [(a, b) for i, a in enumerate(classes) for b in classes[i + 1 :]]
    row["ratio"] = min(order_ratio(a, b) for a, b in pairs)
    return {name: float(value) for name, value in row.items()}


def _order(z: np.ndarray, y: np.ndarray, groups: np.ndarray) -> float:
    """Share of the triplets of groups, anchor, another of its class, one of another class, that are in order."""
    codes = np.unique(groups)
    centres = np.array([z[groups == code].mean(axis=0) for code in codes])
    of = np.array([y[groups == code][0] for code in codes])
    shares = [
        triplet_share(centres[[i]], centres[(of == of[i]) & (codes != codes[i])], centres[of != of[i]])
        for i in range(len(codes))
    ]
    return float(np.mean(shares))


def findings() -> dict[str, Any]:
    """What is deduced of the claims: a counterexample to the theorem as printed, a proof of it for embeddings."""
    return {
        "printed": deduced(printed_gap(10.0), "counterexample"),
        "embedded": deduced(0.0, PROOF),
    }


def draw_constructions() -> Figure:
    """The three cases that decide: a scale that the printed theorem does not know, a ring, four points in space."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 3, figsize=(10, 3.1))
    _draw_line(axes[0])
    _draw_ring(axes[1])
    _draw_four(axes[2])
    for ax in axes:
        ax.set_axis_off()
    return fig


def _draw_line(ax: Any) -> None:
    """Inputs and embeddings on two lines."""
    ax.set(xlim=(-2, 33), ylim=(-1.7, 2.1), title="distances of inputs bound nothing")
    for height, scale, name in ((1.2, 1, "inputs x"), (0, 10, "embeddings 10x")):
        ax.plot((-1, 32), (height, height), color=INK, lw=0.6)
        ax.text(32, height + 0.15, name, ha="right")
        for value, color in ((0, "C0"), (1, "C0"), (3, "C1")):
            ax.plot(scale * value, height, "o", color=color)
    for height, length, color, words in (
        (-0.3, 10, "C0", "‖c₁ − c₂‖ = 10"),
        (-1.0, 6, "C3", "printed bound: 2 max(−20, 3) = 6"),
    ):
        ax.annotate("", (0, height), (length, height), arrowprops={"arrowstyle": "<->", "color": color})
        ax.text(0, height - 0.45, words, color=color)


def _draw_ring(ax: Any) -> None:
    middle, _, around = ring(9)
    ax.plot(*around.T, "o", color="C1")
    ax.plot(*middle.T, "o", color="C0", ms=9)
    ax.plot(*around.mean(axis=0), "x", color="C1", ms=12, mew=2)
    ax.annotate("", (0, 0), around[1], arrowprops={"arrowstyle": "<->", "color": "C0"})
    ax.text(*(0.62 * around[1] + [0.08, -0.12]), "margin 1", color="C0")
    ax.set(xlim=(-1.4, 1.4), ylim=(-1.25, 1.25), title="a margin of one class: same centroid", aspect="equal")


def _draw_four(ax: Any) -> None:
    """x, y and two corners, seen from the side."""
    x, y, corners = simplex(2, 1.05)
    turned = np.array([[0.45, 0.95], [0.35, -0.1]])  # where a unit in depth, and one in height, goes on paper

    def flat(point: np.ndarray) -> np.ndarray:
        along = (point[1] - point[0]) / math.sqrt(2)
        return along * turned[1] * 2 + np.array([point[3], point[2]]) + along * np.array([0.25, 0.05])

    places = {"x": flat(x[0]), "y": flat(y[0]), "n₁": flat(corners[0]), "n₂": flat(corners[1])}
    centre = flat(corners.mean(axis=0))
    for one in ("x", "y"):
        for other in ("n₁", "n₂"):
            ax.plot(*np.array([places[one], places[other]]).T, color=INK, lw=0.6)
    ax.plot(*np.array([places["x"], places["y"]]).T, color="C0", lw=2)
    ax.plot(*np.array([places["n₁"], places["n₂"]]).T, color="C1", lw=1)
    ax.plot(*np.array([places["x"], centre]).T, color="C3", lw=2)
    ax.plot(*centre, "x", color="C1", ms=10, mew=2)
    for name, place in places.items():
        ax.plot(*place, "o", color="C1" if "n" in name else "C0")
        ax.annotate(name, place, xytext=(6, 6), textcoords="offset points")
    own, other = float(np.linalg.norm(x - y)), float(np.linalg.norm(x[0] - corners.mean(axis=0)))
    ax.text(0.5, -0.06, f"x to y {own:.2f}, to n₁ and n₂ 1.05,", ha="center", transform=ax.transAxes)
    ax.text(0.5, -0.17, f"to their centroid {other:.2f}", ha="center", color="C3", transform=ax.transAxes)
    ax.set(title="all triplets hold, order fails")


def draw_training(found: pd.DataFrame) -> Figure:
    """Truth and bounds along training: within classes above, between them below; left trained on, right unseen."""
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(found["drawings"]))
    fig, axes = plt.subplots(2, len(names), figsize=(4.4 * len(names), 5.2), sharex=True, sharey="row", squeeze=False)
    upper = {"printed": "2 max(m, M)", "tight": "m + nearest negatives", "mean_distance": "mean distance"}
    lower = {"sharp": "with eccentricities", "by_margin": "by the margin μ"}
    for column, name in enumerate(names):
        rows = found[found["drawings"] == name]
        for ax, truth, bounds in zip(axes[:, column], ("within", "between"), (upper, lower), strict=True):
            for number, (bound, words) in enumerate(bounds.items()):
                ax.plot(rows["step"], rows[bound], color=f"C{number}", ls="--", label=words)
            ax.plot(rows["step"], rows[truth], color=INK, lw=2, label="the centroids")
        axes[0, column].set(title=name)
        axes[1, column].set(xlabel="step of training")
    axes[0, 0].set(ylabel="within an alphabet")
    axes[1, 0].set(ylabel="between alphabets")
    for ax in axes[:, -1]:
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return fig
