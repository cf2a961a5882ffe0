"""What the page "A sentence in one vector" shows: sentences and what comes back of them, poolings, decoders, claims."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count
from helpers.book.style import INK
from helpers.inference import Claim, Finding, absent, format_interval, paired_finding
from helpers.inversion import Inverter, against_floors, facts_kept, inversion_scores, token_accuracy
from helpers.inversion.inverter import checked_texts
from helpers.inversion.measures import words_of
from helpers.studies.collapse_page import mean_finding
from helpers.studies.inversion_runs import POCKET, check_source, corpus

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "CLAIMS",
    "COLUMNS",
    "MADE_UP",
    "against",
    "check_vector_choices",
    "facts",
    "facts_table",
    "findings",
    "forced_table",
    "heads_figure",
    "live_inverter",
    "own_facts",
    "facts_of_runs",
    "recorded_runs",
    "scores_table",
    "sentence_shares",
    "side_by_side",
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

NOT_YET = "fewer than two seeds are recorded"

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
    "bertscore": Claim("A wide vector reaches a BERTScore of 0.675", "BERTScore", published=0.675, **_BERT),
}
"""What is said of decoders of one vector."""


def check_vector_choices(*, sentence: str, source: str, beams: int, n_texts: int, epochs: int, width: int) -> None:
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

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If one of them is out of range, or the source is not there.
    """
    checked_texts([sentence], "sentence")
    check_source(source)
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
    """The table of :func:`helpers.inversion.against_floors` for a page: each number with its interval."""
    import pandas as pd

    rows = {}
    for measure, row in found.iterrows():
        spec = ".0f" if measure in ("bleu", "chrf") else ".2f"
        rows[measure] = {
            said: format_interval(row, name, (f"{name}_ci_low", f"{name}_ci_high"), spec=spec)
            for name, said in {**COLUMNS, "gain": "gain over the higher floor"}.items()
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("measure")


def side_by_side(texts: Sequence[str], ways: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Mean scores of what was written in several ways: a row for each, and one for the sentences themselves."""
    import pandas as pd

    rows = {name: inversion_scores(texts, written).mean() for name, written in {**ways, "themselves": texts}.items()}
    return pd.DataFrame(rows).T[["exact", "token_f1", "chrf", "repetition"]]


def forced_table(inverter: Inverter, texts: Sequence[str], *, ks: Sequence[int] = (1, 5)) -> pd.DataFrame:
    """Teacher forcing: how often the next token is among the likeliest, from its own vector and from another's.

    Parameters
    ----------
    inverter
        A fitted inverter with an encoder.
    texts
        Sentences, two at least.
    ks
        Numbers of tokens.

    Returns
    -------
    DataFrame
        Two rows; ``top_K`` for each k, and ``bits`` of a token.
    """
    import pandas as pd

    x = inverter.encode(texts)
    rows = {}
    for name, order in (("read", slice(None)), ("shuffled", np.roll(np.arange(len(texts)), 1))):
        found = token_accuracy(inverter, texts, vectors=x[order], ks=ks).attrs["all"]
        rows[COLUMNS[name]] = {f"top_{k}": found[f"top_{k}"] for k in ks} | {"bits": found["nats"] / np.log(2)}
    return pd.DataFrame.from_dict(rows, orient="index")


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
    shown = ax.imshow(np.asarray(weights).T, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.set_xticks(range(len(tokens)), tokens, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(weights.shape[1]), range(1, weights.shape[1] + 1))
    ax.set(ylabel="head")
    fig.colorbar(shown, ax=ax, label="weight")
    return ax


def live_inverter(
    source: str, *, n_texts: int, epochs: int, width: int, beams: int, rng: int = 0
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
    rng
        Seed of split, weights and batches.

    Returns
    -------
    tuple
        The inverter; the table of :func:`helpers.inversion.against_floors` over at most 100 test sentences; ``text``
        and ``read`` of each.
    """
    import pandas as pd

    from helpers.inversion import floors
    from helpers.studies.inversion_runs import fit_pocket

    texts = corpus(source, n_texts, rng=rng)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*were truncated")  # the length is the same for all, and short
        made = fit_pocket(texts, epochs=epochs, width=width, rng=rng, precision="auto")
        test = texts.test[:100]
        x = made.encode(test)
    read = made.decode(x, beams=beams)
    found = against_floors(test, read, floors(made, x), groups=texts.groups[:100], rng=rng)
    return made, found, pd.DataFrame({"text": test, "read": read})


def _differences(recorded: pd.DataFrame, column: str, first: Mapping[str, str], second: Mapping[str, str]) -> Any:
    """Values of one kind of runs less those of another, by seed."""
    parts = []
    for chosen in (first, second):
        rows = recorded
        for name, value in chosen.items():
            rows = rows[rows[name] == value]
        parts.append(rows.set_index("seed")[column])
    return (parts[0] - parts[1]).dropna().to_numpy()


def recorded_runs() -> pd.DataFrame | None:
    """Rows of ``data/results/inversion.csv``, which the plans ``notebooks/runs/one_vector*.yml`` make; None before."""
    from helpers.book.data import table

    try:
        return table("results/inversion.csv")
    except FileNotFoundError:
        return None


def sentence_shares(inverter: Inverter, texts: Sequence[str]) -> pd.DataFrame:
    """Of each sentence the shares of its tokens that are the likeliest, and among the five likeliest.

    Parameters
    ----------
    inverter
        A fitted inverter with an encoder.
    texts
        Sentences, none of them blank.

    Returns
    -------
    DataFrame
        ``top_1``, ``top_5``, all tokens before each being right.
    """
    import pandas as pd

    found = [token_accuracy(inverter, [text], ks=(1, 5)).attrs["all"] for text in texts]
    return pd.DataFrame(found)[["top_1", "top_5"]]


def findings(
    recorded: pd.DataFrame | None, shares: pd.DataFrame, greedy: pd.Series, beams: pd.Series
) -> dict[str, Finding]:
    """What is found of :data:`CLAIMS`: in the sentences of the page, and in the recorded runs where there are any.

    Parameters
    ----------
    recorded
        Rows of ``data/results/inversion.csv``, or None; seeds are the units.
    shares
        Table of :func:`sentence_shares`; sentences are the units.
    greedy, beams
        Shares of repeated words in what is written of the same sentences, by the likeliest token and by beams.

    Returns
    -------
    dict of str to Finding
        Means of differences within units; what has no two seeds recorded is absent.
    """
    out = {
        "five": paired_finding(CLAIMS["five"], shares["top_5"], shares["top_1"], "sentences"),
        "beams": paired_finding(CLAIMS["beams"], beams, greedy, "sentences"),
        "bertscore": absent("the model that computes BERTScore is not here"),
    }
    if recorded is None:
        return out | dict.fromkeys(("attention", "attention_trained", "one_pass"), absent(NOT_YET))
    best = {"encoder": "own", "pooling": "heads", "decoder": "autoregressive"}
    pooled = {"decoder": "autoregressive", "pooling": "attention"}, {"decoder": "autoregressive", "pooling": "first"}
    values = {
        "attention": _differences(recorded, "top_1", *({**part, "encoder": "frozen"} for part in pooled)),
        "attention_trained": _differences(recorded, "top_1", *({**part, "encoder": "trained"} for part in pooled)),
        "one_pass": _differences(recorded, "top_1", best, {**best, "decoder": "one_pass"}),
    }
    for key, differences in values.items():
        out[key] = mean_finding(CLAIMS[key], differences) if len(differences) > 1 else absent(NOT_YET)
    return out


def facts(found: pd.DataFrame, greedy: Sequence[str], forced: pd.DataFrame, kept: pd.DataFrame) -> dict[str, Any]:
    """What the text of the page says in numbers of the made-up headlines.

    Parameters
    ----------
    found
        Table of :func:`helpers.inversion.against_floors`.
    greedy
        What is written of their vectors by the likeliest token.
    forced
        Table of :func:`forced_table`.
    kept
        Table of :func:`facts_table`.
    """
    f1, exact = found.loc["token_f1"], found.loc["exact"]
    scores = inversion_scores(MADE_UP, greedy).mean()
    return {
        "n": len(MADE_UP),
        "f1": f1["read"],
        "f1_low": f1["read_ci_low"],
        "f1_high": f1["read_ci_high"],
        "f1_shuffled": f1["shuffled"],
        "f1_centre": f1["centre"],
        "exact": exact["read"],
        "f1_greedy": scores["token_f1"],
        "top_1": forced["top_1"].iloc[0],
        "top_1_shuffled": forced["top_1"].iloc[1],
        "facts": int(kept["facts"].sum()),
        "kept": int(kept["kept"].sum()),
        "changed": int(kept["changed"].sum()),
        "invented": int(kept["invented"].sum()),
    }


def own_facts(made: Inverter, found: pd.DataFrame) -> dict[str, Any]:
    """What the text of the page says of the inverter that was trained on it."""
    row, f1 = made.log_[-1], found.loc["token_f1"]
    floor = max(f1["shuffled"], f1["centre"])
    return {"tokens": row["tokens"], "seconds": 60 * row["cpu_minutes"], "f1": f1["read"], "floor": floor}


def facts_of_runs(shipped: pd.DataFrame) -> dict[str, Any]:
    """What the text of the page says of the inverter of the book in numbers, from ``data/results/inverter.csv``.

    Parameters
    ----------
    shipped
        Rows of that table: one beam, and several.
    """
    beams = shipped[shipped["beams"] > 1].set_index("measure")
    read = beams["read"]
    return {
        "n": int(beams["n"].iloc[0]),
        "f1": read["token_f1"],
        "f1_low": beams["read_ci_low"]["token_f1"],
        "f1_high": beams["read_ci_high"]["token_f1"],
        "f1_floor": max(beams["shuffled"]["token_f1"], beams["centre"]["token_f1"]),
        "minutes": beams["cpu_minutes"].iloc[0],
    }
