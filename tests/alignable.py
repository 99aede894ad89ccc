"""A tiny policy, its tokenizer and simulated comparisons: enough to train in a second."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

import mixlogit as ml
from mixlogit.align.config import MixDPOConfig
from mixlogit.align.trainer import MixDPOTrainer

__all__ = ["comparisons", "policy", "tokenizer", "trainer", "weights", "with_adapter"]

SIZES = {"hidden_size": 16, "intermediate_size": 32, "max_position_embeddings": 32}


def policy(seed: int = 0) -> GPTNeoXForCausalLM:
    """A GPT-NeoX of two layers."""
    torch.manual_seed(seed)
    layers = {"num_hidden_layers": 2, "num_attention_heads": 2}
    return GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=18, **SIZES, **layers))


def with_adapter() -> Any:
    """The same with an adapter."""
    return get_peft_model(policy(), LoraConfig(r=2, target_modules=["query_key_value"]))


def tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer of the simulated words."""
    words = {"<pad>": 0, "<eos>": 1, **{f"t{k}": k + 2 for k in range(16)}}
    by_words = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    by_words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=by_words, pad_token="<pad>", eos_token="<eos>")


def comparisons(n: int = 160, people: int = 10, seed: int = 1) -> pa.Table:
    """Comparisons of texts with respondents of unequal strength."""
    table = ml.simulate_texts(n, people, cv=2.0, seed=seed).table
    for name in ("chosen", "rejected"):
        texts = pa.array([" " + text for text in table[name].to_pylist()])
        table = table.set_column(table.column_names.index(name), name, texts)
    return table


def trainer(
    output: Path,
    *,
    model: Any = None,
    train: Any = None,
    evaluate: Any = None,
    callbacks: Any = None,
    **arguments: Any,
) -> MixDPOTrainer:
    """A trainer on the CPU that keeps quiet."""
    chosen: dict[str, Any] = {
        "beta": 0.3,
        "learning_rate": 1e-3,
        "per_device_train_batch_size": 16,
        "num_train_epochs": 2,
        "logging_steps": 5,
        "save_steps": 5,
        "use_cpu": True,
        "disable_tqdm": True,
        **arguments,
    }
    return MixDPOTrainer(
        model=policy() if model is None else model,
        args=MixDPOConfig(output_dir=str(output), **chosen),
        train_dataset=comparisons() if train is None else train,
        eval_dataset=evaluate,
        processing_class=tokenizer(),
        callbacks=callbacks,
    )


def weights(trained: MixDPOTrainer) -> dict[str, torch.Tensor]:
    """Weights and strength of a trainer, by name."""
    policy_weights = {f"policy.{k}": v.clone() for k, v in trained.model.state_dict().items()}
    return policy_weights | trained.objective.state_dict()
