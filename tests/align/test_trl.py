"""Fixed strength against TRL's own DPOTrainer: loss and gradients of one batch."""

from pathlib import Path
from typing import Any

import alignable
import pytest
import torch
from alignable import policy, tokenizer, trainer, weights, with_adapter
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

from mixlogit.align import AlignSettings, make_objective
from mixlogit.data import Comparisons
from mixlogit.errors import UsageError

BETA, ROWS = 0.3, 8

pytestmark = [  # transformers' and TRL's, of each other
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
]


def tiny(seed: int) -> GPTNeoXForCausalLM:
    torch.manual_seed(seed)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "max_position_embeddings": 64}
    heads = {"num_hidden_layers": 2, "num_attention_heads": 2}
    return GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=32, **sizes, **heads))


def words() -> PreTrainedTokenizerFast:
    vocabulary = {word: k for k, word in enumerate(["<pad>", "<eos>", *map(str, range(30))])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>"
    )


def comparisons() -> Dataset:
    generator = torch.Generator().manual_seed(1)

    def text(length: int) -> str:
        return " ".join(str(int(k)) for k in torch.randint(30, (length,), generator=generator))

    rows = [
        {"prompt": text(4) + " ", "chosen": text(5 + k % 3), "rejected": text(6)}
        for k in range(ROWS)
    ]
    return Dataset.from_list(rows)


def log_probs(model: GPTNeoXForCausalLM, batch: dict[str, Tensor]) -> Tensor:
    """Log probability of each answer, from the whole logits."""
    logits = model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
    each = torch.log_softmax(logits.float(), -1)
    each = each.gather(-1, batch["input_ids"][:, 1:, None]).squeeze(-1)
    return (each * batch["completion_mask"][:, 1:]).sum(-1)


def test_loss_and_gradients_equal_trl_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    from trl import DPOConfig, DPOTrainer

    policy, reference = tiny(0), tiny(1)
    arguments = DPOConfig(
        output_dir=str(tmp_path),
        beta=BETA,
        loss_type="sigmoid",
        per_device_train_batch_size=ROWS,
        bf16=False,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
    )
    trainer = DPOTrainer(
        model=policy,
        ref_model=reference,
        args=arguments,
        train_dataset=comparisons(),
        processing_class=words(),
    )
    batch = next(iter(trainer.get_train_dataloader()))
    theirs = trainer.compute_loss(policy, batch)
    theirs.backward()
    wanted = [parameter.grad.clone() for parameter in policy.parameters()]

    policy.zero_grad()
    with torch.no_grad():
        before = log_probs(reference, batch)
    chosen, rejected = (log_probs(policy, batch) - before).chunk(2)
    data = Comparisons(outcome=torch.ones(ROWS), margin=torch.zeros(ROWS))
    objective = make_objective(data, AlignSettings(family="fixed", beta=BETA))
    ours = objective.loss(chosen - rejected, torch.arange(ROWS))
    ours.backward()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    for parameter, gradient in zip(policy.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=0, atol=1e-6)
    assert max(float(gradient.abs().max()) for gradient in wanted) > 1e-3


def trl_trainer(output: Path, *, model: Any = None, **options: Any) -> Any:
    """The adapter with the arguments of `alignable.trainer`."""
    from trl import DPOConfig

    from mixlogit.align.trl import TRLMixDPOTrainer

    strength = AlignSettings(**options.pop("strength", {}))
    chosen: dict[str, Any] = {
        "beta": BETA,
        "learning_rate": 1e-3,
        "per_device_train_batch_size": 16,
        "num_train_epochs": 2,
        "logging_steps": 5,
        "save_steps": 5,
        "bf16": False,
        "gradient_checkpointing": False,
        "use_cpu": True,
        "report_to": [],
        "disable_tqdm": True,
        **options,
    }
    evaluate = chosen.pop("evaluate", None)
    return TRLMixDPOTrainer(
        policy() if model is None else model,
        DPOConfig(output_dir=str(output), **chosen),
        Dataset(alignable.comparisons()),
        None if evaluate is None else Dataset(evaluate),
        strength=strength,
        columns={"respondent": "respondent"},
        ref_model=policy(),
        processing_class=tokenizer(),
    )


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, {}),
        ({"family": "gamma", "panel": False}, {"precompute_ref_log_probs": True}),
        ({"family": "fixed"}, {"gradient_accumulation_steps": 2, "max_steps": 6}),
    ],
    ids=["panel", "gamma per comparison", "accumulated"],
)
def test_both_engines_agree(
    settings: dict[str, Any], options: dict[str, Any], tmp_path: Path
) -> None:
    """Twenty steps from the same weights on the same batches."""
    theirs = trl_trainer(tmp_path / "trl", strength=settings, save_strategy="no", **options)
    options.pop("precompute_ref_log_probs", None)
    ours = trainer(tmp_path / "ours", save_strategy="no", **settings, **options)
    for one in (ours, theirs):
        one.train()
    assert ours.state.global_step == theirs.state.global_step == options.get("max_steps", 20)
    wanted, found, start = weights(ours), weights(theirs), policy().state_dict()
    for name, value in found.items():
        # sums at strengths up to 121 times the margins
        loose = (
            {"rtol": 1e-4, "atol": 1e-3} if name == "table.values" else {"rtol": 0, "atol": 1e-5}
        )
        torch.testing.assert_close(value, wanted[name], **loose, msg=name)
    assert max(float((found[f"policy.{k}"] - v).abs().max()) for k, v in start.items()) > 1e-3
    logged = [one.state.log_history[0] for one in (ours, theirs)]
    assert logged[0]["loss"] == pytest.approx(logged[1]["loss"], abs=1e-4)
    for name in ("elbo", "margins", "accuracy", "p_chosen", "strength/mean", "strength/cv"):
        assert logged[0][name] == pytest.approx(logged[1][name], abs=1e-4)


def test_strength_is_kept_with_trl_s_checkpoints(tmp_path: Path) -> None:
    whole = trl_trainer(tmp_path, model=with_adapter())
    whole.train()
    resumed = trl_trainer(tmp_path, model=with_adapter())
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-10"))
    wanted, found = weights(whole), weights(resumed)
    assert [name for name in wanted if not torch.equal(wanted[name], found[name])] == []


def test_evaluation_knows_who_judged(tmp_path: Path) -> None:
    held_out = alignable.comparisons(40, seed=2)
    theirs = trl_trainer(tmp_path / "trl", evaluate=held_out, save_strategy="no", max_steps=5)
    ours = trainer(tmp_path / "ours", evaluate=held_out, save_strategy="no", max_steps=5)
    for one in (ours, theirs):
        one.train()
    found = theirs.evaluate()["eval_loss"]
    assert found == pytest.approx(ours.evaluate()["eval_loss"], abs=1e-5)


def test_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by TRL nor, where TRL would, under any other name."""
    from trl.trainer import base_trainer

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("TRL's telemetry was called")

    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(base_trainer, "send_telemetry", refuse)
    trl_trainer(tmp_path)


def test_a_loss_of_trl_s_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        trl_trainer(tmp_path, loss_type=["sigmoid", "sft"])
    assert str(error.value) == (
        "loss_type must stay ['sigmoid'], not ['sigmoid', 'sft']: strength takes the place of "
        "TRL's own losses."
    )
