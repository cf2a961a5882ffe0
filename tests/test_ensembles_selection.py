"""Choice of parameters by a score."""

import numpy as np
import pytest
from spaces import five_layers

from helpers.ensembles import Greedy, MeanOfLayers, select

layers = pytest.fixture(five_layers)


def test_select_takes_the_first_best_and_computes_rules_once(layers):
    calls = []

    def rule(x, y):
        calls.append(len(x))
        return x.mean()

    chosen, table = select(
        Greedy(quality=rule, similarity=lambda x, y: 1.0),
        {"k": [1, 2, 3], "lam": [0.0, 0.1]},
        lambda e: min(e.k, 2),
        layers,
    )
    assert (chosen.k, chosen.lam) == (2, 0.0) and calls == [60] * 5
    assert table.score.tolist() == [1, 1, 2, 2, 2, 2] and table.lam.tolist() == [0, 0.1] * 3
    with pytest.raises(ValueError, match="k is 9") as error:
        select(Greedy(), {"k": [9]}, lambda e: 0, layers, quality=np.ones(5))
    assert error.value.__notes__ == ["with {'k': 9}"]
    for grid, message in (({}, "empty"), ({"kk": [1]}, "grid names \\['kk'\\]")):
        with pytest.raises(ValueError, match=message):
            select(Greedy(), grid, lambda e: 0, layers)
    with pytest.raises(ValueError, match="score of {'last': 2} is nan"):
        select(MeanOfLayers(), {"last": [2]}, lambda e: np.nan, layers)
