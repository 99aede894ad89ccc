"""Columns that describe respondents: read, checked, one row each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mixlogit.data.columns import require
from mixlogit.data.names import codes
from mixlogit.data.numbers import numbers
from mixlogit.data.opening import open_source
from mixlogit.data.source import Source
from mixlogit.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_covariates"]

_NO_NUMBER = {"missing", "empty", "nan", "inf", "huge"}


def read_covariates(
    data: Any, names: Sequence[str], *, role: str, respondent: str = "respondent"
) -> "pd.DataFrame":
    """Columns of respondents as a table with one row each.

    Args:
        data: What `load` takes: a path, a data frame, ...; rows of one respondent may repeat.
        names: The columns wanted: numbers, or labels where they hold anything else.
        role: The option that names them, for messages.
        respondent: The column of respondents.

    Returns:
        One row a respondent, indexed by name.

    Raises:
        DataError: A missing column or value, or a respondent with two values.

    Example:
        >>> import pandas as pd
        >>> votes = pd.DataFrame({"respondent": ["w1", "w2", "w1"], "age": [31, 40, 31]})
        >>> read_covariates(votes, ["age"], role="covariates")["age"].to_dict()
        {'w1': 31.0, 'w2': 40.0}
    """
    import pandas as pd

    source = open_source(data, "train", None)
    require(source, "respondent", respondent)
    who = codes(source.read(respondent))
    columns = {}
    for name in names:
        require(source, role, name)
        columns[name] = _column(source, name)
    frame = pd.DataFrame(columns, index=pd.Index(who.codes, name="respondent"))
    frame = frame[frame.index >= 0]
    for name in names:
        several = frame.groupby(level=0)[name].nunique()
        if bool((several > 1).any()):
            code = int(several.index[several > 1][0])
            found = " and ".join(map(str, frame.loc[[code], name].unique()[:2]))
            raise DataError(
                f'{source.name}: "{name}" is {found} for respondent {who.values[code]}. A '
                "covariate of respondents has one value for each.",
                file=source.name,
                column=name,
            )
    frame = frame[~frame.index.duplicated()]
    frame.index = pd.Index([who.values[code] for code in frame.index], name="respondent")
    return frame


def _column(source: Source, name: str) -> "np.ndarray[Any, Any]":
    """Numbers, or else labels."""
    raw = source.read(name)
    values, bad = numbers(raw, source.textual)
    if any(found.kind not in _NO_NUMBER for found in bad):
        coded = codes(raw)
        bad = list(coded.bad)
        values = np.array([*coded.values, ""], dtype=object)[coded.codes]
    if bad:
        file, row = source.locate(int(bad[0].rows[0]))
        what = bad[0].kind.replace("nan", "NaN")
        raise DataError(
            f"{file}, row {row}: {name} is {what}. Fill it in, or leave {name} out of the "
            "formula.",
            file=file,
            row=row,
            column=name,
        )
    return values
