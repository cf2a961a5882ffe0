"""Small files of every format, each written by a library other than the reader, or byte by byte as its format says."""

import base64
import bz2
import gzip
import json
import lzma
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.io
import scipy.sparse
import torch
from pyarrow import feather
from safetensors.numpy import save_file

N, P = 40, 6
X = np.random.default_rng(0).normal(size=(N, P)).astype("f4")
X[np.abs(X) < 1e-3] = 1e-3
IDS = [f"d{i:02d}" for i in range(N)]
FRAME = pd.DataFrame(X, columns=[f"f{i}" for i in range(P)])
LISTS = pd.DataFrame({"id": IDS, "v": list(X)})


def answer(x):
    """What an API answers, in the order that it likes."""
    data = [{"object": "embedding", "index": i, "embedding": row.tolist()} for i, row in enumerate(x)]
    return {"object": "list", "data": data[::-1], "model": "m", "usage": {"prompt_tokens": 8, "total_tokens": 8}}


def text_of(values):
    """JSON lines."""
    return "".join(json.dumps(value) + "\n" for value in values)


def glove(x=X, words=IDS, header=False):
    """Words and vectors as text, with word2vec's header or without."""
    lines = "".join(f"{word} {' '.join(map(repr, row.tolist()))}\n" for word, row in zip(words, x, strict=True))
    return (f"{len(x)} {x.shape[1]}\n" if header else "") + lines


def word2vec(x=X, words=IDS):
    """Word2vec's binary form."""
    rows = [word.encode() + b" " + row.astype("<f4").tobytes() + b"\n" for word, row in zip(words, x, strict=True)]
    return f"{len(x)} {x.shape[1]}\n".encode() + b"".join(rows)


def fvecs(x=X):
    """Rows that begin with their length."""
    return b"".join(np.array([len(row)], "<i4").tobytes() + row.astype("<f4").tobytes() for row in x)


def hdf5(path, x=X, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=x, **options)
        file["id"], file["kind"] = IDS, np.arange(N) % 2


def hdf5_of_names(path):
    with h5py.File(path, "w") as file:
        for name, row in zip(IDS, X, strict=True):
            file[name] = row


def anndata(path, x=X):
    """AnnData as its description of the format on disk says."""
    with h5py.File(path, "w") as file:
        file.attrs["encoding-type"] = "anndata"
        obs = file.create_group("obs")
        obs.attrs["_index"], obs["_index"], obs["count"] = "_index", IDS, np.arange(N)
        kind = obs.create_group("kind")
        kind["categories"], kind["codes"] = ["u", "v"], np.arange(N, dtype="i1") % 2
        file["X"], file["obsm/X_pca"] = np.ones((N, 3)), x


def matlab73(path, x=X):
    """MATLAB 7.3: HDF5 behind a header of 512 bytes, dimensions in the other order, cells as references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("x", data=x.T).attrs["MATLAB_class"] = np.bytes_("single")
        file.create_dataset("y", data=np.arange(N, dtype="f8")[None]).attrs["MATLAB_class"] = np.bytes_("double")
        cells = [
            file.create_dataset(f"#refs#/{i}", data=np.array([[ord(c)] for c in d], "u2")) for i, d in enumerate(IDS)
        ]
        references = np.array([[cell.ref for cell in cells]], dtype=h5py.ref_dtype)
        file.create_dataset("id", data=references).attrs["MATLAB_class"] = np.bytes_("cell")
    data = bytearray(Path(path).read_bytes())
    data[:19] = b"MATLAB 7.3 MAT-file"
    Path(path).write_bytes(data)


def stream(path, table=None):
    """Arrow's streaming format, as ``datasets`` writes it."""
    table = pa.Table.from_pandas(FRAME) if table is None else table
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


def raw(path, **told):
    X.tofile(path)
    path.with_name(f"{path.name}.json").write_text(json.dumps({"dtype": "float32", "shape": [N, P]} | told))


def excel(path):
    FRAME.assign(id=IDS).to_excel(path, index=False)


def text(content):
    """What writes this."""
    if isinstance(content, bytes):
        return lambda path: path.write_bytes(content)
    return lambda path: path.write_text(content)


CSV = FRAME.to_csv(index=False)
COUNTS = np.array([N, P], "<u4").tobytes()

#: For each name of a file what writes ``X`` to it; at least one for each ending that is read.
WAYS = {
    "numpy.npy": lambda path: np.save(path, X),
    "numpy.npz": lambda path: np.savez(path, x=X),
    "sparse.npz": lambda path: scipy.sparse.save_npz(path, scipy.sparse.csr_matrix(X)),
    "names.npz": lambda path: np.savez(path, **dict(zip(IDS, X, strict=True))),
    "safe.safetensors": lambda path: save_file({"x": X}, path),
    "tensor.pt": lambda path: torch.save(torch.tensor(X), path),
    "dictionary.pth": lambda path: torch.save({"id": IDS, "a": {"x": torch.tensor(X)}}, path),
    "list.pt": lambda path: torch.save([torch.tensor(row) for row in X], path),
    "old.pt": lambda path: torch.save(torch.tensor(X), path, _use_new_zipfile_serialization=False),
    "sparse.pt": lambda path: torch.save(torch.tensor(X).to_sparse(), path),
    "torch.bin": lambda path: torch.save({"x": torch.tensor(X)}, path),
    "whole.h5": hdf5,
    "chunks.hdf5": lambda path: hdf5(path, chunks=(7, 3), compression="gzip"),
    "names.h5": hdf5_of_names,
    "cells.h5ad": anndata,
    "five.mat": lambda path: scipy.io.savemat(path, {"x": X, "id": np.array(IDS, dtype=object), "y": np.arange(N)}),
    "four.mat": lambda path: scipy.io.savemat(path, {"x": X.astype("f8")}, format="4"),
    "sparse.mat": lambda path: scipy.io.savemat(path, {"x": scipy.sparse.csc_matrix(X.astype("f8"))}),
    "seven.mat": matlab73,
    "lists.parquet": lambda path: LISTS.to_parquet(path),
    "wide.pq": lambda path: FRAME.to_parquet(path),
    "bytes.parquet": lambda path: pd.DataFrame({"v": [row.tobytes() for row in X]}).to_parquet(path),
    "file.arrow": lambda path: feather.write_feather(LISTS, path, compression="uncompressed"),
    "stream.arrow": stream,
    "packed.feather": lambda path: LISTS.to_feather(path),
    "stream.ipc": stream,
    "wide.csv": text(CSV),
    "wide.csv.gz": text(gzip.compress(CSV.encode())),
    "wide.csv.bz2": text(bz2.compress(CSV.encode())),
    "wide.tsv.xz": text(lzma.compress(CSV.replace(",", "\t").encode())),
    "wide.csv.zst": text(pa.compress(CSV.encode(), "zstd", asbytes=True)),
    "commas.csv": lambda path: FRAME.to_csv(path, index=False, sep=";", decimal=","),
    "pgvector.csv": lambda path: pd.DataFrame({"id": IDS, "v": map(json.dumps, X.tolist())}).to_csv(path, index=False),
    "pgcopy.tsv": text("".join(f"{name}\t{json.dumps(row)}\n" for name, row in zip(IDS, X.tolist(), strict=True))),
    "semicolons.csv": text("".join(f"{name};{json.dumps(row)}\n" for name, row in zip(IDS, X.tolist(), strict=True))),
    "remarks.csv": text(f"# made by a program\n# of two, perhaps; or more\n{CSV}"),
    "marked.csv": text(f"#{CSV}"),
    "excel.csv": text("sep=;\n" + CSV.replace(",", ";")),
    "wide.tsv": text(CSV.replace(",", "\t")),
    "answer.json": text(json.dumps(answer(X))),
    "fetched.json": text(
        json.dumps({"vectors": {i: {"id": i, "values": v.tolist()} for i, v in zip(IDS, X, strict=True)}, "usage": {}})
    ),
    "records.json": text(json.dumps([{"id": i, "v": v.tolist()} for i, v in zip(IDS, X, strict=True)], indent=1)),
    "base64.json": text(json.dumps({"data": [{"embedding": base64.b64encode(np.tile(v, 2)).decode()} for v in X]})),
    "lines.jsonl": lambda path: LISTS.to_json(path, orient="records", lines=True, double_precision=15),
    "lines.jsonl.gz": text(gzip.compress(text_of(X.tolist()).encode())),
    "lines.ndjson": text(text_of(X.tolist())),
    "glove.txt": text(glove()),
    "matrix.txt": lambda path: np.savetxt(path, X),
    "fasttext.vec": text(glove(header=True)),
    "fasttext.vec.gz": text(gzip.compress(glove(header=True).encode())),
    "node2vec.emb": text(glove(words=map(str, range(N)), header=True)),
    "word2vec.bin": text(word2vec()),
    "book.xlsx": excel,
    "macros.xlsm": excel,
    "told.40x6.float32.dat": lambda path: X.tofile(path),
    "beside.raw": raw,
    "beside.mmap": raw,
    "beside.memmap": lambda path: raw(path, offset=0, order="C"),
    "beside.bin": raw,
    "vectors.fbin": text(COUNTS + X.tobytes()),
    "vectors.fvecs": text(fvecs()),
}
#: Files of codes, which are no floating-point numbers.
CODES = {
    "vectors.u8bin": text(COUNTS + np.arange(N * P, dtype="u1").tobytes()),
    "vectors.i8bin": text(COUNTS + np.arange(N * P, dtype="u1").astype("i1").tobytes()),
    "vectors.bvecs": text(b"".join(np.array([P], "<i4").tobytes() + bytes(range(6 * i, 6 * i + 6)) for i in range(N))),
}
