"""`python -m mixlogit` is the command `mixlogit`."""

import sys

from mixlogit.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
