"""Ways in which a file on a disk goes bad."""

from collections.abc import Callable
from pathlib import Path

__all__ = ["DAMAGES"]


def _flip(file: Path, other: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


# what happens to a file, given the same file of another run
DAMAGES: dict[str, Callable[[Path, Path], object]] = {
    "truncate": lambda file, other: file.write_bytes(
        file.read_bytes()[: file.stat().st_size // 2]
    ),
    "empty": lambda file, other: file.write_bytes(b""),
    "delete": lambda file, other: file.unlink(),
    "flip": _flip,
    "swap": lambda file, other: file.write_bytes(other.read_bytes()),
}
