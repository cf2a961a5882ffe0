"""Vectors in the cells of tables."""

import numpy as np
import pandas as pd
from embedding_files import as_csv


def test_vectors_printed_over_several_lines_are_read(tmp_path, read, x):
    vectors = np.tile(x, 40)
    assert "\n" in str(vectors[0])
    as_csv(
        pd.DataFrame({"v": [str(row) for row in vectors], "w": [str(tuple(row.tolist())) for row in x]}),
        tmp_path / "a.csv",
    )
    inputs = read(tmp_path / "a.csv")
    np.testing.assert_allclose(inputs.representations["v"], vectors, rtol=0, atol=5e-9)  # printed with eight decimals
    np.testing.assert_array_equal(inputs.representations["w"], x)
