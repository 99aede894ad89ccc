"""Six normal coefficients on the electricity panel, by several kinds and numbers of draws.

361 households, 4,308 choices of 4 (Huber and Train), with the published estimates above. What
other programs take for it: `peers.py`.

    python benchmarks/electricity.py [--data ../shared/data]
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from peers import ELECTRICITY

sys.path.insert(0, str(Path(__file__).resolve().parent / "engines"))

from mixlogit_engine import NAMES, electricity

__all__ = ["CASES"]

PUBLISHED = {
    "estimates": [
        *(-0.99721, -0.21968, 2.29018, 1.69432, -9.67523, -9.69618),
        *(0.22073, 0.41155, 1.78403, 1.22962, 2.27571, 1.48622),
    ]
}
CASES = {
    "256 adaptive draws": (256, "adaptive", 0),
    "256 adaptive, seed 1": (256, "adaptive", 1),
    "256 adaptive, seed 2": (256, "adaptive", 2),
    "2,048 adaptive": (2048, "adaptive", 0),
    "600 Halton draws": (600, "halton", 0),
}


def main() -> None:
    """Print means, standard deviations and the standard errors of the means of each case."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    file = parser.parse_args().data / ELECTRICITY
    print(f"{'':32}  log-lik  " + "  ".join(f"{name:>7}" for name in NAMES))
    print(f"{'published (xlogit, 600 Halton)':32} {-3888.465:9.2f} {_rows(PUBLISHED)}")
    for name, case in CASES.items():
        found = electricity(file, *case)()
        print(f"{name:32} {found['log_likelihood']:9.2f} {_rows(found)}", flush=True)


def _rows(found: dict[str, Any]) -> str:
    """Means, below them sds, below them standard errors of the means."""
    kinds = {"": found["estimates"][:6], "standard deviations": found["estimates"][6:]}
    if "standard_errors" in found:
        kinds["standard errors of the means"] = found["standard_errors"][:6]
    lines = ["  ".join(f"{value:7.3f}" for value in values) for values in kinds.values()]
    words = [f"\n{word:>42} " for word in list(kinds)[1:]]
    return lines[0] + "".join(map(str.__add__, words, lines[1:]))


if __name__ == "__main__":
    main()
