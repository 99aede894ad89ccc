import torch
from gaussian import MEAN, ROOT, gaussian

from mixlogit.models.nuts import nuts_draws


def test_gaussian_target():
    steps = []
    draws = nuts_draws(
        gaussian(),
        MEAN.unsqueeze(0) + 0.3,
        0.8 * ROOT.unsqueeze(0),
        chains=2,
        warmup=50,
        draws=200,
        seed=0,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert draws.shape == (2, 200, 3)
    flat, sd = draws.flatten(0, 1), (ROOT @ ROOT.T).diagonal().sqrt()
    assert bool(((flat.mean(0) - MEAN).abs() < 0.25 * sd).all())
    assert torch.allclose(flat.std(0), sd, rtol=0.2)
    assert steps[-1] == (500, 500)
