"""Recorded runs of the page "What one vector holds": bits by width, precision and noise, and first states by rank."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.book.style import INK
from helpers.inversion import Inverter, inversion_scores, noisy_vectors, text_bits, token_accuracy
from helpers.studies.inversion_runs import Texts, check_source, corpus, fit_pocket, language_model, measured
from helpers.studies.made_headlines import MADE, WORLD_BITS, made_headlines

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = [
    "FORMS",
    "DECODERS",
    "LIVE",
    "NOT_RECORDED",
    "SIGMAS",
    "STATES",
    "blank_table",
    "bounds_table",
    "capacity_figure",
    "capacity_table",
    "far_vectors",
    "fewer_bits",
    "forms_of",
    "held",
    "language_model",
    "mean_words",
    "page_source",
    "page_texts",
    "nothing_yet",
    "rank_rows",
    "ranked",
    "ranks_figure",
    "ranks_table",
    "recorded_as",
    "source_words",
    "state_facts",
    "state_losses",
    "width_rows",
]

FORMS = ("float32", "float16", "8 bits", "4 bits", "2 bits", "1 bit")
"""How a number of a vector is kept; 1 bit: on which side of the mean it lies."""

SIGMAS = (0.1, 0.25, 0.5, 1.0, 2.0)
"""Standard deviations of noise, in units of the spread of the vectors."""

LIVE = {"hidden": 96, "layers": 1, "batch_tokens": 384, "warmup": 50, "length": 64, "precision": "auto"}
"""What trainings of a page have in place of the settings of recorded runs: smaller networks, more steps."""

DECODERS = {
    "autoregressive": "cross-attention",
    "prefix": "prefix",
    "mamba": "Mamba 2",
    "delta": "delta rule",
    "one_pass": "one pass",
    "iterative": "a few passes",
}
"""Decoders in the order of tables, as pages call them."""

STATES = {"mamba": "state-space", "delta": "linear-attention"}
"""Decoders that begin with a state, as claims call them: each is judged alone."""

NOT_RECORDED = "not recorded yet"
"""What stands in a table or a picture in place of runs that are not there."""


@contextmanager
def far_vectors() -> Iterator[None]:
    """Vectors outside the cloud of training are asked for here, and not warned of."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*outside the cloud of training")
        yield


def fewer_bits(inverter: Inverter, vectors: np.ndarray, form: str) -> np.ndarray:
    """Vectors as they are after every number was kept in few bits.

    Parameters
    ----------
    inverter
        The inverter of the vectors, which knows their mean and spread.
    vectors : ndarray of shape (n, width)
        Vectors of that inverter.
    form
        One of :data:`FORMS`. Levels of ``"8 bits"``, ``"4 bits"`` and ``"2 bits"`` lie evenly within 4, 3 and 2
        spreads about the mean; those of ``"1 bit"`` at the means of the two halves of a normal distribution.

    Returns
    -------
    ndarray of shape (n, width), float32

    Raises
    ------
    ValueError
        If the form is unknown.
    """
    if form not in FORMS:
        raise ValueError(f"form is {form!r}; it is one of {', '.join(FORMS)}")
    x = np.asarray(vectors, dtype=np.float32)
    if form == "float32":
        return x
    if form == "float16":
        return x.astype(np.float16).astype(np.float32)
    z = (x - inverter.centre_) / inverter.spread_
    if form == "1 bit":
        z = np.where(z > 0, 1, -1) * np.sqrt(2 / np.pi)
    else:
        bits = int(form.split()[0])
        reach, levels = {8: 4, 4: 3, 2: 2}[bits], 2**bits
        width = 2 * reach / levels
        z = (np.clip(np.floor(z / width), -levels // 2, levels // 2 - 1) + 0.5) * width
    return (inverter.centre_ + inverter.spread_ * z).astype(np.float32)


def forms_of(inverter: Inverter, vectors: np.ndarray, rng: int = 0) -> dict[tuple[str, str], np.ndarray]:
    """Vectors in every form of :data:`FORMS` and with every noise of :data:`SIGMAS`, by kind and name.

    Parameters
    ----------
    inverter
        The inverter of the vectors.
    vectors : ndarray of shape (n, width)
        Vectors of that inverter.
    rng
        Seed of the noise.
    """
    out = {("precision", form): fewer_bits(inverter, vectors, form) for form in FORMS}
    return out | {("noise", f"{sigma:g}"): noisy_vectors(inverter, vectors, sigma, rng=rng) for sigma in SIGMAS}


def held(texts: Texts, width: int, *, epochs: int = 3, n_test: int = 200, rng: int = 0, **options: Any) -> pd.DataFrame:
    """What vectors of one width hold as they are, in fewer bits and under noise; or what takes no vector.

    Parameters
    ----------
    texts
        Texts, from :func:`helpers.studies.inversion_runs.corpus`.
    width
        Width of the vectors, a multiple of the number of heads; 0: the language model, which has none.
    epochs
        Times that each text is seen.
    n_test
        Most test texts.
    rng
        Seed of weights, batches and noise.
    options
        Parameters of :class:`helpers.inversion.Inverter` in place of those of the recorded runs.

    Returns
    -------
    DataFrame
        A row for each form: ``kind`` (``"precision"``, ``"noise"`` or, at width 0, ``"language"``), ``form``,
        ``bits_left``: bits that a text takes to be told, in the mean; ``top_1`` under teacher forcing; ``f1``, written
        freely by the likeliest token.
    """
    import pandas as pd

    test = texts.test[:n_test]
    if width:
        made = fit_pocket(texts, epochs=epochs, width=width, rng=rng, **options)
        forms = forms_of(made, made.encode(test), rng)
    else:
        made = language_model(texts, epochs=epochs, rng=rng, **options)
        forms = {("language", "none"): np.tile(made.centre_, (len(test), 1))}
    rows = []
    with far_vectors():
        for (kind, form), x in forms.items():
            row = {"kind": kind, "form": form, "bits_left": float(text_bits(made, test, vectors=x).mean())}
            row["top_1"] = token_accuracy(made, test, vectors=x, ks=(1,)).attrs["all"]["top_1"]
            written = made.decode(x if width else x[:1])
            row["f1"] = inversion_scores(test, written if width else written * len(test))["token_f1"].mean()
            rows.append(row)
    return pd.DataFrame(rows)


def ranked(
    texts: Texts,
    decoder: str,
    rank: int,
    *,
    epochs: int = 3,
    n_test: int = 200,
    beams: int = 5,
    rng: int = 0,
    judges: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """What a decoder reaches whose layers begin with states of one rank, made from the vector.

    Parameters
    ----------
    texts
        Texts, from :func:`helpers.studies.inversion_runs.corpus`.
    decoder
        ``"mamba"``, ``"delta"``, or ``"autoregressive"``, which has no state and stands beside them.
    rank
        Rank of the states; of no effect for ``"autoregressive"``.
    epochs
        Times that each text is seen.
    n_test
        Most test texts.
    beams
        Beams of the search.
    rng
        Seed of weights and batches.
    judges
        ``language``, ``similarity`` and ``states`` of :func:`helpers.studies.inversion_runs.measured`.
    options
        Parameters of :class:`helpers.inversion.Inverter` in place of those of the recorded runs.

    Returns
    -------
    dict
        What :func:`helpers.studies.inversion_runs.measured` gives, and ``weights``: millions of them that make the
        states, or what cross-attention sees, from the vector.
    """
    made = fit_pocket(texts, epochs=epochs, rng=rng, decoder=decoder, rank=max(1, rank), **options)
    found = measured(made, texts, n_test=n_test, beams=beams, rng=rng, **(judges or {}))
    up = made.network_["decoder"].up
    return found | {"weights": sum(part.numel() for part in up.parameters()) / 1e6}


def page_source(source: str) -> None:
    """Refuse a source of :func:`page_texts` that is not there, in words.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no headlines.
    """
    if source != MADE:
        check_source(source)


def source_words(source: str) -> str:
    """What a page calls the texts of a source.

    >>> source_words("documentation"), source_words("letters/of_customers.txt")
    ("sentences of the documentation of Python's libraries", 'lines of of_customers.txt')
    """
    known = {MADE: "a small world of made-up headlines", "headlines": "headlines of three news agencies"}
    known["documentation"] = "sentences of the documentation of Python's libraries"
    return known.get(source, f"lines of {Path(source).name}")


def page_texts(source: str, n_texts: int, *, rng: int = 0) -> Texts:
    """Texts for the trainings of a page.

    Parameters
    ----------
    source
        ``"made up"``: a small world of headlines; else as in :func:`helpers.studies.inversion_runs.corpus`.
    n_texts
        Texts before they are split.
    rng
        Seed of draw and split.
    """
    if source != MADE:
        return corpus(source, n_texts, rng=rng)
    train, validation, test = made_headlines(n_texts, rng=rng)
    return Texts(train, validation, test, np.arange(len(test)))


def bounds_table(bits: pd.DataFrame, source: str) -> pd.DataFrame:
    """What is known of the bits that a vector holds: where it is known how few bits a text takes, a bound from below.

    Parameters
    ----------
    bits
        Table of :func:`helpers.studies.what_it_holds.forms_table` by precision.
    source
        Where the texts are from; only of ``"made up"`` it is known how many bits a perfect language model takes.

    Returns
    -------
    DataFrame
        ``bits`` of a test text in words, a row for each of: what the language model takes, what is left with the
        vector, what the vector saves, what a perfect language model would take, and the least that the vector holds,
        which is that less what is left, or 0.
    """
    import pandas as pd

    alone, saved = bits.loc["float32", ["bits_without", "bits"]]
    rows = {"the language model takes": alone, "left to be told with the vector": alone - saved, "saved by it": saved}
    world = WORLD_BITS if source == MADE else np.nan
    least = np.nan if np.isnan(world) else max(0.0, world - (alone - saved))
    rows |= {"a perfect language model takes": world, "held by the vector, at least": least}
    words = {name: "not known" if np.isnan(value) else f"{value:.2f}" for name, value in rows.items()}
    return pd.DataFrame({"bits": words})


def recorded_as(name: str, reader: Any = None) -> pd.DataFrame | None:
    """Rows of a recorded table, or None where there is none yet.

    Parameters
    ----------
    name
        Path of the table below ``data``.
    reader
        What reads it; by default :func:`helpers.book.data.table`.
    """
    from helpers.book.data import table

    try:
        return (reader or table)(name)
    except FileNotFoundError:
        return None


def width_rows() -> pd.DataFrame | None:
    """Rows of ``data/results/inversion_capacity.csv``, which the plan ``what_it_holds`` makes; None before."""
    found = recorded_as("results/inversion_capacity.csv")
    return None if found is None else found.assign(form=found["form"].astype(str))


def rank_rows() -> pd.DataFrame | None:
    """Rows of ``data/results/inversion_ranks.csv``, which the plans ``state_rank*`` make; None before."""
    return recorded_as("results/inversion_ranks.csv")


def blank_table(columns: Sequence[str]) -> pd.DataFrame:
    """The table of a page where nothing is recorded: a dash in every column."""
    import pandas as pd

    return pd.DataFrame([dict.fromkeys(columns, "–")], index=[NOT_RECORDED])


ENOUGH = 3
"""Seeds from which on a mean over seeds has an interval: with two it says next to nothing of their spread."""


def mean_words(values: Any, spec: str = ".2f") -> str:
    """The mean over seeds in words, with its interval by Student's t where there are three seeds or more.

    >>> mean_words([]), mean_words([0.5, np.nan]), mean_words([0.4, 0.6]), mean_words([0.5, 0.5, 0.5])
    ('–', '0.50', '0.50', '0.50 [0.50, 0.50]')
    """
    from scipy import stats

    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values)]
    if not len(values):
        return "–"
    mean = values.mean()
    if len(values) < ENOUGH:
        return f"{mean:{spec}}"
    half = stats.t.isf(0.025, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{mean:{spec}} [{mean - half:{spec}}, {mean + half:{spec}}]"


def _explained(recorded: pd.DataFrame) -> pd.DataFrame:
    """Recorded rows of vectors with the bits of their texts that they explain, where the language model is recorded."""
    without = recorded[recorded["width"] == 0].set_index("seed")["bits_left"]
    rows = recorded[recorded["width"] > 0]
    alone = rows["seed"].map(without)
    return rows.assign(bits=alone - rows["bits_left"], bits_without=alone)


def capacity_table(recorded: pd.DataFrame | None) -> pd.DataFrame:
    """The recorded widths: means over seeds of bits, bits of a number, and words, of vectors as they are.

    Parameters
    ----------
    recorded
        Rows of :func:`width_rows`, or None.

    Returns
    -------
    DataFrame
        Words for a page, with intervals where there are three seeds; dashes where nothing is recorded.
    """
    import pandas as pd

    columns = ("bits of a text", "bits of a number", "share of its bits", "top-1", "token F1", "seeds")
    if recorded is None or not (recorded["width"] > 0).any():
        return blank_table(columns)
    plain = _explained(recorded)
    plain = plain[plain["form"] == "float32"]
    rows = {}
    for width, some in plain.groupby("width"):
        values = (
            mean_words(some["bits"], ".0f"),
            mean_words(some["bits"] / width, ".2f"),
            mean_words(some["bits"] / some["bits_without"]),
            mean_words(some["top_1"], ".3f"),
            mean_words(some["f1"], ".3f"),
            some["seed"].nunique(),
        )
        rows[width] = dict(zip(columns, values, strict=True))
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("numbers")


def nothing_yet(fig: Figure) -> Figure:
    """The picture of a page where nothing is recorded."""
    fig.text(0.5, 0.5, NOT_RECORDED, ha="center", va="center", color=INK)
    return fig


def capacity_figure(recorded: pd.DataFrame | None) -> Figure:
    """Bits that are explained, of recorded widths: by bits of a number, and by noise in units of the spread."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
    orders = {"precision": list(FORMS), "noise": [f"{sigma:g}" for sigma in SIGMAS]}
    found = None if recorded is None else _explained(recorded).dropna(subset="bits")
    for ax, (kind, order) in zip(axes, orders.items(), strict=True):
        ax.set_xticks(range(len(order)), order, rotation=45, ha="right", rotation_mode="anchor")
        if found is None or found.empty:
            continue
        part = found[found["kind"] == kind]
        for number, (width, rows) in enumerate(part.groupby("width")):
            means = rows.groupby("form")["bits"].mean().reindex(order)
            ax.plot(range(len(order)), means, "o-", color=f"C{number}", label=f"{width} numbers")
        ax.axhline(part["bits_without"].mean(), color=INK, ls=":", lw=1)
        ax.set(ylim=(min(0, part["bits"].min()), None))
    axes[0].set(xlabel="how a number is kept", ylabel="bits of a text explained")
    axes[1].set(xlabel="noise, in spreads")
    if found is None or found.empty:
        return nothing_yet(fig)
    axes[1].legend()
    return fig


def state_losses(ranks: pd.DataFrame | None) -> dict[str, pd.Series]:
    """Token F1 that each kind of state is behind cross-attention, and that rank 4 is behind rank 32, by seed."""
    if ranks is None:
        return {}
    f1 = ranks.pivot_table(index="seed", columns=["decoder", "rank"], values="f1_beams")
    asked = {}
    for name in STATES:
        asked[f"state_{name}"] = ("autoregressive", 0), (name, 32)
        asked[f"rank_{name}"] = (name, 32), (name, 4)
    return {key: (f1[a] - f1[b]).dropna() for key, (a, b) in asked.items() if a in f1 and b in f1}


def state_facts(ranks: pd.DataFrame | None) -> dict[str, str]:
    """What the recorded first states lose, in words.

    Parameters
    ----------
    ranks
        Rows of :func:`rank_rows`, or None.

    Returns
    -------
    dict of str to str
        For each decoder of :data:`STATES`: ``state_…``, token F1 that rank 32 is behind cross-attention, and
        ``rank_…``, that rank 4 is behind rank 32. Means over seeds, as
        :func:`mean_words` writes them.
    """
    found = state_losses(ranks)
    return {
        f"{of}_{name}": mean_words(found.get(f"{of}_{name}", []), "+.3f") for of in ("state", "rank") for name in STATES
    }


def ranks_table(recorded: pd.DataFrame | None) -> pd.DataFrame:
    """Recorded decoders with a first state, by rank, beside the one with cross-attention: means over seeds."""
    import pandas as pd

    columns = ("token F1, beams", "top-1", "millions of weights from the vector", "minutes of a core", "seeds")
    if recorded is None or recorded.empty:
        return blank_table(columns)
    rows = {}
    for (decoder, rank), some in recorded.groupby(["decoder", "rank"]):
        values = (
            mean_words(some["f1_beams"], ".3f"),
            mean_words(some["top_1"], ".3f"),
            f"{some['weights'].mean():.2f}",
            f"{some['cpu_minutes'].mean():.1f}",
            some["seed"].nunique(),
        )
        name = DECODERS.get(decoder, decoder) + ("" if decoder == "autoregressive" else f", rank {rank}")
        rows[name] = dict(zip(columns, values, strict=True))
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("decoder")


def ranks_figure(recorded: pd.DataFrame | None) -> Figure:
    """Token F1 by the rank of the first state, every seed a point; across, the decoder with cross-attention."""
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(5.5, 3), layout="constrained")
    ax.set(xlabel="rank of the first state of each head", ylabel="token F1, beams")
    if recorded is None or recorded.empty:
        ax.set(xticks=[], yticks=[])
        return nothing_yet(fig)
    for number, (decoder, rows) in enumerate(recorded.groupby("decoder")):
        colour = f"C{number}"
        if decoder == "autoregressive":
            for value in rows["f1_beams"]:
                ax.axhline(value, color=INK, lw=0.8, ls=":")
            ax.axhline(rows["f1_beams"].mean(), color=INK, label=DECODERS[decoder])
            continue
        means = rows.groupby("rank")["f1_beams"].mean()
        ax.plot(rows["rank"], rows["f1_beams"], "o", ms=3, color=colour, alpha=0.5)
        ax.plot(means.index, means, "-", color=colour, label=DECODERS.get(decoder, decoder))
    ax.set_ylim(0, None)
    ax.set_xscale("log", base=2)
    ticks = sorted(set(recorded["rank"]) - {0})
    ax.set_xticks(ticks, ticks)
    ax.minorticks_off()
    ax.legend()
    return fig
