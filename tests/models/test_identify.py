"""What the data identify: information against differences, contraction, words."""

import numpy as np
import pytest
import torch

import mixlogit as ml
from mixlogit.models.identify import information_at_mode
from mixlogit.models.infer import infer
from mixlogit.models.problem import Problem


def test_information_against_differences_of_the_likelihood():
    problem = Problem(ml.simulate(800, 60, cv=0.8, seed=1).comparisons())
    joint = problem.joint("lognormal", lapse=True)
    inferred = infer(joint, chains=1, draws=100, method="laplace")
    found = information_at_mode(joint, inferred)
    assert found.parameters == ("mean", "cv", "lapse")
    mode, h = inferred.mode.theta, 1e-3
    matrix = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            steps = torch.zeros(4, 1, 3, dtype=torch.float64)
            for k, (a, b) in enumerate([(h, h), (h, -h), (-h, h), (-h, -h)]):
                steps[k, 0, i] += a
                steps[k, 0, j] += b
            with torch.no_grad():
                value = joint.log_likelihood(mode + steps)[:, 0]
            matrix[i, j] = -float(value[0] - value[1] - value[2] + value[3]) / (4 * h * h)
    expected, directions = np.linalg.eigh(matrix)
    assert np.array(found.eigenvalues) == pytest.approx(expected, rel=0.02, abs=0.1)
    weakest = np.array(found.weakest)
    assert max(weakest) == max(abs(weakest))
    assert abs(weakest @ directions[:, 0]) == pytest.approx(1.0, abs=0.01)
    covariance = np.linalg.inv(matrix)
    correlation = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    assert found.correlation[0][1] == pytest.approx(correlation, abs=0.02)


def test_nothing_to_identify():
    joint = Problem(ml.simulate(100, 10, items=4, seed=1).comparisons()).joint("fixed")
    assert information_at_mode(joint, infer(joint, chains=1, draws=10, method="laplace")) is None


def test_what_a_fit_records():
    data = ml.simulate(1200, 60, cv=0.8, seed=2).comparisons()
    found = ml.fit(data, draws=400).to_dict()["identified"]
    counts = data.respondent.counts()
    assert found["repeaters"] == int((counts >= 2).sum())
    assert found["pairs"] == int((counts * (counts - 1) // 2).sum())
    assert found["with_lapse"]["parameters"] == ("mean", "cv", "lapse")
    assert found["contraction"]["mean"] > 0.9
    assert found["rescaled"] < 1e-6
    low, high = np.quantile(data.margin.abs().numpy(), [0.5, 0.9])
    assert found["margin"] == pytest.approx((low, high))
    assert found["sentences"] == (
        f"{found['repeaters']:,} respondents judged twice or more ({found['pairs']:,} pairs of "
        "judgements by one respondent): only these tell how people differ.",
    )


def test_what_comparisons_by_themselves_can_say():
    data = ml.simulate(500, 50, seed=2).comparisons()
    found = ml.fit(data, panel=False, draws=400).to_dict()["identified"]
    assert found["sentences"] == (
        "The spread is one of comparisons: it bends the choice curve, and cannot be told from "
        "random votes, a wrong link or margins with errors.",
        f"{found['repeaters']:,} respondents judged twice or more; a panel would use that.",
    )
