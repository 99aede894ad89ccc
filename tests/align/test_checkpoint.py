"""Checkpoints that can be trusted."""

from pathlib import Path

import pytest

from mixlogit.align.checkpoint import newest_whole, write_manifest
from mixlogit.errors import NumericsWarning


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
        (lambda c: (c / "manifest.json").write_text("{"), "it was not finished"),
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
