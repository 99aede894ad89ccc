"""Scores of real dialogues by the trained model: against plain forwards and against TRL."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from tiny_models import in_double, plain_logp
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM, AutoTokenizer

import mixlogit as ml
from mixlogit.lm import Encoded, Scorer, rows_of

N = 200


@pytest.fixture(scope="module")
def tiny(shared_data: Path) -> Path:
    """A language model of 260,000 parameters, trained on stories."""
    return shared_data / "tiny-lm" / "hf"


@pytest.fixture(scope="module")
def encoded(shared_data: Path, tiny: Path) -> Encoded:
    """The first 200 comparisons of the harmless test set that leave room for their answers."""
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    batch = next(iter(ml.texts(shared_data / "hh-harmless-test", schema="hh", batch_rows=300)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ml.errors.DataWarning)  # of truncation
        found, _ = ml.encode(
            batch.table, tokenizer, max_length=512, truncation="keep_end", bad_rows="drop"
        )
    parts = (found.prompt, found.chosen, found.rejected, found.row)
    return Encoded(*(part[:N] for part in parts))


def test_equals_plain_forwards_in_double(
    tiny: Path, encoded: Encoded, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float64).eval()
    in_double(monkeypatch, model)
    scorer = Scorer(model)
    assert scorer.fallback is None
    rows = rows_of(encoded)
    with torch.no_grad():
        plain = plain_logp(model, rows)
    assert len(plain) == 2 * N
    assert float((scorer.score(rows).logp - plain).abs().max()) < 1e-10


def batch_of(encoded: Encoded, rows: slice) -> dict[str, Tensor]:
    """Comparisons as TRL's collator makes them: chosen ones first, then rejected ones."""
    prompt = encoded.prompt[rows] * 2
    answers = encoded.chosen[rows] + encoded.rejected[rows]
    pairs = list(zip(prompt, answers, strict=True))

    def padded(values: list[list[int]]) -> Tensor:
        return pad_sequence([torch.tensor(value) for value in values], batch_first=True)

    return {
        "input_ids": padded([p + a for p, a in pairs]),
        "attention_mask": padded([[1] * len(p + a) for p, a in pairs]),
        "completion_mask": padded([[0] * len(p) + [1] * len(a) for p, a in pairs]),
    }


@pytest.mark.filterwarnings("ignore::FutureWarning")  # transformers' and TRL's, of each other
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_equals_trl_on_the_same_tokens(
    tiny: Path, encoded: Encoded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative to the sums, which are hundreds of nats: TRL adds them in float32."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    from trl import DPOConfig, DPOTrainer

    models: list[Any] = [AutoModelForCausalLM.from_pretrained(tiny) for _ in range(3)]
    told = {"bf16": False, "use_cpu": True, "report_to": [], "disable_tqdm": True}
    row = {"prompt": "Why?", "chosen": " Yes.", "rejected": " No."}
    trainer = DPOTrainer(
        model=models[0],
        ref_model=models[1],
        args=DPOConfig(output_dir=str(tmp_path), **told),
        train_dataset=Dataset.from_list([row]),
        processing_class=AutoTokenizer.from_pretrained(tiny),
    )
    ours = Scorer(models[2]).score(rows_of(encoded)).logp.view(-1, 2)
    for start in range(0, N // 2, 25):
        part = slice(start, start + 25)
        theirs = trainer.compute_ref_log_probs(trainer.ref_model, batch_of(encoded, part))
        found = torch.stack(theirs, -1).double()
        torch.testing.assert_close(ours[part], found, rtol=1e-6, atol=1e-5)
