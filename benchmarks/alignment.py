"""Alignment where the truth is known: who learns the true order best from unequal judges.

A world of tokens (`mixlogit.data.simulate_texts`), a two-layer transformer as policy and as
reference, respondents whose strength is lognormal. Each arm trains the policy on the same votes;
beta and epoch are chosen by the validation score of the arm's own predictive. Accuracy is that
of the sign of the margin against the true order of fresh answers.

    nice -n 19 python benchmarks/alignment.py --runs alignment.jsonl  # goes on where it was cut
    python benchmarks/alignment_report.py --runs alignment.jsonl

Arms: dpo; lognormal and gamma (each comparison its own strength, mean anchored); panel (our
default); mixdpo (the paper's recipe); signed (panel with contrarians); oracle
(DPO that knows every respondent's strength).
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from mixlogit.align import AlignSettings, Objective, make_objective, refit
from mixlogit.align.refit import FREE
from mixlogit.data import Comparisons, Labels
from mixlogit.data.simulate_texts import SimulatedTexts, simulate_texts

__all__ = ["Case", "World", "run"]

MEDIAN = 1.5  # of strength: about 75 % of votes agree with the true order
WORLDS = {
    "easy": {"vocabulary": 16, "topics": 2, "prompt_tokens": 2},
    "hard": {"vocabulary": 32, "topics": 4, "prompt_tokens": 3},
}
VALIDATION, TEST = 4, 2000  # votes a respondent, fresh comparisons
BATCH, RATE = 64, 1e-3


@dataclass(frozen=True)
class Case:
    """One run.

    Attributes:
        arm: What is trained, see the top of the file.
        seed: Seed of world, votes, initial weights and batches.
        log_sd: True standard deviation of log strength.
        beta: Beta.
        world: "easy" (about 30 free weights) or "hard" (about 125).
        votes: Training votes of each respondent.
        contrarians: Share of respondents with negative strength.
        respondents: Number of respondents.
        epochs: Passes over the data.
    """

    arm: str
    seed: int
    log_sd: float
    beta: float
    world: str = "easy"
    votes: int = 20
    contrarians: float = 0.0
    respondents: int = 200
    epochs: int = 5


@dataclass(frozen=True)
class World:
    """Texts of a case as tokens: training, validation and test, chosen (or better) first.

    Attributes:
        made: The simulated votes.
        prompt: `comparison`-vector of the length of prompts.
        tokens: Split -> prompt and answer, `answer x comparison x token`.
        respondent: Split -> who judged.
        strength: True strength of each respondent.
    """

    made: SimulatedTexts
    tokens: dict[str, Tensor]
    respondent: dict[str, Tensor]
    strength: Tensor
    prompt_tokens: int = field(default=2)

    @classmethod
    def of(cls, case: Case) -> "World":
        """The world, votes and fresh comparisons of a case."""
        n_train = case.respondents * case.votes
        shape: dict[str, int] = WORLDS[case.world]
        made = simulate_texts(
            n_train + case.respondents * VALIDATION,
            case.respondents,
            mean=MEDIAN * math.exp(case.log_sd**2 / 2),
            cv=math.sqrt(math.expm1(case.log_sd**2)),
            contrarians=case.contrarians,
            seed=case.seed,
            **shape,
        )
        prompt, first, second = made.world.pairs(TEST, np.random.default_rng(1000 + case.seed))
        better = made.world.reward(prompt, first) > made.world.reward(prompt, second)
        fresh = (
            prompt,
            np.where(better[:, None], first, second),
            np.where(better[:, None], second, first),
        )
        votes = made.prompt, made.chosen, made.rejected
        tokens = {
            "train": _join(*(part[:n_train] for part in votes)),
            "validation": _join(*(part[n_train:] for part in votes)),
            "test": _join(*fresh),
        }
        who = torch.from_numpy(made.respondent)
        return cls(
            made,
            tokens,
            {"train": who[:n_train], "validation": who[n_train:]},
            torch.tensor(made.respondents["strength"].to_numpy()),
            shape["prompt_tokens"],
        )

    def comparisons(self) -> Comparisons:
        """The training votes, without margins yet."""
        n = len(self.respondent["train"])
        names = tuple(f"r{k}" for k in range(len(self.strength)))
        return Comparisons(
            outcome=torch.ones(n),
            margin=torch.zeros(n),
            respondent=Labels(self.respondent["train"], names),
        )


def _join(prompt: Any, chosen: Any, rejected: Any) -> Tensor:
    """Prompt and answer in a row: `answer x comparison x token`, the chosen answer first."""
    parts = [
        torch.cat([torch.from_numpy(prompt), torch.from_numpy(answer)], 1)
        for answer in (chosen, rejected)
    ]
    return torch.stack(parts)


def make_policy(case: Case) -> LlamaForCausalLM:
    """A two-layer transformer with random weights."""
    torch.manual_seed(case.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=WORLDS[case.world]["vocabulary"],
            hidden_size=48,
            intermediate_size=192,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=16,
        )
    )


def log_ratio(model: LlamaForCausalLM, tokens: Tensor, prompt_tokens: int) -> Tensor:
    """Log probability of chosen minus rejected answers: a `comparison`-vector."""
    flat = tokens.flatten(0, 1)
    logits = model(flat, use_cache=False).logits[:, prompt_tokens - 1 : -1]
    answer = flat[:, prompt_tokens:].unsqueeze(-1)
    log_p = torch.log_softmax(logits, -1).gather(-1, answer).squeeze(-1).sum(-1)
    chosen, rejected = log_p.view(tokens.shape[:2])
    return chosen - rejected


class Training:
    """One arm on one world: policy, reference, objective, and what was measured by epoch."""

    def __init__(self, case: Case, world: World) -> None:
        self.case, self.world, self.data = case, world, world.comparisons()
        self.policy = make_policy(case)
        self.objective = make_objective(self.data, _settings(case))
        self.reference = {name: self._log_ratios(name) for name in world.tokens}
        self.history: list[dict[str, float]] = []
        self.best: Tensor | None = None  # refreshed margins of the best epoch

    def _log_ratios(self, split: str) -> Tensor:
        with torch.no_grad():
            return log_ratio(self.policy, self.world.tokens[split], self.world.prompt_tokens)

    def margins(self, split: str) -> Tensor:
        """Margins of a split, without gradient."""
        return self._log_ratios(split) - self.reference[split]

    def train(self) -> None:
        """All epochs; AdamW with a rate that falls linearly to 0."""
        n = len(self.data)
        steps = self.case.epochs * math.ceil(n / BATCH)
        optimiser = torch.optim.AdamW(
            self.policy.parameters(), lr=RATE, weight_decay=0.01, fused=True
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: 1 - k / steps)
        generator = torch.Generator().manual_seed(self.case.seed)
        for _ in range(self.case.epochs):
            for index in torch.randperm(n, generator=generator).split(BATCH):
                self._step(index, optimiser)
                schedule.step()
            self._evaluate()

    def _step(self, index: Tensor, optimiser: torch.optim.Optimizer) -> None:
        tokens = self.world.tokens["train"][:, index]
        margin = log_ratio(self.policy, tokens, self.world.prompt_tokens)
        margin = margin - self.reference["train"][index]
        loss = self.objective.loss(self._known(margin, index, "train"), index)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.policy.parameters(), 1.0)
        optimiser.step()
        self.objective.step(margin, index)

    def _known(self, margin: Tensor, index: Tensor, split: str) -> Tensor:
        """Margins as they are; for the oracle times strength relative to the median."""
        if self.case.arm != "oracle":
            return margin
        who = self.world.respondent[split][index]
        return margin * (self.world.strength[who] / MEDIAN).float()

    def _evaluate(self) -> None:
        validation = self.margins("validation")
        every = torch.arange(len(validation))
        block = torch.zeros(len(validation), dtype=torch.long)
        score = self.objective.log_predictive(
            self._known(validation, every, "validation"),
            _units(self.objective, self.world.respondent["validation"]),
            block,
        )
        test = self.margins("test")
        self.history.append(
            {
                "score": float(score.mean()),
                "accuracy": float((test > 0).double().mean()),
                **self.objective.describe(),
            }
        )
        best = self.history[-1]["score"] == max(epoch["score"] for epoch in self.history)
        if self.case.arm == "panel" and best:
            self.best = self.margins("train")


def _units(objective: Objective, respondent: Tensor) -> Tensor:
    """Unit of each respondent in the objective."""
    own = objective.votes.units.respondent
    if own is None:
        return torch.full_like(respondent, -1)
    return torch.searchsorted(own, respondent)


def _settings(case: Case) -> AlignSettings:
    shared: dict[str, Any] = {"beta": case.beta, "seed": case.seed}
    arms: dict[str, dict[str, Any]] = {
        "dpo": {"family": "fixed"},
        "oracle": {"family": "fixed"},
        "lognormal": {"panel": False},
        "gamma": {"panel": False, "family": "gamma"},
        "panel": {},
        "signed": {"contrarians": True},
    }
    if case.arm in arms:
        return AlignSettings(**shared, **arms[case.arm])
    return AlignSettings.recipe(case.arm, **shared)


def run(case: Case) -> dict[str, Any]:
    """One run: what each epoch measured, the refitted spread of the panel, seconds."""
    begin = time.process_time()
    training = Training(case, World.of(case))
    training.train()
    out: dict[str, Any] = {**vars(case), "epochs_measured": training.history}
    if case.arm == "panel":
        assert training.best is not None
        for name, scale in (("refit", FREE), ("refit_default_prior", 1.0)):
            fitted = refit(
                training.data,
                training.best,
                _settings(case),
                cv_scale=scale,
                evidence=False,
                draws=400,
            )
            out[name] = float(fitted.summary().loc["log_sd", "mean"])
    return out | {"cpu_seconds": time.process_time() - begin}


SEEDS, LOG_SDS = range(100, 108), (0.0, 1.0, 1.5, 2.0)
ARMS, SINGLE = ("dpo", "panel", "oracle"), ("lognormal", "gamma", "mixdpo")
CONTRARIANS: list[dict[str, Any]] = [
    {"arm": arm, "log_sd": 1.0, "contrarians": 0.1} for arm in ("signed", "panel", "dpo", "oracle")
]
ELSEWHERE: list[dict[str, Any]] = [
    *({"arm": arm, "log_sd": 1.5, "votes": 8} for arm in ARMS),
    *({"arm": arm, "log_sd": 1.5, "world": "hard"} for arm in ARMS),
    {"arm": "signed", "log_sd": 1.0},
]


def all_cases() -> Iterator[Case]:
    """Every run of the study, what is required first."""
    yield from _spreads(ARMS, 0.3)
    yield from (Case(seed=seed, beta=0.3, **case) for case in CONTRARIANS for seed in SEEDS)
    yield from _spreads(SINGLE, 0.3)
    yield from (Case(seed=seed, beta=0.3, **case) for case in ELSEWHERE for seed in SEEDS)
    yield from _spreads(ARMS, 1.0)
    yield from _spreads(("mixdpo", *ARMS), 0.1)  # where the mean is learned it starts there
    yield from _spreads(SINGLE, 1.0)


def _spreads(arms: tuple[str, ...], beta: float) -> Iterator[Case]:
    for arm in arms:
        for seed in SEEDS:
            # without a spread the oracle knows nothing that DPO does not
            for log_sd in LOG_SDS[1:] if arm == "oracle" else LOG_SDS:
                yield Case(arm, seed, log_sd, beta)


def run_all(path: Path) -> None:
    """Run what is not in the file yet, one line of JSON each."""
    torch.set_num_threads(1)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = Case.__dataclass_fields__
    done = {tuple(json.loads(line)[name] for name in names) for line in lines}
    for case in all_cases():
        if tuple(vars(case).values()) in done:
            continue
        result = run(case)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")


def main() -> None:
    """Run what is missing in the file of runs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("alignment.jsonl"))
    run_all(parser.parse_args().runs)


if __name__ == "__main__":
    main()
