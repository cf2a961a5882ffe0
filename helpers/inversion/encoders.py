"""Token states of texts: of an encoder of our own that is trained with the decoder, or of one that exists."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from helpers.arrays import check_count
from helpers.encoders.extraction import quiet, resolve_model
from helpers.encoders.model_folders import check_all_loaded, model_files, position_limit
from helpers.encoders.sentence_folders import foreign_code, loading
from helpers.inversion.decoders import network
from helpers.inversion.tokens import BOS, PAD, Rows, padded
from helpers.locations import allocate

__all__ = ["FolderEncoder", "OwnEncoder", "StateStore"]


class OwnEncoder(torch.nn.Module):
    """A small encoder that shares its table of tokens with the decoder; its first token stands before the text."""

    def __init__(
        self, vocabulary: int, hidden: int, layers: int, length: int, table: torch.nn.Parameter, dropout: float
    ):
        super().__init__()
        self.net = network(vocabulary, hidden, layers, 0, length + 1, dropout).model.encoder
        self.net.embed_tokens.weight = table
        self.hidden = hidden

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """States (n, 1 + length, hidden) of tokens (n, length), and where a token stands."""
        tokens = torch.nn.functional.pad(tokens, (1, 0), value=BOS)
        mask = tokens != PAD
        return self.net(input_ids=tokens, attention_mask=mask.long()).last_hidden_state, mask

    def of_mixtures(self, weights: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same of mixtures of tokens (n, length, vocabulary), so that gradients reach the weights."""
        table = self.net.embed_tokens.weight
        mixed = torch.cat([table[BOS].expand(len(weights), 1, -1), weights @ table], 1)
        mask = torch.nn.functional.pad(mask, (1, 0), value=True)
        scale = self.net.embed_tokens.embed_scale
        return self.net(inputs_embeds=scale * mixed, attention_mask=mask.long()).last_hidden_state, mask


class FolderEncoder(torch.nn.Module):
    """An encoder of a folder or of the hub, with its own tokenizer.

    Parameters
    ----------
    model
        Folder or name on the hub, as in :func:`helpers.encoders.extraction.resolve_model`.
    trained
        Whether its weights are trained further.
    layer
        Layer whose states are given, counted from 1; None: the last one.

    Attributes
    ----------
    limit : int or None
        Tokens that it has positions for, special ones included.

    Raises
    ------
    OSError, ValueError
        If the folder lacks a configuration, a tokenizer or weights, the weights are of another model, or it has no such
        layer.
    """

    def __init__(self, model: str | os.PathLike[str], trained: bool, layer: int | None = None):
        from transformers import AutoConfig, AutoModel, AutoTokenizer

        super().__init__()
        folder = resolve_model(model)
        if isinstance(folder, Path):
            model_files(folder)  # without a tokenizer the library would make an empty one
            foreign_code(folder)
        with quiet(), loading(Path(folder)):
            options = {"trust_remote_code": False}
            self.tokenizer = AutoTokenizer.from_pretrained(folder, **options)
            if layer is not None:  # the states of a layer do not depend on those above it
                most = AutoConfig.from_pretrained(folder, **options).num_hidden_layers
                options["num_hidden_layers"] = check_count(layer, "layer", most=most)
            options |= {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
            self.net, found = AutoModel.from_pretrained(folder, **options)
        check_all_loaded(folder, self.net, found["missing_keys"], ("pooler.",))
        self.limit = position_limit(self.net)
        self.trained = trained
        self.net.requires_grad_(trained)
        self.hidden = self.net.config.hidden_size

    def train(self, mode: bool = True) -> FolderEncoder:
        super().train(mode)
        self.net.train(mode and self.trained)
        return self

    def rows(self, texts: Sequence[str], most: int) -> Rows:
        """Tokens of the encoder's own, special ones included, at most so many and as it has positions for."""
        most = min(most, self.limit or most)
        with quiet():
            whole = self.tokenizer(list(texts), return_attention_mask=False)["input_ids"]
        long = np.flatnonzero([len(ids) > most for ids in whole])
        if len(long):
            short = self.tokenizer([texts[i] for i in long], truncation=True, max_length=most)["input_ids"]
            for i, ids in zip(long, short, strict=True):
                whole[i] = ids
        return Rows([np.array(ids, dtype=np.int64) for ids in whole], long)

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """States (n, length, hidden) of tokens (n, length) under a mask."""
        return self.net(input_ids=tokens, attention_mask=mask.long()).last_hidden_state, mask

    def batch(self, rows: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows of tokens side by side, and where a token stands."""
        fill = self.tokenizer.pad_token_id or 0
        mask = padded([np.ones(len(row), dtype=np.int64) for row in rows]).bool()
        return padded(rows, fill=fill), mask


class StateStore:
    """States of all tokens of many texts in half precision on disk, so that a frozen encoder reads each text once."""

    def __init__(self, encoder: FolderEncoder, rows: Sequence[np.ndarray], *, batch_tokens: int = 4096):
        self.starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
        self.hidden = encoder.hidden
        self.file = tempfile.NamedTemporaryFile(prefix="states-", suffix=".f16")  # noqa: SIM115 (lives as long as this)
        shape = (int(self.starts[-1]), self.hidden)
        allocate(self.file, 2 * shape[0] * shape[1], f"the states of {shape[0]} tokens")
        self.states = np.memmap(self.file.name, np.float16, "r+", shape=shape)
        order = np.argsort([len(row) for row in rows], kind="stable")
        at = 0
        with torch.inference_mode():
            while at < len(order):
                longest = len(rows[order[min(len(order) - 1, at + batch_tokens // max(1, len(rows[order[at]])) - 1)]])
                some = order[at : at + max(1, batch_tokens // longest)]
                states, mask = encoder(*encoder.batch([rows[i] for i in some]))
                for i, state, real in zip(some, states, mask, strict=True):
                    self.states[self.starts[i] : self.starts[i + 1]] = state[real].to(torch.float16).numpy()
                at += len(some)

    def batch(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """States (n, longest, hidden) of these texts, and where a token stands."""
        lengths = self.starts[rows + 1] - self.starts[rows]
        out = torch.zeros(len(rows), int(lengths.max()), self.hidden)
        mask = torch.arange(out.shape[1])[None] < torch.from_numpy(lengths)[:, None]
        for i, row in enumerate(rows):
            found = self.states[self.starts[row] : self.starts[row + 1]]
            out[i, : len(found)] = torch.from_numpy(found.astype(np.float32))
        return out, mask
