"""Any kind of data as a source: files, the hub, data sets, data frames, Arrow tables."""

import os
import re
from pathlib import Path
from typing import Any

import pyarrow as pa

from mixlogit.data.readers import FORMATS, read_path
from mixlogit.data.source import Part, Source, source_of_table, to_column
from mixlogit.data.values import Column
from mixlogit.errors import DataError, UsageError

__all__ = ["from_disk", "from_hub", "is_hub_id", "one_split", "open_source"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def open_source(data: Any, split: str, name: str | None) -> Source:
    """The data as a source, read column by column, by what they are.

    Args:
        data: As `load` takes it.
        split: Which split of a hub data set or a `DatasetDict` to use.
        name: What messages call the data; a path or hub id is called by itself if None.

    Returns:
        The source.

    Raises:
        DataError: If the data cannot be read.
        UsageError: If they are of a kind that cannot be used.
    """
    if isinstance(data, str | os.PathLike):
        path = Path(data)
        text = os.fspath(data)
        if not path.exists() and isinstance(data, str) and is_hub_id(text):
            return _of_dataset(from_hub(text, split=split), split, name or text)
        saved = from_disk(path, name or text)
        if saved is not None:
            return _of_dataset(saved, split, name or text)
        return read_path(path, name or str(text))
    if isinstance(data, pa.Table):
        return source_of_table(data, name or "Table")
    module = type(data).__module__.partition(".")[0]
    if module == "datasets":
        return _of_dataset(data, split, name or "Dataset")
    if module == "pandas" and hasattr(data, "columns"):
        return _of_pandas(data, name or "DataFrame")
    raise UsageError(
        f"Expected a path, a hub id, a Dataset, a DataFrame or a pyarrow Table but got "
        f"{type(data).__name__}."
    )


def is_hub_id(text: str) -> bool:
    """Whether a path that does not exist can only mean a data set of the hub.

    Example:
        >>> is_hub_id("owner/name"), is_hub_id("folder/votes.csv")
        (True, False)
    """
    named_as_file = any(suffix.lstrip(".") in (*FORMATS, "gz") for suffix in Path(text).suffixes)
    return bool(_HUB_ID.fullmatch(text)) and not named_as_file and not Path(text).parent.exists()


def from_hub(name: str, /, **arguments: str) -> Any:
    """A data set of the hub.

    Args:
        name: Its id.
        **arguments: For `datasets.load_dataset`: `name`, `split`, `data_dir`.

    Returns:
        The data set.

    Raises:
        DataError: If it cannot be loaded, in one line.
    """
    import datasets

    try:
        return datasets.load_dataset(name, **arguments)
    except Exception as error:  # the hub client raises a dozen kinds; each is told in one line
        reason = (str(error).splitlines() or [""])[0]
        raise DataError(
            f"{name}: no such file, and not loaded from the hub "
            f"({type(error).__name__}: {reason}).",
            file=name,
        ) from error


def from_disk(path: Path, name: str) -> Any:
    """A folder that `save_to_disk` of the `datasets` library wrote; None for any other path.

    Args:
        path: The folder.
        name: What messages call it.

    Raises:
        DataError: If it cannot be loaded.
    """
    if not any((path / file).is_file() for file in ("state.json", "dataset_dict.json")):
        return None
    import datasets

    try:
        return datasets.load_from_disk(os.fspath(path))
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise DataError(f"{name}: not a readable data set ({reason}).", file=name) from error


def one_split(data: Any, split: str, name: str) -> Any:
    """One split of a `DatasetDict`; anything else as it is."""
    if not isinstance(data, dict):
        return data
    if split not in data:
        raise UsageError(f'{name}: no split "{split}". Splits: {", ".join(data)}.')
    return data[split]


def _of_dataset(data: Any, split: str, name: str) -> Source:
    data = one_split(data, split, name)
    if not hasattr(data, "num_rows"):
        raise UsageError(f"Expected a Dataset but got {type(data).__name__}. Load it whole.")

    def read(column: str) -> Column:
        return data.select_columns([column]).with_format("arrow")[:].column(0)

    parts = [Part(name, data.num_rows)]
    return Source(name=name, names=list(data.column_names), read=read, parts=parts)


def _of_pandas(data: Any, name: str) -> Source:
    import pandas as pd

    names = [str(column) for column in data.columns]

    def read(column: str) -> Column:
        series = data.iloc[:, names.index(column)]
        if series.dtype == object:
            return to_column([None if value is pd.NA else value for value in series])
        # NaN among floats is a value that is wrong, not one that is missing
        array = pa.array(series, from_pandas=series.dtype.kind != "f")
        return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])

    return Source(name=name, names=names, read=read, parts=[Part(name, len(data))])
