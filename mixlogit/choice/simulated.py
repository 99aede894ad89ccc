"""The likelihood of random tastes, simulated.

Draws of each respondent's own, analytic derivatives, memory bounded by blocks.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from scipy.stats import qmc
from torch import Tensor

from mixlogit.choice.lapsing_sets import bordered
from mixlogit.choice.panel_sets import Block, Moments
from mixlogit.choice.proposals import Proposals
from mixlogit.choice.tastes import Coefficients, TasteDesign
from mixlogit.errors import UsageError

__all__ = ["Evaluation", "Sampling", "SimulatedLikelihood", "normal_points"]

Sampling = Literal["adaptive", "sobol", "halton"]
_STEPS, _FLATTEST = 20, 0.1  # most steps to a mode, and the least curvature there
_PILOTS = 2  # rounds in which the proposals take up the moments of weighted draws


def normal_points(
    respondents: int, draws: int, latent: int, sampling: Sampling, seed: int
) -> Tensor:
    """Standard normal points of low discrepancy: `respondent x draw x latent`.

    Successive stretches of one sequence: scrambled Sobol, or Halton as it is usual for mixed
    logit (Train 2009, section 9.3.3: no scrambling, the first 100 left out; `seed` leaves out
    so many stretches more).

    Args:
        respondents: Number of respondents.
        draws: Draws of each; for Sobol best a power of two.
        latent: Number of dimensions.
        sampling: "adaptive" and "sobol" use Sobol points.
        seed: Seed of the scrambling.

    Example:
        >>> points = normal_points(2, 64, 3, "sobol", seed=0)
        >>> points.shape, bool(points.mean().abs() < 0.02)
        (torch.Size([2, 64, 3]), True)
    """
    n = respondents * draws
    if sampling == "halton":
        engine: qmc.QMCEngine = qmc.Halton(latent, scramble=False)
        engine.fast_forward(100 + seed * n)
        points = engine.random(n)
    else:
        engine = qmc.Sobol(latent, scramble=True, rng=seed, bits=62)
        points = engine.random_base2(math.ceil(math.log2(n)))[:n]
    q = torch.from_numpy(points).clamp(1e-12, 1 - 1e-12).view(respondents, draws, latent)
    normal: Tensor = torch.special.ndtri(q)
    return normal


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Simulated log-likelihood at one parameter value.

    Attributes:
        value: Of each respondent, nats.
        score: `respondent x parameter`; None if not asked.
        hessian: `parameter x parameter`, summed over respondents; None if not asked.
    """

    value: Tensor
    score: Tensor | None = None
    hessian: Tensor | None = None


class SimulatedLikelihood:
    r"""Panel likelihood of random tastes by simulation.

    For respondent a with standard normals z,

    .. math::
        \hat p_a = \frac1D \sum_d \frac{\phi(z_{ad})}{q_a(z_{ad})} \prod_t P_t(c(z_{ad}))

    The gradient of `log p_a` is the average of per-draw scores with weights proportional to the
    terms of the sum, and its Hessian the weighted average of per-draw Hessians plus the
    covariance of the scores (Louis 1982), so no graph over draws is kept.

    Plain draws have q = phi. Adaptive ones are importance draws from a normal of each
    respondent's own: first at the mode with the inverse curvature there, then twice with the
    mean and covariance that other draws gave (Naylor and Smith 1982). A signed strength may give
    two modes, of which half the draws each are taken. `adapt` finds them; afterwards the draws
    stay where they are, so that the likelihood is a smooth function.

    Args:
        blocks: The choice sets.
        design: Which coefficients are random.
        draws: Draws of each respondent, and of each class of strength.
        sampling: "adaptive", or draws from the population: "sobol", "halton".
        seed: Seed.
        covariates: `respondent x covariate`, where the design has any.

    Raises:
        UsageError: For fewer than 2 draws or a sampling that there is not.
    """

    def __init__(
        self,
        blocks: list[Block],
        design: TasteDesign,
        *,
        draws: int = 128,
        sampling: Sampling = "adaptive",
        seed: int = 0,
        covariates: Tensor | None = None,
    ) -> None:
        if draws < 2:
            raise UsageError(f"Expected at least 2 draws of each respondent but got {draws}.")
        if sampling not in ("adaptive", "sobol", "halton"):
            raise UsageError(
                f'Expected sampling "adaptive", "sobol" or "halton" but got "{sampling}".'
            )
        self.blocks, self.design, self.sampling = blocks, design, sampling
        self.n_respondents = sum(len(block.respondent) for block in blocks)
        self.draws, self.seed, self.covariates = draws, seed, covariates
        # independent of each other: proposals fitted to the very draws they weight are biased
        pilots = _PILOTS if sampling == "adaptive" else 0
        self._points, *self._pilots = (
            normal_points(self.n_respondents, draws, design.n_latent, sampling, seed + 7919 * k)
            for k in range(1 + pilots)
        )
        copies = design.copies
        self.z = self._points.repeat(1, copies, 1)
        self.log_weight = torch.full(
            (self.n_respondents, draws * copies), -math.log(draws)
        ).double()
        self._feature, self._column = design.index()

    def with_seed(self, seed: int, psi: Tensor) -> "SimulatedLikelihood":
        """The same with other random points, adapted at a parameter value."""
        other = SimulatedLikelihood(
            self.blocks,
            self.design,
            draws=self.draws,
            sampling=self.sampling,
            seed=seed,
            covariates=self.covariates,
        )
        other.adapt(psi)
        return other

    def adapt(self, psi: Tensor) -> None:
        """Move adaptive draws to each respondent's mode at a parameter value."""
        if self.sampling != "adaptive":
            return
        for block in self.blocks:
            who = block.respondent
            proposals = self._laplace(block, psi)
            for pilot in self._pilots:
                z, log_weight = proposals.draws(pilot[who])
                value = block.moments(self._at(block, psi, z).value).value
                proposals = proposals.matched(z, value + log_weight)
            self.z[who], self.log_weight[who] = proposals.draws(self._points[who])

    def _at(self, block: Block, psi: Tensor, z: Tensor) -> Coefficients:
        """Coefficients of a block's respondents at `respondent x draw x latent` normals."""
        x = None if self.covariates is None else self.covariates[block.respondent]
        return self.design.at(psi, z, x)

    def _laplace(self, block: Block, psi: Tensor) -> Proposals:
        """Modes of each respondent's normals, in each class, and the inverse curvature there."""
        starts, copies = self.design.starts(psi), self.design.copies
        shape = len(block.respondent), max(copies, len(starts)), self.design.n_latent
        z = mode = step = torch.zeros(shape, dtype=torch.float64)
        if len(starts) > 1:
            z = mode = z.clone()
            z[..., 0] = torch.tensor(starts, dtype=torch.float64)
        highest = torch.full(shape[:-1], -torch.inf, dtype=torch.float64)
        kept = torch.eye(shape[-1], dtype=torch.float64).expand(*shape, -1)
        for _ in range(_STEPS):
            at = self._at(block, psi, z)
            found = block.moments(at.value, 2)
            height = found.value - 0.5 * z.square().sum(-1)
            higher = (height >= highest - 1e-9).unsqueeze(-1)
            gradient, precision = self._slopes(psi, at, found, z)
            newton = torch.linalg.solve(precision, gradient)
            newton = newton * (2.0 / newton.norm(dim=-1, keepdim=True).clamp_min(2.0))
            step = torch.where(higher, newton, 0.5 * step)
            kept = torch.where(higher.unsqueeze(-1), precision, kept)
            mode = torch.where(higher, z, mode)
            highest = torch.where(higher.squeeze(-1), height, highest)
            z = mode + step
            if float(step.norm(dim=-1).max()) < 1e-6:
                break
        root = torch.linalg.inv(torch.linalg.cholesky(kept)).mT
        return Proposals(mode, root, mixture=len(starts) > 1)

    def _slopes(
        self, psi: Tensor, at: Coefficients, found: Moments, z: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Gradient and negative curvature of the log density of normals, made positive."""
        assert found.score is not None
        assert found.bend is not None
        k, jacobian = at.along.shape[-1], self.design.latent_jacobian(psi, at)
        gradient = (found.score[..., None, :k] @ jacobian).squeeze(-2) - z
        eye = torch.eye(z.shape[-1], dtype=torch.float64)
        precision = eye - jacobian.mT @ found.bend[..., :k, :k] @ jacobian
        bent = torch.linalg.cholesky_ex(precision - _FLATTEST * eye).info > 0
        if bool(bent.any()):
            values, vectors = torch.linalg.eigh(precision[bent])
            values = values.abs().clamp_min(_FLATTEST).unsqueeze(-2)
            precision[bent] = (vectors * values) @ vectors.mT
        return gradient, precision

    def evaluate(self, psi: Tensor, order: int = 0) -> Evaluation:
        """Log-likelihood of each respondent and, if asked, derivatives in the parameters.

        Args:
            psi: Population parameters, as `TasteDesign.names`.
            order: 0 for the value, 1 for scores too, 2 for the Hessian too.
        """
        size = self.design.size
        value = torch.empty(self.n_respondents, dtype=torch.float64)
        score = torch.empty(self.n_respondents, size, dtype=torch.float64)
        hessian = torch.zeros(size, size, dtype=torch.float64)
        with torch.no_grad():
            for block in self.blocks:
                who = block.respondent
                at = self._at(block, psi, self.z[who])
                found = block.moments(at.value, order)
                log_f = found.value + self.log_weight[who] + at.log_mass
                value[who] = torch.logsumexp(log_f, -1)
                if order == 0:
                    continue
                weight = torch.softmax(log_f, -1)
                assert found.score is not None
                each = self._scores(at, found.score)
                mean = (weight.unsqueeze(1) @ each).squeeze(1)
                score[who] = mean
                if order == 2:
                    assert found.bend is not None
                    hessian += self._hessian(at, found.score, found.bend, weight)
                    rooted = (each * weight.sqrt().unsqueeze(-1)).flatten(0, 1)
                    hessian += rooted.T @ rooted - mean.T @ mean
        if order == 0:
            return Evaluation(value)
        return Evaluation(value, score, hessian if order == 2 else None)

    def _scores(self, at: Coefficients, score: Tensor) -> Tensor:
        """Score of each draw in the parameters: `respondent x draw x parameter`."""
        k = at.along.shape[-1]
        own, outcome = score[..., :k], score[..., k:]
        parts = [(own * at.slope)[..., self._feature] * at.basis[..., self._column]]
        if at.strength is not None:
            b = at.strength
            parts.append((own * at.along).sum(-1, keepdim=True) * b.slope + b.mass_slope)
        return torch.cat([*parts, outcome], -1)

    def _hessian(self, at: Coefficients, score: Tensor, bend: Tensor, weight: Tensor) -> Tensor:
        """Weighted average of the per-draw Hessians, summed over respondents."""
        k = at.along.shape[-1]
        own, inner, outer = score[..., :k], bend[..., :k, :k], bend[..., :k, k:]
        basis = at.basis.flatten(0, 1)

        def by_parameter(values: Tensor) -> Tensor:
            """Sum of `respondent x draw x own` times each parameter's column of the basis."""
            return (values.flatten(0, 1).T @ basis)[self._feature, self._column]

        def averaged(values: Tensor) -> Tensor:
            """Weighted sum over respondents and draws."""
            return torch.einsum("ad,ad...->...", weight, values)

        tastes = self._taste_block(inner, own * at.bend, at.slope, basis, weight)
        moved = weight.unsqueeze(-1) * at.slope
        crossed = [by_parameter(moved * column) for column in outer.unbind(-1)]
        corner = averaged(bend[..., k:, k:])
        if at.strength is not None:
            s = at.strength
            through = (inner @ at.along.unsqueeze(-1)).squeeze(-1)
            turned = (through * at.slope + own * at.mixed) * weight.unsqueeze(-1)
            columns = [by_parameter(turned * one.unsqueeze(-1)) for one in s.slope.unbind(-1)]
            crossed = columns + crossed
            curve = (at.along * through).sum(-1)[..., None, None]
            linear = (own * at.along).sum(-1)[..., None, None]
            square = s.slope.unsqueeze(-1) * s.slope.unsqueeze(-2)
            top = averaged(curve * square + linear * s.bend + s.mass_bend)
            side = (at.along.unsqueeze(-2) @ outer).squeeze(-2)
            beside = averaged(s.slope.unsqueeze(-1) * side.unsqueeze(-2))
            corner = bordered(top, beside, corner)
        if not crossed:
            return tastes
        return bordered(tastes, torch.stack(crossed, -1), corner)

    def _taste_block(
        self, inner: Tensor, bend: Tensor, slope: Tensor, basis: Tensor, weight: Tensor
    ) -> Tensor:
        """Weighted sum of the per-draw Hessians in the parameters of tastes."""
        f, c = self._feature, self._column
        scaled = inner * slope.unsqueeze(-1) * slope.unsqueeze(-2) + torch.diag_embed(bend)
        scaled = (scaled * weight[..., None, None]).flatten(0, 1)
        columns, k = basis.shape[-1], inner.shape[-1]
        outer = (basis.unsqueeze(-1) * basis.unsqueeze(-2)).flatten(1)
        total = (scaled.flatten(1).T @ outer).view(k, k, columns, columns)
        return total[f.unsqueeze(-1), f, c.unsqueeze(-1), c]

    def weights(self, psi: Tensor) -> Tensor:
        """Posterior weights of each respondent's draws, `respondent x draw`."""
        out = torch.empty_like(self.log_weight)
        for block in self.blocks:
            who = block.respondent
            out[who] = self._weighted(block, self._at(block, psi, self.z[who]))
        return out

    def _weighted(self, block: Block, at: Coefficients) -> Tensor:
        """Posterior weights of the draws of a block's respondents."""
        value = block.moments(at.value).value
        return torch.softmax(value + self.log_weight[block.respondent] + at.log_mass, -1)

    def tastes(self, psi: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Each respondent's posterior: mean and sd of coefficients, strength, draws in effect.

        Returns:
            Mean and sd of strength times taste, both `respondent x feature`; mean strength and
            the effective number of draws, both `respondent`-vectors.
        """
        k = len(self.design.features)
        mean = torch.empty(self.n_respondents, k, dtype=torch.float64)
        square = torch.empty_like(mean)
        strength = torch.ones(self.n_respondents, dtype=torch.float64)
        effective = torch.empty_like(strength)
        with torch.no_grad():
            for block in self.blocks:
                who = block.respondent
                at = self._at(block, psi, self.z[who])
                weight = self._weighted(block, at)
                value = at.value[..., :k]
                mean[who] = (weight.unsqueeze(1) @ value).squeeze(1)
                square[who] = (weight.unsqueeze(1) @ value.square()).squeeze(1)
                effective[who] = 1.0 / weight.square().sum(-1)
                if at.strength is not None:
                    strength[who] = (weight * at.strength.value).sum(-1)
        return mean, (square - mean.square()).clamp_min(0.0).sqrt(), strength, effective
