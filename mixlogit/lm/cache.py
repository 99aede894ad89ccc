"""The reference cache: scores on disk, under the weights and tokens that gave them."""

import hashlib
import json
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mixlogit.lm.rows import Row
from mixlogit.run import replacing

__all__ = ["ScoreCache", "model_key", "rows_key", "user_cache"]

_SUM = "sha256"
# says where a model came from or how it is run, not what it computes
_NOT_IN_KEY = {"architectures", "dtype", "transformers_version", "use_cache"}


class ScoreCache:
    """A folder with one file of log-probabilities for each block of rows that was scored.

    A file appears whole or not at all, and its name tells all that its values depend on, so
    that several processes can share the folder. A checksum lies with the values; a file that is
    damaged, or another one under this name, counts as missing.

    Args:
        folder: The folder; it is made when something is stored.

    Attributes:
        hits: Answers found.
        misses: Answers not found.

    Example:
        >>> import tempfile
        >>> cache = ScoreCache(Path(tempfile.mkdtemp()) / "cache")
        >>> cache.load("some-key", 1) is None
        True
        >>> cache.store("some-key", torch.tensor([-3.5]))
        >>> cache.load("some-key", 1), cache.hits, cache.misses
        (tensor([-3.5000]), 1, 1)
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.hits = 0
        self.misses = 0

    def load(self, key: str, n: int) -> Tensor | None:
        """The `n` log-probabilities stored under a key, or None."""
        found = self._read(key)
        if found is None or found.shape != (n,):
            self.misses += n
            return None
        self.hits += n
        return found

    def store(self, key: str, logp: Tensor) -> None:
        """Keep log-probabilities under a key."""
        self.folder.mkdir(parents=True, exist_ok=True)
        logp = logp.contiguous()
        with replacing(self._file(key)) as temporary:
            save_file({"logp": logp}, temporary, {_SUM: _sha256(key, logp)})

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"

    def _read(self, key: str) -> Tensor | None:
        try:
            with safe_open(self._file(key), "pt") as file:
                found: Tensor = file.get_tensor("logp")
                told = (file.metadata() or {}).get(_SUM)
        except (FileNotFoundError, SafetensorError):
            return None
        return found if told == _sha256(key, found) else None


def _sha256(key: str, logp: Tensor) -> str:
    """Checksum of values under their key."""
    values = logp.reshape(-1).view(torch.uint8).cpu().numpy()
    return hashlib.sha256(key.encode() + values.tobytes()).hexdigest()


def rows_key(model: str, rows: Sequence[Row]) -> str:
    """Key of the scores of rows: exactly the tokens read and the answers scored, by a model.

    Example:
        >>> one, other = Row([5, 6], [[7, 2]]), Row([5], [[6, 7, 2]])
        >>> rows_key("model", [one]) == rows_key("model", [other])
        False
    """
    digest = hashlib.sha256(model.encode())
    for row in rows:
        for tokens in (row.prompt, *row.answers):
            digest.update(struct.pack("<qq", len(row.answers), len(tokens)))
            digest.update(np.array(tokens, np.int64).tobytes())
    return digest.hexdigest()


def model_key(model: Any, *, adapter: bool = True) -> str:
    """Key of what a model computes: configuration, every weight with its dtype, autocast.

    Args:
        model: The model, not sharded.
        adapter: With the adapter of a `PeftModel`; without it, the key is the base model's.

    Example:
        >>> from transformers import LlamaConfig, LlamaForCausalLM
        >>> sizes = dict(hidden_size=8, intermediate_size=8, num_attention_heads=2, vocab_size=9)
        >>> model = LlamaForCausalLM(LlamaConfig(num_hidden_layers=1, **sizes))
        >>> before = model_key(model)
        >>> model_key(model) == before, model_key(model.double()) == before
        (True, False)
    """
    config = model.config.to_dict()
    kept = {k: v for k, v in config.items() if k not in _NOT_IN_KEY and not k.startswith("_")}
    device = next(model.parameters()).device.type
    cast = torch.is_autocast_enabled(device) and str(torch.get_autocast_dtype(device))
    settings = [kept, cast, _adapter_settings(model) if adapter else {}]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for name, weight in _weights(model, adapter):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        digest.update(weight.reshape(-1).view(torch.uint8).cpu().numpy().data)
    return digest.hexdigest()


def _adapter_settings(model: Any) -> dict[str, Any]:
    """What scales and places an adapter besides its weights, by the adapter's name."""
    configs = getattr(model, "peft_config", {})
    active = getattr(model, "active_adapters", [])
    return {name: configs[name].to_dict() for name in active} if configs else {}


def _weights(model: Any, adapter: bool) -> Iterator[tuple[str, Tensor]]:
    """Names and values of the weights; without the adapter, by the base model's names."""
    prefix = model.base_model.prefix if hasattr(model, "peft_config") else None
    for name, weight in model.state_dict().items():
        if prefix is None or adapter:
            yield name, weight.detach()
        elif prefix not in name and "modules_to_save." not in name:
            plain = name.removeprefix("base_model.model.")
            yield plain.replace(".base_layer.", ".").replace(".original_module.", "."), weight


def user_cache(folder: str | Path | None = "auto") -> ScoreCache | None:
    """The cache in a folder.

    Args:
        folder: Where; `auto` is that of the user (`MIXLOGIT_CACHE`, or
            `~/.cache/mixlogit/reference`), None is no cache.

    Example:
        >>> user_cache(None) is None
        True
    """
    if folder is None:
        return None
    if folder == "auto":
        home = Path.home() / ".cache" / "mixlogit" / "reference"
        folder = os.environ.get("MIXLOGIT_CACHE", home)
    return ScoreCache(folder)
