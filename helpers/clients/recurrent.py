r"""Recurrent networks over slices of histories without padding, with gradients by hand.

A batch of slices of unequal length is usually filled up to the longest, and half of what is computed is thrown away.
Here the slices are sorted by length and laid out step by step: the first event of every slice, then the second of all
that have one, and so on. A step reads the first rows of the step before, so that nothing is filled up. Only the state
after the last event of each slice is asked for; with this alone the gradient needs two products a step, and those of
the weights one product for all steps together.

Results and gradients are those of :class:`torch.nn.GRU` and :class:`torch.nn.LSTM` up to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

_OF_SIGMOID, _OF_TANH = torch.ops.aten.sigmoid_backward.grad_input, torch.ops.aten.tanh_backward.grad_input

__all__ = ["NearestNegatives", "Packed", "PackedEncoder", "PackedSlices", "last_states", "pack"]


@dataclass(frozen=True)
class Packed:
    """Slices of events, step by step.

    Attributes
    ----------
    columns : dict of str to Tensor of shape (events,)
        Values of each feature: those of the first events of all slices, the longest slice first, then of the second
        events of all that have one.
    sizes : list of int
        Number of slices that have a first event, a second one, …: it never rises.
    places : Tensor of shape (slices,)
        Place of each slice in the order of falling lengths.
    """

    columns: Mapping[str, torch.Tensor]
    sizes: Sequence[int]
    places: torch.Tensor

    def to(self, device: Any) -> Packed:
        """The same on another device."""
        columns = {name: column.to(device) for name, column in self.columns.items()}
        return replace(self, columns=columns, places=self.places.to(device))


def pack(columns: Mapping[str, torch.Tensor], starts: np.ndarray, lengths: np.ndarray) -> Packed:
    """Slices of long columns, laid out step by step.

    Parameters
    ----------
    columns
        Feature → values of all events of all clients, one client after the other.
    starts, lengths
        First event and number of events, at least 1, of each slice.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from helpers.clients.recurrent import pack
    >>> packed = pack({"amount": torch.arange(10)}, np.array([0, 5]), np.array([1, 3]))
    >>> packed.columns["amount"].tolist(), packed.sizes
    ([5, 0, 6, 7], [2, 1, 1])
    """
    order = np.argsort(-lengths, kind="stable")
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    sizes = len(lengths) - np.searchsorted(np.sort(lengths), np.arange(lengths.max()), side="right")
    rows = torch.from_numpy(np.concatenate([starts[order[:size]] + step for step, size in enumerate(sizes)]))
    return Packed({name: column[rows] for name, column in columns.items()}, sizes.tolist(), torch.from_numpy(places))


class PackedSlices(torch.utils.data.Dataset):
    """Slices of the histories of some clients, drawn when they are asked for.

    Parameters
    ----------
    columns
        Feature → values of all events of all clients, one client after the other.
    edges : ndarray of shape (clients, 2)
        First event and the one behind the last of each client of this set.
    slicer
        Object with ``split``, which gives the positions of the events of each slice, such as ``SampleSlices`` of
        pytorch-lifestream: it draws what it draws for padded batches.
    """

    def __init__(self, columns: Mapping[str, torch.Tensor], edges: np.ndarray, slicer: Any):
        self.columns, self.edges, self.slicer = columns, edges, slicer

    def __len__(self) -> int:
        return len(self.edges)

    def __getitem__(self, i: int) -> np.ndarray:
        first, behind = self.edges[i]
        drawn = self.slicer.split(np.empty(behind - first, dtype=np.int8))
        return np.array([(first + rows[0], len(rows)) for rows in drawn])

    def collate_fn(self, slices: Sequence[np.ndarray]) -> tuple[Packed, torch.Tensor]:
        """A batch, and the number of the client in it to whom each slice belongs."""
        owners = np.repeat(np.arange(len(slices)), [len(of) for of in slices])
        return pack(self.columns, *np.concatenate(slices).T), torch.from_numpy(owners)


class PackedEncoder(torch.nn.Module):
    """An encoder of pytorch-lifestream that takes :class:`Packed` slices: the same weights, no padding.

    Parameters
    ----------
    encoder : RnnSeqEncoder
        One layer in one direction, with the last state as embedding.
    """

    def __init__(self, encoder: Any):
        super().__init__()
        self.encoder = encoder
        self.embedding_size = encoder.embedding_size

    def forward(self, packed: Packed) -> torch.Tensor:
        """Embeddings of shape (slices, hidden)."""
        from ptls.data_load.padded_batch import PaddedBatch

        # One history of all events: every event is encoded by itself.
        flat = {name: column[None] for name, column in packed.columns.items()}
        n = len(next(iter(packed.columns.values())))
        x = self.encoder.trx_encoder(PaddedBatch(flat, torch.tensor([n]))).payload[0]
        network = self.encoder.seq_encoder
        start = torch.tanh(network.starter_h[0]) if network.rnn_type == "gru" else None
        return last_states(network.rnn, x, packed.sizes, start)[packed.places]


class NearestNegatives:
    """Pairs of slices of one client, and of each slice with the nearest of other clients.

    What ``HardNegativePairSelector`` of pytorch-lifestream gives, without its matrix of all differences.

    Parameters
    ----------
    n_negatives
        Nearest slices of other clients that each slice is paired with.
    """

    def __init__(self, n_negatives: int):
        self.n_negatives = n_negatives

    def get_pairs(self, embeddings: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Numbers of both slices of each pair of one client, and of two."""
        n = len(labels)
        same = labels[:, None] == labels[None]
        positive = torch.triu(same, diagonal=1).nonzero()
        found = embeddings.detach()
        distances = torch.cdist(found, found, compute_mode="donot_use_mm_for_euclid_dist").masked_fill_(same, np.inf)
        nearest = distances.topk(self.n_negatives, dim=0, largest=False).indices
        own = torch.arange(n, device=labels.device).repeat(self.n_negatives)
        return positive, torch.stack([own, nearest.flatten()], dim=1)


def last_states(network: Any, x: torch.Tensor, sizes: Sequence[int], start: torch.Tensor | None = None) -> torch.Tensor:
    """The state of a recurrent network after the last event of each slice.

    Parameters
    ----------
    network : torch.nn.GRU or torch.nn.LSTM
        One layer in one direction, with biases.
    x : Tensor of shape (events, features)
        Events of all slices, step by step, as in :class:`Packed`.
    sizes
        Number of slices that have each step.
    start : Tensor of shape (1, hidden), optional
        State before the first event, the same for all; 0 by default.

    Returns
    -------
    Tensor of shape (slices, hidden)
        The longest slice first.

    Raises
    ------
    ValueError
        If the network has more than one layer or direction or no biases, or the sizes do not fit the events.
    """
    if network.num_layers != 1 or network.bidirectional or not network.bias:
        raise ValueError("network has several layers or directions or no biases; one layer with biases is needed")
    if sum(sizes) != len(x) or any(later > earlier for earlier, later in zip(sizes, sizes[1:], strict=False)):
        raise ValueError(f"sizes add up to {sum(sizes)} or rise, and x has {len(x)} events; they have to fit")
    if start is None:
        start = x.new_zeros(1, network.hidden_size)
    kind = _Gru if isinstance(network, torch.nn.GRU) else _Lstm
    weights = network.weight_ih_l0, network.weight_hh_l0, network.bias_ih_l0, network.bias_hh_l0
    return kind.apply(x, start, *weights, tuple(sizes))


def _spans(sizes: Sequence[int]) -> list[tuple[int, int, int]]:
    """First row, row behind the last, and first row of the step before, of each step."""
    edges = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    return [
        (first, behind, edges[step - 1] if step else -1)
        for step, (first, behind) in enumerate(zip(edges, edges[1:], strict=False))
    ]


def _finals(states: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """Rows of the last steps, the longest slice first."""
    edges = np.concatenate([[0], np.cumsum(sizes)])[:-1]
    lengths = np.searchsorted(-np.asarray(sizes), -np.arange(sizes[0]), side="left")
    return states[torch.from_numpy(edges[lengths - 1] + np.arange(sizes[0]))]


def _before(states: torch.Tensor, start: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """The state before each event."""
    before = torch.empty_like(states)
    before[: sizes[0]] = start
    for first, behind, earlier in _spans(sizes)[1:]:
        before[first:behind] = states[earlier : earlier + behind - first]
    return before


class _Gru(torch.autograd.Function):
    """r, z = σ(x W + h U + b), n = tanh(x Wₙ + bₙ + r (h Uₙ + cₙ)), h' = n + z (h − n)."""

    @staticmethod
    def forward(context, x, start, w_in, w_state, b_in, b_state, sizes):
        h = start.shape[1]
        gates = torch.addmm(b_in[: 2 * h] + b_state[: 2 * h], x, w_in[: 2 * h].T)
        new = torch.addmm(b_in[2 * h :], x, w_in[2 * h :].T)
        inner, states = torch.empty_like(new), torch.empty_like(new)
        u_gates, u_new, c_new = w_state[: 2 * h].T.contiguous(), w_state[2 * h :].T.contiguous(), b_state[2 * h :]
        state = start.expand(sizes[0], h)
        for first, behind, earlier in _spans(sizes):
            if earlier >= 0:
                state = states[earlier : earlier + behind - first]
            gate = gates[first:behind].addmm_(state, u_gates).sigmoid_()
            within = torch.addmm(c_new, state, u_new, out=inner[first:behind])
            fresh = new[first:behind].addcmul_(gate[:, :h], within).tanh_()
            torch.lerp(fresh, state, gate[:, h:], out=states[first:behind])
        context.save_for_backward(x, start, w_in, w_state)
        context.kept, context.sizes = (gates, new, inner, states), sizes
        return _finals(states, sizes)

    @staticmethod
    def backward(context, gradient):
        x, start, w_in, w_state = context.saved_tensors
        (gates, new, inner, states), sizes, h = context.kept, context.sizes, start.shape[1]
        before = _before(states, start, sizes)
        d_gates, d_new, d_inner = torch.empty_like(gates), torch.empty_like(new), torch.empty_like(new)
        u_gates, u_new = w_state[: 2 * h], w_state[2 * h :]
        left = gradient.clone()
        for first, behind, _ in reversed(_spans(sizes)):
            d, gate, value = left[: behind - first], gates[first:behind], new[first:behind]
            reset, update, to_gate = gate[:, :h], gate[:, h:], d_gates[first:behind]
            passed = d * update
            fresh = _OF_TANH(d - passed, value, grad_input=d_new[first:behind])
            _OF_SIGMOID(fresh * inner[first:behind], reset, grad_input=to_gate[:, :h])
            _OF_SIGMOID((before[first:behind] - value).mul_(d), update, grad_input=to_gate[:, h:])
            within = torch.mul(fresh, reset, out=d_inner[first:behind])
            torch.addmm(passed, to_gate, u_gates, out=d).addmm_(within, u_new)
        d_in = torch.cat([d_gates.T @ x, d_new.T @ x])
        d_state = torch.cat([d_gates.T @ before, d_inner.T @ before])
        both, fresh, within = d_gates.sum(dim=0), d_new.sum(dim=0), d_inner.sum(dim=0)
        d_x = torch.addmm(d_gates @ w_in[: 2 * h], d_new, w_in[2 * h :]) if context.needs_input_grad[0] else None
        biases = torch.cat([both, fresh]), torch.cat([both, within])
        return d_x, left.sum(dim=0, keepdim=True), d_in, d_state, *biases, None


class _Lstm(torch.autograd.Function):
    """i, f, o = σ(x W + h U + b), g = tanh(…), c' = f c + i g, h' = o tanh(c')."""

    @staticmethod
    def forward(context, x, start, w_in, w_state, b_in, b_state, sizes):
        h = start.shape[1]
        (w_gates, w_new), (u_gates, u_new), (b_gates, b_new) = map(_apart, (w_in, w_state, b_in + b_state))
        gates, new = torch.addmm(b_gates, x, w_gates.T), torch.addmm(b_new, x, w_new.T)
        cells, curved, states = (torch.empty_like(new) for _ in range(3))
        u_gates, u_new = u_gates.T.contiguous(), u_new.T.contiguous()
        state, cell = start.expand(sizes[0], h), start.new_zeros(sizes[0], h)
        for first, behind, earlier in _spans(sizes):
            if earlier >= 0:
                state, cell = (of[earlier : earlier + behind - first] for of in (states, cells))
            gate = gates[first:behind].addmm_(state, u_gates).sigmoid_()
            fresh = new[first:behind].addmm_(state, u_new).tanh_()
            after = torch.mul(gate[:, h : 2 * h], cell, out=cells[first:behind]).addcmul_(gate[:, :h], fresh)
            torch.mul(gate[:, 2 * h :], torch.tanh(after, out=curved[first:behind]), out=states[first:behind])
        context.save_for_backward(x, start, w_in, w_state)
        context.kept, context.sizes = (gates, new, cells, curved, states), sizes
        return _finals(states, sizes)

    @staticmethod
    def backward(context, gradient):
        x, start, w_in, w_state = context.saved_tensors
        (gates, new, cells, curved, states), sizes, h = context.kept, context.sizes, start.shape[1]
        before = _before(cells, torch.zeros_like(start), sizes)
        (w_gates, w_new), (u_gates, u_new) = map(_apart, (w_in, w_state))
        d_gates, d_new = torch.empty_like(gates), torch.empty_like(new)
        left, inside = gradient.clone(), torch.zeros_like(gradient)
        for first, behind, _ in reversed(_spans(sizes)):
            d, cell, to_gate = left[: behind - first], inside[: behind - first], d_gates[first:behind]
            gate, fresh, bent = gates[first:behind], new[first:behind], curved[first:behind]
            enter, keep, out = gate[:, :h], gate[:, h : 2 * h], gate[:, 2 * h :]
            cell += torch.addcmul(d * out, d * out, bent * bent, value=-1)
            _OF_SIGMOID(d * bent, out, grad_input=to_gate[:, 2 * h :])
            _OF_SIGMOID(cell * fresh, enter, grad_input=to_gate[:, :h])
            _OF_SIGMOID(cell * before[first:behind], keep, grad_input=to_gate[:, h : 2 * h])
            _OF_TANH(cell * enter, fresh, grad_input=d_new[first:behind])
            cell.mul_(keep)
            torch.mm(to_gate, u_gates, out=d).addmm_(d_new[first:behind], u_new)
        earlier = _before(states, start, sizes)
        d_in, d_state = (_together(d_gates.T @ of, d_new.T @ of) for of in (x, earlier))
        d_bias = _together(d_gates.sum(dim=0), d_new.sum(dim=0))
        d_x = torch.addmm(d_gates @ w_gates, d_new, w_new) if context.needs_input_grad[0] else None
        return d_x, left.sum(dim=0, keepdim=True), d_in, d_state, d_bias, d_bias, None


def _apart(weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of the gates i, f, o and of the new value g, which stand in the order i, f, g, o."""
    enter, keep, fresh, out = weights.chunk(4)
    return torch.cat([enter, keep, out]), fresh


def _together(gates: torch.Tensor, fresh: torch.Tensor) -> torch.Tensor:
    """What :func:`_apart` took apart."""
    enter, keep, out = gates.chunk(3)
    return torch.cat([enter, keep, fresh, out])
