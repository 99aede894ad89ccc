"""The commands, one a file; heavy imports inside the functions."""

from mixlogit.cli.app import main

__all__ = ["main"]
