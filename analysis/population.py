"""The population of strengths at saved draws: spreads, quantiles, nodes; numpy and scipy only."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import special, stats

from mixlogit.analysis.density import DENSITIES, Array
from mixlogit.analysis.saved import Saved

__all__ = ["Population", "average_mean"]

_Z = np.arange(-40, 41) / 5.0  # standard normal nodes, 0.2 apart
_LEAST = 1e-4  # smallest cv, as for densities


def average_mean(saved: Saved, group: str = "posterior") -> Array:
    """Mean strength of the average group, a `draw`-vector; 1 where utilities carry the scale.

    Args:
        saved: The run.
        group: "posterior" or "prior".
    """
    mean = saved.draws("mean", group)
    if mean is not None:
        return mean
    tree = saved.tree[group]
    out = np.ones(tree.sizes["chain"] * tree.sizes["draw"])
    for name in (str(n) for n in tree.data_vars if str(n).startswith("mean:")):
        of_labels = saved.draws(name, group)
        assert of_labels is not None
        out = out * np.exp(np.log(of_labels).mean(-1))
    return out


@dataclass(frozen=True, eq=False)
class Population:
    """One mixing distribution for each draw.

    Attributes:
        family: Name of the family.
        mean: Mean strength, a `draw`-vector.
        cv: Coefficient of variation, a `draw`-vector; 0 for one strength.
        strengths: Strengths of the classes, `draw x class_`, or None.
        shares: Their shares, `draw x class_`, or None.
    """

    family: str
    mean: Array
    cv: Array
    strengths: Array | None = None
    shares: Array | None = None

    @classmethod
    def of(cls, saved: Saved, column: str = "", label: int = 0) -> "Population | None":
        """The population of a run, or of one label of a group column.

        Args:
            saved: The run.
            column: Group column; empty: the whole population (the average group, with groups).
            label: Position of the label.

        Returns:
            The population; None where the run does not give it (classes by group, a family of
            the user's own).
        """
        if saved.family not in ("fixed", "classes", *DENSITIES):
            return None
        of = f":{column}" if column else ""
        mean, cv = saved.draws(f"mean{of}"), saved.draws(f"cv{of}")
        strengths, shares = saved.draws("class_strength"), saved.draws("class_share")
        if column:
            if saved.family == "classes" or mean is None:
                return None
            return cls(saved.family, mean[:, label], _or(cv, mean, 0.0)[:, label])
        draws = saved.tree["posterior"].sizes
        every = np.zeros(draws["chain"] * draws["draw"])
        mean = average_mean(saved)
        return cls(saved.family, mean, _or(cv, every, 0.0), strengths, shares)

    def thinned(self, most: int) -> "Population":
        """At no more draws than so many, evenly spread."""
        n = len(self.mean)
        kept = np.linspace(0, n - 1, min(n, most)).round().astype(int)
        parts = {"mean": self.mean[kept], "cv": self.cv[kept]}
        if self.strengths is not None and self.shares is not None:
            parts |= {"strengths": self.strengths[kept], "shares": self.shares[kept]}
        return replace(self, **parts)

    @property
    def signed(self) -> bool:
        """Whether strengths can be negative."""
        some = self.strengths is not None and bool((self.strengths < 0).any())
        return self.family == "normal" or some

    def log_moments(self) -> tuple[Array, Array]:
        """Mean and sd of log strength, `draw`-vectors; NaN where strengths can be negative."""
        if self.signed:
            return np.full_like(self.mean, np.nan), np.full_like(self.mean, np.nan)
        if self.strengths is not None and self.shares is not None:
            log = np.log(self.strengths)
            mean = (self.shares * log).sum(-1)
            return mean, np.sqrt((self.shares * (log - mean[:, None]) ** 2).sum(-1))
        if self.family == "gamma":
            cv = np.maximum(self.cv, _LEAST)
            location = special.digamma(cv**-2) + np.log(self.mean) + 2 * np.log(cv)
            return location, np.sqrt(special.polygamma(1, cv**-2))
        variance = np.log1p(self.cv**2)
        return np.log(self.mean) - variance / 2, np.sqrt(variance)

    def gini(self) -> Array:
        """Gini coefficient, `E|b - b'| / (2 |E b|)`: a `draw`-vector."""
        if self.strengths is not None and self.shares is not None:
            b, w = self.strengths, self.shares
            apart = np.abs(b[:, :, None] - b[:, None]) * w[:, :, None] * w[:, None]
            return np.asarray(apart.sum((1, 2)) / (2 * np.abs((b * w).sum(-1))))
        if self.family == "normal":
            return np.asarray(self.cv / np.sqrt(np.pi))
        if self.family == "gamma":
            shape = np.maximum(self.cv, _LEAST) ** -2
            return np.asarray(special.beta(shape + 0.5, 0.5) / np.pi)
        sd = np.sqrt(np.log1p(self.cv**2))
        return np.asarray(2 * special.ndtr(sd / np.sqrt(2)) - 1)

    def quantile(self, share: float) -> Array:
        """Strength below which a share of the population lies: a `draw`-vector."""
        if self.strengths is not None and self.shares is not None:
            order = np.argsort(self.strengths, -1)
            below = np.take_along_axis(self.shares, order, -1).cumsum(-1)
            at = np.minimum((below < share - 1e-12).sum(-1), self.strengths.shape[1] - 1)
            b = np.take_along_axis(self.strengths, order, -1)
            return np.asarray(b[np.arange(len(b)), at])
        if self.family == "fixed":
            return self.mean
        density = DENSITIES[self.family]
        found = density.quantile(share, self.mean, self.cv)
        return np.exp(found) if density.log_axis else found

    def below(self, strength: float) -> Array:
        """Share of the population with a strength of at most so much: a `draw`-vector."""
        if self.strengths is not None and self.shares is not None:
            return np.asarray(np.where(self.strengths <= strength, self.shares, 0.0).sum(-1))
        cv = np.maximum(self.cv, _LEAST)
        if self.family == "normal":
            return np.asarray(stats.norm.cdf(strength, self.mean, self.mean * cv))
        if strength <= 0:
            return np.zeros_like(self.mean)
        if self.family == "gamma":
            return np.asarray(stats.gamma.cdf(strength, cv**-2, scale=self.mean * cv**2))
        if self.family == "lognormal":
            location, sd = replace(self, cv=cv).log_moments()
            return np.asarray(special.ndtr((np.log(strength) - location) / sd))
        return (self.mean <= strength).astype(np.float64)

    def nodes(self) -> tuple[Array, Array]:
        """Strengths and weights for averages over the population, both `draw x node`.

        Continuous families: the trapezoidal rule in `z`, strength the quantile at `Phi(z)`.
        """
        if self.strengths is not None and self.shares is not None:
            return self.strengths, self.shares
        if self.family == "fixed":
            return self.mean[:, None], np.ones((len(self.mean), 1))
        weight = stats.norm.pdf(_Z)
        at = np.broadcast_to(weight / weight.sum(), (len(self.mean), len(_Z)))
        mean, cv = self.mean[:, None], np.maximum(self.cv, _LEAST)[:, None]
        if self.family == "gamma":
            found = stats.loggamma.ppf(special.ndtr(_Z), cv**-2) + np.log(mean * cv**2)
            return np.exp(found), at
        if self.family == "normal":
            return mean * (1 + cv * _Z), at
        location, sd = replace(self, cv=cv[:, 0]).log_moments()
        return np.exp(location[:, None] + sd[:, None] * _Z), at


def _or(value: Array | None, like: Array, other: float) -> Array:
    return np.full_like(like, other) if value is None else value
