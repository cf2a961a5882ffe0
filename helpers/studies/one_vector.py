"""What the page "A sentence in one vector" shows: sentences and what comes back of them, poolings, decoders, claims."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count
from helpers.book.style import INK
from helpers.inference import Claim, Finding, absent, format_interval
from helpers.inversion import Inverter, against_floors, facts_kept
from helpers.inversion.inverter import checked_texts
from helpers.inversion.measures import words_of
from helpers.studies.collapse_page import mean_finding
from helpers.studies.inversion_measures import OUTCOMES
from helpers.studies.inversion_runs import FLOORS, POCKET, check_source, corpus
from helpers.studies.one_vector_runs import AS_PUBLISHED, OWN, chosen_runs, differences
from helpers.studies.vector_runs import source_words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "CLAIMS",
    "COLUMNS",
    "MADE_UP",
    "against",
    "bertscores",
    "check_vector_choices",
    "facts",
    "facts_table",
    "findings",
    "heads_figure",
    "likeliest_figure",
    "live_inverter",
    "own_facts",
    "facts_of_runs",
    "scores_table",
    "shipped_table",
    "written_figure",
]

MADE_UP = (
    "Oil falls for a third day as traders fear weak demand",
    "Boeing wins USD 3 billion order from Turkish airline",
    "Bank of England leaves rates alone for a fifth month",
    "Tesla shares rise 5% after record deliveries",
    "UK retail sales drop 1.2% in December",
    "Apple supplier cuts forecast as iPhone demand slows",
    "Germany's economy shrinks for the first time in three years",
    "Fed will not raise rates this year, official says",
    "Gold climbs to two-month high as dollar weakens",
    "Volkswagen to invest 2 billion euros in electric cars",
    "Tesco to cut 4,500 jobs at its largest stores",
    "China's exports grow faster than expected in March",
    "Amazon denies plan to buy British supermarket",
    "Airbus loses order for 20 planes",
    "Ryanair profits fall after pilot strikes",
    "Wall Street slides on trade war worries",
    "Netflix adds 8 million subscribers, shares jump",
    "Carmakers warn of no-deal Brexit",
    "Italy's government rejects budget demands from Brussels",
    "HSBC names new chief executive",
    "Barclays to pay USD 2 billion to settle mortgage case",
    "Saudi Aramco delays its stock market listing",
    "Pound hits lowest level against the euro since 2017",
    "Goldman Sachs to hire 300 people in Frankfurt",
    "Nissan never considered leaving Sunderland, says chief",
    "Facebook fined GBP 500,000 over data breach",
    "House prices in London fall 3% in a year",
    "Marks & Spencer to close 14 stores",
    "General Motors recalls one million trucks",
    "Deutsche Bank says no to a merger with Commerzbank",
)
"""Headlines that were made up for the page, in the manner of the agencies: none is a near duplicate (a cosine of words
of 0.7 or more) of a headline of theirs."""

NAMES = frozenset(
    "boeing turkish england tesla uk apple iphone germany fed volkswagen tesco china amazon british airbus ryanair "
    "netflix brexit italy brussels hsbc barclays saudi aramco goldman sachs frankfurt nissan sunderland facebook "
    "london marks spencer general motors deutsche commerzbank bank wall street december march usd gbp".split()
)
"""Words of them that are names."""

COLUMNS = {
    "read": "from its vector",
    "shuffled": "from another's vector",
    "centre": "from the mean vector",
}
"""What is written of what, as pages call it."""

BESIDE = {"shuffled": "another's vector", "centre": "mean vector", "language": "no vector", "drawn": "no vector, drawn"}
"""Floors of the inverter of the book, as narrow columns call them; of a language model the likeliest text, and one that
is drawn."""

NO_MODEL = "the encoder that computes BERTScore is not named"
"""Why BERTScore is not judged by the book itself, which has no such encoder."""

NOT_YET = "fewer than two seeds are recorded"

SHIPPED = {
    "top_1": "tokens that are the likeliest, all before given",
    "top_5": "tokens among the five likeliest",
    "token_f1": "token F1",
    "token_f1 apart": "token F1 of what training does not tell again",
    "exact": "right word for word",
    "bleu": "BLEU, of 100",
    "chrf": "chrF, of 100",
    "repetition": "words that are repeated",
    "facts number": "numbers kept",
    "facts number changed": "numbers changed",
    "facts number invented": "numbers invented, a number of the text",
    "facts name": "names kept",
    "facts direction": "directions kept",
    "facts negation": "negations kept",
    "seconds": "seconds",
}
"""What the page shows of the inverter of the book, by the measures of ``data/results/inverter.csv``."""

_BERT = {
    "models": "decoders of one vector of an encoder like BERT",
    "source": "mikheev2025invertible",
    "spec": "+.3f",
}
_TOP = "share of tokens that are the likeliest, all before them being right"

CLAIMS = {
    "attention": Claim(
        "Attention pooling beats CLS, the encoder being frozen", f"{_TOP}, gained by it", published=0.096, **_BERT
    ),
    "attention_trained": Claim(
        "Attention pooling beats CLS, the encoder being trained", f"{_TOP}, gained by it", published=0.096, **_BERT
    ),
    "freezing": Claim(
        "Freezing makes the gap: attention pooling gains less where the encoder is trained further",
        f"{_TOP}: what attention pooling gains with a frozen encoder less what it gains with a trained one",
        **(_BERT | {"source": ""}),
    ),
    "one_pass": Claim(
        "A decoder that writes token after token is right far more often than one of a single pass",
        f"{_TOP}, gained by it",
        **_BERT,
    ),
    "five": Claim(
        "The right token is among the five likeliest far more often than it is the likeliest",
        "top-5 less top-1 share",
        published=0.18,
        **_BERT,
    ),
    "beams": Claim(
        "Beams repeat less than the likeliest token does",
        "share of repeated words, beams less greedy",
        side="less",
        **_BERT,
    ),
    "bertscore": Claim(
        "A wide vector reaches a BERTScore of 0.675",
        "BERTScore",
        published=0.675,
        null=0.675,
        **(_BERT | {"spec": ".3f"}),
    ),
}
"""What is said of decoders of one vector."""


def check_vector_choices(
    *,
    sentence: str,
    source: str,
    beams: int,
    n_texts: int,
    epochs: int,
    width: int,
    encoder: str = "own",
    train_encoder: bool = False,
    bertscore: str = "",
    bertscore_layer: int = 0,
) -> None:
    """Refuse what the page could not do.

    Parameters
    ----------
    sentence
        A sentence that is not blank.
    source
        Same meaning as in :func:`helpers.studies.inversion_runs.corpus`.
    beams
        Beams of the search, 2 at least, so that they can be compared with none.
    n_texts
        Sentences of the live training, at least 100.
    epochs
        Times that it sees each, at least 1.
    width
        Width of its vector, a multiple of 8.
    encoder
        ``"own"``, or folder or name on the hub of the encoder of the live training.
    train_encoder
        Whether that encoder is trained further.
    bertscore
        Folder or name on the hub of the encoder that computes BERTScore; empty: none.
    bertscore_layer
        Layer of that encoder whose states are matched; 0 for the last.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If one of them is out of range, or source or encoders are not there.
    """
    from helpers.encoders.extraction import resolve_model

    checked_texts([sentence], "sentence")
    check_source(source)
    if encoder != "own":
        resolve_model(encoder)
    if bertscore:
        resolve_model(bertscore)
    if check_count(bertscore_layer, "bertscore_layer", least=0) and not bertscore:
        raise ValueError(f"bertscore_layer is {bertscore_layer} and bertscore is empty; name its encoder, or 0")
    if not isinstance(train_encoder, bool):
        raise TypeError(f"train_encoder is {train_encoder!r}; True or False is needed")
    if train_encoder and encoder == "own":
        raise ValueError("train_encoder is True and encoder 'own', which is trained anyway; name an encoder, or False")
    check_count(beams, "beams", least=2)
    check_count(n_texts, "n_texts", least=100)
    check_count(epochs, "epochs")
    if check_count(width, "width", least=8) % POCKET["n_heads"]:
        raise ValueError(f"width is {width}; a multiple of {POCKET['n_heads']} is needed, one share for each head")


def written_figure(
    texts: Sequence[str],
    written: Mapping[str, Sequence[str]],
    *,
    labels: Mapping[str, str] = COLUMNS,
    wide: int = 74,
) -> Figure:
    """Sentences and what is written of vectors, words that are right in colour.

    Parameters
    ----------
    texts
        A few sentences.
    written
        What was written, by the name of what it was written of; keys of ``labels``.
    labels
        What the picture calls them.
    wide
        Letters of a line.

    Returns
    -------
    Figure
    """
    import matplotlib.pyplot as plt

    lines, size = len(texts) * (len(written) + 2), 8.4
    letter = 0.602 * size / 72  # of the font with letters of one width, in inches
    fig = plt.figure(figsize=((wide + 24) * letter, 0.22 * lines), layout="none")
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, wide + 24), ylim=(lines - 0.5, -0.5))
    ax.axis("off")
    font = {"family": "DejaVu Sans Mono", "size": size, "va": "center"}
    row = 0
    for number, text in enumerate(texts):
        ax.text(0, row, "the sentence", color=INK, **font)
        ax.text(24, row, text[:wide], color=INK, weight="bold", **font)
        for name, column in written.items():
            row += 1
            ax.text(0, row, labels[name], color=INK, **font)
            at = 24
            for word, right in marked(text, column[number]):
                if at + len(word) > wide + 24:
                    ax.text(at, row, "…", color=INK, **font)
                    break
                ax.text(at, row, word, color="C0" if right else "C3", weight="bold" if right else "normal", **font)
                at += len(word) + 1
        row += 2
    return fig


def marked(text: str, written: str) -> list[tuple[str, bool]]:
    """Words of what was written, and whether the sentence has each, counted with repetition.

    >>> marked("Oil falls again", "oil falls and falls")
    [('oil', True), ('falls', True), ('and', False), ('falls', False)]
    """
    left = Counter(words_of(text))
    out = []
    for piece in written.split():
        own = words_of(piece)
        right = bool(own) and all(left[word] > 0 for word in own)
        left.subtract(own if right else ())
        out.append((piece, right))
    return out


def against(texts: Sequence[str], read: Sequence[str], below: Mapping[str, Sequence[str]], *, rng: int = 0) -> Any:
    """What was read of the made-up headlines beside both floors: :func:`helpers.inversion.against_floors`."""
    return against_floors(texts, read, below, names=NAMES, rng=rng)


def scores_table(found: pd.DataFrame) -> pd.DataFrame:
    """The table of :func:`helpers.inversion.against_floors` for a page: each number with its interval.

    There is no gain where higher is not better, and beside all stands what the sentences themselves have. What became
    of facts that were not kept is left to :func:`facts_table`.
    """
    import pandas as pd

    rows = {}
    for measure, row in found.iterrows():
        if measure.rpartition(" ")[2] in OUTCOMES[1:]:
            continue
        spec = ".0f" if measure in ("bleu", "chrf") else ".2f"
        rows[measure] = {
            said: format_interval(row, name, (f"{name}_ci_low", f"{name}_ci_high"), spec=spec) or "–"
            for name, said in {**COLUMNS, "gain": "gain over the higher floor"}.items()
        }
        rows[measure]["the sentences themselves"] = f"{row['originals']:{spec}}"
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("measure")


def facts_table(texts: Sequence[str], written: Sequence[str]) -> pd.DataFrame:
    """Facts of the made-up headlines, by kind: how many there are, and what became of them."""
    found = facts_kept(texts, written, NAMES)
    return found.groupby("kind", sort=False)[["facts", "kept", "changed", "lost", "invented"]].sum()


def heads_figure(weights: np.ndarray, tokens: Sequence[str]) -> Axes:
    """Weights of the heads of a pooling over the tokens of a sentence.

    Parameters
    ----------
    weights : ndarray of shape (tokens, heads)
        Each column sums to 1.
    tokens
        Words for the rows.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(1.2 + 0.42 * len(tokens), 0.5 + 0.28 * weights.shape[1]))
    shown = ax.imshow(np.asarray(weights).T, cmap="Blues", vmin=0, aspect="auto")
    ax.set_xticks(range(len(tokens)), tokens, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(weights.shape[1]), range(1, weights.shape[1] + 1))
    ax.set(ylabel="head")
    fig.colorbar(shown, ax=ax, label="weight")
    return ax


def live_inverter(
    source: str,
    *,
    n_texts: int,
    epochs: int,
    width: int,
    beams: int,
    encoder: str = "own",
    train_encoder: bool = False,
    rng: int = 0,
) -> tuple[Inverter, pd.DataFrame, pd.DataFrame]:
    """A small inverter, trained on the page, and what it reads of sentences that it never saw.

    Parameters
    ----------
    source, n_texts
        Same meaning as in :func:`helpers.studies.inversion_runs.corpus`.
    epochs
        Times that each sentence is seen.
    width
        Width of the vector.
    beams
        Beams of the search.
    encoder, train_encoder
        Same meaning as in :class:`helpers.inversion.Inverter`.
    rng
        Seed of split, weights and batches.

    Returns
    -------
    tuple
        The inverter; the table of :func:`helpers.inversion.against_floors` over at most 100 test sentences, whose
        ``attrs`` count the texts that were ``repeated`` and left out, those ``near`` to another, and the training texts
        that were ``truncated`` to ``length`` tokens; ``text`` and ``read`` of each test sentence.
    """
    import pandas as pd

    from helpers.inversion import floors
    from helpers.studies.inversion_runs import fit_pocket

    texts = corpus(source, n_texts, rng=rng)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*were truncated")  # they are counted below
        which = "own" if encoder == "own" else "trained" if train_encoder else "frozen"
        options = {"encoder": which, "model": encoder, "precision": "auto"}
        made = fit_pocket(texts, epochs=epochs, width=width, rng=rng, **options)
        test = texts.test[:100]
        x = made.encode(test)
    read = made.decode(x, beams=beams)
    found = against_floors(test, read, floors(made, x), groups=texts.groups[:100], rng=rng)
    found.attrs |= {"repeated": texts.repeated, "near": texts.near}
    found.attrs |= {"truncated": len(made.truncated_), "length": made.length}
    return made, found, pd.DataFrame({"text": test, "read": read})


def own_facts(made: Inverter, found: pd.DataFrame, source: str) -> dict[str, Any]:
    """What the text of the page says of the inverter that was trained on it.

    Parameters
    ----------
    made, found
        The inverter and its table of scores, as :func:`live_inverter` gives them.
    source
        Name of the source of its texts.
    """
    row, f1 = made.log_[-1], found.loc["token_f1"]
    out = {"tokens": row["tokens"], "seconds": 60 * row["cpu_minutes"], "source": source_words(source), **found.attrs}
    return out | {"f1": f1["read"], "floor": max(f1["shuffled"], f1["centre"])}


def facts(found: pd.DataFrame, kept: pd.DataFrame) -> dict[str, Any]:
    """What the text of the page says in numbers of the made-up headlines.

    Parameters
    ----------
    found
        Table of :func:`helpers.inversion.against_floors`.
    kept
        Table of :func:`facts_table`.
    """
    f1 = found.loc["token_f1"]
    out = {"n": len(MADE_UP), "f1": f1["read"], "f1_low": f1["read_ci_low"], "f1_high": f1["read_ci_high"]}
    out |= {"f1_shuffled": f1["shuffled"], "f1_centre": f1["centre"], "exact": found.loc["exact"]["read"]}
    return out | {name: int(kept[name].sum()) for name in ("facts", "kept", "changed", "invented")}


def shipped_table(shipped: pd.DataFrame) -> pd.DataFrame:
    """What the inverter of the book reads of test headlines, by the likeliest token and by beams, beside its floors.

    Parameters
    ----------
    shipped
        Rows of ``data/results/inverter.csv``: one beam, and several.

    Returns
    -------
    DataFrame
        A row for each measure of :data:`SHIPPED`, in words, with intervals over headlines where they are recorded, and
        the floors of beams without.
    """
    import pandas as pd

    ways = {("likeliest token" if n == 1 else f"{n} beams"): part for n, part in shipped.groupby("beams")}
    rows: dict[str, dict[str, str]] = {}
    for way, part in ways.items():
        part = part.set_index("measure")
        for measure in [name for name in SHIPPED if name in part.index]:
            rows.setdefault(SHIPPED[measure], {})[way] = _read_words(part.loc[measure], "read")
    last = shipped[shipped["beams"] == shipped["beams"].max()].set_index("measure")
    for measure in [name for name in SHIPPED if name in last.index]:
        for floor in [floor for floor in BESIDE if floor in last]:
            rows[SHIPPED[measure]][BESIDE[floor]] = _read_words(last.loc[measure][[floor]], floor)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("measure")


def _read_words(row: pd.Series, name: str) -> str:
    if np.isnan(row[name]):
        return "–"
    spec = ".1f" if row[name] > 1 else ".2f"
    limits = (f"{name}_ci_low", f"{name}_ci_high")
    return (
        f"{row[name]:{spec}}" if np.isnan(row.get(limits[0], np.nan)) else format_interval(row, name, limits, spec=spec)
    )


def facts_of_runs(shipped: pd.DataFrame) -> dict[str, Any]:
    """What the text of the page says of the inverter of the book in numbers, from ``data/results/inverter.csv``.

    Parameters
    ----------
    shipped
        Rows of that table: one beam, and several.
    """
    ways = [shipped[(shipped["beams"] > 1) == many].set_index("measure") for many in (False, True)]
    greedy, beams = ways[0]["read"], ways[1]["read"]
    out = {"n": int(ways[1]["n"].iloc[0]), "minutes": ways[1]["cpu_minutes"].iloc[0], "beams": ways[1]["beams"].iloc[0]}
    out |= {"f1_greedy": greedy["token_f1"], "exact_greedy": greedy["exact"], "seconds_greedy": greedy["seconds"]}
    out |= {"f1": beams["token_f1"], "exact": beams["exact"], "seconds": beams["seconds"]}
    out |= {"top_1": beams["top_1"], "top_5": beams["top_5"], "f1_low": ways[1]["read_ci_low"]["token_f1"]}
    out |= {"f1_high": ways[1]["read_ci_high"]["token_f1"]}
    out |= {"again": beams.get("told again", np.nan), "f1_apart": beams.get("token_f1 apart", np.nan)}
    out["f1_floor"] = ways[1].loc["token_f1", [floor for floor in FLOORS if floor in ways[1]]].max()
    return out | {f"{kind}s": beams[f"facts {kind}"] for kind in ("number", "name", "direction")}


def likeliest_figure(recorded: pd.DataFrame | None, shipped: pd.DataFrame, published: pd.DataFrame) -> Axes:
    """How often the right token is among the k likeliest, all tokens before it being right.

    Parameters
    ----------
    recorded
        Rows of ``data/results/inversion.csv``, or None; those of :data:`AS_PUBLISHED` and :data:`OWN` are drawn, every
        seed a thin line.
    shipped
        Rows of ``data/results/inverter.csv``.
    published
        Rows of ``data/published/inversion_topk.csv``.
    """
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(6.5, 3.4))
    for number, (dim, rows) in enumerate(published.groupby("dim")):
        ax.plot(rows["k"], rows["share"], "s--", color=INK, alpha=0.5 + 0.5 * number, ms=4, label=f"published, {dim}")
    measures = shipped[shipped["beams"] == shipped["beams"].max()].set_index("measure")["read"]
    found = {int(name[4:]): value for name, value in measures.items() if str(name)[:4] == "top_"}
    ax.plot(sorted(found), [found[k] for k in sorted(found)], "o-", color="C2", label="the inverter of the book")
    for colour, said, chosen in (
        ("C0", "recorded, frozen, attention", AS_PUBLISHED),
        ("C1", "recorded, own, heads", OWN),
    ):
        rows = chosen_runs(recorded, chosen) if recorded is not None else None
        if rows is None or rows.empty:
            continue
        at = sorted(int(name[4:]) for name in rows if name[:4] == "top_" and name[4:].isdigit())
        tops = rows[[f"top_{k}" for k in at]]
        ax.plot(at, tops.T, color=colour, lw=0.6, alpha=0.6)
        ax.plot(at, tops.mean(), "o-", color=colour, label=f"{said} (seeds: {len(rows)})")
        for floor, style in (("shuffled", ":"), ("language", "-.")):
            if all(f"top_{k}_{floor}" in rows for k in at):
                label = f"{said.removeprefix('recorded, ')}: {BESIDE[floor]}"
                ax.plot(at, [rows[f"top_{k}_{floor}"].mean() for k in at], ls=style, color=colour, lw=1, label=label)
    ks = sorted(set(published["k"]))
    ax.set_xscale("log")
    ax.set_xticks(ks, ks)
    ax.minorticks_off()
    ax.set(xlabel="k", ylabel="share of tokens", ylim=(0, 1.02))
    ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)  # among so many lines is no room
    return ax


def bertscores(examples: pd.DataFrame, model: str, layer: int = 0) -> np.ndarray | None:
    """F of BERTScore of each text and what was read of its vector; None without a model.

    Parameters
    ----------
    examples
        Columns ``text`` and ``read``, from :func:`live_inverter`.
    model, layer
        Same meaning as in :func:`check_vector_choices`.
    """
    from helpers.inversion import matching_scores

    if not model:
        return None
    return matching_scores(list(examples["text"]), list(examples["read"]), model, layer=layer or None)["f1"].to_numpy()


def findings(recorded: pd.DataFrame | None, matched: np.ndarray | None = None) -> dict[str, Finding]:
    """What the recorded runs say of :data:`CLAIMS`, with seeds as units.

    Parameters
    ----------
    recorded
        Rows of ``data/results/inversion.csv``, or None.
    matched
        BERTScore of texts of the page, which are its units, from :func:`bertscores`; or None.

    Returns
    -------
    dict of str to Finding
        Means of differences within seeds; what has no two seeds with both sides recorded is absent.
    """
    published, trained = AS_PUBLISHED, {**AS_PUBLISHED, "encoder": "trained"}
    asked = {
        "attention": ((published, "top_1"), ({**published, "pooling": "first"}, "top_1")),
        "attention_trained": ((trained, "top_1"), ({**trained, "pooling": "first"}, "top_1")),
        "one_pass": ((OWN, "top_1"), ({**OWN, "decoder": "one_pass"}, "top_1")),
        "five": ((published, "top_5"), (published, "top_1")),
        "beams": ((published, "repetition_beams"), (published, "repetition_greedy")),
    }
    out = {"bertscore": absent(NO_MODEL)}
    if matched is not None:
        out["bertscore"] = mean_finding(CLAIMS["bertscore"], matched)._replace(units="sentences")
    gains = {key: differences(recorded, *sides) for key, sides in asked.items()} if recorded is not None else {}
    if gains:
        gains["freezing"] = (gains["attention"] - gains["attention_trained"]).dropna()
    for key in CLAIMS.keys() - out.keys():
        values = gains.get(key, ())
        out[key] = mean_finding(CLAIMS[key], np.asarray(values)) if len(values) > 1 else absent(NOT_YET)
    return {key: out[key] for key in CLAIMS}
