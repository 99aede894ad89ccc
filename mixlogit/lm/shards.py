"""A table that is written in shards: what a killed process did stays done."""

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

_RECORD = b"mixlogit"


class Shards:
    """The shards of a Parquet file on their way, in a hidden folder beside it.

    A shard is named by its first row and appears whole or not at all. `merge` joins them in
    order and removes the folder. The file depends on the shards alone, not on how often the
    work was broken off.

    Args:
        output: The Parquet file.

    Example:
        >>> import tempfile
        >>> shards = Shards(Path(tempfile.mkdtemp()) / "x.parquet")
        >>> shards.begin({"policy": "a"}, overwrite=False)
        True
        >>> shards.write(0, 2, pa.table({"x": [1, 2]}), {"pairs": 2})
        >>> shards.end(0), shards.end(2), [record["pairs"] for record in shards.records()]
        (2, None, [2])
        >>> shards.merge()
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
        if found == wanted and merged:
            self._finish()
            return False
        if self.output.exists() and not overwrite:
            message = f"{self.output} exists. Choose another --output, or add --overwrite."
            raise StorageError(message, file=self.output)
        if found is not None and found != wanted:
            if not overwrite:
                raise self._other(wanted, found)
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self._manifest, {"of": wanted, "merged": False})
        return True

    def end(self, start: int) -> int | None:
        """The row behind the shard that starts at a row, or None if there is no such shard."""
        file = self._file(start)
        return int(_record(file)["end"]) if file.exists() else None

    def write(self, start: int, end: int, table: pa.Table, record: Mapping[str, Any]) -> None:
        """Write one shard, and what there is to say of it."""
        said = json.dumps(json_ready({**record, "end": end}))
        write_parquet(self._file(start), table.replace_schema_metadata({_RECORD: said}))

    def records(self) -> Iterator[dict[str, Any]]:
        """What was said of each shard, in order."""
        for file in self._files():
            yield _record(file)

    def merge(self) -> None:
        """Join the shards in order, one in memory at a time."""
        files = self._files()
        schema = pq.read_schema(files[0]).remove_metadata()
        with replacing(self._whole) as temporary, pq.ParquetWriter(temporary, schema) as writer:
            for file in files:
                writer.write_table(pq.read_table(file).replace_schema_metadata(None))
        write_json(self._manifest, {"of": self._begun()[0], "merged": True})
        self._finish()

    def _finish(self) -> None:
        """Put the file in its place; broken off anywhere, it can be done again."""
        if self._whole.exists():
            self._whole.replace(self.output)
            sync(self.output.parent)
        for file in self._files():
            file.unlink()
        shutil.rmtree(self.folder)

    def _file(self, start: int) -> Path:
        return self.folder / f"{start:012d}.parquet"

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob(f"{'[0-9]' * 12}.parquet"))

    def _begun(self) -> tuple[Any, bool]:
        """The manifest of the folder that is there, if one is, and whether it was merged."""
        if not self._manifest.exists():
            return None, False
        said = json.loads(self._manifest.read_text(encoding="utf-8"))
        return said["of"], said["merged"]

    def _other(self, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> StorageError:
        keys = sorted(key for key in {*wanted, *found} if wanted.get(key) != found.get(key))
        return StorageError(
            f"{self.output} was begun with other {', '.join(keys)}. Give the same again to "
            f"continue, or add --overwrite to begin anew.",
            file=self.output,
        )


def _record(file: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(pq.read_schema(file).metadata[_RECORD])
    return record
