"""Random draws behind `simulate`: people, pairs and votes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from scipy.special import expit

from mixlogit.data.values import Floats, Ints

__all__ = ["Design", "Drawn", "draw"]

_GROUP_LOG_SD = 0.3


@dataclass(frozen=True)
class Design:
    """The arguments of `simulate`."""

    comparisons: int
    respondents: int
    family: str
    mean: float
    cv: float
    groups: int
    tastes: int
    ties: float
    lapse: float
    items: int
    features: int
    margin_sd: float
    seed: int


@dataclass(frozen=True)
class Drawn:
    """What was drawn: columns of the data, one row a respondent, and the truth as JSON values."""

    columns: dict[str, Any]
    respondents: dict[str, Any]
    truth: dict[str, Any]

    def listed(self) -> dict[str, list[Any]]:
        """The respondents as JSON values."""
        return {name: pa.array(column).to_pylist() for name, column in self.respondents.items()}


@dataclass(frozen=True)
class _People:
    """Strength, taste and group of each respondent (or of each comparison, without them)."""

    strength: Floats
    taste: Ints
    group: Ints
    factors: Floats


def draw(design: Design) -> Drawn:
    """Draw people, then what they compare, then how they vote.

    Args:
        design: The arguments of `simulate`.

    Returns:
        The data and the truth.
    """
    rng = np.random.default_rng(design.seed)
    people = _people(design, rng)
    who = _panels(design, rng)
    margin, columns, truth = _compared(design, rng, who, people.taste[who])
    vote, tie_parameter = _votes(design, rng, people.strength[who] * margin)
    columns["outcome"] = pa.DictionaryArray.from_arrays(vote, ["a", "b", "tie"])
    respondents: dict[str, Any] = {}
    if design.respondents:
        names = _names("r", design.respondents, 5)
        columns["respondent"] = pa.DictionaryArray.from_arrays(who.astype(np.int32), names)
        respondents = {"respondent": names, "strength": people.strength}
        if design.tastes > 1:
            respondents["taste"] = people.taste
    groups = _names("g", design.groups, 1)
    if design.groups:
        code = people.group.astype(np.int32)
        columns["group"] = pa.DictionaryArray.from_arrays(code[who], groups)
        respondents["group"] = pa.DictionaryArray.from_arrays(code, groups)
    positive = bool((people.strength > 0).all())
    truth |= {
        "groups": dict(zip(groups, people.factors.tolist(), strict=True)),
        "ties": {"parameter": tie_parameter, "share": float(np.mean(vote == 2))},
        "strength": {
            "mean": float(people.strength.mean()),
            "sd": float(people.strength.std()),
            "log_sd": float(np.log(people.strength).std()) if positive else None,
        },
    }
    return Drawn(columns, respondents, truth)


def _people(design: Design, rng: np.random.Generator) -> _People:
    n = design.respondents or design.comparisons
    generator = torch.Generator().manual_seed(design.seed)
    values = _family(design).sample((n,), generator=generator).double().numpy()
    group = rng.permutation(np.arange(n) % max(design.groups, 1))
    factors = np.exp(_GROUP_LOG_SD * rng.standard_normal(design.groups))
    taste = rng.permutation(np.arange(n) % design.tastes)
    return _People(values * factors[group] if design.groups else values, taste, group, factors)


def _family(design: Design) -> Any:
    from mixlogit.choice import strength  # brings Pyro, which reading data needs not

    mean, cv = design.mean, design.cv
    if design.family == "normal":
        return strength("normal", mean=mean, sd=mean * cv)
    if design.family == "classes":
        strengths = torch.tensor([mean * (1 - cv), mean * (1 + cv)], dtype=torch.float64)
        return strength("classes", strengths=strengths, shares=torch.full((2,), 0.5).double())
    if design.family == "fixed":
        return strength("fixed", mean=mean)
    return strength(design.family, mean=mean, cv=cv)


def _panels(design: Design, rng: np.random.Generator) -> Ints:
    """The respondent of each comparison, one panel after the other."""
    n, people = design.comparisons, design.respondents
    if not people:
        return np.arange(n)
    sizes = 1 + rng.multinomial(n - people, np.full(people, 1 / people))
    return np.repeat(np.arange(people), sizes)


def _compared(
    design: Design, rng: np.random.Generator, who: Ints, taste: Ints
) -> tuple[Floats, dict[str, Any], dict[str, Any]]:
    """Margins, their columns, and the utilities or weights behind them."""
    n, scale = design.comparisons, design.margin_sd
    nothing: dict[str, Any] = {"items": None, "features": None}
    if design.items:
        # a difference of two utilities has the spread of a margin
        utilities = scale / np.sqrt(2) * rng.standard_normal((design.tastes, design.items))
        utilities -= utilities.mean(axis=1, keepdims=True)
        first, second = _pairs(design, rng, who)
        names = _names("i", design.items, 2)
        columns = {
            "item_a": pa.DictionaryArray.from_arrays(first.astype(np.int32), names),
            "item_b": pa.DictionaryArray.from_arrays(second.astype(np.int32), names),
        }
        truth = nothing | {"items": {"names": names, "utilities": utilities.tolist()}}
        return utilities[taste, first] - utilities[taste, second], columns, truth
    if design.features:
        weights = rng.standard_normal((design.tastes, design.features))
        weights *= scale / np.linalg.norm(weights, axis=1, keepdims=True)
        x = rng.standard_normal((n, design.features))
        names = [f"x{k + 1}" for k in range(design.features)]
        truth = nothing | {"features": {"names": names, "weights": weights.tolist()}}
        return (x * weights[taste]).sum(axis=1), dict(zip(names, x.T.copy(), strict=True)), truth
    margin = scale * rng.standard_normal(n)
    return margin, {"margin": margin}, nothing


def _pairs(design: Design, rng: np.random.Generator, who: Ints) -> tuple[Ints, Ints]:
    """Two different items each; one panel goes through all pairs before it repeats one.

    The pairs are numbered in random order, and each panel walks through the numbers from its
    own start with its own step, which shares no divisor with their count.
    """
    low, high = np.triu_indices(design.items, k=1)
    count = low.size
    order = rng.permutation(count)
    _, start, place = np.unique(who, return_index=True, return_inverse=True)
    within = np.arange(who.size) - start[place]
    steps = np.arange(1, count + 1)
    steps = steps[np.gcd(steps, count) == 1]
    offset = rng.integers(count, size=start.size)
    step = rng.choice(steps, size=start.size)
    pair = order[(offset[place] + step[place] * within) % count]
    swap = rng.random(who.size) < 0.5
    return np.where(swap, high[pair], low[pair]), np.where(swap, low[pair], high[pair])


def _votes(design: Design, rng: np.random.Generator, utility: Floats) -> tuple[Any, float]:
    """Votes 0 (first), 1 (second) and 2 (tie), and Davidson's parameter."""
    first = expit(utility)
    half = np.sqrt(first * expit(-utility))  # square root of p (1 - p)
    lapsed = rng.random(utility.size) < design.lapse
    parameter = _tie_parameter(half, design.ties / (1 - design.lapse)) if design.ties else 0.0
    tie = parameter * half / (1 + parameter * half)
    vote = (rng.random(utility.size) >= np.where(lapsed, 0.5, first)).astype(np.int8)
    vote[(rng.random(utility.size) < tie) & ~lapsed] = 2
    return vote, parameter


def _tie_parameter(half: Floats, share: float) -> float:
    """The parameter nu at which the mean of nu h / (1 + nu h) is the share (Davidson, 1970)."""
    from scipy.optimize import brentq

    some = half[:: max(1, half.size // 100_000)]

    def excess(log_nu: float) -> float:
        odds = np.exp(log_nu) * some
        return float(np.mean(odds / (1 + odds))) - share

    return float(np.exp(brentq(excess, -30.0, 200.0)))


def _names(prefix: str, n: int, width: int) -> list[str]:
    """Names that sort in the order of their numbers."""
    width = max(width, len(str(n)))
    return [f"{prefix}{i + 1:0{width}d}" for i in range(n)]
