import torch

from mixlogit.models.mode import find_mode, gradient_and_hessian

CENTRE = torch.tensor([[1.0, -2.0], [3.0, 0.5]]).double()
PRECISION = torch.tensor([[[2.0, 0.5], [0.5, 1.0]], [[4.0, -1.0], [-1.0, 3.0]]]).double()


def quadratic(theta):
    d = theta - CENTRE
    return -0.5 * torch.einsum("drp,rpq,drq->dr", d, PRECISION, d)


def test_a_quadratic_is_exact_in_one_step():
    found = find_mode(quadratic, torch.zeros(2, 2).double())
    assert torch.allclose(found.theta, CENTRE)
    assert torch.allclose(found.value, torch.zeros(2).double())
    assert torch.allclose(found.hessian, -PRECISION)
    assert found.evaluations <= 3


def test_replicates_do_not_disturb_each_other():
    def objective(theta):  # the second is not concave where it starts
        return torch.stack(
            [-theta[:, 0].square().sum(-1), -(theta[:, 1].square() - 1).square().sum(-1)], -1
        )

    start = torch.tensor([[4.0, 1.0], [0.1, -0.2]]).double()
    found = find_mode(objective, start)
    assert torch.allclose(found.theta[0], torch.zeros(2).double(), atol=1e-6)
    assert torch.allclose(found.theta[1], torch.tensor([1.0, -1.0]).double(), atol=1e-6)
    assert bool((found.gradient.abs() < 1e-4).all())


def test_many_parameters_go_through_l_bfgs():
    centre = torch.linspace(-1, 1, 50).double()
    found = find_mode(
        lambda theta: -((theta - centre) ** 4 + (theta - centre) ** 2).sum(-1),
        torch.zeros(1, 50).double(),
    )
    assert torch.allclose(found.theta[0], centre, atol=1e-5)


def test_values_that_are_not_finite_are_stepped_around():
    def objective(theta):
        return (theta.log() - theta).sum(-1)  # NaN below 0

    found = find_mode(objective, torch.full((1, 1), 3.0).double())
    assert torch.allclose(found.theta, torch.ones(1, 1).double(), atol=1e-6)


def test_gradient_and_hessian():
    value, gradient, hessian = gradient_and_hessian(quadratic, torch.zeros(2, 2).double())
    assert torch.allclose(gradient, torch.einsum("rpq,rq->rp", PRECISION, CENTRE))
    assert torch.allclose(hessian, -PRECISION)
    assert torch.allclose(value, quadratic(torch.zeros(1, 2, 2).double())[0])
