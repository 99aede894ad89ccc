"""Reference posteriors by Pyro's NUTS, run directly on the Pyro programs.

    python tests/reference/nuts_posteriors.py

writes `nuts_posteriors.json` beside this file: for three problems the mean, sd and split R-hat of
every parameter that `mixlogit.fit` reports, from 4 chains of 1,000 draws after 500 of warm-up.
"""

import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyro
import torch
from pyro.infer.mcmc import MCMC, NUTS
from pyro.ops.stats import split_gelman_rubin

import mixlogit as ml
from mixlogit.models.parameters import named_parameters
from mixlogit.models.problem import Problem

FILE = Path(__file__).with_suffix(".json")
CHAINS, WARMUP, DRAWS, SEED = 4, 500, 1000, 0

# arguments of simulate (votes are spread at random over the respondents) and of fit
PROBLEMS: dict[str, dict[str, Any]] = {
    "lognormal panel": {
        "simulate": {
            "comparisons": 900,
            "respondents": 60,
            "family": "lognormal",
            "mean": 1.0,
            "cv": 0.7,
            "margin_sd": 1.5,
            "seed": 11,
        },
        "fit": {"family": "lognormal"},
    },
    "gamma with lapse": {
        "simulate": {
            "comparisons": 900,
            "respondents": 60,
            "family": "gamma",
            "mean": 1.0,
            "cv": 0.9,
            "lapse": 0.1,
            "margin_sd": 2.0,
            "seed": 12,
        },
        "fit": {"family": "gamma", "lapse": True},
    },
    "features": {
        "simulate": {
            "comparisons": 600,
            "respondents": 40,
            "family": "lognormal",
            "cv": 0.7,
            "features": 3,
            "margin_sd": 1.5,
            "seed": 13,
        },
        "fit": {"family": "lognormal"},
    },
}


def problem_of(case: dict[str, Any]) -> Problem:
    """The data of a case, ready to fit."""
    return Problem(ml.simulate(**case["simulate"]).comparisons())


def sample(case: dict[str, Any]) -> dict[str, Any]:
    """Draw by NUTS from one program."""
    torch.set_num_threads(1)
    problem = problem_of(case)
    joint = problem.joint(case["fit"]["family"], lapse=case["fit"].get("lapse", False))
    chains, begin = [], time.monotonic()
    for chain in range(CHAINS):
        pyro.set_rng_seed(SEED + chain)
        pyro.clear_param_store()
        kernel = NUTS(joint.program, full_mass=True)
        mcmc = MCMC(kernel, DRAWS, WARMUP, disable_progbar=True)
        mcmc.run(joint.likelihood, joint.spec)
        found = mcmc.get_samples()
        chains.append(torch.cat([found[site.name].reshape(DRAWS, -1) for site in joint.sites], -1))
    named = named_parameters(problem, joint, torch.stack(chains))
    parameters = {}
    for name, values in named.values.items():
        if name == "weight":
            entries = {f"weight[{k}]": values[..., k] for k in range(values.shape[-1])}
        else:
            entries = {name: values}
        for label, draws in entries.items():
            r_hat = float(split_gelman_rubin(torch.from_numpy(np.array(draws)), 0, 1))
            parameters[label] = {
                "mean": float(draws.mean()),
                "sd": float(draws.std()),
                "r_hat": r_hat,
            }
    return {"parameters": parameters, "seconds": round(time.monotonic() - begin, 1), **case}


def main() -> None:
    """Write the file."""
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "pyro": pyro.__version__,
    }
    settings = {"chains": CHAINS, "warmup": WARMUP, "draws": DRAWS, "seed": SEED}
    cases = {name: sample(case) for name, case in PROBLEMS.items()}
    record = {"versions": versions, "nuts": settings, "problems": cases}
    FILE.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
