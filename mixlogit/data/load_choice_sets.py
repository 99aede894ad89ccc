"""`load_choice_sets`: choice sets from any kind of data in long format."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mixlogit.data.build import labelled
from mixlogit.data.choice_sets import ChoiceSets
from mixlogit.data.columns import listed, require
from mixlogit.data.comparisons import Finding
from mixlogit.data.explode import explode
from mixlogit.data.long_rows import LongRows, LongTable
from mixlogit.data.opening import open_source
from mixlogit.data.problems import BadRows, in_one_line, nothing_left, settle
from mixlogit.data.source import Source
from mixlogit.errors import DataError, UsageError

__all__ = ["LongRoles", "load_choice_sets"]

_CONSTANT = "constant:"


@dataclass(frozen=True)
class LongRoles:
    """Column names of data in long format by role."""

    choice_id: str
    alternative: str
    chosen: str | None
    ranking: str | None
    features: tuple[str, ...] = ()
    respondent: str | None = None
    available: str | None = None
    groups: tuple[str, ...] = ()
    weight: str | None = None

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that every row must fill, in the order in which messages list them."""
        first = (self.choice_id, self.alternative, self.chosen, self.respondent)
        every = (*first, *self.features, self.available, self.weight)
        return tuple(dict.fromkeys(name for name in every if name))

    def to_dict(self) -> dict[str, object]:
        """Role to column name or names, without the empty roles."""
        shown = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}
        return {role: value for role, value in shown.items() if value}


def load_choice_sets(
    data: Any,
    *,
    choice_id: str = "choice_id",
    alternative: str = "alternative",
    chosen: str | None = None,
    ranking: str | None = None,
    features: str | Sequence[str] | None = None,
    respondent: str | None = None,
    available: str | None = None,
    groups: str | Sequence[str] = (),
    weight: str | None = None,
    constants: str | None = None,
    bad_rows: BadRows = "stop",
    split: str = "train",
    source: str | None = None,
) -> ChoiceSets:
    """Choice sets from any data that `load` takes, one row an alternative (long format).

    Args:
        data: As for `load`.
        choice_id: Column that says which rows are one choice set (within a respondent).
        alternative: Column with the alternative's name.
        chosen: Column with 1 and 0 (true and false, yes and no), or in every row with the name
            of the one chosen; the column of this name if there is one.
        ranking: Column with ranks instead, 1 the best, empty where not ranked.
        features: Columns that utilities are linear in; without any, alternatives have their own.
        respondent: Column that says who judged; the column of this name if there is one.
        available: Column that is 1 where the alternative could be chosen, else 0.
        groups: Columns of labels of a choice set.
        weight: Positive weights.
        constants: Alternative whose constant is 0; others get a feature `constant:NAME`.
        bad_rows: `stop` at a malformed row, or `drop` the choice sets that hold one.
        split: Split of a hub data set.
        source: What messages call the data.

    Raises:
        DataError: If the data cannot be read or a row is malformed, naming file, row, column.
        UsageError: If the columns named do not fit together.

    Example:
        >>> import pyarrow as pa
        >>> rows = {"id": [1, 1], "alternative": ["tea", "milk"], "chosen": [0, 1]}
        >>> load_choice_sets(pa.table(rows), choice_id="id")
        ChoiceSets(items, 1 choice set of 2, 2 alternatives)
    """
    named = {
        **{"choice_id": choice_id, "alternative": alternative},
        **{"chosen": chosen, "ranking": ranking},
        **{"respondent": respondent, "available": available, "weight": weight},
    }
    with in_one_line():
        table = open_source(data, split, source)
        table.check_names()
        roles = _roles(table, named, listed(features), listed(groups))
        return _build(table, roles, constants, bad_rows)


def _roles(
    source: Source,
    named: dict[str, Any],
    features: tuple[str, ...],
    groups: tuple[str, ...],
) -> LongRoles:
    """Every column that was named must be there; two have defaults."""
    for role in ("chosen", "respondent"):
        if named[role] is None and role in source.names:
            named[role] = role
    if named["ranking"] is not None and named["chosen"] == "chosen":
        named["chosen"] = None
    lists = {"features": features, "groups": groups}
    for role, names in {**{r: (n,) for r, n in named.items() if n}, **lists}.items():
        for name in names:
            require(source, role, name)
    if (named["chosen"] is None) == (named["ranking"] is None):
        given = "Both are given" if named["chosen"] else "Neither is given"
        raise UsageError(f"Choice sets need one of --chosen and --ranking. {given}.")
    return LongRoles(**named, features=features, groups=groups)


def _build(source: Source, roles: LongRoles, constants: str | None, bad_rows: str) -> ChoiceSets:
    if source.n_rows == 0 and not source.unreadable:
        raise DataError(f"{source.name}: no rows, only column names.", file=source.name)
    rows = LongRows(source, roles)
    table = rows.read(roles)
    keep, dropped = settle(source, rows.problems, bad_rows)
    if keep is not None:
        table = table.whole(keep)
        if not table.choice.size:
            what = "no choice set is left, each holds a malformed row"
            raise nothing_left(source.name, dropped, what)
    table, findings = _informative(source, table.arranged())
    choice, chosen, picked, occasion = explode(table.choice, table.best)
    of_set = picked[np.flatnonzero(np.diff(choice, prepend=-1))]
    features, names = _features(table, roles.features, constants)
    data = ChoiceSets(
        choice=torch.from_numpy(choice),
        chosen=torch.from_numpy(chosen),
        alternative=labelled(table.alternative[0][picked], table.alternative[1]),
        features=None if features is None else torch.from_numpy(features[picked]),
        feature_names=names,
        respondent=None
        if table.respondent is None
        else labelled(table.respondent[0][of_set], table.respondent[1]),
        groups={name: labelled(g[0][of_set], g[1]) for name, g in table.groups.items()},
        weight=None if table.weight is None else torch.from_numpy(table.weight[of_set]),
        occasion=None if roles.ranking is None else torch.from_numpy(occasion),
        source=source.name,
        source_sha256=source.sha256,
        dropped=dropped,
        warnings=findings,
        columns=roles.to_dict(),
    )
    object.__setattr__(data, "warnings", (*findings, *_same_in_sets(data)))
    return data


def _informative(source: Source, table: LongTable) -> tuple[LongTable, tuple[Finding, ...]]:
    """Without the sets of one available alternative, which say nothing."""
    sizes = np.bincount(table.choice)
    single = int((sizes == 1).sum())
    if not single:
        return table, ()
    if single == sizes.size:
        message = f"{source.name}: every choice set has one available alternative."
        raise DataError(message, file=source.name)
    kept = table.whole(sizes[table.choice] > 1).arranged()
    sets = "1 choice set has" if single == 1 else f"{single:,} choice sets have"
    text = f"{sets} one available alternative and say nothing."
    return kept, (Finding("single_alternatives", single, text),)


def _features(
    table: LongTable, names: tuple[str, ...], constants: str | None
) -> tuple[Any, tuple[str, ...]]:
    """Feature columns, with alternative-specific constants behind them."""
    columns = [] if table.features is None else list(table.features.T)
    if constants is not None:
        codes, labels = table.alternative
        if constants not in labels:
            known = ", ".join(labels[:20])
            raise UsageError(f'No alternative "{constants}" for --constants. There are {known}.')
        others = [k for k, label in enumerate(labels) if label != constants]
        columns += [(codes == k).astype(np.float64) for k in others]
        names = (*names, *(f"{_CONSTANT}{labels[k]}" for k in others))
    return (np.stack(columns, axis=1) if columns else None), names


def _same_in_sets(data: ChoiceSets) -> tuple[Finding, ...]:
    """Features that never differ within a choice set: their weight cannot be estimated."""
    if data.features is None:
        return ()
    best = data.features[data.chosen][data.choice]
    same = (data.features == best).all(0)
    return tuple(
        Finding(
            "zero_feature",
            data.n_sets,
            f'Feature "{name}" never differs within a choice set: its weight cannot be estimated.',
        )
        for name, constant in zip(data.feature_names, same.tolist(), strict=True)
        if constant
    )
