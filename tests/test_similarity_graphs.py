"""IMD and the geometry score: known spectra, known holes, another library's complexes."""

import math

import numpy as np
import pytest
import tolerance
from scipy.spatial.distance import cdist
from spaces import random_pair

from helpers.similarity import graphs
from helpers.similarity.graphs import _heat, _living_times, geometry_score, imd


def spread_of_estimate(x, probes):
    """How far IMD may be off by random signs, from which the powers above the fourth come: weighted as in its maximum.

    Of the trace of a matrix from m vectors of signs the variance is 2 / m times the squares beside its diagonal.
    """
    values, vectors = np.linalg.eigh(graphs._normalised_adjacency(x, 5).toarray())
    off = []
    for t in graphs.TIMES:
        first = sum((t * values) ** m / math.factorial(m) for m in range(5))
        rest = np.exp(-t) * (np.exp(t * values) - first)
        beside = np.sum(rest**2) - np.sum((vectors**2 @ rest) ** 2)
        off.append(1e6 * np.exp(-2 * (t + 1 / t)) / len(x) * np.sqrt(2 * max(beside, 0)))
    return tolerance.of_a_mean(max(off), probes)


def test_estimated_heat_traces_agree_with_the_exact_ones():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 3)), rng.normal(size=(400, 12))
    exact = imd(x, y)
    estimates = [imd(x, y, exact_up_to=0, probes=64, rng=seed) for seed in range(3)]
    assert exact > 10
    of_three = spread_of_estimate(x, 3 * 64) + spread_of_estimate(y, 3 * 64)
    assert np.mean(estimates) == pytest.approx(exact, abs=of_three) and of_three < 0.01 * exact
    assert estimates == pytest.approx([exact] * 3, abs=of_three * math.sqrt(3))
    assert len(set(estimates)) == 3 and imd(x, x + 1, exact_up_to=0) == 0
    assert imd(x, y, scale=1.0) == pytest.approx(exact / 1e6)


def test_imd_of_known_spectra():
    # Pairs far apart: n/2 edges, eigenvalues 0 and 2; triangles: 0, 3/2, 3/2.
    times = np.logspace(-1, 1, 256)
    pairs = np.repeat(10.0 * np.arange(6), 2)[:, None] + np.tile([0.0, 1.0], 6)[:, None]
    triangles = np.kron(10 * np.arange(4), [1, 1, 1])[:, None] + np.tile([[0, 0], [1, 0], [0, 1]], (4, 1))
    heats = [(1 + np.exp(-2 * times)) / 2, (1 + 2 * np.exp(-1.5 * times)) / 3]
    for k, space, heat in ((1, pairs, heats[0]), (2, triangles, heats[1])):
        whole = (1 + (len(space) - 1) * np.exp(-times * len(space) / (len(space) - 1))) / len(space)
        with_all = imd(space, np.random.default_rng(0).normal(size=space.shape), k=len(space) - 1)
        assert with_all == 0  # two complete graphs
        near = tolerance.apart(len(space))
        assert _heat(space.astype(float), k=k).trace == pytest.approx(heat, abs=near)
        assert _heat(space.astype(float), k=len(space) - 1).trace == pytest.approx(whole, abs=near)


def test_holes_of_witness_complexes_are_those_of_gudhi():
    gudhi = pytest.importorskip("gudhi")
    from helpers.similarity._witness import living_times

    rng = np.random.default_rng(0)
    for n, d, size, gamma, squared in (
        (150, 3, 20, 0.3, True),
        (150, 3, 30, 0.2, False),
        (80, 2, 3, 0.5, True),
        (80, 2, 2, 0.5, False),
        (90, 8, 40, 0.01, True),
    ):
        x = np.round(rng.normal(size=(n, d)), 1)  # with ties
        values = cdist(x, x)
        values = values**2 if squared else values
        chosen = np.stack([rng.choice(n, size) for _ in range(4)])
        cuts = np.array([gamma * values[:, c].max() for c in chosen])
        ours = living_times(values, chosen, cuts, 50, squared)
        assert ours.sum(axis=1) == pytest.approx(np.ones(4))
        for row, landmarks, cut in zip(ours, chosen, cuts, strict=True):
            table = [sorted(enumerate(v), key=lambda pair: pair[1]) for v in values[:, landmarks].tolist()]
            tree = gudhi.WitnessComplex(table).create_simplex_tree(max_alpha_square=cut, limit_dimension=2)
            tree.persistence(homology_coeff_field=2, persistence_dim_max=True)
            bars = np.minimum(np.reshape(tree.persistence_intervals_in_dimension(1), (-1, 2)), cut)
            bars, end = (np.sqrt(bars), math.sqrt(cut)) if squared else (bars, cut)
            times = np.unique(np.concatenate([[0, end], bars.ravel()]))
            middles = (times[:-1] + times[1:]) / 2
            holes = ((bars[:, :1] <= middles) & (middles < bars[:, 1:])).sum(axis=0)
            expected = np.bincount(holes, weights=np.diff(times), minlength=50)[:50] / end
            # Shares of the time: ends of two bars for each simplex at most, each off by the rounding of its root.
            assert row == pytest.approx(expected, abs=tolerance.inner(2 * len(times)))


def test_geometry_score_counts_the_holes_of_a_ring():
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    settings_ = {"landmarks": 20, "gamma": 0.1, "complexes": 30}
    # Ties of squared distances are broken by some 4 u, whose root is a share of the time up to gamma; the score, of
    # all with one hole and all with none, moves by four times that.
    near = 8 * math.sqrt(tolerance.unit()) / settings_["gamma"]
    assert geometry_score(ring, angle[:, None], **settings_) == pytest.approx(2, abs=near)
    assert geometry_score(ring, 2 * ring + 5, **settings_) == pytest.approx(0, abs=near)


def test_groups_of_complexes_as_for_large_n_give_the_same(monkeypatch):
    x, options = random_pair(29)[0], {"landmarks": 12, "gamma": 0.2, "complexes": 30}
    whole = _living_times(x, **options)
    assert 0 < whole[1] < 1
    monkeypatch.setattr(graphs, "LARGEST_BLOCK", 700)
    # Differences of squares keep all but three digits, and their roots too.
    assert _living_times(x, **options) == pytest.approx(whole, abs=tolerance.apart(30, condition=1e3))
