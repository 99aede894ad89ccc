"""The reference: a model of its own, or the policy without its adapter."""

import copy
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_models import in_double, make_model, plain_logp, random_rows

from mixlogit.errors import UsageError
from mixlogit.lm import Reference, Scorer

# peft uses a name that transformers has given up
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
ROWS = random_rows(4)


def with_adapter(base: Any, **more: Any) -> Any:
    config = LoraConfig(target_modules=["q_proj", "down_proj"], **more)
    model = get_peft_model(base, config).double()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    return model


@pytest.mark.parametrize("more", [{}, {"modules_to_save": ["lm_head"]}], ids=["lora", "head too"])
def test_adapter_off_is_the_base_model(more: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    base = in_double(monkeypatch, make_model())
    wanted = plain_logp(base, ROWS)
    model = with_adapter(copy.deepcopy(base), **more)
    if more:
        with torch.no_grad():
            model.get_base_model().lm_head.modules_to_save["default"].weight.mul_(2)
    policy = Scorer(model)
    off = Reference(policy).score(ROWS)
    torch.testing.assert_close(off.logp, wanted, rtol=0, atol=1e-12)
    on = policy.score(ROWS)
    torch.testing.assert_close(on.logp, plain_logp(model, ROWS), rtol=0, atol=1e-12)
    assert bool(((on.logp - off.logp).abs() > 1e-3).all())
    assert torch.equal(policy.score(ROWS).logp, on.logp)  # the adapter is on again


def test_gradients_reach_the_adapter_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = with_adapter(in_double(monkeypatch, make_model()))
    scorer = Scorer(model)
    assert scorer.fallback is None
    scorer(scorer.collate(ROWS)).logp.sum().backward()
    ours = {name: w.grad for name, w in model.named_parameters() if w.grad is not None}
    assert ours
    assert all("lora_" in name for name in ours)
    model.zero_grad()
    plain_logp(model, ROWS).sum().backward()
    for name, weight in model.named_parameters():
        if weight.grad is not None:
            torch.testing.assert_close(ours[name], weight.grad, rtol=0, atol=1e-12, msg=name)


def test_another_model() -> None:
    policy, other = Scorer(make_model()), make_model("GPTNeoX")
    found = Reference(policy, other).score(ROWS)
    torch.testing.assert_close(found.logp, plain_logp(other, ROWS), rtol=0, atol=1e-5)
    assert not found.logp.requires_grad


def test_there_must_be_a_reference() -> None:
    with pytest.raises(UsageError) as error:
        Reference(Scorer(make_model()))
    assert str(error.value) == (
        "Without a reference model the policy needs an adapter to switch off. Name the reference."
    )
