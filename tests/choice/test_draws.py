"""Monte Carlo draws."""

import pytest
import torch
from torch.nn.functional import logsigmoid

from mixlogit.choice.draws import log_mean_choice_prob, uniforms


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("sampling", ["plain", "antithetic", "sobol"])
def test_uniforms_are_uniform_fresh_and_seeded(sampling: str) -> None:
    q = uniforms(64, torch.Size([500]), sampling, seeded())
    assert q.shape == (64, 500)
    assert ((q > 0) & (q < 1)).all()
    assert torch.equal(q, uniforms(64, torch.Size([500]), sampling, seeded()))
    assert not torch.equal(q[:, 0], q[:, 1])
    assert q.mean().item() == pytest.approx(0.5, abs=0.01)
    assert ((q - 0.5) ** 2).mean().item() == pytest.approx(1 / 12, abs=0.005)


def test_antithetic_and_sobol_are_balanced() -> None:
    q = uniforms(8, torch.Size([3]), "antithetic", seeded())
    torch.testing.assert_close(q.mean(0), torch.full((3,), 0.5, dtype=torch.float64))
    sobol = uniforms(8, torch.Size([3]), "sobol", seeded())
    cells = (sobol * 8).floor().sort(dim=0).values
    assert (cells == torch.arange(8).unsqueeze(1)).all()


def test_mean_of_draws_is_accurate_in_both_tails() -> None:
    strength = torch.tensor([1.0, 1.0], dtype=torch.float64)
    margin = torch.tensor([-800.0, -1.0, 0.0, 1.0, 50.0], dtype=torch.float64)
    actual = log_mean_choice_prob(strength.unsqueeze(1), margin)
    torch.testing.assert_close(actual, logsigmoid(margin), rtol=1e-14, atol=0)
