"""Votes too many to hold: when they are read in blocks, and by how many processes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mixlogit.cli.invocation import Invocation
from mixlogit.errors import UsageError
from mixlogit.run import n_processes

__all__ = ["LARGE", "help_first", "reading"]

LARGE = 5_000_000  # rows of Parquet from which votes are read in blocks
_COLUMNS = ("item_a", "item_b", "features", "grade", "schema", "choice_id")


@contextmanager
def reading(
    call: Invocation, stream: bool | None, needs: Mapping[str, object]
) -> Iterator[Invocation]:
    """The call, told how to read its votes.

    They are read in blocks if `stream` says so, if several processes share them, or, without a
    word, if they are Parquet of more than 5,000,000 rows by known respondents and nothing is
    asked for that needs them in memory.

    Args:
        call: The call of `mixlogit fit`.
        stream: `--stream`, `--no-stream` or neither.
        needs: Options that need all votes in memory, by name, where they are given.

    Yields:
        The call, with `processes` where votes are read in blocks. The first process leads the
        others within the block.

    Raises:
        UsageError: If votes are to be read in blocks, and what is asked for needs them whole.
    """
    given = [name.replace("_", "-") for name, value in needs.items() if value]
    given += [name.replace("_", "-") for name in _COLUMNS if call.columns.get(name)]
    several = n_processes() > 1
    wanted = several if stream is None else stream
    if several and not wanted:
        raise UsageError("Several processes share votes in blocks only: leave out --no-stream.")
    if wanted and given:
        what = "several processes" if stream is None else "--stream"
        raise UsageError(f"--{given[0]} needs the votes in memory and cannot go with {what}.")
    if not wanted and (stream is not None or given or not _is_large(call)):
        yield call
        return
    from mixlogit.data.processes import processes

    with processes() as group:
        call = replace(call, processes=group)
        if not group.first:
            yield call
            return
        with group.leading():
            yield call


def _is_large(call: Invocation) -> bool:
    """Whether DATA are Parquet of many rows, with margins and respondents."""
    import pyarrow.parquet as pq

    path = Path(call.columns["data"])
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files or not all(f.is_file() and f.suffix.lower() == ".parquet" for f in files):
        return False
    try:
        found = [pq.read_metadata(file) for file in files]
    except (OSError, ValueError):  # reading them says what is wrong
        return False
    names = found[0].schema.names
    there = all((call.columns.get(role) or role) in names for role in ("margin", "respondent"))
    return there and sum(one.num_rows for one in found) > LARGE


def help_first(call: Invocation) -> int:
    """Read shares of the votes for the first process until it is done.

    Args:
        call: The call of another process than the first, with `processes`.

    Returns:
        Exit code.
    """
    from mixlogit.models.streamed_problem import help_tabulate

    if call.processes.gather(None)[0] is not None:
        help_tabulate(call.load(), call.columns["groups"])
    return 0
