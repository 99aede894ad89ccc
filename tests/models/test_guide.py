import subprocess
import sys

import pytest
import torch
from gaussian import MEAN, ROOT, gaussian

import mixlogit as ml
from mixlogit.models.guide import FullRankGuide, fit_guide
from mixlogit.models.infer import root_of_covariance
from mixlogit.models.mode import find_mode
from mixlogit.models.problem import Problem


def test_gaussian_target_is_recovered_from_a_wrong_start():
    guide = FullRankGuide(gaussian(), MEAN.unsqueeze(0) + 0.4, 1.3 * ROOT.unsqueeze(0))
    trace = fit_guide(guide, steps=400)
    covariance = guide.scale_root()[0].detach()
    covariance = covariance @ covariance.T
    sd = (ROOT @ ROOT.T).diagonal().sqrt()
    assert bool(((guide.location()[0] - MEAN).abs() < 0.15 * sd).all())
    assert torch.allclose(covariance.diagonal().sqrt(), sd, rtol=0.15)
    assert trace[-1] > trace[0]


def test_laplace_of_a_gaussian_needs_no_long_search():
    guide = FullRankGuide(gaussian(), MEAN.unsqueeze(0), ROOT.unsqueeze(0))
    assert len(fit_guide(guide, steps=80)) < 80


def test_elbo_rises_on_data():
    data = ml.simulate(200, 20, "lognormal", mean=1.0, cv=0.5, seed=2).comparisons()
    joint = Problem(data).joint("lognormal")
    mode = find_mode(joint, joint.start())
    guide = FullRankGuide(joint, mode.theta - 0.5, root_of_covariance(mode.hessian))
    trace = fit_guide(guide, steps=80)
    assert sum(trace[-10:]) / 10 > sum(trace[:10]) / 10 + 0.2


@pytest.mark.slow
def test_a_fit_does_without_torch_s_compiler_and_sympy():
    """Both are imported late by parts of torch, and cost more than a small fit."""
    code = (
        "import sys, mixlogit as ml\n"
        "ml.fit(ml.simulate(200, 20, seed=1).comparisons(), evidence=False, draws=400)\n"
        "print(sorted({'torch._dynamo', 'sympy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
