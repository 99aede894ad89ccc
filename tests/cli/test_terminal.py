"""What a command says, and that data cannot drive the terminal."""

import json

import pytest

from mixlogit.cli import terminal
from mixlogit.cli.terminal import Terminal, clean
from mixlogit.errors import DataError


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("[/INST] [bold]x[/bold] :smile:", "[/INST] [bold]x[/bold] :smile:"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;owned\x07title", "title"),
        ("\x1b]0;owned\x1b\\title", "title"),
        ("\x1b]0;never ends", ""),
        ("a\x9bb\rc\x00d\x7fe", "abcde"),
        ("abc\u202efdp.exe", "abcfdp.exe"),
        ("\x1b", ""),
        ("line\nline", "line\nline"),
    ],
)
def test_text_from_data_is_harmless(
    hostile: str, harmless: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert clean(hostile) == harmless
    Terminal().say(hostile)
    assert capsys.readouterr().out == harmless + "\n"


def test_long_lines_are_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().say("word " * 100)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_quiet_keeps_warnings_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = Terminal(quiet=True)
    quiet.say("text")
    quiet.warn("look\x07")
    quiet.error(DataError("bad\nrow"))
    with quiet.progress("fit") as update:
        update("map", 1, 2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "warning: look\nbad row\n"


def test_json_is_alone_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    programs = Terminal(as_json=True)
    programs.say("for people")
    programs.result({"value": float("nan"), "name": "\x1b[31mé"})
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"value": None, "name": "\x1b[31mé"}
    assert "\x1b" not in captured.out
    assert captured.err == "for people\n"


def test_errors_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(as_json=True).error(DataError("bad row", file="votes.csv", row=3, column="margin"))
    entry = {"code": "data", "message": "bad row", "file": "votes.csv", "row": 3}
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"error": entry | {"column": "margin"}}
    assert captured.err == ""


def test_progress_in_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: clock[0])
    with Terminal().progress("fit") as update:
        for seconds, stage, done in [
            (1.0, "table", 1),  # too early for a line
            (2.5, "table", 1),
            (5.0, "table", 1),  # nothing new
            (6.0, "table", 2),
            (6.5, "table", 3),  # half a second later: silence
            (9.0, "map", 0),
        ]:
            clock[0] = seconds
            update(stage, done, 4)
        clock[0] = 12.0
        update("scoring", 0, 0)  # nobody knows how many
    captured = capsys.readouterr()
    assert captured.err == (
        "fit  table 20%\nfit  table 50%, 0:00:10 left\nfit  map 0%\nfit  scoring\n"
    )
    assert captured.out == ""


def test_progress_tells_the_pace_of_what_is_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: clock[0])
    for total in (100, 0):  # 0: nobody knows how many there are
        clock[0] = 0.0
        with Terminal().progress("margins", "comparisons") as update:
            for seconds, done in [(0.0, 20), (4.0, 30), (10.0, 50), (13.0, 59)]:
                clock[0] = seconds
                update("scoring", done, total)
    assert capsys.readouterr().err == (
        "margins  scoring 30%, 2.5 comparisons a second, 0:00:28 left\n"
        "margins  scoring 50%, 3 comparisons a second, 0:00:17 left\n"
        "margins  scoring 30, 2.5 comparisons a second\n"
        "margins  scoring 50, 3 comparisons a second\n"
    )


def test_progress_as_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Terminal().progress("fit      [b]gamma") as update:
        update("table", 1, 2)
    assert "fit      [b]gamma  table" in capsys.readouterr().err
