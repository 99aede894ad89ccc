"""Simulation-based calibration of `mixlogit.fit`: are its intervals right?

Truth is drawn from the prior, data from the truth, and all data sets of a family are fitted side
by side in one tensor program. If the posterior is right, the truth's rank among its draws is
uniform (Talts et al. 2018). The band is the simultaneous one of Saeilynoja et al. (2022).

    python benchmarks/calibration.py --replicates 200 --family all
"""

import argparse
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.stats import kstest
from torch import Tensor

from mixlogit.choice.panel import PanelLikelihood
from mixlogit.choice.table import likelihood_table, strength_grid
from mixlogit.models.infer import K_LIMIT, infer
from mixlogit.models.joint import LogJoint
from mixlogit.models.panel import panel
from mixlogit.models.priors import Priors
from mixlogit.models.sbc import uniformity
from mixlogit.models.sites import Spec

__all__ = ["FAMILIES", "Calibration", "calibrate"]

FAMILIES = ("fixed", "lognormal", "gamma", "normal", "classes")


@dataclass(frozen=True)
class Calibration:
    """What calibration of one parameter gave.

    Attributes:
        family: Strength family.
        parameter: "mean" or "cv".
        coverage: Share of replicates whose 90 % interval holds the truth.
        inside: Whether the ECDF of the ranks lies in the 99 % simultaneous band.
        p_value: Kolmogorov-Smirnov p of the ranks.
        nuts: Number of replicates that went on to NUTS, as a single fit would.
        ranks: Rank of the truth among the draws, from 0 to 1, one for each replicate.
    """

    family: str
    parameter: str
    coverage: float
    inside: bool
    p_value: float
    nuts: int
    ranks: np.ndarray


def calibrate(
    family: str, replicates: int, *, draws: int = 1000, seed: int = 0, nuts: bool = True
) -> list[Calibration]:
    """Calibrate one family: 40 to 100 respondents, 5 to 20 votes each, Normal(0, 1.5) margins.

    Args:
        family: Strength family.
        replicates: Number of data sets.
        draws: Posterior draws of each.
        seed: Seed.
        nuts: Fit replicates whose Pareto k exceeds 0.7 again one by one, by NUTS where it stays.
    """
    spec = Spec(family, Priors(mean=1.0))
    prior = LogJoint(panel, None, spec)
    truth = prior.prior_draws(replicates, seed).unsqueeze(1)
    people = prior.sampled(truth).family
    generator = torch.Generator().manual_seed(seed)
    margin, respondent, block = _votes(people, replicates, generator)
    batch = _joint(replace(spec, n_replicates=replicates), margin, respondent, block)
    found = infer(batch, chains=1, draws=draws, seed=seed, method="importance")
    theta, count = found.theta[0], 0
    again = torch.nonzero(found.k_hat > K_LIMIT).squeeze(-1).tolist()
    for r in again if nuts else ():  # as a single fit does: four restarts, then NUTS
        rows = block[respondent] == r
        who = torch.unique(respondent[rows], return_inverse=True)[1]
        single = _joint(spec, margin[rows], who, torch.zeros(int(who.max()) + 1, dtype=torch.long))
        alone = infer(single, chains=4, draws=draws // 2, seed=seed + r)
        count += alone.method == "nuts"
        flat = alone.theta.reshape(-1, single.size)
        theta[:, r] = flat[torch.linspace(0, len(flat) - 1, draws).round().long()]
    drawn = batch.sampled(theta).family
    pairs = {"mean": (drawn.mean, people.mean[:, 0])}
    if family != "fixed":
        pairs["cv"] = (drawn.cv, people.cv[:, 0])
    return [_score(family, name, count, *pair) for name, pair in pairs.items()]


def _votes(
    people: object, replicates: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Signed margins, their respondents, and the replicate of each respondent."""
    n_people = torch.randint(40, 101, (replicates,), generator=generator)
    block = torch.repeat_interleave(torch.arange(replicates), n_people)
    strengths = people.sample((100,), generator=generator)[..., 0]  # type: ignore[attr-defined]
    place = torch.arange(len(block)) - (n_people.cumsum(0) - n_people)[block]
    sizes = torch.randint(5, 21, (len(block),), generator=generator)
    respondent = torch.repeat_interleave(torch.arange(len(block)), sizes)
    b = strengths[place, block][respondent]
    margin = 1.5 * torch.randn(len(respondent), generator=generator, dtype=torch.float64)
    first = torch.rand(len(margin), generator=generator, dtype=torch.float64) < torch.sigmoid(
        b * margin
    )
    return torch.where(first, margin, -margin), respondent, block


def _joint(spec: Spec, margin: Tensor, respondent: Tensor, block: Tensor) -> LogJoint:
    table = likelihood_table(
        margin,
        respondent,
        grid=strength_grid(margin, signed=spec.family == "normal", centre=spec.centre),
        n_respondents=len(block),
        block=block,
        n_blocks=spec.n_replicates or 1,
    )
    return LogJoint(panel, PanelLikelihood(table), spec, max(1, 4_000_000 // len(block)))


def _score(family: str, parameter: str, nuts: int, drawn: Tensor, truth: Tensor) -> Calibration:
    low, high = torch.quantile(drawn, torch.tensor([0.05, 0.95], dtype=torch.float64), dim=0)
    coverage = float(((low <= truth) & (truth <= high)).to(torch.float64).mean())
    ranks = (drawn < truth).to(torch.float64).mean(0).numpy()
    p_value = float(kstest(ranks, "uniform").pvalue)
    return Calibration(
        family, parameter, coverage, uniformity(ranks) >= 0.01, p_value, nuts, ranks
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--family", default="all", choices=["all", *FAMILIES])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(
        f"{'family':10} {'parameter':9} {'90 % covers':>11} {'in 99 % band':>12} {'KS p':>6} "
        f"{'NUTS':>4} {'seconds':>7}"
    )
    for family in FAMILIES if options.family == "all" else (options.family,):
        begin = time.monotonic()
        for row in calibrate(family, options.replicates, seed=options.seed):
            print(
                f"{family:10} {row.parameter:9} {row.coverage:11.1%} "
                f"{'yes' if row.inside else 'NO':>12} {row.p_value:6.3f} {row.nuts:4} "
                f"{time.monotonic() - begin:7.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
