"""`Scorer`: log-probabilities of answers, computed inside the model's own forward."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise
from types import MethodType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mixlogit.errors import UsageError
from mixlogit.lm.head import token_log_probs
from mixlogit.lm.rows import Batch, Row, attention, batches, collate, separate
from mixlogit.lm.support import Support, body_and_head, find_support
from mixlogit.lm.threads import worth_threads

__all__ = ["Scorer", "Scores", "evaluating"]


class Scores(NamedTuple):
    """What a model thinks of answers.

    Attributes:
        logp: Sum of each answer's token log-probabilities, an `answer`-vector.
        length: Tokens of each answer.

    Example:
        >>> Scores(torch.tensor([-6.0]), torch.tensor([3])).mean
        tensor([-2.])
    """

    logp: Tensor
    length: Tensor

    @property
    def mean(self) -> Tensor:
        """Log-probability per token."""
        return self.logp / self.length

    @staticmethod
    def lengths(rows: Sequence[Row]) -> Tensor:
        """Tokens of every answer of some rows, in order."""
        return torch.tensor([len(answer) for row in rows for answer in row.answers])


class Scorer:
    """Scores answers through a causal language model, gradients included.

    The prompt goes through the model once, with all its answers behind it, each blind to the
    others; the LM head sees only the tokens that predict an answer, some at a time. A model
    that cannot take such rows, or does more to its logits than the head, is found out by a
    small trial and scored more slowly.

    The scoring happens in the forward of the model: its instance gets a `forward` that, given
    a batch of `collate`, returns `Scores`, and does what it did before for anything else. So a
    model wrapped by DDP or FSDP afterwards is scored by calling the wrapper,
    `wrapped(**scorer.collate(rows))`.

    Args:
        model: A causal language model, or a `PeftModel` around one.

    Attributes:
        model: The model.

    Example:
        >>> from transformers import LlamaConfig, LlamaForCausalLM
        >>> sizes = dict(hidden_size=8, intermediate_size=8, num_attention_heads=2, vocab_size=9)
        >>> scorer = Scorer(LlamaForCausalLM(LlamaConfig(num_hidden_layers=1, **sizes)))
        >>> scorer.fallback is None
        True
        >>> scores = scorer(scorer.collate([Row([5, 6], [[7, 2], [8, 1, 2]])]))
        >>> scores.logp.shape, scores.length.tolist(), scores.logp.requires_grad
        (torch.Size([2]), [2, 3], True)
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        with evaluating(model), torch.no_grad():
            model.scoring_support = find_support(model, _predictions)
        model.forward = MethodType(_forward, model)

    @property
    def fallback(self) -> str | None:
        """What the model cannot take, in words, or None."""
        support: Support = self.model.scoring_support
        return support.fallback

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Rows as the tensors that the model's forward takes, on the CPU.

        Answers keep their order, whether or not the model takes several in a row.

        Raises:
            UsageError: A text is empty, or holds a token that the model does not have.
        """
        shared = self.model.scoring_support.shared_rows
        batch = collate(rows if shared else separate(rows))
        largest = max(int(batch[name].max()) for name in ("input_ids", "targets"))
        vocab = self.model.get_input_embeddings().weight.shape[0]
        if largest >= vocab:
            raise UsageError(
                f"Token {largest} is beyond the model's vocabulary of {vocab}. Policy and "
                f"reference need one tokenizer that fits both."
            )
        return batch

    def __call__(self, batch: Batch) -> Scores:
        """Scores of the answers of a batch, in order; gradients flow to the weights."""
        device = next(self.model.parameters()).device
        scores: Scores = self.model(**{name: part.to(device) for name, part in batch.items()})
        return scores

    def score(self, rows: Sequence[Row], *, tokens: int = 2048) -> Scores:
        """Scores of any number of answers without gradients, on the CPU.

        Args:
            rows: Prompts and answers.
            tokens: Most tokens that go through the model at a time, padding included.

        Returns:
            The scores of all answers, in the order of the rows.
        """
        ends = list(accumulate((len(row.answers) for row in rows), initial=0))
        spans = [range(start, end) for start, end in pairwise(ends)]
        logp = torch.zeros(ends[-1], dtype=torch.float64)
        with evaluating(self.model), worth_threads(self.model), torch.no_grad():
            for batch in batches(rows, tokens):
                scores = self(self.collate([rows[at] for at in batch]))
                where = torch.tensor([answer for at in batch for answer in spans[at]])
                logp[where] = scores.logp.to("cpu", torch.float64)
        return Scores(logp, Scores.lengths(rows))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode (no dropout), and each module's own mode again afterwards."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _forward(self: Any, *args: Any, **kwargs: Any) -> Any:
    """The forward of a model with a scorer: a batch of `collate` is scored."""
    if "predictors" not in kwargs:
        return type(self).forward(self, *args, **kwargs)
    targets, lengths = kwargs["targets"], kwargs["lengths"]
    found = _predictions(self, self.scoring_support, kwargs)
    if self.scoring_support.answer_head:
        _, head = body_and_head(self)
        logp = token_log_probs(found, head.weight, targets)
    else:
        logits = found.to(torch.promote_types(found.dtype, torch.float32))
        logp = logits.gather(-1, targets[:, None])[:, 0] - logits.logsumexp(-1)
    return Scores(torch.segment_reduce(logp, "sum", lengths=lengths), lengths)


def _predictions(model: Any, support: Support, batch: Batch) -> Tensor:
    """Hidden states (or logits, where the head cannot be taken apart) that predict answers."""
    inputs: dict[str, Any] = {"input_ids": batch["input_ids"], "use_cache": False}
    if support.shared_rows:
        inputs["attention_mask"] = _mask(model, batch["segments"])
        inputs["position_ids"] = batch["position_ids"]
    else:
        inputs["attention_mask"] = (batch["segments"] >= 0).long()
    if support.answer_head:
        body, _ = body_and_head(model)
        found: Tensor = body(**inputs)[0]
    else:
        found = type(model).forward(model, **inputs).logits
    return found.flatten(0, 1)[batch["predictors"]]


def _mask(model: Any, segments: Tensor) -> Tensor:
    """The block mask as the model's attention takes it: eager attention adds it."""
    seen = attention(segments)
    if model.config._attn_implementation == "sdpa":
        return seen
    floats = torch.zeros_like(seen, dtype=model.dtype)
    return floats.masked_fill_(~seen, torch.finfo(model.dtype).min)
