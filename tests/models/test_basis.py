import pytest
import torch

from mixlogit.models.basis import sum_to_zero_basis


@pytest.mark.parametrize(
    "component", [[0], [0, 0, 0, 0], [0, 1, 0, 2, 1, 0], [3, 3, 1], [0, 1, 2]]
)
def test_orthonormal_and_sums_to_zero_in_each_component(component):
    component = torch.tensor(component)
    basis = sum_to_zero_basis(component)
    free = len(component) - len(component.unique())
    assert basis.shape == (free, len(component))
    assert torch.allclose(basis @ basis.T, torch.eye(free, dtype=torch.float64))
    for label in component.unique():
        assert torch.allclose(
            basis[:, component == label].sum(-1), torch.zeros(free, dtype=torch.float64)
        )


def test_utilities_are_exchangeable():
    basis = sum_to_zero_basis(torch.tensor([0, 1, 0, 0, 1]))
    covariance = basis.T @ basis
    assert torch.allclose(covariance[0, 2], covariance[2, 3])
    assert torch.allclose(covariance[0, 1], torch.tensor(0.0, dtype=torch.float64))
    assert torch.allclose(covariance.diagonal()[[0, 2, 3]], torch.tensor(2 / 3).double())
