"""A run folder: written under a temporary name, flushed, renamed when it is whole."""

import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mixlogit.errors import StorageError
from mixlogit.run.config import config_sha256
from mixlogit.run.lock import run_lock
from mixlogit.run.manifest import write_manifest
from mixlogit.run.write import disk_full, storage_error, sync, write_json, write_yaml

__all__ = ["RunFolder", "versions"]

_PACKAGES = (
    *("mixlogit", "torch", "pyro-ppl", "numpy", "scipy", "pandas", "pyarrow"),
    *("arviz", "xarray", "datasets", "transformers"),
)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on.

    Example:
        >>> sorted(versions())[:3]
        ['arviz', 'datasets', 'mixlogit']
    """
    found = {"python": platform.python_version()}
    return found | {name: metadata.version(name) for name in _PACKAGES}


class RunFolder:
    """A folder that appears whole, or not at all.

    Inside the `with` block write into `folder`, a temporary folder beside the final one. When
    the block ends, `run.json` and a manifest of checksums are added, everything is flushed to
    disk and the folder takes its name. If the block fails, nothing is left of it, and a run that
    was to be replaced stays.

    Args:
        path: The final folder.
        command: The command line that asked for the run.
        config: The resolved configuration, written as `config.yaml`.
        chosen: Its keys whose values are not the defaults; None if that is not known.
        seed: The seed, for `run.json`.
        overwrite: Replace an earlier run. A folder that is no run is never replaced.

    Attributes:
        path: The final folder.
        folder: The folder to write into.
        state: What `run.json` says: "done" unless changed inside the block.

    Raises:
        StorageError: The folder exists, is in use by another process, or cannot be written.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "x"
        >>> with RunFolder(target, config={"family": "gamma"}, seed=0) as run:
        ...     _ = (run.folder / "summary.txt").write_text("fine")
        >>> sorted(file.name for file in target.iterdir())
        ['config.yaml', 'manifest.json', 'run.json', 'summary.txt']
    """

    def __init__(
        self,
        path: str | Path,
        *,
        command: Sequence[str] = (),
        config: Mapping[str, Any] | None = None,
        chosen: Sequence[str] | None = None,
        seed: int | None = None,
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path)
        if self.path.name in ("", ".."):  # "." has no name that a neighbour could be made of
            self.path = self.path.resolve()
        self.folder = self._beside("partial")
        self.command = list(command)
        self.config = dict(config or {})
        self.chosen = None if chosen is None else list(chosen)
        self.seed = seed
        self.overwrite = overwrite
        self.state = "done"

    def _beside(self, what: str) -> Path:
        return self.path.with_name(f".{self.path.name}.{what}-{os.getpid()}")

    def _left_over(self, what: str) -> list[Path]:
        """Folders that a killed process left; nobody else's while we hold the lock."""
        prefix = f".{self.path.name}.{what}-"
        return [entry for entry in self.path.parent.iterdir() if entry.name.startswith(prefix)]

    def __enter__(self) -> Self:
        self._started = datetime.now(UTC)
        with ExitStack() as stack:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(run_lock(self.path))
                self._recover()
                self._refuse_existing()
                self.folder.mkdir()
            except OSError as error:
                reason = error.strerror or str(error)
                message = f"{self.path} cannot be written: {reason}."
                raise StorageError(message, file=self.path) from error
            self._stack = stack.pop_all()
        return self

    def _recover(self) -> None:
        """Undo what a killed process left half done."""
        for old in self._left_over("replaced"):
            if self.path.exists():
                shutil.rmtree(old)
            else:
                old.rename(self.path)
        for partial in self._left_over("partial"):
            shutil.rmtree(partial)

    def _refuse_existing(self) -> None:
        if not self.path.exists():
            return
        if not self.path.is_dir():
            message = f"{self.path} is a file. Choose another --output."
        elif not any(self.path.iterdir()):
            return
        elif not (self.path / "run.json").is_file():
            message = f"{self.path} is not a run (no run.json). Choose another --output."
        elif not self.overwrite:
            message = f"{self.path} holds a run. Choose another --output, or add --overwrite."
        else:
            return
        raise StorageError(message, file=self.path)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._stack:
            try:
                if error is None:
                    self._finish()
            except Exception as problem:
                self._say_disk_full(problem)
                raise
            finally:
                shutil.rmtree(self.folder, ignore_errors=True)
            if error is not None:
                self._say_disk_full(error)

    def _say_disk_full(self, error: BaseException) -> None:
        """Turn a library's error for a full disk into ours."""
        reason = disk_full(error)
        if reason is None or isinstance(error, StorageError):
            return
        free = shutil.disk_usage(self.path.parent).free
        kept = f"{self.path} is as it was" if self.path.exists() else ""
        raise storage_error(reason, str(self.path), free=free, kept=kept) from error

    def _write_record(self) -> None:
        """Add configuration, `run.json` and checksums, and flush everything to the disk."""
        if self.config:
            write_yaml(self.folder / "config.yaml", self.config)
        write_json(self.folder / "run.json", self.record())
        write_manifest(self.folder)
        for entry in self.folder.rglob("*"):
            sync(entry)
        sync(self.folder)

    def _finish(self) -> None:
        self._write_record()
        old = self._beside("replaced")
        if self.path.exists():
            self.path.rename(old)
        self.folder.rename(self.path)
        sync(self.path.parent)
        shutil.rmtree(old, ignore_errors=True)

    def record(self) -> dict[str, Any]:
        """What `run.json` holds: command, configuration hash, seed, versions, times, state."""
        ended = datetime.now(UTC)
        return {
            "command": self.command,
            "config_sha256": config_sha256(self.config),
            "chosen": self.chosen,
            "seed": self.seed,
            "versions": versions(),
            "platform": platform.platform(),
            "started": self._started.isoformat(timespec="seconds"),
            "ended": ended.isoformat(timespec="seconds"),
            "seconds": (ended - self._started).total_seconds(),
            "state": self.state,
        }
