"""What the text and the graph of simulated clients have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from helpers.clients.data import Clients


def stream(rng, number: int) -> np.random.Generator:
    """Draws of their own for a seed that others use too; a generator is used as it is."""
    if isinstance(rng, np.random.Generator):
        return rng
    return np.random.default_rng(np.random.SeedSequence(rng, spawn_key=(15, number)))


def latents_of(clients: Clients) -> tuple[np.ndarray, np.ndarray]:
    """Age and lifestyle of each simulated client, as codes."""
    if clients.latents is None:
        raise ValueError("the clients have no latents: messages and payments are drawn for simulated clients only")
    return clients.latents["age"].to_numpy(), clients.latents["lifestyle"].cat.codes.to_numpy().astype(int)


def check_strength(strength: float) -> float:
    """``strength``, if it is a number from 0 to 1."""
    if not 0 <= strength <= 1:
        raise ValueError(f"strength is {strength}; a number from 0 to 1 is needed")
    return strength
