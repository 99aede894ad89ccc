"""A table that is written in shards: what a killed process did stays done."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mixlogit.errors import StorageError
from mixlogit.run import json_ready, replacing, write_json, write_parquet
from mixlogit.run.write import sync

__all__ = ["Shards"]


class Shards:
    """The shards of a Parquet file on their way, in a hidden folder beside it.

    A shard is named by its first row. Its record, written last, holds a checksum of both, so that
    a shard that is damaged counts as missing. `merge` joins them in order and removes the folder.
    The file depends on the shards alone, not on how often the work was broken off.

    Args:
        output: The Parquet file.

    Example:
        >>> import tempfile
        >>> shards = Shards(Path(tempfile.mkdtemp()) / "x.parquet")
        >>> shards.begin({"policy": "a"}, overwrite=False)
        True
        >>> shards.write(0, 2, pa.table({"x": [1, 2]}), {"pairs": 2})
        >>> shards.end(0), shards.end(2), [record["pairs"] for record in shards.records(2)]
        (2, None, [2])
        >>> shards.merge(2)
        >>> pq.read_table(shards.output).to_pydict(), shards.folder.exists()
        ({'x': [1, 2]}, False)
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output.with_name(f".{output.name}.partial")
        self._manifest = self.folder / "manifest.json"
        self._whole = self.folder / "whole.parquet"

    def begin(self, manifest: Mapping[str, Any], *, overwrite: bool) -> bool:
        """Make the folder, or take over one of the same manifest.

        Args:
            manifest: What the rows depend on.
            overwrite: Replace an earlier file, and work begun with another manifest.

        Returns:
            Whether there is work to do; if not, `merge` was all but done and is done now.

        Raises:
            StorageError: The file exists, or was begun with another manifest.
        """
        wanted, (found, merged) = json_ready(manifest), self._begun()
        done = self._whole if self._whole.exists() else self.output
        if found == wanted and merged and done.exists() and _sha256(done) == merged:
            self._finish()
            return False
        if self.output.exists() and not overwrite:
            message = f"{self.output} exists. Choose another --output, or add --overwrite."
            raise StorageError(message, file=self.output)
        if found is not None and found != wanted and not overwrite:
            raise self._other(wanted, found)
        if found != wanted and self.folder.exists():  # also where nothing says whose shards
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self._manifest, {"of": wanted, "merged": None})
        return True

    def end(self, start: int) -> int | None:
        """The row behind the shard that starts at a row, or None if there is no whole one."""
        record = self._record(start)
        return None if record is None else int(record["end"])

    def write(self, start: int, end: int, table: pa.Table, record: Mapping[str, Any]) -> None:
        """Write one shard, and what there is to say of it."""
        file, said = self._file(start), json_ready({**record, "start": start, "end": end})
        write_parquet(file, table)
        write_json(file.with_suffix(".json"), {"sha256": _sha256(file, said), "record": said})

    def records(self, end: int) -> Iterator[dict[str, Any]]:
        """What was said of each shard, in order.

        Args:
            end: The row behind the last one.

        Raises:
            StorageError: A shard is missing or damaged.
        """
        start = 0
        while start < end:
            record = self._record(start)
            if record is None:
                file = self._file(start)
                message = f"{file} is missing or damaged. Run the same command again."
                raise StorageError(message, file=file)
            yield record
            start = record["end"]

    def merge(self, end: int) -> None:
        """Join the shards up to a row, in order, one in memory at a time."""
        files = [self._file(record["start"]) for record in self.records(end)]
        schema = pq.read_schema(files[0]).remove_metadata()
        with replacing(self._whole) as temporary, pq.ParquetWriter(temporary, schema) as writer:
            for file in files:
                writer.write_table(pq.read_table(file).replace_schema_metadata(None))
        write_json(self._manifest, {"of": self._begun()[0], "merged": _sha256(self._whole)})
        self._finish()

    def _finish(self) -> None:
        """Put the file in its place; broken off anywhere, it can be done again."""
        if self._whole.exists():
            self._whole.replace(self.output)
            sync(self.output.parent)
        for file in self.folder.iterdir():
            if file != self._manifest:
                file.unlink()
        shutil.rmtree(self.folder)

    def _file(self, start: int) -> Path:
        return self.folder / f"{start:012d}.parquet"

    def _record(self, start: int) -> dict[str, Any] | None:
        """What was said of the shard that starts at a row, if both are as they were written."""
        file = self._file(start)
        said = _read(file.with_suffix(".json"))
        record = said.get("record")
        if not file.exists() or not isinstance(record, dict) or record.get("start") != start:
            return None
        ahead = isinstance(record.get("end"), int) and record["end"] > start
        return record if ahead and said.get("sha256") == _sha256(file, record) else None

    def _begun(self) -> tuple[Any, str | None]:
        """The manifest of the folder that is there, if one is, and the checksum once merged."""
        said = _read(self._manifest)
        return said.get("of"), said.get("merged")

    def _other(self, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> StorageError:
        keys = sorted(key for key in {*wanted, *found} if wanted.get(key) != found.get(key))
        return StorageError(
            f"{self.output} was begun with other {', '.join(keys)}. Give the same again to "
            f"continue, or add --overwrite to begin anew.",
            file=self.output,
        )


def _read(file: Path) -> dict[str, Any]:
    """A JSON object; empty where the file is missing or damaged."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _sha256(file: Path, *records: Any) -> str:
    """Checksum of a file, and of what is said of it."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
    for record in records:
        digest.update(json.dumps(record).encode())
    return digest.hexdigest()
