"""Six normal coefficients on the electricity panel: mixlogit beside xlogit and biogeme.

361 households, 4,308 choices of 4 (Huber and Train). Each program runs in a process of its own;
CPU seconds include neither start nor reading, memory is the process's peak.

    python benchmarks/electricity.py [--data ../shared/data] [--peers PYTHON]

PYTHON is the interpreter of an environment of its own with the peers, made by
`pip install ".[benchmark]"`: biogeme wants an older pandas than the tests run with.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["NAMES", "PROGRAMS"]

NAMES = ["pf", "cl", "loc", "wk", "tod", "seas"]
PUBLISHED = {
    "mean": [-0.99721, -0.21968, 2.29018, 1.69432, -9.67523, -9.69618],
    "sd": [0.22073, 0.41155, 1.78403, 1.22962, 2.27571, 1.48622],
}


def ours(file: Path, draws: int, sampling: str, seed: int = 0) -> dict[str, Any]:
    """Mixlogit."""
    import mixlogit as ml

    columns = {"choice_id": "chid", "alternative": "alt", "chosen": "choice", "respondent": "id"}
    data = ml.load_choice_sets(file, **columns, features=NAMES)
    random = ml.RandomTastes(dict.fromkeys(NAMES, "normal"), draws=draws, sampling=sampling)
    ml.maximum(data, "fixed")  # loads everything
    begin = time.process_time()
    found = ml.maximum(data, random=random, seed=seed)
    seconds = time.process_time() - begin
    rows = {kind: [f"{kind}[{name}]" for name in NAMES] for kind in ("mean", "sd")}
    return {
        "log_likelihood": found.log_likelihood,
        "seconds": seconds,
        **{kind: found.table.loc[names, "estimate"].tolist() for kind, names in rows.items()},
        "se": found.table.loc[rows["mean"] + rows["sd"], "se"].tolist(),
    }


def xlogit(file: Path, optimiser: str) -> dict[str, Any]:
    """xlogit, its default optimiser or the one with right standard errors."""
    import pandas as pd
    from xlogit import MixedLogit

    frame = pd.read_csv(file)
    model = MixedLogit()
    begin = time.process_time()
    model.fit(
        X=frame[NAMES],
        y=frame["choice"],
        varnames=NAMES,
        ids=frame["chid"],
        panels=frame["id"],
        alts=frame["alt"],
        n_draws=600,
        randvars=dict.fromkeys(NAMES, "n"),
        optim_method=optimiser,
        verbose=0,
    )
    return {
        "log_likelihood": float(model.loglikelihood),
        "seconds": time.process_time() - begin,
        "mean": model.coeff_[:6].tolist(),
        "sd": abs(model.coeff_[6:]).tolist(),
        "se": model.stderr.tolist(),
    }


def biogeme(file: Path) -> dict[str, Any]:
    """biogeme, modified Latin hypercube draws."""
    import biogeme.biogeme as bio
    import pandas as pd
    from biogeme.database import Database
    from biogeme.expressions import (
        Beta,
        Draws,
        MonteCarlo,
        PanelLikelihoodTrajectory,
        Variable,
        log,
    )
    from biogeme.models import logit

    frame = pd.read_csv(file)
    wide = frame.pivot(index=["id", "chid"], columns="alt", values=NAMES)
    wide.columns = [f"{name}_{alt}" for name, alt in wide.columns]
    taken = frame[frame["choice"] == 1].set_index(["id", "chid"])["alt"]
    database = Database("electricity", wide.join(taken.rename("taken")).reset_index())
    database.panel("id")
    starts = dict(zip(NAMES, (-0.6, -0.1, 1.4, 1.0, -5.5, -5.8), strict=True))
    taste = {
        name: Beta(f"m_{name}", starts[name], None, None, 0)
        + Beta(f"s_{name}", 0.1, None, None, 0) * Draws(f"d_{name}", "NORMAL_MLHS")
        for name in NAMES
    }
    utility = {
        alt: sum(taste[name] * Variable(f"{name}_{alt}") for name in NAMES) for alt in range(1, 5)
    }
    choice = logit(utility, None, Variable("taken"))
    formula = log(MonteCarlo(PanelLikelihoodTrajectory(choice)))
    begin = time.process_time()
    options = {"number_of_draws": 600, "seed": 1, "generate_html": False, "generate_yaml": False}
    model = bio.BIOGEME(database, formula, **options)
    model.model_name = "electricity"
    found = model.estimate()
    values = found.get_beta_values()
    return {
        "log_likelihood": float(found.final_log_likelihood),
        "seconds": time.process_time() - begin,
        "mean": [values[f"m_{name}"] for name in NAMES],
        "sd": [abs(values[f"s_{name}"]) for name in NAMES],
        "se": [],
    }


PROGRAMS = {
    "mixlogit, 256 adaptive draws": lambda file: ours(file, 256, "adaptive"),
    "mixlogit, 256 adaptive, seed 1": lambda file: ours(file, 256, "adaptive", 1),
    "mixlogit, 256 adaptive, seed 2": lambda file: ours(file, 256, "adaptive", 2),
    "mixlogit, 2,048 adaptive": lambda file: ours(file, 2048, "adaptive"),
    "mixlogit, 600 Halton draws": lambda file: ours(file, 600, "halton"),
    "xlogit, 600 Halton, default": lambda file: xlogit(file, "BFGS"),
    "xlogit, 600 Halton, L-BFGS-B": lambda file: xlogit(file, "L-BFGS-B"),
    "biogeme, 600 MLHS": biogeme,
}


def main() -> None:
    """Print one line for each program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--peers", help="interpreter with xlogit and biogeme")
    parser.add_argument("--only", help="run one program in this process and print JSON")
    chosen = parser.parse_args()
    file = chosen.data / "electricity-panel/electricity_long.csv.gz"
    if chosen.only:
        result = PROGRAMS[chosen.only](file)
        result["memory_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(json.dumps(result))
        return
    print(f"{'':32}  log-lik       CPU s    GB  " + "  ".join(f"{name:>7}" for name in NAMES))
    print(f"{'published (xlogit, 600 Halton)':32} {-3888.465:9.2f}" + " " * 16 + _row(PUBLISHED))
    for name in PROGRAMS:
        python = sys.executable if name.startswith("mixlogit") else chosen.peers
        if python is None:
            continue
        command = [python, __file__, "--data", str(chosen.data), "--only", name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        cost = f"{found['seconds']:9.1f} {found['memory_gb']:5.2f}"
        print(f"{name:32} {found['log_likelihood']:9.2f} {cost} {_row(found)}")
        if found["se"]:
            errors = "  ".join(f"{value:7.4f}" for value in found["se"][:6])
            print(f"{'':32} {'standard errors of the means':>26} {errors}")


def _row(found: dict[str, Any]) -> str:
    """Means, then sds below them."""
    mean, sd = ("  ".join(f"{value:7.3f}" for value in found[kind]) for kind in ("mean", "sd"))
    return f"{mean}\n{'':32} {'standard deviations':>26} {sd}"


if __name__ == "__main__":
    main()
