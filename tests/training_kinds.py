"""Trainings of every kind, each in miniature: what they need of the loop beside a loss is part of their state."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cosine_similarity, cross_entropy, gumbel_softmax, normalize, one_hot
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from helpers.training import Update, Validation, bucketed, shuffled

WORDS, MASK = 12, 11
RNG = np.random.default_rng(7)
TEXTS = [np.cumsum(RNG.integers(1, 3, n)) % 10 for n in RNG.integers(3, 20, 48)]
POINTS = torch.from_numpy(RNG.normal(size=(64, 6)).astype(np.float32))
GROUP = torch.arange(64) % 4
POINTS = POINTS + 2 * nn.functional.one_hot(GROUP, 6)


def masked_words() -> dict[str, Any]:
    """Masks of a batch's own generator, length buckets, warm-up and linear decay, clipping."""
    model = nn.Sequential(
        nn.Embedding(WORDS, 16), nn.Conv1d(16, 16, 3, padding=1), nn.Dropout(0.1), nn.Linear(16, WORDS)
    )

    def collate(rows, rng):
        longest = max(len(TEXTS[row]) for row in rows)
        ids = np.full((len(rows), longest), 10)
        for at, row in enumerate(rows):
            ids[at, : len(TEXTS[row])] = TEXTS[row]
        hidden = (rng.random(ids.shape) < 0.2) & (ids < 10)
        return torch.from_numpy(np.where(hidden, MASK, ids)), torch.from_numpy(ids), torch.from_numpy(hidden)

    def loss(batch, step):
        inputs, ids, hidden = batch
        if not hidden.any():
            return None
        embed, convolve, drop, head = model
        states = drop(convolve(embed(inputs).transpose(1, 2)).transpose(1, 2).relu())
        return cross_entropy(head(states[hidden]), ids[hidden])

    return dict(
        model=model,
        loss=loss,
        batches=bucketed([len(text) for text in TEXTS], 96, collate),
        optimizer=torch.optim.AdamW(model.parameters(), lr=0.02),
        update=Update("linear", warmup=5, clip=1.0),
        count=lambda batch: batch[1].numel(),
        steps=60,
    )


def sequence_to_sequence() -> dict[str, Any]:
    """An encoder and a decoder that rewrites a text backwards, gradients accumulated over two batches."""
    model = nn.ModuleDict(
        {
            "embed": nn.Embedding(WORDS, 16),
            "encoder": nn.GRU(16, 24, batch_first=True),
            "decoder": nn.GRU(16, 24, batch_first=True),
            "head": nn.Linear(24, WORDS),
        }
    )
    texts = torch.from_numpy(np.stack([text[:3] for text in TEXTS]))

    def loss(rows, step):
        source = texts[rows]
        wanted = source.flip(1)
        state = model["encoder"](model["embed"](source))[1]
        given = torch.cat([torch.full_like(wanted[:, :1], MASK), wanted[:, :-1]], dim=1)
        logits = model["head"](model["decoder"](model["embed"](given), state)[0])
        found = cross_entropy(logits.flatten(0, 1), wanted.flatten())
        return {"loss": found, "right": (logits.argmax(-1) == wanted).float().mean()}

    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    update = Update("cosine", accumulate=2)
    return dict(model=model, loss=loss, batches=shuffled(48, 8), optimizer=optimizer, update=update, epochs=20)


class Queue:
    """The last codes of a teacher: negatives that are no part of the batch."""

    def __init__(self):
        self.codes = normalize(torch.ones(16, 4), dim=1)

    def push(self, codes):
        self.codes = torch.cat([codes, self.codes])[:16]

    def state_dict(self):
        return {"codes": self.codes}

    def load_state_dict(self, state):
        self.codes = state["codes"].clone()


def contrast_with_teacher() -> dict[str, Any]:
    """In-batch contrast of two noisy views against a momentum teacher and its queue; noise from torch and NumPy."""
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
    teacher = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    queue, noise = Queue(), np.random.default_rng(3)
    latest = []

    def loss(rows, step):
        x = POINTS[rows]
        first = normalize(model(x + 0.1 * torch.randn(x.shape)), dim=1)
        with torch.no_grad():
            view = x + 0.1 * torch.from_numpy(noise.normal(size=x.shape).astype(np.float32))
            second = normalize(teacher(view), dim=1)
        latest[:] = [second]
        logits = first @ torch.cat([second, queue.codes]).T / 0.1
        return cross_entropy(logits, torch.arange(len(x)))

    def after_step(step):
        teacher.update_parameters(model)
        queue.push(latest[0])

    return dict(
        model=model,
        loss=loss,
        batches=shuffled(64, 16, drop_last=True),
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        after_step=after_step,
        state={"teacher": teacher, "queue": queue, "noise": noise},
        steps=80,
    )


class Miner:
    """Triplets whose negative is the hardest for the weights at the start of the epoch: it keeps its own place."""

    def __init__(self, encode):
        self.encode, self.triplets, self.place = encode, None, 0

    def __call__(self, rng, epoch):
        if self.triplets is None:
            with torch.no_grad():
                codes = self.encode(POINTS)
            alike = codes @ codes.T
            alike[GROUP[:, None] == GROUP] = -2
            positive = torch.from_numpy(rng.integers(1, 16, 64)) * 4
            self.triplets = torch.stack([torch.arange(64), (torch.arange(64) + positive) % 64, alike.argmax(1)], dim=1)
            self.triplets, self.place = self.triplets[torch.from_numpy(rng.permutation(64))], 0
        while self.place < 64:
            batch = self.triplets[self.place : self.place + 16]
            self.place += 16
            yield batch
        self.triplets = None

    def state_dict(self):
        return {"triplets": self.triplets, "place": self.place}

    def load_state_dict(self, state):
        self.triplets, self.place = state["triplets"], state["place"]


def contrast_with_hard_negatives() -> dict[str, Any]:
    """Each anchor against its positive, those of the others, and a negative that was mined with the weights."""
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))

    def encode(x):
        return normalize(model(x), dim=1)

    def loss(triplets, step):
        anchor, positive, negative = (encode(POINTS[rows]) for rows in triplets.T)
        return cross_entropy(anchor @ torch.cat([positive, negative]).T / 0.2, torch.arange(len(anchor)))

    return dict(
        model=model,
        loss=loss,
        batches=Miner(encode),
        optimizer=torch.optim.AdamW(model.parameters(), lr=0.01),
        epochs=20,
    )


def metric_learning() -> dict[str, Any]:
    """Proxies of the groups that learn ten times as fast as the encoder: two parameter groups; early stopping."""
    model = nn.ModuleDict({"encoder": nn.Linear(6, 4), "proxies": nn.Embedding(4, 4)})

    def distance(rows):
        codes, proxies = normalize(model["encoder"](POINTS[rows]), dim=1), normalize(model["proxies"].weight, dim=1)
        return torch.cdist(codes, proxies).square()

    def loss(rows, step):
        own = one_hot(GROUP[rows], 4).bool()
        apart = distance(rows)
        return (apart[own] + torch.logsumexp(-apart.masked_fill(own, torch.inf), dim=1)).mean()

    def held_out():
        return cross_entropy(-distance(torch.arange(48, 64)), GROUP[48:])

    rates = [
        {"params": model["encoder"].parameters(), "lr": 0.01},
        {"params": model["proxies"].parameters(), "lr": 0.1, "weight_decay": 0.0},
    ]
    return dict(
        model=model,
        loss=loss,
        batches=shuffled(48, 12),
        optimizer=torch.optim.AdamW(rates),
        validation=Validation(held_out, patience=3),
        epochs=40,
    )


class Quantised(nn.Module):
    """Two codebooks: one straight-through and moved by averages, one chosen at a temperature."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(6, 8), nn.Linear(8, 6)
        self.soft = nn.Parameter(torch.randn(4, 4))
        self.register_buffer("codes", torch.randn(8, 4))
        self.seen = None

    def forward(self, x, temperature):
        hard, soft = self.encoder(x).chunk(2, dim=1)
        nearest = torch.cdist(hard, self.codes).argmin(1)
        self.seen = hard.detach(), nearest
        through = hard + (self.codes[nearest] - hard).detach()
        mixed = gumbel_softmax(soft, tau=temperature) @ self.soft
        return self.decoder(torch.cat([through, mixed], dim=1)), (hard - self.codes[nearest]).square().mean()


def quantisation() -> dict[str, Any]:
    """Straight-through gradients, a temperature that falls with the step, a codebook that moves after the step."""
    model = Quantised()

    def loss(rows, step):
        rebuilt, apart = model(POINTS[rows], temperature=max(0.3, 0.98**step))
        return {"loss": (rebuilt - POINTS[rows]).square().mean() + 0.25 * apart, "apart": apart}

    def after_step(step):
        hard, nearest = model.seen
        for code in nearest.unique():
            model.codes[code] += 0.1 * (hard[nearest == code].mean(0) - model.codes[code])

    return dict(
        model=model,
        loss=loss,
        batches=shuffled(64, 16),
        optimizer=torch.optim.Adam(model.parameters(), lr=0.01),
        after_step=after_step,
        steps=80,
    )


KINDS = {
    kind.__name__: kind
    for kind in (
        masked_words,
        sequence_to_sequence,
        contrast_with_teacher,
        contrast_with_hard_negatives,
        metric_learning,
        quantisation,
    )
}


def made(kind: str, seed: int = 0) -> dict[str, Any]:
    """Fresh arguments of :func:`helpers.training.train`; another seed means other weights at the start."""
    torch.manual_seed(seed)
    return KINDS[kind]()


def alike(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    """Whether all weights are the same bits."""
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def nearness(codes: torch.Tensor) -> float:
    """How much nearer points of one group are than others, as a difference of mean cosines."""
    cosines = cosine_similarity(codes[:, None], codes[None], dim=2)
    same = (GROUP[:, None] == GROUP) & ~torch.eye(64, dtype=torch.bool)
    return float(cosines[same].mean() - cosines[GROUP[:, None] != GROUP].mean())
