import re

import pytest
import torch

import mixlogit as ml
from mixlogit.choice.link import LinkLikelihood
from mixlogit.choice.panel import PanelLikelihood
from mixlogit.choice.utility import UtilityLikelihood
from mixlogit.errors import UsageError
from mixlogit.models.problem import Problem


def made(**design):
    return ml.simulate(120, seed=1, **{"respondents": 12} | design).comparisons()


def test_likelihood_of_each_kind_of_data():
    assert isinstance(Problem(made()).joint("gamma").likelihood, PanelLikelihood)
    assert isinstance(Problem(made(), panel=False).joint("gamma").likelihood, LinkLikelihood)
    assert isinstance(Problem(made(respondents=0)).joint("gamma").likelihood, LinkLikelihood)
    assert isinstance(Problem(made(items=4)).joint("gamma").likelihood, UtilityLikelihood)
    assert isinstance(Problem(made(features=2)).joint("gamma").likelihood, UtilityLikelihood)


def test_prior_centre_is_one_over_the_margins_size():
    data = made()
    rms = float(data.margin.square().mean().sqrt())
    assert Problem(data).spec.centre == pytest.approx(1 / rms)
    assert Problem(data, priors=ml.Priors(mean=3.0)).spec.centre == 3.0
    assert Problem(made(items=4)).spec.centre == 1.0
    assert Problem(made(items=4)).spec.anchored


def test_latent_utilities_have_one_less_than_items():
    assert Problem(made(items=5)).spec.n_utilities == 4
    assert Problem(made(features=3)).spec.n_utilities == 3


def test_tables_are_made_once():
    problem = Problem(made())
    assert problem.table(signed=False, lapse=False) is problem.table(signed=False, lapse=False)
    assert problem.table(signed=True, lapse=False).grid.curvature is not None


def test_log_likelihood_of_fixed_strength_is_a_sum_over_votes():
    problem = Problem(made(ties=0.3))
    joint = problem.joint("fixed")
    theta = torch.tensor([[[0.2]]]).double()
    votes = problem.weight * torch.nn.functional.logsigmoid(theta.exp() * problem.margin)
    assert float(joint.log_likelihood(theta)) == pytest.approx(float(votes.sum()), abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "design", "message"),
    [
        (
            {"panel": True},
            {"respondents": 0},
            "A panel needs respondents. Name their column with --respondent.",
        ),
        ({"by": ["x"]}, {}, 'No group column "x". Group columns: none.'),
        ({"by": ["x"]}, {"groups": 2}, 'No group column "x". Group columns: group.'),
    ],
)
def test_refusals(arguments, design, message):
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        Problem(made(**design), **arguments)
