"""Answers drawn from a language model: in batches, by seed."""

from collections.abc import Sequence
from typing import Any

import torch

from mixlogit.errors import UsageError
from mixlogit.lm.load import longest_text

__all__ = ["generate"]


def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    *,
    new_tokens: int = 128,
    greedy: bool = False,
    batch: int = 16,
    seed: int = 0,
) -> list[list[int]]:
    """One answer to each prompt, without its end-of-sequence token.

    Args:
        model: A causal language model.
        tokenizer: Its tokenizer.
        prompts: Tokens of each prompt.
        new_tokens: Most tokens of an answer; fewer where the model has no room for them.
        greedy: Take the likeliest token each time in place of a draw.
        batch: Prompts in a batch.
        seed: Seed; the same model gives the same answers for it.

    Raises:
        UsageError: A prompt leaves no room for an answer.
    """
    device = next(model.parameters()).device
    ends = {tokenizer.eos_token_id, *_listed(model.generation_config.eos_token_id)} - {None}
    padding = tokenizer.pad_token_id
    padding = tokenizer.eos_token_id if padding is None else padding
    answers: list[list[int]] = []
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), torch.no_grad():
        torch.manual_seed(seed)
        for start in range(0, len(prompts), batch):
            part = [list(prompt) for prompt in prompts[start : start + batch]]
            width = max(map(len, part))
            ids = [[padding] * (width - len(prompt)) + prompt for prompt in part]
            seen = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in part]
            found = model.generate(
                input_ids=torch.tensor(ids, device=device),
                attention_mask=torch.tensor(seen, device=device),
                max_new_tokens=_room(model, width, new_tokens),
                do_sample=not greedy,
                top_k=0 if not greedy else None,
                pad_token_id=padding,
                eos_token_id=sorted(ends) or None,
            )
            answers += [_until(row[width:], ends) for row in found.tolist()]
    return answers


def _room(model: Any, width: int, new_tokens: int) -> int:
    limit = longest_text(model)
    room = new_tokens if limit is None else min(new_tokens, limit - width)
    if room < 1:
        raise UsageError(
            f"A prompt of {width:,} tokens leaves no room for an answer in {limit:,}."
        )
    return room


def _until(tokens: list[int], ends: set[int]) -> list[int]:
    """The tokens in front of the first end."""
    at = next((k for k, token in enumerate(tokens) if token in ends), len(tokens))
    return tokens[:at]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
