"""Who in new data is known from the training data."""

import torch
from torch import Tensor

from mixlogit.align.votes import Votes
from mixlogit.data import Comparisons

__all__ = ["units_in"]


def units_in(votes: Votes, train: Comparisons, new: Comparisons) -> tuple[Tensor, Tensor]:
    """Unit and block of each new comparison in the training data.

    Args:
        votes: The training comparisons as the objective sees them.
        train: The training comparisons.
        new: Other comparisons, with the same columns.

    Returns:
        Unit (-1 for one that is new) and block of parameters (a combination of group labels
        that did not occur takes the first that shares most labels), `comparison`-vectors.

    Example:
        >>> from mixlogit.data import Labels
        >>> def of(codes, labels):
        ...     n = len(codes)
        ...     who = Labels(torch.tensor(codes), labels)
        ...     return Comparisons(outcome=torch.ones(n), margin=torch.zeros(n), respondent=who)
        >>> train, new = of([0, 1, 1], ("w1", "w2")), of([0, 1], ("w2", "w9"))
        >>> units_in(Votes.of(train, (), panel=True), train, new)[0].tolist()
        [1, -1]
    """
    units = votes.units
    columns = []
    for group in votes.groups:
        known = {label: code for code, label in enumerate(group.labels)}
        labels = new.groups[group.column]
        code = torch.tensor([known.get(label, -1) for label in labels.labels])
        columns.append(code[labels.codes])
    level = torch.stack(columns, -1) if columns else torch.zeros(len(new), 0, dtype=torch.long)
    agree = (level.unsqueeze(1) == units.level.unsqueeze(0)).sum(-1)  # comparison x block
    block = agree.argmax(-1)
    unit = torch.full((len(new),), -1)
    if units.respondent is None or new.respondent is None or train.respondent is None:
        return unit, block
    people = {label: code for code, label in enumerate(train.respondent.labels)}
    places = {
        pair: k
        for k, pair in enumerate(zip(units.respondent.tolist(), units.block.tolist(), strict=True))
    }
    who = [people.get(label, -1) for label in new.respondent.labels]
    for k, (code, b) in enumerate(zip(new.respondent.codes.tolist(), block.tolist(), strict=True)):
        unit[k] = places.get((who[code], b), -1)
    return unit, block
