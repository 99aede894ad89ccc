"""Our engine at a tiny size, as the benchmark runs it."""

import doctest
import json
import subprocess
import sys

import numpy as np
from tree import ROOT


def test_our_engine_finds_the_truth_and_says_what_it_cost(benchmark_module, tmp_path):
    peers = benchmark_module("peers")
    assert doctest.testmod(peers).failed == 0
    file = tmp_path / "votes.npz"
    np.savez(file, **peers.simulated(8000, 400))
    engine = ROOT / "benchmarks" / "engines" / "mixlogit_engine.py"
    command = [sys.executable, str(engine), "maximum", str(file), "100"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert abs(found["mu"] + 0.25) < 4 * found["se"]
    assert abs(found["log_sd"] - 0.8) < 4 * found["se"]
    assert 0 < found["seconds"] < 100
    assert 0 < found["memory_mb"] < 600
    assert set(found["versions"]) == {"mixlogit", "torch", "pyro-ppl"}
