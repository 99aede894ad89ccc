"""Two processes on the CPU (gloo): DDP by torchrun, FSDP2 by accelerate's configuration file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from alignable import policy, trainer, weights
from safetensors.torch import load_file
from torch import Tensor
from tree import ROOT

from mixlogit.align.ratios import log_ratios

HERE = ROOT / "tests" / "align"
DDP = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
FSDP2 = ["accelerate.commands.launch", "--config_file", str(HERE / "fsdp2.yaml")]

# transformers' own, about devices that are not there
pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")


def alone(output: Path, family: str) -> dict[str, Tensor]:
    """What one process ends with, whose batches are those of both."""
    panel = family == "lognormal"
    one = trainer(output, family=family, panel=panel, max_steps=12, save_strategy="no")
    one.train()
    ratios = log_ratios(one.scorer, one.train_dataset.rows, one.accelerator, tokens=200)
    return weights(one) | {"ratios": ratios}


@pytest.mark.parametrize(
    ("launch", "families"),
    [(DDP, ["lognormal", "gamma"]), (FSDP2, ["lognormal"])],
    ids=["DDP", "FSDP2"],
)
def test_two_processes_hold_one_strength_and_equal_one_process(
    launch: list[str], families: list[str], tmp_path: Path
) -> None:
    """The panel (lognormal) and the per-comparison objective (gamma)."""
    command = [sys.executable, "-m", *launch, str(HERE / "two_ranks.py"), str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}
    done = subprocess.run(
        [*command, *families], capture_output=True, text=True, env=environment, timeout=200
    )
    assert done.returncode == 0, done.stderr
    for family in families:
        files = [f"{family}-rank{k}{how}.safetensors" for k in (0, 1) for how in ("", "-resumed")]
        first, *others = (load_file(tmp_path / file) for file in files)
        for other in others:
            assert [name for name in first if not torch.equal(first[name], other[name])] == []
        sharded = int(first.pop("sharded"))
        assert (sharded > 20) == (launch is FSDP2)
        for name, value in alone(tmp_path / "alone", family).items():
            # float32 sums in another order; the table's are at strengths up to 121
            loose = (
                {"rtol": 1e-4, "atol": 2e-3}
                if name == "table.values"
                else {"rtol": 0, "atol": 2e-5}
            )
            torch.testing.assert_close(first[name], value, **loose, msg=f"{family}: {name}")
        saved = type(policy()).from_pretrained(tmp_path / family / "checkpoint-12").state_dict()
        assert [k for k, v in saved.items() if not torch.equal(v, first[f"policy.{k}"])] == []
