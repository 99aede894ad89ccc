"""ArviZ takes a run, in both of its generations."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import xarray as xr

import mixlogit as ml
from mixlogit.analysis import az, to_arviz

arviz = az._arviz()


def test_arviz_summarises_a_saved_run(saved_run: Path) -> None:
    data = to_arviz(saved_run)
    table = arviz.summary(data, var_names=["mean", "cv"], kind="stats", round_to="none")
    ours = ml.open_run(saved_run).summary()
    assert table.loc["cv", "mean"] == pytest.approx(ours.loc["cv", "mean"])
    assert table.loc["mean", "sd"] == pytest.approx(ours.loc["mean", "sd"], rel=1e-6)


def test_arviz_leaves_out_respondents(saved_run: Path) -> None:
    posterior = ml.open_run(saved_run)
    found = arviz.loo(to_arviz(posterior), var_name="panel")
    ours = posterior.to_dict()["elpd"]
    assert found.elpd_loo == pytest.approx(ours["estimate"], abs=0.5)


@pytest.mark.parametrize("group", ["prior", "observed_data", "constant_data", "log_likelihood"])
def test_every_group_arrives(saved_run: Path, group: str) -> None:
    assert group in to_arviz(saved_run).groups()


def test_arviz_1_takes_the_tree_itself(saved_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(az, "_arviz", lambda: SimpleNamespace(__version__="1.3.0"))
    tree = ml.open_run(saved_run).to_datatree()
    assert to_arviz(tree) is tree
    assert isinstance(to_arviz(saved_run), xr.DataTree)
