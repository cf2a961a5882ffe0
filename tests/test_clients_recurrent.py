"""Recurrent networks without padding give what those of torch give, and their gradients."""

import numpy as np
import pytest
import torch

from helpers.clients import recurrent

LENGTHS = np.array([3, 1, 5, 3, 5, 2])


def network(cell, **options):
    torch.manual_seed(0)
    return {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell](4, 3, batch_first=True, **options).double()


def by_torch(net, x, start):
    """Last states of a padded batch."""
    state = () if start is None else (start.expand(1, len(x), 3).contiguous(),)
    out, _ = net(x, *state)
    return out[torch.arange(len(x)), torch.from_numpy(LENGTHS - 1)]


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_states_and_gradients_are_those_of_torch(cell):
    net = network(cell)
    padded = torch.randn(len(LENGTHS), 5, 4, dtype=torch.float64, requires_grad=True)
    start = torch.randn(1, 3, dtype=torch.float64, requires_grad=True) if cell == "gru" else None
    wanted = by_torch(net, padded, start)
    weight = torch.randn_like(wanted)
    inputs = [padded, *net.parameters()] + ([start] if cell == "gru" else [])
    expected = torch.autograd.grad((wanted * weight).sum(), inputs)

    rows = recurrent.pack({"row": torch.arange(30)}, 5 * np.arange(6), LENGTHS)
    found = recurrent.last_states(net, padded.flatten(0, 1)[rows.columns["row"]], rows.sizes, start)[rows.places]
    assert torch.allclose(found, wanted)
    for mine, theirs in zip(torch.autograd.grad((found * weight).sum(), inputs), expected, strict=True):
        assert torch.allclose(mine, theirs)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_gradients_are_those_of_differences(cell):
    net = network(cell)
    x = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    start = torch.randn(1, 3, dtype=torch.float64, requires_grad=cell == "gru")
    assert torch.autograd.gradcheck(lambda x, start: recurrent.last_states(net, x, [3, 2, 1], start), (x, start))


def test_slices_of_one_length_and_a_single_slice_are_packed():
    packed = recurrent.pack({"a": torch.arange(9)}, np.array([0, 3, 6]), np.array([3, 3, 3]))
    assert packed.columns["a"].tolist() == [0, 3, 6, 1, 4, 7, 2, 5, 8] and packed.sizes == [3, 3, 3]
    one = recurrent.pack({"a": torch.arange(9)}, np.array([4]), np.array([2]))
    assert one.columns["a"].tolist() == [4, 5] and one.sizes == [1, 1] and one.places.tolist() == [0]


def test_networks_and_sizes_that_do_not_fit_are_refused():
    x = torch.zeros(4, 4, dtype=torch.float64)
    with pytest.raises(ValueError, match="several layers or directions or no biases"):
        recurrent.last_states(network("gru", num_layers=2), x, [2, 2])
    with pytest.raises(ValueError, match="several layers or directions or no biases"):
        recurrent.last_states(network("lstm", bias=False), x, [2, 2])
    for sizes in ([2, 1], [1, 3]):
        with pytest.raises(ValueError, match="they have to fit"):
            recurrent.last_states(network("gru"), x, sizes)


def test_pairs_are_those_of_the_library():
    from ptls.frames.coles.sampling_strategies import HardNegativePairSelector

    labels = torch.arange(8).repeat_interleave(3)
    points = torch.nn.functional.normalize(torch.from_numpy(np.random.default_rng(0).normal(size=(24, 5))))
    mine = recurrent.NearestNegatives(4).get_pairs(points, labels)
    theirs = HardNegativePairSelector(4).get_pairs(points, labels)
    for one, other in zip(mine, theirs, strict=True):
        assert set(map(tuple, one.tolist())) == set(map(tuple, other.tolist()))


def test_slices_are_drawn_as_those_that_are_padded():
    from ptls.frames.coles import ColesDataset
    from ptls.frames.coles.split_strategy import SampleSlices

    events, edges = {"amount": torch.arange(60.0)}, np.array([[10, 35], [40, 60]])
    histories = [{"amount": events["amount"][first:last]} for first, last in edges]
    drawn = {}
    for name, dataset in {
        "padded": ColesDataset(histories, SampleSlices(3, 4, 9), col_time="amount"),
        "packed": recurrent.PackedSlices(events, edges, SampleSlices(3, 4, 9)),
    }.items():
        np.random.seed(1)  # noqa: NPY002 - that of the library
        drawn[name] = dataset.collate_fn([dataset[i] for i in range(len(dataset))])
    (padded, owners), (packed, others) = drawn["padded"], drawn["packed"]
    assert owners.equal(others)
    steps = np.concatenate([[0], np.cumsum(packed.sizes)])[:-1]
    for i, length in enumerate(padded.seq_lens.tolist()):
        own = [packed.columns["amount"][at + packed.places[i]].item() for at in steps[:length]]
        assert own == padded.payload["amount"][i, :length].tolist()
