"""Run folders appear whole or not at all."""

import json
import os
from pathlib import Path

import pytest
import yaml

import mixlogit
from mixlogit.errors import StorageError
from mixlogit.run import RunFolder, config_sha256


def make(path: Path, text: str, *, overwrite: bool = False) -> None:
    with RunFolder(path, overwrite=overwrite) as run:
        (run.folder / "note.txt").write_text(text)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_run_says_how_it_was_made(tmp_path: Path) -> None:
    config = {"family": "gamma", "seed": 3}
    command = ["mixlogit", "fit", "votes.csv"]
    with RunFolder(tmp_path / "runs" / "x", command=command, config=config, seed=3) as run:
        run.state = "check failed"
        assert not run.path.exists()
    manifest = json.loads((run.path / "run.json").read_text())
    assert manifest["command"] == ["mixlogit", "fit", "votes.csv"]
    assert manifest["config_sha256"] == config_sha256(config)
    assert manifest["seed"] == 3
    assert manifest["state"] == "check failed"
    assert manifest["versions"]["mixlogit"] == mixlogit.__version__
    assert manifest["started"] <= manifest["ended"]
    assert yaml.safe_load((run.path / "config.yaml").read_text()) == config
    assert names(run.path.parent) == [".x.lock", "x"]


def test_a_run_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with RunFolder(tmp_path / "x") as run:
            (run.folder / "note.txt").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert names(tmp_path) == [".x.lock"]


def test_an_existing_run_is_replaced_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "x"
    make(path, "first")
    with pytest.raises(StorageError) as caught:
        make(path, "second")
    message = f"{path} holds a run. Choose another --output, or add --overwrite."
    assert str(caught.value) == message
    assert (path / "note.txt").read_text() == "first"
    make(path, "second", overwrite=True)
    assert (path / "note.txt").read_text() == "second"
    assert names(tmp_path) == [".x.lock", "x"]


def test_a_replacement_that_fails_keeps_the_earlier_run(tmp_path: Path) -> None:
    make(tmp_path / "x", "first")
    with pytest.raises(ZeroDivisionError), RunFolder(tmp_path / "x", overwrite=True):
        raise ZeroDivisionError
    assert (tmp_path / "x" / "note.txt").read_text() == "first"


def test_a_folder_that_is_no_run_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "thesis"
    path.mkdir()
    (path / "chapter.tex").write_text("years of work")
    with pytest.raises(StorageError) as caught:
        make(path, "new", overwrite=True)
    assert str(caught.value) == f"{path} is not a run (no run.json). Choose another --output."
    assert names(path) == ["chapter.tex"]


def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("a file")
    with pytest.raises(StorageError) as caught:
        make(path, "new", overwrite=True)
    assert str(caught.value) == f"{path} is a file. Choose another --output."


def test_a_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    path = tmp_path / "runs" / "x"
    with pytest.raises(StorageError) as caught:
        make(path, "new")
    assert str(caught.value) == f"{path} cannot be written: File exists."


def test_an_empty_folder_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path / "x")
    make(Path("."), "new")
    assert (tmp_path / "x" / "note.txt").read_text() == "new"


def test_what_a_killed_process_left_is_tidied(tmp_path: Path) -> None:
    make(tmp_path / "x", "first")
    # killed while writing, and between the two renames of a replacement
    (tmp_path / ".x.partial-1").mkdir()
    os.rename(tmp_path / "x", tmp_path / ".x.replaced-1")
    with pytest.raises(StorageError, match="holds a run"):
        make(tmp_path / "x", "second")
    assert names(tmp_path) == [".x.lock", "x"]
    assert (tmp_path / "x" / "note.txt").read_text() == "first"
    # killed after the second rename
    (tmp_path / ".x.replaced-1").mkdir()
    make(tmp_path / "x", "second", overwrite=True)
    assert names(tmp_path) == [".x.lock", "x"]
    assert (tmp_path / "x" / "note.txt").read_text() == "second"
