"""What a folder of a model has to hold, and how much of a text the model in it reads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["TOKENIZER", "WEIGHTS", "check_all_loaded", "model_files", "position_limit"]

WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
"""Patterns of the files of weights, and of what says which tensor lies in which."""

TOKENIZER = ("tokenizer*", "vocab.*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "*.model")
"""Patterns of the files of a tokenizer."""


def model_files(folder: Path) -> set[Path]:
    """Every file of a folder that decides the vectors: configuration, weights and tokenizer.

    Raises
    ------
    FileNotFoundError
        If one of the three is missing; the message says which, and what the folder holds.
    """
    found = {pattern: sorted(folder.glob(pattern)) for pattern in ("config.json", *WEIGHTS, *TOKENIZER)}
    for what, patterns in (("configuration", ["config.json"]), ("weights", WEIGHTS[:1]), ("tokenizer", TOKENIZER)):
        if not any(found[pattern] for pattern in patterns):
            hint = "; only safetensors are read, so convert other formats first" if what == "weights" else ""
            beside = sorted(path.name for path in folder.iterdir())
            raise FileNotFoundError(f"{folder} has no {what} ({', '.join(patterns)}); it holds {beside}{hint}")
    for index in found[WEIGHTS[1]]:
        for name in set(json.loads(index.read_text())["weight_map"].values()):
            if not (folder / name).exists():
                raise FileNotFoundError(f"{folder} lacks {name}, which {index.name} names")
    return {path for group in found.values() for path in group}


def position_limit(model: Any) -> int | None:
    """How many tokens a model of transformers has positions for; None if it does not count them."""
    limit = getattr(model.config, "max_position_embeddings", None)
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    offset = getattr(table, "padding_idx", None)  # RoBERTa counts positions from there
    if limit is None or limit <= 0:  # XLNet says -1: positions are relative
        return None
    return limit if offset is None else limit - offset - 1


def check_all_loaded(folder: Path | str, model: Any, absent: Iterable[str], unread: tuple[str, ...]) -> None:
    """Refuse a model some of whose weights were not in its files, but for those that are not read.

    Raises
    ------
    ValueError
        If there are any; the message counts them and names the first.
    """
    if lacking := [key for key in sorted(absent) if not key.startswith(unread)]:
        raise ValueError(
            f"the weights in {folder} lack {len(lacking)} tensors of its {type(model).__name__}, such as "
            f"{lacking[0]}; they would be random"
        )
