"""Codes that are no floating-point numbers: int8, packed bits, bits of bfloat16."""

import numpy as np
import pytest
from sentence_transformers.util.quantization import quantize_embeddings
from tolerance import inner

from helpers.inputs import read

N, P = 300, 64
X = np.random.default_rng(1).normal(size=(N, P)).astype("f4") + np.random.default_rng(2).normal(size=P) / 2
X = X.astype("f4")


#: Of half a step, what float32 adds to numbers of up to 127 steps: two roundings, each relative to the number.
ROUNDED = 2 * 127 * np.finfo(np.float32).eps


def read_one(path, **options):
    inputs = read(path, work=path.parent / "work", progress=False, **options)
    ((name, got),) = inputs.representations.items()
    return got, inputs.findings.loc[name, "read_as"]


def cosines(x):
    x = np.asarray(x, dtype=np.float64)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    return unit @ unit.T


@pytest.mark.parametrize("precision", ["binary", "ubinary"])
def test_packed_bits_are_seen_and_their_cosines_are_hamming_distances(tmp_path, precision):
    codes = quantize_embeddings(X, precision=precision)
    np.save(tmp_path / "a.npy", codes)
    got, said = read_one(tmp_path / "a.npy")
    assert got.shape == (N, P) and set(np.unique(got)) == {-1, 1} and "8 bytes a row are 64 packed bits" in said
    bits = X > 0
    hamming = (bits[:, None] != bits).sum(axis=2)
    np.testing.assert_allclose(cosines(got), 1 - 2 * hamming / P, atol=inner(P))


@pytest.mark.parametrize("precision", ["int8", "uint8"])
def test_quantised_numbers_are_seen_and_stay_numbers(tmp_path, precision):
    codes = quantize_embeddings(X, precision=precision, calibration_embeddings=X)
    np.save(tmp_path / "a.npy", codes)
    got, said = read_one(tmp_path / "a.npy")
    signed = quantize_embeddings(X, precision="int8", calibration_embeddings=X)
    assert np.abs(got - signed).max() <= 1 and got.dtype == np.float32  # the two are rounded apart
    assert f"{precision} codes as they are: no scale" in said


def test_a_scale_of_the_same_file_is_used(tmp_path):
    scale, zero = np.linspace(0.02, 0.05, P, dtype="f4"), np.arange(P) % 5
    codes = np.clip(np.round(X / scale) + zero, -128, 127).astype("i1")
    np.savez(tmp_path / "a.npz", x=codes, scale=scale, zero_point=zero)
    got, said = read_one(tmp_path / "a.npz")
    inside = (codes > -128) & (codes < 127)
    assert (
        np.abs(got - X)[inside].max() <= scale.max() / 2 * (1 + ROUNDED)
        and "decoded by 'scale' and 'zero_point'" in said
    )
    by_row = np.abs(X).max(axis=1, keepdims=True) / 127
    np.savez(tmp_path / "b.npz", x=np.round(X / by_row).astype("i1"), scales=by_row)
    got, _ = read_one(tmp_path / "b.npz")
    assert (np.abs(got - X) <= by_row / 2 * (1 + ROUNDED)).all()


def test_the_name_decides_where_bytes_could_be_both(tmp_path):
    codes = np.random.default_rng(0).integers(0, 256, (N, P), dtype="u1")
    for name, width in (("a", 8 * P), ("a.uint8", P), ("a.ubinary", 8 * P)):
        np.save(tmp_path / f"{name}.npy", codes)
        assert read_one(tmp_path / f"{name}.npy")[0].shape[1] == width
    few = codes[:50]
    for name, width in (("few", P), ("few packed", 8 * P)):
        np.save(tmp_path / f"{name}.npy", few)
        assert read_one(tmp_path / f"{name}.npy")[0].shape[1] == width


def test_bits_that_are_not_packed_and_small_counts_are_numbers(tmp_path):
    for name, values in (("binary", X > 0), ("counts", np.random.default_rng(0).poisson(2, X.shape))):
        np.save(tmp_path / f"{name}.npy", values.astype("u1"))
        np.testing.assert_array_equal(read_one(tmp_path / f"{name}.npy")[0], values.astype("f4"))


def test_bits_of_bfloat16_are_seen_and_counts_are_not(tmp_path):
    bits = (X.view("u4") >> 16).astype("u2")
    np.save(tmp_path / "bits.npy", bits)
    got, said = read_one(tmp_path / "bits.npy")
    assert (np.abs(got - X) <= np.abs(X) * 2.0**-7).all() and "bits of bfloat16" in said
    np.save(tmp_path / "void.npy", bits.view("V2"))  # as JAX saves it
    np.testing.assert_array_equal(read_one(tmp_path / "void.npy")[0], got)
    rng = np.random.default_rng(0)
    for name, values in (("even", rng.integers(0, 1 << 16, X.shape)), ("small", rng.poisson(3, X.shape))):
        np.save(tmp_path / f"{name}.npy", values.astype("u2"))
        got, said = read_one(tmp_path / f"{name}.npy")
        np.testing.assert_array_equal(got, values)
        assert said == ""
