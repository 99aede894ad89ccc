"""Which column plays which role: names given, names by default, and what to say if one lacks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypedDict, Unpack

from mixlogit.data.source import Source
from mixlogit.errors import DataError, UsageError

__all__ = ["ColumnNames", "Roles", "listed", "no_margin", "no_text", "require", "resolve"]

_OPTIONS = {"groups": "--by"}
_SHOWN = 30


@dataclass(frozen=True)
class Roles:
    """Column names by role; a role that no column plays is None or empty."""

    prompt: str | None = None
    chosen: str | None = None
    rejected: str | None = None
    margin: str | None = None
    item_a: str | None = None
    item_b: str | None = None
    features: tuple[str, ...] = ()
    outcome: str | None = None
    respondent: str | None = None
    groups: tuple[str, ...] = ()
    weight: str | None = None
    grade: str | None = None

    @property
    def kind(self) -> str | None:
        """`margin`, `items` or `features`; None if the data hold texts only."""
        if self.margin:
            return "margin"
        if self.item_a:
            return "items"
        return "features" if self.features else None

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that every row must fill, in the order in which messages list them."""
        return tuple(
            dict.fromkeys(
                name
                for name in (
                    self.prompt,
                    self.chosen,
                    self.rejected,
                    self.margin,
                    self.item_a,
                    self.item_b,
                    *self.features,
                    self.outcome,
                    self.grade,
                    self.respondent,
                    self.weight,
                )
                if name
            )
        )

    @property
    def texts(self) -> dict[str, str]:
        """The text columns by role."""
        roles = {"prompt": self.prompt, "chosen": self.chosen, "rejected": self.rejected}
        return {role: name for role, name in roles.items() if name}

    def to_dict(self) -> dict[str, object]:
        """Role to column name or names, without the empty roles."""
        shown = {
            role: list(value) if isinstance(value, tuple) else value
            for role, value in vars(self).items()
        }
        return {role: value for role, value in shown.items() if value}


class ColumnNames(TypedDict, total=False):
    """Column names by role, as `load` takes them."""

    margin: str | None
    chosen: str | None
    rejected: str | None
    prompt: str | None
    item_a: str | None
    item_b: str | None
    features: str | Sequence[str] | None
    outcome: str | None
    respondent: str | None
    groups: str | Sequence[str]
    weight: str | None
    grade: str | None


_ROLES = tuple(ColumnNames.__annotations__)


def resolve(source: Source, **columns: Unpack[ColumnNames]) -> Roles:
    """Find the column of each role.

    A role that is not named takes the column of its own name if there is one: prompt, chosen,
    rejected, respondent, outcome, and margin or else item_a with item_b.

    Args:
        source: The table.
        **columns: Column names by role; `features` and `groups` name several, in a list or
            joined by commas.

    Returns:
        The roles.

    Raises:
        DataError: If a column that was named does not exist.
        UsageError: If more than one margin source is named, or half of one.
    """
    for role in columns:
        if role not in _ROLES:
            close = get_close_matches(role, _ROLES, n=1)
            hint = f' Did you mean "{close[0]}"?' if close else ""
            raise UsageError(f'No column role "{role}".{hint} Roles: {", ".join(_ROLES)}.')
    lists = {
        "features": listed(columns.get("features")),
        "groups": listed(columns.get("groups")),
    }
    named: dict[str, Any] = {role: columns.get(role) for role in _ROLES if role not in lists}
    for role, names in {**{r: (n,) for r, n in named.items() if n is not None}, **lists}.items():
        for name in names:
            require(source, role, name)
        if len(set(names)) < len(names):
            raise UsageError(f"{_option(role)} names a column twice: {', '.join(names)}.")
    _one_source(named, lists["features"])
    defaults = ["prompt", "chosen", "rejected", "respondent", "outcome"]
    if not (named["margin"] or named["item_a"] or lists["features"]):
        if "margin" in source.names:
            defaults.append("margin")
        elif {"item_a", "item_b"} <= set(source.names):
            defaults += ["item_a", "item_b"]
    if named["grade"] is not None:
        defaults.remove("outcome")
        if named["outcome"] is not None:
            raise UsageError("--outcome and --grade are both given. Name one of them.")
    for role in defaults:
        if named[role] is None and role in source.names:
            named[role] = role
    roles = Roles(**named, features=lists["features"], groups=lists["groups"])
    _outcome_needed(source, roles)
    return roles


def no_margin(source: Source) -> DataError:
    """The error for data that say neither how the alternatives differ nor what they are."""
    return DataError(
        f"{source.name}: no column says what is compared. Make margins with "
        '"mixlogit margins", or name one of --margin, --item-a with --item-b, and --features. '
        f"Columns: {_shown(source.names)}.",
        file=source.name,
    )


def no_text(name: str, names: list[str], role: str) -> DataError:
    """The error for data that lack the texts to compare.

    Example:
        >>> no_text("votes.csv", ["prompt", "chosen"], "rejected").column
        'rejected'
    """
    return DataError(
        f'{name}: no column "{role}". Comparisons of texts need chosen and rejected, and '
        f"prompt unless they hold it. Columns: {_shown(names)}.",
        file=name,
        column=role,
    )


def _shown(names: list[str]) -> str:
    """The columns that have names, as messages list them."""
    named = [name for name in names if name.strip()]
    shown = named[:_SHOWN]
    more = len(named) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def listed(names: str | Iterable[str] | None) -> tuple[str, ...]:
    """Column names from a list, or from a text joined by commas."""
    if names is None:
        return ()
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",")]
    return tuple(name for name in names if name)


def _option(role: str) -> str:
    return _OPTIONS.get(role, "--" + role.replace("_", "-"))


def require(source: Source, role: str, name: str) -> None:
    """Refuse a column name that the data do not have, with the nearest one that they have.

    Args:
        source: The data.
        role: What the column is for.
        name: Its name.

    Raises:
        DataError: If there is no such column.
    """
    if name in source.names:
        return
    close = get_close_matches(name, source.names, n=1)
    hint = f' Did you mean "{close[0]}"?' if close else ""
    raise DataError(
        f'{source.name}: no column "{name}" for {_option(role)}.{hint} '
        f"Columns: {_shown(source.names)}.",
        file=source.name,
        column=name,
    )


def _one_source(named: dict[str, Any], features: tuple[str, ...]) -> None:
    if bool(named["item_a"]) != bool(named["item_b"]):
        lacks = "--item-b" if named["item_a"] else "--item-a"
        raise UsageError(f"Items need two columns: {lacks} is missing.")
    given = {"--margin": named["margin"], "--item-a": named["item_a"], "--features": features}
    options = [option for option, value in given.items() if value]
    if len(options) > 1:
        raise UsageError(
            f"{' and '.join(options)} are both given. Name exactly one of --margin, "
            "--item-a with --item-b, and --features."
        )


def _outcome_needed(source: Source, roles: Roles) -> None:
    if roles.kind in ("items", "features") and not (roles.outcome or roles.grade):
        raise DataError(
            f'{source.name}: no column "outcome", which {roles.kind} need. Name it with '
            f"--outcome. Columns: {_shown(source.names)}.",
            file=source.name,
            column="outcome",
        )
