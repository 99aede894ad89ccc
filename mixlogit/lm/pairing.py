"""A policy, its reference and their tokenizer, ready to score."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mixlogit.errors import UsageError
from mixlogit.lm.cache import ScoreCache, model_key
from mixlogit.lm.encode import Truncation
from mixlogit.lm.load import load_model, load_tokenizer, longest_text, quiet_transformers
from mixlogit.lm.reference import Reference
from mixlogit.lm.scorer import Scorer

__all__ = ["Pairing", "open_pairing"]

_TOKENS = {"cpu": 2048, "cuda": 16384}  # of a batch: caches of a core, occupancy of a GPU


@dataclass(frozen=True)
class Pairing:
    """What turns texts into margins.

    Attributes:
        policy: Scorer of the policy.
        reference: What it is measured against.
        tokenizer: Makes tokens of texts, for both.
        max_length: Most tokens of a prompt with one answer, or None.
        truncation: What remains of longer ones.
        batch_tokens: Most tokens that go through a model at a time.
    """

    policy: Scorer
    reference: Reference
    tokenizer: Any
    max_length: int | None
    truncation: Truncation
    batch_tokens: int

    @property
    def fallback(self) -> str | None:
        """What the models cannot take, in words."""
        own = self.policy.fallback
        other = self.reference.scorer.fallback
        said = {"policy": own, "reference": other if other != own else None}
        if own is not None and other == own:
            return own
        return "; ".join(f"{who}: {why}" for who, why in said.items() if why) or None

    @property
    def cache_hits(self) -> int:
        """Answers whose reference scores were in the cache."""
        return 0 if self.reference.cache is None else self.reference.cache.hits

    def identity(self) -> dict[str, Any]:
        """What margins depend on besides the data, in words of the arguments."""
        return {
            "policy": model_key(self.policy.model),
            "reference": self.reference.key,
            "tokenizer": _tokenizer_key(self.tokenizer),
            "max_length": self.max_length,
            "truncation": self.truncation,
            "batch_tokens": self.batch_tokens,
        }


def open_pairing(
    policy: Any,
    reference: Any | None,
    tokenizer: Any | None,
    *,
    dtype: str = "auto",
    device: str | None = None,
    cache: ScoreCache | None = None,
    max_length: int | None = None,
    truncation: Truncation = "keep_start",
    batch_tokens: int | None = None,
) -> Pairing:
    """Load what is named by folder or hub id, and see that it fits together.

    Args:
        policy: A model, or the name of one or of an adapter.
        reference: The same, or None for the policy without its adapter.
        tokenizer: A tokenizer or its name; None: that of the policy, if it is named.
        dtype: Of what is loaded.
        device: Of what is loaded.
        cache: Of the reference's scores.
        max_length: Most tokens of a prompt with one answer; None: what the models take.
        truncation: What remains of longer ones.
        batch_tokens: Most tokens in a batch; None: as the device likes.

    Raises:
        UsageError: Something cannot be loaded or does not fit.
    """
    with quiet_transformers():
        model = _model(policy, dtype, device)
        scorer = Scorer(model)
        other = None if reference is None else _model(reference, dtype, device)
        against = Reference(scorer, other, cache=cache)
        made = _tokenizer(tokenizer, policy, model)
    limits = [longest_text(one) for one in (model, against.scorer.model)]
    longest = min((limit for limit in limits if limit), default=None)
    place = next(model.parameters()).device.type
    return Pairing(
        policy=scorer,
        reference=against,
        tokenizer=made,
        max_length=max_length or longest,
        truncation=truncation,
        batch_tokens=batch_tokens or _TOKENS.get(place, _TOKENS["cpu"]),
    )


def _model(model: Any, dtype: str, device: str | None) -> Any:
    return load_model(model, dtype=dtype, device=device) if _is_name(model) else model


def _is_name(model: Any) -> bool:
    return isinstance(model, str | Path)


def _tokenizer(tokenizer: Any | None, policy: Any, model: Any) -> Any:
    if tokenizer is not None:
        return load_tokenizer(tokenizer) if _is_name(tokenizer) else tokenizer
    if not _is_name(policy):
        raise UsageError("Expected a tokenizer with a policy that is a model already.")
    bare = Path(policy).is_dir() and not (Path(policy) / "tokenizer_config.json").exists()
    adapters = list(getattr(model, "peft_config", {}).values())
    if bare and adapters:
        return load_tokenizer(adapters[0].base_model_name_or_path)
    return load_tokenizer(policy)


def _tokenizer_key(tokenizer: Any) -> str:
    said = [sorted(tokenizer.get_vocab().items()), tokenizer.chat_template]
    said.append(tokenizer.special_tokens_map)
    return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()
