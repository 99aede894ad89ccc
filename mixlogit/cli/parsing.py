"""How a command reads its words: an option in the place of a value is no value."""

from itertools import pairwise
from typing import Any

from typer.core import TyperCommand

from mixlogit.errors import UsageError

__all__ = ["StrictCommand"]


class StrictCommand(TyperCommand):
    """A command that takes no option of its own for the value of another."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse an option without its value, which would swallow the next option."""
        own = self.own_options()
        valued = {name for p in self.params if not getattr(p, "is_flag", True) for name in p.opts}
        for word, after in pairwise(args):
            if word in valued and after in own:
                raise UsageError(f"{word} needs a value, but {after} follows.")
        return super().parse_args(ctx, args)

    def own_options(self) -> set[str]:
        """The names of its options."""
        names = {name for part in self.params for name in (*part.opts, *part.secondary_opts)}
        return names | {"--help"}
