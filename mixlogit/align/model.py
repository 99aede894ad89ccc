"""What a training does to the policy besides training it."""

from pathlib import Path
from typing import Any

from torch import nn

__all__ = ["drop_nothing", "load_weights"]


def drop_nothing(model: nn.Module) -> None:
    """Set every dropout of a model to 0.

    Example:
        >>> layer = nn.Dropout(0.5)
        >>> drop_nothing(layer)
        >>> layer
        Dropout(p=0.0, inplace=False)
    """
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(getattr(module, "attention_dropout", None), float):
            setattr(module, "attention_dropout", 0.0)  # noqa: B010  # to mypy it is a module


def load_weights(model: Any, folder: str | Path) -> None:
    """Put the weights of a checkpoint into a model, none left out.

    By way of `from_pretrained`, which knows under which names a model is saved. The trainer of
    transformers 5.23 does not: it leaves GPT-NeoX with the head that it was made with.

    Args:
        model: A model of transformers.
        folder: What its `save_pretrained` wrote.
    """
    saved = type(model).from_pretrained(folder, dtype=model.dtype, local_files_only=True)
    model.load_state_dict(saved.state_dict(), strict=True)
