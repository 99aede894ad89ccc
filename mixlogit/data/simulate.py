"""Simulated preference data with known truth."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from mixlogit.data.comparisons import Comparisons
from mixlogit.data.draw import Design, draw
from mixlogit.data.load import load
from mixlogit.errors import StorageError, UsageError
from mixlogit.run.write import replacing, write_json, write_parquet

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LISTED", "Simulated", "simulate"]

LISTED = 10_000  # respondents up to which the truth lists each one


@dataclass(frozen=True)
class Simulated:
    """Preference data and the truth that made them.

    Args:
        table: The data, an Arrow table: `margin`, or `item_a` and `item_b`, or `x1`, `x2`, ...;
            `outcome` (a, b or tie); `respondent` and `group` where there are any.
        truth: Arguments and everything drawn, as JSON values. `respondents` lists each
            respondent's strength, taste and group for up to 10,000 of them, and is null beyond.
        respondents: Strength, taste and group of every respondent, an Arrow table.
    """

    table: pa.Table
    truth: dict[str, Any]
    respondents: pa.Table

    @cached_property
    def frame(self) -> "pd.DataFrame":
        """The data as a data frame."""
        frame: pd.DataFrame = self.table.to_pandas()
        return frame

    def comparisons(self, **columns: Any) -> Comparisons:
        """The data as comparisons; `columns` as for `load`, groups by default as simulated."""
        if "group" in self.table.column_names:
            columns.setdefault("groups", ["group"])
        if self.truth["features"] is not None:
            columns.setdefault("features", self.truth["features"]["names"])
        return load(self.table, **{"source": "simulated data"} | columns)

    def write(self, path: str | os.PathLike[str]) -> list[Path]:
        """Write the data, and the truth beside them, each whole or not at all.

        Args:
            path: A .parquet, .csv or .jsonl file. The truth goes to `STEM.truth.json`, and for
                more than 10,000 respondents their strengths to `STEM.truth.parquet`.

        Returns:
            The files written.

        Raises:
            UsageError: If the suffix is another one.
            StorageError: If a file cannot be written.
        """
        path = Path(path)
        writers: dict[str, Callable[[Path], None]] = {
            ".parquet": lambda to: pq.write_table(self.table, to),
            ".csv": lambda to: pacsv.write_csv(_plain(self.table), to),
            ".jsonl": lambda to: _write_jsonl(self.table, to),
        }
        if path.suffix not in writers:
            raise UsageError(f"{path}: write simulated data to .parquet, .csv or .jsonl.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"{path} cannot be written: {error.strerror}."
            raise StorageError(message, file=path) from error
        with replacing(path) as temporary:
            writers[path.suffix](temporary)
        files = [path, path.with_suffix(".truth.json")]
        write_json(files[1], self.truth)
        if self.respondents.num_rows > LISTED:
            files.append(path.with_suffix(".truth.parquet"))
            write_parquet(files[2], self.respondents)
        return files


def simulate(
    comparisons: int,
    respondents: int = 0,
    family: str = "lognormal",
    mean: float = 1.0,
    cv: float = 0.6,
    *,
    groups: int = 0,
    tastes: int = 1,
    ties: float = 0.0,
    lapse: float = 0.0,
    items: int = 0,
    features: int = 0,
    margin_sd: float = 2.0,
    seed: int = 0,
) -> Simulated:
    """Preference data with known truth.

    A vote is random with probability `lapse`; otherwise the first is preferred with odds
    exp(strength x margin). Ties follow Davidson (1970), with the parameter that gives their
    share. Every respondent votes at least once, and on no pair of items twice while others are
    left. `normal` has sd = mean x cv, `classes` two halves of strength mean x (1 -+ cv).

    Args:
        comparisons: Number of comparisons.
        respondents: Number of respondents; 0: none, each comparison has its own strength.
        family: Strength family.
        mean: Mean strength.
        cv: Coefficient of variation of strength; `fixed` ignores it.
        groups: Groups of respondents, each with a log-normal factor (median 1, log-sd 0.3).
        tastes: Classes of respondents, each with its own item utilities or feature weights.
        ties: Share of ties.
        lapse: Share of votes given at random.
        items: Number of items; margins are then differences of utilities.
        features: Number of features; margins are then linear in them.
        margin_sd: Standard deviation of margins.
        seed: Seed of everything random.

    Raises:
        UsageError: If the arguments do not fit together.

    Example:
        >>> made = simulate(1000, 50, "gamma", mean=1.0, cv=0.5, seed=1)
        >>> made.comparisons()
        Comparisons(margin, 1,000 comparisons, 50 respondents)
    """
    arguments = dict(locals())
    design = Design(**arguments)
    _check(design)
    drawn = draw(design)
    people = pa.table(drawn.respondents)
    listed = None if people.num_rows > LISTED else drawn.listed()
    truth = {"arguments": arguments, "respondents": listed, **drawn.truth}
    return Simulated(table=pa.table(drawn.columns), truth=truth, respondents=people)


def _check(design: Design) -> None:
    """What the arguments of `simulate` promise."""
    if design.comparisons < 1:
        raise UsageError(f"Expected at least one comparison but got {design.comparisons}.")
    if not 0 <= design.respondents <= design.comparisons:
        raise UsageError(
            f"Expected 0 to {design.comparisons:,} respondents but got {design.respondents:,}: "
            "each makes at least one comparison."
        )
    for name in ("ties", "lapse"):
        if not 0 <= getattr(design, name) < 1:
            raise UsageError(f"Expected {name} as a share from 0 to below 1.")
    if design.ties + design.lapse >= 1:
        raise UsageError("Ties and lapse together leave no vote to be decided.")
    if not (np.isfinite(design.margin_sd) and design.margin_sd > 0):
        raise UsageError(f"Expected a positive margin_sd but got {design.margin_sd}.")
    if design.items and design.features:
        raise UsageError("Simulate items or features, not both.")
    if design.items < 0 or design.items == 1 or design.features < 0 or design.groups < 0:
        raise UsageError("Expected two or more items, one or more features or groups, or none.")
    if design.tastes < 1 or (design.tastes > 1 and not (design.items or design.features)):
        raise UsageError("Several tastes need items or features: given margins fix one taste.")
    if (design.tastes > 1 or design.groups) and design.respondents < max(
        design.tastes, design.groups
    ):
        raise UsageError("Groups and tastes need at least one respondent each.")


def _plain(table: pa.Table) -> pa.Table:
    """Dictionary columns as text, for formats that have none."""
    fields = [
        pa.field(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type)
        for f in table.schema
    ]
    return table.cast(pa.schema(fields))


def _write_jsonl(table: pa.Table, to: Path) -> None:
    with to.open("w", encoding="utf-8") as file:
        for batch in table.to_batches(max_chunksize=50_000):
            file.writelines(json.dumps(row) + "\n" for row in batch.to_pylist())
