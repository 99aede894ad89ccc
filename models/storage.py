"""The posterior's files: NetCDF, safetensors, JSON and Parquet; no pickle."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from safetensors.numpy import load_file, save_file

from mixlogit.errors import StorageError
from mixlogit.run import refuse_damage, replacing, write_json, write_parquet

__all__ = ["read_posterior", "write_posterior"]

_FILES = ("strength.json", "strength.safetensors", "posterior.nc", "strengths.parquet")


def write_posterior(
    folder: Path, tree: xr.DataTree, record: dict[str, Any], strengths: pd.DataFrame
) -> None:
    """Write the files of a posterior into an existing folder."""
    encoding = {
        node.path: {
            name: {"zlib": True, "complevel": 4}
            for name in node.data_vars
            if node[str(name)].dtype.kind in "fiu"
        }
        for node in tree.subtree
        if node.data_vars
    }
    content = tree.to_netcdf(engine="h5netcdf", encoding=encoding)
    with replacing(folder / "posterior.nc") as temporary:  # HDF5 crashes where the disk is full
        temporary.write_bytes(content)
    posterior = tree["posterior"].to_dataset()
    tensors = {
        str(name): np.ascontiguousarray(posterior[name].mean(("chain", "draw")).to_numpy())
        for name in posterior.data_vars
    }
    save_file(
        {name: np.atleast_1d(value) for name, value in tensors.items()},
        folder / "strength.safetensors",
    )
    (folder / "strength.safetensors").chmod(0o644)  # as the other files: nothing secret
    shapes = {name: list(np.atleast_1d(value).shape) for name, value in tensors.items()}
    write_json(folder / "strength.json", {**record, "tensors": shapes})
    write_parquet(folder / "strengths.parquet", strengths)


def read_posterior(folder: Path) -> tuple[xr.DataTree, dict[str, Any], pd.DataFrame]:
    """Read the files of a posterior; the arrays are loaded whole.

    Raises:
        StorageError: If a file is missing or damaged.
    """
    refuse_damage(folder)
    for name in _FILES:
        if not (folder / name).is_file():
            raise StorageError(f"{folder} is not a run folder: {name} is missing.")
    try:
        name = "strength.json"
        record: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
        shapes = record.pop("tensors")
        name = "strength.safetensors"
        found = {key: list(value.shape) for key, value in load_file(folder / name).items()}
        if found != shapes:
            raise ValueError(f"shapes {found} do not match strength.json")
        name = "posterior.nc"
        with xr.open_datatree(folder / name, engine="h5netcdf") as tree:
            loaded = tree.load()
        name = "strengths.parquet"
        strengths = pd.read_parquet(folder / name)
    except Exception as error:
        raise StorageError(f"{folder / name} is damaged: {error}", file=folder / name) from error
    return loaded, record, strengths
