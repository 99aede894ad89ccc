"""What is reported of random tastes, by name."""

import torch
from torch import Tensor

from mixlogit.models.outcome_parameters import outcome_values
from mixlogit.models.parameters import spread_values
from mixlogit.models.taste_problem import TasteProblem

__all__ = ["named_tastes"]


def named_tastes(problem: TasteProblem, psi: Tensor) -> tuple[list[str], Tensor]:
    """What is reported, from the flat parameters.

    `mean[k]` and `sd[k]` of each coefficient over respondents (at average covariates, if there
    are any); of lognormal ones also `log_mean[k]` and `log_sd[k]`; `correlation[k,l]` of the
    linear predictors; `effect[x,k]`, the change of a mean (of a lognormal one: of its log) a unit
    of the covariate; `cv` and more of strength; parameters of ties or grades; `context[z]` and
    `strength_effect[x]`, changes of log strength a unit of each; `mean:COLUMN[label]`, mean
    strength of a group; `lapse`.

    Args:
        problem: The data.
        psi: `draw x parameter`.

    Returns:
        Names, and values `draw x name`.
    """
    parts = [*_moments(problem, psi), *_effects(problem, psi), *_strength(problem, psi)]
    outcome, slopes, lapse = problem.judging(psi)
    if problem.model is not None:
        flat = torch.cat([outcome, problem.design.parts(psi)[3]], -1)
        parts += _labelled(*outcome_values(problem.model, flat))
    parts += problem.shifts.named(slopes)
    if problem.lapse:
        parts.append(("lapse", torch.sigmoid(lapse[:, 0])))
    names, values = zip(*parts, strict=True)
    return list(names), torch.stack(values, -1)


Part = tuple[str, Tensor]


def _moments(problem: TasteProblem, psi: Tensor) -> list[Part]:
    """Means, sds and correlations of the coefficients."""
    design, out = problem.design, list[Part]()
    matrix = design.matrix(psi)
    scale = matrix.square().sum(-1).clamp_min(1e-300).sqrt()
    for k, (name, family) in enumerate(zip(design.features, design.families, strict=True)):
        m, s = psi[:, k], scale[:, k]
        if family.endswith("lognormal"):
            sign = -1.0 if family.startswith("-") else 1.0
            mean = (m + s.square() / 2).exp()
            out.append((f"mean[{name}]", sign * mean))
            out.append((f"sd[{name}]", mean * torch.expm1(s.square()).sqrt()))
            out += [(f"log_mean[{name}]", m), (f"log_sd[{name}]", s)]
        else:
            out.append((f"mean[{name}]", m))
            if family != "fixed":
                out.append((f"sd[{name}]", s / 6**0.5 if family == "triangular" else s))
    if design.correlated is not False:
        cross = matrix @ matrix.mT
        for i, k in enumerate(design.drawn):
            for j in design.drawn[:i]:
                value = cross[:, k, j] / (scale[:, k] * scale[:, j])
                out.append((f"correlation[{design.features[j]},{design.features[k]}]", value))
    return out


def _effects(problem: TasteProblem, psi: Tensor) -> list[Part]:
    """Effects of covariates on the means of random coefficients, a unit of each."""
    people, design = problem.people, problem.design
    if people is None:
        return []
    effects = design.parts(psi)[2].view(len(psi), len(design.drawn), -1) / people.scale
    return [
        (f"effect[{x},{design.features[k]}]", effects[:, i, j])
        for i, k in enumerate(design.drawn)
        for j, x in enumerate(people.names)
    ]


def _strength(problem: TasteProblem, psi: Tensor) -> list[Part]:
    """Spread of strength, and its classes."""
    strength = problem.design.strength
    if strength is None:
        return []
    family = strength.population(problem.design.parts(psi)[4])
    found = {name: value for name, value in spread_values(family).items() if name != "sd"}
    out = list(found.items())
    if family.atoms is not None:
        values = dict(zip(("class_strength", "class_share"), family.atoms, strict=True))
        values = {name: value[:, 0] for name, value in values.items()}
        values["class_share"] = values["class_share"].exp()
        labels = {"class_": [str(c + 1) for c in range(strength.copies)]}
        out += _labelled(values, dict.fromkeys(values, ("class_",)), labels)
    return out


def _labelled(
    values: dict[str, Tensor], dims: dict[str, tuple[str, ...]], coords: dict[str, list[str]]
) -> list[Part]:
    """Vectors by name and label."""
    out: list[Part] = []
    for name, value in values.items():
        if name in dims:
            labels = coords[dims[name][0]]
            out += [(f"{name}[{x}]", value[:, k]) for k, x in enumerate(labels)]
        else:
            out.append((name, value))
    return out
