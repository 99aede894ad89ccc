"""Runs as the commands write them, each twice: a file of one can take the other's place."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from alignable import comparisons, policy, tokenizer

import mixlogit as ml
from mixlogit.cli import main

DONE = (0, 4)
QUICK = ["--inference", "laplace", "--no-evidence", "--quiet"]
TRAINED = ["--max-steps", "4", "--save-steps", "2", "--use-cpu", "--quiet", "--beta", "0.3"]
TRAINED += ["--no-report", "--per-device-train-batch-size", "16", "--learning-rate", "1e-3"]


def fitted(folder: Path, seed: int, *more: str) -> Path:
    """The run folder of a small fit."""
    votes, run = folder / f"votes{seed}.parquet", folder / f"run{seed}"
    ml.simulate(300, 30, cv=0.7, seed=seed).write(votes)
    assert main(["fit", str(votes), "--output", str(run), *QUICK, *more]) in DONE
    return run


@pytest.fixture(scope="session")
def fits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two fits."""
    folder = tmp_path_factory.mktemp("fit")
    return fitted(folder, 1), fitted(folder, 2, "--no-report")


@pytest.fixture(scope="session")
def grids(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two grids of fits."""
    folder = tmp_path_factory.mktemp("grid")
    asked = ("--strength", "fixed,gamma", "--no-report")
    return fitted(folder, 1, *asked), fitted(folder, 2, *asked)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny policy with its tokenizer."""
    made = tmp_path_factory.mktemp("model")
    policy().save_pretrained(made)
    tokenizer().save_pretrained(made)
    return made


def aligned(folder: Path, seed: int, model: Path) -> Path:
    """The run folder of a small alignment, with two checkpoints."""
    votes, run = folder / f"votes{seed}.parquet", folder / f"run{seed}"
    pq.write_table(comparisons(48, 6, seed), votes)
    line = ["align", str(votes), "--model", str(model), "--output", str(run), *TRAINED]
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    assert main([*line, "--seed", str(seed)]) in DONE
    torch.set_num_threads(before)
    return run


@pytest.fixture(scope="session")
def alignments(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two alignments."""
    folder = tmp_path_factory.mktemp("align")
    return aligned(folder, 1, model), aligned(folder, 2, model)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread of torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
