"""Outcome models: probabilities that sum to one, published formulae, widths."""

import pytest
import torch
from judges import double
from torch import Tensor

from mixlogit.choice.outcomes import Choice, Davidson, Ordered

MARGIN = double([-3.0, -0.4, 0.0, 0.7, 2.5])
B = double([0.3, 1.0, 4.0])


def probability(model_of, margin: Tensor, level: int, parameters, **options) -> Tensor:
    """Probability of a level in the direction of the margin: `margin x node`."""
    model = model_of(torch.full((len(margin),), level), **options)
    b = B.expand(1, len(margin), -1)
    return model.log_prob(b, margin[None], double([parameters]), 0 * b[..., :1])[0].exp()


@pytest.mark.parametrize(
    ("model_of", "parameters", "options", "levels"),
    [
        (Davidson, [-0.3], {}, [0, 1]),
        (Davidson, [0.5, 0.8], {"exponent": True}, [0, 1]),
        (Ordered, [0.6], {}, [0, 1]),
        (Ordered, [0.2, 0.9, 2.0], {"n_thresholds": 3}, [0, 1, 2, 3]),
        (Ordered, [0.9, 2.0, 0.4], {"n_thresholds": 2, "exponent": True}, [0, 1, 2]),
        (Ordered, [0.9, 2.0], {"n_thresholds": 2, "ties": False}, [1, 2, 3]),
    ],
)
def test_probabilities_sum_to_one(model_of, parameters, options, levels) -> None:
    total = sum(
        probability(model_of, sign * MARGIN, level, parameters, **options)
        for level in levels
        for sign in ((1.0, -1.0) if level else (1.0,))
    )
    assert torch.allclose(total, torch.ones_like(total), atol=1e-12)


def test_rao_and_kupper() -> None:
    """P(first) = pi_1 / (pi_1 + theta pi_2), with log theta the threshold."""
    theta, ratio = double(0.6).exp(), (B * MARGIN[:, None]).exp()
    assert torch.allclose(probability(Ordered, MARGIN, 1, [0.6]), ratio / (ratio + theta))


def test_davidson() -> None:
    """P(tie) / sqrt(P(first) P(second)) = nu."""
    first, second = (probability(Davidson, sign * MARGIN, 1, [0.4]) for sign in (1, -1))
    tie = probability(Davidson, MARGIN, 0, [0.4])
    assert torch.allclose(tie / (first * second).sqrt(), double(0.4).exp())


def test_exponent_one_is_one_zone_of_margins_for_all() -> None:
    """With exponent 1 a margin of the threshold leaves P(first) at one half for every b."""
    at = probability(Ordered, double([0.6]), 1, [0.6, 1.0], exponent=True)
    assert torch.allclose(at, torch.full_like(at, 0.5))


def test_choice_is_a_softmax_over_the_available() -> None:
    utility = double([0.5, -0.2, 1.1])
    mask = double([[0.0, 0.0, -torch.inf], [0.0, 0.0, 0.0]])
    margin = (utility[0] - utility).expand(1, 2, -1)
    found = Choice(mask).log_prob(double([[[2.0], [2.0]]]), margin, None, double([[[0.0]]]))
    assert torch.allclose(found[0, 0], torch.log_softmax(2 * utility[:2], 0)[0])
    assert torch.allclose(found[0, 1], torch.log_softmax(2 * utility, 0)[0])
    assert Choice(mask).n_options.tolist() == [2.0, 3.0]


def test_far_out_margins_stay_finite() -> None:
    far = double([-1e6, 1e6]).requires_grad_()
    for model_of in (Davidson, Ordered):
        for level in (0, 1):
            model = model_of(torch.tensor([level, level]))
            b = torch.ones(1, 2, 1, dtype=torch.float64)
            value = model.log_prob(b, far[None], double([[0.5]]), 0 * b)
            (slope,) = torch.autograd.grad(value.sum(), far)
            assert bool(torch.isfinite(value).all())
            assert bool(torch.isfinite(slope).all())
