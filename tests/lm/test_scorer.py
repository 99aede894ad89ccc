"""The scorer against one plain forward an answer: values, gradients, fallbacks."""

import copy
from typing import Any

import pytest
import torch
from tiny_models import in_double, make_model, plain_logp, random_rows
from torch import Tensor

from mixlogit.lm import Row, Scorer, Scores
from mixlogit.lm.support import body_and_head

SLIDING = "one row an answer (layers of sliding_attention)"
SCALED = "full logits (they are scaled, capped or cut)"
FALLBACKS: list[tuple[str, str, dict[str, Any], str]] = [
    ("Gemma2", "eager", {"head_dim": 8, "num_key_value_heads": 2}, f"{SCALED}; {SLIDING}"),
    ("Cohere", "sdpa", {}, SCALED),
    ("Granite", "sdpa", {"logits_scaling": 8.0}, SCALED),
    ("NanoChat", "sdpa", {}, SCALED),
    ("Phi", "sdpa", {}, "full logits (its head is not one matrix)"),
    ("Mistral", "sdpa", {"sliding_window": 4, "num_key_value_heads": 2}, SLIDING),
    ("Bloom", "eager", {"n_head": 4}, "one row an answer (it takes no positions)"),
    ("Rwkv", "eager", {}, "one row an answer (recurrent layers)"),
]


def gradients(model: Any, scalar: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    scalar.backward()  # type: ignore[no-untyped-call]
    return {
        name: weight.grad.clone()
        for name, weight in model.named_parameters()
        if weight.grad is not None
    }


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", ["Llama", "GPTNeoX"])
def test_shared_prompt_rows_equal_separate_forwards(
    kind: str, attention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, rows = in_double(monkeypatch, make_model(kind, attention)), random_rows()
    scorer = Scorer(model)
    assert scorer.fallback is None
    scores = scorer(scorer.collate(rows))
    plain = plain_logp(model, rows)
    torch.testing.assert_close(scores.logp, plain, rtol=0, atol=1e-12)
    slopes = torch.randn(len(plain), dtype=torch.float64)
    ours, theirs = gradients(model, scores.logp @ slopes), gradients(model, plain @ slopes)
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, rtol=0, atol=1e-12, msg=name)


def test_frozen_head_gives_the_same_gradients() -> None:
    model, rows = make_model("GPTNeoX"), random_rows()
    scorer = Scorer(model)
    body_and_head(model)[1].weight.requires_grad_(False)
    ours = gradients(model, scorer(scorer.collate(rows)).logp.sum())
    theirs = gradients(model, plain_logp(model, rows).sum())
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, rtol=0, atol=1e-12, msg=name)


@pytest.mark.parametrize(("kind", "attention", "more", "reason"), FALLBACKS, ids=lambda v: str(v))
def test_other_models_fall_back_and_equal_the_plain_forward(
    kind: str, attention: str, more: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = in_double(monkeypatch, make_model(kind, attention, **more))
    rows = random_rows(3)
    scorer = Scorer(model)
    assert scorer.fallback == reason
    scores = scorer(scorer.collate(rows))
    torch.testing.assert_close(scores.logp, plain_logp(model, rows), rtol=0, atol=1e-10)


def test_half_precision_takes_shared_rows() -> None:
    scorer = Scorer(make_model(dtype=torch.bfloat16))
    assert scorer.fallback is None
    rows = random_rows()
    found = scorer.score(rows).logp
    torch.testing.assert_close(found, plain_logp(make_model(), rows), rtol=0.05, atol=1.0)


def test_score_restores_the_order_whatever_the_batches() -> None:
    model, rows = make_model(), random_rows(9)
    scorer = Scorer(model)
    wanted = plain_logp(model, rows)
    for tokens in (1, 40, 10_000):
        scores = scorer.score(rows, tokens=tokens)
        torch.testing.assert_close(scores.logp, wanted, rtol=0, atol=1e-12)
        assert scores.length.tolist() == [len(a) for row in rows for a in row.answers]


def test_means_and_lengths() -> None:
    scorer = Scorer(make_model())
    scores = scorer.score([Row([5, 6], [[7, 8, 2], [9]])])
    assert scores.length.tolist() == [3, 1]
    torch.testing.assert_close(scores.mean, scores.logp / torch.tensor([3.0, 1.0]))


def test_forward_without_a_batch_is_the_models_own() -> None:
    model = make_model()
    ids = torch.tensor([[5, 6, 7]])
    before = model(input_ids=ids).logits
    Scorer(model)
    assert torch.equal(model(input_ids=ids).logits, before)
    assert model.generate(ids, max_new_tokens=2, do_sample=False).shape == (1, 5)


def test_a_copy_of_the_model_scores_with_its_own_weights() -> None:
    model, rows = make_model(), random_rows(2)
    scorer = Scorer(model)
    batch = scorer.collate(rows)
    copied = copy.deepcopy(model)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    scores: Scores = copied(**batch)
    torch.testing.assert_close(scores.logp, plain_logp(copied, rows), rtol=0, atol=1e-12)


def test_scoring_is_without_dropout_and_keeps_modes() -> None:
    model, rows = make_model("GPTNeoX", hidden_dropout=0.5), random_rows(2)
    model.train()
    body_and_head(model)[0].layers[0].eval()
    modes = [module.training for module in model.modules()]
    scorer = Scorer(model)
    assert torch.equal(scorer.score(rows).logp, scorer.score(rows).logp)
    assert [module.training for module in model.modules()] == modes
    batch = scorer.collate(rows)
    assert not torch.equal(scorer(batch).logp, scorer(batch).logp)
