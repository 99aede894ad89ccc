"""The chunked head against a full log-softmax, values and gradients."""

import pytest
import torch
from torch import Tensor

from mixlogit.lm import head
from mixlogit.lm.head import token_log_probs

VOCAB, HIDDEN = 11, 5


def inputs(n: int) -> tuple[Tensor, Tensor, Tensor]:
    hidden = 3 * torch.randn(n, HIDDEN, dtype=torch.float64)
    weight = torch.randn(VOCAB, HIDDEN, dtype=torch.float64)
    return hidden, weight, torch.randint(VOCAB, (n,))


def full(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    return (hidden @ weight.T).log_softmax(-1).gather(-1, targets[:, None])[:, 0]


@pytest.mark.parametrize("tokens_a_chunk", [1, 3, 4, 100])
@pytest.mark.parametrize("n", [1, 3, 4, 9])
@pytest.mark.parametrize("kept", [0, 5])
@pytest.mark.parametrize("frozen", ["nothing", "head", "hidden"])
def test_equals_full_log_softmax(
    n: int, tokens_a_chunk: int, kept: int, frozen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head, "_CHUNK", tokens_a_chunk * VOCAB)
    monkeypatch.setattr(head, "_KEEP", kept * VOCAB)
    hidden, weight, targets = inputs(n)
    hidden.requires_grad_(frozen != "hidden")
    weight.requires_grad_(frozen != "head")
    leaves = [leaf for leaf in (hidden, weight) if leaf.requires_grad]
    ours, theirs = token_log_probs(hidden, weight, targets), full(hidden, weight, targets)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    slopes = torch.randn(n, dtype=torch.float64)
    for a, b in zip(
        torch.autograd.grad(ours, leaves, slopes),
        torch.autograd.grad(theirs, leaves, slopes),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_gradcheck() -> None:
    hidden, weight, targets = inputs(4)
    hidden.requires_grad_()
    weight.requires_grad_()
    assert torch.autograd.gradcheck(lambda h, w: token_log_probs(h, w, targets), (hidden, weight))


def test_extreme_logits_stay_finite() -> None:
    hidden, weight, targets = inputs(6)
    found = token_log_probs((1e4 * hidden).requires_grad_(), weight, targets)
    torch.testing.assert_close(found, full(1e4 * hidden, weight, targets))
    assert bool(found.isfinite().all())


def test_half_precision_gives_single() -> None:
    hidden, weight, targets = inputs(6)
    small = token_log_probs(hidden.bfloat16(), weight.bfloat16(), targets)
    assert small.dtype == torch.float32
    torch.testing.assert_close(small.double(), full(hidden, weight, targets), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("frozen", [True, False])
def test_autocast_computes_backward_as_forward(frozen: bool) -> None:
    hidden, weight, targets = inputs(6)
    hidden, weight = hidden.float().requires_grad_(), weight.float().requires_grad_(not frozen)
    with torch.autocast("cpu", torch.bfloat16):
        found = token_log_probs(hidden, weight, targets)
    found.sum().backward()
    half_hidden = hidden.detach().bfloat16().requires_grad_()
    half_weight = weight.detach().bfloat16().requires_grad_(not frozen)
    half = token_log_probs(half_hidden, half_weight, targets)
    half.sum().backward()
    assert torch.equal(found, half)
    assert hidden.grad is not None
    assert half_hidden.grad is not None
    assert torch.equal(hidden.grad, half_hidden.grad.float())
    assert found.dtype == torch.float32


def test_no_tensor_of_tokens_times_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "_CHUNK", 2 * VOCAB)
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            if isinstance(out, Tensor):
                largest = max(largest, out.numel())
            return out

    hidden, weight, targets = inputs(50)
    with Watch():
        token_log_probs(hidden.requires_grad_(), weight.requires_grad_(), targets).sum().backward()
    assert largest == 50 * HIDDEN  # the gradient of the hidden states
