"""Errors and warnings: each says where, what, and what to do."""

from pathlib import Path
from typing import ClassVar

__all__ = [
    "DataError",
    "DataWarning",
    "Interrupted",
    "MixlogitError",
    "NumericsWarning",
    "OtherProcess",
    "StorageError",
    "UsageError",
]


class MixlogitError(Exception):
    """Base of every error that mixlogit raises on purpose.

    Args:
        message: One line: where, what, what to do.
        file: The file that the error is about.
        row: The data row, counted from 1 (a header is not a row).
        column: The column.

    Example:
        >>> error = DataError("votes.csv, row 3: margin is NaN.", row=3, column="margin")
        >>> error.code, error.exit_code, error.row
        ('data', 3, 3)
    """

    code: ClassVar[str] = "usage"
    exit_code: ClassVar[int] = 2

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        row: int | None = None,
        column: str | None = None,
    ) -> None:
        super().__init__(message)
        self.file = None if file is None else str(file)
        self.row = row
        self.column = column
        self.alone = False  # whether only this process of several knows of it

    def to_dict(self) -> dict[str, object]:
        """The error as the command line's `--json` writes it."""
        return {
            "error": {
                "code": self.code,
                "message": str(self),
                "file": self.file,
                "row": self.row,
                "column": self.column,
            }
        }


class UsageError(MixlogitError, ValueError):
    """An argument, option or configuration that cannot be used; exit code 2."""


class DataError(MixlogitError, ValueError):
    """Data that cannot be read or used; exit code 3."""

    code = "data"
    exit_code = 3


class StorageError(MixlogitError):
    """A file or folder that cannot be written, locked or trusted; exit code 5."""

    code = "storage"
    exit_code = 5


class Interrupted(MixlogitError):
    """Ctrl-C; exit code 130."""

    code = "interrupted"
    exit_code = 130


class OtherProcess(MixlogitError):
    """Another process of the same run failed, and says why; exit code 0, as it has its own."""

    code = "other"
    exit_code = 0


class DataWarning(UserWarning):
    """Data that can be used but may not mean what its owner thinks."""


class NumericsWarning(UserWarning):
    """A numerical result that is less certain than it looks."""
