"""Log-ratios of chosen against rejected over a whole data set, shared out over processes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mixlogit.lm import Row
from mixlogit.lm.rows import batches

__all__ = ["log_ratios"]


def log_ratios(scored: Any, rows: Sequence[Row], accelerator: Any, *, tokens: int) -> Tensor:
    """Log-probability of chosen minus rejected, each process scoring its part.

    All processes make the same number of forward passes, as a sharded model needs, over the same
    batches as one process alone.

    Args:
        scored: A `Scorer` or a `Reference`.
        rows: Prompt, chosen and rejected of each comparison.
        accelerator: The trainer's.
        tokens: Most tokens that go through the model at a time.

    Returns:
        A `comparison`-vector, float64, on the CPU, the same in every process.

    Example:
        >>> from accelerate import Accelerator
        >>> from transformers import LlamaConfig, LlamaForCausalLM
        >>> from mixlogit.lm import Scorer
        >>> sizes = dict(hidden_size=8, intermediate_size=8, num_attention_heads=2, vocab_size=9)
        >>> scorer = Scorer(LlamaForCausalLM(LlamaConfig(num_hidden_layers=1, **sizes)))
        >>> one = Row([5, 6], [[7, 2], [7, 2]])
        >>> float(log_ratios(scorer, [one], Accelerator(cpu=True), tokens=2048).abs()) < 1e-6
        True
    """
    rank, count = accelerator.process_index, accelerator.num_processes
    parts = list(batches(rows, tokens))
    found = torch.zeros(len(rows), dtype=torch.float64)
    with accelerator.autocast():  # as in training: margins are to start at 0
        for start in range(0, len(parts), count):
            mine = start + rank
            at = parts[min(mine, len(parts) - 1)]
            logp = scored.score([rows[k] for k in at], tokens=tokens).logp
            chosen, rejected = logp.view(-1, 2).unbind(-1)
            if mine < len(parts):
                found[at] = chosen - rejected
    if count == 1:
        return found
    total: Tensor = accelerator.reduce(found.to(accelerator.device), "sum")
    return total.cpu()
