import warnings

import pytest
import torch

from mixlogit.models.psis import pareto_smooth


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("n", [200, 2000])
def test_agrees_with_arviz(scale, n):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from arviz import psislw
    generator = torch.Generator().manual_seed(n)
    log_weight = scale * torch.randn(3, n, generator=generator, dtype=torch.float64)
    smoothed, k = pareto_smooth(log_weight)
    for row in range(3):
        theirs, k_theirs = psislw(log_weight[row].numpy())
        assert abs(float(k[row]) - float(k_theirs)) < 1e-6
        assert torch.allclose(smoothed[row], torch.as_tensor(theirs), atol=1e-6)


def test_weights_are_normalised_and_keep_their_order():
    log_weight = 3 * torch.randn(500, dtype=torch.float64)
    smoothed, _ = pareto_smooth(log_weight)
    assert torch.allclose(smoothed.exp().sum(), torch.tensor(1.0).double())
    order = log_weight.argsort()
    assert bool((smoothed[order].diff() >= -1e-12).all())


def test_equal_weights_have_nothing_to_smooth():
    smoothed, k = pareto_smooth(torch.full((100,), 3.0).double())
    assert float(k) == -torch.inf
    assert torch.allclose(smoothed.exp(), torch.full((100,), 0.01).double())


def test_heavy_tails_are_seen():
    u = torch.rand(4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for shape in (0.3, 0.9):
        assert abs(float(pareto_smooth(-shape * u.log())[1]) - shape) < 0.15
