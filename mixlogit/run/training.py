"""The folder of a run that takes long: it grows over several calls, and `run.json` ends it."""

import shutil
from pathlib import Path
from typing import Any, Self

from mixlogit.errors import StorageError, UsageError
from mixlogit.run.config import load_config
from mixlogit.run.folder import RunFolder
from mixlogit.run.manifest import refuse_damage
from mixlogit.run.write import json_ready, write_yaml

__all__ = ["GrowingRun"]

_CONFIG, _KEPT, _END = "config.yaml", "checkpoint-*", "run.json"


class GrowingRun(RunFolder):
    """A run folder that is there from the beginning and keeps what a later call goes on from.

    Checkpoints go to `path`. Results go to `folder` as with `RunFolder`; when the block ends
    they move into `path`, `run.json` last: a folder that has it is finished. If the block
    fails, only the checkpoints stay; without any, the next call begins anew.

    Args:
        path: The folder.
        **others: As for `RunFolder`; `config` is compared with that of the earlier calls.

    Raises:
        StorageError: The folder is something else, is in use, or cannot be written.
        UsageError: The run was begun with another configuration; names the keys.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "x"
        >>> with GrowingRun(target, config={"beta": 0.1}) as run:
        ...     run.finished
        False
        >>> with GrowingRun(target, config={"beta": 0.1}) as run:
        ...     run.finished
        True
    """

    @property
    def finished(self) -> bool:
        """Whether an earlier call came to its end."""
        return (self.path / _END).is_file()

    def __enter__(self) -> Self:
        super().__enter__()
        self._was_finished = self.finished
        self.path.mkdir(exist_ok=True)
        if not self.finished:
            write_yaml(self.path / _CONFIG, self.config)
        return self

    def _refuse_existing(self) -> None:
        """Nothing, an earlier call of the same run, or one that is to be replaced."""
        if not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir())):
            return
        if not (self.path / _CONFIG).is_file():
            message = f"{self.path} is not a run (no {_CONFIG}). Choose another --output."
            raise StorageError(message, file=self.path)
        begun = self.finished or any(self.path.glob(_KEPT))
        if self.overwrite or not begun:
            shutil.rmtree(self.path)
            return
        if self.finished:
            refuse_damage(self.path)
        before, now = load_config(self.path / _CONFIG), json_ready(self.config)
        _refuse_changes(self.path, before, now)

    def _finish(self) -> None:
        if self._was_finished:
            return
        self._write_record()
        for entry in sorted(self.folder.iterdir(), key=lambda entry: entry.name == _END):
            target = self.path / entry.name
            if target.is_dir():  # of a call that was killed while it moved its results
                shutil.rmtree(target)
            entry.replace(target)


def _refuse_changes(path: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    changed = [
        f"{key} (was {_said(before.get(key))}, is {_said(now.get(key))})"
        for key in dict.fromkeys([*before, *now])
        if key != "output" and before.get(key) != now.get(key)
    ]
    if changed:
        raise UsageError(
            f"{path} was begun otherwise: {', '.join(changed)}. Restore this, choose another "
            "--output, or add --overwrite to begin anew."
        )


def _said(value: Any) -> str:
    return "not given" if value is None else str(value)
