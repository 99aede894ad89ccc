"""Latent tastes: the mode, its derivatives, names, memberships, checks, held-out scores."""

import itertools

import numpy as np
import pytest
import torch
from judges import generator, pairs
from torch.nn.functional import logsigmoid

import mixlogit as ml
from mixlogit.errors import UsageError
from mixlogit.models.infer import infer
from mixlogit.models.mode import find_mode, gradient_and_hessian
from mixlogit.models.outcome_problem import make_problem
from mixlogit.models.student import draw_t, log_t
from mixlogit.models.taste_class_held_out import class_log_scores
from mixlogit.models.taste_class_joint import TasteClassJoint, find_class_mode, ordered_by_share
from mixlogit.models.taste_class_named import named_classes

TASTES = np.array([[1.5, -0.5], [-1.0, 1.0]])


def voters(
    tastes: np.ndarray, counts: list[int], *, per: int = 20, key: str = "classes"
) -> ml.Comparisons:
    """Respondents in classes of given sizes, one after the other, with a group each."""
    rng = generator(key)
    kind = np.repeat(np.arange(len(counts)), counts)
    frame, s = pairs(tastes[kind], rng, per=per)
    first = rng.logistic(size=len(s)) < s
    frame["outcome"] = np.where(first, "a", "b")
    side = (rng.random(len(kind)) < np.where(kind == 0, 0.8, 0.2)).astype(int)
    frame["side"] = np.array(["left", "right"])[side[frame["respondent"]]]
    frame["respondent"] = [f"p{k:03d}" for k in frame["respondent"]]
    return ml.Comparisons.from_pandas(frame, features=["x0", "x1"], groups=["side"])


@pytest.fixture(scope="module")
def data() -> ml.Comparisons:
    return voters(TASTES, [50, 30])


@pytest.fixture(scope="module")
def posterior(data: ml.Comparisons) -> ml.Posterior:
    return ml.fit(data, tastes=2, draws=1000)


def joint_of(data: ml.Comparisons, family: str, tastes: int = 2, **options) -> TasteClassJoint:
    problem = make_problem(data, **options)
    joint = TasteClassJoint(problem, family, tastes, lapse=False)
    find_class_mode(problem, joint, 3, 0)
    return joint


def test_weights_and_shares_are_found(posterior: ml.Posterior) -> None:
    """The larger class comes first."""
    weights = posterior.utilities()
    for c, k in itertools.product(range(2), range(2)):
        row = weights.loc[(str(c + 1), f"x{k}")]
        assert abs(row["mean"] - TASTES[c, k]) < 3.5 * row["sd"]
    shares = posterior.summary()["mean"]
    assert shares["share[1]"] == pytest.approx(50 / 80, abs=0.15)
    assert shares["share[1]"] + shares["share[2]"] == pytest.approx(1.0)
    assert posterior.verdict.heterogeneity == "taste"
    assert all(check.ok for check in posterior.checks), posterior.checks


def test_memberships(posterior: ml.Posterior) -> None:
    table = posterior.memberships().set_index("respondent")
    assert list(table.columns) == ["n", "class_", "p[1]", "p[2]"]
    assert np.allclose(table["p[1]"] + table["p[2]"], 1.0)
    truth = np.repeat([1, 2], [50, 30])
    assert (table.sort_index()["class_"].to_numpy() == truth).mean() > 0.9
    assert posterior.tastes().empty


def test_the_saved_run_says_the_same(posterior: ml.Posterior, tmp_path) -> None:
    posterior.save(tmp_path / "run")
    again = ml.open_run(tmp_path / "run")
    assert again.memberships().equals(posterior.memberships())
    assert np.allclose(again.utilities(), posterior.utilities())
    tree = again.to_datatree()
    assert tree["posterior"]["weight"].dims == ("chain", "draw", "class_", "feature")
    assert tree["log_likelihood"]["panel"].dims == ("chain", "draw", "unit")
    assert list(tree["log_likelihood"]["unit"].values[:2]) == ["p000", "p001"]


def test_json_of_tastes(posterior: ml.Posterior) -> None:
    tastes = posterior.to_dict()["tastes"]
    first = tastes["classes"]["1"]
    assert set(first) == {"share", "respondents", "weight"}
    assert first["respondents"] == pytest.approx(50, abs=8)
    assert set(first["weight"]["x0"]) >= {"mean", "sd", "q05", "q95"}
    assert len(tastes["starts"]["log_densities"]) == 8


def test_the_evidence_counts_every_order_of_the_classes(
    data: ml.Comparisons, posterior: ml.Posterior
) -> None:
    """Against draws from t's around both orders, weighted by the mixture of the two."""
    joint = joint_of(data, "fixed")
    mode = find_mode(joint, joint.mode)
    root = torch.linalg.cholesky(1.7 * torch.linalg.inv(-mode.hessian))

    def turned(theta: torch.Tensor) -> torch.Tensor:
        weights, odds = theta[..., :4].unflatten(-1, (2, 2)), theta[..., 4:]
        return torch.cat([weights.flip(-2).flatten(-2), -odds], -1)

    theta = draw_t(mode.theta, root, 1000, torch.Generator().manual_seed(0))
    theta = torch.cat([theta, turned(theta)])
    near, far = (log_t(part, mode.theta, root)[0] for part in (theta, turned(theta)))
    with torch.no_grad():
        log_weight = joint(theta) - torch.logaddexp(near, far) + np.log(2)
    exact = float(torch.logsumexp(log_weight, 0)) - np.log(len(theta))
    found = posterior.to_dict()["log_evidence"]
    assert found["by"] == "importance"
    assert found["estimate"] == pytest.approx(exact, abs=0.1)


def test_agrees_with_nuts(data: ml.Comparisons, posterior: ml.Posterior) -> None:
    """Pyro's NUTS on the same program; classes so far apart do not change names."""
    joint = joint_of(data, "fixed")
    drawn = infer(joint, chains=1, draws=600, method="nuts").theta
    reference = named_classes(make_problem(data), joint, drawn.squeeze(-2)).values
    found = posterior.to_datatree()["posterior"]
    for name in ("share", "weight"):
        ours, theirs = (x.reshape(-1, *x.shape[2:]) for x in (found[name].values, reference[name]))
        assert np.abs((ours.mean(0) - theirs.mean(0)) / theirs.std(0)).max() < 0.3
        assert np.abs(np.log(ours.std(0) / theirs.std(0))).max() < 0.25


@pytest.mark.parametrize("family", ["fixed", "lognormal"])
def test_derivatives_of_blocks(data: ml.Comparisons, family: str, monkeypatch) -> None:
    """Value, gradient and Hessian by blocks of respondents are those of the whole."""
    joint = joint_of(data, family, by=["side"])
    theta = joint.mode + 0.1
    whole = gradient_and_hessian(joint, theta)
    monkeypatch.setattr("mixlogit.choice.taste_classes._ELEMENTS", joint.classes.cost // 5)
    assert len(list(joint.classes.parts())) >= 5
    for found, wanted in zip(joint.derivatives(theta), whole, strict=True):
        assert torch.allclose(found, wanted, rtol=1e-6, atol=1e-6)


def test_classes_have_no_names_of_their_own(data: ml.Comparisons) -> None:
    """Exchanged classes have the same density, and are put back in order."""
    joint = joint_of(data, "lognormal", by=["side"])
    mixed = joint.mode.clone()
    for site in joint.sites:
        value = joint.mode[0, site.start : site.stop].reshape(site.event_shape)
        if site.name == "utilities_free":
            mixed[0, site.start : site.stop] = value.flip(0).reshape(-1)
        if "taste" in site.name and "scale" not in site.name:
            mixed[0, site.start : site.stop] = -value.reshape(-1)
    with torch.no_grad():
        assert torch.allclose(joint(mixed.unsqueeze(0)), joint(joint.mode.unsqueeze(0)))
    assert torch.allclose(ordered_by_share(joint, mixed), joint.mode)


def test_groups_act_on_shares(data: ml.Comparisons) -> None:
    posterior = ml.fit(data, tastes=2, by=["side"], inference="laplace", evidence=False)
    shares = posterior.group_summary()["mean"]
    right, left = (shares["side", label, "share[1]"] for label in ("right", "left"))
    assert right > left + 0.3
    kind = np.repeat([0, 1], [50, 30])
    side = data.groups["side"]
    of_person = np.array(side.labels)[side.codes.numpy()[::20]]
    for label, found in (("right", right), ("left", left)):
        assert found == pytest.approx(1 - kind[of_person == label].mean(), abs=0.15)


def test_held_out_by_hand(data: ml.Comparisons) -> None:
    """One draw, fixed strength: the votes' probabilities by Bayes' rule, respondent by respondent.

    The last respondent has no votes in the fit and is predicted with the shares of its group.
    """
    who = data.respondent.codes
    train, test = (data.take(torch.nonzero(part)[:, 0]) for part in _parts(who))
    problem = make_problem(train, by=["side"])
    joint = TasteClassJoint(problem, "fixed", 2, lapse=False)
    find_class_mode(problem, joint, 3, 0)
    found = class_log_scores(problem, joint, joint.mode.unsqueeze(0), test)
    sampled = joint.sampled(joint.mode.unsqueeze(0))
    (group,) = joint.spec.groups
    level, labels = group.level, group.labels
    wanted = []
    for i in range(len(test)):
        name = test.respondent.labels[test.respondent.codes[i]]
        side = test.groups["side"].labels[test.groups["side"].codes[i]]
        block = int(torch.nonzero(level == labels.index(side))[0, 0])
        log_p = sampled.log_share[0, block].clone()
        for j in range(len(train)):
            if train.respondent.labels[train.respondent.codes[j]] == name:
                sign = 2 * train.outcome[j] - 1
                log_p += logsigmoid(sign * (sampled.utilities[0] @ train.features[j]))
        sign = 2 * test.outcome[i] - 1
        each = logsigmoid(sign * (sampled.utilities[0] @ test.features[i]))
        wanted.append(torch.logsumexp(torch.log_softmax(log_p, 0) + each, 0))
    assert torch.allclose(found, torch.stack(wanted), atol=1e-8)


def _parts(who: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Which votes are fitted and which are held out: of two respondents, one of them whole."""
    place = torch.arange(len(who))
    held = (who == who.max()) | ((who == 3) & (place % 20 < 5))
    return ~held, held


def test_held_out_with_modelled_ties(data: ml.Comparisons) -> None:
    made = ml.simulate(800, 40, "lognormal", tastes=2, items=5, ties=0.2, seed=3)
    train, test = made.comparisons().split(0.2, seed=1)
    posterior = ml.fit(
        train, "lognormal", tastes=2, ties="davidson", inference="laplace", draws=200
    )
    scores = posterior.held_out(test)
    assert scores["n"] == len(test)
    assert scores["gain_millinats"] > 30
    assert scores["accuracy"] is None


def test_starts_carry_strength_beside_taste(data: ml.Comparisons) -> None:
    """The mode with strength is a mode: nothing is gained nearby."""
    joint = joint_of(data, "gamma")
    found = infer(joint, method="laplace", draws=10)
    assert float(found.mode.gradient.abs().max()) < 1e-3
    assert bool((torch.linalg.eigvalsh(found.mode.hessian) < 0).all())


def advice(posterior: ml.Posterior, name: str) -> str | None:
    """What a failed check advises; None where it holds."""
    check = next(check for check in posterior.checks if check.name == name)
    return None if check.ok else check.advice


def quick(data: ml.Comparisons, tastes: int, family: str = "fixed") -> ml.Posterior:
    return ml.fit(data, family, tastes=tastes, inference="laplace", draws=400, evidence=False)


def test_an_empty_class_is_said() -> None:
    """Six classes of twelve respondents."""
    posterior = quick(voters(TASTES[:1], [12], per=10, key="one"), 6)
    filled = posterior.memberships()[[f"p[{c + 1}]" for c in range(6)]].sum()
    assert advice(posterior, "smallest class (respondents)") == (
        f"Class {int(filled.to_numpy().argmin()) + 1} of 6 is all but empty; fit 5 tastes."
    )


def test_a_separable_class_is_said() -> None:
    posterior = quick(voters(np.array([[1.0, 1.0], [-4e9, 3e9]]), [40, 15], key="sure"), 2)
    assert advice(posterior, "separable classes") == (
        "Class 2 is separable: some utilities explain every judgement of its members, and only "
        "the prior keeps them from growing without bound; fit fewer tastes."
    )


def test_tastes_that_differ_in_strength_only_are_said() -> None:
    votes = voters(np.array([[0.4, -0.3], [3.0, -2.25]]), [60, 40], key="scale")
    posterior = ml.fit(votes, tastes=2, inference="laplace", draws=400)
    assert advice(posterior, "likeness of tastes") == (
        "Classes 1 and 2 prefer the same and differ in strength only, so taste and strength "
        "cannot be told apart; fit fewer tastes with a family of strength."
    )
    assert posterior.verdict.heterogeneity == "unknown"
    (sentence,) = posterior.verdict.sentences
    assert sentence.endswith(
        " against one taste), but two classes prefer the same: strength explains it as well. "
        "Compare with one taste and --family lognormal."
    )


def test_starts_that_disagree_are_said() -> None:
    """Where everybody has a taste of its own, five classes can be made in many ways."""
    data = ml.simulate(1200, 60, "fixed", tastes=60, items=8, seed=4).comparisons()
    posterior = quick(data, 5)
    assert advice(posterior, "starts agree") == (
        "Only one start found the best answer and there may be a better one; fit fewer tastes."
    )
    values = np.array(posterior.to_dict()["tastes"]["starts"]["log_densities"])
    assert (values[1:] < values[0] - 1.0).all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tastes": 0}, "Expected 1 to 6 tastes but got 0."),
        ({"tastes": 7}, "Expected 1 to 6 tastes but got 7."),
        (
            {"tastes": 2, "random": "x0:normal"},
            "--tastes and --random are two models of taste. Name one of them.",
        ),
        ({"tastes": 2, "contrarians": True}, "--tastes cannot be joined with --contrarians."),
        (
            {"tastes": 2, "panel": False},
            "Latent tastes are classes of respondents. Name their column with --respondent.",
        ),
    ],
)
def test_what_is_refused(data: ml.Comparisons, options, says) -> None:
    with pytest.raises(UsageError) as error:
        ml.fit(data, **options)
    assert str(error.value) == says


def test_margins_are_refused() -> None:
    margins = ml.simulate(100, 10, seed=1).comparisons()
    with pytest.raises(UsageError) as error:
        ml.fit(margins, tastes=2)
    assert str(error.value) == (
        "Given margins fix one direction of taste: latent tastes need items (--item-a, --item-b) "
        "or features (--features)."
    )


def test_more_tastes_than_respondents() -> None:
    few = voters(TASTES[:1], [2], per=5, key="few")
    with pytest.raises(UsageError) as error:
        ml.fit(few, tastes=3)
    assert str(error.value) == "3 tastes need as many respondents; there are 2."


@pytest.mark.parametrize("family", ["fixed", "lognormal"])
def test_one_class_is_the_program_of_one_taste(data: ml.Comparisons, family: str) -> None:
    """The evidence of one taste is found through the same program."""
    problem = make_problem(data)
    one = TasteClassJoint(problem, family, 1, lapse=False)
    alone = problem.joint(family)
    theta = torch.randn(3, 1, alone.size, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(one(theta), alone(theta))
