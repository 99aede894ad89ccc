import torch
from gaussian import LOG_EVIDENCE, MEAN, ROOT, gaussian

from mixlogit.models.importance import importance_draws


def weighted(location, root, seed=0):
    return importance_draws(
        gaussian(),
        location.unsqueeze(0),
        root.unsqueeze(0),
        proposals=4000,
        draws=3000,
        generator=torch.Generator().manual_seed(seed),
    )


def check(found, tolerance):
    draws = found.theta[:, 0]
    sd = (ROOT @ ROOT.T).diagonal().sqrt()
    assert bool(((draws.mean(0) - MEAN).abs() < tolerance * sd).all())
    assert torch.allclose(draws.std(0), sd, rtol=2 * tolerance)
    assert torch.allclose(
        torch.corrcoef(draws.T)[0, 1], torch.tensor(0.8).double(), atol=tolerance
    )
    assert abs(float(found.log_evidence) - LOG_EVIDENCE) < tolerance


def test_moments_and_evidence_with_the_right_guide():
    found = weighted(MEAN, ROOT)
    check(found, 0.06)
    assert float(found.k_hat) < 0.5
    assert float(found.effective) > 2500


def test_a_guide_off_and_narrow_is_repaired():
    found = weighted(MEAN + 0.3, 0.8 * ROOT)
    check(found, 0.15)
    assert float(found.k_hat) < 0.7
    assert float(found.effective) > 1000


def test_shapes_and_seeds():
    one, two, three = weighted(MEAN, ROOT, 1), weighted(MEAN, ROOT, 1), weighted(MEAN, ROOT, 2)
    assert one.theta.shape == (3000, 1, 3)
    assert one.log_weight.shape == (4000, 1)
    assert torch.equal(one.theta, two.theta)
    assert not torch.equal(one.theta, three.theta)
