"""What a command says: text for people, one JSON object for programs, errors in one line."""

import json
import re
import sys
import time
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.text import Text

from mixlogit.errors import MixlogitError
from mixlogit.run import Progress, is_first_process, json_ready, silent

__all__ = ["Terminal", "clean"]

_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)?", re.DOTALL)
_BIDI = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_PAUSE = 2.0  # least seconds between two lines of progress where there is no terminal


def clean(text: str) -> str:
    r"""Text that cannot drive a terminal: no escape sequences, control or bidi characters.

    Names of files, columns and respondents come from data, and data may hold anything.

    Example:
        >>> clean("red \x1b[31malert\x07 [/INST]")
        'red alert [/INST]'
    """
    text = _ESCAPES.sub("", text)
    kept = (c for c in text if c == "\n" or (unicodedata.category(c) != "Cc" and c not in _BIDI))
    return "".join(kept)


class Terminal:
    """Where a command writes.

    Without `as_json` people read standard output; with it, standard output holds one JSON
    object and people read standard error. Of several processes only the first speaks; what went
    wrong the one tells to which it happened.

    Args:
        quiet: Say only warnings and errors.
        as_json: End with one JSON object on standard output.

    Example:
        >>> Terminal(quiet=True).say("nothing")
    """

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self._first = is_first_process()
        self.quiet = quiet or not self._first
        self.as_json = as_json
        plain = {"highlight": False, "markup": False, "emoji": False, "soft_wrap": True}
        self._out = Console(stderr=as_json, **plain)  # type: ignore[arg-type]
        self._err = Console(stderr=True, **plain)  # type: ignore[arg-type]

    def say(self, text: str = "", *, style: str = "") -> None:
        """Write text for people; markup in it means nothing."""
        if not self.quiet:
            self._out.print(Text(clean(text), style=style))

    def warn(self, text: str) -> None:
        """Write a warning to standard error, even when quiet."""
        if self._first:
            self._err.print(Text(clean(f"warning: {text}"), style="yellow"))

    def result(self, value: Mapping[str, Any]) -> None:
        """Write the JSON object, if one was asked for."""
        if self.as_json and self._first:
            _write(value)

    def error(self, error: MixlogitError) -> None:
        """Write an error: one line on standard error, or the JSON object."""
        if self.as_json:
            _write(error.to_dict())
        else:
            self._err.print(Text(clean(" ".join(str(error).split("\n"))), style="red"))

    @contextmanager
    def progress(self, label: str, unit: str = "") -> Iterator[Progress]:
        """A bar on a terminal, a line for every tenth elsewhere; always on standard error.

        Args:
            label: What is going on.
            unit: What is counted; if given, their number in a second is told with the time left.
        """
        if self.quiet:
            yield silent
            return
        pace = _Pace(unit)
        if self._err.is_terminal:
            with self._bar(label, pace) as update:
                yield update
        else:
            yield self._lines(label, pace)

    @contextmanager
    def _bar(self, label: str, pace: "_Pace") -> Iterator[Progress]:
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        words = TextColumn("{task.description}", markup=False)
        columns = (words, BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with Bar(*columns, console=self._err, transient=True) as bar:
            task = bar.add_task(clean(label), total=None)

            def update(stage: str, done: int, total: int) -> None:
                words = clean(f"{label}  {stage}{pace(stage, done, total)}")
                bar.update(task, description=words, completed=done, total=total or None)

            yield update

    def _lines(self, label: str, pace: "_Pace") -> Progress:
        said, last = ("", ""), time.monotonic()

        def update(stage: str, done: int, total: int) -> None:
            nonlocal said, last
            now, told = (stage, _share(done, total)), pace(stage, done, total)
            if now != said and time.monotonic() - last >= _PAUSE:
                said, last = now, time.monotonic()
                self._err.print(Text(clean(f"{label}  {stage} {now[1]}{told}".rstrip())))

        return update


def _write(value: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(json_ready(value), allow_nan=False) + "\n")
    sys.stdout.flush()


def _share(done: int, total: int) -> str:
    """Full tenths; where nobody knows how many there are, the number in one digit, if any."""
    if not total and not done:
        return ""
    if total:
        return f"{10 * (10 * done // total)}%"
    step: int = 10 ** (len(str(done)) - 1)
    return f"{done // step * step:,}"


class _Pace:
    """Since a stage's first call: how many of a unit are done in a second, and the time left."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self._first: tuple[str, float, int] | None = None

    def __call__(self, stage: str, done: int, total: int) -> str:
        now = time.monotonic()
        if self._first is None or self._first[0] != stage:
            self._first = stage, now, done
        _, begin, before = self._first
        if done == before or now == begin:
            return ""
        rate = (done - before) / (now - begin)
        left = timedelta(seconds=round((total - done) / rate)) if total > done else None
        pace = f", {rate:,.3g} {self.unit} a second" if self.unit else ""
        return pace + (f", {left} left" if left else "")
