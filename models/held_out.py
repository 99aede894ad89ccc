"""Held-out votes: the log predictive probability of what was chosen."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.choice.link import log_lapsed
from mixlogit.choice.utility import strengthened
from mixlogit.data import Comparisons, Labels
from mixlogit.errors import UsageError
from mixlogit.models.individual import unit_nodes
from mixlogit.models.joint import LogJoint
from mixlogit.models.problem import Problem
from mixlogit.models.thin import thinned

__all__ = [
    "Votes",
    "at_levels",
    "blocks_of",
    "held_out_log_scores",
    "match_votes",
    "recode",
    "scoring_draws",
    "units_of",
]

_SCORED = 64  # draws that held-out votes are scored by


@dataclass(frozen=True, eq=False)
class Votes:
    """Decided votes in the codes of the fit.

    Attributes:
        sign: 1 where the first was chosen, -1 where the second was.
        margin: Margins, where they are given.
        items: Items compared, `vote x 2`, or None.
        features: `vote x feature`, or None.
        context: Covariates of the votes, `vote x covariate`, or None.
        unit: Unit of the fit of each vote; -1 for a respondent without votes in the fit.
        level: Labels of the votes' own blocks, `block x column`.
        block: Block of each vote.
    """

    sign: Tensor
    margin: Tensor | None
    items: Tensor | None
    features: Tensor | None
    context: Tensor | None
    unit: Tensor
    level: Tensor
    block: Tensor

    def margins(self, utilities: Tensor | None) -> Tensor:
        """Signed margins: positive where the recorded choice agrees."""
        factor: Tensor | float = self.sign
        if utilities is not None:
            utilities, strength = strengthened(self.context, utilities)
            factor = (self.sign * strength).view(-1)
        if self.margin is not None:
            return factor * self.margin
        assert utilities is not None
        if self.features is not None:
            return factor * (self.features @ utilities[0])
        value = utilities[0, self.items]
        return factor * (value[:, 0] - value[:, 1])


def held_out_log_scores(
    problem: Problem, joint: LogJoint, theta: Tensor, test: Comparisons
) -> Tensor:
    """Log predictive probability of the recorded choice of each decided held-out vote.

    A respondent of the fit is predicted with their own posterior strength, one without votes in
    the fit with the population. Names are matched by label. Ties are left out.

    Args:
        problem: The data of the fit.
        joint: The fitted program.
        theta: Draws, `draw x 1 x parameter`; `scoring_draws` of them are used.
        test: Held-out votes with the items, features and groups of the fit.

    Returns:
        A vector with one log probability a decided vote, nats.

    Raises:
        UsageError: For votes that the fit cannot score.
    """
    votes = match_votes(problem, test)
    known = votes.unit >= 0
    across = at_levels(joint, votes.level)
    theta = scoring_draws(theta)
    chance = torch.zeros(len(votes.sign), dtype=torch.float64)
    for one in theta.split(1):
        sampled = across.sampled(one)
        margin = votes.margins(sampled.utilities)
        lapse = None if sampled.lapse is None else sampled.lapse[0, 0]
        log_p = torch.empty_like(margin)
        for b in range(len(votes.level)):
            rows = (votes.block == b) & ~known
            if not bool(rows.any()):
                continue
            population = _population_log_prob(sampled.family, margin[rows], b)
            log_p[rows] = log_lapsed(population, lapse)
        if bool(known.any()):
            strengths, log_weight = unit_nodes(joint, one)
            unit = votes.unit[known]
            at = logsigmoid(strengths[unit] * margin[known, None])
            log_p[known] = torch.logsumexp(log_lapsed(at, lapse) + log_weight[unit], -1)
        chance += log_p.exp() / len(theta)
    return chance.clamp_min(1e-300).log()


def scoring_draws(theta: Tensor) -> Tensor:
    """The draws that held-out votes are scored by, evenly spread; of these draws, all.

    Args:
        theta: Draws along the first axis.

    Example:
        >>> some = scoring_draws(torch.arange(1000))
        >>> len(some), bool((scoring_draws(some) == some).all())
        (64, True)
    """
    return theta[thinned(len(theta), _SCORED)]


def _population_log_prob(family: Any, margin: Tensor, block: int) -> Tensor:
    """Population choice probability of margins in one block, in logs."""
    parts = {name: value[0, block] for name, value in family.parameters.items()}
    out: Tensor = type(family)(**parts, validate_args=False).log_choice_prob(margin)
    return out


def at_levels(joint: LogJoint, level: Tensor) -> LogJoint:
    """The program with the blocks of other data: `level` is their `block x column` labels."""
    groups = tuple(replace(group, level=level[:, k]) for k, group in enumerate(joint.spec.groups))
    return LogJoint(joint.program, None, replace(joint.spec, groups=groups))


def match_votes(problem: Problem, test: Comparisons) -> Votes:
    """The decided votes of the test in the codes of the fit."""
    fitted = problem.data
    if test.kind != fitted.kind:
        raise UsageError(f"The fit has {fitted.kind} but the held-out votes have {test.kind}.")
    rows = torch.nonzero(test.outcome != 0.5).squeeze(-1)
    if not len(rows):
        raise UsageError("All held-out votes are ties, so none can be scored.")
    items = features = None
    if test.item_a is not None and test.item_b is not None:
        code = recode(test.items, fitted.items, "item")
        items = torch.stack([code[test.item_a], code[test.item_b]], -1)[rows]
    elif test.features is not None:
        place = recode(fitted.feature_names, test.feature_names, "feature")
        features = test.features[:, place][rows]
    level, block = blocks_of(problem, test, rows)
    unit = units_of(problem, test, rows, level, block)
    margin = None if test.margin is None else test.margin[rows]
    context = None if problem.context is None else problem.context.values(test)[rows]
    sign = 2 * test.outcome[rows] - 1
    return Votes(sign, margin, items, features, context, unit, level, block)


def recode(names: tuple[str, ...], known: tuple[str, ...], what: str) -> Tensor:
    """Position of each name among the known ones."""
    place = {name: k for k, name in enumerate(known)}
    strange = [name for name in names if name not in place]
    if strange:
        raise UsageError(
            f'The fit and the held-out votes do not share the {what} "{strange[0]}" '
            f"({len(strange)} of {len(names)} are not shared)."
        )
    return torch.tensor([place[name] for name in names], dtype=torch.long)


def blocks_of(problem: Problem, test: Any, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Labels of each block (`block x column`) of the test votes, and block of each vote."""
    if not problem.spec.groups:
        return torch.zeros(1, 0, dtype=torch.long), torch.zeros(len(rows), dtype=torch.long)
    codes = []
    for group in problem.spec.groups:
        if group.column not in test.groups:
            raise UsageError(f'The held-out votes have no group column "{group.column}".')
        labels: Labels = test.groups[group.column]
        codes.append(recode(labels.labels, group.labels, "group")[labels.codes[rows]])
    level, block = torch.unique(torch.stack(codes, -1), dim=0, return_inverse=True)
    return level, block


def units_of(problem: Problem, test: Any, rows: Tensor, level: Tensor, block: Tensor) -> Tensor:
    """Unit of the fit of each vote; -1 where the fit has none."""
    units, fitted = problem.units, problem.data.respondent
    if not problem.panel or test.respondent is None:
        return torch.full((len(rows),), -1)
    assert fitted is not None
    assert units.respondent is not None
    place = {name: k for k, name in enumerate(fitted.labels)}
    who = torch.tensor([place.get(name, -1) for name in test.respondent.labels])
    person = who[test.respondent.codes[rows]]
    same = (level.unsqueeze(1) == units.level.unsqueeze(0)).all(-1)  # test x fitted block
    cell = torch.where(same.any(-1), same.to(torch.long).argmax(-1), -1)[block]
    key = units.respondent * units.n_blocks + units.block
    wanted = person * units.n_blocks + cell
    at = torch.searchsorted(key, wanted).clamp(max=len(key) - 1)
    return torch.where((key[at] == wanted) & (person >= 0) & (cell >= 0), at, -1)
