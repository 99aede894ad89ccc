"""Many groups: the nested posterior against quadrature, NUTS on the whole, and simulated truth."""

import math
from typing import Any

import pytest
import torch

import mixlogit as ml
from mixlogit.models.infer import infer, root_of_covariance
from mixlogit.models.joint import LogJoint
from mixlogit.models.mode import find_mode
from mixlogit.models.nested import nested
from mixlogit.models.nuts import nuts_draws
from mixlogit.models.problem import Problem
from mixlogit.models.sites import family_at


def joint_of(
    n_groups: int, each: int, votes: int, family: str = "lognormal", **options: Any
) -> LogJoint:
    n = n_groups * each
    data = ml.simulate(n * votes, n, "lognormal", cv=0.8, groups=n_groups, seed=2).comparisons()
    return Problem(data, by=["group"], **options).joint(family)


@pytest.mark.parametrize("family", ["fixed", "lognormal", "gamma", "normal"])
def test_the_marginal_is_that_of_the_whole_integrated_over_dense_points(family: str) -> None:
    joint = joint_of(4, 6, 10, family)
    common = nested(joint)
    assert common is not None
    theta = common.start().unsqueeze(0)
    theta[..., [site.start for site in common.sites if "scale" in site.name]] = -0.4
    population = common._population(theta)
    z = torch.linspace(-6, 6, 49, dtype=torch.float64)
    log_weight = -0.5 * z.square() + math.log(0.25 / math.sqrt(2 * math.pi))
    n_axes = population.loc.shape[1]
    points = torch.cartesian_prod(*[z] * n_axes).view(-1, n_axes)
    weight = torch.cartesian_prod(*[log_weight] * n_axes).view(-1, n_axes).sum(-1)
    at = population.loc + population.scale * points
    families = family_at(joint.spec, at[:, :1].expand(-1, 4), at[:, -1:].expand(-1, 4))
    with torch.no_grad():
        exact = torch.logsumexp(joint.likelihood(families) + weight.unsqueeze(-1), 0).sum()
        found = common.log_likelihood(theta)
    assert abs(float(found - exact)) < 2e-3


@pytest.mark.parametrize("panel", [False, True])
def test_effects_come_back_in_their_places(panel: bool) -> None:
    joint = joint_of(5, 10, 8, "gamma", panel=panel)
    found = infer(joint, chains=2, draws=150, seed=0)
    assert found.theta.shape == (2, 150, 1, joint.size)
    assert found.method == "importance"
    assert found.theta.isfinite().all()
    # the density of the whole at its own draws is that of the mode less half the parameters
    gap = joint(found.mode.theta.unsqueeze(0)) - joint(found.theta.flatten(0, 1)).mean()
    assert 0.2 * joint.size < float(gap) < 0.9 * joint.size


@pytest.mark.parametrize(("n_groups", "family"), [(4, "lognormal"), (6, "gamma")])
def test_draws_balance_the_score_of_the_whole(n_groups: int, family: str) -> None:
    """Stein: E score = 0 and E[(theta - mean) score'] = -1 in whitened coordinates.

    Of 4,000 draws an entry has a standard error of 0.02 or so, and there are 200 of them.
    """
    joint = joint_of(n_groups, 12, 15, family)
    theta = infer(joint, draws=1000, seed=0).theta.reshape(-1, 1, joint.size)
    theta = theta.detach().requires_grad_()
    (score,) = torch.autograd.grad(joint(theta).sum(), theta)
    away = (theta - theta.mean(0)).detach().squeeze(1)
    root = torch.linalg.cholesky(away.T @ away / len(away))
    white = torch.linalg.solve_triangular(root, away.T, upper=False).T
    score = score.squeeze(1) @ root
    off = (white.unsqueeze(-1) * score.unsqueeze(-2)).mean(0) + torch.eye(joint.size)
    assert score.mean(0).abs().max() < 0.08
    assert off.abs().max() < 0.12


def test_other_programs_are_left_alone() -> None:
    data = ml.simulate(200, 20, items=5, groups=2).comparisons()
    assert nested(Problem(data, by=["group"]).joint("lognormal")) is None
    joint = Problem(ml.simulate(200, 20, groups=2).comparisons()).joint("lognormal")
    assert nested(joint) is None
    assert nested(joint_of(2, 5, 5, "classes")) is None


@pytest.mark.slow
@pytest.mark.parametrize("n_groups", [10, 30])
def test_agrees_with_nuts_on_the_whole(n_groups: int) -> None:
    joint = joint_of(n_groups, 10, 15)
    mine = infer(joint, draws=1000, seed=0).theta.reshape(-1, joint.size)
    mode = find_mode(joint, joint.start())
    root = root_of_covariance(mode.hessian)
    drawn = nuts_draws(joint, mode.theta, root, chains=2, warmup=300, draws=1000, seed=1)
    exact = drawn.reshape(-1, joint.size)
    assert ((mine.mean(0) - exact.mean(0)) / exact.std(0)).abs().max() < 0.25
    assert (mine.std(0) / exact.std(0)).log().abs().max() < 0.2


@pytest.mark.slow
def test_eighty_groups_cover_their_true_means() -> None:
    simulated = ml.simulate(40_000, 1600, "lognormal", cv=0.8, groups=80, seed=4)
    posterior = ml.fit(simulated.comparisons(), by=["group"], evidence=False, seed=0)
    record = posterior.to_dict()
    assert record["inference"] == "importance"
    truth = simulated.truth["groups"]
    own = record["groups"]["group"]
    inside = [
        own[label]["mean"]["q05"] <= truth[label] <= own[label]["mean"]["q95"] for label in own
    ]
    assert 0.8 <= sum(inside) / 80 <= 0.98
