"""Simulated judges with known truth: choice sets, rankings, ties and grades."""

import numpy as np
import pandas as pd
import torch

import mixlogit as ml

WEIGHTS = np.array([1.2, -0.8])


def strengths(family: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Strengths of mean 1: cv 0.6, or two classes of 0.5 and 1.5."""
    if family == "fixed":
        return np.ones(n)
    if family == "lognormal":
        sd = np.sqrt(np.log(1.36))
        return np.exp(sd * rng.standard_normal(n) - sd**2 / 2)
    if family == "gamma":
        return rng.gamma(1 / 0.36, 0.36, n)
    if family == "normal":
        return 1.0 + 0.6 * rng.standard_normal(n)
    assert family == "classes"
    return rng.choice([0.5, 1.5], n)


TRUTH = {
    "fixed": {},
    "lognormal": {"cv": 0.6},
    "gamma": {"cv": 0.6},
    "normal": {"cv": 0.6},
    "classes": {"cv": 0.5},
}


def choice_sets(coefficients: np.ndarray, rng, *, per=20, size=3, ranked=0) -> ml.ChoiceSets:
    """`respondent x feature` coefficients choose among, or rank, random alternatives."""
    people, k = coefficients.shape
    x = rng.standard_normal((people, per, size, k))
    utility = np.einsum("ptjk,pk->ptj", x, coefficients)
    order = np.argsort(-(utility + rng.gumbel(size=utility.shape)), axis=-1)
    rank = np.argsort(order, axis=-1) + 1
    who, when, which = (part.ravel() for part in np.indices(rank.shape))
    frame = pd.DataFrame({"choice_id": when, "alternative": which, "respondent": who})
    names = [f"x{j}" for j in range(k)]
    frame[names] = x.reshape(-1, k)
    place = rank.ravel()
    if ranked:
        frame["rank"] = np.where(place <= ranked, place, np.nan)
        return ml.ChoiceSets.from_pandas(frame, ranking="rank", features=names)
    frame["chosen"] = (place == 1).astype(int)
    return ml.ChoiceSets.from_pandas(frame, features=names)


def pairs(coefficients: np.ndarray, rng, *, per=30) -> tuple[pd.DataFrame, np.ndarray]:
    """Feature differences of random pairs and their scaled margins."""
    people, k = coefficients.shape
    x = rng.standard_normal((people * per, k))
    who = np.repeat(np.arange(people), per)
    frame = pd.DataFrame({f"x{j}": x[:, j] for j in range(k)} | {"respondent": who})
    return frame, (x * coefficients[who]).sum(1)


def graded(coefficients: np.ndarray, thresholds, rng, *, per=30, width=1.0) -> ml.Comparisons:
    """Ordered logit with thresholds; `width` may be one of each respondent."""
    frame, s = pairs(coefficients, rng, per=per)
    cut = np.concatenate([-np.asarray(thresholds)[::-1], thresholds])
    wide = np.broadcast_to(width, len(coefficients))[frame["respondent"]]
    latent = s + rng.logistic(size=s.size)
    level = (latent[:, None] > cut * wide[:, None]).sum(1) - len(thresholds)
    names = [name for name in frame if name.startswith("x")]
    if len(thresholds) > 1:
        return ml.Comparisons.from_pandas(frame.assign(grade=level), grade="grade", features=names)
    words = np.array(["b", "tie", "a"])[level + 1]
    return ml.Comparisons.from_pandas(frame.assign(outcome=words), features=names)


def davidson(coefficients: np.ndarray, nu: float, rng, *, per=30) -> ml.Comparisons:
    """Ties after Davidson."""
    frame, s = pairs(coefficients, rng, per=per)
    weight = np.stack([np.exp(-s / 2), np.full(s.size, nu), np.exp(s / 2)], -1)
    cumulative = (weight / weight.sum(-1, keepdims=True)).cumsum(-1)
    pick = (rng.random(s.size)[:, None] > cumulative).sum(-1)
    names = [name for name in frame if name.startswith("x")]
    words = np.array(["b", "tie", "a"])[pick]
    return ml.Comparisons.from_pandas(frame.assign(outcome=words), features=names)


def generator(*key: object) -> np.random.Generator:
    """A generator of its own for each combination."""
    return np.random.default_rng([ord(c) for c in "/".join(map(str, key))])


def z_scores(found, truth: dict[str, float]) -> dict[str, float]:
    """How many standard errors the estimates lie from the truth."""
    table = found.table
    return {
        name: float((table.loc[name, "estimate"] - value) / table.loc[name, "se"])
        for name, value in truth.items()
    }


def double(values) -> torch.Tensor:
    """A float64 tensor."""
    return torch.as_tensor(np.asarray(values), dtype=torch.float64)
