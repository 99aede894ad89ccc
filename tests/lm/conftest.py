"""A language model and its tokenizer on disk, and comparisons for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from tiny_models import VOCAB, make_model
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast


@pytest.fixture(autouse=True)
def _no_cache_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXLOGIT_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """One token a word: w3 is token 3."""
    words = {"<s>": 1, "</s>": 2, **{f"w{i}": i for i in (0, *range(3, VOCAB))}}
    made = Tokenizer(models.WordLevel(words, unk_token="w0"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="</s>", bos_token="<s>")


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> dict[str, Path]:
    """Folders of two models with a tokenizer: `policy` and `reference`."""
    root = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("policy", "reference")):
        model = make_model(dtype=torch.float32)
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.02 * seed)
        model.save_pretrained(root / name)
        tokenizer.save_pretrained(root / name)
    return {"policy": root / "policy", "reference": root / "reference"}


@pytest.fixture(scope="session")
def comparisons() -> Callable[[int], pa.Table]:
    """Comparisons of words, some of them of the same answers, with other columns around."""

    def make(n: int) -> pa.Table:
        drawn = torch.randint(3, VOCAB, (n, 20), generator=torch.Generator().manual_seed(3))
        words = [[f"w{token}" for token in row] for row in drawn.tolist()]
        prompts = [" ".join(words[at - at % 3][: 2 + at % 3]) for at in range(n)]
        return pa.table(
            {
                "id": pa.array(range(n), pa.int64()),
                "prompt": prompts,
                "chosen": [" " + " ".join(row[5 : 7 + at % 6]) for at, row in enumerate(words)],
                "worker": [f"a{at % 4}" for at in range(n)],
                "rejected": [
                    " " + " ".join(row[13 : 15 + at % 4]) for at, row in enumerate(words)
                ],
            }
        )

    return make
