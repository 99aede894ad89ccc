"""Covariates of respondents in the mean of strength, by a formula."""

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mixlogit.data import ChoiceSets, Comparisons, Labels, Streamed, data_card
from mixlogit.data.covariates import read_covariates
from mixlogit.errors import DataError, UsageError

__all__ = [
    "COLUMN",
    "CovariateMatrix",
    "Covariates",
    "columns_of",
    "counts",
    "formula_variables",
    "model_matrix_of",
]

COLUMN = "covariates"
_FUNCTIONS = ("C", "center", "scale", "log", "exp", "sqrt", "poly", "bs", "cs")
# formulas are Python to the library that reads them: only columns and these functions of one
_FACTOR = re.compile(rf"(?:(?:{'|'.join(_FUNCTIONS)})\(\s*)?([\w .]+?)(?:\s*(?:,[\w =.,]*)?\))?")


@dataclass(frozen=True)
class Covariates:
    """Covariates of respondents: log mean strength, or log odds of classes, linear in them.

    Args:
        formula: Such as "~ age + C(sex)", as R and formulaic write it; an intercept is always
            there.
        table: Columns of the covariates and of `respondent`, one row a respondent.

    Raises:
        UsageError: For a formula that cannot be read.
        DataError: For a column that the table does not have, or a value missing.

    Example:
        >>> people = pd.DataFrame({"respondent": ["w1", "w2"], "age": [31.0, 40.0]})
        >>> Covariates.read("~ age", people).matrix().names
        ('age',)
    """

    formula: str
    table: dict[str, list[Any]]

    @classmethod
    def read(
        cls,
        formula: str,
        data: Any,
        respondent: str = "respondent",
        *,
        role: str = "strength_formula",
    ) -> "Covariates":
        """The covariates of a formula, from a file or a data frame.

        Args:
            formula: The formula.
            data: What `mixlogit.load` takes; rows of one respondent may repeat.
            respondent: Its column of respondents.
            role: The option that gives the formula, for messages.

        Raises:
            UsageError: For a formula that cannot be read.
            DataError: A missing column or value, or a respondent with two values.
        """
        names = formula_variables(formula)
        frame = read_covariates(data, names, role=role, respondent=respondent)
        columns = {name: frame[name].tolist() for name in names}
        return cls(formula, {"respondent": frame.index.tolist(), **columns})

    def matrix(self) -> "CovariateMatrix":
        """The model matrix over distinct rows, centred and scaled."""
        formula_variables(self.formula)
        frame = pd.DataFrame(self.table).set_index("respondent")
        matrix = model_matrix_of(self.formula, frame)
        names, values = columns_of(matrix, self.formula, "respondents")
        scale = values.std(0)
        standard = (values - values.mean(0)) / scale
        distinct, place = np.unique(standard, axis=0, return_inverse=True)
        return CovariateMatrix(
            names,
            torch.tensor(distinct),
            torch.tensor(scale),
            dict(zip(map(str, frame.index), place.ravel().tolist(), strict=True)),
        )


@dataclass(frozen=True, eq=False)
class CovariateMatrix:
    """A model matrix.

    Attributes:
        names: Its columns.
        values: `row x covariate`, the distinct rows, centred and scaled over respondents.
        scale: Standard deviation of each column before.
        row: Row of each respondent.
    """

    names: tuple[str, ...]
    values: Tensor
    scale: Tensor
    row: dict[str, int]

    def join(self, data: Any) -> Any:
        """The data with the row of each judgement as one more group column.

        Raises:
            UsageError: Without respondents.
            DataError: For a respondent who has no row.
        """
        assert isinstance(data, Comparisons | ChoiceSets)
        if data.respondent is None:
            raise UsageError("Covariates of respondents need respondents. Name --respondent.")
        present = torch.unique(data.respondent.codes).tolist()
        lacking = [n for n in (data.respondent.labels[k] for k in present) if n not in self.row]
        if lacking:
            raise DataError(
                f"{data.source}: respondent {lacking[0]} has no row of covariates ({len(lacking)} "
                f"of {len(present)} have none). Write respondents as the covariates do: the first "
                f'is "{next(iter(self.row))}" there.'
            )
        rows = torch.tensor([self.row.get(name, 0) for name in data.respondent.labels])
        labels = tuple(str(k) for k in range(len(self.values)))
        own = Labels(rows[data.respondent.codes], labels)
        return replace(data, groups={**data.groups, COLUMN: own})


def counts(data: Comparisons | ChoiceSets | Streamed) -> dict[str, Any]:
    """Counts of the data card, without the column that covariates have made.

    Args:
        data: The data, perhaps joined with covariates.

    Example:
        >>> import mixlogit as ml
        >>> counts(ml.simulate(60, 6, seed=1).comparisons())["respondents"]
        6
    """
    n: dict[str, Any] = data_card(data)["n"]
    return {**n, "groups": {k: v for k, v in n["groups"].items() if k != COLUMN}}


def formula_variables(formula: str) -> list[str]:
    """Columns that a formula names.

    Args:
        formula: The formula.

    Raises:
        UsageError: If it cannot be read, has a left side, or calls what it may not.

    Example:
        >>> formula_variables("~ age + C(sex)")
        ['age', 'sex']
    """
    from formulaic import Formula, SimpleFormula
    from formulaic.errors import FormulaicError

    try:
        parsed = Formula(formula)
    except (FormulaicError, SyntaxError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f'Formula "{formula}" cannot be read: {reason}') from error
    if not isinstance(parsed, SimpleFormula):
        raise UsageError(f'Formula "{formula}": expected one side only, such as "~ age + sex".')
    names: list[str] = []
    for factor in (factor for term in parsed for factor in term.factors):
        expression = str(factor.expr)
        if expression in ("0", "1"):
            continue
        found = _FACTOR.fullmatch(expression)
        if found is None:
            raise UsageError(
                f'Formula "{formula}": {expression} is not allowed. Use columns, or '
                f"{', '.join(_FUNCTIONS)} of one."
            )
        names.append(found[1])
    return list(dict.fromkeys(names))


def model_matrix_of(formula: str, frame: pd.DataFrame) -> Any:
    """The model matrix of formulaic, one row for each of the frame's.

    Args:
        formula: The formula.
        frame: Its columns.

    Raises:
        UsageError: If the formula cannot be used with them.

    Example:
        >>> model_matrix_of("~ x", pd.DataFrame({"x": [1.0, 2.0]})).shape
        (2, 2)
    """
    from formulaic import model_matrix
    from formulaic.errors import FormulaicError

    try:
        return model_matrix(formula, frame, context={})
    except FormulaicError as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f'Formula "{formula}" cannot be used: {reason}') from error


def columns_of(matrix: Any, formula: str, over: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and values of a model matrix's columns, the intercept left out.

    Args:
        matrix: From `model_matrix_of`.
        formula: The formula, for messages.
        over: What its rows are, for messages.

    Raises:
        UsageError: If there are none, or one is constant.

    Example:
        >>> frame = pd.DataFrame({"x": [1.0, 2.0]})
        >>> names, values = columns_of(model_matrix_of("~ x", frame), "~ x", "respondents")
        >>> names, values.tolist()
        (('x',), [[1.0], [2.0]])
    """
    raw = pd.DataFrame(matrix).drop(columns="Intercept", errors="ignore")
    names, values = tuple(map(str, raw.columns)), raw.to_numpy(dtype=np.float64)
    constant = [name for name, sd in zip(names, values.std(0), strict=True) if not sd > 0]
    if constant or not names:
        what = f"{constant[0]} is constant" if constant else "nothing in it is a covariate"
        raise UsageError(f'Formula "{formula}": {what} over {over}.')
    return names, values
