"""The posterior: draws, individual strengths, checks and verdict; tables, files."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixlogit.errors import UsageError
from mixlogit.models.verdict import Check, Verdict
from mixlogit.run import json_ready
from mixlogit.run.notebook import html_table

if TYPE_CHECKING:
    import xarray as xr
    from torch import Tensor

    from mixlogit.data import ChoiceSets, Comparisons
    from mixlogit.models.sbc import Calibration

__all__ = ["Posterior", "open_run", "summarise"]

_NOT_AT_HAND = (
    "A posterior read from a folder cannot score votes. Fit with the test votes at hand: "
    "mixlogit fit --test FILE."
)
_QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}


def summarise(draws: np.ndarray) -> dict[str, float]:
    """Mean, sd and quantiles of draws, whatever their shape.

    Example:
        >>> summarise(np.array([1.0, 2.0, 3.0]))["mean"]
        2.0
    """
    flat = np.asarray(draws, dtype=np.float64).reshape(-1)
    out = {"mean": float(flat.mean()), "sd": float(flat.std(ddof=1))}
    quantiles = np.quantile(flat, list(_QUANTILES.values()))
    return out | dict(zip(_QUANTILES, (float(q) for q in quantiles), strict=True))


class Posterior:
    """Posterior of preference strength.

    Made by `mixlogit.fit` or read by `mixlogit.open_run`.

    Args:
        tree: Draws and data: groups posterior, prior, log_likelihood, sample_stats,
            observed_data, constant_data, with named dimensions.
        record: Everything else that the run folder keeps: the object of `to_dict`.
        strengths: One row for each respondent (or respondent and group).
        held_out: Scores held-out votes; only in the session of the fit.
        tastes: One row for each respondent, with random or latent tastes.
        log_scores: Scores each held-out vote; only in the session of the fit.

    Attributes:
        family: Name of the strength family.
        panel: Whether each respondent had one strength.
        checks: Every check with its verdict.
        verdict: What was learnt, in words.
        seconds: Wall seconds of each stage.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(600, 60, "lognormal", mean=1.0, cv=0.5, seed=1).comparisons()
        >>> posterior = ml.fit(data, family="lognormal", evidence=False, draws=400)
        >>> list(posterior.summary().index)
        ['mean', 'cv', 'log_sd']
    """

    def __init__(
        self,
        tree: "xr.DataTree",
        record: dict[str, Any],
        strengths: pd.DataFrame,
        held_out: "Callable[[Comparisons], dict[str, Any]] | None" = None,
        tastes: pd.DataFrame | None = None,
        log_scores: "Callable[[Any], Tensor] | None" = None,
    ) -> None:
        self._tree, self._record, self._strengths = tree, record, strengths
        self._held_out, self._log_scores = held_out, log_scores
        self._tastes = pd.DataFrame() if tastes is None else tastes
        self.family: str = record["family"]
        self.panel: bool = record["panel"]
        self.checks = [Check(**check) for check in record["checks"]]
        self.verdict = Verdict(
            record["verdict"]["heterogeneity"], tuple(record["verdict"]["sentences"])
        )
        self.seconds: dict[str, float] = record["seconds"]

    def __repr__(self) -> str:
        """Family, size and the spread in one line."""
        n = self._record["n"]
        cv = self._record["parameters"].get("cv")
        spread = (
            "" if cv is None else f", cv {cv['mean']:.2f} ({cv['q05']:.2f} to {cv['q95']:.2f})"
        )
        return f"Posterior({self.family}, {n['comparisons']:,} comparisons{spread})"

    def _repr_html_(self) -> str:
        """In notebooks: the population's parameters and the verdict."""
        shown = {"mean": "mean", "sd": "sd", "q05": "5 %", "q95": "95 %"}
        rows = [(name, *row[list(shown)]) for name, row in self.summary().iterrows()]
        return html_table(repr(self), ["", *shown.values()], rows, self.verdict.sentences)

    def summary(self) -> pd.DataFrame:
        """Mean, sd and quantiles of the population's parameters, one row each."""
        table = pd.DataFrame.from_dict(
            self._record["parameters"], orient="index", columns=["mean", "sd", *_QUANTILES]
        )
        return table.rename_axis("parameter")

    def group_summary(self) -> pd.DataFrame:
        """The same for every label of every group column, indexed by column, label, parameter."""
        rows = {
            (column, label, name): values
            for column, labels in self._record["groups"].items()
            for label, parameters in labels.items()
            for name, values in parameters.items()
        }
        if not rows:
            return pd.DataFrame(columns=["mean", "sd", *_QUANTILES])
        frame = pd.DataFrame(list(rows.values()))
        frame.index = pd.MultiIndex.from_tuples(list(rows), names=["column", "label", "parameter"])
        return frame

    def strengths(self) -> pd.DataFrame:
        """Individual strengths: mean, sd, 5 %, 95 %, P(b < 0) and n; empty without a panel."""
        return self._strengths.copy()

    def tastes(self) -> pd.DataFrame:
        """Individual tastes: mean and sd of each coefficient; empty unless tastes are random."""
        return pd.DataFrame() if self._latent else self._tastes.copy()

    def memberships(self) -> pd.DataFrame:
        """Most probable class of each respondent and all probabilities; with latent tastes."""
        return self._tastes.copy() if self._latent else pd.DataFrame()

    @property
    def _latent(self) -> bool:
        """Whether tastes are latent classes."""
        return "class_" in self._tastes

    def utilities(self) -> pd.DataFrame:
        """Item utilities or feature weights, one row each; empty where margins were given.

        With latent tastes the rows have two labels, class and item or feature.
        """
        posterior = self._tree["posterior"].to_dataset()
        for name, axis in (("utility", "item"), ("weight", "feature")):
            if name in posterior and "class_" in posterior[name].dims:
                stacked = posterior[name].stack(row=("class_", axis)).transpose("row", ...)
                index = pd.MultiIndex.from_tuples(
                    [(str(c), str(k)) for c, k in stacked["row"].values], names=["class_", axis]
                )
                return pd.DataFrame([summarise(d) for d in stacked.to_numpy()], index=index)
            if name in posterior:
                draws = posterior[name].transpose(axis, ...).to_numpy()
                rows = {
                    str(k): summarise(d)
                    for k, d in zip(posterior[axis].values, draws, strict=True)
                }
                return pd.DataFrame(rows).T.rename_axis(axis)
        return pd.DataFrame(columns=["mean", "sd", *_QUANTILES])

    def to_datatree(self) -> "xr.DataTree":
        """Draws and data as an `xarray.DataTree` with named dimensions, for ArviZ.

        Chains are independent restarts of the inference. ArviZ 1.x takes the tree as it is; ArviZ
        0.23 does not (`az.summary` fails on it): `mixlogit.analysis.to_arviz(posterior)` gives
        what either version works on.
        """
        return self._tree

    def to_dict(self) -> dict[str, Any]:
        """The object that `mixlogit fit --json` prints, without the run's path."""
        return dict(self._record)

    def held_out(self, test: "Comparisons") -> dict[str, Any]:
        """Score held-out votes: mean log score, that of fixed strength, and the gain.

        Args:
            test: Votes with the same columns, from `Comparisons.split` or `load`.

        Returns:
            log_score and fixed_strength (mean per decided vote, nats), gain_millinats, se (of
            the gain, milli-nats), accuracy and n.

        Raises:
            UsageError: For a posterior that was read from a folder.
        """
        if self._held_out is None:
            raise UsageError(_NOT_AT_HAND)
        return self._held_out(test)

    def log_scores(self, test: "Comparisons | ChoiceSets") -> np.ndarray:
        """Log predictive probability of each held-out vote, nats.

        Ties are left out where the fit does not model them.

        Args:
            test: Votes with the same columns, from `Comparisons.split` or `load`.

        Raises:
            UsageError: For a posterior that was read from a folder.
        """
        if self._log_scores is None:
            raise UsageError(_NOT_AT_HAND)
        return self._log_scores(test).numpy()

    def noting(self, data_sha256: str, arguments: dict[str, Any]) -> "Posterior":
        """The same, with what was fitted, and how it can be fitted again, in its record.

        Args:
            data_sha256: Checksum of the judgements.
            arguments: Arguments of `mixlogit.fit`.
        """
        self._record |= {"data_sha256": data_sha256, "arguments": json_ready(arguments)}
        return self

    def add_sbc(self, found: "Calibration") -> None:
        """Keep what `mixlogit.sbc` found at this design: ranks, and a check more.

        Args:
            found: Its result.
        """
        self._record["sbc"] = found.to_dict()
        self.checks.append(found.check())
        self._record["checks"] = [check.to_dict() for check in self.checks]

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write a run folder; `mixlogit.open_run` reads it back.

        Args:
            folder: Where; must not exist unless `overwrite`.
            overwrite: Replace an earlier run.

        Raises:
            StorageError: If the folder exists, is in use or cannot be written.
        """
        from mixlogit.run import RunFolder

        with RunFolder(folder, seed=self._record.get("seed"), overwrite=overwrite) as run:
            self.write(run.folder)

    def write(self, folder: Path) -> None:
        """Write the posterior's files: draws, parameters, individual strengths and tastes."""
        from mixlogit.models.storage import write_posterior
        from mixlogit.run import write_parquet

        write_posterior(folder, self._tree, self._record, self._strengths)
        if len(self._tastes):
            write_parquet(folder / "tastes.parquet", self._tastes)


def open_run(folder: str | Path) -> Posterior:
    """Read a run folder.

    Args:
        folder: A folder written by `Posterior.save` or `mixlogit fit`.

    Raises:
        StorageError: If the folder is no run, or a file of it is damaged.

    Example:
        >>> open_run("no/such/run")
        Traceback (most recent call last):
        mixlogit.errors.StorageError: no/such/run is not a run folder: manifest.json is missing.
    """
    from mixlogit.models.storage import read_posterior

    tastes = Path(folder) / "tastes.parquet"
    found = read_posterior(Path(folder))
    return Posterior(*found, tastes=pd.read_parquet(tastes) if tastes.is_file() else None)
