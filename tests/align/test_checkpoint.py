"""Checkpoints that can be trusted."""

import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from mixlogit.align.checkpoint import newest_whole, writing
from mixlogit.errors import NumericsWarning, StorageError
from mixlogit.run import fault_of, write_manifest

Usage = namedtuple("Usage", "total used free")


def checkpoint(output: Path, step: int) -> Path:
    folder = output / f"checkpoint-{step}"
    (folder / "inner").mkdir(parents=True)
    (folder / "optimizer.pt").write_bytes(b"x" * 1000)
    (folder / "inner" / "weights").write_bytes(b"y" * 10)
    write_manifest(folder)
    return folder


def test_the_newest_is_taken_by_number(tmp_path: Path) -> None:
    for step in (5, 100, 20):
        checkpoint(tmp_path, step)
    (tmp_path / "checkpoint-notes").mkdir()
    assert newest_whole(tmp_path) == tmp_path / "checkpoint-100"
    assert newest_whole(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (
            lambda c: (c / "optimizer.pt").write_bytes(b"x"),
            "optimizer.pt: 1 bytes, 1,000 expected",
        ),
        (
            lambda c: (c / "optimizer.pt").write_bytes(b"z" * 1000),
            "optimizer.pt: its checksum is wrong",
        ),
        (lambda c: (c / "inner" / "weights").unlink(), "inner/weights is missing"),
        (lambda c: (c / "manifest.json").unlink(), "it was not finished"),
        (lambda c: (c / "manifest.json").write_text("{"), "manifest.json cannot be read"),
    ],
)
def test_damage_is_set_aside_and_told(damage, reason: str, tmp_path: Path) -> None:
    checkpoint(tmp_path, 300)
    damaged = checkpoint(tmp_path, 400)
    damage(damaged)
    with pytest.warns(NumericsWarning) as told:
        assert newest_whole(tmp_path) == tmp_path / "checkpoint-300"
    assert str(told[0].message) == (
        f"{damaged} is damaged ({reason}). Using checkpoint-300; the damaged folder was renamed."
    )
    assert not damaged.exists()
    assert (tmp_path / "checkpoint-400.damaged").is_dir()


def test_nothing_whole_is_left(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-3.damaged").mkdir()
    (checkpoint(tmp_path, 3) / "manifest.json").unlink()
    with pytest.warns(NumericsWarning, match="Starting anew"):
        assert newest_whole(tmp_path) is None
    assert (tmp_path / "checkpoint-3.damaged1").is_dir()


def test_other_processes_do_not_rename(tmp_path: Path) -> None:
    (checkpoint(tmp_path, 3) / "manifest.json").unlink()
    assert newest_whole(tmp_path, rename=False) is None
    assert (tmp_path / "checkpoint-3").is_dir()


FULL = "[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534"  # torch.save's
FULL_AT_ITS_END = "basic_ios::clear: iostream error"  # torch.save's, in the last bytes


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        RuntimeError(FULL),
        RuntimeError(FULL_AT_ITS_END),
    ],
    ids=["system", "torch", "torch-end"],
)
def test_a_full_disk_is_told(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, begun = checkpoint(tmp_path, 400), tmp_path / "checkpoint-500"
    (whole / "weights").touch()
    os.truncate(whole / "weights", 2_100_000_000)  # without a block on the disk
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(9e9, 8.7e9, 0.3e9))
    begun.mkdir()
    with pytest.raises(StorageError) as told, writing(begun):
        raise error
    assert str(told.value) == (
        "No space left on device while writing checkpoint-500 (needs 2.1 GB, 0.3 GB free). "
        "checkpoint-400 is complete; free space and run the same command again."
    )
    assert not begun.exists()
    assert fault_of(whole) is None


def test_other_errors_are_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    begun = checkpoint(tmp_path, 5)
    with pytest.raises(RuntimeError, match="shapes"), writing(begun):
        raise RuntimeError("shapes do not match")
    assert begun.exists()
