import numpy as np
import pytest
import torch

import mixlogit as ml
from mixlogit.models.individual import individuals, strength_table
from mixlogit.models.problem import Problem


def posterior_by_grid(problem, family, lapse, unit):
    """Mean, sd, 5 % and 95 % quantile and P(b < 0) on 20,000 points."""
    if family.coordinate == "linear":
        u = torch.linspace(-8.0, 10.0, 20_001, dtype=torch.float64)
    else:
        u = torch.linspace(-14.0, 5.0, 20_001, dtype=torch.float64)
    b = u if family.coordinate == "linear" else u.exp()
    d = problem.margin[problem.unit_of_row == unit].unsqueeze(-1)
    w = problem.weight[problem.unit_of_row == unit].unsqueeze(-1)
    p = torch.sigmoid(d * b)
    p = p if lapse is None else lapse / 2 + (1 - lapse) * p
    mass = torch.softmax((w * p.log()).sum(0) + family.log_density(u)[0], 0)
    mean = (mass * b).sum()
    sd = (mass * (b - mean).square()).sum().sqrt()
    below = mass.cumsum(0)
    low, high = (b[torch.searchsorted(below, torch.tensor(q).double())] for q in (0.05, 0.95))
    return [float(x) for x in (mean, sd, low, high, mass[b < 0].sum())]


@pytest.mark.parametrize("lapse", [False, True])
@pytest.mark.parametrize("name", ["lognormal", "gamma", "normal"])
def test_exact_against_a_dense_grid(name, lapse):
    data = ml.simulate(200, 12, name, mean=1.0, cv=0.6, ties=0.1, seed=4).comparisons()
    problem = Problem(data)
    joint = problem.joint(name, lapse=lapse)
    theta = joint.start().unsqueeze(0) + 0.2
    found = individuals(problem, joint, theta.expand(64, 1, -1))
    table = strength_table(problem, found)
    sampled = joint.sampled(theta)
    for unit in range(12):
        exact = posterior_by_grid(problem, sampled.family, sampled.lapse, unit)
        got = table.loc[unit, ["mean", "sd", "q05", "q95", "p_negative"]].to_numpy(dtype=float)
        assert np.allclose(got[:2], exact[:2], rtol=2e-3), unit
        assert np.allclose(got[2:4], exact[2:4], atol=0.07 * exact[1]), unit
        assert got[4] == pytest.approx(exact[4], abs=0.02)
    assert table["n"].sum() == data.n_comparisons


def test_quantiles_average_over_draws():
    data = ml.simulate(200, 12, "lognormal", mean=1.0, cv=0.6, seed=4).comparisons()
    problem = Problem(data)
    joint = problem.joint("lognormal")
    theta = joint.start() + 0.3 * torch.randn(40, 1, 2, dtype=torch.float64)
    found = individuals(problem, joint, theta)
    assert torch.allclose(found.weights.sum(-1), torch.ones(12).double())
    table = strength_table(problem, found)
    singles = [strength_table(problem, individuals(problem, joint, t.unsqueeze(0))) for t in theta]
    assert np.allclose(table["mean"], np.mean([one["mean"] for one in singles], axis=0), rtol=1e-5)
    assert (table["sd"] > np.mean([one["sd"] for one in singles], axis=0)).all()


def test_units_are_respondents_within_groups():
    frame = ml.simulate(200, 12, "lognormal", mean=1.0, cv=0.6, seed=4).frame
    frame["topic"] = np.where(np.arange(200) % 2, "tax", "war")
    problem = Problem(ml.load(frame, groups=["topic"]), by=["topic"])
    joint = problem.joint("lognormal")
    table = strength_table(problem, individuals(problem, joint, joint.start().unsqueeze(0)))
    assert set(table["topic"]) == {"tax", "war"}
    assert table.groupby("respondent").size().max() == 2
    assert table["n"].sum() == 200
