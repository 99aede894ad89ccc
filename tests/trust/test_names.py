"""Names in data that could lead somewhere: kept as they are, or refused in one line."""

from pathlib import Path

import pandas as pd
import pytest

import mixlogit as ml
from mixlogit import analysis
from mixlogit.errors import UsageError


def named(column: str, name: str) -> ml.Comparisons:
    """Votes whose group column, groups and respondents have such names."""
    frame: pd.DataFrame = ml.simulate(300, 30, groups=2, seed=1).frame
    for role in ("respondent", "group"):
        frame[role] = frame[role].astype(str) + name
    return ml.Comparisons.from_pandas(frame.rename(columns={"group": column}), groups=[column])


def fit(data: ml.Comparisons) -> ml.Posterior:
    return ml.fit(data, by=[*data.groups], evidence=False, draws=100, inference="laplace")


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("CON", "../../etc/passwd"),
        ("=1+1", "@SUM(A1)"),
        ("side", "C:\\\\x"),
        ("x" * 300, "y" * 300),
    ],
    ids=["path", "formula", "drive", "long"],
)
def test_names_are_kept_and_nothing_is_written_elsewhere(
    column: str, name: str, tmp_path: Path
) -> None:
    data = named(column, name)
    fit(data).save(tmp_path / "inner" / "run")
    analysis.report(tmp_path / "inner" / "run")
    assert [file.name for file in tmp_path.iterdir()] == ["inner"]
    assert {file.name for file in (tmp_path / "inner").iterdir()} == {"run", ".run.lock"}
    kept = ml.open_run(tmp_path / "inner" / "run").strengths()
    assert kept.astype(str).apply(lambda cells: cells.str.endswith(name)).any().any()


@pytest.mark.parametrize("column", ["../../x", "/etc/x"])
def test_paths_as_columns(column: str) -> None:
    with pytest.raises(UsageError) as caught:
        fit(named(column, "x"))
    assert str(caught.value) == (
        f'Group column "{column}" has a "/", which NetCDF reads as a path. Rename the column.'
    )


@pytest.mark.parametrize("column", [".", ".."])
def test_dots_as_columns(column: str) -> None:
    with pytest.raises(UsageError) as caught:
        fit(named(column, "x"))
    assert str(caught.value) == ('A group column cannot be named "." or "..". Rename the column.')


def test_nul_characters() -> None:
    with pytest.raises(UsageError) as caught:
        fit(named("side", "\0x"))
    assert str(caught.value) == (
        'side: "g2\\x00x" holds a NUL character, which NetCDF cannot keep. Rename it.'
    )
