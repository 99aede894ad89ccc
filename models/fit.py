"""`mixlogit.fit`: from preference data to a posterior of strength."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import pandas as pd
import torch

from mixlogit.data import ChoiceSets, Comparisons, Streamed
from mixlogit.data.fingerprint import judgements_sha256
from mixlogit.models.arguments import Options, check_arguments
from mixlogit.models.checks import make_checks
from mixlogit.models.covariates import Covariates, counts
from mixlogit.models.diagnose import diagnose_strength
from mixlogit.models.evidence import Evidence, weigh_evidence
from mixlogit.models.individual import individuals, strength_table
from mixlogit.models.infer import Inferred, Progress, Sampler
from mixlogit.models.joint import LogJoint
from mixlogit.models.loo import elpd
from mixlogit.models.outcome_held_out import held_out, log_scores
from mixlogit.models.outcome_problem import Ties, Width
from mixlogit.models.parameters import Named, named_parameters, prior_parameters
from mixlogit.models.posterior import Posterior, summarise
from mixlogit.models.priors import Priors
from mixlogit.models.problem import Problem
from mixlogit.models.sites import CovariateDesign
from mixlogit.models.streamed_problem import refuse_streamed
from mixlogit.models.taste_class_fit import check_tastes, fit_taste_classes
from mixlogit.models.taste_fit import fit_tastes
from mixlogit.models.taste_problem import Random, RandomTastes, TasteProblem, refuse_with_tastes
from mixlogit.models.threads import few_threads
from mixlogit.models.tree import make_tree, unconstrained, unit_log_likelihood
from mixlogit.models.verdict import Verdict, give_verdict
from mixlogit.run import peak_memory_mb

__all__ = ["fit"]

CHAINS = 4


def fit(
    data: Comparisons | ChoiceSets | Streamed,
    family: str | None = None,
    *,
    tastes: int = 1,
    random: Random | None = None,
    ties: Ties = "half",
    width: Width = "shared",
    panel: bool | None = None,
    by: Sequence[str] = (),
    covariates: Covariates | None = None,
    strength_covariates: Covariates | None = None,
    context: str = "",
    lapse: bool = False,
    classes: int = 2,
    contrarians: bool = False,
    priors: Priors | None = None,
    inference: Literal["auto", "nuts", "laplace", "svi"] = "auto",
    evidence: bool = True,
    draws: int = 2000,
    seed: int = 0,
    progress: Progress | None = None,
) -> Posterior:
    """The posterior of strength and of tastes, individuals integrated out.

    Args:
        data: Comparisons, choice sets or streamed votes. With latent utilities the mean is 1.
        family: A strength family; default "lognormal", and "fixed" with tastes of either kind.
        tastes: Latent classes of taste, 1 to 6, each with utilities of its own.
        random: Coefficients that differ between respondents, as `RandomTastes` takes them.
        ties: "half" a vote each way, or modelled after "davidson" or "rao-kupper".
        width: Zone of indifference: "shared", by "strength", or each "respondent" its own.
        panel: One strength for each respondent (the default where there are any).
        by: Group columns with effects on strength or, with latent tastes, on their shares.
        covariates: Of respondents: on mean strength, shares of latent or means of random tastes.
        strength_covariates: Of respondents, on mean strength beside random tastes.
        context: Formula of group columns, on the strength of comparisons.
        lapse: Let a share of the votes be random.
        classes: Number of classes of the `classes` family.
        contrarians: Whether its first class has a negative strength.
        priors: Of parameters.
        inference: "auto", "nuts", "laplace" (normal, uncorrected) or, for random tastes, "svi".
        evidence: Weigh mixed against fixed strength, or several tastes against one.
        draws: Draws of the posterior, over four restarts.
        seed: Of draws and starts.
        progress: Called with a stage, steps done and steps in all; `print` will do.

    Raises:
        UsageError: For arguments that cannot be used.

    Example:
        >>> import mixlogit as ml
        >>> fit(ml.simulate(2000, 100, seed=1).comparisons(), draws=400).summary().index.tolist()
        ['mean', 'cv', 'log_sd']
    """
    shape = priors, classes, contrarians, ties, width, covariates, strength_covariates, context
    options = Options(tastes, RandomTastes.of(random) if random else None, panel, by, *shape)
    family = check_arguments(data, family, options, draws, inference)
    sampler = Sampler(inference, evidence, max(100, draws // CHAINS), CHAINS, seed, progress)
    return _posterior(data, family, lapse, options, sampler)


def _posterior(
    data: Comparisons | ChoiceSets | Streamed,
    family: str,
    lapse: bool,
    options: Options,
    sampler: Sampler,
) -> Posterior:
    """The posterior of the kind of fit asked for, with what was asked in its record."""
    if isinstance(data, Streamed):
        refuse_streamed({"random": options.random, "tastes": options.tastes > 1})
        found = _run(data, family, lapse, options, sampler)
    elif options.random:
        found = _fit_tastes(data, family, lapse, options, sampler)
    elif options.tastes > 1:
        found = _fit_classes(data, family, lapse, options, sampler)
    else:
        found = _run(data, family, lapse, options, sampler)
    asked = {"family": family, "lapse": lapse, "inference": sampler.method, **vars(options)}
    return found.noting(judgements_sha256(data), asked)


def _fit_tastes(
    data: Comparisons | ChoiceSets,
    family: str,
    lapse: bool,
    options: Options,
    sampler: Sampler,
) -> Posterior:
    assert options.random is not None
    refuse_with_tastes({"no-panel": options.panel is False})
    tastes = TasteProblem.of(
        data,
        options.random,
        family,
        sampler.seed,
        priors=options.priors,
        covariates=options.covariates,
        strength_covariates=options.strength_covariates,
        lapse=lapse,
        ties=options.ties,
        width=options.width,
        by=options.by,
        context=options.context,
        n_classes=options.classes,
        contrarians=options.contrarians,
    )
    with few_threads(len(data)), torch.random.fork_rng(devices=[]):
        return fit_tastes(tastes, sampler)


def _fit_classes(
    data: Comparisons | ChoiceSets,
    family: str,
    lapse: bool,
    options: Options,
    sampler: Sampler,
) -> Posterior:
    problem = options.problem(data)
    refused = {"contrarians": options.contrarians, "context-formula": options.context}
    check_tastes(options.tastes, problem, refused)
    simple = replace(options, by=(), covariates=None)
    alone = simple.problem(data) if problem.spec.groups else problem
    with few_threads(len(data)), torch.random.fork_rng(devices=[]):
        return fit_taste_classes(problem, alone, options.tastes, family, sampler, lapse=lapse)


def _run(
    data: Comparisons | ChoiceSets | Streamed,
    family: str,
    lapse: bool,
    options: Options,
    sampler: Sampler,
) -> Posterior:
    """Table, posterior, evidence, and what follows from them."""
    problem = options.problem(data)
    seed, progress = sampler.seed, sampler.progress
    clock = _Clock()
    with few_threads(problem.n_rows), torch.random.fork_rng(devices=[]):
        joint = problem.joint(family, lapse=lapse)
        clock.stop("table")
        inferred = sampler.infer(joint)
        clock.stop("posterior")
        clock.seconds["map"] = round(inferred.mode_seconds, 3)
        weighed = None
        if sampler.evidence and problem.panel and family != "fixed":
            fitted = (joint, inferred)
            weighed = weigh_evidence(problem, family, fitted, seed=seed, progress=progress)
            clock.stop("evidence")
        if progress is not None:
            progress("checks", 0, 1)
        return _result(problem, joint, inferred, weighed, seed, clock)


class _Clock:
    """Wall seconds of each stage."""

    def __init__(self) -> None:
        self._begin = self._last = time.monotonic()
        self.seconds: dict[str, float] = {}

    def stop(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[stage] = round(now - self._last, 3)
        self._last = now
        self.seconds["total"] = round(now - self._begin, 3)


def _verdict(problem: Problem, joint: LogJoint, weighed: Evidence | None) -> Verdict:
    utilities = bool(problem.data.items or problem.data.feature_names)
    family = joint.spec.family
    return give_verdict(weighed, panel=problem.panel, family=family, utilities=utilities)


def _result(
    problem: Problem,
    joint: LogJoint,
    inferred: Inferred,
    weighed: Evidence | None,
    seed: int,
    clock: _Clock,
) -> Posterior:
    """Name, summarise and check the draws."""
    theta = inferred.theta.squeeze(-2)
    named = named_parameters(problem, joint, theta)
    prior = prior_parameters(problem, joint, 1000, seed)
    flat = theta.reshape(-1, 1, joint.size)
    found = individuals(problem, joint, flat) if problem.panel else None
    strengths = pd.DataFrame() if found is None else strength_table(problem, found)
    log_likelihood = unit_log_likelihood(problem, joint, theta)
    clock.stop("strengths")
    both, lapsed = (named, prior), None if weighed is None else weighed.with_lapse
    looked = diagnose_strength(problem, joint, inferred, both, found, log_likelihood, lapsed, seed)
    tree = make_tree(problem, joint.spec.family, inferred, both, log_likelihood, looked)
    tree["unconstrained_posterior"] = unconstrained(joint, flat)
    checks = make_checks(joint, inferred, named, prior) + looked.checks
    clock.stop("checks")
    record = {
        "family": joint.spec.family,
        "panel": problem.panel,
        "lapse": joint.spec.lapse,
        "n": counts(problem.whole),
        "parameters": _parameters(named),
        "groups": _groups(named, problem),
        "tastes": {},
        "elpd": elpd(tree, panel=problem.panel),
        "elpd_vote": looked.vote_record(),
        "identified": looked.identified.to_dict(),
        "log_evidence": inferred.evidence(),
        "evidence": None if weighed is None else weighed.to_dict(),
        "checks": [check.to_dict() for check in checks],
        "verdict": _verdict(problem, joint, weighed).to_dict(),
        "inference": inferred.method,
        "priors": {**vars(problem.priors), "mean": problem.spec.centre},
        "seed": seed,
        "seconds": clock.seconds,
        "peak_memory_mb": peak_memory_mb(),
    }

    def scored(test: Any) -> dict[str, Any]:
        return held_out(problem, joint, flat, problem.like_fitted(test), seed)

    def log_scored(test: Any) -> torch.Tensor:
        return log_scores(problem, joint, flat, problem.like_fitted(test))

    return Posterior(tree, record, strengths, scored, log_scores=log_scored)


def _parameters(named: Named) -> dict[str, dict[str, float]]:
    """Summaries of single parameters, those of covariates by name."""
    out = {name: summarise(value) for name, value in named.values.items() if value.ndim == 2}
    for k, name in enumerate(named.coords.get("covariate", ())):
        out[f"effect[{name}]"] = summarise(named.values["effect"][..., k])
    for k, name in enumerate(named.coords.get("context", ())):
        out[f"context[{name}]"] = summarise(named.values["context_effect"][..., k])
    return out


def _groups(named: Named, problem: Problem) -> dict[str, Any]:
    """`{column: {label: {parameter: summary}}}`, and classes likewise."""
    out: dict[str, Any] = {}
    for group in problem.spec.groups:
        if isinstance(group, CovariateDesign):
            continue
        out[group.column] = {
            label: {
                kind: summarise(named.values[f"{kind}:{group.column}"][..., k])
                for kind in ("mean", "cv")
                if f"{kind}:{group.column}" in named.values
            }
            for k, label in enumerate(group.labels)
        }
    if "class_strength" in named.values:
        out["class_"] = {
            label: {
                "strength": summarise(named.values["class_strength"][..., k]),
                "share": summarise(named.values["class_share"][..., k]),
            }
            for k, label in enumerate(named.coords["class_"])
        }
    return out
