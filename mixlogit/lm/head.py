"""Log-probabilities of tokens from hidden states, without a `token` x `vocab` tensor."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor

__all__ = ["token_log_probs"]

_CHUNK = 1 << 22  # logits worked on at a time: 16 MiB in float32
_KEEP = 1 << 24  # probabilities kept from forward to backward: 64 MiB


def token_log_probs(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Values of log softmax(hidden weight^T) at the targets, in chunks of tokens.

    The probabilities of the first chunks are kept for backward, which computes the logits of the
    others again: memory does not grow with the number of tokens. Where the head is frozen
    (adapters), d log p / d hidden = weight[target] - softmax weight is formed with the
    log-probabilities, and backward only scales it.

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
        trained = torch.is_grad_enabled()  # inside of `forward` it never is
        # torch's `apply` has no annotations
        found = _TokenLogProbs.apply(hidden, weight, targets, trained)  # type: ignore[no-untyped-call]
    return cast(Tensor, found)


def _wide(dtype: torch.dtype) -> torch.dtype:
    """float32, or float64 if that is what it is."""
    return torch.promote_types(dtype, torch.float32)


def _chunks(
    hidden: Tensor, weight: Tensor, kept: Sequence[Tensor] = ()
) -> Iterator[tuple[slice, Tensor]]:
    """What was kept of the first chunks, then logits, in one buffer that may be written to.

    New memory for each chunk would leave the heap in pieces several times as large.
    """
    size = max(1, min(len(hidden), _CHUNK // len(weight)))
    product = hidden.new_empty(size, len(weight))
    wide = product.to(_wide(weight.dtype))  # the same buffer where it is wide enough
    for k, start in enumerate(range(0, len(hidden), size)):
        part = hidden[start : start + size]
        if k < len(kept):
            wide[: len(part)].copy_(kept[k])
        else:
            torch.mm(part, weight.T, out=product[: len(part)])
            if wide is not product:
                wide[: len(part)].copy_(product[: len(part)])
        yield slice(start, start + size), wide[: len(part)]


class _TokenLogProbs(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, trained: bool
    ) -> Tensor:
        need_hidden, need_weight, *_ = ctx.needs_input_grad
        frozen = need_hidden and not need_weight
        unit = torch.empty_like(hidden) if frozen else None
        found = hidden.new_empty(len(hidden), dtype=_wide(weight.dtype))
        norms = torch.empty_like(found)
        kept: list[Tensor] = []
        for part, logits in _chunks(hidden, weight):
            target = targets[part, None]
            found[part] = logits.gather(-1, target)[:, 0]
            top = logits.amax(-1, keepdim=True)
            total = logits.sub_(top).exp_().sum(-1, keepdim=True)
            norms[part] = (top + total.log())[:, 0]
            if trained and need_weight and part.stop * len(weight) <= _KEEP:
                kept.append(logits / total)
            if unit is not None:
                p = logits.div_(total)
                p.scatter_add_(-1, target, -torch.ones_like(total))
                unit[part] = -(p.to(weight.dtype) @ weight)
        if unit is not None:
            ctx.save_for_backward(unit)
        else:
            ctx.save_for_backward(hidden, weight, targets, norms, *kept)
        ctx.frozen = frozen
        return found - norms

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        if ctx.frozen:
            (unit,) = ctx.saved_tensors
            return (gradient[:, None] * unit).to(unit.dtype), None, None, None
        hidden, weight, targets, norms, *kept = ctx.saved_tensors
        of_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        of_weight = torch.zeros_like(weight, dtype=_wide(weight.dtype))
        for k, (part, logits) in enumerate(_chunks(hidden, weight, kept)):
            scale = gradient[part, None]
            p = logits if k < len(kept) else logits.sub_(norms[part, None]).exp_()
            slope = p.mul_(-scale)
            slope.scatter_add_(-1, targets[part, None], scale)
            if of_hidden is not None:
                of_hidden[part] = slope.to(weight.dtype) @ weight
            of_weight.addmm_(slope.T, hidden[part].to(of_weight.dtype))
        return of_hidden, of_weight.to(weight.dtype), None, None
