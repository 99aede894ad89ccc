"""Posterior of latent tastes: draws, memberships, checks, verdict."""

import math
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor

from mixlogit.errors import UsageError
from mixlogit.models.checks import make_checks
from mixlogit.models.covariates import counts
from mixlogit.models.diagnose import Diagnosis, diagnose_tastes
from mixlogit.models.individual import strength_table
from mixlogit.models.infer import Inferred, Sampler, infer
from mixlogit.models.joint import LogJoint
from mixlogit.models.loo import elpd
from mixlogit.models.parameters import Named
from mixlogit.models.posterior import Posterior, summarise
from mixlogit.models.problem import Problem
from mixlogit.models.sites import CovariateDesign
from mixlogit.models.taste_class_checks import class_checks
from mixlogit.models.taste_class_held_out import class_held_out, class_log_scores
from mixlogit.models.taste_class_joint import TasteClassJoint, carried, climbed, find_class_mode
from mixlogit.models.taste_class_named import (
    class_members,
    membership_table,
    named_classes,
    tastes_record,
)
from mixlogit.models.taste_class_predictor import ClassPredictor
from mixlogit.models.tree import make_tree, unit_log_likelihood
from mixlogit.models.verdict import STRONG, Verdict
from mixlogit.models.votes_left_out import VOTE_DRAWS
from mixlogit.run import peak_memory_mb

__all__ = ["MOST_TASTES", "check_tastes", "fit_taste_classes"]

MOST_TASTES = 6
_STARTS = 8
_KEPT = 50  # draws of a chain whose log-likelihoods are kept
_HIGH = 60  # more parameters than this, or more numbers than the next line says for each
_COSTLY = 400_000  # evaluation, and the default is the normal approximation


def check_tastes(n_tastes: int, problem: Problem, refused: Mapping[str, object]) -> None:
    """Refuse what latent tastes cannot be fitted to.

    Args:
        n_tastes: Number of classes.
        problem: The data.
        refused: Options that cannot be joined with classes, by name; those true are given.

    Raises:
        UsageError: Too many classes, given margins, no respondents, or such an option.
    """
    given = [f"--{name}" for name, value in refused.items() if value]
    if given:
        raise UsageError(f"--tastes cannot be joined with {', '.join(given)}.")
    if problem.data.kind == "margin":
        raise UsageError(
            "Given margins fix one direction of taste: latent tastes need items "
            "(--item-a, --item-b) or features (--features)."
        )
    if not problem.panel:
        raise UsageError(
            "Latent tastes are classes of respondents. Name their column with --respondent."
        )
    people = problem.data.n_respondents
    if people < n_tastes:
        raise UsageError(f"{n_tastes} tastes need as many respondents; there are {people}.")


def fit_taste_classes(
    problem: Problem,
    alone: Problem,
    n_tastes: int,
    family: str,
    sampler: Sampler,
    *,
    lapse: bool = False,
) -> Posterior:
    """Fit latent classes of taste.

    Args:
        problem: The data.
        alone: The same without groups, to be fitted with one taste.
        n_tastes: Number of classes, two or more.
        family: Name of the strength family within the classes.
        sampler: How the posterior is drawn; "auto" is importance resampling where that is
            cheap, else the normal approximation at the mode.
        lapse: Whether judgements may be made at random.
    """
    begin = time.monotonic()
    joint = TasteClassJoint(problem, family, n_tastes, lapse=lapse)
    starts = find_class_mode(problem, joint, _STARTS, sampler.seed, sampler.progress)
    seconds = {"map": round(time.monotonic() - begin, 3)}
    inferred = sampler.infer(joint, _method(joint, sampler))
    joint.mode = inferred.mode.theta
    seconds["posterior"] = round(time.monotonic() - begin - seconds["map"], 3)
    theta = inferred.theta.squeeze(-2)
    flat = _flat(joint, inferred)
    named = named_classes(problem, joint, theta)
    prior = named_classes(problem, joint, joint.prior_draws(1000, sampler.seed).unsqueeze(0))
    members = class_members(joint, flat)
    found = class_checks(joint, starts, named, members)
    looked, tree = _diagnosed(problem, joint, inferred, (named, prior), sampler.seed)
    checks = make_checks(joint, inferred, named, prior) + found + looked.checks
    weighed = _evidence(problem, alone, joint, inferred, sampler) if sampler.evidence else None
    seconds["total"] = round(time.monotonic() - begin, 3)
    record = {
        **_about(problem, joint, named),
        "tastes": {**tastes_record(named, members), "starts": vars(starts)},
        "elpd": elpd(tree, panel=True),
        "elpd_vote": looked.vote_record(),
        "identified": looked.identified.to_dict(),
        "log_evidence": _log_evidence(joint, inferred),
        "evidence": weighed,
        "checks": [check.to_dict() for check in checks],
        "verdict": _verdict(weighed, family, alike=not found[-1].ok).to_dict(),
        "inference": inferred.method,
        "seed": sampler.seed,
        "seconds": seconds,
        "peak_memory_mb": peak_memory_mb(),
    }

    def held_out(test: Any) -> dict[str, Any]:
        return class_held_out(problem, alone, joint, flat, test, sampler.seed)

    log_scores = partial(class_log_scores, problem, joint, flat)
    strengths = strength_table(problem, members.individuals)
    tastes = membership_table(problem, members)
    return Posterior(tree, record, strengths, held_out, tastes, log_scores=log_scores)


def _diagnosed(
    problem: Problem,
    joint: TasteClassJoint,
    inferred: Inferred,
    named: tuple[Named, Named],
    seed: int,
) -> tuple[Diagnosis, Any]:
    """Predictions, identification and influence, as for fits of strength; and the tree."""
    theta = inferred.theta.squeeze(-2)
    thin = theta[:, :: max(1, theta.shape[1] // _KEPT)]  # each costs an evaluation of all nodes
    log_likelihood = unit_log_likelihood(problem, joint, thin)
    predictor = ClassPredictor.of(problem, joint, _flat(joint, inferred), VOTE_DRAWS)
    scalars = [_scalars(each.values, joint.spec.n_tastes) for each in named]
    looked = diagnose_tastes(
        problem, joint, inferred, predictor, (scalars[0], scalars[1]), log_likelihood, seed
    )
    family = joint.spec.family
    return looked, make_tree(problem, family, inferred, named, log_likelihood, looked)


def _flat(joint: TasteClassJoint, inferred: Inferred) -> Tensor:
    return inferred.theta.reshape(-1, 1, joint.size)


def _log_evidence(joint: TasteClassJoint, inferred: Inferred) -> dict[str, Any] | None:
    """Log marginal likelihood: classes can be named in C! ways, each with a mode of its own.

    Draws and normal approximation lie around one of them: `log C!` is added.
    """
    found = inferred.evidence()
    if found is None:
        return None
    return {**found, "estimate": float(found["estimate"]) + math.lgamma(joint.spec.n_tastes + 1)}


def _about(problem: Problem, joint: TasteClassJoint, named: Named) -> dict[str, Any]:
    """The parts of the record that say what was fitted, and the parameters."""
    spec = joint.spec
    return {
        "family": spec.family,
        "panel": True,
        "lapse": spec.lapse,
        "n": counts(problem.data),
        "parameters": {
            name: summarise(value)
            for name, value in {
                **_scalars(named.values, spec.n_tastes),
                **_effects(named, spec.n_tastes),
            }.items()
        },
        "groups": _groups(problem, named.values, spec.n_tastes),
        "priors": {**vars(problem.priors), "mean": 1.0},
    }


def _method(joint: TasteClassJoint, sampler: Sampler) -> Any:
    if sampler.method != "auto":
        return sampler.method
    cheap = joint.size <= _HIGH and joint.classes.cost <= _COSTLY
    return "importance" if cheap else "laplace"


def _scalars(values: Mapping[str, Any], n_tastes: int) -> dict[str, Any]:
    """Shares one by one, and every parameter that is a single number."""
    shares = {f"share[{c + 1}]": values["share"][..., c] for c in range(n_tastes)}
    return shares | {name: value for name, value in values.items() if value.ndim == 2}


def _effects(named: Named, n_tastes: int) -> dict[str, Any]:
    """Effects of covariates on the log odds of each class against class 1."""
    return {
        f"effect[{name}, {c + 1}]": named.values["share_effect"][..., k, c]
        for k, name in enumerate(named.coords.get("covariate", ()))
        for c in range(1, n_tastes)
    }


def _groups(problem: Problem, values: Mapping[str, Any], n_tastes: int) -> dict[str, Any]:
    """`{column: {label: {share[c]: summary}}}`."""
    return {
        group.column: {
            label: {
                f"share[{c + 1}]": summarise(values[f"share:{group.column}"][..., k, c])
                for c in range(n_tastes)
            }
            for k, label in enumerate(group.labels)
        }
        for group in problem.spec.groups
        if not isinstance(group, CovariateDesign)
    }


def _evidence(
    problem: Problem,
    alone: Problem,
    joint: TasteClassJoint,
    inferred: Inferred,
    sampler: Sampler,
) -> dict[str, float]:
    """Log Bayes factors by the Laplace approximation, nats.

    The classes can be named in C! ways, each with a mode of its own: `log C!` is added.
    """

    def laplace(program: LogJoint) -> float:
        found = infer(program, chains=2, draws=1, seed=sampler.seed, method="laplace")
        return float(found.log_evidence[0])

    spec = joint.spec
    names = math.lgamma(spec.n_tastes + 1)
    known = inferred.evidence_by == "laplace"
    own = names + (float(inferred.log_evidence[0]) if known else laplace(joint))
    one = TasteClassJoint(alone, spec.family, 1, lapse=spec.lapse)
    one.mode = climbed(one, one.mode)
    out = {"log_bayes_factor_taste": own - laplace(one)}
    if spec.family != "fixed":
        fixed = TasteClassJoint(problem, "fixed", spec.n_tastes, lapse=spec.lapse)
        fixed.mode = climbed(fixed, carried(joint, joint.mode, fixed))
        out["log_bayes_factor_strength"] = own - names - laplace(fixed)
    return out


def _verdict(weighed: dict[str, float] | None, family: str, *, alike: bool) -> Verdict:
    """The verdict by the rules of docs/tastes.md; `alike`: two classes differ in strength only."""
    if weighed is None:
        sentence = "Whether tastes differ was not weighed; leave --evidence on to find out."
        return Verdict("unknown", (sentence,))
    taste = weighed["log_bayes_factor_taste"]
    strength = weighed.get("log_bayes_factor_strength")
    figures = f"log Bayes factor {taste:+.1f} against one taste"
    if strength is None:
        beside = "Strength was not examined beside taste: compare with --family lognormal."
    elif strength > STRONG:
        beside = f"Strength differs within the classes (log Bayes factor {strength:+.1f})."
    elif strength < -1.0:
        beside = f"No sign that strength differs within them (log Bayes factor {strength:+.1f})."
    else:
        beside = f"Whether strength differs within them is open ({strength:+.1f})."
    if taste > STRONG and alike:
        sentence = (
            f"Respondents differ ({figures}), but two classes prefer the same: strength explains "
            "it as well. Compare with one taste and --family lognormal."
        )
        return Verdict("unknown", (sentence,))
    if taste > STRONG:
        kind = "both" if strength is not None and strength > STRONG else "taste"
        return Verdict(kind, (f"Respondents differ in taste ({figures}).", beside))
    if taste < -1.0:
        kind = "homogeneous" if family == "fixed" else "unknown"
        return Verdict(kind, (f"No sign of so many tastes ({figures}).", beside))
    return Verdict("unknown", (f"These data cannot tell how many tastes there are ({figures}).",))
