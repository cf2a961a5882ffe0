"""The recorded tables as the plans write them: draws apart, one name for the digest of weights, provenance behind."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.book.records import Table, write

results = Path("data/results")


def read(name):
    return pd.read_csv(results / f"{name}.csv", dtype=str, na_filter=False)


def save(name, rows):
    rows.to_csv(results / f"{name}.csv", index=False, lineterminator="\n")


fusion = read("fusion").rename(columns={"sha256": "weights_sha256"})
drawn = fusion.loc[fusion["draws"] != "", ["encoder", "source", "task", "representation", "draws"]]
drawn["draws"] = [np.array(text.split(), dtype=np.int16) for text in drawn["draws"]]
write(Table("draws", results / "fusion_draws.parquet", ("encoder",)), drawn)
save("fusion", fusion.drop(columns="draws"))
save("fusion_tasks", read("fusion_tasks").rename(columns={"sha256": "data_sha256"}))

behind = ["versions", "machine", "date", "minutes"]
runs = read("duplicates_runs").rename(columns={"sha256": "weights_sha256"})
save("duplicates_runs", runs[[name for name in runs if name not in behind] + behind])

runs = read("views_runs").drop(columns="weights")
runs["versions"] = [
    " ".join(f"{name}={one.partition('+')[0]}" for name, one in json.loads(text).items()) for text in runs["versions"]
]
save("views_runs", runs[[name for name in runs if name not in behind] + behind])
for name in ("views", "views_agreement", "views_blocks", "views_ends"):
    save(name, read(name).drop(columns="weights"))
