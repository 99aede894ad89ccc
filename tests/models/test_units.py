import torch

import mixlogit as ml
from mixlogit.data import Labels
from mixlogit.models.units import Units, signed_rows


def votes(**more):
    data = {
        "outcome": torch.tensor([1.0, 0.0, 0.5, 1.0]).double(),
        "margin": torch.tensor([0.5, 1.0, 2.0, -1.0]).double(),
        "respondent": Labels(torch.tensor([1, 0, 1, 0]), ("x", "y")),
        "groups": {"g": Labels(torch.tensor([0, 1, 2, 1]), ("a", "b", "c"))},
    }
    return ml.Comparisons(**(data | more))


def rows_of(**more):
    data = votes(**more)
    return signed_rows(data.outcome, data.weight)


def test_ties_are_half_votes_each_way():
    index, sign, weight = rows_of()
    assert index.tolist() == [0, 1, 3, 2, 2]
    assert sign.tolist() == [1, -1, 1, 1, -1]
    assert weight.tolist() == [1, 1, 1, 0.5, 0.5]


def test_weights_are_halved_too():
    index, _, weight = rows_of(weight=torch.tensor([1.0, 2.0, 3.0, 4.0]).double())
    assert dict(zip(index.tolist(), weight.tolist(), strict=True)) == {0: 1, 1: 2, 3: 4, 2: 1.5}


def test_no_ties():
    index, sign, weight = rows_of(outcome=torch.tensor([1.0, 0, 0, 1]).double())
    assert index.tolist() == [0, 1, 2, 3]
    assert sign.tolist() == [1, -1, -1, 1]
    assert weight.tolist() == [1, 1, 1, 1]


def test_a_respondent_is_a_unit():
    units = Units.of(votes(), (), panel=True)
    assert units.of_comparison.tolist() == [1, 0, 1, 0]
    assert units.respondent.tolist() == [0, 1]
    assert units.block.tolist() == [0, 0]
    assert units.n_blocks == 1


def test_groups_that_change_split_a_respondent():
    units = Units.of(votes(), ("g",), panel=True)
    assert units.level.tolist() == [[0], [1], [2]]
    assert units.respondent.tolist() == [0, 1, 1]
    assert units.block.tolist() == [1, 0, 2]
    assert units.of_comparison.tolist() == [1, 0, 2, 0]


def test_without_a_panel_every_comparison_is_a_unit():
    units = Units.of(votes(), ("g",), panel=False)
    assert units.of_comparison.tolist() == [0, 1, 2, 3]
    assert units.respondent is None
    assert units.block.tolist() == [0, 1, 2, 1]
