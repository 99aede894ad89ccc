"""Who in new data is known."""

import torch

from mixlogit.align.units import units_in
from mixlogit.align.votes import Votes
from mixlogit.data import Comparisons, Labels


def judged(who: list[str], stance: list[str]) -> Comparisons:
    def labels(values: list[str]) -> Labels:
        names = tuple(dict.fromkeys(values))
        return Labels(torch.tensor([names.index(value) for value in values]), names)

    n = len(who)
    return Comparisons(
        outcome=torch.ones(n),
        margin=torch.zeros(n),
        respondent=labels(who),
        groups={"stance": labels(stance)},
    )


def test_a_respondent_is_known_within_their_group() -> None:
    train = judged(["a", "b", "b", "c"], ["pro", "con", "pro", "con"])
    new = judged(["c", "b", "b", "a", "z"], ["con", "con", "pro", "con", "pro"])
    votes = Votes.of(train, ("stance",), panel=True)
    unit, block = units_in(votes, train, new)
    for k, (name, stance) in enumerate(
        [("c", "con"), ("b", "con"), ("b", "pro"), (None, "con"), (None, "pro")]
    ):
        level = votes.units.level[block[k], 0]
        assert train.groups["stance"].labels[level] == stance
        if name is None:
            assert unit[k] == -1
        else:
            assert votes.units.respondent is not None
            assert train.respondent is not None
            assert train.respondent.labels[votes.units.respondent[unit[k]]] == name


def test_without_a_panel_nobody_is_known() -> None:
    train = judged(["a", "b"], ["pro", "con"])
    unit, block = units_in(Votes.of(train, (), panel=False), train, train)
    assert unit.tolist() == [-1, -1]
    assert block.tolist() == [0, 0]
