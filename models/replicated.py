"""Posterior predictive checks: figures of the data against those of replicated answers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from mixlogit.data import ChoiceSets
from mixlogit.models.predictive import Predicted

__all__ = ["Replicated", "compare_with_replicates", "tail_probability"]

Array = NDArray[np.float64]
_BINS, _LEAST = 8, 25  # bins of |margin|, and fewest votes in one
_DIRECTIONS = 3  # of residuals looked at where the fit has tastes for the first ones
_ENTRIES = 2_000_000  # respondents x items (or features) that residuals are summed to


@dataclass(frozen=True, eq=False)
class Replicated:
    """Figures of the data, and of replicated answers.

    Attributes:
        observed: By name: `agreeing`, `tied` and `mean_grade` (`bin`), `respondent_sd`, `taste`
            (`direction`: one, or three where the fit lets tastes differ).
        replicated: The same with an axis `replicate` before.
        p_value: How likely the observed figure (the farthest one out of several) is under the
            fit, by name.
        bin_margin: Mean |margin| of each bin.
    """

    observed: dict[str, Array]
    replicated: dict[str, Array]
    p_value: dict[str, float]
    bin_margin: Array


def tail_probability(observed: Array, replicated: Array) -> float:
    """Two-sided p of the observed figure farthest from its replicates, for all figures together.

    Replicates are taken as normal with unknown moments, so that few of them suffice for a small
    p; of several figures the smallest p is multiplied by their number (Bonferroni).

    Args:
        observed: `figure`-vector (or a scalar).
        replicated: `replicate x figure` (or a `replicate`-vector).

    Example:
        >>> replicated = np.random.default_rng(0).normal(size=64)
        >>> tail_probability(np.array(0.0), replicated) > 0.5
        True
        >>> tail_probability(np.array(6.0), replicated) < 1e-4
        True
    """
    n = len(replicated)
    sd = replicated.std(0, ddof=1) * np.sqrt(1 + 1 / n)
    away = np.abs(observed - replicated.mean(0))
    far = np.where(sd > 0, away / np.where(sd > 0, sd, 1.0), np.where(away > 1e-9, np.inf, 0.0))
    return float(min(1.0, np.size(observed) * 2 * stats.t.sf(np.max(far), n - 1)))


def compare_with_replicates(
    problem: Any, predicted: Predicted, *, tastes: bool = False
) -> Replicated:
    """Compare the data with replicates: by size of margin, between and within respondents.

    Counted votes enter one by one. Rows with other weights stand for no single answer: they are
    not compared. Where tastes differ, residuals by taste are compared with those of new
    respondents: a respondent's own tastes are fitted to the very residuals.

    Args:
        problem: The data.
        predicted: From `predict`.
        tastes: Whether the fit lets tastes differ.
    """
    votes = _Votes.of(problem, predicted)
    sets: dict[str, tuple[Callable[[Array], Array], Array]] = {}
    if votes.n_bins and predicted.single:
        sets["agreeing"] = votes.agreeing, votes.again
        if votes.has_ties:
            sets["tied"] = votes.tied, votes.again
        if int(predicted.answers.level.max()) > 1:
            sets["mean_grade"] = votes.mean_grade, votes.again
    if problem.panel and predicted.single:
        sets["respondent_sd"] = votes.respondent_sd, votes.others
        if votes.design is not None:
            if tastes:
                sets["taste"] = partial(votes.taste, votes.expected_new, _DIRECTIONS), votes.others
            else:
                sets["taste"] = partial(votes.taste, votes.expected, 1), votes.again
    observed = {name: of(votes.observed) for name, (of, _) in sets.items()}
    replicated = {
        name: np.stack([of(one) for one in source]) for name, (of, source) in sets.items()
    }
    p = {name: tail_probability(observed[name], replicated[name]) for name in observed}
    return Replicated(observed, replicated, p, votes.bin_margin())


@dataclass(frozen=True, eq=False)
class _Votes:
    """Agreement with the margin: 1, -1, 0 for ties, times the grade; observed and replicated.

    `expected` is the mean of `again`, `expected_new` that of `others`.
    """

    size: Array
    bin: NDArray[np.integer[Any]]
    n_bins: int
    has_ties: bool
    unit: NDArray[np.integer[Any]]
    observed: Array
    again: Array
    others: Array
    expected: Array
    expected_new: Array
    design: Array | None
    forward: Array

    @classmethod
    def of(cls, problem: Any, predicted: Predicted) -> "_Votes":
        answers, rows = predicted.answers, predicted.rows
        margin = predicted.margin[rows]
        forward = torch.ones_like(margin) if _is_set(problem) else margin.sign()
        direction = answers.direction_of(rows).double() * answers.level.clamp_min(1).unsqueeze(-1)
        recorded = (answers.recorded[:, rows] * direction).sum(0)
        kept = forward != 0
        which = torch.arange(len(rows))
        again, others = (
            torch.stack([direction[one.long(), which] for one in made])
            for made in (predicted.again, predicted.others)
        )
        size = margin.abs()[kept].numpy()
        n_bins = min(_BINS, len(size) // _LEAST)
        edges = np.quantile(size, np.linspace(0, 1, n_bins + 1)[1:-1]) if n_bins else []
        # latent margins take few values: some bins can be empty, and are left out
        bins, place = np.unique(np.searchsorted(edges, size, side="right"), return_inverse=True)
        turned = [(part * forward)[..., kept].numpy() for part in (recorded, again, others)]
        return cls(
            size=size,
            bin=place,
            n_bins=len(bins) if n_bins else 0,
            has_ties=answers.model is not None and bool((answers.level == 0).any()),
            unit=problem.units.of_comparison[rows][kept].numpy(),
            observed=turned[0],
            again=turned[1],
            others=turned[2],
            expected=np.sign(turned[1]).mean(0),
            expected_new=np.sign(turned[2]).mean(0),
            design=_design(problem, rows[kept]),
            forward=forward[kept].numpy(),
        )

    def agreeing(self, agree: Array) -> Array:
        """Share that agrees, by bin: of decided votes where ties are modelled, else of all."""
        counted = agree != 0 if self.has_ties else np.ones(len(agree), dtype=bool)
        votes = np.bincount(self.bin[counted], minlength=self.n_bins)
        share = np.bincount(self.bin[counted], (np.sign(agree[counted]) + 1) / 2, self.n_bins)
        return share / np.maximum(votes, 1)

    def tied(self, agree: Array) -> Array:
        """Share of ties, by bin."""
        votes = np.bincount(self.bin, minlength=self.n_bins)
        return np.bincount(self.bin, agree == 0, self.n_bins) / np.maximum(votes, 1)

    def mean_grade(self, agree: Array) -> Array:
        """Mean grade of decided votes, by bin."""
        votes = np.bincount(self.bin, agree != 0, self.n_bins)
        return np.bincount(self.bin, np.abs(agree), self.n_bins) / np.maximum(votes, 1)

    def respondent_sd(self, agree: Array) -> Array:
        """Sd between respondents of the share that agrees, beyond what the fit expects of it."""
        away = (np.sign(agree) - self.expected_new) / 2
        votes = np.bincount(self.unit)
        total = np.bincount(self.unit, away)
        used = votes > 1
        return np.asarray(np.sqrt((total[used] ** 2 / votes[used]).sum() / max(1, used.sum())))

    def taste(self, expected: Array, directions: int, agree: Array) -> Array:
        """Largest singular values of residuals summed by respondent and item (or feature)."""
        assert self.design is not None
        away = self.forward * (np.sign(agree) - expected) / 2
        size = int(self.unit.max()) + 1
        if self.design.ndim == 2 and self.design.dtype.kind == "i":  # the two items
            width = int(self.design.max()) + 1
            at = self.unit * width + self.design.T
            both = np.bincount(at[0], away, size * width) - np.bincount(at[1], away, size * width)
            table = both.reshape(size, width)
        else:
            columns = [np.bincount(self.unit, away * x, size) for x in self.design.T]
            table = np.stack(columns, -1)
        small = table.T @ table if table.shape[0] > table.shape[1] else table @ table.T
        return np.asarray(np.sqrt(np.linalg.eigvalsh(small)[::-1][:directions].clip(0.0)))

    def bin_margin(self) -> Array:
        """Mean size of margin of each bin."""
        count = np.maximum(np.bincount(self.bin, minlength=self.n_bins), 1)
        return np.bincount(self.bin, self.size, self.n_bins) / count


def _is_set(problem: Any) -> bool:
    return isinstance(problem.data, ChoiceSets)


def _design(problem: Any, rows: Tensor) -> NDArray[np.float64] | None:
    """Items (`row x 2`) or features (`row x feature`) of pairs; None where there are neither."""
    data = problem.data
    if _is_set(problem) or data.margin is not None:
        return None
    n = len(problem.units.block)
    if data.features is not None:
        return np.asarray(data.features[rows].numpy())
    if data.item_a is None or data.item_b is None or n * len(data.items) > _ENTRIES:
        return None
    return np.asarray(torch.stack([data.item_a, data.item_b], -1)[rows].numpy())
