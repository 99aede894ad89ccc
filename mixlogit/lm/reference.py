"""The reference: a model of its own, or the policy with its adapter switched off."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from mixlogit.errors import UsageError
from mixlogit.lm.cache import ScoreCache, model_key, rows_key
from mixlogit.lm.rows import Row
from mixlogit.lm.scorer import Scorer, Scores

__all__ = ["Reference"]


class Reference:
    """What the policy is measured against. Its scores never carry gradients.

    Args:
        policy: Scorer of the policy. If it has an adapter (a `PeftModel`) and no other model is
            given, the reference is the policy without it.
        model: The reference, if it is a model of its own.
        cache: Where scores are kept and looked up.

    Attributes:
        scorer: What scores: the reference's own scorer, or the policy's.
        key: Key of the reference's weights, for the cache.

    Raises:
        UsageError: There is neither a model nor an adapter.

    Example:
        >>> from transformers import LlamaConfig, LlamaForCausalLM
        >>> sizes = dict(hidden_size=8, intermediate_size=8, num_attention_heads=2, vocab_size=9)
        >>> model = LlamaForCausalLM(LlamaConfig(num_hidden_layers=1, **sizes))
        >>> reference = Reference(Scorer(model), model)
        >>> reference.score([Row([5, 6], [[7, 2], [8, 1, 2]])]).length
        tensor([2, 3])
    """

    def __init__(
        self, policy: Scorer, model: Any | None = None, *, cache: ScoreCache | None = None
    ) -> None:
        adapted = hasattr(policy.model, "disable_adapter")
        if model is None and not adapted:
            message = "Without a reference model the policy needs an adapter to switch off."
            raise UsageError(f"{message} Name the reference.")
        self.scorer = policy if model is None else Scorer(model)
        self.cache = cache
        self._switch_off = model is None
        self.key = model_key(self.scorer.model, adapter=not self._switch_off)

    def score(self, rows: Sequence[Row], *, tokens: int = 2048) -> Scores:
        """Scores of all answers in the order of the rows, from the cache if they are there.

        Args:
            rows: Prompts and answers. They are looked up and kept as one block.
            tokens: Most tokens that go through the model at a time, padding included.
        """
        if self.cache is None:
            return self._score(rows, tokens)
        key = rows_key(self.key, rows)
        lengths = Scores.lengths(rows)
        found = self.cache.load(key, len(lengths))
        if found is not None:
            return Scores(found, lengths)
        scores = self._score(rows, tokens)
        self.cache.store(key, scores.logp)
        return scores

    def _score(self, rows: Sequence[Row], tokens: int) -> Scores:
        off: AbstractContextManager[Any] = nullcontext()
        if self._switch_off:
            off = self.scorer.model.disable_adapter()
        with off:
            return self.scorer.score(rows, tokens=tokens)
