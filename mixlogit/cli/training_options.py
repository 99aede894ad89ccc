"""Options of `transformers.TrainingArguments` on the command line, by their own names."""

import argparse
import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from mixlogit.cli.parsing import StrictCommand
from mixlogit.errors import UsageError

__all__ = ["MORE", "TrainingCommand"]

MORE = "mixlogit.more"  # where a context keeps them


class TrainingCommand(StrictCommand):
    """A command that takes the options of `transformers.TrainingArguments` besides its own.

    Their names are written with hyphens or underscores, never shortened. transformers is loaded
    only if there is an option that is not the command's own.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the trainer's options out of the command line, and parse the rest."""
        own = self.own_options()
        if any(_option(word) not in own for word in args if word.startswith("--")):
            parser = _parser(own)
            given, args = _taken(parser, args)
            ctx.meta[MORE] = given
            _refuse_unknown(args, own, parser)
        return super().parse_args(ctx, args)

    def without_more(
        self, context: Any, values: Mapping[str, Any], keys: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Take the trainer's options out of a configuration; the command line goes before it.

        Args:
            context: Of this call.
            values: The configuration.
            keys: The command's own keys.

        Returns:
            The rest of the configuration, and every key that there could have been.
        """
        parser = _parser(self.own_options())
        known = dict.fromkeys(_names(parser), str)
        words: list[str] = []
        rest = {}
        for key, value in values.items():
            name = key.replace("-", "_")
            if name not in known:
                rest[key] = value
            elif value is not None:
                parts = value if isinstance(value, list) else [value]
                words += [f"--{name}", *(_word(part) for part in parts)]
        given, _ = _taken(parser, words)
        context.meta[MORE] = {**given, **context.meta.get(MORE, {})}
        return rest, {**known, **keys}


def _parser(own: Iterable[str]) -> argparse.ArgumentParser:
    from mixlogit.align.options import training_parser

    return training_parser(own)


def _names(parser: argparse.ArgumentParser) -> list[str]:
    return [*vars(parser.parse_args([]))]


def _taken(parser: argparse.ArgumentParser, args: list[str]) -> tuple[dict[str, Any], list[str]]:
    """The trainer's options that are there, and the other words in their order."""
    nothing = object()
    empty = argparse.Namespace(**dict.fromkeys(_names(parser), nothing))
    found, rest = parser.parse_known_args(args, empty)
    return {name: value for name, value in vars(found).items() if value is not nothing}, rest


def _refuse_unknown(args: Iterable[str], own: set[str], parser: argparse.ArgumentParser) -> None:
    for word in args:
        name = _option(word)
        if name.startswith("--") and len(name) > 2 and name not in own:
            possible = sorted(own | {f"--{one.replace('_', '-')}" for one in _names(parser)})
            close = difflib.get_close_matches(name.replace("_", "-"), possible, n=1, cutoff=0)
            raise UsageError(f"No such option {name}. Did you mean {close[0]}?")


def _option(word: str) -> str:
    return word.partition("=")[0]


def _word(value: Any) -> str:
    """A value of a configuration as a word of the command line."""
    if isinstance(value, bool | dict):
        return json.dumps(value)
    return str(value)
