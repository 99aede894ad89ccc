"""Run by torchrun in test_distributed.py: gradients of DDP and FSDP2 against one process."""

import torch
from tiny_models import make_model, random_rows
from torch import Tensor, distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from mixlogit.lm import Scorer, Scores

ROWS = random_rows(6)


def gradients(model: torch.nn.Module) -> dict[str, Tensor]:
    found = {}
    for name, weight in model.named_parameters():
        gradient = weight.grad
        assert gradient is not None, name
        full = gradient.full_tensor() if isinstance(gradient, DTensor) else gradient
        found[name.removeprefix("module.")] = full
    return found


def check(kind: str, wrap: str) -> None:
    alone = make_model(kind)
    scorer = Scorer(alone)
    scorer(scorer.collate(ROWS)).logp.sum().backward()

    model = make_model(kind)
    scorer = Scorer(model)
    if wrap == "ddp":
        wrapped = DistributedDataParallel(model)
    else:
        mesh = init_device_mesh("cpu", (2,))
        for layer in model.base_model.layers:
            fully_shard(layer, mesh=mesh)
        wrapped = fully_shard(model, mesh=mesh)
    mine = ROWS[distributed.get_rank() :: 2]
    scores = wrapped(**scorer.collate(mine))
    assert isinstance(scores, Scores)
    (2 * scores.logp.sum()).backward()  # both average over the two ranks
    wanted = gradients(alone)
    for name, gradient in gradients(wrapped).items():
        torch.testing.assert_close(gradient, wanted[name], rtol=1e-5, atol=1e-6, msg=name)


if __name__ == "__main__":
    distributed.init_process_group("gloo")
    for kind in ("Llama", "GPTNeoX"):
        for wrap in ("ddp", "fsdp2"):
            check(kind, wrap)
    distributed.destroy_process_group()
