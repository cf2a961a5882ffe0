"""From one vector to the tokens of a text: networks of the library ``transformers`` around one vector.

Each decoder has ``losses(vectors, tokens)``, from which it is trained, ``logits(vectors, tokens)``, what it would say
of each token if all before it were right, and ``write(vectors, …)``, which writes freely.
"""

from __future__ import annotations

import math

import torch
from transformers import LlamaConfig, LlamaForCausalLM, MBartConfig, MBartForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from helpers.arrays import check_count
from helpers.inversion._base import SPECIAL_IDS, Decoder, shifted
from helpers.inversion.tokens import BOS, EOS, MASK, PAD

__all__ = ["DECODERS", "Autoregressive", "Iterative", "OnePass", "Prefix", "make_decoder", "network"]

DECODERS = ("autoregressive", "prefix", "mamba", "delta", "one_pass", "iterative")
"""Decoders by name; see :func:`make_decoder`."""


def network(vocabulary: int, hidden: int, encoder_layers: int, decoder_layers: int, length: int, dropout: float = 0.1):
    """A small encoder and decoder (MBart: norms before the blocks) with one table of tokens, untrained."""
    config = MBartConfig(
        vocab_size=vocabulary,
        d_model=hidden,
        encoder_layers=encoder_layers,
        decoder_layers=decoder_layers,
        encoder_attention_heads=_heads(hidden),
        decoder_attention_heads=_heads(hidden),
        encoder_ffn_dim=2 * hidden,
        decoder_ffn_dim=2 * hidden,
        max_position_embeddings=length + 1,
        dropout=dropout,
        attention_dropout=0.0,
        activation_dropout=0.0,
        scale_embedding=True,
        init_std=hidden**-0.5,  # at 0.02 a vector is hardly heard in a network this narrow
        decoder_start_token_id=BOS,
        forced_eos_token_id=None,
        **SPECIAL_IDS,
    )
    net = MBartForConditionalGeneration(config)
    with torch.no_grad():
        # Scaled, they have unit variance, and the scores of the output, which shares them, begin small.
        net.model.shared.weight.normal_(std=hidden**-0.5)
        net.model.shared.weight[PAD] = 0
    return net


def language_model(vocabulary: int, hidden: int, layers: int, length: int):
    """A small causal language model (Llama), untrained."""
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=_heads(hidden),
        max_position_embeddings=length + 1,
        tie_word_embeddings=True,
        initializer_range=hidden**-0.5,
        **SPECIAL_IDS,
    )
    return LlamaForCausalLM(config)


def _heads(hidden: int) -> int:
    return next(n for n in range(max(1, hidden // 48), 0, -1) if hidden % (2 * n) == 0)


def make_decoder(
    name: str,
    width: int,
    *,
    vocabulary: int,
    hidden: int = 192,
    layers: int = 2,
    length: int = 32,
    n_slots: int = 1,
    rank: int = 4,
    dropout: float = 0.1,
) -> torch.nn.Module:
    """A decoder from one vector to tokens, untrained.

    Parameters
    ----------
    name
        ``"autoregressive"``: token after token, the vector is the only memory of cross-attention; ``"prefix"``: token
        after token behind ``n_slots`` states made from the vector; ``"one_pass"``: all tokens at once;
        ``"iterative"``: a few passes, each of which decides the tokens that are surest (masked diffusion);
        ``"mamba"`` and ``"delta"``: token after token by Mamba 2 and by the gated delta rule, whose first states are
        made from the vector.
    width
        Width of the vector.
    vocabulary
        Number of tokens.
    hidden, layers
        Width and number of the layers; hidden is even, and a multiple of 32 for ``"mamba"`` and ``"delta"``.
    length
        Most tokens of a text, its end included.
    n_slots
        States that the network sees of a vector, each a linear map of the whole of it.
    rank
        Rank of the first states of ``"mamba"`` and ``"delta"``.
    dropout
        Share of the activations left out in training; not of ``"prefix"``, ``"mamba"`` and ``"delta"``.

    Raises
    ------
    ValueError
        If the name is unknown, a count is below 1, or ``hidden`` is odd.
    """
    for value, what in ((width, "width"), (vocabulary, "vocabulary"), (layers, "layers"), (length, "length")):
        check_count(value, what)
    check_count(n_slots, "n_slots")
    if check_count(hidden, "hidden", least=2) % 2:
        raise ValueError(f"hidden is {hidden}; an even number is needed")
    if name in ("mamba", "delta"):
        from helpers.inversion.states import make_state_decoder

        return make_state_decoder(name, width, vocabulary=vocabulary, hidden=hidden, layers=layers, rank=rank)
    kinds = {"autoregressive": Autoregressive, "prefix": Prefix, "one_pass": OnePass, "iterative": Iterative}
    if name not in kinds:
        raise ValueError(f"decoder is {name!r}; it is one of {', '.join(DECODERS)}")
    if name == "prefix":
        net = language_model(vocabulary, hidden, layers, length + n_slots)
    else:
        after = layers if name == "autoregressive" else 0
        net = network(vocabulary, hidden, layers - after, after, length, dropout)
    return kinds[name](net, width, n_slots)


class Autoregressive(Decoder):
    """Token after token; the vector is the only memory of cross-attention."""

    idle = ("net.final_logits_bias", "net.model.encoder.")

    def states(self, vectors, tokens):
        found = self.net.model.decoder(
            input_ids=shifted(tokens), encoder_hidden_states=self.slots(vectors), use_cache=False
        )
        return found.last_hidden_state

    def write(self, vectors, *, beams, length, **options):
        memory = BaseModelOutput(last_hidden_state=self.slots(vectors))
        found = self.net.generate(encoder_outputs=memory, num_beams=beams, max_new_tokens=length, **options)
        return found[:, 1:]


class Prefix(Decoder):
    """Token after token, behind a prefix that is made from the vector: any causal language model."""

    def _embedded(self, vectors, tokens):
        return torch.cat([self.slots(vectors), self.net.get_input_embeddings()(tokens)], 1)

    def states(self, vectors, tokens):
        seen = self._embedded(vectors, shifted(tokens))
        return self.net.model(inputs_embeds=seen, use_cache=False).last_hidden_state[:, self.n_slots :]

    def write(self, vectors, *, beams, length, **options):
        begin = torch.full((len(vectors), 1), BOS, device=vectors.device)
        seen = self._embedded(vectors, begin)
        mask = torch.ones(seen.shape[:2], dtype=torch.long, device=vectors.device)
        return self.net.generate(
            inputs_embeds=seen, attention_mask=mask, num_beams=beams, max_new_tokens=length, **options
        )


class OnePass(Decoder):
    """All tokens at once: the vector at every place, positions, and attention among the places."""

    idle = ("net.final_logits_bias", "net.model.decoder.")

    def states(self, vectors, tokens):
        return self._at(vectors, tokens.shape[1])

    def _at(self, vectors, places):
        spread = self.slots(vectors).mean(1, keepdim=True).expand(-1, places, -1)
        return self.net.model.encoder(inputs_embeds=spread).last_hidden_state

    def write(self, vectors, *, beams, length, **options):
        return self.said(self._at(vectors, length)).argmax(-1)


class Iterative(Decoder):
    """A few passes: each says the tokens that are still open, and keeps those of which it is surest."""

    idle = ("net.final_logits_bias", "net.model.decoder.")

    def _states(self, vectors, tokens):
        embedded = self.net.model.encoder.embed_tokens(tokens) + self.slots(vectors).mean(1, keepdim=True)
        return self.net.model.encoder(inputs_embeds=embedded).last_hidden_state

    def states(self, vectors, tokens):
        return self._states(vectors, torch.full_like(tokens, MASK))

    def asked(self, vectors, tokens, word_dropout=0.0):
        # Behind its end a text goes on with ends: its length is said as everything else is.
        wanted = tokens.masked_fill(tokens == PAD, EOS)
        share = torch.rand(len(tokens), 1, device=tokens.device)
        hidden = torch.rand(tokens.shape, device=tokens.device) < share
        hidden[torch.arange(len(tokens)), torch.randint(tokens.shape[1], (len(tokens),))] = True
        return self._states(vectors, wanted.masked_fill(hidden, MASK))[hidden], wanted[hidden]

    def write(self, vectors, *, beams, length, **options):
        passes = options.get("passes", 8)
        tokens = torch.full((len(vectors), length), MASK, device=vectors.device)
        for number in range(passes):
            open_ = tokens == MASK
            if not bool(open_.any()):
                break
            scores = self.said(self._states(vectors, tokens)).log_softmax(-1)
            scores[..., [PAD, BOS, MASK]] = -torch.inf
            sure, said = scores.max(-1)
            left = math.floor(length * (1 - (number + 1) / passes))
            sure = sure.masked_fill(~open_, torch.inf)
            kept = sure.argsort(1, descending=True)[:, : length - left]
            decided = torch.zeros_like(open_).scatter_(1, kept, True)
            tokens = torch.where(open_ & decided, said, tokens)
        return tokens
