"""Encoders at their beginning: new, with heads that look around, deeper by copies of their layers, or from a folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.encoders.pieces import word_pieces

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from helpers.encoders.recipes import Recipe

__all__ = ["grow", "load_encoder", "start_with_local_attention", "new_model", "tokenizer_of", "trained_tokenizer"]


def grow(model: PreTrainedModel, layers: int) -> PreTrainedModel:
    """A deeper encoder whose layers are copies of the given ones, over and over: progressive stacking.

    Layer ``i`` of the new encoder is layer ``i mod depth`` of the old one; everything else is copied once
    :cite:`gong2019stacking`.

    Parameters
    ----------
    model
        A BERT or RoBERTa with a head.
    layers
        A multiple of its depth.

    Raises
    ------
    ValueError
        If ``layers`` is not a multiple of the depth.
    """
    depth = model.config.num_hidden_layers
    if layers < depth or layers % depth:
        raise ValueError(f"layers is {layers}; it is a multiple of the {depth} layers that there are")
    config = type(model.config).from_dict(model.config.to_dict() | {"num_hidden_layers": layers})
    deeper = type(model)(config)
    old, state = model.state_dict(), {}
    for name in deeper.state_dict():
        stem, layer, rest = name.partition(".layer.")
        if layer:
            index, _, rest = rest.partition(".")
            state[name] = old[f"{stem}.layer.{int(index) % depth}.{rest}"]
        else:
            state[name] = old[name]
    deeper.load_state_dict(state)
    return deeper.train(model.training)


def start_with_local_attention(model: PreTrainedModel, rng: int | np.random.Generator = 0) -> None:
    """Let heads of a new encoder begin by attending to the tokens beside: offsets -1, +1, -2, +2, in place.

    Trained encoders have such heads in any case :cite:`clark2019bert`, yet the way there from a random beginning is a
    plateau of the loss, millions of tokens long at this size. So the embeddings of positions begin as sines and
    cosines :cite:`vaswani2017attention`, as large as those of words, and the keys of a head as a choice of their
    frequencies, its queries as the same turned by the offset; imitating trained weights so is known to help small
    training :cite:`trockman2023mimetic`. All heads of the first layer begin thus, half of them in the others; all
    weights stay free to change.

    Parameters
    ----------
    model
        A BERT or RoBERTa with an even number of features in each head.
    rng
        Seed or generator for the frequencies that each head gets.
    """
    import numpy as np
    import torch

    from helpers.arrays import integer_seed

    config, base, seed = model.config, model.base_model, integer_seed(rng)
    table = base.embeddings.position_embeddings.weight
    pairs, size = config.hidden_size // 2, config.hidden_size // config.num_attention_heads
    frequency = torch.pi * (torch.arange(pairs) + 0.5) / pairs
    angle = torch.arange(len(table))[:, None] * frequency
    with torch.no_grad():
        table[:, 0::2], table[:, 1::2] = angle.sin(), angle.cos()
        table *= 2**0.5 * config.initializer_range
        if base.embeddings.position_embeddings.padding_idx is not None:
            table[base.embeddings.position_embeddings.padding_idx] = 0
        for number, layer in enumerate(base.encoder.layer):
            chosen = np.random.default_rng([seed, number]).permutation(pairs).reshape(config.num_attention_heads, -1)
            heads = chosen if number == 0 else chosen[: max(1, len(chosen) // 2)]
            for head, own in enumerate(heads):
                turn = (-1, 1, -2, 2)[head % 4] * frequency[own]
                rows = torch.arange(head * size, head * size + size)
                sine, cosine, at = rows[0::2], rows[1::2], torch.from_numpy(own)
                query, key = layer.attention.self.query.weight, layer.attention.self.key.weight
                query[rows], key[rows] = 0.0, 0.0
                key[sine, 2 * at], key[cosine, 2 * at + 1] = 1.25, 1.25
                query[sine, 2 * at], query[sine, 2 * at + 1] = 1.25 * turn.cos(), 1.25 * turn.sin()
                query[cosine, 2 * at], query[cosine, 2 * at + 1] = -1.25 * turn.sin(), 1.25 * turn.cos()


def load_encoder(folder: str | os.PathLike[str]) -> PreTrainedModel:
    """The encoder of a folder with the heads that it was trained with, in single precision."""
    import torch
    from transformers import AutoModelForPreTraining

    from helpers.encoders.extraction import quiet

    with quiet():
        return AutoModelForPreTraining.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, trust_remote_code=False
        )


def new_model(recipe: Recipe, tokenizer: PreTrainedTokenizerBase, layers: int | None = None) -> PreTrainedModel:
    """An encoder of a recipe with random weights and the heads of its objective, of the first depth by default."""
    from transformers import BertConfig, BertForPreTraining, RobertaConfig, RobertaForMaskedLM

    roberta = recipe.objective == "roberta"
    config = (RobertaConfig if roberta else BertConfig)(
        vocab_size=len(tokenizer),
        hidden_size=recipe.hidden,
        num_hidden_layers=layers or recipe.stages[0][0],
        num_attention_heads=recipe.heads,
        intermediate_size=4 * recipe.hidden,
        max_position_embeddings=recipe.length + 2 * roberta,  # RoBERTa counts positions from that of the padding on
        type_vocab_size=1 if roberta else 2,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.cls_token_id if roberta else None,
        eos_token_id=tokenizer.sep_token_id if roberta else None,
    )
    return (RobertaForMaskedLM if roberta else BertForPreTraining)(config)


def tokenizer_of(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer that lies in a folder; nothing is downloaded."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def trained_tokenizer(recipe: Recipe, table: pd.DataFrame) -> PreTrainedTokenizerBase:
    """WordPiece or byte-level BPE, learned from the training paragraphs."""
    import tokenizers
    from transformers import BertTokenizerFast, RobertaTokenizerFast

    texts = list(table["text"])
    accents = None if recipe.strip_accents else False  # None: lost with the capitals
    if recipe.word_pieces:
        learner = word_pieces(texts, recipe.vocabulary, strip_accents=accents)
    else:
        learner = tokenizers.ByteLevelBPETokenizer(add_prefix_space=True)
        special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        learner.train_from_iterator(
            texts, vocab_size=recipe.vocabulary, min_frequency=2, special_tokens=special, show_progress=False
        )
    size = learner.get_vocab_size()
    if size != recipe.vocabulary:
        raise ValueError(
            f"vocabulary is {recipe.vocabulary}, but {len(texts)} paragraphs give {size} tokens; "
            + ("choose it larger" if size > recipe.vocabulary else "choose it smaller, or a larger corpus")
        )
    vocabulary = learner.get_vocab()
    if recipe.word_pieces:
        kept = {} if recipe.strip_accents else {"strip_accents": False}
        return BertTokenizerFast(vocab=vocabulary, do_lower_case=True, model_max_length=recipe.length, **kept)
    merges = [tuple(m) for m in json.loads(learner.to_str())["model"]["merges"]]
    hides = tokenizers.AddedToken("<mask>", lstrip=True)  # the mask stands for a word with the space before it
    return RobertaTokenizerFast(
        mask_token=hides, vocab=vocabulary, merges=merges, add_prefix_space=True, model_max_length=recipe.length
    )
