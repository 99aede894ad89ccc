"""Align a tiny transformer with unequal judges whose strengths are known.

    python examples/02_known_truth.py            # about 20 seconds

200 respondents judge 20 pairs of answers each. All prefer what the true reward prefers, some
strongly, some hardly (sd of log strength 2). DPO weighs every vote alike; the panel learns from
each respondent's other votes how much the next one says. Both see the same votes.
"""

import argparse
import math

import numpy as np
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

import mixlogit as ml
from mixlogit.align import AlignSettings, make_objective, refit
from mixlogit.data import Labels

RESPONDENTS, VOTES, PROMPT, BATCH = 200, 20, 2, 64


def simulate(log_sd: float, seed: int) -> ml.data.SimulatedTexts:
    """Votes with lognormal strength of median 1.5."""
    mean, cv = 1.5 * math.exp(log_sd**2 / 2), math.sqrt(math.expm1(log_sd**2))
    return ml.simulate_texts(RESPONDENTS * VOTES, RESPONDENTS, mean=mean, cv=cv, seed=seed)


def tokens(prompt: np.ndarray, first: np.ndarray, second: np.ndarray) -> Tensor:
    """`answer x comparison x token`, each answer behind its prompt."""
    pairs = [np.concatenate([prompt, answer], 1) for answer in (first, second)]
    return torch.from_numpy(np.stack(pairs))


def log_ratio(model: LlamaForCausalLM, pairs: Tensor) -> Tensor:
    """Log-probability of the first answer minus that of the second: a `comparison`-vector."""
    flat = pairs.flatten(0, 1)
    log_p = torch.log_softmax(model(flat, use_cache=False).logits[:, PROMPT - 1 : -1], -1)
    each = log_p.gather(-1, flat[:, PROMPT:].unsqueeze(-1)).squeeze(-1).sum(-1)
    first, second = each.view(pairs.shape[:2])
    return first - second


def new_policy(seed: int) -> LlamaForCausalLM:
    """A two-layer transformer with random weights: where the policy starts, and the reference."""
    torch.manual_seed(seed)
    sizes = {"hidden_size": 48, "intermediate_size": 192, "max_position_embeddings": 16}
    layers = {"num_hidden_layers": 2, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=16, **sizes, **layers))


def align(
    settings: AlignSettings, data: ml.Comparisons, pairs: Tensor, seed: int
) -> LlamaForCausalLM:
    """Train a policy through the model of strength."""
    policy = new_policy(seed)
    with torch.no_grad():
        reference = log_ratio(policy, pairs)
    objective = make_objective(data, settings)
    optimiser = torch.optim.AdamW(policy.parameters(), lr=1e-3, weight_decay=0.01)
    steps = 5 * math.ceil(len(data) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(5):
        for index in torch.randperm(len(data), generator=generator).split(BATCH):
            margin = log_ratio(policy, pairs[:, index]) - reference[index]
            loss = objective.loss(margin, index)  # the policy's loss, strength held fixed
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            objective.step(margin.detach(), index)  # the strength's own step
    return policy


def main() -> None:
    """Train both and compare them with the truth."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--log-sd", type=float, default=2.0, help="sd of log strength")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    torch.set_num_threads(1)

    made = simulate(chosen.log_sd, chosen.seed)
    who = Labels(torch.from_numpy(made.respondent), tuple(f"r{k}" for k in range(RESPONDENTS)))
    n = len(made.respondent)
    data = ml.Comparisons(outcome=torch.ones(n), margin=torch.zeros(n), respondent=who)
    pairs = tokens(made.prompt, made.chosen, made.rejected)

    prompt, first, second = made.world.pairs(2000, np.random.default_rng(chosen.seed + 1))
    better = made.world.reward(prompt, first) > made.world.reward(prompt, second)
    fresh = tokens(prompt, first, second)

    for name, settings in (
        ("DPO", AlignSettings(family="fixed", beta=0.3)),
        ("panel", AlignSettings(family="lognormal", beta=0.3)),
    ):
        policy, reference = align(settings, data, pairs, chosen.seed), new_policy(chosen.seed)
        with torch.no_grad():
            margin = log_ratio(policy, pairs) - log_ratio(reference, pairs)
            right = (log_ratio(policy, fresh) > log_ratio(reference, fresh)).numpy() == better
        print(f"{name:6} accuracy against the true order {right.mean():.3f}")
        if name == "panel":
            posterior = refit(data, margin, settings, evidence=False, draws=400)
            found = posterior.summary().loc["log_sd"]
            print(
                f"       sd of log strength: {found['mean']:.2f} ({found['q05']:.2f} to "
                f"{found['q95']:.2f}) fitted after training; the truth is {chosen.log_sd:g}"
            )


if __name__ == "__main__":
    main()
