"""What the page "What a loss asks for" shows: losses by hand, inverters trained with some, what each buys, claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, check_number
from helpers.book.style import INK
from helpers.inference import Claim, Finding, absent, interval
from helpers.inversion import Inverter, inversion_scores, noisy_vectors, text_bits
from helpers.inversion.inverter import checked_texts
from helpers.studies.collapse_page import mean_finding
from helpers.studies.inversion_runs import POCKET
from helpers.studies.loss_runs import LOSSES, NAMES, Rephrased, bought, fit_loss
from helpers.studies.vector_runs import (
    LIVE,
    blank_table,
    far_vectors,
    mean_words,
    nothing_yet,
    page_source,
    source_words,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "CLAIMS",
    "MEASURES",
    "SAME_EVENT",
    "SIGMAS",
    "begun",
    "bought_table",
    "chance_share",
    "check_loss_choices",
    "facts",
    "findings",
    "gained_facts",
    "gained_figure",
    "gained_table",
    "gradient_table",
    "locality_curves",
    "locality_figure",
    "mean_f1",
    "paraphrase_bits",
    "trained_with",
    "with_gap",
]

SAME_EVENT = (
    "Oil falls for a third day as traders fear weak demand",
    "Crude slips again on worries over demand",
    "Oil prices drop for third day, demand fears weigh",
    "Traders fear weak demand for oil",
)
"""A made-up headline, and how other agencies might have put it."""

BEGUN = 3
"""Epochs of a training of which the page measures gradients, those of a trained inverter being next to nothing."""

SIGMAS = (0.0, 0.25, 0.5, 1.0, 1.5)
"""Noise of the picture of locality, in units of the spread."""

MEASURES = {
    "f1": "token F1",
    "facts": "facts kept",
    "meaning": "nearness in meaning",
    "gap": "test less training loss, nats a token",
    "f1_at_1": "token F1 under noise of 1",
    "near": "paraphrase is nearer",
}
"""What a loss may buy, by the columns of recorded rows."""

_SAID = {"models": "decoders of one vector of an encoder like BERT", "source": "mikheev2025invertible"}

CLAIMS = {
    "small": Claim(
        "The cosine of sentences, with a small weight, brings what is written nearer in meaning",
        "cosine of an independent encoder, gained by it",
        spec="+.3f",
        **_SAID,
    ),
    "large": Claim(
        "The cosine of sentences with a large weight does harm",
        "token F1, with it less without",
        side="less",
        spec="+.3f",
        **_SAID,
    ),
    "paraphrase": Claim(
        "The loss of the likeliest paraphrase over-fits less",
        "test less training loss, in nats a token, with it less without",
        side="less",
        spec="+.3f",
        **_SAID,
    ),
    "variational": Claim(
        "A variational term makes a space in which near vectors say near things",
        "token F1 under noise of one spread, gained by it",
        models="sentences as vectors of a variational autoencoder",
        source="bowman2016generating",
        spec="+.3f",
    ),
}
"""What is said of losses of decoders of one vector."""

FEW_SEEDS = "fewer than two seeds are recorded"


def check_loss_choices(
    *,
    sentence: str,
    losses: Sequence[str],
    source: str,
    n_texts: int,
    epochs: int,
    width: int,
    sigma: float,
    paraphraser: str = "",
) -> None:
    """Refuse what the page could not do.

    Parameters
    ----------
    sentence
        A sentence that is not blank.
    losses
        Keys of :data:`helpers.studies.loss_runs.LOSSES`, two at least, ``"entropy"`` among them.
    source
        Same meaning as in :func:`helpers.studies.loss_runs.rephrased`.
    n_texts
        Sentences of the live training, at least 100.
    epochs
        Times that it sees each, at least 1.
    width
        Width of its vector, a multiple of 8.
    sigma
        Noise under which sentences are shown, above 0.
    paraphraser
        Folder of a model that writes paraphrases, or its name on the hub; empty: none.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If one of them is out of range, or source or paraphraser are not there.
    """
    from helpers.encoders.extraction import resolve_model

    checked_texts([sentence], "sentence")
    if isinstance(losses, str) or not {"entropy"} < set(losses):
        raise ValueError(f"losses is {losses!r}; a list with entropy and another of {', '.join(LOSSES)} is needed")
    if unknown := [loss for loss in losses if loss not in LOSSES]:
        raise ValueError(f"losses has {unknown[0]!r}; each is one of {', '.join(LOSSES)}")
    page_source(source)
    if paraphraser:
        resolve_model(paraphraser)
    check_count(n_texts, "n_texts", least=100)
    check_count(epochs, "epochs")
    check_number(sigma, "sigma", lambda value: value > 0, "a number above 0")
    if check_count(width, "width", least=8) % POCKET["n_heads"]:
        raise ValueError(f"width is {width}; a multiple of {POCKET['n_heads']} is needed, one share for each head")


def chance_share(gradients: Any) -> tuple[float, float]:
    """Of several draws of one gradient: how long their expectation is, and how much of one draw is chance.

    Parameters
    ----------
    gradients : array_like of shape (draws, p)
        Independent draws, two at least.

    Returns
    -------
    tuple of float
        Squared length of the expectation, and the share of the squared length of one draw that is not that of the
        expectation. The first is unbiased, so that it may be below 0 where all is chance, and the share above 1; the
        share is NaN where all draws are 0.
    """
    found = np.asarray(gradients, dtype=float)
    if found.ndim != 2 or len(found) < 2:
        raise ValueError(f"gradients has the shape {found.shape}; two rows at least are needed, one for each draw")
    n, squared = len(found), float(np.square(found).sum(axis=1).mean())
    # Of the squared mean of n draws one n-th of the variance is chance too.
    mean = (float(np.square(found.mean(axis=0)).sum()) - squared / n) * n / (n - 1)
    return mean, 1 - mean / squared if squared else float("nan")


def begun(texts: Rephrased, *, width: int, epochs: int = BEGUN, rng: int = 0) -> Inverter:
    """An inverter at the beginning of its training by cross-entropy, whose gradients are those of a training.

    Parameters
    ----------
    texts
        Texts, from :func:`helpers.studies.loss_runs.rephrased`.
    width
        Width of the vector.
    epochs
        Times that it sees each text.
    rng
        Seed of weights and batches.
    """
    return fit_loss(texts, "entropy", epochs=epochs, width=width, rng=rng, **LIVE)


def gradient_table(inverter: Inverter, texts: Sequence[str], *, draws: int = 24, rng: int = 0) -> pd.DataFrame:
    """How much of a gradient is chance: of the cosine of sentences through drawn tokens, beside cross-entropy.

    Parameters
    ----------
    inverter
        An inverter with an encoder of its own.
    texts
        Sentences, none of them blank, two at least.
    draws
        Draws of the tokens for each, two at least.
    rng
        Seed of draws and intervals.

    Returns
    -------
    DataFrame
        A row for each loss, means over sentences: ``loss``; ``length`` of the expected gradient with respect to the
        vector, in units of the spread; ``chance``, the share of :func:`chance_share`, with ``ci_low`` and ``ci_high``
        over sentences; 0 for cross-entropy, which draws nothing.
    """
    import pandas as pd
    import torch

    from helpers.inversion.tokens import padded

    network, found = inverter.network_, []
    decoder, pooling = network["decoder"], network["pooling"]
    with torch.random.fork_rng([]):
        torch.manual_seed(rng)
        for row in inverter.tokens_.rows(texts, inverter.length).tokens:
            tokens = padded([row])
            with torch.no_grad():
                x = pooling(*network["encoder"](tokens))
            z = x.clone().requires_grad_(True)
            plain = decoder.losses(z, tokens).mean()
            (slope,) = torch.autograd.grad(plain, z)
            scores = decoder.logits(z, tokens).expand(draws, -1, -1)
            drawn = torch.nn.functional.gumbel_softmax(scores, hard=True)
            states, seen = network["encoder"].of_mixtures(drawn, torch.ones(draws, len(row), dtype=torch.bool))
            losses = 1 - torch.cosine_similarity(pooling(states, seen), x)
            each = torch.stack([torch.autograd.grad(loss, z, retain_graph=True)[0][0] for loss in losses])
            squared, share = chance_share(each.numpy())
            found.append([float(plain.detach()), float(slope.norm()), float(losses.detach().mean()), squared, share])
    plain, slopes, cosine, squared, shares = np.array(found).T
    over = interval(shares[~np.isnan(shares)], method="percentile", n_resamples=999, rng=rng)
    unit = inverter.spread_
    rows = {
        "cross-entropy": (plain.mean(), slopes.mean() * unit, 0.0, 0.0, 0.0),
        "cosine of sentences": (
            cosine.mean(),
            np.sqrt(max(squared.mean(), 0)) * unit,
            over.estimate,
            over.low,
            over.high,
        ),
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["loss", "length", "chance", "ci_low", "ci_high"])


def paraphrase_bits(inverter: Inverter, texts: Sequence[str]) -> pd.DataFrame:
    """Bits of a token that each of several texts takes, told from the vector of the first.

    Parameters
    ----------
    inverter
        An inverter with an encoder.
    texts
        A sentence, and others that say the same.

    Returns
    -------
    DataFrame
        ``text`` and ``bits`` of each; the least of all but the first is what the loss of paraphrases takes.
    """
    import pandas as pd

    x = np.tile(inverter.encode(texts[:1]), (len(texts), 1))
    lengths = [len(row) for row in inverter.tokens_.rows(texts, inverter.length).tokens]
    return pd.DataFrame({"text": list(texts), "bits": text_bits(inverter, texts, vectors=x) / lengths})


def trained_with(
    losses: Sequence[str], texts: Rephrased, *, epochs: int, width: int, rng: int = 0
) -> dict[str, Inverter]:
    """Small inverters that differ in nothing but their loss, trained on the page.

    Parameters
    ----------
    losses
        Keys of :data:`helpers.studies.loss_runs.LOSSES`.
    texts
        Texts, from :func:`helpers.studies.loss_runs.rephrased`.
    epochs
        Times that each sees a text.
    width
        Width of the vector.
    rng
        Seed of weights, batches and noise.

    Returns
    -------
    dict of str to Inverter
        The inverters by loss.
    """
    options = {"epochs": epochs, "width": width, "rng": rng, **LIVE}
    return {loss: fit_loss(texts, loss, **options) for loss in losses}


def bought_table(made: Mapping[str, Inverter], texts: Rephrased, *, n_test: int = 100, rng: int = 0) -> pd.DataFrame:
    """What the losses of the page bought: a row for each, a column for each of :data:`MEASURES`, in words.

    Parameters
    ----------
    made
        Inverters by loss, from :func:`trained_with`.
    texts
        The texts of their training.
    n_test
        Most test texts.
    rng
        Seed of the noise.
    """
    import pandas as pd

    rows = {loss: bought(one, texts, n_test=n_test, beams=1, rng=rng) for loss, one in made.items()}
    found = with_gap(pd.DataFrame.from_dict(rows, orient="index"))[list(MEASURES)]
    return found.rename(index=NAMES, columns=MEASURES).rename_axis("loss")


def locality_curves(
    made: Mapping[str, Inverter], texts: Sequence[str], sigmas: Sequence[float] = SIGMAS, *, rng: int = 0
) -> pd.DataFrame:
    """Token F1 of what inverters write under more and more noise.

    Parameters
    ----------
    made
        Inverters by loss.
    texts
        Sentences that none has seen.
    sigmas
        Noise in units of the spread of each inverter's own vectors.
    rng
        Seed of the noise.

    Returns
    -------
    DataFrame
        A row for each ``loss`` and ``sigma``: ``f1`` with ``ci_low``, ``ci_high`` over sentences.
    """
    import pandas as pd

    rows = []
    for loss, one in made.items():
        x = one.encode(texts)
        for sigma in sigmas:
            with far_vectors():
                written = one.decode(noisy_vectors(one, x, sigma, rng=rng))
            scores = inversion_scores(texts, written)["token_f1"]
            found = interval(scores, method="percentile", n_resamples=999, rng=rng)
            row = {"loss": loss, "sigma": sigma, "f1": found.estimate, "ci_low": found.low, "ci_high": found.high}
            rows.append(row)
    return pd.DataFrame(rows)


def locality_figure(curves: pd.DataFrame) -> Axes:
    """Curves of :func:`locality_curves`, one for each loss, with their intervals as bands."""
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(5.5, 3.2))
    for number, (loss, rows) in enumerate(curves.groupby("loss", sort=False)):
        ax.plot(rows["sigma"], rows["f1"], "o-", color=f"C{number}", label=NAMES[loss])
        ax.fill_between(rows["sigma"], rows["ci_low"], rows["ci_high"], color=f"C{number}", alpha=0.2, lw=0)
    ax.set(xlabel="noise on the vector, in spreads", ylabel="token F1", ylim=(0, None))
    ax.legend()
    return ax


def mean_f1(texts: Sequence[str], written: Sequence[str]) -> float:
    """Mean token F1 of what was written."""
    return float(inversion_scores(texts, written)["token_f1"].mean())


def with_gap(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the column ``gap``: nats of a token of test texts, less those of training texts."""
    return rows.assign(gap=rows["nats"] - rows["nats_train"])


def _gained(recorded: pd.DataFrame) -> pd.DataFrame:
    """Values of each loss and seed less those of cross-entropy alone, where the seed has both."""
    rows = with_gap(recorded).set_index(["loss", "seed"])[list(MEASURES)]
    if "entropy" not in rows.index.get_level_values("loss"):
        return rows.iloc[:0]
    base = rows.xs("entropy", level="loss")
    gains = rows.drop("entropy", level="loss")
    return (gains - base.reindex(gains.index.get_level_values("seed")).to_numpy()).dropna(how="all")


def gained_table(recorded: pd.DataFrame | None) -> pd.DataFrame:
    """Recorded losses: cross-entropy as it is, and what each other gains or loses against it, means over seeds.

    Parameters
    ----------
    recorded
        Rows of :func:`helpers.studies.loss_runs.loss_rows`, or None.

    Returns
    -------
    DataFrame
        Words for a page, with intervals where there are three seeds; dashes where nothing is recorded.
    """
    import pandas as pd

    columns = [*MEASURES.values(), "seeds"]
    if recorded is None or not (recorded["loss"] == "entropy").any():
        return blank_table(columns)
    base = with_gap(recorded[recorded["loss"] == "entropy"])
    first = {said: mean_words(base[name], ".3f") for name, said in MEASURES.items()} | {"seeds": base["seed"].nunique()}
    rows = {NAMES["entropy"]: first}
    gains = _gained(recorded)
    for loss in [name for name in LOSSES if name in gains.index.get_level_values("loss")]:
        some = gains.xs(loss, level="loss")
        words = {said: mean_words(some[name], "+.3f") for name, said in MEASURES.items()}
        rows[NAMES[loss]] = words | {"seeds": len(some)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("loss")


def gained_facts(recorded: pd.DataFrame | None) -> dict[str, str]:
    """What noise and paraphrases gained against cross-entropy alone, means over seeds in words.

    Parameters
    ----------
    recorded
        Rows of :func:`helpers.studies.loss_runs.loss_rows`, or None.

    Returns
    -------
    dict of str to str
        ``noise_f1``, ``noise_f1_at_1``, ``paraphrase_f1``, ``paraphrase_gap``: a loss and a key of :data:`MEASURES`.
    """
    gains = None if recorded is None else _gained(recorded)
    out = {}
    for loss, name in (("noise", "f1"), ("noise", "f1_at_1"), ("paraphrase", "f1"), ("paraphrase", "gap")):
        known = gains is not None and loss in gains.index.get_level_values("loss")
        out[f"{loss}_{name}"] = mean_words(gains.xs(loss, level="loss")[name] if known else [], "+.3f")
    return out


def gained_figure(recorded: pd.DataFrame | None) -> Figure:
    """What each loss gains against cross-entropy alone: a panel for each measure, every seed a point, means as bars."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, len(MEASURES), figsize=(9, 2.8), sharey=True, layout="constrained")
    gains = None if recorded is None else _gained(recorded)
    empty = gains is None or gains.empty
    names = list(LOSSES)[:0:-1] if empty else [name for name in LOSSES if name in gains.index.get_level_values(0)][::-1]
    for ax, (column, said) in zip(axes, MEASURES.items(), strict=True):
        ax.axvline(0, color=INK, lw=0.8)
        ax.set_title(said.replace(", ", ",\n").replace(" under", "\nunder").replace(" is", "\nis"), fontsize=8)
        ax.set_yticks(range(len(names)), [NAMES[name] for name in names])
        for place, loss in enumerate(() if empty else names):
            values = gains.xs(loss, level="loss")[column].dropna()
            ax.barh(place, values.mean(), color="C0", alpha=0.5, height=0.6)
            ax.plot(values, np.full(len(values), place), "o", ms=3, color=INK)
        ax.locator_params(axis="x", nbins=3)
        ax.tick_params(axis="x", labelsize=7)
    return nothing_yet(fig) if empty else fig


def findings(recorded: pd.DataFrame | None) -> dict[str, Finding]:
    """What the recorded rows say of :data:`CLAIMS`, with seeds as units.

    Parameters
    ----------
    recorded
        Rows of :func:`helpers.studies.loss_runs.loss_rows`, or None.

    Returns
    -------
    dict of str to Finding
        Means of differences within seeds; what has no two seeds recorded is absent.
    """
    asked = {
        "small": ("meaning", "meaning"),
        "large": ("much meaning", "f1"),
        "paraphrase": ("paraphrase", "gap"),
        "variational": ("variational", "f1_at_1"),
    }
    gains = None if recorded is None else _gained(recorded)
    out = {}
    for key, (loss, column) in asked.items():
        known = gains is not None and loss in gains.index.get_level_values("loss")
        values = gains.xs(loss, level="loss")[column].dropna() if known else ()
        out[key] = mean_finding(CLAIMS[key], np.asarray(values)) if len(values) > 1 else absent(FEW_SEEDS)
    return out


def facts(
    gradients: pd.DataFrame, curves: pd.DataFrame, made: Mapping[str, Inverter], source: str, n_test: int
) -> dict[str, Any]:
    """What the text of the page says in numbers.

    Parameters
    ----------
    gradients
        Table of :func:`gradient_table`.
    curves
        Table of :func:`locality_curves`.
    made
        Inverters by loss.
    source
        Where their texts are from.
    n_test
        Number of test texts.
    """
    found, share = curves.set_index(["loss", "sigma"])["f1"], gradients.iloc[1]
    other = next(loss for loss in made if loss != "entropy")
    out: dict[str, Any] = {"source": source_words(source), "n": len(made), "n_test": n_test, "other": other}
    out |= {"chance": share["chance"], "chance_low": share["ci_low"], "chance_high": share["ci_high"], "begun": BEGUN}
    for name, loss in (("entropy", "entropy"), ("other", other)):
        out |= {f"{name}_plain": found[loss, 0.0], f"{name}_noisy": found[loss, 1.0]}
    return out
