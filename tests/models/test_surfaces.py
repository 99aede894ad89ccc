"""Surfaces: integrals and draws against closed forms."""

import math

import torch
from torch.distributions import Normal

from mixlogit.models.surfaces import Axis, Surfaces

AXES = [Axis(-6.0, 0.25, 49), Axis(-3.5, 0.25, 23)]
PEAKS = torch.tensor([[-0.4, -0.6], [0.8, 0.1]]).double()
WIDTHS = torch.tensor([[0.3, 0.25], [0.06, 0.2]]).double()  # one narrower than the grid's step


def gaussian(log_mean: torch.Tensor, log_cv: torch.Tensor) -> torch.Tensor:
    at = torch.stack([log_mean, log_cv], -1).unsqueeze(1)
    return 3.0 - 0.5 * ((at - PEAKS) / WIDTHS).square().sum(-1)


def populations() -> Normal:
    """Wide, of the width of a step, and so narrow that no node lies in it."""
    centre = torch.tensor([[0.1, -0.4]]).double().repeat(3, 1)
    return Normal(centre, torch.tensor([[0.6, 0.5], [0.3, 0.02], [0.31, 1e-5]]).double())


def test_gaussian_surfaces_integrate_to_the_closed_form() -> None:
    population = populations()
    scale = (population.scale.unsqueeze(1).square() + WIDTHS.square()).sqrt()
    exact = Normal(population.loc.unsqueeze(1), scale).log_prob(PEAKS)
    exact = (exact + 0.5 * math.log(2 * math.pi) + WIDTHS.log()).sum(-1) + 3.0
    found = Surfaces(gaussian, AXES, [48, 160])(population)
    torch.testing.assert_close(found, exact, atol=2e-4, rtol=0)


def test_draws_have_the_moments_of_the_closed_form() -> None:
    n = 5000
    surfaces = Surfaces(gaussian, AXES, [48, 160])
    for loc, scale in zip(populations().loc, populations().scale, strict=True):
        population = Normal(loc.expand(n, 2), scale.expand(n, 2))
        z = surfaces.draw(population, torch.Generator().manual_seed(1))
        assert z.shape == (2, n, 2)  # axis, draw, label
        pull = scale.square() / (scale.square() + WIDTHS.square())  # label x axis
        mean, sd = ((PEAKS - loc) * pull / scale).T, (1 - pull).sqrt().T
        assert ((z.mean(1) - mean) / sd).abs().max() < 5 / math.sqrt(n)
        assert (z.std(1) / sd - 1).abs().max() < 0.05


def test_a_flat_surface_leaves_the_prior() -> None:
    flat = Surfaces(lambda m, c: torch.zeros(len(m), 1).double(), AXES[:1], [48])
    population = Normal(torch.zeros(5000, 1).double(), torch.full((5000, 1), 3.0).double())
    torch.testing.assert_close(flat(population), torch.zeros(5000, 1).double(), atol=1e-3, rtol=0)
    z = flat.draw(population, torch.Generator().manual_seed(2))
    assert abs(float(z.mean())) < 0.07
    assert abs(float(z.std()) - 1) < 0.05


def test_a_population_beyond_an_open_end_keeps_its_shape() -> None:
    flat = Surfaces(lambda m, c: torch.zeros(len(m), 1).double(), AXES, [48, 160])
    for log_cv in (-5.4, -3.5, 1.9, 4.0):
        centre = torch.tensor([0.0, log_cv]).double().expand(4000, 2)
        population = Normal(centre, torch.full((4000, 2), 0.14).double())
        z = flat.draw(population, torch.Generator().manual_seed(3))[1]
        assert abs(float(z.mean())) < 0.08
        assert abs(float(z.std()) - 1) < 0.06


def test_gradients_and_curvatures_are_finite() -> None:
    surfaces = Surfaces(gaussian, AXES, [48, 160])

    def total(scale: torch.Tensor) -> torch.Tensor:
        centre = torch.tensor([[0.1, -0.4]]).double()
        return surfaces(Normal(centre, scale.unsqueeze(0), validate_args=False)).sum()

    for scale in populations().scale:
        assert torch.autograd.functional.hessian(total, scale).isfinite().all()
