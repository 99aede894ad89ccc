"""A folder that grows over several calls."""

from pathlib import Path

import pytest

from mixlogit.errors import StorageError, UsageError
from mixlogit.run import GrowingRun


def test_what_a_failed_call_left_stays_and_results_come_last(tmp_path: Path) -> None:
    target = tmp_path / "x"

    def cut() -> None:
        with GrowingRun(target, config={"beta": 0.1}) as run:
            (target / "checkpoint-1").mkdir()
            (run.folder / "summary.txt").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut()
    assert sorted(file.name for file in target.iterdir()) == ["checkpoint-1", "config.yaml"]
    with GrowingRun(target, config={"beta": 0.1}) as run:
        assert not run.finished
        (run.folder / "policy").mkdir()
        (run.folder / "policy" / "weights").write_text("new")
        (target / "policy").mkdir()  # as left by a call that was killed in between
    assert (target / "policy" / "weights").read_text() == "new"
    assert {"checkpoint-1", "config.yaml", "manifest.json", "policy", "run.json"} == {
        file.name for file in target.iterdir()
    }
    with GrowingRun(target, config={"beta": 0.1}) as run:
        assert run.finished
        (run.folder / "more").touch()
    assert not (target / "more").exists()


def test_another_configuration_is_refused_or_begun_anew(tmp_path: Path) -> None:
    target = tmp_path / "x"
    with GrowingRun(target, config={"beta": 0.1, "family": "gamma", "output": "x"}):
        (target / "checkpoint-1").mkdir()
    changed = {"beta": 0.2, "draws": 16, "output": "y"}
    with pytest.raises(UsageError) as error, GrowingRun(target, config=changed):
        pass
    assert str(error.value) == (
        f"{target} was begun otherwise: beta (was 0.1, is 0.2), family (was gamma, is not given), "
        "draws (was not given, is 16). Restore this, choose another --output, or add --overwrite "
        "to begin anew."
    )
    with GrowingRun(target, config=changed, overwrite=True) as run:
        assert not run.finished
        assert not (target / "checkpoint-1").exists()


def test_a_call_that_left_no_checkpoint_is_forgotten(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.mkdir()
    (target / "config.yaml").write_text("beta: 0.1\n")
    (target / "data.json").write_text("{}")
    with GrowingRun(target, config={"beta": 0.2}):
        assert not (target / "data.json").exists()


def test_a_folder_of_something_else_is_never_replaced(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.mkdir()
    (target / "mine").touch()
    with pytest.raises(StorageError) as error, GrowingRun(target, config={}, overwrite=True):
        pass
    assert str(error.value) == f"{target} is not a run (no config.yaml). Choose another --output."
    assert (target / "mine").exists()
