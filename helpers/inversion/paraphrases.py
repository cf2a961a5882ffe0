"""Paraphrases that a model from text to text writes, such as a T5 trained to paraphrase."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from helpers.arrays import check_count
from helpers.inversion.inverter import checked_texts

__all__ = ["written_paraphrases"]


def written_paraphrases(
    texts: Sequence[str],
    model: str | os.PathLike[str],
    *,
    n: int = 4,
    prefix: str = "paraphrase: ",
    length: int = 64,
    batch: int = 32,
) -> list[list[str]]:
    """For each text other texts that say the same, written by a model from text to text.

    Parameters
    ----------
    texts
        Strings, none of them blank.
    model
        Folder of a model with encoder and decoder (T5, BART), or its name on the hub, as
        :func:`helpers.encoders.extraction.resolve_model` takes it.
    n
        Most paraphrases of a text: the n best of a search with as many beams.
    prefix
        What the model was trained to see before a text.
    length
        Most tokens that are read, and written, of a text.
    batch
        Texts that are read at a time.

    Returns
    -------
    list of list of str
        The best first; without those that are blank, or that differ from the text, or from one another, by capitals
        and spaces only, so that there may be fewer than n, or none.

    Raises
    ------
    OSError, ValueError
        If the folder is no such model, or lacks a tokenizer or weights; if a text is blank or a number is below 1.
    """
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    from helpers.encoders.extraction import quiet, resolve_model
    from helpers.encoders.model_folders import check_all_loaded, model_files
    from helpers.encoders.sentence_folders import loading

    texts = checked_texts(texts, "texts")
    for value, name in ((n, "n"), (length, "length"), (batch, "batch")):
        check_count(value, name)
    folder = resolve_model(model)
    if isinstance(folder, Path):
        model_files(folder)
    options = {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
    with loading(Path(folder)), quiet():
        table = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        net, found = AutoModelForSeq2SeqLM.from_pretrained(folder, trust_remote_code=False, **options)
        check_all_loaded(folder, net, found["missing_keys"], ())
    out: list[list[str]] = []
    given = {"num_beams": n, "num_return_sequences": n, "max_new_tokens": length, "do_sample": False}
    with torch.inference_mode(), quiet():
        for at in range(0, len(texts), batch):
            some = texts[at : at + batch]
            asked = table([prefix + text for text in some], padding=True, truncation=True, max_length=length)
            inputs = {name: torch.tensor(asked[name]) for name in ("input_ids", "attention_mask")}
            said = table.batch_decode(net.eval().generate(**inputs, **given), skip_special_tokens=True)
            out += [_others(text, said[n * row : n * (row + 1)]) for row, text in enumerate(some)]
    return out


def _others(text: str, said: Sequence[str]) -> list[str]:
    """What was said that is neither blank nor the text itself, each once."""
    seen, out = {_plain(text), ""}, []
    for other in said:
        if _plain(other) not in seen:
            seen.add(_plain(other))
            out.append(" ".join(other.split()))
    return out


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
