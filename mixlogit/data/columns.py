"""Which column plays which role: names given, names by default, and what to say if one lacks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from mixlogit.data.source import Source
from mixlogit.errors import DataError, UsageError

__all__ = ["Roles", "no_margin", "resolve"]

_TEXTS = ("prompt", "chosen", "rejected")
_OPTIONS = {"groups": "--by"}


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
                    self.respondent,
                    self.weight,
                )
                if name
            )
        )

    @property
    def texts(self) -> tuple[str, ...]:
        """The text columns."""
        return tuple(name for name in (self.prompt, self.chosen, self.rejected) if name)

    def to_dict(self) -> dict[str, object]:
        """Role to column name or names, without the empty roles."""
        shown = {
            role: list(value) if isinstance(value, tuple) else value
            for role, value in vars(self).items()
        }
        return {role: value for role, value in shown.items() if value}


def resolve(
    source: Source,
    *,
    margin: str | None = None,
    chosen: str | None = None,
    rejected: str | None = None,
    prompt: str | None = None,
    item_a: str | None = None,
    item_b: str | None = None,
    features: str | Sequence[str] | None = None,
    outcome: str | None = None,
    respondent: str | None = None,
    groups: str | Sequence[str] = (),
    weight: str | None = None,
) -> Roles:
    """Find the column of each role.

    A role that is not named takes the column of its own name if there is one: prompt, chosen,
    rejected, respondent, outcome, and margin or else item_a with item_b.

    Args:
        source: The table.
        margin: Column of margins.
        chosen: Column of preferred texts.
        rejected: Column of the other texts.
        prompt: Column of prompts.
        item_a: Column of first items.
        item_b: Column of second items.
        features: Columns of differences, or their names joined by commas.
        outcome: Column of outcomes.
        respondent: Column of respondents.
        groups: Columns of groups, or their names joined by commas.
        weight: Column of weights.

    Returns:
        The roles.

    Raises:
        DataError: If a column that was named does not exist.
        UsageError: If more than one margin source is named, or half of one.
    """
    named = {"margin": margin, "item_a": item_a, "item_b": item_b, "outcome": outcome}
    named |= {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    named |= {"respondent": respondent, "weight": weight}
    lists = {"features": _listed(features), "groups": _listed(groups)}
    for role, name in named.items():
        if name is not None:
            _require(source, role, name)
    for role, names in lists.items():
        for name in names:
            _require(source, role, name)
        if len(set(names)) < len(names):
            raise UsageError(f"{_option(role)} names a column twice: {', '.join(names)}.")
    _one_source(named, lists["features"])
    found = dict(named)
    defaults = [*_TEXTS, "respondent", "outcome"]
    if not (margin or item_a or lists["features"]):
        if "margin" in source.names:
            defaults.append("margin")
        elif {"item_a", "item_b"} <= set(source.names):
            defaults += ["item_a", "item_b"]
    for role in defaults:
        if found[role] is None and role in source.names:
            found[role] = role
    roles = Roles(**found, features=lists["features"], groups=lists["groups"])
    _outcome_needed(source, roles)
    return roles


def no_margin(source: Source) -> DataError:
    """The error for data that say neither how the alternatives differ nor what they are."""
    return DataError(
        f"{source.name}: no column says what is compared. Make margins with "
        '"mixlogit margins", or name one of --margin, --item-a with --item-b, and --features. '
        f"Columns: {', '.join(source.names)}.",
        file=source.name,
    )


def _listed(names: str | Iterable[str] | None) -> tuple[str, ...]:
    if names is None:
        return ()
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",")]
    return tuple(name for name in names if name)


def _option(role: str) -> str:
    return _OPTIONS.get(role, "--" + role.replace("_", "-"))


def _require(source: Source, role: str, name: str) -> None:
    if name in source.names:
        return
    close = get_close_matches(name, source.names, n=1)
    hint = f' Did you mean "{close[0]}"?' if close else ""
    raise DataError(
        f'{source.name}: no column "{name}" for {_option(role)}.{hint} '
        f"Columns: {', '.join(source.names)}.",
        file=source.name,
        column=name,
    )


def _one_source(named: dict[str, str | None], features: tuple[str, ...]) -> None:
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
    if roles.kind in ("items", "features") and roles.outcome is None:
        raise DataError(
            f'{source.name}: no column "outcome", which {roles.kind} need. Name it with '
            f"--outcome. Columns: {', '.join(source.names)}.",
            file=source.name,
            column="outcome",
        )
