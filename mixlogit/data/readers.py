"""Readers: one file, or a folder of files of one kind, as a source."""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from mixlogit.data.read_csv import read_csv
from mixlogit.data.read_json import read_json, read_jsonl
from mixlogit.data.source import Part, Source, merged
from mixlogit.data.values import Column
from mixlogit.errors import DataError

__all__ = [
    "FORMATS",
    "checksum",
    "coded_parquet",
    "files_in",
    "format_of",
    "opened",
    "read_path",
    "reading_parquet",
]

FORMATS = ("csv", "tsv", "jsonl", "json", "parquet")
_TEXT: dict[str, Callable[[str, pa.Buffer], Source]] = {
    "csv": read_csv,
    "tsv": read_csv,
    "jsonl": read_jsonl,
    "json": read_json,
}


def read_path(path: Path, name: str) -> Source:
    """A file or a folder as a source.

    Args:
        path: A CSV, JSONL, JSON or Parquet file (the first three also as .gz), or a folder of
            such files of one kind, read in the order of their names.
        name: What messages call it.

    Returns:
        The source, with the checksum of its file or files.

    Raises:
        DataError: If it does not exist, is empty, or cannot be read.
    """
    if path.is_dir():
        return _read_folder(path, name)
    with _reading(name):
        source = _read_file(path, name)
        source.sha256 = checksum([path])
    return source


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turn what the operating system says into an error that names the file."""
    try:
        yield
    except gzip.BadGzipFile as error:
        raise DataError(f"{name}: the gzip file is damaged ({error}).", file=name) from error
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise DataError(f"{name}: cannot be read ({reason}).", file=name) from error


@contextmanager
def opened(path: Path, name: str) -> Iterator[BinaryIO]:
    """The bytes of a file, unzipped if it is a .gz.

    Args:
        path: The file.
        name: What messages call it.

    Yields:
        The open file.

    Raises:
        DataError: If it cannot be read, also while it is read.
    """
    zipped = path.suffix.lower() == ".gz"
    try:
        with _reading(name), gzip.open(path) if zipped else path.open("rb") as file:
            yield file  # type: ignore[misc]  # compressed or not, the same methods
    except (EOFError, zlib.error) as error:
        raise DataError(f"{name}: the gzip file is damaged ({error}).", file=name) from error


def _kind(path: Path) -> str | None:
    """The format by the file's name; None if it is none of ours."""
    suffixes = [s.lower().lstrip(".") for s in path.suffixes]
    if path.name.startswith(".") or "truth" in suffixes[:-1]:
        return None  # hidden files, and the truth that `simulate` writes beside its data
    if suffixes[-1:] == ["gz"]:
        return next((s for s in suffixes[-2:-1] if s in _TEXT), None)
    return next((s for s in suffixes[-1:] if s in FORMATS), None)


def format_of(path: Path, name: str) -> str:
    """The format of a file, by its name.

    Args:
        path: The file.
        name: What messages call it.

    Returns:
        One of `FORMATS`.

    Raises:
        DataError: If it does not exist, is empty or is none of them.
    """
    if not path.is_file():
        raise DataError(f"{name}: no such file or folder.", file=name)
    kind = _kind(path)
    if kind is None:
        raise DataError(
            f"{name}: not a kind of file that can be read. Use .csv, .tsv, .jsonl, .json (also "
            '.gz) or .parquet; save a spreadsheet as "CSV UTF-8".',
            file=name,
        )
    if path.stat().st_size == 0:
        raise DataError(f"{name}: the file is empty.", file=name)
    return kind


def _read_file(path: Path, name: str) -> Source:
    kind = format_of(path, name)
    return (
        _read_parquet(path, name) if kind == "parquet" else _TEXT[kind](name, _bytes(path, name))
    )


def _bytes(path: Path, name: str) -> pa.Buffer:
    if path.suffix.lower() != ".gz":
        with pa.memory_map(str(path)) as file:
            return file.read_buffer()
    with opened(path, name) as file:
        data = file.read()
    if not data:
        raise DataError(f"{name}: the file is empty.", file=name)
    return pa.py_buffer(data)


@contextmanager
def reading_parquet(name: str) -> Iterator[None]:
    """Turn what is wrong with a Parquet file into an error that names it.

    Args:
        name: What messages call it.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        message = f"{name}: not a readable Parquet file ({reason})."
        raise DataError(message, file=name) from error


def coded_parquet(path: Path) -> pq.ParquetFile:
    """A Parquet file whose names and labels, which repeat, are read as codes.

    Args:
        path: The file.
    """
    schema = pq.read_schema(path, memory_map=True)
    texts = [f.name for f in schema if pa.types.is_string(f.type)]
    return pq.ParquetFile(path, read_dictionary=texts, memory_map=True)


def _read_parquet(path: Path, name: str) -> Source:
    with reading_parquet(name):
        file = coded_parquet(path)

    def read(column: str) -> Column:
        with reading_parquet(name):
            return file.read(columns=[column], use_threads=False).column(0)

    parts = [Part(name, file.metadata.num_rows)]
    return Source(name=name, names=list(file.schema_arrow.names), read=read, parts=parts)


def files_in(path: Path, name: str) -> list[Path]:
    """Every file of a folder that can be read, in the order of their names.

    Args:
        path: The folder.
        name: What messages call it.

    Returns:
        The files, all of one kind.

    Raises:
        DataError: If there is none, or there are several kinds.
    """
    files = sorted(file for file in path.iterdir() if file.is_file() and _kind(file))
    kinds = sorted({str(_kind(file)) for file in files})
    if not files:
        raise DataError(f"{name}: no .csv, .tsv, .jsonl, .json or .parquet file in it.", file=name)
    if len(kinds) > 1:
        raise DataError(
            f"{name}: holds {' and '.join(kinds)} files. Keep one kind, or name one file.",
            file=name,
        )
    return files


def _read_folder(path: Path, name: str) -> Source:
    files = files_in(path, name)
    sources = []
    for file in files:
        with _reading(str(Path(name) / file.name)):
            sources.append(_read_file(file, str(Path(name) / file.name)))
    for source in sources:
        source.check_names()

    def read(column: str) -> Column:
        for source in sources:
            if column not in source.names:
                raise DataError(
                    f'{source.name}: no column "{column}", which {sources[0].name} has.',
                    file=source.name,
                    column=column,
                )
        return merged([source.read(column) for source in sources if source.n_rows])

    with _reading(name):
        sha256 = checksum(files)
    return Source(
        name=name,
        names=sources[0].names,
        read=read,
        parts=[part for source in sources for part in source.parts],
        textual=sources[0].textual,
        unreadable=[row for source in sources for row in source.unreadable],
        sha256=sha256,
        shared=[name for name in sources[0].names if all(name in s.names for s in sources)],
    )


def checksum(paths: list[Path]) -> str:
    """SHA-256 of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            for block in iter(partial(file.read, 1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()
