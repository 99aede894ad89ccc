"""Trains as one of several processes and writes what it ended with (run by test_ranks.py)."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from accelerate.state import AcceleratorState, DistributedType
from safetensors.torch import save_file
from torch import Tensor, distributed
from torch.distributed.tensor import DTensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from alignable import trainer, weights

from mixlogit.align.ratios import log_ratios
from mixlogit.align.trainer import MixDPOTrainer


def shard_on_the_cpu() -> None:
    """Let accelerate, which reads its FSDP settings for GPUs only, read them for the CPU."""
    begin = AcceleratorState.__init__

    def with_plugin(self: Any, *arguments: Any, fsdp_plugin: Any = None, **others: Any) -> None:
        begin(self, *arguments, fsdp_plugin=fsdp_plugin, **others)
        self.fsdp_plugin = fsdp_plugin or self.__dict__.get("fsdp_plugin")
        if self.fsdp_plugin is not None:
            self.distributed_type = DistributedType.FSDP

    AcceleratorState.__init__ = with_plugin


def ends(trained: MixDPOTrainer) -> dict[str, Tensor]:
    """Whole weights and strength, the policy's log-ratios, and how many weights are sharded."""
    found = weights(trained)
    sharded = [name for name, value in found.items() if isinstance(value, DTensor)]
    for name in sharded:
        found[name] = found[name].full_tensor()  # type: ignore[attr-defined]
    rows = trained.train_dataset.rows
    found["ratios"] = log_ratios(trained.scorer, rows, trained.accelerator, tokens=200)
    return found | {"sharded": torch.tensor([len(sharded)])}


def train(output: Path, resume: bool, **options: Any) -> MixDPOTrainer:
    trained = trainer(
        output,
        per_device_train_batch_size=8,
        max_steps=12,
        save_steps=6,
        ddp_find_unused_parameters=False,
        **options,
    )
    trained.train(resume_from_checkpoint="auto" if resume else None)
    return trained


def main() -> None:
    output = Path(sys.argv[1])
    torch.set_num_threads(1)
    if os.environ.get("ACCELERATE_USE_FSDP") == "true":
        shard_on_the_cpu()
    for family in sys.argv[2:]:
        settings = {"family": family, "panel": family == "lognormal"}
        trained = train(output / family, resume=False, **settings)
        rank, wait = trained.args.process_index, trained.accelerator.wait_for_everyone
        save_file(ends(trained), output / f"{family}-rank{rank}.safetensors")
        wait()
        if rank == 0:
            shutil.rmtree(output / family / "checkpoint-12")
        wait()
        resumed = train(output / family, resume=True, **settings)
        save_file(ends(resumed), output / f"{family}-rank{rank}-resumed.safetensors")
    wait()
    distributed.destroy_process_group()  # else the first to leave may take the other down


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # all is done: threads of gloo that still run now and then abort a tidy end
