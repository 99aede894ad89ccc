"""A million rows from Parquet, in seconds and without one Python object a row."""

import subprocess
import sys
from pathlib import Path

import pytest

import mixlogit as ml

LOAD = """
import resource, sys, torch, scipy.sparse.csgraph
import mixlogit as ml

def used():
    now = resource.getrusage(resource.RUSAGE_SELF)
    return now.ru_utime + now.ru_stime, now.ru_maxrss / 1e6

ml.load
before = used()
data = ml.load(sys.argv[1], groups="group")
after = used()
assert data.n_comparisons == 1_000_000 and data.n_respondents == 50_000 and not data.warnings
print(after[0] - before[0], after[1] - before[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_a_million_rows(tmp_path: Path) -> None:
    path = ml.simulate(1_000_000, 50_000, groups=3).write(tmp_path / "votes.parquet")[0]
    made = subprocess.run(
        [sys.executable, "-c", LOAD, str(path)], capture_output=True, text=True, check=True
    )
    seconds, gigabytes = map(float, made.stdout.split())
    assert seconds < 2
    assert gigabytes < 0.5


@pytest.mark.slow
def test_a_million_groups() -> None:
    data = ml.simulate(1_000_000, 50_000, seed=1).frame
    data["page"] = [f"page {number}" for number in range(len(data))]
    read = ml.load(data, groups=["page"])
    assert len(read.groups["page"].labels) == read.n_comparisons == 1_000_000
    assert [told.name for told in read.warnings] == ["group_varies"]
    assert read.take([999_999]).groups["page"].labels[-1] == "page 999999"
