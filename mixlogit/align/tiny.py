"""A tiny policy learns from unequal judges of known strength, by DPO and by the panel."""

import math
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from mixlogit.run import Progress

__all__ = ["LOG_SD", "Learned", "align_tiny_policy"]

_RESPONDENTS, _VOTES, _FRESH = 200, 20, 2000
_WORDS = 16  # words of the vocabulary
_MEDIAN, LOG_SD = 1.5, 1.5  # of strength
_TRAINING: dict[str, Any] = {
    "beta": 0.3,
    "num_train_epochs": 5,
    "learning_rate": 1e-3,
    "per_device_train_batch_size": 64,
    "save_strategy": "no",
    "use_cpu": True,
}


class Learned(NamedTuple):
    """What a policy has learned.

    Attributes:
        name: How it was trained.
        accuracy: Share of fresh pairs that it orders as the true reward does.
        log_sd: Sd of log strength fitted after training, and its 90 % interval; None for DPO.
    """

    name: str
    accuracy: float
    log_sd: tuple[float, float, float] | None


def align_tiny_policy(folder: Path, seed: int, progress: Progress) -> list[Learned]:
    """Train the same tiny transformer on the same votes by DPO and by the panel.

    The world is that of docs/alignment.md: all judges prefer what a true reward prefers, some
    strongly and some hardly (sd of log strength 1.5).

    Args:
        folder: Where the votes, the reference and both run folders go.
        seed: Seed of everything random.
        progress: Called with a stage, steps done and steps in all.
    """
    from mixlogit.align.run import align
    from mixlogit.data import simulate_texts
    from mixlogit.lm.load import quiet_transformers

    mean, cv = _MEDIAN * math.exp(LOG_SD**2 / 2), math.sqrt(math.expm1(LOG_SD**2))
    made = simulate_texts(_RESPONDENTS * _VOTES, _RESPONDENTS, mean=mean, cv=cv, seed=seed)
    folder.mkdir()
    made.write(folder / "texts.parquet")
    reference = folder / "reference"
    with quiet_transformers():
        _save_reference(reference, seed)
    learned = []
    for name, family in (("DPO", "fixed"), ("panel", "lognormal")):
        done = align(
            str(folder / "texts.parquet"),
            model=str(reference),
            output=folder / name.lower(),
            family=family,
            respondent="respondent",
            seed=seed,
            progress=partial(_told, progress, name),
            **_TRAINING,
        )
        spread = None
        if family != "fixed":
            row = done.result["parameters"]["log_sd"]
            spread = (row["mean"], row["q05"], row["q95"])
        learned.append(Learned(name, _accuracy(done.policy, reference, made.world, seed), spread))
    return learned


def _told(progress: Progress, name: str, _: str, done: int, total: int) -> None:
    progress(name, done, total)


def _save_reference(folder: Path, seed: int) -> None:
    """A two-layer transformer with random weights, and a tokenizer of the world's words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = {"</s>": 0, **{f"t{k}": k + 1 for k in range(_WORDS)}}
    by_words = Tokenizer(models.WordLevel(words, "</s>"))
    by_words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast: Any = PreTrainedTokenizerFast
    fast(tokenizer_object=by_words, eos_token="</s>").save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=len(words),
            hidden_size=48,
            intermediate_size=192,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=16,
            bos_token_id=None,
            eos_token_id=0,
        )
        LlamaForCausalLM(config).save_pretrained(folder)


def _accuracy(policy: Path, reference: Path, world: Any, seed: int) -> float:
    """Share of fresh pairs whose margin prefers what the true reward prefers."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mixlogit.data.simulate_texts import words_of
    from mixlogit.lm import margins

    prompt, first, second = world.pairs(_FRESH, np.random.default_rng(seed + 1))
    better = (world.reward(prompt, first) > world.reward(prompt, second))[:, None]
    fresh = {
        "prompt": words_of(prompt),
        "chosen": words_of(np.where(better, first, second), " "),
        "rejected": words_of(np.where(better, second, first), " "),
    }
    output = policy.parent / "fresh.parquet"
    margins(pa.table(fresh), policy=str(policy), reference=str(reference), output=output)
    return float((pq.read_table(output)["margin"].to_numpy() > 0).mean())
