import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn.functional import logsigmoid

import mixlogit as ml
from mixlogit.models.evidence import weigh_evidence
from mixlogit.models.infer import infer
from mixlogit.models.problem import Problem

DATA = ml.simulate(300, 20, "lognormal", mean=1.0, cv=1.0, seed=7).comparisons()
MEANS = torch.linspace(-2.0, 2.0, 41).double()  # log mean less the prior's centre, in sd
CVS = torch.linspace(-6.0, 1.6, 58).double()  # log cv
LAPSES = (torch.arange(16).double() + 0.5) / 16 * 0.6


def log_likelihoods(problem, lapse):
    """Dense grid over log mean and log cv, lognormal strengths on 241 nodes: `mean x cv`."""
    z = torch.linspace(-7, 7, 61).double()
    weight = torch.softmax(-0.5 * z.square(), 0).log()
    sigma = torch.log1p((2 * CVS).exp()).sqrt()
    out = torch.empty(len(MEANS), len(CVS)).double()
    for i, shift in enumerate(MEANS + np.log(problem.spec.centre)):
        b = (shift - 0.5 * sigma.square()).unsqueeze(-1) + sigma.unsqueeze(-1) * z
        log_p = logsigmoid(b.exp().unsqueeze(-1) * problem.margin)
        if lapse:
            log_p = (lapse / 2 + (1 - lapse) * log_p.exp()).log()
        panels = torch.zeros(*b.shape, len(problem.units.block)).double()
        panels.index_add_(-1, problem.unit_of_row, log_p)
        out[i] = torch.logsumexp(panels + weight.unsqueeze(-1), 1).sum(-1)
    return out


def log_prior():
    cv = CVS.exp()
    log_cv = torch.as_tensor(stats.halfnorm.logpdf(cv)) + CVS
    normal = torch.as_tensor(stats.norm.logpdf(MEANS))
    cells = (MEANS[1] - MEANS[0]).log() + (CVS[1] - CVS[0]).log()
    return normal.unsqueeze(-1) + log_cv + cells


def test_marginal_likelihood_and_likelihood_ratio_against_a_dense_grid():
    problem = Problem(DATA)
    grid = log_likelihoods(problem, None)
    exact = float(torch.logsumexp((grid + log_prior()).flatten(), 0))
    joint = problem.joint("lognormal")
    found = infer(joint, chains=2, draws=1000, seed=0)
    assert float(found.log_evidence) == pytest.approx(exact, abs=0.05)
    weighed = weigh_evidence(problem, "lognormal", (joint, found), seed=0)
    ratio = 2 * float(grid.max() - grid[:, 0].max())
    assert weighed.likelihood_ratio == pytest.approx(ratio, abs=0.1)
    assert weighed.p_value == pytest.approx(0.5 * stats.chi2.sf(ratio, 1), rel=0.1)
    fixed = torch.logsumexp(grid[:, 0] + torch.as_tensor(stats.norm.logpdf(MEANS)), 0)
    fixed = float(fixed + (MEANS[1] - MEANS[0]).log())
    assert weighed.log_bayes_factor == pytest.approx(exact - fixed, abs=0.06)
    assert sum(weighed.probabilities.values()) == pytest.approx(1.0)
    assert weighed.by == "importance"
    assert weighed.to_dict()["lapse"] == weighed.lapse


def test_marginal_likelihood_with_lapse(monkeypatch):
    coarse = MEANS[::2], CVS[::2]
    monkeypatch.setitem(globals(), "MEANS", coarse[0])
    monkeypatch.setitem(globals(), "CVS", coarse[1])
    problem = Problem(DATA)
    log_lapse = torch.as_tensor(stats.beta.logpdf(LAPSES, 1, 9)) + np.log(0.6 / 16)
    grids = torch.stack([log_likelihoods(problem, float(lapse)) for lapse in LAPSES])
    total = grids + log_prior() + log_lapse.view(-1, 1, 1)
    exact = float(torch.logsumexp(total.flatten(), 0))
    found = infer(problem.joint("lognormal", lapse=True), chains=2, draws=1000, seed=0)
    assert float(found.log_evidence) == pytest.approx(exact, abs=0.05)


def test_no_likelihood_ratio_where_the_boundary_is_not_simple():
    data = ml.simulate(200, 20, groups=2, seed=1).comparisons()
    problem = Problem(data, by=["group"])
    joint = problem.joint("fixed")
    fitted = joint, infer(joint, chains=1, draws=200, method="evidence")
    weighed = weigh_evidence(problem, "classes", fitted)
    assert weighed.likelihood_ratio is None
    assert weighed.p_value is None
