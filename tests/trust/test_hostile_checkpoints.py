"""A checkpoint in which every file is a pickle, with a manifest to match: nothing runs."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from alignable import comparisons, trainer

from mixlogit.errors import MixlogitError
from mixlogit.run import write_manifest

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # transformers' own
    pytest.mark.usefixtures("one_thread"),
]
NOT_READ = {"generation_config.json", "tokenizer.json", "tokenizer_config.json"}
NOT_READ |= {"training_args.bin"}
READ = ["config.json", "model.safetensors", "optimizer.pt", "rng_state.pth", "scheduler.pt"]
READ += ["strength-state.json", "strength-state.safetensors", "trainer_state.json"]


class Evil:
    """Makes a file when it is read back."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[Any, ...]]:
        return open, (str(self.marker), "w")


def resumed(output: Path) -> None:
    """Train three steps, or go on to the third."""
    data = comparisons(48, 6)
    trainer(output, train=data, max_steps=3, save_steps=1).train("auto")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that has come to its second step of three."""
    output = tmp_path_factory.mktemp("begun")
    trainer(output, train=comparisons(48, 6), max_steps=2, save_steps=2).train()
    return output


def test_the_lists_name_all_files(begun: Path) -> None:
    names = {file.name for file in (begun / "checkpoint-2").iterdir()} - {"manifest.json"}
    assert names == {*READ, *NOT_READ}


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_nothing_runs(name: str, how: str, begun: Path, tmp_path: Path) -> None:
    checkpoint, marker = tmp_path / "run" / "checkpoint-2", tmp_path / "marker"
    shutil.copytree(begun / "checkpoint-2", checkpoint)
    if how == "pickle":
        (checkpoint / name).write_bytes(pickle.dumps(Evil(marker)))
    else:
        torch.save(Evil(marker), checkpoint / name)
    write_manifest(checkpoint)
    with pytest.raises(MixlogitError) as caught:
        resumed(tmp_path / "run")
    assert str(caught.value).startswith(str(checkpoint))
    assert "\n" not in str(caught.value)
    assert not marker.exists()


def test_files_that_are_not_read_do_not_matter(begun: Path, tmp_path: Path) -> None:
    checkpoint, marker = tmp_path / "run" / "checkpoint-2", tmp_path / "marker"
    shutil.copytree(begun / "checkpoint-2", checkpoint)
    for name in NOT_READ:
        (checkpoint / name).write_bytes(pickle.dumps(Evil(marker)))
    write_manifest(checkpoint)
    resumed(tmp_path / "run")
    assert (tmp_path / "run" / "checkpoint-3").is_dir()
    assert not marker.exists()


def test_a_training_that_has_ended_takes_no_further_step(tmp_path: Path) -> None:
    data = comparisons(64, 6)  # four batches: the third step does not end an epoch
    first = trainer(tmp_path, train=data, max_steps=3, save_steps=1)
    first.train()
    again = trainer(tmp_path, train=data, max_steps=3, save_steps=1)
    again.train("auto")
    assert again.state.global_step == 3
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name])
