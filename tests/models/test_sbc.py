"""Simulation-based calibration: intervals cover what they say (benchmarks/calibration.py)."""

import importlib.util
import sys
from functools import partial

import pytest
from tree import ROOT

from mixlogit.models import infer

SPEC = importlib.util.spec_from_file_location("calibration", ROOT / "benchmarks/calibration.py")
calibration = importlib.util.module_from_spec(SPEC)
sys.modules["calibration"] = calibration
SPEC.loader.exec_module(calibration)


@pytest.mark.parametrize("family", ["lognormal", "gamma"])
def test_sixty_replicates(family, monkeypatch):
    """Of 60 intervals at 90 %, 47 to 60 cover with probability 0.998."""
    monkeypatch.setattr(infer, "fit_guide", partial(infer.fit_guide, steps=12))
    for found in calibration.calibrate(family, 60, draws=500, seed=1, nuts=False):
        assert 47 / 60 <= found.coverage <= 1.0, found
        assert found.inside, found


@pytest.mark.slow
@pytest.mark.parametrize("family", calibration.FAMILIES)
def test_two_hundred_replicates(family):
    for found in calibration.calibrate(family, 200):
        assert 0.86 <= found.coverage <= 0.94, found
        assert found.inside, found
