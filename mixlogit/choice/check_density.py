"""Contracts about the distribution of strength itself: density and tails, or atoms."""

import torch

from mixlogit.choice.contract import Contract, close, margins, require
from mixlogit.choice.family import StrengthFamily
from mixlogit.choice.quadrature import quadrature_rule

__all__ = ["DENSITY_CONTRACTS"]

_SHARES = (0.001, 0.1, 0.5, 0.9, 0.999)


def _points(family: StrengthFamily) -> tuple[torch.Tensor, torch.Tensor]:
    """Shares, and the coordinate below which each lies."""
    q = torch.tensor(_SHARES, dtype=torch.float64)
    q = q.reshape(-1, *[1] * len(family.batch_shape))
    strength = family.quantile(q).detach()
    return q, strength.log() if family.coordinate == "log" else strength


def has_density(family: StrengthFamily) -> None:
    """The density integrates to 1, with the stated moments of coordinate and strength."""
    if family.atoms is not None:
        return
    location, scale = family.location_scale()
    u, log_weight = quadrature_rule(family.log_density, location, scale, 513)
    weight = (log_weight + family.log_density(u)).exp()
    close(weight.sum(0), torch.ones_like(location), 1e-8, "integral of the density")
    b = u.exp() if family.coordinate == "log" else u
    mean = (weight * u).sum(0)
    close(mean, location, 1e-7, "mean of the coordinate")
    close((weight * (u - mean) ** 2).sum(0).sqrt(), scale, 1e-7, "sd of the coordinate")
    close((weight * b).sum(0) / family.mean, torch.ones_like(mean), 1e-7, "mean strength")
    sd = (weight * (b - family.mean) ** 2).sum(0).sqrt()
    close(sd / family.sd, torch.ones_like(sd), 1e-6, "sd of strength")


def agrees_with_quadrature(family: StrengthFamily) -> None:
    """The choice probability is the integral over the density, or the sum over the atoms."""
    margin = margins(family)
    if family.atoms is not None:
        strengths, log_shares = family.atoms
        reward = strengths * margin.unsqueeze(-1)
        expected = torch.logsumexp(log_shares + torch.nn.functional.logsigmoid(reward), -1)
    else:
        expected = StrengthFamily._log_choice_prob(family, margin, None)
    close(family.log_choice_prob(margin), expected, 1e-8, "log p against quadrature")


def has_tails(family: StrengthFamily) -> None:
    """Tails are complementary, agree with the density, and are differentiable."""
    if family.atoms is not None:
        return
    _, u = _points(family)
    low, high = family.log_tails(u, u)
    close(low.exp() + high.exp(), torch.ones_like(low), 1e-9, "sum of the two tails")
    numeric = StrengthFamily.log_tails(family, u, u)
    close(low, numeric[0], 1e-7, "log lower tail against quadrature")
    close(high, numeric[1], 1e-7, "log upper tail against quadrature")


def inverts_quantiles(family: StrengthFamily) -> None:
    """A share q of the population lies below the quantile of q."""
    q, u = _points(family)
    require(u.diff(dim=0) >= 0, "Expected quantiles to rise with the share.")
    if family.atoms is None:
        low, _ = family.log_tails(u, u)
        close(low.exp() / q, torch.ones_like(low), 1e-6, "share below the quantile / share")


def has_atoms(family: StrengthFamily) -> None:
    """Shares of the atoms sum to 1 and give the mean."""
    if family.atoms is None:
        return
    strengths, log_shares = family.atoms
    shares = log_shares.exp()
    close(shares.sum(-1), torch.ones_like(family.mean), 1e-6, "sum of the shares")
    close((shares * strengths).sum(-1), family.mean, 1e-9, "mean of the atoms")


DENSITY_CONTRACTS: tuple[Contract, ...] = (
    has_density,
    agrees_with_quadrature,
    has_tails,
    inverts_quantiles,
    has_atoms,
)
