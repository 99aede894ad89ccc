"""A run as the analysis sees it: arrays by name, whether in memory or on disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mixlogit.errors import StorageError, UsageError
from mixlogit.run import refuse_damage

__all__ = ["Saved", "read_run", "read_tree"]


@dataclass(frozen=True, eq=False)
class Saved:
    """Draws of a run, and the posterior means of individual strengths.

    Args:
        tree: The groups posterior, prior, observed_data and so on.
        means: Posterior mean strength of each respondent, a `respondent`-vector; empty without
            a panel, or where only the tree was given.
    """

    tree: xr.DataTree
    means: NDArray[np.float64]

    @property
    def family(self) -> str:
        """Name of the strength family."""
        return str(self.tree.attrs["family"])

    @property
    def panel(self) -> bool:
        """Whether each respondent had one strength."""
        return bool(self.tree.attrs["panel"])

    @property
    def tastes(self) -> bool:
        """Whether tastes differ, in latent classes or at random."""
        return bool(self.tree.attrs.get("tastes", self.family == "tastes"))

    @property
    def n_comparisons(self) -> int:
        """Number of comparisons."""
        if "votes" in self._constants():
            return int(self._constants()["votes"].sum())
        return int(self.tree["observed_data"].sizes["comparison"])

    def _constants(self) -> xr.Dataset:
        """The design; empty where the run keeps none."""
        kept = "constant_data" in self.tree
        return self.tree["constant_data"].to_dataset() if kept else xr.Dataset()

    def counts(self, column: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Respondents (units) and comparisons of each label; alike where the run does not say."""
        known, n = self._constants(), len(self.labels(column))
        if f"panel_group:{column}" in known:
            code = known[f"panel_group:{column}"].to_numpy()
            sizes = np.bincount(code, known["votes"].to_numpy(), n)
            return np.bincount(code, minlength=n).astype(np.float64), sizes.astype(np.float64)
        if f"group:{column}" not in known:
            return np.ones(n), np.ones(n)
        sizes = np.bincount(known[f"group:{column}"].to_numpy(), minlength=n)
        return sizes.astype(np.float64), sizes.astype(np.float64)

    @property
    def columns(self) -> list[str]:
        """Group columns with effects on strength."""
        names = [str(name) for name in self.tree["posterior"].data_vars]
        return [name.removeprefix("mean:") for name in names if name.startswith("mean:")]

    @property
    def grouped(self) -> bool:
        """Whether groups had effects on strength: then the population is an average group."""
        return bool(self.columns)

    def labels(self, column: str) -> list[str]:
        """Labels of a group column."""
        return [str(label) for label in self.tree["posterior"][column].to_numpy()]

    def draws(self, name: str, group: str = "posterior") -> NDArray[np.float64] | None:
        """Draws of a parameter, `draw x ...` with all chains after each other; None if absent.

        Args:
            name: The parameter.
            group: "posterior" or "prior".
        """
        if name not in self.tree[group].data_vars:
            return None
        value = np.asarray(self.tree[group][name].to_numpy(), dtype=np.float64)
        return value.reshape(-1, *value.shape[2:])


def read_tree(run: Any) -> xr.DataTree:
    """The tree of a Posterior, of a run folder, or the tree itself.

    Args:
        run: A `Posterior`, an `xarray.DataTree`, or the path of a run folder.

    Raises:
        StorageError: If the folder is no run, or its file is damaged.
        UsageError: If it is something else.
    """
    if isinstance(run, xr.DataTree):
        return run
    if hasattr(run, "to_datatree"):
        tree: xr.DataTree = run.to_datatree()
        return tree
    if not isinstance(run, str | Path):
        raise UsageError(
            f"Expected a Posterior, a DataTree or a run folder but got {type(run).__name__}."
        )
    refuse_damage(run)
    file = _file(Path(run), "posterior.nc")
    try:
        with xr.open_datatree(file, engine="h5netcdf") as opened:
            return opened.load()
    except Exception as error:  # h5py and xarray raise a dozen kinds
        raise StorageError(f"{file} is damaged: {error}", file=file) from error


def read_run(run: Any) -> Saved:
    """A run as arrays.

    Args:
        run: As for `read_tree`.

    Raises:
        StorageError: If the folder is no run, or a file of it is damaged.
        UsageError: If it is something else.
    """
    return run if isinstance(run, Saved) else Saved(read_tree(run), _means(run))


def _means(run: Any) -> NDArray[np.float64]:
    """Posterior means of individual strengths."""
    import pandas as pd

    if hasattr(run, "strengths"):
        table = run.strengths()
    elif isinstance(run, str | Path):
        file = _file(Path(run), "strengths.parquet")
        try:
            table = pd.read_parquet(file)
        except Exception as error:  # pyarrow raises several kinds
            raise StorageError(f"{file} is damaged: {error}", file=file) from error
    else:
        table = pd.DataFrame()
    return np.asarray(table.get("mean", []), dtype=np.float64)


def _file(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise StorageError(f"{folder} is not a run folder: {name} is missing.", file=folder)
    return folder / name
