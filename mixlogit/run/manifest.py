"""Folders that can be trusted: a manifest of sizes and checksums, written last."""

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Any

from mixlogit.errors import StorageError
from mixlogit.run.write import write_json

__all__ = ["MANIFEST", "fault_of", "refuse_damage", "write_manifest"]

MANIFEST = "manifest.json"


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_manifest(folder: str | Path, files: str = "**/*") -> None:
    """List the files of a folder with size and checksum; the folder is then whole.

    Args:
        folder: The folder.
        files: Which files, as a pattern for `Path.glob`; default: all.

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
    listed = sorted(f for f in folder.glob(files) if f.is_file() and f.name != MANIFEST)
    entries = {
        file.relative_to(folder).as_posix(): {
            "bytes": file.stat().st_size,
            "sha256": _sha256(file),
        }
        for file in listed
    }
    write_json(folder / MANIFEST, entries)


def fault_of(folder: str | Path, below: str | None = None) -> str | None:
    """What is wrong with a folder that has a manifest, in a few words; None if it is whole.

    Args:
        folder: The folder.
        below: Look only at the files of this folder in it; "." are those of the folder itself.
            Default: at all.
    """
    fault = _fault(Path(folder), below)
    return fault and fault[1]


def _fault(folder: Path, below: str | None) -> tuple[str, str] | None:
    """The first file that is not what was written, and what is wrong with it."""
    try:
        entries = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return MANIFEST, "it was not finished"
    except (OSError, ValueError):
        return MANIFEST, f"{MANIFEST} cannot be read"
    if not isinstance(entries, dict) or not all(map(_is_entry, entries, entries.values())):
        return MANIFEST, f"{MANIFEST} is no list of files"
    for name, entry in entries.items():
        if below is not None and str(PurePosixPath(name).parent) != below:
            continue
        file = folder / name
        if not file.is_file():
            return name, f"{name} is missing"
        if file.stat().st_size != entry["bytes"]:
            return name, f"{name}: {file.stat().st_size:,} bytes, {entry['bytes']:,} expected"
        if _sha256(file) != entry["sha256"]:
            return name, f"{name}: its checksum is wrong"
    return None


def _is_entry(name: str, entry: Any) -> bool:
    """Whether a line of a manifest names a file in its folder, with size and checksum."""
    path = PurePosixPath(name)
    inside = not path.is_absolute() and ".." not in path.parts and name.isprintable()
    return (
        inside
        and isinstance(entry, dict)
        and isinstance(entry.get("bytes"), int)
        and isinstance(entry.get("sha256"), str)
    )


def refuse_damage(folder: str | Path, below: str = ".") -> None:
    """See that the files of a run are what was written, before they are read.

    Args:
        folder: The run folder.
        below: The folder in it whose files are looked at; "." is the run folder itself.

    Raises:
        StorageError: The folder is no run, or one of the files is damaged; names it.

    Example:
        >>> refuse_damage("no/such/run")
        Traceback (most recent call last):
        mixlogit.errors.StorageError: no/such/run is not a run folder: manifest.json is missing.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        message = f"{folder} is not a run folder: {MANIFEST} is missing."
        raise StorageError(message, file=folder)
    fault = _fault(folder, below)
    if fault is not None:
        raise StorageError(
            f"{folder} is damaged ({fault[1]}). Restore what was written, or make the run again "
            "with --overwrite.",
            file=folder / fault[0],
        )
