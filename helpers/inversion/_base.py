"""What all decoders share."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from helpers.inversion.tokens import BOS, EOS, MASK, PAD

__all__ = ["SPECIAL_IDS", "Decoder", "shifted"]

SPECIAL_IDS = {"pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS}
"""What configurations of the library call the special tokens."""


def shifted(tokens: torch.Tensor) -> torch.Tensor:
    """The tokens before each token."""
    return functional.pad(tokens[:, :-1], (1, 0), value=BOS)


class Decoder(torch.nn.Module):
    """What all decoders share: a network, and a map from the vector to what the network sees of it."""

    idle: tuple[str, ...] = ()
    """How names of weights begin that never act, and that are not kept."""

    def __init__(self, net: torch.nn.Module, width: int, n_slots: int):
        super().__init__()
        self.net, self.n_slots = net, n_slots
        self.up = torch.nn.Linear(width, n_slots * net.get_input_embeddings().embedding_dim)

    def slots(self, vectors: torch.Tensor) -> torch.Tensor:
        """(n, n_slots, hidden): what the network sees of the vectors."""
        return self.up(vectors).unflatten(1, (self.n_slots, -1))

    def losses(
        self, vectors: torch.Tensor, tokens: torch.Tensor, *, smoothing: float = 0.0, word_dropout: float = 0.0
    ) -> torch.Tensor:
        """Cross-entropy in nats of each token that training asks for."""
        states, wanted = self.asked(vectors, tokens, word_dropout)
        return functional.cross_entropy(self.said(states), wanted, label_smoothing=smoothing, reduction="none")

    def asked(
        self, vectors: torch.Tensor, tokens: torch.Tensor, word_dropout: float = 0.0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """States and the tokens that they should say: of all tokens that are no padding.

        A share of the tokens is hidden from those behind them, which then have the vector alone.
        """
        real, seen = tokens != PAD, tokens
        if word_dropout:
            seen = tokens.masked_fill(real & (torch.rand(tokens.shape, device=tokens.device) < word_dropout), MASK)
        return self.states(vectors, seen)[real], tokens[real]

    def said(self, states: torch.Tensor) -> torch.Tensor:
        """Scores of all tokens from states."""
        return self.net.lm_head(states)

    def logits(self, vectors: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """(n, length, vocabulary): scores of each token where all tokens before it are right."""
        return self.said(self.states(vectors, tokens))

    def states(self, vectors: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """(n, length, hidden): the state that says each token."""
        raise NotImplementedError

    def write(self, vectors: torch.Tensor, *, beams: int, length: int, **options: Any) -> torch.Tensor:
        """(n, at most length): tokens, written freely."""
        raise NotImplementedError
