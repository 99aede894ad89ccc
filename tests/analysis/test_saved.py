"""A run is read from memory, from a tree and from disk."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import mixlogit as ml
from mixlogit.analysis.saved import read_run, read_tree
from mixlogit.errors import StorageError, UsageError
from mixlogit.run import write_manifest


def test_a_folder_a_posterior_and_a_tree_give_the_same(saved_run: Path) -> None:
    posterior = ml.open_run(saved_run)
    disk, memory = read_run(saved_run), read_run(posterior)
    tree = read_run(posterior.to_datatree())
    for other in (memory, tree):
        assert (other.family, other.panel, other.n_comparisons) == ("lognormal", True, 600)
        np.testing.assert_array_equal(other.draws("cv"), disk.draws("cv"))
    np.testing.assert_array_equal(memory.means, disk.means)
    assert len(disk.means) == 80
    assert len(tree.means) == 0
    assert not disk.grouped


def test_draws_run_over_all_chains(saved_run: Path) -> None:
    saved = read_run(saved_run)
    draws = saved.draws("mean")
    assert draws is not None
    assert draws.shape == (400,)
    assert saved.draws("none of this name") is None


def test_a_path_may_be_text(saved_run: Path) -> None:
    assert isinstance(read_tree(str(saved_run)), xr.DataTree)


def test_something_else_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^Expected a Posterior, a DataTree or a run folder"):
        read_tree(17)


@pytest.mark.parametrize("name", ["posterior.nc", "strengths.parquet"])
def test_a_missing_or_damaged_file_is_named(saved_run: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for file in ("posterior.nc", "strengths.parquet"):
        (folder / file).write_bytes((saved_run / file).read_bytes())
    (folder / name).write_bytes(b"nonsense")
    write_manifest(folder)  # as somebody might who means it
    with pytest.raises(StorageError) as caught:
        read_run(folder)
    assert str(caught.value).startswith(f"{folder / name} is damaged: ")
    (folder / name).unlink()
    write_manifest(folder)
    with pytest.raises(StorageError) as caught:
        read_run(folder)
    assert str(caught.value) == f"{folder} is not a run folder: {name} is missing."
