"""Random tastes with contexts, covariates of strength, groups, lapses and widths."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from judges import choice_sets, davidson, double, generator, graded, pairs, z_scores
from scipy.special import expit, logsumexp

import mixlogit as ml
from mixlogit.choice.panel_sets import make_blocks
from mixlogit.data.comparisons import Labels
from mixlogit.errors import UsageError
from mixlogit.models.folds import fit_again
from mixlogit.models.taste_predictor import TastePredictor
from mixlogit.models.taste_problem import TasteProblem
from mixlogit.models.taste_svi import _minibatches
from mixlogit.models.votes_left_out import vote_log_likelihood

PEOPLE, PER = 4, 8
ABOUT = ml.Covariates.read(
    "~ age", pd.DataFrame({"respondent": list("0123"), "age": [20.0, 30.0, 50.0, 80.0]})
)
AGE = np.array([20.0, 30.0, 50.0, 80.0])
AGE = (AGE - AGE.mean()) / AGE.std()
NODE = np.linspace(-6, 6, 61)
LOG_WEIGHT = -0.5 * NODE**2 - logsumexp(-0.5 * NODE**2)
# of tastes 0.7 and -0.5, sd 0.9 of the first; tau of log strength
TASTES, TAU = [0.7, -0.5, 0.9], [0.5]
OUTCOME = {"davidson": [np.log(0.7)], "grades": [0.4, 1.5]}


def data_of(outcome: str):
    """Judgements of four respondents with a number of each, and a group of it."""
    rng = generator(outcome, "shifts")
    coefficients = np.array([0.7, -0.5]) + np.array([0.9, 0.0]) * rng.standard_normal((PEOPLE, 2))
    if outcome == "choice":
        data = choice_sets(coefficients, rng, per=PER)
    elif outcome == "davidson":
        data = davidson(coefficients, 0.7, rng, per=PER)
    elif outcome == "grades":
        data = graded(coefficients, [0.4, 1.5], rng, per=PER)
    else:
        frame, s = pairs(coefficients, rng, per=PER)
        frame["outcome"] = np.where(rng.random(len(s)) < expit(s), "a", "b")
        data = ml.Comparisons.from_pandas(frame, features=["x0", "x1"])
    number = torch.arange(len(data)) % 5
    stance = torch.arange(len(data)) % 2
    groups = {
        "length": Labels(number, tuple("01234")),
        "stance": Labels(stance, ("pro", "con")),
    }
    return replace(data, groups=groups)


def log_probs(outcome: str, data, c, wide, factor: np.ndarray) -> np.ndarray:
    """Log probability of each judgement, by its definition: `judgement x point`.

    `c` are coefficients, `point x feature`, `wide` factors of width, `factor` those of contexts.
    """
    out = []
    for k in range(len(data)):
        if outcome == "choice":
            rows = data.choice == k
            u = factor[k] * c @ data.features[rows].numpy().T
            out.append(u[:, data.chosen[rows].numpy()][:, 0] - logsumexp(u, axis=1))
            continue
        s = factor[k] * c @ data.features[k].numpy()
        answer = float(data.outcome[k])
        if outcome == "pairs":
            out.append(-np.logaddexp(0.0, (1 - 2 * answer) * s))
        elif outcome == "davidson":
            every = {0.0: -s / 2, 0.5: np.log(0.7 * wide), 1.0: s / 2}
            out.append(every[answer] - logsumexp(list(every.values()), axis=0))
        else:
            cuts = np.array([-np.inf, -1.5, -0.4, 0.4, 1.5, np.inf])
            level = int(data.grade[k]) + 2
            low, high = (x * wide if np.isfinite(x) else x for x in cuts[level : level + 2])
            out.append(np.log(np.maximum(expit(s - low) - expit(s - high), 1e-300)))
    return np.stack(out)


OPTIONS = {"pairs": 2, "choice": 3, "davidson": 3, "grades": 5}
CASES = [
    ("pairs", {"context": "~ length", "lapse": True}),
    ("pairs", {"by": ["stance"], "strength_covariates": ABOUT}),
    ("choice", {"strength_covariates": ABOUT, "lapse": True}),
    ("choice", {"by": ["stance"]}),
    ("davidson", {"width": "strength", "context": "~ length"}),
    ("davidson", {"width": "respondent", "lapse": True}),
    ("grades", {"width": "respondent", "context": "~ length", "lapse": True}),
    ("grades", {"width": "strength"}),
]


@pytest.mark.parametrize(("outcome", "options"), CASES)
def test_likelihood_and_predictions_against_a_dense_grid(outcome: str, options) -> None:
    data = data_of(outcome)
    asked = ml.RandomTastes("x0:normal", draws=2048)
    ties = {"ties": "davidson"} if outcome == "davidson" else {}
    problem = TasteProblem.of(data, asked, "lognormal", 0, **ties, **options)
    own_width = [0.6] if options.get("width") == "respondent" else []
    exponent = [0.4] if "width" in options else []
    slopes, factor = [], np.ones(len(data))
    who = data.respondent.codes.numpy()
    if "context" in options:
        z = np.arange(len(data)) % 5
        slopes, factor = [0.5], factor * np.exp(0.5 * (z - z.mean()) / z.std())
    if "strength_covariates" in options:
        slopes, factor = [*slopes, 0.4], factor * np.exp(0.4 * AGE[who])
    if "by" in options:
        slopes += [0.3, -0.3]
        factor = factor * np.exp(np.where(np.arange(len(data)) % 2, -0.3, 0.3))
    rate = 0.1 if "lapse" in options else 0.0
    lapse = [np.log(0.1 / 0.9)] if rate else []
    tail = [*OUTCOME.get(outcome, []), *exponent, *slopes, *lapse]
    psi = double([*TASTES, *own_width, *TAU, *tail])
    assert len(psi) == problem.design.size
    likelihood = problem.likelihood()
    likelihood.adapt(psi)
    found = likelihood.evaluate(psi).value

    nodes = NODE[::3] if own_width else np.zeros(1)
    b, taste, w = (x.ravel() for x in np.meshgrid(NODE, NODE, nodes, indexing="ij"))
    log_mass = np.add.outer(np.add.outer(LOG_WEIGHT, LOG_WEIGHT), 0 * nodes)
    if own_width:
        log_mass = log_mass + LOG_WEIGHT[::3] - logsumexp(LOG_WEIGHT[::3])
    b = np.exp(0.5 * b - 0.125)
    c = b[:, None] * np.stack([0.7 + 0.9 * taste, np.full(len(taste), -0.5)], -1)
    wide = np.exp(0.6 * w) * b**0.4 if exponent else np.exp(0.6 * w)
    each = log_probs(outcome, data, c, wide, factor)
    if rate:
        each = np.log(rate / OPTIONS[outcome] + (1 - rate) * np.exp(each))
    total = np.stack([log_mass.ravel() + each[who == a].sum(0) for a in range(PEOPLE)])
    assert torch.allclose(found, double(logsumexp(total, axis=1)), atol=0.01)

    predictor = TastePredictor.of(problem, likelihood, psi.unsqueeze(0), 4)
    rows = torch.arange(len(data))
    left_out = vote_log_likelihood(problem, predictor, rows, single=True)[0].numpy()
    others = total[who] - each
    expected = logsumexp(others + each, axis=1) - logsumexp(others, axis=1)
    assert np.allclose(left_out, expected, atol=0.02)
    p, _, _ = predictor.at(0).people(rows, 8000, torch.Generator().manual_seed(0))
    assert torch.allclose(p.sum(0), torch.ones(()).double())
    recorded = (predictor.answers.recorded.unsqueeze(-1) * p).sum(0).mean(-1).numpy()
    own = np.exp(logsumexp(log_mass.ravel() + each, axis=1))
    assert np.allclose(recorded, own, atol=0.02)


def test_minibatches_hold_every_judgement() -> None:
    """Of the same respondents in blocks of one and all together."""
    options = {"width": "respondent", "context": "~ length", "lapse": True}
    problem = TasteProblem.of(data_of("grades"), "x0:normal", "lognormal", 0, **options)
    # two tastes, strength, log width, thresholds, exponent, slope, log odds of a lapse
    at = double([1.0, -0.5, 0.8, 0.2, 0.4, 1.5, 0.3, 0.2, -2.0])
    values = []
    rows = problem.rows_of(problem.data)
    for blocks in (make_blocks(rows, problem.unit_of_judgement, 1), _minibatches(problem)):
        value = torch.zeros(PEOPLE, dtype=torch.float64)
        for block in blocks:
            own = at.expand(len(block.respondent), 1, len(at))
            value[block.respondent] = block.moments(own).value.squeeze(-1)
        values.append(value)
    assert torch.allclose(*values, atol=1e-12)


def judged(people: int, per: int):
    """Pairs with a length, of judges with an age and a stance; a tenth of the answers random."""
    rng = generator("judged", people)
    who = np.repeat(np.arange(people), per)
    age, stance = rng.normal(40, 10, people), np.where(np.arange(people) % 2, "pro", "con")
    length, x = rng.normal(60, 25, len(who)), rng.standard_normal((len(who), 2))
    z = rng.standard_normal((people, 2))
    log_strength = 0.5 * z[:, 1] - 0.125 + 0.03 * (age - age.mean())
    log_strength = log_strength + np.where(stance == "pro", 0.4, -0.4)
    taste = np.stack([1.6 + 0.8 * z[:, 0], np.full(people, -1.2)], -1)
    s = np.exp(log_strength[who] + 0.012 * (length - length.mean())) * (x * taste[who]).sum(1)
    p = np.where(rng.random(len(who)) < 0.1, 0.5, expit(s))
    first = rng.random(len(who)) < p
    frame = pd.DataFrame({"respondent": who.astype(str), "x0": x[:, 0], "x1": x[:, 1]})
    frame = frame.assign(length=length, stance=stance[who], outcome=np.where(first, "a", "b"))
    about = pd.DataFrame({"respondent": np.arange(people).astype(str), "age": age})
    data = ml.load(frame, features=["x0", "x1"], groups=["length", "stance"])
    return data, ml.Covariates.read("~ age", about)


RANDOM = ml.RandomTastes("x0:normal", draws=64)


def test_contexts_covariates_groups_and_lapses_are_recovered() -> None:
    data, about = judged(150, 30)
    options = {"random": RANDOM, "context": "~ length + stance", "lapse": True}
    found = ml.maximum(data, "lognormal", strength_covariates=about, **options)
    truth = {"mean[x0]": 1.6, "sd[x0]": 0.8, "log_sd": 0.5, "context[length]": 0.012}
    truth |= {"context[stance[T.pro]]": 0.8, "strength_effect[age]": 0.03, "lapse": 0.1}
    scores = z_scores(found, truth)
    assert max(map(abs, scores.values())) < 3.5, scores
    assert z_scores(found, {"context[length]": 0.0})["context[length]"] > 3


def test_posterior_with_groups_predicts_held_out_votes(tmp_path) -> None:
    data, about = judged(60, 15)
    train, test = data.split(0.2, seed=1)
    quick = {"random": RANDOM, "inference": "laplace", "evidence": False, "draws": 200}
    more = {"strength_covariates": about, "context": "~ length", "lapse": True, "by": ["stance"]}
    fitted, plain = (ml.fit(train, "lognormal", **quick, **own) for own in (more, {}))
    record = fitted.to_dict()
    means = record["groups"]["stance"]
    assert means["pro"]["mean"]["q05"] > means["con"]["mean"]["q95"]
    assert {"context[length]", "strength_effect[age]", "lapse"} <= set(record["parameters"])
    assert fitted.log_scores(test).mean() > plain.log_scores(test).mean()
    tree = fitted.to_datatree()["posterior"]
    assert list(tree["mean:stance"]["stance"].values) == ["con", "pro"]
    assert list(tree["context"].values) == ["length"]
    again = fit_again({**record["arguments"], "inference": "laplace"}, train)
    assert again.to_dict()["groups"]["stance"]["pro"]["mean"]["mean"] > 1
    fitted.save(tmp_path / "run")
    assert ml.open_run(tmp_path / "run").to_dict()["groups"] == record["groups"]


@pytest.mark.parametrize("width", ["strength", "respondent"])
def test_widths_are_recovered(width: str) -> None:
    """Thresholds of `b^0.4`, and of each respondent's own."""
    rng = generator("widths", width)
    z = rng.standard_normal((150, 3))
    log_strength = 0.6 * z[:, 0] - 0.18
    own = 0.5 * z[:, 1] if width == "respondent" else 0.0
    taste = np.array([1.2, -0.8]) + np.outer(z[:, 2], [0.8, 0.0])
    wide = np.exp(0.4 * log_strength + own)
    data = graded(np.exp(log_strength)[:, None] * taste, [0.5, 1.5], rng, per=30, width=wide)
    found = ml.maximum(data, "lognormal", random=RANDOM, width=width)
    truth = {"mean[x0]": 1.2, "sd[x0]": 0.8, "log_sd": 0.6, "width_exponent": 0.4}
    truth |= {"threshold[1]": 0.5, "threshold[2]": 1.5}
    truth |= {"log_width_sd": 0.5} if width == "respondent" else {}
    scores = z_scores(found, truth)
    assert max(map(abs, scores.values())) < 3.5, scores


def test_what_is_refused() -> None:
    data = data_of("pairs")
    with pytest.raises(UsageError) as caught:
        ml.fit(data, random=RANDOM, width="strength")
    assert str(caught.value) == ("A width needs modelled ties or grades: add --ties or --grade.")
    with pytest.raises(UsageError) as caught:
        ml.fit(data_of("grades"), "normal", random=RANDOM, width="strength")
    assert str(caught.value) == (
        "--width strength needs a strength that differs and is positive: name --family lognormal, "
        "gamma or classes."
    )
    with pytest.raises(UsageError) as caught:
        ml.fit(data, strength_covariates=ABOUT)
    assert str(caught.value) == (
        "`strength_covariates` stand beside random tastes. With one taste give `covariates`."
    )
    with pytest.raises(UsageError) as caught:
        ml.maximum(data, "fixed", context="~ length")
    assert str(caught.value) == "Covariates at a maximum move random tastes. Name some as random."
