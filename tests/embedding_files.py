"""Small embeddings in files of every kind, whole and damaged."""

import json
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa

N, P = 40, 6


def as_csv(frame, path, **options):
    frame.to_csv(path, index=False, **options)


def wide(x, **columns):
    return pd.DataFrame(columns | {f"f{i}": x[:, i] for i in range(x.shape[1])})


def lists(x, **columns):
    return pd.DataFrame(columns | {"vector": list(x)})


def arrow_lists(x, kind, **columns):
    values = pa.array(x.ravel(), kind.value_type)
    offsets = np.arange(0, x.size + 1, x.shape[1])
    if pa.types.is_fixed_size_list(kind):
        column = pa.FixedSizeListArray.from_arrays(values, x.shape[1])
    elif pa.types.is_large_list(kind):
        column = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values)
    else:
        column = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
    return pa.table({**columns, "vector": column})


def bfloat16(x, path):
    bits = (x.astype("<f4").view("<u4") >> 16).astype("<u2")
    header = json.dumps({"x": {"dtype": "BF16", "shape": x.shape, "data_offsets": [0, bits.nbytes]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bits.tobytes())


def save(path, *values, by=np.save, **options):
    path.parent.mkdir(exist_ok=True, parents=True)
    by(path, *values, **options)


def cut(path, by=40):
    path.write_bytes(path.read_bytes()[:-by])


def with_cell(x, text):
    frame = wide(x).astype(object)
    frame.loc[7, "f3"] = text
    return frame


def flip(path):
    """Damage in the middle of the compressed data."""
    with zipfile.ZipFile(path) as archive:
        info = archive.infolist()[0]
        at = info.header_offset + 60 + info.compress_size // 2
    data = bytearray(path.read_bytes())
    data[at : at + 8] = bytes(8)
    path.write_bytes(data)
