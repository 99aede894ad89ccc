"""Language models and tokenizers from the disk or the hub, in one line of error if not."""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mixlogit.errors import UsageError

__all__ = [
    "best_device",
    "load_model",
    "load_reward_model",
    "load_tokenizer",
    "longest_text",
    "quiet_transformers",
]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_DTYPES = ("auto", "float32", "bfloat16", "float16", "float64")


def best_device() -> str:
    """The GPU of this process if there is one, else the CPU.

    Example:
        >>> best_device() in ("cpu", "cuda") or best_device().startswith("cuda:")
        True
    """
    if not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{int(os.environ.get('LOCAL_RANK', 0)) % torch.cuda.device_count()}"


def load_model(name: str | Path, *, dtype: str = "auto", device: str | None = None) -> Any:
    """A causal language model, with its adapter if the name is that of an adapter.

    Args:
        name: Folder, or id on the hub. A folder is never looked for on the hub.
        dtype: `auto` is bfloat16 on a GPU that has it, else float32; or the name of a dtype.
        device: Where to put it; default: the GPU of this process, or the CPU.

    Returns:
        The model in evaluation mode, a `PeftModel` if it is an adapter.

    Raises:
        UsageError: It cannot be loaded, or the dtype is unknown.
    """
    from transformers import AutoModelForCausalLM
    from transformers.utils.peft_utils import find_adapter_config_file

    place = device or best_device()
    chosen = _dtype(dtype, place)
    local = _is_local(name)

    def load() -> Any:
        adapter = find_adapter_config_file(str(name), local_files_only=local)
        if adapter is not None:
            return _with_adapter(name, local, chosen)
        return AutoModelForCausalLM.from_pretrained(name, dtype=chosen, local_files_only=local)

    return _said("model", name, load).to(place).eval()


def load_tokenizer(name: str | Path) -> Any:
    """The tokenizer of a model; that of an adapter may lie with its base model.

    Args:
        name: Folder, or id on the hub.

    Raises:
        UsageError: It cannot be loaded.
    """
    from transformers import AutoTokenizer

    local = _is_local(name)
    return _said(
        "tokenizer",
        name,
        lambda: AutoTokenizer.from_pretrained(name, local_files_only=local),
    )


def load_reward_model(name: str | Path, *, device: str | None = None) -> tuple[Any, Any]:
    """A model that gives a text one number, and its tokenizer.

    Args:
        name: Folder or hub id of an `AutoModelForSequenceClassification` with one label.
        device: Where to put it; default: the GPU of this process, or the CPU.

    Returns:
        The model in evaluation mode, and the tokenizer.

    Raises:
        UsageError: It cannot be loaded, or has several labels.
    """
    from transformers import AutoModelForSequenceClassification

    place, local = device or best_device(), _is_local(name)
    how = {"dtype": _dtype("auto", place), "local_files_only": local}
    model = _said(
        "model", name, lambda: AutoModelForSequenceClassification.from_pretrained(name, **how)
    )
    if model.config.num_labels != 1:
        raise UsageError(
            f"{name} gives {model.config.num_labels} labels. A reward model gives one.",
            file=str(name),
        )
    tokenizer = load_tokenizer(name)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.pad_token_id = tokenizer.pad_token_id
    return model.to(place).eval(), tokenizer


def longest_text(model: Any) -> int | None:
    """Most tokens that a model was made for; None where its configuration does not say.

    Example:
        >>> from transformers import LlamaConfig, LlamaForCausalLM
        >>> sizes = dict(hidden_size=8, intermediate_size=8, num_attention_heads=2, vocab_size=9)
        >>> config = LlamaConfig(num_hidden_layers=1, max_position_embeddings=64, **sizes)
        >>> longest_text(LlamaForCausalLM(config))
        64
    """
    found = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return found if isinstance(found, int) and found > 0 else None


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Without transformers' own bars and notices; its errors stay."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    # these functions of transformers have no annotations
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _with_adapter(name: str | Path, local: bool, dtype: torch.dtype) -> Any:
    try:
        from peft import AutoPeftModelForCausalLM
    except ModuleNotFoundError as error:
        message = f"{name} is an adapter, which needs the package peft: pip install peft."
        raise UsageError(message) from error
    return AutoPeftModelForCausalLM.from_pretrained(name, dtype=dtype, local_files_only=local)


def _dtype(name: str, device: str) -> torch.dtype:
    if name not in _DTYPES:
        raise UsageError(f'Expected a dtype of {", ".join(_DTYPES)} but got "{name}".')
    if name != "auto":
        found: torch.dtype = getattr(torch, name)
        return found
    half = device.startswith("cuda") and torch.cuda.is_bf16_supported()
    return torch.bfloat16 if half else torch.float32


def _is_local(name: str | Path) -> bool:
    """Whether a name is a folder; a name that can be neither folder nor hub id is refused."""
    path = Path(name)
    if path.is_dir():
        _refuse_outside(path)
        return True
    if isinstance(name, Path) or not _HUB_ID.fullmatch(name) or path.exists():
        raise UsageError(f"{name}: no such folder of a model.", file=name)
    return False


def _refuse_outside(folder: Path) -> None:
    """See that the lists of a model's parts name files of its own folder."""
    for index in folder.glob("*.index.json"):
        try:
            parts = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # transformers says what is wrong with it
        paths = map(Path, map(str, parts))
        outside = [path for path in paths if path.is_absolute() or ".." in path.parts]
        if outside:
            raise UsageError(
                f'{index} names "{outside[0]}", a file outside of its folder. Restore the model.',
                file=str(index),
            )


def _said(what: str, name: str | Path, load: Callable[[], Any]) -> Any:
    """Load something, or say in one line why not."""
    try:
        return load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        if isinstance(error, UsageError):
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(f"{name}: its {what} cannot be loaded ({reason}).", file=name) from error
