"""Time and memory of a fit of latent tastes to many comparisons, and whether it finds the truth.

python benchmarks/taste_scale.py [--comparisons 1000000] [--respondents 50000]
    [--tastes 3] [--features 20] [--family fixed]
"""

import argparse
import itertools
import time

import numpy as np

import mixlogit as ml
from mixlogit.run import peak_memory_mb

__all__ = ["distances"]


def distances(found: np.ndarray, truth: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Weights minus truth in posterior sds, classes named so that they fit best.

    Args:
        found: `class_ x feature`.
        truth: `class_ x feature`.
        sd: `class_ x feature`.
    """
    orders = [list(order) for order in itertools.permutations(range(len(truth)))]
    best = min(orders, key=lambda order: float(np.square(found - truth[order]).sum()))
    out: np.ndarray = (found - truth[best]) / sd
    return out


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", type=int, default=1_000_000)
    parser.add_argument("--respondents", type=int, default=50_000)
    parser.add_argument("--tastes", type=int, default=3)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--family", default="fixed")
    chosen = parser.parse_args()
    made = ml.simulate(
        chosen.comparisons,
        chosen.respondents,
        chosen.family,
        tastes=chosen.tastes,
        features=chosen.features,
        seed=1,
    )
    truth = np.array(made.truth["features"]["weights"])
    data = made.comparisons()
    del made
    before, begin, cpu = peak_memory_mb(), time.monotonic(), time.process_time()
    posterior = ml.fit(
        data, chosen.family, tastes=chosen.tastes, inference="laplace", evidence=False
    )
    wall, cpu = time.monotonic() - begin, time.process_time() - cpu
    table = posterior.utilities()
    found, sd = (table[name].to_numpy().reshape(truth.shape) for name in ("mean", "sd"))
    off = distances(found, truth, sd)
    print(f"{chosen.comparisons:,} comparisons, {chosen.respondents:,} respondents")
    print(f"{wall / 60:.1f} minutes wall, {cpu / 60:.1f} CPU; stages {posterior.seconds}")
    print(f"peak memory {peak_memory_mb():,.0f} MB, {before:,.0f} before the fit")
    print(f"weights: root mean square of (mean - truth) / sd {np.sqrt(np.square(off).mean()):.2f}")
    for check in posterior.checks:
        print(f"{check.name:32} {check.value:10.3g} {'ok' if check.ok else 'FAILED'}")


if __name__ == "__main__":
    main()
