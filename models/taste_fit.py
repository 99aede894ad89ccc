"""Posterior of random tastes: draws, individual tastes, checks, verdict."""

import re
import time
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mixlogit.choice.simulated import SimulatedLikelihood
from mixlogit.data import data_card
from mixlogit.models.checks import r_hat
from mixlogit.models.diagnose import diagnose_tastes
from mixlogit.models.infer import K_LIMIT, Inferred, Sampler, infer
from mixlogit.models.joint import LogJoint
from mixlogit.models.loo import elpd
from mixlogit.models.mode import find_mode
from mixlogit.models.parameters import Named
from mixlogit.models.posterior import Posterior, summarise
from mixlogit.models.random_tastes import Population, TasteFactor, TasteSpec, random_tastes
from mixlogit.models.separation import separation_check
from mixlogit.models.taste_held_out import taste_held_out, taste_log_scores
from mixlogit.models.taste_maximum import TasteMaximum, counts, start_values, taste_checks
from mixlogit.models.taste_named import named_tastes
from mixlogit.models.taste_predictor import TastePredictor
from mixlogit.models.taste_problem import TasteProblem
from mixlogit.models.taste_svi import infer_by_svi
from mixlogit.models.thin import thinned
from mixlogit.models.tree import make_tree
from mixlogit.models.verdict import STRONG, Check, Verdict
from mixlogit.models.votes_left_out import VOTE_DRAWS
from mixlogit.run import peak_memory_mb

__all__ = ["TasteJoint", "find_taste_mode", "fit_tastes"]

_AXES = {
    "threshold": "level",
    "class_strength": "class_",
    "class_share": "class_",
    "context": "context",
    "strength_effect": "covariate",
}
_KEPT = 50  # draws of a chain whose log-likelihoods are kept
_TABLES = 16  # draws of the population that individual tastes are averaged over


class TasteJoint(LogJoint):
    """The program of random tastes as a function of a flat vector, with its mode known."""

    well_started = True

    def __init__(self, problem: TasteProblem) -> None:
        self.simulated: SimulatedLikelihood = problem.likelihood()
        alone = problem.alone.spec
        classes = alone.n_classes, alone.contrarians
        shared = problem.design, problem.rms, problem.priors, problem.model
        own: Any = TasteSpec(*shared, *classes, problem.shifts, problem.lapse)
        program: Any = random_tastes
        super().__init__(program, TasteFactor(self.simulated), own, 32)
        self.mode = torch.zeros(1, self.size, dtype=torch.float64)

    def start(self) -> Tensor:
        """The mode that was found while the draws moved."""
        return self.mode

    def psi(self, theta: Tensor) -> Tensor:
        """Population parameters at `draw x parameter` values of the sites."""
        found: Any = self.sampled(theta.unsqueeze(-2))
        assert isinstance(found, Population)
        return found.psi


def find_taste_mode(joint: TasteJoint, start: Tensor) -> None:
    """Find the mode, the draws of every respondent following it.

    Args:
        joint: The program; its `mode` and draws are changed.
        start: Population parameters to begin at.
    """
    theta = _matching(joint, start)
    value = -float("inf")
    for _ in range(40):
        joint.simulated.adapt(joint.psi(theta).detach()[0])
        with torch.no_grad():
            before = float(joint(theta.unsqueeze(0)))
        found = find_mode(joint, theta, steps=3)
        theta, gained = found.theta, float(found.value) - before
        if gained < 0.01 and abs(float(found.value) - value) < 2.0:
            break
        value = float(found.value)
    joint.mode = theta


def _matching(joint: TasteJoint, psi: Tensor) -> Tensor:
    """Values of the sites whose population parameters are closest to given ones."""
    theta = torch.zeros(1, joint.size, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        scale = joint.psi(theta)[0].abs() + 0.1 * psi.abs().clamp_min(1e-3)
    optimiser = torch.optim.LBFGS([theta], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = ((joint.psi(theta)[0] - psi) / scale).square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return theta.detach()


def fit_tastes(problem: TasteProblem, sampler: Sampler) -> Posterior:
    """Fit random tastes.

    Args:
        problem: The data.
        sampler: How the posterior is drawn; with more than 60 parameters the default is the
            normal approximation.
    """
    begin = time.monotonic()
    joint = TasteJoint(problem)
    inferred = _inferred(problem, joint, sampler)
    theta = inferred.theta.squeeze(-2)
    psi = joint.psi(theta.flatten(0, 1)).detach()
    names, values = named_tastes(problem, psi)
    named = {name: values[:, i].view(theta.shape[:2]).numpy() for i, name in enumerate(names)}
    prior_psi = joint.psi(joint.prior_draws(1000, sampler.seed)).detach()
    prior = dict(zip(names, named_tastes(problem, prior_psi)[1].T.numpy(), strict=True))
    checks = _checks(problem, joint, inferred, named, prior)
    weighed = None
    if sampler.evidence and inferred.method != "svi":
        weighed = _evidence(problem, inferred, sampler.seed)
    tastes = _table(problem, joint.simulated, psi)
    log_likelihood = _log_likelihood(problem, joint, theta)
    predictor = TastePredictor.of(problem, joint.simulated, psi, VOTE_DRAWS)
    drawn = [name for name in problem.design.features if name in problem.design.random]
    looked = diagnose_tastes(
        problem, joint, inferred, predictor, (named, prior), log_likelihood, sampler.seed,
        {"normal_sds": drawn},
    )  # fmt: skip
    checks += looked.checks
    both = _with_axes(named), _with_axes({name: value[None] for name, value in prior.items()})
    tree = make_tree(problem, "tastes", inferred, both, log_likelihood, looked)
    record = {
        **_about(problem),
        "groups": _groups(problem, named),
        "elpd": elpd(tree, panel=problem.panel),
        "elpd_vote": looked.vote_record(),
        "identified": looked.identified.to_dict(),
        "log_evidence": inferred.evidence(),
        "parameters": {
            name: summarise(value) for name, value in named.items() if not name.startswith("mean:")
        },
        "evidence": None if weighed is None else {"log_bayes_factor_taste": weighed},
        "checks": [check.to_dict() for check in checks],
        "verdict": _verdict(problem, weighed).to_dict(),
        "inference": inferred.method,
        "priors": {**vars(problem.priors), "mean": 1.0},
        "seed": sampler.seed,
        "seconds": {"total": round(time.monotonic() - begin, 3)},
        "peak_memory_mb": peak_memory_mb(),
    }

    def held_out(test: Any) -> dict[str, Any]:
        return taste_held_out(problem, joint.simulated, psi, test, sampler.seed)

    def log_scores(test: Any) -> Tensor:
        return taste_log_scores(problem, joint.simulated, psi, test)

    return Posterior(tree, record, pd.DataFrame(), held_out, tastes, log_scores)


def _inferred(problem: TasteProblem, joint: TasteJoint, sampler: Sampler) -> Inferred:
    """Draws of the population, the individuals' draws around their modes there."""
    start = start_values(problem)
    if sampler.method == "svi":
        inferred = infer_by_svi(problem, joint, _matching(joint, start), sampler)
        joint.mode = inferred.mode.theta
        joint.simulated.adapt(joint.psi(joint.mode).detach()[0])
        return inferred
    find_taste_mode(joint, start)
    many = sampler.method == "auto" and joint.size > 60
    return sampler.infer(joint, "laplace" if many else None)


def _about(problem: TasteProblem) -> dict[str, Any]:
    """The parts of the record that say what was fitted."""
    return {
        "family": problem.family,
        "panel": problem.panel,
        "lapse": problem.lapse,
        "random": dict(problem.design.random),
        "correlated": problem.design.correlated,
        "n": data_card(problem.data)["n"],
        "tastes": {"draws": problem.random.draws, "sampling": problem.random.sampling},
    }


def _checks(
    problem: TasteProblem,
    joint: TasteJoint,
    inferred: Inferred,
    named: dict[str, np.ndarray],
    prior: dict[str, np.ndarray],
) -> list[Check]:
    checks = []
    if inferred.method == "importance":
        k, effective = float(inferred.k_hat.max()), float(inferred.effective.min())
        nuts = "Run again with --inference nuts."
        checks.append(Check("Pareto k", k, K_LIMIT, k <= K_LIMIT, nuts))
        checks.append(Check("effective draws", effective, 100.0, effective >= 100.0, nuts))
    if inferred.method == "svi":
        advice = "A guide over individuals is too narrow: trust no interval; use --inference auto."
        checks.append(Check("interval calibrated", 0.0, 1.0, False, advice))
    worst = max(r_hat(value) for value in named.values())
    checks.append(
        Check(
            "restarts agree (R-hat)",
            worst,
            1.05,
            worst <= 1.05,
            "The restarts found different answers; fit a simpler model or more data.",
        )
    )
    if not any(family.endswith("lognormal") for family in problem.design.families):
        alone = problem.alone.joint(problem.family, lapse=problem.lapse)
        separable = separation_check(alone, list(problem.design.features))
        checks += [] if separable is None else [separable]
    psi = joint.psi(joint.mode).detach()[0]
    best = TasteMaximum(psi, joint.simulated, joint.simulated.evaluate(psi))
    checks += taste_checks(best, problem)
    spreads = [name for name in named if name.startswith(("sd[", "cv", "correlation["))]
    weights = {
        name: float(np.var(named[name]) / np.var(_trimmed(prior[name]))) for name in spreads
    }
    if weights:
        name = max(weights, key=lambda key: weights[key])
        advice = f"The data say little about {name}; leave it fixed, or collect more choices."
        checks.append(Check("prior weight", weights[name], 0.5, weights[name] <= 0.5, advice))
    return checks


def _trimmed(values: np.ndarray) -> np.ndarray:
    """Without the outermost hundredth: means of lognormal coefficients have no tame variance."""
    low, high = np.quantile(values, [0.005, 0.995])
    clipped: np.ndarray = np.clip(values, low, high)
    return clipped


def _evidence(problem: TasteProblem, inferred: Inferred, seed: int) -> float:
    """Log Bayes factor of random tastes against one taste for all, strength as in the fit."""
    joint = problem.alone.joint(problem.family, lapse=problem.lapse)
    other = infer(joint, chains=1, draws=500, seed=seed, method="evidence")
    return float(inferred.log_evidence[0] - other.log_evidence[0])


def _verdict(problem: TasteProblem, weighed: float | None) -> Verdict:
    strength = "Strength was not examined beside taste: compare with --family lognormal."
    if problem.design.strength is not None:
        strength = "Taste and strength were fitted together; compare with --family fixed."
    if not problem.panel:
        return Verdict(
            "unknown",
            (
                "Without respondents random tastes are a shape of the choice probabilities and "
                "not a measure of people; no verdict on heterogeneity is given.",
            ),
        )
    if weighed is None:
        return Verdict("unknown", ("Whether tastes differ was not weighed.", strength))
    figures = f"log Bayes factor {weighed:+.1f} against one taste for all"
    if weighed > STRONG:
        return Verdict("taste", (f"Tastes differ between respondents ({figures}).", strength))
    if weighed < -1.0:
        return Verdict("homogeneous", (f"No sign that tastes differ ({figures}).", strength))
    return Verdict("unknown", (f"These data cannot tell whether tastes differ ({figures}).",))


def _table(problem: TasteProblem, simulated: SimulatedLikelihood, psi: Tensor) -> pd.DataFrame:
    """Individual tastes, averaged over draws of the population."""
    index = thinned(len(psi), _TABLES)
    parts = [simulated.tastes(one) for one in psi[index]]
    mean = torch.stack([part[0] for part in parts])
    variance = torch.stack([part[1] for part in parts]).square().mean(0)
    sd = (variance + mean.var(0, correction=0)).sqrt()
    columns: dict[str, Any] = {"respondent": problem.labels(), "n": counts(problem).numpy()}
    for k, name in enumerate(problem.design.features):
        columns[f"mean[{name}]"] = mean.mean(0)[:, k].numpy()
        columns[f"sd[{name}]"] = sd[:, k].numpy()
    if problem.design.strength is not None:
        columns["strength"] = torch.stack([part[2] for part in parts]).mean(0).numpy()
    return pd.DataFrame(columns)


def _log_likelihood(problem: TasteProblem, joint: TasteJoint, theta: Tensor) -> np.ndarray:
    """Of each respondent (or judgement) at thinned draws, `chain x draw x unit`, float32."""
    kept = thinned(theta.shape[1], _KEPT)
    thin = joint.psi(theta[:, kept].flatten(0, 1)).detach()
    each = torch.stack([joint.simulated.evaluate(one).value for one in thin])
    return each.view(theta.shape[0], len(kept), -1).to(torch.float32).numpy()


def _groups(problem: TasteProblem, named: dict[str, np.ndarray]) -> dict[str, Any]:
    """`{column: {label: {"mean": summary}}}` of strength."""
    return {
        column: {x: {"mean": summarise(named[f"mean:{column}[{x}]"])} for x in labels}
        for column, labels in problem.shifts.groups.items()
    }


def _with_axes(named: dict[str, np.ndarray]) -> Named:
    """`mean[price]`, `mean[time]`, ... as one variable `taste_mean` with an axis of its own."""
    parts: dict[str, dict[str, np.ndarray]] = {}
    values: dict[str, np.ndarray] = {}
    for name, value in named.items():
        found = re.fullmatch(r"(\w+|mean:.*?)\[(.*)\]", name)
        if found is None:
            values[name] = value
        else:
            parts.setdefault(found[1], {})[found[2]] = value
    of_groups = {kind: kind.removeprefix("mean:") for kind in parts if ":" in kind}
    known = _AXES | of_groups
    kinds = {kind: kind if kind in known else f"taste_{kind}" for kind in parts}
    kinds |= {"context": "context_effect"}
    axes = {kind: known.get(kind, f"{kind}_of") for kind in parts}
    values |= {kinds[kind]: np.stack(list(each.values()), -1) for kind, each in parts.items()}
    dims: dict[str, tuple[str, ...]] = {kinds[kind]: (axes[kind],) for kind in parts}
    return Named(values, dims, {axes[kind]: list(each) for kind, each in parts.items()})
