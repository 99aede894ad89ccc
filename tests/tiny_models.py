"""Small random language models, and a plain way to score answers with one."""

import sys
from collections.abc import Sequence
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from mixlogit.lm import Row

__all__ = ["VOCAB", "in_double", "make_model", "plain_logp", "random_rows"]

VOCAB = 97
_SIZES: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def make_model(
    kind: str = "Llama", attention: str = "sdpa", dtype: torch.dtype = torch.float64, **more: Any
) -> Any:
    """A random model of a kind (`GPTNeoX`, `Gemma2`, ...) with weights that make it matter."""
    config = getattr(transformers, f"{kind}Config")(**{**_SIZES, **more})
    config._attn_implementation = attention
    torch.manual_seed(1)
    model = getattr(transformers, f"{kind}ForCausalLM")._from_config(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.mul_(5)
    return model.to(dtype).eval()


class _DoubleTorch:
    float32 = torch.float64

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def in_double(monkeypatch: pytest.MonkeyPatch, model: Any) -> Any:
    """The model without its own casts to float32 (in norms and softmax), which hide 1e-12."""
    monkeypatch.setattr(sys.modules[type(model).__module__], "torch", _DoubleTorch())
    return model


def random_rows(n: int = 6, seed: int = 0) -> list[Row]:
    """Rows of two answers, with short and long ones among them."""
    generator = torch.Generator().manual_seed(seed)

    def tokens(size: int) -> list[int]:
        drawn = torch.randint(3, VOCAB, (size,), generator=generator)
        return [int(token) for token in drawn]

    sizes = [(1 + 5 * at % 17, 1 + at % 5, 1 + 3 * at % 7) for at in range(n)]
    return [Row(tokens(prompt), [tokens(a), tokens(b)]) for prompt, a, b in sizes]


def plain_logp(model: Any, rows: Sequence[Row]) -> Tensor:
    """Log-probabilities of the answers: one forward an answer, all logits, a full softmax."""
    found = []
    for prompt, answer in ((row.prompt, answer) for row in rows for answer in row.answers):
        ids = torch.tensor([prompt + answer])
        logits = type(model).forward(model, input_ids=ids).logits[0, len(prompt) - 1 : -1]
        found.append(logits.log_softmax(-1)[torch.arange(len(answer)), answer].sum())
    return torch.stack(found)
