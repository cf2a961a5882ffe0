"""What the page "Reading a stranger's vectors" shows: maps from few pairs, corrections, defences, claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count
from helpers.book.style import INK
from helpers.inference import Claim, Finding, absent, format_interval
from helpers.inversion import Inverter
from helpers.inversion.inverter import checked_texts
from helpers.studies.collapse_page import mean_finding
from helpers.studies.inversion_runs import FLOORS, Texts
from helpers.studies.one_vector import COLUMNS, MADE_UP, NAMES, written_figure
from helpers.studies.stranger_runs import Reader, Strange, defence_rows, made_up_pairs, pair_rows
from helpers.studies.vector_runs import mean_words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = [
    "CLAIMS",
    "LIVE_DEFENCES",
    "WAYS",
    "check_stranger_choices",
    "curve_figure",
    "curve_table",
    "defence_table",
    "facts",
    "findings",
    "front_figure",
    "guarded_table",
    "highest_floor",
    "live_data",
    "live_defences",
    "live_rows",
    "recorded_reads",
    "facts_of_reads",
    "read_figure",
]

LIVE_DEFENCES = {"none": (0,), "noise": (0.5, 2.0), "rotation": (1.0,), "quantisation": (1,), "truncation": (24,)}
"""Defences that the page itself tries."""

NOT_RECORDED = "not recorded yet"
"""What stands in place of a number that no run has given."""

_FEW = "fewer than two encoders are recorded"
_MODELS = {"models": "decoders of another encoder's vectors", "spec": "+.3f"}

BOOK = "headlines"
"""What the recorded rows call the inverter of the book as a reader."""

READERS = {BOOK: "the inverter of the book", "gte-small": "a decoder of gte-small"}
"""Readers that are recorded; each is judged alone."""

_OF_PAIRS = {
    "few": (
        "More than a thousand pairs hardly help",
        "token F1 gained by all pairs over a thousand; up to 0.02 is hardly",
        {"side": "less", "null": 0.02, "source": "chen2025algen"},
    ),
    "leak": ("Ten pairs leak already", "token F1 over the highest floor, with ten pairs", {"source": "chen2025algen"}),
    "unpaired": (
        "Spaces are aligned without one pair, well enough to read",
        "token F1 over the highest floor, without pairs",
        {"source": "jha2025harnessing"},
    ),
    "correction": (
        "A guess that is encoded and put right is better than the first",
        "token F1 gained by corrections, with all pairs",
        {"source": "morris2023text"},
    ),
}

CLAIMS = {
    f"{key}_{reader}": Claim(f"{words}: {READERS[reader]}", statistic, **more, **_MODELS)
    for reader in READERS
    for key, (words, statistic, more) in _OF_PAIRS.items()
} | {
    f"defence_{reader}": Claim(
        f"Noise does not protect vectors before it makes them useless: {READERS[reader]}",
        "token F1 over the highest floor, with pairs of changed vectors, at the strongest noise that keeps nine tenths "
        "of the correlation with people's ratings",
        source="chen2025algen",
        **_MODELS,
    )
    for reader in READERS
}
"""What is said of reading the vectors of other encoders, and of noise against it, of each reader."""

PANELS = 3
"""Most panels of a picture that stand side by side."""

KEPT = 0.9
"""Share of the correlation with ratings that a defence has to keep to be of use."""

WAYS = {"read": "through the map", "corrected": "after corrections", **{k: COLUMNS[k] for k in ("shuffled", "centre")}}
"""What is read of a stranger's vectors, as the page calls it."""

_STRENGTHS = {
    "none": "none",
    "noise": "noise, {:g} spreads",
    "rotation": "rotation, share {:g}",
    "quantisation": "bits of a number, {:g}",
    "truncation": "coordinates kept, {:g}",
}
_USES = {"STS": "sts", "retrieval": "retrieval"}
_LEFT = {"gain": "token F1 over the highest floor", "found": "share found"}
_NAMES = {"none": "none", "noise": "noise", "rotation": "rotation", "quantisation": "bits", "truncation": "coordinates"}


def check_stranger_choices(*, sentence: str, encoder: str, n_pairs: int, steps: int, draws: int, beams: int) -> None:
    """Refuse what the page could not do.

    Parameters
    ----------
    sentence
        A sentence that is not blank.
    encoder
        Folder of an encoder, or its name on the hub.
    n_pairs
        Texts that are known in both spaces, at least 50.
    steps
        Corrections, at least 1.
    draws
        Guesses of each.
    beams
        Beams of the search.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If one of them is out of range, or the encoder is not there.
    """
    from helpers.encoders.extraction import resolve_model

    checked_texts([sentence], "sentence")
    resolve_model(encoder)
    check_count(n_pairs, "n_pairs", least=50)
    check_count(steps, "steps")
    check_count(draws, "draws")
    check_count(beams, "beams")


def live_data(
    inverter: Inverter, encode: Callable[[Sequence[str]], Any], sentence: str, *, n_pairs: int, rng: int = 0
) -> Strange:
    """Pairs of texts that the inverter wrote itself, and made-up headlines that are read, the reader's own first.

    Parameters
    ----------
    inverter
        The inverter of the book.
    encode
        A stranger's encoder.
    sentence
        The reader's own sentence.
    n_pairs
        Texts that the inverter writes, before equal ones are left out.
    rng
        Seed of those.
    """
    known = made_up_pairs(inverter, n_pairs, rng=rng)
    test = list(dict.fromkeys([sentence, *MADE_UP]))
    both = [[np.asarray(of(texts), dtype=np.float32) for texts in (known, test)] for of in (inverter.encode, encode)]
    return Strange(Texts(known, [], test, np.arange(len(test))), both[0][0], both[1][0], both[0][1], both[1][1])


def live_rows(
    inverter: Inverter, data: Strange, encode: Callable[[Sequence[str]], Any], *, steps: int, draws: int, rng: int = 0
) -> pd.DataFrame:
    """The curve of the page itself: rows of :func:`helpers.studies.stranger_runs.pair_rows`.

    Parameters
    ----------
    inverter, data, encode
        What :func:`live_data` takes and gives.
    steps, draws
        Corrections, and guesses of each.
    rng
        Seed of alignment, floors and intervals.
    """
    n = len(data.texts.train)
    counts = [count for count in (0, 10, 100, 1000) if count < n]
    reader = Reader(inverter, inverter.encode)
    return pair_rows(reader, data, encode, pairs=counts, steps=steps, draws=draws, names=NAMES, rng=rng)


def live_defences(inverter: Inverter, data: Strange, *, rng: int = 0) -> pd.DataFrame:
    """What is left to be read of the made-up headlines after :data:`LIVE_DEFENCES`.

    Parameters
    ----------
    inverter, data
        What :func:`live_data` takes and gives.
    rng
        Seed of the defences, floors and intervals.
    """
    found = defence_rows(inverter, data, None, defences=LIVE_DEFENCES, rng=rng)
    return found.assign(n_test=len(data.texts.test))


def read_figure(texts: Sequence[str], ways: Mapping[str, Sequence[str]]) -> Figure:
    """Sentences and what is read of a stranger's vectors, by the keys of :data:`WAYS`; right words in colour."""
    return written_figure(texts, ways, labels=WAYS)


def recorded_reads(name: str) -> pd.DataFrame | None:
    """Rows of ``data/results/stranger.csv`` or ``stranger_defences.csv``; None before there are any."""
    from helpers.book.data import table

    try:
        return table(f"results/{name}.csv")
    except FileNotFoundError:
        return None


def _means(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Means over seeds, and their number."""
    numbers = rows.select_dtypes("number").columns.difference([*by, "seed"])
    found = rows.groupby(list(by), sort=False)[list(numbers)].mean()
    return found.assign(seeds=rows.groupby(list(by), sort=False)["seed"].nunique())


def curve_figure(rows: pd.DataFrame | None, live: pd.DataFrame, *, name: str = "the encoder of this page") -> Figure:
    """Token F1, and the share found in a list, against the number of pairs, beside floors and what own vectors give.

    Parameters
    ----------
    rows
        Recorded rows, or None: then a panel says so.
    live
        Rows of :func:`live_rows`.
    name
        What the legend calls the encoder of the page.

    Returns
    -------
    Figure
        A panel for the page, and one for each recorded reader and domain; 0 pairs stand at the left end of a
        logarithmic axis.
    """
    import matplotlib.pyplot as plt

    panels = {} if rows is None else dict(list(rows.groupby(["reader", "domain"], sort=False)))
    titles = ["this page", *([_title(*key) for key in panels] or ["real encoders"])]
    rows_of, columns = -(-len(titles) // PANELS), min(PANELS, len(titles))
    size = (1 + 2.9 * columns, 0.9 + 2.9 * rows_of)
    fig, axes = plt.subplots(rows_of, columns, figsize=size, sharey=True, squeeze=False, layout="constrained")
    flat = axes.ravel()
    for ax in flat[len(titles) :]:
        ax.set_visible(False)
    _curves(flat[0], {name: live}, {name: "C7"})
    colours = {} if rows is None else {encoder: f"C{i}" for i, encoder in enumerate(dict.fromkeys(rows["encoder"]))}
    if not panels:
        flat[1].text(0.5, 0.5, NOT_RECORDED, ha="center", va="center", color=INK, transform=flat[1].transAxes)
        flat[1].set_xticks([])
    for ax, part in zip(flat[1:], panels.values(), strict=False):
        _curves(ax, {str(encoder): some for encoder, some in part.groupby("encoder", sort=False)}, colours)
    for ax, title in zip(flat, titles, strict=False):
        ax.set_title(title, fontsize=9)
        ax.set(ylim=(0, 1), xlabel="pairs")
    for ax in axes[:, 0]:
        ax.set_ylabel("token F1; share found")
    lines = {line.get_label(): line for ax in flat for line in ax.get_lines() if line.get_label()[0] != "_"}
    fig.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=3, frameon=False)
    return fig


def _title(reader: str, domain: str) -> str:
    """What is read, by whom."""
    return f"{domain},\nread by {READERS.get(reader, f'a decoder of {reader}')}"


def _curves(ax: Any, parts: Mapping[str, pd.DataFrame], colours: Mapping[str, str]) -> None:
    least = 3.0  # where 0 pairs stand
    for encoder, rows in parts.items():
        style = {"color": colours[encoder]}
        found = _means(rows.assign(seed=rows["seed"] if "seed" in rows else 0), ["pairs", "steps"]).reset_index()
        plain = found[found["steps"] == 0].sort_values("pairs")
        at = np.maximum(plain["pairs"], least)
        ax.plot(at, plain["f1"], "o-", **style, label=encoder)
        better = found[found["steps"] > 0].sort_values("pairs")
        ax.plot(better["pairs"], better["f1"], "^", **style, markerfacecolor="none", label="_")
        ax.plot(at, plain["found"], "s--", **style, ms=5, lw=1, label="_")
    levels = [(rows["f1_own"].mean(), highest_floor(rows[rows["steps"] == 0])) for rows in parts.values()]
    for level, words, style in zip(np.mean(levels, axis=0), ("own vectors", "highest floor"), ("--", ":"), strict=True):
        ax.axhline(float(level), color=INK, ls=style, lw=1, label=words)
    ax.set_xscale("log")
    ticks = sorted({count for rows in parts.values() for count in rows["pairs"]})
    shown = [count for count in ticks if count in (0, 10, 100, 1000)]
    at, words = [max(count, least) for count in shown], [f"{count:g}" for count in shown]
    if ticks[-1] > 2000:
        at, words = [*at, ticks[-1]], [*words, "all"]
    ax.set_xticks(at, words)
    ax.minorticks_off()


def curve_table(rows: pd.DataFrame | None, reader: str = BOOK, domain: str = "headlines") -> pd.DataFrame:
    """Token F1 of each encoder by the number of pairs, means over seeds with the number of seeds beside.

    Parameters
    ----------
    rows
        Recorded rows, or None.
    reader, domain
        Reader and domain that are shown.

    Returns
    -------
    DataFrame
        A row for each encoder; columns for pairs, for corrections after all pairs, for the highest floor and for own
        vectors; how many pairs are all, how many texts a run reads, and how many seeds are recorded. The interval is
        that over texts where one seed is recorded, that over seeds by Student's t where there are three or more, and
        left out where there are two. Seeds differ in the order of the pairs and in the test texts, drawn from one pool,
        so that some are shared; encoder, reader and pool are the same for all.
    """
    import pandas as pd

    if rows is None or (rows := rows.query("reader == @reader and domain == @domain")).empty:
        return pd.DataFrame({"token F1": [NOT_RECORDED]}, index=pd.Index(["–"], name="encoder"))
    found = {}
    for encoder, part in rows.groupby("encoder", sort=False):
        plain = part[part["steps"] == 0]
        most, line = plain["pairs"].max(), {}
        for count, some in plain.groupby("pairs"):
            line["all" if count == most else f"{count:g}"] = _said(some)
        better = part[(part["steps"] > 0) & (part["pairs"] == most)]
        line["all, corrected"] = _said(better) if len(better) else "–"
        last = plain[plain["pairs"] == most]
        line |= {"floor": f"{highest_floor(last):.2f}", "own": f"{last['f1_own'].mean():.2f}"}
        line |= {"pairs": f"{most:g}", "texts": f"{last['n_test'].mean():.0f}"}
        found[encoder] = line | {"seeds": part["seed"].nunique()}
    counts = sorted({name for line in found.values() for name in line if name.isdigit()}, key=int)
    others = ["all", "all, corrected", "floor", "own", "pairs", "texts", "seeds"]
    table = pd.DataFrame.from_dict(found, orient="index").rename_axis("encoder").fillna("–")
    return table[[*counts, *others]]


def highest_floor(rows: pd.DataFrame) -> float:
    """Token F1 of the highest of :data:`helpers.studies.inversion_runs.FLOORS` that the rows have, a mean over them."""
    return float(rows[[f"f1_{name}" for name in FLOORS if f"f1_{name}" in rows]].mean().max())


def _said(rows: pd.DataFrame) -> str:
    if len(rows) > 1:
        return mean_words(rows["f1"])
    return format_interval(rows.iloc[0], "f1", ("f1_ci_low", "f1_ci_high"), spec=".2f")


def defence_table(rows: pd.DataFrame) -> pd.DataFrame:
    """What is left to use and to read after each defence, a row each.

    Parameters
    ----------
    rows
        Rows of :func:`helpers.studies.stranger_runs.defence_rows`.
    """
    import pandas as pd

    out = {}
    for (how, strength), part in rows.groupby(["defence", "strength"], sort=False):
        by = part.set_index("knows")
        line = {"neighbours kept": by["neighbours"].iloc[0]}
        for knows in ("unchanged", "changed"):
            line[f"found, pairs of {knows} vectors"] = by.loc[knows, "found"]
        out[_defence(str(how), strength)] = line
    return pd.DataFrame.from_dict(out, orient="index").rename_axis("defence")


def _defence(how: str, strength: float) -> str:
    """A defence with the unit of its strength."""
    return _STRENGTHS[how].format(strength)


def guarded_table(rows: pd.DataFrame | None) -> pd.DataFrame:
    """What is left to use and to read after each recorded defence, where pairs of changed vectors are known.

    Parameters
    ----------
    rows
        Rows of ``data/results/stranger_defences.csv``, or None.

    Returns
    -------
    DataFrame
        A row for each defence and strength: correlation with people's ratings (STS), share of sentences whose
        rated pair is found first (retrieval), and for each reader token F1 over the highest floor and the share found.
        Means over encoders, each the mean of its seeds.
    """
    import pandas as pd

    if rows is None:
        return pd.DataFrame({"STS": [NOT_RECORDED]}, index=pd.Index(["–"], name="defence"))
    by = ["defence", "strength"]
    changed = rows[rows["knows"] == "changed"]
    means = changed.groupby(["reader", "encoder", *by], sort=False)[["sts", "retrieval", "gain", "found"]].mean()
    found = {name: means[column].groupby(by, sort=False).mean() for name, column in _USES.items()}
    for reader in READERS:
        if reader in means.index.get_level_values("reader"):
            some = means.loc[reader].groupby(by, sort=False).mean()
            found |= {f"{words}, {READERS[reader]}": some[column] for column, words in _LEFT.items()}
    table = pd.DataFrame(found)
    table.index = pd.Index([_defence(how, strength) for how, strength in table.index])
    return table.rename_axis("defence")


def front_figure(rows: pd.DataFrame | None, live: pd.DataFrame, reader: str = BOOK) -> Figure:
    """How often the right sentence is still found against what vectors are still good for, defence by defence.

    Parameters
    ----------
    rows
        Recorded rows, over whose encoders and seeds means are taken; or None: then the rows of the page are drawn.
    live
        Rows of :func:`live_defences`.
    reader
        Reader whose recorded rows are drawn.

    Returns
    -------
    Figure
        A panel for each kind of pairs that are known; an owner wants to be right and low.
    """
    import matplotlib.pyplot as plt

    shown, use = (live, "neighbours") if rows is None else (rows[rows["reader"] == reader], "sts")
    words = {"neighbours": "share of nearest neighbours kept", "sts": "correlation with people's ratings (STS)"}
    titles = {"unchanged": "pairs of unchanged vectors", "changed": "pairs of changed vectors"}
    fig, axes = plt.subplots(1, 2, figsize=(9.6, 3.8), sharey=True, layout="constrained")
    for ax, (knows, title) in zip(axes, titles.items(), strict=True):
        part = shown[shown["knows"] == knows]
        columns = [use, "found", "n_test"]
        means = part.groupby(["defence", "strength"], sort=False)[columns].mean().reset_index()
        base = means[means["defence"] == "none"]
        near = np.array([0.04 * np.ptp(means[use]), 0.04])  # dots beside the star would write over it
        for number, (how, some) in enumerate(means[means["defence"] != "none"].groupby("defence", sort=False)):
            ax.plot(some[use], some["found"], "o-", color=f"C{number}", label=_NAMES[str(how)])
            for row in some.itertuples():
                place = np.array([getattr(row, use), row.found])
                if (np.abs(place - base[[use, "found"]].to_numpy()) > near).any(1).all():
                    ax.annotate(f"{row.strength:g}", place, xytext=(3, 4), textcoords="offset points", fontsize=7)
        ax.plot(base[use], base["found"], "*", color=INK, ms=11, label="no defence")
        ax.axhline(1 / means["n_test"].mean(), color=INK, ls=":", lw=1, label="chance")
        ax.set(title=title, xlabel=words[use], ylim=(0, 1))
    axes[0].set_ylabel("share of sentences found")
    fig.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False, fontsize=8)
    return fig


def findings(pairs: pd.DataFrame | None, defences: pd.DataFrame | None) -> dict[str, Finding]:
    """What the recorded runs on headlines say of :data:`CLAIMS`.

    Encoders are the units, each the mean of its seeds; readers are judged apart.

    Parameters
    ----------
    pairs, defences
        Rows of ``data/results/stranger.csv`` and ``stranger_defences.csv``, or None.

    Returns
    -------
    dict of str to Finding
        What has no two encoders with both sides recorded is absent.
    """
    values: dict[str, Any] = dict.fromkeys(CLAIMS, ())
    if pairs is not None:
        for reader in READERS:
            found = _of_pairs(pairs.query("domain == 'headlines' and reader == @reader"))
            values |= {f"{key}_{reader}": numbers for key, numbers in found.items()}
    if defences is not None:
        values |= {f"defence_{reader}": _of_noise(defences[defences["reader"] == reader]) for reader in READERS}
    out = {}
    for key, numbers in values.items():
        numbers = np.asarray(numbers, dtype=float)
        enough = len(numbers) > 1
        out[key] = mean_finding(CLAIMS[key], numbers)._replace(units="encoders") if enough else absent(_FEW)
    return out


def _of_pairs(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Of each encoder, what is asked of one reader; differences within seeds, then their mean."""
    found: dict[str, list[float]] = {key: [] for key in _OF_PAIRS}
    for _, part in rows.groupby("encoder", sort=False):
        most = part["pairs"].max()
        plain = part[part["steps"] == 0].pivot(index="seed", columns="pairs", values="f1")
        gain = part[part["steps"] == 0].pivot(index="seed", columns="pairs", values="gain")
        better = part[(part["steps"] > 0) & (part["pairs"] == most)].set_index("seed")["f1"]
        asked = {"leak": gain.get(10), "unpaired": gain.get(0), "correction": (better - plain[most])}
        if 1000 in plain and most > 1000:
            asked["few"] = plain[most] - plain[1000]
        for key, values in asked.items():
            if values is not None and values.notna().any():
                found[key].append(float(values.mean()))
    return {key: np.array(numbers) for key, numbers in found.items()}


def _of_noise(rows: pd.DataFrame) -> np.ndarray:
    out = []
    for _, part in rows[rows["knows"] == "changed"].groupby("encoder", sort=False):
        means = part.groupby(["defence", "strength"])[["sts", "gain"]].mean()
        base = means["sts"].get(("none", 0.0), np.nan)
        noise = means.loc["noise"] if "noise" in means.index.get_level_values(0) else means.iloc[:0]
        useful = noise[noise["sts"] >= KEPT * base]
        if len(useful):
            out.append(float(useful["gain"].iloc[-1]))
    return np.array(out)


def facts(rows: pd.DataFrame, better: Any, data: Strange) -> dict[str, Any]:
    """What the text of the page says of its own runs in numbers.

    Parameters
    ----------
    rows
        Rows of :func:`live_rows`.
    better
        Corrected guesses, from :func:`helpers.inversion.correction.corrected`.
    data
        Texts and vectors, from :func:`live_data`.
    """
    plain = rows[rows["steps"] == 0].set_index("pairs")
    last = plain.loc[plain.index.max()]
    after = rows[(rows["steps"] > 0) & (rows["pairs"] == plain.index.max())].iloc[0]
    return {
        "known": len(data.texts.train),
        "n": len(data.texts.test),
        "f1": last["f1"],
        "f1_low": last["f1_ci_low"],
        "f1_high": last["f1_ci_high"],
        "floor": max(last[f"f1_{name}"] for name in FLOORS if f"f1_{name}" in last),
        "own": last["f1_own"],
        "unpaired": plain["f1"].get(0, np.nan),
        "ten": plain["f1"].get(10, np.nan),
        "found": last["found"],
        "chance": 1 / len(data.texts.test),
        "corrected": after["f1"],
        "cosine_first": float(better.cosine[:, 0].mean()),
        "cosine_last": float(better.cosine[:, -1].mean()),
    }


def facts_of_reads(rows: pd.DataFrame | None) -> dict[str, Any]:
    """What the recorded runs on headlines say of each of :data:`READERS`, in words.

    Returns
    -------
    dict
        ``encoders_book`` and ``encoders_semantic``, the encoders that are recorded; ``f1_…``, token F1 with all pairs,
        before corrections; ``own_…``, that of the reader's own vectors; ``found_…``, the share of sentences found among
        all, with all pairs; ``other_…``, token F1 over the highest floor with all pairs on documentation. Means over
        encoders with intervals by Student's t, as :func:`helpers.studies.vector_runs.mean_words` writes them; a dash
        without any.
    """
    out: dict[str, Any] = {}
    for reader, name in ((BOOK, "book"), ("gte-small", "semantic")):
        out |= {f"encoders_{name}": 0} | {f"{what}_{name}": "—" for what in ("f1", "own", "found", "other")}
        some = None if rows is None else rows[(rows["reader"] == reader) & (rows["steps"] == 0)]
        if some is None:
            continue
        most = some[some["pairs"] == some.groupby(["encoder", "domain"])["pairs"].transform("max")]
        means = most.groupby(["domain", "encoder"])[["f1", "f1_own", "found", "gain"]].mean()
        domains = set(means.index.get_level_values("domain"))
        if "headlines" in domains:
            told = means.loc["headlines"]
            out |= {f"encoders_{name}": len(told), f"f1_{name}": mean_words(told["f1"])}
            out |= {f"own_{name}": mean_words(told["f1_own"]), f"found_{name}": mean_words(told["found"])}
        if "documentation" in domains:
            out[f"other_{name}"] = mean_words(means.loc["documentation", "gain"], "+.3f")
    return out
