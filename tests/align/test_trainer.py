"""The trainer: resume, accumulation, processes, and what it logs and measures."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from alignable import comparisons, policy, trainer, weights, with_adapter
from torch import Tensor

from mixlogit.align.trainer import MixDPOTrainer
from mixlogit.errors import UsageError

# transformers' own, about names that it has given up and devices that are not there
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
]


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    """Names of what differs in any bit."""
    assert one.keys() == other.keys()
    return [name for name in one if not torch.equal(one[name], other[name])]


@pytest.mark.parametrize("make", [policy, with_adapter], ids=["GPT-NeoX", "LoRA"])
def test_resumed_is_uninterrupted_bit_for_bit(make: Any, tmp_path: Path) -> None:
    whole = trainer(tmp_path / "whole", model=make())
    whole.train()
    cut = trainer(tmp_path / "cut", model=make())
    cut.train()
    for late in ("checkpoint-15", "checkpoint-20"):  # as if it had ended before these
        (tmp_path / "cut" / late / "manifest.json").unlink()
    resumed = trainer(tmp_path / "cut", model=make())
    with pytest.warns(match="it was not finished"):
        resumed.train(resume_from_checkpoint="auto")
    assert resumed.state.global_step == 20
    assert equal(weights(resumed), weights(whole)) == []
    start = dict(make().state_dict())
    moved = [k for k, v in whole.model.state_dict().items() if not torch.equal(v, start[k])]
    assert len(moved) >= 4


def test_a_finished_run_does_no_further_step(tmp_path: Path) -> None:
    done = trainer(tmp_path)
    done.train()
    again = trainer(tmp_path)
    again.train(resume_from_checkpoint="auto")
    assert equal(weights(again), weights(done)) == []


def test_another_strength_is_refused_on_resume(tmp_path: Path) -> None:
    trainer(tmp_path, max_steps=5).train()
    with pytest.raises(UsageError, match=r"family \(was 'lognormal', is 'gamma'\)"):
        trainer(tmp_path, family="gamma", max_steps=10).train(resume_from_checkpoint="auto")


def test_accumulated_batches_are_one_batch(tmp_path: Path) -> None:
    whole, parts = (
        trainer(
            tmp_path / str(size),
            per_device_train_batch_size=size,
            gradient_accumulation_steps=16 // size,
            max_steps=8,
            save_strategy="no",
        )
        for size in (16, 4)
    )
    for one in (whole, parts):
        one.train()
    for name, value in weights(whole).items():
        torch.testing.assert_close(weights(parts)[name], value, rtol=1e-4, atol=2e-5)


def test_half_precision_starts_at_margins_of_nearly_zero(tmp_path: Path) -> None:
    made = trainer(tmp_path, bf16=True, max_steps=1, logging_steps=1, save_strategy="no")
    made.train()
    assert abs(made.state.log_history[0]["margins"]) < 0.02
    assert made.state.log_history[0]["loss"] == pytest.approx(math.log(2), abs=0.01)


def test_half_precision_learns_what_single_learns(tmp_path: Path) -> None:
    single, half = (
        trainer(tmp_path / str(on), bf16=on, max_steps=8, save_strategy="no")
        for on in (False, True)
    )
    for one in (single, half):
        one.train()
    start, wanted, found = (
        policy().state_dict(),
        single.model.state_dict(),
        half.model.state_dict(),
    )
    step = torch.cat([(wanted[name] - start[name]).flatten() for name in start])
    error = torch.cat([(found[name] - wanted[name]).flatten() for name in start])
    assert float(error.norm() / step.norm()) < 0.3
    assert half.model.dtype == torch.float32
    cv = [one.objective.describe()["cv"] for one in (single, half)]
    assert cv[0] == pytest.approx(cv[1], abs=0.01)


def test_the_best_checkpoint_is_loaded_with_its_head(tmp_path: Path) -> None:
    table = comparisons(200)
    made = trainer(
        tmp_path,
        train=table.slice(0, 160),
        evaluate=table.slice(160),
        eval_strategy="steps",
        eval_steps=5,
        load_best_model_at_end=True,
        metric_for_best_model="eval_accuracy",  # of whichever step: it is not the last one
        greater_is_better=False,
    )
    made.train()
    best = Path(str(made.state.best_model_checkpoint))
    assert best.name != "checkpoint-20"
    saved = type(made.model).from_pretrained(best).state_dict()
    assert equal(dict(made.model.state_dict()), dict(saved)) == []


def test_gradient_checkpointing_changes_nothing(tmp_path: Path) -> None:
    plain, saving = (
        trainer(tmp_path / str(on), activation_checkpointing=on, max_steps=4, save_strategy="no")
        for on in (False, True)
    )
    for one in (plain, saving):
        one.train()
    for name, value in weights(plain).items():
        torch.testing.assert_close(weights(saving)[name], value, rtol=1e-5, atol=1e-6)


def test_what_is_logged_and_measured(tmp_path: Path) -> None:
    table = comparisons(200)
    made = trainer(
        tmp_path, train=table.slice(0, 160), evaluate=table.slice(160), save_strategy="no"
    )
    made.train()
    logged = next(entry for entry in made.state.log_history if "loss" in entry)
    wanted = {"elbo", "margins", "accuracy", "p_chosen", "strength/mean", "strength/cv"}
    assert wanted <= logged.keys()
    assert logged["strength/mean"] == pytest.approx(0.3)
    found = made.evaluate()
    assert found["eval_loss"] == pytest.approx(-found["eval_log_score"], abs=1e-3)
    assert 0.3 < found["eval_accuracy"] <= 1.0
    posterior = made.posterior
    assert posterior.panel
    assert len(posterior.strengths()) == 10


def test_fixed_strength_learns_what_dpo_learns(tmp_path: Path) -> None:
    """The same steps by hand: AdamW on the loss of DPO, from whole logits."""
    made = trainer(
        tmp_path,
        train=comparisons(16, 4),  # one batch
        family="fixed",
        max_steps=5,
        save_strategy="no",
        max_grad_norm=0.0,
    )
    by_hand = _by_hand(made, policy(), steps=5)
    made.train()
    for name, value in made.model.state_dict().items():
        torch.testing.assert_close(by_hand[name], value, rtol=1e-4, atol=2e-5)


def _by_hand(made: MixDPOTrainer, model: Any, steps: int) -> dict[str, Tensor]:
    """Plain DPO on all comparisons at each step."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    reference, rows = policy(), made.train_dataset.rows
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * (1 - step / steps)
        loss = torch.zeros(())
        for row in rows:
            ratio = [_log_p(model, row, k) - _log_p(reference, row, k).detach() for k in (0, 1)]
            loss = loss - torch.nn.functional.logsigmoid(0.3 * (ratio[0] - ratio[1])) / len(rows)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return dict(model.state_dict())


def _log_p(model: Any, row: Any, which: int) -> Tensor:
    tokens = torch.tensor([*row.prompt, *row.answers[which]])
    logits = model(tokens.unsqueeze(0)).logits[0, len(row.prompt) - 1 : -1]
    answer = tokens[len(row.prompt) :].unsqueeze(-1)
    return torch.log_softmax(logits, -1).gather(-1, answer).sum()
