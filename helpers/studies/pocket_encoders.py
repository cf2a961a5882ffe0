"""The trainings of the chapter "Growing the pocket encoders": recipes, what a run took and gave, losses and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from helpers.book import data
from helpers.book.style import INK

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from helpers.encoders.recipes import Recipe

__all__ = [
    "SHIPPED",
    "cost_of_depth",
    "cost_of_token",
    "facts",
    "logs",
    "loss_figure",
    "masked_words",
    "recipes",
    "shipped",
    "show_costs",
    "show_trainings",
]

SHIPPED = ("bert", "roberta", "simcse")
"""Encoders that come with the book."""

CANDIDATES = 64
"""Paragraphs among which SimCSE picks the right one."""

ABOUT_SHARED = ("hidden", "heads", "vocabulary", "precision", "held_out", "libraries", "seed")
ABOUT_TRAINING = ("stages", "batch", "rate", "warmup", "decay")


def recipes(parameters: Mapping[str, Any]) -> dict[str, Recipe]:
    """Recipes of the three encoders.

    Parameters
    ----------
    parameters
        Parameters of the page by name, such as ``globals()`` of its cells; others than those of the recipes may be
        among them.

    Returns
    -------
    dict
        A recipe for each of :data:`SHIPPED`. RoBERTa is trained as BERT is, with stages and positions of its own;
        SimCSE also has a batch, a rate, a warm-up and a decay of its own.

    Raises
    ------
    ValueError
        If a recipe cannot be followed, or the layers of SimCSE are not those of BERT, on which it is trained; the
        message names the encoder.
    """

    shared = {name: parameters[name] for name in ABOUT_SHARED}
    like_bert = {name: parameters[name] for name in ABOUT_TRAINING if name != "stages"}
    bert = {name: parameters[f"bert_{name}"] for name in ("stages", "paragraph", "positions")}
    roberta = {name: parameters[f"roberta_{name}"] for name in ("stages", "positions")}
    simcse = {name: parameters[f"simcse_{name}"] for name in ABOUT_TRAINING}
    options = {"bert": like_bert | bert, "roberta": like_bert | roberta, "simcse": simcse}
    made = {name: _recipe(name, **shared, **more) for name, more in options.items()}
    deepest, depths = made["bert"].stages[-1][0], [depth for depth, _ in made["simcse"].stages]
    if set(depths) != {deepest}:
        raise ValueError(f"simcse_stages have {depths} layers; each has the {deepest} in which bert_stages end")
    return made


def _recipe(name: str, **options: Any) -> Recipe:
    from helpers.encoders.recipes import Recipe

    try:
        return Recipe(objective=name, **options)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def show_trainings(runs: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """What each run took and what came out, a column a run."""
    import numpy as np
    import pandas as pd

    columns = {}
    for name, run in runs.items():
        held = run["held_out"]
        columns[name] = {
            "layers": run["recipe"]["stages"][-1][0],
            "parameters, millions": f"{run['parameters'] / 1e6:.2f}",
            "steps": run["steps"],
            "tokens, millions": f"{run['tokens'] / 1e6:.2f}",
            "epochs": f"{run['epochs']:.2f}",
            "minutes of wall clock": f"{run['minutes']:.1f}",
            "minutes of processor": f"{run['cpu_minutes']:.1f}",
            "held-out loss": f"{held['loss']:.2f}",
            "95 % interval": f"{held['ci_low']:.2f} to {held['ci_high']:.2f}",
            "held-out perplexity": "" if name == "simcse" else f"{np.exp(held['loss']):.0f}",
            "right": f"{held['accuracy']:.0%}",
        }
    return pd.DataFrame(columns)


def shipped() -> dict[str, dict[str, Any]]:
    """Records of the encoders that come with the book.

    Raises
    ------
    ValueError
        If a training did not come to its end, or has not twelve layers.
    """
    from helpers.encoders.pretraining import read_run

    runs = {name: read_run(data.path(f"encoders/{name}")) for name in SHIPPED}
    for name, run in runs.items():
        if not run["done"] or run["recipe"]["stages"][-1][0] != 12:
            raise ValueError(f"encoders/{name} was not trained to its end with twelve layers; train it again")
    return runs


def logs() -> dict[str, pd.DataFrame]:
    """Recorded logs of :data:`SHIPPED`: tokens, layers, losses and minutes, by step."""
    return {name: data.table(f"encoders/{name}/log.csv") for name in SHIPPED}


def facts(runs: Mapping[str, Mapping[str, Any]], known: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Facts about the encoders of the book that the text names.

    Parameters
    ----------
    runs
        What :func:`shipped` returns.
    known
        What :func:`logs` returns.

    Returns
    -------
    dict
        For each encoder, with its name at the end: millions of ``tokens``, minutes of processor (``cpu``), ``loss``,
        ``steps`` and per cent ``right`` on held-out modules, held-out loss at the ``first`` and ``last`` point, and by
        how much the training loss changed over the ``late`` tenth of its tokens. Besides, ``planned``: of how many
        the profile of the training names the same stages; ``machine``, ``vocabulary``, ``perplexity`` of BERT, and
        ``chance``, the per cent that SimCSE gets right by chance.
    """
    import numpy as np
    import yaml

    found: dict[str, Any] = {}
    for name, run in runs.items():
        log = known[name]
        held, losses = log["held_out"].dropna(), log.set_index("tokens")["loss"]
        late = losses[losses.index >= 0.9 * losses.index[-1]]
        of_run = {
            "tokens": run["tokens"] / 1e6,
            "cpu": run["cpu_minutes"],
            "loss": run["held_out"]["loss"],
            "steps": run["steps"],
            "right": 100 * run["held_out"]["accuracy"],
            "first": held.iloc[0],
            "last": held.iloc[-1],
            "late": late.iloc[-1] - late.iloc[0],
        }
        found |= {f"{what}_{name}": value for what, value in of_run.items()}
    profile = yaml.safe_load(data.path("profiles/paper/encoders.yml").read_text(encoding="utf-8"))
    bert = runs["bert"]
    return found | {
        "planned": sum(run["recipe"]["stages"] == profile[f"{name}_stages"] for name, run in runs.items()),
        "machine": bert["machine"],
        "vocabulary": bert["recipe"]["vocabulary"],
        "perplexity": np.exp(bert["held_out"]["loss"]),
        "chance": 100 / CANDIDATES,
    }


def loss_figure(known: Mapping[str, pd.DataFrame]) -> Figure:
    """Losses on training text (lines) and on held-out modules (dots); dotted lines where layers were added."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.4), width_ratios=[2, 1])
    colors = dict(zip(SHIPPED, ("C0", "C1", "C2"), strict=True))
    for name, log in known.items():
        ax, color, millions = axes[int(name == "simcse")], colors[name], log["tokens"] / 1e6
        ax.plot(millions, log["loss"], color=color, label=f"{name}, training")
        ax.plot(millions, log["held_out"], "o", color=color, ms=4)
        for at in millions[log["layers"].diff() > 0]:
            ax.axvline(at, color=color, lw=0.8, ls=":")
    axes[0].plot([], [], "o", color=INK, ms=4, label="held out")
    axes[0].set(xlabel="millions of tokens", ylabel="loss per masked token, nats")
    axes[0].legend()
    axes[1].set(xlabel="millions of tokens", ylabel="loss per pair, nats", title="simcse")
    return figure


def cost_of_token(known: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Processor time of one token in microseconds: a row a number of layers, a column an encoder."""
    import pandas as pd

    costs = {}
    for name, log in known.items():
        steps = log[["tokens", "cpu_minutes"]].diff()[log["layers"].diff() == 0]
        sums = steps.groupby(log["layers"]).sum()
        costs[name] = 60e6 * sums["cpu_minutes"] / sums["tokens"]
    return pd.DataFrame(costs).rename_axis("layers")


def show_costs(costs: pd.DataFrame):
    """The table of :func:`cost_of_token` in whole microseconds."""
    return costs.style.format("{:.0f} µs", na_rep="–")


def cost_of_depth(costs: pd.DataFrame) -> dict[str, float]:
    """Cost of a token at the most layers over that at the fewest, as ``ratio_NAME`` for each encoder."""
    found = {}
    for name in costs:
        known = costs[name].dropna()
        found[f"ratio_{name}"] = known.iloc[-1] / known.iloc[0]
    return found


def masked_words(sentences: Sequence[str], top: int = 3) -> pd.DataFrame:
    """The likeliest words for the mask of each sentence, with their probabilities, by encoder."""
    import pandas as pd

    from helpers.encoders.pretraining import fill_mask

    found: dict[str, dict[str, str]] = {}
    for name in ("bert", "roberta"):
        guesses = {text: fill_mask(data.path(f"encoders/{name}"), text, top=top) for text in sentences}
        found[name] = {text: ", ".join(f"{word} {p:.2f}" for word, p in words) for text, words in guesses.items()}
    return pd.DataFrame(found)
