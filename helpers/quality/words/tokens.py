"""The token table of a transformer as vectors of words: what a word is before any context."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from helpers.quality.words.vectors import WordVectors

__all__ = ["token_vectors"]


def token_vectors(model: str | os.PathLike[str], words: Iterable[str] | None = None, *, name: str = "") -> WordVectors:
    """Vectors of words from the input embeddings of a transformer, without running it.

    Parameters
    ----------
    model
        Folder of the model with its tokenizer, or its name below ``$BOOK_MODELS`` or on the hub.
    words
        Words to be given a vector: the mean of the tokens that it is cut into, after a space. By default the words that
        are one token, in the order of the table, which is by frequency for most tokenizers.
    name
        What tables call them; by default the name of the folder.

    Returns
    -------
    WordVectors
        float32. Words with a token that stands for the unknown, and tokens whose vector is zero, are left out and
        counted in ``left_out``.

    Raises
    ------
    OSError, ValueError
        If the model cannot be loaded, or ``words`` is empty or one string.

    Notes
    -----
    Only letters make a word here; a tokenizer that folds case gives lower-case words. Nothing of the folder's own code
    is run.
    """
    from pathlib import Path

    import torch
    from transformers import AutoModel, AutoTokenizer

    from helpers.encoders.extraction import quiet, resolve_model
    from helpers.encoders.sentence_folders import loading

    if isinstance(words, str):
        raise ValueError("words is a single string; pass a list of words")
    folder = resolve_model(model)
    options = {"trust_remote_code": False} | ({"local_files_only": True} if isinstance(folder, Path) else {})
    with quiet(), loading(Path(folder)):
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        encoder, info = AutoModel.from_pretrained(folder, use_safetensors=True, output_loading_info=True, **options)
        table = encoder.get_input_embeddings().weight
    lacking = [key for key in info["missing_keys"] if encoder.get_parameter(key) is table]
    if lacking:
        raise ValueError(f"the weights in {folder} lack the token table, {lacking[0]}; it would be random")
    table = table.detach().to(torch.float32).numpy()
    if words is None:
        words, ids = _whole_words(tokenizer, len(table))
    else:
        words = list(dict.fromkeys(words))
        if not words:
            raise ValueError("words is empty; at least one word is needed")
        ids = _pieces(tokenizer, words)
    unknown = tokenizer.unk_token_id
    known = np.array([bool(i) and (unknown is None or unknown not in i) for i in ids])
    x = np.zeros((len(words), table.shape[1]), np.float32)
    for row in np.flatnonzero(known):
        x[row] = table[ids[row]].mean(axis=0)
    kept = known & x.any(axis=1)
    left_out = {"unknown": int((~known).sum()), "zero": int((known & ~kept).sum())}
    name = name or Path(model).name
    return WordVectors([words[i] for i in np.flatnonzero(kept)], x[kept], name, left_out)


def _pieces(tokenizer, words: list[str]) -> list[list[int]]:
    """Tokens of each word as it stands after another one."""
    return tokenizer([" " + word for word in words], add_special_tokens=False)["input_ids"]


def _whole_words(tokenizer, n: int) -> tuple[list[str], list[list[int]]]:
    """Words of letters that are one token each, in the order of the table."""
    texts = [tokenizer.convert_tokens_to_string([t]).strip() for t in tokenizer.convert_ids_to_tokens(list(range(n)))]
    special = set(tokenizer.all_special_ids)
    tried = [(i, text) for i, text in enumerate(texts) if text.isalpha() and i not in special]
    cut = _pieces(tokenizer, [text for _, text in tried])
    found = {text: [i] for (i, text), pieces in zip(tried, cut, strict=True) if pieces == [i]}
    return list(found), list(found.values())
