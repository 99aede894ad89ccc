"""Findings: data that can be used, but may not mean what their owner thinks."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from mixlogit.data.comparisons import Comparisons, Finding, Labels
from mixlogit.data.duplicates import Repeats, hash_column, mix, repeats
from mixlogit.data.graph import is_ordered
from mixlogit.data.names import join_text_codes
from mixlogit.data.rows import NO_GROUP
from mixlogit.data.scan import Scan
from mixlogit.data.source import Source
from mixlogit.data.table import Table, pair_of
from mixlogit.errors import DataError

if TYPE_CHECKING:
    from mixlogit.data.streamed import Streamed

__all__ = ["findings", "refuse_zero_margins", "streamed_findings", "zero_margins"]

_WHO = re.compile(
    r"(annotator|worker|judge|rater|evaluator|labell?er|participant|subject|respondent|user|person)"
    r"([ _-]?(id|name|uid|hash))?",
    re.IGNORECASE,
)
_AGREES = "agrees with the sign of its margin"

Keep = NDArray[np.bool_] | None


def findings(data: Comparisons, table: Table, source: Source, keep: Keep) -> tuple[Finding, ...]:
    """Everything worth saying about the data as a whole, most serious first.

    Args:
        data: The comparisons.
        table: The columns that they were made of.
        source: Where those came from, for the columns without a role.
        keep: Which rows of the source were kept; None means all.

    Returns:
        The findings: no_respondents, one_respondent, single_comparisons, perfect_separation,
        one_margin_value, zero_feature, components, duplicates, flipped_duplicates, same_texts,
        group_varies, empty_group, ties, left_out.
    """
    about: list[Callable[[], Iterator[Finding]]] = [
        lambda: _unnamed_respondents(data, source),
        lambda: _respondents(data),
        lambda: _separation(data),
        lambda: _margins(data),
        lambda: _components(data),
        lambda: _repeats(data, table, source, keep),
        lambda: _same_texts(table),
        lambda: _groups(data),
        lambda: _ties(data),
        lambda: _left_out(source),
    ]
    return tuple(finding for find in about for finding in find())


def refuse_zero_margins(data: Comparisons) -> None:
    """Stop if every margin is 0.

    Raises:
        DataError: As strength is then not identified at all.
    """
    if data.margin is None or bool(data.margin.any()):
        return
    column = str(data.columns.get("margin", "margin"))
    raise zero_margins(data.source, data.n_comparisons, column)


def zero_margins(source: str, n: int, column: str) -> DataError:
    """The error for data whose margins are all 0.

    Args:
        source: What messages call the data.
        n: Number of comparisons.
        column: The column of the margins.
    """
    which = "the only margin is 0" if n == 1 else f"all {n:,} margins are 0"
    return DataError(
        f"{source}: {which}, so strength cannot be estimated. "
        "A policy equal to its reference has zero margins.",
        file=source,
        column=column,
    )


def streamed_findings(data: "Streamed", scan: Scan) -> tuple[Finding, ...]:
    """The same of votes that are not held; whether rows are there twice nobody looked.

    Args:
        data: The votes.
        scan: What was counted.

    Returns:
        The findings, the last of which says what is not known: streamed.
    """
    n, found = data.n_comparisons, [*_respondents(data)]
    if scan.against == scan.ties == 0 and n > 1:
        found.append(_certain(n, _AGREES))
    if n > 1 and scan.sizes[0] == scan.sizes[1]:
        found.append(_one_size(n, scan.sizes[1]))
    for k, name in enumerate(data.groups):
        label = torch.zeros(len(data.counts), len(data.groups[name]), dtype=torch.bool)
        there = torch.nonzero(data.counts)
        label[there[:, 0], data.level[there[:, 1], k]] = True
        varies = int((label.sum(1) > 1).sum())
        found += [_group_varies(name, varies, data.n_respondents)] if varies else []
    return (*found, *_empty_groups(data), *_ties(data), _not_held(data))


def _not_held(data: "Streamed") -> Finding:
    said = "The votes were read in blocks and not held: rows entered twice were not looked for"
    if len(data.part) < len(data):
        assert data.part.respondent is not None
        people = int(data.part.respondent.counts().count_nonzero())
        said += (
            f"; evidence, predictions and calibration are those of {len(data.part):,} votes, all "
            f"by {people:,} of the respondents, drawn at random"
        )
    return Finding("streamed", len(data.part), f"{said}.")


def _unnamed_respondents(data: Comparisons, source: Source) -> Iterator[Finding]:
    """A column that looks as if it said who judged, where none was named."""
    used = _used(data)
    like = [name for name in source.names if _WHO.fullmatch(name) and name not in used]
    if data.respondent is None and like:
        yield Finding(
            "no_respondents",
            1,
            f'No respondents are named. If "{like[0]}" says who judged, add --respondent '
            f'"{like[0]}": one strength a respondent is what tells people apart.',
        )


def _respondents(data: "Comparisons | Streamed") -> Iterator[Finding]:
    if data.respondent is None:
        return
    n = data.n_respondents
    if n == 1:
        yield Finding(
            "one_respondent",
            1,
            f'"{data.respondent.labels[0]}" made every comparison: one strength can be '
            "estimated, a spread over respondents cannot.",
        )
    elif n == data.n_comparisons:
        yield Finding(
            "single_comparisons",
            n,
            f"Each of the {n:,} respondents made one comparison: a spread over respondents "
            "shows only in panels of two or more.",
        )


def _separation(data: Comparisons) -> Iterator[Finding]:
    """Choices that no circle contradicts: without its prior the strength would be infinite."""
    sign = 2 * data.outcome - 1
    decided = int((sign != 0).sum())
    if data.margin is not None:
        agree = sign * data.margin.sign()
        certain = decided > 1 and decided == data.n_comparisons and bool((agree >= 0).all())
        what = _AGREES
    elif data.item_a is not None and data.item_b is not None:
        first = sign > 0
        winner = torch.where(first, data.item_a, data.item_b).numpy()
        loser = torch.where(first, data.item_b, data.item_a).numpy()
        certain = decided == data.n_comparisons > 1 and is_ordered(winner, loser, len(data.items))
        what = "fits one order of the items"
    else:
        return
    if certain:
        yield _certain(decided, what)


def _certain(decided: int, what: str) -> Finding:
    return Finding(
        "perfect_separation",
        decided,
        f"Each of the {decided:,} choices {what}: the data set no upper limit to strength, "
        "only the prior does.",
    )


def _margins(data: Comparisons) -> Iterator[Finding]:
    if data.margin is not None and data.n_comparisons > 1:
        size = data.margin.abs()
        if bool((size == size[0]).all()):
            yield _one_size(data.n_comparisons, float(size[0]))
    if data.features is not None:
        for name in [
            n for n, c in zip(data.feature_names, data.features.T, strict=True) if not c.any()
        ]:
            yield Finding(
                "zero_feature",
                data.n_comparisons,
                f'Feature "{name}" is 0 in every row: its weight cannot be estimated.',
            )


def _one_size(n: int, size: float) -> Finding:
    return Finding(
        "one_margin_value",
        n,
        f"Every margin is {size:g} in size: mean and spread of strength "
        "cannot be told apart from one size of margin.",
    )


def _components(data: Comparisons) -> Iterator[Finding]:
    n = data.n_components
    if n > 1:
        yield Finding(
            "components",
            n,
            f"The items fall into {n:,} groups that no comparison links: utilities sum to zero "
            "within each and cannot be compared between them.",
        )


def _repeats(data: Comparisons, table: Table, source: Source, keep: Keep) -> Iterator[Finding]:
    found = _count_repeats(data, table, source, keep)
    if found.rows:
        yield Finding(
            "duplicates",
            found.rows,
            f"{_rows(found.rows)} an earlier row in pair, outcome and every other column: "
            "is something in the data twice?",
        )
    if found.flips:
        who = " by one respondent" if data.respondent is not None else ""
        pairs = "1 pair was" if found.flips == 1 else f"{found.flips:,} pairs were"
        yield Finding(
            "flipped_duplicates",
            found.flips,
            f"{pairs} judged both ways{who}: are chosen and rejected, or a and b, "
            "exchanged in some rows?",
        )


def _count_repeats(data: Comparisons, table: Table, source: Source, keep: Keep) -> Repeats:
    pair, direction = pair_of(table)
    n = pair.size
    who = np.zeros(n, dtype=np.int64) if table.respondent is None else table.respondent[0]
    respondent = who.astype(np.uint64)
    rare = table.items is None
    certain = {"chosen", "rejected"} <= set(table.texts) and table.respondent is not None
    found = repeats(respondent, pair, direction, rare, certain)
    if found.distinct:
        return found  # no pair twice with one respondent, so none in a narrower place
    place = mix(who, *(codes for codes, _ in table.groups.values()))
    if table.weight is not None:
        place = mix(place, table.weight.view(np.uint64))
    used = _used(data)
    for name in source.names if source.shared is None else source.shared:
        if name not in used:
            hashed = hash_column(source.read(name))
            place = mix(place, hashed if keep is None else hashed[keep])
    return replace(found, rows=repeats(place, pair, direction, rare, certain).rows)


def _used(data: Comparisons) -> set[str]:
    """The columns that play a role."""
    names = data.columns.values()
    return {n for name in names for n in (name if isinstance(name, list) else [name])}


def _same_texts(table: Table) -> Iterator[Finding]:
    if "chosen" in table.texts and "rejected" in table.texts:
        chosen, rejected = join_text_codes(table.texts["chosen"], table.texts["rejected"])
        n = int((chosen == rejected).sum())
        if n:
            have = "1 row has" if n == 1 else f"{n:,} rows have"
            yield Finding(
                "same_texts",
                n,
                f"{have} the same text as chosen and rejected: such rows say nothing.",
            )


def _groups(data: Comparisons) -> Iterator[Finding]:
    for name, group in data.groups.items():
        if data.respondent is not None:
            n = _varies(data.respondent, group)
            if n:
                yield _group_varies(name, n, data.n_respondents)
    yield from _empty_groups(data)


def _group_varies(name: str, n: int, n_respondents: int) -> Finding:
    return Finding(
        "group_varies",
        n,
        f"{name} varies within {n:,} of {n_respondents:,} respondents: as a "
        f"group (--by) each has a strength of its own for each {name}.",
    )


def _empty_groups(data: "Comparisons | Streamed") -> Iterator[Finding]:
    for name, group in data.groups.items():
        n = int(group.counts()[group.labels.index(NO_GROUP)]) if NO_GROUP in group.labels else 0
        if n:
            rows = "1 row has" if n == 1 else f"{n:,} rows have"
            yield Finding("empty_group", n, f'{rows} no {name}: they form the group "{NO_GROUP}".')


def _varies(respondent: Labels, group: Labels) -> int:
    """How many respondents appear in more than one group."""
    one = torch.zeros(len(respondent), dtype=torch.int64)
    one[respondent.codes] = group.codes
    changed = respondent.codes[one[respondent.codes] != group.codes]
    return int(np.unique(changed.numpy()).size)


def _ties(data: "Comparisons | Streamed") -> Iterator[Finding]:
    n = data.n_ties
    if n and data.grade is None:
        each = "1 tie is kept: it enters" if n == 1 else f"{n:,} ties are kept: each enters"
        yield Finding("ties", n, f"{each} as half a vote each way.")


def _left_out(source: Source) -> Iterator[Finding]:
    for reason, n in source.left_out.items():
        were = "1 comparison was" if n == 1 else f"{n:,} comparisons were"
        yield Finding("left_out", n, f"{were} left out: {reason}.")


def _rows(n: int) -> str:
    return "1 row repeats" if n == 1 else f"{n:,} rows repeat"
