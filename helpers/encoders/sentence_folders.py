"""How the folder of a sentence encoder says that its vectors are made: pooling, dense layers, length, prompt.

The format is that of the library sentence-transformers: ``modules.json`` names the steps, each with a ``config.json``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Dense", "SentenceRecipe", "foreign_code", "loading", "needed_files", "recipe_of", "suited", "vocabulary_of"]

MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "last",
}
WORDS = {
    "cls": "the first token",
    "max": "the maximum over the tokens",
    "mean": "the mean over the tokens",
    "mean_sqrt_len": "the sum over the tokens, divided by the root of their number",
    "weightedmean": "the mean over the tokens, later ones weighted more",
    "last": "the last token",
}
ALIASES = {"lasttoken": "last", "mean_sqrt_len_tokens": "mean_sqrt_len"}
ACTIVATIONS = ("Identity", "Tanh", "ReLU", "GELU", "Sigmoid", "SiLU")


class Dense(NamedTuple):
    """A linear layer on top of the pooled vector."""

    weight: np.ndarray  # (out, in)
    bias: np.ndarray | None
    activation: str


class SentenceRecipe(NamedTuple):
    """What makes the one vector of a text."""

    modes: tuple[str, ...]  # pooled vectors, side by side
    dense: tuple[Dense, ...]
    unit: bool
    prompt: str
    lower: bool
    max_length: int | None
    model: str  # the folder of the transformer, relative
    digest: str

    def width(self, hidden: int) -> int:
        """Features of the vector, of a model with so many."""
        return len(self.dense[-1].weight) if self.dense else hidden * len(self.modes)

    def in_words(self) -> str:
        """As a page says it."""
        parts = [" beside ".join(WORDS[mode] for mode in self.modes)]
        parts += [f"then {len(self.dense)} dense layer{'s' * (len(self.dense) > 1)}"] * bool(self.dense)
        parts += ["scaled to length 1"] * self.unit
        parts += [f"each text after the prompt {self.prompt!r}"] * bool(self.prompt)
        return ", ".join(parts)

    def pooled(self, states: Any, mask: Any) -> Any:
        """Vectors (n, width) of the last hidden states (n, tokens, hidden) under a mask (n, tokens)."""
        import torch

        count = mask.sum(dim=1, keepdim=True)
        weights = mask[..., None].to(states.dtype)
        rise = torch.arange(1, mask.shape[1] + 1, device=mask.device)[None, :, None] * weights
        total = (states * weights).sum(dim=1)
        every = torch.arange(len(states), device=states.device)
        makers = {
            "cls": lambda: states[:, 0],
            "max": lambda: states.masked_fill(mask[..., None] == 0, -1e9).amax(dim=1),
            "mean": lambda: total / count,
            "mean_sqrt_len": lambda: total / count.sqrt(),
            "weightedmean": lambda: (states * rise).sum(dim=1) / rise.sum(dim=1),
            "last": lambda: states[every, count[:, 0].long() - 1],
        }
        out = torch.cat([makers[mode]() for mode in self.modes], dim=1)
        for layer in self.dense:
            weight = torch.from_numpy(layer.weight).to(out)
            bias = None if layer.bias is None else torch.from_numpy(layer.bias).to(out)
            out = getattr(torch.nn, layer.activation)()(torch.nn.functional.linear(out, weight, bias))
        return torch.nn.functional.normalize(out, dim=1) if self.unit else out


def recipe_of(folder: Path, needed: bool = False) -> SentenceRecipe | None:
    """What the folder says; ``None`` if it says nothing, or an error if it is needed.

    Raises
    ------
    ValueError
        If a step is not known, is a class of the folder's own, or lacks its weights in safetensors.
    """
    if not (folder / "modules.json").is_file():
        if needed:
            raise ValueError(
                f"{folder} has no modules.json, which says how vectors of sentences are made; pass pooling='mean'"
            )
        return None
    modes: tuple[str, ...] = ()
    dense: list[Dense] = []
    unit, model, prompt_left_out = False, "", False
    seen = [(folder / "modules.json").read_bytes()]
    for step in _steps(folder):
        kind, place = step["type"], folder / step.get("path", "")
        name = kind.rpartition(".")[2]
        if not kind.startswith("sentence_transformers."):
            raise ValueError(
                f"{folder}/modules.json names the class {kind}, code of the folder's own, which is never run; encode "
                "the texts with that code and pass the vectors as files, or pass pooling='mean'"
            )
        if name == "Transformer":
            model = step.get("path", "") if not (folder / "config.json").is_file() else ""
        elif name == "Pooling":
            seen.append((place / "config.json").read_bytes())
            pooling = json.loads(seen[-1])
            modes, prompt_left_out = _modes(pooling, place), pooling.get("include_prompt") is False
        elif name == "Dense":
            dense.append(_dense(place, seen))
        elif name == "Normalize":
            unit = True
        else:
            raise ValueError(
                f"{folder}/modules.json has a step {name}; Transformer, Pooling, Dense and Normalize are known; pass "
                "pooling='mean' to pool its tokens without it"
            )
    if not modes:
        raise ValueError(f"{folder}/modules.json has no Pooling; pass pooling='mean', 'cls' or 'last'")
    settings = _json(folder / "config_sentence_transformers.json", seen)
    length = _json(folder / model / "sentence_bert_config.json", seen)
    if prompt_left_out and (settings.get("default_prompt_name") or ""):
        raise ValueError(f"{folder} leaves its prompt out of the pooling, which is not known; pass pooling='mean'")
    prompt = (settings.get("prompts") or {}).get(settings.get("default_prompt_name") or "") or ""
    digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in seen)).hexdigest()
    lower, limit = bool(length.get("do_lower_case")), length.get("max_seq_length")
    return SentenceRecipe(modes, tuple(dense), unit, prompt, lower, limit, model, digest)


def suited(recipe: SentenceRecipe | None, pooling: str | None, layers: bool) -> tuple[str, str]:
    """The pooling to take, and in words what it does and why.

    Parameters
    ----------
    recipe
        What the folder says, if it says anything.
    pooling
        What was asked for, if anything was.
    layers
        Whether vectors of all layers are wanted, which a folder's description of its one vector does not cover.
    """
    if pooling == "sentence" and recipe:
        return pooling, recipe.in_words()
    words = f"pooling {pooling!r}, as was asked for"
    if pooling is not None:
        return pooling, words + (f", although its folder says: {recipe.in_words()}" if recipe else "")
    if recipe is None:
        return "mean", "the mean over the tokens, because its folder does not say otherwise (it has no modules.json)"
    if not layers:
        return "sentence", f"{recipe.in_words()}, as its folder says"
    same = recipe.modes[0] if recipe.modes[0] in ("mean", "cls", "last") else "mean"
    return same, f"{WORDS[same]} in each layer; the one vector that its folder describes is {recipe.in_words()}"


def needed_files(folder: Path) -> list[str]:
    """Files in folders below that the steps need, relative to a folder with ``modules.json``."""
    if not (folder / "modules.json").is_file():
        return []
    places = [step.get("path", "") for step in _steps(folder)]
    return [f"{place}/{name}" for place in places if place for name in ("*.json", "model.safetensors", "vocab.txt")]


@contextmanager
def loading(folder: Path, model: str = "") -> Iterator[None]:
    """What goes wrong where a model is loaded or tried, told with the folder that it comes from."""
    try:
        yield
    except (OSError, MemoryError):
        raise
    except Exception as error:
        why = str(error).strip().partition("\n")[0] or type(error).__name__
        if "trust_remote_code" in str(error):
            why = "it is Python code of the folder's own, which is never run"
        what = f"{model} in {folder}" if model else f"the model in {folder}"
        raise ValueError(f"{what} cannot be read as an encoder of texts: {why}") from error


def foreign_code(folder: Path) -> list[str]:
    """What a folder names as Python code of its own and the library has classes for, in words; it is never run.

    A class for the model is taken to be the library's if both have one name and the library's reads texts in both
    directions: decoders are often made bidirectional under their own name, which the weights do not tell.

    Raises
    ------
    ValueError
        If ``auto_map`` names a class for the model or the tokenizer that the library's may not stand for.
    """
    said = []
    for file, kinds in (("config.json", ("AutoModel", "AutoTokenizer")), ("tokenizer_config.json", ("AutoTokenizer",))):
        own = _json(folder / file, []).get("auto_map") or {}
        own = own if isinstance(own, dict) else {"AutoTokenizer": own}
        for kind in [one for one in kinds if own.get(one)]:
            name = own[kind] if isinstance(own[kind], str) else next(n for n in own[kind] if n)
            stock = _stock_model(folder) if kind == "AutoModel" else _stock_tokenizer(name)
            if stock != name.rpartition(".")[2]:
                raise ValueError(
                    f"{folder}/{file} names code of the folder's own, {name} (auto_map, {kind}), which is never run, "
                    "and without it another model would be loaded; encode the texts with that code and pass the "
                    "vectors as files"
                )
            said.append(
                f"{folder}/{file} names code of the folder's own, {name} (auto_map, {kind}), which is never run: the "
                f"{stock} of the library is loaded in its place, and its vectors may differ"
            )
        rest = sorted(kind for kind in own if kind not in ("AutoModel", "AutoTokenizer", "AutoConfig"))
        if rest and "AutoModel" not in own and file == "config.json":
            said.append(
                f"{folder}/{file} names code of the folder's own for {' and '.join(rest)} (auto_map), which is never "
                "run: the model of the library is loaded, and its vectors may differ"
            )
    return said


def vocabulary_of(model: Any) -> int | None:
    """How many tokens a model knows; None of one that hashes characters."""
    try:
        return getattr(model.get_input_embeddings(), "num_embeddings", None)
    except NotImplementedError:
        return None


def _stock_model(folder: Path) -> str | None:
    """The class of the library that reads texts in both directions, by the kind that the folder says it is."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        MODEL_MAPPING_NAMES,
    )

    config = _json(folder / "config.json", [])
    kind = config.get("model_type")
    causal = kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    name = None if causal or config.get("is_decoder") else MODEL_MAPPING_NAMES.get(kind)
    return name[0] if isinstance(name, tuple) else name


def _stock_tokenizer(name: str) -> str | None:
    import transformers

    own = name.rpartition(".")[2]
    return own if hasattr(transformers, own) else None


def _steps(folder: Path) -> list[dict[str, Any]]:
    steps = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    return sorted(steps, key=lambda step: step.get("idx", 0))


def _modes(config: dict[str, Any], place: Path) -> tuple[str, ...]:
    """The poolings, in the order in which the library puts them side by side."""
    named: str | Sequence[str] | None = config.get("pooling_mode")
    if named:
        named = [named] if isinstance(named, str) else named
        modes = tuple(ALIASES.get(mode, mode) for mode in named)
    else:
        modes = tuple(mode for key, mode in MODES.items() if config.get(key))
    if not modes or set(modes) - set(WORDS):
        raise ValueError(f"{place}/config.json has the poolings {list(modes)}; {', '.join(WORDS)} are known")
    return modes


def _dense(place: Path, seen: list[bytes]) -> Dense:
    from safetensors.numpy import load

    config = _json(place / "config.json", seen)
    if not (place / "model.safetensors").is_file():
        raise ValueError(f"{place} has no model.safetensors; only safetensors are read, so convert other formats first")
    seen.append((place / "model.safetensors").read_bytes())
    arrays = load(seen[-1])
    activation = str(config.get("activation_function", "torch.nn.modules.activation.Tanh")).rpartition(".")[2]
    if activation not in ACTIVATIONS:
        raise ValueError(f"{place}/config.json has the activation {activation}; {', '.join(ACTIVATIONS)} are known")
    return Dense(arrays["linear.weight"], arrays.get("linear.bias"), activation)


def _json(path: Path, seen: list[bytes]) -> dict[str, Any]:
    """A file of settings, empty if it is not there."""
    if not path.is_file():
        return {}
    seen.append(path.read_bytes())
    return json.loads(seen[-1])
