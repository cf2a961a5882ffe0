"""Reference pages made from the registries: a card for each measure, quality and ensemble; published tables."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import helpers
from helpers.locations import DATA

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PAGES", "curve_picture", "page_text", "share_picture"]

N, P = 120, 8  # objects and features of the spaces on which curves and chance levels are computed
METHODS = {
    "last_layer": "last layer",
    "best_layer": "best layer",
    "qp_weighted": "QP",
    "cluster_pca": "clusters and PCA",
    "qp_pca": "QP and PCA",
    "greedy": "greedy",
    "qp_masked": "masked QP",
}
"""Names of the published methods, as chapters write them."""
NEEDS = {
    "x": "the space alone",
    "views": "views of the objects",
    "others": "other representations",
    "labels": "a label for each object",
}
"""What a quality needs, in words."""
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
KINDS = {
    "cca": "The space that the features span",
    "subspace": "What one linear map tells of the other",
    "cka": "Similarities of objects",
    "rsa": "Distances of objects",
    "dependence": "Dependence",
    "neighbours": "Neighbours",
    "neighbour_kernels": "Similarities of neighbours",
    "containment": "Which of two holds the other",
    "shape": "The cloud after the best rotation",
    "matching": "Features one by one",
    "topology": "How the cloud hangs together",
    "spanning": "Spanning trees",
    "graphs": "Graphs and holes",
    "statistics": "One number of each space",
}
"""Headings by the module in which a measure stands."""


def page_text(name: str, cache: Path | None = None) -> str:
    """The generated part of a page, in MyST.

    Parameters
    ----------
    name
        Name in :data:`PAGES`.
    cache
        Folder in which texts are kept. A text is made again when the code or the published tables change.

    Returns
    -------
    str
        Sections of the page, without its title.

    Raises
    ------
    KeyError
        If there is no such page.
    """
    if name not in PAGES:
        raise KeyError(f"no page is made of {name!r}; there are {', '.join(PAGES)}")
    kept = cache / f"{name}-{digest_of_sources()}.md" if cache else None
    if kept and kept.exists():
        return kept.read_text(encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # made cases are extreme on purpose
        text = "\n\n".join(PAGES[name]())
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(text, encoding="utf-8")
    return text


def digest_of_sources() -> str:
    """Digest of everything that the pages are made of."""
    package = Path(helpers.__file__).parent
    folders = [package / part for part in ("similarity", "quality", "ensembles")]
    files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    files += [
        package / "arrays.py",
        package / "metrics.py",
        Path(__file__),
        *sorted((DATA / "published").glob("*.csv")),
    ]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


# Measures


def _measures() -> Iterator[str]:
    from helpers.similarity import MEASURES

    families = [measure.module.rpartition(".")[2] for measure in MEASURES.values()]
    for family in dict.fromkeys([*KINDS, *families]):
        entries = [m for m, of in zip(MEASURES.values(), families, strict=True) if of == family]
        if entries:
            yield f"## {KINDS.get(family, family)}"
            yield from (measure_card(measure.name) for measure in entries)


def measure_card(name: str) -> str:
    """The card of a measure: formula, picture, properties, chance level, source, what fools it, and the call."""
    from helpers.similarity import MEASURES
    from helpers.similarity.cases import CASES, judge_case

    measure = MEASURES[name]
    found, case = judge_case(name, measure.fooled), CASES[measure.fooled]
    curve, level = measure_curve(name)
    said = {
        "Kind": f"{measure.orientation}, {_range(*measure.range)}" + ("; a metric" if measure.metric else ""),
        "Unchanged by": _listed(sorted(measure.invariances)),
        "Order": "x and y may be exchanged" if measure.symmetric else "x and y may not be exchanged",
        "Cost": measure.cost + ("; draws at random" if measure.stochastic else ""),
        "Chance level": f"{_number(level)} between independent spaces of {N} objects and {P} features",
        "Source": f"{{cite:t}}`{measure.reference}`",
        "Fooled": f"*{case.question}* It says {_number(found.alike)} of {case.alike}, "
        f"and {_number(found.unlike)} of {case.unlike}.",
    }
    picture = curve_picture(
        [curve],
        f"{name} of a space and ever noisier copies: {', '.join(_number(value) for value in curve)}",
        level=level,
    )
    return _card(name, measure.summary, measure.formula, picture, said, f'MEASURES["{name}"](x, y)')


def measure_curve(name: str) -> tuple[list[float], float]:
    """Values of a space and ever noisier copies of it, and of independent spaces (mean of three)."""
    from helpers.similarity import MEASURES

    rng, measure = np.random.default_rng(0), MEASURES[name]
    # One direction in common keeps every measure defined, also those that ask for features that share something.
    x, noise = rng.normal(size=(2, N, P))
    x, noise = (z + rng.normal(size=(N, 1)) for z in (x, noise))
    curve = [float(measure(x, np.sqrt(1 - share**2) * x + share * noise)) for share in SHARES]
    others = [rng.normal(size=(N, P)) + rng.normal(size=(N, 1)) for _ in range(2)]
    return curve, float(np.mean([curve[-1], *(measure(x, z) for z in others)]))


# Qualities


def _qualities() -> Iterator[str]:
    from helpers.quality import QUALITIES

    for name in QUALITIES:
        yield quality_card(name)


def quality_card(name: str) -> str:
    """The card of a quality: formula, picture, properties, what noise gives, source, what fools it, and the call."""
    from helpers.quality import QUALITIES
    from helpers.quality.cases import QUALITY_CASES, judge_quality

    entry = QUALITIES[name]
    found, case = judge_quality(name, entry.fooled), QUALITY_CASES[entry.fooled]
    low, *_, high = entry.chance(N, P, n_draws=9)
    curve, accuracy = quality_curve(name)
    said = {
        "Better": entry.better,
        "Range": entry.range,
        "Unchanged by": _listed(entry.invariances),
        "Needs": NEEDS[entry.needs],
        "Cost": f"time {entry.cost}",
        "Noise gives": f"{_number(low)} to {_number(high)}, of {N} objects and {P} features",
        "Source": f"{{cite:t}}`{entry.citation}`" if entry.citation else f"none; {entry.reference}",
        "Misses": f"{entry.misses}.",
        "Fooled": f"It says {_number(found.good)} of {case.good} (a classifier gets {100 * found.accuracy_good:.0f} % "
        f"right), and, which it rates higher, {_number(found.bad)} of {case.bad} ({100 * found.accuracy_bad:.0f} %).",
    }
    scaled = [_unit(curve), accuracy]
    words = f"{name}, and accuracy dotted, as a space with classes becomes noise"
    given = {"x": "x", "views": "views=views"}.get(entry.needs, f"x, {entry.needs}={entry.needs}")
    call = f'QUALITIES["{name}"].value({given})'
    summary = entry.definition[0].upper() + entry.definition[1:] + "."
    return _card(name, summary, entry.formula, curve_picture(scaled, words), said, call)


def quality_curve(name: str) -> tuple[list[float], list[float]]:
    """Values of a quality, and accuracies, as a space with classes gives way to noise."""
    from helpers.quality import QUALITIES
    from helpers.quality.cases import QUALITY_CASES, told_classes

    rng = np.random.default_rng(0)
    good, bad, y = QUALITY_CASES["noise"].make(rng)
    values, accuracies = [], []
    for share in SHARES:
        x, views = ((1 - share) * a + share * b for a, b in ((good.x, bad.x), (good.views, bad.views)))
        values.append(float(QUALITIES[name].value(x, views=views, others=good.others, labels=y)))
        accuracies.append(told_classes(x, y))
    return values, accuracies


# Ensembles


def _ensembles() -> Iterator[str]:
    from helpers.ensembles.registry import ENSEMBLES

    for name in ENSEMBLES:
        yield ensemble_card(name)


def ensemble_card(name: str) -> str:
    """The card of an ensemble: formula, picture, labels, width, cost, source, what fools it, and the call."""
    from helpers.ensembles.cases import ENSEMBLE_CASES, judge_ensemble
    from helpers.ensembles.registry import ENSEMBLES

    entry = ENSEMBLES[name]
    found, case = judge_ensemble(name, entry.fooled), ENSEMBLE_CASES[entry.fooled]
    said = {
        "Labels": entry.labels,
        "Width": entry.width,
        "Cost": entry.cost,
        "Source": f"{{cite:t}}`{entry.citation}`",
        "Fooled": f"Of {case.layers} it makes a space in which a linear classifier gets {100 * found.combined:.0f} % "
        f"right, where the best of them alone has {100 * found.best:.0f} % and all side by side "
        f"{100 * found.together:.0f} %: {case.lesson}.",
    }
    shares = ensemble_shares(name)
    words = "; ".join(f"{layer} {100 * share:.0f} %" for layer, share in shares.items())
    picture = share_picture(shares, f"What of four representations is found again in the combination: {words}")
    call = f"{name}().fit(layers, quality=quality).transform(layers)"
    if entry.labels == "none":
        call = f"{name}().fit_transform(layers)"
    elif entry.labels == "in fit":
        call = f"{name}().fit(layers, y, quality=quality).transform(layers)"
    summary = entry.definition[0].upper() + entry.definition[1:] + "."
    return _card(name, summary, entry.formula, picture, said, call)


def ensemble_shares(name: str) -> dict[str, float]:
    """Share of the variance of each of four representations that a linear map of the combination gives back."""
    from helpers.ensembles.cases import fit_on_first_half
    from helpers.similarity import MEASURES

    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1], N // 2))
    first, other, noise = rng.normal(size=(3, N, P))
    first[:, 0] += 2 * (2 * y - 1)
    other[:, 1] += 2 * y - 1
    layers = {"noise": noise, "good": first, "copy": first + 0.3 * rng.normal(size=first.shape), "other": other}
    combined = fit_on_first_half(name, layers, y).transform(layers)
    return {layer: float(MEASURES["linear_regression"](x, combined)) for layer, x in layers.items()}


# Published tables


def _published() -> Iterator[str]:
    import pandas as pd

    scores = pd.read_csv(DATA / "published" / "layer_fusion.csv")
    scores["method"] = scores["method"].replace("pooling", "last_layer")
    for model, rows in scores.groupby("model", sort=False):
        table = rows.pivot(index="task", columns="method", values="score")
        order = [name for name in scores["method"].unique() if name in table]
        table = table.loc[rows["task"].unique(), order]
        yield f"## `{model}`"
        yield _table(table)


def _table(table: pd.DataFrame) -> str:
    """A table in Markdown, the largest of each row in bold."""
    head = ["task", *(METHODS.get(name, name) for name in table)]
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * len(table.columns)}"]
    for task, row in table.iterrows():
        cells = [
            "–" if np.isnan(value) else f"**{value:.3f}**" if value == row.max() else f"{value:.3f}" for value in row
        ]
        lines.append(f"| {task} | {' | '.join(cells)} |")
    return "\n".join(lines)


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "measures": _measures,
    "qualities": _qualities,
    "ensembles": _ensembles,
    "published": _published,
}
"""Generated pages by name; each gives its sections."""


# How a card looks


def _card(name: str, summary: str, formula: str, picture: str, said: dict[str, str], call: str) -> str:
    listed = "\n".join(f"- **{key}:** {text}" for key, text in said.items())
    return f"### `{name}`\n\n{picture}\n\n{summary}\n\n$$\n{formula}\n$$\n\n{listed}\n\n```python\n{call}\n```"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "nothing but the order of the objects"


def _range(low: float, high: float) -> str:
    ends = ["−∞" if low == -np.inf else _number(low), "∞" if high == np.inf else _number(high)]
    return f"from {ends[0]} to {ends[1]}"


def _number(value: float) -> str:
    """Three digits at most, and a true minus sign."""
    if abs(value) < 5e-13:
        return "0"
    if value == round(value):
        return f"{value:.0f}".replace("-", "−")
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 0.095 else f"{value:.2g}"
    if "e" in text:
        mantissa, power = text.split("e")
        text = f"{mantissa} · 10^{int(power)}^"
    return text.replace("-", "−")


def _unit(values: Sequence[float]) -> list[float]:
    """Values moved and scaled to lie between 0 and 1."""
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 0.5 for value in values]


WIDTH, HEIGHT, MARGIN = 150, 64, 6


def curve_picture(curves: Sequence[Sequence[float]], words: str, *, level: float | None = None) -> str:
    """Curves over equal steps as an inline drawing in the colour of the text.

    Parameters
    ----------
    curves
        Values of each curve, the first drawn as a line, others dotted.
    words
        Description for those who do not see it.
    level
        A height at which a dotted line is drawn.
    """
    every = [value for curve in curves for value in curve] + ([] if level is None else [level])
    low, high = min(every), max(every)

    def at(step: float, value: float) -> str:
        x = MARGIN + step * (WIDTH - 2 * MARGIN)
        y = HEIGHT - MARGIN - (value - low) / ((high - low) or 1) * (HEIGHT - 2 * MARGIN)
        return f"{x:.1f},{y:.1f}"

    drawn = []
    for i, curve in enumerate(curves):
        points = " ".join(at(step / (len(curve) - 1), value) for step, value in enumerate(curve))
        look = 'stroke-width="2"' if i == 0 else 'stroke-width="1.5" stroke-dasharray="2 3"'
        drawn.append(f'<polyline points="{points}" fill="none" stroke="currentColor" {look}/>')
    if level is not None:
        ends = f"{at(0, level)} {at(1, level)}"
        drawn.append(f'<polyline points="{ends}" stroke="currentColor" stroke-width="1" stroke-dasharray="2 3"/>')
    return _drawing(drawn, words)


def share_picture(shares: dict[str, float], words: str) -> str:
    """Bars of shares between 0 and 1, with their names, as an inline drawing in the colour of the text."""
    drawn, step = [], (HEIGHT - 2) / len(shares)
    for i, (name, share) in enumerate(shares.items()):
        top, length = 1 + i * step, max(share, 0.0) * (WIDTH - 52)
        place = f'x="42" y="{top + step * 0.72:.1f}" text-anchor="end" font-size="11"'
        drawn.append(f'<text {place} fill="currentColor">{name}</text>')
        drawn.append(
            f'<rect x="48" y="{top + 2:.1f}" width="{length:.1f}" height="{step - 4:.1f}" fill="currentColor"/>'
        )
    drawn.append(f'<line x1="48" y1="0" x2="48" y2="{HEIGHT}" stroke="currentColor" stroke-width="1"/>')
    return _drawing(drawn, words)


def _drawing(parts: Sequence[str], words: str) -> str:
    words = words.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{words}">'
    return f'<div class="card-picture">{head}{"".join(parts)}</svg></div>'
