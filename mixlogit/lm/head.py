"""Log-probabilities of tokens from hidden states, without a `token` x `vocab` tensor."""

from typing import Any, cast

import torch
from torch import Tensor

__all__ = ["token_log_probs"]

_CHUNK = 1 << 22  # logits held at a time: 16 MiB in float32


def token_log_probs(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Values of log softmax(hidden weight^T) at the targets, in chunks of tokens.

    The largest tensor holds the logits of one chunk. Backward computes them again; where the
    head is frozen (adapters), d log p / d hidden = weight[target] - softmax weight is formed
    with the log-probabilities, and backward only scales it.

    Args:
        hidden: Hidden states that predict the tokens (`token` x `hidden`).
        weight: Weight of the LM head (`vocab` x `hidden`).
        targets: The tokens.

    Returns:
        A `token`-vector of log-probabilities, float32 or wider; differentiable once.

    Example:
        >>> hidden, weight = torch.zeros(3, 2), torch.ones(4, 2)
        >>> token_log_probs(hidden, weight, torch.tensor([0, 1, 3])).exp()
        tensor([0.2500, 0.2500, 0.2500])
    """
    device = hidden.device.type
    if torch.is_autocast_enabled(device):  # backward must compute in the dtype of forward
        dtype = torch.get_autocast_dtype(device)
        hidden, weight = hidden.to(dtype), weight.to(dtype)
    with torch.autocast(device, enabled=False):
        found = _TokenLogProbs.apply(hidden, weight, targets)  # type: ignore[no-untyped-call]
    return cast(Tensor, found)


def _chunks(targets: Tensor, weight: Tensor) -> list[slice]:
    size = max(1, _CHUNK // len(weight))
    return [slice(start, start + size) for start in range(0, len(targets), size)]


def _wide(dtype: torch.dtype) -> torch.dtype:
    """float32, or float64 if that is what it is."""
    return torch.promote_types(dtype, torch.float32)


class _TokenLogProbs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        need_hidden, need_weight, _ = ctx.needs_input_grad
        wide = _wide(weight.dtype)
        frozen = need_hidden and not need_weight
        unit = torch.empty_like(hidden) if frozen else None
        found, norms = [], []
        for part in _chunks(targets, weight):
            logits = (hidden[part] @ weight.T).to(wide)
            target = targets[part, None]
            norm = logits.logsumexp(-1)
            found.append(logits.gather(-1, target)[:, 0] - norm)
            norms.append(norm)
            if unit is not None:
                p = logits.sub_(norm[:, None]).exp_()
                p.scatter_add_(-1, target, -torch.ones_like(norm)[:, None])
                unit[part] = -(p.to(weight.dtype) @ weight)
        if unit is not None:
            ctx.save_for_backward(unit)
        else:
            ctx.save_for_backward(hidden, weight, targets, torch.cat(norms))
        ctx.frozen = frozen
        return torch.cat(found)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        if ctx.frozen:
            (unit,) = ctx.saved_tensors
            return (gradient[:, None] * unit).to(unit.dtype), None, None
        hidden, weight, targets, norms = ctx.saved_tensors
        wide = _wide(weight.dtype)
        of_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        of_weight = torch.zeros_like(weight, dtype=wide)
        for part in _chunks(targets, weight):
            logits = (hidden[part] @ weight.T).to(wide)
            scale = gradient[part, None]
            slope = logits.sub_(norms[part, None]).exp_().mul_(-scale)
            slope.scatter_add_(-1, targets[part, None], scale)
            if of_hidden is not None:
                of_hidden[part] = slope.to(weight.dtype) @ weight
            of_weight.addmm_(slope.T, hidden[part].to(wide))
        return of_hidden, of_weight.to(weight.dtype), None
