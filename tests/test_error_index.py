"""The index of errors holds every message of the program, as the source has it."""

from error_index import PAGE, messages, page
from tree import modules


def test_the_index_is_that_of_this_source() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(), "messages have changed: run python tests/error_index.py"


def test_patterns_are_read_from_every_way_to_write_a_message() -> None:
    found = {text for file in modules().values() for _, text in messages(file)}
    for text in (
        'Labels use "…" for both … and ….',  # one f-string
        "…: the file is empty.",  # a value in front
        "… is in use by …. Choose another --output, or stop that run.",  # what a function returns
        "… cannot be written: ….",  # a name
        '--prior-lapse must be two numbers such as 1,9, not "…".',
    ):
        assert text in found
