#!/usr/bin/env python3
"""Prints a shard of the feature store as JSON and checks it against feature_store/README.md.

    scripts/read_shard.py SHARD.h5

Needs h5py (any 3.x) and numpy; nothing of cinetag. Exit 1 where the shard breaks a rule.
"""
import hashlib
import json
import pathlib
import sys

import h5py
import numpy as np


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def texts(shard, name):
    blob, at = shard[name][:].tobytes(), shard[name + "_offsets"][:]
    return [blob[at[i] : at[i + 1]].decode() for i in range(len(at) - 1)]


def main(path):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.name == f"shard-{digest[:16]}.h5", f"name is not the digest {digest[:16]}"
    with h5py.File(path, "r") as shard:
        attributes = {
            name: text(value) if isinstance(value, (bytes, str)) else int(value)
            for name, value in shard.attrs.items()
        }
        assert attributes["format"] == "cinetag-features" and attributes["format_version"] == 1
        for name, dataset in shard.items():
            # HDF5 makes chunks for what has no bytes.
            is_plain = dataset.chunks is None or dataset.size == 0
            assert is_plain and dataset.compression is None, f"{name} is filtered"
            assert dataset.dtype.kind in "uf", f"{name} has the type {dataset.dtype}"
            little = dataset[:].astype(dataset.dtype.newbyteorder("<"))
            found = hashlib.sha256(little.tobytes()).hexdigest()
            assert found == text(dataset.attrs["sha256"]), f"{name} does not have its checksum"
        titles, rows = attributes["num_titles"], attributes["num_rows"]
        assert shard["keys"].shape == (titles, 32) and shard["keys"].dtype == np.uint8
        assert shard["data"].shape == (rows, attributes["dim"]) and shard["data"].dtype == np.float16
        offsets = shard["offsets"][:]
        assert offsets[0] == 0 and offsets[-1] == rows and (np.diff(offsets.astype(int)) > 0).all()
        times = shard["time_secs"][:].tolist() if "time_secs" in shard else None
        if times is not None:
            assert shard["time_secs"].shape == (rows,) and shard["time_secs"].dtype == np.float32
        content = {
            "attributes": attributes,
            "keys": [key.tobytes().hex() for key in shard["keys"][:]],
            "offsets": offsets.tolist(),
            "titles": texts(shard, "titles"),
            "partial": texts(shard, "partial"),
            "data": shard["data"][:].astype(float).tolist(),
            "time_secs": times,
        }
        if "text" in shard:
            assert times is not None and shard["end_secs"].shape == (rows,)
            content["end_secs"] = shard["end_secs"][:].tolist()
            content["text"], content["language"] = texts(shard, "text"), texts(shard, "language")
            assert len(content["text"]) == rows and len(content["language"]) == titles
    assert np.isfinite(content["data"]).all()
    json.dump(content, sys.stdout)
    print()


if __name__ == "__main__":
    try:
        main(pathlib.Path(sys.argv[1]))
    except AssertionError as broken:
        sys.exit(f"{sys.argv[1]}: {broken}")
