import torch
from gaussian import LOG_EVIDENCE, MEAN, ROOT, gaussian

from mixlogit.models import infer as module
from mixlogit.models.infer import infer, root_of_covariance


def test_root_of_covariance():
    precision = torch.tensor([[[2.0, 0.3], [0.3, 1.0]]]).double()
    root = root_of_covariance(-precision)
    assert torch.allclose(root @ root.mT, torch.linalg.inv(precision))


def test_flat_directions_are_three_wide():
    root = root_of_covariance(torch.tensor([[[-4.0, 0.0], [0.0, 1e-9]]]).double())
    assert torch.allclose(
        (root @ root.mT).diagonal(dim1=-2, dim2=-1), torch.tensor([0.25, 9.0]).double()
    )


def test_gaussian_posterior_and_evidence():
    said = []
    found = infer(gaussian(), draws=1000, seed=1, progress=lambda *args: said.append(args))
    assert found.method == "importance"
    assert found.theta.shape == (4, 1000, 1, 3)
    flat = found.theta.flatten(0, 2)
    sd = (ROOT @ ROOT.T).diagonal().sqrt()
    assert bool(((flat.mean(0) - MEAN).abs() < 0.06 * sd).all())
    assert torch.allclose(flat.std(0), sd, rtol=0.08)
    assert abs(float(found.log_evidence) - LOG_EVIDENCE) < 0.03
    assert found.spread_of_modes < 1e-6
    assert {stage for stage, _, _ in said} == {"mode", "posterior"}


def test_evidence_by_laplace_is_exact_for_a_gaussian(monkeypatch):
    monkeypatch.setattr(module, "_HIGH", 2)
    found = infer(gaussian(), chains=1, draws=2000, method="evidence")
    assert found.method == "laplace"
    assert found.evidence_by == "laplace"
    assert abs(float(found.log_evidence) - LOG_EVIDENCE) < 1e-6


def test_nuts_where_importance_sampling_fails(monkeypatch):
    monkeypatch.setattr(module, "K_LIMIT", -10.0)
    short = module.nuts_draws
    monkeypatch.setattr(
        module, "nuts_draws", lambda *a, **k: short(*a, **k | {"warmup": 10, "draws": 20})
    )
    stages = []
    found = infer(gaussian(), chains=2, draws=200, progress=lambda *told: stages.append(told[0]))
    assert stages[-1] == "nuts, as the fast way is not enough"
    assert found.method == "nuts"
    assert found.theta.shape == (2, 20, 1, 3)
    assert found.evidence_by == "laplace"
    kept = infer(gaussian(), chains=2, draws=200, method="importance")
    assert kept.method == "importance"
    evidence = infer(gaussian(), chains=2, draws=200, method="evidence")
    assert evidence.evidence_by == "laplace"
