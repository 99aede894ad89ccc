"""Checkpoints that can be trusted: a manifest of checksums, written last."""

import hashlib
import json
import re
import warnings
from pathlib import Path

from mixlogit.errors import NumericsWarning
from mixlogit.run import write_json

__all__ = ["fault_of", "newest_whole", "write_manifest"]

_MANIFEST = "manifest.json"


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_manifest(folder: str | Path) -> None:
    """List every file of a checkpoint with its size and checksum; the checkpoint is then whole.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "weights").write_bytes(b"1234")
        ...     write_manifest(folder)
        ...     fault_of(folder)
        ...     _ = (Path(folder) / "weights").write_bytes(b"12")
        ...     fault_of(folder)
        'weights: 2 bytes, 4 expected'
    """
    folder = Path(folder)
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != _MANIFEST)
    entries = {
        file.relative_to(folder).as_posix(): {
            "bytes": file.stat().st_size,
            "sha256": _sha256(file),
        }
        for file in files
    }
    write_json(folder / _MANIFEST, entries)


def fault_of(folder: str | Path) -> str | None:
    """What is wrong with a checkpoint, in a few words; None if it is whole."""
    folder = Path(folder)
    try:
        entries = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "it was not finished"
    for name, entry in entries.items():
        file = folder / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != entry["bytes"]:
            return f"{name}: {file.stat().st_size:,} bytes, {entry['bytes']:,} expected"
        if _sha256(file) != entry["sha256"]:
            return f"{name}: its checksum is wrong"
    return None


def newest_whole(output: str | Path, *, rename: bool = True) -> Path | None:
    """The newest checkpoint that is whole, or None.

    Damaged ones that are newer are renamed and told of.

    Args:
        output: The run's folder.
        rename: Whether this process renames (one of several does).
    """
    found = {
        int(match[1]): folder
        for folder in Path(output).glob("checkpoint-*")
        if (match := re.fullmatch(r"checkpoint-(\d+)", folder.name)) and folder.is_dir()
    }
    damaged: list[str] = []
    chosen = None
    for step in sorted(found, reverse=True):
        fault = fault_of(found[step])
        if fault is None:
            chosen = found[step]
            break
        damaged.append(f"{found[step]} is damaged ({fault}).")
        if rename:
            _set_aside(found[step])
    for words in damaged if rename else []:
        rest = "Starting anew" if chosen is None else f"Using {chosen.name}"
        warnings.warn(
            f"{words} {rest}; the damaged folder was renamed.", NumericsWarning, stacklevel=2
        )
    return chosen


def _set_aside(folder: Path) -> None:
    """Rename a damaged folder to a name that is free."""
    count = 0
    while (target := folder.with_name(f"{folder.name}.damaged{count or ''}")).exists():
        count += 1
    folder.rename(target)
