"""CPU seconds of the checks of a fit, and their share of it.

OMP_NUM_THREADS=1 python benchmarks/checks.py --comparisons 1000000 --respondents 50000
"""

import argparse
import time
from importlib import import_module
from typing import Any
from unittest.mock import patch

import mixlogit as ml
from mixlogit.run import peak_memory_mb

__all__ = ["cost"]


def cost(data: ml.Comparisons) -> tuple[float, float]:
    """CPU seconds of a fit of strength, and of the part of it that predicts and checks."""
    module = import_module("mixlogit.models.fit")
    diagnose, spent = module.diagnose_strength, 0.0

    def timed(*arguments: Any) -> Any:
        nonlocal spent
        begin = time.process_time()
        found = diagnose(*arguments)
        spent += time.process_time() - begin
        return found

    with patch.object(module, "diagnose_strength", timed):
        begin = time.process_time()
        ml.fit(data, seed=1)
    return time.process_time() - begin, spent


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", type=int, default=1_000_000)
    parser.add_argument("--respondents", type=int, default=50_000)
    chosen = parser.parse_args()
    made = ml.simulate(chosen.comparisons, chosen.respondents, "lognormal", cv=0.8, seed=1)
    whole, checks = cost(made.comparisons())
    print(f"{chosen.comparisons:,} comparisons, {chosen.respondents:,} respondents, lognormal")
    print(f"fit {whole:.1f} CPU s, of these checks {checks:.1f} ({checks / whole:.0%})")
    print(f"peak memory {peak_memory_mb():,.0f} MB")


if __name__ == "__main__":
    main()
