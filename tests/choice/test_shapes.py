"""Broadcasting helpers."""

import torch

from mixlogit.choice.shapes import broadcast_shapes, broadcast_tensors, fill


def test_broadcasting() -> None:
    assert broadcast_shapes((2, 1), (3,), ()) == (2, 3)
    assert [x.shape for x in broadcast_tensors(torch.ones(2, 1), torch.ones(3))] == [(2, 3)] * 2


def test_fill_computes_only_where_the_mask_holds() -> None:
    x = torch.tensor([[4.0, -1.0], [16.0, 0.0]], requires_grad=True)
    out = fill(torch.zeros(2, 2), x > 0, torch.sqrt, x)
    assert out.tolist() == [[2.0, 0.0], [4.0, 0.0]]
    assert torch.autograd.grad(out.sum(), x)[0].tolist() == [[0.25, 0.0], [0.125, 0.0]]
    same = torch.zeros(2)
    assert fill(same, torch.zeros(2, dtype=torch.bool), torch.sqrt, same) is same
