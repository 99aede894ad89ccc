import re

import numpy as np
import pytest
import torch

import mixlogit as ml
from mixlogit.errors import UsageError
from mixlogit.models.held_out import held_out_log_scores
from mixlogit.models.problem import Problem


def scored(train, test, family="lognormal", by=(), lapse=False, n_draws=5, **more):
    problem = Problem(train, by=by, **more)
    joint = problem.joint(family, lapse=lapse)
    generator = torch.Generator().manual_seed(0)
    eps = torch.randn(n_draws, 1, joint.size, generator=generator, dtype=torch.float64)
    theta = joint.start() + 0.2 * eps
    return problem, joint, theta, held_out_log_scores(problem, joint, theta, test)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("lapse", [False, True])
def test_against_brute_force(lapse):
    frame = ml.simulate(60, 5, "lognormal", mean=1.0, cv=0.6, seed=4).frame
    frame["respondent"] = frame["respondent"].astype(str)
    new = frame.iloc[50:].copy()
    new.loc[new.index[:3], "respondent"] = "stranger"
    new = new.iloc[::-1]  # codes in another order than the fit's
    train, test = ml.load(frame.iloc[:50]), ml.load(new)
    problem, joint, theta, got = scored(train, test, lapse=lapse)
    generator = np.random.default_rng(0)
    names = list(train.respondent.labels)
    chance = np.zeros(len(new))
    for one in theta.split(1):
        sampled = joint.sampled(one)
        rate = 0.0 if sampled.lapse is None else float(sampled.lapse)
        location, scale = (float(x) for x in sampled.family.location_scale())
        b = np.exp(location + scale * generator.standard_normal(100_000))
        for k, (_, vote) in enumerate(new.iterrows()):
            sign = 1 if vote["outcome"] == "a" else -1
            p = rate / 2 + (1 - rate) * sigmoid(b * sign * vote["margin"])
            weight = np.ones_like(b)
            if vote["respondent"] in names:
                rows = problem.unit_of_row == names.index(vote["respondent"])
                for d in problem.margin[rows].tolist():
                    weight *= rate / 2 + (1 - rate) * sigmoid(b * d)
            chance[k] += (weight * p).sum() / weight.sum() / len(theta)
    assert np.allclose(got.exp(), chance, atol=4e-3)


def test_items_and_features_are_matched_by_name():
    for design in ({"items": 5}, {"features": 2}):
        made = ml.simulate(200, 10, "lognormal", seed=2, **design)
        frame = made.frame
        columns = {"features": ["x1", "x2"]} if "features" in design else {}
        data = ml.load(frame, **columns)
        whole = scored(data.take(torch.arange(150)), data.take(torch.arange(150, 200)))[-1]
        back = {"features": ["x2", "x1"]} if columns else {}
        apart = ml.load(frame.iloc[150:].iloc[::-1], **back)
        other = scored(data.take(torch.arange(150)), apart)[-1].flip(0)
        assert torch.allclose(whole, other)


def test_group_combinations_that_the_fit_has_not_seen():
    frame = ml.simulate(200, 20, "lognormal", seed=2).frame
    frame["g"] = np.where(np.arange(200) % 2, "x", "y")
    frame["h"] = np.where(np.arange(200) % 4 < 2, "u", "v")
    seen = ~((frame["g"] == "x") & (frame["h"] == "v"))
    columns = {"groups": ["g", "h"]}
    train, test = ml.load(frame[seen], **columns), ml.load(frame[~seen], **columns)
    problem, joint, theta, got = scored(train, test, by=["g", "h"], n_draws=1)
    sampled = joint.sampled(theta)
    assert len(problem.units.level) == 3
    # the effects of x and of v add up: x,u + y,v - y,u
    log_mean = sampled.family.mean.log()[0]
    level = [tuple(row) for row in problem.units.level.tolist()]
    labels = [problem.data.groups[c].labels for c in ("g", "h")]
    at = {(labels[0][a], labels[1][b]): k for k, (a, b) in enumerate(level)}
    expected = log_mean[at["x", "u"]] + log_mean[at["y", "v"]] - log_mean[at["y", "u"]]
    log_cv = sampled.family.cv.log()[0]
    cv = log_cv[at["x", "u"]] + log_cv[at["y", "v"]] - log_cv[at["y", "u"]]
    family = ml.strength("lognormal", mean=expected.exp(), cv=cv.exp())
    sign = 2 * test.outcome - 1
    assert torch.allclose(got, family.log_choice_prob(sign * test.margin), atol=1e-9)


def test_ties_are_left_out():
    data = ml.simulate(100, 10, "lognormal", ties=0.3, seed=2).comparisons()
    train, test = data.split(0.5, seed=0)
    assert len(scored(train, test)[-1]) == test.n_comparisons - test.n_ties


def refused(train, test, message, **more):
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        scored(train, test, **more)


def test_refusals():
    margins = ml.simulate(60, 5, groups=2, seed=1)
    items = ml.simulate(60, 5, items=4, seed=1)
    refused(
        margins.comparisons(),
        items.comparisons(),
        "The fit has margin but the held-out votes have items.",
    )
    frame = margins.frame
    refused(
        ml.load(frame, groups=["group"]),
        ml.load(frame.drop(columns="group")),
        'The held-out votes have no group column "group".',
        by=["group"],
    )
    refused(
        ml.load(frame, groups=["group"]),
        ml.load(frame.assign(group="g9"), groups=["group"]),
        'The fit and the held-out votes do not share the group "g9" (1 of 1 are not shared).',
        by=["group"],
    )
    strange = ml.load(items.frame.assign(item_a="i99"))
    refused(
        items.comparisons(),
        strange,
        'The fit and the held-out votes do not share the item "i99" '
        f"(1 of {len(strange.items)} are not shared).",
    )
    tied = margins.comparisons().take(torch.arange(10))
    tied = ml.Comparisons(outcome=torch.full((10,), 0.5).double(), margin=tied.margin)
    refused(margins.comparisons(), tied, "All held-out votes are ties, so none can be scored.")
