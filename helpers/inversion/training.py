"""What an :class:`helpers.inversion.Inverter` does with tensors: it is built, trained, and writes."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from helpers.encoders.extraction import quiet
from helpers.inversion._given import REACH, learned_from
from helpers.inversion.decoders import make_decoder
from helpers.inversion.encoders import FolderEncoder, OwnEncoder, StateStore
from helpers.inversion.pooling import make_pooling
from helpers.inversion.tokens import PAD, TokenTable, padded
from helpers.text import digest_of_texts
from helpers.training import Checkpoints, Log, Update, Validation, bucketed, buckets, train

__all__ = [
    "build",
    "digest_of_weights",
    "encode",
    "forced",
    "load_weights",
    "own_weights",
    "save_weights",
    "train_inverter",
    "written_tokens",
]

WEIGHTS = "model.safetensors"
"""Name of the file of weights, where there is one."""

CLOUD = 4096
"""Training texts from whose vectors the centre, the spread and the reach of the cloud are told."""


def build(inverter: Any, given: int | None) -> None:
    """Make the networks, untrained; ``given`` is the width of vectors that stand for an encoder."""
    own, size = inverter.encoder == "own", len(inverter.tokens_)
    with torch.random.fork_rng([]):
        torch.manual_seed(inverter.random_state)
        parts = {
            "decoder": make_decoder(
                inverter.decoder,
                given or inverter.width,
                vocabulary=size,
                hidden=inverter.hidden,
                layers=inverter.layers,
                length=inverter.length,
                n_slots=inverter.n_slots,
                rank=inverter.rank,
                dropout=inverter.dropout,
            )
        }
        if given is None:
            if own:
                table = parts["decoder"].net.get_input_embeddings().weight
                parts["encoder"] = OwnEncoder(
                    size, inverter.hidden, inverter.layers, inverter.length, table, inverter.dropout
                )
            else:
                parts["encoder"] = FolderEncoder(inverter.encoder, inverter.train_encoder)
            parts["pooling"] = make_pooling(inverter.pooling, parts["encoder"].hidden, inverter.width, inverter.n_heads)
            if inverter.variational:
                parts["log_variance"] = torch.nn.Linear(inverter.width, inverter.width)
    inverter.network_ = torch.nn.ModuleDict(parts).to(inverter.device).eval()


class Texts:
    """Texts as the networks take them."""

    def __init__(
        self,
        inverter: Any,
        texts: Sequence[str],
        vectors: np.ndarray | None,
        paraphrases: Sequence[Sequence[str]] | None = None,
    ):
        self.inverter, self.network = inverter, inverter.network_
        found = inverter.tokens_.rows(texts, inverter.length)
        self.rows, self.truncated = found.tokens, found.truncated
        self.given = None
        self.read: list[np.ndarray] = []
        self.store: StateStore | None = None
        self.paraphrases: list[list[np.ndarray]] | None = None
        if paraphrases is not None:
            self.paraphrases = [inverter.tokens_.rows(some, inverter.length).tokens for some in paraphrases]
        if vectors is not None:
            self.given = torch.from_numpy((vectors - inverter.centre_) / np.float32(inverter.spread_))
        elif isinstance(encoder := self.network["encoder"], FolderEncoder):
            read = encoder.rows(texts, min(512, 2 * inverter.length))
            self.read, self.truncated = read.tokens, np.union1d(self.truncated, read.truncated).astype(np.int64)
            if not encoder.trained:
                self.store = StateStore(encoder, self.read)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each text."""
        return np.array([len(row) for row in self.rows])

    def paraphrases_of(self, rows: np.ndarray) -> list[list[np.ndarray]]:
        """Tokens of the paraphrases of these texts; none where none were given."""
        return [] if self.paraphrases is None else [self.paraphrases[i] for i in rows]

    def tokens(self, rows: np.ndarray) -> torch.Tensor:
        """(n, longest): tokens that the decoder should write."""
        return padded([self.rows[i] for i in rows]).to(self.inverter.device)

    def vectors(self, rows: np.ndarray, tokens: torch.Tensor) -> torch.Tensor:
        """(n, width): vectors of these texts."""
        device = self.inverter.device
        if self.given is not None:
            return self.given[rows].to(device)
        if self.store is not None:
            states, mask = (part.to(device) for part in self.store.batch(rows))
        elif self.read:
            encoder = self.network["encoder"]
            states, mask = encoder(*(part.to(device) for part in encoder.batch([self.read[i] for i in rows])))
        else:
            states, mask = self.network["encoder"](tokens)
        return self.network["pooling"](states, mask)


def train_inverter(
    inverter: Any,
    texts: Sequence[str],
    vectors: np.ndarray | None,
    validation: Sequence[str] | None,
    validation_vectors: np.ndarray | None,
    paraphrases: Sequence[Sequence[str]] | None = None,
) -> None:
    """Fit the networks of an inverter, and what it keeps of its training."""
    inverter.tokens_ = TokenTable.train(texts, inverter.vocabulary, lower=inverter.lower)
    if vectors is not None:
        _tell_cloud(inverter, vectors)
    build(inverter, None if vectors is None else vectors.shape[1])
    known = Texts(inverter, texts, vectors, paraphrases)
    held = None if validation is None else Texts(inverter, validation, validation_vectors)
    inverter.truncated_ = known.truncated
    if known.truncated.size:
        words = _truncated(inverter, known.truncated, len(texts))
        warnings.warn(f"{words}; pass a larger length to read them whole", stacklevel=4)
    network = inverter.network_
    groups = _rates(inverter)
    optimizer = torch.optim.AdamW(groups, lr=inverter.learning_rate, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    about = {
        name: str(value)
        for name, value in inverter.get_params().items()
        if name not in ("folder", "progress", "epochs", "minutes", "device", "precision")
    } | learned_from(texts, vectors, validation, validation_vectors)
    if isinstance(encoder := network["encoder"] if "encoder" in network else None, FolderEncoder):
        if inverter.folder is not None:
            about["weights of the encoder"] = digest_of_weights(encoder.net)
    if paraphrases is not None:
        about["paraphrases"] = digest_of_texts([other for some in paraphrases for other in some])
    with quiet():
        trained = train(
            network,
            _loss(inverter, known),
            bucketed(known.lengths, inverter.batch_tokens),
            epochs=inverter.epochs,
            minutes=inverter.minutes,
            optimizer=optimizer,
            update=Update("cosine", warmup=inverter.warmup, clip=1.0, precision=inverter.precision),
            validation=held and Validation(lambda: held_out(inverter, held), patience=inverter.patience),
            count=lambda rows: int(known.lengths[rows].sum()),
            rng=inverter.random_state,
            folder=None if inverter.folder is None else Checkpoints(inverter.folder, about=about),
            log=Log(progress=inverter.progress),
        )
    inverter.log_ = trained.log
    network.eval()
    if vectors is None:
        some = np.random.default_rng(0).permutation(len(texts))[:CLOUD]
        _tell_cloud(inverter, _encoded(inverter, known, some))
        _check_apart(inverter)


def _rates(inverter: Any) -> list[dict[str, Any]]:
    """Weights that are trained, those of an encoder that exists at a rate of their own."""
    network = inverter.network_
    exists = "encoder" in network and isinstance(network["encoder"], FolderEncoder)
    tuned = {id(weight) for weight in network["encoder"].parameters()} if exists else set()
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in weights if id(weight) not in tuned]},
        {"params": [weight for weight in weights if id(weight) in tuned], "lr": inverter.encoder_rate},
    ]
    return [group for group in groups if group["params"]]


def _check_apart(inverter: Any) -> None:
    """Warn where vectors of different texts differ by less than half precision tells apart."""
    apart = inverter.spread_ * np.sqrt(inverter.centre_.size) / np.linalg.norm(inverter.centre_)
    if apart < 2**-10:
        rate = "learning_rate" if inverter.encoder == "own" else "encoder_rate"
        warnings.warn(
            f"the vectors of all texts have become one: they lie {apart:.0e} of its length from their mean, and the "
            f"decoder writes without them; a lower {rate} (it is {getattr(inverter, rate)}) or a longer warm-up helps",
            stacklevel=5,
        )


def digest_of_weights(net: torch.nn.Module) -> str:
    """SHA-256 of names and numbers of all weights, as its first 16 hexadecimal digits."""
    out = hashlib.sha256()
    for name, weight in net.state_dict().items():
        out.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        out.update(weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return out.hexdigest()[:16]


def _loss(inverter: Any, known: Texts) -> Callable[[np.ndarray, int], Any]:
    network, decoder = inverter.network_, inverter.network_["decoder"]

    def loss(rows: np.ndarray, step: int):
        tokens = known.tokens(rows)
        vectors = known.vectors(rows, tokens)
        found = {}
        if "log_variance" in network:
            log_variance = network["log_variance"](vectors).clamp(-12, 6)
            divergence = 0.5 * (vectors.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
            vectors = vectors + (0.5 * log_variance).exp() * torch.randn_like(vectors)
            found["divergence"] = divergence
        if inverter.noise:
            spread = vectors.detach().var(0, correction=0).mean().sqrt()
            vectors = vectors + inverter.noise * spread * torch.randn_like(vectors)
        options = {"smoothing": inverter.smoothing, "word_dropout": inverter.word_dropout}
        entropy = decoder.losses(vectors, tokens, **options).mean()
        total = entropy
        if "divergence" in found:
            total = entropy + inverter.variational * found["divergence"] * len(rows) / (tokens != PAD).sum()
        if inverter.meaning:
            found["meaning"] = _meaning(network, vectors, tokens)
            total = total + inverter.meaning * found["meaning"]
        if (said := _paraphrased(decoder, vectors, known.paraphrases_of(rows))) is not None:
            found["paraphrase"] = said
            total = total + said
        return {"loss": total, "entropy": entropy, **found}

    return loss


def _meaning(network: torch.nn.ModuleDict, vectors: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """One less the cosine of the vectors of texts and of what is written of them, drawn by straight-through Gumbel."""
    mask = tokens != PAD
    drawn = torch.nn.functional.gumbel_softmax(network["decoder"].logits(vectors, tokens), hard=True)
    states, seen = network["encoder"].of_mixtures(drawn, mask)
    # Without detaching, the vectors would be drawn together until all of them are one.
    return 1 - torch.cosine_similarity(network["pooling"](states, seen), vectors.detach()).mean()


def _paraphrased(
    decoder: torch.nn.Module, vectors: torch.Tensor, others: list[list[np.ndarray]]
) -> torch.Tensor | None:
    """Cross-entropy of a token of the likeliest paraphrase of each text, 0 where it has none; their mean over texts."""
    of = [row for row, some in enumerate(others) for _ in some]
    if not of:
        return None
    tokens = padded([other for some in others for other in some]).to(vectors.device)
    lengths = (tokens != PAD).sum(1)
    entropies = decoder.losses(vectors[of], tokens).split(lengths.tolist())
    means = iter([part.mean() for part in entropies])
    least = [torch.stack([next(means) for _ in some]).min() for some in others if some]
    return torch.stack(least).sum() / len(others)


def held_out(inverter: Any, held: Texts) -> dict[str, float]:
    """Cross-entropy of a token in nats, and the share of tokens that are the likeliest, all before them being right."""
    total = right = count = 0
    for rows in buckets(held.lengths, 8192, np.random.default_rng(0)):
        tokens = held.tokens(rows)
        real = tokens != PAD
        scores = inverter.network_["decoder"].logits(held.vectors(rows, tokens), tokens)[real]
        total += float(torch.nn.functional.cross_entropy(scores, tokens[real], reduction="sum"))
        right += int((scores.argmax(-1) == tokens[real]).sum())
        count += int(real.sum())
    return {"loss": total / count, "accuracy": right / count}


def forced(inverter: Any, texts: Sequence[str], vectors: np.ndarray) -> Iterator[tuple[Any, ...]]:
    """Rows of texts; scores (n, length, vocabulary) of each token with all before it right; tokens; where one is."""
    known = inverter.tokens_.rows(texts, inverter.length).tokens
    lengths = np.array([len(row) for row in known])
    x = _scaled(inverter, vectors)
    for rows in buckets(lengths, 4096, np.random.default_rng(0)):
        tokens = padded([known[i] for i in rows]).to(inverter.device)
        some = torch.from_numpy(x[rows]).to(inverter.device)
        yield rows, inverter.network_["decoder"].logits(some, tokens).cpu(), tokens.cpu(), (tokens != PAD).cpu()


def _truncated(inverter: Any, rows: np.ndarray, n: int) -> str:
    encoder = inverter.network_["encoder"] if "encoder" in inverter.network_ else None
    limit = getattr(encoder, "limit", None)
    more = f", or than the {limit} that the encoder reads," if limit and limit < 2 * inverter.length else ""
    return (
        f"{len(rows)} of {n} texts are longer than {inverter.length} tokens{more} and were truncated, the first of "
        f"them texts[{rows[0]}]"
    )


def encode(inverter: Any, texts: Sequence[str]) -> np.ndarray:
    """Vectors of texts."""
    known = Texts(inverter, texts, None)
    if known.truncated.size:
        warnings.warn(_truncated(inverter, known.truncated, len(texts)), stacklevel=3)
    return _encoded(inverter, known, np.arange(len(texts)))


@torch.inference_mode()
def _encoded(inverter: Any, known: Texts, rows: np.ndarray) -> np.ndarray:
    out = np.empty((len(rows), inverter.width), dtype=np.float32)
    for group in buckets(known.lengths[rows], 8192, np.random.default_rng(0)):
        some = rows[group]
        out[group] = known.vectors(some, known.tokens(some)).cpu().numpy()
    return out


@torch.inference_mode()
def written_tokens(inverter: Any, vectors: np.ndarray, *, beams: int, batch: int, **options: Any) -> list[list[int]]:
    """Tokens that are written from vectors."""
    x = _scaled(inverter, vectors)
    rows: list[list[int]] = []
    with quiet(), torch.random.fork_rng([]):
        torch.manual_seed(inverter.random_state)
        for at in range(0, len(x), batch):
            some = torch.from_numpy(x[at : at + batch]).to(inverter.device)
            found = inverter.network_["decoder"].write(some, beams=beams, length=inverter.length, **options)
            rows += found.cpu().tolist()
    return rows


def _scaled(inverter: Any, vectors: np.ndarray) -> np.ndarray:
    """Vectors as the decoder takes them."""
    given = "encoder" not in inverter.network_
    return (vectors - inverter.centre_) / np.float32(inverter.spread_) if given else np.ascontiguousarray(vectors)


def _tell_cloud(inverter: Any, vectors: np.ndarray) -> None:
    inverter.centre_ = vectors.mean(0, dtype=np.float64).astype(np.float32)
    away = vectors - inverter.centre_
    inverter.spread_ = float(np.sqrt(np.mean(away.astype(np.float64) ** 2))) or 1.0
    inverter.reach_ = float(np.quantile(np.linalg.norm(away, axis=1), REACH))


def own_weights(inverter: Any) -> dict[str, torch.Tensor]:
    """Weights by name, each once, without those of a frozen encoder of another folder and those that never act."""
    idle = tuple(f"decoder.{part}" for part in inverter.network_["decoder"].idle)
    frozen = "encoder" in inverter.network_ and not getattr(inverter.network_["encoder"], "trained", True)
    seen, out = set(), {}
    for name, weight in inverter.network_.state_dict().items():
        if weight.data_ptr() not in seen and not name.startswith(("encoder.", *idle) if frozen else idle):
            seen.add(weight.data_ptr())
            out[name] = weight
    return out


def save_weights(inverter: Any, folder: str | os.PathLike[str], largest: str) -> None:
    """Write the weights in half precision, in one file or in as many as the largest size of a file asks for."""
    from huggingface_hub import save_torch_state_dict

    half = {name: weight.detach().half().contiguous().cpu() for name, weight in own_weights(inverter).items()}
    save_torch_state_dict(half, folder, max_shard_size=largest)


def load_weights(inverter: Any, folder: Path) -> None:
    """Read weights that :func:`save_weights` wrote.

    Raises
    ------
    FileNotFoundError
        If a file of weights is missing; the message names it.
    ValueError
        If a file is damaged, or tensors are missing, left over, or of another shape.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    index = folder / f"{WEIGHTS}.index.json"
    names = sorted(set(json.loads(index.read_text())["weight_map"].values())) if index.is_file() else [WEIGHTS]
    found: dict[str, torch.Tensor] = {}
    for name in names:
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} is no inverter: {name} is missing")
        try:
            found |= load_file(folder / name)
        except SafetensorError as error:
            raise ValueError(f"{folder / name} is truncated or no safetensors file: {error}") from None
    own = own_weights(inverter)
    if wrong := sorted(set(found) ^ set(own)):
        raise ValueError(f"{folder} has other weights than its inverter: {wrong[0]} is missing or left over")
    with torch.no_grad():
        for name, weight in own.items():
            if found[name].shape != weight.shape:
                raise ValueError(
                    f"{folder}: {name} has shape {tuple(found[name].shape)}; {tuple(weight.shape)} is needed"
                )
            weight.copy_(found[name].to(weight))
