"""Decoders whose memory is a state that is updated token by token: what they begin with is made from the vector."""

from __future__ import annotations

from typing import Any

import torch
from transformers import DynamicCache, Mamba2Config, Mamba2ForCausalLM, Qwen3NextConfig, Qwen3NextForCausalLM

from helpers.arrays import check_count
from helpers.inversion._base import SPECIAL_IDS, Decoder, shifted
from helpers.inversion.tokens import BOS, PAD

__all__ = ["STATE_DECODERS", "StateSpace", "make_state_decoder"]

STATE_DECODERS = ("mamba", "delta")
"""State-space (Mamba 2) and linear attention with the gated delta rule."""


DECAYS = (0.001, 0.1)
"""Rates at which heads forget in the beginning, before the step that each token chooses."""


class _Begun:
    """What the layers take for a cache in training: a first state for each, and no memory of anything else."""

    is_compileable = False
    is_sliding = (False,)

    def __init__(self, states: torch.Tensor):
        self.states = states

    def get_recurrent_state(self, layer_idx: int, state_idx: int = 0) -> torch.Tensor:
        return self.states[layer_idx]

    def get_conv_state(self, layer_idx: int, state_idx: int = 0) -> None:
        return None

    def update_conv_state(self, conv_states: torch.Tensor, layer_idx: int, **kwargs: Any) -> torch.Tensor:
        return conv_states

    def update_recurrent_state(self, recurrent_states: torch.Tensor, layer_idx: int, **kwargs: Any) -> torch.Tensor:
        return recurrent_states

    def is_recording_past(self, layer_idx: int) -> bool:
        return False

    def has_previous_state(self, layer_idx: int | None = None) -> bool:
        return False

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return 0

    def get_query_offset(self, layer_idx: int = 0) -> int:
        return 0

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        return query_length, 0


class _BegunCache(DynamicCache):
    """A cache for writing that holds states alone, and so no positions, and has them before anything was read."""

    def get_recurrent_state(self, layer_idx: int, state_idx: int = 0) -> torch.Tensor:
        return self.layers[layer_idx].recurrent_states[state_idx]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return 0

    def get_query_offset(self, layer_idx: int = 0) -> int:
        return 0

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        return query_length, 0


class StateSpace(Decoder):
    """Token after token; every layer begins with a state of its own, of low rank, made from the vector.

    A layer's state is a matrix for each head, far larger than the vector. It begins as a sum of ``rank`` outer products
    whose factors are linear in the vector.
    """

    def __init__(self, kind: str, net: torch.nn.Module, width: int, rank: int):
        config = net.config
        if kind == "mamba":
            heads, rows, columns = config.num_heads, config.head_dim, config.state_size
        else:
            heads, rows, columns = (
                config.linear_num_value_heads,
                config.linear_key_head_dim,
                config.linear_value_head_dim,
            )
        torch.nn.Module.__init__(self)
        self.kind, self.net, self.rank = kind, net, rank
        self.shape = (config.num_hidden_layers, heads, rank, rows + columns)
        self.rows = rows
        self.up = torch.nn.Linear(width, self.shape[0] * heads * rank * (rows + columns))
        with torch.no_grad():
            for name, decay in net.named_parameters():
                if name.endswith("A_log"):
                    # Models of language draw rates of up to 16, as all they have to keep is read later on; here what
                    # is to be kept comes before the text.
                    decay.copy_(torch.linspace(*DECAYS, len(decay)).log())

    def start(self, vectors: torch.Tensor) -> torch.Tensor:
        """(layers, n, heads, rows, columns): the states that the layers begin with, each of rank at most ``rank``."""
        factors = self.up(vectors).unflatten(1, self.shape)
        left, right = factors[..., : self.rows], factors[..., self.rows :]
        return torch.einsum("nlhra,nlhrb->lnhab", left, right) / self.rank**0.5

    def states(self, vectors, tokens):
        begun = _Begun(self.start(vectors))
        given = {"cache_params" if self.kind == "mamba" else "past_key_values": begun}
        body = self.net.backbone if self.kind == "mamba" else self.net.model
        return body(shifted(tokens), use_cache=False, **given).last_hidden_state

    def write(self, vectors, *, beams, length, **options):
        states = self.start(vectors).repeat_interleave(beams, dim=1).contiguous()
        cache = _BegunCache(config=self.net.config)
        for layer, state in zip(cache.layers, states, strict=True):
            layer.update_recurrent_state(state)
        begin = torch.full((len(vectors), 1), BOS, device=vectors.device)
        given = {"cache_params" if self.kind == "mamba" else "past_key_values": cache}
        found = self.net.generate(begin, num_beams=beams, max_new_tokens=length, pad_token_id=PAD, **given, **options)
        return found[:, 1:]


def make_state_decoder(
    kind: str, width: int, *, vocabulary: int, hidden: int = 192, layers: int = 2, rank: int = 4
) -> StateSpace:
    """A decoder whose layers begin with states made from the vector, untrained.

    Parameters
    ----------
    kind
        ``"mamba"`` (Mamba 2) or ``"delta"`` (gated delta rule, the linear attention of Qwen3-Next).
    width
        Width of the vector.
    vocabulary
        Number of tokens.
    hidden, layers
        Width and number of the layers; hidden is a multiple of 32.
    rank
        Outer products of which a state begins.

    Raises
    ------
    ValueError
        If the kind is unknown, a count is below 1, or ``hidden`` is no multiple of 32.
    """
    check_count(rank, "rank")
    if check_count(hidden, "hidden", least=32) % 32:
        raise ValueError(f"hidden is {hidden}; a multiple of 32 is needed")
    if kind not in STATE_DECODERS:
        raise ValueError(f"kind is {kind!r}; it is one of {', '.join(STATE_DECODERS)}")
    if kind == "mamba":
        config = Mamba2Config(
            vocab_size=vocabulary,
            hidden_size=hidden,
            num_hidden_layers=layers,
            expand=2,
            head_dim=32,
            num_heads=hidden // 16,
            n_groups=1,
            state_size=32,
            chunk_size=16,
            tie_word_embeddings=True,
            initializer_range=hidden**-0.5,
            **SPECIAL_IDS,
        )
        return StateSpace(kind, Mamba2ForCausalLM(config), width, rank)
    config = Qwen3NextConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        num_key_value_heads=hidden // 32,
        head_dim=32,
        linear_num_key_heads=hidden // 32,
        linear_num_value_heads=hidden // 32,
        linear_key_head_dim=32,
        linear_value_head_dim=32,
        layer_types=["linear_attention"] * layers,
        num_experts=0,
        mlp_only_layers=list(range(layers)),
        tie_word_embeddings=True,
        initializer_range=hidden**-0.5,
        **SPECIAL_IDS,
    )
    return StateSpace(kind, Qwen3NextForCausalLM(config), width, rank)
