"""Recorded trainings of the page "A sentence in one vector": tables of them, and differences within seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from helpers.studies.inversion_runs import POCKET, POSITIONS
from helpers.studies.vector_runs import DECODERS, blank_table, mean_words

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AS_PUBLISHED",
    "COSTS",
    "OWN",
    "RUN_COLUMNS",
    "chosen_runs",
    "differences",
    "places_table",
    "runs_table",
    "trainings_facts",
]

AS_PUBLISHED = {"encoder": "frozen", "pooling": "attention", "decoder": "autoregressive", "width": POCKET["width"]}
"""The recorded runs that are most like the published ones: a pretrained encoder that stays as it is."""

OWN = {"encoder": "own", "pooling": "heads", "decoder": "autoregressive", "width": POCKET["width"]}
"""The recorded runs whose encoder is trained with the decoder from the beginning."""

COSTS = ("seconds_greedy", "seconds_beams", "cpu_minutes")
"""What depends on the machine."""

RUN_COLUMNS = {
    "written": {
        "top_1": ("tokens right, all before given", ".3f"),
        "top_1_language": ("by a language model", ".3f"),
        "f1_greedy": ("token F1, likeliest token", ".3f"),
        "f1_beams": ("token F1, beams", ".3f"),
        "f1_beams_shuffled": ("of another's vector", ".3f"),
        "f1_beams_centre": ("of the mean vector", ".3f"),
        "f1_beams_language": ("likeliest text of a language model", ".3f"),
        "f1_beams_drawn": ("texts drawn from it", ".3f"),
        "bleu_beams": ("BLEU, of 100", ".1f"),
        "chrf_beams": ("chrF, of 100", ".1f"),
    },
    "said": {
        "facts_kept": ("facts kept", ".2f"),
        "facts_changed": ("changed", ".2f"),
        "facts_lost": ("lost", ".2f"),
        "facts_invented": ("invented, a fact of the text", ".2f"),
        "similarity": ("nearness in meaning", ".2f"),
        "similarity_shuffled": ("nearness, another's vector", ".2f"),
        "similarity_language": ("nearness, language model", ".2f"),
        "state_f1": ("token matching", ".2f"),
        "state_f1_shuffled": ("matching, another's vector", ".2f"),
        "seconds_greedy": ("seconds, likeliest token", ".1f"),
        "seconds_beams": ("seconds, beams", ".1f"),
        "cpu_minutes": ("minutes of training", ".1f"),
    },
}
"""What the tables of trainings show, where it is recorded; facts as shares of those of the texts."""

_POOLINGS = {"first": "CLS", "mean": "mean", "attention": "attention, one head", "heads": "attention, several heads"}
_ENCODERS = ("own", "frozen", "trained")

FLOORS_SAID = {"shuffled": "another's vector", "language": "no vector"}
"""Floors that are recorded of the tokens at each place, as pages call them."""


def runs_table(
    recorded: pd.DataFrame | None, prompted: pd.DataFrame | None = None, *, what: str = "written"
) -> pd.DataFrame:
    """Recorded trainings by decoder, pooling and encoder, means over seeds.

    Parameters
    ----------
    recorded
        Rows of ``data/results/inversion.csv``, which the plans ``notebooks/runs/one_vector*.yml`` make; or None.
    prompted
        Rows of ``data/results/prompted.csv``, or None.
    what
        Key of :data:`RUN_COLUMNS`.

    Returns
    -------
    DataFrame
        Words for a page: the columns of that part of :data:`RUN_COLUMNS` that are recorded, with intervals over seeds
        by Student's t where there are enough, of costs the least, since machines and their load differ; training texts
        and seeds are counted. Dashes where nothing is recorded.
    """
    import pandas as pd

    shown, parts = RUN_COLUMNS[what], []
    if recorded is not None and len(recorded):
        parts.append(recorded)
    if prompted is not None and len(prompted):
        words = prompted["lora"].map(lambda rank: "frozen" if rank == 0 else f"updates of rank {rank}")
        about = {"decoder": prompted["model"] + ", " + words, "pooling": "mean", "encoder": "frozen", "width": "–"}
        renamed = {f"f1_{floor}": f"f1_beams_{floor}" for floor in ("shuffled", "centre", "language", "drawn")}
        renamed["seconds"] = "seconds_greedy"
        parts.append(prompted.rename(columns=renamed).assign(**about, f1_greedy=prompted["f1"]))
    columns = [said for said, _ in shown.values()]
    if not parts:
        return blank_table([*columns, "texts", "seeds"])
    rows = {}
    for part in parts:
        for which, some in part.groupby(["decoder", "pooling", "encoder", "width"], sort=False):
            if "facts_all" in some:
                counts = [name for name in shown if name.startswith("facts_") and name in some]
                some = some.assign(**{name: some[name] / some["facts_all"] for name in counts})
            line = {
                said: f"{some[name].min():{spec}}" if name in COSTS else mean_words(some[name], spec)
                for name, (said, spec) in shown.items()
                if name in some
            }
            decoder, pooling, *more = which
            names = (DECODERS.get(decoder, decoder), _POOLINGS.get(pooling, pooling), *more)
            counted = {"texts": f"{some['n_train'].mean():.0f}", "seeds": some["seed"].nunique()}
            rows[names] = line | counted
    rows = {name: rows[name] for name in sorted(rows, key=_place)}
    index = pd.MultiIndex.from_tuples(rows, names=["decoder", "pooling", "encoder", "width"])
    table = pd.DataFrame(list(rows.values()), index=index).fillna("–")
    return table[[said for said in [*columns, "texts", "seeds"] if said in table]]


def _place(row: tuple[Any, ...]) -> tuple[int, ...]:
    """Where a row of decoder, pooling and encoder stands: decoder by decoder, encoder by encoder, and others last."""
    orders = (list(DECODERS.values()), _ENCODERS, list(_POOLINGS.values()))
    decoder, pooling, encoder = row[:3]
    return tuple(
        order.index(name) if name in order else len(order)
        for order, name in zip(orders, (decoder, encoder, pooling), strict=True)
    )


def places_table(recorded: pd.DataFrame | None) -> pd.DataFrame:
    """Share of tokens that are the likeliest, by their place in the text, all before them being right.

    Parameters
    ----------
    recorded
        Rows of ``data/results/inversion.csv``, or None.

    Returns
    -------
    DataFrame
        A column for each of :data:`helpers.studies.inversion_runs.POSITIONS`; rows for :data:`AS_PUBLISHED` and
        :data:`OWN`, each with its floors beneath, means over seeds in words.
    """
    import pandas as pd

    out = {}
    for said, chosen in (("frozen, attention", AS_PUBLISHED), ("own, heads", OWN)):
        rows = None if recorded is None else chosen_runs(recorded, chosen)
        if rows is None or rows.empty:
            continue
        for floor, words in {"": said, **{f"_{name}": f"{said}: {FLOORS_SAID[name]}" for name in FLOORS_SAID}}.items():
            names = {place: f"top_1_at_{place}{floor}" for place in POSITIONS}
            if set(names.values()) <= set(rows):
                out[words] = {place: mean_words(rows[name]) for place, name in names.items()}
    if not out:
        return blank_table([str(place) for place in POSITIONS])
    return pd.DataFrame.from_dict(out, orient="index").rename_axis("tokens right at place")


def trainings_facts(recorded: pd.DataFrame | None) -> dict[str, str]:
    """Differences within seeds of which the text of the page speaks, in words.

    Parameters
    ----------
    recorded
        Rows of ``data/results/inversion.csv``, or None.

    Returns
    -------
    dict of str to str
        ``iterative``: token F1 that a few passes gain over one, both by the likeliest token; ``attention_own``: share
        of tokens right that attention pooling with one head gains over CLS with an encoder of its own; ``heads_own``:
        the same of several heads over one. Means over seeds, as :func:`helpers.studies.vector_runs.mean_words` writes
        them; a dash where nothing is recorded.
    """
    asked = {
        "iterative": ({"decoder": "iterative"}, {"decoder": "one_pass"}, "f1_greedy"),
        "attention_own": ({"pooling": "attention"}, {"pooling": "first"}, "top_1"),
        "heads_own": ({}, {"pooling": "attention"}, "top_1"),
    }
    out = {}
    for name, (first, second, measure) in asked.items():
        sides = [({**OWN, **side}, measure) for side in (first, second)]
        out[name] = mean_words([] if recorded is None else differences(recorded, *sides), "+.3f")
    return out


def chosen_runs(recorded: pd.DataFrame, chosen: Mapping[str, Any]) -> pd.DataFrame:
    """The rows with these values in these columns."""
    for name, value in chosen.items():
        recorded = recorded[recorded[name] == value]
    return recorded


def differences(recorded: pd.DataFrame, first: tuple[Mapping[str, Any], str], second: tuple[Any, str]) -> pd.Series:
    """A column of one kind of runs less one of another, by seed, in the seeds that have both."""
    import pandas as pd

    parts = [chosen_runs(recorded, chosen).set_index("seed", verify_integrity=True) for chosen, _ in (first, second)]
    if not all(column in recorded for _, column in (first, second)):
        return pd.Series(dtype=float)
    return (parts[0][first[1]] - parts[1][second[1]]).dropna()
