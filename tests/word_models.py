"""Language models of words on disk, and comparisons of words for them."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from tiny_models import VOCAB, make_model
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

__all__ = ["make_comparisons", "save_models", "word_tokenizer"]


def word_tokenizer() -> Any:
    """One token a word: w3 is token 3."""
    words = {"<s>": 1, "</s>": 2, **{f"w{i}": i for i in (0, *range(3, VOCAB))}}
    made = Tokenizer(models.WordLevel(words, unk_token="w0"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="</s>", bos_token="<s>")


def save_models(root: Path) -> dict[str, Path]:
    """Folders of two models with a tokenizer: `policy` and `reference`."""
    for seed, name in enumerate(("policy", "reference")):
        model = make_model(dtype=torch.float32)
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.02 * seed)
        model.save_pretrained(root / name)
        word_tokenizer().save_pretrained(root / name)
    return {"policy": root / "policy", "reference": root / "reference"}


def make_comparisons(n: int) -> pa.Table:
    """Comparisons of words, some with one prompt in common, with other columns around."""
    drawn = torch.randint(3, VOCAB, (n, 20), generator=torch.Generator().manual_seed(3))
    words = [[f"w{token}" for token in row] for row in drawn.tolist()]

    def answer(row: list[str], start: int, end: int) -> str:
        return " " + " ".join(row[start:end])

    return pa.table(
        {
            "id": pa.array(range(n), pa.int64()),
            "prompt": [" ".join(words[at - at % 3][: 2 + at % 3]) for at in range(n)],
            "chosen": [answer(row, 5, 7 + at % 6) for at, row in enumerate(words)],
            "worker": [f"a{at % 4}" for at in range(n)],
            "rejected": [answer(row, 13, 15 + at % 4) for at, row in enumerate(words)],
        }
    )
