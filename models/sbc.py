"""Simulation-based calibration at the user's own design: do intervals cover what they say?"""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binom
from torch import Tensor

from mixlogit.choice.link import LinkLikelihood, log_lapsed
from mixlogit.choice.panel import PanelLikelihood
from mixlogit.choice.table import likelihood_table, strength_grid
from mixlogit.data import ChoiceSets, Comparisons
from mixlogit.errors import UsageError
from mixlogit.models.answers import Answers, answers_of
from mixlogit.models.infer import K_LIMIT, Progress, infer
from mixlogit.models.joint import LogJoint
from mixlogit.models.outcome_problem import make_problem
from mixlogit.models.panel import panel as panel_program
from mixlogit.models.per_comparison import per_comparison
from mixlogit.models.problem import Problem
from mixlogit.models.sites import Sampled
from mixlogit.models.strength_predictor import draw_answers
from mixlogit.models.thin import thinned
from mixlogit.models.threads import few_threads
from mixlogit.models.verdict import Check
from mixlogit.run import silent

__all__ = ["Calibration", "sbc", "uniformity"]

Array = NDArray[np.float64]
_ELEMENTS = 8_000_000  # numbers in the table of a batch of data sets
_P = 0.01


@dataclass(frozen=True)
class Calibration:
    """Ranks of known truths among posterior draws, over simulated data sets.

    Attributes:
        family: Strength family.
        replicates: Number of data sets.
        ranks: Share of draws below the truth, by parameter: uniform where intervals are right.
        coverage: Share of data sets whose 90 % interval holds the truth, by parameter.
        p_value: That uniform ranks stray as far, by parameter.
        again: Data sets fitted a second time, alone, because Pareto k was above 0.7.
        seconds: Wall seconds.
    """

    family: str
    replicates: int
    ranks: dict[str, list[float]]
    coverage: dict[str, float]
    p_value: dict[str, float]
    again: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        return dict(vars(self))

    def check(self) -> Check:
        """The least uniform parameter's ranks as a check."""
        name = min(self.p_value, key=lambda key: self.p_value[key])
        p = min(1.0, len(self.p_value) * self.p_value[name])
        advice = f"Intervals of {name} are not right at this design: use --inference nuts."
        return Check("calibrated intervals (SBC)", p, _P, p >= _P, advice)


def sbc(
    data: Comparisons,
    family: str = "lognormal",
    *,
    replicates: int = 100,
    lapse: bool = False,
    draws: int = 500,
    seed: int = 0,
    progress: Progress | None = None,
    **design: Any,
) -> Calibration:
    """Fit data sets of known truth at the design of these data: simulation-based calibration.

    Truths are drawn from the prior and votes from the truths, with the margins (or items),
    respondents and groups of the data; where the posterior is right the truth's rank among its
    draws is uniform (Talts, Betancourt, Simpson, Vehtari and Gelman 2018, arXiv 1804.06788).
    Given margins without groups are fitted many data sets at a time, others one by one.

    Args:
        data: The design; its outcomes are not looked at (half-vote ties become decided votes).
        family: Strength family.
        replicates: Number of data sets.
        lapse: As for `fit`.
        draws: Posterior draws of each data set.
        seed: Seed.
        progress: Called with a stage, steps done and steps in all.
        **design: `panel`, `by`, `ties`, `width`, `classes`, `contrarians` and `priors`, as for
            `fit`.

    Raises:
        UsageError: For choice sets, or too few data sets.

    Example:
        >>> import mixlogit as ml
        >>> design = ml.simulate(300, 30, seed=1).comparisons()
        >>> found = sbc(design, "fixed", replicates=20, draws=200)
        >>> len(found.ranks["mean"]), found.coverage["mean"] > 0.6
        (20, True)
    """
    if isinstance(data, ChoiceSets):
        raise UsageError("Calibration by simulation takes comparisons, not choice sets.")
    if replicates < 10:
        raise UsageError(f"Expected at least 10 data sets for --sbc but got {replicates}.")
    if "classes" in design:
        design["n_classes"] = design.pop("classes")
    problem = make_problem(data, **design)
    say = progress or silent
    with few_threads(len(data) * replicates), torch.random.fork_rng(devices=[]):
        return _calibrated(_Simulated(problem, family, lapse, draws, seed), replicates, say)


def _calibrated(simulated: "_Simulated", replicates: int, say: Progress) -> Calibration:
    """Simulate, fit, rank."""
    begin = time.monotonic()
    prior, batched = simulated.prior, simulated.is_plain()
    if prior.spec.anchored and prior.spec.family == "fixed":
        raise UsageError("One strength with latent utilities leaves nothing to calibrate.")
    truth = prior.prior_draws(replicates, simulated.seed).unsqueeze(1)
    drawn, again, done = [], 0, 0
    for part in truth.split(simulated.at_once() if batched else 1):
        found, repeated = simulated.many(part) if batched else simulated.one(part)
        drawn.append(found)
        again, done = again + repeated, done + len(part)
        say("sbc", done, replicates)
    ranks = {}
    for name, true in _scalars(prior, truth).items():
        values = torch.cat([one[name] for one in drawn], 1)
        ranks[name] = (values < true).to(torch.float64).mean(0).numpy()
    return Calibration(
        family=prior.spec.family,
        replicates=replicates,
        ranks={name: rank.tolist() for name, rank in ranks.items()},
        coverage={name: float(((r >= 0.05) & (r <= 0.95)).mean()) for name, r in ranks.items()},
        p_value={name: uniformity(rank) for name, rank in ranks.items()},
        again=again,
        seconds=round(time.monotonic() - begin, 3),
    )


def _scalars(joint: LogJoint, theta: Tensor) -> dict[str, Tensor]:
    """Mean, cv and lapse rate of single programs, those of the average group: `draw`-vectors."""
    sampled = joint.sampled(theta)
    people = joint.population(joint.unpack(theta)) if joint.spec.groups else sampled.family
    out = {} if joint.spec.anchored else {"mean": people.mean[:, 0]}
    if joint.spec.family != "fixed":
        out["cv"] = people.cv[:, 0]
    if sampled.lapse is not None:
        out["lapse"] = sampled.lapse[:, 0]
    return out


class _Simulated:
    """Data sets at the design of a problem, simulated and fitted."""

    def __init__(self, problem: Problem, family: str, lapse: bool, draws: int, seed: int) -> None:
        self.problem, self.family, self.lapse = problem, family, lapse
        self.draws, self.seed = draws, seed
        self.generator = torch.Generator().manual_seed(seed)
        self.prior = problem.joint(family, lapse=lapse)

    def is_plain(self) -> bool:
        """Whether data sets can be fitted side by side: given margins, without groups."""
        return (
            type(self.problem) is Problem
            and self.problem.data.kind == "margin"
            and not (self.problem.spec.groups)
        )

    def at_once(self) -> int:
        """How many data sets fit into one batch."""
        likelihood = self.prior.likelihood
        size = len(self.problem.data) * 8
        if isinstance(likelihood, PanelLikelihood):
            size = max(size, likelihood.table.values.numel())
        return max(1, _ELEMENTS // size)

    def many(self, truth: Tensor) -> tuple[dict[str, Tensor], int]:
        """Simulate and fit data sets of given margins side by side.

        Args:
            truth: `replicate x 1 x parameter`.

        Returns:
            Draws by parameter, `draw x replicate`, and how many were fitted again.
        """
        n, signed = len(truth), self.votes(truth)
        batch = self._joint(signed)
        found = infer(batch, chains=1, draws=self.draws, seed=self.seed, method="importance")
        theta = found.theta[0]
        again = torch.nonzero(found.k_hat > K_LIMIT).squeeze(-1).tolist()
        for r in again:
            single = self._joint(signed[r : r + 1], single=True)
            theta[:, r] = self._alone(single, r)
        out = batch.sampled(theta)
        values = {"mean": out.family.mean, "cv": out.family.cv}
        if out.lapse is not None:
            values["lapse"] = out.lapse
        return {name: value.view(self.draws, n) for name, value in values.items()}, len(again)

    def votes(self, truth: Tensor) -> Tensor:
        """Margins of simulated data sets, signed by votes: `replicate x comparison`.

        Args:
            truth: `replicate x 1 x parameter`.
        """
        margin, units = self.problem.data.margin, self.problem.units
        assert margin is not None
        sampled = self.prior.sampled(truth)
        strength = sampled.family.sample((len(units.block),), self.generator)[..., 0].T
        scaled = strength[:, units.of_comparison] * margin
        log_p = log_lapsed(torch.nn.functional.logsigmoid(scaled), sampled.lapse)
        u = torch.rand(scaled.shape, generator=self.generator, dtype=scaled.dtype)
        return torch.where(u < log_p.exp(), margin, -margin)

    def _alone(self, joint: LogJoint, r: int) -> Tensor:
        """Draws of one data set by the way of a fit, NUTS included: `draw x parameter`."""
        alone = infer(joint, chains=4, draws=max(100, self.draws // 2), seed=self.seed + r)
        flat = alone.theta.reshape(-1, joint.size)
        return flat[thinned(len(flat), self.draws)]

    def _joint(self, signed: Tensor, *, single: bool = False) -> LogJoint:
        """The program of data sets side by side, `replicate x comparison` signed margins."""
        problem, n = self.problem, len(signed)
        n_units = len(problem.units.block)
        replicate = torch.arange(n).unsqueeze(-1)
        unit = (replicate * n_units + problem.units.of_comparison).reshape(-1)
        block = replicate.expand(n, n_units).reshape(-1)
        weight = problem.data.weight
        spread = None if weight is None else weight.repeat(n)
        flat = signed.reshape(-1)
        spec = replace(self.prior.spec, n_replicates=None if single else n)
        if not problem.panel:
            link = LinkLikelihood(flat, spread, block[unit], n)
            return LogJoint(per_comparison, link, spec, 256)
        signs = problem.is_signed(self.family)
        known = self.prior.likelihood
        assert isinstance(known, PanelLikelihood)
        table = likelihood_table(
            flat,
            unit,
            grid=strength_grid(flat, signed=signs, centre=spec.centre),
            n_respondents=len(block),
            weight=spread,
            lapse_logits=known.table.lapse_logits,
            block=block,
            n_blocks=n,
        )
        at_once = max(1, 4_000_000 // (len(table.values) * len(block)))
        return LogJoint(panel_program, PanelLikelihood(table), spec, at_once)

    def one(self, truth: Tensor) -> tuple[dict[str, Tensor], int]:
        """Simulate and fit one data set of any kind.

        Args:
            truth: `1 x 1 x parameter`.
        """
        problem = self.problem
        sampled = self.prior.sampled(truth)
        answers = answers_of(problem, self.prior, truth)
        again = self._simulated_problem(sampled, answers)
        joint = again.joint(self.family, lapse=self.lapse)
        found = infer(joint, chains=1, draws=self.draws, seed=self.seed, method="importance")
        repeated = bool((found.k_hat > K_LIMIT).any()) or bool(torch.isnan(found.k_hat).any())
        theta = self._alone(joint, 0).unsqueeze(1) if repeated else found.theta[0]
        values = _scalars(joint, theta)
        return {name: value.unsqueeze(-1) for name, value in values.items()}, int(repeated)

    def _simulated_problem(self, sampled: Sampled, answers: Answers) -> Problem:
        """The same problem with answers drawn at one value of the population's parameters."""
        picked = draw_answers(self.problem, answers, sampled, self.generator).long()
        data: Any = self.problem.data
        direction = answers.direction[picked, 0]
        changed: dict[str, Any] = {"outcome": (direction.double() + 1) / 2}
        if data.grade is not None:
            changed["grade"] = direction * answers.level[picked]
        return self.problem.with_data(replace(data, **changed))


def uniformity(ranks: Array, simulations: int = 4000) -> float:
    """How likely uniform ranks stray as far from a straight ECDF: a p-value.

    The statistic is the smallest pointwise binomial tail of the ECDF, its distribution found by
    simulation: the simultaneous band of Saeilynoja, Buerkner and Vehtari (2022, Statistics and
    Computing 32:32) turned around.

    Args:
        ranks: From 0 to 1.
        simulations: Uniform samples.

    Example:
        >>> x = np.random.default_rng(1).random(100)
        >>> uniformity(x) > 0.05, uniformity(x**2) < 0.01
        (True, True)
    """
    n = len(ranks)
    points = np.arange(1, n) / n
    counts = np.arange(n + 1)[:, None]
    tail = 2 * np.minimum(binom.cdf(counts, n, points), binom.sf(counts - 1, n, points))

    def least(sample: Array) -> float:
        below = np.searchsorted(np.sort(sample), points, side="right")
        return float(tail[below, np.arange(n - 1)].min())

    rng = np.random.default_rng(0)
    usual = np.array([least(rng.random(n)) for _ in range(simulations)])
    return float((usual <= least(ranks) * (1 + 1e-9)).mean())
