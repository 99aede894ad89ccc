"""`mixlogit check`: is the data sound, and what can it tell?"""

from typing import Any

from mixlogit.cli.invocation import Invocation
from mixlogit.cli.summary import data_line
from mixlogit.run import write_json
from mixlogit.run.words import plural

__all__ = ["check"]

_SHOWN = 5  # dropped rows that are told one by one


def check(call: Invocation) -> None:
    """Validate rows, print the data card, say what the data can and cannot identify."""
    import mixlogit as ml

    data = call.load(texts_suffice=True)
    card: dict[str, Any] = ml.data_card(data)
    say = call.terminal.say
    say(f"data     {data_line(data)}")
    roles = {role: column for role, column in card["columns"].items() if column}
    say("columns  " + ", ".join(f"{role}: {_names(column)}" for role, column in roles.items()))
    for dropped in data.dropped[:_SHOWN]:
        say(f"dropped  {dropped.file or data.source}, row {dropped.row}: {dropped.reason}")
    if len(data.dropped) > _SHOWN:
        more = plural(len(data.dropped) - _SHOWN, "row")
        say(f"         and {more} more: --output DIR lists them in DIR/data.json")
    for warning in card["warnings"]:
        say(f"warning  {warning['message']}", style="yellow")
    if "length" in card:
        say(f"length   {_length(card['length'])}")
    identified = card["identified"]
    for what in ("strength", "taste"):
        say(f"{what:<9}{'can' if identified[what] else 'cannot'} be estimated from these data")
    for reason in identified["why"]:
        say(f"         {reason}")
    if call.output is not None:
        from mixlogit.data import data_record

        with call.folder(call.output) as run:
            write_json(run.folder / "data.json", data_record(data))
        say(f"Wrote {call.output / 'data.json'}")
    call.terminal.result(card)


def _length(found: dict[str, float | None]) -> str:
    if found["longer_chosen"] is None or found["correlation"] is None:
        return "does not differ between chosen and rejected texts"
    return (
        f"the longer text was chosen in {found['longer_chosen']:.0%} of comparisons "
        f"(correlation of length with choice {found['correlation']:+.2f})"
    )


def _names(column: Any) -> str:
    return column if isinstance(column, str) else ", ".join(column)
