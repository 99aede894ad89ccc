"""What a model can take: found out by its configuration and by a small trial."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from mixlogit.lm.rows import Row, collate

__all__ = ["Support", "body_and_head", "find_support"]

Predict = Callable[[Any, "Support", dict[str, Tensor]], Tensor]

# most that shared rows may differ from separate ones, as a share of what a model would differ
# that ignores the block mask or the positions
_TOLERANCE = {torch.float16: 0.1, torch.bfloat16: 0.1}
_STRICT = 1e-3


@dataclass(frozen=True)
class Support:
    """How a model is scored.

    Attributes:
        answer_head: Only answer tokens pass the head; otherwise the model makes all logits.
        shared_rows: Answers stand behind one prompt; otherwise each has a row of its own.
        reasons: Why not, in words.

    Example:
        >>> Support(answer_head=True, shared_rows=True).fallback is None
        True
    """

    answer_head: bool
    shared_rows: bool
    reasons: tuple[str, ...] = ()

    @property
    def fallback(self) -> str | None:
        """What the model cannot take, or None."""
        return "; ".join(self.reasons) or None


def body_and_head(model: Any) -> tuple[Any, Any]:
    """The transformer below the LM head, and the head; adapters stay where they are."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return base.base_model, base.get_output_embeddings()


def find_support(model: Any, predict: Predict) -> Support:
    """Try a few tokens, and say what the model can take.

    Args:
        model: The model, in evaluation mode.
        predict: Gives what predicts the answers of a batch, for a model and its support.
    """
    no_head = _why_no_answer_head(model)
    reasons = (f"full logits ({no_head})",) if no_head else ()
    support = Support(answer_head=not no_head, shared_rows=False, reasons=reasons)
    no_rows = _why_no_shared_rows(model) or _trial_of_rows(model, support, predict)
    if no_rows is None:
        return replace(support, shared_rows=True)
    return replace(support, reasons=(*reasons, f"one row an answer ({no_rows})"))


def _tokens(model: Any, n: int) -> list[int]:
    """Different tokens, as far as the vocabulary goes."""
    vocab = model.config.get_text_config().vocab_size
    return [(7 * token + 1) % vocab for token in range(n)]


def _why_no_answer_head(model: Any) -> str | None:
    """Whether the logits are anything but a linear map of the body's last hidden states."""
    body, head = body_and_head(model)
    if type(head) is not nn.Linear or head.bias is not None:
        return "its head is not one matrix"
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    if body is base:
        return "its body cannot be called alone"
    ids = torch.tensor([_tokens(model, 5)], device=head.weight.device)
    seen: list[Tensor] = []

    def swap(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        # large logits in the place of the head's: whatever the model does to them shows
        ramp = torch.linspace(-1000, 1000, output.numel(), device=output.device)
        seen.extend([inputs[0], ramp.view_as(output).to(output.dtype)])
        return seen[1]

    handle = head.register_forward_hook(swap)
    try:
        logits = base(input_ids=ids, use_cache=False).logits
    finally:
        handle.remove()
    hidden = body(input_ids=ids, use_cache=False)[0]
    if logits.shape != seen[1].shape or not torch.equal(logits.float(), seen[1].float()):
        return "they are scaled, capped or cut"
    if hidden.shape != seen[0].shape or not torch.allclose(hidden, seen[0], rtol=0.01, atol=0.01):
        return "hidden states are changed before the head"
    return None


def _why_no_shared_rows(model: Any) -> str | None:
    """What a trial of a few tokens cannot show."""
    config = model.config.get_text_config()
    kinds = {kind for kind in getattr(config, "layer_types", None) or () if "full" not in kind}
    if kinds:
        return f"layers of {', '.join(sorted(kinds))}"
    windows = ("sliding_window", "attention_chunk_size")
    if not hasattr(config, "layer_types") and any(getattr(config, w, None) for w in windows):
        return "layers of sliding_attention"
    if getattr(model, "_is_stateful", False):
        return "recurrent layers"
    body, _ = body_and_head(model)
    if "position_ids" not in inspect.signature(body.forward).parameters:
        return "it takes no positions"
    if config._attn_implementation not in ("sdpa", "eager"):
        return f"{config._attn_implementation} takes no block mask"
    return None


def _trial_of_rows(model: Any, support: Support, predict: Predict) -> str | None:
    """Compare an answer behind another one with the same answer behind its prompt alone."""
    tokens = _tokens(model, 14)
    prompt, first, second = tokens[:5], tokens[5:9], tokens[9:]
    shared = replace(support, shared_rows=True)
    device = next(model.parameters()).device

    def outputs(how: Support, row: Row) -> Tensor:
        batch = {name: part.to(device) for name, part in collate([row]).items()}
        return predict(model, how, batch)[-len(second) + 1 :].double()

    alone = outputs(support, Row(prompt, [second]))
    astray = outputs(support, Row(prompt + first[:-1], [second]))
    try:
        behind = outputs(shared, Row(prompt, [first, second]))
    except (TypeError, ValueError, RuntimeError, IndexError) as error:
        return f"it refuses them: {type(error).__name__}"
    tolerance = _TOLERANCE.get(model.dtype, _STRICT)
    wrong = (behind - alone).norm() > tolerance * (astray - alone).norm()
    return "it ignores their mask or positions" if wrong else None
