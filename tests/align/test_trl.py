"""Fixed strength against TRL's own DPOTrainer: loss and gradients of one batch."""

from pathlib import Path

import pytest
import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

from mixlogit.align import AlignSettings, make_objective
from mixlogit.data import Comparisons

BETA, ROWS = 0.3, 8


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


@pytest.mark.filterwarnings("ignore::FutureWarning")  # transformers' and TRL's, of each other
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
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
