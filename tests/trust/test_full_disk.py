"""A disk that is full at any one write of a run or checkpoint: told, and what was there stays."""

import errno
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alignable import comparisons, trainer
from transformers import TrainerCallback

import mixlogit as ml
from mixlogit.cli import main
from mixlogit.errors import StorageError
from mixlogit.run import fault_of

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # transformers' own
    pytest.mark.usefixtures("one_thread"),
]
Runs = tuple[Path, Path]
ADVICE = "free space and run the same command again."


@contextmanager
def largest(size: int) -> Iterator[None]:
    """No file may grow beyond a size, whoever writes it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def sizes(folder: Path) -> list[int]:
    """Sizes that leave out ever more of a folder's files, the largest one first."""
    found = {file.stat().st_size for file in folder.rglob("*") if file.is_file()}
    return sorted((size - 1 for size in found if size), reverse=True)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but for locks."""
    files = (file for file in folder.rglob("*") if file.is_file() and ".lock" not in file.name)
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


class Fsync:
    """Counts what is flushed to the disk; the disk is full at one such call."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.calls, self.fails_at = 0, fails_at

    def __call__(self, descriptor: int) -> None:
        """As `os.fsync`, which is what a delayed write fails in."""
        self.calls += 1
        if self.calls == self.fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def run(fits: Runs, tmp_path: Path) -> Path:
    """A copy of a fit, with its configuration beside it."""
    copy = tmp_path / "runs" / "x"
    shutil.copytree(fits[1], copy)
    return copy


def saved(run: Path) -> Callable[[], str]:
    """Save the posterior in the place of its run, and say what was told."""
    posterior = ml.open_run(run)

    def save() -> str:
        try:
            posterior.save(run, overwrite=True)
        except StorageError as error:
            return str(error)
        return ""

    return save


@pytest.fixture
def fit_again(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Run the command again in the place of its run, and say what was told."""
    config = tmp_path / "config.yaml"
    shutil.copy(run / "config.yaml", config)
    line = ["fit", "--config", str(config), "--output", str(run), "--overwrite", "--quiet"]

    def fit() -> str:
        code, said = main(line), capsys.readouterr().err
        assert (code == 5) == bool(said)
        return said.removesuffix("\n")

    return fit


def no_file_too_large(run: Path, write: Callable[[], str]) -> None:
    """Write while ever smaller files are too large: the run stays bit for bit."""
    before = contents(run.parent)
    for size in sizes(run):
        with largest(size):
            said = write()
        assert said.startswith("File too large while writing ")
        assert said.casefold().endswith(ADVICE)
        assert contents(run.parent) == before
    assert write() == ""
    assert fault_of(run) is None


def no_flush(run: Path, write: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Write while the disk is full at the first flush, the second, ...; how many there are."""
    at = calls = 0
    while calls == at:
        at += 1
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", flush := Fsync(at))
            said = write()
        calls = flush.calls
        assert fault_of(run) is None
        if calls == at:
            assert said.startswith("No space left on device while writing ")
            assert said.casefold().endswith(ADVICE)
    assert said == ""
    return at


def test_a_posterior(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_file_too_large(run, saved(run))
    assert no_flush(run, saved(run), monkeypatch) > 10


@pytest.mark.slow
def test_a_fit(run: Path, fit_again: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    no_file_too_large(run, fit_again)
    assert no_flush(run, fit_again, monkeypatch) > 20


@pytest.fixture
def evaluate_again(
    alignments: Runs, run: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[[], str]:
    """Write an evaluation in the place of the run, and say what was told."""
    shutil.rmtree(run)
    votes = alignments[0].parent / "votes2.parquet"  # of which it was not trained on one
    line = ["evaluate", str(alignments[0]), str(votes), "--output", str(run), "--cache", "none"]

    def evaluate() -> str:
        code = main([*line, "--replicates", "20", "--overwrite", "--quiet"])
        said = capsys.readouterr().err
        assert (code == 5) == bool(said)
        return said.removesuffix("\n")

    assert evaluate() == ""
    return evaluate


def test_an_evaluation(run: Path, evaluate_again: Callable[[], str]) -> None:
    no_file_too_large(run, evaluate_again)


@pytest.mark.slow
def test_flushes_of_an_evaluation(
    run: Path, evaluate_again: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert no_flush(run, evaluate_again, monkeypatch) > 5


@pytest.mark.slow
def test_results_of_an_alignment(
    alignments: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Checkpoints stay whole, and the same command goes on from them once there is space."""
    run = tmp_path / "run"
    shutil.copytree(alignments[0], run)
    (run / "run.json").unlink()  # trained, but its results are not there yet
    line = ["align", "--config", str(run / "config.yaml"), "--output", str(run), "--quiet"]
    results = {file.stat().st_size for file in run.iterdir() if file.is_file()}
    results |= {file.stat().st_size for file in (run / "policy").iterdir()}
    for size in sorted(results, reverse=True):
        with largest(size - 1):
            code, said = main(line), capsys.readouterr().err
        assert code == 5
        assert said.startswith("File too large while writing ")
        assert said.removesuffix("\n").casefold().endswith(ADVICE)
        assert not (run / "run.json").exists()
        assert {fault_of(run / f"checkpoint-{step}") for step in (2, 4)} == {None}
    assert main(line) in (0, 4)
    assert fault_of(run) is None
    for name in ("margins.parquet", "strength.safetensors", "policy/model.safetensors"):
        assert (run / name).read_bytes() == (alignments[0] / name).read_bytes()


class FillAt(TrainerCallback):
    """Fills the disk when a step is done."""

    def __init__(self, step: int, fill: Callable[[], object]) -> None:
        self.step, self.fill = step, fill

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Before the checkpoint of the step is written."""
        if state.global_step == self.step:
            self.fill()


def checkpoints(output: Path, fill: Callable[[], object]) -> None:
    """Train two steps with a checkpoint each; the disk fills before the second one."""
    trainer(
        output, train=comparisons(48, 6), max_steps=2, save_steps=1, callbacks=[FillAt(2, fill)]
    ).train()


def test_files_of_a_checkpoint_that_are_too_large(tmp_path: Path) -> None:
    checkpoints(tmp_path / "whole", lambda: None)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for number, size in enumerate(sizes(tmp_path / "whole" / "checkpoint-2")):
        output = tmp_path / str(number)
        limit = resource.RLIMIT_FSIZE, (size, before[1])
        try:
            with pytest.raises(StorageError) as told:
                checkpoints(output, partial(resource.setrlimit, *limit))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        said = str(told.value)
        assert said.split(" while writing ")[0] in ("File too large", "No space left on device")
        assert " while writing checkpoint-2 (needs " in said
        assert said.endswith("checkpoint-1 is complete; " + ADVICE)
        assert {file.name for file in output.iterdir()} == {"checkpoint-1"}
        assert fault_of(output / "checkpoint-1") is None
