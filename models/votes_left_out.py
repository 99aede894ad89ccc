"""Leaving out one vote: how a new vote of a known respondent is predicted."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixlogit.choice.link import log_lapsed
from mixlogit.choice.panel import PanelLikelihood
from mixlogit.choice.table import LikelihoodTable, bends_fast, likelihood_table
from mixlogit.models.loo import k_limit, leave_one_out
from mixlogit.models.predictive import Predicted, Predictor, own_log_prob
from mixlogit.models.strength_predictor import StrengthPredictor

__all__ = ["VOTE_DRAWS", "VotesLeftOut", "vote_log_likelihood", "votes_left_out"]

VOTE_DRAWS = 200  # of the population; fewer would leave Pareto's k to chance
_ROWS = 4_000  # votes worked on at once


@dataclass(frozen=True, eq=False)
class VotesLeftOut:
    """Leaving out one vote, its respondent's others known.

    Attributes:
        rows: Which judgements, rising; of one that stands for several votes one is left out.
        elpd: Log predictive density of each given all others, nats.
        k_hat: Pareto k of each.
        limit: Largest k to trust.
    """

    rows: NDArray[np.int64]
    elpd: NDArray[np.float64]
    k_hat: NDArray[np.float64]
    limit: float

    def record(self) -> dict[str, Any]:
        """The mean for `--json`: `estimate` and `se` in nats a vote, and how many votes."""
        n = len(self.elpd)
        se = float(self.elpd.std()) / n**0.5
        return {"estimate": float(self.elpd.mean()), "se": se, "per": "vote", "n": n}


def votes_left_out(predictor: Predictor, predicted: Predicted) -> VotesLeftOut:
    """Density and Pareto k of each vote given all others, by importance sampling of draws.

    At each draw of the population the vote's density given the respondent's other votes is
    exact; the draws are weighted by its inverse, smoothed (Vehtari et al. 2017).

    Args:
        predictor: The draws, `VOTE_DRAWS` of them or fewer.
        predicted: The votes that are looked at.
    """
    rows = predicted.rows.unique()
    density, k_hat = leave_one_out(vote_log_likelihood(predictor, rows, predicted.single))
    return VotesLeftOut(rows.numpy(), density.numpy(), k_hat.numpy(), k_limit(len(predictor)))


def vote_log_likelihood(predictor: Predictor, rows: Tensor, single: bool) -> Tensor:
    """Log density of each vote given the other votes of its respondent, at each draw.

    For given margins it comes from the likelihood table, `log p(panel) - log p(panel without the
    vote)`; for anything else, and for panels too long for the table's nodes, from the posterior
    of what differs between respondents, `-log E[1 / p(vote)]`.

    Args:
        predictor: The draws.
        rows: Judgements, rising.
        single: Whether weights, if any, are counts: then one of the votes is meant.

    Returns:
        `draw x row`, nats.
    """
    with torch.no_grad():
        if isinstance(predictor, StrengthPredictor):
            likelihood = predictor.joint.likelihood
            if isinstance(likelihood, PanelLikelihood):
                return _of_table(predictor, likelihood, rows, single)
        draws = [_of_draw(predictor, k, rows, single) for k in range(len(predictor))]
        return torch.stack(draws)


def _of_draw(predictor: Predictor, place: int, rows: Tensor, single: bool) -> Tensor:
    """From the posterior of what differs between respondents, at one draw: a `row`-vector."""
    one, answers = predictor.at(place), predictor.answers
    parts = []
    for part in rows.split(_ROWS):
        log_p, share = one.chances(part)
        log_own = own_log_prob(answers, part, log_p, single=single)
        parts.append(-torch.logsumexp(share.log() - log_own, -1))
    return torch.cat(parts)


def _of_table(
    predictor: StrengthPredictor, likelihood: PanelLikelihood, rows: Tensor, single: bool
) -> Tensor:
    """From the likelihood table, those of long panels from nodes: `draw x row`."""
    who, place = predictor.problem.units.of_comparison[rows].unique(return_inverse=True)
    table = likelihood.table
    table = replace(table, values=table.values[:, who], block=table.block[who])
    long = bends_fast(table)[place]
    sampled = predictor.joint.sampled(predictor.theta)
    out = torch.empty(len(predictor), len(rows), dtype=torch.float64)
    short = torch.nonzero(~long).squeeze(-1)
    if len(short):
        whole = PanelLikelihood(table).by_respondent(sampled.family, sampled.lapse)
        for part in short.split(_ROWS):
            without = _without(predictor, table, rows[part], place[part], single)
            left = without.by_respondent(sampled.family, sampled.lapse)
            out[:, part] = whole[:, place[part]] - left
    if bool(long.any()):
        out[:, long] = _of_long(predictor, likelihood, rows[long], single)
    return out


def _without(
    predictor: StrengthPredictor, table: LikelihoodTable, rows: Tensor, unit: Tensor, single: bool
) -> PanelLikelihood:
    """The likelihood of panels that lack one vote each: `rows`, of the table's `unit`s."""
    margin, vote, weight = _signed(predictor.problem, rows, single)
    own = likelihood_table(
        margin,
        vote,
        grid=table.grid,
        n_respondents=len(rows),
        weight=weight,
        lapse_logits=table.lapse_logits,
    )
    left = table.values[:, unit] - own.values
    return PanelLikelihood(replace(table, values=left, block=table.block[unit]))


def _signed(problem: Any, rows: Tensor, single: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Signed margins of some votes, ties each way by half; the vote's place; weights."""
    outcome, margin = problem.data.outcome[rows], problem.data.margin[rows]
    weight = torch.ones_like(margin) if single else problem.data.weight[rows]
    place = torch.arange(len(rows))
    both = torch.cat([weight * outcome, weight * (1 - outcome)])
    kept = both > 0
    return torch.cat([margin, -margin])[kept], torch.cat([place, place])[kept], both[kept]


def _of_long(
    predictor: StrengthPredictor, likelihood: PanelLikelihood, rows: Tensor, single: bool
) -> Tensor:
    """Votes of long panels, from nodes of these respondents alone: `draw x row`."""
    who, place = predictor.problem.units.of_comparison[rows].unique(return_inverse=True)
    margin, vote, weight = _signed(predictor.problem, rows, single)
    sampled, out = predictor.joint.sampled(predictor.theta), []
    found = likelihood.nodes(sampled.family, sampled.lapse, units=who)
    for draw, (nodes, log_share) in enumerate(zip(*(x.unbind(1) for x in found), strict=True)):
        lapse = None if sampled.lapse is None else sampled.lapse[draw : draw + 1]
        parts = []
        for some in torch.arange(len(rows)).split(_ROWS):
            mine = torch.isin(vote, some)
            scaled = nodes[place[vote[mine]]] * margin[mine].unsqueeze(-1)
            log_p = log_lapsed(torch.nn.functional.logsigmoid(scaled), lapse)
            own = torch.zeros(len(some), nodes.shape[1], dtype=torch.float64)
            own.index_add_(0, vote[mine] - some[0], log_p * weight[mine].unsqueeze(-1))
            parts.append(-torch.logsumexp(log_share[place[some]] - own, -1))
        out.append(torch.cat(parts))
    return torch.stack(out)
