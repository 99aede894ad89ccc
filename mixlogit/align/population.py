"""The population's strength during an alignment: a Pyro program, a guide, an optimiser.

The language model reaches the strength only through margins, and the strength reaches the
language model only through its values. So the two are trained in turn: the policy's loss takes
the values of one draw from the guide, detached; then a step of stochastic variational inference
takes the margins, detached, with the same draw. Together that is one step along the joint
gradient, and nothing of the strength is ever in the policy's optimiser, where it would be
neither zeroed nor clipped nor synchronised between processes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.infer import Trace_ELBO
from torch import Tensor

from mixlogit.align.settings import AlignSettings
from mixlogit.align.votes import Votes
from mixlogit.choice import StrengthFamily
from mixlogit.models import sites
from mixlogit.models.guide import FullRankGuide
from mixlogit.models.joint import LogJoint
from mixlogit.models.quantile import beta_from_normal
from mixlogit.models.sites import Spec

__all__ = ["Likelihood", "Population", "Strength", "anchored"]

_START_SD = 0.1  # of the guide, where the prior has 1
_CONTRARIANS = (1.0, 9.0)  # Beta prior of their share: mean 0.1


class Strength(NamedTuple):
    """One value of everything that the program samples.

    Attributes:
        family: Mixing distribution, batch shape `block`.
        lapse: Share of random votes, a 1-vector, or None.
        contrarians: Share of respondents whose strength is negative, a 1-vector, or None.
    """

    family: StrengthFamily
    lapse: Tensor | None
    contrarians: Tensor | None


Likelihood = Callable[[StrengthFamily, Tensor | None, Tensor | None], Tensor]


def anchored(family: StrengthFamily, anchor: str, beta: float, share: Tensor) -> StrengthFamily:
    """A family rescaled so that the population's mean (or median) strength is `beta`.

    Args:
        family: Batch shape `block`.
        anchor: "mean" (of absolute strength, for classes) or "median".
        beta: Its value, an average over the blocks.
        share: Share of each block, a `block`-vector.

    Example:
        >>> from mixlogit.choice import strength
        >>> family = strength("gamma", mean=torch.tensor([1.0, 3.0]), cv=torch.ones(2))
        >>> anchored(family, "mean", 0.1, torch.tensor([0.5, 0.5])).mean
        tensor([0.0500, 0.1500], dtype=torch.float64)
    """
    if anchor == "median":
        place = family.quantile(torch.full(family.batch_shape, 0.5, dtype=torch.float64))
    elif family.atoms is not None:
        strengths, log_shares = family.atoms
        place = (log_shares.exp() * strengths.abs()).sum(-1)
    else:
        place = family.mean
    factor = beta / (share * place).sum(-1)
    scaled = {
        name: value * factor if name in ("mean", "sd", "strengths") else value
        for name, value in family.parameters.items()
    }
    return type(family)(**scaled, validate_args=False)


def _sample(settings: AlignSettings, share: Tensor, spec: Spec) -> Strength:
    """Sample the hyper-parameters under their priors."""
    family = sites.strength(spec, sites.group_effects(spec) if spec.groups else None)
    if settings.anchor is not None:
        family = anchored(family, settings.anchor, settings.beta, share)
    lapse = sites.lapse_rate(spec)
    if settings.lapse != "learned" and settings.lapse > 0:
        lapse = torch.tensor([settings.lapse], dtype=torch.float64)
    contrarians = None
    if settings.contrarians and settings.family != "classes":
        normal = dist.Normal(torch.zeros(1, dtype=torch.float64), 1.0).to_event(1)
        contrarians = beta_from_normal(pyro.sample("normal_contrarians", normal), *_CONTRARIANS)
    return Strength(family, lapse, contrarians)


def _program(sample: Callable[[Spec], Strength], likelihood: Likelihood, spec: Spec) -> Strength:
    """Pyro program: hyper-parameters under their priors, comparisons scored by `likelihood`."""
    strength = sample(spec)
    pyro.factor("comparisons", likelihood(*strength).sum())
    return strength


def _nothing(family: StrengthFamily, *_: Tensor | None) -> Tensor:
    return torch.zeros((), dtype=torch.float64)


class Population:
    """The hyper-parameters of strength and their inference.

    Every draw is made from the seed and the number of steps taken, so processes that take the
    same steps hold the same strength, and a resumed run goes on as if it had not stopped.

    Args:
        settings: How strength enters.
        votes: The training comparisons.

    Attributes:
        steps: Steps taken.
        module: The ELBO as a module; its parameters are the guide's. None where nothing is
            learned.
    """

    def __init__(self, settings: AlignSettings, votes: Votes) -> None:
        self.settings, self.n_comparisons, self.share = settings, len(votes), votes.share
        self.steps = 0
        self.spec = Spec(
            settings.family,
            settings.priors,
            centre=1.0 if settings.anchor else settings.beta,
            anchored=settings.anchor is not None,
            lapse=settings.lapse == "learned",
            groups=votes.groups,
            n_classes=settings.classes,
            contrarians=settings.contrarians and settings.family == "classes",
        )
        self.sample = partial(_sample, settings, self.share)
        self.program = partial(_program, self.sample)
        with torch.random.fork_rng(devices=[]):  # it runs the program once to find the sites
            joint = LogJoint(self.program, _nothing, self.spec)
        self.module, self.optimiser = None, None
        if joint.size:
            eye = torch.eye(joint.size, dtype=torch.float64).unsqueeze(0)
            self.guide = FullRankGuide(joint, joint.start(), eye)
            with torch.no_grad():
                self.guide.log_scale.fill_(_START_SD).log_()
            self.module = Trace_ELBO(max_plate_nesting=0)(self.program, self.guide)
            self.optimiser = torch.optim.Adam(self.module.parameters(), lr=settings.rate)

    def noise_seed(self) -> int:
        """Seed of the draws that belong to the next step."""
        return self.settings.seed * 1_000_003 + self.steps

    @contextmanager
    def _same_draw(self) -> Iterator[None]:
        """The noise of this step, whoever asks; validation off, the global generator kept."""
        with torch.random.fork_rng(devices=[]), pyro.validation_enabled(False):
            # not torch.manual_seed, which would also set the generators of every GPU
            torch.default_generator.manual_seed(self.noise_seed())
            yield

    def draw(self) -> Strength:
        """Strength at this step's draw from the guide, without gradient."""
        with torch.no_grad(), self._same_draw():
            if self.module is None:
                return self.sample(self.spec)
            guide = poutine.trace(self.guide).get_trace(_nothing, self.spec)
            out: Strength = poutine.replay(self.sample, trace=guide)(self.spec)
            return out

    def centre(self) -> Strength:
        """Strength at the centre of the guide, without gradient: what is logged."""
        with torch.no_grad(), pyro.validation_enabled(False):
            if self.module is None:
                return self.sample(self.spec)
            values = self.guide.joint.unpack(self.guide.location().unsqueeze(0))
            values = {name: value[0] for name, value in values.items()}
            out: Strength = poutine.condition(self.sample, data=values)(self.spec)
            return out

    def loss(self, likelihood: Likelihood) -> Tensor:
        """Minus the ELBO divided by the number of comparisons, differentiable in the guide.

        Args:
            likelihood: Log-likelihood of all comparisons; of a batch, scaled up.
        """
        with self._same_draw():
            if self.module is None:
                return -likelihood(*self.sample(self.spec)).sum() / self.n_comparisons
            loss: Tensor = self.module(likelihood, self.spec)
            return loss / self.n_comparisons

    def step(self, likelihood: Likelihood) -> float:
        """One step of stochastic variational inference; the ELBO a comparison, nats."""
        loss = self.loss(likelihood)
        if self.optimiser is not None:
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
        self.steps += 1
        return -float(loss.detach())

    def describe(self) -> dict[str, float]:
        """Mean and cv of strength over the population, and the other hyper-parameters.

        With groups also the mean and cv of each label of each group column.
        """
        family, lapse, contrarians = self.centre()
        out = dict(zip(("mean", "cv"), _moments(family, self.share), strict=True))
        for group in self.spec.groups:
            for code, label in enumerate(group.labels):
                share = self.share * (group.level == code)
                if float(share.sum()) > 0:
                    mean, cv = _moments(family, share / share.sum())
                    out[f"mean/{group.column}={label}"] = mean
                    out[f"cv/{group.column}={label}"] = cv
        if lapse is not None:
            out["lapse"] = float(lapse)
        if contrarians is not None:
            out["contrarians"] = float(contrarians)
        return out

    def state_dict(self) -> dict[str, Tensor]:
        """Guide, optimiser and number of steps, as tensors by name."""
        out = {"steps": torch.tensor([self.steps])}
        if self.module is None or self.optimiser is None:
            return out
        for name, value in self.module.named_parameters():
            out[name] = value.detach().clone()
        for k, state in self.optimiser.state_dict()["state"].items():
            out |= {f"adam.{k}.{name}": value.clone() for name, value in state.items()}
        return out

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continue from a `state_dict`."""
        self.steps = int(state["steps"])
        if self.module is None or self.optimiser is None:
            return
        with torch.no_grad():
            for name, value in self.module.named_parameters():
                value.copy_(state[name])
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in state.items():
            if name.startswith("adam."):
                _, k, key = name.split(".")
                moments.setdefault(int(k), {})[key] = value.clone()
        whole = self.optimiser.state_dict()
        self.optimiser.load_state_dict({**whole, "state": moments})


def _moments(family: StrengthFamily, share: Tensor) -> tuple[float, float]:
    """Mean and coefficient of variation over blocks with these shares."""
    mean = (share * family.mean).sum()
    square = (share * (family.sd.square() + family.mean.square())).sum()
    return float(mean), float((square - mean.square()).clamp_min(0.0).sqrt() / mean)
