"""Normal proposals of each respondent's own, for importance draws of random tastes."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Proposals"]

_WIDER = 1.25  # how much wider than the normal approximation draws are
_TRUST = 5.0  # effective draws a dimension at which these count as much as what was before


@dataclass(frozen=True, eq=False)
class Proposals:
    """Normal distributions around the modes of each respondent.

    Either one for each class of strength, with draws of its own for each, or, where the posterior
    of a respondent may have two modes (a signed strength: weak and for, or weak and against), a
    mixture of as many of equal weight, which share the draws.

    Attributes:
        mode: `respondent x component x latent`.
        root: Roots of the covariances, `respondent x component x latent x latent`.
        mixture: Whether the components are those of a mixture.
    """

    mode: Tensor
    root: Tensor
    mixture: bool

    def draws(self, eps: Tensor) -> tuple[Tensor, Tensor]:
        """Draws, those of one component after another, and their log weights over their number.

        Args:
            eps: Standard normals, `respondent x draw x latent`.

        Returns:
            `respondent x (component, draw) x latent` for classes, `respondent x draw x latent`
            for a mixture; and the log weights of these.
        """
        wide = _WIDER * self.root
        if not self.mixture:
            z = self.mode.unsqueeze(2) + eps.unsqueeze(1) @ wide.mT
            log_q = -0.5 * eps.square().sum(-1).unsqueeze(1) - _log_volume(wide).unsqueeze(-1)
            z, log_q = z.flatten(1, 2), log_q.flatten(1)
        else:
            shares = eps.tensor_split(self.mode.shape[1], 1)
            around = zip(shares, self.mode.unbind(1), wide.unbind(1), strict=True)
            z = torch.cat([m.unsqueeze(1) + part @ w.mT for part, m, w in around], 1)
            log_q = self._log_densities(z).logsumexp(1) - math.log(self.mode.shape[1])
        return z, -0.5 * z.square().sum(-1) - log_q - math.log(eps.shape[1])

    def _log_densities(self, z: Tensor) -> Tensor:
        """Of each component but for a constant, `respondent x component x draw`."""
        wide = _WIDER * self.root
        away = (z.unsqueeze(1) - self.mode.unsqueeze(2)).mT
        white: Tensor = torch.linalg.solve(wide, away)
        return -0.5 * white.square().sum(-2) - _log_volume(wide).unsqueeze(-1)

    def matched(self, z: Tensor, log_f: Tensor) -> "Proposals":
        """With the means and covariances of weighted draws, as far as those can be trusted.

        Draws of a mixture count for each component by the odds that it made them.

        Args:
            z: Draws, as `draws` gives them.
            log_f: Logs of their weights.
        """
        people, components, latent = self.mode.shape
        if self.mixture:
            log_f = log_f.unsqueeze(1) + torch.log_softmax(self._log_densities(z), 1)
            z = z.unsqueeze(1)
        else:
            log_f = log_f.view(people, components, -1)
            z = z.view(people, components, -1, latent)
        weight = torch.softmax(log_f, -1)
        effective = 1.0 / weight.square().sum(-1)
        trust = (effective / (effective + _TRUST * latent)).unsqueeze(-1)
        mean = (weight.unsqueeze(-1) * z).sum(2)
        away = z - mean.unsqueeze(2)
        covariance = (away * weight.unsqueeze(-1)).mT @ away
        share = trust.unsqueeze(-1)
        mixed = share * covariance + (1.0 - share) * (self.root @ self.root.mT)
        root = torch.linalg.cholesky(mixed)
        return Proposals(self.mode + trust * (mean - self.mode), root, self.mixture)


def _log_volume(root: Tensor) -> Tensor:
    """Log determinants of roots."""
    volume: Tensor = torch.linalg.slogdet(root)[1]
    return volume
