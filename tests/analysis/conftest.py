"""Runs for the analysis: trees with made-up draws, and one small fit on disk."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import mixlogit as ml

Tree = Callable[..., xr.DataTree]


def made_up(family: str, *, panel: bool = True, **values: np.ndarray) -> xr.DataTree:
    """A tree as a fit makes it; prior draws are the posterior's, twice as wide."""
    posterior, prior = {}, {}
    for name, value in values.items():
        dims = ("chain", "draw", "class_")[: value.ndim]
        posterior[name.replace("__", ":")] = (dims, value)
        prior[name.replace("__", ":")] = (dims, value[:1] * np.linspace(0.5, 1.5, value.shape[1])
                                          .reshape(1, -1, *[1] * (value.ndim - 2)))  # fmt: skip
    groups = {
        "posterior": xr.Dataset(posterior),
        "prior": xr.Dataset(prior),
        "observed_data": xr.Dataset({"outcome": ("comparison", np.ones(7))}),
    }
    tree = xr.DataTree.from_dict(groups)
    tree.attrs |= {"family": family, "panel": int(panel)}
    return tree


@pytest.fixture(scope="session")
def tree() -> Tree:
    """Makes a tree with made-up draws."""
    return made_up


@pytest.fixture(scope="session")
def around() -> Callable[..., np.ndarray]:
    """Draws around a value, `chain x draw`."""

    def draw(value: float, share: float = 0.05, *, seed: int = 0) -> np.ndarray:
        noise = np.random.default_rng(seed).normal(size=(2, 150))
        return np.asarray(value * np.exp(share * noise))

    return draw


@pytest.fixture(scope="session")
def saved_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small fit."""
    data = ml.simulate(600, 80, cv=0.7, seed=1).comparisons()
    folder = tmp_path_factory.mktemp("runs") / "small"
    ml.fit(data, evidence=False, draws=400).save(folder)
    return folder
