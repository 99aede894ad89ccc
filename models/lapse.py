"""Where to put the table's nodes of the lapse rate."""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mixlogit.choice.panel import PanelLikelihood
from mixlogit.choice.table import Grid, chebyshev_nodes

if TYPE_CHECKING:
    from mixlogit.models.problem import Problem

__all__ = ["lapse_nodes"]

_LOW, _HIGH = -10.0, 1.5  # logits: lapse rates from 0.00005 to 0.82
_WHOLE, _PART = 24, 8  # nodes for the whole range, and for a part of it
_ROWS = 60_000  # a table of this many rows is cheap enough for the whole range


def lapse_nodes(problem: "Problem", grid: Grid) -> Tensor:
    """Chebyshev nodes of the logit of the lapse rate for a problem's table.

    The log-likelihood is analytic in the logit in a strip of pi on each side, whatever the data
    are; 24 nodes on [-10, 1.5] give it to 1e-5 of its own size. With many comparisons that
    would be 24 costly passes, and the data say where the rate lies: the whole range is used for
    a part of the respondents, and eight nodes for all, six posterior standard deviations (of
    the part) to each side of the modes of the fixed and the lognormal family.

    Args:
        problem: The data, with given margins.
        grid: The table's grid.
    """
    if problem.n_rows <= 2 * _ROWS:
        return chebyshev_nodes(_LOW, _HIGH, _WHOLE)
    low, high = _probe(problem.part(_ROWS, 0), grid, problem.spec.centre)
    return chebyshev_nodes(low, high, _PART if high - low < 4 else 2 * _PART)


def _probe(problem: "Problem", grid: Grid, centre: float) -> tuple[float, float]:
    """Range of the logit that matters, from a part of the respondents."""
    from mixlogit.models.infer import root_of_covariance
    from mixlogit.models.joint import LogJoint
    from mixlogit.models.mode import find_mode
    from mixlogit.models.panel import panel
    from mixlogit.models.quantile import beta_from_normal
    from mixlogit.models.sites import Spec

    table = problem.tabulate(grid, chebyshev_nodes(_LOW, _HIGH, _WHOLE))
    likelihood = PanelLikelihood(replace(table, block=torch.zeros_like(table.block), n_blocks=1))
    lows, highs = [], []
    for family in ("fixed", "lognormal" if grid.curvature is None else "normal"):
        spec = Spec(family, problem.priors, centre=centre, lapse=True)
        joint = LogJoint(panel, likelihood, spec)
        mode = find_mode(joint, joint.start())
        site = next(site for site in joint.sites if site.name == "normal_lapse")
        root = root_of_covariance(mode.hessian)[0]
        sd = root[site.start].square().sum().sqrt()
        ends = mode.theta[0, site.start] + torch.stack([-6 * sd, 6 * sd])
        low, high = torch.logit(beta_from_normal(ends, *problem.priors.lapse)).tolist()
        lows.append(low - 0.2)
        highs.append(high + 0.2)
    return max(_LOW, min(lows)), min(_HIGH, max(highs))
