"""A tokenizer that is trained on the texts themselves, and texts as rows of tokens."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from helpers.arrays import check_count

__all__ = ["BOS", "EOS", "MASK", "PAD", "SPECIAL", "Rows", "TokenTable", "padded"]

SPECIAL = ("<pad>", "<bos>", "<eos>", "<mask>")
PAD, BOS, EOS, MASK = range(4)
BYTES = 256


class Rows(NamedTuple):
    """Texts as tokens.

    Attributes
    ----------
    tokens
        Array of int64 for each text, its end included.
    truncated
        Rows of the texts that were longer than allowed.
    """

    tokens: list[np.ndarray]
    truncated: np.ndarray


class TokenTable:
    """Pieces of words and bytes, learned from texts (byte-pair encoding): any text can be written with them.

    Parameters
    ----------
    tokenizer
        Tokenizer of the library ``tokenizers``, as :meth:`train` makes it.
    """

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer

    def __len__(self) -> int:
        return self.tokenizer.get_vocab_size()

    @classmethod
    def train(cls, texts: Iterable[str], size: int, *, lower: bool = True) -> TokenTable:
        """Learn a table of so many pieces, special ones and all bytes included.

        Parameters
        ----------
        texts
            What it is learned from.
        size
            Number of tokens, at least 260; fewer come where the texts are too short for them.
        lower
            Whether capital letters are read, and so written, as small ones.
        """
        check_count(size, "vocabulary", least=len(SPECIAL) + BYTES, why="the special tokens and all bytes")
        tokenizer = Tokenizer(models.BPE())
        steps = [normalizers.NFKC()] + [normalizers.Lowercase()] * lower
        tokenizer.normalizer = normalizers.Sequence(steps)
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=list(SPECIAL),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TokenTable:
        """Read a table that :meth:`save` wrote; a ``ValueError`` says if it is damaged."""
        try:
            return cls(Tokenizer.from_file(str(path)))
        except Exception as error:  # the library raises nothing narrower
            raise ValueError(f"{path} is damaged: {error}") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table as one JSON file."""
        Path(path).write_text(self.tokenizer.to_str(), encoding="utf-8")

    def rows(self, texts: Sequence[str], most: int) -> Rows:
        """Tokens of each text and its end, at most so many in all; special tokens in a text are read as its letters."""
        encoded = [found.ids for found in self._encoded(texts)]
        tokens = [np.array([*ids[: most - 1], EOS], dtype=np.int64) for ids in encoded]
        return Rows(tokens, np.array([i for i, ids in enumerate(encoded) if len(ids) > most - 1], dtype=np.int64))

    def texts(self, rows: Iterable[Sequence[int]]) -> list[str]:
        """Texts of rows of tokens, each up to its end; special tokens are left out."""
        ids = []
        for row in rows:
            row = [int(token) for token in row]
            row = row[: row.index(EOS)] if EOS in row else row
            ids.append([token for token in row if token >= len(SPECIAL)])
        return [text.strip() for text in self.tokenizer.decode_batch(ids, skip_special_tokens=False)]

    def pieces(self, row: Sequence[int]) -> list[str]:
        """What each token of a row stands for: a piece of a word, or the name of a special token."""
        return [
            SPECIAL[token] if token < len(SPECIAL) else self.tokenizer.decode([token]).strip()
            for token in map(int, row)
        ]

    def _encoded(self, texts: Sequence[str]) -> list:
        self.tokenizer.encode_special_tokens = True
        return self.tokenizer.encode_batch(list(texts), add_special_tokens=False)


def padded(rows: Sequence[np.ndarray], *, fill: int = PAD, length: int | None = None) -> torch.Tensor:
    """Rows of tokens as one tensor (n, longest), filled at the end."""
    longest = max(map(len, rows)) if length is None else length
    out = np.full((len(rows), longest), fill, dtype=np.int64)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row[:longest]
    return torch.from_numpy(out)
