"""Findings: data that can be used, but may not mean what their owner thinks."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixlogit.data.comparisons import Comparisons, Finding
from mixlogit.data.source import Source
from mixlogit.data.values import Coded
from mixlogit.errors import DataError

__all__ = ["Table", "findings"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Names = tuple[Ints, tuple[str, ...]]


@dataclass(frozen=True)
class Table:
    """Checked columns, before they become comparisons."""

    outcome: Floats
    margin: Floats | None
    items: tuple[Ints, Ints, tuple[str, ...]] | None
    features: Floats | None
    respondent: Names | None
    groups: dict[str, Names]
    weight: Floats | None
    texts: dict[str, Coded] = field(default_factory=dict)

    def keep(self, rows: NDArray[np.bool_]) -> "Table":
        """The rows to keep."""

        def some(value: Any) -> Any:
            return None if value is None else value[rows]

        def names(value: Names) -> Names:
            return value[0][rows], value[1]

        return replace(
            self,
            outcome=self.outcome[rows],
            margin=some(self.margin),
            items=self.items and (self.items[0][rows], self.items[1][rows], self.items[2]),
            features=some(self.features),
            respondent=self.respondent and names(self.respondent),
            groups={name: names(group) for name, group in self.groups.items()},
            weight=some(self.weight),
            texts={k: Coded(t.codes[rows], t.values, ()) for k, t in self.texts.items()},
        )


def findings(
    data: Comparisons, table: Table, source: Source, keep: NDArray[np.bool_] | None
) -> tuple[Finding, ...]:
    """Everything worth saying about the data as a whole."""
    if table.margin is not None and not table.margin.any():
        raise _all_zero(data)
    return ()


def _all_zero(data: Comparisons) -> DataError:
    n = data.n_comparisons
    which = "the only margin is 0" if n == 1 else f"all {n:,} margins are 0"
    return DataError(
        f"{data.source}: {which}, so strength cannot be estimated. "
        "A policy equal to its reference has zero margins.",
        file=data.source,
        column=str(data.columns["margin"]),
    )
