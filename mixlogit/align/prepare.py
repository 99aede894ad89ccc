"""What a training starts from: the policy, its reference, and the trainer's arguments."""

import difflib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from mixlogit.align.config import MixDPOConfig
from mixlogit.data.columns import ColumnNames
from mixlogit.errors import UsageError
from mixlogit.lm.load import load_model, load_tokenizer

__all__ = [
    "READING",
    "Telling",
    "open_policy",
    "open_reference",
    "sorted_out",
    "training_arguments",
]

READING = ("schema", "split", "labels", "bad_rows")  # how data are read, besides columns
_TAKEN = ("output_dir", "seed", "by", "respondent", "outcome", "weight", "resume_from_checkpoint")
_DEFAULTS = {"disable_tqdm": True, "logging_steps": 0.05, "save_total_limit": 2}


class Telling(TrainerCallback):
    """Passes the steps taken on to a function of stage, steps done and steps in all."""

    def __init__(self, progress: Any) -> None:
        self.progress = progress

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Tell."""
        self.progress("training", state.global_step, state.max_steps)


def sorted_out(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Column names, and arguments of `MixDPOConfig`, from options of both kinds.

    Raises:
        UsageError: For an option that is neither.

    Example:
        >>> sorted_out({"chosen": "better", "max_steps": 10})
        ({'chosen': 'better'}, {'max_steps': 10})
        >>> sorted_out({"betta": 0.2})
        Traceback (most recent call last):
        mixlogit.errors.UsageError: Unknown option "betta". Did you mean "beta"?
    """
    columns = set(ColumnNames.__annotations__)
    arguments = {field.name for field in fields(MixDPOConfig) if field.init} - {*_TAKEN}
    for name in options:
        if name not in columns | arguments:
            close = difflib.get_close_matches(name, sorted(columns | arguments), n=1)
            hint = f' Did you mean "{close[0]}"?' if close else ""
            raise UsageError(f'Unknown option "{name}".{hint}')
    return (
        {name: value for name, value in options.items() if name in columns},
        {name: value for name, value in options.items() if name in arguments},
    )


def training_arguments(
    output: Path, seed: int, by: list[str], evaluated: bool, given: Mapping[str, Any]
) -> MixDPOConfig:
    """The trainer's arguments, with our defaults where none are given.

    Held-out comparisons are evaluated once an epoch unless another strategy is asked for.

    Raises:
        UsageError: For values that cannot be used.
    """
    defaults: dict[str, Any] = {**_DEFAULTS, "eval_strategy": "epoch" if evaluated else "no"}
    chosen = {name: value for name, value in given.items() if value is not None}
    if chosen.get("anchor") == "none":
        chosen["anchor"] = None
    if isinstance(chosen.get("lapse"), str) and chosen["lapse"] != "learned":
        chosen["lapse"] = _share(chosen["lapse"])
    try:
        made = MixDPOConfig(output_dir=str(output), seed=seed, by=by, **{**defaults, **chosen})
    except (ValueError, TypeError, ImportError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(" ".join(str(error).split())) from error
    made.strength()  # refuses what cannot be used together, before anything is loaded
    return made


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        message = f'Expected lapse to be a number or "learned", but got "{text}".'
        raise UsageError(message) from None


def open_policy(model: Any, tokenizer: Any, *, dtype: str, lora: int | None, seed: int) -> Any:
    """The policy and its tokenizer, loaded if they are named; with a new adapter for `lora`.

    Args:
        model: A model, or the folder or hub id of one.
        tokenizer: The same of a tokenizer; None: the one that lies with the model.
        dtype: Of a model that is loaded.
        lora: Rank of the adapter; None trains all weights.
        seed: Seed of the adapter's first weights.

    Returns:
        The model and the tokenizer.

    Raises:
        UsageError: Something cannot be loaded or trained.
    """
    named = isinstance(model, str | Path)
    if tokenizer is None and not named:
        raise UsageError("Expected a tokenizer with a policy that is a model already.")
    if tokenizer is None or isinstance(tokenizer, str | Path):
        tokenizer = load_tokenizer(model if tokenizer is None else tokenizer)
    if named:
        name, model = model, load_model(model, dtype=dtype, device="cpu")
        if hasattr(model, "peft_config"):
            message = f"{name} is an adapter. Merge it into its model first, or train that model."
            raise UsageError(message, file=str(name))
    if lora is not None:
        model = _with_adapter(model, lora, seed)
    return model, tokenizer


def _with_adapter(model: Any, rank: int, seed: int) -> Any:
    """LoRA (Hu et al. 2021) of all linear layers but the head, scaled by alpha / rank = 2."""
    if rank < 1:
        raise UsageError(f"Expected a LoRA rank of at least 1 but got {rank}.")
    try:
        from peft import LoraConfig, get_peft_model
    except ModuleNotFoundError as error:
        raise UsageError("LoRA needs the package peft: pip install peft.") from error
    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return get_peft_model(model, config)


def open_reference(reference: Any, model: Any, *, dtype: str, device: str | None) -> Any:
    """The reference as a model; None where it is the policy as it is before the training."""
    if reference is None or (isinstance(model, str | Path) and str(reference) == str(model)):
        return None
    if isinstance(reference, str | Path):
        return load_model(reference, dtype=dtype, device=device)
    return reference
