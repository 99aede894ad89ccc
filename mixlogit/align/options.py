"""Options of `transformers.TrainingArguments` as words of a command line."""

import argparse
from collections.abc import Iterable
from dataclasses import field, fields, make_dataclass
from typing import Any, get_type_hints

from transformers import HfArgumentParser, TrainingArguments

from mixlogit.errors import UsageError

__all__ = ["training_parser"]

# what the run folder decides
_OURS = {"output_dir", "resume_from_checkpoint", "do_train", "do_eval", "do_predict", "local_rank"}


class _Parser(HfArgumentParser):
    """Errors in our words in place of a usage text and an exit."""

    def error(self, message: str) -> Any:
        raise UsageError(f"{message.removeprefix('argument ').rstrip('.')}.")


def training_parser(own: Iterable[str]) -> argparse.ArgumentParser:
    """The parser of transformers, without options that have the name of one of ours.

    Args:
        own: Options of the command, such as `--seed`.

    Example:
        >>> parser = training_parser(["--seed"])
        >>> parser.parse_args(["--learning_rate", "1e-5"]).learning_rate
        1e-05
        >>> parser.parse_args(["--max-steps", "few"])
        Traceback (most recent call last):
        mixlogit.errors.UsageError: --max_steps/--max-steps: invalid int value: 'few'.
    """
    taken = {word.removeprefix("--").replace("-", "_") for word in own} | _OURS
    hints = get_type_hints(TrainingArguments)
    options = [
        (
            one.name,
            hints[one.name],
            field(default=one.default, default_factory=one.default_factory),
        )
        for one in fields(TrainingArguments)
        if one.init and one.name not in taken
    ]
    made: Any = make_dataclass("TrainerOptions", options)
    return _Parser(made, add_help=False, allow_abbrev=False)
