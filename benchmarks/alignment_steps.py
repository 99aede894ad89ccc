"""Time of a training step: our objectives, fixed strength, and TRL's plain DPO.

A GPT-NeoX like a small Pythia (hidden 256, 4 layers, vocabulary 50,304) with random weights, the
same comparisons for all, reference scores given, and the optimiser that both trainers take unless
told otherwise, fused AdamW. Variants take turns, step by step, in one process with one thread;
process CPU time, median over rounds. TRL's own `compute_loss` runs on the same tokens. Then, on
Linux, the peak memory of a step beyond weights, gradients and the optimiser's state.

    OMP_NUM_THREADS=1 python benchmarks/alignment_steps.py --rounds 8
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

from mixlogit.align import AlignSettings, Objective, make_objective
from mixlogit.data import Comparisons, Labels
from mixlogit.lm import Row, Scorer

__all__ = ["VARIANTS"]

VOCABULARY, PROMPT, ANSWERS, PAIRS = 50304, 89, (55, 51), 4
COMPARISONS, RESPONDENTS, BETA = 4000, 200, 0.1
TRL = "TRL, plain DPO"
VARIANTS: dict[str, dict[str, Any]] = {
    "fixed": {"family": "fixed"},
    "per comparison, lognormal": {"panel": False},
    "per comparison, lognormal, 16 draws": {"panel": False, "draws": 16},
    "per comparison, gamma": {"panel": False, "family": "gamma"},
    "panel, lognormal": {},
    "panel, gamma": {"family": "gamma"},
    "panel, normal": {"family": "normal"},
    "panel, contrarians": {"contrarians": True},
}


def rows(generator: torch.Generator) -> list[Row]:
    """Comparisons of random tokens."""

    def tokens(n: int) -> list[int]:
        found: list[int] = torch.randint(VOCABULARY, (n,), generator=generator).tolist()
        return found

    return [Row(tokens(PROMPT), [tokens(n) for n in ANSWERS]) for _ in range(PAIRS)]


def our_step(
    scorer: Scorer, optimiser: torch.optim.Optimizer, objective: Objective
) -> Callable[..., None]:
    """A step of ours: margins, the policy's gradient, AdamW, the strength's step."""

    def step(batch: list[Row], index: Tensor) -> None:
        chosen, rejected = scorer(scorer.collate(batch)).logp.view(-1, 2).unbind(-1)
        margin = chosen - rejected + 5.0  # as if the reference thought otherwise
        objective.loss(margin, index).backward()
        optimiser.step()
        optimiser.zero_grad()
        objective.step(margin, index)

    return step


def alone(objective: Objective, repeats: int = 100) -> float:
    """CPU seconds that an objective takes of a step, without the language model."""
    margin, index = torch.randn(PAIRS, requires_grad=True), torch.arange(PAIRS)
    begin = time.process_time()
    for _ in range(repeats):
        objective.loss(margin, index).backward()
        objective.step(margin, index)
    return (time.process_time() - begin) / repeats


def trl_step(model: GPTNeoXForCausalLM, folder: str) -> Callable[..., None]:
    """A step of TRL's: its loss with the reference given, AdamW."""
    from trl import DPOConfig, DPOTrainer

    words = Tokenizer(models.WordLevel({"<eos>": 0, "a": 1}, unk_token="a"))
    trainer = DPOTrainer(
        model=model,
        args=DPOConfig(
            output_dir=folder,
            beta=BETA,
            bf16=False,
            use_cpu=True,
            report_to=[],
            precompute_ref_log_probs=True,
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list([{"prompt": "a ", "chosen": "a", "rejected": "a a"}]),
        processing_class=PreTrainedTokenizerFast(
            tokenizer_object=words, eos_token="<eos>", pad_token="<eos>"
        ),
    )
    model.gradient_checkpointing_disable()  # on by default there, and not ours
    optimiser = make_optimiser(model)

    def step(batch: list[Row], _: Tensor) -> None:
        sides = [(row.prompt, row.answers[side]) for side in (0, 1) for row in batch]
        ids = [torch.tensor([*prompt, *answer]) for prompt, answer in sides]
        answers = [torch.tensor([0] * len(p) + [1] * len(a)) for p, a in sides]
        inputs = {
            "input_ids": pad_sequence(ids, batch_first=True),
            "attention_mask": pad_sequence([torch.ones_like(i) for i in ids], batch_first=True),
            "completion_mask": pad_sequence(answers, batch_first=True),
            "ref_chosen_logps": torch.zeros(len(batch)),
            "ref_rejected_logps": torch.zeros(len(batch)),
        }
        trainer.compute_loss(model, inputs).backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


def make_optimiser(model: GPTNeoXForCausalLM) -> torch.optim.Optimizer:
    """The default of transformers' trainer, and so of TRL's."""
    return torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)


def peak(step: Callable[..., None], model: GPTNeoXForCausalLM) -> float:
    """Peak memory of a step beyond weights, gradients and the optimiser's state, in MiB."""

    def memory(name: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith(name)))

    gradients = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    step([Row([5, 6], [[7], [8]])], torch.tensor([0]))  # what stays is there now
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    step(rows(torch.Generator().manual_seed(0)), torch.arange(PAIRS))
    return (memory("VmHWM") - before - gradients / 1024) / 1024


def make_model() -> GPTNeoXForCausalLM:
    """Random weights."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 256, "intermediate_size": 1024, "max_position_embeddings": 512}
    layers = {"num_hidden_layers": 4, "num_attention_heads": 4}
    return GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=VOCABULARY, **sizes, **layers)).train()


def make_objectives() -> dict[str, Objective]:
    """The objective of each variant, for the same comparisons."""
    who = Labels(
        torch.arange(COMPARISONS) % RESPONDENTS, tuple(f"r{k}" for k in range(RESPONDENTS))
    )
    data = Comparisons(
        outcome=torch.ones(COMPARISONS), margin=torch.zeros(COMPARISONS), respondent=who
    )
    return {
        name: make_objective(data, AlignSettings(beta=BETA, **settings))
        for name, settings in VARIANTS.items()
    }


def times(rounds: int, folder: str) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of each variant's steps, taken in turn, and of the objectives alone."""
    scorer, objectives = Scorer(make_model()), make_objectives()
    optimiser = make_optimiser(scorer.model)
    steps = {name: our_step(scorer, optimiser, one) for name, one in objectives.items()}
    steps[TRL] = trl_step(make_model(), folder)
    generator = torch.Generator().manual_seed(0)
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        batch = rows(generator)
        index = torch.randperm(COMPARISONS, generator=generator)[:PAIRS]
        for name, step in steps.items():
            begin = time.process_time()
            step(batch, index)
            if turn:  # the first one warms up
                taken[name].append(time.process_time() - begin)
    return taken, {name: alone(objective) for name, objective in objectives.items()}


def print_times(taken: dict[str, list[float]], objectives: dict[str, float]) -> None:
    """What `times` found."""
    for name, seconds in taken.items():
        ratio = median(own / fixed for own, fixed in zip(seconds, taken["fixed"], strict=True))
        line = f"{name:36} {1000 * median(seconds):7.0f} ms  {ratio:.3f} of fixed strength"
        if name in objectives:
            line += f"; {1000 * objectives[name]:4.1f} ms for the objective"
        print(line, flush=True)


def peak_of(name: str, folder: str) -> float:
    """Peak memory of one variant, MiB, in a process that has done nothing else."""
    model = make_model()
    if name == TRL:
        step = trl_step(model, folder)
    else:
        step = our_step(Scorer(model), make_optimiser(model), make_objectives()[name])
    return peak(step, model)


def peaks() -> dict[str, float]:
    """Peak memory of every variant, each in a process of its own, MiB."""
    out = {}
    for name in (*VARIANTS, TRL):
        command = [sys.executable, __file__, "--peak", name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        out[name] = float(done.stdout.splitlines()[-1])
    return out


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--peak", choices=[*VARIANTS, TRL], help="only the memory of this one")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if chosen.peak is not None:
            print(peak_of(chosen.peak, folder))
            return
        taken, objectives = times(chosen.rounds, folder)
    memory = peaks() if sys.platform == "linux" else {}
    if chosen.json:
        print(json.dumps({"seconds": taken, "peak": memory}))
        return
    print_times(taken, objectives)
    for name, value in memory.items():
        print(f"{name:36} {value:7.0f} MiB")


if __name__ == "__main__":
    main()
