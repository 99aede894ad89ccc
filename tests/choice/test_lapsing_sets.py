"""Contexts, lapses and widths of judgements: derivatives against differences."""

import pytest
import torch
from judges import double

from mixlogit.choice.outcomes import Davidson, Ordered
from mixlogit.choice.panel_sets import make_blocks
from mixlogit.choice.simulated import SimulatedLikelihood
from mixlogit.choice.taste_strength import taste_strength
from mixlogit.choice.tastes import TasteDesign
from mixlogit.data import Comparisons
from mixlogit.data.comparisons import Labels
from mixlogit.models.taste_rows import judged_rows

CUTS = {"davidson": 1, "grades": 2}
CASES = [
    # outcome, family, exponent, widths, context, lapse
    ("pairs", "fixed", False, False, True, False),
    ("pairs", "gamma", False, False, True, True),
    ("davidson", "lognormal", True, True, False, False),
    ("davidson", "classes", True, False, True, True),
    ("grades", "fixed", False, True, False, True),
    ("grades", "lognormal", True, True, False, False),
    ("grades", "classes", True, True, True, True),
]


def judgements(outcome: str, n: int = 40, people: int = 5) -> Comparisons:
    """Random judgements of pairs, three in ten of them ties, weighted."""
    generator = torch.Generator().manual_seed(3)
    who = torch.arange(n) % people
    grade = torch.randint(-2, 3, (n,), generator=generator)
    return Comparisons(
        outcome=double((grade.sign() + 1) / 2),
        respondent=Labels(who, tuple(map(str, range(people)))),
        features=torch.randn(n, 2, generator=generator, dtype=torch.float64),
        feature_names=("a", "b"),
        grade=grade if outcome == "grades" else None,
        weight=torch.rand(n, generator=generator, dtype=torch.float64) + 0.5,
    )


@pytest.mark.parametrize(("outcome", "family", "exponent", "widths", "context", "lapse"), CASES)
def test_derivatives(
    outcome: str, family: str, exponent: bool, widths: bool, context: bool, lapse: bool
) -> None:
    data, n = judgements(outcome), CUTS.get(outcome, 0)
    level = (data.outcome != 0.5).long() if data.grade is None else data.grade.abs()
    model = None
    if outcome != "pairs":
        kind = Davidson if outcome == "davidson" else Ordered
        model = kind(level, n, exponent=exponent, widths=widths)
    z = torch.randn(len(data), 2, generator=torch.Generator().manual_seed(4)).double()
    rows = judged_rows(data, model, context=z if context else None, lapse=lapse)
    names = [f"cut {k}" for k in range(n)] + ["exponent"] * exponent
    names += ["slope 1", "slope 2"] * context + ["log odds of a lapse"] * lapse
    design = TasteDesign(
        ("a", "b"),
        {"a": "normal", "b": "-lognormal"},
        True,
        taste_strength(family),
        (),
        tuple(names),
        exponent,
        widths,
    )
    blocks = make_blocks(rows, data.respondent.codes, 30)
    assert len(blocks) > 1
    likelihood = SimulatedLikelihood(blocks, design, draws=8)
    psi = 0.4 * torch.linspace(-1, 1, design.size).double()
    means, *others, tail = design.parts(psi)
    psi = torch.cat([means, *others, 0.5 + 0.7 * torch.arange(len(tail)) % 2])
    likelihood.adapt(psi)
    found, step = likelihood.evaluate(psi, 2), 1e-5
    steps = step * torch.eye(design.size, dtype=torch.float64)
    around = [[likelihood.evaluate(psi + sign * each, 1) for sign in (1, -1)] for each in steps]
    slope = torch.stack([(up.value - down.value) / (2 * step) for up, down in around], -1)
    bend = torch.stack([(u.score - d.score).sum(0) / (2 * step) for u, d in around])
    assert torch.allclose(found.score, slope, atol=1e-7)
    assert torch.allclose(found.hessian, bend, atol=1e-6)
