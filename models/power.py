"""`mixlogit.power`: how probably would a study find that strength differs?"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from mixlogit.choice import FAMILIES, strength
from mixlogit.data import Comparisons, Labels, simulate
from mixlogit.errors import UsageError
from mixlogit.models.importance import importance_draws
from mixlogit.models.infer import Progress, infer, root_of_covariance
from mixlogit.models.problem import Problem
from mixlogit.models.threads import few_threads
from mixlogit.models.verdict import STRONG, judge_strength

__all__ = ["Power", "least_respondents", "log_bayes_factors", "power"]

_PROPOSALS = 200
_UNITS = 4000  # respondents fitted side by side
_FEWEST, _MOST = 10, 5000  # respondents that a plan may ask for
_NEAR = 1.1  # how close a plan's number of respondents is told


@dataclass(frozen=True)
class Power:
    """What a study of some size would find.

    Attributes:
        respondents: Respondents.
        votes: Votes of each, on average.
        cv: True coefficient of variation of strength.
        family: Family that strength comes from, and that is fitted.
        probability: Share of simulated studies whose verdict is that strength differs.
        se: Its standard error.
        studies: Simulated studies.
    """

    respondents: int
    votes: int
    cv: float
    family: str
    probability: float
    se: float
    studies: int

    def to_dict(self) -> dict[str, Any]:
        """The object that `mixlogit power --json` prints."""
        return asdict(self)


def power(
    respondents: int | None,
    votes: int,
    cv: float,
    family: str = "lognormal",
    *,
    target: float = 0.8,
    mean: float = 1.0,
    margin_sd: float = 2.0,
    lapse: float = 0.0,
    studies: int = 100,
    seed: int = 0,
    progress: Progress | None = None,
) -> Power:
    """The probability that a fit says "strength differs", or the respondents that it takes.

    Studies are simulated with given margins and judged as `mixlogit.fit` does: by log Bayes
    factors above 3, with and without random labels allowed for. They are fitted side by side, and
    their marginal likelihoods come from fewer draws than those of a single fit.

    Args:
        respondents: Respondents; None: the least number (within 10 %) that reaches `target`.
        votes: Votes of each, on average.
        cv: True coefficient of variation of strength; 0 gives the rate of false alarms.
        family: Family that strength comes from.
        target: Probability wanted where `respondents` is None.
        mean: Mean strength.
        margin_sd: Standard deviation of margins.
        lapse: Share of random votes.
        studies: Studies to simulate.
        seed: Seed.
        progress: Called with a stage, studies done and studies in all.

    Raises:
        UsageError: For a design that cannot be simulated, or that 5,000 respondents do not
            suffice for.

    Example:
        >>> found = power(60, 20, 1.0, studies=4)
        >>> found.probability
        1.0
    """
    if family not in FAMILIES:
        strength(family)  # says which families there are
    if family == "fixed" or votes < 1 or cv < 0 or studies < 1:
        raise UsageError(
            "Expected a family with a spread, at least one vote and one study, and cv >= 0."
        )
    if respondents is None and not 0 < target < 1:
        raise UsageError(f"Expected a target between 0 and 1 but got {target}.")
    shape: dict[str, Any] = {"mean": mean, "cv": cv, "margin_sd": margin_sd, "lapse": lapse}
    shape["family"] = family if cv > 0 else "fixed"

    def at(n: int) -> Power:
        share = _share(n, votes, family, shape, studies, seed, progress)
        se = math.sqrt(share * (1 - share) / studies)
        return Power(n, votes, cv, family, share, se, studies)

    return least_respondents(at, target) if respondents is None else at(respondents)


def least_respondents(at: Callable[[int], Power], target: float) -> Power:
    """The least number of respondents whose probability reaches the target, by bisection.

    Args:
        at: The power of a study of so many respondents.
        target: Probability wanted.

    Raises:
        UsageError: If the most that a plan may ask for do not suffice.
    """
    low, high = _FEWEST, at(_FEWEST)
    while high.probability < target:
        low = high.respondents
        if low >= _MOST:
            raise UsageError(
                f"{_MOST:,} respondents reach a probability of {high.probability:.2f} only. Ask "
                "for more votes of each, or look for a larger cv."
            )
        high = at(min(2 * low, _MOST))
    while high.respondents > max(_NEAR * low, low + 1):
        middle = at(round(math.sqrt(low * high.respondents)))
        if middle.probability >= target:
            high = middle
        else:
            low = middle.respondents
    return high


def _share(
    respondents: int,
    votes: int,
    family: str,
    shape: dict[str, Any],
    studies: int,
    seed: int,
    progress: Progress | None,
) -> float:
    """Share of studies whose verdict is that strength differs."""
    found = done = 0
    with torch.random.fork_rng(devices=[]):
        for some in torch.arange(studies).split(max(1, _UNITS // respondents)):
            data = [
                simulate(respondents * votes, respondents, seed=seed + k, **shape).comparisons()
                for k in some.tolist()
            ]
            with few_threads(len(data) * len(data[0])):
                found += sum(_says_strength(data, family))
            done += len(data)
            if progress is not None:
                progress(f"{respondents:,} respondents", done, studies)
    return found / studies


def _says_strength(data: Sequence[Comparisons], family: str) -> list[bool]:
    """The verdict of each study; a lapse rate is looked at only where it can change it."""
    plain = log_bayes_factors(data, family, lapse=False)
    out = [False] * len(data)
    likely = [k for k, value in enumerate(plain.tolist()) if value > STRONG]
    if likely:
        lapsed = log_bayes_factors([data[k] for k in likely], family, lapse=True)
        for k, value in zip(likely, lapsed.tolist(), strict=True):
            out[k] = judge_strength(float(plain[k]), value, 0.0) == "yes"
    return out


def log_bayes_factors(data: Sequence[Comparisons], family: str, *, lapse: bool) -> Tensor:
    """Log Bayes factors of mixed against fixed strength, of many data sets side by side.

    Args:
        data: Comparisons with margins and respondents.
        family: The mixed family.
        lapse: Whether both models have a lapse rate.

    Returns:
        A vector with one value for each data set, nats.
    """
    problem = Problem(_together(data), by=("study",))
    problem.spec = replace(problem.spec, groups=(), n_replicates=len(data))
    generator = torch.Generator().manual_seed(0)
    log_z = []
    for kind in (family, "fixed"):
        joint = problem.joint(kind, lapse=lapse)
        mode = infer(joint, chains=1, draws=1, method="laplace").mode
        root = root_of_covariance(mode.hessian)
        drawn = importance_draws(
            joint, mode.theta, root, proposals=_PROPOSALS, draws=1, generator=generator
        )
        log_z.append(drawn.log_evidence)
    return log_z[0] - log_z[1]


def _together(data: Sequence[Comparisons]) -> Comparisons:
    """Several data sets as one, with a group column that says which is which."""
    names: list[str] = []
    codes, margins = [], []
    for k, one in enumerate(data):
        assert one.respondent is not None
        assert one.margin is not None
        codes.append(one.respondent.codes + len(names))
        names += [f"{k} {name}" for name in one.respondent.labels]
        margins.append(one.margin)
    study = torch.repeat_interleave(
        torch.arange(len(data)), torch.tensor([len(one) for one in data])
    )
    return Comparisons(
        outcome=torch.cat([one.outcome for one in data]),
        margin=torch.cat(margins),
        respondent=Labels(torch.cat(codes), tuple(names)),
        groups={"study": Labels(study, tuple(str(k) for k in range(len(data))))},
    )
