"""The same analysis on ArviZ 0.23 and 1.x, and files of either opened by the other."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from arviz1 import interpreter
from tree import ROOT

from mixlogit.analysis import az, heterogeneity, to_arviz
from mixlogit.analysis.saved import read_tree

arviz = az._arviz()


@pytest.fixture(scope="module")
def there(saved_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    """What the other environment made of a run written here, and the file that it wrote."""
    python = interpreter()
    if python is None:
        pytest.skip("ArviZ 1.x is not there: python tests/arviz1.py prepares it")
    copy = tmp_path_factory.mktemp("arviz1") / "posterior.nc"
    command = [python, ROOT / "tests/analysis/on_arviz1.py", ROOT, saved_run, copy]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), copy


def test_a_file_written_here_gives_the_same_numbers_there(
    there: tuple[dict, Path], saved_run: Path
) -> None:
    found, _ = there
    assert found["arviz"].startswith("1.")
    table = arviz.summary(to_arviz(saved_run), var_names=["mean", "cv"], kind="stats")
    for name, value in found["mean"].items():
        assert value == pytest.approx(table.loc[name, "mean"], abs=1e-3)
    loo = arviz.loo(to_arviz(saved_run), var_name="panel")
    assert found["elpd"] == pytest.approx(loo.elpd_loo, abs=0.1)
    measured = heterogeneity(saved_run)["mean"].to_numpy()
    assert np.array(found["heterogeneity"], dtype=float) == pytest.approx(
        measured, rel=1e-9, nan_ok=True
    )
    assert "plot_strength" in found["drawn"]


def test_a_file_written_there_opens_here(there: tuple[dict, Path], saved_run: Path) -> None:
    with xr.open_datatree(there[1], engine="h5netcdf") as opened:
        tree = opened.load()
    ours = read_tree(saved_run)
    assert set(tree.children) == set(ours.children)
    for name, node in ours.children.items():
        xr.testing.assert_equal(node.to_dataset(), tree[name].to_dataset())
    assert to_arviz(tree).groups() == to_arviz(ours).groups()
    assert heterogeneity(tree)["mean"].dropna().equals(heterogeneity(ours)["mean"].dropna())
