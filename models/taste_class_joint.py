"""Latent classes of taste as a function of a flat vector, its mode found from several starts."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from mixlogit.choice.taste_classes import TasteClassLikelihood
from mixlogit.models.infer import Progress
from mixlogit.models.joint import LogJoint
from mixlogit.models.mode import gradient_and_hessian, lbfgs
from mixlogit.models.problem import Problem
from mixlogit.models.taste_classes import share_basis, taste_classes
from mixlogit.run import silent

__all__ = [
    "Starts",
    "TasteClassJoint",
    "carried",
    "climbed",
    "find_class_mode",
    "ordered_by_share",
]

_ELEMENTS = 4_000_000  # rows x nodes x classes x draws evaluated at once
_ROWS = 20_000  # rows that starts are made on
_SLOPE = 1e-6  # gradient for each row and class at which the search ends
_SAME = 1.0  # nats within which two starts have found the same
_FINISHED = 3  # different answers of the starts that are followed to the end


class TasteClassJoint(LogJoint):
    """The program of latent tastes; `mode` is where inference begins.

    Args:
        problem: The data.
        family: Name of the strength family.
        n_tastes: Number of classes.
        lapse: Whether judgements may be made at random.
    """

    well_started = True

    def __init__(self, problem: Problem, family: str, n_tastes: int, *, lapse: bool) -> None:
        base: Any = problem.joint(family, lapse=lapse)
        people = len(problem.units.block)
        inner = base.likelihood.part(slice(None), base.likelihood.respondent, people)
        self._set(problem.units.block, inner, replace(base.spec, n_tastes=n_tastes))

    def _set(self, share_block: Tensor, inner: Any, spec: Any) -> None:
        nodes = {"fixed": 1, "classes": spec.n_classes}.get(spec.family, 25)
        nodes *= 11 if getattr(spec.outcome, "widths", False) else 1
        classes = TasteClassLikelihood(inner, share_block, spec.n_tastes, nodes)
        program: Any = taste_classes
        super().__init__(program, classes, spec, max(1, _ELEMENTS // classes.cost))
        self.classes = classes
        self.mode = torch.zeros(1, self.size, dtype=torch.float64)

    def start(self) -> Tensor:
        """The mode that was found."""
        return self.mode

    def of(self, likelihood: TasteClassLikelihood) -> LogJoint:
        """The same program with the likelihood of some of the respondents."""
        return LogJoint(self.program, likelihood, self.spec, self.draws_at_once)

    def derivatives(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Value, gradient and Hessian at `1 x parameter`, block by block of respondents."""
        prior = LogJoint(self.program, _nobody, self.spec)
        total = list(gradient_and_hessian(prior, theta))
        for part in self.classes.parts():
            log_likelihood = self.of(part).log_likelihood
            found = gradient_and_hessian(log_likelihood, theta)
            total = [a + b for a, b in zip(total, found, strict=True)]
        return total[0], total[1], total[2]


def _nobody(family: Any, lapse: Any, utilities: Tensor, *_: Any) -> Tensor:
    """The likelihood without respondents."""
    return utilities.new_zeros(len(utilities), 1)


@dataclass(frozen=True)
class Starts:
    """What the starts of the search for the mode found.

    Attributes:
        log_densities: Of each start, with one strength for all, nats, best first.
        respondents: Number of respondents that they were made on.
    """

    log_densities: list[float]
    respondents: int

    @property
    def agreement(self) -> float:
        """Share of the starts that found the best answer, within a nat."""
        best = self.log_densities[0]
        return sum(best - value < _SAME for value in self.log_densities) / len(self.log_densities)


def find_class_mode(
    problem: Problem,
    joint: TasteClassJoint,
    starts: int,
    seed: int,
    progress: Progress | None = None,
) -> Starts:
    """Find the mode; classes are then in the order of their shares, the largest first.

    Starts are made with one strength for all, on at most about 20,000 rows of random
    respondents, at the utilities of one taste plus noise in every class. Different answers,
    three at most, are then followed to the mode of the whole program on all respondents.

    Args:
        problem: The data.
        joint: The program; its `mode` is set.
        starts: Number of starts.
        seed: Seed of the noise and of the choice of respondents.
        progress: Called with a stage, steps done and steps in all.
    """
    say = progress or silent
    generator = torch.Generator().manual_seed(seed)
    simple = joint
    if joint.spec.family != "fixed":
        simple = TasteClassJoint(problem, "fixed", joint.spec.n_tastes, lapse=joint.spec.lapse)
    chosen = _some_people(simple.classes, generator)
    part = simple.of(simple.classes.some(chosen))
    found = []
    middle = _one_taste(problem, part)
    for done in range(starts):
        theta = climbed(part, _scattered(problem, simple, middle, generator))
        say("starts", done + 1, starts)
        with torch.no_grad():
            found.append((float(part(theta.unsqueeze(0))), theta))
    found.sort(key=lambda pair: -pair[0])
    best: tuple[float, Tensor] | None = None
    for _, theta in _different(found)[:_FINISHED]:
        finished = climbed(joint, carried(simple, theta, joint))
        with torch.no_grad():
            value = float(joint(finished.unsqueeze(0)))
        if best is None or value > best[0]:
            best = value, finished
    assert best is not None
    joint.mode = ordered_by_share(joint, best[1])
    return Starts([value for value, _ in found], int(chosen.sum()))


def climbed(joint: LogJoint, theta: Tensor) -> Tensor:
    """Close to the mode that lies uphill; Newton's method does the rest.

    Args:
        joint: The program.
        theta: Where to begin, `1 x parameter`.
    """
    likelihood: Any = joint.likelihood
    tolerance = max(1e-5, _SLOPE * likelihood.n_entries)
    return lbfgs(joint, theta, tolerance=tolerance)[0]


def _different(found: list[tuple[float, Tensor]]) -> list[tuple[float, Tensor]]:
    """One start of each answer, best first."""
    kept: list[tuple[float, Tensor]] = []
    for pair in found:
        if not kept or kept[-1][0] - pair[0] >= _SAME:
            kept.append(pair)
    return kept


def _some_people(classes: TasteClassLikelihood, generator: torch.Generator) -> Tensor:
    """Random respondents with about so many rows as starts are made on."""
    respondent = classes.inner.respondent
    sizes = torch.bincount(respondent, minlength=classes.n_respondents)
    order = torch.randperm(classes.n_respondents, generator=generator)
    kept = max(1, int((sizes[order].cumsum(0) <= _ROWS).sum()))
    chosen = torch.zeros(classes.n_respondents, dtype=torch.bool)
    chosen[order[:kept]] = True
    return chosen


def _one_taste(problem: Problem, part: LogJoint) -> dict[str, Tensor]:
    """Sites of the program of one taste and one strength for all, at its mode."""
    likelihood: Any = part.likelihood
    base = problem.joint("fixed", lapse=part.spec.lapse)
    spec = replace(base.spec, groups=())
    alone = LogJoint(base.program, likelihood.inner, spec, base.draws_at_once)
    return alone.unpack(climbed(alone, alone.start()).unsqueeze(0))


def _scattered(
    problem: Problem, joint: LogJoint, middle: dict[str, Tensor], generator: torch.Generator
) -> Tensor:
    """A start: the classes' utilities around those of one taste."""
    theta = torch.zeros(1, joint.size, dtype=torch.float64)
    for site in joint.sites:
        if site.name not in middle:
            continue
        value = middle[site.name][0]
        if site.name == "utilities_free":
            noise = torch.randn(site.event_shape, generator=generator, dtype=torch.float64)
            value = value + noise * _typical(problem)
        theta[0, site.start : site.stop] = value.reshape(-1)
    return theta


def _typical(problem: Problem) -> Tensor:
    """Size of a free utility that moves the log odds of a comparison by about 1."""
    data = problem.data
    if problem.spec.utility_basis is not None or data.features is None:
        return torch.ones((), dtype=torch.float64)
    rms = data.features.square().mean(0).sqrt()
    return torch.where(rms > 0, 1.0 / rms, 1.0)


def carried(source: LogJoint, theta: Tensor, target: LogJoint) -> Tensor:
    """Values of the sites that two programs share; 0 for the others of the target.

    Args:
        source: Where the values are from.
        theta: Its values, `1 x parameter`.
        target: Where they are wanted.
    """
    known = source.unpack(theta.unsqueeze(0))
    out = torch.zeros(1, target.size, dtype=torch.float64)
    for site in target.sites:
        if site.name in known:
            out[0, site.start : site.stop] = known[site.name].reshape(-1)
    return out


def ordered_by_share(joint: TasteClassJoint, theta: Tensor) -> Tensor:
    """The same point with its classes in the order of their share of the respondents.

    Args:
        joint: The program.
        theta: `1 x parameter`.
    """
    sampled: Any = joint.sampled(theta.unsqueeze(0))
    with torch.no_grad():
        share = joint.classes.memberships(sampled).mean((0, 1))
    order = torch.argsort(share, descending=True)
    basis = share_basis(joint.spec.n_tastes)
    turn = basis[:, order] @ basis.T  # coordinates of log shares whose classes are exchanged
    out = theta.clone()
    for site in joint.sites:
        value = theta[0, site.start : site.stop].reshape(site.event_shape)
        if site.name == "utilities_free":
            out[0, site.start : site.stop] = value[order].reshape(-1)
        elif site.name == "taste_logits" or site.name.startswith("z_taste:"):
            out[0, site.start : site.stop] = (value @ turn).reshape(-1)
    return out
