import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import logsigmoid

import mixlogit as ml
from mixlogit.errors import DataError, UsageError
from mixlogit.models.context import Context
from mixlogit.models.folds import fit_again
from mixlogit.models.outcome_problem import make_problem
from mixlogit.models.thin import thinned

QUICK = {"inference": "laplace", "evidence": False, "draws": 400}


def judged(people, votes, seed=0, items=0):
    """Votes whose log strength is that of their judge + 0.02 length + 0.6 if about news."""
    rng = np.random.default_rng(seed)
    n, who = people * votes, np.repeat(np.arange(people), votes)
    length, topic = rng.normal(60, 25, n), rng.choice(["chat", "news"], n)
    strength = np.exp(0.5 * rng.normal(size=people)[who] + 0.02 * (length - 60))
    strength = strength * np.where(topic == "news", np.exp(0.6), 1.0)
    frame = pd.DataFrame({"respondent": [f"r{k}" for k in who], "length": length, "topic": topic})
    if items:
        utility = np.linspace(-1, 1, items)
        a = rng.integers(items, size=n)
        b = (a + rng.integers(1, items, size=n)) % items
        frame["item_a"], frame["item_b"] = [f"i{k}" for k in a], [f"i{k}" for k in b]
        margin = utility[a] - utility[b]
    else:
        frame["margin"] = margin = 1.5 * rng.normal(size=n)
    p = 1 / (1 + np.exp(-strength * margin))
    frame["outcome"] = np.where(rng.random(n) < p, "a", "b")
    return frame


FRAME = judged(80, 25)
DATA = ml.load(FRAME, groups=["length", "topic"])
FORMULA = "~ length + topic"


@pytest.fixture(scope="module")
def posterior():
    return ml.fit(DATA, context=FORMULA, evidence=False, draws=400)


def test_slopes_are_recovered(posterior):
    summary = posterior.summary()
    truth = {"context[length]": 0.02, "context[topic[T.news]]": 0.6, "log_sd": 0.5}
    for name, true in truth.items():
        assert abs(summary.loc[name, "mean"] - true) < 3 * summary.loc[name, "sd"]
    assert summary.loc["context[length]", "q05"] > 0
    tree = posterior.to_datatree()["posterior"]
    assert list(tree["context"].values) == ["length", "topic[T.news]"]
    assert all(check.ok for check in posterior.checks)


@pytest.mark.parametrize("ties", ["half", "rao-kupper"])
def test_likelihood_against_brute_force(ties):
    """b_a exp(z' slope) with b_a on dense nodes; (11) for ties."""
    frame = judged(20, 8, seed=1)
    if ties != "half":
        frame.loc[::5, "outcome"] = "tie"
    data = ml.load(frame, groups=["length", "topic"])
    joint = make_problem(data, context=FORMULA, ties=ties).joint("lognormal")
    theta = joint.start()
    theta = theta + 0.3 * torch.linspace(-1, 1, joint.size).double()
    sites, sampled = joint.unpack(theta.unsqueeze(0)), joint.sampled(theta.unsqueeze(0))
    cv, mean = float(sampled.family.cv[0, 0]), float(sites["log_mean"].exp())
    z = np.stack([frame["length"], frame["topic"] == "news"], 1).astype(float)
    z = (z - z.mean(0)) / z.std(0)
    factor = torch.tensor(np.exp(0.5 * z @ sites["z_context"].reshape(-1).numpy()))
    node = torch.linspace(-8, 8, 801).double()
    weight = torch.log_softmax(-0.5 * node.square(), 0)
    sigma = np.sqrt(np.log1p(cv**2))
    b = mean * torch.exp(sigma * node - 0.5 * sigma**2)
    scaled = b * (factor * torch.tensor(frame["margin"].to_numpy())).unsqueeze(-1)
    width = 0.0 if ties == "half" else float(sampled.outcome[0, 0])
    first, second = logsigmoid(scaled - width), logsigmoid(-scaled - width)
    tied = torch.log1p(-(first.exp() + second.exp()).clamp(max=1 - 1e-15))
    outcome = torch.tensor(frame["outcome"].map({"a": 0, "b": 1, "tie": 2}).to_numpy())
    each = torch.stack([first, second, tied])[outcome, torch.arange(len(frame))]
    total = 0.0
    for name in frame["respondent"].unique():
        rows = torch.tensor((frame["respondent"] == name).to_numpy())
        total += float(torch.logsumexp(each[rows].sum(0) + weight, 0))
    assert float(joint.log_likelihood(theta.unsqueeze(0))) == pytest.approx(total, abs=1e-3)


def test_without_slopes_it_is_the_panel_likelihood():
    plain = make_problem(DATA).joint("lognormal")
    joint = make_problem(DATA, context=FORMULA).joint("lognormal")
    theta = plain.start() + 0.2
    wide = torch.zeros(1, joint.size).double()
    for site in plain.sites:
        place = next(other for other in joint.sites if other.name == site.name)
        wide[:, place.start : place.stop] = theta[:, site.start : site.stop]
    expected = float(plain.log_likelihood(theta.unsqueeze(0)))
    assert float(joint.log_likelihood(wide.unsqueeze(0))) == pytest.approx(expected, abs=1e-3)


def test_held_out_votes_and_a_second_fit(posterior):
    train, test = DATA.split(0.2, seed=1)
    fitted = ml.fit(train, context=FORMULA, **QUICK)
    plain = ml.fit(train, **QUICK)
    assert fitted.log_scores(test).mean() > plain.log_scores(test).mean()
    again = fit_again({**posterior.to_dict()["arguments"], "inference": "laplace"}, train)
    assert again.summary().equals(fitted.summary())


def test_held_out_score_of_one_strength_by_hand():
    train, test = DATA.split(0.2, seed=1)
    options = {"family": "fixed", "context": "~ length", **QUICK}
    fitted = ml.fit(train, **options)
    tree = fitted.to_datatree()["posterior"]
    length = torch.tensor([float(x) for x in train.groups["length"].labels])
    centre = float(length[train.groups["length"].codes].mean())
    values = torch.tensor([float(x) for x in test.groups["length"].labels])
    z = values[test.groups["length"].codes] - centre
    p = torch.zeros(len(test)).double()
    draws = np.stack([tree[name].values.ravel() for name in ("mean", "context_effect")], -1)
    for mean, slope in draws[thinned(len(draws), 64).numpy()]:
        p += torch.sigmoid((2 * test.outcome - 1) * mean * torch.exp(slope * z) * test.margin)
    expected = (p / 64).log().numpy()
    np.testing.assert_allclose(fitted.log_scores(test), expected, atol=1e-6)


@pytest.mark.parametrize("ties", ["half", "davidson"])
def test_with_items_groups_and_ties(ties):
    frame = judged(60, 20, seed=3, items=5)
    frame.loc[::11, "outcome"] = "tie"
    data = ml.load(frame, groups=["length", "topic"])
    found = ml.fit(data, context="~ length", ties=ties, by=["topic"][: ties == "half"], **QUICK)
    row = found.summary().loc["context[length]"]
    assert abs(row["mean"] - 0.02) < 3.5 * row["sd"]
    assert len(found.utilities()) == 5


def test_evidence_and_a_lapse_rate():
    some = DATA.take(range(1000))
    found = ml.fit(some, context="~ topic", lapse=True, inference="laplace", draws=400)
    assert found.to_dict()["evidence"]["log_bayes_factor"] > 3
    assert "lapse" in found.summary().index


def refused(formula, data=DATA, error=UsageError, **options):
    with pytest.raises(error) as caught:
        ml.fit(data, context=formula, **options)
    return str(caught.value)


def test_what_cannot_be_used():
    constant = ml.load(FRAME.assign(same=1), groups=["same"])
    assert refused("~ same", constant) == ('Formula "~ same": same is constant over comparisons.')
    assert refused("~ 1") == ('Formula "~ 1": nothing in it is a covariate over comparisons.')
    unknown = refused("~ size", error=DataError)
    assert unknown == (
        f'{DATA.source}: no group column "size" for the formula "~ size". Group columns: length, '
        "topic."
    )
    holes = ml.load(FRAME.assign(topic=FRAME["topic"].where(FRAME.index > 1)), groups=["topic"])
    assert refused("~ topic", holes, DataError) == (
        f"{holes.source}: 2 comparisons have no topic (the first is number 1). Fill it in, or "
        "leave topic out of the formula."
    )
    with_items = ml.load(judged(20, 8, items=4), groups=["length"])
    assert refused("~ length", with_items, tastes=2) == (
        "--tastes cannot be joined with --context-formula."
    )


def test_choice_sets_have_none():
    rows = pd.DataFrame({"choice_id": [1, 1], "alternative": ["x", "y"], "chosen": [1, 0]})
    assert refused("~ topic", ml.ChoiceSets.from_pandas(rows)) == (
        "Covariates of choice sets cannot act on strength: use comparisons."
    )


def test_labels_that_the_fit_has_not_seen():
    context = Context.of(DATA, "~ topic")
    strange = ml.load(FRAME.assign(topic="sport"), groups=["topic"])
    with pytest.raises(UsageError) as caught:
        context.values(strange)
    assert str(caught.value) == (
        'The fit has seen no comparison with topic "sport", so its strength there is not known.'
    )
