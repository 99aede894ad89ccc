"""Covariates of comparisons in strength, by a formula over group columns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mixlogit.data import ChoiceSets, Comparisons
from mixlogit.data.rows import NO_GROUP
from mixlogit.errors import DataError, UsageError
from mixlogit.models.covariates import columns_of, formula_variables, model_matrix_of

__all__ = ["Context"]


@dataclass(frozen=True, eq=False)
class Context:
    """A model matrix over comparisons: log strength is linear in its columns.

    Attributes:
        formula: Such as "~ length + topic".
        names: Columns of the matrix.
        centre: Mean of each column over the comparisons of the fit.
        scale: Standard deviation of each.
        spec: The encoding of the formula's columns, used again for other comparisons.
        labels: Labels of each column that has no numbers.

    Example:
        >>> import mixlogit as ml
        >>> frame = pd.DataFrame({"margin": [1.0, -0.5, 0.2], "length": [10, 20, 60]})
        >>> data = ml.load(frame, groups=["length"])
        >>> context = Context.of(data, "~ length")
        >>> context.names, context.values(data).round(decimals=2).tolist()
        (('length',), [[-0.93], [-0.46], [1.39]])
    """

    formula: str
    names: tuple[str, ...]
    centre: Tensor
    scale: Tensor
    spec: Any
    labels: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, data: Comparisons | ChoiceSets, formula: str) -> "Context":
        """The context of comparisons.

        Args:
            data: Comparisons whose group columns hold what the formula names.
            formula: As R and formulaic write it; an intercept is always there.

        Raises:
            UsageError: For choice sets, a formula that cannot be read, or a constant column.
            DataError: For a column that the data do not have, or a row without a value.
        """
        if isinstance(data, ChoiceSets):
            raise UsageError("Covariates of choice sets cannot act on strength: use comparisons.")
        frame = _columns(data, formula_variables(formula), formula)
        matrix = model_matrix_of(formula, frame)
        names, values = columns_of(matrix, formula, "comparisons")
        numeric = frame.select_dtypes("number").columns
        labels = {name: data.groups[name].labels for name in frame.columns.difference(numeric)}
        centre, scale = torch.tensor(values.mean(0)), torch.tensor(values.std(0))
        return cls(formula, names, centre, scale, matrix.model_spec, labels)

    def values(self, data: Comparisons) -> Tensor:
        """The matrix over comparisons, centred and scaled as those of the fit.

        Args:
            data: Comparisons with the same columns.

        Returns:
            `comparison x covariate`.

        Raises:
            DataError: For a column that the data do not have, or a row without a value.
            UsageError: For a label that the fit has not seen.
        """
        frame = _columns(data, formula_variables(self.formula), self.formula)
        for name, known in self.labels.items():
            strange = [label for label in frame[name].unique() if label not in known]
            if strange:
                raise UsageError(
                    f'The fit has seen no comparison with {name} "{strange[0]}", so its strength '
                    "there is not known."
                )
        raw = pd.DataFrame(self.spec.get_model_matrix(frame, context={}))
        raw = raw.drop(columns="Intercept", errors="ignore")
        return (torch.tensor(raw.to_numpy(dtype=np.float64)) - self.centre) / self.scale


def _columns(data: Comparisons, names: list[str], formula: str) -> pd.DataFrame:
    """Group columns as numbers, or else labels."""
    columns: dict[str, Any] = {}
    for name in names:
        if name not in data.groups:
            known = ", ".join(data.groups) or "none"
            raise DataError(
                f'{data.source}: no group column "{name}" for the formula "{formula}". Group '
                f"columns: {known}.",
                column=name,
            )
        group = data.groups[name]
        codes, labels = group.codes.numpy(), np.array(group.labels, dtype=object)
        if NO_GROUP in group.labels:
            empty = codes == group.labels.index(NO_GROUP)
            if empty.any():
                raise DataError(
                    f"{data.source}: {int(empty.sum()):,} comparisons have no {name} (the first "
                    f"is number {int(empty.argmax()) + 1:,}). Fill it in, or leave {name} out of "
                    "the formula.",
                    column=name,
                )
            labels[group.labels.index(NO_GROUP)] = "nan"  # of other comparisons
        numbers = pd.to_numeric(pd.Series(labels), errors="coerce").to_numpy(dtype=np.float64)
        numeric = bool(np.isfinite(numbers[np.unique(codes)]).all())
        columns[name] = numbers[codes] if numeric else labels[codes]
    return pd.DataFrame(columns, index=range(len(data)))
