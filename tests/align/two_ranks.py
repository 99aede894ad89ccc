"""Trains as one of several processes and writes what it ended with (run by test_trainer.py)."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from alignable import trainer, weights


def main() -> None:
    output, family = Path(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(1)
    panel = family == "lognormal"
    trained = trainer(
        output / "run",
        family=family,
        panel=panel,
        per_device_train_batch_size=8,
        max_steps=12,
        save_strategy="no",
        ddp_find_unused_parameters=False,
    )
    trained.train()
    save_file(weights(trained), output / f"rank{trained.args.process_index}.safetensors")


if __name__ == "__main__":
    main()
