"""The bias of Monte Carlo draws inside the log, on simulated single comparisons.

    python benchmarks/monte_carlo_bias.py

Strength is lognormal, every comparison has a strength of its own, and the sd of log strength is
estimated by maximum likelihood from the margins and the votes: with the exact choice
probability, with a quadrature of 8 nodes, and with 64, 16 and 4 Monte Carlo draws.
"""

import argparse
import math
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from mixlogit.choice import LogNormal

SIGMA, MEAN_LOG, MARGIN_SD = 0.80, -0.25, 2.0
TINY = 0.01  # the search for the maximum does not go below this sd of log strength


def family(mean_log: Tensor, sigma: Tensor) -> LogNormal:
    """Lognormal strength by the mean and sd of its log."""
    return LogNormal(torch.exp(mean_log + sigma**2 / 2), torch.sqrt(torch.expm1(sigma**2)))


def simulate(comparisons: int, generator: torch.Generator) -> Tensor:
    """Signed margins, a `comparison` tensor: positive if the vote agrees with the margin."""
    margin = MARGIN_SD * torch.randn(comparisons, generator=generator, dtype=torch.float64)
    truth = family(torch.tensor(MEAN_LOG), torch.tensor(SIGMA))
    strength = truth.sample((comparisons,), generator)
    vote = torch.rand(comparisons, generator=generator, dtype=torch.float64)
    return torch.where(vote < torch.sigmoid(strength * margin), margin, -margin)


def maximum(loss: Callable[[Tensor, Tensor], Tensor]) -> tuple[float, float]:
    """Minimum of a smooth loss in (mean log, sd of log) by L-BFGS."""
    point = torch.tensor([0.0, math.log(0.5)], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [point], max_iter=60, line_search_fn="strong_wolfe", tolerance_change=1e-10
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss(point[0], TINY + torch.exp(point[1]))
        value.backward()
        return value

    optimiser.step(closure)
    return point[0].item(), TINY + point[1].exp().item()


def quadrature_loss(margin: Tensor, nodes: int | None) -> Callable[[Tensor, Tensor], Tensor]:
    """Minus the mean log-likelihood."""
    return lambda mean_log, sigma: (
        -family(mean_log, sigma).log_choice_prob(margin, nodes=nodes).mean()
    )


def draws_loss(margin: Tensor, draws: int, seed: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Minus the mean simulated log-likelihood: fresh draws for each comparison.

    Every comparison has draws of its own, none is used twice in an evaluation. The generator
    starts at the same seed in each evaluation, so the function that is minimised is smooth.
    """

    def loss(mean_log: Tensor, sigma: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        strength = family(mean_log, sigma)
        parts = [
            strength.log_choice_prob(part, draws=draws, generator=generator).sum()
            for part in margin.split(50_000)
        ]
        return -torch.stack(parts).sum() / len(margin)

    return loss


def settle(margin: Tensor, draws: int, seed: int, steps: int = 1500) -> tuple[float, float]:
    """Stochastic gradient: new draws at every step; the mean of the second half of the path."""
    point = torch.tensor([0.0, math.log(0.5)], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([point], lr=0.02)
    generator = torch.Generator().manual_seed(seed)
    path = []
    for _ in range(steps):
        batch = margin[torch.randint(len(margin), (4_000,), generator=generator)]
        strength = family(point[0], TINY + torch.exp(point[1]))
        optimiser.zero_grad()
        (-strength.log_choice_prob(batch, draws=draws, generator=generator).mean()).backward()
        optimiser.step()
        path.append(point.detach().clone())
    mean_log, log_sigma = torch.stack(path[steps // 2 :]).mean(0).tolist()
    return mean_log, TINY + math.exp(log_sigma)


def standard_errors(
    loss: Callable[[Tensor, Tensor], Tensor], at: tuple[float, float], n: int
) -> Tensor:
    """Standard errors of (mean log, sd of log) from the Hessian of the mean loss."""
    point = torch.tensor(at, dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(lambda x: loss(x[0], x[1]), point)
    return torch.linalg.inv(n * hessian).diagonal().sqrt()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    margin = simulate(options.comparisons, torch.Generator().manual_seed(options.seed))
    print(
        f"{options.comparisons:,} comparisons, margins Normal(0, {MARGIN_SD:g}), "
        f"mean of log strength {MEAN_LOG}, sd of log strength {SIGMA}\n"
    )
    print(f"{'choice probability':<22}{'mean of log':>12}{'sd of log':>12}{'seconds':>10}")
    exact, seed = quadrature_loss(margin, None), options.seed + 1
    ways: dict[str, Callable[[], tuple[float, float]]] = {
        "exact": lambda: maximum(exact),
        "quadrature, 8 nodes": lambda: maximum(quadrature_loss(margin, 8)),
        **{f"{k} fresh draws": partial(maximum, draws_loss(margin, k, seed)) for k in (64, 16, 4)},
        "16, new at every step": lambda: settle(margin, 16, seed),
    }
    found = {}
    for name, way in ways.items():
        start = time.perf_counter()
        found[name] = mean_log, sigma = way()
        seconds = time.perf_counter() - start
        shown = f"{sigma:.3f}" if sigma > 2 * TINY else f"< {2 * TINY}"
        print(f"{name:<22}{mean_log:>12.3f}{shown:>12}{seconds:>10.1f}", flush=True)
    errors = standard_errors(exact, found["exact"], options.comparisons)
    print(f"\nstandard errors of the exact estimates: {errors[0]:.3f} and {errors[1]:.3f}")


if __name__ == "__main__":
    main()
