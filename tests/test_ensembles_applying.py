"""A saved ensemble applied to new rows in files, by the command."""

import numpy as np
import tolerance
from embedding_files import N, P, lists

from helpers.__main__ import main
from helpers.ensembles import ConcatPCA, MeanOfLayers
from helpers.inputs import read as read_inputs


def test_new_rows_are_combined_by_one_command(tmp_path, x, capsys):
    layers = {"a": x.astype("f4"), "b": x[:, ::-1].astype("f4") ** 2, "c": x.astype("f4")}
    saved = ConcatPCA(3).fit(layers).save(tmp_path / "ensemble")
    (tmp_path / "new").mkdir()
    rng = np.random.default_rng(2)
    new = {name: rng.normal(size=(20_000, P)).astype("f4") for name in "abc"}
    for name, values in new.items():
        np.save(tmp_path / "new" / f"{name}.npy", values)
    out = tmp_path / "deep" / "combined.npy"
    assert main(["apply", str(saved), str(tmp_path / "new"), "-o", str(out)]) == 0
    assert "20000 rows" in capsys.readouterr().out
    whole = ConcatPCA(3).fit(layers).transform(new)
    size = np.sqrt(sum(np.sum(values.astype(float) ** 2, axis=1).max() for values in new.values()))
    off = tolerance.apart(3 * P, "float32") * size  # products with three axes, in blocks of other sizes
    np.testing.assert_allclose(np.load(out), whole, rtol=0, atol=off)
    assert [path.name for path in out.parent.iterdir()] == ["combined.npy"]
    assert main(["apply", str(saved), str(tmp_path / "new"), "-o", str(out)]) == 2
    assert "is there; to replace it, pass --overwrite" in capsys.readouterr().err
    (tmp_path / "new" / "b.npy").unlink()
    assert main(["apply", str(saved), str(tmp_path / "new"), "-o", str(out), "--overwrite"]) == 2
    assert "needs ['a', 'b', 'c'], by these names: names lists ['b']; there are ['a', 'c']" in capsys.readouterr().err
    np.save(tmp_path / "new" / "b.npy", np.ones((20_000, P + 1)))
    assert main(["apply", str(saved), str(tmp_path / "new"), "-o", str(out), "--overwrite"]) == 2
    assert "'b' is 7 wide; expected 6, as in fit" in capsys.readouterr().err
    assert np.load(out).shape == (20_000, 3)


def test_combined_rows_carry_their_ids(tmp_path, x, capsys):
    saved = MeanOfLayers().fit({"a": x, "b": x}).save(tmp_path / "ensemble")
    (tmp_path / "new").mkdir()
    ids = [f"ü{i}" for i in range(N)]
    x[4, 0] = np.nan
    lists(x, id=ids).to_parquet(tmp_path / "new" / "a.parquet")
    lists(x[::-1], id=ids[::-1]).to_parquet(tmp_path / "new" / "b.parquet")
    command = ["apply", str(saved), str(tmp_path / "new"), "-o", str(tmp_path / "combined.npy")]
    assert main(command) == 2
    assert "or pass --missing drop to leave these objects out" in capsys.readouterr().err
    assert main([*command, "--missing", "drop"]) == 0
    assert "left out, such as ü4 (NaN" in capsys.readouterr().out
    combined = read_inputs(tmp_path / "combined.npy", progress=False)
    assert combined.ids.tolist() == ids[:4] + ids[5:]
    np.testing.assert_allclose(combined.representations["combined"], np.delete(x, 4, 0))
