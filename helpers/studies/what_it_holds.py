"""What the page "What one vector holds" shows: bits, fewer bits, noise, ways between sentences, searched vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import check_count, check_number
from helpers.book.style import INK
from helpers.inference import Claim, Finding, absent, format_interval, interval, paired_finding
from helpers.inversion import (
    Inverter,
    bits_explained,
    cram,
    cram_at_once,
    facts_of,
    inversion_scores,
    noisy_vectors,
    text_bits,
)
from helpers.inversion.inverter import checked_texts
from helpers.studies.collapse_page import mean_finding
from helpers.studies.inversion_runs import POCKET, fit_pocket
from helpers.studies.made_headlines import WORLD_BITS
from helpers.studies.vector_runs import (
    FORMS,
    LIVE,
    SIGMAS,
    STATES,
    far_vectors,
    forms_of,
    language_model,
    page_source,
    page_texts,
    source_words,
    state_losses,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "CLAIMS",
    "NEIGHBOURS",
    "SWAPS",
    "Pair",
    "bits_figure",
    "bits_of_tokens",
    "check_held_choices",
    "crammed_table",
    "direction_table",
    "facts",
    "findings",
    "forms_figure",
    "forms_scores",
    "forms_table",
    "holding_pair",
    "neighbours_table",
    "noise_table",
    "says",
    "searched",
    "turned",
    "way_scores",
]

SWAPS = (
    ("Copper rises on hopes of trade deal", "Copper falls on hopes of trade deal"),
    ("Bank shares rise after results", "Bank shares fall after results"),
    ("Car sales rise in June", "Car sales fall in June"),
    ("Factory output rises", "Factory output falls"),
    ("Dollar rises against yen", "Dollar falls against yen"),
    ("Exports rise for second month", "Exports fall for second month"),
    ("Retailer's profit rises", "Retailer's profit falls"),
    ("Unemployment rises in Spain", "Unemployment falls in Spain"),
    ("European stocks rise at open", "European stocks fall at open"),
    ("Steel prices rise in China", "Steel prices fall in China"),
    ("Inflation rises in February", "Inflation falls in February"),
    ("Airline traffic rises", "Airline traffic falls"),
)
"""Pairs of made-up headlines that differ in their direction alone."""

NEIGHBOURS = (
    "Oil falls for a third day as traders fear weak demand",
    "Oil falls for a third day as traders fear low demand",
    "Oil drops again on demand worries",
    "Oil rises for a third day as traders expect strong demand",
    "Gold falls for a third day as traders fear weak demand",
    "Crude prices slip as demand looks weak",
    "Tesla shares rise 5% after record deliveries",
    "Volkswagen to invest 2 billion euros in electric cars",
)
"""A made-up headline, some that are near to it in words, in meaning or in both, and some that are not."""

_SMALL = {"models": "decoders of one vector of an encoder like BERT", "source": "mikheev2025invertible"}
_LARGE = {"models": "vectors before large language models"}
_STATE = {"models": "decoders that begin with a state made from one vector", "source": "mikheev2025invertible"}

CLAIMS = {
    "wider": Claim(
        "A vector three to four times as wide lets more tokens be told",
        "share of tokens that are the likeliest, 1024 numbers less 256",
        published=0.05,
        spec="+.3f",
        **_SMALL,
    ),
    "harmless": Claim(
        "Noise of a tenth is harmless (margin 0.02)",
        "token F1 lost to it, noise in units of the spread",
        side="less",
        null=0.02,
        spec="+.3f",
        **_SMALL,
    ),
    "harmful": Claim(
        "Noise of one costs more than a tenth of what is told",
        "token F1 (not BERTScore) lost to it less a tenth of the token F1 without, noise in units of the spread",
        spec="+.2f",
        **_SMALL,
    ),
    "uncertain": Claim(
        "Of two texts of one length that takes more of a vector which is harder to predict",
        "steps until a vector is found, headline of mixed-up tokens less headline of the same length",
        source="kuratov2025cramming",
        spec="+.0f",
        **_LARGE,
    ),
    "once": Claim(
        "From two vectors a decoder writes a text in one pass, though it never learned to (nine tokens in ten)",
        "share of tokens that are right",
        null=0.9,
        source="mezentsev2025exploring",
        spec=".3f",
        **_LARGE,
    ),
    **{
        f"state_{name}": Claim(
            f"A {said} decoder that begins with a full state writes as much as one with cross-attention (margin 0.03)",
            "token F1, cross-attention less the state decoder, rank 32",
            side="less",
            null=0.03,
            spec="+.3f",
            **_STATE,
        )
        for name, said in STATES.items()
    },
    **{
        f"rank_{name}": Claim(
            f"A state of rank 4 is enough for a {said} decoder (margin 0.03)",
            "token F1, rank 32 less rank 4",
            side="less",
            null=0.03,
            spec="+.3f",
            **_STATE,
        )
        for name, said in STATES.items()
    },
}
"""What is said of the width of a vector, of noise on it, of vectors that are searched for and of first states."""

FEW_SEEDS = "fewer than two seeds are recorded"

UNFINISHED = "vectors of 1024 numbers hold fewer bits than those of 256: not trained to their end, or over-fitted"
"""Why nothing follows from widths that were trained equally long."""


def check_held_choices(
    *,
    sentence: str,
    other: str,
    beams: int,
    sigmas: Sequence[float],
    steps: int,
    source: str,
    n_texts: int,
    epochs: int,
    width: int,
) -> None:
    """Refuse what the page could not do.

    Parameters
    ----------
    sentence, other
        Sentences that are not blank.
    beams
        Beams of the search, at least 1.
    sigmas
        Standard deviations of noise, positive and at least two of them.
    steps
        Most steps of the search for a vector, at least 1.
    source
        Same meaning as in :func:`helpers.studies.vector_runs.page_texts`.
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
    for text, name in ((sentence, "sentence"), (other, "other")):
        checked_texts([text], name)
    page_source(source)
    check_count(beams, "beams")
    check_count(steps, "steps")
    check_count(n_texts, "n_texts", least=100)
    check_count(epochs, "epochs")
    if check_count(width, "width", least=8) % POCKET["n_heads"]:
        raise ValueError(f"width is {width}; a multiple of {POCKET['n_heads']} is needed, one share for each head")
    if len(sigmas) < 2:
        raise ValueError(f"sigmas is {list(sigmas)}; at least two numbers are needed")
    for sigma in sigmas:
        check_number(sigma, "a number of sigmas", lambda value: value > 0, "a number above 0")


class Pair(NamedTuple):
    """What the page trains: who has the vectors, and who knows the language alone.

    Attributes
    ----------
    inverter
        An inverter, trained on the page.
    language
        A language model of the same tokens, trained on the same texts.
    test
        Texts that neither has seen.
    """

    inverter: Inverter
    language: Inverter
    test: list[str]


def holding_pair(source: str, *, n_texts: int, epochs: int, width: int, n_test: int = 100, rng: int = 0) -> Pair:
    """Train a small inverter and the language model beside it.

    Parameters
    ----------
    source, n_texts
        Same meaning as in :func:`helpers.studies.vector_runs.page_texts`.
    epochs
        Times that each sees a sentence.
    width
        Width of the vector.
    n_test
        Most test texts.
    rng
        Seed of split, weights and batches.
    """
    texts = page_texts(source, n_texts, rng=rng)
    options = {"epochs": epochs, "rng": rng, **LIVE}
    made = fit_pocket(texts, width=width, **options)
    return Pair(made, language_model(texts, **options), texts.test[:n_test])


def bits_of_tokens(inverter: Inverter, language: Inverter, text: str) -> pd.DataFrame:
    """Bits that each token of a text takes without its vector and with it.

    Parameters
    ----------
    inverter, language
        An inverter, and a language model of the same tokens.
    text
        Any text that is not blank.

    Returns
    -------
    DataFrame
        A row for each token, the end included: ``token``, ``without``, ``with``.
    """
    import pandas as pd
    import torch

    from helpers.inversion.training import forced

    columns = {}
    for name, model, x in (
        ("without", language, language.centre_[None]),
        ("with", inverter, inverter.encode([text])),
    ):
        with torch.inference_mode():
            _, scores, tokens, _ = next(iter(forced(model, [text], x)))
            nats = -scores[0].log_softmax(-1).gather(-1, tokens[0][:, None])[:, 0]
        columns[name] = nats.numpy() / np.log(2)
    return pd.DataFrame({"token": inverter.tokens_.pieces(tokens[0].tolist()), **columns})


def bits_figure(found: pd.DataFrame) -> Axes:
    """Bits of each token without the vector and with it, as bars."""
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(1.5 + 0.42 * len(found), 2.8))
    places = np.arange(len(found))
    ax.bar(places - 0.2, found["without"], 0.4, color="0.6", label="without its vector")
    ax.bar(places + 0.2, found["with"], 0.4, color="C0", label="with its vector")
    ax.set_xticks(places, found["token"], rotation=45, ha="right", rotation_mode="anchor")
    ax.set(ylabel="bits", ylim=(0, None))
    ax.legend()
    return ax


def forms_table(pair: Pair, *, kind: str = "precision", rng: int = 0) -> pd.DataFrame:
    """Bits of a test text that its vector explains, kept in fewer bits or noisy.

    Parameters
    ----------
    pair
        What the page has trained.
    kind
        ``"precision"`` or ``"noise"``.
    rng
        Seed of noise and intervals.

    Returns
    -------
    DataFrame
        What :func:`helpers.inversion.bits_explained` gives, a row for each form.
    """
    x = pair.inverter.encode(pair.test)
    forms = {form: changed for (which, form), changed in forms_of(pair.inverter, x, rng).items() if which == kind}
    with far_vectors():
        found = bits_explained(pair.inverter, pair.test, without=pair.language, vectors=x, changed=forms, rng=rng)
    return found.drop(index="as they are")


def forms_scores(inverter: Inverter, texts: Sequence[str], *, rng: int = 0) -> pd.DataFrame:
    """Token F1 of each text, written from its vector in every form of few bits and with every noise.

    Parameters
    ----------
    inverter
        An inverter with an encoder.
    texts
        Sentences, none of them blank.
    rng
        Seed of the noise.

    Returns
    -------
    DataFrame
        A row for each text, a column for each pair of ``"precision"`` or ``"noise"`` and a form.
    """
    import pandas as pd

    with far_vectors():
        written = {name: inverter.decode(x) for name, x in forms_of(inverter, inverter.encode(texts), rng).items()}
    return pd.DataFrame({name: inversion_scores(texts, some)["token_f1"] for name, some in written.items()})


def forms_figure(bits: dict[str, pd.DataFrame], scores: pd.DataFrame) -> Figure:
    """What is left of vectors in fewer bits and under noise: bits of the pair of the page, words of the book's own.

    Parameters
    ----------
    bits
        Tables of :func:`forms_table` by kind.
    scores
        Table of :func:`forms_scores`.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(2, 2, figsize=(8, 4.6), sharey="row", sharex="col", layout="constrained")
    orders = {"precision": list(FORMS), "noise": [f"{sigma:g}" for sigma in SIGMAS]}
    for column, (kind, order) in enumerate(orders.items()):
        found, places = bits[kind].loc[order], np.arange(len(order))
        means = [interval(scores[kind, form], method="percentile", n_resamples=499, rng=0) for form in order]
        lows, highs = ([getattr(mean, end) for mean in means] for end in ("low", "high"))
        drawn = ((found["bits"], found["ci_low"], found["ci_high"]), ([m.estimate for m in means], lows, highs))
        for row, (middle, low, high) in enumerate(drawn):
            axes[row, column].plot(places, middle, "o-", color=f"C{row}")
            axes[row, column].fill_between(places, low, high, color=f"C{row}", alpha=0.2, lw=0)
            axes[row, column].set(ylim=(0, None))
        axes[0, column].axhline(found["bits_without"].iloc[0], color=INK, ls=":", lw=1)
        axes[0, column].axhline(0, color=INK, lw=0.8)
        axes[0, column].set(ylim=(-0.3 * found["bits_without"].iloc[0], None))
        axes[1, column].set_xticks(places, order, rotation=45, ha="right", rotation_mode="anchor")
    axes[0, 0].set(ylabel="bits of a text")
    axes[1, 0].set(ylabel="token F1", xlabel="how a number is kept")
    axes[1, 1].set(xlabel="noise, in spreads")
    return fig


def noise_table(inverter: Inverter, text: str, sigmas: Sequence[float], *, beams: int = 5, rng: int = 0) -> Any:
    """What is written of one sentence's vector with more and more noise: a row for each sigma."""
    import pandas as pd

    x = inverter.encode([text])
    with far_vectors():
        rows = [inverter.decode(noisy_vectors(inverter, x, sigma, rng=rng), beams=beams)[0] for sigma in sigmas]
    return pd.DataFrame({"sigma": list(sigmas), "written": rows}).set_index("sigma")


def neighbours_table(inverter: Inverter, texts: Sequence[str] = NEIGHBOURS, *, beams: int = 5) -> pd.DataFrame:
    """How far other sentences lie from the first, and what is written half-way.

    Parameters
    ----------
    inverter
        An inverter with an encoder.
    texts
        Sentences, two at least, of which the first is the one that the others are near to.
    beams
        Beams of the search.

    Returns
    -------
    DataFrame
        The other sentences from near to far: ``text``; ``distance`` in units of that of two unrelated texts, the root
        of twice the width times the spread; ``half_way``: what is written of the mean of both vectors.
    """
    import pandas as pd

    x = inverter.encode(texts)
    apart = np.linalg.norm(x[1:] - x[0], axis=1) / (inverter.spread_ * np.sqrt(2 * x.shape[1]))
    written = inverter.decode((x[1:] + x[0]) / 2, beams=beams)
    found = pd.DataFrame({"text": list(texts[1:]), "distance": apart, "half_way": written})
    return found.sort_values("distance", ignore_index=True)


def says(text: str, way: str) -> bool:
    """Whether a text has words for one direction, ``"up"`` or ``"down"``, and none for the other.

    >>> says("Oil falls", "down"), says("Oil falls as gold rises", "down")
    (True, False)
    """
    return set(facts_of(text)["direction"]) == {way}


def turned(inverter: Inverter, texts: Sequence[str], *, strength: float = 1.0, beams: int = 5) -> list[str]:
    """What is written of vectors after the direction from "falls" to "rises" was added to them.

    Parameters
    ----------
    inverter
        An inverter with an encoder.
    texts
        Sentences, none of them blank.
    strength
        How many times the mean difference of :data:`SWAPS` is added; negative: from "rises" to "falls".
    beams
        Beams of the search.
    """
    up, down = (inverter.encode([pair[side] for pair in SWAPS]) for side in (0, 1))
    step = (up - down).mean(axis=0)
    with far_vectors():
        return inverter.decode(inverter.encode(texts) + np.float32(strength) * step, beams=beams)


def direction_table(inverter: Inverter, texts: Sequence[str], strengths: Sequence[float], *, beams: int = 5) -> Any:
    """Sentences by the direction that is written of them after the direction of :data:`SWAPS` was added.

    Parameters
    ----------
    inverter
        An inverter with an encoder.
    texts
        Sentences that say "fall" in one form or another, and nothing that rises.
    strengths
        How many times it is added.
    beams
        Beams of the search.

    Returns
    -------
    DataFrame
        A row for each strength: shares of the sentences that are written with words for ``up`` only, ``down`` only,
        both or none (``neither``), and the token F1 of all other words, ``others``.
    """
    import pandas as pd

    rows = {}
    for strength in strengths:
        written = turned(inverter, texts, strength=strength, beams=beams)
        rows[strength] = {way: float(np.mean([says(text, way) for text in written])) for way in ("up", "down")}
        rows[strength]["neither"] = 1 - rows[strength]["up"] - rows[strength]["down"]
        rows[strength]["others"] = inversion_scores(*map(_without_direction, (texts, written)))["token_f1"].mean()
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("strength")


def _without_direction(texts: Sequence[str]) -> list[str]:
    return [" ".join(word for word in text.split() if not facts_of(word)["direction"]) for text in texts]


def searched(inverter: Inverter, texts: Sequence[str], *, steps: int, n_once: int = 3, rng: int = 0) -> pd.DataFrame:
    """Vectors that are searched for: of texts, of the same number of mixed-up tokens, and for one pass.

    Parameters
    ----------
    inverter
        An autoregressive inverter with an encoder.
    texts
        Sentences, none of them blank.
    steps
        Most steps of each search.
    n_once
        For how many of the texts two vectors are sought from which one pass writes them.
    rng
        Seed of the beginnings, and of the mixed-up tokens, which are drawn from those of all texts.

    Returns
    -------
    DataFrame
        A row for each text: ``tokens``; ``bits_encoded`` that the encoder's vector leaves open, ``bits`` that the
        vector found does, ``right`` of its tokens, after ``steps``; the same of mixed-up tokens, ``mixed_…``;
        ``once_bits`` that are left open and ``once_right`` of the tokens in one pass from two vectors, after
        ``once_steps``; NaN where that was not sought.
    """
    import pandas as pd

    rows = inverter.tokens_.rows(texts, inverter.length).tokens
    pool = np.random.default_rng(rng).permutation(np.concatenate([row[:-1] for row in rows]))
    encoded = text_bits(inverter, texts)
    out, at = [], 0
    for text, row, bits in zip(texts, rows, encoded, strict=True):
        mixed = inverter.tokens_.texts([pool[at : at + len(row) - 1].tolist()])[0]
        at += len(row) - 1
        one, other = (cram(inverter, some, steps=steps, rng=rng) for some in (text, mixed or text))
        found = {"tokens": len(row), "bits_encoded": bits, "bits": one.bits, "steps": one.steps, "right": one.right}
        found["mixed_tokens"] = len(inverter.tokens_.rows([mixed or text], inverter.length).tokens[0])
        found |= {"mixed_bits": other.bits, "mixed_steps": other.steps, "mixed_right": other.right}
        found["mixed_encoded"] = float(text_bits(inverter, [mixed or text])[0])
        if len(out) < n_once:
            once = cram_at_once(inverter, text, steps=steps, rng=rng)
            found |= {"once_bits": once.bits, "once_right": once.right, "once_steps": once.steps}
        out.append(found)
    return pd.DataFrame(out)


def crammed_table(found: pd.DataFrame) -> pd.DataFrame:
    """The searches of :func:`searched` for a page: means over texts, with intervals, one row for each kind."""
    import pandas as pd

    kinds = {
        "headline, encoder's vector": ("tokens", "bits_encoded", "", ""),
        "headline, vector searched for": ("tokens", "bits", "steps", "right"),
        "mixed-up tokens, encoder's vector": ("mixed_tokens", "mixed_encoded", "", ""),
        "mixed-up tokens, searched for": ("mixed_tokens", "mixed_bits", "mixed_steps", "mixed_right"),
        "headline in one pass, two vectors": ("tokens", "once_bits", "once_steps", "once_right"),
    }
    rows = {}
    for kind, names in kinds.items():
        rows[kind] = {}
        for said, name in zip(("tokens", "bits left", "steps", "tokens right"), names, strict=True):
            if not name:
                rows[kind][said] = "–"
                continue
            mean = interval(found[name].dropna(), method="percentile", n_resamples=999, rng=0)
            row = pd.Series({"mean": mean.estimate, "low": mean.low, "high": mean.high})
            spec = ".2f" if said == "tokens right" else ".0f"
            rows[kind][said] = format_interval(row, "mean", ("low", "high"), spec=spec)
    return pd.DataFrame.from_dict(rows, orient="index")


def findings(
    scores: pd.DataFrame,
    crammed: pd.DataFrame,
    widths: pd.DataFrame | None = None,
    ranks: pd.DataFrame | None = None,
) -> dict[str, Finding]:
    """What is found of :data:`CLAIMS`: in the sentences of the page, and in recorded runs where there are any.

    Parameters
    ----------
    scores
        Table of :func:`forms_scores`; sentences are the units.
    crammed
        Table of :func:`searched`; sentences are the units.
    widths
        Rows of :func:`helpers.studies.vector_runs.width_rows`, or None; seeds are the units.
    ranks
        Rows of :func:`helpers.studies.vector_runs.rank_rows`, or None; seeds are the units.

    Returns
    -------
    dict of str to Finding
        Means of differences within units; what has no two seeds with both sides recorded is absent.
    """
    plain, once = scores["precision", "float32"], crammed.dropna(subset="once_right")
    ended = bool((once["once_steps"] >= crammed[["steps", "mixed_steps", "once_steps"]].max(axis=None)).all())
    out = {
        "harmless": paired_finding(CLAIMS["harmless"], plain, scores["noise", "0.1"], "sentences"),
        "harmful": paired_finding(CLAIMS["harmful"], 0.9 * plain, scores["noise", "1"], "sentences"),
        "uncertain": paired_finding(CLAIMS["uncertain"], crammed["mixed_steps"], crammed["steps"], "sentences"),
        "once": absent("all searches ended at their limit of steps")
        if ended
        else paired_finding(CLAIMS["once"], once["once_right"], np.zeros(len(once)), "sentences"),
    }
    recorded = [key for key in CLAIMS if key not in out]
    values: dict[str, Any] = dict.fromkeys(recorded, ())
    if widths is not None:
        plain = widths[widths["form"] == "float32"]
        top, left = (plain.pivot_table(index="seed", columns="width", values=of) for of in ("top_1", "bits_left"))
        if {256, 1024} <= set(top):
            values["wider"] = (top[1024] - top[256]).dropna()
            if (left[1024] - left[256]).mean() > 0:  # the wider one could leave its further numbers out
                values.pop("wider")
                out["wider"] = absent(UNFINISHED)
    values |= state_losses(ranks)
    for key, found in values.items():
        out[key] = mean_finding(CLAIMS[key], np.asarray(found)) if len(found) > 1 else absent(FEW_SEEDS)
    return {key: out[key] for key in CLAIMS}


def way_scores(way: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """What :func:`helpers.inversion.between` wrote on the way from one sentence to another, and how near it is to both.

    Parameters
    ----------
    way
        Table that it gave, with a column ``written``.
    first, second
        Sentences at both ends.

    Returns
    -------
    DataFrame
        The table, with the token F1 of each row with ``first`` and ``second``.
    """
    f1 = {
        name: inversion_scores([text] * len(way), way["written"].tolist())["token_f1"].to_numpy()
        for name, text in (("first", first), ("second", second))
    }
    return way.assign(**f1)


def facts(
    tokens: pd.DataFrame,
    bits: pd.DataFrame,
    scores: pd.DataFrame,
    crammed: pd.DataFrame,
    way: pd.DataFrame,
    source: str,
) -> dict[str, Any]:
    """What the text of the page says in numbers.

    Parameters
    ----------
    tokens
        Table of :func:`bits_of_tokens`.
    bits
        Table of :func:`forms_table` by precision.
    scores
        Table of :func:`forms_scores`.
    crammed
        Table of :func:`searched`.
    way
        Table of :func:`way_scores`.
    source
        Where the texts of the training are from.
    """
    out = {
        "source": source_words(source),
        "world": WORLD_BITS,
        "tokens": len(tokens),
        "without": tokens["without"].sum(),
        "with": tokens["with"].sum(),
    }
    plain = bits.loc["float32"]
    out |= {"saved": plain["bits"], "saved_low": plain["ci_low"], "saved_high": plain["ci_high"]}
    out |= {"share": plain["share"], "per_number": plain["bits_per_dimension"], "alone": plain["bits_without"]}
    for name, form in (("eight", "8 bits"), ("one", "1 bit")):
        out |= {f"bits_{name}": bits["bits"][form], f"f1_{name}": scores["precision", form].mean()}
    out["f1_plain"] = scores["precision", "float32"].mean()
    out |= {f"f1_{name}": scores["noise", form].mean() for name, form in (("tenth", "0.1"), ("spread", "1"))}
    half = way.iloc[len(way) // 2]
    out |= {"way_first": half["first"], "way_second": half["second"], "way_apart": way["second"].iloc[0]}
    out |= {f"cram_{name}": crammed[name].mean() for name in ("bits_encoded", "once_right", "steps")}
    return out | {f"cram_{name}": crammed[name].mean() for name in ("mixed_encoded", "mixed_bits", "mixed_steps")}
