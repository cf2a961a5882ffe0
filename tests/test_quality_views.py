"""Qualities of views: definitions by hand, stand-ins for views, bad input."""

import numpy as np
import pytest
import tolerance

from helpers import quality


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 5)) @ np.diag([3.0, 2.0, 1.0, 1.0, 0.5]) + 1


def given(name, x):
    """What a quality needs, made of one representation."""
    rng = np.random.default_rng(1)
    views = np.stack([x, x]) + 0.3 * rng.normal(size=(2, *x.shape)) if x.shape == (60, 5) else None
    return {"views": views, "others": [x[:, :2], x**2]}


def test_alignment_by_its_definition_and_over_all_pairs_of_views(x):
    rng = np.random.default_rng(0)
    views = x + rng.normal(size=(3, *x.shape))
    unit = views / np.linalg.norm(views, axis=2, keepdims=True)
    pairs = [(0, 1), (0, 2), (1, 2)]
    expected = np.mean([np.sum((unit[a] - unit[b]) ** 2, axis=1) for a, b in pairs])
    assert quality.alignment(views) == pytest.approx(expected)
    assert quality.alignment([x, 5 * x]) == pytest.approx(0, abs=tolerance.inner(5))
    assert quality.alignment([x, -x]) == pytest.approx(4) and quality.alignment([x, -x], power=1) == pytest.approx(2)


def test_lidar_counts_the_directions_that_tell_objects_apart():
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(size=(400, 3)), rng.normal(size=(20, 400, 5))
    views = np.concatenate([np.tile(signal, (20, 1, 1)) * 10, 1e-3 * noise[..., :3], noise[..., 3:]], axis=2)
    views[..., :3] += 0.01 * rng.normal(size=(20, 400, 3))
    assert quality.lidar(views) == pytest.approx(
        3, abs=0.1
    )  # three of unequal size: of 400 draws, their variances differ by some hundredths
    assert quality.rankme(views.reshape(-1, 8)) > 3.2  # what only views tell counts there
    one = np.array([[1.0, 0], [-1.0, 0]])
    assert quality.lidar([one, one]) == pytest.approx(1, abs=1e-4)  # to each share 1e-7 is added


def test_lidar_by_its_definition(x):
    views = given("lidar", x)["views"]
    means = views.mean(axis=0)
    within = (views - means).reshape(-1, 5)
    between = means - means.mean(axis=0)
    lda = np.linalg.solve(within.T @ within / 120 + 1e-4 * np.eye(5), between.T @ between / 59)
    share = np.linalg.eigvals(lda).real
    share = share / share.sum() + 1e-7
    near = tolerance.apart(120, condition=np.linalg.cond(within.T @ within / 120 + 1e-4 * np.eye(5)))
    assert quality.lidar(views) == pytest.approx(np.exp(-np.sum(share * np.log(share))), rel=near)


def test_dropout_views_keep_the_mean_and_never_lose_a_row(x):
    views = quality.dropout_views(x, rate=0.5, count=400)
    assert views.shape == (400, 60, 5) and np.abs(views.mean(axis=0) - x).max() < 1.5
    assert set(np.unique(views / x)) <= {0.0, 2.0} and (views != 0).any(axis=2).all()
    assert np.array_equal(views[:2], quality.dropout_views(x, rate=0.5, count=400)[:2])
    assert (quality.dropout_views(x, rate=0.999) != 0).any(axis=2).all()


def test_lidar_hardly_depends_on_scale(x):
    views = given("lidar", x)["views"]
    assert quality.lidar(1000 * views) == pytest.approx(
        quality.lidar(100 * views), rel=1e-6
    )  # delta, 1e-4, beside variances of hundreds


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quality.alignment([np.eye(2)]), "views has 1 view"),
        (lambda: quality.alignment(np.eye(2)), r"views has shape \(2, 2\)"),
        (lambda: quality.alignment([np.eye(2), np.eye(3)]), r"views\[1\] has shape \(3, 3\)"),
        (lambda: quality.lidar([np.ones((3, 2)), np.ones((3, 2))]), "all objects have the same mean"),
        (lambda: quality.lidar([np.eye(2)] * 2, delta=0), "delta is 0"),
        (lambda: quality.dropout_views(np.eye(3), rate=1), "rate is 1"),
    ],
)
def test_bad_input_is_refused_and_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
