import pandas as pd
import pytest

from mixlogit.data.covariates import read_covariates
from mixlogit.errors import DataError

ROWS = {"respondent": ["a", "b", "a"], "age": [30, 41, 30], "sex": ["f", "m", "f"]}


def read(rows, names, tmp_path=None, **options):
    frame = pd.DataFrame(rows)
    if tmp_path is None:
        return read_covariates(frame, names, role="strength_formula", **options)
    frame.to_csv(tmp_path / "people.csv", index=False)
    return read_covariates(tmp_path / "people.csv", names, role="strength_formula", **options)


def test_one_row_a_respondent(tmp_path):
    for folder in (None, tmp_path):
        found = read(ROWS, ["age", "sex"], folder)
        assert found.index.tolist() == ["a", "b"]
        assert found["age"].tolist() == [30.0, 41.0]
        assert found["sex"].tolist() == ["f", "m"]


def message(*arguments, **options):
    with pytest.raises(DataError) as caught:
        read(*arguments, **options)
    return str(caught.value)


def test_what_is_wrong():
    assert message({**ROWS, "age": [30, 41, 31]}, ["age"]) == (
        'DataFrame: "age" is 30.0 and 31.0 for respondent a. A covariate of respondents has one '
        "value for each."
    )
    assert message({**ROWS, "age": [30, None, 30]}, ["age"]) == (
        "DataFrame, row 2: age is NaN. Fill it in, or leave age out of the formula."
    )
    assert message({**ROWS, "sex": ["f", None, "f"]}, ["sex"]) == (
        "DataFrame, row 2: sex is missing. Fill it in, or leave sex out of the formula."
    )
    assert message(ROWS, ["agee"]) == (
        'DataFrame: no column "agee" for --strength-formula. Did you mean "age"? Columns: '
        "respondent, age, sex."
    )
    assert message(ROWS, ["age"], respondent="worker") == (
        'DataFrame: no column "worker" for --respondent. Columns: respondent, age, sex.'
    )
