"""Eight texts and an inverter that can write them, made once for all tests."""

from functools import cache

from helpers.inversion import Inverter

TEXTS = [f"{what} {how} {when}." for what in ("oil", "gold") for how in ("falls", "rises") for when in ("now", "again")]
SMALL = {
    "width": 12,
    "n_heads": 2,
    "hidden": 64,
    "layers": 1,
    "vocabulary": 262,
    "length": 20,
    "warmup": 20,
    "learning_rate": 0.005,
    "dropout": 0.0,
}


@cache
def small_inverter() -> Inverter:
    """It writes each of the texts from its vector."""
    return Inverter(**SMALL, epochs=200).fit(TEXTS)
