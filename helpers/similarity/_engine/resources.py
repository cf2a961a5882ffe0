"""Threads, memory, kernels and progress of a computation."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterator
from typing import Any

from helpers.similarity._engine.kernels import Kernels

__all__ = ["Progress", "available_threads", "memory_in_bytes", "one_thread_per_product", "threads_for"]

SMALL = 1 << 25  #: products of numbers that one thread is through with before others have begun


class Progress:
    """A bar that says what runs and how long it will take, or nothing."""

    def __init__(self, shown: bool):
        self.shown, self.bar = shown, None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: Any) -> None:
        if self.bar is not None:
            self.bar.close()

    def start(self, what: str, total: int) -> None:
        """Begin the next part."""
        self.__exit__()
        if self.shown:
            from tqdm.auto import tqdm

            self.bar = tqdm(total=total, desc=what, unit="", unit_scale=True, leave=False)

    def advance(self, amount: int) -> None:
        """Move on."""
        if self.bar is not None:
            self.bar.update(amount)


def available_threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_for(kernels: Kernels, products: float) -> int:
    """Threads for a computation of so many products of two numbers."""
    return 1 if kernels.NAME == "torch" or products < SMALL else available_threads()


@functools.lru_cache(maxsize=1)
def _controller(modules: int) -> Any:
    """The libraries that start threads, looked for again when the number of loaded modules has changed."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextlib.contextmanager
def one_thread_per_product(kernels: Kernels) -> Iterator[None]:
    """Threads of ours run whole blocks each, so a matrix product must not start its own."""
    if kernels.NAME == "torch":
        yield
        return
    with _controller(len(sys.modules)).limit(limits=1, user_api="blas"):
        yield


def memory_in_bytes(value: int | str, name: str = "max_memory") -> int:
    """Bytes from a number or from text such as "3GB" or "500 MiB"."""
    from dask.utils import parse_bytes

    try:
        out = parse_bytes(value) if isinstance(value, str) else int(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} is {value!r}; a number of bytes or text such as '2GB' is needed") from error
    if isinstance(value, bool) or out <= 0:
        raise ValueError(f"{name} is {value!r}; it must be positive")
    return out
