"""Log-probabilities of answers under one model: ours, TRL's reference pass, a plain loop.

A Pythia-like model with random weights (hidden 256, 4 layers, vocabulary 50,304) scores the same
comparisons (prompt 89 tokens, answers about 53) in turn, in one process and one thread; then the
same with prompts four times as long. TRL's pass is its `compute_ref_log_probs` on ready batches,
without its data handling. Memory is the peak of a process of its own, above what it had after a
first comparison.

    python benchmarks/margins.py [--comparisons 16] [--rounds 3]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

from mixlogit.lm import Row, Scorer

__all__ = ["comparisons", "plain_loop", "pythia_like", "trl_batches"]

VOCAB = 50_304
BATCH = 8  # comparisons in a batch of TRL and of the plain loop


def pythia_like() -> GPTNeoXForCausalLM:
    """A GPT-NeoX of 32 million random weights, most of them in its vocabulary."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 256, "intermediate_size": 1024, "num_attention_heads": 8}
    config = GPTNeoXConfig(
        vocab_size=VOCAB, num_hidden_layers=4, max_position_embeddings=1024, **sizes
    )
    return GPTNeoXForCausalLM(config).eval()


def comparisons(n: int, prompt: int) -> list[Row]:
    """Random tokens: prompts of one length, answers of 48 to 58 tokens."""
    generator = torch.Generator().manual_seed(1)

    def tokens(size: int) -> list[int]:
        return [int(k) for k in torch.randint(2, VOCAB, (size,), generator=generator)]

    lengths = torch.randint(48, 59, (n, 2), generator=generator).tolist()
    return [Row(tokens(prompt), [tokens(a), tokens(b)]) for a, b in lengths]


def trl_batches(rows: list[Row]) -> Iterator[dict[str, Tensor]]:
    """Batches as TRL's collator makes them: chosen answers first, then rejected ones."""
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        pairs = [(row.prompt, row.answers[side]) for side in (0, 1) for row in part]
        masks = [[0] * len(p) + [1] * len(a) for p, a in pairs]
        yield {
            "input_ids": _padded([p + a for p, a in pairs]),
            "attention_mask": _padded([[1] * len(mask) for mask in masks]),
            "completion_mask": _padded(masks),
        }


def _padded(values: list[list[int]]) -> Tensor:
    return pad_sequence([torch.tensor(value) for value in values], batch_first=True)


def _in_order(parts: list[Tensor]) -> Tensor:
    """Chosen and rejected in turn, from batches of chosen ones before rejected ones."""
    return torch.cat([torch.stack(part.chunk(2), -1).flatten() for part in parts])


def plain_loop(model: GPTNeoXForCausalLM, rows: list[Row]) -> Tensor:
    """What one writes first: all logits, a softmax over the vocabulary, gather."""
    parts = []
    with torch.no_grad():
        for batch in trl_batches(rows):
            ids, mask = batch["input_ids"], batch["completion_mask"]
            logits = model(ids, attention_mask=batch["attention_mask"], use_cache=False).logits
            logp = logits[:, :-1].float().log_softmax(-1)
            each = logp.gather(-1, ids[:, 1:, None])[..., 0]
            parts.append((each * mask[:, 1:]).sum(-1))
    return _in_order(parts)


def trl_trainer(model: GPTNeoXForCausalLM, folder: str) -> Any:
    """A DPOTrainer with a reference."""
    from trl import DPOConfig, DPOTrainer

    words = Tokenizer(models.WordLevel({"<pad>": 0, "<eos>": 1, "a": 2}, unk_token="<pad>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="<eos>"
    )
    told = {"bf16": False, "use_cpu": True, "report_to": [], "disable_tqdm": True}
    data = Dataset.from_list([{"prompt": "a ", "chosen": "a", "rejected": "a a"}])
    return DPOTrainer(
        model=pythia_like(),
        ref_model=model,
        args=DPOConfig(output_dir=folder, **told),
        train_dataset=data,
        processing_class=tokenizer,
    )


def trl_pass(trainer: Any, rows: list[Row]) -> Tensor:
    """TRL's reference log-probabilities."""
    batches = trl_batches(rows)
    found = [trainer.compute_ref_log_probs(trainer.ref_model, batch) for batch in batches]
    return _in_order([torch.cat(sides) for sides in found])


def ways(n: int, prompt: int, folder: str) -> dict[str, Callable[[int], Tensor]]:
    """The three ways to score the first so many comparisons."""
    model, rows = pythia_like(), comparisons(n, prompt)
    scorer, trainer = Scorer(pythia_like()), trl_trainer(model, folder)
    return {
        "mixlogit": lambda k: scorer.score(rows[:k]).logp,
        "TRL": lambda k: trl_pass(trainer, rows[:k]),
        "plain loop": lambda k: plain_loop(model, rows[:k]),
    }


def extra_memory(way: str, n: int, prompt: int) -> float:
    """MiB by which the peak of a new process rises in one way, after a first comparison."""
    command = [sys.executable, __file__, "--memory-of", way, "--comparisons", str(n)]
    done = subprocess.run(
        [*command, "--prompt", str(prompt)], capture_output=True, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])


def print_memory(way: str, n: int, prompt: int) -> None:
    """What `extra_memory` reads."""
    with tempfile.TemporaryDirectory() as folder:
        job = ways(n, prompt, folder)[way]
        job(1)
        before = _memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the kernel forgets the earlier peak
        job(n)
        print(_memory("VmHWM") - before)


def _memory(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def compare(n: int, prompt: int, rounds: int) -> pd.DataFrame:
    """Median comparisons a CPU second of each way, in turn, and the extra memory of each."""
    with tempfile.TemporaryDirectory() as folder:
        jobs, lines = ways(n, prompt, folder), []
        wanted = jobs["plain loop"](n).double()
        for _ in range(rounds):
            for name, job in jobs.items():
                start = time.process_time()
                found = job(n)
                seconds = time.process_time() - start
                torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-3)
                lines.append({"way": name, "per CPU s": n / seconds})
    table = pd.DataFrame(lines).groupby("way", sort=False).median()
    table["extra MiB"] = [extra_memory(way, n, prompt) for way in table.index]
    table["speed / TRL"] = table["per CPU s"] / table.loc["TRL", "per CPU s"]
    table["memory / TRL"] = table["extra MiB"] / table.loc["TRL", "extra MiB"]
    return table


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--comparisons", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompt", type=int, default=89)
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    parser.add_argument("--memory-of", default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    warnings.simplefilter("ignore", FutureWarning)
    if options.memory_of is not None:
        print_memory(options.memory_of, options.comparisons, options.prompt)
        return
    lengths = options.prompt, 4 * options.prompt
    tables = {n: compare(options.comparisons, n, options.rounds) for n in lengths}
    if options.json:
        named = [tables[n].reset_index(names="way").assign(prompt=n) for n in lengths]
        print(pd.concat(named).to_json(orient="records"))
        return
    for prompt, table in tables.items():
        print(f"prompt of {prompt} tokens, two answers of about 53")
        print(table.round(3).to_string())


if __name__ == "__main__":
    main()
