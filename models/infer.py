"""Inference: mode and Hessian, full-rank guide, importance resampling, NUTS where needed."""

import math
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from mixlogit.models.curvature import utility_hessian
from mixlogit.models.guide import PARTICLES, FullRankGuide, fit_guide
from mixlogit.models.importance import Weighted, importance_draws
from mixlogit.models.joint import LogJoint
from mixlogit.models.mode import Mode, find_mode
from mixlogit.models.nested import nested
from mixlogit.models.nuts import nuts_draws
from mixlogit.models.psis import pareto_smooth
from mixlogit.models.refine import refined_draws
from mixlogit.models.rough import rough_modes
from mixlogit.run.progress import Progress, silent

__all__ = ["K_LIMIT", "Inferred", "Progress", "Sampler", "infer", "root_of_covariance"]

K_LIMIT, _FEW = 0.7, 100.0
_HIGH = 60  # more parameters than this and importance sampling is not tried

Method = Literal["auto", "importance", "nuts", "laplace", "evidence", "svi"]


@dataclass(frozen=True, eq=False)
class Inferred:
    """Draws of the population parameters, and how they were come by.

    Attributes:
        theta: `chain x draw x replicate x parameter`; chains are independent restarts.
        mode: The best mode.
        method: "importance", "nuts" or "laplace".
        k_hat: Pareto k of all restarts' weights, `replicate`; NaN where it was not tried.
        effective: Effective proposal draws, summed over restarts, `replicate`.
        log_evidence: Log marginal likelihood, `replicate`, nats.
        evidence_by: "importance" or "laplace".
        elbo: ELBO at each step, nats, a mean over restarts.
        mode_seconds: Wall seconds until the modes were found.
        spread_of_modes: Largest difference of the restarts' log densities, nats.
    """

    theta: Tensor
    mode: Mode
    method: str
    k_hat: Tensor
    effective: Tensor
    log_evidence: Tensor
    evidence_by: str
    elbo: list[float]
    spread_of_modes: float
    mode_seconds: float = 0.0

    def evidence(self) -> dict[str, float | str] | None:
        """Log marginal likelihood of one data set, and how it was found, for the record."""
        if self.evidence_by == "none":
            return None
        return {"estimate": float(self.log_evidence[0]), "by": self.evidence_by}


@dataclass(frozen=True)
class Sampler:
    """How a posterior is drawn.

    Attributes:
        method: As for `infer`.
        evidence: Whether simpler models are fitted too, to be weighed against it.
        draws: Draws of each chain.
        chains: Restarts.
        seed: Seed.
        progress: Called with a stage, steps done and steps in all.
    """

    method: Method
    evidence: bool
    draws: int
    chains: int
    seed: int
    progress: Progress | None

    def infer(self, joint: LogJoint, method: Method | None = None) -> Inferred:
        """Posterior draws of a program, by another method if one is given."""
        return infer(
            joint,
            chains=self.chains,
            draws=self.draws,
            seed=self.seed,
            method=method or self.method,
            progress=self.progress,
        )


def root_of_covariance(hessian: Tensor) -> Tensor:
    """Root of the Laplace covariance, `replicate x parameter x parameter`.

    Directions that the posterior does not bend in get a standard deviation of 3, wide for a
    logarithm or a standardised effect.
    """
    values, vectors = torch.linalg.eigh(-hessian)
    root: Tensor = vectors * values.clamp_min(1.0 / 9.0).rsqrt().unsqueeze(-2)
    return root


def infer(
    joint: LogJoint,
    *,
    chains: int = 4,
    draws: int = 1000,
    seed: int = 0,
    method: Method = "auto",
    progress: Progress | None = None,
) -> Inferred:
    """Posterior draws of a program's parameters.

    Args:
        joint: The program.
        chains: Independent restarts: own starting point, guide and proposals.
        draws: Draws of each chain.
        seed: Seed.
        method: "auto" (importance resampling; NUTS where Pareto k > 0.7 or effective draws are
            fewer than 100), "importance", "nuts", "laplace" (the normal approximation at the
            mode) or "evidence" (never NUTS: where importance resampling fails the Laplace
            approximation stands).
        progress: Called with a stage, steps done and steps in all.

    Effects of one group column are integrated out first (`nested.py`).
    """
    generator = torch.Generator().manual_seed(seed)
    common = nested(joint)
    if common is not None:
        found = infer(
            common, chains=chains, draws=draws, seed=seed, method=method, progress=progress
        )
        theta = common.completed(found.theta, generator)
        return replace(found, theta=theta, mode=common.mode_of_whole(found.mode, theta))
    say = progress or silent
    best, spread, seconds = _best_mode(joint, chains, generator, say)
    root = root_of_covariance(best.hessian)
    out = _laplace(joint, best, root, spread, seconds)
    laplace = out.log_evidence
    if joint.size <= _HIGH and method not in ("nuts", "laplace"):
        out, good = _by_importance(joint, out, root, chains, draws, seed, generator, say)
        if good or method == "importance" or joint.n_replicates > 1:
            return out
        if method == "evidence":
            return replace(out, log_evidence=laplace, evidence_by="laplace")
    elif method in ("evidence", "laplace"):
        normal = _normal_draws(best, root, chains, draws, generator)
        return replace(out, theta=normal, method="laplace")
    stage = "nuts" if method == "nuts" else "nuts, as the fast way is not enough"
    theta = nuts_draws(
        joint,
        best.theta,
        root,
        chains=chains,
        warmup=200,
        draws=max(100, draws // 2),
        seed=seed,
        progress=lambda done, total: say(stage, done, total),
    )
    return replace(
        out, theta=theta.unsqueeze(-2), method="nuts", log_evidence=laplace, evidence_by="laplace"
    )


def _normal_draws(
    best: Mode, root: Tensor, chains: int, draws: int, generator: torch.Generator
) -> Tensor:
    """Draws of the normal approximation, `chain x draw x replicate x parameter`."""
    shape = chains, draws, *best.theta.shape
    eps = torch.randn(shape, generator=generator, dtype=torch.float64)
    return best.theta + torch.einsum("rpq,cdrq->cdrp", root, eps)


def _laplace(joint: LogJoint, best: Mode, root: Tensor, spread: float, seconds: float) -> Inferred:
    """The Laplace approximation's evidence, and no draws yet."""
    volume = 0.5 * joint.size * math.log(2 * math.pi) + torch.linalg.slogdet(root)[1]
    unknown = torch.full_like(best.value, math.nan)
    return Inferred(
        theta=torch.empty(0),
        mode=best,
        method="nuts",
        k_hat=unknown,
        effective=unknown,
        log_evidence=best.value + volume,
        evidence_by="laplace",
        elbo=[],
        spread_of_modes=spread,
        mode_seconds=seconds,
    )


def _best_mode(
    joint: LogJoint, chains: int, generator: torch.Generator, say: Progress
) -> tuple[Mode, float, float]:
    """The best of several modes, the largest shortfall of the others (nats), and seconds."""
    begin = time.monotonic()
    if joint.size > _HIGH or joint.well_started:
        modes = [_mode_of_many(joint)]
        say("mode", 1, 1)
    else:
        starts = joint.start().repeat(chains, 1, 1)
        for start in starts[1:]:
            start += 0.7 * torch.randn(start.shape, generator=generator, dtype=start.dtype)
        modes = []
        different = rough_modes(joint, starts)
        for rough in different:
            modes.append(find_mode(joint, rough))
            say("mode", len(modes), len(different))
    best = max(modes, key=lambda mode: float(mode.value.sum()))
    spread = max(float((best.value - mode.value).abs().max()) for mode in modes)
    return best, spread, time.monotonic() - begin


def _mode_of_many(joint: LogJoint) -> Mode:
    """The mode with many parameters; item utilities start at those of fixed strength."""
    own = getattr(joint, "derivatives", None)
    if own is not None:
        return find_mode(joint, joint.start(), derivatives=own)
    of_items = getattr(joint.likelihood, "of_item_pairs", False)
    if joint.spec.utility_basis is None or not of_items:
        return find_mode(joint, joint.start())
    start = joint.start()
    if joint.spec.family != "fixed" or joint.spec.lapse:
        simple = replace(joint.spec, family="fixed", lapse=False, groups=())
        fixed = LogJoint(joint.program, joint.likelihood, simple, joint.draws_at_once)
        known = fixed.unpack(_mode_of_many(fixed).theta.unsqueeze(0))["utilities_free"]
        site = next(site for site in joint.sites if site.name == "utilities_free")
        start[:, site.start : site.stop] = known
    return find_mode(joint, start, derivatives=partial(utility_hessian, joint))


def _by_importance(
    joint: LogJoint,
    so_far: Inferred,
    root: Tensor,
    chains: int,
    draws: int,
    seed: int,
    generator: torch.Generator,
    say: Progress,
) -> tuple[Inferred, bool]:
    """Guide and importance resampling in every restart; whether all of them can be trusted."""
    parts: list[Weighted] = []
    elbo: list[float] = []
    for first in range(0, chains, at_once := _guides_at_once(joint)):
        torch.manual_seed(seed + first)
        n = min(at_once, chains - first)
        guide = FullRankGuide(joint, so_far.mode.theta.repeat(n, 1, 1), root.repeat(n, 1, 1, 1))
        trace = fit_guide(guide)
        elbo = elbo or trace
        with torch.no_grad():
            fitted = zip(guide.location(), guide.scale_root(), strict=True)
        for location, scale in fitted:
            parts.append(
                importance_draws(
                    joint, location, scale, proposals=draws, draws=draws, generator=generator
                )
            )
            say("posterior", len(parts), chains)
    out = _collected(so_far, parts, elbo)
    if not _good(out) and joint.n_replicates == 1:
        pilot = out.theta.reshape(-1, joint.size)
        say("refining", 0, 1)
        parts = refined_draws(joint, pilot, chains=chains, draws=draws, generator=generator)
        out = _collected(so_far, parts, elbo)
    return out, _good(out)


def _guides_at_once(joint: LogJoint) -> int:
    """How many restarts' guides are fitted side by side."""
    return max(1, joint.draws_at_once // PARTICLES)


def _good(found: Inferred) -> bool:
    """Whether importance resampling can be trusted."""
    return bool((found.k_hat <= K_LIMIT).all()) and bool((found.effective >= _FEW).all())


def _collected(so_far: Inferred, parts: list[Weighted], elbo: list[float]) -> Inferred:
    """The restarts' draws as one result."""
    log_weight = torch.cat([part.log_weight for part in parts])
    k_hat = pareto_smooth(log_weight.T.clamp_min(-1e300))[1]  # of all: less noisy than of each
    effective = torch.stack([part.effective for part in parts]).sum(0)
    evidence = torch.logsumexp(torch.stack([part.log_evidence for part in parts]), 0)
    return replace(
        so_far,
        theta=torch.stack([part.theta for part in parts]),
        method="importance",
        k_hat=k_hat,
        effective=effective,
        log_evidence=evidence - math.log(len(parts)),
        evidence_by="importance",
        elbo=elbo,
    )
