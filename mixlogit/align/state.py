"""The strength of a training run on disk: numbers as safetensors, settings as JSON."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback

from mixlogit.align.objective import Objective
from mixlogit.errors import StorageError, UsageError
from mixlogit.run import replacing, write_json

__all__ = ["STATE_FILES", "KeepStrength", "load_strength", "save_strength"]

STATE_FILES = ("strength-state.safetensors", "strength-state.json")


def save_strength(objective: Objective, folder: str | Path) -> None:
    """Write all that training changes of an objective into an existing folder.

    Example:
        >>> import tempfile
        >>> import torch
        >>> from mixlogit.align import AlignSettings, make_objective
        >>> from mixlogit.data import Comparisons
        >>> data = Comparisons(outcome=torch.ones(4), margin=torch.zeros(4))
        >>> one, other = (make_objective(data, AlignSettings()) for _ in range(2))
        >>> _ = one.step(torch.ones(4), torch.arange(4))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_strength(one, folder)
        ...     load_strength(other, folder)
        >>> one.describe() == other.describe()
        True
    """
    with replacing(Path(folder) / STATE_FILES[0]) as temporary:
        save_file(objective.state_dict(), temporary)
    write_json(Path(folder) / STATE_FILES[1], _record(objective))


def load_strength(objective: Objective, folder: str | Path) -> None:
    """Continue from what `save_strength` wrote, bit for bit.

    Args:
        objective: Made from the same data and settings.
        folder: Where it was saved.

    Raises:
        StorageError: If a file is missing or damaged.
        UsageError: If it was saved with other settings or data; names them.
    """
    file = Path(folder) / STATE_FILES[1]
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        _refuse_changes(record, json.loads(json.dumps(_record(objective))), file)
        file = Path(folder) / STATE_FILES[0]
        state = load_file(file)
        wanted = objective.state_dict()
        shapes = {name: value.shape for name, value in state.items()}
        # what Adam has begun with is there in the file and not yet in a new objective
        if any(shapes.get(name) != value.shape for name, value in wanted.items()):
            raise ValueError("its tensors do not match strength-state.json")
    except (OSError, ValueError, SafetensorError) as error:
        if isinstance(error, UsageError):
            raise
        raise StorageError(f"{file} is missing or damaged: {error}", file=file) from error
    objective.load_state_dict(state)


class KeepStrength(TrainerCallback):
    """Keeps the strength with the checkpoints of any trainer of transformers.

    Args:
        objective: The strength.

    Example:
        >>> from mixlogit.align import AlignSettings, make_objective
        >>> from mixlogit.data import Comparisons
        >>> import torch
        >>> data = Comparisons(outcome=torch.ones(4), margin=torch.zeros(4))
        >>> keep = KeepStrength(make_objective(data, AlignSettings()))
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def on_save(self, args: Any, state: Any, *arguments: Any, **others: Any) -> None:
        """Write the strength into the checkpoint that was written."""
        if args.should_save:
            save_strength(self.objective, self._checkpoint(args, state))

    def on_train_begin(self, args: Any, state: Any, *arguments: Any, **others: Any) -> None:
        """Continue from the checkpoint with which the training is resumed."""
        if state.global_step > 0:
            load_strength(self.objective, self._checkpoint(args, state))

    @staticmethod
    def _checkpoint(args: Any, state: Any) -> Path:
        return Path(args.output_dir) / f"checkpoint-{state.global_step}"


def _record(objective: Objective) -> dict[str, Any]:
    votes = objective.votes
    return {
        "objective": type(objective).__name__,
        "comparisons": len(votes),
        "units": len(votes.units.block),
        "blocks": votes.units.n_blocks,
        "settings": objective.settings.to_dict(),
    }


def _refuse_changes(saved: dict[str, Any], now: dict[str, Any], file: Path) -> None:
    pairs = [(saved, now), (saved.get("settings", {}), now["settings"])]
    changed = [
        f"{name} (was {before.get(name)!r}, is {value!r})"
        for before, after in pairs
        for name, value in after.items()
        if name != "settings" and before.get(name) != value
    ]
    if changed:
        raise UsageError(
            f"{file.parent} was trained otherwise: {', '.join(changed)}. Restore this, or choose "
            "another --output."
        )
