"""Random tastes: how coefficients vary over respondents, as functions of standard normals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import Tensor

from mixlogit.choice.taste_strength import StrengthAt, TasteStrength
from mixlogit.errors import UsageError

__all__ = ["Coefficients", "TasteDesign", "TasteFamily", "parse_random"]

TasteFamily = Literal["fixed", "normal", "lognormal", "-lognormal", "triangular"]


def parse_random(text: str) -> dict[str, str]:
    """Distributions of coefficients from `price:-lognormal,time:normal`.

    Raises:
        UsageError: If a part is not `NAME:DISTRIBUTION`.

    Example:
        >>> parse_random("price:-lognormal,time:normal")
        {'price': '-lognormal', 'time': 'normal'}
    """
    out = {}
    for part in text.split(","):
        name, colon, family = part.strip().rpartition(":")
        if not colon or not name:
            message = (
                f'Expected random coefficients as price:normal,time:lognormal but got "{text}".'
            )
            raise UsageError(message)
        out[name.strip()] = family.strip()
    return out


@dataclass(frozen=True, eq=False)
class Coefficients:
    """Coefficients at standard normals, and what their derivatives are made of.

    Attributes:
        value: The respondent's own numbers: strength times taste, then strength and log width
            where widths differ; then the outcome model's parameters, `respondent x draw x
            coefficient`.
        along: Derivative of own numbers in strength, `respondent x draw x own`.
        slope: Derivative of each in its own linear predictor, same shape.
        bend: Second derivative in it, same shape.
        mixed: Derivative in both, same shape.
        basis: 1, the transformed normals and the covariates, `respondent x draw x column`.
        latent_slope: Derivative of the transformed normals, `respondent x draw x latent`.
        strength: Strengths and their derivatives; None where strength is fixed.
    """

    value: Tensor
    along: Tensor
    slope: Tensor
    bend: Tensor
    mixed: Tensor
    basis: Tensor
    latent_slope: Tensor
    strength: StrengthAt | None

    @property
    def log_mass(self) -> Tensor:
        """Log mass of each draw beside its weight: that of its class of strength."""
        return self.value.new_zeros(1) if self.strength is None else self.strength.log_mass


@dataclass(frozen=True, eq=False)
class TasteDesign:
    r"""Which coefficients are random, how, and the flat vector of population parameters.

    Each coefficient has a linear predictor `x_k = m_k + sum_j A_kj z_j` in standard normals z and
    is `x_k` (fixed, normal), `exp(x_k)` or `-exp(x_k)` (lognormal), or `m_k + A_kk T(z_k)`
    (triangular, T the symmetric triangular variable on -1 to 1 with the same probability). The
    means m_k of random ones may move with covariates of the respondent, `m_k + x' gamma_k`. All
    are multiplied by the strength, of mean 1, if that is random: with lognormal strength the
    generalised multinomial logit of Fiebig et al. (2010) with gamma = 0.

    The parameters are the m_k, the entries of A that are free (`entries`), the gamma_k, the sd of
    log widths, those of strength, and those of what was judged: ties or grades, contexts, lapses.

    Args:
        features: Names of the coefficients.
        random: Distribution of each random one.
        correlated: False: A is diagonal. True: a full lower triangle (Cholesky). A number r:
            r common factors and a diagonal (low rank).
        strength: How strength is random; None: fixed.
        covariates: Names of the respondents' covariates.
        outcome: Names of the parameters of what was judged.
        exponent: Whether zones of indifference depend on strength.
        widths: Whether each respondent has a zone of indifference of their own.

    Raises:
        UsageError: For a name or distribution that there is not, or correlations that cannot be.

    Example:
        >>> design = TasteDesign(("price", "time"), {"price": "-lognormal", "time": "normal"})
        >>> design.names
        ('price', 'time', 'sd price', 'sd time')
        >>> psi = torch.tensor([0.0, 1.0, 0.5, 2.0], dtype=torch.float64)
        >>> design.at(psi, torch.zeros(1, 1, 2, dtype=torch.float64)).value.tolist()
        [[[-1.0, 1.0]]]
    """

    features: tuple[str, ...]
    random: Mapping[str, str]
    correlated: bool | int = False
    strength: TasteStrength | None = None
    covariates: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    exponent: bool = False
    widths: bool = False
    entries: tuple[tuple[int, int], ...] = field(init=False)
    n_latent: int = field(init=False)

    def __post_init__(self) -> None:
        self._check()
        rows = self.drawn
        first, rank = self._first, self._rank
        entries: list[tuple[int, int]] = []
        if self.correlated is True:
            entries = [(k, first + j) for i, k in enumerate(rows) for j in range(i + 1)]
        else:
            entries = [(k, first + rank + i) for i, k in enumerate(rows)]
            entries += [(k, first + j) for j in range(rank) for i, k in enumerate(rows) if i >= j]
        object.__setattr__(self, "entries", tuple(entries))
        object.__setattr__(self, "n_latent", first + rank + len(rows) + int(self.widths))

    @property
    def _first(self) -> int:
        """Normals of strength, before those of tastes."""
        return 0 if self.strength is None else self.strength.latent

    @property
    def _rank(self) -> int:
        return 0 if isinstance(self.correlated, bool) else self.correlated

    def _check(self) -> None:
        for name, family in self.random.items():
            if name not in self.features:
                known = ", ".join(self.features)
                raise UsageError(f'No feature "{name}" to be random. Features: {known}.')
            if family not in get_args(TasteFamily):
                known = ", ".join(get_args(TasteFamily))
                raise UsageError(f'No distribution "{family}" of {name}. There are {known}.')
        drawn = [self.features[k] for k in self.drawn]
        if not drawn and not self._first and not self.widths:
            raise UsageError("No coefficient is random. Name some by --random.")
        if self.correlated is False:
            return
        if any(self.family(name) == "triangular" for name in drawn):
            raise UsageError("Triangular coefficients cannot be correlated; make them normal.")
        if not isinstance(self.correlated, bool) and not 0 < self.correlated < len(drawn):
            raise UsageError(
                f"Expected between 1 and {len(drawn) - 1} common factors of {len(drawn)} random "
                f"coefficients but got {self.correlated}."
            )
        if len(drawn) < 2:
            raise UsageError("Correlated tastes need two random coefficients or more.")

    def family(self, name: str) -> str:
        """Distribution of a coefficient."""
        return self.random.get(name, "fixed")

    @property
    def families(self) -> tuple[str, ...]:
        """Distribution of every coefficient."""
        return tuple(self.family(name) for name in self.features)

    @property
    def drawn(self) -> tuple[int, ...]:
        """Positions of the random coefficients."""
        return tuple(k for k, family in enumerate(self.families) if family != "fixed")

    @property
    def copies(self) -> int:
        """How many times each draw of tastes is used: once for each class of strength."""
        return 1 if self.strength is None else self.strength.copies

    def starts(self, psi: Tensor) -> tuple[float, ...]:
        """Where searches for modes of strength's own normal begin, one for each likely mode."""
        return (0.0,) if self.strength is None else self.strength.starts(self.parts(psi)[4])

    @property
    def sizes(self) -> list[int]:
        """Numbers of parameters: of m, A, gamma, log widths, strength, and what was judged."""
        n_effects = len(self.drawn) * len(self.covariates)
        n_strength = 0 if self.strength is None else len(self.strength.names)
        return [
            len(self.features),
            len(self.entries),
            n_effects,
            int(self.widths),
            n_strength,
            len(self.outcome),
        ]

    @property
    def size(self) -> int:
        """Number of population parameters."""
        return sum(self.sizes)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the population parameters, in order."""
        out = list(self.features)
        for entry, (k, j) in enumerate(self.entries):
            if self.correlated is not True and self.own(entry):
                out.append(f"sd {self.features[k]}")
            else:
                out.append(f"root {self.features[k]}, {j - self._first + 1}")
        out += [f"effect {x} on {self.features[k]}" for k in self.drawn for x in self.covariates]
        out += ["sd log width"] if self.widths else []
        return (*out, *(() if self.strength is None else self.strength.names), *self.outcome)

    def parts(self, psi: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """The parameters m, of A, gamma, of log widths, of strength, of what was judged."""
        m, entries, effects, width, strength, outcome = psi.split(self.sizes, -1)
        return m, entries, effects, width, strength, outcome

    def matrix(self, psi: Tensor) -> Tensor:
        """The matrix A at `... x parameter`: `... x feature x latent`."""
        out = psi.new_zeros(*psi.shape[:-1], len(self.features), self.n_latent)
        rows, columns = (
            (list(part) for part in zip(*self.entries, strict=True))
            if (self.entries)
            else ([], [])
        )
        out[..., rows, columns] = self.parts(psi)[1]
        return out

    def at(self, psi: Tensor, z: Tensor, covariates: Tensor | None = None) -> Coefficients:
        """Coefficients at one parameter value.

        Args:
            psi: The parameters.
            z: Standard normals, `respondent x draw x latent`.
            covariates: `respondent x covariate`, where there are any.
        """
        means, _, effects, width, phi, outcome = self.parts(psi)
        moved, latent_slope = z, torch.ones_like(z)
        if "triangular" in self.families:
            moved, latent_slope = z.clone(), latent_slope.clone()
            for k, j in self.entries:
                if self.families[k] == "triangular":
                    moved[..., j], latent_slope[..., j] = _triangular(z[..., j])
        taste = means + moved @ self.matrix(psi).mT
        basis = [torch.ones_like(taste[..., :1]), moved]
        if covariates is not None:
            drawn = list(self.drawn)
            shift = covariates @ effects.view(len(drawn), -1).T
            taste[..., drawn] = taste[..., drawn] + shift.unsqueeze(1)
            basis.append(covariates.unsqueeze(1).expand(-1, z.shape[1], -1))
        slope, bend = torch.ones_like(taste), torch.zeros_like(taste)
        for k, family in enumerate(self.families):
            if family.endswith("lognormal"):
                sign = -1.0 if family.startswith("-") else 1.0
                taste[..., k] = sign * taste[..., k].clamp(max=300.0).exp()
                slope[..., k] = bend[..., k] = taste[..., k]
        strength = None if self.strength is None else self.strength.at(phi, z)
        b = torch.ones_like(z[..., 0]) if strength is None else strength.value
        parts = [taste, taste, slope, bend, slope]
        if strength is not None:
            for k in (0, 2, 3):
                parts[k] = b.unsqueeze(-1) * parts[k]
        if self.exponent or self.widths:
            beside = self._beside(b, z, width)
            parts = [torch.cat(both, -1) for both in zip(parts, beside, strict=True)]
        value, along, slope, bend, mixed = parts
        if self.outcome:
            value = torch.cat([value, outcome.expand(*value.shape[:-1], -1)], -1)
        columns = torch.cat(basis, -1)
        return Coefficients(value, along, slope, bend, mixed, columns, latent_slope, strength)

    def _beside(self, b: Tensor, z: Tensor, width: Tensor) -> list[Tensor]:
        """Strength and log width, as tastes have them: value, along, slope, bend, mixed."""
        zero, one = torch.zeros_like(b), torch.ones_like(b)
        of_strength = [b, one, zero, zero, zero] if self.exponent else None
        of_width = [width * z[..., -1], zero, one, zero, zero] if self.widths else None
        both = [each for each in (of_strength, of_width) if each is not None]
        return [torch.stack(part, -1) for part in zip(*both, strict=True)]

    def latent_jacobian(self, psi: Tensor, at: Coefficients) -> Tensor:
        """Derivative of own numbers in z: `respondent x draw x own x latent`."""
        matrix = self.matrix(psi)
        beside = matrix.new_zeros(int(self.exponent) + int(self.widths), self.n_latent)
        if self.widths:
            beside[-1, -1] = self.parts(psi)[3][0]
        matrix = torch.cat([matrix, beside])
        out = at.slope.unsqueeze(-1) * matrix * at.latent_slope.unsqueeze(-2)
        if at.strength is not None and self._first:
            out[..., 0] = at.strength.in_latent.unsqueeze(-1) * at.along
        return out

    def own(self, entry: int) -> bool:
        """Whether an entry of A is a coefficient's own spread: on the diagonal, no factor."""
        k, j = self.entries[entry]
        return j == self._first + self._rank + self.drawn.index(k)

    def index(self) -> tuple[Tensor, Tensor]:
        """Feature and column of `Coefficients.basis` of every parameter of tastes."""
        n, q = len(self.features), len(self.covariates)
        feature = [*range(n), *(k for k, _ in self.entries)]
        column = [0] * n + [j + 1 for _, j in self.entries]
        feature += [k for k in self.drawn for _ in range(q)]
        column += [1 + self.n_latent + j for _ in self.drawn for j in range(q)]
        if self.widths:
            feature.append(n + int(self.exponent))
            column.append(self.n_latent)
        return torch.tensor(feature), torch.tensor(column)


def _triangular(z: Tensor) -> tuple[Tensor, Tensor]:
    """Symmetric triangular variable on -1 to 1 with the probability of z, and its slope."""
    tail = torch.special.ndtr(-z.abs())
    root = (2.0 * tail).sqrt()
    density = torch.exp(-0.5 * z.square()) / (2.0 * torch.pi) ** 0.5
    return z.sign() * (1.0 - root), density / root.clamp_min(1e-150)
